//! What every other module may use: errors, cancelling, names near to a misspelt one, words for a shell, text from outside in
//! messages, numbers as people write them.

pub mod cancel;
pub mod error;
#[cfg(test)]
pub mod growth;
pub mod near_names;
pub mod parallel;
pub mod ranges;
pub mod shell;
pub mod shuffle;
pub mod visible;

pub use cancel::CancelHandle;
pub use error::{Error, Result};

//! What every other module may use: errors, cancelling, threads, suggestions for misspelt names, shell quoting,
//! untrusted text in messages, number ranges, byte and bit shuffles.

pub mod cancel;
pub mod error;
#[cfg(test)]
pub mod growth;
pub mod near_names;
pub mod parallel;
pub mod plural;
pub mod ranges;
pub mod shell;
pub mod shuffle;
pub mod visible;

pub use cancel::CancelHandle;
pub use error::{Error, Result};

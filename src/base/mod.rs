//! What every other module may use: errors, cancelling, threads, available memory, suggestions for misspelt names, shell quoting,
//! untrusted text in messages, number ranges, byte and bit shuffles, and what differs between operating systems.

pub(crate) mod cancel;
pub(crate) mod error;
#[cfg(test)]
pub(crate) mod growth;
pub(crate) mod memory;
pub(crate) mod near_names;
pub(crate) mod panics;
pub(crate) mod parallel;
pub(crate) mod plural;
pub(crate) mod ranges;
pub(crate) mod shell;
pub(crate) mod shuffle;
pub(crate) mod system;
pub(crate) mod visible;

pub use cancel::CancelHandle;
pub use error::{Error, Result};

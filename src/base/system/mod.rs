//! What differs between operating systems, behind the same functions: `unix` for Linux and macOS, `windows` for Windows.
//! No other code but tests asks which of them it runs on.

pub(crate) mod entry;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Read,
    /// Reading and writing.
    Write,
    /// Syncing it, and nothing else; also of a directory.
    Sync,
}

/// How a part of a file is going to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    InOrder,
    Scattered,
    Soon,
}

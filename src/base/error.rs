//! What can go wrong, sorted by what the caller does about it. Each message is one full sentence on one line; text from
//! outside is made [`visible`].

use std::fmt::Display;

use crate::base::system::name_of_signal;
use crate::base::visible::{visible, visible_path};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, with the exit code it stands for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Wrong options: an unknown key, codec or field, a value out of range (exit code 2).
    #[error("{}", visible(.0))]
    Usage(String),
    /// The input is not what it should be (exit code 3).
    #[error("{}", visible(.0))]
    Input(String),
    /// Something is already where the output should go (exit code 4).
    #[error("{}", visible(.0))]
    OutputInTheWay(String),
    /// The work failed: disk full, permission denied, a lost worker (exit code 1).
    #[error("{}", visible(.0))]
    Failed(String),
    /// A dataset is damaged, or is not what its input is (exit code 5).
    #[error("{0}")]
    Damaged(String),
    /// Stopped by a signal, or by the caller's cancel handle (exit code 128 + signal).
    #[error("stopped by {}{}", signal_name(*.signal), .left.as_ref().map_or(String::new(), |l| format!("; {}", visible(l))))]
    Cancelled {
        /// The signal number.
        signal: i32,
        /// What is left in the output directory, if anything.
        left: Option<String>,
    },
}

impl Error {
    /// The process exit code of this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Input(_) => 3,
            Self::OutputInTheWay(_) => 4,
            Self::Damaged(_) => 5,
            Self::Cancelled { signal, .. } => u8::try_from(128 + signal).unwrap_or(255),
        }
    }

    /// The same error with what it is about in front.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        match self {
            Self::Failed(ref what)
            | Self::Usage(ref what)
            | Self::Input(ref what)
            | Self::OutputInTheWay(ref what)
            | Self::Damaged(ref what) => self.of_the_same_kind(format!("{place}: {what}")),
            cancelled @ Self::Cancelled { .. } => cancelled,
        }
    }

    /// An error with the same exit code, of other words; a cancelled one is a failure.
    #[must_use]
    pub(crate) fn of_the_same_kind(&self, what: String) -> Self {
        match self {
            Self::Usage(_) => Self::Usage(what),
            Self::Input(_) => Self::Input(what),
            Self::OutputInTheWay(_) => Self::OutputInTheWay(what),
            Self::Damaged(_) => Self::Damaged(what),
            Self::Failed(_) | Self::Cancelled { .. } => Self::Failed(what),
        }
    }

    /// Whether running the same command again cannot end differently.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Usage(_) | Self::Input(_) | Self::OutputInTheWay(_))
    }
}

/// `SIGINT`, `SIGKILL` …, or `signal 35` if the signal has no known name.
pub(crate) fn signal_name(signal: i32) -> String {
    match name_of_signal(signal) {
        Some(name) => name.to_owned(),
        None => format!("signal {signal}"),
    }
}

/// Turns a cause into `Error::Failed("<what>: <cause>")`; for `map_err`.
pub(crate) fn failed<E: Display>(what: impl Display) -> impl FnOnce(E) -> Error {
    move |cause| Error::Failed(format!("{what}: {cause}"))
}

/// The error for input that is gone or cannot be read, from the operating system's error.
pub(crate) fn unreadable(path: &std::path::Path, cause: &std::io::Error) -> Error {
    Error::Input(format!("{}: cannot be read: {cause}", visible_path(path)))
}

//! The seam of the tests: every system call on a place passes here first, and a test can make it fail.

use std::io;
use std::path::Path;
#[cfg(test)]
use std::path::PathBuf;

use crate::store::Place;

/// Precedes every system call on a place, so that tests can make it fail.
#[inline(always)]
#[cfg_attr(test, track_caller)]
pub(crate) fn step(_path: &Path) -> io::Result<()> {
    #[cfg(test)]
    crate::store::faults::step(_path)?;
    Ok(())
}

/// The path of an open file, so that tests can make calls on it fail. Empty otherwise.
#[derive(Clone)]
pub(crate) struct Probe {
    #[cfg(test)]
    path: PathBuf,
}

impl Probe {
    pub(crate) fn of(_place: &Place) -> Self {
        Self {
            #[cfg(test)]
            path: _place.path(),
        }
    }

    /// See [`step`].
    #[inline(always)]
    #[cfg_attr(test, track_caller)]
    pub(crate) fn step(&self) -> io::Result<()> {
        #[cfg(test)]
        step(&self.path)?;
        Ok(())
    }
}

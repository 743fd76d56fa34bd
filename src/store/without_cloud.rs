//! Replaces `cloud` in a program built without that feature: refuses every object store.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::store::State;
use crate::store::address::Address;

const MISSING: &str = "lies in an object store, which this program was built without; build it with --features cloud";

fn missing<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, MISSING))
}

pub(super) fn check(_: &Address) -> Result<()> {
    Err(Error::Usage(MISSING.into()))
}

pub(super) fn read(_: &Path, _: u64) -> io::Result<Vec<u8>> {
    missing()
}

pub(super) fn write(_: &Path, _: &[u8]) -> io::Result<()> {
    missing()
}

pub(super) fn remove(_: &Path) -> io::Result<()> {
    missing()
}

pub(crate) fn state(_: &Path) -> io::Result<State> {
    missing()
}

pub(crate) fn list(_: &Path) -> io::Result<Vec<String>> {
    missing()
}

pub(crate) fn list_top(_: &Path) -> io::Result<Vec<String>> {
    missing()
}

pub(crate) fn put_new(_: &Path, _: &[u8]) -> io::Result<bool> {
    missing()
}

pub(crate) fn remove_all(_: &[std::path::PathBuf]) -> io::Result<()> {
    missing()
}

pub(crate) fn abort_uploads() {}

/// An object being read: never exists.
pub(crate) enum Object {}

impl Object {
    pub(crate) fn open(_: &Path) -> io::Result<Arc<Self>> {
        missing()
    }

    pub(crate) fn bytes(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn read_at(&self, _: u64, _: &mut [u8], _: u64) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn will_read(&self, _: u64, _: usize) {
        match *self {}
    }

    pub(crate) fn is_read_by(&self, _: usize) {
        match *self {}
    }
}

/// An object being written: never exists.
pub(crate) enum Upload {}

impl Upload {
    pub(crate) fn create(_: &Path, _: Option<u64>) -> io::Result<Self> {
        missing()
    }

    pub(crate) fn finish(self) -> io::Result<Pending> {
        match self {}
    }
}

impl Write for Upload {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

/// The last request of an upload: never exists.
pub(crate) enum Pending {}

impl Pending {
    pub(crate) fn wait(self) -> io::Result<()> {
        match self {}
    }
}

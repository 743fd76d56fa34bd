//! Files in directories and objects in object stores, behind one set of calls.
//!
//! A place is a path; one that begins with `s3://`, `gs://` or `az://` is the key of an object, or a prefix of keys.
//! `cloud` talks to object stores and is built with the feature of that name; without it every such place is refused.
//! Errors are I/O errors without the path, which the caller adds.

mod address;
pub(crate) mod checksum;
#[cfg(feature = "cloud")]
mod cloud;
#[cfg(not(feature = "cloud"))]
#[path = "without_cloud.rs"]
mod cloud;
#[cfg(test)]
pub(crate) mod faults;
pub(crate) mod files;
pub(crate) mod new_directories;
pub(crate) mod place;
mod reader;
pub(crate) mod steps;
pub(crate) mod sync;
mod writer;

use std::io;
use std::path::Path;

pub(crate) use address::is_remote;
pub(crate) use cloud::{Object, abort_uploads, list, list_top, put_new, remove_all, state};
pub use place::Place;
pub(crate) use reader::{Reader, Stream, TableReader};
pub(crate) use writer::{Finishing, Writer, finish_buffered};

use crate::base::error::{Error, Result};
pub(crate) use crate::base::system::entry;
use address::Address;

/// The current state of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub bytes: u64,
    /// What distinguishes this content of the object from any other.
    pub etag: Option<String>,
    /// When it was written, nanoseconds since 1970.
    pub modified_ns: u128,
}

/// Checks that the address of a place in an object store is valid, and that this program can talk to object stores. Any
/// other place is fine.
///
/// # Errors
/// `Error::Usage` with what is wrong.
pub(crate) fn check_address(path: &Path) -> Result<()> {
    if !is_remote(path) {
        return Ok(());
    }
    let checked = Address::parse(path).map_err(Error::Usage).and_then(|address| cloud::check(&address));
    checked.map_err(|e| Error::Usage(format!("{}: {e}", address::shown(path))))
}

/// Bytes that are free in the file system of a directory.
pub(crate) fn free_bytes(directory: &Place) -> io::Result<u64> {
    let path = directory.path();
    steps::step(&path)?;
    crate::base::system::free_bytes(&path)
}

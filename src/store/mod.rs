//! Files in directories and objects in object stores, behind one set of calls.
//!
//! A place is a path; one that begins with `s3://`, `gs://` or `az://` is the key of an object, or a prefix of keys. What
//! speaks to object stores is in `cloud`, built with the feature of that name; without it every such place is refused.
//! Errors here are those of input and output, without the path, which the caller puts in front.

mod address;
pub mod checksum;
#[cfg(feature = "cloud")]
mod cloud;
#[cfg(not(feature = "cloud"))]
#[path = "without_cloud.rs"]
mod cloud;
pub mod files;
mod reader;
pub mod sync;
mod writer;

use std::fs;
use std::io::{self, Read};
use std::path::Path;

pub use address::is_remote;
pub use cloud::{Object, abort_uploads, list, list_top, put_new, remove_all, state};
pub use reader::{Reader, Stream};
pub use writer::{Finishing, Writer, finish_buffered};

use crate::base::error::{Error, Result};
use address::Address;

/// An object as it is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub bytes: u64,
    /// What tells this content of the object from every other.
    pub etag: Option<String>,
    /// When it was written, nanoseconds since 1970.
    pub modified_ns: u128,
}

/// Sees that a place in an object store is written as it has to be, and that there is what speaks to it. Every other place
/// is in order.
///
/// # Errors
/// `Error::Usage` with what is wrong.
pub fn check_address(path: &Path) -> Result<()> {
    if !is_remote(path) {
        return Ok(());
    }
    let checked = Address::parse(path).map_err(Error::Usage).and_then(|address| cloud::check(&address));
    checked.map_err(|e| Error::Usage(format!("{}: {e}", address::shown(path))))
}

/// The whole content.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if is_remote(path) { cloud::read(path) } else { fs::read(path) }
}

/// Puts the whole content behind what `out` holds.
pub fn read_into(path: &Path, out: &mut Vec<u8>) -> io::Result<()> {
    if !is_remote(path) {
        return fs::File::open(path)?.read_to_end(out).map(drop);
    }
    out.extend_from_slice(&cloud::read(path)?);
    Ok(())
}

/// Writes the whole content, in the place of what is there.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_remote(path) { cloud::write(path, bytes) } else { fs::write(path, bytes) }
}

/// Makes a directory with those around it. An object store has none.
pub fn create_directories(path: &Path) -> io::Result<()> {
    if is_remote(path) { Ok(()) } else { fs::create_dir_all(path) }
}

/// Whether there is a file or an object.
pub fn is_file(path: &Path) -> io::Result<bool> {
    if !is_remote(path) {
        return match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.is_file()),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(e) => Err(e),
        };
    }
    match state(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes a file, a directory with all that is in it, or an object with all whose keys go on with a slash behind its own.
/// What is not there counts as removed.
pub fn remove(path: &Path) -> io::Result<()> {
    if is_remote(path) {
        return cloud::remove(path);
    }
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

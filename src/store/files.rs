//! Small steps on files that several modules take, with the path in every error.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::error::{Result, failed};
use crate::store;

/// Writes a JSON document, indented, with a line end.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(failed(path.display()))?;
    text.push(b'\n');
    store::write(path, &text).map_err(failed(path.display()))
}

/// Reads a JSON document.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = store::read(path).map_err(failed(path.display()))?;
    serde_json::from_slice(&text).map_err(failed(path.display()))
}

/// What has this name, links not followed; `None` only if nothing has.
///
/// # Errors
/// `Error::Failed` where the system does not say: that is never taken for "nothing is there".
pub fn entry(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(e) if is_absence(&e) => Ok(None),
        Err(e) => Err(failed(path.display())(e)),
    }
}

/// Whether anything has this name, links not followed. Errors as [`entry`].
pub fn is_there(path: &Path) -> Result<bool> {
    Ok(entry(path)?.is_some())
}

/// Whether this name is that of a link. Errors as [`entry`].
pub fn is_link(path: &Path) -> Result<bool> {
    Ok(entry(path)?.is_some_and(|metadata| metadata.is_symlink()))
}

/// Whether an error says that nothing has a name. All others leave that open.
pub fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Reads a JSON document if it is there. One that is no such document is `None` too.
///
/// # Errors
/// `Error::Failed` where it cannot be read.
pub fn find_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match store::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(e) if is_absence(&e) => Ok(None),
        Err(e) => Err(failed(path.display())(e)),
    }
}

/// Removes a file or a directory with all that is in it. What is not there counts as removed.
pub fn remove(path: &Path) -> Result<()> {
    store::remove(path).map_err(failed(format!("{}: cannot be removed", path.display())))
}

/// Renames a file or directory; both lie on one file system.
pub fn move_to(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(failed(format!("{} cannot be moved to {}", from.display(), to.display())))
}

//! Small operations on places that several modules need, with the place in every error.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::error::{Result, failed};
use crate::store::entry::Entry;
use crate::store::place::{Place, is_absence};

/// Writes an indented JSON document with a final newline.
pub(crate) fn write_json(place: &Place, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(failed(place.display()))?;
    text.push(b'\n');
    place.write(&text).map_err(failed(place.display()))
}

/// Reads a text file named by the user, which may be a pipe without end.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    const MOST_BYTES: u64 = 256 << 20;
    let mut text = String::new();
    match File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)? as u64 {
        n if n > MOST_BYTES => Err(io::Error::other(format!("has more than {MOST_BYTES} bytes"))),
        _ => Ok(text),
    }
}

/// Reads a JSON document.
pub(crate) fn read_json<T: DeserializeOwned>(place: &Place) -> Result<T> {
    let text = place.read().map_err(failed(place.display()))?;
    serde_json::from_slice(&text).map_err(failed(place.display()))
}

/// Reads a JSON document; `None` if there is none, or if it does not parse.
///
/// # Errors
/// `Error::Failed` if it cannot be read.
pub(crate) fn find_json<T: DeserializeOwned>(place: &Place) -> Result<Option<T>> {
    match place.read() {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(e) if is_absence(&e) || e.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(e) => Err(failed(place.display())(e)),
    }
}

/// What is at a place, without following links; `None` only if there is nothing.
///
/// # Errors
/// `Error::Failed` if the system does not say: an unknown answer never counts as "nothing is there".
pub(crate) fn entry(place: &Place) -> Result<Option<Entry>> {
    place.find().map_err(failed(place.display()))
}

/// Whether anything is at a place, without following links. Errors as [`entry`].
pub(crate) fn is_there(place: &Place) -> Result<bool> {
    Ok(entry(place)?.is_some())
}

/// Removes a file, or a directory with everything in it. A missing one counts as removed.
pub(crate) fn remove(place: &Place) -> Result<()> {
    place.remove().map_err(failed(format!("{}: cannot be removed", place.display())))
}

/// Renames a file or directory within its file system.
pub(crate) fn move_to(from: &Place, to: &Place) -> Result<()> {
    from.rename(to).map_err(failed(format!("{} cannot be moved to {}", from.display(), to.display())))
}

/// Makes a directory and its parents, up to the root of the place.
pub(crate) fn create_directories(place: &Place) -> Result<()> {
    place.create_directories().map_err(failed(place.display()))
}

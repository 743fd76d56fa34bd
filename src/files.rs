//! Small steps on files that several modules take, with the path in every error.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, failed};
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

/// Removes a file or a directory with all that is in it. What is not there counts as removed.
pub fn remove(path: &Path) -> Result<()> {
    store::remove(path).map_err(failed(format!("{}: cannot be removed", path.display())))
}

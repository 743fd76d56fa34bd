//! Small steps on files that several modules take, with the path in every error.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, failed};

/// Writes a JSON document, indented, with a line end.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(failed(path.display()))?;
    text.push(b'\n');
    std::fs::write(path, text).map_err(failed(path.display()))
}

/// Reads a JSON document.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).map_err(failed(path.display()))?;
    serde_json::from_slice(&text).map_err(failed(path.display()))
}

/// Removes a file or a directory with all that is in it. What is not there counts as removed.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
    };
    removed.map_err(failed(format!("{}: cannot be removed", path.display())))
}

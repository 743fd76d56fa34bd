//! An input file as it was when the import was planned, and which traces of the dataset are its own.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result, unreadable};
use crate::segy::Layout;
use crate::store::{self, State};

/// The input file as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Absolute, so that a worker may start anywhere; or a place in an object store.
    pub path: PathBuf,
    pub bytes: u64,
    /// Time of last modification, nanoseconds since 1970.
    pub modified_ns: u128,
    /// Time of the last change of content or of what the system keeps about the file, which nobody can set back, likewise. 0 in
    /// an object store.
    pub changed_ns: i128,
    /// Number of the file in its file system: another file of the same name has another one. 0 in an object store.
    pub inode: u64,
    /// Of an object in a store: what tells its content from every other. It then stands for the time too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

impl InputFile {
    /// The file as it is now.
    ///
    /// # Errors
    /// `Error::Input` where it cannot be found.
    pub fn of(path: &Path) -> Result<Self> {
        if store::is_remote(path) {
            let State { bytes, etag, modified_ns } = store::state(path).map_err(|e| unreadable(path, &e))?;
            let modified_ns = if etag.is_some() { 0 } else { modified_ns };
            return Ok(Self { path: path.to_owned(), bytes, modified_ns, changed_ns: 0, inode: 0, etag });
        }
        let metadata = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            path: std::path::absolute(path).map_err(|e| unreadable(path, &e))?,
            bytes: metadata.len(),
            modified_ns: modified.map_or(0, |d| d.as_nanos()),
            changed_ns: i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
            inode: metadata.ino(),
            etag: None,
        })
    }

    /// The planned file as a node of a cluster sees it, where files may have other numbers.
    ///
    /// # Errors
    /// `Error::Input` where it is not the one that was planned.
    pub fn as_seen_here(&self) -> Result<Self> {
        let here = Self::of(&self.path)?;
        if (Self { inode: self.inode, ..here.clone() }) == *self {
            return Ok(here);
        }
        Err(Error::Input(format!(
            "{}: was changed or replaced since it was planned; plan the import again with --fresh",
            self.path.display()
        )))
    }

    /// Looks again, once everything has been read.
    ///
    /// # Errors
    /// `Error::Input` where the file has been written to, replaced or removed since the plan was made.
    pub fn check_unchanged(&self) -> Result<()> {
        if Self::of(&self.path)? == *self {
            return Ok(());
        }
        Err(Error::Input(format!(
            "{}: was changed or replaced while it was read, so nothing was kept of it; import it again when it is complete",
            self.path.display()
        )))
    }
}

/// An input file, what it is, and which traces of the dataset are its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedFile {
    pub input: InputFile,
    pub layout: Layout,
    /// Number of its first trace among those of all files, from 0.
    pub first_trace: u64,
}

impl PlannedFile {
    /// Behind the number of its last trace among those of all files.
    pub fn end_trace(&self) -> u64 {
        self.first_trace + self.layout.n_traces
    }
}

//! An input file as it was when the import was planned, and which traces of the dataset come from it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result, unreadable};
use crate::segy::Layout;
use crate::store::{self, State};

/// An input file as it was when the import was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Absolute, so that workers may start in any directory; or an address in an object store.
    pub path: PathBuf,
    pub bytes: u64,
    /// Time of last modification, nanoseconds since 1970.
    pub modified_ns: u128,
    /// Time of the last change of content or metadata (ctime), likewise, which nobody can set back. 0 in an object
    /// store.
    pub changed_ns: i128,
    /// Inode number: a replacement of the same name has a different one. 0 in an object store.
    pub inode: u64,
    /// For an object: identifies its content, and replaces the times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

impl InputFile {
    /// The file as it is now.
    ///
    /// # Errors
    /// `Error::Input` if it cannot be found.
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

    /// The planned file as this cluster node sees it, where inode numbers may differ.
    ///
    /// # Errors
    /// `Error::Input` if it is not the file that was planned.
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

    /// Checks again, after everything has been read.
    ///
    /// # Errors
    /// `Error::Input` if the file was written to, replaced or removed since planning.
    pub fn check_unchanged(&self) -> Result<()> {
        if Self::of(&self.path)? == *self {
            return Ok(());
        }
        Err(Error::Input(format!(
            "{}: was changed or replaced while it was being read, so its import was discarded; import it again when it is complete",
            self.path.display()
        )))
    }
}

/// An input file, its layout, and which traces of the dataset come from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedFile {
    pub input: InputFile,
    pub layout: Layout,
    /// Number of its first trace in the dataset, from 0.
    pub first_trace: u64,
}

impl PlannedFile {
    /// One past its last trace in the dataset.
    pub fn end_trace(&self) -> u64 {
        self.first_trace + self.layout.n_traces
    }
}

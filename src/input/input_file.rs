//! An input file as it was when the import was planned, and which traces of the dataset come from it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result, unreadable};
use crate::base::system;
use crate::input::trace_map::TakenTraces;
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
        let (changed_ns, inode) = system::change_and_inode(path, &metadata).map_err(|e| unreadable(path, &e))?;
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            path: std::path::absolute(path).map_err(|e| unreadable(path, &e))?,
            bytes: metadata.len(),
            modified_ns: modified.map_or(0, |d| d.as_nanos()),
            changed_ns,
            inode,
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
    /// The traces that are taken, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<TakenTraces>,
    /// The samples of each trace that are taken, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Range<u32>>,
}

impl PlannedFile {
    /// All of a file.
    pub fn whole(input: InputFile, layout: Layout, first_trace: u64) -> Self {
        Self { input, layout, first_trace, taken: None, samples: None }
    }

    /// How many of its traces are in the dataset.
    pub fn n_traces(&self) -> u64 {
        self.taken.as_ref().map_or(self.layout.n_traces, |taken| taken.n)
    }

    /// Samples of its traces, or of the longest one, in the dataset.
    pub fn n_samples(&self) -> u32 {
        self.samples.as_ref().map_or(self.layout.n_samples, |samples| samples.end.saturating_sub(samples.start))
    }

    /// One past its last trace in the dataset.
    pub fn end_trace(&self) -> u64 {
        self.first_trace + self.n_traces()
    }

    /// Bytes of the file that are read for the dataset.
    pub fn bytes_taken(&self) -> u64 {
        let (n, all) = (u128::from(self.n_traces()), u128::from(self.layout.n_traces.max(1)));
        (u128::from(self.input.bytes) * n / all) as u64
    }

    /// Whether what is taken can be taken.
    pub fn is_consistent(&self) -> bool {
        let samples = self.samples.as_ref().is_none_or(|samples| {
            samples.start < samples.end && samples.end <= self.layout.n_samples && self.layout.varying.is_none()
        });
        let traces = self.taken.as_ref().is_none_or(|taken| {
            let end = taken.first.checked_add(self.layout.n_traces);
            taken.n <= self.layout.n_traces && end.is_some_and(|end| end <= taken.n_in_map)
        });
        samples && traces && self.n_traces() > 0 && self.layout.is_consistent()
    }
}

//! Where the files of one segment are.

use std::path::{Path, PathBuf};

use crate::dataset_files::{HEADERS, TRACES};
use crate::store;

/// The files of one segment in the staging directory.
pub struct SegmentPaths {
    pub directory: PathBuf,
    pub traces: PathBuf,
    /// Of the first segment it becomes the table of the dataset in the merge, which keeps its end in `headers.footer`.
    pub headers: PathBuf,
    pub runs: PathBuf,
    /// Only there if the segment has exceptions.
    pub exceptions: PathBuf,
    /// The record that says that the segment is done.
    pub record: PathBuf,
}

impl SegmentPaths {
    pub fn new(staging: &Path, segment: u32) -> Self {
        Self::in_directory(staging.join(format!("segment_{segment}")))
    }

    pub fn in_directory(directory: PathBuf) -> Self {
        // In an object store chunks are put where they stay: behind the directories of the segment and of all segments.
        let root = directory.ancestors().nth(2).filter(|_| store::is_remote(&directory));
        Self {
            traces: root.unwrap_or(&directory).join(TRACES),
            headers: directory.join(HEADERS),
            runs: directory.join("gathers.bin"),
            exceptions: directory.join("exceptions.bin"),
            record: directory.join("segment.json"),
            directory,
        }
    }
}

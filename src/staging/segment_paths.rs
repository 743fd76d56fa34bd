//! The paths of one segment's files.

use crate::dataset_files::{HEADERS, TRACES};
use crate::store::Place;

/// The files of one segment in the staging area.
pub struct SegmentPaths {
    pub directory: Place,
    pub traces: Place,
    pub headers: Place,
    pub runs: Place,
    /// Exists only if the segment has exceptions.
    pub exceptions: Place,
    /// The record; it exists once the segment is done.
    pub record: Place,
}

impl SegmentPaths {
    pub fn new(staging: &Place, segment: u32) -> Self {
        Self::in_directory(staging.join(format!("segment_{segment}")))
    }

    pub fn in_directory(directory: Place) -> Self {
        // In an object store chunks are written to their final place, two levels up: above the directories of the
        // segment and of all segments.
        let root = directory.parent().and_then(|staging| staging.parent()).filter(|_| directory.is_remote());
        Self {
            traces: root.as_ref().unwrap_or(&directory).join(TRACES),
            headers: directory.join(HEADERS),
            runs: directory.join("gathers.bin"),
            exceptions: directory.join("exceptions.bin"),
            record: directory.join("segment.json"),
            directory,
        }
    }
}

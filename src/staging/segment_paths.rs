//! The paths of one segment's files.

use crate::dataset_files::{HEADERS, SAMPLE_SUMS};
use crate::plan::Plan;
use crate::store::Place;

/// The files of one segment in the staging area.
pub(crate) struct SegmentPaths {
    /// Where arrays are.
    arrays: Place,
    pub directory: Place,
    pub headers: Place,
    pub runs: Place,
    /// Checksums of the samples of its chunks; exists only if it has chunks.
    pub sample_sums: Place,
    /// Coordinates of its rows, float64 each, in the order of the grid; exists only if the plan does not have them.
    pub coordinates: Place,
    /// Exists only if the segment has exceptions.
    pub exceptions: Place,
    /// The record; it exists once the segment is done.
    pub record: Place,
}

impl SegmentPaths {
    pub(crate) fn new(staging: &Place, segment: u32) -> Self {
        Self::in_directory(staging.join(format!("segment_{segment}")))
    }

    pub(crate) fn in_directory(directory: Place) -> Self {
        // In an object store chunks are written to their final place, two levels up: above the directories of the
        // segment and of all segments.
        let root = directory.parent().and_then(|staging| staging.parent()).filter(|_| directory.is_remote());
        let arrays = root.as_ref().unwrap_or(&directory).clone();
        Self {
            arrays,
            headers: directory.join(HEADERS),
            runs: directory.join("gathers.bin"),
            sample_sums: directory.join(SAMPLE_SUMS),
            coordinates: directory.join("coordinates.bin"),
            exceptions: directory.join("exceptions.bin"),
            record: directory.join("segment.json"),
            directory,
        }
    }

    /// The header table; a directory of parts is put where it will stay, as arrays are.
    pub(crate) fn header_table(&self, plan: &Plan) -> Place {
        if plan.headers.in_parts { self.arrays.join(plan.header_table()) } else { self.headers.clone() }
    }

    /// The directory of an array.
    pub(crate) fn array(&self, name: &str) -> Place {
        self.arrays.join(name)
    }
}

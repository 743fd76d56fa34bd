//! What the samples become, and who writes which part of it.
//!
//! **One writer for each chunk.** The stored objects of the target (chunks or shards) fall into units, numbered along the
//! file. A segment writes the units whose first trace it owns, whole, reading past its last trace for the last of them.
//! Segments cover the traces without gaps, so each object has exactly one writer however the file is cut, and no two
//! processes ever touch the same file.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::plan::partition::Segment;
use crate::zarr::ArrayPlan;

/// Converting so many bytes of samples takes as long as a row of the header table does. Measured on a stack of 1650 samples:
/// 950 with the default codec, 1840 without one.
const ROW_BYTES: i128 = 1280;

/// The arrays that an import makes of the samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One array of all traces in file order, `traces.zarr`. A unit is what is stored under one index of the trace axis.
    Traces(ArrayPlan),
    /// A grid. A unit is a column of bricks or shards with all samples; units are numbered in the order of their first
    /// traces, and a segment writes a share of them like its share of the traces.
    Grid(Box<Grid>),
}

impl Target {
    /// The array of all traces in file order.
    pub fn traces(&self) -> &ArrayPlan {
        match self {
            Self::Traces(array) => array,
            Self::Grid(grid) => &grid.traces,
        }
    }

    /// The grid, if the traces become one.
    pub fn grid(&self) -> Option<&Grid> {
        match self {
            Self::Traces(_) => None,
            Self::Grid(grid) => Some(grid),
        }
    }

    /// Chunk or shard files with samples.
    pub fn n_objects(&self) -> u64 {
        self.grid().map_or_else(|| self.traces().n_objects(), Grid::n_objects)
    }

    /// Units of the whole target.
    pub fn n_units(&self) -> u64 {
        match self {
            Self::Traces(array) => array.n_traces.div_ceil(array.traces_per_object()),
            Self::Grid(grid) => grid.n_all_units(),
        }
    }

    /// The units that a segment writes. Row groups of the header table have `group_rows` rows.
    pub fn units_of(&self, segment: &Segment, group_rows: u64) -> Range<u64> {
        match self {
            Self::Traces(array) => owned(segment, array.traces_per_object()),
            Self::Grid(grid) => {
                let share = |trace| units_before(trace, grid, group_rows);
                share(segment.start_trace)..share(segment.end_trace)
            }
        }
    }

    /// The traces that a segment accounts for: those in its units, or of a grid its own share.
    pub fn traces_of(&self, segment: &Segment) -> Range<u64> {
        match self {
            Self::Traces(array) => {
                traces_in(owned(segment, array.traces_per_object()), array.traces_per_object(), array.n_traces)
            }
            Self::Grid(_) => segment.start_trace..segment.end_trace,
        }
    }

    /// The keys of the objects in a unit of an array of traces, below the array.
    pub fn keys_of_unit(&self, unit: u64) -> Vec<String> {
        self.traces().object_keys(unit)
    }
}

/// The units of a grid before a trace at which the file is cut: so many that segments take equally long. They also write whole
/// row groups, some of them more than others, and a row takes as long as a certain number of bytes of samples.
fn units_before(trace: u64, grid: &Grid, group_rows: u64) -> u64 {
    let [n_traces, group_rows] = [grid.traces.n_traces, group_rows].map(|n| i128::from(n.max(1)));
    let sample_bytes = i128::from(grid.traces.n_samples * grid.traces.dtype.size() as u64).max(1);
    let (trace, n_units) = (i128::from(trace), i128::from(grid.n_all_units()));
    let n_rows = (trace + group_rows - 1).div_euclid(group_rows) * group_rows;
    let bytes = trace * (ROW_BYTES + sample_bytes) - ROW_BYTES * n_rows.min(n_traces);
    // What is left for units does not shrink as the trace grows, but where the next row group begins.
    let bytes = bytes.max(trace / group_rows * group_rows * sample_bytes);
    let all = n_traces * sample_bytes;
    ((n_units * bytes + all - 1).div_euclid(all)).clamp(0, n_units) as u64
}

/// The units of `length` traces whose first trace lies in the segment.
pub(super) fn owned(segment: &Segment, length: u64) -> Range<u64> {
    segment.start_trace.div_ceil(length)..segment.end_trace.div_ceil(length)
}

/// The traces in units of `length` out of `n` traces; an empty range if there are none.
pub(super) fn traces_in(units: Range<u64>, length: u64, n: u64) -> Range<u64> {
    if units.is_empty() { 0..0 } else { (units.start * length).min(n)..(units.end * length).min(n) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::segy::Dtype;
    use crate::zarr::AxisOrder;

    fn segments(cuts: &std::collections::BTreeSet<u64>) -> Vec<Segment> {
        let bounds: Vec<u64> = cuts.iter().copied().collect();
        let segment = |(id, pair): (usize, &[u64])| Segment {
            id: id as u32,
            start_trace: pair[0],
            end_trace: pair[1],
            starts_inside_gather: false,
        };
        bounds.windows(2).enumerate().map(segment).collect()
    }

    #[test]
    fn whoever_writes_more_rows_gets_fewer_units() {
        let mut grid = Grid::of_no_keys();
        (grid.n_units, grid.traces.n_traces, grid.traces.n_samples) = (49, 160_000, 1650);
        let units = |group_rows| {
            let before = |trace| units_before(trace, &grid, group_rows);
            [0, 40_000, 80_000, 120_000, 160_000].map(before)
        };
        // Of one row each, of half the rows, of nearly all in the first half, and of all in the first quarter.
        assert_eq!(units(1), [0, 13, 25, 37, 49]);
        assert_eq!(units(80_000), [0, 8, 25, 32, 49]);
        assert_eq!(units(131_072), [0, 2, 19, 36, 49]);
        assert_eq!(units(200_000), [0, 0, 15, 32, 49]);
    }

    proptest::proptest! {
        #[test]
        fn every_unit_of_a_grid_has_one_writer(
            mut cuts in proptest::collection::btree_set(1u64..5000, 0..9), n_units in 1u64..6000, group_rows in 1u64..6000,
        ) {
            cuts.extend([0, 5000]);
            let mut grid = Grid::of_no_keys();
            (grid.n_units, grid.traces.n_traces) = (n_units, 5000);
            let target = Target::Grid(Box::new(grid));
            let mut next = 0;
            for segment in segments(&cuts) {
                let units = target.units_of(&segment, group_rows);
                proptest::prop_assert_eq!(units.start, next);
                next = units.end;
            }
            proptest::prop_assert_eq!(next, n_units);
        }

        #[test]
        fn every_chunk_has_one_writer(
            mut cuts in proptest::collection::btree_set(1u64..5000, 0..9),
            chunk_traces in 1u64..700,
            chunk_samples in 1u64..90,
            shard in proptest::option::of(1u64..9),
            trace_first in proptest::bool::ANY,
        ) {
            cuts.extend([0, 5000]);
            let order = if trace_first { AxisOrder::TraceSample } else { AxisOrder::SampleTrace };
            let array = ArrayPlan {
                order, chunk_traces, chunk_samples, shard_chunks: shard, ..ArrayPlan::new(90, 5000, Dtype::Int16)
            };
            let declared = array.declared();
            let target = Target::Traces(array);
            let mut writers = BTreeMap::new();
            for segment in segments(&cuts) {
                let units = target.units_of(&segment, 7);
                for key in units.clone().flat_map(|unit| target.keys_of_unit(unit)) {
                    proptest::prop_assert_eq!(writers.insert(key, segment.id), None);
                }
                let traces = target.traces_of(&segment);
                proptest::prop_assert!(traces.is_empty() || (segment.start_trace..segment.end_trace).contains(&traces.start));
            }
            let [first, second] = [0, 1].map(|axis| declared.objects()[axis]);
            let all = (0..first).flat_map(|i| (0..second).map(move |j| [i, j])).map(|object| declared.key(&object));
            let mut keys: Vec<String> = all.collect();
            keys.sort();
            proptest::prop_assert_eq!(target.n_objects(), keys.len() as u64);
            proptest::prop_assert_eq!(writers.into_keys().collect::<Vec<_>>(), keys);
        }
    }
}

//! What the samples become, and who writes which part of it.
//!
//! **One writer for each chunk.** The stored objects of the target (chunks or shards) fall into units, numbered along the
//! file. A segment writes the units whose first trace it owns, whole, reading past its last trace for the last of them.
//! Segments cover the traces without gaps, so each object has exactly one writer however the file is cut, and no two
//! processes ever touch the same file.

use std::ops::Range;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::plan::partition::Segment;
use crate::zarr::ArrayPlan;

/// Converting so many bytes of samples takes as long as a row of the header table does. Measured with the default codec: 330 for
/// traces of 100 samples, 580 for 1650; twice as many without a codec.
const ROW_BYTES: u128 = 512;

/// The arrays that an import makes of the samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One array of all traces in file order, `traces.zarr`. A unit is what is stored under one index of the trace axis.
    Traces(ArrayPlan),
    /// A grid. A unit is a column of bricks or shards with all samples; units are numbered in the order
    /// in which they are converted, and a segment writes a share of them like its share of the traces.
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

/// How the units of a grid are dealt out to the segments: one past the last unit of each. Found when it is first needed.
#[derive(Clone, Debug, Default)]
pub struct Dealt(OnceLock<Vec<u64>>);

/// It follows from the rest of a plan.
impl PartialEq for Dealt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Dealt {
    /// The units of a segment, by its number. `rows` are those of each segment.
    pub(super) fn units_of(&self, number: usize, grid: &Grid, rows: impl FnOnce() -> Vec<u64>) -> Range<u64> {
        let ends = self.0.get_or_init(|| deal(grid, &rows()));
        let end = |number: usize| ends.get(number).or(ends.last()).copied().unwrap_or(0);
        number.checked_sub(1).map_or(0, end)..end(number)
    }
}

/// Deals out the units of a grid to segments, each of which also writes so many rows: all of them shall take equally long, unless
/// one has more rows than its share of the whole.
fn deal(grid: &Grid, rows: &[u64]) -> Vec<u64> {
    let rows: Vec<u128> = rows.iter().map(|&n| u128::from(n) * ROW_BYTES).collect();
    let (traces, n_units) = (&grid.traces, u128::from(grid.n_all_units()));
    let all = u128::from(traces.n_traces.max(1)) * u128::from(traces.n_samples.max(1)) * traces.dtype.size() as u128;
    let level = level(&rows, all);
    let mut bytes = 0;
    let end = |rows: &u128| {
        bytes += level.saturating_sub(*rows);
        (n_units * bytes / all).min(n_units) as u64
    };
    let mut ends: Vec<u64> = rows.iter().map(end).collect();
    // What rounding has left.
    if let Some(last) = ends.last_mut() {
        *last = n_units as u64;
    }
    ends
}

/// How high everything stands once `all` is poured over what is there.
fn level(there: &[u128], all: u128) -> u128 {
    let mut there = there.to_vec();
    there.sort_unstable();
    let mut sum = all;
    for (n, height) in (0_u128..).zip(&there) {
        if n > 0 && sum / n <= *height {
            return sum / n;
        }
        sum += height;
    }
    sum / (there.len() as u128).max(1)
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
        let ends = |rows: &[u64]| deal(&grid, rows);
        assert_eq!(ends(&[40_000; 4]), [12, 24, 36, 49]);
        assert_eq!(ends(&[80_000, 0, 80_000, 0]), [10, 24, 34, 49]);
        assert_eq!(ends(&[131_072, 28_928]), [22, 49]);
        // More rows than the others have of both.
        assert_eq!(ends(&[160_000, 0, 0, 0, 0, 0]), [1, 11, 20, 30, 39, 49]);
        grid.traces.n_samples = 20;
        assert_eq!(deal(&grid, &[160_000, 0]), [0, 49]);
        let units_of = |number| Dealt::default().units_of(number, &grid, || vec![160_000, 0]);
        assert_eq!([0, 1, 2].map(units_of), [0..0, 0..49, 49..49]);
    }

    #[test]
    fn what_is_poured_over_unequal_heights_stands_level() {
        assert_eq!(level(&[3, 1, 10], 6), 5);
        assert_eq!(level(&[0, 0], 9), 4);
        assert_eq!(level(&[7], 2), 9);
        assert_eq!(level(&[100, 0], 5), 5);
    }

    proptest::proptest! {
        #[test]
        fn every_unit_of_a_grid_has_one_writer(
            rows in proptest::collection::vec(0u64..5000, 1..9), n_units in 1u64..6000, n_samples in 1u64..3000,
        ) {
            let mut grid = Grid::of_no_keys();
            (grid.n_units, grid.traces.n_traces, grid.traces.n_samples) = (n_units, rows.iter().sum(), n_samples);
            let ends = deal(&grid, &rows);
            proptest::prop_assert!(ends.is_sorted() && ends.len() == rows.len());
            proptest::prop_assert_eq!(ends.last(), Some(&n_units));
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
            let units_of = |segment: &Segment| owned(segment, array.traces_per_object());
            let target = Target::Traces(array.clone());
            let mut writers = BTreeMap::new();
            for segment in segments(&cuts) {
                let units = units_of(&segment);
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

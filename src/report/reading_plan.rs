//! Which traces are looked at: at most about 32 MB in 1,300 places, however large the file.

use std::ops::Range;

use crate::report::source::Shape;

/// Traces looked at in one place, at most; consecutive ones, so that steps and duplicates show.
const TRACES_PER_PLACE: u64 = 8;
/// Bytes looked at in all places together.
const SPREAD_BYTES: u64 = 16 << 20;
/// Bytes of a section.
pub(super) const SECTION_BYTES: u64 = 8 << 20;
/// Traces of a section, at most, and the least if traces are long.
pub(super) const SECTION_TRACES: u64 = 1000;
const FEWEST_SECTION_TRACES: u64 = 200;
/// Traces that are enough if places are expensive because each is a chunk of a dataset.
const TRACES_IN_ALL_PLACES: u64 = 2048;
/// Samples of a trace that are enough to see its amplitudes.
const MOST_SAMPLES: u64 = 16 << 10;

/// What is read to see what a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadingPlan {
    /// Runs of traces spread over the file, in order, outside the middle.
    pub spread: Vec<Range<u64>>,
    /// Samples of each of them.
    pub spread_samples: usize,
    /// Consecutive traces around the middle.
    pub middle: Range<u64>,
    /// Samples of each of them.
    pub middle_samples: usize,
}

impl ReadingPlan {
    /// What is read of a file of this shape.
    pub(super) fn new(shape: &Shape) -> Self {
        let n = shape.n_traces;
        let (length, middle_samples) = section_size(shape, n);
        let middle = (n - length) / 2..(n - length) / 2 + length;
        let spread_samples = (shape.n_samples as u64).min(MOST_SAMPLES);
        let place_bytes = (shape.trace_bytes - (shape.n_samples as u64 - spread_samples) * 4 / 2).max(1);
        let per_place = match shape.n_places {
            many if many > 100 => (SPREAD_BYTES / many / place_bytes).clamp(1, TRACES_PER_PLACE),
            few => (TRACES_IN_ALL_PLACES / few.max(1)).min(SPREAD_BYTES / place_bytes / few.max(1)).max(1),
        };
        let spread = spread(n, shape.n_places, per_place).into_iter().flat_map(|range| outside(range, &middle));
        Self { spread: spread.collect(), spread_samples: spread_samples as usize, middle, middle_samples }
    }
}

/// How many of `n` traces, and how many samples of each, a section may have.
pub(super) fn section_size(shape: &Shape, n: u64) -> (u64, usize) {
    let bytes = shape.trace_bytes.max(4 * shape.n_samples as u64).max(1);
    let n_traces = (SECTION_BYTES / bytes).clamp(FEWEST_SECTION_TRACES, SECTION_TRACES).min(n);
    (n_traces, section_samples(shape, n_traces))
}

/// How many samples of each of so many traces a section may have.
pub(super) fn section_samples(shape: &Shape, n_traces: u64) -> usize {
    shape.n_samples.min((SECTION_BYTES / 4 / n_traces.max(1)) as usize)
}

/// Evenly spaced runs, the first at the first trace and the last at the last one; all traces if there are few.
fn spread(n: u64, n_places: u64, per_place: u64) -> Vec<Range<u64>> {
    if n <= n_places * per_place {
        return (0..n).step_by(per_place as usize).map(|start| start..(start + per_place).min(n)).collect();
    }
    let start = |i: u64| (u128::from(n - per_place) * u128::from(i) / u128::from((n_places - 1).max(1))) as u64;
    (0..n_places).map(|i| start(i)..start(i) + per_place).collect()
}

/// The parts of a range before and after another.
fn outside(range: Range<u64>, other: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let before = range.start..range.end.min(other.start);
    let after = range.start.max(other.end)..range.end;
    [before, after].into_iter().filter(|part| part.start < part.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::{ByteOrder, SampleAxis};

    fn shape(n_traces: u64, n_samples: usize) -> Shape {
        Shape {
            n_traces,
            n_samples,
            axis: SampleAxis { units: None, ..SampleAxis::of_time() },
            trace_bytes: 240 + 4 * n_samples as u64,
            columns: Vec::new(),
            header_bytes: 240,
            order: ByteOrder::Big,
            n_places: 256,
        }
    }

    #[test]
    fn what_is_read_is_bounded_whatever_the_size_of_the_file() {
        for n_traces in [1, 7, 999, 2048, 100_000, 1 << 40] {
            for n_samples in [1, 25, 1500, 40_000, 2_000_000] {
                let shape = shape(n_traces, n_samples);
                let plan = ReadingPlan::new(&shape);
                let spread: u64 = plan.spread.iter().map(|r| r.end - r.start).sum();
                let bytes = spread * (240 + 4 * plan.spread_samples as u64)
                    + (plan.middle.end - plan.middle.start) * (240 + 4 * plan.middle_samples as u64);
                assert!(bytes <= 28 << 20, "{n_traces} × {n_samples}: {bytes}");
                assert!(plan.spread.len() <= 258 && plan.middle.end <= n_traces, "{n_traces} × {n_samples}");
                let mut ends = plan.spread.iter().cloned().chain([plan.middle.clone()]).collect::<Vec<_>>();
                ends.sort_by_key(|r| r.start);
                assert!(ends.windows(2).all(|w| w[0].end <= w[1].start), "no trace is read twice");
            }
        }
    }

    #[test]
    fn a_small_file_is_read_whole() {
        let plan = ReadingPlan::new(&shape(2000, 100));
        let n: u64 = plan.spread.iter().chain([&plan.middle]).map(|r| r.end - r.start).sum();
        assert_eq!((n, plan.spread_samples), (2000, 100));
    }
}

//! What only a pass through the headers of all traces shows: the grid, the fold, the offsets.

use std::collections::HashSet;

use serde::Serialize;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::inspect;
use crate::picture::curve::range;
use crate::report::source::{OnTraces, Source};
use crate::table::Column;

/// Cells of the fold map in each direction, at most.
const MOST_CELLS: u64 = 300;
/// Parts of the histogram of offsets.
const OFFSET_PARTS: usize = 80;
/// Lines that are counted, at most.
const MOST_LINES: usize = 1 << 20;

/// What was found in the headers of all traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Whole {
    pub fold: Option<Fold>,
    /// Smallest and largest offset, and how many traces lie in each of equal parts between them.
    pub offsets: Option<([f64; 2], Vec<u64>)>,
}

/// How many traces lie where.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Fold {
    /// What is counted from left to right and from bottom to top.
    pub names: [String; 2],
    /// Smallest and largest number of each.
    pub ranges: [[f64; 2]; 2],
    /// Cells in each direction.
    pub size: [usize; 2],
    /// Lines of each direction in a cell.
    pub lines_per_cell: [u64; 2],
    /// Traces in each cell, row after row from the bottom.
    #[serde(skip)]
    pub counts: Vec<u32>,
    /// The most in a cell, and the mean of cells that have any.
    pub most: u32,
    pub mean: f64,
}

/// Smallest, largest and distinct values of one column.
#[derive(Clone, Default)]
struct Extent {
    range: Option<[f64; 2]>,
    distinct: HashSet<i64>,
}

/// Goes through all headers twice: for the extent, and for what lies in it. Completes what is known of the grid.
pub(super) fn go(
    source: &mut dyn Source,
    about: &mut inspect::Report,
    on_traces: OnTraces,
    cancel: &CancelHandle,
) -> Result<Whole> {
    let shape = source.shape().clone();
    let columns: Vec<&Column> = ["crossline", "inline", "offset"].iter().filter_map(|n| shape.column(n)).collect();
    if columns.len() < 3 {
        return Ok(Whole::default());
    }
    let extents = extents(source, &columns, on_traces, cancel)?;
    let [crossline, inline, offset] = [0, 1, 2].map(|i| extents[i].range.unwrap_or_default());
    let varies = |r: [f64; 2]| r[0] < r[1];
    if varies(crossline) && varies(inline) {
        about.geometry.grid = Some((extents[1].distinct.len(), extents[0].distinct.len()));
    }
    let mut fold = (varies(crossline) || varies(inline)).then(|| Fold::new([crossline, inline]));
    let mut offsets = varies(offset).then(|| (offset, vec![0; OFFSET_PARTS]));
    let mut count = |_: u64, values: &[Vec<f64>]| {
        let [x, y, offset] = values else { return };
        if let Some(fold) = &mut fold {
            x.iter().zip(y).for_each(|(&x, &y)| fold.add([x, y]));
        }
        if let Some((range, parts)) = &mut offsets {
            let place = |v: f64| (v - range[0]) / (range[1] - range[0]) * OFFSET_PARTS as f64;
            offset.iter().for_each(|&v| parts[(place(v) as usize).min(OFFSET_PARTS - 1)] += 1);
        }
    };
    source.every_trace(&columns, &mut count, on_traces, cancel)?;
    Ok(Whole { fold: fold.map(Fold::summed), offsets })
}

fn extents(
    source: &mut dyn Source,
    columns: &[&Column],
    on_traces: OnTraces,
    cancel: &CancelHandle,
) -> Result<Vec<Extent>> {
    let mut extents = vec![Extent::default(); columns.len()];
    let mut widen = |_: u64, values: &[Vec<f64>]| {
        for (extent, values) in extents.iter_mut().zip(values) {
            let known = extent.range.into_iter().flatten();
            extent.range = range(known.chain(values.iter().copied()));
            if extent.distinct.len() < MOST_LINES {
                extent.distinct.extend(values.iter().map(|&v| v as i64));
            }
        }
    };
    source.every_trace(columns, &mut widen, on_traces, cancel)?;
    Ok(extents)
}

impl Fold {
    fn new(ranges: [[f64; 2]; 2]) -> Self {
        let lines = ranges.map(|[low, high]| (high - low) as u64 + 1);
        let lines_per_cell = lines.map(|n| n.div_ceil(MOST_CELLS));
        let size = [0, 1].map(|i| lines[i].div_ceil(lines_per_cell[i]) as usize);
        let counts = vec![0; size[0] * size[1]];
        let names = ["crossline".into(), "inline".into()];
        Self { names, ranges, size, lines_per_cell, counts, most: 0, mean: 0.0 }
    }

    fn add(&mut self, place: [f64; 2]) {
        let [x, y] = [0, 1].map(|i| ((place[i] - self.ranges[i][0]) as u64 / self.lines_per_cell[i]) as usize);
        if let Some(count) = self.counts.get_mut(y * self.size[0] + x) {
            *count += 1;
        }
    }

    fn summed(mut self) -> Self {
        let used = self.counts.iter().filter(|&&n| n > 0);
        let (sum, n) = used.fold((0u64, 0u64), |(sum, n), &count| (sum + u64::from(count), n + 1));
        self.most = self.counts.iter().copied().max().unwrap_or(0);
        self.mean = sum as f64 / n.max(1) as f64;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trace_is_in_one_cell() {
        let mut fold = Fold::new([[1.0, 700.0], [10.0, 12.0]]);
        assert_eq!((fold.size, fold.lines_per_cell), ([234, 3], [3, 1]));
        for x in 1..=700 {
            [10.0, 12.0, 12.0].iter().for_each(|&y| fold.add([f64::from(x), y]));
        }
        let fold = fold.summed();
        assert_eq!(fold.counts.iter().sum::<u32>(), 2100);
        assert_eq!((fold.counts[0], fold.counts[234], fold.counts[468], fold.most), (3, 0, 6, 6));
    }
}

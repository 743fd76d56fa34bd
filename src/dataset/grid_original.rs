//! Rebuilding the samples of the original file from a grid, one column of bricks after another.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::dataset::PlacedGrid;
use crate::dataset::original::{Original, Sink, put_swapped};
use crate::dataset::trace_extents::Extents;
use crate::grid::places::Placed;
use crate::grid::{BLOCK_BYTES, Grid};

impl Original<'_> {
    /// Passes the samples of all traces of a unit to `sink`, and the number of completed traces to `on_traces`.
    ///
    /// Memory: the bricks of a column, 24 MiB of them at a time, one at least.
    pub(super) fn bricks_of_unit(
        &mut self,
        unit: usize,
        cancel: &CancelHandle,
        sink: &mut Sink,
        on_traces: &dyn Fn(u64),
    ) -> Result<()> {
        let sources = self.sources;
        let (mut part, mut ordinal) = (0, unit);
        while let Some(before) = sources.grids.get(part).and_then(|grid| ordinal.checked_sub(grid.places.units.len())) {
            (part, ordinal) = (part + 1, before);
        }
        let Some(PlacedGrid { grid, places }) = sources.grids.get(part) else { return Ok(()) };
        let Some(&unit) = places.units.get(ordinal) else { return Ok(()) };
        let of_file = &self.sources.file.traces;
        let brick_bytes = grid.brick.iter().product::<u64>() * grid.traces.dtype.size() as u64;
        let at_a_time = (BLOCK_BYTES / brick_bytes.max(1)).clamp(1, grid.n_deep());
        for column in places.cut.columns_of(&places.cut.index_of_unit(unit)) {
            let mut traces = places.traces_in(&places.cut.places_of(&column))?;
            traces.retain(|placed| of_file.contains(&placed.trace));
            if traces.is_empty() {
                continue;
            }
            for first in (0..grid.n_deep()).step_by(at_a_time as usize) {
                cancel.check()?;
                let deep = first..(first + at_a_time).min(grid.n_deep());
                let bricks = self.read_bricks(part, &column, &deep)?;
                self.samples_of(grid, &traces, &deep, &bricks, sink)?;
            }
            on_traces(traces.len() as u64);
        }
        Ok(())
    }

    /// Some bricks of a column, one after another.
    fn read_bricks(&mut self, part: usize, column: &[u64], deep: &Range<u64>) -> Result<Vec<u8>> {
        let mut bricks = Vec::new();
        if let Some(reader) = self.bricks.get_mut(part) {
            for depth in deep.clone() {
                let index: Vec<u64> = column.iter().copied().chain([depth]).collect();
                bricks.extend_from_slice(&reader.read(&index)?);
            }
        }
        Ok(bricks)
    }

    fn samples_of(
        &mut self,
        grid: &Grid,
        traces: &[Placed],
        deep: &Range<u64>,
        bricks: &[u8],
        sink: &mut Sink,
    ) -> Result<()> {
        let sources = self.sources;
        let (dataset, size) = (sources.dataset, grid.traces.dtype.size());
        let depth = grid.brick.last().copied().unwrap_or(1);
        let area = grid.brick.iter().rev().skip(1).product::<u64>() as usize;
        let samples = deep.start * depth..(deep.end * depth).min(grid.traces.n_samples);
        let (Some(first), Some(last)) = (traces.first(), traces.last()) else { return Ok(()) };
        let mut exceptions = sources.tables.exceptions.rows(&(first.trace..last.trace + 1))?;
        let mut known: Option<(Range<u64>, Extents)> = None;
        let mut row = Vec::new();
        for placed in traces {
            let trace = placed.trace;
            if known.as_ref().is_none_or(|(unit, _)| !unit.contains(&trace)) {
                let unit = sources.lengths.units_of(&(trace..trace + 1)).start;
                let extents = sources.lengths.of_unit(dataset, &sources.tables.headers, unit)?;
                known = Some((sources.lengths.units[unit].clone(), extents));
            }
            let Some((_, extents)) = &known else { continue };
            row.clear();
            let piece = depth as usize * size;
            for brick in 0..(deep.end - deep.start) as usize {
                let at = (brick * area + placed.place as usize) * piece;
                row.extend_from_slice(bricks.get(at..at + piece).unwrap_or_default());
            }
            let n = extents.n_samples(trace).min(samples.end).saturating_sub(samples.start) as usize;
            self.piece.clear();
            self.restoration.words.clear();
            exceptions.pass_to(trace, samples.start)?;
            self.restoration.append(trace, &samples, &row[..n * size], &mut exceptions, &mut self.piece)?;
            if let Some(conversion) = &self.conversion {
                conversion.samples(trace, samples.start, extents, &self.piece, &self.restoration.words, sink)?;
                continue;
            }
            let in_trace = dataset.header_bytes as u64 + samples.start * dataset.format.bytes as u64;
            let offset = extents.offset(trace) + in_trace;
            match (n, dataset.pairwise_swapped) {
                (0, _) => {}
                (_, true) => put_swapped(offset, &mut self.piece, sink)?,
                (_, false) => sink(offset, &self.piece)?,
            }
        }
        Ok(())
    }
}

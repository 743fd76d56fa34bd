//! Rebuilding the traces of the original file from a grid, one column of bricks after another.

use std::ops::Range;
use std::sync::Arc;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::dataset::original::{Original, PIECE_BYTES, Sink};
use crate::dataset::trace_extents::Extents;
use crate::dataset::{PlacedGrid, SampleWatch};
use crate::grid::places::Placed;
use crate::grid::{BLOCK_BYTES, Grid};
use crate::store::checksum::ChunkSums;

impl Original<'_> {
    /// Passes the samples of all traces of a unit to `sink`, with the headers if bricks give them, and the number of completed
    /// traces to `on_traces`.
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
        let (number, mut part, mut ordinal) = (unit, 0, unit);
        while let Some(before) = sources.grids.get(part).and_then(|grid| ordinal.checked_sub(grid.places.units.len())) {
            (part, ordinal) = (part + 1, before);
        }
        let Some(PlacedGrid { grid, places }) = sources.grids.get(part) else { return Ok(()) };
        let Some(&unit) = places.units.get(ordinal) else { return Ok(()) };
        let of_file = &self.sources.file.traces;
        let brick_bytes = grid.brick.iter().product::<u64>() * grid.traces.dtype.size() as u64;
        let at_a_time = (BLOCK_BYTES / brick_bytes.max(1)).clamp(1, grid.n_deep());
        let depth = grid.brick.last().copied().unwrap_or(1);
        let mut sums = ChunkSums::default();
        for column in places.cut.columns_of(&places.cut.index_of_unit(unit)) {
            let mut traces = places.traces_in(&places.cut.places_of(&column))?;
            if traces.is_empty() {
                continue;
            }
            let is_wanted = |trace: u64| self.crop.is_none_or(|crop| crop.traces.contains(trace));
            traces.retain(|placed| of_file.contains(&placed.trace) && is_wanted(placed.trace));
            if traces.is_empty() {
                self.pass_bricks(part, &column, &(0..grid.n_deep()), &mut sums)?;
                continue;
            }
            let mut with_headers = sources.bricks_give_headers;
            for first in (0..grid.n_deep()).step_by(at_a_time as usize) {
                cancel.check()?;
                let deep = first..(first + at_a_time).min(grid.n_deep());
                let samples = deep.start * depth..(deep.end * depth).min(grid.traces.n_samples);
                if self.crop.is_some_and(|crop| crop.samples.end <= samples.start || crop.samples.start >= samples.end)
                {
                    self.pass_bricks(part, &column, &deep, &mut sums)?;
                    continue;
                }
                let bricks = self.read_bricks(part, &column, &deep, &mut sums)?;
                self.samples_of(grid, &traces, (&deep, &bricks), with_headers, sink)?;
                with_headers = false;
            }
            on_traces(traces.len() as u64);
        }
        if let Some(watch) = &self.watch {
            watch.see_unit(number, sums);
        }
        Ok(())
    }

    /// Adds the checksums of bricks that are not wanted to `sums`, where whoever watches needs those of all.
    fn pass_bricks(&mut self, part: usize, column: &[u64], deep: &Range<u64>, sums: &mut ChunkSums) -> Result<()> {
        let Some(reader) = self.bricks.get_mut(part) else { return Ok(()) };
        if self.watch.as_ref().is_some_and(SampleWatch::sees_all) {
            for depth in deep.clone() {
                let index: Vec<u64> = column.iter().copied().chain([depth]).collect();
                sums.push(reader.checksum(&index)?);
            }
        }
        Ok(())
    }

    /// Some bricks of a column, one after another; their checksums are added to `sums`.
    fn read_bricks(&mut self, part: usize, column: &[u64], deep: &Range<u64>, sums: &mut ChunkSums) -> Result<Vec<u8>> {
        let mut bricks = Vec::new();
        if let Some(reader) = self.bricks.get_mut(part) {
            for depth in deep.clone() {
                let index: Vec<u64> = column.iter().copied().chain([depth]).collect();
                bricks.extend_from_slice(&reader.read(&index)?);
                sums.push(reader.crc);
            }
        }
        Ok(bricks)
    }

    /// Passes on the samples of some bricks, and the headers of their traces if `with_headers`.
    fn samples_of(
        &mut self,
        grid: &Grid,
        traces: &[Placed],
        (deep, bricks): (&Range<u64>, &[u8]),
        with_headers: bool,
        sink: &mut Sink,
    ) -> Result<()> {
        let sources = self.sources;
        let (dataset, size) = (sources.dataset, grid.traces.dtype.size());
        let depth = grid.brick.last().copied().unwrap_or(1);
        let area = grid.brick.iter().rev().skip(1).product::<u64>() as usize;
        let samples = deep.start * depth..(deep.end * depth).min(grid.traces.n_samples);
        let (Some(first), Some(last)) = (traces.first(), traces.last()) else { return Ok(()) };
        let mut exceptions = sources.tables.exceptions.rows(&(first.trace..last.trace + 1))?;
        let mut known: Option<(Range<u64>, Extents, Arc<Vec<u8>>)> = None;
        let mut row = Vec::new();
        let mut joined = Joined::new(sink);
        for placed in traces {
            let trace = placed.trace;
            if known.as_ref().is_none_or(|(unit, ..)| !unit.contains(&trace)) {
                let unit = sources.lengths.units_of(&(trace..trace + 1)).start;
                let headers = match with_headers {
                    true => self.header_cache.of_unit(unit, sources)?,
                    false => Arc::default(),
                };
                known = Some((sources.traces_of(unit), sources.extents_of(unit)?, headers));
            }
            let Some((unit, extents, headers)) = &known else { continue };
            row.clear();
            let piece = depth as usize * size;
            for brick in 0..(deep.end - deep.start) as usize {
                let at = (brick * area + placed.place as usize) * piece;
                row.extend_from_slice(bricks.get(at..at + piece).unwrap_or_default());
            }
            let n = extents.n_samples(trace).min(samples.end).saturating_sub(samples.start) as usize;
            exceptions.pass_to(trace, samples.start)?;
            let mut put = |offset: u64, bytes: &[u8]| joined.put(offset, bytes);
            if with_headers {
                let of_trace = headers.chunks(dataset.header_bytes).nth((trace - unit.start) as usize);
                self.headers.clear();
                self.headers.extend_from_slice(of_trace.unwrap_or_default());
                self.put_header(trace, extents, &mut put)?;
            }
            self.put_samples(trace, &samples, &row[..n * size], extents, &mut exceptions, &mut put)?;
        }
        joined.finish()
    }
}

/// Joins pieces that follow each other in the file.
struct Joined<'a, 's> {
    sink: &'a mut Sink<'s>,
    offset: u64,
    bytes: Vec<u8>,
}

impl<'a, 's> Joined<'a, 's> {
    fn new(sink: &'a mut Sink<'s>) -> Self {
        Self { sink, offset: 0, bytes: Vec::new() }
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let n = self.bytes.len();
        if offset != self.offset + n as u64 || n + bytes.len() > PIECE_BYTES {
            self.pass_on()?;
            self.offset = offset;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn pass_on(&mut self) -> Result<()> {
        let passed = if self.bytes.is_empty() { Ok(()) } else { (self.sink)(self.offset, &self.bytes) };
        self.bytes.clear();
        passed
    }

    fn finish(mut self) -> Result<()> {
        self.pass_on()
    }
}

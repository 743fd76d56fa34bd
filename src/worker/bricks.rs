//! Converting a segment's share of a grid: one column of bricks after another, each with the headers of its traces.
//!
//! A column's traces are read in file order, as runs of neighbouring traces; for a sorted file these are whole lines of
//! bricks. Those of an unsorted one may have been spilled to buckets, which are read instead. Rows of the header table
//! are written as far as the columns have come. Memory: as many bricks along the samples as make 24 MiB, at least one;
//! longer traces are read again for the next ones, from the cache.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::exceptions::SegmentExceptions;
use crate::grid::bricks::Cut;
use crate::grid::header_record::HeaderRecord;
use crate::grid::places::Placed;
use crate::grid::{BLOCK_BYTES, Grid};
use crate::plan::Plan;
use crate::segy::Dtype;
use crate::segy::samples::moments::Moments;
use crate::segy::samples::restore::RoundTrip;
use crate::staging::{GridFiles, SegmentPaths, SegmentRecord};
use crate::store::Place;
use crate::store::checksum::ChunkSums;
use crate::worker::rows::Rows;
use crate::worker::sample_conversion::SampleConversion;
use crate::worker::trace_source::TraceSource;
use crate::zarr::{BrickEncoder, BrickStore};

/// Rows taken between two checks for cancelling.
const ROWS_AT_A_TIME: u64 = 65_536;

/// Converts segment `id`: the headers of its rows, and its share of the bricks.
pub(super) fn convert(
    plan: &Plan,
    grid: &Grid,
    paths: &SegmentPaths,
    staging: &Place,
    id: u32,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<SegmentRecord> {
    let segment = super::segment(plan, id)?;
    let range = plan.rows_of(segment);
    let n_rows = range.end - range.start;
    let mut samples = SampleConversion::new(plan.layout(), &grid.traces)?;
    let converter = samples.converter.clone();
    let places = Some(GridFiles::open(grid, staging)?);
    let mut rows = Rows::new(plan, paths, range.clone(), range.end, converter, places)?.of_grid(paths, staging)?;
    let mut next_row = range.start;
    let mut take_rows = |end: u64| -> Result<()> {
        while next_row < end {
            let part = next_row..end.min(next_row + ROWS_AT_A_TIME);
            rows.take(part.clone(), cancel)?;
            next_row = part.end;
        }
        Ok(())
    };

    let layout = plan.layout();
    let round_trip = RoundTrip::new(layout.format(), layout.sample_byte_order(), grid.traces.dtype);
    let mut exceptions =
        SegmentExceptions::new(&paths.exceptions, round_trip.filter(|_| grid.traces.precision.is_none()));
    let (mut chunks, mut records, mut stored_bytes) = (ChunkSums::default(), ChunkSums::default(), 0);
    let n_traces = segment.end_trace - segment.start_trace;
    let own = plan.units_of(segment);
    let (mut done, mut moments) = (0, Moments::default());
    for (part, units) in grid.with_units(&own) {
        let mut columns = Columns::new(plan, &part, paths, staging, samples, exceptions)?;
        for (ordinal, unit) in units.clone().zip(columns.files.units(&units)?) {
            // In a sorted file these are nearly the traces of the unit: whichever is read first puts both in the cache.
            take_rows(columns.end_trace(unit)?.min(range.end))?;
            columns.source.turn_to(&part, ordinal, &columns.cut.index_of_unit(unit), cancel)?;
            columns.convert_unit(unit, cancel)?;
            done += 1;
            on_progress((u128::from(n_traces) * done / u128::from(own.end - own.start)) as u64);
        }
        let (of_bricks, brick_bytes) = columns.bricks.finish()?;
        let (of_headers, header_bytes) = columns.headers.finish()?;
        (chunks, records) = (chunks.followed_by(of_bricks), records.followed_by(of_headers));
        stored_bytes += brick_bytes + header_bytes;
        moments.merge(&columns.moments);
        (samples, exceptions) = (columns.samples, columns.exceptions);
    }
    take_rows(range.end)?;
    let (n_runs, headers) = rows.finish()?;
    Ok(SegmentRecord {
        segment: id,
        n_traces,
        n_rows,
        n_runs,
        n_exceptions: exceptions.finish()?,
        chunks,
        records,
        moments,
        stored_bytes,
        headers,
        samples: samples.statistics,
        rounding: samples.converter.rounding,
        boot_id: None,
    })
}

struct Columns<'a> {
    plan: &'a Plan,
    grid: &'a Grid,
    cut: Cut,
    files: GridFiles<'a>,
    source: TraceSource<'a>,
    samples: SampleConversion,
    /// Of the samples, unless they lie aside.
    moments: Moments,
    exceptions: SegmentExceptions,
    encoder: BrickEncoder,
    bricks: BrickStore,
    record: HeaderRecord,
    header_encoder: BrickEncoder,
    headers: BrickStore,
    /// Bricks along the samples that are filled at a time.
    n_at_a_time: u64,
    /// What a hole is filled with: a page of it.
    hole: Vec<u8>,
    /// The bricks being filled, one after another.
    filled: Vec<u8>,
    /// One trace's samples of these bricks, with holes after the last sample.
    row: Vec<u8>,
}

impl<'a> Columns<'a> {
    fn new(
        plan: &'a Plan,
        grid: &'a Grid,
        paths: &SegmentPaths,
        staging: &Place,
        samples: SampleConversion,
        exceptions: SegmentExceptions,
    ) -> Result<Self> {
        let (array, dtype) = (grid.array(), grid.traces.dtype);
        let cut = Cut::new(grid);
        let record = HeaderRecord::new(grid, plan.layout().byte_order);
        let headers = record.array(grid);
        let n_in_headers = headers.chunk_shape().iter().product::<u64>() as usize;
        let brick_bytes = grid.brick.iter().product::<u64>() * dtype.size() as u64;
        let is_durable = plan.merge.sync;
        Ok(Self {
            plan,
            grid,
            files: GridFiles::open(grid, staging)?,
            source: TraceSource::new(plan, staging, !grid.aside_of.is_empty())?,
            samples,
            moments: Moments::default(),
            exceptions,
            encoder: BrickEncoder::new(&array),
            bricks: BrickStore::new(&paths.array(&grid.variable), array, is_durable),
            header_encoder: BrickEncoder::of_records(record.bytes(), n_in_headers)?,
            headers: BrickStore::new(&paths.array(&grid.path_of(HeaderRecord::ARRAY)), headers, is_durable),
            record,
            n_at_a_time: (BLOCK_BYTES / brick_bytes.max(1)).clamp(1, grid.n_deep()),
            hole: hole(dtype),
            filled: Vec::new(),
            row: Vec::new(),
            cut,
        })
    }

    /// One past the last trace of a unit.
    fn end_trace(&self, unit: u64) -> Result<u64> {
        let mut end = 0;
        for column in self.cut.columns_of(&self.cut.index_of_unit(unit)) {
            let traces = self.files.traces_in(&self.cut, &self.cut.places_of(&column))?;
            end = traces.last().map_or(end, |last| end.max(last.trace + 1));
        }
        Ok(end)
    }

    /// Converts all columns of bricks of a unit.
    fn convert_unit(&mut self, unit: u64, cancel: &CancelHandle) -> Result<()> {
        let index = self.cut.index_of_unit(unit);
        self.encoder.begin_unit();
        self.header_encoder.begin_unit();
        let mut records = vec![0; self.cut.unit.iter().product::<u64>() as usize * self.record.bytes()];
        for column in self.cut.columns_of(&index) {
            let region = self.cut.places_of(&column);
            let traces = self.files.traces_in(&self.cut, &region)?;
            if traces.is_empty() {
                continue;
            }
            // Where the column begins in its unit.
            let corner: Vec<u64> = region
                .iter()
                .zip(&index)
                .zip(&self.cut.unit)
                .map(|((range, i), unit)| range.start - i * unit)
                .collect();
            let n_deep = self.grid.n_deep();
            for first in (0..n_deep).step_by(self.n_at_a_time as usize) {
                let deep = first..(first + self.n_at_a_time).min(n_deep);
                let mut out = (first == 0).then_some(Records { bytes: &mut records, corner: &corner });
                self.fill(&traces, &deep, &mut out, cancel)?;
                self.store(&column, &deep)?;
            }
        }
        self.bricks.end_unit()?;
        let (encoder, records) = (&mut self.header_encoder, &records);
        self.headers.put(&index, |store| encoder.encode(records, store))
    }

    /// Fills some bricks of a column, and the records of its traces.
    fn fill(
        &mut self,
        traces: &[Placed],
        deep: &Range<u64>,
        records: &mut Option<Records>,
        cancel: &CancelHandle,
    ) -> Result<()> {
        let size = self.grid.traces.dtype.size();
        let depth = self.grid.brick.last().copied().unwrap_or(1);
        let area = self.grid.brick.iter().rev().skip(1).product::<u64>() as usize;
        let row_bytes = ((deep.end - deep.start) * depth) as usize * size;
        self.filled.resize(area * row_bytes, 0);
        if traces.len() < area {
            fill_with(&self.hole, &mut self.filled);
        }
        self.row.resize(row_bytes, 0);
        fill_with(&self.hole, &mut self.row);
        let samples = deep.start * depth..(deep.end * depth).min(self.grid.traces.n_samples);
        let mut next = 0;
        while next < traces.len() {
            cancel.check()?;
            next += self.fill_from(&traces[next..], &samples, records)?;
        }
        Ok(())
    }

    /// Takes the first of these traces, as many as are read in one go. Returns how many.
    fn fill_from(&mut self, traces: &[Placed], samples: &Range<u64>, records: &mut Option<Records>) -> Result<usize> {
        let layout = self.plan.layout();
        let (format_bytes, size) = (layout.format().bytes, self.grid.traces.dtype.size());
        let window = self.source.read(traces)?;
        let depth = self.grid.brick.last().copied().unwrap_or(1) as usize * size;
        let area = self.grid.brick.iter().rev().skip(1).product::<u64>() as usize;
        // A shorter trace may end before or among these samples.
        let end = samples.end.min(window.n_samples.into());
        let (start, n_there) = (samples.start.min(end) as usize, end.saturating_sub(samples.start) as usize);
        let row_bytes = (samples.end - samples.start) as usize * size;
        for (placed, trace) in traces.iter().zip(window.bytes.chunks(window.stride)) {
            if let Some(records) = records {
                records.put(&self.cut, placed.place, &self.record, trace);
            }
            let raw = &trace[window.samples.clone()][start * format_bytes..][..n_there * format_bytes];
            let (row, padding) = self.row[..row_bytes].split_at_mut(n_there * size);
            padding.fill(0);
            let seen = self.samples.convert(raw, row);
            match seen.range {
                _ if !self.grid.aside_of.is_empty() => {}
                Some(range) => self.moments.add_finite(row, range),
                None => self.moments.add(self.grid.traces.dtype, row),
            }
            if !seen.is_plain {
                self.exceptions.check(placed.trace, samples.start, raw, row)?;
            }
            for (brick, piece) in self.row.chunks(depth).enumerate() {
                let at = (brick * area + placed.place as usize) * depth;
                self.filled[at..at + piece.len()].copy_from_slice(piece);
            }
        }
        Ok(window.n_traces)
    }

    /// Encodes and stores the bricks that were filled.
    fn store(&mut self, column: &[u64], deep: &Range<u64>) -> Result<()> {
        let brick_bytes = self.grid.brick.iter().product::<u64>() as usize * self.grid.traces.dtype.size();
        for (depth, brick) in deep.clone().zip(self.filled.chunks(brick_bytes)) {
            let index: Vec<u64> = column.iter().copied().chain([depth]).collect();
            let encoder = &mut self.encoder;
            self.bricks.put(&index, |store| encoder.encode(brick, store))?;
        }
        Ok(())
    }
}

/// The records of a unit while they are filled in.
struct Records<'r> {
    bytes: &'r mut [u8],
    /// Where the current column begins in the unit.
    corner: &'r [u64],
}

impl Records<'_> {
    /// Puts the record of a trace at a place of its column.
    fn put(&mut self, cut: &Cut, place: u64, record: &HeaderRecord, header: &[u8]) {
        let (mut left, mut at, mut side) = (place, 0, 1);
        for ((brick, unit), corner) in cut.brick.iter().zip(&cut.unit).zip(self.corner).rev() {
            at += (corner + left % brick) * side;
            left /= brick;
            side *= unit;
        }
        let n = record.bytes();
        if let Some(out) = self.bytes.get_mut(at as usize * n..(at as usize + 1) * n) {
            record.pack(header, out);
        }
    }
}

/// A page of holes: NaN, or zero for integers.
fn hole(dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::Float32 => f32::NAN.to_le_bytes().repeat(1024),
        Dtype::Float64 => f64::NAN.to_le_bytes().repeat(512),
        _ => vec![0; 4096],
    }
}

fn fill_with(page: &[u8], out: &mut [u8]) {
    out.chunks_mut(page.len()).for_each(|out| out.copy_from_slice(&page[..out.len()]));
}

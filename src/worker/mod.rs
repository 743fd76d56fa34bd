//! Converting one segment: samples to chunks, headers to row groups, gather keys to runs.

mod bricks;
pub(crate) mod flags;
mod long_traces;
mod probed_rows;
mod rows;
mod sample_conversion;
mod trace_source;

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::exceptions::SegmentExceptions;
use crate::input::traces::Stretch;
use crate::plan::Plan;
use crate::plan::partition::Segment;
use crate::segy::samples::moments::Moments;
use crate::segy::samples::restore::RoundTrip;
use crate::staging::attempt::{self, Attempt};
use crate::staging::{SegmentPaths, SegmentRecord};
use crate::store::Place;
use crate::store::checksum::ChunkSums;
use crate::worker::rows::Rows;
use crate::zarr::{ArrayPlan, ChunkEncoder, SampleSumWriter, SegmentStore};
use long_traces::{Parts, Takers};
use sample_conversion::SampleConversion;

/// Converts segment `id` of the plan into its place in `staging`, without syncing it. `on_progress` gets the number of
/// traces done so far.
///
/// # Errors
/// `Error::Input` for a trace that contradicts the plan, `Error::Failed` if writing fails, `Error::Cancelled` when
/// asked to stop; the segment is then not done and will be converted again.
pub fn convert_segment(
    plan: &Plan,
    staging: &Place,
    id: u32,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<SegmentRecord> {
    attempt::open(staging)?;
    let mut attempt = Attempt::begin(staging, id)?;
    let mut record = convert(plan, &mut attempt, cancel, on_progress)?;
    record.boot_id = if staging.is_remote() { None } else { attempt::boot_id() };
    attempt.complete(record, false, &|record| record.fits(plan), cancel).map(|(record, _)| record)
}

/// Converts the segment of an attempt; see [`convert_segment`].
pub(crate) fn convert(
    plan: &Plan,
    attempt: &mut Attempt,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<SegmentRecord> {
    let (paths, id) = (attempt.paths(), attempt.segment);
    let staging = attempt.staging().clone();
    let mut report = |n_traces| {
        attempt.report(n_traces);
        on_progress(n_traces);
    };
    if let Some(grid) = plan.target.grid() {
        return bricks::convert(plan, grid, &paths, &staging, id, cancel, &mut report);
    }
    let mut conversion = Conversion::new(plan, &paths, id)?;
    conversion.run(cancel, &mut report)?;
    conversion.finish(id)
}

struct Conversion<'a> {
    plan: &'a Plan,
    array: &'a ArrayPlan,
    /// Traces whose samples this segment writes.
    traces: Range<u64>,
    rows: Rows<'a>,
    samples: SampleConversion,
    encoder: ChunkEncoder,
    store: SegmentStore,
    sample_sums: SampleSumWriter,
    exceptions: SegmentExceptions,
    stored_bytes: u64,
    window: Vec<u8>,
    /// Where the segment's array is.
    directory: Place,
    /// Converts traces that are cut along the samples; created when first needed.
    parts: Option<Parts<'a>>,
    /// For each trace of the current window: whether all its samples are zero.
    is_zero: Vec<bool>,
}

impl<'a> Conversion<'a> {
    fn new(plan: &'a Plan, paths: &SegmentPaths, id: u32) -> Result<Self> {
        let (layout, array) = (plan.layout(), plan.traces());
        let segment = segment(plan, id)?;
        let (traces, rows) = (plan.traces_of(segment), plan.rows_of(segment));
        let end = traces.end.max(rows.end);
        let samples = SampleConversion::new(layout, array)?;
        Ok(Self {
            plan,
            array,
            store: SegmentStore::create(&paths.array(&array.name), array, plan.merge.sync)?,
            sample_sums: SampleSumWriter::new(&paths.sample_sums),
            exceptions: SegmentExceptions::new(
                &paths.exceptions,
                RoundTrip::new(layout.format(), layout.sample_byte_order(), array.dtype)
                    .filter(|_| array.precision.is_none()),
            ),
            traces,
            rows: Rows::new(plan, paths, rows, end, samples.converter.clone(), None)?,
            samples,
            encoder: ChunkEncoder::new(array),
            stored_bytes: 0,
            window: Vec::new(),
            directory: paths.array(&plan.traces().name),
            parts: None,
            is_zero: Vec::new(),
        })
    }

    /// Converts the segment, one chunk along the trace axis after another.
    fn run(&mut self, cancel: &CancelHandle, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut done = 0;
        for trace_chunk in self.trace_chunks() {
            let traces = self.array.traces_of_chunk(trace_chunk);
            let headers = intersection(&traces, &self.rows.range);
            if !self.traces.contains(&traces.start) {
                let n = headers.end - headers.start;
                self.rows.take(headers, cancel)?;
                if self.plan.headers_only {
                    done += n;
                    on_progress(done);
                }
            } else if self.array.n_sample_chunks() == 1 {
                done = self.convert_whole_traces(trace_chunk, &headers, done, cancel, on_progress)?;
            } else {
                self.rows.take(headers, cancel)?;
                done = self.convert_parts(trace_chunk, done, cancel, on_progress)?;
            }
        }
        Ok(())
    }

    /// The chunks along the trace axis that hold traces or rows of this segment.
    fn trace_chunks(&self) -> Range<u64> {
        let parts = [&self.traces, &self.rows.range].into_iter().filter(|r| !r.is_empty());
        let start = parts.clone().map(|r| r.start).min().unwrap_or(0);
        let end = parts.map(|r| r.end).max().unwrap_or(0);
        start / self.array.chunk_traces..end.div_ceil(self.array.chunk_traces)
    }

    /// Converts a chunk that spans all samples: headers and samples in one pass.
    fn convert_whole_traces(
        &mut self,
        trace_chunk: u64,
        headers: &Range<u64>,
        mut done: u64,
        cancel: &CancelHandle,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let traces = self.array.traces_of_chunk(trace_chunk);
        let (dtype, row) = (self.array.dtype, self.array.chunk_samples as usize * self.array.dtype.size());
        let mut next = traces.start;
        self.store.begin(0, trace_chunk)?;
        while let Some(window) = self.rows.next_window(next, traces.end)? {
            cancel.check()?;
            let (offset, n, stride) = (window.offset, window.n_traces, window.stride);
            let mut buffer = std::mem::take(&mut self.window);
            let bytes = window.file.bytes(offset, n * stride, &mut buffer)?;
            let n_values = window.n_samples as usize * dtype.size();
            self.is_zero.clear();
            let rows = self.encoder.room(n * row).chunks_mut(row);
            for ((index, trace), out) in (next..).zip(bytes.chunks(stride)).zip(rows) {
                let samples = &trace[window.samples.clone()];
                // Shorter traces are padded.
                let (out, padding) = out.split_at_mut(n_values);
                padding.fill(0);
                let seen = self.samples.convert(samples, out);
                if !seen.is_plain {
                    self.exceptions.check(index, 0, samples, out)?;
                }
                self.is_zero.push(seen.is_zero);
            }
            let rows = intersection(&window.traces(), headers);
            if !rows.is_empty() {
                self.rows.finder.of_window(&window, bytes, &self.is_zero, &mut self.rows.flags)?;
                self.rows.push(bytes, stride, &window, &rows)?;
            }
            self.encoder.advance(&mut |encoded| self.store.append(encoded))?;
            window.file.release(offset, n * stride);
            self.window = buffer;
            next += n as u64;
            done += n as u64;
            on_progress(done);
        }
        self.end_chunk()?;
        Ok(done)
    }

    /// Converts chunks of long traces, which are cut along the samples.
    fn convert_parts(
        &mut self,
        trace_chunk: u64,
        done: u64,
        cancel: &CancelHandle,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let traces = self.array.traces_of_chunk(trace_chunk);
        let n_traces = traces.end - traces.start;
        let places: Vec<Stretch> = traces.map(|t| self.rows.inputs.stretch(t, 1)).collect::<Result<_>>()?;
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(Parts::new(self.plan, &self.directory)?),
        };
        let n_parts = self.array.n_sample_chunks();
        let mut on_part = |part| on_progress(done + n_traces * part / n_parts);
        let takers =
            Takers { store: &mut self.store, sample_sums: &mut self.sample_sums, exceptions: &mut self.exceptions };
        let outcome = parts.convert(trace_chunk, &places, takers, cancel, &mut on_part)?;
        self.samples.statistics.merge(&outcome.samples);
        self.samples.converter.rounding.merge(&outcome.rounding);
        self.stored_bytes += outcome.stored_bytes;
        Ok(done + n_traces)
    }

    fn end_chunk(&mut self) -> Result<()> {
        let crc = self.encoder.finish(&mut |encoded| self.store.append(encoded))?;
        self.stored_bytes += self.store.end()?;
        self.sample_sums.push(crc)
    }

    fn finish(self, id: u32) -> Result<SegmentRecord> {
        let length = |traces: &Range<u64>| traces.end - traces.start;
        self.parts.map_or(Ok(()), Parts::finish)?;
        self.sample_sums.finish()?;
        let n_rows = length(&self.rows.range);
        let (n_runs, headers) = self.rows.finish()?;
        Ok(SegmentRecord {
            chunks: self.store.finish()?,
            records: ChunkSums::default(),
            moments: Moments::default(),
            segment: id,
            n_traces: if self.plan.headers_only { n_rows } else { length(&self.traces) },
            n_rows,
            n_runs,
            n_exceptions: self.exceptions.finish()?,
            stored_bytes: self.stored_bytes,
            headers,
            samples: self.samples.statistics,
            rounding: self.samples.converter.rounding,
            boot_id: None,
        })
    }
}

fn segment(plan: &Plan, id: u32) -> Result<&Segment> {
    let missing = || Error::Usage(format!("segment {id} is not in the plan, which has {}", plan.segments.len()));
    plan.segments.get(id as usize).ok_or_else(missing)
}

fn intersection(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

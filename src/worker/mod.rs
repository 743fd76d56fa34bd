//! Converting one segment: samples to chunks, headers to row groups, gather keys to runs.

pub mod flags;
mod long_traces;
mod sample_conversion;

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::exceptions::SegmentExceptions;
use crate::gather::runs::RunWriter;
use crate::input::traces::{Inputs, Stretch};
use crate::plan::Plan;
use crate::segy::samples::restore::RoundTrip;
use crate::segy::{Access, Layout, odd_trace, second_header};
use crate::staging::attempt::{self, Attempt};
use crate::staging::{SegmentPaths, SegmentRecord};
use crate::store::Place;
use crate::table::{Mark, SegmentWriter};
use crate::worker::flags::FlagFinder;
use crate::zarr::{ArrayPlan, ChunkEncoder, SegmentStore};
use long_traces::Parts;
use sample_conversion::SampleConversion;

/// Bytes of input processed at a time: they stay in the L2 cache between the passes.
const WINDOW_BYTES: usize = 512 << 10;

/// Headers farther apart than this are read one by one if the samples between them are not needed.
const SPARSE_STRIDE_BYTES: usize = 8 << 10;

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
    attempt.complete(record, false, cancel).map(|(record, _)| record)
}

/// Converts the segment of an attempt; see [`convert_segment`].
pub fn convert(
    plan: &Plan,
    attempt: &mut Attempt,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<SegmentRecord> {
    let mut conversion = Conversion::new(plan, &attempt.paths(), attempt.segment)?;
    let mut report = |n_traces| {
        attempt.report(n_traces);
        on_progress(n_traces);
    };
    conversion.run(cancel, &mut report)?;
    conversion.finish(attempt.segment)
}

struct Conversion<'a> {
    plan: &'a Plan,
    inputs: Inputs<'a>,
    /// The layout of the first file; in others the offsets and lengths of traces differ.
    layout: &'a Layout,
    array: &'a ArrayPlan,
    /// Traces whose samples this segment writes.
    traces: Range<u64>,
    /// Traces whose headers this segment writes.
    rows: Range<u64>,
    samples: SampleConversion,
    encoder: ChunkEncoder,
    store: SegmentStore,
    headers: SegmentWriter,
    runs: RunWriter,
    exceptions: SegmentExceptions,
    stored_bytes: u64,
    window: Vec<u8>,
    /// Where the segment's array is.
    directory: Place,
    /// Converts traces that are cut along the samples; created when first needed.
    parts: Option<Parts<'a>>,
    /// For each trace of the current window: whether all its samples are zero.
    is_zero: Vec<bool>,
    finder: FlagFinder<'a>,
    flags: Vec<u8>,
}

impl<'a> Conversion<'a> {
    fn new(plan: &'a Plan, paths: &SegmentPaths, id: u32) -> Result<Self> {
        let (layout, array) = (plan.layout(), plan.traces());
        let segment = plan.segments.get(id as usize).ok_or_else(|| {
            Error::Usage(format!("segment {id} is not in the plan, which has {}", plan.segments.len()))
        })?;
        let (traces, rows) = (plan.traces_of(segment), plan.rows_of(segment));
        let end = traces.end.max(rows.end);
        let dense_headers = plan.headers_only && layout.stride() <= SPARSE_STRIDE_BYTES;
        let access = if dense_headers { Access::DenseHeaders } else { Access::Traces };
        let inputs = |access| Inputs::new(&plan.files, plan.io, access).up_to(end);
        let samples = SampleConversion::new(layout, array.dtype)?;
        Ok(Self {
            plan,
            inputs: inputs(access),
            layout,
            array,
            store: SegmentStore::create(&paths.traces, array, plan.merge.sync)?,
            headers: SegmentWriter::create(&paths.headers, &plan.headers, rows.start)?,
            runs: RunWriter::create(&paths.runs, &plan.gather_keys, layout.byte_order)?,
            exceptions: SegmentExceptions::new(
                &paths.exceptions,
                RoundTrip::new(layout.format(), layout.sample_byte_order(), array.dtype),
            ),
            traces,
            rows,
            // It reads at other offsets than the conversion does meanwhile.
            finder: FlagFinder::new(inputs(Access::Traces), layout, samples.converter.clone(), array.dtype),
            samples,
            encoder: ChunkEncoder::new(array),
            stored_bytes: 0,
            window: Vec::new(),
            directory: paths.traces.clone(),
            parts: None,
            is_zero: Vec::new(),
            flags: Vec::new(),
        })
    }

    /// Converts the segment, one chunk along the trace axis after another.
    fn run(&mut self, cancel: &CancelHandle, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut done = 0;
        for trace_chunk in self.trace_chunks() {
            let traces = self.array.traces_of_chunk(trace_chunk);
            let headers = intersection(&traces, &self.rows);
            if !self.traces.contains(&traces.start) {
                let n = headers.end - headers.start;
                self.take_headers(headers, cancel)?;
                if self.plan.headers_only {
                    done += n;
                    on_progress(done);
                }
            } else if self.array.n_sample_chunks() == 1 {
                done = self.convert_whole_traces(trace_chunk, &headers, done, cancel, on_progress)?;
            } else {
                self.take_headers(headers, cancel)?;
                done = self.convert_parts(trace_chunk, done, cancel, on_progress)?;
            }
        }
        Ok(())
    }

    /// The chunks along the trace axis that hold traces or rows of this segment.
    fn trace_chunks(&self) -> Range<u64> {
        let parts = [&self.traces, &self.rows].into_iter().filter(|r| !r.is_empty());
        let start = parts.clone().map(|r| r.start).min().unwrap_or(0);
        let end = parts.map(|r| r.end).max().unwrap_or(0);
        start / self.array.chunk_traces..end.div_ceil(self.array.chunk_traces)
    }

    /// The next whole traces to process, from `start` on: of one file and one length, few enough to stay in the cache.
    fn next_window(&mut self, start: u64, end: u64) -> Result<Option<Stretch>> {
        if start >= end {
            return Ok(None);
        }
        let step = (WINDOW_BYTES / self.layout.stride()).max(1);
        self.inputs.stretch(start, step.min((end - start) as usize)).map(Some)
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
        let header_bytes = self.layout.header_bytes();
        let (dtype, row) = (self.array.dtype, self.array.chunk_samples as usize * self.array.dtype.size());
        let mut next = traces.start;
        self.store.begin(0, trace_chunk)?;
        while let Some(window) = self.next_window(next, traces.end)? {
            cancel.check()?;
            let (offset, n, stride) = (window.offset, window.n_traces, window.stride);
            let mut buffer = std::mem::take(&mut self.window);
            let bytes = window.file.bytes(offset, n * stride, &mut buffer)?;
            let n_values = window.n_samples as usize * dtype.size();
            self.is_zero.clear();
            let rows = self.encoder.room(n * row).chunks_mut(row);
            for ((index, trace), out) in (next..).zip(bytes.chunks(stride)).zip(rows) {
                let samples = &trace[header_bytes..];
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
                self.finder.of_window(&window, bytes, &self.is_zero, &mut self.flags)?;
                self.push_headers(bytes, stride, &window, &rows)?;
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
        let places: Vec<Stretch> = traces.map(|t| self.inputs.stretch(t, 1)).collect::<Result<_>>()?;
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(Parts::new(self.plan, &self.directory)?),
        };
        let n_parts = self.array.n_sample_chunks();
        let mut on_part = |part| on_progress(done + n_traces * part / n_parts);
        let (store, exceptions) = (&mut self.store, &mut self.exceptions);
        let outcome = parts.convert(trace_chunk, &places, store, exceptions, cancel, &mut on_part)?;
        self.samples.statistics.merge(&outcome.samples);
        self.stored_bytes += outcome.stored_bytes;
        Ok(done + n_traces)
    }

    fn end_chunk(&mut self) -> Result<()> {
        self.encoder.finish(&mut |encoded| self.store.append(encoded))?;
        self.stored_bytes += self.store.end()?;
        Ok(())
    }

    /// Handles headers of traces whose samples another segment writes, or which are read separately from the samples.
    fn take_headers(&mut self, headers: Range<u64>, cancel: &CancelHandle) -> Result<()> {
        let header_bytes = self.layout.header_bytes();
        let mut next = headers.start;
        while let Some(window) = self.next_window(next, headers.end)? {
            cancel.check()?;
            let (offset, n) = (window.offset, window.n_traces);
            let mut buffer = std::mem::take(&mut self.window);
            let flags_are_wanted = self.plan.headers.sample_flags;
            self.flags.clear();
            if !flags_are_wanted {
                self.flags.resize(n, 0);
            }
            if window.stride <= SPARSE_STRIDE_BYTES {
                // After the last header, bytes are needed only for the flags.
                let length = if flags_are_wanted { n * window.stride } else { (n - 1) * window.stride + header_bytes };
                let bytes = window.file.bytes(offset, length, &mut buffer)?;
                if flags_are_wanted {
                    self.finder.of_read_window(&window, bytes, &mut self.flags)?;
                }
                self.push_headers(bytes, window.stride, &window, &window.traces())?;
                window.file.release(offset, length);
            } else {
                for trace in window.traces().filter(|_| flags_are_wanted) {
                    self.flags.push(self.finder.of_trace(trace)?);
                }
                window.file.records(offset, window.stride, header_bytes, n, &mut buffer)?;
                self.push_headers(&buffer, header_bytes, &window, &window.traces())?;
            }
            self.window = buffer;
            next += n as u64;
        }
        Ok(())
    }

    /// Passes the headers of `traces` to the table, the runs and the check. `bytes` starts with the header of the first
    /// trace of the window; a header follows every `stride` bytes. `self.flags` starts with that trace too.
    fn push_headers(&mut self, bytes: &[u8], stride: usize, window: &Stretch, traces: &Range<u64>) -> Result<()> {
        if traces.is_empty() {
            return Ok(());
        }
        let n = (traces.end - traces.start) as usize;
        let skipped = (traces.start - window.first_trace) as usize;
        let bytes = &bytes[skipped * stride..];
        self.check_lengths(bytes, stride, window, traces)?;
        if window.begins_file && skipped == 0 {
            self.runs.begin_file();
        }
        let mark = Mark { file_index: window.file_index, n_samples: window.n_samples };
        // Copying the headers brings them into the cache faster than reading single numbers.
        self.headers.push_marked(bytes, stride, n, &self.flags[skipped..], mark)?;
        self.runs.push(traces.start, bytes, stride, n)
    }

    /// Refuses a second file header among the traces, and where the counts in the trace headers are meaningful, a trace
    /// that says another one.
    fn check_lengths(&self, bytes: &[u8], stride: usize, window: &Stretch, traces: &Range<u64>) -> Result<()> {
        let Some(file) = self.plan.files.get(window.file_index as usize) else { return Ok(()) };
        let layout = &file.layout;
        for (i, header) in bytes.chunks(stride).take((traces.end - traces.start) as usize).enumerate() {
            let trace = traces.start + i as u64;
            let offset = window.offset + (trace - window.first_trace) * window.stride as u64;
            if second_header::may_begin(header)
                && layout.has_file_header()
                && second_header::is_at(&window.file, offset)
            {
                return Err(second_header::refusal(&window.file, offset));
            }
        }
        if !layout.trace_counts_agree || layout.fixed_length || layout.varying.is_some() {
            return Ok(());
        }
        let (n_samples, order) = (layout.n_samples, layout.byte_order);
        for (trace, header) in traces.clone().zip(bytes.chunks(stride)) {
            let n = u16::from_be_bytes(crate::segy::binary_header::big_endian(header, 114, order));
            if n != 0 && u32::from(n) != n_samples {
                return Err(odd_trace(&window.file, layout, trace - file.first_trace, n));
            }
        }
        Ok(())
    }

    fn finish(self, id: u32) -> Result<SegmentRecord> {
        let length = |traces: &Range<u64>| traces.end - traces.start;
        self.parts.map_or(Ok(()), Parts::finish)?;
        Ok(SegmentRecord {
            chunks: self.store.finish()?,
            segment: id,
            n_traces: length(if self.plan.headers_only { &self.rows } else { &self.traces }),
            n_rows: length(&self.rows),
            n_runs: self.runs.finish()?,
            n_exceptions: self.exceptions.finish()?,
            stored_bytes: self.stored_bytes,
            headers: self.headers.finish()?,
            samples: self.samples.statistics,
            boot_id: None,
        })
    }
}

fn intersection(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

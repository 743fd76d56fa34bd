//! The headers of a segment on their way into its table, its runs and its check.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::gather::runs::RunWriter;
use crate::input::traces::{Inputs, Stretch, WINDOW_BYTES};
use crate::plan::Plan;
use crate::plan::coordinates::TraceCoordinate;
use crate::segy::file::{COPIED_STRIDE_BYTES, SPARSE_STRIDE_BYTES};
use crate::segy::samples::format::Converter;
use crate::segy::{Access, Layout, odd_trace, second_header};
use crate::staging::{GridFiles, SegmentPaths, SpilledHeaders};
use crate::store::Place;
use crate::table::{CoordinateArray, HeaderSummary, Mark, SegmentWriter};
use crate::worker::flags::FlagFinder;
use crate::worker::probed_rows::ProbedRows;

/// The coordinates that the workers write.
fn coordinate_arrays(plan: &Plan, paths: &SegmentPaths) -> Vec<CoordinateArray> {
    let array = |coordinate: &TraceCoordinate| CoordinateArray {
        name: coordinate.name.clone(),
        column: coordinate.column.clone(),
        directory: paths.array(&coordinate.name),
    };
    plan.coordinates.iter().map(array).collect()
}

/// The rows of one segment.
pub(super) struct Rows<'a> {
    plan: &'a Plan,
    pub(super) inputs: Inputs<'a>,
    /// The layout of the first file; in others the offsets and lengths of traces differ.
    layout: &'a Layout,
    /// Traces whose headers this segment writes.
    pub(super) range: Range<u64>,
    headers: SegmentWriter,
    runs: RunWriter,
    pub(super) finder: FlagFinder<'a>,
    pub(super) flags: Vec<u8>,
    window: Vec<u8>,
    /// Where traces are in a grid.
    places: Option<GridFiles<'a>>,
    probed: Option<ProbedRows<'a>>,
    /// Read instead of the input, where they are.
    spilled: Option<SpilledHeaders>,
}

impl<'a> Rows<'a> {
    /// `end` is one past the last trace that is read.
    pub(super) fn new(
        plan: &'a Plan,
        paths: &SegmentPaths,
        range: Range<u64>,
        end: u64,
        converter: Converter,
        places: Option<GridFiles<'a>>,
    ) -> Result<Self> {
        let layout = plan.layout();
        // For a grid, most samples are read elsewhere.
        let most_dense = match (plan.headers_only, &places) {
            (true, _) => SPARSE_STRIDE_BYTES,
            (false, Some(_)) => COPIED_STRIDE_BYTES,
            (false, None) => 0,
        };
        let dense_headers = layout.stride() <= most_dense;
        let access = if dense_headers { Access::DenseHeaders } else { Access::Traces };
        let inputs = |access| Inputs::new(&plan.files, plan.io, access).up_to(end);
        Ok(Self {
            plan,
            inputs: inputs(access),
            layout,
            headers: SegmentWriter::create(&paths.header_table(plan), &plan.headers, range.start)?
                .with_coordinates(coordinate_arrays(plan, paths), plan.coordinate_rows())?,
            runs: RunWriter::create(&paths.runs, &plan.gather_keys, layout.byte_order)?,
            range,
            // With inputs of its own, as it reads at other offsets than the conversion.
            finder: FlagFinder::new(inputs(Access::Traces), layout, converter, plan.traces().dtype),
            flags: Vec::new(),
            window: Vec::new(),
            places,
            probed: None,
            spilled: None,
        })
    }

    /// Of a grid: checks and keeps what a plan from a few headers needs of the others, and reads those that were spilled.
    pub(super) fn of_grid(mut self, paths: &SegmentPaths, staging: &'a Place) -> Result<Self> {
        self.probed = ProbedRows::new(self.plan, paths, staging)?;
        self.spilled = SpilledHeaders::find(self.plan, staging)?;
        Ok(self)
    }

    /// Completes the table and the runs. Returns the number of runs and what is in the table.
    pub(super) fn finish(self) -> Result<(u64, HeaderSummary)> {
        self.probed.map_or(Ok(()), ProbedRows::finish)?;
        Ok((self.runs.finish()?, self.headers.finish()?))
    }

    /// The next whole traces to process, from `start` on: of one file and one length, few enough to stay in the cache.
    pub(super) fn next_window(&mut self, start: u64, end: u64) -> Result<Option<Stretch>> {
        if start >= end {
            return Ok(None);
        }
        let step = (WINDOW_BYTES / self.layout.stride()).max(1);
        self.inputs.stretch(start, step.min((end - start) as usize)).map(Some)
    }

    /// Handles headers of traces whose samples another segment writes, or which are read separately from the samples.
    pub(super) fn take(&mut self, headers: Range<u64>, cancel: &CancelHandle) -> Result<()> {
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
            if let Some(spilled) = &self.spilled {
                spilled.read(&window.traces(), &mut buffer, &mut self.flags)?;
                let stride = spilled.stride();
                self.push(&buffer, stride, &window, &window.traces())?;
            } else if flags_are_wanted
                && let Some(record) = self.finder.of_starts(&window, &mut buffer, &mut self.flags)?
            {
                self.push(&buffer, record, &window, &window.traces())?;
            } else if flags_are_wanted && window.stride <= SPARSE_STRIDE_BYTES {
                let bytes = window.file.bytes(offset, n * window.stride, &mut buffer)?;
                self.finder.of_read_window(&window, bytes, &mut self.flags)?;
                self.push(bytes, window.stride, &window, &window.traces())?;
            } else {
                for trace in window.traces().filter(|_| flags_are_wanted) {
                    self.flags.push(self.finder.of_trace(trace)?);
                }
                let (bytes, stride) = window.file.headers(offset, window.stride, header_bytes, n, &mut buffer)?;
                self.push(bytes, stride, &window, &window.traces())?;
            }
            window.file.release(offset, n * window.stride);
            self.window = buffer;
            next += n as u64;
        }
        Ok(())
    }

    /// Passes the headers of `traces` to the table, the runs and the check. `bytes` starts with the header of the first
    /// trace of the window; a header follows every `stride` bytes. `self.flags` starts with that trace too.
    pub(super) fn push(&mut self, bytes: &[u8], stride: usize, window: &Stretch, traces: &Range<u64>) -> Result<()> {
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
        let in_file = window.in_file + skipped as u64;
        let mark = Mark { file_index: window.file_index, n_samples: window.n_samples, in_file };
        // Copying the headers brings them into the cache faster than reading single numbers.
        let places = match &mut self.places {
            None => Vec::new(),
            Some(places) => places.of(traces, self.plan.headers.byte_order)?,
        };
        if let Some(probed) = &mut self.probed {
            probed.take(traces, bytes, stride, &places)?;
        }
        self.headers.push_marked(bytes, stride, n, &self.flags[skipped..], mark, &places)?;
        self.runs.push(traces.start, bytes, stride, n)
    }

    /// Refuses a second file header among the traces, and a trace whose header has another sample count, if the counts in
    /// the headers are meaningful.
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
                return Err(odd_trace(&window.file, layout, window.in_file + (trace - window.first_trace), n));
            }
        }
        Ok(())
    }
}

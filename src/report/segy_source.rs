//! A SEG-Y file as the source of a report.

use std::ops::Range;
use std::path::Path;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::inspect::header_runs::{HeaderRun, HeaderRuns};
use crate::inspect::{self, InspectConfig, Inspector};
use crate::picture::Section;
use crate::plan::reading::Reading;
use crate::report::header_values::raw_values;
use crate::report::source::{OnSamples, OnTraces, Run, Shape, Source};
use crate::segy::samples::format::Converter;
use crate::segy::{Dtype, TraceFinder};
use crate::table::Column;

/// Places in a file that are looked at.
const PLACES: u64 = 256;
/// Consecutive traces are read in blocks of this many bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// Headers read at a time when all are.
const BLOCK_TRACES: u64 = 4096;

/// An open file.
pub(super) struct SegySource {
    inspector: Inspector,
    shape: Shape,
    finder: TraceFinder,
    converter: Converter,
    native: Vec<u8>,
}

impl SegySource {
    /// # Errors
    /// Those of an import with the same options.
    pub(super) fn open(path: &Path, reading: &Reading) -> Result<Self> {
        let inspector = Inspector::open(InspectConfig { reading: reading.clone(), ..InspectConfig::new(path) })?;
        let layout = inspector.layout();
        let shape = Shape {
            n_traces: layout.n_traces,
            n_samples: layout.n_samples as usize,
            axis: layout.axis.clone(),
            trace_bytes: layout.stride() as u64,
            columns: inspector.columns().to_vec(),
            header_bytes: layout.header_bytes(),
            order: layout.byte_order,
            n_places: PLACES,
        };
        let converter = Converter::new(layout.format(), layout.byte_order, Dtype::Float32);
        let converter = converter.ok_or_else(|| failed(path.display())("its samples cannot become float32"))?;
        Ok(Self { inspector, shape, finder: TraceFinder::default(), converter, native: Vec::new() })
    }

    /// Appends the traces of a block, each of `stride` bytes.
    fn append(&mut self, block: &[u8], stride: usize, n_here: usize, run: &mut Run) {
        let (width, sample_bytes) = (self.shape.header_bytes, self.inspector.layout().format().bytes);
        for trace in block.chunks_exact(stride) {
            let (header, samples) = trace.split_at(width);
            run.headers.bytes.extend_from_slice(header);
            self.native.resize(n_here * 4, 0);
            self.converter.convert(&samples[..n_here * sample_bytes], &mut self.native);
            let values = self.native.as_chunks().0.iter().map(|b| finite(f32::from_le_bytes(*b)));
            run.samples.values.extend(values);
            let missing = run.samples.n_samples - n_here;
            run.samples.values.extend(std::iter::repeat_n(f32::NAN, missing));
        }
    }
}

/// Infinite samples are not drawn either.
fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { f32::NAN }
}

impl Source for SegySource {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn read(&mut self, traces: Range<u64>, n_samples: usize) -> Result<Run> {
        let (width, sample_bytes) = (self.shape.header_bytes, self.inspector.layout().format().bytes);
        let headers = HeaderRun { first_trace: traces.start, bytes: Vec::new() };
        let mut run = Run { headers, samples: Section::new(n_samples) };
        let (mut next, mut buffer) = (traces.start, Vec::new());
        while next < traces.end {
            let (file, layout) = (self.inspector.file(), self.inspector.layout());
            let places = self.finder.find(file, layout, next, traces.end - next)?;
            let n_here = n_samples.min(places.n_samples as usize);
            let wanted = width + n_here * sample_bytes;
            // Of long traces only what is wanted is read, of others everything in between too.
            let is_dense = 2 * wanted >= places.stride;
            let per_block = if is_dense { (BLOCK_BYTES / places.stride).max(1) as u64 } else { 1 };
            let n = places.n_traces.min(per_block);
            let stride = if is_dense { places.stride } else { wanted };
            let bytes = (n as usize - 1) * stride + if is_dense { places.stride } else { wanted };
            let block = file.bytes(places.offset, bytes, &mut buffer)?.to_vec();
            self.append(&block, stride, n_here, &mut run);
            next += n;
        }
        Ok(run)
    }

    fn will_read(&self, traces: &[Range<u64>], n_samples: usize) {
        let (file, layout) = (self.inspector.file(), self.inspector.layout());
        if layout.varying.is_none() {
            let last = layout.header_bytes() + n_samples * layout.format().bytes;
            for range in traces {
                let n = (range.end - range.start).saturating_sub(1) as usize * layout.stride() + last;
                file.will_read(layout.trace_offset(range.start), n);
            }
        }
    }

    fn about(&self, headers: &HeaderRuns) -> Result<inspect::Report> {
        self.inspector.report_of_runs(headers)
    }

    fn every_trace(
        &mut self,
        columns: &[&Column],
        take: &mut dyn FnMut(u64, &[Vec<f64>]),
        on_traces: OnTraces,
        cancel: &CancelHandle,
    ) -> Result<()> {
        let mut values = vec![Vec::new(); columns.len()];
        for start in (0..self.shape.n_traces).step_by(BLOCK_TRACES as usize) {
            cancel.check()?;
            let end = self.shape.n_traces.min(start + BLOCK_TRACES);
            let run = self.inspector.headers_of(start..end)?;
            let mut headers = self.shape.no_headers();
            headers.runs.push(run);
            for (values, column) in values.iter_mut().zip(columns) {
                *values = raw_values(&headers, column);
            }
            take(start, &values);
            on_traces(end);
        }
        Ok(())
    }

    fn every_sample(
        &mut self,
        sample: usize,
        columns: &[&Column],
        take: OnSamples,
        on_traces: OnTraces,
        cancel: &CancelHandle,
    ) -> Result<()> {
        let per_block = (BLOCK_BYTES as u64 / self.shape.trace_bytes.max(1)).max(1);
        for start in (0..self.shape.n_traces).step_by(per_block as usize) {
            cancel.check()?;
            let end = self.shape.n_traces.min(start + per_block);
            let run = self.read(start..end, sample + 1)?;
            let samples: Vec<f32> = run.samples.traces().filter_map(|t| t.last().copied()).collect();
            let mut headers = self.shape.no_headers();
            headers.runs.push(run.headers);
            let values: Vec<Vec<f64>> = columns.iter().map(|column| raw_values(&headers, column)).collect();
            take(&values, &samples);
            on_traces(end);
        }
        Ok(())
    }
}

//! What a report reads from: a SEG-Y file or a dataset, trace by trace.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::inspect;
use crate::inspect::header_runs::{HeaderRun, HeaderRuns};
use crate::picture::Section;
use crate::segy::{ByteOrder, SampleAxis};
use crate::table::Column;

/// Consecutive traces that were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// Their headers.
    pub headers: HeaderRun,
    /// Their samples, from the first on.
    pub samples: Section,
}

/// The size of a file or dataset, and what its headers mean.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub n_traces: u64,
    /// Samples of the longest trace; 0 if there are none.
    pub n_samples: usize,
    pub axis: SampleAxis,
    /// Bytes of a trace, headers and all.
    pub trace_bytes: u64,
    pub columns: Vec<Column>,
    /// Bytes of one trace's headers.
    pub header_bytes: usize,
    pub order: ByteOrder,
    /// Places that are cheap to read, spread over the whole.
    pub n_places: u64,
}

impl Shape {
    /// No runs of headers yet, to be filled.
    pub(crate) fn no_headers(&self) -> HeaderRuns {
        HeaderRuns { columns: self.columns.clone(), width: self.header_bytes, order: self.order, runs: Vec::new() }
    }

    /// Whether single traces anywhere are cheap to read.
    pub(crate) fn has_cheap_places(&self) -> bool {
        self.n_places >= 100
    }

    /// The column of this name, if there is one.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// Called with the traces looked at so far.
pub(crate) type OnTraces<'a> = &'a mut dyn FnMut(u64);

/// Takes the values of some fields in a block of traces, and one sample of each trace.
pub(crate) type OnSamples<'t> = &'t mut dyn FnMut(&[Vec<f64>], &[f32]);

/// A file or a dataset.
pub(crate) trait Source {
    fn shape(&self) -> &Shape;

    /// Reads the traces of a range: their headers, and their first `n_samples` samples. Shorter traces are filled with NaN.
    fn read(&mut self, traces: Range<u64>, n_samples: usize) -> Result<Run>;

    /// Announces what will be read next.
    fn will_read(&self, _traces: &[Range<u64>], _n_samples: usize) {}

    /// What `inspect` would say, given these headers.
    fn about(&self, headers: &HeaderRuns) -> Result<inspect::Report>;

    /// Calls `take` with the values of some fields in every trace, as they stand in the headers, a block of traces at a time:
    /// its first trace, and the values field by field.
    fn every_trace(
        &mut self,
        columns: &[&Column],
        take: &mut dyn FnMut(u64, &[Vec<f64>]),
        on_traces: OnTraces,
        cancel: &CancelHandle,
    ) -> Result<()>;

    /// Calls `take` with the values of some fields in every trace and with its sample of this number, a block of traces at a
    /// time.
    fn every_sample(
        &mut self,
        sample: usize,
        columns: &[&Column],
        take: OnSamples,
        on_traces: OnTraces,
        cancel: &CancelHandle,
    ) -> Result<()>;

    /// Facts that only a dataset has: names and values.
    fn facts(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Zero, duplicate and dead traces, if they were counted in all traces.
    fn counts(&self) -> Option<Counts> {
        None
    }
}

/// Traces of a kind, counted in all traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub n_zero: u64,
    pub n_duplicate: u64,
    pub n_nonfinite: u64,
}

/// Reads any traces, given in order, with as few reads as there are gaps between them.
pub(crate) fn read_traces(source: &mut dyn Source, traces: &[u64], n_samples: usize) -> Result<(HeaderRuns, Section)> {
    let (mut headers, mut section) = (source.shape().no_headers(), Section::new(n_samples));
    let ranges: Vec<Range<u64>> = traces.chunk_by(|a, b| a + 1 == *b).filter_map(range_of).collect();
    for some in ranges.chunks(EXPECTED) {
        source.will_read(some, n_samples);
        for range in some {
            let run = source.read(range.clone(), n_samples)?;
            section.append(&run.samples);
            headers.runs.push(run.headers);
        }
    }
    Ok((headers, section))
}

/// Ranges that are announced at a time.
pub(crate) const EXPECTED: usize = 16;

fn range_of(consecutive: &[u64]) -> Option<Range<u64>> {
    Some(*consecutive.first()?..*consecutive.last()? + 1)
}

//! A part of a file as a file of its own: some traces and some samples, at the offsets that they have there, with
//! headers that may change.

use std::ops::Range;

use crate::base::error::Result;
use crate::dataset::{Dataset, OriginalFile, Sources, TraceSet};

/// Changes the headers of a trace, which is numbered as in the dataset.
pub(super) type HeaderChange<'a> = dyn Fn(u64, &mut [u8]) -> Result<()> + Sync + 'a;

/// The part of a file to give.
pub(crate) struct Crop<'a> {
    /// The traces of the file that are wanted; one at least.
    pub traces: TraceSet,
    /// The samples of them that are wanted.
    pub samples: Range<u64>,
    change: &'a HeaderChange<'a>,
    header_bytes: u64,
    sample_bytes: u64,
    first_trace_offset: u64,
    /// Where each wanted trace ends, if lengths may differ.
    ends: Option<Vec<u64>>,
}

impl<'a> Crop<'a> {
    /// These traces and samples of a file, with samples of `sample_bytes` bytes.
    ///
    /// # Errors
    /// `Error::Damaged` where the lengths of the traces are not those of the file.
    pub(crate) fn new(
        sources: &Sources,
        traces: TraceSet,
        samples: Range<u64>,
        sample_bytes: usize,
        change: &'a HeaderChange<'a>,
    ) -> Result<Self> {
        let (dataset, file): (&Dataset, &OriginalFile) = (sources.dataset, sources.file);
        let (header_bytes, sample_bytes) = (dataset.header_bytes as u64, sample_bytes as u64);
        let first_trace_offset = file.first_trace_offset;
        let ends = dataset.has_sample_counts.then(|| -> Result<Vec<u64>> {
            let (mut ends, mut end) = (Vec::new(), first_trace_offset);
            for unit in sources.units_of_traces(&traces.span()) {
                let extents = sources.extents_of(unit)?;
                for trace in sources.traces_of(unit).filter(|&trace| traces.contains(trace)) {
                    end += header_bytes + extents.n_samples(trace) * sample_bytes;
                    ends.push(end);
                }
            }
            Ok(ends)
        });
        let ends = ends.transpose()?;
        Ok(Self { traces, samples, change, header_bytes, sample_bytes, first_trace_offset, ends })
    }

    /// Offset of a wanted trace, or of the end of the wanted one before it.
    pub(crate) fn offset(&self, trace: u64) -> u64 {
        let n_before = self.traces.rank(trace);
        match &self.ends {
            None => self.first_trace_offset + n_before * self.trace_bytes(),
            Some(_) if n_before == 0 => self.first_trace_offset,
            Some(ends) => ends.get(n_before as usize - 1).or(ends.last()).copied().unwrap_or(0),
        }
    }

    /// Offset of a sample of a wanted trace.
    pub(crate) fn offset_of_sample(&self, trace: u64, sample: u64) -> u64 {
        self.offset(trace) + self.header_bytes + (sample - self.samples.start) * self.sample_bytes
    }

    /// Offset of the end of the last wanted trace.
    pub(crate) fn end(&self) -> u64 {
        self.offset(self.traces.span().end)
    }

    /// Changes the headers of a trace.
    pub(super) fn change(&self, trace: u64, headers: &mut [u8]) -> Result<()> {
        (self.change)(trace, headers)
    }

    fn trace_bytes(&self) -> u64 {
        self.header_bytes + (self.samples.end - self.samples.start) * self.sample_bytes
    }
}

//! Where the traces of a dataset that has a part of its file are in the file.

use crate::base::error::Result;
use crate::dataset::{Dataset, HeaderColumns, OriginalFile, TraceSet, damaged};
use crate::table::TRACE_IN_FILE;

/// Finds places of the file of the part in the whole file. Memory: two bits for each trace of the file.
pub(super) struct PlacesInFile {
    first_trace_offset: u64,
    header_bytes: u64,
    /// Bytes of a trace, in the part and in the file.
    strides: [u64; 2],
    /// Bytes of the samples that are left out before the first.
    skipped_bytes: u64,
    pub(super) first_sample: u64,
    taken: TraceSet,
}

impl PlacesInFile {
    /// `None` for a dataset that has all of its file.
    ///
    /// # Errors
    /// `Error::Damaged` where the table does not name traces of the file.
    pub(super) fn new(dataset: &Dataset, file: &OriginalFile) -> Result<Option<Self>> {
        let Some(part) = &dataset.part else { return Ok(None) };
        let sample_bytes = dataset.format.bytes as u64;
        Ok(Some(Self {
            first_trace_offset: file.first_trace_offset,
            header_bytes: dataset.header_bytes as u64,
            strides: [dataset.array.n_samples, part.n_samples].map(|n| dataset.trace_bytes(n)),
            skipped_bytes: part.first_sample * sample_bytes,
            first_sample: part.first_sample,
            taken: taken(dataset, file)?,
        }))
    }

    /// The trace of the file that is trace `trace` of the part, both from 0.
    pub(super) fn trace(&self, trace: u64) -> u64 {
        self.taken.nth(trace).unwrap_or(trace)
    }

    /// The next `most` bytes of the traces from an offset in the part on, as far as they are together in the file: where they are
    /// there, and how many.
    pub(super) fn piece(&self, offset: u64, most: usize) -> (u64, usize) {
        let [stride, stride_in_file] = self.strides;
        let from_first = offset.saturating_sub(self.first_trace_offset);
        let (trace, within) = (self.trace(from_first / stride), from_first % stride);
        let is_header = within < self.header_bytes;
        let end = if is_header { self.header_bytes } else { stride };
        let skipped = if is_header { 0 } else { self.skipped_bytes };
        let in_file = self.first_trace_offset + trace * stride_in_file + within + skipped;
        (in_file, most.min((end - within) as usize))
    }
}

/// The traces of a file that the dataset has.
fn taken(dataset: &Dataset, file: &OriginalFile) -> Result<TraceSet> {
    let n_in_file = dataset.n_traces_in(file).unwrap_or(0);
    let all = 0..n_in_file;
    let columns = HeaderColumns::open(dataset)?;
    if !columns.has(TRACE_IN_FILE) {
        return Ok(TraceSet::new(&all, |_| true));
    }
    let mut taken = TraceSet::none(&all);
    let mut next = 0;
    let mut take = |numbers: &[f64]| {
        numbers.iter().all(|&number| {
            let trace = number as u64;
            let is_next = number >= next as f64 && trace < n_in_file;
            if is_next {
                taken.insert(trace);
                next = trace + 1;
            }
            is_next
        })
    };
    columns.numbers(&file.traces, &[TRACE_IN_FILE], &mut |batch| match batch.iter().all(|numbers| take(numbers)) {
        true => Ok(()),
        false => Err(damaged(&dataset.headers(), format!("{TRACE_IN_FILE} does not name traces of the file in order"))),
    })?;
    Ok(taken.counted())
}

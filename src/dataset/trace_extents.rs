//! Where traces lie in the rebuilt file.

use std::ops::Range;

use crate::base::error::Result;
use crate::dataset::{Dataset, HeaderTableFile, OriginalFile, damaged};

/// Offsets and lengths of consecutive traces.
pub(super) struct Extents {
    first_trace: u64,
    /// Offset of the first trace.
    offset: u64,
    header_bytes: u64,
    sample_bytes: u64,
    /// Samples in every trace, unless `ends` says otherwise.
    n_samples: u64,
    /// Offset of the end of each trace, if lengths may differ.
    ends: Option<Vec<u64>>,
}

impl Extents {
    /// Traces of the same length, from `first_trace` on.
    pub(super) fn uniform(dataset: &Dataset, first_trace: u64, offset: u64) -> Self {
        let (header_bytes, sample_bytes) = (dataset.header_bytes as u64, dataset.format.bytes as u64);
        Self { first_trace, offset, header_bytes, sample_bytes, n_samples: dataset.array.n_samples, ends: None }
    }

    /// Traces with these numbers of samples.
    fn varying(dataset: &Dataset, first_trace: u64, offset: u64, counts: &[u32]) -> Self {
        let mut end = offset;
        let ends = counts.iter().map(|&n| {
            end += dataset.trace_bytes(u64::from(n));
            end
        });
        Self { ends: Some(ends.collect()), ..Self::uniform(dataset, first_trace, offset) }
    }

    /// Offset of a trace in the file, or of the end of the previous trace.
    pub(super) fn offset(&self, trace: u64) -> u64 {
        let i = trace - self.first_trace;
        match &self.ends {
            None => self.offset + i * (self.header_bytes + self.n_samples * self.sample_bytes),
            Some(_) if i == 0 => self.offset,
            Some(ends) => ends.get(i as usize - 1).or(ends.last()).copied().unwrap_or(self.offset),
        }
    }

    /// Number of samples in a trace.
    pub(super) fn n_samples(&self, trace: u64) -> u64 {
        match &self.ends {
            None => self.n_samples,
            Some(_) => {
                (self.offset(trace + 1) - self.offset(trace)).saturating_sub(self.header_bytes) / self.sample_bytes
            }
        }
    }

    /// The trace that contains an offset.
    pub(super) fn trace_at(&self, offset: u64) -> u64 {
        let stride = self.header_bytes + self.n_samples * self.sample_bytes;
        self.first_trace
            + match &self.ends {
                None => offset.saturating_sub(self.offset) / stride,
                Some(ends) => ends.partition_point(|&end| end <= offset) as u64,
            }
    }
}

/// Where the traces of one file lie, for each unit of work.
pub(super) struct Lengths {
    /// The traces of each unit, clipped to the file.
    pub units: Vec<Range<u64>>,
    /// Offset of the first trace of each unit, and of the end of the last unit.
    offsets: Vec<u64>,
}

impl Lengths {
    /// Goes through the sample counts, if the dataset has them.
    pub(super) fn new(
        dataset: &Dataset,
        file: &OriginalFile,
        headers: &HeaderTableFile,
        units: Vec<Range<u64>>,
    ) -> Result<Self> {
        let mut offset = file.first_trace_offset;
        let mut offsets = vec![offset];
        for unit in &units {
            offset += if dataset.has_sample_counts {
                let counts = headers.sample_counts(unit)?;
                if counts.iter().any(|&n| u64::from(n) > dataset.array.n_samples) {
                    return Err(damaged(&dataset.headers(), "a trace has more samples than the array"));
                }
                counts.iter().map(|&n| dataset.trace_bytes(u64::from(n))).sum::<u64>()
            } else {
                (unit.end - unit.start) * dataset.trace_bytes(dataset.array.n_samples)
            };
            offsets.push(offset);
        }
        if file.bytes.checked_sub(offset) != Some(file.bytes_after_traces.len()) {
            return Err(damaged(&dataset.headers(), "its sample counts do not agree with the length of the file"));
        }
        Ok(Self { units, offsets })
    }

    /// Offset of the end of the last trace in the file.
    pub(super) fn end(&self) -> u64 {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// Where the traces of one unit lie.
    pub(super) fn of_unit(&self, dataset: &Dataset, headers: &HeaderTableFile, unit: usize) -> Result<Extents> {
        let (traces, offset) = (&self.units[unit], self.offsets[unit]);
        Ok(if dataset.has_sample_counts {
            Extents::varying(dataset, traces.start, offset, &headers.sample_counts(traces)?)
        } else {
            Extents::uniform(dataset, traces.start, offset)
        })
    }

    /// The units that contain these traces.
    pub(super) fn units_of(&self, traces: &Range<u64>) -> Range<usize> {
        self.units.partition_point(|u| u.end <= traces.start)..self.units.partition_point(|u| u.start < traces.end)
    }

    /// The unit that contains an offset; `None` before and after the traces.
    pub(super) fn unit_at(&self, offset: u64) -> Option<usize> {
        self.offsets.partition_point(|&start| start <= offset).checked_sub(1).filter(|&unit| unit < self.units.len())
    }
}

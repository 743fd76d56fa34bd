//! Restoring the samples of a file from stored values.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::dataset::{ExceptionRows, Sources};
use crate::dataset_files::TRACES;
use crate::exceptions::Exception;
use crate::segy::ByteOrder;
use crate::segy::samples::format::{Dtype, SampleFormat};
use crate::segy::samples::restore::Restorer;
use crate::segy::samples::words::word_bytes;
use crate::store::Place;

/// Restores the file's samples from the stored values.
pub(super) struct Restoration {
    restorer: Restorer,
    format: &'static SampleFormat,
    byte_order: ByteOrder,
    dtype: Dtype,
    /// Whether an infinity without an exception may have been an IBM word; see [`crate::segy::samples::ibm`].
    may_be_infinite: bool,
    /// Whether to keep the stored values, for conversion to another format.
    keeps_values: bool,
    /// Replacement for values that are not finite.
    substitute: Option<f64>,
    /// The samples that are wanted, if not all.
    wanted: Option<Range<u64>>,
    /// Original words from exceptions that match the stored values, since the last clear.
    pub(super) words: Vec<Exception>,
    values: Vec<u8>,
    /// What messages call the samples, and the number of the file's first trace in the dataset.
    path: Place,
    first_trace: u64,
}

impl Restoration {
    pub(super) fn new(sources: &Sources) -> Self {
        let dataset = sources.dataset;
        Self {
            restorer: sources.tables.restorer.clone(),
            format: dataset.format,
            byte_order: dataset.sample_order,
            dtype: dataset.array.dtype,
            may_be_infinite: dataset.n_nonfinite > 0,
            keeps_values: false,
            substitute: None,
            wanted: None,
            words: Vec::new(),
            values: Vec::new(),
            path: dataset.path(TRACES),
            first_trace: sources.file.traces.start,
        }
    }

    /// Of these samples alone, if not of all.
    pub(super) fn clipped_to(self, wanted: Option<Range<u64>>) -> Self {
        Self { wanted, ..self }
    }

    /// Keeping the stored values or not, with a replacement for those that are not finite.
    pub(super) fn with(self, keeps_values: bool, substitute: Option<f64>) -> Self {
        Self { keeps_values, substitute, ..self }
    }

    /// Appends to `out` the wanted samples of a trace in one chunk, which has `samples` of all traces. An exception applies
    /// only if its word gives the stored value; otherwise the value was edited, and is converted to the nearest
    /// sample.
    ///
    /// # Errors
    /// `Error::Input` for a value that the format cannot represent, `Error::Damaged` for an exception beyond the
    /// trace.
    pub(super) fn append(
        &mut self,
        trace: u64,
        samples: &Range<u64>,
        stored: &[u8],
        exceptions: &mut ExceptionRows,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let n = stored.len() / self.dtype.size();
        let first_word = self.words.len();
        while let Some(e) = exceptions.next_in(&(trace..trace + 1), samples)? {
            let index = (u64::from(e.sample) - samples.start) as usize;
            if index >= n {
                return Err(exceptions.misplaced(&e));
            }
            if self.restorer.stands_for(e.word, stored, index) {
                self.words.push(e);
            }
        }
        let (samples, stored) = clipped(samples, stored, self.dtype.size(), self.wanted.as_ref());
        let n = stored.len() / self.dtype.size();
        if self.wanted.is_some() {
            self.words.retain(|e| samples.contains(&u64::from(e.sample)));
        }
        let words = &self.words[first_word.min(self.words.len())..];
        let stored = match self.substitute {
            Some(value) => substituted(stored, self.dtype, value, &mut self.values),
            None => stored,
        };
        if self.keeps_values {
            out.extend_from_slice(stored);
            return Ok(());
        }
        let mut misfit = None;
        self.restorer.misfits(stored, |index, value| {
            let sample = samples.start + index as u64;
            let is_word = words.iter().any(|e| u64::from(e.sample) == sample);
            if !is_word && misfit.is_none() && !(value.is_infinite() && self.may_be_infinite) {
                misfit = Some((sample, value));
            }
        });
        if let Some((sample, value)) = misfit {
            return Err(self.no_sample_for(value, trace, sample));
        }
        let start = out.len();
        out.resize(start + n * self.format.bytes, 0);
        self.restorer.restore(stored, &mut out[start..]);
        for e in words {
            let at = start + (u64::from(e.sample) - samples.start) as usize * self.format.bytes;
            out[at..at + self.format.bytes].copy_from_slice(&word_bytes(e.word, self.byte_order));
        }
        Ok(())
    }

    fn no_sample_for(&self, value: f64, trace: u64, sample: u64) -> Error {
        let keeping = match self.dtype {
            Dtype::Int32 => "export --format 2 keeps it, as int32",
            Dtype::UInt32 => "export --format 10 keeps it, as uint32",
            _ => "export --format 5 keeps it, as IEEE float32",
        };
        let replacing = if value.is_finite() { "" } else { "export --nan VALUE writes another value, " };
        Error::Input(format!(
            "{}: trace {}, sample {}: {value} is beyond {}, the sample format of the file; {replacing}{keeping}",
            self.path.display(),
            trace - self.first_trace + 1,
            sample + 1,
            self.format.name
        ))
    }
}

/// The values with those that are not finite replaced; copied to `buffer` only if there are any.
pub(crate) fn substituted<'v>(stored: &'v [u8], dtype: Dtype, value: f64, buffer: &'v mut Vec<u8>) -> &'v [u8] {
    let is_finite = |bytes: &[u8]| match *bytes {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).is_finite(),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]).is_finite(),
        _ => true,
    };
    let size = dtype.size();
    if !dtype.is_float() || stored.chunks_exact(size).all(is_finite) {
        return stored;
    }
    buffer.clear();
    let (single, double) = ((value as f32).to_le_bytes(), value.to_le_bytes());
    let other = if dtype == Dtype::Float32 { &single[..] } else { &double[..] };
    stored.chunks_exact(size).for_each(|bytes| buffer.extend_from_slice(if is_finite(bytes) { bytes } else { other }));
    buffer
}

/// The part of some samples that is wanted: their numbers, and their stored values, of which there may be fewer.
fn clipped<'v>(
    samples: &Range<u64>,
    stored: &'v [u8],
    size: usize,
    wanted: Option<&Range<u64>>,
) -> (Range<u64>, &'v [u8]) {
    let Some(wanted) = wanted else { return (samples.clone(), stored) };
    let start = wanted.start.clamp(samples.start, samples.end);
    let end = wanted.end.clamp(start, samples.end);
    let at = |sample: u64| ((sample - samples.start) as usize * size).min(stored.len());
    (start..end, &stored[at(start)..at(end)])
}

//! Values of an array as samples of a file.

use crate::base::error::{Error, Result};
use crate::dataset::{Dataset, OriginalFile, Target, stored_format, substituted};
use crate::segy::samples::format::{Dtype, SampleFormat, sample_format};
use crate::segy::samples::recode::{Misfit, Recoder};
use crate::segy::samples::restore::Restorer;

/// IEEE float32.
const FLOAT32: u16 = 5;

/// Encodes little-endian values; each thread has its own.
#[derive(Clone)]
pub(super) struct SampleEncoder {
    encode: Encode,
    pub format: &'static SampleFormat,
    dtype: Dtype,
    /// Replacement for values that are not finite.
    substitute: Option<f64>,
    buffer: Vec<u8>,
    /// What messages call the values, and the number of the file's first trace.
    path: String,
    first_trace: u64,
}

/// How a value becomes a sample.
#[derive(Clone)]
enum Encode {
    /// The type holds just what the format has: each becomes the nearest.
    Nearest(Restorer),
    Recoded(Recoder),
}

impl SampleEncoder {
    /// What the file becomes with samples of this type: the format that was asked for, or the dataset's own where it holds
    /// values of this type, or else IEEE float32.
    pub(super) fn target(asked: Target, dtype: Dtype, dataset: &Dataset) -> Target {
        if asked.format.is_some() || dataset.format.native == dtype {
            return asked;
        }
        Target { format: Some(FLOAT32), round: asked.round || dtype.is_float(), ..asked }
    }

    /// Encodes values of a type for a file that becomes what [`Self::target`] says.
    ///
    /// # Errors
    /// `Error::Usage` for a format that cannot be written.
    pub(super) fn new(
        target: Target,
        nan: Option<f64>,
        (path, dtype): (&std::path::Path, Dtype),
        dataset: &Dataset,
        file: &OriginalFile,
    ) -> Result<Self> {
        let code = target.format.unwrap_or(dataset.format.code);
        let order = target.byte_order.unwrap_or(dataset.sample_order);
        let cannot = || Error::Usage(format!("{}: cannot be written as samples of format {code}", path.display()));
        let format = sample_format(code).ok_or_else(cannot)?;
        let is_own = code == dataset.format.code || code == FLOAT32;
        let encode = match Restorer::new(format, order, dtype).filter(|_| is_own && format.native == dtype) {
            Some(restorer) => Encode::Nearest(restorer),
            None => {
                let stored = stored_format(dtype).ok_or_else(cannot)?;
                let from = (stored, crate::segy::ByteOrder::Little);
                Encode::Recoded(Recoder::new(from, (format, order), target.round).ok_or_else(cannot)?)
            }
        };
        let substitute = nan.filter(|_| !format.is_ieee());
        let (path, first_trace) = (path.display().to_string(), file.traces.start);
        Ok(Self { encode, format, dtype, substitute, buffer: Vec::new(), path, first_trace })
    }

    /// Appends the samples of a trace from number `first` on.
    ///
    /// # Errors
    /// `Error::Input` for a value that the format does not hold.
    pub(super) fn encode(&mut self, trace: u64, first: u64, values: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let (path, first_trace, format) = (&self.path, self.first_trace, self.format);
        let wrong = |index: usize, why: String| {
            let (trace, sample) = (trace - first_trace + 1, first + index as u64 + 1);
            Error::Input(format!("{path}: trace {trace}, sample {sample}: {why}"))
        };
        let values = match self.substitute {
            Some(value) => substituted(values, self.dtype, value, &mut self.buffer),
            None => values,
        };
        match &mut self.encode {
            Encode::Recoded(recoder) => recoder.recode(values, out).map_err(|Misfit { index, why }| wrong(index, why)),
            Encode::Nearest(restorer) => {
                let mut misfit = None;
                restorer.misfits(values, |index, value| {
                    misfit.get_or_insert((index, value));
                });
                if let Some((index, value)) = misfit {
                    let hint = if value.is_finite() { "" } else { "export --nan VALUE writes another value, " };
                    return Err(wrong(
                        index,
                        format!("{value} is beyond {}; {hint}export --format 5 keeps it, as IEEE float32", format.name),
                    ));
                }
                let start = out.len();
                out.resize(start + values.len() / self.dtype.size() * format.bytes, 0);
                restorer.restore(values, &mut out[start..]);
                Ok(())
            }
        }
    }

    /// Whether any value is neither zero nor undefined.
    pub(super) fn has_samples(&self, values: &[u8]) -> bool {
        values.chunks_exact(self.dtype.size()).any(|bytes| {
            let value = self.dtype.number(bytes);
            value != 0.0 && !value.is_nan()
        })
    }
}

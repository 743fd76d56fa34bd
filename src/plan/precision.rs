//! The step that samples are rounded to, decided for the whole import by the level of some of them.

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::input::PlannedFile;
use crate::input::traces::Inputs;
use crate::segy::samples::format::Converter;
use crate::segy::samples::rounding::{Precision, power};
use crate::segy::{Access, Io};
use crate::zarr::ArrayPlan;

/// Traces that are looked at, spread evenly over all of them.
const MOST_TRACES: u64 = 1000;
/// Samples of each that are looked at: those in the middle.
const MOST_SAMPLES: u64 = 16_384;

/// Decides it by the live traces of these files: those with a nonzero sample.
///
/// # Errors
/// `Error::Input` where there are none.
pub(super) fn decide(
    decibels: u32,
    files: &[PlannedFile],
    array: &ArrayPlan,
    io: Io,
    cancel: &CancelHandle,
) -> Result<Precision> {
    let layout = &files[0].layout;
    if layout.pairwise_swapped {
        return Err(Error::Usage("--precision does not take files whose bytes are swapped in pairs".into()));
    }
    let format = layout.format();
    let converter = Converter::new(format, layout.sample_byte_order(), array.dtype);
    let mut converter = converter.ok_or_else(|| Error::Usage("--precision: the samples cannot be converted".into()))?;
    let mut inputs = Inputs::new(files, io.unwatched(), Access::Traces);
    let n_looked_at = array.n_traces.min(MOST_TRACES);
    let (mut squares, mut n, mut buffer, mut values) = (0.0, 0u64, Vec::new(), Vec::new());
    for i in 0..n_looked_at {
        cancel.check()?;
        let trace = (u128::from(i) * u128::from(array.n_traces) / u128::from(n_looked_at)) as u64;
        let place = inputs.stretch(trace, 1)?;
        let of_trace = u64::from(place.n_samples);
        let n_samples = of_trace.min(MOST_SAMPLES);
        let first = (of_trace - n_samples) / 2;
        let offset = place.offset + place.samples.start as u64 + first * format.bytes as u64;
        let samples = place.file.bytes(offset, n_samples as usize * format.bytes, &mut buffer)?;
        values.resize(n_samples as usize * array.dtype.size(), 0);
        converter.convert(samples, &mut values);
        place.file.release(offset, samples.len());
        let (of_trace, n_finite) = power(array.dtype, &values);
        if of_trace > 0.0 {
            squares += of_trace;
            n += n_finite;
        }
    }
    let rms = (squares / n.max(1) as f64).sqrt();
    if rms > 0.0 && rms.is_finite() {
        return Ok(Precision::new(decibels, rms, array.dtype));
    }
    Err(Error::Input(format!(
        "--precision: the {n_looked_at} traces that were looked at have no level that an error could stay below"
    )))
}

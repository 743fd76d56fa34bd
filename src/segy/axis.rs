//! The sample axis: the time, depth or frequency of each sample.

use serde::{Deserialize, Serialize};

use crate::segy::apply_scalar;
use crate::segy::infer::Inference;

/// What the samples are counted along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// Milliseconds.
    #[default]
    Time,
    /// Metres or feet.
    Depth,
    /// Hertz.
    Frequency,
}

/// Start and step of the sample axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleAxis {
    pub domain: Domain,
    /// Units of the values: `ms`, `m`, `ft` or `Hz`; `None` for depths if the file does not give its measurement
    /// system.
    pub units: Option<String>,
    /// Value of the first sample, in `units`.
    pub start: f64,
    /// Distance between samples, if known: in microseconds for time, otherwise in `units`.
    pub interval: Option<f64>,
}

impl SampleAxis {
    /// The value of sample `index` (from 0) in `units`, or the index itself if the interval is unknown.
    pub fn value(&self, index: u64) -> f64 {
        match (self.interval, self.domain) {
            (None, _) => index as f64,
            // A single division of whole microseconds rounds only once.
            (Some(us), Domain::Time) => (self.start * 1000.0 + index as f64 * us) / 1000.0,
            (Some(step), _) => self.start + index as f64 * step,
        }
    }

    /// Units of the interval.
    pub fn interval_units(&self) -> &str {
        match self.domain {
            Domain::Time => "µs",
            _ => self.units.as_deref().unwrap_or("units of depth"),
        }
    }

    /// The interval in microseconds, on a time axis.
    pub fn interval_us(&self) -> Option<f64> {
        self.interval.filter(|_| self.domain == Domain::Time)
    }

    /// The first sample in milliseconds, on a time axis.
    pub fn start_ms(&self) -> Option<f64> {
        (self.domain == Domain::Time).then_some(self.start)
    }

    /// Human-readable name of the coordinate.
    pub fn long_name(&self) -> &'static str {
        match (self.interval, self.domain) {
            (None, _) => "sample number",
            (_, Domain::Time) => "two-way time",
            (_, Domain::Depth) => "depth",
            (_, Domain::Frequency) => "frequency",
        }
    }
}

/// Whether a value can be an interval: meaningless bytes read as a double give anything.
fn is_interval(value: f64) -> bool {
    (1e-9..=1e12).contains(&value)
}

const SAMPLE_INTERVAL_BYTE: usize = 117;
const DELAY_BYTE: usize = 109;
const TIME_SCALAR_BYTE: usize = 215;
/// Measurement system in the binary header: 1 metres, 2 feet.
const MEASUREMENT_SYSTEM_BYTE: u32 = 3255;

impl Inference<'_> {
    /// The axis from the file header, the first trace header and the user's overrides.
    pub(crate) fn axis(&mut self, first: &[u8]) -> SampleAxis {
        let domain = self.overrides.domain.unwrap_or_default();
        if self.overrides.domain.is_some() {
            self.decide("domain", format!("{domain:?}").to_lowercase(), "option --domain");
        }
        let units = match (domain, self.binary.i16(MEASUREMENT_SYSTEM_BYTE)) {
            (Domain::Time, _) => Some("ms"),
            (Domain::Frequency, _) => Some("Hz"),
            (Domain::Depth, 1) => Some("m"),
            (Domain::Depth, 2) => Some("ft"),
            (Domain::Depth, other) => {
                self.warnings.push(format!(
                    "the measurement system (bytes 3255-3256) is {other}, neither metres (1) nor feet (2); the units of depth \
                     are left open"
                ));
                None
            }
        };
        let mut axis = SampleAxis { domain, units: units.map(str::to_owned), start: 0.0, interval: None };
        axis.interval = self.interval(first, axis.interval_units());
        axis.start = self.start(first, &axis);
        axis
    }

    fn interval(&mut self, first: &[u8], units: &str) -> Option<f64> {
        let binary = self.binary.u16(3217);
        let trace = self.trace_u16(first, SAMPLE_INTERVAL_BYTE);
        let extended = if self.rev2 { self.binary.f64(3273) } else { 0.0 };
        let (value, because) = if let Some(value) = self.overrides.interval {
            (value, "option --interval")
        } else if is_interval(extended) {
            (extended, "bytes 3273-3280 (rev 2 extended interval)")
        } else if binary != 0 {
            if trace != 0 && trace != binary {
                self.warnings.push(format!(
                    "the binary header says {binary} {units} per sample (bytes 3217-3218), the first trace header {trace} \
                     (bytes 117-118); the binary header is taken (--interval overrides)"
                ));
            }
            (f64::from(binary), "bytes 3217-3218")
        } else if trace != 0 {
            (f64::from(trace), "bytes 117-118 of the first trace header, as the binary header says 0")
        } else {
            self.warnings.push(format!(
                "the sample interval is 0 in the binary header (bytes 3217-3218) and in the first trace header (bytes \
                 117-118); the sample axis counts samples (--interval gives {})",
                if units == "µs" { "microseconds" } else { units }
            ));
            return None;
        };
        self.decide("sample interval", format!("{value} {units}"), because);
        Some(value)
    }

    /// Delay recording time (bytes 109-110) of the first trace with its scalar (bytes 215-216), unless the user gives
    /// it.
    fn start(&mut self, first: &[u8], axis: &SampleAxis) -> f64 {
        let units = axis.units.as_deref().unwrap_or("units of depth");
        if let Some(start) = self.overrides.start {
            self.decide("first sample", format!("{start} {units}"), "option --start");
            return start;
        }
        let delay = self.trace_u16(first, DELAY_BYTE) as i16;
        let scalar = self.trace_u16(first, TIME_SCALAR_BYTE) as i16;
        let start = apply_scalar(f64::from(delay), scalar);
        if axis.domain != Domain::Time && start != 0.0 {
            self.warnings.push(format!(
                "the delay of the first trace (bytes 109-110) is {start} and counts as {units}, as --domain says; --start \
                 overrides"
            ));
        }
        let scaled = if matches!(scalar, 0 | 1) { "" } else { " with the scalar of bytes 215-216" };
        self.decide(
            "first sample",
            format!("{start} {units}"),
            format!("bytes 109-110 of the first trace header{scaled}"),
        );
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_nearest_doubles() {
        let axis = |domain, interval| SampleAxis { domain, units: None, start: 100.0, interval };
        assert_eq!(axis(Domain::Time, Some(100.0)).value(3), 100.3);
        assert_eq!(axis(Domain::Depth, Some(2.5)).value(3), 107.5);
        assert_eq!(axis(Domain::Frequency, None).value(3), 3.0);
    }
}

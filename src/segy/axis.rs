//! The sample axis: the time, depth or frequency of each sample.

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::segy::apply_scalar;
use crate::segy::infer::Inference;
use crate::segy::layout::Overrides;
use crate::segy::quantity::{Quantity, Unit};
use crate::segy::text;

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

impl Domain {
    /// As `--domain` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Depth => "depth",
            Self::Frequency => "frequency",
        }
    }
}

/// Start and step of the sample axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleAxis {
    pub domain: Domain,
    /// Units of all values: `ms`, `ns`, `m`, `ft` or `Hz`; `None` for depths if the file does not give its measurement
    /// system.
    pub units: Option<String>,
    /// Value of the first sample, in `units`.
    pub start: f64,
    /// Distance between samples in `units`, if known.
    pub interval: Option<f64>,
    /// Whether the file says that its times are two-way.
    #[serde(default)]
    pub is_two_way: bool,
}

impl SampleAxis {
    /// A time axis in milliseconds that begins at 0, with unknown interval.
    pub fn of_time() -> Self {
        Self { domain: Domain::Time, units: Some("ms".into()), start: 0.0, interval: None, is_two_way: false }
    }

    /// The value of sample `index` (from 0) in `units`, or the index itself if the interval is unknown.
    pub fn value(&self, index: u64) -> f64 {
        match (self.interval, self.domain) {
            (None, _) => index as f64,
            // A single division of whole thousandths rounds only once.
            (Some(step), Domain::Time) => (whole(self.start * 1000.0) + index as f64 * whole(step * 1000.0)) / 1000.0,
            (Some(step), _) => self.start + index as f64 * step,
        }
    }

    /// Units of the values, in words.
    pub fn units_text(&self) -> &str {
        self.units.as_deref().unwrap_or("units of depth")
    }

    /// The interval with its units, in microseconds where it is a time in milliseconds; empty if unknown.
    pub fn interval_text(&self) -> String {
        match (self.interval, self.interval_us()) {
            (None, _) => String::new(),
            (_, Some(us)) if self.units.as_deref() == Some("ms") => format!("{us} µs"),
            (Some(interval), _) => format!("{interval} {}", self.units_text()),
        }
    }

    /// The first value with its units.
    pub fn start_text(&self) -> String {
        format!("{} {}", self.start, self.units_text())
    }

    /// The interval in microseconds, on a time axis.
    pub fn interval_us(&self) -> Option<f64> {
        let us = if self.units.as_deref() == Some("ns") { 1e-3 } else { 1e3 };
        self.interval.filter(|_| self.domain == Domain::Time).map(|interval| whole(interval * us))
    }

    /// The first sample in milliseconds, on a time axis.
    pub fn start_ms(&self) -> Option<f64> {
        let ms = if self.units.as_deref() == Some("ns") { 1e6 } else { 1.0 };
        (self.domain == Domain::Time).then_some(self.start / ms)
    }

    /// Human-readable name of the coordinate.
    pub fn long_name(&self) -> &'static str {
        match (self.interval, self.domain) {
            (None, _) => "sample number",
            (_, Domain::Time) if self.is_two_way => "two-way time",
            (_, Domain::Time) => "time",
            (_, Domain::Depth) => "depth",
            (_, Domain::Frequency) => "frequency",
        }
    }

    /// A warning on an axis that no survey has: hours of record, or hundreds of kilometres.
    pub(crate) fn doubt(&self, n_samples: u32) -> Option<String> {
        const LONGEST_S: f64 = 3600.0;
        const DEEPEST: f64 = 100_000.0;
        let interval = self.interval?;
        let length = interval * f64::from(n_samples.saturating_sub(1));
        let end = self.start + length;
        match self.domain {
            Domain::Time if self.units.as_deref() == Some("ms") && length / 1000.0 > LONGEST_S => Some(format!(
                "the traces last {:.1} hours by their sample interval of {}; --interval gives another, with its unit (--interval \
                 250us), --domain says what is not time",
                length / 3.6e6,
                self.interval_text()
            )),
            Domain::Depth if end.abs().max(self.start.abs()) > DEEPEST => Some(format!(
                "the depths reach from {} to {end} {}; --interval gives the distance between samples, --start the first depth",
                self.start,
                self.units_text()
            )),
            _ => None,
        }
    }
}

/// The whole number that this nearly is, or itself.
fn whole(value: f64) -> f64 {
    if (value - value.round()).abs() < 1e-6 { value.round() } else { value }
}

/// Whether a value can be an interval: meaningless bytes read as a double give anything.
fn is_interval(value: f64) -> bool {
    (1e-9..=1e12).contains(&value)
}

/// Depth intervals of at least this many units are taken for thousandths of the unit, which is how most programs store them.
const FEWEST_THOUSANDTHS: f64 = 100.0;

const SAMPLE_INTERVAL_BYTE: usize = 117;
const DELAY_BYTE: usize = 109;
const TIME_SCALAR_BYTE: usize = 215;
/// Measurement system in the binary header: 1 metres, 2 feet.
const MEASUREMENT_SYSTEM_BYTE: u32 = 3255;
/// Trace sorting code in the binary header for stacked data.
const SORTING_CODE_BYTE: u32 = 3229;
const STACKED: i16 = 4;

impl Overrides {
    /// The domain that the options ask for, and the units that they name.
    ///
    /// # Errors
    /// `Error::Usage` if they contradict each other.
    pub(crate) fn axis_units(&self) -> Result<(Option<Domain>, Option<&'static str>)> {
        let mut domain = self.domain;
        let mut units = None;
        let given = [("--interval", self.interval), ("--start", self.start)];
        for (option, unit) in given.into_iter().filter_map(|(option, q)| Some((option, q?.unit?))) {
            if *domain.get_or_insert(unit.domain()) != unit.domain() {
                return Err(Error::Usage(format!(
                    "{option} is in {}, which measures {}, and the sample axis is {}; give --domain {} or another unit",
                    unit.name(),
                    unit.domain().name(),
                    domain.unwrap_or_default().name(),
                    unit.domain().name()
                )));
            }
            // The interval decides; a time axis is in ns only if an option is that small.
            if units.is_none() || unit.axis_units() == "ns" {
                units = Some(unit.axis_units());
            }
        }
        Ok((domain, units))
    }

    /// The interval given, in these units of an axis.
    pub(crate) fn interval_in(&self, domain: Domain, units: Option<&str>) -> Option<f64> {
        let bare = if domain == Domain::Time { Some(Unit::Us) } else { None };
        self.interval.map(|q| q.in_units(bare, units))
    }

    /// The first sample given, in these units of an axis.
    pub(crate) fn start_in(&self, units: Option<&str>) -> Option<f64> {
        self.start.map(|q| q.in_units(None, units))
    }
}

impl Inference<'_> {
    /// The axis from the file header, the first trace header and the user's overrides.
    ///
    /// # Errors
    /// `Error::Usage` for options that contradict each other.
    pub(crate) fn axis(&mut self, first: &[u8], n_samples: u32) -> Result<SampleAxis> {
        let (asked, named) = self.overrides.axis_units()?;
        let domain = asked.unwrap_or_default();
        if self.overrides.domain.is_some() {
            self.decide("domain", domain.name(), "option --domain");
        } else if asked.is_some_and(|domain| domain != Domain::Time) {
            self.decide("domain", domain.name(), "the unit of --interval or --start");
        }
        let units = match (domain, named, self.binary.i16(MEASUREMENT_SYSTEM_BYTE)) {
            (_, Some(named), _) => Some(named),
            (Domain::Time, ..) => Some("ms"),
            (Domain::Frequency, ..) => Some("Hz"),
            (Domain::Depth, _, 1) => Some("m"),
            (Domain::Depth, _, 2) => Some("ft"),
            (Domain::Depth, _, other) => {
                self.warnings.push(format!(
                    "the measurement system (bytes 3255-3256) is {other}, neither metres (1) nor feet (2); the units of depth \
                     are left open (--interval 5m gives them)"
                ));
                None
            }
        };
        let mut axis = SampleAxis { domain, units: units.map(str::to_owned), ..SampleAxis::of_time() };
        axis.is_two_way = domain == Domain::Time && self.binary.i16(SORTING_CODE_BYTE) == STACKED;
        axis.interval = self.interval(first, &axis);
        axis.start = self.start(first, &axis);
        let doubt = axis.doubt(n_samples);
        let text = if domain == Domain::Time && asked.is_none() { self.text()? } else { String::new() };
        if speaks_of_depth(&text) {
            let interval = self.header_interval(first).map_or(String::new(), |raw| {
                let (interval, _) = depth_interval(raw);
                format!(
                    ", with {interval} {} between samples",
                    ["units", "m", "ft"].get(self.binary.i16(MEASUREMENT_SYSTEM_BYTE) as usize).unwrap_or(&"units")
                )
            });
            self.warnings.push(format!(
                "the textual header speaks of depth, and the sample axis is read as time; --domain depth reads it as depth{interval}"
            ));
        } else if let Some((word, unit)) = finer_unit(&text).filter(|_| self.overrides.interval.is_none())
            && let Some(raw) = self.header_interval(first)
        {
            self.warnings.push(format!(
                "the textual header speaks of {word}, and the sample interval is read as {raw} µs; --interval {raw}{unit} reads it \
                 as {word}"
            ));
        } else {
            self.warnings.extend(doubt);
        }
        Ok(axis)
    }

    /// The textual header, if the file has one.
    fn text(&self) -> Result<String> {
        if self.file.len() < text::TEXT_HEADER_BYTES as u64 {
            return Ok(String::new());
        }
        Ok(text::decode(&self.file.copy(0, text::TEXT_HEADER_BYTES)?, self.text_encoding))
    }

    /// The interval that the headers hold as a whole number.
    fn header_interval(&self, first: &[u8]) -> Option<f64> {
        let (binary, trace) = (self.binary.u16(3217), self.trace_u16(first, SAMPLE_INTERVAL_BYTE));
        [binary, trace].into_iter().find(|&n| n != 0).map(f64::from)
    }

    fn interval(&mut self, first: &[u8], axis: &SampleAxis) -> Option<f64> {
        let (domain, units) = (axis.domain, axis.units.as_deref());
        let binary = self.binary.u16(3217);
        let trace = self.trace_u16(first, SAMPLE_INTERVAL_BYTE);
        let extended = if self.rev2 { self.binary.f64(3273) } else { 0.0 };
        let of_header = |raw: f64, because: &str| match domain {
            Domain::Time => (Quantity { value: raw, unit: Some(Unit::Us) }.in_units(None, units), because.to_owned()),
            Domain::Frequency => (raw, because.to_owned()),
            Domain::Depth => {
                let (interval, is_thousandths) = depth_interval(raw);
                let how = if is_thousandths { format!("; {raw} are thousandths of the unit") } else { String::new() };
                (interval, format!("{because}{how}"))
            }
        };
        let (value, because) = if let Some(value) = self.overrides.interval_in(domain, units) {
            (value, "option --interval".to_owned())
        } else if is_interval(extended) {
            if binary != 0 && (extended - f64::from(binary)).abs() >= 1.0 {
                self.warnings.push(format!(
                    "bytes 3273-3280 say a sample interval of {extended}, bytes 3217-3218 {binary}; the first is taken (--interval \
                     overrides)"
                ));
            }
            match domain {
                Domain::Time => of_header(extended, "bytes 3273-3280 (rev 2 extended interval)"),
                _ => (extended, "bytes 3273-3280 (rev 2 extended interval)".to_owned()),
            }
        } else if binary != 0 {
            if trace != 0 && trace != binary {
                self.warnings.push(format!(
                    "the binary header says a sample interval of {binary} (bytes 3217-3218), the first trace header {trace} \
                     (bytes 117-118); the binary header is taken (--interval overrides)"
                ));
            }
            of_header(f64::from(binary), "bytes 3217-3218")
        } else if trace != 0 {
            of_header(f64::from(trace), "bytes 117-118 of the first trace header, as the binary header says 0")
        } else {
            self.warnings.push(format!(
                "the sample interval is 0 in the binary header (bytes 3217-3218) and in the first trace header (bytes \
                 117-118); the sample axis counts samples (--interval gives {})",
                if domain == Domain::Time { "microseconds" } else { axis.units_text() }
            ));
            return None;
        };
        let text = SampleAxis { interval: Some(value), ..axis.clone() }.interval_text();
        self.decide("sample interval", text, because);
        Some(value)
    }

    /// Delay recording time (bytes 109-110) of the first trace with its scalar (bytes 215-216, from rev 1 on), unless the
    /// user gives it.
    fn start(&mut self, first: &[u8], axis: &SampleAxis) -> f64 {
        let units = axis.units_text();
        if let Some(start) = self.overrides.start_in(axis.units.as_deref()) {
            self.decide("first sample", format!("{start} {units}"), "option --start");
            return start;
        }
        let delay = self.trace_u16(first, DELAY_BYTE) as i16;
        let scalar = if self.revision.0 == 0 { 1 } else { self.trace_u16(first, TIME_SCALAR_BYTE) as i16 };
        let start = apply_scalar(f64::from(delay), scalar);
        if units != "ms" && start != 0.0 {
            self.warnings.push(format!(
                "the delay of the first trace (bytes 109-110) is {start} and counts as {units}, as the options say; --start \
                 overrides"
            ));
        }
        let scaled = if start == f64::from(delay) { "" } else { " with the scalar of bytes 215-216" };
        self.decide(
            "first sample",
            format!("{start} {units}"),
            format!("bytes 109-110 of the first trace header{scaled}"),
        );
        start
    }
}

/// Whether a text speaks of depth as what its samples are counted along.
fn speaks_of_depth(text: &str) -> bool {
    /// Depths of something else.
    const OTHERS: [&str; 16] = [
        "WATER",
        "SOURCE",
        "SHOT",
        "CABLE",
        "GUN",
        "STREAMER",
        "RECEIVER",
        "HOLE",
        "CHARGE",
        "TOW",
        "DATUM",
        "UPHOLE",
        "GROUP",
        "BURIAL",
        "PENETRATION",
        "SENSOR",
    ];
    /// Words for time.
    const TIMES: [&str; 7] = ["TIME", "TWT", "MS", "MSEC", "MILLISECONDS", "MICROSECONDS", "USEC"];
    // "Trace start time/depth: bytes 109-110" says neither.
    let upper = text.to_uppercase().replace("TIME/DEPTH", "").replace("DEPTH/TIME", "");
    let words: Vec<&str> = upper.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let is_depth = |i: usize| matches!(words[i], "DEPTH" | "PSDM") && (i == 0 || !OTHERS.contains(&words[i - 1]));
    (0..words.len()).any(is_depth) && !words.iter().any(|word| TIMES.contains(word))
}

/// The unit of time that a text speaks of, if it is a finer one than those of seismic data, as radar has them: its name, and as
/// `--interval` takes it.
fn finer_unit(text: &str) -> Option<(&'static str, &'static str)> {
    /// Words for the usual units.
    const USUAL: [&str; 7] = ["MS", "MSEC", "MILLISECOND", "MILLISECONDS", "MICROSECOND", "MICROSECONDS", "USEC"];
    let upper = text.to_uppercase();
    let words: Vec<&str> = upper.split(|c: char| !c.is_alphanumeric()).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    match () {
        () if has(&USUAL) => None,
        () if has(&["PICOSECOND", "PICOSECONDS", "PSEC"]) => Some(("picoseconds", "ps")),
        () if has(&["NANOSECOND", "NANOSECONDS", "NSEC"]) => Some(("nanoseconds", "ns")),
        () => None,
    }
}

/// A depth interval from the whole number in the headers, and whether it is in thousandths of the unit.
fn depth_interval(raw: f64) -> (f64, bool) {
    if raw >= FEWEST_THOUSANDTHS { (raw / 1000.0, true) } else { (raw, false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_nearest_doubles() {
        let axis = |domain, interval| SampleAxis { domain, start: 100.0, interval, ..SampleAxis::of_time() };
        assert_eq!(axis(Domain::Time, Some(0.1)).value(3), 100.3);
        assert_eq!(axis(Domain::Depth, Some(2.5)).value(3), 107.5);
        assert_eq!(axis(Domain::Frequency, None).value(3), 3.0);
        for us in 1..=65_535u32 {
            assert_eq!(axis(Domain::Time, Some(f64::from(us) / 1000.0)).interval_us(), Some(f64::from(us)));
        }
    }

    #[test]
    fn a_text_that_speaks_of_depth_is_told_from_one_of_other_depths() {
        for depth in [
            "C 1 DEPTH MIGRATION, SAMPLE RATE 5 M",
            "C 4 Domain : Depth",
            "PSDM final stack",
            "C 9 Depth min: -4502 max: -2 C29 Trace start time/depth",
        ] {
            assert!(speaks_of_depth(depth), "{depth}");
        }
        for time in [
            "C 1 WATER DEPTH 200 M",
            "C 1 PSDM STACK, CONVERTED TO TIME",
            "GUN DEPTH 7",
            "C 5 DEPTH 10, RECORD LENGTH 4000 MS",
            "",
        ] {
            assert!(!speaks_of_depth(time), "{time}");
        }
    }

    #[test]
    fn a_text_that_speaks_of_radar_times_names_their_unit() {
        assert_eq!(finer_unit("C 1 GPR, TIME IN PICOSECONDS"), Some(("picoseconds", "ps")));
        assert_eq!(finer_unit("C 3 samples every 0.4 nsec"), Some(("nanoseconds", "ns")));
        for text in ["C 1 RECORD LENGTH 4000 MS, PICOSECONDS", "C 5 PS-WAVE STACK", "C 1 ns: 1500", ""] {
            assert_eq!(finer_unit(text), None, "{text}");
        }
    }

    #[test]
    fn depth_intervals_are_thousandths_where_nobody_samples_so_coarsely() {
        assert_eq!([5000.0, 500.0, 5.0].map(depth_interval), [(5.0, true), (0.5, true), (5.0, false)]);
    }
}

//! Numbers with units, as options take them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::segy::axis::Domain;

/// A unit of the sample axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
    /// Picoseconds.
    Ps,
    /// Metres.
    M,
    /// Feet.
    Ft,
    /// Hertz.
    Hz,
}

impl Unit {
    /// As it is written after a number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
            Self::Ps => "ps",
            Self::M => "m",
            Self::Ft => "ft",
            Self::Hz => "Hz",
        }
    }

    /// What it measures.
    pub const fn domain(self) -> Domain {
        match self {
            Self::S | Self::Ms | Self::Us | Self::Ns | Self::Ps => Domain::Time,
            Self::M | Self::Ft => Domain::Depth,
            Self::Hz => Domain::Frequency,
        }
    }

    /// The units of an axis whose interval or start is given in this one.
    pub const fn axis_units(self) -> &'static str {
        match self {
            Self::S | Self::Ms | Self::Us => "ms",
            Self::Ns | Self::Ps => "ns",
            Self::M => "m",
            Self::Ft => "ft",
            Self::Hz => "Hz",
        }
    }

    /// `value` of this unit in the units of an axis.
    fn convert(self, value: f64, units: &str) -> f64 {
        // Divisions by whole numbers round once.
        match (self, units) {
            (Self::S, "ms") => value * 1e3,
            (Self::Us, "ms") | (Self::Ps, "ns") => value / 1e3,
            (Self::Ns, "ms") => value / 1e6,
            (Self::Ps, "ms") => value / 1e9,
            (Self::S, "ns") => value * 1e9,
            (Self::Ms, "ns") => value * 1e6,
            (Self::Us, "ns") => value * 1e3,
            (Self::M, "ft") => value / 0.3048,
            (Self::Ft, "m") => value * 0.3048,
            _ => value,
        }
    }
}

/// A number, with its unit if one is given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// The number.
    pub value: f64,
    /// Its unit; without one it depends on the option.
    pub unit: Option<Unit>,
}

impl Quantity {
    /// The value in the units of an axis. `bare` is the unit of a number without one; by default that of the axis.
    pub(crate) fn in_units(self, bare: Option<Unit>, units: Option<&str>) -> f64 {
        match (self.unit.or(bare), units) {
            (Some(unit), Some(units)) => unit.convert(self.value, units),
            _ => self.value,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.value, self.unit.map_or("", Unit::name))
    }
}

impl FromStr for Quantity {
    type Err = String;

    /// `4ms`, `250us`, `5m`, `400ps`, `2000`.
    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, Unit); 10] = [
            ("ms", Unit::Ms),
            ("us", Unit::Us),
            ("µs", Unit::Us),
            ("μs", Unit::Us),
            ("ns", Unit::Ns),
            ("ps", Unit::Ps),
            ("ft", Unit::Ft),
            ("hz", Unit::Hz),
            ("m", Unit::M),
            ("s", Unit::S),
        ];
        let lower = text.trim().to_lowercase();
        let found = UNITS.iter().find_map(|(name, unit)| Some((lower.strip_suffix(name)?, *unit)));
        let (number, unit) = found.map_or((lower.as_str(), None), |(number, unit)| (number, Some(unit)));
        let value = number.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        let value = value.ok_or("give a number, with a unit if you like: 4ms, 250us, 400ps, 5m, 16.4ft or 0.5Hz")?;
        Ok(Self { value, unit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_and_without_units() {
        let read = |text: &str| text.parse::<Quantity>().map(|q| (q.value, q.unit));
        assert_eq!(read("4ms"), Ok((4.0, Some(Unit::Ms))));
        assert_eq!(read("400 ps"), Ok((400.0, Some(Unit::Ps))));
        assert_eq!(read("250µs"), Ok((250.0, Some(Unit::Us))));
        assert_eq!(read("5m"), Ok((5.0, Some(Unit::M))));
        assert_eq!(read("-12.5"), Ok((-12.5, None)));
        assert!(read("ms").is_err() && read("4 lightyears").is_err() && read("inf").is_err());
    }

    #[test]
    fn units_become_those_of_the_axis() {
        let of = |text: &str, bare, units| text.parse::<Quantity>().unwrap().in_units(bare, Some(units));
        assert_eq!(of("400ps", None, "ns"), 0.4);
        assert_eq!(of("2000", Some(Unit::Us), "ms"), 2.0);
        assert_eq!(of("0.004s", None, "ms"), 4.0);
        assert_eq!(of("10ft", None, "m"), 3.048);
        assert_eq!(of("7", None, "m"), 7.0);
    }
}

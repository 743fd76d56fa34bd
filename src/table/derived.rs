//! Columns that the program derives from several header fields: the time of the recording, and degrees.

use serde::{Deserialize, Serialize};

use crate::segy::apply_scalar;
use crate::segy::fields::FieldKind;
use crate::segy::samples::format::ByteOrder;
use crate::table::columns::Column;
use crate::table::rows::read_integer;

/// Stands for null in a column of nanoseconds.
pub(crate) const NO_TIME: i64 = i64::MIN;
/// Years of two digits from this one on belong to the last century.
const FIRST_OF_LAST_CENTURY: i64 = 50;
/// Milliseconds are at most this.
const MOST_MILLISECONDS: i64 = 999;

/// Where a number of a header is: its first byte, from 1, and its type.
pub(crate) type Place = (u32, FieldKind);

/// Where year, day of the year, hour, minute and second are, and milliseconds where the file has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingTime {
    fields: [Place; 5],
    milliseconds: Option<Place>,
    /// Whether the time basis code says UTC.
    pub is_utc: bool,
}

impl RecordingTime {
    /// From these columns; `None` if one of them is missing or not an integer.
    pub(crate) fn new(columns: &[Column], milliseconds: Option<Place>, is_utc: bool) -> Option<Self> {
        let place = |name: &str| {
            let column = columns.iter().find(|c| c.name == name && c.kind.is_integer())?;
            Some((column.first_byte, column.kind))
        };
        let [year, day, hour, minute, second] =
            ["year_recorded", "day_of_year", "hour_of_day", "minute_of_hour", "second_of_minute"].map(place);
        Some(Self { fields: [year?, day?, hour?, minute?, second?], milliseconds, is_utc })
    }

    /// All places, with the milliseconds last.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + Clone + use<> {
        self.fields.into_iter().chain(self.milliseconds)
    }

    /// Nanoseconds since 1970; [`NO_TIME`] if the fields are not a date.
    pub(crate) fn value(&self, header: &[u8], order: ByteOrder) -> i64 {
        let read = |(byte, kind): Place| read_integer(header, byte, kind, order);
        let [year, day, hour, minute, second] = self.fields.map(read);
        let milliseconds = self.milliseconds.map_or(0, read);
        nanoseconds([year, day, hour, minute, second], milliseconds).unwrap_or(NO_TIME)
    }
}

/// Nanoseconds since 1970 of year, day of the year (from 1), hour, minute and second.
pub(crate) fn nanoseconds([year, day, hour, minute, second]: [i64; 5], milliseconds: i64) -> Option<i64> {
    let year = match year {
        1..FIRST_OF_LAST_CENTURY => year + 2000,
        FIRST_OF_LAST_CENTURY..=99 => year + 1900,
        // What 64 bits of nanoseconds hold.
        1678..=2261 => year,
        _ => return None,
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let in_range = (1..=365 + i64::from(is_leap)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second)
        && (0..=MOST_MILLISECONDS).contains(&milliseconds);
    if !in_range {
        return None;
    }
    // Days before a year, by the rule of leap years.
    let before = |year: i64| 365 * year + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let days = before(year) - before(1970) + day - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds * 1000 + milliseconds) * 1_000_000)
}

/// A longitude or a latitude in degrees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degrees {
    /// Name of the column.
    pub name: String,
    /// Name of the column with the coordinate.
    pub of: String,
    pub(crate) angle: Angle,
}

/// Where a coordinate, its scalar and its unit are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Angle {
    coordinate: Place,
    scalar: Option<u32>,
    /// The scalar that the user gave.
    given_scalar: Option<i32>,
    unit: Place,
    is_latitude: bool,
}

/// The coordinates that become degrees: x, y, and the start of their columns' names.
const PLACES: [(&str, &str, &str); 3] =
    [("source_x", "source_y", "source"), ("receiver_x", "receiver_y", "receiver"), ("cdp_x", "cdp_y", "cdp")];

impl Degrees {
    /// Longitude and latitude for each pair of coordinates for which `is_used` holds.
    pub(crate) fn of_columns(columns: &[Column], is_used: impl Fn(&str) -> bool) -> Vec<Self> {
        let find = |name: &str| columns.iter().find(|c| c.name == name && !matches!(c.kind, FieldKind::Text(_)));
        let Some(unit) = find("coordinate_unit").filter(|c| c.kind.is_integer()) else { return Vec::new() };
        let one = |name: String, column: &Column, is_latitude: bool| Self {
            name,
            of: column.name.clone(),
            angle: Angle {
                coordinate: (column.first_byte, column.kind),
                scalar: column.scalar,
                given_scalar: column.given_scalar,
                unit: (unit.first_byte, unit.kind),
                is_latitude,
            },
        };
        let pairs = PLACES.into_iter().filter(|(x, y, _)| is_used(x) || is_used(y));
        let pairs = pairs.filter_map(|(x, y, name)| Some((find(x)?, find(y)?, name)));
        pairs
            .flat_map(|(x, y, name)| {
                [one(format!("{name}_longitude"), x, false), one(format!("{name}_latitude"), y, true)]
            })
            .collect()
    }
}

impl Angle {
    /// All places.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + Clone + use<> {
        [self.coordinate, self.unit].into_iter().chain(self.scalar.map(|byte| (byte, FieldKind::I16)))
    }

    /// Degrees; NaN if the unit of the trace is a length or unknown, or the value is not an angle.
    pub(crate) fn value(&self, header: &[u8], order: ByteOrder) -> f64 {
        let (byte, kind) = self.coordinate;
        let raw = crate::table::rows::read_number(header, byte, kind, order);
        let scaled = match (self.given_scalar, self.scalar) {
            (Some(given), _) => crate::segy::apply_given_scalar(raw, given),
            (None, Some(byte)) => apply_scalar(raw, read_integer(header, byte, FieldKind::I16, order) as i16),
            (None, None) => raw,
        };
        degrees(scaled, read_integer(header, self.unit.0, self.unit.1, order), self.is_latitude)
    }
}

/// A coordinate in degrees by its unit (bytes 89-90): 2 seconds of arc, 3 degrees, 4 degrees, minutes and seconds.
pub(crate) fn degrees(value: f64, unit: i64, is_latitude: bool) -> f64 {
    let degrees = match unit {
        2 => value / 3600.0,
        3 => value,
        // DDDMMSS.ss
        4 => {
            let size = value.abs();
            let (whole, minutes) = ((size / 1e4).floor(), (size / 100.0).floor() % 100.0);
            let seconds = size - whole * 1e4 - minutes * 100.0;
            if minutes >= 60.0 || seconds >= 60.0 {
                return f64::NAN;
            }
            (whole + (minutes * 60.0 + seconds) / 3600.0).copysign(value)
        }
        _ => return f64::NAN,
    };
    let most = if is_latitude { 90.0 } else { 360.0 };
    if degrees.abs() <= most { degrees } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_nanoseconds_and_others_null() {
        assert_eq!(nanoseconds([1970, 1, 0, 0, 0], 0), Some(0));
        assert_eq!(nanoseconds([2019, 118, 13, 50, 38], 750), Some(1_556_459_438_750_000_000));
        assert_eq!(nanoseconds([99, 365, 23, 59, 59], 0), Some(946_684_799_000_000_000));
        assert_eq!(nanoseconds([2000, 366, 0, 0, 0], 0), Some(978_220_800_000_000_000));
        assert_eq!(nanoseconds([1960, 1, 0, 0, 0], 0), Some(-315_619_200_000_000_000));
        for wrong in [
            [0, 1, 0, 0, 0],
            [2019, 0, 0, 0, 0],
            [2019, 366, 0, 0, 0],
            [2019, 1, 24, 0, 0],
            [2019, 1, 0, 60, 0],
            [3000, 1, 0, 0, 0],
        ] {
            assert_eq!(nanoseconds(wrong, 0), None, "{wrong:?}");
        }
        assert_eq!(nanoseconds([2019, 1, 0, 0, 0], 1000), None);
    }

    #[test]
    fn coordinates_become_degrees_by_their_unit() {
        assert_eq!(degrees(-16_200.0, 2, false), -4.5);
        assert_eq!(degrees(51.25, 3, true), 51.25);
        assert!((degrees(-43_222.2, 4, false) + (4.0 + 32.0 / 60.0 + 22.2 / 3600.0)).abs() < 1e-12);
        assert_eq!(degrees(501_500.0, 4, true), 50.25);
        assert!(
            degrees(500_000.0, 1, true).is_nan()
                && degrees(100.0, 3, true).is_nan()
                && degrees(7_000.0, 4, true).is_nan()
        );
    }
}

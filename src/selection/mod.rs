//! Which traces and samples of a file are wanted, by what the headers say of them.

mod column_names;
mod condition;
mod polygon;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::base::shell::quoted_word;
use crate::segy::SampleAxis;
use crate::segy::quantity::Quantity;
use column_names::column_called;
use condition::Condition;
use polygon::Polygons;

/// A part of the traces and samples; by default all of them. A trace has to be in all that are given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Values of the column `inline`.
    pub inlines: Option<Interval>,
    /// Values of the column `crossline`.
    pub crosslines: Option<Interval>,
    /// A condition on columns of the header table, such as `offset < 3000 and is_dead == 0`.
    pub condition: Option<String>,
    /// A file of GeoJSON; traces whose `cdp_x_scaled` and `cdp_y_scaled` lie in one of its polygons, or, where those are zero
    /// throughout, whose middle between source and receiver does.
    pub polygon: Option<PathBuf>,
    /// A part of the sample axis.
    pub samples: Option<AxisInterval>,
}

/// `A:B`: values from A up to but not including B; without A or B without that end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interval {
    /// The smallest value.
    pub start: Option<f64>,
    /// What all values are less than.
    pub end: Option<f64>,
}

/// An interval of the sample axis. Its ends may have units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AxisInterval {
    /// The first value.
    pub start: Option<Quantity>,
    /// What all values are less than.
    pub end: Option<Quantity>,
}

/// The two ends of `A:B`.
fn ends<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<[Option<T>; 2], String> {
    let (start, end) = text.split_once(':').ok_or("write A:B, as in 100:200, 100: or :200")?;
    let end_of = |text: &str| if text.trim().is_empty() { Ok(None) } else { parse(text).map(Some) };
    Ok([end_of(start)?, end_of(end)?])
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        let [start, end] = ends(text, |text| number(text).ok_or_else(|| format!("{text} is not a number")))?;
        match start.zip(end) {
            Some((start, end)) if end <= start => Err(format!("{text} is empty: B is not included")),
            _ => Ok(Self { start, end }),
        }
    }
}

impl FromStr for AxisInterval {
    type Err = String;

    /// A unit of the end is that of the start as well, if that has none.
    fn from_str(text: &str) -> Result<Self, String> {
        let [mut start, end] = ends(text, str::parse::<Quantity>)?;
        if let (Some(start), Some(unit)) = (&mut start, end.and_then(|end| end.unit)) {
            start.unit.get_or_insert(unit);
        }
        Ok(Self { start, end })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: Option<f64>| end.map_or_else(String::new, |end| end.to_string());
        write!(f, "{}:{}", end(self.start), end(self.end))
    }
}

impl fmt::Display for AxisInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: Option<Quantity>| end.map_or_else(String::new, |end| end.to_string());
        write!(f, "{}:{}", end(self.start), end(self.end))
    }
}

impl Interval {
    fn holds(&self, value: f64) -> bool {
        self.start.is_none_or(|start| value >= start) && self.end.is_none_or(|end| value < end)
    }
}

/// Something that every wanted trace has to meet, with the numbers of the columns that it needs.
enum Criterion {
    Interval(usize, Interval),
    Condition(Condition),
    Inside(Polygons, Points),
}

/// The columns of a point: its coordinates, or the coordinates of two that it is in the middle of.
enum Points {
    Own([usize; 2]),
    Middle([[usize; 2]; 2]),
}

impl Criterion {
    fn holds(&self, values: &[f64]) -> bool {
        let value = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        match self {
            Self::Interval(place, interval) => interval.holds(value(*place)),
            Self::Condition(condition) => condition.holds(values),
            Self::Inside(polygons, Points::Own([x, y])) => polygons.contain(value(*x), value(*y)),
            Self::Inside(polygons, Points::Middle([a, b])) => {
                let middle = |axis: usize| f64::midpoint(value(a[axis]), value(b[axis]));
                polygons.contain(middle(0), middle(1))
            }
        }
    }
}

/// The columns of some traces, as a selection looks at them.
pub(crate) trait Columns {
    /// Whether there is a column of numbers with this very name.
    fn has(&self, name: &str) -> bool;
    /// The column of this name as it is spelt, which may be in upper and lower case.
    fn spelt(&self, name: &str) -> Option<String> {
        [name.to_owned(), name.to_ascii_lowercase()].into_iter().find(|name| self.has(name))
    }
    /// The error for a column that is not there.
    fn missing(&self, name: &str) -> Error;
    /// Whether some trace has something else than zero in one of these columns.
    fn are_used(&self, names: &[&str]) -> Result<bool>;
}

/// What every wanted trace has to meet.
pub(crate) struct Criteria {
    names: Vec<String>,
    criteria: Vec<Criterion>,
}

impl Criteria {
    /// The columns that are needed.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// Calls `take` with the number of each wanted row of a batch, which has `n` rows of the columns in the order of their names.
    pub(crate) fn each_wanted(&self, batch: &[Vec<f64>], n: usize, mut take: impl FnMut(usize)) {
        let mut values = vec![f64::NAN; self.names.len()];
        for row in 0..n {
            let columns = batch.iter().map(|column| column.get(row).copied().unwrap_or(f64::NAN));
            values.iter_mut().zip(columns).for_each(|(value, number)| *value = number);
            if self.criteria.iter().all(|criterion| criterion.holds(&values)) {
                take(row);
            }
        }
    }
}

impl Selection {
    /// Whether it asks for a part of the traces.
    pub(crate) fn is_of_traces(&self) -> bool {
        let Self { inlines, crosslines, condition, polygon, samples: _ } = self;
        inlines.is_some() || crosslines.is_some() || condition.is_some() || polygon.is_some()
    }

    /// What a trace has to meet.
    ///
    /// # Errors
    /// `Error::Usage` for names that are not columns, `Error::Input` for a file of polygons that cannot be read.
    pub(crate) fn criteria(&self, columns: &dyn Columns) -> Result<Criteria> {
        let (mut criteria, mut names) = (Vec::new(), Vec::new());
        for (name, interval) in [("inline", self.inlines), ("crossline", self.crosslines)] {
            if let Some(interval) = interval {
                criteria.push(Criterion::Interval(place_of(name, &mut names), interval));
            }
        }
        if let Some(text) = &self.condition {
            let condition = Condition::new(text, &mut names);
            criteria.push(Criterion::Condition(condition.map_err(|why| Error::Usage(format!("--where: {why}")))?));
        }
        if let Some(path) = &self.polygon {
            let read = Polygons::read(path);
            let polygons = read.map_err(|why| Error::Input(format!("{}: {why}", path.display())))?;
            criteria.push(Criterion::Inside(polygons, points(columns, &mut names)?));
        }
        let called = |name: &String| column_called(name, columns).ok_or_else(|| columns.missing(name));
        Ok(Criteria { names: names.iter().map(called).collect::<Result<_>>()?, criteria })
    }

    /// The numbers of the samples that are wanted, of `n` along an axis.
    ///
    /// # Errors
    /// `Error::Usage` where none is left, and for units of something else.
    pub(crate) fn samples(&self, axis: &SampleAxis, n: u64) -> Result<Range<u64>> {
        let Some(interval) = self.samples else { return Ok(0..n) };
        let value = |quantity: Quantity| match quantity.unit {
            Some(unit) if unit.domain() != axis.domain || axis.interval.is_none() => Err(Error::Usage(format!(
                "--times: {} are given, and the samples are counted along {}",
                unit.name(),
                axis.long_name()
            ))),
            _ => Ok(quantity.in_units(None, axis.units.as_deref())),
        };
        let start = interval.start.map(value).transpose()?.map_or(0, |value| first_from(axis, n, value));
        let end = interval.end.map(value).transpose()?.map_or(n, |value| first_from(axis, n, value));
        if start < end {
            return Ok(start..end);
        }
        Err(Error::Usage(format!(
            "--times selects no sample: they go from {} to {} {}",
            axis.value(0),
            axis.value(n.saturating_sub(1)),
            if axis.interval.is_some() { axis.units_text() } else { "" }
        )))
    }

    /// The options that ask for it, without directories.
    pub(crate) fn options(&self) -> Vec<String> {
        let polygon = self.polygon.as_ref().map(|path| path.file_name().unwrap_or_default().to_string_lossy());
        let options = [
            ("--inlines", self.inlines.map(|interval| interval.to_string())),
            ("--crosslines", self.crosslines.map(|interval| interval.to_string())),
            ("--where", self.condition.clone()),
            ("--polygon", polygon.map(Into::into)),
            ("--times", self.samples.map(|interval| interval.to_string())),
        ];
        options.into_iter().filter_map(|(option, value)| Some(format!("{option} {}", quoted_word(&value?)))).collect()
    }
}

/// The first sample whose value is not below `value`, or the number of samples.
fn first_from(axis: &SampleAxis, n: u64, value: f64) -> u64 {
    let slack = axis.interval.unwrap_or(1.0) * 1e-6;
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low.midpoint(high);
        if axis.value(middle) < value - slack { low = middle + 1 } else { high = middle }
    }
    low
}

/// The place of a name, which is added if it is not there yet.
fn place_of(name: &str, names: &mut Vec<String>) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

/// Which columns say where traces lie: those of the midpoint, or else of source and receiver.
fn points(columns: &dyn Columns, names: &mut Vec<String>) -> Result<Points> {
    const OWN: [&str; 2] = ["cdp_x_scaled", "cdp_y_scaled"];
    const ENDS: [[&str; 2]; 2] = [["source_x_scaled", "source_y_scaled"], ["receiver_x_scaled", "receiver_y_scaled"]];
    let is_used = OWN.iter().all(|name| columns.has(name)) && columns.are_used(&OWN)?;
    let mut places = |pair: [&str; 2]| pair.map(|name| place_of(name, names));
    Ok(if is_used { Points::Own(places(OWN)) } else { Points::Middle(ENDS.map(places)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::Domain;

    #[test]
    fn intervals_are_written_as_in_python() {
        let interval = |start, end| Ok(Interval { start, end });
        assert_eq!("100:200".parse(), interval(Some(100.0), Some(200.0)));
        assert_eq!("-5:".parse(), interval(Some(-5.0), None));
        assert!("5:5".parse::<Interval>().is_err_and(|why| why.contains("empty")));
        assert!("5".parse::<Interval>().is_err() && "a:b".parse::<Interval>().is_err());
        let interval = Interval { start: Some(1.0), end: Some(3.0) };
        assert_eq!(
            [0.0, 1.0, 2.9, 3.0, f64::NAN].map(|value| interval.holds(value)),
            [false, true, true, false, false]
        );
    }

    #[test]
    fn the_unit_of_the_end_is_that_of_the_start() {
        let interval: AxisInterval = "1:2s".parse().unwrap();
        assert_eq!(interval.start, Some("1s".parse().unwrap()));
        let mixed: AxisInterval = "100ms:2s".parse().unwrap();
        assert_eq!(mixed.start, Some("100ms".parse().unwrap()));
    }

    #[test]
    fn the_first_sample_from_a_time_on_is_found() {
        let axis = SampleAxis { interval: Some(0.1), start: 20.0, ..SampleAxis::of_time() };
        assert_eq!([19.0, 20.0, 20.3, 20.31, 29.9, 40.0].map(|t| first_from(&axis, 100, t)), [0, 0, 3, 4, 99, 100]);
        let depth = SampleAxis { domain: Domain::Depth, interval: Some(5.0), start: -10.0, ..SampleAxis::of_time() };
        assert_eq!(first_from(&depth, 100, 0.0), 2);
    }
}

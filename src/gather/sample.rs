//! Header values of a few traces spread over the input, from which the gather key is chosen.

use std::ops::Range;

use crate::base::error::Result;
use crate::gather::Keys;
use crate::input::traces::Inputs;
use crate::segy::fields::FieldKind;
use crate::table::{Column, HeaderTable, read_integer};

/// Trace headers that are looked at.
pub(crate) const SAMPLED_TRACES: u64 = 1000;
/// If traces are this long, reading a header costs as much as a trace, and fewer are looked at.
const LONG_TRACE_BYTES: usize = 256 << 10;
const SAMPLED_LONG_TRACES: u64 = 200;
/// Headers up to this far apart are read together, as many as lie in the bytes below.
const CLOSE_BYTES: usize = 16 << 10;
const READ_BYTES: usize = 256 << 10;
/// The headers lie in this many windows: runs show between neighbours only, trends over the whole input.
const WINDOWS: u64 = 4;

/// Where programs put the milliseconds of the recording time.
const MILLISECONDS: [(u32, FieldKind); 3] = [(169, FieldKind::I16), (181, FieldKind::I16), (181, FieldKind::I32)];
/// Names of these places in the sample.
const MILLISECONDS_AT: &str = "milliseconds at ";

/// The traces to look at among `n`: all, or windows of which the first begins at the first trace and the last ends at
/// the last one.
pub(crate) fn windows(n_traces: u64) -> Vec<Range<u64>> {
    windows_of(n_traces, SAMPLED_TRACES)
}

fn windows_of(n_traces: u64, sampled: u64) -> Vec<Range<u64>> {
    if n_traces <= sampled {
        return std::iter::once(0..n_traces).collect();
    }
    let length = sampled / WINDOWS;
    let start = |i: u64| (u128::from(n_traces - length) * u128::from(i) / u128::from(WINDOWS - 1)) as u64;
    (0..WINDOWS).map(|i| start(i)..start(i) + length).collect()
}

/// The integer header fields of the traces looked at.
pub(crate) struct Sample {
    /// The fields by name, each with one value per trace.
    pub(super) fields: Vec<(String, Vec<i64>)>,
    /// Positions of traces whose predecessor, in the same file, was looked at too.
    pub(super) pairs: Vec<usize>,
    /// The values of the gather keys asked for, together for each trace.
    keys: Vec<Vec<i64>>,
    /// Traces of the input, and how many were looked at.
    pub n_traces: u64,
    pub n_read: usize,
}

impl Sample {
    /// Reads the headers in the windows, 1000 at most. `keys` are those asked for.
    pub(crate) fn read(inputs: &mut Inputs, n_traces: u64, headers: &HeaderTable, keys: &Keys) -> Result<Self> {
        let milliseconds = MILLISECONDS.map(|(first_byte, kind)| Column {
            name: format!("{MILLISECONDS_AT}{first_byte}:{kind}"),
            first_byte,
            kind,
            scalar: None,
            given_scalar: None,
        });
        let columns: Vec<_> = headers.columns.iter().filter(|c| c.kind.is_integer()).chain(&milliseconds).collect();
        let fields: Vec<(String, Vec<i64>)> = columns.iter().map(|c| (c.name.clone(), Vec::new())).collect();
        let mut sample = Self { fields, pairs: Vec::new(), keys: Vec::new(), n_traces, n_read: 0 };
        let mut buffer = Vec::new();
        let is_long = n_traces > 0 && inputs.stretch(0, 1)?.stride > LONG_TRACE_BYTES;
        for window in windows_of(n_traces, if is_long { SAMPLED_LONG_TRACES } else { SAMPLED_TRACES }) {
            let mut next = window.start;
            while next < window.end {
                let place = inputs.stretch(next, (window.end - next) as usize)?;
                let offset = |i: u64| place.offset + i * place.stride as u64;
                let length = headers.header_bytes as usize;
                // Neighbouring headers that are close are read together.
                let per_read = if place.stride <= CLOSE_BYTES { READ_BYTES / place.stride } else { 1 };
                let mut read = Vec::new();
                for i in 0..place.n_traces {
                    let at = i % per_read;
                    if at == 0 {
                        if per_read == 1 {
                            place.file.will_read_each(i as u64, place.n_traces as u64, length, offset);
                        }
                        let n = per_read.min(place.n_traces - i);
                        let bytes = (n - 1) * place.stride + length;
                        read.clear();
                        read.extend_from_slice(place.file.bytes(offset(i as u64), bytes, &mut buffer)?);
                    }
                    let header = &read[at * place.stride..at * place.stride + length];
                    for (column, (_, values)) in columns.iter().zip(&mut sample.fields) {
                        values.push(read_integer(header, column.first_byte, column.kind, headers.byte_order));
                    }
                    let mut key = vec![0; keys.len()];
                    keys.read(header, &mut key);
                    sample.keys.push(key);
                    let trace = next + i as u64;
                    if trace > window.start && (i > 0 || !place.begins_file) {
                        sample.pairs.push(sample.n_read);
                    }
                    sample.n_read += 1;
                }
                place.file.release(place.offset, place.n_traces * place.stride);
                next += place.n_traces as u64;
            }
        }
        sample.without_floats(&columns, headers);
        Ok(sample)
    }

    /// Leaves out integers whose bytes hold plausible floats of another column, as in headers of Seismic Unix.
    fn without_floats(&mut self, columns: &[&Column], headers: &HeaderTable) {
        let is_float_too =
            |c: &Column| headers.columns.iter().any(|o| o.first_byte == c.first_byte && o.kind == FieldKind::F32);
        let is_float = |v: &i64| (1e-6..1e7).contains(&f32::from_bits(*v as u32).abs());
        for (column, (_, values)) in columns.iter().zip(&mut self.fields) {
            if is_float_too(column) && values.iter().all(|v| *v == 0 || is_float(v)) {
                values.fill(0);
            }
        }
    }

    /// Where the milliseconds of the recording time are: they go up inside a second, and turn back where it ends.
    pub(crate) fn milliseconds(&self) -> Option<(u32, FieldKind)> {
        let second = self.field("second_of_minute");
        MILLISECONDS.into_iter().find(|(byte, kind)| {
            let field = self.field(&format!("{MILLISECONDS_AT}{byte}:{kind}"));
            field.are_milliseconds_of(second)
        })
    }

    /// The value of a field, if all traces looked at have the same.
    pub(crate) fn only_value(&self, name: &str) -> Option<i64> {
        let (_, values) = self.fields.iter().find(|(n, _)| n == name)?;
        values.first().copied().filter(|first| values.iter().all(|v| v == first))
    }

    /// Whether some trace looked at has a value of this field for which this holds.
    pub(crate) fn any(&self, name: &str, holds: impl Fn(i64) -> bool) -> bool {
        self.fields.iter().any(|(n, values)| n == name && values.iter().any(|v| holds(*v)))
    }

    /// Whether all traces looked at have the same values of the keys asked for.
    pub(crate) fn has_one_key(&self) -> bool {
        self.keys.iter().all(|key| Some(key) == self.keys.first())
    }

    /// Whether the keys asked for change from each trace to the next.
    pub(crate) fn has_single_traces(&self) -> bool {
        !self.pairs.is_empty() && self.pairs.iter().all(|&i| self.keys[i] != self.keys[i - 1])
    }

    /// Fields of which not all values are the same.
    pub(super) fn n_changing(&self) -> usize {
        let fields = self.fields.iter().filter(|(name, _)| !name.starts_with(MILLISECONDS_AT));
        fields.filter(|(_, values)| values.iter().any(|v| Some(v) != values.first())).count()
    }

    /// The values of a field; nothing if the headers lack it.
    pub(super) fn field(&self, name: &str) -> Runs<'_> {
        let values = self.fields.iter().find(|(n, _)| n == name).map_or(&[][..], |(_, values)| values);
        Runs::new(values, &self.pairs)
    }
}

/// One field of the sample, and its runs of equal values.
#[derive(Clone, Copy)]
pub(super) struct Runs<'a> {
    values: &'a [i64],
    pairs: &'a [usize],
    pub(super) n_changes: usize,
    ups: usize,
    /// Whether all traces looked at have the same value.
    pub(super) constant: bool,
}

/// Runs must be at least this long on average to be called gathers.
const MIN_MEAN: f64 = 1.5;
/// A field that changes in this share of the pairs changes from trace to trace.
const NEARLY_ALL: f64 = 0.95;
/// An ordered field reverses its direction in at most this share of its changes: where a new line starts.
const DISORDER: f64 = 0.1;

impl<'a> Runs<'a> {
    pub(super) fn new(values: &'a [i64], pairs: &'a [usize]) -> Self {
        let steps = || pairs.iter().filter(|_| !values.is_empty()).map(|&i| values[i].cmp(&values[i - 1]));
        Self {
            values,
            pairs,
            n_changes: steps().filter(|step| step.is_ne()).count(),
            ups: steps().filter(|step| step.is_gt()).count(),
            constant: values.iter().all(|v| Some(v) == values.first()),
        }
    }

    /// Mean length of the runs, or a lower bound if none was seen to end.
    pub(super) fn mean(self) -> f64 {
        self.pairs.len().max(1) as f64 / self.n_changes.max(1) as f64
    }

    /// Whether it has runs of several traces, of which there are several.
    pub(super) fn repeats(self) -> bool {
        !self.constant && self.mean() >= MIN_MEAN
    }

    /// Whether nearly every trace has another value than the one before.
    pub(super) fn changes_always(self) -> bool {
        self.n_changes > 0 && self.n_changes as f64 >= self.pairs.len() as f64 * NEARLY_ALL
    }

    /// Whether its values go up all the time, or down, with few exceptions.
    pub(super) fn is_in_order(self) -> bool {
        let against = self.ups.min(self.n_changes - self.ups);
        against as f64 <= self.n_changes as f64 * DISORDER
    }

    /// Whether its values never turn back.
    pub(super) fn is_monotonic(self) -> bool {
        self.ups == 0 || self.ups == self.n_changes
    }

    /// The value of all traces, if it is one, and not 0.
    pub(super) fn only_value(self) -> Option<i64> {
        self.values.first().copied().filter(|&v| self.constant && v != 0)
    }

    /// Whether both have their runs in the same places.
    pub(super) fn has_runs_of(self, other: Self) -> bool {
        let differs = |i: usize| self.differs_at(i) != other.differs_at(i);
        !self.constant && !other.constant && !self.pairs.iter().any(|&i| differs(i))
    }

    /// Whether it changes within most runs of `key` that have several traces.
    pub(super) fn changes_inside(self, key: Self) -> bool {
        let inside = || self.pairs.iter().filter(|&&i| !key.differs_at(i));
        let n = inside().filter(|&&i| self.differs_at(i)).count();
        n > 0 && n * 2 >= inside().count()
    }

    /// Whether these are milliseconds after the second: 0 to 999, rising from trace to trace within a second, never falling.
    fn are_milliseconds_of(self, second: Self) -> bool {
        let in_range = self.values.iter().all(|v| (0..1000).contains(v));
        let inside = || self.pairs.iter().filter(|&&i| !second.differs_at(i));
        in_range
            && self.n_changes > 0
            && !second.values.is_empty()
            && inside().any(|&i| self.values[i] > self.values[i - 1])
            && inside().all(|&i| self.values[i] >= self.values[i - 1])
    }

    /// Whether it runs one way inside the runs of `key` and turns back at their ends, as channels and offsets do.
    pub(super) fn restarts_with(self, key: Self) -> bool {
        if self.values.is_empty() {
            return false;
        }
        let step = |i: usize| (self.values[i] > self.values[i - 1], self.values[i] < self.values[i - 1]);
        let count = |at_ends: bool| {
            let steps = self.pairs.iter().filter(|&&i| key.differs_at(i) == at_ends).map(|&i| step(i));
            steps.fold((0usize, 0usize), |(up, down), (u, d)| (up + usize::from(u), down + usize::from(d)))
        };
        let (inside, ends) = (count(false), count(true));
        let mostly = |(a, b): (usize, usize)| a > 4 * b;
        let turned = |(a, b): (usize, usize)| (b, a);
        (mostly(inside) && mostly(turned(ends))) || (mostly(turned(inside)) && mostly(ends))
    }

    /// Whether the trace at this position has another value than the one before.
    pub(super) fn differs_at(self, i: usize) -> bool {
        !self.values.is_empty() && self.values[i] != self.values[i - 1]
    }
}

#[cfg(test)]
impl Sample {
    /// Neighbouring traces with these values.
    pub(super) fn of(columns: &[(&str, &[i64])]) -> Self {
        let n_read = columns[0].1.len();
        let fields = columns.iter().map(|(name, values)| ((*name).to_owned(), values.to_vec())).collect();
        Self { fields, pairs: (1..n_read).collect(), keys: Vec::new(), n_traces: n_read as u64, n_read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_at_the_first_trace_and_end_at_the_last() {
        assert_eq!(windows(1000), vec![0..1000; 1]);
        assert_eq!(windows(1001), [0..250, 250..500, 500..750, 751..1001]);
        let spread = windows(12_000_000);
        assert_eq!((spread[0].start, spread[3].end), (0, 12_000_000));
        assert_eq!(spread.iter().map(|w| w.end - w.start).sum::<u64>(), 1000);
    }

    #[test]
    fn a_counter_restarts_with_its_gathers_and_not_with_others() {
        let pairs: Vec<usize> = (1..8).collect();
        let counter = Runs::new(&[1, 2, 3, 4, 1, 2, 3, 4], &pairs);
        assert!(counter.restarts_with(Runs::new(&[5, 5, 5, 5, 6, 6, 6, 6], &pairs)));
        assert!(!counter.restarts_with(Runs::new(&[5, 5, 6, 6, 7, 7, 8, 8], &pairs)));
    }

    #[test]
    fn what_lies_between_windows_is_no_change() {
        let runs = Runs::new(&[1, 1, 2, 2], &[1, 3]);
        assert_eq!((runs.n_changes, runs.repeats()), (0, true));
    }
}

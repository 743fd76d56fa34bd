//! The keys of all traces from the headers of a few, where these show a sorted grid without holes.
//!
//! In such a file one key changes from each trace to the next and comes back to its first value after a line, where
//! the next key changes, and so on: the headers of the first line, and the first of each line, are the whole axes. What the
//! other headers say is checked by the workers, who read them anyway; where one says something else, the import begins
//! again with a scan.

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::gather::Keys;
use crate::grid::scan::{LAST_BYTES, Level, Records, Wanted, whole};
use crate::input::traces::Inputs;
use crate::segy::Access;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::store;

/// Headers read at most.
const MOST_HEADERS: u64 = 1 << 17;
/// Lines whose last trace is looked at.
const CHECKED_LINES: u64 = 256;

/// Records with the keys that the headers of a few traces show for all, without coordinates; `None` if they do not show a
/// sorted grid, or lie in an object store, where each would be a request.
///
/// # Errors
/// `Error::Input` for a file that cannot be read.
pub(crate) fn records(wanted: &Wanted, cancel: &CancelHandle) -> Result<Option<Records>> {
    if wanted.counts_traces || wanted.files.iter().any(|file| store::is_remote(&file.input.path)) {
        return Ok(None);
    }
    let mut headers = Headers::new(wanted)?;
    let Some(mut levels) = levels(&mut headers, cancel)? else { return Ok(None) };
    let keys_of = |trace: u64, keys: &mut [i64]| {
        levels.iter().for_each(|(key, level)| keys[*key] = level.of(trace) as i64);
    };
    let line = levels.first().map_or(1, |(_, level)| level.numbers.len() as u64);
    let n_lines = headers.n_traces / line;
    let mut expected = vec![0; wanted.keys.len()];
    for i in 0..CHECKED_LINES.min(n_lines) {
        let last = (i * n_lines / CHECKED_LINES.min(n_lines) + 1) * line - 1;
        keys_of(last, &mut expected);
        if headers.keys(last)?.as_ref() != Some(&expected) {
            return Ok(None);
        }
    }
    levels.sort_by_key(|(key, _)| *key);
    let levels = levels.into_iter().map(|(_, level)| level).collect();
    Ok(Some(Records::of_levels(wanted, levels, headers.uses_last_bytes)))
}

/// The keys by number, from the fastest to the slowest; `None` if they do not make a grid of all traces.
fn levels(headers: &mut Headers, cancel: &CancelHandle) -> Result<Option<Vec<(usize, Level)>>> {
    let Some(first) = headers.keys(0)? else { return Ok(None) };
    let (mut levels, mut period): (Vec<(usize, Level)>, u64) = (Vec::new(), 1);
    while period < headers.n_traces {
        cancel.check()?;
        let Some(next) = headers.keys(period)? else { return Ok(None) };
        let mut changed = (0..first.len()).filter(|&key| next[key] != first[key]);
        let (Some(key), None) = (changed.next(), changed.next()) else { return Ok(None) };
        if levels.iter().any(|(other, _)| *other == key) {
            return Ok(None);
        }
        let mut values = vec![first[key]];
        for trace in (period..headers.n_traces).step_by(period as usize) {
            let Some(keys) = headers.keys(trace)? else { return Ok(None) };
            if (0..first.len()).any(|other| other != key && keys[other] != first[other]) || keys[key] == first[key] {
                break;
            }
            values.push(keys[key]);
            if headers.n_read > MOST_HEADERS {
                return Ok(None);
            }
        }
        let n = values.len() as u64;
        let is_sorted = values.is_sorted_by(|a, b| a < b) || values.is_sorted_by(|a, b| a > b);
        if !is_sorted || !(headers.n_traces / period).is_multiple_of(n) {
            return Ok(None);
        }
        levels.push((key, Level { period, numbers: values.iter().map(|&value| value as u64).collect() }));
        period *= n;
    }
    Ok((levels.len() == first.len() && period == headers.n_traces).then_some(levels))
}

/// Single headers.
pub(crate) struct Headers<'a> {
    wanted: &'a Wanted<'a>,
    inputs: Inputs<'a>,
    keys: Keys,
    header_bytes: usize,
    buffer: Vec<u8>,
    pub n_traces: u64,
    n_read: u64,
    uses_last_bytes: bool,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(wanted: &'a Wanted<'a>) -> Result<Self> {
        let last = wanted.files.last().ok_or_else(|| Error::Usage("there is no input file".into()))?;
        Ok(Self {
            wanted,
            inputs: Inputs::new(wanted.files, wanted.io, Access::Headers),
            keys: Keys::new(wanted.keys, last.layout.byte_order)?,
            header_bytes: last.layout.header_bytes(),
            buffer: Vec::new(),
            n_traces: last.end_trace(),
            n_read: 0,
            uses_last_bytes: false,
        })
    }

    /// The keys of a trace; `None` if one is not a whole number.
    pub(crate) fn keys(&mut self, trace: u64) -> Result<Option<Vec<i64>>> {
        let place = self.inputs.stretch(trace, 1)?;
        let header = place.file.bytes(place.offset, self.header_bytes, &mut self.buffer)?;
        let mut values = vec![0; self.wanted.keys.len()];
        self.keys.read(header, &mut values);
        self.n_read += 1;
        let last = header.get(LAST_BYTES..TRACE_HEADER_BYTES).unwrap_or_default();
        self.uses_last_bytes |= last.iter().any(|&byte| byte != 0);
        for (_, value) in self.wanted.keys.iter().zip(&mut values).filter(|(key, _)| key.is_computed()) {
            let Some(number) = whole(f64::from_bits(*value as u64)) else { return Ok(None) };
            *value = number;
        }
        Ok(Some(values))
    }
}

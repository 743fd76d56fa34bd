//! Gathers: runs of consecutive traces with equal key values, and finding where one begins.

pub(crate) mod choice;
pub(crate) mod index;
pub(crate) mod runs;
pub(crate) mod sample;

use serde::{Deserialize, Serialize};

use crate::base::error::Result;
use crate::input::traces::Inputs;
use crate::segy::fields::FieldKind;
use crate::segy::{ByteOrder, Layout};
use crate::table::{Computed, Formula, read_integer};

/// A header field that is part of the gather key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherKey {
    /// Column name in `headers.parquet`.
    pub name: String,
    /// First byte in the trace header, from 1.
    pub first_byte: u32,
    pub kind: FieldKind,
    /// The formula, for a computed column, which has no bytes of its own.
    #[serde(default)]
    pub formula: Option<Computed>,
}

impl GatherKey {
    /// Whether its values are doubles, stored as their bits.
    pub fn is_computed(&self) -> bool {
        self.formula.is_some()
    }
}

/// The gather key values of one trace: a uint64 field as the bits of an int64, a computed column as the bits of the
/// double, with those of `f64::NAN` for undefined.
pub(crate) type KeyValues = Vec<i64>;

/// Reads gather keys from headers.
pub(crate) struct Keys {
    keys: Vec<(GatherKey, Option<Formula>)>,
    order: ByteOrder,
}

impl Keys {
    pub(crate) fn new(keys: &[GatherKey], order: ByteOrder) -> Result<Self> {
        let formula = |key: &GatherKey| key.formula.as_ref().map(Formula::new).transpose();
        let keys = keys.iter().map(|key| Ok((key.clone(), formula(key)?))).collect::<Result<_>>()?;
        Ok(Self { keys, order })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Reads the values from one header into `values`, which has exactly one place for each.
    pub(crate) fn read(&self, header: &[u8], values: &mut [i64]) {
        for ((key, formula), out) in self.keys.iter().zip(values) {
            *out = match formula {
                None => read_integer(header, key.first_byte, key.kind, self.order),
                Some(formula) => {
                    let value = formula.value(header, self.order);
                    (if value.is_nan() { f64::NAN } else { value }).to_bits() as i64
                }
            };
        }
    }
}

/// Reads gather keys of single traces.
pub(crate) struct KeyReader<'a> {
    inputs: Inputs<'a>,
    layout: &'a Layout,
    keys: Keys,
    buffer: Vec<u8>,
    /// Where mapped pages were last dropped.
    last_offset: u64,
    /// The trace read last, and the offset up from which bytes before it have been announced for reading.
    before: Option<u64>,
    ahead_from: u64,
    /// Bytes to announce next.
    ahead_bytes: u64,
}

/// Headers further apart than this share no mapped pages worth keeping.
const RELEASE_DISTANCE: u64 = 1 << 20;
/// Bytes to read ahead when walking back from trace to trace: at first, and in a long gather.
const WALK_BYTES: [u64; 2] = [128 << 10, 1 << 20];

impl<'a> KeyReader<'a> {
    /// `layout` is that of the first file and applies to all of them.
    pub(crate) fn new(inputs: Inputs<'a>, layout: &'a Layout, keys: &[GatherKey]) -> Result<Self> {
        let keys = Keys::new(keys, layout.byte_order)?;
        Ok(Self {
            inputs,
            layout,
            keys,
            buffer: Vec::new(),
            last_offset: 0,
            before: None,
            ahead_from: 0,
            ahead_bytes: 0,
        })
    }

    /// The key values of trace `index` (from 0) after the number of its file, since gathers end with their file.
    pub(crate) fn read(&mut self, index: u64) -> Result<KeyValues> {
        let place = self.inputs.stretch(index, 1)?;
        let offset = place.offset;
        if self.before == Some(index + 1) {
            if offset < self.ahead_from {
                self.ahead_from = offset.saturating_sub(self.ahead_bytes);
                place.file.expect_read(self.ahead_from, (offset - self.ahead_from) as usize);
                self.ahead_bytes = (2 * self.ahead_bytes).min(WALK_BYTES[1]);
            }
        } else {
            (self.ahead_from, self.ahead_bytes) = (offset, WALK_BYTES[0]);
        }
        self.before = Some(index);
        let header = place.file.bytes(offset, self.layout.header_bytes(), &mut self.buffer)?;
        let mut values = vec![i64::from(place.file_index); 1 + self.keys.len()];
        self.keys.read(header, &mut values[1..]);
        if offset.abs_diff(self.last_offset) > RELEASE_DISTANCE {
            place.file.release_around(self.last_offset);
            self.last_offset = offset;
        }
        Ok(values)
    }
}

/// The result of probing back from a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatherStart {
    /// The first trace of the gather.
    Found(u64),
    /// The gather begins further back than the probe can look.
    BeyondReach,
}

/// Walks back from `trace`, one header at a time, to the first trace of its gather: at most `max_probe` headers.
pub(crate) fn probe_back(
    trace: u64,
    max_probe: u64,
    key_of: &mut impl FnMut(u64) -> Result<KeyValues>,
) -> Result<GatherStart> {
    let key = key_of(trace)?;
    let furthest = trace.saturating_sub(max_probe);
    let mut start = trace;
    while start > furthest {
        if key_of(start - 1)? != key {
            return Ok(GatherStart::Found(start));
        }
        start -= 1;
    }
    Ok(if start == 0 { GatherStart::Found(0) } else { GatherStart::BeyondReach })
}

/// Whether the gather of `trace` seems to extend back over `distance` traces: the traces 1, 2, 4 … before it and the
/// one at the distance have the same key.
pub(crate) fn seems_unchanged(
    trace: u64,
    distance: u64,
    key: &KeyValues,
    key_of: &mut impl FnMut(u64) -> Result<KeyValues>,
) -> Result<bool> {
    let doubling = std::iter::successors(Some(1u64), |d| d.checked_mul(2)).take_while(|&d| d < distance);
    for back in std::iter::once(0).chain(doubling).chain([distance]) {
        if key_of(trace - back)? != *key {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(keys: &[i64], trace: u64, max_probe: u64) -> GatherStart {
        probe_back(trace, max_probe, &mut |i| Ok(vec![keys[i as usize]])).unwrap()
    }

    #[test]
    fn the_probe_stops_at_the_first_trace_of_the_gather() {
        let keys = [1, 1, 2, 2, 2, 2, 3];
        assert_eq!(probe(&keys, 5, 100), GatherStart::Found(2));
        assert_eq!(probe(&keys, 2, 100), GatherStart::Found(2));
        assert_eq!(probe(&keys, 6, 100), GatherStart::Found(6));
        assert_eq!(probe(&keys, 1, 100), GatherStart::Found(0));
    }

    #[test]
    fn the_probe_goes_no_further_than_it_may() {
        let keys = [7; 50];
        assert_eq!(probe(&keys, 40, 39), GatherStart::BeyondReach);
        assert_eq!(probe(&keys, 40, 40), GatherStart::Found(0));
    }

    #[test]
    fn a_boundary_is_seen_with_the_last_header_the_probe_may_read() {
        let keys = [1, 2, 2, 2, 2, 2];
        assert_eq!(probe(&keys, 5, 5), GatherStart::Found(1));
        assert_eq!(probe(&keys, 5, 4), GatherStart::BeyondReach);
    }
}

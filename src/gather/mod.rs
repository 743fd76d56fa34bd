//! Gathers: runs of consecutive traces with equal key values, and finding where one begins.

pub mod index;
pub mod runs;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::headers::read_integer;
use crate::segy::fields::FieldKind;
use crate::segy::{Layout, SegyFile};

/// A header field whose value is part of what makes a gather.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherKey {
    /// Column name in `headers.parquet`.
    pub name: String,
    /// First byte in the header of a trace, from 1.
    pub first_byte: u32,
    pub kind: FieldKind,
}

/// The values of the gather keys of one trace; those of a uint64 field as the bits of an int64.
pub type KeyValues = Vec<i64>;

/// Reads the gather keys of single traces.
pub struct KeyReader<'a> {
    file: &'a SegyFile,
    layout: &'a Layout,
    keys: &'a [GatherKey],
    buffer: Vec<u8>,
    /// Where mapped pages were last dropped.
    last_offset: u64,
}

/// Headers further apart than this share no mapped pages worth keeping.
const RELEASE_DISTANCE: u64 = 1 << 20;

impl<'a> KeyReader<'a> {
    pub fn new(file: &'a SegyFile, layout: &'a Layout, keys: &'a [GatherKey]) -> Self {
        Self { file, layout, keys, buffer: Vec::new(), last_offset: 0 }
    }

    /// The key values of trace `index`, from 0.
    pub fn read(&mut self, index: u64) -> Result<KeyValues> {
        let offset = self.layout.trace_offset(index);
        let header = self.file.bytes(offset, self.layout.header_bytes(), &mut self.buffer)?;
        let order = self.layout.byte_order;
        let values = self.keys.iter().map(|k| read_integer(header, k.first_byte, k.kind, order)).collect();
        if offset.abs_diff(self.last_offset) > RELEASE_DISTANCE {
            self.file.release_around(self.last_offset);
            self.last_offset = offset;
        }
        Ok(values)
    }
}

/// What probing back from a trace found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatherStart {
    /// The first trace of the gather.
    Found(u64),
    /// The gather begins further back than the probe may go.
    BeyondReach,
}

/// Goes back from `trace`, one header at a time, to the first trace of its gather: at most `max_probe` headers.
pub fn probe_back(
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

/// Whether the gather of `trace` seems to go back over `distance` traces: it, those 1, 2, 4 … before it
/// and the one at the distance have the key.
pub fn seems_unchanged(
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

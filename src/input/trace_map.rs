//! Which traces of the input files are taken: a bit for each, in a file, of which a block at a time is in memory.

use std::fmt;
use std::fs::File;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result, failed};
use crate::base::system::FileExt;
use crate::store::{Place, Reader};

/// Traces in a block.
pub(crate) const BLOCK_TRACES: u64 = 65_536;
const WORD: u64 = u64::BITS as u64;
/// Bytes of a block: little-endian words of 64 traces.
pub(crate) const BLOCK_BYTES: usize = (BLOCK_TRACES / 8) as usize;

/// The traces that are taken of a file, if not all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakenTraces {
    /// How many.
    pub n: u64,
    /// Number of the file's first trace among those of all files.
    pub first: u64,
    /// CRC-32C of the map of all files.
    pub map_crc32c: u32,
    /// Traces of all files in the map.
    pub n_in_map: u64,
    #[serde(skip)]
    pub map: OpenMap,
}

/// The map, once it is known where it is.
#[derive(Clone, Default)]
pub struct OpenMap(pub Option<Arc<TraceMap>>);

impl fmt::Debug for OpenMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "a map" } else { "no map" })
    }
}

/// The checksum beside it tells maps apart.
impl PartialEq for OpenMap {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl OpenMap {
    /// # Errors
    /// `Error::Failed` for a plan whose map has not been looked for.
    pub(crate) fn get(&self) -> Result<&Arc<TraceMap>> {
        self.0.as_ref().ok_or_else(|| Error::Failed("the map of the traces is missing".into()))
    }
}

/// Where the bits are.
enum Source {
    File(File),
    Place(Place),
}

/// The same, opened.
enum Opened<'a> {
    File(&'a File),
    Place(Reader),
}

impl Opened<'_> {
    fn read(&self, block: u64, out: &mut [u8]) -> std::io::Result<()> {
        let at = block * BLOCK_BYTES as u64;
        match self {
            Self::File(file) => file.read_exact_at(out, at),
            Self::Place(reader) => reader.read_exact_at(out, at),
        }
    }
}

/// A bit for each trace of all files, in their order.
pub struct TraceMap {
    source: Source,
    n_traces: u64,
    /// Traces taken before each block, and all of them; counted when first asked for.
    before: OnceLock<Vec<u64>>,
}

impl TraceMap {
    /// A map in a file of this process.
    pub(crate) fn of_file(file: File, n_traces: u64) -> Self {
        Self { source: Source::File(file), n_traces, before: OnceLock::new() }
    }

    /// A map in the staging area.
    pub(crate) fn at(place: Place, n_traces: u64) -> Self {
        Self { source: Source::Place(place), n_traces, before: OnceLock::new() }
    }

    /// Hands over all bytes, block by block.
    pub(crate) fn each_block(&self, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
        let mut bytes = vec![0; BLOCK_BYTES];
        let opened = self.open()?;
        for block in 0..self.n_traces.div_ceil(BLOCK_TRACES) {
            opened.read(block, &mut bytes)?;
            take(&bytes)?;
        }
        Ok(())
    }

    /// How many are taken before trace `trace` of all.
    pub(crate) fn rank(&self, trace: u64) -> Result<u64> {
        let (block, within) = (trace / BLOCK_TRACES, trace % BLOCK_TRACES);
        let before = self.before()?.get(block as usize).copied().unwrap_or(0);
        if within == 0 {
            return Ok(before);
        }
        let words = self.block(block)?;
        let (word, bit) = ((within / WORD) as usize, within % WORD);
        let whole: u64 = words.iter().take(word).map(|word| u64::from(word.count_ones())).sum();
        let rest = words.get(word).map_or(0, |word| word & ((1 << bit) - 1));
        Ok(before + whole + u64::from(rest.count_ones()))
    }

    fn before(&self) -> Result<&[u64]> {
        if let Some(before) = self.before.get() {
            return Ok(before);
        }
        let (mut before, mut n) = (vec![0], 0);
        let count = |bytes: &[u8]| {
            n += bytes.as_chunks().0.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum::<u64>();
            before.push(n);
            Ok(())
        };
        self.each_block(count).map_err(|e| self.failed(e))?;
        Ok(self.before.get_or_init(|| before))
    }

    fn block(&self, block: u64) -> Result<Vec<u64>> {
        let mut bytes = vec![0; BLOCK_BYTES];
        self.open().and_then(|opened| opened.read(block, &mut bytes)).map_err(|e| self.failed(e))?;
        Ok(bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    fn open(&self) -> std::io::Result<Opened<'_>> {
        match &self.source {
            Source::File(file) => Ok(Opened::File(file)),
            Source::Place(place) => Reader::open(place).map(Opened::Place),
        }
    }

    fn failed(&self, e: std::io::Error) -> Error {
        match &self.source {
            Source::File(_) => failed("the map of the traces")(e),
            Source::Place(place) => failed(place.display())(e),
        }
    }
}

/// Finds traces in a map; the block it was at is kept.
#[derive(Default)]
pub(crate) struct MapCursor {
    at: Option<(u64, Vec<u64>)>,
}

impl MapCursor {
    /// The number among all traces of the one that is taken as number `nth` (both from 0), and how many taken ones come
    /// right after each other from there on: `most` at most, and no further than its block.
    pub(crate) fn find(&mut self, map: &TraceMap, nth: u64, most: u64) -> Result<(u64, u64)> {
        let before = map.before()?;
        let beyond = || Error::Failed(format!("trace {} is not in the map of the traces", nth + 1));
        let block = before.partition_point(|&n| n <= nth).checked_sub(1).ok_or_else(beyond)?;
        if block + 1 >= before.len() {
            return Err(beyond());
        }
        if self.at.as_ref().is_none_or(|(known, _)| *known != block as u64) {
            self.at = Some((block as u64, map.block(block as u64)?));
        }
        let words = self.at.as_ref().map(|(_, words)| words.as_slice()).unwrap_or_default();
        let start = select(words, nth - before[block]).ok_or_else(beyond)?;
        let end = BLOCK_TRACES.min(start.saturating_add(most));
        let is_taken = |bit: u64| words.get((bit / WORD) as usize).is_some_and(|word| word >> (bit % WORD) & 1 == 1);
        let n = (start..end).take_while(|&bit| is_taken(bit)).count() as u64;
        Ok((block as u64 * BLOCK_TRACES + start, n))
    }
}

/// The place of the bit with this number among those that are set.
fn select(words: &[u64], mut nth: u64) -> Option<u64> {
    for (i, &word) in words.iter().enumerate() {
        let n = u64::from(word.count_ones());
        if nth < n {
            let mut left = word;
            (0..nth).for_each(|_| left &= left - 1);
            return Some(i as u64 * WORD + u64::from(left.trailing_zeros()));
        }
        nth -= n;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of these traces of `n`.
    fn map(n: u64, traces: &[u64]) -> TraceMap {
        let file = tempfile::tempfile().unwrap();
        let map = TraceMap::of_file(file, n);
        let mut bytes = vec![0; n.div_ceil(BLOCK_TRACES) as usize * BLOCK_BYTES];
        traces.iter().for_each(|&trace| bytes[trace as usize / 8] |= 1 << (trace % 8));
        let Source::File(file) = &map.source else { unreachable!() };
        file.write_all_at(&bytes, 0).unwrap();
        map
    }

    proptest::proptest! {
        #[test]
        fn each_trace_is_found_with_those_right_after_it(
            gaps in proptest::collection::vec(proptest::prop_oneof![5 => 1u64..3, 1 => 1u64..90_000], 1..40), most in 1u64..9,
        ) {
            let traces: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at - 1) }).collect();
            let map = map(traces.last().unwrap() + 7, &traces);
            let mut cursor = MapCursor::default();
            for (nth, &trace) in traces.iter().enumerate() {
                let (found, n) = cursor.find(&map, nth as u64, most).unwrap();
                proptest::prop_assert_eq!(found, trace);
                let run = traces[nth..].windows(2).take_while(|pair| pair[0] + 1 == pair[1]).count() as u64 + 1;
                let in_block = BLOCK_TRACES - trace % BLOCK_TRACES;
                proptest::prop_assert_eq!(n, run.min(most).min(in_block));
                proptest::prop_assert_eq!(map.rank(trace).unwrap(), nth as u64);
                proptest::prop_assert_eq!(map.rank(trace + 1).unwrap(), nth as u64 + 1);
            }
            proptest::prop_assert!(cursor.find(&map, traces.len() as u64, most).is_err());
        }
    }
}

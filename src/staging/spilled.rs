//! The traces of an unsorted file as `spill` has written them again: in buckets, each with the traces of neighbouring units,
//! so that a worker finds what it needs in one place.
//!
//! A bucket has the bytes of its traces in file order, each followed by the trace's number. Beside the buckets are the headers
//! of all traces, each followed by its flags, for the header table. The mark is written last: without it they do not count,
//! and the input is read instead.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::system::boot_id;
use crate::grid::bricks::Cut;
use crate::grid::buckets::{BucketCut, MOST_BUCKETS, Spilled};
use crate::grid::places::Placed;
use crate::grid::{Grid, Key};
use crate::plan::Plan;
use crate::store::files::{find_json, write_json};
use crate::store::place::is_absence;
use crate::store::{Place, Reader};

/// Name of the directory in the staging area.
pub(super) const SPILL: &str = "spill";
const MARK: &str = "spill.json";
const HEADERS: &str = "headers.bin";
/// Bytes of a trace's number.
const NUMBER_BYTES: usize = 8;
/// Numbers of traces of the open buckets that are kept in memory, at most: 4 MiB.
const MOST_NUMBERS: u64 = 1 << 19;
/// Bytes of a bucket read at a time when it is opened.
const READ_BYTES: usize = 1 << 20;

/// Where spilled traces are.
pub(crate) struct SpillPaths {
    pub directory: Place,
    pub headers: Place,
    mark: Place,
}

impl SpillPaths {
    pub(crate) fn new(staging: &Place) -> Self {
        let directory = staging.join(SPILL);
        Self { headers: directory.join(HEADERS), mark: directory.join(MARK), directory }
    }

    /// The bucket with this number, from 0.
    pub(crate) fn bucket(&self, number: usize) -> Place {
        self.directory.join(format!("bucket_{number}.bin"))
    }
}

impl Spilled {
    /// What was spilled for a plan; `None` if that is not there, or not complete.
    ///
    /// # Errors
    /// `Error::Failed` if it is unknown whether it is there.
    pub(crate) fn find(plan: &Plan, staging: &Place) -> Result<Option<Self>> {
        if staging.is_remote() || plan.target.grid().is_none() {
            return Ok(None);
        }
        let found: Option<Self> = find_json(&SpillPaths::new(staging).mark)?;
        Ok(found.filter(|spilled| spilled.fits(plan) && (spilled.boot_id.is_none() || spilled.boot_id == boot_id())))
    }

    /// Says that all of it is there.
    pub(crate) fn mark(&self, staging: &Place) -> Result<()> {
        write_json(&SpillPaths::new(staging).mark, self)
    }

    fn fits(&self, plan: &Plan) -> bool {
        let (layout, Some(grid)) = (plan.layout(), plan.target.grid()) else { return false };
        let fits = match &self.cut {
            BucketCut::Units(ends) => ends.is_sorted() && ends.last() == Some(&grid.n_units),
            BucketCut::Keys(cut) => cut.is_of(grid.keys.iter().filter(|key| key.field.is_some()).count()),
        };
        let sizes = (self.stride, self.header_bytes) == (layout.stride(), layout.header_bytes());
        fits && sizes && self.cut.n_buckets() <= MOST_BUCKETS
    }

    /// The buckets of the unit with this ordinal, and this index along each key.
    fn buckets_of(&self, grid: &Grid, ordinal: u64, index: &[u64]) -> BTreeSet<usize> {
        match &self.cut {
            BucketCut::Units(ends) => BTreeSet::from([ends.partition_point(|end| *end <= ordinal)]),
            BucketCut::Keys(cut) => {
                let units = Cut::new(grid).unit;
                let range = |((key, i), unit): ((&Key, &u64), &u64)| {
                    let last = ((i + 1) * unit).min(key.n()).saturating_sub(1);
                    [i * unit, last].map(|place| key.values.at(place).unwrap_or(0))
                };
                let ranges: Vec<[i64; 2]> = grid.keys.iter().zip(index).zip(&units).map(range).collect();
                cut.buckets_of(&ranges)
            }
        }
    }
}

/// The buckets, those open that a unit needs.
pub(crate) struct Buckets {
    paths: SpillPaths,
    spilled: Spilled,
    open: BTreeMap<usize, Bucket>,
}

impl Buckets {
    /// Those of a plan, if its traces were spilled.
    pub(crate) fn find(plan: &Plan, staging: &Place) -> Result<Option<Self>> {
        let spilled = Spilled::find(plan, staging)?;
        Ok(spilled.map(|spilled| Self { paths: SpillPaths::new(staging), spilled, open: BTreeMap::new() }))
    }

    /// Opens the buckets of the unit with this ordinal, and this index along each key.
    pub(crate) fn turn_to(&mut self, grid: &Grid, ordinal: u64, index: &[u64], cancel: &CancelHandle) -> Result<()> {
        let wanted = self.spilled.buckets_of(grid, ordinal, index);
        self.open.retain(|number, bucket| {
            let stays = wanted.contains(number);
            if !stays {
                bucket.file.forget();
            }
            stays
        });
        let most_numbers = MOST_NUMBERS / wanted.len().max(1) as u64;
        for number in wanted {
            if let Entry::Vacant(vacant) = self.open.entry(number) {
                vacant.insert(Bucket::open(self.paths.bucket(number), self.spilled.stride, most_numbers, cancel)?);
            }
        }
        Ok(())
    }

    /// Reads the first of these traces, and those of them that follow it in its bucket, at most `most`. Each has
    /// [`Self::stride`] bytes. Returns how many.
    pub(crate) fn read(&self, traces: &[Placed], most: usize, out: &mut Vec<u8>) -> Result<usize> {
        let Some(first) = traces.first() else { return Ok(0) };
        let (bucket, at) = self.find_trace(first.trace)?;
        let mut n = 1;
        while n < most && n < traces.len() && bucket.number_at(at + n as u64)? == Some(traces[n].trace) {
            n += 1;
        }
        // Never shrunk, since growing it again would zero bytes.
        out.resize(out.len().max(n * bucket.record), 0);
        bucket.read(&mut out[..n * bucket.record], at)?;
        Ok(n)
    }

    /// The open bucket that a trace is in, and its place there.
    fn find_trace(&self, trace: u64) -> Result<(&Bucket, u64)> {
        for bucket in self.open.values() {
            if let Some(at) = bucket.find(trace)? {
                return Ok((bucket, at));
            }
        }
        let place = self.open.values().last().map_or(&self.paths.directory, |bucket| &bucket.path);
        Err(damaged(place))
    }

    /// Bytes from one trace to the next.
    pub(crate) fn stride(&self) -> usize {
        self.spilled.stride + NUMBER_BYTES
    }
}

fn damaged(place: &Place) -> Error {
    Error::Failed(format!("{}: is damaged; import or plan again with --fresh", place.display()))
}

/// Why a file of the spilled traces cannot be opened.
fn unopened(place: &Place) -> impl FnOnce(std::io::Error) -> Error {
    move |e| match is_absence(&e) {
        true => Error::Failed(format!("{}: is missing; import or plan again with --fresh", place.display())),
        false => failed(place.display())(e),
    }
}

/// A bucket, open.
struct Bucket {
    path: Place,
    file: Reader,
    /// Bytes of a trace and its number.
    record: usize,
    n_traces: u64,
    /// The numbers of the first trace, and every so many after it.
    numbers: Vec<u64>,
    every: u64,
}

impl Bucket {
    /// Reads all of it once: its numbers are known then, and the rest is in the page cache, where traces are read one by one.
    fn open(path: Place, stride: usize, most_numbers: u64, cancel: &CancelHandle) -> Result<Self> {
        let record = stride + NUMBER_BYTES;
        let open = || -> std::io::Result<(Reader, u64)> {
            let file = Reader::open(&path)?;
            let bytes = file.bytes()?;
            Ok((file, bytes))
        };
        let (file, bytes) = open().map_err(unopened(&path))?;
        let n_traces = bytes / record as u64;
        let every = n_traces.div_ceil(most_numbers.max(1)).max(1);
        let mut bucket = Self { path, file, record, n_traces, numbers: Vec::new(), every };
        if bytes % record as u64 != 0 {
            return Err(damaged(&bucket.path));
        }
        let at_a_time = (READ_BYTES / record).max(1);
        let mut buffer = vec![0; at_a_time * record];
        for first in (0..n_traces).step_by(at_a_time) {
            cancel.check()?;
            let n = (n_traces - first).min(at_a_time as u64) as usize;
            bucket.read(&mut buffer[..n * record], first)?;
            let records = (first..).zip(buffer[..n * record].chunks(record));
            bucket.numbers.extend(records.filter(|(at, _)| at % every == 0).filter_map(|(_, trace)| number_of(trace)));
        }
        bucket.file.expect_scattered();
        Ok(bucket)
    }

    /// Reads traces with their numbers, from this one of the bucket on.
    fn read(&self, out: &mut [u8], first: u64) -> Result<()> {
        self.file.read_exact_at(out, first * self.record as u64).map_err(failed(self.path.display()))
    }

    /// The number of a trace of the bucket; `None` after the last.
    fn number_at(&self, at: u64) -> Result<Option<u64>> {
        if at >= self.n_traces {
            return Ok(None);
        }
        if at.is_multiple_of(self.every) {
            return Ok(self.numbers.get((at / self.every) as usize).copied());
        }
        let mut bytes = [0; NUMBER_BYTES];
        let offset = (at + 1) * self.record as u64 - NUMBER_BYTES as u64;
        self.file.read_exact_at(&mut bytes, offset).map_err(failed(self.path.display()))?;
        Ok(Some(u64::from_le_bytes(bytes)))
    }

    /// Where a trace is in the bucket, if it is there.
    fn find(&self, trace: u64) -> Result<Option<u64>> {
        let known = self.numbers.partition_point(|number| *number <= trace) as u64;
        let mut low = known.saturating_sub(1) * self.every;
        let mut high = (known * self.every).min(self.n_traces);
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.number_at(middle)?.is_some_and(|number| number <= trace) { low = middle } else { high = middle }
        }
        Ok((self.number_at(low)? == Some(trace)).then_some(low))
    }
}

/// The number at the end of a record.
fn number_of(record: &[u8]) -> Option<u64> {
    record.last_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The headers of all traces, with their flags.
pub(crate) struct SpilledHeaders {
    path: Place,
    file: Reader,
    header_bytes: usize,
}

impl SpilledHeaders {
    /// Those of a plan, if its traces were spilled.
    pub(crate) fn find(plan: &Plan, staging: &Place) -> Result<Option<Self>> {
        let Some(Spilled { header_bytes, .. }) = Spilled::find(plan, staging)? else { return Ok(None) };
        let path = SpillPaths::new(staging).headers;
        let file = Reader::open(&path).map_err(unopened(&path))?;
        Ok(Some(Self { path, file, header_bytes }))
    }

    /// Reads the headers of some traces, [`Self::stride`] bytes apart, and their flags.
    pub(crate) fn read(&self, traces: &Range<u64>, out: &mut Vec<u8>, flags: &mut Vec<u8>) -> Result<()> {
        let stride = self.stride();
        out.resize((traces.end - traces.start) as usize * stride, 0);
        self.file.read_exact_at(out, traces.start * stride as u64).map_err(failed(self.path.display()))?;
        flags.clear();
        flags.extend(out.chunks_exact(stride).filter_map(|record| record.last()));
        Ok(())
    }

    /// Bytes from one header to the next.
    pub(crate) fn stride(&self) -> usize {
        self.header_bytes + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Place;

    /// A bucket of traces of three bytes, of which every so many are known.
    fn bucket(place: Place, numbers: &[u64], every: u64) -> Bucket {
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| [&[*n as u8; 3][..], &n.to_le_bytes()].concat()).collect();
        place.write(&bytes).unwrap();
        let mut bucket = Bucket::open(place, 3, MOST_NUMBERS, &CancelHandle::new()).unwrap();
        bucket.numbers = numbers.iter().copied().step_by(every as usize).collect();
        bucket.every = every;
        bucket
    }

    #[test]
    fn each_trace_of_a_bucket_is_found_however_few_numbers_are_known() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::to_write(directory.path()).unwrap().join("bucket");
        let numbers: Vec<u64> = (0..100).map(|i| 3 * i + i * i).collect();
        for every in [1, 2, 7, 99, 100, 1000] {
            let bucket = bucket(place.clone(), &numbers, every);
            for (at, number) in (0..).zip(&numbers) {
                assert_eq!(bucket.find(*number), Ok(Some(at)), "every {every}");
                assert_eq!(bucket.find(*number + 1), Ok(None));
            }
        }
        assert_eq!(bucket(place.clone(), &[], 1).numbers, [0; 0]);
        place.write(&[0; 12]).unwrap();
        let cut = Bucket::open(place, 3, MOST_NUMBERS, &CancelHandle::new());
        assert!(cut.err().unwrap().to_string().contains("is damaged"));
    }

    #[test]
    fn neighbours_in_a_bucket_are_read_together() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::to_write(directory.path()).unwrap();
        let paths = SpillPaths::new(&place);
        paths.directory.create_directory().unwrap();
        let bucket = bucket(paths.bucket(0), &[4, 9, 10, 30], 1);
        let spilled = Spilled { cut: BucketCut::Units(vec![1]), stride: 3, header_bytes: 2, boot_id: None };
        let open = BTreeMap::from([(0, bucket)]);
        let buckets = Buckets { paths, spilled, open };
        let placed = |numbers: &[u64]| numbers.iter().map(|&trace| Placed { trace, place: 0 }).collect::<Vec<_>>();
        let read = |numbers: &[u64], most| {
            let mut out = Vec::new();
            let n = buckets.read(&placed(numbers), most, &mut out).unwrap();
            (n, out.chunks(buckets.stride()).map(|trace| trace[0]).collect::<Vec<u8>>())
        };
        assert_eq!(read(&[4, 9, 10, 30], 9), (4, vec![4, 9, 10, 30]));
        assert_eq!(read(&[4, 9, 10, 30], 2), (2, vec![4, 9]));
        assert_eq!(read(&[4, 10, 30], 9), (1, vec![4]));
        assert_eq!(read(&[10, 30], 9), (2, vec![10, 30]));
    }
}

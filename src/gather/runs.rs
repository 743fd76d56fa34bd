//! Runs of traces with equal gather keys, as workers find them and store them for the merge.
//!
//! A segment's `gathers.bin` holds, for each run, its first trace and its key values, each as the difference from the
//! previous run (from 0 for the first), modulo 2^64, in the variable-length encoding of the Thrift compact protocol
//! (signed, so zigzag): two bytes for a short run with a single key that counts up. A run ends where the next one
//! begins, and the last one with the segment's rows.

use std::io::{ErrorKind, Read, Write};

use crate::base::error::{Error, Result, failed};
use crate::gather::{GatherKey, KeyValues, Keys};
use crate::parquet::zigzag;
use crate::segy::ByteOrder;
use crate::store::{Place, Reader, Stream, Writer};

/// Bytes of runs written and read at a time.
const BUFFER_BYTES: usize = 1 << 16;
/// The longest encoding of a number.
const MAX_CODE_BYTES: usize = 10;

/// Finds the runs in headers given in trace order, and writes them.
pub(crate) struct RunWriter {
    path: Place,
    file: Writer,
    buffer: Vec<u8>,
    keys: Keys,
    /// Keys of the previous trace.
    previous: KeyValues,
    current: KeyValues,
    /// First trace of the previous run.
    previous_start: u64,
    /// Whether the next trace starts a run regardless of its keys.
    begins: bool,
    n_runs: u64,
}

impl RunWriter {
    pub(crate) fn create(path: &Place, keys: &[GatherKey], order: ByteOrder) -> Result<Self> {
        let file = Writer::create(path).map_err(failed(path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            previous: vec![0; keys.len()],
            current: vec![0; keys.len()],
            keys: Keys::new(keys, order)?,
            previous_start: 0,
            begins: true,
            n_runs: 0,
        })
    }

    /// Starts a run at the next trace regardless of its keys: gathers end with their file.
    pub(crate) fn begin_file(&mut self) {
        self.begins = true;
    }

    /// Adds the headers of `n` traces from `first_trace` on, `stride` bytes apart in `block`.
    pub(crate) fn push(&mut self, first_trace: u64, block: &[u8], stride: usize, n: usize) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        for (trace, header) in (first_trace..).zip(block.chunks(stride).take(n)) {
            self.keys.read(header, &mut self.current);
            // Item by item: for one or two keys, calling `memcmp` takes longer.
            if std::mem::take(&mut self.begins) || self.current.iter().ne(&self.previous) {
                self.begin_run(trace)?;
            }
        }
        Ok(())
    }

    fn begin_run(&mut self, trace: u64) -> Result<()> {
        zigzag(trace.wrapping_sub(self.previous_start) as i64, &mut self.buffer);
        for (value, previous) in self.current.iter().zip(&self.previous) {
            zigzag(value.wrapping_sub(*previous), &mut self.buffer);
        }
        self.previous_start = trace;
        std::mem::swap(&mut self.previous, &mut self.current);
        self.n_runs += 1;
        if self.buffer.len() >= BUFFER_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer).map_err(failed(self.path.display()))?;
        self.buffer.clear();
        Ok(())
    }

    /// Completes the file. Returns the number of runs.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.write_out()?;
        self.file.finish().map_err(failed(self.path.display()))?;
        Ok(self.n_runs)
    }
}

/// Reads the runs of one segment in order.
pub(crate) struct RunReader {
    path: Place,
    file: Stream,
    /// Encoded bytes that were read; the first `n_left` are not decoded yet.
    buffer: Vec<u8>,
    n_left: usize,
    /// The previous run: its first trace and its keys.
    previous: Vec<i64>,
    runs: Vec<i64>,
}

impl RunReader {
    pub(crate) fn open(path: &Place, n_keys: usize) -> Result<Self> {
        let file = Reader::open(path).and_then(Reader::whole).map_err(failed(path.display()))?;
        let width = 1 + n_keys;
        let buffer = vec![0; BUFFER_BYTES.max(width * MAX_CODE_BYTES)];
        Ok(Self { path: path.to_owned(), file, buffer, n_left: 0, previous: vec![0; width], runs: Vec::new() })
    }

    /// The next runs, each as its first trace followed by its key values. Empty at the end.
    pub(crate) fn next_runs(&mut self) -> Result<&[i64]> {
        while self.n_left < self.buffer.len() {
            match self.file.read(&mut self.buffer[self.n_left..]) {
                Ok(0) => break,
                Ok(n) => self.n_left += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(self.path.display())(e)),
            }
        }
        self.runs.clear();
        let (mut rest, width) = (&self.buffer[..self.n_left], self.previous.len());
        while let Some(after) = take_run(rest, width, &mut self.runs) {
            rest = after;
            let n = self.runs.len();
            for (value, previous) in self.runs[n - width..].iter_mut().zip(&mut self.previous) {
                *previous = previous.wrapping_add(*value);
                *value = *previous;
            }
        }
        if self.runs.is_empty() && !rest.is_empty() {
            return Err(Error::Failed(format!("{}: is damaged: it ends inside a run", self.path.display())));
        }
        let n_rest = rest.len();
        self.buffer.copy_within(self.n_left - n_rest..self.n_left, 0);
        self.n_left = n_rest;
        Ok(&self.runs)
    }
}

/// Decodes one run. Returns the remaining bytes, or `None` if they end too early.
fn take_run<'a>(mut codes: &'a [u8], width: usize, runs: &mut Vec<i64>) -> Option<&'a [u8]> {
    let n_runs = runs.len();
    for _ in 0..width {
        let n = codes.iter().take(MAX_CODE_BYTES).position(|byte| byte & 0x80 == 0).map(|last| last + 1);
        let Some((code, after)) = n.map(|n| codes.split_at(n)) else {
            runs.truncate(n_runs);
            return None;
        };
        let bits = code.iter().rev().fold(0, |bits: u64, byte| bits << 7 | u64::from(byte & 0x7F));
        runs.push((bits >> 1) as i64 ^ -((bits & 1) as i64));
        codes = after;
    }
    Some(codes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::fields::FieldKind;

    /// The runs of traces with these 64-bit keys, written to a file and read back.
    fn there_and_back(keys: &[[u64; 2]]) -> (Vec<i64>, std::path::PathBuf, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gathers.bin");
        let key = |first_byte| GatherKey { name: "key".into(), first_byte, kind: FieldKind::U64, formula: None };
        let mut writer = RunWriter::create(&Place::of(&path).unwrap(), &[key(1), key(9)], ByteOrder::Big).unwrap();
        let block: Vec<u8> = keys.iter().flatten().flat_map(|key| key.to_be_bytes()).collect();
        let (front, after) = block.split_at(keys.len() / 3 * 16);
        writer.push(7, front, 16, front.len() / 16).unwrap();
        writer.push(7 + front.len() as u64 / 16, after, 16, after.len() / 16).unwrap();
        writer.finish().unwrap();
        let (mut reader, mut found) = (RunReader::open(&Place::of(&path).unwrap(), 2).unwrap(), Vec::new());
        loop {
            match reader.next_runs().unwrap() {
                [] => return (found, path, directory),
                some => found.extend_from_slice(some),
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(40))]
        #[test]
        fn runs_come_back_whatever_the_keys(keys in proptest::collection::vec([0u64..3, 0..u64::MAX], 0..40), n in 1usize..600) {
            // Enough to exceed one buffer.
            let keys: Vec<[u64; 2]> = keys.iter().flat_map(|&key| vec![key; 1 + n % 3]).cycle().take(keys.len() * n).collect();
            let mut expected = Vec::new();
            for (i, key) in keys.iter().enumerate() {
                if i == 0 || keys[i - 1] != *key {
                    expected.extend([7 + i as i64, key[0] as i64, key[1] as i64]);
                }
            }
            proptest::prop_assert!(there_and_back(&keys).0 == expected);
        }
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused() {
        let (_, path, _directory) = there_and_back(&[[1, u64::MAX], [5, 1 << 62]]);
        let whole = std::fs::read(&path).unwrap();
        let error_of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let mut reader = RunReader::open(&Place::of(&path).unwrap(), 2).unwrap();
            let all = std::iter::repeat_with(|| reader.next_runs().map(|runs| runs.is_empty()));
            all.take(3).collect::<crate::Result<Vec<bool>>>().map_err(|e| e.to_string())
        };
        assert_eq!(error_of(&whole), Ok(vec![false, true, true]));
        for damaged in [&whole[..whole.len() - 1], &[0xFF; 40], &[1]] {
            assert!(error_of(damaged).unwrap_err().ends_with("gathers.bin: is damaged: it ends inside a run"));
        }
    }
}

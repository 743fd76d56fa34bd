//! Runs of traces with equal gather keys, as a worker finds them and leaves them for the merge.
//!
//! The file `gathers.bin` of a segment holds, for each run, its first trace and its key values as little-endian
//! 64-bit integers. A run ends where the next one begins; the last one ends with the rows of the segment.

use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::{GatherKey, KeyValues, Keys};
use crate::error::{Error, Result, failed};
use crate::segy::ByteOrder;
use crate::store::{Reader, Stream, Writer, finish_buffered};

/// Finds the runs in headers that come in trace order and writes them down.
pub struct RunWriter {
    path: PathBuf,
    file: BufWriter<Writer>,
    keys: Keys,
    /// Keys of the trace before.
    previous: KeyValues,
    current: KeyValues,
    record: Vec<u8>,
    n_runs: u64,
}

impl RunWriter {
    pub fn create(path: &Path, keys: &[GatherKey], order: ByteOrder) -> Result<Self> {
        let file = Writer::create(path).map_err(failed(path.display()))?;
        let file = BufWriter::new(file);
        let (path, keys) = (path.to_owned(), Keys::new(keys, order)?);
        Ok(Self { path, file, keys, previous: Vec::new(), current: Vec::new(), record: Vec::new(), n_runs: 0 })
    }

    /// Begins a run with the next trace, whatever its keys: a gather ends with its file.
    pub fn begin_file(&mut self) {
        self.previous.clear();
    }

    /// The headers of `n` traces from `first_trace` on, each at a multiple of `stride` in `block`.
    pub fn push(&mut self, first_trace: u64, block: &[u8], stride: usize, n: usize) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        for (i, header) in block.chunks(stride).take(n).enumerate() {
            self.current.clear();
            self.current.extend(self.keys.values(header));
            if self.n_runs == 0 || self.current != self.previous {
                std::mem::swap(&mut self.previous, &mut self.current);
                self.begin_run(first_trace + i as u64)?;
            }
        }
        Ok(())
    }

    fn begin_run(&mut self, trace: u64) -> Result<()> {
        self.record.clear();
        self.record.extend_from_slice(&trace.to_le_bytes());
        for value in &self.previous {
            self.record.extend_from_slice(&value.to_le_bytes());
        }
        self.n_runs += 1;
        self.file.write_all(&self.record).map_err(failed(self.path.display()))
    }

    /// Completes the file. Returns the number of runs.
    pub fn finish(self) -> Result<u64> {
        finish_buffered(self.file).map_err(failed(self.path.display()))?;
        Ok(self.n_runs)
    }
}

/// A run: its first trace and its key values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub start_trace: u64,
    pub key: KeyValues,
}

/// Reads the runs of one segment in order.
pub struct RunReader {
    path: PathBuf,
    file: BufReader<Stream>,
    record: Vec<u8>,
    run: Run,
}

impl RunReader {
    pub fn open(path: &Path, n_keys: usize) -> Result<Self> {
        let file = Reader::open(path).and_then(Reader::whole).map_err(failed(path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 16, file),
            record: vec![0; 8 * (1 + n_keys)],
            run: Run::default(),
        })
    }

    /// The next run; `None` at the end.
    pub fn next_run(&mut self) -> Result<Option<&Run>> {
        let at_end = self.file.fill_at_end().map_err(failed(self.path.display()))?;
        if at_end {
            return Ok(None);
        }
        self.file.read_exact(&mut self.record).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => Error::Failed(format!("{}: ends inside a run", self.path.display())),
            _ => Error::Failed(format!("{}: {e}", self.path.display())),
        })?;
        let mut numbers = self.record.as_chunks::<8>().0.iter();
        self.run.start_trace = numbers.next().map_or(0, |b| u64::from_le_bytes(*b));
        self.run.key.clear();
        self.run.key.extend(numbers.map(|b| i64::from_le_bytes(*b)));
        Ok(Some(&self.run))
    }
}

trait FillAtEnd {
    fn fill_at_end(&mut self) -> std::io::Result<bool>;
}

impl FillAtEnd for BufReader<Stream> {
    fn fill_at_end(&mut self) -> std::io::Result<bool> {
        std::io::BufRead::fill_buf(self).map(<[u8]>::is_empty)
    }
}

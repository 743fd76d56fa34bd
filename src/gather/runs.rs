//! Runs of traces with equal gather keys, as a worker finds them and leaves them for the merge.
//!
//! The file `gathers.bin` of a segment holds, for each run, its first trace and its key values as little-endian
//! 64-bit integers. A run ends where the next one begins; the last one ends with the rows of the segment.

use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::{GatherKey, KeyValues, Keys};
use crate::error::{Error, Result, failed};
use crate::segy::ByteOrder;
use crate::store::{Reader, Stream, Writer, finish_buffered};

/// Bytes of runs that are read at a time.
const READ_BYTES: usize = 1 << 16;

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

/// Reads the runs of one segment in order.
pub struct RunReader {
    path: PathBuf,
    file: Stream,
    /// Bytes of one run.
    run_bytes: usize,
    buffer: Vec<u8>,
}

impl RunReader {
    pub fn open(path: &Path, n_keys: usize) -> Result<Self> {
        let file = Reader::open(path).and_then(Reader::whole).map_err(failed(path.display()))?;
        let run_bytes = 8 * (1 + n_keys);
        let buffer = vec![0; (READ_BYTES / run_bytes).max(1) * run_bytes];
        Ok(Self { path: path.to_owned(), file, run_bytes, buffer })
    }

    /// The next runs: for each its first trace and its key values, one number behind the other. Empty at the end.
    pub fn next_runs(&mut self) -> Result<&[[u8; 8]]> {
        let mut n = 0;
        while n < self.buffer.len() {
            match self.file.read(&mut self.buffer[n..]) {
                Ok(0) => break,
                Ok(read) => n += read,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(self.path.display())(e)),
            }
        }
        if !n.is_multiple_of(self.run_bytes) {
            return Err(Error::Failed(format!("{}: ends inside a run", self.path.display())));
        }
        Ok(self.buffer[..n].as_chunks().0)
    }
}

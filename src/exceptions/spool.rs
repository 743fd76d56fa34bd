//! The exceptions of one segment, written by a worker and read by the merge.
//!
//! `exceptions.bin` is a Zstandard stream of 16-byte records: trace (64 bits), sample and word (32 bits each), all
//! little-endian. It exists only if there are exceptions.

use std::io::{BufReader, ErrorKind, Read, Write};

use crate::base::error::{Error, Result, failed};
use crate::exceptions::Exception;
use crate::segy::samples::restore::RoundTrip;
use crate::store::{Place, Reader, Stream, Writer};

/// The trace number and most other bytes resemble those of the record before, which even the fastest level finds.
const ZSTD_LEVEL: i32 = 1;
const RECORD_BYTES: usize = 16;
/// Records buffered for the compressor.
const BUFFER_BYTES: usize = 1024 * RECORD_BYTES;

/// Finds and keeps the exceptions of a segment. Memory: a fixed buffer, however many there are.
pub(crate) struct SegmentExceptions {
    path: Place,
    /// `None` for formats that have no exceptions.
    round_trip: Option<RoundTrip>,
    stream: Option<zstd::stream::write::Encoder<'static, Writer>>,
    buffer: Vec<u8>,
    n: u64,
}

impl SegmentExceptions {
    /// Nothing is created before the first exception.
    pub(crate) fn new(path: &Place, round_trip: Option<RoundTrip>) -> Self {
        Self { path: path.to_owned(), round_trip, stream: None, buffer: Vec::new(), n: 0 }
    }

    /// Checks samples of one trace, from number `first_sample` on: `samples` as in the file, `stored` as converted.
    #[inline]
    pub(crate) fn check(&mut self, trace: u64, first_sample: u64, samples: &[u8], stored: &[u8]) -> Result<()> {
        let Some(round_trip) = self.round_trip else { return Ok(()) };
        round_trip.differences(samples, stored, |index, word| {
            self.push(Exception { trace, sample: (first_sample + index as u64) as u32, word })
        })
    }

    /// Adds one that was found elsewhere.
    pub(crate) fn push(&mut self, exception: Exception) -> Result<()> {
        self.n += 1;
        self.buffer.extend_from_slice(&exception.trace.to_le_bytes());
        self.buffer.extend_from_slice(&exception.sample.to_le_bytes());
        self.buffer.extend_from_slice(&exception.word.to_le_bytes());
        if self.buffer.len() >= BUFFER_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<()> {
        if self.stream.is_none() {
            let file = Writer::create(&self.path).map_err(failed(self.path.display()))?;
            let encoder = zstd::stream::write::Encoder::new(file, ZSTD_LEVEL).map_err(failed(self.path.display()))?;
            self.stream = Some(encoder);
        }
        if let Some(stream) = &mut self.stream {
            stream.write_all(&self.buffer).map_err(failed(self.path.display()))?;
        }
        self.buffer.clear();
        Ok(())
    }

    /// Completes the file, if there is one. Returns the number of exceptions.
    pub(crate) fn finish(mut self) -> Result<u64> {
        if !self.buffer.is_empty() {
            self.write_out()?;
        }
        if let Some(stream) = self.stream {
            stream.finish().and_then(Writer::finish).map_err(failed(self.path.display()))?;
        }
        Ok(self.n)
    }
}

/// Reads the exceptions of one segment in order.
pub(crate) struct SegmentReader {
    path: Place,
    stream: zstd::stream::read::Decoder<'static, BufReader<Stream>>,
    left: u64,
}

impl SegmentReader {
    /// Opens the file of a segment that wrote `n` exceptions.
    pub(crate) fn open(path: &Place, n: u64) -> Result<Self> {
        let file = Reader::open(path).and_then(Reader::whole).map_err(failed(path.display()))?;
        let stream = zstd::stream::read::Decoder::new(file).map_err(failed(path.display()))?;
        Ok(Self { path: path.to_owned(), stream, left: n })
    }

    /// The next exception; `None` at the end.
    pub(crate) fn next_exception(&mut self) -> Result<Option<Exception>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let mut record = [0; RECORD_BYTES];
        self.stream.read_exact(&mut record).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => Error::Failed(format!("{}: ends before its last record", self.path.display())),
            _ => Error::Failed(format!("{}: {e}", self.path.display())),
        })?;
        self.left = left;
        let number = u128::from_le_bytes(record);
        Ok(Some(Exception { trace: number as u64, sample: (number >> 64) as u32, word: (number >> 96) as u32 }))
    }
}

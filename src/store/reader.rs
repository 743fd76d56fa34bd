//! Reading files and objects: at any offset, from start to end, and for the Parquet library.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::base::system::{FileExt, Reading, advise_file, forget_file, reopened};
use crate::store::place::Place;
use crate::store::steps::Probe;
use crate::store::{Object, Writer};

/// Bytes copied at a time.
const COPY_BYTES: usize = 1 << 18;

/// A file or an object of known length.
pub(crate) enum Reader {
    File(File, Probe),
    Object(Arc<Object>),
}

impl Reader {
    /// Opens a regular file or an object.
    pub(crate) fn open(place: &Place) -> io::Result<Self> {
        if place.is_remote() {
            Object::open(&place.path()).map(Self::Object)
        } else {
            place.open().map(|file| Self::File(file, Probe::of(place)))
        }
    }

    /// Length in bytes.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        match self {
            Self::File(file, probe) => probe.step().and_then(|()| file.metadata()).map(|m| m.len()),
            Self::Object(object) => Ok(object.bytes()),
        }
    }

    /// Fills `out` from `offset` on.
    pub(crate) fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file, probe) => probe.step().and_then(|()| file.read_exact_at(out, offset)),
            Self::Object(object) => object.read_at(offset, out, offset + out.len() as u64),
        }
    }

    /// Tells the system that bytes here and there will be read, so that it reads no others ahead.
    pub(crate) fn expect_scattered(&self) {
        if let Self::File(file, _) = self {
            advise_file(file, 0, 0, Reading::Scattered);
        }
    }

    /// Tells the system that its bytes will not be read again soon, so that they need not stay in memory.
    pub(crate) fn forget(&self) {
        if let Self::File(file, _) = self {
            forget_file(file);
        }
    }

    /// Reads from `offset` up to `end`.
    pub(crate) fn stream(self, offset: u64, end: u64) -> io::Result<Stream> {
        match self {
            Self::File(mut file, probe) => {
                file.seek(SeekFrom::Start(offset))?;
                Ok(Stream::File(file.take(end.saturating_sub(offset)), probe))
            }
            Self::Object(object) => Ok(Stream::Object { object, offset, end }),
        }
    }

    /// Reads all of it.
    pub(crate) fn whole(self) -> io::Result<Stream> {
        let end = match &self {
            // A file may grow while it is read.
            Self::File(..) => u64::MAX,
            Self::Object(object) => object.bytes(),
        };
        self.stream(0, end)
    }
}

/// A part of a file or an object, read from start to end.
pub(crate) enum Stream {
    File(io::Take<File>, Probe),
    Object { object: Arc<Object>, offset: u64, end: u64 },
}

impl Stream {
    /// Copies the rest of it. From file to file the kernel does it.
    pub(crate) fn copy_to(&mut self, out: &mut Writer) -> io::Result<u64> {
        match (self, out) {
            (Self::File(file, _), Writer::File(out)) => {
                out.step()?;
                io::copy(file, &mut out.file)
            }
            (stream, out) => io::copy(&mut BufReader::with_capacity(COPY_BYTES, stream), out),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file, probe) => probe.step().and_then(|()| file.read(out)),
            Self::Object { object, offset, end } => {
                let last = object.bytes().min(*end);
                let n = last.saturating_sub(*offset).min(out.len() as u64) as usize;
                object.read_at(*offset, &mut out[..n], last)?;
                *offset += n as u64;
                Ok(n)
            }
        }
    }
}

/// A table as the library reads it: with its length known, since asking for it must not fail.
pub(crate) struct TableReader {
    reader: Reader,
    bytes: u64,
}

impl TableReader {
    /// Opens a regular file or an object.
    pub(crate) fn open(place: &Place) -> io::Result<Self> {
        let reader = Reader::open(place)?;
        let bytes = reader.bytes()?;
        Ok(Self { reader, bytes })
    }
}

impl Length for TableReader {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for TableReader {
    type T = BufReader<Stream>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let same = match &self.reader {
            Reader::File(file, probe) => Reader::File(reopened(file)?, probe.clone()),
            Reader::Object(object) => Reader::Object(object.clone()),
        };
        Ok(BufReader::new(same.stream(start, self.bytes)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // A damaged footer may point beyond the end.
        if self.bytes.checked_sub(length as u64).is_none_or(|last| last < start) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let mut bytes = vec![0; length];
        self.reader.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

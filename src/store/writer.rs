//! Writing files and objects from front to back.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::store::cloud::{Pending, Upload};
use crate::store::place::{Place, Probe};
use crate::store::sync::begin_sync;

/// The most that goes into a file in one call. ext4 makes a folio of the page cache as large as what is written, and on virtual
/// machines that give free memory back to their host, large ones have to be fetched from there: calls of 512 KiB took two to
/// three times as long as calls of 128 KiB (Linux 6.18, the page cache being freed and filled again), on tmpfs just as long.
const WRITE_BYTES: usize = 128 << 10;

/// A file or an object that is being written. An object is not there before it is finished; dropped before, it never is.
pub enum Writer {
    File(LocalFile),
    Object(Box<Upload>),
}

impl Writer {
    /// In the place of what is there.
    pub fn create(place: &Place) -> io::Result<Self> {
        if place.is_remote() {
            Upload::create(&place.path(), None).map(Self::object)
        } else {
            Self::file(place, place.create()?)
        }
    }

    /// As [`Self::create`], of so many bytes: a very long object is sent in parts that are fitted to it.
    pub fn create_sized(place: &Place, bytes: u64) -> io::Result<Self> {
        if place.is_remote() {
            Upload::create(&place.path(), Some(bytes)).map(Self::object)
        } else {
            Self::create(place)
        }
    }

    fn file(place: &Place, file: File) -> io::Result<Self> {
        Ok(Self::File(LocalFile { file, probe: Probe::of(place) }))
    }

    fn object(upload: Upload) -> Self {
        Self::Object(Box::new(upload))
    }

    /// Lets the disk begin with these bytes of a file that is going to be synced.
    pub fn begin_sync(&self, offset: u64, n: u64) {
        if let Self::File(file) = self {
            begin_sync(&file.file, offset, n);
        }
    }

    /// Completes it.
    pub fn finish(self) -> io::Result<()> {
        self.finish_later()?.map_or(Ok(()), Finishing::wait)
    }

    /// Completes it while the caller goes on. Where there is a result, it is complete once that has been waited for.
    pub fn finish_later(self) -> io::Result<Option<Finishing>> {
        Ok(match self {
            Self::File(_) => None,
            Self::Object(upload) => Some(Finishing(upload.finish()?)),
        })
    }
}

impl Write for Writer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => {
                file.step()?;
                file.file.write(&bytes[..bytes.len().min(WRITE_BYTES)])
            }
            Self::Object(upload) => upload.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.file.flush(),
            Self::Object(upload) => upload.flush(),
        }
    }
}

/// A file that is being written.
pub struct LocalFile {
    pub(super) file: File,
    probe: Probe,
}

impl LocalFile {
    /// Where tests make writing fail.
    pub(super) fn step(&self) -> io::Result<()> {
        self.probe.step()
    }
}

/// Completes what was written through a buffer.
pub fn finish_buffered(file: BufWriter<Writer>) -> io::Result<()> {
    file.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
}

/// The last of what is written, on its way.
pub struct Finishing(Pending);

impl Finishing {
    /// Waits until it is there.
    pub fn wait(self) -> io::Result<()> {
        self.0.wait()
    }
}

//! Writing files and objects from start to end.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::base::system::begin_sync;
use crate::store::cloud::{Pending, Upload};
use crate::store::place::Place;
use crate::store::steps::Probe;

/// The most bytes written to a file in one call. ext4 makes page cache folios as large as the write, and virtual
/// machines that return free memory to their host must first get large ones back: calls of 512 KiB took two to three
/// times as long as calls of 128 KiB (Linux 6.18, with the page cache being freed and refilled); on tmpfs there was no
/// difference.
const WRITE_BYTES: usize = 128 << 10;

/// A file or an object being written. An object exists only once finished; dropped before, it never does.
pub(crate) enum Writer {
    File(LocalFile),
    Object(Box<Upload>),
}

impl Writer {
    /// Replaces what is there.
    pub(crate) fn create(place: &Place) -> io::Result<Self> {
        if place.is_remote() {
            Upload::create(&place.path(), None).map(Self::object)
        } else {
            Self::file(place, place.create()?)
        }
    }

    /// As [`Self::create`] with a known length: a very long object gets larger parts.
    pub(crate) fn create_sized(place: &Place, bytes: u64) -> io::Result<Self> {
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

    /// Starts writing these bytes of a file to disk, ahead of the sync: otherwise the disk would be idle while more is
    /// converted.
    pub(crate) fn begin_sync(&self, offset: u64, n: u64) {
        if let Self::File(file) = self {
            begin_sync(&file.file, offset, n);
        }
    }

    /// Completes it.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.finish_later()?.map_or(Ok(()), Finishing::wait)
    }

    /// Completes it in the background. If there is a result, it is complete once that has been waited for.
    pub(crate) fn finish_later(self) -> io::Result<Option<Finishing>> {
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
pub(crate) struct LocalFile {
    pub(super) file: File,
    probe: Probe,
}

impl LocalFile {
    /// Lets tests make writing fail.
    pub(super) fn step(&self) -> io::Result<()> {
        self.probe.step()
    }
}

/// Completes what was written through a buffer.
pub(crate) fn finish_buffered(file: BufWriter<Writer>) -> io::Result<()> {
    file.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
}

/// The last request of an object, in flight.
pub(crate) struct Finishing(Pending);

impl Finishing {
    /// Waits until the object exists.
    pub(crate) fn wait(self) -> io::Result<()> {
        self.0.wait()
    }
}

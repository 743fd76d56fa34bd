//! A SEG-Y file as bytes at offsets, read through a memory map, positioned reads, or object store requests.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result, unreadable};
use crate::base::system::{self, FileExt, Reading};
use crate::store::{self, Object};

/// How the input is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Io {
    /// Memory map for single headers, positioned reads for whole traces.
    #[default]
    Auto,
    /// Memory map for everything. If the file shrinks meanwhile, the worker is killed.
    Mmap,
    /// Positioned reads for everything: for network file systems.
    Pread,
}

/// Widely spaced records requested at the same time from an object store.
const RECORDS_AHEAD: u64 = 16;
/// Records this far apart are requested one by one, without the bytes between them.
const FAR_BYTES: usize = 64 << 10;

/// Headers farther apart than this are read one by one.
pub(crate) const SPARSE_STRIDE_BYTES: usize = 8 << 10;
/// The same if the samples between them would be copied: a system call costs as much as copying this many bytes.
pub(crate) const COPIED_STRIDE_BYTES: usize = 2 << 10;

/// What is going to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Scattered headers.
    Headers,
    /// All headers in order, close together: a map needs no copy, while positioned reads would copy the samples too.
    DenseHeaders,
    /// All traces in order. Reading 512 KiB at a time into one buffer, which stays in the cache, is as fast as a map
    /// with its page faults, needs less memory, and if the file shrinks there is an error instead of a signal.
    Traces,
}

impl Io {
    /// The access to use in a process that nobody watches: a mapped file that shrinks would kill it.
    pub fn unwatched(self) -> Self {
        match self {
            Self::Auto | Self::Pread => Self::Pread,
            Self::Mmap => Self::Mmap,
        }
    }

    fn is_mapped(self, access: Access) -> bool {
        self == Self::Mmap || (self == Self::Auto && access != Access::Traces)
    }
}

/// An open input file of known length.
pub struct SegyFile {
    path: PathBuf,
    source: Source,
    /// Length of the tape label at the start, which is skipped: offsets count from its end.
    label_bytes: u64,
    len: u64,
    map: Option<Mmap>,
    /// Offset from which neighbouring bytes are swapped, if they are.
    pairwise_swapped_from: Option<u64>,
    /// What the first read said that failed, other than by the end of the file.
    failure: OnceLock<String>,
}

enum Source {
    File(File),
    /// Nothing at or after `end` will be read.
    Object {
        object: Arc<Object>,
        end: u64,
    },
}

impl SegyFile {
    /// Opens a regular file or an object for reading.
    ///
    /// # Errors
    /// `Error::Input` if it does not exist, is not a regular file, is empty or cannot be opened; `Error::Usage` for
    /// an invalid object store address.
    pub fn open(path: &Path, io: Io, access: Access) -> Result<Self> {
        if store::is_remote(path) {
            return Self::open_object(path);
        }
        if path == Path::new("-") {
            let hint = "SEG-Y is read in many places at once; write it to a file first";
            return Err(Error::Input(format!("-: standard input cannot be read; {hint}")));
        }
        // Check first: opening a pipe waits for a writer.
        let metadata = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
        if metadata.is_dir() {
            return Err(Error::Input(format!("{}: is a directory; name a SEG-Y file", path.display())));
        }
        if !metadata.is_file() {
            let hint = "SEG-Y is read in many places at once; copy it to a regular file first";
            return Err(Error::Input(format!("{}: is not a regular file; {hint}", path.display())));
        }
        let file = File::open(path).map_err(|e| unreadable(path, &e))?;
        let len = file.metadata().map_err(|e| unreadable(path, &e))?.len();
        if len == 0 {
            return Err(Error::Input(format!("{}: is empty", path.display())));
        }
        let map = match io.is_mapped(access).then(|| map(&file)) {
            // Mapping fails under an address space limit; positioned reads give the same bytes.
            Some(Err(_)) if io == Io::Auto => None,
            map => map.transpose().map_err(|e| unreadable(path, &e))?,
        };
        let source = Source::File(file);
        let file = Self::new(path, source, len, map);
        match access {
            Access::Headers => file.expect_scattered_reads(),
            Access::DenseHeaders | Access::Traces => file.expect_sequential_reads(),
        }
        Ok(file)
    }

    fn open_object(path: &Path) -> Result<Self> {
        store::check_address(path)?;
        let object = Object::open(path).map_err(|e| unreadable(path, &e))?;
        let len = object.bytes();
        if len == 0 {
            return Err(Error::Input(format!("{}: is empty", path.display())));
        }
        Ok(Self::new(path, Source::Object { object, end: len }, len, None))
    }

    fn new(path: &Path, source: Source, len: u64, map: Option<Mmap>) -> Self {
        let path = path.to_owned();
        Self { path, source, label_bytes: 0, len, map, pairwise_swapped_from: None, failure: OnceLock::new() }
    }

    /// Swaps neighbouring bytes from this even offset on, in everything read from now on (rev 2.1, bytes 3297-3300).
    pub fn swap_pairs_from(&mut self, offset: u64) {
        self.pairwise_swapped_from = Some(offset);
    }

    /// Skips a label of this even length at the start; offset 0 is now the byte after it.
    ///
    /// # Errors
    /// `Error::Input` if the file is shorter.
    pub fn skip_label(&mut self, bytes: u64) -> Result<()> {
        self.len = self.len.checked_sub(bytes).ok_or_else(|| self.ends_before(0, bytes as usize))?;
        self.label_bytes += bytes;
        Ok(())
    }

    /// The position of an offset in the whole file, counted from 1.
    pub fn byte_number(&self, offset: u64) -> u64 {
        self.label_bytes + offset + 1
    }

    /// Whether neighbouring bytes are swapped on reading.
    pub fn is_pairwise_swapped(&self) -> bool {
        self.pairwise_swapped_from.is_some()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes when opened, including a label.
    pub fn stored_len(&self) -> u64 {
        self.label_bytes + self.len
    }

    /// Length in bytes without the label.
    #[allow(clippy::len_without_is_empty, reason = "an empty file is refused on opening")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// `n` bytes at `offset`: a slice of the map, or of `buffer` filled from the file.
    ///
    /// # Errors
    /// `Error::Input` if the file ends too early or cannot be read.
    pub fn bytes<'a>(&'a self, offset: u64, n: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        match self.pairwise_swapped_from {
            Some(from) if offset + n as u64 > from => self.swapped_bytes(offset, n, from, buffer),
            _ => self.stored_bytes(offset, n, buffer),
        }
    }

    fn swapped_bytes<'a>(&self, offset: u64, n: usize, from: u64, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        if offset + n as u64 > self.len {
            return Err(self.ends_before(offset, n));
        }
        let (start, end) = (offset & !1, (offset + n as u64).next_multiple_of(2).min(self.len));
        let mut stored = Vec::new();
        buffer.clear();
        buffer.extend_from_slice(self.stored_bytes(start, (end - start) as usize, &mut stored)?);
        let untouched = from.saturating_sub(start).min(buffer.len() as u64) as usize;
        buffer[untouched..].as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        let skipped = (offset - start) as usize;
        Ok(&buffer[skipped..skipped + n])
    }

    fn stored_bytes<'a>(&'a self, offset: u64, n: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let stored = self.label_bytes + offset;
        match &self.map {
            Some(map) => {
                let range = usize::try_from(stored).ok().and_then(|start| Some(start..start.checked_add(n)?));
                range.and_then(|r| map.get(r)).ok_or_else(|| self.ends_before(offset, n))
            }
            None => {
                // Never shrunk, since growing it again would zero bytes.
                if buffer.len() < n {
                    buffer.resize(n, 0);
                }
                let buffer = &mut buffer[..n];
                let filled = match &self.source {
                    Source::File(file) => file.read_exact_at(buffer, stored),
                    Source::Object { object, end } => object.read_at(stored, buffer, *end),
                };
                filled.map_err(|e| match e.kind() {
                    io::ErrorKind::UnexpectedEof => self.ends_before(offset, n),
                    _ => {
                        let message = format!("{}: byte {}: cannot be read: {e}", self.path.display(), stored + 1);
                        Error::Input(self.failure.get_or_init(|| message).clone())
                    }
                })?;
                Ok(buffer)
            }
        }
    }

    /// Refuses the file if any read of it failed, other than by its end: where bytes that cannot be had count as bytes
    /// that do not fit, the answers are worth nothing then.
    ///
    /// # Errors
    /// `Error::Input`, of the first read that failed.
    pub fn check_reads(&self) -> Result<()> {
        self.failure.get().map_or(Ok(()), |message| Err(Error::Input(message.clone())))
    }

    /// Fills `buffer` with `n` records of `length` bytes, the first at `offset`, each `stride` bytes after the one
    /// before.
    pub fn records(&self, offset: u64, stride: usize, length: usize, n: usize, buffer: &mut Vec<u8>) -> Result<()> {
        let mut record = Vec::new();
        buffer.clear();
        let place = |i: u64| offset + i * stride as u64;
        for i in 0..n as u64 {
            if stride > FAR_BYTES {
                self.will_read_each(i, n as u64, length, place);
            }
            let at = place(i);
            buffer.extend_from_slice(self.bytes(at, length, &mut record)?);
            self.release(at, length);
        }
        Ok(())
    }

    /// The headers of `n` neighbouring traces, `stride` bytes from one to the next: bytes that begin with the first of
    /// them, and the distance between two of them there. Samples between them are read too where that is cheaper than
    /// skipping them.
    pub fn headers<'a>(
        &'a self,
        offset: u64,
        stride: usize,
        header_bytes: usize,
        n: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<(&'a [u8], usize)> {
        if stride <= SPARSE_STRIDE_BYTES && !self.is_faster_in_records(stride) {
            let length = n.saturating_sub(1) * stride + header_bytes;
            return Ok((self.bytes(offset, length, buffer)?, stride));
        }
        self.neighbouring_records(offset, stride, header_bytes, n, buffer)?;
        Ok((buffer, header_bytes))
    }

    /// Whether parts of traces are read faster one by one than with what lies between them, which would be copied.
    pub fn is_faster_in_records(&self, stride: usize) -> bool {
        self.map.is_none() && matches!(self.source, Source::File(_)) && stride > COPIED_STRIDE_BYTES
    }

    /// As [`Self::records`]. Where they are not far apart, the disk is asked for all that they lie in, which is faster.
    pub fn neighbouring_records(
        &self,
        offset: u64,
        stride: usize,
        length: usize,
        n: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<()> {
        if self.is_faster_in_records(stride) && stride <= SPARSE_STRIDE_BYTES {
            self.expect_read(offset, n.saturating_sub(1) * stride + length);
        }
        self.records(offset, stride, length, n, buffer)
    }

    /// A copy of `n` bytes at `offset`.
    pub fn copy(&self, offset: u64, n: usize) -> Result<Vec<u8>> {
        let mut buffer = Vec::new();
        Ok(self.bytes(offset, n, &mut buffer)?.to_vec())
    }

    /// Announces that these bytes will be read soon, so that they are requested from an object store; no effect on a
    /// file.
    pub fn will_read(&self, offset: u64, n: usize) {
        if let Source::Object { object, .. } = &self.source {
            object.will_read(self.label_bytes + offset, n);
        }
    }

    /// Called before reading record `i` of `n` widely spaced ones: now and then announces where it and the next ones
    /// lie.
    pub fn will_read_each(&self, i: u64, n: u64, length: usize, place: impl Fn(u64) -> u64) {
        if i.is_multiple_of(RECORDS_AHEAD) && matches!(self.source, Source::Object { .. }) {
            (i..(i + RECORDS_AHEAD).min(n)).for_each(|i| self.will_read(place(i), length));
        }
    }

    /// Announces that nothing at or after this offset will be read, so that nothing is requested there.
    pub fn read_no_further_than(&mut self, offset: u64) {
        if let Source::Object { end, .. } = &mut self.source {
            *end = (self.label_bytes + offset).min(*end);
        }
    }

    /// Announces that this many threads will read the file at the same time, each its own part.
    pub fn is_read_by(&self, threads: usize) {
        if let Source::Object { object, .. } = &self.source {
            object.is_read_by(threads);
        }
    }

    /// Tells the system to read ahead.
    pub fn expect_sequential_reads(&self) {
        self.advise(0, 0, Reading::InOrder);
    }

    /// Tells the system not to read ahead.
    pub fn expect_scattered_reads(&self) {
        self.advise(0, 0, Reading::Scattered);
    }

    /// Announces that these bytes will be read soon, even if reads are otherwise scattered.
    pub fn expect_read(&self, offset: u64, n: usize) {
        self.advise(self.label_bytes + offset, n, Reading::Soon);
    }

    /// Advises on `n` stored bytes, or on everything to the end if `n` is 0.
    fn advise(&self, stored: u64, n: usize, reading: Reading) {
        match (&self.map, &self.source) {
            (Some(map), _) => {
                let Ok(start) = usize::try_from(stored) else { return };
                let rest = map.len().saturating_sub(start);
                system::advise_map(map, start, if n == 0 { rest } else { n.min(rest) }, reading);
            }
            (None, Source::File(file)) => system::advise_file(file, stored, n as u64, reading),
            (None, Source::Object { .. }) => {}
        }
    }

    /// Unmaps the pages of these bytes to keep resident memory small. The page cache keeps them.
    pub fn release(&self, offset: u64, n: usize) {
        if let (Some(map), Ok(start)) = (&self.map, usize::try_from(self.label_bytes + offset)) {
            system::unmap_pages(map, start, n);
        }
    }

    /// Unmaps what reading single bytes at `offset` may have mapped: the kernel maps up to the whole huge page
    /// around.
    pub fn release_around(&self, offset: u64) {
        const HUGE_PAGE: u64 = 2 << 20;
        let start = offset / HUGE_PAGE * HUGE_PAGE;
        self.release(start, 2 * HUGE_PAGE as usize);
    }

    fn ends_before(&self, offset: u64, n: usize) -> Error {
        let path = self.path.display();
        Error::Input(format!(
            "{path}: byte {}: the file ends before the {n} bytes that belong there",
            self.byte_number(offset)
        ))
    }
}

fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is only read. If another process truncates the file, SIGBUS kills the worker and the
    // coordinator reports it; bytes that change are read as numbers, for which every bit pattern is valid.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_pairs_are_read_from_anywhere_and_none_beyond_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, [0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        for io in [Io::Mmap, Io::Pread] {
            let mut file = SegyFile::open(&path, io, Access::Traces).unwrap();
            file.swap_pairs_from(4);
            assert_eq!(file.copy(1, 6).unwrap(), [1, 2, 3, 5, 4, 7]);
            for (offset, n) in [(5, 4), (8, 1), (100, 1)] {
                let error = file.copy(offset, n).unwrap_err().to_string();
                assert!(error.contains("the file ends before"), "{error}");
            }
        }
    }
}

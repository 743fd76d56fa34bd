//! A SEG-Y file as bytes at offsets, through a memory map or positioned reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use memmap2::{Advice, Mmap, UncheckedAdvice};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, unreadable};

/// How the input is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Io {
    /// Single headers through a memory map, whole traces by positioned reads.
    #[default]
    Auto,
    /// All through a memory map. A file that shrinks meanwhile kills the worker.
    Mmap,
    /// All by positioned reads: for network file systems.
    Pread,
}

/// What is going to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A header here and there.
    Headers,
    /// All headers from front to back, where they lie close together: a map needs no copy, while a copy takes the samples too.
    DenseHeaders,
    /// The traces from front to back. Reading 512 KiB at a time into the same buffer, which stays in the cache, is as
    /// fast as a map and its page faults, needs less memory, and a file that shrinks is an error and no signal.
    Traces,
}

impl Io {
    fn is_mapped(self, access: Access) -> bool {
        self == Self::Mmap || (self == Self::Auto && access != Access::Traces)
    }
}

/// An open input file of known length.
pub struct SegyFile {
    path: PathBuf,
    file: File,
    /// Bytes of a label in front, which is left out: offsets count from behind it.
    label_bytes: u64,
    len: u64,
    map: Option<Mmap>,
    /// Offset from which on neighbouring bytes are exchanged, if they are.
    pairwise_swapped_from: Option<u64>,
}

impl SegyFile {
    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// `Error::Input` where it does not exist, is no regular file, is empty or cannot be opened.
    pub fn open(path: &Path, io: Io, access: Access) -> Result<Self> {
        // Before it is opened: opening a pipe waits for somebody to write to it.
        let metadata = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
        if metadata.is_dir() {
            return Err(Error::Input(format!("{}: is a directory; name a SEG-Y file", path.display())));
        }
        if !metadata.is_file() {
            let hint = "SEG-Y is read at many places at once, so copy it to a regular file first";
            return Err(Error::Input(format!("{}: is not a regular file; {hint}", path.display())));
        }
        let file = File::open(path).map_err(|e| unreadable(path, &e))?;
        let len = file.metadata().map_err(|e| unreadable(path, &e))?.len();
        if len == 0 {
            return Err(Error::Input(format!("{}: is empty", path.display())));
        }
        let map = match io.is_mapped(access).then(|| map(&file)) {
            // Under a limit on the address space; positioned reads give the same bytes.
            Some(Err(_)) if io == Io::Auto => None,
            map => map.transpose().map_err(|e| unreadable(path, &e))?,
        };
        let file = Self { path: path.to_owned(), file, label_bytes: 0, len, map, pairwise_swapped_from: None };
        match access {
            Access::Headers => file.expect_scattered_reads(),
            Access::DenseHeaders | Access::Traces => file.expect_sequential_reads(),
        }
        Ok(file)
    }

    /// Exchanges neighbouring bytes from this even offset on whenever they are read (rev 2.1, bytes 3297-3300).
    pub fn swap_pairs_from(&mut self, offset: u64) {
        self.pairwise_swapped_from = Some(offset);
    }

    /// Leaves out a label of so many bytes (an even number) in front: offset 0 is behind it from now on.
    ///
    /// # Errors
    /// `Error::Input` where the file is shorter.
    pub fn skip_label(&mut self, bytes: u64) -> Result<()> {
        self.len = self.len.checked_sub(bytes).ok_or_else(|| self.ends_before(0, bytes as usize))?;
        self.label_bytes += bytes;
        Ok(())
    }

    /// The number of the byte at an offset as it is counted in the whole file, from 1.
    pub fn byte_number(&self, offset: u64) -> u64 {
        self.label_bytes + offset + 1
    }

    /// Whether neighbouring bytes are exchanged when they are read.
    pub fn is_pairwise_swapped(&self) -> bool {
        self.pairwise_swapped_from.is_some()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes when it was opened, a label included.
    pub fn stored_len(&self) -> u64 {
        self.label_bytes + self.len
    }

    /// Length in bytes behind a label.
    #[allow(clippy::len_without_is_empty, reason = "an empty file is refused on opening")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// `n` bytes at `offset`: a slice of the map, or `buffer` filled from the file.
    ///
    /// # Errors
    /// `Error::Input` where the file ends before, or cannot be read.
    pub fn bytes<'a>(&'a self, offset: u64, n: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        match self.pairwise_swapped_from {
            Some(from) if offset + n as u64 > from => self.swapped_bytes(offset, n, from, buffer),
            _ => self.stored_bytes(offset, n, buffer),
        }
    }

    fn swapped_bytes<'a>(&self, offset: u64, n: usize, from: u64, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
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
                buffer.resize(n, 0);
                self.file.read_exact_at(buffer, stored).map_err(|e| match e.kind() {
                    io::ErrorKind::UnexpectedEof => self.ends_before(offset, n),
                    _ => Error::Input(format!("{}: byte {}: cannot be read: {e}", self.path.display(), stored + 1)),
                })?;
                Ok(buffer)
            }
        }
    }

    /// Fills `buffer` with `n` records of `length` bytes, the first at `offset` and each `stride` behind the one before.
    pub fn records(&self, offset: u64, stride: usize, length: usize, n: usize, buffer: &mut Vec<u8>) -> Result<()> {
        let mut record = Vec::new();
        buffer.clear();
        for i in 0..n as u64 {
            let at = offset + i * stride as u64;
            buffer.extend_from_slice(self.bytes(at, length, &mut record)?);
            self.release(at, length);
        }
        Ok(())
    }

    /// A copy of `n` bytes at `offset`.
    pub fn copy(&self, offset: u64, n: usize) -> Result<Vec<u8>> {
        let mut buffer = Vec::new();
        Ok(self.bytes(offset, n, &mut buffer)?.to_vec())
    }

    /// Says that reading goes through the file from front to back, so that the kernel reads ahead.
    pub fn expect_sequential_reads(&self) {
        // Advice only: where the kernel does not take it, the reads are slower and nothing else.
        if let Some(map) = &self.map {
            let _ = map.advise(Advice::Sequential);
        } else {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::Sequential);
        }
    }

    /// Says that reading takes little here and there, so that the kernel reads nothing ahead.
    pub fn expect_scattered_reads(&self) {
        if let Some(map) = &self.map {
            let _ = map.advise(Advice::Random);
        } else {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::Random);
        }
    }

    /// Says that these bytes are going to be read soon, however scattered the others are.
    pub fn expect_read(&self, offset: u64, n: usize) {
        let stored = self.label_bytes + offset;
        if let Some(map) = &self.map {
            let Ok(start) = usize::try_from(stored) else { return };
            let _ = map.advise_range(Advice::WillNeed, start, n.min(map.len().saturating_sub(start)));
        } else {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let _ = rustix::fs::fadvise(
                &self.file,
                stored,
                std::num::NonZeroU64::new(n as u64),
                rustix::fs::Advice::WillNeed,
            );
        }
    }

    /// Drops the pages of these bytes from this process, so that its resident memory stays small.
    /// The page cache keeps them.
    pub fn release(&self, offset: u64, n: usize) {
        let Some(map) = &self.map else { return };
        let (Ok(start), page) = (usize::try_from(self.label_bytes + offset), rustix::param::page_size()) else {
            return;
        };
        let (first, end) = (start / page * page, (start + n).min(map.len()) / page * page);
        if first < end {
            // SAFETY: MADV_DONTNEED on a private, read-only map of a file drops page table entries; the next
            // access reads the same file bytes again. No memory that was written to is lost.
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, first, end - first) };
        }
    }

    /// Drops what reading single bytes at `offset` may have mapped: the kernel maps up to the whole huge page around.
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
    // SAFETY: the map is only read. A file that another process truncates meanwhile raises SIGBUS, which ends
    // the worker and is reported by the coordinator; bytes that change meanwhile are read as numbers, for which
    // every bit pattern is valid.
    unsafe { Mmap::map(file) }
}

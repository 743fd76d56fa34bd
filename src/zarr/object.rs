//! One stored object: the file of a chunk, or of a shard that grows chunk by chunk and ends with its index.

use std::collections::VecDeque;
use std::io::Write;
use std::path::PathBuf;

use crate::base::error::{Result, failed};
use crate::store::checksum::{crc32c, crc32c_append};
use crate::store::files::create_directories;
use crate::store::{Finishing, Place, Writer};

/// Offset and length of a chunk that a shard does not hold. Source: `sharding_indexed`, section "Binary shard format".
const ABSENT: [u64; 2] = [u64::MAX; 2];

/// Bytes that are summed and then written at a time.
const PIECE_BYTES: usize = 128 << 10;

/// An object that chunks are appended to.
pub(super) struct Object {
    path: Place,
    file: Writer,
    written: u64,
    /// Of the current chunk: where it begins, its CRC-32C so far, its place in the index.
    start: u64,
    crc: u32,
    entry: usize,
    /// Of a shard: offset and length of each chunk.
    index: Option<Vec<[u64; 2]>>,
}

impl Object {
    /// `n_entries` is the number of chunks that a shard has room for.
    pub(super) fn create(path: Place, n_entries: Option<usize>) -> Result<Self> {
        let file = Writer::create(&path).map_err(failed(path.display()))?;
        let index = n_entries.map(|n| vec![ABSENT; n]);
        Ok(Self { path, file, written: 0, start: 0, crc: 0, entry: 0, index })
    }

    /// Whether more chunks can follow.
    pub(super) fn is_shard(&self) -> bool {
        self.index.is_some()
    }

    /// Begins the chunk with this place in the index of a shard.
    pub(super) fn begin(&mut self, entry: usize) {
        (self.start, self.crc, self.entry) = (self.written, 0, entry);
    }

    /// Adds encoded bytes to the chunk, in pieces that are still in the cache when they are written.
    pub(super) fn append(&mut self, encoded: &[u8]) -> Result<()> {
        encoded.chunks(PIECE_BYTES).try_for_each(|piece| {
            self.crc = crc32c_append(self.crc, piece);
            self.write(piece)
        })
    }

    /// Ends the chunk with its checksum. Returns its length and checksum. With `syncs`, it is on its way to the disk.
    pub(super) fn end(&mut self, syncs: bool) -> Result<(u64, u32)> {
        let crc = self.crc;
        self.write(&crc.to_le_bytes())?;
        let n = self.written - self.start;
        if syncs {
            self.file.begin_sync(self.start, n);
        }
        if let Some(entry) = self.index.as_mut().and_then(|index| index.get_mut(self.entry)) {
            *entry = [self.start, n];
        }
        Ok((n, crc))
    }

    /// Completes the object; in an object store this goes on after returning.
    pub(super) fn finish(mut self) -> Result<Option<(Place, Finishing)>> {
        if let Some(index) = self.index.take() {
            let mut index: Vec<u8> = index.iter().flatten().flat_map(|n| n.to_le_bytes()).collect();
            index.extend(crc32c(&index).to_le_bytes());
            self.write(&index)?;
        }
        let finishing = self.file.finish_later().map_err(failed(self.path.display()))?;
        Ok(finishing.map(|finishing| (self.path, finishing)))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.file.write_all(bytes).map_err(failed(self.path.display()))
    }
}

/// The most objects on their way to an object store at a time; their bytes are limited there.
const MOST_FINISHING: usize = 16;

/// Objects on their way to an object store.
#[derive(Default)]
pub(crate) struct OnTheWay {
    objects: VecDeque<(Place, Finishing)>,
}

impl OnTheWay {
    /// Adds one, if it is, and waits while there are too many.
    pub(crate) fn add(&mut self, object: Option<(Place, Finishing)>) -> Result<()> {
        self.objects.extend(object);
        self.wait_for_all_but(MOST_FINISHING)
    }

    /// Waits until all are there.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.wait_for_all_but(0)
    }

    fn wait_for_all_but(&mut self, n: usize) -> Result<()> {
        while self.objects.len() > n
            && let Some((path, object)) = self.objects.pop_front()
        {
            object.wait().map_err(failed(path.display()))?;
        }
        Ok(())
    }
}

/// The objects of one array, below its directory.
pub(super) struct Objects {
    directory: Place,
    /// The directory that was made last: many objects lie in one.
    directory_made: Option<PathBuf>,
    on_the_way: OnTheWay,
}

impl Objects {
    pub(super) fn new(directory: &Place) -> Self {
        Self { directory: directory.to_owned(), directory_made: None, on_the_way: OnTheWay::default() }
    }

    /// Begins the object with this key.
    pub(super) fn create(&mut self, key: &str, n_entries: Option<usize>) -> Result<Object> {
        let path = self.directory.join(key);
        if let Some(parent) = path.parent()
            && self.directory_made.as_deref() != Some(&parent.path())
        {
            create_directories(&parent)?;
            self.directory_made = Some(parent.path());
        }
        Object::create(path, n_entries)
    }

    pub(super) fn finish(&mut self, object: Object) -> Result<()> {
        self.on_the_way.add(object.finish()?)
    }

    pub(super) fn wait(&mut self) -> Result<()> {
        self.on_the_way.wait()
    }
}

//! Placing encoded chunks: a file for each, or shards that grow chunk by chunk and end with their index.

use std::collections::VecDeque;
use std::io::Write;
use std::path::PathBuf;

use crate::base::error::{Result, failed};
use crate::dataset_files::ZARR_JSON;
use crate::store::checksum::{ChunkSums, crc32c, crc32c_append};
use crate::store::files::{create_directories, write_json};
use crate::store::{Finishing, Place, Writer};
use crate::zarr::array::ArrayPlan;
use crate::zarr::axes::Array;
use crate::zarr::documents::array_document;

/// Offset and length of a chunk that a shard does not hold. Source: `sharding_indexed`, section "Binary shard format".
const ABSENT: [u64; 2] = [u64::MAX; 2];

/// Objects on their way to an object store at a time; how many bytes that may be is decided there.
const MOST_FINISHING: usize = 16;

/// The array of one segment: the chunk grid and keys of the final array, with the chunks that the segment owns.
pub struct SegmentStore {
    directory: Place,
    array: ArrayPlan,
    declared: Array,
    /// The file that chunks are appended to: of one chunk, or of a shard.
    object: Option<Object>,
    /// The directory that was made last; the trace-sample order has one for each chunk.
    directory_made: Option<PathBuf>,
    /// Objects that are on their way to an object store.
    finishing: VecDeque<(Place, Finishing)>,
    sums: ChunkSums,
    /// Whether all of it will be synced.
    is_durable: bool,
}

struct Object {
    trace_index: u64,
    path: Place,
    file: Writer,
    written: u64,
    /// Of the chunk at hand: where it begins, its CRC-32C so far, its place in the index.
    start: u64,
    crc: u32,
    entry: usize,
    /// Of a shard: offset and length of each chunk, by the chunk's entry number.
    index: Option<Vec<[u64; 2]>>,
}

impl Object {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.file.write_all(bytes).map_err(failed(self.path.display()))
    }
}

impl SegmentStore {
    /// A new array in `directory`, with its `zarr.json`. In an object store it is a part of the final array, which gets that
    /// when it is complete. `is_durable` says that it is going to be synced, so that the disk may begin early.
    pub fn create(directory: &Place, array: &ArrayPlan, is_durable: bool) -> Result<Self> {
        let declared = array.declared();
        if !directory.is_remote() {
            create_directories(directory)?;
            write_json(&directory.join(ZARR_JSON), &array_document(&declared))?;
        }
        Ok(Self {
            directory: directory.to_owned(),
            array: array.clone(),
            declared,
            object: None,
            directory_made: None,
            finishing: VecDeque::new(),
            sums: ChunkSums::default(),
            is_durable,
        })
    }

    /// Begins a chunk. Chunks come in order of the trace axis, then of the sample axis.
    pub fn begin(&mut self, sample_chunk: u64, trace_chunk: u64) -> Result<()> {
        let trace_index = trace_chunk / self.array.chunks_per_object();
        if self.object.as_ref().is_none_or(|o| o.trace_index != trace_index || o.index.is_none()) {
            self.end_object()?;
            self.object = Some(self.new_object(sample_chunk, trace_index)?);
        }
        let entry = self.declared.entry_of(&self.array.index(sample_chunk, trace_chunk));
        if let Some(object) = &mut self.object {
            (object.start, object.crc, object.entry) = (object.written, 0, entry);
        }
        Ok(())
    }

    /// Adds encoded bytes to the chunk that was begun.
    pub fn append(&mut self, encoded: &[u8]) -> Result<()> {
        let Some(object) = &mut self.object else { return Ok(()) };
        object.crc = crc32c_append(object.crc, encoded);
        object.write(encoded)
    }

    /// Ends the chunk with its checksum. Returns the bytes stored.
    pub fn end(&mut self) -> Result<u64> {
        let Some(object) = &mut self.object else { return Ok(0) };
        object.write(&object.crc.to_le_bytes())?;
        self.sums.push(object.crc);
        let n = object.written - object.start;
        if self.is_durable {
            object.file.begin_sync(object.start, n);
        }
        if let Some(index) = &mut object.index {
            index[object.entry] = [object.start, n];
        }
        Ok(n)
    }

    /// The checksums of the chunks since the last call, for the store that they belong to.
    pub fn take_sums(&mut self) -> ChunkSums {
        std::mem::take(&mut self.sums)
    }

    /// Counts chunks that another store has written behind those of this one.
    pub fn add_sums(&mut self, sums: ChunkSums) {
        self.sums = self.sums.followed_by(sums);
    }

    /// Ends the object that is being written; without it the last shard is no shard. Returns the checksums of all chunks.
    pub fn finish(mut self) -> Result<ChunkSums> {
        self.end_object()?;
        self.wait_for_all_but(0)?;
        Ok(self.sums)
    }

    fn wait_for_all_but(&mut self, n: usize) -> Result<()> {
        while self.finishing.len() > n
            && let Some((path, object)) = self.finishing.pop_front()
        {
            object.wait().map_err(failed(path.display()))?;
        }
        Ok(())
    }

    fn new_object(&mut self, sample_chunk: u64, trace_index: u64) -> Result<Object> {
        let index = self.declared.shard.as_ref().map(|n| vec![ABSENT; n.iter().product::<u64>() as usize]);
        let path = self.place(&self.array.index(if index.is_some() { 0 } else { sample_chunk }, trace_index))?;
        let file = Writer::create(&path).map_err(failed(path.display()))?;
        Ok(Object { trace_index, path, file, written: 0, start: 0, crc: 0, entry: 0, index })
    }

    fn place(&mut self, object: &[u64]) -> Result<Place> {
        let path = self.directory.join(self.declared.key(object));
        if let Some(parent) = path.parent()
            && self.directory_made.as_deref() != Some(&parent.path())
        {
            create_directories(&parent)?;
            self.directory_made = Some(parent.path());
        }
        Ok(path)
    }

    fn end_object(&mut self) -> Result<()> {
        let Some(mut object) = self.object.take() else { return Ok(()) };
        if let Some(index) = object.index.take() {
            let mut index: Vec<u8> = index.iter().flatten().flat_map(|n| n.to_le_bytes()).collect();
            index.extend(crc32c(&index).to_le_bytes());
            object.write(&index)?;
        }
        if let Some(finishing) = object.file.finish_later().map_err(failed(object.path.display()))? {
            self.finishing.push_back((object.path, finishing));
        }
        self.wait_for_all_but(MOST_FINISHING)
    }
}

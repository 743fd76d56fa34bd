//! Placing encoded chunks: a file for each, or shards that grow chunk by chunk and end with their index.

use crate::base::error::Result;
use crate::dataset_files::ZARR_JSON;
use crate::store::Place;
use crate::store::checksum::ChunkSums;
use crate::store::files::{create_directories, write_json};
use crate::zarr::array::ArrayPlan;
use crate::zarr::axes::Array;
use crate::zarr::documents::array_document;
use crate::zarr::object::{Object, Objects};

/// The array of one segment: the chunk grid and keys of the final array, with the chunks that the segment owns.
pub(crate) struct SegmentStore {
    array: ArrayPlan,
    declared: Array,
    objects: Objects,
    /// The object that chunks are appended to, and its index on the trace axis.
    object: Option<(u64, Object)>,
    sums: ChunkSums,
    /// Whether all of it will be synced.
    is_durable: bool,
}

impl SegmentStore {
    /// A new array in `directory`, with its `zarr.json`. In an object store it is part of the final array, whose `zarr.json`
    /// is written when it is complete. `is_durable`: it will be synced, so writing to the disk may begin early.
    pub(crate) fn create(directory: &Place, array: &ArrayPlan, is_durable: bool) -> Result<Self> {
        let declared = array.declared();
        if !directory.is_remote() {
            create_directories(directory)?;
            write_json(&directory.join(ZARR_JSON), &array_document(&declared))?;
        }
        Ok(Self {
            array: array.clone(),
            declared,
            objects: Objects::new(directory),
            object: None,
            sums: ChunkSums::default(),
            is_durable,
        })
    }

    /// Begins a chunk. Chunks come in order of the trace axis, then of the sample axis.
    pub(crate) fn begin(&mut self, sample_chunk: u64, trace_chunk: u64) -> Result<()> {
        let trace_index = trace_chunk / self.array.chunks_per_object();
        if self.object.as_ref().is_none_or(|(index, object)| *index != trace_index || !object.is_shard()) {
            self.end_object()?;
            self.object = Some((trace_index, self.new_object(sample_chunk, trace_index)?));
        }
        let entry = self.declared.entry_of(&self.array.index(sample_chunk, trace_chunk));
        if let Some((_, object)) = &mut self.object {
            object.begin(entry);
        }
        Ok(())
    }

    /// Adds encoded bytes to the chunk that was begun.
    pub(crate) fn append(&mut self, encoded: &[u8]) -> Result<()> {
        self.object.as_mut().map_or(Ok(()), |(_, object)| object.append(encoded))
    }

    /// Ends the chunk with its checksum. Returns the bytes stored.
    pub(crate) fn end(&mut self) -> Result<u64> {
        let Some((_, object)) = &mut self.object else { return Ok(0) };
        let (n, crc) = object.end(self.is_durable)?;
        self.sums.push(crc);
        Ok(n)
    }

    /// The checksums of the chunks since the last call, for the store that they belong to.
    pub(crate) fn take_sums(&mut self) -> ChunkSums {
        std::mem::take(&mut self.sums)
    }

    /// Adds chunks that another store has written after those of this one.
    pub(crate) fn add_sums(&mut self, sums: ChunkSums) {
        self.sums = self.sums.followed_by(sums);
    }

    /// Ends the object being written; without this the last shard has no index. Returns the checksums of all chunks.
    pub(crate) fn finish(mut self) -> Result<ChunkSums> {
        self.end_object()?;
        self.objects.wait()?;
        Ok(self.sums)
    }

    fn new_object(&mut self, sample_chunk: u64, trace_index: u64) -> Result<Object> {
        let n_entries = self.declared.shard.as_ref().map(|n| n.iter().product::<u64>() as usize);
        let index = self.array.index(if n_entries.is_some() { 0 } else { sample_chunk }, trace_index);
        self.objects.create(&self.declared.key(&index), n_entries)
    }

    fn end_object(&mut self) -> Result<()> {
        self.object.take().map_or(Ok(()), |(_, object)| self.objects.finish(object))
    }
}

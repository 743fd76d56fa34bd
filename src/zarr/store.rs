//! Placing encoded chunks: a file for each, or shards that grow chunk by chunk and end with their index.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::array::ArrayPlan;
use super::metadata::array_document;
use crate::error::{Result, failed};
use crate::files::write_json;

/// Offset and length of a chunk that a shard does not hold. Source: `sharding_indexed`, section "Binary shard format".
const ABSENT: [u64; 2] = [u64::MAX; 2];

/// The array of one segment: the chunk grid and keys of the final array, with the chunks that the segment owns.
pub struct SegmentStore {
    directory: PathBuf,
    array: ArrayPlan,
    shard: Option<Shard>,
    directories_made: HashSet<PathBuf>,
}

struct Shard {
    trace_index: u64,
    path: PathBuf,
    file: std::fs::File,
    written: u64,
    /// By sample chunk and trace chunk in the order of the declared axes.
    index: Vec<[u64; 2]>,
}

impl SegmentStore {
    /// A new array in `directory`, with its `zarr.json`.
    pub fn create(directory: &Path, array: &ArrayPlan) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(failed(directory.display()))?;
        write_json(&directory.join("zarr.json"), &array_document(array))?;
        Ok(Self {
            directory: directory.to_owned(),
            array: array.clone(),
            shard: None,
            directories_made: HashSet::new(),
        })
    }

    /// Stores an encoded chunk with its checksum. Chunks come in order of the trace axis, then of the sample axis.
    pub fn put(&mut self, sample_chunk: u64, trace_chunk: u64, encoded: &[u8]) -> Result<()> {
        let checksum = crc32c::crc32c(encoded).to_le_bytes();
        if self.array.shard_chunks.is_some() {
            return self.put_in_shard(sample_chunk, trace_chunk, encoded, checksum);
        }
        let path = self.place(sample_chunk, trace_chunk)?;
        let mut file = std::fs::File::create(&path).map_err(failed(path.display()))?;
        file.write_all(encoded).and_then(|()| file.write_all(&checksum)).map_err(failed(path.display()))
    }

    /// Ends the shard that is being written. Without it the last shard is no shard.
    pub fn finish(mut self) -> Result<()> {
        self.end_shard()
    }

    fn place(&mut self, sample_index: u64, trace_index: u64) -> Result<PathBuf> {
        let path = self.directory.join(self.array.object_key(sample_index, trace_index));
        if let Some(parent) = path.parent()
            && !self.directories_made.contains(parent)
        {
            std::fs::create_dir_all(parent).map_err(failed(parent.display()))?;
            // The trace-sample order has a directory for each chunk: remember the last, not all of them.
            self.directories_made.clear();
            self.directories_made.insert(parent.to_owned());
        }
        Ok(path)
    }

    fn put_in_shard(&mut self, sample_chunk: u64, trace_chunk: u64, encoded: &[u8], checksum: [u8; 4]) -> Result<()> {
        let per_shard = self.array.chunks_per_object();
        let trace_index = trace_chunk / per_shard;
        if self.shard.as_ref().is_none_or(|s| s.trace_index != trace_index) {
            self.end_shard()?;
            let path = self.place(0, trace_index)?;
            let file = std::fs::File::create(&path).map_err(failed(path.display()))?;
            let index = vec![ABSENT; (per_shard * self.array.n_sample_chunks()) as usize];
            self.shard = Some(Shard { trace_index, path, file, written: 0, index });
        }
        let Some(shard) = &mut self.shard else { return Ok(()) };
        let in_shard = trace_chunk % per_shard;
        let [_, columns] = self.array.order.arrange(self.array.n_sample_chunks(), per_shard);
        let [row, column] = self.array.order.arrange(sample_chunk, in_shard);
        let n = encoded.len() as u64 + 4;
        shard.index[(row * columns + column) as usize] = [shard.written, n];
        shard.written += n;
        let written = shard.file.write_all(encoded).and_then(|()| shard.file.write_all(&checksum));
        written.map_err(failed(shard.path.display()))
    }

    fn end_shard(&mut self) -> Result<()> {
        let Some(mut shard) = self.shard.take() else { return Ok(()) };
        let mut index: Vec<u8> = shard.index.iter().flatten().flat_map(|n| n.to_le_bytes()).collect();
        index.extend(crc32c::crc32c(&index).to_le_bytes());
        shard.file.write_all(&index).map_err(failed(shard.path.display()))
    }
}

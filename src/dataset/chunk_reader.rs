//! Reading chunks from their own files or from shards, with checksums verified.

use std::borrow::Cow;

use crate::base::error::{Result, failed};
use crate::dataset::{Dataset, damaged, missing_chunk, unreadable_part};
use crate::store::checksum::crc32c;
use crate::store::place::is_absence;
use crate::store::{Place, Reader};
use crate::zarr::{Array, ArrayPlan, ChunkDecoder};

/// Length of the CRC-32C at the end of a chunk or shard index.
const CRC_BYTES: usize = 4;
/// Length of a shard index entry: offset and length.
const ENTRY_BYTES: usize = 16;

/// Reads the chunks of the trace array. Memory: one stored and one decoded chunk, and one shard's index.
pub(crate) struct ChunkReader<'a> {
    array: &'a ArrayPlan,
    declared: Array,
    directory: Place,
    codec: ChunkDecoder,
    fills_missing: bool,
    stored: Vec<u8>,
    shard: Option<Shard>,
}

/// The shard read last.
pub(super) struct Shard {
    trace_index: u64,
    path: Place,
    pub(super) file: Reader,
    pub(super) bytes: u64,
    /// Offset and length of each chunk, by the chunk's entry number.
    pub(super) index: Vec<[u64; 2]>,
}

impl<'a> ChunkReader<'a> {
    pub(crate) fn new(dataset: &'a Dataset) -> Result<Self> {
        Ok(Self {
            array: &dataset.array,
            declared: dataset.array.declared(),
            directory: dataset.path(&dataset.array.name),
            codec: ChunkDecoder::new(&dataset.array),
            fills_missing: dataset.fills_missing,
            stored: Vec::new(),
            shard: None,
        })
    }

    /// A chunk: little-endian values, trace after trace, in full size including padding.
    pub(crate) fn read(&mut self, sample_chunk: u64, trace_chunk: u64) -> Result<Cow<'_, [u8]>> {
        let n = self.array.chunk_bytes();
        let Some((path, _)) = self.load(sample_chunk, trace_chunk)? else {
            // The fill value is zero.
            return Ok(Cow::Owned(vec![0; n]));
        };
        let chunk = self.codec.decode(&self.stored, n).map_err(|e| damaged(&path, e))?;
        if chunk.len() == n {
            Ok(chunk)
        } else {
            Err(damaged(&path, format!("a chunk of it has {} bytes, not {n}", chunk.len())))
        }
    }

    /// Verifies a chunk's checksum without decoding the chunk, and returns it.
    pub(crate) fn check(&mut self, sample_chunk: u64, trace_chunk: u64) -> Result<u32> {
        let loaded = self.load(sample_chunk, trace_chunk)?;
        loaded.map(|(_, crc)| crc).ok_or_else(|| missing_chunk(&self.directory))
    }

    /// Verifies the checksum of a shard's index, and that the chunks fill the shard without gaps.
    pub(crate) fn check_shard(&mut self, trace_index: u64) -> Result<()> {
        let (n_sample_chunks, per_shard) = (self.array.n_sample_chunks(), self.array.chunks_per_object());
        let n_chunks = self.array.n_trace_chunks().min((trace_index + 1) * per_shard) - trace_index * per_shard;
        let path = self.directory.join(self.declared.key(&self.array.index(0, trace_index)));
        let shard = self.open_shard(trace_index)?.ok_or_else(|| missing_chunk(&path))?;
        let index_bytes = (shard.index.len() * ENTRY_BYTES + CRC_BYTES) as u64;
        let mut parts: Vec<[u64; 2]> = shard.index.iter().copied().filter(|&part| part != [u64::MAX; 2]).collect();
        parts.sort_unstable();
        let end = parts.iter().try_fold(0u64, |at, &[start, n]| (start == at).then(|| at.checked_add(n)).flatten());
        if parts.len() as u64 != n_chunks * n_sample_chunks
            || end.and_then(|e| e.checked_add(index_bytes)) != Some(shard.bytes)
        {
            return Err(damaged(&shard.path, "its index does not describe its chunks"));
        }
        Ok(())
    }

    /// The largest a stored chunk can be: no codec expands noise by much.
    fn most_stored_bytes(&self) -> u64 {
        2 * self.array.chunk_bytes() as u64 + 1024
    }

    /// Reads a stored chunk, without its checksum. Returns its file and its checksum; `None` for one that is missing and may be.
    fn load(&mut self, sample_chunk: u64, trace_chunk: u64) -> Result<Option<(Place, u32)>> {
        let object = match self.array.shard_chunks {
            Some(_) => self.array.index(0, trace_chunk / self.array.chunks_per_object()),
            None => self.array.index(sample_chunk, trace_chunk),
        };
        let path = self.directory.join(self.declared.key(&object));
        let is_there = match self.array.shard_chunks {
            Some(_) => self.load_from_shard(sample_chunk, trace_chunk)?,
            None => {
                self.stored.clear();
                match path.read_at_most(self.most_stored_bytes(), &mut self.stored) {
                    Err(e) if is_absence(&e) => false,
                    read => read.map(|()| true).map_err(unreadable_part(&path))?,
                }
            }
        };
        if !is_there {
            return if self.fills_missing { Ok(None) } else { Err(missing_chunk(&path)) };
        }
        match take_checksum(&mut self.stored) {
            Some(crc) => Ok(Some((path, crc))),
            None => {
                let traces = self.array.traces_of_chunk(trace_chunk);
                let samples = self.array.samples_of_chunk(sample_chunk);
                Err(damaged(
                    &path,
                    format!(
                        "the checksum of the chunk of traces {} to {} and samples {} to {} is not that of its bytes",
                        traces.start + 1,
                        traces.end,
                        samples.start + 1,
                        samples.end
                    ),
                ))
            }
        }
    }

    /// Whether the chunk is there.
    fn load_from_shard(&mut self, sample_chunk: u64, trace_chunk: u64) -> Result<bool> {
        let per_shard = self.array.chunks_per_object();
        let entry = self.declared.entry_of(&self.array.index(sample_chunk, trace_chunk));
        let (mut stored, most) = (std::mem::take(&mut self.stored), self.most_stored_bytes());
        let Some(shard) = self.open_shard(trace_chunk / per_shard)? else { return Ok(false) };
        let [offset, n] = match shard.index.get(entry) {
            None | Some([u64::MAX, u64::MAX]) => return Ok(false),
            Some(part) => *part,
        };
        if offset.checked_add(n).is_none_or(|end| end > shard.bytes) || n > most {
            return Err(damaged(&shard.path, format!("its chunk {} lies beyond its end", trace_chunk % per_shard + 1)));
        }
        read_at(&shard.file, &shard.path, offset, n, &mut stored)?;
        self.stored = stored;
        Ok(true)
    }

    /// The shard of some traces; `None` if there is none.
    fn open_shard(&mut self, trace_index: u64) -> Result<Option<&Shard>> {
        let known = self.shard.take().filter(|s| s.trace_index == trace_index);
        self.shard = match known {
            Some(shard) => Some(shard),
            None => self.read_shard_index(trace_index)?,
        };
        Ok(self.shard.as_ref())
    }

    fn read_shard_index(&self, trace_index: u64) -> Result<Option<Shard>> {
        let path = self.directory.join(self.declared.key(&self.array.index(0, trace_index)));
        let shard = Shard::open(&path, self.array.chunks_per_object() * self.array.n_sample_chunks())?;
        Ok(shard.map(|shard| Shard { trace_index, ..shard }))
    }
}

impl Shard {
    /// Opens a shard with room for so many chunks and reads its index; `None` if there is none.
    pub(super) fn open(path: &Place, n_entries: u64) -> Result<Option<Self>> {
        let file = match Reader::open(path) {
            Err(e) if is_absence(&e) => return Ok(None),
            file => file.map_err(unreadable_part(path))?,
        };
        let bytes = file.bytes().map_err(failed(path.display()))?;
        let n = n_entries * ENTRY_BYTES as u64 + CRC_BYTES as u64;
        let start = bytes.checked_sub(n).ok_or_else(|| damaged(path, "it is too short for its index"))?;
        let mut stored = Vec::new();
        read_at(&file, path, start, n, &mut stored)?;
        if take_checksum(&mut stored).is_none() {
            return Err(damaged(path, "the checksum of its index is not that of its bytes"));
        }
        let numbers: Vec<u64> = stored.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
        Ok(Some(Self { trace_index: 0, path: path.clone(), file, bytes, index: numbers.as_chunks().0.to_vec() }))
    }
}

pub(super) fn read_at(file: &Reader, path: &Place, offset: u64, n: u64, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.resize(usize::try_from(n).map_err(failed(path.display()))?, 0);
    file.read_exact_at(buffer, offset).map_err(failed(path.display()))
}

/// Removes the CRC-32C from the end. Returns it if it matches the bytes before it.
pub(super) fn take_checksum(stored: &mut Vec<u8>) -> Option<u32> {
    let (bytes, checksum) = stored.split_last_chunk()?;
    let crc = crc32c(bytes);
    let is_right = crc == u32::from_le_bytes(*checksum);
    stored.truncate(stored.len() - CRC_BYTES);
    is_right.then_some(crc)
}

//! Chunks in the Blosc 1 container with LZ4, encoded block by block while the samples arrive.
//!
//! The library wants a chunk as a whole, which by then is no longer in the cache; that and its SSE2 filters made it take
//! half as long again. What it reads and what it writes is tested against it.
//! Source of the format: <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>.

use crate::base::shuffle::Filter;

/// Samples, filtered samples, compressed bytes and the input of one block fit into a second-level cache of 512 KiB.
pub const BLOCK_BYTES: usize = 128 << 10;

const HEADER_BYTES: usize = 16;
const FORMAT_VERSION: u8 = 2;
const LZ4_VERSION: u8 = 1;
/// Bits 5-7 of the flags: the compressor.
const LZ4_FLAG: u8 = 1 << 5;
/// Blocks are compressed as one part for each byte of an item, if a part has as many bytes as this.
const MIN_PART_BYTES: usize = 128;

/// Which filter goes in front of LZ4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shuffle {
    Byte,
    Bit,
}

/// An encoder of chunks of one size, one after the other.
pub struct BloscLz4 {
    item_bytes: usize,
    chunk_bytes: usize,
    block_bytes: usize,
    acceleration: i32,
    flags: u8,
    filter: Filter,
    filtered: Vec<u8>,
    /// The container so far: header, starts of the blocks, blocks. Behind `n_encoded` lies what an earlier chunk left.
    encoded: Vec<u8>,
    n_encoded: usize,
    n_blocks: usize,
}

impl BloscLz4 {
    /// `level` from 1 to 9 as in Blosc: LZ4's acceleration is ten minus it. `None` for item sizes of no data type, and
    /// where a chunk is longer than the format can say.
    pub fn new(item_bytes: usize, chunk_bytes: usize, shuffle: Shuffle, level: u8) -> Option<Self> {
        let (filter, flags) = match shuffle {
            Shuffle::Byte => (crate::base::shuffle::byte_shuffle(item_bytes)?, 1 | LZ4_FLAG),
            Shuffle::Bit => (crate::base::shuffle::bit_shuffle(item_bytes)?, 4 | LZ4_FLAG),
        };
        let longest = i32::MAX as usize / 2;
        (chunk_bytes > 0 && chunk_bytes <= longest).then(|| Self {
            item_bytes,
            chunk_bytes,
            block_bytes: BLOCK_BYTES.min(chunk_bytes),
            acceleration: 10 - i32::from(level),
            flags,
            filter,
            filtered: Vec::new(),
            encoded: Vec::new(),
            n_encoded: 0,
            n_blocks: 0,
        })
    }

    /// Bytes of a block; the last of a chunk may be shorter.
    pub fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Encodes the next block of the chunk.
    pub fn push(&mut self, block: &[u8]) {
        if self.n_blocks == 0 {
            self.begin();
        }
        let start = (self.n_encoded as u32).to_le_bytes();
        self.encoded[HEADER_BYTES + 4 * self.n_blocks..][..4].copy_from_slice(&start);
        self.n_blocks += 1;
        self.filtered.resize(block.len(), 0);
        (self.filter)(block, &mut self.filtered);
        let part_bytes = part_bytes(block.len(), self.block_bytes, self.item_bytes);
        let longest = self.n_encoded + block.len() + 4 * self.item_bytes;
        if self.encoded.len() < longest {
            self.encoded.resize(longest, 0);
        }
        for part in self.filtered.chunks(part_bytes) {
            self.n_encoded += put_part(part, self.acceleration, &mut self.encoded[self.n_encoded..]);
        }
    }

    /// The container of the chunk, all blocks of which were pushed. The next block begins another chunk.
    pub fn finish(&mut self) -> &[u8] {
        let n = (self.n_encoded as u32).to_le_bytes();
        self.encoded[12..16].copy_from_slice(&n);
        self.n_blocks = 0;
        &self.encoded[..self.n_encoded]
    }

    fn begin(&mut self) {
        let n_blocks = self.chunk_bytes.div_ceil(self.block_bytes);
        self.n_encoded = HEADER_BYTES + 4 * n_blocks;
        self.encoded.resize(self.n_encoded.max(self.encoded.len()), 0);
        self.encoded[..4].copy_from_slice(&[FORMAT_VERSION, LZ4_VERSION, self.flags, self.item_bytes as u8]);
        self.encoded[4..8].copy_from_slice(&(self.chunk_bytes as u32).to_le_bytes());
        self.encoded[8..12].copy_from_slice(&(self.block_bytes as u32).to_le_bytes());
    }
}

/// A decoder of what [`BloscLz4`] makes, and of nothing else.
pub struct UnbloscLz4 {
    header: [u8; 12],
    item_bytes: usize,
    chunk_bytes: usize,
    block_bytes: usize,
    filter: Filter,
    filtered: Vec<u8>,
    chunk: Vec<u8>,
}

impl UnbloscLz4 {
    /// For chunks that were encoded so; see [`BloscLz4::new`].
    pub fn new(item_bytes: usize, chunk_bytes: usize, shuffle: Shuffle, level: u8) -> Option<Self> {
        let mut encoder = BloscLz4::new(item_bytes, chunk_bytes, shuffle, level)?;
        encoder.begin();
        let filter = match shuffle {
            Shuffle::Byte => crate::base::shuffle::byte_unshuffle(item_bytes)?,
            Shuffle::Bit => crate::base::shuffle::bit_unshuffle(item_bytes)?,
        };
        let (block_bytes, header) = (encoder.block_bytes, *encoder.encoded.first_chunk()?);
        let (filtered, chunk) = (vec![0; block_bytes], vec![0; chunk_bytes]);
        Some(Self { header, item_bytes, chunk_bytes, block_bytes, filter, filtered, chunk })
    }

    /// The chunk that is in a container. `None` if it is damaged or has been made by another encoder.
    pub fn decode(&mut self, container: &[u8]) -> Option<&[u8]> {
        let rest = container.strip_prefix(&self.header)?;
        let (n, rest) = rest.split_first_chunk()?;
        let (starts, _) = rest.split_at_checked(4 * self.chunk_bytes.div_ceil(self.block_bytes))?;
        if u32::from_le_bytes(*n) as usize != container.len() {
            return None;
        }
        for (block, start) in self.chunk.chunks_mut(self.block_bytes).zip(starts.as_chunks().0) {
            let mut encoded = container.get(u32::from_le_bytes(*start) as usize..)?;
            let filtered = &mut self.filtered[..block.len()];
            for part in filtered.chunks_mut(part_bytes(block.len(), self.block_bytes, self.item_bytes)) {
                let (n, behind) = encoded.split_first_chunk()?;
                let (bytes, behind) = behind.split_at_checked(u32::from_le_bytes(*n) as usize)?;
                encoded = behind;
                if bytes.len() == part.len() {
                    part.copy_from_slice(bytes);
                } else {
                    let n = i32::try_from(part.len()).ok()?;
                    let decoded = lz4::block::decompress_to_buffer(bytes, Some(n), part).ok()?;
                    if decoded != part.len() {
                        return None;
                    }
                }
            }
            (self.filter)(filtered, block);
        }
        Some(&self.chunk)
    }
}

/// The parts of a block that are compressed each by itself.
fn part_bytes(n: usize, block_bytes: usize, item_bytes: usize) -> usize {
    let splits = n == block_bytes && block_bytes / item_bytes >= MIN_PART_BYTES;
    if splits { n / item_bytes } else { n }.max(1)
}

/// Puts a part with its length before it into `room`; as it is, where LZ4 does not make it shorter. Returns the bytes used.
fn put_part(part: &[u8], acceleration: i32, room: &mut [u8]) -> usize {
    let (length, room) = room.split_at_mut(4);
    let mode = lz4::block::CompressionMode::FAST(acceleration);
    let shorter = &mut room[..part.len().saturating_sub(1)];
    let n = lz4::block::compress_to_buffer(part, Some(mode), false, shorter).unwrap_or_else(|_| {
        room[..part.len()].copy_from_slice(part);
        part.len()
    });
    length.copy_from_slice(&(n as u32).to_le_bytes());
    4 + n
}

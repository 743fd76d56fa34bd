//! Chunks in the Blosc 1 container, encoded block by block while the samples arrive.
//!
//! The library wants a whole chunk, which by then is no longer in the cache; that and its SSE2 filters made it take
//! half as long again. Tests compare with it both ways.
//! Source of the format: <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>, and `blosc_d` in its `blosc.c`
//! for what a reader splits.

use crate::base::shuffle::{Filter, bit_shuffle, bit_unshuffle, byte_shuffle, byte_unshuffle};

/// Samples, filtered samples, compressed bytes and the input of one block fit into an L2 cache of 512 KiB.
pub(super) const BLOCK_BYTES: usize = 128 << 10;

const FORMAT_VERSION: u8 = 2;
/// Version of the compressor's format: the same for LZ4 and Zstandard.
const COMPRESSOR_VERSION: u8 = 1;
/// Blocks are split only into parts at least this long.
const MIN_PART_BYTES: usize = 128;
/// Items of more bytes are not split.
pub(super) const MAX_PARTS: usize = 16;
/// Lengths in the format are signed 32-bit numbers; half of that leaves room for data that does not shrink.
const MAX_CHUNK_BYTES: usize = 1 << 30;

/// The filter before the compressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shuffle {
    Byte,
    Bit,
}

/// Bits 5-7 of the flags: which compressor made the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Format {
    Lz4 = 1 << 5,
    Zstd = 4 << 5,
}

/// Where a part lies in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub block: usize,
    /// If the block is split, which byte of the items the part holds: less than [`MAX_PARTS`].
    pub part: usize,
}

/// Compresses the parts of blocks.
pub(super) trait PartEncoder: Send {
    fn format(&self) -> Format;

    /// Compresses `part` into `room`, which is one byte shorter than it, and returns the length; `None` if it does not fit.
    ///
    /// What comes out may depend on the earlier parts of the same chunk, and on nothing else.
    fn encode(&mut self, place: Place, part: &[u8], room: &mut [u8]) -> Option<usize>;
}

/// Decompresses the parts of blocks.
pub(super) trait PartDecoder: Send {
    fn format(&self) -> Format;

    /// Fills `part`; `None` if `encoded` is damaged or does not decode to exactly this length.
    fn decode(&mut self, encoded: &[u8], part: &mut [u8]) -> Option<()>;
}

/// The first 16 bytes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    flags: u8,
    item_bytes: usize,
    chunk_bytes: usize,
    block_bytes: usize,
    container_bytes: usize,
}

impl Header {
    const BYTES: usize = 16;

    const BYTE_SHUFFLE: u8 = 1;
    /// The chunk follows uncompressed.
    const STORED: u8 = 2;
    const BIT_SHUFFLE: u8 = 4;
    const UNKNOWN: u8 = 8;
    const NOT_SPLIT: u8 = 16;
    const FORMAT: u8 = 0b1110_0000;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&[FORMAT_VERSION, COMPRESSOR_VERSION, self.flags, self.item_bytes as u8]);
        for (place, n) in [(4, self.chunk_bytes), (8, self.block_bytes), (12, self.container_bytes)] {
            bytes[place..place + 4].copy_from_slice(&(n as u32).to_le_bytes());
        }
        bytes
    }

    /// `None` for unknown versions or flags. Lengths are not checked.
    fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let [[FORMAT_VERSION, COMPRESSOR_VERSION, flags, item_bytes], chunk, block, container] =
            *bytes.as_chunks::<4>().0
        else {
            return None;
        };
        let number = |bytes| u32::from_le_bytes(bytes) as usize;
        (flags & Self::UNKNOWN == 0).then(|| Self {
            flags,
            item_bytes: item_bytes.into(),
            chunk_bytes: number(chunk),
            block_bytes: number(block),
            container_bytes: number(container),
        })
    }

    fn n_blocks(&self) -> usize {
        self.chunk_bytes.div_ceil(self.block_bytes)
    }

    /// The bytes of each separately compressed part of a block of `n` bytes. A shorter block at the end is never split.
    fn part_bytes(&self, n: usize) -> usize {
        let splits = self.flags & Self::NOT_SPLIT == 0 && self.can_split() && n == self.block_bytes;
        if splits { n / self.item_bytes } else { n }.max(1)
    }

    /// If it cannot, the flag says so too, because c-blosc 2 goes by the flag alone.
    fn can_split(&self) -> bool {
        self.item_bytes <= MAX_PARTS && self.block_bytes / self.item_bytes >= MIN_PART_BYTES
    }
}

/// An encoder of chunks of one size, one after the other.
///
/// Memory: a filtered block and a container.
pub(super) struct Blosc {
    header: Header,
    parts: Box<dyn PartEncoder>,
    filter: Filter,
    filtered: Vec<u8>,
    /// The container so far: header, starts of the blocks, blocks. Bytes after `n_encoded` are left from an earlier chunk.
    encoded: Vec<u8>,
    n_encoded: usize,
    n_blocks: usize,
    /// Blocks since [`Blosc::begin_series`], or in this chunk.
    n_in_series: usize,
    is_series: bool,
}

impl Blosc {
    /// LZ4 with a `level` from 1 to 9 as in Blosc. `None` if no data type has this item size, or if the chunk is too long for
    /// the format.
    pub(super) fn lz4(item_bytes: usize, chunk_bytes: usize, shuffle: Shuffle, level: u8) -> Option<Self> {
        let parts = Box::new(Lz4 { acceleration: 10 - i32::from(level) });
        Self::new(item_bytes, chunk_bytes, BLOCK_BYTES, shuffle, parts)
    }

    /// `block_bytes` must be whole items, for the bit shuffle a multiple of eight of them. `None` as in [`Blosc::lz4`].
    pub(super) fn new(
        item_bytes: usize,
        chunk_bytes: usize,
        block_bytes: usize,
        shuffle: Shuffle,
        parts: Box<dyn PartEncoder>,
    ) -> Option<Self> {
        let (filter, flag) = match shuffle {
            Shuffle::Byte => (byte_shuffle(item_bytes)?, Header::BYTE_SHUFFLE),
            Shuffle::Bit => (bit_shuffle(item_bytes)?, Header::BIT_SHUFFLE),
        };
        let flags = flag | parts.format() as u8;
        let block_bytes = block_bytes.min(chunk_bytes);
        let mut header = Header { flags, item_bytes, chunk_bytes, block_bytes, container_bytes: 0 };
        if !header.can_split() {
            header.flags |= Header::NOT_SPLIT;
        }
        (1..=MAX_CHUNK_BYTES).contains(&chunk_bytes).then(|| Self {
            header,
            parts,
            filter,
            filtered: Vec::new(),
            encoded: Vec::new(),
            n_encoded: 0,
            n_blocks: 0,
            n_in_series: 0,
            is_series: false,
        })
    }

    /// Bytes of a block; the last of a chunk may be shorter.
    pub(super) fn block_bytes(&self) -> usize {
        self.header.block_bytes
    }

    /// Begins a series of chunks: what the first blocks show about the data is used for those that follow. So the bytes of
    /// a chunk depend on the chunks before it in its series.
    pub(super) fn begin_series(&mut self) {
        (self.n_in_series, self.is_series) = (0, true);
    }

    /// Encodes the next block of the chunk.
    pub(super) fn push(&mut self, block: &[u8]) {
        if self.n_blocks == 0 {
            self.n_encoded = Header::BYTES + 4 * self.header.n_blocks();
            self.encoded.resize(self.n_encoded.max(self.encoded.len()), 0);
        }
        let start = (self.n_encoded as u32).to_le_bytes();
        self.encoded[Header::BYTES + 4 * self.n_blocks..][..4].copy_from_slice(&start);
        self.filtered.resize(block.len(), 0);
        (self.filter)(block, &mut self.filtered);
        let longest = self.n_encoded + block.len() + 4 * MAX_PARTS;
        if self.encoded.len() < longest {
            self.encoded.resize(longest, 0);
        }
        for (part, bytes) in self.filtered.chunks(self.header.part_bytes(block.len())).enumerate() {
            let place = Place { block: self.n_in_series, part };
            self.n_encoded += put_part(&mut *self.parts, place, bytes, &mut self.encoded[self.n_encoded..]);
        }
        self.n_blocks += 1;
        self.n_in_series += 1;
    }

    /// The container of the chunk, once all its blocks have been pushed. The next block begins another chunk.
    pub(super) fn finish(&mut self) -> &[u8] {
        let header = Header { container_bytes: self.n_encoded, ..self.header };
        self.encoded[..Header::BYTES].copy_from_slice(&header.to_bytes());
        self.n_blocks = 0;
        if !self.is_series {
            self.n_in_series = 0;
        }
        &self.encoded[..self.n_encoded]
    }
}

/// A decoder of chunks of known size, from any encoder with this compressor.
///
/// Memory: a chunk and one of its blocks, whatever a container claims.
pub(super) struct Unblosc {
    item_bytes: usize,
    parts: Box<dyn PartDecoder>,
    byte_unshuffle: Filter,
    bit_unshuffle: Option<Filter>,
    filtered: Vec<u8>,
    chunk: Vec<u8>,
}

impl Unblosc {
    /// For LZ4; see [`Blosc::lz4`].
    pub(super) fn lz4(item_bytes: usize, chunk_bytes: usize) -> Option<Self> {
        Self::new(item_bytes, chunk_bytes, Box::new(Lz4 { acceleration: 1 }))
    }

    /// `None` as in [`Blosc::lz4`].
    pub(super) fn new(item_bytes: usize, chunk_bytes: usize, parts: Box<dyn PartDecoder>) -> Option<Self> {
        let byte_unshuffle = byte_unshuffle(item_bytes)?;
        (1..=MAX_CHUNK_BYTES).contains(&chunk_bytes).then(|| Self {
            item_bytes,
            parts,
            byte_unshuffle,
            bit_unshuffle: bit_unshuffle(item_bytes),
            filtered: Vec::new(),
            chunk: vec![0; chunk_bytes],
        })
    }

    /// The chunk that is in a container. `None` if it is damaged, of another size or of another compressor.
    pub(super) fn decode(&mut self, container: &[u8]) -> Option<&[u8]> {
        let (header, rest) = container.split_first_chunk()?;
        let header = Header::from_bytes(header)?;
        let is_right = header.item_bytes == self.item_bytes
            && header.chunk_bytes == self.chunk.len()
            && (self.item_bytes..=self.chunk.len()).contains(&header.block_bytes)
            && header.block_bytes.is_multiple_of(self.item_bytes)
            && header.container_bytes == container.len();
        is_right.then_some(())?;
        if header.flags & Header::STORED != 0 {
            (rest.len() == self.chunk.len()).then(|| self.chunk.copy_from_slice(rest))?;
        } else {
            self.decode_blocks(&header, container, rest)?;
        }
        Some(&self.chunk)
    }

    fn decode_blocks(&mut self, header: &Header, container: &[u8], rest: &[u8]) -> Option<()> {
        (header.flags & Header::FORMAT == self.parts.format() as u8).then_some(())?;
        let filter = match header.flags & (Header::BYTE_SHUFFLE | Header::BIT_SHUFFLE) {
            0 => None,
            Header::BYTE_SHUFFLE => Some(&self.byte_unshuffle),
            Header::BIT_SHUFFLE => Some(self.bit_unshuffle.as_ref()?),
            _ => return None,
        };
        let (starts, _) = rest.split_at_checked(4 * header.n_blocks())?;
        self.filtered.resize(header.block_bytes, 0);
        for (block, start) in self.chunk.chunks_mut(header.block_bytes).zip(starts.as_chunks().0) {
            let mut encoded = container.get(u32::from_le_bytes(*start) as usize..)?;
            let filtered = &mut self.filtered[..block.len()];
            for part in filtered.chunks_mut(header.part_bytes(block.len())) {
                encoded = get_part(&mut *self.parts, encoded, part)?;
            }
            match filter {
                Some(filter) => filter(filtered, block),
                None => block.copy_from_slice(filtered),
            }
        }
        Some(())
    }
}

/// Puts a part into `room` after its length, uncompressed if it does not shrink. Returns the bytes used.
fn put_part(parts: &mut dyn PartEncoder, place: Place, part: &[u8], room: &mut [u8]) -> usize {
    let (length, room) = room.split_at_mut(4);
    let shorter = &mut room[..part.len().saturating_sub(1)];
    let n = parts.encode(place, part, shorter).unwrap_or_else(|| {
        room[..part.len()].copy_from_slice(part);
        part.len()
    });
    length.copy_from_slice(&(n as u32).to_le_bytes());
    4 + n
}

/// Undoes [`put_part`]. Returns what follows the part.
fn get_part<'a>(parts: &mut dyn PartDecoder, encoded: &'a [u8], part: &mut [u8]) -> Option<&'a [u8]> {
    let (n, encoded) = encoded.split_first_chunk()?;
    let (bytes, rest) = encoded.split_at_checked(u32::from_le_bytes(*n) as usize)?;
    if bytes.len() == part.len() {
        part.copy_from_slice(bytes);
    } else {
        parts.decode(bytes, part)?;
    }
    Some(rest)
}

/// LZ4's block format. Blosc's level is ten minus the acceleration.
struct Lz4 {
    acceleration: i32,
}

impl PartEncoder for Lz4 {
    fn format(&self) -> Format {
        Format::Lz4
    }

    fn encode(&mut self, _: Place, part: &[u8], room: &mut [u8]) -> Option<usize> {
        let mode = lz4::block::CompressionMode::FAST(self.acceleration);
        lz4::block::compress_to_buffer(part, Some(mode), false, room).ok()
    }
}

impl PartDecoder for Lz4 {
    fn format(&self) -> Format {
        Format::Lz4
    }

    fn decode(&mut self, encoded: &[u8], part: &mut [u8]) -> Option<()> {
        let n = i32::try_from(part.len()).ok()?;
        let decoded = lz4::block::decompress_to_buffer(encoded, Some(n), part).ok()?;
        (decoded == part.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(header: Header, rest: &[u8]) -> Vec<u8> {
        let container_bytes = Header::BYTES + rest.len();
        [&Header { container_bytes, ..header }.to_bytes(), rest].concat()
    }

    /// A chunk of 300 items of two bytes in blocks of 128 items.
    const HEADER: Header =
        Header { flags: Format::Lz4 as u8, item_bytes: 2, chunk_bytes: 600, block_bytes: 256, container_bytes: 0 };

    #[test]
    fn a_chunk_that_is_stored_as_it_is_is_read() {
        let chunk = chunk();
        let stored = Header { flags: Header::STORED | HEADER.flags, ..HEADER };
        let mut decoder = Unblosc::lz4(2, 600).unwrap();
        assert_eq!(decoder.decode(&container(stored, &chunk)), Some(&chunk[..]));
        assert_eq!(decoder.decode(&container(stored, &chunk[1..])), None);
        assert_eq!(decoder.decode(&container(stored, &[&chunk[..], &[0]].concat())), None);
    }

    fn chunk() -> Vec<u8> {
        (0..600).map(|i| (i * 7 % 253) as u8).collect()
    }

    /// Three uncompressed blocks of [`chunk`], from the last to the first; all but the shorter one in parts.
    fn blocks(block_bytes: usize, part_bytes: usize) -> Vec<u8> {
        let chunk = chunk();
        let (mut blocks, mut starts) = (Vec::new(), Vec::new());
        for block in chunk.chunks(block_bytes).rev() {
            starts.insert(0, (Header::BYTES + 3 * 4 + blocks.len()) as u32);
            for part in block.chunks(if block.len() == block_bytes { part_bytes } else { block_bytes }) {
                blocks.extend((part.len() as u32).to_le_bytes());
                blocks.extend(part);
            }
        }
        [starts.into_iter().flat_map(u32::to_le_bytes).collect(), blocks].concat()
    }

    #[test]
    fn blocks_are_read_where_they_start_split_or_not() {
        let mut decoder = Unblosc::lz4(2, 600).unwrap();
        let whole = Header { flags: HEADER.flags | Header::NOT_SPLIT, ..HEADER };
        assert_eq!(decoder.decode(&container(whole, &blocks(256, 256))), Some(&chunk()[..]));
        assert_eq!(decoder.decode(&container(HEADER, &blocks(256, 128))), Some(&chunk()[..]));
        assert_eq!(decoder.decode(&container(whole, &blocks(256, 128))), None);
        let half_an_item = Header { block_bytes: 255, ..whole };
        assert_eq!(decoder.decode(&container(half_an_item, &blocks(255, 255))), None);
    }

    #[test]
    fn lengths_and_flags_that_cannot_be_are_refused() {
        let blocks = blocks(256, 128);
        let mut decoder = Unblosc::lz4(2, 600).unwrap();
        let flags = [Header::UNKNOWN, Header::BYTE_SHUFFLE | Header::BIT_SHUFFLE, Format::Zstd as u8];
        let flags = flags.map(|f| Header { flags: f | HEADER.flags, ..HEADER });
        let lengths = [0, 1, 3, 255, 602, u32::MAX as usize].map(|block_bytes| Header { block_bytes, ..HEADER });
        for header in flags.into_iter().chain(lengths) {
            assert_eq!(decoder.decode(&container(header, &blocks)), None, "{header:?}");
        }
        let whole = container(HEADER, &blocks);
        for n in 0..whole.len() {
            assert_eq!(decoder.decode(&whole[..n]), None);
            // With a matching length in its header.
            if let Some(n) = n.checked_sub(Header::BYTES) {
                assert_eq!(decoder.decode(&container(HEADER, &blocks[..n])), None);
            }
        }
    }

    #[test]
    fn a_header_is_read_as_it_is_written() {
        let header =
            Header { flags: 0x95, item_bytes: 255, chunk_bytes: 1 << 30, block_bytes: 765, container_bytes: 99 };
        assert_eq!(Header::from_bytes(&header.to_bytes()), Some(header));
        let mut bytes = header.to_bytes();
        bytes[0] = 3;
        assert_eq!(Header::from_bytes(&bytes), None);
    }
}

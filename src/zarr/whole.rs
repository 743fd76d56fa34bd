//! Codecs that take a chunk as a whole.
//!
//! Chunks may be malicious: they are unpacked into no more bytes than a chunk has, whatever they claim.

use std::borrow::Cow;
use std::io::Read;

use crate::base::error::{Error, Result, failed};
use crate::segy::Dtype;
use crate::zarr::codec::{Codec, Packing};

#[cfg(feature = "pcodec")]
/// Values in a page of Pco's.
pub(super) const PCO_PAGE_VALUES: usize = 1 << 18;

/// Packs and unpacks whole chunks.
pub(super) struct WholeChunk {
    packing: Packing,
    level: u8,
    #[cfg_attr(not(feature = "pcodec"), expect(dead_code, reason = "only Pco knows values from bytes"))]
    dtype: Dtype,
}

impl WholeChunk {
    pub(super) fn new(codec: &Codec, dtype: Dtype) -> Self {
        Self { packing: codec.packing(), level: codec.level(), dtype }
    }

    pub(super) fn encode<'a>(&self, chunk: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        let packed = match self.packing {
            Packing::AsIs => return Ok(Cow::Borrowed(chunk)),
            Packing::Lz4(_) | Packing::Planes => return Err(in_blocks()),
            Packing::Zstd => ::zstd::bulk::compress(chunk, self.level.into()),
            Packing::Gzip => gzipped(chunk, self.level),
            #[cfg(feature = "pcodec")]
            Packing::Pco => return pco_of(chunk, self.dtype, self.level).map(Cow::Owned),
        };
        packed.map(Cow::Owned).map_err(failed("encoding a chunk"))
    }

    /// Unpacks a chunk of `n` bytes.
    pub(super) fn decode<'a>(&self, packed: &'a [u8], n: usize) -> Result<Cow<'a, [u8]>> {
        let chunk = match self.packing {
            Packing::AsIs => return Ok(Cow::Borrowed(packed)),
            Packing::Lz4(_) | Packing::Planes => return Err(in_blocks()),
            Packing::Zstd => zstd(packed, n),
            Packing::Gzip => gzip(packed, n),
            #[cfg(feature = "pcodec")]
            Packing::Pco => pco(packed, n, self.dtype),
        };
        chunk.map(Cow::Owned)
    }
}

/// Only for a chunk too long for Blosc's container, which no plan allows.
fn in_blocks() -> Error {
    Error::Failed("a chunk is too long for its codec".into())
}

fn gzipped(chunk: &[u8], level: u8) -> std::io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(chunk, flate2::Compression::new(level.into())).read_to_end(&mut packed)?;
    Ok(packed)
}

#[cfg(feature = "pcodec")]
fn pco_of(chunk: &[u8], dtype: Dtype, level: u8) -> Result<Vec<u8>> {
    let config = pco::ChunkConfig::default()
        .with_compression_level(level.into())
        .with_paging_spec(pco::PagingSpec::EqualPagesUpTo(PCO_PAGE_VALUES));
    macro_rules! packed {
        ($t:ty) => {{
            let values: Vec<$t> = chunk.as_chunks().0.iter().map(|bytes| <$t>::from_le_bytes(*bytes)).collect();
            pco::standalone::simple_compress(&values, &config).map_err(failed("encoding a chunk"))
        }};
    }
    match dtype {
        Dtype::Int16 => packed!(i16),
        Dtype::UInt16 => packed!(u16),
        Dtype::Int32 => packed!(i32),
        Dtype::UInt32 => packed!(u32),
        Dtype::Int64 => packed!(i64),
        Dtype::UInt64 => packed!(u64),
        Dtype::Float32 => packed!(f32),
        Dtype::Float64 => packed!(f64),
        Dtype::Int8 | Dtype::UInt8 => Err(no_bytes()),
    }
}

#[cfg(feature = "pcodec")]
fn no_bytes() -> Error {
    Error::Failed("pcodec has no values of one byte".into())
}

/// Unpacks Zstandard frames into `n` bytes.
fn zstd(packed: &[u8], n: usize) -> Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(n);
    let mut decompressor = zstd::bulk::Decompressor::new().map_err(failed("decoding a chunk"))?;
    decompressor.decompress_to_buffer(packed, &mut chunk).map_err(failed("decoding a chunk"))?;
    of_length(chunk, n)
}

/// Unpacks a gzip member into `n` bytes.
fn gzip(packed: &[u8], n: usize) -> Result<Vec<u8>> {
    // Room for one more byte, to see whether there is one.
    let mut chunk = Vec::with_capacity(n + 1);
    let mut bytes = flate2::read::GzDecoder::new(packed).take(n as u64 + 1);
    bytes.read_to_end(&mut chunk).map_err(failed("decoding a chunk"))?;
    of_length(chunk, n)
}

/// A Pco file of values of this type that make `n` bytes, little-endian.
#[cfg(feature = "pcodec")]
fn pco(packed: &[u8], n: usize, dtype: Dtype) -> Result<Vec<u8>> {
    macro_rules! values {
        ($t:ty) => {{
            let mut values = vec![<$t>::default(); n / size_of::<$t>()];
            let progress =
                pco::standalone::simple_decompress_into(packed, &mut values).map_err(failed("decoding a chunk"))?;
            if !progress.finished || progress.n_processed != values.len() {
                return Err(other_length("another number of", n));
            }
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        }};
    }
    let chunk = match dtype {
        Dtype::Int16 => values!(i16),
        Dtype::UInt16 => values!(u16),
        Dtype::Int32 => values!(i32),
        Dtype::UInt32 => values!(u32),
        Dtype::Int64 => values!(i64),
        Dtype::UInt64 => values!(u64),
        Dtype::Float32 => values!(f32),
        Dtype::Float64 => values!(f64),
        Dtype::Int8 | Dtype::UInt8 => return Err(no_bytes()),
    };
    of_length(chunk, n)
}

fn of_length(chunk: Vec<u8>, n: usize) -> Result<Vec<u8>> {
    match chunk.len() {
        len if len == n => Ok(chunk),
        len if len > n => Err(other_length("more", n)),
        len => Err(other_length(&len.to_string(), n)),
    }
}

fn other_length(says: &str, n: usize) -> Error {
    Error::Failed(format!("a chunk of it unpacks to {says} bytes, not {n}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Frames of 4 GiB of zeros without their length, in 131 kB: blocks of one repeated byte, the last one marked.
    fn zstd_bomb() -> Vec<u8> {
        const BLOCK: u32 = 128 << 10;
        let n_blocks = (4 << 30) / u64::from(BLOCK);
        let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58];
        for i in 1..=n_blocks {
            let header = BLOCK << 3 | 1 << 1 | u32::from(i == n_blocks);
            frame.extend_from_slice(&header.to_le_bytes()[..3]);
            frame.push(0);
        }
        frame
    }

    fn gzip_of(bytes: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        bytes.for_each(|part| encoder.write_all(&part).unwrap());
        encoder.finish().unwrap()
    }

    #[test]
    fn chunks_of_the_right_length_come_back() {
        let chunk: Vec<u8> = (0..5000_u32).map(|i| (i / 7) as u8).collect();
        assert_eq!(zstd(&::zstd::bulk::compress(&chunk, 3).unwrap(), 5000).as_ref(), Ok(&chunk));
        assert_eq!(zstd(&::zstd::stream::encode_all(&chunk[..], 3).unwrap(), 5000).as_ref(), Ok(&chunk));
        assert_eq!(gzip(&gzip_of([chunk.clone()].into_iter()), 5000), Ok(chunk));
    }

    #[test]
    fn bombs_take_no_more_memory_than_a_chunk() {
        let n = 1 << 20;
        let said = |unpacked: Result<Vec<u8>>| unpacked.unwrap_err().to_string();
        assert!(said(zstd(&zstd_bomb(), n)).contains("too small"), "{}", said(zstd(&zstd_bomb(), n)));
        let bomb = gzip_of((0..64).map(|_| vec![0; 1 << 20]));
        assert_eq!(said(gzip(&bomb, n)), "a chunk of it unpacks to more bytes, not 1048576");
        // One that breaks off after the first byte too many was not read further.
        assert_eq!(said(gzip(&bomb[..bomb.len() / 2], n)), "a chunk of it unpacks to more bytes, not 1048576");
        assert!(said(zstd(&::zstd::bulk::compress(&[0; 9], 1).unwrap(), 8)).contains("too small"));
        assert!(said(zstd(&::zstd::bulk::compress(&[0; 7], 1).unwrap(), 8)).contains("unpacks to 7 bytes"));
        assert!(said(gzip(&gzip_of([vec![0; 7]].into_iter()), 8)).contains("unpacks to 7 bytes"));
    }
}

//! Unpacking chunks that somebody may have made to harm: into no more bytes than a chunk has, whatever they say of themselves.

use std::io::Read;

use crate::base::error::{Error, Result, failed};
#[cfg(feature = "pcodec")]
use crate::segy::Dtype;

/// Where the header of a Blosc container has its own length, and the place of the length when it is unpacked.
/// Source: <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>.
const BLOSC_HEADER_BYTES: usize = 16;
const BLOSC_NBYTES: usize = 4;

/// Sees that a Blosc container unpacks to `n` bytes, for which its library asks no more.
pub(super) fn check_blosc(packed: &[u8], n: usize) -> Result<()> {
    let header = packed.first_chunk::<BLOSC_HEADER_BYTES>();
    let header = header.ok_or_else(|| Error::Failed("a chunk of it is too short for its header".into()))?;
    let says = header[BLOSC_NBYTES..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if says as usize == n { Ok(()) } else { Err(other_length(&says.to_string(), n)) }
}

/// Zstandard frames that make `n` bytes.
pub(super) fn zstd(packed: &[u8], n: usize) -> Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(n);
    let mut decompressor = zstd::bulk::Decompressor::new().map_err(failed("decoding a chunk"))?;
    decompressor.decompress_to_buffer(packed, &mut chunk).map_err(failed("decoding a chunk"))?;
    of_length(chunk, n)
}

/// A gzip member that makes `n` bytes.
pub(super) fn gzip(packed: &[u8], n: usize) -> Result<Vec<u8>> {
    // One more, to see whether there is one more.
    let mut chunk = Vec::with_capacity(n + 1);
    let mut bytes = flate2::read::GzDecoder::new(packed).take(n as u64 + 1);
    bytes.read_to_end(&mut chunk).map_err(failed("decoding a chunk"))?;
    of_length(chunk, n)
}

/// A Pco file of values of this type that make `n` bytes, little-endian.
#[cfg(feature = "pcodec")]
pub(super) fn pco(packed: &[u8], n: usize, dtype: Dtype) -> Result<Vec<u8>> {
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
        Dtype::Int8 | Dtype::UInt8 => return Err(Error::Failed("pcodec has no values of one byte".into())),
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
        // One that breaks off behind the first byte too many was not read further.
        assert_eq!(said(gzip(&bomb[..bomb.len() / 2], n)), "a chunk of it unpacks to more bytes, not 1048576");
        assert_eq!(said(zstd(&::zstd::bulk::compress(&[0; 9], 1).unwrap(), 8)).contains("too small"), true);
        assert!(said(zstd(&::zstd::bulk::compress(&[0; 7], 1).unwrap(), 8)).contains("unpacks to 7 bytes"));
        assert!(said(gzip(&gzip_of([vec![0; 7]].into_iter()), 8)).contains("unpacks to 7 bytes"));
    }

    #[test]
    fn a_blosc_header_that_lies_is_refused() {
        let header = |n: u32| [&[2, 1, 0x24, 4][..], &n.to_le_bytes(), &[0; 8]].concat();
        assert_eq!(check_blosc(&header(4000), 4000), Ok(()));
        for says in [0, 1, 3999, 4001, i32::MAX as u32, u32::MAX] {
            assert!(check_blosc(&header(says), 4000).is_err(), "{says}");
        }
        assert!(check_blosc(&header(4000)[..15], 4000).is_err());
    }
}

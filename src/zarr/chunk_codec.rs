//! Encoding one chunk. The bytes come trace after trace already, so the declared `transpose` has nothing to do here.

use std::borrow::Cow;

use crate::base::error::{Error, Result};
use crate::store::checksum::crc32c_append;
use crate::zarr::ArrayPlan;
use crate::zarr::blosc::{Blosc, Unblosc};
use crate::zarr::whole::WholeChunk;

/// The compressor of one array as a stream: samples go in as they are converted, encoded bytes come out, chunk by chunk.
///
/// Memory: a window of samples and what the compressor needs: a block for Blosc, otherwise a whole chunk.
pub struct ChunkEncoder {
    compressor: Compressor,
    chunk_bytes: usize,
    /// Bytes of the current chunk so far.
    n_bytes: usize,
    /// Samples not yet passed on, at the front.
    pending: Vec<u8>,
    n_pending: usize,
    /// How many of these bytes the checksum already covers.
    n_summed: usize,
    /// CRC-32C of the samples of the current chunk.
    crc: u32,
}

enum Compressor {
    AsIs,
    Blocks(Box<Blosc>),
    Whole(WholeChunk),
}

impl ChunkEncoder {
    /// The compressor that the plan names.
    pub fn new(array: &ArrayPlan) -> Self {
        let chunk_bytes = array.chunk_bytes();
        let compressor = match array.codec.blosc(array.dtype.size(), chunk_bytes) {
            Some(blocks) => Compressor::Blocks(Box::new(blocks)),
            None if array.codec.is_none() => Compressor::AsIs,
            None => Compressor::Whole(WholeChunk::new(&array.codec, array.dtype)),
        };
        Self { compressor, chunk_bytes, n_bytes: 0, pending: Vec::new(), n_pending: 0, n_summed: 0, crc: 0 }
    }

    /// Room for the next `n` bytes of the chunk: little-endian values trace after trace. What it holds is arbitrary.
    pub fn room(&mut self, n: usize) -> &mut [u8] {
        let start = self.n_pending;
        if self.pending.len() < start + n {
            self.pending.resize(start + n, 0);
        }
        self.n_pending += n;
        self.n_bytes += n;
        &mut self.pending[start..start + n]
    }

    /// Encodes as much as possible of what has come so far. `store` takes the encoded bytes.
    pub fn advance(&mut self, store: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let pending = &self.pending[..self.n_pending];
        self.crc = crc32c_append(self.crc, &pending[self.n_summed..]);
        let n_taken = match &mut self.compressor {
            Compressor::AsIs => {
                store(pending)?;
                pending.len()
            }
            Compressor::Blocks(blosc) => {
                let blocks = pending.chunks_exact(blosc.block_bytes());
                let n_left = blocks.remainder().len();
                blocks.for_each(|block| blosc.push(block));
                pending.len() - n_left
            }
            Compressor::Whole(_) => 0,
        };
        self.pending.copy_within(n_taken..self.n_pending, 0);
        self.n_pending -= n_taken;
        self.n_summed = self.n_pending;
        Ok(())
    }

    /// Ends the chunk, padded with zeros to its full length. Returns the CRC-32C of its samples.
    pub fn finish(&mut self, store: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<u32> {
        while self.n_bytes < self.chunk_bytes {
            let n = (self.chunk_bytes - self.n_bytes).min(crate::zarr::blosc::BLOCK_BYTES);
            self.room(n).fill(0);
            self.advance(store)?;
        }
        self.advance(store)?;
        let rest = &self.pending[..self.n_pending];
        match &mut self.compressor {
            Compressor::AsIs => {}
            Compressor::Blocks(blosc) => {
                if !rest.is_empty() {
                    blosc.push(rest);
                }
                store(blosc.finish())?;
            }
            Compressor::Whole(whole) => store(&whole.encode(rest)?)?,
        }
        (self.n_bytes, self.n_pending, self.n_summed) = (0, 0, 0);
        Ok(std::mem::take(&mut self.crc))
    }
}

/// The decoder of one array.
///
/// Memory: one chunk.
pub(crate) struct ChunkDecoder {
    /// For codecs that use Blosc's container.
    blocks: Option<Unblosc>,
    whole: WholeChunk,
}

impl ChunkDecoder {
    /// The decompressor that the plan names.
    pub(crate) fn new(array: &ArrayPlan) -> Self {
        Self {
            blocks: array.codec.unblosc(array.dtype.size(), array.chunk_bytes()),
            whole: WholeChunk::new(&array.codec, array.dtype),
        }
    }

    /// Decodes a chunk of `n` bytes. `encoded` comes without its checksum.
    pub(crate) fn decode<'a>(&'a mut self, encoded: &'a [u8], n: usize) -> Result<Cow<'a, [u8]>> {
        let Some(blocks) = &mut self.blocks else { return self.whole.decode(encoded, n) };
        let chunk = blocks.decode(encoded).map(Cow::Borrowed);
        chunk.ok_or_else(|| Error::Failed("a chunk of it is not packed as its codec packs".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use zarrs::array::{ArrayBytes, ArrayToBytesCodecTraits, CodecChain, CodecOptions, DataType, FillValue};
    use zarrs::metadata::v3::MetadataV3;

    use super::*;
    use crate::segy::Dtype;
    use crate::zarr::Codec;

    /// What other implementations read, c-blosc among them, through zarrs.
    fn by_library(array: &ArrayPlan, encoded: &[u8]) -> Vec<u8> {
        let definitions = array.codec.definitions(array.dtype).into_iter();
        let metadata: Vec<MetadataV3> = definitions.map(|d| serde_json::from_value(d).unwrap()).collect();
        let chain = CodecChain::from_metadata(&metadata).unwrap();
        let data_type = DataType::from_metadata(&MetadataV3::new(array.dtype.name())).unwrap();
        let shape = [NonZeroU64::new((array.chunk_bytes() / array.dtype.size()) as u64).unwrap()];
        let fill_value = FillValue::new(vec![0; array.dtype.size()]);
        let options = CodecOptions::default();
        let decoded: ArrayBytes =
            chain.decode(Cow::Borrowed(encoded), &shape, &data_type, &fill_value, &options).unwrap();
        decoded.into_fixed().unwrap().into_owned()
    }

    /// Encoded in uneven pieces, decoded by the library and here.
    fn there_and_back(array: &ArrayPlan, values: &[u8], piece: usize) -> Vec<u8> {
        let mut encoder = ChunkEncoder::new(array);
        let mut encoded = Vec::new();
        for round in 0..2 {
            encoded.clear();
            let mut store = |bytes: &[u8]| {
                encoded.extend_from_slice(bytes);
                Ok(())
            };
            for part in values.chunks(piece + round) {
                encoder.room(part.len()).copy_from_slice(part);
                encoder.advance(&mut store).unwrap();
            }
            let mut padded = values.to_vec();
            padded.resize(array.chunk_bytes(), 0);
            assert_eq!(encoder.finish(&mut store).unwrap(), crate::store::checksum::crc32c(&padded));
        }
        let decoded = ChunkDecoder::new(array).decode(&encoded, array.chunk_bytes()).unwrap().into_owned();
        if !array.codec.to_string().starts_with("pcodec") {
            assert!(by_library(array, &encoded) == decoded);
        }
        decoded
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_container_is_decoded_as_the_library_does_or_not_at_all(
            at in 0usize..6000, byte in 0u8..=255, length in 0usize..6000,
            codec in proptest::sample::select(vec!["lz4", "lz4-bit", "zstd", "zstd:1"]),
        ) {
            let mut array = ArrayPlan::new(1000, 3, Dtype::Int16);
            array.codec = codec.parse().unwrap();
            let mut encoder = ChunkEncoder::new(&array);
            let mut container = Vec::new();
            let values: Vec<u8> = (0..6000u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect();
            encoder.room(6000).copy_from_slice(&values);
            let mut store = |bytes: &[u8]| { container.extend_from_slice(bytes); Ok(()) };
            encoder.finish(&mut store).unwrap();
            let at = at % container.len();
            container[at] = byte;
            container.truncate(length.max(at + 1));
            if let Ok(ours) = ChunkDecoder::new(&array).decode(&container, 6000) {
                proptest::prop_assert!(by_library(&array, &container) == *ours);
            }
        }
    }

    const DTYPES: [Dtype; 4] = [Dtype::Int8, Dtype::Int16, Dtype::Float32, Dtype::Float64];

    #[test]
    fn the_library_reads_chunks_of_every_codec_type_and_size() {
        let noise = |n: usize| (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>();
        let smooth = |n: usize| (0..n).map(|i| (i / 700 % 7) as u8).collect::<Vec<_>>();
        let mut codecs =
            vec!["none", "lz4", "lz4:9", "lz4-bit", "lz4-bit:1", "zstd:1", "zstd", "zstd:5", "zstd-plain", "gzip"];
        codecs.extend(cfg!(feature = "pcodec").then_some("pcodec"));
        for (codec, dtype) in codecs.into_iter().flat_map(|codec| DTYPES.map(|dtype| (codec, dtype))) {
            if codec.parse::<Codec>().unwrap().takes(dtype) {
                for (n_samples, n_traces) in [(1, 1), (7, 3), (31, 5), (1000, 70), (2048, 64), (40_001, 2)] {
                    let mut array = ArrayPlan::new(n_samples, n_traces, dtype);
                    array.chunk_traces = n_traces + 1;
                    array.codec = codec.parse().unwrap();
                    let n = (n_samples * n_traces) as usize * dtype.size();
                    for mut values in [noise(n), smooth(n)] {
                        let back = there_and_back(&array, &values, 10_007);
                        values.resize(array.chunk_bytes(), 0);
                        assert!(back == values, "{codec}, {dtype:?}, {n_samples} samples, {n_traces} traces");
                    }
                }
            }
        }
    }
}

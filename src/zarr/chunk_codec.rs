//! Encoding one chunk. The bytes come trace after trace already, so the declared `transpose` has nothing to do here.

use std::borrow::Cow;
use std::num::NonZeroU64;

use zarrs::array::{ArrayBytes, ArrayToBytesCodecTraits, CodecChain, CodecOptions, DataType, FillValue};
use zarrs::metadata::v3::MetadataV3;

use crate::base::error::{Error, Result, failed};
use crate::zarr::ArrayPlan;
use crate::zarr::blosc::{Blosc, Unblosc};

/// The compressor of one array as a stream: samples go in as they are converted, encoded bytes come out, chunk by chunk.
///
/// Memory: a window of samples and what the compressor wants, which is a block of Blosc or else a whole chunk.
pub struct ChunkEncoder {
    compressor: Compressor,
    chunk_bytes: usize,
    /// Bytes of the chunk at hand that came so far.
    n_bytes: usize,
    /// Samples that were not handed on yet, at the front.
    pending: Vec<u8>,
    n_pending: usize,
}

enum Compressor {
    AsIs,
    Blocks(Box<Blosc>),
    Whole(WholeChunk),
}

impl ChunkEncoder {
    /// The compressor that the plan names.
    pub fn new(array: &ArrayPlan) -> Result<Self> {
        let (chunk_bytes, item_bytes) = (array.chunk_bytes(), array.dtype.size());
        let blocks = array.codec.blosc_lz4().and_then(|(s, level)| Blosc::lz4(item_bytes, chunk_bytes, s, level));
        let compressor = match blocks {
            Some(blocks) => Compressor::Blocks(Box::new(blocks)),
            None if array.codec.is_none() => Compressor::AsIs,
            None => Compressor::Whole(WholeChunk::new(array)?),
        };
        Ok(Self { compressor, chunk_bytes, n_bytes: 0, pending: Vec::new(), n_pending: 0 })
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

    /// Encodes what has come so far, as far as it can be. `store` takes the encoded bytes.
    pub fn advance(&mut self, store: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let pending = &self.pending[..self.n_pending];
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
        Ok(())
    }

    /// Ends the chunk, filled up with zeros: the last one is as long as the others.
    pub fn finish(&mut self, store: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
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
        (self.n_bytes, self.n_pending) = (0, 0);
        Ok(())
    }
}

/// The decoder of one array.
///
/// Memory: one chunk, or two where the library decodes.
pub struct ChunkDecoder {
    library: Option<WholeChunk>,
    blocks: Option<Unblosc>,
    /// Whether the library has been asked for the same.
    is_checked: bool,
}

impl ChunkDecoder {
    /// The decompressor that the plan names: that of the library, or one for what [`ChunkEncoder`] makes of LZ4, whose first
    /// chunk the library decodes too.
    pub fn new(array: &ArrayPlan) -> Result<Self> {
        let library = if array.codec.is_none() { None } else { Some(WholeChunk::new(array)?) };
        let new = |_| Unblosc::lz4(array.dtype.size(), array.chunk_bytes());
        Ok(Self { library, blocks: array.codec.blosc_lz4().and_then(new), is_checked: false })
    }

    /// The chunk of `n` bytes that was encoded, without its checksum.
    pub fn decode<'a>(&'a mut self, encoded: &'a [u8], n: usize) -> Result<Cow<'a, [u8]>> {
        let Some(library) = &self.library else { return Ok(Cow::Borrowed(encoded)) };
        match self.blocks.as_mut().and_then(|blocks| blocks.decode(encoded)) {
            // What is wrong with it, or that nothing is, the library says.
            None => library.decode(encoded, n),
            Some(chunk) => {
                if !std::mem::replace(&mut self.is_checked, true) && *library.decode(encoded, n)? != *chunk {
                    return Err(Error::Failed("two decoders do not find the same in a chunk".into()));
                }
                Ok(Cow::Borrowed(chunk))
            }
        }
    }
}

/// A codec chain of the library.
struct WholeChunk {
    chain: CodecChain,
    data_type: DataType,
    item_bytes: usize,
    fill_value: FillValue,
    options: CodecOptions,
}

impl WholeChunk {
    fn new(array: &ArrayPlan) -> Result<Self> {
        let definitions = array.codec.definitions(array.dtype).into_iter();
        let metadata: Vec<MetadataV3> =
            definitions.map(|d| serde_json::from_value(d).map_err(failed("the codec"))).collect::<Result<_>>()?;
        let chain = CodecChain::from_metadata(&metadata).map_err(failed(format!("the codec {}", array.codec)))?;
        // Workers share the cores already, so each encodes on one.
        let options = CodecOptions::default().with_concurrent_target(1);
        let data_type = DataType::from_metadata(&MetadataV3::new(array.dtype.name()))
            .map_err(failed(format!("the data type {}", array.dtype.name())))?;
        Ok(Self {
            chain,
            data_type,
            item_bytes: array.dtype.size(),
            fill_value: FillValue::new(vec![0; array.dtype.size()]),
            options,
        })
    }

    /// A chunk of so many bytes as a row of values.
    fn shape(&self, n: usize) -> Result<[NonZeroU64; 1]> {
        let n_values = NonZeroU64::new((n / self.item_bytes) as u64);
        Ok([n_values.ok_or_else(|| Error::Failed("an empty chunk".into()))?])
    }

    fn encode<'a>(&self, chunk: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        let shape = self.shape(chunk.len())?;
        let bytes = ArrayBytes::new_flen(chunk);
        self.chain
            .encode(bytes, &shape, &self.data_type, &self.fill_value, &self.options)
            .map_err(failed("encoding a chunk"))
    }

    fn decode<'a>(&self, encoded: &'a [u8], n: usize) -> Result<Cow<'a, [u8]>> {
        let shape = self.shape(n)?;
        let decoded = self
            .chain
            .decode(Cow::Borrowed(encoded), &shape, &self.data_type, &self.fill_value, &self.options)
            .map_err(failed("decoding a chunk"))?;
        decoded.into_fixed().map_err(failed("decoding a chunk"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::Dtype;
    use crate::zarr::{Codec, planes};

    /// Encoded in uneven pieces, decoded by the library.
    fn there_and_back(array: &ArrayPlan, values: &[u8], piece: usize) -> Vec<u8> {
        let mut encoder = ChunkEncoder::new(array).unwrap();
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
            encoder.finish(&mut store).unwrap();
        }
        let mut decoder = ChunkDecoder::new(array).unwrap();
        let ours = decoder.blocks.as_mut().map(|blocks| blocks.decode(&encoded).unwrap().to_vec());
        decoder.blocks = None;
        let library = decoder.decode(&encoded, array.chunk_bytes()).unwrap().into_owned();
        assert!(ours.is_none_or(|ours| ours == library));
        library
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_container_is_decoded_as_the_library_does_or_not_at_all(
            at in 0usize..6000, byte in 0u8..=255, length in 0usize..6000, bit in proptest::bool::ANY,
        ) {
            let mut array = ArrayPlan::new(1000, 3, Dtype::Int16);
            array.codec = if bit { "lz4-bit" } else { "lz4" }.parse().unwrap();
            let mut encoder = ChunkEncoder::new(&array).unwrap();
            let mut container = Vec::new();
            let values: Vec<u8> = (0..6000u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect();
            encoder.room(6000).copy_from_slice(&values);
            let mut store = |bytes: &[u8]| { container.extend_from_slice(bytes); Ok(()) };
            encoder.finish(&mut store).unwrap();
            let at = at % container.len();
            container[at] = byte;
            container.truncate(length.max(at + 1));
            let mut decoder = ChunkDecoder::new(&array).unwrap();
            let ours = decoder.blocks.as_mut().and_then(|blocks| blocks.decode(&container).map(<[u8]>::to_vec));
            if let Some(ours) = ours {
                let library = decoder.library.as_ref().unwrap().decode(&container, 6000).unwrap();
                proptest::prop_assert!(ours == *library);
            }
        }
    }

    #[test]
    fn the_library_reads_planes_of_zstd() {
        for (dtype, level) in DTYPES.into_iter().flat_map(|dtype| [1, 2, 3, 9].map(|level| (dtype, level))) {
            for n in [1_u64, 100, 128, 3000, 70_000, 200_001] {
                let mut array = ArrayPlan::new(1, n, dtype);
                array.chunk_traces = n;
                array.codec = "zstd".parse().unwrap();
                let chunk: Vec<u8> = (0..array.chunk_bytes() as u32).map(|i| (i.wrapping_mul(i) >> 11) as u8).collect();
                let mut encoder = planes::encoder(dtype.size(), chunk.len(), level).unwrap();
                chunk.chunks(encoder.block_bytes()).for_each(|block| encoder.push(block));
                let container = encoder.finish();
                let library = WholeChunk::new(&array).unwrap();
                assert!(
                    library.decode(container, chunk.len()).unwrap() == chunk,
                    "{dtype:?}, level {level}, {n} samples"
                );
                // And the other way: blocks that are not split.
                let mut decoder = planes::decoder(dtype.size(), chunk.len()).unwrap();
                let encoded = library.encode(&chunk).unwrap();
                assert!(decoder.decode(&encoded) == Some(&chunk[..]), "{dtype:?}, {n} samples");
            }
        }
    }

    const DTYPES: [Dtype; 4] = [Dtype::Int8, Dtype::Int16, Dtype::Float32, Dtype::Float64];

    #[test]
    fn the_library_reads_chunks_of_every_codec_type_and_size() {
        let noise = |n: usize| (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>();
        let smooth = |n: usize| (0..n).map(|i| (i / 700 % 7) as u8).collect::<Vec<_>>();
        let mut codecs = vec!["none", "lz4", "lz4:9", "lz4-bit", "lz4-bit:1", "zstd", "gzip"];
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

//! Encoding one chunk. The bytes come trace after trace already, so the declared `transpose` has nothing to do here.

use std::borrow::Cow;
use std::num::NonZeroU64;

use serde_json::json;
use zarrs::array::data_type::uint8;
use zarrs::array::{ArrayBytes, ArrayToBytesCodecTraits, CodecChain, CodecOptions, DataType, FillValue};
use zarrs::metadata::v3::MetadataV3;

use super::ArrayPlan;
use crate::error::{Error, Result, failed};

/// The compressor of one array.
pub struct ChunkEncoder {
    /// `None` where chunks are stored as they are.
    chain: Option<CodecChain>,
    data_type: DataType,
    fill_value: FillValue,
    options: CodecOptions,
}

impl ChunkEncoder {
    /// The compressor that the plan names.
    pub fn new(array: &ArrayPlan) -> Result<Self> {
        let mut definitions = vec![json!({"name": "bytes", "configuration": {"endian": "little"}})];
        definitions.extend(array.codec.definitions(array.dtype.size()));
        let metadata: Vec<MetadataV3> = definitions
            .into_iter()
            .map(|d| serde_json::from_value(d).map_err(failed("the codec")))
            .collect::<Result<_>>()?;
        let chain = if array.codec.is_none() {
            None
        } else {
            Some(CodecChain::from_metadata(&metadata).map_err(failed(format!("the codec {}", array.codec)))?)
        };
        // Workers share the cores already, so each encodes on one.
        let options = CodecOptions::default().with_concurrent_target(1);
        // To the compressors behind it a chunk is bytes; their item size is in their own configuration.
        Ok(Self { chain, data_type: uint8(), fill_value: FillValue::from(0u8), options })
    }

    /// Whether chunks are stored as they are.
    pub fn is_identity(&self) -> bool {
        self.chain.is_none()
    }

    /// The encoded form of a chunk that holds little-endian values trace after trace, without the checksum.
    pub fn encode<'a>(&self, chunk: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        let Some(chain) = &self.chain else { return Ok(Cow::Borrowed(chunk)) };
        let shape = [NonZeroU64::new(chunk.len() as u64).ok_or_else(|| Error::Failed("an empty chunk".into()))?];
        let bytes = ArrayBytes::new_flen(chunk);
        chain
            .encode(bytes, &shape, &self.data_type, &self.fill_value, &self.options)
            .map_err(failed("encoding a chunk"))
    }

    /// The chunk of `n` bytes that was encoded, without its checksum.
    pub fn decode<'a>(&self, encoded: &'a [u8], n: usize) -> Result<Cow<'a, [u8]>> {
        let Some(chain) = &self.chain else { return Ok(Cow::Borrowed(encoded)) };
        let shape = [NonZeroU64::new(n as u64).ok_or_else(|| Error::Failed("an empty chunk".into()))?];
        let decoded = chain
            .decode(Cow::Borrowed(encoded), &shape, &self.data_type, &self.fill_value, &self.options)
            .map_err(failed("decoding a chunk"))?;
        decoded.into_fixed().map_err(failed("decoding a chunk"))
    }
}

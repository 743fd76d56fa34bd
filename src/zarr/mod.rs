//! Writing Zarr v3: the metadata documents, the encoding of chunks, and where chunks are placed.
//!
//! The text of every `zarr.json` is written here, not by a library, so that it is the same on every run.
//! Source: Zarr v3 core specification; the `transpose`, `bytes`, `blosc`, `zstd`, `gzip`, `crc32c` and
//! `sharding_indexed` codec specifications.

mod array;
mod axes;
mod blosc;
mod brick_store;
mod chunk_codec;
mod codec;
mod documents;
mod object;
mod plain_array;
mod planes;
mod sample_sums;
mod segment_store;
mod whole;

pub use array::ArrayPlan;
pub use array::AxisOrder;
pub use array::ReadPattern;
pub(crate) use array::{MAX_CHUNK_BYTES, MAX_SHARD_ENTRIES, TRACE_AXIS, usual_name};
pub(crate) use axes::{Array, Axis};
pub(crate) use brick_store::{BrickDecoder, BrickEncoder, BrickStore};
pub(crate) use chunk_codec::ChunkDecoder;
pub use chunk_codec::ChunkEncoder;
pub use codec::Codec;
pub(crate) use documents::{array_document, coordinate_document, group_document, records_document, structure};
pub(crate) use object::OnTheWay;
pub(crate) use plain_array::PlainArray;
pub(crate) use sample_sums::{SampleSumWriter, SampleSums, join_sample_sums};
pub(crate) use segment_store::SegmentStore;

//! Writing Zarr v3: the metadata documents, the encoding of chunks, and where chunks are placed.
//!
//! The text of every `zarr.json` is written here, not by a library, so that it is the same on every run.
//! Source: Zarr v3 core specification; the `transpose`, `bytes`, `blosc`, `zstd`, `gzip`, `crc32c` and
//! `sharding_indexed` codec specifications.

mod array;
mod blosc;
mod chunk_codec;
mod codec;
mod documents;
#[cfg_attr(not(test), expect(dead_code, reason = "the table of codecs names it with the next output format"))]
mod planes;
mod segment_store;

pub use array::{ArrayPlan, AxisOrder};
pub use chunk_codec::{ChunkDecoder, ChunkEncoder};
pub use codec::Codec;
pub use documents::{array_document, coordinate_document, group_document};
pub use segment_store::SegmentStore;

//! Writing Zarr v3: the metadata documents, the encoding of chunks, and where chunks are placed.
//!
//! The text of every `zarr.json` is written here, not by a library, so that it is the same on every run.
//! Source: Zarr v3 core specification; the `transpose`, `bytes`, `blosc`, `zstd`, `gzip`, `crc32c` and
//! `sharding_indexed` codec specifications.

mod array;
mod blosc;
mod codec;
mod encode;
mod metadata;
mod shuffle;
mod store;

pub use array::{ArrayPlan, AxisOrder};
pub use codec::Codec;
pub use encode::{ChunkDecoder, ChunkEncoder};
pub use metadata::{array_document, coordinate_document, group_document};
pub use shuffle::shuffle_bytes;
pub use store::SegmentStore;

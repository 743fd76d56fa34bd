//! Writing Parquet files page by page, for tables whose row groups can be joined without being decoded.

pub mod bounds;
pub mod column_chunk;
pub mod encodings;
pub mod footer;
pub mod lz4;
pub mod numbers;
pub mod page;

pub(crate) use encodings::zigzag;
pub use numbers::{NumberTable, NumberType};

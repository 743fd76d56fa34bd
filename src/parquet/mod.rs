//! Writing Parquet files page by page: any table of numbers, texts and byte strings.

pub mod bounds;
pub mod column_chunk;
pub mod encodings;
pub mod footer;
pub mod lz4;
pub mod numbers;
pub mod page;
pub mod row_group;
pub mod thrift;
pub mod values;

pub(crate) use encodings::zigzag;
pub use numbers::{NumberTable, NumberType};

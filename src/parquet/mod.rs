//! Writing Parquet files page by page: any table of numbers, texts and byte strings.

pub(crate) mod bounds;
pub(crate) mod column_chunk;
pub(crate) mod encodings;
pub(crate) mod footer;
pub(crate) mod lz4;
pub(crate) mod numbers;
pub(crate) mod page;
pub(crate) mod row_group;
pub(crate) mod thrift;
pub(crate) mod values;

pub(crate) use encodings::zigzag;
pub(crate) use numbers::{NumberTable, NumberType};

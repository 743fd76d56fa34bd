//! Parquet files: writing any table of numbers, texts and byte strings page by page, and reading columns of tables.

pub(crate) mod bounds;
pub(crate) mod checked_pages;
pub(crate) mod column_chunk;
pub(crate) mod encodings;
pub(crate) mod footer;
pub(crate) mod lz4;
pub(crate) mod numbers;
pub(crate) mod page;
pub(crate) mod row_group;
pub(crate) mod table_columns;
pub(crate) mod thrift;
pub(crate) mod values;

pub(crate) use checked_pages::PageSource;
pub(crate) use encodings::zigzag;
pub(crate) use numbers::{NumberTable, NumberType};
pub(crate) use table_columns::{Column, GroupRows, TableBatches, TableFooter, UNDECODABLE};

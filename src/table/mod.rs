//! The header table: `headers.parquet`, one row per trace in file order.
//!
//! `trace_index`, `file_index` where there are several files and `n_samples` where lengths vary, one column per header
//! field with the value as it stands in the file, a float64 column `<name>_scaled` for each field with a scalar, computed
//! columns, `is_dead`, `is_zero`, `is_duplicate`, and `raw_header`, the bytes themselves.
//!
//! A worker writes the whole row groups of its traces ([`SegmentWriter`]), and [`join`] puts the row groups of all
//! workers one after the other without decoding them. Pages and row groups begin at fixed multiples of rows,
//! so the bytes depend only on the traces and the [`HeaderTable`], not on where the segments were cut.
//!
//! `src/parquet` encodes the pages; the `parquet` crate only writes parts of the footer. Most header fields never change
//! over tens of thousands of traces; one comparison of the header bytes with those of the first trace finds all of them,
//! and only the others cost anything.
//! With all standard columns one busy core wrote 2.6 million rows a second of synthetic marine headers, where 29
//! columns vary (31 bytes a row), and 7 million of a stacked volume (1.4 bytes); with the raw headers 1.7 and 3.
//! Source of the format: <https://github.com/apache/parquet-format>.

mod column_writer;
pub(crate) mod columns;
pub mod formula;
mod join;
pub(crate) mod rows;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
mod writer;

pub use columns::{ADDITIONAL_HEADERS, Column, DUPLICATE_TRACE, HeaderTable, Mark, N_SAMPLES, RAW_HEADER, ZERO_TRACE};
pub use formula::{Computed, Formula};
pub use join::{TablePart, join};
pub use rows::read_integer;
pub use summary::HeaderSummary;
pub use writer::SegmentWriter;

//! The header table: `headers.parquet`, one row per trace in file order.
//!
//! `trace_index`, `ensemble_id` if there are gathers, `file_index` if there are several files and `n_samples` if lengths vary, one column per header
//! field with its raw value, a float64 column `<name>_scaled` for each field with a scalar, computed columns,
//! `is_dead`, `is_zero`, `is_duplicate`, and `raw_header`, the bytes themselves.
//!
//! A worker writes the whole row groups of its traces ([`SegmentWriter`]), and [`Joining`] concatenates the row groups
//! of all workers without decoding them; `ensemble_id` is added by it. Pages and row groups begin at fixed multiples of rows, so the bytes depend
//! only on the traces and the [`HeaderTable`], not on where the segments were cut.
//!
//! `src/parquet` encodes the pages; the `parquet` crate only writes parts of the footer. Most header fields stay
//! constant over tens of thousands of traces; a single comparison of the header bytes with those of the first trace
//! finds all of them, and only the others cost time. With all standard columns, one busy core wrote 2.6 million rows
//! per second of synthetic marine headers, in which 29 columns vary (31 bytes per row), and 7 million of a stacked
//! volume (1.4 bytes); with raw headers 1.7 and 3. Source of the format: <https://github.com/apache/parquet-format>.

mod column_numbers;
mod column_writer;
pub(crate) mod columns;
mod coordinate_arrays;
pub(crate) mod derived;
mod ensembles;
pub(crate) mod formula;
pub(crate) mod info;
mod join;
pub(crate) mod rows;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod watched;
mod writer;

pub(crate) use column_numbers::ColumnNumbers;
pub use columns::HeaderTable;
pub(crate) use columns::{
    ADDITIONAL_HEADERS, Column, DUPLICATE_TRACE, Mark, N_SAMPLES, RAW_HEADER, TRACE_IN_FILE, ZERO_TRACE,
};
pub(crate) use coordinate_arrays::{CoordinateArray, CoordinateSummary, LEVEL as COORDINATE_LEVEL};
pub(crate) use ensembles::{ENSEMBLE_ID, ENSEMBLE_ID_PLACE, EnsembleIds, GatherStarts, ensemble_info};
pub(crate) use formula::{Computed, Expression, Formula};
pub use join::{Joining, TablePart};
pub(crate) use rows::{read_integer, read_number, write_number};
pub use summary::HeaderSummary;
pub use writer::SegmentWriter;

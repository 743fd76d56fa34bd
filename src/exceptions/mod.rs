//! Samples that do not survive the way through the stored type: their words as they stood in the file.
//!
//! A worker converts every trace back while it is in the cache and keeps what differs ([`SegmentExceptions`]); the merge
//! makes `exceptions.parquet` of it ([`write_table`]), in the order of the chunks: along the traces, then along the
//! samples, and trace after trace within a chunk. Where a chunk spans all samples, that is the order of the file.

mod spool;
mod table;

pub use spool::{SegmentExceptions, SegmentReader};
pub use table::{COLUMNS, write_table};

/// One sample that has to be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// From 0.
    pub trace: u64,
    /// From 0.
    pub sample: u32,
    /// The number that the bytes in the file are in its byte order.
    pub word: u32,
}

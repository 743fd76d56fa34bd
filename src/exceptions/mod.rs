//! Samples that cannot be restored from the stored type, with their original words.
//!
//! A worker converts every trace back while it is in the cache and keeps what differs ([`SegmentExceptions`]); the
//! merge writes `exceptions.parquet` from that ([`write_table`]), in chunk order: along the traces, then along the
//! samples, and trace after trace within a chunk. If chunks span all samples, that is the order of the file.

mod sorting;
mod spool;
mod table;

pub(crate) use sorting::sorted;
pub(crate) use spool::{SegmentExceptions, SegmentReader};
pub(crate) use table::{COLUMNS, write_table};

/// One sample to be restored on export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    /// From 0.
    pub trace: u64,
    /// From 0.
    pub sample: u32,
    /// The sample's bytes in the file as a number, read in the file's byte order.
    pub word: u32,
}

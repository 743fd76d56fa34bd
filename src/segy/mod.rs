//! The SEG-Y format: the standard as tables, and reading a file by them.
//!
//! [`SegyFile`] reads bytes, [`layout`] says what they mean, [`format`] converts samples, [`restore`] converts them
//! back.

pub(crate) mod axis;
pub mod binary_header;
pub mod fields;
pub(crate) mod file;
pub(crate) mod header_byte_order;
pub(crate) mod infer;
pub mod layout;
pub mod lengths;
pub mod samples;
pub(crate) mod tape_label;
pub mod text;

pub use axis::{Domain, SampleAxis};
pub use file::{Access, Io, SegyFile};
pub use header_byte_order::{reorder_binary_header, reorder_trace_headers};
pub use layout::Layout;
pub use lengths::{Ragged, TraceFinder, odd_trace};
pub use samples::format::{ByteOrder, Dtype};

/// Applies a coordinate, elevation or time scalar: positive multiplies, negative divides, 0 counts as 1.
/// Source: SEG-Y rev 2.1, trace header bytes 69-72 and 215-216.
#[inline]
pub fn apply_scalar(value: f64, scalar: i16) -> f64 {
    match scalar {
        0 => value,
        1.. => value * f64::from(scalar),
        _ => value / -f64::from(scalar),
    }
}

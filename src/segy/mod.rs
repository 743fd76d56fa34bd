//! The SEG-Y format: the standard as tables, and reading a file by them.
//!
//! [`SegyFile`] reads bytes, [`layout`] says what they mean, [`format`] converts samples, [`restore`] converts them
//! back.

pub(crate) mod axis;
pub(crate) mod binary_header;
pub(crate) mod descriptions;
pub(crate) mod fields;
pub(crate) mod file;
pub(crate) mod header_byte_order;
pub(crate) mod infer;
pub(crate) mod layout;
pub(crate) mod lengths;
pub(crate) mod quantity;
pub(crate) mod samples;
pub(crate) mod tape_label;
pub(crate) mod text;

pub use axis::Domain;
pub(crate) use axis::SampleAxis;
pub use file::Io;
pub(crate) use file::{Access, SegyFile};
pub(crate) use header_byte_order::{reorder_binary_header, reorder_trace_headers};
pub(crate) use infer::second_header;
pub(crate) use layout::Layout;
pub use lengths::Ragged;
pub(crate) use lengths::{TraceFinder, odd_trace};
pub use samples::format::{ByteOrder, Dtype};

/// Whether a scalar in a header is one of the standard: 0, or a power of ten up to 10,000 with either sign.
/// Source: SEG-Y rev 2.1, trace header bytes 69-72 and 215-216.
#[inline]
pub(crate) fn is_scalar(scalar: i16) -> bool {
    matches!(scalar.unsigned_abs(), 0 | 1 | 10 | 100 | 1000 | 10_000)
}

/// Applies a coordinate, elevation or time scalar: positive multiplies, negative divides. 0 counts as 1, and so does
/// anything that is not a scalar of the standard, such as blanks.
#[inline]
pub(crate) fn apply_scalar(value: f64, scalar: i16) -> f64 {
    if is_scalar(scalar) { apply_given_scalar(value, i32::from(scalar)) } else { value }
}

/// Applies a scalar that the user gave, whatever it is.
#[inline]
pub(crate) fn apply_given_scalar(value: f64, scalar: i32) -> f64 {
    match scalar {
        0 => value,
        1.. => value * f64::from(scalar),
        _ => value / -f64::from(scalar),
    }
}

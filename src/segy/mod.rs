//! Reading SEG-Y: the standard as tables, and what one file makes of it.
//!
//! [`SegyFile`] gives bytes, [`layout`] decides what they mean, [`format`] converts samples, [`restore`] converts them back.

mod ahead;
mod axis;
pub mod binary;
pub mod fields;
mod file;
mod fit;
mod fit_lengths;
mod float_kind;
pub mod format;
pub mod ibm;
mod inference;
mod label;
pub mod layout;
mod misfit;
pub mod plain;
pub mod ragged;
pub mod recode;
mod reorder;
pub mod restore;
mod sniff;
mod su;
mod tail;
pub mod text;
mod trace_counts;

pub use axis::{Domain, SampleAxis};
pub use file::{Access, Io, SegyFile};
pub use format::{ByteOrder, Dtype};
pub use layout::Layout;
pub use ragged::{Ragged, TraceFinder};
pub use reorder::{reorder_binary_header, reorder_trace_headers};
pub use trace_counts::odd_trace;

/// Applies a coordinate, elevation or time scalar: positive multiplies, negative divides, 0 counts as 1.
/// Source: SEG-Y rev 2.1, trace header bytes 69-72 and 215-216.
pub fn apply_scalar(value: f64, scalar: i16) -> f64 {
    match scalar {
        0 => value,
        1.. => value * f64::from(scalar),
        _ => value / -f64::from(scalar),
    }
}

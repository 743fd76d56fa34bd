//! Traces of varying length, and sample counts in trace headers.

pub mod ragged;
pub(crate) mod trace_counts;

pub use ragged::{Ragged, TraceFinder};
pub use trace_counts::odd_trace;

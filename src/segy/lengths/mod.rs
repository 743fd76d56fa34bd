//! Traces of varying length, and sample counts in trace headers.

pub(crate) mod ragged;
pub(crate) mod trace_counts;

pub use ragged::Ragged;
pub(crate) use ragged::TraceFinder;
pub(crate) use trace_counts::odd_trace;

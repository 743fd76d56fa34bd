//! The input files: what they were when the import was planned, their traces as one row, and the bytes outside their traces.

mod input_file;
pub mod outside_traces;
pub mod traces;

pub use input_file::{InputFile, PlannedFile};

//! The input files: their state when the import was planned, their traces as one sequence, and the bytes outside
//! their traces.

mod input_file;
pub mod outside_traces;
pub mod trace_map;
pub mod traces;

pub use input_file::{InputFile, PlannedFile};

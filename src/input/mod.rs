//! The input files: their state when the import was planned, their traces as one sequence, and the bytes outside
//! their traces.

mod input_file;
pub(crate) mod outside_traces;
pub(crate) mod traces;

pub(crate) use input_file::{InputFile, PlannedFile};

//! Turns SEG-Y files into Zarr arrays and Parquet tables.
//!
//! [`import`] does what the command line does: it reads the headers of a file, makes a plan, lets workers convert one
//! segment of the traces each, and merges their results. [`export`] writes the file again, [`verify::compare`] and
//! [`verify::check`] prove what a dataset holds, [`inspect`] says what a file holds, and [`generate`] makes surveys to try it on.
//!
//! ```no_run
//! use segy_import::{CancelHandle, ImportConfig, import};
//!
//! let config = ImportConfig::new("line_042.sgy", "line_042");
//! let result = import(&config, &mut |progress| println!("{} traces", progress.current_traces), &CancelHandle::new())?;
//! println!("{} gathers", result.n_gathers);
//! # Ok::<(), segy_import::Error>(())
//! ```

// Tests may take an error for "is not there": they fail then.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

// In the order of the data: each module uses only those above it.

/// Errors, cancelling, and other small things that every module uses.
mod base;

/// The names of what a dataset consists of.
mod dataset_files;

/// Files and objects in object stores: reading, writing, syncing, checksums.
mod store;

/// The SEG-Y format: what its headers and samples mean, and deciding that for a file.
mod segy;

/// The input files of an import as one row of traces, and their bytes outside the traces.
mod input;

/// Parquet files, written page by page.
mod parquet;

/// Zarr arrays: the plan of one, its codecs, its chunks, its documents.
mod zarr;

/// The header table: which columns it has, and writing and joining it.
mod table;

/// Samples that their stored values do not give back, and their words.
mod exceptions;

/// Gathers: their keys, where they begin, and the index of all.
mod gather;

/// Deciding everything before the work begins.
mod plan;

/// Reading a dataset back.
mod dataset;

/// The output directory while a dataset is made: staging area, segments, commit.
mod staging;

/// What a worker says to its coordinator.
mod protocol;

/// Converting one segment.
mod worker;

/// Making the dataset of the segments.
mod merge;

/// Writing SEG-Y files of a dataset.
mod export;

/// Comparing a dataset with its input, or with its checksums.
pub mod verify;

/// Saying what a SEG-Y file holds.
pub mod inspect;

/// Making synthetic surveys.
pub mod generate;

/// Running the workers.
mod coordinator;

/// An import from its beginning to its end, and its steps as a scheduler runs them.
mod run;

/// The jobs of an import for Slurm.
mod slurm;

/// The command line.
#[doc(hidden)]
pub mod cli;

pub use base::{CancelHandle, Error, Result};
pub use dataset::{Part, Span, Target};
pub use export::{ExportConfig, ExportResult, export};
pub use plan::config::{DtypeChoice, Gather, ImportConfig};
pub use run::import::{ImportProgress, ImportResult, Message, Phase, import};
pub use segy::layout::{InputFormat, Overrides};
pub use segy::{ByteOrder, Domain, Io, Ragged};
pub use zarr::{AxisOrder, Codec};

/// What the tests, benchmarks and fuzzers of this crate use. It changes without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::coordinator::{
        Ending, Event, Launch, Listener, Running, Tally, convert_segments, forward_messages, work,
    };
    pub use crate::merge::content_warnings::of_contents;
    pub use crate::merge::merge;
    pub use crate::plan::partition::partition;
    pub use crate::plan::{PLAN_VERSION, Plan};
    pub use crate::protocol::parse_line;
    pub use crate::segy::Dtype;
    pub use crate::segy::samples::format::{Converter, FORMATS, sample_format};
    pub use crate::segy::samples::plain_runs::plain_kernel;
    pub use crate::segy::samples::statistics::SampleStatistics;
    pub use crate::staging::Output;
    pub use crate::store::Place;
    pub use crate::store::checksum::Checksum;
    pub use crate::table::{HeaderSummary, HeaderTable, SegmentWriter, TablePart, join};
    pub use crate::worker::convert_segment;
    pub use crate::zarr::{ArrayPlan, ChunkEncoder};
}

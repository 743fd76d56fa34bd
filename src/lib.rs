//! Turns SEG-Y files into Zarr arrays and Parquet tables.
//!
//! [`import`] does what the command line does: it reads a file's headers, makes a plan, runs workers that convert one
//! segment of the traces each, and merges their results. [`export`] writes the SEG-Y file again, [`compare`] and
//! [`check`] prove what a dataset holds, [`Inspector`] says what a file holds, [`report`] makes a page with pictures of
//! it, [`choose_section`] draws a section, and [`generate`] makes synthetic surveys to try it on.
//!
//! ```no_run
//! use segy_import::{CancelHandle, ImportConfig, import};
//!
//! let config = ImportConfig::new("line_042.sgy", "line_042.zarr");
//! let result = import(&config, &mut |progress| println!("{} traces", progress.current_traces), &CancelHandle::new())?;
//! println!("{} gathers", result.n_gathers);
//! # Ok::<(), segy_import::Error>(())
//! ```
//!
//! What an import dialog needs: progress in another thread, and a button that cancels.
//!
//! ```no_run
//! use segy_import::{CancelHandle, Codec, Coords, Error, Gather, ImportConfig, ImportProgress, Message, Phase, import};
//!
//! let mut config = ImportConfig::new("line_042.sgy", "line_042.zarr");
//! config.gather = Gather::Keys(vec!["field_record".into()]);
//! config.codec = "lz4-bit".parse::<Codec>()?;
//! config.coords = Coords::Auto;
//! config.verify = true;
//!
//! let cancel = CancelHandle::new();
//! let button = cancel.clone(); // button.cancel() ends the import, from whatever thread.
//! let mut show = |progress: &ImportProgress| {
//!     let what = match progress.phase {
//!         Phase::Importing => "converting",
//!         Phase::Verifying => "comparing with the file",
//!         _ => "working",
//!     };
//!     println!("{what}: {:.0} %, {:?} left", 100.0 * progress.fraction, progress.eta);
//!     for message in &progress.messages {
//!         match message {
//!             Message::Warning(text) => eprintln!("warning: {text}"),
//!             Message::Info(text) => println!("{text}"),
//!         }
//!     }
//! };
//! let work = std::thread::spawn(move || import(&config, &mut show, &cancel));
//! # drop(button);
//! match work.join().expect("the import does not panic") {
//!     Ok(result) => println!("{} traces", result.n_traces),
//!     Err(Error::Cancelled { .. }) => println!("cancelled"),
//!     Err(error) => eprintln!("{error} (exit code {})", error.exit_code()),
//! }
//! # Ok::<(), segy_import::Error>(())
//! ```

// Tests may treat any error as "not there": they fail in that case.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

// In the order of the data: each module uses only those above it.

/// Errors, cancelling, and other small things used everywhere.
mod base;

/// The file names in a dataset.
mod dataset_files;

/// Files and objects in object stores: reading, writing, syncing, checksums.
mod store;

/// The SEG-Y format: headers and samples, and working out what they mean in a given file.
mod segy;

/// The input files of an import as one sequence of traces, and the bytes outside their traces.
mod input;

/// Parquet files, written page by page, and read column by column.
mod parquet;

/// Zarr arrays: plan, codecs, chunks, metadata documents.
mod zarr;

/// The header table: its columns, writing it, joining it.
mod table;

/// Which traces and samples are wanted, by their headers.
mod selection;

/// Samples that cannot be restored from their stored values, with their original words.
mod exceptions;

/// Gathers: their keys, where they begin, and their index.
mod gather;

/// Grids: header fields as axes, the place of each trace, bricks.
mod grid;

/// Planning: deciding everything before the work begins.
mod plan;

/// Reading a dataset back.
mod dataset;

/// The output directory while a dataset is being made: staging area, segments, commit.
mod staging;

/// What a worker says to its coordinator.
mod protocol;

/// Converting one segment.
mod worker;

/// Writing the traces of an unsorted file to buckets before they are converted.
mod spill;

/// Merging the segments into the dataset.
mod merge;

/// Arrays that other programs wrote: Zarr and NumPy.
mod other_arrays;

/// Exporting a dataset to SEG-Y.
mod export;

/// Comparing a dataset with its input, or with its checksums.
mod verify;

/// Reporting what a SEG-Y file holds.
mod inspect;

/// Pictures as pixels and numbers: sections, wiggles, spectra, maps.
mod picture;

/// The report of a file or a dataset, with pictures.
mod report;

/// Making synthetic surveys.
mod generate;

/// Running the workers.
mod coordinator;

/// An import from start to finish, and its steps as a scheduler runs them.
mod run;

/// Submitting an import to Slurm.
mod slurm;

/// The command line.
mod cli;

pub use base::{CancelHandle, Error, Result};
pub use dataset::{Part, Span, Target};
pub use export::{ExportConfig, ExportResult, TextLine, export};
pub use generate::{GenerateConfig, Lines, SetField, SurveyKind, TraceSelection, generate, generate_to};
pub use grid::HeaderType;
pub use grid::options::{AxesOrder, Bin, Crs, Duplicates, GridKeys, GridOptions, GridShard, Lengths, Spill};
pub use inspect::{Candidates, Coverage, Findings, InspectConfig, Inspector, Report, TraceDump};
pub use picture::colours::{ColourMap, colour_map};
pub use picture::drawn::Drawing;
pub use plan::import_config::{Coords, DtypeChoice, Gather, ImportConfig};
pub use plan::mapping::presets::{Preset, PresetName};
pub use plan::mapping::{ComputedField, FieldPlacement, HeaderOptions, Mapping};
pub use plan::reading::Reading;
pub use report::chosen::{ChosenSection, SectionChoice, choose_section};
pub use report::{Form, ReportConfig, report};
pub use run::import::import;
pub use run::reporter::{ImportProgress, ImportResult, Message, Phase};
pub use segy::layout::{InputFormat, Overrides};
pub use segy::quantity::{Quantity, Unit};
pub use segy::{ByteOrder, Domain, Io, Ragged};
pub use selection::{AxisInterval, Interval, Selection};
pub use verify::{Checked, Compared, check, compare};
pub use zarr::{AxisOrder, Codec, ReadPattern};

/// What the program does.
#[doc(hidden)]
pub use cli::main;

/// For this crate's tests, benchmarks and fuzzers. May change without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::coordinator::{
        Ending, Event, Launch, Listener, Running, Tally, convert_segments, forward_messages, work,
    };
    pub use crate::inspect::report as inspect_text;
    pub use crate::merge::content_warnings::of_contents;
    pub use crate::merge::merge;
    pub use crate::plan::partition::partition;
    pub use crate::plan::{PLAN_VERSION, Plan};
    pub use crate::protocol::parse_line;
    pub use crate::segy::Dtype;
    pub use crate::segy::samples::format::{Converter, FORMATS, sample_format};
    pub use crate::segy::samples::statistics::SampleStatistics;
    pub use crate::staging::Output;
    pub use crate::store::Place;
    pub use crate::store::checksum::Checksum;
    pub use crate::table::{HeaderSummary, HeaderTable, Joining, SegmentWriter, TablePart};
    pub use crate::worker::convert_segment;
    pub use crate::zarr::{ArrayPlan, ChunkEncoder};
}

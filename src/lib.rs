//! Turns SEG-Y files into Zarr arrays and Parquet tables.
//!
//! [`import`](import::import) does what the command line does: it reads the headers of a file, makes a
//! [`Plan`](plan::Plan), lets workers convert one segment of the traces each, and merges their results. The modules
//! follow the way of the data:
//!
//! [`segy`] reads → [`gather`], [`partition`] find where to cut → [`plan`] holds what was decided → [`worker`] converts
//! a segment, with [`zarr`] for samples and [`headers`] for trace headers → [`coordinator`] runs the workers, which
//! speak [`protocol`] → [`merge`] joins → [`output`] makes it visible. The other way, [`dataset`] reads back, [`export`] writes
//! the file again, and [`verify`] compares. Beside it,
//! [`inspect`] says what a file holds.
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

pub mod attempt;
pub mod cancel;
pub mod checksum;
pub mod cli;
pub mod config;
pub mod coordinator;
pub mod dataset;
mod durable;
pub mod error;
pub mod exceptions;
pub mod export;
mod files;
pub mod gather;
pub mod generate;
pub mod headers;
pub mod import;
pub mod inputs;
pub mod inspect;
mod kept;
pub mod mapping;
pub mod merge;
mod metadata;
mod names;
pub mod output;
pub mod partition;
pub mod plan;
mod progress;
pub mod protocol;
mod repeats;
pub mod segy;
mod shell;
pub mod slurm;
pub mod statistics;
pub mod steps;
mod store;
pub mod verify;
pub mod warnings;
pub mod worker;
pub mod zarr;

pub use cancel::CancelHandle;
pub use config::ImportConfig;
pub use error::{Error, Result};
pub use export::{ExportConfig, export};
pub use import::{ImportProgress, ImportResult, import};

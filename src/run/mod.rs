//! The three steps of an import: [`plan`], [`convert_one`] for each segment, and [`merge`]. A scheduler runs each as
//! a separate command, anywhere that reaches the file system; [`import`](crate::run::import::import) runs all of
//! them. Each may be repeated, and may run twice at once. [`status`] reports the progress.

#[cfg(test)]
mod fault_tests;
pub(crate) mod finish;
pub(crate) mod import;
mod one_segment;
pub(crate) mod planning;
pub(crate) mod reporter;
mod spilling;
mod state;

pub(crate) use finish::{Merged, merge};
pub(crate) use one_segment::{SegmentOutcome, convert_one};
pub(crate) use planning::{PlanResult, plan};
pub(crate) use state::{Attempting, SegmentStatus, State, Status, status};

use std::path::Path;

use crate::base::error::Error;

/// The error for a step run before planning.
fn no_plan(root: &Path) -> Error {
    Error::Usage(format!("{}: no import is planned here; to plan one: segy-import plan IN {0}", root.display()))
}

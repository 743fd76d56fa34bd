//! The three steps of an import: [`plan`], [`convert_one`] for each segment, and [`merge`]. A scheduler runs each as a command of
//! its own, anywhere the file system reaches; [`import`](crate::run::import::import) runs them in a row. Each may be repeated, and
//! may run twice at once. [`status`] says how far they are.

#[cfg(test)]
mod fault_tests;
pub mod finish;
pub mod import;
mod one_segment;
pub mod planning;
mod state;

pub use finish::{Merged, merge};
pub use one_segment::{SegmentOutcome, convert_one};
pub use planning::{PlanResult, plan};
pub use state::{Attempting, SegmentStatus, State, Status, status};

use std::path::Path;

use crate::base::error::Error;

/// Says that a step was asked for before the plan was made.
fn no_plan(root: &Path) -> Error {
    Error::Usage(format!("{}: no import is planned here; segy-import plan IN {0} does it", root.display()))
}

//! The three steps of an import: [`plan`], [`convert_one`] for each segment, and [`merge`]. A scheduler runs each as a command of
//! its own, anywhere the file system reaches; [`import`](crate::import::import) runs them in a row. Each may be repeated, and
//! may run twice at once. [`status`] says how far they are.

pub(crate) mod merging;
pub(crate) mod planning;
mod ranges;
mod segment;
mod status;

pub use merging::{Merged, merge};
pub use planning::{PlanResult, plan};
pub use ranges::ranges;
pub use segment::{SegmentOutcome, convert_one};
pub use status::{Attempting, SegmentStatus, State, Status, status};

use std::path::Path;

use crate::error::Error;

/// Says that a step was asked for before the plan was made.
fn no_plan(root: &Path) -> Error {
    Error::Usage(format!("{}: no import is planned here; segy-import plan IN {0} does it", root.display()))
}

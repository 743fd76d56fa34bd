//! Proving that a dataset is what it should be: equal to its file ([`compare`]), or undamaged ([`check`]).

mod check;
mod compare;

pub use check::{Checked, check};
pub use compare::{Compared, compare, compare_with};

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::segy::restore::Restorer;

/// Refuses to compare a dataset that will not hold every byte of its file.
///
/// # Errors
/// `Error::Usage` with the option that leaves something out.
pub fn can_be_verified(plan: &Plan) -> Result<()> {
    let layout = plan.layout();
    let missing = if plan.headers_only {
        "--headers-only, as the dataset would not hold the samples"
    } else if !plan.headers.raw_header {
        "--no-raw-header, as the dataset would not hold every byte of the headers"
    } else if Restorer::new(layout.format(), layout.byte_order, plan.traces.dtype).is_none() {
        "--dtype float32, which does not hold every value of these samples"
    } else {
        return Ok(());
    };
    Err(Error::Usage(format!("--verify cannot go with {missing}")))
}

//! Proving that a dataset is correct: equal to its file ([`compare`]), or undamaged ([`check`]).

mod check;
mod check_grid;
mod compare;
mod edits;

pub use check::{Checked, check};
pub use compare::Compared;
pub use compare::compare;
pub(crate) use compare::compare_with;

//! Makes system calls fail, for tests: the n-th call on a place below a directory. Also keeps what was synced and renamed
//! there, in order.

use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

/// One plan for each directory that a test works in.
static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

struct Plan {
    directory: PathBuf,
    /// Number of the call that fails, from 1; 0 for none.
    fails: u64,
    error: Errno,
    steps: Vec<Step>,
    /// The calls so far, in order.
    seen: Vec<Call>,
}

/// The place in the code that makes a call, and the path below the directory.
pub(crate) type Call = (&'static Location<'static>, PathBuf);

/// A call that durability depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Synced(PathBuf),
    /// The new name.
    Renamed(PathBuf),
}

/// As long as this exists, calls below a directory are counted and one of them fails.
pub(crate) struct Faults {
    directory: PathBuf,
}

impl Faults {
    /// The n-th call from now on fails, counted from 1; 0 for none.
    pub(crate) fn below(directory: &Path, n: u64, error: Errno) -> Self {
        let plan = Plan { directory: directory.to_owned(), fails: n, error, steps: Vec::new(), seen: Vec::new() };
        PLANS.lock().unwrap_or_else(PoisonError::into_inner).push(plan);
        Self { directory: directory.to_owned() }
    }

    /// How many calls there were so far.
    pub(crate) fn calls(&self) -> u64 {
        self.seen().len() as u64
    }

    /// What the calls so far were, in order.
    pub(crate) fn seen(&self) -> Vec<Call> {
        self.of_plan(|plan| plan.seen.clone())
    }

    /// What was synced and renamed so far.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.of_plan(|plan| plan.steps.clone())
    }

    fn of_plan<T>(&self, take: impl Fn(&Plan) -> Vec<T>) -> Vec<T> {
        let plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        plans.iter().find(|plan| plan.directory == self.directory).map_or(Vec::new(), take)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        PLANS.lock().unwrap_or_else(PoisonError::into_inner).retain(|plan| plan.directory != self.directory);
    }
}

/// Counts a call on a path, and fails if it is that call's turn.
#[track_caller]
pub(crate) fn step(path: &Path) -> io::Result<()> {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.directory)) else { return Ok(()) };
    plan.seen.push((Location::caller(), path.strip_prefix(&plan.directory).unwrap_or(path).to_owned()));
    if plan.seen.len() as u64 == plan.fails { Err(plan.error.into()) } else { Ok(()) }
}

/// Keeps that a path was synced, or is the new name of something.
pub(crate) fn note(path: PathBuf, step: fn(PathBuf) -> Step) {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.directory)) {
        plan.steps.push(step(path));
    }
}

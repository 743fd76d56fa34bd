//! Spilling the traces of an unsorted file, where that is faster: while its keys are read, or between the plan and the workers.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::base::memory::available_memory;
use crate::coordinator::{Listener, Tally};
use crate::grid::buckets::Spilled;
use crate::grid::options::GridOptions;
use crate::grid::scan::Records;
use crate::plan::Plan;
use crate::plan::import_config::ImportConfig;
use crate::plan::make_grid::{Scanner, Unread};
use crate::run::finish::{discard, missing};
use crate::run::reporter::{Message, Phase, Reporter};
use crate::spill::{Asked, Decision, KeyBuckets, decide};
use crate::staging::{self, Output, SegmentRecord};
use crate::store;

/// The shortest time between progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Spills traces while the keys of a grid are read.
pub(super) struct SpillingScanner<'a, 'r> {
    pub config: &'a ImportConfig,
    pub is_for_others: bool,
    pub reporter: &'a RefCell<&'a mut Reporter<'r>>,
    /// The output, if it was opened for that.
    pub output: Cell<Option<Output>>,
}

impl SpillingScanner<'_, '_> {
    /// The output, if there is room in it. Where somebody may lose something, the steps after planning decide.
    fn open(&self, buckets: &KeyBuckets) -> Result<Option<Output>> {
        let root = &self.config.output;
        if store::is_remote(root) || !staging::is_free(root, &self.config.inputs)? {
            return Ok(None);
        }
        let output = Output::open(root, self.config.overwrite, self.config.file_mode()?)?;
        if buckets.has_room(&output.staging())? { Ok(Some(output)) } else { output.discard().map(|()| None) }
    }
}

impl Scanner for SpillingScanner<'_, '_> {
    fn scan(&self, unread: &Unread, cancel: &CancelHandle) -> Result<Option<(Records, Spilled)>> {
        let asked = asked(self.config, unread.options, self.is_for_others);
        let Some(buckets) = KeyBuckets::plan(unread, &asked, cancel)? else { return Ok(None) };
        let Some(output) = self.open(&buckets)? else { return Ok(None) };
        let mut reporter = self.reporter.borrow_mut();
        reporter.say(Message::Info(buckets.told()));
        reporter.begin(Phase::Spilling, unread.survey.traces.n_traces);
        match buckets.run(&output.staging(), cancel, &mut progress_to(&mut reporter)) {
            Ok(read) => {
                self.output.set(Some(output));
                Ok(Some(read))
            }
            Err(error) => Err(discard(output, error)),
        }
    }
}

fn asked(config: &ImportConfig, grid: &GridOptions, is_for_others: bool) -> Asked {
    let (n_workers, memory, sync) = (config.n_workers(), available_memory(), config.sync);
    Asked { spill: grid.spill, n_workers, memory, is_for_others, sync }
}

/// Spills the traces that the segments not in `done` need, if they are to be spilled and are not yet.
pub(super) fn spill(
    config: &ImportConfig,
    (plan, done, is_for_others): (&Plan, &[SegmentRecord], bool),
    output: &Output,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> Result<()> {
    let Some(grid) = config.grid.as_ref().filter(|_| !missing(plan, done).is_empty()) else { return Ok(()) };
    let asked = asked(config, grid, is_for_others);
    let staging = output.staging();
    let spilling = match decide(plan, &staging, &asked, cancel)? {
        Decision::InPlace(remark) => {
            remark.into_iter().for_each(|remark| reporter.say(Message::Info(remark)));
            return Ok(());
        }
        Decision::Spill(spilling) => spilling,
    };
    reporter.say(Message::Info(spilling.told()));
    reporter.begin(Phase::Spilling, plan.n_traces());
    spilling.run(cancel, &mut progress_to(reporter))
}

/// Reports the number of traces done, now and then.
fn progress_to(reporter: &mut Reporter) -> impl FnMut(u64) {
    let mut last = Instant::now();
    move |traces_done| {
        if last.elapsed() >= PROGRESS_INTERVAL {
            last = Instant::now();
            reporter.tally(Tally { traces_done, active_workers: 0 });
        }
    }
}

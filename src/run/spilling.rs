//! The step between the plan and the workers: spilling the traces of an unsorted file, where that is faster.

use std::time::{Duration, Instant};

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::base::memory::available_memory;
use crate::coordinator::{Listener, Tally};
use crate::plan::Plan;
use crate::plan::import_config::ImportConfig;
use crate::run::finish::missing;
use crate::run::reporter::{Message, Phase, Reporter};
use crate::spill::{Asked, Decision, decide};
use crate::staging::{Output, SegmentRecord};

/// The shortest time between progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Spills the traces that the segments not in `done` need, if they are to be spilled and are not yet.
pub(super) fn spill(
    config: &ImportConfig,
    (plan, done, is_for_others): (&Plan, &[SegmentRecord], bool),
    output: &Output,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> Result<()> {
    let Some(grid) = config.grid.as_ref().filter(|_| !missing(plan, done).is_empty()) else { return Ok(()) };
    let (n_workers, memory, sync) = (config.n_workers(), available_memory(), config.sync);
    let asked = Asked { spill: grid.spill, n_workers, memory, is_for_others, sync };
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
    let mut last = Instant::now();
    spilling.run(cancel, &mut |traces_done| {
        if last.elapsed() >= PROGRESS_INTERVAL {
            last = Instant::now();
            reporter.tally(Tally { traces_done, active_workers: 0 });
        }
    })
}

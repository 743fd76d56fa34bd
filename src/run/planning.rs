//! Planning: deciding everything, and storing the plan for the workers.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, unreadable};
use crate::base::ranges::ranges;
use crate::dataset::document::Document;
use crate::dataset_files::NAMED_OUTPUTS;
use crate::grid::options::GridOptions;
use crate::plan::Plan;
use crate::plan::import_config::ImportConfig;
use crate::run::finish::{discard, finished_gathers};
use crate::run::reporter::{ImportProgress, Message, Phase, Reporter};
use crate::run::spilling::{SpillingScanner, spill};
use crate::staging::attempt::attempts;
use crate::staging::{self, Output, STAGING, SegmentRecord, Staged, document_in};
use crate::store;

/// A planned import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanResult {
    pub n_traces: u64,
    pub n_segments: u32,
    /// The number of segments requested; gathers and chunks may allow fewer.
    pub n_asked: Option<u32>,
    /// Segments done by an earlier run.
    pub n_done: u32,
    /// Only the last step was missing, and it is now done: nothing is left to do.
    pub is_complete: bool,
    /// The output directory.
    pub output: PathBuf,
}

/// Plans an import, for [`convert_one`](crate::run::convert_one) and [`merge`](crate::run::merge). Planning the same
/// again keeps finished segments.
///
/// # Errors
/// As for an import; `Error::OutputInTheWay` if there is another plan already, unless `config.fresh`.
pub(crate) fn plan(
    config: &ImportConfig,
    on_progress: &mut dyn FnMut(&ImportProgress),
    cancel: &CancelHandle,
) -> Result<PlanResult> {
    let mut reporter = Reporter::new(on_progress);
    let result = |plan: &Plan, n_done, is_complete| PlanResult {
        n_traces: plan.n_traces(),
        n_segments: plan.segments.len() as u32,
        n_asked: config.segments,
        n_done,
        is_complete,
        output: config.output.clone(),
    };
    match prepare(config, OtherPlan::IsRefused, &mut reporter, cancel)? {
        Prepared::Complete { plan, .. } => Ok(result(&plan, plan.segments.len() as u32, true)),
        Prepared::Open(Job { output, plan, done, .. }) => {
            if plan.merge != config.merge_options() || !plan.is_for_others {
                let merge = config.merge_options();
                output.write_plan(&Plan { merge, is_for_others: true, ..(*plan).clone() })?;
            }
            if config.sync {
                output.sync_plan()?;
            }
            if let Err(error) = spill(config, (&plan, &done, true), &output, &mut reporter, cancel) {
                return Err(if done.is_empty() { discard(output, error) } else { error });
            }
            Ok(result(&plan, done.len() as u32, false))
        }
    }
}

/// A planned import that only this process works on, apart from workers of single segments.
pub(crate) struct Job {
    pub output: Output,
    pub plan: Arc<Plan>,
    /// Segments done by an earlier run.
    pub done: Vec<SegmentRecord>,
    /// Set if the plan is from an earlier run: segments that were done but may be lost.
    pub n_lost: Option<usize>,
}

impl Job {
    /// A message about an earlier run's work that is being resumed.
    pub(crate) fn resuming(&self) -> Option<String> {
        let n_lost = self.n_lost?;
        let resuming = format!("resuming: {} of {} segments done", self.done.len(), self.plan.segments.len());
        let why = "the computer was restarted since, and they may not have reached the disk";
        Some(if n_lost == 0 { resuming } else { format!("{resuming}; {n_lost} more are converted again: {why}") })
    }
}

pub(crate) enum Prepared {
    Open(Job),
    /// An earlier run was stopped while its dataset was becoming visible; it now is.
    Complete {
        plan: Arc<Plan>,
        n_gathers: u64,
    },
}

/// What to do with an earlier plan for a different dataset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherPlan {
    /// Replace it, unless that would lose somebody's work.
    IsReplaced,
    IsRefused,
}

/// Makes the plan, and decides what to do about an earlier run's work.
pub(crate) fn prepare(
    config: &ImportConfig,
    other: OtherPlan,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> Result<Prepared> {
    if let Err(in_the_way) = staging::check(&config.output, config.overwrite) {
        // A run killed after its dataset was complete may have left its lock.
        if let Some(root) = staging::find_root(&config.output)?
            && !root.is_remote()
            && staging::holds_dataset(&root)?
        {
            staging::remove_lock(&config.output)?;
        }
        return Err(in_the_way);
    }
    reporter.begin(Phase::Partitioning, 0);
    let scanning = scanning(config, other);
    let config = scanning.as_ref().unwrap_or(config);
    let (plan, output) = plan_and_spill(config, other == OtherPlan::IsRefused, reporter, cancel)?;
    for warning in plan.all_warnings() {
        reporter.say(Message::Warning(warning));
    }
    let checked = cancel.check().and_then(|()| check_inputs_stay(&plan, &config.output));
    let output = match (output, checked) {
        (Some(output), Err(error)) => return Err(discard(output, error)),
        (None, Err(error)) => return Err(error),
        (Some(output), Ok(())) => output,
        (None, Ok(())) => Output::open(&config.output, config.overwrite, plan.file_mode)?,
    };
    if let Some(warning) = output.warning() {
        reporter.say(Message::Warning(warning));
    }
    if output.is_merged()? {
        let is_this = Plan::find(&output.plan_file())?.is_some_and(|earlier| plan.makes_the_same_as(&earlier));
        output.resume_commit(config.sync)?;
        if is_this {
            reporter.say(Message::Info("resuming: only the last step was left".into()));
            let n_gathers = finished_gathers(&output)?;
            output.discard()?;
            return Ok(Prepared::Complete { plan: Arc::new(plan), n_gathers });
        }
        // Another import's dataset, now complete, is in the way like any other.
        if let Err(in_the_way) = staging::check(&config.output, config.overwrite) {
            return Err(discard(output, in_the_way));
        }
    }
    // In an object store another import may be running, since no lock can show that.
    let other = if store::is_remote(&config.output) { OtherPlan::IsRefused } else { other };
    if config.fresh {
        output.forget()?;
    }
    let earlier = if config.fresh { None } else { earlier(config, &plan, &output, other)? };
    if let Some(Staged { plan: earlier, done, n_lost }) = earlier {
        output.complete(&plan)?;
        let plan = earlier;
        return Ok(Prepared::Open(Job { output, plan: Arc::new(plan), done, n_lost: Some(n_lost) }));
    }
    match output.start(&plan) {
        Ok(()) => Ok(Prepared::Open(Job { output, plan: Arc::new(plan), done: Vec::new(), n_lost: None })),
        // It belongs to another import.
        Err(error @ Error::OutputInTheWay(_)) => Err(error),
        Err(error) => Err(discard(output, error)),
    }
}

/// Makes the plan; returns the output as well, if it was opened to spill traces.
fn plan_and_spill(
    config: &ImportConfig,
    is_for_others: bool,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> Result<(Plan, Option<Output>)> {
    let reporter = RefCell::new(reporter);
    let watch = |walked| {
        reporter.borrow_mut().walked(walked);
        Ok(())
    };
    let scanner = SpillingScanner { config, is_for_others, reporter: &reporter, output: Cell::new(None) };
    let plan = config.plan_with(&watch, Some(&scanner), cancel);
    match (plan, scanner.output.take()) {
        (Err(error), Some(output)) => Err(discard(output, error)),
        (plan, output) => plan.map(|plan| (plan, output)),
    }
}

/// The import with all headers read before planning, where that is wanted: for a plan that others follow, and where the
/// plan of an earlier run was made so or turned out to be wrong. Workers of other processes cannot begin again.
fn scanning(config: &ImportConfig, other: OtherPlan) -> Option<ImportConfig> {
    let grid = config.grid.as_ref().filter(|grid| !grid.is_scanned)?;
    // A plan that cannot be read is reported later.
    let earlier = if config.fresh { None } else { staging::is_probed(&config.output).unwrap_or(Some((false, false))) };
    let (scans, is_wrong) = match earlier {
        None => (other == OtherPlan::IsRefused, false),
        // Its segments may be wrong, and those of others could not begin again.
        Some((true, _)) if other == OtherPlan::IsRefused => (true, true),
        Some((is_probed, is_wrong)) => (!is_probed || is_wrong, is_wrong),
    };
    let options = GridOptions { is_scanned: true, ..grid.clone() };
    scans.then(|| ImportConfig { grid: Some(options), fresh: config.fresh || is_wrong, ..config.clone() })
}

/// Refuses an input inside what the import removes: its staging area, or a dataset that is replaced.
fn check_inputs_stay(plan: &Plan, output: &Path) -> Result<()> {
    let Some(root) = staging::find_root(output)? else { return Ok(()) };
    let replaced = match document_in(&root)? {
        Some(document) => Document::find(&document)?.map_or_else(Vec::new, |document| document.parts()),
        None => Vec::new(),
    };
    let is_replaced = |name: &std::ffi::OsStr| {
        let named = NAMED_OUTPUTS.iter().copied().chain([STAGING]).chain(replaced.iter().map(String::as_str));
        named.into_iter().any(|part| name == part)
    };
    for input in plan.files.iter().map(|file| &file.input.path) {
        let name = root.name_on_the_way_to(input).map_err(|e| unreadable(input, &e))?;
        let is_made = |name: &std::ffi::OsStr| plan.parts().iter().any(|part| name == part.as_str());
        if name.is_some_and(|name| is_replaced(&name) || is_made(&name)) {
            let (input, output) = (input.display(), output.display());
            let what = "is inside what an import into this directory replaces; move the file, or choose another output";
            return Err(Error::Usage(format!("{input}: {what} than {output}")));
        }
    }
    Ok(())
}

/// What an earlier run left of the same import.
///
/// # Errors
/// `Error::OutputInTheWay` for remains of another import that must not be replaced.
fn earlier(config: &ImportConfig, plan: &Plan, output: &Output, other: OtherPlan) -> Result<Option<Staged>> {
    if other == OtherPlan::IsReplaced && !would_be_missed(plan, output)? {
        // A plan that cannot be followed and has no finished segments is replaced.
        return Ok(output.find(plan).unwrap_or(None));
    }
    let in_the_way = |what: String| {
        let staging = output.staging();
        Err(Error::OutputInTheWay(format!("{}: {what}; --fresh replaces it", staging.display())))
    };
    let staged = match Staged::find(output.root()) {
        Ok(Some(staged)) => staged,
        Ok(None) => return Ok(None),
        Err(unusable) => return in_the_way(format!("holds a plan that cannot be followed ({unusable})")),
    };
    let n = staged.plan.segments.len();
    let inputs = |plan: &Plan| plan.files.iter().map(|f| f.input.clone()).collect::<Vec<_>>();
    let differs = if inputs(plan) != inputs(&staged.plan) {
        "of other input files, or of these before they were changed"
    } else if !plan.makes_the_same_as(&staged.plan) {
        "with other options"
    } else if config.segments.is_some() && plan.segments != staged.plan.segments {
        "cut into other segments"
    } else {
        return Ok(Some(staged));
    };
    let done: Vec<u32> = staged.done.iter().map(|r| r.segment).collect();
    let done = if done.is_empty() { "none".into() } else { ranges(&done) };
    in_the_way(format!("holds a plan {differs} ({n} segments, done: {done})"))
}

/// Whether replacing the plan would lose work of another import: finished segments, running workers, or a plan that
/// others are to follow. If its files have changed since, the work is useless anyway.
fn would_be_missed(plan: &Plan, output: &Output) -> Result<bool> {
    let staged = match Staged::find(output.root()) {
        Ok(Some(staged)) => staged,
        Ok(None) => return Ok(false),
        // If the plan cannot be followed here, its segments may still be useful to another version of this program.
        Err(_) => return output.has_finished_segments(),
    };
    let paths = |plan: &Plan| plan.files.iter().map(|f| f.input.path.clone()).collect::<Vec<_>>();
    let was_changed =
        paths(plan) == paths(&staged.plan) && staged.plan.files.iter().any(|f| f.input.as_seen_here().is_err());
    if plan.makes_the_same_as(&staged.plan) || was_changed {
        return Ok(false);
    }
    let is_at_work = attempts(&output.staging())?.iter().any(|attempt| attempt.is_alive());
    Ok(is_at_work || !staged.done.is_empty() || staged.plan.is_for_others)
}

//! The whole import: plan, convert, merge, commit.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cancel::CancelHandle;
use crate::config::ImportConfig;
use crate::coordinator::{Launch, Listener, ProcessLauncher, Tally, ThreadLauncher, convert_segments};
use crate::error::{Error, Result, failed};
use crate::gather::index::GatherCounts;
use crate::merge::merge;
use crate::output::{self, Found, Output};
use crate::plan::Plan;
use crate::protocol::SegmentRecord;
use crate::segy::ragged::Walked;
use crate::verify::compare;
use crate::warnings;

/// What an import is doing, or another command on a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Partitioning,
    /// Following the lengths of traces through the file. How many there are is estimated by the bytes.
    Indexing,
    Importing,
    Merging,
    Syncing,
    Verifying,
    Exporting,
}

/// Something to tell the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Warning(String),
    Info(String),
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportProgress {
    pub phase: Phase,
    /// Traces done in this phase.
    pub current_traces: u64,
    /// Traces of the file; 0 until it is known.
    pub total_traces: u64,
    pub active_workers: usize,
    pub elapsed: Duration,
    /// Time left, once a rate can be told.
    pub eta: Option<Duration>,
    /// What there is to say since the last report.
    pub messages: Vec<Message>,
}

/// A completed import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportResult {
    pub n_traces: u64,
    /// Gathers by the keys asked for; 0 with `Gather::None`.
    pub n_gathers: u64,
    pub elapsed: Duration,
    /// Time of each phase.
    pub phases: Vec<(Phase, Duration)>,
    /// The output directory.
    pub output: PathBuf,
    pub warnings: Vec<String>,
}

/// Imports a SEG-Y file.
///
/// `on_progress` is called about ten times a second while it works. After `cancel` it ends within a second.
///
/// # Errors
/// See [`Error`]. Nothing is visible in the output directory unless the import is complete.
pub fn import(
    config: &ImportConfig,
    on_progress: &mut dyn FnMut(&ImportProgress),
    cancel: &CancelHandle,
) -> Result<ImportResult> {
    let mut reporter = Reporter::new(on_progress);
    output::check(&config.output, config.overwrite)?;
    reporter.begin(Phase::Partitioning, 0);
    let plan = {
        let reporter = RefCell::new(&mut reporter);
        let watch = |walked| {
            reporter.borrow_mut().walked(walked);
            Ok(())
        };
        config.plan_watched(&watch, cancel)?
    };
    for warning in plan.all_warnings() {
        reporter.say(Message::Warning(warning.clone()));
    }
    cancel.check()?;
    let output = Output::open(&config.output, config.overwrite)?;
    if output.is_merged() {
        if output.resume_commit(&plan, config.sync)? {
            reporter.say(Message::Info("resuming: only the last step was left".into()));
            let n_gathers = finished_gathers(&output);
            output.discard()?;
            return Ok(reporter.result(config, &plan, n_gathers, Vec::new()));
        }
        // Another import's dataset is whole again, and is in the way like any other.
        if let Err(in_the_way) = output::check(&config.output, config.overwrite) {
            return Err(discard(output, in_the_way));
        }
    }
    let (plan, outcome) = run(config, plan, &output, &mut reporter, cancel);
    match outcome {
        Ok((n_gathers, found_warnings)) => {
            if config.verify
                && let Err(error) = verify_merged(&plan, &output, &mut reporter, cancel)
            {
                return Err(match error {
                    Error::Cancelled { .. } => leave(output, &plan, error),
                    // The segments are as wrong as the dataset that was made of them.
                    error => discard(output, error),
                });
            }
            if config.sync {
                reporter.begin(Phase::Syncing, plan.n_traces());
                if let Err(error) = output.sync(cancel) {
                    return Err(leave(output, &plan, error));
                }
            }
            if let Err(changed) = plan.files.iter().try_for_each(|f| f.input.check_unchanged()) {
                return Err(discard(output, changed));
            }
            output.commit(config.sync)?;
            Ok(reporter.result(config, &plan, n_gathers, found_warnings))
        }
        Err(error) => Err(leave(output, &plan, error)),
    }
}

/// What is to be done is decided by what an earlier run left. Returns the plan that was followed, which may be that
/// run's, and the number of gathers with the warnings that came up.
fn run(
    config: &ImportConfig,
    plan: Plan,
    output: &Output,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> (Arc<Plan>, Result<(u64, Vec<String>)>) {
    let found = if config.fresh { Found::Nothing } else { output.find(&plan) };
    let (plan, done) = match found {
        Found::Segments(earlier, done) => {
            reporter.say(Message::Info(format!(
                "resuming: {} of {} segments done",
                done.len(),
                earlier.segments.len()
            )));
            (Arc::new(*earlier), Ok(done))
        }
        nothing => {
            if matches!(nothing, Found::MayBeLost) {
                let why = "the computer was restarted since, and what was finished may not have reached the disk";
                reporter.say(Message::Info(format!("starting over: {why}")));
            }
            let started = output.start(&plan);
            (Arc::new(plan), started.map(|()| Vec::new()))
        }
    };
    let outcome = done.and_then(|done| convert_and_merge(config, &plan, output, done, reporter, cancel));
    (plan, outcome.map(|(counts, warnings)| (counts.n_gathers, warnings)))
}

fn convert_and_merge(
    config: &ImportConfig,
    plan: &Arc<Plan>,
    output: &Output,
    done: Vec<SegmentRecord>,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> Result<(GatherCounts, Vec<String>)> {
    reporter.begin(Phase::Importing, plan.n_traces());
    let launcher: Box<dyn Launch> = match &config.worker_program {
        Some(program) if !config.is_small(plan) => {
            let lock = output.lock().try_clone().map_err(failed(output.root().display()))?;
            Box::new(ProcessLauncher { program: program.clone(), plan_file: output.plan_file(), lock })
        }
        _ => Box::new(ThreadLauncher),
    };
    let (staging, workers) = (output.staging(), config.n_workers());
    let records = convert_segments(plan, &staging, launcher.as_ref(), workers, done, cancel, reporter)?;
    let warnings = warnings::of_contents(plan, &records);
    for warning in &warnings {
        reporter.say(Message::Warning(warning.clone()));
    }
    reporter.begin(Phase::Merging, plan.n_traces());
    let counts = merge(plan, output, &records, cancel, &mut |traces| {
        reporter.tally(Tally { traces_done: traces, active_workers: 0 });
    })?;
    Ok((counts, warnings))
}

/// The number of gathers of a dataset that an earlier run merged.
fn finished_gathers(output: &Output) -> u64 {
    let places = [output.dataset(), output.root().to_owned()];
    let documents =
        places.iter().filter_map(|p| crate::files::read_json::<serde_json::Value>(&p.join(output::METADATA)).ok());
    documents.filter_map(|d| d["gathers"]["n_gathers"].as_u64()).next().unwrap_or(0)
}

/// Decides what stays of a failed import, and says so in the error.
fn leave(output: Output, plan: &Plan, error: Error) -> Error {
    let finished = output.n_finished(plan);
    if error.is_final() || finished == 0 {
        return discard(output, error);
    }
    let kept = format!(
        "{finished} of {} segments are done and kept in {}; the same command goes on from there",
        plan.segments.len(),
        output.staging().display()
    );
    match error {
        Error::Failed(message) => Error::Failed(format!("{message}; {kept}")),
        Error::Cancelled { signal, .. } => Error::Cancelled { signal, left: Some(kept) },
        other => other,
    }
}

/// Removes all that the import made, because of this error.
fn discard(output: Output, error: Error) -> Error {
    match output.discard() {
        Ok(()) => error,
        Err(cleaning) => Error::Failed(format!("{error}; and {cleaning}")),
    }
}

/// Compares the dataset that has been put together with the input, before anybody sees it.
fn verify_merged(plan: &Plan, output: &Output, reporter: &mut Reporter, cancel: &CancelHandle) -> Result<()> {
    if output.is_merged() {
        // Some of it has its name already. It was compared before if the run that merged it was asked to.
        reporter.say(Message::Info("not compared again: the dataset was complete already".into()));
        return Ok(());
    }
    reporter.begin(Phase::Verifying, plan.n_traces());
    let mut tally = |traces, _| reporter.tally(Tally { traces_done: traces, active_workers: 0 });
    let inputs: Vec<&Path> = plan.files.iter().map(|f| f.input.path.as_path()).collect();
    compare(&inputs, &output.dataset(), &mut tally, cancel).map(|_| ())
}

/// Turns what happens into reports of progress.
struct Reporter<'a> {
    on_progress: &'a mut dyn FnMut(&ImportProgress),
    started: Instant,
    phase_started: Instant,
    /// Traces that were done when the phase began: an earlier run's work says nothing of the rate.
    first_traces: Option<u64>,
    phases: Vec<(Phase, Duration)>,
    progress: ImportProgress,
}

impl<'a> Reporter<'a> {
    fn new(on_progress: &'a mut dyn FnMut(&ImportProgress)) -> Self {
        let progress = ImportProgress {
            phase: Phase::Partitioning,
            current_traces: 0,
            total_traces: 0,
            active_workers: 0,
            elapsed: Duration::ZERO,
            eta: None,
            messages: Vec::new(),
        };
        let now = Instant::now();
        Self { on_progress, started: now, phase_started: now, first_traces: None, phases: Vec::new(), progress }
    }

    fn begin(&mut self, phase: Phase, total_traces: u64) {
        self.end_phase();
        self.first_traces = None;
        self.progress = ImportProgress {
            phase,
            // Every trace is written by the time when files are synced.
            current_traces: if phase == Phase::Syncing { total_traces } else { 0 },
            total_traces,
            active_workers: 0,
            eta: None,
            ..self.progress.clone()
        };
        self.report();
    }

    /// Reports how far the traces of a file have been followed, about ten times a second.
    fn walked(&mut self, walked: Walked) {
        const INTERVAL: Duration = Duration::from_millis(100);
        let Walked { n_traces, bytes, of_bytes } = walked;
        let estimate = u128::from(n_traces) * u128::from(of_bytes) / u128::from(bytes.max(1));
        let n_traces_expected = u64::try_from(estimate).unwrap_or(u64::MAX);
        if n_traces > 0 && self.progress.phase != Phase::Indexing {
            self.begin(Phase::Indexing, n_traces_expected);
        } else if n_traces > 0 && self.started.elapsed() >= self.progress.elapsed + INTERVAL {
            self.progress.total_traces = n_traces_expected;
            self.tally(Tally { traces_done: n_traces.min(n_traces_expected), active_workers: 0 });
        }
    }

    fn end_phase(&mut self) {
        let now = Instant::now();
        self.phases.push((self.progress.phase, now - self.phase_started));
        self.phase_started = now;
    }

    fn say(&mut self, message: Message) {
        self.progress.messages.push(message);
        self.report();
    }

    fn report(&mut self) {
        self.progress.elapsed = self.started.elapsed();
        (self.on_progress)(&self.progress);
        self.progress.messages.clear();
    }

    fn result(mut self, config: &ImportConfig, plan: &Plan, n_gathers: u64, found: Vec<String>) -> ImportResult {
        self.end_phase();
        let mut warnings: Vec<String> = plan.all_warnings().cloned().collect();
        warnings.extend(found);
        ImportResult {
            n_traces: plan.n_traces(),
            n_gathers,
            elapsed: self.started.elapsed(),
            // The first entry is the time before the first phase began.
            phases: self.phases.split_off(1),
            output: config.output.clone(),
            warnings,
        }
    }
}

impl Listener for Reporter<'_> {
    fn tally(&mut self, tally: Tally) {
        let first = *self.first_traces.get_or_insert(tally.traces_done);
        let (done, left) =
            (tally.traces_done - first.min(tally.traces_done), self.progress.total_traces - tally.traces_done);
        self.progress.eta = (done > 0).then(|| self.phase_started.elapsed().mul_f64(left as f64 / done as f64));
        self.progress.current_traces = tally.traces_done;
        self.progress.active_workers = tally.active_workers;
        self.report();
    }

    fn note(&mut self, line: &str) {
        self.say(Message::Warning(line.to_owned()));
    }
}

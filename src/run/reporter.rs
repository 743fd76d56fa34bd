//! What callers are told about an import, during it and at its end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::base::visible::visible;
use crate::coordinator::{Listener, Tally};
use crate::grid::Grid;
use crate::plan::Plan;
use crate::segy::lengths::ragged::Walked;

/// What an import, or another command on a dataset, is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Cutting the traces into segments at gathers.
    Partitioning,
    /// Following the trace lengths through the file. The number of traces is estimated from the bytes.
    Indexing,
    /// Writing the traces of an unsorted file to buckets.
    Spilling,
    /// Converting the segments.
    Importing,
    /// Merging the segments into the dataset.
    Merging,
    /// Waiting until the files are on disk.
    Syncing,
    /// Comparing the dataset with its input or checksums.
    Verifying,
    /// Writing SEG-Y.
    Exporting,
    /// Making a synthetic survey.
    Generating,
}

/// A message for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Something about the input or result to check.
    Warning(String),
    /// Something worth knowing.
    Info(String),
}

/// The progress of an import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportProgress {
    /// What is being done.
    pub phase: Phase,
    /// Traces done in this phase.
    pub current_traces: u64,
    /// Traces in the file; 0 until it is known.
    pub total_traces: u64,
    /// How much of the whole command is done, from 0 to 1; never less than before.
    pub fraction: f64,
    /// Workers running now.
    pub active_workers: usize,
    /// Time since the start.
    pub elapsed: Duration,
    /// Time left, once there is a rate.
    pub eta: Option<Duration>,
    /// Messages since the last report.
    pub messages: Vec<Message>,
}

impl ImportProgress {
    /// At the beginning of a phase, before anything is known.
    pub fn new(phase: Phase) -> Self {
        Self {
            phase,
            current_traces: 0,
            total_traces: 0,
            fraction: 0.0,
            active_workers: 0,
            elapsed: Duration::ZERO,
            eta: None,
            messages: Vec::new(),
        }
    }

    /// How much of this phase is done, from 0 to 1.
    pub fn fraction_of_phase(&self) -> f64 {
        if self.total_traces == 0 { 0.0 } else { (self.current_traces as f64 / self.total_traces as f64).min(1.0) }
    }
}

/// A completed import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportResult {
    /// Traces in the dataset.
    pub n_traces: u64,
    /// Gathers by these keys; 0 without keys.
    pub n_gathers: u64,
    /// The fields that make a gather: those asked for, or chosen.
    pub gather_keys: Vec<String>,
    /// The axes of the grid and their lengths; empty for traces in file order.
    pub grid: Vec<(String, u64)>,
    /// What it has of the input, if that is not all.
    pub part: Option<String>,
    /// Duration of the import.
    pub elapsed: Duration,
    /// Duration of each phase.
    pub phases: Vec<(Phase, Duration)>,
    /// The output directory.
    pub output: PathBuf,
    /// All warnings, in order.
    pub warnings: Vec<String>,
}

/// Turns events into progress reports.
pub(crate) struct Reporter<'a> {
    on_progress: &'a mut dyn FnMut(&ImportProgress),
    started: Instant,
    phase_started: Instant,
    /// Traces done when the phase began: an earlier run's work must not count towards the rate.
    first_traces: Option<u64>,
    /// How much of the whole was done when the phase began.
    first_fraction: f64,
    phases: Vec<(Phase, Duration)>,
    progress: ImportProgress,
    is_verified: bool,
}

/// The part of an import that a phase usually takes, from 0 to 1.
fn share(phase: Phase, is_verified: bool) -> (f64, f64) {
    let converted = if is_verified { 0.6 } else { 0.9 };
    match phase {
        Phase::Partitioning => (0.0, 0.01),
        Phase::Indexing => (0.0, 0.1),
        Phase::Spilling => (0.01, converted / 3.0),
        Phase::Importing => (0.01, converted),
        Phase::Merging => (converted, converted + 0.05),
        Phase::Verifying => (converted + 0.05, 0.95),
        Phase::Syncing => (0.95, 1.0),
        Phase::Exporting | Phase::Generating => (0.0, 1.0),
    }
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(on_progress: &'a mut dyn FnMut(&ImportProgress)) -> Self {
        let progress = ImportProgress::new(Phase::Partitioning);
        let now = Instant::now();
        Self {
            on_progress,
            started: now,
            phase_started: now,
            first_traces: None,
            first_fraction: 0.0,
            phases: Vec::new(),
            progress,
            is_verified: false,
        }
    }

    /// Of an import that compares its result with the input.
    pub(crate) fn verified(self, is_verified: bool) -> Self {
        Self { is_verified, ..self }
    }

    pub(crate) fn begin(&mut self, phase: Phase, total_traces: u64) {
        self.end_phase();
        self.first_traces = None;
        self.first_fraction = self.progress.fraction;
        self.progress = ImportProgress {
            phase,
            // By the time files are synced, every trace has been written.
            current_traces: if phase == Phase::Syncing { total_traces } else { 0 },
            total_traces,
            active_workers: 0,
            eta: None,
            ..self.progress.clone()
        };
        self.report();
    }

    /// Reports how many traces of a file have been followed, about ten times a second.
    pub(crate) fn walked(&mut self, walked: Walked) {
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

    pub(crate) fn say(&mut self, message: Message) {
        let shown = |text: String| visible(&text).into_owned();
        self.progress.messages.push(match message {
            Message::Warning(text) => Message::Warning(shown(text)),
            Message::Info(text) => Message::Info(shown(text)),
        });
        self.report();
    }

    fn report(&mut self) {
        self.progress.elapsed = self.started.elapsed();
        let (start, end) = share(self.progress.phase, self.is_verified);
        // Conversion begins later where traces are spilled before.
        let start = start.max(self.first_fraction).min(end);
        // The end of syncing is not known before it is there.
        let of_phase = if self.progress.phase == Phase::Syncing { 0.0 } else { self.progress.fraction_of_phase() };
        self.progress.fraction = self.progress.fraction.max(start + (end - start) * of_phase);
        (self.on_progress)(&self.progress);
        self.progress.messages.clear();
    }

    /// The result of an import into `output`.
    pub(crate) fn result(&mut self, output: &Path, plan: &Plan, n_gathers: u64, found: Vec<String>) -> ImportResult {
        self.end_phase();
        let mut warnings = plan.all_warnings();
        warnings.extend(found);
        ImportResult {
            n_traces: plan.n_traces(),
            n_gathers,
            gather_keys: plan.gather_keys.iter().map(|key| key.name.clone()).collect(),
            grid: plan.target.grid().map(Grid::lengths).unwrap_or_default(),
            part: plan.part.as_ref().map(|part| part.said(plan.n_traces(), plan.traces().n_samples)),
            elapsed: self.started.elapsed(),
            // The first entry is the time before the first phase.
            phases: self.phases.split_off(1),
            output: output.to_owned(),
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

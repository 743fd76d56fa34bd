//! `segy-import worker`: converts one segment of a plan. A scheduler gives the output directory; the coordinator
//! gives the plan and reads JSON lines from standard output.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::cli::asked::ProgressArgs;
use crate::cli::progress::ProgressMode;
use crate::cli::run_shown;
use crate::coordinator::work;
use crate::plan::Plan;
use crate::protocol::WorkerMessage;
use crate::run::reporter::Phase;
use crate::run::{SegmentOutcome, convert_one};
use crate::staging::SegmentRecord;
use crate::store::{self, Place};

/// Convert one segment of a planned import
///
/// Run it once per segment, for example segy-import worker OUT --segment "$SLURM_ARRAY_TASK_ID", on any computer that
/// sees the SEG-Y file and OUT under the same names. It is safe to repeat after any failure, and to run twice at
/// once: a segment counts once it is complete, and a finished one is left alone (exit code 0).
///
/// Exit code 3 means that the input is damaged, or is not the file that was planned: trying again does not help.
#[derive(Args)]
#[command(override_usage = "segy-import worker [OPTIONS] --segment <N> <OUT>")]
pub(super) struct WorkerArgs {
    /// Dataset directory where "segy-import plan" stored its plan
    // Required unless --plan is given.
    #[arg(value_name = "OUT", required_unless_present = "plan")]
    output: Option<PathBuf>,

    /// Segment number, from 0
    #[arg(long, value_name = "N")]
    segment: u32,

    #[command(flatten)]
    progress: ProgressArgs,

    /// The plan of the import that started this worker
    #[arg(long, value_name = "FILE", conflicts_with = "output", hide = true)]
    plan: Option<PathBuf>,
}

impl WorkerArgs {
    pub(super) fn run(self) -> Result<()> {
        match (self.plan, self.output) {
            (Some(plan), _) => work_for_the_coordinator(&plan, self.segment),
            (None, output) => work_alone(&output.unwrap_or_default(), self.segment, self.progress.mode()),
        }
    }
}

fn work_alone(root: &Path, segment: u32, mode: ProgressMode) -> Result<()> {
    run_shown(mode, Phase::Importing, |on_progress, cancel| {
        let outcome = convert_one(root, segment, cancel, on_progress)?;
        let (what, document) = describe(segment, &outcome);
        Ok((format!("{}: {what}", root.display()), document))
    })
}

/// A line for people and a document for programs.
fn describe(segment: u32, outcome: &SegmentOutcome) -> (String, Value) {
    let traces = |record: &SegmentRecord| format!("{} traces", HumanCount(record.n_traces));
    let document = |outcome: &str, record: Option<&SegmentRecord>| {
        json!({
            "type": "done",
            "outcome": outcome,
            "segment": segment,
            "n_traces": record.map(|r| r.n_traces),
            "n_rows": record.map(|r| r.n_rows),
            "stored_bytes": record.map(|r| r.stored_bytes),
        })
    };
    match outcome {
        SegmentOutcome::Converted { record, n_segments } => (
            format!("segment {segment} of {n_segments}: {}, {}", traces(record), HumanBytes(record.stored_bytes)),
            document("converted", Some(record)),
        ),
        SegmentOutcome::WasDone { record, n_segments } => (
            format!("segment {segment} of {n_segments}: is already done ({})", traces(record)),
            document("was_done", Some(record)),
        ),
        SegmentOutcome::NotNeeded { n_segments } => (
            format!(
                "segment {segment}: does not exist, as gathers and chunks allow only {n_segments} segments; nothing to do"
            ),
            document("not_needed", None),
        ),
        SegmentOutcome::Merged => {
            (format!("segment {segment}: all segments are merged; nothing to do"), document("merged", None))
        }
    }
}

fn work_for_the_coordinator(plan_file: &Path, segment: u32) -> Result<()> {
    let watch = std::thread::Builder::new().name("coordinator".into());
    watch.spawn(end_with_the_coordinator).map_err(failed("a thread that watches the coordinator cannot be started"))?;
    let is_no_plan = || Error::Usage(format!("{}: is not a plan", plan_file.display()));
    let (directory, name) = plan_file.parent().zip(plan_file.file_name()).ok_or_else(is_no_plan)?;
    let staging = Place::of(directory).and_then(|staging| staging.held_open()).map_err(failed(directory.display()))?;
    let plan = Plan::read(&staging.join(name))?;
    let staging = staging.with_file_mode(plan.file_mode).map_err(failed(directory.display()))?;
    let last = work(&plan, &staging, segment, &CancelHandle::new(), &send);
    send(last);
    Ok(())
}

/// Sends one line. If the coordinator is gone, that does not matter.
fn send(message: WorkerMessage) {
    let Ok(mut line) = serde_json::to_vec(&message) else { return };
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    let sent = stdout.write_all(&line).and_then(|()| stdout.flush());
    if sent.is_err() {
        std::process::exit(1);
    }
}

/// Exits when standard input closes: the coordinator holds its other end, so it closes however the coordinator dies.
fn end_with_the_coordinator() {
    let mut byte = [0];
    // An interrupted read does not mean that the coordinator is gone.
    let goes_on = |read: std::io::Result<usize>| read.map_or_else(|e| e.kind() == ErrorKind::Interrupted, |n| n > 0);
    while goes_on(std::io::stdin().read(&mut byte)) {}
    store::abort_uploads();
    std::process::exit(1);
}

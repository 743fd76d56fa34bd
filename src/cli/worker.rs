//! `segy-import worker`: one segment of a plan. A scheduler names the output directory; the coordinator names the plan and
//! listens to JSON lines on standard output.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::cli::progress::ProgressMode;
use crate::cli::run_shown;
use crate::coordinator::work;
use crate::plan::Plan;
use crate::protocol::WorkerMessage;
use crate::run::import::Phase;
use crate::run::{SegmentOutcome, convert_one};
use crate::staging::SegmentRecord;
use crate::store::{self, Place};

/// Convert one segment of a planned import
///
/// It is called once for each segment, as in segy-import worker OUT --segment "$SLURM_ARRAY_TASK_ID", on any computer that has
/// the SEG-Y file and OUT under the same names. It may be repeated after any end, and run twice at once: a segment counts
/// once it is complete, and one that is done is left as it is (exit code 0).
///
/// Exit code 3 says that the input is damaged, or not the one that was planned: trying again does not help.
#[derive(Args)]
#[command(override_usage = "segy-import worker [OPTIONS] --segment <N> <OUT>")]
pub(super) struct WorkerArgs {
    /// Directory of the dataset, where "segy-import plan" has left its plan
    // It is there unless --plan takes its place.
    #[arg(value_name = "OUT", required_unless_present = "plan")]
    output: Option<PathBuf>,

    /// Number of the segment, from 0
    #[arg(long, value_name = "N")]
    segment: u32,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,

    /// The plan that an import follows that has started this worker
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "progress"], hide = true)]
    plan: Option<PathBuf>,
}

impl WorkerArgs {
    pub(super) fn run(self) -> Result<()> {
        match (self.plan, self.output) {
            (Some(plan), _) => work_for_the_coordinator(&plan, self.segment),
            (None, output) => work_alone(&output.unwrap_or_default(), self.segment, self.progress),
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

/// A line for people, and a document for programs.
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
            format!("segment {segment} of {n_segments}: is done already ({})", traces(record)),
            document("was_done", Some(record)),
        ),
        SegmentOutcome::NotNeeded { n_segments } => (
            format!("segment {segment}: there is none, as gathers and chunks make {n_segments}; nothing to do"),
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
    let is_no_plan = || Error::Usage(format!("{}: is no plan", plan_file.display()));
    let (directory, name) = plan_file.parent().zip(plan_file.file_name()).ok_or_else(is_no_plan)?;
    let staging = Place::of(directory).and_then(|staging| staging.held_open()).map_err(failed(directory.display()))?;
    let plan = Plan::read(&staging.join(name))?;
    let last = work(&plan, &staging, segment, &CancelHandle::new(), &send);
    send(last);
    Ok(())
}

/// One line. A coordinator that has gone needs no answer.
fn send(message: WorkerMessage) {
    let Ok(mut line) = serde_json::to_vec(&message) else { return };
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    let sent = stdout.write_all(&line).and_then(|()| stdout.flush());
    if sent.is_err() {
        std::process::exit(1);
    }
}

/// The coordinator holds the other end of standard input; when it dies, however it dies, this end closes.
fn end_with_the_coordinator() {
    let mut byte = [0];
    // A signal that interrupts the waiting is not the end of the coordinator.
    let goes_on = |read: std::io::Result<usize>| read.map_or_else(|e| e.kind() == ErrorKind::Interrupted, |n| n > 0);
    while goes_on(std::io::stdin().read(&mut byte)) {}
    store::abort_uploads();
    std::process::exit(1);
}

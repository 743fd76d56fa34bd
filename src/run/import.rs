//! The whole import: plan, convert, merge, commit.

use std::sync::Arc;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::coordinator::{Launch, ProcessLauncher, ThreadLauncher, convert_segments};
use crate::plan::Plan;
use crate::plan::import_config::ImportConfig;
use crate::run::finish::Finish;
use crate::run::planning::{Job, OtherPlan, Prepared, prepare};
use crate::run::reporter::{ImportProgress, ImportResult, Message, Phase, Reporter};
use crate::staging::{Output, SegmentRecord};

/// Imports a SEG-Y file.
///
/// `on_progress` is called about ten times a second during the work. After `cancel`, it returns within a second.
///
/// # Errors
/// See [`Error`]. Nothing is visible in the output directory unless the import is complete.
pub fn import(
    config: &ImportConfig,
    on_progress: &mut dyn FnMut(&ImportProgress),
    cancel: &CancelHandle,
) -> Result<ImportResult> {
    let mut reporter = Reporter::new(on_progress);
    let job = match prepare(config, OtherPlan::IsReplaced, &mut reporter, cancel)? {
        Prepared::Open(job) => job,
        Prepared::Complete { plan, n_gathers } => {
            return Ok(reporter.result(&config.output, &plan, n_gathers, Vec::new()));
        }
    };
    if let Some(resuming) = job.resuming() {
        reporter.say(Message::Info(resuming));
    }
    let Job { output, plan, done, .. } = job;
    let finish = Finish {
        plan: &plan,
        inputs: plan.files.iter().map(|f| f.input.clone()).collect(),
        options: config.merge_options(),
        keeps_segments: false,
    };
    let records = match convert(config, &plan, &output, done, &mut reporter, cancel) {
        Ok(records) => records,
        Err(error) => return Err(finish.leave(output, error)),
    };
    let (n_gathers, found) = finish.run(output, &records, &mut reporter, cancel)?;
    Ok(reporter.result(&config.output, &plan, n_gathers, found))
}

/// Converts the segments not in `done` yet, on this computer.
fn convert(
    config: &ImportConfig,
    plan: &Arc<Plan>,
    output: &Output,
    done: Vec<SegmentRecord>,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> Result<Vec<SegmentRecord>> {
    reporter.begin(Phase::Importing, plan.n_traces());
    let launcher: Box<dyn Launch> = match &config.worker_program {
        Some(program) if !config.is_small(plan) => {
            let lock =
                output.lock().map(std::fs::File::try_clone).transpose().map_err(failed(output.root().display()))?;
            Box::new(ProcessLauncher { program: program.clone(), plan_file: output.plan_file().path(), lock })
        }
        _ => Box::new(ThreadLauncher),
    };
    let (staging, workers) = (output.staging(), config.n_workers());
    convert_segments(plan, &staging, launcher.as_ref(), workers, done, cancel, reporter)
}

//! `segy-import submit`.

use clap::{Args, ValueEnum};
use indicatif::HumanCount;
use serde_json::json;

use crate::base::error::{Result, failed};
use crate::cli::import::ImportArgs;
use crate::cli::progress::{Display, print, say};
use crate::run::{PlanResult, plan, status};
use crate::slurm::{DEFAULT_MAX_ARRAY, Jobs, absolute, max_array_of_site};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scheduler {
    Slurm,
}

const EXAMPLE: &str = "\
Example: segy-import submit line_042.sgy line_042/ --scheduler slurm --segments 64 -- --account=seis";

/// Plan an import and submit it to a batch scheduler: one task per segment, then a merge
///
/// Prints the two commands for a shell; with --now it runs them and prints the job numbers. Interrupted tasks may be
/// requeued. If a task fails, the merge is cancelled; the same submit again handles the missing segments.
#[derive(Args)]
#[command(after_help = EXAMPLE, mut_arg("each", |each| each.hide(true)))]
pub(super) struct SubmitArgs {
    #[command(flatten)]
    import: ImportArgs,

    /// The scheduler to submit to
    #[arg(long, value_enum, help_heading = "Submitting")]
    scheduler: Scheduler,

    /// Run the commands instead of printing them
    #[arg(long, help_heading = "Submitting")]
    now: bool,

    /// Run at most this many tasks at the same time [default: no limit]
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Submitting")]
    at_once: Option<u32>,

    /// Options for sbatch, for both jobs: account, partition, time, memory
    #[arg(last = true, value_name = "SBATCH OPTIONS")]
    options: Vec<String>,
}

impl SubmitArgs {
    pub(super) fn run(self) -> Result<()> {
        let Self { import, scheduler: Scheduler::Slurm, now, at_once, options } = self;
        Jobs::check_options(&options)?;
        let submitted = |config: &_, on_progress: &mut dyn FnMut(&_), cancel: &_| {
            let planned = plan(config, on_progress, cancel)?;
            let jobs = jobs(&planned, at_once, options)?;
            Ok((planned, jobs))
        };
        import.run_as(submitted, |display, (planned, jobs)| tell(display, planned, jobs.as_ref(), now))
    }
}

/// The jobs to submit; `None` if the dataset is complete.
fn jobs(planned: &PlanResult, at_once: Option<u32>, options: Vec<String>) -> Result<Option<Jobs>> {
    if planned.is_complete {
        return Ok(None);
    }
    let asked = max_array_of_site();
    let jobs = Jobs {
        program: std::env::current_exe().map_err(failed("cannot find the path of this program"))?,
        output: absolute(&planned.output)?,
        n_segments: planned.n_segments,
        missing: status(&planned.output)?.missing,
        at_once,
        max_array: asked.unwrap_or(DEFAULT_MAX_ARRAY),
        options,
    };
    let per_task = jobs.segments_per_task();
    if per_task > 1 {
        let whose = if asked.is_some() { "of this site" } else { "by default" };
        let (n, most) = (jobs.n_segments, jobs.max_array);
        say(&format!(
            "warning: {n} segments are more than the tasks that MaxArraySize {whose} ({most}) allows: each task converts up to {per_task}"
        ));
    }
    Ok(Some(jobs))
}

/// Submits the jobs, or prints the commands.
fn tell(display: &Display, planned: &PlanResult, jobs: Option<&Jobs>, now: bool) -> Result<()> {
    let out = planned.output.display().to_string();
    let (n, n_traces) = (planned.n_segments, HumanCount(planned.n_traces));
    let Some(jobs) = jobs else {
        let document = json!({"type": "done", "n_traces": planned.n_traces, "output": out});
        return display.done(&format!("{out}: is complete ({n_traces} traces); nothing left to do"), &document);
    };
    let done = if planned.n_done > 0 { format!(", {} of them done", planned.n_done) } else { String::new() };
    let what = format!("{out}: planned {n_traces} traces in {n} segments{done}");
    if !now {
        let commands = jobs.commands();
        let document = json!({"type": "planned", "commands": commands});
        display.done(&format!("{what}; the commands to submit it:"), &document)?;
        return if display.is_json() { Ok(()) } else { print(&format!("{}\n", commands.join("\n"))) };
    }
    let submitted = jobs.submit()?;
    let array = submitted.array.as_ref().map_or(String::new(), |job| format!("array job {job}, "));
    let document = json!({
        "type": "submitted",
        "n_segments": n,
        "array_job": submitted.array,
        "merge_job": submitted.merge,
        "output": out,
    });
    display.done(&format!("{what}; submitted: {array}merge job {}", submitted.merge), &document)
}

//! The command line: options as the user writes them, resolved into validated values.

mod choices;
mod dry_run;
mod export;
mod generate;
mod grid;
mod import;
mod inspect;
mod merge;
mod overrides;
mod plan;
mod progress;
mod report;
mod status;
mod submit;
mod terminal;
mod verify;
mod view;
mod worker;

use std::borrow::Cow;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{Parser, Subcommand};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::base::visible::visible_lines;
use crate::cli::progress::{Display, ProgressMode, say};
use crate::run::reporter::{ImportProgress, Phase};

/// Turn SEG-Y files into analysis-ready data: the traces as a Zarr array, the headers as a Parquet table.
#[derive(Parser)]
#[command(
    name = "segy-import",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    override_usage = "segy-import [OPTIONS] <IN>... <OUT>\n       segy-import <COMMAND>",
    after_help = EXIT_CODES
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    import: import::ImportArgs,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed while working, 2 wrong usage, 3 the input is not what it should be,
4 the output is in the way, 128+N stopped by signal N.

Example: segy-import line_042.sgy line_042/ --gather field_record";

#[derive(Subcommand)]
enum Command {
    #[command(visible_alias = "info")]
    Inspect(inspect::InspectArgs),
    Report(report::ReportArgs),
    View(view::ViewArgs),
    Generate(generate::GenerateArgs),
    Export(export::ExportArgs),
    Verify(verify::VerifyArgs),
    Plan(plan::PlanArgs),
    Worker(worker::WorkerArgs),
    Merge(merge::MergeArgs),
    Status(status::StatusArgs),
    Submit(submit::SubmitArgs),
}

/// Runs the command of this process and prints any error. Returns the exit code.
pub fn main() -> ExitCode {
    // Makes exceeding a file size limit (`ulimit -f`) an error like a full disk, instead of killing the process.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return refused(&e),
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("segy-import: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Says what is wrong with the arguments, or the help that was asked for. An argument may be a name out of somebody's directory.
fn refused(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    match visible_lines(&text) {
        Cow::Borrowed(_) => drop(error.print()),
        Cow::Owned(text) => text.lines().for_each(say),
    }
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// Runs an import, or a step of one, showing progress and listening to signals. `tell` reports the result.
fn shown<T>(
    mode: ProgressMode,
    work: impl FnOnce(&mut dyn FnMut(&ImportProgress), &CancelHandle) -> Result<T>,
    tell: impl FnOnce(&Display, &T) -> Result<()>,
) -> Result<()> {
    let cancel = CancelHandle::new();
    cancel.listen_to_signals().map_err(failed("cannot listen to signals"))?;
    let mut display = Display::new(mode);
    match work(&mut |progress| display.update(progress), &cancel) {
        Ok(result) => tell(&display, &result),
        Err(error) => {
            display.abandon(&error);
            Err(error)
        }
    }
}

/// Runs a command on a dataset, showing progress and listening to signals. `work` gets a callback for the traces done
/// and in total, and returns the last line for people and the last document for programs.
fn run_shown(
    mode: ProgressMode,
    phase: Phase,
    work: impl FnOnce(&mut dyn FnMut(u64, u64), &CancelHandle) -> Result<(String, serde_json::Value)>,
) -> Result<()> {
    let started = Instant::now();
    let with_progress = |show: &mut dyn FnMut(&ImportProgress), cancel: &CancelHandle| {
        let mut on_progress = |current_traces, total_traces| {
            let elapsed = started.elapsed();
            let left = |done: u64| elapsed.mul_f64((total_traces - done.min(total_traces)) as f64 / done as f64);
            show(&ImportProgress {
                phase,
                current_traces,
                total_traces,
                active_workers: 0,
                elapsed,
                eta: (current_traces > 0).then(|| left(current_traces)),
                messages: Vec::new(),
            });
        };
        work(&mut on_progress, cancel)
    };
    shown(mode, with_progress, |display, (line, document)| {
        display.done(&format!("{line}, {:.2} s", started.elapsed().as_secs_f64()), document)
    })
}

impl Cli {
    fn run(self) -> Result<()> {
        match self.command {
            Some(Command::Inspect(args)) => args.run(),
            Some(Command::Report(args)) => args.run(),
            Some(Command::View(args)) => args.run(),
            Some(Command::Generate(args)) => args.run(),
            Some(Command::Export(args)) => args.run(),
            Some(Command::Verify(args)) => args.run(),
            Some(Command::Plan(args)) => args.run(),
            Some(Command::Worker(args)) => args.run(),
            Some(Command::Merge(args)) => args.run(),
            Some(Command::Status(args)) => args.run(),
            Some(Command::Submit(args)) => args.run(),
            None => self.import.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }
}

//! The command line: options as the user writes them, resolved into validated values.

mod asked;
mod choices;
mod dry_run;
mod each;
mod environment;
mod events;
mod export;
mod generate;
mod grid;
mod hints;
mod import;
mod inspect;
mod merge;
mod overrides;
mod part;
mod plan;
mod progress;
mod report;
mod shells;
mod short_help;
mod status;
mod submit;
mod terminal;
mod verify;
mod view;
mod worker;

use std::borrow::Cow;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::panics;
use crate::base::system::prepare_process;
use crate::base::visible::visible_lines;
use crate::cli::asked::is_for_programs;
use crate::cli::events::{Event, Failure};
use crate::cli::progress::{Display, ProgressMode, print_event, say};
use crate::cli::short_help::asked_command;
use crate::dataset::document::Format;
use crate::run::reporter::{ImportProgress, Phase};

/// Turn SEG-Y files into analysis-ready data: the traces as a Zarr array, the headers as a Parquet table
#[derive(Parser)]
#[command(
    name = NAME,
    version,
    long_version = LONG_VERSION.as_str(),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    override_usage = "segy-import [OPTIONS] <IN>... <OUT>\n       segy-import <COMMAND>",
    before_help = EXAMPLES,
    help_template = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}",
    after_help = EXIT_CODES
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    import: import::ImportArgs,
}

/// Name of the program.
const NAME: &str = "segy-import";

const EXAMPLES: &str = "\
Examples:
  segy-import inspect line.sgy                 what is in the file
  segy-import line.sgy line.zarr               a dataset, traces in file order
  segy-import stack.sgy cube.zarr --grid auto  a cube with inlines and crosslines
  segy-import --each *.sgy -o sets/            a dataset for each file
  segy-import export line.zarr back.sgy        the file again, byte for byte";

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed while working, 2 wrong usage, 3 the input is not what it should be,
4 the output is in the way, 5 a dataset is damaged or differs, 128+N stopped by signal N.";

/// The version with what this build can do.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let has = |is_in: bool| if is_in { "yes" } else { "no" };
    format!(
        "{}\ndataset format {}\nfeatures: cloud {}, pcodec {}\nplatform: {} {}",
        env!("CARGO_PKG_VERSION"),
        Format::current().version,
        has(cfg!(feature = "cloud")),
        has(cfg!(feature = "pcodec")),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
});

#[derive(Subcommand)]
enum Command {
    #[command(visible_alias = "info")]
    Inspect(inspect::InspectArgs),
    Report(report::ReportArgs),
    View(view::ViewArgs),
    /// Import SEG-Y files, as without a command
    #[command(visible_alias = "convert")]
    Import(Box<import::ImportArgs>),
    Export(export::ExportArgs),
    Verify(verify::VerifyArgs),
    Generate(generate::GenerateArgs),
    Plan(plan::PlanArgs),
    Worker(worker::WorkerArgs),
    Merge(merge::MergeArgs),
    Status(status::StatusArgs),
    Submit(submit::SubmitArgs),
    Completions(shells::CompletionsArgs),
    Man(shells::ManArgs),
}

/// The command line.
fn command() -> clap::Command {
    hints::with_negative_numbers(Cli::command())
}

/// Makes a panic end the process like any failure: released programs do not unwind.
fn fail_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let error = match panics::expected() {
            Some(_) if cfg!(panic = "unwind") => return,
            Some(error) => error,
            None => {
                let what = panic.to_string().replace('\n', " ");
                Error::Failed(format!("{what}; this is a fault of the program, please report it"))
            }
        };
        std::process::exit(i32::from(told(error.into())));
    }));
}

/// Says why the program fails. Returns the exit code.
fn told(failure: Failure) -> u8 {
    let (message, code) = (format!("segy-import: {}", failure.error), failure.error.exit_code());
    tell_programs(failure);
    say(&message);
    code
}

/// Runs the command of this process and prints any error. Returns the exit code.
pub fn main() -> ExitCode {
    fail_on_panic();
    prepare_process();
    let command = environment::with_defaults(asked_command());
    let parsed = command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => return refused(e),
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(told(failure)),
    }
}

/// Tells a program that reads standard output what went wrong.
fn tell_programs(failure: Failure) {
    if is_for_programs() && !failure.is_printed {
        print_event(&Event::failed(&failure.error, failure.files, &arguments()));
    }
}

/// The arguments of this process.
fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Prints what is wrong with the arguments, or the help that was asked for. Arguments may contain control characters.
fn refused(mut error: clap::Error) -> ExitCode {
    hints::improve(&mut error, &command(), &arguments());
    if error.use_stderr() {
        let text = error.render().to_string();
        let said = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("Usage:"));
        let said = said.take_while(|line| !line.starts_with("For more information")).collect::<Vec<_>>().join("; ");
        tell_programs(Error::Usage(said.trim_start_matches("error: ").to_owned()).into());
    }
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
            display.abandon();
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
            let mut progress = ImportProgress {
                current_traces,
                total_traces,
                elapsed,
                eta: (current_traces > 0).then(|| left(current_traces)),
                ..ImportProgress::new(phase)
            };
            progress.fraction = progress.fraction_of_phase();
            show(&progress);
        };
        work(&mut on_progress, cancel)
    };
    shown(mode, with_progress, |display, (line, document)| {
        display.done(&format!("{line}, {:.2} s", started.elapsed().as_secs_f64()), document)
    })
}

impl Cli {
    fn run(self) -> Result<(), Failure> {
        let done = match self.command {
            Some(Command::Import(args)) => return args.run(),
            Some(Command::Report(args)) => return args.run(),
            None => return self.import.run(),
            Some(Command::Inspect(args)) => args.run(),
            Some(Command::View(args)) => args.run(),
            Some(Command::Generate(args)) => args.run(),
            Some(Command::Completions(args)) => args.run(),
            Some(Command::Man(args)) => args.run(),
            Some(Command::Export(args)) => args.run(),
            Some(Command::Verify(args)) => args.run(),
            Some(Command::Plan(args)) => args.run(),
            Some(Command::Worker(args)) => args.run(),
            Some(Command::Merge(args)) => args.run(),
            Some(Command::Status(args)) => args.run(),
            Some(Command::Submit(args)) => args.run(),
        };
        Ok(done?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_options_are_consistent() {
        command().debug_assert();
    }
}

//! The command line: options as the user writes them, resolved into values that nothing behind here has to check.

mod dry_run;
mod generate;
mod import;
mod inspect;
mod overrides;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::progress::say;

/// Turn SEG-Y files into analysis-ready data: the traces as a Zarr array, the headers as a Parquet table.
#[derive(Parser)]
#[command(
    name = "segy-import",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
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
    Inspect(inspect::InspectArgs),
    Generate(generate::GenerateArgs),
    Worker(worker::WorkerArgs),
}

/// Runs the command of this process and says what went wrong. Returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("segy-import: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

impl Cli {
    fn run(self) -> Result<()> {
        match self.command {
            Some(Command::Inspect(args)) => args.run(),
            Some(Command::Generate(args)) => args.run(),
            Some(Command::Worker(args)) => args.run(),
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

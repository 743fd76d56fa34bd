//! Options of all commands that take a while: how much they print, and for whom.

use clap::Args;

use crate::cli::progress::ProgressMode;

#[derive(Args, Clone, Copy)]
pub(super) struct ProgressArgs {
    /// How to show progress
    #[arg(
        long,
        value_enum,
        default_value_t,
        env = "SEGY_IMPORT_PROGRESS",
        hide_env_values = true,
        help_heading = "Messages"
    )]
    progress: ProgressMode,

    /// Say nothing but warnings and errors
    #[arg(long, short, help_heading = "Messages")]
    quiet: bool,

    /// Print the result as one JSON document on standard output
    #[arg(long, help_heading = "Messages")]
    json: bool,
}

impl ProgressArgs {
    pub(super) fn mode(self) -> ProgressMode {
        match (self.progress, self.json, self.quiet) {
            (ProgressMode::Json, ..) => ProgressMode::Json,
            (_, true, _) => ProgressMode::Result,
            (_, _, true) => ProgressMode::None,
            (mode, ..) => mode,
        }
    }
}

/// Whether a program reads what this process prints, by its arguments and environment: known even where these are wrong.
pub(super) fn is_for_programs() -> bool {
    let arguments: Vec<_> = std::env::args_os().skip(1).take_while(|argument| argument != "--").collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let is_mode = |pair: &[std::ffi::OsString]| pair[0] == "--progress" && pair[1] == "json";
    let by_environment = || std::env::var_os("SEGY_IMPORT_PROGRESS").is_some_and(|mode| mode == "json");
    let is_said = arguments.iter().any(|argument| argument.to_string_lossy().starts_with("--progress"));
    has("--json") || has("--progress=json") || arguments.windows(2).any(is_mode) || (!is_said && by_environment())
}

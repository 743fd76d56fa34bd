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

    /// As [`Self::mode`], where standard output is the file that the command writes: the default of the environment does not count.
    pub(super) fn mode_beside_file(self) -> ProgressMode {
        match self.progress {
            ProgressMode::Json if !is_progress_asked(&options()) => {
                Self { progress: ProgressMode::Auto, ..self }.mode()
            }
            _ => self.mode(),
        }
    }
}

/// The commands that may write a file to standard output.
const WRITING: [&str; 3] = ["export", "report", "view"];

/// Whether a program reads what this process prints, by its arguments and environment: known even where these are wrong.
pub(super) fn is_for_programs() -> bool {
    let by_environment = std::env::var_os("SEGY_IMPORT_PROGRESS").is_some_and(|mode| mode == "json");
    asks_for_json(&options(), by_environment)
}

/// The arguments of this process, up to the one after which there are no options.
fn options() -> Vec<String> {
    let arguments = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    arguments.map(|argument| argument.to_string_lossy().into_owned()).collect()
}

fn asks_for_json(arguments: &[String], by_environment: bool) -> bool {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let is_mode = |pair: &[String]| pair[0] == "--progress" && pair[1] == "json";
    let is_asked = has("--json") || has("--progress=json") || arguments.windows(2).any(is_mode);
    is_asked || by_environment && !is_progress_asked(arguments) && !is_file_printed(arguments)
}

fn is_progress_asked(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| argument.starts_with("--progress"))
}

/// Whether standard output is the file that the command writes.
fn is_file_printed(arguments: &[String]) -> bool {
    let is_standard = |argument: &String| argument == "-" || argument == "-o-" || argument.ends_with("=-");
    arguments.first().is_some_and(|command| WRITING.contains(&command.as_str())) && arguments.iter().any(is_standard)
}

#[cfg(test)]
mod tests {
    use super::asks_for_json;

    #[test]
    fn the_environment_asks_for_json_unless_standard_output_is_a_file() {
        let asks = |text: &str, by_environment| {
            asks_for_json(&text.split(' ').map(str::to_owned).collect::<Vec<_>>(), by_environment)
        };
        for text in ["in.sgy out", "import --list - out", "export out back.sgy", "report in.sgy -o page.html"] {
            assert!(asks(text, true) && !asks(text, false), "{text}");
        }
        for text in ["export out -", "export out -q -o -", "report in.sgy --output=-", "view in.sgy --png -"] {
            assert!(!asks(text, true), "{text}");
        }
        for text in ["export out - --json", "export out - --progress json", "in.sgy out --progress=json"] {
            assert!(asks(text, false), "{text}");
        }
        assert!(!asks("in.sgy out --progress plain", true));
    }
}

//! `segy-import -h`: what most people need, on one screen. `--help` has everything.

use crate::cli::command;

/// The options that it shows, in few words.
#[rustfmt::skip]
const OPTIONS: [(&str, &str); 14] = [
    ("output", "The directory to write to, by name: all other paths are files"),
    ("each", "A dataset for each file: OUT/NAME.zarr"),
    ("list", "Read the names of the files from here; - is standard input"),
    ("gather", "Header fields that make a gather, auto, or none"),
    ("field", "A header field in another place: inline=5:i32"),
    ("preset", "Fields where a program has them: petrel, segysak, ..."),
    ("grid", "A grid: inline,crossline, cdp,offset, ... or auto"),
    ("codec", "How chunks are compressed: zstd, lz4-bit, none, ..."),
    ("overwrite", "Replace a dataset, once the new one is complete"),
    ("verify", "Compare every byte with the file before the dataset appears"),
    ("workers", "Worker processes at a time [default: one per core]"),
    ("dry_run", "Show the plan, create nothing"),
    ("quiet", "Say nothing but warnings and errors"),
    ("json", "Print the result as JSON"),
];

/// The commands that it shows.
const COMMANDS: [(&str, &str); 6] = [
    ("inspect", "Describe a SEG-Y file or a dataset"),
    ("report", "Make a page with pictures of either"),
    ("view", "Show a section in the terminal, or as a PNG"),
    ("export", "Write the SEG-Y file again"),
    ("verify", "Prove that a dataset is what its file is, or undamaged"),
    ("generate", "Write a synthetic survey"),
];

const MORE: &str = "\
More commands: import; plan, worker, merge, status, submit for clusters; completions, man.
--help has all options and exit codes, COMMAND --help those of a command.";

/// The command line, with the short help of the program if `-h` is the only argument.
pub(super) fn asked_command() -> clap::Command {
    let is_short = std::env::args_os().nth(1).is_some_and(|argument| argument == "-h");
    if is_short { short(command()) } else { command() }
}

fn short(command: clap::Command) -> clap::Command {
    let of =
        |table: &[(&'static str, &'static str)], name: &str| table.iter().find(|(n, _)| *n == name).map(|row| row.1);
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let brief = |arg: clap::Arg| match (arg.get_id().as_str(), of(&OPTIONS, arg.get_id().as_str())) {
        ("paths", _) => arg.hide(true),
        (_, Some(help)) => {
            let takes_values = arg.get_action().takes_values();
            let arg = arg.help(help).help_heading("Options");
            if takes_values { arg.hide_env(true).hide_default_value(true) } else { arg }
        }
        _ => arg.hide(true),
    };
    let command = names.iter().fold(command.mut_args(brief), |command, name| {
        command.mut_subcommand(name, |command| match of(&COMMANDS, name) {
            Some(about) => command.about(about),
            None => command.hide(true),
        })
    });
    command.disable_help_subcommand(true).after_help(MORE)
}

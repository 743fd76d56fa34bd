//! What an unknown option may have meant: words of other programs, and of the field.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::environment;

/// Words, and what they may mean here: of these options, the first that the command has.
const WORDS: [(&[&str], &[&str]); 20] = [
    (
        &["compression", "compressor", "compress", "codecs", "level", "clevel", "no-compression", "uncompressed"],
        &["--codec"],
    ),
    (
        &["threads", "jobs", "processes", "cpus", "cores", "num-threads", "nproc", "num-workers"],
        &["--workers", "--threads"],
    ),
    (&["chunks", "chunk", "chunk-size", "chunksize", "chunk-shape"], &["--chunk-traces"]),
    (&["byte-order", "endianness", "big-endian", "little-endian"], &["--endian"]),
    (&["out", "output-dir", "outdir", "out-dir", "output-file", "destination", "dest"], &["--output"]),
    (&["force", "replace", "clobber"], &["--overwrite"]),
    (&["key", "keys", "sort", "ensemble", "gathers"], &["--gather"]),
    (&["iline", "il", "inline", "ilines"], &["--inline", "--inlines"]),
    (&["xline", "xl", "crossline", "xlines"], &["--crossline", "--crosslines"]),
    (&["byte", "bytes", "byte-location", "header", "template", "index-bytes"], &["--field"]),
    (&["dt", "sample-interval", "sampling"], &["--interval"]),
    (&["ns", "n-samples", "nsamples"], &["--samples"]),
    (&["delay", "t0", "start-time"], &["--start"]),
    (&["encoding", "charset", "ebcdic", "ascii"], &["--text-encoding"]),
    (&["silent", "no-progress"], &["--quiet"]),
    (&["check", "validate"], &["--verify"]),
    (&["coordinates", "coord"], &["--coords"]),
    (&["epsg", "srid", "projection"], &["--crs"]),
    (&["cube", "volume", "3d"], &["--grid"]),
    (&["simulate", "plan"], &["--dry-run"]),
];

/// Words for a number of a line, which a command that reads header fields may also take for where that number stands.
const LINES: [(&[&str], &str); 2] =
    [(&["iline", "il", "inline"], "inline=189:i32"), (&["xline", "xl", "crossline"], "crossline=193:i32")];

/// Lets every option have a negative number for its value, so that it says what it takes instead.
pub(super) fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| {
        let has_value = !arg.is_positional() && arg.get_action().takes_values();
        if has_value { arg.allow_negative_numbers(true) } else { arg }
    });
    names.iter().fold(command, |command, name| command.mut_subcommand(name, with_negative_numbers))
}

/// Puts a better suggestion into an error about an unknown option, or none, and the place that a wrong value came from.
/// `arguments` are those of the program.
pub(super) fn improve(error: &mut clap::Error, command: &clap::Command, arguments: &[String]) {
    if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return environment::name_variable(error, arguments);
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return };
    let Some(word) = given.strip_prefix("--") else { return };
    let word = word.split('=').next().unwrap_or_default().to_lowercase().replace('_', "-");
    let command = arguments.first().and_then(|name| command.find_subcommand(name)).unwrap_or(command);
    keep_other_tips(error);
    let meant = WORDS.iter().find(|(words, _)| words.contains(&word.as_str()));
    match meant.map(|(_, options)| *options) {
        Some(["--chunk-traces"]) if has_option(command, "--brick") && asks_for(arguments, "--grid") => {
            suggest(error, "--brick");
        }
        Some(options) => match options.iter().find(|option| has_option(command, option)) {
            Some(option) => suggest(error, option),
            None => drop(error.remove(ContextKind::SuggestedArg)),
        },
        None => drop_far_suggestion(error, &word),
    }
    let line = LINES.iter().find(|(words, _)| words.contains(&word.as_str()));
    if let Some((_, field)) = line.filter(|_| has_option(command, "--field") && !has_option(command, "--inline")) {
        let tip = format!("for the bytes of a header field there is '--field {field}'");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

fn suggest(error: &mut clap::Error, option: &str) {
    error.insert(ContextKind::SuggestedArg, ContextValue::String(option.into()));
}

fn has_option(command: &clap::Command, option: &str) -> bool {
    command.get_arguments().any(|a| a.get_long() == option.strip_prefix("--"))
}

fn asks_for(arguments: &[String], option: &str) -> bool {
    arguments.iter().any(|argument| argument.split('=').next() == Some(option))
}

/// Removes the tip on how to pass an option as a value: nobody has a file of that name.
fn keep_other_tips(error: &mut clap::Error) {
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        let others: Vec<_> = tips.into_iter().filter(|tip| !tip.to_string().starts_with("to pass")).collect();
        if !others.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(others));
        }
    }
}

/// Removes a suggestion that only looks a little like the word: it is one if letters were mistyped, or left out at the end.
fn drop_far_suggestion(error: &mut clap::Error, word: &str) {
    const FEWEST_LETTERS: usize = 4;
    let Some(ContextValue::String(option)) = error.get(ContextKind::SuggestedArg) else { return };
    let name = option.trim_start_matches('-');
    let is_begun = word.len() >= FEWEST_LETTERS && (name.starts_with(word) || word.starts_with(name));
    let is_near = strsim::osa_distance(word, name) <= (word.len() / 4).max(1);
    if !is_begun && !is_near {
        error.remove(ContextKind::SuggestedArg);
    }
}

#[cfg(test)]
mod tests {
    use super::improve;
    use crate::cli::command;

    /// What is said of an unknown option.
    fn tips(arguments: &str) -> String {
        let words = || arguments.split(' ').map(str::to_owned);
        let mut error =
            command().try_get_matches_from(["segy-import".to_owned()].into_iter().chain(words())).unwrap_err();
        improve(&mut error, &command(), &words().collect::<Vec<_>>());
        let text = error.render().to_string();
        text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_words_of_other_programs_lead_to_the_option_of_the_command() {
        for (given, meant) in [
            ("in out --compress lz4", "--codec"),
            ("in out --compression=lz4", "--codec"),
            ("import in out --threads 4", "--workers"),
            ("inspect in --jobs 4", "--threads"),
            ("in --output-dir out", "--output"),
            ("in out --force", "--overwrite"),
            ("export out back.sgy --force", "--overwrite"),
            ("in out --chunks 100", "--chunk-traces"),
            ("in out --grid auto --chunks 64", "--brick"),
            ("in out --byte 189", "--field"),
            ("view in --il 5", "--inline"),
            ("view in --xline 5", "--crossline"),
            ("export out back.sgy --iline 5:7", "--inlines"),
            ("in out --gathr cdp", "--gather"),
            ("in out --overwri", "--overwrite"),
        ] {
            assert_eq!(tips(given), format!("a similar argument exists: '{meant}'"), "{given}");
        }
    }

    #[test]
    fn an_option_says_what_it_takes_instead_of_a_negative_number() {
        let parsed = |arguments: &[&str]| command().try_get_matches_from([&["segy-import"], arguments].concat());
        for (arguments, expected) in [
            (&["view", "in", "--traces", "-5:"][..], "'-5:' for '--traces <A:B>': write A:B, as in 100:200"),
            (&["export", "out", "back", "--traces", "-5:"], "'-5:' for '--traces <A:B>': write A:B"),
            (&["export", "out", "back", "--gathers", "-5"], "'-5' for '--gathers <A:B>': write A:B"),
            (&["in", "out", "--precision", "-5"], "'-5' for '--precision <DB>': -5 is not in 1..=200"),
            (&["plan", "in", "out", "-j", "-2"], "-2 is not in 1..=4096"),
            (&["in", "out", "--interval", "-4ms"], "give a number greater than 0"),
        ] {
            let said = parsed(arguments).unwrap_err().render().to_string();
            assert!(said.contains(expected) && !said.contains("to pass"), "{arguments:?}: {said}");
        }
        for arguments in [["in", "out", "--start", "-4ms"], ["in", "out", "--where", "-5 < offset"]] {
            assert!(parsed(&arguments).is_ok(), "{arguments:?}");
        }
    }

    #[test]
    fn a_line_is_a_part_or_a_header_field() {
        for word in ["--il", "--inline", "--iline"] {
            let said = tips(&format!("in out {word} 189"));
            assert_eq!(
                said,
                "a similar argument exists: '--inlines'; for the bytes of a header field there is '--field inline=189:i32'"
            );
        }
        assert!(tips("in out --xline 193").ends_with("'--field crossline=193:i32'"));
        assert_eq!(tips("inspect in --il 5"), "for the bytes of a header field there is '--field inline=189:i32'");
    }

    #[test]
    fn where_nothing_is_meant_nothing_is_suggested() {
        for given in [
            "in out --verbose",
            "in out --dead-traces",
            "inspect in --compression",
            "verify out --force",
            "in out --zz",
        ] {
            assert_eq!(tips(given), "", "{given}");
        }
    }
}

//! What an unknown option may have meant: words of other programs, and of the field.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Words, and the option here.
const WORDS: [(&[&str], &str); 15] = [
    (&["compression", "compressor", "compress", "codecs", "level", "clevel"], "--codec"),
    (&["threads", "jobs", "processes", "cpus", "cores", "num-threads", "nproc"], "--workers"),
    (&["chunks", "chunk", "chunk-size", "chunksize", "chunk-shape"], "--chunk-traces"),
    (&["byte-order", "endianness", "big-endian", "little-endian"], "--endian"),
    (&["out", "output-dir", "outdir", "destination"], "--output"),
    (&["force", "replace", "clobber"], "--overwrite"),
    (&["key", "keys", "sort", "ensemble", "gathers"], "--gather"),
    (&["iline", "xline", "inline", "crossline", "byte", "bytes", "header", "template", "index-bytes"], "--field"),
    (&["dt", "sample-interval", "sampling"], "--interval"),
    (&["ns", "n-samples", "nsamples"], "--samples"),
    (&["delay", "t0", "start-time"], "--start"),
    (&["encoding", "charset", "ebcdic", "ascii"], "--text-encoding"),
    (&["silent", "no-progress"], "--quiet"),
    (&["check", "validate"], "--verify"),
    (&["coordinates", "coord"], "--coords"),
];

/// Options with a default in the environment.
const VARIABLES: [(&str, &str); 3] =
    [("--codec", "SEGY_IMPORT_CODEC"), ("--progress", "SEGY_IMPORT_PROGRESS"), ("--workers", "SEGY_IMPORT_WORKERS")];

/// Names the variable of the environment that a wrong value came from.
fn name_variable(error: &mut clap::Error) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (option, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    let found = VARIABLES.iter().find(|(name, _)| option.split([' ', '=']).next() == Some(*name));
    let Some((_, variable)) = found.filter(|(_, variable)| std::env::var(variable).as_ref() == Ok(&value)) else {
        return;
    };
    let is_given = std::env::args_os().any(|argument| argument.to_string_lossy().ends_with(value.as_str()));
    if !is_given {
        error.insert(ContextKind::InvalidArg, ContextValue::String((*variable).into()));
    }
}

/// Puts a better suggestion into an error about an unknown option, where there is one, and the place that a wrong value came from.
pub(super) fn improve(error: &mut clap::Error, command: &clap::Command) {
    if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return name_variable(error);
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return };
    let word = given.trim_start_matches('-').split('=').next().unwrap_or_default().to_lowercase().replace('_', "-");
    let Some((_, option)) = WORDS.iter().find(|(words, _)| words.contains(&word.as_str())) else { return };
    let is_known = |command: &clap::Command| command.get_arguments().any(|a| a.get_long() == option.strip_prefix("--"));
    if is_known(command) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String((*option).into()));
    }
}

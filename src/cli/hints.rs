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

/// Puts a better suggestion into an error about an unknown option, where there is one.
pub(super) fn improve(error: &mut clap::Error, command: &clap::Command) {
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

//! `segy-import IN OUT`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed, unreadable};
use crate::base::near_names::near_name;
use crate::base::shell::quoted;
use crate::cli::asked::ProgressArgs;
use crate::cli::choices::whole_numbers;
use crate::cli::events::Failure;
use crate::cli::grid::GridArgs;
use crate::cli::overrides::{FieldArgs, OverrideArgs};
use crate::cli::part::PartArgs;
use crate::cli::progress::{Display, ProgressMode};
use crate::cli::{command, dry_run, each, shown};
use crate::plan::import_config::{Coords, DEFAULT_MAX_PROBE, DtypeChoice, Gather, ImportConfig};
use crate::run::import::import;
use crate::run::reporter::ImportProgress;
use crate::segy::Io;
use crate::staging;
use crate::store;
use crate::store::place::is_absence;
use crate::zarr::{AxisOrder, Codec, ReadPattern};

#[derive(Args)]
pub(super) struct ImportArgs {
    /// SEG-Y files to read, combined into one dataset in this order, then the directory to write it to
    // Required unless a subcommand is given.
    #[arg(value_names = ["IN", "OUT"], num_args = 1.., required_unless_present_all = ["list", "output"], value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,

    /// The directory to write to; all other paths are then SEG-Y files
    #[arg(long, short, value_name = "OUT", value_hint = ValueHint::AnyPath)]
    output: Option<PathBuf>,

    /// Make a dataset of each file, OUT/NAME.zarr, several at a time
    #[arg(long)]
    each: bool,

    /// Read the names of the SEG-Y files from this file, or - for standard input: one per line, or separated by zero bytes, relative to
    /// the working directory; lines starting with "#" are comments
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    list: Option<PathBuf>,

    /// Header fields: consecutive traces with equal values form a gather; or "none"; or "auto": what a few trace
    /// headers show [default: the keys of --mapping, or auto]
    #[arg(long, value_name = "KEY[,KEY...]", help_heading = "Gathers")]
    gather: Option<Gather>,

    /// How many trace headers to look back at most for the start of a gather
    #[arg(long, value_name = "TRACES", default_value_t = DEFAULT_MAX_PROBE, help_heading = "Gathers")]
    max_probe: u64,

    #[command(flatten)]
    fields: FieldArgs,

    /// Leave out the column with the 240 header bytes
    #[arg(long, help_heading = "Headers")]
    no_raw_header: bool,

    /// Write the header table as a directory of files, headers.parquet/part-00000.parquet …, which readers of Parquet take for one
    /// table: quicker to finish where there are very many traces. It has no column ensemble_id
    #[arg(long, help_heading = "Headers")]
    header_parts: bool,

    /// Leave out the samples: headers and gathers only
    #[arg(long, help_heading = "Headers")]
    headers_only: bool,

    #[command(flatten, next_help_heading = "Part")]
    selection: PartArgs,

    /// Round samples to multiples of a power of two, so that the RMS error stays DB decibels below that of the samples: much
    /// smaller, but no longer lossless
    #[arg(long, value_name = "DB", value_parser = clap::value_parser!(u32).range(1..=200), conflicts_with = "headers_only",
          help_heading = "Output")]
    precision: Option<u32>,

    /// Compressor for the chunks
    #[arg(long, value_name = "NAME[:LEVEL]", default_value_t, long_help = codec_help(), env = "SEGY_IMPORT_CODEC", hide_env_values = true,
          help_heading = "Output")]
    codec: Codec,

    /// Order of the declared axes
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    order: AxisOrder,

    /// Data type of the samples
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    dtype: DtypeChoice,

    /// Which reads the chunks are made for
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    access: ReadPattern,

    /// Samples per chunk, whatever --access says
    #[arg(long, value_name = "SAMPLES", value_parser = whole_numbers().range(1..), help_heading = "Output")]
    chunk_samples: Option<u64>,

    /// Traces per chunk [default: as many as make 8 MiB, at most 1000; 1 MiB where --access or --chunk-samples cuts traces]
    #[arg(long, value_name = "TRACES", value_parser = whole_numbers().range(1..), help_heading = "Output")]
    chunk_traces: Option<u64>,

    /// Group this many chunks in one shard file; with --grid, a length in values for each axis, or "all"; without
    /// a value, one file for each column of bricks
    #[arg(long, value_name = "CHUNKS", num_args = 0..=1, default_missing_value = "", help_heading = "Output")]
    shard: Option<String>,

    #[command(flatten)]
    grid: GridArgs,

    /// Header columns to write as coordinates of the traces; or "none"; or "auto": gather keys, field_record, inline,
    /// crossline, cdp, offset, source, receiver and CDP x and y, recording_time, where they vary [default: auto]
    #[arg(long, value_name = "NAME[,NAME...]", help_heading = "Output")]
    coords: Option<Coords>,

    /// Name of the array of the samples [default: traces.zarr, or amplitude with --grid]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    variable: Option<String>,

    /// Replace an existing dataset once the new one is complete, or write into a directory with other files
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Compare the dataset with the input, byte by byte, before it becomes visible
    #[arg(long, help_heading = "Output")]
    verify: bool,

    /// Do not wait until the dataset is on disk: faster, if you can import again after a power failure
    #[arg(long, help_heading = "Output")]
    no_sync: bool,

    /// Start over instead of keeping segments finished by an interrupted import or one with other options
    #[arg(long, help_heading = "Output")]
    fresh: bool,

    #[command(flatten)]
    overrides: OverrideArgs,

    /// How many worker processes to run at most [default: one per core]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096), env = "SEGY_IMPORT_WORKERS",
          hide_env_values = true, help_heading = "Work")]
    workers: Option<u32>,

    /// Number of segments to cut the file into [default: one per worker, more for large files]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Work")]
    segments: Option<u32>,

    /// Convert files of at most this many traces (and 256 MiB) in this process
    #[arg(long, value_name = "TRACES", default_value_t = 100_000, help_heading = "Work")]
    parallel_threshold: u64,

    /// How to read the input
    #[arg(long, value_enum, default_value_t, help_heading = "Work")]
    io: Io,

    /// Show what would be done without creating anything
    #[arg(long, help_heading = "Work")]
    dry_run: bool,

    #[command(flatten)]
    messages: ProgressArgs,
}

fn codec_help() -> String {
    format!("Compressor for the chunks: {}. Every chunk ends with a CRC-32C checksum.", Codec::help())
}

impl ImportArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.each {
            let mode = self.messages.mode();
            if self.dry_run {
                return Err(Error::Usage("--dry-run shows the plan of one dataset; leave out --each".into()).into());
            }
            return each::run(&self.resolve()?, mode);
        }
        Ok(self.run_as(import, |display, result| display.finish(result))?)
    }

    /// Runs an import, or another command that starts from these options, or only shows the plan. `tell` reports the
    /// result.
    pub(super) fn run_as<T>(
        self,
        work: impl FnOnce(&ImportConfig, &mut dyn FnMut(&ImportProgress), &CancelHandle) -> Result<T>,
        tell: impl FnOnce(&Display, &T) -> Result<()>,
    ) -> Result<()> {
        let (dry_run, progress) = (self.dry_run, self.messages.mode());
        if self.each {
            return Err(Error::Usage("--each is for an import on this computer; plan each file by itself".into()));
        }
        let config = self.resolve()?;
        let inputs = config.inputs.clone();
        let check_inputs = || inputs.iter().try_for_each(|input| check_input(input));
        if dry_run {
            check_inputs()?;
            staging::check(&config.output, config.overwrite)?;
            return dry_run::print(&config.plan()?, matches!(progress, ProgressMode::Json | ProgressMode::Result));
        }
        let work = |on_progress: &mut dyn FnMut(&ImportProgress), cancel: &CancelHandle| {
            check_inputs()?;
            work(&config, on_progress, cancel)
        };
        shown(progress, work, tell)
    }

    fn resolve(self) -> Result<ImportConfig> {
        const SMALL_BYTES: u64 = 256 << 20;
        let program = std::env::current_exe().map_err(failed("cannot find the path of this program"))?;
        let (inputs, output) = inputs_and_output(self.paths, self.output, self.list.as_deref())?;
        let mut config = ImportConfig::new(PathBuf::new(), output);
        config.inputs = inputs;
        config.workers = self.workers.map(|n| n as usize);
        config.segments = self.segments;
        config.headers = self.fields.resolve()?;
        let keys_of_mapping = config.headers.mapping.as_ref().map(|m| m.ensemble_keys.clone());
        config.gather = match (self.gather, keys_of_mapping) {
            (Some(gather), _) => gather,
            (None, Some(keys)) if !keys.is_empty() => Gather::Keys(keys),
            (None, _) => Gather::default(),
        };
        config.max_probe = self.max_probe;
        config.raw_header = !self.no_raw_header;
        config.header_parts = self.header_parts;
        config.headers_only = self.headers_only;
        config.selection = self.selection.resolve();
        config.reads = self.access;
        config.chunk_samples = self.chunk_samples;
        config.chunk_traces = self.chunk_traces;
        config.precision = self.precision;
        config.codec = self.codec;
        config.order = self.order;
        config.dtype = self.dtype;
        config.grid = self.grid.resolve(self.shard.as_deref())?;
        if config.grid.is_none() {
            config.shard_chunks = self.shard.as_deref().map(n_chunks).transpose()?;
        }
        config.coords = self.coords.unwrap_or_default();
        config.variable = self.variable;
        config.io = self.io;
        config.overrides = self.overrides.resolve();
        config.overwrite = self.overwrite;
        config.verify = self.verify;
        config.sync = !self.no_sync;
        config.fresh = self.fresh;
        config.parallel_threshold = (self.parallel_threshold, SMALL_BYTES);
        config.worker_program = Some(program);
        Ok(config)
    }
}

/// Chunks in a shard without a grid.
fn n_chunks(shard: &str) -> Result<u64> {
    const BY_DEFAULT: u64 = 16;
    match shard.parse() {
        _ if shard.is_empty() => Ok(BY_DEFAULT),
        Ok(n @ 1..=1_000_000) => Ok(n),
        _ => Err(Error::Usage(format!("--shard {shard}: without --grid it is a number of chunks from 1 to 1000000"))),
    }
}

/// Checks that the input exists before checking the output: it may be a misspelt command.
pub(super) fn check_input(input: &Path) -> Result<()> {
    match std::fs::metadata(input) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !store::is_remote(input) => {
            let commands = command();
            let commands = commands.get_subcommands().map(clap::Command::get_name);
            let near = near_name(&input.to_string_lossy(), commands);
            let hint = near.map_or(String::new(), |command| format!("; did you mean the command \"{command}\"?"));
            Err(Error::Input(format!("{}: cannot be read: {e}{hint}", input.display())))
        }
        _ => Ok(()),
    }
}

/// The inputs and the output, which is the last path unless it was given by name.
fn inputs_and_output(
    mut paths: Vec<PathBuf>,
    output: Option<PathBuf>,
    list: Option<&Path>,
) -> Result<(Vec<PathBuf>, PathBuf)> {
    if paths.iter().chain(&output).any(|p| p.as_os_str().is_empty()) {
        return Err(Error::Usage("a path is empty; give a file or a directory".into()));
    }
    let is_named = output.is_some();
    let output = output.or_else(|| paths.pop()).unwrap_or_default();
    if output == Path::new("-") {
        return Err(Error::Usage(
            "-: a dataset is a directory, so it cannot go to standard output; give its name".into(),
        ));
    }
    if paths.iter().any(|path| path == Path::new("-")) {
        let why =
            "a SEG-Y file is read in many places at once, so it cannot come through a pipe; write it to a file first";
        return Err(Error::Usage(format!("-: {why}")));
    }
    match (list, paths.as_slice()) {
        (None, []) if is_named => Err(Error::Usage("give the SEG-Y files to read".into())),
        (None, []) => Err(Error::Usage(one_path_alone(&output))),
        (None, _) => Ok((paths, output)),
        (Some(list), []) => Ok((read_list(list)?, output)),
        (Some(_), _) => Err(Error::Usage("with --list, give only the directory for the dataset".into())),
    }
}

/// The message for a file without an output.
fn one_path_alone(path: &Path) -> String {
    let (shown, file) = (path.display(), quoted(path));
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return format!(
                "{shown}: what to do with it? \"segy-import inspect {file}\" describes a dataset; an import needs a SEG-Y file too"
            );
        }
        Err(e) if !store::is_remote(path) && !is_absence(&e) => return format!("{shown}: {e}"),
        _ => {}
    }
    let dataset = quoted(&Path::new(path.file_name().unwrap_or_default()).with_extension("zarr"));
    format!(
        "{shown}: what to do with it? \"segy-import inspect {file}\" describes it, \"segy-import {file} {dataset}\" imports it"
    )
}

/// One path per line, or between zero bytes, relative to the working directory. Skips empty lines and those starting with "#".
fn read_list(list: &Path) -> Result<Vec<PathBuf>> {
    let text = match list == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()),
        false => store::files::read_text(list),
    };
    let text = text.map_err(|e| unreadable(list, &e))?;
    // Some editors mark UTF-8 so.
    let text = text.trim_start_matches('\u{feff}');
    let separator = if text.contains('\0') { '\0' } else { '\n' };
    let lines = text.split(separator).map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let paths: Vec<PathBuf> = lines.map(PathBuf::from).collect();
    if paths.is_empty() { Err(Error::Input(format!("{}: lists no files", list.display()))) } else { Ok(paths) }
}

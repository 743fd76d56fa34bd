//! `segy-import IN OUT`.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed, unreadable};
use crate::base::near_names::near_name;
use crate::cli::overrides::{FieldArgs, OverrideArgs};
use crate::cli::progress::{Display, ProgressMode};
use crate::cli::{Cli, dry_run, shown};
use crate::plan::config::{DEFAULT_MAX_PROBE, DtypeChoice, Gather, ImportConfig};
use crate::run::import::{ImportProgress, import};
use crate::segy::Io;
use crate::staging;
use crate::store;
use crate::zarr::{AxisOrder, Codec};

#[derive(Args)]
pub(super) struct ImportArgs {
    /// SEG-Y files to read, which become one dataset in this order, and the directory to write it to
    // They are there unless a subcommand takes their place.
    #[arg(value_names = ["IN", "OUT"], num_args = 1.., required = true)]
    paths: Vec<PathBuf>,

    /// Read the names of the SEG-Y files from this file, one in a line, as seen from here; lines with "#" in front are comments
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,

    /// Header fields whose equal values make consecutive traces a gather, or "none" [default: the keys of --mapping, or cdp]
    #[arg(long, value_name = "KEY[,KEY...]", help_heading = "Gathers")]
    gather: Option<Gather>,

    /// Trace headers to look back at most for the start of a gather
    #[arg(long, value_name = "TRACES", default_value_t = DEFAULT_MAX_PROBE, help_heading = "Gathers")]
    max_probe: u64,

    #[command(flatten)]
    fields: FieldArgs,

    /// Leave out the column with the 240 header bytes
    #[arg(long, help_heading = "Headers")]
    no_raw_header: bool,

    /// Leave out the samples: headers and gathers only
    #[arg(long, help_heading = "Headers")]
    headers_only: bool,

    /// Compressor of the chunks
    #[arg(long, value_name = "NAME[:LEVEL]", default_value_t, long_help = codec_help(), help_heading = "Output")]
    codec: Codec,

    /// Order of the declared axes
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    order: AxisOrder,

    /// Data type of the samples
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    dtype: DtypeChoice,

    /// Traces in a chunk [default: what makes 8 MiB, 1000 at most]
    #[arg(long, value_name = "TRACES", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Output")]
    chunk_traces: Option<u64>,

    /// Group so many chunks in one shard file
    #[arg(long, value_name = "CHUNKS", num_args = 0..=1, default_missing_value = "16",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000), help_heading = "Output")]
    shard: Option<u64>,

    /// Replace a dataset that is there, once the new one is complete, or put it beside other files
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Compare the dataset with the input, byte by byte, before it becomes visible
    #[arg(long, help_heading = "Output")]
    verify: bool,

    /// Do not wait until the dataset is on the disk: faster, for what can be made again after a power failure
    #[arg(long, help_heading = "Output")]
    no_sync: bool,

    /// Start over where an interrupted import, or one with other options, left finished segments
    #[arg(long, help_heading = "Output")]
    fresh: bool,

    #[command(flatten)]
    overrides: OverrideArgs,

    /// Worker processes at a time [default: one for each core]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096), help_heading = "Work")]
    workers: Option<u32>,

    /// Segments to cut the file into [default: one for each worker, more for large files]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Work")]
    segments: Option<u32>,

    /// Convert files of at most so many traces (and 256 MiB) in this process
    #[arg(long, value_name = "TRACES", default_value_t = 100_000, help_heading = "Work")]
    parallel_threshold: u64,

    /// How the input is read
    #[arg(long, value_enum, default_value_t, help_heading = "Work")]
    io: Io,

    /// Show what would be done, and create nothing
    #[arg(long, help_heading = "Work")]
    dry_run: bool,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t, help_heading = "Work")]
    progress: ProgressMode,
}

fn codec_help() -> String {
    format!("Compressor of the chunks: {}. Every chunk ends with a CRC-32C checksum.", Codec::help())
}

impl ImportArgs {
    pub(super) fn run(self) -> Result<()> {
        self.run_as(import, |display, result| display.finish(result))
    }

    /// Runs an import, or what else begins with these options, unless it is only to be shown. `tell` says what came of it.
    pub(super) fn run_as<T>(
        self,
        work: impl FnOnce(&ImportConfig, &mut dyn FnMut(&ImportProgress), &CancelHandle) -> Result<T>,
        tell: impl FnOnce(&Display, &T) -> Result<()>,
    ) -> Result<()> {
        let (dry_run, progress) = (self.dry_run, self.progress);
        let config = self.resolve()?;
        let inputs = config.inputs.clone();
        let check_inputs = || inputs.iter().try_for_each(|input| check_input(input));
        if dry_run {
            check_inputs()?;
            staging::check(&config.output, config.overwrite)?;
            return dry_run::print(&config.plan()?, progress == ProgressMode::Json);
        }
        let work = |on_progress: &mut dyn FnMut(&ImportProgress), cancel: &CancelHandle| {
            check_inputs()?;
            work(&config, on_progress, cancel)
        };
        shown(progress, work, tell)
    }

    fn resolve(self) -> Result<ImportConfig> {
        const SMALL_BYTES: u64 = 256 << 20;
        let program = std::env::current_exe().map_err(failed("the path of this program cannot be found"))?;
        let (inputs, output) = inputs_and_output(self.paths, self.list.as_deref())?;
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
        config.headers_only = self.headers_only;
        config.chunk_traces = self.chunk_traces;
        config.codec = self.codec;
        config.order = self.order;
        config.dtype = self.dtype;
        config.shard_chunks = self.shard;
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

/// Sees that an input is there, before what is in the way of the output is looked at: a misspelt command is taken for one.
fn check_input(input: &Path) -> Result<()> {
    match std::fs::metadata(input) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !store::is_remote(input) => {
            let commands = Cli::command();
            let commands = commands.get_subcommands().map(clap::Command::get_name);
            let near = near_name(&input.to_string_lossy(), commands);
            let hint = near.map_or(String::new(), |command| format!("; did you mean the command \"{command}\"?"));
            Err(Error::Input(format!("{}: cannot be read: {e}{hint}", input.display())))
        }
        _ => Ok(()),
    }
}

/// The last path is the output; all others, or those in the list, are read.
fn inputs_and_output(mut paths: Vec<PathBuf>, list: Option<&Path>) -> Result<(Vec<PathBuf>, PathBuf)> {
    if paths.iter().any(|p| p.as_os_str().is_empty()) {
        return Err(Error::Usage("an empty path names neither a file nor a directory".into()));
    }
    let output = paths.pop().unwrap_or_default();
    match (list, paths.as_slice()) {
        (None, []) => Err(Error::Usage(format!(
            "{}: name the SEG-Y file, and behind it a directory for the dataset",
            output.display()
        ))),
        (None, _) => Ok((paths, output)),
        (Some(list), []) => Ok((read_list(list)?, output)),
        (Some(_), _) => Err(Error::Usage("with --list only the directory for the dataset is named besides".into())),
    }
}

/// One path in each line, as seen from the working directory. Empty lines and those behind a "#" count for nothing.
fn read_list(list: &Path) -> Result<Vec<PathBuf>> {
    let text = store::files::read_text(list).map_err(|e| unreadable(list, &e))?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let paths: Vec<PathBuf> = lines.map(PathBuf::from).collect();
    if paths.is_empty() { Err(Error::Input(format!("{}: names no file", list.display()))) } else { Ok(paths) }
}

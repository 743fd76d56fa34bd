//! `segy-import generate`: a synthetic survey as SEG-Y.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::plural::count;
use crate::cli::asked::ProgressArgs;
use crate::cli::choices::whole_numbers;
use crate::cli::run_shown;
use crate::export::check_target;
use crate::generate::{
    GenerateConfig, Lines, SetField, SurveyKind, TraceSelection, generate, is_directory, is_written_in_place,
};
use crate::run::reporter::Phase;
use crate::segy::ByteOrder;

/// Write a synthetic survey as SEG-Y, for tests, benchmarks and demonstrations
#[derive(Args)]
pub(super) struct GenerateArgs {
    /// SEG-Y file to write
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// Kind of survey
    #[arg(long, value_enum, default_value_t = SurveyKind::Poststack)]
    kind: SurveyKind,

    /// Number of traces [default: 10000, or those of --inlines and --crosslines]
    #[arg(long, value_name = "N", value_parser = whole_numbers().range(1..=i64::from(i32::MAX)))]
    traces: Option<u64>,

    /// Inlines of a stack or of CDP gathers
    #[arg(
        long,
        value_name = "FIRST:LAST[:STEP]",
        requires = "crosslines",
        conflicts_with = "traces",
        help_heading = "Grid"
    )]
    inlines: Option<Lines>,

    /// Crosslines
    #[arg(long, value_name = "FIRST:LAST[:STEP]", requires = "inlines", help_heading = "Grid")]
    crosslines: Option<Lines>,

    /// Traces of each CDP gather [default: 20 to 60; 1 with --inlines]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Grid")]
    fold: Option<u32>,

    /// Set a trace header field, by its name or BYTE:TYPE, to an expression, as in --compute of an import
    #[arg(long, value_name = "FIELD=EXPRESSION", help_heading = "Grid")]
    set: Vec<SetField>,

    /// Leave out traces: a number of them at random, or those with these numbers, as in inline=1005,crossline=2001:2004
    #[arg(long, value_name = "N|KEY=NUMBERS", help_heading = "Faults")]
    hole: Option<TraceSelection>,

    /// Write traces twice
    #[arg(long, value_name = "N|KEY=NUMBERS", help_heading = "Faults")]
    duplicate: Option<TraceSelection>,

    /// Give traces inline and crossline numbers that are 100,000 too high
    #[arg(long, value_name = "N|KEY=NUMBERS", help_heading = "Faults")]
    stray: Option<TraceSelection>,

    /// Cut this many bytes off the end of the file
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true, help_heading = "Faults")]
    truncate: u64,

    /// Samples per trace
    #[arg(long, value_name = "N", default_value_t = GenerateConfig::default().n_samples,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    samples: u32,

    /// Sample interval in microseconds
    #[arg(long, value_name = "MICROSECONDS", default_value_t = GenerateConfig::default().interval_us,
          value_parser = clap::value_parser!(u16).range(1..))]
    interval: u16,

    /// Sample format code: 1 IBM float32, 2 int32, 3 int16, 5 IEEE float32, 6 float64, 8 int8 …
    #[arg(long, value_name = "CODE", default_value_t = GenerateConfig::default().format)]
    format: u16,

    /// Byte order
    #[arg(long, value_enum, default_value_t = Endian::Big)]
    endian: Endian,

    /// Random seed: the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = GenerateConfig::default().seed)]
    seed: u64,

    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    progress: ProgressArgs,
}

impl GenerateArgs {
    pub(super) fn run(self) -> Result<()> {
        if crate::segy::samples::format::sample_format(self.format).is_none() {
            let known = crate::segy::samples::format::known_formats();
            return Err(Error::Usage(format!("--format {} is not a sample format; use {known}", self.format)));
        }
        let path = self.output.display();
        if is_directory(&self.output).map_err(failed(&path))? {
            return Err(Error::Usage(format!("{path}: is a directory; name the file to write")));
        }
        let is_in_place = is_written_in_place(&self.output).map_err(failed(&path))?;
        if is_in_place && !self.overwrite {
            return Err(Error::OutputInTheWay(format!("{path}: already exists; --overwrite writes into it")));
        } else if !is_in_place {
            check_target(&self.output, self.overwrite)?;
        }
        let lines = self.inlines.zip(self.crosslines).map(|(inlines, crosslines)| [inlines, crosslines]);
        // With lines, all gathers have the same size, so that the survey ends with its last line.
        let fold = self.fold.or((lines.is_some() && self.kind == SurveyKind::Prestack).then_some(1));
        let mut config = GenerateConfig {
            kind: self.kind,
            n_traces: self.traces.unwrap_or(GenerateConfig::default().n_traces),
            n_samples: self.samples,
            interval_us: self.interval,
            format: self.format,
            byte_order: self.endian.into(),
            seed: self.seed,
            lines,
            fold,
            set: self.set,
            holes: self.hole,
            duplicates: self.duplicate,
            strays: self.stray,
            truncated_bytes: self.truncate,
            overwrite: self.overwrite,
        };
        if config.lines.is_some() {
            config.n_traces = config.n_traces_of_grid().unwrap_or(u64::MAX);
        }
        // Writing to a pipe waits for a reader, so signals are not listened to: one must be able to end it.
        if is_in_place {
            return write(&config, &self.output, &mut |_, _| {}, &CancelHandle::new());
        }
        run_shown(self.progress.mode(), Phase::Generating, |on_progress, cancel| {
            let mut n_traces = 0;
            let mut count_traces = |n, total| {
                n_traces = n;
                on_progress(n, total);
            };
            write(&config, &self.output, &mut count_traces, cancel)?;
            let bytes = std::fs::metadata(&self.output).map_err(failed(&path))?.len();
            Ok((
                format!("{path}: {}, {}", count(n_traces, "trace"), count(bytes, "byte")),
                json!({"type": "done", "n_traces": n_traces, "bytes": bytes, "output": path.to_string()}),
            ))
        })
    }
}

fn write(
    config: &GenerateConfig,
    output: &Path,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<()> {
    let failure = |e| cancel.check().err().unwrap_or_else(|| Error::Failed(format!("{e:#}")));
    generate(config, output, on_progress, cancel).map_err(failure)
}

/// As [`ByteOrder`], explained.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Endian {
    /// Most significant byte first, the order of the standard.
    Big,
    /// Least significant byte first.
    Little,
}

impl From<Endian> for ByteOrder {
    fn from(order: Endian) -> Self {
        match order {
            Endian::Big => Self::Big,
            Endian::Little => Self::Little,
        }
    }
}

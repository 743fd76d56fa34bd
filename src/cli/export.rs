//! `segy-import export`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::json;

use crate::base::error::{Error, Result};
use crate::base::plural::count;
use crate::cli::asked::ProgressArgs;
use crate::cli::part::PartArgs;
use crate::cli::progress::ProgressMode;
use crate::cli::run_shown;
use crate::dataset::{Part, Span, Target};
use crate::export::{ExportConfig, ExportResult, TextLine, export};
use crate::run::reporter::Phase;
use crate::segy::ByteOrder;

/// Export a dataset to the SEG-Y file or files it was made from, byte for byte
///
/// With --traces, --gathers, --inlines, --crosslines, --where or --polygon it exports a part: the headers and samples of
/// each trace unchanged, and the file headers unchanged except for the revision 2 trace count (bytes 3513-3520), which is
/// set to that of the part if there was one. Bytes after the last trace are kept only if the binary header declares them
/// as data trailer (bytes 3529-3532). With --times each trace is cut as well: its number of samples (bytes 115-116 and
/// 3221-3222, and the longer fields of revision 2) and its delay (bytes 109-110) are set to match. A part comes from one
/// file: if there are several, --file says which.
///
/// With --samples the samples come from an array that you made: one of the dataset's shape, or what xarray writes with
/// to_zarr, which names its dimensions and has their coordinates beside it. Traces are found by coordinate, dimensions
/// may be in any order, and what the array does not have is left out. Headers stay those of the dataset.
///
/// With --format or --endian it converts to another sample format or byte order. Bytes 3225-3226 and, in revision 2,
/// 3297-3300 are set to match. A sample that the format cannot hold exactly is an error that names it, unless --round
/// takes the nearest value; one out of range is always an error. To change the byte order, the standard numeric
/// fields of the binary header, the trace headers and additional headers named SEG00001 are reversed; unassigned
/// bytes, text and everything else stay unchanged.
#[derive(Args)]
#[command(group(ArgGroup::new("recoded").multiple(true)))]
pub(super) struct ExportArgs {
    /// Dataset directory
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,

    /// SEG-Y file to write, - for standard output, or a directory if the dataset was made from several files
    #[arg(value_name = "OUT", required_unless_present = "output")]
    target: Option<PathBuf>,

    /// The same, by name
    #[arg(long, short, value_name = "OUT", conflicts_with = "target")]
    output: Option<PathBuf>,

    /// Export only this one of several files, counted from 1, to the file OUT
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    file: Option<u32>,
    /// Export traces A up to but not including B, counted from 0 like trace_index in the dataset; "A:" and ":B" are
    /// open-ended
    #[arg(long, value_name = "A:B", allow_hyphen_values = true, conflicts_with = "gathers")]
    traces: Option<Span>,

    /// Export gathers A up to but not including B, counted from 0 like ensemble_id in ensemble_index.parquet
    #[arg(long, value_name = "A:B", allow_hyphen_values = true)]
    gathers: Option<Span>,

    #[command(flatten)]
    selection: PartArgs,

    /// Take the samples from this array: Zarr (version 2 or 3), or a file .npy
    #[arg(long, value_name = "ARRAY", group = "recoded")]
    samples: Option<PathBuf>,

    /// Write the columns of this table (Parquet or CSV) over the header fields of their names; a row for each trace, found
    /// by the column trace_index or by the keys of the grid
    #[arg(long, value_name = "TABLE")]
    headers: Option<PathBuf>,

    /// Replace this line of the textual header, as in 3="C 3 MUTED BELOW 2 S"; may be given several times
    #[arg(long = "text-line", value_name = "N=TEXT")]
    text_lines: Vec<TextLine>,

    /// Refuse if samples of the dataset were changed since the import
    #[arg(long, conflicts_with = "samples")]
    unedited: bool,

    /// Take chunks that are missing for chunks of the fill value (0; NaN in a grid of floats), which zarr leaves out when it
    /// writes; otherwise a missing chunk is an error
    #[arg(long, conflicts_with_all = ["samples", "unedited"])]
    fill_missing: bool,

    /// Convert the samples to this sample format (a code of bytes 3225-3226), keeping exact values
    #[arg(long, value_name = "CODE", group = "recoded")]
    format: Option<u16>,

    /// Convert numbers to this byte order
    #[arg(long, value_enum)]
    endian: Option<ByteOrder>,

    /// Round to the nearest value, ties to even, if the format cannot hold a sample exactly
    #[arg(long, requires = "recoded")]
    round: bool,

    /// Write VALUE for infinite or NaN samples if the sample format has neither; otherwise an error
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = finite)]
    nan: Option<f64>,

    /// Export a dataset whose samples were rounded on import (--precision), which does not give that file
    #[arg(long)]
    lossy: bool,

    /// Replace an existing file, once the new one is complete
    #[arg(long)]
    overwrite: bool,

    /// Do not wait until the file is on disk
    #[arg(long)]
    no_sync: bool,

    #[command(flatten)]
    progress: ProgressArgs,
}

fn finite(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| "give a number".into())
}

impl ExportArgs {
    pub(super) fn run(self) -> Result<()> {
        let target = self.target.or(self.output).unwrap_or_default();
        let mode = match target.as_os_str() == "-" {
            true => self.progress.mode_beside_file(),
            false => self.progress.mode(),
        };
        if target.as_os_str() == "-" && matches!(mode, ProgressMode::Json | ProgressMode::Result) {
            let what = "standard output is the SEG-Y file; leave out --json and --progress json, or name a file";
            return Err(Error::Usage(format!("-: {what}")));
        }
        let config = ExportConfig {
            dataset: self.dataset,
            target,
            file: self.file.map(|n| n as usize - 1),
            overwrite: self.overwrite,
            lossy: self.lossy,
            part: match (self.traces, self.gathers) {
                (Some(span), _) => Part::Traces(span),
                (None, Some(span)) => Part::Gathers(span),
                (None, None) => Part::All,
            },
            selection: self.selection.resolve(),
            samples: self.samples,
            headers: self.headers,
            text_lines: self.text_lines,
            unedited: self.unedited,
            fill_missing: self.fill_missing,
            conversion: Target { format: self.format, byte_order: self.endian, round: self.round },
            nan: self.nan,
            sync: !self.no_sync,
        };
        run_shown(mode, Phase::Exporting, |on_progress, cancel| {
            let done = export(&config, on_progress, cancel)?;
            let target = config.target.display().to_string();
            Ok((
                said(&target, &done),
                json!({
                    "type": "done",
                    "n_traces": done.n_traces,
                    "bytes": done.bytes,
                    "output": target,
                    "is_edited": done.is_edited,
                    "notes": done.notes,
                }),
            ))
        })
    }
}

/// The last line.
fn said(target: &str, done: &ExportResult) -> String {
    let files = if done.n_files == 1 { String::new() } else { format!("{} files, ", done.n_files) };
    let (traces, bytes) = (count(done.n_traces, "trace"), count(done.bytes, "byte"));
    let notes: String = done.notes.iter().map(|note| format!("; {note}")).collect();
    format!("{target}: {files}{traces}, {bytes}{notes}")
}

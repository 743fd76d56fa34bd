//! `segy-import export`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::base::error::Result;
use crate::cli::overrides::EndianChoice;
use crate::cli::progress::ProgressMode;
use crate::cli::run_shown;
use crate::dataset::{Part, Span, Target};
use crate::export::{ExportConfig, export};
use crate::run::import::Phase;

/// Write the SEG-Y file again that a dataset was made from, or the files, byte for byte
///
/// With --traces or --gathers it writes a part: headers and samples of each trace as they were, and the file headers as they
/// were but for the trace count of revision 2 (bytes 3513-3520), which becomes that of the part where there is one. Bytes behind
/// the last trace stay only where the binary header declares them as data trailer (bytes 3529-3532). A part lies in one file:
/// of several, --file says which.
///
/// With --format or --endian it writes another sample format or byte order. Bytes 3225-3226 and, in revision 2, 3297-3300 say
/// so. A sample that the format does not hold exactly is an error that names it, unless --round takes the nearest value; one
/// beyond its range is an error always. In the other byte order the numbers of the binary header, the trace headers and
/// additional headers named SEG00001 are turned around where the standard has them; unassigned bytes, text, and all else stay as
/// they were.
#[derive(Args)]
pub(super) struct ExportArgs {
    /// Directory of the dataset
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,

    /// SEG-Y file to write; directory, if the dataset was made from several files
    #[arg(value_name = "OUT")]
    target: PathBuf,

    /// Write this one of several files alone, from 1, to the file OUT
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    file: Option<u32>,
    /// Write traces A up to, not including, B, counted from 0 as trace_index in the dataset; "A:" and ":B" go to the end
    #[arg(long, value_name = "A:B", conflicts_with = "gathers")]
    traces: Option<Span>,

    /// Write gathers A up to, not including, B, counted from 0 as ensemble_id in ensemble_index.parquet
    #[arg(long, value_name = "A:B")]
    gathers: Option<Span>,

    /// Write the samples in this sample format (a code of bytes 3225-3226), by their exact values
    #[arg(long, value_name = "CODE")]
    format: Option<u16>,

    /// Write numbers in this byte order
    #[arg(long, value_enum)]
    endian: Option<EndianChoice>,

    /// Take the nearest value, ties to even, where --format does not hold a sample exactly
    #[arg(long, requires = "format")]
    round: bool,

    /// Write VALUE for samples that are infinite or no number, where the sample format has none; an error otherwise
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = finite)]
    nan: Option<f64>,

    /// Replace a file that is there, once the new one is complete
    #[arg(long)]
    overwrite: bool,

    /// Do not wait until the file is on the disk
    #[arg(long)]
    no_sync: bool,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

fn finite(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| "give a number".into())
}

impl ExportArgs {
    pub(super) fn run(self) -> Result<()> {
        let config = ExportConfig {
            dataset: self.dataset,
            target: self.target,
            file: self.file.map(|n| n as usize - 1),
            overwrite: self.overwrite,
            part: match (self.traces, self.gathers) {
                (Some(span), _) => Part::Traces(span),
                (None, Some(span)) => Part::Gathers(span),
                (None, None) => Part::All,
            },
            conversion: Target { format: self.format, byte_order: self.endian.map(Into::into), round: self.round },
            nan: self.nan,
            sync: !self.no_sync,
        };
        run_shown(self.progress, Phase::Exporting, |on_progress, cancel| {
            let done = export(&config, on_progress, cancel)?;
            let target = config.target.display();
            Ok((
                match done.n_files {
                    1 => format!("{target}: {} traces, {} bytes", done.n_traces, done.bytes),
                    n => format!("{target}: {n} files, {} traces, {} bytes", done.n_traces, done.bytes),
                },
                json!({"type": "done", "n_traces": done.n_traces, "bytes": done.bytes, "output": target.to_string()}),
            ))
        })
    }
}

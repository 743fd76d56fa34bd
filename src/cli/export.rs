//! `segy-import export`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::run_shown;
use crate::error::Result;
use crate::export::{ExportConfig, export};
use crate::import::Phase;
use crate::progress::ProgressMode;

/// Write the SEG-Y file again that a dataset was made from, or the files, byte for byte
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

    /// Replace a file that is there, once the new one is complete
    #[arg(long)]
    overwrite: bool,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

impl ExportArgs {
    pub(super) fn run(self) -> Result<()> {
        let config = ExportConfig {
            dataset: self.dataset,
            target: self.target,
            file: self.file.map(|n| n as usize - 1),
            overwrite: self.overwrite,
        };
        run_shown(self.progress, Phase::Exporting, |on_progress, cancel| {
            let done = export(&config, on_progress, cancel)?;
            let target = config.target.display();
            Ok((
                match done.n_files {
                    1 => format!("{target}: {} traces, {} bytes", done.n_traces, done.bytes),
                    n => format!("{target}: {n} files, {} traces, {} bytes", done.n_traces, done.bytes),
                },
                json!({"type": "done", "n_traces": done.n_traces, "bytes": done.bytes, "output": config.target}),
            ))
        })
    }
}

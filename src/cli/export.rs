//! `segy-import export`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::run_shown;
use crate::error::Result;
use crate::export::{ExportConfig, export};
use crate::import::Phase;
use crate::progress::ProgressMode;

/// Write the SEG-Y file again that a dataset was made from, byte for byte
#[derive(Args)]
pub(super) struct ExportArgs {
    /// Directory of the dataset
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,

    /// SEG-Y file to write
    #[arg(value_name = "OUT")]
    target: PathBuf,

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

impl ExportArgs {
    pub(super) fn run(self) -> Result<()> {
        let config =
            ExportConfig { dataset: self.dataset, target: self.target, overwrite: self.overwrite, sync: !self.no_sync };
        run_shown(self.progress, Phase::Exporting, |on_progress, cancel| {
            let done = export(&config, on_progress, cancel)?;
            let target = config.target.display();
            Ok((
                format!("{target}: {} traces, {} bytes", done.n_traces, done.bytes),
                json!({"type": "done", "n_traces": done.n_traces, "bytes": done.bytes, "output": target.to_string()}),
            ))
        })
    }
}

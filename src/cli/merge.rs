//! `segy-import merge`.

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use crate::base::error::Result;
use crate::cli::asked::ProgressArgs;
use crate::cli::shown;
use crate::run::{Merged, merge};

/// Merge the converted segments of a planned import into the dataset
///
/// The dataset appears in OUT complete or not at all, as planned (--overwrite, --verify, --no-sync). If segments are
/// missing, merge lists them, exits with 1 and changes nothing. If the dataset is already there, it says so and exits
/// with 0.
#[derive(Args)]
pub(super) struct MergeArgs {
    /// Dataset directory where "segy-import plan" stored its plan
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// Compare the dataset with the input, byte by byte, before it becomes visible
    #[arg(long)]
    verify: bool,

    #[command(flatten)]
    progress: ProgressArgs,
}

impl MergeArgs {
    pub(super) fn run(self) -> Result<()> {
        shown(
            self.progress.mode(),
            |on_progress, cancel| merge(&self.output, self.verify, on_progress, cancel),
            |display, merged| match merged {
                Merged::Now(result) => display.finish(result),
                Merged::Before { n_traces } => {
                    let out = self.output.display().to_string();
                    let line = format!("{out}: is complete ({} traces); nothing left to do", HumanCount(*n_traces));
                    display.done(&line, &json!({"type": "done", "n_traces": n_traces, "output": out}))
                }
            },
        )
    }
}

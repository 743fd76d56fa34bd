//! `segy-import merge`.

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use crate::base::error::Result;
use crate::cli::progress::ProgressMode;
use crate::cli::shown;
use crate::run::{Merged, merge};

/// Make the dataset of a planned import, once all its segments are converted
///
/// It appears in OUT whole or not at all, as the plan says (--overwrite, --verify, --no-sync). While segments are missing, it
/// says which, ends with 1 and changes nothing. Once the dataset is there, it says so and ends with 0.
#[derive(Args)]
pub(super) struct MergeArgs {
    /// Directory of the dataset, where "segy-import plan" has left its plan
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// Compare the dataset with the input, byte by byte, before it becomes visible
    #[arg(long)]
    verify: bool,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

impl MergeArgs {
    pub(super) fn run(self) -> Result<()> {
        shown(
            self.progress,
            |on_progress, cancel| merge(&self.output, self.verify, on_progress, cancel),
            |display, merged| match merged {
                Merged::Now(result) => display.finish(result),
                Merged::Before { n_traces } => {
                    let out = self.output.display().to_string();
                    let line = format!("{out}: is complete ({} traces); nothing is left to do", HumanCount(*n_traces));
                    display.done(&line, &json!({"type": "done", "n_traces": n_traces, "output": out}))
                }
            },
        )
    }
}

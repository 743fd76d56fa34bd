//! `segy-import verify`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::base::error::{Error, Result};
use crate::base::plural::count;
use crate::cli::asked::ProgressArgs;
use crate::cli::run_shown;
use crate::run::reporter::Phase;
use crate::verify::{check, compare};

/// Prove that a dataset matches the file it was made from (IN DATASET), or that it is undamaged (DATASET)
#[derive(Args)]
#[command(
    override_usage = "segy-import verify [OPTIONS] <IN>... <DATASET>\n       segy-import verify [OPTIONS] <DATASET>"
)]
pub(super) struct VerifyArgs {
    /// The original SEG-Y files, if available, in the order of the import, then the dataset directory
    #[arg(value_names = ["IN", "DATASET"], num_args = 1.., required = true)]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    progress: ProgressArgs,
}

impl VerifyArgs {
    pub(super) fn run(self) -> Result<()> {
        run_shown(self.progress.mode(), Phase::Verifying, |on_progress, cancel| match self.paths.as_slice() {
            [dataset] => {
                let done = check(dataset, on_progress, cancel)?;
                let n = done.n_files;
                Ok((
                    format!(
                        "{}: undamaged ({}, {})",
                        dataset.display(),
                        count(n, "file"),
                        count(done.n_traces, "trace")
                    ),
                    json!({"type": "done", "n_traces": done.n_traces, "n_files": n}),
                ))
            }
            [inputs @ .., dataset] => {
                let done = compare(inputs, dataset, on_progress, cancel)?;
                let (input, dataset) = (names(inputs), dataset.display());
                Ok((
                    format!(
                        "{dataset}: equal to {input} in {}, {}",
                        count(done.n_traces, "trace"),
                        count(done.bytes, "byte")
                    ),
                    json!({"type": "done", "n_traces": done.n_traces, "bytes": done.bytes}),
                ))
            }
            [] => Err(Error::Usage("give a dataset, or SEG-Y files and a dataset".into())),
        })
    }
}

fn names(inputs: &[PathBuf]) -> String {
    match inputs {
        [only] => only.display().to_string(),
        several => format!("{} files", several.len()),
    }
}

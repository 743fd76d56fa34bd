//! `segy-import plan`.

use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use crate::base::error::Result;
use crate::base::shell::quoted;
use crate::cli::import::ImportArgs;
use crate::run::{PlanResult, plan};

/// Plan an import whose segments are converted separately, on one computer or many
///
/// Three commands make a dataset on a cluster. "plan" inspects IN, decides everything and stores the plan in the
/// staging area of OUT; "worker" converts one segment, and is run for each of them, from 0, on any computer that sees
/// IN and OUT under the same names; "merge" makes the dataset from the segments. The result is identical, byte for
/// byte, to that of "segy-import IN OUT".
///
/// Planning again with the same options keeps finished segments. The merge follows the --overwrite, --verify and
/// --no-sync given here.
#[derive(Args)]
#[command(mut_arg("each", |each| each.hide(true)))]
pub(super) struct PlanArgs {
    #[command(flatten)]
    import: ImportArgs,
}

impl PlanArgs {
    pub(super) fn run(self) -> Result<()> {
        self.import.run_as(plan, |display, planned| {
            let document = json!({
                "type": "planned",
                "n_traces": planned.n_traces,
                "n_segments": planned.n_segments,
                "n_done": planned.n_done,
                "output": planned.output.display().to_string(),
            });
            display.done(&describe(planned), &document)
        })
    }
}

/// What was planned and the next command, in one line.
fn describe(planned: &PlanResult) -> String {
    let out = quoted(&planned.output);
    if planned.is_complete {
        return format!("{out}: is complete ({} traces); nothing left to do", HumanCount(planned.n_traces));
    }
    let n = planned.n_segments;
    let numbers = if n == 1 { "1 segment (0)".into() } else { format!("{n} segments (0-{})", n - 1) };
    let fewer = match planned.n_asked {
        Some(asked) if asked > n => format!(", as gathers and chunks do not allow {asked}"),
        _ => String::new(),
    };
    let done = if planned.n_done > 0 { format!(", {} of them done", planned.n_done) } else { String::new() };
    let next = match planned.n_done {
        done if done == n => format!("segy-import merge {out}"),
        _ => format!("segy-import worker {out} --segment N for each, then segy-import merge {out}"),
    };
    format!("{out}: planned {} traces in {numbers}{fewer}{done}; next: {next}", HumanCount(planned.n_traces))
}

//! The gather key that an import takes, and how large its gathers are.

use serde::Serialize;

use crate::gather::choice::GatherChoice;
use crate::inspect::field_table::{FieldSummary, RunSummary};
use crate::inspect::text_columns::grouped;

/// What an import takes for `--gather auto`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GatherSuggestion {
    /// Names of the fields; empty for `none`.
    pub keys: Vec<String>,
    /// Why, in words.
    pub reason: String,
    /// Mean number of traces per gather, if any gathers were seen to end.
    pub mean_traces: Option<f64>,
    /// Number of gathers, if all headers were read and one key is enough.
    pub n_gathers: Option<u64>,
}

impl GatherSuggestion {
    /// As the option's value.
    pub fn option(&self) -> String {
        if self.keys.is_empty() { "none".into() } else { self.keys.join(",") }
    }
}

/// The choice, with the size of the gathers by what is known of all headers that were read.
pub(crate) fn suggestion(choice: GatherChoice, fields: &[FieldSummary]) -> GatherSuggestion {
    // With several keys the last one changes most often.
    let last = choice.keys.last().and_then(|key| fields.iter().find(|f| f.name == *key));
    let size = last.map_or(String::new(), |field| format!(": {}", size(&field.runs)));
    GatherSuggestion {
        reason: format!("{}{size}", choice.because),
        mean_traces: last.and_then(|field| field.runs.mean),
        n_gathers: last.and_then(|field| field.runs.count).filter(|_| choice.keys.len() == 1),
        keys: choice.keys,
    }
}

fn size(runs: &RunSummary) -> String {
    match (runs.count, runs.mean, runs.shortest) {
        (Some(1), ..) => format!("all {} traces are one", grouped(runs.longest)),
        (Some(n), Some(mean), Some(shortest)) if shortest == runs.longest => {
            format!("{} gathers of {mean:.0} traces", grouped(n))
        }
        (Some(n), Some(mean), Some(shortest)) => {
            format!(
                "{} gathers of {} to {} traces, {mean:.1} on average",
                grouped(n),
                grouped(shortest),
                grouped(runs.longest)
            )
        }
        (_, Some(_), Some(shortest)) if shortest == runs.longest => {
            format!("gathers of {} traces where they were seen whole", grouped(shortest))
        }
        (_, Some(mean), Some(shortest)) => format!(
            "gathers of about {mean:.0} traces ({} to {} where they were seen)",
            grouped(shortest),
            grouped(runs.longest)
        ),
        (_, Some(mean), None) => format!("gathers of about {mean:.0} traces"),
        _ => format!("gathers of more than {} traces", grouped(runs.longest)),
    }
}

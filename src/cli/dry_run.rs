//! `--dry-run`: showing the plan.

use indicatif::{HumanBytes, HumanCount};

use crate::base::error::{Result, failed};
use crate::base::plural::{count, counted};
use crate::base::visible::visible;
use crate::cli::progress::{print as print_out, print_text, say};
use crate::dataset_files::{ASIDE, HEADERS, TRACES};
use crate::plan::Plan;
use crate::zarr::Axis;

/// Prints the plan as text, or in full as JSON.
pub(super) fn print(plan: &Plan, json: bool) -> Result<()> {
    if json {
        let text = serde_json::to_string_pretty(plan).map_err(failed("the plan"))?;
        return print_out(&format!("{text}\n"));
    }
    for warning in plan.all_warnings() {
        say(&format!("warning: {warning}"));
    }
    print_text(&format!("{}\n", describe(plan)))
}

fn describe(plan: &Plan) -> String {
    let (layout, array) = (plan.layout(), plan.traces());
    let mut lines = vec![format!("{} ({})", visible(&plan.input_name()), HumanBytes(plan.input_bytes()))];
    let width = layout.decisions.iter().map(|d| d.what.len()).max().unwrap_or(0);
    lines.extend(layout.decisions.iter().map(|d| format!("  {:width$}  {}  (from {})", d.what, d.value, d.because)));

    let (name, declared) = match plan.target.grid() {
        None => (TRACES, array.declared()),
        Some(grid) => (grid.variable.as_str(), grid.array()),
    };
    let along = |of: &dyn Fn(&Axis) -> String| declared.axes.iter().map(of).collect::<Vec<_>>().join(", ");
    lines.push(format!(
        "{name}  ({}) = ({}) {}, chunks ({}), codec {}",
        along(&|axis| axis.name.clone()),
        along(&|axis| axis.length.to_string()),
        array.dtype.name(),
        along(&|axis| axis.chunk.to_string()),
        array.codec
    ));
    lines.extend(plan.part.as_ref().map(|part| format!("  {}", part.said(array.n_traces, array.n_samples))));
    lines.extend(array.precision.map(|p| {
        let (step, decibels) = (p.step(), p.decibels);
        format!("  samples are rounded to multiples of {step}, for an error {decibels} dB below their RMS")
    }));
    let of_grid = plan.target.grid().and_then(|grid| Some(grid.shard.as_ref()?.iter().product::<u64>()));
    let in_shard = of_grid.or(array.shard_chunks);
    let shards = in_shard.map_or(String::new(), |n| format!(" (shards of {n} chunks)"));
    lines.extend(
        plan.target
            .grid()
            .filter(|grid| grid.n_aside > 0)
            .map(|grid| format!("{ASIDE}  {} whose place an earlier one has", count(grid.n_aside, "trace"))),
    );
    lines.push(format!(
        "  {}{shards}, {} of samples before compression",
        counted(plan.n_objects(), HumanCount(plan.n_objects()), "file"),
        HumanBytes(plan.sample_bytes())
    ));
    let n_groups = plan.n_traces().div_ceil(plan.headers.row_group_rows);
    lines.push(format!(
        "{HEADERS}  {} rows, {} fields, {n_groups} {} of {}",
        HumanCount(plan.n_traces()),
        plan.headers.columns.len(),
        if plan.headers.in_parts { "parts" } else { "row groups" },
        HumanCount(plan.headers.row_group_rows)
    ));
    lines.push(format!("memory  up to {} of buffers per worker", HumanBytes(plan.worker_bytes())));
    let gathers = &plan.gather_decision;
    lines.push(format!("gathers  by {}  (from {})", gathers.value, gathers.because));
    let by = if plan.gather_keys.is_empty() { "even" } else { "at gathers" };
    let n = plan.segments.len();
    lines.push(format!("{}, {by}", count(n as u64, "segment")));
    for s in &plan.segments {
        let inside = if s.starts_inside_gather { "  (begins inside a gather)" } else { "" };
        let n = HumanCount(s.end_trace - s.start_trace);
        lines.push(format!("  {:>4}  traces {} to {}  ({n}){inside}", s.id, s.start_trace + 1, s.end_trace));
    }
    lines.join("\n")
}

//! `segy-import status`.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{HumanBytes, HumanCount};

use crate::base::error::{Result, failed};
use crate::base::ranges::ranges;
use crate::base::shell::quoted;
use crate::base::visible::visible;
use crate::cli::progress::{print, print_text};
use crate::run::{SegmentStatus, State, Status, status};

/// More segments than this are shown as ranges.
const SHOWN_SINGLY: usize = 32;

/// Show how far a planned import is: which segments are done, in progress or missing
#[derive(Args)]
pub(super) struct StatusArgs {
    /// Dataset directory
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// Print one JSON document, with every segment
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    pub(super) fn run(self) -> Result<()> {
        let status = status(&self.output)?;
        match self.json {
            true => print(&format!("{}\n", serde_json::to_string_pretty(&status).map_err(failed("the status"))?)),
            false => print_text(&format!("{}\n", describe(&self.output, &status))),
        }
    }
}

fn describe(root: &Path, status: &Status) -> String {
    let out = quoted(root);
    let traces = status.n_traces.map_or(String::new(), |n| format!(", {} traces", HumanCount(n)));
    let of = format!("{} of {} segments done{traces}", status.n_done, status.n_segments);
    let state = match status.state {
        State::Nothing => return format!("{out}: there is no plan and no dataset here"),
        State::Merging => {
            return format!("{out}: the dataset is being put in place; to continue: segy-import merge {out}");
        }
        State::Complete => return format!("{out}: complete{traces}"),
        State::Planned => format!("planned, {of}"),
        State::Converting => format!("converting, {of}"),
        State::Converted => format!("converted, {of}; next: segy-import merge {out}"),
    };
    let mut lines = vec![format!("{out}: {state}")];
    lines.push(format!("  {:>13}  {:<10}  {:>13}  {:>13}  {:>11}", "segments", "state", "traces", "rows", "bytes"));
    lines.extend(groups(&status.segments).map(line));
    if !status.missing.is_empty() {
        lines.push(format!("  not done: {}", ranges(&status.missing)));
    }
    lines.join("\n")
}

/// A few segments are listed singly, otherwise neighbours in the same state are grouped, except those being
/// converted.
fn groups(segments: &[SegmentStatus]) -> impl Iterator<Item = &[SegmentStatus]> {
    let singly = segments.len() <= SHOWN_SINGLY;
    let alike =
        |a: &SegmentStatus, b: &SegmentStatus| a.is_done == b.is_done && a.attempts.is_empty() && b.attempts.is_empty();
    segments.chunk_by(move |a, b| !singly && alike(a, b))
}

fn line(group: &[SegmentStatus]) -> String {
    let numbers: Vec<u32> = group.iter().map(|s| s.segment).collect();
    let sum = |of: fn(&SegmentStatus) -> Option<u64>| group.iter().filter_map(of).sum::<u64>();
    let is_done = group.iter().all(|s| s.is_done);
    let attempts: Vec<String> = group.iter().flat_map(|s| &s.attempts).map(describe_attempt).collect();
    let state = match (is_done, attempts.is_empty()) {
        (true, _) => "done",
        (false, true) => "not done",
        (false, false) => "converting",
    };
    let numbers = ranges(&numbers);
    if is_done {
        let (traces, rows) = (HumanCount(sum(|s| s.n_traces)).to_string(), HumanCount(sum(|s| s.n_rows)).to_string());
        let bytes = HumanBytes(sum(|s| s.stored_bytes)).to_string();
        return format!("  {numbers:>13}  {state:<10}  {traces:>13}  {rows:>13}  {bytes:>11}");
    }
    let traces = HumanCount(sum(|s| Some(s.end_trace - s.start_trace))).to_string();
    format!("  {numbers:>13}  {state:<10}  {traces:>13}  {}", attempts.join("; ")).trim_end().to_owned()
}

fn describe_attempt(attempt: &crate::run::Attempting) -> String {
    let heard = attempt.heard_s_ago.map_or(String::new(), |s| format!(", {s} s ago"));
    let (traces, host) = (HumanCount(attempt.traces_done), visible(&attempt.host));
    format!("{traces} traces by process {} on {host}{heard}", attempt.pid)
}

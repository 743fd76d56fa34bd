//! The progress of the import in an output directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::base::error::Result;
use crate::dataset::document::Document;
use crate::dataset_files::METADATA;
use crate::plan::Plan;
use crate::run::finish::missing;
use crate::staging::attempt::attempts;
use crate::staging::{self, SegmentRecord, Staged};

/// The state of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Neither a plan nor a dataset.
    Nothing,
    /// No segment is done or in progress.
    Planned,
    Converting,
    /// All segments are done; the merge can begin.
    Converted,
    /// The dataset is complete, and the merge is making it visible or was stopped at that point.
    Merging,
    Complete,
}

/// The state of an import according to its output directory.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    pub state: State,
    /// Traces in the dataset, or in the plan.
    pub n_traces: Option<u64>,
    pub n_segments: usize,
    pub n_done: usize,
    /// Numbers of the segments not done.
    pub missing: Vec<u32>,
    pub segments: Vec<SegmentStatus>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SegmentStatus {
    pub segment: u32,
    /// First trace, from 0.
    pub start_trace: u64,
    /// One past the last trace.
    pub end_trace: u64,
    pub is_done: bool,
    /// Once it is done: traces in its chunks, which begin in its range and may end beyond.
    pub n_traces: Option<u64>,
    /// Rows in its part of the header table.
    pub n_rows: Option<u64>,
    /// Bytes in its chunks.
    pub stored_bytes: Option<u64>,
    /// Workers converting it.
    pub attempts: Vec<Attempting>,
}

/// A worker that is converting a segment, or was stopped while doing so on another computer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Attempting {
    pub host: String,
    pub pid: u32,
    pub traces_done: u64,
    /// Seconds since its last sign of life, by the clock of this computer.
    pub heard_s_ago: Option<u64>,
}

/// Reads the state of an output directory without changing anything.
///
/// # Errors
/// `Error::Failed` for a plan that cannot be read or followed; for a dataset, see [`Document::read`].
pub(crate) fn status(root: &Path) -> Result<Status> {
    let nothing = Status {
        state: State::Nothing,
        n_traces: None,
        n_segments: 0,
        n_done: 0,
        missing: Vec::new(),
        segments: Vec::new(),
    };
    let Some(root) = staging::find_root(root)? else { return Ok(nothing) };
    let root = &root;
    let staged = Staged::find(root)?;
    let is_merged = staging::is_merged(root)?;
    if let Some(Staged { plan, done, .. }) = staged.filter(|_| !is_merged) {
        let mut running: BTreeMap<u32, Vec<Attempting>> = BTreeMap::new();
        let attempts = staging::staging_of(root)?.map_or(Ok(Vec::new()), |staging| attempts(&staging))?;
        for begun in attempts.into_iter().filter(|b| b.is_alive()) {
            let (traces_done, age) = begun.progress();
            let heard_s_ago = age.map(|age| age.as_secs());
            let (segment, host, pid) = (begun.segment, begun.host, begun.pid);
            running.entry(segment).or_default().push(Attempting { host, pid, traces_done, heard_s_ago });
        }
        return Ok(of_plan(&plan, done, running));
    }
    let state = match (is_merged, staging::holds_dataset(root)?) {
        (true, _) => State::Merging,
        (false, true) => State::Complete,
        (false, false) => State::Nothing,
    };
    let n_traces = match state {
        State::Complete => Some(Document::read(&root.join(METADATA))?.geometry.n_traces),
        _ => None,
    };
    Ok(Status { state, n_traces, ..nothing })
}

fn of_plan(plan: &Plan, done: Vec<SegmentRecord>, mut running: BTreeMap<u32, Vec<Attempting>>) -> Status {
    let missing = missing(plan, &done);
    let left: BTreeSet<u32> = missing.iter().copied().collect();
    running.retain(|segment, _| left.contains(segment));
    let state = match (missing.len(), done.len()) {
        (0, _) => State::Converted,
        (_, 0) if running.is_empty() => State::Planned,
        _ => State::Converting,
    };
    let records: BTreeMap<u32, &SegmentRecord> = done.iter().map(|r| (r.segment, r)).collect();
    let segments = plan.segments.iter().map(|s| {
        let record = records.get(&s.id);
        SegmentStatus {
            segment: s.id,
            start_trace: s.start_trace,
            end_trace: s.end_trace,
            is_done: record.is_some(),
            n_traces: record.map(|r| r.n_traces),
            n_rows: record.map(|r| r.n_rows),
            stored_bytes: record.map(|r| r.stored_bytes),
            attempts: running.remove(&s.id).unwrap_or_default(),
        }
    });
    Status {
        state,
        n_traces: Some(plan.n_traces()),
        n_segments: plan.segments.len(),
        segments: segments.collect(),
        n_done: done.len(),
        missing,
    }
}

//! Warnings that need all samples and headers to have been read.
//!
//! They do not depend on how the file was cut into segments, since they are also in `metadata.json`.

use crate::plan::Plan;
use crate::plan::header_warnings::{Seen, Varying};
use crate::staging::SegmentRecord;
use crate::table::HeaderSummary;

/// The warnings that follow from the records of all segments.
pub fn of_contents(plan: &Plan, records: &[SegmentRecord]) -> Vec<String> {
    let headers = records.iter().fold(HeaderSummary::default(), |all, record| all.merge(&record.headers));
    let range = |name: &str| {
        let index = plan.headers.columns.iter().position(|c| c.name == name)?;
        headers.ranges.get(index).copied().flatten()
    };
    let varying = |name: &str, at: usize| {
        let range = range(name)?;
        let first = headers.changes[at].other.map(|(trace, _)| trace);
        Some(Varying { min: range.min as f64, max: range.max as f64, first_other: first })
    };
    let scalar = range("times_scalar").filter(|r| r.min == r.max).and_then(|r| i16::try_from(r.min).ok());
    let seen = Seen {
        n_traces: headers.n_rows,
        is_whole: true,
        interval: varying("sample_interval", 0),
        delay: varying("delay_recording_time", 1),
        times_scalar: scalar,
        n_odd_scalars: headers.n_odd_scalars,
    };
    let doubts = seen.warnings(&plan.headers, plan.layout());
    beyond_float32(plan, records).into_iter().chain(doubts).collect()
}

fn beyond_float32(plan: &Plan, records: &[SegmentRecord]) -> Option<String> {
    let nonfinite: u64 = records.iter().map(|r| r.samples.n_nonfinite).sum();
    let is_cast = plan.traces().dtype != plan.layout().format().native;
    let is_told = nonfinite > 0 && (is_cast || plan.layout().format().words.is_some());
    let (noun, verb) = if nonfinite == 1 { ("sample", "is") } else { ("samples", "are") };
    is_told.then(|| {
        format!(
            "{nonfinite} {noun} {verb} infinite or not a number in float32; are the samples really {}?",
            plan.layout().format().name
        )
    })
}

//! Warnings that need all samples and headers to have been read.
//!
//! They do not depend on how the file was cut into segments, since they are also in `metadata.json`.

use crate::plan::Plan;
use crate::segy::Domain;
use crate::staging::SegmentRecord;
use crate::table::HeaderSummary;

/// The warnings that follow from the records of all segments.
pub fn of_contents(plan: &Plan, records: &[SegmentRecord]) -> Vec<String> {
    [beyond_float32(plan, records), varying_delay(plan, records)].into_iter().flatten().collect()
}

fn beyond_float32(plan: &Plan, records: &[SegmentRecord]) -> Option<String> {
    let nonfinite: u64 = records.iter().map(|r| r.samples.n_nonfinite).sum();
    let is_cast = plan.traces().dtype != plan.layout().format().native;
    let is_told = nonfinite > 0 && (is_cast || plan.layout().format().words.is_some());
    is_told.then(|| {
        format!(
            "{nonfinite} samples are infinite or no number in float32; are the samples really {}?",
            plan.layout().format().name
        )
    })
}

fn varying_delay(plan: &Plan, records: &[SegmentRecord]) -> Option<String> {
    let headers = records.iter().fold(HeaderSummary::default(), |all, record| all.merge(&record.headers));
    let index = plan.headers.columns.iter().position(|c| c.name == "delay_recording_time")?;
    let column = &plan.headers.columns[index];
    let range = headers.ranges.get(index).copied().flatten().filter(|r| r.min != r.max)?;
    let axis = &plan.layout().axis;
    let units = if axis.domain == Domain::Time { " ms" } else { "" };
    Some(format!(
        "the delay of the first sample (bytes {}-{}) varies from {} to {} in the trace headers; the sample axis begins at \
         {}{units} for all traces",
        column.first_byte,
        column.first_byte as usize + column.kind.size() - 1,
        range.min,
        range.max,
        axis.start
    ))
}

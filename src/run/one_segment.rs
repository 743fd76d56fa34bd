//! Converting a single segment of a plan.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::plan::Plan;
use crate::run::no_plan;
use crate::staging::attempt::{self, Attempt, finished};
use crate::staging::{self, SegmentRecord, has_plan, plan_in, read_plan};
use crate::store::Place;
use crate::worker;

/// The shortest time between progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The result for a segment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SegmentOutcome {
    Converted {
        record: SegmentRecord,
        n_segments: u32,
    },
    /// Done by another worker, before or while this one ran.
    WasDone {
        record: SegmentRecord,
        n_segments: u32,
    },
    /// More segments were requested than the plan has, and this is one of the extra ones.
    NotNeeded {
        n_segments: u32,
    },
    /// The segments have been merged, or are being merged.
    Merged,
}

/// Converts one segment of the plan in an output directory. `on_progress` gets the traces done and the number in the
/// segment.
///
/// May run on any computer that sees the input and the output under the same names, may be repeated after any
/// failure, and may run several times at once.
///
/// # Errors
/// `Error::Usage` without a plan, or for a segment it does not have; `Error::Input` if the input is not the one that
/// was planned; otherwise as for an import. On error the segment is not done, and nothing is left of the attempt.
pub(crate) fn convert_one(
    root: &Path,
    segment: u32,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64, u64),
) -> Result<SegmentOutcome> {
    let Some(place) = staging::find_root(root)? else { return Err(no_plan(root)) };
    let Some(staging) = staging::staging_of(&place)? else { return without_plan(&place) };
    if !attempt::is_open(&staging)? {
        return without_plan(&place);
    }
    // Read the plan only after creating something that would be removed along with it.
    let mut attempt = Attempt::begin(&staging, segment)?;
    if !has_plan(&staging)? {
        return without_plan(&place);
    }
    let plan = read_plan(&plan_in(&staging), &staging)?;
    attempt.set_file_mode(plan.file_mode)?;
    let n_segments = plan.segments.len() as u32;
    if segment >= n_segments {
        return match plan.segments_asked {
            Some(asked) if segment < asked => Ok(SegmentOutcome::NotNeeded { n_segments }),
            _ => Err(Error::Usage(format!(
                "{}: there is no segment {segment}: the plan has {n_segments} segments, numbered from 0",
                root.display()
            ))),
        };
    }
    if let Some(record) = finished(&staging, segment)?.filter(|record| record.fits(&plan)) {
        return Ok(SegmentOutcome::WasDone { record, n_segments });
    }
    match convert(&plan, &mut attempt, cancel, on_progress).and_then(|record| {
        cancel.check()?;
        attempt.complete(record, plan.merge.sync, &|record| record.fits(&plan), cancel)
    }) {
        Ok((record, true)) => Ok(SegmentOutcome::Converted { record, n_segments }),
        Ok((record, false)) => Ok(SegmentOutcome::WasDone { record, n_segments }),
        // Whatever the error, it is because the plan is gone.
        Err(_) if attempt.is_gone()? && !has_plan(&staging)? => without_plan(&place),
        Err(_) if attempt.is_gone()? => Err(Error::Failed(format!(
            "{}: another plan replaced this one while segment {segment} was being converted; its work is discarded",
            root.display()
        ))),
        Err(error) => Err(error),
    }
}

fn convert(
    plan: &Plan,
    attempt: &mut Attempt,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64, u64),
) -> Result<SegmentRecord> {
    let inputs = plan.files.iter().map(|f| f.input.as_seen_here()).collect::<Result<Vec<_>>>()?;
    let traces = plan.segments.get(attempt.segment as usize).map_or(0..0, |s| match plan.headers_only {
        true => plan.rows_of(s),
        false => plan.traces_of(s),
    });
    let total = traces.end - traces.start;
    on_progress(0, total);
    let mut last = Instant::now();
    let mut report = |done| {
        if last.elapsed() >= PROGRESS_INTERVAL {
            last = Instant::now();
            on_progress(done, total);
        }
    };
    let record = worker::convert(plan, attempt, cancel, &mut report)?;
    inputs.iter().try_for_each(|input| input.check_unchanged())?;
    Ok(record)
}

/// The result when there is no plan.
fn without_plan(root: &Place) -> Result<SegmentOutcome> {
    if staging::is_merged(root)? || staging::holds_dataset(root)? {
        return Ok(SegmentOutcome::Merged);
    }
    Err(no_plan(&root.path()))
}

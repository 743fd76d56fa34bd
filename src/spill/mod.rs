//! Spilling: where the traces of a file lie in no order of its grid and the file is larger than memory, reading them brick by
//! brick means waiting for the disk at nearly every trace. They are then read once from start to end and written to buckets,
//! each with the traces of neighbouring units, which fit into memory one after another.
//!
//! Only where traces are read from depends on it. Staging has the form of the buckets (`spilled.rs`).

mod trace_order;
mod write;

use indicatif::DecimalBytes;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::grid::Grid;
use crate::grid::options::Spill;
use crate::plan::Plan;
use crate::staging::Spilled;
use crate::store::{self, Place};
use trace_order::TraceOrder;
pub(crate) use write::Spilling;

/// Traces are spilled where fewer bytes than these lie one after another both in the file and in a column of bricks.
const SHORT_RUN_BYTES: u64 = 64_000;
/// A bucket is no larger.
const BUCKET_BYTES: u64 = 1 << 30;

/// What the caller wants, and what there is.
pub(crate) struct Asked {
    pub spill: Spill,
    /// Workers that read buckets at the same time.
    pub n_workers: usize,
    /// Bytes of memory for them, if that is known.
    pub memory: Option<u64>,
    /// Whether workers on other computers follow the plan.
    pub is_for_others: bool,
    /// Whether what is written for them is synced.
    pub sync: bool,
}

/// What is done with the traces.
pub(crate) enum Decision<'a> {
    /// They are read from where they are, for the reason that is told, if any.
    InPlace(Option<String>),
    Spill(Spilling<'a>),
}

/// Decides by the order of the traces, the memory and the room on the disk.
///
/// # Errors
/// `Error::Failed` where spilling was asked for and there is no room.
pub(crate) fn decide<'a>(
    plan: &'a Plan,
    staging: &'a Place,
    asked: &Asked,
    cancel: &CancelHandle,
) -> Result<Decision<'a>> {
    let is_auto = asked.spill == Spill::Auto;
    let nothing = || Ok(Decision::InPlace(None));
    let Some(grid) = plan.target.grid().filter(|_| asked.spill != Spill::Never && !plan.headers_only) else {
        return nothing();
    };
    if Spilled::find(plan, staging)?.is_some() {
        return nothing();
    }
    if let Some(why) = in_the_way(plan, staging) {
        return Ok(Decision::InPlace((!is_auto).then(|| plan.about(&format!("is read in place, since {why}")))));
    }
    if is_auto && asked.memory.is_none_or(|memory| plan.bytes_taken() <= memory) {
        return nothing();
    }
    let order = TraceOrder::of(plan, grid, staging, cancel)?;
    if is_auto && order.run_bytes(plan) >= SHORT_RUN_BYTES {
        return nothing();
    }
    let (takes, free) = (bytes_of(plan, grid), store::free_bytes(staging).map_err(failed(staging.display()))?);
    // What spilling takes must not be missing in the end for the dataset.
    if let Some(refusal) = no_room(takes + plan.sample_bytes(), free, is_auto) {
        return if is_auto {
            Ok(Decision::InPlace(Some(plan.about(&refusal))))
        } else {
            Err(Error::Failed(format!("{}: {refusal}", staging.display())))
        };
    }
    let cut = order.cut(plan, grid, bucket_bytes(takes, asked), staging)?;
    Ok(Decision::Spill(Spilling {
        plan,
        grid,
        staging,
        cut,
        takes,
        is_for_others: asked.is_for_others,
        sync: asked.sync,
    }))
}

/// Why traces cannot be spilled, if they cannot.
fn in_the_way(plan: &Plan, staging: &Place) -> Option<&'static str> {
    let first = plan.files.first()?;
    let is_like_first = |file: &crate::input::PlannedFile| {
        (file.layout.stride(), file.layout.n_samples, &file.samples)
            == (first.layout.stride(), first.layout.n_samples, &first.samples)
    };
    if staging.is_remote() || plan.files.iter().any(|file| store::is_remote(&file.input.path)) {
        return Some("object stores have no room for buckets");
    }
    let has_one_length = plan.files.iter().all(|file| file.layout.varying.is_none() && is_like_first(file));
    (!has_one_length).then_some("only traces of one length can be spilled")
}

/// Bytes that spilling takes.
fn bytes_of(plan: &Plan, grid: &Grid) -> u64 {
    let layout = plan.layout();
    // With its number, and with its flags.
    grid.n_placed() * (layout.stride() as u64 + 8) + plan.n_traces() * (layout.header_bytes() as u64 + 1)
}

/// What to say where there is less room than is needed.
fn no_room(needed: u64, free: u64, is_auto: bool) -> Option<String> {
    if needed <= free {
        return None;
    }
    let (needed, free) = (DecimalBytes(needed), DecimalBytes(free));
    Some(match is_auto {
        true => format!(
            "is unsorted and larger than memory, and there is no room to spill its traces first, which is faster ({needed} \
             with the dataset, {free} are free); reading them one by one"
        ),
        false => format!(
            "spilling the traces needs {needed} with the dataset, and {free} are free; make room, or use --spill never"
        ),
    })
}

/// How large a bucket becomes: the workers' buckets shall be in memory together, with room for the next ones, and every worker
/// shall find several.
fn bucket_bytes(all: u64, asked: &Asked) -> u64 {
    let n_workers = asked.n_workers.max(1) as u64;
    let share = asked.memory.map_or(BUCKET_BYTES, |memory| memory / (4 * n_workers));
    share.min(BUCKET_BYTES).min(all / (4 * n_workers)).max(1)
}

#[cfg(test)]
mod tests;

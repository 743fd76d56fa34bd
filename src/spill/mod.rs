//! Spilling: where the traces of a file lie in no order of its grid and the file is larger than memory, reading them brick by
//! brick means waiting for the disk at nearly every trace. They are then read once from start to end and written to buckets,
//! each with the traces of neighbouring units, which fit into memory one after another.
//!
//! Where a few headers show that this will be so, it is done while the keys are read, in one pass
//! ([`KeyBuckets`]); otherwise once the grid is known ([`Spilling`]).
//!
//! Only where traces are read from depends on it. Staging has the form of the buckets (`spilled.rs`).

mod by_key;
mod trace_order;
mod write;

use indicatif::DecimalBytes;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::grid::Grid;
use crate::grid::buckets::{BucketCut, Spilled};
use crate::grid::options::Spill;
use crate::input::PlannedFile;
use crate::plan::Plan;
use crate::segy::ByteOrder;
use crate::staging::GridFiles;
use crate::store::{self, Place};
use trace_order::{TraceOrder, UnitCut};
use write::Writing;

pub(crate) use by_key::KeyBuckets;

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
    if let Some(why) = in_the_way(&plan.files, staging.is_remote()) {
        return Ok(Decision::InPlace((!is_auto).then(|| plan.about(&format!("is read in place, since {why}")))));
    }
    if is_auto && asked.memory.is_none_or(|memory| plan.bytes_taken() <= memory) {
        return nothing();
    }
    let order = TraceOrder::of(plan, grid, staging, cancel)?;
    if is_auto && order.run_bytes(plan) >= SHORT_RUN_BYTES {
        return nothing();
    }
    let (takes, free) =
        (bytes_of(&plan.files, grid.n_placed()), store::free_bytes(staging).map_err(failed(staging.display()))?);
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

/// Traces that are going to be spilled, whose grid is known.
pub(crate) struct Spilling<'a> {
    plan: &'a Plan,
    grid: &'a Grid,
    staging: &'a Place,
    cut: UnitCut,
    /// Bytes that this takes.
    takes: u64,
    is_for_others: bool,
    sync: bool,
}

impl Spilling<'_> {
    /// Says what is done.
    pub(crate) fn told(&self) -> String {
        self.plan.about(&told(self.takes))
    }

    /// Spills them. `on_progress` gets the number of traces done.
    ///
    /// # Errors
    /// `Error::Failed` if writing fails, `Error::Input` if the input changed meanwhile. Nothing that counts is left.
    pub(crate) fn run(&self, cancel: &CancelHandle, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
        let (plan, staging) = (self.plan, self.staging);
        let writing = Writing {
            files: &plan.files,
            io: plan.io,
            array: plan.traces(),
            is_flagged: plan.headers.sample_flags,
            staging,
            cut: BucketCut::Units(self.cut.ends.clone()),
            takes: self.takes,
            is_for_others: self.is_for_others,
            sync: self.sync,
        };
        let (mut places, n_axes) = (GridFiles::open(self.grid, staging)?, self.grid.keys.len());
        let spilled = writing.run(
            &mut |window, _, buckets| {
                let places = places.of(&window.traces(), ByteOrder::Little)?;
                buckets.extend(places.chunks_exact(4 * n_axes).map(|place| self.cut.bucket_of(place)));
                Ok(())
            },
            cancel,
            on_progress,
        )?;
        spilled.mark(staging)
    }
}

fn told(takes: u64) -> String {
    let takes = DecimalBytes(takes);
    format!("spilling the traces to buckets first, which takes {takes} until the import is done")
}

/// Why traces cannot be spilled, if they cannot.
fn in_the_way(files: &[PlannedFile], is_staged_remotely: bool) -> Option<&'static str> {
    let first = files.first()?;
    let is_like_first = |file: &PlannedFile| {
        (file.layout.stride(), file.layout.n_samples, &file.samples)
            == (first.layout.stride(), first.layout.n_samples, &first.samples)
    };
    if is_staged_remotely || files.iter().any(|file| store::is_remote(&file.input.path)) {
        return Some("object stores have no room for buckets");
    }
    let has_one_length = files.iter().all(|file| file.layout.varying.is_none() && is_like_first(file));
    (!has_one_length).then_some("only traces of one length can be spilled")
}

/// Bytes that spilling takes, with so many of the traces of files.
fn bytes_of(files: &[PlannedFile], n_spilled: u64) -> u64 {
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return 0 };
    // With its number, and with its flags.
    let [trace, header] = [first.layout.stride() as u64 + 8, first.layout.header_bytes() as u64 + 1];
    n_spilled * trace + last.end_trace() * header
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
    let share = asked.memory.map_or(BUCKET_BYTES, |memory| memory / (8 * n_workers));
    share.min(BUCKET_BYTES).min(all / (4 * n_workers)).max(1)
}

#[cfg(test)]
mod tests;

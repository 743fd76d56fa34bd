//! How the traces of a file lie in its grid: how many there are in each unit, and how many follow one another in a column of
//! bricks as they do in the file. And from that, the units of each bucket.

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::grid::Grid;
use crate::grid::bricks::{Cut, number_of_box};
use crate::grid::buckets::MOST_BUCKETS;
use crate::plan::Plan;
use crate::segy::ByteOrder;
use crate::staging::GridFiles;
use crate::store::Place;

/// Traces looked at in one go.
const BLOCK_TRACES: u64 = 16_384;

/// What is known of their order.
pub(super) struct TraceOrder {
    /// Traces of each unit, by its number.
    n_traces: Vec<u32>,
    /// Runs of traces that follow one another in the file and are of one column of bricks.
    n_runs: u64,
}

/// The units of each bucket.
pub(super) struct UnitCut {
    /// One past the last unit of each bucket, in the order in which units are converted.
    pub ends: Vec<u64>,
    /// The bucket of each unit, by the number of the unit.
    of_units: Vec<u16>,
    lengths: Vec<u64>,
    unit: Vec<u64>,
}

/// A trace's place along each axis, of an int32 each; `None` where it lies aside.
fn along_axes(place: &[u8]) -> Option<impl Iterator<Item = u64>> {
    let axes = place.as_chunks::<4>().0.iter().map(|axis| i32::from_le_bytes(*axis));
    axes.clone().all(|axis| axis >= 0).then(|| axes.map(|axis| axis as u64))
}

impl TraceOrder {
    /// Looks at the places of all traces.
    pub(super) fn of(plan: &Plan, grid: &Grid, staging: &Place, cancel: &CancelHandle) -> Result<Self> {
        let (cut, mut files) = (Cut::new(grid), GridFiles::open(grid, staging)?);
        let n_units: u64 = cut.lengths.iter().zip(&cut.unit).map(|(length, unit)| length.div_ceil(*unit)).product();
        let mut order = Self { n_traces: vec![0; n_units as usize], n_runs: 0 };
        let mut before = None;
        for first in (0..plan.n_traces()).step_by(BLOCK_TRACES as usize) {
            cancel.check()?;
            let traces = first..(first + BLOCK_TRACES).min(plan.n_traces());
            for place in files.of(&traces, ByteOrder::Little)?.chunks_exact(4 * grid.keys.len()) {
                let Some(along) = along_axes(place) else { continue };
                let column = along_axes(place).map(|along| number_of_box(along, &cut.lengths, &cut.brick));
                order.n_runs += u64::from(column != before);
                before = column;
                if let Some(n) = order.n_traces.get_mut(number_of_box(along, &cut.lengths, &cut.unit) as usize) {
                    *n = n.saturating_add(1);
                }
            }
        }
        Ok(order)
    }

    /// The mean bytes of a run.
    pub(super) fn run_bytes(&self, plan: &Plan) -> u64 {
        let n_placed: u64 = self.n_traces.iter().map(|&n| u64::from(n)).sum();
        n_placed * plan.layout().stride() as u64 / self.n_runs.max(1)
    }

    /// Buckets of at most this many bytes, unless a unit is larger or there would be too many.
    pub(super) fn cut(&self, plan: &Plan, grid: &Grid, bytes: u64, staging: &Place) -> Result<UnitCut> {
        let numbers = GridFiles::open(grid, staging)?.units(&(0..grid.n_units))?;
        let in_unit = |number: &u64| u64::from(self.n_traces.get(*number as usize).copied().unwrap_or(0));
        let n_placed: u64 = numbers.iter().map(in_unit).sum();
        // Each but the last is at least half as full as this, or has a single unit.
        let most = (bytes / plan.layout().stride() as u64).max(2 * n_placed.div_ceil(MOST_BUCKETS as u64 - 1)).max(1);
        let (mut ends, mut of_units, mut n_in_bucket) = (Vec::new(), vec![0; self.n_traces.len()], 0);
        for (ordinal, number) in (0..).zip(&numbers) {
            let n = in_unit(number);
            if n_in_bucket > 0 && n_in_bucket + n > most {
                ends.push(ordinal);
                n_in_bucket = 0;
            }
            n_in_bucket += n;
            of_units[*number as usize] = ends.len() as u16;
        }
        ends.push(grid.n_units);
        let Cut { lengths, unit, .. } = Cut::new(grid);
        Ok(UnitCut { ends, of_units, lengths, unit })
    }
}

impl UnitCut {
    /// The bucket of a trace, whose place along each axis is an int32; `None` where it lies aside.
    pub(super) fn bucket_of(&self, place: &[u8]) -> Option<usize> {
        let unit = number_of_box(along_axes(place)?, &self.lengths, &self.unit);
        self.of_units.get(unit as usize).map(|bucket| usize::from(*bucket))
    }
}

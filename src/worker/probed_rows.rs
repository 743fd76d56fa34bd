//! What a worker does with the headers of a grid that was planned from a few of them: it checks that each trace is where
//! the plan has it, and keeps the coordinates, which the plan does not have.

use std::io::Write;
use std::ops::Range;

use crate::base::error::{Error, Result, failed};
use crate::gather::{GatherKey, Keys};
use crate::grid::scan::{LAST_BYTES, value_of, whole};
use crate::grid::{Coordinate, Key};
use crate::plan::Plan;
use crate::segy::ByteOrder;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::staging::{GridFiles, SegmentPaths};
use crate::store::{Place, Writer};

/// The headers of one segment's rows.
pub(super) struct ProbedRows<'a> {
    axes: &'a [Key],
    coordinates: &'a [Coordinate],
    uses_last_bytes: bool,
    keys: Keys,
    order: ByteOrder,
    staging: &'a Place,
    path: Place,
    file: Writer,
}

impl<'a> ProbedRows<'a> {
    /// `None` where all headers were read for the plan.
    pub(super) fn new(plan: &'a Plan, paths: &SegmentPaths, staging: &'a Place) -> Result<Option<Self>> {
        let Some(grid) = plan.target.grid().filter(|grid| grid.sorted.is_some()) else { return Ok(None) };
        let fields: Vec<GatherKey> = grid.keys.iter().filter_map(|key| key.field.clone()).collect();
        let order = plan.layout().byte_order;
        let path = paths.coordinates.clone();
        Ok(Some(Self {
            axes: &grid.keys,
            coordinates: &grid.coordinates,
            uses_last_bytes: grid.uses_last_bytes,
            keys: Keys::new(&fields, order)?,
            order,
            staging,
            file: Writer::create(&path).map_err(failed(path.display()))?,
            path,
        }))
    }

    /// Takes the headers of some traces, `stride` bytes apart. `places` are those on the axes, an int32 for each.
    ///
    /// # Errors
    /// `Error::Input` for a trace that lies elsewhere; the next plan is then made from all headers.
    pub(super) fn take(&mut self, traces: &Range<u64>, headers: &[u8], stride: usize, places: &[u8]) -> Result<()> {
        let (n_axes, mut values) = (self.axes.len(), vec![0; self.axes.len()]);
        let mut coordinates = Vec::new();
        let rows = headers.chunks(stride).zip(places.chunks_exact((4 * n_axes).max(1)));
        for (trace, (header, places)) in traces.clone().zip(rows) {
            self.keys.read(header, &mut values);
            for (axis, (value, place)) in self.axes.iter().zip(values.iter().zip(places.as_chunks().0)) {
                let place = match self.order {
                    ByteOrder::Big => i32::from_be_bytes(*place),
                    ByteOrder::Little => i32::from_le_bytes(*place),
                };
                let is_computed = axis.field.as_ref().is_some_and(GatherKey::is_computed);
                let found = if is_computed { whole(f64::from_bits(*value as u64)) } else { Some(*value) };
                let expected = axis.values.at(place as u64);
                if found.map(|value| axis.binned(value)) != expected {
                    return self.refuse(trace, &axis.name);
                }
            }
            let last = header.get(LAST_BYTES..TRACE_HEADER_BYTES).unwrap_or_default();
            if !self.uses_last_bytes && last.iter().any(|&byte| byte != 0) {
                return self.refuse(trace, "the use of bytes 233-240");
            }
            let values = self.coordinates.iter().map(|coordinate| value_of(coordinate, header, self.order));
            coordinates.extend(values.flat_map(f64::to_le_bytes));
        }
        self.file.write_all(&coordinates).map_err(failed(self.path.display()))
    }

    fn refuse(&self, trace: u64, what: &str) -> Result<()> {
        GridFiles::ask_for_scan(self.staging)?;
        Err(Error::Input(format!(
            "trace {}: {what} is not what the first header of each line shows; plan again with --fresh, which reads all headers",
            trace + 1
        )))
    }

    /// Completes the coordinates.
    pub(super) fn finish(self) -> Result<()> {
        self.file.finish().map_err(failed(self.path.display()))
    }
}

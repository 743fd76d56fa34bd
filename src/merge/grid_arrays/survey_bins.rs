//! Where the bins of the survey lie.

use crate::base::error::Result;
use crate::grid::bin_grid::{BinGrid, Fit, Midpoint, Residuals};
use crate::merge::grid_arrays::{RECORD_TRACES, Writer};

/// Traces that a fit takes, about.
const MOST_TRACES: u64 = 1 << 20;

impl Writer<'_> {
    /// The bins, if inline and crossline are keys and midpoints have coordinates.
    pub(super) fn bin_grid(&self) -> Result<Option<BinGrid>> {
        let grid = self.grid;
        let key = |name: &str| grid.keys.iter().position(|key| key.name == name);
        let coordinate = |name: &str| grid.coordinates.iter().position(|coordinate| coordinate.name == name);
        let (Some(inline), Some(crossline)) = (key("inline"), key("crossline")) else { return Ok(None) };
        let (Some(x), Some(y)) = (coordinate("cdp_x"), coordinate("cdp_y")) else { return Ok(None) };
        let axes = [inline, crossline].map(|key| grid.keys[key].values.iter().collect::<Vec<i64>>());
        let fields =
            [grid.record_order[inline], grid.record_order[crossline], grid.keys.len() + x, grid.keys.len() + y];
        let mut fit = Fit::default();
        self.midpoints(&fields, [&axes[0], &axes[1]], &mut |midpoint| fit.add(midpoint))?;
        let Some(affine) = fit.affine() else { return Ok(None) };
        let mut residuals = Residuals::default();
        self.midpoints(&fields, [&axes[0], &axes[1]], &mut |midpoint| residuals.add(affine.residual(midpoint)))?;
        Ok(affine.bin_grid([&axes[0], &axes[1]], &residuals))
    }

    /// Hands over midpoints of traces, of all of them or evenly; `fields` says where their numbers are in a record.
    fn midpoints(&self, fields: &[usize; 4], axes: [&[i64]; 2], take: &mut dyn FnMut(Midpoint)) -> Result<()> {
        let n_traces = self.grid.traces.n_traces;
        let step = RECORD_TRACES * n_traces.div_ceil(MOST_TRACES).max(1);
        let mut bytes = Vec::new();
        for start in (0..n_traces).step_by(step as usize) {
            self.cancel.check()?;
            self.files.records(&(start..(start + RECORD_TRACES).min(n_traces)), &mut bytes)?;
            for record in bytes.chunks_exact(self.files.record_bytes()) {
                let numbers = record.as_chunks::<8>().0;
                let number = |field: usize| numbers.get(fields[field]).copied().unwrap_or_default();
                let line = |field: usize| axes[field].get(u64::from_le_bytes(number(field)) as usize).copied();
                let (Some(inline), Some(crossline)) = (line(0), line(1)) else { continue };
                let [x, y] = [2, 3].map(|field| f64::from_le_bytes(number(field)));
                take([inline as f64, crossline as f64, x, y]);
            }
        }
        Ok(())
    }
}

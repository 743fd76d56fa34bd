//! Where the traces of bricks are read from: the input, or the buckets that they were spilled to.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::grid::Grid;
use crate::grid::places::Placed;
use crate::input::traces::{Inputs, Stretch, WINDOW_BYTES};
use crate::plan::Plan;
use crate::segy::Access;
use crate::staging::Buckets;
use crate::store::Place;

/// Whole traces, one after another.
pub(super) struct Window<'w> {
    pub bytes: &'w [u8],
    pub n_traces: usize,
    /// Bytes from one trace to the next.
    pub stride: usize,
    /// Samples of each trace that are taken.
    pub n_samples: u32,
    /// The bytes of these samples in a trace, which begins with its headers.
    pub samples: Range<usize>,
}

/// Reads traces by their numbers.
pub(super) struct TraceSource<'a> {
    inputs: Inputs<'a>,
    buckets: Option<Buckets>,
    /// What was read last, of the input. With buckets, any traces, since all have the same length.
    last: Option<Stretch>,
    buffer: Vec<u8>,
    /// Traces in a window, at most.
    most: usize,
}

impl<'a> TraceSource<'a> {
    /// Of a grid, or of what lies aside of it, which is never spilled: it is read in file order.
    pub(super) fn new(plan: &'a Plan, staging: &Place, is_aside: bool) -> Result<Self> {
        let mut inputs = Inputs::new(&plan.files, plan.io, Access::Traces);
        let buckets = if is_aside { None } else { Buckets::find(plan, staging)? };
        let last = if buckets.is_some() { Some(inputs.stretch(0, 1)?) } else { None };
        let most = (WINDOW_BYTES / plan.layout().stride()).max(1);
        Ok(Self { inputs, buckets, last, buffer: Vec::new(), most })
    }

    /// Turns to the unit with this ordinal and this index along each key, whose traces are read next.
    pub(super) fn turn_to(&mut self, grid: &Grid, ordinal: u64, index: &[u64], cancel: &CancelHandle) -> Result<()> {
        self.buckets.as_mut().map_or(Ok(()), |buckets| buckets.turn_to(grid, ordinal, index, cancel))
    }

    /// Reads the first of these traces, and those that follow it both here and there, as many as lie in one window.
    pub(super) fn read(&mut self, traces: &[Placed]) -> Result<Window<'_>> {
        if let (Some(buckets), Some(like)) = (&self.buckets, &self.last) {
            let n = buckets.read(traces, self.most, &mut self.buffer)?;
            return Ok(window(&self.buffer, n, buckets.stride(), like));
        }
        if let Some(last) = self.last.take() {
            last.file.release(last.offset, last.n_traces * last.stride);
        }
        let n = traces.windows(2).take(self.most - 1).take_while(|pair| pair[0].trace + 1 == pair[1].trace).count() + 1;
        let first = traces.first().map_or(0, |first| first.trace);
        let stretch = self.last.insert(self.inputs.stretch(first, n)?);
        let bytes = stretch.file.bytes(stretch.offset, stretch.n_traces * stretch.stride, &mut self.buffer)?;
        Ok(window(bytes, stretch.n_traces, stretch.stride, stretch))
    }
}

/// Traces with as many samples as others.
fn window<'w>(bytes: &'w [u8], n_traces: usize, stride: usize, like: &Stretch) -> Window<'w> {
    let (n_samples, samples) = (like.n_samples, like.samples.clone());
    Window { bytes: &bytes[..n_traces * stride], n_traces, stride, n_samples, samples }
}

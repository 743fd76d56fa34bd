//! Samples of any traces, whichever way they are stored: in chunks in file order, or in the bricks of a grid.

use std::ops::Range;

use crate::base::error::Result;
use crate::dataset::{BrickReader, ChunkReader, Dataset, GridPlaces, PlacedGrid};

/// Where the traces of a dataset are. Memory: an entry for each column of bricks.
pub(crate) struct TraceSamples {
    /// Of a grid and of what lies aside: the traces at the places, and the columns of bricks.
    grids: Vec<(PlacedGrid, Vec<Column>)>,
}

/// A column of bricks: its number along each key, and the first and the last of its traces.
struct Column {
    index: Vec<u64>,
    traces: Range<u64>,
}

impl TraceSamples {
    /// # Errors
    /// `Error::Damaged` for a grid whose array of trace numbers is damaged.
    pub(crate) fn open(dataset: &Dataset) -> Result<Self> {
        let Some(grid) = dataset.grid.as_ref().filter(|_| !dataset.headers_only) else {
            return Ok(Self { grids: Vec::new() });
        };
        let parts = PlacedGrid::open(dataset, grid)?.into_iter();
        let grids = parts.map(|part| columns(&part.places).map(|columns| (part, columns))).collect::<Result<_>>()?;
        Ok(Self { grids })
    }

    /// Some samples of some traces: little-endian values, trace after trace. Memory besides: a chunk or a brick.
    ///
    /// # Errors
    /// `Error::Damaged` where a chunk is damaged or missing.
    pub(crate) fn read(&self, dataset: &Dataset, traces: &Range<u64>, samples: &Range<u64>) -> Result<Vec<u8>> {
        let mut out = Rows::new(traces, samples, dataset.array.dtype.size());
        if self.grids.is_empty() {
            from_chunks(dataset, &mut out)?;
        }
        for (part, columns) in &self.grids {
            from_bricks(dataset, part, columns, &mut out)?;
        }
        Ok(out.bytes)
    }
}

/// The columns of bricks with traces.
fn columns(places: &GridPlaces) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    for &unit in &places.units {
        for index in places.cut.columns_of(&places.cut.index_of_unit(unit)) {
            let traces = places.traces_in(&places.cut.places_of(&index))?;
            let first = traces.iter().map(|placed| placed.trace).min();
            let last = traces.iter().map(|placed| placed.trace).max();
            columns.extend(first.zip(last).map(|(first, last)| Column { index, traces: first..last + 1 }));
        }
    }
    Ok(columns)
}

/// The values that are wanted, as far as they were read.
struct Rows {
    traces: Range<u64>,
    samples: Range<u64>,
    size: usize,
    bytes: Vec<u8>,
}

impl Rows {
    fn new(traces: &Range<u64>, samples: &Range<u64>, size: usize) -> Self {
        let n = (traces.end - traces.start) * (samples.end - samples.start);
        Self { traces: traces.clone(), samples: samples.clone(), size, bytes: vec![0; n as usize * size] }
    }

    /// Takes what is wanted of consecutive samples of a trace, the first of which is `first`.
    fn put(&mut self, trace: u64, first: u64, values: &[u8]) {
        let n = (values.len() / self.size) as u64;
        let (start, end) = (first.max(self.samples.start), (first + n).min(self.samples.end));
        if start >= end || !self.traces.contains(&trace) {
            return;
        }
        let row = (trace - self.traces.start) * (self.samples.end - self.samples.start);
        let [from, to, at] =
            [start - first, end - first, row + start - self.samples.start].map(|n| n as usize * self.size);
        if let (Some(values), Some(place)) = (values.get(from..to), self.bytes.get_mut(at..at + to - from)) {
            place.copy_from_slice(values);
        }
    }
}

fn from_chunks(dataset: &Dataset, out: &mut Rows) -> Result<()> {
    let (array, mut reader) = (&dataset.array, ChunkReader::new(dataset)?);
    let row_bytes = array.chunk_samples as usize * out.size;
    for chunk in out.traces.start / array.chunk_traces..out.traces.end.div_ceil(array.chunk_traces) {
        for depth in out.samples.start / array.chunk_samples..out.samples.end.div_ceil(array.chunk_samples) {
            let values = reader.read(depth, chunk)?;
            let first = chunk * array.chunk_traces;
            let n = (array.samples_of_chunk(depth).end - depth * array.chunk_samples) as usize * out.size;
            for (trace, row) in (first..).zip(values.chunks_exact(row_bytes)) {
                out.put(trace, depth * array.chunk_samples, &row[..n]);
            }
        }
    }
    Ok(())
}

fn from_bricks(dataset: &Dataset, part: &PlacedGrid, columns: &[Column], out: &mut Rows) -> Result<()> {
    let PlacedGrid { grid, places } = part;
    let mut reader = BrickReader::new(dataset, grid);
    let depth = grid.brick.last().copied().unwrap_or(1).max(1);
    let piece = depth as usize * out.size;
    let is_wanted = |column: &&Column| column.traces.start < out.traces.end && column.traces.end > out.traces.start;
    let wanted: Vec<&Column> = columns.iter().filter(is_wanted).collect();
    for column in wanted {
        let mut traces = places.traces_in(&places.cut.places_of(&column.index))?;
        traces.retain(|placed| out.traces.contains(&placed.trace));
        if traces.is_empty() {
            continue;
        }
        for deep in out.samples.start / depth..out.samples.end.div_ceil(depth) {
            let index: Vec<u64> = column.index.iter().copied().chain([deep]).collect();
            let brick = reader.read(&index)?;
            for placed in &traces {
                let at = placed.place as usize * piece;
                out.put(placed.trace, deep * depth, brick.get(at..at + piece).unwrap_or_default());
            }
        }
    }
    Ok(())
}

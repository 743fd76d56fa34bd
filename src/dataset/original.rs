//! Rebuilding the original file's bytes, piece by piece.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::dataset::trace_extents::{Extents, Lengths};
use crate::dataset::{
    BrickReader, ChunkReader, Conversion, Dataset, ExceptionTable, HeaderTableFile, OriginalFile, PlacedGrid, damaged,
};
use crate::dataset_files::METADATA;
use crate::exceptions::Exception;
use crate::segy::ByteOrder;
use crate::segy::samples::format::{Dtype, SampleFormat};
use crate::segy::samples::restore::Restorer;
use crate::segy::samples::words::word_bytes;
use crate::store::Place;

/// Size of the pieces passed on; they stay in the L2 cache until they are compared.
const PIECE_BYTES: usize = 256 << 10;
/// Minimum traces per unit: with fewer, units would decode the same pages of headers again.
const UNIT_TRACES: u64 = 4096;
/// Bytes of samples per unit, beyond the first chunk.
const UNIT_BYTES: u64 = 64 << 20;

/// Receives bytes and their offset in the file.
pub type Sink<'s> = dyn FnMut(u64, &[u8]) -> Result<()> + 's;

/// What is at an offset in the file. Traces (of the file), samples and bytes count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilePart {
    BeforeTraces,
    Header {
        trace: u64,
        byte: u64,
    },
    /// `offset` is where the sample begins.
    Sample {
        trace: u64,
        sample: u64,
        offset: u64,
    },
    AfterTraces,
}

/// The tables of a dataset that can give its files back, opened once for all files and threads.
pub struct Tables<'a> {
    dataset: &'a Dataset,
    pub(super) headers: HeaderTableFile,
    pub(super) exceptions: ExceptionTable,
    restorer: Restorer,
}

impl<'a> Tables<'a> {
    /// # Errors
    /// `Error::Usage` for a dataset that does not hold everything, with the option that it was imported with.
    pub fn open(dataset: &'a Dataset) -> Result<Self> {
        if dataset.headers_only {
            let root = dataset.root.display();
            return Err(Error::Usage(format!(
                "{root}: was imported with --headers-only and has no samples; import it without"
            )));
        }
        let restorer = Restorer::new(dataset.format, dataset.sample_order, dataset.array.dtype).ok_or_else(|| {
            Error::Usage(format!(
                "{}: its {} samples were imported with --dtype {}, which does not hold all of their values; import it without",
                dataset.root.display(),
                dataset.format.name,
                dataset.array.dtype.name()
            ))
        })?;
        let (headers, exceptions) = (HeaderTableFile::open(dataset)?, ExceptionTable::open(dataset)?);
        Ok(Self { dataset, headers, exceptions, restorer })
    }
}

/// What gives one of the files back.
pub struct Sources<'a> {
    pub dataset: &'a Dataset,
    pub file: &'a OriginalFile,
    pub(super) tables: &'a Tables<'a>,
    pub(super) lengths: Lengths,
    /// Of a grid, with what lies aside.
    pub(super) grids: Vec<PlacedGrid>,
}

impl<'a> Sources<'a> {
    /// # Errors
    /// `Error::Failed` where the lengths of the traces are not those of the file.
    pub fn new(tables: &'a Tables<'a>, file: &'a OriginalFile) -> Result<Self> {
        let dataset = tables.dataset;
        let lengths = Lengths::new(dataset, file, &tables.headers, units(dataset, &file.traces)?)?;
        let grids = dataset.grid.as_ref().map_or(Ok(Vec::new()), |grid| PlacedGrid::open(dataset, grid))?;
        Ok(Self { dataset, file, tables, lengths, grids })
    }

    /// The units that threads can work on in parallel for these traces of the file, of which there is at least one. Units of
    /// traces come first; of a grid they give the headers, and then units of bricks the samples.
    pub fn units_of(&self, traces: &Range<u64>) -> Vec<u64> {
        let units = self.lengths.units_of(traces);
        let n_units = self.lengths.units.len() as u64;
        let n_bricks = self.grids.iter().map(|grid| grid.places.units.len() as u64).sum::<u64>();
        (units.start as u64..units.end as u64).chain(n_units..n_units + n_bricks).collect()
    }

    /// Offset of the end of the last trace in the file.
    pub fn end_of_traces(&self) -> u64 {
        self.lengths.end()
    }

    /// The byte range in the file of these traces, of which there is at least one.
    pub fn offsets_of(&self, traces: &Range<u64>) -> Result<Range<u64>> {
        let units = self.lengths.units_of(traces);
        let extents = |unit| self.lengths.of_unit(self.dataset, &self.tables.headers, unit);
        let start = extents(units.start)?.offset(traces.start);
        Ok(start..extents(units.end.saturating_sub(1))?.offset(traces.end))
    }

    /// What is at an offset in the file.
    pub fn part_at(&self, offset: u64) -> Result<FilePart> {
        let dataset = self.dataset;
        if offset < self.file.first_trace_offset {
            return Ok(FilePart::BeforeTraces);
        }
        let Some(unit) = self.lengths.unit_at(offset) else { return Ok(FilePart::AfterTraces) };
        let extents = self.lengths.of_unit(dataset, &self.tables.headers, unit)?;
        let trace = extents.trace_at(offset);
        let (within, header_bytes) = (offset - extents.offset(trace), dataset.header_bytes as u64);
        let in_file = trace - self.file.traces.start;
        Ok(match within.checked_sub(header_bytes) {
            None => FilePart::Header { trace: in_file, byte: within },
            Some(behind) => {
                let n = dataset.format.bytes as u64;
                FilePart::Sample { trace: in_file, sample: behind / n, offset: offset - behind % n }
            }
        })
    }
}

/// The traces of a file in parts of whole chunks, clipped at its ends.
fn units(dataset: &Dataset, traces: &Range<u64>) -> Result<Vec<Range<u64>>> {
    let array = &dataset.array;
    let by_bytes = UNIT_BYTES / (array.n_samples * array.chunk_traces * array.dtype.size() as u64).max(1);
    let per_unit = (UNIT_TRACES / array.chunk_traces).min(by_bytes).max(1) * array.chunk_traces;
    let numbers = traces.start / per_unit..traces.end.div_ceil(per_unit);
    let mut units = Vec::new();
    // A document and a table may agree on more traces than memory has room for.
    let n = usize::try_from(numbers.end - numbers.start).unwrap_or(usize::MAX);
    units.try_reserve_exact(n).map_err(|e| damaged(&dataset.path(METADATA), e))?;
    units.extend(numbers.map(|i| (i * per_unit).max(traces.start)..((i + 1) * per_unit).min(traces.end)));
    Ok(units)
}

/// Rebuilds the traces of the file; each thread has its own. Memory: one chunk, a page of headers, and a piece of at
/// most 256 KiB or one trace (all traces of a chunk, if chunks split traces).
pub struct Original<'a> {
    pub(super) sources: &'a Sources<'a>,
    chunks: ChunkReader<'a>,
    /// Of a grid, and of what lies aside.
    pub(super) bricks: Vec<BrickReader>,
    pub(super) restoration: Restoration,
    pub(super) conversion: Option<Conversion>,
    headers: Vec<u8>,
    pub(super) piece: Vec<u8>,
}

impl<'a> Original<'a> {
    pub fn new(sources: &'a Sources<'a>) -> Result<Self> {
        let (chunks, restoration) = (ChunkReader::new(sources.dataset)?, Restoration::new(sources));
        let bricks = sources.grids.iter().map(|part| BrickReader::new(sources.dataset, &part.grid)).collect();
        Ok(Self { sources, chunks, bricks, restoration, conversion: None, headers: Vec::new(), piece: Vec::new() })
    }

    /// Also converts the traces, if there is a conversion, writing `substitute` for infinite or NaN samples if the
    /// format has neither.
    #[must_use]
    pub fn converted(self, conversion: Option<Conversion>, substitute: Option<f64>) -> Self {
        let of_values = conversion.as_ref().and_then(Conversion::of_values);
        let restoration = Restoration {
            keeps_values: of_values.is_some(),
            substitute: substitute.filter(|_| of_values.is_none_or(|format| !format.is_ieee())),
            ..self.restoration
        };
        Self { conversion, restoration, ..self }
    }

    /// Passes all bytes of a unit's traces to `sink`, and the number of completed traces to `on_traces`.
    pub fn traces_of_unit(
        &mut self,
        unit: u64,
        cancel: &CancelHandle,
        sink: &mut Sink,
        on_traces: &dyn Fn(u64),
    ) -> Result<()> {
        let (sources, unit) = (self.sources, unit as usize);
        if !sources.grids.is_empty() {
            return match unit.checked_sub(sources.lengths.units.len()) {
                None => self.headers_of_unit(unit, sink),
                Some(unit) => self.bricks_of_unit(unit, cancel, sink, on_traces),
            };
        }
        let array = &sources.dataset.array;
        let traces = sources.lengths.units[unit].clone();
        let extents = sources.lengths.of_unit(sources.dataset, &sources.tables.headers, unit)?;
        let mut headers = sources.tables.headers.rows(&traces)?;
        let mut exceptions = sources.tables.exceptions.rows(&traces)?;
        for trace_chunk in traces.start / array.chunk_traces..traces.end.div_ceil(array.chunk_traces) {
            cancel.check()?;
            let in_chunk = array.traces_of_chunk(trace_chunk);
            let part = in_chunk.start.max(traces.start)..in_chunk.end.min(traces.end);
            if array.n_sample_chunks() == 1 {
                self.whole_traces(&part, &extents, &mut headers, &mut exceptions, sink)?;
            } else {
                self.headers_alone(&part, &extents, &mut headers, sink)?;
                for sample_chunk in 0..array.n_sample_chunks() {
                    cancel.check()?;
                    self.parts_of_traces(sample_chunk, &part, &extents, &mut exceptions, sink)?;
                }
            }
            on_traces(part.end - part.start);
        }
        exceptions.finish()
    }

    /// Traces of a chunk that spans all samples: headers and samples together.
    fn whole_traces(
        &mut self,
        traces: &Range<u64>,
        extents: &Extents,
        headers: &mut crate::dataset::HeaderRows,
        exceptions: &mut crate::dataset::ExceptionRows,
        sink: &mut Sink,
    ) -> Result<()> {
        let dataset = self.sources.dataset;
        let (array, header_bytes) = (&dataset.array, dataset.header_bytes);
        let samples = 0..array.n_samples;
        let chunk = self.chunks.read(0, traces.start / array.chunk_traces)?;
        let row = array.chunk_samples as usize * array.dtype.size();
        let step = (PIECE_BYTES / dataset.trace_bytes(array.n_samples) as usize).max(1);
        let skipped = (traces.start % array.chunk_traces) as usize * row;
        for (window, rows) in windows(traces, step).zip(chunk[skipped..].chunks(step * row)) {
            headers.next_rows((window.end - window.start) as usize, &mut self.headers)?;
            let start = extents.offset(window.start);
            self.piece.clear();
            self.restoration.words.clear();
            let parts = window.clone().zip(self.headers.chunks(header_bytes)).zip(rows.chunks(row));
            for ((trace, header), values) in parts {
                let values = &values[..extents.n_samples(trace) as usize * array.dtype.size()];
                self.piece.extend_from_slice(header);
                self.restoration.append(trace, &samples, values, exceptions, &mut self.piece)?;
            }
            if let Some(conversion) = &self.conversion {
                conversion.traces(window.start, extents, &self.piece, &self.restoration.words, sink)?;
                continue;
            }
            if dataset.pairwise_swapped {
                // The raw headers are already as in the file.
                for trace in window.clone() {
                    let (from, to) = (extents.offset(trace) - start, extents.offset(trace + 1) - start);
                    swap_pairs(&mut self.piece[from as usize + header_bytes..to as usize]);
                }
            }
            sink(start, &self.piece)?;
        }
        Ok(())
    }

    /// The headers alone of a unit's traces.
    fn headers_of_unit(&mut self, unit: usize, sink: &mut Sink) -> Result<()> {
        let sources = self.sources;
        let traces = sources.lengths.units[unit].clone();
        let extents = sources.lengths.of_unit(sources.dataset, &sources.tables.headers, unit)?;
        let mut headers = sources.tables.headers.rows(&traces)?;
        self.headers_alone(&traces, &extents, &mut headers, sink)
    }

    /// The headers of traces that are split between chunks.
    fn headers_alone(
        &mut self,
        traces: &Range<u64>,
        extents: &Extents,
        headers: &mut crate::dataset::HeaderRows,
        sink: &mut Sink,
    ) -> Result<()> {
        for trace in traces.clone() {
            headers.next_rows(1, &mut self.headers)?;
            match &self.conversion {
                Some(conversion) => conversion.headers(trace, extents, &self.headers, sink)?,
                None => sink(extents.offset(trace), &self.headers)?,
            }
        }
        Ok(())
    }

    /// One chunk's samples of traces that are split between chunks.
    fn parts_of_traces(
        &mut self,
        sample_chunk: u64,
        traces: &Range<u64>,
        extents: &Extents,
        exceptions: &mut crate::dataset::ExceptionRows,
        sink: &mut Sink,
    ) -> Result<()> {
        let dataset = self.sources.dataset;
        let array = &dataset.array;
        let samples = array.samples_of_chunk(sample_chunk);
        let row = array.chunk_samples as usize * array.dtype.size();
        let chunk = self.chunks.read(sample_chunk, traces.start / array.chunk_traces)?;
        let skipped = (traces.start % array.chunk_traces) as usize * row;
        for (trace, values) in traces.clone().zip(chunk[skipped..].chunks(row)) {
            // A shorter trace may end before or inside this chunk.
            let n = extents.n_samples(trace).min(samples.end).saturating_sub(samples.start) as usize;
            self.piece.clear();
            self.restoration.words.clear();
            let values = &values[..n * array.dtype.size()];
            self.restoration.append(trace, &samples, values, exceptions, &mut self.piece)?;
            if let Some(conversion) = &self.conversion {
                conversion.samples(trace, samples.start, extents, &self.piece, &self.restoration.words, sink)?;
                continue;
            }
            let in_trace = dataset.header_bytes as u64 + samples.start * dataset.format.bytes as u64;
            let offset = extents.offset(trace) + in_trace;
            if n > 0 && dataset.pairwise_swapped {
                put_swapped(offset, &mut self.piece, sink)?
            } else if n > 0 {
                sink(offset, &self.piece)?
            }
        }
        Ok(())
    }
}

/// Restores the file's samples from the stored values.
pub(super) struct Restoration {
    restorer: Restorer,
    format: &'static SampleFormat,
    byte_order: ByteOrder,
    dtype: Dtype,
    /// Whether an infinity without an exception may have been an IBM word; see [`crate::segy::samples::ibm`].
    may_be_infinite: bool,
    /// Whether to keep the stored values, for conversion to another format.
    keeps_values: bool,
    /// Replacement for values that are not finite.
    substitute: Option<f64>,
    /// Original words from exceptions that match the stored values, since the last clear.
    pub(super) words: Vec<Exception>,
    values: Vec<u8>,
    /// What messages call the samples, and the number of the file's first trace in the dataset.
    path: Place,
    first_trace: u64,
}

impl Restoration {
    fn new(sources: &Sources) -> Self {
        let dataset = sources.dataset;
        Self {
            restorer: sources.tables.restorer.clone(),
            format: dataset.format,
            byte_order: dataset.sample_order,
            dtype: dataset.array.dtype,
            may_be_infinite: dataset.n_nonfinite > 0,
            keeps_values: false,
            substitute: None,
            words: Vec::new(),
            values: Vec::new(),
            path: dataset.path(&dataset.array.name),
            first_trace: sources.file.traces.start,
        }
    }

    /// Appends to `out` the samples of a trace in one chunk, which has `samples` of all traces. An exception applies
    /// only if its word gives the stored value; otherwise the value was edited, and is converted to the nearest
    /// sample.
    ///
    /// # Errors
    /// `Error::Input` for a value that the format cannot represent, `Error::Damaged` for an exception beyond the
    /// trace.
    pub(super) fn append(
        &mut self,
        trace: u64,
        samples: &Range<u64>,
        stored: &[u8],
        exceptions: &mut crate::dataset::ExceptionRows,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let n = stored.len() / self.dtype.size();
        let first_word = self.words.len();
        while let Some(e) = exceptions.next_in(&(trace..trace + 1), samples)? {
            let index = (u64::from(e.sample) - samples.start) as usize;
            if index >= n {
                return Err(exceptions.misplaced(&e));
            }
            if self.restorer.stands_for(e.word, stored, index) {
                self.words.push(e);
            }
        }
        let words = &self.words[first_word..];
        let stored = match self.substitute {
            Some(value) => substituted(stored, self.dtype, value, &mut self.values),
            None => stored,
        };
        if self.keeps_values {
            out.extend_from_slice(stored);
            return Ok(());
        }
        let mut misfit = None;
        self.restorer.misfits(stored, |index, value| {
            let sample = samples.start + index as u64;
            let is_word = words.iter().any(|e| u64::from(e.sample) == sample);
            if !is_word && misfit.is_none() && !(value.is_infinite() && self.may_be_infinite) {
                misfit = Some((sample, value));
            }
        });
        if let Some((sample, value)) = misfit {
            return Err(self.no_sample_for(value, trace, sample));
        }
        let start = out.len();
        out.resize(start + n * self.format.bytes, 0);
        self.restorer.restore(stored, &mut out[start..]);
        for e in words {
            let at = start + (u64::from(e.sample) - samples.start) as usize * self.format.bytes;
            out[at..at + self.format.bytes].copy_from_slice(&word_bytes(e.word, self.byte_order));
        }
        Ok(())
    }

    fn no_sample_for(&self, value: f64, trace: u64, sample: u64) -> Error {
        let keeping = match self.dtype {
            Dtype::Int32 => "export --format 2 keeps it, as int32",
            Dtype::UInt32 => "export --format 10 keeps it, as uint32",
            _ => "export --format 5 keeps it, as IEEE float32",
        };
        let replacing = if value.is_finite() { "" } else { "export --nan VALUE writes another value, " };
        Error::Input(format!(
            "{}: trace {}, sample {}: {value} is beyond {}, the sample format of the file; {replacing}{keeping}",
            self.path.display(),
            trace - self.first_trace + 1,
            sample + 1,
            self.format.name
        ))
    }
}

/// The values with those that are not finite replaced; copied to `buffer` only if there are any.
fn substituted<'v>(stored: &'v [u8], dtype: Dtype, value: f64, buffer: &'v mut Vec<u8>) -> &'v [u8] {
    let is_finite = |bytes: &[u8]| match *bytes {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).is_finite(),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]).is_finite(),
        _ => true,
    };
    let size = dtype.size();
    if !dtype.is_float() || stored.chunks_exact(size).all(is_finite) {
        return stored;
    }
    buffer.clear();
    let (single, double) = ((value as f32).to_le_bytes(), value.to_le_bytes());
    let other = if dtype == Dtype::Float32 { &single[..] } else { &double[..] };
    stored.chunks_exact(size).for_each(|bytes| buffer.extend_from_slice(if is_finite(bytes) { bytes } else { other }));
    buffer
}

/// Consecutive windows of `step` traces, the last one shorter.
fn windows(traces: &Range<u64>, step: usize) -> impl Iterator<Item = Range<u64>> + use<> {
    let end = traces.end;
    (traces.start..end).step_by(step).map(move |start| start..(start + step as u64).min(end))
}

fn swap_pairs(bytes: &mut [u8]) {
    bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
}

/// Passes on bytes that are swapped in pairs in the file; pairs begin at even offsets. A first or last byte whose
/// partner is outside this piece goes to the partner's place.
pub(super) fn put_swapped(offset: u64, bytes: &mut [u8], sink: &mut Sink) -> Result<()> {
    let n_before = bytes.len().min((offset % 2) as usize);
    let (first, bytes) = bytes.split_at_mut(n_before);
    if !first.is_empty() {
        sink(offset - 1, first)?;
    }
    let offset = offset + n_before as u64;
    let (pairs, last) = bytes.split_at_mut(bytes.len() & !1);
    swap_pairs(pairs);
    sink(offset, pairs)?;
    if last.is_empty() { Ok(()) } else { sink(offset + pairs.len() as u64 + 1, last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_parts_of_any_length_make_the_swapped_whole() {
        let whole: Vec<u8> = (0..60).collect();
        for cut in 0..=60 {
            let mut file = vec![0xFF; 60];
            let mut sink = |offset: u64, bytes: &[u8]| {
                file[offset as usize..][..bytes.len()].copy_from_slice(bytes);
                Ok(())
            };
            put_swapped(0, &mut whole[..cut].to_vec(), &mut sink).unwrap();
            put_swapped(cut as u64, &mut whole[cut..].to_vec(), &mut sink).unwrap();
            assert!(file.iter().enumerate().all(|(i, &b)| usize::from(b) == i ^ 1), "{cut}: {file:?}");
        }
    }
}

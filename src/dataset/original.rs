//! Rebuilding the original file's bytes, piece by piece.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::dataset::header_cache::{CACHE_BYTES, HeaderCache};
use crate::dataset::restoration::Restoration;
use crate::dataset::trace_extents::{Extents, Lengths};
use crate::dataset::{
    BrickReader, ChunkReader, Conversion, Crop, Dataset, EditWatch, ExceptionTable, HeaderTableFile, OriginalFile,
    PlacedGrid, SampleWatch, damaged,
};
use crate::dataset_files::METADATA;
use crate::segy::samples::restore::Restorer;

/// Size of the pieces passed on; they stay in the L2 cache until they are compared.
pub(super) const PIECE_BYTES: usize = 256 << 10;
/// Minimum traces per unit: with fewer, units would decode the same pages of headers again.
const UNIT_TRACES: u64 = 4096;
/// Bytes of samples per unit, beyond the first chunk.
const UNIT_BYTES: u64 = 64 << 20;

/// Receives bytes and their offset in the file.
pub(super) type Sink<'s> = dyn FnMut(u64, &[u8]) -> Result<()> + 's;

/// What is at an offset in the file. Traces (of the file), samples and bytes count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilePart {
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
pub(crate) struct Tables<'a> {
    dataset: &'a Dataset,
    pub(super) headers: HeaderTableFile,
    pub(super) exceptions: ExceptionTable,
    pub(super) restorer: Restorer,
}

impl<'a> Tables<'a> {
    /// # Errors
    /// `Error::Usage` for a dataset that does not hold everything, with the option that it was imported with.
    pub(crate) fn open(dataset: &'a Dataset) -> Result<Self> {
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
pub(crate) struct Sources<'a> {
    pub dataset: &'a Dataset,
    pub file: &'a OriginalFile,
    pub(super) tables: &'a Tables<'a>,
    pub(super) lengths: Lengths,
    /// Of a grid, with what lies aside.
    pub(super) grids: Vec<PlacedGrid>,
    /// Whether the units of bricks give the headers too.
    pub(super) bricks_give_headers: bool,
}

impl<'a> Sources<'a> {
    /// # Errors
    /// `Error::Failed` where the lengths of the traces are not those of the file.
    pub(crate) fn new(tables: &'a Tables<'a>, file: &'a OriginalFile) -> Result<Self> {
        let dataset = tables.dataset;
        let lengths = Lengths::new(dataset, file, &tables.headers, units(dataset, &file.traces)?)?;
        let grids = dataset.grid.as_ref().map_or(Ok(Vec::new()), |grid| PlacedGrid::open(dataset, grid))?;
        let fits = |grid: &PlacedGrid| {
            let bytes = grid.places.widest_unit.saturating_mul(dataset.header_bytes as u64);
            bytes <= CACHE_BYTES as u64 && grid.grid.n_deep() > 0
        };
        let bricks_give_headers = grids.iter().all(fits);
        Ok(Self { dataset, file, tables, lengths, grids, bricks_give_headers })
    }

    /// The units that threads can work on in parallel for these traces of the file, of which there is at least one. Units of
    /// traces come first; of a grid they give the headers, and then units of bricks the samples. Where the headers of the
    /// traces between the first and the last of a unit of bricks fit in memory, these give both, in fewer and longer pieces.
    pub(crate) fn units_of(&self, traces: &Range<u64>) -> Vec<u64> {
        let n_units = self.lengths.units.len() as u64;
        let n_bricks = self.grids.iter().map(|grid| grid.places.units.len() as u64).sum::<u64>();
        let units = match n_bricks > 0 && self.bricks_give_headers {
            true => 0..0,
            false => self.lengths.units_of(traces),
        };
        (units.start as u64..units.end as u64).chain(n_units..n_units + n_bricks).collect()
    }

    /// The units of these traces alone.
    pub(crate) fn units_of_traces(&self, traces: &Range<u64>) -> Range<usize> {
        self.lengths.units_of(traces)
    }

    /// The traces of a unit.
    pub(super) fn traces_of(&self, unit: usize) -> Range<u64> {
        self.lengths.units.get(unit).cloned().unwrap_or(0..0)
    }

    /// Where the traces of a unit lie.
    pub(super) fn extents_of(&self, unit: usize) -> Result<Extents> {
        self.lengths.of_unit(self.dataset, &self.tables.headers, unit)
    }

    /// Offset of the end of the last trace in the file.
    pub(crate) fn end_of_traces(&self) -> u64 {
        self.lengths.end()
    }

    /// The byte range in the file of these traces, of which there is at least one.
    pub(crate) fn offsets_of(&self, traces: &Range<u64>) -> Result<Range<u64>> {
        let units = self.lengths.units_of(traces);
        let start = self.extents_of(units.start)?.offset(traces.start);
        Ok(start..self.extents_of(units.end.saturating_sub(1))?.offset(traces.end))
    }

    /// What is at an offset in the file.
    pub(crate) fn part_at(&self, offset: u64) -> Result<FilePart> {
        let dataset = self.dataset;
        if offset < self.file.first_trace_offset {
            return Ok(FilePart::BeforeTraces);
        }
        let Some(unit) = self.lengths.unit_at(offset) else { return Ok(FilePart::AfterTraces) };
        let extents = self.extents_of(unit)?;
        let trace = extents.trace_at(offset);
        let (within, header_bytes) = (offset - extents.offset(trace), dataset.header_bytes as u64);
        let in_file = trace - self.file.traces.start;
        Ok(match within.checked_sub(header_bytes) {
            None => FilePart::Header { trace: in_file, byte: within },
            Some(in_samples) => {
                let n = dataset.format.bytes as u64;
                FilePart::Sample { trace: in_file, sample: in_samples / n, offset: offset - in_samples % n }
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
/// most 256 KiB or one trace (all traces of a chunk, if chunks split traces); of a grid 16 MiB of headers.
pub(crate) struct Original<'a> {
    pub(super) sources: &'a Sources<'a>,
    pub(super) chunks: ChunkReader<'a>,
    /// Of a grid, and of what lies aside.
    pub(super) bricks: Vec<BrickReader>,
    pub(super) header_cache: HeaderCache,
    pub(super) restoration: Restoration,
    pub(super) conversion: Option<Conversion>,
    /// The part of the file to give, if it is not all of it, and changes of its headers.
    pub(super) crop: Option<&'a Crop<'a>>,
    pub(super) watch: Option<SampleWatch<'a>>,
    pub(super) headers: Vec<u8>,
    pub(super) piece: Vec<u8>,
    pub(super) converted: Vec<u8>,
}

impl<'a> Original<'a> {
    pub(crate) fn new(sources: &'a Sources<'a>) -> Result<Self> {
        let (chunks, restoration) = (ChunkReader::new(sources.dataset)?, Restoration::new(sources));
        let bricks = sources.grids.iter().map(|part| BrickReader::new(sources.dataset, &part.grid)).collect();
        Ok(Self {
            sources,
            chunks,
            bricks,
            header_cache: HeaderCache::default(),
            restoration,
            conversion: None,
            crop: None,
            watch: None,
            headers: Vec::new(),
            piece: Vec::new(),
            converted: Vec::new(),
        })
    }

    /// Gives only a part of the file, at the offsets that it has in a file of its own.
    #[must_use]
    pub(crate) fn cropped(self, crop: Option<&'a Crop<'a>>) -> Self {
        let restoration = self.restoration.clipped_to(crop.map(|crop| crop.samples.clone()));
        Self { crop, restoration, ..self }
    }

    /// Also tells `watch` which chunks hold other samples than were imported.
    pub(crate) fn watched(self, watch: &'a EditWatch<'a>) -> Result<Self> {
        Ok(Self { watch: Some(watch.reader()?), ..self })
    }

    /// Also converts the traces, if there is a conversion, writing `substitute` for infinite or NaN samples if the
    /// format has neither.
    #[must_use]
    pub(crate) fn converted(self, conversion: Option<Conversion>, substitute: Option<f64>) -> Self {
        let of_values = conversion.as_ref().and_then(Conversion::of_values);
        let substitute = substitute.filter(|_| of_values.is_none_or(|format| !format.is_ieee()));
        let restoration = self.restoration.with(of_values.is_some(), substitute);
        Self { conversion, restoration, ..self }
    }

    /// Passes all bytes of a unit's traces to `sink`, and the number of completed traces to `on_traces`.
    pub(crate) fn traces_of_unit(
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
        let traces = sources.traces_of(unit);
        if self.crop.is_some_and(|crop| !crop.traces.any_in(&traces)) {
            return Ok(());
        }
        let extents = sources.extents_of(unit)?;
        let mut headers = sources.tables.headers.rows(&traces)?;
        let mut exceptions = sources.tables.exceptions.rows(&traces)?;
        for trace_chunk in traces.start / array.chunk_traces..traces.end.div_ceil(array.chunk_traces) {
            cancel.check()?;
            let in_chunk = array.traces_of_chunk(trace_chunk);
            let part = in_chunk.start.max(traces.start)..in_chunk.end.min(traces.end);
            if array.n_sample_chunks() == 1 {
                match self.crop {
                    None => self.whole_traces(&part, &extents, &mut headers, &mut exceptions, sink)?,
                    Some(crop) => {
                        self.cropped_traces(crop, &part, &extents, &mut headers, &mut exceptions, sink)?;
                    }
                }
            } else {
                self.headers_alone(&part, &extents, &mut headers, sink)?;
                for sample_chunk in 0..array.n_sample_chunks() {
                    cancel.check()?;
                    self.parts_of_traces(sample_chunk, &part, &extents, &mut exceptions, sink)?;
                }
            }
            on_traces(self.crop.map_or(part.end - part.start, |crop| crop.traces.n_in(&part)));
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
        let trace_chunk = traces.start / array.chunk_traces;
        let chunk = self.chunks.read(0, trace_chunk)?;
        if let Some(watch) = &mut self.watch {
            watch.see(0, trace_chunk, &chunk)?;
        }
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
    pub(crate) fn headers_of_unit(&mut self, unit: usize, sink: &mut Sink) -> Result<()> {
        let sources = self.sources;
        let traces = sources.traces_of(unit);
        if self.crop.is_some_and(|crop| !crop.traces.any_in(&traces)) {
            return Ok(());
        }
        let extents = sources.extents_of(unit)?;
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
            if self.crop.is_none_or(|crop| crop.traces.contains(trace)) {
                self.put_header(trace, extents, sink)?;
            }
        }
        Ok(())
    }

    /// Passes on the headers of one trace, which are in `self.headers`.
    pub(super) fn put_header(&mut self, trace: u64, extents: &Extents, sink: &mut Sink) -> Result<()> {
        self.crop.map_or(Ok(()), |crop| crop.change(trace, &mut self.headers))?;
        let offset = self.offset_of(trace, extents);
        match &self.conversion {
            Some(conversion) => {
                self.converted.clear();
                conversion.put_headers(&self.headers, &mut self.converted);
                sink(offset, &self.converted)
            }
            None => sink(offset, &self.headers),
        }
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
        let (samples, trace_chunk) = (array.samples_of_chunk(sample_chunk), traces.start / array.chunk_traces);
        if !self.wants(traces, &samples) {
            return traces.clone().try_for_each(|trace| exceptions.pass_over(trace, &samples));
        }
        let row = array.chunk_samples as usize * array.dtype.size();
        let chunk = self.chunks.read(sample_chunk, trace_chunk)?.into_owned();
        if let Some(watch) = &mut self.watch {
            watch.see(sample_chunk, trace_chunk, &chunk)?;
        }
        let skipped = (traces.start % array.chunk_traces) as usize * row;
        for (trace, values) in traces.clone().zip(chunk[skipped..].chunks(row)) {
            if !self.wants(&(trace..trace + 1), &samples) {
                exceptions.pass_over(trace, &samples)?;
                continue;
            }
            // A shorter trace may end before or inside this chunk.
            let n = extents.n_samples(trace).min(samples.end).saturating_sub(samples.start) as usize;
            self.put_samples(trace, &samples, &values[..n * array.dtype.size()], extents, exceptions, sink)?;
        }
        Ok(())
    }

    /// Whether any of these samples of any of these traces are wanted.
    pub(super) fn wants(&self, traces: &Range<u64>, samples: &Range<u64>) -> bool {
        let overlaps = |wanted: &Range<u64>| wanted.start < samples.end && samples.start < wanted.end;
        self.crop.is_none_or(|crop| overlaps(&crop.samples) && crop.traces.any_in(traces))
    }

    /// Passes on samples of one trace, given as stored values of which `samples` says the numbers.
    pub(super) fn put_samples(
        &mut self,
        trace: u64,
        samples: &Range<u64>,
        stored: &[u8],
        extents: &Extents,
        exceptions: &mut crate::dataset::ExceptionRows,
        sink: &mut Sink,
    ) -> Result<()> {
        let dataset = self.sources.dataset;
        self.piece.clear();
        self.restoration.words.clear();
        self.restoration.append(trace, samples, stored, exceptions, &mut self.piece)?;
        if self.piece.is_empty() {
            return Ok(());
        }
        let (mut first, mut skipped) = (samples.start, 0);
        if let Some(crop) = self.crop {
            (first, skipped) = (first.max(crop.samples.start), crop.samples.start);
        }
        let size = self.conversion.as_ref().map_or(dataset.format.bytes, Conversion::sample_bytes) as u64;
        let offset = self.offset_of(trace, extents) + dataset.header_bytes as u64 + (first - skipped) * size;
        if let Some(conversion) = &self.conversion {
            self.converted.clear();
            let words = &self.restoration.words;
            conversion.put_samples(trace, first, &self.piece, words, &mut self.converted)?;
            return sink(offset, &self.converted);
        }
        if dataset.pairwise_swapped { put_swapped(offset, &mut self.piece, sink) } else { sink(offset, &self.piece) }
    }

    /// Where a trace begins in what is given.
    fn offset_of(&self, trace: u64, extents: &Extents) -> u64 {
        match (self.crop, &self.conversion) {
            (Some(crop), _) => crop.offset(trace),
            (None, Some(conversion)) => conversion.offset(trace, extents.offset(trace)),
            (None, None) => extents.offset(trace),
        }
    }
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

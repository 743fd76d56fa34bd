//! The bytes of the file that a dataset was made from, made again piece by piece.

use std::ops::Range;

use super::{ChunkReader, Dataset, ExceptionTable, HeaderTableFile};
use crate::cancel::CancelHandle;
use crate::error::{Error, Result};
use crate::segy::restore::{Restorer, word_bytes};

/// Bytes that are put together before they are given away; they stay in the second-level cache until they are compared.
const PIECE_BYTES: usize = 256 << 10;
/// Traces of a unit: below, pages of headers would be decoded several times for one unit each.
const UNIT_TRACES: u64 = 4096;
/// Bytes of samples of a unit, beyond the first chunk.
const UNIT_BYTES: u64 = 64 << 20;

/// Receives bytes that belong at an offset of the file.
pub type Sink<'s> = dyn FnMut(u64, &[u8]) -> Result<()> + 's;

/// What an offset in the file belongs to. Traces, samples and bytes count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    BeforeTraces,
    Header { trace: u64, byte: u64 },
    Sample { trace: u64, sample: u64 },
    AfterTraces,
}

/// The tables of a dataset that can give its file back, opened once for all threads.
pub struct Sources<'a> {
    pub dataset: &'a Dataset,
    headers: HeaderTableFile,
    exceptions: ExceptionTable,
    restorer: Restorer,
}

impl<'a> Sources<'a> {
    /// # Errors
    /// `Error::Usage` for a dataset that does not hold everything, with the option that it was imported with.
    pub fn open(dataset: &'a Dataset) -> Result<Self> {
        if dataset.headers_only {
            let root = dataset.root.display();
            return Err(Error::Usage(format!(
                "{root}: was imported with --headers-only and has no samples; import it without"
            )));
        }
        let restorer = Restorer::new(dataset.format, dataset.byte_order, dataset.array.dtype).ok_or_else(|| {
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

    /// Units that threads can work on at the same time.
    pub fn n_units(&self) -> u64 {
        self.dataset.array.n_trace_chunks().div_ceil(self.chunks_per_unit())
    }

    /// The units that these traces, of which there is at least one, are in.
    pub fn units_of(&self, traces: &Range<u64>) -> Range<u64> {
        let per_unit = self.chunks_per_unit() * self.dataset.array.chunk_traces;
        traces.start / per_unit..traces.end.div_ceil(per_unit)
    }

    fn chunks_per_unit(&self) -> u64 {
        let array = &self.dataset.array;
        let by_bytes = UNIT_BYTES / (array.n_samples * array.chunk_traces * array.dtype.size() as u64).max(1);
        (UNIT_TRACES / array.chunk_traces).min(by_bytes).max(1)
    }

    /// What stands at an offset of the file.
    pub fn place(&self, offset: u64) -> Place {
        let dataset = self.dataset;
        let Some(behind) = offset.checked_sub(dataset.first_trace_offset) else { return Place::BeforeTraces };
        let (stride, header_bytes) = (dataset.stride() as u64, dataset.header_bytes as u64);
        let (trace, within) = (behind / stride, behind % stride);
        if trace >= dataset.array.n_traces {
            Place::AfterTraces
        } else if within < header_bytes {
            Place::Header { trace, byte: within }
        } else {
            Place::Sample { trace, sample: (within - header_bytes) / dataset.format.bytes as u64 }
        }
    }
}

/// Makes the traces of the file again; each thread has one.
/// Memory: one chunk, a page of headers, a piece of at most 256 KiB or one trace (of a chunk, where traces are cut).
pub struct Original<'a> {
    sources: &'a Sources<'a>,
    chunks: ChunkReader<'a>,
    restorer: Restorer,
    headers: Vec<u8>,
    piece: Vec<u8>,
}

impl<'a> Original<'a> {
    pub fn new(sources: &'a Sources<'a>) -> Result<Self> {
        let (chunks, restorer) = (ChunkReader::new(sources.dataset)?, sources.restorer.clone());
        Ok(Self { sources, chunks, restorer, headers: Vec::new(), piece: Vec::new() })
    }

    /// Gives the bytes of all traces of a unit to `sink`, and the number of traces that are complete to `on_traces`.
    pub fn traces_of_unit(
        &mut self,
        unit: u64,
        cancel: &CancelHandle,
        sink: &mut Sink,
        on_traces: &dyn Fn(u64),
    ) -> Result<()> {
        let array = &self.sources.dataset.array;
        let per_unit = self.sources.chunks_per_unit();
        let chunks = unit * per_unit..((unit + 1) * per_unit).min(array.n_trace_chunks());
        let traces = chunks.start * array.chunk_traces..(chunks.end * array.chunk_traces).min(array.n_traces);
        let mut headers = self.sources.headers.rows(&traces)?;
        let mut exceptions = self.sources.exceptions.rows(&traces)?;
        for trace_chunk in chunks {
            cancel.check()?;
            if array.n_sample_chunks() == 1 {
                self.whole_traces(trace_chunk, &mut headers, &mut exceptions, sink)?;
            } else {
                self.headers_alone(trace_chunk, &mut headers, sink)?;
                for sample_chunk in 0..array.n_sample_chunks() {
                    cancel.check()?;
                    self.parts_of_traces(sample_chunk, trace_chunk, &mut exceptions, sink)?;
                }
            }
            let traces = array.traces_of_chunk(trace_chunk);
            on_traces(traces.end - traces.start);
        }
        exceptions.finish()
    }

    /// A chunk that spans all samples: headers and samples in one piece.
    fn whole_traces(
        &mut self,
        trace_chunk: u64,
        headers: &mut super::HeaderRows,
        exceptions: &mut super::ExceptionRows,
        sink: &mut Sink,
    ) -> Result<()> {
        let dataset = self.sources.dataset;
        let (array, stride, header_bytes) = (&dataset.array, dataset.stride(), dataset.header_bytes);
        let (traces, samples) = (array.traces_of_chunk(trace_chunk), 0..array.n_samples);
        let chunk = self.chunks.read(0, trace_chunk)?;
        let row = array.chunk_samples as usize * array.dtype.size();
        let step = (PIECE_BYTES / stride).max(1);
        for (window, rows) in windows(&traces, step).zip(chunk.chunks(step * row)) {
            let n = (window.end - window.start) as usize;
            headers.next_rows(n, &mut self.headers)?;
            self.piece.resize(n * stride, 0);
            let parts = self.piece.chunks_mut(stride).zip(self.headers.chunks(header_bytes)).zip(rows.chunks(row));
            for ((trace, header), values) in parts {
                let (place, samples) = trace.split_at_mut(header_bytes);
                place.copy_from_slice(header);
                self.restorer.restore(values, samples);
            }
            while let Some(e) = exceptions.next_in(&window, &samples)? {
                let at = (e.trace - window.start) as usize * stride + header_bytes + e.sample as usize * 4;
                self.piece[at..][..4].copy_from_slice(&word_bytes(e.word, dataset.byte_order));
            }
            if dataset.pairwise_swapped {
                // The raw headers are as they stand in the file already.
                self.piece.chunks_mut(stride).for_each(|trace| swap_pairs(&mut trace[header_bytes..]));
            }
            sink(dataset.trace_offset(window.start), &self.piece)?;
        }
        Ok(())
    }

    /// The headers of traces that are cut along the samples.
    fn headers_alone(&mut self, trace_chunk: u64, headers: &mut super::HeaderRows, sink: &mut Sink) -> Result<()> {
        let dataset = self.sources.dataset;
        for trace in dataset.array.traces_of_chunk(trace_chunk) {
            headers.next_rows(1, &mut self.headers)?;
            sink(dataset.trace_offset(trace), &self.headers)?;
        }
        Ok(())
    }

    /// The samples of one chunk of traces that are cut along the samples.
    fn parts_of_traces(
        &mut self,
        sample_chunk: u64,
        trace_chunk: u64,
        exceptions: &mut super::ExceptionRows,
        sink: &mut Sink,
    ) -> Result<()> {
        let dataset = self.sources.dataset;
        let array = &dataset.array;
        let samples = array.samples_of_chunk(sample_chunk);
        let n = (samples.end - samples.start) as usize;
        let row = array.chunk_samples as usize * array.dtype.size();
        let chunk = self.chunks.read(sample_chunk, trace_chunk)?;
        for (trace, values) in array.traces_of_chunk(trace_chunk).zip(chunk.chunks(row)) {
            self.piece.resize(n * dataset.format.bytes, 0);
            self.restorer.restore(&values[..n * array.dtype.size()], &mut self.piece);
            while let Some(e) = exceptions.next_in(&(trace..trace + 1), &samples)? {
                let at = (u64::from(e.sample) - samples.start) as usize * 4;
                self.piece[at..][..4].copy_from_slice(&word_bytes(e.word, dataset.byte_order));
            }
            let in_trace = dataset.header_bytes as u64 + samples.start * dataset.format.bytes as u64;
            let offset = dataset.trace_offset(trace) + in_trace;
            if dataset.pairwise_swapped {
                put_swapped(offset, &mut self.piece, sink)?
            } else {
                sink(offset, &self.piece)?
            }
        }
        Ok(())
    }
}

/// Consecutive parts of `step` traces, the last one shorter.
fn windows(traces: &Range<u64>, step: usize) -> impl Iterator<Item = Range<u64>> + use<> {
    let end = traces.end;
    (traces.start..end).step_by(step).map(move |start| start..(start + step as u64).min(end))
}

fn swap_pairs(bytes: &mut [u8]) {
    bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
}

/// Gives away bytes whose neighbours are exchanged in the file, where pairs begin at even offsets. A byte at either end
/// that has its neighbour in another part goes to the place of that one.
fn put_swapped(offset: u64, bytes: &mut [u8], sink: &mut Sink) -> Result<()> {
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

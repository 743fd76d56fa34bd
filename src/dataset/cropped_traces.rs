//! Rebuilding the wanted traces of a chunk that spans all samples, for a file that has them alone.

use std::ops::Range;

use crate::base::error::Result;
use crate::dataset::original::{Original, PIECE_BYTES, Sink};
use crate::dataset::trace_extents::Extents;
use crate::dataset::{Crop, ExceptionRows, HeaderRows};

impl Original<'_> {
    /// Passes on headers and samples together, in pieces: wanted traces follow each other in the file.
    pub(super) fn cropped_traces(
        &mut self,
        crop: &Crop,
        traces: &Range<u64>,
        extents: &Extents,
        headers: &mut HeaderRows,
        exceptions: &mut ExceptionRows,
        sink: &mut Sink,
    ) -> Result<()> {
        let array = &self.sources.dataset.array;
        let (samples, trace_chunk) = (0..array.n_samples, traces.start / array.chunk_traces);
        if !crop.traces.any_in(traces) {
            headers.next_rows((traces.end - traces.start) as usize, &mut self.headers)?;
            return traces.clone().try_for_each(|trace| exceptions.pass_over(trace, &samples));
        }
        let chunk = self.chunks.read(0, trace_chunk)?;
        if let Some(watch) = &mut self.watch {
            watch.see(0, trace_chunk, &chunk)?;
        }
        let size = array.dtype.size();
        let row = array.chunk_samples as usize * size;
        let skipped = (traces.start % array.chunk_traces) as usize * row;
        self.converted.clear();
        let mut start = None;
        for (trace, values) in traces.clone().zip(chunk[skipped..].chunks(row)) {
            headers.next_rows(1, &mut self.headers)?;
            if !crop.traces.contains(trace) {
                exceptions.pass_over(trace, &samples)?;
                continue;
            }
            crop.change(trace, &mut self.headers)?;
            let begun = *start.get_or_insert_with(|| crop.offset(trace));
            let values = &values[..extents.n_samples(trace) as usize * size];
            self.restoration.words.clear();
            match &self.conversion {
                None => {
                    self.converted.extend_from_slice(&self.headers);
                    self.restoration.append(trace, &samples, values, exceptions, &mut self.converted)?;
                }
                Some(conversion) => {
                    conversion.put_headers(&self.headers, &mut self.converted);
                    self.piece.clear();
                    self.restoration.append(trace, &samples, values, exceptions, &mut self.piece)?;
                    let words = &self.restoration.words;
                    conversion.put_samples(trace, crop.samples.start, &self.piece, words, &mut self.converted)?;
                }
            }
            if self.converted.len() >= PIECE_BYTES {
                sink(begun, &self.converted)?;
                self.converted.clear();
                start = None;
            }
        }
        start.map_or(Ok(()), |start| sink(start, &self.converted))
    }
}

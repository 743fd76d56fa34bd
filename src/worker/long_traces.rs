//! Converts chunks of long traces, which are cut along the samples: several chunks at a time, one per thread.
//!
//! That keeps all cores busy even if a file has fewer traces than there are workers, while one process still sees every
//! trace whole, so its exceptions come in the same order for any number of threads.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::in_order;
use crate::exceptions::{Exception, SegmentExceptions};
use crate::input::traces::Stretch;
use crate::plan::Plan;
use crate::segy::Layout;
use crate::segy::samples::restore::RoundTrip;
use crate::segy::samples::rounding::RoundingError;
use crate::segy::samples::statistics::SampleStatistics;
use crate::store::Place;
use crate::worker::sample_conversion::SampleConversion;
use crate::zarr::{ArrayPlan, ChunkEncoder, SampleSumWriter, SegmentStore};

/// If a chunk has fewer bytes than this of each trace, several chunks are read at once.
const SHORT_PIECE_BYTES: usize = 64 << 10;
/// The most bytes read at once for them.
const STRIP_BYTES: usize = 16 << 20;
/// The most exceptions of a chunk that a lane keeps; for a chunk with more, all are searched again in order.
const MAX_KEPT_EXCEPTIONS: usize = 1 << 16;

/// The threads' buffers, and the results of all chunks of some traces together.
pub(crate) struct Parts<'a> {
    layout: &'a Layout,
    array: &'a ArrayPlan,
    lanes: Vec<Lane>,
}

/// The buffers of one thread, which converts one chunk at a time.
struct Lane {
    samples: SampleConversion,
    encoder: ChunkEncoder,
    round_trip: Option<RoundTrip>,
    /// The thread writes chunks that are files of their own; chunks of a shard are written in order.
    store: Option<SegmentStore>,
    /// The samples of a trace converted a second time.
    row: Vec<u8>,
    /// The encoded chunk, for its shard.
    encoded: Vec<u8>,
    window: Vec<u8>,
    strip: Strip,
    exceptions: Vec<Exception>,
    stored_bytes: u64,
    /// CRC-32C of the samples of the current chunk.
    crc: u32,
}

/// Where the results of the chunks go, in their order.
pub(crate) struct Takers<'a> {
    /// For shards.
    pub(crate) store: &'a mut SegmentStore,
    pub(crate) sample_sums: &'a mut SampleSumWriter,
    pub(crate) exceptions: &'a mut SegmentExceptions,
}

/// The results of the chunks besides their bytes.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) samples: SampleStatistics,
    pub(crate) rounding: RoundingError,
    pub(crate) stored_bytes: u64,
}

impl<'a> Parts<'a> {
    /// `directory`: that of the segment's array.
    pub(crate) fn new(plan: &'a Plan, directory: &Place) -> Result<Self> {
        let (layout, array) = (plan.layout(), plan.traces());
        let n_lanes = u64::from(plan.threads).clamp(1, array.n_sample_chunks());
        let lanes = (0..n_lanes).map(|_| Lane::new(plan, directory)).collect::<Result<_>>()?;
        Ok(Self { layout, array, lanes })
    }

    /// Makes sure that all chunks are written.
    pub(crate) fn finish(self) -> Result<()> {
        self.lanes.into_iter().filter_map(|lane| lane.store).try_for_each(|store| store.finish().map(drop))
    }

    /// Converts all chunks of the traces of `trace_chunk`, which lie at `places`. `on_part` gets the number of chunks done so far.
    pub(crate) fn convert(
        &mut self,
        trace_chunk: u64,
        places: &[Stretch],
        takers: Takers,
        cancel: &CancelHandle,
        on_part: &mut dyn FnMut(u64),
    ) -> Result<Outcome> {
        let (layout, array) = (self.layout, self.array);
        let Takers { store, sample_sums, exceptions } = takers;
        let n_lanes = self.lanes.len();
        places.iter().for_each(|place| place.file.is_read_by(n_lanes));
        let mut outcome = Outcome::default();
        let chunk = |part| Chunk { layout, array, part, trace_chunk, places };
        let work = |(): &mut (), lane: &mut &mut Lane, part| lane.convert(&chunk(part), cancel);
        let take = |lane: &mut &mut Lane, part: u64| {
            match &mut lane.store {
                Some(own) => store.add_sums(own.take_sums()),
                None => {
                    store.begin(part, trace_chunk)?;
                    store.append(&lane.encoded)?;
                    lane.stored_bytes = store.end()?;
                }
            }
            sample_sums.push(lane.crc)?;
            lane.tell_exceptions(&chunk(part), exceptions)?;
            outcome.samples.merge(&std::mem::take(&mut lane.samples.statistics));
            outcome.rounding.merge(&std::mem::take(&mut lane.samples.converter.rounding));
            outcome.stored_bytes += lane.stored_bytes;
            on_part(part + 1);
            Ok(())
        };
        // A single lane works in the calling thread.
        let n_threads = if n_lanes > 1 { n_lanes } else { 0 };
        in_order(n_threads, &mut self.lanes, array.n_sample_chunks(), || (), work, take)?;
        Ok(outcome)
    }
}

impl Lane {
    fn new(plan: &Plan, directory: &Place) -> Result<Self> {
        let (layout, array) = (plan.layout(), plan.traces());
        let (format, order) = (layout.format(), layout.sample_byte_order());
        let is_file_for_each = array.shard_chunks.is_none();
        let store = is_file_for_each.then(|| SegmentStore::create(directory, array, plan.merge.sync)).transpose()?;
        Ok(Self {
            samples: SampleConversion::new(layout, array)?,
            encoder: ChunkEncoder::new(array),
            round_trip: RoundTrip::new(format, order, array.dtype).filter(|_| array.precision.is_none()),
            store,
            row: Vec::new(),
            encoded: Vec::new(),
            window: Vec::new(),
            strip: Strip::default(),
            exceptions: Vec::new(),
            stored_bytes: 0,
            crc: 0,
        })
    }

    /// Converts one chunk: samples, statistics, exceptions, encoding, and its file if it has one.
    fn convert(&mut self, chunk: &Chunk, cancel: &CancelHandle) -> Result<()> {
        let Chunk { layout, array, part, trace_chunk, places } = *chunk;
        self.encoded.clear();
        if let Some(store) = &mut self.store {
            store.begin(part, trace_chunk)?;
        }
        self.exceptions.clear();
        let is_short = array.chunk_samples as usize * layout.format().bytes < SHORT_PIECE_BYTES;
        if is_short && !self.strip.holds(trace_chunk, part) {
            self.strip.load(chunk, cancel)?;
        }
        for (i, place) in places.iter().enumerate() {
            // The next trace is fetched while this one is converted.
            for next in places[i..].iter().take(if is_short { 0 } else { 2 }) {
                if let Some(piece) = Piece::of(layout, array, part, next) {
                    next.file.will_read(piece.offset, piece.n_bytes);
                }
            }
            cancel.check()?;
            let row = self.encoder.room(array.chunk_samples as usize * array.dtype.size());
            let Some(piece) = Piece::of(layout, array, part, place) else {
                row.fill(0);
                advance(&mut self.encoder, &mut self.store, &mut self.encoded)?;
                continue;
            };
            let bytes = match is_short {
                true => self.strip.piece(i, part, piece.n_bytes),
                false => place.file.bytes(piece.offset, piece.n_bytes, &mut self.window)?,
            };
            let (out, beyond) = row.split_at_mut(piece.n_converted);
            beyond.fill(0);
            let seen = self.samples.convert(bytes, out);
            let may_be_exceptions = !seen.is_plain && self.exceptions.len() <= MAX_KEPT_EXCEPTIONS;
            if let Some(round_trip) = self.round_trip.filter(|_| may_be_exceptions) {
                let found = &mut self.exceptions;
                round_trip.differences(bytes, out, |index, word| {
                    if found.len() <= MAX_KEPT_EXCEPTIONS {
                        let sample = (piece.first_sample + index as u64) as u32;
                        found.push(Exception { trace: place.first_trace, sample, word });
                    }
                    Ok::<(), Error>(())
                })?;
            }
            if !is_short {
                place.file.release(piece.offset, piece.n_bytes);
            }
            advance(&mut self.encoder, &mut self.store, &mut self.encoded)?;
        }
        let (store, encoded) = (&mut self.store, &mut self.encoded);
        self.crc = self.encoder.finish(&mut |bytes| put(store, encoded, bytes))?;
        if let Some(store) = store {
            self.stored_bytes = store.end()?;
        }
        Ok(())
    }

    /// Passes on all exceptions of the current chunk.
    fn tell_exceptions(
        &mut self,
        &Chunk { layout, array, part, places, .. }: &Chunk,
        exceptions: &mut SegmentExceptions,
    ) -> Result<()> {
        if self.exceptions.len() <= MAX_KEPT_EXCEPTIONS {
            return self.exceptions.iter().try_for_each(|&e| exceptions.push(e));
        }
        for place in places {
            let Some(piece) = Piece::of(layout, array, part, place) else { continue };
            let bytes = place.file.bytes(piece.offset, piece.n_bytes, &mut self.window)?;
            self.row.resize(piece.n_converted, 0);
            self.samples.converter.convert(bytes, &mut self.row);
            exceptions.check(place.first_trace, piece.first_sample, bytes, &self.row)?;
        }
        Ok(())
    }
}

/// Encodes what has been converted of a chunk so far.
fn advance(encoder: &mut ChunkEncoder, store: &mut Option<SegmentStore>, encoded: &mut Vec<u8>) -> Result<()> {
    encoder.advance(&mut |bytes| put(store, encoded, bytes))
}

/// Writes encoded bytes to the chunk's file, or keeps them for its shard.
fn put(store: &mut Option<SegmentStore>, encoded: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    match store {
        Some(store) => store.append(bytes),
        None => {
            encoded.extend_from_slice(bytes);
            Ok(())
        }
    }
}

/// The samples of some traces in several chunks, as they stand in the file: short traces are read once for all of them.
#[derive(Default)]
struct Strip {
    trace_chunk: u64,
    parts: Range<u64>,
    bytes: Vec<u8>,
    /// Bytes of a trace, and of its part in one chunk.
    row_bytes: usize,
    piece_bytes: usize,
    window: Vec<u8>,
}

impl Strip {
    fn holds(&self, trace_chunk: u64, part: u64) -> bool {
        self.trace_chunk == trace_chunk && self.parts.contains(&part)
    }

    /// Reads as many chunks from `part` on as there is room for.
    fn load(&mut self, chunk: &Chunk, cancel: &CancelHandle) -> Result<()> {
        let Chunk { layout, array, part, trace_chunk, places } = *chunk;
        self.parts = 0..0;
        self.piece_bytes = array.chunk_samples as usize * layout.format().bytes;
        let n_parts = (STRIP_BYTES / (self.piece_bytes * places.len()).max(1)).max(1) as u64;
        let parts = part..array.n_sample_chunks().min(part + n_parts);
        self.row_bytes = (parts.end - parts.start) as usize * self.piece_bytes;
        self.bytes.resize(self.row_bytes * places.len(), 0);
        for (place, row) in places.iter().zip(self.bytes.chunks_mut(self.row_bytes)) {
            cancel.check()?;
            let pieces = parts.clone().filter_map(|part| Piece::of(layout, array, part, place));
            let (offset, n) = pieces.fold((None, 0), |(offset, n), p| (offset.or(Some(p.offset)), n + p.n_bytes));
            if let Some(offset) = offset {
                row[..n].copy_from_slice(place.file.bytes(offset, n, &mut self.window)?);
                place.file.release(offset, n);
            }
        }
        (self.trace_chunk, self.parts) = (trace_chunk, parts);
        Ok(())
    }

    /// The first `n_bytes` of trace `i` in a chunk.
    fn piece(&self, i: usize, part: u64, n_bytes: usize) -> &[u8] {
        let start = i * self.row_bytes + (part - self.parts.start) as usize * self.piece_bytes;
        &self.bytes[start..start + n_bytes]
    }
}

/// A chunk of long traces, and where they lie.
struct Chunk<'a> {
    layout: &'a Layout,
    array: &'a ArrayPlan,
    /// Its number along the samples.
    part: u64,
    trace_chunk: u64,
    places: &'a [Stretch],
}

/// The samples of one trace in one chunk.
struct Piece {
    /// Offset in the file.
    offset: u64,
    n_bytes: usize,
    /// Bytes of the converted samples.
    n_converted: usize,
    first_sample: u64,
}

impl Piece {
    /// `None` if the trace is so short that it ends before.
    fn of(layout: &Layout, array: &ArrayPlan, part: u64, place: &Stretch) -> Option<Self> {
        let samples = array.samples_of_chunk(part);
        let n = u64::from(place.n_samples).min(samples.end).checked_sub(samples.start).filter(|&n| n > 0)? as usize;
        let (size_in, size_out) = (layout.format().bytes, array.dtype.size());
        Some(Self {
            offset: place.offset + place.samples.start as u64 + samples.start * size_in as u64,
            n_bytes: n * size_in,
            n_converted: n * size_out,
            first_sample: samples.start,
        })
    }
}

//! The keys and coordinates of every trace: read into a temporary file, with one record for each trace in file order, or
//! computed where a few headers show them.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::base::system::FileExt;
use crate::gather::{GatherKey, Keys};
use crate::grid::Coordinate;
use crate::grid::sorted::{SortedAxis, SortedTraces};
use crate::input::PlannedFile;
use crate::input::traces::{Inputs, WINDOW_BYTES};
use crate::segy::fields::{FieldKind, TRACE_HEADER_BYTES};
use crate::segy::file::SPARSE_STRIDE_BYTES;
use crate::segy::{Access, ByteOrder, Io, apply_given_scalar, apply_scalar};
use crate::table::{read_integer, read_number};

/// Traces that one thread reads at a time.
const UNIT_TRACES: u64 = 16_384;
/// More distinct values than this are no axis.
pub(crate) const MOST_VALUES: usize = 1 << 24;
/// Offset of the last eight bytes of the standard header, which rev 1 leaves unassigned.
pub(crate) const LAST_BYTES: usize = 232;

/// What is read of each trace.
pub struct Wanted<'a> {
    pub files: &'a [PlannedFile],
    pub io: Io,
    pub keys: &'a [GatherKey],
    pub coordinates: &'a [Coordinate],
    /// Whether the records have a place after the keys for the number of the trace at its place.
    pub counts_traces: bool,
}

/// What one key is from trace to trace of a sorted grid.
pub(crate) struct Level {
    /// Traces that each number lasts.
    pub period: u64,
    /// The key, later its place on the axis, in the order in which they come, again and again.
    pub numbers: Vec<u64>,
}

impl Level {
    /// The number of a trace.
    pub(crate) fn of(&self, trace: u64) -> u64 {
        self.numbers[(trace / self.period) as usize % self.numbers.len()]
    }
}

/// Where records are.
enum Source {
    /// All of them in a temporary file.
    File(File),
    /// They follow from a few headers: for each key its numbers. They have no coordinates.
    Levels(Vec<Level>),
}

/// The records: for each trace its keys and coordinates, little-endian, eight bytes each.
pub struct Records {
    source: Source,
    pub n_traces: u64,
    /// Keys, and the number of the trace at its place if that is counted.
    pub n_keys: usize,
    pub n_coordinates: usize,
    /// Whether some trace uses bytes 233 to 240 of its header.
    pub uses_last_bytes: bool,
    /// The distinct values of each key.
    pub values: Vec<BTreeSet<i64>>,
}

/// Records on their way into their file, taken in any order.
pub(crate) struct Scan<'a> {
    wanted: &'a Wanted<'a>,
    file: File,
    n_traces: u64,
    /// The values of each key so far, and whether some trace uses the last bytes.
    found: Mutex<(Vec<BTreeSet<i64>>, bool)>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(wanted: &'a Wanted<'a>) -> Result<Self> {
        Ok(Self {
            wanted,
            file: tempfile::tempfile().map_err(failed("a temporary file for the keys of the grid"))?,
            n_traces: wanted.files.last().map_or(0, PlannedFile::end_trace),
            found: Mutex::new((vec![BTreeSet::new(); wanted.keys.len()], false)),
        })
    }

    /// Keeps the records that a reader has taken, of neighbouring traces from this one on.
    ///
    /// # Errors
    /// `Error::Input` for a key that has too many values for an axis.
    pub(crate) fn put(&self, reader: &mut RecordReader, first_trace: u64) -> Result<()> {
        let at = first_trace * self.wanted.width() as u64;
        self.file.write_all_at(&reader.records, at).map_err(failed("the keys of the grid"))?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.1 |= reader.uses_last_bytes;
        for (key, (values, seen)) in self.wanted.keys.iter().zip(found.0.iter_mut().zip(&mut reader.seen)) {
            seen.sort_unstable();
            seen.dedup();
            values.extend(seen.drain(..));
            if values.len() > MOST_VALUES {
                let name = &key.name;
                return Err(Error::Input(format!(
                    "{name} has more than {MOST_VALUES} values; --bin {name}=FIRST:STEP, or {} in its place",
                    super::TRACE
                )));
            }
        }
        Ok(())
    }

    /// The records, now that all are kept.
    pub(crate) fn finish(self) -> Records {
        let (values, uses_last_bytes) = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Records {
            source: Source::File(self.file),
            n_traces: self.n_traces,
            n_keys: self.wanted.n_keys(),
            n_coordinates: self.wanted.coordinates.len(),
            uses_last_bytes,
            values,
        }
    }
}

impl Wanted<'_> {
    fn n_keys(&self) -> usize {
        self.keys.len() + usize::from(self.counts_traces)
    }

    /// Bytes of a record.
    fn width(&self) -> usize {
        (self.n_keys() + self.coordinates.len()) * 8
    }
}

impl Records {
    /// Reads the headers of all traces.
    ///
    /// # Errors
    /// `Error::Input` for a key that is not a whole number, or has too many values for an axis.
    pub fn read(wanted: &Wanted, cancel: &CancelHandle) -> Result<Self> {
        let scan = Scan::new(wanted)?;
        let n_traces = scan.n_traces;
        let read = |reader: &mut RecordReader, unit: u64, _: &Shared| {
            let traces = unit * UNIT_TRACES..((unit + 1) * UNIT_TRACES).min(n_traces);
            reader.read(&traces)?;
            scan.put(reader, traces.start)
        };
        let reader = || RecordReader::new(wanted);
        for_each(n_threads(), 0..n_traces.div_ceil(UNIT_TRACES), cancel, &mut |_| {}, reader, read)?;
        Ok(scan.finish())
    }

    /// Records without coordinates, with the keys that these levels give, one for each key.
    pub(crate) fn of_levels(wanted: &Wanted, levels: Vec<Level>, uses_last_bytes: bool) -> Self {
        Self {
            n_traces: wanted.files.last().map_or(0, PlannedFile::end_trace),
            n_keys: levels.len(),
            n_coordinates: 0,
            uses_last_bytes,
            values: levels.iter().map(|level| level.numbers.iter().map(|&number| number as i64).collect()).collect(),
            source: Source::Levels(levels),
        }
    }

    /// The temporary file that they are in; `None` if they are computed.
    pub fn file(&self) -> Option<&File> {
        match &self.source {
            Source::File(file) => Some(file),
            Source::Levels(_) => None,
        }
    }

    /// Where all traces are if the records are computed, once the keys have become places; `order` has the keys by number
    /// in the order of the axes.
    pub fn sorted(&self, order: &[usize]) -> Option<SortedTraces> {
        let Source::Levels(levels) = &self.source else { return None };
        let axis = |&key: &usize| {
            levels.get(key).map(|level| SortedAxis { period: level.period, places: level.numbers.clone() })
        };
        order.iter().map(axis).collect::<Option<_>>().map(|axes| SortedTraces { axes })
    }

    /// How often a key is another than in the trace before, if that follows from a few headers.
    pub fn n_changes(&self, key: usize) -> Option<u64> {
        match &self.source {
            Source::File(_) => None,
            Source::Levels(levels) => levels.get(key).map(|level| self.n_traces / level.period),
        }
    }

    /// Replaces the keys of all traces, the first of each record; `change` gets the number of a key and what it is, in file
    /// order but for repeats.
    pub fn change_keys(
        &mut self,
        n_keys: usize,
        cancel: &CancelHandle,
        mut change: impl FnMut(usize, u64) -> u64,
    ) -> Result<()> {
        if let Source::Levels(levels) = &mut self.source {
            for (i, level) in levels.iter_mut().enumerate().take(n_keys) {
                level.numbers.iter_mut().for_each(|number| *number = change(i, *number));
            }
            return Ok(());
        }
        self.each_block(0..self.n_blocks(), cancel, |_, fields| {
            for record in fields.chunks_exact_mut(self.n_keys + self.n_coordinates) {
                for (i, field) in record.iter_mut().take(n_keys).enumerate() {
                    *field = change(i, u64::from_le_bytes(*field)).to_le_bytes();
                }
            }
            Ok(true)
        })
    }

    /// Bytes of one record.
    pub fn width(&self) -> usize {
        (self.n_keys + self.n_coordinates) * 8
    }

    /// Hands over the records in order, in blocks, each with the number of its first trace. A block that `change` says it
    /// has changed is written back.
    pub fn each_block(
        &self,
        blocks: impl Iterator<Item = u64>,
        cancel: &CancelHandle,
        mut change: impl FnMut(u64, &mut [[u8; 8]]) -> Result<bool>,
    ) -> Result<()> {
        let (width, mut buffer) = (self.width(), Vec::new());
        for block in blocks {
            cancel.check()?;
            let traces = block * UNIT_TRACES..((block + 1) * UNIT_TRACES).min(self.n_traces);
            buffer.resize((traces.end - traces.start) as usize * width, 0);
            let at = traces.start * width as u64;
            match &self.source {
                Source::File(file) => file.read_exact_at(&mut buffer, at).map_err(failed("the keys of the grid"))?,
                Source::Levels(levels) => {
                    let records = buffer.as_chunks_mut().0.chunks_exact_mut(levels.len().max(1));
                    for (trace, record) in traces.clone().zip(records) {
                        let numbers = levels.iter().map(|level| level.of(trace).to_le_bytes());
                        record.iter_mut().zip(numbers).for_each(|(field, number)| *field = number);
                    }
                }
            }
            if change(traces.start, buffer.as_chunks_mut().0)?
                && let Source::File(file) = &self.source
            {
                file.write_all_at(&buffer, at).map_err(failed("the keys of the grid"))?;
            }
        }
        Ok(())
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> u64 {
        self.n_traces.div_ceil(UNIT_TRACES)
    }
}

/// Makes records of headers; each thread has its own.
pub(crate) struct RecordReader<'a> {
    wanted: &'a Wanted<'a>,
    inputs: Inputs<'a>,
    keys: Keys,
    order: ByteOrder,
    header_bytes: usize,
    buffer: Vec<u8>,
    records: Vec<u8>,
    seen: Vec<Vec<i64>>,
    uses_last_bytes: bool,
}

impl<'a> RecordReader<'a> {
    pub(crate) fn new(wanted: &'a Wanted<'a>) -> Result<Self> {
        let layout = &wanted.files.first().ok_or_else(|| Error::Usage("there is no input file".into()))?.layout;
        let is_dense = layout.stride() <= SPARSE_STRIDE_BYTES;
        let access = if is_dense { Access::DenseHeaders } else { Access::Headers };
        Ok(Self {
            wanted,
            inputs: Inputs::new(wanted.files, wanted.io, access),
            keys: Keys::new(wanted.keys, layout.byte_order)?,
            order: layout.byte_order,
            header_bytes: layout.header_bytes(),
            buffer: Vec::new(),
            records: Vec::new(),
            seen: vec![Vec::new(); wanted.keys.len()],
            uses_last_bytes: false,
        })
    }

    fn read(&mut self, traces: &Range<u64>) -> Result<()> {
        self.records.clear();
        let mut next = traces.start;
        while next < traces.end {
            let window = self.inputs.stretch(next, (traces.end - next) as usize)?;
            let n = window.n_traces.min((WINDOW_BYTES / window.stride).max(1));
            let mut buffer = std::mem::take(&mut self.buffer);
            let (bytes, stride) =
                window.file.headers(window.offset, window.stride, self.header_bytes, n, &mut buffer)?;
            self.push(window.first_trace, n, bytes, stride)?;
            window.file.release(window.offset, n * window.stride);
            self.buffer = buffer;
            next += n as u64;
        }
        Ok(())
    }

    /// Takes `n` traces in place of those taken before; a header follows every `stride` bytes.
    pub(crate) fn take(&mut self, first_trace: u64, n: usize, bytes: &[u8], stride: usize) -> Result<()> {
        self.records.clear();
        self.push(first_trace, n, bytes, stride)
    }

    /// The keys of each trace taken.
    pub(crate) fn keys(&self) -> impl Iterator<Item = impl Iterator<Item = i64>> {
        let n = self.wanted.keys.len();
        let keys_of =
            move |record: &[u8]| record.as_chunks().0.iter().take(n).copied().map(i64::from_le_bytes).collect();
        self.records.chunks_exact(self.wanted.width()).map(keys_of).map(Vec::into_iter)
    }

    fn push(&mut self, first_trace: u64, n: usize, bytes: &[u8], stride: usize) -> Result<()> {
        let mut values = vec![0; self.wanted.keys.len()];
        for (trace, header) in (first_trace..).zip(bytes.chunks(stride)).take(n) {
            self.keys.read(header, &mut values);
            for ((key, value), seen) in self.wanted.keys.iter().zip(&mut values).zip(&mut self.seen) {
                if key.is_computed() {
                    *value = whole(f64::from_bits(*value as u64)).ok_or_else(|| {
                        Error::Input(format!("{} of trace {} is not a whole number", key.name, trace + 1))
                    })?;
                }
                if seen.last() != Some(value) {
                    seen.push(*value);
                }
                self.records.extend_from_slice(&value.to_le_bytes());
            }
            if self.wanted.counts_traces {
                self.records.extend_from_slice(&[0; 8]);
            }
            for coordinate in self.wanted.coordinates {
                self.records.extend_from_slice(&value_of(coordinate, header, self.order).to_le_bytes());
            }
            let last = header.get(LAST_BYTES..TRACE_HEADER_BYTES).unwrap_or_default();
            self.uses_last_bytes |= last.iter().any(|&byte| byte != 0);
        }
        Ok(())
    }
}

/// A coordinate of a trace, with its scalar applied.
pub(crate) fn value_of(coordinate: &Coordinate, header: &[u8], order: ByteOrder) -> f64 {
    let value = read_number(header, coordinate.first_byte, coordinate.kind, order);
    let scalar = |byte| read_integer(header, byte, FieldKind::I16, order) as i16;
    match (coordinate.given_scalar, coordinate.scalar) {
        (Some(given), _) => apply_given_scalar(value, given),
        (None, Some(byte)) => apply_scalar(value, scalar(byte)),
        (None, None) => value,
    }
}

/// A whole number that a key can be.
pub(crate) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
}

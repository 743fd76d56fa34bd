//! Reading the keys and coordinates of every trace into a temporary file, with one record for each trace in file order.

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
use crate::input::PlannedFile;
use crate::input::traces::{Inputs, Stretch, WINDOW_BYTES};
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

/// The records: for each trace its keys and coordinates, little-endian, eight bytes each.
pub struct Records {
    file: File,
    pub n_traces: u64,
    /// Keys, and the number of the trace at its place if that is counted.
    pub n_keys: usize,
    pub n_coordinates: usize,
    /// Whether some trace uses bytes 233 to 240 of its header.
    pub uses_last_bytes: bool,
    /// The distinct values of each key.
    pub values: Vec<BTreeSet<i64>>,
    /// Whether they follow from the headers of a few traces; coordinates are not in them then.
    pub is_probed: bool,
}

impl Records {
    /// Reads the headers of all traces.
    ///
    /// # Errors
    /// `Error::Input` for a key that is not a whole number, or has too many values for an axis.
    pub fn read(wanted: &Wanted, cancel: &CancelHandle) -> Result<Self> {
        let file = tempfile::tempfile().map_err(failed("a temporary file for the keys of the grid"))?;
        let n_traces = wanted.files.last().map_or(0, PlannedFile::end_trace);
        let n_keys = wanted.keys.len() + usize::from(wanted.counts_traces);
        let n_coordinates = wanted.coordinates.len();
        let found = Mutex::new((vec![BTreeSet::new(); wanted.keys.len()], false));
        let reader = || Reader::new(wanted);
        let read = |reader: &mut Reader, unit: u64, _: &Shared| {
            let traces = unit * UNIT_TRACES..((unit + 1) * UNIT_TRACES).min(n_traces);
            reader.read(&traces)?;
            let at = traces.start * ((n_keys + n_coordinates) * 8) as u64;
            file.write_all_at(&reader.records, at).map_err(failed("the keys of the grid"))?;
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.1 |= reader.uses_last_bytes;
            for (key, (values, seen)) in wanted.keys.iter().zip(found.0.iter_mut().zip(&mut reader.seen)) {
                values.extend(std::mem::take(seen));
                if values.len() > MOST_VALUES {
                    let name = &key.name;
                    return Err(Error::Input(format!(
                        "{name} has more than {MOST_VALUES} values; --bin {name}=FIRST:STEP, or {} in its place",
                        super::TRACE
                    )));
                }
            }
            Ok(())
        };
        for_each(n_threads(), 0..n_traces.div_ceil(UNIT_TRACES), cancel, &mut |_| {}, reader, read)?;
        let (values, uses_last_bytes) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { file, n_traces, n_keys, n_coordinates, uses_last_bytes, values, is_probed: false })
    }

    /// Records without coordinates, with the keys that `keys_of` a trace gives; `values` are those of each key.
    pub fn of_keys(
        wanted: &Wanted,
        values: &[Vec<i64>],
        uses_last_bytes: bool,
        keys_of: impl Fn(u64, &mut [i64]),
        cancel: &CancelHandle,
    ) -> Result<Self> {
        let file = tempfile::tempfile().map_err(failed("a temporary file for the keys of the grid"))?;
        let n_traces = wanted.files.last().map_or(0, PlannedFile::end_trace);
        let values = values.iter().map(|values| values.iter().copied().collect()).collect();
        let (n_keys, n_coordinates) = (wanted.keys.len(), wanted.coordinates.len());
        let records = Self { file, n_traces, n_keys, n_coordinates, uses_last_bytes, values, is_probed: true };
        let (mut keys, mut bytes) = (vec![0; n_keys], Vec::new());
        for block in 0..records.n_blocks() {
            cancel.check()?;
            bytes.clear();
            for trace in block * UNIT_TRACES..((block + 1) * UNIT_TRACES).min(n_traces) {
                keys_of(trace, &mut keys);
                bytes.extend(keys.iter().flat_map(|key| key.to_le_bytes()));
                bytes.extend(std::iter::repeat_n(0, n_coordinates * 8));
            }
            let at = block * UNIT_TRACES * records.width() as u64;
            records.file.write_all_at(&bytes, at).map_err(failed("the keys of the grid"))?;
        }
        Ok(records)
    }

    /// The temporary file that they are in.
    pub fn file(&self) -> &File {
        &self.file
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
            self.file.read_exact_at(&mut buffer, at).map_err(failed("the keys of the grid"))?;
            if change(traces.start, buffer.as_chunks_mut().0)? {
                self.file.write_all_at(&buffer, at).map_err(failed("the keys of the grid"))?;
            }
        }
        Ok(())
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> u64 {
        self.n_traces.div_ceil(UNIT_TRACES)
    }
}

/// Reads records; each thread has its own.
struct Reader<'a> {
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

impl<'a> Reader<'a> {
    fn new(wanted: &'a Wanted<'a>) -> Result<Self> {
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
            self.take(&window, n, bytes, stride)?;
            window.file.release(window.offset, n * window.stride);
            self.buffer = buffer;
            next += n as u64;
        }
        for seen in &mut self.seen {
            seen.sort_unstable();
            seen.dedup();
        }
        Ok(())
    }

    fn take(&mut self, window: &Stretch, n: usize, bytes: &[u8], stride: usize) -> Result<()> {
        let mut values = vec![0; self.wanted.keys.len()];
        for (trace, header) in (window.first_trace..).zip(bytes.chunks(stride)).take(n) {
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

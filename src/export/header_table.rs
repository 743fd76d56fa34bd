//! New values of header fields from a table: one row for each trace, written over the bytes of the header.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::error::{Error, Result, failed};
use crate::base::near_names::near_names;
use crate::base::system::FileExt;
use crate::dataset::{Dataset, OriginalFile, TraceSet};
use crate::export::cropped_headers::COUNT_BYTE;
use crate::export::place_map::{Dimension, PlaceMap, Positions, axis_values};
use crate::export::table_rows::{Numbers, TableRows};
use crate::grid::{Grid, TRACE};
use crate::segy::ByteOrder;
use crate::segy::fields::{FieldKind, TRACE_HEADER_BYTES, trace_fields};
use crate::segy::layout::InputFormat;
use crate::segy::samples::number::{Number, to_float32, to_float64, to_ibm, to_integer};

/// Bytes of new values that are written at a time.
const PIECE_BYTES: usize = 1 << 18;

/// What pandas calls the labels of rows when it writes them as a column.
const PANDAS_INDEX: &str = "__index_level_";

/// A header field that gets new values.
struct NewField {
    name: String,
    /// The number of the column in the table.
    column: usize,
    first_byte: usize,
    kind: FieldKind,
}

/// The new values, encoded, in a temporary file: those of each trace of the SEG-Y file one after the other.
pub(super) struct HeaderTable {
    fields: Vec<NewField>,
    /// Bytes of the values of a trace.
    row_bytes: usize,
    values: File,
    first_trace: u64,
    /// Bytes of the headers that say how long a trace is, from 0.
    lengths: Vec<Range<usize>>,
    n_changed: AtomicU64,
    n_traces: AtomicU64,
    /// Columns that are no header fields.
    pub left_out: Vec<String>,
}

impl HeaderTable {
    /// Reads the table for some traces of a file, each of which has to have one row.
    ///
    /// # Errors
    /// `Error::Input` for a table that does not belong to these traces, or has values that do not fit.
    pub(super) fn open(path: &Path, dataset: &Dataset, file: &OriginalFile, wanted: &TraceSet) -> Result<Self> {
        let wrong = |what: String| Error::Input(format!("{}: {what}", path.display()));
        let rows = TableRows::open(path).map_err(wrong)?;
        let join = Join::new(path, &rows.names, dataset, file)?;
        let (fields, left_out) = fields(&rows.names, &join, dataset, file).map_err(wrong)?;
        let row_bytes = fields.iter().map(|field| field.kind.size()).sum();
        let values = tempfile::tempfile().map_err(failed("a temporary file for new header values"))?;
        values
            .set_len((file.traces.end - file.traces.start) * row_bytes as u64)
            .map_err(failed("new header values"))?;
        let first_trace = file.traces.start;
        let counts = (AtomicU64::new(0), AtomicU64::new(0));
        let (n_changed, n_traces) = counts;
        let lengths = bytes_of_lengths(dataset);
        let table = Self { fields, row_bytes, values, first_trace, lengths, n_changed, n_traces, left_out };
        let seen = table.take(rows, &join, dataset, file, path)?;
        wanted.each(|trace| match seen.contains(trace) {
            true => Ok(()),
            false => Err(wrong(format!("has no row for trace {} of the file", trace - first_trace + 1))),
        })?;
        Ok(table)
    }

    /// Writes the new values of a trace over its headers.
    ///
    /// # Errors
    /// `Error::Input` for another length than the trace has.
    pub(super) fn apply(&self, trace: u64, headers: &mut [u8]) -> Result<()> {
        let mut row = vec![0; self.row_bytes];
        let offset = (trace - self.first_trace) * self.row_bytes as u64;
        self.values.read_exact_at(&mut row, offset).map_err(failed("new header values"))?;
        let (mut rest, mut n) = (row.as_slice(), 0);
        for field in &self.fields {
            let (new, after) = rest.split_at(field.kind.size());
            rest = after;
            let Some(place) = headers.get_mut(field.first_byte - 1..field.first_byte - 1 + new.len()) else { continue };
            if place == new {
                continue;
            }
            let is_other = |at: usize| place.get(at) != new.get(at);
            let tells_length =
                |at: &usize| self.lengths.iter().any(|bytes| bytes.contains(&(field.first_byte - 1 + at)));
            if (0..new.len()).filter(tells_length).any(is_other) {
                let trace = trace - self.first_trace + 1;
                return Err(Error::Input(format!(
                    "trace {trace}: the table changes {}, which says how long the trace is; leave that column out",
                    field.name
                )));
            }
            place.copy_from_slice(new);
            n += 1;
        }
        self.n_changed.fetch_add(n, Ordering::Relaxed);
        self.n_traces.fetch_add(u64::from(n > 0), Ordering::Relaxed);
        Ok(())
    }

    /// How many values became others, and in how many traces.
    pub(super) fn changed(&self) -> (u64, u64) {
        (self.n_changed.load(Ordering::Relaxed), self.n_traces.load(Ordering::Relaxed))
    }

    /// Encodes all rows. Returns the traces that have one.
    fn take(
        &self,
        rows: TableRows,
        join: &Join,
        dataset: &Dataset,
        file: &OriginalFile,
        path: &Path,
    ) -> Result<TraceSet> {
        let wrong = |what: String| Error::Input(format!("{}: {what}", path.display()));
        let columns: Vec<usize> = join.columns().chain(self.fields.iter().map(|field| field.column)).collect();
        let n_keys = join.columns().count();
        let mut seen = TraceSet::none(&file.traces);
        let mut piece = Piece { values: &self.values, offset: 0, bytes: Vec::new() };
        let mut number = 0_u64;
        let mut take = |batch: Vec<Numbers>| {
            let (keys, values) = batch.split_at(n_keys.min(batch.len()));
            for row in 0..keys.first().map_or(0, Vec::len) {
                number += 1;
                let in_row = |what: String| format!("row {number}: {what}");
                let key: Vec<Option<Number>> = keys.iter().map(|column| column[row]).collect();
                let trace = join.trace(&key).map_err(in_row)?;
                if !file.traces.contains(&trace) {
                    continue;
                }
                if seen.contains(trace) {
                    return Err(in_row(format!("it is the second one for trace {}", trace - self.first_trace + 1)));
                }
                seen.insert(trace);
                piece.start((trace - self.first_trace) * self.row_bytes as u64)?;
                for (field, column) in self.fields.iter().zip(values) {
                    field.encode(column[row], dataset.byte_order, &mut piece.bytes).map_err(in_row)?;
                }
            }
            Ok(())
        };
        rows.each(&columns, &mut take).map_err(wrong)?;
        piece.flush().map_err(wrong)?;
        Ok(seen.counted())
    }
}

/// Where headers say how long a trace is: its number of samples, in one of two places in a PASSCAL file; and in trace header
/// extension 1 (rev 2.1, table 4) that number again, and how many additional headers there are.
fn bytes_of_lengths(dataset: &Dataset) -> Vec<Range<usize>> {
    const COUNT: Range<usize> = COUNT_BYTE - 1..COUNT_BYTE + 1;
    const LONG_COUNT: Range<usize> = 228..232;
    const OF_EXTENSION: [Range<usize>; 2] = [136..140, 156..158];
    let is_long = dataset.input_format == InputFormat::Passcal;
    let extension = OF_EXTENSION.map(|bytes| TRACE_HEADER_BYTES + bytes.start..TRACE_HEADER_BYTES + bytes.end);
    [COUNT].into_iter().chain(is_long.then_some(LONG_COUNT)).chain(extension).collect()
}

/// New values that are written together.
struct Piece<'f> {
    values: &'f File,
    offset: u64,
    bytes: Vec<u8>,
}

impl Piece<'_> {
    /// Makes room for what comes at `offset`.
    fn start(&mut self, offset: u64) -> Result<(), String> {
        if offset != self.offset + self.bytes.len() as u64 || self.bytes.len() >= PIECE_BYTES {
            self.flush()?;
            self.offset = offset;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        let written = self.values.write_all_at(&self.bytes, self.offset);
        self.bytes.clear();
        written.map_err(|e| format!("its values cannot be kept in a temporary file: {e}"))
    }
}

/// How rows are joined to traces.
enum Join {
    /// By the number of the trace, in this column.
    Number { column: usize, name: &'static str, n_traces: u64 },
    /// By the keys of the grid.
    Keys { keys: Vec<JoinKey>, places: PlaceMap },
}

struct JoinKey {
    column: usize,
    name: String,
    axis: Positions,
    length: u64,
}

impl Join {
    fn new(path: &Path, names: &[String], dataset: &Dataset, file: &OriginalFile) -> Result<Self> {
        let column_of = |wanted: &str| names.iter().position(|name| name == wanted);
        let counts_traces = dataset.grid.as_ref().is_some_and(|grid| grid.keys.iter().any(|key| key.name == TRACE));
        let name = if counts_traces { "file_trace_index" } else { "trace_index" };
        if let Some(column) = column_of(name) {
            return Ok(Self::Number { column, name, n_traces: dataset.array.n_traces });
        }
        let keys = dataset.grid.as_ref().map(|grid| grid.keys.as_slice()).unwrap_or_default();
        let columns: Option<Vec<usize>> = keys.iter().map(|key| column_of(&key.name)).collect();
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else {
            let keys: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            let or = if keys.is_empty() { String::new() } else { format!(" and not all of {}", keys.join(", ")) };
            return Err(Error::Input(format!(
                "{}: has no column {name}{or}, so it does not say which trace a row is for",
                path.display()
            )));
        };
        let dimension = |key: &crate::grid::Key| Dimension {
            name: key.name.clone(),
            column: Grid::index_column(&key.name),
            length: key.n(),
            positions: Positions::Same,
            is_known: true,
        };
        let dimensions: Vec<Dimension> = keys.iter().map(dimension).collect();
        let (places, _) = PlaceMap::new(dataset, &file.traces, &dimensions, &path.display().to_string())?;
        let key = |(key, column): (&crate::grid::Key, usize)| {
            let axis = Positions::of(&axis_values(dataset, &key.name)?);
            let axis = axis.map_err(|value| Error::Input(format!("{} {value} is there twice", key.name)))?;
            Ok(JoinKey { column, name: key.name.clone(), axis, length: key.n() })
        };
        Ok(Self::Keys { keys: keys.iter().zip(columns).map(key).collect::<Result<_>>()?, places })
    }

    fn columns(&self) -> impl Iterator<Item = usize> {
        let columns: Vec<usize> = match self {
            Self::Number { column, .. } => vec![*column],
            Self::Keys { keys, .. } => keys.iter().map(|key| key.column).collect(),
        };
        columns.into_iter()
    }

    /// The trace that a row is for; beyond those of the file if it is one of another file.
    fn trace(&self, values: &[Option<Number>]) -> Result<u64, String> {
        let whole = |name: &str, value: Option<&Option<Number>>| match value.copied().flatten() {
            Some(Number::Integer(value)) => Ok(value as f64),
            Some(Number::Float(value)) if value.fract() == 0.0 => Ok(value),
            _ => Err(format!("its {name} is not a whole number")),
        };
        match self {
            Self::Number { name, n_traces, .. } => {
                let value = whole(name, values.first())?;
                let found = Positions::Same.find(value, *n_traces);
                found.ok_or_else(|| format!("{name} {value} is not in the dataset, which has {n_traces} traces"))
            }
            Self::Keys { keys, places } => {
                let (mut place, mut said) = (0, Vec::new());
                for (i, key) in keys.iter().enumerate() {
                    let value = whole(&key.name, values.get(i))?;
                    let at = key.axis.find(value, key.length);
                    place =
                        place * key.length + at.ok_or_else(|| format!("{} {value} is not in the dataset", key.name))?;
                    said.push(format!("{} {value}", key.name));
                }
                let found = places.traces(&(place..place + 1)).map_err(|e| e.to_string())?;
                let none = || format!("the file has no trace at {}", said.join(", "));
                found.first().copied().flatten().ok_or_else(none)
            }
        }
    }
}

/// The fields that columns of the table are named after, and the other columns of the dataset in it.
fn fields(
    names: &[String],
    join: &Join,
    dataset: &Dataset,
    file: &OriginalFile,
) -> Result<(Vec<NewField>, Vec<String>), String> {
    let (known, own) = known_fields(dataset, file);
    let keys: Vec<usize> = join.columns().collect();
    let (mut fields, mut left_out) = (Vec::new(), Vec::new());
    for (column, name) in names.iter().enumerate().filter(|(column, _)| !keys.contains(column)) {
        match known.iter().find(|(known, ..)| known == name) {
            Some((_, first_byte, kind)) if !matches!(kind, FieldKind::Text(_)) => {
                fields.push(NewField { name: name.clone(), column, first_byte: *first_byte as usize, kind: *kind });
            }
            Some(_) => left_out.push(name.clone()),
            None if name.starts_with(PANDAS_INDEX) => {}
            None if own.contains(name) => left_out.push(name.clone()),
            None => {
                let near = near_names(name, known.iter().map(|(name, ..)| name.as_str()));
                return Err(format!("its column {name} is no header field of the dataset; {near}"));
            }
        }
    }
    if fields.is_empty() { Err("has no column that is a header field".into()) } else { Ok((fields, left_out)) }
}

type KnownField = (String, u32, FieldKind);

/// The header fields of a dataset with their bytes, and the names of its other columns.
fn known_fields(dataset: &Dataset, file: &OriginalFile) -> (Vec<KnownField>, Vec<String>) {
    if dataset.columns.is_empty() {
        let fields = trace_fields(dataset.input_format, file.major_revision);
        return (fields.map(|field| (field.name.to_owned(), field.byte, field.kind)).collect(), Vec::new());
    }
    let place = |info: &crate::table::info::ColumnInfo| {
        let first_byte = info.first_byte.filter(|&byte| byte > 0)?;
        Some((info.name.clone(), first_byte, info.kind.parse().ok()?))
    };
    let (mut fields, mut others) = (Vec::new(), vec![crate::table::ENSEMBLE_ID.to_owned()]);
    for info in &dataset.columns {
        match place(info) {
            Some(field) => fields.push(field),
            None => others.push(info.name.clone()),
        }
    }
    (fields, others)
}

impl NewField {
    fn encode(&self, value: Option<Number>, order: ByteOrder, out: &mut Vec<u8>) -> Result<(), String> {
        let (name, kind) = (&self.name, self.kind);
        let value = value.ok_or_else(|| format!("its {name} is not a number"))?;
        if kind.is_integer() && matches!(value, Number::Float(value) if value.fract() != 0.0 && value.is_finite()) {
            return Err(format!("its {name} {value} is not a whole number, and the field is {kind}"));
        }
        let last_byte = self.first_byte + kind.size() - 1;
        let beyond =
            || format!("its {name} {value} is beyond {kind}, the type of bytes {}-{last_byte}", self.first_byte);
        let word = word(value, kind).ok_or_else(beyond)?;
        match order {
            ByteOrder::Big => out.extend_from_slice(&word.to_be_bytes()[8 - kind.size()..]),
            ByteOrder::Little => out.extend_from_slice(&word.to_le_bytes()[..kind.size()]),
        }
        Ok(())
    }
}

/// The word of a value, in the low bytes.
fn word(value: Number, kind: FieldKind) -> Option<u64> {
    match kind {
        FieldKind::I8 => to_integer::<1, false>(value),
        FieldKind::U8 => to_integer::<1, true>(value),
        FieldKind::I16 => to_integer::<2, false>(value),
        FieldKind::U16 => to_integer::<2, true>(value),
        FieldKind::I32 => to_integer::<4, false>(value),
        FieldKind::U32 => to_integer::<4, true>(value),
        FieldKind::I64 => to_integer::<8, false>(value),
        FieldKind::U64 => to_integer::<8, true>(value),
        FieldKind::F32 => to_float32(value),
        FieldKind::F64 => to_float64(value),
        FieldKind::Ibm32 => to_ibm(value),
        FieldKind::Text(_) => None,
    }
}

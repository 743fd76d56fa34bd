//! The columns of the table, as plain data for the plan and as Arrow and Parquet schemas.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::schema::types::SchemaDescPtr;
use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result, failed};
use crate::segy::fields::{FieldKind, TRACE_HEADER_BYTES, trace_fields};
use crate::segy::layout::InputFormat;
use crate::segy::samples::format::ByteOrder;
use crate::table::derived::{Angle, Degrees, RecordingTime};
use crate::table::formula::Computed;
use crate::table::info::ColumnInfo;

/// Rows per row group for trace headers of 240 bytes.
pub(crate) const ROW_GROUP_ROWS: u64 = 65_536;

/// Name of the first column: the number of the trace in the file, from 0.
const TRACE_INDEX: &str = "trace_index";
/// Name of the first column if a grid has the key `trace`, whose places need the other name.
const FILE_TRACE_INDEX: &str = "file_trace_index";
/// Name of the column with the number of the input file, from 0, if there are several.
pub(crate) const FILE_INDEX: &str = "file_index";
/// Name of the column with each trace's number of samples in its file, if they may differ.
pub(crate) const N_SAMPLES: &str = "n_samples";
/// Name of the column with the number of the trace in its file, from 0, if not all traces are taken.
pub(crate) const TRACE_IN_FILE: &str = "trace_in_file";
/// Name of the column with the time of the recording.
pub(crate) const RECORDING_TIME: &str = "recording_time";
/// Length of a place on an axis of a grid; like the marks, they follow the header bytes in a row.
const PLACE_BYTES: usize = 4;
/// Name of the last column: the header bytes as in the file.
pub(crate) const RAW_HEADER: &str = "raw_header";
/// Name of the column with the additional trace headers (rev 2), if the file has them.
pub(crate) const ADDITIONAL_HEADERS: &str = "additional_headers";
/// Flag for a trace whose stored samples are all zero.
pub(crate) const ZERO_TRACE: u8 = 1;
/// Flag for a trace whose samples in the file are byte for byte those of the trace before, and not all zero.
pub(crate) const DUPLICATE_TRACE: u8 = 2;
/// The trace identification code of a dead trace (SEG-Y rev 2.1, table 3, bytes 29-30).
const DEAD: i64 = 2;
/// First byte of the time scalar (SEG-Y rev 2.1, table 3). Times are not scaled.
const TIMES_SCALAR: u32 = 215;
/// Header bytes held at a time; with the rows per page, this limits a writer's memory.
const PAGE_BYTES: u64 = 1 << 20;
const MAX_PAGE_ROWS: u64 = 4096;

/// A column of `headers.parquet`: a header field with its raw value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// First byte, from 1, in the trace's headers; the first additional header begins at 241.
    pub first_byte: u32,
    pub kind: FieldKind,
    /// First byte of the field's int16 scalar, if it has one; this adds the float64 column `<name>_scaled`.
    pub scalar: Option<u32>,
    /// The scalar that the user gave in place of those in the headers.
    #[serde(default)]
    pub given_scalar: Option<i32>,
}

/// The columns of `headers.parquet` and how to read the headers: everything a worker needs to write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderTable {
    /// The header fields, in order.
    pub columns: Vec<Column>,
    /// Length of all headers of one trace: 240, plus 240 for each additional header.
    pub header_bytes: u32,
    /// Byte order of the header bytes.
    pub byte_order: ByteOrder,
    /// Rows in every row group but the last of the file.
    pub row_group_rows: u64,
    /// Whether every row group is a file of its own.
    #[serde(default)]
    pub in_parts: bool,
    /// Whether there is a column with the header bytes.
    pub raw_header: bool,
    /// Whether there are `is_zero` and `is_duplicate`, which need the samples.
    pub sample_flags: bool,
    /// Whether neighbouring bytes are swapped in the file; the raw columns keep them swapped.
    pub pairwise_swapped: bool,
    /// Columns computed from header fields.
    pub computed: Vec<Computed>,
    /// Whether there is a column with the number of the input file.
    pub file_index: bool,
    /// Whether there is a column with each trace's number of samples.
    pub n_samples: bool,
    /// Whether there is a column with each trace's number in its file.
    #[serde(default)]
    pub trace_in_file: bool,
    /// The keys of a grid: each has a column `<key>_index` with the place of the trace on that axis.
    #[serde(default)]
    pub grid_keys: Vec<String>,
    /// Where the time of the recording is read, if there is a column for it.
    #[serde(default)]
    pub recording_time: Option<RecordingTime>,
    /// Coordinates that have a column in degrees.
    #[serde(default)]
    pub degrees: Vec<Degrees>,
    /// What is known of each column, in their order.
    #[serde(default)]
    pub info: Vec<ColumnInfo>,
}

/// What is known about a trace besides its header bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Number of its file, from 0.
    pub file_index: u32,
    /// Number of its samples in the file.
    pub n_samples: u32,
    /// Its number in the file, from 0.
    pub in_file: u64,
}

/// The type of a column of numbers: as Zarr names it, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnType {
    pub name: &'static str,
    pub bytes: usize,
}

/// Where the values of a column come from. Offsets count from 0 in the header bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    TraceIndex,
    Field {
        offset: usize,
        kind: FieldKind,
    },
    /// A number after the header bytes that is not a header field: int32 or int64.
    Mark {
        offset: usize,
        kind: FieldKind,
    },
    Scaled {
        offset: usize,
        kind: FieldKind,
        scalar_offset: usize,
        /// Used in place of the scalar at the offset.
        given: Option<i32>,
    },
    /// The time of the recording; null if the fields are not a date.
    Time(RecordingTime),
    /// A coordinate in degrees; NaN stands for null.
    Degrees(Angle),
    /// A computed column, by index; NaN stands for null.
    Computed(usize),
    /// Whether a field has this value.
    Equals {
        offset: usize,
        kind: FieldKind,
        value: i64,
    },
    /// Whether the trace has this flag.
    Flag(u8),
    /// Bytes as in the file.
    RawBytes {
        offset: usize,
        width: usize,
        pairwise_swapped: bool,
    },
}

impl HeaderTable {
    /// The columns for the trace header in a file of this kind and major revision.
    pub fn standard_columns(kind: InputFormat, major_revision: u8) -> Vec<Column> {
        trace_fields(kind, major_revision)
            .map(|f| Column {
                name: f.name.to_owned(),
                first_byte: f.byte,
                kind: f.kind,
                scalar: f.scalar.filter(|&byte| byte != TIMES_SCALAR),
                given_scalar: None,
            })
            .collect()
    }

    /// The first column that differs in another table, in words.
    pub fn difference(&self, other: &Self) -> String {
        let place = |table: &Self, name: &str| match table.columns.iter().find(|c| c.name == name) {
            Some(c) => format!("at bytes {}-{} as {}", c.first_byte, c.first_byte as usize - 1 + c.kind.size(), c.kind),
            None => "no trace header field".into(),
        };
        let mut names = self.columns.iter().chain(&other.columns).map(|c| c.name.as_str());
        let differs = names.find(|name| place(self, name) != place(other, name));
        differs.map_or("the header tables differ".into(), |name| {
            format!("{name} is {} here and {} there", place(self, name), place(other, name))
        })
    }

    /// Rows per row group that keep a row group of headers of this length below 16 MiB, so that long headers need no
    /// more memory than those of 240 bytes. The latter get up to four times as many rows if `n_traces` would
    /// otherwise give more than 1000 row groups, each of which costs readers 14 kB of metadata; and all get as many
    /// as needed to keep the number of row groups within its limit.
    pub fn default_row_group_rows(header_bytes: u32, n_traces: u64) -> u64 {
        const MANY_GROUPS: u64 = 1000;
        const MOST_GROUPS: u64 = i16::MAX as u64;
        let times_standard = u64::from(header_bytes).div_ceil(240).max(1);
        let least = (ROW_GROUP_ROWS / times_standard.next_power_of_two()).max(1);
        let enough = |n_groups: u64| n_traces.div_ceil(n_groups).div_ceil(least).max(1).next_power_of_two();
        let most_times = if least == ROW_GROUP_ROWS { 4 } else { 1 };
        least * enough(MANY_GROUPS).min(most_times).max(enough(MOST_GROUPS))
    }

    /// The Arrow schema of the file. Only computed columns have nulls.
    pub fn arrow_schema(&self) -> SchemaRef {
        let info =
            |name: &str| self.info.iter().find(|info| info.name == name).map(ColumnInfo::metadata).unwrap_or_default();
        let field = |(name, source): (String, Source)| {
            let metadata = info(&name);
            Field::new(name, source.arrow_type(), source.is_nullable()).with_metadata(metadata)
        };
        let fields: Vec<Field> = self.leaves().map(field).collect();
        Arc::new(Schema::new(fields))
    }

    /// The Parquet schema of the file.
    pub(crate) fn parquet_schema(&self) -> Result<SchemaDescPtr> {
        let converted = ArrowSchemaConverter::new().convert(&self.arrow_schema());
        Ok(Arc::new(converted.map_err(failed("the columns of the header table"))?))
    }

    /// All columns of the file in order: name and source of the values.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (String, Source)> {
        let fields = self.columns.iter().flat_map(|column| {
            let (offset, kind) = (offset(column.first_byte), column.kind);
            let raw = (column.name.clone(), Source::Field { offset, kind });
            let scaled = column.scalar.map(|scalar| {
                let given = column.given_scalar;
                let source = Source::Scaled { offset, kind, scalar_offset: self::offset(scalar), given };
                (format!("{}_scaled", column.name), source)
            });
            std::iter::once(raw).chain(scaled)
        });
        // The standard header comes last.
        let width = self.header_bytes as usize;
        let standard = width.min(TRACE_HEADER_BYTES);
        let raw = [(ADDITIONAL_HEADERS, standard, width - standard), (RAW_HEADER, 0, standard)];
        let raw = raw.into_iter().filter(|&(_, _, width)| self.raw_header && width > 0);
        let pairwise_swapped = self.pairwise_swapped;
        let raw = raw
            .map(move |(name, offset, width)| (name.to_owned(), Source::RawBytes { offset, width, pairwise_swapped }));
        let computed = self.computed.iter().enumerate().map(|(i, c)| (c.name.clone(), Source::Computed(i)));
        let flags = [
            ("is_dead", self.is_dead()),
            ("is_zero", Source::Flag(ZERO_TRACE)),
            ("is_duplicate", Source::Flag(DUPLICATE_TRACE)),
        ];
        let known = flags.into_iter().filter(|(_, source)| self.sample_flags || !matches!(source, Source::Flag(_)));
        let flags = known.map(|(name, source)| (name.to_owned(), source));
        let marks = self.marks().scan(width, |next, (name, kind)| {
            let offset = *next;
            *next += kind.size();
            Some((name, Source::Mark { offset, kind }))
        });
        let first = std::iter::once((self.first_column().to_owned(), Source::TraceIndex));
        let time = self.recording_time.map(|time| (RECORDING_TIME.to_owned(), Source::Time(time)));
        let degrees = self.degrees.iter().map(|d| (d.name.clone(), Source::Degrees(d.angle)));
        first.chain(marks).chain(fields).chain(time).chain(degrees).chain(computed).chain(flags).chain(raw)
    }

    /// How to tell a dead trace: by its trace identification code, wherever that is.
    pub(crate) fn is_dead(&self) -> Source {
        let code = self.columns.iter().find(|c| c.name == "trace_id_code" && c.kind.is_integer());
        let (first_byte, kind) = code.map_or((29, FieldKind::I16), |c| (c.first_byte, c.kind));
        Source::Equals { offset: offset(first_byte), kind, value: DEAD }
    }

    /// The names and types of what follows the header bytes in a row.
    fn marks(&self) -> impl Iterator<Item = (String, FieldKind)> {
        let of_files = [
            (FILE_INDEX, FieldKind::I32, self.file_index),
            (N_SAMPLES, FieldKind::I32, self.n_samples),
            (TRACE_IN_FILE, FieldKind::I64, self.trace_in_file),
        ];
        let of_files = of_files.into_iter().filter(|(.., is_there)| *is_there);
        let of_files = of_files.map(|(name, kind, _)| (name.to_owned(), kind));
        of_files.chain(self.grid_keys.iter().map(|key| (format!("{key}_index"), FieldKind::I32)))
    }

    /// Name of the first column, unless the key `trace` of a grid has a column of that name.
    fn first_column(&self) -> &'static str {
        if self.grid_keys.iter().any(|key| key == "trace") { FILE_TRACE_INDEX } else { TRACE_INDEX }
    }

    /// Bytes of a trace's places on the axes of a grid, which follow its marks.
    pub(crate) fn place_bytes(&self) -> usize {
        self.grid_keys.len() * PLACE_BYTES
    }

    /// Length of one buffered row: the trace's header bytes and its marks.
    pub(crate) fn row_bytes(&self) -> usize {
        self.header_bytes as usize + self.marks().map(|(_, kind)| kind.size()).sum::<usize>()
    }

    /// The marks of a trace as they follow its header bytes, in the byte order of the table.
    pub(crate) fn mark_bytes(&self, mark: Mark) -> Vec<u8> {
        let values = [
            (u64::from(mark.file_index), 4, self.file_index),
            (u64::from(mark.n_samples), 4, self.n_samples),
            (mark.in_file, 8, self.trace_in_file),
        ];
        let values = values.into_iter().filter(|(.., is_there)| *is_there);
        let bytes = |(value, n, _): (u64, usize, bool)| match self.byte_order {
            ByteOrder::Big => value.to_be_bytes()[8 - n..].to_vec(),
            ByteOrder::Little => value.to_le_bytes()[..n].to_vec(),
        };
        values.flat_map(bytes).collect()
    }

    /// Rows in every page but the last of a row group.
    pub(crate) fn page_rows(&self) -> u64 {
        let fitting = PAGE_BYTES / u64::from(self.header_bytes).max(1);
        1 << fitting.clamp(1, MAX_PAGE_ROWS).ilog2()
    }

    /// The type of a column that workers write; `None` if there is no such column of numbers.
    pub(crate) fn type_of(&self, column: &str) -> Option<ColumnType> {
        let (_, source) = self.leaves().find(|(name, _)| name == column)?;
        let (name, bytes) = match source.arrow_type() {
            DataType::Boolean => ("bool", 1),
            DataType::Int8 => ("int8", 1),
            DataType::UInt8 => ("uint8", 1),
            DataType::Int16 => ("int16", 2),
            DataType::UInt16 => ("uint16", 2),
            DataType::Int32 => ("int32", 4),
            DataType::UInt32 => ("uint32", 4),
            DataType::Int64 | DataType::Timestamp(..) => ("int64", 8),
            DataType::UInt64 => ("uint64", 8),
            DataType::Float32 => ("float32", 4),
            DataType::Float64 => ("float64", 8),
            _ => return None,
        };
        Some(ColumnType { name, bytes })
    }

    /// Whether the headers of a trace have all these fields, by their first bytes.
    pub(crate) fn holds(&self, mut fields: impl Iterator<Item = (u32, FieldKind)>) -> bool {
        let end = |(first, kind): (u32, FieldKind)| Some(first.checked_sub(1)? as usize + kind.size());
        fields.all(|field| end(field).is_some_and(|end| end <= self.header_bytes as usize))
    }

    /// The places that derived columns are read from.
    pub(crate) fn derived_places(&self) -> impl Iterator<Item = (u32, FieldKind)> {
        let time = self.recording_time.iter().flat_map(RecordingTime::places);
        time.chain(self.degrees.iter().flat_map(|d| d.angle.places()))
    }

    /// Refuses an impossible table: fields outside the header, two columns with the same name. The table comes from
    /// `plan.json`, written by another process.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Failed(format!("the plan of the header table is not valid: {what}")));
        if self.row_group_rows == 0 || self.header_bytes == 0 {
            return refuse("row groups and headers cannot be empty".to_owned());
        }
        for column in &self.columns {
            if !self.holds(fields_of(column.first_byte, column.kind, column.scalar)) {
                return refuse(format!("{} lies outside the {} header bytes", column.name, self.header_bytes));
            }
            if column.scalar.is_some() && matches!(column.kind, FieldKind::Text(_)) {
                return refuse(format!("{} is text and cannot be scaled", column.name));
            }
        }
        for input in self.computed.iter().flat_map(|c| &c.inputs) {
            let is_held = self.holds(fields_of(input.first_byte, input.kind, input.scalar));
            if !is_held || matches!(input.kind, FieldKind::Text(_)) {
                return refuse(format!("a computed column reads outside the {} header bytes", self.header_bytes));
            }
        }
        let is_text = |(_, kind): (u32, FieldKind)| matches!(kind, FieldKind::Text(_));
        if !self.holds(self.derived_places()) || self.derived_places().any(is_text) {
            return refuse(format!("a derived column reads outside the {} header bytes", self.header_bytes));
        }
        let mut names = HashSet::new();
        match self.leaves().map(|(name, _)| name).find(|name| !names.insert(name.clone())) {
            Some(name) => refuse(format!("it has two columns \"{name}\"")),
            None => Ok(()),
        }
    }
}

impl Source {
    fn arrow_type(self) -> DataType {
        match self {
            Self::TraceIndex => DataType::Int64,
            Self::Mark { kind: FieldKind::I64, .. } => DataType::Int64,
            Self::Mark { .. } => DataType::Int32,
            Self::Scaled { .. } | Self::Computed(_) | Self::Degrees(_) => DataType::Float64,
            Self::Time(time) => DataType::Timestamp(TimeUnit::Nanosecond, time.is_utc.then(|| "UTC".into())),
            Self::Equals { .. } | Self::Flag(_) => DataType::Boolean,
            Self::RawBytes { width, .. } => DataType::FixedSizeBinary(i32::try_from(width).unwrap_or(i32::MAX)),
            Self::Field { kind, .. } => match kind {
                FieldKind::I8 => DataType::Int8,
                FieldKind::U8 => DataType::UInt8,
                FieldKind::I16 => DataType::Int16,
                FieldKind::U16 => DataType::UInt16,
                FieldKind::I32 => DataType::Int32,
                FieldKind::U32 => DataType::UInt32,
                FieldKind::I64 => DataType::Int64,
                FieldKind::U64 => DataType::UInt64,
                FieldKind::F32 => DataType::Float32,
                FieldKind::F64 | FieldKind::Ibm32 => DataType::Float64,
                FieldKind::Text(_) => DataType::Utf8,
            },
        }
    }

    /// Whether a header has the value that `Equals` looks for.
    pub(crate) fn holds(self, header: &[u8], order: ByteOrder) -> bool {
        match self {
            Self::Equals { offset, kind, value } if offset + kind.size() <= header.len() => {
                crate::table::read_integer(header, offset as u32 + 1, kind, order) == value
            }
            _ => false,
        }
    }

    pub(crate) fn is_nullable(self) -> bool {
        matches!(self, Self::Computed(_) | Self::Time(_) | Self::Degrees(_))
    }

    /// Whether the values are constant, given that `changed` (one byte per header byte, and one for the trace flags)
    /// is 0 for constant bytes. For computed columns see `Formula::is_constant`.
    pub(crate) fn is_constant(self, changed: &[u8]) -> bool {
        let same = |offset: usize, size: usize| changed[offset..offset + size].iter().all(|&c| c == 0);
        match self {
            Self::TraceIndex | Self::RawBytes { .. } | Self::Computed(_) => false,
            Self::Equals { offset, kind, .. } => same(offset, kind.size()),
            Self::Flag(flag) => changed.last().is_some_and(|c| c & flag == 0),
            Self::Field { offset, kind } => same(offset, kind.size()),
            Self::Mark { offset, kind } => same(offset, kind.size()),
            Self::Scaled { offset, kind, scalar_offset, given } => {
                same(offset, kind.size()) && (given.is_some() || same(scalar_offset, 2))
            }
            Self::Time(time) => time.places().all(|(byte, kind)| same(self::offset(byte), kind.size())),
            Self::Degrees(angle) => angle.places().all(|(byte, kind)| same(self::offset(byte), kind.size())),
        }
    }
}

/// The fields that a column or an input of a formula is made of, by their first bytes: its own, and its scalar.
pub(crate) fn fields_of(
    first_byte: u32,
    kind: FieldKind,
    scalar: Option<u32>,
) -> impl Iterator<Item = (u32, FieldKind)> {
    std::iter::once((first_byte, kind)).chain(scalar.map(|byte| (byte, FieldKind::I16)))
}

/// The offset, from 0, of a byte counted from 1.
fn offset(first_byte: u32) -> usize {
    first_byte.saturating_sub(1) as usize
}

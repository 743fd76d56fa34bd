//! From header bytes to column values.

use crate::parquet::values::Values;
use crate::segy::fields::FieldKind;
use crate::segy::samples::format::ByteOrder;
use crate::segy::samples::ibm;
use crate::segy::text;
use crate::segy::{apply_given_scalar, apply_scalar};
use crate::table::columns::Source;
use crate::table::formula::Formula;

/// Consecutive headers.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub bytes: &'a [u8],
    /// Length of a row in bytes.
    pub width: usize,
    pub order: ByteOrder,
    /// Number of the trace in the first row, from 0.
    pub first_trace: u64,
    /// The flags of each trace, see `ZERO_TRACE`.
    pub flags: &'a [u8],
    pub formulas: &'a [Formula],
    /// One byte per byte of a row, 0 if all rows have the same value; empty if unknown.
    pub changed: &'a [u8],
}

/// Reads a number of type `$t` in the byte order of `$rows` and converts each value to `$result`.
macro_rules! numbers {
    ($rows:expr, $offset:expr, $t:ty, |$value:ident| $result:expr) => {
        match $rows.order {
            ByteOrder::Big => $rows.fields($offset, |bytes| {
                let $value = <$t>::from_be_bytes(bytes);
                $result
            }),
            ByteOrder::Little => $rows.fields($offset, |bytes| {
                let $value = <$t>::from_le_bytes(bytes);
                $result
            }),
        }
    };
}

impl Rows<'_> {
    pub(crate) fn n_rows(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// Bytes `offset..offset + width` of every row, one after the other, in `raw` if they do not lie so already.
    pub(crate) fn stored<'b>(
        &'b self,
        offset: usize,
        width: usize,
        pairwise_swapped: bool,
        raw: &'b mut Vec<u8>,
    ) -> &'b [u8] {
        if width == self.width && !pairwise_swapped {
            return self.bytes;
        }
        let rows = self.bytes.chunks_exact(self.width);
        raw.clear();
        raw.reserve(self.n_rows() * width);
        rows.for_each(|row| raw.extend_from_slice(&row[offset..offset + width]));
        if pairwise_swapped {
            raw.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        raw
    }

    /// The values of a column. `RawBytes` has none: see `Rows::stored`.
    pub(crate) fn values(&self, source: Source) -> Values {
        match source {
            Source::TraceIndex => {
                let n = self.n_rows() as i64;
                let first = self.first_trace as i64;
                Values::Int64((first..first + n).collect())
            }
            Source::Field { offset, kind } => self.raw(offset, kind),
            Source::Mark { offset, kind } => self.raw(offset, kind),
            Source::Scaled { offset, kind, given: Some(given), .. } => {
                let values = self.as_f64(offset, kind);
                Values::Double(values.into_iter().map(|v| apply_given_scalar(v, given)).collect())
            }
            Source::Time(time) => Values::NullableInt64(
                self.bytes.chunks_exact(self.width).map(|row| time.value(row, self.order)).collect(),
            ),
            Source::Degrees(angle) => {
                Values::Nullable(self.bytes.chunks_exact(self.width).map(|row| angle.value(row, self.order)).collect())
            }
            Source::Scaled { offset, kind, scalar_offset, given: None } => {
                let mut values = self.as_f64(offset, kind);
                let of_scalars = match self.changed.get(scalar_offset..scalar_offset + 2) {
                    Some([0, 0]) => Rows { bytes: self.bytes.get(..self.width).unwrap_or_default(), ..*self },
                    _ => *self,
                };
                let scalars: Vec<i16> = numbers!(of_scalars, scalar_offset, i16, |v| v);
                scale(&mut values, &scalars);
                Values::Double(values)
            }
            Source::Computed(i) => Values::Nullable(self.formulas.get(i).map_or(Vec::new(), |f| f.values(self))),
            Source::Equals { offset, kind, value } => {
                let rows = self.bytes.chunks_exact(self.width);
                let equals = |row| read_integer(row, offset as u32 + 1, kind, self.order) == value;
                Values::Bool(rows.map(equals).collect())
            }
            Source::Flag(flag) => Values::Bool(self.flags.iter().map(|f| f & flag != 0).collect()),
            Source::RawBytes { .. } => Values::Text(Vec::new()),
        }
    }

    fn raw(&self, offset: usize, kind: FieldKind) -> Values {
        match kind {
            FieldKind::I8 => Values::Int32(numbers!(self, offset, i8, |v| i32::from(v))),
            FieldKind::U8 => Values::Int32(numbers!(self, offset, u8, |v| i32::from(v))),
            FieldKind::I16 => Values::Int32(numbers!(self, offset, i16, |v| i32::from(v))),
            FieldKind::U16 => Values::Int32(numbers!(self, offset, u16, |v| i32::from(v))),
            FieldKind::I32 | FieldKind::U32 => Values::Int32(numbers!(self, offset, i32, |v| v)),
            FieldKind::I64 | FieldKind::U64 => Values::Int64(numbers!(self, offset, i64, |v| v)),
            FieldKind::F32 => Values::Float(numbers!(self, offset, f32, |v| v)),
            FieldKind::F64 => Values::Double(numbers!(self, offset, f64, |v| v)),
            FieldKind::Ibm32 => Values::Double(numbers!(self, offset, u32, |v| ibm::exact(v))),
            FieldKind::Text(n) => {
                let field = |row: &[u8]| text::decode_field(&row[offset..offset + usize::from(n)]);
                Values::Text(self.bytes.chunks_exact(self.width).map(field).collect())
            }
        }
    }

    /// Whether a column has the same value in all rows, according to `changed`.
    pub(crate) fn is_constant(&self, source: Source) -> bool {
        match source {
            Source::Computed(i) => self.formulas.get(i).is_some_and(|f| f.is_constant(self.changed)),
            source => source.is_constant(self.changed),
        }
    }

    /// A number of any type as a double; integers beyond 2^53 are rounded.
    pub(crate) fn as_f64(&self, offset: usize, kind: FieldKind) -> Vec<f64> {
        match kind {
            FieldKind::I8 => numbers!(self, offset, i8, |v| f64::from(v)),
            FieldKind::U8 => numbers!(self, offset, u8, |v| f64::from(v)),
            FieldKind::I16 => numbers!(self, offset, i16, |v| f64::from(v)),
            FieldKind::U16 => numbers!(self, offset, u16, |v| f64::from(v)),
            FieldKind::I32 => numbers!(self, offset, i32, |v| f64::from(v)),
            FieldKind::U32 => numbers!(self, offset, u32, |v| f64::from(v)),
            FieldKind::I64 => numbers!(self, offset, i64, |v| v as f64),
            FieldKind::U64 => numbers!(self, offset, u64, |v| v as f64),
            FieldKind::F32 => numbers!(self, offset, f32, |v| f64::from(v)),
            FieldKind::F64 => numbers!(self, offset, f64, |v| v),
            FieldKind::Ibm32 => numbers!(self, offset, u32, |v| ibm::exact(v)),
            FieldKind::Text(_) => Vec::new(),
        }
    }

    /// Applies `f` to the N bytes at `offset` of every row.
    #[inline(always)]
    fn fields<const N: usize, T: Default + Clone>(&self, offset: usize, f: impl Fn([u8; N]) -> T) -> Vec<T> {
        let rows = self.bytes.chunks_exact(self.width);
        // Checked once here, so that it need not be checked for every row.
        if offset + N > self.width {
            return vec![T::default(); rows.len()];
        }
        let field = |row: &[u8]| row[offset..offset + N].first_chunk().map_or_else(T::default, |bytes| f(*bytes));
        rows.map(field).collect()
    }
}

/// Applies to each value its own trace's scalar, or a single scalar to all.
fn scale(values: &mut [f64], scalars: &[i16]) {
    let Some((&first, others)) = scalars.split_first() else { return };
    if others.iter().all(|&scalar| scalar == first) {
        // Nearly every file has only one scalar; then the loop is vectorised.
        values.iter_mut().for_each(|v| *v = apply_scalar(*v, first));
    } else {
        values.iter_mut().zip(scalars).for_each(|(v, &scalar)| *v = apply_scalar(*v, scalar));
    }
}

/// The value of a field of any number type as a double; NaN for text.
///
/// # Panics
/// If the field does not lie within `header`.
pub(crate) fn read_number(header: &[u8], first_byte: u32, kind: FieldKind, order: ByteOrder) -> f64 {
    let bits = || read_integer(header, first_byte, kind, order);
    match kind {
        FieldKind::F32 => f64::from(f32::from_bits(bits() as u32)),
        FieldKind::F64 => f64::from_bits(bits() as u64),
        FieldKind::Ibm32 => ibm::exact(bits() as u32),
        FieldKind::U64 => bits() as u64 as f64,
        FieldKind::Text(_) => f64::NAN,
        _ => bits() as f64,
    }
}

/// Writes a number into a field of a header; bytes count from 1. It is rounded, and kept within what the type holds; text and
/// IBM singles stay as they are.
///
/// # Panics
/// If the field does not lie within `header`.
pub(crate) fn write_number(header: &mut [u8], first_byte: u32, kind: FieldKind, order: ByteOrder, value: f64) {
    let start = first_byte as usize - 1;
    let place = &mut header[start..start + kind.size()];
    macro_rules! put {
        ($value:expr) => {
            place.copy_from_slice(&$value.to_be_bytes())
        };
    }
    let whole = value.round_ties_even();
    match kind {
        FieldKind::I8 => put!((whole as i8)),
        FieldKind::U8 => put!((whole as u8)),
        FieldKind::I16 => put!((whole as i16)),
        FieldKind::U16 => put!((whole as u16)),
        FieldKind::I32 => put!((whole as i32)),
        FieldKind::U32 => put!((whole as u32)),
        FieldKind::I64 => put!((whole as i64)),
        FieldKind::U64 => put!((whole as u64)),
        FieldKind::F32 => put!((value as f32)),
        FieldKind::F64 => put!(value),
        FieldKind::Ibm32 | FieldKind::Text(_) => return,
    }
    if order == ByteOrder::Little {
        place.reverse();
    }
}

/// One integer field of a header; bytes count from 1. A uint64 beyond the range of int64 wraps around, so it stays
/// distinct but loses its order. A field that is not an integer gives its bits, which is enough to distinguish
/// values.
///
/// # Panics
/// If the field does not lie within `header`.
pub(crate) fn read_integer(header: &[u8], first_byte: u32, kind: FieldKind, order: ByteOrder) -> i64 {
    let start = first_byte as usize - 1;
    let bytes = &header[start..start + kind.size()];
    let push = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    let unsigned = match (order, bytes) {
        (ByteOrder::Big, &[a, b]) => u16::from_be_bytes([a, b]).into(),
        (ByteOrder::Big, &[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]).into(),
        (ByteOrder::Little, &[a, b]) => u16::from_le_bytes([a, b]).into(),
        (ByteOrder::Little, &[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]).into(),
        (ByteOrder::Big, _) => bytes.iter().fold(0, push),
        (ByteOrder::Little, _) => bytes.iter().rev().fold(0, push),
    };
    match kind {
        FieldKind::I8 => i64::from(unsigned as i8),
        FieldKind::I16 => i64::from(unsigned as i16),
        FieldKind::I32 => i64::from(unsigned as i32),
        _ => unsigned as i64,
    }
}

//! The values of a column in the physical types that Parquet stores, and how pages hold them.

use arrow::datatypes::ToByteSlice;
use parquet::basic::Encoding;

use crate::parquet::encodings;

/// The values of one column over some rows. Integers shorter than 32 bits and uint32 are held as int32, uint64 as
/// int64, bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<String>),
    Bool(Vec<bool>),
    /// Doubles of a nullable column: NaN is null.
    Nullable(Vec<f64>),
    /// Numbers of a nullable column: the smallest number is null.
    NullableInt64(Vec<i64>),
}

/// Whether a number of a nullable column is null.
fn is_null(value: i64) -> bool {
    value == i64::MIN
}

impl Values {
    pub(crate) fn n_rows(&self) -> usize {
        match self {
            Self::Int32(v) => v.len(),
            Self::Int64(v) | Self::NullableInt64(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Double(v) | Self::Nullable(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    pub(crate) fn n_nulls(&self) -> usize {
        match self {
            Self::Nullable(v) => v.iter().filter(|v| v.is_nan()).count(),
            Self::NullableInt64(v) => v.iter().filter(|v| is_null(**v)).count(),
            _ => 0,
        }
    }

    /// The first value `n` times.
    pub(crate) fn repeat_first(mut self, n: usize) -> Self {
        fn repeat<T: Clone>(values: &mut Vec<T>, n: usize) {
            if let Some(first) = values.first().cloned() {
                values.clear();
                values.resize(n, first);
            }
        }
        match &mut self {
            Self::Int32(v) => repeat(v, n),
            Self::Int64(v) | Self::NullableInt64(v) => repeat(v, n),
            Self::Float(v) => repeat(v, n),
            Self::Double(v) | Self::Nullable(v) => repeat(v, n),
            Self::Bool(v) => repeat(v, n),
            Self::Text(v) => repeat(v, n),
        }
        self
    }

    /// Appends the values as numbers of `width` bytes, little-endian; booleans as 0 and 1. Text has none.
    pub(crate) fn append_numbers(&self, width: usize, out: &mut Vec<u8>) {
        match self {
            Self::Int32(v) if width == 1 => out.extend(v.iter().map(|&v| v as u8)),
            Self::Int32(v) if width == 2 => out.extend(v.iter().flat_map(|&v| (v as u16).to_le_bytes())),
            Self::Int32(v) => out.extend_from_slice(v.to_byte_slice()),
            Self::Int64(v) | Self::NullableInt64(v) => out.extend_from_slice(v.to_byte_slice()),
            Self::Float(v) => out.extend_from_slice(v.to_byte_slice()),
            Self::Double(v) => out.extend_from_slice(v.to_byte_slice()),
            // Any NaN stands for null.
            Self::Nullable(v) => {
                out.extend(v.iter().flat_map(|v| if v.is_nan() { f64::NAN } else { *v }.to_le_bytes()))
            }
            Self::Bool(v) => out.extend(v.iter().map(|&v| u8::from(v))),
            Self::Text(_) => {}
        }
    }

    /// Appends a page of values that vary, and returns its encoding. DELTA_BINARY_PACKED suits counters and
    /// coordinates; doubles compress better with their first bytes together, then their second bytes, and so on.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Encoding {
        match self {
            Self::Int32(v) => encodings::delta_binary_packed(v, out),
            Self::Int64(v) => encodings::delta_binary_packed(v, out),
            Self::Float(v) => encodings::split_bytes(&v.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>(), out),
            Self::Double(v) => encodings::split_bytes(&v.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>(), out),
            Self::Text(v) => encodings::plain_text(v, out),
            Self::Bool(v) => encodings::hybrid_bits(v.len(), |i| v[i], out),
            Self::Nullable(v) => {
                encodings::hybrid_bits(v.len(), |i| !v[i].is_nan(), out);
                let not_null = v.iter().filter(|v| !v.is_nan()).map(|v| v.to_le_bytes());
                encodings::split_bytes(&not_null.collect::<Vec<_>>(), out);
            }
            Self::NullableInt64(v) => {
                encodings::hybrid_bits(v.len(), |i| !is_null(v[i]), out);
                let not_null: Vec<i64> = v.iter().copied().filter(|v| !is_null(*v)).collect();
                if not_null.is_empty() {
                    return Encoding::PLAIN;
                }
                encodings::delta_binary_packed(&not_null, out);
            }
        }
        match self {
            Self::Int32(_) | Self::Int64(_) | Self::NullableInt64(_) => Encoding::DELTA_BINARY_PACKED,
            Self::Float(_) | Self::Double(_) | Self::Nullable(_) => Encoding::BYTE_STREAM_SPLIT,
            Self::Bool(_) => Encoding::RLE,
            Self::Text(_) => Encoding::PLAIN,
        }
    }

    /// Appends a dictionary of these values, which have no nulls. Booleans have no dictionary.
    pub(crate) fn encode_dictionary(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int32(v) => out.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Self::Int64(v) | Self::NullableInt64(v) => out.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Self::Float(v) => out.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Self::Double(v) | Self::Nullable(v) => out.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Self::Bool(_) => {}
            Self::Text(v) => encodings::plain_text(v, out),
        }
    }
}

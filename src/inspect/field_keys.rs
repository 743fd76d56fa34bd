//! Header fields as 64-bit keys: equal keys mean equal values, and keys sort like their values. So the same code
//! compares, counts and subtracts fields of every type.

use serde::Serialize;

use crate::segy::fields::FieldKind;
use crate::segy::samples::ibm;
use crate::segy::{ByteOrder, text};
use crate::table::Column;

/// The value of a header field.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// A signed integer.
    Integer(i64),
    /// A uint64.
    Unsigned(u64),
    /// A float, IBM or IEEE.
    Float(f64),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

impl Number {
    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        match *self {
            Self::Integer(value) => value as f64,
            Self::Unsigned(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// Consecutive headers, as the scan holds them.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a> {
    /// The headers, `width` bytes each.
    pub bytes: &'a [u8],
    /// Length of one trace's headers in bytes.
    pub width: usize,
    /// Byte order of the numbers.
    pub order: ByteOrder,
}

/// Fills `$keys` with `$key` applied to the number of type `$t` at `$offset` of each header.
macro_rules! keys_of {
    ($self:expr, $offset:expr, $keys:expr, $t:ty, |$value:ident| $key:expr) => {
        match $self.order {
            ByteOrder::Big => $self.each($offset, $keys, |bytes| {
                let $value = <$t>::from_be_bytes(bytes);
                $key
            }),
            ByteOrder::Little => $self.each($offset, $keys, |bytes| {
                let $value = <$t>::from_le_bytes(bytes);
                $key
            }),
        }
    };
}

impl<'a> Headers<'a> {
    /// How many headers there are.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks whether there are any")]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// Only the first trace's headers.
    pub(crate) fn first(&self) -> Headers<'a> {
        Headers { bytes: &self.bytes[..self.width.min(self.bytes.len())], ..*self }
    }

    /// Replaces `keys` with this column's key in every header.
    pub(crate) fn keys(&self, column: &Column, keys: &mut Vec<i64>) {
        keys.clear();
        let offset = column.first_byte as usize - 1;
        match column.kind {
            FieldKind::I8 => keys_of!(self, offset, keys, i8, |v| i64::from(v)),
            FieldKind::U8 => keys_of!(self, offset, keys, u8, |v| i64::from(v)),
            FieldKind::I16 => keys_of!(self, offset, keys, i16, |v| i64::from(v)),
            FieldKind::U16 => keys_of!(self, offset, keys, u16, |v| i64::from(v)),
            FieldKind::I32 => keys_of!(self, offset, keys, i32, |v| i64::from(v)),
            FieldKind::U32 => keys_of!(self, offset, keys, u32, |v| i64::from(v)),
            FieldKind::I64 => keys_of!(self, offset, keys, i64, |v| v),
            FieldKind::U64 => keys_of!(self, offset, keys, u64, |v| (v ^ 1 << 63) as i64),
            FieldKind::F32 => keys_of!(self, offset, keys, f32, |v| ordered(f64::from(v))),
            FieldKind::F64 => keys_of!(self, offset, keys, f64, |v| ordered(v)),
            FieldKind::Ibm32 => keys_of!(self, offset, keys, u32, |v| ordered(ibm::exact(v))),
            FieldKind::Text(n) => {
                let fields = self.bytes.chunks_exact(self.width).map(|h| &h[offset..offset + usize::from(n)]);
                keys.extend(fields.map(hash));
            }
        }
    }

    /// Replaces `scalars` with the scalar at this byte (from 1) of every header.
    pub(super) fn scalars(&self, first_byte: u32, scalars: &mut Vec<i64>) {
        scalars.clear();
        keys_of!(self, first_byte as usize - 1, scalars, i16, |v| i64::from(v));
    }

    #[inline(always)]
    fn each<const N: usize>(&self, offset: usize, keys: &mut Vec<i64>, key: impl Fn([u8; N]) -> i64) {
        let field = |header: &[u8]| header[offset..].first_chunk().map_or(0, |bytes| key(*bytes));
        keys.extend(self.bytes.chunks_exact(self.width).map(field));
    }
}

/// The value of a key; `None` for text, whose keys only distinguish values.
pub(crate) fn number(key: i64, kind: FieldKind) -> Option<Number> {
    match kind {
        FieldKind::Text(_) => None,
        FieldKind::U64 => Some(Number::Unsigned(key as u64 ^ 1 << 63)),
        FieldKind::F32 | FieldKind::F64 | FieldKind::Ibm32 => Some(Number::Float(unordered(key))),
        _ => Some(Number::Integer(key)),
    }
}

/// The text of a field in one header, without padding.
pub(crate) fn text_of(header: &[u8], column: &Column) -> String {
    let start = column.first_byte as usize - 1;
    text::decode_field(header.get(start..start + column.kind.size()).unwrap_or_default())
}

/// A double as an integer that sorts the same: IEEE numbers are sign and magnitude. Both zeros give the same key.
pub(super) fn ordered(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (bits >> 63) & i64::MAX
}

fn unordered(key: i64) -> f64 {
    f64::from_bits((key ^ (key >> 63) & i64::MAX) as u64)
}

/// FNV-1a, except that all zero bytes give 0, as for a number.
fn hash(bytes: &[u8]) -> i64 {
    if bytes.iter().all(|&b| b == 0) {
        return 0;
    }
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |h: u64, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: FieldKind) -> Column {
        Column { name: "x".into(), first_byte: 3, kind, scalar: None, given_scalar: None }
    }

    fn keys(bytes: &[u8], kind: FieldKind, order: ByteOrder) -> Vec<i64> {
        let mut keys = vec![99];
        Headers { bytes, width: 10, order }.keys(&column(kind), &mut keys);
        keys
    }

    proptest::proptest! {
        #[test]
        fn keys_of_doubles_are_in_the_order_of_the_doubles(a in proptest::num::f64::NORMAL, b in proptest::num::f64::NORMAL) {
            proptest::prop_assert_eq!(ordered(a).cmp(&ordered(b)), a.total_cmp(&b));
            proptest::prop_assert_eq!(unordered(ordered(a)), a);
        }

        #[test]
        fn keys_of_unsigned_numbers_are_in_order_and_lead_back(a: u64, b: u64) {
            let key = |v: u64| keys(&[&[0, 0], v.to_le_bytes().as_slice()].concat(), FieldKind::U64, ByteOrder::Little)[0];
            proptest::prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            proptest::prop_assert_eq!(number(key(a), FieldKind::U64), Some(Number::Unsigned(a)));
        }
    }

    #[test]
    fn fields_are_read_at_their_place_in_both_byte_orders() {
        let bytes: Vec<u8> = (0..20).collect();
        assert_eq!(keys(&bytes, FieldKind::I16, ByteOrder::Big), [0x0203, 0x0C0D]);
        assert_eq!(keys(&bytes, FieldKind::I32, ByteOrder::Little), [0x0504_0302, 0x0F0E_0D0C]);
        assert_eq!(keys(&[0xFF; 10], FieldKind::I16, ByteOrder::Big), [-1]);
        assert_eq!(keys(&[0xFF; 10], FieldKind::U16, ByteOrder::Big), [65_535]);
    }

    #[test]
    fn negative_zero_is_zero_and_blank_text_is_none() {
        assert_eq!(ordered(-0.0), 0);
        assert_eq!(keys(&[0; 10], FieldKind::Text(8), ByteOrder::Big), [0]);
        assert_ne!(
            keys(b"..SEG00001", FieldKind::Text(8), ByteOrder::Big),
            keys(b"..SEG00002", FieldKind::Text(8), ByteOrder::Big)
        );
    }
}

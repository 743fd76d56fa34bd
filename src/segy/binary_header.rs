//! The 400-byte binary file header, read field by field.

use crate::segy::fields::{BINARY_FIELDS, FieldKind};
use crate::segy::samples::format::ByteOrder;

/// Length of the binary file header, which follows the textual one.
pub(crate) const BINARY_HEADER_BYTES: usize = 400;
/// File offset of the binary file header.
pub(crate) const BINARY_HEADER_OFFSET: u64 = 3200;

/// A binary file header and its byte order.
#[derive(Clone)]
pub(crate) struct BinaryHeader {
    pub bytes: [u8; BINARY_HEADER_BYTES],
    pub order: ByteOrder,
}

/// `N` bytes of `bytes` as a big-endian array, converted from `order`.
pub(crate) fn big_endian<const N: usize>(bytes: &[u8], start: usize, order: ByteOrder) -> [u8; N] {
    let mut out = [0; N];
    if let Some(source) = bytes.get(start..start + N) {
        out.copy_from_slice(source);
    }
    if order == ByteOrder::Little {
        out.reverse();
    }
    out
}

impl BinaryHeader {
    /// The field at file byte `byte` (from 3201) as a big-endian array.
    fn at<const N: usize>(&self, byte: u32) -> [u8; N] {
        big_endian(&self.bytes, byte as usize - 3201, self.order)
    }

    pub(crate) fn u8(&self, byte: u32) -> u8 {
        self.bytes[byte as usize - 3201]
    }

    pub(crate) fn i16(&self, byte: u32) -> i16 {
        i16::from_be_bytes(self.at(byte))
    }

    pub(crate) fn u16(&self, byte: u32) -> u16 {
        u16::from_be_bytes(self.at(byte))
    }

    pub(crate) fn i32(&self, byte: u32) -> i32 {
        i32::from_be_bytes(self.at(byte))
    }

    pub(crate) fn u32(&self, byte: u32) -> u32 {
        u32::from_be_bytes(self.at(byte))
    }

    pub(crate) fn u64(&self, byte: u32) -> u64 {
        u64::from_be_bytes(self.at(byte))
    }

    pub(crate) fn f64(&self, byte: u32) -> f64 {
        f64::from_be_bytes(self.at(byte))
    }

    /// Every field of this revision and its value, as JSON.
    pub(crate) fn to_json(&self, major_revision: u8) -> serde_json::Map<String, serde_json::Value> {
        let fields = BINARY_FIELDS.iter().filter(|f| f.exists_in(major_revision));
        fields.map(|f| (f.name.to_owned(), self.value(f.byte, f.kind))).collect()
    }

    fn value(&self, byte: u32, kind: FieldKind) -> serde_json::Value {
        match kind {
            FieldKind::U8 => self.u8(byte).into(),
            FieldKind::U16 => self.u16(byte).into(),
            FieldKind::I32 => self.i32(byte).into(),
            FieldKind::U32 => self.u32(byte).into(),
            FieldKind::U64 => self.u64(byte).into(),
            FieldKind::F64 => self.f64(byte).into(),
            _ => self.i16(byte).into(),
        }
    }
}

//! The parts of the Thrift compact protocol that are written by hand.
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use crate::parquet::encodings::varint;

/// Type codes.
pub(crate) const FALSE: u8 = 2;
pub(crate) const I32: u8 = 5;
pub(crate) const I64: u8 = 6;
pub(crate) const BINARY: u8 = 8;
pub(crate) const LIST: u8 = 9;
pub(crate) const STRUCT: u8 = 12;
/// The end of a struct.
pub(crate) const STOP: u8 = 0;

/// The header of a field whose number is `step` (1 to 15) more than that of the field before it.
pub(crate) const fn field(step: u8, code: u8) -> u8 {
    step << 4 | code
}

/// The header of a list of `n` elements.
pub(crate) fn list(n: u64, code: u8, out: &mut Vec<u8>) {
    if n < 15 {
        out.push((n as u8) << 4 | code);
    } else {
        out.push(15 << 4 | code);
        varint(n, out);
    }
}

/// A string or byte string: its length, then its bytes.
pub(crate) fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_list_is_in_its_first_byte_up_to_14() {
        let header = |n| {
            let mut out = Vec::new();
            list(n, STRUCT, &mut out);
            out
        };
        assert_eq!(header(0), [0x0C]);
        assert_eq!(header(14), [0xEC]);
        assert_eq!(header(15), [0xFC, 15]);
        assert_eq!(header(300), [0xFC, 0xAC, 2]);
    }
}

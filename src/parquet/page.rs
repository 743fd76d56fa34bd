//! Pages: the header in front of the encoded values, and the checksum.
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `PageHeader`.

use parquet::basic::Encoding;

use crate::parquet::encodings::zigzag;

/// What is in a page.
#[derive(Clone, Copy)]
pub(crate) enum PageKind {
    Data(Encoding),
    Dictionary,
}

/// Type codes of the Thrift compact protocol, in the low half of a field header whose high half is the step from
/// the number of the field before.
const BOOLEAN_FALSE: u8 = 2;
const I32: u8 = 5;
const STRUCT: u8 = 12;
const STOP: u8 = 0;

/// Nine numbers of at most five bytes, and a byte in front of each and of each struct.
const MAX_HEADER_BYTES: usize = 64;

/// A page of `n_values` values whose `body` is compressed already, from `uncompressed` bytes.
///
/// The checksum covers the body as stored, so that a reader finds damage before it decompresses. The `parquet`
/// crate does not write one (60.1).
pub(crate) fn page(kind: PageKind, n_values: usize, uncompressed: usize, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + MAX_HEADER_BYTES);
    let mut field = |step: u8, value: i64| {
        out.push(step << 4 | I32);
        zigzag(value, &mut out);
    };
    field(1, i64::from(matches!(kind, PageKind::Dictionary)) * 2);
    field(1, uncompressed as i64);
    field(1, body.len() as i64);
    field(1, i64::from(crc_fast::crc32_iso_hdlc(body) as i32));
    match kind {
        PageKind::Data(encoding) => {
            out.push(1 << 4 | STRUCT);
            // Levels of a column without nulls take no bytes, but their encoding must be said.
            for value in [n_values as i64, encoding as i64, Encoding::RLE as i64, Encoding::RLE as i64] {
                out.push(1 << 4 | I32);
                zigzag(value, &mut out);
            }
        }
        // Its number is 7: index pages, which nobody writes, come between.
        PageKind::Dictionary => {
            out.push(3 << 4 | STRUCT);
            for value in [n_values as i64, Encoding::PLAIN as i64] {
                out.push(1 << 4 | I32);
                zigzag(value, &mut out);
            }
            out.push(1 << 4 | BOOLEAN_FALSE);
        }
    }
    out.extend_from_slice(&[STOP, STOP]);
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_page_is_laid_out_as_the_standard_says() {
        let mut expected = vec![0x15, 0, 0x15, 2 * 5, 0x15, 2 * 3, 0x15];
        zigzag(i64::from(crc_fast::crc32_iso_hdlc(b"abc") as i32), &mut expected);
        // Values, PLAIN (0), and RLE (3) for the levels of both kinds.
        expected.extend([0x1C, 0x15, 2 * 9, 0x15, 0, 0x15, 2 * 3, 0x15, 2 * 3, 0, 0]);
        expected.extend(b"abc");
        assert_eq!(page(PageKind::Data(Encoding::PLAIN), 9, 5, b"abc"), expected);
    }

    #[test]
    fn no_page_header_is_longer_than_the_space_for_it() {
        let header = page(PageKind::Data(Encoding::BYTE_STREAM_SPLIT), u32::MAX as usize, u32::MAX as usize, b"");
        assert!(header.len() <= MAX_HEADER_BYTES);
    }
}

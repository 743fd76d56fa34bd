//! Pages: a header with a checksum, then the encoded values.
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `PageHeader`.

use parquet::basic::Encoding;

use crate::parquet::encodings::zigzag;
use crate::parquet::thrift::{FALSE, I32, STOP, STRUCT, field};

/// What is in a page.
#[derive(Clone, Copy)]
pub(crate) enum PageKind {
    Data(Encoding),
    Dictionary,
}

/// Nine numbers of at most five bytes, and a byte before each of them and each struct.
const MAX_HEADER_BYTES: usize = 64;

/// Fills `out` with a page of `n_values` values whose `body` is already compressed, from `uncompressed` bytes.
///
/// The checksum covers the body as stored, so that a reader finds damage before it decompresses. The `parquet`
/// crate does not write one (60.1).
pub(crate) fn fill(out: &mut Vec<u8>, kind: PageKind, n_values: usize, uncompressed: usize, body: &[u8]) {
    out.clear();
    out.reserve(body.len() + MAX_HEADER_BYTES);
    let mut number = |value: i64| {
        out.push(field(1, I32));
        zigzag(value, out);
    };
    number(i64::from(matches!(kind, PageKind::Dictionary)) * 2);
    number(uncompressed as i64);
    number(body.len() as i64);
    number(i64::from(crc_fast::crc32_iso_hdlc(body) as i32));
    match kind {
        PageKind::Data(encoding) => {
            out.push(field(1, STRUCT));
            // The levels of a column without nulls take no bytes, but must have an encoding.
            for value in [n_values as i64, encoding as i64, Encoding::RLE as i64, Encoding::RLE as i64] {
                out.push(field(1, I32));
                zigzag(value, out);
            }
        }
        PageKind::Dictionary => {
            // Field 7; field 6 is for index pages, which nobody writes.
            out.push(field(3, STRUCT));
            for value in [n_values as i64, Encoding::PLAIN as i64] {
                out.push(field(1, I32));
                zigzag(value, out);
            }
            out.push(field(1, FALSE));
        }
    }
    out.extend_from_slice(&[STOP, STOP]);
    out.extend_from_slice(body);
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
        let mut page = vec![9; 100];
        fill(&mut page, PageKind::Data(Encoding::PLAIN), 9, 5, b"abc");
        assert_eq!(page, expected);
    }

    #[test]
    fn no_page_header_is_longer_than_the_space_for_it() {
        let mut header = Vec::new();
        fill(&mut header, PageKind::Data(Encoding::BYTE_STREAM_SPLIT), u32::MAX as usize, u32::MAX as usize, b"");
        assert!(header.len() <= MAX_HEADER_BYTES);
    }
}

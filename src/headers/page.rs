//! Pages: the header in front of the encoded values, and the checksum.
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `PageHeader`.

use parquet::basic::Encoding;

use super::encode::zigzag;

/// What is in a page.
#[derive(Clone, Copy)]
pub(super) enum PageKind {
    Data(Encoding),
    Dictionary,
}

/// Type codes of the Thrift compact protocol, in the low half of a field header whose high half is the step from
/// the number of the field before.
const BOOLEAN_FALSE: u8 = 2;
const I32: u8 = 5;
const STRUCT: u8 = 12;
const STOP: u8 = 0;

/// Appends a page to `out`, with `n_values` values whose `body` is compressed already, and returns its length.
///
/// The checksum covers the body as stored, so that a reader finds damage before it decompresses. The `parquet`
/// crate does not write one (60.1).
pub(super) fn append(kind: PageKind, n_values: usize, uncompressed: usize, body: &[u8], out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let mut field = |step: u8, value: i64| {
        out.push(step << 4 | I32);
        zigzag(value, out);
    };
    field(1, i64::from(matches!(kind, PageKind::Dictionary)) * 2);
    field(1, uncompressed as i64);
    field(1, body.len() as i64);
    field(1, i64::from(crc32fast::hash(body) as i32));
    match kind {
        PageKind::Data(encoding) => {
            out.push(1 << 4 | STRUCT);
            // Levels of a column without nulls take no bytes, but their encoding must be said.
            for value in [n_values as i64, encoding as i64, Encoding::RLE as i64, Encoding::RLE as i64] {
                out.push(1 << 4 | I32);
                zigzag(value, out);
            }
        }
        PageKind::Dictionary => {
            out.push(3 << 4 | STRUCT);
            for value in [n_values as i64, Encoding::PLAIN as i64] {
                out.push(1 << 4 | I32);
                zigzag(value, out);
            }
            out.push(1 << 4 | BOOLEAN_FALSE);
        }
    }
    out.extend_from_slice(&[STOP, STOP]);
    out.extend_from_slice(body);
    out.len() - start
}

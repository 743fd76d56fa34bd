//! Switching the byte order of headers: the bytes of each standard field are reversed, all others stay.

use crate::segy::fields::{BINARY_FIELDS, EXTENSION_1_FIELDS, Field, FieldKind, TRACE_HEADER_BYTES, trace_fields};
use crate::segy::layout::InputFormat;
use crate::segy::text;

/// First byte of the binary header in the file.
const BINARY_HEADER_BYTE: u32 = 3201;
const REVISION_BYTE: usize = 3501;

/// Reverses the bytes of each field that this revision has in the binary file header (400 bytes).
pub(crate) fn reorder_binary_header(header: &mut [u8], major_revision: u8) {
    let fields = BINARY_FIELDS.iter().filter(|f| f.exists_in(major_revision));
    fields.for_each(|f| turn(header, f.byte - BINARY_HEADER_BYTE, f.kind));
    if major_revision < 2 {
        // Rev 1 has one 16-bit number where rev 2 has two 8-bit ones.
        let at = REVISION_BYTE - BINARY_HEADER_BYTE as usize;
        if let Some(revision) = header.get_mut(at..at + 2) {
            revision.reverse();
        }
    }
}

/// Reverses the bytes of each field in one trace's headers: the standard one and additional ones named `SEG00001`.
/// Other additional headers stay as they are, since their fields are unknown.
pub(crate) fn reorder_trace_headers(headers: &mut [u8], kind: InputFormat, major_revision: u8) {
    let (standard, additional) = headers.split_at_mut(TRACE_HEADER_BYTES.min(headers.len()));
    let mut turned = 0;
    for field in in_order(trace_fields(kind, major_revision).filter(|f| !f.name.starts_with("unassigned"))) {
        // Two fields may share a place.
        if field.byte > turned {
            turn(standard, field.byte - 1, field.kind);
            turned = field.byte - 1 + field.kind.size() as u32;
        }
    }
    for block in additional.chunks_exact_mut(TRACE_HEADER_BYTES) {
        if text::decode_field(&block[232..]) == "SEG00001" {
            EXTENSION_1_FIELDS.iter().for_each(|f| turn(block, f.byte - 1, f.kind));
        }
    }
}

/// The fields by their bytes.
fn in_order(fields: impl Iterator<Item = &'static Field>) -> Vec<&'static Field> {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by_key(|f| f.byte);
    fields
}

fn turn(header: &mut [u8], offset: u32, kind: FieldKind) {
    let start = offset as usize;
    if !matches!(kind, FieldKind::Text(_))
        && let Some(field) = header.get_mut(start..start + kind.size())
    {
        field.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_turned_around_is_as_before_and_unassigned_bytes_stay() {
        let mut extension: Vec<u8> = (0..240).collect();
        extension[232..].copy_from_slice(b"SEG00001");
        let other: Vec<u8> = [vec![9; 232], b"MINE0001".to_vec()].concat();
        let headers = [(0..240).collect(), extension, other].concat();
        for major in [0, 1, 2] {
            let mut turned = headers.clone();
            reorder_trace_headers(&mut turned, InputFormat::Segy, major);
            assert_eq!(turned[..8], [3, 2, 1, 0, 7, 6, 5, 4]);
            assert_eq!(turned[28..30], [29, 28]);
            assert_eq!(turned[232..240], headers[232..240], "{major}");
            assert_eq!(turned[240..248], [7, 6, 5, 4, 3, 2, 1, 0]);
            assert_eq!(turned[472..], headers[472..]);
            reorder_trace_headers(&mut turned, InputFormat::Segy, major);
            assert_eq!(turned, headers);
        }
    }

    #[test]
    fn the_revision_is_one_number_before_rev_2() {
        let binary: Vec<u8> = (0..=255).chain(0..144).collect();
        let of = |major| {
            let mut turned = binary.clone();
            reorder_binary_header(&mut turned, major);
            turned
        };
        assert_eq!(of(1)[300..302], [binary[301], binary[300]]);
        assert_eq!(of(2)[300..302], binary[300..302]);
        assert_eq!(of(1)[96..100], binary[96..100]);
        assert_eq!(of(2)[96..100], [99, 98, 97, 96]);
    }
}

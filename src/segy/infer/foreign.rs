//! What a file that is not SEG-Y looks like, for the error message.

/// First bytes of other files found under the name .sgy.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x89PNG", "a PNG picture"),
    (b"version https://git-lfs", "a Git LFS pointer (fetch the file itself with \"git lfs pull\")"),
    (b"\x1f\x8b", "gzip-compressed data (unpack it first)"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data (unpack it first)"),
    (b"BZh", "bzip2-compressed data (unpack it first)"),
    (b"PK\x03\x04", "a ZIP archive (unpack it first)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF", "a PDF document"),
    (b"<?xml", "an XML document"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"{", "JSON text"),
];

/// What the first bytes of a file look like, if that is not SEG-Y.
pub fn looks_like(start: &[u8]) -> Option<&'static str> {
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(what);
    }
    let plain = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7E | 0x80..);
    // A textual header has few or no newlines; a text file has many.
    let is_text = !start.is_empty() && start.iter().all(plain) && start.iter().take(4000).any(|&b| b == b'\n');
    if is_text {
        return Some("plain text");
    }
    (start.iter().all(|&b| b == 0)).then_some("nothing but zero bytes")
}

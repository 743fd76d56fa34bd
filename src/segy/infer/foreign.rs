//! What a file that is not SEG-Y looks like, for the error message.

/// First bytes of other files found under the name .sgy.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x89PNG", "a PNG picture"),
    (b"\xFF\xD8\xFF", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"version https://git-lfs", "a Git LFS pointer (fetch the file itself with \"git lfs pull\")"),
    (b"\x1f\x8b", "gzip-compressed data (unpack it first)"),
    (b"\x1f\x9d", "data compressed with compress, .Z (unpack it first, with uncompress)"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data (unpack it first)"),
    (b"\xfd7zXZ\0", "xz-compressed data (unpack it first)"),
    (b"\x04\x22\x4d\x18", "LZ4-compressed data (unpack it first)"),
    (b"BZh", "bzip2-compressed data (unpack it first)"),
    (b"PK\x03\x04", "a ZIP archive (unpack it first)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive (unpack it first)"),
    (b"Rar!", "a RAR archive (unpack it first)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"CDF\x01", "a NetCDF file"),
    (b"CDF\x02", "a NetCDF file"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"%PDF", "a PDF document"),
    (b"<?xml", "an XML document"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"\x55\x3a", "SEG-2 (convert it to SEG-Y first; ObsPy reads SEG-2)"),
    (b"\x3a\x55", "SEG-2 (convert it to SEG-Y first; ObsPy reads SEG-2)"),
];

/// What the first bytes of a file look like, if that is not SEG-Y.
pub(crate) fn looks_like(start: &[u8]) -> Option<&'static str> {
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(what);
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some("a tar archive (unpack it first)");
    }
    if is_segd(start) {
        return Some("SEG-D (convert it to SEG-Y first; Seismic Unix has segdread)");
    }
    if is_xtf(start) {
        return Some("XTF, of a side-scan sonar or sub-bottom profiler (convert it to SEG-Y first)");
    }
    let begins_json = matches!(start, [b'{', rest @ ..] if rest.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| matches!(b, b'"' | b'}')));
    if begins_json {
        return Some("JSON text");
    }
    let plain = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7E | 0x80..);
    // A textual header has few or no newlines; a text file has many.
    let is_text = !start.is_empty() && start.iter().all(plain) && start.iter().take(4000).any(|&b| b == b'\n');
    if is_text {
        return Some("plain text");
    }
    (start.iter().all(|&b| b == 0)).then_some("nothing but zero bytes")
}

/// The format code at bytes 3-4 of SEG-D (rev 1 to 3), all of whose digits are decimal.
fn is_segd(start: &[u8]) -> bool {
    const CODES: [u16; 14] = [
        0x8015, 0x8022, 0x8024, 0x8036, 0x8038, 0x8042, 0x8044, 0x8048, 0x8058, 0x0015, 0x0022, 0x0024, 0x0048, 0x0058,
    ];
    // Not a trace number: the file number in front of it is in decimal digits.
    let is_decimal = |b: &u8| b >> 4 < 10 && b & 0xF < 10 || *b == 0xFF;
    matches!(start, [a, b, c, d, ..] if [a, b].into_iter().all(is_decimal) && CODES.contains(&u16::from_be_bytes([*c, *d])) && (*c == 0x80 || (*a, *b) != (0, 0)))
}

/// The file header of XTF: its format is 123, its system type a small number, and the name of a program follows.
fn is_xtf(start: &[u8]) -> bool {
    let name = start.get(2..10).unwrap_or_default();
    start.first() == Some(&0x7B) && start.get(1).is_some_and(|&b| b < 0x20 && !b.is_ascii_whitespace())
        || start.first() == Some(&0x7B) && start.len() >= 1024 && name.contains(&0)
}

//! A second file header among the traces: two SEG-Y files that were joined into one.

use crate::base::error::{Error, Result};
use crate::segy::binary_header::{BINARY_HEADER_BYTES, big_endian};
use crate::segy::file::SegyFile;
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::samples::format::{ByteOrder, sample_format};
use crate::segy::text::{self, TEXT_HEADER_BYTES};

/// Traces, spread over the file, where a file header is looked for.
const PROBES: u64 = 64;
/// Bytes of a trace header in which traces of one file agree: sample count and interval.
const TELLING: std::ops::Range<u64> = 114..118;
/// The two sequence numbers at the beginning of a trace header.
const SEQUENCE_BYTES: usize = 8;

/// Whether a trace header may be the beginning of a textual header: its two sequence numbers are characters.
pub(crate) fn may_begin(header: &[u8]) -> bool {
    let Some(start) = header.first_chunk::<SEQUENCE_BYTES>() else { return false };
    let ebcdic =
        |b: u8| matches!(b, 0x40 | 0x4A..=0x50 | 0x5A..=0x61 | 0x6A..=0x6F | 0x7A..=0x7F | 0x81..=0xE9 | 0xF0..=0xF9);
    start.iter().all(|&b| ebcdic(b)) || start.iter().all(|&b| matches!(b, 0x20..=0x7E))
}

/// Whether a textual and a binary file header lie at this offset.
pub(crate) fn is_at(file: &SegyFile, offset: u64) -> bool {
    if file.len().saturating_sub(offset) < FILE_HEADER_BYTES {
        return false;
    }
    let (Ok(text), Ok(binary)) =
        (file.copy(offset, TEXT_HEADER_BYTES), file.copy(offset + TEXT_HEADER_BYTES as u64, BINARY_HEADER_BYTES))
    else {
        return false;
    };
    // Zeros count as blanks, and dead traces have nothing else.
    let is_written = text.iter().filter(|&&b| b != 0).count() * 2 > text.len();
    let says_samples = |order: ByteOrder| {
        let number = |at: usize| u16::from_be_bytes(big_endian(&binary, at, order));
        sample_format(number(24)).is_some() && (number(16) > 0 || number(20) > 0)
    };
    is_written
        && text::is_text(&text, text::detect(&text))
        && (says_samples(ByteOrder::Big) || says_samples(ByteOrder::Little))
}

/// The offset of a second file header among `n` traces of `stride` bytes from `start` on: at one of a few traces, or
/// where they no longer look like the first.
pub(crate) fn find(file: &SegyFile, start: u64, stride: u64, n: u64) -> Option<u64> {
    let offset = |index: u64| start + index * stride;
    let probes = PROBES.min(n);
    let spread = (1..=probes).map(|i| (u128::from(n) * u128::from(i) / u128::from(probes)) as u64 - 1);
    let begins = |index: &u64| {
        let header = file.copy(offset(*index), SEQUENCE_BYTES);
        file.release_around(offset(*index));
        header.is_ok_and(|h| may_begin(&h)) && is_at(file, offset(*index))
    };
    if let Some(index) = spread.into_iter().filter(|&i| i > 0).find(begins) {
        return Some(offset(index));
    }
    let telling = |index: u64| file.copy(offset(index) + TELLING.start, (TELLING.end - TELLING.start) as usize).ok();
    let first = telling(0)?;
    let agrees = |index: u64| telling(index).is_some_and(|t| t == first);
    // The first `low` traces agree; from `high` on they do not.
    let (mut low, mut high) = (1, n);
    if n < 2 || agrees(n - 1) {
        return None;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if agrees(middle) { low = middle + 1 } else { high = middle }
    }
    Some(offset(low)).filter(|&at| is_at(file, at))
}

/// Like [`find`], as an error.
pub(crate) fn check(file: &SegyFile, start: u64, stride: u64, n: u64) -> Result<()> {
    find(file, start, stride, n).map_or(Ok(()), |at| Err(refusal(file, at)))
}

/// The refusal of a file with a second file header at this offset.
pub(crate) fn refusal(file: &SegyFile, offset: u64) -> Error {
    let byte = file.byte_number(offset);
    Error::Input(format!(
        "{}: a second file header begins at byte {byte}: these are two SEG-Y files joined into one; cut it there (head -c {} for \
         the first, tail -c +{byte} for the rest) and import the parts together, as several inputs",
        file.path().display(),
        byte - 1
    ))
}

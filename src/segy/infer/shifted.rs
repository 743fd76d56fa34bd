//! A textual header that is too short or too long, as after an edit, so that everything after it lies elsewhere.

use crate::base::error::Error;
use crate::base::plural::count;
use crate::segy::binary_header::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, big_endian};
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::infer::Inference;
use crate::segy::infer::fit::{Reading, first_trace_count};
use crate::segy::infer::last_bytes::{Agreement, agreement};
use crate::segy::samples::format::{ByteOrder, sample_format};

/// How many bytes may be missing or too many.
const MOST: u64 = 400;
/// Traces whose headers are compared.
const COMPARED: u64 = 8;

/// The refusal of a file whose binary header begins elsewhere than at byte 3201, if everything fits there.
pub(crate) fn refusal(file: &SegyFile) -> Option<Error> {
    let start =
        (1..=MOST).flat_map(|n| [BINARY_HEADER_OFFSET - n, BINARY_HEADER_OFFSET + n]).find(|&at| fits(file, at))?;
    let (n, how) = match start {
        start if start < BINARY_HEADER_OFFSET => (BINARY_HEADER_OFFSET - start, "short"),
        start => (start - BINARY_HEADER_OFFSET, "long"),
    };
    let bytes = if n == 1 { "1 byte".to_owned() } else { format!("{n} bytes") };
    Some(Error::Input(format!(
        "{}: the binary header seems to begin at byte {} and not at byte 3201: the textual header is {bytes} too {how}; make it \
         3200 bytes long, and import the file again",
        file.path().display(),
        file.byte_number(start)
    )))
}

/// The refusal of a file whose traces begin a few bytes before or after where the headers end, if they do.
pub(crate) fn traces_elsewhere(inference: &Inference, reading: &Reading) -> Option<Error> {
    let (file, size) = (inference.file, inference.format.bytes);
    let is_stated = |offset: u64| first_trace_count(inference, offset) == reading.n_samples;
    if is_stated(reading.offset) {
        return None;
    }
    let begins_at = |&offset: &u64| {
        let reading = Reading { offset, ..*reading };
        let (n, rest) = reading.divide(file.len(), size);
        is_stated(offset) && n > 1 && rest == 0 && agreement(inference, &reading, size, n) == Agreement::Agreed
    };
    let near = (1..=MOST).flat_map(|n| [reading.offset.checked_sub(n), reading.offset.checked_add(n)]);
    let start = near.flatten().find(begins_at)?;
    let how = if start < reading.offset { "missing" } else { "too many" };
    let n = start.abs_diff(reading.offset);
    Some(Error::Input(format!(
        "{}: the first trace seems to begin at byte {} and not at byte {}: {} {} {how} before it; make the headers as long as they \
         should be (3600 bytes, and 3200 for each extended textual header), and import the file again",
        file.path().display(),
        file.byte_number(start),
        file.byte_number(reading.offset),
        count(n, "byte"),
        if n == 1 { "is" } else { "are" },
    )))
}

/// Whether a binary header at `start` agrees with the size of the file and with trace headers after it.
fn fits(file: &SegyFile, start: u64) -> bool {
    let Ok(binary) = file.copy(start, BINARY_HEADER_BYTES) else { return false };
    [ByteOrder::Big, ByteOrder::Little].into_iter().any(|order| {
        let number = |at: usize| u16::from_be_bytes(big_endian(&binary, at, order));
        let (interval, n_samples) = (number(16), number(20));
        let Some(format) = sample_format(number(24)).filter(|_| n_samples > 0) else { return false };
        let stride = TRACE_HEADER_BYTES as u64 + u64::from(n_samples) * format.bytes as u64;
        let first = start + BINARY_HEADER_BYTES as u64;
        let data = file.len().saturating_sub(first);
        let agrees = |index: u64| {
            let telling = file.copy(first + index * stride + 114, 4).unwrap_or_default();
            let number = |at: usize| u16::from_be_bytes(big_endian(&telling, at, order));
            number(0) == n_samples && (interval == 0 || number(2) == interval)
        };
        data >= stride && data.is_multiple_of(stride) && (0..(data / stride).min(COMPARED)).all(agrees)
    })
}

//! What speaks against a reading that fits the size of the file. The size alone does not tell where a trace is as long as a
//! fraction of a textual header, 3200 bytes: then traces may be taken for text, and text for traces.

use crate::base::plural::count;
use crate::segy::infer::Inference;
use crate::segy::infer::fit::{Reading, first_trace_count};
use crate::segy::infer::last_bytes::{Agreement, agreement, are_alike, counts_differ};
use crate::segy::infer::what_fits::agreeing_readings;
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::text::{self, TEXT_HEADER_BYTES};

/// Textual headers that are looked at.
const MOST_TEXT: u32 = 16;
/// A textual header has so many bytes besides blanks, at least.
const LEAST_TELLING: usize = 100;
const TEXT: u64 = TEXT_HEADER_BYTES as u64;

/// What speaks against a reading of `n` traces, with what reads the file, as the rest of a sentence that begins with its name.
pub(crate) fn of(inference: &Inference, reading: &Reading, n: u64) -> Option<String> {
    traces_in_text(inference, reading, n)
        .or_else(|| traces_in_trailer(inference, reading, n))
        .or_else(|| text_in_traces(inference, reading, n))
        .or_else(|| other_traces(inference, reading, n))
}

/// A trace header where an extended textual header is declared.
fn traces_in_text(inference: &Inference, reading: &Reading, n: u64) -> Option<String> {
    if inference.overrides.extended_text_headers.is_some() {
        return None;
    }
    let stride = reading.stride(inference.format.bytes);
    let before =
        |k: u32| reading.offset.checked_sub(FILE_HEADER_BYTES + u64::from(k) * TEXT).filter(|&bytes| bytes > 0);
    let holds_traces = |&k: &u32| {
        before(k).is_some_and(|bytes| {
            let offset = reading.offset - bytes;
            bytes.is_multiple_of(stride)
                && are_alike(inference, reading.offset, offset)
                && !is_text_at(inference, offset)
        })
    };
    let k = (0..reading.n_extended.min(MOST_TEXT)).find(holds_traces)?;
    let all = n + before(k)? / stride;
    Some(format!(
        "has a trace header where extended textual header {} of {} would be (bytes 3505-3506); --extended-headers {k} reads {}",
        k + 1,
        reading.n_extended,
        count(all, "trace")
    ))
}

/// A trace header where a trailer is declared.
fn traces_in_trailer(inference: &Inference, reading: &Reading, n: u64) -> Option<String> {
    if reading.trailer == 0 || inference.overrides.trailer_bytes.is_some() {
        return None;
    }
    let end = reading.offset + n * reading.stride(inference.format.bytes);
    are_alike(inference, reading.offset, end).then(|| {
        let all = Reading { trailer: 0, ..*reading }.divide(inference.file.len(), inference.format.bytes).0;
        format!(
            "has a trace header where a trailer of {} bytes would be (bytes 3529-3532); --trailer 0 reads {}",
            reading.trailer,
            count(all, "trace")
        )
    })
}

/// Whether a textual header is at this offset.
fn is_text_at(inference: &Inference, offset: u64) -> bool {
    let bytes = inference.file.copy(offset, TEXT_HEADER_BYTES).unwrap_or_default();
    let n_telling = bytes.iter().filter(|byte| !matches!(**byte, 0 | b' ' | 0x40)).count();
    n_telling >= LEAST_TELLING && text::is_text(&bytes, text::detect(&bytes))
}

/// Text where the first trace would be, and traces after it.
fn text_in_traces(inference: &Inference, reading: &Reading, n: u64) -> Option<String> {
    if inference.overrides.extended_text_headers.is_some() {
        return None;
    }
    let is_text = |k: u32| is_text_at(inference, reading.offset + u64::from(k) * TEXT);
    if first_trace_count(inference, reading.offset) == reading.n_samples {
        return None;
    }
    let n_text = (0..MOST_TEXT).take_while(|&k| is_text(k)).count() as u32;
    let n_extended = reading.n_extended + n_text;
    let after = Reading { n_extended, offset: reading.offset + u64::from(n_text) * TEXT, ..*reading };
    let size = inference.format.bytes;
    let (all, rest) = after.divide(inference.file.len(), size);
    let fits = n_text > 0 && rest == 0 && all > 0 && agreement(inference, &after, size, all) == Agreement::Agreed;
    fits.then(|| {
        format!(
            "has text where the first of {} would be, as in an extended textual header that is not counted (bytes 3505-3506); \
             --extended-headers {n_extended} reads {}",
            count(n, "trace"),
            count(all, "trace")
        )
    })
}

/// Bytes that do not look like trace headers, while headers of another length of traces do.
fn other_traces(inference: &Inference, reading: &Reading, n: u64) -> Option<String> {
    let size = inference.format.bytes;
    let is_other = first_trace_count(inference, reading.offset) != reading.n_samples;
    let is_doubtful = agreement(inference, reading, size, n) == Agreement::Contradicted
        && (is_other || counts_differ(inference, reading, n));
    if inference.overrides.n_samples.is_some() || !is_doubtful {
        return None;
    }
    let others = agreeing_readings(inference, reading);
    (!others.is_empty()).then(|| {
        format!(
            "is as long as {} of {} bytes ({} samples of {}), but these do not begin with headers that look alike{others}",
            count(n, "trace"),
            reading.stride(size),
            reading.n_samples,
            inference.format.name
        )
    })
}

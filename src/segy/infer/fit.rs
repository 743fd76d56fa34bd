//! Finding the offsets and lengths that agree with the file size, and listing what would fit if none do.

use crate::base::error::{Error, Result};
use crate::base::plural::count;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::infer::Inference;
use crate::segy::infer::last_bytes::{self, Agreement};
use crate::segy::infer::what_fits::{extended_headers_that_fit, samples_that_fit, what_would_fit};
use crate::segy::infer::{objections, second_header, shifted};
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::lengths::ragged::TraceIndex;
use crate::segy::text::{self, TEXT_HEADER_BYTES};

/// A larger count of additional headers is garbage in bytes that older revisions leave unassigned.
const MAX_ADDITIONAL_HEADERS: i64 = 1000;
/// Gives up looking for the stanza that ends the extended textual headers after this many.
const MAX_EXTENDED_TEXT_HEADERS: u64 = 10_000;
const TEXT: u64 = TEXT_HEADER_BYTES as u64;

/// Where the traces lie in the file.
pub(crate) struct Fit {
    pub(crate) n_traces: u64,
    /// Samples in the longest trace.
    pub(crate) n_samples: u32,
    /// Set if the traces differ in length.
    pub(crate) varying: Option<TraceIndex>,
    pub(crate) n_extended_text_headers: u32,
    pub(crate) first_trace_offset: u64,
    pub(crate) n_additional_headers: u32,
    pub(crate) trailing_bytes: u64,
    /// (what, value, because)
    pub(crate) decisions: Vec<(&'static str, String, String)>,
    pub(crate) warnings: Vec<String>,
}

/// One interpretation of the header fields that decide where the traces lie.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) n_extended: u32,
    pub(crate) offset: u64,
    pub(crate) n_additional: u32,
    pub(crate) n_samples: u32,
    pub(crate) trailer: u64,
}

impl Reading {
    /// Bytes from one trace to the next, for samples of this size.
    pub(crate) fn stride(&self, sample_bytes: usize) -> u64 {
        TRACE_HEADER_BYTES as u64 * (1 + u64::from(self.n_additional)) + u64::from(self.n_samples) * sample_bytes as u64
    }

    /// The number of whole traces and of bytes left over, in a file of `len` bytes.
    pub(crate) fn divide(&self, len: u64, sample_bytes: usize) -> (u64, u64) {
        let data = len.saturating_sub(self.offset).saturating_sub(self.trailer);
        let stride = self.stride(sample_bytes);
        (data / stride, data % stride)
    }
}

/// The most trusted reading of the headers that agrees with the file size.
pub(crate) fn find(inference: &Inference) -> Result<Fit> {
    let len = inference.file.len();
    let size = inference.format.bytes;
    if let Some(trailer) = inference.overrides.trailer_bytes.filter(|&n| n > len - FILE_HEADER_BYTES) {
        return Err(Error::Input(format!(
            "{}: --trailer {trailer}: the file has {} bytes after the file header",
            inference.file.path().display(),
            len - FILE_HEADER_BYTES
        )));
    }
    let readings = readings(inference)?;
    let declared = if inference.rev2 { inference.binary.u64(3513) } else { 0 };
    let exact = |r: &Reading| Some((*r, r.divide(len, size))).filter(|(_, found)| matches!(found, (1.., 0)));
    let mut fitting: Vec<(Reading, u64)> = readings.iter().filter_map(exact).map(|(r, (n, _))| (r, n)).collect();
    // Best is a reading on which the declared trace count and the file size agree, then one by the size.
    fitting.sort_by_key(|&(_, n)| n != declared);
    let mut objection = None;
    for (reading, n) in &fitting {
        match objections::of(inference, reading, *n) {
            None => return Ok(accept_exact(inference, reading, *n, declared)),
            Some(what) => objection = objection.or(Some(what)),
        }
    }
    if let Some(what) = objection {
        return Err(Error::Input(format!("{}: {what}", inference.file.path().display())));
    }
    let available = |r: &Reading| len.saturating_sub(r.offset) / r.stride(size);
    if let Some(reading) = readings.iter().find(|r| declared != 0 && declared == available(r)) {
        return Ok(accept(inference, reading, declared, "the trace count at bytes 3513-3520"));
    }
    // No trailer is known where its length is not given.
    let trailer = if inference.binary.i32(3529) == -1 { 0 } else { readings[0].trailer };
    imperfect_end(inference, &Reading { trailer, ..readings[0] })
}

/// A reading that fits the size; `declared` is the trace count of revision 2, 0 if there is none.
fn accept_exact(inference: &Inference, reading: &Reading, n: u64, declared: u64) -> Fit {
    if n == declared {
        return accept(inference, reading, n, "the trace count at bytes 3513-3520, and the file size");
    }
    let mut fit = accept(inference, reading, n, "the file size");
    if declared != 0 {
        fit.warnings.push(format!("bytes 3513-3520 say {declared} traces, the file has {n}; all of them are taken"));
    }
    fit
}

/// Every reading of the declared fields worth trying, the most trusted first. Never empty.
pub(crate) fn readings(inference: &Inference) -> Result<Vec<Reading>> {
    let mut all = Vec::new();
    let starts = starts(inference)?;
    for &(n_extended, offset) in &starts {
        for n_samples in sample_counts(inference, n_extended, offset)? {
            for n_additional in additional_headers(inference) {
                for trailer in trailers(inference, offset) {
                    all.push(Reading { n_extended, offset, n_additional, n_samples, trailer });
                }
            }
        }
    }
    Ok(all)
}

/// (extended textual headers, offset of the first trace)
fn starts(inference: &Inference) -> Result<Vec<(u32, u64)>> {
    let (file, binary) = (inference.file, &inference.binary);
    let path = file.path().display();
    let declared = binary.i16(3505);
    if let Some(n) = inference.overrides.extended_text_headers {
        let end = FILE_HEADER_BYTES + u64::from(n) * TEXT;
        if end < file.len() {
            return Ok(vec![(n, end)]);
        }
        return Err(Error::Input(format!(
            "{path}: --extended-headers {n}: they end at byte {}, and the file has {} bytes",
            file.byte_number(end) - 1,
            file.stored_len()
        )));
    }
    let n = match declared {
        1.. => u64::from(declared.unsigned_abs()),
        -1 if inference.revision.0 >= 1 => text_headers_up_to_end(inference)?,
        // Stanzas are believed whatever the revision says, as long as traces that fit follow them.
        _ if begins_stanza_at(inference, FILE_HEADER_BYTES) => text_headers_up_to_end(inference).unwrap_or(0),
        _ => 0,
    };
    let end = FILE_HEADER_BYTES + n * TEXT;
    let mut starts = Vec::new();
    if inference.rev2 {
        let offset = binary.u64(3521);
        if (FILE_HEADER_BYTES..file.len()).contains(&offset) {
            starts.push((n.min((offset - FILE_HEADER_BYTES) / TEXT) as u32, offset));
        }
    }
    if end < file.len() {
        starts.push((n as u32, end));
    }
    // Rev 0 leaves bytes 3505-3506 unassigned, so a count there may be garbage.
    if n > 0 && (inference.revision.0 == 0 || declared <= 0) {
        starts.push((0, FILE_HEADER_BYTES));
    }
    if !starts.is_empty() {
        return Ok(starts);
    }
    Err(Error::Input(if n == 0 {
        format!("{path}: holds a file header and no traces; there is nothing to convert")
    } else {
        format!(
            "{path}: bytes 3505-3506 declare {n} extended textual headers, which end at byte {}, but the file has {} \
             bytes; it is cut off, or the number is wrong{}",
            file.byte_number(end) - 1,
            file.stored_len(),
            extended_headers_that_fit(inference)
        )
    }))
}

/// Counts the extended textual headers up to and including the one with the stanza `((SEG: EndText))`.
fn text_headers_up_to_end(inference: &Inference) -> Result<u64> {
    let file = inference.file;
    let most = ((file.len() - FILE_HEADER_BYTES) / TEXT).min(MAX_EXTENDED_TEXT_HEADERS);
    for index in 0..most {
        let header = file.copy(FILE_HEADER_BYTES + index * TEXT, TEXT_HEADER_BYTES)?;
        let decoded = text::decode(&header, inference.overrides.text_encoding.unwrap_or_else(|| text::detect(&header)))
            .to_ascii_lowercase();
        let squeezed: String = decoded.chars().filter(|c| !c.is_whitespace()).collect();
        if squeezed.contains("((seg:endtext))") {
            return Ok(index + 1);
        }
    }
    Err(Error::Input(format!(
        "{}: bytes 3505-3506 declare a variable number of extended textual headers, but none of the {most} records of 3200 \
         bytes after the file header holds the stanza ((SEG: EndText)) that ends them; give their number with \
         --extended-headers{}",
        file.path().display(),
        extended_headers_that_fit(inference)
    )))
}

fn sample_counts(inference: &Inference, n_extended: u32, offset: u64) -> Result<Vec<u32>> {
    if let Some(n) = inference.overrides.n_samples {
        return Ok(vec![n]);
    }
    let extended = if inference.rev2 { inference.binary.u32(3269) } else { 0 };
    let binary = u32::from(inference.binary.u16(3221));
    let mut counts: Vec<u32> = [extended, binary].into_iter().filter(|&n| n > 0).collect();
    if counts.is_empty() {
        let n = first_trace_count(inference, offset);
        if n == 0 {
            return Err(Error::Input(format!(
                "{}: the number of samples is 0 in the binary header (bytes 3221-3222) and in the first trace header \
                 (bytes 115-116); give it with --samples{}",
                inference.file.path().display(),
                samples_that_fit(inference, n_extended, offset)
            )));
        }
        counts.push(n);
    }
    Ok(counts)
}

/// The sample count in the first trace header, 0 if it has none.
pub(crate) fn first_trace_count(inference: &Inference, offset: u64) -> u32 {
    let header =
        inference.file.copy(offset, TRACE_HEADER_BYTES.min(inference.file.len().saturating_sub(offset) as usize));
    header.map_or(0, |h| u32::from(inference.trace_u16(&h, 115)))
}

fn additional_headers(inference: &Inference) -> Vec<u32> {
    if !inference.rev2 {
        return vec![0];
    }
    let (short, long) = (i64::from(inference.binary.i16(3507)), i64::from(inference.binary.i32(3507)));
    let order = if inference.revision == (2, 0) { [long, short] } else { [short, long] };
    let mut counts: Vec<u32> = Vec::new();
    for n in order.into_iter().chain([0]).filter(|n| (0..=MAX_ADDITIONAL_HEADERS).contains(n)) {
        if !counts.contains(&(n as u32)) {
            counts.push(n as u32);
        }
    }
    // A count of 0 in the preferred field is tried last: revs 2.0 and 2.1 put the count in different bytes.
    counts.sort_by_key(|&n| n == 0);
    counts
}

fn trailers(inference: &Inference, offset: u64) -> Vec<u64> {
    if let Some(bytes) = inference.overrides.trailer_bytes {
        return vec![bytes];
    }
    if !inference.rev2 {
        return vec![0];
    }
    let data = inference.file.len().saturating_sub(offset);
    match inference.binary.i32(3529) {
        n @ 1.. if u64::from(n.unsigned_abs()) * TEXT < data => vec![u64::from(n.unsigned_abs()) * TEXT, 0],
        // Each of its records may begin with a stanza.
        -1 => {
            let begins = |n: &u64| *n == 0 || begins_stanza(inference, *n);
            (0..=(data / TEXT).min(100)).rev().map(|n| n * TEXT).filter(begins).collect()
        }
        _ => vec![0],
    }
}

/// Whether a stanza begins `from_end` bytes before the end of the file.
fn begins_stanza(inference: &Inference, from_end: u64) -> bool {
    begins_stanza_at(inference, inference.file.len() - from_end)
}

/// Whether a stanza begins at this offset.
fn begins_stanza_at(inference: &Inference, offset: u64) -> bool {
    let start = inference.file.copy(offset, 2).unwrap_or_default();
    matches!(start.as_slice(), b"((" | [0x4D, 0x4D])
}

pub(crate) fn accept(inference: &Inference, reading: &Reading, n_traces: u64, because: &str) -> Fit {
    let size = inference.format.bytes;
    let end = reading.offset + n_traces * reading.stride(size);
    let trailing_bytes = inference.file.len() - end;
    let samples_from = match inference.overrides.n_samples {
        Some(_) => "option --samples",
        None if inference.rev2 && inference.binary.u32(3269) == reading.n_samples => {
            "bytes 3269-3272 (rev 2 extended count)"
        }
        None if inference.binary.u16(3221) != 0 => "bytes 3221-3222",
        None => "bytes 115-116 of the first trace header, as the binary header says 0",
    };
    let mut warnings = Vec::new();
    if samples_from.starts_with("bytes 115") {
        warnings.push(format!(
            "the binary header says 0 samples (bytes 3221-3222); {} is taken from the first trace header (bytes 115-116)",
            reading.n_samples
        ));
    }
    if reading.trailer == 0
        && inference.rev2
        && inference.overrides.trailer_bytes.is_none()
        && inference.binary.i32(3529) > 0
    {
        warnings.push(format!(
            "bytes 3529-3532 declare {}, and traces fill the file to its end",
            count(u64::from(inference.binary.i32(3529).unsigned_abs()), "record of a trailer")
        ));
    }
    if trailing_bytes > reading.trailer || (trailing_bytes > 0 && reading.trailer == 0) {
        warnings.push(format!(
            "{trailing_bytes} bytes after the last trace (from byte {}) are not a trace; they are kept for the export",
            inference.file.byte_number(end)
        ));
    }
    let mut decisions = vec![
        ("samples per trace", reading.n_samples.to_string(), samples_from.to_owned()),
        (
            "first trace",
            format!("byte {}", inference.file.byte_number(reading.offset)),
            start_reason(inference, reading),
        ),
        ("traces", n_traces.to_string(), because.to_owned()),
    ];
    if inference.overrides.trailer_bytes.is_some() {
        decisions.push(("trailer", format!("{trailing_bytes} bytes"), "option --trailer".to_owned()));
    }
    if reading.n_additional > 0 {
        let reason = "the binary header from byte 3507, and the file size".to_owned();
        decisions.push(("additional trace headers", reading.n_additional.to_string(), reason));
    }
    Fit {
        n_traces,
        n_samples: reading.n_samples,
        varying: None,
        n_extended_text_headers: reading.n_extended,
        first_trace_offset: reading.offset,
        n_additional_headers: reading.n_additional,
        trailing_bytes,
        decisions,
        warnings,
    }
}

fn start_reason(inference: &Inference, reading: &Reading) -> String {
    if inference.overrides.extended_text_headers.is_some() {
        return "option --extended-headers".into();
    }
    let after_text = FILE_HEADER_BYTES + u64::from(reading.n_extended) * TEXT;
    if reading.offset != after_text || (inference.rev2 && inference.binary.u64(3521) == reading.offset) {
        "bytes 3521-3528 (rev 2 first trace offset)".into()
    } else if reading.n_extended > 0 {
        let n = reading.n_extended;
        let by = match i64::from(inference.binary.i16(3505)) {
            declared if declared == i64::from(n) => "bytes 3505-3506",
            _ => "the stanza that ends them",
        };
        format!("{n} extended textual header{} ({by})", if n == 1 { "" } else { "s" })
    } else {
        "the end of the file header".into()
    }
}

/// The size does not agree: stray bytes, a trace cut short, or headers that do not belong to this file.
fn imperfect_end(inference: &Inference, reading: &Reading) -> Result<Fit> {
    let path = inference.file.path().display();
    let elsewhere = || shifted::traces_elsewhere(inference, reading);
    if let Some(refusal) = shifted::refusal(inference.file).or_else(elsewhere) {
        return Err(refusal);
    }
    let (n, rest) = reading.divide(inference.file.len(), inference.format.bytes);
    let stride = reading.stride(inference.format.bytes);
    second_header::check(inference.file, reading.offset, stride, n)?;
    let fits = || what_would_fit(inference, reading);
    if n == 0 {
        return Err(Error::Input(format!(
            "{path}: holds less than one trace: {rest} bytes from byte {}, where {} samples of {} need {stride}{}",
            inference.file.byte_number(reading.offset),
            reading.n_samples,
            inference.format.name,
            fits()
        )));
    }
    let agreement = last_bytes::agreement(inference, reading, inference.format.bytes, n);
    if agreement == Agreement::Contradicted {
        return Err(Error::Input(format!(
            "{path}: the file size does not agree with the headers: {} of {stride} bytes ({} samples of {}) leave {rest} \
             bytes, and what would be trace {n} does not look like the first{}",
            count(n, "trace"),
            reading.n_samples,
            inference.format.name,
            fits()
        )));
    }
    // Only if the headers are where they should be is the end the only thing wrong.
    if agreement == Agreement::Agreed && !last_bytes::looks_like_a_trace(inference, reading, n, rest)? {
        let reason = format!("the file size; the {rest} bytes left over do not look like the beginning of a trace");
        return Ok(accept(inference, reading, n, &reason));
    }
    if inference.overrides.allow_truncated {
        let mut fit = accept(inference, reading, n, "the file size, rounded down to whole traces");
        fit.warnings.push(format!("the file ends inside trace {}; the {n} whole ones are taken", n + 1));
        return Ok(fit);
    }
    Err(Error::Input(format!(
        "{path}: ends inside trace {}: {rest} of its {stride} bytes are there, from byte {}; --allow-truncated imports the {n} \
         whole ones{}",
        n + 1,
        inference.file.byte_number(reading.offset + n * stride),
        fits()
    )))
}

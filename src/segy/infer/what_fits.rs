//! What would make headers and file size agree when they do not: options to suggest to the user.

use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::infer::Inference;
use crate::segy::infer::fit::{Reading, first_trace_count, readings};
use crate::segy::infer::last_bytes::{Agreement, agreement};
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::samples::format::FORMATS;
use crate::segy::text::TEXT_HEADER_BYTES;

/// Highest number of extended textual headers tried.
const MOST_EXTENDED: u32 = 16;
/// Most traces of more than 65,535 samples that are looked for.
const MOST_LONG_TRACES: u64 = 1 << 20;
/// Most options to list.
const MOST_OPTIONS: usize = 5;
/// The revisions tried, as `--revision` takes them.
const REVISIONS: [((u8, u8), &str); 3] = [((1, 0), "1"), ((2, 0), "2.0"), ((2, 1), "2.1")];

/// The options found so far; those confirmed by the trace headers are kept apart.
#[derive(Default)]
struct Options {
    /// Traces of which length are in doubt: another one has to be stated in the trace headers, and no multiple of it.
    doubted: Option<u64>,
    agreeing: Vec<String>,
    others: Vec<String>,
}

impl Options {
    /// Adds the option if the reading it gives fits the size.
    fn consider(&mut self, inference: &Inference, reading: &Reading, sample_bytes: usize, option: &str) {
        let (n, rest) = reading.divide(inference.file.len(), sample_bytes);
        if n == 0 || rest != 0 {
            return;
        }
        let is_stated = || first_trace_count(inference, reading.offset) == reading.n_samples;
        if self.doubted.is_some_and(|stride| reading.stride(sample_bytes).is_multiple_of(stride) || !is_stated()) {
            return;
        }
        let traces = if n == 1 { "1 trace".to_owned() } else { format!("{n} traces") };
        match agreement(inference, reading, sample_bytes, n) {
            Agreement::Agreed => self.agreeing.push(format!("{option} ({traces}, whose headers agree)")),
            Agreement::Unknown => self.others.push(format!("{option} ({traces})")),
            Agreement::Contradicted => {}
        }
    }

    /// Adds other counts of extended textual headers that fit.
    fn consider_extended_headers(&mut self, inference: &Inference, reading: &Reading) {
        for n_extended in (0..=MOST_EXTENDED).filter(|&n| n != reading.n_extended) {
            let offset = FILE_HEADER_BYTES + u64::from(n_extended) * TEXT_HEADER_BYTES as u64;
            let (reading, n_agreeing) = (Reading { n_extended, offset, ..*reading }, self.agreeing.len());
            self.consider(inference, &reading, inference.format.bytes, &format!("--extended-headers {n_extended}"));
            // More of them may do as well where they leave out whole traces.
            if self.agreeing.len() > n_agreeing {
                return;
            }
        }
    }

    /// Adds traces of another length.
    fn consider_other_traces(&mut self, inference: &Inference, reading: &Reading) {
        let size = inference.format.bytes;
        let counts = match self.doubted {
            Some(_) => vec![first_trace_count(inference, reading.offset)],
            None => counts(inference, reading),
        };
        for n_samples in counts {
            self.consider(inference, &Reading { n_samples, ..*reading }, size, &format!("--samples {n_samples}"));
        }
        let mut sizes_seen = vec![size];
        for format in FORMATS {
            if !sizes_seen.contains(&format.bytes) {
                sizes_seen.push(format.bytes);
                let option = format!("--format {} or another of {} bytes", format.code, format.bytes);
                self.consider(inference, reading, format.bytes, &option);
            }
        }
        for (revision, name) in REVISIONS.into_iter().filter(|(r, _)| (r.0 >= 2) != inference.rev2) {
            let other = inference.as_revision(revision);
            let found = readings(&other).unwrap_or_default();
            let fitting = found.iter().find(|r| matches!(r.divide(other.file.len(), size), (1.., 0)));
            if let Some(reading) = fitting {
                self.consider(&other, reading, size, &format!("--revision {name}"));
            }
        }
    }

    /// `; what would fit: --samples 25 (12 traces, whose headers agree), …`
    fn listed(self) -> String {
        // If the trace headers confirm some options, the merely possible ones are not listed.
        let mut all = if self.agreeing.is_empty() { self.others } else { self.agreeing };
        all.truncate(MOST_OPTIONS);
        if all.is_empty() { String::new() } else { format!("; what would fit: {}", all.join(", or ")) }
    }
}

/// Options that lead to other readings that fit the size.
pub(crate) fn what_would_fit(inference: &Inference, reading: &Reading) -> String {
    let mut options = Options::default();
    options.consider_other_traces(inference, reading);
    options.consider_extended_headers(inference, reading);
    if let Some(trailer) = trailer(inference, reading) {
        let reading = Reading { trailer, ..*reading };
        options.consider(inference, &reading, inference.format.bytes, &format!("--trailer {trailer}"));
    }
    options.listed()
}

/// Options that lead to traces of another length, which their headers state and on which they agree; empty if there are none.
pub(crate) fn agreeing_readings(inference: &Inference, reading: &Reading) -> String {
    let mut options = Options { doubted: Some(reading.stride(inference.format.bytes)), ..Options::default() };
    options.consider_other_traces(inference, reading);
    options.others.clear();
    options.listed()
}

/// Options for a file in which no header gives the number of samples.
pub(crate) fn samples_that_fit(inference: &Inference, n_extended: u32, offset: u64) -> String {
    let reading = Reading { n_extended, offset, n_additional: 0, n_samples: 0, trailer: 0 };
    let mut options = Options::default();
    let size = inference.format.bytes;
    for n_samples in solved(inference, &reading).into_iter().chain(one_trace(inference, &reading)) {
        options.consider(inference, &Reading { n_samples, ..reading }, size, &format!("--samples {n_samples}"));
    }
    // A single trace always fits, so it is suggested last, with the doubt stated.
    if options.agreeing.is_empty()
        && let Some(n) = one_trace(inference, &reading)
    {
        options.others = vec![format!("--samples {n} (if it is one single trace)")];
    }
    options.listed()
}

/// Counts of extended textual headers that fit, when the declared one does not.
pub(crate) fn extended_headers_that_fit(inference: &Inference) -> String {
    let n_samples = inference.overrides.n_samples.unwrap_or_else(|| u32::from(inference.binary.u16(3221)));
    let mut options = Options::default();
    if n_samples > 0 {
        let nowhere =
            Reading { n_extended: u32::MAX, offset: FILE_HEADER_BYTES, n_additional: 0, n_samples, trailer: 0 };
        options.consider_extended_headers(inference, &nowhere);
    }
    options.listed()
}

/// Sample counts worth trying: the one in the first trace header, and the one that the file size suggests.
fn counts(inference: &Inference, reading: &Reading) -> Vec<u32> {
    let first = Some(first_trace_count(inference, reading.offset)).filter(|&n| n > 0);
    let mut counts: Vec<u32> = first.into_iter().chain(solved(inference, reading)).collect();
    counts.dedup();
    counts.retain(|&n| n != reading.n_samples);
    counts
}

/// The smallest sample count that divides the file into traces whose headers agree. Its multiples do so too.
fn solved(inference: &Inference, reading: &Reading) -> Option<u32> {
    let (len, size) = (inference.file.len(), inference.format.bytes);
    let agrees = |n_samples: &u32| {
        let reading = Reading { n_samples: *n_samples, ..*reading };
        matches!(reading.divide(len, size), (n @ 2.., 0) if agreement(inference, &reading, size, n) == Agreement::Agreed)
    };
    (1..=u32::from(u16::MAX)).find(agrees).or_else(|| longer_than_counts(inference, reading).find(agrees))
}

/// Sample counts that two bytes cannot hold and that divide the file into traces, the smallest first.
fn longer_than_counts(inference: &Inference, reading: &Reading) -> impl Iterator<Item = u32> {
    let headers = Reading { n_samples: 0, ..*reading }.stride(0);
    let size = inference.format.bytes as u64;
    let data = inference.file.len().saturating_sub(reading.offset).saturating_sub(reading.trailer);
    let most = (data / (headers + (1 << 16) * size)).min(MOST_LONG_TRACES);
    let length = move |n: u64| (data / n).checked_sub(headers).filter(|_| data.is_multiple_of(n));
    let count = move |n: u64| length(n).filter(|bytes| bytes.is_multiple_of(size)).map(|bytes| bytes / size);
    (2..=most).rev().filter_map(count).filter_map(|n| u32::try_from(n).ok())
}

/// The sample count of a file that is a single trace.
fn one_trace(inference: &Inference, reading: &Reading) -> Option<u32> {
    let data = inference.file.len().checked_sub(reading.offset + TRACE_HEADER_BYTES as u64)?;
    let size = inference.format.bytes as u64;
    u32::try_from(data / size).ok().filter(|&n| n > 0 && data.is_multiple_of(size))
}

/// The number of bytes after the traces that look like the first one, if some do and others do not.
fn trailer(inference: &Inference, reading: &Reading) -> Option<u64> {
    let size = inference.format.bytes;
    let (whole, _) = reading.divide(inference.file.len(), size);
    let agrees = |n: u64| agreement(inference, reading, size, n) == Agreement::Agreed;
    // The first `low` traces agree; `high` and more do not.
    let (mut low, mut high) = (0, whole + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if agrees(middle) { low = middle } else { high = middle }
    }
    let end = reading.offset + low * reading.stride(size);
    // A single trace agrees only with itself.
    (low > 1 && low < whole).then(|| inference.file.len() - end)
}

//! Fitting the trace lengths stated in the trace headers, for files whose traces differ in length.

use crate::base::error::{Error, Result};
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::infer::fit::{self, Fit, Reading, accept, readings};
use crate::segy::infer::last_bytes::counts_differ;
use crate::segy::infer::{Inference, second_header};
use crate::segy::lengths::ragged::{Chain, End, Ragged, Walk, Watch};

/// Like [`fit::find`], but if no single length fits the file size, or on request, follows the lengths stated in the
/// trace headers.
pub(crate) fn find(inference: &Inference) -> Result<Fit> {
    if inference.overrides.ragged == Ragged::Refuse {
        let found = fit::find(inference);
        // One length may divide the size by chance if the first trace header says another, or others are not where they should be.
        let is_sure = found.as_ref().is_ok_and(|fit| is_stated(inference, fit) && !has_other_counts(inference, fit));
        if !is_sure {
            refuse_odd_traces(inference)?;
        }
        return found;
    }
    let path = inference.file.path().display();
    if let Some(n) = inference.overrides.n_samples {
        return Err(Error::Usage(format!(
            "--samples {n} gives all traces one length, and --ragged pad reads each trace's length from its header; give only one of the two"
        )));
    }
    if inference.fixed_length()
        && let Ok(fit) = fit::find(inference)
        && !has_other_counts(inference, &fit)
    {
        return Ok(fit);
    }
    match by_stated_lengths(inference)? {
        Ok(fit) => Ok(fit),
        // In many files the trace header counts are stale and one length fits the size.
        Err(complaint) => match fit::find(inference) {
            Ok(mut fit) => {
                fit.warnings.push(format!(
                    "all traces are taken to have the same length, which agrees with the file size: by the sample counts in \
                     the trace headers, {complaint}"
                ));
                Ok(fit)
            }
            Err(_) => Err(Error::Input(format!(
                "{path}: --ragged pad follows the sample counts in the trace headers, but {complaint}"
            ))),
        },
    }
}

/// Whether the first trace header agrees with the length found.
fn is_stated(inference: &Inference, fit: &Fit) -> bool {
    let header = inference.file.copy(fit.first_trace_offset, TRACE_HEADER_BYTES);
    header.is_ok_and(|h| u32::from(inference.trace_u16(&h, 115)) == fit.n_samples)
}

/// Whether what is where this reading has trace headers states other sample counts.
fn has_other_counts(inference: &Inference, fit: &Fit) -> bool {
    let reading = Reading {
        n_extended: fit.n_extended_text_headers,
        offset: fit.first_trace_offset,
        n_additional: fit.n_additional_headers,
        n_samples: fit.n_samples,
        trailer: fit.trailing_bytes,
    };
    counts_differ(inference, &reading, fit.n_traces)
}

/// Follows the chain of trace headers. The inner error says where it breaks.
fn by_stated_lengths(inference: &Inference) -> Result<Result<Fit, String>> {
    let mut complaint = None;
    let mut tried = Vec::new();
    for reading in readings(inference)? {
        let key = (reading.offset, reading.n_additional, reading.trailer);
        if tried.contains(&key) {
            continue;
        }
        tried.push(key);
        let walk = chain(inference, &reading).walk(inference.watch)?;
        let is_cut = matches!(walk.how, End::Rest(_) | End::Cut { .. }) && inference.overrides.allow_truncated;
        if walk.n_traces > 0 && (walk.how == End::Exact || is_cut) {
            return Ok(Ok(accept_walk(inference, &reading, walk)));
        }
        if walk.n_traces > 0 && second_header::is_at(inference.file, walk.index.end) {
            return Err(second_header::refusal(inference.file, walk.index.end));
        }
        complaint = complaint.or_else(|| walk.complaint(inference.file));
    }
    Ok(Err(complaint.unwrap_or_else(|| "there is no trace".into())))
}

fn chain<'a>(inference: &'a Inference, reading: &Reading) -> Chain<'a> {
    let file = inference.file;
    Chain {
        file,
        start: reading.offset,
        end: file.len() - reading.trailer.min(file.len() - reading.offset.min(file.len())),
        header_bytes: TRACE_HEADER_BYTES * (1 + reading.n_additional as usize),
        sample_bytes: inference.format.bytes,
        order: inference.trace_order,
    }
}

fn accept_walk(inference: &Inference, reading: &Reading, walk: Walk) -> Fit {
    let of_longest = Reading { n_samples: walk.max_samples, ..*reading };
    let mut fit = accept(inference, &of_longest, 1, "a walk from trace header to trace header");
    let (min, max) = (walk.index.min_samples, walk.max_samples);
    let because = "the count in each trace header (bytes 115-116)";
    let counts = if min == max { max.to_string() } else { format!("{min} to {max}") };
    for (what, value, reason) in &mut fit.decisions {
        match *what {
            "samples per trace" => (*value, *reason) = (counts.clone(), because.into()),
            "traces" => *value = walk.n_traces.to_string(),
            _ => {}
        }
    }
    fit.warnings.clear();
    let binary = inference.binary.u16(3221);
    if min != max {
        fit.warnings.push(format!(
            "traces have {min} to {max} samples (bytes 115-116; the binary header says {binary}): shorter ones are padded with 0, \
             and the column n_samples says how many each has"
        ));
    } else if u32::from(binary) != max && reading.n_samples != max {
        fit.warnings.push(format!(
            "all trace headers say {max} samples (bytes 115-116), the binary header {binary} (bytes 3221-3222); the trace headers \
             are followed"
        ));
    }
    fit.n_traces = walk.n_traces;
    fit.trailing_bytes = inference.file.len() - walk.index.end;
    match walk.how {
        End::Rest(n) => fit.warnings.push(format!(
            "{n} bytes after the last trace (from byte {}) are not a trace",
            inference.file.byte_number(walk.index.end)
        )),
        End::Cut { .. } => fit.warnings.push(format!(
            "the file ends inside trace {}; the {} whole ones are taken",
            walk.n_traces + 1,
            walk.n_traces
        )),
        _ => {}
    }
    fit.varying = (min != max).then_some(walk.index);
    fit
}

/// Refuses a file that fits the trace header counts but no single length, naming the first trace that differs.
fn refuse_odd_traces(inference: &Inference) -> Result<()> {
    if inference.overrides.n_samples.is_some() {
        return Ok(());
    }
    let readings = readings(inference)?;
    readings.iter().take(8).try_for_each(|reading| refuse_odd_trace(&chain(inference, reading), inference.watch))
}

/// Refuses traces that differ in length, naming the first, if the chain of their headers is convincing.
pub(super) fn refuse_odd_trace(chain: &Chain, watch: &Watch) -> Result<()> {
    /// This many traces cannot agree by chance.
    const CONVINCING: u64 = 10_000;
    let walk = chain.walk_over(CONVINCING, watch)?;
    let is_convincing = walk.n_traces > 1 && matches!(walk.how, End::Exact | End::Enough);
    let Some((trace, n)) = walk.first_odd.filter(|_| is_convincing) else { return Ok(()) };
    Err(Error::Input(format!(
        "{}: traces differ in length: trace {} has {n} samples (bytes 115-116) where trace 1 has {}; --ragged pad \
         imports them, padded to the longest",
        chain.file.path().display(),
        trace + 1,
        walk.first_samples
    )))
}

//! Checks the sample counts in trace headers against the one decided on.

use crate::base::error::{Error, Result};
use crate::segy::binary_header::big_endian;
use crate::segy::file::SegyFile;
use crate::segy::infer::second_header;
use crate::segy::layout::Layout;
use crate::segy::lengths::ragged::{Chain, End};

const SAMPLE_COUNT_BYTE: usize = 115;

/// Compares the sample count of some trace headers, spread over the file, with the one decided on.
///
/// Many files carry a stale count that is the same in every header; that is noted and harmless. Where the first
/// header agrees, another that differs means traces of varying length, and the offsets would be wrong.
pub(crate) fn check_trace_lengths(file: &SegyFile, layout: &mut Layout) -> Result<()> {
    let order = layout.byte_order;
    let count = |layout: &Layout, index: u64| -> Result<u16> {
        let offset = layout.trace_offset(index) + SAMPLE_COUNT_BYTE as u64 - 1;
        Ok(u16::from_be_bytes(big_endian(&file.copy(offset, 2)?, 0, order)))
    };
    let first = count(layout, 0)?;
    layout.trace_counts_agree = u32::from(first) == layout.n_samples;
    if first == 0 || layout.n_samples > u32::from(u16::MAX) {
        return Ok(());
    }
    if !layout.trace_counts_agree && layout.fixed_length {
        layout.warnings.push(format!(
            "the first trace header says {first} samples (bytes 115-116), the binary header {} and fixed length; the \
             binary header is taken",
            layout.n_samples
        ));
        return Ok(());
    }
    if !layout.trace_counts_agree {
        return contradicted_count(file, layout, first);
    }
    let probes = 64.min(layout.n_traces);
    let trace =
        |probe| u64::try_from(u128::from(probe) * u128::from(layout.n_traces) / u128::from(probes)).unwrap_or(0);
    for probe in 0..probes {
        let index = trace(probe);
        file.will_read_each(probe, probes, layout.header_bytes(), |probe| layout.trace_offset(trace(probe)));
        let n = count(layout, index)?;
        file.release_around(layout.trace_offset(index));
        if !layout.fixed_length && n != 0 && u32::from(n) != layout.n_samples {
            return Err(odd_trace(file, layout, index, n));
        }
    }
    Ok(())
}

/// Warns if the last header is empty and the first one is not: the sign of a file whose space was allocated, but that
/// was not copied to its end.
pub(crate) fn look_at_the_last_header(file: &SegyFile, layout: &mut Layout) -> Result<()> {
    let is_empty = |index: u64| -> Result<bool> {
        let offset = layout.trace_offset(index);
        let header = file.copy(offset, layout.header_bytes())?;
        file.release_around(offset);
        Ok(header.iter().all(|b| *b == 0))
    };
    let last = layout.n_traces.saturating_sub(1);
    if last > 0 && is_empty(last)? && !is_empty(0)? {
        layout.warnings.push(format!(
            "the header of the last trace ({}) has nothing but zeros, as if the file was not copied to its end",
            last + 1
        ));
    }
    Ok(())
}

/// The trace headers say another sample count than the one decided on, and nothing says that traces have a fixed
/// length. If their count fits the file too, the input is ambiguous and refused.
fn contradicted_count(file: &SegyFile, layout: &mut Layout, first: u16) -> Result<()> {
    let n_samples = layout.n_samples;
    let (data, format) = (file.len() - layout.first_trace_offset - layout.trailing_bytes, layout.format());
    let stride = (layout.header_bytes() + usize::from(first) * format.bytes) as u64;
    let repeated = |index: u64| {
        let count = file.copy(layout.first_trace_offset + index * stride + SAMPLE_COUNT_BYTE as u64 - 1, 2);
        count.is_ok_and(|b| u16::from_be_bytes(big_endian(&b, 0, layout.byte_order)) == first)
    };
    let n = data / stride;
    if data.is_multiple_of(stride) && (0..n.min(8)).all(repeated) {
        return Err(Error::Input(format!(
            "{}: the binary header says {n_samples} samples (bytes 3221-3222), which makes {} traces, the trace headers {first} \
             (bytes 115-116), which makes {n}; choose with --samples",
            file.path().display(),
            layout.n_traces
        )));
    }
    layout.warnings.push(format!(
        "the first trace header says {first} samples (bytes 115-116), but {n_samples} fits the file and is used"
    ));
    Ok(())
}

/// The refusal of a file in which trace `index` (from 0) has another sample count than was decided on, with what reads
/// it right, if anything does.
pub(crate) fn odd_trace(file: &SegyFile, layout: &Layout, index: u64, n: u16) -> Error {
    let refusal = refusal_of_odd_trace(file, layout, index, n);
    // What does not look like a trace may only be unreadable.
    file.check_reads().err().unwrap_or(refusal)
}

fn refusal_of_odd_trace(file: &SegyFile, layout: &Layout, index: u64, n: u16) -> Error {
    let n_samples = layout.n_samples;
    let what = if reads_by_counts(file, layout) {
        "; --ragged pad imports traces of varying length, padded to the longest".to_owned()
    } else if second_header::is_at(file, layout.trace_offset(index)) {
        return second_header::refusal(file, layout.trace_offset(index));
    } else if is_like_the_first(file, layout, index) {
        format!("; if the count in that header is wrong, --samples {n_samples} reads all of them so")
    } else {
        ", and nothing else there looks like a trace header; the file may be damaged".to_owned()
    };
    Error::Input(format!(
        "{}: trace {} says {n} samples (bytes 115-116) where the others have {n_samples}{what}",
        file.path().display(),
        index + 1
    ))
}

/// Whether the chain of the counts in the trace headers leads through the file.
fn reads_by_counts(file: &SegyFile, layout: &Layout) -> bool {
    /// This many traces cannot agree by chance.
    const CONVINCING: u64 = 10_000;
    let chain = Chain {
        file,
        start: layout.first_trace_offset,
        end: file.len() - layout.trailing_bytes,
        header_bytes: layout.header_bytes(),
        sample_bytes: layout.format().bytes,
        order: layout.byte_order,
    };
    let walk = chain.walk_over(CONVINCING, &|_| Ok(()));
    walk.is_ok_and(|walk| walk.n_traces > 1 && matches!(walk.how, End::Exact | End::Enough))
}

/// Whether a trace header has the interval and the coordinate scalar of the first one.
fn is_like_the_first(file: &SegyFile, layout: &Layout, index: u64) -> bool {
    let telling = |index: u64| {
        let offset = layout.trace_offset(index);
        Some((file.copy(offset + 116, 2).ok()?, file.copy(offset + 70, 2).ok()?, file.copy(offset + 28, 2).ok()?))
    };
    telling(0).is_some_and(|first| first.0 != [0, 0] && telling(index) == Some(first))
}

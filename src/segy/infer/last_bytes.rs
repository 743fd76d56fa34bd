//! What follows the last whole trace if the file size leaves a remainder: the beginning of a truncated trace, or
//! bytes that belong to no trace.

use crate::base::error::Result;
use crate::segy::binary_header::big_endian;
use crate::segy::fields::{FieldKind, TRACE_FIELDS, TRACE_HEADER_BYTES};
use crate::segy::infer::Inference;
use crate::segy::infer::fit::Reading;

/// Traces before the end whose headers predict the next one.
const HISTORY: u64 = 16;
/// Traces, spread over the file, whose headers are compared with the first one.
const COMPARED: u64 = 16;
/// Length of the trace sequence number at the start of a header.
const SEQUENCE_BYTES: usize = 4;

/// How the trace headers agree with a reading of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// Headers are where this reading expects them.
    Agreed,
    /// The headers hold nothing to compare.
    Unknown,
    /// What is there differs from the first header.
    Contradicted,
}

/// Whether trace headers where this reading expects them look like the first one: same sample count, interval and
/// coordinate scalar, checked in a few of the `n` traces and in the last one.
pub(crate) fn agreement(inference: &Inference, reading: &Reading, sample_bytes: usize, n: u64) -> Agreement {
    let stride = reading.stride(sample_bytes);
    let header = |index: u64| inference.file.copy(reading.offset + index * stride, TRACE_HEADER_BYTES);
    let Some(Ok(first)) = (n > 0).then(|| header(0)) else { return Agreement::Contradicted };
    let telling = |header: &[u8]| [115, 117, 71].map(|byte| inference.trace_u16(header, byte));
    let [count, interval, scalar] = telling(&first);
    let probes = COMPARED.min(n);
    let spread = (1..=probes).map(|i| (u128::from(n) * u128::from(i) / u128::from(probes)) as u64 - 1);
    for index in spread {
        match header(index) {
            Ok(other) if telling(&other) == [count, interval, scalar] => {}
            _ => return Agreement::Contradicted,
        }
    }
    // The same byte throughout is padding or blank text.
    let is_padding = first.iter().all(|b| *b == first[0]);
    let tells = if is_padding {
        false
    } else if n == 1 {
        u32::from(count) == reading.n_samples
    } else {
        count != 0 || interval != 0
    };
    if tells { Agreement::Agreed } else { Agreement::Unknown }
}

/// Whether some header, of a few of the `n` traces, states another sample count than the first; headers of zeros state none.
pub(crate) fn counts_differ(inference: &Inference, reading: &Reading, n: u64) -> bool {
    let stride = reading.stride(inference.format.bytes);
    let count = |index: u64| {
        let header = inference.file.copy(reading.offset + index * stride, TRACE_HEADER_BYTES).ok()?;
        header.iter().any(|byte| *byte != 0).then(|| inference.trace_u16(&header, 115))
    };
    let probes = COMPARED.min(n);
    let mut spread = (1..=probes).map(|i| (u128::from(n) * u128::from(i) / u128::from(probes)) as u64 - 1);
    count(0).is_some_and(|first| spread.any(|index| count(index).is_some_and(|other| other != first)))
}

/// Whether trace headers at two offsets look alike, and hold something to compare: the same sample count, interval and
/// coordinate scalar.
pub(crate) fn are_alike(inference: &Inference, one: u64, other: u64) -> bool {
    let telling = |offset: u64| {
        let header = inference.file.copy(offset, TRACE_HEADER_BYTES).ok()?;
        Some([115, 117, 71].map(|byte| inference.trace_u16(&header, byte)))
    };
    let [count, interval, _] = telling(one).unwrap_or_default();
    (count, interval) != (0, 0) && telling(one) == telling(other)
}

/// Whether the `rest` bytes after trace `n` (from 1) could be the beginning of the next trace: most of their fields
/// hold what the previous headers suggest, and so do half of the nonzero ones.
///
/// When in doubt they count as a trace, since losing one is the worse mistake.
pub(crate) fn looks_like_a_trace(inference: &Inference, reading: &Reading, n: u64, rest: u64) -> Result<bool> {
    let stride = reading.stride(inference.format.bytes);
    let order = inference.trace_order;
    let length = rest.min(TRACE_HEADER_BYTES as u64) as usize;
    let tail = inference.file.copy(reading.offset + n * stride, length)?;
    let header = |index: u64| inference.file.copy(reading.offset + index * stride, TRACE_HEADER_BYTES);
    let history: Vec<Vec<u8>> = (n.saturating_sub(HISTORY)..n).map(header).collect::<Result<_>>()?;
    let integer = |bytes: &[u8], byte: u32, kind: FieldKind| match kind.size() {
        2 => i64::from(i16::from_be_bytes(big_endian(bytes, byte as usize - 1, order))),
        _ => i64::from(i32::from_be_bytes(big_endian(bytes, byte as usize - 1, order))),
    };
    if length < SEQUENCE_BYTES {
        let number = |header: &[u8]| integer(header, 1, FieldKind::I32) as i32;
        let last = history.last().map_or(0, |h| number(h));
        let before = history.iter().rev().nth(1).map_or(last.wrapping_sub(1), |h| number(h));
        let next = last.wrapping_add(last.wrapping_sub(before)).to_be_bytes();
        return Ok(big_endian::<SEQUENCE_BYTES>(&next, 0, order).starts_with(&tail));
    }
    let (mut fields, mut expected, mut used, mut used_expected) = (0, 0, 0, 0);
    let numbers = TRACE_FIELDS.iter().filter(|f| f.exists_in(inference.revision.0) && f.kind.is_integer());
    for field in numbers.filter(|f| matches!(f.kind.size(), 2 | 4)) {
        if field.byte as usize - 1 + field.kind.size() > length {
            continue;
        }
        let value = integer(&tail, field.byte, field.kind);
        let before: Vec<i64> = history.iter().map(|h| integer(h, field.byte, field.kind)).collect();
        let is_used = before.iter().any(|&v| v != 0);
        let fits = if is_used { may_follow(&before, value) } else { value == 0 };
        fields += 1;
        expected += u32::from(fits);
        used += u32::from(is_used);
        used_expected += u32::from(is_used && fits);
    }
    Ok(expected * 4 >= fields * 3 && used_expected * 2 >= used)
}

/// Whether a number continues the ones before: within their range, or beyond it in the direction they run.
fn may_follow(before: &[i64], value: i64) -> bool {
    let (min, max) = before.iter().fold((i64::MAX, i64::MIN), |(min, max), &v| (min.min(v), max.max(v)));
    let reach = 2 * (max - min) + 1;
    if before.first() > before.last() {
        (min - reach..=max).contains(&value)
    } else {
        (min..=max + reach).contains(&value)
    }
}

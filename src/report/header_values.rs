//! The values of a header field in the headers that were read.

use crate::inspect::field_keys::number;
use crate::inspect::header_runs::HeaderRuns;
use crate::segy::apply_scalar;
use crate::segy::samples::format::ByteOrder;
use crate::table::Column;

/// The value of a field in every header, as it stands there; NaN for text.
pub(super) fn raw_values(headers: &HeaderRuns, column: &Column) -> Vec<f64> {
    let (mut values, mut keys) = (Vec::new(), Vec::new());
    for run in &headers.runs {
        headers.headers(run).keys(column, &mut keys);
        values.extend(keys.iter().map(|&key| number(key, column.kind).map_or(f64::NAN, |n| n.as_f64())));
    }
    values
}

/// The value of a field in every header, with the header's own scalar applied if the field has one.
pub(super) fn values(headers: &HeaderRuns, column: &Column) -> Vec<f64> {
    let mut values = raw_values(headers, column);
    if let Some(byte) = column.scalar {
        let all = headers.runs.iter().flat_map(|run| run.bytes.chunks_exact(headers.width));
        for (value, header) in values.iter_mut().zip(all) {
            *value = apply_scalar(*value, scalar(header, byte, headers.order));
        }
    }
    values
}

fn scalar(header: &[u8], first_byte: u32, order: ByteOrder) -> i16 {
    let bytes = header.get(first_byte as usize - 1..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
    match order {
        ByteOrder::Big => i16::from_be_bytes(bytes),
        ByteOrder::Little => i16::from_le_bytes(bytes),
    }
}

/// The number of the trace of every header, from 0.
pub(super) fn trace_numbers(headers: &HeaderRuns) -> Vec<u64> {
    let of_run = |first: u64, n: usize| (first..).take(n);
    headers.runs.iter().flat_map(|run| of_run(run.first_trace, run.bytes.len() / headers.width)).collect()
}

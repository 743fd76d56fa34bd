//! `metadata.json`: what the file said, what was decided, and what was found. No times, host names or paths in it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::error::{Result, failed};
use crate::gather::index::GatherCounts;
use crate::plan::Plan;
use crate::protocol::SegmentRecord;
use crate::segy::binary::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, BinaryHeader};
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::text::{self, TEXT_HEADER_BYTES};
use crate::segy::{Access, Io, SegyFile};
use crate::statistics::SampleStatistics;

/// Version of the dataset's form; raised when a reader would have to know.
const FORMAT_VERSION: u32 = 1;
/// Bytes in front of the first trace, or behind the last one, that are kept in the document.
const MAX_KEPT_BYTES: u64 = 16 << 20;

/// The whole document.
pub fn dataset_document(plan: &Plan, records: &[SegmentRecord], gathers: GatherCounts) -> Result<Value> {
    let layout = &plan.layout;
    let file = layout.open(&plan.input.path, Io::Pread, Access::Headers)?;
    let stored = SegyFile::open(&plan.input.path, Io::Pread, Access::Headers)?;
    let mut samples = SampleStatistics::default();
    let mut headers = crate::headers::HeaderSummary::default();
    for record in records {
        samples.merge(&record.samples);
        headers = headers.merge(&record.headers);
    }
    let decisions: Vec<Value> =
        layout.decisions.iter().map(|d| json!({"what": d.what, "value": d.value, "because": d.because})).collect();
    Ok(json!({
        "format": {"name": "segy-import", "version": FORMAT_VERSION},
        "input": {"bytes": layout.file_bytes},
        "textual_header": if layout.has_file_header() { textual_header(&file, plan)? } else { Value::Null },
        "extended_textual_headers": extended_textual_headers(&file, plan)?,
        "binary_header": if layout.has_file_header() { binary_header(&file, plan)? } else { Value::Null },
        "bytes_before_traces": kept_bytes(&stored, 0, layout.first_trace_offset)?,
        "bytes_after_traces": kept_bytes(&stored, layout.file_bytes - layout.trailing_bytes, layout.trailing_bytes)?,
        "segy": {
            "byte_order": layout.byte_order,
            "pairwise_swapped": layout.pairwise_swapped,
            "revision": format!("{}.{}", layout.revision.0, layout.revision.1),
            "sample_format": {"code": layout.format_code, "name": layout.format().name},
            "first_trace_offset": layout.first_trace_offset,
            "additional_trace_headers": layout.n_additional_headers,
            "decisions": decisions,
        },
        "geometry": {
            "n_traces": plan.n_traces(),
            "n_samples": layout.n_samples,
            "sample_interval_us": layout.interval_us,
            "first_sample_ms": layout.start_ms,
            "header_ranges": header_ranges(plan, &headers),
        },
        "gathers": {
            "keys": plan.gather_keys.iter().map(|k| k.name.as_str()).collect::<Vec<_>>(),
            "n_gathers": gathers.n_gathers,
            "longest": gathers.longest,
            "max_probe": plan.max_probe,
            "n_longer_than_max_probe": gathers.n_beyond_probe,
        },
        "options": {
            "dtype": plan.traces.dtype.name(),
            "order": plan.traces.order,
            "codec": plan.traces.codec,
            "chunk_traces": plan.traces.chunk_traces,
            "chunk_samples": plan.traces.chunk_samples,
            "shard_chunks": plan.traces.shard_chunks,
            "row_group_rows": plan.headers.row_group_rows,
        },
        "counts": {"n_traces": plan.n_traces(), "n_objects": plan.traces.n_objects(), "zero_traces": samples.n_zero_traces},
        "statistics": {"min": samples.min, "max": samples.max, "n_nonfinite": samples.n_nonfinite},
        "warnings": layout.warnings,
    }))
}

fn textual_header(file: &SegyFile, plan: &Plan) -> Result<Value> {
    let bytes = file.copy(0, TEXT_HEADER_BYTES)?;
    let encoding = plan.layout.text_encoding;
    Ok(json!({"encoding": encoding, "lines": text::lines(&bytes, encoding)}))
}

fn binary_header(file: &SegyFile, plan: &Plan) -> Result<Value> {
    let mut binary = BinaryHeader { bytes: [0; BINARY_HEADER_BYTES], order: plan.layout.byte_order };
    binary.bytes.copy_from_slice(&file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?);
    Ok(binary.to_json(plan.layout.revision.0).into())
}

fn extended_textual_headers(file: &SegyFile, plan: &Plan) -> Result<Vec<Value>> {
    let offsets =
        (0..u64::from(plan.layout.n_extended_text_headers)).map(|i| FILE_HEADER_BYTES + i * TEXT_HEADER_BYTES as u64);
    let header = |offset| {
        let bytes = file.copy(offset, TEXT_HEADER_BYTES)?;
        let encoding = text::detect(&bytes);
        Ok(json!({"encoding": encoding, "lines": text::lines(&bytes, encoding)}))
    };
    offsets.map(header).collect()
}

/// Bytes as base64, so that the file can be written again as it was; `null` where there are too many.
fn kept_bytes(file: &SegyFile, offset: u64, n: u64) -> Result<Value> {
    if n > MAX_KEPT_BYTES {
        return Ok(Value::Null);
    }
    let length = usize::try_from(n).map_err(failed("bytes outside the traces"))?;
    Ok(json!(STANDARD.encode(file.copy(offset, length)?)))
}

/// Smallest and largest value of every header field that is not zero throughout.
fn header_ranges(plan: &Plan, summary: &crate::headers::HeaderSummary) -> Map<String, Value> {
    let columns = plan.headers.columns.iter().zip(&summary.ranges);
    let used = columns.filter_map(|(c, range)| range.filter(|r| (r.min, r.max) != (0, 0)).map(|r| (c, r)));
    used.map(|(c, range)| (c.name.clone(), json!([range.min, range.max]))).collect()
}

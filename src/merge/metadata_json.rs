//! `metadata.json`: what the file said, what was decided, and what was found. No times, host names or paths in it.
//!
//! `checksums` has length and CRC-32C of every other file of the dataset but the chunks of the traces, each of which ends
//! with its own; `chunk_checksums` says that those are the right ones: it has their number and the CRC-32C of their CRC-32Cs
//! (four little-endian bytes each, by trace chunk and then by sample chunk). `self_crc32c` is the CRC-32C of the bytes of `metadata.json` itself, with its own eight digits as zeros.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::base::error::Result;
use crate::dataset::document::NO_CHECKSUM;
use crate::gather::index::GatherCounts;
use crate::input::PlannedFile;
use crate::input::outside_traces::Part;
use crate::merge::content_warnings::of_contents;
use crate::plan::Plan;
use crate::segy::binary_header::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, BinaryHeader};
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::samples::statistics::SampleStatistics;
use crate::segy::text::{self, TEXT_HEADER_BYTES};
use crate::segy::{Access, Io, Layout, SegyFile};
use crate::staging::SegmentRecord;
use crate::store::checksum::{Checksum, ChunkSums, hexadecimal};

/// Version of the dataset's form; raised when a reader would have to know.
const FORMAT_VERSION: u32 = 1;

/// The whole document.
pub fn dataset_document(
    plan: &Plan,
    records: &[SegmentRecord],
    gathers: GatherCounts,
    checksums: &BTreeMap<String, Checksum>,
) -> Result<Value> {
    let layout = plan.layout();
    let mut samples = SampleStatistics::default();
    let mut chunks = ChunkSums::default();
    let mut headers = crate::table::HeaderSummary::default();
    for record in records {
        samples.merge(&record.samples);
        headers = headers.merge(&record.headers);
        chunks = chunks.followed_by(record.chunks);
    }
    // Those of each of several files are in its entry; here they would have its path.
    let of_files = plan.files.iter().map(|f| f.layout.warnings.len()).sum();
    let skipped = if plan.files.len() > 1 { of_files } else { 0 };
    let mut warnings: Vec<String> = plan.warnings.iter().skip(skipped).cloned().collect();
    warnings.extend(of_contents(plan, records));
    let mut document = json!({
        "format": {"name": "segy-import", "version": FORMAT_VERSION},
        "input": {"bytes": plan.input_bytes()},
        "segy": common_segy(layout),
        "geometry": {
            "n_traces": plan.n_traces(),
            "n_samples": plan.traces.n_samples,
            "sample_interval_us": layout.axis.interval_us(),
            "first_sample_ms": layout.axis.start_ms(),
            "sample_axis": layout.axis,
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
            "fields": plan.placed_fields,
            "computed": computed_columns(plan),
            "headers_only": plan.headers_only,
        },
        "counts": {
            "n_traces": plan.n_traces(),
            "n_objects": plan.n_objects(),
            "n_dead": headers.n_dead,
            "n_zero": if plan.headers_only { Value::Null } else { json!(headers.n_zero) },
            "n_duplicate": if plan.headers_only { Value::Null } else { json!(headers.n_duplicate) },
        },
        "exceptions": {"n_samples": records.iter().map(|r| r.n_exceptions).sum::<u64>()},
        "checksums": checksums,
        "chunk_checksums": {"n_chunks": chunks.n_chunks, "crc32c": hexadecimal(chunks.crc32c)},
        "self_crc32c": NO_CHECKSUM,
        "statistics": {"min": samples.min, "max": samples.max, "n_nonfinite": samples.n_nonfinite},
        "warnings": warnings,
    });
    if plan.headers.n_samples {
        let fewest = |f: &PlannedFile| f.layout.varying.as_ref().map_or(f.layout.n_samples, |v| v.min_samples);
        let min = plan.files.iter().map(fewest).min().unwrap_or(0);
        document["geometry"]["samples_per_trace"] = json!({"min": min, "max": plan.traces.n_samples});
    }
    match plan.files.as_slice() {
        [only] => file_document(only)?.into_iter().for_each(|(key, value)| document[key] = value),
        several => {
            document["files"] = several.iter().map(named_file_document).collect::<Result<Vec<_>>>()?.into();
        }
    }
    Ok(document)
}

/// What is the same in all input files.
fn common_segy(layout: &Layout) -> Value {
    json!({
        "byte_order": layout.byte_order,
        "pairwise_swapped": layout.pairwise_swapped,
        "sample_format": {"code": layout.format_code, "name": layout.format().name},
        "additional_trace_headers": layout.n_additional_headers,
    })
}

/// What each input file has of its own. Of one file it is part of the document itself, of several of each entry in `files`.
fn file_document(planned: &PlannedFile) -> Result<Map<String, Value>> {
    let (layout, path) = (&planned.layout, &planned.input.path);
    let file = layout.open(path, Io::Pread, Access::Headers)?;
    let decisions: Vec<Value> =
        layout.decisions.iter().map(|d| json!({"what": d.what, "value": d.value, "because": d.because})).collect();
    let mut segy = common_segy(layout);
    segy["revision"] = json!(format!("{}.{}", layout.revision.0, layout.revision.1));
    segy["tape_label_bytes"] = json!(layout.label_bytes);
    segy["first_trace_offset"] = json!(layout.label_bytes + layout.first_trace_offset);
    segy["decisions"] = decisions.into();
    let has_header = layout.has_file_header();
    let entries = [
        ("textual_header", if has_header { textual_header(&file, layout)? } else { Value::Null }),
        ("extended_textual_headers", extended_textual_headers(&file, layout)?.into()),
        ("binary_header", if has_header { binary_header(&file, layout)? } else { Value::Null }),
        ("bytes_before_traces", Part::BeforeTraces.in_document(path, layout)?),
        ("bytes_after_traces", Part::AfterTraces.in_document(path, layout)?),
        ("segy", segy),
    ];
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// One of several files: its name without directories, its length, its traces and its warnings besides.
fn named_file_document(planned: &PlannedFile) -> Result<Value> {
    let mut document = file_document(planned)?;
    let name = planned.input.path.file_name().map(|n| n.to_string_lossy());
    document.insert("name".into(), json!(name));
    document.insert("bytes".into(), json!(planned.input.bytes));
    document.insert("start_trace".into(), json!(planned.first_trace));
    document.insert("end_trace".into(), json!(planned.end_trace()));
    document.insert("warnings".into(), json!(planned.layout.warnings));
    Ok(document.into())
}

fn textual_header(file: &SegyFile, layout: &Layout) -> Result<Value> {
    let bytes = file.copy(0, TEXT_HEADER_BYTES)?;
    let encoding = layout.text_encoding;
    Ok(json!({"encoding": encoding, "lines": text::lines(&bytes, encoding)}))
}

fn binary_header(file: &SegyFile, layout: &Layout) -> Result<Value> {
    let mut binary = BinaryHeader { bytes: [0; BINARY_HEADER_BYTES], order: layout.byte_order };
    binary.bytes.copy_from_slice(&file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?);
    Ok(binary.to_json(layout.revision.0).into())
}

fn extended_textual_headers(file: &SegyFile, layout: &Layout) -> Result<Vec<Value>> {
    let offsets =
        (0..u64::from(layout.n_extended_text_headers)).map(|i| FILE_HEADER_BYTES + i * TEXT_HEADER_BYTES as u64);
    let header = |offset| {
        let bytes = file.copy(offset, TEXT_HEADER_BYTES)?;
        let encoding = layout.encoding_of(&bytes);
        Ok(json!({"encoding": encoding, "lines": text::lines(&bytes, encoding)}))
    };
    offsets.map(header).collect()
}

fn computed_columns(plan: &Plan) -> Vec<Value> {
    plan.headers.computed.iter().map(|c| json!({"name": c.name, "expression": c.expression})).collect()
}

/// Smallest and largest value of every header field that is not zero throughout.
fn header_ranges(plan: &Plan, summary: &crate::table::HeaderSummary) -> Map<String, Value> {
    let columns = plan.headers.columns.iter().zip(&summary.ranges);
    let used = columns.filter_map(|(c, range)| range.filter(|r| (r.min, r.max) != (0, 0)).map(|r| (c, r)));
    used.map(|(c, range)| (c.name.clone(), json!([range.min, range.max]))).collect()
}

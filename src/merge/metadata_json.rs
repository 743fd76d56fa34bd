//! Filling in `metadata.json` once all segments are done.

use std::collections::BTreeMap;

use crate::base::error::Result;
use crate::dataset::document::{
    Counts, Document, Exceptions, FileEntry, Format, Gathers, Geometry, GridDocument, GridKeyDocument, Input,
    NO_CHECKSUM, NamedFormat, Options, OutsideTraces, PartDocument, Rounded, SamplesPerTrace, Segy, TextualHeader,
};
use crate::gather::index::GatherCounts;
use crate::grid::{Grid, Key};
use crate::input::PlannedFile;
use crate::input::outside_traces::Part;
use crate::merge::content_warnings::of_contents;
use crate::merge::grid_arrays::GridArrays;
use crate::plan::Plan;
use crate::plan::mapping::ComputedField;
use crate::segy::binary_header::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, BinaryHeader};
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::samples::rounding::RoundingError;
use crate::segy::samples::statistics::SampleStatistics;
use crate::segy::text::{self, TEXT_HEADER_BYTES, TextEncoding};
use crate::segy::{Access, Io, Layout, SegyFile};
use crate::staging::SegmentRecord;
use crate::store::checksum::{Checksum, ChunkSums};
use crate::table::HeaderSummary;

/// The document of the dataset made by this plan.
pub(crate) fn dataset_document(
    plan: &Plan,
    records: &[SegmentRecord],
    gathers: GatherCounts,
    checksums: BTreeMap<String, Checksum>,
    grid: Option<GridDocument>,
) -> Result<Document> {
    let mut samples = SampleStatistics::default();
    let mut chunks = ChunkSums::default();
    let mut headers = HeaderSummary::default();
    for record in records {
        samples.merge(&record.samples);
        headers = headers.merge(&record.headers);
        chunks = chunks.followed_by(record.chunks);
    }
    let (segy, outside_traces, files) = match plan.files.as_slice() {
        [only] => (segy_of(&only.layout), Some(outside_traces(only)?), Vec::new()),
        several => (common_segy(plan.layout()), None, several.iter().map(file_entry).collect::<Result<_>>()?),
    };
    // With several files, each one's warnings are in its own entry, without its path.
    let skipped = if plan.files.len() > 1 { plan.n_file_warnings() } else { 0 };
    let mut warnings: Vec<String> = plan.warnings.iter().skip(skipped).cloned().collect();
    warnings.extend(of_contents(plan, records));
    Ok(Document {
        format: Format::current(),
        input: Input { name: (plan.files.len() == 1).then(|| file_name(&plan.files[0])), bytes: plan.input_bytes() },
        segy,
        geometry: geometry(plan, &headers),
        gathers: Gathers {
            keys: plan.gather_keys.iter().map(|k| k.name.clone()).collect(),
            n_gathers: gathers.n_gathers,
            longest: gathers.longest,
            max_probe: plan.max_probe,
            n_longer_than_max_probe: gathers.n_beyond_probe,
            decision: Some(plan.gather_decision.clone()),
        },
        options: options(plan),
        columns: plan.headers.info.clone(),
        counts: Counts {
            n_traces: plan.n_traces(),
            n_objects: plan.n_objects(),
            n_dead: headers.n_dead,
            n_zero: (!plan.headers_only).then_some(headers.n_zero),
            n_duplicate: (!plan.headers_only).then_some(headers.n_duplicate),
        },
        part: plan.part.as_ref().map(|part| PartDocument {
            options: part.options.clone(),
            n_traces: part.n_traces,
            n_samples: part.n_samples,
            first_sample: part.first_sample,
        }),
        grid,
        exceptions: Exceptions { n_samples: records.iter().map(|r| r.n_exceptions).sum() },
        checksums,
        chunk_checksums: chunks.into(),
        self_crc32c: NO_CHECKSUM.into(),
        statistics: samples,
        precision: rounded(plan, records),
        warnings,
        outside_traces,
        files,
    })
}

/// What rounding did to the samples, if they were rounded.
pub(crate) fn rounded(plan: &Plan, records: &[SegmentRecord]) -> Option<Rounded> {
    let mut error = RoundingError::default();
    records.iter().for_each(|record| error.merge(&record.rounding));
    plan.traces().precision.map(|precision| Rounded::new(precision, &error))
}

/// What the document says about a grid.
pub(crate) fn grid_document(grid: &Grid, arrays: GridArrays, records: &[SegmentRecord]) -> GridDocument {
    let key = |key: &Key| GridKeyDocument {
        name: key.name.clone(),
        field: key.field.clone(),
        bin: key.bin,
        n: key.n(),
        first: key.values.at(0).unwrap_or(0),
        last: key.values.at(key.n().saturating_sub(1)).unwrap_or(0),
    };
    let headers = records.iter().fold(ChunkSums::default(), |all, record| all.followed_by(record.records));
    GridDocument {
        keys: grid.keys.iter().map(key).collect(),
        vertical: grid.vertical.clone(),
        variable: grid.variable.clone(),
        header_type: grid.header_type,
        brick: grid.brick.clone(),
        shard: grid.shard.clone(),
        coordinates: grid.coordinates.clone(),
        coordinate_differences: arrays.differences,
        uses_last_bytes: grid.uses_last_bytes,
        n_units: grid.n_units,
        n_columns: grid.n_columns,
        n_aside: grid.n_aside,
        crs: grid.crs.clone(),
        bin_grid: arrays.bin_grid,
        checksums: arrays.checksums,
        structures: arrays.structures,
        header_checksums: headers.into(),
    }
}

fn geometry(plan: &Plan, headers: &HeaderSummary) -> Geometry {
    let axis = &plan.layout().axis;
    let columns = plan.headers.columns.iter().zip(&headers.ranges);
    let used = columns.filter_map(|(c, range)| range.filter(|r| (r.min, r.max) != (0, 0)).map(|r| (c, r)));
    let fewest = |f: &PlannedFile| f.layout.varying.as_ref().map_or(f.layout.n_samples, |v| v.min_samples);
    Geometry {
        n_traces: plan.n_traces(),
        n_samples: plan.traces().n_samples,
        sample_interval_us: axis.interval_us(),
        first_sample_ms: axis.start_ms(),
        sample_axis: axis.clone(),
        header_ranges: used.map(|(c, range)| (c.name.clone(), [range.min, range.max])).collect(),
        samples_per_trace: plan.headers.n_samples.then(|| SamplesPerTrace {
            min: plan.files.iter().map(fewest).min().unwrap_or(0).into(),
            max: plan.traces().n_samples,
        }),
    }
}

fn options(plan: &Plan) -> Options {
    let array = plan.traces();
    let computed = plan.headers.computed.iter();
    Options {
        variable: array.name.clone(),
        dtype: array.dtype,
        order: array.order,
        codec: array.codec.clone(),
        chunk_traces: array.chunk_traces,
        chunk_samples: array.chunk_samples,
        shard_chunks: array.shard_chunks,
        row_group_rows: plan.headers.row_group_rows,
        header_parts: plan.headers.in_parts,
        fields: plan.placed_fields.clone(),
        computed: computed.map(|c| ComputedField { name: c.name.clone(), expression: c.expression.clone() }).collect(),
        headers_only: plan.headers_only,
    }
}

/// The settings that all input files share.
fn common_segy(layout: &Layout) -> Segy {
    Segy {
        input_format: layout.kind,
        byte_order: layout.byte_order,
        sample_byte_order: layout.sample_order,
        binary_header_byte_order: None,
        pairwise_swapped: layout.pairwise_swapped,
        sample_format: NamedFormat { code: layout.format_code, name: layout.format().name.into() },
        additional_trace_headers: layout.n_additional_headers,
        revision: None,
        tape_label_bytes: None,
        first_trace_offset: None,
        decisions: None,
    }
}

/// As [`common_segy`], with what is specific to one file.
fn segy_of(layout: &Layout) -> Segy {
    Segy {
        revision: Some(format!("{}.{}", layout.revision.0, layout.revision.1)),
        tape_label_bytes: Some(layout.label_bytes),
        first_trace_offset: Some(layout.label_bytes + layout.first_trace_offset),
        decisions: Some(layout.decisions.clone()),
        binary_header_byte_order: layout.binary_order,
        ..common_segy(layout)
    }
}

fn file_entry(planned: &PlannedFile) -> Result<FileEntry> {
    Ok(FileEntry {
        outside_traces: outside_traces(planned)?,
        segy: segy_of(&planned.layout),
        name: file_name(planned),
        bytes: planned.input.bytes,
        start_trace: planned.first_trace,
        end_trace: planned.end_trace(),
        warnings: planned.layout.warnings.clone(),
    })
}

/// The name without directories.
fn file_name(planned: &PlannedFile) -> String {
    planned.input.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn outside_traces(planned: &PlannedFile) -> Result<OutsideTraces> {
    let (layout, path) = (&planned.layout, &planned.input.path);
    let file = layout.open(path, Io::Pread, Access::Headers)?;
    let extended =
        (0..u64::from(layout.n_extended_text_headers)).map(|i| FILE_HEADER_BYTES + i * TEXT_HEADER_BYTES as u64);
    let has_header = layout.has_file_header();
    Ok(OutsideTraces {
        textual_header: match has_header {
            true => Some(textual_header(&file, 0, |_| layout.text_encoding)?),
            false => None,
        },
        extended_textual_headers: extended
            .map(|offset| textual_header(&file, offset, |bytes| layout.encoding_of(bytes)))
            .collect::<Result<_>>()?,
        binary_header: if has_header { Some(binary_header(&file, layout)?) } else { None },
        bytes_before_traces: Part::BeforeTraces.in_document(path, layout)?,
        bytes_after_traces: Part::AfterTraces.in_document(path, layout)?,
    })
}

fn textual_header(file: &SegyFile, offset: u64, encoding: impl Fn(&[u8]) -> TextEncoding) -> Result<TextualHeader> {
    let bytes = file.copy(offset, TEXT_HEADER_BYTES)?;
    let encoding = encoding(&bytes);
    Ok(TextualHeader { encoding, lines: text::lines(&bytes, encoding) })
}

fn binary_header(file: &SegyFile, layout: &Layout) -> Result<serde_json::Map<String, serde_json::Value>> {
    let mut binary = BinaryHeader { bytes: [0; BINARY_HEADER_BYTES], order: layout.binary_byte_order() };
    binary.bytes.copy_from_slice(&file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?);
    Ok(binary.to_json(layout.revision.0))
}

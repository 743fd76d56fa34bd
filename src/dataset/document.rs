//! `metadata.json`: what the files said, what was decided, and what was found. It contains no times, host names or
//! directories.
//!
//! [`Document`] is the complete schema, for writing and reading. Fields are in the order they are written. Readers
//! ignore unknown keys, so a new key needs no new version; removing a key or changing its meaning does.
//! `docs/format.md` describes the same document for people, and a test keeps the two in step.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::base::error::{Error, Result, failed, unreadable};
use crate::dataset::damaged;
use crate::dataset_files::{METADATA, NAMED_OUTPUTS, SAMPLE_AXIS};
use crate::gather::GatherKey;
use crate::grid::bin_grid::BinGrid;
use crate::grid::{Coordinate, Grid, HeaderType, Key, Values};
use crate::plan::mapping::{ComputedField, PlacedField, is_name};
use crate::segy::layout::{Decision, InputFormat};
use crate::segy::samples::rounding::{Precision, RoundingError};
use crate::segy::samples::statistics::SampleStatistics;
use crate::segy::text::TextEncoding;
use crate::segy::{ByteOrder, Domain, Dtype, SampleAxis};
use crate::store::Place;
use crate::store::checksum::{Checksum, ChunkSums, crc32c, hexadecimal};
use crate::table::info::ColumnInfo;
use crate::zarr::{ArrayPlan, AxisOrder, Codec, usual_name};

/// The dataset format version written by this program, and the newest it reads.
const FORMAT_VERSION: u32 = 2;
/// Name of the format.
const FORMAT_NAME: &str = "segy-import";

/// What directly precedes the document's own checksum. Inside a string its quotation marks would be escaped.
const SELF_CHECKSUM: &[u8] = b"\"self_crc32c\": \"";
/// The checksum's value while it is being computed.
pub(crate) const NO_CHECKSUM: &str = "00000000";

/// The whole of `metadata.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Document {
    pub format: Format,
    pub input: Input,
    pub segy: Segy,
    pub geometry: Geometry,
    pub gathers: Gathers,
    pub options: Options,
    /// What is known of each column of the header table, in their order; empty in datasets of format version 1.
    #[serde(default)]
    pub columns: Vec<ColumnInfo>,
    pub counts: Counts,
    /// What of the input files it was made from, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartDocument>,
    /// The grid, if the traces are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridDocument>,
    pub exceptions: Exceptions,
    /// Checksums of all other files except the trace chunks, by path in the dataset.
    pub checksums: BTreeMap<String, Checksum>,
    pub chunk_checksums: ChunkChecksums,
    /// CRC-32C of this document's bytes with [`NO_CHECKSUM`] in this place, which is also the value in memory.
    pub self_crc32c: String,
    /// Statistics of the stored samples.
    pub statistics: SampleStatistics,
    /// How samples were rounded, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Rounded>,
    /// Warnings about the input and its contents; with several files, about all of them together.
    pub warnings: Vec<String>,
    /// For a single input file; several have theirs in `files`.
    #[serde(flatten, deserialize_with = "of_one_file")]
    pub outside_traces: Option<OutsideTraces>,
    /// The input files in trace order if there are several, otherwise empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
}

/// The program that wrote the dataset, and the format version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    /// `segy-import`.
    pub name: String,
    pub version: u32,
    /// Version of the program that made the dataset; empty in datasets of format version 1.
    #[serde(default)]
    pub program_version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// Name of the file, without directories, if there is only one; several have theirs in `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Total length of all input files.
    pub bytes: u64,
}

/// How a file was read. The last four are for a single file: with several, only their entries have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segy {
    /// SEG-Y, Seismic Unix or PASSCAL, which decides what the trace headers hold.
    #[serde(default)]
    pub input_format: InputFormat,
    /// Of the trace headers; and of everything else but for the next two.
    pub byte_order: ByteOrder,
    /// Of the samples, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_byte_order: Option<ByteOrder>,
    /// Of the binary header, if it is another. Of a single file, as the last four.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_header_byte_order: Option<ByteOrder>,
    /// Whether neighbouring bytes are swapped after the textual header.
    pub pairwise_swapped: bool,
    pub sample_format: NamedFormat,
    /// Additional 240-byte headers of each trace.
    pub additional_trace_headers: u32,
    /// The revision used to read the file, like `1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Length of a tape label at the start of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tape_label_bytes: Option<u64>,
    /// Bytes before the first trace, including a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_trace_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Vec<Decision>>,
}

/// A sample format of the standard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedFormat {
    /// As in bytes 3225-3226 of the file header.
    pub code: u16,
    pub name: String,
}

/// Everything in a file except its traces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OutsideTraces {
    /// `None` for a Seismic Unix file, as for the binary header.
    pub textual_header: Option<TextualHeader>,
    pub extended_textual_headers: Vec<TextualHeader>,
    /// Every field of the file's revision and its value; `null` for a double that is not finite.
    pub binary_header: Option<Map<String, Value>>,
    /// The bytes in base64; `None` if they are in a separate file.
    pub bytes_before_traces: Option<String>,
    /// Likewise; empty if there are none.
    pub bytes_after_traces: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextualHeader {
    pub encoding: TextEncoding,
    /// 40 lines without trailing blanks.
    pub lines: Vec<String>,
}

/// One of several input files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    #[serde(flatten)]
    pub outside_traces: OutsideTraces,
    pub segy: Segy,
    /// Without directories.
    pub name: String,
    /// Length of the file.
    pub bytes: u64,
    /// Its first trace, numbered in the dataset from 0.
    pub start_trace: u64,
    /// One past its last trace.
    pub end_trace: u64,
    /// Warnings about this file.
    pub warnings: Vec<String>,
}

/// The size of the array and its sample axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Geometry {
    pub n_traces: u64,
    /// Samples per trace, or of the longest one.
    pub n_samples: u64,
    /// In microseconds; `None` if the axis is not time or the interval is unknown.
    pub sample_interval_us: Option<f64>,
    /// In milliseconds; `None` if the axis is not time.
    pub first_sample_ms: Option<f64>,
    pub sample_axis: SampleAxis,
    /// Smallest and largest value of every integer field that is not always zero, by column.
    #[serde(with = "in_order")]
    pub header_ranges: Vec<(String, [i128; 2])>,
    /// Present if every trace has its own sample count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_per_trace: Option<SamplesPerTrace>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SamplesPerTrace {
    pub min: u64,
    pub max: u64,
}

/// What the gather index holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gathers {
    /// Names of the key columns.
    pub keys: Vec<String>,
    /// Rows of the gather index.
    pub n_gathers: u64,
    /// Traces in the longest gather.
    pub longest: u64,
    /// How many headers a split could be moved back to find the start of its gather.
    pub max_probe: u64,
    pub n_longer_than_max_probe: u64,
    /// Why these keys; `None` in datasets of format version 1.
    #[serde(default)]
    pub decision: Option<Decision>,
}

/// The options used, given or default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// Name of the array of the samples.
    #[serde(default = "usual_name")]
    pub variable: String,
    pub dtype: Dtype,
    pub order: AxisOrder,
    pub codec: Codec,
    /// Traces per chunk.
    pub chunk_traces: u64,
    /// Samples per trace in a chunk.
    pub chunk_samples: u64,
    /// Trace chunks per shard; `None` without shards.
    pub shard_chunks: Option<u64>,
    /// Rows per row group of the header table.
    pub row_group_rows: u64,
    /// Whether every row group is a file of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub header_parts: bool,
    /// Header fields that are not at their standard places.
    pub fields: Vec<PlacedField>,
    /// Computed columns.
    pub computed: Vec<ComputedField>,
    pub headers_only: bool,
}

/// The grid that the traces were put into. Its axes are arrays of the dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GridDocument {
    /// In the order of the axes; the samples are the last axis.
    pub keys: Vec<GridKeyDocument>,
    /// Name of the axis of the samples.
    pub vertical: String,
    /// Name of the array of the samples.
    pub variable: String,
    pub header_type: HeaderType,
    /// Length of a brick along each axis, in values.
    pub brick: Vec<u64>,
    /// Bricks along each axis in one shard; `None` without shards.
    pub shard: Option<Vec<u64>>,
    pub coordinates: Vec<Coordinate>,
    /// For each coordinate the number of traces whose value is not that of their place, which is that of its first trace.
    pub coordinate_differences: Vec<u64>,
    /// Whether the records of headers have the bytes 233 to 240.
    pub uses_last_bytes: bool,
    /// Columns of bricks, or of shards, with traces; and columns of bricks.
    pub n_units: u64,
    pub n_columns: u64,
    /// Traces that lie aside, in a group of their own.
    pub n_aside: u64,
    /// The coordinate reference system, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<String>,
    /// Where the bins lie, if inline and crossline are keys whose coordinates say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin_grid: Option<BinGrid>,
    /// Checksums of the files of all arrays but those of samples and headers, by path in the dataset.
    pub checksums: BTreeMap<String, Checksum>,
    /// Checksums of what the Zarr documents among them say besides attributes: eight lower-case hexadecimal digits.
    #[serde(default)]
    pub structures: BTreeMap<String, String>,
    /// One checksum over those of the records of headers.
    pub header_checksums: ChunkChecksums,
}

/// A key of a grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GridKeyDocument {
    pub name: String,
    /// Where the values come from; `None` for the count of traces at a place.
    pub field: Option<GatherKey>,
    /// Centre of a bin and the distance of centres.
    pub bin: Option<[i64; 2]>,
    /// Values along the axis.
    pub n: u64,
    pub first: i64,
    pub last: i64,
}

/// The part of the input files that a dataset was made from. It cannot give them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDocument {
    /// The options that asked for it.
    pub options: Vec<String>,
    /// Traces of all input files.
    pub n_traces: u64,
    /// Samples of each trace there.
    pub n_samples: u64,
    /// The sample there that is the first in the dataset, from 0.
    pub first_sample: u64,
}

/// Counts of files and traces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub n_traces: u64,
    /// Number of chunk or shard files.
    pub n_objects: u64,
    /// Traces with identification code 2.
    pub n_dead: u64,
    /// All-zero traces; `None` if only headers were imported.
    pub n_zero: Option<u64>,
    /// Traces with the same samples as the one before; `None` if only headers were imported.
    pub n_duplicate: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exceptions {
    /// Rows in the exceptions table.
    pub n_samples: u64,
}

/// How samples were rounded, and what that did to them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rounded {
    #[serde(flatten)]
    pub precision: Precision,
    /// Samples are multiples of this.
    pub step: f64,
    /// The largest difference between a sample and its rounded value.
    pub largest_error: f64,
    /// RMS of the differences.
    pub rms_error: f64,
}

impl Rounded {
    /// What `error` says of samples that were rounded like this.
    pub(crate) fn new(precision: Precision, error: &RoundingError) -> Self {
        let (largest_error, rms_error) = (error.largest(precision), error.rms(precision));
        Self { precision, step: precision.step(), largest_error, rms_error }
    }
}

/// One checksum over the checksums at the ends of the chunks: see [`ChunkSums`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChunkChecksums {
    pub n_chunks: u64,
    /// Eight lower-case hexadecimal digits.
    pub crc32c: String,
}

/// The part of the document shared by all versions.
#[derive(Deserialize)]
struct Header {
    format: Format,
}

impl Document {
    /// Writes the document, filling in its own checksum.
    pub(crate) fn write(&self, path: &Place) -> Result<()> {
        write_checked(path, self)
    }

    /// Reads the document and verifies its checksum.
    ///
    /// # Errors
    /// `Error::Input` if it cannot be read or has a version unknown to this program, `Error::Damaged` if it is
    /// damaged or has no checksum.
    pub(crate) fn read(path: &Place) -> Result<Self> {
        Self::parse(path, path.read().map_err(|e| unreadable(&path.path(), &e))?)
    }

    /// The document; `None` if it is damaged or has a version unknown to this program.
    ///
    /// # Errors
    /// `Error::Failed` if the system does not read it.
    pub(crate) fn find(path: &Place) -> Result<Option<Self>> {
        Ok(Self::parse(path, path.read().map_err(failed(path.display()))?).ok())
    }

    fn parse(path: &Place, text: Vec<u8>) -> Result<Self> {
        let value = parse_checked(path, text)?;
        let format = Header::deserialize(&value).map_err(|e| damaged(path, e))?.format;
        if let Some(what) = format.refusal() {
            return Err(Error::Input(format!("{}: {what}", path.display())));
        }
        let mut document: Self = serde_json::from_value(value).map_err(|e| damaged(path, e))?;
        if document.format.version == 1 && document.geometry.sample_axis.domain == Domain::Time {
            // Version 1 has microseconds there.
            document.geometry.sample_axis.interval = document.geometry.sample_axis.interval.map(|us| us / 1000.0);
        }
        Ok(document)
    }

    /// The names of what the dataset consists of, in the order in which it appears, the commit mark last.
    pub(crate) fn parts(&self) -> Vec<String> {
        if let Some(grid) = &self.grid {
            return grid.parts();
        }
        parts_of(&self.checksums)
    }

    /// Whether there is a document of any version written by this program. Looks at nothing else in it.
    ///
    /// # Errors
    /// `Error::Failed` if it cannot be read.
    pub(crate) fn is_at(path: &Place) -> Result<bool> {
        let header: Option<Header> = crate::store::files::find_json(path)?;
        Ok(header.is_some_and(|h| h.format.name == FORMAT_NAME))
    }
}

/// The parts of a dataset in file order by the checksums of its files: its arrays, and what has a fixed name.
pub(crate) fn parts_of(checksums: &BTreeMap<String, Checksum>) -> Vec<String> {
    let has = |name: &str| checksums.keys().any(|file| std::path::Path::new(file).starts_with(name));
    let document_of = |file: &String| file.strip_suffix("/zarr.json").map(str::to_owned);
    let arrays = checksums.keys().filter_map(document_of).filter(|name| is_name(name) && name != SAMPLE_AXIS);
    let named = NAMED_OUTPUTS.into_iter().filter(|name| *name == METADATA || has(name));
    arrays.chain(named.map(str::to_owned)).collect()
}

impl Format {
    /// The format this program writes.
    pub(crate) fn current() -> Self {
        Self { name: FORMAT_NAME.into(), version: FORMAT_VERSION, program_version: env!("CARGO_PKG_VERSION").into() }
    }

    /// Why this program cannot read it, if it cannot.
    fn refusal(&self) -> Option<String> {
        if self.name != FORMAT_NAME {
            return Some("is not the document of a segy-import dataset".into());
        }
        match self.version {
            1..=FORMAT_VERSION => None,
            0 => Some("has format version 0, which there never was".into()),
            newer => Some(format!(
                "was written by a newer segy-import (format version {newer}); this one reads up to version {FORMAT_VERSION}"
            )),
        }
    }
}

impl GridDocument {
    fn parts(&self) -> Vec<String> {
        self.grid(ArrayPlan::new(1, 1, Dtype::Int8)).parts()
    }

    /// The grid with these traces. Its axes have as many values as they should, but not the values.
    pub(crate) fn grid(&self, traces: ArrayPlan) -> Grid {
        let key = |key: &GridKeyDocument| Key {
            name: key.name.clone(),
            field: key.field.clone(),
            bin: key.bin,
            values: Values::Count(key.n),
        };
        Grid {
            keys: self.keys.iter().map(key).collect(),
            vertical: self.vertical.clone(),
            variable: self.variable.clone(),
            header_type: self.header_type,
            brick: self.brick.clone(),
            shard: self.shard.clone(),
            coordinates: self.coordinates.clone(),
            record_order: (0..self.keys.len()).collect(),
            uses_last_bytes: self.uses_last_bytes,
            sorted: None,
            n_units: self.n_units,
            n_columns: self.n_columns,
            crs: self.crs.clone(),
            n_aside: self.n_aside,
            aside_of: Vec::new(),
            traces,
        }
    }
}

impl From<ChunkSums> for ChunkChecksums {
    fn from(sums: ChunkSums) -> Self {
        Self { n_chunks: sums.n_chunks, crc32c: hexadecimal(sums.crc32c) }
    }
}

/// Writes a document with its own checksum in place of [`NO_CHECKSUM`].
fn write_checked(path: &Place, document: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(document).map_err(failed(path.display()))?;
    text.push(b'\n');
    let digits = self_checksum(&text)
        .ok_or_else(|| Error::Failed(format!("{}: has no place for its checksum", path.display())))?;
    let crc = hexadecimal(crc32c(&text));
    text[digits..][..crc.len()].copy_from_slice(crc.as_bytes());
    path.write(&text).map_err(failed(path.display()))
}

/// The document as JSON, if its checksum matches.
fn parse_checked(path: &Place, mut text: Vec<u8>) -> Result<Value> {
    let wrong = || damaged(path, "its checksum is not that of its bytes");
    let digits = self_checksum(&text).ok_or_else(|| {
        Error::Damaged(format!(
            "{}: has no checksum of its own (self_crc32c); it is damaged, or no segy-import of this version wrote it",
            path.display()
        ))
    })?;
    let stored = text[digits..].first_chunk().copied().unwrap_or([0; NO_CHECKSUM.len()]);
    let place = text.get_mut(digits..digits + NO_CHECKSUM.len()).ok_or_else(wrong)?;
    place.copy_from_slice(NO_CHECKSUM.as_bytes());
    if hexadecimal(crc32c(&text)).as_bytes() != stored {
        return Err(wrong());
    }
    serde_json::from_slice(&text).map_err(|e| Error::Input(format!("{}: {e}", path.display())))
}

/// Where the checksum's digits are in the text.
fn self_checksum(text: &[u8]) -> Option<usize> {
    let at = text.windows(SELF_CHECKSUM.len()).rposition(|w| w == SELF_CHECKSUM)?;
    Some(at + SELF_CHECKSUM.len())
}

/// Reads the keys of a single file, if there are any. By default, serde would take damaged ones for missing.
fn of_one_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OutsideTraces>, D::Error> {
    let others = Map::deserialize(deserializer)?;
    if !others.contains_key("extended_textual_headers") {
        return Ok(None);
    }
    serde_json::from_value(Value::Object(others)).map(Some).map_err(D::Error::custom)
}

/// A JSON object that keeps the order of its keys.
mod in_order {
    use super::*;

    pub(super) fn serialize<V: Serialize, S: Serializer>(
        entries: &[(String, V)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
    }

    pub(super) fn deserialize<'de, V: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, V)>, D::Error> {
        let entry = |(key, value)| Ok((key, serde_json::from_value(value).map_err(D::Error::custom)?));
        Map::deserialize(deserializer)?.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests;

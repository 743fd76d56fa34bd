//! What `metadata.json` says of a dataset, as far as reading it back needs to know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::checksum::{Checksum, ChunkSums};
use crate::error::{Error, Result};
use crate::kept::{KeptBytes, Part};
use crate::merge::HEADERS;
use crate::metadata::read_document;
use crate::output::METADATA;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::format::{SampleFormat, sample_format};
use crate::segy::{ByteOrder, Dtype};
use crate::zarr::{ArrayPlan, AxisOrder, Codec};

/// The parts of the document that are read; others are left alone.
#[derive(Deserialize)]
struct Document {
    input: Input,
    bytes_before_traces: Option<String>,
    bytes_after_traces: Option<String>,
    segy: Segy,
    geometry: Geometry,
    options: Options,
    gathers: Gathers,
    exceptions: Exceptions,
    checksums: BTreeMap<String, Checksum>,
    chunk_checksums: ChunkChecksums,
}

#[derive(Deserialize)]
struct ChunkChecksums {
    n_chunks: u64,
    crc32c: String,
}

#[derive(Deserialize)]
struct Input {
    bytes: u64,
}

#[derive(Deserialize)]
struct Segy {
    byte_order: ByteOrder,
    pairwise_swapped: bool,
    revision: String,
    sample_format: Format,
    #[serde(default)]
    tape_label_bytes: u64,
    first_trace_offset: u64,
    additional_trace_headers: u32,
}

#[derive(Deserialize)]
struct Format {
    code: u16,
}

#[derive(Deserialize)]
struct Geometry {
    n_traces: u64,
    n_samples: u64,
}

#[derive(Deserialize)]
struct Options {
    dtype: Dtype,
    order: AxisOrder,
    codec: Codec,
    chunk_traces: u64,
    chunk_samples: u64,
    shard_chunks: Option<u64>,
    row_group_rows: u64,
    headers_only: bool,
}

#[derive(Deserialize)]
struct Gathers {
    n_gathers: u64,
}

#[derive(Deserialize)]
struct Exceptions {
    n_samples: u64,
}

/// A complete dataset, with all that is needed to find its parts and to write the original file again.
pub struct Dataset {
    pub root: PathBuf,
    pub array: ArrayPlan,
    pub format: &'static SampleFormat,
    pub byte_order: ByteOrder,
    /// Whether neighbouring bytes of the original are exchanged behind the textual header.
    pub pairwise_swapped: bool,
    /// The first number of the revision that the file was read by.
    pub major_revision: u8,
    /// Length of the original.
    pub file_bytes: u64,
    /// Bytes of a tape label in front of the file header.
    pub label_bytes: u64,
    pub first_trace_offset: u64,
    /// Bytes of all headers of one trace.
    pub header_bytes: usize,
    pub row_group_rows: u64,
    /// Whether there are no samples.
    pub headers_only: bool,
    pub n_gathers: u64,
    pub n_exceptions: u64,
    /// Of every file but the chunks of the traces and the document itself.
    pub checksums: BTreeMap<String, Checksum>,
    /// Of the chunks of the traces.
    pub chunk_sums: ChunkSums,
    /// As they stand in the file.
    pub bytes_before_traces: KeptBytes,
    pub bytes_after_traces: KeptBytes,
}

impl Dataset {
    /// Reads the document of the dataset in this directory.
    ///
    /// # Errors
    /// `Error::Input` where there is no dataset, `Error::Failed` where its document is damaged.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join(METADATA);
        if !path.is_file() {
            return Err(Error::Input(format!("{}: holds no dataset: there is no {METADATA} in it", root.display())));
        }
        let damaged = |what: String| super::damaged(&path, what);
        let document: Document = serde_json::from_value(read_document(&path)?).map_err(|e| damaged(e.to_string()))?;
        let code = document.segy.sample_format.code;
        let format = sample_format(code).ok_or_else(|| damaged(format!("there is no sample format {code}")))?;
        let checksums = document.checksums;
        let kept = |part, text: Option<String>| {
            KeptBytes::find(part, text.as_deref(), root, &checksums).map_err(|e| damaged(e.to_string()))
        };
        let bytes_before_traces = kept(Part::BeforeTraces, document.bytes_before_traces)?;
        let bytes_after_traces = kept(Part::AfterTraces, document.bytes_after_traces)?;
        let dataset = Self {
            root: root.to_owned(),
            format,
            byte_order: document.segy.byte_order,
            pairwise_swapped: document.segy.pairwise_swapped,
            major_revision: document.segy.revision.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0),
            file_bytes: document.input.bytes,
            label_bytes: document.segy.tape_label_bytes,
            first_trace_offset: document.segy.first_trace_offset,
            header_bytes: TRACE_HEADER_BYTES * (1 + document.segy.additional_trace_headers as usize),
            row_group_rows: document.options.row_group_rows,
            headers_only: document.options.headers_only,
            n_gathers: document.gathers.n_gathers,
            n_exceptions: document.exceptions.n_samples,
            checksums,
            chunk_sums: ChunkSums {
                n_chunks: document.chunk_checksums.n_chunks,
                crc32c: u32::from_str_radix(&document.chunk_checksums.crc32c, 16)
                    .map_err(|e| damaged(e.to_string()))?,
            },
            bytes_before_traces,
            bytes_after_traces,
            array: ArrayPlan {
                order: document.options.order,
                dtype: document.options.dtype,
                n_samples: document.geometry.n_samples,
                n_traces: document.geometry.n_traces,
                chunk_samples: document.options.chunk_samples,
                chunk_traces: document.options.chunk_traces,
                shard_chunks: document.options.shard_chunks,
                codec: document.options.codec,
            },
        };
        if dataset.is_consistent() { Ok(dataset) } else { Err(damaged("its numbers contradict each other".into())) }
    }

    /// Chunk or shard files.
    pub fn n_objects(&self) -> u64 {
        if self.headers_only { 0 } else { self.array.n_objects() }
    }

    /// The path of a file of the dataset.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The path of the header table.
    pub fn headers(&self) -> PathBuf {
        self.path(HEADERS)
    }

    /// Bytes from the start of one trace of the original to that of the next.
    pub fn stride(&self) -> usize {
        self.header_bytes + self.array.n_samples as usize * self.format.bytes
    }

    /// Where a trace (from 0) begins in the original.
    pub fn trace_offset(&self, trace: u64) -> u64 {
        self.first_trace_offset + trace * self.stride() as u64
    }

    /// Whether nothing that follows divides by zero or runs over, and the traces fit the file.
    fn is_consistent(&self) -> bool {
        let array = &self.array;
        let sizes = [array.chunk_samples, array.chunk_traces, array.n_samples, array.n_traces, self.row_group_rows];
        let chunk = array.chunk_samples.checked_mul(array.chunk_traces).and_then(|n| n.checked_mul(8));
        let stride =
            array.n_samples.checked_mul(self.format.bytes as u64).and_then(|n| n.checked_add(self.header_bytes as u64));
        let end =
            stride.and_then(|n| n.checked_mul(array.n_traces)).and_then(|n| n.checked_add(self.first_trace_offset));
        let kept = |bytes: &KeptBytes, n: u64| bytes.len().is_none_or(|length| length == n);
        !sizes.contains(&0)
            && array.shard_chunks != Some(0)
            && chunk.is_some_and(|n| usize::try_from(n).is_ok())
            && end.is_some_and(|end| end <= self.file_bytes && kept(&self.bytes_after_traces, self.file_bytes - end))
            && kept(&self.bytes_before_traces, self.first_trace_offset)
    }
}

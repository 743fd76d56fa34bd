//! A dataset as `export` and `verify` see it: its document, checked, and where its parts are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use crate::base::error::{Error, Result, unreadable};
use crate::dataset::document::{Counts, Document, FileEntry, PartDocument, parts_of};
use crate::dataset::table_file::TableFile;
use crate::dataset::{damaged, unreadable_part};
use crate::dataset_files::{HEADERS, METADATA, NAMED_OUTPUTS, TABLES, TRACES, header_part};
use crate::grid::Grid;
use crate::input::outside_traces::{KeptBytes, Part};
use crate::plan::mapping::is_name;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::layout::InputFormat;
use crate::segy::samples::format::{SampleFormat, sample_format};
use crate::segy::text::TextEncoding;
use crate::segy::{ByteOrder, SampleAxis};
use crate::store::checksum::{Checksum, ChunkSums};
use crate::store::place::is_absence;
use crate::store::{Place, Reader};
use crate::table::info::ColumnInfo;
use crate::zarr::ArrayPlan;

/// A complete dataset, with everything needed to find its parts and rebuild the original file.
pub struct Dataset {
    pub root: Place,
    /// Format version of its document.
    pub version: u32,
    /// Where its tables and its document are: in a grid a group of their own.
    tables: Place,
    /// The grid, without the values of its axes.
    pub grid: Option<Grid>,
    /// Checksums of the files of its other arrays, by path below the root, and of the records of headers.
    pub grid_checksums: BTreeMap<String, Checksum>,
    /// Checksums of their Zarr documents without the attributes.
    pub grid_structures: BTreeMap<String, String>,
    pub record_sums: ChunkSums,
    /// The traces in file order; not of a grid's bricks.
    pub array: ArrayPlan,
    pub format: &'static SampleFormat,
    /// What the trace headers hold.
    pub input_format: InputFormat,
    /// Of the trace headers.
    pub byte_order: ByteOrder,
    /// Of the samples.
    pub sample_order: ByteOrder,
    /// Whether neighbouring bytes of the original are swapped after the textual header.
    pub pairwise_swapped: bool,
    /// The files it was made from, in trace order; at least one.
    pub files: Vec<OriginalFile>,
    /// What of the files it was made from, if not all.
    pub part: Option<PartDocument>,
    /// Whether the header table has each trace's number of samples, which may be fewer than in the array.
    pub has_sample_counts: bool,
    /// Length of all headers of one trace, in bytes.
    pub header_bytes: usize,
    /// Rows in each file of the header table, if it is a directory of parts.
    pub header_part_rows: Option<u64>,
    /// Whether it has no samples.
    pub headers_only: bool,
    /// Whether a chunk that is missing is taken for one of the fill value, as Zarr has it, rather than for a loss.
    pub fills_missing: bool,
    pub n_gathers: u64,
    /// What its samples are counted along.
    pub sample_axis: SampleAxis,
    /// What is known of each column of the header table; nothing in datasets of format version 1.
    pub columns: Vec<ColumnInfo>,
    pub n_exceptions: u64,
    /// The counts in the document.
    pub counts: Counts,
    /// Samples that were infinite or NaN when imported.
    pub n_nonfinite: u64,
    /// Checksums of every file except the trace chunks and the document itself.
    pub checksums: BTreeMap<String, Checksum>,
    /// Checksum of the trace chunks.
    pub chunk_sums: ChunkSums,
}

/// A file that a dataset was made from.
pub struct OriginalFile {
    /// Without directories; empty if it was the only file.
    pub name: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Its traces, numbered as in the dataset.
    pub traces: Range<u64>,
    /// Major revision used to read the file.
    pub major_revision: u8,
    /// Byte order of the binary header.
    pub binary_order: ByteOrder,
    /// Of its textual header; `None` if it has none.
    pub text_encoding: Option<TextEncoding>,
    /// Length of a tape label before the file header.
    pub label_bytes: u64,
    /// In the whole file, including a label.
    pub first_trace_offset: u64,
    /// As in the file.
    pub bytes_before_traces: KeptBytes,
    pub bytes_after_traces: KeptBytes,
}

impl OriginalFile {
    /// `of_several` is the number of the file, from 0, if there are several.
    ///
    /// # Errors
    /// What is wrong with the kept bytes.
    fn new(
        entry: FileEntry,
        of_several: Option<usize>,
        root: &Place,
        checksums: &BTreeMap<String, Checksum>,
    ) -> Result<Self> {
        let kept = |part, text: Option<String>| KeptBytes::find(part, of_several, text.as_deref(), root, checksums);
        let (outside, segy) = (entry.outside_traces, entry.segy);
        Ok(Self {
            name: entry.name,
            bytes: entry.bytes,
            traces: entry.start_trace..entry.end_trace,
            binary_order: segy.binary_header_byte_order.unwrap_or(segy.byte_order),
            major_revision: segy.revision.and_then(|r| r.split('.').next()?.parse().ok()).unwrap_or(0),
            text_encoding: outside.textual_header.map(|text| text.encoding),
            label_bytes: segy.tape_label_bytes.unwrap_or(0),
            first_trace_offset: segy.first_trace_offset.unwrap_or(0),
            bytes_before_traces: kept(Part::BeforeTraces, outside.bytes_before_traces)?,
            bytes_after_traces: kept(Part::AfterTraces, outside.bytes_after_traces)?,
        })
    }
}

impl Dataset {
    /// Opens the dataset in this directory.
    ///
    /// # Errors
    /// `Error::Input` if there is no dataset, or one that this program cannot read; `Error::Damaged` if its document
    /// is damaged.
    pub fn open(root: &Path) -> Result<Self> {
        crate::store::check_address(root)?;
        let missing = || Error::Input(format!("{}: is not a dataset: it has no {METADATA}", root.display()));
        let place = match Place::to_read(root) {
            Ok(place) => place,
            Err(e) if is_absence(&e) => return Err(missing()),
            Err(e) => return Err(unreadable(root, &e)),
        };
        for document in [place.join(METADATA), place.join(TABLES).join(METADATA)] {
            match document.find() {
                Ok(Some(_)) => return Self::open_described(place, &document),
                Ok(None) => {}
                Err(e) if is_absence(&e) => {}
                Err(e) => return Err(unreadable(&document.path(), &e)),
            }
        }
        Err(missing())
    }

    /// Opens the dataset in this directory while its document is still elsewhere, at `path`.
    pub fn open_described(root: Place, path: &Place) -> Result<Self> {
        Self::new(root, Document::read(path)?).map_err(|what| damaged(path, what))
    }

    /// # Errors
    /// What is inconsistent in the document.
    fn new(root: Place, mut document: Document) -> Result<Self, String> {
        let code = document.segy.sample_format.code;
        let format = sample_format(code).ok_or_else(|| format!("there is no sample format {code}"))?;
        let additional_headers = document.segy.additional_trace_headers as usize;
        let (byte_order, pairwise_swapped) = (document.segy.byte_order, document.segy.pairwise_swapped);
        let (input_format, sample_order) = (document.segy.input_format, document.segy.sample_byte_order);
        let mut entries = std::mem::take(&mut document.files);
        let is_one = entries.is_empty();
        if is_one {
            entries.push(FileEntry {
                outside_traces: document.outside_traces.ok_or("it says nothing of the input file")?,
                segy: document.segy,
                name: String::new(),
                bytes: document.input.bytes,
                start_trace: 0,
                end_trace: document.geometry.n_traces,
                warnings: document.warnings,
            });
        }
        let (checksums, geometry, options) = (document.checksums, document.geometry, document.options);
        let tables = if document.grid.is_some() { root.join(TABLES) } else { root.clone() };
        let original = |(i, entry)| OriginalFile::new(entry, (!is_one).then_some(i), &tables, &checksums);
        let files: Result<Vec<OriginalFile>> = entries.into_iter().enumerate().map(original).collect();
        let files = files.map_err(|e| e.to_string())?;
        let chunks_crc32c = u32::from_str_radix(&document.chunk_checksums.crc32c, 16).map_err(|e| e.to_string())?;
        if options.variable != TRACES && !is_name(&options.variable) {
            return Err("the array of the samples has no such name".into());
        }
        let array = ArrayPlan {
            name: options.variable,
            order: options.order,
            dtype: options.dtype,
            n_samples: geometry.n_samples,
            n_traces: geometry.n_traces,
            chunk_samples: options.chunk_samples,
            chunk_traces: options.chunk_traces,
            shard_chunks: options.shard_chunks,
            codec: options.codec,
            precision: document.precision.map(|rounded| rounded.precision),
        };
        let (mut grid_checksums, mut grid_structures) = (BTreeMap::new(), BTreeMap::new());
        let mut record_sums = ChunkSums::default();
        let grid = match document.grid {
            None => None,
            Some(mut grid) => {
                grid_checksums = std::mem::take(&mut grid.checksums);
                grid_structures = std::mem::take(&mut grid.structures);
                let crc32c = u32::from_str_radix(&grid.header_checksums.crc32c, 16).map_err(|e| e.to_string())?;
                record_sums = ChunkSums { n_chunks: grid.header_checksums.n_chunks, crc32c };
                Some(grid.grid(array.clone()))
                    .filter(Grid::is_consistent)
                    .ok_or("its grid contradicts itself")
                    .map(Some)?
            }
        };
        let dataset = Self {
            root: root.clone(),
            version: document.format.version,
            tables: tables.clone(),
            grid,
            grid_checksums,
            grid_structures,
            record_sums,
            format,
            input_format,
            byte_order,
            sample_order: sample_order.unwrap_or(byte_order),
            pairwise_swapped,
            files,
            part: document.part,
            has_sample_counts: geometry.samples_per_trace.is_some_and(|s| s.max == geometry.n_samples),
            header_bytes: TRACE_HEADER_BYTES * (1 + additional_headers),
            header_part_rows: options.header_parts.then_some(options.row_group_rows.max(1)),
            headers_only: options.headers_only,
            fills_missing: false,
            n_gathers: document.gathers.n_gathers,
            sample_axis: geometry.sample_axis,
            columns: document.columns,
            n_exceptions: document.exceptions.n_samples,
            counts: document.counts,
            n_nonfinite: document.statistics.n_nonfinite,
            checksums,
            chunk_sums: ChunkSums { n_chunks: document.chunk_checksums.n_chunks, crc32c: chunks_crc32c },
            array,
        };
        if dataset.is_consistent() { Ok(dataset) } else { Err("its numbers contradict each other".into()) }
    }

    /// Chunk or shard files.
    pub fn n_objects(&self) -> u64 {
        match &self.grid {
            _ if self.headers_only => 0,
            Some(grid) => grid.n_objects(),
            None => self.array.n_objects(),
        }
    }

    /// Whether something that a dataset consists of has this name, or one of its arrays.
    pub fn has_part(&self, name: &str) -> bool {
        NAMED_OUTPUTS.contains(&name) || parts_of(&self.checksums).iter().any(|part| part == name)
    }

    /// The path of a table, or of an array of traces.
    pub fn path(&self, name: &str) -> Place {
        self.tables.join(name)
    }

    /// The path of the header table.
    pub fn headers(&self) -> Place {
        self.path(HEADERS)
    }

    /// The header table, with the footer read.
    ///
    /// # Errors
    /// `Error::Damaged` for one that is damaged, or was written anew since the import.
    pub(crate) fn header_table(&self) -> Result<TableFile> {
        for (name, _) in self.header_files() {
            let (path, expected) = (self.path(&name), self.checksums.get(&name));
            let found = Reader::open(&path).and_then(|file| file.bytes()).map_err(unreadable_part(&path))?;
            if expected.is_some_and(|expected| expected.bytes != found) {
                return Err(damaged(
                    &path,
                    "it is not the table that the import wrote; restore it, and give new values of header fields in a table \
                     of their own (export --headers)",
                ));
            }
        }
        TableFile::open_parts(self.headers(), self.array.n_traces, self.header_part_rows, self.header_bytes)
    }

    /// The files of the header table by their names as [`Self::path`] takes them, and the rows of each.
    pub(crate) fn header_files(&self) -> Box<dyn Iterator<Item = (String, u64)>> {
        let n_traces = self.array.n_traces;
        match self.header_part_rows {
            None => Box::new(std::iter::once((HEADERS.to_owned(), n_traces))),
            Some(rows) => {
                Box::new((0..n_traces.div_ceil(rows)).map(move |number| {
                    (format!("{HEADERS}/{}", header_part(number)), rows.min(n_traces - number * rows))
                }))
            }
        }
    }

    /// Length in the file of a trace with this many samples, in bytes.
    pub fn trace_bytes(&self, n_samples: u64) -> u64 {
        self.header_bytes as u64 + n_samples * self.format.bytes as u64
    }

    /// Number of a file's traces, of which the dataset may have a part. `None` if that cannot be.
    pub fn n_traces_in(&self, file: &OriginalFile) -> Option<u64> {
        let n_traces = file.traces.end - file.traces.start;
        let Some(part) = &self.part else { return Some(n_traces) };
        let around = file.first_trace_offset.checked_add(file.bytes_after_traces.len())?;
        let (bytes, stride) = (file.bytes.checked_sub(around)?, self.trace_bytes(part.n_samples));
        let in_file = bytes / stride;
        (bytes.is_multiple_of(stride) && n_traces <= in_file && in_file <= part.n_traces).then_some(in_file)
    }

    /// Whether later code cannot divide by zero or overflow, and the traces fit the files.
    fn is_consistent(&self) -> bool {
        const MOST_BYTES: u128 = 1 << 62;
        const MOST_SAMPLE_BYTES: u128 = 8;
        let array = &self.array;
        // As they may become in an export.
        let longest = u128::from(array.n_samples) * MOST_SAMPLE_BYTES + self.header_bytes as u128;
        let mut next = 0;
        let in_order = self.files.iter().all(|f| std::mem::replace(&mut next, f.traces.end) == f.traces.start);
        array.is_consistent()
            && longest * u128::from(array.n_traces) < MOST_BYTES
            && self.files.iter().all(|f| u128::from(f.bytes) < MOST_BYTES)
            && in_order
            && next == array.n_traces
            && self.files.iter().all(|f| f.traces.start < f.traces.end && self.holds(f))
    }

    /// Whether the traces of a file fit it. If their lengths differ, that is checked when they are read.
    fn holds(&self, file: &OriginalFile) -> bool {
        if file.first_trace_offset > file.bytes || file.label_bytes > file.first_trace_offset {
            return false;
        }
        if let Some(part) = &self.part {
            let end = part.first_sample.checked_add(self.array.n_samples);
            let has_samples = end.is_some_and(|end| end <= part.n_samples && part.n_samples <= u64::from(u32::MAX));
            return !self.has_sample_counts
                && has_samples
                && file.bytes_before_traces.len() == file.first_trace_offset
                && self.n_traces_in(file).is_some();
        }
        let n_traces = file.traces.end - file.traces.start;
        let end = file.first_trace_offset + n_traces * self.trace_bytes(self.array.n_samples);
        file.bytes_before_traces.len() == file.first_trace_offset
            && (self.has_sample_counts || end <= file.bytes && file.bytes_after_traces.len() == file.bytes - end)
    }
}

//! Writes the rows of one segment.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescPtr;

use crate::error::{Error, Result, failed};
use crate::store::{Writer, finish_buffered};

use super::bounds::Bounds;
use super::chunk::{Chunk, Encoder, FinishedChunk};
use super::columns::{HeaderTable, Mark, Source};
use super::footer::{MAGIC, RowGroup, footer};
use super::formula::Formula;
use super::summary::{FieldRange, HeaderSummary};
use super::values::Rows;

const BUFFER_BYTES: usize = 1 << 18;

/// Writes the headers of consecutive traces as a Parquet file of its own, made of whole row groups of the final one.
///
/// Memory: the headers of one page (at most 1 MiB), and the encoded bytes of one row group.
pub struct SegmentWriter {
    table: HeaderTable,
    schema: SchemaDescPtr,
    path: PathBuf,
    file: BufWriter<Writer>,
    /// Bytes written to the file.
    position: u64,
    encoder: Encoder,
    chunks: Vec<Chunk>,
    /// Which of `HeaderTable::columns` a chunk has the raw values of.
    column_of_chunk: Vec<Option<usize>>,
    /// Headers of the page that is being filled.
    page: Vec<u8>,
    /// Flags of the traces of the page.
    flags: Vec<u8>,
    page_rows: usize,
    /// Number of the first trace of `page`, from 0.
    page_first_trace: u64,
    /// First header of the row group.
    first_row: Vec<u8>,
    first_flags: u8,
    /// A byte for each byte of a header, and one for the flags: 0 where all headers of the page are like `first_row`.
    changed: Vec<u8>,
    /// Rows of the row group before `page`.
    rows_before_page: u64,
    /// Where the raw headers of the row group begin, once their first page is written.
    raw_headers_at: Option<u64>,
    row_groups: Vec<RowGroup>,
    formulas: Vec<Formula>,
    summary: HeaderSummary,
}

impl SegmentWriter {
    /// Creates the file at `path` for the traces from number `first_trace` (from 0), where a row group must begin.
    pub fn create(path: &Path, table: &HeaderTable, first_trace: u64) -> Result<Self> {
        table.check()?;
        if !first_trace.is_multiple_of(table.row_group_rows) {
            return Err(Error::Failed(format!(
                "{}: trace {first_trace} does not begin a row group of {} rows",
                path.display(),
                table.row_group_rows
            )));
        }
        let schema = table.parquet_schema()?;
        let leaves: Vec<Source> = table.leaves().map(|(_, source)| source).collect();
        let mut n_fields = 0;
        let column_of_chunk = leaves.iter().map(|source| {
            matches!(source, Source::Field { .. }).then(|| {
                n_fields += 1;
                n_fields - 1
            })
        });
        let mut writer = Self {
            column_of_chunk: column_of_chunk.collect(),
            chunks: leaves.iter().zip(schema.columns()).map(|(&s, descr)| Chunk::new(s, descr.clone())).collect(),
            file: BufWriter::with_capacity(BUFFER_BYTES, Writer::create(path).map_err(failed(path.display()))?),
            path: path.to_owned(),
            position: 0,
            encoder: Encoder::new().map_err(failed("zstd"))?,
            page: Vec::new(),
            flags: Vec::new(),
            first_flags: 0,
            formulas: table.computed.iter().map(Formula::new).collect::<Result<_>>()?,
            page_rows: table.page_rows() as usize,
            page_first_trace: first_trace,
            first_row: Vec::new(),
            // Of the flags too, behind header bytes and marks.
            changed: vec![0; table.row_bytes() + 1],
            rows_before_page: 0,
            raw_headers_at: None,
            row_groups: Vec::new(),
            summary: HeaderSummary { ranges: vec![None; table.columns.len()], ..HeaderSummary::default() },
            table: table.clone(),
            schema,
        };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    /// Adds the headers of the next `n` traces. `block` holds traces every `stride` bytes, each beginning with its
    /// header bytes; what follows them is not looked at, and the last trace may end with its header.
    /// `flags` has those of each trace, see [`ZERO_TRACE`](super::ZERO_TRACE).
    pub fn push(&mut self, block: &[u8], stride: usize, n: usize, flags: &[u8]) -> Result<()> {
        self.push_marked(block, stride, n, flags, Mark::default())
    }

    /// As [`Self::push`], for traces with this mark.
    pub fn push_marked(&mut self, block: &[u8], stride: usize, n: usize, flags: &[u8], mark: Mark) -> Result<()> {
        let mark = self.table.mark_bytes(mark);
        let width = self.table.header_bytes as usize;
        for i in 0..n {
            let header = block.get(i * stride..).and_then(|rest| rest.get(..width));
            let (Some(header), Some(&flags)) = (header, flags.get(i)) else {
                return Err(Error::Failed(format!(
                    "{}: a block of {n} traces ends within trace {i}",
                    self.path.display()
                )));
            };
            if self.rows_before_page == 0 && self.page.is_empty() {
                self.first_row.clear();
                self.first_row.extend_from_slice(header);
                self.first_row.extend_from_slice(&mark);
                self.first_flags = flags;
            }
            self.page.extend_from_slice(header);
            self.page.extend_from_slice(&mark);
            self.flags.push(flags);
            self.summary.count(self.table.says_dead(header), flags);
            for ((changed, first), byte) in self.changed.iter_mut().zip(&self.first_row).zip(header) {
                *changed |= first ^ byte;
            }
            let marks = self.changed[width..].iter_mut().zip(&self.first_row[width..]).zip(&mark);
            marks.for_each(|((changed, first), byte)| *changed |= first ^ byte);
            let row_bytes = width + mark.len();
            self.changed[row_bytes] |= self.first_flags ^ flags;
            let rows_of_page = self.page.len() / row_bytes;
            if rows_of_page == self.page_rows
                || self.rows_before_page + rows_of_page as u64 == self.table.row_group_rows
            {
                self.end_page()?;
            }
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<HeaderSummary> {
        self.end_page()?;
        self.end_row_group()?;
        let row_groups = std::mem::take(&mut self.row_groups);
        let footer =
            footer(&self.table, &self.schema, row_groups, self.position).map_err(failed(self.path.display()))?;
        self.write(&footer)?;
        finish_buffered(self.file).map_err(failed(self.path.display()))?;
        Ok(self.summary)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(failed(self.path.display()))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Writes the pages of the raw headers as soon as they are encoded, so that they take no memory. They lie before
    /// all other chunks of their row group therefore, though they are the last column.
    fn write_raw_headers(&mut self) -> Result<()> {
        if self.table.raw_header
            && let Some(chunk) = self.chunks.last_mut()
        {
            self.raw_headers_at.get_or_insert(self.position);
            for page in chunk.take_bytes() {
                self.write(&page)?;
            }
        }
        Ok(())
    }

    /// Encodes the headers of the page, and ends the row group if it is full.
    fn end_page(&mut self) -> Result<()> {
        let width = self.table.row_bytes();
        let n_rows = (self.page.len() / width) as u64;
        if n_rows == 0 {
            return Ok(());
        }
        let order = self.table.byte_order;
        let (first_trace, formulas) = (self.page_first_trace, &self.formulas);
        let rows = Rows { bytes: &self.page, width, order, first_trace, flags: &self.flags, formulas };
        let first_flags = [self.first_flags];
        let first = Rows { bytes: &self.first_row, flags: &first_flags, ..rows };
        for chunk in &mut self.chunks {
            chunk
                .push(&rows, &first, &self.changed, self.page_rows, &mut self.encoder)
                .map_err(failed(self.path.display()))?;
        }
        self.write_raw_headers()?;
        self.page.clear();
        self.flags.clear();
        self.changed.fill(0);
        self.page_first_trace += n_rows;
        self.rows_before_page += n_rows;
        if self.rows_before_page == self.table.row_group_rows {
            self.end_row_group()?;
        }
        Ok(())
    }

    fn end_row_group(&mut self) -> Result<()> {
        if self.rows_before_page == 0 {
            return Ok(());
        }
        let raw_headers_at = self.raw_headers_at.take();
        let mut metadata = RowGroupMetaData::builder(self.schema.clone())
            .set_num_rows(self.rows_before_page as i64)
            .set_ordinal(self.row_groups.len() as i32)
            .set_file_offset(raw_headers_at.unwrap_or(self.position) as i64);
        let (mut uncompressed, mut column_indexes, mut offset_indexes) = (0, Vec::new(), Vec::new());
        for c in 0..self.chunks.len() {
            let first = Rows {
                bytes: &self.first_row,
                width: self.first_row.len(),
                order: self.table.byte_order,
                first_trace: 0,
                flags: &[self.first_flags],
                formulas: &self.formulas,
            };
            let is_raw_header = self.table.raw_header && c + 1 == self.chunks.len();
            let position = raw_headers_at.filter(|_| is_raw_header).unwrap_or(self.position);
            let chunk = self.chunks[c].finish(&first, position).map_err(failed(self.path.display()))?;
            for page in &chunk.bytes {
                self.write(page)?;
            }
            self.note_range(c, &chunk);
            uncompressed += chunk.metadata.uncompressed_size();
            metadata = metadata.add_column_metadata(chunk.metadata);
            column_indexes.push(chunk.column_index);
            offset_indexes.push(chunk.offset_index);
        }
        let metadata = metadata.set_total_byte_size(uncompressed).build().map_err(failed(self.path.display()))?;
        self.row_groups.push(RowGroup { metadata, column_indexes, offset_indexes });
        self.summary.n_rows += self.rows_before_page;
        self.rows_before_page = 0;
        Ok(())
    }

    fn note_range(&mut self, chunk: usize, finished: &FinishedChunk) {
        if let (Some(column), Bounds::Integer { min, max }) = (self.column_of_chunk[chunk], &finished.bounds) {
            let range = &mut self.summary.ranges[column];
            let known = range.unwrap_or(FieldRange { min: *min, max: *max });
            *range = Some(FieldRange { min: known.min.min(*min), max: known.max.max(*max) });
        }
    }
}

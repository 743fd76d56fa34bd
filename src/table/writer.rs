//! Writing the rows of one segment.

use std::io::{BufWriter, Cursor, Write};

use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescPtr;

use crate::base::error::{Error, Result, failed};
use crate::dataset_files::header_part;
use crate::parquet::bounds::Bounds;
use crate::parquet::column_chunk::{Encoder, FinishedChunk};
use crate::parquet::footer::{Footer, MAGIC};
use crate::parquet::row_group::RowGroup;
use crate::store::checksum::{ByteSums, Summing};
use crate::store::files::create_directories;
use crate::store::{Place, Writer, finish_buffered};
use crate::table::column_writer::ColumnWriter;
use crate::table::columns::{HeaderTable, Mark, Source};
use crate::table::coordinate_arrays::{ColumnBytes, CoordinateArray, CoordinateWriter};
use crate::table::formula::Formula;
use crate::table::rows::Rows;
use crate::table::summary::{FieldRange, HeaderSummary};
use crate::table::watched::Watched;

const BUFFER_BYTES: usize = 1 << 18;

/// Writes the headers of consecutive traces to a separate Parquet file, in whole row groups of the joined file, or to one file for
/// each row group.
///
/// Memory: the headers of one page (at most 1 MiB), and the encoded bytes of one row group.
pub struct SegmentWriter {
    table: HeaderTable,
    schema: SchemaDescPtr,
    /// The file, or the directory of the parts.
    path: Place,
    /// Nothing between two parts.
    file: Option<BufWriter<Writer>>,
    /// The row groups of the file so far.
    sums: ByteSums,
    encoder: Encoder,
    columns: Vec<ColumnWriter>,
    /// The coordinates, each with the index of its column.
    coordinates: Vec<(CoordinateArray, usize)>,
    coordinate_writer: Option<CoordinateWriter>,
    /// For each of `columns`, the index in `HeaderTable::columns` of the field whose raw values it holds.
    field_of_column: Vec<Option<usize>>,
    /// Headers of the current page, each with its marks.
    page: Vec<u8>,
    /// Flags of the traces in the page.
    flags: Vec<u8>,
    page_rows: usize,
    /// Number of the first trace of `page`, from 0.
    page_first_trace: u64,
    /// First header of the row group.
    first_row: Vec<u8>,
    first_flags: u8,
    /// One byte per byte of a row, and one for the flags: 0 if all rows of the page equal `first_row`.
    changed: Vec<u8>,
    /// Rows in the row group before `page`.
    rows_before_page: u64,
    row_groups: Vec<RowGroup>,
    formulas: Vec<Formula>,
    /// How to tell a dead trace.
    is_dead: Source,
    /// The fields that warnings are about.
    watched: Watched,
    summary: HeaderSummary,
}

impl SegmentWriter {
    /// Creates the file at `path`, or the directory of the parts, for the traces from number `first_trace` (from 0), which must
    /// begin a row group.
    pub fn create(path: &Place, table: &HeaderTable, first_trace: u64) -> Result<Self> {
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
        let field_of_column = leaves.iter().map(|source| {
            matches!(source, Source::Field { .. }).then(|| {
                n_fields += 1;
                n_fields - 1
            })
        });
        let mut writer = Self {
            field_of_column: field_of_column.collect(),
            columns: leaves
                .iter()
                .zip(schema.columns())
                .map(|(&s, descr)| ColumnWriter::new(s, descr.clone()))
                .collect(),
            coordinates: Vec::new(),
            coordinate_writer: None,
            file: None,
            sums: ByteSums::default(),
            path: path.to_owned(),
            encoder: Encoder::new().map_err(failed("zstd"))?,
            page: Vec::new(),
            flags: Vec::new(),
            first_flags: 0,
            formulas: table.computed.iter().map(Formula::new).collect::<Result<_>>()?,
            is_dead: table.is_dead(),
            watched: Watched::new(table),
            page_rows: table.page_rows() as usize,
            page_first_trace: first_trace,
            first_row: Vec::new(),
            // The flags come after the header bytes and marks.
            changed: vec![0; table.row_bytes() + 1],
            rows_before_page: 0,
            row_groups: Vec::new(),
            summary: HeaderSummary { ranges: vec![None; table.columns.len()], ..HeaderSummary::default() },
            table: table.clone(),
            schema,
        };
        match table.in_parts {
            true => create_directories(path)?,
            false => writer.begin_file(path)?,
        }
        Ok(writer)
    }

    /// Writes coordinates too, in chunks of `chunk_rows`: those that the table has a column of numbers for.
    pub(crate) fn with_coordinates(mut self, arrays: Vec<CoordinateArray>, chunk_rows: u64) -> Result<Self> {
        for array in arrays {
            let column = self.table.leaves().position(|(name, _)| name == array.column);
            let Some((column, of_type)) = column.zip(self.table.type_of(&array.column)) else { continue };
            self.columns[column].copy = Some(ColumnBytes { of_type, bytes: Vec::new() });
            self.coordinates.push((array, column));
        }
        if !self.coordinates.is_empty() {
            self.coordinate_writer = Some(CoordinateWriter::new(chunk_rows as usize)?);
        }
        Ok(self)
    }

    fn begin_file(&mut self, path: &Place) -> Result<()> {
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, Writer::create(path).map_err(failed(path.display()))?);
        file.write_all(MAGIC).map_err(failed(path.display()))?;
        self.file = Some(file);
        Ok(())
    }

    /// Adds the headers of the next `n` traces. `block` holds traces every `stride` bytes, each beginning with its
    /// headers; what follows them is ignored, and the last trace may end with its headers. `flags` has the flags of
    /// each trace, see [`ZERO_TRACE`](crate::table::ZERO_TRACE).
    pub fn push(&mut self, block: &[u8], stride: usize, n: usize, flags: &[u8]) -> Result<()> {
        self.push_marked(block, stride, n, flags, Mark::default(), &[])
    }

    /// Like [`Self::push`], for traces with this mark, which follow each other in their file. `places` has an int32 for each key of the grid and trace, in the byte order
    /// of the table; it is empty without a grid.
    pub fn push_marked(
        &mut self,
        block: &[u8],
        stride: usize,
        n: usize,
        flags: &[u8],
        mark: Mark,
        places: &[u8],
    ) -> Result<()> {
        let (mut mark_bytes, place_bytes) = (self.table.mark_bytes(mark), self.table.place_bytes());
        let mut next = 0;
        while next < n {
            let rows_of_page = self.flags.len();
            let rows_left = self.table.row_group_rows - self.rows_before_page - rows_of_page as u64;
            let end = n.min(next + (self.page_rows - rows_of_page).min(usize::try_from(rows_left).unwrap_or(n)));
            for i in next..end {
                let header = block.get(i * stride..).and_then(|rest| rest.get(..self.table.header_bytes as usize));
                let (Some(header), Some(&flags)) = (header, flags.get(i)) else {
                    return Err(Error::Failed(format!(
                        "{}: a block of {n} traces ends within trace {i}",
                        self.path.display()
                    )));
                };
                self.page.extend_from_slice(header);
                if self.table.trace_in_file {
                    mark_bytes = self.table.mark_bytes(Mark { in_file: mark.in_file + i as u64, ..mark });
                }
                self.page.extend_from_slice(&mark_bytes);
                self.page.extend_from_slice(places.get(i * place_bytes..(i + 1) * place_bytes).unwrap_or_default());
                self.flags.push(flags);
            }
            self.note_changes(rows_of_page);
            self.note_rows(rows_of_page);
            let rows_of_page = self.flags.len();
            if rows_of_page == self.page_rows
                || self.rows_before_page + rows_of_page as u64 == self.table.row_group_rows
            {
                self.end_page()?;
            }
            next = end;
        }
        Ok(())
    }

    /// Compares the rows of the page from number `from` on with the first row of the row group.
    fn note_changes(&mut self, from: usize) {
        let width = self.table.row_bytes();
        if self.rows_before_page == 0 && from == 0 {
            self.first_row.clear();
            self.first_row.extend_from_slice(&self.page[..width]);
            self.first_flags = self.flags[0];
        }
        let (of_bytes, of_flags) = self.changed.split_at_mut(width);
        gather_changes(&self.page[from * width..], &self.first_row, of_bytes);
        gather_changes(&self.flags[from..], &[self.first_flags], of_flags);
    }

    /// Takes note of the rows of the page from number `from` on; those that are alike in what matters, of all at once.
    fn note_rows(&mut self, from: usize) {
        let (width, order) = (self.table.row_bytes(), self.table.byte_order);
        let rows = &self.page[from * width..];
        let (trace, n) = (self.page_first_trace + from as u64, (rows.len() / width) as u64);
        let (of_watched, of_dead) = (self.watched.is_constant(&self.changed), self.is_dead.is_constant(&self.changed));
        if of_watched {
            self.watched.see(rows, order, trace, n, &mut self.summary);
        }
        let all_dead = of_dead && self.is_dead.holds(rows, order);
        for ((trace, row), &flags) in (trace..).zip(rows.chunks_exact(width)).zip(&self.flags[from..]) {
            self.summary.count(if of_dead { all_dead } else { self.is_dead.holds(row, order) }, flags);
            if !of_watched {
                self.watched.see(row, order, trace, 1, &mut self.summary);
            }
        }
    }

    /// Completes what is being written.
    pub fn finish(mut self) -> Result<HeaderSummary> {
        self.end_page()?;
        self.end_row_group()?;
        self.end_file()?;
        self.coordinate_writer.map_or(Ok(()), CoordinateWriter::finish)?;
        Ok(self.summary)
    }

    /// Writes the footer and closes the file, if there is one.
    fn end_file(&mut self) -> Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut sums = ByteSums::default();
        sums.push(MAGIC);
        let mut file = Summing::after(sums.followed_by(self.sums), file);
        self.write_footer(&mut file).map_err(failed(self.path.display()))?;
        if self.table.in_parts {
            self.summary.parts.push(file.checksum());
        }
        finish_buffered(file.into_inner()).map_err(failed(self.path.display()))?;
        self.summary.row_groups = self.summary.row_groups.followed_by(std::mem::take(&mut self.sums));
        Ok(())
    }

    fn write_footer(&mut self, out: &mut impl Write) -> Result<(), ParquetError> {
        let mut footer =
            Footer::new(&self.table.arrow_schema(), &self.schema, self.position(), Cursor::new(Vec::new()))?;
        for row_group in std::mem::take(&mut self.row_groups) {
            footer.add(row_group, out)?;
        }
        footer.finish(out)
    }

    /// Length of the file so far: the magic number and row groups.
    fn position(&self) -> u64 {
        MAGIC.len() as u64 + self.sums.n_bytes
    }

    /// Writes pages of a row group. The first of a part begins its file.
    fn write(&mut self, page: &[u8]) -> Result<()> {
        if self.file.is_none() {
            let rows_before = self.page_first_trace - self.rows_before_page;
            self.begin_file(&self.path.join(header_part(rows_before / self.table.row_group_rows)))?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(page).map_err(failed(self.path.display()))?;
        }
        self.sums.push(page);
        Ok(())
    }

    /// Encodes the page's headers, and ends the row group if it is full.
    fn end_page(&mut self) -> Result<()> {
        let width = self.table.row_bytes();
        let n_rows = (self.page.len() / width) as u64;
        if n_rows == 0 {
            return Ok(());
        }
        let order = self.table.byte_order;
        let (first_trace, formulas) = (self.page_first_trace, &self.formulas);
        let changed = &self.changed;
        let rows = Rows { bytes: &self.page, width, order, first_trace, flags: &self.flags, formulas, changed };
        let first_flags = [self.first_flags];
        let first = Rows { bytes: &self.first_row, flags: &first_flags, changed: &[], ..rows };
        for column in &mut self.columns {
            column.push(&rows, &first, self.page_rows, &mut self.encoder).map_err(failed(self.path.display()))?;
        }
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
        let (start, mut finished) = (self.position(), Vec::new());
        for c in 0..self.columns.len() {
            let first = Rows {
                bytes: &self.first_row,
                width: self.first_row.len(),
                order: self.table.byte_order,
                first_trace: 0,
                flags: &[self.first_flags],
                formulas: &self.formulas,
                changed: &[],
            };
            // The first column lies first: Spark counts from there.
            let position = self.position();
            let mut chunk = self.columns[c].finish(&first, position).map_err(failed(self.path.display()))?;
            for page in &chunk.bytes {
                self.write(page)?;
            }
            self.note_range(c, &chunk);
            self.columns[c].reuse(std::mem::take(&mut chunk.bytes));
            finished.push(chunk);
        }
        let row_group = RowGroup::new(&self.schema, self.row_groups.len(), self.rows_before_page, start, finished);
        self.row_groups.push(row_group.map_err(failed(self.path.display()))?);
        self.write_coordinates()?;
        self.summary.n_rows += self.rows_before_page;
        self.rows_before_page = 0;
        if self.table.in_parts { self.end_file() } else { Ok(()) }
    }

    /// Writes the values of the row group that belong to coordinates.
    fn write_coordinates(&mut self) -> Result<()> {
        let Some(writer) = &mut self.coordinate_writer else { return Ok(()) };
        let number = (self.page_first_trace - self.rows_before_page) / self.table.row_group_rows;
        for (array, column) in &self.coordinates {
            let Some(values) = &mut self.columns[*column].copy else { continue };
            let written = writer.write(array, number, values)?;
            self.summary.coordinates.entry(array.name.clone()).or_default().append(&written);
        }
        Ok(())
    }

    fn note_range(&mut self, column: usize, chunk: &FinishedChunk) {
        if let (Some(field), Bounds::Integer { min, max }) = (self.field_of_column[column], &chunk.bounds) {
            let range = &mut self.summary.ranges[field];
            let known = range.unwrap_or(FieldRange { min: *min, max: *max });
            *range = Some(FieldRange { min: known.min.min(*min), max: known.max.max(*max) });
        }
    }
}

/// Sets the bits of `changed` in which any row differs from `first`. `first` and `changed` are as long as a row.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn gather_changes(rows: &[u8], first: &[u8], changed: &mut [u8]) {
    for row in rows.chunks_exact(first.len()) {
        for ((changed, first), byte) in changed.iter_mut().zip(first).zip(row) {
            *changed |= first ^ byte;
        }
    }
}

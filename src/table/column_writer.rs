//! From the rows of a segment to the Parquet pages of one column.

use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescPtr;

use crate::parquet::column_chunk::{Chunk, Encoder, FinishedChunk};
use crate::parquet::values::Values;
use crate::table::columns::Source;
use crate::table::coordinate_arrays::ColumnBytes;
use crate::table::rows::Rows;

/// One column of the row group being written.
///
/// As long as all rows have the value of the first one, they are only counted. If the column does vary, they are
/// written out.
pub(super) struct ColumnWriter {
    source: Source,
    chunk: Chunk,
    /// Rows since the first of the row group that have its value and are not in `chunk`.
    n_like_first: usize,
    /// The values once more, if they are also a coordinate.
    pub(super) copy: Option<ColumnBytes>,
    /// A buffer for bytes of the headers.
    raw: Vec<u8>,
}

impl ColumnWriter {
    pub(super) fn new(source: Source, descr: ColumnDescPtr) -> Self {
        Self { source, chunk: Chunk::new(descr), n_like_first: 0, copy: None, raw: Vec::new() }
    }

    /// Adds the rows of one page. `first` is the first row of the row group; `rows` equal it wherever their `changed`
    /// is 0. Every page but the last of a row group has `page_rows` rows.
    pub(super) fn push(
        &mut self,
        rows: &Rows<'_>,
        first: &Rows<'_>,
        page_rows: usize,
        encoder: &mut Encoder,
    ) -> std::io::Result<()> {
        if self.chunk.is_empty() && rows.is_constant(self.source) {
            self.n_like_first += rows.n_rows();
            return Ok(());
        }
        if self.n_like_first > 0 {
            self.write_out_first(first, page_rows, encoder)?;
        }
        if let Source::RawBytes { offset, width, pairwise_swapped } = self.source {
            self.chunk.push_bytes(rows.stored(offset, width, pairwise_swapped, &mut self.raw), width, encoder);
            return Ok(());
        }
        self.push_values(&rows.values(self.source), encoder)
    }

    fn push_values(&mut self, values: &Values, encoder: &mut Encoder) -> std::io::Result<()> {
        if let Some(copy) = &mut self.copy {
            values.append_numbers(copy.of_type.bytes, &mut copy.bytes);
        }
        self.chunk.push(values, encoder)
    }

    /// Turns the rows counted so far into pages.
    fn write_out_first(&mut self, first: &Rows<'_>, page_rows: usize, encoder: &mut Encoder) -> std::io::Result<()> {
        let values = first.values(self.source).repeat_first(page_rows);
        // Whole pages only: just the last page of a row group is short, and the varying page comes after these.
        for _ in 0..std::mem::take(&mut self.n_like_first) / page_rows {
            self.push_values(&values, encoder)?;
        }
        Ok(())
    }

    /// See [`Chunk::reuse`].
    pub(super) fn reuse(&mut self, pages: Vec<Vec<u8>>) {
        self.chunk.reuse(pages);
    }

    /// Ends the chunk, whose first byte is at `position` in the file, and begins that of the next row group.
    pub(super) fn finish(&mut self, first: &Rows<'_>, position: u64) -> Result<FinishedChunk, ParquetError> {
        if self.n_like_first > 0 {
            let (value, n) = (first.values(self.source), std::mem::take(&mut self.n_like_first));
            if let Some(copy) = &mut self.copy {
                value.clone().repeat_first(n).append_numbers(copy.of_type.bytes, &mut copy.bytes);
            }
            self.chunk.push_constant(&value, n);
        }
        self.chunk.finish(position)
    }
}

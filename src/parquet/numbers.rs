//! Tables of numbers, whose values are all written to pages.

use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowSchemaConverter;
use parquet::schema::types::SchemaDescPtr;

use crate::base::error::{Result, failed};
use crate::parquet::column_chunk::{Chunk, Encoder};
use crate::parquet::footer::{Footer, MAGIC};
use crate::parquet::row_group::RowGroup;
use crate::parquet::values::Values;
use crate::store::{Place, Writer};

/// Type of a column. Values are passed as 64 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberType {
    Int8,
    UInt8,
    Int16,
    UInt16,
    Int32,
    UInt32,
    Int64,
    UInt64,
    /// The bits of a double; NaN is null.
    Float64,
}

impl NumberType {
    fn arrow_type(self) -> DataType {
        match self {
            Self::Int8 => DataType::Int8,
            Self::UInt8 => DataType::UInt8,
            Self::Int16 => DataType::Int16,
            Self::UInt16 => DataType::UInt16,
            Self::Int32 => DataType::Int32,
            Self::UInt32 => DataType::UInt32,
            Self::Int64 => DataType::Int64,
            Self::UInt64 => DataType::UInt64,
            Self::Float64 => DataType::Float64,
        }
    }

    fn values(self, bits: Vec<i64>) -> Values {
        match self {
            Self::Int8 | Self::UInt8 | Self::Int16 | Self::UInt16 | Self::Int32 | Self::UInt32 => {
                Values::Int32(bits.into_iter().map(|bits| bits as i32).collect())
            }
            Self::Int64 | Self::UInt64 => Values::Int64(bits),
            Self::Float64 => Values::Nullable(bits.into_iter().map(|bits| f64::from_bits(bits as u64)).collect()),
        }
    }
}

/// Writes a table page by page.
///
/// Memory: the encoded bytes of one row group.
pub(crate) struct NumberTable {
    path: Place,
    out: Writer,
    position: u64,
    types: Vec<NumberType>,
    arrow_schema: Arc<Schema>,
    schema: SchemaDescPtr,
    chunks: Vec<Chunk>,
    encoder: Encoder,
    /// Minimum rows of every row group but the last.
    row_group_rows: usize,
    n_rows: usize,
    row_groups: Vec<RowGroup>,
}

impl NumberTable {
    /// Creates the file with columns of these names.
    pub(crate) fn create(path: &Place, columns: &[(&str, NumberType)], row_group_rows: usize) -> Result<Self> {
        let field = |&(name, of): &(&str, NumberType)| Field::new(name, of.arrow_type(), of == NumberType::Float64);
        let arrow_schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let schema = ArrowSchemaConverter::new().convert(&arrow_schema).map_err(failed(path.display()))?;
        let mut out = Writer::create(path).map_err(failed(path.display()))?;
        out.write_all(MAGIC).map_err(failed(path.display()))?;
        Ok(Self {
            chunks: schema.columns().iter().cloned().map(Chunk::new).collect(),
            path: path.to_owned(),
            out,
            position: MAGIC.len() as u64,
            types: columns.iter().map(|&(_, of)| of).collect(),
            arrow_schema,
            schema: Arc::new(schema),
            encoder: Encoder::new().map_err(failed("zstd"))?,
            row_group_rows,
            n_rows: 0,
            row_groups: Vec::new(),
        })
    }

    /// Adds a page: the same number of values for each column, and no more than a row group has rows.
    pub(crate) fn push(&mut self, columns: Vec<Vec<i64>>) -> Result<()> {
        let n_rows = columns.first().map_or(0, Vec::len);
        if n_rows == 0 {
            return Ok(());
        }
        for ((chunk, of), bits) in self.chunks.iter_mut().zip(&self.types).zip(columns) {
            chunk.push(&of.values(bits), &mut self.encoder).map_err(failed(self.path.display()))?;
        }
        self.n_rows += n_rows;
        if self.n_rows >= self.row_group_rows { self.end_row_group() } else { Ok(()) }
    }

    fn end_row_group(&mut self) -> Result<()> {
        if self.n_rows == 0 {
            return Ok(());
        }
        let (start, mut finished) = (self.position, Vec::new());
        for chunk in &mut self.chunks {
            let chunk = chunk.finish(self.position).map_err(failed(self.path.display()))?;
            for page in &chunk.bytes {
                self.out.write_all(page).map_err(failed(self.path.display()))?;
                self.position += page.len() as u64;
            }
            finished.push(chunk);
        }
        let n_rows = std::mem::take(&mut self.n_rows) as u64;
        let row_group = RowGroup::new(&self.schema, self.row_groups.len(), n_rows, start, finished);
        self.row_groups.push(row_group.map_err(failed(self.path.display()))?);
        Ok(())
    }

    /// Writes the footer and closes the file.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.end_row_group()?;
        let footer = Footer::new(&self.arrow_schema, &self.schema, self.position, Cursor::new(Vec::new()));
        let mut footer = footer.map_err(failed(self.path.display()))?;
        for row_group in std::mem::take(&mut self.row_groups) {
            footer.add(row_group, &mut self.out).map_err(failed(self.path.display()))?;
        }
        footer.finish(&mut self.out).map_err(failed(self.path.display()))?;
        self.out.finish().map_err(failed(self.path.display()))
    }
}

//! The column `ensemble_id`: the number of the gather that a row belongs to. Workers do not know it, so the merge makes it.

use std::iter::Peekable;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::schema::types::SchemaDescPtr;

use crate::base::error::{Error, Result, failed};
use crate::parquet::column_chunk::{Chunk, Encoder, FinishedChunk};
use crate::parquet::values::Values;
use crate::table::columns::HeaderTable;
use crate::table::info::ColumnInfo;

/// Name of the column.
pub(crate) const ENSEMBLE_ID: &str = "ensemble_id";
/// Its place: after `trace_index`.
pub(crate) const ENSEMBLE_ID_PLACE: usize = 1;

/// What is known of the column.
pub(crate) fn ensemble_info() -> ColumnInfo {
    ColumnInfo {
        name: ENSEMBLE_ID.into(),
        kind: "i64".into(),
        description: Some("number of the gather, from 0, as in ensemble_index.parquet".into()),
        because: "--gather".into(),
        ..ColumnInfo::default()
    }
}

/// The first traces of the gathers, in order.
pub(crate) type GatherStarts = Box<dyn Iterator<Item = Result<u64>>>;

/// The schemas of the table with this column.
pub(super) fn schemas(table: &HeaderTable) -> Result<(SchemaRef, SchemaDescPtr)> {
    let mut fields = table.arrow_schema().fields().to_vec();
    let info = table.info.iter().find(|info| info.name == ENSEMBLE_ID);
    let metadata = info.map(ColumnInfo::metadata).unwrap_or_default();
    fields.insert(ENSEMBLE_ID_PLACE, Arc::new(Field::new(ENSEMBLE_ID, DataType::Int64, false).with_metadata(metadata)));
    let schema = Arc::new(Schema::new(fields));
    let converted = ArrowSchemaConverter::new().convert(&schema).map_err(failed("the columns of the header table"))?;
    Ok((schema, Arc::new(converted)))
}

/// Encodes the column, row group by row group.
pub(super) struct EnsembleColumn {
    ids: EnsembleIds,
    chunk: Chunk,
    encoder: Encoder,
    page_rows: u64,
}

/// The number of each row's gather, row after row.
pub(crate) struct EnsembleIds {
    starts: Peekable<GatherStarts>,
    next_row: u64,
    /// The gather that `next_row` belongs to, unless one begins there.
    id: i64,
}

impl EnsembleColumn {
    pub(super) fn new(schema: &SchemaDescPtr, page_rows: u64, starts: GatherStarts) -> Result<Self> {
        Ok(Self {
            ids: EnsembleIds::new(starts),
            chunk: Chunk::new(schema.column(ENSEMBLE_ID_PLACE)),
            encoder: Encoder::new().map_err(failed("zstd"))?,
            page_rows,
        })
    }

    /// The next `n_rows`, whose first byte is at `position` in the file.
    pub(super) fn row_group(&mut self, n_rows: u64, position: u64) -> Result<FinishedChunk> {
        let ids = &mut self.ids;
        let end = ids.next_row + n_rows;
        ids.skip_starts()?;
        if ids.next_start()? >= end {
            self.chunk.push_constant(&Values::Int64(vec![ids.id]), n_rows as usize);
            ids.next_row = end;
        }
        while ids.next_row < end {
            let page = ids.up_to(end.min(ids.next_row + self.page_rows))?;
            self.chunk.push(&Values::Int64(page), &mut self.encoder).map_err(failed("encoding a page"))?;
        }
        self.chunk.finish(position).map_err(failed("encoding a column"))
    }
}

impl EnsembleIds {
    pub(crate) fn new(starts: GatherStarts) -> Self {
        Self { starts: starts.peekable(), next_row: 0, id: -1 }
    }

    /// Those of the next rows, up to row `end`.
    pub(crate) fn up_to(&mut self, end: u64) -> Result<Vec<i64>> {
        let mut ids = Vec::with_capacity((end - self.next_row) as usize);
        while self.next_row < end {
            self.skip_starts()?;
            let until = self.next_start()?.min(end);
            ids.extend(std::iter::repeat_n(self.id, (until - self.next_row) as usize));
            self.next_row = until;
        }
        Ok(ids)
    }

    /// Goes on to the gather that begins at `next_row`, if one does.
    fn skip_starts(&mut self) -> Result<()> {
        while self.next_start()? <= self.next_row {
            self.starts.next();
            self.id += 1;
        }
        Ok(())
    }

    /// Where the next gather begins; `u64::MAX` after the last one.
    fn next_start(&mut self) -> Result<u64> {
        match self.starts.peek() {
            None => Ok(u64::MAX),
            Some(Ok(start)) => Ok(*start),
            Some(Err(e)) => Err(Error::Failed(e.to_string())),
        }
    }
}

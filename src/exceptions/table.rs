//! `exceptions.parquet`: one row per exception.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::exceptions::{Exception, SegmentReader};
use crate::store::{Place, Writer};

/// Its columns: trace and sample, from 0, and the sample's bytes in the file as a number, read in the file's byte
/// order.
pub(crate) const COLUMNS: [&str; 3] = ["trace_index", "sample_index", "raw_word"];

/// Rows per row group: by their statistics, a reader finds the row groups of a trace.
const ROW_GROUP_ROWS: usize = 1 << 18;
/// Rows encoded at a time.
const BATCH_ROWS: usize = 1 << 14;

/// Writes the exceptions of all segments, in order. `segments` has each one's file and number of exceptions.
pub(crate) fn write_table(output: &Place, segments: &[(Place, u64)], cancel: &CancelHandle) -> Result<()> {
    let mut table = Table::create(output)?;
    for (path, n) in segments {
        let mut exceptions = SegmentReader::open(path, *n)?;
        while let Some(exception) = exceptions.next_exception()? {
            table.batch.push(exception);
            if table.batch.len() == BATCH_ROWS {
                cancel.check()?;
                table.flush()?;
            }
        }
    }
    table.flush()?;
    let file = table.writer.into_inner().map_err(failed(output.display()))?;
    file.finish().map_err(failed(output.display()))
}

struct Table {
    path: Place,
    schema: SchemaRef,
    writer: ArrowWriter<Writer>,
    batch: Vec<Exception>,
}

impl Table {
    fn create(path: &Place) -> Result<Self> {
        let types = [DataType::Int64, DataType::Int32, DataType::UInt32];
        let fields = COLUMNS.iter().zip(types).map(|(name, data_type)| Field::new(*name, data_type, false));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_created_by("segy-import".into())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding(COLUMNS[2].into(), Encoding::PLAIN)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let file = Writer::create(path).map_err(failed(path.display()))?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(failed(path.display()))?;
        Ok(Self { path: path.to_owned(), schema, writer, batch: Vec::with_capacity(BATCH_ROWS) })
    }

    fn flush(&mut self) -> Result<()> {
        let rows = || self.batch.iter();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows().map(|e| e.trace as i64).collect::<Int64Array>()),
            Arc::new(rows().map(|e| e.sample as i32).collect::<Int32Array>()),
            Arc::new(rows().map(|e| e.word).collect::<UInt32Array>()),
        ];
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(failed(self.path.display()))?;
        self.batch.clear();
        self.writer.write(&batch).map_err(failed(self.path.display()))
    }
}

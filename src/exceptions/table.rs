//! `exceptions.parquet`: one row per exception.

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{self, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::exceptions::{Exception, SegmentReader};
use crate::store::{Place, Writer};

/// Its columns: trace and sample, from 0, and the sample's bytes in the file as a number, read in the file's byte
/// order.
pub(crate) const COLUMNS: [&str; 3] = ["trace_index", "sample_index", "raw_word"];

/// Rows per row group: by their statistics, a reader finds the row groups of a trace.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// Writes the exceptions of all segments, in order. `segments` has each one's file and number of exceptions.
pub(crate) fn write_table(output: &Place, segments: &[(Place, u64)], cancel: &CancelHandle) -> Result<()> {
    let file = Writer::create(output).map_err(failed(output.display()))?;
    let mut table = create(file).map_err(failed(output.display()))?;
    let mut rows = Vec::new();
    for (path, n) in segments {
        let mut exceptions = SegmentReader::open(path, *n)?;
        while let Some(exception) = exceptions.next_exception()? {
            rows.push(exception);
            if rows.len() == ROW_GROUP_ROWS {
                cancel.check()?;
                append_row_group(&mut table, &rows).map_err(failed(output.display()))?;
                rows.clear();
            }
        }
    }
    if !rows.is_empty() {
        append_row_group(&mut table, &rows).map_err(failed(output.display()))?;
    }
    let file = table.into_inner().map_err(failed(output.display()))?;
    file.finish().map_err(failed(output.display()))
}

fn schema() -> Schema {
    let types = [DataType::Int64, DataType::Int32, DataType::UInt32];
    let fields = COLUMNS.iter().zip(types).map(|(name, data_type)| Field::new(*name, data_type, false));
    Schema::new(fields.collect::<Vec<_>>())
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_created_by("segy-import".into())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(COLUMNS[2].into(), Encoding::PLAIN)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}

fn create(file: Writer) -> Result<SerializedFileWriter<Writer>, ParquetError> {
    let (schema, mut properties) = (schema(), properties());
    add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
    let schema = ArrowSchemaConverter::new().convert(&schema)?;
    SerializedFileWriter::new(file, schema.root_schema_ptr(), properties.into())
}

fn append_row_group(table: &mut SerializedFileWriter<Writer>, rows: &[Exception]) -> Result<(), ParquetError> {
    let (columns, properties) = (table.schema_descr().columns().to_vec(), table.properties().clone());
    let mut row_group = table.next_row_group()?;
    let traces: Vec<i64> = rows.iter().map(|e| e.trace as i64).collect();
    append_column::<Int64Type>(&mut row_group, &columns[0], &properties, &traces)?;
    let samples: Vec<i32> = rows.iter().map(|e| e.sample as i32).collect();
    append_column::<Int32Type>(&mut row_group, &columns[1], &properties, &samples)?;
    let words: Vec<i32> = rows.iter().map(|e| e.word as i32).collect();
    append_column::<Int32Type>(&mut row_group, &columns[2], &properties, &words)?;
    row_group.close().map(drop)
}

/// As `next_column` of a row group does, but without the code for columns of all other types.
fn append_column<T: data_type::DataType>(
    row_group: &mut SerializedRowGroupWriter<'_, Writer>,
    descr: &ColumnDescPtr,
    properties: &WriterPropertiesPtr,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let mut pages = TrackedWrite::new(Vec::new());
    let page_writer = Box::new(SerializedPageWriter::new(&mut pages));
    let mut column = ColumnWriterImpl::<T>::new(descr.clone(), properties.clone(), page_writer);
    column.write_batch(values, None, None)?;
    let closed = column.close()?;
    row_group.append_column(&Bytes::from(pages.into_inner()?), closed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, UInt32Array};
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::exceptions::SegmentExceptions;

    #[test]
    fn the_table_is_as_the_arrow_library_writes_it() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| Place::of(&directory.path().join(name)).unwrap();
        let n = ROW_GROUP_ROWS as u64 + 50_000;
        let exception = |i: u64| Exception { trace: i / 7, sample: (i % 7) as u32, word: (i as u32).rotate_right(3) };
        let mut segment = SegmentExceptions::new(&place("segment"), None);
        (0..n).for_each(|i| segment.push(exception(i)).unwrap());
        let n_exceptions = segment.finish().unwrap();
        write_table(&place("table"), &[(place("segment"), n_exceptions)], &CancelHandle::new()).unwrap();

        let mut expected = ArrowWriter::try_new(Vec::new(), Arc::new(schema()), Some(properties())).unwrap();
        let rows = || (0..n).map(exception);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows().map(|e| e.trace as i64).collect::<Int64Array>()),
            Arc::new(rows().map(|e| e.sample as i32).collect::<Int32Array>()),
            Arc::new(rows().map(|e| e.word).collect::<UInt32Array>()),
        ];
        expected.write(&RecordBatch::try_new(Arc::new(schema()), columns).unwrap()).unwrap();
        assert!(std::fs::read(directory.path().join("table")).unwrap() == expected.into_inner().unwrap());
    }
}

//! The end of a Parquet file, written one row group at a time: page indexes, metadata, magic number.
//!
//! The `parquet` crate takes the metadata of all row groups at once, which would need several bytes of memory for each
//! row. Here each row group's metadata is encoded as soon as it is known, and what surrounds the row groups is written
//! by hand.
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `FileMetaData`.

use std::io::{Read, Seek, SeekFrom, Write};

use arrow::datatypes::Schema;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescPtr;

use crate::parquet::encodings::zigzag;
use crate::parquet::row_group::{RowGroup, RowGroupEncoder, TYPE_ORDER};
use crate::parquet::thrift::{self, BINARY, I64, LIST, STOP, STRUCT, field};

/// First and last bytes of every Parquet file.
pub(crate) const MAGIC: &[u8; 4] = b"PAR1";
/// Without a version, so that the bytes of a file do not change with the program.
const CREATED_BY: &str = "segy-import";

/// Writes the bytes after the last row group: the page indexes of each row group, then the metadata of all.
///
/// Memory: one row group. The metadata of the earlier ones is kept in `waiting`.
pub(crate) struct Footer<S> {
    row_groups: RowGroupEncoder,
    /// The fields after the row groups.
    after: Vec<u8>,
    n_row_groups: u64,
    n_rows: i64,
    /// Bytes of the file so far.
    position: u64,
    waiting: S,
}

impl<S: Read + Write + Seek> Footer<S> {
    /// For a file whose last row group ends at byte `position`.
    pub(crate) fn new(
        arrow_schema: &Schema,
        schema: &SchemaDescPtr,
        position: u64,
        waiting: S,
    ) -> Result<Self, ParquetError> {
        let row_groups = RowGroupEncoder::new(schema)?;
        let after = after_row_groups(arrow_schema, schema.num_columns());
        Ok(Self { row_groups, after, n_row_groups: 0, n_rows: 0, position, waiting })
    }

    /// Bytes of the file so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Counts bytes that the caller has written.
    pub(crate) fn skip(&mut self, n: u64) {
        self.position += n;
    }

    /// Writes the page indexes of the next row group.
    pub(crate) fn add(&mut self, row_group: RowGroup, out: &mut impl Write) -> Result<(), ParquetError> {
        self.n_rows += row_group.metadata.num_rows();
        self.n_row_groups += 1;
        let row_group = self.row_groups.encode(row_group, self.position)?;
        self.waiting.write_all(&row_group.metadata)?;
        out.write_all(&row_group.page_indexes)?;
        self.position += row_group.page_indexes.len() as u64;
        Ok(())
    }

    /// Writes the metadata of all row groups and the end of the file.
    pub(crate) fn finish(mut self, out: &mut impl Write) -> Result<(), ParquetError> {
        let mut before = self.row_groups.version_and_schema().to_vec();
        before.push(field(1, I64));
        zigzag(self.n_rows, &mut before);
        before.push(field(1, LIST));
        thrift::list(self.n_row_groups, STRUCT, &mut before);
        self.waiting.seek(SeekFrom::Start(0))?;
        out.write_all(&before)?;
        let n_waiting = std::io::copy(&mut self.waiting, out)?;
        out.write_all(&self.after)?;
        let length = (before.len() + self.after.len()) as u64 + n_waiting;
        let too_long = |_| ParquetError::General(format!("{length} bytes of metadata are more than a file can have"));
        out.write_all(&i32::try_from(length).map_err(too_long)?.to_le_bytes())?;
        out.write_all(MAGIC)?;
        Ok(())
    }
}

/// The fields of the metadata after the row groups: the Arrow schema (5), the program (6), the orders of the columns (7).
///
/// The `parquet` crate would declare IEEE 754 order for doubles. That is new in the format, and readers that do not
/// know it (pyarrow 26) ignore the statistics, which are also right in the type's own order.
fn after_row_groups(arrow_schema: &Schema, n_columns: usize) -> Vec<u8> {
    let mut out = vec![field(1, LIST)];
    thrift::list(1, STRUCT, &mut out);
    for text in [ARROW_SCHEMA_META_KEY, &encode_arrow_schema(arrow_schema)] {
        out.push(field(1, BINARY));
        thrift::binary(text.as_bytes(), &mut out);
    }
    out.push(STOP);
    out.push(field(1, BINARY));
    thrift::binary(CREATED_BY.as_bytes(), &mut out);
    out.push(field(1, LIST));
    thrift::list(n_columns as u64, STRUCT, &mut out);
    out.extend(TYPE_ORDER.repeat(n_columns));
    out.push(STOP);
    out
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};
    use bytes::{Buf, Bytes};
    use parquet::arrow::ArrowSchemaConverter;
    use parquet::file::metadata::page_index::PageIndexBuilder;
    use parquet::file::metadata::{
        FileMetaData, KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader,
        ParquetMetaDataWriter,
    };
    use parquet::file::reader::{ChunkReader, Length};
    use parquet::file::writer::TrackedWrite;

    use super::*;
    use crate::parquet::column_chunk::{Chunk, Encoder};
    use crate::parquet::values::Values;

    const ROWS: usize = 100;

    /// Columns with a page index, and a last one without a column index.
    fn schema() -> (Schema, SchemaDescPtr) {
        let schema = Schema::new(vec![
            Field::new("number", DataType::Int64, false),
            Field::new("unsigned", DataType::UInt32, false),
            Field::new("nullable", DataType::Float64, true),
            Field::new("bytes", DataType::FixedSizeBinary(8), false),
        ]);
        let descr = ArrowSchemaConverter::new().convert(&schema).unwrap();
        (schema, Arc::new(descr))
    }

    /// A row group of two pages and a constant column, and the position after it.
    fn row_group(schema: &SchemaDescPtr, ordinal: usize, position: u64) -> (RowGroup, u64) {
        let (mut encoder, mut end) = (Encoder::new().unwrap(), position);
        let mut chunks: Vec<Chunk> = schema.columns().iter().cloned().map(Chunk::new).collect();
        for page in 0..2 {
            let first = (1000 * ordinal + ROWS / 2 * page) as i64;
            let numbers: Vec<i64> = (first..first + ROWS as i64 / 2).collect();
            let halves = numbers.iter().map(|&n| if n % 3 == 0 { f64::NAN } else { n as f64 / 2.0 }).collect();
            chunks[3].push_bytes(&numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>(), 8, &mut encoder);
            chunks[2].push(&Values::Nullable(halves), &mut encoder).unwrap();
            chunks[0].push(&Values::Int64(numbers), &mut encoder).unwrap();
        }
        chunks[1].push_constant(&Values::Int32(vec![-1]), ROWS);
        let finished = chunks.iter_mut().map(|chunk| {
            let chunk = chunk.finish(end).unwrap();
            end += chunk.bytes.iter().map(|page| page.len() as u64).sum::<u64>();
            chunk
        });
        let finished = finished.collect();
        (RowGroup::new(schema, ordinal, ROWS as u64, position, finished).unwrap(), end)
    }

    /// The row groups, the first of which starts at `position`, the position after them, and the bytes from there on.
    fn written(n_row_groups: usize, mut position: u64) -> (Vec<RowGroup>, u64, Vec<u8>) {
        let (arrow_schema, schema) = schema();
        let row_groups: Vec<RowGroup> = (0..n_row_groups)
            .map(|ordinal| {
                let (row_group, end) = row_group(&schema, ordinal, position);
                position = end;
                row_group
            })
            .collect();
        let mut out = Vec::new();
        let mut footer = Footer::new(&arrow_schema, &schema, position, Cursor::new(Vec::new())).unwrap();
        row_groups.iter().for_each(|row_group| footer.add(row_group.clone(), &mut out).unwrap());
        footer.finish(&mut out).unwrap();
        (row_groups, position, out)
    }

    /// The end of a file, from byte `start` on.
    struct FileEnd {
        start: u64,
        bytes: Bytes,
    }

    impl Length for FileEnd {
        fn len(&self) -> u64 {
            self.start + self.bytes.len() as u64
        }
    }

    impl ChunkReader for FileEnd {
        type T = bytes::buf::Reader<Bytes>;

        fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
            Ok(self.bytes.slice((start - self.start) as usize..).reader())
        }

        fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
            let start = (start - self.start) as usize;
            Ok(self.bytes.slice(start..start + length))
        }
    }

    fn read(start: u64, bytes: Vec<u8>) -> ParquetMetaData {
        let reader = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Optional)
            .with_offset_index_policy(PageIndexPolicy::Required);
        reader.parse_and_finish(&FileEnd { start, bytes: bytes.into() }).unwrap()
    }

    #[test]
    fn page_indexes_beyond_4_gib_are_found() {
        // More row groups than a short list has elements.
        for n_row_groups in [0, 1, 14, 15, 16, 200] {
            let (row_groups, position, bytes) = written(n_row_groups, 5 << 30);
            let metadata = read(position, bytes);
            assert_eq!(metadata.num_row_groups(), n_row_groups);
            assert_eq!(metadata.file_metadata().num_rows(), (ROWS * n_row_groups) as i64);
            let mut next = position as i64;
            for (g, (row_group, found)) in row_groups.iter().zip(metadata.row_groups()).enumerate() {
                assert_eq!((found.ordinal(), found.file_offset()), (Some(g as i32), row_group.metadata.file_offset()));
                assert_eq!(
                    (found.num_rows(), found.total_byte_size()),
                    (ROWS as i64, row_group.metadata.total_byte_size())
                );
                let page_index = metadata.page_index_for_row_group(g);
                for (c, (chunk, found)) in row_group.metadata.columns().iter().zip(found.columns()).enumerate() {
                    assert_eq!(found.byte_range(), chunk.byte_range());
                    assert_eq!(found.statistics(), chunk.statistics());
                    assert_eq!(page_index.column_index(c), row_group.column_indexes[c].as_ref());
                    assert_eq!(page_index.offset_index(c), Some(&row_group.offset_indexes[c]));
                }
                // They follow the last row group without gaps.
                let column_indexes = found.columns().iter().map(|c| (c.column_index_offset(), c.column_index_length()));
                let offset_indexes = found.columns().iter().map(|c| (c.offset_index_offset(), c.offset_index_length()));
                for (offset, length) in column_indexes.chain(offset_indexes).filter(|(offset, _)| offset.is_some()) {
                    assert_eq!(offset, Some(next));
                    next += i64::from(length.unwrap());
                }
            }
        }
    }

    #[test]
    fn a_footer_has_the_bytes_of_the_parquet_crate_but_for_the_orders() {
        let (mut row_groups, position, bytes) = written(1, 4);
        let (arrow_schema, schema) = schema();
        let key_value = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&arrow_schema));
        let created_by = Some(CREATED_BY.to_owned());
        let file = FileMetaData::new(2, ROWS as i64, created_by, Some(vec![key_value]), schema, None);
        let RowGroup { metadata, column_indexes, offset_indexes } = row_groups.remove(0);
        let mut page_index = PageIndexBuilder::new(1, offset_indexes.len());
        for (c, (column_index, offset_index)) in column_indexes.into_iter().zip(offset_indexes).enumerate() {
            column_index.into_iter().for_each(|index| page_index.put_column_index(index, 0, c));
            page_index.put_offset_index(offset_index, 0, c);
        }
        let metadata = ParquetMetaDataBuilder::new(file)
            .add_row_group(metadata)
            .set_page_index(Some(Arc::new(page_index.build())))
            .build();
        let mut expected = Vec::new();
        let mut out = TrackedWrite::new(&mut expected);
        out.write_all(&vec![0; position as usize]).unwrap();
        ParquetMetaDataWriter::new_with_tracked(out, &metadata).finish().unwrap();
        // Before the stop byte, the length and the magic number come the orders of four columns; the third is of
        // doubles.
        let orders = expected.len() - 9 - 4 * 3..expected.len() - 9;
        assert_eq!(expected[orders.clone()], [0x1C, 0, 0, 0x1C, 0, 0, 0x2C, 0, 0, 0x1C, 0, 0]);
        expected[orders].copy_from_slice(&TYPE_ORDER.repeat(4));
        assert_eq!(bytes, expected[position as usize..]);
    }
}

//! The end of a Parquet file, made row group by row group: page indexes, metadata, magic number.
//!
//! The metadata writer of the library takes the metadata of all row groups at once, several bytes of memory for each
//! trace. Here it writes that of one at a time, and the pieces are put together: in the Thrift compact protocol the
//! metadata of a file is the fields in front of the row groups, the row groups, and the fields behind them.
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `FileMetaData`.

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use arrow::datatypes::Schema;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::page_index::PageIndexBuilder;
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::writer::TrackedWrite;
use parquet::schema::types::SchemaDescPtr;

use crate::parquet::column_chunk::FinishedChunk;
use crate::parquet::encodings::{varint, zigzag};

/// First and last bytes of every Parquet file.
pub(crate) const MAGIC: &[u8; 4] = b"PAR1";
/// The one name in the file that could change with the program, so it carries no version.
const CREATED_BY: &str = "segy-import";
/// Version of the format as the footer counts it: 2, for its encodings.
const FORMAT_VERSION: i32 = 2;
/// Length of the metadata and magic number, behind the metadata.
const LENGTH_BYTES: usize = 4 + MAGIC.len();
/// The metadata of a file without row groups from its row count on: the value of the count, and an empty list of structs
/// as the next field.
const NO_ROW_GROUPS: [u8; 3] = [0, LIST_FIELD, STRUCT];
/// A list as the next field.
const LIST_FIELD: u8 = 0x19;
/// Structs as the type of what is in a list; the number of them goes into the high half if it is below 15.
const STRUCT: u8 = 0x0C;

/// A row group as the footer describes it.
pub(crate) struct RowGroup {
    pub metadata: RowGroupMetaData,
    pub column_indexes: Vec<Option<ColumnIndexMetaData>>,
    pub offset_indexes: Vec<OffsetIndexMetaData>,
}

impl RowGroup {
    /// Number `ordinal` of the file, of these chunks, the first of which begins at `position`.
    pub fn new(
        schema: &SchemaDescPtr,
        ordinal: usize,
        n_rows: u64,
        position: u64,
        chunks: Vec<FinishedChunk>,
    ) -> Result<Self, ParquetError> {
        let mut metadata = RowGroupMetaData::builder(schema.clone())
            .set_num_rows(n_rows as i64)
            .set_ordinal(ordinal as i32)
            .set_file_offset(position as i64);
        let (mut uncompressed, mut column_indexes, mut offset_indexes) = (0, Vec::new(), Vec::new());
        for chunk in chunks {
            uncompressed += chunk.metadata.uncompressed_size();
            metadata = metadata.add_column_metadata(chunk.metadata);
            column_indexes.push(chunk.column_index);
            offset_indexes.push(chunk.offset_index);
        }
        let metadata = metadata.set_total_byte_size(uncompressed).build()?;
        Ok(Self { metadata, column_indexes, offset_indexes })
    }
}

/// Writes the bytes that follow the last row group: the page indexes of each row group, then the metadata of all.
///
/// Memory: one row group. The metadata of those before waits in `waiting`.
pub(crate) struct Footer<S> {
    file: FileMetaData,
    /// The metadata of a file without row groups.
    empty: Vec<u8>,
    /// Where in it the row count stands, once a row group has shown it.
    count_at: usize,
    n_row_groups: u64,
    n_rows: i64,
    /// Bytes of the file so far.
    position: u64,
    waiting: S,
}

impl<S: Read + Write + Seek> Footer<S> {
    /// For a file whose last row group ends at byte `position`.
    pub fn new(arrow_schema: &Schema, schema: &SchemaDescPtr, position: u64, waiting: S) -> Result<Self, ParquetError> {
        let arrow_schema = encode_arrow_schema(arrow_schema);
        let key_values = vec![KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), arrow_schema)];
        let created_by = Some(CREATED_BY.to_owned());
        let file = FileMetaData::new(FORMAT_VERSION, 0, created_by, Some(key_values), schema.clone(), None);
        let (_, mut empty) = written(&file, None, 0)?;
        declare_common_order(&mut empty, schema.num_columns());
        Ok(Self { file, empty, count_at: 0, n_row_groups: 0, n_rows: 0, position, waiting })
    }

    /// Writes the page indexes of the next row group.
    pub fn add(&mut self, row_group: RowGroup, out: &mut impl Write) -> Result<(), ParquetError> {
        let n_rows = row_group.metadata.num_rows();
        let (page_indexes, metadata) = written(&self.file, Some(row_group), self.position)?;
        let not_as_expected = || ParquetError::General("the metadata of a row group cannot be found".to_owned());
        // The first byte that differs is the count: no row group is without rows.
        let count_at = metadata.iter().zip(&self.empty).take_while(|(a, b)| a == b).count();
        let behind = self.empty[count_at..].strip_prefix(&NO_ROW_GROUPS).ok_or_else(not_as_expected)?.len();
        let mut front = Vec::new();
        zigzag(n_rows, &mut front);
        front.extend([LIST_FIELD, 1 << 4 | STRUCT]);
        let one_group = metadata[count_at..].strip_prefix(&*front).ok_or_else(not_as_expected)?;
        let row_group = one_group.len().checked_sub(behind).map(|end| &one_group[..end]).ok_or_else(not_as_expected)?;
        self.waiting.write_all(row_group)?;
        out.write_all(&page_indexes)?;
        self.position += page_indexes.len() as u64;
        self.count_at = count_at;
        self.n_row_groups += 1;
        self.n_rows += n_rows;
        Ok(())
    }

    /// Writes the metadata of all row groups and the end of the file.
    pub fn finish(mut self, out: &mut impl Write) -> Result<(), ParquetError> {
        let length = if self.n_row_groups == 0 {
            out.write_all(&self.empty)?;
            self.empty.len() as u64
        } else {
            let (mut front, behind) = self.empty.split_at(self.count_at);
            let mut count = Vec::new();
            zigzag(self.n_rows, &mut count);
            count.push(LIST_FIELD);
            match self.n_row_groups {
                n @ 0..15 => count.push((n as u8) << 4 | STRUCT),
                n => {
                    count.push(15 << 4 | STRUCT);
                    varint(n, &mut count);
                }
            }
            let behind = &behind[NO_ROW_GROUPS.len()..];
            self.waiting.seek(SeekFrom::Start(0))?;
            let copied = std::io::copy(&mut front, out)?
                + std::io::copy(&mut count.as_slice(), out)?
                + std::io::copy(&mut self.waiting, out)?;
            out.write_all(behind)?;
            copied + behind.len() as u64
        };
        let too_long = |_| ParquetError::General(format!("{length} bytes of metadata are more than a file can have"));
        out.write_all(&i32::try_from(length).map_err(too_long)?.to_le_bytes())?;
        out.write_all(MAGIC)?;
        Ok(())
    }
}

/// The page indexes of a row group as they stand from byte `position` on, and the metadata of a file of it alone.
fn written(
    file: &FileMetaData,
    row_group: Option<RowGroup>,
    position: u64,
) -> Result<(Vec<u8>, Vec<u8>), ParquetError> {
    let mut builder = ParquetMetaDataBuilder::new(file.clone());
    if let Some(row_group) = row_group {
        let mut page_index = PageIndexBuilder::new(1, row_group.offset_indexes.len());
        for (c, index) in row_group.column_indexes.into_iter().enumerate() {
            if let Some(index) = index {
                page_index.put_column_index(index, 0, c);
            }
        }
        for (c, index) in row_group.offset_indexes.into_iter().enumerate() {
            page_index.put_offset_index(index, 0, c);
        }
        builder = builder.add_row_group(row_group.metadata).set_page_index(Some(Arc::new(page_index.build())));
    }
    let metadata = builder.build();
    let mut tail = Tail { before: position, bytes: Vec::new() };
    let mut tracked = TrackedWrite::new(&mut tail);
    advance(&mut tracked, position)?;
    ParquetMetaDataWriter::new_with_tracked(tracked, &metadata).finish()?;
    let mut bytes = tail.bytes;
    let end = bytes.len().saturating_sub(LENGTH_BYTES);
    let length = bytes[end..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    bytes.truncate(end);
    let metadata = bytes.split_off(end.saturating_sub(length as usize));
    Ok((bytes, metadata))
}

/// Declares the usual order for all columns.
///
/// The metadata writer declares the order of IEEE 754 for doubles, which is new to the format, and readers that do
/// not know it (pyarrow 26) take no notice of the statistics. Those written here hold in the usual order too.
/// The orders are the last field of the metadata, three bytes each; behind them is only the end of the metadata.
/// Where they do not look so, nothing is changed.
fn declare_common_order(metadata: &mut [u8], n_columns: usize) {
    /// An empty struct as field 1 (the usual order) or 2 (IEEE 754) of a union.
    const USUAL: [u8; 3] = [0x1C, 0, 0];
    const IEEE_754: [u8; 3] = [0x2C, 0, 0];
    let Some(start) = metadata.len().checked_sub(3 * n_columns + 1) else { return };
    let orders = metadata[start..][..3 * n_columns].as_chunks_mut::<3>().0;
    if orders.iter().all(|order| [USUAL, IEEE_754].contains(order)) {
        orders.fill(USUAL);
    }
}

/// Keeps what is written beyond the first `before` bytes.
///
/// The metadata writer takes the offsets in the footer from the number of bytes that went through it. This way
/// none of the data has to.
struct Tail {
    before: u64,
    bytes: Vec<u8>,
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let skipped = bytes.len().min(usize::try_from(self.before).unwrap_or(usize::MAX));
        self.before -= skipped as u64;
        self.bytes.extend_from_slice(&bytes[skipped..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Counts `n` bytes as written.
fn advance(writer: &mut impl Write, mut n: u64) -> std::io::Result<()> {
    // Nobody looks at them, so they take no memory, and large steps make many row groups cheap.
    static ZEROS: [u8; 1 << 24] = [0; 1 << 24];
    while n > 0 {
        let step = n.min(ZEROS.len() as u64);
        writer.write_all(&ZEROS[..step as usize])?;
        n -= step;
    }
    Ok(())
}

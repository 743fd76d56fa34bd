//! The end of a Parquet file: page indexes, metadata, magic number.

use std::io::Write;
use std::sync::Arc;

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

use super::columns::HeaderTable;

/// First and last bytes of every Parquet file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";
/// The one name in the file that could change with the program, so it carries no version.
const CREATED_BY: &str = "segy-import";
/// Version of the format as the footer counts it: 2, for its encodings.
const FORMAT_VERSION: i32 = 2;

/// A row group as the footer describes it.
pub(super) struct RowGroup {
    pub metadata: RowGroupMetaData,
    pub column_indexes: Vec<Option<ColumnIndexMetaData>>,
    pub offset_indexes: Vec<OffsetIndexMetaData>,
}

/// The bytes that follow the last row group, which ends at byte `position` of the file.
pub(super) fn footer(
    table: &HeaderTable,
    schema: &SchemaDescPtr,
    row_groups: Vec<RowGroup>,
    position: u64,
) -> Result<Vec<u8>, ParquetError> {
    let n_rows = row_groups.iter().map(|group| group.metadata.num_rows()).sum();
    let arrow_schema = encode_arrow_schema(&table.arrow_schema());
    let key_values = vec![KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), arrow_schema)];
    let created_by = Some(CREATED_BY.to_owned());
    let file = FileMetaData::new(FORMAT_VERSION, n_rows, created_by, Some(key_values), schema.clone(), None);

    let mut page_index = PageIndexBuilder::new(row_groups.len(), schema.num_columns());
    let mut builder = ParquetMetaDataBuilder::new(file);
    for (g, group) in row_groups.into_iter().enumerate() {
        for (c, index) in group.column_indexes.into_iter().enumerate() {
            if let Some(index) = index {
                page_index.put_column_index(index, g, c);
            }
        }
        for (c, index) in group.offset_indexes.into_iter().enumerate() {
            page_index.put_offset_index(index, g, c);
        }
        builder = builder.add_row_group(group.metadata);
    }
    let metadata = builder.set_page_index(Some(Arc::new(page_index.build()))).build();

    let mut tail = Tail { before: position, bytes: Vec::new() };
    let mut tracked = TrackedWrite::new(&mut tail);
    advance(&mut tracked, position)?;
    ParquetMetaDataWriter::new_with_tracked(tracked, &metadata).finish()?;
    declare_common_order(&mut tail.bytes, schema.num_columns());
    Ok(tail.bytes)
}

/// Declares the usual order for all columns.
///
/// The metadata writer declares the order of IEEE 754 for doubles, which is new to the format, and readers that do
/// not know it (pyarrow 26) take no notice of the statistics. Those written here hold in the usual order too.
/// The orders are the last field of the metadata, three bytes each; behind them are only the end of the metadata,
/// its length and the magic number. Where they do not look so, nothing is changed.
fn declare_common_order(footer: &mut [u8], n_columns: usize) {
    /// An empty struct as field 1 (the usual order) or 2 (IEEE 754) of a union, in the Thrift compact protocol.
    const USUAL: [u8; 3] = [0x1C, 0, 0];
    const IEEE_754: [u8; 3] = [0x2C, 0, 0];
    const BEHIND: usize = 1 + 4 + MAGIC.len();
    let Some(start) = footer.len().checked_sub(3 * n_columns + BEHIND) else { return };
    let orders = footer[start..][..3 * n_columns].as_chunks_mut::<3>().0;
    if orders.iter().all(|order| [USUAL, IEEE_754].contains(order)) {
        orders.fill(USUAL);
    }
}

/// Keeps what is written beyond the first `before` bytes.
///
/// The metadata writer takes the offsets in the footer from the number of bytes that went through it. This way
/// none of the data has to, and the footer is at hand as bytes, so that no error is lost when it is written.
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
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    while n > 0 {
        let step = n.min(ZEROS.len() as u64);
        writer.write_all(&ZEROS[..step as usize])?;
        n -= step;
    }
    Ok(())
}

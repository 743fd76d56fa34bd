//! Row groups as the footer describes them, one at a time.
//!
//! The `parquet` crate writes only the metadata of whole files. Here it writes that of a file with a single row group,
//! and the row group is cut out: in the Thrift compact protocol, the bytes of a struct do not depend on what surrounds
//! it.
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `FileMetaData`.

use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::metadata::page_index::PageIndexBuilder;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetMetaDataWriter, ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::schema::types::SchemaDescPtr;

use crate::parquet::column_chunk::FinishedChunk;
use crate::parquet::encodings::zigzag;
use crate::parquet::thrift::{self, I64, LIST, STOP, STRUCT, field};

/// Format version in the footer: 2, for its encodings.
const FORMAT_VERSION: i32 = 2;
/// Length of the metadata and magic number, after the metadata.
const LENGTH_BYTES: usize = 8;
/// The row count and the row groups of a file that has none: fields 3 and 4.
const NO_ROW_GROUPS: [u8; 4] = [field(1, I64), 0, field(1, LIST), STRUCT];
/// How a column is ordered: an empty struct as field 1 of a union (the order of its type).
pub(crate) const TYPE_ORDER: [u8; 3] = [field(1, STRUCT), STOP, STOP];
/// The same as field 2 (IEEE 754).
const IEEE_754_ORDER: [u8; 3] = [field(2, STRUCT), STOP, STOP];

/// A row group as the footer describes it.
#[derive(Clone)]
pub(crate) struct RowGroup {
    pub metadata: RowGroupMetaData,
    pub column_indexes: Vec<Option<ColumnIndexMetaData>>,
    pub offset_indexes: Vec<OffsetIndexMetaData>,
}

impl RowGroup {
    /// Row group number `ordinal` of the file, whose first page is at byte `position`.
    pub(crate) fn new(
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

    /// With one more column, number `place` of this schema.
    pub(crate) fn with(
        mut self,
        place: usize,
        chunk: FinishedChunk,
        schema: &SchemaDescPtr,
    ) -> Result<Self, ParquetError> {
        let mut columns = self.metadata.columns().to_vec();
        let uncompressed = self.metadata.total_byte_size() + chunk.metadata.uncompressed_size();
        columns.insert(place, chunk.metadata);
        self.column_indexes.insert(place, chunk.column_index);
        self.offset_indexes.insert(place, chunk.offset_index);
        let mut metadata = RowGroupMetaData::builder(schema.clone())
            .set_num_rows(self.metadata.num_rows())
            .set_total_byte_size(uncompressed)
            .set_column_metadata(columns);
        if let (Some(ordinal), Some(offset)) = (self.metadata.ordinal(), self.metadata.file_offset()) {
            metadata = metadata.set_ordinal(ordinal).set_file_offset(offset);
        }
        Ok(Self { metadata: metadata.build()?, ..self })
    }
}

/// Encodes the row groups of one file for its footer.
pub(crate) struct RowGroupEncoder {
    /// What the crate needs to know about the file: its schema.
    file: FileMetaData,
    /// What the crate writes before this file's row count, and after its row groups.
    before: Vec<u8>,
    after: Vec<u8>,
    /// For reading the locations of the page indexes and little else.
    offsets_only: ParquetMetaDataOptions,
}

/// A row group in the bytes of the footer.
pub(crate) struct EncodedRowGroup {
    /// All column indexes, then all offset indexes.
    pub page_indexes: Vec<u8>,
    /// The Thrift struct `RowGroup`.
    pub metadata: Vec<u8>,
}

impl RowGroupEncoder {
    pub(crate) fn new(schema: &SchemaDescPtr) -> Result<Self, ParquetError> {
        let file = FileMetaData::new(FORMAT_VERSION, 0, None, None, schema.clone(), None);
        let (_, metadata) = written(&ParquetMetaDataBuilder::new(file.clone()).build())?;
        let (before, after) = around_row_groups(&metadata, schema.num_columns()).ok_or_else(unknown_layout)?;
        let offsets_only = ParquetMetaDataOptions::new()
            .with_schema(schema.clone())
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
        Ok(Self { before: before.to_vec(), after: after.to_vec(), file, offsets_only })
    }

    /// The start of the file's metadata: fields 1 and 2.
    pub(crate) fn version_and_schema(&self) -> &[u8] {
        &self.before
    }

    /// Encodes a row group whose page indexes begin at byte `position` of the file.
    pub(crate) fn encode(&self, row_group: RowGroup, position: u64) -> Result<EncodedRowGroup, ParquetError> {
        let mut page_index = PageIndexBuilder::new(1, row_group.offset_indexes.len());
        for (c, index) in row_group.column_indexes.into_iter().enumerate() {
            if let Some(index) = index {
                page_index.put_column_index(index, 0, c);
            }
        }
        for (c, index) in row_group.offset_indexes.into_iter().enumerate() {
            page_index.put_offset_index(index, 0, c);
        }
        let n_rows = row_group.metadata.num_rows();
        let file = || ParquetMetaDataBuilder::new(self.file.clone());
        // The crate derives the offsets of the page indexes from the bytes it has written so far. So it writes them as
        // if they began the file, and then the metadata again with the right offsets.
        let at_start = file().add_row_group(row_group.metadata.clone());
        let at_start = at_start.set_page_index(Some(Arc::new(page_index.build()))).build();
        let (page_indexes, at_start) = written(&at_start)?;
        let at_start = ParquetMetaDataReader::decode_metadata_with_options(&at_start, Some(&self.offsets_only))?;
        let row_group = with_page_indexes(row_group.metadata, &at_start, position)?;
        let (_, metadata) = written(&file().add_row_group(row_group).build())?;
        let metadata = self.only_row_group(&metadata, n_rows).ok_or_else(unknown_layout)?.to_vec();
        Ok(EncodedRowGroup { page_indexes, metadata })
    }

    /// The one row group in the metadata of a file.
    fn only_row_group<'a>(&self, metadata: &'a [u8], n_rows: i64) -> Option<&'a [u8]> {
        let mut before = vec![field(1, I64)];
        zigzag(n_rows, &mut before);
        before.push(field(1, LIST));
        thrift::list(1, STRUCT, &mut before);
        metadata.strip_prefix(&*self.before)?.strip_prefix(&*before)?.strip_suffix(&*self.after)
    }
}

/// The row group, with its page indexes moved from their place in `at_start` to byte `position`.
fn with_page_indexes(
    row_group: RowGroupMetaData,
    at_start: &ParquetMetaData,
    position: u64,
) -> Result<RowGroupMetaData, ParquetError> {
    let moved = |offset: Option<i64>| offset.map(|offset| offset + position as i64);
    let mut builder = row_group.into_builder();
    let found = at_start.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let columns = builder.take_columns().into_iter().zip(found).map(|(column, found)| {
        let column = column.into_builder();
        column
            .set_column_index_offset(moved(found.column_index_offset()))
            .set_column_index_length(found.column_index_length())
            .set_offset_index_offset(moved(found.offset_index_offset()))
            .set_offset_index_length(found.offset_index_length())
            .build()
    });
    builder.set_column_metadata(columns.collect::<Result<_, _>>()?).build()
}

/// The page indexes of a file that begins with them, and its metadata.
fn written(metadata: &ParquetMetaData) -> Result<(Vec<u8>, Vec<u8>), ParquetError> {
    let mut bytes = Vec::new();
    ParquetMetaDataWriter::new(&mut bytes, metadata)
        // Recorded locations are kept only if the page indexes are not written here.
        .with_preserve_page_index_locations(metadata.page_index().is_none())
        .finish()?;
    let end = bytes.len().saturating_sub(LENGTH_BYTES);
    let length = bytes[end..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    bytes.truncate(end);
    let metadata = bytes.split_off(end.saturating_sub(length as usize));
    Ok((bytes, metadata))
}

/// What comes before the row count and after the row groups in the metadata of a file without row groups.
///
/// After them comes only field 7, the order of each column; `None` if there is anything else.
fn around_row_groups(metadata: &[u8], n_columns: usize) -> Option<(&[u8], &[u8])> {
    let mut list = vec![field(3, LIST)];
    thrift::list(n_columns as u64, STRUCT, &mut list);
    let after = list.len() + TYPE_ORDER.len() * n_columns + 1;
    let (before, after) = metadata.split_at_checked(metadata.len().checked_sub(after)?)?;
    let (orders, rest) = after.strip_prefix(&*list)?.as_chunks();
    let are_known = rest == [STOP] && orders.iter().all(|order| [TYPE_ORDER, IEEE_754_ORDER].contains(order));
    are_known.then_some((before.strip_suffix(&NO_ROW_GROUPS)?, after))
}

fn unknown_layout() -> ParquetError {
    ParquetError::General("the crate parquet lays out the metadata of a file in an unknown way".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The metadata of a file without row groups and with columns of these orders.
    fn metadata(orders: &[[u8; 3]]) -> Vec<u8> {
        let mut metadata = [&b"schema"[..], &NO_ROW_GROUPS, &[field(3, LIST)]].concat();
        thrift::list(orders.len() as u64, STRUCT, &mut metadata);
        metadata.extend(orders.as_flattened());
        metadata.push(STOP);
        metadata
    }

    #[test]
    fn metadata_is_cut_before_the_row_count_and_after_the_row_groups() {
        for n_columns in [1, 14, 15, 200] {
            let metadata = metadata(&[&vec![TYPE_ORDER; n_columns - 1][..], &[IEEE_754_ORDER]].concat());
            let (before, after) = around_row_groups(&metadata, n_columns).unwrap();
            assert_eq!(before, b"schema");
            assert_eq!(after, &metadata[b"schema".len() + NO_ROW_GROUPS.len()..]);
        }
    }

    #[test]
    fn metadata_of_another_layout_is_refused() {
        let known = metadata(&[TYPE_ORDER, IEEE_754_ORDER]);
        assert!(around_row_groups(&known, 2).is_some());
        for n_columns in [0, 1, 3, 1000] {
            assert_eq!(around_row_groups(&known, n_columns), None, "{n_columns} columns");
        }
        let unknown_order = metadata(&[TYPE_ORDER, [field(3, STRUCT), STOP, STOP]]);
        assert_eq!(around_row_groups(&unknown_order, 2), None);
        let one_more_field = [&known[..known.len() - 1], &[field(1, thrift::I32), 2, STOP]].concat();
        assert_eq!(around_row_groups(&one_more_field, 2), None);
        for i in b"schema".len()..known.len() {
            let mut other = known.clone();
            other[i] ^= 0x40;
            assert_eq!(around_row_groups(&other, 2), None, "byte {i}");
            assert_eq!(around_row_groups(&known[..i], 2), None, "cut at byte {i}");
        }
    }
}

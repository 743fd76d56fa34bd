//! Puts the files of the segments behind one another.

use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, OffsetIndexBuilder, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use crate::checksum::{Checksum, Summing};
use crate::error::{Error, Result, failed};
use crate::store::{Reader, Writer};

use super::columns::HeaderTable;
use super::footer::{MAGIC, RowGroup, footer};

/// Bytes that are copied at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// Joins the files of consecutive segments, in the order of `parts`, into one at `output`. Returns its checksum.
///
/// The row groups are copied as they are; only the offsets in the footer change. The result has the same bytes as
/// the file of one writer over all the traces. Memory: the footer as structures, about 3.5 bytes for each trace.
pub fn join(parts: &[PathBuf], output: &Path, table: &HeaderTable) -> Result<Checksum> {
    let schema = table.parquet_schema()?;
    let mut out = Summing::new(Writer::create(output).map_err(failed(output.display()))?);
    out.write_all(MAGIC).map_err(failed(output.display()))?;
    let mut position = MAGIC.len() as u64;
    let mut row_groups = Vec::new();
    for path in parts {
        let part = Reader::open(path).map_err(failed(path.display()))?;
        let metadata = read_metadata(&part).map_err(failed(path.display()))?;
        if metadata.file_metadata().schema_descr().columns() != schema.columns() {
            return Err(Error::Failed(format!("{}: its columns are not those of the plan", path.display())));
        }
        let start = MAGIC.len() as u64;
        let end = data_end(&metadata).map_err(failed(path.display()))?;
        let shift = position as i64 - start as i64;
        for (group, groups_metadata) in metadata.row_groups().iter().enumerate() {
            let ordinal = row_groups.len() as i32;
            let moved = moved(&metadata, group, groups_metadata, ordinal, shift).map_err(failed(path.display()))?;
            row_groups.push(moved);
        }
        let data = part.stream(start, end).map_err(failed(path.display()))?;
        let mut data = BufReader::with_capacity(BUFFER_BYTES, data);
        let what = || format!("{} to {}", path.display(), output.display());
        let copied = std::io::copy(&mut data, &mut out).map_err(failed(what()))?;
        if copied != end - start {
            return Err(Error::Failed(format!("{}: it ends before its data", path.display())));
        }
        position += copied;
    }
    let footer = footer(table, &schema, row_groups, position).map_err(failed(output.display()))?;
    out.write_all(&footer).map_err(failed(output.display()))?;
    let checksum = out.checksum();
    out.into_inner().finish().map_err(failed(output.display()))?;
    Ok(checksum)
}

/// All metadata, so that it can be written again without loss.
fn read_metadata(file: &Reader) -> Result<ParquetMetaData, ParquetError> {
    let options = ParquetMetaDataOptions::new()
        .with_encoding_stats_as_mask(false)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::KeepAll);
    ParquetMetaDataReader::new()
        .with_metadata_options(Some(options))
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(file)
}

/// End of the row groups, which fill the file from behind the magic number without gaps.
fn data_end(metadata: &ParquetMetaData) -> Result<u64, ParquetError> {
    let chunks = || metadata.row_groups().iter().flat_map(|group| group.columns());
    let start = |chunk: &ColumnChunkMetaData| chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = chunks().map(|chunk| start(chunk).saturating_add(chunk.compressed_size())).max();
    let first = MAGIC.len() as i64;
    let all_bytes = chunks().map(ColumnChunkMetaData::compressed_size).fold(first, i64::saturating_add);
    match u64::try_from(all_bytes) {
        Ok(bytes) if all_bytes == end.unwrap_or(first) => Ok(bytes),
        _ => Err(ParquetError::General("its footer does not describe its data".to_owned())),
    }
}

/// A row group with all its offsets moved by `shift` bytes.
fn moved(
    metadata: &ParquetMetaData,
    group: usize,
    row_group: &RowGroupMetaData,
    ordinal: i32,
    shift: i64,
) -> Result<RowGroup, ParquetError> {
    let page_index = metadata.page_index_for_row_group(group);
    let (mut columns, mut column_indexes, mut offset_indexes) = (Vec::new(), Vec::new(), Vec::new());
    for (c, chunk) in row_group.columns().iter().enumerate() {
        let builder = chunk.clone().into_builder();
        columns.push(
            builder
                .set_data_page_offset(chunk.data_page_offset() + shift)
                .set_dictionary_page_offset(chunk.dictionary_page_offset().map(|offset| offset + shift))
                .build()?,
        );
        column_indexes.push(page_index.column_index(c).cloned());
        let Some(offset_index) = page_index.offset_index(c) else {
            return Err(ParquetError::General("it has no page index".to_owned()));
        };
        offset_indexes.push(moved_pages(offset_index, row_group.num_rows(), shift));
    }
    let metadata = row_group
        .clone()
        .into_builder()
        .set_ordinal(ordinal)
        .set_file_offset(row_group.file_offset().unwrap_or(0) + shift)
        .set_column_metadata(columns)
        .build()?;
    Ok(RowGroup { metadata, column_indexes, offset_indexes })
}

fn moved_pages(index: &OffsetIndexMetaData, n_rows: i64, shift: i64) -> OffsetIndexMetaData {
    let mut builder = OffsetIndexBuilder::new();
    let pages = index.page_locations();
    for (i, page) in pages.iter().enumerate() {
        let next_row = pages.get(i + 1).map_or(n_rows, |next| next.first_row_index);
        builder.append_offset_and_size(page.offset + shift, page.compressed_page_size);
        builder.append_row_count(next_row - page.first_row_index);
    }
    builder.build()
}

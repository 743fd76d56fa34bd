//! Joining the segments' files.

use std::fs::File;
use std::io::Write;

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, OffsetIndexBuilder, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::SchemaDescPtr;

use crate::base::error::{Error, Result, failed};
use crate::parquet::footer::{Footer, MAGIC};
use crate::parquet::row_group::RowGroup;
use crate::store::checksum::{ByteSums, Checksum, Summing};
use crate::store::files::{is_there, move_to};
use crate::store::sync::{sync, sync_parent};
use crate::store::{Place, Reader, Writer};
use crate::table::columns::HeaderTable;

/// The file of one segment.
pub struct TablePart {
    /// Where it is.
    pub path: Place,
    /// Its row groups, which fill it without gaps after the magic number.
    pub row_groups: ByteSums,
}

/// Joins the files of consecutive segments, in the order of `parts`, into one at `output`. Returns its checksum.
///
/// The row groups are unchanged; only the offsets in the footer change. The result is identical to the file of a
/// single writer for all traces. The first segment's file becomes the output and grows; the others are copied to it.
/// This can be repeated after an interruption and, with `is_durable` for a first segment that has been synced, after
/// a crash of the computer. Memory: the footer of one segment.
pub fn join(parts: &[TablePart], output: &Place, table: &HeaderTable, is_durable: bool) -> Result<Checksum> {
    let schema = table.parquet_schema()?;
    let mut sums = ByteSums::default();
    sums.push(MAGIC);
    let mut shifts = Vec::new();
    let mut ends: Vec<Place> = parts.iter().map(|part| part.path.clone()).collect();
    let mut out = match parts.first() {
        Some(first) if !output.is_remote() => {
            ends[0] = kept_end(&first.path);
            grow(first, output, &schema, is_durable)?
        }
        _ => {
            let mut out = Writer::create(output).map_err(failed(output.display()))?;
            out.write_all(MAGIC).map_err(failed(output.display()))?;
            out
        }
    };
    for (part, end) in parts.iter().zip(&ends) {
        shifts.push(sums.n_bytes as i64 - MAGIC.len() as i64);
        if part.path.path() == end.path() {
            copy_row_groups(part, &mut out).map_err(failed(format!(
                "{} to {}",
                part.path.display(),
                output.display()
            )))?;
        }
        sums = sums.followed_by(part.row_groups);
    }

    let in_output = |e: ParquetError| Error::Failed(format!("{}: {e}", output.display()));
    let waiting = temporary_beside(output).map_err(failed("a temporary file"))?;
    let mut footer = Footer::new(&table.arrow_schema(), &schema, sums.n_bytes, waiting).map_err(in_output)?;
    let mut out = Summing::behind(sums, out);
    let mut ordinal = 0;
    for ((TablePart { path, row_groups }, end), shift) in parts.iter().zip(&ends).zip(shifts) {
        let footer_of_part =
            TableEnd::read(end, path.path() == end.path(), row_groups.n_bytes).map_err(failed(end.display()))?;
        let metadata = footer_of_part.metadata(end, row_groups.n_bytes, &schema)?;
        for (group, groups_metadata) in metadata.row_groups().iter().enumerate() {
            let moved = moved(&metadata, group, groups_metadata, ordinal, shift).map_err(failed(path.display()))?;
            footer.add(moved, &mut out).map_err(in_output)?;
            ordinal += 1;
        }
    }
    footer.finish(&mut out).map_err(in_output)?;
    let checksum = out.checksum();
    out.into_inner().finish().map_err(failed(output.display()))?;
    Ok(checksum)
}

/// Where the end of the file at `path` is kept while the file grows.
fn kept_end(path: &Place) -> Place {
    path.with_extension("footer")
}

/// Makes the first segment's file the output, ready to append after its row groups. Before it is renamed, what
/// follows them is saved next to its old place, unless an earlier attempt did that.
fn grow(first: &TablePart, output: &Place, schema: &SchemaDescPtr, is_durable: bool) -> Result<Writer> {
    let n_bytes = first.row_groups.n_bytes;
    if is_there(&first.path)? || !is_there(output)? {
        let kept = kept_end(&first.path);
        // The file may already be truncated if the computer crashed before the rename was on disk.
        let known = TableEnd::read(&kept, false, n_bytes).map_err(failed(kept.display()));
        if known.and_then(|end| end.metadata(&kept, n_bytes, schema)).is_err() {
            let end = TableEnd::read(&first.path, true, n_bytes).map_err(failed(first.path.display()))?;
            end.metadata(&first.path, n_bytes, schema)?;
            kept.write(&end.bytes).map_err(failed(kept.display()))?;
        }
        if is_durable {
            sync(&kept)?;
            sync_parent(&kept)?;
        }
        move_to(&first.path, output)?;
        if is_durable {
            sync_parent(output)?;
            output.parent().map_or(Ok(()), |directory| sync_parent(&directory))?;
            sync_parent(&first.path)?;
        }
    }
    Writer::behind(output, data_end(n_bytes)).map_err(failed(output.display()))
}

/// The end of a segment's row groups.
fn data_end(n_bytes: u64) -> u64 {
    MAGIC.len() as u64 + n_bytes
}

/// An unnamed temporary file on the output's disk, or on a local one if the output is an object.
fn temporary_beside(output: &Place) -> std::io::Result<File> {
    match output.parent() {
        Some(directory) if !output.is_remote() => directory.create_unnamed(),
        _ => tempfile::tempfile(),
    }
}

fn copy_row_groups(part: &TablePart, out: &mut Writer) -> std::io::Result<()> {
    let (start, n_bytes) = (MAGIC.len() as u64, part.row_groups.n_bytes);
    match Reader::open(&part.path)?.stream(start, start + n_bytes)?.copy_to(out)? {
        n if n == n_bytes => Ok(()),
        _ => Err(std::io::Error::other("it ends before its data")),
    }
}

/// The end of a file, after its row groups, for a Parquet reader that reads nothing before it.
struct TableEnd {
    start: u64,
    bytes: Bytes,
}

impl TableEnd {
    /// Reads it for a file with this many bytes of row groups, from the file itself, or if not `whole` from a file
    /// that only has the end.
    fn read(path: &Place, is_whole: bool, n_bytes: u64) -> std::io::Result<Self> {
        let start = data_end(n_bytes);
        let file = Reader::open(path)?;
        let offset = if is_whole { start } else { 0 };
        let n = file.bytes()?.checked_sub(offset).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let mut bytes = vec![0; usize::try_from(n).map_err(|_| std::io::ErrorKind::FileTooLarge)?];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(Self { start, bytes: bytes.into() })
    }

    /// The metadata in it, if it describes this many bytes of row groups with these columns; `path` is for messages.
    fn metadata(&self, path: &Place, n_bytes: u64, schema: &SchemaDescPtr) -> Result<ParquetMetaData> {
        let metadata = read_metadata(self).map_err(failed(path.display()))?;
        if metadata.file_metadata().schema_descr().columns() != schema.columns() {
            return Err(Error::Failed(format!("{}: its columns are not those of the plan", path.display())));
        }
        if data_bytes(&metadata) != Some(n_bytes) {
            return Err(Error::Failed(format!("{}: its footer does not describe its data", path.display())));
        }
        Ok(metadata)
    }
}

impl Length for TableEnd {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for TableEnd {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let n = usize::try_from(self.len().saturating_sub(start)).unwrap_or(usize::MAX);
        self.get_bytes(start, n).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let first = start.checked_sub(self.start).and_then(|first| usize::try_from(first).ok());
        let range = first.and_then(|first| Some(first..first.checked_add(length)?));
        let range = range.filter(|range| range.end <= self.bytes.len());
        range.map(|range| self.bytes.slice(range)).ok_or_else(|| ParquetError::EOF("it has another footer".to_owned()))
    }
}

/// Reads all metadata, so that it can be written again without loss.
fn read_metadata(file: &TableEnd) -> Result<ParquetMetaData, ParquetError> {
    let options = ParquetMetaDataOptions::new()
        .with_encoding_stats_as_mask(false)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::KeepAll);
    ParquetMetaDataReader::new()
        .with_metadata_options(Some(options))
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(file)
}

/// Length of the row groups, if they fill the file without gaps after the magic number.
fn data_bytes(metadata: &ParquetMetaData) -> Option<u64> {
    let chunks = || metadata.row_groups().iter().flat_map(|group| group.columns());
    let start = |chunk: &ColumnChunkMetaData| chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = chunks().map(|chunk| start(chunk).saturating_add(chunk.compressed_size())).max();
    let first = MAGIC.len() as i64;
    let n_bytes = chunks().map(ColumnChunkMetaData::compressed_size).fold(0, i64::saturating_add);
    (end.unwrap_or(first) == first.saturating_add(n_bytes)).then(|| n_bytes.try_into().ok())?
}

/// A row group with all offsets moved by `shift` bytes.
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

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
use crate::store::{Place, Reader, Writer};
use crate::table::columns::HeaderTable;
use crate::table::ensembles::{self, EnsembleColumn, GatherStarts};

/// Bytes that are copied at a time.
const STEP_BYTES: u64 = 32 << 20;

/// The file of one segment.
pub struct TablePart {
    /// Where it is.
    pub path: Place,
    /// Its row groups, which fill it without gaps after the magic number.
    pub row_groups: ByteSums,
}

/// The files of consecutive segments on their way into one.
///
/// The row groups are unchanged; only the offsets in the footer change. Where there are gathers, the column of their numbers comes
/// after all row groups. The result does not depend on the number of parts. Memory: the footer of one segment.
pub struct Joining<'a> {
    output: Place,
    table: &'a HeaderTable,
    out: Writer,
    sums: ByteSums,
    /// Each with how many bytes its row groups were moved.
    parts: Vec<(TablePart, i64)>,
}

impl<'a> Joining<'a> {
    /// A new table at `output`.
    pub fn create(output: &Place, table: &'a HeaderTable) -> Result<Self> {
        let mut out = Writer::create(output).map_err(failed(output.display()))?;
        out.write_all(MAGIC).map_err(failed(output.display()))?;
        let mut sums = ByteSums::default();
        sums.push(MAGIC);
        Ok(Self { output: output.to_owned(), table, out, sums, parts: Vec::new() })
    }

    /// Copies the row groups of the next part. `go_on` is asked now and then.
    pub fn push(&mut self, part: TablePart, go_on: &dyn Fn() -> Result<()>) -> Result<()> {
        let shift = self.sums.n_bytes as i64 - MAGIC.len() as i64;
        let end = MAGIC.len() as u64 + part.row_groups.n_bytes;
        let mut start = MAGIC.len() as u64;
        while start < end {
            go_on()?;
            let step_end = end.min(start + STEP_BYTES);
            copy(&part.path, start, step_end, &mut self.out).map_err(failed(format!(
                "{} to {}",
                part.path.display(),
                self.output.display()
            )))?;
            start = step_end;
        }
        self.sums = self.sums.followed_by(part.row_groups);
        self.parts.push((part, shift));
        Ok(())
    }

    /// Writes the numbers of the gathers, if there are any, and the footer. Returns the checksum of the file.
    pub fn finish(self, gather_starts: Option<GatherStarts>) -> Result<Checksum> {
        let Self { output, table, out, sums, parts } = self;
        let schema = table.parquet_schema()?;
        let (joined_arrow, joined) = match gather_starts {
            Some(_) => ensembles::schemas(table)?,
            None => (table.arrow_schema(), schema.clone()),
        };
        let ensembles = gather_starts.map(|starts| EnsembleColumn::new(&joined, table.page_rows(), starts));
        let mut ensembles = ensembles.transpose()?;
        let waiting = temporary_beside(&output).map_err(failed("a temporary file"))?;
        let mut footer =
            Footer::new(&joined_arrow, &joined, sums.n_bytes, waiting).map_err(failed(output.display()))?;
        let mut out = Summing::after(sums, out);
        let mut ordinal = 0;
        for (part, shift) in &parts {
            let metadata = TableEnd::read(part).and_then(|end| end.metadata(part, &schema))?;
            for (group, groups_metadata) in metadata.row_groups().iter().enumerate() {
                let mut moved =
                    moved(&metadata, group, groups_metadata, ordinal, *shift).map_err(failed(part.path.display()))?;
                if let Some(ensembles) = &mut ensembles {
                    let chunk = ensembles.row_group(groups_metadata.num_rows() as u64, footer.position())?;
                    for page in &chunk.bytes {
                        out.write_all(page).map_err(failed(output.display()))?;
                        footer.skip(page.len() as u64);
                    }
                    moved =
                        moved.with(ensembles::ENSEMBLE_ID_PLACE, chunk, &joined).map_err(failed(output.display()))?;
                }
                footer.add(moved, &mut out).map_err(failed(output.display()))?;
                ordinal += 1;
            }
        }
        footer.finish(&mut out).map_err(failed(output.display()))?;
        let checksum = out.checksum();
        out.into_inner().finish().map_err(failed(output.display()))?;
        Ok(checksum)
    }
}

/// An unnamed temporary file on the output's disk, or on a local one if the output is an object.
fn temporary_beside(output: &Place) -> std::io::Result<File> {
    match output.parent() {
        Some(directory) if !output.is_remote() => directory.create_unnamed(),
        _ => tempfile::tempfile(),
    }
}

/// Appends the bytes from `start` to `end` of a file.
fn copy(path: &Place, start: u64, end: u64, out: &mut Writer) -> std::io::Result<()> {
    match Reader::open(path)?.stream(start, end)?.copy_to(out)? {
        n if n == end - start => Ok(()),
        _ => Err(std::io::Error::other("it ends before its data")),
    }
}

/// The end of a file, after its row groups, for a Parquet reader that reads nothing before it.
struct TableEnd {
    start: u64,
    bytes: Bytes,
}

impl TableEnd {
    fn read(part: &TablePart) -> Result<Self> {
        let start = MAGIC.len() as u64 + part.row_groups.n_bytes;
        let read = || {
            let file = Reader::open(&part.path)?;
            let n = file.bytes()?.checked_sub(start).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            let mut bytes = vec![0; usize::try_from(n).map_err(|_| std::io::ErrorKind::FileTooLarge)?];
            file.read_exact_at(&mut bytes, start)?;
            Ok(Self { start, bytes: bytes.into() })
        };
        read().map_err(failed::<std::io::Error>(part.path.display()))
    }

    /// The metadata in it, if it describes the part's row groups with these columns.
    fn metadata(&self, part: &TablePart, schema: &SchemaDescPtr) -> Result<ParquetMetaData> {
        let metadata = read_metadata(self).map_err(failed(part.path.display()))?;
        if metadata.file_metadata().schema_descr().columns() != schema.columns() {
            return Err(Error::Failed(format!("{}: its columns are not those of the plan", part.path.display())));
        }
        if data_bytes(&metadata) != Some(part.row_groups.n_bytes) {
            return Err(Error::Failed(format!("{}: its footer does not describe its data", part.path.display())));
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

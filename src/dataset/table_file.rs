//! The Parquet tables of a dataset. Other programs may have written them, so their numbers are checked before use.

use std::ops::Range;

use arrow::datatypes::DataType;
use parquet::basic::Type;
use parquet::file::metadata::RowGroupMetaData;

use crate::base::error::{Result, failed};
use crate::dataset::{damaged, unreadable_table};
use crate::dataset_files::header_part;
use crate::parquet::{Column, GroupRows, PageSource, TableBatches, TableFooter, UNDECODABLE};
use crate::store::{Place, TableReader};

/// A page of this program has 1 MiB at most, or one row; those of others that write its tables again are not much longer.
const MOST_PAGE_BYTES: u64 = 64 << 20;
/// Bytes of the longest column that are decoded at a time, and rows.
const BATCH_BYTES: usize = 1 << 20;
const MOST_BATCH_ROWS: usize = 4096;

/// A table: a file, or a directory of parts, with the footer of the first read. Every reader has a file of its own, so threads can
/// share it.
#[derive(Clone)]
pub(crate) struct TableFile {
    pub path: Place,
    first: OneFile,
    n_rows: u64,
    /// Rows in each part but the last.
    part_rows: Option<u64>,
}

impl TableFile {
    /// A table in one file that has `n_rows`, with values of up to `value_bytes`.
    ///
    /// # Errors
    /// `Error::Failed` for one that is damaged.
    pub(crate) fn open(path: Place, n_rows: u64, value_bytes: usize) -> Result<Self> {
        Self::open_parts(path, n_rows, None, value_bytes)
    }

    /// As [`Self::open`]; with `part_rows` the path is a directory, and each file in it has so many rows.
    pub(crate) fn open_parts(path: Place, n_rows: u64, part_rows: Option<u64>, value_bytes: usize) -> Result<Self> {
        let first = match part_rows {
            None => OneFile::open(path.clone(), n_rows, value_bytes)?,
            Some(rows) => OneFile::open(path.join(header_part(0)), n_rows.min(rows), value_bytes)?,
        };
        Ok(Self { path, first, n_rows, part_rows })
    }

    /// Whether it has a column of this name.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.type_of(column).is_some()
    }

    /// The type of a column; `None` if there is none of this name.
    pub(crate) fn type_of(&self, column: &str) -> Option<&DataType> {
        self.first.footer.schema.column_with_name(column).map(|(_, field)| field.data_type())
    }

    /// The names of its columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.first.footer.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Some of its rows.
    pub(crate) fn rows(&self, rows: &Range<u64>, columns: &[&str]) -> Result<TableRows> {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        let mut rows = TableRows { table: self.clone(), rows: rows.clone(), columns, part: None };
        rows.open_next()?;
        Ok(rows)
    }

    /// The rows of those row groups that may have what is wanted, of a table in one file.
    pub(crate) fn rows_of_groups(
        &self,
        columns: &[&str],
        may_have: impl Fn(&RowGroupMetaData) -> bool,
    ) -> Result<TableBatches> {
        let OneFile { footer, .. } = &self.first;
        let mut groups = footer.groups_of(&(0..footer.n_rows()));
        groups.retain(|(i, _)| may_have(footer.metadata.row_group(*i)));
        self.first.batches(columns, groups)
    }

    fn part(&self, number: u64) -> Result<OneFile> {
        match self.part_rows {
            Some(rows) if number > 0 => {
                let n_rows = rows.min(self.n_rows.saturating_sub(number * rows));
                let part = OneFile::open(self.path.join(header_part(number)), n_rows, self.first.value_bytes)?;
                match part.footer.schema == self.first.footer.schema {
                    true => Ok(part),
                    false => Err(damaged(&part.path, "its columns are not those of the first part")),
                }
            }
            _ => Ok(self.first.clone()),
        }
    }
}

/// Some rows of a table, batch after batch: one column for each name. Memory: the footer of a part, a page of each
/// column, and a batch.
pub(crate) struct TableRows {
    table: TableFile,
    /// Those that no part has been opened for.
    rows: Range<u64>,
    columns: Vec<String>,
    part: Option<(Place, TableBatches)>,
}

impl TableRows {
    /// Opens the part with the next rows; nothing if there are none.
    fn open_next(&mut self) -> Result<()> {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let part_rows = self.table.part_rows.unwrap_or(u64::MAX);
        let number = self.rows.start / part_rows;
        let first = number * part_rows;
        let end = self.rows.end.min(first.saturating_add(part_rows));
        let part = self.table.part(number)?;
        self.part = Some((part.path.clone(), part.rows(&(self.rows.start - first..end - first), &columns)?));
        self.rows.start = end;
        Ok(())
    }
}

impl Iterator for TableRows {
    type Item = Result<Vec<Column>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (path, reader) = self.part.as_mut()?;
            if let Some(batch) = reader.next() {
                return Some(batch.map_err(|e| unreadable_table(path, e)));
            }
            self.part = None;
            if self.rows.start < self.rows.end
                && let Err(error) = self.open_next()
            {
                return Some(Err(error));
            }
        }
    }
}

/// A file of a table with its footer read.
#[derive(Clone)]
struct OneFile {
    path: Place,
    footer: TableFooter,
    /// The longest value that a column may have.
    value_bytes: usize,
}

impl OneFile {
    fn open(path: Place, n_rows: u64, value_bytes: usize) -> Result<Self> {
        let file = TableReader::open(&path).map_err(failed(path.display()))?;
        let footer = TableFooter::read(&file).map_err(|e| unreadable_table(&path, e))?;
        if footer.n_rows() != n_rows {
            return Err(damaged(&path, format!("it does not have {n_rows} rows")));
        }
        Ok(Self { path, footer, value_bytes })
    }

    /// Some of its rows.
    fn rows(&self, rows: &Range<u64>, columns: &[&str]) -> Result<TableBatches> {
        self.batches(columns, self.footer.groups_of(rows))
    }

    fn batches(&self, columns: &[&str], groups: Vec<GroupRows>) -> Result<TableBatches> {
        for column in self.footer.parquet_schema().columns() {
            let Some(name) = column.path().parts().first().filter(|name| columns.contains(&name.as_str())) else {
                continue;
            };
            let is_short = match column.physical_type() {
                Type::BYTE_ARRAY => false,
                Type::FIXED_LEN_BYTE_ARRAY => {
                    usize::try_from(column.type_length()).is_ok_and(|n| n <= self.value_bytes)
                }
                _ => true,
            };
            if !is_short || column.max_rep_level() > 0 {
                return Err(damaged(&self.path, format!("its column {name} has values of another length")));
            }
        }
        let file = TableReader::open(&self.path).map_err(failed(self.path.display()))?;
        let most_bytes = MOST_PAGE_BYTES.max(2 * self.value_bytes as u64);
        let batch_rows = (BATCH_BYTES / self.value_bytes.max(1)).clamp(1, MOST_BATCH_ROWS);
        let source = PageSource { file, most_bytes, undecodable: unreadable_table(&self.path, UNDECODABLE) };
        Ok(self.footer.batches(source, columns, groups, batch_rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, Int64Array};
    use arrow::record_batch::RecordBatch;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;
    use std::sync::Arc;

    /// A table of one column `x` in row groups of 100 rows; `change` is at its bytes then.
    fn table(column: ArrayRef, change: impl Fn(&mut Vec<u8>)) -> (tempfile::TempDir, Place) {
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(100))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        let mut bytes = writer.into_inner().unwrap();
        change(&mut bytes);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.parquet");
        std::fs::write(&path, bytes).unwrap();
        (directory, Place::of(&path).unwrap())
    }

    fn read(place: &Place, rows: Range<u64>, value_bytes: usize) -> Result<Vec<i64>> {
        let table = TableFile::open(place.clone(), 250, value_bytes)?;
        let mut values = Vec::new();
        for batch in table.rows(&rows, &["x"])? {
            values.extend(batch?.remove(0).integers::<i64>().unwrap());
        }
        Ok(values)
    }

    #[test]
    fn any_rows_are_found_in_row_groups_of_any_length() {
        let (_directory, place) = table(Arc::new(Int64Array::from_iter_values(0..250)), |_| {});
        for (start, end) in [(0, 250), (0, 1), (99, 100), (99, 101), (100, 200), (150, 250), (249, 250), (7, 7)] {
            let expected: Vec<i64> = (start..end).collect();
            assert_eq!(read(&place, start as u64..end as u64, 8).unwrap(), expected, "{start}:{end}");
        }
        assert!(TableFile::open(place, 251, 8).is_err_and(|e| e.to_string().contains("does not have 251 rows")));
    }

    #[test]
    fn a_page_that_claims_gigabytes_is_refused() {
        // After the magic bytes: the type of the page, 0, and its unpacked size, of two bytes.
        let (_directory, place) = table(Arc::new(Int64Array::from_iter_values(0..250)), |bytes| {
            assert_eq!((bytes[4..7].to_vec(), bytes[9]), (vec![0x15, 0, 0x15], 0x15));
            bytes.splice(7..9, [0xFE, 0xFF, 0xFF, 0xFF, 0x0F]);
        });
        // The footer lies three bytes further back than it says of the pages.
        let error = read(&place, 0..100, 8).unwrap_err().to_string();
        assert!(error.contains("unpacks to 2147483647 bytes"), "{error}");
    }

    #[test]
    fn values_of_any_length_are_not_read() {
        let long = vec![0; 1000];
        let columns: [ArrayRef; 2] = [
            Arc::new(BinaryArray::from_iter_values((0..250).map(|_| &long))),
            Arc::new(FixedSizeBinaryArray::try_from_iter((0..250).map(|_| &long)).unwrap()),
        ];
        for column in columns {
            let (_directory, place) = table(column, |_| {});
            let error = read(&place, 0..250, 240).unwrap_err().to_string();
            assert!(error.contains("column x has values of another length"), "{error}");
        }
    }
}

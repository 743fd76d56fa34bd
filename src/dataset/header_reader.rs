//! Reading the original headers, from the columns `additional_headers` and `raw_header`.

use std::ops::Range;
use std::vec;

use parquet::data_type::FixedLenByteArray;

use crate::base::error::{Error, Result};
use crate::dataset::table_file::{TableFile, TableRows};
use crate::dataset::{Dataset, damaged};
use crate::parquet::Column;
use crate::store::Place;
use crate::table::{ADDITIONAL_HEADERS, N_SAMPLES, RAW_HEADER};

/// The header table of a dataset, with the footer read.
pub(crate) struct HeaderTableFile {
    table: TableFile,
    header_bytes: usize,
}

impl HeaderTableFile {
    /// # Errors
    /// `Error::Usage` for a dataset imported without raw headers, `Error::Damaged` for a damaged one.
    pub(crate) fn open(dataset: &Dataset) -> Result<Self> {
        let table = dataset.header_table()?;
        if !table.has(RAW_HEADER) {
            return Err(Error::Usage(format!(
                "{}: was imported with --no-raw-header, so it does not have the bytes of its trace headers; import it without this option",
                dataset.root.display()
            )));
        }
        Ok(Self { table, header_bytes: dataset.header_bytes })
    }

    /// The headers of these traces, read in order. Every call opens its own file, so threads can share the table.
    pub(crate) fn rows(&self, traces: &Range<u64>) -> Result<HeaderRows> {
        let reader = self.table.rows(traces, &[RAW_HEADER, ADDITIONAL_HEADERS])?;
        let path = self.table.path.clone();
        Ok(HeaderRows { path, reader, batch: Vec::new(), n_left: 0, header_bytes: self.header_bytes })
    }

    /// The number of samples in the file for each of these traces.
    pub(crate) fn sample_counts(&self, traces: &Range<u64>) -> Result<Vec<u32>> {
        let (mut counts, path) = (Vec::new(), &self.table.path);
        for batch in self.table.rows(traces, &[N_SAMPLES])? {
            let column = batch?.pop().and_then(Column::integers::<u32>);
            counts.extend(column.ok_or_else(|| damaged(path, format!("it has no column {N_SAMPLES}")))?);
        }
        if counts.len() as u64 == traces.end - traces.start {
            Ok(counts)
        } else {
            Err(damaged(path, "it has fewer rows than traces"))
        }
    }
}

/// Headers in trace order. Memory: a page of each column, and a batch.
pub(crate) struct HeaderRows {
    path: Place,
    reader: TableRows,
    /// The columns of a batch, from the next row on.
    batch: Vec<vec::IntoIter<Option<FixedLenByteArray>>>,
    n_left: usize,
    header_bytes: usize,
}

impl HeaderRows {
    /// Replaces `out` with the headers of the next `n` traces, one after another.
    pub(crate) fn next_rows(&mut self, n: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        for _ in 0..n {
            self.next_row(out)?;
        }
        Ok(())
    }

    fn next_row(&mut self, out: &mut Vec<u8>) -> Result<()> {
        while self.n_left == 0 {
            let next = self.reader.next().ok_or_else(|| damaged(&self.path, "it has fewer rows than traces"))??;
            self.n_left = next.first().map_or(0, Column::n_rows);
            let bytes_of = |column| if let Column::Bytes(values) = column { values } else { Vec::new() };
            self.batch = next.into_iter().map(|column| bytes_of(column).into_iter()).collect();
        }
        self.n_left -= 1;
        let end = out.len() + self.header_bytes;
        for bytes in self.batch.iter_mut().filter_map(|column| column.next().flatten()) {
            out.extend_from_slice(bytes.data());
        }
        if out.len() == end {
            Ok(())
        } else {
            Err(damaged(&self.path, format!("its headers do not have {} bytes", self.header_bytes)))
        }
    }
}

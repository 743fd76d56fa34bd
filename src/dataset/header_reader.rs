//! Reading the original headers, from the columns `additional_headers` and `raw_header`.

use std::ops::Range;

use arrow::array::{Array, FixedSizeBinaryArray, Int32Array};
use arrow::record_batch::RecordBatch;

use crate::base::error::{Error, Result};
use crate::dataset::table_file::{TableFile, TableRows};
use crate::dataset::{Dataset, damaged};
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
        let reader = self.table.rows(traces, &[ADDITIONAL_HEADERS, RAW_HEADER])?;
        let path = self.table.path.clone();
        Ok(HeaderRows { path, reader, batch: None, at: 0, header_bytes: self.header_bytes })
    }

    /// The number of samples in the file for each of these traces.
    pub(crate) fn sample_counts(&self, traces: &Range<u64>) -> Result<Vec<u32>> {
        let (mut counts, path) = (Vec::new(), &self.table.path);
        for batch in self.table.rows(traces, &[N_SAMPLES])? {
            let batch = batch?;
            let column = batch.column_by_name(N_SAMPLES).and_then(|c| c.as_any().downcast_ref::<Int32Array>());
            let column = column.ok_or_else(|| damaged(path, format!("it has no column {N_SAMPLES}")))?;
            counts.extend(column.values().iter().map(|&n| n.cast_unsigned()));
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
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    at: usize,
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
        while self.batch.as_ref().is_none_or(|b| self.at == b.num_rows()) {
            let next = self.reader.next().ok_or_else(|| damaged(&self.path, "it has fewer rows than traces"))?;
            (self.batch, self.at) = (Some(next?), 0);
        }
        let Some(batch) = &self.batch else { return Ok(()) };
        let end = out.len() + self.header_bytes;
        for name in [RAW_HEADER, ADDITIONAL_HEADERS] {
            let column = batch.column_by_name(name).and_then(|c| c.as_any().downcast_ref::<FixedSizeBinaryArray>());
            if let Some(column) = column.filter(|c| !c.is_null(self.at)) {
                out.extend_from_slice(column.value(self.at));
            }
        }
        self.at += 1;
        if out.len() == end {
            Ok(())
        } else {
            Err(damaged(&self.path, format!("its headers do not have {} bytes", self.header_bytes)))
        }
    }
}

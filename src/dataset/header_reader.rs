//! Reading the original headers, from the columns `additional_headers` and `raw_header`.

use std::ops::Range;

use arrow::array::{Array, FixedSizeBinaryArray, Int32Array};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::base::error::{Error, Result, failed};
use crate::dataset::{Dataset, damaged};
use crate::store::{Place, Reader};
use crate::table::{ADDITIONAL_HEADERS, N_SAMPLES, RAW_HEADER};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1024;

/// The header table of a dataset, with the footer read.
pub struct HeaderTableFile {
    path: Place,
    metadata: ArrowReaderMetadata,
    row_group_rows: u64,
    header_bytes: usize,
}

impl HeaderTableFile {
    /// # Errors
    /// `Error::Usage` for a dataset imported without raw headers, `Error::Damaged` for a damaged one.
    pub fn open(dataset: &Dataset) -> Result<Self> {
        let path = dataset.headers();
        let file = Reader::open(&path).map_err(failed(path.display()))?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| damaged(&path, e))?;
        if metadata.schema().column_with_name(RAW_HEADER).is_none() {
            return Err(Error::Usage(format!(
                "{}: was imported with --no-raw-header, so it does not have the bytes of its trace headers; import it without this option",
                dataset.root.display()
            )));
        }
        if metadata.metadata().file_metadata().num_rows() as u64 != dataset.array.n_traces {
            return Err(damaged(&path, format!("it does not have the {} rows of the traces", dataset.array.n_traces)));
        }
        Ok(Self { path, metadata, row_group_rows: dataset.row_group_rows, header_bytes: dataset.header_bytes })
    }

    /// The headers of these traces, read in order. Every call opens its own file, so threads can share the table.
    pub fn rows(&self, traces: &Range<u64>) -> Result<HeaderRows> {
        let reader = self.reader(traces, &[ADDITIONAL_HEADERS, RAW_HEADER])?;
        Ok(HeaderRows { path: self.path.clone(), reader, batch: None, at: 0, header_bytes: self.header_bytes })
    }

    /// The number of samples in the file for each of these traces.
    pub fn sample_counts(&self, traces: &Range<u64>) -> Result<Vec<u32>> {
        let mut counts = Vec::with_capacity((traces.end - traces.start) as usize);
        for batch in self.reader(traces, &[N_SAMPLES])? {
            let batch = batch.map_err(|e| damaged(&self.path, e))?;
            let column = batch.column_by_name(N_SAMPLES).and_then(|c| c.as_any().downcast_ref::<Int32Array>());
            let column = column.ok_or_else(|| damaged(&self.path, format!("it has no column {N_SAMPLES}")))?;
            counts.extend(column.values().iter().map(|&n| n.cast_unsigned()));
        }
        if counts.len() as u64 == traces.end - traces.start {
            Ok(counts)
        } else {
            Err(damaged(&self.path, "it has fewer rows than traces"))
        }
    }

    fn reader(&self, traces: &Range<u64>, columns: &[&str]) -> Result<ParquetRecordBatchReader> {
        let file = Reader::open(&self.path).map_err(failed(self.path.display()))?;
        let groups = traces.start / self.row_group_rows..traces.end.div_ceil(self.row_group_rows);
        let skipped = traces.start - groups.start * self.row_group_rows;
        let mask = ProjectionMask::columns(self.metadata.parquet_schema(), columns.iter().copied());
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_projection(mask)
            .with_row_groups(groups.map(|g| g as usize).collect())
            .with_offset(skipped as usize)
            .with_limit((traces.end - traces.start) as usize)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| damaged(&self.path, e))
    }
}

/// Headers in trace order. Memory: a page of each column, and a batch.
pub struct HeaderRows {
    path: Place,
    reader: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    at: usize,
    header_bytes: usize,
}

impl HeaderRows {
    /// Replaces `out` with the headers of the next `n` traces, one after another.
    pub fn next_rows(&mut self, n: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        for _ in 0..n {
            self.next_row(out)?;
        }
        Ok(())
    }

    fn next_row(&mut self, out: &mut Vec<u8>) -> Result<()> {
        while self.batch.as_ref().is_none_or(|b| self.at == b.num_rows()) {
            let next = self.reader.next().ok_or_else(|| damaged(&self.path, "it has fewer rows than traces"))?;
            (self.batch, self.at) = (Some(next.map_err(|e| damaged(&self.path, e))?), 0);
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

//! Reading the exceptions of a range of traces.

use std::ops::Range;

use arrow::array::{Int32Array, Int64Array, UInt32Array};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::base::error::{Error, Result, failed};
use crate::dataset::{Dataset, damaged};
use crate::dataset_files::EXCEPTIONS;
use crate::exceptions::{COLUMNS, Exception};
use crate::store::{Place, Reader};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 4096;

/// The exceptions of a dataset, with the footer read; `None` inside if there are none.
pub struct ExceptionTable {
    path: Place,
    metadata: Option<ArrowReaderMetadata>,
}

impl ExceptionTable {
    pub fn open(dataset: &Dataset) -> Result<Self> {
        let path = dataset.path(EXCEPTIONS);
        if dataset.n_exceptions == 0 {
            return Ok(Self { path, metadata: None });
        }
        let file = Reader::open(&path).map_err(failed(path.display()))?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| damaged(&path, e))?;
        if metadata.metadata().file_metadata().num_rows() as u64 != dataset.n_exceptions {
            return Err(damaged(&path, format!("it does not have {} rows", dataset.n_exceptions)));
        }
        Ok(Self { path, metadata: Some(metadata) })
    }

    /// The exceptions of these traces, in chunk order.
    pub fn rows(&self, traces: &Range<u64>) -> Result<ExceptionRows> {
        let reader = self.metadata.as_ref().map(|metadata| {
            let file = Reader::open(&self.path).map_err(failed(self.path.display()))?;
            let groups = metadata.metadata().row_groups().iter().enumerate();
            let groups = groups.filter(|(_, group)| may_hold(group, traces)).map(|(i, _)| i).collect();
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
                .with_row_groups(groups)
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(|e| damaged(&self.path, e))
        });
        let reader = reader.transpose()?;
        Ok(ExceptionRows {
            path: self.path.clone(),
            reader,
            traces: traces.clone(),
            batch: Vec::new().into_iter(),
            next: None,
        })
    }
}

/// Whether, by its statistics, a row group may contain any of these traces.
fn may_hold(group: &RowGroupMetaData, traces: &Range<u64>) -> bool {
    match group.column(0).statistics() {
        Some(Statistics::Int64(s)) => {
            let ends = |bound: Option<&i64>| bound.and_then(|&b| u64::try_from(b).ok());
            ends(s.max_opt()).is_none_or(|max| max >= traces.start)
                && ends(s.min_opt()).is_none_or(|min| min < traces.end)
        }
        _ => true,
    }
}

/// Exceptions in the order in which chunks are processed.
pub struct ExceptionRows {
    path: Place,
    reader: Option<ParquetRecordBatchReader>,
    traces: Range<u64>,
    batch: std::vec::IntoIter<Exception>,
    /// Read but not yet returned.
    next: Option<Exception>,
}

impl ExceptionRows {
    /// The next exception, if it is in these traces and samples.
    pub fn next_in(&mut self, traces: &Range<u64>, samples: &Range<u64>) -> Result<Option<Exception>> {
        if self.next.is_none() {
            self.next = self.advance()?;
        }
        Ok(self.next.take_if(|e| traces.contains(&e.trace) && samples.contains(&u64::from(e.sample))))
    }

    /// Checks that none is left: one that was passed over is misplaced.
    pub fn finish(&mut self) -> Result<()> {
        let next = self.next.take();
        match next.map_or_else(|| self.advance(), |e| Ok(Some(e)))? {
            None => Ok(()),
            Some(e) => Err(self.misplaced(&e)),
        }
    }

    /// The error for an exception out of order, or for a sample that does not exist.
    pub fn misplaced(&self, e: &Exception) -> Error {
        let (trace, sample) = (e.trace + 1, u64::from(e.sample) + 1);
        damaged(&self.path, format!("trace {trace}, sample {sample}: is not where it belongs"))
    }

    /// Reads the next row for the requested traces.
    fn advance(&mut self) -> Result<Option<Exception>> {
        loop {
            if let Some(exception) = self.batch.find(|e| self.traces.contains(&e.trace)) {
                return Ok(Some(exception));
            }
            match self.reader.as_mut().and_then(Iterator::next) {
                None => return Ok(None),
                Some(batch) => {
                    let batch = batch.map_err(|e| damaged(&self.path, e))?;
                    let rows = rows_of(&batch)
                        .ok_or_else(|| damaged(&self.path, "its columns are not those of exceptions"))?;
                    self.batch = rows.into_iter();
                }
            }
        }
    }
}

fn rows_of(batch: &RecordBatch) -> Option<Vec<Exception>> {
    let [trace, sample, word] = COLUMNS.map(|name| batch.column_by_name(name));
    let trace = trace?.as_any().downcast_ref::<Int64Array>()?.values().iter();
    let sample = sample?.as_any().downcast_ref::<Int32Array>()?.values().iter();
    let word = word?.as_any().downcast_ref::<UInt32Array>()?.values().iter();
    let rows = trace.zip(sample).zip(word);
    Some(
        rows.map(|((&trace, &sample), &word)| Exception { trace: trace as u64, sample: sample as u32, word }).collect(),
    )
}

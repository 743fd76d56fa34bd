//! Reading the exceptions of a range of traces.

use std::ops::Range;

use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::base::error::{Error, Result};
use crate::dataset::table_file::TableFile;
use crate::dataset::{Dataset, damaged, unreadable_table};
use crate::dataset_files::EXCEPTIONS;
use crate::exceptions::{COLUMNS, Exception};
use crate::parquet::{Column, TableBatches};
use crate::store::Place;

/// Bytes of the longest of its numbers.
const VALUE_BYTES: usize = 8;

/// The exceptions of a dataset, with the footer read; `None` inside if there are none.
pub(crate) struct ExceptionTable {
    path: Place,
    table: Option<TableFile>,
}

impl ExceptionTable {
    pub(crate) fn open(dataset: &Dataset) -> Result<Self> {
        let (path, n) = (dataset.path(EXCEPTIONS), dataset.n_exceptions);
        let table = (n > 0).then(|| TableFile::open(path.clone(), n, VALUE_BYTES)).transpose()?;
        Ok(Self { path, table })
    }

    /// The exceptions of these traces, in chunk order.
    pub(crate) fn rows(&self, traces: &Range<u64>) -> Result<ExceptionRows> {
        let reader = self.table.as_ref().map(|table| table.rows_of_groups(&COLUMNS, |group| may_hold(group, traces)));
        Ok(ExceptionRows {
            path: self.path.clone(),
            reader: reader.transpose()?,
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
pub(crate) struct ExceptionRows {
    path: Place,
    reader: Option<TableBatches>,
    traces: Range<u64>,
    batch: std::vec::IntoIter<Exception>,
    /// Read but not yet returned.
    next: Option<Exception>,
}

impl ExceptionRows {
    /// The next exception, if it is in these traces and samples.
    pub(crate) fn next_in(&mut self, traces: &Range<u64>, samples: &Range<u64>) -> Result<Option<Exception>> {
        if self.next.is_none() {
            self.next = self.advance()?;
        }
        Ok(self.next.take_if(|e| traces.contains(&e.trace) && samples.contains(&u64::from(e.sample))))
    }

    /// Passes over those before a sample of a trace.
    pub(crate) fn pass_to(&mut self, trace: u64, sample: u64) -> Result<()> {
        loop {
            let next = match self.next.take() {
                Some(next) => Some(next),
                None => self.advance()?,
            };
            let is_before = |e: &Exception| (e.trace, u64::from(e.sample)) < (trace, sample);
            if next.as_ref().is_some_and(is_before) {
                continue;
            }
            self.next = next;
            return Ok(());
        }
    }

    /// Passes over those in these samples of a trace.
    pub(crate) fn pass_over(&mut self, trace: u64, samples: &Range<u64>) -> Result<()> {
        while self.next_in(&(trace..trace + 1), samples)?.is_some() {}
        Ok(())
    }

    /// Checks that none is left: one that was passed over is misplaced.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let next = self.next.take();
        match next.map_or_else(|| self.advance(), |e| Ok(Some(e)))? {
            None => Ok(()),
            Some(e) => Err(self.misplaced(&e)),
        }
    }

    /// The error for an exception out of order, or for a sample that does not exist.
    pub(crate) fn misplaced(&self, e: &Exception) -> Error {
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
                    let batch = batch.map_err(|e| unreadable_table(&self.path, e))?;
                    let rows =
                        rows_of(batch).ok_or_else(|| damaged(&self.path, "its columns are not those of exceptions"))?;
                    self.batch = rows.into_iter();
                }
            }
        }
    }
}

fn rows_of(batch: Vec<Column>) -> Option<Vec<Exception>> {
    let [trace, sample, word] = batch.try_into().ok()?;
    let rows = trace.integers()?.into_iter().zip(sample.integers()?).zip(word.integers()?);
    Some(rows.map(|((trace, sample), word)| Exception { trace, sample, word }).collect())
}

//! `exceptions.parquet`: one row per exception.

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::exceptions::SegmentReader;
use crate::parquet::{NumberTable, NumberType};
use crate::store::Place;

/// Its columns: trace and sample, from 0, and the sample's bytes in the file as a number, read in the file's byte
/// order.
pub(crate) const COLUMNS: [&str; 3] = ["trace_index", "sample_index", "raw_word"];
const TYPES: [NumberType; COLUMNS.len()] = [NumberType::Int64, NumberType::Int32, NumberType::UInt32];

const PAGE_ROWS: usize = 1 << 14;
/// Rows per row group: by their statistics, a reader finds the row groups of a trace.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// Writes the exceptions of all segments, in order. `segments` has each one's file and number of exceptions.
pub(crate) fn write_table(output: &Place, segments: &[(Place, u64)], cancel: &CancelHandle) -> Result<()> {
    let columns: Vec<_> = COLUMNS.into_iter().zip(TYPES).collect();
    let mut table = NumberTable::create(output, &columns, ROW_GROUP_ROWS)?;
    let no_rows = || vec![Vec::new(); COLUMNS.len()];
    let mut page = no_rows();
    for (path, n) in segments {
        let mut exceptions = SegmentReader::open(path, *n)?;
        while let Some(found) = exceptions.next_exception()? {
            let row = [found.trace as i64, found.sample.into(), found.word.into()];
            page.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
            if page[0].len() == PAGE_ROWS {
                cancel.check()?;
                table.push(std::mem::replace(&mut page, no_rows()))?;
            }
        }
    }
    table.push(page)?;
    table.finish()
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int32Type, Int64Type, UInt32Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::exceptions::{Exception, SegmentExceptions};

    #[test]
    fn the_arrow_library_reads_what_was_written_and_finds_the_row_groups_of_a_trace() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| Place::of(&directory.path().join(name)).unwrap();
        let n = ROW_GROUP_ROWS as u64 + 50_000;
        let exception = |i: u64| Exception { trace: i / 7, sample: (i % 7) as u32, word: (i as u32).rotate_right(3) };
        // The second segment goes on in the middle of a page.
        let segments = [0..100_000, 100_000..n].map(|range| {
            let path = place(&range.start.to_string());
            let mut segment = SegmentExceptions::new(&path, None);
            range.for_each(|i| segment.push(exception(i)).unwrap());
            (path, segment.finish().unwrap())
        });
        write_table(&place("table"), &segments, &CancelHandle::new()).unwrap();

        let file = std::fs::File::open(directory.path().join("table")).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let groups: Vec<i64> = builder.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        assert_eq!(groups, [ROW_GROUP_ROWS as i64, 50_000]);
        let first = builder.metadata().row_group(1).column(0).statistics().and_then(|s| s.min_bytes_opt()).unwrap();
        assert_eq!(first, (ROW_GROUP_ROWS as i64 / 7).to_le_bytes());
        let mut found = 0;
        for batch in builder.build().unwrap() {
            let batch = batch.unwrap();
            let schema = batch.schema();
            assert!(
                schema.fields().iter().zip(COLUMNS).all(|(field, name)| field.name() == name && !field.is_nullable())
            );
            let (traces, samples) =
                (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int32Type>());
            let words = batch.column(2).as_primitive::<UInt32Type>();
            for row in 0..batch.num_rows() {
                let Exception { trace, sample, word } = exception(found);
                assert_eq!(
                    (traces.value(row), samples.value(row), words.value(row)),
                    (trace as i64, sample as i32, word)
                );
                found += 1;
            }
        }
        assert_eq!(found, n);
    }
}

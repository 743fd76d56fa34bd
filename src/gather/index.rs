//! `ensemble_index.parquet`: one row per gather, made from the runs found in the segments.

use crate::base::error::{Error, Result, failed};
use crate::gather::GatherKey;
use crate::gather::runs::RunReader;
use crate::parquet::{Column, NumberTable, NumberType, PageSource, TableFooter, UNDECODABLE};
use crate::segy::fields::FieldKind;
use crate::store::{Place, TableReader};
use crate::table::GatherStarts;

/// Gathers per row group of the index.
const ROW_GROUP_ROWS: usize = 1 << 17;
/// Name of the column with the first trace of each gather.
const START_TRACE: &str = "start_trace";
/// Gathers per page.
const PAGE_ROWS: usize = 1 << 14;

/// Number and size of the gathers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatherCounts {
    pub n_gathers: u64,
    /// Traces in the longest gather.
    pub longest: u64,
    /// Gathers longer than the probe can look back.
    pub n_beyond_probe: u64,
}

/// Joins the runs of all segments, in order, and writes the index. Each segment gives its runs file and the number of
/// runs. A gather cut by a segment boundary becomes one row. No gather continues across `file_starts`, the first
/// traces of the files.
///
/// # Errors
/// `Error::Failed` for a file with the wrong number of runs, or with runs out of order.
pub(crate) fn write_index(
    output: &Place,
    keys: &[GatherKey],
    segments: &[(Place, u64)],
    file_starts: &[u64],
    n_traces: u64,
    max_probe: u64,
) -> Result<GatherCounts> {
    let writer = IndexWriter::create(output, keys, max_probe, PAGE_ROWS, ROW_GROUP_ROWS)?;
    join(writer, keys, segments, file_starts, n_traces)
}

/// The first traces of all gathers, as the index at `path` has them.
pub(crate) fn gather_starts(path: &Place) -> Result<GatherStarts> {
    let file = TableReader::open(path).map_err(failed(path.display()))?;
    let footer = TableFooter::read(&file).map_err(failed(path.display()))?;
    let groups = footer.groups_of(&(0..footer.n_rows()));
    let name = path.display().to_string();
    let undecodable = Error::Failed(format!("{name}: {UNDECODABLE}"));
    let source = PageSource { file, most_bytes: u64::MAX, undecodable };
    let batches = footer.batches(source, &[START_TRACE], groups, PAGE_ROWS);
    Ok(Box::new(batches.flat_map(move |batch| {
        let starts = batch.map_err(failed(&name)).and_then(|mut batch| {
            let starts = batch.pop().and_then(Column::integers);
            starts.ok_or_else(|| Error::Failed(format!("{name}: its first traces are no int64")))
        });
        match starts {
            Ok(starts) => starts.into_iter().map(Ok).collect(),
            Err(e) => vec![Err(e)],
        }
    })))
}

fn join(
    mut writer: IndexWriter,
    keys: &[GatherKey],
    segments: &[(Place, u64)],
    file_starts: &[u64],
    n_traces: u64,
) -> Result<GatherCounts> {
    let (width, mut last_start) = (1 + keys.len(), -1);
    for (path, n_runs) in segments {
        let mut runs = RunReader::open(path, keys.len())?;
        let (mut is_first, mut n_found) = (true, 0);
        let damaged = |what: &str| Error::Failed(format!("{}: is damaged: {what}", path.display()));
        loop {
            let mut some = runs.next_runs()?;
            let Some((first, others)) = some.split_at_checked(width) else { break };
            n_found += (some.len() / width) as u64;
            for run in some.chunks_exact(width) {
                if run[0] <= last_start || run[0] as u64 >= n_traces {
                    return Err(damaged("its runs are not in order"));
                }
                last_start = run[0];
            }
            // Within a segment every run is a new gather.
            let start = first[0] as u64;
            if std::mem::take(&mut is_first)
                && writer.goes_on(&first[1..])
                && file_starts.binary_search(&start).is_err()
            {
                some = others;
            }
            writer.push(some)?;
        }
        if n_found != *n_runs {
            return Err(damaged(&format!("it has {n_found} runs and not {n_runs}")));
        }
    }
    writer.finish(n_traces)
}

struct IndexWriter {
    table: NumberTable,
    counts: GatherCounts,
    max_probe: u64,
    /// Start traces, and a column for each key, of the gathers on this page and the next gather, whose start is the
    /// end of the last one.
    starts: Vec<i64>,
    keys: Vec<Vec<i64>>,
    page_rows: usize,
}

impl IndexWriter {
    fn create(
        path: &Place,
        keys: &[GatherKey],
        max_probe: u64,
        page_rows: usize,
        row_group_rows: usize,
    ) -> Result<Self> {
        let key_column = |k: &'_ GatherKey| match k.kind {
            _ if k.is_computed() => NumberType::Float64,
            FieldKind::I8 => NumberType::Int8,
            FieldKind::U8 => NumberType::UInt8,
            FieldKind::I16 => NumberType::Int16,
            FieldKind::U16 => NumberType::UInt16,
            FieldKind::I32 => NumberType::Int32,
            FieldKind::U32 => NumberType::UInt32,
            FieldKind::U64 => NumberType::UInt64,
            _ => NumberType::Int64,
        };
        let columns: Vec<(&str, NumberType)> = std::iter::once(("ensemble_id", NumberType::Int64))
            .chain(keys.iter().map(|k| (k.name.as_str(), key_column(k))))
            .chain([START_TRACE, "end_trace", "n_traces"].map(|name| (name, NumberType::Int64)))
            .collect();
        let table = NumberTable::create(path, &columns, row_group_rows)?;
        let keys = vec![Vec::new(); keys.len()];
        Ok(Self { table, counts: GatherCounts::default(), max_probe, starts: Vec::new(), keys, page_rows })
    }

    /// Whether the last gather so far has these keys.
    fn goes_on(&self, key: &[i64]) -> bool {
        !self.starts.is_empty() && self.keys.iter().map(|column| column.last()).eq(key.iter().map(Some))
    }

    /// Appends gathers, each as its first trace followed by its keys.
    fn push(&mut self, mut runs: &[i64]) -> Result<()> {
        let width = 1 + self.keys.len();
        while !runs.is_empty() {
            // A page is written once the gather after it is known.
            let room = (self.page_rows + 1 - self.starts.len()) * width;
            let (some, rest) = runs.split_at(room.min(runs.len()));
            for (i, column) in std::iter::once(&mut self.starts).chain(&mut self.keys).enumerate() {
                column.extend(some.chunks_exact(width).map(|run| run[i]));
            }
            if self.starts.len() > self.page_rows {
                self.end_page()?;
            }
            runs = rest;
        }
        Ok(())
    }

    /// Writes all gathers but the last, whose end is still unknown.
    fn end_page(&mut self) -> Result<()> {
        let Some(&next) = self.starts.last() else { return Ok(()) };
        let mut starts = std::mem::replace(&mut self.starts, Vec::with_capacity(self.page_rows + 1));
        let ends: Vec<i64> = starts[1..].to_vec();
        starts.pop();
        let n_rows = starts.len();
        let lengths: Vec<i64> = ends.iter().zip(&starts).map(|(end, start)| end - start).collect();
        let first_id = self.counts.n_gathers as i64;
        self.counts.n_gathers += n_rows as u64;
        self.counts.longest = lengths.iter().fold(self.counts.longest, |longest, &n| longest.max(n as u64));
        self.counts.n_beyond_probe += lengths.iter().filter(|&&n| n as u64 > self.max_probe).count() as u64;
        let mut columns = vec![(first_id..).take(n_rows).collect()];
        for column in &mut self.keys {
            let rest = column.split_off(n_rows);
            columns.push(std::mem::replace(column, rest));
        }
        columns.extend([starts, ends, lengths]);
        self.table.push(columns)?;
        self.starts.push(next);
        Ok(())
    }

    fn finish(mut self, n_traces: u64) -> Result<GatherCounts> {
        if !self.starts.is_empty() {
            self.starts.push(n_traces as i64);
        }
        self.end_page()?;
        self.table.finish()?;
        Ok(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use arrow::array::{Int64Array, UInt64Array};

    use super::*;
    use crate::gather::runs::RunWriter;
    use crate::segy::ByteOrder;
    use crate::segy::fields::FieldKind;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    /// The index for these keys, with the headers cut into segments at `cuts`.
    fn index_of(keys: &[i32], cuts: &[usize], file_starts: &[u64]) -> (Vec<[i64; 5]>, GatherCounts) {
        index_in_pages(keys, cuts, file_starts, 16, 64)
    }

    fn index_in_pages(
        keys: &[i32],
        cuts: &[usize],
        file_starts: &[u64],
        page_rows: usize,
        row_group_rows: usize,
    ) -> (Vec<[i64; 5]>, GatherCounts) {
        let directory = tempfile::tempdir().unwrap();
        let key = GatherKey { name: "cdp".into(), first_byte: 21, kind: FieldKind::I32, formula: None };
        let bounds: Vec<usize> = [&[0], cuts, &[keys.len()]].concat();
        let mut paths = Vec::new();
        for (segment, pair) in bounds.windows(2).enumerate() {
            let path = directory.path().join(segment.to_string());
            let mut runs =
                RunWriter::create(&Place::of(&path).unwrap(), std::slice::from_ref(&key), ByteOrder::Big).unwrap();
            let mut block = vec![0; 240 * (pair[1] - pair[0])];
            for (header, key) in block.chunks_mut(240).zip(&keys[pair[0]..]) {
                header[20..24].copy_from_slice(&key.to_be_bytes());
            }
            runs.push(pair[0] as u64, &block, 240, pair[1] - pair[0]).unwrap();
            paths.push((Place::of(&path).unwrap(), runs.finish().unwrap()));
        }
        let output = directory.path().join("index.parquet");
        let table_keys = [key];
        let writer =
            IndexWriter::create(&Place::of(&output).unwrap(), &table_keys, 3, page_rows, row_group_rows).unwrap();
        let counts = join(writer, &table_keys, &paths, file_starts, keys.len() as u64).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(output).unwrap()).unwrap().build().unwrap();
        let mut rows = Vec::new();
        for batch in reader {
            let batch = batch.unwrap();
            let column = |c: usize| {
                let wide = arrow::compute::cast(batch.column(c), &arrow::datatypes::DataType::Int64).unwrap();
                wide.as_any().downcast_ref::<Int64Array>().unwrap().clone()
            };
            rows.extend((0..batch.num_rows()).map(|r| std::array::from_fn(|c| column(c).value(r))));
        }
        (rows, counts)
    }

    #[test]
    fn an_unsigned_key_beyond_int64_stays_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let (runs, index) = (directory.path().join("runs"), directory.path().join("index.parquet"));
        let keys = [GatherKey { name: "station".into(), first_byte: 1, kind: FieldKind::U64, formula: None }];
        let mut writer = RunWriter::create(&Place::of(&runs).unwrap(), &keys, ByteOrder::Big).unwrap();
        let block: Vec<u8> = [u64::MAX, 1 << 63, 7].iter().flat_map(|key| key.to_be_bytes()).collect();
        writer.push(0, &block, 8, 3).unwrap();
        let n_runs = writer.finish().unwrap();
        let write = |n_runs, n_traces| {
            write_index(&Place::of(&index).unwrap(), &keys, &[(Place::of(&runs).unwrap(), n_runs)], &[0], n_traces, 10)
        };
        assert!(write(n_runs + 1, 3).unwrap_err().to_string().ends_with("is damaged: it has 3 runs and not 4"));
        assert!(write(n_runs, 2).unwrap_err().to_string().ends_with("is damaged: its runs are not in order"));
        let twice = [&runs, &runs].map(|runs| (Place::of(runs).unwrap(), n_runs));
        let error = write_index(&Place::of(&index).unwrap(), &keys, &twice, &[0], 3, 10).unwrap_err().to_string();
        assert!(error.ends_with("is damaged: its runs are not in order"), "{error}");
        write(n_runs, 3).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(index).unwrap()).unwrap();
        let batch = builder.build().unwrap().next().unwrap().unwrap();
        let stored = batch.column_by_name("station").unwrap().as_any().downcast_ref::<UInt64Array>().unwrap();
        assert_eq!(stored.values().as_ref(), [u64::MAX, 1 << 63, 7]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(60))]
        #[test]
        fn the_gathers_are_those_of_a_plain_loop_however_pages_and_segments_are_cut(
            keys in proptest::collection::vec(0i32..3, 1..60),
            mut cuts in proptest::collection::vec(0usize..60, 0..5),
            page_rows in 1usize..9,
            pages in 1usize..4,
        ) {
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(keys.len()));
            cuts.sort_unstable();
            let mut expected: Vec<[i64; 5]> = Vec::new();
            for (i, key) in keys.iter().enumerate() {
                match expected.last_mut() {
                    Some(last) if last[1] == i64::from(*key) => (last[3], last[4]) = (last[3] + 1, last[4] + 1),
                    _ => expected.push([expected.len() as i64, i64::from(*key), i as i64, i as i64 + 1, 1]),
                }
            }
            let (found, counts) = index_in_pages(&keys, &cuts, &[0], page_rows, pages * page_rows);
            proptest::prop_assert_eq!(counts.n_gathers, expected.len() as u64);
            proptest::prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_gather_cut_by_segments_becomes_one_row_again() {
        let keys = [7, 7, 7, 7, 7, -1, -1, 7];
        let whole = index_of(&keys, &[], &[0]);
        assert_eq!(whole.0, [[0, 7, 0, 5, 5], [1, -1, 5, 7, 2], [2, 7, 7, 8, 1]]);
        assert_eq!(whole.1, GatherCounts { n_gathers: 3, longest: 5, n_beyond_probe: 1 });
        assert_eq!(index_of(&keys, &[2, 3, 6], &[0]), whole);
        assert_eq!(index_of(&keys, &[5, 5], &[0]), whole);
        // Unless a file begins there.
        assert_eq!(index_of(&keys, &[2, 3, 6], &[0, 3]).0[..2], [[0, 7, 0, 3, 3], [1, 7, 3, 5, 2]]);
    }
}

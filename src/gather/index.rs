//! `ensemble_index.parquet`: one row per gather, made from the runs that the segments found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::GatherKey;
use super::runs::{Run, RunReader};
use crate::error::{Result, failed};
use crate::segy::fields::FieldKind;
use crate::store::Writer;

/// Gathers in one row group of the index.
const ROW_GROUP_ROWS: usize = 1 << 17;
/// Gathers that are encoded at a time.
const BATCH_ROWS: usize = 1 << 14;

/// Number and greatest length of the gathers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatherCounts {
    pub n_gathers: u64,
    /// Traces in the longest gather.
    pub longest: u64,
    /// Gathers of more traces than the probe may go back.
    pub n_beyond_probe: u64,
}

/// Joins the runs of all segments, in order, and writes the index. A gather that the end of one segment's rows cuts
/// goes on in the next and becomes one row. No gather goes on at `file_starts`, the first traces of the files.
pub fn write_index(
    output: &Path,
    keys: &[GatherKey],
    segments: &[PathBuf],
    file_starts: &[u64],
    n_traces: u64,
    max_probe: u64,
) -> Result<GatherCounts> {
    let mut writer = IndexWriter::create(output, keys, max_probe)?;
    let (mut open, mut is_open) = (Run::default(), false);
    for path in segments {
        let mut runs = RunReader::open(path, keys.len())?;
        while let Some(run) = runs.next_run()? {
            if is_open && open.key == run.key && file_starts.binary_search(&run.start_trace).is_err() {
                continue;
            }
            if is_open {
                writer.push(&open, run.start_trace)?;
            }
            open.clone_from(run);
            is_open = true;
        }
    }
    if is_open {
        writer.push(&open, n_traces)?;
    }
    writer.finish()
}

struct IndexWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<Writer>,
    counts: GatherCounts,
    max_probe: u64,
    /// ensemble_id, one column per key, start_trace, end_trace, n_traces.
    columns: Vec<Vec<i64>>,
}

impl IndexWriter {
    fn create(path: &Path, keys: &[GatherKey], max_probe: u64) -> Result<Self> {
        let key_field = |k: &GatherKey| match k.kind {
            _ if k.is_computed() => Field::new(&k.name, DataType::Float64, true),
            FieldKind::U64 => Field::new(&k.name, DataType::UInt64, false),
            // All other keys fit int64.
            _ => Field::new(&k.name, DataType::Int64, false),
        };
        let number = |name: &str| Field::new(name, DataType::Int64, false);
        let fields: Vec<Field> = std::iter::once(number("ensemble_id"))
            .chain(keys.iter().map(key_field))
            .chain(["start_trace", "end_trace", "n_traces"].map(number))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_created_by("segy-import".into())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        let doubles = keys.iter().filter(|k| k.is_computed());
        let properties = doubles
            .fold(properties, |p, k| p.set_column_encoding(k.name.as_str().into(), Encoding::BYTE_STREAM_SPLIT))
            .build();
        let file = Writer::create(path).map_err(failed(path.display()))?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(failed(path.display()))?;
        let columns = vec![Vec::with_capacity(BATCH_ROWS); schema.fields().len()];
        Ok(Self { path: path.to_owned(), schema, writer, counts: GatherCounts::default(), max_probe, columns })
    }

    fn push(&mut self, run: &Run, end_trace: u64) -> Result<()> {
        let length = end_trace - run.start_trace;
        let mut columns = self.columns.iter_mut();
        let mut put = |value| columns.next().into_iter().for_each(|column| column.push(value));
        put(self.counts.n_gathers as i64);
        run.key.iter().for_each(|&value| put(value));
        [run.start_trace, end_trace, length].into_iter().for_each(|n| put(n as i64));
        self.counts.n_gathers += 1;
        self.counts.longest = self.counts.longest.max(length);
        self.counts.n_beyond_probe += u64::from(length > self.max_probe);
        if self.columns[0].len() == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let arrays = self.columns.iter_mut().zip(self.schema.fields()).map(|(column, field)| {
            let values = std::mem::replace(column, Vec::with_capacity(BATCH_ROWS));
            // All are kept as the bits of an int64 on the way here.
            match field.data_type() {
                DataType::Float64 => {
                    let doubles =
                        values.into_iter().map(|bits| Some(f64::from_bits(bits as u64)).filter(|v| !v.is_nan()));
                    Arc::new(doubles.collect::<Float64Array>()) as ArrayRef
                }
                DataType::UInt64 => Arc::new(values.into_iter().map(|v| v as u64).collect::<UInt64Array>()),
                _ => Arc::new(Int64Array::from(values)),
            }
        });
        let batch = RecordBatch::try_new(self.schema.clone(), arrays.collect()).map_err(failed(self.path.display()))?;
        self.writer.write(&batch).map_err(failed(self.path.display()))
    }

    fn finish(mut self) -> Result<GatherCounts> {
        self.flush()?;
        let file = self.writer.into_inner().map_err(failed(self.path.display()))?;
        file.finish().map_err(failed(self.path.display()))?;
        Ok(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::runs::RunWriter;
    use super::*;
    use crate::segy::ByteOrder;
    use crate::segy::fields::FieldKind;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    /// The index of these keys, their headers cut into segments at `cuts`.
    fn index_of(keys: &[i32], cuts: &[usize], file_starts: &[u64]) -> (Vec<[i64; 5]>, GatherCounts) {
        let directory = tempfile::tempdir().unwrap();
        let key = GatherKey { name: "cdp".into(), first_byte: 21, kind: FieldKind::I32, formula: None };
        let bounds: Vec<usize> = [&[0], cuts, &[keys.len()]].concat();
        let mut paths = Vec::new();
        for (segment, pair) in bounds.windows(2).enumerate() {
            let path = directory.path().join(segment.to_string());
            let mut runs = RunWriter::create(&path, std::slice::from_ref(&key), ByteOrder::Big).unwrap();
            let mut block = vec![0; 240 * (pair[1] - pair[0])];
            for (header, key) in block.chunks_mut(240).zip(&keys[pair[0]..]) {
                header[20..24].copy_from_slice(&key.to_be_bytes());
            }
            runs.push(pair[0] as u64, &block, 240, pair[1] - pair[0]).unwrap();
            runs.finish().unwrap();
            paths.push(path);
        }
        let output = directory.path().join("index.parquet");
        let counts = write_index(&output, &[key], &paths, file_starts, keys.len() as u64, 3).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(output).unwrap()).unwrap().build().unwrap();
        let mut rows = Vec::new();
        for batch in reader {
            let batch = batch.unwrap();
            let column = |c: usize| batch.column(c).as_any().downcast_ref::<Int64Array>().unwrap().clone();
            rows.extend((0..batch.num_rows()).map(|r| std::array::from_fn(|c| column(c).value(r))));
        }
        (rows, counts)
    }

    #[test]
    fn an_unsigned_key_beyond_int64_stays_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let (runs, index) = (directory.path().join("runs"), directory.path().join("index.parquet"));
        let keys = [GatherKey { name: "station".into(), first_byte: 1, kind: FieldKind::U64, formula: None }];
        let mut writer = RunWriter::create(&runs, &keys, ByteOrder::Big).unwrap();
        let block: Vec<u8> = [u64::MAX, 1 << 63, 7].iter().flat_map(|key| key.to_be_bytes()).collect();
        writer.push(0, &block, 8, 3).unwrap();
        writer.finish().unwrap();
        write_index(&index, &keys, &[runs], &[0], 3, 10).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(index).unwrap()).unwrap();
        let batch = builder.build().unwrap().next().unwrap().unwrap();
        let stored = batch.column_by_name("station").unwrap().as_any().downcast_ref::<UInt64Array>().unwrap();
        assert_eq!(stored.values().as_ref(), [u64::MAX, 1 << 63, 7]);
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

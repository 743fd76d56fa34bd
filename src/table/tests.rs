//! Whole files: written, joined and read back with the readers of the `parquet` crate.

mod files;
mod values;

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{ColumnOrder, Compression, Encoding};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use proptest::prelude::*;

use crate::base::error::Result;
use crate::segy::fields::FieldKind::{self, F32, F64, I8, I16, I32, I64, Ibm32, Text, U8, U16, U32, U64};
use crate::segy::samples::format::ByteOrder;
use crate::store::Place;
use crate::store::checksum::{ByteSums, Checksum};
use crate::table::columns::ROW_GROUP_ROWS;
use crate::table::summary::FieldRange;
use crate::table::*;

fn column(name: &str, first_byte: u32, kind: FieldKind, scalar: Option<u32>) -> Column {
    Column { name: name.to_owned(), first_byte, kind, scalar, given_scalar: None }
}

fn table(columns: Vec<Column>, row_group_rows: u64) -> HeaderTable {
    HeaderTable {
        columns,
        header_bytes: 240,
        byte_order: ByteOrder::Big,
        row_group_rows,
        in_parts: false,
        raw_header: true,
        sample_flags: true,
        pairwise_swapped: false,
        file_index: false,
        n_samples: false,
        trace_in_file: false,
        grid_keys: Vec::new(),
        computed: Vec::new(),
        recording_time: None,
        degrees: Vec::new(),
        info: Vec::new(),
    }
}

/// Writes the headers, pushed in blocks of `block` traces, as the segment from `first_trace`.
fn write(path: &Path, table: &HeaderTable, first_trace: u64, headers: &[u8], block: usize) -> HeaderSummary {
    let width = table.header_bytes as usize;
    let mut writer = SegmentWriter::create(&Place::of(path).unwrap(), table, first_trace).unwrap();
    for block in headers.chunks(block * width) {
        writer.push(block, width, block.len() / width, &vec![0; block.len() / width]).unwrap();
    }
    writer.finish().unwrap()
}

fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn write_and_read(table: &HeaderTable, headers: &[u8]) -> RecordBatch {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headers.parquet");
    write(&path, table, 0, headers, 1000);
    let batch = read(&path);
    assert_eq!(batch.schema(), table.arrow_schema());
    batch
}

fn metadata(path: &Path) -> ParquetMetaData {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(&File::open(path).unwrap()).unwrap()
}

/// Puts a big-endian number into the header.
fn put(header: &mut [u8], first_byte: usize, big_endian: &[u8]) {
    header[first_byte - 1..][..big_endian.len()].copy_from_slice(big_endian);
}

/// Headers with a counter in bytes 1-4, a constant in 5-6, a value that changes at trace `step` in 9-12, a random
/// number in 13-16, a coordinate in 73-76 and its scalar, −100, in 71-72.
fn survey(n_traces: usize, step: usize) -> Vec<u8> {
    let mut headers = vec![0; n_traces * 240];
    for (i, header) in headers.chunks_mut(240).enumerate() {
        put(header, 1, &(i as i32 + 1).to_be_bytes());
        put(header, 5, &77i16.to_be_bytes());
        put(header, 9, &(if i < step { -3i32 } else { 1_000_000 }).to_be_bytes());
        put(header, 13, &(i as u32).wrapping_mul(2_654_435_761).rotate_left(7).to_be_bytes());
        put(header, 71, &(-100i16).to_be_bytes());
        put(header, 73, &(50_000_000 + 1250 * i as i32).to_be_bytes());
    }
    headers
}

fn survey_columns() -> Vec<Column> {
    vec![
        column("counter", 1, I32, None),
        column("constant", 5, I16, None),
        column("step", 9, I32, None),
        column("random", 13, I32, None),
        column("scalar", 71, I16, None),
        column("x", 73, I32, Some(71)),
    ]
}

/// Compares every row with what `read_integer` finds in the header.
fn assert_survey_is_right(batch: &RecordBatch, table: &HeaderTable, headers: &[u8]) {
    assert_eq!(batch.num_rows() * 240, headers.len());
    let index = batch["trace_index"].as_primitive::<Int64Type>();
    let x = batch["x_scaled"].as_primitive::<Float64Type>();
    for (i, header) in headers.chunks(240).enumerate() {
        assert_eq!(index.value(i), i as i64);
        assert_eq!(batch["raw_header"].as_fixed_size_binary().value(i), header);
        for c in &table.columns {
            let stored = match c.kind {
                I16 => i64::from(batch[c.name.as_str()].as_primitive::<Int16Type>().value(i)),
                _ => i64::from(batch[c.name.as_str()].as_primitive::<Int32Type>().value(i)),
            };
            let want = read_integer(header, c.first_byte, c.kind, table.byte_order);
            assert_eq!(stored, want, "{} of trace {i}", c.name);
        }
        assert_eq!(x.value(i), f64::from(50_000_000 + 1250 * i as i32) / 100.0);
    }
}

fn joining<'a>(parts: &[TablePart], output: &Place, table: &'a HeaderTable) -> Result<Joining<'a>> {
    let mut joining = Joining::create(output, table)?;
    for part in parts {
        joining.push(TablePart { path: part.path.clone(), row_groups: part.row_groups }, &|| Ok(()))?;
    }
    Ok(joining)
}

/// Joins parts of a table without gathers.
fn join(parts: &[TablePart], output: &Place, table: &HeaderTable) -> Result<Checksum> {
    joining(parts, output, table)?.finish(None)
}

/// Writes the survey in parts that begin at these row groups, joins them, and returns the bytes.
fn joined(dir: &Path, table: &HeaderTable, headers: &[u8], begins: &[u64], block: usize) -> Vec<u8> {
    joined_with(dir, table, headers, begins, block, None)
}

/// As [`joined`], with gathers that begin at these traces.
fn joined_with(
    dir: &Path,
    table: &HeaderTable,
    headers: &[u8],
    begins: &[u64],
    block: usize,
    starts: Option<Vec<u64>>,
) -> Vec<u8> {
    let starts = starts.map(|starts| -> GatherStarts { Box::new(starts.into_iter().map(Ok)) });
    let n_traces = headers.len() as u64 / 240;
    let ends = begins[1..].iter().map(|group| group * table.row_group_rows).chain([n_traces]);
    let parts: Vec<TablePart> = (begins.iter().zip(ends).enumerate())
        .map(|(i, (group, end))| {
            let (path, first) = (dir.join(format!("part{i}.parquet")), group * table.row_group_rows);
            let summary = write(&path, table, first, &headers[first as usize * 240..end as usize * 240], block);
            TablePart { path: Place::of(&path).unwrap(), row_groups: summary.row_groups }
        })
        .collect();
    let output = dir.join("joined.parquet");
    joining(&parts, &Place::of(&output).unwrap(), table).unwrap().finish(starts).unwrap();
    std::fs::read(&output).unwrap()
}

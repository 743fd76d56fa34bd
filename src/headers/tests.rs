//! Whole files: written, joined and read back with the readers of the `parquet` crate.

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

use super::*;
use crate::checksum::ByteSums;
use crate::segy::fields::FieldKind::{self, F32, F64, I8, I16, I32, I64, Ibm32, Text, U8, U16, U32, U64};
use crate::segy::format::ByteOrder;

fn column(name: &str, first_byte: u32, kind: FieldKind, scalar: Option<u32>) -> Column {
    Column { name: name.to_owned(), first_byte, kind, scalar }
}

fn table(columns: Vec<Column>, row_group_rows: u64) -> HeaderTable {
    HeaderTable {
        columns,
        header_bytes: 240,
        byte_order: ByteOrder::Big,
        row_group_rows,
        raw_header: true,
        sample_flags: true,
        pairwise_swapped: false,
        file_index: false,
        n_samples: false,
        computed: Vec::new(),
    }
}

/// Writes the headers, pushed in blocks of `block` traces, as the segment from `first_trace`.
fn write(path: &Path, table: &HeaderTable, first_trace: u64, headers: &[u8], block: usize) -> HeaderSummary {
    let width = table.header_bytes as usize;
    let mut writer = SegmentWriter::create(path, table, first_trace).unwrap();
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

/// Headers with a counter in bytes 1-4, a constant in 5-6, something else from trace `step` on in 9-12, a random
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

/// Headers that hold each list of values, one list per column, in the byte order of the table.
macro_rules! extremes {
    ($headers:expr, $order:expr, $byte:expr, $values:expr) => {
        for (header, value) in $headers.chunks_mut(240).zip($values) {
            match $order {
                ByteOrder::Big => put(header, $byte, &value.to_be_bytes()),
                ByteOrder::Little => put(header, $byte, &value.to_le_bytes()),
            }
        }
    };
}

#[test]
fn every_kind_of_field_comes_back_with_its_extremes_in_both_byte_orders() {
    let kinds = [I8, U8, I16, U16, I32, U32, I64, U64, F32, F64, Ibm32, Text(8)];
    let columns = kinds.iter().enumerate().map(|(i, &kind)| column(&format!("c{i}"), 1 + 8 * i as u32, kind, None));
    let mut table = table(columns.collect(), 1000);
    for order in [ByteOrder::Big, ByteOrder::Little] {
        table.byte_order = order;
        let mut headers = vec![0; 5 * 240];
        let i8s = [i8::MIN, i8::MAX, 0, -1, 1];
        let u8s = [u8::MIN, u8::MAX, 0, 128, 1];
        let i16s = [i16::MIN, i16::MAX, 0, -1, 1];
        let u16s = [u16::MIN, u16::MAX, 0, 40_000, 1];
        let i32s = [i32::MIN, i32::MAX, 0, -1, i32::MIN];
        let u32s = [u32::MIN, u32::MAX, 0, 1 << 31, 1];
        let i64s = [i64::MIN, i64::MAX, 0, -1, i64::MIN];
        let u64s = [u64::MIN, u64::MAX, 0, 1 << 63, 1];
        let f32s = [f32::MIN, f32::MAX, -0.0, f32::NAN, f32::INFINITY];
        let f64s = [f64::MIN, f64::MAX, -0.0, f64::NAN, f64::NEG_INFINITY];
        let ibm = [0x4264_0000u32, 0xC110_0000, 0x7FFF_FFFF, 0, 0x4000_0001];
        extremes!(headers, order, 1, i8s);
        extremes!(headers, order, 9, u8s);
        extremes!(headers, order, 17, i16s);
        extremes!(headers, order, 25, u16s);
        extremes!(headers, order, 33, i32s);
        extremes!(headers, order, 41, u32s);
        extremes!(headers, order, 49, i64s);
        extremes!(headers, order, 57, u64s);
        extremes!(headers, order, 65, f32s);
        extremes!(headers, order, 73, f64s);
        extremes!(headers, order, 81, ibm);
        let texts: [&[u8; 8]; 5] =
            [b"SEG00000", b"SEG00001", b"        ", b"\xE2\xC5\xC7\xF0\xF0\xF0\xF0\xF0", b"A       "];
        headers.chunks_mut(240).zip(texts).for_each(|(header, text)| put(header, 89, text));

        let batch = write_and_read(&table, &headers);
        assert_eq!(batch["c0"].as_primitive::<Int8Type>().values(), &i8s);
        assert_eq!(batch["c1"].as_primitive::<UInt8Type>().values(), &u8s);
        assert_eq!(batch["c2"].as_primitive::<Int16Type>().values(), &i16s);
        assert_eq!(batch["c3"].as_primitive::<UInt16Type>().values(), &u16s);
        assert_eq!(batch["c4"].as_primitive::<Int32Type>().values(), &i32s);
        assert_eq!(batch["c5"].as_primitive::<UInt32Type>().values(), &u32s);
        assert_eq!(batch["c6"].as_primitive::<Int64Type>().values(), &i64s);
        assert_eq!(batch["c7"].as_primitive::<UInt64Type>().values(), &u64s);
        let f32_bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let f64_bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(f32_bits(batch["c8"].as_primitive::<Float32Type>().values()), f32_bits(&f32s));
        assert_eq!(f64_bits(batch["c9"].as_primitive::<Float64Type>().values()), f64_bits(&f64s));
        let largest_ibm = (1.0 - 2f64.powi(-24)) * 16f64.powi(63);
        let ibm_values = [100.0, -1.0, largest_ibm, 0.0, 2f64.powi(-24)];
        assert_eq!(batch["c10"].as_primitive::<Float64Type>().values(), &ibm_values);
        let texts: Vec<&str> = batch["c11"].as_string::<i32>().iter().flatten().collect();
        assert_eq!(texts, ["SEG00000", "SEG00001", "", "SEG00000", "A"]);
        assert_eq!(batch["c7"].null_count(), 0);
    }
}

#[test]
fn read_integer_reads_every_integer_kind() {
    let header = [0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF9, 0xF8];
    let read = |kind, order| read_integer(&header, 1, kind, order);
    assert_eq!(read(I8, ByteOrder::Big), -1);
    assert_eq!(read(U8, ByteOrder::Big), 255);
    assert_eq!(read(I16, ByteOrder::Big), -2);
    assert_eq!(read(U16, ByteOrder::Little), 0xFEFF);
    assert_eq!(read(I32, ByteOrder::Little), i64::from(0xFCFD_FEFF_u32 as i32));
    assert_eq!(read(U32, ByteOrder::Big), 0xFFFE_FDFC);
    assert_eq!(read(I64, ByteOrder::Big), 0xFFFE_FDFC_FBFA_F9F8_u64 as i64);
    assert_eq!(read(U64, ByteOrder::Little), 0xF8F9_FAFB_FCFD_FEFF_u64 as i64);
    assert_eq!(read_integer(&header, 7, U16, ByteOrder::Big), 0xF9F8);
}

#[test]
fn coordinates_are_scaled_with_the_scalar_of_their_own_trace() {
    let scalars = [0i16, 1, 10, -1, -100, i16::MAX, i16::MIN];
    let raw = -123_457i32;
    let headers: Vec<u8> = (scalars.iter())
        .flat_map(|scalar| {
            let mut header = [0; 240];
            put(&mut header, 71, &scalar.to_be_bytes());
            put(&mut header, 73, &raw.to_be_bytes());
            header
        })
        .collect();
    let table = table(vec![column("x", 73, I32, Some(71))], 1000);
    let want =
        [-123_457.0, -123_457.0, -1_234_570.0, -123_457.0, -1_234.57, -123_457.0 * 32_767.0, -123_457.0 / 32_768.0];
    let all = write_and_read(&table, &headers);
    assert_eq!(all["x_scaled"].as_primitive::<Float64Type>().values(), &want);
    assert_eq!(all["x"].as_primitive::<Int32Type>().values(), &[raw; 7]);
    for (header, want) in headers.chunks(240).zip(want) {
        let several = write_and_read(&table, &header.repeat(3));
        assert_eq!(several["x_scaled"].as_primitive::<Float64Type>().values(), &[want; 3]);
    }
}

#[test]
fn the_standard_columns_are_those_of_the_revision_and_times_stay_raw() {
    let columns = HeaderTable::standard_columns(1);
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    assert!(names.contains(&"unassigned_233") && !names.contains(&"trace_header_name"));
    assert!(HeaderTable::standard_columns(2).iter().any(|c| c.name == "trace_header_name"));
    let scaled: Vec<&str> = columns.iter().filter(|c| c.scalar.is_some()).map(|c| c.name.as_str()).collect();
    assert_eq!(scaled.len(), 14);
    assert!(scaled.contains(&"shot_point") && !scaled.contains(&"delay_recording_time"));
    let schema = table(columns, 1).arrow_schema();
    assert_eq!(schema.field(0).name(), "trace_index");
    assert_eq!(schema.fields().len(), 1 + 91 + 14 + 3 + 1);
}

#[test]
fn columns_that_begin_to_vary_anywhere_come_back_right() {
    let table = table(survey_columns(), 10_000);
    // Pages are 4,096 rows here, so a row group has two whole ones and a short one.
    for step in [0, 1, 4095, 4096, 4097, 9_999, 10_000, 10_001, 18_192, 18_193, 22_999, 99_999] {
        let headers = survey(23_000, step);
        assert_survey_is_right(&write_and_read(&table, &headers), &table, &headers);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn integers_of_any_width_come_back(
        values in proptest::collection::vec((any::<i64>(), 0u32..64), 1..600),
        row_group_rows in 1u64..700,
    ) {
        let values: Vec<i64> = values.into_iter().map(|(value, shift)| value >> shift).collect();
        let mut headers = vec![0; values.len() * 240];
        for (header, value) in headers.chunks_mut(240).zip(&values) {
            put(header, 1, &value.to_be_bytes());
        }
        let columns = vec![column("wide", 1, I64, None), column("low", 5, I32, None), column("real", 1, F64, None)];
        let batch = write_and_read(&table(columns, row_group_rows), &headers);
        prop_assert_eq!(batch["wide"].as_primitive::<Int64Type>().values(), values.as_slice());
        let low: Vec<i32> = values.iter().map(|&v| v as i32).collect();
        prop_assert_eq!(batch["low"].as_primitive::<Int32Type>().values(), low.as_slice());
        let real = batch["real"].as_primitive::<Float64Type>().values();
        let bits: Vec<i64> = real.iter().map(|v| v.to_bits() as i64).collect();
        prop_assert_eq!(bits, values);
    }
}

/// Writes the survey in parts that begin at these row groups, joins them, and returns the bytes.
fn joined(dir: &Path, table: &HeaderTable, headers: &[u8], begins: &[u64], block: usize) -> Vec<u8> {
    let n_traces = headers.len() as u64 / 240;
    let ends = begins[1..].iter().map(|group| group * table.row_group_rows).chain([n_traces]);
    let parts: Vec<TablePart> = (begins.iter().zip(ends).enumerate())
        .map(|(i, (group, end))| {
            let (path, first) = (dir.join(format!("part{i}.parquet")), group * table.row_group_rows);
            let summary = write(&path, table, first, &headers[first as usize * 240..end as usize * 240], block);
            TablePart { path, row_groups: summary.row_groups }
        })
        .collect();
    let output = dir.join("joined.parquet");
    join(&parts, &output, table).unwrap();
    std::fs::read(output).unwrap()
}

#[test]
fn one_two_or_five_parts_join_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let table = table(survey_columns(), 5000);
    let headers = survey(27_345, 12_345);
    let whole = dir.path().join("whole.parquet");
    write(&whole, &table, 0, &headers, 27_345);
    let want = std::fs::read(whole).unwrap();
    assert!(joined(dir.path(), &table, &headers, &[0], 1000) == want);
    assert!(joined(dir.path(), &table, &headers, &[0, 2], 27_345) == want);
    assert!(joined(dir.path(), &table, &headers, &[0, 1, 2, 4, 5], 777) == want);
    let batch = read(&dir.path().join("joined.parquet"));
    assert_survey_is_right(&batch, &table, &headers);
}

#[test]
fn parts_without_traces_join_too() {
    let dir = tempfile::tempdir().unwrap();
    let table = table(survey_columns(), 5000);
    let (empty, output) = (dir.path().join("empty.parquet"), dir.path().join("out.parquet"));
    assert_eq!(
        write(&empty, &table, 5000, &[], 1),
        HeaderSummary { ranges: vec![None; 6], ..HeaderSummary::default() }
    );
    join(&[], &output, &table).unwrap();
    assert_eq!(std::fs::read(&empty).unwrap(), std::fs::read(&output).unwrap());
    let part = || TablePart { path: empty.clone(), row_groups: ByteSums::default() };
    join(&[part(), part()], &output, &table).unwrap();
    assert_eq!(read(&output).num_rows(), 0);
}

#[test]
fn the_summary_has_the_range_of_every_integer_field() {
    let dir = tempfile::tempdir().unwrap();
    let mut columns = survey_columns();
    columns.push(column("name", 233, Text(8), None));
    columns.push(column("unsigned", 13, U32, None));
    let headers = survey(12_000, 7000);
    let summary = write(&dir.path().join("a.parquet"), &table(columns.clone(), 5000), 0, &headers, 999);
    let expected = columns.iter().map(|c| {
        let values = headers.chunks(240).map(|h| read_integer(h, c.first_byte, c.kind, ByteOrder::Big).into());
        c.kind.is_integer().then(|| FieldRange { min: values.clone().min().unwrap(), max: values.max().unwrap() })
    });
    assert_eq!((summary.n_rows, summary.ranges), (12_000, expected.collect()));
}

#[test]
fn statistics_and_page_index_hold_for_all_but_the_raw_header() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let table = table(survey_columns(), 10_000);
    write(&path, &table, 0, &survey(12_000, 99_999), 999);
    let metadata = metadata(&path);
    assert_eq!(metadata.file_metadata().created_by(), Some("segy-import"));
    assert_eq!(metadata.num_row_groups(), 2);
    // Readers that do not know the order of IEEE 754 would take no notice of the statistics.
    let orders = metadata.file_metadata().column_orders().unwrap();
    assert!(orders.iter().all(|order| matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_))), "{orders:?}");
    let group = metadata.row_group(1);
    let statistics = |name: &str| {
        let chunk = group.columns().iter().find(|c| c.column_path().string() == name).unwrap();
        chunk.statistics().cloned()
    };
    let int = |min, max| Some(Statistics::int32(Some(min), Some(max), None, Some(0), false));
    assert_eq!(statistics("counter"), int(10_001, 12_000));
    assert_eq!(statistics("constant"), int(77, 77));
    let Some(Statistics::Double(x)) = statistics("x_scaled") else { panic!("x_scaled has no statistics") };
    assert_eq!((x.min_opt(), x.max_opt()), (Some(&625_000.0), Some(&649_987.5)));
    assert_eq!((x.null_count_opt(), x.nan_count_opt()), (Some(0), Some(0)));
    assert_eq!(statistics("raw_header"), None);

    let index = metadata.page_index_for_row_group(0);
    let Some(ColumnIndexMetaData::INT32(counter)) = index.column_index(1) else { panic!("counter has no index") };
    assert_eq!(counter.min_values(), &[1, 4097, 8193]);
    assert_eq!(counter.max_values(), &[4096, 8192, 10_000]);
    let raw = group.num_columns() - 1;
    assert!(index.column_index(raw).is_none());
    let first_rows: Vec<i64> = index.page_locations(raw).unwrap().iter().map(|p| p.first_row_index).collect();
    assert_eq!(first_rows, [0, 4096, 8192]);
}

#[test]
fn a_constant_column_takes_next_to_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, &table(survey_columns(), 10_000), 0, &survey(10_000, 99_999), 999);
    let metadata = metadata(&path);
    let chunk = metadata.row_group(0).column(2);
    assert_eq!(chunk.column_path().string(), "constant");
    assert!(chunk.compressed_size() < 100, "{} bytes", chunk.compressed_size());
    assert_eq!(chunk.compression(), Compression::UNCOMPRESSED);
    assert!(chunk.encodings().any(|e| e == Encoding::RLE_DICTIONARY));
}

#[test]
fn nan_are_counted_and_do_not_spoil_the_statistics() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let table =
        table(vec![column("some", 1, F64, None), column("all", 9, F64, None), column("zero", 17, F32, None)], 10);
    let mut headers = vec![0; 3 * 240];
    for (header, value) in headers.chunks_mut(240).zip([2.5, f64::NAN, -1.0]) {
        put(header, 1, &value.to_be_bytes());
        put(header, 9, &f64::NAN.to_be_bytes());
    }
    write(&path, &table, 0, &headers, 3);
    let metadata = metadata(&path);
    let statistics = |c: usize| metadata.row_group(0).column(c).statistics().cloned();
    let (Some(Statistics::Double(some)), Some(Statistics::Double(all))) = (statistics(1), statistics(2)) else {
        panic!("no statistics")
    };
    assert_eq!((some.min_opt(), some.max_opt(), some.nan_count_opt()), (Some(&-1.0), Some(&2.5), Some(1)));
    assert_eq!((all.min_opt(), all.max_opt(), all.nan_count_opt()), (None, None, Some(3)));
    let Some(Statistics::Float(zero)) = statistics(3) else { panic!("no statistics") };
    let signs = (zero.min_opt().map(|v| v.is_sign_negative()), zero.max_opt().map(|v| v.is_sign_negative()));
    assert_eq!(signs, (Some(true), Some(false)));
}

#[test]
fn additional_headers_have_a_raw_column_of_their_own() {
    let mut table = table(vec![column("far", 473, U64, None)], HeaderTable::default_row_group_rows(480, 1));
    table.header_bytes = 480;
    assert_eq!(table.row_group_rows, ROW_GROUP_ROWS / 2);
    // With samples behind the headers, which must not matter.
    let traces: Vec<u8> = (0..5000u32 * 500).map(|i| (i / 7 % 255) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let mut writer = SegmentWriter::create(&path, &table, 0).unwrap();
    writer.push(&traces, 500, 5000, &[0; 5000]).unwrap();
    writer.finish().unwrap();
    let batch = read(&path);
    for (i, trace) in traces.chunks(500).enumerate() {
        assert_eq!(batch["raw_header"].as_fixed_size_binary().value(i), &trace[..240]);
        assert_eq!(batch["additional_headers"].as_fixed_size_binary().value(i), &trace[240..480]);
        let far = u64::from_be_bytes(trace[472..480].try_into().unwrap());
        assert_eq!(batch["far"].as_primitive::<UInt64Type>().value(i), far);
    }
}

#[test]
fn raw_headers_of_a_pairwise_swapped_file_stay_as_they_stand_in_it() {
    let mut table = table(vec![column("first", 1, U16, None)], ROW_GROUP_ROWS);
    table.pairwise_swapped = true;
    let headers: Vec<u8> = (0..240 * 300u32).map(|i| (i / 5 % 251) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let mut writer = SegmentWriter::create(&path, &table, 0).unwrap();
    writer.push(&headers, 240, 300, &[0; 300]).unwrap();
    writer.finish().unwrap();
    let batch = read(&path);
    for (i, header) in headers.chunks(240).enumerate() {
        let swapped: Vec<u8> = header.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        assert_eq!(batch["raw_header"].as_fixed_size_binary().value(i), swapped);
        let first = u16::from_be_bytes([header[0], header[1]]);
        assert_eq!(batch["first"].as_primitive::<arrow::datatypes::UInt16Type>().value(i), first);
    }
}

#[test]
fn row_groups_of_long_headers_stay_below_16_mib() {
    for (headers, rows) in [(1, 65_536), (2, 32_768), (3, 16_384), (4, 16_384), (1000, 64)] {
        assert_eq!(HeaderTable::default_row_group_rows(240 * headers, 1_000_000), rows);
        assert!(u64::from(240 * headers) * rows <= 16 << 20);
    }
    assert_eq!(HeaderTable::default_row_group_rows(u32::MAX, 1000), 1);
}

#[test]
fn there_are_no_more_row_groups_than_can_be_numbered() {
    for (n_traces, rows) in [(65_536_000, 65_536), (65_536_001, 131_072), (1 << 32, 1 << 18), (1 << 33, 1 << 19)] {
        assert_eq!(HeaderTable::default_row_group_rows(240, n_traces), rows, "{n_traces} traces");
        assert!(n_traces.div_ceil(rows) < 1 << 15);
    }
    let most = HeaderTable::default_row_group_rows(u32::MAX, 1 << 62);
    assert!((1u64 << 62).div_ceil(most) < 1 << 15);
}

#[test]
fn what_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.parquet"), dir.path().join("b.parquet"));
    let refusal = |table: &HeaderTable, first_trace| match SegmentWriter::create(&a, table, first_trace) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    };
    assert!(refusal(&table(vec![column("x", 238, I32, None)], 10), 0).contains("x lies outside the 240 header bytes"));
    assert!(refusal(&table(vec![column("x", 0, I32, None)], 10), 0).contains("outside"));
    assert!(refusal(&table(vec![column("x", 1, I32, Some(240))], 10), 0).contains("outside"));
    assert!(refusal(&table(vec![column("raw_header", 1, I32, None)], 10), 0).contains("two columns \"raw_header\""));
    assert!(refusal(&table(Vec::new(), 10), 15).contains("trace 15 does not begin a row group of 10 rows"));
    assert!(refusal(&table(Vec::new(), 0), 0).contains("cannot be empty"));

    let one = table(vec![column("x", 1, I32, None)], 10);
    let mut writer = SegmentWriter::create(&a, &one, 0).unwrap();
    let error = writer.push(&[0; 700], 240, 3, &[0; 3]).unwrap_err().to_string();
    assert!(error.contains("ends within trace 2"), "{error}");

    let summary = write(&a, &one, 0, &[0; 480], 1);
    let part = TablePart { path: a.clone(), row_groups: summary.row_groups };
    let other = table(vec![column("y", 1, I32, None)], 10);
    let error = join(std::slice::from_ref(&part), &b, &other).unwrap_err().to_string();
    assert!(error.contains("its columns are not those of the plan"), "{error}");
    let mut damaged = std::fs::read(&a).unwrap();
    damaged.truncate(damaged.len() - 1);
    std::fs::write(&a, damaged).unwrap();
    assert!(join(&[part], &b, &one).is_err());
}

#[test]
fn flags_of_traces_are_columns_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headers.parquet");
    // A row group without any, one in which all traces have one, and one in which some have.
    let (n, per_group) = (12_000, 4000);
    let flags: Vec<u8> = (0..n).map(|i| [0, ZERO_TRACE, (i % 4) as u8][i / per_group]).collect();
    let mut headers = survey(n, 7000);
    headers.chunks_mut(240).skip(5000).for_each(|header| put(header, 29, &2i16.to_be_bytes()));
    let mut columns = survey_columns();
    columns.push(column("trace_id_code", 29, I16, None));
    let table = table(columns, per_group as u64);
    let mut writer = SegmentWriter::create(&path, &table, 0).unwrap();
    for (headers, flags) in headers.chunks(240 * 999).zip(flags.chunks(999)) {
        writer.push(headers, 240, flags.len(), flags).unwrap();
    }
    let summary = writer.finish().unwrap();
    let batch = read(&path);
    let values = |name: &str| batch[name].as_boolean().iter().map(Option::unwrap).collect::<Vec<_>>();
    let count = |name: &str| values(name).iter().filter(|v| **v).count() as u64;
    assert_eq!(values("is_zero"), flags.iter().map(|f| f & ZERO_TRACE != 0).collect::<Vec<_>>());
    assert_eq!(values("is_duplicate"), flags.iter().map(|f| f & DUPLICATE_TRACE != 0).collect::<Vec<_>>());
    assert_eq!(values("is_dead"), (0..n).map(|i| i >= 5000).collect::<Vec<_>>());
    assert_eq!((summary.n_dead, summary.n_zero, summary.n_duplicate), (7000, 6000, 2000));
    assert_eq!((count("is_dead"), count("is_zero"), count("is_duplicate")), (7000, 6000, 2000));
}

#[test]
fn a_computed_column_has_its_values_and_nulls() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headers.parquet");
    let input = |first_byte| formula::Input { first_byte, kind: I32, scalar: None };
    let computed = |name: &str, expression: &str, first_byte| Computed {
        name: name.into(),
        expression: expression.into(),
        inputs: vec![input(first_byte)],
    };
    let mut table = table(survey_columns(), 5000);
    table.computed = vec![
        computed("inverse", "1 / mod(counter, 3)", 1),
        computed("late", "sqrt(step)", 9),
        computed("never", "ln(nothing)", 101),
        computed("always", "nothing + 1.5", 101),
    ];
    let headers = survey(12_000, 7000);
    write(&path, &table, 0, &headers, 700);
    let batch = read(&path);
    assert_survey_is_right(&batch, &table, &headers);
    let values = |name: &str| batch[name].as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    let expected = |f: &dyn Fn(usize) -> Option<f64>| (0..12_000).map(f).collect::<Vec<_>>();
    assert_eq!(values("inverse"), expected(&|i| Some(1.0 / ((i + 1) % 3) as f64).filter(|v| v.is_finite())));
    assert_eq!(values("late"), expected(&|i| (i >= 7000).then_some(1000.0)));
    assert_eq!(values("never"), expected(&|_| None));
    assert_eq!(values("always"), expected(&|_| Some(1.5)));
    let metadata = metadata(&path);
    for (group, n_nulls) in [(0, 5000), (1, 2000), (2, 0)] {
        let late = metadata.row_group(group).columns().iter().find(|c| c.column_path().string() == "late").unwrap();
        assert_eq!(late.statistics().unwrap().null_count_opt(), Some(n_nulls), "row group {group}");
    }
    let cuts = [0, 1, 2];
    assert_eq!(joined(dir.path(), &table, &headers, &cuts, 700), std::fs::read(&path).unwrap());
}

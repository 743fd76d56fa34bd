//! Statistics, and joined files.

use crate::table::tests::*;

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
    join(&[], &Place::of(&output).unwrap(), &table).unwrap();
    assert_eq!(std::fs::read(&empty).unwrap(), std::fs::read(&output).unwrap());
    let other = dir.path().join("other.parquet");
    std::fs::copy(&empty, &other).unwrap();
    join(
        &[other, empty].map(|path| TablePart { path: Place::of(&path).unwrap(), row_groups: ByteSums::default() }),
        &Place::of(&output).unwrap(),
        &table,
    )
    .unwrap();
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
    assert_eq!((metadata.num_row_groups(), metadata.file_metadata().num_rows()), (2, 12_000));
    // Readers that do not know IEEE 754 order would ignore the statistics.
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
    let refusal =
        |table: &HeaderTable, first_trace| match SegmentWriter::create(&Place::of(&a).unwrap(), table, first_trace) {
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
    let mut writer = SegmentWriter::create(&Place::of(&a).unwrap(), &one, 0).unwrap();
    let error = writer.push(&[0; 700], 240, 3, &[0; 3]).unwrap_err().to_string();
    assert!(error.contains("ends within trace 2"), "{error}");

    let summary = write(&a, &one, 0, &[0; 480], 1);
    let part = TablePart { path: Place::of(&a).unwrap(), row_groups: summary.row_groups };
    let other = table(vec![column("y", 1, I32, None)], 10);
    let whole = std::fs::read(&a).unwrap();
    let error = join(std::slice::from_ref(&part), &Place::of(&b).unwrap(), &other).unwrap_err().to_string();
    assert!(error.contains("its columns are not those of the plan"), "{error}");
    for damaged in [&whole[..whole.len() - 1], &whole[..whole.len() - 9], &whole[..5], &[]] {
        std::fs::write(&a, damaged).unwrap();
        let error = join(std::slice::from_ref(&part), &Place::of(&b).unwrap(), &one).unwrap_err().to_string();
        assert!(error.starts_with(&*a.to_string_lossy()), "{error}");
    }
    std::fs::remove_file(&a).unwrap();
    let error = join(std::slice::from_ref(&part), &Place::of(&b).unwrap(), &one).unwrap_err().to_string();
    assert!(error.contains("a.parquet") && error.contains("No such file"), "{error}");
    std::fs::write(&a, &whole).unwrap();
    join(&[part], &Place::of(&b).unwrap(), &one).unwrap();
    assert!(std::fs::read(&b).unwrap() == whole);
}

#[test]
fn rows_are_numbered_by_their_gathers_wherever_segments_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let table = table(survey_columns(), 8192);
    let n = 40_000;
    let headers = survey(n, 100);
    // A row group within a gather, one that is a gather, gathers of a trace each, and a page that begins with one.
    let mut starts = vec![0, 5, 20_000, 24_576];
    starts.extend(32_768..33_500);
    starts.push(36_864);
    let whole = joined_with(dir.path(), &table, &headers, &[0], 1000, Some(starts.clone()));
    let in_parts = joined_with(dir.path(), &table, &headers, &[0, 1, 3], 777, Some(starts.clone()));
    assert!(whole == in_parts);
    let path = dir.path().join("joined.parquet");
    let batch = read(&path);
    assert_eq!(batch.schema().fields()[1].name(), ENSEMBLE_ID);
    let ids = batch[ENSEMBLE_ID].as_primitive::<Int64Type>();
    for trace in 0..n {
        let expected = starts.partition_point(|&start| start <= trace as u64) as i64 - 1;
        assert_eq!(ids.value(trace), expected, "trace {trace}");
    }
    let others: Vec<usize> = (0..batch.num_columns()).filter(|&c| c != 1).collect();
    assert_survey_is_right(&batch.project(&others).unwrap(), &table, &headers);
}

//! The values of every kind of column.

use crate::segy::layout::InputFormat;
use crate::table::tests::*;

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
    let want = [-123_457.0, -123_457.0, -1_234_570.0, -123_457.0, -1_234.57, -123_457.0, -123_457.0];
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
    let columns = HeaderTable::standard_columns(InputFormat::Segy, 1);
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    assert!(names.contains(&"unassigned_233") && !names.contains(&"trace_header_name"));
    assert!(HeaderTable::standard_columns(InputFormat::Segy, 2).iter().any(|c| c.name == "trace_header_name"));
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

#[test]
fn additional_headers_have_a_raw_column_of_their_own() {
    let mut table = table(vec![column("far", 473, U64, None)], HeaderTable::default_row_group_rows(480, 1));
    table.header_bytes = 480;
    assert_eq!(table.row_group_rows, ROW_GROUP_ROWS / 2);
    // With samples after the headers, which must not matter.
    let traces: Vec<u8> = (0..5000u32 * 500).map(|i| (i / 7 % 255) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let mut writer = SegmentWriter::create(&Place::of(&path).unwrap(), &table, 0).unwrap();
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
    let mut writer = SegmentWriter::create(&Place::of(&path).unwrap(), &table, 0).unwrap();
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
fn flags_of_traces_are_columns_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headers.parquet");
    // One row group without any, one in which all traces have one, and one in which some have.
    let (n, per_group) = (12_000, 4000);
    let flags: Vec<u8> = (0..n).map(|i| [0, ZERO_TRACE, (i % 4) as u8][i / per_group]).collect();
    let mut headers = survey(n, 7000);
    headers.chunks_mut(240).skip(5000).for_each(|header| put(header, 29, &2i16.to_be_bytes()));
    let mut columns = survey_columns();
    columns.push(column("trace_id_code", 29, I16, None));
    let table = table(columns, per_group as u64);
    let mut writer = SegmentWriter::create(&Place::of(&path).unwrap(), &table, 0).unwrap();
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
fn odd_scalars_and_where_fields_change_are_noted_wherever_a_page_ends() {
    let dir = tempfile::tempdir().unwrap();
    let n = 12_000;
    let columns = vec![
        column("x", 73, I32, Some(71)),
        column("coordinate_scalar", 71, I16, None),
        column("delay_recording_time", 109, I16, None),
        column("sample_interval", 117, U16, None),
    ];
    let table = table(columns, 5000);
    // All odd; odd from somewhere on; odd now and then.
    for odd in [0..n, 7001..n, 4999..5001] {
        let mut headers = vec![0; n * 240];
        for (i, header) in headers.chunks_mut(240).enumerate() {
            put(header, 71, &(if odd.contains(&i) { -7_i16 } else { -100 }).to_be_bytes());
            put(header, 109, &(if i >= 5000 { 12_i16 } else { 8 }).to_be_bytes());
            put(header, 117, &(if i == 8123 { 2000_u16 } else { 4000 }).to_be_bytes());
        }
        for block in [1, 999, 5000] {
            let summary = write(&dir.path().join("headers.parquet"), &table, 0, &headers, block);
            assert_eq!(summary.n_odd_scalars, [odd.len() as u64, 0], "{odd:?}, {block}");
            let changes = summary.changes.map(|change| (change.first, change.other));
            let expected = [(Some((0, 4000)), Some((8123, 2000))), (Some((0, 8)), Some((5000, 12)))];
            assert_eq!(changes, expected, "{odd:?}, {block}");
        }
    }
}

#[test]
fn a_computed_column_has_its_values_and_nulls() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headers.parquet");
    let input = |first_byte| formula::Input { first_byte, kind: I32, scalar: None, given_scalar: None };
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

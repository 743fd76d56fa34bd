//! The coordinates of the traces in the Zarr group, the name of the array of the samples, and `inspect` of a dataset.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::support::{Survey, contents, run, stderr, stdout};

fn survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "400", "--samples", "30"])
}

fn document(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What the array of the samples names as its coordinates.
fn coordinates(out: &Path, variable: &str) -> Vec<String> {
    let array = document(&out.join(variable).join("zarr.json"));
    let names = array["attributes"]["coordinates"].as_str().unwrap_or_default();
    names.split_whitespace().map(str::to_owned).collect()
}

fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap()
}

fn assert_undamaged(survey: &Survey, out: &Path) {
    for arguments in [vec![out], vec![survey.input.as_path(), out]] {
        let verified = run(&[&[Path::new("verify")], &arguments[..]].concat());
        assert!(verified.status.success(), "{}", stderr(&verified));
    }
}

#[test]
fn what_varies_is_a_coordinate_and_what_does_not_is_none() {
    let survey = survey();
    let out = survey.import("survey.zarr", &[]);
    let found = coordinates(&out, "traces.zarr");
    for name in ["cdp", "inline", "offset", "source_x", "receiver_y", "cdp_x", "recording_time"] {
        assert!(found.iter().any(|f| f == name), "{name} in {found:?}");
    }
    // Two gathers of one line.
    let one_line = survey.path("line.sgy");
    let bytes = std::fs::read(&survey.input).unwrap();
    let n_kept = 3600 + 20 * (240 + 4 * 30);
    std::fs::write(&one_line, &bytes[..n_kept]).unwrap();
    let line = survey.path("line.zarr");
    let imported = run(&[one_line.as_path(), line.as_path()]);
    assert!(imported.status.success(), "{}", stderr(&imported));
    let found = coordinates(&line, "traces.zarr");
    assert!(!found.iter().any(|f| f == "inline") && !is_there(&line.join("inline")), "{found:?}");
    assert!(found.iter().any(|f| f == "offset"), "{found:?}");
    assert_undamaged(&survey, &out);
}

#[test]
fn a_coordinate_says_what_it_is_and_the_group_where_it_comes_from() {
    let survey = survey();
    let group = document(&survey.import("survey.zarr", &[]).join("zarr.json"));
    let about = &group["attributes"];
    assert_eq!((about["Conventions"].as_str(), about["source_file"].as_str()), (Some("CF-1.12"), Some("in.sgy")));
    assert_eq!(about["title"], "SYNTHETIC SURVEY: CDP GATHERS");
    assert_eq!(about["program_version"], env!("CARGO_PKG_VERSION"));
    let of = |name: &str| &group["consolidated_metadata"]["metadata"][name]["attributes"];
    let x = of("cdp_x");
    assert_eq!((x["units"].as_str(), x["header_bytes"].as_str()), (Some("m"), Some("181-184")));
    assert_eq!(
        (x["standard_name"].as_str(), x["header_column"].as_str()),
        (Some("projection_x_coordinate"), Some("cdp_x_scaled"))
    );
    assert_eq!(of("recording_time")["units"], "nanoseconds since 1970-01-01");
}

#[test]
fn what_is_zero_or_no_date_in_all_headers_is_no_coordinate() {
    let survey = survey();
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for trace in bytes[3600..].chunks_mut(240 + 4 * 30) {
        trace[72..80].fill(0);
        trace[156..166].fill(0);
    }
    std::fs::write(&survey.input, bytes).unwrap();
    let found = coordinates(&survey.import("out", &[]), "traces.zarr");
    assert!(found.iter().any(|f| f == "receiver_x"), "{found:?}");
    assert!(!found.iter().any(|f| f == "source_x" || f == "recording_time"), "{found:?}");
}

#[test]
fn coordinates_are_those_asked_for() {
    let survey = survey();
    // The last has one value, but was asked for.
    let out = survey.import("few", &["--coords", "CDP_X,offset,sample_count"]);
    assert_eq!(coordinates(&out, "traces.zarr"), ["cdp_x", "offset", "sample_count"]);
    assert_undamaged(&survey, &out);
    let none = survey.import("none", &["--coords", "none"]);
    assert!(coordinates(&none, "traces.zarr").is_empty() && !is_there(&none.join("cdp")));
    for (names, what) in [
        ("ofset", "is not a column of the header table; did you mean \"offset\""),
        ("raw_header", "is not a number"),
        ("", "needs names"),
    ] {
        let refused = survey.command("refused", &["--coords", names]).output().unwrap();
        assert!(refused.status.code() == Some(2) && stderr(&refused).contains(what), "{}", stderr(&refused));
    }
    let of_grid = survey.command("refused", &["--grid", "cdp,offset", "--coords", "cdp"]).output().unwrap();
    assert!(stderr(&of_grid).contains("traces in file order"), "{}", stderr(&of_grid));
}

#[test]
fn the_samples_have_the_name_that_was_asked_for() {
    let survey = survey();
    let out = survey.import("out", &["--variable", "amplitude", "--shard", "2", "--chunk-traces", "50"]);
    assert!(is_there(&out.join("amplitude/zarr.json")) && !is_there(&out.join("traces.zarr")));
    assert_undamaged(&survey, &out);
    let back = survey.path("back.sgy");
    let exported = run(&[Path::new("export"), &out, &back]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap());
    let inside = out.join("amplitude/back.sgy");
    let refused = run(&[Path::new("export"), &out, &inside]);
    assert!(
        refused.status.code() == Some(2) && stderr(&refused).contains("is part of the dataset"),
        "{}",
        stderr(&refused)
    );
    for name in ["a/b", "sample", "..", "segy"] {
        let refused = survey.command("refused", &["--variable", name]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{name}: {}", stderr(&refused));
    }
}

#[test]
fn a_dataset_that_is_replaced_leaves_none_of_its_arrays() {
    let survey = survey();
    survey.import("out", &["--variable", "amplitude"]);
    let mine = survey.path("out/mine.txt");
    std::fs::write(&mine, "mine").unwrap();
    let out = survey.import("out", &["--coords", "none", "--overwrite"]);
    let names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for gone in ["amplitude", "cdp", "recording_time"] {
        assert!(!names.iter().any(|name| name == gone), "{names:?}");
    }
    assert!(is_there(&mine));
    assert_undamaged(&survey, &out);
}

#[test]
fn somebody_elses_directory_with_the_name_of_a_coordinate_stays() {
    let survey = survey();
    let mine = survey.path("out/cdp/mine.txt");
    std::fs::create_dir_all(mine.parent().unwrap()).unwrap();
    std::fs::write(&mine, "mine").unwrap();
    let refused = survey.command("out", &["--overwrite"]).output().unwrap();
    assert!(refused.status.code() == Some(4) && is_there(&mine), "{}", stderr(&refused));
}

#[test]
fn damage_of_a_coordinate_is_found() {
    let survey = survey();
    let out = survey.import("out", &[]);
    let chunk = out.join("offset/c/0");
    let bytes = std::fs::read(&chunk).unwrap();
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    for (change, what) in [(Some(other), "checksum"), (None, "is missing")] {
        match &change {
            Some(bytes) => std::fs::write(&chunk, bytes).unwrap(),
            None => std::fs::remove_file(&chunk).unwrap(),
        }
        let verified = run(&[Path::new("verify"), &out]);
        assert!(verified.status.code() == Some(5) && stderr(&verified).contains(what), "{}", stderr(&verified));
    }
}

#[test]
fn coordinates_do_not_depend_on_how_the_file_was_cut() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "3000", "--samples", "10"]);
    let options = ["--coords", "auto", "--variable", "amplitude", "--chunk-traces", "100"];
    let whole = contents(&survey.import("whole", &options));
    let cut =
        contents(&survey.import("cut", &[&options[..], &["--parallel-threshold", "0", "--segments", "7"]].concat()));
    assert!(whole == cut);
}

/// The numbers of a column as eight bytes each, with what stands for null.
fn numbers(column: &ArrayRef) -> Vec<[u8; 8]> {
    let cast = |to: DataType| arrow::compute::cast(column, &to).unwrap();
    match column.data_type() {
        DataType::Timestamp(..) => {
            let times = column.as_primitive::<TimestampNanosecondType>();
            times.iter().map(|time| time.unwrap_or(i64::MIN).to_le_bytes()).collect()
        }
        DataType::Float32 | DataType::Float64 => {
            let values = cast(DataType::Float64);
            values.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(f64::NAN).to_le_bytes()).collect()
        }
        DataType::UInt64 => numbers(&cast(DataType::Float64)),
        _ => cast(DataType::Int64).as_primitive::<Int64Type>().values().iter().map(|v| v.to_le_bytes()).collect(),
    }
}

/// The numbers of a coordinate in the same way.
fn numbers_of_array(array: &Path) -> Vec<[u8; 8]> {
    let of_array = document(&array.join("zarr.json"));
    let count = |value: &Value| value.as_u64().unwrap() as usize;
    let (n, chunk) = (count(&of_array["shape"][0]), count(&of_array["chunk_grid"]["configuration"]["chunk_shape"][0]));
    let data_type = of_array["data_type"].as_str().unwrap();
    let width = match data_type {
        "bool" | "int8" | "uint8" => 1,
        "int16" | "uint16" => 2,
        "int32" | "uint32" | "float32" => 4,
        _ => 8,
    };
    let number = |bytes: &[u8]| {
        let mut all = [0; 8];
        all[..width].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(all);
        let above = 64 - 8 * width as u32;
        match data_type {
            "float64" => f64::from_bits(bits).to_le_bytes(),
            "float32" => f64::from(f32::from_bits(bits as u32)).to_le_bytes(),
            "uint64" => (bits as f64).to_le_bytes(),
            name if name.starts_with("int") => ((bits << above) as i64 >> above).to_le_bytes(),
            _ => all,
        }
    };
    let mut found = Vec::new();
    for i in 0..n.div_ceil(chunk) {
        let packed = std::fs::read(array.join(format!("c/{i}"))).unwrap();
        let bytes = zstd::bulk::decompress(&packed, chunk * width).unwrap();
        assert_eq!(bytes.len(), chunk * width);
        found.extend(bytes.chunks(width).map(number));
    }
    assert!(found[n..].iter().all(|number| *number == [0; 8]), "{array:?}");
    found.truncate(n);
    found
}

#[test]
fn a_coordinate_of_any_type_has_the_values_of_its_column_in_all_row_groups() {
    const N: usize = 70_000;
    let survey = Survey::new(&["--kind", "prestack", "--traces", &N.to_string(), "--samples", "2"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for (i, trace) in bytes[3600..].chunks_mut(240 + 4 * 2).enumerate() {
        // Alike in the first row group alone; and some times that are none.
        let of_group = u8::from(i > 65_600);
        for (k, byte) in trace[188..234].iter_mut().enumerate() {
            *byte = if k % 4 == 0 { 0xC1 + of_group } else { (i % 7 * k) as u8 };
        }
        if i % 1000 == 3 {
            trace[156..166].fill(0);
        }
    }
    std::fs::write(&survey.input, bytes).unwrap();
    let kinds = [
        ("f64", 8),
        ("i64", 8),
        ("u64", 8),
        ("f32", 4),
        ("ibm32", 4),
        ("i32", 4),
        ("u32", 4),
        ("i16", 2),
        ("u16", 2),
        ("i8", 1),
        ("u8", 1),
    ];
    let places = kinds.iter().scan(189, |next, (kind, n)| {
        *next += n;
        Some(format!("of_{kind}={}:{kind}", *next - n))
    });
    let mut fields: Vec<String> = places.collect();
    fields.push("alike=125:i32".into());
    let names = kinds.map(|(kind, _)| format!("of_{kind}")).join(",");
    let coords =
        format!("{names},alike,ensemble_id,trace_index,recording_time,source_x,cdp,is_dead,is_zero,share,offset");
    let mut options = vec!["--coords", &coords, "--compute", "share=1/mod(offset,200)", "--segments", "3"];
    options.extend(fields.iter().flat_map(|field| ["--field", field]));
    let out = survey.import("out", &[&options[..], &["--parallel-threshold", "0"]].concat());
    let file = std::fs::File::open(out.join("headers.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
    let found = coordinates(&out, "traces.zarr");
    assert_eq!(found.len(), coords.split(',').count(), "{found:?}");
    for name in found {
        let array = out.join(&name);
        let column = document(&array.join("zarr.json"))["attributes"]["header_column"].as_str().unwrap().to_owned();
        let expected: Vec<[u8; 8]> = batches.iter().flat_map(|b| numbers(b.column_by_name(&column).unwrap())).collect();
        assert_eq!(expected.len(), N);
        assert!(numbers_of_array(&array) == expected, "{name}");
    }
    assert_undamaged(&survey, &out);
}

#[test]
fn inspect_tells_what_a_dataset_is_and_how_to_open_it() {
    let survey = survey();
    let out = survey.import("out", &["--variable", "amplitude"]);
    let grid = survey.import("grid", &["--grid", "cdp,trace"]);
    let headers = survey.import("headers", &["--headers-only"]);
    for (dataset, layout, variable, opened) in [
        (&out, "traces", "amplitude", "ds.amplitude.isel(trace=slice(0, 100)).values"),
        (&grid, "grid", "amplitude", "ds.amplitude.sel(cdp="),
        (&headers, "headers", "traces.zarr", "headers/headers.parquet"),
    ] {
        let json = run(&[Path::new("inspect"), dataset, Path::new("--json")]);
        let report: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!((report["layout"].as_str(), report["variable"].as_str()), (Some(layout), Some(variable)));
        assert_eq!((report["n_traces"].as_u64(), report["files"][0]["name"].as_str()), (Some(400), Some("in.sgy")));
        let text = stdout(&run(&[Path::new("info"), dataset]));
        assert!(text.contains(opened) && text.contains("segy-import verify"), "{text}");
    }
    let refused = run(&[Path::new("inspect"), &out, Path::new("--candidates")]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("is a dataset"), "{}", stderr(&refused));
    let nothing = run(&[Path::new("inspect"), survey.directory.path()]);
    assert!(
        nothing.status.code() == Some(3) && stderr(&nothing).contains("no complete dataset"),
        "{}",
        stderr(&nothing)
    );
}

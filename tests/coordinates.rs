//! The coordinates of the traces in the Zarr group, the name of the array of the samples, and `inspect` of a dataset.

use std::path::Path;

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

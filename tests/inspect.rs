//! `segy-import inspect`: what it says of files, and that it refuses what an import refuses.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{Survey, program, run, stderr, stdout};

fn inspect(input: &Path, options: &[&str]) -> Output {
    let mut arguments = vec!["inspect".as_ref(), input.as_os_str()];
    arguments.extend(options.iter().map(std::ffi::OsStr::new));
    run(&arguments)
}

/// The report, with the directory taken out of the name of the file.
fn report(input: &Path, options: &[&str]) -> String {
    let output = inspect(input, options);
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
    stdout(&output).replace(&input.display().to_string(), "in.sgy")
}

fn json(input: &Path, options: &[&str]) -> serde_json::Value {
    let mut options = options.to_vec();
    options.push("--json");
    let output = inspect(input, &options);
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn field<'a>(document: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    document["fields"].as_array().unwrap().iter().find(|f| f["name"] == name).unwrap()
}

/// Writes `value` at `byte` (from 1) of every trace header, made of the number of the trace from 0.
fn put(survey: &Survey, stride: usize, byte: usize, value: impl Fn(i32) -> i32) {
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for (i, trace) in bytes[3600..].chunks_mut(stride).enumerate() {
        trace[byte - 1..byte + 3].copy_from_slice(&value(i as i32).to_be_bytes());
    }
    std::fs::write(&survey.input, bytes).unwrap();
}

#[test]
fn the_report_of_a_stacked_volume() {
    let survey = Survey::new(&["--traces", "3000", "--samples", "25"]);
    insta::assert_snapshot!("poststack", report(&survey.input, &[]));
}

#[test]
fn the_report_of_all_headers_of_cdp_gathers() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", "25", "--endian", "little"]);
    insta::assert_snapshot!("prestack_scan", report(&survey.input, &["--scan"]));
}

#[test]
fn what_opens_a_dataset_names_columns_that_tell_traces_apart() {
    for (kind, options, columns) in [
        ("shots", &[][..], r#"columns=["field_record","offset","trace_number"]"#),
        ("prestack", &[], r#"columns=["cdp","#),
        ("poststack", &["--grid", "inline,crossline"], r#"columns=["inline","crossline","#),
        ("poststack", &["--gather", "inline"], r#"columns=["inline","crossline","#),
    ] {
        let survey = Survey::new(&["--kind", kind, "--traces", "400", "--samples", "10"]);
        if kind == "shots" {
            put(&survey, 240 + 4 * 10, 21, |_| 7);
        }
        let out = survey.import("out", options);
        let document = json(&out, &[]);
        let python = document["python"].as_array().unwrap().last().unwrap().as_str().unwrap();
        assert!(python.contains(columns), "{kind}: {python}");
    }
    let single = Survey::new(&["--traces", "1", "--samples", "10"]);
    let out = single.import("out", &[]);
    assert!(report(&out, &[]).contains(r#"columns=["trace_index"]"#));
}

#[test]
fn one_trace_in_full() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "30", "--samples", "12", "--format", "5"]);
    insta::assert_snapshot!("trace", report(&survey.input, &["--trace", "7"]));
    let output = inspect(&survey.input, &["--trace", "31"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the file has traces 1 to 30"), "{}", stderr(&output));
}

#[test]
fn a_scan_reads_all_headers_and_its_result_does_not_depend_on_the_threads() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "20000", "--samples", "3"]);
    let one = json(&survey.input, &["--scan", "--threads", "1"]);
    assert_eq!((one["headers_read"].as_u64(), one["n_traces"].as_u64()), (Some(20_000), Some(20_000)));
    for threads in ["2", "3", "7", "64"] {
        assert_eq!(json(&survey.input, &["--scan", "--threads", threads]), one, "{threads} threads");
    }
    let sample = json(&survey.input, &[]);
    assert_eq!(sample["headers_read"], 1000);
    assert_ne!(sample["fields"], one["fields"]);
}

#[test]
fn the_ranges_and_gathers_are_those_of_the_import() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "2500", "--samples", "4"]);
    let found = json(&survey.input, &["--scan"]);
    let out = survey.import("out", &[]);
    let metadata: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("metadata.json")).unwrap()).unwrap();
    let ranges = metadata["geometry"]["header_ranges"].as_object().unwrap();
    assert!(ranges.len() > 20);
    for (name, range) in ranges {
        let field = field(&found, name);
        assert_eq!((&field["min"], &field["max"]), (&range[0], &range[1]), "{name}");
    }
    assert_eq!(found["gather"]["keys"], serde_json::json!(["cdp"]));
    assert_eq!(found["gather"]["n_gathers"], metadata["gathers"]["n_gathers"]);
    assert_eq!(field(&found, "cdp")["runs"]["longest"], metadata["gathers"]["longest"]);
    assert_eq!(found["decisions"], metadata["segy"]["decisions"]);
}

#[test]
fn scalars_that_differ_between_traces_are_applied_to_their_own_trace() {
    let survey = Survey::new(&["--traces", "40", "--samples", "4"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for (i, trace) in bytes[3600..].chunks_mut(256).enumerate() {
        trace[180..184].copy_from_slice(&1000i32.to_be_bytes());
        trace[70..72].copy_from_slice(&[-10i16, 10][i % 2].to_be_bytes());
    }
    std::fs::write(&survey.input, bytes).unwrap();
    let document = json(&survey.input, &[]);
    assert_eq!(field(&document, "cdp_x")["scaled"], serde_json::json!([100.0, 10_000.0]));
}

#[test]
fn lines_at_other_bytes_are_found_and_can_be_placed() {
    let survey = Survey::new(&["--traces", "900", "--samples", "4"]);
    put(&survey, 256, 189, |_| 0);
    put(&survey, 256, 193, |_| 0);
    put(&survey, 256, 9, |_| 0);
    put(&survey, 256, 13, |_| 0);
    put(&survey, 256, 1, |_| 0);
    put(&survey, 256, 225, |i| 700 + i / 90);
    put(&survey, 256, 233, |i| 5000 + 2 * (i % 90));
    let document = json(&survey.input, &["--candidates"]);
    let best = |role: &str| {
        let all = document["candidates"].as_array().unwrap();
        all.iter().find(|c| c["role"] == role).unwrap()["field"]["first_byte"].as_u64()
    };
    assert_eq!((best("inline"), best("crossline"), best("cdp")), (Some(225), Some(233), Some(21)));
    assert!(matches!(best("coordinate"), Some(73 | 77 | 81 | 85 | 181 | 185)));

    let placed = json(&survey.input, &["--field", "inline=225:i32", "--field", "xl=233:i32"]);
    let inline = field(&placed, "inline");
    assert_eq!(
        (inline["min"].as_i64(), inline["max"].as_i64(), inline["distinct"].as_u64()),
        (Some(700), Some(709), Some(10))
    );
    assert_eq!(field(&placed, "xl")["step"], 2);
    assert_eq!(placed["gather"]["keys"], serde_json::json!(["inline"]));
}

#[test]
fn a_number_is_found_in_whatever_form_it_is_stored() {
    let survey = Survey::new(&["--traces", "60", "--samples", "4"]);
    put(&survey, 256, 225, |i| if i == 41 { 123_456 } else { 0 });
    put(&survey, 256, 233, |_| 1234.5f32.to_bits() as i32);
    let found = |value: &str| {
        let document = json(&survey.input, &["--find", value]);
        let all = document["findings"].as_array().unwrap().clone();
        all.into_iter()
            .map(|f| {
                (
                    f["first_byte"].as_u64().unwrap(),
                    f["type"].as_str().unwrap().to_owned(),
                    f["n_traces"].as_u64().unwrap(),
                    f["first_trace"].as_u64(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(found("123456"), [(225, "i32".into(), 1, Some(42))]);
    assert!(found("1234.5").contains(&(233, "f32".into(), 60, Some(1))));
    // The interval is in the binary header as well, and the i16 of the trace header is no half of something.
    let interval = found("4000");
    assert!(interval.contains(&(3217, "i16".into(), 0, None)) && interval.contains(&(117, "i16".into(), 60, Some(1))));
    assert!(
        report(&survey.input, &["--find", "-7777"]).contains("-7777 is not in any header, from all 60 trace headers")
    );
    assert_eq!(inspect(&survey.input, &["--find", "0"]).status.code(), Some(2));
}

#[test]
fn a_coordinate_is_found_by_its_scaled_value() {
    let survey = Survey::new(&["--traces", "60", "--samples", "4"]);
    let document = json(&survey.input, &["--trace", "1"]);
    let cdp_x = field(&document, "cdp_x")["scaled"].to_string();
    let found = report(&survey.input, &["--find", &cdp_x]);
    assert!(found.contains("cdp_x scaled by bytes 71-72"), "{found}");
}

#[test]
fn what_an_import_refuses_is_refused_in_the_same_words() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes.truncate(bytes.len() - 40);
    std::fs::write(&survey.input, &bytes).unwrap();
    let output = inspect(&survey.input, &[]);
    let import = survey.command("out", &[]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(3), stderr(&import)));
    assert!(output.stdout.is_empty());
    let text = report(&survey.input, &["--allow-truncated"]);
    assert!(text.contains("warning: the file ends inside trace 12"), "{text}");
}

#[test]
fn overrides_are_those_of_the_import() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let document = json(&survey.input, &["--samples", "25", "--interval", "500", "--format", "5"]);
    assert_eq!(
        (document["geometry"]["sample_axis"]["interval"].as_f64(), document["geometry"]["n_samples"].as_u64()),
        (Some(0.5), Some(25))
    );
    assert!(document["decisions"].to_string().contains("5 IEEE float32"));
    let output = inspect(&survey.input, &["--field", "mine=238:i32"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("bytes 238-241 are outside"), "{}", stderr(&output));
}

#[test]
fn options_that_exclude_each_other_are_wrong_usage() {
    let survey = Survey::new(&["--traces", "12", "--samples", "2"]);
    for options in
        [["--trace=1", "--scan"], ["--find=1", "--candidates"], ["--trace=1", "--find=2"], ["--threads=2", "--json"]]
    {
        assert_eq!(inspect(&survey.input, &options).status.code(), Some(2), "{options:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let survey = Survey::new(&["--traces", "2000", "--samples", "2"]);
    let mut command = Command::new(program());
    command.arg("inspect").arg(&survey.input).arg("--json");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
}

/// Files cut anywhere and with bytes exchanged anywhere are reported on or refused, never a crash.
#[test]
fn damaged_files_are_reported_on_or_refused() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "20", "--samples", "7"]);
    let whole = std::fs::read(&survey.input).unwrap();
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..60 {
        let mut bytes = whole.clone();
        if round % 2 == 0 {
            bytes.truncate(1 + random(whole.len()));
        } else {
            (0..12).for_each(|_| bytes[3200 + random(900)] = random(256) as u8);
        }
        std::fs::write(&survey.input, &bytes).unwrap();
        for options in [&["--allow-truncated"][..], &["--scan", "--candidates", "--allow-truncated"], &["--find", "3"]]
        {
            let output = inspect(&survey.input, options);
            let message = stderr(&output);
            assert!(
                matches!(output.status.code(), Some(0 | 3)) && !message.contains("panicked"),
                "{round} {options:?}: {message}"
            );
        }
    }
}

#[test]
fn computed_columns_are_in_the_report_the_document_and_the_trace() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", "4"]);
    let compute = ["--compute", "half = offset / 2", "--compute", "never = sqrt(-1 - abs(cdp))"];
    for scan in [&[][..], &["--scan"], &["--scan", "-j", "3"]] {
        let options = [&compute[..], scan].concat();
        let document = json(&survey.input, &options);
        let (offset, half, never) = (field(&document, "offset"), &document["computed"][0], &document["computed"][1]);
        for extreme in ["min", "max"] {
            assert_eq!(half[extreme].as_f64().unwrap(), offset[extreme].as_f64().unwrap() / 2.0);
        }
        assert_eq!((&half["name"], &half["expression"]), (&"half".into(), &"offset / 2".into()));
        assert_eq!((&half["distinct"], &half["runs"]), (&offset["distinct"], &offset["runs"]));
        assert_eq!((&half["undefined"], &never["undefined"]), (&0.into(), &document["headers_read"]));
        assert!(never["min"].is_null() && never["constant"] == true);
        let text = report(&survey.input, &options);
        let row = text.lines().find(|l| l.trim_start().starts_with("half ")).unwrap();
        assert!(text.contains("Computed columns") && row.ends_with("offset / 2"), "{text}");
    }
    let trace = json(&survey.input, &[&compute[..], &["--trace", "7"]].concat());
    let half = field(&trace, "offset")["value"].as_f64().unwrap() / 2.0;
    assert_eq!((&trace["computed"][0]["value"], trace["computed"][1]["value"].is_null()), (&half.into(), true));
    assert!(report(&survey.input, &[&compute[..], &["--trace", "7"]].concat()).contains("undefined"));
}

//! Computed columns, also as gather keys, and header mappings that a file brings along.

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;

use crate::support::{self, Survey, contents, run, stderr};

fn survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "600", "--samples", "8"])
}

fn doubles(file: &Path, name: &str) -> Vec<Option<f64>> {
    let file = std::fs::File::open(file).unwrap();
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = builder.build().unwrap().map(Result::unwrap);
    batches.flat_map(|b| b[name].as_primitive::<Float64Type>().iter().collect::<Vec<_>>()).collect()
}

fn integers(file: &Path, name: &str) -> Vec<i64> {
    let file = std::fs::File::open(file).unwrap();
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = builder.build().unwrap().map(Result::unwrap);
    let cast = |b: &arrow::array::RecordBatch| match b[name].as_primitive_opt::<arrow::datatypes::Int32Type>() {
        Some(values) => values.iter().map(|v| i64::from(v.unwrap())).collect::<Vec<_>>(),
        None => b[name].as_primitive::<arrow::datatypes::Int64Type>().iter().map(Option::unwrap).collect(),
    };
    batches.flat_map(|b| cast(&b)).collect()
}

fn metadata(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(out.join("metadata.json")).unwrap()).unwrap()
}

#[test]
fn a_column_is_computed_of_headers_and_null_where_it_is_not_defined() {
    let survey = survey();
    let azimuth = "azimuth = degrees(atan2(receiver_x - source_x, receiver_y - source_y))";
    let out = survey.import(
        "out",
        &["--compute", azimuth, "--compute", "share=1/(fldr-fldr)", "--compute", "m=(sx_scaled+GroupX_scaled)/2"],
    );
    let headers = out.join("headers.parquet");
    let [sx, sy, gx, gy] = ["source_x", "source_y", "receiver_x", "receiver_y"].map(|name| integers(&headers, name));
    let found = doubles(&headers, "azimuth");
    for i in 0..600 {
        let (dx, dy) = ((gx[i] - sx[i]) as f64, (gy[i] - sy[i]) as f64);
        match found[i] {
            Some(value) => assert!((value - dx.atan2(dy).to_degrees()).abs() < 1e-12, "trace {i}"),
            None => assert_eq!((dx, dy), (0.0, 0.0), "trace {i}"),
        }
    }
    assert!(found.iter().flatten().count() > 500);
    assert_eq!(doubles(&headers, "share"), vec![None; 600]);
    let (s, g) = (doubles(&headers, "source_x_scaled"), doubles(&headers, "receiver_x_scaled"));
    let middle: Vec<_> = s.iter().zip(g).map(|(s, g)| Some((s.unwrap() + g.unwrap()) / 2.0)).collect();
    assert_eq!(doubles(&headers, "m"), middle);
    assert_eq!(
        metadata(&out)["options"]["computed"][1],
        serde_json::json!({"name": "share", "expression": "1/(fldr-fldr)"})
    );
}

#[test]
fn a_computed_column_is_a_gather_key_and_the_dataset_does_not_depend_on_the_cut() {
    let survey = survey();
    let key = ["--compute", "pair = floor(cdp / 2)", "--gather", "pair"];
    let one = survey.import("one", &key);
    let cdp = integers(&one.join("headers.parquet"), "cdp");
    let mut pairs: Vec<i64> = cdp.iter().map(|c| c.div_euclid(2)).collect();
    pairs.dedup();
    let index = one.join("ensemble_index.parquet");
    assert_eq!(doubles(&index, "pair"), pairs.iter().map(|&p| Some(p as f64)).collect::<Vec<_>>());
    assert_eq!(metadata(&one)["gathers"]["n_gathers"], pairs.len());
    let starts = integers(&index, "start_trace");
    let cut = ["--chunk-traces", "50", "--parallel-threshold", "0", "--workers", "2", "--segments", "5"];
    let chunked = survey.import("chunked", &[&key[..], &["--chunk-traces", "50"]].concat());
    let five = survey.import("five", &[&key[..], &cut].concat());
    assert_eq!(contents(&five), contents(&chunked));
    let plan =
        survey.command("plan", &[&key[..], &cut, &["--dry-run", "--progress", "json"]].concat()).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    for segment in plan["segments"].as_array().unwrap() {
        assert!(starts.contains(&segment["start_trace"].as_i64().unwrap()), "{segment}");
    }
    // A key that is nothing anywhere makes one gather of everything.
    let none = survey.import("none", &["--compute", "x = 1 / (cdp - cdp)", "--gather", "x"]);
    assert_eq!(doubles(&none.join("ensemble_index.parquet"), "x"), [None]);
}

#[test]
fn expressions_that_cannot_be_are_refused_with_near_names() {
    let survey = survey();
    let refused = |options: &[&str]| {
        let output = survey.command("out", options).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(refused(&["--compute", "a = sorce_x + 1"]).contains("did you mean \"source_x\""));
    assert!(refused(&["--compute", "a = sqr(cdp)"]).contains("did you mean \"sqrt\""));
    assert!(refused(&["--compute", "a = cdp +"]).contains("--compute a = cdp +: it is not complete"));
    assert!(refused(&["--compute", "cdp = cdp + 1"]).contains("column cdp already"));
    assert!(refused(&["--compute", "a = 1", "--compute", "a = 2"]).contains("is there twice"));
    assert!(refused(&["--compute", "a"]).contains("NAME=EXPRESSION"));
    assert!(refused(&["--compute", "azimuth = cdp", "--gather", "azimut"]).contains("did you mean \"azimuth\""));
}

#[test]
fn a_mapping_file_computes_too_and_options_count_before_it() {
    let survey = survey();
    let mapping = survey.path("map.toml");
    std::fs::write(&mapping, "ensemble_keys = [\"twice\"]\n[fields]\nmine = \"21:i32\"\n[computed]\ntwice = \"2 * mine\"\nhalf = \"mine / 2\"\n").unwrap();
    let mapping = mapping.to_str().unwrap();
    let out = survey.import("out", &["--mapping", mapping, "--compute", "half = mine / 4"]);
    let headers = out.join("headers.parquet");
    let mine = integers(&headers, "mine");
    let times = |factor: f64| mine.iter().map(|&v| Some(v as f64 * factor)).collect::<Vec<_>>();
    assert_eq!((doubles(&headers, "twice"), doubles(&headers, "half")), (times(2.0), times(0.25)));
    assert_eq!(metadata(&out)["gathers"]["keys"], serde_json::json!(["twice"]));
}

/// A survey with one extended textual header of this text.
fn survey_with_stanza(text: &str) -> Survey {
    let survey = survey();
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes[3504..3506].copy_from_slice(&1i16.to_be_bytes());
    let record = format!("{text:<3200}");
    bytes.splice(3600..3600, record.bytes());
    std::fs::write(&survey.input, bytes).unwrap();
    survey
}

#[test]
fn a_header_mapping_in_the_file_is_applied_unless_the_user_says_otherwise() {
    let stanza = "((SEG:Layout:text/xml))<segy-layout name=\"x\"><entry name=\"cdp\" byte=\"9\" type=\"int4\"/>\
                  <entry name=\"ffid\" byte=\"21\" type=\"int4\"/></segy-layout>";
    let survey = survey_with_stanza(stanza);
    let out = survey.import("out", &[]);
    let document = metadata(&out);
    let decisions = document["segy"]["decisions"].as_array().unwrap();
    let decision = decisions.iter().find(|d| d["what"] == "header mapping").unwrap();
    assert_eq!(decision["value"], "SEG:Layout, 2 fields at other places than in the standard");
    assert_eq!(document["options"]["fields"][0]["by"], "SEG:Layout");
    let plain = survey.import("plain", &["--field", "cdp=21:i32", "--field", "field_record=9:i32"]);
    let of = |out: &Path, name: &str| integers(&out.join("headers.parquet"), name);
    assert_eq!(of(&out, "cdp"), of(&plain, "field_record"));
    assert_eq!(of(&out, "field_record"), of(&plain, "cdp"));
    let inspected = run(&["inspect", survey.input.to_str().unwrap()]);
    assert!(support::stdout(&inspected).contains("header mapping"), "{}", support::stdout(&inspected));
}

#[test]
fn a_header_mapping_that_does_not_fit_changes_nothing() {
    let over = survey_with_stanza(
        "((seg: layout))<segy-layout><entry name=\"iline\" byte=\"1\" type=\"int4\"/></segy-layout>",
    );
    let out = over.import("out", &[]);
    let text = std::fs::read_to_string(out.join("metadata.json")).unwrap();
    assert!(
        text.contains("SEG:Layout not applied: it has inline at byte 1, where the standard has trace_sequence_line")
    );
    let broken = survey_with_stanza(
        "((SEG:Layout))<segy-layout><entry name=\"iline\" byte=\"999\" type=\"int4\"/></segy-layout>",
    );
    let output = broken.command("out", &[]).output().unwrap();
    assert!(
        stderr(&output).contains("SEG:Layout in extended textual header 1 has iline at byte 999"),
        "{}",
        stderr(&output)
    );
    assert_eq!(metadata(&broken.path("out"))["options"]["fields"], serde_json::json!([]));
}

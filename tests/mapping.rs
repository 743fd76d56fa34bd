//! Where header fields are: mapping files, presets, and what the columns then hold.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;

use crate::support::{Survey, run, stderr};

/// A survey of 40 traces in gathers, and a mapping file beside it.
fn survey_with(mapping: &str, text: &str) -> (Survey, String) {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "40", "--samples", "8"]);
    let path = survey.path(mapping);
    std::fs::write(&path, text).unwrap();
    (survey, path.to_str().unwrap().to_owned())
}

fn column(out: &Path, name: &str) -> arrow::array::ArrayRef {
    let file = std::fs::File::open(out.join("headers.parquet")).unwrap();
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches: Vec<_> = builder.build().unwrap().map(|b| b.unwrap().column_by_name(name).unwrap().clone()).collect();
    let parts: Vec<&dyn Array> = batches.iter().map(|a| a.as_ref()).collect();
    arrow::compute::concat(&parts).unwrap()
}

fn integers(out: &Path, name: &str) -> Vec<i32> {
    column(out, name).as_primitive::<Int32Type>().values().to_vec()
}

fn metadata(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(out.join("metadata.json")).unwrap()).unwrap()
}

const JSON: &str = r#"{
  "fields": {
    "inline": {"name": "inline", "byte_position": 21, "format": "i", "description": "Inline (3D)"},
    "tape": {"name": "tape", "byte_position": 9, "format": "i"}
  },
  "ensemble_keys": ["inline"]
}"#;

#[test]
fn a_mapping_file_places_fields_and_names_the_gather_keys() {
    let (survey, mapping) = survey_with("map.json", JSON);
    let out = survey.import("out", &["--mapping", &mapping]);
    assert_eq!(integers(&out, "inline"), integers(&out, "cdp"));
    assert_eq!(integers(&out, "tape"), integers(&out, "field_record"));
    let document = metadata(&out);
    assert_eq!(document["gathers"]["keys"], serde_json::json!(["inline"]));
    assert_eq!(
        document["options"]["fields"],
        serde_json::json!([
            {"name": "inline", "first_byte": 21, "type": "i32", "by": "--mapping", "description": "Inline (3D)"},
            {"name": "tape", "first_byte": 9, "type": "i32", "by": "--mapping"},
        ])
    );
    let asked = survey.import("asked", &["--mapping", &mapping, "--gather", "none"]);
    assert_eq!(metadata(&asked)["gathers"]["keys"], serde_json::json!([]));
}

#[test]
fn toml_says_the_same_and_inspect_reads_it_too() {
    let toml = "ensemble_keys = [\"inline\"]\nfields.tape = \"9:i32\"\n[fields.inline]\nbyte_position = 21\nformat = \"i32\"\ndescription = \"Inline (3D)\"\n";
    let (survey, mapping) = survey_with("map.toml", toml);
    let json = survey.path("map.json");
    std::fs::write(&json, JSON).unwrap();
    let by_toml = survey.import("toml", &["--mapping", &mapping]);
    let by_json = survey.import("json", &["--mapping", json.to_str().unwrap()]);
    for file in ["headers.parquet", "ensemble_index.parquet"] {
        assert_eq!(std::fs::read(by_toml.join(file)).unwrap(), std::fs::read(by_json.join(file)).unwrap(), "{file}");
    }
    let input = survey.input.to_str().unwrap();
    let output = run(&["inspect", input, "--json", "--mapping", &mapping]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let fields = report["fields"].as_array().unwrap();
    assert_eq!(fields.iter().find(|f| f["name"] == "inline").unwrap()["first_byte"], 21);
    assert!(fields.iter().any(|f| f["name"] == "tape"));
}

#[test]
fn an_option_counts_before_the_mapping_and_that_before_a_preset() {
    let (survey, mapping) = survey_with("map.json", r#"[{"name": "iline", "byte_position": 21, "format": "i"}]"#);
    let out = survey.import("out", &["--preset", "petrel", "--mapping", &mapping, "--field", "cdpx=9:i32"]);
    let fields = metadata(&out)["options"]["fields"].clone();
    let said: Vec<_> =
        fields.as_array().unwrap().iter().map(|f| (f["name"].as_str().unwrap(), f["by"].as_str().unwrap())).collect();
    let expected =
        [("crossline", "--preset petrel"), ("cdp_y", "--preset petrel"), ("inline", "--mapping"), ("cdp_x", "--field")];
    assert_eq!(said, expected);
    assert_eq!(integers(&out, "inline"), integers(&out, "cdp"));
    assert_eq!(integers(&out, "cdp_x"), integers(&out, "field_record"));
    assert_eq!(integers(&out, "cdp_y"), integers(&out, "source_y"));
}

#[test]
fn wrong_mappings_are_refused_with_file_and_field() {
    let refused = |text: &str, more: &[&str]| {
        let (survey, mapping) = survey_with("map.json", text);
        let output = survey.command("out", &[&["--mapping", mapping.as_str()], more].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!survey.path("out").exists());
        stderr(&output)
    };
    let a = r#"{"name": "aa", "byte_position": 181, "format": "i"}"#;
    let overlap = refused(&format!(r#"[{a}, {{"name": "bb", "byte_position": 184, "format": "h"}}]"#), &[]);
    assert!(overlap.contains("aa (bytes 181-184, --mapping ") && overlap.contains("bb (bytes 184-185"), "{overlap}");
    assert!(refused(&format!("[{a}]"), &["--field", "bb=183:i32"]).contains("bb (bytes 183-186, --field) overlap"));
    let twice = refused(
        r#"[{"name": "cdp_x", "byte_position": 1, "format": "i"}, {"name": "CDP_X", "byte_position": 5, "format": "i"}]"#,
        &[],
    );
    assert!(twice.contains("map.json") && twice.contains("placed twice"), "{twice}");
    let outside = refused(r#"[{"name": "aa", "byte_position": 238, "format": "i"}]"#, &[]);
    assert!(outside.contains("map.json: field aa: bytes 238-241 are outside"), "{outside}");
    let key = refused(&format!(r#"{{"fields": [{a}], "ensemble_keys": ["inlin"]}}"#), &[]);
    assert!(key.contains("map.json: ensemble_keys: inlin") && key.contains("did you mean \"inline\""), "{key}");
    assert!(refused("{\"feilds\": []}", &[]).contains("map.json: it has the unknown key \"feilds\""));
    assert!(
        refused(r#"[{"name": "coordinate_scalar", "byte_position": 181, "format": "i"}]"#, &[])
            .contains("has to be i16")
    );
}

#[test]
fn a_scalar_that_was_moved_scales_its_fields() {
    let (survey, mapping) =
        survey_with("map.json", r#"[{"name": "scalar_coord", "byte_position": 31, "format": "h"}]"#);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let stride = (bytes.len() - 3600) / 40;
    bytes[3600..].chunks_mut(stride).for_each(|trace| trace[30..32].copy_from_slice(&(-10i16).to_be_bytes()));
    std::fs::write(&survey.input, bytes).unwrap();
    let out = survey.import("out", &["--mapping", &mapping]);
    let scaled = column(&out, "source_x_scaled");
    let scaled = scaled.as_primitive::<arrow::datatypes::Float64Type>().values().to_vec();
    let expected: Vec<f64> = integers(&out, "source_x").iter().map(|&x| f64::from(x) / 10.0).collect();
    assert_eq!(scaled, expected, "bytes 31-32 hold the scalar -10");
}

#[test]
fn revision_0_has_no_fields_after_byte_180() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let output = survey.command("out", &["--preset", "rev0", "--gather", "inline"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    survey.import("out", &["--preset", "rev0"]);
    let output = survey.command("out2", &["--preset", "petrell"]).output().unwrap();
    assert!(stderr(&output).contains("did you mean \"petrel\""), "{}", stderr(&output));
}

//! Samples rounded on import: how far they may be from those of the file, and that everything says so.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Survey, assert_same, contents, run, stderr};

const FILE_HEADER: usize = 3600;
const HEADER: usize = 240;
const N_SAMPLES: usize = 300;

fn survey(format: &str) -> Survey {
    Survey::new(&["--traces", "2500", "--samples", "300", "--format", format])
}

fn metadata(out: &Path) -> Value {
    serde_json::from_slice(&fs::read(out.join("metadata.json")).unwrap()).unwrap()
}

/// The samples of a file in IEEE float32, and its headers.
fn parts_of(file: &Path) -> (Vec<f64>, Vec<u8>) {
    let bytes = fs::read(file).unwrap();
    let (mut samples, mut headers) = (Vec::new(), bytes[..FILE_HEADER].to_vec());
    for trace in bytes[FILE_HEADER..].chunks(HEADER + 4 * N_SAMPLES) {
        headers.extend(&trace[..HEADER]);
        samples.extend(trace[HEADER..].as_chunks().0.iter().map(|word| f64::from(f32::from_be_bytes(*word))));
    }
    (samples, headers)
}

fn root_mean_square(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    (values.map(|value| value * value).sum::<f64>() / n).sqrt()
}

fn stored_bytes(out: &Path) -> usize {
    contents(&out.join("traces.zarr")).values().map(Vec::len).sum()
}

#[test]
fn errors_stay_as_far_below_the_samples_as_was_asked_for_and_headers_stay_what_they_are() {
    let survey = survey("5");
    let exact = survey.import("exact", &[]);
    for decibels in [40, 60] {
        let option = decibels.to_string();
        let out = survey.import(&option, &["--precision", &option]);
        let back = survey.path("back.sgy");
        let output = run(&["export".as_ref(), out.as_os_str(), back.as_os_str()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--lossy"), "{}", stderr(&output));
        assert!(!back.exists());
        let arguments =
            ["export".as_ref(), out.as_os_str(), back.as_os_str(), "--lossy".as_ref(), "--overwrite".as_ref()];
        let output = run(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));

        let ((before, headers), (after, headers_after)) = (parts_of(&survey.input), parts_of(&back));
        assert!(headers == headers_after);
        let found = metadata(&out)["precision"].clone();
        let step = found["step"].as_f64().unwrap();
        assert!(after.iter().all(|value| value % step == 0.0));
        let errors = || before.iter().zip(&after).map(|(a, b)| (a - b).abs());
        let largest = errors().fold(0.0, f64::max);
        assert!(largest <= step / 2.0 && found["largest_error"].as_f64() == Some(largest));
        let (error, level) = (root_mean_square(errors()), root_mean_square(before.iter().copied()));
        assert!((found["rms_error"].as_f64().unwrap() / error - 1.0).abs() < 0.01);
        let below = -20.0 * (error / level).log10();
        assert!((f64::from(decibels) - 1.0..f64::from(decibels) + 7.0).contains(&below), "{below} dB");
        assert!(2 * stored_bytes(&out) < stored_bytes(&exact));
        fs::remove_file(back).unwrap();
        let array: Value = serde_json::from_slice(&fs::read(out.join("traces.zarr/zarr.json")).unwrap()).unwrap();
        assert_eq!(array["attributes"]["precision"]["step"].as_f64(), Some(step));
    }
}

#[test]
fn rounded_samples_are_the_same_from_any_number_of_workers_and_are_verified() {
    for format in ["1", "3", "6", "8"] {
        let survey = survey(format);
        let one = survey.import("one", &["--precision", "30"]);
        let many = ["--precision", "30", "--parallel-threshold", "0", "--segments", "3", "--workers", "2"];
        assert_same(&one, &survey.import("many", &many));
        let cut = survey.import("cut", &["--precision", "30", "--access", "balanced", "--verify"]);
        assert_eq!(metadata(&cut)["precision"], metadata(&one)["precision"]);
        for out in [&one, &cut] {
            for arguments in [
                &["verify".as_ref(), out.as_os_str()][..],
                &["verify".as_ref(), survey.input.as_os_str(), out.as_os_str()],
            ] {
                let output = run(arguments);
                assert!(output.status.success(), "format {format}: {}", stderr(&output));
            }
        }
    }
}

#[test]
fn a_sample_that_rounds_to_another_value_is_found() {
    let survey = survey("5");
    let out = survey.import("out", &["--precision", "60"]);
    let step = metadata(&out)["precision"]["step"].as_f64().unwrap();
    let at = FILE_HEADER + 1200 * (HEADER + 4 * N_SAMPLES) + HEADER + 4 * 77;
    let mut bytes = fs::read(&survey.input).unwrap();
    let word: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
    let changed = f32::from_be_bytes(word) + (1.5 * step) as f32;
    bytes[at..at + 4].copy_from_slice(&changed.to_be_bytes());
    fs::write(&survey.input, bytes).unwrap();
    let output = run(&["verify".as_ref(), survey.input.as_os_str(), out.as_os_str()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("trace 1201, sample 78"), "{}", stderr(&output));
}

#[test]
fn silence_has_no_level_to_stay_below() {
    let survey = survey("5");
    let mut bytes = fs::read(&survey.input).unwrap();
    bytes[FILE_HEADER..].chunks_mut(HEADER + 4 * N_SAMPLES).for_each(|trace| trace[HEADER..].fill(0));
    fs::write(&survey.input, bytes).unwrap();
    let output = survey.command("out", &["--precision", "60"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("no level that an error could stay below"), "{}", stderr(&output));
}

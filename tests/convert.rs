//! `export --format` and `--endian`: another sample format and byte order, as an independent decoder reads them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Survey, contents, python, run, scratch, stderr};

const TRACES: usize = 300;
const SAMPLES: usize = 20;

/// A survey in this sample format and byte order.
fn survey(format: u16, endian: &str) -> Survey {
    let (traces, samples, code) = (TRACES.to_string(), SAMPLES.to_string(), format.to_string());
    let arguments = ["--traces", &traces, "--samples", &samples, "--format", &code, "--endian", endian];
    Survey::new(&[&arguments[..], &["--kind", "prestack"]].concat())
}

fn export(dataset: &Path, target: &Path, options: &[&str]) -> std::process::Output {
    let mut arguments = vec!["export".as_ref(), dataset.as_os_str(), target.as_os_str(), "--no-sync".as_ref()];
    arguments.extend(options.iter().map(std::ffi::OsStr::new));
    run(&arguments)
}

/// Asserts that an export succeeds.
fn converted(dataset: &Path, target: &Path, options: &[&str]) {
    let output = export(dataset, target, options);
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
}

/// Format code and byte order of a file and of what it became, and which of its traces.
struct Case<'a> {
    old: (u16, &'a str),
    new: (u16, &'a str),
    round: bool,
    traces: (usize, usize),
}

/// What the independent decoder compares.
fn described(survey: &Survey, new: &Path, case: &Case) -> Value {
    let major_revision = u8::from(!is_of_rev_2(case.old.0)) + 2 * u8::from(is_of_rev_2(case.old.0));
    json!({
        "old": survey.input, "new": new, "n_samples": SAMPLES, "round": case.round, "traces": [case.traces.0, case.traces.1],
        "old_format": case.old.0, "old_order": case.old.1, "new_format": case.new.0, "new_order": case.new.1,
        "major_revision": major_revision,
    })
}

/// Asserts that the independent decoder sees the same in both files of each case.
fn check(cases: &[Value]) {
    let Some(python) = python::interpreter() else { return };
    let directory = scratch();
    let path = directory.path().join("cases.json");
    std::fs::write(&path, json!(cases).to_string()).unwrap();
    python::run(python, &[python::scripts().join("check_conversion.py").as_os_str(), path.as_os_str()]);
}

/// Formats that the generator declares revision 2 for.
fn is_of_rev_2(format: u16) -> bool {
    matches!(format, 6 | 7 | 9..=12 | 15 | 16)
}

#[test]
fn floats_become_every_other_float_and_integer_rounded_as_asked_for() {
    for (old, endian) in [(1, "big"), (5, "little"), (6, "big")] {
        let survey = survey(old, endian);
        let out = survey.import("out", &[]);
        let mut cases = Vec::new();
        for new in [1, 2, 3, 5, 6, 9] {
            for order in ["big", "little"] {
                let target = survey.path(&format!("{new}_{order}"));
                converted(&out, &target, &["--format", &new.to_string(), "--endian", order, "--round"]);
                let case = Case { old: (old, endian), new: (new, order), round: new != old, traces: (0, TRACES) };
                cases.push(described(&survey, &target, &case));
            }
        }
        check(&cases);
    }
}

#[test]
fn integers_become_wider_numbers_and_come_back() {
    for (old, endian, wider) in [(8, "big", [3, 1, 6]), (3, "little", [2, 5, 9]), (16, "big", [11, 12, 1])] {
        let survey = survey(old, endian);
        let out = survey.import("out", &[]);
        let mut cases = Vec::new();
        for new in wider {
            let order = if endian == "big" { "little" } else { "big" };
            let target = survey.path(&format!("{new}.sgy"));
            converted(&out, &target, &["--format", &new.to_string(), "--endian", order]);
            let case = Case { old: (old, endian), new: (new, order), round: false, traces: (0, TRACES) };
            cases.push(described(&survey, &target, &case));
            // Imported again, and written as it was at first, it is the first file but for what says so.
            let (again, back) = (survey.path(&format!("again_{new}")), survey.path(&format!("back_{new}")));
            let imported = run(&[target.as_os_str(), again.as_os_str(), "--no-sync".as_ref()]);
            assert!(imported.status.success(), "{}", stderr(&imported));
            converted(&again, &back, &["--format", &old.to_string(), "--endian", endian]);
            assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap(), "{old} {new}");
        }
        check(&cases);
    }
}

#[test]
fn the_other_byte_order_keeps_every_word_and_every_value() {
    for format in [1, 3, 5, 12] {
        let survey = survey(format, "big");
        // Words that do not come back from a float32 by themselves.
        let mut bytes = std::fs::read(&survey.input).unwrap();
        bytes[3600 + 240..3600 + 248].copy_from_slice(&[0x42, 0, 0, 1, 0x7F, 0xFF, 0xFF, 0xFF]);
        std::fs::write(&survey.input, &bytes).unwrap();
        let out = survey.import("out", &[]);
        let (little, again, back) = (survey.path("little.sgy"), survey.path("again"), survey.path("back.sgy"));
        converted(&out, &little, &["--endian", "little"]);
        let case = Case { old: (format, "big"), new: (format, "little"), round: false, traces: (0, TRACES) };
        check(&[described(&survey, &little, &case)]);
        let imported = run(&[little.as_os_str(), again.as_os_str(), "--no-sync".as_ref()]);
        assert!(imported.status.success(), "{}", stderr(&imported));
        let [of_big, of_little] = [&out, &again].map(|dataset| contents(dataset));
        for chunk in of_big.keys().filter(|name| name.starts_with("traces.zarr/c")) {
            assert!(of_big[chunk] == of_little[chunk], "{format} {}", chunk.display());
        }
        converted(&again, &back, &["--endian", "big"]);
        assert!(std::fs::read(&back).unwrap() == bytes, "{format}");
    }
}

#[test]
fn a_part_is_converted_like_the_whole() {
    let survey = survey(1, "big");
    let out = survey.import("out", &["--chunk-traces", "7"]);
    let part = survey.path("part.sgy");
    converted(&out, &part, &["--format", "5", "--endian", "little", "--traces", "20:111", "--round"]);
    let case = Case { old: (1, "big"), new: (5, "little"), round: true, traces: (20, 111) };
    check(&[described(&survey, &part, &case)]);
    let gather = survey.path("gather.sgy");
    converted(&out, &gather, &["--format", "6", "--gathers", "1:3"]);
    let n = (std::fs::metadata(&gather).unwrap().len() as usize - 3600) / (240 + 8 * SAMPLES);
    assert!(n > 0 && n < TRACES);
}

#[test]
fn traces_that_are_cut_along_the_samples_or_differ_in_length_are_converted_too() {
    // The generator's traces of this length are cut into several chunks.
    let survey = Survey::new(&["--traces", "3", "--samples", "300000", "--format", "3"]);
    let out = survey.import("out", &["--chunk-traces", "2"]);
    let (wide, again, back) = (survey.path("wide.sgy"), survey.path("again"), survey.path("back.sgy"));
    converted(&out, &wide, &["--format", "6", "--endian", "little"]);
    let imported = run(&[wide.as_os_str(), again.as_os_str(), "--no-sync".as_ref()]);
    assert!(imported.status.success(), "{}", stderr(&imported));
    converted(&again, &back, &["--format", "3", "--endian", "big"]);
    let (bytes, before) = (std::fs::read(&back).unwrap(), std::fs::read(&survey.input).unwrap());
    // The byte order mark of revision 2 is set where it was not.
    assert!(bytes[..3296] == before[..3296] && bytes[3300..] == before[3300..]);

    let survey = Survey::new(&["--traces", "40", "--samples", "20", "--format", "3"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    let mut ragged = bytes[..3600].to_vec();
    ragged[3502..3504].fill(0);
    for (i, trace) in bytes[3600..].chunks(280).enumerate() {
        let n = 1 + i % 20;
        let at = ragged.len();
        ragged.extend_from_slice(&trace[..240 + 2 * n]);
        ragged[at + 114..at + 116].copy_from_slice(&(n as u16).to_be_bytes());
    }
    std::fs::write(&survey.input, &ragged).unwrap();
    let out = survey.import("out", &["--ragged", "pad", "--chunk-traces", "9"]);
    let (wide, again, back) = (survey.path("wide.sgy"), survey.path("again"), survey.path("back.sgy"));
    converted(&out, &wide, &["--format", "2", "--endian", "little"]);
    let imported =
        run(&[wide.as_os_str(), again.as_os_str(), "--no-sync".as_ref(), "--ragged".as_ref(), "pad".as_ref()]);
    assert!(imported.status.success(), "{}", stderr(&imported));
    converted(&again, &back, &["--format", "3", "--endian", "big"]);
    assert!(std::fs::read(&back).unwrap() == ragged);
}

#[test]
fn a_sample_that_does_not_fit_is_named_and_nothing_is_left() {
    let survey = survey(5, "big");
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for (i, sample) in bytes[3600..].chunks_mut(240 + 4 * SAMPLES).flat_map(|t| t[240..].chunks_mut(4)).enumerate() {
        let value = if i == 10 * SAMPLES + 3 { 1.5f32 } else { 40_000.0 };
        sample.copy_from_slice(&value.to_be_bytes());
    }
    std::fs::write(&survey.input, bytes).unwrap();
    let (out, target) = (survey.import("out", &[]), survey.path("new.sgy"));
    for (options, expected) in [
        (&["--format", "2"][..], "trace 11, sample 4: 1.5 is not exact as int32; --round takes the nearest value"),
        (&["--format", "3"], "trace 1, sample 1: 40000 is beyond int16"),
        (&["--format", "3", "--round"], "trace 1, sample 1: 40000 is beyond int16"),
        (&["--format", "4"], "fixed point with gain is read only"),
        (&["--format", "13"], "--format 13: is not a sample format; use 1 IBM float32"),
    ] {
        let output = export(&out, &target, options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(!target.exists());
    }
    converted(&out, &target, &["--format", "2", "--round"]);
    let sample = std::fs::read(&target).unwrap()[3600 + 10 * (240 + 4 * SAMPLES) + 240 + 12..][..4].to_vec();
    assert_eq!(sample, 2i32.to_be_bytes());
}

//! Files that are not quite what the standard says: what is read of them, what is said, and that they come back the same.

use std::path::Path;

use crate::support::odd::{STRIDE, changed, document, noise, refused, round_trip};
use crate::support::{self, Survey, contents, run, stderr};

#[test]
fn stray_bytes_after_the_last_trace_are_a_warning_and_come_back() {
    let strays = [noise(100), vec![0; 100], vec![0; 339], vec![0xFF; 3], noise(300), b"END OF LINE 42\r\n".to_vec()];
    for (i, stray) in strays.iter().enumerate() {
        for endian in ["big", "little"] {
            let survey = changed(&["--endian", endian], |b| b.extend_from_slice(stray));
            let (document, said) = round_trip(&survey, &[]);
            assert_eq!(document["geometry"]["n_traces"], 12);
            let expected = format!("{} bytes after the last trace (from byte 7681) are not a trace", stray.len());
            assert!(said.contains(&expected), "{i}: {said}");
            assert!(document["warnings"].to_string().contains(&expected), "{i}");
        }
    }
}

#[test]
fn a_cut_trace_is_never_taken_for_stray_bytes() {
    for endian in ["big", "little"] {
        for left in [4, 8, 30, 100, 200, 239, 240, 241, 300, 339] {
            let survey = changed(&["--endian", endian], |b| b.truncate(3600 + 11 * STRIDE + left));
            let message = refused(&survey, &[], 3);
            assert!(message.contains(&format!("ends inside trace 12: {left} of its 340 bytes")), "{message}");
            assert!(message.contains("--allow-truncated"), "{message}");
        }
    }
    // A single trace says the least of what the next would be like.
    let survey = changed(&[], |b| b.truncate(3600 + STRIDE + 250));
    assert!(refused(&survey, &[], 3).contains("ends inside trace 2"));
}

#[test]
fn stray_bytes_after_headers_that_say_nothing_are_refused() {
    let survey = changed(&[], |b| {
        b[3600..].chunks_mut(STRIDE).for_each(|trace| trace[..240].fill(0));
        b.extend(noise(100));
    });
    let message = refused(&survey, &[], 3);
    assert!(message.contains("ends inside trace 13: 100 of its 340 bytes"), "{message}");
    round_trip(&survey, &["--allow-truncated"]);
}

/// The 128 bytes of a tape label, rev 1 section 3.1.
fn tape_label() -> Vec<u8> {
    let mut label = b"   1SY1.0RECORDB001         0        23JUN-01-1999".to_vec();
    label.resize(128, b' ');
    label
}

#[test]
fn a_tape_label_in_front_is_skipped_and_comes_back() {
    let plain = changed(&[], |_| {});
    round_trip(&plain, &[]);
    for endian in ["big", "little"] {
        let survey = changed(&["--endian", endian], |b| drop(b.splice(..0, tape_label())));
        let (document, _) = round_trip(&survey, &[]);
        assert_eq!(document["segy"]["tape_label_bytes"], 128);
        assert_eq!(document["segy"]["first_trace_offset"], 3728);
        assert!(document["segy"]["decisions"].to_string().contains("SY1.0 at bytes 5-9"));
        let (labelled, unlabelled) = (contents(&survey.path("out")), contents(&plain.path("out")));
        let chunk = Path::new("traces.zarr/c/0/0");
        assert!(labelled[chunk] == unlabelled[chunk]);
        if endian == "big" {
            assert!(labelled[Path::new("headers.parquet")] == unlabelled[Path::new("headers.parquet")]);
        }
    }
    // Messages count bytes from the beginning of the file.
    let cut = changed(&[], |b| {
        b.truncate(b.len() - 40);
        b.splice(..0, tape_label());
    });
    assert!(refused(&cut, &[], 3).contains("from byte 7469"), "{}", refused(&cut, &[], 3));
    // A textual header that only begins like a label is one.
    let text = changed(&[], |b| b[..10].copy_from_slice(b"   1SY1.0 "));
    assert_eq!(round_trip(&text, &[]).0["segy"]["tape_label_bytes"], 0);
}

#[test]
fn long_parts_outside_the_traces_have_files_of_their_own_and_come_back() {
    let survey = changed(&[], |b| {
        // Rev 2 with 400 extended textual headers and 500 trailer records.
        b[3500] = 2;
        b[3504..3506].copy_from_slice(&400i16.to_be_bytes());
        b[3528..3532].copy_from_slice(&500i32.to_be_bytes());
        b.splice(3600..3600, noise(400 * 3200));
        b.extend(noise(500 * 3200));
    });
    let (document, _) = round_trip(&survey, &[]);
    assert!(document["bytes_before_traces"].is_null() && document["bytes_after_traces"].is_null());
    assert_eq!(document["checksums"]["original/before_traces.bin"]["bytes"], 3600 + 400 * 3200);
    assert_eq!(document["checksums"]["original/after_traces.bin"]["bytes"], 500 * 3200);
    let kept = std::fs::read(survey.path("out/original/after_traces.bin")).unwrap();
    assert!(kept == noise(500 * 3200));

    // A flipped bit is found, and a dataset without such parts leaves none of the old one's.
    let path = survey.path("out/original/before_traces.bin");
    let mut spoilt = std::fs::read(&path).unwrap();
    spoilt[1_000_000] ^= 1;
    std::fs::write(&path, spoilt).unwrap();
    let checked = run(&["verify".as_ref(), survey.path("out").as_os_str()]);
    assert_eq!(checked.status.code(), Some(5));
    assert!(stderr(&checked).contains("before_traces.bin"), "{}", stderr(&checked));
    let compared = run(&["verify".as_ref(), survey.input.as_os_str(), survey.path("out").as_os_str()]);
    assert!(stderr(&compared).contains("byte 1000001 (before the traces)"), "{}", stderr(&compared));
    let plain = changed(&[], |_| {});
    std::fs::copy(&plain.input, &survey.input).unwrap();
    round_trip(&survey, &[]);
    assert!(!survey.path("out/original").exists());
}

/// What an import says of a survey of which the format code has been replaced.
fn relabelled(generated: &[&str], endian: &str, code: u8, options: &[&str]) -> String {
    let survey = Survey::new(&[&["--traces", "400", "--samples", "200", "--endian", endian], generated].concat());
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes[if endian == "big" { 3225 } else { 3224 }] = code;
    std::fs::write(&survey.input, bytes).unwrap();
    let output = survey.command("out", options).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(said.contains("look like"), document(&survey.path("out"))["warnings"].to_string().contains("look like"));
    said
}

#[test]
fn floats_under_the_wrong_label_are_reported_with_the_evidence_and_others_are_not() {
    for endian in ["big", "little"] {
        for kind in ["poststack", "prestack"] {
            let said = relabelled(&["--format", "5", "--kind", kind], endian, 1, &[]);
            assert!(said.contains("read as IBM float32 but look like IEEE float32: of "), "{said}");
            assert!(said.contains("--format 5 reads them so"), "{said}");
            let said = relabelled(&["--format", "1", "--kind", kind], endian, 5, &[]);
            assert!(said.contains("read as IEEE float32 but look like IBM float32: of "), "{said}");
            assert!(said.contains("--format 1 reads them so"), "{said}");
            for (format, code) in [("1", 1), ("5", 5), ("2", 1)] {
                let options: &[&str] = if format == "2" { &["--format", "2"] } else { &[] };
                let said = relabelled(&["--format", format, "--kind", kind], endian, code, options);
                assert!(!said.contains("look like"), "{format} {said}");
            }
        }
    }
}

/// The values and the document of the coordinate array.
fn axis(dataset: &Path) -> (Vec<f64>, serde_json::Value) {
    let bytes = std::fs::read(dataset.join("sample/c/0")).unwrap();
    let values = bytes[..bytes.len() - 4].chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    (values, serde_json::from_slice(&std::fs::read(dataset.join("sample/zarr.json")).unwrap()).unwrap())
}

#[test]
fn the_sample_axis_starts_at_the_delay_with_its_scalar_or_where_the_user_says() {
    let survey = changed(&["--interval", "500"], |b| {
        for trace in b[3600..].chunks_mut(STRIDE) {
            trace[108..110].copy_from_slice(&(-1234i16).to_be_bytes());
            trace[214..216].copy_from_slice(&(-10i16).to_be_bytes());
        }
    });
    let (document, said) = round_trip(&survey, &[]);
    let (values, coordinate) = axis(&survey.path("out"));
    assert_eq!((values[0], values[1], values[24], values.len()), (-123.4, -122.9, -111.4, 25));
    assert_eq!(coordinate["attributes"]["units"], "ms");
    assert_eq!(document["geometry"]["first_sample_ms"], -123.4);
    assert!(!said.contains("delay"), "{said}");

    let (document, _) = round_trip(&survey, &["--start", "-7.5", "--interval", "250"]);
    let (values, _) = axis(&survey.path("out"));
    assert_eq!((values[0], values[24]), (-7.5, -1.5));
    let decisions = document["segy"]["decisions"].to_string();
    assert!(decisions.contains("option --start") && decisions.contains("option --interval"), "{decisions}");
}

#[test]
fn depth_and_frequency_have_their_own_units() {
    for (system, units) in [(1u8, "m"), (2, "ft")] {
        let survey = changed(&["--interval", "5"], |b| b[3255] = system);
        let (document, _) = round_trip(&survey, &["--domain", "depth", "--start", "1000"]);
        let (values, coordinate) = axis(&survey.path("out"));
        assert_eq!((values[0], values[24]), (1000.0, 1120.0));
        assert_eq!(
            (&coordinate["attributes"]["units"], &coordinate["attributes"]["long_name"]),
            (&units.into(), &"depth".into())
        );
        assert_eq!(document["geometry"]["sample_axis"]["domain"], "depth");
        assert!(document["geometry"]["sample_interval_us"].is_null());
        assert!(document["segy"]["decisions"].to_string().contains("option --domain"));
    }
    let survey = changed(&["--interval", "5"], |b| b[3254..3256].fill(0));
    let (_, said) = round_trip(&survey, &["--domain", "depth", "--interval", "2.5"]);
    assert!(said.contains("neither metres (1) nor feet (2)"), "{said}");
    let (values, coordinate) = axis(&survey.path("out"));
    assert!(coordinate["attributes"].get("units").is_none() && values[1] == 2.5);
    round_trip(&survey, &["--domain", "frequency"]);
    let (values, coordinate) = axis(&survey.path("out"));
    assert_eq!((values[2], &coordinate["attributes"]["units"]), (10.0, &"Hz".into()));
    // The same in the report, and in the plan.
    let report = run(&["inspect".as_ref(), survey.input.as_os_str(), "--domain".as_ref(), "frequency".as_ref()]);
    assert!(support::stdout(&report).contains("25 of 5 Hz, 0 to 120 Hz"), "{}", support::stdout(&report));
    let plan = survey.command("none", &["--dry-run", "--domain", "frequency"]).output().unwrap();
    assert!(support::stdout(&plan).contains("option --domain"), "{}", support::stdout(&plan));
}

#[test]
fn numbers_that_no_axis_has_are_wrong_usage() {
    let survey = changed(&[], |_| {});
    for (option, values) in [
        ("--interval", ["0", "-4", "1e300", "NaN", "inf", "1e-300"].as_slice()),
        ("--start", &["1e300", "NaN", "inf", "now"]),
        ("--domain", &["space"]),
        ("--text-encoding", &["klingon"]),
    ] {
        for value in values {
            assert!(refused(&survey, &[option, value], 2).contains("invalid value"), "{option} {value}");
        }
    }
}

#[test]
fn the_text_is_read_in_the_encoding_that_the_user_names() {
    let survey = changed(&[], |b| b[..3200].copy_from_slice(&[0xC5; 3200]));
    for (encoding, first) in [("latin1", "Å"), ("ebcdic", "E"), ("ascii", "\u{FFFD}"), ("utf8", "\u{FFFD}")] {
        let (document, _) = round_trip(&survey, &["--text-encoding", encoding]);
        let header = &document["textual_header"];
        assert_eq!(header["encoding"], encoding);
        assert!(header["lines"][0].as_str().unwrap().starts_with(first), "{header}");
    }
}

#[test]
fn warnings_of_the_contents_are_in_the_document_whatever_the_number_of_workers() {
    let survey = Survey::new(&["--traces", "3000", "--samples", "10", "--format", "1"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for (i, trace) in bytes[3600..].chunks_mut(280).enumerate() {
        trace[20..24].fill(0);
        trace[108..110].copy_from_slice(&(100 + (i / 2999) as i16).to_be_bytes());
        trace[240..244].copy_from_slice(&0x7FFF_FFFFu32.to_be_bytes());
    }
    std::fs::write(&survey.input, bytes).unwrap();
    let one = survey.import("one", &["--gather", "cdp", "--segments", "1"]);
    let many = survey.import(
        "many",
        &["--gather", "cdp", "--segments", "3", "--workers", "2", "--parallel-threshold", "0", "--chunk-traces", "100"],
    );
    let [one, many] = [one, many].map(|dataset| document(&dataset)["warnings"].clone());
    assert_eq!(one, many);
    let warnings = one.to_string();
    for expected in [
        "the gather key cdp is the same in all 1000 trace headers looked at; --gather inline",
        "3000 samples are infinite or not a number in float32",
        "varies from 100 to 101 ms in the trace headers, for the first time at trace 3000; the sample axis begins at 100 ms",
    ] {
        assert!(warnings.contains(expected), "{expected}: {warnings}");
    }
}

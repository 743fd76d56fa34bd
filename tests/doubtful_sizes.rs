//! Files whose size agrees with headers that are wrong: traces as long as a fraction of a textual header, so that text and
//! traces, or traces of one length and of another, are told apart by the trace headers alone.

use crate::support::odd::{refused, round_trip};
use crate::support::{Survey, run, stderr};

const FILE_HEADER: usize = 3600;
/// Of 100 samples of 4 bytes: five traces are as long as a textual header.
const TRACE: usize = 640;

/// 20 traces of 100 samples, changed.
fn survey(change: impl FnOnce(&mut Vec<u8>)) -> Survey {
    let survey = Survey::new(&["--traces", "20", "--samples", "100"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    assert_eq!(bytes.len(), FILE_HEADER + 20 * TRACE);
    change(&mut bytes);
    std::fs::write(&survey.input, bytes).unwrap();
    survey
}

fn put(bytes: &mut [u8], byte: usize, value: &[u8]) {
    bytes[byte - 1..byte - 1 + value.len()].copy_from_slice(value);
}

/// Revision 2.1, with its byte order constant.
fn as_rev_2(bytes: &mut [u8]) {
    put(bytes, 3297, &0x0102_0304_u32.to_be_bytes());
    put(bytes, 3501, &[2, 1]);
}

fn text() -> Vec<u8> {
    let line = format!("{:80}", "C THE SECOND HEADER OF THIS FILE SPEAKS OF ITS NAVIGATION AND PROCESSING");
    line.repeat(40).into_bytes()
}

/// The traces that the dataset has.
fn n_traces(survey: &Survey, options: &[&str]) -> u64 {
    round_trip(survey, options).0["geometry"]["n_traces"].as_u64().unwrap()
}

#[test]
fn traces_are_not_taken_for_extended_textual_headers_that_are_missing() {
    for revision in [[1, 0], [2, 1]] {
        for (declared, there, fixed) in [(1_u16, 0, 0), (1, 0, 1), (2, 0, 0), (2, 1, 0)] {
            let survey = survey(|bytes| {
                put(bytes, 3501, &revision);
                put(bytes, 3503, &[0, fixed]);
                put(bytes, 3505, &declared.to_be_bytes());
                bytes.splice(FILE_HEADER..FILE_HEADER, text().repeat(there));
            });
            let why = refused(&survey, &[], 3);
            let option = format!("--extended-headers {there} reads 20 traces");
            assert!(why.contains("has a trace header where extended textual header") && why.contains(&option), "{why}");
            let there = there.to_string();
            assert_eq!(n_traces(&survey, &["--extended-headers", &there]), 20);
        }
    }
}

#[test]
fn text_is_not_taken_for_traces() {
    for (counted, there) in [(0_u16, 1), (1, 2), (0, 2)] {
        let survey = survey(|bytes| {
            put(bytes, 3501, &[1, 0]);
            put(bytes, 3505, &counted.to_be_bytes());
            bytes.splice(FILE_HEADER..FILE_HEADER, text().repeat(there));
        });
        let why = refused(&survey, &[], 3);
        let option = format!("--extended-headers {there} reads 20 traces");
        assert!(why.contains("has text where the first of") && why.contains(&option), "{why}");
        assert_eq!(n_traces(&survey, &["--extended-headers", &there.to_string()]), 20);
    }
}

#[test]
fn trailers_are_found_where_they_are_and_traces_where_they_are_not() {
    let stanza = format!("{:3200}", "((SEG: Navigation ver 1.0))");
    // Declared and missing; of a length that is not declared, in one record and in two.
    for (declared, records, said) in [(1_i32, 0, "declare 1 record of a trailer"), (-1, 1, ""), (-1, 2, "")] {
        let survey = survey(|bytes| {
            as_rev_2(bytes);
            put(bytes, 3529, &declared.to_be_bytes());
            bytes.extend(stanza.repeat(records).into_bytes());
        });
        let (document, stderr) = round_trip(&survey, &[]);
        assert_eq!(document["geometry"]["n_traces"], 20, "{declared} {records}");
        assert!(stderr.contains(said), "{stderr}");
    }
}

#[test]
fn another_length_that_the_trace_headers_state_is_offered_even_if_the_first_divides_the_size() {
    // 40 samples make traces of 400 bytes, 32 of them.
    for fixed in [0, 1] {
        let survey = survey(|bytes| {
            put(bytes, 3221, &40_u16.to_be_bytes());
            put(bytes, 3503, &[0, fixed]);
        });
        let why = refused(&survey, &[], 3);
        assert!(why.contains("--samples"), "{why}");
        assert_eq!(n_traces(&survey, &["--samples", "100"]), 20);
    }
}

#[test]
fn lengths_that_vary_are_noticed_though_the_flag_says_they_do_not() {
    // Traces of 90, 110 and 100 samples, as long together as three of 100.
    let survey = survey(|bytes| {
        put(bytes, 3503, &[0, 1]);
        for (at, n) in [(0, 90_u16), (TRACE - 40, 110)] {
            put(&mut bytes[FILE_HEADER + at..], 115, &n.to_be_bytes());
        }
        let second = bytes[FILE_HEADER + TRACE..FILE_HEADER + TRACE + 240].to_vec();
        bytes[FILE_HEADER + TRACE - 40..][..240].copy_from_slice(&second);
        put(&mut bytes[FILE_HEADER + TRACE - 40..], 115, &110_u16.to_be_bytes());
    });
    let why = refused(&survey, &[], 3);
    assert!(why.contains("--ragged pad"), "{why}");
    let (document, _) = round_trip(&survey, &["--ragged", "pad"]);
    assert_eq!(document["geometry"]["samples_per_trace"], serde_json::json!({"min": 90, "max": 110}));
}

#[test]
fn headers_that_are_a_few_bytes_too_long_or_short_are_recognised_by_the_traces() {
    for (what, seems) in [
        (-1, "byte 3600 and not at byte 3601: 1 byte is missing"),
        (3, "byte 3604 and not at byte 3601: 3 bytes are too many"),
    ] {
        let survey = survey(|bytes| match what {
            -1 => drop(bytes.remove(FILE_HEADER - 1)),
            _ => drop(bytes.splice(FILE_HEADER - 50..FILE_HEADER - 50, [0; 3])),
        });
        let why = refused(&survey, &[], 3);
        assert!(why.contains(seems), "{why}");
    }
}

#[test]
fn a_file_without_a_format_code_is_read_in_the_byte_order_that_fits_its_size() {
    let survey = Survey::new(&["--traces", "20", "--samples", "100", "--format", "5", "--endian", "little"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    put(&mut bytes, 3225, &[0, 0]);
    std::fs::write(&survey.input, bytes).unwrap();
    assert!(refused(&survey, &[], 3).contains("give its format with --format"));
    let (document, _) = round_trip(&survey, &["--format", "5"]);
    assert_eq!((&document["segy"]["byte_order"], &document["geometry"]["n_traces"]), (&"little".into(), &20.into()));
}

#[test]
fn intervals_and_units_that_contradict_each_other_are_told() {
    let survey = survey(|bytes| {
        as_rev_2(bytes);
        put(bytes, 3273, &2000_f64.to_be_bytes());
    });
    let (_, said) = round_trip(&survey, &[]);
    assert!(said.contains("bytes 3273-3280 say a sample interval of 2000, bytes 3217-3218 4000"), "{said}");
    let [metres, feet] = [1_u16, 2].map(|system| {
        let mut bytes = std::fs::read(&survey.input).unwrap();
        put(&mut bytes, 3255, &system.to_be_bytes());
        let path = survey.path(&format!("{system}.sgy"));
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let out = survey.path("both");
    let output = run(&[metres.as_str(), &feet, out.to_str().unwrap(), "--no-sync"]);
    assert!(output.status.success() && stderr(&output).contains("are in feet"), "{}", stderr(&output));
}

//! Files whose headers and size disagree: what is listed that would fit, and that it does. Files that change meanwhile.

use crate::support::odd::{STRIDE, changed, noise, refused, round_trip};
use crate::support::{self, Survey, run, stderr};

/// What would fit, as the refusal lists it; each option is tried and has to lead to `n_traces`.
fn what_fits(survey: &Survey, options: &[&str]) -> String {
    let message = refused(survey, options, 3);
    message.split_once("; what would fit: ").unwrap_or_else(|| panic!("{message}")).1.trim().to_owned()
}

fn put_u16(bytes: &mut [u8], byte: usize, value: u16) {
    bytes[byte - 1..byte + 1].copy_from_slice(&value.to_be_bytes());
}

#[test]
fn a_wrong_number_of_samples_is_solved_from_the_size_for_the_user_to_say() {
    // Neither header knows, but the headers repeat where 25 samples have them.
    for (binary, trace) in [(26, 0), (26, 26), (0, 0), (60_000, 25)] {
        let survey = changed(&[], |b| {
            put_u16(b, 3221, binary);
            b[3600..].chunks_mut(STRIDE).for_each(|t| put_u16(t, 115, trace));
        });
        assert_eq!(what_fits(&survey, &[]), "--samples 25 (12 traces, whose headers agree)", "{binary} {trace}");
        let (document, _) = round_trip(&survey, &["--samples", "25"]);
        assert!(document["segy"]["decisions"].to_string().contains("option --samples"));
    }
    // From the trace headers alone it is taken, with a warning.
    let survey = changed(&[], |b| put_u16(b, 3221, 0));
    let (document, said) = round_trip(&survey, &[]);
    assert!(said.contains("25 is taken from the first trace header"), "{said}");
    assert!(document["segy"]["decisions"].to_string().contains("bytes 115-116 of the first trace header"));
}

#[test]
fn one_trace_without_a_count_could_be_anything() {
    let survey = changed(&[], |b| {
        b.truncate(3600 + STRIDE);
        put_u16(b, 3221, 0);
        put_u16(b, 3600 + 115, 0);
    });
    assert_eq!(what_fits(&survey, &[]), "--samples 25 (if it is one single trace)");
}

#[test]
fn a_wrong_format_is_recognised_by_the_size_of_its_samples() {
    let survey = changed(&["--format", "3"], |b| put_u16(b, 3225, 1));
    let fits = what_fits(&survey, &[]);
    assert!(fits.contains("--format 3 or another of 2 bytes (12 traces, whose headers agree)"), "{fits}");
    round_trip(&survey, &["--format", "3"]);
}

#[test]
fn undeclared_extended_headers_and_trailers_are_found_and_can_be_declared() {
    let survey = changed(&[], |b| drop(b.splice(3600..3600, vec![0x40; 2 * 3200])));
    assert_eq!(what_fits(&survey, &[]), "--extended-headers 2 (12 traces, whose headers agree)");
    let (document, _) = round_trip(&survey, &["--extended-headers", "2"]);
    assert_eq!(document["geometry"]["n_traces"], 12);
    assert!(document["segy"]["decisions"].to_string().contains("option --extended-headers"));
    assert!(
        refused(&survey, &["--extended-headers", "9"], 3)
            .contains("they end at byte 32400, and the file has 14080 bytes")
    );

    let survey = changed(&[], |b| put_u16(b, 3505, 7));
    assert_eq!(what_fits(&survey, &[]), "--extended-headers 0 (12 traces, whose headers agree)");
    round_trip(&survey, &["--extended-headers", "0"]);

    let survey = changed(&[], |b| b.extend(noise(1000)));
    assert_eq!(what_fits(&survey, &[]), "--trailer 1000 (12 traces, whose headers agree)");
    let (document, _) = round_trip(&survey, &["--trailer", "1000"]);
    assert_eq!(document["geometry"]["n_traces"], 12);
}

#[test]
fn a_revision_that_the_file_does_not_declare_can_be_said() {
    // One additional trace header, as rev 2.1 has it, in a file that says it is rev 1.
    let survey = changed(&[], |b| {
        let headers: Vec<u8> =
            b[3600..].chunks(STRIDE).flat_map(|t| [&t[..240], &[0; 240], &t[240..]].concat()).collect();
        b.truncate(3600);
        b.extend(headers);
        (b[3500], b[3501]) = (1, 0);
        put_u16(b, 3507, 1);
    });
    let fits = what_fits(&survey, &[]);
    assert!(fits.contains("--revision 2.1 (12 traces, whose headers agree)"), "{fits}");
    let (document, _) = round_trip(&survey, &["--revision", "2.1"]);
    assert_eq!(document["segy"]["additional_trace_headers"], 1);
    assert!(document["segy"]["decisions"].to_string().contains("option --revision"));
    assert!(refused(&survey, &["--revision", "3"], 2).contains("0, 1, 2.0 or 2.1"));
}

#[test]
fn the_interval_comes_from_the_binary_header_or_the_first_trace_and_else_nowhere() {
    let interval = |binary: u16, trace: u16| {
        let survey = changed(&[], |b| {
            put_u16(b, 3217, binary);
            b[3600..].chunks_mut(STRIDE).for_each(|t| put_u16(t, 117, trace));
        });
        let (document, said) = round_trip(&survey, &[]);
        let decisions = document["segy"]["decisions"].as_array().unwrap().clone();
        let decision = decisions.into_iter().find(|d| d["what"] == "sample interval");
        (document["geometry"]["sample_interval_us"].clone(), decision.map(|d| d["because"].clone()), said)
    };
    let (value, because, _) = interval(2000, 2000);
    assert_eq!((value, because), (2000.0.into(), Some("bytes 3217-3218".into())));
    let (value, _, said) = interval(2000, 4000);
    assert!(value == 2000.0 && said.contains("the binary header says a sample interval of 2000"), "{said}");
    let (value, because, _) = interval(0, 4000);
    assert!(value == 4000.0 && because.unwrap().to_string().contains("bytes 117-118"));
    let (value, because, said) = interval(0, 0);
    assert!(value.is_null() && because.is_none() && said.contains("the sample axis counts samples"), "{said}");
}

#[test]
fn an_input_that_is_rewritten_meanwhile_is_noticed_and_nothing_is_kept() {
    use segy_import::Phase;
    let survey = Survey::new(&["--traces", "500", "--samples", "10"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    let config = segy_import::ImportConfig::new(&survey.input, survey.path("out"));
    type Change<'a> = &'a dyn Fn();
    let rewrite = || std::fs::write(&survey.input, &bytes).unwrap();
    let replace = || {
        std::fs::write(survey.path("other"), &bytes).unwrap();
        let times =
            std::fs::FileTimes::new().set_modified(std::fs::metadata(&survey.input).unwrap().modified().unwrap());
        std::fs::File::options().write(true).open(survey.path("other")).unwrap().set_times(times).unwrap();
        std::fs::rename(survey.path("other"), &survey.input).unwrap();
    };
    for change in [&rewrite as Change, &replace as Change] {
        let mut done = false;
        let mut on_progress = |p: &segy_import::ImportProgress| {
            if p.phase == Phase::Merging && !std::mem::replace(&mut done, true) {
                change();
            }
        };
        let error = segy_import::import(&config, &mut on_progress, &segy_import::CancelHandle::new()).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(error.to_string().contains("was changed or replaced while it was being read"), "{error}");
        assert!(!survey.path("out").exists());
    }
    segy_import::import(&config, &mut |_| {}, &segy_import::CancelHandle::new()).unwrap();
}

#[test]
fn planning_stops_when_it_is_asked_to() {
    let survey = Survey::new(&["--traces", "500", "--samples", "10"]);
    let mut config = segy_import::ImportConfig::new(&survey.input, survey.path("out"));
    config.segments = Some(2);
    config.chunk_traces = Some(100);
    let cancel = segy_import::CancelHandle::new();
    assert_eq!(config.plan_watched(&|_| Ok(()), &cancel).unwrap().segments.len(), 2);
    cancel.cancel();
    assert_eq!(config.plan_watched(&|_| Ok(()), &cancel).unwrap_err().exit_code(), 128 + 15);
}

#[test]
fn inspect_reads_the_same_through_a_map_and_without() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", "25"]);
    let report = |io| {
        let output = run(&["inspect".as_ref(), survey.input.as_os_str(), "--scan".as_ref(), "--io".as_ref(), io]);
        assert!(output.status.success(), "{}", stderr(&output));
        support::stdout(&output)
    };
    assert_eq!(report("pread".as_ref()), report("mmap".as_ref()));
}

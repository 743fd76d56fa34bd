//! Traces of varying length.

use std::path::Path;

use crate::support::datasets::{column, metadata, verify};
use crate::support::{Survey, assert_same, run, stderr, stdout};

const FILE_HEADER: usize = 3600;
const HEADER: usize = 240;
const PROCESSES: [&str; 2] = ["--parallel-threshold", "0"];

/// A survey whose traces are cut to these numbers of samples, over and over, as their headers say.
fn ragged_survey(format: usize, endian: &str, traces: usize, counts: &[usize]) -> Survey {
    let longest = counts.iter().max().unwrap();
    let (n, samples, code) = (traces.to_string(), longest.to_string(), format.to_string());
    let arguments =
        ["--kind", "prestack", "--traces", &n, "--samples", &samples, "--format", &code, "--endian", endian];
    let survey = Survey::new(&arguments);
    let bytes = std::fs::read(&survey.input).unwrap();
    let size = (bytes.len() - FILE_HEADER) / traces - HEADER;
    let mut cut = bytes[..FILE_HEADER].to_vec();
    // Nothing says that all traces have one length.
    cut[302 + 3200..304 + 3200].fill(0);
    for (trace, &n) in bytes[FILE_HEADER..].chunks(HEADER + size).zip(counts.iter().cycle()) {
        let at = cut.len();
        cut.extend_from_slice(&trace[..HEADER + size / longest * n]);
        let count = n as u16;
        let count = if endian == "big" { count.to_be_bytes() } else { count.to_le_bytes() };
        cut[at + 114..at + 116].copy_from_slice(&count);
    }
    std::fs::write(&survey.input, cut).unwrap();
    survey
}

/// Asserts that the dataset gives its one file back and equals it.
fn assert_comes_back(input: &Path, out: &Path) {
    let back = out.with_extension("back");
    let output = run(&["export".as_ref(), out.as_os_str(), back.as_os_str()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(std::fs::read(input).unwrap() == std::fs::read(&back).unwrap(), "{} does not come back", input.display());
    std::fs::remove_file(&back).unwrap();
    for inputs in [&[input][..], &[]] {
        let output = verify(inputs, out);
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

/// Samples of each trace as little-endian words, from an array of one uncompressed chunk.
fn words(out: &Path) -> Vec<[u8; 4]> {
    let chunk = std::fs::read(out.join("traces.zarr/c/0/0")).unwrap();
    chunk[..chunk.len() - 4].as_chunks().0.to_vec()
}

#[test]
fn traces_of_varying_length_are_padded_with_zeros() {
    let counts = [30, 7, 30, 30, 12];
    let survey = ragged_survey(5, "big", 11, &counts);
    let out = survey.import("out", &["--ragged", "pad", "--codec", "none"]);
    let expected: Vec<i64> = counts.iter().cycle().take(11).map(|&n| n as i64).collect();
    assert_eq!(column(&out, "n_samples"), expected);
    let document = metadata(&out);
    assert_eq!(document["geometry"]["n_samples"], 30);
    assert_eq!(document["geometry"]["samples_per_trace"], serde_json::json!({"min": 7, "max": 30}));

    let bytes = std::fs::read(&survey.input).unwrap();
    let (mut at, stored) = (FILE_HEADER, words(&out));
    for (&n, trace) in counts.iter().cycle().zip(stored.chunks(30)) {
        let samples = bytes[at + HEADER..][..4 * n].as_chunks::<4>().0;
        assert!(samples.iter().zip(trace).all(|(a, b)| u32::from_be_bytes(*a) == u32::from_le_bytes(*b)));
        assert!(trace[n..].iter().all(|&word| word == [0; 4]), "not padded with 0");
        at += HEADER + 4 * n;
    }
    assert_eq!(at, bytes.len());
}

#[test]
fn traces_of_varying_length_come_back_in_every_way() {
    for (format, endian) in [(1, "big"), (3, "little"), (7, "big"), (6, "little"), (8, "big")] {
        let survey = ragged_survey(format, endian, 1000, &[50, 51, 51, 3, 80, 80, 80, 1, 22]);
        let pad = ["--ragged", "pad", "--chunk-traces", "60", "--gather", "field_record"];
        let one = survey.import("one", &pad);
        assert_comes_back(&survey.input, &one);
        for more in [&["--workers", "3", "--segments", "7"][..], &["--io", "mmap"], &["--io", "pread"]] {
            let other = survey.import("other", &[&pad, &PROCESSES[..], more].concat());
            assert_same(&one, &other);
            std::fs::remove_dir_all(other).unwrap();
        }
        for more in [&["--shard", "2"][..], &["--codec", "none", "--order", "trace-sample"], &["--verify"]] {
            let name = more.concat();
            assert_comes_back(&survey.input, &survey.import(&name, &[&pad, more].concat()));
        }
    }
}

/// Traces with an additional header `SEG00001`, whose 32-bit count says how long they are.
#[test]
fn long_traces_of_varying_length_are_cut_along_the_samples() {
    let counts = [300_001u32, 10, 270_000, 300_001, 65_536, 600_000];
    let survey = Survey::new(&["--traces", "1", "--samples", "10", "--format", "1"]);
    let mut bytes = std::fs::read(&survey.input).unwrap()[..FILE_HEADER].to_vec();
    bytes[3300 - 4..3300].copy_from_slice(&0x0102_0304u32.to_be_bytes());
    bytes[3500..3502].copy_from_slice(&[2, 1]);
    bytes[3502..3504].fill(0);
    bytes[3506..3508].copy_from_slice(&1i16.to_be_bytes());
    for (i, &n) in counts.iter().enumerate() {
        let mut headers = [0; 2 * HEADER];
        headers[23] = i as u8;
        headers[HEADER + 136..HEADER + 140].copy_from_slice(&n.to_be_bytes());
        headers[HEADER + 232..].copy_from_slice(b"SEG00001");
        bytes.extend(headers);
        bytes.extend((0..n).flat_map(|s| (0x4110_0000 + (s * 7 + i as u32) % 0xE0_0000).to_be_bytes()));
    }
    std::fs::write(&survey.input, bytes).unwrap();
    let out = survey.import("out", &["--ragged", "pad", "--chunk-traces", "2", "--codec", "lz4:1"]);
    assert_eq!(metadata(&out)["geometry"]["samples_per_trace"], serde_json::json!({"min": 10, "max": 600_000}));
    assert!(metadata(&out)["options"]["chunk_samples"].as_u64().unwrap() < 600_000);
    assert_comes_back(&survey.input, &out);
    let options = ["--ragged", "pad", "--chunk-traces", "2", "--codec", "lz4:1", "--workers", "2", "--segments", "3"];
    assert_same(&out, &survey.import("other", &[&options[..], &PROCESSES].concat()));
    // What says how long they are stays.
    let table = survey.path("new.csv");
    for column in ["ext1_sample_count", "ext1_additional_tr_headers", "sample_count"] {
        let rows: String = (0..counts.len()).map(|trace| format!("{trace},7\n")).collect();
        std::fs::write(&table, format!("trace_index,{column}\n{rows}")).unwrap();
        let paths = [out.as_path(), &survey.path("back.sgy"), &table].map(|path| path.to_str().unwrap().to_owned());
        let output = run(&["export", &paths[0], &paths[1], "--headers", &paths[2]]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(
            stderr(&output).contains(&format!("{column}, which says how long the trace is")),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn few_long_traces_are_the_same_by_any_number_of_threads() {
    let survey = Survey::new(&["--traces", "3", "--samples", "400001", "--format", "1"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let ordinary = bytes.clone();
    // Hardly any of these words comes back from a float32: more exceptions in a chunk than a thread keeps.
    for (i, word) in bytes[FILE_HEADER + HEADER..][..1_600_004].as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *word = (i as u32).wrapping_mul(2_654_435_761).to_be_bytes();
    }
    // The second trace is zero but for its last sample, which another thread sees.
    let second = FILE_HEADER + 2 * HEADER + 1_600_004;
    bytes[second..second + 1_600_000].fill(0);
    bytes[second + 1_600_000] = 0x41;
    for (name, bytes) in [("odd", bytes), ("ordinary", ordinary)] {
        std::fs::write(&survey.input, bytes).unwrap();
        for shard in [&[][..], &["--shard", "2", "--chunk-traces", "1"]] {
            let import = |n: &str, processes: &[&str]| {
                let options = [&["--codec", "lz4:1", "--workers", n, "--segments", "1"], shard, processes].concat();
                survey.import(&format!("{name}{}{n}{}", shard.len(), processes.len()), &options)
            };
            let one = import("1", &[]);
            assert!(metadata(&one)["options"]["chunk_samples"].as_u64().unwrap() < 300_000);
            assert_same(&one, &import("2", &[]));
            assert_same(&one, &import("5", &PROCESSES));
            assert_comes_back(&survey.input, &one);
            assert_eq!(metadata(&one)["counts"]["n_zero"], 0);
        }
    }
}

#[test]
fn varying_lengths_are_refused_unless_asked_for_and_the_option_named() {
    // Whether the size fits one length by chance or not.
    for counts in [&[30, 7, 12][..], &[30, 20, 40]] {
        let survey = ragged_survey(1, "big", 30, counts);
        let output = survey.command("out", &[]).output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.contains("trace 2 ") && message.contains("--ragged pad"), "{message}");
        assert!(!survey.path("out").exists());
    }
}

#[test]
fn a_chain_of_counts_that_breaks_is_refused_with_the_trace() {
    let survey = ragged_survey(1, "big", 30, &[30, 7, 12]);
    let bytes = std::fs::read(&survey.input).unwrap();
    // The second trace has 7 samples.
    let third = FILE_HEADER + 2 * HEADER + 37 * 4;
    for (count, words) in [(0u16, "trace 3, at byte 4229, says 0 samples"), (60_000, "trace 3 needs 240240 bytes")] {
        let mut changed = bytes.clone();
        changed[third + 114..third + 116].copy_from_slice(&count.to_be_bytes());
        std::fs::write(&survey.input, changed).unwrap();
        let output = survey.command("out", &["--ragged", "pad"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    std::fs::write(&survey.input, &bytes[..bytes.len() - 10]).unwrap();
    assert_eq!(survey.command("out", &["--ragged", "pad"]).output().unwrap().status.code(), Some(3));
    let out = survey.import("cut", &["--ragged", "pad", "--allow-truncated"]);
    assert_eq!(metadata(&out)["geometry"]["n_traces"], 29);
    assert_comes_back(&survey.input, &out);
    let output = survey.command("both", &["--ragged", "pad", "--samples", "30"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn traces_of_one_length_are_read_as_before_with_one_more_column() {
    let survey = Survey::new(&["--traces", "40", "--samples", "25"]);
    let out = survey.import("out", &["--ragged", "pad"]);
    assert_eq!(column(&out, "n_samples"), [25; 40]);
    assert_comes_back(&survey.input, &out);
    let plain = survey.import("plain", &[]);
    let chunk = |out: &Path| std::fs::read(out.join("traces.zarr/c/0/0")).unwrap();
    assert!(chunk(&out) == chunk(&plain));
}

#[test]
fn inspect_and_seismic_unix_follow_the_counts_too() {
    let survey = ragged_survey(5, "little", 1500, &[40, 60, 20]);
    let output = run(&["inspect".as_ref(), survey.input.as_os_str(), "--ragged=pad".as_ref(), "--scan".as_ref()]);
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("20 to 60") && text.contains("all 1,500 trace headers"), "{text}");
    let trace = |n: &str| {
        let options = ["--ragged=pad", "--json", "--trace", n];
        let mut arguments = vec!["inspect".as_ref(), survey.input.as_os_str()];
        arguments.extend(options.iter().map(std::ffi::OsStr::new));
        serde_json::from_str::<serde_json::Value>(&stdout(&run(&arguments))).unwrap()
    };
    assert_eq!(trace("4")["file_byte"], FILE_HEADER + 3 * HEADER + 120 * 4 + 1);

    let su = survey.path("in.su");
    std::fs::write(&su, &std::fs::read(&survey.input).unwrap()[FILE_HEADER..]).unwrap();
    let out = survey.path("su");
    let output = run(&[su.as_os_str(), out.as_os_str(), "--ragged=pad".as_ref()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(column(&out, "n_samples")[..3], [40, 60, 20]);
    assert_comes_back(&su, &out);
    // One length fits the size by chance; without the last trace none does.
    let inspected = run(&["inspect".as_ref(), su.as_os_str()]);
    assert!(
        inspected.status.code() == Some(3) && stderr(&inspected).contains("--ragged pad"),
        "{}",
        stderr(&inspected)
    );
    let bytes = std::fs::read(&su).unwrap();
    std::fs::write(&su, &bytes[..bytes.len() - HEADER - 20 * 4]).unwrap();
    let refused = run(&[su.as_os_str(), survey.path("refused").as_os_str()]);
    let message = stderr(&refused);
    assert_eq!(refused.status.code(), Some(3), "{message}");
    assert!(message.contains("trace 2 has 60 samples") && message.contains("--ragged pad"), "{message}");
}

#[test]
fn a_difference_in_a_trace_of_varying_length_is_named() {
    let survey = ragged_survey(5, "big", 30, &[30, 7, 12]);
    let out = survey.import("out", &["--ragged", "pad"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    // Trace 6, sample 3.
    bytes[FILE_HEADER + 6 * HEADER + (30 + 7 + 12 + 30 + 7 + 2) * 4] ^= 1;
    std::fs::write(&survey.input, bytes).unwrap();
    let output = verify(&[&survey.input], &out);
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("(trace 6, sample 3)"), "{}", stderr(&output));
}

#[test]
fn following_the_lengths_is_a_phase_of_its_own() {
    use segy_import::Phase;
    let survey = ragged_survey(3, "big", 20_000, &[3, 5, 4]);
    let mut config = segy_import::ImportConfig::new(&survey.input, survey.path("out"));
    (config.overrides.ragged, config.sync) = (segy_import::Ragged::Pad, false);
    let mut reports = Vec::new();
    let mut on_progress = |progress: &segy_import::ImportProgress| {
        if progress.phase == Phase::Indexing {
            reports.push((progress.current_traces, progress.total_traces));
        }
    };
    let result = segy_import::import(&config, &mut on_progress, &segy_import::CancelHandle::new()).unwrap();
    assert!(result.phases.iter().any(|(phase, _)| *phase == Phase::Indexing));
    // How many there are is an estimate by the bytes.
    assert!(!reports.is_empty());
    assert!(reports.iter().all(|&(done, all)| done <= all && (19_900..20_100).contains(&all)), "{reports:?}");
}

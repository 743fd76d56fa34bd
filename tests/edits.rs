//! Samples that were changed in the array since the import, on their way back to SEG-Y.

use std::path::Path;

use crate::support::{Survey, run, stderr};

const FILE_HEADER: usize = 3600;
const HEADER: usize = 240;
const N_TRACES: usize = 40;
const N_SAMPLES: usize = 50;

/// A survey in one uncompressed chunk, with `words` for its samples where there are some.
fn imported(format: &str, options: &[&str], words: &[u32]) -> Survey {
    let (traces, samples) = (N_TRACES.to_string(), N_SAMPLES.to_string());
    let survey = Survey::new(&["--traces", &traces, "--samples", &samples, "--format", format]);
    if !words.is_empty() {
        let mut bytes = std::fs::read(&survey.input).unwrap();
        let mut words = words.iter().cycle();
        for trace in bytes[FILE_HEADER..].chunks_mut(HEADER + 4 * N_SAMPLES) {
            for (place, word) in trace[HEADER..].chunks_mut(4).zip(&mut words) {
                place.copy_from_slice(&word.to_be_bytes());
            }
        }
        std::fs::write(&survey.input, bytes).unwrap();
    }
    survey.import("out", &[&["--codec", "none"], options].concat());
    survey
}

fn crc32c(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc)))
}

/// Changes stored values as a program would that writes the array: the chunk gets the checksum of its new bytes.
fn edit(survey: &Survey, mut change: impl FnMut(usize, &mut [u8; 4])) {
    let chunk = survey.path("out").join("traces.zarr/c/0/0");
    let mut bytes = std::fs::read(&chunk).unwrap();
    let n = bytes.len() - 4;
    bytes[..n].as_chunks_mut().0.iter_mut().enumerate().for_each(|(i, value)| change(i, value));
    let crc = crc32c(&bytes[..n]);
    bytes[n..].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(chunk, bytes).unwrap();
}

fn edit_floats(survey: &Survey, change: impl Fn(usize) -> Option<f32>) {
    edit(survey, |i, value| {
        if let Some(new) = change(i) {
            *value = new.to_le_bytes();
        }
    });
}

fn export(survey: &Survey, options: &[&str]) -> Result<Vec<u8>, String> {
    let (out, back) = (survey.path("out"), survey.path("back.sgy"));
    let mut arguments = vec!["export", out.to_str().unwrap(), back.to_str().unwrap()];
    arguments.extend(options);
    let _ = std::fs::remove_file(&back);
    let output = run(&arguments);
    if output.status.success() {
        Ok(std::fs::read(back).unwrap())
    } else {
        assert!(!back.exists() && matches!(output.status.code(), Some(2 | 3)), "{}", stderr(&output));
        Err(stderr(&output))
    }
}

/// The samples of a file with four bytes each, as big-endian words.
fn words(file: &[u8]) -> Vec<u32> {
    let traces = file[FILE_HEADER..].chunks(HEADER + 4 * N_SAMPLES);
    traces.flat_map(|trace| trace[HEADER..].as_chunks().0.iter().map(|b| u32::from_be_bytes(*b))).collect()
}

fn ibm(word: u32) -> f64 {
    let magnitude = f64::from(word & 0xFF_FFFF) * 16f64.powi((word >> 24 & 0x7F) as i32 - 70);
    if word >> 31 == 1 { -magnitude } else { magnitude }
}

/// Values all over the range of float32, of which hardly any is an IBM float.
fn spread(i: usize) -> f32 {
    let bits = (i as u32).wrapping_mul(2_654_435_761).rotate_left(i as u32 % 32);
    let value = f32::from_bits(bits);
    if value.is_finite() { value } else { f32::from_bits(bits & 0x7F7F_FFFF) }
}

#[test]
fn changed_samples_become_the_nearest_ibm_floats() {
    let survey = imported("1", &[], &[]);
    edit_floats(&survey, |i| Some(spread(i)));
    let words = words(&export(&survey, &[]).unwrap());
    assert_eq!(words.len(), N_TRACES * N_SAMPLES);
    let mut n_inexact = 0;
    for (i, word) in words.into_iter().enumerate() {
        let value = f64::from(spread(i));
        let error = (ibm(word) - value).abs();
        n_inexact += u32::from(error > 0.0);
        assert!(error <= ibm(word & 0x7F00_0000 | 1) / 2.0, "sample {i}: {value:e} became {word:#010x}");
    }
    assert!(n_inexact > 500, "{n_inexact}");
}

#[test]
fn a_changed_sample_does_not_come_back_as_the_word_that_was_kept_of_it() {
    // Not normalised, and gains larger than needed: all of them are kept as exceptions.
    for (format, word, new) in [("1", 0x4200_0001, 0x4430_3900), ("4", 0x0003_0100, 0x0000_3039)] {
        let survey = imported(format, &[], &[word]);
        assert!(survey.path("out/exceptions.parquet").exists());
        edit_floats(&survey, |i| (i % 3 == 0).then_some(12345.0));
        let words = words(&export(&survey, &[]).unwrap());
        for (i, found) in words.into_iter().enumerate() {
            assert_eq!(found, if i % 3 == 0 { new } else { word }, "format {format}, sample {i}: {found:#010x}");
        }
    }
}

#[test]
fn what_a_format_does_not_have_is_named_or_replaced() {
    for (format, options, value, is_number) in [
        ("1", [].as_slice(), f32::NAN, false),
        ("1", &[], f32::INFINITY, false),
        ("4", &[], f32::NEG_INFINITY, false),
        ("3", &["--dtype", "float32"], f32::NAN, false),
        ("3", &["--dtype", "float32"], 32768.0, true),
        ("16", &["--dtype", "float32"], -1.0, true),
    ] {
        let survey = imported(format, options, &[]);
        let before = export(&survey, &[]).unwrap();
        let index = 7 * N_SAMPLES + 3;
        edit_floats(&survey, |i| (i == index).then_some(value));
        let why = export(&survey, &[]).unwrap_err();
        assert!(why.contains("trace 8, sample 4: ") && why.contains("--format 5"), "{why}");
        assert_eq!(why.contains("--nan"), !is_number, "{why}");
        let kept = words(&export(&survey, &["--format", "5"]).unwrap());
        assert_eq!(f32::from_bits(kept[index]).to_bits(), value.to_bits());
        if is_number {
            assert!(export(&survey, &["--nan", "0"]).is_err(), "it is a number");
            continue;
        }
        let other = export(&survey, &["--nan", "-12"]).unwrap();
        let differing = before.iter().zip(&other).filter(|(a, b)| a != b).count();
        assert!((1..=4).contains(&differing), "{differing} bytes");
        if format == "1" {
            assert_eq!(words(&other)[index], 0xC1C0_0000);
        }
    }
}

#[test]
fn a_sample_that_the_file_cannot_have_had_differs_from_it() {
    let survey = imported("1", &[], &[]);
    edit_floats(&survey, |i| (i == 7).then_some(f32::NAN));
    let output = run(&[Path::new("verify"), &survey.input, &survey.path("out")]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("NaN is beyond") && said.contains("it was changed since the import"), "{said}");
    assert!(!said.contains("--nan"), "{said}");
}

#[test]
fn infinity_that_was_imported_is_no_change() {
    let survey = imported("1", &[], &[0x4110_0000, 0x6110_0000, 0xE110_0000, 0x7FFF_FFFF]);
    assert!(export(&survey, &[]).unwrap() == std::fs::read(&survey.input).unwrap());
}

#[test]
fn integers_beyond_24_bits_are_named() {
    for (format, beyond, wide) in [("7", 8_388_608, "2"), ("15", 16_777_216, "10")] {
        let survey = imported(format, &[], &[]);
        edit(&survey, |i, value| {
            if i == 0 {
                *value = i32::to_le_bytes(beyond)
            }
        });
        let why = export(&survey, &[]).unwrap_err();
        assert!(
            why.contains(&format!("trace 1, sample 1: {beyond}")) && why.contains(&format!("--format {wide}")),
            "{why}"
        );
        assert_eq!(words(&export(&survey, &["--format", wide]).unwrap())[0], beyond as u32);
    }
}

#[test]
fn another_format_takes_the_changed_values_themselves() {
    let survey = imported("1", &[], &[0x4200_0001, 0x4110_0000]);
    // An IBM float of this size has no halves.
    let value = 16_777_215.0 / 2.0;
    edit_floats(&survey, |i| (i < 3).then_some(value));
    let words = words(&export(&survey, &["--format", "5"]).unwrap());
    assert_eq!(words[..4].iter().map(|w| f32::from_bits(*w)).collect::<Vec<_>>(), [value, value, value, 1.0]);
    assert_eq!(f64::from(f32::from_bits(words[4])), ibm(0x4200_0001));
    let why = export_into(&survey, Path::new("back3.sgy"), "3").unwrap_err();
    assert!(why.contains("trace 1, sample 1: ") && why.contains("beyond int16"), "{why}");
}

fn export_into(survey: &Survey, name: &Path, format: &str) -> Result<(), String> {
    let (out, back) = (survey.path("out"), survey.directory.path().join(name));
    let output = run(&["export", out.to_str().unwrap(), back.to_str().unwrap(), "--format", format]);
    if output.status.success() { Ok(()) } else { Err(stderr(&output)) }
}

#[test]
fn a_check_names_the_traces_whose_chunks_were_edited() {
    let said = |survey: &Survey| {
        let output = run(&["verify".as_ref(), survey.path("out").as_os_str()]);
        assert_eq!(output.status.code(), Some(5));
        stderr(&output)
    };
    for options in [&[][..], &["--order", "trace-sample", "--shard", "2"]] {
        let survey = imported("1", &[options, &["--chunk-traces", "3"]].concat(), &[]);
        let chunk = |n: usize| {
            let key = if options.is_empty() { format!("0/{n}") } else { format!("{n}/0") };
            survey.path("out/traces.zarr/c").join(key)
        };
        if options.is_empty() {
            let bytes = [1, 2, 12].map(|n| std::fs::read(chunk(n)).unwrap());
            for (n, bytes) in [2, 12, 1].into_iter().zip(bytes) {
                std::fs::write(chunk(n), bytes).unwrap();
            }
            let message = said(&survey);
            let expected = "3 of its 14 chunks along the traces, with 9 traces, hold other samples than were imported: \
                            traces 4 to 6, 7 to 9, 37 to 39";
            assert!(message.contains(expected), "{message}");
        } else {
            // A shard of two chunks as they are, with two more checksums and an index after them.
            let chunk_bytes = 3 * N_SAMPLES * 4;
            let mut bytes = std::fs::read(chunk(4)).unwrap();
            bytes[chunk_bytes + 4] ^= 1;
            let crc = crc32c(&bytes[chunk_bytes + 4..2 * chunk_bytes + 4]);
            bytes[2 * chunk_bytes + 4..][..4].copy_from_slice(&crc.to_le_bytes());
            std::fs::write(chunk(4), bytes).unwrap();
            let message = said(&survey);
            assert!(message.contains("1 of its 14 chunks") && message.contains("traces 28 to 30"), "{message}");
        }
    }
}

#[test]
fn chunks_that_were_written_again_with_the_same_samples_are_not_called_edited() {
    let survey = Survey::new(&["--traces", "40", "--samples", "500"]);
    survey.import("out", &["--chunk-traces", "9", "--codec", "zstd:1"]);
    let again = survey.import("again", &["--chunk-traces", "9", "--codec", "zstd:9"]);
    let chunk = "traces.zarr/c/0/2";
    std::fs::copy(again.join(chunk), survey.path("out").join(chunk)).unwrap();
    let output = run(&["verify".as_ref(), survey.path("out").as_os_str()]);
    assert_eq!(output.status.code(), Some(5));
    let message = stderr(&output);
    assert!(message.contains("each of its chunks holds the samples that were imported"), "{message}");
}

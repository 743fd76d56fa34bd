//! Nothing is lost: the file comes back byte for byte, and whatever is not as it was is found.

use std::path::{Path, PathBuf};
use std::process::Output;

use proptest::prelude::*;
use segy_import::{CancelHandle, Error, ExportConfig, ImportConfig, Part, Target, export, import};

use crate::support::{Survey, assert_same, contents, run, scratch, stderr};

/// File header, and header of a trace.
const FILE_HEADER: usize = 3600;
const HEADER: usize = 240;

fn export_of(out: &Path, target: &Path) -> Output {
    run(&["export".as_ref(), out.as_os_str(), target.as_os_str()])
}

fn verify(paths: &[&Path]) -> Output {
    let mut arguments = vec!["verify".as_ref()];
    arguments.extend(paths.iter().map(|p| p.as_os_str()));
    run(&arguments)
}

/// Asserts that the dataset gives the file back, equals it, and is undamaged.
fn assert_comes_back(input: &Path, out: &Path) {
    let back = out.with_extension("back");
    let output = export_of(out, &back);
    assert!(output.status.success(), "{}: {}", input.display(), stderr(&output));
    let same = std::fs::read(input).unwrap() == std::fs::read(&back).unwrap();
    assert!(same, "{} does not come back from {}", input.display(), out.display());
    std::fs::remove_file(&back).unwrap();
    for paths in [&[input, out][..], &[out]] {
        let output = verify(paths);
        assert!(output.status.success(), "{}: {}", input.display(), stderr(&output));
    }
}

/// A survey whose samples are these words, as often as they fit.
fn survey_of_words(format: &str, endian: &str, traces: usize, samples: usize, words: &[u32]) -> Survey {
    let (n_traces, n_samples) = (traces.to_string(), samples.to_string());
    let survey = Survey::new(&["--traces", &n_traces, "--samples", &n_samples, "--format", format, "--endian", endian]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let mut words = words.iter().cycle();
    for trace in bytes[FILE_HEADER..].chunks_mut(HEADER + 4 * samples) {
        for (place, word) in trace[HEADER..].chunks_mut(4).zip(&mut words) {
            place.copy_from_slice(&if endian == "big" { word.to_be_bytes() } else { word.to_le_bytes() });
        }
    }
    std::fs::write(&survey.input, bytes).unwrap();
    survey
}

/// Words of which hardly any is normalised, in range and unambiguous, and every one of the odd kinds is there.
fn odd_words(n: u32) -> Vec<u32> {
    let odd = [
        0x0000_0000,
        0x8000_0000,
        0x4000_0000,
        0xC000_0000,
        0x4010_0000,
        0x4001_0000,
        0x4000_0001,
        0x7FFF_FFFF,
        0xFFFF_FFFF,
        0x6110_0000,
        0xE110_0000,
        0x6111_1111,
        0x60FF_FFFF,
        0x2110_0000,
        0x2010_0000,
        0x1B10_0000,
        0x1BFF_FFFF,
        0x0010_0000,
    ];
    odd.into_iter().chain((0..n).map(|i| i.wrapping_mul(2_654_435_761).rotate_left(i % 32))).collect()
}

/// Swaps neighbouring bytes after the textual header and puts the constant there that says so.
fn swap_pairs(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[3296..3300].copy_from_slice(&0x0102_0304u32.to_be_bytes());
    bytes[3200..].as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn every_format_comes_back_in_both_byte_orders() {
    for format in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "15", "16"] {
        for endian in ["big", "little"] {
            let survey = Survey::new(&["--traces", "70", "--samples", "33", "--format", format, "--endian", endian]);
            assert_comes_back(&survey.input, &survey.import("out", &["--chunk-traces", "16"]));
        }
    }
}

#[test]
fn every_codec_order_and_shard_size_comes_back() {
    let survey = survey_of_words("1", "big", 150, 40, &odd_words(977));
    for (i, codec) in ["none", "lz4", "lz4-bit", "zstd", "zstd-plain", "gzip"].into_iter().enumerate() {
        for order in ["sample-trace", "trace-sample"] {
            for shard in [&[][..], &["--shard", "3"]] {
                let name = format!("{i}-{order}-{}", shard.len());
                let out = survey
                    .import(&name, &[&["--codec", codec, "--order", order, "--chunk-traces", "20"], shard].concat());
                assert_comes_back(&survey.input, &out);
            }
        }
    }
}

#[test]
fn long_traces_cut_along_the_samples_come_back() {
    for format in ["1", "7", "8"] {
        for swapped in [false, true] {
            // An odd number of samples of one or three bytes would make traces of odd length, which cannot be swapped.
            let survey = Survey::new(&["--traces", "5", "--samples", "3000002", "--format", format]);
            if swapped {
                swap_pairs(&survey.input);
            }
            let out = survey.import("out", &["--codec", "lz4:1", "--chunk-traces", "2"]);
            let sharded = survey.import("sharded", &["--codec", "lz4:1", "--chunk-traces", "2", "--shard", "2"]);
            assert_comes_back(&survey.input, &out);
            assert_comes_back(&survey.input, &sharded);
        }
    }
}

/// Strips of several chunks are read at once: with so many traces in a chunk not all of them fit into one.
#[test]
fn short_traces_cut_along_the_samples_come_back_from_any_number_of_workers() {
    let survey = Survey::new(&["--traces", "9000", "--samples", "1000"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let odd = odd_words(997);
    for (trace, word) in bytes[FILE_HEADER..].chunks_mut(HEADER + 4000).step_by(7).zip(odd.iter().cycle()) {
        let sample = *word as usize % 1000;
        trace[HEADER + 4 * sample..][..4].copy_from_slice(&word.to_be_bytes());
    }
    std::fs::write(&survey.input, bytes).unwrap();
    for options in [
        &["--access", "slices"][..],
        &["--access", "balanced", "--shard", "2", "--order", "trace-sample"],
        &["--chunk-samples", "70", "--chunk-traces", "4000", "--codec", "none"],
        &["--chunk-samples", "5000", "--codec", "lz4"],
    ] {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        assert_comes_back(&survey.input, &out);
        let many = ["--overwrite", "--parallel-threshold", "0", "--workers", "2", "--segments", "3", "--io", "mmap"];
        assert_same(&out, &survey.import("many", &[options, &many].concat()));
    }
}

#[test]
fn odd_words_in_long_traces_come_back() {
    let survey = survey_of_words("1", "big", 7, 200_001, &odd_words(100_003));
    let out = survey.import("out", &["--codec", "lz4:1", "--chunk-traces", "3", "--chunk-samples", "65536"]);
    assert_comes_back(&survey.input, &out);
}

#[test]
fn files_swapped_in_pairs_come_back() {
    for format in ["1", "3", "5", "8"] {
        let survey = Survey::new(&["--traces", "50", "--samples", "30", "--format", format]);
        swap_pairs(&survey.input);
        let out = survey.import("out", &[]);
        let metadata = std::fs::read_to_string(out.join("metadata.json")).unwrap();
        assert!(metadata.contains("\"pairwise_swapped\": true"));
        assert_comes_back(&survey.input, &out);
    }
}

#[test]
fn seismic_unix_files_and_bytes_after_the_last_trace_come_back() {
    let survey = Survey::new(&["--traces", "40", "--samples", "25", "--format", "5"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    let su = survey.path("in.su");
    std::fs::write(&su, &bytes[FILE_HEADER..]).unwrap();
    let out = survey.path("su");
    let output = run(&[su.as_os_str(), out.as_os_str()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_comes_back(&su, &out);

    std::fs::write(&survey.input, &bytes[..bytes.len() - 17]).unwrap();
    let out = survey.import("cut", &["--allow-truncated"]);
    assert_comes_back(&survey.input, &out);
}

#[test]
fn integers_of_up_to_24_bits_come_back_from_float32() {
    for format in ["3", "7", "8", "11", "15", "16"] {
        let survey = Survey::new(&["--traces", "30", "--samples", "20", "--format", format]);
        assert_comes_back(&survey.input, &survey.import("out", &["--dtype", "float32"]));
    }
}

#[test]
fn odd_words_are_kept_in_the_same_table_by_any_number_of_workers() {
    for format in ["1", "4"] {
        for endian in ["big", "little"] {
            let survey = survey_of_words(format, endian, 400, 50, &odd_words(5003));
            let one = survey.import("one", &["--chunk-traces", "30"]);
            assert!(one.join("exceptions.parquet").is_file());
            assert_comes_back(&survey.input, &one);
            for n in ["2", "5"] {
                let options = ["--chunk-traces", "30", "--workers", n, "--segments", n, "--parallel-threshold", "0"];
                assert_same(&one, &survey.import(n, &options));
            }
        }
    }
}

#[test]
fn ordinary_samples_need_no_table_and_one_of_an_old_dataset_goes() {
    let odd = survey_of_words("1", "big", 20, 10, &odd_words(5));
    let out = odd.import("out", &[]);
    assert!(out.join("exceptions.parquet").is_file());
    let ordinary = Survey::new(&["--traces", "20", "--samples", "10"]);
    let output = run(&[ordinary.input.as_os_str(), out.as_os_str(), "--overwrite".as_ref()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!out.join("exceptions.parquet").exists());
    assert_comes_back(&ordinary.input, &out);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_words_come_back(words in proptest::collection::vec(any::<u32>(), 1..2000), fixed_point in any::<bool>()) {
        let survey = survey_of_words(if fixed_point { "4" } else { "1" }, "big", 40, 50, &words);
        let mut config = ImportConfig::new(&survey.input, survey.path("out"));
        config.chunk_traces = Some(7);
        config.verify = true;
        config.sync = false;
        import(&config, &mut |_| {}, &CancelHandle::new()).unwrap();
        let back = ExportConfig {
            dataset: survey.path("out"),
            target: survey.path("back"),
            file: None,
            part: Part::All,
            conversion: Target::default(),
            nan: None,
            lossy: false, overwrite: false,
            sync: false, ..ExportConfig::default() };
        export(&back, &mut |_, _| {}, &CancelHandle::new()).unwrap();
        prop_assert!(std::fs::read(&survey.input).unwrap() == std::fs::read(&back.target).unwrap());
    }
}

#[test]
fn every_file_of_the_corpus_that_is_imported_comes_back() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("SEGY_IMPORT_CORPUS").map_or(beside, PathBuf::from);
    let folders = [corpus.join("files"), corpus.join("edge")];
    let files = folders.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    if files.is_empty() {
        use std::io::Write;
        // Not caught by the test harness, so that nobody takes it for done.
        writeln!(std::io::stderr(), "skipped: no corpus in {} (SEGY_IMPORT_CORPUS)", corpus.display()).unwrap();
        return;
    }
    let directory = scratch();
    let mut n_imported = 0;
    for (i, file) in files.iter().enumerate() {
        let out = directory.path().join(i.to_string());
        if run(&[file.as_os_str(), out.as_os_str()]).status.success() {
            assert_comes_back(file, &out);
            n_imported += 1;
        }
    }
    assert!(n_imported > files.len() / 2, "only {n_imported} of {} were imported", files.len());
}

#[test]
fn a_dataset_that_lacks_a_part_of_the_file_is_not_exported() {
    let survey = Survey::new(&["--traces", "20", "--samples", "10", "--format", "6"]);
    for (option, word) in [(&["--no-raw-header"][..], "--no-raw-header"), (&["--dtype", "float32"], "--dtype float32")]
    {
        let out = survey.import(word, option);
        let back = survey.path("back");
        for output in [export_of(&out, &back), verify(&[&survey.input, &out])] {
            assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
            assert!(stderr(&output).contains(word), "{}", stderr(&output));
        }
        assert!(!back.exists() && verify(&[&out]).status.success());
        let output = survey.command("verified", &[option, &["--verify"]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(word) && !survey.path("verified").exists());
    }
}

#[test]
fn most_of_a_cut_trace_comes_back() {
    let survey = Survey::new(&["--traces", "2", "--samples", "5000000"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    std::fs::write(&survey.input, &bytes[..bytes.len() - 1_000_000]).unwrap();
    let out = survey.import("out", &["--allow-truncated", "--codec", "lz4:1"]);
    assert_eq!(std::fs::metadata(out.join("original/after_traces.bin")).unwrap().len(), 19_000_240);
    assert_comes_back(&survey.input, &out);
}

#[test]
fn a_file_in_the_way_of_an_export_stays() {
    let survey = Survey::new(&["--traces", "20", "--samples", "10"]);
    let out = survey.import("out", &[]);
    let back = survey.path("back.sgy");
    std::fs::write(&back, "years of work").unwrap();
    let output = export_of(&out, &back);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&back).unwrap(), "years of work");
    let output = run(&["export".as_ref(), out.as_os_str(), back.as_os_str(), "--overwrite".as_ref()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap());
    let output = run(&["export".as_ref(), out.as_os_str(), out.as_os_str(), "--overwrite".as_ref()]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let output = export_of(&survey.path("nothing"), &survey.path("other"));
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[test]
fn a_part_has_the_traces_that_were_asked_for_and_nothing_else() {
    let rev2 = |bytes: &mut Vec<u8>, count: u64, trailer: bool| {
        bytes[3500..3502].copy_from_slice(&[2, 1]);
        bytes[3512..3520].copy_from_slice(&count.to_be_bytes());
        if trailer {
            bytes[3528..3532].copy_from_slice(&1u32.to_be_bytes());
            bytes.extend([0x40; 3200]);
        }
    };
    for swapped in [false, true] {
        let survey = survey_of_words("1", "big", 400, 30, &odd_words(977));
        let stride = HEADER + 120;
        let mut bytes = std::fs::read(&survey.input).unwrap();
        bytes[FILE_HEADER..]
            .chunks_mut(stride)
            .enumerate()
            .for_each(|(i, t)| t[20..24].copy_from_slice(&(i as u32 / 9).to_be_bytes()));
        rev2(&mut bytes, 400, true);
        std::fs::write(&survey.input, &bytes).unwrap();
        if swapped {
            swap_pairs(&survey.input);
            bytes = std::fs::read(&survey.input).unwrap();
        }
        let out = survey.import("out", &["--chunk-traces", "7", "--gather", "cdp"]);
        let cases = [
            ("--traces", "0:1", 0..1),
            ("--traces", "399:", 399..400),
            ("--traces", "13:290", 13..290),
            ("--traces", ":400", 0..400),
            ("--gathers", "1:3", 9..27),
            ("--gathers", "44:", 396..400),
        ];
        for (option, span, traces) in cases {
            let back = survey.path("back.sgy");
            let arguments = [
                "export".as_ref(),
                out.as_os_str(),
                back.as_os_str(),
                option.as_ref(),
                span.as_ref(),
                "--overwrite".as_ref(),
            ];
            let output = run(&arguments);
            assert!(output.status.success(), "{option} {span}: {}", stderr(&output));
            let mut expected = bytes[..FILE_HEADER].to_vec();
            let mut count = (traces.len() as u64).to_be_bytes();
            if swapped {
                count.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
            }
            expected[3512..3520].copy_from_slice(&count);
            expected.extend(&bytes[FILE_HEADER + traces.start * stride..FILE_HEADER + traces.end * stride]);
            expected.extend(&bytes[FILE_HEADER + 400 * stride..]);
            assert!(std::fs::read(&back).unwrap() == expected, "{option} {span}");
            // What was written is a file like any other.
            let again = survey.path("again");
            let output = run(&[back.as_os_str(), again.as_os_str(), "--verify".as_ref(), "--overwrite".as_ref()]);
            assert!(output.status.success(), "{option} {span}: {}", stderr(&output));
        }
        for (option, span, said) in [
            ("--traces", "0:401", "has 400 traces"),
            ("--gathers", "45:", "has 45 gathers"),
            ("--traces", "7:7", "is empty"),
        ] {
            let back = survey.path("refused");
            let output = run(&["export".as_ref(), out.as_os_str(), back.as_os_str(), option.as_ref(), span.as_ref()]);
            assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
            assert!(stderr(&output).contains(said) && !back.exists(), "{}", stderr(&output));
        }
    }
    // Bytes after the traces that nothing declares belong to the whole file alone.
    let survey = Survey::new(&["--traces", "40", "--samples", "25"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    std::fs::write(&survey.input, &bytes[..bytes.len() - 17]).unwrap();
    let out = survey.import("out", &["--allow-truncated"]);
    let back = survey.path("back");
    assert!(
        run(&["export".as_ref(), out.as_os_str(), back.as_os_str(), "--traces".as_ref(), "30:".as_ref()])
            .status
            .success()
    );
    assert!(
        std::fs::read(&back).unwrap() == [&bytes[..FILE_HEADER], &bytes[FILE_HEADER + 30 * 340..][..9 * 340]].concat()
    );
}

#[test]
fn a_cancelled_or_failed_export_leaves_nothing() {
    let survey = Survey::new(&["--traces", "3000", "--samples", "200"]);
    let out = survey.import("out", &["--chunk-traces", "50"]);
    let folder = survey.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let config = ExportConfig {
        dataset: out.clone(),
        target: folder.join("back.sgy"),
        file: None,
        part: Part::All,
        conversion: Target::default(),
        nan: None,
        lossy: false,
        overwrite: false,
        sync: false,
        ..ExportConfig::default()
    };
    let cancel = CancelHandle::new();
    cancel.cancel();
    assert!(matches!(export(&config, &mut |_, _| {}, &cancel), Err(Error::Cancelled { .. })));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_file(out.join("traces.zarr/c/0/7")).unwrap();
    assert!(matches!(export(&config, &mut |_, _| {}, &CancelHandle::new()), Err(Error::Damaged(_))));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn the_first_difference_is_named() {
    let survey = Survey::new(&["--traces", "300", "--samples", "100"]);
    let out = survey.import("out", &["--chunk-traces", "10"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    let trace = |i: usize| FILE_HEADER + i * (HEADER + 400);
    let cases = [
        (10, "byte 11 (before the traces)"),
        (trace(0) + 20, "(trace 1, byte 21 of its headers)"),
        (trace(123) + HEADER + 4 * 45 + 2, "(trace 124, sample 46)"),
        (trace(299) + HEADER + 396, "(trace 300, sample 100)"),
    ];
    for (offset, place) in cases {
        let mut changed = bytes.clone();
        // A later difference must not be the one that is named.
        for at in [offset, bytes.len() - 1] {
            changed[at] ^= 0x11;
        }
        std::fs::write(&survey.input, changed).unwrap();
        let output = verify(&[&survey.input, &out]);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        let message = stderr(&output);
        let named =
            message.contains(place) && message.contains(" in the file, ") && message.contains(" in the dataset");
        assert!(named, "{place}: {message}");
    }
    std::fs::write(&survey.input, &bytes[..bytes.len() - 1]).unwrap();
    let output = verify(&[&survey.input, &out]);
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains(&format!("was made from had {}", bytes.len())), "{}", stderr(&output));
}

#[test]
fn both_values_of_a_sample_are_reported() {
    let survey = survey_of_words("1", "big", 10, 10, &[0x4110_0000]);
    let out = survey.import("out", &[]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes[FILE_HEADER + HEADER + 5] = 0x20;
    std::fs::write(&survey.input, bytes).unwrap();
    let message = stderr(&verify(&[&survey.input, &out]));
    assert!(message.contains("0x41200000 (2) in the file, 0x41100000 (1) in the dataset"), "{message}");
}

#[test]
fn an_import_that_verifies_itself_makes_the_same_dataset() {
    let survey = survey_of_words("1", "big", 300, 20, &odd_words(977));
    let out = survey.import("out", &["--chunk-traces", "20"]);
    let options = ["--chunk-traces", "20", "--verify", "--parallel-threshold", "0", "--segments", "3"];
    assert_same(&out, &survey.import("verified", &options));
}

#[test]
fn a_missing_file_is_found() {
    let survey = survey_of_words("1", "big", 100, 20, &odd_words(97));
    let out = survey.import("out", &["--chunk-traces", "10"]);
    for (name, bytes) in contents(&out) {
        std::fs::remove_file(out.join(&name)).unwrap();
        assert!(!verify(&[&out]).status.success(), "{} is not missed", name.display());
        assert!(!verify(&[&survey.input, &out]).status.success(), "{} is not missed", name.display());
        std::fs::write(out.join(&name), bytes).unwrap();
    }
    assert!(verify(&[&out]).status.success());
}

#[test]
fn chunks_in_each_others_places_are_found() {
    let survey = Survey::new(&["--traces", "100", "--samples", "20"]);
    let out = survey.import("out", &["--chunk-traces", "10", "--parallel-threshold", "0", "--segments", "3"]);
    assert!(verify(&[&out]).status.success());
    let chunk = |i: usize| out.join(format!("traces.zarr/c/0/{i}"));
    let (third, eighth) = (std::fs::read(chunk(3)).unwrap(), std::fs::read(chunk(8)).unwrap());
    std::fs::write(chunk(3), &eighth).unwrap();
    for (other, n_chunks, n_traces) in [(&third, 2, 20), (&eighth, 1, 10)] {
        std::fs::write(chunk(8), other).unwrap();
        let output = verify(&[&out]);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        assert!(
            stderr(&output)
                .contains(&format!("{n_chunks} of its 10 chunks along the traces, with {n_traces} traces, hold")),
            "{}",
            stderr(&output)
        );
    }
    std::fs::write(chunk(3), &third).unwrap();
    assert!(verify(&[&out]).status.success());
}

/// Damages single bytes all over a dataset, one at a time: `SEGY_IMPORT_CORRUPTIONS` says how many.
#[test]
fn every_damaged_byte_is_found() {
    let n = std::env::var("SEGY_IMPORT_CORRUPTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100u64);
    let survey = survey_of_words("1", "big", 200, 30, &odd_words(977));
    let chunks = ["--chunk-traces", "30"];
    let grid = ["--grid", "cdp", "--duplicates", "aside", "--brick", "30,10"];
    let flat = [&chunks[..], &[&chunks[..], &["--shard", "3", "--codec", "none"]].concat()];
    let grids = [&grid[..], &[&grid[..], &["--shard", "60,all", "--codec", "none"]].concat()];
    for (name, options) in [("flat", flat), ("grid", grids)] {
        let [one, other] = options.map(|options| survey.import(&format!("{name}{}", options.len()), options));
        damage_bytes(n, &[&one, &other]);
    }
}

fn damage_bytes(n: u64, datasets: &[&Path]) {
    let files: Vec<(&Path, PathBuf, Vec<u8>)> =
        datasets.iter().flat_map(|out| contents(out).into_iter().map(|(name, bytes)| (*out, name, bytes))).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for i in 0..n {
        // Every file in turn, so that the small ones have their share.
        let (out, name, bytes) = &files[i as usize % files.len()];
        let (at, change) = (random(bytes.len()), 1 + random(255) as u8);
        let mut damaged = bytes.clone();
        damaged[at] ^= change;
        std::fs::write(out.join(name), damaged).unwrap();
        let result = segy_import::check(out, &mut |_, _| {}, &CancelHandle::new());
        assert!(result.is_err(), "byte {at} of {} changed by {change:#04x} is not found", name.display());
        std::fs::write(out.join(name), bytes).unwrap();
    }
    datasets.iter().for_each(|out| assert!(verify(&[out]).status.success(), "{}", out.display()));
}

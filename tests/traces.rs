//! Where traces lie: traces of varying length, and several files as one dataset.

mod support;

use std::path::{Path, PathBuf};
use std::process::Output;

use support::{Survey, assert_same, run, stderr, stdout};

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

fn metadata(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(out.join("metadata.json")).unwrap()).unwrap()
}

/// A column of whole numbers of the header table.
fn column(out: &Path, name: &str) -> Vec<i64> {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Int64Type};
    let file = std::fs::File::open(out.join("headers.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let values = |batch: arrow::record_batch::RecordBatch| {
        let column = arrow::compute::cast(batch.column_by_name(name).unwrap(), &DataType::Int64).unwrap();
        column.as_primitive::<Int64Type>().values().to_vec()
    };
    reader.flat_map(|batch| values(batch.unwrap())).collect()
}

fn verify(inputs: &[&Path], out: &Path) -> Output {
    let mut arguments = vec!["verify".as_ref()];
    arguments.extend(inputs.iter().map(|p| p.as_os_str()));
    arguments.push(out.as_os_str());
    run(&arguments)
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
}

#[test]
fn few_long_traces_are_the_same_by_any_number_of_threads() {
    let survey = Survey::new(&["--traces", "3", "--samples", "1000001", "--format", "1"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let ordinary = bytes.clone();
    // Hardly any of these words comes back from a float32: more exceptions in a chunk than a thread keeps.
    for (i, word) in bytes[FILE_HEADER + HEADER..][..4_000_004].as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *word = (i as u32).wrapping_mul(2_654_435_761).to_be_bytes();
    }
    // The second trace is zero but for its last sample, which another thread sees.
    let second = FILE_HEADER + 2 * HEADER + 4_000_004;
    bytes[second..second + 4_000_000].fill(0);
    bytes[second + 4_000_000] = 0x41;
    for (name, bytes) in [("odd", bytes), ("ordinary", ordinary)] {
        std::fs::write(&survey.input, bytes).unwrap();
        for shard in [&[][..], &["--shard", "2", "--chunk-traces", "1"]] {
            let import = |n: &str, processes: &[&str]| {
                let options = [&["--codec", "lz4:1", "--workers", n, "--segments", "1"], shard, processes].concat();
                survey.import(&format!("{name}{}{n}{}", shard.len(), processes.len()), &options)
            };
            let one = import("1", &[]);
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
fn one_length_is_read_as_ever_with_a_column_more() {
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
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("(trace 6, sample 3)"), "{}", stderr(&output));
}

/// Surveys that differ in their number of traces and their samples, in one directory.
fn surveys(traces: &[usize]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let generate = |(i, n): (usize, &usize)| {
        let path = directory.path().join(format!("line_{i}.sgy"));
        let (n, seed) = (n.to_string(), (i + 1).to_string());
        let options = ["--traces", &n, "--samples", "40", "--kind", "prestack", "--seed", &seed];
        let mut arguments = vec!["generate".as_ref(), path.as_os_str()];
        arguments.extend(options.iter().map(std::ffi::OsStr::new));
        let output = run(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        path
    };
    let paths = traces.iter().enumerate().map(generate).collect();
    (directory, paths)
}

fn import(inputs: &[PathBuf], out: &Path, options: &[&str]) -> Output {
    let mut arguments: Vec<&std::ffi::OsStr> = inputs.iter().map(|p| p.as_os_str()).collect();
    arguments.push(out.as_os_str());
    arguments.extend(options.iter().map(std::ffi::OsStr::new));
    run(&arguments)
}

#[test]
fn several_files_become_one_dataset_and_come_back() {
    let (directory, inputs) = surveys(&[130, 1, 57, 300]);
    let out = directory.path().join("out");
    let output = import(&inputs, &out, &["--chunk-traces", "50"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let numbers = [(0, 130), (1, 1), (2, 57), (3, 300)];
    let expected: Vec<i64> = numbers.iter().flat_map(|&(i, n)| vec![i; n]).collect();
    assert_eq!(column(&out, "file_index"), expected);
    let document = metadata(&out);
    let ranges: Vec<_> =
        document["files"].as_array().unwrap().iter().map(|f| [&f["start_trace"], &f["end_trace"]]).collect();
    assert_eq!(ranges, [[0, 130], [130, 131], [131, 188], [188, 488]]);
    assert_eq!(document["files"][2]["name"], "line_2.sgy");
    assert!(document["files"][2]["textual_header"]["lines"].is_array());

    for options in [&["--workers", "2", "--segments", "5"][..], &["--verify"]] {
        let other = directory.path().join("other");
        let output = import(&inputs, &other, &[&PROCESSES[..], &["--chunk-traces", "50"], options].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        assert_same(&out, &other);
        std::fs::remove_dir_all(&other).unwrap();
    }
    let paths: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    for inputs in [&paths[..], &[]] {
        let output = verify(inputs, &out);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(verify(&paths[..2], &out).status.code(), Some(2));
    assert_eq!(verify(&[paths[0], paths[1], paths[3], paths[2]], &out).status.code(), Some(1));

    let back = directory.path().join("back");
    let output = run(&["export".as_ref(), out.as_os_str(), back.as_os_str()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(&back).unwrap().count(), 4);
    for input in &inputs {
        assert!(std::fs::read(input).unwrap() == std::fs::read(back.join(input.file_name().unwrap())).unwrap());
    }
    let output = run(&["export".as_ref(), out.as_os_str(), back.as_os_str()]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let third = directory.path().join("third.sgy");
    let output = run(&["export".as_ref(), out.as_os_str(), third.as_os_str(), "--file=3".as_ref()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(std::fs::read(&inputs[2]).unwrap() == std::fs::read(&third).unwrap());
    let output = run(&["export".as_ref(), out.as_os_str(), third.as_os_str(), "--file=5".as_ref()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        std::fs::read_dir(directory.path()).unwrap().all(|e| !e
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.'))
    );
}

#[test]
fn gathers_end_with_their_file() {
    // The last gather of the first file and the first of the second have the same keys: it is the same file.
    let (directory, inputs) = surveys(&[100]);
    let mut bytes = std::fs::read(&inputs[0]).unwrap();
    let trace = HEADER + 4 * 40;
    bytes[FILE_HEADER..].chunks_mut(trace).for_each(|t| t[20..24].copy_from_slice(&[0, 0, 0, 7]));
    std::fs::write(&inputs[0], bytes).unwrap();
    let twice = [inputs[0].clone(), inputs[0].clone()];
    for (name, options) in
        [("one", &[][..]), ("more", &["--segments", "3", "--chunk-traces", "30", PROCESSES[0], PROCESSES[1]])]
    {
        let out = directory.path().join(name);
        let output = import(&twice, &out, options);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(metadata(&out)["gathers"]["n_gathers"], 2, "{name}");
    }
    // Files of one name get their number in front.
    let back = directory.path().join("back");
    let output = run(&["export".as_ref(), directory.path().join("one").as_os_str(), back.as_os_str()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(back.join("1_line_0.sgy").is_file() && back.join("2_line_0.sgy").is_file());
}

#[test]
fn a_list_names_the_files() {
    let (directory, inputs) = surveys(&[20, 30]);
    let list = directory.path().join("files.txt");
    let text = format!("# two lines\n{}\n\n  {}  \n", inputs[0].display(), inputs[1].display());
    std::fs::write(&list, text).unwrap();
    let (out, same) = (directory.path().join("out"), directory.path().join("same"));
    let option = format!("--list={}", list.display());
    let output = import(&[], &out, &[&option]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(import(&inputs, &same, &[]).status.success());
    assert_same(&out, &same);
    assert_eq!(import(&inputs, &directory.path().join("both"), &[&option]).status.code(), Some(2));
    std::fs::write(&list, "# nothing\n").unwrap();
    assert_eq!(import(&[], &directory.path().join("none"), &[&option]).status.code(), Some(3));
}

#[test]
fn files_that_do_not_fit_together_are_refused_with_the_difference() {
    let (directory, inputs) = surveys(&[20]);
    let other = |options: &[&str]| {
        let path = directory.path().join("other.sgy");
        let _ = std::fs::remove_file(&path);
        let mut arguments = vec!["generate".as_ref(), path.as_os_str(), "--traces=20".as_ref()];
        arguments.extend(options.iter().map(std::ffi::OsStr::new));
        assert!(run(&arguments).status.success());
        path
    };
    let cases = [
        (&["--samples=41"][..], "samples per trace are 41 here and 40 there"),
        (&["--samples=40", "--interval=3000"], "the sample interval is 3000 µs here"),
        (&["--samples=40", "--format=5"], "the sample format is 5 IEEE float32 here and 1 IBM"),
        (&["--samples=40", "--endian=little"], "the byte order is little-endian here"),
    ];
    for (options, words) in cases {
        let both = [inputs[0].clone(), other(options)];
        let out = directory.path().join("out");
        let output = import(&both, &out, &[]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(
            message.contains(words) && message.contains("other.sgy") && message.contains("line_0.sgy"),
            "{message}"
        );
        assert!(!out.exists());
    }
    let both = [inputs[0].clone(), other(&["--samples=41"])];
    let out = directory.path().join("padded");
    let output = import(&both, &out, &["--ragged=pad"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(column(&out, "n_samples"), [[40; 20], [41; 20]].concat());
    let paths: Vec<&Path> = both.iter().map(PathBuf::as_path).collect();
    assert!(verify(&paths, &out).status.success());
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_is_resumed_unless_one_of_its_files_changed() {
    use std::time::Duration;
    use support::{signal, wait_for, wait_until};
    const LONG: Duration = Duration::from_secs(60);
    let (directory, inputs) = surveys(&[30_000, 30_000]);
    for is_changed in [false, true] {
        let out = directory.path().join(format!("out_{is_changed}"));
        let mut command = std::process::Command::new(support::program());
        command.args(&inputs).arg(&out).args(PROCESSES).args(["--segments=6", "--codec=gzip:9", "--workers=2"]);
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        let done = || (0..6).any(|i| out.join(format!(".segy-import/segment_{i}/segment.json")).exists());
        wait_until("a segment is done", LONG, done);
        signal(child.id(), "TERM");
        assert_eq!(wait_for(child, LONG).status.code(), Some(143));
        if is_changed {
            let bytes = std::fs::read(&inputs[1]).unwrap();
            std::fs::write(&inputs[1], bytes).unwrap();
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stderr(&output).contains("resuming: "), !is_changed, "{}", stderr(&output));
        let paths: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        assert!(verify(&paths, &out).status.success());
    }
}

//! Several files as one dataset.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::datasets::{column, metadata, verify};
use crate::support::{self, assert_same, run, stderr};

const FILE_HEADER: usize = 3600;
const HEADER: usize = 240;
const PROCESSES: [&str; 2] = ["--parallel-threshold", "0"];

/// Surveys that differ in their number of traces and their samples, in one directory.
fn surveys(traces: &[usize]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let directory = support::scratch();
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
    assert_eq!(verify(&[paths[0], paths[1], paths[3], paths[2]], &out).status.code(), Some(5));

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
    for (name, options) in [
        ("one", &["--gather", "cdp"][..]),
        ("more", &["--gather", "cdp", "--segments", "3", "--chunk-traces", "30", PROCESSES[0], PROCESSES[1]]),
    ] {
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
    use crate::support::{children_of, pause, signal, wait_for, wait_until};
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
        wait_until("a worker runs", || !children_of(child.id()).is_empty());
        // It starts no more workers, and so cannot come to the end.
        pause(child.id());
        wait_until("a segment is done", done);
        signal(child.id(), "TERM");
        signal(child.id(), "CONT");
        assert_eq!(wait_for(child).status.code(), Some(143));
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

/// What only one of two files has stays with that file: a label and a long text before the traces, stray bytes after them.
#[test]
fn a_label_and_long_parts_outside_the_traces_come_back_with_their_file() {
    let (directory, inputs) = surveys(&[30, 20]);
    let mut second = std::fs::read(&inputs[1]).unwrap();
    // Extended textual headers: more than the document holds.
    let n_texts = 330u16;
    second[3504..3506].copy_from_slice(&n_texts.to_be_bytes());
    second.splice(FILE_HEADER..FILE_HEADER, vec![0x40; 3200 * usize::from(n_texts)]);
    second.extend([0xFF; 77]);
    std::fs::write(&inputs[1], label(&second)).unwrap();
    let out = directory.path().join("out");
    let output = import(&inputs, &out, &["--verify"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(metadata(&out)["files"][1]["segy"]["tape_label_bytes"], 128);
    assert!(out.join("original/2_before_traces.bin").is_file());
    let back = directory.path().join("back");
    let output = run(&["export".as_ref(), out.as_os_str(), back.as_os_str()]);
    assert!(output.status.success(), "{}", stderr(&output));
    for input in &inputs {
        assert!(std::fs::read(input).unwrap() == std::fs::read(back.join(input.file_name().unwrap())).unwrap());
    }
    assert!(verify(&[], &out).status.success());
}

/// The bytes of a file after a tape label (SEG-Y rev 2.1, annex B).
fn label(bytes: &[u8]) -> Vec<u8> {
    let mut labelled = b"   1SY1.0RECORD     0".to_vec();
    labelled.resize(128, b' ');
    labelled.extend_from_slice(bytes);
    labelled
}

#[test]
fn the_first_trace_of_a_file_repeats_none() {
    let (directory, inputs) = surveys(&[4, 3]);
    let mut bytes = std::fs::read(&inputs[0]).unwrap();
    let trace = HEADER + 4 * 40;
    // All traces of both files have the samples of the first.
    let samples = bytes[FILE_HEADER + HEADER..FILE_HEADER + trace].to_vec();
    bytes[FILE_HEADER..].chunks_mut(trace).for_each(|t| t[HEADER..].copy_from_slice(&samples));
    std::fs::write(&inputs[0], &bytes).unwrap();
    bytes.truncate(FILE_HEADER + 3 * trace);
    std::fs::write(&inputs[1], &bytes).unwrap();
    let (out, more) = (directory.path().join("out"), directory.path().join("more"));
    assert!(import(&inputs, &out, &["--chunk-traces=2"]).status.success());
    assert_eq!(column(&out, "is_duplicate"), [0, 1, 1, 1, 0, 1, 1]);
    assert_eq!(metadata(&out)["counts"]["n_duplicate"], 5);
    // The rows are then written by a worker that does not convert the samples of most of them.
    assert!(import(&inputs, &more, &["--chunk-traces=2", "--segments=3", PROCESSES[0], PROCESSES[1]]).status.success());
    assert_same(&out, &more);
}

#[test]
fn a_part_of_one_file_is_exported_by_its_numbers_in_the_dataset() {
    let (directory, inputs) = surveys(&[30, 20]);
    let (out, part) = (directory.path().join("out"), directory.path().join("part.sgy"));
    assert!(import(&inputs, &out, &[]).status.success());
    let export = |options: &[&str]| {
        let mut arguments = vec!["export".as_ref(), out.as_os_str(), part.as_os_str(), "--overwrite".as_ref()];
        arguments.extend(options.iter().map(std::ffi::OsStr::new));
        run(&arguments)
    };
    let output = export(&["--traces=33:37", "--file=2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let (second, trace) = (std::fs::read(&inputs[1]).unwrap(), HEADER + 4 * 40);
    let written = std::fs::read(&part).unwrap();
    assert_eq!(written.len(), FILE_HEADER + 4 * trace);
    assert!(written[FILE_HEADER..] == second[FILE_HEADER + 3 * trace..][..4 * trace]);
    for (options, words) in [
        (&["--traces=33:37"][..], "--file"),
        (&["--traces=28:32", "--file=2"], "30"),
        (&["--gathers=0:1000", "--file=1"], "gathers"),
    ] {
        let output = export(options);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{options:?}: {}", stderr(&output));
    }
}

#[test]
fn files_with_other_header_mappings_are_refused_with_the_difference() {
    let (directory, inputs) = surveys(&[30, 20]);
    let with_stanza = |input: &Path| {
        let mut bytes = std::fs::read(input).unwrap();
        let entry = |name, byte| format!("<entry name=\"{name}\" byte=\"{byte}\" type=\"int4\"/>");
        let entries = entry("cdp", 9) + &entry("ffid", 21);
        let text = format!("((SEG:Layout:text/xml))<segy-layout name=\"x\">{entries}</segy-layout>");
        bytes[3504..3506].copy_from_slice(&1i16.to_be_bytes());
        bytes.splice(FILE_HEADER..FILE_HEADER, format!("{text:<3200}").into_bytes());
        std::fs::write(input, bytes).unwrap();
    };
    let out = directory.path().join("out");
    with_stanza(&inputs[0]);
    let output = import(&inputs, &out, &[]);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{message}");
    let difference =
        "field_record is at bytes 9-12 as i32 here and at bytes 21-24 as i32 there; import them separately";
    assert!(message.contains(difference) && message.contains("line_0.sgy"), "{message}");
    assert!(!out.exists());
    with_stanza(&inputs[1]);
    let output = import(&inputs, &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(metadata(&out)["options"]["fields"][0]["by"], "SEG:Layout");
}

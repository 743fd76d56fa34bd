//! What is refused: the exit code, one line that says what, where and what to do, and nothing created.

use std::path::{Path, PathBuf};

use crate::support::{self, Survey, contents, run, stderr};

/// Runs an import that has to be refused. Returns its message.
fn refused(input: &Path, options: &[&str], exit_code: i32) -> String {
    let directory = support::scratch();
    let out = directory.path().join("a/b/out");
    let mut arguments = vec![input.as_os_str(), out.as_os_str()];
    arguments.extend(options.iter().map(std::ffi::OsStr::new));
    let output = run(&arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code), "{message}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "something was left: {message}");
    assert!(!message.contains("panicked"), "{message}");
    let lines: Vec<&str> = message.lines().filter(|l| l.starts_with("segy-import:")).collect();
    assert_eq!(lines.len(), 1, "{message}");
    lines[0].to_owned()
}

/// A survey of 12 traces × 25 samples after `change` has been at its bytes.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> (Survey, PathBuf) {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "12", "--samples", "25"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    change(&mut bytes);
    std::fs::write(&survey.input, bytes).unwrap();
    let input = survey.input.clone();
    (survey, input)
}

fn refused_bytes(bytes: &[u8]) -> String {
    let directory = support::scratch();
    let input = directory.path().join("x.sgy");
    std::fs::write(&input, bytes).unwrap();
    refused(&input, &[], 3)
}

#[test]
fn a_missing_file_a_directory_and_an_empty_file() {
    let directory = support::scratch();
    assert!(refused(&directory.path().join("missing.sgy"), &[], 3).contains("missing.sgy: cannot be read"));
    assert!(refused(directory.path(), &[], 3).contains("is a directory"));
    assert!(refused_bytes(b"").contains("is empty"));
}

#[test]
fn files_that_are_something_else_are_called_by_their_name() {
    assert!(refused_bytes(b"hello\n").contains("plain text"));
    assert!(refused_bytes("the quick brown fox\n".repeat(900).as_bytes()).contains("plain text"));
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.resize(9000, 0x93);
    assert!(refused_bytes(&png).contains("PNG"));
    assert!(refused_bytes(&[0; 20_000]).contains("zero bytes"));
    assert!(refused_bytes(&[7; 3599]).contains("less than the 3600"));
}

#[test]
fn an_unknown_format_code_names_the_bytes_and_the_known_codes() {
    let (_survey, input) = changed(|b| b[3224..3226].copy_from_slice(&[0, 99]));
    let message = refused(&input, &[], 3);
    assert!(message.contains("bytes 3225-3226 hold 99") && message.contains("5 IEEE float32"), "{message}");
}

#[test]
fn a_truncated_last_trace_says_which_and_how_to_go_on() {
    let (survey, input) = changed(|b| b.truncate(b.len() - 40));
    let message = refused(&input, &[], 3);
    assert!(message.contains("ends inside trace 12: 300 of its 340 bytes"), "{message}");
    let out = survey.import("out", &["--allow-truncated"]);
    let metadata = std::fs::read_to_string(out.join("metadata.json")).unwrap();
    assert!(metadata.contains("\"n_traces\": 11") && metadata.contains("the file ends inside trace 12"));
}

#[test]
fn a_size_that_does_not_agree_lists_what_would() {
    let (survey, input) = changed(|b| b[3220..3222].copy_from_slice(&60_000u16.to_be_bytes()));
    let message = refused(&input, &[], 3);
    assert!(message.contains("less than one trace") && message.contains("--samples 25"), "{message}");
    survey.import("out", &["--samples", "25"]);
}

#[test]
fn no_samples_anywhere_asks_for_the_option() {
    let (_survey, input) = changed(|b| {
        b[3220..3222].fill(0);
        for trace in b[3600..].chunks_mut(340) {
            trace[114..116].fill(0);
        }
    });
    assert!(refused(&input, &[], 3).contains("--samples"));
}

#[test]
fn a_trace_of_another_length_is_named_and_leaves_nothing_even_when_found_half_way() {
    let survey = Survey::new(&["--traces", "30000", "--samples", "10"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes[3502..3504].fill(0); // Lengths may vary.
    let trace = 3600 + 20_001 * 280;
    bytes[trace + 114..trace + 116].copy_from_slice(&9u16.to_be_bytes());
    std::fs::write(&survey.input, bytes).unwrap();
    let message = refused(&survey.input, &["--parallel-threshold", "0", "--segments", "4"], 3);
    assert!(message.contains("trace 20002 says 9 samples (bytes 115-116)"), "{message}");
}

#[test]
fn unknown_keys_and_codecs_are_answered_with_near_names() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let message = refused(&survey.input, &["--gather", "inlin"], 2);
    assert!(message.contains("did you mean \"inline\""), "{message}");
    let output = run(&["a", "b", "--codec", "zstt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean \"zstd\""), "{}", stderr(&output));
    let output = run(&["a", "b", "--codek", "zstd"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--codec"), "{}", stderr(&output));
}

#[test]
fn fields_outside_the_header_and_columns_twice_are_refused() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let message = refused(&survey.input, &["--field", "mine=238:i32"], 2);
    assert!(message.contains("bytes 238-241 are outside the 240 bytes"), "{message}");
    assert!(refused(&survey.input, &["--field", "trace_index=1:i32"], 2).contains("trace_index"));
    let output = run(&["a", "b", "--field", "mine=1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("NAME=BYTE:TYPE"), "{}", stderr(&output));
}

#[test]
fn a_dataset_is_not_replaced_unless_asked() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let out = survey.import("out", &[]);
    let before = contents(&out);
    let output = survey.command("out", &["--codec", "none"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("holds a dataset; --overwrite replaces it"), "{}", stderr(&output));
    assert!(contents(&out) == before);
    survey.import("out", &["--codec", "none", "--overwrite"]);
    support::assert_same(&out, &survey.import("other", &["--codec", "none"]));
}

#[test]
fn other_things_in_the_output_directory_are_in_the_way_and_stay() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let out = survey.path("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("thesis.txt"), "years of work").unwrap();
    let output = survey.command("out", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    survey.import("out", &["--overwrite"]);
    assert_eq!(std::fs::read_to_string(out.join("thesis.txt")).unwrap(), "years of work");
    let output = run(&[survey.input.as_os_str(), survey.input.as_os_str()]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

#[test]
fn a_place_that_cannot_be_written_to_is_a_failure_of_the_work() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let output = run(&[survey.input.as_os_str(), std::ffi::OsStr::new("/proc/nowhere/out")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("/proc/nowhere/out: cannot be written to"), "{}", stderr(&output));
}

#[test]
fn a_gather_key_that_never_changes_is_a_warning_that_names_others() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "500", "--samples", "5"]);
    let output = survey.command("out", &["--gather", "day_of_year"]).output().unwrap();
    assert!(output.status.success());
    let message = stderr(&output);
    assert!(message.contains("the gather key day_of_year is the same") && message.contains("cdp"), "{message}");
}

#[test]
fn a_file_with_the_name_of_an_output_is_not_replaced() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    std::fs::create_dir_all(survey.path("out/sample")).unwrap();
    std::fs::write(survey.path("out/sample/mine.txt"), "precious").unwrap();
    let output = survey.command("out", &["--overwrite"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(survey.path("out/sample/mine.txt")).unwrap(), "precious");
}

#[test]
fn two_sample_counts_that_both_fit_are_for_the_user_to_choose() {
    let survey = Survey::new(&["--traces", "300", "--samples", "100"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes[3220..3222].copy_from_slice(&40u16.to_be_bytes());
    bytes[3502..3504].fill(0);
    std::fs::write(&survey.input, bytes).unwrap();
    let message = refused(&survey.input, &[], 3);
    assert!(message.contains("40 samples") && message.contains("100") && message.contains("--samples"), "{message}");
    survey.import("out", &["--samples", "100"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_and_a_link_to_nothing_are_refused_at_once() {
    let directory = support::scratch();
    let pipe = directory.path().join("pipe.sgy");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(refused(&pipe, &[], 3).contains("is not a regular file"));
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    std::os::unix::fs::symlink(survey.path("nowhere"), survey.path("out")).unwrap();
    let output = survey.command("out", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn pages_and_pictures_replace_regular_files_alone() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let [pipe, link, directory] = ["pipe", "link", "directory"].map(|name| survey.path(name));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::write(survey.path("thesis.txt"), "years of work").unwrap();
    std::os::unix::fs::symlink("thesis.txt", &link).unwrap();
    std::fs::create_dir(&directory).unwrap();
    let kinds = || [&pipe, &link, &directory].map(|path| std::fs::symlink_metadata(path).unwrap().file_type());
    let before = kinds();
    for path in [&pipe, &link, &directory].map(|path| path.to_str().unwrap()) {
        let input = survey.input.to_str().unwrap();
        for command in [["report", input, "-o", path], ["view", input, "--png", path]] {
            for more in [&[][..], &["--overwrite"]] {
                let output = run(&[&command[..], more].concat());
                let said = stderr(&output);
                assert_eq!(output.status.code(), Some(4), "{command:?} {more:?}: {said}");
                assert!(said.contains("already exists and is not a regular file; choose another"), "{said}");
            }
        }
    }
    assert_eq!(kinds(), before);
    assert_eq!(std::fs::read_to_string(survey.path("thesis.txt")).unwrap(), "years of work");
}

#[test]
fn an_interrupted_commit_is_brought_to_its_end_before_anything_else() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let out = survey.import("out", &[]);
    // As if the last step had been interrupted: all is moved but the commit mark.
    let staging = out.join(".segy-import");
    std::fs::create_dir_all(staging.join("dataset")).unwrap();
    std::fs::rename(out.join("metadata.json"), staging.join("dataset/metadata.json")).unwrap();
    std::fs::write(staging.join("merged"), "").unwrap();
    let output = survey.command("out", &["--codec", "none"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    support::assert_same(&out, &survey.import("other", &[]));
}

#[test]
#[cfg(not(feature = "cloud"))]
fn an_object_store_is_refused_by_a_program_without_the_feature() {
    let survey = Survey::new(&["--traces", "10", "--samples", "4"]);
    let (input, url, out) = (survey.input.to_str().unwrap(), "s3://bucket/key", survey.path("out"));
    let out = out.to_str().unwrap();
    let local = survey.import("local", &[]);
    let local = local.to_str().unwrap();
    let commands: [&[&str]; 12] = [
        &[input, url],
        &[url, out],
        &["inspect", url],
        &["verify", url],
        &["verify", url, local],
        &["export", url, out],
        &["export", local, url],
        &["report", input, "-o", url],
        &["view", input, "--png", url],
        &["worker", url, "--segment", "0"],
        &["merge", url],
        &["status", url],
    ];
    for command in commands {
        let output = run(command);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(
            said.contains("s3://bucket/key: lies in an object store") && said.contains("--features cloud"),
            "{said}"
        );
        assert!(!survey.path("out").exists());
    }
}

#[test]
fn a_misspelt_command_is_a_missing_file_that_is_told_what_is_near() {
    let survey = Survey::new(&["--traces", "10"]);
    let out = survey.import("out", &[]);
    let output = support::run(&["verfy".as_ref(), out.as_os_str()]);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(
        message.contains("verfy: cannot be read") && message.contains("did you mean the command \"verify\"?"),
        "{message}"
    );
}

#[test]
fn a_file_with_empty_traces_at_its_end_is_a_warning() {
    let survey = Survey::new(&["--traces", "30", "--samples", "10"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes.resize(bytes.len() + 2 * 280, 0);
    std::fs::write(&survey.input, bytes).unwrap();
    let output = survey.command("out", &[]).output().unwrap();
    assert!(output.status.success());
    assert!(stderr(&output).contains("the header of the last trace (32) has nothing but zeros"), "{}", stderr(&output));
}

#[test]
fn a_program_that_reads_json_hears_of_a_failure() {
    let survey = Survey::new(&["--traces", "10"]);
    let arguments = ["nothing.sgy".into(), survey.path("out").into_os_string(), "--progress".into(), "json".into()];
    let output = support::run(&arguments);
    assert_eq!(output.status.code(), Some(3));
    let last: serde_json::Value = serde_json::from_str(support::stdout(&output).lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&"failed".into(), &3.into()), "{last}");
}

#[test]
fn the_lock_of_a_run_that_was_killed_at_its_end_goes_away() {
    let survey = Survey::new(&["--traces", "10"]);
    let out = survey.import("out", &[]);
    std::fs::create_dir(out.join(".segy-import")).unwrap();
    std::fs::write(out.join(".segy-import/lock"), "").unwrap();
    let output = survey.command("out", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(!out.join(".segy-import").exists());
}

#[test]
fn a_negative_number_is_out_of_range_and_a_directory_is_no_file_to_write() {
    let directory = support::scratch();
    let place = directory.path().to_str().unwrap();
    for (arguments, message) in [
        (&["generate", "new.sgy", "--traces", "-4"][..], "-4 is not in 1..=2147483647"),
        (&["in.sgy", "out", "--chunk-traces=-3"], "-3 is not in 1.."),
        (&["generate", place], "is a directory; name the file to write"),
        (&["generate", place, "--overwrite"], "is a directory; name the file to write"),
    ] {
        let output = support::run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
    }
}

//! What people expect of a command line: `-o`, lists on standard input, a dataset for each file, JSON everywhere, completions, hints.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Survey, program, run, stderr, stdout};

fn survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "60", "--samples", "20"])
}

/// Runs the program in the directory of a survey.
fn run_in(survey: &Survey, arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).current_dir(survey.directory.path()).stdin(Stdio::null()).output().unwrap()
}

fn events(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap()
}

fn copy(survey: &Survey, name: &str) {
    std::fs::copy(&survey.input, survey.path(name)).unwrap();
}

#[test]
fn the_output_has_a_name_and_the_import_too() {
    let survey = survey();
    for arguments in
        [&["-o", "a", "in.sgy"][..], &["import", "in.sgy", "--output=b"], &["convert", "in.sgy", "c", "--no-sync"]]
    {
        let output = run_in(&survey, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    for name in ["a", "b", "c"] {
        assert!(is_there(&survey.path(name).join("metadata.json")));
    }
    let back = run_in(&survey, &["export", "a", "-o", "back.sgy"]);
    assert!(back.status.success() && is_there(&survey.path("back.sgy")), "{}", stderr(&back));
}

#[test]
fn names_come_from_standard_input_by_line_or_between_zero_bytes() {
    let survey = survey();
    copy(&survey, "b c.sgy");
    for (out, names) in [("lines", "in.sgy\n# no\n\nb c.sgy\n"), ("zeros", "in.sgy\0b c.sgy\0")] {
        let mut child = Command::new(program())
            .args(["--list", "-", "-o", out, "--json"])
            .current_dir(survey.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(names.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["n_traces"], 120);
    }
}

#[test]
fn each_file_becomes_a_dataset_and_a_bad_one_stops_no_other() {
    let survey = survey();
    copy(&survey, "b.sgy");
    std::fs::write(survey.path("bad.sgy"), "nothing").unwrap();
    let arguments =
        ["--each", "in.sgy", "bad.sgy", "b.sgy", "-o", "sets", "--no-sync", "--progress", "json", "-j", "2"];
    let output = run_in(&survey, &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let events = events(&output);
    let of_type = |name: &str| events.iter().filter(|event| event["type"] == name).collect::<Vec<_>>();
    assert_eq!((of_type("file_done").len(), of_type("file_failed").len()), (2, 1));
    assert_eq!(of_type("file_failed")[0]["input"], "bad.sgy");
    assert_eq!(events.last().unwrap()["type"], "failed");
    assert!(
        stderr(&output).contains("failed: bad.sgy") && stderr(&output).contains("2 files imported"),
        "{}",
        stderr(&output)
    );
    let verified = run_in(&survey, &["verify", "b.sgy", "sets/b.zarr"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
    // The same again does what is left.
    copy(&survey, "bad.sgy");
    let again = run_in(&survey, &arguments);
    assert!(again.status.success(), "{}", stderr(&again));
    let done = stdout(&again).lines().last().map(|line| serde_json::from_str::<Value>(line).unwrap()).unwrap();
    assert_eq!(
        (done["n_imported"].as_u64(), done["n_there"].as_u64(), done["n_traces"].as_u64()),
        (Some(1), Some(2), Some(180))
    );
    // A dataset of another file is in the way.
    std::fs::write(survey.path("b.sgy"), &std::fs::read(&survey.input).unwrap()[..3600 + 30 * 320]).unwrap();
    assert_eq!(run_in(&survey, &arguments).status.code(), Some(4));
}

#[test]
fn a_single_dash_is_refused_with_the_reason_and_export_writes_to_a_pipe() {
    let survey = survey();
    for (arguments, what) in [(["-", "out"], "cannot come through a pipe"), (["in.sgy", "-"], "is a directory")] {
        let output = run_in(&survey, &arguments);
        assert!(output.status.code() == Some(2) && stderr(&output).contains(what), "{}", stderr(&output));
    }
    assert!(!is_there(&survey.path("-")));
    survey.import("out", &["--chunk-traces", "7"]);
    let exported = run_in(&survey, &["export", "out", "-", "-q"]);
    assert!(exported.stdout == std::fs::read(&survey.input).unwrap(), "{}", stderr(&exported));
    let part = run_in(&survey, &["export", "out", "-", "--traces", "10:12"]);
    assert_eq!(part.stdout.len(), 3600 + 2 * 320);
    assert_eq!(run_in(&survey, &["export", "out", "-", "--json"]).status.code(), Some(2));
}

#[test]
fn a_success_is_one_line_and_says_what_was_verified() {
    let survey = survey();
    let output = run_in(&survey, &["in.sgy", "out", "--verify"]);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("60 traces in") && stderr(&output).contains("every byte verified"),
        "{}",
        stderr(&output)
    );
    let quiet = run_in(&survey, &["in.sgy", "quiet", "-q"]);
    assert!(quiet.status.success() && quiet.stderr.is_empty() && quiet.stdout.is_empty(), "{}", stderr(&quiet));
}

#[test]
fn every_command_gives_its_result_as_one_document() {
    let survey = survey();
    for (arguments, key) in [
        (&["in.sgy", "out", "--verify", "--json"][..], "is_verified"),
        (&["inspect", "in.sgy", "--json"], "decisions"),
        (&["inspect", "out", "--json"], "layout"),
        (&["verify", "out", "--json"], "n_files"),
        (&["export", "out", "back.sgy", "--json"], "bytes"),
        (&["report", "in.sgy", "--json"], "checks"),
        (&["in.sgy", "other", "--dry-run", "--json"], "version"),
        (&["plan", "in.sgy", "planned", "--json"], "n_segments"),
        (&["status", "planned", "--json"], "state"),
        (&["worker", "planned", "--segment", "0", "--json"], "outcome"),
        (&["merge", "planned", "--json"], "n_traces"),
    ] {
        let output = run_in(&survey, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(document.get(key).is_some(), "{arguments:?}");
    }
}

#[test]
fn progress_grows_and_ends_with_one_line_whatever_happens() {
    let survey = survey();
    let done = events(&run_in(&survey, &["in.sgy", "out", "--verify", "--progress", "json"]));
    assert_eq!((done[0]["type"].as_str(), done[0]["schema"].as_u64()), (Some("started"), Some(1)));
    let fractions: Vec<f64> = done.iter().filter_map(|event| event["fraction"].as_f64()).collect();
    assert!(fractions.is_sorted() && fractions.last().is_some_and(|&last| last > 0.9), "{fractions:?}");
    assert_eq!(done.last().unwrap()["type"], "done");
    for (arguments, code, of) in [
        (&["nothing.sgy", "new", "--progress", "json"][..], "input", "nothing.sgy"),
        (&["in.sgy", "out", "--progress=json"], "output_in_the_way", "out"),
        (&["in.sgy", "new", "--progress", "json", "--nonsense"], "usage", ""),
        (&["in.sgy", "new", "--json", "--gather", "nonsense"], "usage", ""),
    ] {
        let output = run_in(&survey, arguments);
        let events = events(&output);
        let failed = events.iter().filter(|event| event["type"] == "failed").collect::<Vec<_>>();
        assert_eq!(failed.len(), 1, "{events:?}");
        assert_eq!(
            (failed[0]["code"].as_str(), failed[0]["exit_code"].as_i64()),
            (Some(code), output.status.code().map(i64::from))
        );
        assert_eq!(failed[0]["file"].as_str().unwrap_or_default(), of, "{failed:?}");
        assert!(!stderr(&output).is_empty());
    }
}

#[test]
fn defaults_come_from_the_environment() {
    let survey = survey();
    let import = |variables: &[(&str, &str)], out: &str, arguments: &[&str]| {
        let mut command = survey.command(out, arguments);
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let output = import(&[("SEGY_IMPORT_CODEC", "gzip"), ("SEGY_IMPORT_PROGRESS", "json")], "out", &[]);
    assert_eq!(events(&output).last().unwrap()["type"], "done");
    let document: Value = serde_json::from_slice(&std::fs::read(survey.path("out/metadata.json")).unwrap()).unwrap();
    assert_eq!(document["options"]["codec"], "gzip:1");
    // Workers are told apart from the caller's wishes.
    let workers = [("SEGY_IMPORT_WORKERS", "2"), ("SEGY_IMPORT_PROGRESS", "json")];
    let output = import(&workers, "workers", &["--parallel-threshold", "0", "--chunk-traces", "10"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let refused = import(&[("SEGY_IMPORT_WORKERS", "many")], "no", &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("'many' for 'SEGY_IMPORT_WORKERS'"), "{}", stderr(&refused));
}

#[test]
fn one_path_alone_names_the_next_commands_and_hints_guess_well() {
    let survey = survey();
    let alone = run_in(&survey, &["in.sgy"]);
    for next in ["segy-import inspect in.sgy", "segy-import in.sgy in.zarr"] {
        assert!(alone.status.code() == Some(2) && stderr(&alone).contains(next), "{}", stderr(&alone));
    }
    for (given, meant) in [
        ("--compression", "--codec"),
        ("--threads=4", "--workers"),
        ("--force", "--overwrite"),
        ("--gathr", "--gather"),
    ] {
        let output = run_in(&survey, &["in.sgy", "out", given]);
        assert!(stderr(&output).contains(&format!("'{meant}'")), "{given}: {}", stderr(&output));
    }
    let missing = run_in(&survey, &["generate", "no/such/line.sgy"]);
    assert!(
        stderr(&missing).contains("no/such/line.sgy: its directory") && !stderr(&missing).contains(".line.sgy."),
        "{}",
        stderr(&missing)
    );
}

#[test]
fn the_short_help_fits_a_screen_and_begins_with_examples() {
    let output = Command::new(program()).arg("-h").env("COLUMNS", "100").output().unwrap();
    let text = stdout(&output);
    assert!(text.lines().count() <= 48, "{}", text.lines().count());
    assert!(text.lines().take(4).any(|line| line.starts_with("Examples")), "{text}");
    let version = stdout(&run(&["--version"]));
    for what in ["dataset format 2", "cloud", "pcodec", env!("CARGO_PKG_VERSION")] {
        assert!(version.contains(what), "{version}");
    }
}

#[test]
fn completions_and_manual_pages_are_those_of_the_program() {
    for (shell, word) in
        [("bash", "complete -F _segy"), ("zsh", "#compdef segy-import"), ("fish", "complete -c segy-import")]
    {
        let output = run(&["completions", shell]);
        assert!(
            output.status.success() && stdout(&output).contains(word) && stdout(&output).contains("overwrite"),
            "{shell}"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("bash");
    std::fs::write(&script, run(&["completions", "bash"]).stdout).unwrap();
    for (words, word) in [("segy-import --progress j", "json"), ("segy-import view --colours v", "vik")] {
        let ask = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _segy__import segy-import \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = std::process::Command::new("bash").args(["--norc", "-c", &ask]).output().unwrap();
        assert_eq!(stdout(&output).trim(), word, "{words}: {}", stderr(&output));
    }
    assert!(run(&[Path::new("man"), directory.path()]).status.success());
    for page in ["segy-import.1", "segy-import-export.1"] {
        let text = std::fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    assert!(stdout(&run(&["man"])).contains(".SH NAME"));
}

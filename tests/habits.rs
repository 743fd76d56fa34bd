//! What people expect of a command line: `-o`, lists on standard input, a dataset for each file, JSON everywhere, completions, hints.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Survey, program, run, scratch, signal, stderr, stdout, wait_for, wait_until};

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
    assert_eq!(
        (&of_type("file_failed")[0]["input"], &of_type("file_failed")[0]["code"]),
        (&"bad.sgy".into(), &"input".into())
    );
    let last = events.last().unwrap();
    assert_eq!(last["type"], "failed");
    assert_eq!(
        outcomes(last),
        [
            ("in.sgy", "sets/in.zarr", "imported"),
            ("bad.sgy", "sets/bad.zarr", "failed"),
            ("b.sgy", "sets/b.zarr", "imported")
        ]
    );
    assert_eq!((last["files"][1]["code"].as_str(), last["files"][1]["exit_code"].as_u64()), (Some("input"), Some(3)));
    assert!(last["files"][1]["message"].as_str().unwrap().starts_with("bad.sgy: "), "{last}");
    assert!(last["files"][0]["message"].is_null() && last["files"][0]["n_traces"] == 60);
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
    assert_eq!(outcomes(&done).map(|outcome| outcome.2), ["was_there", "imported", "was_there"]);
    // A dataset of another file is in the way.
    std::fs::write(survey.path("b.sgy"), &std::fs::read(&survey.input).unwrap()[..3600 + 30 * 320]).unwrap();
    assert_eq!(run_in(&survey, &arguments).status.code(), Some(4));
}

/// Input, output and outcome of three files in the last document of `--each`.
fn outcomes(document: &Value) -> [(&str, &str, &str); 3] {
    assert_eq!(document["files"].as_array().unwrap().len(), 3);
    let text = |i: usize, key: &str| document["files"][i][key].as_str().unwrap();
    [0, 1, 2].map(|i| (text(i, "input"), text(i, "output"), text(i, "outcome")))
}

#[test]
fn files_side_by_side_become_what_each_becomes_alone_and_are_reported_in_their_order() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "300", "--samples", "20"]);
    let names: Vec<String> = (0..9).map(|i| format!("line_{i}.sgy")).collect();
    for (i, name) in names.iter().enumerate() {
        let mut bytes = std::fs::read(&survey.input).unwrap();
        // Something to warn of in each.
        bytes[3600 + 100 * 320 + 116..][..2].copy_from_slice(&[9, i as u8]);
        let end = if i % 4 == 1 { 3600 + 320 * 300 - 7 } else { bytes.len() };
        std::fs::write(survey.path(name), &bytes[..end]).unwrap();
    }
    let of = |workers: &'static str, out: &'static str| {
        let options = ["--each", "-o", out, "--no-sync", "--progress", "json", "-j", workers];
        let arguments: Vec<&str> = options.into_iter().chain(names.iter().map(String::as_str)).collect();
        run_in(&survey, &arguments)
    };
    let (together, apart) = (of("4", "together"), of("1", "apart"));
    assert_eq!((together.status.code(), apart.status.code()), (Some(3), Some(3)), "{}", stderr(&together));
    crate::support::assert_same(&survey.path("together"), &survey.path("apart"));
    let alone = run_in(&survey, &["line_8.sgy", "alone", "--no-sync"]);
    assert!(alone.status.success(), "{}", stderr(&alone));
    crate::support::assert_same(&survey.path("together/line_8.zarr"), &survey.path("alone"));
    // Failures come last, in the order of the inputs.
    let said = stderr(&together);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("failed: ")).collect();
    assert!(failed.len() == 2 && failed[0].contains("line_1.sgy") && failed[1].contains("line_5.sgy"), "{said}");
    assert!(said.lines().nth_back(2).is_some_and(|line| line == failed[0]), "{said}");
    for event in events(&together).iter().filter(|event| event["type"] == "warning") {
        let file = event["file"].as_str().unwrap();
        assert!(names.iter().any(|name| name == file), "{event}");
        let of_file = |line: &&str| line.starts_with("warning: ") && line.contains(file);
        assert!(said.lines().filter(of_file).all(|line| line.matches(file).count() == 1), "{said}");
        assert!(said.lines().any(|line| of_file(&line)), "{said}");
    }
    assert!(events(&together).iter().filter(|event| event["type"] == "warning").count() >= 7);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_all_files_and_says_which_were_not_done() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "20000", "--samples", "500"]);
    let names: Vec<String> = (0..6).map(|i| format!("line_{i}.sgy")).collect();
    names.iter().for_each(|name| copy(&survey, name));
    let mut command = Command::new(program());
    command.args(["--each", "-o", "sets", "--codec", "gzip:9", "--progress", "json", "-j", "2"]).args(&names);
    command.current_dir(survey.directory.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("two are under way", || is_there(&survey.path("sets/line_1.zarr/.segy-import/plan.json")));
    signal(child.id(), "TERM");
    let output = wait_for(child);
    assert_eq!(output.status.code(), Some(128 + 15), "{}", stderr(&output));
    let last = events(&output).pop().unwrap();
    assert_eq!((last["type"].as_str(), last["code"].as_str()), (Some("failed"), Some("cancelled")));
    let outcomes: Vec<&str> =
        last["files"].as_array().unwrap().iter().map(|f| f["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["not_done"; 6]);
}

#[test]
fn an_export_makes_the_directories_it_needs_and_leaves_none_if_it_fails() {
    let survey = survey();
    survey.import("out", &[]);
    for options in [&["--no-sync"][..], &[]] {
        let target = format!("new_{}/a/b/back.sgy", options.len());
        let output = run_in(&survey, &[&["export", "out", &target], options].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(std::fs::read(survey.path(&target)).unwrap(), std::fs::read(&survey.input).unwrap());
    }
    // Found wrong after the place is known.
    let damaged = survey.path("out/headers.parquet");
    std::fs::write(&damaged, &std::fs::read(&damaged).unwrap()[..100]).unwrap();
    for (arguments, code) in [
        (&["export", "out", "none/a/back.sgy"][..], 5),
        (&["export", "out", "none/a/back.sgy", "--where", "nonsense > 1"], 2),
        (&["export", "out", "out/traces.zarr/none/back.sgy"], 2),
    ] {
        let output = run_in(&survey, arguments);
        assert!(!output.status.success(), "{arguments:?} {code}");
        assert!(!is_there(&survey.path("none")) && !is_there(&survey.path("out/traces.zarr/none")), "{arguments:?}");
    }
}

#[test]
fn commands_list_each_only_where_it_does_something() {
    for (command, is_listed) in [("import", true), ("plan", false), ("submit", false)] {
        for option in ["-h", "--help"] {
            assert_eq!(stdout(&run(&[command, option])).contains("--each"), is_listed, "{command} {option}");
        }
    }
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
fn a_survey_that_is_made_says_how_far_it_is_and_a_pipe_gets_its_bytes_alone() {
    let survey = survey();
    let size = ["--traces", "12", "--samples", "20"];
    let generate = |arguments: &[&str]| run_in(&survey, &[&["generate"], &size[..], arguments].concat());
    let made = generate(&["a.sgy"]);
    assert!(stderr(&made).starts_with("a.sgy: 12 traces, 7440 bytes, ") && made.stdout.is_empty(), "{}", stderr(&made));
    let quiet = generate(&["b.sgy", "-q"]);
    assert!(quiet.status.success() && quiet.stderr.is_empty() && quiet.stdout.is_empty(), "{}", stderr(&quiet));
    let events = events(&generate(&["c.sgy", "--progress", "json", "--hole", "2"]));
    assert_eq!(events[1]["phase"], "generating");
    assert!(events.iter().skip(1).rev().skip(1).all(|event| event["total_traces"] == 10), "{events:?}");
    assert_eq!(events.last().map(|last| (&last["n_traces"], &last["bytes"])), Some((&10.into(), &6800.into())));
    let piped = generate(&["/dev/stdout", "--overwrite", "--progress", "json"]);
    assert!(piped.stdout == std::fs::read(survey.path("a.sgy")).unwrap(), "{}", stderr(&piped));
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
        (&["generate", "other.sgy", "--traces", "12", "--json"], "bytes"),
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
fn a_wrong_default_of_the_environment_stops_the_commands_that_use_it_and_no_other() {
    let survey = survey();
    let out = survey.import("out", &[]);
    let (input, out) = (survey.input.to_str().unwrap(), out.to_str().unwrap());
    let run_with = |variable: &str, value: &str, arguments: &[&str]| {
        let mut command = Command::new(program());
        command.args(arguments).env(variable, value).current_dir(survey.directory.path()).output().unwrap()
    };
    let others = [&["inspect", input][..], &["completions", "bash"], &["info", out], &["verify", out]];
    for (i, (variable, value)) in [("SEGY_IMPORT_CODEC", "zstt"), ("SEGY_IMPORT_WORKERS", "0")].into_iter().enumerate()
    {
        for arguments in others {
            let output = run_with(variable, value, arguments);
            assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        }
        // The value is part of a name here.
        for arguments in [&[input, "new_0_zstt"][..], &["import", input, "new_0_zstt"], &["plan", input, "new_0_zstt"]]
        {
            let output = run_with(variable, value, arguments);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            let said = stderr(&output);
            assert!(said.contains(&format!("'{value}' for '{variable}'")), "{arguments:?}: {said}");
        }
        let given = [["--codec", "none"], ["--workers", "1"]][i];
        let output = run_with(variable, value, &[input, ["a", "b"][i], given[0], given[1]]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let output = run_with("SEGY_IMPORT_PROGRESS", "loud", &["verify", out]);
    assert!(stderr(&output).contains("'loud' for 'SEGY_IMPORT_PROGRESS'"), "{}", stderr(&output));
    assert!(run_with("SEGY_IMPORT_PROGRESS", "loud", &["inspect", out]).status.success());
    for variable in ["SEGY_IMPORT_CODEC", "SEGY_IMPORT_WORKERS", "SEGY_IMPORT_PROGRESS"] {
        for arguments in [&[input, "empty", "--overwrite"][..], &["import", input, "empty", "--overwrite"]] {
            let output = run_with(variable, "", arguments);
            assert!(output.status.success(), "{variable}: {}", stderr(&output));
        }
    }
}

#[test]
fn the_progress_of_the_environment_does_not_mix_with_a_file_on_standard_output() {
    let survey = survey();
    let out = survey.import("out", &[]);
    let export = |dataset: &Path, options: &[&str]| {
        let mut command = Command::new(program());
        command.arg("export").arg(dataset).arg("-").args(options).env("SEGY_IMPORT_PROGRESS", "json").output().unwrap()
    };
    for options in [&[][..], &["-q"]] {
        let output = export(&out, options);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(output.stdout == std::fs::read(&survey.input).unwrap(), "{options:?}");
    }
    let failed = export(&survey.path("missing"), &[]);
    assert_eq!((failed.status.code(), failed.stdout.len()), (Some(3), 0), "{}", stderr(&failed));
    for options in [&["--json"][..], &["--progress", "json"]] {
        assert_eq!(export(&out, options).status.code(), Some(2), "{options:?}");
    }
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
    let directory = scratch();
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

//! Real files of many origins and generated edge cases, with what a correct import gives for each. The corpus lies beside
//! the project where it is developed and is no part of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{self, python};

/// The corpus, Python, and a directory with the edge cases that it makes. `None` where one of them is missing, which is said.
fn corpus() -> Option<(PathBuf, &'static Path, tempfile::TempDir)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if !corpus.is_dir() {
        python::say("skipped: ../shared is not here");
        return None;
    }
    let (corpus, python) = (corpus.canonicalize().unwrap(), python::interpreter()?);
    let directory = support::scratch();
    let edge_cases = directory.path().join("edge");
    python::run(python, &["-B".as_ref(), corpus.join("make_edge_cases.py").as_ref(), edge_cases.as_ref()]);
    Some((corpus, python, directory))
}

/// The goldens of the corpus.
fn goldens(corpus: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(corpus.join("goldens.json")).unwrap()).unwrap()
}

/// Runs the checker of the corpus over the files of a list in `directory`, imported with some options.
fn check(corpus: &Path, python: &Path, list: &Path, directory: &Path, options: &str) -> Output {
    let command = format!("'{}' {{in}} {{out}}{options}", support::program().display());
    let mut check = python::command(python);
    check.arg("-B").arg(corpus.join("check_corpus.py")).arg(list).arg(directory);
    check.args(["--strict-warn", "--cmd", &command, "--tmp"]).arg(directory);
    check.stdin(Stdio::null()).output().unwrap()
}

/// The entries that are refused unless traces of varying length are asked for give their values then.
#[test]
fn traces_of_varying_length_of_the_corpus_have_the_right_values() {
    let Some((corpus, python, directory)) = corpus() else { return };
    let mut goldens = goldens(&corpus);
    let files = goldens["files"].as_object_mut().unwrap();
    files.retain(|_, e| e["classes"].as_array().is_some_and(|c| c.iter().any(|c| c == "varying")));
    let n = files.len();
    assert!(n > 0);
    files.values_mut().for_each(|entry| entry["expect"] = "values".into());
    let list = directory.path().join("goldens.json");
    std::fs::write(&list, goldens.to_string()).unwrap();

    let output = check(&corpus, python, &list, directory.path(), " --ragged pad --verify");
    let stdout = support::stdout(&output);
    assert!(output.status.success(), "{stdout}\n{}", support::stderr(&output));
    assert_eq!(stdout.lines().last().unwrap_or_default(), format!("{n} passed, 0 failed"));
}

#[test]
fn every_file_of_the_corpus_is_imported_or_refused_as_it_should_be() {
    let Some((corpus, python, directory)) = corpus() else { return };
    std::os::unix::fs::symlink(corpus.join("files"), directory.path().join("files")).unwrap();

    let output = check(&corpus, python, &corpus.join("goldens.json"), directory.path(), "");
    let stdout = support::stdout(&output);
    let summary = stdout.lines().last().unwrap_or_default();
    python::say(summary);
    let not_ok: Vec<&str> = stdout.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(output.status.success(), "{}\n{}", not_ok.join("\n"), support::stderr(&output));
    // Every golden was looked at, and none of them missing.
    assert_eq!(summary, format!("{} passed, 0 failed", goldens(&corpus)["files"].as_object().unwrap().len()));
}

/// The options that a refusal offers, each as it is to be typed.
fn offered(message: &str) -> Vec<Vec<String>> {
    let message = message.split_once(": ").map_or(message, |(_, rest)| rest);
    let words: Vec<&str> = message.split_whitespace().collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    let trimmed = |word: &str| word.trim_end_matches([',', ';', ')', '.', ':']).to_owned();
    for (i, word) in words.iter().enumerate().filter(|(_, word)| word.starts_with("--")) {
        // What overrides is no offer to a refused file, and what the user gave is none either.
        let mut option = vec![trimmed(word)];
        let value = words.get(i + 1).filter(|_| !word.ends_with([',', ';', ')'])).map(|value| trimmed(value));
        let takes_value =
            ["--samples", "--format", "--extended-headers", "--trailer", "--revision", "--ragged", "--input-format"];
        if takes_value.contains(&option[0].as_str()) {
            // "--format or", "--samples": a value that is not said cannot be typed.
            let Some(value) = value.filter(|v| {
                v.chars().next().is_some_and(|c| c.is_ascii_digit())
                    || ["pad", "su", "segy", "passcal"].contains(&v.as_str())
            }) else {
                continue;
            };
            option.push(value);
        }
        match found.last_mut() {
            // "--input-format su --format 1" is one offer.
            Some(last) if i >= 2 && words[i - 2].starts_with("--") && !words[i - 1].ends_with([',', ';', ')']) => {
                last.extend(option)
            }
            _ => found.push(option),
        }
    }
    found
}

/// Whether the import of a file agrees with the sample counts in all of its trace headers.
fn agrees_with_headers(document: &serde_json::Value) -> bool {
    let geometry = &document["geometry"];
    let stated = &geometry["header_ranges"]["sample_count"];
    let n = geometry["n_samples"].as_u64().unwrap();
    match geometry.get("samples_per_trace") {
        Some(lengths) => stated[0] == lengths["min"] && stated[1] == lengths["max"],
        // Nothing, or more than two bytes can hold, contradicts nothing.
        None => stated.is_null() || n > 65_535 || (stated[0] == n && stated[1] == n),
    }
}

#[test]
fn what_a_refusal_offers_gives_right_values_or_a_warning_when_it_is_typed() {
    let Some((corpus, _, directory)) = corpus() else { return };
    let files = [corpus.join("files"), directory.path().join("edge"), corpus.join("../wild/files")];
    let mut n_typed = 0;
    for file in files.iter().filter_map(|d| std::fs::read_dir(d).ok()).flatten().map(|e| e.unwrap().path()) {
        let out = directory.path().join("out");
        let import = |options: &[String]| {
            let mut command = Command::new(support::program());
            command.arg(&file).arg(&out).args(["--no-sync", "--overwrite"]).args(options).stdin(Stdio::null());
            command.output().unwrap()
        };
        let refused = import(&[]);
        if refused.status.code() != Some(3) {
            continue;
        }
        for option in offered(&support::stderr(&refused)) {
            n_typed += 1;
            let typed = import(&option);
            let said = support::stderr(&typed);
            assert!(typed.status.success(), "{}: {option:?}: {said}", file.display());
            let document = support::odd::document(&out);
            let is_right = agrees_with_headers(&document) || said.contains("warning: ");
            assert!(is_right, "{}: {option:?} gives {}", file.display(), document["geometry"]);
        }
    }
    assert!(n_typed > 10, "only {n_typed} options were offered");
}

#[test]
fn floats_of_the_corpus_are_doubted_where_the_label_is_wrong_and_nowhere_else() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/files");
    let Ok(files) = std::fs::read_dir(corpus) else {
        python::say("skipped: ../shared is not here");
        return;
    };
    let doubted = files.flatten().filter(|file| {
        let plan = support::run(&[file.path().as_os_str(), "/nowhere/out".as_ref(), "--dry-run".as_ref()]);
        support::stderr(&plan).contains("look like I")
    });
    let names: Vec<_> = doubted.map(|file| file.file_name().into_string().unwrap()).collect();
    // Labelled IBM. As such its values are below 2.1e-9 and one in ten is not normalised; as IEEE they are seismic noise.
    assert_eq!(names, ["obspy__00001034.sgy"]);
}

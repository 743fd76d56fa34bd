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
    let directory = tempfile::tempdir().unwrap();
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
    let mut check = Command::new(python);
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

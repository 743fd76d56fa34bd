//! File systems that refuse locks, as Lustre without `-o flock` does: a library that is loaded before the system's own
//! refuses them here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{self, Survey, assert_same, pause, signal, stderr, wait_for, wait_until};

const REFUSING: &str = "
#include <errno.h>
int flock(int fd, int operation) { (void)fd; (void)operation; errno = REFUSAL; return -1; }
";

/// A library whose `flock` fails with this error.
fn refusing(directory: &Path, error: &str) -> PathBuf {
    let (source, library) = (directory.join("flock.c"), directory.join(format!("{error}.so")));
    std::fs::write(&source, REFUSING).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(format!("-DREFUSAL={error}")).arg(&source);
    assert!(compiler.status().unwrap().success());
    library
}

fn without_locks(survey: &Survey, library: &Path, options: &[&str]) -> Command {
    let mut command = survey.command("out", options);
    command.env("LD_PRELOAD", library);
    command
}

#[test]
fn where_locks_are_refused_a_file_keeps_other_imports_away() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000"]);
    let locked = survey.import("locked", &[]);
    for error in ["ENOLCK", "ENOSYS", "EOPNOTSUPP"] {
        let library = refusing(survey.directory.path(), error);
        let workers = ["--parallel-threshold", "0", "--segments", "3", "--overwrite"];
        let output = without_locks(&survey, &library, &workers).output().unwrap();
        assert!(output.status.success(), "{error}: {}", stderr(&output));
        assert!(stderr(&output).contains("lock.held: this file system has no locks"), "{error}: {}", stderr(&output));
        assert_same(&survey.path("out"), &locked);
        let mut export = Command::new(support::program());
        export.env("LD_PRELOAD", &library).arg("export").arg(&locked).arg(survey.path(&format!("{error}.sgy")));
        assert!(export.output().unwrap().status.success());
        assert!(std::fs::read(survey.path(&format!("{error}.sgy"))).unwrap() == std::fs::read(&survey.input).unwrap());
    }
}

#[test]
fn a_lock_file_counts_as_long_as_its_process_lives() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "24000", "--samples", "500"]);
    let library = refusing(survey.directory.path(), "ENOLCK");
    let held = survey.path("out/.segy-import/lock.held");
    let slow = ["--parallel-threshold", "0", "--workers", "2", "--segments", "6", "--codec", "gzip:9"];
    let child = without_locks(&survey, &library, &slow).spawn().unwrap();
    wait_until("it has its lock", || std::fs::read_to_string(&held).is_ok_and(|text| text.ends_with('\n')));
    pause(child.id());
    let other = without_locks(&survey, &library, &[]).output().unwrap();
    assert_eq!(other.status.code(), Some(4));
    let said = stderr(&other);
    assert!(said.contains("another import is writing here") && said.contains(&child.id().to_string()), "{said}");
    signal(child.id(), "KILL");
    wait_for(child);
    assert!(held.exists());
    // Of several that find what it left behind, one at a time gets in, and one at least succeeds.
    let others: Vec<_> = (0..6).map(|_| without_locks(&survey, &library, &slow).spawn().unwrap()).collect();
    let outputs: Vec<_> = others.into_iter().map(wait_for).collect();
    let codes: Vec<i32> = outputs.iter().map(|output| output.status.code().unwrap()).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 4].contains(code)), "{codes:?}: {}", stderr(&outputs[0]));
    assert_same(&survey.path("out"), &survey.import("locked", &slow));
    assert!(!held.exists());
}

//! JavaScript with zarrita, in an environment of the tests' own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `tests/javascript` consists of; the script has to lie beside the packages.
const FILES: [&str; 3] = ["package.json", "package-lock.json", "read_array.mjs"];

/// The samples of arrays, in the order in which they are stored. `None` without Node.js, with a note on standard error.
pub(crate) fn read_arrays(arrays: &[PathBuf]) -> Option<Vec<Vec<u8>>> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("javascript");
    if !succeeds(Command::new("npm").arg("--version")) {
        super::python::say("SKIPPED, NOT TESTED: zarrita: npm of Node.js is not here");
        return None;
    }
    fs::create_dir_all(&directory).unwrap();
    // Another run of the tests may want the same environment at the same time.
    let lock = File::create(directory.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/javascript");
    let is_installed = FILES.iter().all(|file| {
        fs::read(directory.join(file)).ok() == fs::read(sources.join(file)).ok() && directory.join("complete").exists()
    });
    if !is_installed {
        for file in FILES {
            fs::copy(sources.join(file), directory.join(file)).unwrap();
        }
        assert!(succeeds(Command::new("npm").args(["ci", "--silent"]).current_dir(&directory)), "npm ci failed");
        fs::write(directory.join("complete"), []).unwrap();
    }
    let scratch = super::scratch();
    let samples: Vec<PathBuf> = (0..arrays.len()).map(|i| scratch.path().join(i.to_string())).collect();
    let jobs = scratch.path().join("jobs.json");
    let pairs: Vec<(&PathBuf, &PathBuf)> = arrays.iter().zip(&samples).collect();
    fs::write(&jobs, serde_json::to_vec(&pairs).unwrap()).unwrap();
    let output = Command::new("node").arg("read_array.mjs").arg(jobs).current_dir(&directory).output().unwrap();
    assert!(output.status.success(), "{}", super::stderr(&output));
    Some(samples.iter().map(|file| fs::read(file).unwrap()).collect())
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|s| s.success())
}

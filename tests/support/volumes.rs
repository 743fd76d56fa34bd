//! Volumes for tests of grids, their traces in other orders, and importing them.

use std::path::{Path, PathBuf};

use crate::support::{Survey, run, stderr};

const HEADERS: usize = 3600;
/// Of each trace: 50 samples of 4 bytes.
const TRACE: usize = 240 + 200;

/// A volume of 18 inlines and 19 crosslines, the last two traces of which are missing.
pub(crate) fn volume() -> Survey {
    Survey::new(&["--kind", "poststack", "--traces", "340", "--samples", "50"])
}

/// The traces of a volume, put into another order, or only some, or some of them twice.
pub(crate) fn arranged(survey: &Survey, name: &str, arrange: impl FnOnce(&mut Vec<Vec<u8>>)) -> PathBuf {
    let bytes = std::fs::read(&survey.input).unwrap();
    let mut traces: Vec<Vec<u8>> = bytes[HEADERS..].chunks(TRACE).map(<[u8]>::to_vec).collect();
    arrange(&mut traces);
    let path = survey.path(name);
    std::fs::write(&path, [&bytes[..HEADERS], &traces.concat()].concat()).unwrap();
    path
}

pub(crate) fn import(input: &Path, out: &Path, options: &[&str]) -> std::process::Output {
    let paths = [input.to_str().unwrap(), out.to_str().unwrap(), "--no-sync"];
    run(&[&paths[..], options].concat())
}

pub(crate) fn imported(input: &Path, out: &Path, options: &[&str]) {
    let output = import(input, out, options);
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
}

pub(crate) const GRID: [&str; 2] = ["--grid", "inline,crossline"];
pub(crate) const MANY: [&str; 6] = ["--parallel-threshold", "1", "--workers", "3", "--segments", "7"];

/// Asserts that a dataset is intact, and gives the file back byte for byte.
pub(crate) fn gives_back(dataset: &Path, input: &Path) {
    let (dataset, file) = (dataset.to_str().unwrap(), input.to_str().unwrap());
    let back = format!("{dataset}.back.sgy");
    for arguments in [&["verify", dataset][..], &["verify", file, dataset], &["export", dataset, &back, "--no-sync"]] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    assert!(std::fs::read(&back).unwrap() == std::fs::read(input).unwrap(), "the export of {dataset} differs");
    std::fs::remove_file(back).unwrap();
}

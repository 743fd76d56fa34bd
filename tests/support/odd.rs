//! Surveys with changed bytes, and importing them.

use std::path::Path;

use crate::support::{Survey, run, stderr};

pub(crate) const STRIDE: usize = 340;

/// A survey of 12 traces × 25 samples (4 bytes each), with its bytes changed by `change`.
pub(crate) fn changed(options: &[&str], change: impl FnOnce(&mut Vec<u8>)) -> Survey {
    let survey = Survey::new(&[&["--kind", "prestack", "--traces", "12", "--samples", "25"], options].concat());
    let mut bytes = std::fs::read(&survey.input).unwrap();
    change(&mut bytes);
    std::fs::write(&survey.input, bytes).unwrap();
    survey
}

/// Imports with `--verify` and compares the export with the file. Returns the document and the program's messages.
pub(crate) fn round_trip(survey: &Survey, options: &[&str]) -> (serde_json::Value, String) {
    let output = survey.command("out", &[&["--verify", "--overwrite"], options].concat()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let back = survey.path("back.sgy");
    let exported = run(&["export".as_ref(), survey.path("out").as_os_str(), back.as_os_str(), "--overwrite".as_ref()]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap(), "the export differs");
    let checked = run(&["verify".as_ref(), survey.path("out").as_os_str()]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    (document(&survey.path("out")), stderr(&output))
}

pub(crate) fn document(dataset: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dataset.join("metadata.json")).unwrap()).unwrap()
}

/// The message of an import that is refused with this exit code.
pub(crate) fn refused(survey: &Survey, options: &[&str], exit_code: i32) -> String {
    let output = survey.command("refused", options).output().unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{}", stderr(&output));
    assert!(!survey.path("refused").exists());
    stderr(&output)
}

pub(crate) fn noise(n: usize) -> Vec<u8> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

//! All tests of the whole program, as modules of one binary: every further binary would link everything once more.
//! `cargo test --test tests kills::` runs those of one file.
#![allow(clippy::disallowed_methods, reason = "a test that takes an error for a missing file fails, and harms nothing")]

#[path = "fuzz/checks.rs"]
#[allow(dead_code, reason = "only the fuzzers change inputs with it")]
mod checks;
#[path = "fuzz/seeds.rs"]
mod seeds;
mod support;

#[cfg(target_os = "linux")]
mod browser;
mod compute;
mod convert;
mod coordinates;
mod corpus;
mod crops;
mod doubtful_sizes;
mod edits;
#[cfg(target_os = "linux")]
mod faults;
mod flags;
mod fuzz_corpus;
mod golden;
mod grid;
mod grid_duplicates;
mod grid_inputs;
mod grid_probe;
mod habits;
mod header_parts;
mod hostile;
mod hostile_datasets;
mod house;
mod import;
mod inputs;
mod inspect;
mod interop;
#[cfg(target_os = "linux")]
mod interruptions;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod locks;
mod mapping;
mod mdio;
mod messages;
mod misfits;
mod mutations;
mod odd_files;
mod old_versions;
mod parts;
mod precision;
mod python_module;
mod ragged;
mod refusals;
mod report;
mod round_trip;
mod scheduler;
mod spill;
#[cfg(feature = "cloud")]
mod stores;
mod touched;
mod view;
mod wild;

/// Cargo does not look for test files, so one that is no module here would never run.
#[test]
fn every_file_of_tests_is_a_module() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut missing = names.filter_map(|name| name.strip_suffix(".rs").map(|module| format!("mod {module};")));
    let modules: Vec<&str> = include_str!("tests.rs").lines().collect();
    assert_eq!(missing.find(|line| line != "mod tests;" && !modules.contains(&line.as_str())), None);
}

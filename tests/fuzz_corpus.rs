//! The inputs that fuzzing has found to reach something of their own, and those it began with, through the same checks.
//!
//! `SEGY_IMPORT_FUZZ_UNPACK=DIR` writes all of them into a directory for each target, for a fuzzer to go on from;
//! `SEGY_IMPORT_FUZZ_PACK=DIR` keeps what is in such directories.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checks::{self, Survey};
use crate::seeds;

/// No longer inputs are kept.
const MOST_BYTES: usize = 16 << 10;

/// The kept inputs of a target: each with its length in front, four little-endian bytes, all compressed with zstd.
fn archive(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target).with_extension("zst")
}

fn kept(target: &str) -> Vec<Vec<u8>> {
    let bytes = zstd::stream::decode_all(fs::File::open(archive(target)).unwrap()).unwrap();
    let (mut inputs, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((length, after)) = rest.split_first_chunk() {
        let (input, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        inputs.push(input.to_vec());
        rest = after;
    }
    inputs
}

fn pack(target: &str, directory: &Path) {
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut bytes = Vec::new();
    for input in files.iter().map(|f| fs::read(f).unwrap()).filter(|input| input.len() <= MOST_BYTES) {
        bytes.extend((input.len() as u32).to_le_bytes());
        bytes.extend(input);
    }
    fs::write(archive(target), zstd::stream::encode_all(&bytes[..], 19).unwrap()).unwrap();
}

/// Runs a check on every input of a target.
fn replay(target: &str, seeds: Vec<Vec<u8>>, check: impl Fn(&[u8])) {
    let directory = |variable| std::env::var_os(variable).map(|root| Path::new(&root).join(target));
    if let Some(directory) = directory("SEGY_IMPORT_FUZZ_PACK") {
        pack(target, &directory);
    }
    let kept = kept(target);
    assert!(!kept.is_empty());
    let inputs: Vec<Vec<u8>> = seeds.into_iter().chain(kept).collect();
    if let Some(directory) = directory("SEGY_IMPORT_FUZZ_UNPACK") {
        fs::create_dir_all(&directory).unwrap();
        inputs.iter().enumerate().for_each(|(i, input)| fs::write(directory.join(format!("{i:05}")), input).unwrap());
    }
    inputs.iter().for_each(|input| check(input));
}

#[test]
fn files_are_refused_or_read() {
    replay("layout", seeds::files(), checks::layout);
}

#[test]
fn plans_are_refused_or_followed() {
    let survey = Survey::new();
    let n_followed = std::cell::Cell::new(0);
    replay("plan", seeds::plans(), |text| n_followed.set(n_followed.get() + i32::from(checks::plan(&survey, text))));
    // Beside the seed, so that a new version of the plan does not turn all of the corpus into refusals.
    assert!(n_followed.get() > 300, "only {} plans of the corpus could be followed", n_followed.get());
}

#[test]
fn lines_of_workers_are_understood_or_harmless() {
    let survey = Survey::new();
    replay("lines", seeds::lines(), |text| checks::lines(&survey, text));
}

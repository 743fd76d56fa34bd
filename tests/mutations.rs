//! Small files, plans and worker lines, changed at random: nothing panics, loops or leaves something behind.
//! `SEGY_IMPORT_MUTATIONS` says how many changes of each are tried.

use std::path::Path;

use segy_import::GridOptions;
use segy_import::internals::{Plan, parse_line};
use segy_import::{CancelHandle, ImportConfig, import};

use crate::checks::NUMBERS;
use crate::support;

/// Small files: generated ones, and edge cases of the corpus.
fn files() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/seeds");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.iter().map(|f| std::fs::read(f).unwrap()).collect()
}

/// The plan of an import in three segments, and what the worker of the first says.
fn plan_and_lines() -> (Vec<u8>, Vec<Vec<u8>>) {
    let survey = support::Survey::new(&["--kind", "prestack", "--traces", "12", "--samples", "4"]);
    let mut config = ImportConfig::new(&survey.input, survey.path("out"));
    (config.segments, config.chunk_traces, config.shard_chunks) = (Some(3), Some(1), Some(2));
    let plan = config.plan().unwrap();
    let lines = std::cell::RefCell::new(Vec::new());
    let send = |message| lines.borrow_mut().push(serde_json::to_vec(&message).unwrap());
    send(segy_import::internals::work(
        &plan,
        &segy_import::internals::Place::of(survey.directory.path()).unwrap(),
        0,
        &CancelHandle::new(),
        &send,
    ));
    let others = [r#"{"type":"failed","exit_code":3,"message":"a\nb"}"#, r#"{"type":"progress","traces":7}"#];
    let lines = lines.into_inner().into_iter().chain(others.map(|line| line.as_bytes().to_vec())).collect();
    (serde_json::to_vec_pretty(&plan).unwrap(), lines)
}

/// The plan of a grid.
fn plan_of_grid() -> Vec<u8> {
    let survey = support::Survey::new(&["--traces", "12", "--samples", "4"]);
    let mut config = ImportConfig::new(&survey.input, survey.path("out"));
    let mut grid = GridOptions::new("inline,crossline".parse().unwrap());
    grid.brick = Some("2,2,3".parse().unwrap());
    (config.segments, config.grid) = (Some(2), Some(grid));
    serde_json::to_vec_pretty(&config.plan().unwrap()).unwrap()
}

/// One of the seeds with a few bytes, runs, or numbers of its text changed.
fn mutated(seeds: &[Vec<u8>], is_text: bool, random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = seeds[random(seeds.len())].clone();
    for _ in 0..1 + random(6) {
        let at = random(bytes.len().max(1)).min(bytes.len());
        match random(if is_text { 5 } else { 4 }) {
            0 if at < bytes.len() => bytes[at] = random(256) as u8,
            1 if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random(5)],
            2 if at + 8 < bytes.len() => bytes[at..at + 1 + random(8)].fill([0, 0xFF][random(2)]),
            3 => {
                let end = (at + random(400)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                if random(2) == 0 { drop(bytes.drain(at..end)) } else { drop(bytes.splice(at..at, part)) }
            }
            _ => replace_number(&mut bytes, at, NUMBERS[random(NUMBERS.len())]),
        }
    }
    bytes
}

/// Puts another number in the place of the one that comes next in a text.
fn replace_number(bytes: &mut Vec<u8>, at: usize, number: &str) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|n| at + n) else { return };
    let end = bytes[start..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |n| start + n);
    bytes.splice(start..end, number.bytes());
}

fn n_mutations(usual: usize) -> usize {
    std::env::var("SEGY_IMPORT_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Another seed on each run of the long form, so that it finds something new each time.
fn random_numbers() -> impl FnMut(usize) -> usize {
    let is_long = std::env::var_os("SEGY_IMPORT_MUTATIONS").is_some();
    let seed = if is_long { std::process::id().into() } else { 1 };
    eprintln!("seed {seed}");
    support::random_numbers(seed)
}

#[test]
fn changed_files_are_refused_or_come_back() {
    let (seeds, mut random) = (files(), random_numbers());
    let directory = support::scratch();
    let (input, out) = (directory.path().join("in.sgy"), directory.path().join("out"));
    let mut n_imported = 0;
    for i in 0..n_mutations(400) {
        std::fs::write(&input, mutated(&seeds, false, &mut random)).unwrap();
        let mut config = ImportConfig::new(&input, &out);
        config.overrides.allow_truncated = i % 2 == 0;
        config.sync = false;
        config.verify = true;
        config.grid = [None, Some("trace"), Some("auto")][i % 3].map(|keys| GridOptions::new(keys.parse().unwrap()));
        match import(&config, &mut |_| {}, &CancelHandle::new()) {
            Ok(_) => {
                segy_import::check(&out, &mut |_, _| {}, &CancelHandle::new()).unwrap();
                std::fs::remove_dir_all(&out).unwrap();
                n_imported += 1;
            }
            Err(error) => assert!(error.exit_code() == 3 && !out.exists(), "change {i}: {error}"),
        }
    }
    assert!(n_imported > 20, "only {n_imported} were imported");
}

#[test]
fn changed_plans_are_refused_or_can_be_followed() {
    let (seeds, mut random) = ([plan_and_lines().0, plan_of_grid()], random_numbers());
    let mut n_read = 0;
    for i in 0..n_mutations(20_000) {
        let text = mutated(&seeds, true, &mut random);
        let Ok(plan) = Plan::from_json(&text) else { continue };
        n_read += 1;
        for segment in &plan.segments {
            let (objects, traces, rows) = (plan.units_of(segment), plan.traces_of(segment), plan.rows_of(segment));
            let n = plan.n_traces();
            assert!(objects.start <= objects.end && traces.end <= n && rows.end <= n, "change {i}");
            assert!(plan.n_objects() > 0 || plan.headers_only, "change {i}");
        }
        let _ = (plan.sample_bytes(), plan.worker_bytes(), plan.traces().n_objects(), plan.traces().chunk_bytes());
    }
    assert!(n_read > 100, "only {n_read} were read");
}

#[test]
fn changed_lines_of_a_worker_are_skipped_or_understood() {
    let (seeds, mut random) = (plan_and_lines().1, random_numbers());
    let mut n_read = 0;
    for i in 0..n_mutations(20_000) {
        let text = mutated(&seeds, true, &mut random);
        let Some(message) = std::str::from_utf8(&text).ok().and_then(parse_line) else { continue };
        n_read += 1;
        let line = serde_json::to_string(&message).unwrap();
        assert!(!line.contains('\n'), "change {i}");
        assert_eq!(parse_line(&line), Some(message), "change {i}");
    }
    assert!(n_read > 100, "only {n_read} were read");
}

//! Makes each system call fail once: in an import, in one that replaces a dataset, in a merge and in an export. Success
//! must mean what was promised; a failure must leave nothing half done, and the next attempt must succeed. And what has
//! become visible must have been synced before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::dataset::{Part, Target};
use crate::export::{ExportConfig, export};
use crate::generate::{GenerateConfig, generate};
use crate::grid::options::{Duplicates, GridOptions, Spill};
use crate::plan::import_config::{Coords, ImportConfig};
use crate::run::import::import;
use crate::run::{convert_one, merge, plan};
use crate::store::faults::{Faults, Step};

/// Two small surveys, and a directory for each attempt, on a file system in memory if there is one.
struct Bench {
    directory: tempfile::TempDir,
}

type Tree = BTreeMap<PathBuf, Vec<u8>>;

impl Bench {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        for (name, seed) in [("a.sgy", 1), ("b.sgy", 2)] {
            let config = GenerateConfig { n_traces: 24, n_samples: 5, seed, ..GenerateConfig::default() };
            generate(&config, &directory.path().join(name), &mut |_, _| {}, &CancelHandle::new()).unwrap();
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self, inputs: &[&str], output: &Path) -> ImportConfig {
        let mut config = ImportConfig::new(self.path(inputs[0]), output);
        config.inputs = inputs.iter().map(|name| self.path(name)).collect();
        (config.segments, config.chunk_traces, config.workers) = (Some(2), Some(6), Some(1));
        // The others are written in the same way.
        config.coords = Coords::Fields(vec!["inline".into()]);
        config
    }

    fn import(&self, inputs: &[&str], output: &Path, overwrite: bool) -> Result<()> {
        let config = ImportConfig { overwrite, ..self.config(inputs, output) };
        import(&config, &mut |_| {}, &CancelHandle::new()).map(drop)
    }

    /// Fails one call after another of `act` on a new directory set up by `prepare`: of those that the same code makes on files
    /// of one name, as every array and every segment has them, the first, the middle one and the last, or with
    /// `SEGY_IMPORT_FAULTS` set all. `judge` gets the directory and whether `act` succeeded; after a failure `act` must
    /// succeed, and is judged again.
    fn sweep(&self, prepare: impl Fn(&Path), act: impl Fn(&Path) -> Result<()>, judge: impl Fn(&Path, bool, &str)) {
        let attempt = |n: u64| {
            let directory = self.path(&format!("attempt {n}"));
            std::fs::create_dir(&directory).unwrap();
            prepare(&directory);
            let error = if n.is_multiple_of(2) { Errno::IO } else { Errno::STALE };
            let faults = Faults::below(&directory, n, error);
            let result = act(&directory);
            let seen = faults.seen();
            drop(faults);
            let what = format!("call {n} fails: {:?}", result.as_ref().err().map(ToString::to_string));
            judge(&directory, result.is_ok(), &what);
            if result.is_err() {
                let again = act(&directory);
                assert!(again.is_ok(), "{what}; then {}", again.unwrap_err());
                judge(&directory, true, &format!("{what}; then again"));
            }
            std::fs::remove_dir_all(&directory).unwrap();
            (seen, result.is_err())
        };
        let (seen, _) = attempt(0);
        let mut alike: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for (n, (code, path)) in (1..).zip(&seen) {
            let kind = (code.to_string(), path.components().count(), path.file_name());
            alike.entry(kind).or_default().push(n);
        }
        let chosen: BTreeSet<u64> = match std::env::var_os("SEGY_IMPORT_FAULTS") {
            Some(_) => (1..=seen.len() as u64).collect(),
            None => {
                alike.values().flat_map(|calls| [calls[0], calls[calls.len() / 2], calls[calls.len() - 1]]).collect()
            }
        };
        let n_failed = chosen.iter().filter(|&&n| attempt(n).1).count();
        assert!(n_failed > 10, "of {} calls only {n_failed} mattered", chosen.len());
    }
}

/// Writes the files of a dataset below a directory.
fn put(dataset: &Tree, directory: &Path) {
    for (path, bytes) in dataset {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Every file below a directory with its bytes, except the staging area, which is not part of a dataset.
fn tree(directory: &Path) -> Tree {
    let (mut found, mut open) = (Tree::new(), vec![directory.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(directory).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn is_visible(output: &Path) -> bool {
    output.join("metadata.json").exists()
}

fn without_staging(directory: &Path) -> Tree {
    tree(directory).into_iter().filter(|(path, _)| !path.starts_with(".segy-import")).collect()
}

fn assert_is(found: &Tree, wanted: &Tree, what: &str) {
    let differs = wanted.keys().chain(found.keys()).find(|path| wanted.get(*path) != found.get(*path));
    assert_eq!(differs, None, "{what}");
}

#[test]
fn an_import_is_complete_or_not_visible() {
    let bench = Bench::new();
    bench.import(&["a.sgy"], &bench.path("reference"), false).unwrap();
    let reference = tree(&bench.path("reference"));
    bench.sweep(
        |_| {},
        |directory| bench.import(&["a.sgy"], &directory.join("out"), false),
        |directory, is_done, what| {
            let out = directory.join("out");
            if is_done {
                assert_is(&tree(&out), &reference, what);
            } else if is_visible(&out) {
                assert_is(&without_staging(&out), &reference, what);
            }
        },
    );
}

/// A grid in several columns of bricks, with traces aside.
fn import_grid(bench: &Bench, output: &Path, overwrite: bool, spill: Spill) -> Result<()> {
    let mut grid = GridOptions::new("inline,trace_number_cdp".parse().unwrap());
    grid.brick = Some("2,1,3".parse().unwrap());
    (grid.duplicates, grid.spill) = (Duplicates::Aside, spill);
    let mut config = ImportConfig { overwrite, grid: Some(grid), ..bench.config(&["a.sgy"], output) };
    (config.chunk_traces, config.coords) = (None, Coords::Auto);
    import(&config, &mut |_| {}, &CancelHandle::new()).map(drop)
}

#[test]
fn a_grid_is_complete_or_not_visible() {
    let bench = Bench::new();
    import_grid(&bench, &bench.path("reference"), false, Spill::Never).unwrap();
    let reference = tree(&bench.path("reference"));
    assert!(reference.contains_key(Path::new("aside/zarr.json")));
    // Without spilling there are fewer calls, and no others.
    bench.sweep(
        |_| {},
        |directory| import_grid(&bench, &directory.join("out"), false, Spill::Always),
        |directory, is_done, what| {
            let out = directory.join("out");
            if is_done {
                assert_is(&tree(&out), &reference, what);
            } else if out.join("segy/metadata.json").exists() {
                assert_is(&without_staging(&out), &reference, what);
            }
        },
    );
}

#[test]
fn a_grid_that_replaces_traces_in_file_order_is_whole_or_they_are() {
    let bench = Bench::new();
    bench.import(&["a.sgy"], &bench.path("old"), false).unwrap();
    import_grid(&bench, &bench.path("new"), false, Spill::Auto).unwrap();
    let (old, new) = (tree(&bench.path("old")), tree(&bench.path("new")));
    bench.sweep(
        |directory| put(&old, &directory.join("out")),
        |directory| import_grid(&bench, &directory.join("out"), true, Spill::Auto),
        |directory, is_done, what| {
            let out = directory.join("out");
            if is_done || out.join("segy/metadata.json").exists() {
                assert_is(&without_staging(&out), &new, what);
            } else if is_visible(&out) {
                assert_is(&without_staging(&out), &old, what);
            }
        },
    );
}

#[test]
fn a_dataset_that_is_replaced_is_whole_before_and_after() {
    let bench = Bench::new();
    bench.import(&["a.sgy"], &bench.path("old"), false).unwrap();
    bench.import(&["a.sgy", "b.sgy"], &bench.path("new"), false).unwrap();
    let (old, new) = (tree(&bench.path("old")), tree(&bench.path("new")));
    bench.sweep(
        |directory| put(&old, &directory.join("out")),
        |directory| bench.import(&["a.sgy", "b.sgy"], &directory.join("out"), true),
        |directory, is_done, what| {
            let out = directory.join("out");
            if is_done {
                assert_is(&tree(&out), &new, what);
            } else if is_visible(&out) {
                let found = without_staging(&out);
                assert_is(
                    &found,
                    if found.get(Path::new("metadata.json")) == old.get(Path::new("metadata.json")) {
                        &old
                    } else {
                        &new
                    },
                    what,
                );
            }
        },
    );
}

#[test]
fn segments_that_are_merged_make_the_dataset_or_stay() {
    let bench = Bench::new();
    bench.import(&["a.sgy"], &bench.path("reference"), false).unwrap();
    let reference = tree(&bench.path("reference"));
    bench.sweep(
        |directory| {
            let out = directory.join("out");
            plan(&bench.config(&["a.sgy"], &out), &mut |_| {}, &CancelHandle::new()).unwrap();
            for segment in 0..2 {
                convert_one(&out, segment, &CancelHandle::new(), &mut |_, _| {}).unwrap();
            }
        },
        |directory| merge(&directory.join("out"), false, &mut |_| {}, &CancelHandle::new()).map(drop),
        |directory, is_done, what| {
            let out = directory.join("out");
            if is_done {
                assert_is(&tree(&out), &reference, what);
            } else if is_visible(&out) {
                assert_is(&without_staging(&out), &reference, what);
            }
        },
    );
}

#[test]
fn an_export_is_the_file_or_nothing() {
    let bench = Bench::new();
    let original = std::fs::read(bench.path("a.sgy")).unwrap();
    for overwrite in [false, true] {
        bench.sweep(
            |directory| {
                bench.import(&["a.sgy"], &directory.join("dataset"), false).unwrap();
                if overwrite {
                    std::fs::write(directory.join("back.sgy"), "old").unwrap();
                }
            },
            |directory| export_to(&directory.join("dataset"), &directory.join("back.sgy"), overwrite),
            |directory, is_done, what| {
                let names: Vec<_> = beside_the_dataset(directory).into_iter().collect();
                let whole = [(PathBuf::from("back.sgy"), original.clone())];
                let before = [(PathBuf::from("back.sgy"), b"old".to_vec())];
                let is_before = if overwrite { names == before } else { names.is_empty() };
                assert!(
                    names == whole || !is_done && is_before,
                    "{what}: {:?}",
                    names.iter().map(|n| &n.0).collect::<Vec<_>>()
                );
                if !is_done && !overwrite {
                    // The file has its name but may not be synced: it would be in the way of the next attempt.
                    let _ = std::fs::remove_file(directory.join("back.sgy"));
                }
            },
        );
    }
}

#[test]
fn an_export_of_several_files_is_all_of_them_or_nothing() {
    let bench = Bench::new();
    let names = ["a.sgy", "b.sgy"];
    let files: Tree =
        names.map(|name| (PathBuf::from("back").join(name), std::fs::read(bench.path(name)).unwrap())).into();
    bench.sweep(
        |directory| bench.import(&names, &directory.join("dataset"), false).unwrap(),
        |directory| export_to(&directory.join("dataset"), &directory.join("back"), false),
        |directory, is_done, what| {
            let found = beside_the_dataset(directory);
            if is_done || !found.is_empty() {
                assert_is(&found, &files, what);
            }
            if !is_done {
                let _ = std::fs::remove_dir_all(directory.join("back"));
            }
        },
    );
}

#[test]
fn a_dataset_that_cannot_be_looked_at_is_not_taken_for_none() {
    let bench = Bench::new();
    let directory = bench.path("looked");
    let out = directory.join("out");
    bench.import(&["a.sgy"], &out, false).unwrap();
    let look = || crate::inspect::dataset_report::dataset_report(&out);
    let faults = Faults::below(&directory, u64::MAX, Errno::IO);
    assert!(look().unwrap().is_some());
    let calls = faults.calls();
    drop(faults);
    for n in 1..=calls {
        let _faults = Faults::below(&directory, n, if n % 2 == 0 { Errno::IO } else { Errno::STALE });
        assert!(look().is_err(), "call {n} of {calls}");
    }
}

#[test]
fn damage_is_never_taken_for_a_whole_dataset() {
    let bench = Bench::new();
    let verify = |directory: &Path, with_input: bool| {
        let (dataset, cancel) = (directory.join("dataset"), CancelHandle::new());
        match with_input {
            true => crate::verify::compare(&[bench.path("a.sgy")], &dataset, &mut |_, _| {}, &cancel).map(drop),
            false => crate::verify::check(&dataset, &mut |_, _| {}, &cancel).map(drop),
        }
    };
    for with_input in [false, true] {
        bench.sweep(
            |directory| bench.import(&["a.sgy"], &directory.join("dataset"), false).unwrap(),
            |directory| verify(directory, with_input),
            |_, _, _| {},
        );
        let directory = bench.path("damaged");
        bench.import(&["a.sgy"], &directory.join("dataset"), true).unwrap();
        let chunk = directory.join("dataset/traces.zarr/c/0/2");
        let mut bytes = std::fs::read(&chunk).unwrap();
        bytes[20] ^= 1;
        std::fs::write(chunk, bytes).unwrap();
        for n in 1..200 {
            let _faults = Faults::below(&directory, n, Errno::IO);
            assert!(verify(&directory, with_input).is_err(), "call {n}");
        }
    }
}

#[test]
fn a_document_that_was_edited_and_cannot_be_read_is_not_called_damaged() {
    let bench = Bench::new();
    let directory = bench.path("edited");
    import_grid(&bench, &directory.join("dataset"), false, Spill::Never).unwrap();
    let document = directory.join("dataset/amplitude/zarr.json");
    let mut edited: serde_json::Value = serde_json::from_slice(&std::fs::read(&document).unwrap()).unwrap();
    edited["attributes"]["note"] = "mine".into();
    std::fs::write(document, edited.to_string()).unwrap();
    let verify = |n| {
        let faults = Faults::below(&directory, n, Errno::IO);
        let checked = crate::verify::check(&directory.join("dataset"), &mut |_, _| {}, &CancelHandle::new());
        (checked.map(drop).unwrap_err().to_string(), faults.calls())
    };
    let (undisturbed, n_calls) = verify(0);
    assert!(undisturbed.contains("edited") && n_calls > 20, "{n_calls} calls: {undisturbed}");
    for n in 1..=n_calls {
        let said = verify(n).0;
        assert!(!said.contains("its length or checksum"), "call {n}: {said}");
    }
}

/// Everything in a directory besides `dataset`.
fn beside_the_dataset(directory: &Path) -> Tree {
    tree(directory).into_iter().filter(|(path, _)| !path.starts_with("dataset")).collect()
}

fn export_to(dataset: &Path, target: &Path, overwrite: bool) -> Result<()> {
    let config = ExportConfig {
        dataset: dataset.to_owned(),
        target: target.to_owned(),
        file: None,
        part: Part::All,
        conversion: Target::default(),
        lossy: false,
        nan: None,
        overwrite,
        sync: true,
        ..ExportConfig::default()
    };
    export(&config, &mut |_, _| {}, &CancelHandle::new()).map(drop)
}

/// Everything in a directory, files and directories, itself included.
fn names(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for path in tree(directory).into_keys() {
        found.extend(path.ancestors().filter(|a| !a.as_os_str().is_empty()).map(Path::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

/// What was synced and renamed below a directory.
struct Steps(Vec<Step>);

impl Steps {
    fn of(directory: &Path, act: impl FnOnce()) -> Self {
        let faults = Faults::below(directory, 0, Errno::IO);
        act();
        Self(faults.steps())
    }

    /// When something got this name.
    fn renamed(&self, path: &Path) -> usize {
        self.0.iter().position(|step| *step == Step::Renamed(path.to_owned())).unwrap()
    }

    fn assert_synced(&self, path: &Path, when: std::ops::Range<usize>) {
        let synced = self.0[when.clone()].contains(&Step::Synced(path.to_owned()));
        assert!(synced, "{} is not synced in {when:?}: {:#?}", path.display(), self.0);
    }

    /// The first name that appeared in a directory, and the last before `mark`.
    fn first_and_last_in(&self, directory: &Path, mark: usize) -> (usize, usize) {
        let is_in = |i: &usize| matches!(&self.0[*i], Step::Renamed(path) if path.parent() == Some(directory));
        ((0..mark).find(is_in).unwrap(), (0..mark).rev().find(is_in).unwrap())
    }
}

#[test]
fn a_dataset_and_its_names_are_on_disk_before_they_are_relied_on() {
    let bench = Bench::new();
    let (out, directory) = (bench.path("new/parents/out"), bench.path("new"));
    let staging = out.join(".segy-import");
    std::fs::create_dir(&directory).unwrap();
    for overwrite in [false, true] {
        let steps = Steps::of(&directory, || bench.import(&["a.sgy"], &out, overwrite).unwrap());
        let (merged, visible) = (steps.renamed(&staging.join("merged")), steps.renamed(&out.join("metadata.json")));
        for name in names(&out) {
            steps.assert_synced(
                &staging.join("dataset").components().chain(name.components()).collect::<PathBuf>(),
                0..merged,
            );
        }
        let (first, last) = steps.first_and_last_in(&out, visible);
        assert!(merged < first, "{:#?}", steps.0);
        for path in [&staging.join("merged"), &staging, &out] {
            steps.assert_synced(path, merged..first);
        }
        steps.assert_synced(&out, last..visible);
        steps.assert_synced(&out, visible..steps.0.len());
        if !overwrite {
            for created in [&directory, &bench.path("new/parents")] {
                steps.assert_synced(created, merged..first);
            }
        }
    }
}

#[test]
fn separately_converted_segments_are_on_disk_before_they_count() {
    let bench = Bench::new();
    let (out, directory) = (bench.path("new/out"), bench.path("new"));
    let staging = out.join(".segy-import");
    std::fs::create_dir(&directory).unwrap();
    let cancel = CancelHandle::new();
    let steps =
        Steps::of(&directory, || plan(&bench.config(&["a.sgy"], &out), &mut |_| {}, &cancel).map(drop).unwrap());
    let planned = steps.renamed(&staging.join("plan.json"));
    for path in [&staging.join("plan.json"), &staging, &out, &directory] {
        steps.assert_synced(path, planned..steps.0.len());
    }
    let steps = Steps::of(&directory, || convert_one(&out, 0, &cancel, &mut |_, _| {}).map(drop).unwrap());
    let segment = staging.join("segment_0");
    let done = steps.renamed(&segment);
    let is_synced = |name: &Path| {
        let synced = |step: &Step| match step {
            Step::Synced(path) => path
                .strip_prefix(staging.join("attempts"))
                .is_ok_and(|path| path.components().skip(1).eq(name.components())),
            Step::Renamed(_) => false,
        };
        steps.0[..done].iter().any(synced)
    };
    for name in names(&segment) {
        assert!(is_synced(&name), "{}: {:#?}", name.display(), steps.0);
    }
    steps.assert_synced(&staging, done..steps.0.len());
}

#[test]
fn an_import_without_syncing_syncs_nothing_and_one_that_completes_it_syncs_everything() {
    let bench = Bench::new();
    let directory = bench.path("new");
    std::fs::create_dir(&directory).unwrap();
    let run = |out: &Path, sync| {
        let config = ImportConfig { sync, ..bench.config(&["a.sgy"], out) };
        import(&config, &mut |_| {}, &CancelHandle::new()).map(drop)
    };
    let steps = Steps::of(&directory, || run(&directory.join("whole"), false).unwrap());
    assert!(steps.0.iter().all(|step| matches!(step, Step::Renamed(_))), "{:#?}", steps.0);
    // Fails between the first name that becomes visible and the last.
    let out = (1..1000).map(|n| {
        let out = directory.join(format!("attempt {n}"));
        let faults = Faults::below(&out, n, Errno::IO);
        let result = run(&out, false);
        assert!(result.is_err() || faults.calls() >= n);
        out
    });
    let out = out.into_iter().find(|out| out.join("headers.parquet").exists() && !is_visible(out)).unwrap();
    let steps = Steps::of(&out, || run(&out, true).unwrap());
    let visible = steps.renamed(&out.join("metadata.json"));
    for name in names(&out).into_iter().filter(|name| !name.as_os_str().is_empty()) {
        let places = [&out, &out.join(".segy-import/dataset")].map(|root| Step::Synced(root.join(&name)));
        assert!(steps.0[..visible].iter().any(|step| places.contains(step)), "{}: {:#?}", name.display(), steps.0);
    }
}

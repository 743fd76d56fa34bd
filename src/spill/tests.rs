use std::path::Path;

use rustix::io::Errno;

use super::*;
use crate::generate::{GenerateConfig, SurveyKind, generate};
use crate::grid::buckets::KeyCut;
use crate::grid::options::{AxesOrder, GridOptions};
use crate::grid::scan::Records;
use crate::plan::import_config::ImportConfig;
use crate::plan::make_grid::{Scanner, Unread};
use crate::run::import::import;
use crate::staging::{Output, SpillPaths};
use crate::store::faults::Faults;
use std::cell::RefCell;

fn asked(n_workers: usize, memory: Option<u64>) -> Asked {
    Asked { spill: Spill::Auto, n_workers, memory, is_for_others: false, sync: false }
}

/// CDP gathers of 2240 bytes a trace: sorted, and with every trace far from its neighbours.
fn files(directory: &Path) -> [std::path::PathBuf; 2] {
    let [sorted, scattered] = ["sorted.sgy", "scattered.sgy"].map(|name| directory.join(name));
    let config = GenerateConfig { kind: SurveyKind::Prestack, n_traces: 4001, ..GenerateConfig::default() };
    generate(&config, &sorted, &mut |_, _| {}, &CancelHandle::new()).unwrap();
    let bytes = std::fs::read(&sorted).unwrap();
    let (headers, traces) = bytes.split_at(3600);
    let traces: Vec<&[u8]> = traces.chunks(2240).collect();
    let order = (0..traces.len()).map(|i| traces[i * 500 % traces.len()]);
    std::fs::write(&scattered, [headers].into_iter().chain(order).collect::<Vec<_>>().concat()).unwrap();
    [sorted, scattered]
}

fn config(input: &Path, output: &Path, spill: Spill) -> ImportConfig {
    let mut config = ImportConfig::new(input, output);
    let grid = GridOptions { spill, ..GridOptions::new("cdp,trace".parse().unwrap()) };
    (config.grid, config.sync) = (Some(grid), false);
    config
}

#[test]
fn traces_are_spilled_where_they_are_scattered_and_more_than_memory() {
    let directory = tempfile::tempdir().unwrap();
    let [sorted, scattered] = files(directory.path());
    let is_spilled = |input: &Path, spill: Spill, memory: Option<u64>| {
        let root = directory.path().join("out");
        let plan = config(input, &root, spill).plan().unwrap();
        let output = Output::open(&root, false, plan.file_mode).unwrap();
        output.start(&plan).unwrap();
        let staging = output.staging();
        let decision = decide(&plan, &staging, &Asked { spill, ..asked(2, memory) }, &CancelHandle::new()).unwrap();
        let is_spilled = match decision {
            Decision::InPlace(remark) => {
                assert_eq!(remark, None);
                false
            }
            Decision::Spill(spilling) => {
                let most = spilling.cut.ends.len();
                assert!(most >= 8, "{most} buckets");
                true
            }
        };
        output.discard().unwrap();
        is_spilled
    };
    let bytes = std::fs::metadata(&scattered).unwrap().len();
    assert!(is_spilled(&scattered, Spill::Auto, Some(bytes - 1)));
    assert!(!is_spilled(&scattered, Spill::Auto, Some(bytes)));
    assert!(!is_spilled(&scattered, Spill::Auto, None));
    assert!(!is_spilled(&sorted, Spill::Auto, Some(0)));
    assert!(is_spilled(&sorted, Spill::Always, None));
    assert!(!is_spilled(&scattered, Spill::Never, Some(0)));
}

/// Keeps what is decided about spilling by the first key, and spills nothing.
struct Decider {
    asked: Asked,
    found: RefCell<Option<KeyCut>>,
}

impl Scanner for Decider {
    fn scan(&self, unread: &Unread, cancel: &CancelHandle) -> Result<Option<(Records, Spilled)>> {
        *self.found.borrow_mut() = KeyBuckets::plan(unread, &self.asked, cancel)?.map(|buckets| buckets.cut().clone());
        Ok(None)
    }
}

#[test]
fn traces_are_spilled_by_their_keys_where_a_few_show_that_they_are_scattered() {
    let directory = tempfile::tempdir().unwrap();
    let [sorted, scattered] = files(directory.path());
    let decided = |input: &Path, asked: Asked, change: fn(&mut GridOptions)| {
        let mut config = config(input, &directory.path().join("out"), asked.spill);
        let grid = config.grid.as_mut().unwrap();
        (grid.is_scanned, grid.keys) = (true, "cdp,offset,trace".parse().unwrap());
        change(grid);
        let decider = Decider { asked, found: RefCell::default() };
        config.plan_with(&|_| Ok(()), Some(&decider), &CancelHandle::new()).unwrap();
        decider.found.into_inner()
    };
    let bytes = std::fs::metadata(&scattered).unwrap().len();
    let by_size = |memory| decided(&scattered, asked(2, Some(memory)), |_| {});
    let cut = by_size(bytes - 4000).unwrap();
    assert!(cut.is_of(2) && cut.n_boxes() > 60 && (8..20).contains(&cut.ends.len()), "{cut:?}");
    assert!(by_size(bytes / 30).unwrap().ends.len() > 60);
    assert_eq!(by_size(bytes), None);
    let gathers: fn(&mut GridOptions) = |grid| grid.keys = "cdp,trace".parse().unwrap();
    assert_eq!(decided(&sorted, asked(2, Some(bytes - 4000)), gathers), None);
    assert!(decided(&scattered, asked(2, Some(bytes - 4000)), gathers).is_some());
    let always = || Asked { spill: Spill::Always, ..asked(2, None) };
    assert!(decided(&sorted, always(), |_| {}).is_some());
    assert_eq!(decided(&scattered, always(), |grid| grid.axes = AxesOrder::File), None);
    assert_eq!(decided(&scattered, always(), |grid| grid.keys = "trace".parse().unwrap()), None);
}

#[test]
fn a_full_disk_ends_the_import_with_how_much_room_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let [_, scattered] = files(directory.path());
    let root = directory.path().join("out");
    let attempt = |spilled: &Path, n: u64| {
        let faults = Faults::below(spilled, n, Errno::NOSPC);
        let result = import(&config(&scattered, &root, Spill::Always), &mut |_| {}, &CancelHandle::new());
        (result, faults.calls())
    };
    // Of the calls below the bucket's path, creating it is the first, and then come writes.
    let bucket = root.join(".segy-import/spill/bucket_3.bin");
    let (whole, calls) = attempt(&bucket, 0);
    assert!(calls > 2 && whole.is_ok(), "{calls}: {whole:?}");
    std::fs::remove_dir_all(&root).unwrap();
    let said = attempt(&bucket, 2).0.unwrap_err().to_string();
    assert!(said.contains("bucket_3.bin: ") && said.contains("; spilling the traces needs 9.96 MB of room"), "{said}");
    assert!(!root.exists());
}

#[test]
fn what_is_spilled_without_its_mark_does_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let [_, scattered] = files(directory.path());
    let root = directory.path().join("out");
    let plan = config(&scattered, &root, Spill::Always).plan().unwrap();
    let output = Output::open(&root, false, plan.file_mode).unwrap();
    output.start(&plan).unwrap();
    let staging = output.staging();
    let asked = Asked { spill: Spill::Always, ..asked(2, None) };
    let spilling = |cancel: &CancelHandle| match decide(&plan, &staging, &asked, cancel) {
        Ok(Decision::Spill(spilling)) => Some(spilling),
        _ => None,
    };
    let cancel = CancelHandle::new();
    let stopped = spilling(&cancel).unwrap().run(&cancel, &mut |n| {
        if n > 500 {
            cancel.cancel()
        }
    });
    assert!(matches!(stopped, Err(Error::Cancelled { .. })));
    assert!(!SpillPaths::new(&staging).directory.path().exists());
    let cancel = CancelHandle::new();
    spilling(&cancel).unwrap().run(&cancel, &mut |_| {}).unwrap();
    assert!(spilling(&cancel).is_none(), "it is there");
    let found = Spilled::find(&plan, &staging).unwrap().unwrap();
    assert!(matches!(found.cut, BucketCut::Units(_)));
    Spilled { stride: found.stride + 1, ..found.clone() }.mark(&staging).unwrap();
    assert_eq!(Spilled::find(&plan, &staging), Ok(None));
    Spilled { boot_id: Some("an earlier start".into()), ..found.clone() }.mark(&staging).unwrap();
    assert_eq!(Spilled::find(&plan, &staging), Ok(None));
    Spilled { boot_id: None, ..found.clone() }.mark(&staging).unwrap();
    assert!(Spilled::find(&plan, &staging).unwrap().is_some());
}

#[test]
fn the_buckets_of_all_workers_fit_into_memory_and_each_has_several() {
    assert_eq!(bucket_bytes(1 << 40, &asked(4, Some(4 << 30))), 128 << 20);
    assert_eq!(bucket_bytes(1 << 40, &asked(4, Some(1 << 40))), 1 << 30);
    assert_eq!(bucket_bytes(1 << 40, &asked(4, None)), 1 << 30);
    assert_eq!(bucket_bytes(1 << 30, &asked(4, Some(1 << 40))), 64 << 20);
    assert_eq!(bucket_bytes(3, &asked(0, Some(0))), 1);
}

#[test]
fn where_there_is_no_room_it_is_said_how_much_is_needed() {
    assert_eq!(no_room(10, 10, true), None);
    let said = no_room(4_200_000_000, 999_000_000, true).unwrap();
    assert!(said.contains("(4.20 GB with the dataset, 999.00 MB are free); reading them one by one"), "{said}");
    let said = no_room(4_200_000_000, 999_000_000, false).unwrap();
    assert!(said.ends_with("make room, or use --spill never"), "{said}");
}

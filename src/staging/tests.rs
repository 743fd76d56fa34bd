//! Tests of what is refused as an output, and of what is found in a staging area.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::*;
use crate::generate::{GenerateConfig, generate};
use crate::plan::import_config::ImportConfig;
use crate::store::faults::Faults;
use crate::store::files::write_json;

/// A directory with `in.sgy`, 12 traces.
fn bench() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let survey = GenerateConfig { n_traces: 12, n_samples: 5, ..GenerateConfig::default() };
    generate(&survey, &directory.path().join("in.sgy"), &mut |_, _| {}, &CancelHandle::new()).unwrap();
    let out = directory.path().join("out");
    (directory, out)
}

fn plan(directory: &tempfile::TempDir) -> Plan {
    let mut config = ImportConfig::new(directory.path().join("in.sgy"), directory.path().join("out"));
    config.gather = crate::plan::import_config::Gather::None;
    (config.segments, config.chunk_traces) = (Some(2), Some(6));
    config.plan().unwrap()
}

/// Puts something that is taken for the document of a dataset into a directory.
fn put_dataset(out: &Path) {
    std::fs::write(
        out.join("metadata.json"),
        r#"{"format": {"name": "segy-import", "version": 2, "program_version": "0"}}"#,
    )
    .unwrap();
}

#[test]
fn a_new_or_empty_directory_is_taken_and_what_is_in_the_way_is_named() {
    let (directory, out) = bench();
    let check = |path: &Path, overwrite| match check(path, overwrite) {
        Ok(()) => String::new(),
        Err(Error::OutputInTheWay(message)) => message.split(": ").skip(1).collect(),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(check(&out, false), "");
    assert!(check(&directory.path().join("in.sgy"), true).starts_with("is a file"));
    assert!(check(&directory.path().join("in.sgy/out"), true).starts_with("a part of it is a file"));
    symlink("nowhere", directory.path().join("link")).unwrap();
    assert!(check(&directory.path().join("link"), true).starts_with("is a link to nothing"));
    let too_long = directory.path().join("x".repeat(300));
    assert!(matches!(super::check(&too_long, false), Err(Error::Failed(_))));
    std::fs::create_dir(&out).unwrap();
    assert_eq!(check(&out, false), "");
    std::fs::write(out.join("notes"), "").unwrap();
    assert!(check(&out, false).starts_with("is not empty"));
    assert_eq!(check(&out, true), "");
    std::fs::create_dir(out.join(STAGING)).unwrap();
    assert_eq!(check(&out, false), "");
    std::fs::write(out.join("headers.parquet"), "").unwrap();
    for overwrite in [false, true] {
        assert!(check(&out, overwrite).starts_with("headers.parquet in it belongs to no dataset"));
    }
    put_dataset(&out);
    assert!(check(&out, false).starts_with("holds a dataset; --overwrite"));
    assert_eq!(check(&out, true), "");
    std::fs::write(out.join(STAGING).join(MERGED), "").unwrap();
    assert_eq!(check(&out, false), "");
}

#[test]
fn an_output_that_is_refused_stays_as_it_was() {
    let (_directory, out) = bench();
    std::fs::create_dir(&out).unwrap();
    put_dataset(&out);
    assert!(matches!(Output::open(&out, false, 0o666), Err(Error::OutputInTheWay(_))));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
    let output = Output::open(&out, true, 0o666).unwrap();
    assert!(output.lock().is_some() && output.warning().is_none());
    assert_eq!((output.root().path(), output.staging().path()), (out.clone(), out.join(STAGING)));
    assert_eq!(output.plan_file().path(), out.join(STAGING).join("plan.json"));
    assert_eq!(output.dataset().path(), out.join(STAGING).join("dataset"));
    output.discard().unwrap();
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
}

#[test]
fn an_output_that_cannot_be_looked_at_leaves_no_directories() {
    let (_directory, out) = bench();
    let open = |n| {
        let faults = Faults::below(&out, n, rustix::io::Errno::IO);
        (Output::open(&out, false, 0o666), faults.calls())
    };
    let (opened, n_calls) = open(0);
    opened.unwrap().discard().unwrap();
    // The last call is the look at what is in the directory.
    assert!(matches!(open(n_calls), (Err(Error::Failed(_)), _)));
    assert!(!out.exists());
}

#[test]
fn a_dataset_whose_document_cannot_be_read_is_replaced_all_the_same() {
    let (directory, out) = bench();
    let import = |overwrite| {
        let config = ImportConfig { overwrite, ..ImportConfig::new(directory.path().join("in.sgy"), &out) };
        crate::run::import::import(&config, &mut |_| {}, &CancelHandle::new()).map(drop)
    };
    import(false).unwrap();
    let document = std::fs::read(out.join("metadata.json")).unwrap();
    put_dataset(&out);
    import(true).unwrap();
    assert_eq!(std::fs::read(out.join("metadata.json")).unwrap(), document);
}

#[test]
fn a_segment_whose_record_the_plan_cannot_have_made_is_converted_again() {
    let (directory, out) = bench();
    let mut config = ImportConfig::new(directory.path().join("in.sgy"), &out);
    (config.segments, config.chunk_traces) = (Some(2), Some(6));
    let cancel = CancelHandle::new();
    crate::run::plan(&config, &mut |_| {}, &cancel).unwrap();
    crate::run::convert_one(&out, 0, &cancel, &mut |_, _| {}).unwrap();
    let root = find_root(&out).unwrap().unwrap();
    let n_done = || Staged::find(&root).unwrap().unwrap().done.len();
    assert_eq!(n_done(), 1);
    let record = out.join(STAGING).join("segment_0/segment.json");
    let mut changed: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    changed["n_traces"] = 5.into();
    std::fs::write(&record, changed.to_string()).unwrap();
    assert_eq!(n_done(), 0);
    crate::run::import::import(&config, &mut |_| {}, &cancel).unwrap();
    assert!(holds_dataset(&root).unwrap());
}

#[test]
fn what_workers_need_of_a_grid_is_put_there_again_where_it_is_not() {
    let (directory, out) = bench();
    let mut config = ImportConfig::new(directory.path().join("in.sgy"), &out);
    config.grid = Some(crate::grid::options::GridOptions::new("inline,crossline".parse().unwrap()));
    crate::run::plan(&config, &mut |_| {}, &CancelHandle::new()).unwrap();
    std::fs::remove_dir_all(out.join(STAGING).join("grid")).unwrap();
    crate::run::import::import(&config, &mut |_| {}, &CancelHandle::new()).unwrap();
    assert!(holds_dataset(&find_root(&out).unwrap().unwrap()).unwrap());
}

#[test]
fn a_staging_area_is_a_directory_and_no_link_to_one() {
    let (directory, out) = bench();
    assert!(find_root(&out).unwrap().is_none());
    assert!(matches!(find_root(&directory.path().join("in.sgy/out")), Ok(None)));
    std::fs::create_dir(&out).unwrap();
    let root = find_root(&out).unwrap().unwrap();
    assert!(staging_of(&root).unwrap().is_none() && !is_merged(&root).unwrap());
    let refusal = || staging_of(&root).map(drop).unwrap_err().to_string();
    std::fs::write(out.join(STAGING), "").unwrap();
    assert!(refusal().contains("is not a directory of this program"));
    std::fs::remove_file(out.join(STAGING)).unwrap();
    symlink(directory.path(), out.join(STAGING)).unwrap();
    assert!(refusal().contains("is a link, which is not followed"));
    std::fs::remove_file(out.join(STAGING)).unwrap();
    std::fs::create_dir(out.join(STAGING)).unwrap();
    let staging = staging_of(&root).unwrap().unwrap();
    assert!(!has_plan(&staging).unwrap() && !is_merged(&root).unwrap());
    staging.join(MERGED).write(b"").unwrap();
    assert!(is_merged(&root).unwrap());
    let _fault = Faults::below(&out, 1, rustix::io::Errno::IO);
    assert!(matches!(staging_of(&root), Err(Error::Failed(_))));
}

#[test]
fn the_lock_of_a_complete_dataset_is_removed_unless_it_is_held_or_guards_work() {
    let (_directory, out) = bench();
    remove_lock(&out).unwrap();
    std::fs::create_dir(&out).unwrap();
    remove_lock(&out).unwrap();
    assert!(!out.join(STAGING).exists());
    let output = Output::open(&out, false, 0o666).unwrap();
    remove_lock(&out).unwrap();
    assert!(out.join(STAGING).join("lock").exists());
    drop(output);
    let work = out.join(STAGING).join("segment_0");
    std::fs::create_dir(&work).unwrap();
    remove_lock(&out).unwrap();
    assert!(out.join(STAGING).join("lock").exists());
    std::fs::remove_dir(&work).unwrap();
    remove_lock(&out).unwrap();
    assert!(!out.join(STAGING).exists());
}

#[test]
fn the_segments_of_an_earlier_run_count_if_their_records_do() {
    let (directory, out) = bench();
    let plan = plan(&directory);
    let output = Output::open(&out, false, 0o666).unwrap();
    assert!(Staged::find(output.root()).unwrap().is_none());
    output.start(&plan).unwrap();
    let found = || output.find(&plan).unwrap().map(|staged| (staged.done.len(), staged.n_lost));
    assert_eq!((found(), output.has_finished_segments().unwrap()), (Some((0, 0)), false));
    for segment in 0..2 {
        std::fs::create_dir(out.join(STAGING).join(format!("segment_{segment}"))).unwrap();
    }
    assert!(!output.has_finished_segments().unwrap());
    crate::run::convert_one(&out, 0, &CancelHandle::new(), &mut |_, _| {}).unwrap();
    assert_eq!((found(), output.has_finished_segments().unwrap()), (Some((1, 0)), true));
    let record = output.find(&plan).unwrap().unwrap().done.remove(0);
    let place = SegmentPaths::new(&output.staging(), 0).record;
    write_json(&place, &SegmentRecord { boot_id: Some("an earlier start".into()), ..record.clone() }).unwrap();
    assert_eq!((found(), output.n_finished(&plan)), (Some((0, 1)), Ok(1)));
    write_json(&place, &SegmentRecord { n_rows: record.n_rows + 1, ..record.clone() }).unwrap();
    assert_eq!(found(), Some((0, 0)));
    write_json(&place, &record).unwrap();
    assert_eq!(found(), Some((1, 0)));
    // Of another plan nothing counts.
    let other = Plan { max_probe: 7, ..plan.clone() };
    assert!(output.find(&other).unwrap().is_none());
    symlink("nowhere", out.join(STAGING).join("segment_0/link")).unwrap();
    let Err(Error::OutputInTheWay(message)) = output.find(&plan) else { panic!("a link is followed") };
    assert!(message.contains("holds links"), "{message}");
    output.discard().unwrap();
    assert!(!out.exists());
}

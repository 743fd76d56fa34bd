//! Merging the segments into the dataset: chunks are moved, row groups copied, gathers joined.
//!
//! Every chunk and row group was written whole by one segment, so nothing is decoded or encoded again except the
//! gather index. Each step can be repeated after an interruption. In an object store the chunks are already in place.

pub mod content_warnings;
pub mod metadata_json;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::thread::Builder;

use serde_json::json;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset_files::{EXCEPTIONS, GATHER_INDEX, HEADERS, SAMPLE_AXIS, TRACES, ZARR_JSON, checked_files};
use crate::exceptions::write_table;
use crate::gather::index::{GatherCounts, write_index};
use crate::input::outside_traces::write_files;
use crate::merge::metadata_json::dataset_document;
use crate::plan::Plan;
use crate::segy::SampleAxis;
use crate::staging::{Output, SegmentPaths, SegmentRecord};
use crate::store::checksum::{Checksum, crc32c};
use crate::store::files::{create_directories, is_there, move_to, write_json};
use crate::store::{self, Place};
use crate::table::{self, TablePart};
use crate::zarr::{array_document, coordinate_document, group_document};

/// Merges the segments of a plan, all of which are done. `on_progress` gets the traces placed so far.
pub fn merge(
    plan: &Plan,
    output: &Output,
    records: &[SegmentRecord],
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<GatherCounts> {
    let (staging, dataset) = (output.staging(), output.dataset());
    let segments: Vec<SegmentPaths> = plan.segments.iter().map(|s| SegmentPaths::new(&staging, s.id)).collect();
    create_directories(&dataset)?;

    let with_rows = segments.iter().zip(records).filter(|(_, record)| record.n_rows > 0);
    let part = |(s, r): (&SegmentPaths, &SegmentRecord)| TablePart {
        path: s.headers.clone(),
        row_groups: r.headers.row_groups,
    };
    let parts: Vec<TablePart> = with_rows.map(part).collect();
    let runs: Vec<(Place, u64)> = segments.iter().zip(records).map(|(s, r)| (s.runs.clone(), r.n_runs)).collect();
    let file_starts: Vec<u64> = plan.files.iter().map(|f| f.first_trace).collect();
    let (table, index) = (dataset.join(HEADERS), dataset.join(GATHER_INDEX));
    let join_tables = || table::join(&parts, &table, &plan.headers);
    let index_gathers = || write_index(&index, &plan.gather_keys, &runs, &file_starts, plan.n_traces(), plan.max_probe);
    let panicked = || Error::Failed("a step of the merge panicked".into());
    // Three independent steps. If there are no more threads, they run one after another.
    let (array, joined, counts) = std::thread::scope(|scope| {
        let joined = Builder::new().spawn_scoped(scope, join_tables);
        let counts = Builder::new().spawn_scoped(scope, index_gathers);
        let array = match plan.headers_only {
            true => Ok(None),
            false => write_array(plan, &segments, &dataset.join(TRACES), cancel, on_progress).map(Some),
        };
        let joined = joined.map_or_else(|_| join_tables(), |thread| thread.join().unwrap_or_else(|_| Err(panicked())));
        let counts =
            counts.map_or_else(|_| index_gathers(), |thread| thread.join().unwrap_or_else(|_| Err(panicked())));
        (array, joined, counts)
    });
    let (array, table_checksum, counts) = (array?, joined?, counts?);
    cancel.check()?;

    let exceptions: Vec<(Place, u64)> =
        segments.iter().zip(records).map(|(s, r)| (s.exceptions.clone(), r.n_exceptions)).filter(|e| e.1 > 0).collect();
    if !exceptions.is_empty() {
        write_table(&dataset.join(EXCEPTIONS), &exceptions, cancel)?;
    }
    if let Some(array) = array {
        let coordinate = write_sample_axis(&plan.layout().axis, plan.traces().n_samples, &dataset.join(SAMPLE_AXIS))?;
        write_json(
            &dataset.join(ZARR_JSON),
            &group_document(&[(SAMPLE_AXIS, &coordinate), (TRACES, &array)], units(plan)),
        )?;
    }
    let mut checksums = BTreeMap::from([(HEADERS.to_owned(), table_checksum)]);
    checksums.extend(write_files(&plan.files, &dataset, cancel)?);
    for name in checked_files(plan.headers_only).chain((!exceptions.is_empty()).then_some(EXCEPTIONS)) {
        checksums.insert(name.to_owned(), Checksum::of_file(&dataset.join(name))?);
    }
    dataset_document(plan, records, counts, checksums)?.write(&output.document())?;
    Ok(counts)
}

/// The units of coordinates, by their columns.
fn units(plan: &Plan) -> serde_json::Value {
    const COORDINATES: [&str; 6] = ["source_x", "source_y", "receiver_x", "receiver_y", "cdp_x", "cdp_y"];
    let scaled = |name: &&str| plan.headers.info.iter().find(|info| info.name == format!("{name}_scaled"));
    let unit = |name: &&str| Some((format!("{name}_scaled"), json!(scaled(name)?.unit.clone()?)));
    let units: serde_json::Map<_, _> = COORDINATES.iter().filter_map(unit).collect();
    if units.is_empty() { json!({}) } else { json!({"coordinate_units": units}) }
}

/// Moves the chunks or shards of all segments into the final array, and writes its metadata.
fn write_array(
    plan: &Plan,
    segments: &[SegmentPaths],
    target: &Place,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<serde_json::Value> {
    create_directories(target)?;
    let document = array_document(&plan.traces().declared());
    write_json(&target.join(ZARR_JSON), &document)?;
    if target.is_remote() {
        check_objects(plan, target, cancel)?;
        on_progress(plan.n_traces());
    } else {
        place_chunks(plan, segments, target, cancel, on_progress)?;
    }
    Ok(document)
}

/// Checks that the workers have put every chunk or shard in place, and removes any others left there by an earlier
/// dataset or an abandoned import.
fn check_objects(plan: &Plan, target: &Place, cancel: &CancelHandle) -> Result<()> {
    let mut found: HashSet<String> =
        store::list(&target.path()).map_err(failed(target.display()))?.into_iter().collect();
    found.remove(ZARR_JSON);
    for segment in &plan.segments {
        cancel.check()?;
        for key in plan.units_of(segment).flat_map(|unit| plan.target.keys_of_unit(unit)) {
            if !found.remove(&key) {
                let path = target.join(key);
                return Err(Error::Failed(format!("{}: was removed by somebody else", path.display())));
            }
        }
    }
    let others: Vec<PathBuf> = found.into_iter().map(|key| target.join(key).path()).collect();
    store::remove_all(&others).map_err(failed(format!("{}: its earlier chunks cannot be removed", target.display())))
}

/// Moves the chunks or shards of all segments to the final array, skipping those already moved.
fn place_chunks(
    plan: &Plan,
    segments: &[SegmentPaths],
    target: &Place,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut placed = 0;
    let mut directory = PathBuf::new();
    for (segment, paths) in plan.segments.iter().zip(segments) {
        for object in plan.units_of(segment) {
            for key in plan.target.keys_of_unit(object) {
                let (from, to) = (paths.traces.join(&key), target.join(&key));
                if let Some(parent) = to.parent().filter(|parent| parent.path() != directory) {
                    create_directories(&parent)?;
                    directory = parent.path();
                }
                match from.rename(&to) {
                    Ok(()) => {}
                    Err(_) if is_there(&to)? && !is_there(&from)? => {}
                    Err(e) => {
                        return Err(Error::Failed(format!(
                            "{} cannot be moved to {}: {e}",
                            from.display(),
                            to.display()
                        )));
                    }
                }
            }
        }
        let traces = plan.traces_of(segment);
        placed += traces.end - traces.start;
        on_progress(placed);
        cancel.check()?;
    }
    Ok(())
}

/// The coordinate array `sample`: time, depth or frequency of each sample, or its index if the interval is unknown.
fn write_sample_axis(axis: &SampleAxis, n: u64, directory: &Place) -> Result<serde_json::Value> {
    let mut attributes = json!({"long_name": axis.long_name()});
    match &axis.units {
        _ if axis.interval.is_none() => attributes["units"] = json!("1"),
        Some(units) => attributes["units"] = json!(units),
        None => {}
    }
    let document = coordinate_document(n, attributes);
    let mut bytes: Vec<u8> = (0..n).flat_map(|i| axis.value(i).to_le_bytes()).collect();
    bytes.extend(crc32c(&bytes).to_le_bytes());
    let write = |directory: &Place| {
        let chunk = directory.join("c");
        create_directories(&chunk)?;
        write_json(&directory.join(ZARR_JSON), &document)?;
        chunk.join("0").write(&bytes).map_err(failed(chunk.display()))
    };
    if directory.is_remote() {
        return write(directory).map(|()| document);
    }
    let unfinished = directory.with_extension("part");
    crate::store::files::remove(&unfinished)?;
    crate::store::files::remove(directory)?;
    write(&unfinished)?;
    move_to(&unfinished, directory)?;
    Ok(document)
}

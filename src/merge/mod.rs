//! Merging the segments into the dataset: chunks are moved, row groups copied, gathers joined.
//!
//! Every chunk and row group was written whole by one segment, so nothing is decoded or encoded again except the
//! gather index. Each step can be repeated after an interruption. In an object store the chunks are already in place.

pub(crate) use tables::EarlyTable;

mod array_files;
pub(crate) mod content_warnings;
mod grid_arrays;
pub(crate) mod metadata_json;
mod tables;
mod titles;
mod trace_coordinates;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::thread::Builder;

use serde_json::json;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset_files::{EXCEPTIONS, SAMPLE_AXIS, SAMPLE_SUMS, TABLES, ZARR_JSON, checked_files, checked_tables};
use crate::exceptions::{sorted, write_table};
use crate::gather::index::GatherCounts;
use crate::grid::Grid;
use crate::grid::bricks::Cut;
use crate::grid::header_record::HeaderRecord;
use crate::input::outside_traces::write_files;
use crate::merge::array_files::ArrayFiles;
use crate::merge::metadata_json::{dataset_document, grid_document};
use crate::merge::tables::{Tables, outcome};
use crate::plan::Plan;
use crate::segy::SampleAxis;
use crate::staging::{GridFiles, Output, SegmentPaths, SegmentRecord};
use crate::store::checksum::{Checksum, crc32c};
use crate::store::files::{create_directories, is_there, move_to, write_json};
use crate::store::{self, Place};
use crate::zarr::{array_document, coordinate_document, group_document, join_sample_sums};

/// Merges the segments of a plan, all of which are done. `on_progress` gets the traces placed so far.
pub fn merge(
    plan: &Plan,
    output: &Output,
    records: &[SegmentRecord],
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<GatherCounts> {
    merge_with(plan, output, records, None, cancel, on_progress)
}

/// As [`merge`], with the part of the header table that has been joined already.
pub(crate) fn merge_with(
    plan: &Plan,
    output: &Output,
    records: &[SegmentRecord],
    early: Option<EarlyTable>,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<GatherCounts> {
    let (staging, dataset) = (output.staging(), output.dataset());
    let segments: Vec<SegmentPaths> = plan.segments.iter().map(|s| SegmentPaths::new(&staging, s.id)).collect();
    let grid = plan.target.grid();
    let tables = place_of_tables(plan, &dataset);
    create_directories(&tables)?;

    let of_tables = Tables { plan, directory: &tables, segments: &segments, records };
    // If no thread can be started, one follows the other.
    let (placed, joined) = std::thread::scope(|scope| {
        let joined = Builder::new().spawn_scoped(scope, || of_tables.write(early, cancel));
        let placed = match (plan.headers_only, grid) {
            (true, _) => Ok(()),
            (false, None) => place_traces(plan, &segments, &dataset.join(&plan.traces().name), cancel, on_progress),
            (false, Some(grid)) => place_bricks(plan, grid, &segments, &staging, &dataset, cancel, on_progress),
        };
        (placed, joined.map_or_else(|_| of_tables.write(None, cancel), outcome))
    });
    let (mut checksums, counts) = placed.and(joined)?;
    cancel.check()?;

    let exceptions: Vec<(Place, u64)> =
        segments.iter().zip(records).map(|(s, r)| (s.exceptions.clone(), r.n_exceptions)).filter(|e| e.1 > 0).collect();
    let in_order = match grid {
        Some(_) if !exceptions.is_empty() => vec![sorted(&exceptions, &staging.join("exceptions.sorted"), cancel)?],
        _ => exceptions.clone(),
    };
    if !exceptions.is_empty() {
        write_table(&tables.join(EXCEPTIONS), &in_order, cancel)?;
    }
    let arrays = match grid {
        Some(grid) => Some(grid_arrays::write(plan, grid, records, (&staging, &dataset), cancel)?),
        None => None,
    };
    if grid.is_none() && !plan.headers_only {
        let sums = segments.iter().zip(records).map(|(s, r)| (s.sample_sums.clone(), r.chunks.n_chunks));
        join_sample_sums(&sums.collect::<Vec<_>>(), &dataset.join(SAMPLE_SUMS))?;
        checksums.extend(write_group(plan, &dataset, (&segments, records), cancel)?);
    }
    checksums.extend(write_files(&plan.files, &tables, cancel)?);
    let checked: Vec<String> = match grid {
        Some(_) => checked_tables().collect(),
        None => checked_files(plan.headers_only, &plan.traces().name).collect(),
    };
    for name in checked.into_iter().chain((!exceptions.is_empty()).then(|| EXCEPTIONS.to_owned())) {
        if let Entry::Vacant(unknown) = checksums.entry(name) {
            let checksum = Checksum::of_file(&tables.join(unknown.key()))?;
            unknown.insert(checksum);
        }
    }
    let grid = grid.zip(arrays).map(|(grid, arrays)| grid_document(grid, arrays, records));
    dataset_document(plan, records, counts, checksums, grid)?.write(&output.document()?)?;
    Ok(counts)
}

/// Where the tables of a dataset are: in a grid in a group of their own.
pub(crate) fn place_of_tables(plan: &Plan, dataset: &Place) -> Place {
    if plan.target.grid().is_some() { dataset.join(TABLES) } else { dataset.clone() }
}

/// Writes what the group has besides the chunks of the samples: their document, the axis of the samples, the coordinates of the
/// traces. Returns the checksums of the files.
fn write_group(
    plan: &Plan,
    dataset: &Place,
    segments: (&[SegmentPaths], &[SegmentRecord]),
    cancel: &CancelHandle,
) -> Result<BTreeMap<String, Checksum>> {
    let mut files = ArrayFiles::new(dataset);
    let coordinates = trace_coordinates::write(plan, dataset, segments, &mut files, cancel)?;
    let mut array = array_document(&plan.traces().declared());
    if !coordinates.is_empty() {
        array["attributes"]["coordinates"] = coordinates.join(" ").into();
    }
    files.document(&plan.traces().name, array)?;
    let axis = write_sample_axis(&plan.layout().axis, plan.traces().n_samples, &dataset.join(SAMPLE_AXIS))?;
    let mut documents = files.documents.clone();
    documents.insert(SAMPLE_AXIS.to_owned(), axis);
    write_json(&dataset.join(ZARR_JSON), &group_document(documents, titles::attributes(plan)?))?;
    files.checksums()
}

/// Moves the chunks or shards of all segments into the final array.
fn place_traces(
    plan: &Plan,
    segments: &[SegmentPaths],
    target: &Place,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<()> {
    create_directories(target)?;
    if target.is_remote() {
        let units = plan.segments.iter().flat_map(|segment| plan.units_of(segment));
        check_objects(target, units.flat_map(|unit| plan.target.keys_of_unit(unit)), cancel)?;
        on_progress(plan.n_traces());
        return Ok(());
    }
    place_chunks(plan, segments, target, cancel, on_progress)
}

/// Checks that the workers have put every chunk or shard in place, and removes any others left there by an earlier
/// dataset or an abandoned import.
fn check_objects(target: &Place, keys: impl Iterator<Item = String>, cancel: &CancelHandle) -> Result<()> {
    let mut found: HashSet<String> =
        store::list(&target.path()).map_err(failed(target.display()))?.into_iter().collect();
    found.remove(ZARR_JSON);
    for key in keys {
        cancel.check()?;
        if !found.remove(&key) {
            let path = target.join(key);
            return Err(Error::Failed(format!("{}: was removed by somebody else", path.display())));
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
    let mut mover = Mover::default();
    for (segment, paths) in plan.segments.iter().zip(segments) {
        for object in plan.units_of(segment) {
            for key in plan.target.keys_of_unit(object) {
                let (from, to) = (paths.array(&plan.traces().name).join(&key), target.join(&key));
                mover.place(&from, &to)?;
            }
        }
        let traces = plan.traces_of(segment);
        placed += traces.end - traces.start;
        on_progress(placed);
        cancel.check()?;
    }
    Ok(())
}

/// Moves the bricks and records of all segments into the final arrays.
fn place_bricks(
    plan: &Plan,
    grid: &Grid,
    segments: &[SegmentPaths],
    staging: &Place,
    dataset: &Place,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
) -> Result<()> {
    if dataset.is_remote() {
        for (part, units) in grid.with_units(&(0..grid.n_all_units())) {
            let objects = objects_of(&part, &GridFiles::open(&part, staging)?.units(&units)?);
            for array in [part.variable.clone(), part.path_of(HeaderRecord::ARRAY)] {
                let keys = objects.iter().filter(|(name, _)| *name == array).map(|(_, key)| key.clone());
                check_objects(&dataset.join(&array), keys, cancel)?;
            }
        }
        on_progress(plan.n_traces());
        return Ok(());
    }
    let (mut placed, mut mover) = (0, Mover::default());
    for (segment, paths) in plan.segments.iter().zip(segments) {
        for (part, units) in grid.with_units(&plan.units_of(segment)) {
            for (name, key) in objects_of(&part, &GridFiles::open(&part, staging)?.units(&units)?) {
                mover.place(&paths.array(&name).join(&key), &dataset.join(&name).join(&key))?;
            }
        }
        placed += segment.end_trace - segment.start_trace;
        on_progress(placed);
        cancel.check()?;
    }
    Ok(())
}

/// The bricks and records of some units: their arrays, and their keys there.
fn objects_of(grid: &Grid, units: &[u64]) -> Vec<(String, String)> {
    let (cut, array, headers) = (Cut::new(grid), grid.array(), grid.path_of(HeaderRecord::ARRAY));
    let n_deep = array.objects().last().copied().unwrap_or(1);
    let of_unit = |&unit: &u64| {
        let index = cut.index_of_unit(unit);
        let bricks = (0..n_deep).map(|deep| (grid.variable.clone(), array.key(&[&index[..], &[deep]].concat())));
        bricks.chain([(headers.clone(), array.key(&index))]).collect::<Vec<_>>()
    };
    units.iter().flat_map(of_unit).collect()
}

/// Moves objects, making directories as needed and skipping those already moved.
#[derive(Default)]
struct Mover {
    directory: PathBuf,
}

impl Mover {
    fn place(&mut self, from: &Place, to: &Place) -> Result<()> {
        if let Some(parent) = to.parent().filter(|parent| parent.path() != self.directory) {
            create_directories(&parent)?;
            self.directory = parent.path();
        }
        match from.rename(to) {
            Ok(()) => Ok(()),
            Err(_) if is_there(to)? && !is_there(from)? => Ok(()),
            Err(e) => Err(Error::Failed(format!("{} cannot be moved to {}: {e}", from.display(), to.display()))),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_before_is_skipped_and_what_is_in_the_way_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let root = Place::to_write(directory.path()).unwrap();
        let (from, to) = (root.join("from"), root.join("array/c/0"));
        let mut mover = Mover::default();
        assert!(mover.place(&from, &to).is_err());
        from.write(b"chunk").unwrap();
        mover.place(&from, &to).unwrap();
        assert_eq!(to.read().unwrap(), b"chunk");
        mover.place(&from, &to).unwrap();
        from.write(b"again").unwrap();
        mover.place(&from, &to).unwrap();
        assert_eq!(to.read().unwrap(), b"again");
        from.write(b"chunk").unwrap();
        to.remove().unwrap();
        to.create_directory().unwrap();
        assert!(matches!(mover.place(&from, &to), Err(Error::Failed(_))));
        // The directory for one is made again for another.
        mover.place(&from, &root.join("other/c/0")).unwrap();
        assert!(is_there(&root.join("other/c/0")).unwrap());
    }
}

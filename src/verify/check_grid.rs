//! Checks that a grid is as it was written: its bricks, the records of headers, and its other arrays.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::dataset::{BrickReader, Dataset, GridPlaces, PlacedGrid, check_record, damaged};
use crate::grid::Grid;
use crate::store::Place;
use crate::store::checksum::{ChunkSums, hexadecimal};
use crate::store::files::{find_json, is_there};
use crate::zarr::structure;

/// Checks the files of the arrays besides samples and headers. Returns the Zarr documents of which only the attributes have
/// changed.
pub(super) fn check_arrays(dataset: &Dataset, cancel: &CancelHandle) -> Result<Vec<String>> {
    let mut edited = Vec::new();
    for (name, expected) in &dataset.grid_checksums {
        cancel.check()?;
        let path = dataset.root.join(name);
        if !is_there(&path)? {
            return Err(Error::Damaged(format!("{}: is missing", path.display())));
        }
        if expected.is_of_file(&path)? {
            continue;
        }
        if !is_edited(dataset, name, &path)? {
            return Err(damaged(&path, "its length or checksum is not the one in metadata.json"));
        }
        edited.push(name.clone());
    }
    Ok(edited)
}

/// Whether a Zarr document differs from the one that was written in nothing but attributes.
fn is_edited(dataset: &Dataset, name: &str, path: &Place) -> Result<bool> {
    let Some(expected) = dataset.grid_structures.get(name) else { return Ok(false) };
    let document: Option<serde_json::Value> = find_json(path)?;
    Ok(document.is_some_and(|document| hexadecimal(structure(&document)) == *expected))
}

/// The message about documents whose attributes were edited, all else being intact.
pub(super) fn said_of_edits(dataset: &Dataset, edited: &[String]) -> Result<()> {
    if edited.is_empty() {
        return Ok(());
    }
    Err(Error::Damaged(format!(
        "{}: the attributes in {} were edited since the import; samples, trace headers and tables are as they were imported",
        dataset.root.display(),
        edited.join(", ")
    )))
}

/// Checks every brick and record of headers. `on_progress` gets the traces done so far and in total.
pub(super) fn check_bricks(
    dataset: &Dataset,
    grid: &Grid,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<()> {
    let parts = PlacedGrid::open(dataset, grid)?;
    // Of each unit its part, its number there, and how many bricks are before it.
    let (mut units, mut n_bricks) = (Vec::new(), 0);
    for (number, part) in parts.iter().enumerate() {
        for &unit in &part.places.units {
            units.push((number, unit, n_bricks));
            n_bricks += live_columns(&part.places, unit)?.len() as u64 * part.grid.n_deep();
        }
    }
    let n_units = units.len() as u64;
    let (bricks, records) = (AtomicU32::new(0), AtomicU32::new(0));
    let check_unit = |readers: &mut Vec<BrickReader>, ordinal: u64, shared: &Shared| {
        let Some(&(number, unit, before)) = units.get(ordinal as usize) else { return Ok(()) };
        let (part, reader) = (&parts[number], &mut readers[number]);
        let (mut at, mut n_traces) = (before, 0);
        for (column, n) in live_columns(&part.places, unit)? {
            for deep in 0..part.grid.n_deep() {
                shared.cancel.check()?;
                let crc = reader.check(&[&column[..], &[deep]].concat())?;
                bricks.fetch_xor(ChunkSums::contribution(crc, n_bricks - 1 - at), Ordering::Relaxed);
                at += 1;
            }
            n_traces += n;
        }
        let crc = check_record(dataset, &part.grid, &part.places.cut.index_of_unit(unit))?;
        records.fetch_xor(ChunkSums::contribution(crc, n_units - 1 - ordinal), Ordering::Relaxed);
        shared.add(n_traces);
        Ok(())
    };
    let mut tell = |traces| on_progress(traces, dataset.array.n_traces);
    let readers = || Ok(parts.iter().map(|part| BrickReader::new(dataset, &part.grid)).collect());
    for_each(n_threads(), 0..n_units, cancel, &mut tell, readers, check_unit)?;
    let found = [(n_bricks, bricks, dataset.chunk_sums), (n_units, records, dataset.record_sums)];
    let names = [grid.variable.as_str(), crate::grid::header_record::HeaderRecord::ARRAY];
    for ((n_chunks, crc32c, expected), name) in found.into_iter().zip(names) {
        if expected != (ChunkSums { n_chunks, crc32c: crc32c.into_inner() }) {
            let what =
                "each of its chunks is undamaged, but they are not the ones that were written, or not in that order";
            return Err(damaged(&dataset.root.join(name), what));
        }
    }
    Ok(())
}

/// The columns of bricks of a unit that have traces, and how many.
fn live_columns(places: &GridPlaces, unit: u64) -> Result<Vec<(Vec<u64>, u64)>> {
    let mut live = Vec::new();
    for column in places.cut.columns_of(&places.cut.index_of_unit(unit)) {
        let n = places.traces_in(&places.cut.places_of(&column))?.len() as u64;
        if n > 0 {
            live.push((column, n));
        }
    }
    Ok(live)
}

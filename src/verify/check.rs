//! Checks a dataset against its own checksums, without its original file.
//!
//! Every byte of a dataset is covered by a CRC-32C: chunks and shard indexes end with theirs, `metadata.json` has its
//! own and those of all other files. A CRC detects every change of a single byte. A CRC over the CRCs of all chunks
//! detects undamaged chunks in the wrong place.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use parquet::file::metadata::ParquetMetaDataReader;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::dataset::{ChunkReader, Dataset, damaged, unreadable_table};
use crate::dataset_files::{
    EXCEPTIONS, GATHER_INDEX, HEADERS, METADATA, SAMPLE_SUMS, ZARR_JSON, checked_files, checked_tables,
};
use crate::store::TableReader;
use crate::store::checksum::ChunkSums;
use crate::store::files::is_there;
use crate::verify::check_grid::{check_arrays, check_bricks, said_of_edits};
use crate::verify::edits;

/// The result of a successful check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Traces in the dataset.
    pub n_traces: u64,
    /// Number of files, including `metadata.json`.
    pub n_files: u64,
}

/// Compares every file of the dataset with its checksum. `on_progress` gets the traces whose chunks are done, and the
/// total.
///
/// # Errors
/// `Error::Input` if there is no dataset, `Error::Damaged` with what is damaged or missing.
pub fn check(root: &Path, on_progress: &mut dyn FnMut(u64, u64), cancel: &CancelHandle) -> Result<Checked> {
    let dataset = Dataset::open(root)?;
    let edited = check_tables(&dataset, cancel)?;
    if let Some(grid) = &dataset.grid {
        check_bricks(&dataset, grid, on_progress, cancel)?;
        said_of_edits(&dataset, &edited)?;
        let n_files =
            dataset.n_objects() + grid.n_all_units() + (dataset.checksums.len() + dataset.grid_checksums.len()) as u64;
        return Ok(Checked { n_traces: dataset.array.n_traces, n_files: n_files + 1 });
    }
    let array = &dataset.array;
    let n_chunks = if dataset.headers_only { 0 } else { array.n_trace_chunks() * array.n_sample_chunks() };
    let sums = AtomicU32::new(0);
    let n_units = if dataset.headers_only { 0 } else { array.n_traces.div_ceil(array.traces_per_object()) };
    let check_object = |chunks: &mut ChunkReader, object, shared: &Shared| {
        let per_object = array.chunks_per_object();
        if array.shard_chunks.is_some() {
            chunks.check_shard(object)?;
        }
        for trace_chunk in object * per_object..((object + 1) * per_object).min(array.n_trace_chunks()) {
            for sample_chunk in 0..array.n_sample_chunks() {
                shared.cancel.check()?;
                let crc = chunks.check(sample_chunk, trace_chunk)?;
                let n_after = n_chunks - 1 - (trace_chunk * array.n_sample_chunks() + sample_chunk);
                sums.fetch_xor(ChunkSums::contribution(crc, n_after), Ordering::Relaxed);
            }
            let traces = array.traces_of_chunk(trace_chunk);
            shared.add(traces.end - traces.start);
        }
        Ok(())
    };
    let mut tell = |traces| on_progress(traces, array.n_traces);
    for_each(n_threads(), 0..n_units, cancel, &mut tell, || ChunkReader::new(&dataset), check_object)?;
    if dataset.chunk_sums != (ChunkSums { n_chunks, crc32c: sums.into_inner() }) {
        return Err(edits::what_was_edited(&dataset, cancel)?);
    }
    Ok(Checked { n_traces: array.n_traces, n_files: dataset.n_objects() + dataset.checksums.len() as u64 + 1 })
}

/// Checks all files but the chunks against their checksums and each other. Returns the documents of a grid whose attributes
/// were edited.
pub(super) fn check_tables(dataset: &Dataset, cancel: &CancelHandle) -> Result<Vec<String>> {
    check_files(dataset, cancel)?;
    check_header_parts(dataset)?;
    let edited = check_arrays(dataset, cancel)?;
    check_counts(dataset)?;
    Ok(edited)
}

/// Checks that every file but the chunks is there and unchanged.
fn check_files(dataset: &Dataset, cancel: &CancelHandle) -> Result<()> {
    let exceptions = (dataset.n_exceptions > 0).then(|| EXCEPTIONS.to_owned());
    let checked: Vec<String> = match dataset.grid {
        Some(_) => checked_tables().collect(),
        None => checked_files(dataset.headers_only, &dataset.array.name).collect(),
    };
    let of_headers = dataset.header_files().map(|(name, _)| name);
    for name in checked.into_iter().chain(of_headers).chain(exceptions) {
        let is_expected = name != SAMPLE_SUMS || dataset.version > 1;
        if is_expected && !dataset.checksums.contains_key(&name) {
            return Err(damaged(&dataset.path(METADATA), format!("it has no checksum of {name}")));
        }
    }
    for (name, expected) in &dataset.checksums {
        cancel.check()?;
        let path = dataset.path(name);
        if !is_there(&path)? {
            return Err(Error::Damaged(format!("{}: is missing", path.display())));
        }
        if !expected.is_of_file(&path)? {
            return Err(damaged(&path, "its length or checksum is not the one in metadata.json"));
        }
    }
    Ok(())
}

/// Checks that there is nothing beside the parts of the header table: readers of Parquet would take it for another part.
fn check_header_parts(dataset: &Dataset) -> Result<()> {
    let table = dataset.headers();
    if dataset.header_part_rows.is_none() {
        return Ok(());
    }
    let found = table.names_below().map_err(failed(table.display()))?;
    match found.iter().find(|name| !dataset.checksums.contains_key(&format!("{HEADERS}/{name}"))) {
        Some(name) => Err(damaged(&table.join(name), "it is no part of the dataset, and would be read as one")),
        None => Ok(()),
    }
}

/// Checks that the tables have the documented number of rows, and that the array is the documented one.
fn check_counts(dataset: &Dataset) -> Result<()> {
    if dataset.counts.n_objects != dataset.n_objects() {
        return Err(damaged(&dataset.path(METADATA), "its number of chunk files is not that of its array"));
    }
    if !dataset.headers_only && dataset.grid.is_none() {
        let path = dataset.path(&dataset.array.name).join(ZARR_JSON);
        let mut array: serde_json::Value = crate::store::files::read_json(&path)?;
        // These are what the header table has, not what the array is.
        if let Some(attributes) = array.get_mut("attributes").and_then(serde_json::Value::as_object_mut) {
            attributes.remove("coordinates");
        }
        if array != crate::zarr::array_document(&dataset.array.declared()) {
            return Err(damaged(&path, "it does not describe the array of metadata.json"));
        }
    }
    let others = [(GATHER_INDEX, dataset.n_gathers), (EXCEPTIONS, dataset.n_exceptions)];
    let tables = dataset.header_files().chain(others.map(|(name, n)| (name.to_owned(), n)));
    for (name, n_rows) in tables.filter(|(name, _)| dataset.checksums.contains_key(name)) {
        let path = dataset.path(&name);
        let file = TableReader::open(&path).map_err(failed(path.display()))?;
        let footer = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|e| unreadable_table(&path, e))?;
        let found = footer.file_metadata().num_rows();
        if u64::try_from(found) != Ok(n_rows) {
            return Err(damaged(&path, format!("it has {found} rows, and metadata.json says {n_rows}")));
        }
    }
    Ok(())
}

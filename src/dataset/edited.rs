//! Which chunks hold other samples than were imported, by the checksums of their samples.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::base::error::Result;
use crate::base::plural::count;
use crate::dataset::Dataset;
use crate::dataset_files::{SAMPLE_SUMS, TRACES};
use crate::store::checksum::{ChunkSums, crc32c};
use crate::zarr::SampleSums;

/// Most chunks to name.
const MOST_NAMED: usize = 5;

/// Numbers of chunks along the traces that hold other samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct EditedChunks {
    pub n: u64,
    n_traces: u64,
    first: BTreeSet<u64>,
}

impl EditedChunks {
    /// Adds one with so many traces; none may be added twice.
    pub(crate) fn add(&mut self, trace_chunk: u64, n_traces: u64) {
        self.n += 1;
        self.n_traces += n_traces;
        self.first.insert(trace_chunk);
        if self.first.len() > MOST_NAMED {
            self.first.pop_last();
        }
    }

    /// The message about them.
    pub(crate) fn said(&self, dataset: &Dataset) -> String {
        let array = &dataset.array;
        let name = |&chunk: &u64| {
            let traces = array.traces_of_chunk(chunk);
            format!("{} to {}", traces.start + 1, traces.end)
        };
        let names: Vec<String> = self.first.iter().map(name).collect();
        let rest = if self.n > names.len() as u64 { ", …" } else { "" };
        format!(
            "{}: {} of its {} chunks along the traces, with {}, hold other samples than were imported: traces {}{rest}",
            dataset.path(TRACES).display(),
            self.n,
            array.n_trace_chunks(),
            count(self.n_traces, "trace"),
            names.join(", ")
        )
    }
}

/// What is known of edits since the import.
#[derive(Clone, Debug)]
pub(crate) enum Edits {
    None,
    /// These chunks of traces in file order.
    Chunks(EditedChunks),
    /// Some bricks of a grid.
    Bricks,
    /// The dataset does not say, or not of a part.
    Unknown,
}

/// Notices, while samples are read, which chunks hold others than were imported.
pub(crate) struct EditWatch<'a> {
    dataset: &'a Dataset,
    chunks: Mutex<EditedChunks>,
    /// Whether it needs the checksums of bricks that are not read, too.
    sees_all: bool,
    /// Of the bricks of each unit of a grid.
    units: Mutex<BTreeMap<usize, ChunkSums>>,
}

impl<'a> EditWatch<'a> {
    pub(crate) fn new(dataset: &'a Dataset) -> Self {
        Self { dataset, chunks: Mutex::default(), sees_all: false, units: Mutex::default() }
    }

    /// Also looks at the checksums of the bricks that are not read, so that it can tell of any part of a grid.
    #[must_use]
    pub(crate) fn seeing_all(self, sees_all: bool) -> Self {
        Self { sees_all, ..self }
    }

    /// For one thread.
    pub(super) fn reader(&'a self) -> Result<SampleWatch<'a>> {
        let dataset = self.dataset;
        let has_sums = dataset.checksums.contains_key(SAMPLE_SUMS);
        let sums = has_sums.then(|| SampleSums::open(&dataset.path(SAMPLE_SUMS), &dataset.array)).transpose()?;
        Ok(SampleWatch { watch: self, sums, last: None })
    }

    /// What was found once everything was read, or, of traces in file order, what was wanted.
    pub(crate) fn edits(&self) -> Edits {
        if self.dataset.grid.is_some() {
            let units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
            let all = units.values().fold(ChunkSums::default(), |all, sums| all.followed_by(*sums));
            return match all.n_chunks {
                n if n != self.dataset.chunk_sums.n_chunks => Edits::Unknown,
                _ if all == self.dataset.chunk_sums => Edits::None,
                _ => Edits::Bricks,
            };
        }
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match chunks.n {
            _ if !self.dataset.checksums.contains_key(SAMPLE_SUMS) => Edits::Unknown,
            0 => Edits::None,
            _ => Edits::Chunks(chunks),
        }
    }
}

/// What one thread sees.
pub(crate) struct SampleWatch<'a> {
    watch: &'a EditWatch<'a>,
    sums: Option<SampleSums>,
    /// The chunk added last.
    last: Option<u64>,
}

impl SampleWatch<'_> {
    /// Looks at a decoded chunk. All chunks of the same traces come one after the other.
    pub(super) fn see(&mut self, sample_chunk: u64, trace_chunk: u64, chunk: &[u8]) -> Result<()> {
        let Some(sums) = self.sums.as_mut().filter(|_| self.last != Some(trace_chunk)) else { return Ok(()) };
        if crc32c(chunk) != sums.of(sample_chunk, trace_chunk)? {
            let traces = self.watch.dataset.array.traces_of_chunk(trace_chunk);
            let n_traces = traces.end - traces.start;
            self.watch.chunks.lock().unwrap_or_else(PoisonError::into_inner).add(trace_chunk, n_traces);
            self.last = Some(trace_chunk);
        }
        Ok(())
    }

    /// Whether the checksums of bricks that are not read are needed, too.
    pub(super) fn sees_all(&self) -> bool {
        self.watch.sees_all
    }

    /// Takes the checksums of all bricks of a unit of a grid, which units count from 0.
    pub(super) fn see_unit(&self, unit: usize, sums: ChunkSums) {
        self.watch.units.lock().unwrap_or_else(PoisonError::into_inner).insert(unit, sums);
    }
}

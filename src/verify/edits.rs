//! Which chunks hold other samples than were imported, by the checksums of their samples.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::dataset::{ChunkReader, Dataset, damaged};
use crate::dataset_files::SAMPLE_SUMS;
use crate::store::checksum::crc32c;
use crate::zarr::SampleSums;

/// Chunks that are named, at most.
const MOST_NAMED: usize = 5;

/// Numbers of chunks along the traces that hold other samples.
#[derive(Default)]
struct Edited {
    n: u64,
    first: BTreeSet<u64>,
}

impl Edited {
    fn add(&mut self, trace_chunk: u64) {
        self.n += 1;
        self.first.insert(trace_chunk);
        if self.first.len() > MOST_NAMED {
            self.first.pop_last();
        }
    }

    fn said(&self, dataset: &Dataset) -> String {
        let array = &dataset.array;
        let name = |&chunk: &u64| {
            let traces = array.traces_of_chunk(chunk);
            format!("{} to {}", traces.start + 1, traces.end)
        };
        let names: Vec<String> = self.first.iter().map(name).collect();
        let rest = if self.n > names.len() as u64 { ", …" } else { "" };
        format!(
            "{}: {} of its {} chunks along the traces hold other samples than were imported: traces {}{rest}",
            dataset.path(&dataset.array.name).display(),
            self.n,
            array.n_trace_chunks(),
            names.join(", ")
        )
    }
}

/// What to say of chunks that are each undamaged, but are not all as they were written. Decodes them all.
pub(super) fn what_was_edited(dataset: &Dataset, cancel: &CancelHandle) -> Result<Error> {
    let path = dataset.path(&dataset.array.name);
    if !dataset.checksums.contains_key(SAMPLE_SUMS) {
        let what = "each of its chunks is undamaged, but they are not the ones that were written, or not in that order";
        return Ok(damaged(&path, what));
    }
    let edited = Mutex::new(Edited::default());
    let reader = || Ok((ChunkReader::new(dataset)?, SampleSums::open(&dataset.path(SAMPLE_SUMS), &dataset.array)?));
    let look = |(chunks, sums): &mut (ChunkReader, SampleSums), trace_chunk, shared: &Shared| {
        for sample_chunk in 0..dataset.array.n_sample_chunks() {
            shared.cancel.check()?;
            if crc32c(&chunks.read(sample_chunk, trace_chunk)?) != sums.of(sample_chunk, trace_chunk)? {
                edited.lock().unwrap_or_else(PoisonError::into_inner).add(trace_chunk);
                break;
            }
        }
        Ok(())
    };
    for_each(n_threads(), 0..dataset.array.n_trace_chunks(), cancel, &mut |_| (), reader, look)?;
    let edited = edited.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Error::Damaged(match edited.n {
        0 => format!(
            "{}: each of its chunks holds the samples that were imported, but other programs have written some of them again",
            path.display()
        ),
        _ => edited.said(dataset),
    }))
}

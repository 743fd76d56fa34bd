//! Which chunks hold other samples than were imported, by the checksums of their samples.

use std::sync::{Mutex, PoisonError};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::dataset::{ChunkReader, Dataset, EditedChunks, damaged};
use crate::dataset_files::SAMPLE_SUMS;
use crate::store::checksum::crc32c;
use crate::zarr::SampleSums;

/// The message about chunks that are undamaged but not all as they were written. Decodes them all.
pub(super) fn what_was_edited(dataset: &Dataset, cancel: &CancelHandle) -> Result<Error> {
    let path = dataset.path(&dataset.array.name);
    if !dataset.checksums.contains_key(SAMPLE_SUMS) {
        let what = "each of its chunks is undamaged, but they are not the ones that were written, or not in that order";
        return Ok(damaged(&path, what));
    }
    let edited = Mutex::new(EditedChunks::default());
    let reader = || Ok((ChunkReader::new(dataset)?, SampleSums::open(&dataset.path(SAMPLE_SUMS), &dataset.array)?));
    let look = |(chunks, sums): &mut (ChunkReader, SampleSums), trace_chunk, shared: &Shared| {
        for sample_chunk in 0..dataset.array.n_sample_chunks() {
            shared.cancel.check()?;
            if crc32c(&chunks.read(sample_chunk, trace_chunk)?) != sums.of(sample_chunk, trace_chunk)? {
                let traces = dataset.array.traces_of_chunk(trace_chunk);
                let n_traces = traces.end - traces.start;
                edited.lock().unwrap_or_else(PoisonError::into_inner).add(trace_chunk, n_traces);
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

//! The checksums of the samples of all chunks, one after the other: `traces.crc32c`, and the part of each segment.
//!
//! The CRC-32C at the end of a chunk covers its encoded bytes, which change whenever somebody writes the chunk again. These
//! cover its decoded samples, so they tell which chunks hold other samples than were imported.

use std::io::{BufWriter, Write};

use crate::base::error::{Error, Result, failed};
use crate::store::place::is_absence;
use crate::store::{Place, Reader, Writer, finish_buffered};
use crate::zarr::ArrayPlan;

/// Bytes of a checksum.
const SUM_BYTES: usize = size_of::<u32>();
/// Checksums that are read at a time.
const WINDOW: usize = 1 << 14;

/// Writes the checksums of a segment, chunk by chunk.
pub(crate) struct SampleSumWriter {
    path: Place,
    /// `None` before the first chunk.
    file: Option<BufWriter<Writer>>,
}

impl SampleSumWriter {
    pub(crate) fn new(path: &Place) -> Self {
        Self { path: path.to_owned(), file: None }
    }

    /// Adds the checksum of the next chunk, in order of the trace axis, then of the sample axis.
    pub(crate) fn push(&mut self, crc: u32) -> Result<()> {
        let failed = failed(self.path.display());
        let written = match &mut self.file {
            Some(file) => file.write_all(&crc.to_le_bytes()),
            none => Writer::create(&self.path)
                .and_then(|file| none.insert(BufWriter::new(file)).write_all(&crc.to_le_bytes())),
        };
        written.map_err(failed)
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.file.map_or(Ok(()), finish_buffered).map_err(failed(self.path.display()))
    }
}

/// Joins the checksums of the segments, each with its number of chunks.
pub(crate) fn join_sample_sums(parts: &[(Place, u64)], target: &Place) -> Result<()> {
    let mut out = Writer::create(target).map_err(failed(target.display()))?;
    for (path, n_chunks) in parts.iter().filter(|(_, n)| *n > 0) {
        let mut part = Reader::open(path).and_then(Reader::whole).map_err(failed(path.display()))?;
        let n = part.copy_to(&mut out).map_err(failed(target.display()))?;
        if n != n_chunks * SUM_BYTES as u64 {
            return Err(Error::Failed(format!("{}: does not have a checksum for each of its chunks", path.display())));
        }
    }
    out.finish().map_err(failed(target.display()))
}

/// Reads the checksums.
pub(crate) struct SampleSums {
    path: Place,
    file: Reader,
    n_sample_chunks: u64,
    n_chunks: u64,
    first: u64,
    window: Vec<u32>,
}

impl SampleSums {
    /// The checksums of an array.
    ///
    /// # Errors
    /// `Error::Damaged` if there are not as many as the array has chunks.
    pub(crate) fn open(path: &Place, array: &ArrayPlan) -> Result<Self> {
        let file = Reader::open(path).map_err(|e| match is_absence(&e) {
            true => Error::Damaged(format!("{}: is missing", path.display())),
            false => failed(path.display())(e),
        })?;
        let (n_sample_chunks, n_bytes) = (array.n_sample_chunks(), file.bytes().map_err(failed(path.display()))?);
        let n_chunks = array.n_trace_chunks() * n_sample_chunks;
        if n_bytes != n_chunks * SUM_BYTES as u64 {
            return Err(Error::Damaged(format!("{}: does not have a checksum for each chunk", path.display())));
        }
        Ok(Self { path: path.to_owned(), file, n_sample_chunks, n_chunks, first: 0, window: Vec::new() })
    }

    /// The checksum of a chunk.
    pub(crate) fn of(&mut self, sample_chunk: u64, trace_chunk: u64) -> Result<u32> {
        let chunk = trace_chunk * self.n_sample_chunks + sample_chunk;
        if !(self.first..self.first + self.window.len() as u64).contains(&chunk) {
            let n = self.n_chunks.saturating_sub(chunk).min(WINDOW as u64) as usize;
            let mut bytes = vec![0; n * SUM_BYTES];
            self.file.read_exact_at(&mut bytes, chunk * SUM_BYTES as u64).map_err(failed(self.path.display()))?;
            self.window = bytes.as_chunks().0.iter().map(|crc| u32::from_le_bytes(*crc)).collect();
            self.first = chunk;
        }
        let found = self.window.get((chunk - self.first) as usize).copied();
        found.ok_or_else(|| Error::Failed(format!("{}: has no chunk {chunk}", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::Dtype;

    #[test]
    fn checksums_of_segments_are_read_by_chunk() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| Place::of(&directory.path().join(name)).unwrap();
        let mut array = ArrayPlan::new(100, 30_000, Dtype::Int16);
        (array.chunk_traces, array.chunk_samples) = (1, 50);
        let n_of = [20_002, 0, 39_998];
        let mut next = 0..60_000_u32;
        let parts: Vec<(Place, u64)> = n_of.iter().enumerate().map(|(i, &n)| (place(&i.to_string()), n)).collect();
        for (path, n) in &parts {
            let mut writer = SampleSumWriter::new(path);
            next.by_ref().take(*n as usize).for_each(|crc| writer.push(crc * 3).unwrap());
            writer.finish().unwrap();
        }
        join_sample_sums(&parts, &place("all")).unwrap();
        let mut sums = SampleSums::open(&place("all"), &array).unwrap();
        for chunk in [0, 59_999, 1, 20_002, 20_001, 16_383, 16_384, 16_385, 0] {
            assert_eq!(sums.of(chunk % 2, chunk / 2), Ok(chunk as u32 * 3));
        }
        assert!(sums.of(0, 30_000).is_err());
        array.n_traces += 1;
        assert!(SampleSums::open(&place("all"), &array).is_err());
        assert!(join_sample_sums(&[(parts[0].0.clone(), 20_003)], &place("all")).is_err());
    }
}

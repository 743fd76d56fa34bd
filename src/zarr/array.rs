//! The trace array as planned: shape, chunk grid, data type, codec.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::dataset_files::TRACES;
use crate::segy::Dtype;
use crate::segy::samples::rounding::Precision;
use crate::zarr::Codec;
use crate::zarr::axes::{Array, Axis};

/// Order of the two axes in the declared array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AxisOrder {
    /// (sample, trace): `z[:, i:j]` is a gather. Chunks are still stored trace after trace.
    #[default]
    SampleTrace,
    /// (trace, sample): `z[i:j]` is a gather.
    TraceSample,
}

impl AxisOrder {
    /// Puts a value for the sample axis and one for the trace axis in the order of the declared axes.
    pub fn arrange<T>(self, sample: T, trace: T) -> [T; 2] {
        match self {
            Self::SampleTrace => [sample, trace],
            Self::TraceSample => [trace, sample],
        }
    }
}

/// Which reads the chunks are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadPattern {
    /// Whole traces: a chunk has all samples of its traces.
    #[default]
    Gathers,
    /// A few samples of many traces.
    Slices,
    /// Both.
    Balanced,
}

/// The name of the axis of the traces.
pub(crate) const TRACE_AXIS: &str = "trace";
/// A chunk aims at no more than this many bytes before compression.
pub(super) const CHUNK_TARGET_BYTES: u64 = 8 << 20;
/// Chunks span at most this many traces unless the user says so.
pub(super) const MAX_CHUNK_TRACES: u64 = 1000;
/// Chunks that are cut along the samples aim at this many bytes.
const CUT_CHUNK_BYTES: u64 = 1 << 20;
/// Samples in a chunk for slices, and for both patterns.
const SLICE_SAMPLES: u64 = 32;
const BALANCED_SAMPLES: u64 = 256;
/// The most bytes that a chunk may have before compression.
pub(crate) const MAX_CHUNK_BYTES: u64 = 1 << 30;
/// The most chunks that a shard may hold: its index, 16 bytes per chunk, is kept in memory.
pub(crate) const MAX_SHARD_ENTRIES: u64 = 1 << 26;
/// Traces longer than this are chunked along the samples too.
const MAX_CHUNK_TRACE_BYTES: u64 = 1 << 20;

/// The array of the samples in file order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayPlan {
    /// Its name in the dataset.
    #[serde(default = "usual_name")]
    pub name: String,
    /// Order of the declared axes.
    pub order: AxisOrder,
    /// Type of the stored samples.
    pub dtype: Dtype,
    /// Samples in a trace; shorter traces are padded.
    pub n_samples: u64,
    /// Traces of all files.
    pub n_traces: u64,
    /// Samples of each trace in a chunk.
    pub chunk_samples: u64,
    /// Traces in a chunk.
    pub chunk_traces: u64,
    /// Chunks along the trace axis in one shard, if chunks are grouped in shards. A shard spans all samples.
    pub shard_chunks: Option<u64>,
    /// How chunks are compressed.
    pub codec: Codec,
    /// How samples are rounded, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

/// The name that the array has unless the user says otherwise.
pub(crate) fn usual_name() -> String {
    TRACES.into()
}

impl ArrayPlan {
    /// An array in chunks of all samples × as many traces as make 8 MiB, 1000 at most; traces of more than 1 MiB
    /// are cut along the samples into equal parts.
    pub fn new(n_samples: u64, n_traces: u64, dtype: Dtype) -> Self {
        let size = dtype.size() as u64;
        let parts = (n_samples * size).div_ceil(MAX_CHUNK_TRACE_BYTES).max(1);
        let chunk_samples = n_samples.div_ceil(parts).max(1);
        let fitting = CHUNK_TARGET_BYTES / (chunk_samples * size);
        Self {
            name: usual_name(),
            order: AxisOrder::default(),
            dtype,
            n_samples,
            n_traces,
            chunk_samples,
            chunk_traces: fitting.clamp(1, MAX_CHUNK_TRACES),
            shard_chunks: None,
            codec: Codec::default(),
            precision: None,
        }
    }

    /// As [`Self::new`], with chunks made for these reads.
    pub fn for_reads(n_samples: u64, n_traces: u64, dtype: Dtype, reads: ReadPattern) -> Self {
        let array = Self::new(n_samples, n_traces, dtype);
        let most_samples = match reads {
            ReadPattern::Gathers => return array,
            ReadPattern::Slices => SLICE_SAMPLES,
            ReadPattern::Balanced => BALANCED_SAMPLES,
        };
        let n_parts = n_samples.div_ceil(most_samples).max(1);
        array.cut(n_samples.div_ceil(n_parts))
    }

    /// With this many samples in a chunk, and as many traces as make 1 MiB, or 8 MiB of whole traces as in [`Self::new`].
    pub fn cut(mut self, chunk_samples: u64) -> Self {
        self.chunk_samples = chunk_samples.clamp(1, self.n_samples.max(1));
        let row_bytes = self.chunk_samples * self.dtype.size() as u64;
        self.chunk_traces = match self.n_sample_chunks() {
            1 => (CHUNK_TARGET_BYTES / row_bytes).clamp(1, MAX_CHUNK_TRACES),
            _ => (CUT_CHUNK_BYTES / row_bytes).max(1),
        };
        self
    }

    /// Whether these numbers, which may come from a file, are safe to use: nothing made of them divides by zero or
    /// overflows, and chunks and shards fit in memory.
    pub fn is_consistent(&self) -> bool {
        const MOST_BYTES: u128 = 1 << 62;
        let sizes = [self.n_samples, self.n_traces, self.chunk_samples, self.chunk_traces, self.chunks_per_object()];
        if sizes.contains(&0) || self.chunk_samples > self.n_samples || self.chunk_traces > self.n_traces {
            return false;
        }
        let [n_samples, n_traces, chunk_samples, chunk_traces, per_shard] = sizes.map(u128::from);
        let size = self.dtype.size() as u128;
        chunk_samples * chunk_traces * size <= u128::from(MAX_CHUNK_BYTES)
            && n_samples * n_traces < MOST_BYTES / size
            && per_shard <= u128::from(self.n_trace_chunks())
            && per_shard * u128::from(self.n_sample_chunks()) <= u128::from(MAX_SHARD_ENTRIES)
    }

    /// Chunks along the sample axis.
    pub fn n_sample_chunks(&self) -> u64 {
        self.n_samples.div_ceil(self.chunk_samples)
    }

    /// Chunks along the trace axis.
    pub fn n_trace_chunks(&self) -> u64 {
        self.n_traces.div_ceil(self.chunk_traces)
    }

    /// Bytes of one chunk before compression.
    pub fn chunk_bytes(&self) -> usize {
        (self.chunk_samples * self.chunk_traces) as usize * self.dtype.size()
    }

    /// Chunks along the trace axis in one stored object: those of a shard, or one.
    pub fn chunks_per_object(&self) -> u64 {
        self.shard_chunks.unwrap_or(1)
    }

    /// Traces in the objects that share one index of the trace axis.
    pub fn traces_per_object(&self) -> u64 {
        self.chunk_traces * self.chunks_per_object()
    }

    /// Samples in chunk `index` of the sample axis.
    pub fn samples_of_chunk(&self, index: u64) -> Range<u64> {
        let start = index * self.chunk_samples;
        start..(start + self.chunk_samples).min(self.n_samples)
    }

    /// Traces in chunk `index` of the trace axis.
    pub fn traces_of_chunk(&self, index: u64) -> Range<u64> {
        let start = index * self.chunk_traces;
        start..(start + self.chunk_traces).min(self.n_traces)
    }

    /// Stored objects (chunk or shard files) of the whole array.
    pub fn n_objects(&self) -> u64 {
        let along_traces = self.n_traces.div_ceil(self.traces_per_object());
        if self.shard_chunks.is_some() { along_traces } else { along_traces * self.n_sample_chunks() }
    }

    /// The keys of the objects with this index on the trace axis, below the array.
    pub fn object_keys(&self, trace_index: u64) -> Vec<String> {
        let along_samples = if self.shard_chunks.is_some() { 1 } else { self.n_sample_chunks() };
        let array = self.declared();
        (0..along_samples).map(|sample_index| array.key(&self.index(sample_index, trace_index))).collect()
    }

    /// The array as `zarr.json` declares it. Stored chunks are trace after trace in either order of the axes.
    pub fn declared(&self) -> Array {
        let sample = Axis { name: "sample".into(), length: self.n_samples, chunk: self.chunk_samples };
        let trace = Axis { name: TRACE_AXIS.into(), length: self.n_traces, chunk: self.chunk_traces };
        Array {
            dtype: self.dtype,
            axes: self.order.arrange(sample, trace).into(),
            storage: self.order.arrange(1, 0).into(),
            shard: self.shard_chunks.map(|n| self.order.arrange(self.n_sample_chunks(), n).into()),
            codec: self.codec.clone(),
            precision: self.precision,
        }
    }

    /// The index of a chunk or object, in the order of the declared axes.
    pub fn index(&self, sample: u64, trace: u64) -> [u64; 2] {
        self.order.arrange(sample, trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_traces_make_chunks_of_a_thousand_traces() {
        let array = ArrayPlan::new(100, 12_000_000, Dtype::Int16);
        assert_eq!((array.chunk_samples, array.chunk_traces), (100, 1000));
    }

    #[test]
    fn chunks_hold_four_to_eight_mebibytes() {
        for n_samples in [2001, 3000, 5000, 30_000, 100_000, 300_000, 4_000_000] {
            let array = ArrayPlan::new(n_samples, 1_000_000, Dtype::Float32);
            let bytes = array.chunk_bytes() as u64;
            assert!((4 << 20..=8 << 20).contains(&bytes), "{n_samples} samples: {bytes} bytes");
            assert!(array.n_sample_chunks() * array.chunk_samples - n_samples < array.n_sample_chunks());
        }
    }

    #[test]
    fn chunks_are_cut_for_the_reads_that_are_asked_for() {
        let cut = |n_samples, reads| {
            let array = ArrayPlan::for_reads(n_samples, 1_000_000, Dtype::Float32, reads);
            (array.chunk_samples, array.chunk_traces)
        };
        assert_eq!(cut(1650, ReadPattern::Gathers), (1650, 1000));
        assert_eq!(cut(1650, ReadPattern::Slices), (32, 8192));
        assert_eq!(cut(1650, ReadPattern::Balanced), (236, 1110));
        // Traces that are no longer than a chunk are not cut.
        assert_eq!(cut(30, ReadPattern::Slices), (30, 1000));
        let array = ArrayPlan::new(1650, 1_000_000, Dtype::Int16).cut(100);
        assert_eq!((array.chunk_samples, array.chunk_traces), (100, 5242));
        assert_eq!(array.clone().cut(5000).chunk_samples, 1650);
        assert!(array.is_consistent());
    }

    #[test]
    fn numbers_that_cannot_be_are_not_consistent() {
        let good = ArrayPlan { shard_chunks: Some(3), ..ArrayPlan::new(100, 12_000, Dtype::Float32) };
        assert!(good.is_consistent());
        let extremes = [0, 1 << 31, 1 << 32, (1 << 61) - 1, 1 << 61, 1 << 63, u64::MAX];
        for n in extremes {
            for change in [
                |a: &mut ArrayPlan, n| a.shard_chunks = Some(n),
                |a: &mut ArrayPlan, n| a.chunk_traces = n,
                |a: &mut ArrayPlan, n| a.chunk_samples = n,
            ] {
                let mut array = good.clone();
                change(&mut array, n);
                assert!(!array.is_consistent(), "{array:?}");
            }
            // However the array is cut, nothing overflows if it is called consistent.
            for (n_samples, chunk_samples, chunk_traces) in [(n, n, 1), (n, 1, n), (1, 1, n), (n, 1, 1)] {
                let array = ArrayPlan { n_samples, chunk_samples, chunk_traces, n_traces: n, ..good.clone() };
                if array.is_consistent() {
                    let last = array.n_trace_chunks() - 1;
                    let _ = (
                        array.chunk_bytes(),
                        array.n_objects(),
                        array.traces_per_object(),
                        array.traces_of_chunk(last),
                    );
                }
            }
        }
    }

    #[test]
    fn a_chunk_key_follows_the_order_of_the_axes() {
        let mut array = ArrayPlan::new(100, 5000, Dtype::Int16);
        assert_eq!(array.object_keys(3), ["c/0/3"]);
        array.order = AxisOrder::TraceSample;
        assert_eq!(array.object_keys(3), ["c/3/0"]);
    }
}

//! Arrays of any number of axes: shape, chunk grid, shards, and where each chunk is stored.
//!
//! Source: Zarr v3 core specification, sections "Regular grids" and "Chunk key encoding"; `sharding_indexed`, section
//! "Binary shard format".

use std::ops::Range;

use crate::segy::Dtype;
use crate::segy::samples::rounding::Precision;
use crate::zarr::Codec;

/// One axis of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The dimension's name.
    pub name: String,
    /// Values along it.
    pub length: u64,
    /// Values along it in one chunk.
    pub chunk: u64,
}

impl Axis {
    /// Chunks along the axis.
    pub fn n_chunks(&self) -> u64 {
        self.length.div_ceil(self.chunk)
    }

    /// The values of one chunk.
    pub fn of_chunk(&self, index: u64) -> Range<u64> {
        let start = index * self.chunk;
        start..(start + self.chunk).min(self.length)
    }
}

/// An array as its `zarr.json` declares it. Indices and shapes are in the order of `axes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    pub dtype: Dtype,
    pub axes: Vec<Axis>,
    /// The axes by number, in the order of the values in a stored chunk: the last one is contiguous.
    pub storage: Vec<usize>,
    /// Chunks along each axis in one shard, if chunks are grouped in shards.
    pub shard: Option<Vec<u64>>,
    pub codec: Codec,
    /// How values are rounded, if they are.
    pub precision: Option<Precision>,
}

impl Array {
    /// Values along each axis.
    pub fn shape(&self) -> Vec<u64> {
        self.axes.iter().map(|axis| axis.length).collect()
    }

    /// Values along each axis in one chunk.
    pub fn chunk_shape(&self) -> Vec<u64> {
        self.axes.iter().map(|axis| axis.chunk).collect()
    }

    /// Chunks along each axis in one stored object, which is a shard or a chunk.
    pub fn chunks_in_object(&self) -> Vec<u64> {
        self.shard.clone().unwrap_or_else(|| vec![1; self.axes.len()])
    }

    /// Values along each axis in one stored object.
    pub fn object_shape(&self) -> Vec<u64> {
        self.axes.iter().zip(self.chunks_in_object()).map(|(axis, n)| axis.chunk * n).collect()
    }

    /// Stored objects along each axis.
    pub fn objects(&self) -> Vec<u64> {
        self.axes.iter().zip(self.chunks_in_object()).map(|(axis, n)| axis.n_chunks().div_ceil(n)).collect()
    }

    /// Index of the object that holds a chunk.
    pub fn object_of(&self, chunk: &[u64]) -> Vec<u64> {
        chunk.iter().zip(self.chunks_in_object()).map(|(index, n)| index / n).collect()
    }

    /// Number of a chunk in the index of its shard, whose entries are in the order of the axes, the last one fastest.
    pub fn entry_of(&self, chunk: &[u64]) -> usize {
        let place = chunk.iter().zip(self.chunks_in_object());
        place.fold(0, |entry, (index, n)| entry * n + index % n) as usize
    }

    /// `c/0/17`: the key of an object below the array, in the default chunk key encoding.
    pub fn key(&self, object: &[u64]) -> String {
        object.iter().fold("c".to_owned(), |key, index| format!("{key}/{index}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cube() -> Array {
        let axis = |name: &str, length, chunk| Axis { name: name.into(), length, chunk };
        Array {
            dtype: Dtype::Float32,
            axes: vec![axis("inline", 400, 58), axis("crossline", 401, 64), axis("time", 1650, 64)],
            storage: vec![0, 1, 2],
            shard: Some(vec![1, 2, 26]),
            codec: Codec::default(),
            precision: None,
        }
    }

    #[test]
    fn an_array_has_any_number_of_axes() {
        let mut array = cube();
        assert_eq!(array.objects(), [7, 4, 1]);
        assert_eq!(array.object_shape(), [58, 128, 1664]);
        assert_eq!(array.object_of(&[6, 5, 25]), [6, 2, 0]);
        assert_eq!(array.entry_of(&[6, 5, 25]), 51);
        assert_eq!(array.axes[1].of_chunk(6), 384..401);
        assert_eq!(array.key(&[6, 2, 0]), "c/6/2/0");
        array.shard = None;
        assert_eq!((array.objects(), array.entry_of(&[6, 5, 25])), (vec![7, 7, 26], 0));
    }
}

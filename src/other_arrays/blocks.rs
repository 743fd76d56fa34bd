//! Cutting an array into blocks.

use std::ops::Range;

/// Bytes of a block, where the chunks of the array are not longer.
const BLOCK_BYTES: u64 = 24 << 20;

/// Values of a part of an array.
pub(crate) struct Block {
    /// Little-endian.
    pub bytes: Vec<u8>,
    /// How many values lie between neighbours along each dimension.
    pub strides: Vec<usize>,
}

impl Block {
    /// A block of this shape with its last dimension the fastest.
    pub(crate) fn in_c_order(bytes: Vec<u8>, shape: &[u64]) -> Self {
        Self { bytes, strides: c_strides(shape) }
    }
}

/// How many values lie between neighbours along each dimension, if the last is the fastest.
pub(super) fn c_strides(shape: &[u64]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i] as usize;
    }
    strides
}

/// The lengths of blocks made of whole chunks, of up to 24 MiB: along `first`, then along the others, the last first.
pub(super) fn block_of(chunk: &[u64], shape: &[u64], first: Option<usize>, item_bytes: usize) -> Vec<u64> {
    let mut block: Vec<u64> = chunk.iter().zip(shape).map(|(&chunk, &length)| chunk.min(length).max(1)).collect();
    let order = first.into_iter().chain((0..shape.len()).rev().filter(|&i| Some(i) != first));
    for i in order {
        let bytes = block.iter().try_fold(item_bytes as u64, |n, &length| n.checked_mul(length)).unwrap_or(u64::MAX);
        let times = (BLOCK_BYTES / bytes.max(1)).max(1);
        block[i] = block[i].saturating_mul(times).min(shape[i]).max(1);
    }
    block
}

/// The blocks of an array by their range along each dimension, the last dimension fastest.
pub(crate) fn blocks(shape: &[u64], block: &[u64]) -> impl Iterator<Item = Vec<Range<u64>>> + Send + use<> {
    let (shape, block) = (shape.to_vec(), block.to_vec());
    let counts: Vec<u64> = shape.iter().zip(&block).map(|(length, block)| length.div_ceil(*block)).collect();
    (0..counts.iter().product()).map(move |number| {
        let mut left: u64 = number;
        let mut ranges = vec![0..0; shape.len()];
        for (i, count) in counts.iter().enumerate().rev() {
            let start = left % count * block[i];
            ranges[i] = start..(start + block[i]).min(shape[i]);
            left /= count;
        }
        ranges
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_chunks_and_cover_the_array() {
        assert_eq!(block_of(&[64, 64, 64], &[400, 401, 1650], Some(2), 4), [64, 64, 1536]);
        assert_eq!(block_of(&[5, 6], &[50, 60], None, 4), [50, 60]);
        assert_eq!(block_of(&[1 << 20, 64], &[1 << 20, 640], Some(0), 4), [1 << 20, 64]);
        let mut seen = [0; 7 * 5];
        for ranges in blocks(&[7, 5], &[3, 2]) {
            for i in ranges[0].clone() {
                ranges[1].clone().for_each(|j| seen[(i * 5 + j) as usize] += 1);
            }
        }
        assert!(seen.iter().all(|&n| n == 1));
        assert_eq!(blocks(&[], &[]).count(), 1);
    }
}

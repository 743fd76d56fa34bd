//! Blosc's filters before compression: items split into their bytes or bits, so that similar bytes of neighbouring
//! samples lie together.
//!
//! c-blosc has them too, but its crate builds them for SSE2 only.

/// Items per step of the bit shuffle: one cache line of each plane.
const TILE: usize = 512;

/// A filter: takes `n` items, gives as many bytes.
pub(crate) type Filter = Box<dyn Fn(&[u8], &mut [u8]) + Send>;

/// Blosc's filter 1: byte `j` of all items, then byte `j + 1`. `None` for item sizes that its container cannot have.
pub(crate) fn byte_shuffle(item_bytes: usize) -> Option<Filter> {
    Some(match item_bytes {
        1 => Box::new(|from, to| to.copy_from_slice(from)),
        2 => Box::new(|from, to| shuffle_bytes::<2>(from.as_chunks().0, to)),
        4 => Box::new(|from, to| shuffle_bytes::<4>(from.as_chunks().0, to)),
        8 => Box::new(|from, to| shuffle_bytes::<8>(from.as_chunks().0, to)),
        3..=255 => Box::new(move |from, to| shuffle_records(item_bytes, from, to)),
        _ => return None,
    })
}

/// Blosc's filter 2: bit `k` of byte `j` of all items, eight items to a byte with the first in the lowest bit, then bit
/// `k + 1`. As in Blosc, items are copied unchanged if their number is not a multiple of eight.
pub(crate) fn bit_shuffle(item_bytes: usize) -> Option<Filter> {
    Some(match item_bytes {
        1 => Box::new(shuffle_bits::<1>),
        2 => Box::new(shuffle_bits::<2>),
        4 => Box::new(shuffle_bits::<4>),
        8 => Box::new(shuffle_bits::<8>),
        _ => return None,
    })
}

/// Byte `j` of all items, then byte `j + 1`. `to` is exactly as long as `items`, in bytes.
#[multiversion::multiversion(targets("x86_64+avx2"))]
pub fn shuffle_bytes<const S: usize>(items: &[[u8; S]], to: &mut [u8]) {
    for (j, plane) in to.chunks_exact_mut(items.len().max(1)).take(S).enumerate() {
        plane.iter_mut().zip(items).for_each(|(out, item)| *out = item[j]);
    }
}

/// The inverse of [`byte_shuffle`].
pub(crate) fn byte_unshuffle(item_bytes: usize) -> Option<Filter> {
    Some(match item_bytes {
        1 => Box::new(|from, to| to.copy_from_slice(from)),
        2 => Box::new(|from, to| unshuffle_bytes::<2>(from, to.as_chunks_mut().0)),
        4 => Box::new(|from, to| unshuffle_bytes::<4>(from, to.as_chunks_mut().0)),
        8 => Box::new(|from, to| unshuffle_bytes::<8>(from, to.as_chunks_mut().0)),
        3..=255 => Box::new(move |from, to| unshuffle_records(item_bytes, from, to)),
        _ => return None,
    })
}

/// The inverse of [`bit_shuffle`].
pub(crate) fn bit_unshuffle(item_bytes: usize) -> Option<Filter> {
    Some(match item_bytes {
        1 => Box::new(unshuffle_bits::<1>),
        2 => Box::new(unshuffle_bits::<2>),
        4 => Box::new(unshuffle_bits::<4>),
        8 => Box::new(unshuffle_bits::<8>),
        _ => return None,
    })
}

#[multiversion::multiversion(targets("x86_64+avx2"))]
fn unshuffle_bytes<const S: usize>(from: &[u8], items: &mut [[u8; S]]) {
    let n = items.len();
    let planes: [&[u8]; S] = std::array::from_fn(|j| &from[j * n..][..n]);
    for (i, item) in items.iter_mut().enumerate() {
        *item = std::array::from_fn(|j| planes[j][i]);
    }
}

/// [`byte_shuffle`] for items of a size known only at run time: eight items at a time, eight bytes of each.
fn shuffle_records(item_bytes: usize, from: &[u8], to: &mut [u8]) {
    const SIDE: usize = 8;
    let n = from.len() / item_bytes;
    let (n_squared, width_squared) = (n / SIDE * SIDE, item_bytes / SIDE * SIDE);
    for (number, items) in from.chunks_exact(item_bytes * SIDE).enumerate() {
        for j in (0..width_squared).step_by(SIDE) {
            let square = std::array::from_fn(|item| {
                items[item * item_bytes + j..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
            });
            for (k, bytes) in transposed(square).into_iter().enumerate() {
                to[(j + k) * n + number * SIDE..][..SIDE].copy_from_slice(&bytes.to_le_bytes());
            }
        }
    }
    for (i, item) in from.chunks_exact(item_bytes).enumerate() {
        let done = if i < n_squared { width_squared } else { 0 };
        (done..item_bytes).for_each(|j| to[j * n + i] = item[j]);
    }
}

/// Byte `k` of all eight words as word `k`: halves are exchanged between words four apart, quarters between words two apart, then
/// bytes between neighbours.
#[inline(always)]
fn transposed(mut words: [u64; 8]) -> [u64; 8] {
    for (apart, mask) in [(4, 0xFFFF_FFFF_u64), (2, 0x0000_FFFF_0000_FFFF), (1, 0x00FF_00FF_00FF_00FF)] {
        let shift = 8 * apart as u32;
        for i in (0..8).filter(|i| i & apart == 0) {
            let (low, high) = (words[i], words[i + apart]);
            words[i] = low & mask | (high & mask) << shift;
            words[i + apart] = low >> shift & mask | high & !mask;
        }
    }
    words
}

/// The inverse of [`shuffle_records`].
fn unshuffle_records(item_bytes: usize, from: &[u8], to: &mut [u8]) {
    let n = to.len() / item_bytes;
    for (j, plane) in from.chunks_exact(n.max(1)).take(item_bytes).enumerate() {
        to.chunks_exact_mut(item_bytes).zip(plane).for_each(|(item, byte)| item[j] = *byte);
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn shuffle_bits<const S: usize>(from: &[u8], to: &mut [u8]) {
    let n = from.len() / S;
    if !n.is_multiple_of(8) {
        return to.copy_from_slice(from);
    }
    let plane_bytes = n / 8;
    let (tiles, rest) = from.as_chunks::<S>().0.as_chunks::<TILE>();
    for (number, items) in tiles.iter().enumerate() {
        for j in 0..S {
            let mut bytes = [0; TILE];
            bytes.iter_mut().zip(items).for_each(|(byte, item)| *byte = item[j]);
            let planes = &mut to[8 * j * plane_bytes + number * TILE / 8..];
            multiversion::target::match_target! {
                "x86_64+avx512f+avx512bw+avx512dq+avx512vl" => split_bits_avx512(&bytes, planes, plane_bytes),
                "x86_64+avx2" => split_bits_avx2(&bytes, planes, plane_bytes),
                _ => split_bits(&bytes, planes, plane_bytes),
            }
        }
    }
    for (i, items) in rest.as_chunks::<8>().0.iter().enumerate() {
        for j in 0..S {
            let word = transpose(u64::from_le_bytes(items.map(|item| item[j])));
            for (k, bits) in word.to_le_bytes().into_iter().enumerate() {
                to[(8 * j + k) * plane_bytes + tiles.len() * TILE / 8 + i] = bits;
            }
        }
    }
}

/// Bit `k` of all bytes goes to `planes`, `k * plane_bytes` after its beginning, in whole cache lines: the planes are often a
/// power of two apart, so single words would evict each other from the cache.
#[inline(always)]
fn split_bits(bytes: &[u8; TILE], planes: &mut [u8], plane_bytes: usize) {
    // Transposing each 8 × 8 bit matrix, whose rows are eight bytes, collects the bits.
    let mut words = [0; TILE / 8];
    let eights = bytes.as_chunks().0;
    words.iter_mut().zip(eights).for_each(|(word, eight)| *word = transpose(u64::from_le_bytes(*eight)));
    for k in 0..8 {
        let plane = &mut planes[k * plane_bytes..][..TILE / 8];
        plane.iter_mut().zip(&words).for_each(|(bits, word)| *bits = (word >> (8 * k)) as u8);
    }
}

/// [`split_bits`] by the instruction that collects the highest bits of 64 bytes; doubling the bytes brings up the next.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn split_bits_avx512(bytes: &[u8; TILE], planes: &mut [u8], plane_bytes: usize) {
    use std::arch::x86_64::{__m512i, _mm512_add_epi8, _mm512_movepi8_mask};
    // SAFETY: the sizes are the same, and any bits are a vector of integers.
    let mut vectors: [__m512i; TILE / 64] = unsafe { std::mem::transmute(*bytes) };
    for k in (0..8).rev() {
        let plane = &mut planes[k * plane_bytes..][..TILE / 8];
        for (vector, bits) in vectors.iter_mut().zip(plane.as_chunks_mut().0) {
            *bits = _mm512_movepi8_mask(*vector).to_le_bytes();
            *vector = _mm512_add_epi8(*vector, *vector);
        }
    }
}

/// [`split_bits_avx512`] for 32 bytes, and as many vectors as there are registers for.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn split_bits_avx2(bytes: &[u8; TILE], planes: &mut [u8], plane_bytes: usize) {
    use std::arch::x86_64::{__m256i, _mm256_add_epi8, _mm256_movemask_epi8};
    for (half, bytes) in bytes.as_chunks::<{ TILE / 2 }>().0.iter().enumerate() {
        // SAFETY: as above.
        let mut vectors: [__m256i; TILE / 64] = unsafe { std::mem::transmute(*bytes) };
        for k in (0..8).rev() {
            let plane = &mut planes[k * plane_bytes + half * TILE / 16..][..TILE / 16];
            for (vector, bits) in vectors.iter_mut().zip(plane.as_chunks_mut().0) {
                *bits = _mm256_movemask_epi8(*vector).to_le_bytes();
                *vector = _mm256_add_epi8(*vector, *vector);
            }
        }
    }
}

/// The bit planes of [`TILE`] items; `[j][k]` is that of bit `k` of byte `j`.
type Planes<const S: usize> = [[[u8; TILE / 8]; 8]; S];

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn unshuffle_bits<const S: usize>(from: &[u8], to: &mut [u8]) {
    let n = from.len() / S;
    if !n.is_multiple_of(8) {
        return to.copy_from_slice(from);
    }
    let plane_bytes = n / 8;
    let mut planes = [[[0; TILE / 8]; 8]; S];
    let (tiles, rest) = to.as_chunks_mut::<S>().0.as_chunks_mut::<TILE>();
    for (number, items) in tiles.iter_mut().enumerate() {
        for (plane, bits) in planes.as_flattened_mut().iter_mut().enumerate() {
            bits.copy_from_slice(&from[plane * plane_bytes + number * TILE / 8..][..TILE / 8]);
        }
        put_together(&planes, items);
    }
    let in_tiles = tiles.len() * TILE / 8;
    for (i, items) in rest.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        for j in 0..S {
            let word = std::array::from_fn(|k| from[(8 * j + k) * plane_bytes + in_tiles + i]);
            let bytes = transpose(u64::from_le_bytes(word)).to_le_bytes();
            items.iter_mut().zip(bytes).for_each(|(item, byte)| item[j] = byte);
        }
    }
}

/// The items that these planes are of, in simple loops, one after the other, so that the compiler vectorises them.
#[inline(always)]
fn put_together<const S: usize>(planes: &Planes<S>, items: &mut [[u8; S]; TILE]) {
    let mut bytes = [[0; TILE]; S];
    for (bytes, of_byte) in bytes.iter_mut().zip(planes) {
        let mut words = [0; TILE / 8];
        for (k, plane) in of_byte.iter().enumerate() {
            words.iter_mut().zip(plane).for_each(|(word, bits)| *word |= u64::from(*bits) << (8 * k));
        }
        bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(eight, word)| *eight = transpose(word).to_le_bytes());
    }
    for (i, item) in items.iter_mut().enumerate() {
        *item = std::array::from_fn(|j| bytes[j][i]);
    }
}

/// The transposed 8 × 8 bit matrix. Source: Warren, Hacker's Delight, section 7-3.
#[inline(always)]
fn transpose(mut x: u64) -> u64 {
    for (shift, mask) in [(7, 0x00AA_00AA_00AA_00AA), (14, 0x0000_CCCC_0000_CCCC), (28, 0x0000_0000_F0F0_F0F0)] {
        let swapped = (x ^ (x >> shift)) & mask;
        x ^= swapped ^ (swapped << shift);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the format is defined.
    fn plainly(item_bytes: usize, from: &[u8]) -> Vec<u8> {
        let n = from.len() / item_bytes;
        let mut to = vec![0; from.len()];
        for bit in 0..item_bytes * 8 {
            for item in 0..n {
                let value = from[item * item_bytes + bit / 8] >> (bit % 8) & 1;
                to[bit * (n / 8) + item / 8] |= value << (item % 8);
            }
        }
        to
    }

    proptest::proptest! {
        #[test]
        fn bits_go_where_the_format_wants_them(
            size in proptest::sample::select(vec![1usize, 2, 4, 8]),
            eights in 0usize..200,
            seed in proptest::num::u64::ANY,
        ) {
            let mut state = seed | 1;
            let from: Vec<u8> = (0..eights * 8 * size).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            }).collect();
            let expected = plainly(size, &from);
            let mut to = vec![0; from.len()];
            bit_shuffle(size).unwrap()(&from, &mut to);
            proptest::prop_assert_eq!(&to, &expected);
            let mut back = vec![0; from.len()];
            bit_unshuffle(size).unwrap()(&expected, &mut back);
            proptest::prop_assert_eq!(&back, &from);
            byte_shuffle(size).unwrap()(&from, &mut to);
            byte_unshuffle(size).unwrap()(&to, &mut back);
            proptest::prop_assert_eq!(&back, &from);
        }
    }

    /// The processor's best is tried by the tests above.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn bits_are_split_alike_by_all_instructions() {
        let bytes = std::array::from_fn(|i| (i * i / 3) as u8);
        let (mut plain, mut special) = ([0; TILE], [0; TILE]);
        split_bits(&bytes, &mut plain, TILE / 8);
        assert_eq!(plain[..], plainly(1, &bytes));
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has it.
            unsafe { split_bits_avx2(&bytes, &mut special, TILE / 8) };
            assert_eq!(special, plain);
        }
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            special.fill(0);
            // SAFETY: as above.
            unsafe { split_bits_avx512(&bytes, &mut special, TILE / 8) };
            assert_eq!(special, plain);
        }
    }

    #[test]
    fn records_of_any_size_are_taken_apart_as_items_are() {
        let from: Vec<u8> = (0..64).map(|i| i * 3).collect();
        for size in [2, 4, 8, 16, 64] {
            let (mut to, mut expected, mut back) = ([0; 64], [0; 64], [0; 64]);
            shuffle_records(size, &from, &mut to);
            byte_shuffle(size).unwrap()(&from, &mut expected);
            assert_eq!(to, expected);
            unshuffle_records(size, &to, &mut back);
            assert_eq!(back[..], from);
        }
        assert!(byte_shuffle(0).is_none() && byte_shuffle(256).is_none());
        for (size, n) in [(3, 19), (8, 8), (13, 19), (240, 33), (232, 8), (5, 7)] {
            let from: Vec<u8> = (0..size * n).map(|i| (i * i / 7) as u8).collect();
            let (mut to, mut back) = (vec![0; from.len()], vec![0; from.len()]);
            shuffle_records(size, &from, &mut to);
            let expected: Vec<u8> = (0..size).flat_map(|j| from.iter().skip(j).step_by(size).copied()).collect();
            assert_eq!(to, expected, "{size} {n}");
            unshuffle_records(size, &to, &mut back);
            assert_eq!(back, from, "{size} {n}");
        }
    }

    #[test]
    fn bytes_are_gathered_by_their_place_in_the_item() {
        let mut to = [0; 6];
        byte_shuffle(2).unwrap()(&[1, 2, 3, 4, 5, 6], &mut to);
        assert_eq!(to, [1, 3, 5, 2, 4, 6]);
    }
}

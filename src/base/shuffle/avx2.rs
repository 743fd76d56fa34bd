//! The bit shuffle with AVX2: the bytes of 32 items are sorted into a vector for each byte of an item, whose bits then come
//! out one plane at a time.

use std::arch::x86_64::*;

use crate::base::shuffle::{shuffle_tiles, unshuffle_tiles};

/// Items whose bits are taken apart at a time: a vector for each of their bytes.
const GROUP: usize = size_of::<__m256i>();

/// See [`crate::base::shuffle::bit_shuffle`].
#[target_feature(enable = "avx2")]
pub(super) fn shuffle_bits<const S: usize>(from: &[u8], to: &mut [u8]) {
    shuffle_tiles::<S>(from, to, |items, planes| {
        for (place, items) in items.as_chunks::<GROUP>().0.iter().enumerate() {
            let mut vectors = [_mm256_setzero_si256(); S];
            for (vector, bytes) in vectors.iter_mut().zip(items.as_flattened().as_chunks::<GROUP>().0) {
                // SAFETY: as many bytes are there to read, and this load wants no alignment.
                *vector = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            }
            sort_bytes(&mut vectors);
            for (mut vector, of_byte) in vectors.into_iter().zip(&mut *planes) {
                for plane in of_byte.iter_mut().rev() {
                    let bits = _mm256_movemask_epi8(vector) as u32;
                    plane[place * 4..][..4].copy_from_slice(&bits.to_le_bytes());
                    vector = _mm256_add_epi8(vector, vector);
                }
            }
        }
    });
}

/// From [`GROUP`] items one behind the other to the first byte of all, the second byte of all, …
#[inline]
#[target_feature(enable = "avx2")]
fn sort_bytes(vectors: &mut [__m256i]) {
    match vectors {
        [a, b] => [*a, *b] = sort_pairs([*a, *b]),
        [a, b, c, d] => [*a, *b, *c, *d] = sort_fours([*a, *b, *c, *d]),
        [a, b, c, d, e, f, g, h] => {
            let (low, high) = halves([*a, *b, *c, *d, *e, *f, *g, *h]);
            [*a, *b, *c, *d] = sort_fours(low);
            [*e, *f, *g, *h] = sort_fours(high);
        }
        _ => {}
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn sort_pairs(vectors: [__m256i; 2]) -> [__m256i; 2] {
    let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    // First bytes into the lower half of each vector, second bytes into the upper one.
    let [a, b] = vectors.map(|v| _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_shuffle_epi8(v, order)));
    [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn sort_fours(vectors: [__m256i; 4]) -> [__m256i; 4] {
    let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    let quarters = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    // Each vector has its eight first bytes, its eight second ones, … in this order now: the rows of a 4 × 4 matrix.
    let [a, b, c, d] = vectors.map(|v| _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(v, order), quarters));
    let (ab, cd) = (_mm256_unpacklo_epi64(a, b), _mm256_unpacklo_epi64(c, d));
    let (ab_odd, cd_odd) = (_mm256_unpackhi_epi64(a, b), _mm256_unpackhi_epi64(c, d));
    [
        _mm256_permute2x128_si256::<0x20>(ab, cd),
        _mm256_permute2x128_si256::<0x20>(ab_odd, cd_odd),
        _mm256_permute2x128_si256::<0x31>(ab, cd),
        _mm256_permute2x128_si256::<0x31>(ab_odd, cd_odd),
    ]
}

/// The lower four bytes of items of eight, and the upper four.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(vectors: [__m256i; 8]) -> ([__m256i; 4], [__m256i; 4]) {
    let order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    // Each vector has the lower halves of its four items in its lower half now.
    let sorted = vectors.map(|v| _mm256_permutevar8x32_epi32(v, order));
    let pairs = [[sorted[0], sorted[1]], [sorted[2], sorted[3]], [sorted[4], sorted[5]], [sorted[6], sorted[7]]];
    (
        pairs.map(|[a, b]| _mm256_permute2x128_si256::<0x20>(a, b)),
        pairs.map(|[a, b]| _mm256_permute2x128_si256::<0x31>(a, b)),
    )
}

/// See [`crate::base::shuffle::bit_unshuffle`].
#[target_feature(enable = "avx2")]
pub(super) fn unshuffle_bits<const S: usize>(from: &[u8], to: &mut [u8]) {
    unshuffle_tiles::<S>(from, to, |planes, items| {
        for (half, items) in items.as_chunks_mut::<{ 8 * GROUP }>().0.iter_mut().enumerate() {
            let mut bytes = [[_mm256_setzero_si256(); S]; 8];
            for (j, of_byte) in planes.iter().enumerate() {
                let rows = of_byte.map(|plane| {
                    let bits = &plane[half * GROUP..][..GROUP];
                    // SAFETY: as many bytes are there to read, and this load wants no alignment.
                    unsafe { _mm256_loadu_si256(bits.as_ptr().cast()) }
                });
                bytes.iter_mut().zip(bytes_of_bits(rows)).for_each(|(group, sorted)| group[j] = sorted);
            }
            for (vectors, items) in bytes.iter_mut().zip(items.as_chunks_mut::<GROUP>().0) {
                mix_bytes(vectors);
                for (vector, bytes) in vectors.iter().zip(items.as_flattened_mut().as_chunks_mut::<GROUP>().0) {
                    // SAFETY: as many bytes are there to write, and this store wants no alignment.
                    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), *vector) };
                }
            }
        }
    });
}

/// From bit 0 of 256 bytes, bit 1 of them, … to the bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes_of_bits(rows: [__m256i; 8]) -> [__m256i; 8] {
    // The byte of each plane that belongs to the same eight items comes into one 64-bit word: an 8 × 8 bit matrix.
    let [a, b, c, d] = [[rows[0], rows[1]], [rows[2], rows[3]], [rows[4], rows[5]], [rows[6], rows[7]]]
        .map(|[x, y]| [_mm256_unpacklo_epi8(x, y), _mm256_unpackhi_epi8(x, y)]);
    let pairs = |x: [__m256i; 2], y: [__m256i; 2]| {
        [
            _mm256_unpacklo_epi16(x[0], y[0]),
            _mm256_unpackhi_epi16(x[0], y[0]),
            _mm256_unpacklo_epi16(x[1], y[1]),
            _mm256_unpackhi_epi16(x[1], y[1]),
        ]
    };
    let (low, high) = (pairs(a, b), pairs(c, d));
    // Of each, the lower half has groups from the first 128 bytes, the upper one from the others.
    let fours = [0, 1, 2, 3].map(|i| {
        let words = [_mm256_unpacklo_epi32(low[i], high[i]), _mm256_unpackhi_epi32(low[i], high[i])];
        words.map(|v| transpose(v))
    });
    let first = fours.map(|[x, y]| _mm256_permute2x128_si256::<0x20>(x, y));
    let second = fours.map(|[x, y]| _mm256_permute2x128_si256::<0x31>(x, y));
    [first[0], first[1], first[2], first[3], second[0], second[1], second[2], second[3]]
}

/// See [`crate::base::shuffle::transpose`].
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(x: __m256i) -> __m256i {
    let swap = |x: __m256i, swapped: __m256i, back: __m256i| _mm256_xor_si256(x, _mm256_xor_si256(swapped, back));
    let bits = |x: __m256i, shifted: __m256i, mask: i64| {
        _mm256_and_si256(_mm256_xor_si256(x, shifted), _mm256_set1_epi64x(mask))
    };
    let swapped = bits(x, _mm256_srli_epi64::<7>(x), 0x00AA_00AA_00AA_00AA);
    let x = swap(x, swapped, _mm256_slli_epi64::<7>(swapped));
    let swapped = bits(x, _mm256_srli_epi64::<14>(x), 0x0000_CCCC_0000_CCCC);
    let x = swap(x, swapped, _mm256_slli_epi64::<14>(swapped));
    let swapped = bits(x, _mm256_srli_epi64::<28>(x), 0x0000_0000_F0F0_F0F0);
    swap(x, swapped, _mm256_slli_epi64::<28>(swapped))
}

/// The way back from [`sort_bytes`].
#[inline]
#[target_feature(enable = "avx2")]
fn mix_bytes(vectors: &mut [__m256i]) {
    match vectors {
        [a, b] => [*a, *b] = halves_in_order(_mm256_unpacklo_epi8(*a, *b), _mm256_unpackhi_epi8(*a, *b)),
        [a, b, c, d] => [*a, *b, *c, *d] = mix_fours([*a, *b, *c, *d]),
        [a, b, c, d, e, f, g, h] => {
            let (low, high) = (mix_fours([*a, *b, *c, *d]), mix_fours([*e, *f, *g, *h]));
            let [one, two, three, four] = [0, 1, 2, 3].map(|i| {
                let (first, second) = (_mm256_unpacklo_epi32(low[i], high[i]), _mm256_unpackhi_epi32(low[i], high[i]));
                halves_in_order(first, second)
            });
            ([*a, *b], [*c, *d], [*e, *f], [*g, *h]) = (one, two, three, four);
        }
        _ => {}
    }
}

/// The lower halves of both, and the upper halves.
#[inline]
#[target_feature(enable = "avx2")]
fn halves_in_order(a: __m256i, b: __m256i) -> [__m256i; 2] {
    [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn mix_fours([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let (ab, cd) = (_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d));
    let (ab_high, cd_high) = (_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d));
    let [first, third] = halves_in_order(_mm256_unpacklo_epi16(ab, cd), _mm256_unpackhi_epi16(ab, cd));
    let [second, fourth] =
        halves_in_order(_mm256_unpacklo_epi16(ab_high, cd_high), _mm256_unpackhi_epi16(ab_high, cd_high));
    [first, second, third, fourth]
}

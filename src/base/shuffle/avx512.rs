//! The bit shuffle with AVX-512, as that with AVX2, but for 64 items at a time and with an instruction for each plane.

use std::arch::x86_64::*;

use crate::base::shuffle::{shuffle_tiles, unshuffle_tiles};

/// Items whose bits are taken apart at a time: a vector for each of their bytes.
const GROUP: usize = size_of::<__m512i>();

/// See [`crate::base::shuffle::bit_shuffle`].
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn shuffle_bits<const S: usize>(from: &[u8], to: &mut [u8]) {
    shuffle_tiles::<S>(from, to, |items, planes| {
        for (place, items) in items.as_chunks::<GROUP>().0.iter().enumerate() {
            let mut vectors = [_mm512_setzero_si512(); S];
            for (vector, bytes) in vectors.iter_mut().zip(items.as_flattened().as_chunks::<GROUP>().0) {
                // SAFETY: as many bytes are there to read, and this load wants no alignment.
                *vector = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
            }
            sort_bytes(&mut vectors);
            for (vector, of_byte) in vectors.into_iter().zip(&mut *planes) {
                for (k, plane) in of_byte.iter_mut().enumerate() {
                    let bits = _mm512_test_epi8_mask(vector, _mm512_set1_epi8((1u8 << k) as i8));
                    plane[place * 8..][..8].copy_from_slice(&bits.to_le_bytes());
                }
            }
        }
    });
}

/// From [`GROUP`] items one behind the other to the first byte of all, the second byte of all, …
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sort_bytes(vectors: &mut [__m512i]) {
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
#[target_feature(enable = "avx512f,avx512bw")]
fn sort_pairs(vectors: [__m512i; 2]) -> [__m512i; 2] {
    let order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    let eighths = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    // First bytes into the lower half of each vector, second bytes into the upper one.
    let [a, b] = vectors.map(|v| _mm512_permutexvar_epi64(eighths, _mm512_shuffle_epi8(v, order)));
    [_mm512_shuffle_i64x2::<0b01_00_01_00>(a, b), _mm512_shuffle_i64x2::<0b11_10_11_10>(a, b)]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sort_fours(vectors: [__m512i; 4]) -> [__m512i; 4] {
    let order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    let quarters = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    // Each vector has its sixteen first bytes, its sixteen second ones, … now: the rows of a 4 × 4 matrix.
    let [a, b, c, d] = vectors.map(|v| _mm512_permutexvar_epi32(quarters, _mm512_shuffle_epi8(v, order)));
    transpose_lanes([a, b, c, d])
}

/// The first quarters of all, the second quarters of all, …
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_lanes([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab, cd) = (_mm512_shuffle_i32x4::<0b01_00_01_00>(a, b), _mm512_shuffle_i32x4::<0b01_00_01_00>(c, d));
    let (ab_high, cd_high) = (_mm512_shuffle_i32x4::<0b11_10_11_10>(a, b), _mm512_shuffle_i32x4::<0b11_10_11_10>(c, d));
    [
        _mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd),
        _mm512_shuffle_i32x4::<0b10_00_10_00>(ab_high, cd_high),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(ab_high, cd_high),
    ]
}

/// The lower four bytes of items of eight, and the upper four.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn halves(vectors: [__m512i; 8]) -> ([__m512i; 4], [__m512i; 4]) {
    let [low, high] = [0, 1].map(|half| {
        let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        _mm512_add_epi32(even, _mm512_set1_epi32(half))
    });
    let [a, b, c, d, e, f, g, h] = vectors;
    let pairs = [[a, b], [c, d], [e, f], [g, h]];
    (
        pairs.map(|[a, b]| _mm512_permutex2var_epi32(a, low, b)),
        pairs.map(|[a, b]| _mm512_permutex2var_epi32(a, high, b)),
    )
}

/// See [`crate::base::shuffle::bit_unshuffle`].
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn unshuffle_bits<const S: usize>(from: &[u8], to: &mut [u8]) {
    unshuffle_tiles::<S>(from, to, |planes, items| {
        for (place, items) in items.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
            let mut vectors = [_mm512_setzero_si512(); S];
            for (vector, of_byte) in vectors.iter_mut().zip(planes) {
                for (k, plane) in of_byte.iter().enumerate() {
                    let bits = plane.as_chunks().0.get(place).map_or(0, |bits| u64::from_le_bytes(*bits));
                    *vector = _mm512_mask_add_epi8(*vector, bits, *vector, _mm512_set1_epi8((1u8 << k) as i8));
                }
            }
            mix_bytes(&mut vectors);
            for (vector, bytes) in vectors.iter().zip(items.as_flattened_mut().as_chunks_mut::<GROUP>().0) {
                // SAFETY: as many bytes are there to write, and this store wants no alignment.
                unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), *vector) };
            }
        }
    });
}

/// The way back from [`sort_bytes`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn mix_bytes(vectors: &mut [__m512i]) {
    match vectors {
        [a, b] => {
            let (even, odd) = (_mm512_unpacklo_epi8(*a, *b), _mm512_unpackhi_epi8(*a, *b));
            *a = _mm512_permutex2var_epi64(even, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), odd);
            *b = _mm512_permutex2var_epi64(even, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), odd);
        }
        [a, b, c, d] => [*a, *b, *c, *d] = mix_fours([*a, *b, *c, *d]),
        [a, b, c, d, e, f, g, h] => {
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            let (low, high) = (mix_fours([*a, *b, *c, *d]), mix_fours([*e, *f, *g, *h]));
            let [one, two, three, four] =
                [0, 1, 2, 3].map(|i| [first, second].map(|order| _mm512_permutex2var_epi32(low[i], order, high[i])));
            ([*a, *b], [*c, *d], [*e, *f], [*g, *h]) = (one, two, three, four);
        }
        _ => {}
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn mix_fours([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
    // Each has, in each of its quarters, four of the sixteen items that belong together.
    transpose_lanes([
        _mm512_unpacklo_epi16(ab, cd),
        _mm512_unpackhi_epi16(ab, cd),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ])
}

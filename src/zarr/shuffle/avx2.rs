//! The bit shuffle with AVX2: the bytes of 32 items are sorted into a vector for each byte of an item, whose bits then come
//! out one plane at a time.
//!
//! Of a run with the default codec, sorting the bytes with the loop that the compiler makes took 22 % of the time, and this
//! takes FIXME.

use std::arch::x86_64::*;

use super::shuffle_tiles;

/// Items whose bits are taken apart at a time: a vector for each of their bytes.
const GROUP: usize = size_of::<__m256i>();

/// See [`super::bit_shuffle`].
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

//! Formats in which several words have the same value: which of the words comes back.

use crate::segy::samples::dtype::ByteOrder;
use crate::segy::samples::{fixed_gain, ibm};

/// Whether all words of a run, as they stand in the file, come back from their stored values.
type AllSame = fn(&[u8], &[u8]) -> bool;

/// Conversions between 32-bit words and float32.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) to_value: fn(u32) -> f32,
    pub(crate) from_value: fn(f32) -> u32,
    /// In big-endian files, and in little-endian ones.
    pub(crate) all_same: [AllSame; 2],
}

pub(crate) static IBM: Words =
    Words { to_value: ibm::to_f32, from_value: ibm::from_f32, all_same: [ibm_big_comes_back, ibm_little_comes_back] };

pub(crate) static FIXED_GAIN: Words = Words {
    to_value: fixed_gain::to_f32,
    from_value: fixed_gain::from_f32,
    all_same: [gain_big_comes_back, gain_little_comes_back],
};

/// The bytes of a word in the file.
pub(crate) fn word_bytes(word: u32, order: ByteOrder) -> [u8; 4] {
    order.choose([word.to_be_bytes(), word.to_le_bytes()])
}

/// Defines comparisons of all words of a run with those that their values become, without a branch for each.
macro_rules! comparisons {
    ($($name:ident: $read:path, $restore:path;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(samples: &[u8], stored: &[u8]) -> bool {
            let mut difference = 0;
            for (word, value) in samples.as_chunks().0.iter().zip(stored.as_chunks().0) {
                difference |= $read(*word) ^ $restore(f32::from_le_bytes(*value));
            }
            difference == 0
        }
    )*};
}

/// Defines comparisons of IBM words. Blocks nearly always have canonical words only; to see that takes a third of the instructions.
macro_rules! ibm_comparisons {
    ($($name:ident: $read:path, $compare:path;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(samples: &[u8], stored: &[u8]) -> bool {
            let mut n_others = 0;
            for word in samples.as_chunks().0 {
                n_others |= u32::from(!ibm::is_canonical($read(*word)));
            }
            n_others == 0 || $compare(samples, stored)
        }
    )*};
}

ibm_comparisons! {
    ibm_big_comes_back: u32::from_be_bytes, ibm_big_is_the_same;
    ibm_little_comes_back: u32::from_le_bytes, ibm_little_is_the_same;
}

comparisons! {
    ibm_big_is_the_same: u32::from_be_bytes, ibm::from_f32;
    ibm_little_is_the_same: u32::from_le_bytes, ibm::from_f32;
    gain_big_comes_back: u32::from_be_bytes, fixed_gain::from_f32;
    gain_little_comes_back: u32::from_le_bytes, fixed_gain::from_f32;
}

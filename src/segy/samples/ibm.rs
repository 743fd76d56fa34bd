//! IBM System/360 single-precision floats to IEEE float32, exactly rounded, and back.
//!
//! An IBM word is a sign bit, a base-16 exponent (excess 64) and a 24-bit fraction: (-1)^s × 0.f × 16^(e-64).
//! The result is the nearest float32 (ties to even): beyond the range of float32 it is ±infinity, below it
//! underflows gradually to ±0, and fractions with leading zero digits (not normalised) are taken at their value.
//!
//! Back ([`from_f32`]) the result is the normalised IBM word: the first of the six hexadecimal digits of the fraction is
//! not 0. Every normalised word within the range of normal float32 has a value that float32 holds, so it comes back bit
//! for bit, and so does zero of either sign. What does not come back is a word whose value was rounded or is infinite,
//! and one of several words of the same value: fractions that are not normalised, zeros with an exponent.
//! Source: SEG-Y rev 2.1, Annex E.

use crate::segy::samples::kernels::kernels;

/// The exact value of an IBM word, which a double always holds.
pub(crate) fn exact(word: u32) -> f64 {
    let fraction = f64::from(word & 0x00FF_FFFF);
    let exponent = 4 * ((word >> 24 & 0x7F) as i32) - 280;
    let magnitude = fraction * f64::from_bits(((1023 + exponent) as u64) << 52);
    if word >> 31 == 1 { -magnitude } else { magnitude }
}

/// The nearest float32 of an IBM word.
///
/// The fraction is an integer below 2^24, so float32 holds it exactly, and the scale 2^(4e-280) is split in two
/// factors that float32 holds too. The first product is exact or already infinite; so only the last one rounds.
#[inline(always)]
pub(crate) fn to_f32(word: u32) -> f32 {
    let fraction = (word & 0x00FF_FFFF) as i32 as f32;
    let exponent = ((word >> 22) & 0x1FC) as i32 - 280;
    let first = exponent.clamp(-126, 127);
    let second = (exponent - first).max(-126);
    let scaled = fraction * power_of_two(first) * power_of_two(second);
    f32::from_bits(scaled.to_bits() | (word & 0x8000_0000))
}

/// Whether the word is canonical: zero of either sign, or normalised and within the range of normal float32. It then comes
/// back from its float32. (So do 2^128, from infinity, and some words below the normal range.)
#[inline(always)]
pub(crate) fn is_canonical(word: u32) -> bool {
    /// 2^-126, the smallest normal float32, and the largest word below 2^128.
    const RANGE: std::ops::RangeInclusive<u32> = 0x2140_0000..=0x60FF_FFFF;
    let magnitude = word & 0x7FFF_FFFF;
    (magnitude == 0) | ((word & 0x00F0_0000 != 0) & RANGE.contains(&magnitude))
}

/// The float32 of a canonical word, and whether it is canonical: of another one the value is arbitrary.
///
/// The fraction becomes a float32 that is exact, and as the result is neither infinite nor subnormal, multiplying it by
/// 2^(4e-280) is an addition to its exponent.
#[inline(always)]
pub(crate) fn canonical_to_f32(word: u32) -> (f32, bool) {
    const EXCESS: u32 = 280 << 23;
    let fraction = (word & 0x00FF_FFFF) as i32 as f32;
    let scaled = fraction.to_bits().wrapping_add((word & 0x7F00_0000) << 1).wrapping_sub(EXCESS);
    let magnitude = if word & 0x7FFF_FFFF == 0 { 0 } else { scaled };
    (f32::from_bits(magnitude | word & 0x8000_0000), is_canonical(word))
}

/// The IBM word nearest to a float32 (ties to even), canonical: sign, exponent and normalised fraction.
///
/// With the exponent field `e` of the float32 (value 1.f × 2^(e-127)) and its 24 bits m = 2^23 + f:
/// the IBM exponent is E = ⌊(e + 133) / 4⌋ and the fraction m >> (4E - 130 - e), a shift by 0 to 3. What is shifted out is
/// rounded, which never fills the 24 bits: a shift leaves 23 at most. The float32 of an IBM word is never rounded.
/// A subnormal is first normalised, with an e below 1. Zero is the sign bit alone. Infinity follows the same rule and
/// becomes 2^128 (0x61100000), the smallest power beyond float32; a NaN, which no IBM word becomes, gives no defined word.
#[inline(always)]
pub(crate) fn from_f32(value: f32) -> u32 {
    const SMALLEST_NORMAL: u32 = 1 << 23;
    let bits = value.to_bits();
    let magnitude = bits & 0x7FFF_FFFF;
    let is_normal = magnitude >= SMALLEST_NORMAL;
    // The bits of a subnormal count steps of 2^-149, and float32 holds that count with a leading 1.
    let leading = if is_normal { magnitude } else { (magnitude as i32 as f32).to_bits() };
    let exponent = (leading >> 23) as i32 - if is_normal { 0 } else { 149 };
    let fraction = leading & (SMALLEST_NORMAL - 1) | SMALLEST_NORMAL;
    let ibm_exponent = (exponent + 133) >> 2;
    let shift = 4 * ibm_exponent - 130 - exponent;
    // With three digits after the point, of which those beyond the fraction are not 0.
    let fraction = fraction << (3 - (shift & 3));
    let nearest = (fraction + 3 + (fraction >> 3 & 1)) >> 3;
    let word = (ibm_exponent as u32) << 24 | nearest;
    bits & 0x8000_0000 | if magnitude == 0 { 0 } else { word }
}

/// 2^n as float32, for n from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

// Between IBM words of either byte order and little-endian float32.
kernels! {
    decode_big: |b: [u8; 4]| to_f32(u32::from_be_bytes(b)).to_le_bytes();
    decode_little: |b: [u8; 4]| to_f32(u32::from_le_bytes(b)).to_le_bytes();
    encode_big: |b: [u8; 4]| from_f32(f32::from_le_bytes(b)).to_be_bytes();
    encode_little: |b: [u8; 4]| from_f32(f32::from_le_bytes(b)).to_le_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps through all 2^32 words by a stride coprime to 2^32, and through every word at the edges of float32.
    fn words() -> impl Iterator<Item = u32> {
        let spread = (0..1u32 << 22).map(|i| i.wrapping_mul(2_654_435_761));
        let edges = [0x60FF_FFFF, 0x6110_0000, 0x2140_0000, 0x1B80_0000, 0x1C00_0001, 0x7FFF_FFFF, 0, 0x8000_0000];
        spread.chain(edges.into_iter().flat_map(|e: u32| (0..2048).map(move |i| e.wrapping_add(i).wrapping_sub(1024))))
    }

    #[test]
    fn a_word_becomes_the_nearest_float32() {
        for word in words() {
            let (got, want) = (to_f32(word), exact(word) as f32);
            assert_eq!(got.to_bits(), want.to_bits(), "{word:#010x}: {got} instead of {want}");
        }
    }

    #[test]
    fn a_canonical_word_comes_back_and_others_only_from_below_the_normal_range() {
        for word in words().filter(|&w| is_canonical(w)) {
            assert_eq!(from_f32(to_f32(word)), word, "{word:#010x}");
        }
        let mut others = words().filter(|&w| survives(w) && !is_canonical(w));
        assert!(others.all(|w| exact(w).abs() < f64::from(f32::MIN_POSITIVE)));
    }

    #[test]
    fn a_canonical_word_needs_no_multiplication() {
        for word in words() {
            let (value, is_canonical_word) = canonical_to_f32(word);
            assert_eq!(is_canonical_word, is_canonical(word));
            assert!(!is_canonical_word || value.to_bits() == to_f32(word).to_bits(), "{word:#010x}: {value}");
        }
    }

    #[test]
    fn the_vectorised_kernels_agree_with_the_single_word() {
        let words: Vec<u32> = words().take(100_003).collect();
        let big: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        let little: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let want: Vec<u8> = words.iter().flat_map(|&w| to_f32(w).to_le_bytes()).collect();
        let mut out = vec![0; want.len()];
        decode_big(&big, &mut out);
        assert_eq!(out, want);
        decode_little(&little, &mut out);
        assert_eq!(out, want);
    }

    /// Whether the word is the only normalised one of its value and float32 holds that.
    fn survives(word: u32) -> bool {
        let magnitude = exact(word).abs();
        let normalised = word & 0x00F0_0000 != 0;
        let held = f64::from(magnitude as f32) == magnitude && magnitude <= f64::from(f32::MAX);
        normalised && held || word & 0x7FFF_FFFF == 0
    }

    #[test]
    fn a_normalised_word_that_float32_holds_comes_back_and_no_other() {
        for word in words() {
            let back = from_f32(to_f32(word));
            // 2^128 is what infinity becomes.
            let expected = survives(word) || word & 0x7FFF_FFFF == 0x6110_0000;
            assert_eq!(back == word, expected, "{word:#010x} comes back as {back:#010x}");
        }
    }

    #[test]
    fn every_float32_goes_to_the_nearest_ibm_word_and_ties_to_the_even_one() {
        // In steps of half the last bit of the fraction all values are integers.
        let is_even = |word: u32| word & 1 == 0;
        for bits in words() {
            let value = f64::from(f32::from_bits(bits));
            if !value.is_finite() {
                continue;
            }
            let word = from_f32(value as f32);
            let error = (exact(word) - value).abs();
            let last_bit = exact(word & 0x7F00_0000 | 1);
            assert!(error <= last_bit / 2.0, "{value:e} becomes {word:#010x}");
            assert!(error < last_bit / 2.0 || is_even(word), "{value:e} becomes {word:#010x}, a tie to the odd word");
            assert!(value == 0.0 || word & 0x00F0_0000 != 0, "{value:e} becomes {word:#010x}, not normalised");
        }
    }

    #[test]
    fn every_float32_of_up_to_21_bits_goes_to_an_ibm_word_of_its_value() {
        for bits in (0..1u32 << 22).map(|i| i.wrapping_mul(2_654_435_761) & !7) {
            let value = f32::from_bits(bits);
            if value.is_finite() {
                assert_eq!(exact(from_f32(value)), f64::from(value), "{bits:#010x}");
            }
        }
    }

    #[test]
    fn the_vectorised_kernels_back_agree_with_the_single_word() {
        let values: Vec<u8> = words().take(100_003).flat_map(u32::to_le_bytes).collect();
        let words = || values.as_chunks().0.iter().map(|b| from_f32(f32::from_le_bytes(*b)));
        let mut out = vec![0; values.len()];
        encode_big(&values, &mut out);
        assert_eq!(out, words().flat_map(u32::to_be_bytes).collect::<Vec<u8>>());
        encode_little(&values, &mut out);
        assert_eq!(out, words().flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    }
}

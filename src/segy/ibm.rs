//! IBM System/360 single-precision floats to IEEE float32, exactly rounded.
//!
//! An IBM word is a sign bit, a base-16 exponent (excess 64) and a 24-bit fraction: (-1)^s × 0.f × 16^(e-64).
//! The result is the nearest float32 (ties to even): beyond the range of float32 it is ±infinity, below it
//! underflows gradually to ±0, and fractions with leading zero digits (not normalised) are taken at their value.
//! Source: SEG-Y rev 2.1, Annex E.

use super::format::each;

/// The exact value of an IBM word, which a double always holds.
pub fn exact(word: u32) -> f64 {
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
pub fn to_f32(word: u32) -> f32 {
    let fraction = (word & 0x00FF_FFFF) as i32 as f32;
    let exponent = ((word >> 22) & 0x1FC) as i32 - 280;
    let first = exponent.clamp(-126, 127);
    let second = (exponent - first).max(-126);
    let scaled = fraction * power_of_two(first) * power_of_two(second);
    f32::from_bits(scaled.to_bits() | (word & 0x8000_0000))
}

/// 2^n as float32, for n from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// Big-endian IBM words to little-endian float32.
#[multiversion::multiversion(targets("x86_64+avx2"))]
pub fn decode_big(src: &[u8], dst: &mut [u8]) {
    each::<4, 4>(src, dst, |b| to_f32(u32::from_be_bytes(b)).to_le_bytes());
}

/// Little-endian IBM words to little-endian float32.
#[multiversion::multiversion(targets("x86_64+avx2"))]
pub fn decode_little(src: &[u8], dst: &mut [u8]) {
    each::<4, 4>(src, dst, |b| to_f32(u32::from_le_bytes(b)).to_le_bytes());
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
}

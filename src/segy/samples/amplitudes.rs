//! Synthetic amplitudes as samples of each format. Unlike [`Restorer`](crate::segy::samples::restore::Restorer) this fills the
//! low bytes of wide formats, and puts zero in the middle of unsigned ones.

use crate::segy::samples::dtype::ByteOrder;

/// Puts amplitudes into `bytes`, which holds exactly one sample for each.
pub(crate) type Amplitudes = fn(&[f32], ByteOrder, &mut [u8]);

/// Encodes each amplitude with `to_big_endian`, reversing the bytes for little-endian files.
fn fill<const N: usize>(
    amplitudes: &[f32],
    order: ByteOrder,
    bytes: &mut [u8],
    to_big_endian: impl Fn(f32) -> [u8; N],
) {
    let pairs = bytes.as_chunks_mut::<N>().0.iter_mut().zip(amplitudes);
    match order {
        ByteOrder::Big => pairs.for_each(|(word, &amplitude)| *word = to_big_endian(amplitude)),
        ByteOrder::Little => pairs.for_each(|(word, &amplitude)| {
            *word = to_big_endian(amplitude);
            word.reverse();
        }),
    }
}

/// Nearest integer; casts saturate. `f32::round` is a library call on some targets, this is not.
fn nearest(amplitude: f32) -> i32 {
    (amplitude + 0.5_f32.copysign(amplitude)) as i32
}

/// The amplitude as a number whose low bits, below those of an `f32`, are not all zero.
///
/// `fraction_bits` are kept after the binary point of the integer formats.
fn widened(amplitude: f32) -> f64 {
    // Any factor with a full 53-bit significand will do.
    f64::from(amplitude) * 1.000_000_123_456_789
}

/// 64-bit integers carry the amplitude in units of 2^-20, to fill their low bytes, yet stay below
/// 2^53 so that a reader may convert them to `f64` exactly.
fn wide_integer(amplitude: f32) -> i64 {
    (widened(amplitude) * f64::from(1 << 20)) as i64
}

/// The IBM System/360 single precision word nearest to `value`.
///
/// The word is a sign bit, a 7-bit exponent `e` in excess 64 and a 24-bit fraction `f`, and stands
/// for `f * 2^-24 * 16^(e - 64)`. It is normalised: the first hexadecimal digit of the fraction is
/// not zero. Up to three bits of the 24-bit significand are rounded away, halves upwards.
/// Subnormal numbers become zero; infinities and NaN have no counterpart and must not occur.
fn ibm_word(value: f32) -> u32 {
    let bits = value.to_bits();
    let sign = bits & 0x8000_0000;
    let exponent = (bits >> 23) & 0xFF;
    let significand = (bits & 0x007F_FFFF) | 0x0080_0000;
    // |value| = significand * 2^-24 * 2^(exponent - 126): round the power of two up to the next
    // power of sixteen and make up for it by shifting the fraction down by 0 to 3 bits.
    let ibm_exponent = (exponent + 133) >> 2;
    let shift = 4 * ibm_exponent - 130 - exponent;
    // No carry out of 24 bits: a significand that is rounded has been halved at least.
    let fraction = (significand + (1 << shift >> 1)) >> shift;
    if exponent == 0 { 0 } else { sign | (ibm_exponent << 24) | fraction }
}

/// The word of format 4, big-endian: a zero byte, a gain byte `g`, and an `i16` mantissa `m`, for
/// the value `m * 2^g`, truncated towards zero.
fn gain_word(value: i32) -> u32 {
    let magnitude = value.unsigned_abs();
    let gain = 17_u32.saturating_sub(magnitude.leading_zeros());
    let mantissa = ((magnitude >> gain) as i32 * value.signum()) as i16;
    (gain << 16) | u32::from(mantissa as u16)
}

pub(crate) fn ibm_float32(amplitudes: &[f32], order: ByteOrder, bytes: &mut [u8]) {
    fill(amplitudes, order, bytes, |x| ibm_word(x).to_be_bytes());
}

pub(crate) fn ieee_float32(amplitudes: &[f32], order: ByteOrder, bytes: &mut [u8]) {
    fill(amplitudes, order, bytes, f32::to_be_bytes);
}

pub(crate) fn ieee_float64(amplitudes: &[f32], order: ByteOrder, bytes: &mut [u8]) {
    fill(amplitudes, order, bytes, |x| widened(x).to_be_bytes());
}

pub(crate) fn fixed_with_gain(amplitudes: &[f32], order: ByteOrder, bytes: &mut [u8]) {
    fill(amplitudes, order, bytes, |x| gain_word(nearest(x)).to_be_bytes());
}

/// Integers of `N` bytes; unsigned ones have zero amplitude in the middle of their range.
pub(crate) fn integer<const N: usize, const UNSIGNED: bool>(amplitudes: &[f32], order: ByteOrder, bytes: &mut [u8]) {
    let low_bytes = |value: i64| std::array::from_fn(|i| value.to_be_bytes()[8 - N + i]);
    if N == 8 {
        // The middle of what an f64 holds exactly rather than of the 64 bits, see `wide_integer`.
        let shifted = |value: i64| if UNSIGNED { value.saturating_add(1 << 52).max(0) } else { value };
        return fill::<N>(amplitudes, order, bytes, |x| low_bytes(shifted(wide_integer(x))));
    }
    let min = i32::MIN >> (32 - (8 * N).min(32));
    let middle = if UNSIGNED { min } else { 0 };
    fill::<N>(amplitudes, order, bytes, |x| low_bytes(i64::from(nearest(x).clamp(min, !min) ^ middle)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::format::{FORMATS, sample_format};
    use crate::segy::samples::ibm;

    fn encoded(code: u16, amplitudes: &[f32], order: ByteOrder) -> Vec<u8> {
        let format = sample_format(code).unwrap();
        let mut bytes = vec![0xAA; amplitudes.len() * format.bytes];
        (format.amplitudes)(amplitudes, order, &mut bytes);
        bytes
    }

    #[test]
    fn an_ibm_word_is_normalised_and_nearest() {
        for bits in (0..200_000u32).map(|i| i.wrapping_mul(2_654_435_761)) {
            let value = f32::from_bits(bits);
            if !value.is_normal() {
                continue;
            }
            let word = ibm_word(value);
            let back = ibm::exact(word);
            assert!((word >> 20) & 0xF != 0, "{value:e} {word:08x}");
            let error = (back - f64::from(value)).abs();
            // Half a unit of the last place of the word's own fraction.
            let unit = 16_f64.powi(((word >> 24) & 0x7F) as i32 - 64) / f64::from(1 << 24);
            assert!(error <= unit / 2.0, "{value:e} {word:08x}");
        }
    }

    #[test]
    fn ibm_words_of_known_values() {
        // -118.625 is the worked example of the IBM System/360 principles of operation.
        let known = [
            (-118.625, 0xC276_A000),
            (1.0, 0x4110_0000),
            (0.0, 0),
            (-0.0, 0),
            (1e-40, 0),
            (f32::MAX, 0x60FF_FFFF),
            (f32::MIN_POSITIVE, 0x2140_0000),
        ];
        for (value, word) in known {
            assert_eq!(ibm_word(value), word, "{value:e}");
        }
    }

    #[test]
    fn a_gain_word_keeps_fifteen_leading_bits() {
        let extremes = [0, 1, -1, 32767, 32768, -32768, -32769, i32::MAX, i32::MIN];
        let draws = (0..50_000u32).map(|i| i.wrapping_mul(2_654_435_761) as i32 >> (i % 31));
        for value in extremes.into_iter().chain(draws) {
            let word = gain_word(value);
            let (gain, mantissa) = (word >> 16, i64::from(word as u16 as i16));
            let error = (mantissa << gain) - i64::from(value);
            assert!(gain <= 17 && error.abs() < 1 << gain, "{value} {word:08x}");
            assert!(gain == 0 || mantissa.abs() >= 1 << 14, "{value} {word:08x}");
        }
    }

    #[test]
    fn integers_are_rounded_and_clipped_at_their_range() {
        let big = |code, x| encoded(code, &[x], ByteOrder::Big);
        assert_eq!(big(8, -3.6), [0xFC]);
        assert_eq!(big(8, 1e9), [0x7F]);
        assert_eq!(big(16, -1e9), [0]);
        assert_eq!(big(16, 1.4), [0x81]);
        assert_eq!(big(3, 258.0), [1, 2]);
        assert_eq!(big(3, -1e9), [0x80, 0]);
        assert_eq!(big(11, 0.0), [0x80, 0]);
        assert_eq!(big(7, -2.0), [0xFF, 0xFF, 0xFE]);
        assert_eq!(big(7, 1e9), [0x7F, 0xFF, 0xFF]);
        assert_eq!(big(15, 1.0), [0x80, 0, 1]);
        assert_eq!(big(2, 16_909_060.0), [1, 2, 3, 4]);
        assert_eq!(big(10, -1.0), [0x7F, 0xFF, 0xFF, 0xFF]);
        assert_eq!(big(12, 0.0), [0, 0x10, 0, 0, 0, 0, 0, 0]);
        assert_eq!(big(9, -1.0)[..5], [0xFF; 5]);
    }

    #[test]
    fn little_endian_samples_are_the_big_endian_ones_turned_round() {
        let amplitudes: Vec<f32> = (-40..40).map(|k| k as f32 * 3.3).collect();
        for format in FORMATS {
            let mut bytes = encoded(format.code, &amplitudes, ByteOrder::Little);
            for word in bytes.chunks_exact_mut(format.bytes) {
                word.reverse();
            }
            assert_eq!(bytes, encoded(format.code, &amplitudes, ByteOrder::Big), "{}", format.name);
        }
    }
}

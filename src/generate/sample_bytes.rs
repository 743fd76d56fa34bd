//! Sample formats: one row per SEG-Y format code, each with the kernel that encodes it.
//!
//! Source: SEG-Y rev 2.1, binary file header, bytes 3225-3226, and the appendix on number formats.

use anyhow::{Context, Result};

use crate::generate::Endian;

/// Encodes amplitudes into `bytes`, which holds exactly one sample per amplitude.
type Encode = fn(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]);

/// A SEG-Y sample format and how synthetic amplitudes are put into it.
#[derive(Debug)]
pub(super) struct SampleFormat {
    /// Format code of bytes 3225-3226.
    pub(super) code: u16,
    /// Name for the textual header.
    pub(super) name: &'static str,
    /// Bytes per sample.
    pub(super) bytes: usize,
    /// Whether the code exists only from revision 2 on.
    pub(super) is_rev2: bool,
    /// Root mean square amplitude at which traces use a sensible part of the range: about a fifth
    /// of the largest amplitude, so that integers hardly ever clip.
    pub(super) rms: f32,
    /// The kernel.
    pub(super) encode: Encode,
}

#[rustfmt::skip]
static FORMATS: [SampleFormat; 14] = [
    SampleFormat { code: 1,  name: "IBM FLOAT32",      bytes: 4, is_rev2: false, rms: 1500.0, encode: ibm_float32 },
    SampleFormat { code: 2,  name: "INT32",            bytes: 4, is_rev2: false, rms: 4.0e6,  encode: int32 },
    SampleFormat { code: 3,  name: "INT16",            bytes: 2, is_rev2: false, rms: 1500.0, encode: int16 },
    SampleFormat { code: 4,  name: "FIXED WITH GAIN",  bytes: 4, is_rev2: false, rms: 1.0e5,  encode: fixed_with_gain },
    SampleFormat { code: 5,  name: "IEEE FLOAT32",     bytes: 4, is_rev2: false, rms: 1500.0, encode: ieee_float32 },
    SampleFormat { code: 6,  name: "IEEE FLOAT64",     bytes: 8, is_rev2: true,  rms: 1500.0, encode: ieee_float64 },
    SampleFormat { code: 7,  name: "INT24",            bytes: 3, is_rev2: true,  rms: 5.0e5,  encode: int24 },
    SampleFormat { code: 8,  name: "INT8",             bytes: 1, is_rev2: false, rms: 22.0,   encode: int8 },
    SampleFormat { code: 9,  name: "INT64",            bytes: 8, is_rev2: true,  rms: 4.0e6,  encode: int64 },
    SampleFormat { code: 10, name: "UINT32",           bytes: 4, is_rev2: true,  rms: 4.0e6,  encode: uint32 },
    SampleFormat { code: 11, name: "UINT16",           bytes: 2, is_rev2: true,  rms: 1500.0, encode: uint16 },
    SampleFormat { code: 12, name: "UINT64",           bytes: 8, is_rev2: true,  rms: 4.0e6,  encode: uint64 },
    SampleFormat { code: 15, name: "UINT24",           bytes: 3, is_rev2: true,  rms: 5.0e5,  encode: uint24 },
    SampleFormat { code: 16, name: "UINT8",            bytes: 1, is_rev2: true,  rms: 22.0,   encode: uint8 },
];

/// The format with this code, or an error that lists the codes there are.
pub(super) fn format_of(code: u16) -> Result<&'static SampleFormat> {
    FORMATS.iter().find(|format| format.code == code).with_context(|| {
        let codes: Vec<String> = FORMATS.iter().map(|f| f.code.to_string()).collect();
        format!("There is no sample format with code {code}; the codes are {}.", codes.join(", "))
    })
}

/// Encodes each amplitude with `to_big_endian`, turning the bytes round for little-endian files.
fn fill<const N: usize>(amplitudes: &[f32], endian: Endian, bytes: &mut [u8], to_big_endian: impl Fn(f32) -> [u8; N]) {
    let (words, _) = bytes.as_chunks_mut::<N>();
    let pairs = words.iter_mut().zip(amplitudes);
    match endian {
        Endian::Big => pairs.for_each(|(word, &amplitude)| *word = to_big_endian(amplitude)),
        Endian::Little => pairs.for_each(|(word, &amplitude)| {
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
    // power of sixteen and make good for it by shifting the fraction down by 0 to 3 bits.
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

fn ibm_float32(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| ibm_word(x).to_be_bytes());
}

fn ieee_float32(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, f32::to_be_bytes);
}

fn ieee_float64(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| widened(x).to_be_bytes());
}

fn fixed_with_gain(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| gain_word(nearest(x)).to_be_bytes());
}

fn int8(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| [nearest(x).clamp(-128, 127) as u8]);
}

fn int16(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| (nearest(x).clamp(-0x8000, 0x7FFF) as i16).to_be_bytes());
}

fn int24(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| low_three_bytes(nearest(x).clamp(-0x80_0000, 0x7F_FFFF)));
}

fn int32(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| nearest(x).to_be_bytes());
}

fn int64(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| wide_integer(x).to_be_bytes());
}

// Unsigned formats put zero amplitude at the middle of their range.

fn uint8(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| [(nearest(x).clamp(-0x80, 0x7F) + 0x80) as u8]);
}

fn uint16(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| ((nearest(x).clamp(-0x8000, 0x7FFF) + 0x8000) as u16).to_be_bytes());
}

fn uint24(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| low_three_bytes(nearest(x).clamp(-0x80_0000, 0x7F_FFFF) + 0x80_0000));
}

fn uint32(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    fill(amplitudes, endian, bytes, |x| (nearest(x) as u32 ^ 0x8000_0000).to_be_bytes());
}

fn uint64(amplitudes: &[f32], endian: Endian, bytes: &mut [u8]) {
    // The middle of what an f64 holds exactly rather than of the 64 bits, see `wide_integer`.
    fill(amplitudes, endian, bytes, |x| (wide_integer(x).saturating_add(1 << 52).max(0) as u64).to_be_bytes());
}

fn low_three_bytes(value: i32) -> [u8; 3] {
    let [_, high, middle, low] = value.to_be_bytes();
    [high, middle, low]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::maths::Random;

    fn encoded(code: u16, amplitudes: &[f32], endian: Endian) -> Vec<u8> {
        let format = format_of(code).unwrap();
        let mut bytes = vec![0xAA; amplitudes.len() * format.bytes];
        (format.encode)(amplitudes, endian, &mut bytes);
        bytes
    }

    /// Definition of the format, in `f64`, which holds every IBM single exactly.
    fn value_of_ibm_word(word: u32) -> f64 {
        let sign = if word >> 31 == 1 { -1.0 } else { 1.0 };
        let exponent = ((word >> 24) & 0x7F) as i32 - 64;
        sign * f64::from(word & 0x00FF_FFFF) / f64::from(1 << 24) * 16_f64.powi(exponent)
    }

    #[test]
    fn an_ibm_word_is_normalised_and_nearest() {
        let mut random = Random::new(7, 7);
        for _ in 0..200_000 {
            let value = f32::from_bits(random.next_u64() as u32);
            if !value.is_normal() {
                continue;
            }
            let word = ibm_word(value);
            let back = value_of_ibm_word(word);
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
        let mut random = Random::new(8, 8);
        let extremes = [0, 1, -1, 32767, 32768, -32768, -32769, i32::MAX, i32::MIN];
        let draws = (0..50_000).map(|_| (random.next_u64() as i32) >> (random.next_u64() % 31));
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
        let big = |code, x| encoded(code, &[x], Endian::Big);
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
        for format in &FORMATS {
            let mut bytes = encoded(format.code, &amplitudes, Endian::Little);
            for word in bytes.chunks_exact_mut(format.bytes) {
                word.reverse();
            }
            assert_eq!(bytes, encoded(format.code, &amplitudes, Endian::Big), "{format:?}");
        }
    }

    #[test]
    fn an_unknown_code_is_answered_with_the_known_ones() {
        assert_eq!(
            format_of(13).unwrap_err().to_string(),
            "There is no sample format with code 13; the codes are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, \
             11, 12, 15, 16."
        );
    }
}

//! Fixed point with gain, format 4: a mantissa (int16, low half) × 2^gain (second byte). The first byte is unused.

use crate::segy::samples::kernels::kernels;

/// The value of a word, rounded once to float32, which holds every value up to gain 112; beyond that it may be infinite.
#[inline(always)]
pub(crate) fn to_f32(word: u32) -> f32 {
    exact(word) as f32
}

/// The exact value of such a word, which a double always holds.
#[inline(always)]
pub(crate) fn exact(word: u32) -> f64 {
    let gain = u64::from((word >> 16) & 0xFF);
    let power_of_two = f64::from_bits((1023 + gain) << 52);
    f64::from(word as u16 as i16) * power_of_two
}

/// The word of format 4 nearest to a value (ties to the even mantissa), canonical: the smallest gain for which the mantissa
/// fits int16, and 0 in the unused byte.
#[inline(always)]
pub(crate) fn from_f32(value: f32) -> u32 {
    const SIGN: u32 = 1 << 31;
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 0xFF) as i32 - 127;
    // -32768 fits where +32768 does not.
    let is_negative_power = bits & 0x807F_FFFF == SIGN;
    let gain = (exponent - 14 - i32::from(is_negative_power)).max(0);
    let mantissa = f64::from(value) * f64::from_bits(((1023 - gain) as u64) << 52);
    let mantissa = mantissa.round_ties_even() as i32;
    let is_rounded_up = u32::from(mantissa == 1 << 15);
    // Infinity becomes the largest mantissa with a gain that makes it infinite again.
    let mantissa = (mantissa >> is_rounded_up).clamp(i16::MIN.into(), i16::MAX.into());
    (gain as u32 + is_rounded_up) << 16 | u32::from(mantissa as u16)
}

kernels! {
    decode_big: |b: [u8; 4]| to_f32(u32::from_be_bytes(b)).to_le_bytes();
    decode_little: |b: [u8; 4]| to_f32(u32::from_le_bytes(b)).to_le_bytes();
    encode_big: |b: [u8; 4]| from_f32(f32::from_le_bytes(b)).to_be_bytes();
    encode_little: |b: [u8; 4]| from_f32(f32::from_le_bytes(b)).to_le_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_word_with_gain_is_nearer_to_a_value(bits: u32) {
            let value = f64::from(f32::from_bits(bits));
            if value.is_finite() {
                let word = from_f32(value as f32);
                let distance = |word: u32| (exact(word) - value).abs();
                let gain = word >> 16;
                for other_gain in gain.saturating_sub(1)..=gain + 1 {
                    let mantissa = value / 2f64.powi(other_gain as i32);
                    for mantissa in [mantissa.floor(), mantissa.ceil()].map(|m| m as i64) {
                        let other = i16::try_from(mantissa).map(|m| other_gain << 16 | u32::from(m as u16));
                        proptest::prop_assert!(other.is_err() || distance(word) <= distance(other.unwrap()), "{value:e}: {word:#010x}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_word_with_a_full_mantissa_comes_back_by_itself() {
        for gain in 0..=112 {
            for mantissa in [i16::MIN, -32767, -16385, 16384, 16385, 32767] {
                let word = gain << 16 | u32::from(mantissa as u16);
                assert_eq!(from_f32(to_f32(word)), word, "{word:#010x}");
            }
        }
        for mantissa in i16::MIN..=i16::MAX {
            assert_eq!(from_f32(f32::from(mantissa)), u32::from(mantissa as u16));
        }
    }
}

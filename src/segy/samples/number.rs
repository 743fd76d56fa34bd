//! Exact values of samples, and the words nearest to them.

use crate::segy::samples::{fixed_gain, ibm};

/// The exact value of a sample.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(i128),
    /// A double holds every value of the formats that are not integers.
    Float(f64),
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        let same = |integer: i128, float: f64| float == integer as f64 && float as i128 == integer;
        match (*self, *other) {
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || a.is_nan() && b.is_nan(),
            (Self::Integer(i), Self::Float(f)) | (Self::Float(f), Self::Integer(i)) => same(i, f),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

impl Number {
    pub(crate) fn is_finite(self) -> bool {
        !matches!(self, Self::Float(value) if !value.is_finite())
    }
}

/// The value of the integer in the low `N` bytes of the word.
pub(crate) fn of_integer<const N: usize, const UNSIGNED: bool>(word: u64) -> Number {
    let unused = 64 - 8 * N as u32;
    Number::Integer(if UNSIGNED { word.into() } else { ((word << unused) as i64 >> unused).into() })
}

pub(crate) fn of_float32(word: u64) -> Number {
    Number::Float(f32::from_bits(word as u32).into())
}

pub(crate) fn of_float64(word: u64) -> Number {
    Number::Float(f64::from_bits(word))
}

pub(crate) fn of_ibm(word: u64) -> Number {
    Number::Float(ibm::exact(word as u32))
}

pub(crate) fn of_fixed_gain(word: u64) -> Number {
    Number::Float(fixed_gain::exact(word as u32))
}

// Back: the word of the format's nearest value; `None` for NaN and for values beyond its range.

pub(crate) fn to_integer<const N: usize, const UNSIGNED: bool>(value: Number) -> Option<u64> {
    let value = match value {
        Number::Integer(value) => value,
        // The cast clamps values beyond i128, whose ends no format reaches.
        Number::Float(value) => value.is_finite().then_some(value.round_ties_even() as i128)?,
    };
    let bits = 8 * N as u32;
    let end = 1i128 << (bits - u32::from(!UNSIGNED));
    let start = if UNSIGNED { 0 } else { -end };
    (start..end).contains(&value).then_some(value as u64 & u64::MAX >> (64 - bits))
}

pub(crate) fn to_float32(value: Number) -> Option<u64> {
    let (nearest, is_held) = match value {
        Number::Float(value) => (value as f32, (value as f32).is_finite() || !value.is_finite()),
        Number::Integer(value) => (value as f32, true),
    };
    is_held.then_some(nearest.to_bits().into())
}

pub(crate) fn to_float64(value: Number) -> Option<u64> {
    Some(match value {
        Number::Float(value) => value.to_bits(),
        Number::Integer(value) => (value as f64).to_bits(),
    })
}

/// The nearest IBM word: normalised, except for values below the range of normalised words.
pub(crate) fn to_ibm(value: Number) -> Option<u64> {
    let (is_negative, mantissa, exponent) = parts(value)?;
    let sign = u64::from(is_negative) << 31;
    if mantissa == 0 {
        return Some(sign);
    }
    // The value lies below 2^top and not below half of that; the fraction counts steps of 16^digits / 2^24.
    let top = exponent + (64 - mantissa.leading_zeros()) as i32;
    let mut digits = top.div_euclid(4) + i32::from(top.rem_euclid(4) != 0);
    digits = digits.max(-64);
    let mut fraction = shifted(mantissa, exponent - 4 * digits + 24);
    if fraction == 1 << 24 {
        (fraction, digits) = (1 << 20, digits + 1);
    }
    (digits <= 63).then(|| sign | ((digits + 64) as u64) << 24 | fraction)
}

/// Sign, and magnitude as mantissa × 2^exponent.
fn parts(value: Number) -> Option<(bool, u64, i32)> {
    match value {
        Number::Integer(value) => Some((value < 0, u64::try_from(value.unsigned_abs()).ok()?, 0)),
        Number::Float(value) => {
            let bits = value.to_bits();
            let (exponent, fraction) = ((bits >> 52 & 0x7FF) as i32, bits & ((1 << 52) - 1));
            let (mantissa, exponent) = if exponent == 0 { (fraction, 1) } else { (fraction | 1 << 52, exponent) };
            value.is_finite().then_some((value.is_sign_negative(), mantissa, exponent - 1075))
        }
    }
}

/// `mantissa` × 2^shift, which is below 2^64, to the nearest integer, ties to even.
fn shifted(mantissa: u64, shift: i32) -> u64 {
    match -shift {
        ..=0 => mantissa << shift,
        down @ 1..=64 => {
            let (wide, half) = (u128::from(mantissa), 1u128 << (down - 1));
            let (whole, rest) = (wide >> down, wide & (2 * half - 1));
            (whole + u128::from(rest > half || rest == half && whole & 1 == 1)) as u64
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_other_ibm_word_is_nearer(bits: u64) {
            let value = f64::from_bits(bits);
            let Some(word) = to_ibm(Number::Float(value)) else {
                proptest::prop_assert!(!value.is_finite() || value.abs() >= ibm::exact(0x7FFF_FFFF));
                return Ok(());
            };
            let distance = |word: u32| (ibm::exact(word) - value).abs();
            // Neighbours in the order of the words are neighbours in value, except where the fraction gains a digit.
            for other in [word as u32 ^ 1, (word as u32).wrapping_add(1), (word as u32).wrapping_sub(1)] {
                let is_one = ibm::exact(other).is_sign_negative() == value.is_sign_negative();
                proptest::prop_assert!(!is_one || distance(word as u32) <= distance(other), "{word:#010x} {other:#010x}");
            }
        }
    }
}

//! Samples of one format as samples of another, each with its exact value or the nearest one.

use crate::segy::samples::format::{ByteOrder, SampleFormat, fixed_gain_exact};
use crate::segy::samples::ibm;

/// The exact value of a sample.
#[derive(Clone, Copy, Debug)]
enum Number {
    Integer(i128),
    /// A double holds every value of the formats that are no integers.
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

/// A sample that the other format does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Number of the sample among those given, from 0.
    pub index: usize,
    /// The value, and why it is none of the format.
    pub why: String,
}

/// Turns samples as they stand in a file into those of another format, byte order, or both.
#[derive(Clone, Copy, Debug)]
pub struct Recoder {
    from: (&'static SampleFormat, ByteOrder),
    to: (&'static SampleFormat, ByteOrder),
    /// Take the nearest value, ties to even, where the format does not hold the value itself.
    round: bool,
}

impl Recoder {
    /// `None` for fixed point with gain as the format to write, of which one value has many words.
    pub fn new(
        from: (&'static SampleFormat, ByteOrder),
        to: (&'static SampleFormat, ByteOrder),
        round: bool,
    ) -> Option<Self> {
        (from.0.code == to.0.code || to.0.code != 4).then_some(Self { from, to, round })
    }

    /// Bytes of a sample as it was, and as it becomes.
    pub fn bytes(&self) -> (usize, usize) {
        (self.from.0.bytes, self.to.0.bytes)
    }

    /// Appends the samples to `out`. Of the same format the words stay what they are.
    ///
    /// # Errors
    /// The first sample whose value is beyond the format, or, unless it is to be rounded, is not held exactly.
    pub fn recode(&self, samples: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
        let ((from, from_order), (to, to_order)) = (self.from, self.to);
        for (index, sample) in samples.chunks_exact(from.bytes).enumerate() {
            let word = sample_word(sample, from_order);
            let word = if from.code == to.code {
                word
            } else {
                let misfit = |why: String| Misfit { index, why };
                let value = number(from, word);
                let hint = if is_finite(value) { "" } else { "; --nan VALUE writes another value" };
                let new = encode(to, value).ok_or_else(|| misfit(format!("{value} is beyond {}{hint}", to.name)))?;
                if !self.round && number(to, new) != value {
                    return Err(misfit(format!(
                        "{value} is not exact as {}; --round takes the nearest value",
                        to.name
                    )));
                }
                new
            };
            match to_order {
                ByteOrder::Big => out.extend_from_slice(&word.to_be_bytes()[8 - to.bytes..]),
                ByteOrder::Little => out.extend_from_slice(&word.to_le_bytes()[..to.bytes]),
            }
        }
        Ok(())
    }
}

/// The bits of a sample in the low bytes.
fn sample_word(sample: &[u8], order: ByteOrder) -> u64 {
    let add = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
    match order {
        ByteOrder::Big => sample.iter().fold(0, add),
        ByteOrder::Little => sample.iter().rev().fold(0, add),
    }
}

fn number(format: &SampleFormat, word: u64) -> Number {
    match format.code {
        1 => Number::Float(ibm::exact(word as u32)),
        4 => Number::Float(fixed_gain_exact(word as u32)),
        5 => Number::Float(f64::from(f32::from_bits(word as u32))),
        6 => Number::Float(f64::from_bits(word)),
        _ if is_signed(format) => {
            let unused = 64 - 8 * format.bytes as u32;
            Number::Integer(((word << unused) as i64 >> unused).into())
        }
        _ => Number::Integer(word.into()),
    }
}

fn is_finite(value: Number) -> bool {
    !matches!(value, Number::Float(value) if !value.is_finite())
}

fn is_signed(format: &SampleFormat) -> bool {
    matches!(format.code, 2 | 3 | 7 | 8 | 9)
}

/// The bits of the nearest value of a format; `None` where there is none: beyond its range, and no number.
fn encode(format: &SampleFormat, value: Number) -> Option<u64> {
    match (format.code, value) {
        (1, _) => to_ibm(value),
        (5, Number::Float(value)) => {
            let nearest = value as f32;
            (nearest.is_finite() || !value.is_finite()).then_some(nearest.to_bits().into())
        }
        (5, Number::Integer(value)) => Some((value as f32).to_bits().into()),
        (6, Number::Float(value)) => Some(value.to_bits()),
        (6, Number::Integer(value)) => Some((value as f64).to_bits()),
        (_, value) => {
            let value = match value {
                Number::Integer(value) => value,
                // The cast takes what is beyond to the ends of the type, which no format reaches.
                Number::Float(value) => value.is_finite().then_some(value.round_ties_even() as i128)?,
            };
            let (bits, is_signed) = (8 * format.bytes as u32, is_signed(format));
            let end = 1i128 << (bits - u32::from(is_signed));
            let start = if is_signed { -end } else { 0 };
            (start..end).contains(&value).then_some(value as u64 & u64::MAX >> (64 - bits))
        }
    }
}

/// The nearest IBM word: normalised, but for values below the range of normalised words.
fn to_ibm(value: Number) -> Option<u64> {
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
    use crate::segy::samples::format::{FORMATS, sample_format};

    fn recode(from: u16, to: u16, round: bool, words: &[u64]) -> Result<Vec<u64>, Misfit> {
        let [from, to] = [from, to].map(|code| sample_format(code).unwrap());
        let recoder = Recoder::new((from, ByteOrder::Big), (to, ByteOrder::Little), round).unwrap();
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()[8 - from.bytes..].to_vec()).collect();
        let mut out = Vec::new();
        recoder.recode(&bytes, &mut out)?;
        Ok(out.chunks(to.bytes).map(|sample| sample_word(sample, ByteOrder::Little)).collect())
    }

    fn float(value: f32) -> u64 {
        value.to_bits().into()
    }

    proptest::proptest! {
        #[test]
        fn what_comes_through_unrounded_has_the_same_value_and_comes_back(
            from in 0..FORMATS.len(), to in 0..FORMATS.len(), word: u64,
        ) {
            let (from, to) = (&FORMATS[from], &FORMATS[to]);
            let word = word & u64::MAX >> (64 - 8 * from.bytes);
            if to.code != 4 && let Ok(there) = recode(from.code, to.code, false, &[word]) {
                proptest::prop_assert_eq!(number(to, there[0]), number(from, word));
                if from.code != 4 {
                    let back = recode(to.code, from.code, false, &there).unwrap();
                    proptest::prop_assert_eq!(number(from, back[0]), number(from, word));
                }
            }
        }

        #[test]
        fn no_other_ibm_word_is_nearer(bits: u64) {
            let value = f64::from_bits(bits);
            let Some(word) = encode(sample_format(1).unwrap(), Number::Float(value)) else {
                proptest::prop_assert!(!value.is_finite() || value.abs() >= ibm::exact(0x7FFF_FFFF));
                return Ok(());
            };
            let distance = |word: u32| (ibm::exact(word) - value).abs();
            // Neighbours in the order of the words are neighbours in value, but where the fraction gains a digit.
            for other in [word as u32 ^ 1, (word as u32).wrapping_add(1), (word as u32).wrapping_sub(1)] {
                let is_one = ibm::exact(other).is_sign_negative() == value.is_sign_negative();
                proptest::prop_assert!(!is_one || distance(word as u32) <= distance(other), "{word:#010x} {other:#010x}");
            }
        }
    }

    #[test]
    fn values_that_the_other_format_does_not_hold_are_told_or_rounded_to_even() {
        let misfit = recode(5, 3, false, &[float(7.0), float(1.5)]).unwrap_err();
        assert_eq!((misfit.index, misfit.why.contains("1.5 is not exact as int16")), (1, true), "{}", misfit.why);
        assert_eq!(recode(5, 3, true, &[float(1.5), float(2.5), float(-2.5)]), Ok(vec![2, 2, 0xFFFE]));
        for (from, word, to) in [
            (5, float(32768.0), 3),
            (5, float(-1.0), 16),
            (5, float(f32::NAN), 2),
            (5, float(f32::INFINITY), 1),
            (6, 1e39f64.to_bits(), 5),
            (6, 1e76f64.to_bits(), 1),
            (12, u64::MAX, 9),
        ] {
            assert!(recode(from, to, true, &[word]).unwrap_err().why.contains("is beyond"), "{from} {to}");
        }
        assert_eq!(recode(5, 6, false, &[float(f32::INFINITY)]), Ok(vec![f64::INFINITY.to_bits()]));
    }

    #[test]
    fn integers_of_64_bits_are_rounded_once() {
        // Rounded to a double first, this would be a tie and end at the even neighbour below.
        let value = (1u64 << 53) + (1 << 29) + 1;
        assert_eq!(recode(9, 5, true, &[value]), Ok(vec![float((1u64 << 53) as f32 + (1 << 30) as f32)]));
        let fraction = (1u64 << 60) + (1 << 39) + 1;
        assert_eq!(recode(9, 1, true, &[fraction]), Ok(vec![0x5010_0001]));
    }

    #[test]
    fn the_same_format_keeps_its_words() {
        assert_eq!(recode(1, 1, false, &[0x4200_0001, 0x7FFF_FFFF]), Ok(vec![0x4200_0001, 0x7FFF_FFFF]));
        assert_eq!(recode(4, 4, false, &[0x0103_7FFF]), Ok(vec![0x0103_7FFF]));
    }
}

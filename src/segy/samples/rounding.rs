//! Samples rounded to multiples of a power of two: their last bits are zero then, which compresses well.

use serde::{Deserialize, Serialize};

use crate::segy::Dtype;

/// Errors are counted in parts of a step, this many to a step. Their squares are added as integers, so that the sum does
/// not depend on the order.
const PARTS: f64 = 256.0;

/// How samples are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precision {
    /// How many decibels the error is to stay below the RMS of the samples.
    pub decibels: u32,
    /// Samples are multiples of two to this power.
    pub exponent: i32,
}

impl Precision {
    /// For samples of this type with this RMS, which is not zero: errors are spread evenly over a step, so that their RMS is the step
    /// divided by the root of 12.
    pub fn new(decibels: u32, rms: f64, dtype: Dtype) -> Self {
        // By `libm`, which gives the same on all systems.
        let step = rms * libm::pow(10.0, -f64::from(decibels) / 20.0) * 12f64.sqrt();
        let exponent = libm::log2(step).floor().clamp(-1000.0, 1000.0) as i32;
        Self { decibels, exponent: if dtype.is_float() { exponent } else { exponent.max(0) } }
    }

    /// The distance of two neighbouring values.
    pub fn step(&self) -> f64 {
        2f64.powi(self.exponent)
    }

    /// Rounds little-endian values, ties to even. Non-finite values stay, and so do integers whose multiple is beyond their type.
    pub fn round(&self, dtype: Dtype, values: &mut [u8], error: &mut RoundingError) {
        let found = match dtype {
            Dtype::Float32 => round_f32(values, self.step()),
            Dtype::Float64 => round_f64(values, self.step()),
            // Steps of 1 change nothing.
            _ if self.exponent < 1 => {
                RoundingError { n_samples: (values.len() / dtype.size()) as u64, ..Default::default() }
            }
            Dtype::Int8 => round_i8(values, self.exponent),
            Dtype::UInt8 => round_u8(values, self.exponent),
            Dtype::Int16 => round_i16(values, self.exponent),
            Dtype::UInt16 => round_u16(values, self.exponent),
            Dtype::Int32 => round_i32(values, self.exponent),
            Dtype::UInt32 => round_u32(values, self.exponent),
            Dtype::Int64 => round_i64(values, self.exponent),
            Dtype::UInt64 => round_u64(values, self.exponent),
        };
        error.merge(&found);
    }
}

/// What rounding did to samples. Does not depend on the order in which they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundingError {
    /// The largest difference, in steps.
    largest: f64,
    /// Squares of the differences, in parts of a step.
    squares: u64,
    /// Samples that are finite.
    n_samples: u64,
}

impl RoundingError {
    /// Both parts together.
    pub fn merge(&mut self, other: &Self) {
        self.largest = self.largest.max(other.largest);
        self.squares = self.squares.saturating_add(other.squares);
        self.n_samples = self.n_samples.saturating_add(other.n_samples);
    }

    /// `difference` in steps.
    #[inline]
    fn add(&mut self, difference: f64) {
        self.largest = self.largest.max(difference.abs());
        let parts = (difference * PARTS).round() as i64;
        self.squares += (parts * parts) as u64;
        self.n_samples += 1;
    }

    /// The largest difference.
    pub fn largest(&self, precision: Precision) -> f64 {
        self.largest * precision.step()
    }

    /// The RMS of the differences.
    pub fn rms(&self, precision: Precision) -> f64 {
        (self.squares as f64 / self.n_samples.max(1) as f64).sqrt() / PARTS * precision.step()
    }
}

/// A value in steps, rounded; `None` for one that has no finer bits than a step, or is not finite.
#[inline]
fn in_steps(value: f64, step: f64) -> Option<(f64, f64)> {
    const ALL_WHOLE: f64 = (1u64 << 52) as f64;
    let steps = value / step;
    (steps.abs() < ALL_WHOLE).then(|| (steps, steps.round_ties_even()))
}

macro_rules! float_roundings {
    ($($name:ident: $t:ty;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(values: &mut [u8], step: f64) -> RoundingError {
            let mut error = RoundingError::default();
            for bytes in values.as_chunks_mut().0 {
                let value = <$t>::from_le_bytes(*bytes);
                match in_steps(value.into(), step) {
                    Some((steps, rounded)) => {
                        error.add(steps - rounded);
                        // Adding 0 turns -0 into +0.
                        *bytes = ((rounded * step + 0.0) as $t).to_le_bytes();
                    }
                    None if value.is_finite() => error.add(0.0),
                    None => {}
                }
            }
            error
        }
    )*};
}

float_roundings! {
    round_f32: f32;
    round_f64: f64;
}

macro_rules! integer_roundings {
    ($($name:ident: $t:ty;)*) => {$(
        fn $name(values: &mut [u8], exponent: i32) -> RoundingError {
            let mut error = RoundingError::default();
            let step = 1i128 << exponent.min(100);
            for bytes in values.as_chunks_mut().0 {
                let value = i128::from(<$t>::from_le_bytes(*bytes));
                let (whole, rest) = (value.div_euclid(step), value.rem_euclid(step));
                let is_up = 2 * rest > step || 2 * rest == step && whole % 2 != 0;
                let rounded = <$t>::try_from((whole + i128::from(is_up)) * step);
                if let Ok(rounded) = rounded {
                    error.add((value - i128::from(rounded)) as f64 / step as f64);
                    *bytes = rounded.to_le_bytes();
                } else {
                    error.add(0.0);
                }
            }
            error
        }
    )*};
}

integer_roundings! {
    round_i8: i8;
    round_u8: u8;
    round_i16: i16;
    round_u16: u16;
    round_i32: i32;
    round_u32: u32;
    round_i64: i64;
    round_u64: u64;
}

/// The sum of the squares of the finite values among little-endian ones, and how many they are.
pub(crate) fn power(dtype: Dtype, values: &[u8]) -> (f64, u64) {
    macro_rules! sum {
        ($t:ty) => {
            values
                .as_chunks()
                .0
                .iter()
                .map(|bytes| <$t>::from_le_bytes(*bytes) as f64)
                .filter(|v| v.is_finite())
                .fold((0.0, 0), |(squares, n), value| (squares + value * value, n + 1))
        };
    }
    match dtype {
        Dtype::Int8 => sum!(i8),
        Dtype::UInt8 => sum!(u8),
        Dtype::Int16 => sum!(i16),
        Dtype::UInt16 => sum!(u16),
        Dtype::Int32 => sum!(i32),
        Dtype::UInt32 => sum!(u32),
        Dtype::Int64 => sum!(i64),
        Dtype::UInt64 => sum!(u64),
        Dtype::Float32 => sum!(f32),
        Dtype::Float64 => sum!(f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded<const N: usize>(dtype: Dtype, exponent: i32, values: &[[u8; N]]) -> (Vec<[u8; N]>, RoundingError) {
        let (mut bytes, mut error) = (values.as_flattened().to_vec(), RoundingError::default());
        Precision { decibels: 60, exponent }.round(dtype, &mut bytes, &mut error);
        (bytes.as_chunks().0.to_vec(), error)
    }

    proptest::proptest! {
        #[test]
        fn floats_become_the_nearest_multiple(bits: u32, exponent in -40i32..40) {
            let (value, step) = (f32::from_bits(bits), 2f64.powi(exponent));
            let (out, error) = rounded(Dtype::Float32, exponent, &[value.to_le_bytes()]);
            let out = f32::from_le_bytes(out[0]);
            if value.is_finite() {
                let difference = (f64::from(out) - f64::from(value)).abs();
                proptest::prop_assert!(difference <= step / 2.0 && f64::from(out) % step == 0.0, "{value} to {out}");
                let precision = Precision { decibels: 60, exponent };
                proptest::prop_assert_eq!(error.largest(precision), difference);
                proptest::prop_assert!((error.rms(precision) - difference).abs() <= step / 512.0);
            } else {
                proptest::prop_assert_eq!((out.to_bits(), error.n_samples), (bits, 0));
            }
            // Rounded again it stays.
            proptest::prop_assert_eq!(rounded(Dtype::Float32, exponent, &[out.to_le_bytes()]).0[0], out.to_le_bytes());
        }

        #[test]
        fn doubles_become_the_nearest_multiple(bits: u64, exponent in -40i32..40) {
            let (value, step) = (f64::from_bits(bits), 2f64.powi(exponent));
            let out = f64::from_le_bytes(rounded(Dtype::Float64, exponent, &[value.to_le_bytes()]).0[0]);
            let is_right = (out - value).abs() <= step / 2.0 && out % step == 0.0;
            proptest::prop_assert!(is_right || !value.is_finite() && out.to_bits() == bits, "{value} to {out}");
        }

        #[test]
        fn integers_become_the_nearest_multiple_of_their_type(value: i16, exponent in 0i32..20) {
            let out = i16::from_le_bytes(rounded(Dtype::Int16, exponent, &[value.to_le_bytes()]).0[0]);
            let step = 1i64 << exponent;
            let difference = (i64::from(value) - i64::from(out)).abs();
            proptest::prop_assert!(2 * difference <= step, "{value} to {out}");
            proptest::prop_assert!(i64::from(out) % step == 0 || out == value);
        }

        #[test]
        fn errors_are_the_same_in_any_order(values in proptest::collection::vec(-1e6f32..1e6, 1..200), cut in 0usize..200) {
            let bytes: Vec<[u8; 4]> = values.iter().map(|v| v.to_le_bytes()).collect();
            let (front, back) = bytes.split_at(cut.min(bytes.len()));
            let whole = rounded(Dtype::Float32, -3, &bytes).1;
            let mut parts = rounded(Dtype::Float32, -3, back).1;
            parts.merge(&rounded(Dtype::Float32, -3, front).1);
            proptest::prop_assert_eq!(parts, whole);
        }
    }

    #[test]
    fn the_step_is_the_largest_that_stays_below_the_level() {
        for (decibels, rms) in [(20, 1.0), (60, 1.0), (60, 12_345.0), (100, 1e-9)] {
            let precision = Precision::new(decibels, rms, Dtype::Float32);
            let level = |exponent: i32| 20.0 * (2f64.powi(exponent) / 12f64.sqrt() / rms).log10();
            assert!(level(precision.exponent) <= -f64::from(decibels));
            assert!(level(precision.exponent + 1) > -f64::from(decibels));
        }
        assert_eq!(Precision::new(60, 10.0, Dtype::Int16).exponent, 0);
        // 128 is not an int8, and ties go to the even multiple.
        let values = [[127], [120], [119], [0x80], [8], [24]];
        assert_eq!(rounded(Dtype::Int8, 4, &values).0, [[127], [120], [112], [0x80], [0], [32]]);
    }
}

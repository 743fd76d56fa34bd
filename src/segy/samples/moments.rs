//! Count, sum and sum of squares of samples, the same in whatever order traces are added.
//!
//! The sums of a run of samples are doubles; those of the runs are added exactly.

use serde::{Deserialize, Serialize};

use crate::segy::Dtype;

/// Of the samples that are finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Samples that are not zero.
    pub count: u64,
    pub sum: ExactSum,
    pub squares: ExactSum,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// What a run of samples comes to.
struct OfRun {
    count: u64,
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Moments {
    /// Adds little-endian values of one type.
    pub fn add(&mut self, dtype: Dtype, values: &[u8]) {
        let found = match dtype {
            Dtype::Int8 => of_i8(values),
            Dtype::UInt8 => of_u8(values),
            Dtype::Int16 => of_i16(values),
            Dtype::UInt16 => of_u16(values),
            Dtype::Int32 => of_i32(values),
            Dtype::UInt32 => of_u32(values),
            Dtype::Int64 => of_i64(values),
            Dtype::UInt64 => of_u64(values),
            Dtype::Float32 => of_f32(values),
            Dtype::Float64 => of_f64(values),
        };
        self.count += found.count;
        self.sum.add(found.sum);
        self.squares.add(found.squares);
        if found.min <= found.max {
            self.widen(found.min, found.max);
        }
    }

    /// Adds little-endian values, all finite, given the smallest and the largest: the same as `add`, in less time.
    pub fn add_finite(&mut self, values: &[u8], [min, max]: [f32; 2]) {
        let (count, sum, squares) = of_finite(values);
        self.count += count;
        self.sum.add(sum);
        self.squares.add(squares);
        if min <= max {
            self.widen(min.into(), max.into());
        }
    }

    /// Whether adding those of other samples cannot overflow, where they may have been damaged.
    pub fn is_sane(&self) -> bool {
        [&self.sum, &self.squares].into_iter().all(|sum| {
            sum.digits.len() < MOST_DIGITS
                && sum.digits.iter().all(|digit| digit.unsigned_abs() < 1 << (2 * DIGIT_BITS - 2))
        })
    }

    /// Adds those of other samples.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        if let (Some(min), Some(max)) = (other.min, other.max) {
            self.widen(min, max);
        }
    }

    fn widen(&mut self, min: f64, max: f64) {
        // A zero without a sign.
        self.min = Some(self.min.map_or(min, |known| known.min(min)) + 0.0);
        self.max = Some(self.max.map_or(max, |known| known.max(max)) + 0.0);
    }
}

macro_rules! moments_of {
    ($($name:ident: $t:ty, $size:literal;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(values: &[u8]) -> OfRun {
            const LANES: usize = 16;
            let (mut count, mut sum, mut squares) = ([0_u64; LANES], [0.0; LANES], [0.0; LANES]);
            let (mut min, mut max) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
            let mut add = |lane: usize, bytes: [u8; $size]| {
                let value = <$t>::from_le_bytes(bytes) as f64;
                let is_finite = value.abs() < f64::INFINITY;
                let finite = if is_finite { value } else { 0.0 };
                count[lane] += u64::from(finite != 0.0);
                sum[lane] += finite;
                squares[lane] += finite * finite;
                min[lane] = if is_finite & (value < min[lane]) { value } else { min[lane] };
                max[lane] = if is_finite & (value > max[lane]) { value } else { max[lane] };
            };
            let (groups, rest) = values.as_chunks::<$size>().0.as_chunks::<LANES>();
            for group in groups {
                for lane in 0..LANES {
                    add(lane, group[lane]);
                }
            }
            rest.iter().for_each(|bytes| add(0, *bytes));
            OfRun {
                count: count.into_iter().sum(),
                sum: sum.into_iter().sum(),
                squares: squares.into_iter().sum(),
                min: min.into_iter().fold(f64::INFINITY, f64::min),
                max: max.into_iter().fold(f64::NEG_INFINITY, f64::max),
            }
        }
    )*};
}

/// Count, sum and sum of squares of finite float32, in the lanes of the sums above. The compiler makes vectors of the lanes only
/// if it does not know their number: that is twice as fast.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn of_finite(values: &[u8]) -> (u64, f64, f64) {
    const LANES: usize = 16;
    let lanes = std::hint::black_box(LANES);
    let (mut sum, mut squares, mut n_zero) = ([0.0; LANES], [0.0; LANES], [0_u32; LANES]);
    let values = values.as_chunks::<4>().0;
    let mut groups = values.chunks_exact(lanes);
    for group in &mut groups {
        let of_lanes = sum[..lanes].iter_mut().zip(&mut squares[..lanes]).zip(&mut n_zero[..lanes]);
        for (((sum, squares), n_zero), bytes) in of_lanes.zip(group) {
            let single = f32::from_le_bytes(*bytes);
            *n_zero += u32::from(single == 0.0);
            let value = f64::from(single);
            *sum += value;
            *squares += value * value;
        }
    }
    for bytes in groups.remainder() {
        let value = f64::from(f32::from_le_bytes(*bytes));
        n_zero[0] += u32::from(value == 0.0);
        sum[0] += value;
        squares[0] += value * value;
    }
    let n_zero: u64 = n_zero.into_iter().map(u64::from).sum();
    (values.len() as u64 - n_zero, sum.into_iter().sum(), squares.into_iter().sum())
}

/// Of short integers, in integers.
macro_rules! moments_of_short {
    ($($name:ident: $t:ty, $absolute:expr, $size:literal;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(values: &[u8]) -> OfRun {
            /// So few that their sum fits 32 bits.
            const BLOCK: usize = 4096;
            let (mut count, mut sum, mut squares, mut min, mut max) = (0, 0_i64, 0_u64, <$t>::MAX, <$t>::MIN);
            for values in values.as_chunks::<$size>().0.chunks(BLOCK) {
                let (mut n, mut of_block) = (0_u32, 0_i32);
                for bytes in values {
                    let value = <$t>::from_le_bytes(*bytes);
                    let absolute = u32::from($absolute(value));
                    n += u32::from(value != 0);
                    of_block += i32::from(value);
                    squares += u64::from(absolute * absolute);
                    (min, max) = (min.min(value), max.max(value));
                }
                (count, sum) = (count + u64::from(n), sum + i64::from(of_block));
            }
            OfRun { count, sum: sum as f64, squares: squares as f64, min: min.into(), max: max.into() }
        }
    )*};
}

moments_of_short! {
    of_i8: i8, i8::unsigned_abs, 1;
    of_u8: u8, std::convert::identity::<u8>, 1;
    of_i16: i16, i16::unsigned_abs, 2;
    of_u16: u16, std::convert::identity::<u16>, 2;
}

moments_of! {
    of_i32: i32, 4;
    of_u32: u32, 4;
    of_i64: i64, 8;
    of_u64: u64, 8;
    of_f32: f32, 4;
    of_f64: f64, 8;
}

/// Bits of a digit.
const DIGIT_BITS: usize = 32;
const DIGIT_MASK: i64 = (1 << DIGIT_BITS) - 1;
/// More digits than a sum ever has.
const MOST_DIGITS: usize = 80;
/// The exponent of the lowest bit of a double.
const LOWEST: i32 = -1074;
/// Numbers that may be added before digits have to be carried.
const MOST_BEFORE_CARRY: u32 = 1 << 30;

/// A sum of doubles without rounding: digits of 32 bits from 2^-1074 on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExactSum {
    digits: Vec<i64>,
    /// Numbers that were added since digits were carried.
    n_added: u32,
    /// Whether a number was infinite or none.
    is_lost: bool,
}

impl ExactSum {
    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.is_lost = true;
            return;
        }
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as usize, bits & ((1 << 52) - 1));
        let (mantissa, place) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let mut rest = u128::from(mantissa) << (place % DIGIT_BITS);
        let mut digit = place / DIGIT_BITS;
        while rest > 0 {
            let part = (rest & DIGIT_MASK as u128) as i64;
            self.add_digit(digit, if value < 0.0 { -part } else { part });
            (rest, digit) = (rest >> DIGIT_BITS, digit + 1);
        }
        self.n_added += 1;
        if self.n_added >= MOST_BEFORE_CARRY {
            self.carry();
        }
    }

    fn add_digit(&mut self, digit: usize, value: i64) {
        if self.digits.len() <= digit {
            self.digits.resize(digit + 1, 0);
        }
        self.digits[digit] += value;
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        other.digits.iter().enumerate().for_each(|(digit, &value)| self.add_digit(digit, value));
        self.is_lost |= other.is_lost;
        self.carry();
    }

    /// Brings all digits but the highest into 0 to 2^32 - 1.
    fn carry(&mut self) {
        let mut carried = 0;
        for digit in &mut self.digits {
            let all = *digit + carried;
            (*digit, carried) = (all & DIGIT_MASK, all >> DIGIT_BITS);
        }
        if carried != 0 {
            self.digits.push(carried);
        }
        self.n_added = 0;
    }

    /// The sum as a double, correct but for its last bits. No number where one of those added was none.
    pub fn value(&self) -> f64 {
        if self.is_lost {
            return f64::NAN;
        }
        let mut sum = self.clone();
        sum.carry();
        let is_negative = sum.digits.iter().rev().find(|digit| **digit != 0).is_some_and(|&highest| highest < 0);
        if is_negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.carry();
        }
        let of_digit = |(digit, &value): (usize, &i64)| {
            let exponent = (digit * DIGIT_BITS) as i32 + LOWEST;
            // In two steps, since the power alone may be too small for a double.
            value as f64 * 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2)
        };
        let size: f64 = sum.digits.iter().enumerate().rev().map(of_digit).sum();
        if is_negative { -size } else { size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments_of(values: &[f32]) -> Moments {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut moments = Moments::default();
        moments.add(Dtype::Float32, &bytes);
        moments
    }

    #[test]
    fn zeros_and_what_is_not_finite_do_not_count() {
        let moments = moments_of(&[0.0, 3.0, f32::NAN, -4.0, f32::INFINITY, -0.0]);
        assert_eq!((moments.count, moments.min, moments.max), (2, Some(-4.0), Some(3.0)));
        assert_eq!((moments.sum.value(), moments.squares.value()), (-1.0, 25.0));
        assert_eq!(moments_of(&[f32::NAN]).min, None);
    }

    #[test]
    fn a_sum_keeps_what_doubles_lose() {
        let mut sum = ExactSum::default();
        [1e300, 1.0, f64::MIN_POSITIVE, -1e300, 2.5].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.value(), 3.5);
        [-1.0, -2.5].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.value(), f64::MIN_POSITIVE);
        sum.add(f64::INFINITY);
        assert!(sum.value().is_nan());
    }

    proptest::proptest! {
        #[test]
        fn finite_samples_come_to_the_same_in_less_time(values in proptest::collection::vec(-1e30_f32..1e30, 0..1300), n_zeros in 0_usize..40) {
            let values: Vec<f32> = std::iter::repeat_n(0.0, n_zeros).chain(values).collect();
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let range = values.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[min, max], &v| [min.min(v), max.max(v)]);
            let mut finite = Moments::default();
            finite.add_finite(&bytes, range);
            proptest::prop_assert_eq!(finite, moments_of(&values));
        }

        #[test]
        fn short_integers_come_to_their_sums(
            values in proptest::collection::vec(proptest::num::i16::ANY, 0..300),
            n_times in proptest::sample::select(vec![1, 20]),
        ) {
            let values = values.repeat(n_times);
            let check = |dtype: Dtype, bytes: Vec<u8>, values: Vec<i128>| {
                let mut moments = Moments::default();
                moments.add(dtype, &bytes);
                let of = |f: fn(i128) -> i128| values.iter().map(|&value| f(value)).sum::<i128>() as f64;
                assert_eq!(moments.count, values.iter().filter(|value| **value != 0).count() as u64);
                assert_eq!((moments.sum.value(), moments.squares.value()), (of(|v| v), of(|v| v * v)));
                let (min, max) = (values.iter().min(), values.iter().max());
                assert_eq!((moments.min, moments.max), (min.map(|&v| v as f64), max.map(|&v| v as f64)));
            };
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            check(Dtype::Int16, bytes.clone(), values.iter().map(|&v| v.into()).collect());
            check(Dtype::UInt16, bytes.clone(), values.iter().map(|&v| (v as u16).into()).collect());
            check(Dtype::Int8, bytes.clone(), bytes.iter().map(|&v| (v as i8).into()).collect());
            check(Dtype::UInt8, bytes.clone(), bytes.iter().map(|&v| v.into()).collect());
        }

        #[test]
        fn the_order_does_not_matter(
            values in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 1..60),
            cut in 0_usize..60,
        ) {
            let values: Vec<f64> = values.iter().map(|value| value / 1e10).collect();
            let sum_of = |values: &mut dyn Iterator<Item = &f64>| {
                let mut sum = ExactSum::default();
                values.for_each(|value| sum.add(*value));
                sum
            };
            let forward = sum_of(&mut values.iter());
            let (front, back) = values.split_at(cut.min(values.len()));
            let mut in_parts = sum_of(&mut back.iter().rev());
            in_parts.merge(&sum_of(&mut front.iter()));
            proptest::prop_assert_eq!(forward.value().to_bits(), in_parts.value().to_bits());
        }

        #[test]
        fn a_sum_of_whole_numbers_is_exact(values in proptest::collection::vec(-1_i64 << 50..1 << 50, 0..40)) {
            let mut sum = ExactSum::default();
            values.iter().for_each(|&value| sum.add(value as f64));
            let expected: i128 = values.iter().map(|&value| i128::from(value)).sum();
            proptest::prop_assert!((sum.value() - expected as f64).abs() <= expected.abs() as f64 * 1e-15);
        }
    }
}

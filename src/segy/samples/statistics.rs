//! Statistics of the samples that do not depend on the order in which traces are added.

use serde::{Deserialize, Serialize};

use crate::segy::Dtype;

/// Extremes and counts over all samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleStatistics {
    /// Smallest finite sample.
    pub min: Option<f64>,
    /// Largest finite sample.
    pub max: Option<f64>,
    /// Samples that are infinite or not a number.
    pub n_nonfinite: u64,
}

impl SampleStatistics {
    /// The statistics of both parts together.
    pub fn merge(&mut self, other: &Self) {
        let pick = |a: Option<f64>, b: Option<f64>, f: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(f(a, b)),
            (a, b) => a.or(b),
        };
        self.min = pick(self.min, other.min, f64::min);
        self.max = pick(self.max, other.max, f64::max);
        self.n_nonfinite += other.n_nonfinite;
    }

    /// Adds little-endian values of one type: a trace or a part of one. Returns whether all of them are zero.
    pub fn add(&mut self, dtype: Dtype, values: &[u8]) -> bool {
        let found = match dtype {
            Dtype::Int8 => scan_i8(values),
            Dtype::UInt8 => scan_u8(values),
            Dtype::Int16 => scan_i16(values),
            Dtype::UInt16 => scan_u16(values),
            Dtype::Int32 => scan_i32(values),
            Dtype::UInt32 => scan_u32(values),
            Dtype::Int64 => scan_i64(values),
            Dtype::UInt64 => scan_u64(values),
            Dtype::Float32 => scan_f32(values),
            Dtype::Float64 => scan_f64(values),
        };
        self.merge(&found);
        found.is_zero()
    }

    /// Adds finite samples, given the smallest and the largest. Returns whether all of them are zero.
    pub fn add_finite(&mut self, [min, max]: [f32; 2]) -> bool {
        let found = extremes(f64::from(min), f64::from(max), 0);
        self.merge(&found);
        found.is_zero()
    }

    fn is_zero(&self) -> bool {
        self.n_nonfinite == 0 && self.min == Some(0.0) && self.max == Some(0.0)
    }
}

fn extremes(min: f64, max: f64, n_nonfinite: u64) -> SampleStatistics {
    let present = min <= max;
    // Adding 0 turns -0 into +0, so that the sign of a zero does not depend on which came first.
    SampleStatistics { min: present.then_some(min + 0.0), max: present.then_some(max + 0.0), n_nonfinite }
}

/// Defines a scan per type, compiled for the baseline, AVX2 and AVX-512. Several running extremes let it vectorise.
macro_rules! integer_scans {
    ($($name:ident: $t:ty;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(values: &[u8]) -> SampleStatistics {
            let (mut min, mut max) = (<$t>::MAX, <$t>::MIN);
            for bytes in values.as_chunks().0 {
                let value = <$t>::from_le_bytes(*bytes);
                min = min.min(value);
                max = max.max(value);
            }
            if values.is_empty() { return SampleStatistics::default() }
            extremes(min as f64, max as f64, 0)
        }
    )*};
}

macro_rules! float_scans {
    ($($name:ident: $t:ty, $bits:ty, $size:literal;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(values: &[u8]) -> SampleStatistics {
            const LANES: usize = 32;
            const INFINITY: $bits = <$t>::INFINITY.to_bits();
            let (mut min, mut max, mut others) = ([<$t>::INFINITY; LANES], [<$t>::NEG_INFINITY; LANES], [0 as $bits; LANES]);
            let mut add = |lane: usize, value: $t| {
                let is_finite = value.to_bits() & (<$bits>::MAX >> 1) < INFINITY;
                min[lane] = if is_finite & (value < min[lane]) { value } else { min[lane] };
                max[lane] = if is_finite & (value > max[lane]) { value } else { max[lane] };
                others[lane] += <$bits>::from(!is_finite);
            };
            let (groups, rest) = values.as_chunks::<$size>().0.as_chunks::<LANES>();
            for group in groups {
                for lane in 0..LANES {
                    add(lane, <$t>::from_le_bytes(group[lane]));
                }
            }
            rest.iter().for_each(|bytes| add(0, <$t>::from_le_bytes(*bytes)));
            let (min, max) = (min.into_iter().fold(<$t>::INFINITY, <$t>::min), max.into_iter().fold(<$t>::NEG_INFINITY, <$t>::max));
            extremes(f64::from(min), f64::from(max), others.into_iter().map(u64::from).sum())
        }
    )*};
}

integer_scans! {
    scan_i8: i8;
    scan_u8: u8;
    scan_i16: i16;
    scan_u16: u16;
    scan_i32: i32;
    scan_u32: u32;
    scan_i64: i64;
    scan_u64: u64;
}

float_scans! {
    scan_f32: f32, u32, 4;
    scan_f64: f64, u64, 8;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics_of(values: &[f32]) -> (SampleStatistics, bool) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut statistics = SampleStatistics::default();
        let zero = statistics.add(Dtype::Float32, &bytes);
        (statistics, zero)
    }

    #[test]
    fn extremes_leave_out_what_is_not_finite() {
        let (s, zero) = statistics_of(&[f32::NAN, 3.0, f32::INFINITY, -2.5, f32::NEG_INFINITY, 1.0]);
        assert_eq!((s.min, s.max, s.n_nonfinite, zero), (Some(-2.5), Some(3.0), 3, false));
    }

    #[test]
    fn a_trace_of_nothing_but_nan_has_no_extremes() {
        let (s, zero) = statistics_of(&[f32::NAN; 40]);
        assert_eq!((s.min, s.max, s.n_nonfinite, zero), (None, None, 40, false));
    }

    #[test]
    fn a_zero_trace_is_zero_whatever_the_sign() {
        assert!(statistics_of(&[0.0, -0.0, 0.0]).1);
        assert!(!statistics_of(&[0.0; 100].iter().chain(&[1e-40]).copied().collect::<Vec<_>>()).1);
    }

    proptest::proptest! {
        #[test]
        fn the_extremes_are_those_of_a_plain_loop(values in proptest::collection::vec(-1e30f32..1e30, 1..200)) {
            let (s, _) = statistics_of(&values);
            let min = values.iter().copied().fold(f32::INFINITY, f32::min);
            let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            proptest::prop_assert_eq!((s.min, s.max), (Some(f64::from(min)), Some(f64::from(max))));
        }
    }

    #[test]
    fn integers_keep_their_sign() {
        let mut s = SampleStatistics::default();
        s.add(Dtype::Int16, &[(-3i16).to_le_bytes(), 7i16.to_le_bytes()].concat());
        assert_eq!((s.min, s.max), (Some(-3.0), Some(7.0)));
    }
}

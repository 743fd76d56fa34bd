//! Random numbers and the two functions the model needs, from additions and multiplications only.
//!
//! `f64::sin` and `f64::exp` give different last bits on different platforms, and so would the files.

use std::f64::consts::TAU;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
///
/// Any 64-bit state is a good start, so a stream per trace costs nothing.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// Stream `stream` of the survey with this seed. Streams are independent for all purposes here.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self { state: scramble(scramble(seed) ^ stream) }
    }

    pub(super) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.state)
    }

    /// An integer from `0..n`.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        (((self.next_u64() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `[-1, 1)`.
    pub(super) fn signed(&mut self) -> f64 {
        2.0 * self.uniform() - 1.0
    }

    /// Nearly normal with mean 0 and deviation 1: the sum of four uniforms, within 3.5 deviations.
    pub(super) fn normal(&mut self) -> f64 {
        let bits = self.next_u64();
        let sum: u64 = (0..4).map(|k| (bits >> (16 * k)) & 0xFFFF).sum();
        (sum as f64 / 65536.0 - 2.0) * 3_f64.sqrt()
    }
}

/// Finaliser of SplitMix64: a bijection whose every output bit depends on every input bit.
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Sine of an angle in turns, to about 1e-9.
pub(super) fn sine(turns: f64) -> f64 {
    let wrapped = turns - (turns + 0.5).floor();
    let quarter = if wrapped.abs() > 0.25 { 0.5_f64.copysign(wrapped) - wrapped } else { wrapped };
    let x = TAU * quarter;
    let square = x * x;
    // Taylor series, innermost term first: x - x^3/3! + ... + x^13/13!.
    [156.0, 110.0, 72.0, 42.0, 20.0, 6.0].iter().fold(1.0, |tail, divisor| 1.0 - tail * square / divisor) * x
}

/// Close to `exp(-x)` for small non-negative `x`: `(1 + x/1024)^-1024`, a smooth decay to zero.
pub(super) fn decay(x: f64) -> f64 {
    let mut power = 1.0 + x / 1024.0;
    for _ in 0..10 {
        power *= power;
    }
    1.0 / power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_decay_follow_the_real_functions() {
        for step in -5000..5000 {
            let turns = f64::from(step) * 1.37e-3;
            assert!((sine(turns) - (TAU * turns).sin()).abs() < 1e-8, "{turns}");
        }
        for step in 0..1000 {
            let x = f64::from(step) * 0.01;
            assert!((decay(x) - (-x).exp()).abs() < 1e-3, "{x}");
        }
    }

    #[test]
    fn splitmix64_gives_its_published_sequence() {
        let mut random = Random { state: 1234567 };
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_have_the_stated_range_and_moments() {
        let mut random = Random::new(1, 2);
        let normals: Vec<f64> = (0..40_000).map(|_| random.normal()).collect();
        let mean = normals.iter().sum::<f64>() / 40_000.0;
        let variance = normals.iter().map(|x| x * x).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
        assert!((0..10_000).all(|_| random.below(7) < 7));
        assert!((0..10_000).all(|_| random.signed().abs() <= 1.0));
    }
}

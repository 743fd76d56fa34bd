//! Whether 4-byte floats are what the format code says: IBM and IEEE words mistaken for each other give plausible
//! numbers of the wrong size, and only their statistics show it.
//!
//! Both formats store sign, exponent and fraction in this order: IBM 1, 7 and 24 bits with base 16, IEEE 1, 8 and 23
//! bits with base 2. An IBM fraction is normalised: its first hexadecimal digit is not 0. In an IEEE word the same
//! four bits are the last bit of the exponent and the first three of the fraction, all zero for about one value in
//! twelve: those in the first eighth of every other octave. So values spread over several octaves tell the two apart.

use crate::base::error::Result;
use crate::segy::file::SegyFile;
use crate::segy::layout::Layout;
use crate::segy::lengths::ragged::TraceFinder;
use crate::segy::samples::format::ByteOrder;
use crate::segy::samples::ibm;

const IBM: u16 = 1;
const IEEE: u16 = 5;
/// Traces sampled, spread over the file, with consecutive samples from the middle of each.
const TRACES: u64 = 128;
const SAMPLES: u64 = 512;
/// Fewer different values than this decide nothing.
const FEWEST_VALUES: usize = 100;
/// Values needed in an octave for it to count as used.
const FEWEST_IN_OCTAVE: usize = 20;
/// Most octaves between the 1st and 99th percentile of the values: 19 decades. Noise has 254.
const MOST_OCTAVES: u32 = 64;
/// Advantage of one distribution over another (a natural logarithm) that counts as certain.
const CERTAIN: f64 = 10.0;
/// A power law raises the kurtosis; misreading IEEE words raises it by at least this factor.
const KURTOSIS_RATIO: f64 = 2.5;

/// A warning with the evidence, if the samples look like the other kind of float.
///
/// Looks at a limited number of samples, the same ones in every run.
pub(crate) fn warning(file: &SegyFile, layout: &Layout) -> Result<Option<String>> {
    if !matches!(layout.format_code, IBM | IEEE) {
        return Ok(None);
    }
    let words = Words::new(sampled(file, layout)?);
    let n = words.different.len();
    Ok(if layout.format_code == IBM && words.look_like_ieee() {
        Some(format!(
            "the samples are read as IBM float32 but look like IEEE float32: of {n} different values at hand {:.1} % have a \
             fraction that begins with a zero digit, as no normalised IBM float does and one IEEE float in twelve; \
             --format {IEEE} reads them so",
            words.zero_digit_share() * 100.0
        ))
    } else if layout.format_code == IEEE && words.look_like_ibm() {
        Some(format!(
            "the samples are read as IEEE float32 but look like IBM float32: of {n} different values at hand none lies in the \
             first eighth of every other octave, as one IEEE float in twelve does and no normalised IBM float; \
             --format {IBM} reads them so"
        ))
    } else {
        None
    })
}

/// Whether these words are IBM floats and not IEEE floats, if that can be told.
pub(crate) fn are_ibm(words: &[u32]) -> Option<bool> {
    let words = Words::new(words.iter().copied().filter(|w| w << 1 != 0).collect());
    match (words.look_like_ibm(), words.look_like_ieee()) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// The words of the samples looked at, without zeros.
fn sampled(file: &SegyFile, layout: &Layout) -> Result<Vec<u32>> {
    let n_traces = layout.n_traces.min(TRACES);
    let mut finder = TraceFinder::default();
    let mut words = Vec::new();
    let mut buffer = Vec::new();
    let trace = |i| (u128::from(layout.n_traces) * u128::from(i) / u128::from(n_traces)) as u64;
    for i in 0..n_traces {
        if layout.varying.is_none() {
            let (samples, n) = (u64::from(layout.n_samples), u64::from(layout.n_samples).min(SAMPLES));
            let skipped = layout.header_bytes() as u64 + (samples - n) / 2 * 4;
            file.will_read_each(i, n_traces, n as usize * 4, |i| layout.trace_offset(trace(i)) + skipped);
        }
        let trace = trace(i);
        let place = finder.find(file, layout, trace, 1)?;
        let n_samples = u64::from(place.n_samples);
        let n = n_samples.min(SAMPLES);
        let offset = place.offset + layout.header_bytes() as u64 + (n_samples - n) / 2 * 4;
        let bytes = file.bytes(offset, n as usize * 4, &mut buffer)?;
        words.extend(bytes.as_chunks().0.iter().map(|&b| match layout.sample_byte_order() {
            ByteOrder::Big => u32::from_be_bytes(b),
            ByteOrder::Little => u32::from_le_bytes(b),
        }));
        file.release_around(offset);
    }
    words.retain(|w| w << 1 != 0);
    Ok(words)
}

/// Nonzero sample words, and statistics over them.
struct Words {
    all: Vec<u32>,
    /// Distinct words without the sign bit, sorted.
    different: Vec<u32>,
}

impl Words {
    fn new(all: Vec<u32>) -> Self {
        let mut different: Vec<u32> = all.iter().map(|w| w & 0x7FFF_FFFF).collect();
        different.sort_unstable();
        different.dedup();
        Self { all, different }
    }

    /// The share of words that are not normalised IBM floats.
    fn zero_digit_share(&self) -> f64 {
        self.share(|digit| digit == 0)
    }

    /// The share of words whose first IBM fraction digit satisfies `is_like`.
    fn share(&self, is_like: impl Fn(u32) -> bool) -> f64 {
        let n = self.different.iter().filter(|&&w| is_like(w >> 20 & 0xF)).count();
        n as f64 / self.different.len().max(1) as f64
    }

    /// Whether the values, read as IEEE floats, span a plausible range.
    fn have_a_range(&self) -> bool {
        let n = self.different.len();
        let exponent = |index: usize| self.different[index] >> 23;
        n >= FEWEST_VALUES && exponent(n - 1 - n / 100) - exponent(n / 100) <= MOST_OCTAVES
    }

    /// Not normalised as IBM floats, but spread like IEEE floats.
    fn look_like_ieee(&self) -> bool {
        self.have_a_range()
            && (0.02..0.25).contains(&self.zero_digit_share())
            && (0.3..0.7).contains(&self.share(|digit| digit >= 8))
            && (self.advantage_of_benford() > CERTAIN
                || self.kurtosis(ibm::exact) > KURTOSIS_RATIO * self.kurtosis(|w| f64::from(f32::from_bits(w))))
    }

    /// Has no values that only IEEE floats can have, although IEEE floats would be expected to have some.
    fn look_like_ibm(&self) -> bool {
        // Only octaves with an even exponent can hold such values.
        let mut in_octave = [0; 256];
        self.different.iter().filter(|&&w| w >> 23 & 1 == 0).for_each(|w| in_octave[(w >> 23) as usize] += 1);
        let used = in_octave.iter().filter(|&&n| n >= FEWEST_IN_OCTAVE);
        self.have_a_range()
            && self.zero_digit_share() == 0.0
            && used.clone().count() >= 2
            && used.sum::<usize>() >= FEWEST_VALUES
            // The other octaves hold half of all IEEE floats but a quarter of all IBM floats.
            && self.share(|digit| digit >= 8) < 0.45
    }

    /// How much better the first four bits of the IEEE fractions follow Benford's law, as measured numbers do, than a
    /// uniform distribution: the log likelihood ratio.
    fn advantage_of_benford(&self) -> f64 {
        let bits = self.different.iter().map(|w| f64::from(16 + (w >> 19 & 0xF)));
        bits.map(|b| (16.0 * (1.0 + 1.0 / b).log2()).ln()).sum()
    }

    fn kurtosis(&self, value: impl Fn(u32) -> f64) -> f64 {
        let values: Vec<f64> = self.all.iter().map(|&w| value(w)).filter(|v| v.is_finite()).collect();
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let moment = |power| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
        let variance = moment(2);
        if variance > 0.0 { moment(4) / (variance * variance) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Normally distributed numbers, the same in every run.
    fn normal(n: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        (0..n).map(|_| ((-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()) as f32).collect()
    }

    fn ieee(values: &[f32]) -> Words {
        Words::new(values.iter().map(|v| v.to_bits()).filter(|w| w << 1 != 0).collect())
    }

    fn ibm(values: &[f32]) -> Words {
        Words::new(values.iter().map(|&v| ibm::from_f32(v)).filter(|w| w << 1 != 0).collect())
    }

    #[test]
    fn noise_of_any_size_is_told_apart_and_never_mistaken() {
        for n in [300, 3000, 60_000] {
            for scale in [1e-9, 1e-3, 0.7, 1.0, 37.0, 1e4, 1e12] {
                let values: Vec<f32> = normal(n).iter().map(|v| v * scale).collect();
                let (ieee, ibm) = (ieee(&values), ibm(&values));
                assert!(!ieee.look_like_ibm(), "IEEE, {n} × {scale}");
                assert!(!ibm.look_like_ieee(), "IBM, {n} × {scale}");
                // A few values may not be enough to decide.
                assert!(n == 300 || ieee.look_like_ieee(), "IEEE, {n} × {scale}");
                assert!(n == 300 || ibm.look_like_ibm(), "IBM, {n} × {scale}");
            }
        }
    }

    #[test]
    fn what_tells_nothing_is_left_alone() {
        let random: Vec<u32> = (1..60_000u32).map(|i| i.wrapping_mul(2_654_435_761) ^ i.rotate_left(13)).collect();
        let uniform_ibm: Vec<u32> =
            (0..300u32).map(|i| 0x3F00_0000 + i.wrapping_mul(2_654_435_761) % 0x4FF_FFFF).collect();
        let fixed_point: Vec<u32> = (1..5000u32).map(|i| 0x4600_0000 + i * 7).collect();
        let integers: Vec<f32> = (1..5000).map(|i| i as f32).collect();
        let velocities: Vec<f32> = (0..5000).map(|i| 1500.0 + 0.6 * i as f32).collect();
        let words = [Words::new(random), Words::new(uniform_ibm), Words::new(fixed_point)];
        let constant = [ieee(&[]), ieee(&[1500.0; 5000]), ibm(&[1500.0; 5000]), ibm(&integers), ibm(&velocities)];
        for (i, words) in words.iter().chain(&constant).enumerate() {
            assert!(!words.look_like_ieee(), "{i}");
        }
        for (i, words) in words.iter().chain(&constant[..3]).chain([&ieee(&integers), &ieee(&velocities)]).enumerate() {
            assert!(!words.look_like_ibm(), "{i}");
        }
    }
}

//! Tables that stand in for per-sample mathematics: wavelets at sub-sample shifts, and noise.

use crate::generate::maths::{Random, decay};

/// Sub-sample positions at which each wavelet is tabulated; events are placed to 1/32 sample.
const SHIFTS: usize = 32;

/// Amplitude of a Ricker wavelet of unit peak, `cycles` (time times peak frequency) off its centre.
fn ricker(cycles: f64) -> f64 {
    let phase = std::f64::consts::PI * cycles;
    let square = phase * phase;
    (1.0 - 2.0 * square) * decay(square)
}

/// One zero-phase Ricker wavelet, sampled at [`SHIFTS`] sub-sample shifts.
#[derive(Debug)]
pub(super) struct Wavelet {
    /// Samples before the centre.
    half: i64,
    /// Samples per shift.
    len: usize,
    /// `[shift][sample]`, contiguous.
    values: Vec<f32>,
}

impl Wavelet {
    /// `peak_frequency` in cycles per sample; `energy` is the sum of the squares of its samples.
    pub(super) fn new(peak_frequency: f64, energy: f64) -> Self {
        // One cycle either side holds all but a thousandth of the amplitude.
        let half = (1.0 / peak_frequency).ceil() as i64;
        let len = 2 * half as usize + 2;
        let sample = |shift: usize, k: usize| {
            let distance = k as f64 - half as f64 - shift as f64 / SHIFTS as f64;
            ricker(distance * peak_frequency)
        };
        let sum_of_squares: f64 = (0..len).map(|k| sample(0, k) * sample(0, k)).sum();
        let gain = (energy / sum_of_squares).sqrt();
        let values = (0..SHIFTS).flat_map(|shift| (0..len).map(move |k| (gain * sample(shift, k)) as f32)).collect();
        Self { half, len, values }
    }

    /// Adds the wavelet to `trace`, centred on `position` (samples from the first; may lie outside).
    pub(super) fn add(&self, trace: &mut [f32], position: f64, amplitude: f32) {
        let fine_position = (position * SHIFTS as f64) as i64;
        let shift = fine_position.rem_euclid(SHIFTS as i64) as usize;
        let start = fine_position.div_euclid(SHIFTS as i64) - self.half;
        let skipped = usize::try_from(-start).unwrap_or(0);
        let start = usize::try_from(start).unwrap_or(0);
        if skipped >= self.len || start >= trace.len() {
            return;
        }
        let values = &self.values[shift * self.len + skipped..(shift + 1) * self.len];
        for (sample, value) in trace[start..].iter_mut().zip(values) {
            *sample += amplitude * value;
        }
    }
}

/// Noise of unit deviation that repeats from its start.
#[derive(Debug)]
pub(super) struct Noise {
    values: Vec<f32>,
}

impl Noise {
    /// White noise of `len` samples.
    pub(super) fn white(random: &mut Random, len: u32) -> Self {
        Self { values: (0..len).map(|_| random.normal() as f32).collect() }
    }

    /// Noise of `len` samples with the spectrum of a Ricker wavelet, `peak_frequency` in cycles per
    /// sample.
    pub(super) fn band_limited(random: &mut Random, len: u32, peak_frequency: f64) -> Self {
        let white = Self::white(random, len).values;
        // Unit energy keeps the deviation of the white noise.
        let wavelet = Wavelet::new(peak_frequency, 1.0);
        let filter = &wavelet.values[..wavelet.len];
        let values = (0..white.len())
            .map(|start| {
                let samples = white[start..].iter().chain(white.iter().cycle());
                samples.zip(filter).map(|(sample, tap)| sample * tap).sum()
            })
            .collect();
        Self { values }
    }

    /// Adds the noise times `gain` to `trace`, from a random point of the stretch on.
    pub(super) fn add(&self, random: &mut Random, trace: &mut [f32], gain: f32) {
        let mut start = random.below(self.values.len() as u32) as usize;
        let mut rest = trace;
        while !rest.is_empty() {
            let run_len = rest.len().min(self.values.len() - start);
            let (run, after) = rest.split_at_mut(run_len);
            for (sample, noise) in run.iter_mut().zip(&self.values[start..]) {
                *sample += gain * noise;
            }
            (rest, start) = (after, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wavelet_peaks_where_it_is_put_and_is_clipped_at_the_ends() {
        let wavelet = Wavelet::new(0.1, 1.0);
        let mut trace = [0_f32; 60];
        wavelet.add(&mut trace, 30.0, 1.0);
        let peak = (0..60).max_by(|&a, &b| trace[a].total_cmp(&trace[b]));
        assert_eq!(peak, Some(30));
        let energy: f32 = trace.iter().map(|x| x * x).sum();
        assert!((energy - 1.0).abs() < 1e-5, "{energy}");

        for position in [-1e9, -11.5, -5.0, 55.0, 59.99, 69.0, 1e9] {
            let mut clipped = [0_f32; 60];
            wavelet.add(&mut clipped, position, 1.0);
            let is_near = (-10.0..70.0).contains(&position);
            assert_eq!(clipped.iter().any(|&x| x != 0.0), is_near, "{position}");
        }
    }

    #[test]
    fn noise_continues_over_its_end_with_unit_deviation() {
        let mut random = Random::new(3, 0);
        let noise = Noise::band_limited(&mut random, 5003, 0.1);
        let mut trace = vec![0_f32; 20_000];
        noise.add(&mut random, &mut trace, 1.0);
        let variance = trace.iter().map(|x| x * x).sum::<f32>() / 20_000.0;
        assert!((variance - 1.0).abs() < 0.1, "{variance}");
        assert_eq!(trace[..5003], trace[5003..10_006]);
        let largest_step = trace.windows(2).map(|w| (w[1] - w[0]).abs());
        assert!(largest_step.fold(0.0, f32::max) < 3.5);
    }
}

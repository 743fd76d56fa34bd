//! Amplitude spectra. The only code that knows the crate `rustfft`.

use std::sync::Arc;

use rustfft::algorithm::{BluesteinsAlgorithm, Radix4};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftDirection};
use serde::Serialize;

use crate::picture::section::is_dead;

/// The most frequencies in a spectrum.
const MOST_BINS: usize = 300;
/// Amplitudes this far below the largest are cut off.
const FLOOR_DB: f64 = -80.0;

/// Mean amplitude by frequency, in decibels below the largest mean, and the band that holds four traces in five.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Spectrum {
    /// Distance between frequencies, in cycles per unit of the given interval.
    pub step: f64,
    /// Mean over the traces; the first is that of frequency 0.
    pub mean_db: Vec<f32>,
    /// A tenth of the traces lies below.
    pub low_db: Vec<f32>,
    /// A tenth of the traces lies above.
    pub high_db: Vec<f32>,
    /// Traces averaged.
    pub n_traces: usize,
}

impl Spectrum {
    /// The spectrum of live traces, each in a Hann window. `interval` is the distance between samples.
    pub(crate) fn of<'a>(traces: impl IntoIterator<Item = &'a [f32]>, interval: f64) -> Option<Self> {
        let mut traces = traces.into_iter().filter(|t| t.len() > 3 && !is_dead(t)).peekable();
        let length = traces.peek()?.len();
        let per = (length / 2 + 1).div_ceil(MOST_BINS);
        let transform = transform(length);
        let alike = traces.filter(|t| t.len() == length);
        let of_traces: Vec<Vec<f32>> = alike.map(|t| amplitudes(&transform, t, per)).collect();
        let n_bins = of_traces[0].len();
        let bins = (0..n_bins).map(|i| summary(of_traces.iter().map(|a| a[i]).collect()));
        let bins: Vec<[f64; 3]> = bins.collect();
        let largest = bins.iter().map(|b| b[0]).fold(0.0, f64::max);
        let decibels = |which: usize| {
            let db = |b: &[f64; 3]| (20.0 * (b[which] / largest).log10()).max(FLOOR_DB);
            bins.iter().map(|b| ((db(b) * 100.0).round() / 100.0) as f32).collect()
        };
        (largest > 0.0 && interval > 0.0).then(|| Self {
            step: per as f64 / (length as f64 * interval),
            mean_db: decibels(0),
            low_db: decibels(1),
            high_db: decibels(2),
            n_traces: of_traces.len(),
        })
    }

    /// The frequency with the largest mean amplitude.
    pub(crate) fn peak(&self) -> f64 {
        let largest = self.mean_db.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        largest.map_or(0.0, |(i, _)| i as f64 * self.step)
    }
}

/// The transform for traces of any length, composite or prime. The planner of the crate would choose among its algorithms,
/// all of which would have to be compiled.
fn transform(length: usize) -> BluesteinsAlgorithm<f32> {
    let power_of_two = Radix4::new((2 * length - 1).next_power_of_two(), FftDirection::Forward);
    BluesteinsAlgorithm::new(length, Arc::new(power_of_two))
}

/// The amplitudes of one trace, each the root mean square of `per` neighbouring frequencies.
fn amplitudes(transform: &dyn Fft<f32>, trace: &[f32], per: usize) -> Vec<f32> {
    let per_sample = std::f64::consts::TAU / (trace.len() - 1) as f64;
    let windowed = |(i, &value): (usize, &f32)| {
        let window = 0.5 - 0.5 * libm::cos(i as f64 * per_sample);
        Complex::from(if value.is_finite() { value * window as f32 } else { 0.0 })
    };
    let mut bins: Vec<Complex<f32>> = trace.iter().enumerate().map(windowed).collect();
    transform.process(&mut bins);
    let power = |bins: &[Complex<f32>]| {
        let sum: f64 = bins.iter().map(|c| f64::from(c.re).powi(2) + f64::from(c.im).powi(2)).sum();
        (sum / bins.len() as f64).sqrt() as f32
    };
    bins[..trace.len() / 2 + 1].chunks(per).map(power).collect()
}

/// The mean, and the values that a tenth lie below and above.
fn summary(mut of_traces: Vec<f32>) -> [f64; 3] {
    of_traces.sort_unstable_by(f32::total_cmp);
    let n = of_traces.len();
    let mean = of_traces.iter().map(|&a| f64::from(a)).sum::<f64>() / n as f64;
    let at = |share: usize| of_traces.get((n - 1) * share / 10).copied().map_or(0.0, f64::from);
    [mean, at(1), at(9)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_peaks_at_its_frequency() {
        let sine = |hertz: f64| -> Vec<f32> {
            (0..1000).map(|i| libm::sin(std::f64::consts::TAU * hertz * f64::from(i) * 0.004) as f32).collect()
        };
        for hertz in [10.0, 30.0, 90.0] {
            let trace = sine(hertz);
            let spectrum = Spectrum::of([trace.as_slice(), &[0.0; 1000]], 0.004).unwrap();
            assert!((spectrum.peak() - hertz).abs() <= spectrum.step, "{hertz} Hz: {}", spectrum.peak());
            assert_eq!(spectrum.n_traces, 1, "a dead trace has none");
            assert!(spectrum.step * spectrum.mean_db.len() as f64 >= 125.0, "up to Nyquist");
        }
    }

    #[test]
    fn a_ricker_wavelet_peaks_at_its_dominant_frequency() {
        let ricker = |t: f64| {
            let a = (std::f64::consts::PI * 25.0 * t).powi(2);
            ((1.0 - 2.0 * a) * libm::exp(-a)) as f32
        };
        let trace: Vec<f32> = (0..500).map(|i| ricker(f64::from(i - 250) * 0.002)).collect();
        let spectrum = Spectrum::of([trace.as_slice()], 0.002).unwrap();
        assert!((spectrum.peak() - 25.0).abs() < 2.0, "{}", spectrum.peak());
    }

    #[test]
    fn traces_of_any_length_are_transformed() {
        for length in [4, 5, 64, 97, 1000, 1501] {
            let trace: Vec<f32> = (0..length).map(|i| (i * i % 17) as f32 - 8.0).collect();
            let found = amplitudes(&transform(length), &trace, 1);
            assert_eq!(found.len(), length / 2 + 1);
            let angle = std::f64::consts::TAU / length as f64;
            for (k, &found) in found.iter().enumerate() {
                let terms = trace.iter().enumerate().map(|(i, &value)| {
                    let window = 0.5 - 0.5 * libm::cos(i as f64 * std::f64::consts::TAU / (length - 1) as f64);
                    let turn = (i * k % length) as f64 * angle;
                    (f64::from(value) * window * libm::cos(turn), f64::from(value) * window * libm::sin(turn))
                });
                let (re, im) = terms.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1));
                let expected = libm::hypot(re, im);
                assert!((f64::from(found) - expected).abs() < 1e-2, "{k} of {length}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn nothing_has_no_spectrum() {
        assert_eq!(Spectrum::of([[0.0; 100].as_slice(), &[1.0, 2.0]], 0.004), None);
    }
}

//! Amplitude spectra. The only code that knows the crate `realfft`.

use realfft::RealFftPlanner;
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
        let mut planner = RealFftPlanner::<f32>::new();
        let mut of_traces: Vec<Vec<f32>> = Vec::new();
        let (mut length, mut per) = (0, 1);
        for trace in traces.into_iter().filter(|t| t.len() > 3 && !is_dead(t)) {
            if of_traces.is_empty() {
                length = trace.len();
                per = (length / 2 + 1).div_ceil(MOST_BINS);
            }
            if trace.len() == length {
                of_traces.push(amplitudes(&mut planner, trace, per)?);
            }
        }
        let n_bins = of_traces.first()?.len();
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

/// The amplitudes of one trace, each the root mean square of `per` neighbouring frequencies.
fn amplitudes(planner: &mut RealFftPlanner<f32>, trace: &[f32], per: usize) -> Option<Vec<f32>> {
    let transform = planner.plan_fft_forward(trace.len());
    let (mut input, mut output) = (transform.make_input_vec(), transform.make_output_vec());
    let per_sample = std::f64::consts::TAU / (trace.len() - 1) as f64;
    for (i, (into, &value)) in input.iter_mut().zip(trace).enumerate() {
        let window = 0.5 - 0.5 * libm::cos(i as f64 * per_sample);
        *into = if value.is_finite() { value * window as f32 } else { 0.0 };
    }
    transform.process(&mut input, &mut output).ok()?;
    let power = |bins: &[realfft::num_complex::Complex<f32>]| {
        let sum: f64 = bins.iter().map(|c| f64::from(c.re).powi(2) + f64::from(c.im).powi(2)).sum();
        (sum / bins.len() as f64).sqrt() as f32
    };
    Some(output.chunks(per).map(power).collect())
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
    fn nothing_has_no_spectrum() {
        assert_eq!(Spectrum::of([[0.0; 100].as_slice(), &[1.0, 2.0]], 0.004), None);
    }
}

//! What the samples of the traces looked at are like.

use serde::Serialize;

use crate::picture::histogram::Distribution;
use crate::picture::section::is_dead;
use crate::picture::spectrum::Spectrum;
use crate::report::source::Run;

/// Amplitudes kept for percentiles.
const MOST_VALUES: u64 = 1 << 18;
/// Traces used for spectra, and their samples.
const SPECTRUM_TRACES: usize = 256;
const SPECTRUM_SAMPLES: usize = 8192;

/// One trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TraceStats {
    /// Its number, from 0.
    pub trace: u64,
    /// Root mean square of the finite samples.
    pub rms: f64,
    pub is_dead: bool,
    /// Whether its samples are those of the trace before.
    pub is_duplicate: bool,
}

/// The traces looked at, together.
#[derive(Clone, Debug, Default)]
pub(super) struct Amplitudes {
    pub traces: Vec<TraceStats>,
    pub n_samples: u64,
    pub n_nonfinite: u64,
    sum: f64,
    sum_of_squares: f64,
    /// Smallest and largest amplitude.
    ends: Option<[f32; 2]>,
    values: Vec<f32>,
    /// One sample in this many is kept.
    every: u64,
    for_spectrum: Vec<Vec<f32>>,
}

impl Amplitudes {
    /// For about this many samples.
    pub(super) fn of_about(n_samples: u64) -> Self {
        // Odd, so as not to keep the same few samples of each trace.
        let every = n_samples.div_ceil(MOST_VALUES).max(1) | 1;
        Self { every, ..Self::default() }
    }

    /// Adds consecutive traces. `for_spectrum` says how many of them, evenly spaced, count for the spectrum.
    pub(super) fn add(&mut self, run: &Run, for_spectrum: usize) {
        let n = run.samples.n_traces();
        let wanted = for_spectrum.min(SPECTRUM_TRACES.saturating_sub(self.for_spectrum.len()));
        let step = n.div_ceil(wanted.max(1)).max(1);
        let mut before: Option<&[f32]> = None;
        for (i, trace) in run.samples.traces().enumerate() {
            let is_dead = is_dead(trace);
            let is_duplicate = !is_dead && before.is_some_and(|b| same(b, trace));
            let rms = self.add_samples(trace, is_dead);
            self.traces.push(TraceStats { trace: run.headers.first_trace + i as u64, rms, is_dead, is_duplicate });
            if wanted > 0 && i % step == 0 && !is_dead {
                self.for_spectrum.push(trace[..trace.len().min(SPECTRUM_SAMPLES)].to_vec());
            }
            before = Some(trace);
        }
    }

    fn add_samples(&mut self, trace: &[f32], is_dead: bool) -> f64 {
        let (mut sum, mut squares, mut n) = (0.0, 0.0, 0u64);
        let mut ends = [f32::INFINITY, f32::NEG_INFINITY];
        for &value in trace.iter().filter(|v| !v.is_nan()) {
            sum += f64::from(value);
            squares += f64::from(value).powi(2);
            ends = [ends[0].min(value), ends[1].max(value)];
            n += 1;
        }
        self.n_nonfinite += trace.len() as u64 - n;
        if !is_dead {
            self.sum += sum;
            self.sum_of_squares += squares;
            let [low, high] = self.ends.unwrap_or(ends);
            self.ends = Some([low.min(ends[0]), high.max(ends[1])]);
            let first = (self.every - self.n_samples % self.every) % self.every;
            self.values.extend(trace.iter().skip(first as usize).step_by(self.every as usize).filter(|v| !v.is_nan()));
        }
        self.n_samples += trace.len() as u64;
        (squares / n.max(1) as f64).sqrt()
    }

    /// The distribution of the samples of live traces.
    pub(super) fn distribution(&self) -> Distribution {
        Distribution::new(self.values.iter().copied())
    }

    /// The samples of live traces that were kept.
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// The spectrum; `interval` is the distance between samples.
    pub(super) fn spectrum(&self, interval: f64) -> Option<Spectrum> {
        Spectrum::of(self.for_spectrum.iter().map(Vec::as_slice), interval)
    }

    /// In numbers; `all` is the distribution.
    pub(super) fn summary(&self, all: &Distribution) -> AmplitudeSummary {
        let n_live_samples = (self.n_samples - self.n_nonfinite).max(1) as f64;
        let count = |is: fn(&TraceStats) -> bool| self.traces.iter().filter(|t| is(t)).count() as u64;
        let mut rms: Vec<f64> = self.traces.iter().filter(|t| !t.is_dead).map(|t| t.rms).collect();
        rms.sort_unstable_by(f64::total_cmp);
        let median = rms.get(rms.len() / 2).copied().unwrap_or(0.0);
        let ends = self.ends.unwrap_or_default();
        let largest = ends[0].abs().max(ends[1].abs());
        let at_ends = if largest > 0.0 { all.count_of(largest) + all.count_of(-largest) } else { 0 };
        let percentile = |p: f64| match p {
            0.0 => self.ends.map(|ends| ends[0]),
            100.0 => self.ends.map(|ends| ends[1]),
            p => all.percentile(p),
        };
        let percentiles = PERCENTILES.iter().filter_map(|&p| Some((p, percentile(p)?)));
        AmplitudeSummary {
            n_traces: self.traces.len() as u64,
            n_samples: self.n_samples,
            n_dead: count(|t| t.is_dead),
            n_duplicate: count(|t| t.is_duplicate),
            n_nonfinite: self.n_nonfinite,
            mean: self.sum / n_live_samples,
            rms: (self.sum_of_squares / n_live_samples).sqrt(),
            median_trace_rms: median,
            n_loud: rms.iter().filter(|&&r| r > median * OUTLIER).count() as u64,
            n_quiet: rms.iter().filter(|&&r| r < median / OUTLIER / OUTLIER).count() as u64,
            share_at_largest: at_ends as f64 / all.n_values().max(1) as f64,
            largest,
            percentiles: percentiles.collect(),
        }
    }
}

/// A trace is loud if its root mean square is this many times that of the median trace.
pub(super) const OUTLIER: f64 = 20.0;
/// The percentiles reported.
const PERCENTILES: [f64; 9] = [0.0, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 100.0];

/// The amplitudes of the traces looked at, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct AmplitudeSummary {
    /// Traces looked at, and their samples.
    pub n_traces: u64,
    pub n_samples: u64,
    /// Traces of zeros or of nothing finite.
    pub n_dead: u64,
    /// Traces with the samples of the trace before.
    pub n_duplicate: u64,
    /// Samples that are infinite or not a number.
    pub n_nonfinite: u64,
    /// Mean and root mean square over live traces.
    pub mean: f64,
    pub rms: f64,
    /// Median of the traces' root mean squares.
    pub median_trace_rms: f64,
    /// Traces more than 20 times as loud, and less than a 400th as loud.
    pub n_loud: u64,
    pub n_quiet: u64,
    /// The share of samples with the largest amplitude.
    pub share_at_largest: f64,
    /// The largest amplitude.
    pub largest: f32,
    /// Shares in percent, and the amplitudes that they do not exceed.
    pub percentiles: Vec<(f64, f32)>,
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::header_runs::HeaderRun;
    use crate::picture::Section;

    fn run(traces: &[&[f32]]) -> Run {
        let headers = HeaderRun { first_trace: 7, bytes: Vec::new() };
        Run { headers, samples: Section { n_samples: traces[0].len(), values: traces.concat() } }
    }

    #[test]
    fn dead_doubled_and_loud_traces_are_counted() {
        let mut amplitudes = Amplitudes::of_about(100);
        let normal: [&[f32]; 4] = [&[1.0, -1.0, 1.0], &[-1.0, 1.0, 1.0], &[-1.0, 1.0, 1.0], &[0.0, 0.0, 0.0]];
        amplitudes.add(&run(&[&normal[..], &[&[50.0, f32::NAN, -50.0]]].concat()), 1);
        let s = amplitudes.summary(&amplitudes.distribution());
        assert_eq!((s.n_traces, s.n_dead, s.n_duplicate, s.n_nonfinite, s.n_loud), (5, 1, 1, 1, 1));
        assert_eq!((s.largest, s.median_trace_rms), (50.0, 1.0));
        assert_eq!(amplitudes.traces[2].trace, 9);
    }

    #[test]
    fn clipping_shows_as_many_samples_at_the_largest_amplitude() {
        let mut amplitudes = Amplitudes::of_about(1000);
        let sine: Vec<f32> = (0..1000).map(|i| (libm::sinf(i as f32 * 0.1) * 2.0).clamp(-1.0, 1.0)).collect();
        amplitudes.add(&run(&[&sine]), 1);
        assert!(amplitudes.summary(&amplitudes.distribution()).share_at_largest > 0.5);
    }
}

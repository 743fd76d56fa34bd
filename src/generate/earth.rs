//! Amplitudes: reflectors, first arrivals and noise under a survey.

use crate::generate::maths::{Random, sine};
use crate::generate::survey::{Point, Trace};
use crate::generate::wavelet::{Noise, Wavelet};
use crate::generate::{GenerateConfig, SurveyKind};

/// Random streams of the model and its tables; the noise of a trace uses its index, below 2^31.
const MODEL_STREAM: u64 = 1 << 42;
const NOISE_TABLE_STREAM: u64 = 1 << 43;

/// Lateral shapes that all reflectors share: wavelength in metres, azimuth as a fraction of a turn
/// and height as a fraction of the record. Long ones look like dip, short ones like folds.
const SHAPES: [(f64, f64, f64); 6] = [
    (12_000.0, 0.04, 0.050),
    (9_100.0, 0.27, 0.040),
    (4_700.0, 0.11, 0.020),
    (2_900.0, 0.33, 0.010),
    (1_700.0, 0.02, 0.004),
    (1_100.0, 0.21, 0.002),
];

/// Reflectors after which the table repeats, at other times: bounds the memory for long traces.
const MAX_REFLECTORS: usize = 4096;
/// Peak frequencies, from the shallowest reflectors to the deepest, Hz.
const PEAK_FREQUENCY_HZ: (f64, f64) = (34.0, 14.0);
const N_WAVELETS: usize = 8;

/// Lengths of the noise tables: coprime, so that their sum does not repeat within any trace.
const NOISE_LENS: [u32; 3] = [32_749, 24_571, 16_381];
/// Deviations of the two kinds of band-limited noise and of white noise; reflections have 1.
const NOISE_DEVIATIONS: [f64; 3] = [0.25, 0.20, 0.03];
const FIRST_ARRIVAL_AMPLITUDE: f32 = 2.0;
/// Samples over which the mute opens.
const MUTE_TAPER_SAMPLES: usize = 8;

/// One reflector; its time and amplitude vary smoothly over the survey.
#[derive(Debug)]
struct Reflector {
    /// Departure from regular spacing, as a fraction of it.
    jitter: f64,
    amplitude: f32,
    /// Weight of each shape in its relief, samples.
    relief: [f64; SHAPES.len()],
    /// Weight of each shape in its brightness.
    brightness: [f32; SHAPES.len()],
}

/// The model that all traces of a survey sample.
#[derive(Debug)]
pub(super) struct Earth {
    seed: u64,
    interval_s: f64,
    /// Mean distance between reflectors, samples.
    spacing: f64,
    n_reflectors: usize,
    reflectors: Vec<Reflector>,
    phases: [f64; SHAPES.len()],
    /// From shallow to deep.
    wavelets: Vec<Wavelet>,
    noises: [Noise; 3],
    /// Gain of each sample, including the scale of the sample format.
    gains: Vec<f32>,
}

impl Earth {
    /// `rms`: the approximate root mean square amplitude of the traces.
    pub(super) fn new(config: &GenerateConfig, rms: f32) -> Self {
        let interval_s = f64::from(config.interval_us) * 1e-6;
        let n_samples = f64::from(config.n_samples);
        // Cycles per sample, kept clear of aliasing, and of wavelets of thousands of samples if the interval is far
        // shorter than these frequencies need.
        let frequency = |hz: f64| (hz * interval_s).clamp(0.02, 0.2);
        let (shallow_hz, deep_hz) = PEAK_FREQUENCY_HZ;
        let spacing = 1.0 / frequency(0.5 * (shallow_hz + deep_hz));
        // Relief may lift reflectors from below the end of the record into it.
        let n_reflectors = (1.15 * n_samples / spacing).ceil() as usize + 1;

        let mut random = Random::new(config.seed, MODEL_STREAM);
        let phases = [(); SHAPES.len()].map(|()| random.uniform());
        let relief_scale = n_samples.min(4.0 / interval_s);
        let reflectors = (0..n_reflectors.min(MAX_REFLECTORS))
            .map(|n| {
                let depth = (n as f64 * spacing / relief_scale).min(1.0);
                Reflector::new(&mut random, depth, relief_scale)
            })
            .collect();
        let wavelets = (0..N_WAVELETS)
            .map(|n| {
                let depth = n as f64 / (N_WAVELETS - 1) as f64;
                let hz = shallow_hz + depth * (deep_hz - shallow_hz);
                Wavelet::new(frequency(hz), spacing)
            })
            .collect();

        let mut random = Random::new(config.seed, NOISE_TABLE_STREAM);
        let noises = [
            Noise::band_limited(&mut random, NOISE_LENS[0], frequency(28.0)),
            Noise::band_limited(&mut random, NOISE_LENS[1], frequency(12.0)),
            Noise::white(&mut random, NOISE_LENS[2]),
        ];
        // Stacks are balanced; unprocessed records lose amplitude with time.
        let (first_gain, last_gain) = match config.kind {
            SurveyKind::Poststack => (1.1, 0.9),
            SurveyKind::Prestack => (1.5, 0.5),
            SurveyKind::Shots => (2.0, 0.4),
        };
        let gains = (0..config.n_samples)
            .map(|n| {
                let depth = f64::from(n) / n_samples;
                let gain = first_gain / (1.0 + depth * (first_gain / last_gain - 1.0));
                gain as f32 * rms
            })
            .collect();
        Self { seed: config.seed, interval_s, spacing, n_reflectors, reflectors, phases, wavelets, noises, gains }
    }

    /// Overwrites `amplitudes` with those of trace `index`.
    pub(super) fn fill(&self, index: u64, trace: &Trace, amplitudes: &mut [f32]) {
        let mut random = Random::new(self.seed, index);
        amplitudes.fill(0.0);
        self.add_noise(&mut random, amplitudes);
        self.add_reflections(trace, amplitudes);
        if let Some(first_break_s) = trace.first_break_s {
            self.add_first_arrival(first_break_s / self.interval_s, amplitudes);
        }
        // Coupling differs from receiver to receiver.
        let coupling = (1.0 + 0.05 * random.signed()) as f32;
        for (amplitude, gain) in amplitudes.iter_mut().zip(&self.gains) {
            *amplitude *= coupling * gain;
        }
    }

    fn add_noise(&self, random: &mut Random, amplitudes: &mut [f32]) {
        for (noise, deviation) in self.noises.iter().zip(NOISE_DEVIATIONS) {
            let gain = deviation * (1.0 + 0.4 * random.signed());
            noise.add(random, amplitudes, gain as f32);
        }
    }

    fn add_reflections(&self, trace: &Trace, amplitudes: &mut [f32]) {
        let heights = self.heights(trace.midpoint);
        let heights_f32 = heights.map(|height| height as f32);
        let offset_m = trace.offset_m.abs();
        for (n, reflector) in (0..self.n_reflectors).zip(self.reflectors.iter().cycle()) {
            let flat = (n as f64 + reflector.jitter) * self.spacing;
            let mut position = flat + dot(&reflector.relief, &heights);
            let mut fading = 1.0;
            if offset_m > 0.0 {
                let flat_s = flat * self.interval_s;
                let velocity_m_s = (1600.0 + 700.0 * flat_s).min(5000.0);
                let delay = offset_m / (velocity_m_s * self.interval_s);
                position = (position * position + delay * delay).sqrt();
                // Reflections weaken towards grazing incidence.
                fading = (0.6 + 0.4 * flat / position.max(1.0)) as f32;
            }
            let brightness = 1.0 + dot(&reflector.brightness, &heights_f32);
            let wavelet = &self.wavelets[n * N_WAVELETS / self.n_reflectors];
            wavelet.add(amplitudes, position, reflector.amplitude * brightness * fading);
        }
    }

    fn add_first_arrival(&self, position: f64, amplitudes: &mut [f32]) {
        // The onset of the arrival, not its peak, is the first break.
        let wavelet = &self.wavelets[0];
        let peak = position + 0.5 * self.spacing;
        wavelet.add(amplitudes, peak, FIRST_ARRIVAL_AMPLITUDE);
        let end_mute = (position as usize).min(amplitudes.len());
        let (muted, open) = amplitudes.split_at_mut(end_mute);
        muted.fill(0.0);
        for (n, amplitude) in open.iter_mut().take(MUTE_TAPER_SAMPLES).enumerate() {
            *amplitude *= (n + 1) as f32 / (MUTE_TAPER_SAMPLES + 1) as f32;
        }
    }

    /// Height of each shape at a point, -1 to 1.
    fn heights(&self, point: Point) -> [f64; SHAPES.len()] {
        let mut heights = self.phases;
        for (height, (wavelength_m, azimuth, _)) in heights.iter_mut().zip(SHAPES) {
            let along = point.x * sine(azimuth + 0.25) + point.y * sine(azimuth);
            *height = sine(*height + along / wavelength_m);
        }
        heights
    }
}

impl Reflector {
    /// `depth` is a fraction of the record, whose length in samples is `relief_scale`.
    fn new(random: &mut Random, depth: f64, relief_scale: f64) -> Self {
        // Every eighth interface is a strong one.
        let strength = if random.below(8) == 0 { 1.8 } else { 0.75 };
        Self {
            jitter: random.uniform(),
            amplitude: (strength * random.normal()) as f32,
            // Relief grows with depth, and neighbours are nearly but not exactly parallel.
            relief: SHAPES
                .map(|(_, _, height)| height * relief_scale * (0.3 + 0.7 * depth) * (1.0 + 0.1 * random.signed())),
            brightness: SHAPES.map(|_| 0.2 * random.signed() as f32),
        }
    }
}

fn dot<T: Copy + std::ops::Mul<Output = T> + std::iter::Sum>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::survey::Survey;

    fn traces(kind: SurveyKind, n_traces: u64) -> (Vec<Trace>, Vec<Vec<f32>>) {
        let config = GenerateConfig { kind, n_traces, ..GenerateConfig::default() };
        let (survey, earth) = (Survey::new(&config), Earth::new(&config, 1.0));
        (0..n_traces)
            .map(|index| {
                let trace = survey.trace(index);
                let mut amplitudes = vec![f32::NAN; 500];
                earth.fill(index, &trace, &mut amplitudes);
                (trace, amplitudes)
            })
            .unzip()
    }

    fn correlation(a: &[f32], b: &[f32]) -> f32 {
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        product(a, b) / (product(a, a) * product(b, b)).sqrt()
    }

    #[test]
    fn amplitudes_are_finite_with_roughly_the_rms_asked_for() {
        for kind in [SurveyKind::Poststack, SurveyKind::Prestack, SurveyKind::Shots] {
            let (_, amplitudes) = traces(kind, 400);
            let all = amplitudes.concat();
            assert!(all.iter().all(|x| x.is_finite()));
            let rms = (all.iter().map(|x| x * x).sum::<f32>() / all.len() as f32).sqrt();
            assert!((0.6..1.6).contains(&rms), "{kind:?}: {rms}");
        }
    }

    #[test]
    fn reflectors_continue_from_trace_to_trace_but_noise_does_not() {
        let (_, amplitudes) = traces(SurveyKind::Poststack, 100);
        for pair in amplitudes.windows(2).take(9) {
            let likeness = correlation(&pair[0], &pair[1]);
            assert!((0.7..0.98).contains(&likeness), "{likeness}");
        }
    }

    #[test]
    fn shots_are_silent_above_the_first_break_and_loud_below() {
        let (traces, amplitudes) = traces(SurveyKind::Shots, 300);
        for (trace, amplitudes) in traces.iter().zip(&amplitudes) {
            let first_break = (trace.first_break_s.unwrap() / 0.004) as usize;
            assert!(amplitudes[..first_break].iter().all(|&x| x == 0.0));
            assert!(amplitudes[first_break..].iter().any(|&x| x != 0.0));
        }
    }

    #[test]
    fn reflections_arrive_later_at_larger_offsets() {
        let config = GenerateConfig::default();
        let mut earth = Earth::new(&config, 1.0);
        earth.n_reflectors = 21;
        earth.reflectors.truncate(21);
        for reflector in &mut earth.reflectors[..20] {
            reflector.amplitude = 0.0;
        }
        let peak = |offset_m: f64| {
            let mut amplitudes = vec![0_f32; 500];
            let trace = Trace { offset_m, ..Trace::default() };
            earth.add_reflections(&trace, &mut amplitudes);
            (0..500).max_by(|&a, &b| amplitudes[a].abs().total_cmp(&amplitudes[b].abs()))
        };
        let (near, far) = (peak(0.0).unwrap() as f64, peak(-1500.0).unwrap() as f64);
        let velocity = 1600.0 + 700.0 * (20.0 + earth.reflectors[20].jitter) * earth.spacing * 0.004;
        let expected = (near.powi(2) + (1500.0 / velocity / 0.004).powi(2)).sqrt();
        assert!((far - expected).abs() < 3.0, "{near} {far} {expected}");
    }
}

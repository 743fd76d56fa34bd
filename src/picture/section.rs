//! Traces side by side, as they are drawn.

use std::ops::Range;

/// Traces side by side: what becomes one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Section {
    /// Samples of each trace.
    pub n_samples: usize,
    /// Trace after trace. Infinite, invalid and missing samples are NaN.
    pub values: Vec<f32>,
}

impl Section {
    /// A section of no traces yet.
    pub(crate) fn new(n_samples: usize) -> Self {
        Self { n_samples, values: Vec::new() }
    }

    /// Traces in it.
    pub(crate) fn n_traces(&self) -> usize {
        self.values.len().checked_div(self.n_samples).unwrap_or(0)
    }

    /// The traces one by one.
    pub(crate) fn traces(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.n_samples.max(1))
    }

    /// One trace; empty if there is no such trace.
    pub(crate) fn trace(&self, index: usize) -> &[f32] {
        let start = index * self.n_samples;
        self.values.get(start..start + self.n_samples).unwrap_or_default()
    }

    /// Appends the traces of another section with as many samples.
    pub(crate) fn append(&mut self, other: &Self) {
        if self.n_samples == other.n_samples {
            self.values.extend_from_slice(&other.values);
        }
    }

    /// Some of its traces.
    pub(crate) fn part(&self, traces: Range<usize>) -> Self {
        let values = traces.flat_map(|i| self.trace(i)).copied().collect();
        Self { n_samples: self.n_samples, values }
    }

    /// Reduced to at most `most_traces` × `most_samples`: evenly spaced traces, in which neighbouring samples become their
    /// mean or, from four on, whose mean would be near zero, the one with the largest amplitude.
    pub(crate) fn reduced(&self, most_traces: usize, most_samples: usize) -> Self {
        let (every, per) = (step(self.n_traces(), most_traces), step(self.n_samples, most_samples));
        if (every, per) == (1, 1) {
            return self.clone();
        }
        let one = if per < 4 { mean } else { strongest };
        let values = self.traces().step_by(every).flat_map(|trace| trace.chunks(per).map(one)).collect();
        Self { n_samples: self.n_samples.div_ceil(per), values }
    }
}

fn step(n: usize, most: usize) -> usize {
    n.div_ceil(most.max(1)).max(1)
}

fn mean(values: &[f32]) -> f32 {
    let finite = values.iter().filter(|v| v.is_finite());
    let (sum, n) = finite.fold((0.0, 0u32), |(sum, n), &v| (sum + f64::from(v), n + 1));
    if n == 0 { f32::NAN } else { (sum / f64::from(n)) as f32 }
}

fn strongest(values: &[f32]) -> f32 {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    finite.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f32::NAN)
}

/// Whether a trace holds nothing: all its samples are zero or missing.
pub(crate) fn is_dead(trace: &[f32]) -> bool {
    trace.iter().all(|&v| v == 0.0 || v.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section { n_samples: 3, values: vec![1.0, 3.0, 5.0, f32::NAN, 7.0, f32::NAN, 0.0, 0.0, 0.0] }
    }

    #[test]
    fn what_is_reduced_keeps_the_means_of_what_is_there() {
        let small = section().reduced(2, 2);
        assert_eq!((small.n_traces(), small.n_samples), (2, 2));
        assert_eq!(small.values, [2.0, 5.0, 0.0, 0.0]);
        assert_eq!(section().reduced(3, 2).trace(1)[0], 7.0);
        assert!(section().reduced(3, 2).trace(1)[1].is_nan());
    }

    #[test]
    fn what_is_reduced_much_keeps_its_peaks_and_troughs() {
        let section = Section { n_samples: 8, values: vec![0.0, 1.0, -3.0, 2.0, 0.5, f32::NAN, 0.1, -0.2] };
        assert_eq!(section.reduced(1, 2).values, [-3.0, 0.5]);
    }

    #[test]
    fn a_trace_of_zeros_and_gaps_is_dead() {
        assert_eq!(section().traces().map(is_dead).collect::<Vec<_>>(), [false, false, true]);
        assert!(is_dead(&[f32::NAN, 0.0]));
    }
}

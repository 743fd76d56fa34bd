//! How amplitudes are distributed.

/// Sorted amplitudes, for percentiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution(Vec<f32>);

impl Distribution {
    /// Takes the finite values among these.
    pub(crate) fn new(values: impl IntoIterator<Item = f32>) -> Self {
        let mut values: Vec<f32> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_unstable_by(f32::total_cmp);
        Self(values)
    }

    /// How many there are.
    pub(crate) fn n_values(&self) -> usize {
        self.0.len()
    }

    /// The value that this share of them, in percent, does not exceed; `None` without values.
    pub(crate) fn percentile(&self, percent: f64) -> Option<f32> {
        let last = self.0.len().checked_sub(1)?;
        let index = (percent / 100.0 * last as f64).round().clamp(0.0, last as f64);
        self.0.get(index as usize).copied()
    }

    /// How many have exactly this value.
    pub(crate) fn count_of(&self, value: f32) -> usize {
        self.0.partition_point(|&v| v <= value) - self.0.partition_point(|&v| v < value)
    }

    /// Counts in `n` bins of equal width from `low` to `high`; values outside are left out.
    pub(crate) fn bins(&self, low: f32, high: f32, n: usize) -> Vec<u64> {
        let mut counts = vec![0; n];
        let per = n as f64 / (f64::from(high) - f64::from(low));
        for &v in &self.0 {
            let bin = (f64::from(v) - f64::from(low)) * per;
            // The last bin takes the upper end too.
            let bin = if v == high { n as f64 - 1.0 } else { bin };
            if bin >= 0.0
                && let Some(count) = counts.get_mut(bin as usize)
            {
                *count += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_are_there() {
        let d = Distribution::new((0..=100).map(|i| i as f32).chain([f32::NAN, f32::INFINITY]));
        assert_eq!([0.0, 1.0, 50.0, 99.0, 100.0].map(|p| d.percentile(p).unwrap()), [0.0, 1.0, 50.0, 99.0, 100.0]);
        assert_eq!(Distribution::default().percentile(50.0), None);
    }

    #[test]
    fn every_value_inside_is_in_one_bin() {
        let d = Distribution::new([-2.0, -1.0, -0.5, 0.0, 0.9, 1.0, 3.0]);
        assert_eq!(d.bins(-1.0, 1.0, 2), [2, 3]);
        assert_eq!((d.count_of(1.0), d.count_of(0.1)), (1, 0));
    }
}

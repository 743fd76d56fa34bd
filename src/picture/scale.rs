//! Which amplitudes get which end of the colours.

use crate::picture::Section;
use crate::picture::histogram::Distribution;
use crate::picture::section::is_dead;

/// Values used for a percentile; more would only cost time.
const MOST_VALUES: usize = 1 << 18;

/// The amplitudes at the two ends of the colours.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Scale {
    /// Where the colours begin.
    pub low: f32,
    /// Where they end.
    pub high: f32,
}

impl Scale {
    /// Symmetric about zero, so that `percent` of the amplitudes of live traces lie inside; for data of one sign, such as
    /// velocities, between the percentiles of both ends.
    pub(crate) fn of(section: &Section, percent: f64) -> Self {
        Self::of_values(&live_values(section), percent)
    }

    /// As [`Self::of`], of values alone.
    pub(crate) fn of_values(values: &[f32], percent: f64) -> Self {
        let all = Distribution::new(values.iter().copied());
        match (all.percentile(0.0), all.percentile(100.0)) {
            (Some(least), Some(most)) if is_one_signed(least, most) => {
                let ends = [100.0 - percent, percent].map(|p| all.percentile(p).unwrap_or(least));
                Self::between(if ends[0] < ends[1] { ends } else { [least, most] })
            }
            _ => Self::symmetric(values, percent),
        }
    }

    /// For a part of the section with this scale: symmetric if this one is.
    pub(crate) fn like(self, section: &Section, percent: f64) -> Self {
        if self.is_symmetric() { Self::symmetric(&live_values(section), percent) } else { Self::of(section, percent) }
    }

    /// Symmetric about zero, whatever the values are.
    fn symmetric(values: &[f32], percent: f64) -> Self {
        let sizes = Distribution::new(values.iter().map(|v| v.abs()));
        let of = |p| sizes.percentile(p).filter(|&v| v > 0.0);
        let high = of(percent).or(of(100.0)).unwrap_or(1.0);
        Self::between([-high, high])
    }

    fn between([low, high]: [f32; 2]) -> Self {
        if low < high { Self { low, high } } else { Self { low: low - 1.0, high: high + 1.0 } }
    }

    /// Whether zero is in the middle.
    pub(crate) fn is_symmetric(&self) -> bool {
        self.low == -self.high
    }

    /// With amplitudes raised by this many decibels: the ends move towards the middle.
    pub(crate) fn with_gain(self, decibels: f64) -> Self {
        let middle = f64::midpoint(f64::from(self.low), f64::from(self.high));
        let half = (f64::from(self.high) - middle) / 10f64.powf(decibels / 20.0);
        Self { low: (middle - half) as f32, high: (middle + half) as f32 }
    }

    /// With the colours the other way round.
    pub(crate) fn reversed(self) -> Self {
        Self { low: self.high, high: self.low }
    }

    /// Where an amplitude lies between the ends, 0 to 1; beyond them, at the nearer end. `None` for NaN.
    pub(crate) fn place(&self, value: f32) -> Option<f32> {
        let place = (f64::from(value) - f64::from(self.low)) / (f64::from(self.high) - f64::from(self.low));
        (!value.is_nan()).then(|| place.clamp(0.0, 1.0) as f32)
    }
}

/// Whether data with these extremes have one sign, and are not all zero.
fn is_one_signed(least: f32, most: f32) -> bool {
    (least >= 0.0 && most > 0.0) || (most <= 0.0 && least < 0.0)
}

/// Values of the traces that are not dead, evenly spaced if there are many.
pub(crate) fn live_values(section: &Section) -> Vec<f32> {
    let every = section.values.len().div_ceil(MOST_VALUES).max(1);
    // A step that shares a factor with the length of a trace would see the same few samples of each.
    let every = if every > 1 && section.n_samples.is_multiple_of(every) { every + 1 } else { every };
    let live: Vec<bool> = section.traces().map(|trace| !is_dead(trace)).collect();
    let values = section.values.iter().enumerate().step_by(every);
    let of_live = values.filter(|(i, v)| v.is_finite() && live.get(i / section.n_samples.max(1)) == Some(&true));
    of_live.map(|(_, &v)| v).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_of_live_traces_only() {
        let mut values: Vec<f32> = (-100..=100).map(|i| i as f32).collect();
        values.extend([0.0; 201 * 9]);
        let section = Section { n_samples: 201, values };
        let scale = Scale::of(&section, 99.0);
        assert_eq!((scale.low, scale.high), (-99.0, 99.0));
        assert_eq!([-1000.0, -99.0, 0.0, 99.0, 1000.0].map(|v| scale.place(v).unwrap()), [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!(scale.place(f32::NAN), None);
    }

    #[test]
    fn velocities_use_the_whole_range_of_colours() {
        let scale = Scale::of_values(&(1500..=2500).map(|i| i as f32).collect::<Vec<_>>(), 99.0);
        assert_eq!((scale.low, scale.high), (1510.0, 2490.0));
    }

    #[test]
    fn constant_and_empty_data_have_a_scale_too() {
        for values in [vec![], vec![0.0; 5], vec![3.0; 5], vec![f32::NAN]] {
            let scale = Scale::of_values(&values, 99.0);
            assert!(scale.low < scale.high, "{values:?}");
        }
    }

    #[test]
    fn six_decibels_double_the_amplitudes() {
        let scale = Scale { low: -2.0, high: 2.0 }.with_gain(20.0 * 2f64.log10());
        assert!((scale.high - 1.0).abs() < 1e-6 && scale.is_symmetric());
    }
}

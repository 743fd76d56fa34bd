//! Ticks and labels.

/// Round numbers from `low` to `high`, at most `most` or a few more, and the step between them.
pub(crate) fn ticks(low: f64, high: f64, most: usize) -> (Vec<f64>, f64) {
    let (low, high) = (low.min(high), low.max(high));
    let step = round_step((high - low) / most.max(1) as f64);
    if step <= 0.0 || !step.is_finite() {
        return (vec![low], 1.0);
    }
    let first = (low / step - 1e-9).ceil();
    let n = ((high / step + 1e-9).floor() - first + 1.0).max(0.0) as usize;
    ((0..n.min(1000)).map(|i| (first + i as f64) * step + 0.0).collect(), step)
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least `step`.
pub(crate) fn round_step(step: f64) -> f64 {
    if step <= 0.0 || !step.is_finite() {
        return 0.0;
    }
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= step * (1.0 - 1e-9)).unwrap_or(step)
}

/// A number on an axis with these steps, with no more decimals than they need.
pub(crate) fn label(value: f64, step: f64) -> String {
    let decimals = if step > 0.0 && step < 1.0 { (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize } else { 0 };
    if value.abs() >= 1e15 || (value != 0.0 && value.abs() < 1e-9) {
        return format!("{value:e}");
    }
    format!("{:.decimals$}", value + 0.0)
}

/// A number in about `digits` significant digits, without needless zeros: 0.00123, 4.2, 17300, 1.3e12.
pub(crate) fn short(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { "–".into() };
    }
    let power = value.abs().log10().floor();
    if !(-5.0..9.0).contains(&power) {
        let text = format!("{:.*e}", digits.saturating_sub(1), value);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trimmed(mantissa));
    }
    let decimals = (digits as f64 - 1.0 - power).max(0.0) as usize;
    trimmed(&format!("{value:.decimals$}")).to_owned()
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 5996.0, 8), (vec![0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0], 1000.0));
        assert_eq!(ticks(-0.3, 0.3, 3).0, [-0.2, 0.0, 0.2]);
        assert_eq!(ticks(7.0, 7.0, 5).0, [7.0]);
        let (marks, step) = ticks(0.0, 1.0, 4);
        assert_eq!(marks.iter().map(|&m| label(m, step)).collect::<Vec<_>>(), ["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.00123, 4.2, 17_300.0, 1.3e12, -1e-9, 99.96, f64::NAN].map(|v| short(v, 3));
        assert_eq!(texts, ["0", "0.00123", "4.2", "17300", "1.3e12", "-1e-9", "100", "–"]);
    }

    proptest::proptest! {
        #[test]
        fn there_are_never_too_many_ticks(low in -1e12f64..1e12, width in 1e-3f64..1e12, most in 1usize..20) {
            let (marks, step) = ticks(low, low + width, most);
            proptest::prop_assert!(marks.len() <= most + 1);
            proptest::prop_assert!(marks.iter().all(|&m| m >= low - step * 1e-3 && m <= low + width + step * 1e-3));
        }
    }
}

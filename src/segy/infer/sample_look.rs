//! Whether the samples look like what they are read as, in byte order and format, judged by the values of a few traces.
//!
//! Numbers read in the wrong byte order spread over all possible magnitudes; integers read as IEEE floats are not numbers
//! or smaller than any amplitude; floats read as integers have no small values. [`super::float_kind`] tells IBM from IEEE.

use crate::base::error::Result;
use crate::segy::file::SegyFile;
use crate::segy::layout::Layout;
use crate::segy::lengths::ragged::TraceFinder;
use crate::segy::samples::format::{ByteOrder, sample_format};
use crate::segy::samples::ibm;

const IBM: u16 = 1;
const INT32: u16 = 2;
const INT16: u16 = 3;
const IEEE: u16 = 5;
/// Traces sampled, spread over the file, with consecutive samples from the middle of each.
const TRACES: u64 = 64;
const SAMPLES: u64 = 512;
/// Fewer different values than this decide nothing.
const FEWEST_VALUES: usize = 40;
/// Octaves between the 1st and 99th percentile of the values: more are noise, fewer are plausible.
const MOST_OCTAVES: f64 = 64.0;
const PLAUSIBLE_OCTAVES: f64 = 40.0;
/// Amplitudes outside this range are absurd.
const AMPLITUDES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;
/// Bits by which the numbers of one byte order are smaller than those of the other.
const SMALLER_BITS: f64 = 6.0;

/// What the samples of a file without a file header look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Ibm,
    Ieee,
    Integers,
    Unknown,
}

/// A warning with the evidence, if the samples look like another format or byte order, with the options that read them so.
pub(crate) fn warning(file: &SegyFile, layout: &Layout) -> Result<Option<String>> {
    let Some(format) = [IBM, INT32, INT16, IEEE].into_iter().find(|&f| f == layout.format_code) else {
        return Ok(None);
    };
    let bytes = sampled(file, layout)?;
    let order = layout.sample_byte_order();
    let read = View::of(&bytes, format, order);
    if read.n_different < FEWEST_VALUES || !read.is_absurd(&bytes) {
        return Ok(None);
    }
    let floats = match super::float_kind::are_ibm(&words(&bytes, order)) {
        Some(true) => [IBM, IEEE],
        _ => [IEEE, IBM],
    };
    let formats: &[u16] = if format == INT16 { &[INT16] } else { &[format, floats[0], floats[1], INT32] };
    let other = [other_order(order), order];
    let all = formats.iter().flat_map(|&f| other.map(|o| (f, o))).filter(|&(f, o)| (f, o) != (format, order));
    let better = all.map(|(f, o)| View::of(&bytes, f, o)).find(|view| view.is_plausible(&read));
    let Some(better) = better else { return Ok(None) };
    let mut options = Vec::new();
    if better.format != format {
        options.push(format!("--format {}", better.format));
    }
    if better.order != order {
        options.push(format!("--sample-endian {}", if better.order == ByteOrder::Big { "big" } else { "little" }));
    }
    Ok(Some(format!(
        "the samples are read as {} and look like something else: {}; as {} {}; {} reads them so",
        read.name(),
        read.evidence(),
        better.name(),
        better.evidence(),
        options.join(" ")
    )))
}

/// What the samples of traces of 4-byte numbers look like, the first of which begins at `first`.
pub(crate) fn look_of(file: &SegyFile, first: u64, order: ByteOrder, n_samples: u32) -> Look {
    let stride = 240 + u64::from(n_samples) * 4;
    let n = (file.len() - first) / stride;
    let n_bytes = (u64::from(n_samples).min(SAMPLES) * 4) as usize;
    let mut bytes = Vec::new();
    for i in 0..n.min(TRACES) {
        let trace = (u128::from(n) * u128::from(i) / u128::from(n.min(TRACES))) as u64;
        bytes.extend(file.copy(first + trace * stride + 240, n_bytes).unwrap_or_default());
    }
    let ieee = View::of(&bytes, IEEE, order);
    if ieee.n_different < FEWEST_VALUES {
        return Look::Unknown;
    }
    if ieee.is_absurd(&bytes) && View::of(&bytes, INT32, order).is_plausible(&ieee) {
        return Look::Integers;
    }
    match super::float_kind::are_ibm(&words(&bytes, order)) {
        Some(true) => Look::Ibm,
        Some(false) => Look::Ieee,
        None => Look::Unknown,
    }
}

fn other_order(order: ByteOrder) -> ByteOrder {
    match order {
        ByteOrder::Big => ByteOrder::Little,
        ByteOrder::Little => ByteOrder::Big,
    }
}

/// The bytes of some samples, as in the file.
fn sampled(file: &SegyFile, layout: &Layout) -> Result<Vec<u8>> {
    let (n_traces, size) = (layout.n_traces.min(TRACES), layout.format().bytes as u64);
    let (mut finder, mut bytes, mut buffer) = (TraceFinder::default(), Vec::new(), Vec::new());
    for i in 0..n_traces {
        let trace = (u128::from(layout.n_traces) * u128::from(i) / u128::from(n_traces)) as u64;
        let place = finder.find(file, layout, trace, 1)?;
        let n_samples = u64::from(place.n_samples);
        let n = n_samples.min(SAMPLES);
        let offset = place.offset + layout.header_bytes() as u64 + (n_samples - n) / 2 * size;
        bytes.extend_from_slice(file.bytes(offset, (n * size) as usize, &mut buffer)?);
        file.release_around(offset);
    }
    Ok(bytes)
}

fn words(bytes: &[u8], order: ByteOrder) -> Vec<u32> {
    let word = |b: &[u8; 4]| if order == ByteOrder::Big { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) };
    bytes.as_chunks().0.iter().map(word).collect()
}

fn halves(bytes: &[u8], order: ByteOrder) -> Vec<i16> {
    let half = |b: &[u8; 2]| if order == ByteOrder::Big { i16::from_be_bytes(*b) } else { i16::from_le_bytes(*b) };
    bytes.as_chunks().0.iter().map(half).collect()
}

/// The samples read in one way.
struct View {
    format: u16,
    order: ByteOrder,
    /// Different magnitudes, without 0 and what is not a number.
    n_different: usize,
    /// Share of the nonzero samples that are not numbers or too small for an amplitude.
    bad: f64,
    /// 1st, 50th and 99th percentile of the magnitudes, and the largest.
    low: f64,
    middle: f64,
    high: f64,
    largest: f64,
    /// Mean difference between neighbours, over the mean magnitude.
    roughness: f64,
}

impl View {
    fn of(bytes: &[u8], format: u16, order: ByteOrder) -> Self {
        let values: Vec<f64> = match format {
            INT16 => halves(bytes, order).into_iter().map(f64::from).collect(),
            INT32 => words(bytes, order).into_iter().map(|w| f64::from(w as i32)).collect(),
            IBM => words(bytes, order).into_iter().map(ibm::exact).collect(),
            _ => words(bytes, order).into_iter().map(|w| f64::from(f32::from_bits(w))).collect(),
        };
        let used = values.iter().filter(|v| **v != 0.0).count().max(1);
        let is_bad = |v: &f64| !v.is_finite() || (*v != 0.0 && v.abs() < f64::from(f32::MIN_POSITIVE));
        let n_bad = values.iter().filter(|v| is_bad(v)).count();
        let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).filter(|v| v.is_finite() && *v > 0.0).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| {
            sizes.get((sizes.len() * percent / 100).min(sizes.len().saturating_sub(1))).copied().unwrap_or(0.0)
        };
        let (low, middle, high, largest) = (at(1), at(50), at(99), sizes.last().copied().unwrap_or(0.0));
        let steps: f64 = values.windows(2).map(|w| (w[1] - w[0]).abs()).sum();
        let magnitude: f64 = values.iter().map(|v| v.abs()).sum();
        sizes.dedup();
        Self {
            format,
            order,
            n_different: sizes.len(),
            bad: n_bad as f64 / used as f64,
            low,
            middle,
            high,
            largest,
            roughness: if magnitude > 0.0 { steps / magnitude } else { 0.0 },
        }
    }

    fn is_integer(&self) -> bool {
        matches!(self.format, INT32 | INT16)
    }

    fn octaves(&self) -> f64 {
        if self.low > 0.0 { (self.high / self.low).log2() } else { 0.0 }
    }

    /// Whether no survey has such values.
    fn is_absurd(&self, bytes: &[u8]) -> bool {
        if !self.is_integer() {
            return self.bad > 0.01 || self.octaves() > MOST_OCTAVES || !AMPLITUDES.contains(&self.middle);
        }
        let swapped = Self::of(bytes, self.format, other_order(self.order));
        let is_larger = (self.middle / swapped.middle.max(1.0)).log2() > SMALLER_BITS;
        // Floats as integers: all of them large.
        let all_large = self.format == INT32 && self.low > f64::from(1 << 27);
        let is_rougher = self.roughness > 1.2 && swapped.roughness < 0.6;
        is_larger || all_large || is_rougher
    }

    /// Whether a survey may have such values, given that those of `read` are absurd.
    fn is_plausible(&self, read: &Self) -> bool {
        if self.is_integer() {
            let is_smaller = (read.middle / self.middle.max(1.0)).log2() > SMALLER_BITS;
            let is_smoother = self.roughness < 0.6 && read.roughness > 1.2;
            return self.high < f64::from(1 << 30) && (!read.is_integer() || is_smaller || is_smoother);
        }
        self.bad < 0.001
            && self.octaves() <= PLAUSIBLE_OCTAVES
            && (1e-20..=1e20).contains(&self.middle)
            && self.largest < 1e30
    }

    fn name(&self) -> String {
        format!("{} ({})", sample_format(self.format).map_or("", |f| f.name), self.order)
    }

    /// What the values are like.
    fn evidence(&self) -> String {
        let bad = if self.bad > 0.0 {
            format!(", {:.0} % of them not numbers or below 1.2e-38", self.bad * 100.0)
        } else {
            String::new()
        };
        if self.bad > 0.999 || self.middle == 0.0 {
            return format!("they are not numbers or below {:.1e}", self.largest.max(f64::MIN_POSITIVE));
        }
        format!("they go up to ±{}, half of them above {}{bad}", short(self.largest), short(self.middle))
    }
}

/// A number in few digits.
fn short(value: f64) -> String {
    if (0.01..1e6).contains(&value) { format!("{}", (value * 1000.0).round() / 1000.0) } else { format!("{value:.1e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decaying wavelet with some noise, the same in every run.
    fn wave(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| {
                let t = (i % 300) as f32;
                1000.0 * (t * 0.21).sin() * (-t / 90.0).exp() + ((i * 7919) % 101) as f32 * 0.3 - 15.0
            })
            .collect()
    }

    fn absurd(bytes: &[u8], format: u16, order: ByteOrder) -> bool {
        View::of(bytes, format, order).is_absurd(bytes)
    }

    #[test]
    fn each_format_is_plausible_as_itself_and_absurd_in_the_other_byte_order() {
        let ieee: Vec<u8> = wave(4000).iter().flat_map(|v| v.to_be_bytes()).collect();
        let ibm: Vec<u8> = wave(4000).iter().flat_map(|&v| ibm::from_f32(v).to_be_bytes()).collect();
        let long: Vec<u8> = wave(4000).iter().flat_map(|v| (*v as i32).to_be_bytes()).collect();
        let short: Vec<u8> = wave(4000).iter().flat_map(|v| (*v as i16).to_be_bytes()).collect();
        for (bytes, format) in [(&ieee, IEEE), (&ibm, IBM), (&long, INT32), (&short, INT16)] {
            assert!(!absurd(bytes, format, ByteOrder::Big), "{format}");
            assert!(absurd(bytes, format, ByteOrder::Little), "{format}");
            let read = View::of(bytes, format, ByteOrder::Little);
            assert!(View::of(bytes, format, ByteOrder::Big).is_plausible(&read), "{format}");
        }
        assert!(absurd(&long, IEEE, ByteOrder::Big) && absurd(&ieee, INT32, ByteOrder::Big));
    }

    #[test]
    fn small_large_and_constant_values_are_not_doubted() {
        for scale in [1e-12, 1.0, 1e12] {
            let bytes: Vec<u8> = wave(4000).iter().flat_map(|v| (v * scale).to_be_bytes()).collect();
            assert!(!absurd(&bytes, IEEE, ByteOrder::Big), "{scale}");
        }
        let noise: Vec<u8> =
            (0..9000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) as i32 >> 8).to_be_bytes()).collect();
        assert!(!absurd(&noise, INT32, ByteOrder::Big));
    }
}

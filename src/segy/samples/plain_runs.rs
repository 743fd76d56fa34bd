//! Conversion of plain runs of samples, as nearly all are: one pass instead of three converts them, looks for words that
//! do not come back, and finds the extremes.
//!
//! A run is plain if all its values are finite and all its words come back from their values. Other runs are left to the
//! passes that handle everything: [`Converter`](crate::segy::samples::format::Converter),
//! [`RoundTrip`](crate::segy::samples::restore::RoundTrip) and
//! [`SampleStatistics`](crate::segy::samples::statistics::SampleStatistics).

use crate::segy::samples::ibm;

/// Converts a run to little-endian values. Returns the smallest and the largest (infinity and -infinity for an empty run),
/// or `None` if the run is not plain; the output is then arbitrary. Both slices hold the same number of samples.
pub(crate) type PlainKernel = fn(&[u8], &mut [u8]) -> Option<[f32; 2]>;

/// Samples handled side by side, each lane with its own extremes, so that the compiler vectorises the loop.
const LANES: usize = 32;

/// What was found in each lane.
struct Lanes {
    min: [f32; LANES],
    max: [f32; LANES],
    /// 0 as long as all words are plain.
    others: [u32; LANES],
}

impl Lanes {
    const NONE: Self = Self { min: [f32::INFINITY; LANES], max: [f32::NEG_INFINITY; LANES], others: [0; LANES] };

    #[inline(always)]
    fn add(&mut self, lane: usize, value: f32, is_plain: bool) {
        let (min, max) = (&mut self.min[lane], &mut self.max[lane]);
        *min = if value < *min { value } else { *min };
        *max = if value > *max { value } else { *max };
        self.others[lane] |= u32::from(!is_plain);
    }
}

/// Converts with `convert`, which gives the value of a word's bytes and whether it is plain.
#[inline(always)]
fn each(src: &[u8], dst: &mut [u8], convert: impl Fn([u8; 4]) -> (f32, bool)) -> Option<[f32; 2]> {
    let (words, values) = (src.as_chunks::<4>().0, dst.as_chunks_mut::<4>().0);
    let ((groups, rest), (groups_out, rest_out)) = (words.as_chunks::<LANES>(), values.as_chunks_mut::<LANES>());
    let mut found = Lanes::NONE;
    for (words, values) in groups.iter().zip(groups_out) {
        for lane in 0..LANES {
            let (value, is_plain) = convert(words[lane]);
            values[lane] = value.to_le_bytes();
            found.add(lane, value, is_plain);
        }
    }
    // Halves the lanes again and again: one by one, they took longer than the samples.
    let mut n_lanes = LANES;
    while n_lanes > 1 {
        n_lanes /= 2;
        for lane in 0..n_lanes {
            let other = lane + n_lanes;
            let (min, max, others) = (found.min[other], found.max[other], found.others[other]);
            found.min[lane] = if min < found.min[lane] { min } else { found.min[lane] };
            found.max[lane] = if max > found.max[lane] { max } else { found.max[lane] };
            found.others[lane] |= others;
        }
    }
    for (word, out) in rest.iter().zip(rest_out) {
        let (value, is_plain) = convert(*word);
        *out = value.to_le_bytes();
        found.add(0, value, is_plain);
    }
    (found.others[0] == 0).then_some([found.min[0], found.max[0]])
}

/// An IEEE float32, and whether it is finite.
#[inline(always)]
fn ieee(bits: u32) -> (f32, bool) {
    (f32::from_bits(bits), bits & 0x7FFF_FFFF < f32::INFINITY.to_bits())
}

/// Defines kernels compiled for the machine's baseline, AVX2 and AVX-512, chosen at run time.
macro_rules! plain_kernels {
    ($($name:ident: $read:path, $convert:path;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        pub(crate) fn $name(src: &[u8], dst: &mut [u8]) -> Option<[f32; 2]> {
            each(src, dst, |bytes| $convert($read(bytes)))
        }
    )*};
}

plain_kernels! {
    ibm_big: u32::from_be_bytes, ibm::canonical_to_f32;
    ibm_little: u32::from_le_bytes, ibm::canonical_to_f32;
    ieee_big: u32::from_be_bytes, ieee;
    ieee_little: u32::from_le_bytes, ieee;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::dtype::{ByteOrder, Dtype};
    use crate::segy::samples::format::{Converter, FORMATS, SampleFormat, sample_format};
    use crate::segy::samples::restore::RoundTrip;
    use crate::segy::samples::statistics::SampleStatistics;

    /// Words of all kinds, more of the plain ones.
    fn words(code: u16) -> impl proptest::strategy::Strategy<Value = Vec<u32>> {
        use proptest::prelude::*;
        let plain =
            (any::<u32>(), if code == 1 { 0x22..0x60u32 } else { 0..0x7Fu32 }).prop_map(move |(word, exponent)| {
                word & 0x80FF_FFFF | exponent << 24 | if code == 1 { 0x0010_0000 } else { 0 }
            });
        let zero = proptest::sample::select(vec![0u32, 1 << 31]);
        let plain = prop_oneof![9 => plain, 1 => zero].boxed();
        let any_word = prop_oneof![200 => plain.clone(), 1 => any::<u32>()];
        let all_plain = proptest::collection::vec(plain, 0..150);
        prop_oneof![all_plain, proptest::collection::vec(any_word, 0..150)]
    }

    /// Compares one pass with the three that it replaces.
    fn compare(format: &SampleFormat, words: &[u32]) -> Result<bool, proptest::test_runner::TestCaseError> {
        let mut plain = Vec::new();
        for order in [ByteOrder::Big, ByteOrder::Little] {
            let bytes: Vec<u8> =
                words.iter().flat_map(|&w| crate::segy::samples::words::word_bytes(w, order)).collect();
            let (mut one, mut three) = (vec![0xAA; bytes.len()], vec![0xAA; bytes.len()]);
            let found = format.plain_kernel(order, Dtype::Float32).unwrap()(&bytes, &mut one);
            Converter::new(format, order, Dtype::Float32).unwrap().convert(&bytes, &mut three);
            let mut statistics = SampleStatistics::default();
            statistics.add(Dtype::Float32, &three);
            let mut n_others = 0;
            if let Some(round_trip) = RoundTrip::new(format, order, Dtype::Float32) {
                let count = |_, _| {
                    n_others += 1;
                    Ok::<_, ()>(())
                };
                round_trip.differences(&bytes, &three, count).unwrap();
            }
            if let Some(range) = found {
                proptest::prop_assert_eq!(n_others, 0);
                proptest::prop_assert_eq!(&one, &three);
                let mut same = SampleStatistics::default();
                same.add_finite(range);
                proptest::prop_assert_eq!(same, statistics);
            }
            plain.push(found.is_some());
        }
        proptest::prop_assert_eq!(plain[0], plain[1]);
        Ok(plain[0])
    }

    proptest::proptest! {
        #[test]
        fn one_pass_over_ibm_words_finds_what_three_find(words in words(1)) {
            let all_canonical = words.iter().all(|&w| ibm::is_canonical(w));
            proptest::prop_assert_eq!(compare(&FORMATS[0], &words)?, all_canonical);
        }

        #[test]
        fn one_pass_over_ieee_words_finds_what_three_find(words in words(5)) {
            let all_finite = words.iter().all(|&w| f32::from_bits(w).is_finite());
            proptest::prop_assert_eq!(compare(sample_format(5).unwrap(), &words)?, all_finite);
        }
    }
}

//! Samples of one format as samples of another, each with its exact value or the nearest one.

use crate::segy::samples::dtype::ByteOrder;
use crate::segy::samples::format::SampleFormat;

/// A sample that the other format cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Number of the sample among those given, from 0.
    pub index: usize,
    /// The value, and why the format cannot hold it.
    pub why: String,
}

/// Turns samples as they stand in a file into those of another format, byte order, or both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recoder {
    from: (&'static SampleFormat, ByteOrder),
    to: (&'static SampleFormat, ByteOrder),
    /// Take the nearest value, ties to even, where the format does not hold the value itself.
    round: bool,
}

impl Recoder {
    /// `None` if the format to write is fixed point with gain, in which a value has many words.
    pub(crate) fn new(
        from: (&'static SampleFormat, ByteOrder),
        to: (&'static SampleFormat, ByteOrder),
        round: bool,
    ) -> Option<Self> {
        (from.0.code == to.0.code || to.0.nearest.is_some()).then_some(Self { from, to, round })
    }

    /// Bytes of a sample before and after.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.from.0.bytes, self.to.0.bytes)
    }

    /// Appends the samples to `out`. Words of the same format stay as they are.
    ///
    /// # Errors
    /// The first sample whose value is beyond the format's range or, without rounding, not exact in it.
    pub(crate) fn recode(&self, samples: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
        let ((from, from_order), (to, to_order)) = (self.from, self.to);
        for (index, sample) in samples.chunks_exact(from.bytes).enumerate() {
            let word = sample_word(sample, from_order);
            let word = if from.code == to.code {
                word
            } else {
                let misfit = |why: String| Misfit { index, why };
                let value = (from.value)(word);
                let hint = match value.is_finite() {
                    true => "; choose a format that holds it, as 5 or 6 (IEEE floating point)",
                    false => "; --nan VALUE writes another value",
                };
                let beyond = || misfit(format!("{value} is beyond {}{hint}", to.name));
                let new = to.nearest.and_then(|nearest| nearest(value)).ok_or_else(beyond)?;
                if !self.round && (to.value)(new) != value {
                    return Err(misfit(format!(
                        "{value} is not exact as {}; --round takes the nearest value",
                        to.name
                    )));
                }
                new
            };
            match to_order {
                ByteOrder::Big => out.extend_from_slice(&word.to_be_bytes()[8 - to.bytes..]),
                ByteOrder::Little => out.extend_from_slice(&word.to_le_bytes()[..to.bytes]),
            }
        }
        Ok(())
    }
}

/// The bits of a sample in the low bytes.
fn sample_word(sample: &[u8], order: ByteOrder) -> u64 {
    let add = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
    match order {
        ByteOrder::Big => sample.iter().fold(0, add),
        ByteOrder::Little => sample.iter().rev().fold(0, add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::format::{FORMATS, sample_format};

    fn recode(from: u16, to: u16, round: bool, words: &[u64]) -> Result<Vec<u64>, Misfit> {
        let [from, to] = [from, to].map(|code| sample_format(code).unwrap());
        let recoder = Recoder::new((from, ByteOrder::Big), (to, ByteOrder::Little), round).unwrap();
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()[8 - from.bytes..].to_vec()).collect();
        let mut out = Vec::new();
        recoder.recode(&bytes, &mut out)?;
        Ok(out.chunks(to.bytes).map(|sample| sample_word(sample, ByteOrder::Little)).collect())
    }

    fn float(value: f32) -> u64 {
        value.to_bits().into()
    }

    proptest::proptest! {
        #[test]
        fn what_comes_through_unrounded_has_the_same_value_and_comes_back(
            from in 0..FORMATS.len(), to in 0..FORMATS.len(), word: u64,
        ) {
            let (from, to) = (&FORMATS[from], &FORMATS[to]);
            let word = word & u64::MAX >> (64 - 8 * from.bytes);
            if to.code != 4 && let Ok(there) = recode(from.code, to.code, false, &[word]) {
                proptest::prop_assert_eq!((to.value)(there[0]), (from.value)(word));
                if from.code != 4 {
                    let back = recode(to.code, from.code, false, &there).unwrap();
                    proptest::prop_assert_eq!((from.value)(back[0]), (from.value)(word));
                }
            }
        }
    }

    #[test]
    fn values_that_the_other_format_does_not_hold_are_told_or_rounded_to_even() {
        let misfit = recode(5, 3, false, &[float(7.0), float(1.5)]).unwrap_err();
        assert_eq!((misfit.index, misfit.why.contains("1.5 is not exact as int16")), (1, true), "{}", misfit.why);
        assert_eq!(recode(5, 3, true, &[float(1.5), float(2.5), float(-2.5)]), Ok(vec![2, 2, 0xFFFE]));
        for (from, word, to) in [
            (5, float(32768.0), 3),
            (5, float(-1.0), 16),
            (5, float(f32::NAN), 2),
            (5, float(f32::INFINITY), 1),
            (6, 1e39f64.to_bits(), 5),
            (6, 1e76f64.to_bits(), 1),
            (12, u64::MAX, 9),
        ] {
            assert!(recode(from, to, true, &[word]).unwrap_err().why.contains("is beyond"), "{from} {to}");
        }
        assert_eq!(recode(5, 6, false, &[float(f32::INFINITY)]), Ok(vec![f64::INFINITY.to_bits()]));
    }

    #[test]
    fn integers_of_64_bits_are_rounded_once() {
        // Rounded to a double first, this would be a tie and end at the even neighbour below.
        let value = (1u64 << 53) + (1 << 29) + 1;
        assert_eq!(recode(9, 5, true, &[value]), Ok(vec![float((1u64 << 53) as f32 + (1 << 30) as f32)]));
        let fraction = (1u64 << 60) + (1 << 39) + 1;
        assert_eq!(recode(9, 1, true, &[fraction]), Ok(vec![0x5010_0001]));
    }

    #[test]
    fn the_same_format_keeps_its_words() {
        assert_eq!(recode(1, 1, false, &[0x4200_0001, 0x7FFF_FFFF]), Ok(vec![0x4200_0001, 0x7FFF_FFFF]));
        assert_eq!(recode(4, 4, false, &[0x0103_7FFF]), Ok(vec![0x0103_7FFF]));
    }
}

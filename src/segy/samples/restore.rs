//! The way back: from stored values to the samples as they stood in the file.
//!
//! Integers and IEEE floats come back bit for bit. Of an IBM float and of a fixed-point number with gain several words
//! have the same value, and some values are rounded: these come back in a canonical form, and [`RoundTrip`] finds the
//! words that differ from it. A value that was changed since becomes the nearest sample of the format, and
//! [`Restorer::misfits`] finds those for which there is none.

use crate::segy::samples::format::{
    ByteOrder, Dtype, Kernel, SampleFormat, copy, fixed_gain, kernels, swap2, swap4, swap8,
};
use crate::segy::samples::ibm;

/// Converts stored little-endian values back to samples of a format.
#[derive(Clone)]
pub struct Restorer {
    /// First step from float32, where that is not the format's own type, to `native`.
    uncast: Option<Kernel>,
    encode: Kernel,
    native: Vec<u8>,
    bytes_in: usize,
    native_size: usize,
    bytes_out: usize,
    /// Where the stored type holds values that the format does not.
    range: Option<Range>,
    /// The exact value of a word, for formats that have several words for one value.
    word_value: Option<fn(u32) -> f32>,
}

impl Restorer {
    /// `None` where the stored type does not hold every value of the format.
    pub fn new(format: &SampleFormat, order: ByteOrder, stored: Dtype) -> Option<Self> {
        let uncast = if stored == format.native {
            None
        } else if stored == Dtype::Float32 {
            Some(uncast_from_float32(format)?)
        } else {
            return None;
        };
        Some(Self {
            uncast,
            encode: encoder(format, order),
            native: Vec::new(),
            bytes_in: stored.size(),
            native_size: format.native.size(),
            bytes_out: format.bytes,
            range: Range::new(format, stored),
            word_value: match format.code {
                1 => Some(ibm::to_f32),
                4 => Some(fixed_gain),
                _ => None,
            },
        })
    }

    /// Finds the stored values for which the format has no sample: what is no number where it has none, and what is beyond
    /// its range. Calls `found` with the index and the value of each.
    pub fn misfits(&self, stored: &[u8], mut found: impl FnMut(usize, f64)) {
        let Some(range) = self.range.filter(|range| !(range.all_fit)(stored, range.min, range.max)) else { return };
        for (i, bytes) in stored.as_chunks().0.iter().enumerate() {
            if !(range.all_fit)(bytes, range.min, range.max) {
                found(i, (range.value)(*bytes));
            }
        }
    }

    /// Whether a word of the format stands for the stored value at `index`: if not, that was changed since the word was kept.
    pub fn stands_for(&self, word: u32, stored: &[u8], index: usize) -> bool {
        let value = stored.as_chunks().0.get(index).copied().map(f32::from_le_bytes);
        self.word_value.zip(value).is_some_and(|(word_value, value)| word_value(word).to_bits() == value.to_bits())
    }

    /// Converts n stored values to n samples of the format, each the nearest, ties to even.
    ///
    /// # Panics
    /// If the two lengths do not belong together.
    pub fn restore(&mut self, stored: &[u8], out: &mut [u8]) {
        let n = stored.len() / self.bytes_in;
        assert_eq!((stored.len(), out.len()), (n * self.bytes_in, n * self.bytes_out));
        match self.uncast {
            None => (self.encode)(stored, out),
            Some(uncast) => {
                self.native.resize(n * self.native_size, 0);
                uncast(stored, &mut self.native);
                (self.encode)(&self.native, out);
            }
        }
    }
}

/// Whether all of a run of stored values lie between two numbers.
type AllFit = fn(&[u8], f64, f64) -> bool;

/// The values of a stored type of four bytes that a format has samples for.
#[derive(Clone, Copy)]
struct Range {
    min: f64,
    max: f64,
    /// Whether all values of a run lie between these two.
    all_fit: AllFit,
    value: fn([u8; 4]) -> f64,
}

impl Range {
    /// `None` where every value of the stored type has its sample.
    fn new(format: &SampleFormat, stored: Dtype) -> Option<Self> {
        let bits = 8 * format.bytes as i32;
        let (half, top) = (2f64.powi(bits - 1), 2f64.powi(bits));
        // What lies half a step beyond the last integer is a tie: below to the even integer, above to the one that is too large.
        let (min, max) = match format.code {
            1 | 4 => (f32::MIN.into(), f32::MAX.into()),
            3 | 7 | 8 => (-half - 0.5, (half - 0.5).next_down()),
            11 | 15 | 16 => (-0.5, (top - 0.5).next_down()),
            _ => return None,
        };
        let (all_fit, value): (AllFit, fn([u8; 4]) -> f64) = match (format.code, stored) {
            (1 | 4, Dtype::Float32) => (all_finite, |b| f32::from_le_bytes(b).into()),
            (_, Dtype::Float32) => (float32s_fit, |b| f32::from_le_bytes(b).into()),
            (7, Dtype::Int32) => (int32s_fit, |b| i32::from_le_bytes(b).into()),
            (15, Dtype::UInt32) => (uint32s_fit, |b| u32::from_le_bytes(b).into()),
            _ => return None,
        };
        Some(Self { min, max, all_fit, value })
    }
}

/// Defines tests of runs of stored values, without a branch for each.
macro_rules! range_tests {
    ($($name:ident: |$bytes:ident, $min:ident, $max:ident| $fits:expr;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(stored: &[u8], $min: f64, $max: f64) -> bool {
            let mut all = true;
            for $bytes in stored.as_chunks().0 {
                all &= $fits;
            }
            all
        }
    )*};
}

range_tests! {
    all_finite: |bytes, _min, _max| f32::from_le_bytes(*bytes).is_finite();
    float32s_fit: |bytes, min, max| (min <= f64::from(f32::from_le_bytes(*bytes))) & (f64::from(f32::from_le_bytes(*bytes)) <= max);
    int32s_fit: |bytes, min, max| (min <= f64::from(i32::from_le_bytes(*bytes))) & (f64::from(i32::from_le_bytes(*bytes)) <= max);
    uint32s_fit: |bytes, min, max| (min <= f64::from(u32::from_le_bytes(*bytes))) & (f64::from(u32::from_le_bytes(*bytes)) <= max);
}

fn encoder(format: &SampleFormat, order: ByteOrder) -> Kernel {
    match (format.code, order) {
        (1, ByteOrder::Big) => ibm::encode_big,
        (1, ByteOrder::Little) => ibm::encode_little,
        (4, ByteOrder::Big) => gain_word_big,
        (4, ByteOrder::Little) => gain_word_little,
        (7 | 15, ByteOrder::Big) => low24_big,
        (7 | 15, ByteOrder::Little) => low24_little,
        (_, ByteOrder::Big) => match format.bytes {
            2 => swap2,
            4 => swap4,
            8 => swap8,
            _ => copy,
        },
        (_, ByteOrder::Little) => copy,
    }
}

/// From float32 to the integers that it holds: those of up to 24 bits.
fn uncast_from_float32(format: &SampleFormat) -> Option<Kernel> {
    match (format.native, format.bytes) {
        (Dtype::Int8, _) => Some(float32_to_int8),
        (Dtype::UInt8, _) => Some(float32_to_uint8),
        (Dtype::Int16, _) => Some(float32_to_int16),
        (Dtype::UInt16, _) => Some(float32_to_uint16),
        (Dtype::Int32, 3) => Some(float32_to_int32),
        (Dtype::UInt32, 3) => Some(float32_to_uint32),
        _ => None,
    }
}

kernels! {
    low24_big: |b: [u8; 4]| [b[2], b[1], b[0]];
    low24_little: |b: [u8; 4]| [b[0], b[1], b[2]];
    gain_word_big: |b: [u8; 4]| gain_word(f32::from_le_bytes(b)).to_be_bytes();
    gain_word_little: |b: [u8; 4]| gain_word(f32::from_le_bytes(b)).to_le_bytes();
    float32_to_int8: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as i8).to_le_bytes();
    float32_to_uint8: |b: [u8; 4]| [f32::from_le_bytes(b).round_ties_even() as u8];
    float32_to_int16: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as i16).to_le_bytes();
    float32_to_uint16: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as u16).to_le_bytes();
    float32_to_int32: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as i32).to_le_bytes();
    float32_to_uint32: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as u32).to_le_bytes();
}

/// The word of format 4 nearest to a value (ties to the even mantissa), canonical: the smallest gain for which the mantissa
/// fits int16, and 0 in the unused byte.
#[inline(always)]
fn gain_word(value: f32) -> u32 {
    const SIGN: u32 = 1 << 31;
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 0xFF) as i32 - 127;
    // -32768 fits where +32768 does not.
    let is_negative_power = bits & 0x807F_FFFF == SIGN;
    let gain = (exponent - 14 - i32::from(is_negative_power)).max(0);
    let mantissa = f64::from(value) * f64::from_bits(((1023 - gain) as u64) << 52);
    let mantissa = mantissa.round_ties_even() as i32;
    let is_rounded_up = u32::from(mantissa == 1 << 15);
    // Infinity becomes the largest mantissa with the gain that makes it one.
    let mantissa = (mantissa >> is_rounded_up).clamp(i16::MIN.into(), i16::MAX.into());
    (gain as u32 + is_rounded_up) << 16 | u32::from(mantissa as u16)
}

/// Finds samples that [`Restorer`] does not bring back as they were.
#[derive(Clone, Copy)]
pub struct RoundTrip {
    /// Whether all words of a run come back.
    all_same: fn(&[u8], &[u8]) -> bool,
    restore: fn(f32) -> u32,
    order: ByteOrder,
}

impl RoundTrip {
    /// Bytes in which single words are looked for once a difference is known.
    const BLOCK: usize = 256;

    /// `None` for a format and stored type of which every sample comes back, and for those that cannot come back at all.
    pub fn new(format: &SampleFormat, order: ByteOrder, stored: Dtype) -> Option<Self> {
        if stored != Dtype::Float32 {
            return None;
        }
        type AllSame = fn(&[u8], &[u8]) -> bool;
        let (all_same, restore): (AllSame, fn(f32) -> u32) = match (format.code, order) {
            (1, ByteOrder::Big) => (ibm_big_comes_back, ibm::from_f32),
            (1, ByteOrder::Little) => (ibm_little_comes_back, ibm::from_f32),
            (4, ByteOrder::Big) => (gain_big_comes_back, gain_word),
            (4, ByteOrder::Little) => (gain_little_comes_back, gain_word),
            _ => return None,
        };
        Some(Self { all_same, restore, order })
    }

    /// Calls `found` with the index and the word (its number, not its bytes) of every sample of `samples`, as they stand
    /// in the file, that its stored value does not bring back.
    pub fn differences<E>(
        &self,
        samples: &[u8],
        stored: &[u8],
        mut found: impl FnMut(usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        if (self.all_same)(samples, stored) {
            return Ok(());
        }
        for (block, (words, values)) in samples.chunks(Self::BLOCK).zip(stored.chunks(Self::BLOCK)).enumerate() {
            if (self.all_same)(words, values) {
                continue;
            }
            for (i, (word, value)) in words.as_chunks().0.iter().zip(values.as_chunks().0).enumerate() {
                let word = match self.order {
                    ByteOrder::Big => u32::from_be_bytes(*word),
                    ByteOrder::Little => u32::from_le_bytes(*word),
                };
                if (self.restore)(f32::from_le_bytes(*value)) != word {
                    found(block * Self::BLOCK / 4 + i, word)?;
                }
            }
        }
        Ok(())
    }
}

/// The bytes of a word in the file.
pub fn word_bytes(word: u32, order: ByteOrder) -> [u8; 4] {
    match order {
        ByteOrder::Big => word.to_be_bytes(),
        ByteOrder::Little => word.to_le_bytes(),
    }
}

/// Defines comparisons of all words of a run with those that their values become, without a branch for each.
macro_rules! comparisons {
    ($($name:ident: $read:path, $restore:path;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(samples: &[u8], stored: &[u8]) -> bool {
            let mut difference = 0;
            for (word, value) in samples.as_chunks().0.iter().zip(stored.as_chunks().0) {
                difference |= $read(*word) ^ $restore(f32::from_le_bytes(*value));
            }
            difference == 0
        }
    )*};
}

/// Defines comparisons of IBM words. All words of a block nearly always are canonical, which takes a third of the instructions.
macro_rules! ibm_comparisons {
    ($($name:ident: $read:path, $compare:path;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        fn $name(samples: &[u8], stored: &[u8]) -> bool {
            let mut n_others = 0;
            for word in samples.as_chunks().0 {
                n_others |= u32::from(!ibm::is_canonical($read(*word)));
            }
            n_others == 0 || $compare(samples, stored)
        }
    )*};
}

ibm_comparisons! {
    ibm_big_comes_back: u32::from_be_bytes, ibm_big_is_the_same;
    ibm_little_comes_back: u32::from_le_bytes, ibm_little_is_the_same;
}

comparisons! {
    ibm_big_is_the_same: u32::from_be_bytes, ibm::from_f32;
    ibm_little_is_the_same: u32::from_le_bytes, ibm::from_f32;
    gain_big_comes_back: u32::from_be_bytes, gain_word;
    gain_little_comes_back: u32::from_le_bytes, gain_word;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::format::{Converter, FORMATS, fixed_gain, fixed_gain_exact, sample_format};

    /// The samples after the way to the stored type and back, with the words that `RoundTrip` found put in.
    fn there_and_back(format: &SampleFormat, order: ByteOrder, stored: Dtype, samples: &[u8]) -> Option<Vec<u8>> {
        let mut restorer = Restorer::new(format, order, stored)?;
        let mut values = vec![0; samples.len() / format.bytes * stored.size()];
        Converter::new(format, order, stored)?.convert(samples, &mut values);
        let mut back = vec![0xAA; samples.len()];
        restorer.restore(&values, &mut back);
        if let Some(round_trip) = RoundTrip::new(format, order, stored) {
            let put = |index: usize, word| {
                let place = &mut back[index * 4..][..4];
                assert!(place != word_bytes(word, order), "{word:#010x} comes back by itself");
                place.copy_from_slice(&word_bytes(word, order));
                Ok::<_, ()>(())
            };
            round_trip.differences(samples, &values, put).ok()?;
        }
        Some(back)
    }

    proptest::proptest! {
        #[test]
        fn every_sample_of_every_format_comes_back(
            index in 0..FORMATS.len(),
            little in proptest::bool::ANY,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 24 * 24),
        ) {
            let order = if little { ByteOrder::Little } else { ByteOrder::Big };
            let format = &FORMATS[index];
            let back = there_and_back(format, order, format.native, &bytes);
            proptest::prop_assert_eq!(back.as_deref(), Some(&bytes[..]));
            if let Some(back) = there_and_back(format, order, Dtype::Float32, &bytes) {
                proptest::prop_assert_eq!(back, bytes);
            }
        }
    }

    fn restored(code: u16, stored: Dtype, values: &[u8]) -> Vec<u8> {
        let format = sample_format(code).unwrap();
        let mut out = vec![0; values.len() / stored.size() * format.bytes];
        Restorer::new(format, ByteOrder::Big, stored).unwrap().restore(values, &mut out);
        out
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    proptest::proptest! {
        #[test]
        fn no_word_with_gain_is_nearer_to_a_value(bits: u32) {
            let value = f64::from(f32::from_bits(bits));
            if value.is_finite() {
                let word = gain_word(value as f32);
                let distance = |word: u32| (fixed_gain_exact(word) - value).abs();
                let gain = word >> 16;
                for other_gain in gain.saturating_sub(1)..=gain + 1 {
                    let mantissa = value / 2f64.powi(other_gain as i32);
                    for mantissa in [mantissa.floor(), mantissa.ceil()].map(|m| m as i64) {
                        let other = i16::try_from(mantissa).map(|m| other_gain << 16 | u32::from(m as u16));
                        proptest::prop_assert!(other.is_err() || distance(word) <= distance(other.unwrap()), "{value:e}: {word:#010x}");
                    }
                }
            }
        }
    }

    #[test]
    fn changed_values_become_the_nearest_samples() {
        assert_eq!(
            restored(3, Dtype::Float32, &floats(&[1.5, 2.5, -2.5, 32767.4])),
            [0, 2, 0, 2, 0xFF, 0xFE, 0x7F, 0xFF]
        );
        assert_eq!(restored(16, Dtype::Float32, &floats(&[-0.5, 254.5, 255.4])), [0, 254, 255]);
        assert_eq!(
            restored(4, Dtype::Float32, &floats(&[12345.0, 0.5, 1.5, 32767.5])),
            [[0, 0, 0x30, 0x39], [0; 4], [0, 0, 0, 2], [0, 1, 0x40, 0]].concat()
        );
    }

    #[test]
    fn values_that_a_format_has_no_sample_for_are_found() {
        let misfits = |code, stored: Dtype, values: &[u8]| {
            let mut found = Vec::new();
            Restorer::new(sample_format(code).unwrap(), ByteOrder::Big, stored)
                .unwrap()
                .misfits(values, |i, _| found.push(i));
            found
        };
        let (nan, infinite) = (f32::NAN, f32::INFINITY);
        for code in [1, 4] {
            assert_eq!(misfits(code, Dtype::Float32, &floats(&[1.0, nan, f32::MAX, -infinite])), [1, 3]);
        }
        assert_eq!(misfits(5, Dtype::Float32, &floats(&[nan, infinite])), [0; 0]);
        assert_eq!(misfits(3, Dtype::Float32, &floats(&[32767.49, 32767.5, -32768.5, -32768.51, nan])), [1, 3, 4]);
        assert_eq!(misfits(16, Dtype::Float32, &floats(&[255.49, 255.5, -0.5, -0.51])), [1, 3]);
        assert_eq!(
            misfits(7, Dtype::Float32, &floats(&[8_388_607.0, 8_388_607.5, -8_388_608.0, -8_388_609.0])),
            [1, 3]
        );
        let integers = |values: &[i32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        assert_eq!(misfits(7, Dtype::Int32, &integers(&[8_388_607, 8_388_608, -8_388_608, -8_388_609])), [1, 3]);
        assert_eq!(misfits(15, Dtype::UInt32, &integers(&[16_777_215, 16_777_216, -1])), [1, 2]);
    }

    #[test]
    fn only_formats_of_up_to_24_bits_come_back_from_float32() {
        let codes =
            FORMATS.iter().filter(|f| Restorer::new(f, ByteOrder::Big, Dtype::Float32).is_some()).map(|f| f.code);
        assert_eq!(codes.collect::<Vec<_>>(), [1, 3, 4, 5, 7, 8, 11, 15, 16]);
    }

    #[test]
    fn a_gain_word_with_a_full_mantissa_comes_back_by_itself() {
        for gain in 0..=112 {
            for mantissa in [i16::MIN, -32767, -16385, 16384, 16385, 32767] {
                let word = gain << 16 | u32::from(mantissa as u16);
                assert_eq!(gain_word(fixed_gain(word)), word, "{word:#010x}");
            }
        }
        for mantissa in i16::MIN..=i16::MAX {
            assert_eq!(gain_word(f32::from(mantissa)), u32::from(mantissa as u16));
        }
    }
}

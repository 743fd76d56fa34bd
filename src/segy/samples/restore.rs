//! The way back: from stored values to the samples as they stood in the file.
//!
//! Integers and IEEE floats come back bit for bit. IBM floats and fixed-point numbers with gain have several words for the
//! same value, and some values are rounded: these come back in a canonical form, and [`RoundTrip`] finds the words that
//! differ from it. A value changed since then becomes the nearest sample of the format, and [`Restorer::misfits`] finds
//! those that have none.

use crate::segy::samples::dtype::{ByteOrder, Dtype};
use crate::segy::samples::format::SampleFormat;
use crate::segy::samples::kernels::{Kernel, cast_from_float32};
use crate::segy::samples::words::Words;

/// Converts stored little-endian values back to samples of a format.
#[derive(Clone)]
pub(crate) struct Restorer {
    /// First step from float32, where that is not the format's own type, to `native`.
    uncast: Option<Kernel>,
    encode: Kernel,
    native: Vec<u8>,
    bytes_in: usize,
    native_size: usize,
    bytes_out: usize,
    /// If the stored type holds values that the format does not.
    range: Option<Range>,
    words: Option<&'static Words>,
}

impl Restorer {
    /// `None` if the stored type does not hold every value of the format.
    pub(crate) fn new(format: &SampleFormat, order: ByteOrder, stored: Dtype) -> Option<Self> {
        let uncast = match stored {
            _ if stored == format.native => None,
            // Float32 holds integers of up to 24 bits.
            Dtype::Float32 if format.bytes <= 3 => Some(cast_from_float32(format.native)?),
            _ => return None,
        };
        Some(Self {
            uncast,
            encode: order.choose(format.encode),
            native: Vec::new(),
            bytes_in: stored.size(),
            native_size: format.native.size(),
            bytes_out: format.bytes,
            range: Range::new(format, stored),
            words: format.words,
        })
    }

    /// Finds the stored values for which the format has no sample: NaN and infinities if it has none, and values beyond
    /// its range. Calls `found` with the index and the value of each.
    pub(crate) fn misfits(&self, stored: &[u8], mut found: impl FnMut(usize, f64)) {
        let Some(range) = self.range.filter(|range| !(range.all_fit)(stored, range.min, range.max)) else { return };
        for (i, bytes) in stored.as_chunks().0.iter().enumerate() {
            if !(range.all_fit)(bytes, range.min, range.max) {
                found(i, (range.value)(*bytes));
            }
        }
    }

    /// Whether a word of the format has the stored value at `index`; if not, the value was changed after the word was kept.
    pub(crate) fn stands_for(&self, word: u32, stored: &[u8], index: usize) -> bool {
        let value = stored.as_chunks().0.get(index).copied().map(f32::from_le_bytes);
        self.words.zip(value).is_some_and(|(words, value)| (words.to_value)(word).to_bits() == value.to_bits())
    }

    /// Converts n stored values to n samples of the format, each the nearest, ties to even.
    ///
    /// # Panics
    /// If the two lengths do not match.
    pub(crate) fn restore(&mut self, stored: &[u8], out: &mut [u8]) {
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
    /// `None` if every value of the stored type has its sample.
    fn new(format: &SampleFormat, stored: Dtype) -> Option<Self> {
        let float: fn([u8; 4]) -> f64 = |b| f32::from_le_bytes(b).into();
        if format.words.is_some() {
            return Some(Self { min: f32::MIN.into(), max: f32::MAX.into(), all_fit: all_finite, value: float });
        }
        if format.native.is_float() || stored.size() == format.bytes {
            return None;
        }
        let (all_fit, value): (AllFit, fn([u8; 4]) -> f64) = match stored {
            Dtype::Float32 => (float32s_fit, float),
            Dtype::Int32 => (int32s_fit, |b| i32::from_le_bytes(b).into()),
            Dtype::UInt32 => (uint32s_fit, |b| u32::from_le_bytes(b).into()),
            _ => return None,
        };
        let n_values = 2f64.powi(8 * format.bytes as i32);
        let start = if format.native.is_unsigned() { 0.0 } else { -n_values / 2.0 };
        // Half a step beyond either end is a tie: below, it goes to the first integer, which is even; above, to one too large.
        let (min, max) = (start - 0.5, (start + n_values - 0.5).next_down());
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

/// Finds samples that [`Restorer`] does not restore exactly.
#[derive(Clone, Copy)]
pub(crate) struct RoundTrip {
    words: &'static Words,
    order: ByteOrder,
}

impl RoundTrip {
    /// Bytes in which single words are looked for once a difference is known.
    const BLOCK: usize = 256;

    /// `None` if every sample of this format and stored type comes back, and if none can.
    pub(crate) fn new(format: &SampleFormat, order: ByteOrder, stored: Dtype) -> Option<Self> {
        format.words.filter(|_| stored == Dtype::Float32).map(|words| Self { words, order })
    }

    /// Calls `found` with the index and the word (its number, not its bytes) of every sample of `samples`, as they stand
    /// in the file, that its stored value does not bring back.
    pub(crate) fn differences<E>(
        &self,
        samples: &[u8],
        stored: &[u8],
        mut found: impl FnMut(usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        let all_same = self.order.choose(self.words.all_same);
        if all_same(samples, stored) {
            return Ok(());
        }
        for (block, (words, values)) in samples.chunks(Self::BLOCK).zip(stored.chunks(Self::BLOCK)).enumerate() {
            if all_same(words, values) {
                continue;
            }
            for (i, (word, value)) in words.as_chunks().0.iter().zip(values.as_chunks().0).enumerate() {
                let word = self.order.choose([u32::from_be_bytes(*word), u32::from_le_bytes(*word)]);
                if (self.words.from_value)(f32::from_le_bytes(*value)) != word {
                    found(block * Self::BLOCK / 4 + i, word)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::format::{Converter, FORMATS, sample_format};
    use crate::segy::samples::words::word_bytes;

    /// The samples converted to the stored type and back, with the words that `RoundTrip` found put in.
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
}

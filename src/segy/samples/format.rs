//! The sample formats as one table, and the conversion of a trace from the file's bytes to native values.
//!
//! Adding a format is adding a row, and kernels if it is not an integer. Where a row has two kernels, the first is for
//! big-endian files.
//! Source: SEG-Y rev 2.1, table 2, bytes 3225-3226 (data sample format code), and Annex E (IBM single).

use crate::segy::samples::amplitudes::Amplitudes;
pub use crate::segy::samples::dtype::{ByteOrder, Dtype};
use crate::segy::samples::kernels::{
    Kernel, cast_to_float32, copy, int24_big, int24_little, low24_big, low24_little, swap2, swap4, swap8, uint24_big,
    uint24_little,
};
use crate::segy::samples::number::Number;
use crate::segy::samples::plain_runs::PlainKernel;
use crate::segy::samples::rounding::{Precision, RoundingError};
use crate::segy::samples::words::Words;
use crate::segy::samples::{amplitudes, fixed_gain, ibm, number, plain_runs, words};

/// One data sample format of the standard.
#[derive(Debug)]
pub struct SampleFormat {
    /// The code in bytes 3225-3226.
    pub code: u16,
    pub name: &'static str,
    /// Bytes of one sample in the file.
    pub bytes: usize,
    /// The type that holds every value: for IBM single and fixed point with gain, float32 (see `ibm`).
    pub native: Dtype,
    /// Whether the code exists only from revision 2 on.
    pub is_rev2: bool,
    /// From samples as they stand in the file to little-endian values of the native type.
    pub(crate) decode: [Kernel; 2],
    /// And back.
    pub(crate) encode: [Kernel; 2],
    /// Conversion to float32 that finds in the same pass whether the run is plain.
    pub(crate) plain: Option<[PlainKernel; 2]>,
    /// For formats in which several words have the same value.
    pub(crate) words: Option<&'static Words>,
    /// The exact value of a word, and the word nearest to one, if samples of other formats can become this one.
    pub(crate) value: fn(u64) -> Number,
    pub(crate) nearest: Option<fn(Number) -> Option<u64>>,
    /// For synthetic surveys. Their root mean square is about a fifth of the largest amplitude that a trace has, so that
    /// integers hardly ever clip.
    pub(crate) amplitudes: Amplitudes,
    pub(crate) rms: f32,
}

/// Every format code that the standard defines.
pub static FORMATS: &[SampleFormat] = &[
    SampleFormat {
        code: 1,
        name: "IBM float32",
        bytes: 4,
        native: Dtype::Float32,
        is_rev2: false,
        decode: [ibm::decode_big, ibm::decode_little],
        encode: [ibm::encode_big, ibm::encode_little],
        plain: Some([plain_runs::ibm_big, plain_runs::ibm_little]),
        words: Some(&words::IBM),
        value: number::of_ibm,
        nearest: Some(number::to_ibm),
        amplitudes: amplitudes::ibm_float32,
        rms: 1500.0,
    },
    integer::<4, false>(2, "int32", Dtype::Int32),
    integer::<2, false>(3, "int16", Dtype::Int16),
    SampleFormat {
        code: 4,
        name: "fixed point with gain",
        bytes: 4,
        native: Dtype::Float32,
        is_rev2: false,
        decode: [fixed_gain::decode_big, fixed_gain::decode_little],
        encode: [fixed_gain::encode_big, fixed_gain::encode_little],
        plain: None,
        words: Some(&words::FIXED_GAIN),
        value: number::of_fixed_gain,
        nearest: None,
        amplitudes: amplitudes::fixed_with_gain,
        rms: 1.0e5,
    },
    SampleFormat {
        code: 5,
        name: "IEEE float32",
        bytes: 4,
        native: Dtype::Float32,
        is_rev2: false,
        decode: [swap4, copy],
        encode: [swap4, copy],
        plain: Some([plain_runs::ieee_big, plain_runs::ieee_little]),
        words: None,
        value: number::of_float32,
        nearest: Some(number::to_float32),
        amplitudes: amplitudes::ieee_float32,
        rms: 1500.0,
    },
    SampleFormat {
        code: 6,
        name: "IEEE float64",
        bytes: 8,
        native: Dtype::Float64,
        is_rev2: true,
        decode: [swap8, copy],
        encode: [swap8, copy],
        plain: None,
        words: None,
        value: number::of_float64,
        nearest: Some(number::to_float64),
        amplitudes: amplitudes::ieee_float64,
        rms: 1500.0,
    },
    integer::<3, false>(7, "int24", Dtype::Int32),
    integer::<1, false>(8, "int8", Dtype::Int8),
    integer::<8, false>(9, "int64", Dtype::Int64),
    integer::<4, true>(10, "uint32", Dtype::UInt32),
    integer::<2, true>(11, "uint16", Dtype::UInt16),
    integer::<8, true>(12, "uint64", Dtype::UInt64),
    integer::<3, true>(15, "uint24", Dtype::UInt32),
    integer::<1, true>(16, "uint8", Dtype::UInt8),
];

/// An integer of `N` bytes.
const fn integer<const N: usize, const UNSIGNED: bool>(code: u16, name: &'static str, native: Dtype) -> SampleFormat {
    let swap: Kernel = match N {
        1 => copy,
        2 => swap2,
        4 => swap4,
        _ => swap8,
    };
    let (decode, encode): ([Kernel; 2], [Kernel; 2]) = match (N, UNSIGNED) {
        (3, false) => ([int24_big, int24_little], [low24_big, low24_little]),
        (3, true) => ([uint24_big, uint24_little], [low24_big, low24_little]),
        _ => ([swap, copy], [swap, copy]),
    };
    SampleFormat {
        code,
        name,
        bytes: N,
        native,
        is_rev2: !matches!(code, 2 | 3 | 8),
        decode,
        encode,
        plain: None,
        words: None,
        value: number::of_integer::<N, UNSIGNED>,
        nearest: Some(number::to_integer::<N, UNSIGNED>),
        amplitudes: amplitudes::integer::<N, UNSIGNED>,
        rms: [22.0, 1500.0, 5.0e5, 4.0e6][if N < 4 { N - 1 } else { 3 }],
    }
}

/// The format with this code, if the standard defines it.
pub fn sample_format(code: u16) -> Option<&'static SampleFormat> {
    FORMATS.iter().find(|f| f.code == code)
}

/// The codes with their names, for messages.
pub(crate) fn known_formats() -> String {
    let all: Vec<String> = FORMATS.iter().map(|f| format!("{} {}", f.code, f.name)).collect();
    all.join(", ")
}

impl SampleFormat {
    /// The kernel that converts plain runs to this type, if there is one.
    pub fn plain_kernel(&self, order: ByteOrder, output: Dtype) -> Option<PlainKernel> {
        self.plain.filter(|_| output == Dtype::Float32).map(|kernels| order.choose(kernels))
    }

    /// Whether it has infinities and NaN.
    pub fn is_ieee(&self) -> bool {
        self.native.is_float() && self.words.is_none()
    }
}

/// Converts traces: the samples as they stand in the file to little-endian values of the output type.
#[derive(Clone)]
pub struct Converter {
    decode: Kernel,
    /// Second step to another type than the native one, through `native`.
    cast: Option<Kernel>,
    native: Vec<u8>,
    bytes_in: usize,
    native_size: usize,
    bytes_out: usize,
    output: Dtype,
    precision: Option<Precision>,
    /// What rounding did so far.
    pub rounding: RoundingError,
}

impl Converter {
    /// `None` where the output type is neither the native one nor float32.
    pub fn new(format: &SampleFormat, order: ByteOrder, output: Dtype) -> Option<Self> {
        let cast = match output {
            _ if output == format.native => None,
            Dtype::Float32 => Some(cast_to_float32(format.native)),
            _ => return None,
        };
        Some(Self {
            decode: order.choose(format.decode),
            cast,
            native: Vec::new(),
            bytes_in: format.bytes,
            native_size: format.native.size(),
            bytes_out: output.size(),
            output,
            precision: None,
            rounding: RoundingError::default(),
        })
    }

    /// The same, rounding what comes out.
    pub fn rounded(self, precision: Option<Precision>) -> Self {
        Self { precision, ..self }
    }

    /// Converts the samples of one trace. `samples` holds n × the format's bytes, `out` n × the output type's.
    ///
    /// If the two lengths do not match.
    /// If the two lengths do not belong together.
    pub fn convert(&mut self, samples: &[u8], out: &mut [u8]) {
        let n = samples.len() / self.bytes_in;
        assert_eq!((samples.len(), out.len()), (n * self.bytes_in, n * self.bytes_out));
        match self.cast {
            None => (self.decode)(samples, out),
            Some(cast) => {
                self.native.resize(n * self.native_size, 0);
                (self.decode)(samples, &mut self.native);
                cast(&self.native, out);
            }
        }
        if let Some(precision) = self.precision {
            precision.round(self.output, out, &mut self.rounding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::ibm;

    fn convert(code: u16, order: ByteOrder, output: Option<Dtype>, bytes: &[u8]) -> Vec<u8> {
        let format = sample_format(code).unwrap();
        let output = output.unwrap_or(format.native);
        let mut out = vec![0xAA; bytes.len() / format.bytes * output.size()];
        Converter::new(format, order, output).unwrap().convert(bytes, &mut out);
        out
    }

    /// One value at a time, the way the standard describes it.
    fn reference(code: u16, big_endian: &[u8]) -> f64 {
        let unsigned = big_endian.iter().fold(0u64, |v, &b| v << 8 | u64::from(b));
        let bits = 8 * big_endian.len() as u32;
        let signed = ((unsigned << (64 - bits)) as i64) >> (64 - bits);
        match code {
            1 => ibm::exact(unsigned as u32),
            4 => f64::from(unsigned as u16 as i16) * 2f64.powi((unsigned >> 16 & 0xFF) as i32),
            5 => f64::from(f32::from_bits(unsigned as u32)),
            6 => f64::from_bits(unsigned),
            2 | 3 | 7 | 8 | 9 => signed as f64,
            _ => unsigned as f64,
        }
    }

    fn same(a: f64, b: f64) -> bool {
        a == b || a.is_nan() && b.is_nan()
    }

    proptest::proptest! {
        #[test]
        fn every_format_agrees_with_a_slow_reference_in_both_byte_orders(
            index in 0..FORMATS.len(),
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 24 * 11),
        ) {
            let format = &FORMATS[index];
            let swapped: Vec<u8> = bytes.chunks(format.bytes).flat_map(|c| c.iter().rev().copied()).collect();
            let big = convert(format.code, ByteOrder::Big, None, &bytes);
            let little = convert(format.code, ByteOrder::Little, None, &swapped);
            proptest::prop_assert_eq!(&big, &little);
            for (input, output) in bytes.chunks(format.bytes).zip(big.chunks(format.native.size())) {
                let mut expected = reference(format.code, input);
                if format.native == Dtype::Float32 {
                    expected = f64::from(expected as f32);
                }
                proptest::prop_assert!(same(format.native.number(output), expected), "{:?} gives {:?}", input, output);
            }
        }

        #[test]
        fn float32_output_is_the_nearest_float32(
            index in 0..FORMATS.len(),
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 24 * 3),
        ) {
            let format = &FORMATS[index];
            let out = convert(format.code, ByteOrder::Big, Some(Dtype::Float32), &bytes);
            for (input, output) in bytes.chunks(format.bytes).zip(out.chunks(4)) {
                let got = Dtype::Float32.number(output);
                let want = match format.code {
                    9 => i64::from_be_bytes(input.try_into().unwrap()) as f32,
                    12 => u64::from_be_bytes(input.try_into().unwrap()) as f32,
                    _ => reference(format.code, input) as f32,
                };
                proptest::prop_assert!(same(got, f64::from(want)));
            }
        }
    }

    #[test]
    fn three_byte_integers_keep_their_sign() {
        let out = convert(7, ByteOrder::Big, None, &[0xFF, 0xFF, 0xFE, 0x7F, 0xFF, 0xFF]);
        assert_eq!(out, [(-2i32).to_le_bytes(), 8_388_607i32.to_le_bytes()].concat());
    }

    #[test]
    fn a_double_is_not_offered_as_int16() {
        assert!(Converter::new(sample_format(6).unwrap(), ByteOrder::Big, Dtype::Int16).is_none());
    }
}

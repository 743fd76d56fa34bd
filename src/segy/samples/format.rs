//! The sample formats as one table, and the conversion of a trace from the file's bytes to native values.
//!
//! Source: SEG-Y rev 2.1, table 2, bytes 3225-3226 (data sample format code), and Annex E (IBM single).

use serde::{Deserialize, Serialize};

use crate::segy::samples::ibm;

/// Order of the bytes in the numbers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    Big,
    Little,
}

impl std::fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Big => "big-endian",
            Self::Little => "little-endian",
        })
    }
}

/// Type of the samples in the output, by its Zarr v3 data type name. Stored little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    Int8,
    UInt8,
    Int16,
    UInt16,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Float32,
    Float64,
}

impl Dtype {
    /// The Zarr v3 core data type name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::UInt8 => "uint8",
            Self::Int16 => "int16",
            Self::UInt16 => "uint16",
            Self::Int32 => "int32",
            Self::UInt32 => "uint32",
            Self::Int64 => "int64",
            Self::UInt64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// Bytes of one value.
    pub const fn size(self) -> usize {
        match self {
            Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 => 8,
        }
    }

    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }
}

/// One data sample format of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleFormat {
    /// The code in bytes 3225-3226.
    pub code: u16,
    pub name: &'static str,
    /// Bytes of one sample in the file.
    pub bytes: usize,
    /// The type that holds every value: for IBM single and fixed point with gain, float32 (see `ibm`).
    pub native: Dtype,
}

const fn format(code: u16, name: &'static str, bytes: usize, native: Dtype) -> SampleFormat {
    SampleFormat { code, name, bytes, native }
}

/// Every format code that the standard defines.
#[rustfmt::skip]
pub const FORMATS: &[SampleFormat] = &[
    format(1, "IBM float32", 4, Dtype::Float32),
    format(2, "int32", 4, Dtype::Int32),
    format(3, "int16", 2, Dtype::Int16),
    format(4, "fixed point with gain", 4, Dtype::Float32),
    format(5, "IEEE float32", 4, Dtype::Float32),
    format(6, "IEEE float64", 8, Dtype::Float64),
    format(7, "int24", 3, Dtype::Int32),
    format(8, "int8", 1, Dtype::Int8),
    format(9, "int64", 8, Dtype::Int64),
    format(10, "uint32", 4, Dtype::UInt32),
    format(11, "uint16", 2, Dtype::UInt16),
    format(12, "uint64", 8, Dtype::UInt64),
    format(15, "uint24", 3, Dtype::UInt32),
    format(16, "uint8", 1, Dtype::UInt8),
];

/// The format with this code, if the standard defines it.
pub fn sample_format(code: u16) -> Option<&'static SampleFormat> {
    FORMATS.iter().find(|f| f.code == code)
}

/// The codes with their names, for messages.
pub fn known_formats() -> String {
    let all: Vec<String> = FORMATS.iter().map(|f| format!("{} {}", f.code, f.name)).collect();
    all.join(", ")
}

/// Converts a run of samples. The two lengths belong together.
pub(crate) type Kernel = fn(&[u8], &mut [u8]);

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
            decode: decoder(format, order),
            cast,
            native: Vec::new(),
            bytes_in: format.bytes,
            native_size: format.native.size(),
            bytes_out: output.size(),
        })
    }

    /// Converts the samples of one trace. `samples` holds n × the format's bytes, `out` n × the output type's.
    ///
    /// # Panics
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
    }
}

fn decoder(format: &SampleFormat, order: ByteOrder) -> Kernel {
    match (format.code, order) {
        (1, ByteOrder::Big) => ibm::decode_big,
        (1, ByteOrder::Little) => ibm::decode_little,
        (4, ByteOrder::Big) => fixed_gain_big,
        (4, ByteOrder::Little) => fixed_gain_little,
        (7, ByteOrder::Big) => int24_big,
        (7, ByteOrder::Little) => int24_little,
        (15, ByteOrder::Big) => uint24_big,
        (15, ByteOrder::Little) => uint24_little,
        (_, ByteOrder::Big) => match format.bytes {
            2 => swap2,
            4 => swap4,
            8 => swap8,
            _ => copy,
        },
        (_, ByteOrder::Little) => copy,
    }
}

pub(crate) fn copy(src: &[u8], dst: &mut [u8]) {
    dst.copy_from_slice(src);
}

/// Applies `f` to each group of N bytes; the loop is left to the compiler to vectorise.
#[inline(always)]
pub(crate) fn each<const N: usize, const M: usize>(src: &[u8], dst: &mut [u8], f: impl Fn([u8; N]) -> [u8; M]) {
    for (s, d) in src.as_chunks::<N>().0.iter().zip(dst.as_chunks_mut::<M>().0) {
        *d = f(*s);
    }
}

/// Defines kernels compiled for the machine's baseline, AVX2 and AVX-512, chosen at run time.
macro_rules! kernels {
    ($($name:ident: |$bytes:ident: [u8; $n:literal]| $body:expr;)*) => {$(
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
        pub(crate) fn $name(src: &[u8], dst: &mut [u8]) {
            $crate::segy::samples::format::each::<$n, _>(src, dst, |$bytes| $body);
        }
    )*};
}
pub(crate) use kernels;

kernels! {
    swap2: |b: [u8; 2]| u16::from_be_bytes(b).to_le_bytes();
    swap4: |b: [u8; 4]| u32::from_be_bytes(b).to_le_bytes();
    swap8: |b: [u8; 8]| u64::from_be_bytes(b).to_le_bytes();
    int24_big: |b: [u8; 3]| (i32::from_be_bytes([b[0], b[1], b[2], 0]) >> 8).to_le_bytes();
    int24_little: |b: [u8; 3]| (i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8).to_le_bytes();
    uint24_big: |b: [u8; 3]| u32::from_be_bytes([0, b[0], b[1], b[2]]).to_le_bytes();
    uint24_little: |b: [u8; 3]| u32::from_le_bytes([b[0], b[1], b[2], 0]).to_le_bytes();
    fixed_gain_big: |b: [u8; 4]| fixed_gain(u32::from_be_bytes(b)).to_le_bytes();
    fixed_gain_little: |b: [u8; 4]| fixed_gain(u32::from_le_bytes(b)).to_le_bytes();
    int8_to_float32: |b: [u8; 1]| f32::from(i8::from_le_bytes(b)).to_le_bytes();
    uint8_to_float32: |b: [u8; 1]| f32::from(b[0]).to_le_bytes();
    int16_to_float32: |b: [u8; 2]| f32::from(i16::from_le_bytes(b)).to_le_bytes();
    uint16_to_float32: |b: [u8; 2]| f32::from(u16::from_le_bytes(b)).to_le_bytes();
    int32_to_float32: |b: [u8; 4]| (i32::from_le_bytes(b) as f32).to_le_bytes();
    uint32_to_float32: |b: [u8; 4]| (u32::from_le_bytes(b) as f32).to_le_bytes();
    int64_to_float32: |b: [u8; 8]| (i64::from_le_bytes(b) as f32).to_le_bytes();
    uint64_to_float32: |b: [u8; 8]| (u64::from_le_bytes(b) as f32).to_le_bytes();
    float64_to_float32: |b: [u8; 8]| (f64::from_le_bytes(b) as f32).to_le_bytes();
}

fn cast_to_float32(native: Dtype) -> Kernel {
    match native {
        Dtype::Int8 => int8_to_float32,
        Dtype::UInt8 => uint8_to_float32,
        Dtype::Int16 => int16_to_float32,
        Dtype::UInt16 => uint16_to_float32,
        Dtype::Int32 => int32_to_float32,
        Dtype::UInt32 => uint32_to_float32,
        Dtype::Int64 => int64_to_float32,
        Dtype::UInt64 => uint64_to_float32,
        Dtype::Float32 => copy,
        Dtype::Float64 => float64_to_float32,
    }
}

/// Format 4: mantissa (int16, low half) × 2^gain (second byte). The first byte is unused.
/// Rounded once to float32, which holds every value up to gain 112; beyond that it may be infinite.
#[inline(always)]
pub(crate) fn fixed_gain(word: u32) -> f32 {
    fixed_gain_exact(word) as f32
}

/// The exact value of such a word, which a double always holds.
#[inline(always)]
pub(crate) fn fixed_gain_exact(word: u32) -> f64 {
    let gain = u64::from((word >> 16) & 0xFF);
    let power_of_two = f64::from_bits((1023 + gain) << 52);
    f64::from(word as u16 as i16) * power_of_two
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn as_f64(dtype: Dtype, b: &[u8]) -> f64 {
        match dtype {
            Dtype::Int8 => f64::from(b[0] as i8),
            Dtype::UInt8 => f64::from(b[0]),
            Dtype::Int16 => f64::from(i16::from_le_bytes(b.try_into().unwrap())),
            Dtype::UInt16 => f64::from(u16::from_le_bytes(b.try_into().unwrap())),
            Dtype::Int32 => f64::from(i32::from_le_bytes(b.try_into().unwrap())),
            Dtype::UInt32 => f64::from(u32::from_le_bytes(b.try_into().unwrap())),
            Dtype::Int64 => i64::from_le_bytes(b.try_into().unwrap()) as f64,
            Dtype::UInt64 => u64::from_le_bytes(b.try_into().unwrap()) as f64,
            Dtype::Float32 => f64::from(f32::from_le_bytes(b.try_into().unwrap())),
            Dtype::Float64 => f64::from_le_bytes(b.try_into().unwrap()),
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
                proptest::prop_assert!(same(as_f64(format.native, output), expected), "{:?} gives {:?}", input, output);
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
                let got = as_f64(Dtype::Float32, output);
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

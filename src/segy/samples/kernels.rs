//! Conversions of runs of samples, between integers of any byte order and to and from float32.

use crate::segy::samples::dtype::Dtype;

/// Converts a run of samples. Both slices hold the same number of samples.
pub(crate) type Kernel = fn(&[u8], &mut [u8]);

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
            $crate::segy::samples::kernels::each::<$n, _>(src, dst, |$bytes| $body);
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
    low24_big: |b: [u8; 4]| [b[2], b[1], b[0]];
    low24_little: |b: [u8; 4]| [b[0], b[1], b[2]];
    int8_to_float32: |b: [u8; 1]| f32::from(i8::from_le_bytes(b)).to_le_bytes();
    uint8_to_float32: |b: [u8; 1]| f32::from(b[0]).to_le_bytes();
    int16_to_float32: |b: [u8; 2]| f32::from(i16::from_le_bytes(b)).to_le_bytes();
    uint16_to_float32: |b: [u8; 2]| f32::from(u16::from_le_bytes(b)).to_le_bytes();
    int32_to_float32: |b: [u8; 4]| (i32::from_le_bytes(b) as f32).to_le_bytes();
    uint32_to_float32: |b: [u8; 4]| (u32::from_le_bytes(b) as f32).to_le_bytes();
    int64_to_float32: |b: [u8; 8]| (i64::from_le_bytes(b) as f32).to_le_bytes();
    uint64_to_float32: |b: [u8; 8]| (u64::from_le_bytes(b) as f32).to_le_bytes();
    float64_to_float32: |b: [u8; 8]| (f64::from_le_bytes(b) as f32).to_le_bytes();
    float32_to_int8: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as i8).to_le_bytes();
    float32_to_uint8: |b: [u8; 4]| [f32::from_le_bytes(b).round_ties_even() as u8];
    float32_to_int16: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as i16).to_le_bytes();
    float32_to_uint16: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as u16).to_le_bytes();
    float32_to_int32: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as i32).to_le_bytes();
    float32_to_uint32: |b: [u8; 4]| (f32::from_le_bytes(b).round_ties_even() as u32).to_le_bytes();
}

/// From values of a type to the nearest float32.
pub(crate) fn cast_to_float32(native: Dtype) -> Kernel {
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

/// From float32 to the nearest integers of a type of up to 32 bits.
pub(crate) fn cast_from_float32(integer: Dtype) -> Option<Kernel> {
    match integer {
        Dtype::Int8 => Some(float32_to_int8),
        Dtype::UInt8 => Some(float32_to_uint8),
        Dtype::Int16 => Some(float32_to_int16),
        Dtype::UInt16 => Some(float32_to_uint16),
        Dtype::Int32 => Some(float32_to_int32),
        Dtype::UInt32 => Some(float32_to_uint32),
        _ => None,
    }
}

//! The Parquet encodings of page values.
//! Source: <https://github.com/apache/parquet-format/blob/master/Encodings.md>.

use crate::base::shuffle::shuffle_bytes;

/// Values in a block of DELTA_BINARY_PACKED, and in one of its miniblocks: the sizes every writer uses, so every reader
/// handles them.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// An integer type of Parquet, with the arithmetic of delta encoding: modulo 2^32 or 2^64.
pub(crate) trait Integer: Copy + Default + Ord {
    fn minus(self, other: Self) -> Self;
    fn signed(self) -> i64;
    /// The bits as an unsigned number.
    fn unsigned(self) -> u64;
}

impl Integer for i32 {
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    fn signed(self) -> i64 {
        i64::from(self)
    }
    fn unsigned(self) -> u64 {
        u64::from(self as u32)
    }
}

impl Integer for i64 {
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    fn signed(self) -> i64 {
        self
    }
    fn unsigned(self) -> u64 {
        self as u64
    }
}

/// DELTA_BINARY_PACKED: the differences of neighbours minus the smallest of their block, in as few bits as possible.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn delta_binary_packed<T: Integer>(values: &[T], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINIBLOCK) as u64, out);
    varint(values.len() as u64, out);
    zigzag(values.first().map_or(0, |v| v.signed()), out);
    let mut rest = values;
    let mut deltas = [T::default(); BLOCK];
    while rest.len() > 1 {
        let n = (rest.len() - 1).min(BLOCK);
        let mut min = rest[1].minus(rest[0]);
        for ((delta, value), next) in deltas.iter_mut().zip(&rest[..n]).zip(&rest[1..=n]) {
            *delta = next.minus(*value);
            min = min.min(*delta);
        }
        // The padding of the last miniblock must not widen it.
        deltas[n..].fill(min);
        delta_block(&deltas, min, n, out);
        rest = &rest[n..];
    }
}

/// One block with `n` values; empty miniblocks are left out.
#[inline(always)]
fn delta_block<T: Integer>(deltas: &[T; BLOCK], min: T, n: usize, out: &mut Vec<u8>) {
    zigzag(min.signed(), out);
    let widths_at = out.len();
    out.extend_from_slice(&[0; BLOCK / MINIBLOCK]);
    for (i, miniblock) in deltas.as_chunks::<MINIBLOCK>().0.iter().enumerate().take(n.div_ceil(MINIBLOCK)) {
        let relative = miniblock.map(|delta| delta.minus(min).unsigned());
        let mut all = 0;
        for value in &relative {
            all |= value;
        }
        let width = u64::BITS - all.leading_zeros();
        out[widths_at + i] = width as u8;
        if width <= u32::BITS {
            pack(width, &relative.map(|v| v as u32), out);
        } else {
            pack_wide(width, &relative, out);
        }
    }
}

/// Packs 32 values of `W` bits, lowest bits first. All shifts are constants, so the compiler unrolls the loop.
#[inline(always)]
fn pack_bits<const W: u32>(values: &[u32; MINIBLOCK], out: &mut Vec<u8>) {
    let mut words = [0u32; MINIBLOCK];
    let (mut buffer, mut filled, mut n_words) = (0u64, 0, 0);
    for &value in values {
        buffer |= u64::from(value) << filled;
        filled += W;
        if filled >= 32 {
            words[n_words] = buffer as u32;
            n_words += 1;
            buffer >>= 32;
            filled -= 32;
        }
    }
    out.extend(words[..W as usize].iter().flat_map(|word| word.to_le_bytes()));
}

/// Packs 32 values of up to 32 bits.
fn pack(width: u32, values: &[u32; MINIBLOCK], out: &mut Vec<u8>) {
    macro_rules! widths {
        ($($w:literal)*) => {
            match width {
                $($w => pack_bits::<$w>(values, out),)*
                _ => {}
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
}

/// Packs 32 values of more than 32 bits.
fn pack_wide(width: u32, values: &[u64; MINIBLOCK], out: &mut Vec<u8>) {
    let (mut buffer, mut filled) = (0u128, 0);
    for &value in values {
        buffer |= u128::from(value) << filled;
        filled += width;
        while filled >= 8 {
            out.push(buffer as u8);
            buffer >>= 8;
            filled -= 8;
        }
    }
}

/// BYTE_STREAM_SPLIT of little-endian numbers: the lowest bytes of all of them, then the second bytes, …
pub(crate) fn split_bytes<const N: usize>(numbers: &[[u8; N]], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + N * numbers.len(), 0);
    shuffle_bytes(numbers, &mut out[start..]);
}

/// PLAIN strings: length in 4 bytes, then the bytes.
pub(crate) fn plain_text(values: &[String], out: &mut Vec<u8>) {
    for value in values {
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(value.as_bytes());
    }
}

/// RLE_DICTIONARY indices of `n` rows that all have the first entry.
pub(crate) fn first_entry_repeated(n: usize, out: &mut Vec<u8>) {
    // Indices of one bit, as the C++ writer uses for a dictionary of one entry.
    out.push(1);
    varint((n as u64) << 1, out);
    out.push(0);
}

/// RLE / bit-packing hybrid of single bits, after its length: Boolean values, or which rows are not null.
pub(crate) fn hybrid_bits(n: usize, bit: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let first = n > 0 && bit(0);
    if (1..n).all(|i| bit(i) == first) {
        varint((n as u64) << 1, out);
        out.push(u8::from(first));
    } else {
        let groups = n.div_ceil(8);
        varint((groups as u64) << 1 | 1, out);
        let byte =
            |group: usize| (0..8).fold(0, |byte, i| byte | u8::from(group * 8 + i < n && bit(group * 8 + i)) << i);
        out.extend((0..groups).map(byte));
    }
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// ULEB128.
pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// ULEB128 of a signed number in zigzag form: the sign in the lowest bit.
pub(crate) fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_doubles_lie_apart() {
        for n in [0, 1, 7, 8, 30] {
            let values: Vec<f64> = (0..n).map(|i| (f64::from(i) + 0.1).sqrt() * 1e7).collect();
            let numbers: Vec<[u8; 8]> = values.iter().map(|v| v.to_le_bytes()).collect();
            let planes = (0..8).flat_map(|byte| numbers.iter().map(move |number| number[byte]));
            let mut out = vec![9];
            split_bytes(&numbers, &mut out);
            assert_eq!(out, std::iter::once(9).chain(planes).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn a_counter_takes_no_bits_for_its_values_however_many_they_are() {
        for n in [2, 33, 129, 130, 300] {
            let values: Vec<i32> = (0..n).map(|i| 3 * i).collect();
            let mut out = Vec::new();
            delta_binary_packed(&values, &mut out);
            let blocks = (values.len() - 1).div_ceil(BLOCK);
            let header = if n < 128 { 5 } else { 6 };
            assert_eq!(out.len(), header + blocks * (1 + BLOCK / MINIBLOCK), "{n} values");
        }
    }

    #[test]
    fn differences_are_taken_from_the_smallest_of_their_block_wherever_it_is() {
        // Differences of 7 and, once, of 4: two bits each.
        let values: Vec<i64> = (0..=128).map(|i| 7 * i - if i > 90 { 3 } else { 0 }).collect();
        let mut out = Vec::new();
        delta_binary_packed(&values, &mut out);
        assert_eq!(out[6..11], [8, 2, 2, 2, 2], "zigzag of 4, and a width for each miniblock");
        assert_eq!(out.len(), 11 + 4 * 8);
    }

    #[test]
    fn what_is_left_of_the_block_before_does_not_widen_the_last_one() {
        let noisy_then_flat: Vec<i32> = (0..=128).map(|i| i * i * i).chain([128 * 128 * 128; 2]).collect();
        let mut out = Vec::new();
        delta_binary_packed(&noisy_then_flat, &mut out);
        assert_eq!(out[out.len() - 5..], [0; 5]);
    }
}

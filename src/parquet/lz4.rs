//! LZ4 for rows of equal length that differ in a few bytes from the row before.
//!
//! A general compressor looks for matches in a hash table. Here all matches are one row back, so comparing each row with
//! the one before finds them. Rows of 240 bytes (synthetic trace headers) took less than 100 ns each and became 48 bytes;
//! Zstandard at level 1 took 425 ns for 27 bytes.
//! Source of the block format: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md>.

use std::ops::Range;

/// A match costs a token and two bytes of offset, and splits the literals in two; a shorter match saves nothing.
const MIN_MATCH: usize = 5;
/// The shortest match the format allows.
const FORMAT_MIN_MATCH: usize = 4;
/// The last bytes of a block are literals.
const LAST_LITERALS: usize = 5;
/// The last match begins at least this many bytes before the end.
const LAST_MATCH_BYTES: usize = 12;

/// Puts `rows` as one LZ4 block at the start of `out`, which grows as needed, and returns the length of the block. `width`
/// is the length of a row; no match can reach back more than 65,535 bytes, so longer rows are stored as they are.
pub(crate) fn compress_rows(rows: &[u8], width: usize, out: &mut Vec<u8>) -> usize {
    // A match never takes more than it replaces. That leaves the lengths of literals, and space for fixed-length copies
    // at the end.
    let longest = rows.len() + rows.len() / 255 + 16 + 2 * SHORT_LITERALS;
    if out.len() < longest {
        out.resize(longest, 0);
    }
    let mut block = Block { bytes: out, n: 0 };
    let mut anchor = 0;
    if let Ok(offset @ 1..) = u16::try_from(width) {
        let end = rows.len().saturating_sub(LAST_LITERALS);
        // From here to the current position, all bytes equal those of the row before.
        let mut same_from = width;
        let mut end_match = |at: usize, same_from: usize| {
            if at >= same_from + MIN_MATCH && same_from + LAST_MATCH_BYTES <= rows.len() {
                block.sequence(rows, anchor..same_from, Some((offset, at - same_from)));
                anchor = at;
            }
        };
        for start in (width..end).step_by(64) {
            let n = (end - start).min(64);
            let mut differing = differing_bytes(&rows[start..start + n], &rows[start - width..start - width + n]);
            while differing != 0 {
                let first = differing.trailing_zeros();
                let n = (differing >> first).trailing_ones();
                end_match(start + first as usize, same_from);
                same_from = start + (first + n) as usize;
                // Adding the lowest set bit clears its run of ones; the carry goes to the bit after the run, which is 0
                // in `differing`.
                differing &= differing.wrapping_add(1 << first);
            }
        }
        end_match(end, same_from);
    }
    block.sequence(rows, anchor..rows.len(), None);
    block.n
}

/// One bit per byte, for up to 64 bytes: whether the bytes differ, the first in the lowest bit.
#[inline(always)]
fn differing_bytes(a: &[u8], b: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if let (Some(a), Some(b)) = (a.first_chunk(), b.first_chunk()) {
        return differing_of_64(a, b);
    }
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut all = 0;
    for (i, (x, y)) in a_words.iter().zip(b_words).enumerate() {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            all |= nonzero_bytes(difference) << (8 * i);
        }
    }
    let rest = a_rest.iter().zip(b_rest).enumerate();
    rest.fold(all, |all, (i, (x, y))| all | u64::from(x != y) << (8 * a_words.len() + i))
}

/// As [`differing_bytes`], 16 bytes at a time, which every x86-64 processor can compare.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn differing_of_64(a: &[u8; 64], b: &[u8; 64]) -> u64 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8};
    let (a, b) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
    // SAFETY: every x86-64 has SSE2; each pointer is to 16 bytes, and the loads need no alignment.
    let equal = |i: usize| unsafe {
        let [x, y] = [&a[i], &b[i]].map(|bytes| _mm_loadu_si128(bytes.as_ptr().cast::<__m128i>()));
        u64::from(_mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) as u16)
    };
    !(equal(0) | equal(1) << 16 | equal(2) << 32 | equal(3) << 48)
}

/// One bit per byte, from the lowest: whether the byte is not zero.
#[inline(always)]
fn nonzero_bytes(word: u64) -> u64 {
    const LOW_BITS: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let high_bits = (((word & LOW_BITS) + LOW_BITS) | word) & !LOW_BITS;
    // The product collects the lowest bits of all bytes in its highest byte.
    ((high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080)) >> 56
}

/// Fewer literals than this are copied as a block of this length, in one instruction instead of a call.
const SHORT_LITERALS: usize = 16;

/// A block being written; `bytes` is long enough for all of it.
struct Block<'a> {
    bytes: &'a mut [u8],
    /// Bytes written.
    n: usize,
}

impl Block<'_> {
    /// One sequence: literals, and a match of (offset, length) unless it is the last of the block.
    #[inline(always)]
    fn sequence(&mut self, rows: &[u8], literals: Range<usize>, matched: Option<(u16, usize)>) {
        let beyond = matched.map_or(0, |(_, length)| length - FORMAT_MIN_MATCH);
        let n_literals = literals.len();
        let token = (n_literals.min(15) << 4 | beyond.min(15)) as u8;
        let room = self.bytes.get_mut(self.n..).and_then(|room| room.first_chunk_mut::<{ 2 * SHORT_LITERALS }>());
        let short = rows.get(literals.start..).and_then(|rest| rest.first_chunk::<SHORT_LITERALS>());
        if let (Some(room), Some(short), Some((offset, _)), true) = (room, short, matched, n_literals < 15) {
            room[0] = token;
            room[1..][..SHORT_LITERALS].copy_from_slice(short);
            room[1 + n_literals..][..2].copy_from_slice(&offset.to_le_bytes());
            self.n += 1 + n_literals + 2;
        } else {
            self.put(&[token]);
            self.more_length(n_literals);
            self.put(&rows[literals]);
            if let Some((offset, _)) = matched {
                self.put(&offset.to_le_bytes());
            }
        }
        self.more_length(beyond);
    }

    /// The part of a length that its four bits in the token cannot hold.
    #[inline(always)]
    fn more_length(&mut self, length: usize) {
        if let Some(mut rest) = length.checked_sub(15) {
            while rest >= 255 {
                self.put(&[255]);
                rest -= 255;
            }
            self.put(&[rest as u8]);
        }
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.n..][..bytes.len()].copy_from_slice(bytes);
        self.n += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(rows: &[u8], width: usize) -> Vec<u8> {
        // There may be bytes of a longer earlier block in the buffer.
        let mut block = vec![0xAA; 1000];
        let n = compress_rows(rows, width, &mut block);
        block[..n].to_vec()
    }

    /// A decoder written from the description of the format. It also checks the rules for the end of a block.
    fn decompress(mut block: &[u8], length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut last_match_begin = 0;
        loop {
            let token = take(&mut block, 1)[0];
            let n_literals = read_length(token >> 4, &mut block);
            out.extend_from_slice(take(&mut block, n_literals));
            if block.is_empty() {
                assert!(out.len() == n_literals || n_literals >= LAST_LITERALS, "too few literals at the end");
                assert!(last_match_begin == 0 || last_match_begin + 12 <= length, "the last match begins too late");
                return out;
            }
            let offset = take(&mut block, 2);
            let offset = usize::from(u16::from_le_bytes([offset[0], offset[1]]));
            last_match_begin = out.len();
            for _ in 0..read_length(token & 15, &mut block) + FORMAT_MIN_MATCH {
                out.push(out[out.len() - offset]);
            }
        }
    }

    fn take<'a>(block: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (taken, rest) = block.split_at(n);
        *block = rest;
        taken
    }

    fn read_length(nibble: u8, block: &mut &[u8]) -> usize {
        if nibble < 15 {
            return usize::from(nibble);
        }
        let n_full = block.iter().take_while(|&&byte| byte == 255).count();
        let last = take(block, n_full + 1)[n_full];
        15 + 255 * n_full + usize::from(last)
    }

    proptest! {
        #[test]
        fn rows_come_back_the_same(
            width in 1usize..300,
            n_rows in 0usize..20,
            first in proptest::collection::vec(any::<u8>(), 300),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..400),
        ) {
            let mut rows: Vec<u8> = std::iter::repeat_n(&first[..width], n_rows).flatten().copied().collect();
            for (at, value) in changes {
                if !rows.is_empty() {
                    let at = at.index(rows.len());
                    rows[at] = value;
                }
            }
            let block = compressed(&rows, width);
            prop_assert_eq!(decompress(&block, rows.len()), rows);
        }
    }

    #[test]
    fn equal_rows_cost_next_to_nothing() {
        let rows = [7; 240 * 4096];
        let block = compressed(&rows, 240);
        assert!(block.len() < 240 + rows.len() / 255 + 20, "{} bytes", block.len());
    }

    #[test]
    fn rows_longer_than_a_match_can_reach_are_stored() {
        let rows: Vec<u8> = (0..3 * 70_000u32).map(|i| (i % 70_000 % 251) as u8).collect();
        let block = compressed(&rows, 70_000);
        assert!(block.len() > rows.len());
        assert_eq!(decompress(&block, rows.len()), rows);
    }
}

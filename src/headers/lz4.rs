//! LZ4 for rows of equal length that differ in a few bytes from the row before.
//!
//! A general compressor looks for matches in a hash table. Here they are where they always are, one row back, so
//! a comparison of eight bytes at a time with the row before finds them.
//! Source of the block format: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md>.

/// A match costs a token and two bytes of offset, and cuts the literals in two; a shorter one gains nothing.
const MIN_MATCH: usize = 5;
/// The shortest match that the format can say.
const FORMAT_MIN_MATCH: usize = 4;
/// The last match begins at least so many bytes before the end of the block, …
const LAST_MATCH_BEGINS: usize = 12;
/// … and the last bytes are literals.
const LAST_LITERALS: usize = 5;

/// Appends `rows` as one LZ4 block. `width` is the length of a row; beyond 65,535, which no match can reach, the
/// bytes are stored as they are.
pub(super) fn compress_rows(rows: &[u8], width: usize, out: &mut Vec<u8>) {
    let mut anchor = 0;
    if let Ok(offset @ 1..) = u16::try_from(width)
        && rows.len() > width + LAST_MATCH_BEGINS
    {
        let last_begin = rows.len() - LAST_MATCH_BEGINS;
        let end = rows.len() - LAST_LITERALS;
        let mut at = width;
        while at <= last_begin {
            let difference = word(rows, at) ^ word(rows, at - width);
            if difference == 0 {
                let length = 8 + equal_bytes(&rows[at + 8..end], &rows[at + 8 - width..end - width]);
                let length = length.min(end - at);
                sequence(&rows[anchor..at], Some((offset, length)), out);
                at += length;
                anchor = at;
                continue;
            }
            let equal_first = difference.trailing_zeros() as usize / 8;
            let equal_last = difference.leading_zeros() as usize / 8;
            if equal_first >= MIN_MATCH {
                sequence(&rows[anchor..at], Some((offset, equal_first)), out);
                anchor = at + equal_first;
            }
            at += 8 - equal_last;
        }
    }
    sequence(&rows[anchor..], None, out);
}

/// Eight bytes; the caller keeps `at` eight bytes from the end.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

/// How many bytes are equal from the start.
#[inline(always)]
fn equal_bytes(a: &[u8], b: &[u8]) -> usize {
    let (a_words, b_words) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    for (i, (x, y)) in a_words.iter().zip(b_words).enumerate() {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return 8 * i + difference.trailing_zeros() as usize / 8;
        }
    }
    let whole = 8 * a_words.len();
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(x, y)| x == y).count()
}

/// One sequence: literals, and a match of (offset, length) unless it is the last of the block.
#[inline(always)]
fn sequence(literals: &[u8], matched: Option<(u16, usize)>, out: &mut Vec<u8>) {
    let beyond = matched.map_or(0, |(_, length)| length - FORMAT_MIN_MATCH);
    out.push((literals.len().min(15) << 4 | beyond.min(15)) as u8);
    more_length(literals.len(), out);
    out.extend_from_slice(literals);
    if let Some((offset, _)) = matched {
        out.extend_from_slice(&offset.to_le_bytes());
        more_length(beyond, out);
    }
}

/// The part of a length that its four bits in the token cannot hold.
#[inline(always)]
fn more_length(length: usize, out: &mut Vec<u8>) {
    if let Some(mut rest) = length.checked_sub(15) {
        while rest >= 255 {
            out.push(255);
            rest -= 255;
        }
        out.push(rest as u8);
    }
}

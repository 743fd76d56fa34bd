//! CRC-32C of whole files; `metadata.json` keeps one for every file that has no checksum of its own.

use std::io::{Read, Write};

use crc_fast::{CrcAlgorithm, Digest};
use serde::{Deserialize, Serialize};

use crate::base::error::{Result, failed};
use crate::store::{Place, Reader, Stream};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// The CRC-32C (Castagnoli) of some bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The CRC-32C of bytes with CRC-32C `crc` followed by `bytes`.
#[inline]
pub(crate) fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    // The algorithm's register holds the complement of the result.
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
    digest.update(bytes);
    digest.finalize() as u32
}

/// The CRC-32C of bytes with CRC-32C `crc` followed by `n` bytes with CRC-32C `other`.
///
/// That is crc × x^(8n) + other, as polynomials modulo that of the CRC. The powers come from squaring, which takes a
/// microsecond or two; the matrices that libraries use take a hundred. A polynomial has its lowest power in the highest
/// bit.
fn crc32c_combine(crc: u32, other: u32, n: u64) -> u32 {
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    let times = |a: u32, mut b: u32| {
        let mut product = 0;
        for power in 0..u32::BITS {
            product ^= if a >> (31 - power) & 1 == 1 { b } else { 0 };
            b = b >> 1 ^ if b & 1 == 1 { POLYNOMIAL } else { 0 };
        }
        product
    };
    let (mut shifted, mut power, mut left) = (crc, 1 << (31 - 8), n);
    while left > 0 {
        if left & 1 == 1 {
            shifted = times(power, shifted);
        }
        power = times(power, power);
        left >>= 1;
    }
    shifted ^ other
}

/// The CRC-32C of any bytes that end with their own CRC-32C, little-endian.
const RESIDUE: u32 = 0x4867_4BC7;

/// Length and CRC-32C (Castagnoli) of a file. If the file ends with the CRC-32C of the bytes before it, that one: over all
/// bytes it would always be [`RESIDUE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Length of the file.
    pub bytes: u64,
    /// Eight lower-case hexadecimal digits.
    pub crc32c: String,
}

impl Checksum {
    /// Of a file with these bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let mut sums = ByteSums::default();
        sums.push(bytes);
        Self { bytes: sums.n_bytes, crc32c: hexadecimal(sums.crc32c) }
    }

    /// Reads the whole file.
    pub fn of_file(path: &Place) -> Result<Self> {
        let file = Reader::open(path).and_then(Reader::whole).map_err(failed(path.display()))?;
        let (sums, end) = read_through(file, path)?;
        let crc = if sums.crc32c == RESIDUE { end } else { sums.crc32c };
        Ok(Self { bytes: sums.n_bytes, crc32c: hexadecimal(crc) })
    }

    /// Whether the file has this checksum. It is read only if its length is right. Version 1 has [`RESIDUE`] for files
    /// that end with their own checksum.
    pub fn is_of_file(&self, path: &Place) -> Result<bool> {
        let file = Reader::open(path).map_err(failed(path.display()))?;
        if file.bytes().map_err(failed(path.display()))? != self.bytes {
            return Ok(false);
        }
        let file = file.stream(0, self.bytes).map_err(failed(path.display()))?;
        let (sums, end) = read_through(file, path)?;
        let is_expected = |crc| hexadecimal(crc) == self.crc32c;
        Ok(is_expected(sums.crc32c) || sums.crc32c == RESIDUE && is_expected(end))
    }
}

/// The sums of a stream, and its last four bytes as a number.
fn read_through(mut file: Stream, path: &Place) -> Result<(ByteSums, u32)> {
    const N: usize = size_of::<u32>();
    let mut sums = ByteSums::default();
    // The end of what was read before lies before what is read next.
    let mut buffer = vec![0; N + BUFFER_BYTES];
    loop {
        match file.read(&mut buffer[N..]).map_err(failed(path.display()))? {
            0 => return Ok((sums, buffer.first_chunk().map_or(0, |end| u32::from_le_bytes(*end)))),
            n => {
                sums.push(&buffer[N..N + n]);
                buffer.copy_within(n..n + N, 0);
            }
        }
    }
}

/// Length and CRC-32C of bytes that more may follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteSums {
    pub n_bytes: u64,
    pub crc32c: u32,
}

impl ByteSums {
    /// Adds the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.n_bytes += bytes.len() as u64;
        self.crc32c = crc32c_append(self.crc32c, bytes);
    }

    /// The sums of this part followed by `other`.
    pub fn followed_by(self, other: Self) -> Self {
        let crc32c = crc32c_combine(self.crc32c, other.crc32c, other.n_bytes);
        Self { n_bytes: self.n_bytes + other.n_bytes, crc32c }
    }
}

/// One checksum for consecutive chunks: the CRC-32C of their CRC-32Cs, four little-endian bytes each, in the order of
/// the trace axis and then of the sample axis. It proves that any number of chunks are intact and in their places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkSums {
    pub n_chunks: u64,
    pub crc32c: u32,
}

impl ChunkSums {
    /// Adds the next chunk.
    pub fn push(&mut self, crc: u32) {
        self.n_chunks += 1;
        self.crc32c = crc32c_append(self.crc32c, &crc.to_le_bytes());
    }

    /// The sums of this part followed by `other`.
    pub fn followed_by(self, other: Self) -> Self {
        let crc32c = crc32c_combine(self.crc32c, other.crc32c, 4 * other.n_chunks);
        Self { n_chunks: self.n_chunks + other.n_chunks, crc32c }
    }

    /// The contribution of a chunk followed by `n_after` others. The sum is the exclusive or of all contributions, so
    /// chunks can be read in any order.
    pub fn contribution(crc: u32, n_after: u64) -> u32 {
        crc32c_combine(crc32c(&crc.to_le_bytes()), 0, 4 * n_after)
    }
}

/// A CRC-32C as documents show it.
pub(crate) fn hexadecimal(crc: u32) -> String {
    format!("{crc:08x}")
}

/// A writer that computes the checksum of what passes through it.
pub(crate) struct Summing<W> {
    inner: W,
    sums: ByteSums,
}

impl<W: Write> Summing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self::after(ByteSums::default(), inner)
    }

    /// For an `inner` that already has bytes with these sums.
    pub(crate) fn after(sums: ByteSums, inner: W) -> Self {
        Self { inner, sums }
    }

    /// The writer that got the bytes.
    pub(crate) fn into_inner(self) -> W {
        self.inner
    }

    /// The checksum of all bytes so far.
    pub(crate) fn checksum(&self) -> Checksum {
        Checksum { bytes: self.sums.n_bytes, crc32c: hexadecimal(self.sums.crc32c) }
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.sums.push(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    proptest::proptest! {
        #[test]
        fn sums_of_parts_and_of_chunks_in_any_order_are_those_of_the_whole(
            crcs in proptest::collection::vec(proptest::num::u32::ANY, 1..50),
            cut in 0usize..50,
        ) {
            let sums = |crcs: &[u32]| {
                let mut sums = ChunkSums::default();
                crcs.iter().for_each(|&crc| sums.push(crc));
                sums
            };
            let whole = sums(&crcs);
            let bytes: Vec<u8> = crcs.iter().flat_map(|crc| crc.to_le_bytes()).collect();
            proptest::prop_assert_eq!(whole.crc32c, crc32c(&bytes));
            let (front, after) = crcs.split_at(cut.min(crcs.len()));
            proptest::prop_assert_eq!(sums(front).followed_by(sums(after)), whole);
            let n_after = |i: usize| (crcs.len() - 1 - i) as u64;
            let parts = crcs.iter().enumerate().rev().map(|(i, &crc)| ChunkSums::contribution(crc, n_after(i)));
            proptest::prop_assert_eq!(parts.fold(0, |a, b| a ^ b), whole.crc32c);
        }
    }

    proptest::proptest! {
        #[test]
        fn sums_are_combined_as_the_library_combines_them(crc: u32, other: u32, n: u64, bits in 0u32..64) {
            let n = n >> bits;
            let combined = crc_fast::checksum_combine(CrcAlgorithm::Crc32Iscsi, crc.into(), other.into(), n);
            proptest::prop_assert_eq!(u64::from(crc32c_combine(crc, other, n)), combined);
        }

        #[test]
        fn bytes_that_come_one_after_the_other_have_the_sum_of_all(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000), cut in 0usize..2000,
        ) {
            let (front, after) = bytes.split_at(cut.min(bytes.len()));
            proptest::prop_assert_eq!(crc32c_append(crc32c(front), after), crc32c(&bytes));
            proptest::prop_assert_eq!(crc32c_combine(crc32c(front), crc32c(after), after.len() as u64), crc32c(&bytes));
        }
    }

    #[test]
    fn files_that_end_with_their_checksum_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::of(&directory.path().join("file")).unwrap();
        // The end lies in two reads in some of them.
        for n in
            [0, 1, 3, 100, BUFFER_BYTES - 4, BUFFER_BYTES - 3, BUFFER_BYTES - 1, BUFFER_BYTES, 2 * BUFFER_BYTES + 5]
        {
            let mut checksums = [1, 2].map(|step| {
                let mut bytes: Vec<u8> = (0..n).map(|i| (i * step) as u8).collect();
                let crc = crc32c(&bytes);
                bytes.extend(crc.to_le_bytes());
                assert_eq!(crc32c(&bytes), RESIDUE);
                place.write(&bytes).unwrap();
                let checksum = Checksum::of_file(&place).unwrap();
                assert_eq!(checksum, Checksum { bytes: n as u64 + 4, crc32c: hexadecimal(crc) });
                assert_eq!(checksum.is_of_file(&place), Ok(true));
                let of_version_1 = Checksum { crc32c: hexadecimal(RESIDUE), ..checksum.clone() };
                assert_eq!(of_version_1.is_of_file(&place), Ok(true));
                checksum
            });
            let [first, second] = &mut checksums;
            assert!(n < 2 || first != second);
            assert_eq!(first.is_of_file(&place), Ok(n < 2));
        }
    }

    #[test]
    fn a_file_read_through_has_the_checksum_of_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = Summing::new(File::create(&path).unwrap());
        for i in 0..300_000u32 {
            file.write_all(&i.to_le_bytes()[..3]).unwrap();
        }
        assert_eq!(Checksum::of_file(&Place::of(&path).unwrap()).unwrap(), file.checksum());
        std::fs::write(&path, b"123456789").unwrap();
        let check = Checksum { bytes: 9, crc32c: "e3069283".into() };
        let place = Place::of(&path).unwrap();
        assert_eq!(Checksum::of_file(&place).unwrap(), check);
        assert_eq!(check.is_of_file(&place), Ok(true));
        for other in [Checksum { bytes: 8, ..check.clone() }, Checksum { crc32c: "e3069284".into(), ..check }] {
            assert_eq!(other.is_of_file(&place), Ok(false));
        }
    }
}

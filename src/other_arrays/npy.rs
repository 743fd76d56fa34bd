//! NumPy's files of one array.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::ops::Range;
use std::path::Path;

use crate::other_arrays::blocks::{Block, block_of, c_strides};
use crate::other_arrays::{Kind, OtherArray};
use crate::segy::Dtype;
use crate::store::{Place, Reader, is_remote};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes of the longest description.
const MOST_BYTES: u64 = 1 << 16;

/// The values of an array in a file.
pub(super) struct Npy {
    reader: Reader,
    /// Where they begin.
    offset: u64,
    is_fortran: bool,
    is_big_endian: bool,
}

/// What the file says of its array.
struct Description {
    dtype: Dtype,
    is_big_endian: bool,
    is_fortran: bool,
    shape: Vec<u64>,
}

impl Npy {
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn open(path: &Path) -> Result<OtherArray, String> {
        let cannot = |e| format!("cannot be read: {e}");
        let place = if is_remote(path) { Place::to_read(path) } else { Place::file_to_read(path) }.map_err(cannot)?;
        let reader = Reader::open(&place).map_err(cannot)?;
        let bytes = reader.bytes().map_err(cannot)?;
        let mut start = [0; 12];
        let n = bytes.min(start.len() as u64) as usize;
        reader.read_exact_at(&mut start[..n], 0).map_err(cannot)?;
        let none = || "is no .npy file".to_owned();
        if !start.starts_with(MAGIC) {
            return Err(none());
        }
        let (begin, length) = match start[6] {
            1 => (10, u64::from(u16::from_le_bytes([start[8], start[9]]))),
            _ => (12, u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]]))),
        };
        if length > MOST_BYTES || begin + length > bytes {
            return Err(none());
        }
        let mut text = vec![0; length as usize];
        reader.read_exact_at(&mut text, begin).map_err(cannot)?;
        let Description { dtype, is_big_endian, is_fortran, shape } = describe(&String::from_utf8_lossy(&text))?;
        let n = shape.iter().try_fold(dtype.size() as u64, |n, &length| n.checked_mul(length));
        if n.and_then(|n| n.checked_add(begin + length)).is_none_or(|end| end > bytes) {
            return Err("is shorter than its array".into());
        }
        let block = block(&shape, is_fortran, dtype.size());
        let kind = Kind::Npy(Self { reader, offset: begin + length, is_fortran, is_big_endian });
        Ok(OtherArray { path: path.to_owned(), shape, dimensions: None, dtype, block, kind })
    }

    /// # Errors
    /// Why it cannot be read.
    pub(super) fn read(&self, ranges: &[Range<u64>], shape: &[u64], dtype: Dtype) -> Result<Block, String> {
        let turned = |values: &[u64]| -> Vec<u64> {
            if self.is_fortran { values.iter().rev().copied().collect() } else { values.to_vec() }
        };
        let lengths: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
        let starts: Vec<u64> = ranges.iter().map(|range| range.start).collect();
        let (shape, lengths, starts) = (turned(shape), turned(&lengths), turned(&starts));
        let size = dtype.size();
        let mut bytes = vec![0; lengths.iter().product::<u64>() as usize * size];
        // Dimensions that are read whole are one run with the next slower one.
        let whole = lengths.iter().zip(&shape).rev().take_while(|(length, all)| length == all).count();
        let n_outer = lengths.len().saturating_sub(whole + 1);
        let run = lengths[n_outer..].iter().product::<u64>() as usize * size;
        let file_strides = c_strides(&shape);
        let at = |i: usize, index: u64| (starts[i] + index) * file_strides[i] as u64;
        let in_run: u64 = (n_outer..lengths.len()).map(|i| at(i, 0)).sum();
        for (number, out) in bytes.chunks_mut(run.max(1)).enumerate() {
            let (mut left, mut place) = (number as u64, in_run);
            for i in (0..n_outer).rev() {
                place += at(i, left % lengths[i]);
                left /= lengths[i];
            }
            let offset = self.offset + place * size as u64;
            self.reader.read_exact_at(out, offset).map_err(|e| format!("cannot be read: {e}"))?;
        }
        if self.is_big_endian {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        let mut strides = c_strides(&lengths);
        if self.is_fortran {
            strides.reverse();
        }
        Ok(Block { bytes, strides })
    }
}

/// Lengths of blocks that are read in long runs and yet reach far along the slowest dimension, which may be that of the
/// samples.
fn block(shape: &[u64], is_fortran: bool, item_bytes: usize) -> Vec<u64> {
    const RUN_BYTES: usize = 16 << 10;
    let mut turned = shape.to_vec();
    if is_fortran {
        turned.reverse();
    }
    let mut run = vec![1; turned.len()];
    if let Some(last) = run.last_mut() {
        *last = (RUN_BYTES / item_bytes) as u64;
    }
    let mut block = block_of(&run, &turned, (!shape.is_empty()).then_some(0), item_bytes);
    if is_fortran {
        block.reverse();
    }
    block
}

/// Reads the description, a literal of Python.
fn describe(text: &str) -> Result<Description, String> {
    let wrong = || "has a description that this program cannot read".to_owned();
    let after = |key: &str| {
        let at = text.find(&format!("'{key}':"))? + key.len() + 3;
        text.get(at..).map(str::trim_start)
    };
    let quoted = after("descr").and_then(|rest| rest.strip_prefix('\'')?.split('\'').next()).ok_or_else(wrong)?;
    let dtype =
        Dtype::of_numpy(quoted).ok_or_else(|| format!("has values of the type {quoted}; it has to be numbers"))?;
    let is_fortran = after("fortran_order").is_some_and(|rest| rest.starts_with("True"));
    let shape = after("shape").and_then(|rest| rest.strip_prefix('(')?.split(')').next()).ok_or_else(wrong)?;
    let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
    let shape = lengths.map(|length| length.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    Ok(Description { dtype, is_big_endian: quoted.starts_with('>'), is_fortran, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(description: &str, values: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.npy");
        let length = (description.len() as u16).to_le_bytes();
        std::fs::write(&path, [MAGIC, &[1, 0], &length, description.as_bytes(), values].concat()).unwrap();
        (directory, path)
    }

    #[test]
    fn any_order_is_read_with_its_strides() {
        let values: Vec<u8> = (0..24_u16).flat_map(u16::to_be_bytes).collect();
        for (order, is_fortran) in [("False", false), ("True", true)] {
            let description = format!("{{'descr': '>u2', 'fortran_order': {order}, 'shape': (2, 3, 4), }}\n");
            let (_directory, path) = written(&description, &values);
            let array = OtherArray::open(&path).unwrap();
            assert_eq!((array.shape.as_slice(), array.dtype), ([2, 3, 4].as_slice(), Dtype::UInt16));
            let block = array.read(&[1..2, 0..3, 1..3]).unwrap();
            for j in 0..3 {
                for k in 0..2 {
                    let at = 2 * (j * block.strides[1] + k * block.strides[2]);
                    let expected = if is_fortran { 1 + 2 * j + 6 * (k + 1) } else { 12 + 4 * j + k + 1 };
                    assert_eq!(block.bytes[at..at + 2], (expected as u16).to_le_bytes(), "{order} {j} {k}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_array_is_said() {
        for (description, expected) in [
            ("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "type |O"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9), }", "shorter"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "cannot read"),
        ] {
            let (_directory, path) = written(description, &[0; 8]);
            let error = OtherArray::open(&path).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

//! Arrays that other programs wrote: Zarr version 2 and 3 and NumPy's `.npy`, read block by block.
//!
//! A block is what can be read at a time without decoding anything twice. Its values are little-endian.

mod blocks;
mod npy;
mod zarr;

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result};
use crate::segy::Dtype;
use crate::store::is_remote;

pub(crate) use blocks::{Block, blocks};
use npy::Npy;
pub(crate) use zarr::SAMPLE_DIMENSIONS;
use zarr::ZarrArray;

/// Why an array is refused whose values have another type.
const OTHER_TYPE: &str = "has values of a type other than int8 to int64, uint8 to uint64, float32 and float64; write it with one \
                          of these, as in astype(\"float32\")";
/// Values of a coordinate that are read, at most.
const MOST_VALUES: u64 = 1 << 27;

/// An array of any number of dimensions.
pub(crate) struct OtherArray {
    pub path: PathBuf,
    pub shape: Vec<u64>,
    /// Names of the dimensions, if the array gives them.
    pub dimensions: Option<Vec<String>>,
    pub dtype: Dtype,
    /// How many values along each dimension are best read at a time.
    pub block: Vec<u64>,
    kind: Kind,
}

/// The values of an array beside another one.
pub(crate) struct Coordinate {
    pub path: PathBuf,
    pub shape: Vec<u64>,
    pub values: Vec<f64>,
}

enum Kind {
    Zarr(Box<ZarrArray>),
    Npy(Npy),
}

impl OtherArray {
    /// Opens the array at a path: a file `.npy`, or a directory or prefix of Zarr.
    ///
    /// # Errors
    /// `Error::Input` if there is no array, or one that cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        crate::store::check_address(path)?;
        let what = |what: String| Error::Input(format!("{}: {what}", path.display()));
        if path.extension().is_some_and(|extension| extension == "npy") {
            return Npy::open(path).map_err(what);
        }
        let array = ZarrArray::open(path).map_err(what)?;
        array.ok_or_else(|| what("is no array: there is neither zarr.json nor .zarray".into()))
    }

    /// Reads a block, given by its range along each dimension.
    ///
    /// # Errors
    /// `Error::Input` if it cannot be read.
    pub(crate) fn read(&self, ranges: &[Range<u64>]) -> Result<Block> {
        let read = match &self.kind {
            Kind::Zarr(array) => array.read(ranges),
            Kind::Npy(array) => array.read(ranges, &self.shape, self.dtype),
        };
        read.map_err(|what| Error::Input(format!("{}: {what}", self.path.display())))
    }

    /// The values of the array of this name beside this one, in its group: its shape and its numbers, if there is one.
    ///
    /// # Errors
    /// `Error::Input` if it cannot be read, or holds no numbers.
    pub(crate) fn coordinate(&self, name: &str) -> Result<Option<Coordinate>> {
        if !matches!(self.kind, Kind::Zarr(_)) || name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.')
        {
            return Ok(None);
        }
        let path = group_of(&self.path).join(name);
        if !ZarrArray::is_at(&path).map_err(|what| Error::Input(format!("{}: {what}", path.display())))? {
            return Ok(None);
        }
        Self::open(&path)?.numbers().map(|(shape, values)| Some(Coordinate { path, shape, values }))
    }

    /// Its shape and all its values.
    ///
    /// # Errors
    /// `Error::Input` if it has very many.
    pub(crate) fn numbers(&self) -> Result<(Vec<u64>, Vec<f64>)> {
        let n = self.shape.iter().try_fold(1_u64, |n, &length| n.checked_mul(length));
        if n.is_none_or(|n| n > MOST_VALUES) {
            return Err(Error::Input(format!("{}: has more than {MOST_VALUES} values", self.path.display())));
        }
        let all: Vec<Range<u64>> = self.shape.iter().map(|&length| 0..length).collect();
        let bytes = self.read(&all)?.bytes;
        Ok((self.shape.clone(), bytes.chunks_exact(self.dtype.size()).map(|b| self.dtype.number(b)).collect()))
    }
}

/// The directory that an array lies in.
fn group_of(path: &Path) -> PathBuf {
    let absolute = if is_remote(path) { path.to_owned() } else { std::path::absolute(path).unwrap_or(path.into()) };
    absolute.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

//! Arrays of Zarr version 2 and 3, read with the library `zarrs`.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use zarrs::array::data_type::{
    Float32DataType, Float64DataType, Int8DataType, Int16DataType, Int32DataType, Int64DataType, UInt8DataType,
    UInt16DataType, UInt32DataType, UInt64DataType,
};
use zarrs::array::{Array, ArrayBytes, ArrayShardedExt, ArraySubset, CodecOptions, DataType};
use zarrs::storage::byte_range::{ByteRange, ByteRangeIterator};
use zarrs::storage::{Bytes, MaybeBytesIterator, ReadableStorageTraits, StorageError, StoreKey};

use crate::dataset_files::ZARR_JSON;
use crate::other_arrays::blocks::{Block, block_of};
use crate::other_arrays::{Kind, OTHER_TYPE, OtherArray};
use crate::segy::Dtype;
use crate::store::files::find_json;
use crate::store::place::is_absence;
use crate::store::{Place, Reader};

/// The document of an array of version 2, and the attribute that names its dimensions.
const ZARRAY: &str = ".zarray";
const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";
/// Names of dimensions along a trace.
pub(crate) const SAMPLE_DIMENSIONS: [&str; 8] = ["sample", "samples", "time", "twt", "depth", "frequency", "t", "z"];
/// Bytes of a chunk at most.
const MOST_CHUNK_BYTES: u64 = 4 << 30;

/// The values of an array.
pub(super) struct ZarrArray {
    array: Array<Store>,
    options: CodecOptions,
}

impl ZarrArray {
    /// Whether there is the document of an array.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub(super) fn is_at(path: &Path) -> Result<bool, String> {
        match Place::to_read(path) {
            Ok(place) => is_there(&place),
            Err(e) if is_absence(&e) || e.kind() == io::ErrorKind::NotADirectory => Ok(false),
            Err(e) => Err(format!("cannot be read: {e}")),
        }
    }

    /// `None` if there is no document of an array.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Option<OtherArray>, String> {
        let place = Place::to_read(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotADirectory => "is neither a directory of Zarr nor called .npy".to_owned(),
            _ => format!("cannot be read: {e}"),
        })?;
        if !is_there(&place)? {
            return Ok(None);
        }
        if is_group(&place)? {
            return Err("is a group; name an array in it, as in GROUP/amplitude".into());
        }
        let array = Array::open(Arc::new(Store { place }), "/")
            .map_err(|e| format!("is not an array that can be read: {e}"))?;
        let dtype = dtype(array.data_type()).ok_or(OTHER_TYPE)?;
        if let Some(name) = ["scale_factor", "add_offset"].into_iter().find(|n| array.attributes().contains_key(*n)) {
            return Err(format!("its values are packed ({name}); write it without, as floats"));
        }
        let shape = array.shape().to_vec();
        let dimensions = dimensions(&array);
        let first = dimensions
            .as_ref()
            .and_then(|names| names.iter().position(|name| SAMPLE_DIMENSIONS.contains(&name.as_str())));
        let chunk = chunk(&array)?;
        let bytes = chunk.iter().try_fold(dtype.size() as u64, |n, &length| n.checked_mul(length));
        if bytes.is_none_or(|n| n > MOST_CHUNK_BYTES) {
            return Err(format!("its chunks have more than {MOST_CHUNK_BYTES} bytes; write it with shorter ones"));
        }
        let block = block_of(&chunk, &shape, first, dtype.size());
        // The threads of the caller are enough.
        let options = CodecOptions::default().with_concurrent_target(1);
        let kind = Kind::Zarr(Box::new(Self { array, options }));
        Ok(Some(OtherArray { path: path.to_owned(), shape, dimensions, dtype, block, kind }))
    }

    /// # Errors
    /// Why it cannot be read.
    pub(super) fn read(&self, ranges: &[Range<u64>]) -> Result<Block, String> {
        let subset = ArraySubset::new_with_ranges(ranges);
        let shape: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
        let read: Result<ArrayBytes, _> = self.array.retrieve_array_subset_opt(&subset, &self.options);
        let bytes = read.and_then(|bytes| Ok(bytes.into_fixed()?)).map_err(|e| format!("cannot be read: {e}"))?;
        let mut bytes = bytes.into_owned();
        if cfg!(target_endian = "big") {
            let size = self.array.data_type().fixed_size().unwrap_or(1);
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(Block::in_c_order(bytes, &shape))
    }
}

/// Whether the document is that of a group.
fn is_group(place: &Place) -> Result<bool, String> {
    let document: Option<Value> = find_json(&place.join(ZARR_JSON)).map_err(|e| format!("cannot be read: {e}"))?;
    Ok(document.is_some_and(|document| document["node_type"] == "group"))
}

fn is_there(place: &Place) -> Result<bool, String> {
    for name in [ZARR_JSON, ZARRAY] {
        match place.join(name).find() {
            Ok(Some(_)) => return Ok(true),
            Ok(None) => {}
            Err(e) if is_absence(&e) => {}
            Err(e) => return Err(format!("cannot be read: {e}")),
        }
    }
    Ok(false)
}

/// What is decoded at a time: a chunk, or one inside a shard.
fn chunk(array: &Array<Store>) -> Result<Vec<u64>, String> {
    let zeros = vec![0; array.shape().len()];
    let grid = array.subchunk_grid();
    match grid.chunk_shape_u64(&zeros) {
        Ok(Some(shape)) => Ok(shape),
        // An array without values has no chunks.
        Ok(None) => Ok(array.shape().iter().map(|&length| length.max(1)).collect()),
        Err(e) => Err(format!("has no chunks that can be read: {e}")),
    }
}

/// The names of the dimensions, as version 3 has them or xarray writes them for version 2.
fn dimensions(array: &Array<Store>) -> Option<Vec<String>> {
    if let Some(names) = array.dimension_names() {
        return names.iter().cloned().collect();
    }
    let names = array.attributes().get(DIMENSIONS)?.as_array()?;
    let names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Some(names).filter(|names| names.len() == array.shape().len())
}

fn dtype(data_type: &DataType) -> Option<Dtype> {
    macro_rules! of {
        ($($own:ident: $theirs:ty),*) => { $(if data_type.is::<$theirs>() { return Some(Dtype::$own); })* };
    }
    of!(
        Float32: Float32DataType, Float64: Float64DataType, Int8: Int8DataType, Int16: Int16DataType,
        Int32: Int32DataType, Int64: Int64DataType, UInt8: UInt8DataType, UInt16: UInt16DataType,
        UInt32: UInt32DataType, UInt64: UInt64DataType
    );
    None
}

/// The files or objects of one array, as the library asks for them.
struct Store {
    place: Place,
}

impl Store {
    /// The bytes of some ranges of a file; `None` if there is no file.
    fn ranges(&self, key: &StoreKey, ranges: ByteRangeIterator) -> io::Result<Option<Vec<Bytes>>> {
        let Some(reader) = self.reader(key)? else { return Ok(None) };
        let n = reader.bytes()?;
        let read = |range: ByteRange| {
            let start = range.start(n.max(suffix(&range)));
            let end = range.end(n.max(suffix(&range)));
            if start > end || end > n {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            let mut bytes = vec![0; (end - start) as usize];
            reader.read_exact_at(&mut bytes, start)?;
            Ok(Bytes::from(bytes))
        };
        ranges.map(read).collect::<io::Result<_>>().map(Some)
    }

    fn reader(&self, key: &StoreKey) -> io::Result<Option<Reader>> {
        match Reader::open(&self.place.join(key.as_str())) {
            Ok(reader) => Ok(Some(reader)),
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// The length of a range that is counted from the end.
fn suffix(range: &ByteRange) -> u64 {
    match range {
        ByteRange::Suffix(n) => *n,
        ByteRange::FromStart(..) => 0,
    }
}

impl ReadableStorageTraits for Store {
    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        byte_ranges: ByteRangeIterator<'a>,
    ) -> Result<MaybeBytesIterator<'a>, StorageError> {
        let read = self.ranges(key, byte_ranges).map_err(|e| StorageError::IOError(Arc::new(e)))?;
        Ok(read.map(|pieces| Box::new(pieces.into_iter().map(Ok)) as _))
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, StorageError> {
        let size = self.reader(key).and_then(|reader| reader.map(|reader| reader.bytes()).transpose());
        size.map_err(|e| StorageError::IOError(Arc::new(e)))
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

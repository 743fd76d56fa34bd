//! The files of a dataset as `zarrs` reads them.

use std::sync::Arc;

use zarrs::storage::byte_range::ByteRangeIterator;
use zarrs::storage::{Bytes, MaybeBytesIterator, ReadableStorageTraits, StorageError, StoreKey};

use crate::store::place::is_absence;
use crate::store::{Place, Reader};

/// A directory or a place in an object store.
pub struct PlaceStore(pub Place);

impl PlaceStore {
    /// A file, or none for a document that `zarrs` may look for. A chunk that is not there is damage: all of them are written.
    fn open(&self, key: &StoreKey) -> Result<Option<(Reader, u64)>, StorageError> {
        let place = self.0.join(key.as_str());
        match Reader::open(&place).and_then(|file| file.bytes().map(|n| (file, n))) {
            Ok(found) => Ok(Some(found)),
            Err(e) if is_absence(&e) && !key.as_str().contains("/c/") => Ok(None),
            Err(e) => Err(StorageError::Other(format!("{}: {e}", place.display()))),
        }
    }
}

impl ReadableStorageTraits for PlaceStore {
    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        byte_ranges: ByteRangeIterator<'a>,
    ) -> Result<MaybeBytesIterator<'a>, StorageError> {
        let Some((file, length)) = self.open(key)? else { return Ok(None) };
        Ok(Some(Box::new(byte_ranges.map(move |range| {
            let (start, end) = (range.start(length), range.end(length));
            if start > end || end > length {
                return Err(StorageError::Other("a file is shorter than what is said of it".into()));
            }
            let mut bytes = vec![0; (end - start) as usize];
            file.read_exact_at(&mut bytes, start).map_err(|e| StorageError::IOError(Arc::new(e)))?;
            Ok(Bytes::from(bytes))
        }))))
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, StorageError> {
        Ok(self.open(key)?.map(|(_, length)| length))
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

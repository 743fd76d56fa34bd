//! Placing the bricks of a grid: a file for each, or shards that several columns of bricks go into.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::base::error::{Error, Result};
use crate::store::Place;
use crate::store::checksum::ChunkSums;
use crate::zarr::axes::Array;
use crate::zarr::blosc::{Blosc, Unblosc};
use crate::zarr::codec::Codec;
use crate::zarr::object::{Object, Objects};
use crate::zarr::planes;
use crate::zarr::whole::WholeChunk;

/// Encodes whole bricks.
pub(crate) struct BrickEncoder {
    blocks: Option<Box<Blosc>>,
    whole: WholeChunk,
}

impl BrickEncoder {
    /// For the bricks of this array.
    pub(crate) fn new(array: &Array) -> Self {
        let chunk_bytes = array.chunk_shape().iter().product::<u64>() as usize * array.dtype.size();
        Self {
            blocks: array.codec.blosc(array.dtype.size(), chunk_bytes).map(Box::new),
            whole: WholeChunk::new(&array.codec, array.dtype),
        }
    }

    /// For `n` records of `item_bytes`: Zstandard in Blosc's container after a byte shuffle.
    ///
    /// # Errors
    /// `Error::Usage` for more than the container can say.
    pub(crate) fn of_records(item_bytes: usize, n: usize) -> Result<Self> {
        let blocks = planes::encoder(item_bytes, item_bytes * n, RECORD_LEVEL);
        let blocks =
            blocks.ok_or_else(|| Error::Usage("a brick has too many traces; choose a shorter one (--brick)".into()))?;
        Ok(Self { blocks: Some(Box::new(blocks)), whole: WholeChunk::new(&Codec::default(), crate::segy::Dtype::Int8) })
    }

    /// Begins a unit. Its bricks are encoded one after another, so that their bytes depend on the unit alone.
    pub(crate) fn begin_unit(&mut self) {
        if let Some(blocks) = &mut self.blocks {
            blocks.begin_series();
        }
    }

    /// Encodes a brick. `store` takes the encoded bytes.
    pub(crate) fn encode(&mut self, brick: &[u8], store: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &mut self.blocks {
            None => store(&self.whole.encode(brick)?),
            Some(blocks) => {
                brick.chunks(blocks.block_bytes()).for_each(|block| blocks.push(block));
                store(blocks.finish())
            }
        }
    }
}

/// Decodes whole bricks.
pub(crate) struct BrickDecoder {
    blocks: Option<Unblosc>,
    whole: WholeChunk,
}

impl BrickDecoder {
    /// For the bricks of this array.
    pub(crate) fn new(array: &Array) -> Self {
        let chunk_bytes = array.chunk_shape().iter().product::<u64>() as usize * array.dtype.size();
        Self {
            blocks: array.codec.unblosc(array.dtype.size(), chunk_bytes),
            whole: WholeChunk::new(&array.codec, array.dtype),
        }
    }

    /// Decodes a brick of `n` bytes. `encoded` comes without its checksum.
    pub(crate) fn decode<'a>(&'a mut self, encoded: &'a [u8], n: usize) -> Result<Cow<'a, [u8]>> {
        let Some(blocks) = &mut self.blocks else { return self.whole.decode(encoded, n) };
        let brick = blocks.decode(encoded).map(Cow::Borrowed);
        brick.ok_or_else(|| Error::Failed("a brick of it is not packed as its codec packs".into()))
    }
}

/// Level of Zstandard for records of headers.
pub(super) const RECORD_LEVEL: u8 = 2;

/// The bricks that one segment writes.
///
/// Memory: the index of each open shard, all of one unit.
pub(crate) struct BrickStore {
    array: Array,
    objects: Objects,
    open: BTreeMap<Vec<u64>, Object>,
    sums: ChunkSums,
    stored_bytes: u64,
    is_durable: bool,
}

impl BrickStore {
    /// `directory` is that of the array. `is_durable`: it will be synced, so writing to the disk may begin early.
    pub(crate) fn new(directory: &Place, array: Array, is_durable: bool) -> Self {
        let (objects, open, sums) = (Objects::new(directory), BTreeMap::new(), ChunkSums::default());
        Self { array, objects, open, sums, stored_bytes: 0, is_durable }
    }

    /// Stores a brick with its index along each axis, encoded by `encode`.
    pub(crate) fn put(
        &mut self,
        brick: &[u64],
        encode: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let index = self.array.object_of(brick);
        let mut object = match self.open.remove(&index) {
            Some(object) => object,
            None => {
                let n_entries = self.array.shard.as_ref().map(|n| n.iter().product::<u64>() as usize);
                self.objects.create(&self.array.key(&index), n_entries)?
            }
        };
        object.begin(self.array.entry_of(brick));
        encode(&mut |bytes| object.append(bytes))?;
        let (n, crc) = object.end(self.is_durable)?;
        self.stored_bytes += n;
        self.sums.push(crc);
        if object.is_shard() {
            self.open.insert(index, object);
            return Ok(());
        }
        self.objects.finish(object)
    }

    /// Completes the shards of a unit.
    pub(crate) fn end_unit(&mut self) -> Result<()> {
        while let Some((_, object)) = self.open.pop_first() {
            self.objects.finish(object)?;
        }
        Ok(())
    }

    /// Completes everything. Returns the checksums of all bricks, in the order in which they were put, and their bytes.
    pub(crate) fn finish(mut self) -> Result<(ChunkSums, u64)> {
        self.end_unit()?;
        self.objects.wait()?;
        Ok((self.sums, self.stored_bytes))
    }
}

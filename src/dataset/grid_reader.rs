//! Reading a grid back: which trace is at each place, and the bricks, with checksums verified.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufReader;

use serde::Deserialize;
use zarrs::metadata::v3::ArrayMetadataV3;

use crate::base::error::{Result, failed};
use crate::base::system::FileExt;
use crate::dataset::chunk_reader::{Shard, read_at, take_checksum};
use crate::dataset::{Dataset, damaged, missing_chunk, unreadable_part};
use crate::dataset_files::{TRACE_NUMBERS, ZARR_JSON};
use crate::grid::Grid;
use crate::grid::bricks::{Cut, Region};
use crate::grid::header_record::HeaderRecord;
use crate::grid::places::{HOLE, MOST_UNITS, Placed, in_order, traces_in};
use crate::segy::Dtype;
use crate::store::files::read_json;
use crate::store::place::is_absence;
use crate::store::{Place, Reader};
use crate::zarr::{Array, BrickDecoder};

/// A grid with what is at its places.
pub(crate) struct PlacedGrid {
    pub grid: Grid,
    pub places: GridPlaces,
}

impl PlacedGrid {
    /// The grid of a dataset and, after it, what lies aside.
    ///
    /// # Errors
    /// As [`GridPlaces::open`].
    pub(crate) fn open(dataset: &Dataset, grid: &Grid) -> Result<Vec<Self>> {
        let parts = [Some(grid.clone()), grid.aside()].into_iter().flatten();
        parts.map(|grid| Ok(Self { places: GridPlaces::open(dataset, &grid)?, grid })).collect()
    }
}

/// The trace at each place, and the units that have traces.
pub(crate) struct GridPlaces {
    pub cut: Cut,
    /// Units with traces, in the order in which they were written.
    pub units: Vec<u64>,
    /// The traces from the first to the last of a unit, of the unit with most of them.
    pub widest_unit: u64,
    /// Eight bytes for each place, little-endian.
    map: File,
}

impl GridPlaces {
    /// Reads the array of trace numbers.
    ///
    /// # Errors
    /// `Error::Damaged` where it does not have each trace once.
    fn open(dataset: &Dataset, grid: &Grid) -> Result<Self> {
        let directory = dataset.root.join(grid.path_of(TRACE_NUMBERS));
        let (cut, n_places) = (Cut::new(grid), grid.n_places());
        let chunk = chunk_shape(&directory, &cut.lengths)?;
        let map = tempfile::tempfile().map_err(failed("a temporary file for the places of traces"))?;
        let chunks = Cut { lengths: cut.lengths.clone(), brick: chunk.clone(), unit: chunk.clone() };
        let n_chunks: u64 = cut.lengths.iter().zip(&chunk).map(|(length, chunk)| length.div_ceil(*chunk)).product();
        let n_units: u64 = cut.lengths.iter().zip(&cut.unit).map(|(length, unit)| length.div_ceil(*unit)).product();
        if n_units > MOST_UNITS {
            return Err(damaged(&directory, format!("it would have {n_units} columns of bricks")));
        }
        let mut spans = Vec::new();
        let n = usize::try_from(n_units).unwrap_or(usize::MAX);
        spans.try_reserve_exact(n).map_err(|e| damaged(&directory, e))?;
        spans.resize(n, (HOLE, 0));
        let mut n_traces = 0;
        for number in 0..n_chunks {
            let index = chunks.index_of_unit(number);
            let name = index.iter().fold("c".to_owned(), |key, i| format!("{key}/{i}"));
            let place = directory.join(name);
            let bytes = unpack(&place, chunk.iter().product::<u64>() * 8)?;
            for (start, n, local) in chunks.runs(&chunks.places_of(&index), &chunk) {
                let run = &bytes[local as usize * 8..(local + n) as usize * 8];
                map.write_all_at(run, start * 8).map_err(failed("the places of traces"))?;
                for (place, trace) in (start..).zip(run.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b))) {
                    if trace != HOLE {
                        let unit = unit_of(&cut, place);
                        let (first, last) = &mut spans[unit as usize];
                        (*first, *last) = (trace.min(*first), trace.max(*last));
                        n_traces += 1;
                    }
                    if trace != HOLE && trace >= dataset.array.n_traces {
                        return Err(damaged(&directory, format!("it has a trace {trace}")));
                    }
                }
            }
        }
        if n_traces != grid.n_placed() || n_places == 0 {
            return Err(damaged(&directory, format!("it has {n_traces} traces, and there are {}", grid.n_placed())));
        }
        let with_first = (0..n_units).map(|unit| (spans[unit as usize].0, unit)).filter(|(first, _)| *first != HOLE);
        let units = in_order(with_first.collect(), dataset.array.n_traces);
        let widest_unit = units.iter().map(|&unit| spans[unit as usize]).map(|(first, last)| last - first + 1).max();
        Ok(Self { cut, units, widest_unit: widest_unit.unwrap_or(0), map })
    }

    /// The traces of a column of bricks in file order.
    pub(crate) fn traces_in(&self, region: &Region) -> Result<Vec<Placed>> {
        traces_in(&self.cut, region, |place, bytes| {
            self.map.read_exact_at(bytes, place * 8).map_err(failed("the places of traces"))
        })
    }
}

fn unit_of(cut: &Cut, place: u64) -> u64 {
    let (mut left, mut unit, mut side) = (place, 0, 1);
    for (length, size) in cut.lengths.iter().zip(&cut.unit).rev() {
        unit += left % length / size * side;
        left /= length;
        side *= length.div_ceil(*size);
    }
    unit
}

/// The chunk grid of all arrays here.
#[derive(Deserialize)]
struct RegularGrid {
    chunk_shape: Vec<u64>,
}

/// The shape of the chunks of an array with these lengths, as its `zarr.json` says.
fn chunk_shape(directory: &Place, lengths: &[u64]) -> Result<Vec<u64>> {
    let path = directory.join(ZARR_JSON);
    let document: ArrayMetadataV3 = read_json(&path)?;
    let regular = document.chunk_grid.to_typed_configuration::<RegularGrid>().ok();
    let shape: Option<Vec<u64>> = regular.map(|grid| grid.chunk_shape);
    let fits = |shape: &Vec<u64>| {
        let n = shape.iter().try_fold(8_u64, |n, &length| n.checked_mul(length));
        shape.len() == lengths.len() && shape.iter().all(|&n| n > 0) && n.is_some_and(|n| n <= MOST_BYTES)
    };
    shape.filter(fits).ok_or_else(|| damaged(&path, "its chunks are not those of this array"))
}

/// Bytes of a chunk of an array that this program wrote, at most.
const MOST_BYTES: u64 = 1 << 30;

/// The bytes of a chunk packed with Zstandard.
fn unpack(place: &Place, n: u64) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let mut packed = Vec::new();
    place.read_at_most(2 * n + 1024, &mut packed).map_err(unreadable_part(place))?;
    let stream =
        zstd::stream::read::Decoder::with_buffer(BufReader::new(&packed[..])).map_err(failed(place.display()))?;
    let mut bytes = Vec::new();
    stream.take(n + 1).read_to_end(&mut bytes).map_err(|e| damaged(place, e))?;
    if bytes.len() as u64 == n {
        Ok(bytes)
    } else {
        Err(damaged(place, format!("it has {} bytes, not {n}", bytes.len())))
    }
}

/// Reads the bricks of a grid. Memory: a stored and a decoded brick, and the index of a shard.
pub(crate) struct BrickReader {
    array: Array,
    directory: Place,
    decoder: BrickDecoder,
    fills_missing: bool,
    brick_bytes: usize,
    stored: Vec<u8>,
    shard: Option<(Vec<u64>, Shard)>,
    /// The checksum of the brick read last.
    pub crc: u32,
}

impl BrickReader {
    pub(crate) fn new(dataset: &Dataset, grid: &Grid) -> Self {
        let array = grid.array();
        let brick_bytes = array.chunk_shape().iter().product::<u64>() as usize * array.dtype.size();
        Self {
            directory: dataset.root.join(&grid.variable),
            decoder: BrickDecoder::new(&array),
            fills_missing: dataset.fills_missing,
            array,
            brick_bytes,
            stored: Vec::new(),
            shard: None,
            crc: 0,
        }
    }

    /// A brick with its index along each axis: little-endian values in full size.
    pub(crate) fn read(&mut self, index: &[u64]) -> Result<Cow<'_, [u8]>> {
        let Some((path, crc)) = self.load(index)? else {
            self.crc = 0;
            return Ok(Cow::Owned(self.filled()));
        };
        self.crc = crc;
        let brick = self.decoder.decode(&self.stored, self.brick_bytes).map_err(|e| damaged(&path, e))?;
        if brick.len() == self.brick_bytes {
            Ok(brick)
        } else {
            Err(damaged(&path, format!("a brick of it has {} bytes, not {}", brick.len(), self.brick_bytes)))
        }
    }

    /// Verifies a brick's checksum without decoding it, and returns it.
    pub(crate) fn check(&mut self, index: &[u64]) -> Result<u32> {
        self.load(index)?.map(|(_, crc)| crc).ok_or_else(|| missing_chunk(&self.directory))
    }

    /// The checksum that a brick ends with, without reading the brick.
    pub(crate) fn checksum(&mut self, index: &[u64]) -> Result<u32> {
        let path = self.directory.join(self.array.key(&self.array.object_of(index)));
        let mut crc = [0; 4];
        let at = |end: u64| end.checked_sub(4).ok_or_else(|| damaged(&path, "a brick of it is too short"));
        if self.array.shard.is_some() {
            let (shard, [offset, n]) = self.in_shard(index, &path)?.ok_or_else(|| missing_chunk(&path))?;
            at(n)?;
            let mut stored = Vec::new();
            read_at(&shard.file, &path, offset + n - 4, 4, &mut stored)?;
            crc.copy_from_slice(&stored);
        } else {
            let file = Reader::open(&path).map_err(|e| match is_absence(&e) {
                true => missing_chunk(&path),
                false => unreadable_part(&path)(e),
            })?;
            let end = file.bytes().map_err(failed(path.display()))?;
            file.read_exact_at(&mut crc, at(end)?).map_err(failed(path.display()))?;
        }
        Ok(u32::from_le_bytes(crc))
    }

    /// A brick of the fill value: NaN, or zero where the samples are whole numbers.
    fn filled(&self) -> Vec<u8> {
        let value = match self.array.dtype {
            Dtype::Float32 => f32::NAN.to_le_bytes().to_vec(),
            Dtype::Float64 => f64::NAN.to_le_bytes().to_vec(),
            _ => vec![0],
        };
        value.repeat(self.brick_bytes / value.len())
    }

    /// The shard with a brick, and the offset and length of the brick in it; `None` where it is missing.
    fn in_shard(&mut self, index: &[u64], path: &Place) -> Result<Option<(&Shard, [u64; 2])>> {
        let (most, object) = (2 * self.brick_bytes as u64 + 1024, self.array.object_of(index));
        if self.shard.as_ref().is_none_or(|(open, _)| *open != object) {
            let n_entries = self.array.chunks_in_object().iter().product();
            self.shard = Shard::open(path, n_entries)?.map(|shard| (object, shard));
        }
        let Some((_, shard)) = &self.shard else { return Ok(None) };
        let [offset, n] = match shard.index.get(self.array.entry_of(index)) {
            None | Some([u64::MAX, u64::MAX]) => return Ok(None),
            Some(part) => *part,
        };
        if offset.checked_add(n).is_none_or(|end| end > shard.bytes) || n > most {
            return Err(damaged(path, "a brick of it lies beyond its end"));
        }
        Ok(Some((shard, [offset, n])))
    }

    /// Reads a stored brick, without its checksum. Returns its file and its checksum; `None` for one that is missing and may be.
    fn load(&mut self, index: &[u64]) -> Result<Option<(Place, u32)>> {
        let most = 2 * self.brick_bytes as u64 + 1024;
        let path = self.directory.join(self.array.key(&self.array.object_of(index)));
        let is_there = if self.array.shard.is_some() {
            let mut stored = std::mem::take(&mut self.stored);
            let found = self.in_shard(index, &path)?;
            let read = found.map(|(shard, [offset, n])| read_at(&shard.file, &path, offset, n, &mut stored));
            self.stored = stored;
            read.transpose()?.is_some()
        } else {
            self.stored.clear();
            match path.read_at_most(most, &mut self.stored) {
                Err(e) if is_absence(&e) => false,
                read => read.map(|()| true).map_err(unreadable_part(&path))?,
            }
        };
        if !is_there {
            return if self.fills_missing { Ok(None) } else { Err(missing_chunk(&path)) };
        }
        let crc = take_checksum(&mut self.stored);
        let index: Vec<String> = index.iter().map(u64::to_string).collect();
        crc.map(|crc| Some((path.clone(), crc))).ok_or_else(|| {
            damaged(&path, format!("the checksum of the brick {} is not that of its bytes", index.join(", ")))
        })
    }
}

/// Verifies the checksum of the records of headers of a unit, and returns it.
pub(crate) fn check_record(dataset: &Dataset, grid: &Grid, unit: &[u64]) -> Result<u32> {
    let directory = dataset.root.join(grid.path_of(HeaderRecord::ARRAY));
    let path = unit.iter().fold(directory.join("c"), |path, i| path.join(i.to_string()));
    let record_bytes = HeaderRecord::new(grid, dataset.byte_order).bytes() as u64;
    let most = 2 * Cut::new(grid).unit.iter().product::<u64>() * record_bytes + 1024;
    let mut stored = Vec::new();
    path.read_at_most(most, &mut stored).map_err(unreadable_part(&path))?;
    take_checksum(&mut stored).ok_or_else(|| damaged(&path, "its checksum is not that of its bytes"))
}

//! The traces as an array of any number of axes: which header fields are its axes, where each trace lies on them, and
//! the bricks that the array is cut into.
//!
//! [`options`] is what the user asks for. [`probe`] finds the keys of all traces in a few headers of a sorted file ([`sorted`]),
//! or [`scan`] reads them all, [`places`] makes the axes and the map from places to traces, and [`bricks`] cuts the array. The first trace of a place in file order counts; no trace is
//! lost: a second one at the same place is refused by name.

pub(crate) mod aside;
pub(crate) mod bin_grid;
pub(crate) mod blocks;
pub(crate) mod bricks;
pub(crate) mod buckets;
pub(crate) mod choice;
pub(crate) mod header_record;
pub(crate) mod options;
pub(crate) mod places;
pub(crate) mod probe;
pub(crate) mod scan;
pub(crate) mod sorted;

use serde::{Deserialize, Serialize};

use std::borrow::Cow;
use std::ops::Range;

use crate::dataset_files::{ASIDE, FILE_HEADER, TABLES, TRACE_MASK, TRACE_NUMBERS, ZARR_JSON};
use crate::gather::GatherKey;
use crate::grid::header_record::HeaderRecord;
use crate::grid::places::MOST_PLACES;
use crate::grid::sorted::SortedTraces;
use crate::segy::fields::FieldKind;
use crate::zarr::{Array, ArrayPlan, Axis};

/// Bytes of bricks that a worker fills at the same time.
pub(crate) const BLOCK_BYTES: u64 = 24 << 20;
/// The key that counts traces at the same place of the other keys, from 1.
pub(crate) const TRACE: &str = "trace";
/// Traces and samples in a brick of those that lie aside, at most.
const ASIDE_BRICK: u64 = 512;

/// A header field whose values are an axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Name of the dimension.
    pub name: String,
    /// Where the values come from; `None` for [`TRACE`].
    pub field: Option<GatherKey>,
    /// Centre of one bin and the distance between centres, if values are moved to the nearest centre.
    pub bin: Option<[i64; 2]>,
    /// The values along the axis, in its order.
    pub values: Values,
}

/// The values along an axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// 1, 2, 3 … up to this number.
    Count(u64),
    /// These.
    List(Vec<i64>),
}

impl Values {
    /// How many there are.
    pub fn n(&self) -> u64 {
        match self {
            Self::Count(n) => *n,
            Self::List(values) => values.len() as u64,
        }
    }

    /// The value at a place of the axis.
    pub fn at(&self, place: u64) -> Option<i64> {
        match self {
            Self::Count(n) => (place < *n).then_some(place as i64 + 1),
            Self::List(values) => values.get(place as usize).copied(),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        (0..self.n()).filter_map(|place| self.at(place))
    }
}

impl Key {
    /// Values along the axis.
    pub fn n(&self) -> u64 {
        self.values.n()
    }

    /// The value of the axis for a value of the field.
    pub fn binned(&self, value: i64) -> i64 {
        match self.bin {
            None => value,
            Some([first, step]) => first + (value - first + step.div_euclid(2)).div_euclid(step) * step,
        }
    }
}

/// A header field of each place as an array of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinate {
    /// Name of the array.
    pub name: String,
    /// Name of the column in the header table.
    pub column: String,
    pub first_byte: u32,
    pub kind: FieldKind,
    /// First byte of the scalar of each trace.
    pub scalar: Option<u32>,
    /// The scalar that the user gave in place of those in the headers.
    #[serde(default)]
    pub given_scalar: Option<i32>,
    /// The axes it spans, by number.
    pub axes: Vec<usize>,
}

/// How the array `headers` declares its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderType {
    /// As zarr-python 3.1, MDIO and tensorstore read it.
    #[default]
    Structured,
    /// As zarr-python 3.2 and mdio-cpp read it.
    Struct,
}

/// The grid of one import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// In the order of the axes; the samples are the last axis.
    pub keys: Vec<Key>,
    /// Name of the axis of the samples.
    pub vertical: String,
    /// Name of the array of the samples.
    pub variable: String,
    pub header_type: HeaderType,
    /// Length of a brick along each axis, in values.
    pub brick: Vec<u64>,
    /// Bricks along each axis in one shard, if there are shards.
    pub shard: Option<Vec<u64>>,
    pub coordinates: Vec<Coordinate>,
    /// The keys of the records by number, in the order of the axes.
    pub record_order: Vec<usize>,
    /// Whether some trace uses bytes 233 to 240 of its header.
    pub uses_last_bytes: bool,
    /// Where the traces are, if that follows from the headers of a few: workers check the others, and keep their
    /// coordinates.
    #[serde(default)]
    pub sorted: Option<SortedTraces>,
    /// Units (columns of bricks or shards) that hold traces.
    pub n_units: u64,
    /// Columns of bricks that hold traces.
    pub n_columns: u64,
    /// The coordinate reference system: an authority and its code, or WKT.
    #[serde(default)]
    pub crs: Option<String>,
    /// Traces that lie aside, since an earlier one has their place.
    #[serde(default)]
    pub n_aside: u64,
    /// The keys of the grid whose traces these are, if they lie aside of it.
    #[serde(skip)]
    pub aside_of: Vec<Key>,
    /// The traces in file order: their number, samples, type and codec.
    pub traces: ArrayPlan,
}

impl Grid {
    /// Places along each key.
    pub fn places(&self) -> Vec<u64> {
        self.keys.iter().map(Key::n).collect()
    }

    /// Places of the whole grid.
    pub fn n_places(&self) -> u64 {
        self.places().iter().product()
    }

    /// The names of what the dataset consists of, the commit mark last.
    pub fn parts(&self) -> Vec<String> {
        let arrays = [self.variable.as_str(), HeaderRecord::ARRAY, TRACE_MASK, TRACE_NUMBERS];
        let arrays = arrays.into_iter().chain((self.n_aside > 0).then_some(ASIDE));
        let axes = self.keys.iter().map(|key| key.name.as_str()).chain([self.vertical.as_str()]);
        let coordinates = self.coordinates.iter().map(|coordinate| coordinate.name.as_str());
        let others = [FILE_HEADER, ZARR_JSON, TABLES];
        arrays.chain(axes).chain(coordinates).chain(others).map(str::to_owned).collect()
    }

    /// The array of the samples.
    pub fn array(&self) -> Array {
        let samples = Axis { name: self.vertical.clone(), length: self.traces.n_samples, chunk: 0 };
        let keys = self.keys.iter().map(|key| Axis { name: key.name.clone(), length: key.n(), chunk: 0 });
        let axes = keys.chain([samples]).zip(&self.brick).map(|(axis, &chunk)| Axis { chunk, ..axis });
        let axes: Vec<Axis> = axes.collect();
        Array {
            dtype: self.traces.dtype,
            storage: (0..axes.len()).collect(),
            axes,
            shard: self.shard.clone(),
            codec: self.traces.codec.clone(),
            precision: self.traces.precision,
        }
    }

    /// Bricks along the samples.
    pub fn n_deep(&self) -> u64 {
        self.traces.n_samples.div_ceil(self.brick.last().copied().unwrap_or(1).max(1))
    }

    /// Stored objects of the array of the samples.
    pub fn n_objects(&self) -> u64 {
        let deep = self.n_deep();
        let per_unit = self.shard.as_ref().and_then(|shard| shard.last()).map_or(deep, |&n| deep.div_ceil(n));
        self.n_units * per_unit + self.aside().map_or(0, |aside| aside.n_objects())
    }

    /// Traces that have a place.
    pub fn n_placed(&self) -> u64 {
        self.traces.n_traces - self.n_aside.min(self.traces.n_traces)
    }

    /// The traces that lie aside as a grid of their own, in which they come in the order of the file.
    pub fn aside(&self) -> Option<Self> {
        if self.n_aside == 0 {
            return None;
        }
        let lengths = [self.n_aside, self.traces.n_samples];
        let brick: Vec<u64> = lengths.map(|length| bricks::even(length, ASIDE_BRICK)).into();
        let n_units = self.n_aside.div_ceil(brick[0]);
        let count = Key { name: TRACE.into(), field: None, bin: None, values: Values::Count(self.n_aside) };
        Some(Self {
            variable: format!("{ASIDE}/{}", self.variable),
            shard: None,
            coordinates: Vec::new(),
            record_order: vec![0],
            n_units,
            n_columns: n_units,
            n_aside: 0,
            traces: ArrayPlan { n_traces: self.n_aside, ..self.traces.clone() },
            aside_of: self.keys.clone(),
            brick,
            keys: vec![count],
            ..self.clone()
        })
    }

    /// The path in the dataset of an array that goes with that of the samples.
    pub fn path_of(&self, array: &str) -> String {
        if self.aside_of.is_empty() { array.to_owned() } else { format!("{ASIDE}/{array}") }
    }

    /// The keys that give names to fields of the records of headers.
    pub fn keys_of_records(&self) -> &[Key] {
        if self.aside_of.is_empty() { &self.keys } else { &self.aside_of }
    }

    /// Units of the grid and of what lies aside, which come after those of the grid.
    pub fn n_all_units(&self) -> u64 {
        self.n_units + self.aside().map_or(0, |aside| aside.n_units)
    }

    /// The grid and what lies aside, each with its units among these.
    pub fn with_units(&self, units: &Range<u64>) -> Vec<(Cow<'_, Self>, Range<u64>)> {
        let own = units.start.min(self.n_units)..units.end.min(self.n_units);
        let others = units.start.max(self.n_units) - self.n_units..units.end.max(self.n_units) - self.n_units;
        let aside = self.aside().map(|aside| (Cow::Owned(aside), others));
        let parts = [(Cow::Borrowed(self), own)].into_iter().chain(aside);
        parts.filter(|(_, units)| !units.is_empty()).collect()
    }

    /// An upper bound for the memory of one worker's buffers: bricks being filled, one being encoded, and a window.
    pub fn worker_bytes(&self) -> u64 {
        let brick = self.brick.iter().product::<u64>() * self.traces.dtype.size() as u64;
        let area: u64 = self.brick.iter().rev().skip(1).product();
        BLOCK_BYTES.max(brick) + 3 * brick + area * 256 + (1 << 20)
    }

    /// The names of its axes, that of the samples last, with their lengths.
    pub fn lengths(&self) -> Vec<(String, u64)> {
        let keys = self.keys.iter().map(|key| (key.name.clone(), key.n()));
        keys.chain([(self.vertical.clone(), self.traces.n_samples)]).collect()
    }

    /// The column of the header table with a trace's index along an axis.
    pub fn index_column(key: &str) -> String {
        format!("{key}_index")
    }

    /// Whether nothing that is made of its numbers divides by zero or overflows: a plan may say anything.
    pub fn is_consistent(&self) -> bool {
        const MOST: u128 = 1 << 62;
        let n_axes = self.keys.len() + 1;
        let product = |numbers: &[u64]| {
            numbers.iter().try_fold(1_u128, |all, &n| Some(all * u128::from(n)).filter(|all| *all < MOST))
        };
        let shard = self.shard.clone().unwrap_or_else(|| vec![1; n_axes]);
        let size = self.traces.dtype.size() as u64;
        let places = product(&[self.places(), vec![self.traces.n_samples, size]].concat());
        !self.keys.is_empty()
            && self.brick.len() == n_axes
            && shard.len() == n_axes
            && self.brick.iter().chain(&shard).all(|&n| n > 0)
            && places.is_some_and(|n| n > 0)
            && self.n_places() <= MOST_PLACES
            && product(&[self.brick.clone(), vec![size]].concat())
                .is_some_and(|n| n <= u128::from(crate::zarr::MAX_CHUNK_BYTES))
            && product(&shard).is_some_and(|n| n <= u128::from(crate::zarr::MAX_SHARD_ENTRIES))
            && product(&[self.brick.clone(), shard].concat()).is_some()
            && self.coordinates.iter().all(|c| !c.axes.is_empty() && c.axes.iter().all(|&axis| axis < self.keys.len()))
            && self.record_order.len() == self.keys.len()
            && self.record_order.iter().all(|&key| key < self.keys.len())
            && self
                .sorted
                .as_ref()
                .is_none_or(|s| s.is_consistent(self.traces.n_traces, &self.places()) && self.n_aside == 0)
            && self.n_units <= self.n_columns
            && self.n_columns <= self.traces.n_traces
            && self.n_aside < self.traces.n_traces
    }
}

#[cfg(test)]
impl Grid {
    /// One without keys, for tests to change.
    pub fn of_no_keys() -> Self {
        Self {
            keys: Vec::new(),
            vertical: "time".into(),
            variable: "amplitude".into(),
            header_type: HeaderType::default(),
            brick: vec![1],
            shard: None,
            coordinates: Vec::new(),
            record_order: Vec::new(),
            uses_last_bytes: false,
            sorted: None,
            n_units: 1,
            n_columns: 1,
            crs: None,
            n_aside: 0,
            aside_of: Vec::new(),
            traces: ArrayPlan::new(10, 10, crate::segy::Dtype::Int16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_to_the_nearest_centre() {
        let key = Key { name: "offset".into(), field: None, bin: Some([100, 50]), values: Values::Count(0) };
        let binned: Vec<i64> = [74, 75, 100, 124, 125, -30].map(|value| key.binned(value)).into();
        assert_eq!(binned, [50, 100, 100, 100, 150, -50]);
        assert_eq!(Key { bin: None, ..key }.binned(77), 77);
    }
}

//! Which trace lies at each place of an array that has header fields as its dimensions.

use std::fs::File;
use std::ops::Range;

use crate::base::error::{Error, Result, failed};
use crate::base::system::FileExt;
use crate::dataset::{Dataset, HeaderColumns, TraceSet};
use crate::other_arrays::OtherArray;

/// Bytes of an entry.
const ENTRY: u64 = 8;
/// Places of an array, at most.
const MOST_PLACES: u64 = 1 << 40;
/// Traces whose entries are written at a time, if their places are neighbours.
const MOST_WAITING: usize = 4096;

/// A dimension, and where the traces lie along it.
pub(super) struct Dimension {
    /// What it is called in the array.
    pub name: String,
    /// The column of the header table that says where a trace lies.
    pub column: String,
    pub length: u64,
    pub positions: Positions,
    /// Whether its values are known to be in the dataset, as places along an axis of a grid are, though this file may have no
    /// trace there.
    pub is_known: bool,
}

/// The position for a value of the column.
pub(super) enum Positions {
    /// The value itself.
    Same,
    /// Values with their positions, in ascending order, without a negative zero.
    Of(Vec<(f64, u64)>),
}

impl Positions {
    /// The positions of these values, each of which may be there once.
    ///
    /// # Errors
    /// The value that is there twice.
    pub(super) fn of(values: &[f64]) -> Result<Self, f64> {
        let mut pairs: Vec<(f64, u64)> = values.iter().map(|value| value + 0.0).zip(0..).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        match pairs.windows(2).find(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
            Some(pair) => Err(pair.first().map_or(f64::NAN, |pair| pair.0)),
            None => Ok(Self::Of(pairs)),
        }
    }

    /// The position for a value, if it has one.
    pub(super) fn find(&self, value: f64, length: u64) -> Option<u64> {
        match self {
            Self::Same => (value >= 0.0 && value < length as f64 && value.fract() == 0.0).then_some(value as u64),
            Self::Of(pairs) => {
                let at = pairs.binary_search_by(|(known, _)| known.total_cmp(&(value + 0.0))).ok()?;
                pairs.get(at).map(|(_, position)| *position)
            }
        }
    }
}

/// The trace at each place, in a temporary file.
pub(super) struct PlaceMap {
    file: File,
    waiting: Vec<u64>,
    /// The place of the first that waits.
    first: u64,
}

impl PlaceMap {
    /// Finds the place of each of some traces in an array with these dimensions, the last one fastest. Returns the traces that
    /// have one.
    ///
    /// # Errors
    /// `Error::Input` where two traces have the same place, and for a value of a dimension that no trace has.
    pub(super) fn new(
        dataset: &Dataset,
        traces: &Range<u64>,
        dimensions: &[Dimension],
        what: &str,
    ) -> Result<(Self, TraceSet)> {
        let n_places = dimensions.iter().try_fold(1_u64, |n, dimension| n.checked_mul(dimension.length));
        let n_places = n_places.filter(|&n| n <= MOST_PLACES);
        let n_places = n_places.ok_or_else(|| Error::Input(format!("{what}: has more than {MOST_PLACES} traces")))?;
        let cannot = "a temporary file for the places of traces";
        let file = tempfile::tempfile().map_err(failed(cannot))?;
        file.set_len(n_places * ENTRY).map_err(failed(cannot))?;
        let mut map = Self { file, waiting: Vec::new(), first: 0 };
        let names: Vec<&str> = dimensions.iter().map(|dimension| dimension.column.as_str()).collect();
        let mut used: Vec<Vec<bool>> = dimensions.iter().map(Dimension::unused).collect();
        let (mut set, mut trace) = (TraceSet::none(traces), traces.start);
        HeaderColumns::open(dataset)?.numbers(traces, &names, &mut |batch| {
            for row in 0..batch.first().map_or(0, Vec::len) {
                let positions = dimensions.iter().zip(batch).map(|(d, column)| d.positions.find(column[row], d.length));
                let positions: Vec<Option<u64>> = positions.collect();
                used.iter_mut().zip(&positions).for_each(|(used, at)| at.iter().for_each(|&at| mark(used, at)));
                if let Some(positions) = positions.into_iter().collect::<Option<Vec<u64>>>() {
                    let place = positions.iter().zip(dimensions).fold(0, |place, (at, d)| place * d.length + at);
                    map.put(place, trace).map_err(|other| twice(other, traces, dimensions, what))?;
                    set.insert(trace);
                }
                trace += 1;
            }
            Ok(())
        })?;
        map.flush().map_err(|other| twice(other, traces, dimensions, what))?;
        for (dimension, used) in dimensions.iter().zip(&used) {
            dimension.check(used, what)?;
        }
        Ok((map, set.counted()))
    }

    /// The traces at consecutive places.
    pub(super) fn traces(&self, places: &Range<u64>) -> Result<Vec<Option<u64>>> {
        let mut bytes = vec![0; ((places.end - places.start) * ENTRY) as usize];
        self.file.read_exact_at(&mut bytes, places.start * ENTRY).map_err(failed("the places of traces"))?;
        Ok(bytes.as_chunks().0.iter().map(|entry| u64::from_le_bytes(*entry).checked_sub(1)).collect())
    }

    fn put(&mut self, place: u64, trace: u64) -> Result<(), Taken> {
        if place != self.first + self.waiting.len() as u64 || self.waiting.len() == MOST_WAITING {
            self.flush()?;
            self.first = place;
        }
        self.waiting.push(trace + 1);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Taken> {
        let places = self.first..self.first + self.waiting.len() as u64;
        let before = self.traces(&places).map_err(Taken::Failed)?;
        if let Some((other, new)) =
            before.iter().zip(&self.waiting).find_map(|(other, new)| Some((other.as_ref()?, new)))
        {
            return Err(Taken::By(*other, new - 1));
        }
        let bytes: Vec<u8> = self.waiting.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let written = self.file.write_all_at(&bytes, self.first * ENTRY);
        self.waiting.clear();
        written.map_err(failed("the places of traces")).map_err(Taken::Failed)
    }
}

/// The values along a key of a grid.
pub(super) fn axis_values(dataset: &Dataset, key: &str) -> Result<Vec<f64>> {
    Ok(OtherArray::open(&dataset.root.path().join(key))?.numbers()?.1)
}

/// Why a trace could not get its place.
enum Taken {
    /// This trace is there already, and that one would be.
    By(u64, u64),
    Failed(Error),
}

fn twice(taken: Taken, traces: &Range<u64>, dimensions: &[Dimension], what: &str) -> Error {
    let names: Vec<&str> = dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
    match taken {
        Taken::Failed(error) => error,
        Taken::By(one, other) => Error::Input(format!(
            "{what}: traces {} and {} have the same {}; it needs another dimension that tells them apart",
            one - traces.start + 1,
            other - traces.start + 1,
            names.join(", ")
        )),
    }
}

fn mark(used: &mut [bool], at: u64) {
    if let Some(used) = used.get_mut(at as usize) {
        *used = true;
    }
}

impl Dimension {
    /// A flag for each value that has to be met.
    fn unused(&self) -> Vec<bool> {
        match &self.positions {
            Positions::Of(pairs) if !self.is_known => vec![false; pairs.len()],
            _ => Vec::new(),
        }
    }

    fn check(&self, used: &[bool], what: &str) -> Result<()> {
        let Positions::Of(pairs) = &self.positions else { return Ok(()) };
        let is_missing = |(_, at): &&(f64, u64)| used.get(*at as usize) == Some(&false);
        match pairs.iter().find(is_missing) {
            None => Ok(()),
            Some((value, _)) => Err(Error::Input(format!("{what}: no trace of the file has {} {value}", self.name))),
        }
    }
}

//! What workers need of a grid besides the plan: the order of the units and, unless they follow from the plan, the place of
//! each trace and the trace at each place.
//!
//! Planning again writes the same bytes, so they may be written while workers read them.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use crate::base::error::{Result, failed};
use crate::base::system::FileExt;
use crate::grid::Grid;
use crate::grid::bricks::{Cut, Region};
use crate::grid::places::{self, Placed};
use crate::grid::sorted::{SortedMap, SortedTraces};
use crate::input::trace_map::{OpenMap, TraceMap};
use crate::plan::Plan;
use crate::segy::ByteOrder;
use crate::staging::segment_paths::SegmentPaths;
use crate::store::files::{create_directories, is_there, move_to};
use crate::store::{Place, Reader, Writer};

/// The map of the traces that are taken, in the staging area.
const TRACE_MAP: &str = "traces.bin";
/// Name of the directory in the staging area.
pub(super) const GRID: &str = "grid";
const PLACES: &str = "places.bin";
const UNITS: &str = "units.bin";
const ASIDE_TRACES: &str = "aside.bin";
const RECORDS: &str = "records.bin";
/// Exists if a header contradicts the plan, which was made from a few others.
const SCAN: &str = "scan";
/// Numbers of traces aside that are kept at a time, at least.
const NUMBERS_AT_A_TIME: usize = 4096;
/// Traces whose records are read at a time.
const READ_TRACES: u64 = 65_536;
/// Bytes copied at a time.
const COPIED_BYTES: usize = 1 << 20;

/// Puts the map of the traces that are taken into the staging area, if not all of them are.
pub(super) fn write_map(plan: &Plan, staging: &Place) -> Result<()> {
    let Some(taken) = plan.files.iter().find_map(|file| file.taken.as_ref()) else { return Ok(()) };
    let map = taken.map.get()?;
    put(&staging.join(TRACE_MAP), |file| map.each_block(|bytes| file.write_all(bytes)))
}

/// Whether the plan's map is there, if it has one.
pub(super) fn has_map(plan: &Plan, staging: &Place) -> Result<bool> {
    match plan.files.iter().any(|file| file.taken.is_some()) {
        true => is_there(&staging.join(TRACE_MAP)),
        false => Ok(true),
    }
}

/// The plan at a place, with the map beside it.
///
/// # Errors
/// As [`Plan::read`].
pub(crate) fn read_plan(path: &Place, staging: &Place) -> Result<Plan> {
    let mut plan = Plan::read(path)?;
    let n_in_map = plan.files.iter().find_map(|file| file.taken.as_ref().map(|taken| taken.n_in_map));
    let map = n_in_map.map(|n| Arc::new(TraceMap::at(staging.join(TRACE_MAP), n)));
    plan.files.iter_mut().filter_map(|file| file.taken.as_mut()).for_each(|taken| taken.map = OpenMap(map.clone()));
    Ok(plan)
}

/// Puts them into the staging area, if the plan has a grid.
pub(super) fn write(plan: &Plan, staging: &Place) -> Result<()> {
    let Some(scratch) = &plan.scratch.0 else { return Ok(()) };
    let directory = staging.join(GRID);
    create_directories(&directory)?;
    if let Some(map) = scratch.places.map() {
        put(&directory.join(PLACES), |file| copy(map, scratch.places.n_places * 8, file))?;
    }
    if let Some(aside) = &scratch.places.aside {
        put(&directory.join(ASIDE_TRACES), |file| copy(aside, scratch.places.n_duplicates * 8, file))?;
    }
    if let Some(records) = scratch.records.file() {
        let n = scratch.records.n_traces * scratch.records.width() as u64;
        put(&directory.join(RECORDS), |file| copy(records, n, file))?;
    }
    let units: Vec<u8> = scratch.places.units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    put(&directory.join(UNITS), |file| file.write_all(&units))
}

fn put(place: &Place, write: impl FnOnce(&mut Writer) -> std::io::Result<()>) -> Result<()> {
    let unfinished = if place.is_remote() { place.clone() } else { place.with_extension("part") };
    let create = || -> std::io::Result<()> {
        let mut file = Writer::create(&unfinished)?;
        write(&mut file)?;
        file.finish()
    };
    create().map_err(failed(unfinished.display()))?;
    if place.is_remote() { Ok(()) } else { move_to(&unfinished, place) }
}

fn copy(from: &File, n: u64, to: &mut Writer) -> std::io::Result<()> {
    let mut buffer = vec![0; COPIED_BYTES];
    for at in (0..n).step_by(COPIED_BYTES) {
        let part = buffer.get_mut(..(n - at).min(COPIED_BYTES as u64) as usize).unwrap_or_default();
        from.read_exact_at(part, at)?;
        to.write_all(part)?;
    }
    Ok(())
}

/// Whether they are there.
pub(super) fn are_there(staging: &Place) -> Result<bool> {
    is_there(&staging.join(GRID).join(UNITS))
}

/// Whether a header contradicts the plan.
pub(super) fn wants_scan(staging: &Place) -> Result<bool> {
    is_there(&staging.join(GRID).join(SCAN))
}

/// The files of a grid, open for reading.
pub(crate) struct GridFiles<'a> {
    grid: &'a Grid,
    directory: Place,
    source: Source,
    /// Where the coordinates of which traces are, if not in the records.
    coordinates: Vec<(Range<u64>, Place)>,
    aside: Option<AsideTraces>,
}

/// Where it is said which trace is at each place, and where each trace is.
enum Source {
    Files {
        /// What the map says of each place.
        places: (Place, Reader),
        records: Reader,
    },
    /// It follows from the plan.
    Sorted(SortedTraces, SortedMap),
}

/// The numbers of the traces that lie aside, ascending.
struct AsideTraces {
    path: Place,
    file: Reader,
    n: u64,
    /// Some of them, and the traces among which there are no others.
    known: (Range<u64>, Vec<u64>),
}

impl AsideTraces {
    fn number(&self, at: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, at * 8).map_err(failed(self.path.display()))?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Those among some traces.
    fn among(&mut self, traces: &Range<u64>) -> Result<&[u64]> {
        if traces.start < self.known.0.start || traces.end > self.known.0.end {
            let (mut low, mut high) = (0, self.n);
            while low < high {
                let middle = (low + high) / 2;
                if self.number(middle)? < traces.start { low = middle + 1 } else { high = middle }
            }
            let mut numbers = Vec::new();
            let mut end = u64::MAX;
            for at in low..self.n {
                let number = self.number(at)?;
                if number >= traces.end && numbers.len() >= NUMBERS_AT_A_TIME {
                    end = number;
                    break;
                }
                numbers.push(number);
            }
            self.known = (traces.start..end, numbers);
        }
        let numbers = &self.known.1;
        let [start, end] = [traces.start, traces.end].map(|trace| numbers.partition_point(|number| *number < trace));
        Ok(&numbers[start..end])
    }
}

impl<'a> GridFiles<'a> {
    /// Those in a staging area.
    pub(crate) fn open(grid: &'a Grid, staging: &Place) -> Result<Self> {
        let directory = staging.join(GRID);
        let open = |name: &str| Reader::open(&directory.join(name)).map_err(failed(directory.join(name).display()));
        let source = match &grid.sorted {
            Some(sorted) => Source::Sorted(sorted.clone(), SortedMap::new(sorted, &grid.places())),
            None => {
                let map = if grid.aside_of.is_empty() { PLACES } else { ASIDE_TRACES };
                Source::Files { places: (directory.join(map), open(map)?), records: open(RECORDS)? }
            }
        };
        let path = directory.join(ASIDE_TRACES);
        let aside = match grid.n_aside {
            0 => None,
            n => Some(AsideTraces { path, file: open(ASIDE_TRACES)?, n, known: (0..0, Vec::new()) }),
        };
        Ok(Self { grid, source, coordinates: Vec::new(), aside, directory })
    }

    /// With the coordinates that the segments have, where the plan has none.
    pub(crate) fn with_coordinates(mut self, plan: &Plan, staging: &Place) -> Self {
        if self.grid.sorted.is_some() {
            let of = |(id, segment)| (plan.rows_of(segment), SegmentPaths::new(staging, id).coordinates);
            self.coordinates = (0..).zip(&plan.segments).map(of).collect();
        }
        self
    }

    /// Makes the next plan read all headers.
    pub(crate) fn ask_for_scan(staging: &Place) -> Result<()> {
        let mark = staging.join(GRID).join(SCAN);
        mark.write(&[]).map_err(failed(mark.display()))
    }

    /// The units with these ordinals, by number.
    pub(crate) fn units(&self, ordinals: &Range<u64>) -> Result<Vec<u64>> {
        if !self.grid.aside_of.is_empty() {
            return Ok(ordinals.clone().collect());
        }
        let path = self.directory.join(UNITS);
        let mut bytes = vec![0; (ordinals.end - ordinals.start) as usize * 8];
        let mut read = || Reader::open(&path)?.read_exact_at(&mut bytes, ordinals.start * 8);
        read().map_err(failed(path.display()))?;
        Ok(bytes.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number)).collect())
    }

    /// The traces of a column of bricks in file order.
    pub(crate) fn traces_in(&self, cut: &Cut, region: &Region) -> Result<Vec<Placed>> {
        places::traces_in(cut, region, |place, bytes| self.map(place, bytes))
    }

    /// Numbers of the map from a place on: traces, or [`places::HOLE`].
    pub(crate) fn map(&self, place: u64, bytes: &mut [u8]) -> Result<()> {
        match &self.source {
            Source::Files { places: (path, file), .. } => {
                file.read_exact_at(bytes, place * 8).map_err(failed(path.display()))
            }
            Source::Sorted(_, map) => {
                map.read(place, bytes);
                Ok(())
            }
        }
    }

    /// The records of some traces: for each its places on the axes in the order in which they were read, and its
    /// coordinates.
    pub(crate) fn records(&self, traces: &Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        let width = self.record_bytes();
        bytes.resize((traces.end - traces.start) as usize * width, 0);
        match &self.source {
            Source::Files { records, .. } => {
                let path = self.directory.join(RECORDS);
                records.read_exact_at(bytes, traces.start * width as u64).map_err(failed(path.display()))
            }
            Source::Sorted(sorted, _) => {
                let mut records = bytes.chunks_exact_mut(width);
                sorted.each(traces, |places| {
                    let fields = records.next().map_or(Default::default(), |record| record.as_chunks_mut().0);
                    for (place, &key) in places.iter().zip(&self.grid.record_order) {
                        fields[key] = place.to_le_bytes();
                    }
                });
                self.put_coordinates(traces, bytes)
            }
        }
    }

    /// One coordinate of each of some traces, by its number, little-endian.
    pub(crate) fn coordinate(&self, number: usize, traces: &Range<u64>) -> Result<Vec<[u8; 8]>> {
        let mut values = Vec::with_capacity((traces.end - traces.start) as usize);
        let mut bytes = Vec::new();
        for start in traces.clone().step_by(READ_TRACES as usize) {
            let part = start..(start + READ_TRACES).min(traces.end);
            let (field, n_fields) = match &self.source {
                Source::Files { .. } => {
                    self.records(&part, &mut bytes)?;
                    (self.grid.keys.len() + number, self.record_bytes() / 8)
                }
                Source::Sorted(..) => {
                    self.read_coordinates(&part, &mut bytes)?;
                    (number, self.grid.coordinates.len())
                }
            };
            values.extend(bytes.as_chunks().0.chunks_exact(n_fields).map(|fields| fields[field]));
        }
        Ok(values)
    }

    /// Reads the coordinates that segments have of some traces.
    fn read_coordinates(&self, traces: &Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        let width = self.grid.coordinates.len() * 8;
        bytes.clear();
        bytes.resize((traces.end - traces.start) as usize * width, 0);
        for (rows, path) in self.coordinates.iter().filter(|_| width > 0) {
            let both = rows.start.max(traces.start)..rows.end.min(traces.end);
            if both.is_empty() {
                continue;
            }
            let [start, end] = [both.start, both.end].map(|trace| (trace - traces.start) as usize * width);
            let mut read =
                || Reader::open(path)?.read_exact_at(&mut bytes[start..end], (both.start - rows.start) * width as u64);
            read().map_err(failed(path.display()))?;
        }
        Ok(())
    }

    /// Puts the coordinates that segments have into the records of some traces.
    fn put_coordinates(&self, traces: &Range<u64>, records: &mut [u8]) -> Result<()> {
        let (width, n) = (self.record_bytes(), self.grid.coordinates.len() * 8);
        if n > 0 {
            let mut found = Vec::new();
            self.read_coordinates(traces, &mut found)?;
            let records = records.chunks_exact_mut(width);
            records.zip(found.chunks_exact(n)).for_each(|(record, found)| record[width - n..].copy_from_slice(found));
        }
        Ok(())
    }

    /// Bytes of a record.
    pub(crate) fn record_bytes(&self) -> usize {
        (self.grid.keys.len() + self.grid.coordinates.len()) * 8
    }

    /// For each trace an int32 for each axis: its place, in this byte order; -1 where it lies aside.
    pub(crate) fn of(&mut self, traces: &Range<u64>, order: ByteOrder) -> Result<Vec<u8>> {
        let as_bytes = |place: u64| match order {
            ByteOrder::Big => (place as i32).to_be_bytes(),
            ByteOrder::Little => (place as i32).to_le_bytes(),
        };
        let mut places = Vec::with_capacity((traces.end - traces.start) as usize * self.grid.keys.len() * 4);
        if let Source::Sorted(sorted, _) = &self.source {
            sorted.each(traces, |of_trace| places.extend(of_trace.iter().flat_map(|&place| as_bytes(place))));
            return Ok(places);
        }
        let mut records = Vec::new();
        self.records(traces, &mut records)?;
        let width = self.record_bytes();
        let aside = self.aside.as_mut().map_or(Ok(&[][..]), |aside| aside.among(traces))?;
        for (trace, record) in traces.clone().zip(records.chunks_exact(width)) {
            let fields = record.as_chunks::<8>().0;
            let is_aside = aside.binary_search(&trace).is_ok();
            for &key in &self.grid.record_order {
                let place = fields.get(key).map_or(0, |field| u64::from_le_bytes(*field));
                places.extend(as_bytes(if is_aside { u64::MAX } else { place }));
            }
        }
        Ok(places)
    }
}

//! From the keys of all traces to the axes, and to the map that says which trace is at each place.

use std::fs::File;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::system::FileExt;
use crate::grid::aside::Aside;
use crate::grid::bricks::{Cut, Region, number_of_box};
use crate::grid::options::AxesOrder;
use crate::grid::scan::{MOST_VALUES, Records};
use crate::grid::sorted::SortedMap;
use crate::grid::{Key, TRACE, Values};

/// What the map says of a place without a trace.
pub(crate) const HOLE: u64 = u64::MAX;
/// Places that are looked at in one go: 32 MiB.
const WINDOW_PLACES: u64 = 1 << 22;
/// Places of it that are written at a time.
const WRITTEN_PLACES: usize = 1 << 16;
/// A grid may have this many places, and this many times as many as traces.
pub(crate) const MOST_PLACES: u64 = 1 << 31;
const MOST_PLACES_PER_TRACE: u64 = 1000;
/// More units of bricks than this are refused: the first trace of each is in memory.
pub(crate) const MOST_UNITS: u64 = 1 << 22;
/// Second traces at a place that a refusal names.
const NAMED: usize = 5;
/// Key values in a span like this are looked up in a table.
const DENSE_SPAN: u64 = 1 << 22;

/// A second trace at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub first: u64,
    pub second: u64,
    /// The values of the keys.
    pub values: Vec<i64>,
}

/// The trace at each place.
pub(crate) enum PlaceMap {
    /// Little-endian, eight bytes each, in a temporary file.
    File(File),
    Sorted(SortedMap),
}

/// The places of all traces.
pub struct Places {
    /// For each place, in the order of the axes with the last one fastest, the number of its trace, or [`HOLE`].
    map: PlaceMap,
    pub n_places: u64,
    /// Units of bricks with traces, in the order in which they are converted.
    pub units: Vec<u64>,
    /// Second traces at a place, and the first few of them.
    pub n_duplicates: u64,
    pub duplicates: Vec<Duplicate>,
    /// The numbers of all second traces, ascending, if they are kept. Little-endian, eight bytes each.
    pub aside: Option<File>,
}

/// The index on an axis of each of its values.
enum Lookup {
    Dense { first: i64, indices: Vec<u32> },
    Sorted(Vec<(i64, u32)>),
}

impl Lookup {
    fn new(values: &Values) -> Self {
        let first = values.iter().min().unwrap_or(0);
        let span = values.iter().max().map_or(0, |last| last.abs_diff(first));
        let numbered = values.iter().zip(0..);
        if span >= DENSE_SPAN {
            let mut sorted: Vec<(i64, u32)> = numbered.collect();
            sorted.sort_unstable();
            return Self::Sorted(sorted);
        }
        let mut indices = vec![u32::MAX; span as usize + 1];
        numbered.for_each(|(value, index)| indices[value.abs_diff(first) as usize] = index);
        Self::Dense { first, indices }
    }

    fn index(&self, value: i64) -> Option<u64> {
        match self {
            Self::Dense { first, indices } => {
                let at = usize::try_from(value.checked_sub(*first)?).ok()?;
                indices.get(at).copied().filter(|&index| index != u32::MAX).map(u64::from)
            }
            Self::Sorted(sorted) => {
                let at = sorted.binary_search_by_key(&value, |entry| entry.0).ok()?;
                Some(u64::from(sorted[at].1))
            }
        }
    }
}

/// Makes the axes of the fields from the values that were found, and replaces the keys in the records by places on the axes.
/// Returns the fields by number in the order of the axes; records keep the order in which they were read.
///
/// # Errors
/// `Error::Usage` for an axis that cannot be filled.
pub(crate) fn make_axes(
    keys: &mut Vec<Key>,
    records: &mut Records,
    order: AxesOrder,
    fill: &[String],
    cancel: &CancelHandle,
) -> Result<Vec<usize>> {
    for (key, found) in keys.iter_mut().zip(&records.values) {
        let mut values: Vec<i64> = found.iter().map(|&value| key.binned(value)).collect();
        values.dedup();
        let values = if fill.contains(&key.name) { filled(&key.name, &values)? } else { values };
        key.values = Values::List(values);
    }
    let mut seen = Seen::new(keys);
    let lookups: Vec<Lookup> = keys.iter().map(|key| Lookup::new(&key.values)).collect();
    let n_keys = keys.len();
    records.change_keys(n_keys, cancel, |key, value| {
        let index = lookups[key].index(keys[key].binned(value as i64)).unwrap_or(0);
        seen.see(key, index);
        index
    })?;
    for (key, n_changes) in seen.n_changes.iter_mut().enumerate() {
        *n_changes = records.n_changes(key).unwrap_or(*n_changes);
    }
    if order == AxesOrder::Ascending {
        return Ok((0..n_keys).collect());
    }
    // Values descend where the last of an axis comes before the first.
    let turned: Vec<bool> = (0..n_keys).map(|i| seen.last_came_first[i]).collect();
    if turned.contains(&true) {
        turn(keys, records, &turned, cancel)?;
    }
    let mut permuted: Vec<usize> = (0..n_keys).collect();
    permuted.sort_by_key(|&i| seen.n_changes[i]);
    *keys = permuted.iter().map(|&i| keys[i].clone()).collect();
    Ok(permuted)
}

/// In which order the indices of each key come.
struct Seen {
    last: Vec<u64>,
    before: Vec<u64>,
    n_changes: Vec<u64>,
    /// Whether the last value of the axis came before the first one; not yet known while neither came.
    last_came_first: Vec<bool>,
    is_known: Vec<bool>,
}

impl Seen {
    fn new(keys: &[Key]) -> Self {
        Self {
            last: keys.iter().map(|key| key.n().saturating_sub(1)).collect(),
            before: vec![u64::MAX; keys.len()],
            n_changes: vec![0; keys.len()],
            last_came_first: vec![false; keys.len()],
            is_known: vec![false; keys.len()],
        }
    }

    fn see(&mut self, key: usize, index: u64) {
        self.n_changes[key] += u64::from(self.before[key] != index);
        self.before[key] = index;
        if !self.is_known[key] && (index == 0 || index == self.last[key]) {
            self.is_known[key] = true;
            self.last_came_first[key] = index != 0;
        }
    }
}

/// Turns the axes of some keys round.
fn turn(keys: &mut [Key], records: &mut Records, turned: &[bool], cancel: &CancelHandle) -> Result<()> {
    let lengths: Vec<u64> = keys.iter().map(Key::n).collect();
    for (key, _) in keys.iter_mut().zip(turned).filter(|(_, turned)| **turned) {
        key.values = Values::List(key.values.iter().collect::<Vec<_>>().into_iter().rev().collect());
    }
    records.change_keys(turned.len(), cancel, |key, index| if turned[key] { lengths[key] - 1 - index } else { index })
}

/// The largest step that meets all of these values; 0 for one value.
pub(crate) fn step_of(values: &[i64]) -> u64 {
    let gcd = |a: u64, b: u64| {
        let (mut a, mut b) = (a, b);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    values.windows(2).fold(0, |step, pair| gcd(step, pair[1].abs_diff(pair[0])))
}

/// Every value from the first to the last, in the largest steps that meet all of them.
fn filled(name: &str, values: &[i64]) -> Result<Vec<i64>> {
    let step = step_of(values);
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return Ok(Vec::new()) };
    if step == 0 {
        return Ok(values.to_vec());
    }
    let n = last.abs_diff(first) / step + 1;
    if n > MOST_VALUES as u64 {
        return Err(Error::Usage(format!(
            "--fill-axes {name}: the axis would have {n} values, and {MOST_VALUES} is the limit"
        )));
    }
    Ok((0..n).map(|i| first + (i * step) as i64).collect())
}

/// Numbers the traces at the same place of the other keys from 0, in file order, as the last key of the records, and gives that
/// key its axis.
pub(crate) fn count_traces(keys: &mut [Key], records: &Records, order: &[usize], cancel: &CancelHandle) -> Result<()> {
    let Some((trace, others)) = keys.split_last_mut() else { return Ok(()) };
    let lengths: Vec<u64> = others.iter().map(Key::n).collect();
    let names: Vec<&str> = others.iter().map(|key| key.name.as_str()).chain([TRACE]).collect();
    let n_places = checked(lengths.iter().copied(), records.n_traces, &names)?;
    let mut most = 0;
    let mut counts = Vec::new();
    for window in (0..n_places).step_by(WINDOW_PLACES as usize) {
        counts.clear();
        counts.resize(WINDOW_PLACES.min(n_places - window) as usize, 0_u64);
        records.each_block(0..records.n_blocks(), cancel, |_, fields| {
            let mut has_changed = false;
            for record in fields.chunks_exact_mut(records.n_keys + records.n_coordinates) {
                let place = place_of(record, &order[..others.len()], &lengths);
                if let Some(count) = place.checked_sub(window).and_then(|at| counts.get_mut(at as usize)) {
                    record[others.len()] = count.to_le_bytes();
                    *count += 1;
                    most = most.max(*count);
                    has_changed = true;
                }
            }
            Ok(has_changed)
        })?;
    }
    trace.values = Values::Count(most);
    Ok(())
}

/// The place of a record; `order` has the numbers of its keys in the order of the axes.
pub(super) fn place_of(record: &[[u8; 8]], order: &[usize], lengths: &[u64]) -> u64 {
    order.iter().zip(lengths).fold(0, |place, (&key, length)| place * length + u64::from_le_bytes(record[key]))
}

/// The number of places, if a grid may have so many.
fn checked(lengths: impl Iterator<Item = u64>, n_traces: u64, names: &[&str]) -> Result<u64> {
    let n: u128 = lengths.map(u128::from).product();
    let most = u128::from(MOST_PLACES).min(u128::from(n_traces) * u128::from(MOST_PLACES_PER_TRACE));
    if n <= most {
        return Ok(n as u64);
    }
    let counting = match names.contains(&TRACE) {
        true => String::new(),
        false => format!(", and {TRACE} as the last key counts traces instead of spreading them"),
    };
    Err(Error::Input(format!(
        "{n_traces} traces would lie in {n} places of the grid {}, and {most} is the limit; \
         --bin moves values to fewer places{counting}",
        names.join(",")
    )))
}

/// Puts every trace in its place.
///
/// `unit` has the lengths of a unit of bricks along the keys. `keeps_aside` makes a list of the second traces at a place.
///
/// # Errors
/// `Error::Input` for a grid with too many places or units.
pub(crate) fn place(
    keys: &[Key],
    records: &Records,
    order: &[usize],
    unit: &[u64],
    keeps_aside: bool,
    cancel: &CancelHandle,
) -> Result<Places> {
    let lengths: Vec<u64> = keys.iter().map(Key::n).collect();
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let n_places = checked(lengths.iter().copied(), records.n_traces, &names)?;
    let n_units: u64 = lengths.iter().zip(unit).map(|(length, unit)| length.div_ceil(*unit)).product();
    if n_units > MOST_UNITS {
        return Err(Error::Usage(format!(
            "the grid would be cut into {n_units} columns of bricks, and {MOST_UNITS} is the limit; choose longer bricks (--brick)"
        )));
    }
    if let Some(sorted) = records.sorted(order) {
        return Ok(places_of_sorted(SortedMap::new(&sorted, &lengths), n_places, &Cut::of(&lengths, unit, None)));
    }
    let map = tempfile::tempfile().map_err(failed("a temporary file for the map of the grid"))?;
    let mut first = vec![HOLE; n_units as usize];
    let (mut n_duplicates, mut duplicates) = (0, Vec::new());
    let mut aside = if keeps_aside { Some(Aside::new()?) } else { None };
    let mut window = Vec::new();
    // Which places the traces of a block have, once that is known.
    let mut spans: Vec<[u64; 2]> = Vec::new();
    for start in (0..n_places).step_by(WINDOW_PLACES as usize) {
        window.clear();
        window.resize(WINDOW_PLACES.min(n_places - start) as usize, HOLE);
        let end = start + window.len() as u64;
        let is_first = start == 0;
        let touched = |block: &u64| spans.get(*block as usize).is_none_or(|[low, high]| *low < end && start <= *high);
        let blocks: Vec<u64> = (0..records.n_blocks()).filter(touched).collect();
        records.each_block(blocks.into_iter(), cancel, |first_trace, fields| {
            let mut span = [u64::MAX, 0];
            for (trace, record) in (first_trace..).zip(fields.chunks_exact(records.n_keys + records.n_coordinates)) {
                let place = place_of(record, order, &lengths);
                span = [span[0].min(place), span[1].max(place)];
                if is_first {
                    let along = order.iter().map(|&key| u64::from_le_bytes(record[key]));
                    let number = number_of_box(along, &lengths, unit);
                    first[number as usize] = first[number as usize].min(trace);
                }
                let Some(at) = place.checked_sub(start).and_then(|at| window.get_mut(at as usize)) else { continue };
                if *at == HOLE {
                    *at = trace;
                    continue;
                }
                n_duplicates += 1;
                if let Some(aside) = &mut aside {
                    aside.push(trace)?;
                }
                let value = |(&key, axis): (&usize, &Key)| axis.values.at(u64::from_le_bytes(record[key]));
                let values = order.iter().zip(keys).filter_map(value).collect();
                keep_first(&mut duplicates, Duplicate { first: *at, second: trace, values });
            }
            if is_first {
                spans.push(span);
            }
            Ok(false)
        })?;
        for (piece, at) in window.chunks(WRITTEN_PLACES).zip((start..).step_by(WRITTEN_PLACES)) {
            let bytes: Vec<u8> = piece.iter().flat_map(|trace| trace.to_le_bytes()).collect();
            map.write_all_at(&bytes, at * 8).map_err(failed("the map of the grid"))?;
        }
    }
    let with_first = |unit| (first[unit as usize], unit);
    let units = in_order((0..n_units).map(with_first).filter(|(first, _)| *first != HOLE).collect(), records.n_traces);
    let aside = aside.map(|aside| aside.list(records.n_traces, cancel)).transpose()?;
    Ok(Places { map: PlaceMap::File(map), n_places, units, n_duplicates, duplicates, aside })
}

/// The places of a sorted grid, which needs no file; `cut` has its units.
fn places_of_sorted(map: SortedMap, n_places: u64, cut: &Cut) -> Places {
    let n_units = cut.lengths.iter().zip(&cut.unit).map(|(length, unit)| length.div_ceil(*unit)).product();
    let corner = |unit| -> Vec<u64> { cut.index_of_unit(unit).iter().zip(&cut.unit).map(|(i, n)| i * n).collect() };
    let with_first = |unit| (map.first_in(&corner(unit), &cut.unit), unit);
    let units = (0..n_units).map(with_first).filter(|(first, _)| *first != HOLE).collect();
    let units = in_order(units, n_places);
    Places { map: PlaceMap::Sorted(map), n_places, units, n_duplicates: 0, duplicates: Vec::new(), aside: None }
}

/// Units in the order in which they are converted, each given with its first trace: that of the file, or where all begin near
/// its start, as in no order at all, that of the first axis, by whose values traces may be spilled.
pub(crate) fn in_order(mut units: Vec<(u64, u64)>, n_traces: u64) -> Vec<u64> {
    const NEAR_START: u128 = 8;
    let sum: u128 = units.iter().map(|(first, _)| u128::from(*first)).sum();
    if sum * NEAR_START >= units.len() as u128 * u128::from(n_traces) {
        units.sort_unstable();
    }
    units.into_iter().map(|(_, unit)| unit).collect()
}

/// A trace and the number of its place in a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    pub trace: u64,
    pub place: u64,
}

/// The traces of a column of bricks in file order. `read` gives numbers of the map from a place on.
pub(crate) fn traces_in(
    cut: &Cut,
    region: &Region,
    mut read: impl FnMut(u64, &mut [u8]) -> Result<()>,
) -> Result<Vec<Placed>> {
    let (mut traces, mut buffer) = (Vec::new(), Vec::new());
    for (place, n, local) in cut.runs(region, &cut.brick) {
        buffer.resize(n as usize * 8, 0);
        read(place, &mut buffer)?;
        let numbers = buffer.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let placed = numbers.zip(local..).filter(|(trace, _)| *trace != HOLE);
        traces.extend(placed.map(|(trace, place)| Placed { trace, place }));
    }
    traces.sort_unstable();
    Ok(traces)
}

impl Places {
    /// The traces of a column of bricks in file order.
    pub fn traces_in(&self, cut: &Cut, region: &Region) -> Result<Vec<Placed>> {
        traces_in(cut, region, |place, bytes| match &self.map {
            PlaceMap::File(map) => map.read_exact_at(bytes, place * 8).map_err(failed("the map of the grid")),
            PlaceMap::Sorted(map) => {
                map.read(place, bytes);
                Ok(())
            }
        })
    }

    /// The temporary file that the map is in; `None` if it is computed.
    pub fn map(&self) -> Option<&File> {
        match &self.map {
            PlaceMap::File(map) => Some(map),
            PlaceMap::Sorted(_) => None,
        }
    }
}

/// Keeps the few that come first in the file.
fn keep_first(duplicates: &mut Vec<Duplicate>, duplicate: Duplicate) {
    let at = duplicates.partition_point(|other| other.second < duplicate.second);
    if at < NAMED {
        duplicates.insert(at, duplicate);
        duplicates.truncate(NAMED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_a_table_or_a_list() {
        for values in [vec![7, 3, 5], vec![-1 << 50, 0, 1 << 50], vec![9]] {
            let lookup = Lookup::new(&Values::List(values.clone()));
            for (i, value) in values.iter().enumerate() {
                assert_eq!(lookup.index(*value), Some(i as u64));
            }
            assert_eq!((lookup.index(4), lookup.index(i64::MIN)), (None, None));
        }
    }

    #[test]
    fn a_filled_axis_has_the_largest_step_that_meets_every_value() {
        assert_eq!(filled("offset", &[100, 300, 700]), Ok(vec![100, 300, 500, 700]));
        assert_eq!(filled("offset", &[5]), Ok(vec![5]));
        assert!(filled("offset", &[0, 1, 1 << 40]).unwrap_err().to_string().contains("--fill-axes offset"));
    }

    #[test]
    fn units_come_as_in_the_file_or_along_the_first_axis_where_the_file_has_no_order() {
        // Sorted by the second axis: 0 and 2 begin the file.
        assert_eq!(in_order(vec![(0, 0), (500, 1), (10, 2), (510, 3)], 1000), [0, 2, 1, 3]);
        assert_eq!(in_order(vec![(3, 0), (0, 1), (5, 2), (1, 3)], 1000), [0, 1, 2, 3]);
        assert_eq!(in_order(Vec::new(), 0), [0; 0]);
    }

    #[test]
    fn a_grid_has_its_limits() {
        assert_eq!(checked([40, 40_000].into_iter(), 1600, &["a", "b"]), Ok(1_600_000));
        let advice = |names: &[&str]| checked([40, 40_001].into_iter(), 1600, names).unwrap_err().to_string();
        assert!(advice(&["a", "b"]).contains("trace as the last key") && !advice(&["a", "trace"]).contains("last key"));
        assert!(checked([1 << 40, 1 << 40].into_iter(), u64::MAX, &["a", "b"]).is_err());
    }
}

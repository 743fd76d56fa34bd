//! Planning a grid: its keys, coordinates, axes and bricks, from the headers of all traces.

use std::fmt;
use std::sync::Arc;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::near_names::near_names;
use crate::dataset_files::ASIDE;
use crate::gather::GatherKey;
use crate::grid::blocks::{self, Block};
use crate::grid::bricks::{self, Cut};
use crate::grid::buckets::Spilled;
use crate::grid::options::{AxesOrder, Bin, Duplicates, GridKeys, GridOptions, GridShard, Lengths};
use crate::grid::places::{self, Places, count_traces, make_axes};
use crate::grid::scan::{Records, Wanted};
use crate::grid::{Coordinate, Grid, Key, TRACE, Values, choice, probe};
use crate::input::PlannedFile;
use crate::segy::Domain;
use crate::segy::Io;
use crate::segy::fields::{FieldKind, TRACE_FIELDS};
use crate::table::HeaderTable;
use crate::zarr::ArrayPlan;

/// What planning a grid finds that is too large for the plan; every run finds it again.
pub struct GridScratch {
    pub records: Records,
    pub places: Places,
    /// How the traces were spilled while their keys were read, if they were.
    pub(crate) spilled: Option<Spilled>,
}

/// Reads the keys of all traces in another way than by their headers alone.
pub(crate) trait Scanner {
    /// The records, and how the traces were spilled meanwhile; `None` where the headers are better read alone.
    fn scan(&self, unread: &Unread, cancel: &CancelHandle) -> Result<Option<(Records, Spilled)>>;
}

/// A grid whose keys are not read yet.
pub(crate) struct Unread<'a> {
    pub survey: &'a Survey<'a>,
    pub options: &'a GridOptions,
    /// The keys, without their values.
    pub keys: &'a [Key],
    pub wanted: &'a Wanted<'a>,
}

/// The scratch of a plan that this process has made.
#[derive(Clone, Default)]
pub struct Scratch(pub Option<Arc<GridScratch>>);

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Scratch" } else { "no scratch" })
    }
}

/// It follows from the rest of the plan.
impl PartialEq for Scratch {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A grid, what else planning it found, and warnings.
pub(super) struct Made {
    pub grid: Grid,
    pub scratch: GridScratch,
    pub warnings: Vec<String>,
}

/// The places of all traces, and how the grid is cut.
pub(super) struct Found {
    pub keys: Vec<Key>,
    pub coordinates: Vec<Coordinate>,
    pub records: Records,
    /// The keys of the records by number, in the order of the axes.
    pub order: Vec<usize>,
    pub brick: Vec<u64>,
    pub shard: Option<Vec<u64>>,
    pub places: Places,
    pub cut: Cut,
    spilled: Option<Spilled>,
}

/// The keys of a stacked volume.
const VOLUME: [&str; 2] = ["inline", "crossline"];
/// More places than this per trace give a warning.
const MANY_PLACES: u64 = 10;

impl Found {
    /// Places of the grid.
    pub(super) fn n_places(&self) -> u64 {
        self.places.n_places
    }

    /// Columns of bricks with traces.
    pub(super) fn n_columns(&self) -> Result<u64> {
        if self.shard.is_none() {
            return Ok(self.places.units.len() as u64);
        }
        let mut n = 0;
        for &unit in &self.places.units {
            for column in self.cut.columns_of(&self.cut.index_of_unit(unit)) {
                n += u64::from(!self.places.traces_in(&self.cut, &self.cut.places_of(&column))?.is_empty());
            }
        }
        Ok(n)
    }

    /// Warnings.
    pub(super) fn warnings(&self, cancel: &CancelHandle) -> Result<Vec<String>> {
        let said = (self.places.n_duplicates > 0).then(|| said_of_duplicates(&self.keys, &self.places));
        let aside = said.map(|said| format!("{said}; the later ones are in {ASIDE}/"));
        Ok(aside.into_iter().chain(self.warnings_of_places(cancel)?).collect())
    }

    /// Warnings about the places alone.
    pub(super) fn warnings_of_places(&self, cancel: &CancelHandle) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let blocks = blocks::blocks(&self.keys, &self.records, &self.order, cancel)?;
        if !blocks.is_empty() {
            warnings.push(said_of_blocks(&self.keys, &blocks));
        }
        let n_placed = self.records.n_traces - self.places.n_duplicates.min(self.records.n_traces);
        if self.n_places() / MANY_PLACES > n_placed {
            warnings.push(format!(
                "{n_placed} of {} places of the grid have a trace; {TRACE} as the last key counts traces in place of \
                 spreading them, and --bin moves values to fewer places",
                self.n_places()
            ));
        }
        Ok(warnings)
    }
}

/// The blocks of a grid that nothing joins.
fn said_of_blocks(keys: &[Key], blocks: &[Block]) -> String {
    const NAMED: usize = 5;
    let said = |block: &Block| {
        let ranges = keys.iter().zip(block).map(|(key, [first, last])| format!("{} {first} to {last}", key.name));
        ranges.collect::<Vec<_>>().join(", ")
    };
    let named: Vec<String> = blocks.iter().take(NAMED).map(said).collect();
    let others = if blocks.len() > NAMED { "; …" } else { "" };
    format!(
        "its traces lie in {} blocks apart from each other: {}{others}; if they are surveys of their own, import them \
         separately",
        blocks.len(),
        named.join("; ")
    )
}

/// Refuses a grid that cannot be stored.
fn check(grid: &Grid) -> Result<()> {
    let parts = grid.parts();
    if let Some((_, name)) = parts.iter().enumerate().find(|(i, name)| parts[..*i].contains(name)) {
        return Err(Error::Usage(format!(
            "two parts of the dataset would be called {name}; name the samples with --variable, and fields with --field"
        )));
    }
    if grid.is_consistent() {
        return Ok(());
    }
    Err(Error::Usage(
        "a brick would be too large, or a shard would hold too many; choose shorter ones (--brick, --shard)".into(),
    ))
}

/// What a grid is made from.
pub(crate) struct Survey<'a> {
    pub files: &'a [PlannedFile],
    pub io: Io,
    pub headers: &'a HeaderTable,
    pub traces: ArrayPlan,
    pub scanner: Option<&'a dyn Scanner>,
}

impl Survey<'_> {
    /// What messages call the input.
    pub(crate) fn name(&self) -> String {
        self.files.first().map_or(String::new(), |file| file.input.path.display().to_string())
    }

    /// Plans the grid.
    ///
    /// # Errors
    /// `Error::Input` where two traces share a place, or no grid can be made; `Error::Usage` for keys that do not exist.
    pub(super) fn grid(&self, options: &GridOptions, cancel: &CancelHandle) -> Result<Made> {
        let found = self.find(options, cancel)?;
        if found.places.n_duplicates > 0 && options.duplicates == Duplicates::Refuse {
            return Err(self.refuse_duplicates(&found.keys, &found.places));
        }
        let warnings = found.warnings(cancel)?;
        let n_columns = found.n_columns()?;
        let Found { keys, coordinates, records, order, brick, shard, places, spilled, .. } = found;
        let sorted = records.sorted(&order);
        let grid = Grid {
            keys,
            vertical: vertical(self.files),
            variable: self.traces.name.clone(),
            header_type: options.header_type,
            brick,
            shard,
            coordinates,
            record_order: order,
            uses_last_bytes: records.uses_last_bytes,
            sorted,
            n_units: places.units.len() as u64,
            n_columns,
            crs: options.crs.as_ref().map(|crs| crs.0.clone()),
            n_aside: places.n_duplicates,
            aside_of: Vec::new(),
            traces: self.traces.clone(),
        };
        check(&grid)?;
        Ok(Made { grid, scratch: GridScratch { records, places, spilled }, warnings })
    }

    /// Finds the places of all traces.
    pub(super) fn find(&self, options: &GridOptions, cancel: &CancelHandle) -> Result<Found> {
        let keeps_aside = options.duplicates == Duplicates::Aside;
        let names = match &options.keys {
            GridKeys::Fields(names) => names.clone(),
            GridKeys::Auto if self.is_sorted_volume(options, cancel)? => VOLUME.map(str::to_owned).to_vec(),
            GridKeys::Auto => {
                let scan = |names: &[String]| self.scan(names, &options.bins, cancel);
                let there = self.columns_there(&choice::CANDIDATES);
                choice::choose(&there, keeps_aside, scan, cancel).map_err(|e| self.at(e))?
            }
        };
        let (mut keys, fields) = self.keys(&names, &options.bins)?;
        let counts_traces = bricks::counts_traces(&names);
        self.check_names(options, &keys[..fields.len()])?;
        let mut coordinates = self.coordinates(&keys);
        let wanted = Wanted { files: self.files, io: self.io, keys: &fields, coordinates: &coordinates, counts_traces };
        let unread = Unread { survey: self, options, keys: &keys, wanted: &wanted };
        let (mut records, spilled) = self.records(&unread, cancel)?;
        let trace = if counts_traces { keys.pop() } else { None };
        self.check_constant(&keys, &records)?;
        let mut order = make_axes(&mut keys, &mut records, options.axes, &options.fill_axes, cancel)?;
        for coordinate in &mut coordinates {
            let place = |&axis: &usize| order.iter().position(|&key| key == axis).unwrap_or(axis);
            coordinate.axes = coordinate.axes.iter().map(place).collect();
            coordinate.axes.sort_unstable();
        }
        if let Some(trace) = trace {
            order.push(fields.len());
            keys.push(trace);
            count_traces(&mut keys, &records, &order, cancel)?;
        }
        let (brick, shard) = self.cut(options, &keys, &order)?;
        let lengths: Vec<u64> = keys.iter().map(Key::n).collect();
        let cut = Cut::of(&lengths, &brick, shard.as_deref());
        let places = places::place(&keys, &records, &order, &cut.unit, keeps_aside, cancel).map_err(|e| self.at(e))?;
        Ok(Found { keys, coordinates, records, order, brick, shard, places, cut, spilled })
    }

    /// The bricks and shards, for keys in the order of the axes.
    pub(crate) fn cut(
        &self,
        options: &GridOptions,
        keys: &[Key],
        order: &[usize],
    ) -> Result<(Vec<u64>, Option<Vec<u64>>)> {
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        let lengths: Vec<u64> = keys.iter().map(Key::n).chain([self.traces.n_samples]).collect();
        let asked = options.brick.as_ref().map(|brick| permuted(brick, order));
        let brick = bricks::brick(asked.as_ref(), &names, &lengths)?;
        let shard = options.shard.as_ref().map(|shard| match shard {
            GridShard::Columns => GridShard::Columns,
            GridShard::Lengths(asked) => GridShard::Lengths(permuted(asked, order)),
        });
        let shard = bricks::shard(shard.as_ref(), &brick, &lengths)?;
        Ok((brick, shard))
    }

    /// Whether a few headers show a sorted volume without holes, which needs no further look at the keys.
    fn is_sorted_volume(&self, options: &GridOptions, cancel: &CancelHandle) -> Result<bool> {
        if self.is_scanned(options) || self.columns_there(&VOLUME).len() < VOLUME.len() {
            return Ok(false);
        }
        let (_, keys) = self.keys(&VOLUME.map(str::to_owned), &options.bins)?;
        let wanted = Wanted { files: self.files, io: self.io, keys: &keys, coordinates: &[], counts_traces: false };
        Ok(probe::records(&wanted, cancel)?.is_some())
    }

    /// Whether all headers are read: where that is asked for, traces of the files are left out, or values move to bins, which
    /// may bring two of them together.
    fn is_scanned(&self, options: &GridOptions) -> bool {
        options.is_scanned || !options.bins.is_empty() || self.files.iter().any(|file| file.taken.is_some())
    }

    /// The keys of all traces: from a few headers, if these show a sorted grid without holes.
    fn records(&self, unread: &Unread, cancel: &CancelHandle) -> Result<(Records, Option<Spilled>)> {
        let wanted = unread.wanted;
        if !self.is_scanned(unread.options)
            && let Some(probed) = probe::records(wanted, cancel)?
        {
            return Ok((probed, None));
        }
        let spilled = self.scanner.map_or(Ok(None), |scanner| scanner.scan(unread, cancel))?;
        match spilled {
            Some((records, spilled)) => Ok((records, Some(spilled))),
            None => Records::read(wanted, cancel).map(|records| (records, None)),
        }
    }

    /// What a message is about.
    fn at(&self, error: Error) -> Error {
        error.at(&self.name())
    }

    /// Reads keys only, as they would become axes.
    fn scan(&self, names: &[String], bins: &[Bin], cancel: &CancelHandle) -> Result<(Vec<Key>, Records)> {
        let (mut keys, fields) = self.keys(names, bins)?;
        let wanted = Wanted { files: self.files, io: self.io, keys: &fields, coordinates: &[], counts_traces: false };
        let mut records = Records::read(&wanted, cancel)?;
        make_axes(&mut keys, &mut records, AxesOrder::Ascending, &[], cancel)?;
        Ok((keys, records))
    }

    fn columns_there(&self, names: &[&'static str]) -> Vec<&'static str> {
        names.iter().copied().filter(|name| self.headers.columns.iter().any(|c| c.name == *name)).collect()
    }

    /// The keys, and the fields that are read for them; `trace` needs none.
    fn keys(&self, names: &[String], bins: &[Bin]) -> Result<(Vec<Key>, Vec<GatherKey>)> {
        let bin = |name: &str| bins.iter().find(|bin| bin.key == name).map(|bin| [bin.first, bin.step]);
        let key = |name: &String| {
            let field = if name == TRACE { None } else { Some(self.field(name)?) };
            Ok(Key { name: name.clone(), field, bin: bin(name), values: Values::Count(0) })
        };
        let keys: Vec<Key> = names.iter().map(key).collect::<Result<_>>()?;
        let fields = keys.iter().filter_map(|key| key.field.clone()).collect();
        Ok((keys, fields))
    }

    fn field(&self, name: &str) -> Result<GatherKey> {
        let headers = self.headers;
        if let Some(computed) = headers.computed.iter().find(|c| c.name.eq_ignore_ascii_case(name)) {
            let formula = Some(computed.clone());
            return Ok(GatherKey { name: name.into(), first_byte: 0, kind: FieldKind::F64, formula });
        }
        let by_name = headers.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name));
        let alias = TRACE_FIELDS.iter().find(|f| f.is_called(name)).map(|f| f.name);
        let column = by_name.or_else(|| headers.columns.iter().find(|c| Some(c.name.as_str()) == alias));
        let Some(column) = column else {
            let known = headers.columns.iter().map(|c| c.name.as_str());
            let near = near_names(name, known.chain(headers.computed.iter().map(|c| c.name.as_str())));
            return Err(Error::Usage(format!(
                "--grid {name}: is not a trace header field; {near} (--field {name}=BYTE:TYPE says where another one is)"
            )));
        };
        if !column.kind.is_integer() {
            return Err(Error::Usage(format!(
                "--grid {name}: is not a whole number; --compute {name}_index='round(…)' makes one of it"
            )));
        }
        Ok(GatherKey { name: name.into(), first_byte: column.first_byte, kind: column.kind, formula: None })
    }

    /// The coordinates that go with these keys, as MDIO has them: of the midpoint for gathers by midpoint, otherwise of
    /// source and receiver. `axes` are numbers of keys.
    fn coordinates(&self, keys: &[Key]) -> Vec<Coordinate> {
        let axes_of = |names: &[&str]| -> Vec<usize> {
            (0..keys.len()).filter(|&i| names.contains(&keys[i].name.as_str())).collect()
        };
        let all: Vec<usize> = (0..keys.len()).collect();
        let midpoints = axes_of(&["inline", "crossline", "cdp"]);
        let shots = axes_of(&[
            "shot_point",
            "shot_line",
            "shot_index",
            "gun",
            "sail_line",
            "field_record",
            "energy_source_point",
            "source",
        ]);
        let receivers = axes_of(&["receiver", "receiver_line", "component"]);
        let wanted = if !midpoints.is_empty() {
            vec![("cdp_x", "cdp_x", midpoints.clone()), ("cdp_y", "cdp_y", midpoints)]
        } else if !shots.is_empty() || !receivers.is_empty() {
            let of_receivers = if receivers.is_empty() { all } else { receivers };
            let mut wanted = Vec::new();
            if !shots.is_empty() {
                wanted.push(("source_coord_x", "source_x", shots.clone()));
                wanted.push(("source_coord_y", "source_y", shots));
            }
            wanted.push(("group_coord_x", "receiver_x", of_receivers.clone()));
            wanted.push(("group_coord_y", "receiver_y", of_receivers));
            wanted
        } else {
            vec![("cdp_x", "cdp_x", all.clone()), ("cdp_y", "cdp_y", all)]
        };
        let coordinate = |(name, column, axes): (&str, &str, Vec<usize>)| {
            let found = self.headers.columns.iter().find(|c| c.name == column)?;
            (!keys.iter().any(|key| key.name == name) && found.kind != FieldKind::Text(0)).then(|| Coordinate {
                name: name.into(),
                column: column.into(),
                first_byte: found.first_byte,
                kind: found.kind,
                scalar: found.scalar,
                given_scalar: found.given_scalar,
                axes,
            })
        };
        wanted.into_iter().filter_map(coordinate).collect()
    }

    /// Refuses options for keys that the grid does not have.
    fn check_names(&self, options: &GridOptions, keys: &[Key]) -> Result<()> {
        let named = options.bins.iter().map(|bin| ("--bin", &bin.key));
        for (option, name) in named.chain(options.fill_axes.iter().map(|name| ("--fill-axes", name))) {
            if !keys.iter().any(|key| key.name == *name) {
                let near = near_names(name, keys.iter().map(|key| key.name.as_str()));
                return Err(Error::Usage(format!("{option} {name}: is not a key of --grid; {near}")));
            }
        }
        Ok(())
    }

    /// Refuses keys that are the same in all traces.
    fn check_constant(&self, keys: &[Key], records: &Records) -> Result<()> {
        let constant: Vec<String> = keys
            .iter()
            .zip(&records.values)
            .filter(|(_, values)| values.len() == 1)
            .map(|(key, values)| format!("{} is {} in all traces", key.name, values.first().copied().unwrap_or(0)))
            .collect();
        if records.n_traces < 2 || constant.is_empty() || constant.len() < keys.len() {
            return Ok(());
        }
        let name = self.name();
        Err(Error::Input(format!(
            "{name}: {}; where the numbers are instead: segy-import inspect --candidates {name}",
            constant.join(", ")
        )))
    }

    fn refuse_duplicates(&self, keys: &[Key], places: &Places) -> Error {
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        Error::Input(format!(
            "{}: {}; --grid {},{TRACE} gives each a place, --bin or another key moves them apart, --duplicates aside keeps \
             the later ones beside the grid, and without --grid they are imported in file order",
            self.name(),
            said_of_duplicates(keys, places),
            names.join(",")
        ))
    }
}

/// How many second traces there are, and the first few of them.
fn said_of_duplicates(keys: &[Key], places: &Places) -> String {
    let named = places.duplicates.iter().map(|duplicate| {
        let values = keys.iter().zip(&duplicate.values).map(|(key, value)| format!("{} {value}", key.name));
        let values: Vec<String> = values.collect();
        format!("{}: traces {} and {}", values.join(", "), duplicate.first + 1, duplicate.second + 1)
    });
    let named: Vec<String> = named.collect();
    let n = places.n_duplicates;
    let (noun, verb) = if n == 1 { ("trace", "lies") } else { ("traces", "lie") };
    let first = if n > named.len() as u64 { ", first of them" } else { "" };
    format!("{n} {noun} {verb} where another does{first} {}", named.join("; "))
}

/// Lengths that were given in the order of the keys, in that of the axes.
fn permuted(lengths: &Lengths, order: &[usize]) -> Lengths {
    let n = order.len();
    if lengths.0.len() != n + 1 {
        return lengths.clone();
    }
    let keys = order.iter().map(|&key| lengths.0[key.min(n - 1)]);
    Lengths(keys.chain([lengths.0[n]]).collect())
}

/// Name of the axis of the samples.
fn vertical(files: &[PlannedFile]) -> String {
    let domain = files.first().map_or(Domain::Time, |file| file.layout.axis.domain);
    match domain {
        Domain::Time => "time",
        Domain::Depth => "depth",
        Domain::Frequency => "frequency",
    }
    .into()
}

#[cfg(test)]
mod tests;

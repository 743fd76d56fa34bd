//! The arrays of a grid besides samples and headers: axes, coordinates, the mask, the trace numbers, the file headers,
//! and the documents of the groups. Named and declared as MDIO 1 has them, so that it opens and exports the dataset.

mod file_headers;
mod survey_bins;
mod traces_aside;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::dataset_files::{TABLES, TRACE_MASK, TRACE_NUMBERS, ZARR_JSON};
use crate::grid::bin_grid::BinGrid;
use crate::grid::bricks::{Cut, template};
use crate::grid::header_record::HeaderRecord;
use crate::grid::places::HOLE;
use crate::grid::{Coordinate, Grid};
use crate::merge::array_files::ArrayFiles;
use crate::merge::{titles, trace_coordinates};
use crate::plan::Plan;
use crate::segy::Domain;
use crate::segy::samples::moments::Moments;
use crate::staging::{GridFiles, SegmentRecord};
use crate::store::Place;
use crate::store::checksum::{Checksum, hexadecimal};
use crate::store::files::{read_json, write_json};
use crate::zarr::{Axis, PlainArray, array_document, group_document, records_document, structure};

/// Values in a chunk at most: 8 MiB of the widest. As many are written at a time as there are cores.
const CHUNK_VALUES: u64 = 1 << 20;
/// The version of MDIO's layout that this is.
const MDIO_VERSION: &str = "1.2.3";
/// Traces whose records are read at a time.
const RECORD_TRACES: u64 = 65_536;

/// What was written.
pub(crate) struct GridArrays {
    /// Checksums of the files of these arrays, by path in the dataset.
    pub checksums: BTreeMap<String, Checksum>,
    /// Of the Zarr documents among them: what they say besides attributes.
    pub structures: BTreeMap<String, String>,
    /// For each coordinate, how many traces have another value than their place.
    pub differences: Vec<u64>,
    pub bin_grid: Option<BinGrid>,
}

/// Writes the arrays of a grid into a dataset that has its bricks.
pub(super) fn write(
    plan: &Plan,
    grid: &Grid,
    records: &[SegmentRecord],
    (staging, dataset): (&Place, &Place),
    cancel: &CancelHandle,
) -> Result<GridArrays> {
    let files = &GridFiles::open(grid, staging)?.with_coordinates(plan, staging);
    let new = || Writer { plan, grid, files, dataset, cancel, arrays: ArrayFiles::new(dataset) };
    // Each coordinate, and the places, on their own.
    let parts = Mutex::new(BTreeMap::new());
    let part = |(): &mut (), number: usize, _: &Shared| {
        let mut writer = new();
        let n_differences = match grid.coordinates.get(number) {
            Some(coordinate) => writer.coordinate(number, coordinate)?,
            None => writer.places().map(|()| 0)?,
        };
        parts.lock().unwrap_or_else(PoisonError::into_inner).insert(number, (writer.arrays, n_differences));
        Ok(())
    };
    let n_coordinates = grid.coordinates.len();
    for_each(n_threads(), 0..=n_coordinates, cancel, &mut |_| {}, || Ok(()), part)?;
    let mut writer = new();
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let places = parts.remove(&n_coordinates);
    let mut differences = Vec::new();
    for (arrays, n_differences) in parts.into_values() {
        writer.arrays.extend(arrays);
        differences.push(n_differences);
    }
    let mut moments = Moments::default();
    records.iter().for_each(|record| moments.merge(&record.moments));
    writer.bricks(Some(&moments))?;
    writer.headers()?;
    places.into_iter().for_each(|(arrays, _)| writer.arrays.extend(arrays));
    writer.axes()?;
    writer.file_header()?;
    if let Some(aside) = grid.aside() {
        writer.traces_aside(&aside, staging)?;
    }
    let bin_grid = writer.bin_grid()?;
    writer.groups(bin_grid.as_ref())?;
    let documents = writer.arrays.names().filter(|name| name.ends_with(ZARR_JSON));
    let of_document = |name: &String| {
        let document: Value = read_json(&dataset.join(name))?;
        Ok((name.clone(), hexadecimal(structure(&document))))
    };
    let structures = documents.map(of_document).collect::<Result<_>>()?;
    Ok(GridArrays { checksums: writer.arrays.checksums()?, structures, differences, bin_grid })
}

struct Writer<'a> {
    plan: &'a Plan,
    grid: &'a Grid,
    files: &'a GridFiles<'a>,
    dataset: &'a Place,
    cancel: &'a CancelHandle,
    arrays: ArrayFiles<'a>,
}

impl Writer<'_> {
    /// The axes of an array along some keys, in chunks that fit in memory.
    fn along(&self, axes: &[usize]) -> Vec<Axis> {
        let mut room = CHUNK_VALUES;
        let mut found: Vec<Axis> = axes
            .iter()
            .rev()
            .map(|&axis| {
                let key = &self.grid.keys[axis];
                let length = key.n();
                let chunk = length.min(room).max(1);
                room = (room / chunk).max(1);
                Axis { name: key.name.clone(), length, chunk }
            })
            .collect();
        found.reverse();
        found
    }

    fn all(&self) -> Vec<usize> {
        (0..self.grid.keys.len()).collect()
    }

    /// The attribute that names the coordinates of an array.
    fn coordinate_names(&self) -> Value {
        let names: Vec<&str> = self.grid.coordinates.iter().map(|c| c.name.as_str()).collect();
        if names.is_empty() { json!({}) } else { json!({"coordinates": names.join(" ")}) }
    }

    /// The array of the samples, of which `moments` tell.
    fn bricks(&mut self, moments: Option<&Moments>) -> Result<()> {
        let mut document = array_document(&self.grid.array());
        let mut attributes = self.coordinate_names();
        if self.grid.traces.dtype.is_float() {
            document["fill_value"] = "NaN".into();
            attributes["_FillValue"] = no_number().into();
        }
        if let Some(precision) = document["attributes"].get("precision") {
            attributes["precision"] = precision.clone();
        }
        if let Some(statistics) = moments.and_then(statistics) {
            attributes["statsV1"] = statistics.to_string().into();
        }
        document["attributes"] = attributes;
        self.arrays.document(&self.grid.variable.clone(), document)
    }

    fn headers(&mut self) -> Result<()> {
        let record = HeaderRecord::new(self.grid, self.plan.layout().byte_order);
        let of_type = self.grid.header_type;
        let (data_type, fill_value) = (record.data_type(of_type), record.fill_value(of_type));
        let array = record.array(self.grid);
        let document = records_document(&array, data_type, record.bytes(), fill_value, self.coordinate_names());
        self.arrays.document(&self.grid.path_of(HeaderRecord::ARRAY), document)
    }

    /// The mask, and the number of the trace at each place.
    fn places(&mut self) -> Result<()> {
        let (axes, attributes) = (self.along(&self.all()), self.coordinate_names());
        let chunk: Vec<u64> = axes.iter().map(|axis| axis.chunk).collect();
        let (grid, files, cancel) = (self.grid, self.files, self.cancel);
        let numbers = |index: &[u64]| {
            cancel.check()?;
            numbers_of_chunk(grid, files, &chunk, index)
        };
        let mask = PlainArray {
            axes: axes.clone(),
            data_type: "bool",
            item_bytes: 1,
            fill_value: false.into(),
            attributes: attributes.clone(),
            level: PlainArray::LEVEL,
        };
        // No trace is missing among those aside.
        if self.grid.aside_of.is_empty() {
            self.arrays.put(TRACE_MASK, &mask, |index| {
                let numbers = numbers(index)?;
                let is_there = |number: &[u8; 8]| u8::from(u64::from_le_bytes(*number) != HOLE);
                Ok(numbers.as_chunks().0.iter().map(is_there).collect())
            })?;
        }
        let mut attributes = attributes;
        attributes["long_name"] = "number of the trace in the SEG-Y file, from 0; -1 where there is none".into();
        let array = PlainArray {
            axes,
            data_type: "int64",
            item_bytes: 8,
            fill_value: (-1).into(),
            attributes,
            level: PlainArray::LEVEL,
        };
        self.arrays.put(&self.grid.path_of(TRACE_NUMBERS), &array, numbers)
    }

    /// The keys and the axis of the samples.
    fn axes(&mut self) -> Result<()> {
        for axis in self.all() {
            let key = &self.grid.keys[axis];
            let mut attributes = json!({});
            if let Some(units) = units_of_key(&key.name, self.plan) {
                attributes["unitsV1"] = units;
            }
            let name = key.name.clone();
            let whole = Whole::of(key.values.iter());
            let array = whole.array(whole_axis(&name, key.n()), attributes);
            self.arrays.put(&name, &array, |_| Ok(whole.bytes(key.values.iter())))?;
        }
        self.samples()
    }

    /// The axis of the samples.
    fn samples(&mut self) -> Result<()> {
        let (axis, n) = (&self.plan.layout().axis, self.grid.traces.n_samples);
        let values: Vec<f64> = (0..n).map(|i| axis.value(i)).collect();
        let is_whole = values.iter().all(|v| v.fract() == 0.0 && v.abs() < f64::from(i32::MAX));
        let mut attributes = json!({"long_name": axis.long_name()});
        match (axis.domain, axis.units.as_deref(), axis.interval) {
            (_, _, None) => {}
            (Domain::Time, units, _) => attributes["unitsV1"] = json!({"time": units.unwrap_or("ms")}),
            (Domain::Frequency, ..) => attributes["unitsV1"] = json!({"frequency": "Hz"}),
            (Domain::Depth, Some(units), _) => attributes["unitsV1"] = json!({"length": units}),
            (Domain::Depth, None, _) => {}
        }
        if let Some(units) = axis.units.as_deref().filter(|_| axis.interval.is_some()) {
            attributes["units"] = units.into();
        }
        let name = self.grid.vertical.clone();
        let (path, axes) = (self.grid.path_of(&name), whole_axis(&name, n));
        if is_whole {
            let values = || values.iter().map(|&value| value as i64);
            let whole = Whole::of(values());
            return self.arrays.put(&path, &whole.array(axes, attributes), |_| Ok(whole.bytes(values())));
        }
        let array = PlainArray::of_doubles(axes, attributes);
        self.arrays.put(&path, &array, |_| Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect()))
    }

    /// A coordinate: each place has the value of its first trace. Returns how many traces have another.
    fn coordinate(&mut self, number: usize, coordinate: &Coordinate) -> Result<u64> {
        let (grid, files, cancel) = (self.grid, self.files, self.cancel);
        let axes = self.along(&coordinate.axes);
        let chunk: Vec<u64> = axes.iter().map(|axis| axis.chunk).collect();
        let scaled = format!("{}_scaled", coordinate.column);
        let is_scaled = self.plan.headers.info.iter().any(|info| info.name == scaled);
        let column = if is_scaled { &scaled } else { &coordinate.column };
        let mut attributes = trace_coordinates::attributes(self.plan, &coordinate.name, column);
        attributes["_FillValue"] = no_number().into();
        attributes["unitsV1"] = json!({"length": unit_of_length(self.plan)});
        let array = PlainArray::of_doubles(axes, attributes);
        let mut n_differences = 0;
        // A chunk along all axes has its traces, of which the map tells, unless others lie aside.
        let is_mapped = coordinate.axes == self.all() && grid.aside().is_none();
        self.arrays.put(&coordinate.name, &array, |index| {
            cancel.check()?;
            let mut traces = 0..grid.traces.n_traces;
            if is_mapped {
                let numbers = numbers_of_chunk(grid, files, &chunk, index)?;
                traces = traces_among(&numbers, grid.traces.n_traces);
                if traces.end - traces.start <= chunk.iter().product() {
                    return Ok(values_at(numbers, &files.coordinate(number, &traces)?, traces.start));
                }
            }
            let place = ChunkPlace { axes: &coordinate.axes, chunk: &chunk, index };
            let (values, differing) = coordinate_chunk(grid, files, number, &place, traces, cancel)?;
            n_differences += differing;
            Ok(values)
        })?;
        Ok(n_differences)
    }

    fn groups(&mut self, bin_grid: Option<&BinGrid>) -> Result<()> {
        let names: Vec<&str> = self.grid.keys.iter().map(|key| key.name.as_str()).collect();
        let is_line = matches!(names.as_slice(), ["cdp" | "trace"] | ["cdp", _]);
        let is_stacked = matches!(names.as_slice(), ["cdp"] | ["inline", "crossline"] | ["crossline", "inline"]);
        let gathers = match names.as_slice() {
            _ if is_stacked => "stacked",
            ["cdp", ..] | ["inline", "crossline", ..] => "cdp",
            _ => "common_source",
        };
        let mut attributes = titles::attributes(self.plan)?;
        let of_mdio = json!({
            "apiVersion": MDIO_VERSION,
            "name": template(&names, &self.grid.vertical).unwrap_or_else(|| "segy-import".into()),
            "attributes": {
                "surveyType": if is_line { "2D" } else { "3D" },
                "gatherType": gathers,
                "defaultVariableName": self.grid.variable,
            },
        });
        if let (Some(attributes), Value::Object(of_mdio)) = (attributes.as_object_mut(), of_mdio) {
            attributes.extend(of_mdio);
        }
        if let Some(crs) = &self.grid.crs {
            attributes["crs"] = crs.as_str().into();
        }
        if let Some(bin_grid) = bin_grid {
            attributes["attributes"]["bin_grid"] = json!(bin_grid);
        }
        let root = group_document(self.arrays.documents.clone(), attributes);
        write_json(&self.dataset.join(ZARR_JSON), &root)?;
        self.arrays.note(ZARR_JSON);
        let tables = json!({
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {"long_name": "tables and metadata of segy-import; see metadata.json"},
        });
        write_json(&self.dataset.join(TABLES).join(ZARR_JSON), &tables)
    }
}

/// How whole numbers are stored: as short as these values are.
struct Whole {
    is_short: bool,
}

impl Whole {
    fn of(mut values: impl Iterator<Item = i64>) -> Self {
        Self { is_short: values.all(|value| i32::try_from(value).is_ok_and(|value| value != i32::MAX)) }
    }

    fn array(&self, axes: Vec<Axis>, attributes: Value) -> PlainArray {
        let (data_type, item_bytes, fill_value) =
            if self.is_short { ("int32", 4, i32::MAX.into()) } else { ("int64", 8, i64::MAX.into()) };
        PlainArray { axes, data_type, item_bytes, fill_value, attributes, level: PlainArray::LEVEL }
    }

    fn bytes(&self, values: impl Iterator<Item = i64>) -> Vec<u8> {
        match self.is_short {
            true => values.flat_map(|value| (value as i32).to_le_bytes()).collect(),
            false => values.flat_map(i64::to_le_bytes).collect(),
        }
    }
}

/// The only axis of an array, in one chunk.
fn whole_axis(name: &str, n: u64) -> Vec<Axis> {
    vec![Axis { name: name.into(), length: n, chunk: n }]
}

/// The numbers of the traces at the places of a chunk, little-endian; [`HOLE`], which has the bits of -1, where there is none.
fn numbers_of_chunk(grid: &Grid, files: &GridFiles, chunk: &[u64], index: &[u64]) -> Result<Vec<u8>> {
    const WIDTH: usize = size_of::<u64>();
    let cut = Cut { lengths: grid.places(), brick: chunk.to_vec(), unit: chunk.to_vec() };
    let mut numbers = HOLE.to_le_bytes().repeat(chunk.iter().product::<u64>() as usize);
    for (place, n, local) in cut.runs(&cut.places_of(index), chunk) {
        files.map(place, &mut numbers[local as usize * WIDTH..][..n as usize * WIDTH])?;
    }
    Ok(numbers)
}

/// The first to the last of some traces by their numbers, without holes; `n_traces` is above all.
fn traces_among(numbers: &[u8], n_traces: u64) -> Range<u64> {
    let numbers = numbers.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
    let (first, last) = numbers
        .filter(|number| *number < n_traces)
        .fold((u64::MAX, 0), |(first, last), number| (first.min(number), last.max(number + 1)));
    first.min(last)..last
}

/// The values of the traces with these numbers, of which `values` has those from `first` on, little-endian; NaN where there is
/// no trace.
fn values_at(mut numbers: Vec<u8>, values: &[[u8; 8]], first: u64) -> Vec<u8> {
    for number in numbers.as_chunks_mut().0 {
        let at = u64::from_le_bytes(*number).wrapping_sub(first);
        *number = values.get(at as usize).copied().unwrap_or(f64::NAN.to_le_bytes());
    }
    numbers
}

/// Which chunk of an array along some axes.
struct ChunkPlace<'a> {
    axes: &'a [usize],
    chunk: &'a [u64],
    index: &'a [u64],
}

/// A chunk of a coordinate, by its number in the records, from some traces, little-endian. Also how many of them have another
/// value than the first at their place.
fn coordinate_chunk(
    grid: &Grid,
    files: &GridFiles,
    number: usize,
    place: &ChunkPlace,
    traces: Range<u64>,
    cancel: &CancelHandle,
) -> Result<(Vec<u8>, u64)> {
    let n_keys = grid.keys.len();
    let n = place.chunk.iter().product::<u64>() as usize;
    let (mut values, mut is_set) = (f64::NAN.to_le_bytes().repeat(n), vec![false; n]);
    let values_of_chunk = values.as_chunks_mut::<8>().0;
    let (mut n_differences, mut bytes) = (0, Vec::new());
    for start in traces.clone().step_by(RECORD_TRACES as usize) {
        cancel.check()?;
        files.records(&(start..(start + RECORD_TRACES).min(traces.end)), &mut bytes)?;
        for record in bytes.chunks_exact(files.record_bytes()) {
            let fields = record.as_chunks::<8>().0;
            // Where it lies in the chunk, if it does.
            let mut sides = place.axes.iter().zip(place.chunk).zip(place.index);
            let place = sides.try_fold(0, |place, ((&axis, side), i)| {
                let at = u64::from_le_bytes(fields[grid.record_order[axis]]).checked_sub(i * side)?;
                (at < *side).then_some(place * side + at)
            });
            let Some(place) = place else { continue };
            let value = fields[n_keys + number];
            let (known, set) = (&mut values_of_chunk[place as usize], &mut is_set[place as usize]);
            if *set {
                n_differences += u64::from(*known != value);
            } else {
                (*known, *set) = (value, true);
            }
        }
    }
    Ok((values, n_differences))
}

/// Statistics by MDIO's names, without a histogram, as it has them; `None` where they are beyond doubles, or of nothing.
fn statistics(moments: &Moments) -> Option<Value> {
    let (sum, squares) = (moments.sum.value(), moments.squares.value());
    let (min, max) = moments.min.zip(moments.max).filter(|_| sum.is_finite() && squares.is_finite())?;
    Some(json!({
        "count": moments.count,
        "sum": sum,
        "sumSquares": squares,
        "min": min,
        "max": max,
        "histogram": {"counts": [], "binCenters": []},
    }))
}

/// NaN as MDIO and xarray keep it in an attribute.
fn no_number() -> String {
    base64::engine::general_purpose::STANDARD.encode(f64::NAN.to_le_bytes())
}

fn unit_of_length(plan: &Plan) -> &'static str {
    let is_feet = plan.files.first().is_some_and(|first| first.layout.axis.units.as_deref() == Some("ft"));
    if is_feet { "ft" } else { "m" }
}

fn units_of_key(name: &str, plan: &Plan) -> Option<Value> {
    match name {
        "offset" => Some(json!({"length": unit_of_length(plan)})),
        "angle" | "azimuth" => Some(json!({"angle": "deg"})),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, SurveyKind, generate};
    use crate::grid::options::GridOptions;
    use crate::plan::import_config::ImportConfig;

    /// Imports a survey of 16 traces as a grid and reads documents of the dataset.
    fn documents<const N: usize>(kind: SurveyKind, keys: &str, names: [&str; N]) -> [Value; N] {
        let (directory, cancel) = (tempfile::tempdir().unwrap(), CancelHandle::new());
        let (input, out) = (directory.path().join("in.sgy"), directory.path().join("out"));
        let survey = GenerateConfig { kind, n_traces: 16, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &cancel).unwrap();
        let mut config = ImportConfig::new(&input, &out);
        config.grid = Some(GridOptions::new(keys.parse().unwrap()));
        crate::run::import::import(&config, &mut |_| {}, &cancel).unwrap();
        names.map(|name| serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap())
    }

    #[test]
    fn traces_with_other_coordinates_than_their_place_are_counted() {
        // Four inlines of four traces, each with an x and a y of its own.
        let [metadata] = documents(SurveyKind::Poststack, "inline,trace", ["segy/metadata.json"]);
        assert_eq!(metadata["grid"]["coordinate_differences"], json!([12, 12]));
    }

    #[test]
    fn what_gathers_are_is_told_by_the_keys() {
        let gathers =
            |kind, keys| documents(kind, keys, ["zarr.json"])[0]["attributes"]["attributes"]["gatherType"].clone();
        assert_eq!(gathers(SurveyKind::Poststack, "inline,crossline"), "stacked");
        assert_eq!(gathers(SurveyKind::Poststack, "inline,crossline,trace"), "cdp");
        assert_eq!(gathers(SurveyKind::Prestack, "cdp,offset,trace"), "cdp");
        assert_eq!(gathers(SurveyKind::Shots, "field_record,trace_number"), "common_source");
    }

    #[test]
    fn offsets_have_the_unit_of_lengths() {
        let [offset, cdp] = documents(SurveyKind::Prestack, "cdp,offset,trace", ["offset/zarr.json", "cdp/zarr.json"]);
        assert_eq!(offset["attributes"]["unitsV1"], json!({"length": "m"}));
        assert_eq!(cdp["attributes"]["unitsV1"], Value::Null);
    }
}

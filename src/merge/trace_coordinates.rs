//! The coordinates of the traces in file order: columns of the header table as arrays of the group, with the attributes of the
//! CF conventions. Those that have one value for all traces are left out, unless they were asked for.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::dataset::{ColumnTable, ColumnType};
use crate::dataset_files::HEADERS;
use crate::merge::array_files::{ArrayFiles, WrittenArray};
use crate::plan::Plan;
use crate::plan::coordinates::TraceCoordinate;
use crate::store::Place;
use crate::table::columns::RECORDING_TIME;
use crate::zarr::{Axis, PlainArray, TRACE_AXIS};

/// Values in a chunk: 2 MiB of the widest.
const CHUNK_VALUES: u64 = 1 << 18;
/// Each thread holds a chunk, and that packed.
const MOST_THREADS: usize = 4;

/// Writes the coordinates of a plan whose header table is in `dataset`. Returns the names of those that are there, in the order
/// of the plan.
pub(super) fn write(
    plan: &Plan,
    dataset: &Place,
    files: &mut ArrayFiles,
    cancel: &CancelHandle,
) -> Result<Vec<String>> {
    if plan.coordinates.is_empty() {
        return Ok(Vec::new());
    }
    let table = ColumnTable::open(dataset.join(HEADERS), plan.n_traces(), plan.headers.header_bytes as usize)?;
    let wanted = plan.coordinates.iter().filter(|c| c.is_asked || !table.is_constant(&c.column));
    let wanted: Vec<(&TraceCoordinate, ColumnType)> =
        wanted.filter_map(|coordinate| Some((coordinate, table.type_of(&coordinate.column)?))).collect();
    let written = Mutex::new(Vec::new());
    let write = |(): &mut (), i: usize, _: &Shared| {
        let array = write_one(plan, dataset, &table, wanted[i], cancel)?;
        written.lock().unwrap_or_else(PoisonError::into_inner).push((i, array));
        Ok(())
    };
    let n_threads = n_threads().min(MOST_THREADS);
    for_each(n_threads, 0..wanted.len(), cancel, &mut |_| {}, || Ok(()), write)?;
    let mut written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
    written.sort_by_key(|(i, _)| *i);
    let names = written.iter().map(|(_, array)| array.name.clone()).collect();
    written.into_iter().for_each(|(_, array)| files.add(array));
    Ok(names)
}

fn write_one(
    plan: &Plan,
    dataset: &Place,
    table: &ColumnTable,
    (coordinate, of_type): (&TraceCoordinate, ColumnType),
    cancel: &CancelHandle,
) -> Result<WrittenArray> {
    let n = plan.n_traces();
    let chunk = n.min(CHUNK_VALUES);
    let array = PlainArray {
        axes: vec![Axis { name: TRACE_AXIS.into(), length: n, chunk }],
        data_type: of_type.name,
        item_bytes: of_type.bytes,
        fill_value: match of_type.name {
            "bool" => false.into(),
            name if name.starts_with("float") => "NaN".into(),
            _ => 0.into(),
        },
        attributes: attributes(plan, &coordinate.name, &coordinate.column),
    };
    let mut values = table.values(&coordinate.column)?;
    let n_bytes = chunk as usize * of_type.bytes;
    WrittenArray::write(dataset, &coordinate.name, &array, |index| {
        cancel.check()?;
        let mut bytes = values.next_bytes(n_bytes)?;
        if bytes.is_empty() {
            let (name, chunk) = (&coordinate.name, index.first().unwrap_or(&0));
            return Err(Error::Failed(format!("the header table has no values for chunk {chunk} of {name}")));
        }
        bytes.resize(n_bytes, 0);
        Ok(bytes)
    })
}

/// What a coordinate is, in the words of CF, and the bytes of the trace header it comes from.
pub(super) fn attributes(plan: &Plan, name: &str, column: &str) -> Value {
    let info = |column: &str| plan.headers.info.iter().find(|info| info.name == column);
    let (of_column, of_field) = (info(column), info(name));
    let what = of_column.and_then(|info| info.description.as_deref()).unwrap_or(name);
    let mut attributes = json!({"long_name": what});
    if column == RECORDING_TIME {
        attributes["standard_name"] = "time".into();
        attributes["units"] = "nanoseconds since 1970-01-01".into();
        attributes["calendar"] = "proleptic_gregorian".into();
    } else if let Some(unit) = of_column.and_then(|info| info.unit.as_deref()) {
        let (standard_name, unit) = of_unit(name, unit);
        attributes["units"] = unit.into();
        if let Some(name) = standard_name {
            attributes["standard_name"] = name.into();
        }
    }
    if let Some((first, last)) = of_field.and_then(|info| Some((info.first_byte?, info.last_byte?))) {
        attributes["header_bytes"] = format!("{first}-{last}").into();
    }
    attributes["header_column"] = column.into();
    attributes
}

/// The standard name of a coordinate in CF, and its unit as CF writes it.
fn of_unit<'a>(name: &str, unit: &'a str) -> (Option<&'static str>, &'a str) {
    let is_length = matches!(unit, "m" | "ft");
    match name.rsplit_once('_') {
        Some((_, "longitude")) => (Some("longitude"), "degrees_east"),
        Some((_, "latitude")) => (Some("latitude"), "degrees_north"),
        Some((_, "x")) if is_length => (Some("projection_x_coordinate"), unit),
        Some((_, "y")) if is_length => (Some("projection_y_coordinate"), unit),
        _ => (None, unit),
    }
}

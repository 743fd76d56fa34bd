//! The coordinates of the traces in file order: columns of the header table as arrays of the group, with the attributes of the
//! CF conventions. Those that have one value for all traces are left out, unless they were asked for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset_files::GATHER_INDEX;
use crate::gather::index::gather_starts;
use crate::merge::array_files::ArrayFiles;
use crate::merge::{Mover, check_objects};
use crate::plan::Plan;
use crate::plan::coordinates::TraceCoordinate;
use crate::staging::{SegmentPaths, SegmentRecord};
use crate::store::{Place, list, remove_all};
use crate::table::columns::{ColumnType, RECORDING_TIME};
use crate::table::{COORDINATE_LEVEL, CoordinateSummary, ENSEMBLE_ID, EnsembleIds};
use crate::zarr::{Axis, PlainArray, TRACE_AXIS};

/// Puts the coordinates of a plan into the dataset: the workers have written their chunks. Returns the names of those that are
/// there, in the order of the plan.
pub(super) fn write(
    plan: &Plan,
    dataset: &Place,
    (segments, records): (&[SegmentPaths], &[SegmentRecord]),
    files: &mut ArrayFiles,
    cancel: &CancelHandle,
) -> Result<Vec<String>> {
    let mut written: BTreeMap<&String, CoordinateSummary> = BTreeMap::new();
    for (name, of_segment) in records.iter().flat_map(|record| &record.headers.coordinates) {
        written.entry(name).or_default().append(of_segment);
    }
    let mut names = Vec::new();
    for coordinate in &plan.coordinates {
        cancel.check()?;
        let name = &coordinate.name;
        if coordinate.column == ENSEMBLE_ID {
            write_ids(plan, dataset, coordinate, files, cancel)?;
        } else {
            let (Some(of_type), Some(written)) = (plan.headers.type_of(&coordinate.column), written.get(name)) else {
                return Err(Error::Failed(format!("no segment has the coordinate {name}")));
            };
            if written.only_value.is_some() && !coordinate.is_asked {
                leave_out(&dataset.join(name))?;
                continue;
            }
            let key = |chunk: usize| PlainArray::key(&[chunk as u64]);
            place(plan, segments, &dataset.join(name), name, written.chunks.len(), cancel)?;
            files.document(name, array(plan, coordinate, of_type).document())?;
            written.chunks.iter().enumerate().for_each(|(i, checksum)| files.put_checksum(name, &key(i), checksum));
        }
        names.push(name.clone());
    }
    Ok(names)
}

/// Moves the chunks of a coordinate from all segments to the dataset; in an object store they are there.
fn place(
    plan: &Plan,
    segments: &[SegmentPaths],
    target: &Place,
    name: &str,
    n_chunks: usize,
    cancel: &CancelHandle,
) -> Result<()> {
    let keys = |chunks: std::ops::Range<u64>| chunks.map(|chunk| PlainArray::key(&[chunk]));
    if target.is_remote() {
        return check_objects(target, keys(0..n_chunks as u64), cancel);
    }
    let mut mover = Mover::default();
    for (segment, paths) in plan.segments.iter().zip(segments) {
        let (rows, rows_of_chunk) = (plan.rows_of(segment), plan.headers.row_group_rows);
        if rows.is_empty() {
            continue;
        }
        for key in keys(rows.start / rows_of_chunk..rows.end.div_ceil(rows_of_chunk)) {
            mover.place(&paths.array(name).join(&key), &target.join(&key))?;
        }
    }
    Ok(())
}

/// Removes the chunks of a coordinate that all traces have one value of, where workers write to the final place.
fn leave_out(target: &Place) -> Result<()> {
    if !target.is_remote() {
        return Ok(());
    }
    let found = list(&target.path()).map_err(failed(target.display()))?;
    let chunks: Vec<_> = found.into_iter().map(|name| target.join(name).path()).collect();
    remove_all(&chunks).map_err(failed(target.display()))
}

/// Writes the numbers of the gathers, which workers do not know.
fn write_ids(
    plan: &Plan,
    dataset: &Place,
    coordinate: &TraceCoordinate,
    files: &mut ArrayFiles,
    cancel: &CancelHandle,
) -> Result<()> {
    let array = array(plan, coordinate, ColumnType { name: "int64", bytes: size_of::<i64>() });
    let (n, chunk) = (plan.n_traces(), plan.coordinate_rows());
    let mut ids = EnsembleIds::new(gather_starts(&dataset.join(GATHER_INDEX))?);
    files.put(&coordinate.name, &array, |index| {
        cancel.check()?;
        let end = index.iter().fold(0, |_, i| n.min((i + 1) * chunk));
        let mut values = ids.up_to(end)?;
        values.resize(chunk as usize, 0);
        Ok(values.into_iter().flat_map(i64::to_le_bytes).collect())
    })
}

/// A coordinate as its `zarr.json` declares it.
fn array(plan: &Plan, coordinate: &TraceCoordinate, of_type: ColumnType) -> PlainArray {
    PlainArray {
        axes: vec![Axis { name: TRACE_AXIS.into(), length: plan.n_traces(), chunk: plan.coordinate_rows() }],
        data_type: of_type.name,
        item_bytes: of_type.bytes,
        fill_value: match of_type.name {
            "bool" => false.into(),
            name if name.starts_with("float") => "NaN".into(),
            _ => 0.into(),
        },
        attributes: attributes(plan, &coordinate.name, &coordinate.column),
        level: COORDINATE_LEVEL,
    }
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

//! What is known about each column: stored in the metadata of the Parquet fields and in `metadata.json`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::segy::descriptions::of_field;
use crate::segy::fields::FieldKind;
use crate::segy::layout::{InputFormat, Layout};
use crate::table::columns::{Column, HeaderTable, RECORDING_TIME};
use crate::table::derived::RecordingTime;

/// One column: where its values come from, and what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Name of the column.
    pub name: String,
    /// Type in the file, as `--field` takes it; the column's own type if it has no bytes in the file.
    #[serde(rename = "type")]
    pub kind: String,
    /// First and last byte in the trace's headers, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_byte: Option<u32>,
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The unit of its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Why it is read there: the standard, an option, the fields it is made of.
    pub because: String,
}

impl ColumnInfo {
    /// As metadata of the field.
    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        let mut metadata =
            HashMap::from([("because".to_owned(), self.because.clone()), ("type".to_owned(), self.kind.clone())]);
        let mut add = |key: &str, value: Option<String>| value.map(|value| metadata.insert(key.to_owned(), value));
        add("first_byte", self.first_byte.map(|byte| byte.to_string()));
        add("last_byte", self.last_byte.map(|byte| byte.to_string()));
        add("description", self.description.clone());
        add("unit", self.unit.clone());
        metadata
    }
}

/// The units of lengths and of coordinates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) length: Option<&'static str>,
    pub(crate) coordinates: Option<&'static str>,
}

impl Units {
    /// From the measurement system of the binary header, and the coordinate unit of the trace headers, if all have the same.
    pub(crate) fn new(layout: &Layout, coordinate_unit: Option<i64>) -> Self {
        let length = match layout.measurement_system {
            1 => Some("m"),
            2 => Some("ft"),
            _ => None,
        };
        let coordinates = match coordinate_unit {
            Some(0 | 1) => length,
            Some(2) => Some("seconds of arc"),
            Some(3) => Some("degrees"),
            Some(4) => Some("DDDMMSS.ss"),
            _ => None,
        };
        Self { length, coordinates }
    }

    fn of(&self, unit: &str) -> Option<String> {
        match unit {
            "" => None,
            "m" => self.length.map(str::to_owned),
            "m/s" => self.length.map(|length| format!("{length}/s")),
            "x" => self.coordinates.map(str::to_owned),
            other => Some(other.to_owned()),
        }
    }
}

/// A field placed elsewhere than in the standard: its column, what placed it, and how that describes it.
pub(crate) type Placed<'a> = (&'a str, &'a str, Option<&'a str>);

/// What is known about all columns of a table.
pub(crate) fn of_table(table: &HeaderTable, layout: &Layout, placed: &[Placed], units: &Units) -> Vec<ColumnInfo> {
    let standard = match layout.kind {
        InputFormat::Segy => format!("SEG-Y rev {}.{}", layout.revision.0, layout.revision.1),
        InputFormat::Su => "Seismic Unix".to_owned(),
        InputFormat::Passcal => "PASSCAL".to_owned(),
    };
    let fields = table.columns.iter().flat_map(|column| {
        let raw = of_column(column, &standard, placed, units);
        let scaled = column.scalar.map(|byte| scaled(column, &raw, byte, table));
        std::iter::once(raw).chain(scaled)
    });
    let time = table.recording_time.map(|time| of_time(&time));
    let degrees = table.degrees.iter().map(|d| ColumnInfo {
        name: d.name.clone(),
        kind: "f64".into(),
        description: Some(format!("{}_scaled in degrees; null if its unit is not an angle", d.of)),
        unit: Some("degrees".into()),
        because: format!("{} and coordinate_unit", d.of),
        ..ColumnInfo::default()
    });
    let computed = table.computed.iter().map(|c| ColumnInfo {
        name: c.name.clone(),
        kind: "f64".into(),
        description: Some(c.expression.clone()),
        because: "the user's expression".into(),
        ..ColumnInfo::default()
    });
    let own =
        OWN.iter().filter(|(name, ..)| table.leaves().any(|(n, _)| n == *name)).map(|(name, kind, what)| ColumnInfo {
            name: (*name).into(),
            kind: (*kind).into(),
            description: Some((*what).into()),
            because: "segy-import".into(),
            ..ColumnInfo::default()
        });
    let places = table.grid_keys.iter().map(|key| ColumnInfo {
        name: format!("{key}_index"),
        kind: "i32".into(),
        description: Some(format!(
            "position of the trace along {key} in the grid, from 0; -1 if an earlier trace has its place"
        )),
        because: "the grid".into(),
        ..ColumnInfo::default()
    });
    let all: Vec<ColumnInfo> = fields.chain(time).chain(degrees).chain(computed).chain(own).chain(places).collect();
    // In the order of the columns.
    let find = |(name, _): (String, _)| all.iter().find(|info| info.name == name).cloned();
    table.leaves().filter_map(find).collect()
}

/// Columns that are not header fields.
const OWN: [(&str, &str, &str); 10] = [
    ("file_trace_index", "i64", "number of the trace in the input, from 0"),
    ("trace_index", "i64", "number of the trace in the dataset, from 0"),
    ("file_index", "i32", "number of the input file, from 0"),
    ("n_samples", "i32", "number of samples of the trace in its file"),
    ("trace_in_file", "i64", "number of the trace in its file, from 0"),
    ("is_dead", "bool", "whether trace_id_code is 2"),
    ("is_zero", "bool", "whether all samples are zero"),
    ("is_duplicate", "bool", "whether the samples equal those of the trace before, and are not all zero"),
    ("additional_headers", "bytes", "the additional trace headers as in the file"),
    ("raw_header", "bytes", "the first 240 bytes of the trace headers as in the file"),
];

fn of_column(column: &Column, standard: &str, placed: &[Placed], units: &Units) -> ColumnInfo {
    let by = placed.iter().rev().find(|(name, ..)| *name == column.name);
    let known = of_field(&column.name);
    let said = by.and_then(|(.., description)| *description).map(str::to_owned);
    let unit = known.and_then(|(_, unit)| units.of(unit));
    ColumnInfo {
        name: column.name.clone(),
        kind: column.kind.to_string(),
        first_byte: Some(column.first_byte),
        last_byte: Some(column.first_byte + column.kind.size() as u32 - 1),
        description: said.or_else(|| known.map(|(what, _)| what.to_owned())),
        // A field with a scalar has its unit only once scaled.
        unit: unit.map(|unit| if column.scalar.is_some() { format!("{unit}, once scaled") } else { unit }),
        because: by.map_or_else(|| standard.to_owned(), |(_, by, _)| (*by).to_owned()),
    }
}

fn scaled(column: &Column, raw: &ColumnInfo, scalar_byte: u32, table: &HeaderTable) -> ColumnInfo {
    let scalar = table.columns.iter().find(|c| c.first_byte == scalar_byte && c.kind == FieldKind::I16);
    let by = match column.given_scalar {
        Some(given) => format!("option --coordinate-scalar {given}"),
        None => {
            let name = scalar.map_or("the scalar", |c| c.name.as_str());
            format!("{} and {name} (bytes {scalar_byte}-{})", column.name, scalar_byte + 1)
        }
    };
    ColumnInfo {
        name: format!("{}_scaled", column.name),
        kind: "f64".into(),
        description: raw.description.clone(),
        unit: raw.unit.as_ref().map(|unit| unit.trim_end_matches(", once scaled").to_owned()),
        because: by,
        ..ColumnInfo::default()
    }
}

fn of_time(time: &RecordingTime) -> ColumnInfo {
    let places: Vec<String> =
        time.places().map(|(byte, kind)| format!("{byte}-{}", byte as usize - 1 + kind.size())).collect();
    let zone = if time.is_utc { "UTC, as the time basis code says" } else { "in the time zone of the recording" };
    ColumnInfo {
        name: RECORDING_TIME.into(),
        kind: "timestamp[ns]".into(),
        description: Some(format!("time of the first sample, {zone}; null if the fields are not a date")),
        because: format!("bytes {}", places.join(", ")),
        ..ColumnInfo::default()
    }
}

//! Which columns of the header table become coordinates of the traces, for traces in file order.

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::near_names::near_names;
use crate::dataset_files::{ORIGINAL, SAMPLE_AXIS, TABLES};
use crate::gather::GatherKey;
use crate::plan::import_config::Coords;
use crate::plan::mapping::is_name;
use crate::segy::fields::{FieldKind, TRACE_FIELDS};
use crate::table::columns::RECORDING_TIME;
use crate::table::{ADDITIONAL_HEADERS, HeaderTable, RAW_HEADER};

/// The fields that are coordinates besides the gather keys, where the file uses them.
const FIELDS: [&str; 12] = [
    "field_record",
    "inline",
    "crossline",
    "cdp",
    "offset",
    "source_x",
    "source_y",
    "receiver_x",
    "receiver_y",
    "cdp_x",
    "cdp_y",
    RECORDING_TIME,
];
/// Names that the dataset itself needs.
const RESERVED: [&str; 3] = [SAMPLE_AXIS, ORIGINAL, TABLES];

/// A coordinate of the traces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceCoordinate {
    /// Name of its array: that of the field, whose values have the scalar applied.
    pub name: String,
    /// The column of the header table with its values.
    pub column: String,
    /// Whether it was asked for by name, so that it stays even if all traces have one value.
    pub is_asked: bool,
}

/// The coordinates of an import in file order; the samples are in the array `variable`.
///
/// # Errors
/// `Error::Usage` for a name that no column has, or that cannot be a coordinate.
pub(super) fn choose(
    asked: &Coords,
    keys: &[GatherKey],
    headers: &HeaderTable,
    variable: &str,
) -> Result<Vec<TraceCoordinate>> {
    let mut found: Vec<TraceCoordinate> = Vec::new();
    let mut add = |coordinate: TraceCoordinate| {
        if found.iter().all(|other| other.name != coordinate.name) {
            found.push(coordinate);
        }
    };
    match asked {
        Coords::None => {}
        Coords::Auto => {
            let degrees = headers.degrees.iter().map(|degrees| degrees.name.as_str());
            let names = keys.iter().map(|key| key.name.as_str()).chain(FIELDS).chain(degrees);
            let is_free = |c: &TraceCoordinate| !is_reserved(&c.name) && c.name != variable;
            names.filter_map(|name| of_column(name, headers)).filter(is_free).for_each(add);
        }
        Coords::Fields(names) => {
            for name in names {
                let coordinate = of_name(name, headers)?;
                check_name("--coords", &coordinate.name, &[variable])?;
                add(TraceCoordinate { is_asked: true, ..coordinate });
            }
        }
    }
    Ok(found)
}

/// Refuses an invalid name of an array, or one that something else in the dataset has.
pub(super) fn check_name(option: &str, name: &str, taken: &[&str]) -> Result<()> {
    if !is_name(name) {
        return Err(Error::Usage(format!("{option} {name}: takes letters, digits and _")));
    }
    if is_reserved(name) || taken.contains(&name) {
        return Err(Error::Usage(format!("{option} {name}: something else in the dataset has this name")));
    }
    Ok(())
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The coordinate of a column, scaled where the column is; `None` if there is no such column of numbers.
fn of_column(name: &str, headers: &HeaderTable) -> Option<TraceCoordinate> {
    let is_there = |column: &str| headers.info.iter().any(|info| info.name == column);
    let base = name.strip_suffix("_scaled").filter(|base| is_there(base)).unwrap_or(name);
    let scaled = format!("{base}_scaled");
    let column = if is_there(&scaled) { scaled } else { base.to_owned() };
    let is_number = is_there(&column) && !is_bytes(&column, headers);
    is_number.then(|| TraceCoordinate { name: base.to_owned(), column, is_asked: false })
}

/// Whether the values of a column are text or bytes.
fn is_bytes(column: &str, headers: &HeaderTable) -> bool {
    let is_text = |kind: FieldKind| matches!(kind, FieldKind::Text(_));
    [RAW_HEADER, ADDITIONAL_HEADERS].contains(&column)
        || headers.columns.iter().any(|c| c.name == column && is_text(c.kind))
}

/// The coordinate of a name or an alias of a field, as the user writes it.
fn of_name(name: &str, headers: &HeaderTable) -> Result<TraceCoordinate> {
    let columns = || headers.info.iter().map(|info| info.name.as_str());
    let exact = columns().find(|column| column.eq_ignore_ascii_case(name));
    let alias = || TRACE_FIELDS.iter().find(|field| field.is_called(name)).map(|field| field.name);
    let Some(column) = exact.or_else(|| alias().filter(|alias| columns().any(|column| column == *alias))) else {
        let near = near_names(name, columns());
        return Err(Error::Usage(format!("--coords {name}: is not a column of the header table; {near}")));
    };
    let not_numbers = || Error::Usage(format!("--coords {name}: is not a number, so it cannot be a coordinate"));
    of_column(column, headers).ok_or_else(not_numbers)
}

//! Where the trace header fields are, according to the file, a preset, a mapping file and the options, in that order.
//!
//! [`mapping_file`] reads mapping files, [`presets`] has the positions used by well-known programs,
//! [`placed_columns`] makes the columns of `headers.parquet` from all of it. For a field placed several times the
//! last of these counts: the standard, the file's stanza `SEG:Layout`, a preset, the mapping file, `--field`.

mod mapping_file;
pub(crate) mod placed_columns;
mod plain_document;
pub(crate) mod presets;
mod stanza;
mod xml_limits;

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::segy::fields::FieldKind;
use presets::Preset;

/// A header field placed by the user: `NAME=BYTE:TYPE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPlacement {
    /// The column.
    pub name: String,
    /// First byte in the trace header, from 1.
    pub first_byte: u32,
    /// Type in the file.
    pub kind: FieldKind,
    /// What it holds, for the metadata.
    pub description: Option<String>,
}

impl FromStr for FieldPlacement {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let wrong = |why: &str| Error::Usage(format!("--field {s}: {why}; write NAME=BYTE:TYPE, as in inline=189:i32"));
        let (name, place) = s.split_once('=').ok_or_else(|| wrong("there is no \"=\""))?;
        if !is_name(name) {
            return Err(wrong("a name has letters, digits and _"));
        }
        let (first_byte, kind) = parse_place(place).map_err(|why| wrong(&why))?;
        Ok(Self { name: name.to_owned(), first_byte, kind, description: None })
    }
}

/// `BYTE:TYPE`.
fn parse_place(place: &str) -> std::result::Result<(u32, FieldKind), String> {
    let (byte, kind) = place.split_once(':').ok_or("there is no \":\" after the byte")?;
    let first_byte = byte.parse().ok().filter(|&b| b > 0).ok_or("the byte is a number from 1")?;
    Ok((first_byte, kind.parse()?))
}

/// Whether this is a valid column name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A column computed for the user: `NAME = EXPRESSION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputedField {
    /// The column.
    pub name: String,
    /// Its formula, of header fields.
    pub expression: String,
}

impl FromStr for ComputedField {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::Usage(format!(
                "--compute {s}: {why}; write NAME=EXPRESSION, as in \"midpoint_x = (source_x + receiver_x) / 2\""
            ))
        };
        let (name, expression) = s.split_once('=').ok_or_else(|| wrong("there is no \"=\""))?;
        let (name, expression) = (name.trim(), expression.trim());
        if !is_name(name) {
            return Err(wrong("a name has letters, digits and _"));
        }
        Ok(Self { name: name.to_owned(), expression: expression.to_owned() })
    }
}

/// The contents of a mapping file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The file, for messages.
    pub path: PathBuf,
    /// Its header fields.
    pub fields: Vec<FieldPlacement>,
    /// Names of the gather keys; empty if the file has none.
    pub ensemble_keys: Vec<String>,
    /// Its computed columns.
    pub computed: Vec<ComputedField>,
}

/// Everything the caller says about header fields.
#[derive(Clone, Debug, Default)]
pub struct HeaderOptions {
    /// Places of fields in the files of some program.
    pub preset: Option<&'static Preset>,
    /// A mapping file.
    pub mapping: Option<Mapping>,
    /// Fields given as options, which take precedence over all others.
    pub fields: Vec<FieldPlacement>,
    /// Computed columns given as options, which take precedence over the mapping file.
    pub computed: Vec<ComputedField>,
    /// Scalar of coordinates, in place of those in the headers.
    pub coordinate_scalar: Option<i32>,
}

/// A field not at its standard place, and who placed it. For the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedField {
    /// The column.
    pub name: String,
    /// First byte in the trace's headers, from 1.
    pub first_byte: u32,
    #[serde(rename = "type")]
    pub kind: String,
    /// `--field`, `--mapping`, `--preset petrel` …
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_name_a_byte_and_a_type() {
        let field: FieldPlacement = "inline=5:i32".parse().unwrap();
        assert_eq!((field.name.as_str(), field.first_byte, field.kind), ("inline", 5, FieldKind::I32));
        for wrong in ["inline", "inline=5", "inline=0:i32", "in line=5:i32", "inline=5:i33", "=5:i32"] {
            assert!(wrong.parse::<FieldPlacement>().is_err(), "{wrong}");
        }
    }
}

//! Named sets of header field positions: `--preset NAME`.

use std::str::FromStr;

use crate::base::error::Error;
use crate::base::near_names::near_names;
use crate::segy::fields::FieldKind::{self, I32};

/// A preset.
#[derive(Debug, PartialEq, Eq)]
pub struct Preset {
    /// As `--preset` takes it.
    pub name: &'static str,
    /// For the help.
    pub description: &'static str,
    /// The revision whose fields are read, whatever the file declares.
    pub revision: Option<u8>,
    /// The last byte read as fields, from 1; later ones are only in the raw header.
    pub last_byte: Option<u32>,
    /// Column, first byte from 1, type.
    pub fields: &'static [(&'static str, u32, FieldKind)],
}

/// All presets; each is documented somewhere:
/// - `rev0`: SEG, "Recommended standards for digital tape formats" (Barry, Cavers and Kneale, 1975): bytes 181-240 are
///   unassigned.
/// - `rev1`, `rev2`: SEG-Y rev 1 (2002), table 3, and rev 2.1, table 3.
/// - `petrel`, `petrel2d`: where Petrel exports, by `KNOWN_BYTES["petrel_3d"]` and `["petrel_2d"]` of segysak
///   (`segysak/segy/_segy_loader.py`).
/// - `segysak`: `KNOWN_BYTES["standard_3d"]` there, with line numbers and coordinates swapped compared to rev 1.
pub(crate) const PRESETS: &[Preset] = &[
    Preset {
        name: "rev0",
        description: "the fields of 1975: bytes 1-180 only",
        revision: Some(0),
        last_byte: Some(180),
        fields: &[],
    },
    Preset {
        name: "rev1",
        description: "cdp_x 181, cdp_y 185, inline 189, crossline 193, whatever revision the file has",
        revision: Some(1),
        last_byte: None,
        fields: &[],
    },
    Preset {
        name: "rev2",
        description: "as rev1, with the source directions and the header name of rev 2",
        revision: Some(2),
        last_byte: None,
        fields: &[],
    },
    Preset {
        name: "petrel",
        description: "inline 5, crossline 21, cdp_x 73, cdp_y 77",
        revision: None,
        last_byte: None,
        fields: &[("inline", 5, I32), ("crossline", 21, I32), ("cdp_x", 73, I32), ("cdp_y", 77, I32)],
    },
    Preset {
        name: "petrel2d",
        description: "cdp 21, cdp_x 73, cdp_y 77",
        revision: None,
        last_byte: None,
        fields: &[("cdp", 21, I32), ("cdp_x", 73, I32), ("cdp_y", 77, I32)],
    },
    Preset {
        name: "segysak",
        description: "inline 181, crossline 185, cdp_x 189, cdp_y 193",
        revision: None,
        last_byte: None,
        fields: &[("inline", 181, I32), ("crossline", 185, I32), ("cdp_x", 189, I32), ("cdp_y", 193, I32)],
    },
];

/// A preset, parsed from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresetName(pub &'static Preset);

impl FromStr for PresetName {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let found = PRESETS.iter().find(|p| p.name.eq_ignore_ascii_case(s)).map(Self);
        found.ok_or_else(|| {
            if s.eq_ignore_ascii_case("list") {
                return Error::Usage(format!("presets are {}", help()));
            }
            Error::Usage(format!("\"{s}\" is not a preset; {}", near_names(s, PRESETS.iter().map(|p| p.name))))
        })
    }
}

/// All presets and what they do, for the help.
pub(crate) fn help() -> String {
    let all: Vec<String> = PRESETS.iter().map(|p| format!("{} ({})", p.name, p.description)).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::fields::TRACE_FIELDS;

    #[test]
    fn presets_place_standard_columns_inside_the_header() {
        for preset in PRESETS {
            for &(name, byte, kind) in preset.fields {
                assert!(TRACE_FIELDS.iter().any(|f| f.name == name), "{name} of {}", preset.name);
                assert!(byte >= 1 && byte as usize + kind.size() <= 241);
            }
        }
    }

    #[test]
    fn a_wrong_name_leads_to_a_near_one_and_list_to_all() {
        let message = |name: &str| name.parse::<PresetName>().unwrap_err().to_string();
        assert!(message("petrl").contains("did you mean \"petrel\""));
        assert!(message("list").contains("segysak (inline 181"));
        assert_eq!("Petrel".parse::<PresetName>().unwrap().0.name, "petrel");
    }
}

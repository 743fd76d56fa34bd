//! The header mapping in the file itself: the stanza `SEG:Layout` in its extended textual headers.
//!
//! Its text is XML: entries with name, byte and type for the standard trace header and for additional ones. Source:
//! SEG-Y rev 2.1, annex on trace header mapping, and the test files of segyio 2.0.

use crate::base::error::Result;
use crate::base::visible::excerpt;
use crate::plan::mapping::xml_limits;
use crate::segy::fields::{EXTENSION_1_FIELDS, Field, FieldKind, TRACE_FIELDS, TRACE_HEADER_BYTES};
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::text::{self, TEXT_HEADER_BYTES};
use crate::segy::{Layout, SegyFile};

/// Most extended textual headers to search.
const MAX_RECORDS: u32 = 1000;

/// Entry types; `scale6`, a mantissa and an exponent, gives two fields.
#[rustfmt::skip]
const TYPES: &[(&str, FieldKind)] = &[
    ("int1", FieldKind::I8), ("int2", FieldKind::I16), ("int4", FieldKind::I32), ("int8", FieldKind::I64),
    ("uint1", FieldKind::U8), ("uint2", FieldKind::U16), ("uint4", FieldKind::U32), ("uint8", FieldKind::U64),
    ("ibmfp", FieldKind::Ibm32), ("ieee32", FieldKind::F32), ("ieee64", FieldKind::F64),
    ("linetrc", FieldKind::I32), ("reeltrc", FieldKind::I32), ("linetrc8", FieldKind::U64), ("reeltrc8", FieldKind::U64),
    ("coor4", FieldKind::I32), ("elev4", FieldKind::I32), ("time2", FieldKind::I16), ("spnum4", FieldKind::I32),
    ("string8", FieldKind::Text(8)),
];

/// Names of the fields in the standard header, with their standard bytes.
#[rustfmt::skip]
const NAMES: &[(&str, u32)] = &[
    ("linetrc", 1), ("reeltrc", 5), ("ffid", 9), ("chan", 13), ("espnum", 17), ("cdp", 21), ("cdptrc", 25), ("trctype", 29),
    ("vstack", 31), ("fold", 33), ("rectype", 35), ("offset", 37), ("relev", 41), ("selev", 45), ("sdepth", 49),
    ("rdatum", 53), ("sdatum", 57), ("wdepthso", 61), ("wdepthrc", 65), ("ed_scal", 69), ("co_scal", 71), ("sht_x", 73),
    ("sht_y", 77), ("rec_x", 81), ("rec_y", 85), ("coorunit", 89), ("wvel", 91), ("subwvel", 93), ("shuphole", 95),
    ("rcuphole", 97), ("shstat", 99), ("rcstat", 101), ("stapply", 103), ("lagtimea", 105), ("lagtimeb", 107),
    ("delay", 109), ("mutestrt", 111), ("muteend", 113), ("nsamps", 115), ("dt", 117), ("gaintype", 119),
    ("ingconst", 121), ("initgain", 123), ("corrflag", 125), ("sweepsrt", 127), ("sweepend", 129), ("sweeplng", 131),
    ("sweeptyp", 133), ("sweepstp", 135), ("sweepetp", 137), ("tapertyp", 139), ("aliasfil", 141), ("aliaslop", 143),
    ("notchfil", 145), ("notchslp", 147), ("lowcut", 149), ("highcut", 151), ("lowcslop", 153), ("hicslop", 155),
    ("year", 157), ("day", 159), ("hour", 161), ("minute", 163), ("second", 165), ("timebase", 167), ("trweight", 169),
    ("rstaswp1", 171), ("rstatrc1", 173), ("rstatrcn", 175), ("gapsize", 177), ("overtrvl", 179), ("cdp_x", 181),
    ("cdp_y", 185), ("iline", 189), ("xline", 193), ("sp", 197), ("sp_scal", 201), ("samp_unit", 203),
    ("trans_const", 205), ("trans_unit", 211), ("dev_id", 213), ("tm_scal", 215), ("src_type", 217), ("src_dir1", 219),
    ("src_dir2", 221), ("src_dir3", 223), ("smeasure", 225), ("sm_unit", 231),
];

/// Names of the fields in trace header extension 1, with their bytes.
#[rustfmt::skip]
const EXTENSION_1_NAMES: &[(&str, u32)] = &[
    ("linetrc", 1), ("reeltrc", 9), ("ffid", 17), ("cdp", 25), ("relev", 33), ("rdepth", 41), ("selev", 49), ("sdepth", 57),
    ("rdatum", 65), ("sdatum", 73), ("wdepthso", 81), ("wdepthrc", 89), ("sht_x", 97), ("sht_y", 105), ("rec_x", 113),
    ("rec_y", 121), ("offset", 129), ("nsamps", 137), ("nanosecs", 141), ("dt", 145), ("cable_num", 153),
    ("num_add", 157), ("last_trc", 159), ("cdp_x", 161), ("cdp_y", 169),
];

/// A field of the mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Name of the additional header it is in; `None` for the standard one.
    pub extension: Option<String>,
    /// The column.
    pub column: String,
    /// First byte in its header, from 1.
    pub first_byte: u32,
    pub kind: FieldKind,
    /// Whether it is at its standard place.
    pub is_standard: bool,
}

/// The XML of the stanza, and the number (from 1) of the extended textual header in which it begins.
pub(crate) fn find(file: &SegyFile, layout: &Layout) -> Result<Option<(u32, String)>> {
    let mut found: Option<(u32, String)> = None;
    for i in 0..layout.n_extended_text_headers.min(MAX_RECORDS) {
        let offset = FILE_HEADER_BYTES + u64::from(i) * TEXT_HEADER_BYTES as u64;
        if offset + TEXT_HEADER_BYTES as u64 > layout.first_trace_offset {
            break;
        }
        let bytes = file.copy(offset, TEXT_HEADER_BYTES)?;
        let record = text::decode(&bytes, text::detect(&bytes));
        let stanza = record.trim_start().strip_prefix("((").and_then(|rest| rest.split_once("))"));
        match (stanza, &mut found) {
            (Some(_), Some(_)) => break,
            (Some((name, xml)), None) if is_layout(name) => found = Some((i + 1, xml.to_owned())),
            // A stanza continues in the following records.
            (None, Some((_, xml))) => xml.push_str(&record),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether the name is `SEG:Layout`, ignoring case and blanks, with or without a suffix for the text type.
fn is_layout(name: &str) -> bool {
    let name: String = name.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    name == "seg:layout" || name.starts_with("seg:layout:")
}

/// The entries of the mapping.
///
/// # Errors
/// What is wrong with it, for a warning.
pub(crate) fn parse(xml: &str) -> Result<Vec<Entry>, String> {
    let text: String = xml.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    xml_limits::check(text.trim())?;
    let not_xml = |e: roxmltree::Error| format!("is not XML: {}", excerpt(&e.to_string()));
    let document = roxmltree::Document::parse(text.trim()).map_err(not_xml)?;
    let root = document.root_element();
    if root.tag_name().name() != "segy-layout" {
        return Err(format!("holds <{}>, not <segy-layout>", excerpt(root.tag_name().name())));
    }
    let mut entries = Vec::new();
    for node in root.children().filter(roxmltree::Node::is_element) {
        match node.tag_name().name() {
            "entry" => entries.extend(entry(node, None)?),
            "extension" => {
                let name = node.attribute("name").ok_or("has an <extension> without a name")?;
                for node in node.children().filter(|n| n.has_tag_name("entry")) {
                    entries.extend(entry(node, Some(name))?);
                }
            }
            _ => {}
        }
    }
    Ok(entries)
}

/// The one or two fields of an entry.
fn entry(node: roxmltree::Node, extension: Option<&str>) -> Result<Vec<Entry>, String> {
    let attribute = |name: &str| {
        let what = node.attribute("name").unwrap_or("without a name");
        node.attribute(name).ok_or_else(|| format!("has the entry {} without a {name}", excerpt(what)))
    };
    let (name, byte, kind) = (attribute("name")?, attribute("byte")?, attribute("type")?);
    let called = excerpt(name);
    let first_byte: u32 =
        byte.parse().ok().filter(|&b| b > 0).ok_or_else(|| format!("has {called} at byte \"{}\"", excerpt(byte)))?;
    let standard = standard_field(name, extension);
    let column = match standard {
        Some(field) => field.name.to_owned(),
        None => column_name(name, extension),
    };
    let part = |column: String, first_byte, kind: FieldKind, standard: Option<&Field>| Entry {
        extension: extension.map(str::to_owned),
        is_standard: standard.is_some_and(|f| f.byte == first_byte && f.kind.size() == kind.size()),
        column,
        first_byte,
        kind,
    };
    let parts = if kind == "scale6" {
        let base = column.strip_suffix("_mantissa").unwrap_or(&column).to_owned();
        let exponent = standard.and_then(|f| rev2_field(f.byte + 4));
        let second = part(format!("{base}_exponent"), first_byte.saturating_add(4), FieldKind::I16, exponent);
        vec![part(format!("{base}_mantissa"), first_byte, FieldKind::I32, standard), second]
    } else {
        let known = TYPES.iter().find(|(name, _)| *name == kind);
        let Some(&(_, kind)) = known else {
            return Err(format!("has {called} of the unknown type \"{}\"", excerpt(kind)));
        };
        // The standard's own type where only the sign may differ: it is kept as unsigned.
        let same = standard.filter(|f| f.byte == first_byte && f.kind.size() == kind.size());
        vec![part(column, first_byte, same.map_or(kind, |f| f.kind), standard)]
    };
    let outside = |e: &Entry| e.first_byte as usize - 1 + e.kind.size() > TRACE_HEADER_BYTES;
    match parts.iter().find(|e| outside(e)) {
        Some(_) => Err(format!("has {called} at byte {first_byte}, beyond the {TRACE_HEADER_BYTES} bytes of a header")),
        None => Ok(parts),
    }
}

fn standard_field(name: &str, extension: Option<&str>) -> Option<&'static Field> {
    let byte_in = |names: &[(&str, u32)]| names.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, b)| *b);
    match extension {
        None => byte_in(NAMES).and_then(rev2_field),
        Some("SEG00001") => {
            let byte = byte_in(EXTENSION_1_NAMES)?;
            EXTENSION_1_FIELDS.iter().find(|f| f.byte == byte)
        }
        Some(_) => None,
    }
}

fn rev2_field(byte: u32) -> Option<&'static Field> {
    TRACE_FIELDS.iter().find(|f| f.exists_in(2) && f.byte == byte)
}

/// A column name for a field that is not in the standard.
fn column_name(name: &str, extension: Option<&str>) -> String {
    let name = match extension {
        Some(extension) => format!("{extension}_{name}"),
        None => name.to_owned(),
    };
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(entries: &str) -> Result<Vec<Entry>, String> {
        parse(&format!("\n<?xml version=\"1.0\"?>\n<segy-layout name=\"x\"><desc>d</desc>{entries}</segy-layout>   "))
    }

    #[test]
    fn entries_become_columns_of_this_program() {
        let entries = parsed(
            "<entry name=\"iline\" byte=\"5\" type=\"int4\"/>.<entry name=\"cdp\" byte=\"21\" type=\"int4\"/>\
             <entry name=\"smeasure\" byte=\"225\" type=\"scale6\"/><entry name=\"My Own\" byte=\"181\" type=\"ieee64\"/>\
             <extension name=\"PRIVATE1\"><entry name=\"gun\" byte=\"3\" type=\"uint2\"/></extension>",
        )
        .unwrap();
        let found: Vec<_> = entries.iter().map(|e| (e.column.as_str(), e.first_byte, e.is_standard)).collect();
        let expected = [
            ("inline", 5, false),
            ("cdp", 21, true),
            ("source_measurement_mantissa", 225, true),
            ("source_measurement_exponent", 229, true),
            ("my_own", 181, false),
            ("private1_gun", 3, false),
        ];
        assert_eq!(found, expected);
        assert_eq!(entries[5].extension.as_deref(), Some("PRIVATE1"));
    }

    #[test]
    fn malformed_mappings_are_reported() {
        let refused = |entries: &str| parsed(entries).unwrap_err();
        assert!(refused("<entry name=\"cdp_y\" FAIL=\"1\" type=\"int4\"/>").contains("cdp_y without a byte"));
        assert!(refused("<entry name=\"cdp\" byte=\"666\" type=\"int4\"/>").contains("byte 666, beyond"));
        assert!(refused("<entry name=\"cdp\" byte=\"1\" type=\"int3\"/>").contains("unknown type \"int3\""));
        assert!(refused("<entry").contains("is not XML"));
        assert!(refused(&"<a>".repeat(20)).contains("elements in one another"));
        let turned = refused("<entry name=\"a&#x202e;b\" byte=\"1\" type=\"&#x202e;&#x9b;&#10;\"/>");
        assert_eq!(turned, r#"has a\u{202e}b of the unknown type "\u{202e}\u{9b}\u{a}""#);
        assert!(parse("<html/>").unwrap_err().contains("<html>"));
    }

    #[test]
    fn every_name_of_the_standard_leads_to_a_field() {
        assert!(NAMES.iter().all(|(name, _)| standard_field(name, None).is_some()));
        assert!(EXTENSION_1_NAMES.iter().all(|(name, _)| standard_field(name, Some("SEG00001")).is_some()));
    }
}

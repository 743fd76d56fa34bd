//! Mapping files: `--mapping FILE`, as JSON or TOML.
//!
//! The JSON format is that of the Python predecessor (SeisProc): a list of fields, or `{"fields": {NAME: FIELD} or
//! [FIELD…], "ensemble_keys": [NAME…], "computed": {NAME: EXPRESSION}}`; a field has `name`, `byte_position` (from
//! 1), `format` and optionally `description`. Formats are the types of `--field` or the codes of Python's `struct`:
//! `i`, `h`, `B`, `f`, `8s` … TOML has the same structure, and also allows `inline = "189:i32"` as a field.

use std::path::Path;

use crate::base::error::{Error, Result};
use crate::base::near_names::near_names;
use crate::plan::mapping::plain_document::Document;
use crate::plan::mapping::{ComputedField, FieldPlacement, Mapping, is_name, parse_place};
use crate::segy::fields::FieldKind;
use crate::store::files::read_text;

const TOP_KEYS: [&str; 5] = ["fields", "ensemble_keys", "computed", "computed_fields", "description"];
const FIELD_KEYS: [&str; 4] = ["name", "byte_position", "format", "description"];
const COMPUTED_KEYS: [&str; 4] = ["name", "expression", "format", "description"];

impl Mapping {
    /// Reads a mapping file. Whether its fields fit the headers is checked later, against the SEG-Y file.
    ///
    /// # Errors
    /// `Error::Usage` for a file that cannot be read or is not a mapping; the message gives the file and the place.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            read_text(path).map_err(|e| Error::Usage(format!("--mapping {}: cannot be read: {e}", path.display())))?;
        let document = document(path, &text)
            .map_err(|why| Error::Usage(format!("--mapping {}: {}", path.display(), why.trim_end())))?;
        parse(path, document).map_err(|why| Error::Usage(format!("--mapping {}: {why}", path.display())))
    }
}

/// Parses JSON or TOML, by the extension or else by the content.
fn document(path: &Path, text: &str) -> Result<Document, String> {
    let json = || serde_json::from_str(text).map_err(|e| format!("is not JSON: {e}"));
    let toml = || toml::from_str(text).map_err(|e| format!("is not TOML: {}", in_one_line(&e, text)));
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("json") => json(),
        Some("toml") => toml(),
        _ => json().or_else(|json| toml().map_err(|toml| format!("{json}, and it {toml}"))),
    }
}

/// What is wrong with a TOML text, and where; the library would draw a picture of it.
fn in_one_line(error: &toml::de::Error, text: &str) -> String {
    let what = error.message().replace('\n', ", ");
    let line = |at: usize| 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
    error.span().map_or_else(|| what.clone(), |span| format!("{what} at line {}", line(span.start)))
}

fn parse(path: &Path, document: Document) -> Result<Mapping, String> {
    let mut mapping =
        Mapping { path: path.to_owned(), fields: Vec::new(), ensemble_keys: Vec::new(), computed: Vec::new() };
    match document {
        list @ Document::List(_) => mapping.fields = fields(list)?,
        Document::Table(entries) => {
            check_keys(&entries, &TOP_KEYS, "it")?;
            for (key, value) in entries {
                match key.as_str() {
                    "fields" => mapping.fields = fields(value)?,
                    "ensemble_keys" => mapping.ensemble_keys = texts(value, "ensemble_keys")?,
                    "computed" | "computed_fields" => mapping.computed.extend(computed(value, &key)?),
                    _ => drop(text(value, "description")?),
                }
            }
        }
        other => return Err(format!("holds {}, not a list or table of fields", other.what())),
    }
    Ok(mapping)
}

fn fields(value: Document) -> Result<Vec<FieldPlacement>, String> {
    match value {
        Document::List(items) => {
            items.into_iter().enumerate().map(|(i, item)| field(item, None, &format!("field {}", i + 1))).collect()
        }
        Document::Table(entries) => {
            check_twice(&entries, "fields")?;
            let one = |(name, item): (String, Document)| field(item, Some(&name), &format!("field \"{name}\""));
            entries.into_iter().map(one).collect()
        }
        other => Err(format!("fields is {}, not a list or a table", other.what())),
    }
}

/// One field. `key` is its name if it is in a table; `what` names it in messages.
fn field(item: Document, key: Option<&str>, what: &str) -> Result<FieldPlacement, String> {
    let (mut name, mut first_byte, mut kind, mut description) = (key.map(str::to_owned), None, None, None);
    match (item, key) {
        (Document::Text(place), Some(_)) => {
            let (byte, of_kind) = parse_place(&place)
                .map_err(|why| format!("{what}: \"{place}\": {why}; write BYTE:TYPE, as in \"189:i32\""))?;
            (first_byte, kind) = (Some(byte), Some(of_kind));
        }
        (Document::Table(entries), _) => {
            check_keys(&entries, &FIELD_KEYS, what)?;
            for (entry, value) in entries {
                match entry.as_str() {
                    "name" => {
                        let own = text(value, &format!("{what}: name"))?;
                        if key.is_some_and(|key| key != own) {
                            return Err(format!("{what} is called \"{own}\" inside"));
                        }
                        name = Some(own);
                    }
                    "byte_position" => first_byte = Some(byte(&value, what)?),
                    "format" => kind = Some(kind_of(&text(value, &format!("{what}: format"))?, what)?),
                    _ => description = Some(text(value, &format!("{what}: description"))?),
                }
            }
        }
        (other, _) => return Err(format!("{what} is {}, not a table", other.what())),
    }
    let missing = |key: &str| format!("{what} has no {key}");
    let name = name.ok_or_else(|| missing("name"))?;
    if !is_name(&name) {
        return Err(format!("{what}: the name \"{name}\" is not of letters, digits and _"));
    }
    let first_byte = first_byte.ok_or_else(|| missing("byte_position"))?;
    Ok(FieldPlacement { name, first_byte, kind: kind.ok_or_else(|| missing("format"))?, description })
}

/// Computed columns: `{NAME: EXPRESSION}`, or a list of `{name, expression}`. Always float64, whatever `format` says.
fn computed(value: Document, key: &str) -> Result<Vec<ComputedField>, String> {
    let named = |name: String, expression: String| {
        if is_name(&name) {
            return Ok(ComputedField { name, expression });
        }
        Err(format!("{key}: the name \"{name}\" is not of letters, digits and _"))
    };
    match value {
        Document::Table(entries) => {
            check_twice(&entries, key)?;
            let one = |(name, value)| named(name, text(value, &format!("{key}: an expression"))?);
            entries.into_iter().map(one).collect()
        }
        Document::List(items) => {
            let one = |(i, item): (usize, Document)| {
                let what = format!("{key}: column {}", i + 1);
                let Document::Table(entries) = item else {
                    return Err(format!("{what} is {}, not a table", item.what()));
                };
                check_keys(&entries, &COMPUTED_KEYS, &what)?;
                let get = |key: &str| {
                    let value = entries.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone());
                    text(value.ok_or_else(|| format!("{what} has no {key}"))?, &format!("{what}: {key}"))
                };
                named(get("name")?, get("expression")?)
            };
            items.into_iter().enumerate().map(one).collect()
        }
        other => Err(format!("{key} is {}, not a table of names and expressions", other.what())),
    }
}

fn byte(value: &Document, what: &str) -> Result<u32, String> {
    let wrong = || format!("{what}: byte_position is a whole number from 1");
    match value {
        Document::Integer(byte) => u32::try_from(*byte).ok().filter(|&b| b > 0).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// A type, by the name that `--field` takes or its code in Python's `struct`.
fn kind_of(format: &str, what: &str) -> Result<FieldKind, String> {
    Ok(match format {
        "b" => FieldKind::I8,
        "B" => FieldKind::U8,
        "h" => FieldKind::I16,
        "H" => FieldKind::U16,
        "i" | "l" => FieldKind::I32,
        "I" | "L" => FieldKind::U32,
        "q" => FieldKind::I64,
        "Q" => FieldKind::U64,
        "f" => FieldKind::F32,
        "d" => FieldKind::F64,
        other => {
            let length = other.strip_suffix('s').filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
            let name = length.map_or(other.to_owned(), |n| format!("text:{}", if n.is_empty() { "1" } else { n }));
            name.parse().map_err(|why| format!("{what}: {why}, or a code of Python's struct (i, h, B, f, 8s …)"))?
        }
    })
}

fn text(value: Document, what: &str) -> Result<String, String> {
    match value {
        Document::Text(text) => Ok(text),
        other => Err(format!("{what} is {}, not a string", other.what())),
    }
}

fn texts(value: Document, what: &str) -> Result<Vec<String>, String> {
    match value {
        Document::List(items) => items.into_iter().map(|item| text(item, what)).collect(),
        other => Err(format!("{what} is {}, not a list of names", other.what())),
    }
}

/// Refuses unknown and duplicate keys.
fn check_keys(entries: &[(String, Document)], known: &[&str], what: &str) -> Result<(), String> {
    if let Some((wrong, _)) = entries.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        return Err(format!("{what} has the unknown key \"{wrong}\"; {}", near_names(wrong, known.iter().copied())));
    }
    check_twice(entries, what)
}

fn check_twice(entries: &[(String, Document)], what: &str) -> Result<(), String> {
    let mut names = std::collections::HashSet::new();
    match entries.iter().find(|(key, _)| !names.insert(key)) {
        Some((key, _)) => Err(format!("{what} has \"{key}\" twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Mapping, String> {
        let path = Path::new(name);
        parse(path, document(path, text)?)
    }

    fn place(mapping: &Mapping) -> Vec<(&str, u32, FieldKind)> {
        mapping.fields.iter().map(|f| (f.name.as_str(), f.first_byte, f.kind)).collect()
    }

    const PREDECESSOR: &str = r#"{
        "fields": {
            "inline": {"name": "inline", "byte_position": 5, "format": "i", "description": "Inline (3D)"},
            "flag": {"name": "flag", "byte_position": 240, "format": "B"}
        },
        "ensemble_keys": ["inline"]
    }"#;

    #[test]
    fn the_json_of_the_predecessor_is_read() {
        let mapping = read("map.json", PREDECESSOR).unwrap();
        assert_eq!(place(&mapping), [("inline", 5, FieldKind::I32), ("flag", 240, FieldKind::U8)]);
        assert_eq!(mapping.fields[0].description.as_deref(), Some("Inline (3D)"));
        assert_eq!(mapping.ensemble_keys, ["inline"]);
        let list = r#"[{"name": "note", "byte_position": 181, "format": "8s"}, {"name": "x", "byte_position": 1, "format": "ibm32"}]"#;
        let expected = [("note", 181, FieldKind::Text(8)), ("x", 1, FieldKind::Ibm32)];
        assert_eq!(place(&read("map", list).unwrap()), expected);
    }

    #[test]
    fn toml_says_the_same_whatever_the_file_is_called() {
        let toml = "ensemble_keys = [\"inline\"]\n[fields]\nflag = \"240:u8\"\n[fields.inline]\nbyte_position = 5\nformat = \"i32\"\n";
        for name in ["map.toml", "map.txt"] {
            let mapping = read(name, toml).unwrap();
            let mut fields = place(&mapping);
            fields.sort_unstable_by_key(|f| f.1);
            assert_eq!(fields, [("inline", 5, FieldKind::I32), ("flag", 240, FieldKind::U8)]);
            assert_eq!(mapping.ensemble_keys, ["inline"]);
        }
    }

    #[test]
    fn errors_name_their_place_and_near_names() {
        let refused = |text: &str| read("map.json", text).unwrap_err();
        let with = |field: &str| refused(&format!(r#"{{"fields": {{"il": {field}}}}}"#));
        assert!(
            with(r#"{"byteposition": 5, "format": "i"}"#)
                .contains("field \"il\" has the unknown key \"byteposition\"; did you mean \"byte_position\"")
        );
        assert!(with(r#"{"byte_position": 5, "format": "i", "byte_position": 6}"#).contains("twice"));
        assert!(with(r#"{"byte_position": 5}"#).contains("has no format"));
        assert!(with(r#"{"byte_position": 0, "format": "i"}"#).contains("whole number from 1"));
        assert!(with(r#"{"byte_position": 5, "format": "int33"}"#).contains("\"int33\" is not a field type"));
        assert!(with(r#"{"name": "xl", "byte_position": 5, "format": "i"}"#).contains("called \"xl\""));
        assert!(refused(r#"{"field": []}"#).contains("did you mean \"fields\""));
        assert!(refused(r#"{"fields": {"a": "1:i32", "a": "5:i32"}}"#).contains("\"a\" twice"));
        assert!(refused("7").contains("holds a number"));
        let wrong = read("map", "a = 1\n= 7").unwrap_err();
        assert!(wrong.contains("it is not TOML: ") && wrong.ends_with(" at line 2"), "{wrong}");
    }
}

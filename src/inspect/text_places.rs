//! Places of header fields that the textual header names, as in "INLINE IN BYTES 9-12" or "189: inline".

use serde::Serialize;

use crate::inspect::field_table::FieldSummary;
use crate::segy::fields::FieldKind;
use crate::table::Column;

/// Words for fields, the longer ones first.
const WORDS: &[(&str, &str)] = &[
    ("CROSS-LINE", "crossline"),
    ("CROSSLINE", "crossline"),
    ("CROSS LINE", "crossline"),
    ("X-LINE", "crossline"),
    ("XLINE", "crossline"),
    ("IN-LINE", "inline"),
    ("INLINE", "inline"),
    ("ILINE", "inline"),
    ("CDP-X", "cdp_x"),
    ("CDP_X", "cdp_x"),
    ("CDP X", "cdp_x"),
    ("CDPX", "cdp_x"),
    ("X COORD", "cdp_x"),
    ("X-COORD", "cdp_x"),
    ("EASTING", "cdp_x"),
    ("CDP-Y", "cdp_y"),
    ("CDP_Y", "cdp_y"),
    ("CDP Y", "cdp_y"),
    ("CDPY", "cdp_y"),
    ("Y COORD", "cdp_y"),
    ("Y-COORD", "cdp_y"),
    ("NORTHING", "cdp_y"),
    ("SHOT POINT", "shot_point"),
    ("SHOTPOINT", "shot_point"),
    ("CDP", "cdp"),
    ("CMP", "cdp"),
];
/// Characters between a field and its bytes.
const MOST_BETWEEN: usize = 30;

/// Where a column is, and what is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnPlace {
    /// First byte.
    pub first_byte: u32,
    /// Last byte.
    pub last_byte: u32,
    /// Smallest and largest value.
    pub range: Option<(f64, f64)>,
}

/// A place that the textual header names and the columns do not have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextPlace {
    /// The field.
    pub field: String,
    /// First byte by the textual header.
    pub first_byte: u32,
    /// Last byte, likewise.
    pub last_byte: u32,
    /// Line of the textual header, from 1.
    pub line: usize,
    /// What these bytes hold: smallest and largest value.
    pub range: Option<(f64, f64)>,
    /// Where the columns have the field, and what is there.
    pub column: Option<ColumnPlace>,
    /// The option to give.
    pub option: String,
}

/// A place as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) field: &'static str,
    pub(super) first_byte: u32,
    pub(super) size: u32,
    line: usize,
}

impl Said {
    /// The column that reads it.
    pub(super) fn column(&self) -> Column {
        let kind = if self.size == 2 { FieldKind::I16 } else { FieldKind::I32 };
        Column {
            name: format!("byte_{}", self.first_byte),
            first_byte: self.first_byte,
            kind,
            scalar: None,
            given_scalar: None,
        }
    }
}

/// The places named in these lines, each field once, that are not those of the columns.
pub(super) fn said(lines: &[String], columns: &[Column]) -> Vec<Said> {
    let mut found: Vec<Said> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        for (field, first_byte, size) in in_line(without_label(&line.to_ascii_uppercase())) {
            if !found.iter().any(|s| s.field == field) {
                found.push(Said { field, first_byte, size, line: i + 1 });
            }
        }
    }
    found.retain(|s| !columns.iter().any(|c| c.name == s.field && c.first_byte == s.first_byte));
    found
}

/// A line without the C and the number at its beginning.
fn without_label(line: &str) -> &str {
    let Some(rest) = line.trim_start().strip_prefix('C') else { return line };
    let rest = rest.trim_start();
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
    } else {
        line
    }
}

/// Field, first byte and number of bytes of each place in a line.
fn in_line(line: &str) -> Vec<(&'static str, u32, u32)> {
    let mut words: Vec<(usize, usize, &'static str)> = Vec::new();
    for (word, field) in WORDS {
        for (at, _) in line.match_indices(word) {
            let overlaps = words.iter().any(|(start, end, _)| at < *end && *start < at + word.len());
            let stands_alone = !line[..at].ends_with(|c: char| c.is_ascii_alphabetic());
            if !overlaps && stands_alone {
                words.push((at, at + word.len(), field));
            }
        }
    }
    words.sort_unstable();
    let next = |i: usize| words.get(i + 1).map_or(line.len(), |w| w.0);
    let place = |(i, (start, end, field)): (usize, &(usize, usize, &'static str))| {
        let found = bytes_after(&line[*end..next(i)]).or_else(|| {
            let from = if i == 0 { 0 } else { words[i - 1].1 };
            bytes_before(&line[from..*start])
        });
        found.map(|(first, size)| (*field, first, size))
    };
    words.iter().enumerate().filter_map(place).collect()
}

/// `IN BYTES 9-12`, `: 81-84`, `NUMBER : BYTES 5-8`, `BYTE 189`.
fn bytes_after(text: &str) -> Option<(u32, u32)> {
    let at = text.find(|c: char| c.is_ascii_digit()).filter(|&at| at <= MOST_BETWEEN)?;
    place(&text[at..], text[..at].contains("BYTE"))
}

/// `189:`, `BYTES 9-12 =`.
fn bytes_before(text: &str) -> Option<(u32, u32)> {
    let number = text.trim_end().strip_suffix([':', '=', ')'])?.trim_end();
    let before = number.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    place(&number[before.len()..], true)
}

/// A byte or a range of bytes in front of the text. A single number needs the word for bytes.
fn place(text: &str, is_told: bool) -> Option<(u32, u32)> {
    let number = |text: &str| -> Option<(u32, usize)> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        Some((text[..digits].parse().ok()?, digits))
    };
    let (first, digits) = number(text)?;
    let rest = text[digits..].trim_start();
    let last = rest.strip_prefix('-').or_else(|| rest.strip_prefix("TO ")).and_then(|rest| number(rest.trim_start()));
    let size = match last {
        Some((last, _)) => last.checked_add(1)?.checked_sub(first)?,
        None if is_told => 4,
        None => return None,
    };
    ((1..=239).contains(&first) && matches!(size, 2 | 4) && first + size <= 241).then_some((first, size))
}

/// What follows from the places, with what their bytes hold and what those of the columns hold.
pub(super) fn compare(said: &[Said], there: &[FieldSummary], fields: &[FieldSummary]) -> Vec<TextPlace> {
    let range = |f: &FieldSummary| Some((f.min.as_ref()?.as_f64(), f.max.as_ref()?.as_f64()));
    let one = |(s, found): (&Said, &FieldSummary)| {
        let column = fields.iter().find(|f| f.name == s.field);
        let kind = if s.size == 2 { "i16" } else { "i32" };
        // Bytes without anything in them are no place of a field.
        (!found.zero).then(|| TextPlace {
            field: s.field.to_owned(),
            first_byte: s.first_byte,
            last_byte: s.first_byte + s.size - 1,
            line: s.line,
            range: range(found),
            column: column.map(|f| ColumnPlace { first_byte: f.first_byte, last_byte: f.last_byte, range: range(f) }),
            option: format!("--field {}={}:{kind}", s.field, s.first_byte),
        })
    };
    said.iter().zip(there).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_however_they_are_written() {
        let read = |line: &str| in_line(without_label(&line.to_ascii_uppercase()));
        assert_eq!(
            read("C 1 INLINE IN BYTES 9-12, CROSSLINE IN BYTES 13-16"),
            [("inline", 9, 4), ("crossline", 13, 4)]
        );
        assert_eq!(read("C 2 CDP X: 81-84  CDP Y: 85-88"), [("cdp_x", 81, 4), ("cdp_y", 85, 4)]);
        assert_eq!(read("Inline number : bytes 5-8"), [("inline", 5, 4)]);
        assert_eq!(read("C12 189: inline 193: crossline"), [("inline", 189, 4), ("crossline", 193, 4)]);
        assert_eq!(read("CDP byte 21"), [("cdp", 21, 4)]);
        assert_eq!(read("XLINE (bytes 17-18)"), [("crossline", 17, 2)]);
        // What no code page knows, and a number that no byte has.
        assert_eq!(read("C 3 \u{fffd}189: INLINE"), [("inline", 189, 4)]);
        assert_eq!(read("C 3 \u{fffd}: INLINE BYTES 9-4294967295"), []);
        for nothing in
            ["C 1 INLINE RANGE 100 TO 200", "C 5 INLINE 2400-2419", "C 7 CDP SPACING 25 M", "C 5 INLINES BY 4"]
        {
            assert_eq!(read(nothing), [], "{nothing}");
        }
    }
}

//! What the group of a dataset says of itself: a title, the files it was made from, and by what.

use serde_json::{Value, json};

use crate::base::error::Result;
use crate::plan::Plan;
use crate::segy::text::{self, TEXT_HEADER_BYTES};
use crate::segy::{Access, Io};

/// The version of the CF conventions.
const CONVENTIONS: &str = "CF-1.12";
/// Names of files that are said; there may be thousands.
const MOST_NAMES: usize = 20;

/// Attributes of the group of traces in file order.
pub(super) fn attributes(plan: &Plan) -> Result<Value> {
    let lines = textual_header(plan)?.unwrap_or_default();
    let names = plan.files.iter().map(|file| file.input.path.file_name().unwrap_or_default().to_string_lossy());
    let mut names: Vec<String> = names.map(|name| name.into_owned()).collect();
    let n_more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    let title = lines.iter().find_map(|line| title_of(line)).or_else(|| names.first().cloned());
    if n_more > 0 {
        names.push(format!("and {n_more} more"));
    }
    Ok(json!({
        "Conventions": CONVENTIONS,
        "title": title.unwrap_or_default(),
        "source_file": names.join(", "),
        "program": "segy-import",
        "program_version": env!("CARGO_PKG_VERSION"),
    }))
}

/// The lines of the textual header of the first file, if it has one.
pub(super) fn textual_header(plan: &Plan) -> Result<Option<Vec<String>>> {
    let Some(first) = plan.files.first().filter(|first| first.layout.has_file_header()) else { return Ok(None) };
    let file = first.layout.open(&first.input.path, Io::Pread, Access::Headers)?;
    Ok(Some(text::lines(&file.copy(0, TEXT_HEADER_BYTES)?, first.layout.text_encoding)))
}

/// What a line of a textual header says after its number, `C 1`; `None` if that is nothing.
fn title_of(line: &str) -> Option<String> {
    let numbered =
        line.strip_prefix('C').map(|rest| rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()));
    let words: Vec<&str> = numbered.unwrap_or(line).split_whitespace().collect();
    let title = words.join(" ");
    let is_text = title.chars().filter(|c| c.is_alphabetic()).count() > 2;
    (is_text && !title.chars().any(char::is_control)).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_the_first_line_that_says_something() {
        let of = |line: &str| title_of(line);
        assert_eq!(of("C 1 CLIENT  Équinor   COMPANY X").as_deref(), Some("CLIENT Équinor COMPANY X"));
        assert_eq!(of("C01 LINE 7-A").as_deref(), Some("LINE 7-A"));
        assert_eq!(of("Volve time migration").as_deref(), Some("Volve time migration"));
        assert_eq!([of("C 1"), of("C2 ====="), of(""), of("abc\u{1}def")], [const { None }; 4]);
    }
}

//! Text laid out in columns, for reports.

use std::borrow::Cow;

use crate::base::visible::visible;

/// Width at which running text wraps.
const LINE: usize = 100;

/// Aligned columns, separated by two blanks. Columns in `right` are right-aligned. What came from outside is made visible.
pub(super) fn table(rows: &[Vec<String>], right: &[usize], indent: &str) -> String {
    let rows: Vec<Vec<Cow<str>>> = rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| {
            if right.contains(&i) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        let line = format!("{indent}{}", cells.collect::<Vec<_>>().join("  "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Pieces separated by ", " and wrapped into lines.
pub(super) fn wrap<S: AsRef<str>>(pieces: &[S], indent: &str) -> String {
    let mut lines = vec![String::new()];
    for (i, piece) in pieces.iter().map(AsRef::as_ref).enumerate() {
        let comma = if i + 1 < pieces.len() { "," } else { "" };
        let fits = |line: &String| line.chars().count() + piece.chars().count() + 2 + indent.len() <= LINE;
        match lines.last_mut() {
            Some(line) if line.is_empty() || fits(line) => {
                let blank = if line.is_empty() { "" } else { " " };
                line.push_str(&format!("{blank}{piece}{comma}"));
            }
            _ => lines.push(format!("{piece}{comma}")),
        }
    }
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
}

/// A number with commas between thousands.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 12_000_000].map(grouped), ["0", "999", "1,000", "12,000,000"]);
    }

    #[test]
    fn cells_end_or_begin_at_the_same_place() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "234".to_owned()]];
        assert_eq!(table(&rows, &[1], "  "), "  a      1\n  bcd  234\n");
        let rows = [vec!["a\n".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "2".to_owned()]];
        assert_eq!(table(&rows, &[], ""), "a\\u{a}  1\nbcd     2\n");
    }

    #[test]
    fn long_lists_are_broken_between_pieces() {
        let text = wrap(&["x".repeat(60), "y".repeat(30), "z".repeat(20)], "  ");
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|l| l.len() <= LINE) && text.ends_with("z\n"));
    }
}

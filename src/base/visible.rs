//! Text from outside: file names, headers, XML, other programs' output. Characters that a terminal acts on, or shows
//! out of place, are written as their numbers.

use std::borrow::Cow;
use std::path::Path;

/// The most characters of a file's text quoted in a message.
const MOST_QUOTED: usize = 120;

/// The text with control characters, line ends and bidirectional controls written as `\u{..}`. Everything else stays,
/// in any language; doing it twice changes nothing more.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    with_numbers(text, acts_on_a_terminal)
}

/// As [`visible`], but keeps line ends, for text of several lines.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    with_numbers(text, |c| c != '\n' && acts_on_a_terminal(c))
}

/// As [`visible`], for a path. Bytes that are not UTF-8 become `\x..`.
pub(crate) fn visible_path(path: &Path) -> String {
    let mut shown = String::new();
    for part in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        shown += &visible(part.valid());
        part.invalid().iter().for_each(|byte| shown += &format!("\\x{byte:02x}"));
    }
    shown
}

/// As [`visible`], but cut short: a text from a file can be of any length.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}…", visible(&text[..end])),
        None => visible(text).into_owned(),
    }
}

fn with_numbers(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Control characters (Unicode category Cc), line and paragraph separators (Zl, Zp), the marks, embeddings, overrides and
/// isolates of the bidirectional algorithm (UAX #9, table 4), invisible tags and annotations, and the byte-order mark.
/// Joiners are not among them: Persian and many languages of India need them.
fn acts_on_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn ordinary_text_of_any_language_stays() {
        for text in [
            "",
            "line 42_a.sgy",
            "Fjellås ß",
            "日本語",
            "العربية",
            "می‌خواهم",
            "עברית",
            "हिन्दी",
            "\u{FFFD}",
            r"a\nb \u{a}",
        ] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text}");
            assert_eq!(visible_path(Path::new(text)), text);
        }
    }

    #[test]
    fn what_a_terminal_acts_on_is_written_as_numbers() {
        assert_eq!(visible("a\n\r\tb\0\u{7F}"), r"a\u{a}\u{d}\u{9}b\u{0}\u{7f}");
        assert_eq!(visible("\u{1B}[31mred\u{9B}2J"), r"\u{1b}[31mred\u{9b}2J");
        assert_eq!(visible("gpj.\u{202E}exe\u{2069}\u{200F}"), r"gpj.\u{202e}exe\u{2069}\u{200f}");
        assert_eq!(visible("a\u{2028}b\u{E0041}"), r"a\u{2028}b\u{e0041}");
        assert_eq!(visible_lines("a\n\u{1B}b\n"), "a\n\\u{1b}b\n");
    }

    #[test]
    fn doing_it_twice_changes_nothing_more() {
        let once = visible("a\n\u{202E}\\").into_owned();
        assert_eq!(visible(&once), once);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_in_a_path() {
        assert_eq!(visible_path(Path::new(OsStr::from_bytes(b"a\xFF\x1B/\xC3b"))), r"a\xff\u{1b}/\xc3b");
    }

    #[test]
    fn what_a_file_says_is_cut_off() {
        assert_eq!(excerpt("int4\u{7}"), r"int4\u{7}");
        assert_eq!(excerpt(&"ä".repeat(121)), format!("{}…", "ä".repeat(120)));
    }
}

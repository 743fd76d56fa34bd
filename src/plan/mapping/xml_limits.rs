//! Limits of an XML text. The parser's time grows with the square of the depth, if each level has a namespace of its own, and
//! of the number of attributes of an element. A mapping has three levels and a few hundred entries.

const MOST_BYTES: usize = 1 << 19;
const MOST_ELEMENTS: usize = 5_000;
const MOST_DEPTH: usize = 16;
const MOST_ATTRIBUTES: usize = 64;

/// Checks a text before it is parsed. What is not XML is left to the parser, which stops there as well.
///
/// # Errors
/// Which limit it exceeds.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > MOST_BYTES {
        return Err(format!("has {} bytes, and no more than {MOST_BYTES} are read", text.len()));
    }
    let (mut depth, mut n_elements) = (0_usize, 0);
    let mut rest = text;
    while let Some((_, markup)) = rest.split_once('<') {
        let no_tag = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")];
        if let Some((_, end)) = no_tag.iter().find(|(start, _)| markup.starts_with(start)) {
            rest = markup.split_once(end).map_or("", |(_, after)| after);
            continue;
        }
        let tag = Tag::first_in(markup);
        rest = &markup[tag.n_bytes..];
        if markup.starts_with('/') {
            depth = depth.saturating_sub(1);
            continue;
        }
        n_elements += 1;
        depth += 1;
        for (n, most, what) in [
            (n_elements, MOST_ELEMENTS, "elements"),
            (depth, MOST_DEPTH, "elements in one another"),
            (tag.n_attributes, MOST_ATTRIBUTES, "attributes of one element"),
        ] {
            if n > most {
                return Err(format!("has more than {most} {what}, and no more are read"));
            }
        }
        depth -= usize::from(tag.is_empty_element);
    }
    Ok(())
}

struct Tag {
    /// Up to its end.
    n_bytes: usize,
    n_attributes: usize,
    /// `<name/>`.
    is_empty_element: bool,
}

impl Tag {
    /// The tag whose `<` is in front of `text`. Inside quotation marks a `>` is no end.
    fn first_in(text: &str) -> Self {
        let (mut quote, mut n_attributes, mut before) = (None, 0, 0);
        for (i, byte) in text.bytes().enumerate() {
            match (quote, byte) {
                (Some(open), _) if byte == open => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'=') => n_attributes += 1,
                (None, b'>') => return Self { n_bytes: i + 1, n_attributes, is_empty_element: before == b'/' },
                (None, _) => {}
            }
            before = byte;
        }
        Self { n_bytes: text.len(), n_attributes, is_empty_element: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_of_the_largest_size_is_let_through() {
        let entry = "<entry name=\"a > b\" byte='1' type=\"int4\"/><!-- <<< -->";
        assert_eq!(check(&format!("<?xml version=\"1.0\"?><a><b>{}</b></a>", entry.repeat(4998))), Ok(()));
        assert_eq!(check("a <![CDATA[<x><x>]]> b"), Ok(()));
        assert_eq!(check(&"<a></a>".repeat(5000)), Ok(()));
    }

    #[test]
    fn what_would_keep_the_parser_busy_is_refused() {
        let refused = |text: &str, what: &str| {
            let why = check(text).unwrap_err();
            assert!(why.contains(what), "{why}");
        };
        refused(&"<a/>".repeat(5001), "5000 elements");
        refused(&"<a x='/>'>".repeat(17), "16 elements in one another");
        refused(&(0..200).map(|i| format!("<n:a xmlns:n{i}='x'>")).collect::<String>(), "in one another");
        refused(&format!("<a {}/>", (0..65).map(|i| format!("a{i}='' ")).collect::<String>()), "64 attributes");
        refused(&"a".repeat(MOST_BYTES + 1), "bytes");
        // What only looks like a comment hides nothing.
        refused(&format!("<!-->{}", "<a>".repeat(17)), "in one another");
    }
}

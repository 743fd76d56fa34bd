//! Replacing lines of the textual header.

use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::dataset::{Dataset, OriginalFile};
use crate::segy::text::{TEXT_HEADER_BYTES, TextEncoding, to_ebcdic};

const LINE: usize = 80;
const N_LINES: usize = TEXT_HEADER_BYTES / LINE;

/// A line of the textual header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLine {
    /// From 1 to 40.
    pub number: usize,
    /// Up to 80 characters of ASCII; blanks fill the line.
    pub text: String,
}

impl FromStr for TextLine {
    type Err = String;

    /// `3=C 3 MUTED BELOW 2 S`.
    fn from_str(line: &str) -> Result<Self, String> {
        let (number, text) = line.split_once('=').ok_or("write N=TEXT, as in 3=\"C 3 MUTED BELOW 2 S\"")?;
        let number = number.trim().parse().ok().filter(|n| (1..=N_LINES).contains(n));
        let number = number.ok_or_else(|| format!("the lines are numbered from 1 to {N_LINES}"))?;
        if text.len() > LINE {
            return Err(format!("line {number} has {} characters; {LINE} fit", text.chars().count()));
        }
        match text.chars().find(|c| !(' '..='~').contains(c)) {
            Some(wrong) => Err(format!("line {number} has the character {wrong:?}, which is not ASCII")),
            None => Ok(Self { number, text: text.to_owned() }),
        }
    }
}

/// Writes lines into a file header, in the encoding of the textual header.
///
/// # Errors
/// `Error::Usage` for a file without one.
pub(super) fn write(lines: &[TextLine], header: &mut [u8], dataset: &Dataset, file: &OriginalFile) -> Result<()> {
    for line in lines {
        let Some((encoding, place)) =
            file.text_encoding.zip(header.get_mut((line.number - 1) * LINE..line.number * LINE))
        else {
            return Err(Error::Usage(format!("{}: its file has no textual header", dataset.root.display())));
        };
        let padded = format!("{:LINE$}", line.text);
        let bytes = match encoding {
            TextEncoding::Ebcdic | TextEncoding::Cp500 | TextEncoding::Cp1047 => to_ebcdic(&padded),
            _ => padded.into_bytes(),
        };
        place.copy_from_slice(&bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_its_number() {
        assert_eq!("3=C 3 A=B".parse(), Ok(TextLine { number: 3, text: "C 3 A=B".into() }));
        let long = format!("1={}", "x".repeat(81));
        for (wrong, expected) in [
            ("C 3", "N=TEXT"),
            ("0=x", "from 1 to 40"),
            ("41=x", "from 1 to 40"),
            ("2=é", "not ASCII"),
            (&long, "80 fit"),
        ] {
            assert!(wrong.parse::<TextLine>().is_err_and(|why| why.contains(expected)), "{wrong}");
        }
    }
}

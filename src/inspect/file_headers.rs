//! What comes before the traces: textual headers and the binary header.

use serde::Serialize;

use crate::base::error::Result;
use crate::inspect::field_table::type_name;
use crate::inspect::scan::Source;
use crate::segy::binary_header::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, BinaryHeader};
use crate::segy::fields::BINARY_FIELDS;
use crate::segy::layout::FILE_HEADER_BYTES;
use crate::segy::text::{self, TEXT_HEADER_BYTES, TextEncoding};

/// Most extended textual headers to show, so that a garbage count does not fill the memory.
const MAX_EXTENDED_SHOWN: u32 = 100;

/// The file header; empty for Seismic Unix files, which have none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FileHeaders {
    /// The textual file header.
    pub textual_header: Option<TextualHeader>,
    /// The first 100 extended textual headers.
    pub extended_textual_headers: Vec<TextualHeader>,
    /// Number of extended textual headers in the file.
    pub n_extended_textual_headers: u32,
    /// The nonzero fields of the binary header.
    pub binary_header: Vec<BinaryField>,
}

/// A textual header, extended or not: 3200 bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextualHeader {
    /// Character set it was decoded from.
    pub encoding: TextEncoding,
    /// Name of the stanza that begins in it, like `SEG: EndText` (rev 1, section 6).
    pub stanza: Option<String>,
    /// 40 lines without trailing blanks.
    pub lines: Vec<String>,
}

/// A field of the binary header.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BinaryField {
    /// Name of the field.
    pub name: &'static str,
    /// First byte in the file, from 1.
    pub first_byte: u32,
    /// Last byte, likewise.
    pub last_byte: u32,
    #[serde(rename = "type")]
    /// Type, like `i16`.
    pub kind: String,
    /// Value.
    pub value: serde_json::Value,
}

/// Reads all file headers.
pub(super) fn read(source: &Source) -> Result<FileHeaders> {
    let layout = source.layout;
    if !layout.has_file_header() {
        return Ok(FileHeaders::default());
    }
    let main = source.file.copy(0, TEXT_HEADER_BYTES)?;
    let n = layout.n_extended_text_headers;
    let extended = (0..n.min(MAX_EXTENDED_SHOWN)).map(|i| {
        let offset = FILE_HEADER_BYTES + u64::from(i) * TEXT_HEADER_BYTES as u64;
        let bytes = source.file.copy(offset, TEXT_HEADER_BYTES)?;
        Ok(textual(&bytes, layout.encoding_of(&bytes)))
    });
    Ok(FileHeaders {
        textual_header: Some(textual(&main, layout.text_encoding)),
        extended_textual_headers: extended.collect::<Result<_>>()?,
        n_extended_textual_headers: n,
        binary_header: binary(source)?,
    })
}

fn textual(bytes: &[u8], encoding: TextEncoding) -> TextualHeader {
    let lines = text::lines(bytes, encoding);
    let stanza = text::decode(bytes, encoding).trim_start().strip_prefix("((").and_then(|rest| {
        let name = rest.split_once("))").map(|(name, _)| name.trim())?;
        (!name.is_empty() && name.len() <= 80).then(|| name.to_owned())
    });
    TextualHeader { encoding, stanza, lines }
}

fn binary(source: &Source) -> Result<Vec<BinaryField>> {
    let layout = source.layout;
    let mut header = BinaryHeader { bytes: [0; BINARY_HEADER_BYTES], order: layout.byte_order };
    header.bytes.copy_from_slice(&source.file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?);
    let values = header.to_json(layout.revision.0);
    let fields = BINARY_FIELDS.iter().filter(|f| f.exists_in(layout.revision.0));
    let shown = fields.filter_map(|f| {
        let value = values.get(f.name).filter(|v| v.as_f64() != Some(0.0))?.clone();
        let last_byte = f.byte + f.kind.size() as u32 - 1;
        Some(BinaryField { name: f.name, first_byte: f.byte, last_byte, kind: type_name(f.kind), value })
    });
    Ok(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_is_called_by_its_name() {
        let stanza = |text: &str| textual(format!("{text:<3200}").as_bytes(), TextEncoding::Ascii).stanza;
        assert_eq!(stanza("((SEG: EndText))").as_deref(), Some("SEG: EndText"));
        assert_eq!(stanza("  ((ACME: Picks ver 2))\nmore").as_deref(), Some("ACME: Picks ver 2"));
        assert_eq!(stanza("C 1 CLIENT ((x))"), None);
        assert_eq!(stanza("((never closed"), None);
    }
}

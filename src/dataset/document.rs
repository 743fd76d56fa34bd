//! Writing and reading `metadata.json`, which holds its own checksum.

use serde_json::Value;

use crate::base::error::{Error, Result, failed, unreadable};
use crate::store::Place;
use crate::store::checksum::{crc32c, hexadecimal};

/// What stands in front of the document's own checksum. Inside a text the quotation marks would be escaped.
const SELF_CHECKSUM: &[u8] = b"\"self_crc32c\": \"";
/// What the checksum is while it is computed.
pub const NO_CHECKSUM: &str = "00000000";

/// Writes the document with its own checksum in it.
pub fn write_document(path: &Place, document: Value) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(&document).map_err(failed(path.display()))?;
    text.push(b'\n');
    let digits = self_checksum(&text)
        .ok_or_else(|| Error::Failed(format!("{}: has no place for its checksum", path.display())))?;
    let crc = hexadecimal(crc32c(&text));
    text[digits..][..crc.len()].copy_from_slice(crc.as_bytes());
    path.write(&text).map_err(failed(path.display()))
}

/// Reads the document, if it is as it was written.
///
/// # Errors
/// `Error::Input` where it cannot be read, `Error::Failed` where it is damaged or has no checksum.
pub fn read_document(path: &Place) -> Result<Value> {
    let mut text = path.read().map_err(|e| unreadable(&path.path(), &e))?;
    let damaged = || Error::Failed(format!("{}: is damaged: its checksum is not that of its bytes", path.display()));
    let digits = self_checksum(&text).ok_or_else(|| {
        Error::Failed(format!(
            "{}: has no checksum of its own (self_crc32c); it is damaged, or no segy-import of this version wrote it",
            path.display()
        ))
    })?;
    let stored = text[digits..].first_chunk().copied().unwrap_or([0; NO_CHECKSUM.len()]);
    let place = text.get_mut(digits..digits + NO_CHECKSUM.len()).ok_or_else(damaged)?;
    place.copy_from_slice(NO_CHECKSUM.as_bytes());
    if hexadecimal(crc32c(&text)).as_bytes() != stored {
        return Err(damaged());
    }
    serde_json::from_slice(&text).map_err(|e| Error::Input(format!("{}: {e}", path.display())))
}

/// Where the digits of the checksum stand in the text.
fn self_checksum(text: &[u8]) -> Option<usize> {
    let at = text.windows(SELF_CHECKSUM.len()).rposition(|w| w == SELF_CHECKSUM)?;
    Some(at + SELF_CHECKSUM.len())
}

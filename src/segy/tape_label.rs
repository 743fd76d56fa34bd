//! The tape label that may start a SEG-Y file: 128 bytes of ASCII.
//!
//! Source: SEG-Y rev 1, section 3.1 and rev 2.1, section 3.3 (SEG-Y tape label): bytes 1-4 number of the storage unit,
//! 5-9 revision ("SY1.0"), 10-15 structure of the storage unit ("RECORD").

use crate::base::error::Result;
use crate::segy::file::SegyFile;

/// Length of a tape label.
pub(crate) const LABEL_BYTES: u64 = 128;

/// The revision in the file's tape label, `SY1.0`; `None` without a label.
///
/// A textual header in ASCII could begin similarly, but not with the two other fields checked here.
pub(crate) fn find(file: &SegyFile) -> Result<Option<String>> {
    if file.len() < LABEL_BYTES {
        return Ok(None);
    }
    let label = file.copy(0, LABEL_BYTES as usize)?;
    let is_number = label[..4].iter().all(|b| b.is_ascii_digit() || *b == b' ');
    let revision = &label[4..9];
    let names_revision = revision.starts_with(b"SY")
        && revision[2].is_ascii_digit()
        && revision[3] == b'.'
        && revision[4].is_ascii_digit();
    let is_text = label.iter().all(|&b| matches!(b, 0 | 0x20..=0x7E));
    let found = is_number && names_revision && label[9..].starts_with(b"RECORD") && is_text;
    Ok(found.then(|| String::from_utf8_lossy(revision).into_owned()))
}

//! What the caller says about reading SEG-Y files.

use crate::plan::mapping::HeaderOptions;
use crate::segy::Io;
use crate::segy::layout::Overrides;

/// How to read SEG-Y files.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// How to read their bytes.
    pub io: Io,
    /// Header fields in other places, as for an import.
    pub headers: HeaderOptions,
    /// What the user says about a file, overriding its headers.
    pub overrides: Overrides,
}

//! Reading a dataset back: its document ([`Dataset`]), its chunks, its headers, its exceptions, and the bytes of the
//! file it was made from ([`Original`]).
//!
//! Everything here is shared by `export`, which writes the file again, and `verify`, which compares.

mod chunks;
mod conversion;
mod document;
mod exceptions;
mod headers;
mod lengths;
mod original;
mod part;
pub mod units;

pub use chunks::ChunkReader;
pub use conversion::{Conversion, Target};
pub use document::{Dataset, OriginalFile};
pub use exceptions::{ExceptionRows, ExceptionTable};
pub use headers::{HeaderRows, HeaderTableFile};
pub use original::{Original, Place, Sources};
pub use part::{Part, Span, file_head, fit_around};

use std::path::Path;

use crate::error::Error;

/// The error for a file of the dataset that is not as it was written.
pub fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::Failed(format!("{}: is damaged: {what}", path.display()))
}

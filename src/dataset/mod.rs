//! Reading a dataset back: its document ([`Dataset`]), chunks, headers and exceptions, and the bytes of the original
//! file ([`Original`]).
//!
//! Shared by `export`, which writes the file, and `verify`, which compares it.

mod chunk_reader;
mod crop;
mod cropped_traces;
mod declared;
pub(crate) mod document;
mod edited;
mod exception_reader;
mod grid_original;
mod grid_reader;
mod header_cache;
mod header_columns;
mod header_reader;
mod open;
mod original;
mod recoding;
mod restoration;
mod table_file;
mod trace_extents;
mod trace_part;
mod trace_samples;
mod trace_set;

pub(crate) use chunk_reader::ChunkReader;
pub(crate) use crop::Crop;
pub(crate) use edited::{EditWatch, EditedChunks, Edits, SampleWatch};
pub(crate) use exception_reader::{ExceptionRows, ExceptionTable};
pub(crate) use grid_reader::{BrickReader, GridPlaces, PlacedGrid, check_record};
pub(crate) use header_columns::HeaderColumns;
pub(crate) use header_reader::{HeaderRows, HeaderTableFile};
pub(crate) use open::{Dataset, OriginalFile};
pub(crate) use original::{FilePart, Original, Sources, Tables};
pub use recoding::Target;
pub(crate) use recoding::{Conversion, stored_format};
pub(crate) use restoration::substituted;
pub use trace_part::Part;
pub use trace_part::Span;
pub(crate) use trace_part::{file_head, fit_around};
pub(crate) use trace_samples::TraceSamples;
pub(crate) use trace_set::TraceSet;

use crate::base::error::{Error, failed};
use crate::store::Place;
use crate::store::place::is_absence;

/// The error for a table that cannot be read: damaged, or the error of the system, which the libraries pass on as text.
pub(crate) fn unreadable_table(path: &Place, what: impl std::fmt::Display) -> Error {
    let text = what.to_string();
    if !text.contains("(os error ") {
        return damaged(path, text);
    }
    let cause = text.rsplit("External: ").next().unwrap_or(&text);
    Error::Failed(format!("{}: {cause}", path.display()))
}

/// The error for a chunk that is missing. Zarr leaves out chunks of nothing but the fill value, so that may be an edit.
pub(crate) fn missing_chunk(path: &Place) -> Error {
    damaged(
        path,
        "it is missing; zarr leaves out a chunk that is set to the fill value throughout: if that is so, export \
         --fill-missing writes that value",
    )
}

/// The error for a file of the dataset that cannot be read: damaged where there is none, or something else.
pub(crate) fn unreadable_part(path: &Place) -> impl Fn(std::io::Error) -> Error {
    move |e| match e.kind() {
        _ if is_absence(&e) => damaged(path, "it is missing"),
        // What lies there is no regular file.
        std::io::ErrorKind::InvalidInput => damaged(path, &e),
        _ => failed(path.display())(e),
    }
}

/// The error for a dataset file that is not as it was written.
pub(crate) fn damaged(path: &Place, what: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("{}: is damaged: {what}", path.display()))
}

//! The names of the files and directories that a dataset consists of.

/// The array of the samples.
pub(crate) const TRACES: &str = "traces.zarr";
/// The checksums of the samples of its chunks.
pub(crate) const SAMPLE_SUMS: &str = "traces.crc32c";
/// The coordinate array of the samples: time, depth or frequency.
pub(crate) const SAMPLE_AXIS: &str = "sample";
/// The header table.
pub(crate) const HEADERS: &str = "headers.parquet";

/// A part of the header table, if it is a directory of parts.
pub(crate) fn header_part(number: u64) -> String {
    format!("part-{number:05}.parquet")
}

/// The table of all gathers.
pub(crate) const GATHER_INDEX: &str = "ensemble_index.parquet";
/// The table of samples that cannot be restored from their stored values; only if there are any.
pub(crate) const EXCEPTIONS: &str = "exceptions.parquet";
/// The directory of bytes outside the traces that are too many for the document; only if there are any.
pub(crate) const ORIGINAL: &str = "original";
/// The document of a Zarr group or array.
pub(crate) const ZARR_JSON: &str = "zarr.json";
/// The document of the dataset. It is the commit mark: without it there is no dataset.
pub(crate) const METADATA: &str = "metadata.json";

/// The group of the tables and the document of a grid; the commit mark of such a dataset.
pub(crate) const TABLES: &str = "segy";
/// The array of a grid that says which places have a trace.
pub(crate) const TRACE_MASK: &str = "trace_mask";
/// The array of a grid with the number of the trace at each place.
pub(crate) const TRACE_NUMBERS: &str = "trace_index";
/// The group of the traces of a grid whose place an earlier trace has; only if there are any.
pub(crate) const ASIDE: &str = "aside";
/// The array of a grid whose attributes are the file headers.
pub(crate) const FILE_HEADER: &str = "segy_file_header";

/// What a dataset can consist of, in the order in which it appears.
pub(crate) const NAMED_OUTPUTS: [&str; 9] =
    [TRACES, SAMPLE_SUMS, SAMPLE_AXIS, HEADERS, GATHER_INDEX, EXCEPTIONS, ORIGINAL, ZARR_JSON, METADATA];

/// Files whose checksums are taken by reading them: all but the chunks of the traces and the header table.
/// `traces` is the array of the samples.
pub(crate) fn checked_files(headers_only: bool, traces: &str) -> impl Iterator<Item = String> {
    let of_traces = format!("{traces}/{ZARR_JSON}");
    let of_arrays = ["sample/c/0", "sample/zarr.json", &of_traces, ZARR_JSON, SAMPLE_SUMS].map(str::to_owned);
    [GATHER_INDEX.to_owned()].into_iter().chain(of_arrays.into_iter().filter(move |_| !headers_only))
}

/// What is checked in the same way in a grid; its arrays have checksums of their own.
pub(crate) fn checked_tables() -> impl Iterator<Item = String> {
    [GATHER_INDEX, ZARR_JSON].map(str::to_owned).into_iter()
}

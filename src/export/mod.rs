//! Exporting a dataset to the SEG-Y file or files it was made from, byte for byte, or to a part of one, with other samples
//! or headers where that is asked for.

mod array_samples;
mod cropped_headers;
mod header_table;
mod in_order;
mod one_file;
mod output_file;
mod place_map;
mod sample_encoder;
mod selected_traces;
mod table_rows;
mod text_line;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::dataset::{Dataset, OriginalFile, Part, Tables, Target, damaged};
use crate::dataset_files::METADATA;
use crate::selection::Selection;
use crate::store::is_remote;
use crate::store::new_directories::NewDirectories;
use one_file::{Done, Written, write_file};
pub(crate) use output_file::check_target;
use output_file::{Replacing, UnfinishedFiles, place_of};
pub use text_line::TextLine;

/// The export the caller wants.
#[derive(Clone, Debug, Default)]
pub struct ExportConfig {
    /// Directory of the dataset.
    pub dataset: PathBuf,
    /// The file to write; a directory if the dataset was made from several files.
    pub target: PathBuf,
    /// Export only this one of several files, counted from 0; `target` is then a file.
    pub file: Option<usize>,
    /// The traces to export, from one file. All of them give the imported file; otherwise a trace count in the binary
    /// header is adjusted, and bytes after the traces that it does not declare are left out.
    pub part: Part,
    /// The traces and samples to export, by what the headers say of them.
    pub selection: Selection,
    /// An array whose samples take the place of the dataset's: Zarr, or a file `.npy`. It has the dataset's shape, or it
    /// names its dimensions and has their coordinates beside it; what it does not have is left out.
    pub samples: Option<PathBuf>,
    /// A table, Parquet or CSV, with new values of header fields: a row for each trace, found by `trace_index` or by the
    /// keys of the grid.
    pub headers: Option<PathBuf>,
    /// Lines of the textual header to replace.
    pub text_lines: Vec<TextLine>,
    /// Refuse if samples were changed since the import.
    pub unedited: bool,
    /// Take chunks that are missing for chunks of the fill value, which Zarr leaves out when it writes: 0, or NaN in a grid of
    /// floating-point samples. Otherwise a missing chunk is an error.
    pub fill_missing: bool,
    /// Sample format or byte order to convert to. Samples keep their exact values, the standard numeric fields of the
    /// binary and trace headers change byte order, and everything else stays unchanged.
    pub conversion: Target,
    /// What to write for infinite or NaN samples if the format has neither; by default that is an error.
    pub nan: Option<f64>,
    /// Export samples that were rounded, which do not give the imported file.
    pub lossy: bool,
    /// Replace existing files, once the new ones are complete.
    pub overwrite: bool,
    /// Sync the file to disk before it gets its name, so that it survives a power failure.
    pub sync: bool,
}

/// A completed export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportResult {
    /// Number of files written.
    pub n_files: usize,
    /// Traces in all files.
    pub n_traces: u64,
    /// Total length of all files.
    pub bytes: u64,
    /// Whether samples were changed in the dataset since the import; `None` where that is not known.
    pub is_edited: Option<bool>,
    /// Further remarks, a few words each.
    pub notes: Vec<String>,
}

/// Exports the file or files. `on_progress` gets the traces done so far and in total.
///
/// The target appears by rename when it is complete; an export that fails or is cancelled leaves nothing.
///
/// # Errors
/// `Error::Usage` for a dataset imported without a part of the file, `Error::Input` if there is no dataset,
/// `Error::OutputInTheWay` for an existing target, `Error::Failed` for a damaged dataset or if writing fails.
pub fn export(
    config: &ExportConfig,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<ExportResult> {
    let (target, overwrite) = (&config.target, config.overwrite);
    crate::store::check_address(target)?;
    let replacing = Replacing { overwrite, sync: config.sync };
    let mut dataset = match Dataset::open(&config.dataset) {
        Ok(dataset) => dataset,
        // An existing target is reported first, whatever else is wrong.
        Err(e) => return Err(check_target(target, overwrite).err().unwrap_or(e)),
    };
    config.check()?;
    if let Some(precision) = dataset.array.precision.filter(|_| !config.lossy && config.samples.is_none()) {
        return Err(Error::Usage(format!(
            "{}: its samples were rounded on import to multiples of {} (--precision {}), so they do not give the imported file; \
             --lossy exports them anyway",
            dataset.root.display(),
            precision.step(),
            precision.decibels
        )));
    }
    dataset.check_declared()?;
    dataset.fills_missing = config.fill_missing;
    let is_standard = target.as_os_str() == "-";
    let n_files = dataset.files.len();
    let one = match config.file {
        Some(i) => Some(dataset.files.get(i).ok_or_else(|| {
            Error::Usage(format!("--file {}: the dataset was made from {n_files} files", i.saturating_add(1)))
        })?),
        None if n_files == 1 => dataset.files.first(),
        None => None,
    };
    if let Some(file) = one {
        if !is_standard {
            check_target(target, overwrite)?;
        }
        let traces = traces_of_part(config.part, &dataset, file)?;
        let tables = Tables::open(&dataset)?;
        let parents = (!is_standard && !is_remote(target)).then(|| NewDirectories::for_file(target)).transpose()?;
        let place = (!is_standard).then(|| place_of(target, &dataset)).transpose()?;
        let written = Written { config, dataset: &dataset, tables: &tables, file, traces };
        let done = write_file(&written, place.as_ref(), replacing, on_progress, cancel)?;
        if let Some(parents) = parents.filter(|_| config.sync) {
            parents.sync()?;
        }
        let Done { bytes, n_traces, is_edited, notes } = done;
        return Ok(ExportResult { n_files: 1, n_traces, bytes, is_edited, notes });
    }
    if config.is_of_one_file() {
        return Err(Error::Usage(format!(
            "{}: was made from {n_files} files, but a part, or one with other samples or headers, comes from a single file; \
             choose it with --file",
            dataset.root.display()
        )));
    }
    if is_standard {
        return Err(Error::Usage(format!(
            "{}: was made from {n_files} files, and standard output takes one; choose it with --file",
            dataset.root.display()
        )));
    }
    let names = names(&dataset)?;
    let tables = Tables::open(&dataset)?;
    let mut files = UnfinishedFiles::create(target, &dataset, &names, overwrite)?;
    let n_traces = dataset.array.n_traces;
    let mut all = ExportResult { n_files, n_traces, bytes: 0, is_edited: Some(false), notes: Vec::new() };
    for (file, name) in dataset.files.iter().zip(&names) {
        let mut tell = |done, _| on_progress(file.traces.start + done, n_traces);
        let written = Written { config, dataset: &dataset, tables: &tables, file, traces: file.traces.clone() };
        let mut done = Done::default();
        all.bytes += files.add(name, config.sync, |path, replacing| {
            done = write_file(&written, Some(path), replacing, &mut tell, cancel)?;
            Ok(done.bytes)
        })?;
        all.is_edited = all.is_edited.zip(done.is_edited).map(|(one, other)| one || other);
        all.notes.extend(done.notes.into_iter().map(|note| format!("{name}: {note}")));
    }
    files.complete(&names, replacing)?;
    Ok(all)
}

impl ExportConfig {
    /// Whether it is for one file of several.
    fn is_of_one_file(&self) -> bool {
        self.part != Part::All
            || self.selection != Selection::default()
            || self.samples.is_some()
            || self.headers.is_some()
            || !self.text_lines.is_empty()
    }

    /// # Errors
    /// `Error::Usage` for what contradicts itself.
    fn check(&self) -> Result<()> {
        if self.unedited && self.samples.is_some() {
            return Err(Error::Usage("--unedited and --samples contradict each other".into()));
        }
        if self.unedited && self.fill_missing {
            return Err(Error::Usage("--unedited and --fill-missing contradict each other".into()));
        }
        Ok(())
    }
}

/// The traces of a part, numbered as in the dataset; all must be from one file.
fn traces_of_part(part: Part, dataset: &Dataset, file: &OriginalFile) -> Result<Range<u64>> {
    if part == Part::All {
        return Ok(file.traces.clone());
    }
    let traces = part.traces(dataset)?;
    if file.traces.start <= traces.start && traces.end <= file.traces.end {
        return Ok(traces);
    }
    Err(Error::Usage(format!(
        "{}: the file has traces {}:{} of the dataset, and the part is {}:{}",
        dataset.root.display(),
        file.traces.start,
        file.traces.end,
        traces.start,
        traces.end
    )))
}

/// The names of the exported files.
///
/// # Errors
/// `Error::Failed` if one is not a file name, `Error::Usage` if two are the same.
fn names(dataset: &Dataset) -> Result<Vec<String>> {
    let own: Vec<&str> = dataset.files.iter().map(|file| file.name.as_str()).collect();
    let is_plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if let Some(name) = own.iter().find(|name| !is_plain(name)) {
        return Err(damaged(&dataset.path(METADATA), format!("\"{name}\" is not a file name")));
    }
    let names = numbered(&own);
    let mut seen = HashSet::new();
    match names.iter().find(|n| !seen.insert(n.as_str())) {
        None => Ok(names),
        Some(name) => Err(Error::Usage(format!(
            "{}: two of its files would be written as {name}; export them one by one with --file",
            dataset.root.display()
        ))),
    }
}

/// Each name as it is, or with its number in front if several are the same.
fn numbered(names: &[&str]) -> Vec<String> {
    let mut n_of_name: HashMap<&str, u64> = HashMap::new();
    names.iter().for_each(|name| *n_of_name.entry(name).or_default() += 1);
    let numbered = |(i, name): (usize, &&str)| match n_of_name.get(name) {
        Some(2..) => format!("{}_{name}", i + 1),
        _ => (*name).to_owned(),
    };
    names.iter().enumerate().map(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::growth::growth;

    #[test]
    fn only_duplicate_names_get_numbers() {
        assert_eq!(numbered(&["a", "b", "a", "c"]), ["1_a", "b", "3_a", "c"]);
    }

    #[test]
    fn many_names_are_no_more_work_each_than_a_few() {
        let own: Vec<String> = (0..40_000).map(|i| format!("line_{i:09}.sgy")).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let growth = growth(10_000, |n| assert_eq!(numbered(&own[..n]).len(), n));
        assert!(growth < 10.0, "{growth}");
    }
}

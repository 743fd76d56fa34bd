//! Exporting a dataset to the SEG-Y file or files it was made from, byte for byte, or to a part of the traces of one.

mod output_file;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each};
use crate::dataset::{
    Conversion, Dataset, Original, OriginalFile, Part, Sources, Tables, Target, damaged, file_head, fit_around,
};
use crate::dataset_files::METADATA;
use crate::store::Place;
use output_file::{Replacing, Unfinished, UnfinishedFiles, check_target, place_of};

/// The export the caller wants.
#[derive(Clone, Debug)]
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

/// The traces of a file to export, and the conversion to apply.
struct Written<'a> {
    dataset: &'a Dataset,
    tables: &'a Tables<'a>,
    file: &'a OriginalFile,
    traces: Range<u64>,
    conversion: Target,
    nan: Option<f64>,
}

impl<'a> Written<'a> {
    fn new(
        config: &ExportConfig,
        dataset: &'a Dataset,
        tables: &'a Tables<'a>,
        file: &'a OriginalFile,
        traces: Range<u64>,
    ) -> Self {
        Self { dataset, tables, file, traces, conversion: config.conversion, nan: config.nan }
    }
}

/// A completed export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportResult {
    /// Number of files written.
    pub n_files: usize,
    /// Traces in all files.
    pub n_traces: u64,
    /// Total length of all files.
    pub bytes: u64,
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
    let dataset = match Dataset::open(&config.dataset) {
        Ok(dataset) => dataset,
        // An existing target is reported first, whatever else is wrong.
        Err(e) => return Err(check_target(target, overwrite).err().unwrap_or(e)),
    };
    if let Some(precision) = dataset.array.precision.filter(|_| !config.lossy) {
        return Err(Error::Usage(format!(
            "{}: its samples were rounded on import to multiples of {} (--precision {}), so they do not give the imported file; \
             --lossy exports them all the same",
            dataset.root.display(),
            precision.step(),
            precision.decibels
        )));
    }
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
        let n_traces = traces.end - traces.start;
        let mut tell = |done: u64| on_progress(done.min(n_traces), n_traces);
        let tables = Tables::open(&dataset)?;
        let written = Written::new(config, &dataset, &tables, file, traces);
        let place = (!is_standard).then(|| place_of(target, &dataset)).transpose()?;
        let bytes = write_file(&written, place.as_ref(), replacing, &mut tell, cancel)?;
        return Ok(ExportResult { n_files: 1, n_traces, bytes });
    }
    if config.part != Part::All {
        return Err(Error::Usage(format!(
            "{}: was made from {n_files} files, but a part comes from a single file; choose it with --file",
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
    let mut bytes = 0;
    for (file, name) in dataset.files.iter().zip(&names) {
        let mut tell = |traces| on_progress(file.traces.start + traces, dataset.array.n_traces);
        let written = Written::new(config, &dataset, &tables, file, file.traces.clone());
        bytes += files
            .add(name, config.sync, |path, replacing| write_file(&written, Some(path), replacing, &mut tell, cancel))?;
    }
    files.complete(&names, replacing)?;
    Ok(ExportResult { n_files, n_traces: dataset.array.n_traces, bytes })
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

/// Exports one of the dataset's files, or some of its traces. Returns its length.
fn write_file(
    Written { dataset, tables, file, traces, conversion, nan }: &Written,
    target: Option<&Place>,
    replacing: Replacing,
    on_progress: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<u64> {
    let sources = Sources::new(tables, file)?;
    let conversion = Conversion::new(conversion, dataset, file)?;
    let n_traces = traces.end - traces.start;
    let changed = (*traces != file.traces).then(|| fit_around(n_traces, dataset, file)).transpose()?;
    let mut range = sources.offsets_of(traces)?;
    if let Some(conversion) = &conversion {
        range = conversion.offset(traces.start, range.start)..conversion.offset(traces.end, range.end);
    }
    let behind = file.first_trace_offset + (range.end - range.start);
    let keeps_after = changed.as_ref().is_none_or(|c| c.keeps_after);
    let bytes = behind + if keeps_after { file.bytes_after_traces.len() } else { 0 };

    let target = Unfinished::create(target, bytes, replacing)?;
    let mut head = changed.map_or_else(|| file_head(file), |around| Ok(around.head))?;
    if let Some(conversion) = &conversion {
        conversion.file_header(head.get_mut(file.label_bytes as usize..).unwrap_or_default());
    }
    target.write_at(0, &head)?;
    file.bytes_before_traces.pieces(&mut |offset, bytes| {
        let skipped = (head.len() as u64).saturating_sub(offset).min(bytes.len() as u64);
        target.write_at(offset + skipped, &bytes[skipped as usize..])
    })?;
    let units = sources.units_of(traces);
    let write_unit = |original: &mut Original, unit, shared: &Shared| {
        let mut sink = |offset: u64, bytes: &[u8]| {
            // The first and last units may reach beyond the part.
            let (start, end) = (offset.max(range.start), (offset + bytes.len() as u64).min(range.end));
            if start >= end {
                return Ok(());
            }
            let inside = &bytes[(start - offset) as usize..(end - offset) as usize];
            target.write_at(file.first_trace_offset + (start - range.start), inside)
        };
        original.traces_of_unit(unit, shared.cancel, &mut sink, &|traces| shared.add(traces))
    };
    let new_original = || Ok(Original::new(&sources)?.converted(conversion.clone(), *nan));
    for_each(target.n_threads(), units.into_iter(), cancel, on_progress, new_original, write_unit)?;
    cancel.check()?;
    if keeps_after {
        file.bytes_after_traces.pieces(&mut |offset, bytes| target.write_at(behind + offset, bytes))?;
    }
    target.complete(replacing)?;
    Ok(bytes)
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
    fn only_names_that_are_there_twice_get_numbers() {
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

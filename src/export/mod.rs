//! Writing the file again that a dataset was made from, or the files, byte for byte, or a part of the traces of one.

mod output_file;

use std::ops::Range;
use std::path::PathBuf;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::dataset::units::{Shared, for_each_unit_on};
use crate::dataset::{
    Conversion, Dataset, Original, OriginalFile, Part, Sources, Target, damaged, file_head, fit_around,
};
use crate::dataset_files::METADATA;
use crate::store::Place;
use output_file::{Replacing, Unfinished, UnfinishedFiles, check_target, place_of};

/// An export as the caller wants it.
#[derive(Clone, Debug)]
pub struct ExportConfig {
    /// Directory of the dataset.
    pub dataset: PathBuf,
    /// The file to write; of a dataset that was made from several, the directory to write them to.
    pub target: PathBuf,
    /// Write this one of several files alone, from 0; `target` is a file then.
    pub file: Option<usize>,
    /// The traces to write, of one file. For all of them the file is the one that was imported; else a trace count in the
    /// binary header is set, and bytes behind the traces that it does not declare are left out.
    pub part: Part,
    /// Another sample format or byte order to write. Samples become those of the new format by their exact values, numbers in
    /// the binary and trace headers are turned around by the fields of the standard, and all else stays as it was.
    pub conversion: Target,
    /// What to write for samples that are infinite or no number where the format has none, which is otherwise an error.
    pub nan: Option<f64>,
    /// Replace files that are there, once the new ones are complete.
    pub overwrite: bool,
    /// Bring the file to the disk before it gets its name, so that it outlasts a power failure.
    pub sync: bool,
}

/// The traces of a file that are written, and what they become.
struct Written<'a> {
    dataset: &'a Dataset,
    file: &'a OriginalFile,
    traces: Range<u64>,
    conversion: Target,
    nan: Option<f64>,
}

/// A completed export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportResult {
    pub n_files: usize,
    pub n_traces: u64,
    /// Length of all files.
    pub bytes: u64,
}

/// Writes the file, or the files. `on_progress` hears the traces done so far and the number of all.
///
/// The target appears by rename when it is complete; an export that fails or is cancelled leaves nothing.
///
/// # Errors
/// `Error::Usage` for a dataset that was imported without a part of the file, `Error::Input` where there is none,
/// `Error::OutputInTheWay` for a target that is there, `Error::Failed` for a damaged dataset or where writing fails.
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
        // What is in the way is seen first, whatever else is wrong.
        Err(e) => return Err(check_target(target, overwrite).err().unwrap_or(e)),
    };
    let n_files = dataset.files.len();
    let one = match config.file {
        Some(i) => Some(dataset.files.get(i).ok_or_else(|| {
            Error::Usage(format!("--file {}: the dataset was made from {n_files} files", i.saturating_add(1)))
        })?),
        None if n_files == 1 => dataset.files.first(),
        None => None,
    };
    if let Some(file) = one {
        check_target(target, overwrite)?;
        let traces = traces_of_part(config.part, &dataset, file)?;
        let n_traces = traces.end - traces.start;
        let mut tell = |done: u64| on_progress(done.min(n_traces), n_traces);
        let written = Written { dataset: &dataset, file, traces, conversion: config.conversion, nan: config.nan };
        let bytes = write_file(&written, &place_of(target, &dataset)?, replacing, &mut tell, cancel)?;
        return Ok(ExportResult { n_files: 1, n_traces, bytes });
    }
    if config.part != Part::All {
        return Err(Error::Usage(format!(
            "{}: was made from {n_files} files, and a part is one of a file; name it with --file",
            dataset.root.display()
        )));
    }
    let names = names(&dataset)?;
    let mut files = UnfinishedFiles::create(target, &dataset, &names, overwrite)?;
    let mut bytes = 0;
    for (file, name) in dataset.files.iter().zip(&names) {
        let mut tell = |traces| on_progress(file.traces.start + traces, dataset.array.n_traces);
        let traces = file.traces.clone();
        let written = Written { dataset: &dataset, file, traces, conversion: config.conversion, nan: config.nan };
        bytes +=
            files.add(name, config.sync, |path, replacing| write_file(&written, path, replacing, &mut tell, cancel))?;
    }
    files.complete(&names, replacing)?;
    Ok(ExportResult { n_files, n_traces: dataset.array.n_traces, bytes })
}

/// The traces of a part, numbered as in the dataset, which are those of one file.
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

/// Writes one of the files that the dataset was made from, or some of its traces. Returns its length.
fn write_file(
    Written { dataset, file, traces, conversion, nan }: &Written,
    target: &Place,
    replacing: Replacing,
    on_progress: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<u64> {
    let sources = Sources::open(dataset, file)?;
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
            // A unit may reach beyond the part at either end.
            let (start, end) = (offset.max(range.start), (offset + bytes.len() as u64).min(range.end));
            if start >= end {
                return Ok(());
            }
            let inside = &bytes[(start - offset) as usize..(end - offset) as usize];
            target.write_at(file.first_trace_offset + (start - range.start), inside)
        };
        original.traces_of_unit(units.start + unit, shared.cancel, &mut sink, &|traces| shared.add(traces))
    };
    let new_original = || Ok(Original::new(&sources)?.converted(conversion.clone(), *nan));
    let n_units = units.end - units.start;
    for_each_unit_on(target.n_threads(), n_units, cancel, on_progress, new_original, write_unit)?;
    cancel.check()?;
    if keeps_after {
        file.bytes_after_traces.pieces(&mut |offset, bytes| target.write_at(behind + offset, bytes))?;
    }
    target.complete(replacing)?;
    Ok(bytes)
}

/// The names that the files get: their own, behind their number where several have the same.
fn names(dataset: &Dataset) -> Result<Vec<String>> {
    let files = &dataset.files;
    let is_plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if let Some(file) = files.iter().find(|f| !is_plain(&f.name)) {
        return Err(damaged(&dataset.path(METADATA), format!("\"{}\" is no name of a file", file.name)));
    }
    let is_double = |name: &str| files.iter().filter(|f| f.name == name).count() > 1;
    let mut names: Vec<String> = files.iter().map(|f| f.name.clone()).collect();
    for (i, file) in files.iter().enumerate().filter(|(_, f)| is_double(&f.name)) {
        names[i] = format!("{}_{}", i + 1, file.name);
    }
    let mut seen = std::collections::HashSet::new();
    match names.iter().find(|n| !seen.insert(n.as_str())) {
        None => Ok(names),
        Some(name) => Err(Error::Usage(format!(
            "{}: two of its files would be written as {name}; export them one by one with --file",
            dataset.root.display()
        ))),
    }
}

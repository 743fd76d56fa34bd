//! The traces of all input files as one sequence: which file has a trace, where, and how many follow at a fixed
//! distance.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::visible::visible_path;
use crate::input::trace_map::MapCursor;
use crate::input::{InputFile, PlannedFile};
use crate::segy::infer;
use crate::segy::layout::Overrides;
use crate::segy::lengths::ragged::{Walked, Watch};
use crate::segy::{Access, Io, Layout, Ragged, SegyFile, TraceFinder};

/// Bytes of the input processed at a time: they stay in the L2 cache between passes.
pub(crate) const WINDOW_BYTES: usize = 512 << 10;

/// The input files of a plan, with one open at a time.
pub(crate) struct Inputs<'a> {
    files: &'a [PlannedFile],
    io: Io,
    access: Access,
    /// Traces from this one on will not be read.
    end_trace: u64,
    open: Option<(usize, Arc<SegyFile>)>,
    finder: TraceFinder,
    cursor: MapCursor,
}

/// Traces of one file that follow each other there and in the dataset, with the same number of samples.
pub(crate) struct Stretch {
    pub file: Arc<SegyFile>,
    /// Number of the file, from 0.
    pub file_index: u32,
    /// Number of the first trace in the dataset, from 0.
    pub first_trace: u64,
    /// Whether the first trace is the first of its file in the dataset.
    pub begins_file: bool,
    /// Number of the first trace in its file, from 0.
    pub in_file: u64,
    pub n_traces: usize,
    /// Offset of the first trace in the file.
    pub offset: u64,
    /// Bytes from one trace to the next.
    pub stride: usize,
    /// Samples of each trace that are taken.
    pub n_samples: u32,
    /// The bytes of these samples in a trace, which begins with its headers.
    pub samples: Range<usize>,
}

impl Stretch {
    /// The traces, numbered in the dataset.
    pub(crate) fn traces(&self) -> Range<u64> {
        self.first_trace..self.first_trace + self.n_traces as u64
    }
}

impl<'a> Inputs<'a> {
    /// Opens no file yet. `files` are in trace order.
    pub(crate) fn new(files: &'a [PlannedFile], io: Io, access: Access) -> Self {
        Self {
            files,
            io,
            access,
            end_trace: u64::MAX,
            open: None,
            finder: TraceFinder::default(),
            cursor: MapCursor::default(),
        }
    }

    /// Limits reading to traces before `end_trace`.
    pub(crate) fn up_to(self, end_trace: u64) -> Self {
        Self { end_trace, ..self }
    }

    /// Trace `trace` and the following ones in the same file with the same length: at least one, at most `most`.
    ///
    /// # Errors
    /// `Error::Input` if a file has changed since the import was planned, `Error::Failed` for a trace that is not in
    /// the plan.
    pub(crate) fn stretch(&mut self, trace: u64, most: usize) -> Result<Stretch> {
        let index = self.files.partition_point(|f| f.end_trace() <= trace);
        let Some(planned) = self.files.get(index) else {
            return Err(Error::Failed(format!("trace {} is not in the plan", trace + 1)));
        };
        let file = self.file(index)?;
        let (in_file, most) = self.in_file(planned, trace, most as u64)?;
        let places = self.finder.find(&file, &planned.layout, in_file, most)?;
        let samples = planned.samples.clone().unwrap_or(0..places.n_samples);
        let at = |sample: u32| planned.layout.header_bytes() + sample as usize * planned.layout.format().bytes;
        Ok(Stretch {
            file,
            file_index: index as u32,
            first_trace: trace,
            begins_file: trace == planned.first_trace,
            in_file,
            n_traces: places.n_traces as usize,
            offset: places.offset,
            stride: places.stride,
            n_samples: samples.end - samples.start,
            samples: at(samples.start)..at(samples.end),
        })
    }

    /// The number that a trace has in its file, and how many of the dataset follow it there, at most `most`.
    fn in_file(&mut self, planned: &PlannedFile, trace: u64, most: u64) -> Result<(u64, u64)> {
        let Some(taken) = &planned.taken else { return Ok((trace - planned.first_trace, most)) };
        let most = most.min(planned.end_trace() - trace);
        let (number, n) = self.cursor.find(taken.map.get()?, trace, most)?;
        let in_file = number.checked_sub(taken.first).filter(|&in_file| in_file < planned.layout.n_traces);
        let missing = || Error::Failed(format!("trace {} is not in the map of the traces", trace + 1));
        Ok((in_file.ok_or_else(missing)?, n))
    }

    /// The file with this number, opened.
    pub(crate) fn file(&mut self, index: usize) -> Result<Arc<SegyFile>> {
        if let Some((_, file)) = self.open.as_ref().filter(|(open, _)| *open == index) {
            return Ok(file.clone());
        }
        let Some(planned) = self.files.get(index) else {
            return Err(Error::Failed(format!("the plan has no file {index}")));
        };
        let path = &planned.input.path;
        let mut file = planned.layout.open(path, self.io, self.access)?;
        if file.stored_len() != planned.input.bytes {
            return Err(Error::Input(format!(
                "{}: has {} bytes, but had {} when the import was planned; it changed meanwhile",
                path.display(),
                file.stored_len(),
                planned.input.bytes
            )));
        }
        if self.end_trace < planned.end_trace() && planned.layout.varying.is_none() {
            let n_traces = match self.end_trace.checked_sub(1).filter(|&last| last >= planned.first_trace) {
                Some(last) => self.in_file(planned, last, 1)?.0 + 1,
                None => 0,
            };
            file.read_no_further_than(planned.layout.trace_offset(n_traces));
        }
        let file = Arc::new(file);
        self.open = Some((index, file.clone()));
        self.finder = TraceFinder::default();
        Ok(file)
    }
}

/// Opens every file, works out its layout, and numbers the traces of all files consecutively.
///
/// # Errors
/// `Error::Input` for a file that cannot be converted, or that does not fit the first one, naming the difference.
pub(crate) fn plan_files(paths: &[PathBuf], io: Io, overrides: &Overrides, watch: &Watch) -> Result<Vec<PlannedFile>> {
    let mut files: Vec<PlannedFile> = Vec::with_capacity(paths.len());
    for path in paths {
        if path.to_str().is_none() {
            // The plan is JSON, which has no other characters.
            let shown = visible_path(path);
            return Err(Error::Input(format!("{shown}: the name is not UTF-8; rename it or make a link")));
        }
        let mut file = SegyFile::open(path, io, Access::Headers)?;
        // Record its state first, so that any later write is noticed at the end.
        let input = InputFile::of(path)?;
        let layout = infer::layout(&mut file, overrides, watch)?;
        let first_trace = files.last().map_or(0, PlannedFile::end_trace);
        let mut planned = PlannedFile::whole(input, layout, first_trace);
        if let Some(first) = files.first() {
            check_fit(first, &planned, overrides.ragged)?;
            let warning = other_lengths(&first.layout, &planned.layout);
            planned.layout.warnings.extend(warning);
        }
        watch(Walked::default())?;
        files.push(planned);
    }
    Ok(files)
}

/// The warnings about the files, with the file's name if there are several.
pub(crate) fn warnings_of(files: &[PlannedFile]) -> Vec<String> {
    let of_file = |f: &PlannedFile| -> Vec<String> {
        let name = if files.len() > 1 { format!("{}: ", visible_path(&f.input.path)) } else { String::new() };
        f.layout.warnings.iter().map(|w| format!("{name}{w}")).collect()
    };
    files.iter().flat_map(of_file).collect()
}

/// A warning on lengths and coordinates in other units than those of the first file.
fn other_lengths(first: &Layout, other: &Layout) -> Option<String> {
    let unit = |layout: &Layout| match layout.measurement_system {
        1 => Some("metres"),
        2 => Some("feet"),
        _ => None,
    };
    let (of_first, of_other) = (unit(first)?, unit(other)?);
    (of_first != of_other).then(|| {
        format!(
            "its lengths and coordinates are in {of_other} (bytes 3255-3256), and those of the first file in {of_first}, which is what \
             the dataset says of all; import it separately unless that is wrong"
        )
    })
}

/// Refuses a file whose traces cannot share an array and a table with those of the first file.
fn check_fit(first: &PlannedFile, other: &PlannedFile, ragged: Ragged) -> Result<()> {
    let (a, b) = (&first.layout, &other.layout);
    let domain = |l: &Layout| format!("{:?}", l.axis.domain).to_lowercase();
    let interval = |l: &Layout| l.axis.interval.map_or("none".to_owned(), |_| l.axis.interval_text());
    let format = |l: &Layout| format!("{} {}", l.format_code, l.format().name);
    let samples = |l: &Layout| l.sample_order.map_or(String::new(), |o| format!(", samples {o}"));
    let order = |l: &Layout| {
        format!("{}{}{}", l.byte_order, samples(l), if l.pairwise_swapped { ", swapped in pairs" } else { "" })
    };
    // Rev 2 changed the meaning of some trace header bytes, so the columns differ.
    let fields = |l: &Layout| if l.revision.0 >= 2 { "as of rev 2" } else { "as before rev 2" }.to_owned();
    let differences = [
        ("samples per trace", a.n_samples.to_string(), b.n_samples.to_string(), "--ragged pad pads the shorter traces"),
        ("the domain of the samples", domain(a), domain(b), "--domain overrides it in all"),
        ("the sample interval", interval(a), interval(b), "--interval overrides it in all"),
        ("the sample format", format(a), format(b), "--format overrides it in all, for one that is labelled wrongly"),
        ("the byte order", order(a), order(b), ""),
        ("the bytes of trace headers", a.header_bytes().to_string(), b.header_bytes().to_string(), ""),
        ("the trace header fields", fields(a), fields(b), ""),
    ];
    for (what, of_first, of_other, hint) in differences {
        if of_first != of_other && !(what == "samples per trace" && ragged == Ragged::Pad) {
            let hint = if hint.is_empty() {
                "import them separately".to_owned()
            } else {
                format!("import them separately, or {hint}")
            };
            let (first, other) = (first.input.path.display(), other.input.path.display());
            return Err(Error::Input(format!(
                "{other}: does not fit {first}: {what} {} {of_other} here and {of_first} there; {hint}",
                if what == "samples per trace" || what.contains("bytes") || what.contains("fields") {
                    "are"
                } else {
                    "is"
                }
            )));
        }
    }
    Ok(())
}

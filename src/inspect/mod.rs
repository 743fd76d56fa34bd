//! What a geophysicist wants to know about a file before importing it: decisions, file headers, geometry, a table of
//! the trace header fields, and a gather key. Writes nothing.
//!
//! [`scan`] goes through a sample of the headers or all of them → [`field_keys`], [`column_stats`] and
//! [`computed_stats`] gather statistics → [`field_table`] makes rows of them → [`gather_key`], [`geometry`] and
//! [`candidates`] draw conclusions → [`report`] prints. [`find`] and [`one_trace`] answer single questions. All
//! results, and those of [`dataset_report`], are plain data with `Serialize`, which `segy-import inspect --json` prints as they are.

pub(crate) mod candidates;
pub(crate) mod column_stats;
pub(crate) mod computed_stats;
pub(crate) mod dataset_report;
mod distinct;
pub(crate) mod field_keys;
pub(crate) mod field_table;
pub(crate) mod file_headers;
pub(crate) mod find;
pub(crate) mod gather_key;
pub(crate) mod geometry;
pub(crate) mod header_runs;
pub(crate) mod one_trace;
pub mod report;
mod run_lengths;
pub(crate) mod scan;
mod step_guess;
pub(crate) mod text_columns;
pub(crate) mod text_places;
mod watch;

use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::n_threads;
use crate::gather::choice::GatherChoice;
use crate::gather::sample::windows;
use crate::grid::options::GridKeys;
use crate::input::{InputFile, PlannedFile};
use crate::plan::grid_outline::GridOutline;
use crate::plan::import_config::ImportConfig;
use crate::plan::reading::Reading;
use crate::segy::infer;
use crate::segy::layout::Decision;
use crate::segy::{Access, Layout, SegyFile};
use crate::table::formula::{Computed, Formula};
use crate::table::{Column, HeaderTable};
use candidates::Candidate;
use computed_stats::{ComputedSummary, ComputedVisitor};
use field_table::FieldSummary;
use file_headers::FileHeaders;
use find::{Finding, Search};
use gather_key::GatherSuggestion;
use geometry::Geometry;
use header_runs::{HeaderRun, HeaderRuns};
pub use one_trace::TraceDump;
use scan::{Source, TableVisitor, Visitor};
use text_places::TextPlace;
use watch::WatchVisitor;

/// What to look at, and how.
#[derive(Clone, Debug)]
pub struct InspectConfig {
    /// SEG-Y or Seismic Unix file to read.
    pub input: PathBuf,
    /// How to read it.
    pub reading: Reading,
    /// Read all trace headers instead of a sample of 1000.
    pub scan: bool,
    /// The keys of the grid to describe; by default, if all trace headers are read, those that give every trace a place of its
    /// own.
    pub grid: Option<GridKeys>,
    /// Threads for a scan; by default one per core available to this process.
    pub threads: Option<usize>,
}

impl InspectConfig {
    /// The configuration for `segy-import inspect IN`.
    pub fn new(input: impl Into<PathBuf>) -> Self {
        Self { input: input.into(), reading: Reading::default(), scan: false, grid: None, threads: None }
    }
}

/// How many headers were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Headers read.
    pub headers_read: u64,
    /// Traces in the file.
    pub n_traces: u64,
}

impl Coverage {
    /// Whether all headers of the file were read.
    pub fn is_whole(self) -> bool {
        self.headers_read == self.n_traces
    }
}

/// The report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file.
    pub input: PathBuf,
    /// Its length in bytes.
    pub input_bytes: u64,
    /// What was decided about the file, with reasons.
    pub decisions: Vec<Decision>,
    /// Warnings, as for an import.
    pub warnings: Vec<String>,
    #[serde(flatten)]
    /// Textual and binary file headers.
    pub file_headers: FileHeaders,
    /// Size and extent of the data.
    pub geometry: Geometry,
    #[serde(flatten)]
    /// How many headers the statistics are from.
    pub coverage: Coverage,
    /// Every field of the trace headers.
    pub fields: Vec<FieldSummary>,
    /// Columns computed for the user.
    pub computed: Vec<ComputedSummary>,
    /// Places of fields by the textual header that are not those of the columns.
    pub text_places: Vec<TextPlace>,
    /// The gather key that an import takes.
    pub gather: GatherSuggestion,
    /// The grid that an import with `--grid` makes, if all trace headers were read.
    pub grid: Option<GridOutline>,
    /// Why there is none.
    pub no_grid: Option<String>,
}

/// Where a number was found.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    #[serde(flatten)]
    /// How many headers were searched.
    pub coverage: Coverage,
    /// Places that hold the number.
    pub findings: Vec<Finding>,
}

/// Likely places of the usual fields.
#[derive(Clone, Debug, Serialize)]
pub struct Candidates {
    #[serde(flatten)]
    /// How many headers the statistics are from.
    pub coverage: Coverage,
    /// Likely places, by role, the best first.
    pub candidates: Vec<Candidate>,
}

/// An opened file with its layout known, ready for questions.
pub struct Inspector {
    config: InspectConfig,
    file: SegyFile,
    layout: Layout,
    columns: Vec<Column>,
    computed: Vec<Computed>,
    formulas: Vec<Formula>,
    windows: Vec<Range<u64>>,
    gathers: GatherChoice,
    headers: HeaderTable,
}

/// Called with the number of headers read so far.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(u64);

impl Inspector {
    /// Opens a file and works out its layout, as an import would.
    ///
    /// # Errors
    /// Any error with which an import with the same options would refuse the file.
    pub fn open(config: InspectConfig) -> Result<Self> {
        let mut file = SegyFile::open(&config.input, config.reading.io.unwatched(), Access::Headers)?;
        let mut layout = infer::layout(&mut file, &config.reading.overrides, &|_| Ok(()))?;
        let mut import = ImportConfig::new(&config.input, PathBuf::new());
        import.headers.clone_from(&config.reading.headers);
        import.io = config.reading.io;
        let columns = import.columns(&file, &layout)?;
        layout.decisions.extend(columns.decisions);
        layout.warnings.extend(columns.warning);
        let input = InputFile::of(&config.input)?;
        let planned = PlannedFile::whole(input, layout, 0);
        let gathers = import.gather_choice(std::slice::from_ref(&planned), &columns.table)?;
        let layout = planned.layout;
        let headers = columns.table;
        let (columns, computed) = (headers.columns.clone(), headers.computed.clone());
        let formulas = computed.iter().map(Formula::new).collect::<Result<_>>()?;
        let windows = windows(layout.n_traces);
        Ok(Self { config, file, layout, columns, computed, formulas, windows, gathers, headers })
    }

    /// The layout worked out for the file.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many headers will be read.
    pub fn coverage(&self) -> Coverage {
        let n_traces = self.layout.n_traces;
        let sampled = self.windows.iter().map(|w| w.end - w.start).sum();
        Coverage { headers_read: if self.config.scan { n_traces } else { sampled }, n_traces }
    }

    /// The file.
    pub(crate) fn file(&self) -> &SegyFile {
        &self.file
    }

    /// The fields of a trace header.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The headers of consecutive traces.
    pub(crate) fn headers_of(&self, traces: Range<u64>) -> Result<HeaderRun> {
        let mut run = HeaderRun { first_trace: traces.start, bytes: Vec::new() };
        self.source().visit_windows(&[traces], &mut run)?;
        Ok(run)
    }

    /// Makes the whole report.
    pub fn report(&self, on_progress: OnProgress, cancel: &CancelHandle) -> Result<Report> {
        let (fields, computed, watched) = self.table(&self.columns, &self.formulas, on_progress, cancel)?;
        let computed = computed.summarise(&self.computed, self.coverage().is_whole());
        let mut warnings = self.layout.warnings.clone();
        warnings.extend(watched.warnings(&fields, self.coverage(), &self.headers, &self.layout));
        let file_headers = file_headers::read(&self.source())?;
        let text_places = self.text_places(&file_headers, &fields, cancel)?;
        let (grid, no_grid) = self.grid(cancel)?;
        let report = self.report_of(fields, computed, self.coverage(), file_headers);
        Ok(Report { warnings, text_places, grid, no_grid, ..report })
    }

    /// The grid that an import makes, or why it makes none; neither unless all trace headers were read or keys are asked for.
    fn grid(&self, cancel: &CancelHandle) -> Result<(Option<GridOutline>, Option<String>)> {
        let keys = match &self.config.grid {
            Some(keys) => keys.clone(),
            None if self.coverage().is_whole() => GridKeys::Auto,
            None => return Ok((None, None)),
        };
        let mut import = ImportConfig::new(&self.config.input, PathBuf::new());
        import.io = self.config.reading.io;
        let input = InputFile::of(&self.config.input)?;
        let planned = PlannedFile::whole(input, self.layout.clone(), 0);
        match import.grid_outline(&[planned], &self.headers, keys, cancel) {
            Ok(grid) => Ok((Some(grid), None)),
            Err(Error::Input(why)) if self.config.grid.is_none() => {
                let name = format!("{}: ", self.config.input.display());
                Ok((None, Some(why.strip_prefix(&name).unwrap_or(&why).to_owned())))
            }
            Err(e) => Err(e),
        }
    }

    /// Makes the report from headers that were read already.
    pub(crate) fn report_of_runs(&self, headers: &HeaderRuns) -> Result<Report> {
        let coverage = Coverage { headers_read: headers.n_headers(), n_traces: self.layout.n_traces };
        let whole = coverage.is_whole();
        let computed = headers.computed(&self.computed, &self.formulas, whole);
        Ok(self.report_of(headers.fields(whole), computed, coverage, file_headers::read(&self.source())?))
    }

    /// Without what needs more reading.
    fn report_of(
        &self,
        fields: Vec<FieldSummary>,
        computed: Vec<ComputedSummary>,
        coverage: Coverage,
        file_headers: FileHeaders,
    ) -> Report {
        let layout = &self.layout;
        Report {
            text_places: Vec::new(),
            grid: None,
            no_grid: None,
            input: self.config.input.clone(),
            input_bytes: self.layout.file_bytes,
            decisions: layout.decisions.clone(),
            warnings: layout.warnings.clone(),
            file_headers,
            geometry: geometry::geometry(layout.n_traces, layout.n_samples, &layout.axis, &fields, coverage.is_whole()),
            gather: gather_key::suggestion(self.gathers.clone(), &fields),
            coverage,
            fields,
            computed,
        }
    }

    /// The places that the textual header names, with what is there.
    fn text_places(
        &self,
        headers: &FileHeaders,
        fields: &[FieldSummary],
        cancel: &CancelHandle,
    ) -> Result<Vec<TextPlace>> {
        let lines = headers.textual_header.as_ref().map_or(&[][..], |header| &header.lines);
        let said = text_places::said(lines, &self.columns);
        if said.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<Column> = said.iter().map(text_places::Said::column).collect();
        let (there, ..) = self.table(&columns, &[], &mut |_| {}, cancel)?;
        Ok(text_places::compare(&said, &there, fields))
    }

    /// Reads one trace, counted from 1.
    pub fn trace(&self, trace: u64) -> Result<TraceDump> {
        one_trace::dump(&self.source(), &self.columns, &self.computed, trace)
    }

    /// Finds where headers hold a number.
    pub fn find(&self, value: &str, on_progress: OnProgress, cancel: &CancelHandle) -> Result<Findings> {
        let source = self.source();
        let search = Search::new(value, &source)?;
        let visitor = self.visit(|| search.visitor(), on_progress, cancel)?;
        let findings = search.findings(visitor, &self.columns, &source)?;
        Ok(Findings { coverage: self.coverage(), findings })
    }

    /// Ranks the bytes that look like inline, crossline, cdp, offset and coordinates.
    pub fn candidates(&self, on_progress: OnProgress, cancel: &CancelHandle) -> Result<Candidates> {
        let places = candidates::places(self.layout.header_bytes() as u32);
        let (fields, ..) = self.table(&places, &[], on_progress, cancel)?;
        let candidates = candidates::rank(&fields, &self.columns, self.layout.byte_order);
        Ok(Candidates { coverage: self.coverage(), candidates })
    }

    /// The rows for these columns, and the summaries of computed ones.
    fn table<'a>(
        &self,
        columns: &[Column],
        formulas: &'a [Formula],
        on_progress: OnProgress,
        cancel: &CancelHandle,
    ) -> Result<(Vec<FieldSummary>, ComputedVisitor<'a>, WatchVisitor)> {
        let source = self.source();
        let guesses = step_guess::guess(&source, columns, &self.windows)?;
        let steps: Vec<Option<i64>> = guesses.iter().map(|g| g.map(|g| g.difference)).collect();
        let watch = WatchVisitor::new(&self.headers);
        let make = || ((TableVisitor::new(columns, &steps), ComputedVisitor::new(formulas)), watch.clone());
        let ((table, computed), watched) = self.visit(make, on_progress, cancel)?;
        let first = source.header(0)?;
        let fields = field_table::summarise(columns, &table.stats, &guesses, &first, self.coverage().is_whole());
        Ok((fields, computed, watched))
    }

    /// Visits the headers: those in the windows, or all of them with one visitor per thread.
    fn visit<V: Visitor>(&self, make: impl Fn() -> V, on_progress: OnProgress, cancel: &CancelHandle) -> Result<V> {
        // A small file is a single window already.
        if self.config.scan && self.windows.len() > 1 {
            return self.source().visit_all(self.n_threads(), make, on_progress, cancel);
        }
        let mut visitor = make();
        self.source().visit_windows(&self.windows, &mut visitor)?;
        Ok(visitor)
    }

    fn n_threads(&self) -> usize {
        self.config.threads.unwrap_or_else(n_threads)
    }

    fn source(&self) -> Source<'_> {
        Source { file: &self.file, layout: &self.layout }
    }
}

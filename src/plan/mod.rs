//! The plan: everything that a worker needs to know, decided once and written to `plan.json`.
//!
//! It is the same for a local process and a cluster node. The output depends only on the input and the options; the
//! segments only decide who writes which part.

pub(crate) mod coordinates;
pub(crate) mod decide;
pub(crate) mod grid_outline;
pub(crate) mod header_warnings;
pub(crate) mod import_config;
pub(crate) mod make_grid;
pub(crate) mod mapping;
pub(crate) mod part;
pub(crate) mod partition;
mod precision;
pub(crate) mod reading;
pub(crate) mod target;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result, failed};
use crate::dataset_files::{HEADERS, NAMED_OUTPUTS, TABLES};
use crate::gather::GatherKey;
use crate::grid::Grid;
use crate::input::PlannedFile;
use crate::plan::coordinates::TraceCoordinate;
use crate::plan::make_grid::Scratch;
use crate::plan::mapping::PlacedField;
use crate::plan::part::PlannedPart;
use crate::plan::partition::Segment;
use crate::plan::target::{Dealt, Target, owned, traces_in};
use crate::segy::layout::Decision;
use crate::segy::{Io, Layout};
use crate::store::Place;
use crate::store::place::is_absence;
use crate::table::HeaderTable;
use crate::table::columns::fields_of;
use crate::zarr::ArrayPlan;

/// Version of `plan.json`; workers refuse any other.
pub const PLAN_VERSION: u32 = 14;

/// Most threads per worker: each holds a chunk in memory.
pub(crate) const MAX_THREADS: u32 = 64;

/// How to finish once all segments are done. The dataset does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeOptions {
    /// Replace an existing dataset, once the new one is complete.
    pub overwrite: bool,
    /// Compare the dataset with the input, byte by byte, before it becomes visible.
    pub verify: bool,
    /// Sync the dataset to disk before it becomes visible, and separately converted segments before they count as
    /// done.
    pub sync: bool,
}

/// A complete description of one import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the program that wrote it.
    pub version: u32,
    /// In trace order; at least one. All agree in everything that decides how traces are read.
    pub files: Vec<PlannedFile>,
    /// What of the files becomes the dataset, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PlannedPart>,
    /// How to read the input.
    pub io: Io,
    /// Permissions of the dataset's files, before the umask; directories also get search wherever they get read.
    pub file_mode: u32,
    /// Fields that make a gather; empty without gathers.
    pub gather_keys: Vec<GatherKey>,
    /// Why these.
    #[serde(default)]
    pub gather_decision: Decision,
    /// How many headers a split may move back to find the start of its gather.
    pub max_probe: u64,
    /// What the samples become.
    pub target: Target,
    /// The coordinates of traces in file order; empty for a grid, which has its own.
    #[serde(default)]
    pub coordinates: Vec<TraceCoordinate>,
    /// Whether the samples are left out.
    pub headers_only: bool,
    /// The header table.
    pub headers: HeaderTable,
    /// Header fields that are not at their standard places.
    pub placed_fields: Vec<PlacedField>,
    /// The segments, in trace order, without gaps.
    pub segments: Vec<Segment>,
    /// The number of segments requested; gathers and chunks may allow fewer.
    pub segments_asked: Option<u32>,
    /// Threads with which each worker converts long traces, split along the samples: more than one if there are fewer
    /// segments than workers. The output does not depend on it.
    pub threads: u32,
    /// How to finish once all segments are done.
    pub merge: MergeOptions,
    /// Whether others start the workers that follow this plan, possibly later.
    #[serde(default)]
    pub is_for_others: bool,
    /// Warnings about the files; also in `metadata.json`.
    pub warnings: Vec<String>,
    /// Warnings about cutting it into segments, which do not concern the dataset.
    pub segment_warnings: Vec<String>,
    /// What else planning a grid found.
    #[serde(skip)]
    pub scratch: Scratch,
    /// How the units of a grid are dealt out to the segments.
    #[serde(skip)]
    pub dealt: Dealt,
}

impl Plan {
    /// Reads a plan from a file, which may have been written by another version or by hand.
    ///
    /// # Errors
    /// `Error::Failed` if it is not a plan, or not one that this version can follow.
    pub fn read(path: &Place) -> Result<Self> {
        let text = path.read().map_err(failed(path.display()))?;
        Self::from_json(&text).map_err(failed(path.display()))
    }

    /// As [`Self::read`]; `None` if there is no plan that this version can follow.
    ///
    /// # Errors
    /// `Error::Failed` if it cannot be read.
    pub fn find(path: &Place) -> Result<Option<Self>> {
        match path.read() {
            Ok(text) => Ok(Self::from_json(&text).ok()),
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(failed(path.display())(e)),
        }
    }

    /// The plan in the text of a file; see [`Self::read`].
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let plan: Self = serde_json::from_slice(text).map_err(failed("is not a plan"))?;
        if plan.version != PLAN_VERSION {
            return Err(Error::Failed(format!(
                "is a plan of version {}, but this program needs version {PLAN_VERSION}",
                plan.version
            )));
        }
        if plan.is_consistent() { Ok(plan) } else { Err(Error::Failed("its numbers contradict each other".into())) }
    }

    /// Whether workers can follow the plan without dividing by zero, overflowing, or looking outside the headers.
    fn is_consistent(&self) -> bool {
        const MOST: u128 = 1 << 62;
        let (array, headers, n) = (self.traces(), &self.headers, self.n_traces());
        let mut next = 0;
        let in_order = self.files.iter().all(|f| {
            let end = f.first_trace.checked_add(f.n_traces());
            let follows = f.first_trace == next;
            next = end.unwrap_or(0);
            // What workers take from the first file must hold for all of them.
            let fits = f.layout.format_code == self.layout().format_code
                && f.layout.header_bytes() == headers.header_bytes as usize
                && f.is_consistent();
            follows && end.is_some() && fits
        });
        let n_samples = self.files.iter().map(|f| u64::from(f.n_samples())).max();
        let n_bytes: u128 = self.files.iter().map(|f| u128::from(f.input.bytes)).sum();
        if n_samples != Some(array.n_samples) || !in_order || next != n || n_bytes >= MOST {
            return false;
        }
        if self.target.grid().is_some_and(|grid| !grid.is_consistent()) {
            return false;
        }
        if !array.is_consistent() || headers.row_group_rows == 0 || self.threads > MAX_THREADS {
            return false;
        }
        let samples = u128::from(array.n_samples) * array.dtype.size() as u128;
        let row = 16 * (u128::from(headers.header_bytes) + headers.columns.len() as u128);
        let columns = headers.columns.iter().flat_map(|c| fields_of(c.first_byte, c.kind, c.scalar));
        // Computed keys have no bytes of their own, only those of their inputs.
        let keys = self.gather_keys.iter().filter(|k| !k.is_computed()).map(|k| (k.first_byte, k.kind));
        let formulas = headers.computed.iter().chain(self.gather_keys.iter().filter_map(|k| k.formula.as_ref()));
        let inputs = formulas.flat_map(|f| &f.inputs).flat_map(|i| fields_of(i.first_byte, i.kind, i.scalar));
        (samples + row) * u128::from(n) < MOST
            && u128::from(headers.row_group_rows) < MOST
            && headers.holds(columns.chain(keys).chain(inputs).chain(headers.derived_places()))
            && self.segments.iter().all(|s| s.start_trace <= s.end_trace && s.end_trace <= n)
    }

    /// Traces in all files.
    pub fn n_traces(&self) -> u64 {
        self.traces().n_traces
    }

    /// The layout of the first file. Format, byte order, sample interval and trace headers are the same in all of them.
    pub fn layout(&self) -> &Layout {
        &self.files[0].layout
    }

    /// Bytes of all input files.
    pub fn input_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.input.bytes).sum()
    }

    /// The input's name in messages: `a.sgy`, or `a.sgy and 3 more files`.
    pub fn input_name(&self) -> String {
        let first = self.files[0].input.path.display();
        match self.files.len() {
            1 => first.to_string(),
            2 => format!("{first} and one more file"),
            n => format!("{first} and {} more files", n - 1),
        }
    }

    /// The bytes of the input files that are read for the dataset.
    pub fn bytes_taken(&self) -> u64 {
        self.files.iter().map(PlannedFile::bytes_taken).sum()
    }

    /// A warning about the input, with its name.
    pub fn about(&self, warning: &str) -> String {
        format!("{}: {warning}", self.input_name())
    }

    /// All warnings to show before the work begins, with the name of the file.
    pub fn all_warnings(&self) -> Vec<String> {
        // With several files their own warnings have it already.
        let n_named = if self.files.len() > 1 { self.n_file_warnings() } else { 0 };
        let (named, others) = self.warnings.split_at(n_named.min(self.warnings.len()));
        let others = others.iter().chain(&self.segment_warnings).map(|warning| self.about(warning));
        named.iter().cloned().chain(others).collect()
    }

    /// The warnings about single files, which come first.
    pub fn n_file_warnings(&self) -> usize {
        self.files.iter().map(|f| f.layout.warnings.len()).sum()
    }

    /// Whether both plans give the same output from the same input, however it is cut into segments.
    pub fn makes_the_same_as(&self, other: &Self) -> bool {
        self.version == other.version
            && self.files == other.files
            && self.part == other.part
            && self.gather_keys == other.gather_keys
            && self.max_probe == other.max_probe
            && self.target == other.target
            && self.coordinates == other.coordinates
            && self.headers_only == other.headers_only
            && self.headers == other.headers
            && self.placed_fields == other.placed_fields
    }

    /// The array of all traces in file order.
    pub fn traces(&self) -> &ArrayPlan {
        self.target.traces()
    }

    /// The names of what the dataset can consist of.
    pub fn parts(&self) -> Vec<String> {
        let arrays = self.coordinates.iter().map(|coordinate| coordinate.name.clone());
        let named = NAMED_OUTPUTS.map(str::to_owned);
        let of_grid = self.target.grid().map(Grid::parts).unwrap_or_default();
        named.into_iter().chain([self.traces().name.clone()]).chain(arrays).chain(of_grid).collect()
    }

    /// The header table, by its path in the dataset.
    pub(crate) fn header_table(&self) -> String {
        if self.target.grid().is_some() { format!("{TABLES}/{HEADERS}") } else { HEADERS.into() }
    }

    /// The numbers of the files of the header table that a segment writes, if it is a directory of parts.
    pub(crate) fn header_parts_of(&self, segment: &Segment) -> Range<u64> {
        let (rows, part_rows) = (self.rows_of(segment), self.headers.row_group_rows);
        if rows.is_empty() || !self.headers.in_parts {
            return 0..0;
        }
        rows.start / part_rows..rows.end.div_ceil(part_rows)
    }

    /// Chunk or shard files in the output.
    pub fn n_objects(&self) -> u64 {
        if self.headers_only { 0 } else { self.target.n_objects() }
    }

    /// The units of the target that a segment writes.
    pub fn units_of(&self, segment: &Segment) -> Range<u64> {
        match &self.target {
            _ if self.headers_only => 0..0,
            Target::Traces(array) => owned(segment, array.traces_per_object()),
            Target::Grid(grid) => {
                let n_rows = |segment| {
                    let rows = self.rows_of(segment);
                    rows.end - rows.start
                };
                self.dealt.units_of(segment.id as usize, grid, || self.segments.iter().map(n_rows).collect())
            }
        }
    }

    /// The traces in a segment's units.
    pub fn traces_of(&self, segment: &Segment) -> Range<u64> {
        if self.headers_only { 0..0 } else { self.target.traces_of(segment) }
    }

    /// The traces in the row groups that a segment writes: those whose first row it owns.
    pub fn rows_of(&self, segment: &Segment) -> Range<u64> {
        let rows = self.headers.row_group_rows;
        traces_in(owned(segment, rows), rows, self.n_traces())
    }

    /// Values in a chunk of a coordinate: those of a row group, whose worker writes it.
    pub(crate) fn coordinate_rows(&self) -> u64 {
        self.headers.row_group_rows.min(self.n_traces())
    }

    /// Bytes of samples in the output before compression.
    pub fn sample_bytes(&self) -> u64 {
        if self.headers_only {
            return 0;
        }
        self.traces().n_samples * self.traces().n_traces * self.traces().dtype.size() as u64
    }

    /// An upper bound for the memory of one worker's buffers, in bytes.
    pub fn worker_bytes(&self) -> u64 {
        if let Some(grid) = self.target.grid() {
            return grid.worker_bytes()
                + 2 * u64::from(self.headers.header_bytes) * self.headers.row_group_rows.min(self.n_traces());
        }
        let threads = if self.traces().n_sample_chunks() > 1 { u64::from(self.threads) } else { 1 };
        let chunk = if self.headers_only { 0 } else { self.traces().chunk_bytes() as u64 * threads };
        let encoded = if self.traces().codec.is_none() { 0 } else { chunk };
        let of_columns = 8 * self.headers.columns.len() as u64 / 4 + 8 * self.coordinates.len() as u64;
        let row = 2 * u64::from(self.headers.header_bytes) + of_columns;
        chunk + encoded + row * self.headers.row_group_rows.min(self.n_traces())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, generate};
    use crate::input::trace_map::{OpenMap, TakenTraces};
    use crate::plan::mapping::ComputedField;

    fn array(plan: &mut Plan) -> &mut ArrayPlan {
        match &mut plan.target {
            Target::Traces(array) => array,
            Target::Grid(grid) => &mut grid.traces,
        }
    }

    /// Of 12 traces of 5 samples of 4 bytes.
    fn small(directory: &tempfile::TempDir) -> Plan {
        let input = directory.path().join("in.sgy");
        let survey = GenerateConfig { n_traces: 12, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &crate::CancelHandle::new()).unwrap();
        let mut config = crate::ImportConfig::new(&input, directory.path().join("out"));
        config.gather = crate::plan::import_config::Gather::Keys(vec!["cdp".into()]);
        config.plan().unwrap()
    }

    #[test]
    fn the_buffers_of_a_worker_are_chunks_and_a_row_group() {
        let directory = tempfile::tempdir().unwrap();
        let mut plan = small(&directory);
        assert_eq!(plan.sample_bytes(), 12 * 5 * 4);
        (plan.headers.row_group_rows, plan.threads) = (10, 3);
        let rows = 10 * (2 * 240 + 2 * plan.headers.columns.len() as u64 + 8 * plan.coordinates.len() as u64);
        let codec = std::mem::replace(&mut array(&mut plan).codec, "none".parse().unwrap());
        assert_eq!(plan.worker_bytes(), 12 * 5 * 4 + rows);
        array(&mut plan).codec = codec;
        assert_eq!(plan.worker_bytes(), 2 * 12 * 5 * 4 + rows);
        // Cut along the samples, each thread has a chunk.
        array(&mut plan).chunk_samples = 2;
        assert_eq!(plan.worker_bytes(), 3 * 2 * 12 * 2 * 4 + rows);
        plan.headers.row_group_rows = 13;
        assert_eq!(plan.worker_bytes(), 3 * 2 * 12 * 2 * 4 + rows / 10 * 12);
        plan.headers_only = true;
        assert_eq!((plan.worker_bytes(), plan.sample_bytes()), (rows / 10 * 12, 0));
        let grid = crate::grid::Grid::of_no_keys();
        let of_grid = grid.worker_bytes();
        plan.target = Target::Grid(Box::new(grid));
        assert_eq!(plan.worker_bytes(), of_grid + 2 * 240 * 10);
    }

    #[test]
    fn several_files_are_called_by_the_first_and_how_many_more() {
        let directory = tempfile::tempdir().unwrap();
        let mut plan = small(&directory);
        let first = plan.files[0].input.path.display().to_string();
        for more in ["", " and one more file", " and 2 more files", " and 3 more files"] {
            assert_eq!(plan.input_name(), format!("{first}{more}"));
            assert_eq!(plan.about("odd"), format!("{first}{more}: odd"));
            plan.files.push(plan.files[0].clone());
        }
    }

    #[test]
    fn a_warning_about_one_of_several_files_has_its_name_already() {
        let directory = tempfile::tempdir().unwrap();
        let mut plan = small(&directory);
        plan.files[0].layout.warnings = vec!["odd".into()];
        (plan.warnings, plan.segment_warnings) = (vec!["odd".into(), "all".into()], vec!["cut".into()]);
        let name = plan.input_name();
        assert_eq!(plan.all_warnings(), ["odd", "all", "cut"].map(|warning| format!("{name}: {warning}")));
        plan.files.push(plan.files[0].clone());
        plan.files[1].layout.warnings.clear();
        let name = plan.input_name();
        assert_eq!(plan.all_warnings(), ["odd".into(), format!("{name}: all"), format!("{name}: cut")]);
    }

    #[test]
    fn plans_make_the_same_if_all_that_the_output_depends_on_is_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let plan = small(&directory);
        let changes: [fn(&mut Plan); 10] = [
            |p| p.version += 1,
            |p| p.files[0].input.bytes += 1,
            |p| p.files[0].samples = Some(1..5),
            |p| p.part = Some(PlannedPart { options: Vec::new(), n_traces: 24, n_samples: 5, first_sample: 0 }),
            |p| p.gather_keys.clear(),
            |p| p.max_probe += 1,
            |p| array(p).chunk_traces -= 1,
            |p| p.headers_only = true,
            |p| p.headers.row_group_rows -= 1,
            |p| {
                let (name, kind, by) = ("cdp".into(), "i32".into(), "--field".into());
                p.placed_fields.push(PlacedField { name, first_byte: 21, kind, by, description: None });
            },
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut other = plan.clone();
            change(&mut other);
            assert!(!plan.makes_the_same_as(&other) && !other.makes_the_same_as(&plan), "change {i}");
        }
        let mut other = plan.clone();
        (other.threads, other.is_for_others, other.io) = (7, true, Io::Pread);
        other.segments.clear();
        assert!(plan.makes_the_same_as(&other));
    }

    fn taken(n: u64, first: u64, n_in_map: u64) -> TakenTraces {
        TakenTraces { n, first, map_crc32c: 0, n_in_map, map: OpenMap::default() }
    }

    #[test]
    fn a_plan_whose_numbers_would_harm_a_worker_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("in.sgy");
        let survey = GenerateConfig { n_traces: 12, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &crate::CancelHandle::new()).unwrap();
        let mut config = crate::ImportConfig::new(&input, directory.path().join("out"));
        config.headers.computed =
            vec![ComputedField { name: "pair".into(), expression: "floor(cdp / 2) + source_x_scaled".into() }];
        config.gather = crate::plan::import_config::Gather::Keys(vec!["pair".into()]);
        let plan = config.plan().unwrap();
        let json = |plan: &Plan| serde_json::to_vec(plan).unwrap();
        assert_eq!(Plan::from_json(&json(&plan)).as_ref(), Ok(&plan));
        let changes: [fn(&mut Plan); 24] = [
            |p| p.version += 1,
            |p| array(p).chunk_traces = 0,
            |p| array(p).chunk_samples = u64::MAX,
            |p| array(p).shard_chunks = Some(0),
            |p| p.files[0].layout.n_traces = 1 << 63,
            |p| p.files.clear(),
            |p| p.files[0].samples = Some(1..6),
            |p| p.files[0].samples = Some(3..3),
            |p| p.files[0].taken = Some(taken(13, 0, 24)),
            |p| p.files[0].taken = Some(taken(12, 13, 24)),
            |p| p.headers.row_group_rows = 0,
            |p| p.headers.columns[0].first_byte = 0,
            |p| p.headers.columns[0].first_byte = 238,
            |p| p.segments[0].end_trace += 1,
            |p| p.headers.computed[0].inputs[0].first_byte = 238,
            |p| p.headers.computed[0].inputs[1].scalar = Some(240),
            |p| p.headers.computed[0].inputs[1].scalar = Some(0),
            |p| p.gather_keys[0].formula.as_mut().unwrap().inputs[0].first_byte = 0,
            |p| p.files[0].layout.n_samples += 1,
            |p| array(p).n_samples = 1 << 32,
            |p| p.files[0].layout.first_trace_offset = u64::MAX,
            |p| p.files[0].layout.label_bytes = 1,
            |p| p.files[0].layout.n_additional_headers += 1,
            |p| {
                let mut second = p.files[0].clone();
                (second.first_trace, second.layout.format_code) = (12, 3);
                p.files.push(second);
                (array(p).n_traces, array(p).chunk_traces) = (24, 12);
            },
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut harmful = plan.clone();
            change(&mut harmful);
            assert!(matches!(Plan::from_json(&json(&harmful)), Err(Error::Failed(_))), "change {i}");
        }
    }
}

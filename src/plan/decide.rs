//! Making a plan: reading headers of the input and deciding everything before the work begins.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, unreadable};
use crate::base::near_names::near_names;
use crate::base::system::mode;
use crate::gather::choice::{GatherChoice, choose};
use crate::gather::sample::Sample;
use crate::gather::{GatherKey, KeyReader, Keys};
use crate::input::PlannedFile;
use crate::input::traces::{Inputs, plan_files, warnings_of};
use crate::plan::coordinates::{self, check_name};
use crate::plan::import_config::{Coords, DtypeChoice, Gather, ImportConfig};
use crate::plan::make_grid::{Made, Scanner, Scratch, Survey};
use crate::plan::mapping::PlacedField;
use crate::plan::mapping::placed_columns::Columns;
use crate::plan::part::{PlannedPart, Taking};
use crate::plan::partition::{cuts_inside_gathers, partition};
use crate::plan::precision;
use crate::plan::target::{Dealt, Target};
use crate::plan::{MAX_THREADS, PLAN_VERSION, Plan};
use crate::segy::fields::{FieldKind, TRACE_FIELDS};
use crate::segy::layout::{Decision, InputFormat};
use crate::segy::lengths::ragged::Watch;
use crate::segy::samples::format::Converter;
use crate::segy::samples::restore::Restorer;
use crate::segy::{Access, Dtype, Layout, Ragged, SegyFile};
use crate::selection::Selection;
use crate::table::columns::RECORDING_TIME;
use crate::table::derived::{Degrees, RecordingTime};
use crate::table::info::{self, Placed, Units};
use crate::table::{Column, ENSEMBLE_ID_PLACE, HeaderTable, ensemble_info};
use crate::zarr::{ArrayPlan, AxisOrder, MAX_CHUNK_BYTES, MAX_SHARD_ENTRIES, ReadPattern, usual_name};

/// Target size of a large file's segments, small enough that an interrupted run loses little.
const SEGMENT_TARGET_BYTES: u64 = 1 << 30;

/// The array of the samples of a grid, unless the user names it.
const AMPLITUDE: &str = "amplitude";

/// The gather keys of a plan.
struct Gathers {
    keys: Vec<GatherKey>,
    decision: Decision,
    warning: Option<String>,
}

impl ImportConfig {
    /// Reads the headers of the input and decides everything. Creates nothing.
    ///
    /// # Errors
    /// `Error::Input` for a file that cannot be converted, `Error::Usage` for options that do not suit it.
    pub fn plan(&self) -> Result<Plan> {
        self.plan_watched(&|_| Ok(()), &CancelHandle::new())
    }

    /// Like [`Self::plan`], but stops soon after being cancelled: finding gathers, and following trace lengths with
    /// `--ragged pad`, may take a while. `watch` is told the progress of the latter.
    pub fn plan_watched(&self, watch: &Watch, cancel: &CancelHandle) -> Result<Plan> {
        self.plan_with(watch, None, cancel)
    }

    /// Like [`Self::plan_watched`]; the keys of a grid may be read by `scanner`.
    pub(crate) fn plan_with(
        &self,
        watch: &Watch,
        scanner: Option<&dyn Scanner>,
        cancel: &CancelHandle,
    ) -> Result<Plan> {
        let watch = |walked| cancel.check().and_then(|()| watch(walked));
        let mut files = plan_files(&self.inputs, self.io.unwatched(), &self.overrides, &watch)?;
        let Columns { table: headers, placed: placed_fields, decisions, warning } = self.columns_of_all(&files)?;
        let (part, left_out) = self.part(&mut files, &headers, &placed_fields, cancel)?;
        let n_traces = files.iter().map(PlannedFile::n_traces).sum();
        let row_group_rows = HeaderTable::default_row_group_rows(headers.header_bytes, n_traces);
        let file_index = files.len() > 1;
        let (in_parts, sample_flags) = (self.header_parts, !self.headers_only);
        let trace_in_file = headers.trace_in_file && part.is_some();
        let mut headers = HeaderTable { sample_flags, row_group_rows, file_index, in_parts, trace_in_file, ..headers };
        let Some(first) = files.first_mut() else {
            return Err(Error::Usage("there is no input file".into()));
        };
        first.layout.decisions.extend(decisions);
        first.layout.warnings.extend(warning);
        let layout = &files[0].layout;
        let mut traces = self.array(&files)?;
        if self.verify {
            holds_every_byte(layout, self.headers_only, headers.raw_header, traces.dtype)?;
        }
        if let Some(decibels) = self.precision {
            traces.precision = Some(precision::decide(decibels, &files, &traces, self.io, cancel)?);
        }
        let mut warnings = warnings_of(&files);
        let inputs = || Inputs::new(&files, self.io.unwatched(), Access::Headers);
        let asked = self.keys_asked(&headers)?;
        let sample = Sample::read(&mut inputs(), n_traces, &headers, &Keys::new(&asked, headers.byte_order)?)?;
        let Gathers { keys: gather_keys, decision: gather_decision, warning } =
            self.gathers(asked, &sample, layout.sorting_code, &headers)?;
        traces.name =
            self.variable.clone().unwrap_or_else(|| if self.grid.is_some() { AMPLITUDE.into() } else { usual_name() });
        if self.variable.is_some() {
            check_name("--variable", &traces.name, &[])?;
        }
        let variable = traces.name.clone();
        let (target, scratch, of_grid) = self.target(&files, &mut headers, traces, scanner, cancel)?;
        let mut headers = with_derived(headers, layout, &sample, &placed_fields);
        // Only the merge knows it, which does not write parts again.
        if !gather_keys.is_empty() && !headers.in_parts {
            headers.info.insert(ENSEMBLE_ID_PLACE, ensemble_info());
        }
        let coordinates = match self.grid.is_none() && !self.headers_only {
            true => coordinates::choose(&self.coords, &gather_keys, &headers, &variable)?,
            false => Vec::new(),
        };
        warnings.extend(left_out.into_iter().chain(warning).chain(of_grid));
        let mut key_reader = KeyReader::new(inputs(), layout, &gather_keys)?;
        let mut key_of = |trace| cancel.check().and_then(|()| key_reader.read(trace));
        let key_of: Option<&mut dyn FnMut(u64) -> _> = if gather_keys.is_empty() { None } else { Some(&mut key_of) };
        let n_traces = target.traces().n_traces;
        let segments = partition(n_traces, self.n_segments(&files, &target), self.max_probe, key_of)?;
        let segment_warnings = cuts_inside_gathers(&segments, self.max_probe).into_iter().collect();
        Ok(Plan {
            version: PLAN_VERSION,
            files,
            part,
            io: self.io,
            file_mode: self.file_mode()?,
            gather_keys,
            gather_decision,
            max_probe: self.max_probe,
            target,
            coordinates,
            headers_only: self.headers_only,
            headers,
            placed_fields,
            threads: self.n_workers().div_ceil(segments.len().max(1)).min(MAX_THREADS as usize) as u32,
            segments,
            segments_asked: self.segments,
            merge: self.merge_options(),
            is_for_others: false,
            warnings,
            segment_warnings,
            scratch,
            dealt: Dealt::default(),
        })
    }

    /// Takes what is wanted of the files, if that is not all. Returns what to say of it as well.
    fn part(
        &self,
        files: &mut Vec<PlannedFile>,
        headers: &HeaderTable,
        placed: &[PlacedField],
        cancel: &CancelHandle,
    ) -> Result<(Option<PlannedPart>, Vec<String>)> {
        let Some(first) = files.first().filter(|_| self.selection != Selection::default()) else {
            return Ok((None, Vec::new()));
        };
        if self.overrides.ragged == Ragged::Pad {
            let what = "a part of the traces or samples can be taken of traces of one length; leave out --ragged pad, or \
                        import all of them and export the part";
            return Err(Error::Usage(what.into()));
        }
        let layout = first.layout.clone();
        let n_traces = files.iter().map(|f| f.layout.n_traces).sum();
        let mut inputs = Inputs::new(files, self.io.unwatched(), Access::Headers);
        let sample = Sample::read(&mut inputs, n_traces, headers, &Keys::new(&[], headers.byte_order)?)?;
        let headers = with_derived(headers.clone(), &layout, &sample, placed);
        let taking = Taking { selection: &self.selection, headers: &headers, io: self.io.unwatched() };
        taking.take(files, cancel)
    }

    /// Permissions of the dataset's files, before the umask: readable only for those who may read every input.
    pub(crate) fn file_mode(&self) -> Result<u32> {
        let local = self.inputs.iter().filter(|input| !crate::store::is_remote(input));
        let modes = local.map(|input| {
            let metadata = std::fs::metadata(input).map_err(|e| unreadable(input, &e))?;
            Ok(mode(&metadata))
        });
        Ok(modes.collect::<Result<Vec<u32>>>()?.into_iter().fold(0o666, |all, mode| all & mode) | 0o600)
    }

    /// What the samples become, what else planning it found, and warnings.
    fn target(
        &self,
        files: &[PlannedFile],
        headers: &mut HeaderTable,
        traces: ArrayPlan,
        scanner: Option<&dyn Scanner>,
        cancel: &CancelHandle,
    ) -> Result<(Target, Scratch, Vec<String>)> {
        let Some(options) = &self.grid else {
            return Ok((Target::Traces(traces), Scratch::default(), Vec::new()));
        };
        if self.headers_only {
            return Err(Error::Usage("--grid places samples, and --headers-only leaves them out; choose one".into()));
        }
        if let Some(option) = self.option_for_file_order() {
            return Err(Error::Usage(format!(
                "{option} is for traces in file order; with --grid, --brick says how the array is cut"
            )));
        }
        if matches!(self.coords, Coords::Fields(_)) {
            let what = "--coords is for traces in file order; a grid has its axes and the coordinates of its places";
            return Err(Error::Usage(what.into()));
        }
        let survey = Survey { files, io: self.io.unwatched(), headers, traces, scanner };
        let Made { grid, scratch, warnings } = survey.grid(options, cancel)?;
        headers.grid_keys = grid.keys.iter().map(|key| key.name.clone()).collect();
        headers.check()?;
        Ok((Target::Grid(Box::new(grid)), Scratch(Some(Arc::new(scratch))), warnings))
    }

    /// An option that says how an array in file order is cut.
    fn option_for_file_order(&self) -> Option<&'static str> {
        let options = [
            ("--chunk-traces", self.chunk_traces.is_some()),
            ("--chunk-samples", self.chunk_samples.is_some()),
            ("--access", self.reads != ReadPattern::default()),
            ("--order", self.order != AxisOrder::default()),
        ];
        options.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }

    fn n_segments(&self, files: &[PlannedFile], target: &Target) -> u32 {
        let traces = target.traces();
        let (threshold_traces, threshold_bytes) = self.parallel_threshold;
        let input_bytes: u64 = files.iter().map(PlannedFile::bytes_taken).sum();
        let small = traces.n_traces <= threshold_traces && input_bytes <= threshold_bytes;
        let wanted = match self.segments {
            Some(n) => u64::from(n),
            None if small => 1,
            None => {
                let workers = self.n_workers() as u64;
                let by_size = input_bytes.div_ceil(SEGMENT_TARGET_BYTES);
                by_size.next_multiple_of(workers).max(workers)
            }
        };
        // A segment without an object of its own would have nothing to write.
        wanted.clamp(1, target.n_units().clamp(1, 100_000)) as u32
    }

    /// The columns of `headers.parquet`.
    pub(crate) fn columns(&self, file: &SegyFile, layout: &Layout) -> Result<Columns> {
        let is_of_traces = self.selection.is_of_traces();
        let marks = [self.inputs.len() > 1, self.overrides.ragged == Ragged::Pad, is_of_traces];
        Columns::new(&self.headers, self.raw_header, marks, file, layout)
    }

    /// The columns for all files, which must agree: one file may bring a header mapping that another lacks.
    fn columns_of_all(&self, files: &[PlannedFile]) -> Result<Columns> {
        let mut inputs = Inputs::new(files, self.io.unwatched(), Access::Headers);
        let mut of_first: Option<Columns> = None;
        for (i, planned) in files.iter().enumerate() {
            let columns = self.columns(&*inputs.file(i)?, &planned.layout)?;
            match &of_first {
                None => of_first = Some(columns),
                Some(first) if first.table == columns.table => {}
                Some(first) => {
                    let difference = columns.table.difference(&first.table);
                    return Err(Error::Input(format!(
                        "{}: does not fit {}: {difference}; import them separately",
                        planned.input.path.display(),
                        files[0].input.path.display()
                    )));
                }
            }
        }
        of_first.ok_or_else(|| Error::Usage("there is no input file".into()))
    }

    /// The gather keys that were asked for.
    fn keys_asked(&self, headers: &HeaderTable) -> Result<Vec<GatherKey>> {
        match &self.gather {
            Gather::Keys(names) => gather_keys(names, &self.place_of_keys(names), headers),
            Gather::Auto | Gather::None => Ok(Vec::new()),
        }
    }

    /// The gather keys: those asked for, or what the headers show.
    fn gathers(
        &self,
        asked: Vec<GatherKey>,
        sample: &Sample,
        sorting_code: Option<i16>,
        headers: &HeaderTable,
    ) -> Result<Gathers> {
        let decision = |value: String, because: String| Decision { what: "gather key".into(), value, because };
        match &self.gather {
            Gather::None => {
                let decision = decision("none".into(), "option --gather".into());
                Ok(Gathers { keys: Vec::new(), decision, warning: None })
            }
            Gather::Keys(names) => {
                let warning = unhelpful_key_warning(sample, &asked, &choose(sample, sorting_code));
                let at = self.place_of_keys(names);
                let by = if at == "--gather" { "option --gather" } else { "option --mapping" };
                let names: Vec<&str> = asked.iter().map(|k| k.name.as_str()).collect();
                Ok(Gathers { decision: decision(names.join(","), by.into()), keys: asked, warning })
            }
            Gather::Auto => {
                let choice = choose(sample, sorting_code);
                let keys = gather_keys(&choice.keys, "--gather", headers)?;
                Ok(Gathers { keys, decision: decision(choice.option(), choice.because), warning: None })
            }
        }
    }

    /// The gathers that an import without `--gather` makes, for `inspect`.
    pub(crate) fn gather_choice(&self, files: &[PlannedFile], headers: &HeaderTable) -> Result<GatherChoice> {
        let mut inputs = Inputs::new(files, self.io.unwatched(), Access::Headers);
        let n_traces = files.iter().map(|f| f.layout.n_traces).sum();
        let sample = Sample::read(&mut inputs, n_traces, headers, &Keys::new(&[], headers.byte_order)?)?;
        Ok(choose(&sample, files.first().and_then(|f| f.layout.sorting_code)))
    }

    /// Where these keys were asked for: those that came from the mapping file must be corrected there.
    fn place_of_keys(&self, names: &[String]) -> String {
        let mapping = self.headers.mapping.as_ref().filter(|m| m.ensemble_keys == *names);
        mapping.map_or("--gather".into(), |m| format!("--mapping {}: ensemble_keys:", m.path.display()))
    }

    pub(super) fn array(&self, files: &[PlannedFile]) -> Result<ArrayPlan> {
        let (layout, n_traces) = (&files[0].layout, files.iter().map(PlannedFile::n_traces).sum());
        let n_samples = files.iter().map(PlannedFile::n_samples).max().unwrap_or(0);
        let native = layout.format().native;
        let dtype = match self.dtype {
            DtypeChoice::Native => native,
            DtypeChoice::Float32 => Dtype::Float32,
        };
        if Converter::new(layout.format(), layout.sample_byte_order(), dtype).is_none() {
            return Err(Error::Usage(format!(
                "{} samples cannot be written as {}",
                layout.format().name,
                dtype.name()
            )));
        }
        if !self.codec.takes(dtype) {
            return Err(Error::Usage(format!("--codec {}: does not take {} samples", self.codec, dtype.name())));
        }
        let mut array = ArrayPlan::for_reads(u64::from(n_samples), n_traces, dtype, self.reads);
        if let Some(n) = self.chunk_samples {
            array = array.cut(n);
        }
        if let Some(n) = self.chunk_traces {
            array.chunk_traces = n;
        }
        // Chunks are padded to full size, so keep them no longer than the file.
        array.chunk_traces = array.chunk_traces.min(n_traces);
        let chunk = u128::from(array.chunk_traces) * u128::from(array.chunk_samples) * dtype.size() as u128;
        if chunk > u128::from(MAX_CHUNK_BYTES) {
            return Err(Error::Usage(format!(
                "--chunk-traces {}: with {} samples of each, a chunk would have {chunk} bytes; chunks of up to {MAX_CHUNK_BYTES} bytes can be written",
                array.chunk_traces, array.chunk_samples
            )));
        }
        array.codec = self.codec.clone();
        array.order = self.order;
        array.shard_chunks = self.shard_chunks.map(|n| n.min(array.n_trace_chunks()));
        let in_shard = u128::from(array.chunks_per_object()) * u128::from(array.n_sample_chunks());
        if in_shard > u128::from(MAX_SHARD_ENTRIES) {
            return Err(Error::Usage(format!(
                "--shard {}: a shard would hold {in_shard} chunks, cut along the samples too; it can hold {MAX_SHARD_ENTRIES}",
                array.chunks_per_object()
            )));
        }
        Ok(array)
    }
}

/// Adds the columns that are derived from several fields, and what is known of each column.
fn with_derived(headers: HeaderTable, layout: &Layout, sample: &Sample, placed: &[PlacedField]) -> HeaderTable {
    /// Time basis codes for GMT and UTC.
    const UTC: [Option<i64>; 2] = [Some(2), Some(4)];
    let names: HashSet<String> = headers.leaves().map(|(name, _)| name).collect();
    let milliseconds = match layout.kind {
        InputFormat::Passcal => Some((207, FieldKind::I16)),
        _ => sample.milliseconds(),
    };
    let is_utc = UTC.contains(&sample.only_value("time_basis_code"));
    let time = RecordingTime::new(&headers.columns, milliseconds, is_utc);
    let has_angles = sample.any("coordinate_unit", |unit| matches!(unit, 2..=4));
    let degrees = Degrees::of_columns(&headers.columns, |name| has_angles && sample.any(name, |value| value != 0));
    let table = HeaderTable {
        recording_time: time.filter(|_| !names.contains(RECORDING_TIME)),
        degrees: degrees.into_iter().filter(|d| !names.contains(&d.name)).collect(),
        ..headers
    };
    let placed: Vec<Placed> =
        placed.iter().map(|p| (p.name.as_str(), p.by.as_str(), p.description.as_deref())).collect();
    let info = info::of_table(&table, layout, &placed, &Units::new(layout, sample.only_value("coordinate_unit")));
    HeaderTable { info, ..table }
}

/// The keys of these names. `at` is where they were asked for, for messages.
fn gather_keys(names: &[String], at: &str, headers: &HeaderTable) -> Result<Vec<GatherKey>> {
    let mut keys: Vec<GatherKey> = Vec::new();
    for name in names {
        let computed = headers.computed.iter().find(|c| c.name.eq_ignore_ascii_case(name));
        let key = match computed {
            Some(c) => {
                GatherKey { name: c.name.clone(), first_byte: 0, kind: FieldKind::F64, formula: Some(c.clone()) }
            }
            None => {
                let c = find_column(headers, name, at)?;
                GatherKey { name: c.name.clone(), first_byte: c.first_byte, kind: c.kind, formula: None }
            }
        };
        if !key.kind.is_integer() && !key.is_computed() {
            return Err(Error::Usage(format!("{at} {name}: is not a whole number, so it cannot be a gather key")));
        }
        if keys.iter().any(|k| k.name == key.name) {
            return Err(Error::Usage(format!("{at} names {} twice", key.name)));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// The column of this name or alias. `at` is where it was requested, for messages.
fn find_column<'a>(headers: &'a HeaderTable, name: &str, at: &str) -> Result<&'a Column> {
    let exact = headers.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name));
    let alias = || {
        let field = TRACE_FIELDS.iter().find(|f| f.is_called(name))?;
        headers.columns.iter().find(|c| c.name == field.name)
    };
    exact.or_else(alias).ok_or_else(|| {
        let near = near_names(
            name,
            headers.columns.iter().map(|c| c.name.as_str()).chain(headers.computed.iter().map(|c| c.name.as_str())),
        );
        Error::Usage(format!("{at} {name}: is not a trace header field; {near}"))
    })
}

/// Warns of keys that make everything one gather, or every trace its own, and names keys that would make gathers.
fn unhelpful_key_warning(sample: &Sample, keys: &[GatherKey], better: &GatherChoice) -> Option<String> {
    if keys.is_empty() || sample.n_read < 2 {
        return None;
    }
    let names: Vec<&str> = keys.iter().map(|k| k.name.as_str()).collect();
    let (names, is_one) = (names.join(","), keys.len() == 1);
    let (noun, verb, changes) = if is_one { ("key", "is", "changes") } else { ("keys", "are", "change") };
    let n = sample.n_read;
    let what = if sample.has_one_key() {
        format!("the gather {noun} {names} {verb} the same in all {n} trace headers looked at")
    } else if sample.has_single_traces() {
        format!("the gather {noun} {names} {changes} from trace to trace, so that each trace is a gather of its own")
    } else {
        return None;
    };
    // Where nothing makes better gathers, the key asked for is as good as any.
    (better.option() != names).then(|| format!("{what}; --gather {} ({})", better.option(), better.because))
}

/// Refuses to verify a dataset that will not hold every byte of its file.
///
/// # Errors
/// `Error::Usage`, naming the option that leaves something out.
pub(crate) fn can_be_verified(plan: &Plan) -> Result<()> {
    holds_every_byte(plan.layout(), plan.headers_only, plan.headers.raw_header, plan.traces().dtype)
}

fn holds_every_byte(layout: &Layout, headers_only: bool, raw_header: bool, dtype: Dtype) -> Result<()> {
    let missing = if headers_only {
        "--headers-only, as the dataset would not hold the samples"
    } else if !raw_header {
        "--no-raw-header, as the dataset would not hold every byte of the headers"
    } else if Restorer::new(layout.format(), layout.sample_byte_order(), dtype).is_none() {
        "--dtype float32, which does not hold every value of these samples"
    } else {
        return Ok(());
    };
    Err(Error::Usage(format!("--verify cannot be combined with {missing}")))
}

#[cfg(test)]
mod tests;

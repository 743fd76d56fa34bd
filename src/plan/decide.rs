//! Making a plan: reading headers of the input and deciding everything before the work begins.

use std::sync::Arc;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, unreadable};
use crate::base::near_names::near_names;
use crate::gather::{GatherKey, KeyReader};
use crate::input::PlannedFile;
use crate::input::traces::{Inputs, plan_files, warnings_of};
use crate::plan::import_config::{DtypeChoice, Gather, ImportConfig};
use crate::plan::make_grid::{Scratch, Survey};
use crate::plan::mapping::placed_columns::Columns;
use crate::plan::partition::{cuts_inside_gathers, partition};
use crate::plan::precision;
use crate::plan::target::Target;
use crate::plan::{MAX_THREADS, PLAN_VERSION, Plan};
use crate::segy::fields::{FieldKind, TRACE_FIELDS};
use crate::segy::lengths::ragged::Watch;
use crate::segy::samples::format::Converter;
use crate::segy::samples::restore::Restorer;
use crate::segy::{Access, Dtype, Layout, Ragged, SegyFile};
use crate::table::{Column, HeaderTable, read_integer};
use crate::zarr::{ArrayPlan, MAX_CHUNK_BYTES, MAX_SHARD_ENTRIES};

/// Target size of a large file's segments, small enough that an interrupted run loses little.
const SEGMENT_TARGET_BYTES: u64 = 1 << 30;
/// Headers looked at to see whether a gather key changes at all.
const SAMPLED_HEADERS: u64 = 200;
/// How many of those to request at the same time from an object store.
const HEADERS_AHEAD: u64 = 16;

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
        let watch = |walked| cancel.check().and_then(|()| watch(walked));
        let mut files = plan_files(&self.inputs, self.io.unwatched(), &self.overrides, &watch)?;
        let Columns { table: headers, placed: placed_fields, decision, warning } = self.columns_of_all(&files)?;
        let n_traces = files.iter().map(|f| f.layout.n_traces).sum();
        let row_group_rows = HeaderTable::default_row_group_rows(headers.header_bytes, n_traces);
        let mut headers = HeaderTable { sample_flags: !self.headers_only, row_group_rows, ..headers };
        let Some(first) = files.first_mut() else {
            return Err(Error::Usage("there is no input file".into()));
        };
        first.layout.decisions.extend(decision);
        first.layout.warnings.extend(warning);
        let layout = &files[0].layout;
        let gather_keys = self.gather_keys(&headers)?;
        let mut traces = self.array(&files)?;
        if let Some(decibels) = self.precision {
            traces.precision = Some(precision::decide(decibels, &files, &traces, self.io, cancel)?);
        }
        let mut warnings = warnings_of(&files);
        let inputs = || Inputs::new(&files, self.io.unwatched(), Access::Headers);
        let mut key_reader = KeyReader::new(inputs(), layout, &gather_keys)?;
        warnings.extend(constant_key_warning(&mut inputs(), &mut key_reader, traces.n_traces, &headers, &gather_keys)?);

        let mut key_of = |trace| cancel.check().and_then(|()| key_reader.read(trace));
        let key_of: Option<&mut dyn FnMut(u64) -> _> = if gather_keys.is_empty() { None } else { Some(&mut key_of) };
        let (target, scratch) = self.target(&files, &mut headers, traces, cancel)?;
        let n_traces = target.traces().n_traces;
        let segments = partition(n_traces, self.n_segments(&files, &target), self.max_probe, key_of)?;
        let segment_warnings = cuts_inside_gathers(&segments, self.max_probe).into_iter().collect();
        let plan = Plan {
            version: PLAN_VERSION,
            files,
            io: self.io,
            file_mode: self.file_mode()?,
            gather_keys,
            max_probe: self.max_probe,
            target,
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
        };
        if self.verify { can_be_verified(&plan).map(|()| plan) } else { Ok(plan) }
    }

    /// Permissions of the dataset's files, before the umask: readable only for those who may read every input.
    fn file_mode(&self) -> Result<u32> {
        use std::os::unix::fs::PermissionsExt;
        let local = self.inputs.iter().filter(|input| !crate::store::is_remote(input));
        let modes = local.map(|input| {
            let metadata = std::fs::metadata(input).map_err(|e| unreadable(input, &e))?;
            Ok(metadata.permissions().mode())
        });
        Ok(modes.collect::<Result<Vec<u32>>>()?.into_iter().fold(0o666, |all, mode| all & mode) | 0o600)
    }

    /// What the samples become, and what planning it found out besides.
    fn target(
        &self,
        files: &[PlannedFile],
        headers: &mut HeaderTable,
        traces: ArrayPlan,
        cancel: &CancelHandle,
    ) -> Result<(Target, Scratch)> {
        let Some(options) = &self.grid else { return Ok((Target::Traces(traces), Scratch::default())) };
        if self.headers_only {
            return Err(Error::Usage("--grid places samples, and --headers-only leaves them out; choose one".into()));
        }
        let survey = Survey { files, io: self.io.unwatched(), headers, traces };
        let (grid, scratch) = survey.grid(options, cancel)?;
        headers.grid_keys = grid.keys.iter().map(|key| key.name.clone()).collect();
        headers.check()?;
        Ok((Target::Grid(Box::new(grid)), Scratch(Some(Arc::new(scratch)))))
    }

    fn n_segments(&self, files: &[PlannedFile], target: &Target) -> u32 {
        let traces = target.traces();
        let (threshold_traces, threshold_bytes) = self.parallel_threshold;
        let input_bytes: u64 = files.iter().map(|f| f.input.bytes).sum();
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
        let marks = [self.inputs.len() > 1, self.overrides.ragged == Ragged::Pad];
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

    fn gather_keys(&self, headers: &HeaderTable) -> Result<Vec<GatherKey>> {
        let Gather::Keys(names) = &self.gather else { return Ok(Vec::new()) };
        // Keys that came from the mapping file must be corrected there.
        let mapping = self.headers.mapping.as_ref().filter(|m| m.ensemble_keys == *names);
        let at = mapping.map_or("--gather".into(), |m| format!("--mapping {}: ensemble_keys:", m.path.display()));
        let mut keys: Vec<GatherKey> = Vec::new();
        for name in names {
            let computed = headers.computed.iter().find(|c| c.name.eq_ignore_ascii_case(name));
            let key = match computed {
                Some(c) => {
                    GatherKey { name: c.name.clone(), first_byte: 0, kind: FieldKind::F64, formula: Some(c.clone()) }
                }
                None => {
                    let c = find_column(headers, name, &at)?;
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

    fn array(&self, files: &[PlannedFile]) -> Result<ArrayPlan> {
        let (layout, n_traces) = (&files[0].layout, files.iter().map(|f| f.layout.n_traces).sum());
        let n_samples = files.iter().map(|f| f.layout.n_samples).max().unwrap_or(0);
        let native = layout.format().native;
        let dtype = match self.dtype {
            DtypeChoice::Native => native,
            DtypeChoice::Float32 => Dtype::Float32,
        };
        if Converter::new(layout.format(), layout.byte_order, dtype).is_none() {
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

/// Looks at headers spread over the file: a key that is the same in all of them makes everything one gather.
fn constant_key_warning(
    inputs: &mut Inputs,
    key_reader: &mut KeyReader,
    n_traces: u64,
    headers: &HeaderTable,
    keys: &[GatherKey],
) -> Result<Option<String>> {
    const CANDIDATES: [&str; 7] =
        ["cdp", "field_record", "energy_source_point", "inline", "crossline", "shot_point", "trace_number_cdp"];
    let n = n_traces.min(SAMPLED_HEADERS);
    if keys.is_empty() || n < 2 {
        return Ok(None);
    }
    let mut buffer = Vec::new();
    let mut changes = vec![false; headers.columns.len()];
    let mut first = Vec::new();
    let first_key = key_reader.read(0)?;
    let trace = |i| (u128::from(n_traces - 1) * u128::from(i) / u128::from(n - 1)) as u64;
    for i in 0..n {
        if i % HEADERS_AHEAD == 1 {
            inputs.will_read_headers((i..(i + HEADERS_AHEAD).min(n)).map(trace))?;
        }
        let trace = trace(i);
        // The first value is the file number.
        if key_reader.read(trace)?[1..] != first_key[1..] {
            return Ok(None);
        }
        let place = inputs.stretch(trace, 1)?;
        let header = place.file.bytes(place.offset, headers.header_bytes as usize, &mut buffer)?;
        let integers = headers.columns.iter().map(|c| {
            if c.kind.is_integer() { read_integer(header, c.first_byte, c.kind, headers.byte_order) } else { 0 }
        });
        if first.is_empty() {
            first = integers.collect();
        } else {
            integers.zip(&first).zip(&mut changes).for_each(|((v, f), c)| *c |= v != *f);
        }
        place.file.release_around(place.offset);
    }
    let varies = |name: &str| headers.columns.iter().zip(&changes).any(|(c, changes)| c.name == name && *changes);
    let others: Vec<&str> = CANDIDATES.into_iter().filter(|c| varies(c)).collect();
    let names: Vec<&str> = keys.iter().map(|k| k.name.as_str()).collect();
    let (names, noun) = (names.join(", "), if keys.len() == 1 { "is" } else { "are" });
    let advice = match others.as_slice() {
        [] => "no other usual gather key changes either (--gather none)".to_owned(),
        others => format!("these change: {} (--gather)", others.join(", ")),
    };
    Ok(Some(format!("the gather key {names} {noun} the same in all {n} trace headers looked at; {advice}")))
}

/// Refuses to verify a dataset that will not hold every byte of its file.
///
/// # Errors
/// `Error::Usage`, naming the option that leaves something out.
pub fn can_be_verified(plan: &Plan) -> Result<()> {
    let layout = plan.layout();
    let missing = if plan.headers_only {
        "--headers-only, as the dataset would not hold the samples"
    } else if !plan.headers.raw_header {
        "--no-raw-header, as the dataset would not hold every byte of the headers"
    } else if Restorer::new(layout.format(), layout.byte_order, plan.traces().dtype).is_none() {
        "--dtype float32, which does not hold every value of these samples"
    } else {
        return Ok(());
    };
    Err(Error::Usage(format!("--verify cannot be combined with {missing}")))
}

//! Taking a part of the traces and samples: which they are is found out from the headers of all traces, before anything
//! else is decided.

use std::fs::File;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::near_names::near_names;
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::base::plural::count;
use crate::base::system::FileExt;
use crate::base::visible::visible_path;
use crate::input::PlannedFile;
use crate::input::trace_map::{BLOCK_BYTES, BLOCK_TRACES, OpenMap, TakenTraces, TraceMap};
use crate::input::traces::{Inputs, WINDOW_BYTES};
use crate::segy::fields::FieldKind;
use crate::segy::file::SPARSE_STRIDE_BYTES;
use crate::segy::{Access, Io};
use crate::selection::{Columns, Criteria, Selection};
use crate::store::checksum::crc32c_append;
use crate::table::columns::Source;
use crate::table::{ColumnNumbers, HeaderTable};

const MAP: &str = "a temporary file for the map of the traces";

/// What of the input files is imported, if not all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPart {
    /// The options that asked for it.
    pub options: Vec<String>,
    /// Traces of all input files.
    pub n_traces: u64,
    /// Samples of their traces.
    pub n_samples: u64,
    /// The first sample that is taken.
    pub first_sample: u64,
}

impl PlannedPart {
    /// What a dataset of so many traces and samples has of the files.
    pub(crate) fn said(&self, n_traces: u64, n_samples: u64) -> String {
        let (all, all_samples) = (self.n_traces, self.n_samples);
        format!(
            "a part, {n_traces} of {all} traces and {n_samples} of {all_samples} samples, which cannot give the whole back"
        )
    }
}

/// The headers of the input, of which a part is wanted.
pub(super) struct Taking<'a> {
    pub selection: &'a Selection,
    pub headers: &'a HeaderTable,
    pub io: Io,
}

impl Taking<'_> {
    /// Marks what is wanted of the files, and leaves out those of which no trace is. Returns what to say of that; no part if all is
    /// wanted.
    ///
    /// # Errors
    /// `Error::Usage` where nothing is wanted, for names that are not columns, and for files that can only be imported whole.
    pub(super) fn take(
        &self,
        files: &mut Vec<PlannedFile>,
        cancel: &CancelHandle,
    ) -> Result<(Option<PlannedPart>, Vec<String>)> {
        check_whole(files)?;
        let n_traces = files.iter().map(|file| file.layout.n_traces).sum();
        let n_samples = files.iter().map(|file| file.layout.n_samples).max().unwrap_or(0).into();
        let first_sample = self.take_samples(files, n_samples)?;
        let left_out =
            if self.selection.is_of_traces() { self.take_traces(files, n_traces, cancel)? } else { Vec::new() };
        let n_taken: u64 = files.iter().map(PlannedFile::n_traces).sum();
        if n_taken == n_traces && files.iter().all(|file| file.samples.is_none()) {
            files.iter_mut().for_each(|file| file.taken = None);
            return Ok((None, left_out));
        }
        let part = PlannedPart { options: self.selection.options(), n_traces, n_samples, first_sample };
        Ok((Some(part), left_out))
    }

    /// Returns the first of the samples that are taken.
    fn take_samples(&self, files: &mut [PlannedFile], n: u64) -> Result<u64> {
        let Some(first) = files.first() else { return Ok(0) };
        let samples = self.selection.samples(&first.layout.axis, n).map_err(|e| e.at(&name(first)))?;
        if samples == (0..n) {
            return Ok(0);
        }
        for file in files {
            file.layout.axis.start = file.layout.axis.value(samples.start);
            file.samples = Some(samples.start as u32..samples.end as u32);
        }
        Ok(samples.start)
    }

    fn take_traces(&self, files: &mut Vec<PlannedFile>, n_traces: u64, cancel: &CancelHandle) -> Result<Vec<String>> {
        let columns = HeadersOf { files, io: self.io, table: self.headers, numbers: ColumnNumbers::new(self.headers)? };
        let criteria = self.selection.criteria(&columns)?;
        let map = Arc::new(columns.map(&criteria, n_traces, cancel)?);
        let mut map_crc32c = 0;
        let sum = |bytes: &[u8]| {
            map_crc32c = crc32c_append(map_crc32c, bytes);
            Ok(())
        };
        map.each_block(sum).map_err(failed(MAP))?;
        let (mut first, mut next, mut left_out) = (0, 0, Vec::new());
        for file in files.iter_mut() {
            let end = first + file.layout.n_traces;
            let n = map.rank(end)? - map.rank(first)?;
            let map = OpenMap(Some(map.clone()));
            file.taken = Some(TakenTraces { n, first, map_crc32c, n_in_map: n_traces, map });
            file.first_trace = next;
            (first, next) = (end, next + n);
            if n == 0 {
                left_out.push(format!("{}: has none of the traces that are wanted, and is left out", name(file)));
            }
        }
        if next == 0 {
            let what = match files.as_slice() {
                [only] => name(only),
                several => format!("the {} files", several.len()),
            };
            return Err(Error::Usage(format!("{what}: the selection has none of the {}", count(n_traces, "trace"))));
        }
        files.retain(|file| file.n_traces() > 0);
        Ok(left_out)
    }
}

fn name(file: &PlannedFile) -> String {
    visible_path(&file.input.path)
}

/// Refuses a file that can only be given back whole.
fn check_whole(files: &[PlannedFile]) -> Result<()> {
    match files.iter().find(|file| file.layout.pairwise_swapped) {
        None => Ok(()),
        Some(file) => Err(Error::Usage(format!(
            "{}: has its bytes swapped in pairs, so it can only be imported whole",
            name(file)
        ))),
    }
}

/// The headers of all traces, column by column.
struct HeadersOf<'a> {
    files: &'a [PlannedFile],
    io: Io,
    table: &'a HeaderTable,
    numbers: ColumnNumbers,
}

impl Columns for HeadersOf<'_> {
    fn has(&self, name: &str) -> bool {
        self.numbers.names().any(|known| known == name) && self.other_than_numbers(name).is_none()
    }

    fn spelt(&self, name: &str) -> Option<String> {
        let mut alike = self.numbers.names().filter(|known| known.eq_ignore_ascii_case(name));
        let column = if self.has(name) { Some(name) } else { alike.find(|known| self.has(known)) };
        column.map(str::to_owned)
    }

    fn missing(&self, name: &str) -> Error {
        let of = self.files.first().map(self::name).unwrap_or_default();
        if ["is_zero", "is_duplicate"].contains(&name) {
            let what = "is known once the samples are read; import all of it, and export the part";
            return Error::Usage(format!("{of}: {name} {what}"));
        }
        if let Some(what) = self.other_than_numbers(name) {
            return Error::Usage(format!("{of}: the column {name} has {what}, not numbers; compare another one"));
        }
        Error::Usage(format!("{of}: has no column {name}; {}", near_names(name, self.numbers.names())))
    }

    fn are_used(&self, names: &[&str]) -> Result<bool> {
        let n_traces = self.files.last().map_or(0, PlannedFile::end_trace);
        let (mut reader, mut next) = (Reader::new(self), 0);
        while next < n_traces {
            let (batch, n) = reader.batch(names, next, n_traces)?;
            if batch.iter().flatten().any(|&value| value != 0.0) {
                return Ok(true);
            }
            next += n as u64;
        }
        Ok(false)
    }
}

impl HeadersOf<'_> {
    /// What a column has in place of numbers, by its name in any case; `None` for numbers, and for a column that is not there.
    fn other_than_numbers(&self, name: &str) -> Option<&'static str> {
        let (_, source) = self.table.leaves().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        match source {
            Source::Time(_) => Some("times"),
            Source::RawBytes { .. } => Some("bytes"),
            Source::Field { kind: FieldKind::Text(_), .. } => Some("text"),
            _ => None,
        }
    }

    /// The map of the traces that meet the criteria.
    fn map(&self, criteria: &Criteria, n_traces: u64, cancel: &CancelHandle) -> Result<TraceMap> {
        let file = tempfile::tempfile().map_err(failed(MAP))?;
        let names = criteria.names();
        let look = |reader: &mut Reader, block: u64, _: &Shared| {
            let (mut next, end) = (block * BLOCK_TRACES, ((block + 1) * BLOCK_TRACES).min(n_traces));
            let mut bits = vec![0; BLOCK_BYTES];
            while next < end {
                cancel.check()?;
                let (batch, n) = reader.batch(&names, next, end)?;
                criteria.each_wanted(&batch, n, |row| {
                    let bit = (next + row as u64) % BLOCK_TRACES;
                    bits[(bit / 8) as usize] |= 1 << (bit % 8);
                });
                next += n as u64;
            }
            file.write_all_at(&bits, block * BLOCK_BYTES as u64).map_err(failed(MAP))
        };
        let blocks = 0..n_traces.div_ceil(BLOCK_TRACES);
        for_each(n_threads(), blocks, cancel, &mut |_| {}, || Ok(Reader::new(self)), look)?;
        Ok(TraceMap::of_file(File::try_clone(&file).map_err(failed(MAP))?, n_traces))
    }
}

/// Reads headers of all traces; each thread has its own.
struct Reader<'a> {
    headers: &'a HeadersOf<'a>,
    inputs: Inputs<'a>,
    buffer: Vec<u8>,
    dense: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(headers: &'a HeadersOf<'a>) -> Self {
        let is_dense = headers.files.first().is_some_and(|file| file.layout.stride() <= SPARSE_STRIDE_BYTES);
        let access = if is_dense { Access::DenseHeaders } else { Access::Headers };
        let inputs = Inputs::new(headers.files, headers.io, access);
        Self { headers, inputs, buffer: Vec::new(), dense: Vec::new() }
    }

    /// Some columns of the next traces, and how many traces.
    fn batch(&mut self, names: &[&str], next: u64, end: u64) -> Result<(Vec<Vec<f64>>, usize)> {
        let window = self.inputs.stretch(next, (end - next) as usize)?;
        let n = window.n_traces.min((WINDOW_BYTES / window.stride).max(1));
        let header_bytes = self.headers.files.first().map_or(0, |file| file.layout.header_bytes());
        let (bytes, stride) = window.file.headers(window.offset, window.stride, header_bytes, n, &mut self.buffer)?;
        self.dense.clear();
        let rows = bytes.chunks(stride).take(n).filter_map(|trace| trace.get(..header_bytes));
        rows.for_each(|header| self.dense.extend_from_slice(header));
        let numbers = self.headers.numbers.numbers(names, &self.dense, next);
        window.file.release(window.offset, n * window.stride);
        Ok((numbers, n))
    }
}

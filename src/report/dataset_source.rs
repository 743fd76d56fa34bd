//! A dataset as the source of a report.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset::document::{Document, OutsideTraces};
use crate::dataset::{Dataset, HeaderColumns, HeaderTableFile, TraceSamples};
use crate::dataset_files::METADATA;
use crate::gather::choice::GatherChoice;
use crate::inspect::field_keys::Number;
use crate::inspect::field_table::FieldSummary;
use crate::inspect::file_headers::{BinaryField, FileHeaders, TextualHeader};
use crate::inspect::header_runs::{HeaderRun, HeaderRuns};
use crate::inspect::text_columns::grouped;
use crate::inspect::{Coverage, Report, gather_key, geometry};
use crate::picture::Section;
use crate::report::source::{Counts, OnSamples, OnTraces, Run, Shape, Source};
use crate::segy::Dtype;
use crate::segy::fields::{BINARY_FIELDS, FieldKind};
use crate::segy::samples::format::{ByteOrder, Converter, FORMATS};
use crate::table::{Column, HeaderTable, RAW_HEADER, write_number};

/// Chunks unpacked to see the amplitudes, at most.
const MOST_PLACES: u64 = 12;
/// Rows of columns that are read at a time.
const BLOCK_ROWS: u64 = 1 << 16;

/// An open dataset.
pub(super) struct DatasetSource {
    path: PathBuf,
    dataset: Dataset,
    document: Document,
    shape: Shape,
    samples: TraceSamples,
    /// The bytes of the headers, if they were kept.
    raw: Option<HeaderTableFile>,
    columns: HeaderColumns,
    converter: Converter,
}

impl DatasetSource {
    /// # Errors
    /// As [`Dataset::open`].
    pub(super) fn open(path: &Path) -> Result<Self> {
        let dataset = Dataset::open(path)?;
        let document = Document::read(&dataset.path(METADATA))?;
        let columns = HeaderColumns::open(&dataset)?;
        let raw = columns.has(RAW_HEADER).then(|| HeaderTableFile::open(&dataset)).transpose()?;
        let samples = TraceSamples::open(&dataset)?;
        let plan = &dataset.array;
        let shape = Shape {
            n_traces: plan.n_traces,
            n_samples: if dataset.headers_only { 0 } else { plan.n_samples as usize },
            axis: document.geometry.sample_axis.clone(),
            trace_bytes: dataset.header_bytes as u64 + plan.n_samples * plan.dtype.size() as u64,
            columns: fields(&dataset, &document),
            header_bytes: dataset.header_bytes,
            // Headers that are made of columns are big-endian.
            order: if raw.is_some() { dataset.byte_order } else { ByteOrder::Big },
            n_places: plan.n_trace_chunks().min(MOST_PLACES),
        };
        Ok(Self {
            path: path.to_owned(),
            converter: converter(plan.dtype)?,
            dataset,
            document,
            shape,
            samples,
            raw,
            columns,
        })
    }

    fn samples(&self, traces: &Range<u64>, samples: Range<u64>) -> Result<Vec<f32>> {
        let stored = self.samples.read(&self.dataset, traces, &samples)?;
        let mut values = vec![0; stored.len() / self.dataset.array.dtype.size() * 4];
        self.converter.clone().convert(&stored, &mut values);
        let finite = |v: f32| if v.is_finite() { v } else { f32::NAN };
        Ok(values.as_chunks().0.iter().map(|b| finite(f32::from_le_bytes(*b))).collect())
    }

    fn headers(&self, traces: &Range<u64>) -> Result<Vec<u8>> {
        let n = (traces.end - traces.start) as usize;
        let mut bytes = Vec::new();
        match &self.raw {
            Some(raw) => raw.rows(traces)?.next_rows(n, &mut bytes)?,
            None => bytes = self.made_of_columns(traces, n)?,
        }
        if self.dataset.pairwise_swapped && self.raw.is_some() {
            bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        Ok(bytes)
    }

    /// Header bytes put together from the columns.
    fn made_of_columns(&self, traces: &Range<u64>, n: usize) -> Result<Vec<u8>> {
        let width = self.shape.header_bytes;
        let names: Vec<&str> = self.shape.columns.iter().map(|c| c.name.as_str()).collect();
        let (mut bytes, mut row) = (vec![0; n * width], 0);
        self.columns.numbers(traces, &names, &mut |values| {
            let n_here = values.first().map_or(0, Vec::len);
            for (column, values) in self.shape.columns.iter().zip(values) {
                for (i, &value) in values.iter().enumerate() {
                    if let Some(header) = bytes.get_mut((row + i) * width..(row + i + 1) * width) {
                        write_number(header, column.first_byte, column.kind, ByteOrder::Big, value);
                    }
                }
            }
            row += n_here;
            Ok(())
        })?;
        Ok(bytes)
    }
}

/// From stored values to float32.
fn converter(dtype: Dtype) -> Result<Converter> {
    let is_plain = |f: &&crate::segy::samples::format::SampleFormat| {
        f.native == dtype && f.bytes == dtype.size() && f.words.is_none()
    };
    let format = FORMATS.iter().find(is_plain);
    let converter = format.and_then(|format| Converter::new(format, ByteOrder::Little, Dtype::Float32));
    converter.ok_or_else(|| Error::Failed(format!("{} samples cannot become float32", dtype.name())))
}

/// The fields of the headers: those of the standard, and those placed by options or mappings.
fn fields(dataset: &Dataset, document: &Document) -> Vec<Column> {
    let major = dataset.files.first().map_or(0, |f| f.major_revision);
    let mut columns = HeaderTable::standard_columns(dataset.input_format, major);
    for placed in &document.options.fields {
        let Ok(kind) = placed.kind.parse::<FieldKind>() else { continue };
        let (name, first_byte) = (placed.name.clone(), placed.first_byte);
        let scalar = columns.iter().find(|c| c.name == name).and_then(|c| c.scalar);
        columns.retain(|c| c.name != name);
        columns.push(Column { name, first_byte, kind, scalar, given_scalar: None });
    }
    columns.retain(|c| c.first_byte as usize - 1 + c.kind.size() <= dataset.header_bytes);
    columns.sort_by_key(|c| c.first_byte);
    columns
}

impl Source for DatasetSource {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn read(&mut self, traces: Range<u64>, n_samples: usize) -> Result<Run> {
        let values = if n_samples == 0 { Vec::new() } else { self.samples(&traces, 0..n_samples as u64)? };
        let headers = HeaderRun { first_trace: traces.start, bytes: self.headers(&traces)? };
        Ok(Run { headers, samples: Section { n_samples, values } })
    }

    fn about(&self, headers: &HeaderRuns) -> Result<Report> {
        let d = &self.document;
        let coverage = Coverage { headers_read: headers.n_headers(), n_traces: d.geometry.n_traces };
        let mut fields = headers.fields(coverage.is_whole());
        fields.iter_mut().for_each(|field| exact_range(field, d));
        let n_samples = u32::try_from(d.geometry.n_samples).map_err(failed(self.path.display()))?;
        let axis = &self.shape.axis;
        let of_files = || d.files.iter().flat_map(|f| f.warnings.iter().map(move |w| format!("{}: {w}", f.name)));
        let because = d.gathers.decision.as_ref().map_or_else(|| "as imported".to_owned(), |d| d.because.clone());
        let gathers = GatherChoice { keys: d.gathers.keys.clone(), because };
        Ok(Report {
            text_places: Vec::new(),
            grid: None,
            no_grid: None,
            input: self.path.clone(),
            input_bytes: d.input.bytes,
            decisions: d.segy.decisions.clone().or_else(|| d.files.first()?.segy.decisions.clone()).unwrap_or_default(),
            warnings: d.warnings.iter().cloned().chain(of_files()).collect(),
            file_headers: file_headers(d),
            geometry: geometry::geometry(d.geometry.n_traces, n_samples, axis, &fields, coverage.is_whole()),
            coverage,
            gather: gather_key::suggestion(gathers, &fields),
            fields,
            computed: Vec::new(),
        })
    }

    fn every_trace(
        &mut self,
        columns: &[&Column],
        take: &mut dyn FnMut(u64, &[Vec<f64>]),
        on_traces: OnTraces,
        cancel: &CancelHandle,
    ) -> Result<()> {
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let mut first = 0;
        for start in (0..self.shape.n_traces).step_by(BLOCK_ROWS as usize) {
            cancel.check()?;
            let rows = start..self.shape.n_traces.min(start + BLOCK_ROWS);
            self.columns.numbers(&rows, &names, &mut |values| {
                take(first, values);
                first += values.first().map_or(0, |v| v.len() as u64);
                Ok(())
            })?;
            on_traces(rows.end);
        }
        Ok(())
    }

    fn every_sample(
        &mut self,
        sample: usize,
        columns: &[&Column],
        take: OnSamples,
        on_traces: OnTraces,
        cancel: &CancelHandle,
    ) -> Result<()> {
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        // Many traces of a grid at a time: their bricks would be unpacked again for the next ones.
        let per_chunk = match &self.dataset.grid {
            Some(_) => BLOCK_ROWS,
            None => self.dataset.array.chunk_traces,
        };
        for start in (0..self.shape.n_traces).step_by(per_chunk as usize) {
            cancel.check()?;
            let traces = start..self.shape.n_traces.min(start + per_chunk);
            let samples = self.samples(&traces, sample as u64..sample as u64 + 1)?;
            let mut at = 0;
            self.columns.numbers(&traces, &names, &mut |values| {
                let n = values.first().map_or(0, Vec::len);
                take(values, samples.get(at..at + n).unwrap_or_default());
                at += n;
                Ok(())
            })?;
            on_traces(traces.end);
        }
        Ok(())
    }

    fn facts(&self) -> Vec<(String, String)> {
        let (d, plan) = (&self.document, &self.dataset.array);
        let chunk = match &self.dataset.grid {
            Some(grid) => grid.brick.iter().map(u64::to_string).collect::<Vec<_>>().join(" × "),
            None => format!("{} traces × {} samples", grouped(plan.chunk_traces), grouped(plan.chunk_samples)),
        };
        let mut facts = vec![
            ("stored as".to_owned(), plan.dtype.name().to_owned()),
            ("codec".into(), plan.codec.to_string()),
            ("chunks".into(), format!("{}, {} files", chunk, grouped(self.dataset.n_objects()))),
        ];
        if let Some(grid) = &d.grid {
            let keys = grid.keys.iter().map(|key| format!("{} {}", key.n, key.name));
            facts.push(("grid".into(), keys.collect::<Vec<_>>().join(" × ")));
        }
        if !d.gathers.keys.is_empty() {
            facts
                .push(("gathers".into(), format!("{} by {}", grouped(d.gathers.n_gathers), d.gathers.keys.join(", "))));
        }
        if let (Some(min), Some(max)) = (d.statistics.min, d.statistics.max) {
            facts.push(("all samples".into(), format!("{min} to {max}")));
        }
        facts
    }

    fn counts(&self) -> Option<Counts> {
        let c = &self.document.counts;
        let n_nonfinite = self.document.statistics.n_nonfinite;
        Some(Counts { n_zero: c.n_zero?, n_duplicate: c.n_duplicate?, n_nonfinite })
    }
}

/// The document knows the range of every integer field over all traces.
fn exact_range(field: &mut FieldSummary, document: &Document) {
    let known = document.geometry.header_ranges.iter().find(|(name, _)| *name == field.name);
    if let (Some((_, [min, max])), Some(Number::Integer(_))) = (known, &field.min)
        && let (Ok(min), Ok(max)) = (i64::try_from(*min), i64::try_from(*max))
    {
        (field.min, field.max) = (Some(Number::Integer(min)), Some(Number::Integer(max)));
        field.constant = min == max;
    }
}

fn file_headers(document: &Document) -> FileHeaders {
    let outside = document.outside_traces.as_ref().or_else(|| document.files.first().map(|f| &f.outside_traces));
    let Some(OutsideTraces { textual_header, extended_textual_headers, binary_header, .. }) = outside else {
        return FileHeaders::default();
    };
    let text = |h: &crate::dataset::document::TextualHeader| TextualHeader {
        encoding: h.encoding,
        stanza: None,
        lines: h.lines.clone(),
    };
    let binary = BINARY_FIELDS.iter().filter_map(|f| {
        let value = binary_header.as_ref()?.get(f.name).filter(|v| v.as_f64() != Some(0.0))?.clone();
        let last_byte = f.byte + f.kind.size() as u32 - 1;
        Some(BinaryField { name: f.name, first_byte: f.byte, last_byte, kind: f.kind.to_string(), value })
    });
    FileHeaders {
        textual_header: textual_header.as_ref().map(text),
        n_extended_textual_headers: extended_textual_headers.len() as u32,
        extended_textual_headers: extended_textual_headers.iter().take(100).map(text).collect(),
        binary_header: binary.collect(),
    }
}

//! Writing one SEG-Y file: all of it, some consecutive traces, or a crop with other samples or headers.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each};
use crate::base::plural::count;
use crate::dataset::{
    Conversion, Crop, Dataset, EditWatch, Edits, Original, OriginalFile, Sources, Tables, Target, TraceSet, file_head,
    fit_around,
};
use crate::export::array_samples::ArraySamples;
use crate::export::cropped_headers::CroppedHeaders;
use crate::export::header_table::HeaderTable;
use crate::export::output_file::{Replacing, Unfinished};
use crate::export::sample_encoder::SampleEncoder;
use crate::export::selected_traces::selected_traces;
use crate::export::{ExportConfig, text_line};
use crate::store::Place;

/// The traces of a file to export, and how.
pub(super) struct Written<'a> {
    pub config: &'a ExportConfig,
    pub dataset: &'a Dataset,
    pub tables: &'a Tables<'a>,
    pub file: &'a OriginalFile,
    pub traces: Range<u64>,
}

/// A file that was written.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub bytes: u64,
    pub n_traces: u64,
    /// Whether samples were changed since the import, where that is known.
    pub is_edited: Option<bool>,
    /// Further remarks.
    pub notes: Vec<String>,
}

/// Called with the traces done so far, and those that will be.
type OnProgress<'a> = dyn FnMut(u64, u64) + 'a;

/// Exports one of the dataset's files, or a part of it.
pub(super) fn write_file(
    written: &Written,
    target: Option<&Place>,
    replacing: Replacing,
    on_progress: &mut OnProgress,
    cancel: &CancelHandle,
) -> Result<Done> {
    let config = written.config;
    let is_changed = config.selection != Default::default() || config.samples.is_some() || config.headers.is_some();
    let is_cropped = is_changed || written.dataset.part.is_some();
    match is_cropped {
        false => written.whole(target, replacing, on_progress, cancel),
        true => written.cropped(target, replacing, on_progress, cancel),
    }
}

impl Written<'_> {
    /// The whole file, or consecutive traces of it.
    fn whole(
        &self,
        target: Option<&Place>,
        replacing: Replacing,
        on_progress: &mut OnProgress,
        cancel: &CancelHandle,
    ) -> Result<Done> {
        let Self { config, dataset, tables, file, traces } = self;
        let sources = Sources::new(tables, file)?;
        let conversion = Conversion::new(&config.conversion, dataset, file)?;
        let n_traces = traces.end - traces.start;
        let mut range = sources.offsets_of(traces)?;
        if let Some(conversion) = &conversion {
            range = conversion.offset(traces.start, range.start)..conversion.offset(traces.end, range.end);
        }
        let traces_end = file.first_trace_offset + (range.end - range.start);
        let outside = Outside::new(self, n_traces, conversion.as_ref(), None)?;
        let target = Unfinished::create(target, traces_end + outside.bytes_after(file), replacing)?;
        outside.write_before(file, &target)?;
        let watch = EditWatch::new(dataset).seeing_all(config.unedited);
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
        let new_original = || Original::new(&sources)?.converted(conversion.clone(), config.nan).watched(&watch);
        let units = sources.units_of(traces);
        let mut tell = |done: u64| on_progress(done.min(n_traces), n_traces);
        for_each(target.n_threads(), units.into_iter(), cancel, &mut tell, new_original, write_unit)?;
        let mut done = Done { n_traces, ..Done::default() };
        self.note_edits(watch.edits(), &mut done)?;
        done.bytes = outside.finish(file, target, traces_end, replacing, cancel)?;
        Ok(done)
    }

    /// Some traces and samples, with the samples of another array or new headers where there are some.
    fn cropped(
        &self,
        target: Option<&Place>,
        replacing: Replacing,
        on_progress: &mut OnProgress,
        cancel: &CancelHandle,
    ) -> Result<Done> {
        let Self { config, dataset, tables, file, .. } = self;
        if dataset.pairwise_swapped {
            let root = dataset.root.display();
            return Err(Error::Usage(format!(
                "{root}: its file has its bytes swapped in pairs; it can only be exported unchanged"
            )));
        }
        let sources = Sources::new(tables, file)?;
        let new = config.samples.as_deref().map(|path| ArraySamples::open(path, dataset, file)).transpose()?;
        let (traces, samples) = self.selected(new.as_ref())?;
        let dtype = new.as_ref().map_or(dataset.array.dtype, |new| new.array.dtype);
        let conversion_asked = match &new {
            Some(_) => SampleEncoder::target(config.conversion, dtype, dataset),
            None => config.conversion,
        };
        let conversion = Conversion::new(&conversion_asked, dataset, file)?;
        let fewer = CroppedHeaders::new(&samples, dataset, file)?;
        let table =
            config.headers.as_deref().map(|path| HeaderTable::open(path, dataset, file, &traces)).transpose()?;
        let change = |trace, headers: &mut [u8]| {
            table.as_ref().map_or(Ok(()), |table| table.apply(trace, headers))?;
            fewer.as_ref().map_or(Ok(()), |fewer| fewer.trace_header(trace, headers))
        };
        let sample_bytes = conversion.as_ref().map_or(dataset.format.bytes, Conversion::sample_bytes);
        let crop = Crop::new(&sources, traces, samples, sample_bytes, &change)?;
        let outside = Outside::new(self, crop.traces.len(), conversion.as_ref(), fewer.as_ref())?;
        let target = Unfinished::create(target, crop.end() + outside.bytes_after(file), replacing)?;
        outside.write_before(file, &target)?;

        let cropping = Cropping { written: self, sources: &sources, crop: &crop, conversion: conversion.as_ref() };
        let mut done = match &new {
            None => cropping.own_samples(&target, on_progress, cancel)?,
            Some(new) => cropping.samples_of(new, conversion_asked, &target, on_progress, cancel)?,
        };
        if let Some(table) = &table {
            done.notes.extend(said_of(table));
        }
        done.notes.extend(self.said_of_part());
        done.bytes = outside.finish(file, target, crop.end(), replacing, cancel)?;
        Ok(done)
    }

    /// That the file is a part of another for a reason that lies in the dataset.
    fn said_of_part(&self) -> Option<String> {
        let part = self.dataset.part.as_ref()?;
        let (n, all) = (self.file.traces.end - self.file.traces.start, self.dataset.n_traces_in(self.file)?);
        let (n_samples, all_samples) = (self.dataset.array.n_samples, part.n_samples);
        Some(format!("the dataset has {n} of the file's {all} traces, and {n_samples} of their {all_samples} samples"))
    }

    /// The traces and samples that are wanted.
    fn selected(&self, new: Option<&ArraySamples>) -> Result<(TraceSet, Range<u64>)> {
        let Self { config, dataset, file, traces: part, .. } = self;
        let root = dataset.root.display();
        let mut traces = selected_traces(&config.selection, dataset, &file.traces)?;
        if *part != file.traces {
            traces = traces.and(&TraceSet::new(&file.traces, |trace| part.contains(&trace)));
        }
        let mut samples = config.selection.samples(&dataset.sample_axis, dataset.array.n_samples)?;
        if let Some(new) = new {
            traces = traces.and(&new.traces);
            samples = samples.start.max(new.samples.start)..samples.end.min(new.samples.end);
        }
        let n = file.traces.end - file.traces.start;
        let none = |what: &str, n: u64| match new {
            None => Err(Error::Usage(format!("{root}: the selection has none of the {}", count(n, what)))),
            Some(new) => Err(Error::Input(format!(
                "{}: has none of the wanted {what}s, of which {root} has {n}",
                new.array.path.display()
            ))),
        };
        match (traces.len(), samples.is_empty()) {
            (0, _) => none("trace", n),
            (_, true) => none("sample", dataset.array.n_samples),
            _ => Ok((traces, samples)),
        }
    }

    /// Records what is known of edits since the import.
    ///
    /// # Errors
    /// `Error::Input` where there are some, or may be some, and none are wanted.
    fn note_edits(&self, edits: Edits, done: &mut Done) -> Result<()> {
        let dataset = self.dataset;
        let root = dataset.root.display();
        let said = match edits {
            Edits::None => {
                done.is_edited = Some(false);
                return Ok(());
            }
            Edits::Unknown if self.config.unedited => {
                return Err(Error::Usage(format!(
                    "{root}: --unedited needs a dataset with {}; verify checks all of it",
                    crate::dataset_files::SAMPLE_SUMS
                )));
            }
            Edits::Unknown => return Ok(()),
            Edits::Chunks(chunks) => chunks.said(dataset),
            Edits::Bricks => format!("{root}: its bricks are not those that were written at the import"),
        };
        done.is_edited = Some(true);
        if self.config.unedited {
            return Err(Error::Input(format!("{said}; without --unedited they are exported as they are")));
        }
        let shown = said.split_once(": ").map_or(said.as_str(), |(_, what)| what);
        done.notes.push(shown.to_owned());
        Ok(())
    }
}

/// A crop being written.
struct Cropping<'a> {
    written: &'a Written<'a>,
    sources: &'a Sources<'a>,
    crop: &'a Crop<'a>,
    conversion: Option<&'a Conversion>,
}

impl<'a> Cropping<'a> {
    fn original(&self) -> Result<Original<'a>> {
        let nan = self.written.config.nan;
        Ok(Original::new(self.sources)?.cropped(Some(self.crop)).converted(self.conversion.cloned(), nan))
    }

    /// Reports traces of those that are wanted.
    fn told<'t, 'p>(&self, on_progress: &'t mut OnProgress<'p>) -> impl FnMut(u64) + use<'t, 'p> {
        let n_traces = self.crop.traces.len();
        move |done| on_progress(done.min(n_traces), n_traces)
    }

    fn done(&self) -> Done {
        Done { n_traces: self.crop.traces.len(), ..Done::default() }
    }

    /// Writes the traces with the samples of the dataset.
    fn own_samples(&self, target: &Unfinished, on_progress: &mut OnProgress, cancel: &CancelHandle) -> Result<Done> {
        let watch = EditWatch::new(self.written.dataset).seeing_all(self.written.config.unedited);
        let write_unit = |original: &mut Original, unit, shared: &Shared| {
            let mut sink = |offset: u64, bytes: &[u8]| target.write_at(offset, bytes);
            original.traces_of_unit(unit, shared.cancel, &mut sink, &|traces| shared.add(traces))
        };
        let units = self.sources.units_of(&self.crop.traces.span()).into_iter();
        let watched = || self.original()?.watched(&watch);
        for_each(target.n_threads(), units, cancel, &mut self.told(on_progress), watched, write_unit)?;
        let mut done = self.done();
        self.written.note_edits(watch.edits(), &mut done)?;
        Ok(done)
    }

    /// Writes the traces with the samples of an array.
    fn samples_of(
        &self,
        new: &ArraySamples,
        asked: Target,
        target: &Unfinished,
        on_progress: &mut OnProgress,
        cancel: &CancelHandle,
    ) -> Result<Done> {
        let Written { config, dataset, file, .. } = self.written;
        let (path, dtype) = (new.array.path.as_path(), new.array.dtype);
        let encoder = SampleEncoder::new(asked, config.nan, (path, dtype), dataset, file)?;
        let write_headers = |original: &mut Original, unit, _: &Shared| {
            original.headers_of_unit(unit, &mut |offset, bytes| target.write_at(offset, bytes))
        };
        let units = self.sources.units_of_traces(&self.crop.traces.span());
        // The samples are the work.
        for_each(target.n_threads(), units, cancel, &mut |_| {}, || self.original(), write_headers)?;
        let n_homeless = new.write(self.crop, &encoder, target, &mut self.told(on_progress), cancel)?;
        let mut done = self.done();
        done.notes.push(format!("samples of {} as {}", path.display(), encoder.format.name));
        if let Some(n) = dataset.grid.as_ref().map(|grid| grid.n_aside).filter(|&n| n > 0) {
            done.notes.push(format!("{} in aside/ left out", count(n, "trace")));
        }
        if n_homeless > 0 {
            let (places, of) = (count(n_homeless, "place"), if dataset.files.len() > 1 { " of this file" } else { "" });
            done.notes.push(format!("it has samples at {places} without a trace{of}, which are left out"));
        }
        Ok(done)
    }
}

/// What a table of headers did.
fn said_of(table: &HeaderTable) -> Vec<String> {
    let (n_values, n_traces) = table.changed();
    let mut notes = vec![format!("{} changed in {}", count(n_values, "header value"), count(n_traces, "trace"))];
    if !table.left_out.is_empty() {
        notes.push(format!("no header fields, so not written: {}", table.left_out.join(", ")));
    }
    notes
}

/// What comes before and after the traces.
struct Outside {
    head: Vec<u8>,
    keeps_after: bool,
}

impl Outside {
    fn new(
        written: &Written,
        n_traces: u64,
        conversion: Option<&Conversion>,
        fewer: Option<&CroppedHeaders>,
    ) -> Result<Self> {
        let Written { config, dataset, file, .. } = written;
        let mut outside = match dataset.n_traces_in(file) == Some(n_traces) {
            true => Self { head: file_head(file)?, keeps_after: true },
            false => {
                let around = fit_around(n_traces, dataset, file)?;
                Self { head: around.head, keeps_after: around.keeps_after }
            }
        };
        let header = outside.head.get_mut(file.label_bytes as usize..).unwrap_or_default();
        fewer.map_or(Ok(()), |fewer| fewer.file_header(header))?;
        if let Some(conversion) = conversion {
            conversion.file_header(header);
        }
        text_line::write(&config.text_lines, header, dataset, file)?;
        Ok(outside)
    }

    fn bytes_after(&self, file: &OriginalFile) -> u64 {
        if self.keeps_after { file.bytes_after_traces.len() } else { 0 }
    }

    fn write_before(&self, file: &OriginalFile, target: &Unfinished) -> Result<()> {
        target.write_at(0, &self.head)?;
        file.bytes_before_traces.pieces(&mut |offset, bytes| {
            let skipped = (self.head.len() as u64).saturating_sub(offset).min(bytes.len() as u64);
            target.write_at(offset + skipped, &bytes[skipped as usize..])
        })
    }

    /// Writes what comes after the traces, which end at `traces_end`, and gives the file its name. Returns its length.
    fn finish(
        &self,
        file: &OriginalFile,
        target: Unfinished,
        traces_end: u64,
        replacing: Replacing,
        cancel: &CancelHandle,
    ) -> Result<u64> {
        cancel.check()?;
        if self.keeps_after {
            file.bytes_after_traces.pieces(&mut |offset, bytes| target.write_at(traces_end + offset, bytes))?;
        }
        target.complete(replacing)?;
        Ok(traces_end + self.bytes_after(file))
    }
}

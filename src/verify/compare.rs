//! Compares a dataset with its file: rebuilds the file piece by piece and compares every byte.

use std::path::Path;
use std::sync::Mutex;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each, n_threads};
use crate::dataset::{Dataset, FilePart, Original, OriginalFile, Sources, Tables};
use crate::segy::samples::format::Converter;
use crate::segy::{Access, ByteOrder, Dtype, Io, SegyFile};
use crate::verify::check::check_tables;
use crate::verify::check_grid::said_of_edits;
use crate::verify::places_in_file::PlacesInFile;

/// The result of a successful comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Traces compared.
    pub n_traces: u64,
    /// Bytes compared.
    pub bytes: u64,
}

/// The first byte that differs, and what it belongs to.
struct Difference {
    /// In the file that the dataset gives.
    offset: u64,
    /// In the file it is compared with.
    file_offset: u64,
    in_file: Vec<u8>,
    in_dataset: Vec<u8>,
}

/// Compares every byte of the files `inputs`, in the order of the import, with the dataset, and checks its tables and
/// Zarr documents against their checksums. `on_progress` gets the traces done so far and in total.
///
/// # Errors
/// `Error::Damaged` with the first difference, `Error::Usage` if the dataset was made from a different number of
/// files; otherwise as for [`export`](crate::export::export).
pub fn compare(
    inputs: &[impl AsRef<Path>],
    dataset: &Path,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<Compared> {
    let dataset = Dataset::open(dataset)?;
    let compared = compare_with(inputs, &dataset, on_progress, cancel)?;
    // Files that do not feed into samples or header bytes are checked by checksum.
    said_of_edits(&dataset, &check_tables(&dataset, cancel)?)?;
    Ok(compared)
}

/// Like [`compare`], for an open dataset.
pub(crate) fn compare_with(
    inputs: &[impl AsRef<Path>],
    dataset: &Dataset,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<Compared> {
    if inputs.len() != dataset.files.len() {
        return Err(Error::Usage(format!(
            "{}: files it was made from: {}; files to compare it with: {}",
            dataset.root.display(),
            dataset.files.len(),
            inputs.len()
        )));
    }
    let tables = Tables::open(dataset)?;
    let mut all = Compared { n_traces: 0, bytes: 0 };
    for (input, file) in inputs.iter().zip(&dataset.files) {
        let mut tell = |traces| on_progress(file.traces.start + traces, dataset.array.n_traces);
        let one = compare_file(input.as_ref(), dataset, &tables, file, &mut tell, cancel)?;
        all.n_traces += one.n_traces;
        all.bytes += one.bytes;
    }
    Ok(all)
}

fn compare_file(
    input: &Path,
    dataset: &Dataset,
    tables: &Tables,
    original: &OriginalFile,
    on_progress: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<Compared> {
    let file = SegyFile::open(input, Io::Pread, Access::Traces)?;
    file.is_read_by(n_threads());
    if file.len() != original.bytes {
        return Err(Error::Damaged(format!(
            "{}: has {} bytes, and the file that {} was made from had {}",
            input.display(),
            file.len(),
            dataset.root.display(),
            original.bytes
        )));
    }
    let sources = Sources::new(tables, original)?;
    let places = PlacesInFile::new(dataset, original)?;
    let comparison = Comparison { file: &file, sources: &sources, places, first: Mutex::new(None) };
    let n_after = original.bytes_after_traces.len();
    let after = [sources.end_of_traces(), original.bytes.saturating_sub(n_after)];
    for (offsets, kept) in [([0, 0], &original.bytes_before_traces), (after, &original.bytes_after_traces)] {
        let mut buffer = Vec::new();
        kept.pieces(&mut |at, bytes| {
            comparison.piece_at(offsets.map(|offset| offset + at), bytes, &mut buffer).map(drop)
        })?;
    }

    let worker = || Ok((Original::new(&sources)?, Vec::new()));
    let compare_unit = |(original, buffer): &mut (Original, Vec<u8>), unit, shared: &Shared| {
        let mut is_of_input = false;
        let mut sink = |offset, bytes: &[u8]| {
            let differs = comparison.piece(offset, bytes, buffer).inspect_err(|_| is_of_input = true)?;
            if differs {
                shared.stop();
            }
            Ok(())
        };
        let restored = original.traces_of_unit(unit, shared.cancel, &mut sink, &|traces| shared.add(traces));
        restored.map_err(|error| match error {
            Error::Input(what) if !is_of_input => Error::Damaged(no_word_of_the_file(&what)),
            error => error,
        })
    };
    for_each(n_threads(), sources.units_of(&original.traces).into_iter(), cancel, on_progress, worker, compare_unit)?;
    comparison.outcome()?;
    let n_traces = original.traces.end - original.traces.start;
    // With a part of the file, those of the part.
    Ok(Compared { n_traces, bytes: sources.end_of_traces() + n_after })
}

struct Comparison<'a> {
    file: &'a SegyFile,
    sources: &'a Sources<'a>,
    /// Where the traces are in the file, if the dataset has only a part of it.
    places: Option<PlacesInFile>,
    first: Mutex<Option<Difference>>,
}

impl Comparison<'_> {
    /// Compares bytes of traces that the dataset gives at `offset` with those of the file. Returns whether they differ.
    fn piece(&self, offset: u64, bytes: &[u8], buffer: &mut Vec<u8>) -> Result<bool> {
        let Some(places) = &self.places else { return self.piece_at([offset; 2], bytes, buffer) };
        let (mut at, mut differs) = (0, false);
        while at < bytes.len() && !differs {
            let (in_file, n) = places.piece(offset + at as u64, bytes.len() - at);
            differs = self.piece_at([offset + at as u64, in_file], &bytes[at..at + n], buffer)?;
            at += n;
        }
        Ok(differs)
    }

    /// Compares bytes at an offset in what the dataset gives, and one in the file.
    fn piece_at(&self, [offset, file_offset]: [u64; 2], bytes: &[u8], buffer: &mut Vec<u8>) -> Result<bool> {
        let in_file = self.file.bytes(file_offset, bytes.len(), buffer)?;
        if in_file == bytes {
            return Ok(false);
        }
        let Some(at) = self.first_difference(offset, in_file, bytes)? else { return Ok(false) };
        // All bytes of the sample at this place, as far as the piece contains them.
        let range = self.sample_range(offset + at as u64)?;
        let start = range.start.max(offset) - offset;
        let end = (range.end - offset).min(bytes.len() as u64);
        let part = start as usize..end as usize;
        let difference = Difference {
            offset: offset + at as u64,
            file_offset: file_offset + at as u64,
            in_file: in_file[part.clone()].to_vec(),
            in_dataset: bytes[part].to_vec(),
        };
        let mut first = self.first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if first.as_ref().is_none_or(|f| f.offset > difference.offset) {
            *first = Some(difference);
        }
        Ok(true)
    }

    /// Where bytes of the file and of the dataset differ first. Samples that were rounded differ if those of the file, rounded in
    /// the same way, are others.
    fn first_difference(&self, offset: u64, in_file: &[u8], bytes: &[u8]) -> Result<Option<usize>> {
        let mut from = 0;
        loop {
            let differs = in_file[from..].iter().zip(&bytes[from..]).position(|(a, b)| a != b);
            let Some(at) = differs.map(|at| from + at) else { return Ok(None) };
            let Some(mut rounding) = self.rounding() else { return Ok(Some(at)) };
            let run = self.samples_from(offset + at as u64, offset + bytes.len() as u64)?;
            let Some(run) = run.filter(|run| run.start >= offset) else { return Ok(Some(at)) };
            let part = (run.start - offset) as usize..(run.end - offset) as usize;
            match rounding.first_difference(&in_file[part.clone()], &bytes[part.clone()]) {
                Some(within) => return Ok(Some(part.start + within)),
                None => from = part.end,
            }
        }
    }

    /// The samples of one trace from an offset on, up to `end`. With traces of varying length, one sample. `None` outside samples,
    /// and for a sample that ends beyond.
    fn samples_from(&self, offset: u64, end: u64) -> Result<Option<std::ops::Range<u64>>> {
        let FilePart::Sample { offset, sample, .. } = self.sources.part_at(offset)? else { return Ok(None) };
        let (dataset, n_bytes) = (self.sources.dataset, self.sources.dataset.format.bytes as u64);
        let left = if dataset.has_sample_counts { 1 } else { dataset.array.n_samples - sample };
        let n = left.min((end - offset) / n_bytes);
        Ok((n > 0).then_some(offset..offset + n * n_bytes))
    }

    /// What compares rounded samples, if they were rounded.
    fn rounding(&self) -> Option<RoundedSamples> {
        let dataset = self.sources.dataset;
        dataset.array.precision?;
        let dtype = dataset.array.dtype;
        let converter = Converter::new(dataset.format, dataset.sample_order, dtype)?;
        let n_bytes = [dataset.format.bytes, dtype.size()];
        Some(RoundedSamples { rounding: converter.clone().rounded(dataset.array.precision), converter, n_bytes })
    }

    /// The bytes of the sample at an offset, or just that byte outside samples.
    fn sample_range(&self, offset: u64) -> Result<std::ops::Range<u64>> {
        Ok(match self.sources.part_at(offset)? {
            FilePart::Sample { offset, .. } => offset..offset + self.sources.dataset.format.bytes as u64,
            _ => offset..offset + 1,
        })
    }

    /// The first difference as an error.
    fn outcome(&self) -> Result<()> {
        let first = self.first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(difference) = first.as_ref() else { return Ok(()) };
        let found = self.sources.part_at(difference.offset)?;
        let trace_of = |trace| self.places.as_ref().map_or(trace, |places| places.trace(trace)) + 1;
        let sample_of = |sample| self.places.as_ref().map_or(sample, |places| places.first_sample + sample) + 1;
        let place = match found {
            FilePart::BeforeTraces => "before the traces".to_owned(),
            FilePart::AfterTraces => "after the traces".to_owned(),
            FilePart::Header { trace, byte } => format!("trace {}, byte {} of its headers", trace_of(trace), byte + 1),
            FilePart::Sample { trace, sample, .. } => {
                format!("trace {}, sample {}", trace_of(trace), sample_of(sample))
            }
        };
        let value = |bytes: &[u8]| match found {
            FilePart::Sample { .. } => format!("{}{}", hexadecimal(bytes), self.number(bytes)),
            _ => hexadecimal(bytes),
        };
        Err(Error::Damaged(format!(
            "{} is not what {} was made from: byte {} ({place}) is the first that differs: {} in the file, {} in the dataset",
            self.file.path().display(),
            self.sources.dataset.root.display(),
            difference.file_offset + 1,
            value(&difference.in_file),
            value(&difference.in_dataset)
        )))
    }

    /// ` (1.5)`: the value of a sample, if its bytes are in file order.
    fn number(&self, bytes: &[u8]) -> String {
        let dataset = self.sources.dataset;
        let native = dataset.format.native;
        if dataset.pairwise_swapped || bytes.len() != dataset.format.bytes {
            return String::new();
        }
        let mut value = vec![0; native.size()];
        match Converter::new(dataset.format, dataset.sample_order, native) {
            Some(mut converter) => converter.convert(bytes, &mut value),
            None => return String::new(),
        }
        format!(" ({})", display(native, &value))
    }
}

/// Compares samples as they stand in the file with what became of them.
struct RoundedSamples {
    rounding: Converter,
    converter: Converter,
    /// Of a sample in the file, and of a value.
    n_bytes: [usize; 2],
}

impl RoundedSamples {
    /// The offset of the first sample that differs, both in the format of the file.
    fn first_difference(&mut self, in_file: &[u8], in_dataset: &[u8]) -> Option<usize> {
        let [sample, value] = self.n_bytes;
        let n = in_file.len() / sample * value;
        let [mut expected, mut found] = [vec![0; n], vec![0; n]];
        self.rounding.convert(in_file, &mut expected);
        self.converter.convert(in_dataset, &mut found);
        let differs = expected.chunks(value).zip(found.chunks(value)).position(|(a, b)| a != b);
        differs.map(|at| at * sample)
    }
}

/// What is said of a stored sample that the file cannot have had, without the ways to export it.
fn no_word_of_the_file(what: &str) -> String {
    let what = what.split("; export").next().unwrap_or(what);
    format!("{what}; it was changed since the import")
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("0x{digits}")
}

/// A little-endian value as text.
fn display(dtype: Dtype, bytes: &[u8]) -> String {
    let unsigned = || crate::table::read_integer(bytes, 1, kind(dtype), ByteOrder::Little);
    match dtype {
        Dtype::Float32 => f32::from_bits(unsigned() as u32).to_string(),
        Dtype::Float64 => f64::from_bits(unsigned() as u64).to_string(),
        Dtype::UInt64 => (unsigned() as u64).to_string(),
        _ => unsigned().to_string(),
    }
}

fn kind(dtype: Dtype) -> crate::segy::fields::FieldKind {
    use crate::segy::fields::FieldKind;
    match dtype {
        Dtype::Int8 => FieldKind::I8,
        Dtype::UInt8 => FieldKind::U8,
        Dtype::Int16 => FieldKind::I16,
        Dtype::UInt16 => FieldKind::U16,
        Dtype::Int32 => FieldKind::I32,
        Dtype::UInt32 => FieldKind::U32,
        Dtype::Int64 => FieldKind::I64,
        Dtype::UInt64 => FieldKind::U64,
        Dtype::Float32 => FieldKind::F32,
        Dtype::Float64 => FieldKind::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, generate};
    use crate::plan::import_config::ImportConfig;
    use crate::store::faults::Faults;

    #[test]
    fn the_tables_are_opened_once_however_many_files_there_are() {
        let directory = tempfile::tempdir().unwrap();
        let cancel = CancelHandle::new();
        let calls = |n: usize| {
            let inputs: Vec<_> = (0..n).map(|i| directory.path().join(format!("{i}.sgy"))).collect();
            let survey = GenerateConfig { n_traces: 2, n_samples: 5, ..GenerateConfig::default() };
            for input in inputs.iter().filter(|input| !input.exists()) {
                generate(&survey, input, &mut |_, _| {}, &cancel).unwrap();
            }
            let mut config = ImportConfig::new("", directory.path().join(format!("out{n}")));
            (config.inputs, config.sync) = (inputs.clone(), false);
            crate::run::import::import(&config, &mut |_| {}, &cancel).unwrap();
            let dataset = Dataset::open(&config.output).unwrap();
            let faults = Faults::below(&dataset.headers().path(), 0, rustix::io::Errno::IO);
            compare_with(&inputs, &dataset, &mut |_, _| {}, &cancel).unwrap();
            faults.calls()
        };
        let of_one_more = (calls(9) - calls(5)) / 4;
        assert!(
            of_one_more < calls(2) - of_one_more,
            "{of_one_more} more calls for one more file, {} for two",
            calls(2)
        );
    }
}

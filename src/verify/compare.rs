//! A dataset against the file it was made from: the file is made again, piece by piece, and every byte compared.

use std::path::Path;
use std::sync::Mutex;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::dataset::units::{Shared, for_each_unit, n_threads};
use crate::dataset::{Dataset, FilePart, Original, OriginalFile, Sources};
use crate::segy::samples::format::Converter;
use crate::segy::{Access, ByteOrder, Dtype, Io, SegyFile};
use crate::verify::check::check_tables;

/// What was found to be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    pub n_traces: u64,
    pub bytes: u64,
}

/// The first byte that differs, with what it belongs to.
struct Difference {
    offset: u64,
    in_file: Vec<u8>,
    in_dataset: Vec<u8>,
}

/// Compares every byte of the files `inputs` with what the dataset says of them, in the order in which they were imported,
/// and what else the dataset has, its tables and Zarr documents, with their checksums.
/// `on_progress` hears the traces done so far and the number of all.
///
/// # Errors
/// `Error::Failed` with the first difference, `Error::Usage` for another number of files than the dataset was made from;
/// otherwise as [`export`](crate::export::export).
pub fn compare(
    inputs: &[impl AsRef<Path>],
    dataset: &Path,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<Compared> {
    let dataset = Dataset::open(dataset)?;
    let compared = compare_with(inputs, &dataset, on_progress, cancel)?;
    // What the samples and the header bytes do not come from is compared with its checksum.
    check_tables(&dataset, cancel)?;
    Ok(compared)
}

/// As [`compare`], with a dataset that is open.
pub fn compare_with(
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
    let mut all = Compared { n_traces: 0, bytes: 0 };
    for (input, file) in inputs.iter().zip(&dataset.files) {
        let mut tell = |traces| on_progress(file.traces.start + traces, dataset.array.n_traces);
        let one = compare_file(input.as_ref(), dataset, file, &mut tell, cancel)?;
        all.n_traces += one.n_traces;
        all.bytes += one.bytes;
    }
    Ok(all)
}

fn compare_file(
    input: &Path,
    dataset: &Dataset,
    original: &OriginalFile,
    on_progress: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<Compared> {
    let file = SegyFile::open(input, Io::Pread, Access::Traces)?;
    file.is_read_by(n_threads());
    if file.len() != original.bytes {
        return Err(Error::Failed(format!(
            "{}: has {} bytes, and the file that {} was made from had {}",
            input.display(),
            file.len(),
            dataset.root.display(),
            original.bytes
        )));
    }
    let sources = Sources::open(dataset, original)?;
    let comparison = Comparison { file: &file, sources: &sources, first: Mutex::new(None) };
    for (offset, kept) in [(0, &original.bytes_before_traces), (sources.end_of_traces(), &original.bytes_after_traces)]
    {
        let mut buffer = Vec::new();
        kept.pieces(&mut |at, bytes| comparison.piece(offset + at, bytes, &mut buffer).map(drop))?;
    }

    let worker = || Ok((Original::new(&sources)?, Vec::new()));
    let compare_unit = |(original, buffer): &mut (Original, Vec<u8>), unit, shared: &Shared| {
        let mut sink = |offset, bytes: &[u8]| {
            if comparison.piece(offset, bytes, buffer)? {
                shared.stop();
            }
            Ok(())
        };
        original.traces_of_unit(unit, shared.cancel, &mut sink, &|traces| shared.add(traces))
    };
    for_each_unit(sources.n_units(), cancel, on_progress, worker, compare_unit)?;
    comparison.outcome()?;
    let n_traces = original.traces.end - original.traces.start;
    Ok(Compared { n_traces, bytes: file.len() })
}

struct Comparison<'a> {
    file: &'a SegyFile,
    sources: &'a Sources<'a>,
    first: Mutex<Option<Difference>>,
}

impl Comparison<'_> {
    /// Compares bytes with those at `offset` of the file. Returns whether they differ.
    fn piece(&self, offset: u64, bytes: &[u8], buffer: &mut Vec<u8>) -> Result<bool> {
        let in_file = self.file.bytes(offset, bytes.len(), buffer)?;
        if in_file == bytes {
            return Ok(false);
        }
        let Some(at) = in_file.iter().zip(bytes).position(|(a, b)| a != b) else { return Ok(false) };
        // All bytes of the sample that begins or goes on there, as far as the piece has them.
        let range = self.sample_range(offset + at as u64)?;
        let start = range.start.max(offset) - offset;
        let end = (range.end - offset).min(bytes.len() as u64);
        let part = start as usize..end as usize;
        let difference = Difference {
            offset: offset + at as u64,
            in_file: in_file[part.clone()].to_vec(),
            in_dataset: bytes[part].to_vec(),
        };
        let mut first = self.first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if first.as_ref().is_none_or(|f| f.offset > difference.offset) {
            *first = Some(difference);
        }
        Ok(true)
    }

    /// The bytes of the sample at an offset; elsewhere that byte alone.
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
        let place = match found {
            FilePart::BeforeTraces => "in front of the traces".to_owned(),
            FilePart::AfterTraces => "behind the traces".to_owned(),
            FilePart::Header { trace, byte } => format!("trace {}, byte {} of its headers", trace + 1, byte + 1),
            FilePart::Sample { trace, sample, .. } => format!("trace {}, sample {}", trace + 1, sample + 1),
        };
        let value = |bytes: &[u8]| match found {
            FilePart::Sample { .. } => format!("{}{}", hexadecimal(bytes), self.number(bytes)),
            _ => hexadecimal(bytes),
        };
        Err(Error::Failed(format!(
            "{} is not what {} was made from: byte {} ({place}) is the first that differs: {} in the file, {} in the dataset",
            self.file.path().display(),
            self.sources.dataset.root.display(),
            difference.offset + 1,
            value(&difference.in_file),
            value(&difference.in_dataset)
        )))
    }

    /// ` (1.5)`: the value of a sample, where its bytes are those of the file in order.
    fn number(&self, bytes: &[u8]) -> String {
        let dataset = self.sources.dataset;
        let native = dataset.format.native;
        if dataset.pairwise_swapped || bytes.len() != dataset.format.bytes {
            return String::new();
        }
        let mut value = vec![0; native.size()];
        match Converter::new(dataset.format, dataset.byte_order, native) {
            Some(mut converter) => converter.convert(bytes, &mut value),
            None => return String::new(),
        }
        format!(" ({})", display(native, &value))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("0x{digits}")
}

/// A little-endian value as people write it.
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

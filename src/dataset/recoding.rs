//! Converting a file to another sample format or byte order.

use crate::base::error::{Error, Result};
use crate::dataset::original::Sink;
use crate::dataset::trace_extents::Extents;
use crate::dataset::{Dataset, OriginalFile};
use crate::exceptions::Exception;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::layout::{FILE_HEADER_BYTES, InputFormat};
use crate::segy::samples::format::{Dtype, FORMATS, SampleFormat, known_formats, sample_format};
use crate::segy::samples::recode::{Misfit, Recoder};
use crate::segy::samples::words::word_bytes;
use crate::segy::{ByteOrder, reorder_binary_header, reorder_trace_headers};

/// Offset of the binary header in the file, and of the fields that describe its format (rev 2.1, table 2).
const BINARY_HEADER: usize = 3200;
const FORMAT: usize = 3224;
const BYTE_ORDER: usize = 3296;
/// The value at bytes 3297-3300, in the byte order of the file.
const BYTE_ORDER_MARK: u32 = 0x0102_0304;

/// What to convert the file to; options not given leave things as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Sample format code.
    pub format: Option<u16>,
    /// Byte order of all numbers in the file.
    pub byte_order: Option<ByteOrder>,
    /// Take the nearest value if the format cannot hold a sample exactly; otherwise that is an error.
    pub round: bool,
}

/// Converts the traces of one file.
#[derive(Clone, Debug)]
pub(crate) struct Conversion {
    /// Converts the original samples if only their byte order changes, otherwise the stored values, which may have
    /// been edited to something the file's format cannot hold.
    recoder: Recoder,
    /// Converts original words from exceptions, when all else comes from stored values.
    word_recoder: Option<Recoder>,
    /// Byte order of the file's words.
    words_order: ByteOrder,
    /// Size of a sample in bytes, before and after.
    bytes: (usize, usize),
    format: &'static SampleFormat,
    /// Byte order of the new binary header.
    binary_order: ByteOrder,
    /// Whether to change the byte order of the binary header, and that of the trace headers.
    reorders_binary: bool,
    reorders: bool,
    input_format: InputFormat,
    major_revision: u8,
    header_bytes: usize,
    /// What messages call the dataset.
    root: String,
    first_trace: u64,
    first_trace_offset: u64,
}

impl Conversion {
    /// `None` if no conversion was asked for.
    ///
    /// # Errors
    /// `Error::Usage` for a conversion that is impossible.
    pub(crate) fn new(target: &Target, dataset: &Dataset, file: &OriginalFile) -> Result<Option<Self>> {
        if target.format.is_none() && target.byte_order.is_none() {
            return Ok(None);
        }
        let refused = |why: String| Err(Error::Usage(format!("{}: {why}", dataset.root.display())));
        if dataset.pairwise_swapped {
            return refused("its file has its bytes swapped in pairs; it can only be exported unchanged".into());
        }
        let code = target.format.unwrap_or(dataset.format.code);
        let Some(format) = sample_format(code) else {
            return refused(format!("--format {code}: is not a sample format; use {}", known_formats()));
        };
        if file.first_trace_offset.saturating_sub(file.label_bytes) < FILE_HEADER_BYTES && code != dataset.format.code {
            return refused(format!("--format {code}: its file has no file header that could say so"));
        }
        let byte_order = target.byte_order.unwrap_or(dataset.byte_order);
        let binary_order = target.byte_order.unwrap_or(file.binary_order);
        let sample_order = target.byte_order.unwrap_or(dataset.sample_order);
        let (from, to) = ((dataset.format, dataset.sample_order), (format, sample_order));
        let stored = (stored_format(dataset.array.dtype), ByteOrder::Little);
        let of_words = Recoder::new(from, to, target.round);
        let (recoder, word_recoder) = match stored {
            _ if code == dataset.format.code => (of_words, None),
            (Some(stored), order) => (Recoder::new((stored, order), to, target.round), of_words),
            (None, _) => (None, None),
        };
        let Some(recoder) = recoder else {
            return refused(format!(
                "--format {code}: {} is read only, as one value can be written in many ways",
                format.name
            ));
        };
        Ok(Some(Self {
            recoder,
            word_recoder,
            words_order: dataset.sample_order,
            bytes: (dataset.format.bytes, format.bytes),
            format,
            binary_order,
            reorders_binary: binary_order != file.binary_order,
            reorders: byte_order != dataset.byte_order,
            input_format: dataset.input_format,
            major_revision: file.major_revision,
            header_bytes: dataset.header_bytes,
            root: dataset.root.display().to_string(),
            first_trace: file.traces.start,
            first_trace_offset: file.first_trace_offset,
        }))
    }

    /// The format to convert stored values to; `None` if original samples are used.
    pub(super) fn of_values(&self) -> Option<&'static SampleFormat> {
        self.word_recoder.map(|_| self.format)
    }

    /// Adapts the 3600 bytes of a file header, if there is one, to the new samples.
    pub(crate) fn file_header(&self, header: &mut [u8]) {
        let Some(binary) = header.get_mut(BINARY_HEADER..FILE_HEADER_BYTES as usize) else { return };
        if self.reorders_binary {
            reorder_binary_header(binary, self.major_revision);
        }
        let format = at_2(self.format.code, self.binary_order);
        binary[FORMAT - BINARY_HEADER..][..2].copy_from_slice(&format);
        if self.major_revision >= 2 {
            let mark = match self.binary_order {
                ByteOrder::Big => BYTE_ORDER_MARK.to_be_bytes(),
                ByteOrder::Little => BYTE_ORDER_MARK.to_le_bytes(),
            };
            binary[BYTE_ORDER - BINARY_HEADER..][..4].copy_from_slice(&mark);
        }
    }

    /// The new offset of a trace, or of the end of the one before, that was at `offset`.
    pub(crate) fn offset(&self, trace: u64, offset: u64) -> u64 {
        let (old, new) = self.bytes;
        let headers = (trace - self.first_trace) * self.header_bytes as u64;
        self.first_trace_offset + headers + (offset - self.first_trace_offset - headers) / old as u64 * new as u64
    }

    /// Passes on whole traces from number `first` on, given as `piece`, with the original `words` of some samples.
    pub(super) fn traces(
        &self,
        first: u64,
        extents: &Extents,
        piece: &[u8],
        words: &[Exception],
        sink: &mut Sink,
    ) -> Result<()> {
        let (mut out, mut rest, mut trace) = (Vec::with_capacity(piece.len()), piece, first);
        while !rest.is_empty() {
            let n = self.header_bytes + extents.n_samples(trace) as usize * self.recoder.bytes().0;
            let (bytes, after) = rest.split_at(n.min(rest.len()));
            let (headers, samples) = bytes.split_at(self.header_bytes.min(bytes.len()));
            self.put_headers(headers, &mut out);
            self.put_samples(trace, 0, samples, words, &mut out)?;
            (rest, trace) = (after, trace + 1);
        }
        sink(self.offset(first, extents.offset(first)), &out)
    }

    /// Bytes of a sample as it becomes.
    pub(crate) fn sample_bytes(&self) -> usize {
        self.bytes.1
    }

    /// Appends the headers of a trace.
    pub(super) fn put_headers(&self, headers: &[u8], out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(headers);
        if self.reorders && headers.len() >= TRACE_HEADER_BYTES {
            reorder_trace_headers(&mut out[at..], self.input_format, self.major_revision);
        }
    }

    /// Appends samples of a trace from number `first` on.
    pub(super) fn put_samples(
        &self,
        trace: u64,
        first: u64,
        samples: &[u8],
        words: &[Exception],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        let misfit = |sample: u64, why: String| {
            let (root, trace) = (&self.root, trace - self.first_trace + 1);
            Error::Usage(format!("{root}: trace {trace}, sample {}: {why}", sample + 1))
        };
        self.recoder.recode(samples, out).map_err(|Misfit { index, why }| misfit(first + index as u64, why))?;
        let Some(recoder) = self.word_recoder else { return Ok(()) };
        let mut sample = Vec::new();
        for e in words.iter().filter(|e| e.trace == trace) {
            sample.clear();
            let word = word_bytes(e.word, self.words_order);
            recoder.recode(&word, &mut sample).map_err(|Misfit { why, .. }| misfit(e.sample.into(), why))?;
            let at = start + (u64::from(e.sample) - first) as usize * sample.len();
            out[at..at + sample.len()].copy_from_slice(&sample);
        }
        Ok(())
    }
}

/// The sample format with the same values as a stored type.
pub(crate) fn stored_format(dtype: Dtype) -> Option<&'static SampleFormat> {
    FORMATS.iter().find(|f| f.native == dtype && f.bytes == dtype.size() && f.words.is_none())
}

fn at_2(number: u16, order: ByteOrder) -> [u8; 2] {
    match order {
        ByteOrder::Big => number.to_be_bytes(),
        ByteOrder::Little => number.to_le_bytes(),
    }
}

//! Sample flags of a trace: whether all its samples are zero, and whether they repeat those of the trace before. As few
//! samples as possible are read for that.
//!
//! The header table is not cut where the samples are, so a worker also writes rows for traces whose samples another
//! worker converts. Both must find the same flags: zero means zero once converted, repeated means the same bytes.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::input::PlannedFile;
use crate::input::traces::{Inputs, Stretch};
use crate::segy::samples::format::Converter;
use crate::segy::samples::statistics::SampleStatistics;
use crate::segy::{Access, Dtype, Io, Layout, SegyFile};
use crate::table::{DUPLICATE_TRACE, ZERO_TRACE};
use crate::worker::sample_conversion::SampleConversion;
use crate::zarr::ArrayPlan;

/// Bytes compared first: most traces have a sample other than zero in them. A multiple of every sample size.
const FIRST_BYTES: usize = 24 << 2;
/// Bytes of samples read with a header, where samples are not read otherwise. A multiple of every sample size.
const START_BYTES: usize = 24 << 4;
/// Bytes compared in one step, at most.
const BLOCK_BYTES: usize = 24 << 8;
/// The samples of a trace longer than this are released from memory one block at a time, those of a shorter one with
/// its window.
const RELEASED_BYTES: usize = 64 << 10;

/// Finds the flags of traces. The first trace of a file never counts as a repetition.
pub(crate) struct FlagFinder<'a> {
    inputs: Inputs<'a>,
    layout: &'a Layout,
    converter: Converter,
    dtype: Dtype,
    converted: Vec<u8>,
    start: Vec<u8>,
    buffers: [Vec<u8>; 2],
    /// The last trace, and its first bytes.
    known: Option<(u64, Vec<u8>)>,
}

/// The location of a trace's samples.
struct Samples {
    file: Arc<SegyFile>,
    begins_file: bool,
    offset: u64,
    n_bytes: usize,
}

impl<'a> FlagFinder<'a> {
    /// `layout` is that of the first file; all files are read with it.
    pub(crate) fn new(inputs: Inputs<'a>, layout: &'a Layout, converter: Converter, dtype: Dtype) -> Self {
        Self {
            inputs,
            layout,
            converter,
            dtype,
            converted: Vec::new(),
            start: Vec::new(),
            buffers: Default::default(),
            known: None,
        }
    }

    /// For all traces of these files, which become this array.
    ///
    /// # Errors
    /// `Error::Usage` for a type that cannot hold the samples.
    pub(crate) fn of_files(files: &'a [PlannedFile], io: Io, array: &ArrayPlan) -> Result<Self> {
        let layout = &files.first().ok_or_else(|| Error::Usage("there is no input file".into()))?.layout;
        let converter = SampleConversion::new(layout, array)?.converter;
        Ok(Self::new(Inputs::new(files, io, Access::Traces), layout, converter, array.dtype))
    }

    /// The flags of the traces of a window, whose bytes and `is_zero` are known.
    pub(crate) fn of_window(
        &mut self,
        window: &Stretch,
        bytes: &[u8],
        is_zero: &[bool],
        flags: &mut Vec<u8>,
    ) -> Result<()> {
        flags.clear();
        let mut before: Option<&[u8]> = None;
        for (index, (trace, &is_zero)) in window.traces().zip(bytes.chunks(window.stride).zip(is_zero)) {
            let samples = &trace[window.samples.clone()];
            let repeats = match before {
                _ if is_zero => false,
                Some(before) => before == samples,
                None if window.begins_file => false,
                None => self.goes_on(index, samples)?,
            };
            flags.push(flags_of(is_zero, repeats));
            before = Some(samples);
        }
        if let Some(last) = before {
            self.remember(window.traces().end - 1, &last[..last.len().min(BLOCK_BYTES)]);
        }
        Ok(())
    }

    /// The flags of the traces of a window, whose bytes are known.
    pub(crate) fn of_read_window(&mut self, window: &Stretch, bytes: &[u8], flags: &mut Vec<u8>) -> Result<()> {
        let mut is_zero = |trace: &[u8]| {
            let samples = &trace[window.samples.clone()];
            blocks(samples.len()).all(|(start, n)| self.are_zero(&samples[start as usize..][..n]))
        };
        let is_zero: Vec<bool> = bytes.chunks(window.stride).map(&mut is_zero).collect();
        self.of_window(window, bytes, &is_zero, flags)
    }

    /// Reads the headers of the traces of a window, and as much of their samples as tells the flags of most of them: those of
    /// others are read. Returns the distance from one header to the next in `bytes`; `None` where it is better to read all.
    pub(crate) fn of_starts(
        &mut self,
        window: &Stretch,
        bytes: &mut Vec<u8>,
        flags: &mut Vec<u8>,
    ) -> Result<Option<usize>> {
        let (start, stride) = (window.samples.start, window.stride);
        let n_bytes = window.samples.len().min(START_BYTES);
        let record = start + n_bytes;
        if !window.file.is_faster_in_records(stride) || 2 * record > stride {
            return Ok(None);
        }
        window.file.neighbouring_records(window.offset, stride, record, window.n_traces, bytes)?;
        flags.clear();
        for (index, trace) in window.traces().zip(bytes.chunks(record)) {
            let samples = &trace[start..];
            let is_first_of_file = window.begins_file && index == window.first_trace;
            let differs = |(known, before): &(u64, Vec<u8>)| known + 1 == index && !before.starts_with(samples);
            let is_new = is_first_of_file || self.known.as_ref().is_some_and(differs);
            if is_new && !self.are_zero(samples) {
                self.remember(index, samples);
                flags.push(flags_of(false, false));
            } else {
                flags.push(self.of_trace(index)?);
            }
        }
        Ok(Some(record))
    }

    /// Keeps the first bytes of a trace, so that it need not be read again for the next one.
    fn remember(&mut self, index: u64, start: &[u8]) {
        let (known, bytes) = self.known.get_or_insert_default();
        *known = index;
        bytes.clear();
        bytes.extend_from_slice(start);
    }

    /// Whether a trace repeats the one before; `samples` are at least its first bytes.
    fn goes_on(&mut self, index: u64, samples: &[u8]) -> Result<bool> {
        match &self.known {
            Some((known, start)) if known + 1 == index && !samples.starts_with(start) => Ok(false),
            _ => self.repeats(index),
        }
    }

    /// The flags of a trace that has not been read.
    pub(crate) fn of_trace(&mut self, index: u64) -> Result<u8> {
        let samples = self.samples(index)?;
        let is_zero = self.is_zero(&samples)?;
        let mut buffer = std::mem::take(&mut self.start);
        let start = samples.file.bytes(samples.offset, samples.n_bytes.min(BLOCK_BYTES), &mut buffer)?;
        let repeats = !is_zero && !samples.begins_file && self.goes_on(index, start)?;
        self.remember(index, start);
        self.start = buffer;
        Ok(flags_of(is_zero, repeats))
    }

    fn is_zero(&mut self, samples: &Samples) -> Result<bool> {
        for (start, n) in blocks(samples.n_bytes) {
            let offset = samples.offset + start;
            let mut buffer = std::mem::take(&mut self.buffers[0]);
            let is_zero = self.are_zero(samples.file.bytes(offset, n, &mut buffer)?);
            self.buffers[0] = buffer;
            if samples.n_bytes > RELEASED_BYTES {
                samples.file.release(offset, n);
            }
            if !is_zero {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether all samples are zero once converted.
    fn are_zero(&mut self, samples: &[u8]) -> bool {
        // Zeros are nearly always zero bytes, the fastest to see.
        if samples.iter().fold(0, |all, byte| all | byte) == 0 {
            return true;
        }
        self.converted.resize(samples.len() / self.layout.format().bytes * self.dtype.size(), 0);
        self.converter.convert(samples, &mut self.converted);
        SampleStatistics::default().add(self.dtype, &self.converted)
    }

    /// Whether a trace has as many samples as the one before, with the same bytes.
    fn repeats(&mut self, index: u64) -> Result<bool> {
        let Some(previous) = index.checked_sub(1) else { return Ok(false) };
        let pair = [self.samples(previous)?, self.samples(index)?];
        if pair[1].begins_file || pair[0].n_bytes != pair[1].n_bytes {
            return Ok(false);
        }
        for (start, n) in blocks(pair[0].n_bytes) {
            let [one, other] = &mut self.buffers;
            let [before, after] = &pair;
            let is_same = before.file.bytes(before.offset + start, n, one)?
                == after.file.bytes(after.offset + start, n, other)?;
            pair.iter().for_each(|samples| samples.file.release(samples.offset + start, n));
            if !is_same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn samples(&mut self, index: u64) -> Result<Samples> {
        let place = self.inputs.stretch(index, 1)?;
        Ok(Samples {
            file: place.file,
            begins_file: place.begins_file,
            offset: place.offset + place.samples.start as u64,
            n_bytes: place.samples.len(),
        })
    }
}

/// Blocks of the samples of a trace of `n` bytes, each as long as all before it up to a limit: start and length in bytes.
fn blocks(n: usize) -> impl Iterator<Item = (u64, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let length = start.clamp(FIRST_BYTES, BLOCK_BYTES).min(n - start);
        let block = (start as u64, length);
        start += length;
        (length > 0).then_some(block)
    })
}

fn flags_of(is_zero: bool, repeats: bool) -> u8 {
    (if is_zero { ZERO_TRACE } else { 0 }) | (if repeats { DUPLICATE_TRACE } else { 0 })
}

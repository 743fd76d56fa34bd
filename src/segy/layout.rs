//! Deciding what the bytes of a SEG-Y file mean: byte order, revision, format, samples, where the traces lie.
//!
//! Every decision is kept with its reason, none is a silent guess: where the headers contradict the file size, the
//! file is refused with what would fit. Source: SEG-Y rev 2.1, sections 4 to 6.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::apply_scalar;
use super::binary::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, BinaryHeader, big_endian};
use super::fields::TRACE_HEADER_BYTES;
use super::file::{Access, Io, SegyFile};
use super::fit_lengths;
use super::format::{ByteOrder, SampleFormat, known_formats, sample_format};
use super::ragged::{Ragged, TraceIndex, Watch};
use super::sniff;
use super::su;
use super::text::{self, TEXT_HEADER_BYTES, TextEncoding};
use crate::error::{Error, Result};

/// Offset of what follows the textual and the binary file header.
pub const FILE_HEADER_BYTES: u64 = 3600;
/// The byte-order constant of rev 2 at bytes 3297-3300.
const BYTE_ORDER_CONSTANT: u32 = 0x0102_0304;
/// The constant as it reads where neighbouring bytes are exchanged.
const PAIRWISE_CONSTANT: u32 = 0x0201_0403;
const SAMPLE_COUNT_BYTE: usize = 115;
const SAMPLE_INTERVAL_BYTE: usize = 117;

/// The kind of the input file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputFormat {
    /// SEG-Y, all revisions.
    Segy,
    /// Seismic Unix: traces without a file header.
    Su,
}

/// What the user says about the file, against what its headers say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    pub byte_order: Option<ByteOrder>,
    /// Sample format code.
    pub format: Option<u16>,
    /// Samples per trace.
    pub n_samples: Option<u32>,
    /// Sample interval in microseconds.
    pub interval_us: Option<f64>,
    /// Take the whole traces of a file that ends inside one.
    pub allow_truncated: bool,
    /// The kind of the file, against its name.
    pub input_format: Option<InputFormat>,
    /// What is done with traces of varying length.
    pub ragged: Ragged,
}

/// One decision about the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub what: String,
    pub value: String,
    /// Which bytes or which reasoning it rests on.
    pub because: String,
}

/// Where everything lies in a file, and what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    pub file_bytes: u64,
    pub byte_order: ByteOrder,
    /// Whether neighbouring bytes are exchanged throughout, behind the textual header; they are read in right order.
    pub pairwise_swapped: bool,
    /// Major and minor revision that the file is read by.
    pub revision: (u8, u8),
    /// Sample format code, one of `format::FORMATS`.
    pub format_code: u16,
    pub n_traces: u64,
    /// Samples per trace; of the longest one where they vary.
    pub n_samples: u32,
    /// Where the traces lie if they differ in length.
    pub varying: Option<TraceIndex>,
    /// Sample interval in microseconds, if the file tells it.
    pub interval_us: Option<f64>,
    /// Time of the first sample in milliseconds, from the delay of the first trace.
    pub start_ms: f64,
    pub text_encoding: TextEncoding,
    pub n_extended_text_headers: u32,
    /// Offset of the first trace in the file.
    pub first_trace_offset: u64,
    /// Additional 240-byte headers of each trace (rev 2).
    pub n_additional_headers: u32,
    /// Bytes behind the last trace.
    pub trailing_bytes: u64,
    /// Whether the file declares that all traces have the same length.
    pub fixed_length: bool,
    /// Whether the sample count in the trace headers agrees with `n_samples` where it was looked at, so that a
    /// trace that says otherwise is an odd one.
    pub trace_counts_agree: bool,
    pub decisions: Vec<Decision>,
    pub warnings: Vec<String>,
}

impl Layout {
    /// The format of the samples.
    pub fn format(&self) -> &'static SampleFormat {
        sample_format(self.format_code).unwrap_or(&super::format::FORMATS[0])
    }

    /// Bytes of the headers in front of each trace's samples.
    pub fn header_bytes(&self) -> usize {
        TRACE_HEADER_BYTES * (1 + self.n_additional_headers as usize)
    }

    /// Bytes of the samples of one trace, the longest one.
    pub fn sample_bytes(&self) -> usize {
        self.n_samples as usize * self.format().bytes
    }

    /// Bytes from the start of one trace to that of the next, at most.
    pub fn stride(&self) -> usize {
        self.header_bytes() + self.sample_bytes()
    }

    /// Offset of trace `index` (from 0) in a file whose traces have one length; [`super::TraceFinder`] knows others too.
    pub fn trace_offset(&self, index: u64) -> u64 {
        self.first_trace_offset + index * self.stride() as u64
    }

    /// Opens the file that this layout was inferred from, to be read the same way.
    pub fn open(&self, path: &Path, io: Io, access: Access) -> Result<SegyFile> {
        let mut file = SegyFile::open(path, io, access)?;
        if self.pairwise_swapped {
            file.swap_pairs_from(BINARY_HEADER_OFFSET);
        }
        Ok(file)
    }

    /// Reads the headers of a file and decides.
    ///
    /// # Errors
    /// `Error::Input` for what is no SEG-Y, contradicts itself or ends inside a trace, with what would fit.
    pub fn infer(file: &mut SegyFile, overrides: &Overrides) -> Result<Self> {
        Self::infer_watched(file, overrides, &|_| Ok(()))
    }

    /// As [`Self::infer`]; `watch` is asked now and then while all trace headers are gone through.
    pub fn infer_watched(file: &mut SegyFile, overrides: &Overrides, watch: &Watch) -> Result<Self> {
        let by_name = file.path().extension().is_some_and(|e| e.eq_ignore_ascii_case("su"));
        match overrides.input_format {
            Some(InputFormat::Su) => su::infer(file, overrides, watch),
            None if by_name => su::infer(file, overrides, watch),
            _ => {
                // Behind the textual header; its characters come one by one.
                if is_pairwise_swapped(file, overrides)? {
                    file.swap_pairs_from(BINARY_HEADER_OFFSET);
                }
                Inference::new(file, overrides, watch)?.layout()
            }
        }
    }

    /// Whether textual and binary file headers are in front of the traces.
    pub fn has_file_header(&self) -> bool {
        self.first_trace_offset >= FILE_HEADER_BYTES
    }
}

/// The headers of a file while it is being decided what they mean.
pub(super) struct Inference<'a> {
    pub(super) file: &'a SegyFile,
    pub(super) overrides: &'a Overrides,
    pub(super) watch: &'a Watch<'a>,
    pub(super) binary: BinaryHeader,
    pub(super) format: &'static SampleFormat,
    pub(super) revision: (u8, u8),
    /// Whether the fields that rev 2 added are believed.
    pub(super) rev2: bool,
    pub(super) text_encoding: TextEncoding,
    decisions: Vec<Decision>,
    warnings: Vec<String>,
}

impl<'a> Inference<'a> {
    fn new(file: &'a SegyFile, overrides: &'a Overrides, watch: &'a Watch<'a>) -> Result<Self> {
        if file.len() < FILE_HEADER_BYTES {
            let start = file.copy(0, file.len() as usize)?;
            let path = file.path().display();
            return Err(Error::Input(match sniff::looks_like(&start) {
                Some(what) => format!("{path}: is not SEG-Y but looks like {what}"),
                None => format!(
                    "{path}: holds {} bytes, less than the 3600 of a SEG-Y file header; it is cut off or not SEG-Y",
                    file.len()
                ),
            }));
        }
        let mut bytes = [0; BINARY_HEADER_BYTES];
        bytes.copy_from_slice(&file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?);
        let text = file.copy(0, TEXT_HEADER_BYTES)?;

        let mut decisions = Vec::new();
        let (order, because) = byte_order(file, &bytes, overrides);
        decide(&mut decisions, "byte order", order, because);
        let binary = BinaryHeader { bytes, order };
        let format = format(file, &binary, overrides)?;
        let because = if overrides.format.is_some() { "option --format" } else { "bytes 3225-3226" };
        decide(&mut decisions, "sample format", format!("{} {}", format.code, format.name), because);

        let mut warnings = Vec::new();
        let (revision, rev2) = revision(&binary, &mut decisions, &mut warnings);
        let text_encoding = text::detect(&text);
        decide(
            &mut decisions,
            "textual header",
            format!("{text_encoding:?}").to_uppercase(),
            "more of it reads as text",
        );
        if !text::is_text(&text, text_encoding) {
            warnings
                .push("the textual header (bytes 1-3200) does not read as text; its bytes are kept as they are".into());
        }
        Ok(Self { file, overrides, watch, binary, format, revision, rev2, text_encoding, decisions, warnings })
    }

    fn layout(mut self) -> Result<Layout> {
        let fit = fit_lengths::find(&self)?;
        for (what, value, because) in &fit.decisions {
            decide(&mut self.decisions, what, value, because);
        }
        self.warnings.extend(fit.warnings);
        let first = self.file.copy(fit.first_trace_offset, TRACE_HEADER_BYTES)?;
        let interval_us = self.interval(&first);
        let start_ms = self.start(&first);
        let mut layout = Layout {
            file_bytes: self.file.len(),
            byte_order: self.binary.order,
            pairwise_swapped: self.file.is_pairwise_swapped(),
            revision: self.revision,
            format_code: self.format.code,
            n_traces: fit.n_traces,
            n_samples: fit.n_samples,
            varying: fit.varying,
            interval_us,
            start_ms,
            text_encoding: self.text_encoding,
            n_extended_text_headers: fit.n_extended_text_headers,
            first_trace_offset: fit.first_trace_offset,
            n_additional_headers: fit.n_additional_headers,
            trailing_bytes: fit.trailing_bytes,
            fixed_length: self.fixed_length(),
            trace_counts_agree: false,
            decisions: self.decisions,
            warnings: self.warnings,
        };
        let odd_length = layout.sample_bytes() % 2 == 1 || layout.varying.is_some() && layout.format().bytes % 2 == 1;
        if layout.pairwise_swapped && odd_length {
            return Err(Error::Input(format!(
                "{}: its bytes are swapped in pairs and its traces have {} bytes, an odd number, so that pairs would reach \
                 from one trace into the next",
                self.file.path().display(),
                layout.stride()
            )));
        }
        if layout.pairwise_swapped && !layout.first_trace_offset.is_multiple_of(2) {
            return Err(Error::Input(format!(
                "{}: its bytes are swapped in pairs and its first trace begins at offset {}, an odd number, so that a pair \
                 would reach from the headers into it",
                self.file.path().display(),
                layout.first_trace_offset
            )));
        }
        // A count given by the user stands against whatever the trace headers say.
        if self.overrides.n_samples.is_none() && layout.varying.is_none() {
            check_trace_lengths(self.file, &mut layout)?;
        }
        Ok(layout)
    }

    /// Bytes 3503-3504: all traces are of the length that the binary header says.
    pub(super) fn fixed_length(&self) -> bool {
        self.binary.i16(3503) == 1
    }

    /// The unsigned 16-bit number at `byte` (from 1) of a trace header.
    pub(super) fn trace_u16(&self, header: &[u8], byte: usize) -> u16 {
        u16::from_be_bytes(big_endian(header, byte - 1, self.binary.order))
    }

    fn interval(&mut self, first: &[u8]) -> Option<f64> {
        let binary = self.binary.u16(3217);
        let trace = self.trace_u16(first, SAMPLE_INTERVAL_BYTE);
        let extended = if self.rev2 { self.binary.f64(3273) } else { 0.0 };
        let (value, because) = if let Some(value) = self.overrides.interval_us {
            (value, "option --interval")
        } else if extended.is_finite() && extended > 0.0 {
            (extended, "bytes 3273-3280 (rev 2 extended interval)")
        } else if binary != 0 {
            if trace != 0 && trace != binary {
                self.warnings.push(format!(
                    "the binary header says {binary} µs per sample (bytes 3217-3218), the first trace header {trace} \
                     (bytes 117-118); the binary header is taken (--interval overrides)"
                ));
            }
            (f64::from(binary), "bytes 3217-3218")
        } else if trace != 0 {
            (f64::from(trace), "bytes 117-118 of the first trace header, as the binary header says 0")
        } else {
            self.warnings.push(
                "the sample interval is 0 in the binary header (bytes 3217-3218) and in the first trace header (bytes \
                 117-118); the sample axis counts samples (--interval gives microseconds)"
                    .into(),
            );
            return None;
        };
        decide(&mut self.decisions, "sample interval", format!("{value} µs"), because);
        Some(value)
    }

    /// Delay recording time (bytes 109-110) of the first trace with its scalar (bytes 215-216), in milliseconds.
    fn start(&mut self, first: &[u8]) -> f64 {
        let delay = self.trace_u16(first, 109) as i16;
        let scalar = self.trace_u16(first, 215) as i16;
        let start = apply_scalar(f64::from(delay), scalar);
        decide(&mut self.decisions, "first sample", format!("{start} ms"), "bytes 109-110 of the first trace header");
        start
    }
}

fn decide(list: &mut Vec<Decision>, what: &str, value: impl ToString, because: impl ToString) {
    list.push(Decision { what: what.into(), value: value.to_string(), because: because.to_string() });
}

fn is_pairwise_swapped(file: &SegyFile, overrides: &Overrides) -> Result<bool> {
    if overrides.byte_order.is_some() || file.len() < FILE_HEADER_BYTES {
        return Ok(false);
    }
    Ok(big_endian(&file.copy(3296, 4)?, 0, ByteOrder::Big) == PAIRWISE_CONSTANT.to_be_bytes())
}

fn byte_order(file: &SegyFile, bytes: &[u8], overrides: &Overrides) -> (ByteOrder, String) {
    if let Some(order) = overrides.byte_order {
        return (order, "option --endian".into());
    }
    let constant = u32::from_be_bytes(big_endian(bytes, 96, ByteOrder::Big));
    match constant {
        BYTE_ORDER_CONSTANT if file.is_pairwise_swapped() => {
            return (ByteOrder::Big, "the constant at bytes 3297-3300, whose bytes are swapped in pairs".into());
        }
        BYTE_ORDER_CONSTANT => return (ByteOrder::Big, "the constant at bytes 3297-3300".into()),
        0x0403_0201 => return (ByteOrder::Little, "the constant at bytes 3297-3300".into()),
        _ => {}
    }
    let code = u16::from_be_bytes([bytes[24], bytes[25]]);
    let orders = [(ByteOrder::Big, code), (ByteOrder::Little, code.swap_bytes())];
    match orders.into_iter().find(|&(_, code)| sample_format(code).is_some()) {
        Some((order, code)) => (order, format!("the format code at bytes 3225-3226 reads {code} that way")),
        // Big-endian is what the standard says; the format code is then refused, or given by the user.
        None => (ByteOrder::Big, "the standard".into()),
    }
}

fn format(file: &SegyFile, binary: &BinaryHeader, overrides: &Overrides) -> Result<&'static SampleFormat> {
    let path = file.path().display();
    if let Some(code) = overrides.format {
        return sample_format(code)
            .ok_or_else(|| Error::Usage(format!("--format {code} is not a sample format; use {}", known_formats())));
    }
    let code = binary.u16(3225);
    sample_format(code).ok_or_else(|| {
        let start = file.copy(0, file.len().min(8192) as usize).unwrap_or_default();
        Error::Input(match sniff::looks_like(&start) {
            Some(what) => format!("{path}: is not SEG-Y but looks like {what}"),
            None => format!(
                "{path}: bytes 3225-3226 hold {code}, which is not a sample format; if it is SEG-Y all the same, give \
                 its format with --format ({})",
                known_formats()
            ),
        })
    })
}

/// The revision to read by, and whether the fields of rev 2 are believed.
fn revision(binary: &BinaryHeader, decisions: &mut Vec<Decision>, warnings: &mut Vec<String>) -> ((u8, u8), bool) {
    let (major, minor) = (binary.u8(3501), binary.u8(3502));
    let constant = binary.u32(3297) == BYTE_ORDER_CONSTANT;
    let (revision, because) = match (major, minor) {
        (1 | 2, _) => ((major, minor), "bytes 3501-3502"),
        (0, 1 | 2) => ((minor, 0), "bytes 3501-3502, stored in swapped order"),
        (0, 0) => ((0, 0), "bytes 3501-3502"),
        _ if constant => ((2, 0), "the byte-order constant; bytes 3501-3502 are no published revision"),
        _ => ((0, 0), "bytes 3501-3502 are no published revision"),
    };
    if !matches!((major, minor), (0, 0..=2) | (1, 0) | (2, 0 | 1)) {
        warnings.push(format!(
            "the revision bytes 3501-3502 ({major:02x} {minor:02x}) are no published revision; the file is read as rev {}.{}",
            revision.0, revision.1
        ));
    }
    decide(decisions, "revision", format!("{}.{}", revision.0, revision.1), because);
    (revision, revision.0 >= 2 || constant)
}

/// Compares the sample count of some trace headers, spread over the file, with the one decided on.
///
/// Many files carry a stale count that is the same in every header; that is noted and harmless. Where the first
/// header agrees, another that differs means traces of varying length, and the offsets would be wrong.
fn check_trace_lengths(file: &SegyFile, layout: &mut Layout) -> Result<()> {
    let order = layout.byte_order;
    let count = |layout: &Layout, index: u64| -> Result<u16> {
        let offset = layout.trace_offset(index) + SAMPLE_COUNT_BYTE as u64 - 1;
        Ok(u16::from_be_bytes(big_endian(&file.copy(offset, 2)?, 0, order)))
    };
    let first = count(layout, 0)?;
    layout.trace_counts_agree = u32::from(first) == layout.n_samples;
    if first == 0 || layout.n_samples > u32::from(u16::MAX) {
        return Ok(());
    }
    if !layout.trace_counts_agree && layout.fixed_length {
        layout.warnings.push(format!(
            "the first trace header says {first} samples (bytes 115-116), the binary header {} and fixed length; the \
             binary header is taken",
            layout.n_samples
        ));
        return Ok(());
    }
    if !layout.trace_counts_agree {
        return contradicted_count(file, layout, first);
    }
    let probes = 64.min(layout.n_traces);
    for probe in 0..probes {
        let index = u64::try_from(u128::from(probe) * u128::from(layout.n_traces) / u128::from(probes)).unwrap_or(0);
        let n = count(layout, index)?;
        file.release_around(layout.trace_offset(index));
        if !layout.fixed_length && n != 0 && u32::from(n) != layout.n_samples {
            return Err(odd_trace(file.path(), index, n, layout.n_samples));
        }
    }
    Ok(())
}

/// The trace headers say another sample count than was decided on, and nothing says that traces have a fixed length.
/// Where their count fits the file as well, nobody can tell which one is meant.
fn contradicted_count(file: &SegyFile, layout: &mut Layout, first: u16) -> Result<()> {
    let n_samples = layout.n_samples;
    let (data, format) = (layout.file_bytes - layout.first_trace_offset - layout.trailing_bytes, layout.format());
    let stride = (layout.header_bytes() + usize::from(first) * format.bytes) as u64;
    let repeated = |index: u64| {
        let count = file.copy(layout.first_trace_offset + index * stride + SAMPLE_COUNT_BYTE as u64 - 1, 2);
        count.is_ok_and(|b| u16::from_be_bytes(big_endian(&b, 0, layout.byte_order)) == first)
    };
    let n = data / stride;
    if data.is_multiple_of(stride) && (0..n.min(8)).all(repeated) {
        return Err(Error::Input(format!(
            "{}: the binary header says {n_samples} samples (bytes 3221-3222), which makes {} traces, the trace headers {first} \
             (bytes 115-116), which makes {n}; choose with --samples",
            file.path().display(),
            layout.n_traces
        )));
    }
    layout.warnings.push(format!(
        "the first trace header says {first} samples (bytes 115-116), {n_samples} fits the file and is taken"
    ));
    Ok(())
}

/// The refusal of a file whose traces differ in length.
pub fn odd_trace(path: &Path, index: u64, n: u16, n_samples: u32) -> Error {
    Error::Input(format!(
        "{}: trace {} says {n} samples (bytes 115-116) where the others have {n_samples}; if its length is another, \
         --ragged pad imports traces of varying length; if the count in the trace headers is wrong, give --samples {n_samples}",
        path.display(),
        index + 1
    ))
}

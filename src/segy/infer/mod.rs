//! Working out what the bytes of a SEG-Y file mean: byte order, revision, sample format and count, where the traces
//! lie.
//!
//! Source: SEG-Y rev 2.1, sections 4 to 6.

pub(crate) mod fit;
pub(crate) mod fit_lengths;
pub(crate) mod float_kind;
pub(crate) mod foreign;
pub(crate) mod last_bytes;
pub(crate) mod objections;
pub(crate) mod passcal;
pub(crate) mod sample_look;
pub(crate) mod second_header;
pub(crate) mod seismic_unix;
pub(crate) mod shifted;
pub(crate) mod traces_only;
pub(crate) mod what_fits;

use crate::base::error::{Error, Result};
use crate::segy::binary_header::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, BinaryHeader, big_endian};
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::layout::{Decision, FILE_HEADER_BYTES, InputFormat, Layout, Overrides};
use crate::segy::lengths::ragged::Watch;
use crate::segy::lengths::trace_counts::{check_trace_lengths, look_at_the_last_header};
use crate::segy::samples::format::{ByteOrder, SampleFormat, known_formats, sample_format};
use crate::segy::tape_label::{self, LABEL_BYTES};
use crate::segy::text::{self, TEXT_HEADER_BYTES, TextEncoding};

/// The rev 2 byte order constant, at bytes 3297-3300.
const BYTE_ORDER_CONSTANT: u32 = 0x0102_0304;
/// The same constant with neighbouring bytes swapped.
const PAIRWISE_CONSTANT: u32 = 0x0201_0403;

/// Reads the headers of a file and works out its layout. `watch` is called now and then in a walk through all trace headers.
///
/// # Errors
/// `Error::Input` if it cannot be read, is not SEG-Y, contradicts itself or ends inside a trace; the message lists what would
/// fit.
pub(crate) fn layout(file: &mut SegyFile, overrides: &Overrides, watch: &Watch) -> Result<Layout> {
    let decided = decide_all(file, overrides, watch);
    file.check_reads()?;
    decided
}

fn decide_all(file: &mut SegyFile, overrides: &Overrides, watch: &Watch) -> Result<Layout> {
    let mut layout = of_kind(file, overrides, watch)?;
    if let Some(order) = overrides.sample_byte_order.filter(|order| *order != layout.byte_order) {
        layout.sample_order = Some(order);
        decide(&mut layout.decisions, "byte order of the samples", order, "option --sample-endian");
    }
    // The user's choice of format settles it.
    if overrides.format.is_none() {
        let look = if overrides.sample_byte_order.is_some() { None } else { sample_look::warning(file, &layout)? };
        // IBM or IEEE is a question only if the words are floats.
        let look = look.map_or_else(|| float_kind::warning(file, &layout), |look| Ok(Some(look)))?;
        layout.warnings.extend(look);
    }
    Ok(layout)
}

fn of_kind(file: &mut SegyFile, overrides: &Overrides, watch: &Watch) -> Result<Layout> {
    let by_name = file.path().extension().is_some_and(|e| e.eq_ignore_ascii_case("su"));
    let kind = overrides.input_format.or(by_name.then_some(InputFormat::Su));
    match kind {
        Some(InputFormat::Su) => match seismic_unix::infer(file, overrides, watch) {
            Err(Error::Input(_)) if overrides.input_format.is_none() && of_segy(file, overrides, watch).is_ok() => {
                Err(Error::Input(format!(
                    "{}: is named .su and is SEG-Y by its file header; --input-format segy reads it",
                    file.path().display()
                )))
            }
            decided => decided,
        },
        Some(InputFormat::Passcal) => passcal::infer(file, overrides),
        _ => match of_segy(file, overrides, watch) {
            // Without a file header there was nothing to agree.
            Err(Error::Input(_)) if kind.is_none() && passcal::is_it(file) => passcal::infer(file, overrides),
            Err(Error::Input(message)) => Err(Error::Input(other_kind(file).unwrap_or(message))),
            decided => decided,
        },
    }
}

fn of_segy(file: &mut SegyFile, overrides: &Overrides, watch: &Watch) -> Result<Layout> {
    let label = tape_label::find(file)?;
    if label.is_some() {
        file.skip_label(LABEL_BYTES)?;
    }
    // Swapped only after the textual header, whose characters are single bytes.
    if is_pairwise_swapped(file, overrides)? {
        file.swap_pairs_from(BINARY_HEADER_OFFSET);
    }
    Inference::new(file, overrides, label, watch)?.layout()
}

/// What a file that cannot be read as SEG-Y is, if it is of a known other kind, or nearly SEG-Y.
fn other_kind(file: &SegyFile) -> Option<String> {
    let what = traces_only::looks_like(file).map(|what| format!("{}: {what}", file.path().display()));
    what.or_else(|| shifted::refusal(file).map(|refusal| refusal.to_string()))
}

/// The headers of a file and what has been decided about it so far.
pub(crate) struct Inference<'a> {
    pub(crate) file: &'a SegyFile,
    pub(crate) overrides: &'a Overrides,
    pub(crate) watch: &'a Watch<'a>,
    pub(crate) binary: BinaryHeader,
    /// Byte order of the trace headers.
    pub(crate) trace_order: ByteOrder,
    pub(crate) format: &'static SampleFormat,
    pub(crate) revision: (u8, u8),
    /// Whether to trust the fields added in rev 2.
    pub(crate) rev2: bool,
    pub(crate) text_encoding: TextEncoding,
    decisions: Vec<Decision>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Inference<'a> {
    pub(crate) fn new(
        file: &'a SegyFile,
        overrides: &'a Overrides,
        label: Option<String>,
        watch: &'a Watch<'a>,
    ) -> Result<Self> {
        if file.len() < FILE_HEADER_BYTES {
            let start = file.copy(0, file.len() as usize)?;
            let path = file.path().display();
            return Err(Error::Input(match foreign::looks_like(&start) {
                Some(what) => format!("{path}: is not SEG-Y but looks like {what}"),
                None => format!(
                    "{path}: holds {} bytes, less than the 3600 of a SEG-Y file header; it is truncated or not SEG-Y",
                    file.len()
                ),
            }));
        }
        let mut bytes = [0; BINARY_HEADER_BYTES];
        bytes.copy_from_slice(&file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?);
        let text = file.copy(0, TEXT_HEADER_BYTES)?;

        let mut decisions = Vec::new();
        if let Some(revision) = label {
            decide(
                &mut decisions,
                "tape label",
                format!("{LABEL_BYTES} bytes in front, skipped"),
                format!("{revision} at bytes 5-9"),
            );
        }
        let (order, because) = byte_order(file, &bytes, overrides);
        decide(&mut decisions, "byte order", order, because);
        let binary = BinaryHeader { bytes, order };
        let format = format(file, &binary, overrides)?;
        let mut warnings = Vec::new();
        let trace_order = trace_order(file, &binary, format, overrides, &mut decisions, &mut warnings);
        let because = if overrides.format.is_some() { "option --format" } else { "bytes 3225-3226" };
        decide(&mut decisions, "sample format", format!("{} {}", format.code, format.name), because);

        let (revision, rev2) = revision(&binary, overrides, &mut decisions, &mut warnings);
        let (text_encoding, because) = match overrides.text_encoding {
            Some(encoding) => (encoding, "option --text-encoding"),
            None => (text::detect(&text), "more of it reads as text"),
        };
        decide(&mut decisions, "textual header", text_encoding.name(), because);
        if !text::is_text(&text, text_encoding) {
            warnings
                .push("the textual header (bytes 1-3200) does not read as text; its bytes are kept as they are".into());
        }
        if overrides.text_encoding.is_none() {
            warnings.extend(text::hint(&text, text_encoding));
        }
        Ok(Self {
            file,
            overrides,
            watch,
            binary,
            trace_order,
            format,
            revision,
            rev2,
            text_encoding,
            decisions,
            warnings,
        })
    }

    pub(crate) fn layout(mut self) -> Result<Layout> {
        let fit = fit_lengths::find(&self)?;
        for (what, value, because) in &fit.decisions {
            decide(&mut self.decisions, what, value, because);
        }
        self.warnings.extend(fit.warnings);
        let first = self.file.copy(fit.first_trace_offset, TRACE_HEADER_BYTES)?;
        let axis = self.axis(&first, fit.n_samples)?;
        let mut layout = Layout {
            file_bytes: self.file.stored_len(),
            kind: InputFormat::Segy,
            label_bytes: self.file.stored_len() - self.file.len(),
            byte_order: self.trace_order,
            sample_order: None,
            binary_order: (self.binary.order != self.trace_order).then_some(self.binary.order),
            pairwise_swapped: self.file.is_pairwise_swapped(),
            revision: self.revision,
            format_code: self.format.code,
            n_traces: fit.n_traces,
            n_samples: fit.n_samples,
            varying: fit.varying,
            axis,
            text_encoding: self.text_encoding,
            text_encoding_given: self.overrides.text_encoding.is_some(),
            n_extended_text_headers: fit.n_extended_text_headers,
            first_trace_offset: fit.first_trace_offset,
            n_additional_headers: fit.n_additional_headers,
            trailing_bytes: fit.trailing_bytes,
            sorting_code: Some(self.binary.i16(3229)),
            measurement_system: self.binary.i16(3255),
            fixed_length: self.fixed_length(),
            trace_counts_agree: false,
            decisions: self.decisions,
            warnings: self.warnings,
        };
        let odd_length = layout.sample_bytes() % 2 == 1 || layout.varying.is_some() && layout.format().bytes % 2 == 1;
        if layout.pairwise_swapped && odd_length {
            return Err(Error::Input(format!(
                "{}: its bytes are swapped in pairs and its traces have {} bytes, an odd number, so a pair would reach \
                 from one trace into the next",
                self.file.path().display(),
                layout.stride()
            )));
        }
        if layout.pairwise_swapped && !layout.first_trace_offset.is_multiple_of(2) {
            return Err(Error::Input(format!(
                "{}: its bytes are swapped in pairs and its first trace begins at offset {}, an odd number, so a pair \
                 would reach from the headers into it",
                self.file.path().display(),
                layout.first_trace_offset
            )));
        }
        if layout.varying.is_none() {
            second_header::check(self.file, layout.first_trace_offset, layout.stride() as u64, layout.n_traces)?;
        }
        // A count from the user overrides the trace headers.
        if self.overrides.n_samples.is_none() && layout.varying.is_none() {
            check_trace_lengths(self.file, &mut layout)?;
        }
        if layout.varying.is_none() {
            look_at_the_last_header(self.file, &mut layout)?;
        }
        Ok(layout)
    }

    /// Bytes 3503-3504: whether all traces have the length given in the binary header.
    pub(crate) fn fixed_length(&self) -> bool {
        self.binary.i16(3503) == 1
    }

    /// The unsigned 16-bit number at `byte` (from 1) of a trace header.
    pub(crate) fn trace_u16(&self, header: &[u8], byte: usize) -> u16 {
        u16::from_be_bytes(big_endian(header, byte - 1, self.trace_order))
    }

    /// The same headers read by another revision, with nothing decided yet.
    pub(crate) fn as_revision(&self, revision: (u8, u8)) -> Self {
        Self {
            binary: self.binary.clone(),
            revision,
            rev2: revision.0 >= 2,
            decisions: Vec::new(),
            warnings: Vec::new(),
            ..*self
        }
    }

    /// Records a decision and its reason.
    pub(crate) fn decide(&mut self, what: &str, value: impl ToString, because: impl ToString) {
        decide(&mut self.decisions, what, value, because);
    }
}

fn decide(list: &mut Vec<Decision>, what: &str, value: impl ToString, because: impl ToString) {
    list.push(Decision { what: what.into(), value: value.to_string(), because: because.to_string() });
}

pub(crate) fn is_pairwise_swapped(file: &SegyFile, overrides: &Overrides) -> Result<bool> {
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
        None if fits_size(file, bytes, ByteOrder::Little) && !fits_size(file, bytes, ByteOrder::Big) => (
            ByteOrder::Little,
            "the number of samples at bytes 3221-3222, which fits the file size only that way".into(),
        ),
        // The standard says big-endian; the format code is then refused, or given by the user.
        None => (ByteOrder::Big, "the standard".into()),
    }
}

/// Whether the number of samples in a binary header makes traces that fill the file, in some sample format.
fn fits_size(file: &SegyFile, bytes: &[u8], order: ByteOrder) -> bool {
    let n_samples = u64::from(u16::from_be_bytes(big_endian(bytes, 20, order)));
    let data = file.len().saturating_sub(FILE_HEADER_BYTES);
    let strides = [1, 2, 3, 4, 8].map(|size| TRACE_HEADER_BYTES as u64 + n_samples * size);
    n_samples > 0 && data > 0 && strides.iter().any(|&stride| data.is_multiple_of(stride))
}

/// The byte order of the trace headers: that of the binary header, unless count and interval of the first trace agree with it
/// in the other order only.
fn trace_order(
    file: &SegyFile,
    binary: &BinaryHeader,
    format: &SampleFormat,
    overrides: &Overrides,
    decisions: &mut Vec<Decision>,
    warnings: &mut Vec<String>,
) -> ByteOrder {
    let (order, other) = match binary.order {
        ByteOrder::Big => (ByteOrder::Big, ByteOrder::Little),
        ByteOrder::Little => (ByteOrder::Little, ByteOrder::Big),
    };
    if let Some(given) = overrides.trace_byte_order {
        decide(decisions, "byte order of the traces", given, "option --trace-endian");
        return given;
    }
    let (n_samples, interval) = (binary.u16(3221), binary.u16(3217));
    let stride = TRACE_HEADER_BYTES as u64 + u64::from(n_samples) * format.bytes as u64;
    let data = file.len() - FILE_HEADER_BYTES;
    let agree = |order: ByteOrder| {
        let says = |trace: u64| {
            let telling = file.copy(FILE_HEADER_BYTES + trace * stride + 114, 4).unwrap_or_default();
            let number = |at: usize| u16::from_be_bytes(big_endian(&telling, at, order));
            telling.len() == 4 && (number(0), number(2)) == (n_samples, interval)
        };
        says(0) && says(data / stride - 1)
    };
    let is_sure = n_samples > 0
        && interval > 0
        && data >= stride
        && data.is_multiple_of(stride)
        && n_samples != n_samples.swap_bytes();
    if overrides.byte_order.is_some() || !is_sure || !agree(other) || agree(order) {
        return order;
    }
    let word = if other == ByteOrder::Big { "big" } else { "little" };
    warnings.push(format!(
        "the binary header is {order} and the trace headers are {other}: there they say {n_samples} samples of {interval} µs too (bytes \
         115-118); --trace-endian {} reads them like the binary header",
        if word == "big" { "little" } else { "big" }
    ));
    decide(
        decisions,
        "byte order of the traces",
        other,
        "bytes 115-118 of the first and the last trace header, which agree with the binary header that way",
    );
    other
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
        Error::Input(match foreign::looks_like(&start) {
            Some(what) => format!("{path}: is not SEG-Y but looks like {what}"),
            None => format!(
                "{path}: bytes 3225-3226 hold {code}, which is not a sample format; if the file is SEG-Y anyway, give \
                 its format with --format ({})",
                known_formats()
            ),
        })
    })
}

/// The revision to read by, and whether to trust the rev 2 fields.
fn revision(
    binary: &BinaryHeader,
    overrides: &Overrides,
    decisions: &mut Vec<Decision>,
    warnings: &mut Vec<String>,
) -> ((u8, u8), bool) {
    if let Some((major, minor)) = overrides.revision {
        decide(decisions, "revision", format!("{major}.{minor}"), "option --revision");
        return ((major, minor), major >= 2);
    }
    let (major, minor) = (binary.u8(3501), binary.u8(3502));
    let constant = binary.u32(3297) == BYTE_ORDER_CONSTANT;
    let (revision, because) = match (major, minor) {
        (1 | 2, _) => ((major, minor), "bytes 3501-3502"),
        (0, 1 | 2) => ((minor, 0), "bytes 3501-3502, stored in swapped order"),
        (0, 0) => ((0, 0), "bytes 3501-3502"),
        _ if constant => ((2, 0), "the byte-order constant, as bytes 3501-3502 hold no published revision"),
        _ => ((0, 0), "the standard, as bytes 3501-3502 hold no published revision"),
    };
    if !matches!((major, minor), (0, 0..=2) | (1, 0) | (2, 0 | 1)) {
        warnings.push(format!(
            "the revision bytes 3501-3502 ({major:02x} {minor:02x}) are not a published revision; the file is read as rev {}.{}",
            revision.0, revision.1
        ));
    }
    decide(decisions, "revision", format!("{}.{}", revision.0, revision.1), because);
    (revision, revision.0 >= 2 || constant)
}

//! PASSCAL files (IRIS): traces without a file header, like Seismic Unix, but with integer samples and fields of their own
//! from byte 181 on. Source: `segy.h` of the PASSCAL software.

use crate::base::error::{Error, Result};
use crate::segy::axis::{Domain, SampleAxis};
use crate::segy::binary_header::big_endian;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::infer::seismic_unix::{of_traces_only, without_file_header};
use crate::segy::layout::{Decision, InputFormat, Layout, Overrides};
use crate::segy::samples::format::{ByteOrder, SampleFormat, sample_format};

/// The sample count in bytes 115-116 that refers to bytes 229-232.
const COUNT_IS_ELSEWHERE: u16 = 32_767;
/// The sample interval in bytes 117-118 that refers to bytes 201-204.
const INTERVAL_IS_ELSEWHERE: u16 = 1;
/// Traces whose headers are compared.
const COMPARED: u64 = 16;

/// What the first trace header says.
struct Header {
    order: ByteOrder,
    n_samples: u32,
    interval_us: f64,
    format: &'static SampleFormat,
    delay_ms: i16,
}

impl Header {
    /// `None` if these bytes cannot be the header of a PASSCAL trace in this byte order.
    fn read(header: &[u8], order: ByteOrder) -> Option<Self> {
        let short = |byte: usize| u16::from_be_bytes(big_endian(header, byte - 1, order));
        let long = |byte: usize| u32::from_be_bytes(big_endian(header, byte - 1, order));
        let format = sample_format(match short(205) {
            0 => 3,
            1 => 2,
            _ => return None,
        })?;
        let n_samples = match short(115) {
            COUNT_IS_ELSEWHERE => long(229),
            n => u32::from(n),
        };
        // This tells it apart from Seismic Unix, which has nothing there.
        let is_said_twice = long(229) == n_samples;
        let interval_us = match short(117) {
            INTERVAL_IS_ELSEWHERE => f64::from(long(201)),
            interval => f64::from(interval),
        };
        (n_samples > 0 && is_said_twice).then_some(Self {
            order,
            n_samples,
            interval_us,
            format,
            delay_ms: short(109) as i16,
        })
    }

    /// Bytes from one trace to the next.
    fn stride(&self) -> u64 {
        TRACE_HEADER_BYTES as u64 + u64::from(self.n_samples) * self.format.bytes as u64
    }

    /// Whether the file is made of such traces.
    fn fits(&self, file: &SegyFile) -> bool {
        let n = file.len() / self.stride();
        let agrees = |index: u64| {
            let header = file.copy(index * self.stride(), TRACE_HEADER_BYTES).ok();
            header
                .and_then(|h| Self::read(&h, self.order))
                .is_some_and(|h| h.n_samples == self.n_samples && h.format.code == self.format.code)
        };
        n > 0 && file.len().is_multiple_of(self.stride()) && (0..n.min(COMPARED)).all(agrees)
    }
}

/// The header of the first trace, if the file is a PASSCAL file.
fn recognised(file: &SegyFile, overrides: &Overrides) -> Option<Header> {
    let first =
        file.copy(0, TRACE_HEADER_BYTES.min(file.len() as usize)).ok().filter(|h| h.len() == TRACE_HEADER_BYTES)?;
    let orders = [ByteOrder::Big, ByteOrder::Little]
        .into_iter()
        .filter(|o| overrides.byte_order.is_none_or(|wanted| wanted == *o));
    orders.filter_map(|order| Header::read(&first, order)).find(|header| header.fits(file))
}

/// Whether the file is a PASSCAL file by its headers and its size.
pub(crate) fn is_it(file: &SegyFile) -> bool {
    recognised(file, &Overrides::default()).is_some()
}

/// Works out the layout of a PASSCAL file.
///
/// # Errors
/// `Error::Input` if its headers do not agree with each other and the file size.
pub(crate) fn infer(file: &SegyFile, overrides: &Overrides) -> Result<Layout> {
    without_file_header(overrides, "PASSCAL")?;
    let header = recognised(file, overrides).ok_or_else(|| {
        Error::Input(format!(
            "{}: is not a PASSCAL file: its trace headers (sample count in bytes 115-116 or 229-232, sample form in bytes 205-206) do \
             not agree with its {} bytes",
            file.path().display(),
            file.len()
        ))
    })?;
    let n_traces = file.len() / header.stride();
    let axis = SampleAxis {
        start: overrides.start_in(Some("ms")).unwrap_or_else(|| f64::from(header.delay_ms)),
        interval: overrides
            .interval_in(Domain::Time, Some("ms"))
            .or((header.interval_us > 0.0).then_some(header.interval_us / 1000.0)),
        ..SampleAxis::of_time()
    };
    let is_long = header.n_samples >= u32::from(COUNT_IS_ELSEWHERE);
    let count =
        if is_long { "bytes 229-232 of the first trace header" } else { "bytes 115-116 of the first trace header" };
    let decision =
        |what: &str, value: String, because: &str| Decision { what: what.into(), value, because: because.into() };
    let by =
        if overrides.input_format.is_some() { "option --input-format" } else { "the trace headers and the file size" };
    let interval = match (overrides.interval.is_some(), axis.interval) {
        (true, _) => "option --interval",
        (false, _) => "bytes 117-118 or 201-204 of the first trace header",
    };
    let start = if overrides.start.is_some() { "option --start" } else { "bytes 109-110 of the first trace header" };
    let mut decisions = vec![
        decision("file", "PASSCAL".into(), by),
        decision("byte order", header.order.to_string(), "the sample count, said twice (bytes 115-116 and 229-232)"),
        decision("sample format", format!("{} {}", header.format.code, header.format.name), "bytes 205-206"),
        decision("samples per trace", header.n_samples.to_string(), count),
        decision("traces", n_traces.to_string(), "the file size"),
    ];
    decisions.extend(axis.interval.map(|_| decision("sample interval", axis.interval_text(), interval)));
    decisions.push(decision("first sample", axis.start_text(), start));
    Ok(Layout {
        kind: InputFormat::Passcal,
        byte_order: header.order,
        format_code: header.format.code,
        n_traces,
        n_samples: header.n_samples,
        axis,
        trace_counts_agree: !is_long,
        decisions,
        ..of_traces_only(file)
    })
}

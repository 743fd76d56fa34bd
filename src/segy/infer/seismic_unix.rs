//! Seismic Unix files: traces as in SEG-Y, IEEE float32, in the byte order of the machine that wrote them, without a
//! file header. Source: Seismic Unix, `segy.h` and `segyread`.

use crate::base::error::{Error, Result};
use crate::segy::axis::{Domain, SampleAxis};
use crate::segy::binary_header::big_endian;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::layout::{Decision, Layout, Overrides};
use crate::segy::lengths::ragged::{Chain, End, Ragged, Walk, Watch};
use crate::segy::samples::format::{ByteOrder, sample_format};
use crate::segy::text::TextEncoding;

/// Default sample format code: IEEE float32.
const FLOAT32: u16 = 5;
/// Traces whose sample counts are compared to find the byte order.
const COMPARED: u64 = 16;

/// The file as read in one byte order.
struct Reading {
    order: ByteOrder,
    n_samples: u32,
    n_traces: u64,
    rest: u64,
}

/// Works out the layout of a Seismic Unix file.
///
/// # Errors
/// `Error::Input` if the sample count of the first trace fits the file size in neither byte order.
pub(crate) fn infer(file: &SegyFile, overrides: &Overrides, watch: &Watch) -> Result<Layout> {
    let path = file.path().display();
    let of_segy = [
        ("--extended-headers", overrides.extended_text_headers.is_some()),
        ("--revision", overrides.revision.is_some()),
        ("--trailer", overrides.trailer_bytes.is_some()),
        ("--text-encoding", overrides.text_encoding.is_some()),
    ];
    if let Some((option, _)) = of_segy.into_iter().find(|(_, given)| *given) {
        return Err(Error::Usage(format!("{option} is for SEG-Y files, and a Seismic Unix file has no such part")));
    }
    let header_bytes = TRACE_HEADER_BYTES as u64;
    if file.len() < header_bytes {
        return Err(Error::Input(format!(
            "{path}: holds {} bytes, less than the {header_bytes} of one Seismic Unix trace header",
            file.len()
        )));
    }
    let format_code = overrides.format.unwrap_or(FLOAT32);
    let format = sample_format(format_code).ok_or_else(|| {
        Error::Usage(format!(
            "--format {format_code} is not a sample format; use {}",
            crate::segy::samples::format::known_formats()
        ))
    })?;
    let first = file.copy(0, TRACE_HEADER_BYTES)?;
    let number = |byte: usize, order| u16::from_be_bytes(big_endian(&first, byte - 1, order));
    let read = |order| {
        let n_samples = overrides.n_samples.unwrap_or_else(|| u32::from(number(115, order)));
        let stride = header_bytes + u64::from(n_samples) * format.bytes as u64;
        Reading { order, n_samples, n_traces: file.len() / stride, rest: file.len() % stride }
    };
    let orders = match overrides.byte_order {
        Some(order) => vec![order],
        None => vec![ByteOrder::Big, ByteOrder::Little],
    };
    let chained = if overrides.ragged == Ragged::Pad && overrides.n_samples.is_none() {
        by_stated_lengths(file, &orders, format.bytes, overrides.allow_truncated, watch)?
    } else {
        None
    };
    let readings: Vec<Reading> = orders.into_iter().map(read).filter(|r| r.n_samples > 0).collect();
    let whole = readings.iter().filter(|r| r.n_traces > 0 && r.rest == 0);
    let agreeing = whole.max_by_key(|r| agreement(file, r, format.bytes as u64));
    let cut = || readings.iter().find(|r| r.n_traces > 0 && overrides.allow_truncated);
    let (reading, varying) = match &chained {
        Some((reading, walk)) => (reading, Some(&walk.index)),
        None => (agreeing.or_else(cut).ok_or_else(|| refusal(file, &readings))?, None),
    };

    let order = reading.order;
    let trailing_bytes = reading.rest;
    let mut warnings = Vec::new();
    let varying = varying.filter(|index| index.min_samples != reading.n_samples).cloned();
    let counts = match &varying {
        None => reading.n_samples.to_string(),
        Some(index) => format!("{} to {}", index.min_samples, reading.n_samples),
    };
    if varying.is_some() {
        warnings.push(format!(
            "traces have {counts} samples (bytes 115-116): shorter ones are padded with 0, and the column n_samples says how \
             many each has"
        ));
    }
    if trailing_bytes > 0 {
        warnings.push(format!("the file ends inside trace {}; the whole ones are taken", reading.n_traces + 1));
    }
    let interval = number(117, order);
    let axis = axis(
        overrides,
        interval,
        crate::segy::apply_scalar(f64::from(number(109, order) as i16), number(215, order) as i16),
    );
    if axis.interval.is_none() {
        warnings.push(
            "the sample interval in the first trace header (bytes 117-118) is 0; the sample axis counts samples".into(),
        );
    }
    let decision =
        |what: &str, value: String, because: &str| Decision { what: what.into(), value, because: because.into() };
    let count = match chained {
        None => "bytes 115-116 of the first trace header, and the file size",
        Some(_) => "the count in each trace header (bytes 115-116)",
    };
    let mut decisions = vec![
        decision("file", "Seismic Unix".into(), "the name or --input-format"),
        decision("byte order", order.to_string(), count),
        decision("sample format", format!("{} {}", format.code, format.name), "Seismic Unix"),
        decision("samples per trace", counts, count),
        decision("traces", reading.n_traces.to_string(), "the file size"),
    ];
    if overrides.domain.is_some() {
        decisions.push(decision("domain", format!("{:?}", axis.domain).to_lowercase(), "option --domain"));
    }
    if let Some(value) = axis.interval {
        let because =
            if overrides.interval.is_some() { "option --interval" } else { "bytes 117-118 of the first trace header" };
        decisions.push(decision("sample interval", format!("{value} {}", axis.interval_units()), because));
    }
    let because = if overrides.start.is_some() { "option --start" } else { "bytes 109-110 of the first trace header" };
    let units = axis.units.as_deref().unwrap_or("units of depth");
    decisions.push(decision("first sample", format!("{} {units}", axis.start), because));
    Ok(Layout {
        file_bytes: file.stored_len(),
        label_bytes: 0,
        byte_order: order,
        pairwise_swapped: false,
        revision: (0, 0),
        format_code,
        n_traces: reading.n_traces,
        n_samples: reading.n_samples,
        varying,
        axis,
        text_encoding: TextEncoding::Ascii,
        text_encoding_given: false,
        n_extended_text_headers: 0,
        first_trace_offset: 0,
        n_additional_headers: 0,
        trailing_bytes,
        fixed_length: false,
        trace_counts_agree: overrides.n_samples.is_none(),
        decisions,
        warnings,
    })
}

/// The sample axis, in milliseconds unless the user says otherwise; no header gives units for depths.
fn axis(overrides: &Overrides, interval: u16, delay: f64) -> SampleAxis {
    let domain = overrides.domain.unwrap_or_default();
    let units = match domain {
        Domain::Time => Some("ms"),
        Domain::Depth => None,
        Domain::Frequency => Some("Hz"),
    };
    SampleAxis {
        domain,
        units: units.map(str::to_owned),
        start: overrides.start.unwrap_or(delay),
        interval: overrides.interval.or((interval > 0).then_some(f64::from(interval))),
    }
}

/// The byte order in which the chain of trace headers ends at the end of the file.
fn by_stated_lengths(
    file: &SegyFile,
    orders: &[ByteOrder],
    sample_bytes: usize,
    allow_truncated: bool,
    watch: &Watch,
) -> Result<Option<(Reading, Walk)>> {
    for &order in orders {
        let chain = Chain { file, start: 0, end: file.len(), header_bytes: TRACE_HEADER_BYTES, sample_bytes, order };
        let walk = chain.walk(watch)?;
        let is_cut = matches!(walk.how, End::Rest(_) | End::Cut { .. }) && allow_truncated && orders.len() == 1;
        if walk.n_traces > 0 && (walk.how == End::Exact || is_cut) {
            let rest = file.len() - walk.index.end;
            return Ok(Some((Reading { order, n_samples: walk.max_samples, n_traces: walk.n_traces, rest }, walk)));
        }
    }
    Ok(None)
}

/// How many of a few traces repeat the sample count, which hardly ever happens in the wrong byte order.
fn agreement(file: &SegyFile, reading: &Reading, sample_bytes: u64) -> usize {
    let stride = TRACE_HEADER_BYTES as u64 + u64::from(reading.n_samples) * sample_bytes;
    let count = |index: u64| {
        let bytes = file.copy(index * stride + 114, 2).ok()?;
        Some(u32::from(u16::from_be_bytes(big_endian(&bytes, 0, reading.order))))
    };
    (0..reading.n_traces.min(COMPARED)).filter(|&i| count(i) == Some(reading.n_samples)).count()
}

fn refusal(file: &SegyFile, readings: &[Reading]) -> Error {
    let path = file.path().display();
    let tried: Vec<String> = readings.iter().map(|r| format!("{} samples if {}", r.n_samples, r.order)).collect();
    if tried.is_empty() {
        return Error::Input(format!("{path}: the first trace header says 0 samples (bytes 115-116); give --samples"));
    }
    Error::Input(format!(
        "{path}: is not a Seismic Unix file of {} bytes: the first trace header says {} (bytes 115-116), and neither fits; give \
         --samples, or --allow-truncated to import only the whole traces",
        file.len(),
        tried.join(", ")
    ))
}

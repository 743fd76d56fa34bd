//! Seismic Unix files: traces as in SEG-Y, IEEE float32, in the byte order of the machine that wrote them, without a
//! file header. Source: Seismic Unix, `segy.h` and `segyread`.

use crate::base::error::{Error, Result};
use crate::segy::axis::{Domain, SampleAxis};
use crate::segy::binary_header::big_endian;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::infer::fit_lengths::refuse_odd_trace;
use crate::segy::infer::foreign;
use crate::segy::layout::{Decision, InputFormat, Layout, Overrides};
use crate::segy::lengths::ragged::{Chain, End, Ragged, Walk, Watch};
use crate::segy::lengths::trace_counts::{check_trace_lengths, look_at_the_last_header};
use crate::segy::quantity::{Quantity, Unit};
use crate::segy::samples::format::{ByteOrder, SampleFormat, known_formats, sample_format};
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
    without_file_header(overrides, "Seismic Unix")?;
    let header_bytes = TRACE_HEADER_BYTES as u64;
    if file.len() < header_bytes {
        return Err(Error::Input(format!(
            "{path}: holds {} bytes, less than the {header_bytes} of one Seismic Unix trace header",
            file.len()
        )));
    }
    let format_code = overrides.format.unwrap_or(FLOAT32);
    let format = sample_format(format_code).ok_or_else(|| {
        Error::Usage(format!("--format {format_code} is not a sample format; use {}", known_formats()))
    })?;
    let first = file.copy(0, TRACE_HEADER_BYTES)?;
    let orders = match overrides.byte_order {
        Some(order) => vec![order],
        None => vec![ByteOrder::Big, ByteOrder::Little],
    };
    let chained = if overrides.ragged == Ragged::Pad && overrides.n_samples.is_none() {
        by_stated_lengths(file, &orders, format.bytes, overrides.allow_truncated, watch)?
    } else {
        None
    };
    let readings: Vec<Reading> = orders
        .iter()
        .map(|&order| Reading::new(file, &first, order, overrides, format.bytes))
        .filter(|r| r.n_samples > 0)
        .collect();
    let whole = readings.iter().filter(|r| r.n_traces > 0 && r.rest == 0);
    let agreeing = whole.max_by_key(|r| agreement(file, r, format.bytes as u64));
    let cut = || readings.iter().find(|r| r.n_traces > 0 && overrides.allow_truncated);
    let (reading, varying) = match &chained {
        Some((reading, walk)) => (reading, Some(&walk.index)),
        None => match agreeing.or_else(cut) {
            Some(reading) => (reading, None),
            None => {
                let mut orders = orders.iter().filter(|_| overrides.n_samples.is_none());
                orders.try_for_each(|&order| refuse_odd_trace(&chain(file, order, format.bytes), watch))?;
                return Err(refusal(file, overrides, &first, &readings, format));
            }
        },
    };

    let order = reading.order;
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
    if reading.rest > 0 {
        warnings.push(format!("the file ends inside trace {}; the whole ones are taken", reading.n_traces + 1));
    }
    let decision =
        |what: &str, value: String, because: &str| Decision { what: what.into(), value, because: because.into() };
    let count = match (&chained, overrides.n_samples) {
        (Some(_), _) => "the count in each trace header (bytes 115-116)",
        (None, Some(_)) => "option --samples",
        (None, None) => "bytes 115-116 of the first trace header, and the file size",
    };
    let by = if overrides.input_format.is_some() { "option --input-format" } else { "the name of the file" };
    let by_order = match (overrides.byte_order, overrides.n_samples) {
        (Some(_), _) => "option --endian",
        (None, Some(_)) => "the file size",
        (None, None) => count,
    };
    let by_format = if overrides.format.is_some() { "option --format" } else { "Seismic Unix, which has no other" };
    let mut decisions = vec![
        decision("file", "Seismic Unix".into(), by),
        decision("byte order", order.to_string(), by_order),
        decision("sample format", format!("{} {}", format.code, format.name), by_format),
        decision("samples per trace", counts, count),
        decision("traces", reading.n_traces.to_string(), "the file size"),
    ];
    let axis = axis(overrides, &first, order, &mut decisions)?;
    if axis.interval.is_none() {
        warnings.push(
            "the sample interval in the first trace header is 0 (bytes 117-118, and d1 in bytes 181-184); the sample axis counts \
             samples (--interval gives it)"
                .into(),
        );
    }
    warnings.extend(axis.doubt(reading.n_samples));
    let mut layout = Layout {
        kind: InputFormat::Su,
        byte_order: order,
        format_code,
        n_traces: reading.n_traces,
        n_samples: reading.n_samples,
        varying,
        axis,
        trailing_bytes: reading.rest,
        trace_counts_agree: overrides.n_samples.is_none(),
        decisions,
        warnings,
        ..of_traces_only(file)
    };
    if layout.varying.is_none() {
        // A count from the user overrides the trace headers.
        if overrides.n_samples.is_none() {
            check_trace_lengths(file, &mut layout)?;
        }
        look_at_the_last_header(file, &mut layout)?;
    }
    Ok(layout)
}

/// Refuses options about parts that a file without a file header does not have.
///
/// # Errors
/// `Error::Usage`, naming the option.
pub(crate) fn without_file_header(overrides: &Overrides, kind: &str) -> Result<()> {
    let of_segy = [
        ("--extended-headers", overrides.extended_text_headers.is_some()),
        ("--revision", overrides.revision.is_some()),
        ("--trailer", overrides.trailer_bytes.is_some()),
        ("--text-encoding", overrides.text_encoding.is_some()),
    ];
    let given = of_segy.into_iter().find(|(_, given)| *given);
    given.map_or(Ok(()), |(option, _)| {
        Err(Error::Usage(format!("{option} is for SEG-Y files, and a {kind} file has no such part")))
    })
}

/// The layout of a file that begins with its first trace, with nothing known of the traces.
pub(crate) fn of_traces_only(file: &SegyFile) -> Layout {
    Layout {
        file_bytes: file.stored_len(),
        kind: InputFormat::Su,
        label_bytes: 0,
        byte_order: ByteOrder::Big,
        sample_order: None,
        binary_order: None,
        pairwise_swapped: false,
        revision: (0, 0),
        format_code: FLOAT32,
        n_traces: 0,
        n_samples: 0,
        varying: None,
        axis: SampleAxis::of_time(),
        text_encoding: TextEncoding::Ascii,
        text_encoding_given: false,
        n_extended_text_headers: 0,
        first_trace_offset: 0,
        n_additional_headers: 0,
        trailing_bytes: 0,
        sorting_code: None,
        measurement_system: 0,
        fixed_length: false,
        trace_counts_agree: false,
        decisions: Vec::new(),
        warnings: Vec::new(),
    }
}

impl Reading {
    fn new(file: &SegyFile, first: &[u8], order: ByteOrder, overrides: &Overrides, sample_bytes: usize) -> Self {
        let stated = u32::from(u16::from_be_bytes(big_endian(first, 114, order)));
        let n_samples = overrides.n_samples.unwrap_or(stated);
        let stride = TRACE_HEADER_BYTES as u64 + u64::from(n_samples) * sample_bytes as u64;
        Self { order, n_samples, n_traces: file.len() / stride, rest: file.len() % stride }
    }
}

/// The sample axis: dt (bytes 117-118) and the delay (bytes 109-110), or where dt is 0, d1 and f1 (bytes 181-188).
fn axis(overrides: &Overrides, first: &[u8], order: ByteOrder, decisions: &mut Vec<Decision>) -> Result<SampleAxis> {
    let short = |byte: usize| u16::from_be_bytes(big_endian(first, byte - 1, order));
    let float = |byte: usize| f64::from(f32::from_be_bytes(big_endian(first, byte - 1, order)));
    let (d1, f1) = (float(181), float(185));
    let has_d1 = short(117) == 0 && (1e-6..=1e6).contains(&d1) && f1.abs() <= 1e9;
    let (asked, named) = overrides.axis_units()?;
    let domain = asked.unwrap_or(if has_d1 { Domain::Depth } else { Domain::Time });
    let units = named.or(match domain {
        Domain::Time => Some("ms"),
        Domain::Depth => None,
        Domain::Frequency => Some("Hz"),
    });
    let mut decide = |what: &str, value: String, because: &str| {
        decisions.push(Decision { what: what.into(), value, because: because.into() });
    };
    match (overrides.domain.is_some(), asked.is_some()) {
        (true, _) => decide("domain", domain.name().into(), "option --domain"),
        (false, true) => decide("domain", domain.name().into(), "the unit of --interval or --start"),
        (false, false) if has_d1 => {
            decide("domain", domain.name().into(), "d1 (bytes 181-184) instead of dt; --domain time reads seconds")
        }
        _ => {}
    }
    // If d1 is a time, it is in seconds.
    let of_float = |value: f64| {
        let unit = (domain == Domain::Time).then_some(Unit::S);
        // What was stored as 0.1f32 is meant as 0.1.
        let value = (value as f32).to_string().parse().unwrap_or(value);
        Quantity { value, unit }.in_units(None, units)
    };
    let dt = Quantity { value: f64::from(short(117)), unit: (domain == Domain::Time).then_some(Unit::Us) };
    let (interval, because) = match overrides.interval_in(domain, units) {
        Some(interval) => (Some(interval), "option --interval"),
        None if has_d1 => (Some(of_float(d1)), "d1 (bytes 181-184) of the first trace header, as dt is 0"),
        None => ((short(117) > 0).then(|| dt.in_units(None, units)), "bytes 117-118 of the first trace header"),
    };
    let (start, by) = match overrides.start_in(units) {
        Some(start) => (start, "option --start"),
        None if has_d1 && f1 != 0.0 => (of_float(f1), "f1 (bytes 185-188) of the first trace header"),
        None => (f64::from(short(109) as i16), "bytes 109-110 of the first trace header"),
    };
    let axis = SampleAxis { domain, units: units.map(str::to_owned), start, interval, is_two_way: false };
    if interval.is_some() {
        decide("sample interval", axis.interval_text(), because);
    }
    decide("first sample", axis.start_text(), by);
    Ok(axis)
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
        let walk = chain(file, order, sample_bytes).walk(watch)?;
        let is_cut = matches!(walk.how, End::Rest(_) | End::Cut { .. }) && allow_truncated && orders.len() == 1;
        if walk.n_traces > 0 && (walk.how == End::Exact || is_cut) {
            let rest = file.len() - walk.index.end;
            return Ok(Some((Reading { order, n_samples: walk.max_samples, n_traces: walk.n_traces, rest }, walk)));
        }
    }
    Ok(None)
}

fn chain(file: &SegyFile, order: ByteOrder, sample_bytes: usize) -> Chain<'_> {
    Chain { file, start: 0, end: file.len(), header_bytes: TRACE_HEADER_BYTES, sample_bytes, order }
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

fn refusal(file: &SegyFile, overrides: &Overrides, first: &[u8], readings: &[Reading], format: &SampleFormat) -> Error {
    let path = file.path().display();
    let start = file.copy(0, file.len().min(8192) as usize).unwrap_or_default();
    if let Some(what) = foreign::looks_like(&start) {
        return Error::Input(format!("{path}: is not a Seismic Unix file but looks like {what}"));
    }
    if readings.is_empty() {
        return Error::Input(format!(
            "{path}: the first trace header says 0 samples (bytes 115-116), so it is not a Seismic Unix file, or one whose headers are empty"
        ));
    }
    let said =
        if overrides.n_samples.is_some() { "--samples says" } else { "the first trace header says (bytes 115-116)" };
    let mut counts: Vec<u32> = readings.iter().map(|r| r.n_samples).collect();
    counts.dedup();
    let tried = match counts.as_slice() {
        [_] => format!("{} samples, which does not fit", counts[0]),
        _ => {
            let tried: Vec<String> =
                readings.iter().map(|r| format!("{} samples if {}", r.n_samples, r.order)).collect();
            format!("{}, and neither fits", tried.join(", "))
        }
    };
    let others = [5, 3, 6, 8].into_iter().filter_map(sample_format).filter(|f| f.bytes != format.bytes);
    let fitting = others.filter(|f| {
        let reads = |order| {
            let r = Reading::new(file, first, order, overrides, f.bytes);
            r.n_samples > 0 && r.n_traces > 1 && r.rest == 0 && is_repeated(file, &r, f.bytes as u64)
        };
        readings.iter().any(|r| reads(r.order))
    });
    let mut options: Vec<String> = fitting.map(|f| format!("--format {} ({}) fits", f.code, f.name)).collect();
    if readings.iter().any(|r| r.n_traces > 1 && is_repeated(file, r, format.bytes as u64)) {
        options.push("--allow-truncated imports the whole traces".into());
    }
    let options = if options.is_empty() { String::new() } else { format!("; {}", options.join(", or ")) };
    Error::Input(format!("{path}: is not a Seismic Unix file of {} bytes: {said} {tried}{options}", file.len()))
}

/// Whether all of the traces looked at repeat the sample count.
fn is_repeated(file: &SegyFile, reading: &Reading, sample_bytes: u64) -> bool {
    agreement(file, reading, sample_bytes) as u64 == reading.n_traces.min(COMPARED)
}

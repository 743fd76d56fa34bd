//! Synthetic surveys as SEG-Y files, for tests, benchmarks and demonstrations.
//!
//! A survey is a pure function of its [`GenerateConfig`]: the bytes do not depend on the number of
//! threads, and, because no platform mathematics library is called, not on the platform either.
//! The grids of `poststack` and `prestack` are as wide as the number of traces requires; the last inline and the last
//! gather end where the traces run out. The modules in the order of the data: `survey` says what trace number `i` is,
//! `header_bytes` and `text_header` write that down, `earth` makes its amplitudes from `wavelet` and noise tables, the
//! sample format encodes them, and `base::parallel` runs all of it on every core, in order.
//!
//! Files are SEG-Y revision 1. Revision 2.0 is declared where the file needs something that only
//! it defines: more than 65535 samples per trace, or one of its sample formats.

mod earth;
mod file_order;
mod header_bytes;
mod maths;
mod selection;
mod set_fields;
mod survey;
mod text_header;
mod wavelet;

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::base::cancel::CancelHandle;
use crate::base::parallel::{in_order, n_threads};
use crate::base::system::temporary_files;
use crate::segy::ByteOrder;
use crate::segy::samples::format::{FORMATS, SampleFormat, sample_format};

use earth::Earth;
use file_order::{FileOrder, STRAY_LINES};
pub use selection::{Lines, TraceSelection};
pub use set_fields::SetField;
use set_fields::Setter;
use survey::Survey;

/// Traces are computed, handed over and written in blocks of about this many bytes (at least one
/// trace): large enough for one write per block to cost nothing, small enough to stay in cache.
const BLOCK_BYTES: usize = 2 << 20;

/// Which gathers a synthetic survey consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurveyKind {
    /// A stacked 3-D volume: inline by crossline, crossline fastest, one trace per CDP.
    Poststack,
    /// CDP gathers of varying fold, with offsets and normal moveout.
    Prestack,
    /// Shot gathers of varying channel count, with first breaks, mutes and some dead traces.
    Shots,
}

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateConfig {
    /// Kind of gathers.
    pub kind: SurveyKind,
    /// Traces in the file, at most 2147483647. The last gather ends where they run out.
    pub n_traces: u64,
    /// Samples per trace, 1 to 2147483647.
    pub n_samples: u32,
    /// Sample interval in microseconds, not zero.
    pub interval_us: u16,
    /// Sample format code, bytes 3225-3226 (SEG-Y rev 2.1, binary file header).
    pub format: u16,
    /// Byte order of everything but the textual header. Revision 1 has no field for it; readers recognise a
    /// little-endian file by its format code.
    pub byte_order: ByteOrder,
    /// Equal seeds give equal bytes.
    pub seed: u64,
    /// The inlines and crosslines of a stack or of CDP gathers; by default as many as the traces need.
    pub lines: Option<[Lines; 2]>,
    /// Traces of each CDP gather, instead of a varying fold.
    pub fold: Option<u32>,
    /// Trace header fields that get other values.
    pub set: Vec<SetField>,
    /// Traces that are left out.
    pub holes: Option<TraceSelection>,
    /// Traces that are there twice.
    pub duplicates: Option<TraceSelection>,
    /// Traces whose inline and crossline numbers are 100,000 too high.
    pub strays: Option<TraceSelection>,
    /// Bytes that are missing at the end of the file.
    pub truncated_bytes: u64,
    /// Replace an existing file, or write into an existing pipe or device.
    pub overwrite: bool,
}

impl GenerateConfig {
    /// Traces of the whole grid, if its lines are given; `None` for more than can be counted.
    pub fn n_traces_of_grid(&self) -> Option<u64> {
        let [inlines, crosslines] = self.lines.as_ref()?;
        inlines.n().checked_mul(crosslines.n())?.checked_mul(self.fold.unwrap_or(1).into())
    }
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            kind: SurveyKind::Poststack,
            n_traces: 10_000,
            n_samples: 500,
            interval_us: 4000,
            format: 1,
            byte_order: ByteOrder::Big,
            seed: 1,
            lines: None,
            fold: None,
            set: Vec::new(),
            holes: None,
            duplicates: None,
            strays: None,
            truncated_bytes: 0,
            overwrite: true,
        }
    }
}

/// Writes the survey to a file at `path`. Links are not followed, other than to pipes and devices.
///
/// `on_progress` receives the number of traces written so far and in all, once per block.
///
/// # Errors
/// If SEG-Y cannot express the configuration, if the file cannot be written, or when asked to stop. An existing file
/// then stays as it is; a pipe or device may have got some bytes.
pub fn generate(
    config: &GenerateConfig,
    path: &Path,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<()> {
    validate(config)?;
    let what = || format!("{}: cannot be written", path.display());
    if is_written_in_place(path).with_context(what)? {
        return File::options()
            .write(true)
            .open(path)
            .map_err(Into::into)
            .and_then(|out| generate_to(config, WhileWanted { out, cancel }, on_progress))
            .with_context(what);
    }
    // Written under another name until complete, with the permissions of any new file.
    let earlier = found(std::fs::symlink_metadata(path)).with_context(what)?;
    if let Some(metadata) = &earlier {
        anyhow::ensure!(
            metadata.is_file(),
            "{}: already exists and is not a regular file; choose another",
            path.display()
        );
        anyhow::ensure!(config.overwrite, "{}: already exists", path.display());
    }
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::metadata(directory).with_context(|| format!("{}: its directory cannot be used", path.display()))?;
    let mut options = temporary_files();
    let name = path.file_name().unwrap_or_default();
    let unfinished = options
        .prefix(&[".".as_ref(), name, ".".as_ref()].join("".as_ref()))
        .tempfile_in(directory)
        // Without the temporary name, which would mean nothing to the user.
        .map_err(|e| e.raw_os_error().map_or(e, std::io::Error::from_raw_os_error))
        .with_context(what)?;
    generate_to(config, WhileWanted { out: unfinished.as_file(), cancel }, on_progress).with_context(what)?;
    if let Some(earlier) = earlier {
        unfinished.as_file().set_permissions(earlier.permissions()).with_context(what)?;
        return unfinished.persist(path).map(drop).map_err(|e| e.error).with_context(what);
    }
    unfinished.persist_noclobber(path).map(drop).map_err(|e| e.error).with_context(what)
}

/// The metadata; `None` only if nothing is there.
fn found(metadata: std::io::Result<std::fs::Metadata>) -> std::io::Result<Option<std::fs::Metadata>> {
    match metadata {
        Ok(metadata) => Ok(Some(metadata)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether what is there cannot be replaced by a file: a pipe, a device, another name of an open file.
pub(crate) fn is_written_in_place(path: &Path) -> std::io::Result<bool> {
    let is_no_file = found(path.metadata())?.is_some_and(|m| !m.is_file());
    Ok(is_no_file || path.starts_with("/proc") || path.starts_with("/dev") && !path.starts_with("/dev/shm"))
}

pub(crate) fn is_directory(path: &Path) -> std::io::Result<bool> {
    Ok(found(path.metadata())?.is_some_and(|m| m.is_dir()))
}

/// A writer that fails once somebody asks to stop.
struct WhileWanted<'a, W> {
    out: W,
    cancel: &'a CancelHandle,
}

impl<W: Write> Write for WhileWanted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.cancel.check().map_err(std::io::Error::other)?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Writes the survey to `out` in few large writes, so that `out` needs no buffer.
///
/// Memory: a few blocks of 2 MiB per core, or of one trace if that is larger.
/// `on_progress` receives the number of traces written so far and in all, once per block.
///
/// # Errors
/// If SEG-Y cannot express the configuration, or if `out` refuses the bytes.
pub fn generate_to(config: &GenerateConfig, out: impl Write, on_progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
    write_survey(config, out, n_threads(), BLOCK_BYTES, on_progress)
}

fn write_survey(
    config: &GenerateConfig,
    mut out: impl Write,
    n_threads: usize,
    block_bytes: usize,
    on_progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let format = validate(config)?;
    let survey = Survey::new(config);
    let order = FileOrder::new(config, &survey);
    ensure!(order.n_traces() > 0 || config.n_traces == 0, "All traces would be left out; make fewer holes.");
    let config = &GenerateConfig { n_traces: order.n_traces(), ..config.clone() };
    let setter = Setter::new(&config.set)?;
    let earth = Earth::new(config, format.rms);
    let n_samples = usize::try_from(config.n_samples)?;
    let trace_bytes = header_bytes::TRACE_HEADER_BYTES + n_samples * format.bytes;
    let traces_per_block = (block_bytes / trace_bytes).max(1) as u64;

    let fill = |amplitudes: &mut Vec<f32>, bytes: &mut Vec<u8>, block: u64| {
        let start_trace = block * traces_per_block;
        let end_trace = (start_trace + traces_per_block).min(config.n_traces);
        // Every byte is overwritten below, so a recycled buffer is not cleared.
        bytes.resize((end_trace - start_trace) as usize * trace_bytes, 0);
        for (place, raw) in (start_trace..end_trace).zip(bytes.chunks_exact_mut(trace_bytes)) {
            let (index, is_stray) = order.trace(place);
            let mut trace = survey.trace(index);
            if is_stray {
                (trace.inline, trace.crossline) = (trace.inline + STRAY_LINES, trace.crossline + STRAY_LINES);
            }
            let (header, data) = raw.split_at_mut(header_bytes::TRACE_HEADER_BYTES);
            header_bytes::write_trace_header(config, place, &trace, header);
            setter.set(header, config.byte_order);
            if trace.is_dead {
                data.fill(0);
            } else {
                earth.fill(index, &trace, amplitudes);
                (format.amplitudes)(amplitudes, config.byte_order, data);
            }
        }
        Ok(())
    };

    out.write_all(&text_header::textual_header(config, format))?;
    out.write_all(&header_bytes::binary_header(config, format, &survey))?;
    let all = config.n_traces * trace_bytes as u64;
    ensure!(
        config.truncated_bytes <= all,
        "The traces have {all} bytes, so {} cannot be missing.",
        config.truncated_bytes
    );
    let (mut n_written, mut left) = (0, all - config.truncated_bytes);
    let write = |block: &mut Vec<u8>, _| {
        let n = left.min(block.len() as u64);
        out.write_all(&block[..n as usize])?;
        left -= n;
        n_written += (block.len() / trace_bytes) as u64;
        on_progress(n_written, config.n_traces);
        anyhow::Ok(())
    };
    // One buffer is filled while another waits to be written.
    let buffers = vec![Vec::new(); 2 * n_threads];
    in_order(n_threads, buffers, config.n_traces.div_ceil(traces_per_block), || vec![0_f32; n_samples], fill, write)?;
    out.flush()?;
    Ok(())
}

fn validate(config: &GenerateConfig) -> Result<&'static SampleFormat> {
    // Sequence numbers, CDP numbers and the extended sample count are signed 32-bit fields.
    let limit = i32::MAX as u64;
    ensure!(
        config.n_traces <= limit,
        "A survey of {} traces cannot be numbered: the 4-byte header fields end at {limit}.",
        config.n_traces
    );
    ensure!(
        (1..=limit).contains(&u64::from(config.n_samples)),
        "A trace must have between 1 and {limit} samples, not {}.",
        config.n_samples
    );
    ensure!(config.fold != Some(0), "A gather needs a trace at least; its fold cannot be 0.");
    ensure!(
        config.lines.is_none() || config.kind != SurveyKind::Shots,
        "Shots have no inlines and crosslines; they are those of stacks and CDP gathers."
    );
    ensure!(
        config.fold.is_none() || config.kind == SurveyKind::Prestack,
        "Only CDP gathers have a fold (--kind prestack)."
    );
    ensure!(config.interval_us > 0, "The sample interval must be at least 1 microsecond, not 0.");
    sample_format(config.format).with_context(|| {
        let codes: Vec<String> = FORMATS.iter().map(|f| f.code.to_string()).collect();
        format!("There is no sample format with code {}; the codes are {}.", config.format, codes.join(", "))
    })
}

#[cfg(test)]
mod tests;

//! Looking at a file or a dataset: reading what the reading plan says, and summing it up.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::inspect;
use crate::inspect::header_runs::HeaderRuns;
use crate::picture::Scale;
use crate::picture::histogram::Distribution;
use crate::picture::spectrum::Spectrum;
use crate::report::base_map::{self, Points};
use crate::report::checks::{self, Check, Evidence};
use crate::report::reading_plan::ReadingPlan;
use crate::report::sections::{Order, View, Views, views};
use crate::report::source::{EXPECTED, Run, Shape, Source};
use crate::report::trace_stats::{AmplitudeSummary, Amplitudes, TraceStats};
use crate::report::whole_pass::{self, Whole};

/// Amplitudes beyond this percentile get the colours of the ends.
pub(super) const PERCENTILE: f64 = 99.0;

/// All that a page shows of one file or dataset.
pub(super) struct LookedAt {
    pub about: inspect::Report,
    pub numbers: Numbers,
    pub shape: Shape,
    pub headers: HeaderRuns,
    pub points: Vec<Points>,
    pub traces: Vec<TraceStats>,
    pub histogram: Histogram,
    pub order: Order,
    pub views: Option<Views>,
    pub slice: Option<View>,
    pub whole: Option<Whole>,
    pub facts: Vec<(String, String)>,
    /// As the user wrote it, for the commands on the page.
    pub path: PathBuf,
}

/// What `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Numbers {
    /// Name of the file or dataset, without directories.
    pub name: String,
    pub checks: Vec<Check>,
    /// Traces whose samples were looked at.
    pub traces_read: u64,
    pub amplitudes: AmplitudeSummary,
    /// Amplitudes at the two ends of the colours.
    pub scale: Scale,
    pub spectrum: Option<Spectrum>,
    /// Range of each part of the histogram, and how many amplitudes it has.
    pub histogram: Histogram,
    #[serde(flatten)]
    pub about: Value,
}

/// Amplitudes counted in equal parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Histogram {
    pub low: f32,
    pub high: f32,
    pub counts: Vec<u64>,
}

/// What else is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// Go through the headers of all traces.
    pub scan: bool,
    /// A slice at this time or depth.
    pub slice: Option<f64>,
}

/// Looks at a file or dataset. `on_traces` gets the number of traces read so far in each pass over all of them.
///
/// # Errors
/// What is wrong with it.
pub(super) fn look(
    source: &mut dyn Source,
    path: &Path,
    wishes: &Wishes,
    on_traces: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<LookedAt> {
    let shape = source.shape().clone();
    let (headers, middle, amplitudes) = read(source, &ReadingPlan::new(&shape))?;
    let mut about = source.about(&headers)?;
    // The columns of a dataset are quick to read.
    let whole = match wishes.scan || !shape.has_cheap_places() && shape.n_traces <= MOST_ROWS {
        true => Some(whole_pass::go(source, &mut about, on_traces, cancel)?),
        false => None,
    };
    let order = Order::of(&about);
    let views = if shape.n_samples == 0 { None } else { Some(views(source, &order, &middle)?) };
    let slice = match wishes.slice {
        Some(at) => Some(crate::report::slices::slice(source, at, on_traces, cancel)?),
        None => None,
    };
    let distribution = amplitudes.distribution();
    let summary = amplitudes.summary(&distribution);
    let evidence = Evidence {
        about: &about,
        shape: &shape,
        amplitudes: &summary,
        n_without_place: base_map::n_without_place(&shape, &headers),
        counts: source.counts(),
    };
    let checks = checks::checks(&evidence);
    // The page does not depend on where the file is.
    about.input = path.file_name().map(PathBuf::from).unwrap_or_default();
    let scale = Scale::of_values(amplitudes.values(), PERCENTILE);
    let histogram = histogram(&distribution, scale);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let numbers = Numbers {
        name,
        checks,
        traces_read: summary.n_traces,
        scale,
        spectrum: amplitudes.spectrum(interval(&shape)),
        histogram: histogram.clone(),
        amplitudes: summary,
        about: serde_json::to_value(&about).map_err(failed("the report"))?,
    };
    let points = base_map::points(&shape, &headers);
    let (traces, facts, path) = (amplitudes.traces, source.facts(), path.to_owned());
    Ok(LookedAt { about, numbers, shape, headers, points, traces, histogram, order, views, slice, whole, facts, path })
}

/// Reads what the plan says. Returns the headers in order, the traces around the middle, and the amplitudes.
fn read(source: &mut dyn Source, plan: &ReadingPlan) -> Result<(HeaderRuns, Run, Amplitudes)> {
    let n = |r: &std::ops::Range<u64>| r.end - r.start;
    let n_spread: u64 = plan.spread.iter().map(n).sum();
    let total = n_spread * plan.spread_samples as u64 + n(&plan.middle) * plan.middle_samples as u64;
    let (mut headers, mut amplitudes) = (source.shape().no_headers(), Amplitudes::of_about(total));
    let per_place = 256usize.div_ceil(plan.spread.len().max(1));
    let n_before = plan.spread.partition_point(|r| r.start < plan.middle.start);
    let (front, back) = plan.spread.split_at(n_before);
    let read_all = |source: &mut dyn Source,
                    ranges: &[std::ops::Range<u64>],
                    headers: &mut HeaderRuns,
                    amplitudes: &mut Amplitudes|
     -> Result<()> {
        for some in ranges.chunks(EXPECTED) {
            source.will_read(some, plan.spread_samples);
            for range in some {
                let run = source.read(range.clone(), plan.spread_samples)?;
                amplitudes.add(&run, per_place);
                headers.runs.push(run.headers);
            }
        }
        Ok(())
    };
    read_all(source, front, &mut headers, &mut amplitudes)?;
    source.will_read(std::slice::from_ref(&plan.middle), plan.middle_samples);
    let middle = source.read(plan.middle.clone(), plan.middle_samples)?;
    headers.runs.push(middle.headers.clone());
    read_all(source, back, &mut headers, &mut amplitudes)?;
    amplitudes.add(&middle, 256);
    amplitudes.traces.sort_by_key(|t| t.trace);
    Ok((headers, middle, amplitudes))
}

/// Distance between samples: seconds for time, so that frequencies are in Hz.
fn interval(shape: &Shape) -> f64 {
    match (shape.axis.interval_us(), shape.axis.interval) {
        (Some(us), _) => us / 1e6,
        (None, Some(step)) => step,
        (None, None) => 1.0,
    }
}

/// Rows of a dataset that are read without being asked for, at most.
const MOST_ROWS: u64 = 20_000_000;
/// Parts of a histogram, and how far it goes beyond the ends of the colours.
const PARTS: usize = 101;
const BEYOND: f32 = 1.5;

fn histogram(amplitudes: &Distribution, scale: Scale) -> Histogram {
    let (low, high) = match scale.is_symmetric() {
        true => (scale.low * BEYOND, scale.high * BEYOND),
        false => (scale.low, scale.high),
    };
    Histogram { low, high, counts: amplitudes.bins(low, high, PARTS) }
}

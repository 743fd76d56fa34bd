//! One section, as asked for.

use std::ops::Range;
use std::path::Path;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::near_names::near_names;
use crate::base::visible::{visible, visible_path};
use crate::inspect::text_columns::grouped;
use crate::picture::drawn::Drawing;
use crate::picture::plot::{Axes, Axis, with_axes};
use crate::plan::reading::Reading;
use crate::report::header_values::{raw_values, values};
use crate::report::reading_plan::ReadingPlan;
use crate::report::sections::{
    Down, Order, View, capital, down, edge, every, regular, trace_range, traces_with, view, views, with_bounds,
};
use crate::report::slices::slice;
use crate::report::source::{OnTraces, Run, Shape, Source, read_traces};
use crate::table::Column;

/// Traces of a section, at most; if there are more, evenly spaced ones are read.
const MOST_TRACES: u64 = 4000;
/// Samples of all traces of a section.
const MOST_SAMPLES: u64 = 8 << 20;

/// Which section.
#[derive(Clone, Debug, PartialEq)]
pub enum SectionChoice {
    /// What a report shows first.
    Middle,
    /// The traces in which a header field has a value.
    Key(String, f64),
    /// A time or depth slice.
    Slice(f64),
    /// Start and end of the traces, from 0; without an end, up to the last one.
    Traces(u64, Option<u64>),
}

/// A section, and the shape of its file or dataset.
pub struct ChosenSection {
    /// The name of the file or dataset, and what is shown of it.
    pub(crate) title: String,
    pub(crate) view: View,
    pub(crate) shape: Shape,
}

impl ChosenSection {
    /// The section as a PNG with axes.
    ///
    /// # Errors
    /// `Error::Failed` if it cannot be encoded.
    pub fn png(&self, drawing: &Drawing) -> Result<Vec<u8>> {
        with_axes(&drawing.draw(&self.view.section), &self.axes(drawing.is_wiggle)).png()
    }

    /// The horizontal axis, which begins and ends `margin` traces beyond the first and the last trace.
    pub(crate) fn across(&self, margin: f64) -> Axis {
        let view = &self.view;
        let numbers: Vec<f64> = view.traces.iter().map(|&t| t as f64 + 1.0).collect();
        let told = view.across.and_then(|i| view.told.get(i));
        let (name, values) = told.map_or(("trace", numbers.as_slice()), |(name, v)| (name.as_str(), v.as_slice()));
        let end = |v: Option<&f64>| v.copied().unwrap_or(0.0);
        let name = visible(&name.replace('_', " ")).into_owned();
        beyond(Axis { name, first: end(values.first()), last: end(values.last()) }, values.len(), margin)
    }

    fn axes(&self, is_wiggle: bool) -> Axes {
        let Down { name, first, last } = down(&self.view, &self.shape);
        // A pixel of colour is centred on its sample; wiggles stay one trace away from the edges at the sides.
        let [margin_across, margin_down] = if is_wiggle { [1.0, 0.0] } else { [0.5, 0.5] };
        let down = beyond(Axis { name, first, last }, self.view.section.n_samples, margin_down);
        Axes { title: self.title.clone(), across: self.across(margin_across), down, bounds: self.bounds(is_wiggle) }
    }

    /// Where gathers begin, but for the first: shares of the width, from 0 to 1.
    pub(crate) fn bounds(&self, is_wiggle: bool) -> Vec<f64> {
        let n = self.view.traces.len() as f64;
        let share = |i: usize| if is_wiggle { (i as f64 + 0.5) / (n + 1.0) } else { i as f64 / n };
        self.view.bounds.iter().filter(|bound| bound.0 > 0).map(|bound| share(bound.0)).collect()
    }
}

/// An axis of `n` values, extended at both ends by `margin` steps.
fn beyond(axis: Axis, n: usize, margin: f64) -> Axis {
    let step = (axis.last - axis.first) / n.saturating_sub(1).max(1) as f64;
    Axis { first: axis.first - margin * step, last: axis.last + margin * step, ..axis }
}

/// Reads a section of a file or a dataset.
///
/// # Errors
/// `Error::Usage` if there is no such section.
pub fn choose_section(
    path: &Path,
    reading: &Reading,
    choice: &SectionChoice,
    on_traces: OnTraces,
    cancel: &CancelHandle,
) -> Result<ChosenSection> {
    let mut source = crate::report::open(path, reading)?;
    let source = &mut *source;
    let shape = source.shape().clone();
    if shape.n_samples == 0 {
        return Err(Error::Usage(format!("{}: has headers only, and no samples to show", path.display())));
    }
    let view = match choice {
        SectionChoice::Middle => middle(source)?,
        SectionChoice::Slice(at) => slice(source, *at, on_traces, cancel)?,
        SectionChoice::Traces(start, end) => {
            let n = shape.n_traces;
            let end = end.unwrap_or(n);
            if *start >= end || end > n {
                return Err(Error::Usage(format!("--traces: the traces are 0:{n}")));
            }
            let keys = gather_keys(source)?;
            let view = of_traces(source, every(*start..end, MOST_TRACES), &keys)?;
            View { title: capital(&trace_range(&view.traces)), ..view }
        }
        SectionChoice::Key(name, key) => {
            let column = column(&shape, name)?;
            let found = with_key(source, &column, *key, on_traces, cancel)?;
            let step = found.len().div_ceil(MOST_TRACES as usize).max(1);
            let n = found.len() as u64;
            let view = of_traces(source, found.into_iter().step_by(step).collect(), &[])?;
            let cut = if step > 1 { format!(", one in {step} of {}", grouped(n)) } else { String::new() };
            View { title: format!("{} {key}: {}{cut}", capital(&column.name), trace_range(&view.traces)), ..view }
        }
    };
    let name = visible_path(Path::new(path.file_name().unwrap_or(path.as_os_str())));
    Ok(ChosenSection { title: format!("{name} · {}", visible(&view.title)), view, shape })
}

fn of_traces(source: &mut dyn Source, traces: Vec<u64>, keys: &[String]) -> Result<View> {
    let shape = source.shape().clone();
    let n_samples = shape.n_samples.min((MOST_SAMPLES / traces.len().max(1) as u64).max(1) as usize);
    let (headers, section) = read_traces(source, &traces, n_samples)?;
    let view = with_bounds(view(String::new(), &shape, &headers, section), keys, &headers, &shape);
    Ok(View { across: regular(&view.told), ..view })
}

/// The keys of the gathers in file order, if the traces are such.
fn gather_keys(source: &mut dyn Source) -> Result<Vec<String>> {
    Ok(match looked_around(source)?.0 {
        Order::Gathers(keys) => keys,
        Order::Volume { .. } | Order::Line => Vec::new(),
    })
}

/// What a report shows first.
fn middle(source: &mut dyn Source) -> Result<View> {
    let (order, run) = looked_around(source)?;
    Ok(views(source, &order, &run)?.main)
}

/// What the traces are, by headers from all over the file, and the run around the middle trace.
fn looked_around(source: &mut dyn Source) -> Result<(Order, Run)> {
    let plan = ReadingPlan::new(source.shape());
    let mut headers = source.shape().no_headers();
    let run = source.read(plan.middle.clone(), plan.middle_samples)?;
    for range in plan.spread.iter().filter(|r| r.start < plan.middle.start) {
        headers.runs.push(source.read(range.clone(), 0)?.headers);
    }
    headers.runs.push(run.headers.clone());
    for range in plan.spread.iter().filter(|r| r.start >= plan.middle.start) {
        headers.runs.push(source.read(range.clone(), 0)?.headers);
    }
    Ok((Order::of(&source.about(&headers)?), run))
}

/// The column that the user calls by this name.
fn column(shape: &Shape, name: &str) -> Result<Column> {
    let of_name = |name: &str| shape.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name));
    let by_alias =
        || crate::segy::fields::TRACE_FIELDS.iter().find(|f| f.is_called(name)).and_then(|f| of_name(f.name));
    of_name(name).or_else(by_alias).cloned().ok_or_else(|| {
        let near = near_names(name, shape.columns.iter().map(|c| c.name.as_str()));
        Error::Usage(format!("{name}: there is no header field of this name; {near}"))
    })
}

/// The traces in which a field has a value: by bisection if it only goes up or down, otherwise by reading all headers.
fn with_key(
    source: &mut dyn Source,
    column: &Column,
    key: f64,
    on_traces: OnTraces,
    cancel: &CancelHandle,
) -> Result<Vec<u64>> {
    if let Some(range) = bisected(source, column, key)? {
        return Ok(range.collect());
    }
    let found = traces_with(source, column, key, on_traces, cancel)?;
    if found.is_empty() {
        return Err(Error::Usage(format!("{} {key}: no trace has it{}", column.name, extent(source, column)?)));
    }
    Ok(found)
}

/// The range of the values, as a hint.
fn extent(source: &mut dyn Source, column: &Column) -> Result<String> {
    let n = source.shape().n_traces;
    let mut headers = source.shape().no_headers();
    for trace in every(0..n, 64) {
        headers.runs.push(source.read(trace..trace + 1, 0)?.headers);
    }
    let range = crate::picture::curve::range(values(&headers, column));
    Ok(range.map_or(String::new(), |[low, high]| format!("; there are values from {low} to {high}")))
}

/// The run of traces with a value, if 65 traces over the file say that the field only goes up, or only down.
fn bisected(source: &mut dyn Source, column: &Column, key: f64) -> Result<Option<Range<u64>>> {
    let n = source.shape().n_traces;
    if !source.shape().has_cheap_places() || n < 200 {
        return Ok(None);
    }
    let mut value = |trace: u64| -> Result<f64> {
        let mut headers = source.shape().no_headers();
        headers.runs.push(source.read(trace..trace + 1, 0)?.headers);
        Ok(raw_values(&headers, column).first().copied().unwrap_or(f64::NAN))
    };
    let samples: Vec<f64> = (0..=64).map(|i| value((n - 1) * i / 64)).collect::<Result<_>>()?;
    let ups = samples.windows(2).filter(|w| w[1] > w[0]).count();
    let downs = samples.windows(2).filter(|w| w[1] < w[0]).count();
    if ups.min(downs) > 0 || ups + downs < 8 {
        return Ok(None);
    }
    let (mut low, mut high) = (0, n);
    while low < high {
        let half = low + (high - low) / 2;
        let is_before = if ups > 0 { value(half)? < key } else { value(half)? > key };
        if is_before { low = half + 1 } else { high = half }
    }
    if low >= n || value(low)? != key {
        return Ok(None);
    }
    let end = edge(low, n - 1, &mut |trace| value(trace).map(|v| v == key))? + 1;
    Ok(Some(low..end))
}

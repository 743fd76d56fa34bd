//! The sections of a report: which traces they show, and what is written at their edges.

use std::ops::Range;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::inspect;
use crate::inspect::field_table::FieldSummary;
use crate::inspect::header_runs::HeaderRuns;
use crate::inspect::text_columns::grouped;
use crate::picture::Section;
use crate::report::header_values::{trace_numbers, values};
use crate::report::reading_plan::{SECTION_TRACES, section_samples, section_size};
use crate::report::source::{OnTraces, Run, Shape, Source, read_traces};
use crate::table::Column;

/// Traces across the lines of a survey, at most: each is a read of its own.
const MOST_CROSSING: u64 = 400;
/// Chunks of a dataset that are unpacked for a section across its lines, at most.
const MOST_UNPACKED_CHUNKS: u64 = 100;
/// Traces of a line that is shown whole with gaps, at most.
const MOST_APART: u64 = 600;
/// A line is a run of at least this many traces with the same number.
const FEWEST_IN_LINE: f64 = 4.0;
/// Traces of one gather that are drawn as wiggles.
pub(crate) const MOST_WIGGLES: usize = 60;
/// Header fields shown for each trace, the first that varies as a line above the section.
const TOLD: [&str; 10] = [
    "offset",
    "crossline",
    "inline",
    "cdp",
    "field_record",
    "trace_number",
    "shot_point",
    "energy_source_point",
    "trace_number_cdp",
    "trace_sequence_line",
];
/// The most of them shown.
const MOST_TOLD: usize = 5;

/// A section with what is known about its traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    pub title: String,
    pub section: Section,
    /// The traces, from 0.
    pub traces: Vec<u64>,
    /// Fields that vary and their values, the most useful first.
    pub told: Vec<(String, Vec<f64>)>,
    /// Where a gather begins, and its key.
    pub bounds: Vec<(usize, String)>,
    /// The numbers along the top, if not those of the traces: an index of `told`.
    pub across: Option<usize>,
    /// The vertical axis, if it is not the sample axis.
    pub down: Option<Down>,
}

/// What is counted from top to bottom.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Down {
    pub name: String,
    /// At the first sample and at the last one.
    pub first: f64,
    pub last: f64,
}

/// The vertical axis, from the first sample shown to the last one.
pub(crate) fn down(view: &View, shape: &Shape) -> Down {
    view.down.clone().unwrap_or_else(|| {
        let axis = &shape.axis;
        let last = view.section.n_samples.saturating_sub(1) as u64;
        let name = match axis.interval {
            Some(_) => axis.units.clone().unwrap_or_else(|| "depth".into()),
            None => "sample".into(),
        };
        Down { name, first: axis.value(0), last: axis.value(last) }
    })
}

/// What the traces of a file are, as far as their order tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// A stacked volume: lines of equal `slow`, along which `fast` changes from trace to trace.
    Volume { slow: String, fast: String },
    /// Gathers of equal keys.
    Gathers(Vec<String>),
    /// One trace after another.
    Line,
}

impl Order {
    /// Judged by the header fields.
    pub(crate) fn of(about: &inspect::Report) -> Self {
        let find = |name: &str| about.fields.iter().find(|f| f.name == name && !f.constant);
        if let (Some(inline), Some(crossline)) = (find("inline"), find("crossline")) {
            for (slow, fast) in [(inline, crossline), (crossline, inline)] {
                if makes_lines(slow) && changes_every_trace(fast) {
                    return Self::Volume { slow: slow.name.clone(), fast: fast.name.clone() };
                }
            }
        }
        if about.gather.keys.is_empty() { Self::Line } else { Self::Gathers(about.gather.keys.clone()) }
    }
}

fn makes_lines(slow: &FieldSummary) -> bool {
    slow.runs.mean.is_some_and(|mean| mean >= FEWEST_IN_LINE)
}

fn changes_every_trace(fast: &FieldSummary) -> bool {
    fast.runs.mean.is_some_and(|mean| mean < 1.1)
}

/// The view of traces whose headers and samples have been read.
pub(crate) fn view(title: String, shape: &Shape, headers: &HeaderRuns, section: Section) -> View {
    let mut told = Vec::new();
    for column in TOLD.iter().filter_map(|name| shape.column(name)) {
        let of_traces = values(headers, column);
        if told.len() < MOST_TOLD && of_traces.windows(2).any(|w| w[0] != w[1]) {
            told.push((column.name.clone(), of_traces));
        }
    }
    View { title, section, traces: trace_numbers(headers), told, ..View::default() }
}

/// The view of one run of traces.
pub(crate) fn view_of_run(title: String, shape: &Shape, run: &Run) -> View {
    let mut headers = shape.no_headers();
    headers.runs.push(run.headers.clone());
    view(title, shape, &headers, run.samples.clone())
}

/// The sections of a report.
pub(crate) struct Views {
    pub main: View,
    pub second: Option<View>,
    /// One gather, or neighbouring traces.
    pub gather: View,
}

/// Chooses and reads the sections. `middle` is the run around the middle trace.
pub(crate) fn views(source: &mut dyn Source, order: &Order, middle: &Run) -> Result<Views> {
    let shape = source.shape().clone();
    let around = view_of_run(String::new(), &shape, middle);
    let (main, second) = match order {
        Order::Volume { slow, fast } => {
            let (main, line) = middle_line(source, slow, &around)?;
            let second = crossing(source, [slow, fast], line, &main)?;
            (main, Some(second))
        }
        Order::Gathers(keys) => {
            let mut headers = shape.no_headers();
            headers.runs.push(middle.headers.clone());
            (with_bounds(named(&around, "Gathers in file order"), keys, &headers, &shape), None)
        }
        Order::Line => line(source, &around)?,
    };
    let second = match second {
        Some(view) if !view.traces.is_empty() => Some(view),
        _ => first_traces(source, &main)?,
    };
    Ok(Views { gather: gather(order, &main, middle, &shape), main, second })
}

fn named(view: &View, what: &str) -> View {
    View { title: format!("{what}: {}", trace_range(&view.traces)), ..view.clone() }
}

/// `traces 1 to 1,000`.
pub(crate) fn trace_range(traces: &[u64]) -> String {
    match traces {
        [] => "no traces".into(),
        [one] => format!("trace {}", grouped(one + 1)),
        [first, .., last] => format!("traces {} to {}", grouped(first + 1), grouped(last + 1)),
    }
}

/// The line of equal `slow` that the middle trace lies in.
fn middle_line(source: &mut dyn Source, slow: &str, around: &View) -> Result<(View, Range<u64>)> {
    let shape = source.shape().clone();
    let Some(column) = shape.column(slow).cloned() else { return Ok((around.clone(), 0..0)) };
    let middle = shape.n_traces / 2;
    let of_trace = |source: &mut dyn Source, trace: u64| -> Result<f64> {
        let run = source.read(trace..trace + 1, 0)?;
        let mut headers = source.shape().no_headers();
        headers.runs.push(run.headers);
        Ok(values(&headers, &column).first().copied().unwrap_or(f64::NAN))
    };
    let key = of_trace(source, middle)?;
    let mut is_of_line = |trace: u64| of_trace(source, trace).map(|found| found == key);
    let start = edge(middle, 0, &mut is_of_line)?;
    let end = edge(middle, shape.n_traces - 1, &mut is_of_line)? + 1;
    let wanted = every(start..end, SECTION_TRACES);
    let n_samples = section_samples(&shape, wanted.len() as u64);
    let (headers, section) = read_traces(source, &wanted, n_samples)?;
    let view = view(String::new(), &shape, &headers, section);
    let title = format!("{} {key}: {}", capital(slow), trace_range(&view.traces));
    Ok((View { title, across: regular(&view.told), ..view }, start..end))
}

/// The last trace from `from` towards `to` that is still alike, found by doubling steps and then bisecting.
pub(crate) fn edge(from: u64, to: u64, is_alike: &mut dyn FnMut(u64) -> Result<bool>) -> Result<u64> {
    let distance = from.abs_diff(to);
    let at = |d: u64| if to < from { from - d } else { from + d };
    let (mut inside, mut step) = (0, 1);
    let mut outside = distance + 1;
    while inside < distance {
        let next = (inside + step).min(distance);
        if !is_alike(at(next))? {
            outside = next;
            break;
        }
        (inside, step) = (next, step * 2);
    }
    while outside - inside > 1 {
        let half = inside + (outside - inside) / 2;
        if is_alike(at(half))? { inside = half } else { outside = half }
    }
    Ok(at(inside))
}

/// The traces of a range, or evenly spaced ones if there are more than `most`.
pub(crate) fn every(range: Range<u64>, most: u64) -> Vec<u64> {
    let step = (range.end - range.start).div_ceil(most).max(1);
    range.step_by(step as usize).collect()
}

/// The trace of every line that has the same `fast` as the one in the middle of the main section.
fn crossing(source: &mut dyn Source, [slow, fast]: [&String; 2], line: Range<u64>, main: &View) -> Result<View> {
    let shape = source.shape().clone();
    let half = main.traces.len() / 2;
    let known = main.told.iter().find(|(name, _)| name == fast);
    let (Some(&at), Some(key)) = (main.traces.get(half), known.and_then(|(_, v)| v.get(half).copied())) else {
        return Ok(View::default());
    };
    let Some(column) = shape.column(fast).cloned() else { return Ok(View::default()) };
    if !shape.has_cheap_places() {
        return crossing_by_key(source, fast, key);
    }
    let length = (line.end - line.start).max(1);
    let n_lines = shape.n_traces.div_ceil(length);
    let jump = n_lines.div_ceil(MOST_CROSSING).max(1) * length;
    let step = known.map_or(1.0, |(_, v)| (v[half] - v[half.saturating_sub(1)]) / trace_step(main, half));
    let n_samples = section_samples(&shape, n_lines.min(MOST_CROSSING));
    let mut walk = Walk { source, column: &column, key, step, n_samples, found: vec![] };
    walk.go(at, jump, false)?;
    walk.found.reverse();
    walk.go_from(at, jump)?;
    let found = walk.found;
    if (found.len() as u64) * 2 < n_lines.min(MOST_CROSSING) {
        return Ok(View::default());
    }
    let (mut headers, mut section) = (shape.no_headers(), Section::new(n_samples));
    for run in found {
        section.append(&run.samples);
        headers.runs.push(run.headers);
    }
    let view = view(String::new(), &shape, &headers, section);
    let title = format!("{} {key}: {} traces, one of each {slow}", capital(fast), view.traces.len());
    Ok(View { title, across: regular(&view.told), ..view })
}

/// Traces from a trace of a section to the next one.
fn trace_step(main: &View, index: usize) -> f64 {
    let pair = main.traces.get(index.saturating_sub(1)).zip(main.traces.get(index));
    pair.map_or(1.0, |(a, b)| (b - a).max(1) as f64)
}

/// A walk from line to line, looking for a value of `column` in each.
struct Walk<'a> {
    source: &'a mut dyn Source,
    column: &'a Column,
    key: f64,
    /// By how much the value goes up from trace to trace.
    step: f64,
    n_samples: usize,
    found: Vec<Run>,
}

impl Walk<'_> {
    /// Takes the trace itself, and those on the way to the end.
    fn go_from(&mut self, at: u64, jump: u64) -> Result<()> {
        let run = self.source.read(at..at + 1, self.n_samples)?;
        self.found.push(run);
        self.go(at, jump, true)
    }

    /// Takes those on the way to the end or to the beginning, each expected one jump after the one before.
    fn go(&mut self, from: u64, jump: u64, forward: bool) -> Result<()> {
        let n = self.source.shape().n_traces;
        let (mut expected, mut last) = (from, from);
        loop {
            let next = if forward { expected.checked_add(jump).filter(|&t| t < n) } else { expected.checked_sub(jump) };
            let Some(next) = next else { return Ok(()) };
            expected = next;
            // A header that says something else may point to where the walk comes from.
            let is_further = |trace: u64| if forward { trace > last } else { trace < last };
            if let Some(run) = self.near(next, n)?.filter(|run| is_further(run.headers.first_trace)) {
                last = run.headers.first_trace;
                expected = last;
                self.found.push(run);
            }
        }
    }

    /// The trace with the value: where it is expected, or where the value found there points to.
    fn near(&mut self, expected: u64, n: u64) -> Result<Option<Run>> {
        let mut trace = expected;
        for _ in 0..2 {
            let run = self.source.read(trace..trace + 1, self.n_samples)?;
            let mut headers = self.source.shape().no_headers();
            headers.runs.push(run.headers.clone());
            let here = values(&headers, self.column).first().copied().unwrap_or(f64::NAN);
            if here == self.key {
                return Ok(Some(run));
            }
            let away = ((self.key - here) / self.step).round();
            let there = trace as f64 + away;
            if !(0.0..n as f64).contains(&there) {
                return Ok(None);
            }
            trace = there as u64;
        }
        Ok(None)
    }
}

/// All traces that have a value, for a source in which single traces are expensive.
fn crossing_by_key(source: &mut dyn Source, fast: &str, key: f64) -> Result<View> {
    let shape = source.shape().clone();
    let Some(column) = shape.column(fast).cloned() else { return Ok(View::default()) };
    let traces = traces_with(source, &column, key, &mut |_| {}, &CancelHandle::new())?;
    let step = traces.len().div_ceil(MOST_CROSSING as usize).max(1);
    let wanted: Vec<u64> = traces.into_iter().step_by(step).collect();
    if wanted.len() as u64 > MOST_UNPACKED_CHUNKS {
        return Ok(View::default());
    }
    let n_samples = section_samples(&shape, wanted.len() as u64);
    let (headers, section) = read_traces(source, &wanted, n_samples)?;
    let view = view(String::new(), &shape, &headers, section);
    let title = format!("{} {key}: {}", capital(fast), trace_range(&view.traces));
    Ok(View { title, across: regular(&view.told), ..view })
}

/// The traces, from 0, in which a field has a value.
pub(crate) fn traces_with(
    source: &mut dyn Source,
    column: &Column,
    key: f64,
    on_traces: OnTraces,
    cancel: &CancelHandle,
) -> Result<Vec<u64>> {
    let mut traces = Vec::new();
    let mut take = |first: u64, values: &[Vec<f64>]| {
        let of_column = values.first().into_iter().flatten();
        traces.extend((first..).zip(of_column).filter(|(_, v)| **v == key).map(|(trace, _)| trace));
    };
    source.every_trace(&[column], &mut take, on_traces, cancel)?;
    Ok(traces)
}

/// The first field that goes up or down by the same step throughout: a scale along the section.
pub(crate) fn regular(told: &[(String, Vec<f64>)]) -> Option<usize> {
    let is_regular = |v: &[f64]| {
        let (Some(first), Some(last)) = (v.first(), v.last()) else { return false };
        let step = (last - first) / (v.len() - 1).max(1) as f64;
        step != 0.0 && v.iter().enumerate().all(|(i, v)| (v - first - step * i as f64).abs() <= step.abs() / 2.0)
    };
    told.iter().position(|(_, v)| is_regular(v))
}

/// Where keys change, with their values.
pub(crate) fn with_bounds(view: View, keys: &[String], headers: &HeaderRuns, shape: &Shape) -> View {
    let of_keys: Vec<Vec<f64>> = keys.iter().filter_map(|key| shape.column(key)).map(|c| values(headers, c)).collect();
    let differs = |i: usize| i == 0 || of_keys.iter().any(|v| v[i] != v[i - 1]);
    let name = |i: usize| of_keys.iter().map(|v| v[i].to_string()).collect::<Vec<_>>().join(", ");
    let bounds = (0..view.traces.len()).filter(|&i| differs(i)).map(|i| (i, name(i))).collect();
    View { bounds, ..view }
}

/// A line that is longer than a section: the whole with gaps, and its middle.
fn line(source: &mut dyn Source, around: &View) -> Result<(View, Option<View>)> {
    let shape = source.shape().clone();
    let n = shape.n_traces;
    let around = View { across: regular(&around.told), ..around.clone() };
    if around.traces.len() as u64 == n {
        let title = format!("All {} traces", grouped(n));
        return Ok((View { title, ..around }, None));
    }
    if !shape.has_cheap_places() {
        return Ok((named(&around, "Around the middle"), None));
    }
    let wanted = every(0..n, MOST_APART);
    let n_samples = section_samples(&shape, wanted.len() as u64);
    let (headers, section) = read_traces(source, &wanted, n_samples)?;
    let whole = view(String::new(), &shape, &headers, section);
    let step = n.div_ceil(MOST_APART);
    let title = format!("The whole: one trace in {} of all {}", grouped(step), grouped(n));
    let across = regular(&whole.told);
    Ok((View { title, across, ..whole }, Some(named(&around, "Around the middle"))))
}

/// The first traces of a file, unless the main section begins with them.
fn first_traces(source: &mut dyn Source, main: &View) -> Result<Option<View>> {
    if main.traces.first() == Some(&0) {
        return Ok(None);
    }
    let shape = source.shape().clone();
    let (n, n_samples) = section_size(&shape, shape.n_traces.min(MOST_APART));
    let run = source.read(0..n, n_samples)?;
    let view = view_of_run(String::new(), &shape, &run);
    Ok(Some(View { across: regular(&view.told), ..named(&view, "The beginning of the file") }))
}

/// A whole gather near the middle, or neighbouring traces.
fn gather(order: &Order, main: &View, middle: &Run, shape: &Shape) -> View {
    let around = view_of_run(String::new(), shape, middle);
    let n = around.traces.len();
    let centred = |n_wanted: usize| (n - n_wanted.min(n)) / 2..(n - n_wanted.min(n)) / 2 + n_wanted.min(n);
    let (range, title) = match order {
        Order::Gathers(keys) => {
            let ends = main.bounds.iter().map(|b| b.0).chain([n]).collect::<Vec<_>>();
            let whole = ends.windows(2).filter(|w| w[0] > 0 && w[1] < n || ends.len() < 4);
            let nearest = whole.min_by_key(|w| (w[0] + w[1]).abs_diff(n));
            let range = nearest.map_or(centred(MOST_WIGGLES), |w| w[0]..w[1]);
            let key = main.bounds.iter().find(|b| b.0 == range.start).map(|b| b.1.clone());
            let title = key.map_or("Around the middle".into(), |key| format!("{} {key}", capital(&keys.join(", "))));
            (range, title)
        }
        _ => (centred(MOST_WIGGLES), "Neighbouring traces".into()),
    };
    let of_all = range.len();
    let range = range.start..range.end.min(range.start + MOST_WIGGLES);
    let told = around.told.iter().map(|(name, v)| (name.clone(), v.get(range.clone()).unwrap_or_default().to_vec()));
    let traces = around.traces.get(range.clone()).unwrap_or_default().to_vec();
    let cut = if of_all > range.len() { format!(", the first {MOST_WIGGLES} of {of_all}") } else { String::new() };
    View {
        title: format!("{title}{cut}: {}", trace_range(&traces)),
        section: around.section.part(range.clone()),
        traces,
        told: told.collect(),
        ..View::default()
    }
}

/// With a capital at the beginning, and blanks for underscores.
pub(crate) fn capital(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).map(|c| if c == '_' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_a_line_are_found_in_few_steps() {
        for (start, end, n) in [(0, 1, 1), (500, 700, 10_000), (0, 10_000, 10_000), (4999, 5001, 10_000)] {
            let mut looked = 0;
            let mut is_of_line = |t: u64| {
                looked += 1;
                Ok((start..end).contains(&t))
            };
            let middle: u64 = u64::midpoint(start, end);
            let first = edge(middle, 0, &mut is_of_line).unwrap();
            let last = edge(middle, n - 1, &mut is_of_line).unwrap();
            assert_eq!((first, last + 1), (start, end));
            assert!(looked < 60, "{looked}");
        }
    }

    #[test]
    fn a_scale_is_a_field_with_one_step() {
        let told = |v: &[f64]| vec![("offset".into(), vec![1.0, 9.0, 3.0]), ("cdp".into(), v.to_vec())];
        assert_eq!(regular(&told(&[5.0, 7.0, 9.0])), Some(1));
        assert_eq!(regular(&told(&[9.0, 7.0, 5.0])), Some(1));
        assert_eq!(regular(&told(&[5.0, 5.0, 5.0])), None);
        assert_eq!(regular(&told(&[5.0, 9.0, 7.0])), None);
    }
}

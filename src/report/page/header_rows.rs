//! The table of the header fields, with two small curves for each that varies.

use maud::{Markup, html};

use crate::inspect::Report;
use crate::inspect::field_table::FieldSummary;
use crate::inspect::text_columns::grouped;
use crate::picture::curve::{Frame, envelope, range};
use crate::report::header_values::{raw_values, trace_numbers};
use crate::report::looked_at::LookedAt;
use crate::report::page::section_svg::places;

/// Size of a small curve; its columns are a unit apart.
const CURVE: [f64; 2] = [120.0, 20.0];
/// Traces of the second curve, at most.
const CONSECUTIVE: u64 = 500;

/// The fields worth seeing with their curves, and in words those that are constant or only count traces.
pub(super) fn headers(looked: &LookedAt, about: &Report) -> Markup {
    let traces = trace_numbers(&looked.headers);
    let (mut drawn, mut counters): (Vec<(&FieldSummary, Vec<f64>)>, Vec<Counter>) = Default::default();
    for field in about.fields.iter().filter(|f| !f.constant) {
        let column = looked.headers.columns.iter().find(|c| c.name == field.name);
        let values = column.map(|c| raw_values(&looked.headers, c)).unwrap_or_default();
        match step_per_trace(&traces, &values) {
            Some(step) => counters.push((step, field)),
            None => drawn.push((field, values)),
        }
    }
    let middle = consecutive(&traces);
    html! {
        h2 id="headers" { "Trace headers" }
        p.lead { "From " (grouped(about.coverage.headers_read)) " of " (grouped(about.coverage.n_traces)) " headers."
            @if !drawn.is_empty() { " The first curve goes over the whole file, the second over " (grouped(middle.len() as u64)) " consecutive traces." } }
        @if !drawn.is_empty() {
            div.wide { table.headers {
                thead { tr { th { "field" } th { "bytes" } th { "type" } th { "min" } th { "max" } th { "distinct" } th { "step" } th { "file" } th { "consecutive" } } }
                tbody { @for (field, values) in &drawn { (row(field, values, looked, &traces, &middle)) } }
            } }
        }
        (in_words(about, &counters))
    }
}

/// A field that goes up or down by the same step from each trace to the next.
type Counter<'a> = (f64, &'a FieldSummary);

/// What needs no curve.
fn in_words(about: &Report, counters: &[Counter]) -> Markup {
    let same = || about.fields.iter().filter(|f| f.constant);
    let constant: Vec<_> = same().filter(|f| !f.zero && f.text.as_deref() != Some("")).collect();
    let n_zero = same().count() - constant.len();
    let place = |f: &FieldSummary| html! { " " small { (f.first_byte) "–" (f.last_byte) } };
    html! {
        @if !counters.is_empty() {
            p.plain { "From trace to trace: " @for (i, (step, f)) in counters.iter().enumerate() {
                @if i > 0 { "; " } (f.name) (place(f)) @if *step > 0.0 { " counts up by " } @else { " counts down by " } (step.abs())
                ", " (value(f, f.min.as_ref())) " to " (value(f, f.max.as_ref()))
            } "." }
        }
        p.plain { "Constant: " @for (i, f) in constant.iter().enumerate() {
            @if i > 0 { "; " } (f.name) " " b { (value(f, f.min.as_ref())) } (place(f))
        } @if constant.is_empty() { "none" } "; zero: " (n_zero) @if n_zero == 1 { " field." } @else { " fields." } }
    }
}

/// By how much a field changes from each trace to the next, if that is the same everywhere in the headers that were read.
fn step_per_trace(traces: &[u64], values: &[f64]) -> Option<f64> {
    const FEWEST: usize = 3;
    let (&[first, second, ..], &[start, next, ..]) = (traces, values) else { return None };
    let step = (next - start) / (second as f64 - first as f64);
    let is_on_line = |(&trace, &value): (&u64, &f64)| value == start + step * (trace - first) as f64;
    let is_counter = values.len() == traces.len() && values.len() >= FEWEST && step.is_finite() && step != 0.0;
    (is_counter && traces.iter().zip(values).all(is_on_line)).then_some(step)
}

fn value(f: &FieldSummary, number: Option<&crate::inspect::field_keys::Number>) -> String {
    number.map_or_else(|| format!("\"{}\"", f.text.as_deref().unwrap_or_default()), ToString::to_string)
}

/// The longest run of consecutive traces, cut in its middle: places in the list of traces.
fn consecutive(traces: &[u64]) -> std::ops::Range<usize> {
    let mut best = 0..0;
    let mut start = 0;
    for i in 1..=traces.len() {
        if i == traces.len() || traces[i] != traces[i - 1] + 1 {
            if i - start > best.len() {
                best = start..i;
            }
            start = i;
        }
    }
    let n = best.len().min(CONSECUTIVE as usize);
    let first = best.start + (best.len() - n) / 2;
    first..first + n
}

fn row(f: &FieldSummary, values: &[f64], looked: &LookedAt, traces: &[u64], middle: &std::ops::Range<usize>) -> Markup {
    let whole = traces.iter().copied().zip(values.iter().copied());
    let part = values.get(middle.clone()).unwrap_or_default();
    let distinct = f.distinct.map_or("> 1,000".into(), |n| grouped(n as u64));
    html! {
        tr {
            td { (f.name) }
            td { (f.first_byte) "–" (f.last_byte) }
            td { (f.kind) }
            td.number { (value(f, f.min.as_ref())) }
            td.number { (value(f, f.max.as_ref())) }
            td.number { (distinct) }
            td.number { (f.step.map_or(String::new(), |s| s.to_string())) }
            td { (curve(whole, looked.shape.n_traces)) }
            td { (curve((0..).zip(part.iter().copied()), part.len() as u64)) }
        }
    }
}

/// Smallest and largest value in each column, from one column to the next.
fn curve(points: impl Iterator<Item = (u64, f64)> + Clone, n: u64) -> Markup {
    let Some(y) = range(points.clone().map(|p| p.1)) else { return html! {} };
    let frame = Frame { x: [0.0, CURVE[0]], y, size: CURVE };
    let n_columns = (CURVE[0] as u64).min(n).max(1);
    let per = CURVE[0] / n_columns as f64;
    let mut path = String::new();
    for (i, [low, high]) in envelope(points.filter(|p| p.1.is_finite()), n, n_columns as usize)
        .into_iter()
        .enumerate()
        .filter_map(|(i, c)| Some((i, c?)))
    {
        let x = places((i as f64 + 0.5) * per);
        path += if path.is_empty() { "M" } else { "L" };
        path += &format!("{x} {}", places(frame.down(low)));
        if places(frame.down(low)) != places(frame.down(high)) {
            path += &format!("V{}", places(frame.down(high)));
        }
    }
    html! { svg.curve viewBox="0 -1 120 22" width="120" height="22" aria-hidden="true" { path.line d=(path) {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_counts_traces_has_one_step_wherever_headers_were_read() {
        let traces = [0, 1, 2, 50, 51];
        assert_eq!(step_per_trace(&traces, &[1.0, 2.0, 3.0, 51.0, 52.0]), Some(1.0));
        assert_eq!(step_per_trace(&traces, &[9.0, 7.0, 5.0, -91.0, -93.0]), Some(-2.0));
        for others in [[1.0, 2.0, 3.0, 4.0, 5.0], [7.0; 5], [1.0, 2.0, 1.0, 2.0, 1.0], [f64::NAN; 5]] {
            assert_eq!(step_per_trace(&traces, &others), None);
        }
        assert_eq!(step_per_trace(&traces[..2], &[1.0, 2.0]), None);
    }

    #[test]
    fn the_longest_run_is_found_and_cut_in_its_middle() {
        assert_eq!(consecutive(&[1, 2, 5, 6, 7, 9]), 2..5);
        assert_eq!(consecutive(&[]), 0..0);
        let long: Vec<u64> = (10..1010).collect();
        assert_eq!(consecutive(&long), 250..750);
    }
}

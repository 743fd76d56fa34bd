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

/// The fields that vary with their curves, then those that do not.
pub(super) fn headers(looked: &LookedAt, about: &Report) -> Markup {
    let (varying, same): (Vec<_>, Vec<_>) = about.fields.iter().partition(|f| !f.constant);
    let constant: Vec<_> = same.iter().filter(|f| !f.zero && f.text.as_deref() != Some("")).collect();
    let n_zero = same.len() - constant.len();
    let traces = trace_numbers(&looked.headers);
    let middle = consecutive(&traces);
    html! {
        h2 id="headers" { "Trace headers" }
        p.lead { "From " (grouped(about.coverage.headers_read)) " of " (grouped(about.coverage.n_traces)) " headers. The first curve goes over the whole file, the second over " (grouped(middle.len() as u64)) " consecutive traces." }
        div.wide { table.headers {
            thead { tr { th { "field" } th { "bytes" } th { "type" } th { "min" } th { "max" } th { "distinct" } th { "step" } th { "file" } th { "consecutive" } } }
            tbody { @for field in &varying { (row(field, looked, &traces, &middle)) } }
        } }
        details open[varying.is_empty()] {
            summary { (constant.len()) " fields are the same in all of them, and " (n_zero) " zero" }
            ul.fields { @for f in constant { li { (f.name) " " b { (value(f, f.min.as_ref())) } " " small { (f.first_byte) "–" (f.last_byte) } } } }
        }
    }
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

fn row(f: &FieldSummary, looked: &LookedAt, traces: &[u64], middle: &std::ops::Range<usize>) -> Markup {
    let values = looked
        .headers
        .columns
        .iter()
        .find(|c| c.name == f.name)
        .map(|c| raw_values(&looked.headers, c))
        .unwrap_or_default();
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
    fn the_longest_run_is_found_and_cut_in_its_middle() {
        assert_eq!(consecutive(&[1, 2, 5, 6, 7, 9]), 2..5);
        assert_eq!(consecutive(&[]), 0..0);
        let long: Vec<u64> = (10..1010).collect();
        assert_eq!(consecutive(&long), 250..750);
    }
}

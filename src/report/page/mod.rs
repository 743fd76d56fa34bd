//! The page: HTML with everything in it, which fetches nothing and can be read without its script.
//!
//! What comes from a file is escaped by `maud`. Sections are grey pictures, coloured by an SVG filter that the script changes;
//! lines are SVG.

mod charts;
mod header_rows;
mod section_svg;
mod several;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::base::error::{Result, failed};
use crate::base::shell::quoted_word as quoted;
use crate::inspect::Report;
use crate::inspect::text_columns::grouped;
use crate::picture::colours::COLOUR_MAPS;
use crate::report::checks::{Check, Mark};
use crate::report::looked_at::LookedAt;
use crate::report::page::section_svg::{colour_filter, readout, section_svg, wiggle_svg};
use crate::report::sections::View;

pub(super) use several::{Brief, page_of_several};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing is fetched, whatever a file contains.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
/// Bytes of the first section and of each other one, at most, before base64.
const SECTION_BYTES: [usize; 2] = [420 << 10, 160 << 10];

/// The page of one file or dataset.
pub(super) fn page(looked: &LookedAt, about: &Report) -> Result<String> {
    let n = &looked.numbers;
    let numbers = serde_json::to_value(n).map_err(failed("the report"))?;
    let content = html! {
        h1 { (n.name) }
        p.lead { (words::coverage(looked, about)) }
        (checks(&n.checks))
        (facts(looked, about))
        (sections(looked)?)
        (charts::amplitudes(looked))
        (charts::map(looked)?)
        (header_rows::headers(looked, about))
        (texts(about))
        (decisions(looked, about))
        (data("numbers", &numbers))
    };
    Ok(document(&n.name, looked.numbers.scale.is_symmetric(), &content))
}

/// A page around its content.
fn document(title: &str, is_symmetric: bool, content: &Markup) -> String {
    let maps: Vec<Value> = COLOUR_MAPS.iter().map(|m| json!({"name": m.name, "stops": m.stops})).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (colour_filter(is_symmetric))
                (content)
                footer { "segy-import " (env!("CARGO_PKG_VERSION")) }
                (data("maps", &Value::Array(maps)))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Data for the script, and for programs that read the page. No `<` can end it too early.
fn data(id: &str, value: &Value) -> Markup {
    let text = value.to_string().replace('<', "\\u003c");
    html! { script type="application/json" id=(id) { (PreEscaped(text)) } }
}

fn symbol(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Good => ("✔", "good"),
        Mark::Look => ("⚠", "look"),
        Mark::Bad => ("✖", "bad"),
        Mark::None => ("–", "none"),
    }
}

fn checks(checks: &[Check]) -> Markup {
    html! {
        nav.checks aria-label="Checks" {
            @for check in checks {
                @let (symbol, class) = symbol(check.mark);
                a class=(class) href={ "#" (check.link) } { b { (symbol) } span { strong { (check.name) } " " (check.finding) } }
            }
        }
    }
}

fn facts(looked: &LookedAt, about: &Report) -> Markup {
    let facts = words::facts(looked, about);
    html! {
        section.facts id="facts" {
            @for (name, value) in facts.iter().chain(&looked.facts) { div { span { (name) } b { (value) } } }
        }
    }
}

fn sections(looked: &LookedAt) -> Result<Markup> {
    let Some(views) = &looked.views else {
        return Ok(html! { p { "There are no samples: only the headers were imported." } });
    };
    let mut shown: Vec<(&str, &View, usize)> = vec![("main", &views.main, SECTION_BYTES[0])];
    shown.extend(views.second.as_ref().map(|view| ("second", view, SECTION_BYTES[1])));
    shown.extend(looked.slice.as_ref().map(|view| ("slice", view, SECTION_BYTES[1])));
    let readouts: Vec<Value> = shown.iter().map(|(id, view, _)| readout(id, view, &looked.shape)).collect();
    Ok(html! {
        (controls(looked.numbers.scale.is_symmetric()))
        @for (id, view, bytes) in &shown { (section_svg(id, view, looked, *bytes)?) }
        (wiggle_svg(&views.gather, looked)?)
        (data("views", &Value::Array(readouts)))
    })
}

fn controls(is_symmetric: bool) -> Markup {
    let default = if is_symmetric { "grey" } else { "batlow" };
    html! {
        form.controls id="controls" hidden {
            label { "colours " select id="colours" {
                @for map in COLOUR_MAPS { option value=(map.name) selected[map.name == default] title=(map.about) { (map.name) } }
            } }
            label { "gain " input id="gain" type="range" min="-12" max="30" step="1" value="0"; output id="decibels" { "0 dB" } }
            label { input id="reverse" type="checkbox"; " reverse polarity" }
        }
    }
}

fn texts(about: &Report) -> Markup {
    let headers = &about.file_headers;
    html! {
        h2 id="text" { "File headers" }
        @if let Some(text) = &headers.textual_header {
            h3 { "Textual header (" (text.encoding.name()) ")" }
            pre { (text.lines.join("\n")) }
        } @else { p { "There is no textual header." } }
        @if !headers.binary_header.is_empty() {
            h3 { "Binary header, nonzero fields" }
            ul.fields { @for f in &headers.binary_header { li { (f.name) " " b { (f.value) } " " small { (f.first_byte) "–" (f.last_byte) } } } }
        }
        @if headers.n_extended_textual_headers > 0 {
            details {
                summary { (headers.n_extended_textual_headers) " extended textual headers" }
                @for text in headers.extended_textual_headers.iter().take(MOST_EXTENDED) { pre { (text.lines.join("\n")) } }
            }
        }
    }
}

/// Extended textual headers on a page.
const MOST_EXTENDED: usize = 10;

fn decisions(looked: &LookedAt, about: &Report) -> Markup {
    let name = quoted(&looked.numbers.name);
    let stem = looked.path.file_stem().map_or_else(|| "out".into(), |s| s.to_string_lossy().into_owned());
    let is_file = looked.facts.is_empty();
    html! {
        h2 id="decisions" { "Decisions" }
        @for warning in &about.warnings { p.warning { "⚠ " (warning) } }
        table { @for d in &about.decisions { tr { td { (d.what) } td { b { (d.value) } } td { "from " (d.because) } } } }
        p { "Gathers: " b { (about.gather.option()) } " – " (about.gather.reason) }
        @if is_file {
            h3 { "To go on" }
            pre {
                "segy-import " (name) " " (quoted(&stem)) "/ --gather " (about.gather.option()) "\n"
                "segy-import inspect " (name) " --candidates --scan\n"
                "segy-import view " (name)
            }
        }
    }
}

/// The percentiles of a distribution that a table shows.
fn percentile_rows(percentiles: &[(f64, f32)]) -> Markup {
    html! {
        table.small {
            @for (percent, value) in percentiles {
                tr { td { (words::percentile(*percent)) } td.number { (crate::picture::axis::short(f64::from(*value), 4)) } }
            }
        }
    }
}

/// A count, with the word for one or several.
fn counted(n: u64, one: &str, several: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { several })
}

//! The page of several files: a row for each, and one map of all.

use maud::{Markup, html};
use serde_json::Value;

use crate::base::error::{Result, failed};
use crate::inspect::Report;
use crate::inspect::text_columns::grouped;
use crate::picture::map::MapFrame;
use crate::report::base_map::Points;
use crate::report::checks::{Check, Mark};
use crate::report::looked_at::{LookedAt, PERCENTILE};
use crate::report::page::section_svg::{data_address, grey_png, places};
use crate::report::page::{data, document, symbol, words};

/// Size of a thumbnail.
const THUMBNAIL: [usize; 2] = [160, 90];
/// Bytes of one, at most.
const THUMBNAIL_BYTES: usize = 9 << 10;
/// Places of a line on the map.
const PLACES: usize = 60;
/// Largest map.
const MAP: [f64; 2] = [760.0, 520.0];

/// What the page of several files shows of one.
pub struct Brief {
    name: String,
    size: String,
    n_traces: u64,
    samples: String,
    order: String,
    checks: Vec<Check>,
    thumbnail: Option<String>,
    /// CDPs, or else receivers or sources.
    places: Vec<[f64; 2]>,
    numbers: Value,
}

impl Brief {
    /// Keeps what is needed of a file.
    pub fn new(looked: &LookedAt, about: &Report) -> Result<Self> {
        let facts = words::facts(looked, about);
        let fact = |name: &str| facts.iter().find(|f| f.0 == name).map(|f| f.1.clone()).unwrap_or_default();
        let thumbnail = match &looked.views {
            Some(views) => {
                let small = views.main.section.reduced(THUMBNAIL[0], THUMBNAIL[1]);
                let scale = looked.numbers.scale.like(&small, PERCENTILE);
                Some(data_address(&grey_png(&small, scale, THUMBNAIL_BYTES)?))
            }
            None => None,
        };
        let of_kind = |name: &str| looked.points.iter().find(|p: &&Points| p.name == name);
        let points = ["CDPs", "receivers", "sources"].into_iter().find_map(of_kind);
        let all = points.map(|p| p.places.as_slice()).unwrap_or_default();
        let places = all.iter().step_by(all.len().div_ceil(PLACES).max(1)).copied().collect();
        Ok(Self {
            name: looked.numbers.name.clone(),
            size: fact("size"),
            n_traces: looked.shape.n_traces,
            samples: fact("samples"),
            order: fact("order of the traces"),
            checks: looked.numbers.checks.clone(),
            thumbnail,
            places,
            numbers: serde_json::to_value(&looked.numbers).map_err(failed("the report"))?,
        })
    }

    /// As `--json` prints it.
    pub fn numbers(&self) -> &Value {
        &self.numbers
    }
}

/// The page of several files; `refused` are those that cannot be read, with the reason.
pub fn page_of_several(briefs: &[Brief], refused: &[(String, String)]) -> String {
    let n_traces: u64 = briefs.iter().map(|b| b.n_traces).sum();
    let title = format!("{} files", briefs.len() + refused.len());
    let content = html! {
        h1 { (title) }
        p.lead { (grouped(n_traces)) " traces. Each file was looked at in a few places." }
        @for (name, reason) in refused { p.warning { "✖ " strong { (name) } " " (reason) } }
        (map(briefs))
        div.wide { table.files {
            thead { tr { th { "" } th { "file" } th { "size" } th { "traces" } th { "samples" } th { "order" } th { "checks" } } }
            tbody { @for (i, brief) in briefs.iter().enumerate() { (row(i, brief)) } }
        } }
        (data("numbers", &Value::Array(briefs.iter().map(|b| light(&b.numbers)).collect())))
    };
    document(&title, true, &content)
}

/// What the page of several files has of the numbers of each, so that it can be of hundreds.
const KEPT: [&str; 8] =
    ["name", "input_bytes", "checks", "geometry", "gather", "amplitudes", "traces_read", "headers_read"];

fn light(numbers: &Value) -> Value {
    let kept = KEPT.iter().filter_map(|key| Some(((*key).to_owned(), numbers.get(*key)?.clone())));
    Value::Object(kept.collect())
}

fn row(i: usize, brief: &Brief) -> Markup {
    html! {
        tr {
            td { @if let Some(image) = &brief.thumbnail { img.seismic src=(image) width="160" height="90" alt="section"; } }
            td { strong { (brief.name) } br; small { "line " (i + 1) } }
            td { (brief.size) }
            td.number { (grouped(brief.n_traces)) }
            td { (brief.samples) }
            td { (brief.order) }
            td.marks {
                @for check in brief.checks.iter().filter(|c| matches!(c.mark, Mark::Look | Mark::Bad)) {
                    @let (symbol, class) = symbol(check.mark);
                    span class=(class) title=(check.finding) { (symbol) " " (check.name) }
                }
                @if brief.checks.iter().all(|c| matches!(c.mark, Mark::Good | Mark::None)) { span.good { "✔ all" } }
            }
        }
    }
}

/// All lines with equal axes, each with its number at its first place.
fn map(briefs: &[Brief]) -> Markup {
    let all = briefs.iter().flat_map(|b| b.places.iter().copied());
    let Some(frame) = MapFrame::fit(all, MAP) else { return html! { p { "No file has coordinates." } } };
    let [width, height] = frame.size.map(|s| s.max(1.0));
    let dots = |b: &Brief| -> String {
        b.places.iter().map(|p| format!("M{}h0", frame.place(*p).map(places).join(" "))).collect()
    };
    html! {
        figure {
            figcaption { "All files" }
            svg.map viewBox={ "-24 -24 " (places(width + 48.0)) " " (places(height + 70.0)) } role="img" aria-label="Map of all files" {
                rect.frame x="-12" y="-12" width=(places(width + 24.0)) height=(places(height + 24.0)) {}
                @for (i, brief) in briefs.iter().enumerate() {
                    path.points.CDPs d=(dots(brief)) { title { (brief.name) } }
                    @if let Some(first) = brief.places.first() {
                        @let at = frame.place(*first);
                        text x=(places(at[0] + 4.0)) y=(places(at[1] - 4.0)) { (i + 1) }
                    }
                }
                @if let Some((length, drawn)) = frame.scale_bar() {
                    path.bar d={ "M0 " (places(height + 24.0)) "v6h" (places(drawn)) "v-6" } {}
                    text x=(places(drawn + 6.0)) y=(places(height + 31.0)) { (crate::picture::axis::short(length, 6)) }
                }
            }
        }
    }
}

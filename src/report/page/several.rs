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
pub(crate) struct Brief {
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
    pub(crate) fn new(looked: &LookedAt, about: &Report) -> Result<Self> {
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
    pub(crate) fn numbers(&self) -> &Value {
        &self.numbers
    }
}

/// The page of several files; `refused` says why others cannot be read.
pub(crate) fn page_of_several(briefs: &[Brief], refused: &[String]) -> String {
    let n_traces: u64 = briefs.iter().map(|b| b.n_traces).sum();
    let title = format!("{} files", briefs.len() + refused.len());
    let content = html! {
        h1 { (title) }
        p.lead { (grouped(n_traces)) " traces. Each file was looked at in a few places." }
        @for reason in refused { p.warning { "✖ " (reason) } }
        (map(briefs))
        div.wide { table.files {
            thead { tr { th { "" } th { "file" } th { "size" } th { "traces" } th { "samples" } th { "order" } th { "checks" } } }
            tbody { @for (i, brief) in briefs.iter().enumerate() { (row(i, brief)) } }
        } }
        (data("numbers", &Value::Array(briefs.iter().map(|b| light(&b.numbers)).collect())))
    };
    document(&title, true, &content)
}

/// The numbers of each file that are on the page of several, so that it can show hundreds.
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
            td { strong { (brief.name) } br; small { "no. " (i + 1) } }
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

/// A file is left off the map if it is this many times as far from the middle one as half of the files are.
const ELSEWHERE: f64 = 20.0;

/// The numbers of the files that lie with the others, and of those that lie elsewhere: some of them may have scalars or
/// units of their own.
fn together(briefs: &[Brief]) -> (Vec<usize>, Vec<usize>) {
    let centre = |b: &Brief| b.places.get(b.places.len() / 2).copied();
    let centres: Vec<(usize, [f64; 2])> =
        briefs.iter().enumerate().filter_map(|(i, b)| Some((i, centre(b)?))).collect();
    let middle = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    let [x, y] = [0, 1].map(|axis| middle(centres.iter().map(|c| c.1[axis]).collect()));
    let distance = |p: &[f64; 2]| (p[0] - x).hypot(p[1] - y);
    let extent =
        |b: &Brief| MapFrame::fit(b.places.iter().copied(), [1.0; 2]).map_or(0.0, |f| f.extent[0].max(f.extent[1]));
    let usual =
        middle(centres.iter().map(|c| distance(&c.1)).collect()).max(middle(briefs.iter().map(extent).collect()));
    let (near, far): (Vec<_>, Vec<_>) = centres.into_iter().partition(|c| distance(&c.1) <= ELSEWHERE * usual);
    (near.into_iter().map(|c| c.0).collect(), far.into_iter().map(|c| c.0).collect())
}

/// All lines with equal axes, each with its number at its first place.
fn map(briefs: &[Brief]) -> Markup {
    let (near, far) = together(briefs);
    let shown = || near.iter().filter_map(|&i| Some((i, briefs.get(i)?)));
    let all = shown().flat_map(|(_, b)| b.places.iter().copied());
    let Some(frame) = MapFrame::fit(all, MAP) else { return html! { p { "No file has coordinates." } } };
    let [width, height] = frame.size.map(|s| s.max(1.0));
    let dots = |b: &Brief| -> String {
        b.places.iter().map(|p| format!("M{}h0", frame.place(*p).map(places).join(" "))).collect()
    };
    let elsewhere = far.iter().map(|i| (i + 1).to_string()).collect::<Vec<_>>().join(", ");
    html! {
        figure {
            figcaption { "All files" @if !far.is_empty() { "; far away from the others, and not shown: " (elsewhere) } }
            svg.map viewBox={ "-24 -24 " (places(width + 60.0)) " " (places(height + 70.0)) } style={ "max-width:" (places(width + 60.0)) "px" } role="img" aria-label="Map of all files" {
                rect.frame x="-12" y="-12" width=(places(width + 24.0)) height=(places(height + 24.0)) {}
                @for (i, brief) in shown() {
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

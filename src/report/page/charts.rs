//! Amplitudes, spectra, and maps.

use maud::{Markup, html};

use crate::base::error::Result;
use crate::inspect::text_columns::grouped;
use crate::picture::Raster;
use crate::picture::axis::{label, short, ticks};
use crate::picture::colours::batlow;
use crate::picture::curve::{Frame, envelope, range};
use crate::picture::map::MapFrame;
use crate::picture::spectrum::Spectrum;
use crate::report::base_map::Points;
use crate::report::looked_at::{Histogram, LookedAt};
use crate::report::page::section_svg::{data_address, places};
use crate::report::page::{counted, percentile_rows};
use crate::report::whole_pass::{Fold, Whole};
use crate::segy::Domain;

/// Size of a chart.
const CHART: [f64; 2] = [320.0, 150.0];
/// Columns of a curve over all traces, and over some of them, so that each column has some.
const COLUMNS: [usize; 2] = [320, 128];
/// Largest map.
const MAP: [f64; 2] = [520.0, 420.0];

/// Histogram, spectrum, and the loudness of the traces.
pub(super) fn amplitudes(looked: &LookedAt) -> Markup {
    let a = &looked.numbers.amplitudes;
    html! {
        h2 id="amplitudes" { "Amplitudes" }
        p.lead { "Of " (counted(a.n_traces, "trace", "traces")) ": mean " (short(a.mean, 3)) ", RMS " (short(a.rms, 4)) "." }
        div.charts {
            (histogram(&looked.histogram))
            figure { figcaption { "Percentiles" } (percentile_rows(&a.percentiles)) }
            @if let Some(spectrum) = &looked.numbers.spectrum { (spectrum_chart(spectrum, &looked.shape.axis.domain)) }
            (loudness(looked))
        }
    }
}

/// A chart with its frame, ticks and content.
fn chart(title: &str, frame: &Frame, names: [&str; 2], content: &Markup) -> Markup {
    let [width, height] = frame.size;
    let (x_marks, x_step) = ticks(frame.x[0], frame.x[1], 5);
    let (y_marks, y_step) = ticks(frame.y[0], frame.y[1], 4);
    html! {
        figure {
            figcaption { (title) }
            svg viewBox={ "-62 -18 " (width + 78.0) " " (height + 54.0) } style={ "max-width:" (places(width + 98.0)) "px" } role="img" aria-label=(title) {
                rect.frame width=(width) height=(height) {}
                (content)
                @for mark in x_marks {
                    line x1=(places(frame.across(mark))) x2=(places(frame.across(mark))) y1=(height) y2=(height + 4.0) {}
                    text x=(places(frame.across(mark))) y=(height + 17.0) text-anchor="middle" { (tick_label(mark, x_step)) }
                }
                @for mark in y_marks {
                    line x1="-4" x2="0" y1=(places(frame.down(mark))) y2=(places(frame.down(mark))) {}
                    text x="-7" y=(places(frame.down(mark) + 4.0)) text-anchor="end" { (tick_label(mark, y_step)) }
                }
                text x=(width / 2.0) y=(height + 33.0) text-anchor="middle" { (names[0]) }
                text x="0" y="-5" { (names[1]) }
            }
        }
    }
}

fn tick_label(mark: f64, step: f64) -> String {
    let text = label(mark, step);
    if text.len() > 7 { short(mark, 3) } else { text }
}

/// A line through points, broken where one is missing.
fn line(frame: &Frame, points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    let mut is_on = false;
    for (x, y) in points {
        if !y.is_finite() {
            is_on = false;
            continue;
        }
        path += &format!("{}{} {}", if is_on { "L" } else { "M" }, places(frame.across(x)), places(frame.down(y)));
        is_on = true;
    }
    path
}

fn histogram(histogram: &Histogram) -> Markup {
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let [low, high] = [f64::from(histogram.low), f64::from(histogram.high)];
    let frame = Frame { x: [low, high], y: [0.0, most], size: CHART };
    let width = (high - low) / histogram.counts.len().max(1) as f64;
    let steps = histogram.counts.iter().enumerate().flat_map(|(i, &n)| {
        let x = low + i as f64 * width;
        [(x, n as f64), (x + width, n as f64)]
    });
    let path = format!("{}L{} {}L0 {}Z", line(&frame, steps), CHART[0], CHART[1], CHART[1]);
    chart("Amplitudes", &frame, ["amplitude", "samples"], &html! { path.area d=(path) {} })
}

fn spectrum_chart(spectrum: &Spectrum, domain: &Domain) -> Markup {
    let last = (spectrum.mean_db.len().max(2) - 1) as f64 * spectrum.step;
    let (scale, unit) = match domain {
        Domain::Time => hertz(last),
        Domain::Depth => (1.0, "cycles per unit of depth"),
        Domain::Frequency => (1.0, "cycles per Hz"),
    };
    let (step, last) = (spectrum.step / scale, last / scale);
    let frame = Frame { x: [0.0, last], y: [-60.0, 6.0], size: CHART };
    let points = |db: &[f32]| {
        let at = |(i, &v): (usize, &f32)| (i as f64 * step, f64::from(v).clamp(-60.0, 6.0));
        db.iter().enumerate().map(at).collect::<Vec<_>>()
    };
    let (low, high) = (points(&spectrum.low_db), points(&spectrum.high_db));
    let back = line(&frame, low.into_iter().rev()).replacen('M', "L", 1);
    let band = format!("{}{back}Z", line(&frame, high.into_iter()));
    let title = format!(
        "Spectrum: mean of {} traces, and the band that holds four in five; peak at {} {unit}",
        spectrum.n_traces,
        short(spectrum.peak() / scale, 3)
    );
    let mean = line(&frame, points(&spectrum.mean_db).into_iter());
    let below = if *domain == Domain::Frequency { unit.to_owned() } else { format!("{unit}, up to Nyquist") };
    chart(&title, &frame, [&below, "dB"], &html! { path.band d=(band) {} path.line d=(mean) {} })
}

/// The unit for frequencies up to `last` Hz, in Hz, and its name.
fn hertz(last: f64) -> (f64, &'static str) {
    let units = [(1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz")];
    // Seismic spectra of kilohertz are still read in hertz.
    units.into_iter().find(|(unit, _)| last >= 10.0 * unit).unwrap_or((1.0, "Hz"))
}

/// The root mean square of the traces looked at, and where dead ones lie.
fn loudness(looked: &LookedAt) -> Markup {
    let n = looked.shape.n_traces;
    let live = looked.traces.iter().filter(|t| !t.is_dead).map(|t| (t.trace, t.rms));
    let most = COLUMNS[usize::from((looked.traces.len() as u64) < n)];
    let columns = envelope(live, n, most.min(n as usize).max(1));
    let top = range(columns.iter().flatten().map(|c| c[1])).map_or(1.0, |r| r[1]);
    let frame = Frame { x: [1.0, n as f64], y: [0.0, top], size: CHART };
    let per = CHART[0] / columns.len() as f64;
    let bar = |(i, c): (usize, &Option<[f64; 2]>)| {
        let x = places((i as f64 + 0.5) * per);
        Some(format!("M{x} {}V{}", CHART[1], places(frame.down((*c)?[1]))))
    };
    let path: String = columns.iter().enumerate().filter_map(bar).collect();
    let dead: String = looked
        .traces
        .iter()
        .filter(|t| t.is_dead)
        .take(1000)
        .map(|t| format!("M{} {}v-7", places(t.trace as f64 / n as f64 * CHART[0]), CHART[1]))
        .collect();
    let n_dead = looked.numbers.amplitudes.n_dead;
    let title = match n_dead {
        0 => "RMS of each trace".into(),
        n => format!("RMS of each trace; {} below", counted(n, "dead one", "dead ones")),
    };
    let width = places(per.max(1.0));
    chart(&title, &frame, ["trace", "RMS"], &html! { path.bars d=(path) stroke-width=(width) {} path.dead d=(dead) {} })
}

/// The map, and what was found in all headers.
pub(super) fn map(looked: &LookedAt) -> Result<Markup> {
    let (fold, offsets) = match &looked.whole {
        Some(Whole { fold, offsets }) => (fold.as_ref(), offsets.as_ref()),
        None => (None, None),
    };
    Ok(html! {
        h2 id="map" { "Map" }
        div.charts {
            @if looked.points.is_empty() { p { "No coordinates vary in the headers looked at." } }
            @else { (base_map(&looked.points, None)) }
            @if let Some(fold) = fold { (fold_map(fold)?) }
            @if let Some((range, counts)) = offsets { (offset_chart(*range, counts)) }
        }
    })
}

/// Points of several kinds with equal axes. The title is that of the kinds unless one is given.
pub(super) fn base_map(kinds: &[Points], title: Option<&str>) -> Markup {
    let all = kinds.iter().flat_map(|k| k.places.iter().copied());
    let Some(frame) = MapFrame::fit(all, MAP) else { return html! {} };
    let [width, height] = frame.size.map(|s| s.max(1.0));
    let dots = |kind: &Points| -> String {
        let dot = |p: &[f64; 2]| frame.place(*p).map(places).join(" ");
        kind.places.iter().map(|p| format!("M{}h0", dot(p))).collect()
    };
    let names: Vec<&str> = kinds.iter().map(|k| k.name).collect();
    let title = title.map_or_else(|| names.join(", "), str::to_owned);
    let [right, top] = [0, 1].map(|i| frame.origin[i] + frame.extent[i]);
    html! {
        figure {
            figcaption { (title) }
            svg.map viewBox={ "-12 -22 " (places(width.max(230.0) + 24.0)) " " (places(height + 70.0)) } style={ "max-width:" (places(width.max(230.0) + 24.0)) "px" } role="img" aria-label=(title) {
                rect.frame x="-6" y="-6" width=(places(width + 12.0)) height=(places(height + 12.0)) {}
                @for kind in kinds { path class={ "points " (kind.name) } d=(dots(kind)) {} }
                text x="-6" y=(places(height + 20.0)) { (short(frame.origin[0], 9)) ", " (short(frame.origin[1], 9)) }
                text x=(places(width + 6.0)) y="-10" text-anchor="end" { (short(right, 9)) ", " (short(top, 9)) }
                @if let Some((length, drawn)) = frame.scale_bar() {
                    path.bar d={ "M0 " (places(height + 30.0)) "v6h" (places(drawn)) "v-6" } {}
                    text x=(places(drawn + 6.0)) y=(places(height + 37.0)) { (short(length, 6)) }
                }
                @for (i, name) in names.iter().enumerate() {
                    circle class=(name) cx=(places(4.0 + i as f64 * 80.0)) cy=(places(height + 52.0)) r="4" {}
                    text x=(places(12.0 + i as f64 * 80.0)) y=(places(height + 56.0)) { (name) }
                }
            }
        }
    }
}

fn fold_map(fold: &Fold) -> Result<Markup> {
    let mut palette = batlow().palette(63);
    palette.push([255; 3]);
    let mut raster = Raster::new(fold.size[0], fold.size[1], palette);
    raster.transparent = Some(63);
    for (i, &count) in fold.counts.iter().enumerate() {
        let level = if count == 0 { 63 } else { (u64::from(count - 1) * 62 / u64::from(fold.most.max(2) - 1)) as u8 };
        raster.set(i % fold.size[0], fold.size[1] - 1 - i / fold.size[0], level);
    }
    let frame = Frame { x: fold.ranges[0], y: fold.ranges[1], size: [CHART[0], CHART[0]] };
    let per_cell = match fold.lines_per_cell {
        [1, 1] => "place".into(),
        [x, y] => format!("cell of {x} × {y} lines"),
    };
    let title = format!(
        "Fold: traces in each {per_cell}, {} on average, {} at most (yellow and pink: many)",
        short(fold.mean, 3),
        grouped(fold.most.into())
    );
    let image = html! { image.fold width=(CHART[0]) height=(CHART[0]) preserveAspectRatio="none" href=(data_address(&raster.png()?)) {} };
    Ok(chart(&title, &frame, [&fold.names[0], &fold.names[1]], &image))
}

fn offset_chart(range: [f64; 2], counts: &[u64]) -> Markup {
    let most = counts.iter().copied().max().unwrap_or(1) as f64;
    let frame = Frame { x: range, y: [0.0, most], size: CHART };
    let width = (range[1] - range[0]) / counts.len() as f64;
    let steps = counts.iter().enumerate().flat_map(|(i, &n)| {
        let x = range[0] + i as f64 * width;
        [(x, n as f64), (x + width, n as f64)]
    });
    let path = format!("{}L{} {}L0 {}Z", line(&frame, steps), CHART[0], CHART[1], CHART[1]);
    chart("Offsets", &frame, ["offset", "traces"], &html! { path.area d=(path) {} })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_have_a_unit_that_keeps_them_short() {
        let units = [125.0, 4000.0, 50_000.0, 1.25e9, 1e11].map(|last| hertz(last).1);
        assert_eq!(units, ["Hz", "Hz", "kHz", "MHz", "GHz"]);
        assert_eq!(hertz(1.25e9).0, 1e6);
    }
}

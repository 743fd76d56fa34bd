//! Sections as SVG: a grey picture that a filter colours, with axes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::base::error::Result;
use crate::picture::axis::{label, short, ticks};
use crate::picture::colours::{batlow, colour_map, grey};
use crate::picture::curve::{Frame, range};
use crate::picture::density::density;
use crate::picture::wiggle::wiggle;
use crate::picture::{ColourMap, Raster, Scale, Section};
use crate::report::looked_at::{LookedAt, PERCENTILE};
use crate::report::sections::{Down, View, down};
use crate::report::source::Shape;

/// Pixels of a section, at most: a pixel for each trace and sample, or for several.
const MOST_PIXELS: [usize; 2] = [1000, 800];
/// Grey levels, odd so that zero has one of its own; fewer where the picture would be too large.
const LEVELS: [u8; 4] = [63, 31, 15, 7];
/// Width of the drawing.
const WIDTH: f64 = 1000.0;
/// Height of the header line above a section.
const LINE: f64 = 44.0;
/// Least distance between the names of gathers.
const BOUND_DISTANCE: f64 = 48.0;

/// The filter that makes colours of grey levels: first gain and polarity, then the colour map.
pub(super) fn colour_filter(is_symmetric: bool) -> Markup {
    let map = if is_symmetric { grey() } else { batlow() };
    let table = |i: usize| map.stops.iter().map(|c| short(f64::from(c[i]) / 255.0, 4)).collect::<Vec<_>>().join(" ");
    html! {
        svg.hidden width="0" height="0" aria-hidden="true" {
            filter id="colour" color-interpolation-filters="sRGB" x="0" y="0" width="1" height="1" {
                feComponentTransfer id="gains" {
                    feFuncR type="linear" slope="1" intercept="0" {}
                    feFuncG type="linear" slope="1" intercept="0" {}
                    feFuncB type="linear" slope="1" intercept="0" {}
                }
                feComponentTransfer id="table" {
                    feFuncR type="table" tableValues=(table(0)) {}
                    feFuncG type="table" tableValues=(table(1)) {}
                    feFuncB type="table" tableValues=(table(2)) {}
                }
            }
        }
    }
}

/// A picture as the address of an image.
pub(super) fn data_address(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))
}

/// The section in grey levels, dark for low amplitudes, in at most `most` bytes if possible.
pub(super) fn grey_png(small: &Section, scale: Scale, most: usize) -> Result<Vec<u8>> {
    let lightness: &ColourMap = colour_map("grey-reversed").unwrap_or(grey());
    let mut png = Vec::new();
    for levels in LEVELS {
        png = density(small, scale, lightness, levels).png()?;
        if png.len() <= most {
            break;
        }
    }
    Ok(png)
}

/// A section with its axes, and a header line above it.
pub(super) fn section_svg(id: &str, view: &View, looked: &LookedAt, most_bytes: usize) -> Result<Markup> {
    let n = view.section.n_traces();
    let height = if id == "main" { 600.0 } else { 400.0 };
    let small = view.section.reduced(MOST_PIXELS[0], MOST_PIXELS[1]);
    let scale = looked.numbers.scale.like(&small, PERCENTILE);
    let image = data_address(&grey_png(&small, scale, most_bytes)?);
    let line = line_of(view);
    let top = if line.is_some() { LINE + 46.0 } else { 34.0 };
    let down = down(view, &looked.shape);
    let cut = match view.down {
        None if view.section.n_samples < looked.shape.n_samples => {
            format!(", the first {} of {} samples", view.section.n_samples, looked.shape.n_samples)
        }
        _ => String::new(),
    };
    Ok(html! {
        figure.section id={ "figure-" (id) } {
            figcaption { strong { (view.title) (cut) } " · amplitudes from " (amplitude(scale.low)) " to " (amplitude(scale.high)) output data-of=(id) {} }
            svg viewBox={ "-92 " (-top) " 1100 " (top + height + 20.0) } role="img" aria-label=(view.title) {
                image.seismic id=(id) width=(WIDTH) height=(height) preserveAspectRatio="none" href=(image) {}
                rect.frame width=(WIDTH) height=(height) {}
                (down_ticks(&down, height, view.section.n_samples))
                (across_ticks(view, n))
                @if let Some((name, values)) = line { (header_line(name, values)) }
            }
        }
    })
}

/// An amplitude, in few digits.
pub(super) fn amplitude(value: f32) -> String {
    short(f64::from(value), 3)
}

/// The header line above the section; a section of one trace has none.
fn line_of(view: &View) -> Option<(&str, &[f64])> {
    let told =
        view.told.iter().enumerate().find(|(i, _)| Some(*i) != view.across).or(view.told.iter().enumerate().next());
    told.filter(|_| view.section.n_traces() > 1).map(|(_, (name, v))| (name.as_str(), v.as_slice()))
}

/// The centres of the first and the last of `n` rows of pixels are their samples; wiggles (`n` = 0) have them at the edges.
fn down_ticks(down: &Down, height: f64, n: usize) -> Markup {
    let (marks, step) = ticks(down.first, down.last, (height / 60.0) as usize);
    let share = |v: f64| if down.last == down.first { 0.0 } else { (v - down.first) / (down.last - down.first) };
    let place = |v: f64| match n {
        0 => share(v) * height,
        n => (share(v) * (n - 1) as f64 + 0.5) / n as f64 * height,
    };
    html! {
        g.down {
            text x="-8" y=(height + 14.0) text-anchor="end" { (down.name) }
            @for mark in marks {
                line x1="-5" x2="0" y1=(places(place(mark))) y2=(places(place(mark))) {}
                text x="-8" y=(places(place(mark) + 4.0)) text-anchor="end" { (label(mark, step)) }
            }
        }
    }
}

/// Ticks along the top: the bounds of gathers, a field that goes up regularly, or the numbers of the traces.
fn across_ticks(view: &View, n: usize) -> Markup {
    let (name, marks) = if view.bounds.len() > 1 {
        ("".to_owned(), bound_marks(view, n))
    } else if let Some((name, values)) = view.across.and_then(|i| view.told.get(i)) {
        (name.replace('_', " "), regular_marks(values))
    } else {
        let numbers: Vec<f64> = view.traces.iter().map(|&t| t as f64 + 1.0).collect();
        ("trace".into(), regular_marks(&numbers))
    };
    html! {
        g.across {
            text x="-8" y="-10" text-anchor="end" { (short_name(&name)) }
            @for (x, text) in marks {
                line x1=(places(x)) x2=(places(x)) y1="-6" y2="0" {}
                @if let Some(text) = text { text x=(places(x)) y="-10" text-anchor="middle" { (text) } }
            }
        }
    }
}

fn bound_marks(view: &View, n: usize) -> Vec<(f64, Option<String>)> {
    let mut last = f64::NEG_INFINITY;
    let mark = |(i, name): &(usize, String)| {
        let x = *i as f64 / n.max(1) as f64 * WIDTH;
        let is_far = x - last >= BOUND_DISTANCE.max(name.len() as f64 * 7.0);
        if is_far {
            last = x;
        }
        (x, is_far.then(|| name.clone()))
    };
    view.bounds.iter().map(mark).collect()
}

fn regular_marks(values: &[f64]) -> Vec<(f64, Option<String>)> {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return Vec::new() };
    let n = values.len() as f64;
    let (marks, step) = ticks(first, last, 9);
    // The middle of the column of pixels.
    let place = |v: f64| {
        let index = if last == first { 0.0 } else { (v - first) / (last - first) * (n - 1.0) };
        (index + 0.5) / n * WIDTH
    };
    let whole = marks.into_iter().filter(|m| step >= 1.0 || m.fract() == 0.0);
    whole.map(|m| (place(m), Some(label(m, step.max(1.0))))).collect()
}

fn header_line(name: &str, values: &[f64]) -> Markup {
    let Some(y) = range(values.iter().copied()) else { return html! {} };
    let n = values.len();
    let frame = Frame { x: [-0.5, n as f64 - 0.5], y, size: [WIDTH, LINE] };
    let points = values.iter().enumerate().filter(|(_, v)| v.is_finite());
    let at =
        |(i, &v): (usize, &f64)| format!("{} {}", places(frame.across(i as f64)), places(frame.down(v) - LINE - 36.0));
    let path = points.map(at).collect::<Vec<_>>().join("L");
    html! {
        g.above {
            path.line d={ "M" (path) } {}
            text x="-6" y=(-LINE - 28.0) text-anchor="end" { (short(y[1], 7)) }
            text x="-6" y="-34" text-anchor="end" { (short(y[0], 7)) }
            text x="-6" y=(-LINE / 2.0 - 32.0) text-anchor="end" { (short_name(name)) }
        }
    }
}

/// The name of a field, cut to fit.
fn short_name(name: &str) -> String {
    let name = name.replace('_', " ");
    if name.chars().count() <= 14 { name } else { name.chars().take(13).chain(['…']).collect() }
}

/// A place in a drawing, to a tenth.
pub(super) fn places(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// What the script shows for the position of the mouse.
pub(super) fn readout(id: &str, view: &View, shape: &Shape) -> Value {
    let down = down(view, shape);
    let number = |v: &f64| if v.fract() == 0.0 && v.abs() < 1e15 { json!(*v as i64) } else { json!(v) };
    let told: Vec<Value> = view
        .told
        .iter()
        .map(|(name, values)| json!({"name": name, "values": values.iter().map(number).collect::<Vec<_>>()}))
        .collect();
    let traces =
        if view.down.is_some() { Value::Null } else { json!(view.traces.iter().map(|t| t + 1).collect::<Vec<_>>()) };
    json!({"id": id, "traces": traces, "told": told, "down": [down.name, down.first, down.last], "samples": view.section.n_samples})
}

/// A gather as wiggles.
pub(super) fn wiggle_svg(view: &View, looked: &LookedAt) -> Result<Markup> {
    let n = view.section.n_traces();
    if n == 0 {
        return Ok(html! {});
    }
    let scale = looked.numbers.scale.like(&view.section, PERCENTILE);
    let per_trace = (960 / n).clamp(12, 48);
    let raster: Raster = wiggle(&view.section, scale, per_trace, view.section.n_samples.clamp(560, 1200));
    let (width, height) = (raster.width as f64, 560.0);
    let numbers: Vec<f64> =
        view.told.first().map_or_else(|| view.traces.iter().map(|&t| t as f64 + 1.0).collect(), |t| t.1.clone());
    let name = view.told.first().map_or("trace", |t| t.0.as_str()).replace('_', " ");
    let every = (52.0 / per_trace as f64).ceil().max(1.0) as usize;
    Ok(html! {
        figure.section id="gather" {
            figcaption { strong { (view.title) } " · wiggles, peaks filled; full swing at " (amplitude(scale.high)) }
            svg viewBox={ "-92 -34 " (width + 102.0) " 614" } style={ "max-width:" (places((width + 102.0).min(1100.0))) "px" } role="img" aria-label=(view.title) {
                image.wiggles width=(width) height=(height) preserveAspectRatio="none" href=(data_address(&raster.png()?)) {}
                rect.frame width=(width) height=(height) {}
                (down_ticks(&down(view, &looked.shape), height, 0))
                g.across {
                    text x="-8" y="-8" text-anchor="end" { (short_name(&name)) }
                    @for (i, value) in numbers.iter().enumerate().step_by(every) {
                        text x=((i + 1) * per_trace) y="-8" text-anchor="middle" { (short(*value, 7)) }
                    }
                }
            }
        }
    })
}

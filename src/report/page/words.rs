//! What the page says in words.

use crate::inspect::Report;
use crate::inspect::text_columns::grouped;
use crate::picture::axis::short;
use crate::report::looked_at::LookedAt;
use crate::report::sections::Order;

/// How much was looked at.
pub(super) fn coverage(looked: &LookedAt, about: &Report) -> String {
    let (c, read) = (about.coverage, looked.numbers.traces_read);
    let scanned = if looked.whole.is_some() { "; the grid, fold and offsets are from all headers" } else { "" };
    if c.is_whole() && read == c.n_traces {
        return format!("From all {} traces.", grouped(c.n_traces));
    }
    format!(
        "From {} of {} trace headers and the samples of {} traces, spread over the file{scanned}.",
        grouped(c.headers_read),
        grouped(c.n_traces),
        grouped(read)
    )
}

/// A number of bytes.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let power = (n.max(1).ilog10() / 3).min(4);
    if power == 0 {
        format!("{n} bytes")
    } else {
        format!("{} {}", short(n as f64 / 1e3f64.powi(power as i32), 4), UNITS[power as usize])
    }
}

/// `99 %`, `smallest`, `median`.
pub(super) fn percentile(percent: f64) -> String {
    match percent {
        0.0 => "smallest".into(),
        50.0 => "median".into(),
        100.0 => "largest".into(),
        p => format!("{p} %"),
    }
}

/// The facts: names and values.
pub(super) fn facts(looked: &LookedAt, about: &Report) -> Vec<(String, String)> {
    let (g, axis) = (&about.geometry, &looked.shape.axis);
    let units = axis.units.as_deref().unwrap_or("units of depth");
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.into(), value));
    add("size", bytes(about.input_bytes));
    add("traces", grouped(g.n_traces));
    add(
        "samples",
        match axis.interval {
            Some(interval) => format!("{} × {interval} {units}", grouped(g.n_samples.into())),
            None => grouped(g.n_samples.into()),
        },
    );
    if let Some(last) = g.last_sample {
        add(axis.long_name(), format!("{} to {last} {units}", axis.start));
    }
    let decided = ["sample format", "byte order", "revision"];
    for d in about.decisions.iter().filter(|d| decided.contains(&d.what.as_str())) {
        add(&d.what, d.value.clone());
    }
    add("order of the traces", order(&looked.order));
    if let Some((inlines, crosslines)) = g.grid {
        add("grid", format!("{} × {}", grouped(inlines as u64), grouped(crosslines as u64)));
    }
    for range in g.ranges.iter().filter(|r| r.min != r.max) {
        add(&range.name.replace('_', " "), format!("{} to {}", range.min, range.max));
    }
    facts
}

fn order(order: &Order) -> String {
    match order {
        Order::Volume { slow, fast } => format!("{slow} after {slow}, by {fast}"),
        Order::Gathers(keys) => format!("gathers of {}", keys.join(", ")),
        Order::Line => "one line".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        assert_eq!(
            [0, 999, 3600, 1_123_200_000, 2 << 40].map(bytes),
            ["0 bytes", "999 bytes", "3.6 kB", "1.123 GB", "2.199 TB"]
        );
    }
}

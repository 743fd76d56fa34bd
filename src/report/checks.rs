//! A dozen checks of the traces looked at, each with its number.

use serde::Serialize;

use crate::inspect::field_table::FieldSummary;
use crate::inspect::text_columns::grouped;
use crate::inspect::{self, Coverage};
use crate::picture::axis::short;
use crate::report::source::{Counts, Shape};
use crate::report::trace_stats::{AmplitudeSummary, OUTLIER};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    /// As it should be.
    Good,
    /// Worth a look.
    Look,
    /// Wrong, or as good as.
    Bad,
    /// It does not apply.
    None,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Check {
    /// What was checked.
    pub name: &'static str,
    pub mark: Mark,
    /// What was found, with its number.
    pub finding: String,
    /// The part of the page that shows it.
    #[serde(skip)]
    pub link: &'static str,
}

/// What the checks look at.
pub(super) struct Evidence<'a> {
    pub about: &'a inspect::Report,
    pub shape: &'a Shape,
    pub amplitudes: &'a AmplitudeSummary,
    /// Traces at 0, 0 while others are elsewhere; `None` if no trace has coordinates.
    pub n_without_place: Option<u64>,
    /// Counts over all traces.
    pub counts: Option<Counts>,
}

/// All checks, in the order in which they are shown.
pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    let all: [fn(&Evidence) -> Check; 12] =
        [size, format, dead, nonfinite, clipped, mean, loud, constants, places, grid, duplicates, text];
    all.iter().map(|check| check(evidence)).collect()
}

fn share(n: u64, of: u64) -> String {
    match n {
        0 => format!("0 of {}", grouped(of)),
        n => format!("{} of {} ({} %)", grouped(n), grouped(of), short(100.0 * n as f64 / of.max(1) as f64, 2)),
    }
}

fn mark(is_bad: bool, is_odd: bool) -> Mark {
    match (is_bad, is_odd) {
        (true, _) => Mark::Bad,
        (false, true) => Mark::Look,
        (false, false) => Mark::Good,
    }
}

/// Warnings about the layout that have no check of their own.
fn size(e: &Evidence) -> Check {
    let n = e.about.warnings.len();
    let traces = format!("{} traces of {} samples", grouped(e.shape.n_traces), grouped(e.shape.n_samples as u64));
    let finding = match n {
        0 => format!("{traces} make up the file"),
        1 => format!("{traces}; there is a warning"),
        n => format!("{traces}; there are {n} warnings"),
    };
    Check { name: "Size and headers agree", mark: mark(false, n > 0), finding, link: "decisions" }
}

fn format(e: &Evidence) -> Check {
    let doubt = e.about.warnings.iter().find(|w| w.contains("look like"));
    let format = e.about.decisions.iter().find(|d| d.what == "sample format");
    let finding = match (doubt, format) {
        (Some(doubt), _) => doubt.split(';').next().unwrap_or(doubt).to_owned(),
        (None, Some(format)) => format!("{}, and the samples look like it", format.value),
        (None, None) => "nothing contradicts it".into(),
    };
    Check { name: "Sample format", mark: mark(doubt.is_some(), false), finding, link: "amplitudes" }
}

fn dead(e: &Evidence) -> Check {
    let (n, of) = e.counts.map_or((e.amplitudes.n_dead, e.amplitudes.n_traces), |c| (c.n_zero, e.shape.n_traces));
    let finding = format!("{} traces", share(n, of));
    Check { name: "Dead or zero traces", mark: mark(n == of, n * 100 > of), finding, link: "amplitudes" }
}

fn nonfinite(e: &Evidence) -> Check {
    let (n, of) = match e.counts {
        Some(c) => (c.n_nonfinite, e.shape.n_traces * e.shape.n_samples as u64),
        None => (e.amplitudes.n_nonfinite, e.amplitudes.n_samples),
    };
    let finding = format!("{} samples", share(n, of));
    Check { name: "Infinite or not a number", mark: mark(n > 0, false), finding, link: "amplitudes" }
}

fn clipped(e: &Evidence) -> Check {
    let a = e.amplitudes;
    let is_clipped = a.share_at_largest > 1e-3 && a.largest > 0.0;
    let percent = short(100.0 * a.share_at_largest, 2);
    let largest = short(f64::from(a.largest), 4);
    let finding = format!("{percent} % of the samples are at the largest amplitude, {largest}");
    Check { name: "Clipped", mark: mark(false, is_clipped), finding, link: "amplitudes" }
}

fn mean(e: &Evidence) -> Check {
    let a = e.amplitudes;
    let is_one_signed = a.percentiles.first().is_some_and(|p| p.1 >= 0.0);
    let ratio = if a.rms > 0.0 { (a.mean / a.rms).abs() } else { 0.0 };
    let (mean, rms) = (short(a.mean, 3), short(a.rms, 3));
    if is_one_signed && a.rms > 0.0 {
        let finding = format!("all amplitudes are positive, {mean} on average: not seismic amplitudes");
        return Check { name: "Mean amplitude", mark: Mark::Look, finding, link: "amplitudes" };
    }
    let finding = format!("{mean}, {} % of the RMS of {rms}", short(100.0 * ratio, 2));
    Check { name: "Mean amplitude", mark: mark(ratio > 0.5, ratio > 0.05), finding, link: "amplitudes" }
}

fn loud(e: &Evidence) -> Check {
    let a = e.amplitudes;
    let n = a.n_loud + a.n_quiet;
    let finding = match n {
        0 => format!(
            "none differs from the median, {}, by more than a factor of {OUTLIER}",
            short(a.median_trace_rms, 3)
        ),
        _ => format!(
            "{} are more than {OUTLIER} times as loud as the median, {} less than a {}th",
            grouped(a.n_loud),
            grouped(a.n_quiet),
            OUTLIER * OUTLIER
        ),
    };
    Check { name: "Loud or faint traces", mark: mark(false, n > 0), finding, link: "amplitudes" }
}

fn find<'a>(e: &'a Evidence, name: &str) -> Option<&'a FieldSummary> {
    e.about.fields.iter().find(|f| f.name == name)
}

fn range(f: &FieldSummary) -> String {
    let number = |n: &Option<inspect::field_keys::Number>| n.as_ref().map_or(String::new(), ToString::to_string);
    format!("{} from {} to {}", f.name, number(&f.min), number(&f.max))
}

fn constants(e: &Evidence) -> Check {
    let names = ["samples_in_trace", "sample_interval", "delay_recording_time"];
    let varying: Vec<String> =
        names.iter().filter_map(|name| find(e, name)).filter(|f| !f.constant).map(range).collect();
    let finding = match varying.is_empty() {
        true => "the same in all headers looked at".into(),
        false => format!("not the same in all headers: {}", varying.join(", ")),
    };
    Check { name: "Sample count, interval, delay", mark: mark(false, !varying.is_empty()), finding, link: "headers" }
}

fn places(e: &Evidence) -> Check {
    let scalar = find(e, "coordinate_scalar").filter(|f| !f.constant);
    let (mark, finding) = match (e.n_without_place, scalar) {
        (None, _) => (Mark::Look, "there are none in the usual header fields".into()),
        // One trace may lie at the origin of the coordinates.
        (Some(n), _) if n > 1 => {
            (Mark::Look, format!("{} traces lie at 0, 0", share(n, e.about.coverage.headers_read)))
        }
        (Some(_), Some(scalar)) => (Mark::Look, format!("their scalar varies: {}", range(scalar))),
        (Some(_), None) => (Mark::Good, "every trace looked at has some, with one scalar".into()),
    };
    Check { name: "Coordinates", mark, finding, link: "map" }
}

fn grid(e: &Evidence) -> Check {
    let varies = |name: &str| find(e, name).is_some_and(|f| !f.constant);
    let Coverage { n_traces, .. } = e.about.coverage;
    let (mark, finding) = match e.about.geometry.grid {
        _ if !varies("inline") || !varies("crossline") => (Mark::None, "inline and crossline do not both vary".into()),
        None => (Mark::None, "not all headers were looked at (--scan does)".into()),
        Some((inlines, crosslines)) => {
            let places = inlines as u64 * crosslines as u64;
            let text = format!(
                "{} inlines × {} crosslines for {}",
                grouped(inlines as u64),
                grouped(crosslines as u64),
                grouped(n_traces)
            );
            match places == n_traces {
                true => (Mark::Good, format!("{text} traces: complete")),
                false if places > n_traces => {
                    (Mark::Look, format!("{text} traces: {} places are empty", grouped(places - n_traces)))
                }
                false => (Mark::Good, format!("{text} traces: some places have several")),
            }
        }
    };
    Check { name: "Grid", mark, finding, link: "headers" }
}

fn duplicates(e: &Evidence) -> Check {
    let (n, of) =
        e.counts.map_or((e.amplitudes.n_duplicate, e.amplitudes.n_traces), |c| (c.n_duplicate, e.shape.n_traces));
    let finding = format!("{} traces have the same samples as the one before", share(n, of));
    Check { name: "Repeated traces", mark: mark(n * 10 > of, n > 0), finding, link: "amplitudes" }
}

fn text(e: &Evidence) -> Check {
    let Some(header) = &e.about.file_headers.textual_header else {
        return Check { name: "Textual header", mark: Mark::None, finding: "there is none".into(), link: "text" };
    };
    let written = header.lines.iter().filter(|l| l.trim().len() > 3).count();
    let characters = || header.lines.iter().flat_map(|l| l.chars());
    let (n, odd) = (characters().count(), characters().filter(|&c| c == char::REPLACEMENT_CHARACTER).count());
    let is_unreadable = n > 0 && odd * 10 > n;
    let finding = match is_unreadable {
        true => format!("{odd} of {n} characters are not text ({})", header.encoding.name()),
        false => format!("{}, {written} of {} lines have text", header.encoding.name(), header.lines.len()),
    };
    Check { name: "Textual header", mark: mark(is_unreadable, written == 0), finding, link: "text" }
}

//! The report as text for people.

use crate::base::plural::counted;
use crate::base::visible::{visible, visible_path};
use crate::gather::sample::SAMPLED_TRACES;
use crate::inspect::candidates::{Candidate, Role};
use crate::inspect::computed_stats::ComputedSummary;
use crate::inspect::field_table::FieldSummary;
use crate::inspect::file_headers::{FileHeaders, TextualHeader};
use crate::inspect::find::Finding;
use crate::inspect::gather_key::GatherSuggestion;
use crate::inspect::geometry::{Geometry, PlaceRange};
use crate::inspect::one_trace::TraceDump;
use crate::inspect::text_columns::{grouped, table, wrap};
use crate::inspect::text_places::TextPlace;
use crate::inspect::{Candidates, Coverage, Findings, Report};
use crate::plan::grid_outline::{DuplicateOutline, KeyOutline};

const INDENT: &str = "  ";
/// Most extended textual headers, and places that hold a number, to list.
const MOST_EXTENDED: usize = 20;
const MOST_FINDINGS: usize = 40;

/// The whole report.
pub fn report(report: &Report) -> String {
    let mut text = format!("{}  ({} bytes)\n", visible_path(&report.input), grouped(report.input_bytes));
    let decisions = report.decisions.iter();
    let rows: Vec<_> =
        decisions.map(|d| vec![d.what.clone(), d.value.clone(), format!("from {}", d.because)]).collect();
    text += &table(&rows, &[], INDENT);
    for warning in &report.warnings {
        text += &format!("warning: {}\n", visible(warning));
    }
    text += &file_headers(&report.file_headers);
    text += &places(&report.text_places);
    text += &geometry(&report.geometry, report.coverage);
    text += &fields(&report.fields, report.coverage);
    text += &computed_columns(&report.computed);
    text += &gather(&report.gather);
    text += &grid(report);
    text
}

fn section(title: &str) -> String {
    format!("\n{title}\n")
}

fn bytes(first: u32, last: u32) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn from(coverage: Coverage) -> String {
    let (read, n) = (grouped(coverage.headers_read), grouped(coverage.n_traces));
    if coverage.is_whole() {
        format!("from all {n} trace headers")
    } else {
        format!("from {read} of {n} trace headers")
    }
}

fn file_headers(headers: &FileHeaders) -> String {
    let mut text = String::new();
    if let Some(main) = &headers.textual_header {
        text += &textual("Textual header", main);
    }
    let extended = &headers.extended_textual_headers;
    if headers.n_extended_textual_headers > 0 {
        text += &section(&format!("Extended textual headers: {}", headers.n_extended_textual_headers));
        let row = |(i, header): (usize, &TextualHeader)| {
            let first = header.lines.iter().find(|l| !l.trim().is_empty());
            let name = header.stanza.as_ref().map(|s| format!("(({s}))"));
            vec![(i + 1).to_string(), name.or_else(|| first.cloned()).unwrap_or_else(|| "blank".into())]
        };
        let rows: Vec<_> = extended.iter().enumerate().map(row).take(MOST_EXTENDED).collect();
        text += &table(&rows, &[0], INDENT);
        if headers.n_extended_textual_headers as usize > MOST_EXTENDED {
            text += "  …\n";
        }
    }
    if !headers.binary_header.is_empty() {
        text += &section("Binary header, nonzero fields");
        let fields = headers.binary_header.iter();
        let pieces: Vec<_> =
            fields.map(|f| format!("{} {} ({})", f.name, f.value, bytes(f.first_byte, f.last_byte))).collect();
        text += &wrap(&pieces, INDENT);
    }
    text
}

fn textual(title: &str, header: &TextualHeader) -> String {
    let encoding = header.encoding.name();
    let lines: Vec<&str> = header.lines.iter().map(|l| l.trim_end()).filter(|l| !is_blank(l)).collect();
    if lines.is_empty() {
        return section(&format!("{title} ({encoding}): blank"));
    }
    let lines: String = lines.iter().map(|l| format!("{INDENT}{}\n", visible(l))).collect();
    section(&format!("{title} ({encoding}), without blank lines")) + &lines
}

/// Whether a line is blank apart from its number.
fn is_blank(line: &str) -> bool {
    line.strip_prefix('C').unwrap_or(line).trim().chars().all(|c| c.is_ascii_digit() || c.is_whitespace())
}

/// What the textual header says of places, against the columns.
fn places(places: &[TextPlace]) -> String {
    if places.is_empty() {
        return String::new();
    }
    let range = |range: Option<(f64, f64)>| match range {
        Some((min, max)) if min == max => format!("hold {min}"),
        Some((min, max)) => format!("hold {min} to {max}"),
        None => "hold nothing".to_owned(),
    };
    let row = |p: &TextPlace| {
        let said = format!(
            "line {}: {} at bytes {}, which {}",
            p.line,
            p.field,
            bytes(p.first_byte, p.last_byte),
            range(p.range)
        );
        let column = p.column.as_ref().map_or_else(
            || "no column".to_owned(),
            |c| format!("bytes {}, which {}", bytes(c.first_byte, c.last_byte), range(c.range)),
        );
        vec![said, format!("and not {column}"), p.option.clone()]
    };
    section("Places that the textual header names and the columns do not have")
        + &table(&places.iter().map(row).collect::<Vec<_>>(), &[], INDENT)
}

fn geometry(g: &Geometry, coverage: Coverage) -> String {
    let mut rows = vec![vec!["traces".to_owned(), grouped(g.n_traces)]];
    let (axis, n_samples) = (&g.sample_axis, grouped(g.n_samples.into()));
    let units = axis.units_text();
    let samples = match (axis.interval, g.last_sample) {
        (Some(_), Some(last)) => {
            format!("{n_samples} of {}, {} to {last} {units}", axis.interval_text(), axis.start)
        }
        _ => format!("{n_samples}, interval unknown, the first at {} {units}", axis.start),
    };
    rows.push(vec!["samples".into(), samples]);
    let range = |r: &PlaceRange| {
        let scaled = if r.scaled { "  (scaled)" } else { "" };
        let range = if r.min == r.max { r.min.to_string() } else { format!("{} to {}", r.min, r.max) };
        vec![r.name.clone(), format!("{range}{scaled}")]
    };
    rows.extend(g.ranges.iter().map(range));
    if let Some((inlines, crosslines)) = g.grid {
        let (inlines, crosslines) = (inlines as u64, crosslines as u64);
        let places = grouped(inlines * crosslines);
        rows.push(vec![
            "grid".into(),
            format!(
                "{} × {} = {places} places",
                counted(inlines, grouped(inlines), "inline"),
                counted(crosslines, grouped(crosslines), "crossline")
            ),
        ]);
    }
    section(&format!("Geometry, {}", from(coverage))) + &table(&rows, &[], INDENT)
}

/// The grid that an import makes, or why it makes none.
fn grid(report: &Report) -> String {
    let Some(grid) = &report.grid else {
        let why = report.no_grid.as_ref().map(|why| format!("{INDENT}{}\n", visible(why)));
        return why.map_or_else(String::new, |why| section("Grid: none") + &why);
    };
    let mut rows: Vec<Vec<String>> = grid.keys.iter().map(|key| vec![key.name.clone(), axis(key)]).collect();
    let share = 100.0 * grid.n_placed as f64 / grid.n_places.max(1) as f64;
    let places = format!("{}, {share:.1} % of them with a trace", grouped(grid.n_places));
    rows.push(vec!["places".into(), places]);
    if grid.n_duplicates > 0 {
        let pair = |d: &DuplicateOutline| format!("{} and {}", grouped(d.first_trace), grouped(d.second_trace));
        let pairs: Vec<String> = grid.duplicates.iter().map(pair).collect();
        let more = if grid.n_duplicates > pairs.len() as u64 { ", …" } else { "" };
        let said = format!("{}: traces {}{more}", grouped(grid.n_duplicates), pairs.join(", "));
        rows.push(vec!["second traces at a place".into(), said]);
    }
    let lengths: Vec<String> = grid.brick.iter().map(u64::to_string).collect();
    let bricks = format!(
        "{} of {}, {} bytes before compression",
        grouped(grid.n_bricks),
        lengths.join(" × "),
        grouped(grid.bytes)
    );
    rows.push(vec!["bricks".into(), bricks]);
    let warnings: String =
        grid.warnings.iter().map(|warning| format!("{INDENT}warning: {}\n", visible(warning))).collect();
    let command = format!("{INDENT}{}\n", visible(&grid.command));
    section(&format!("Grid: {}", grid.options)) + &table(&rows, &[], INDENT) + &warnings + &command
}

/// `61, 100 to 340 in steps of 4; missing: 112 to 116, 128`
fn axis(key: &KeyOutline) -> String {
    let mut said = format!("{}, {} to {}", grouped(key.n), key.first, key.last);
    if let Some(step) = key.step.filter(|step| *step > 1) {
        said += &format!(" in steps of {step}");
    }
    if key.n_missing > 0 {
        let run =
            |[first, last]: &[i64; 2]| if first == last { first.to_string() } else { format!("{first} to {last}") };
        let runs: Vec<String> = key.missing.iter().map(run).collect();
        said += &format!("; {} missing: {}", grouped(key.n_missing), runs.join(", "));
    }
    said
}

fn fields(fields: &[FieldSummary], coverage: Coverage) -> String {
    let mut text = section(&format!("Trace header fields, {}", from(coverage)));
    let head = ["field", "bytes", "type", "min", "max", "distinct", "step"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(fields.iter().filter(|f| !f.constant).map(row));
    if rows.len() > 1 {
        text += &table(&rows, &[3, 4, 5, 6], INDENT);
    }
    let constant = fields.iter().filter(|f| f.constant && !f.zero && f.text.as_deref() != Some(""));
    let pieces: Vec<String> = constant
        .map(|f| format!("{} {} ({})", f.name, extreme(f, f.min.as_ref()), bytes(f.first_byte, f.last_byte)))
        .collect();
    if !pieces.is_empty() {
        text += &format!("{INDENT}the same in all of them:\n{}", wrap(&pieces, "    "));
    }
    let n_zero = fields.iter().filter(|f| f.zero).count();
    text + &format!("{INDENT}zero in all of them: {n_zero} of {} fields\n", fields.len())
}

fn computed_columns(columns: &[ComputedSummary]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let row = |c: &ComputedSummary| {
        let number = |n: Option<f64>| n.map_or_else(|| "-".into(), |n| n.to_string());
        let undefined = grouped(c.undefined);
        vec![c.name.clone(), number(c.min), number(c.max), distinct(c.distinct), undefined, c.expression.clone()]
    };
    let mut rows = vec![["column", "min", "max", "distinct", "undefined", "expression"].map(str::to_owned).to_vec()];
    rows.extend(columns.iter().map(row));
    section("Computed columns") + &table(&rows, &[1, 2, 3, 4], INDENT)
}

fn row(f: &FieldSummary) -> Vec<String> {
    vec![
        f.name.clone(),
        bytes(f.first_byte, f.last_byte),
        f.kind.clone(),
        extreme(f, f.min.as_ref()),
        extreme(f, f.max.as_ref()),
        distinct(f.distinct),
        step(f),
    ]
}

fn extreme(f: &FieldSummary, number: Option<&crate::inspect::field_keys::Number>) -> String {
    number.map_or_else(|| format!("\"{}\"", f.text.as_deref().unwrap_or_default()), ToString::to_string)
}

fn distinct(n: Option<usize>) -> String {
    n.map_or_else(|| format!("> {}", grouped(crate::inspect::distinct::MAX_DISTINCT as u64)), |n| grouped(n as u64))
}

fn step(f: &FieldSummary) -> String {
    match (f.step, f.step_share) {
        (Some(step), Some(share)) if share < 1.0 => format!("{step} ({}%)", (share * 100.0).floor()),
        (Some(step), _) => step.to_string(),
        _ => String::new(),
    }
}

fn gather(g: &GatherSuggestion) -> String {
    section("Gathers") + &format!("{INDENT}--gather {}  {}\n", g.option(), g.reason)
}

/// One trace in full.
pub fn trace(dump: &TraceDump) -> String {
    let mut text = format!("Trace {}, from byte {} of the file\n", grouped(dump.trace), dump.file_byte);
    let mut rows = vec![["field", "bytes", "type", "value", "scaled"].map(str::to_owned).to_vec()];
    rows.extend(dump.fields.iter().map(|f| {
        let value = f.value.as_ref().map(ToString::to_string);
        let value = value.unwrap_or_else(|| format!("\"{}\"", f.text.as_deref().unwrap_or_default()));
        let scaled = f.scaled.map_or(String::new(), |s| s.to_string());
        vec![f.name.clone(), bytes(f.first_byte, f.last_byte), f.kind.clone(), value, scaled]
    }));
    rows.extend(dump.computed.iter().map(|c| {
        let value = c.value.map_or_else(|| "undefined".into(), |value| value.to_string());
        vec![c.name.clone(), String::new(), "computed".into(), value, String::new()]
    }));
    text += &table(&rows, &[3, 4], INDENT);
    let samples: Vec<String> = dump.samples.iter().map(ToString::to_string).collect();
    text + &section("First samples") + &wrap(&samples, INDENT)
}

/// Where a number was found.
pub fn findings(value: &str, found: &Findings) -> String {
    let Coverage { headers_read, .. } = found.coverage;
    if found.findings.is_empty() {
        return format!("{value} is not in any header, {}\n", from(found.coverage));
    }
    let mut text = format!("{value} is here, {}\n", from(found.coverage));
    let row = |f: &Finding| {
        let scalar = f.scalar_byte.map_or(String::new(), |b| format!(" scaled by bytes {b}-{}", b + 1));
        let (n, first) = match f.first_trace {
            Some(first) => (format!("{} of {}", grouped(f.n_traces), grouped(headers_read)), grouped(first)),
            None => (String::new(), String::new()),
        };
        let field = format!("{}{scalar}", f.field.as_deref().unwrap_or("-"));
        vec![f.place.to_owned(), bytes(f.first_byte, f.last_byte), f.kind.to_owned(), n, first, field]
    };
    let mut rows = vec![["place", "bytes", "type", "traces", "first", "standard field"].map(str::to_owned).to_vec()];
    rows.extend(found.findings.iter().take(MOST_FINDINGS).map(row));
    text += &table(&rows, &[3, 4], INDENT);
    if found.findings.len() > MOST_FINDINGS {
        text += &format!("  … and {} more places\n", found.findings.len() - MOST_FINDINGS);
    }
    text
}

/// Likely places of the usual fields.
pub fn candidates(found: &Candidates) -> String {
    let mut text = format!("Likely places, {}\n", from(found.coverage));
    if found.candidates.is_empty() {
        return text + "  nothing in these headers looks like any of the usual fields\n";
    }
    let row = |c: &Candidate| {
        let role = match c.role {
            Role::Inline => "inline",
            Role::Crossline => "crossline",
            Role::Cdp => "cdp",
            Role::Offset => "offset",
            Role::Coordinate => "x or y",
        };
        let f = &c.field;
        let standard = c.standard_field.clone().unwrap_or_else(|| "-".into());
        let mut cells = vec![role.to_owned(), bytes(f.first_byte, f.last_byte), f.kind.clone()];
        cells.extend([
            extreme(f, f.min.as_ref()),
            extreme(f, f.max.as_ref()),
            distinct(f.distinct),
            c.points.to_string(),
        ]);
        cells.extend([standard, c.evidence.join(", ")]);
        cells
    };
    let head = ["role", "bytes", "type", "min", "max", "distinct", "points", "standard field", "evidence"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(found.candidates.iter().map(row));
    text += &table(&rows, &[3, 4, 5, 6], INDENT);
    if !found.coverage.is_whole() {
        text += &format!("  --scan looks at all headers, not at {} only\n", grouped(SAMPLED_TRACES));
    }
    text
}

//! The header table: one row per field.

use serde::Serialize;

use crate::inspect::column_stats::ColumnStats;
use crate::inspect::field_keys::{Number, number, text_of};
use crate::inspect::step_guess::StepGuess;
use crate::segy::fields::FieldKind;
use crate::table::Column;

/// A field is called regular if at least this share of its changes is the usual step.
const REGULAR_SHARE: f64 = 0.5;

/// One header field, summarised over the headers read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldSummary {
    /// Name of the field.
    pub name: String,
    /// First byte in the trace's headers, from 1; beyond 240 in the additional headers.
    pub first_byte: u32,
    /// Last byte, likewise.
    pub last_byte: u32,
    /// `i16`, `u32`, `f64`, `text:8` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Smallest raw value; `null` for text.
    pub min: Option<Number>,
    /// Largest raw value, likewise.
    pub max: Option<Number>,
    /// Text in the first trace.
    pub text: Option<String>,
    /// Smallest and largest value, with each trace's own scalar applied.
    pub scaled: Option<(f64, f64)>,
    /// Number of distinct values; `null` above 1000.
    pub distinct: Option<usize>,
    /// Whether all headers have the same value.
    pub constant: bool,
    /// Whether all its bytes are zero in all headers.
    pub zero: bool,
    /// The usual nonzero difference between neighbouring traces.
    pub step: Option<i64>,
    /// Its share of all nonzero ones, 0 to 1.
    pub step_share: Option<f64>,
    /// Traces with a larger value than the one before.
    pub increases: u64,
    /// Traces with a smaller value than the one before.
    pub decreases: u64,
    /// Runs of equal values.
    pub runs: RunSummary,
}

/// Runs of equal consecutive values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// Number of runs, if all headers were read.
    pub count: Option<u64>,
    /// Mean length in traces; `null` if no run was seen to end.
    pub mean: Option<f64>,
    /// Length in traces of the shortest run seen in full.
    pub shortest: Option<u64>,
    /// Length in traces of the longest run; a lower bound unless all headers were read.
    pub longest: u64,
}

/// One row per column. `is_whole` means that the statistics cover all headers of the file, not just windows.
pub(super) fn summarise(
    columns: &[Column],
    stats: &[Option<ColumnStats>],
    guesses: &[Option<StepGuess>],
    first_header: &[u8],
    is_whole: bool,
) -> Vec<FieldSummary> {
    let known = columns.iter().zip(stats).zip(guesses);
    known.filter_map(|((c, s), g)| Some(row(c, s.as_ref()?, *g, first_header, is_whole))).collect()
}

fn row(c: &Column, s: &ColumnStats, guess: Option<StepGuess>, first_header: &[u8], is_whole: bool) -> FieldSummary {
    let counted = is_whole && s.runs.n_changes > 0;
    let share = guess.map(|g| {
        let (agreeing, seen) = if counted { (s.n_steps, s.runs.n_changes) } else { (g.agreeing, g.seen) };
        agreeing as f64 / seen.max(1) as f64
    });
    let regular = guess.zip(share).filter(|&(_, share)| share >= REGULAR_SHARE);
    FieldSummary {
        name: c.name.clone(),
        first_byte: c.first_byte,
        last_byte: c.first_byte + c.kind.size() as u32 - 1,
        kind: type_name(c.kind),
        min: number(s.min, c.kind),
        max: number(s.max, c.kind),
        text: matches!(c.kind, FieldKind::Text(_)).then(|| text_of(first_header, c)),
        scaled: s.scaled,
        distinct: s.distinct.count(),
        constant: s.is_constant(),
        zero: s.is_constant() && number(s.min, c.kind).map_or(s.min == 0, |n| n.as_f64() == 0.0),
        step: regular.map(|(guess, _)| guess.difference),
        step_share: regular.map(|(_, share)| share),
        increases: s.ups,
        decreases: s.downs,
        runs: run_summary(s, is_whole),
    }
}

pub(super) fn run_summary(s: &ColumnStats, is_whole: bool) -> RunSummary {
    let runs = &s.runs;
    if is_whole {
        let (n_traces, n_runs) = (runs.n_pairs + 1, runs.n_changes + 1);
        let mean = n_traces as f64 / n_runs as f64;
        let shortest = Some(runs.shortest_of_all());
        return RunSummary { count: Some(n_runs), mean: Some(mean), shortest, longest: runs.longest };
    }
    // Of randomly placed pairs, one in every mean run length straddles the end of a run.
    let mean = (runs.n_changes > 0).then(|| runs.n_pairs as f64 / runs.n_changes as f64);
    RunSummary { count: None, mean, shortest: runs.shortest_whole, longest: runs.longest }
}

/// `i16`, `f64`, `text:8` …, as `--field` takes them.
pub(crate) fn type_name(kind: FieldKind) -> String {
    kind.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column() -> Column {
        Column { name: "inline".into(), first_byte: 189, kind: FieldKind::I32, scalar: None, given_scalar: None }
    }

    #[test]
    fn every_type_has_the_name_that_the_option_takes() {
        for kind in [FieldKind::I8, FieldKind::U64, FieldKind::F32, FieldKind::Ibm32, FieldKind::Text(8)] {
            assert_eq!(type_name(kind).parse(), Ok(kind));
        }
    }

    #[test]
    fn a_step_is_told_by_the_share_that_was_counted_and_not_by_the_guess() {
        let stats = ColumnStats::of(&[1, 2, 3, 9, 11], Some(1));
        let guess = StepGuess { difference: 1, agreeing: 1, seen: 1 };
        let step = |is_whole| row(&column(), stats.as_ref().unwrap(), Some(guess), &[], is_whole).step_share;
        assert_eq!((step(true), step(false)), (Some(0.5), Some(1.0)));
        let stats = ColumnStats::of(&[1, 2, 4, 6], Some(1));
        assert_eq!(row(&column(), &stats.unwrap(), Some(guess), &[], true).step, None);
    }

    #[test]
    fn runs_of_a_whole_file_are_counted_and_those_of_a_sample_estimated() {
        let stats = ColumnStats::of(&[5, 5, 5, 6, 6, 6, 6, 7], None).unwrap();
        let whole = run_summary(&stats, true);
        assert_eq!((whole.count, whole.shortest, whole.longest), (Some(3), Some(1), 4));
        let sample = run_summary(&stats, false);
        assert_eq!((sample.count, sample.mean, sample.shortest), (None, Some(3.5), Some(4)));
    }
}

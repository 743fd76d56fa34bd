//! Columns computed for the user, summarised like header fields.

use serde::Serialize;

use crate::inspect::column_stats::ColumnStats;
use crate::inspect::field_keys::{Headers, ordered};
use crate::inspect::field_table::{RunSummary, run_summary};
use crate::inspect::scan::Visitor;
use crate::table::formula::{Computed, Formula};

/// One computed column, summarised over the headers read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComputedSummary {
    /// Name of the column.
    pub name: String,
    /// The expression, as given.
    pub expression: String,
    /// Smallest value; `null` if it is undefined for every trace.
    pub min: Option<f64>,
    /// Largest value, likewise.
    pub max: Option<f64>,
    /// Number of traces for which it is undefined.
    pub undefined: u64,
    /// Number of distinct values, counting undefined as one; `null` above 1000.
    pub distinct: Option<usize>,
    /// Whether all traces have the same value.
    pub constant: bool,
    /// Runs of equal values; undefined values count as equal.
    pub runs: RunSummary,
}

/// Statistics of every computed column.
pub(super) struct ComputedVisitor<'a> {
    formulas: &'a [Formula],
    columns: Vec<Option<Known>>,
    keys: Vec<i64>,
}

struct Known {
    /// Statistics of the keys; `scaled` is the range of the defined values.
    stats: ColumnStats,
    undefined: u64,
}

impl<'a> ComputedVisitor<'a> {
    pub(super) fn new(formulas: &'a [Formula]) -> Self {
        Self { formulas, columns: formulas.iter().map(|_| None).collect(), keys: Vec::new() }
    }

    /// Rows for all columns. `is_whole` means that all headers of the file were read.
    pub(super) fn summarise(&self, computed: &[Computed], is_whole: bool) -> Vec<ComputedSummary> {
        let known = computed.iter().zip(&self.columns);
        known.filter_map(|(c, known)| Some(row(c, known.as_ref()?, is_whole))).collect()
    }
}

impl Visitor for ComputedVisitor<'_> {
    fn visit(&mut self, headers: &Headers, _first_trace: u64, is_adjacent: bool) {
        for (formula, known) in self.formulas.iter().zip(&mut self.columns) {
            let values = formula.values_of(headers.bytes, headers.width, headers.order);
            self.keys.clear();
            self.keys.extend(values.iter().map(|&value| ordered(value)));
            let Some(mut stats) = ColumnStats::of(&self.keys, None) else { continue };
            let defined = || values.iter().copied().filter(|value| !value.is_nan());
            stats.scaled =
                defined().next().map(|first| defined().fold((first, first), |(a, b), v| (a.min(v), b.max(v))));
            stats.add_distinct(&self.keys);
            let block = Known { stats, undefined: (values.len() - defined().count()) as u64 };
            join(known, block, is_adjacent);
        }
    }

    fn append(&mut self, next: Self) {
        for (known, next) in self.columns.iter_mut().zip(next.columns) {
            if let Some(next) = next {
                join(known, next, true);
            }
        }
    }
}

fn join(known: &mut Option<Known>, next: Known, is_adjacent: bool) {
    match known {
        Some(known) => {
            known.stats.join(&next.stats, is_adjacent, None);
            known.undefined += next.undefined;
        }
        None => *known = Some(next),
    }
}

fn row(computed: &Computed, known: &Known, is_whole: bool) -> ComputedSummary {
    let Known { stats, undefined } = known;
    ComputedSummary {
        name: computed.name.clone(),
        expression: computed.expression.clone(),
        min: stats.scaled.map(|range| range.0),
        max: stats.scaled.map(|range| range.1),
        undefined: *undefined,
        distinct: stats.distinct.count(),
        constant: stats.is_constant(),
        runs: run_summary(stats, is_whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::ByteOrder;
    use crate::segy::fields::FieldKind;
    use crate::table::formula::Input;

    /// A column of the square roots of these numbers, read in blocks of this size.
    fn roots(numbers: &[i16], block: usize) -> ComputedSummary {
        let inputs = vec![Input { first_byte: 1, kind: FieldKind::I16, scalar: None }];
        let computed = Computed { name: "root".into(), expression: "sqrt(n)".into(), inputs };
        let formulas = [Formula::new(&computed).unwrap()];
        let mut visitor = ComputedVisitor::new(&formulas);
        for part in numbers.chunks(block) {
            let bytes: Vec<u8> = part.iter().flat_map(|n| n.to_be_bytes()).collect();
            let mut next = ComputedVisitor::new(&formulas);
            next.visit(&Headers { bytes: &bytes, width: 2, order: ByteOrder::Big }, 0, false);
            visitor.append(next);
        }
        visitor.summarise(&[computed], true).remove(0)
    }

    #[test]
    fn values_that_are_not_defined_are_counted_and_no_extremes() {
        for block in 1..8 {
            let found = roots(&[9, 9, -1, -4, 4, 16, 16], block);
            assert_eq!((found.min, found.max, found.undefined), (Some(2.0), Some(4.0), 2), "{block}");
            assert_eq!((found.distinct, found.constant), (Some(4), false), "{block}");
            assert_eq!((found.runs.count, found.runs.longest), (Some(4), 2), "{block}");
        }
        let none = roots(&[-1, -1], 1);
        assert_eq!((none.min, none.max, none.undefined, none.constant), (None, None, 2, true));
        let one = roots(&[4, 4, 4], 2);
        assert_eq!((one.min, one.max, one.distinct, one.constant), (Some(2.0), Some(2.0), Some(1), true));
    }
}

//! Guessing the step of a field (the usual nonzero difference between neighbours) before counting it.
//!
//! Counting every difference would need unbounded memory. So the sampled windows propose one difference per column,
//! and the scan counts how often it occurs.

use std::collections::HashMap;
use std::ops::Range;

use crate::base::error::Result;
use crate::inspect::field_keys::Headers;
use crate::inspect::scan::{Source, Visitor};
use crate::segy::fields::FieldKind;
use crate::table::Column;

/// The most frequent nonzero difference between neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepGuess {
    pub difference: i64,
    /// Pairs with exactly this difference, out of all pairs looked at that differ.
    pub agreeing: u64,
    pub seen: u64,
}

/// The step of each column, if the windows show one. A column that only changes between windows is bisected to the
/// traces where it does.
pub(super) fn guess(source: &Source, columns: &[Column], windows: &[Range<u64>]) -> Result<Vec<Option<StepGuess>>> {
    let mut visitor = Differences::new(columns);
    source.visit_windows(windows, &mut visitor)?;
    let mut guesses = Vec::with_capacity(columns.len());
    for (column, mut counts) in columns.iter().zip(visitor.counts) {
        if counts.is_empty() && is_whole_number(column.kind) {
            for pair in windows.windows(2) {
                if let Some(difference) = difference_between(source, column, pair[0].end - 1, pair[1].start)? {
                    *counts.entry(difference).or_default() += 1;
                }
            }
        }
        guesses.push(most_frequent(&counts));
    }
    Ok(guesses)
}

/// The same of headers at hand, which `visit` shows to a visitor; nothing is bisected.
pub(super) fn guess_of(columns: &[Column], visit: impl FnOnce(&mut Differences)) -> Vec<Option<StepGuess>> {
    let mut visitor = Differences::new(columns);
    visit(&mut visitor);
    visitor.counts.iter().map(most_frequent).collect()
}

fn is_whole_number(kind: FieldKind) -> bool {
    kind.is_integer()
}

/// Bisects between two traces with different values until they are neighbours. Returns their difference.
fn difference_between(source: &Source, column: &Column, from: u64, to: u64) -> Result<Option<i64>> {
    let mut keys = Vec::new();
    let mut key = |trace| -> Result<i64> {
        let (bytes, width) = (source.header(trace)?, source.layout.header_bytes());
        Headers { bytes: &bytes, width, order: source.layout.byte_order }.keys(column, &mut keys);
        Ok(keys.first().copied().unwrap_or(0))
    };
    let (start, mut end_key) = (key(from)?, key(to)?);
    if start == end_key {
        return Ok(None);
    }
    let (mut low, mut high) = (from, to);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match key(middle)? {
            k if k == start => low = middle,
            k => (high, end_key) = (middle, k),
        }
    }
    Ok(Some(end_key.wrapping_sub(start)))
}

/// The most frequent difference; on a tie the smallest, so that the result is deterministic.
fn most_frequent(counts: &HashMap<i64, u64>) -> Option<StepGuess> {
    let best = counts.iter().min_by_key(|&(&d, &n)| (std::cmp::Reverse(n), d.unsigned_abs(), d < 0));
    best.map(|(&difference, &agreeing)| StepGuess { difference, agreeing, seen: counts.values().sum() })
}

/// Counts the differences between neighbours.
pub(super) struct Differences<'a> {
    columns: &'a [Column],
    counts: Vec<HashMap<i64, u64>>,
    last: Vec<i64>,
    keys: Vec<i64>,
}

impl<'a> Differences<'a> {
    fn new(columns: &'a [Column]) -> Self {
        let n = columns.len();
        Self { columns, counts: vec![HashMap::new(); n], last: vec![0; n], keys: Vec::new() }
    }
}

impl Visitor for Differences<'_> {
    fn visit(&mut self, headers: &Headers, _first_trace: u64, is_adjacent: bool) {
        let known = self.counts.iter_mut().zip(&mut self.last);
        for (column, (counts, last)) in self.columns.iter().zip(known).filter(|(c, _)| is_whole_number(c.kind)) {
            headers.keys(column, &mut self.keys);
            let Some(&first) = self.keys.first() else { continue };
            let mut before = if is_adjacent { *last } else { first };
            for &key in &self.keys {
                if key != before {
                    *counts.entry(key.wrapping_sub(before)).or_default() += 1;
                    before = key;
                }
            }
            *last = before;
        }
    }

    /// One visitor sees all windows in turn.
    fn append(&mut self, _next: Self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_difference_wins_and_ties_go_to_the_smallest() {
        let of = |counts: &[(i64, u64)]| most_frequent(&counts.iter().copied().collect());
        assert_eq!(of(&[(1, 98), (-899, 2)]), Some(StepGuess { difference: 1, agreeing: 98, seen: 100 }));
        assert_eq!(of(&[(-2, 3), (7, 3), (2, 3)]).map(|g| g.difference), Some(2));
        assert_eq!(of(&[]), None);
    }
}

//! Where the survey lies.

use serde::Serialize;

use crate::inspect::header_runs::HeaderRuns;
use crate::report::header_values::values;
use crate::report::source::Shape;

/// Points shown of each kind, at most.
const MOST_POINTS: usize = 2000;

/// Points of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Points {
    /// `sources`, `receivers`, `CDPs`.
    pub name: &'static str,
    /// Coordinates, with the scalars of the traces applied.
    pub places: Vec<[f64; 2]>,
}

/// Sources, receivers and CDPs of the traces looked at, if their coordinates vary, without those at 0, 0.
pub(super) fn points(shape: &Shape, headers: &HeaderRuns) -> Vec<Points> {
    let kinds =
        [("receivers", "receiver_x", "receiver_y"), ("sources", "source_x", "source_y"), ("CDPs", "cdp_x", "cdp_y")];
    let of_kind = |(name, x, y): (&'static str, &str, &str)| {
        let [x, y] = [shape.column(x)?, shape.column(y)?].map(|column| values(headers, column));
        let mut places: Vec<[f64; 2]> = x.into_iter().zip(y).map(|(x, y)| [x, y]).collect();
        places.retain(|p| *p != [0.0, 0.0] && p.iter().all(|c| c.is_finite()));
        places.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        places.dedup();
        let step = places.len().div_ceil(MOST_POINTS).max(1);
        let places: Vec<[f64; 2]> = places.into_iter().step_by(step).collect();
        (places.len() > 1).then_some(Points { name, places })
    };
    kinds.into_iter().filter_map(of_kind).collect()
}

/// Traces whose coordinates of a kind are 0, 0 while others are not; `None` if no trace has any.
pub(super) fn n_without_place(shape: &Shape, headers: &HeaderRuns) -> Option<u64> {
    let pairs = [("source_x", "source_y"), ("receiver_x", "receiver_y"), ("cdp_x", "cdp_y")];
    let without = |(x, y): (&str, &str)| {
        let [x, y] = [shape.column(x)?, shape.column(y)?].map(|column| values(headers, column));
        let n = x.iter().zip(&y).filter(|(x, y)| **x == 0.0 && **y == 0.0).count();
        (n < x.len()).then_some(n as u64)
    };
    pairs.into_iter().filter_map(without).max()
}

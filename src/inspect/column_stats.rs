//! Statistics of one header field over some traces, and joining those of several parts.

use crate::inspect::distinct::Distinct;
use crate::inspect::field_keys::{Headers, number};
use crate::inspect::run_lengths::{Runs, Seam};
use crate::segy::{apply_given_scalar, apply_scalar};
use crate::table::Column;

/// Statistics of one field over some traces in file order. Joining is associative, so the result does not depend on
/// how the file was divided among threads.
#[derive(Clone, Debug)]
pub(crate) struct ColumnStats {
    /// Key of the first trace.
    pub first: i64,
    /// Key of the last trace.
    pub last: i64,
    /// Smallest key.
    pub min: i64,
    /// Largest key.
    pub max: i64,
    /// Neighbouring pairs in which the second is larger.
    pub ups: u64,
    /// Neighbouring pairs in which the second is smaller.
    pub downs: u64,
    /// Neighbouring pairs that differ by the given step.
    pub n_steps: u64,
    /// Runs of equal values.
    pub runs: Runs,
    /// Distinct keys.
    pub distinct: Distinct,
    /// Smallest and largest value, with each trace's own scalar applied.
    pub scaled: Option<(f64, f64)>,
}

impl ColumnStats {
    /// `n` traces (at least one) with one value, not yet added to the distinct ones.
    fn constant(key: i64, n: u64) -> Self {
        Self {
            first: key,
            last: key,
            min: key,
            max: key,
            ups: 0,
            downs: 0,
            n_steps: 0,
            runs: Runs::of(n),
            distinct: Distinct::default(),
            scaled: None,
        }
    }

    /// Statistics of at least one trace. Counts pairs that differ by `step`, but not the distinct values.
    pub(super) fn of(keys: &[i64], step: Option<i64>) -> Option<Self> {
        let (&first, &last) = (keys.first()?, keys.last()?);
        let found = compare_neighbours(keys, step.unwrap_or(0));
        let n = keys.len() as u64;
        let all_differ = found.ups + found.downs == n - 1;
        Some(Self {
            first,
            last,
            min: found.min,
            max: found.max,
            ups: found.ups,
            downs: found.downs,
            n_steps: if step.is_some() { found.steps } else { 0 },
            runs: if all_differ { Runs::of_ones(n) } else { Runs::in_order(keys) },
            distinct: Distinct::default(),
            scaled: None,
        })
    }

    /// Adds the distinct values of `keys`, which repeat in runs.
    pub(super) fn add_distinct(&mut self, keys: &[i64]) {
        let mut last = None;
        for &key in keys {
            if last != Some(key) {
                self.distinct.add(key);
                last = Some(key);
            }
        }
    }

    /// Appends the statistics of later traces, directly following or elsewhere in the file.
    pub(super) fn join(&mut self, next: &Self, is_adjacent: bool, step: Option<i64>) {
        let seam = match (is_adjacent, self.last == next.first) {
            (false, _) => Seam::Apart,
            (true, true) => Seam::Same,
            (true, false) => Seam::Differs,
        };
        self.runs.join(&next.runs, seam);
        let differs = seam == Seam::Differs;
        self.ups += next.ups + u64::from(differs && next.first > self.last);
        self.downs += next.downs + u64::from(differs && next.first < self.last);
        let is_step = differs && step == Some(next.first.wrapping_sub(self.last));
        self.n_steps += next.n_steps + u64::from(is_step);
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.last = next.last;
        self.distinct.merge(&next.distinct);
        self.scaled = match (self.scaled, next.scaled) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (a, b) => a.or(b),
        };
    }

    /// Whether all traces have the same value.
    pub(crate) fn is_constant(&self) -> bool {
        self.min == self.max
    }
}

/// Reads one column of the headers, reusing its buffers for all columns and blocks.
#[derive(Default)]
pub(super) struct ColumnReader {
    keys: Vec<i64>,
    scalars: Vec<i64>,
}

impl ColumnReader {
    /// Adds one block of headers to the statistics of a column. `changed` has one byte per header byte, 0 if it is
    /// the same in the whole block.
    pub(super) fn push(
        &mut self,
        known: &mut Option<ColumnStats>,
        column: &Column,
        headers: &Headers,
        changed: &[u8],
        step: Option<i64>,
        is_adjacent: bool,
    ) {
        let same =
            |first_byte: u32, size: usize| changed.iter().skip(first_byte as usize - 1).take(size).all(|&c| c == 0);
        let is_constant = same(column.first_byte, column.kind.size());
        let part = if is_constant { headers.first() } else { *headers };
        part.keys(column, &mut self.keys);
        let Some(&first) = self.keys.first() else { return };
        let block = if is_constant {
            Some(ColumnStats::constant(first, headers.len() as u64))
        } else {
            ColumnStats::of(&self.keys, step)
        };
        let Some(mut block) = block else { return };
        if let Some(byte) = column.scalar {
            block.scaled = self.scaled(column, headers, byte, same(byte, 2), (block.min, block.max));
        }
        // Values go straight into the shared set, which fills up quickly for most columns that change.
        match known {
            Some(known) => {
                let is_new = !is_constant || known.last != first;
                if is_new && !known.distinct.is_many() {
                    known.add_distinct(&self.keys);
                }
                known.join(&block, is_adjacent, step);
            }
            None => {
                block.add_distinct(&self.keys);
                *known = Some(block);
            }
        }
    }

    /// The range of the scaled values; scaling never reverses the order.
    fn scaled(
        &mut self,
        column: &Column,
        headers: &Headers,
        scalar_byte: u32,
        is_one_scalar: bool,
        (min, max): (i64, i64),
    ) -> Option<(f64, f64)> {
        let scale = |key: i64, scalar: i64| {
            let value = number(key, column.kind)?.as_f64();
            Some(match column.given_scalar {
                Some(given) => apply_given_scalar(value, given),
                None => apply_scalar(value, i16::try_from(scalar).unwrap_or(0)),
            })
        };
        if is_one_scalar {
            headers.first().scalars(scalar_byte, &mut self.scalars);
            let scalar = *self.scalars.first()?;
            return Some((scale(min, scalar)?, scale(max, scalar)?));
        }
        headers.scalars(scalar_byte, &mut self.scalars);
        // The keys are a single one only if the column itself is constant in this block.
        let last = self.keys.last().copied()?;
        let keys = self.keys.iter().copied().chain(std::iter::repeat(last));
        let mut values = keys.zip(&self.scalars).filter_map(|(key, &scalar)| scale(key, scalar));
        let first = values.next()?;
        Some(values.fold((first, first), |(low, high), v| (low.min(v), high.max(v))))
    }
}

/// The result of one pass over keys.
struct Neighbours {
    min: i64,
    max: i64,
    ups: u64,
    downs: u64,
    steps: u64,
}

/// Extremes and differences between neighbours; the compiler vectorises the loop.
#[multiversion::multiversion(targets("x86_64+avx2"))]
fn compare_neighbours(keys: &[i64], step: i64) -> Neighbours {
    let first = keys.first().copied().unwrap_or(0);
    let (mut min, mut max, mut ups, mut downs, mut steps) = (first, first, 0, 0, 0);
    for (a, b) in keys.iter().zip(keys.get(1..).unwrap_or_default()) {
        min = if *b < min { *b } else { min };
        max = if *b > max { *b } else { max };
        ups += u64::from(b > a);
        downs += u64::from(b < a);
        steps += u64::from(b.wrapping_sub(*a) == step);
    }
    Neighbours { min, max, ups, downs, steps }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::ByteOrder;
    use crate::segy::fields::FieldKind;

    /// Four-byte headers: a field and its scalar.
    fn column() -> Column {
        Column { name: "x".into(), first_byte: 1, kind: FieldKind::I16, scalar: Some(3), given_scalar: None }
    }

    fn headers(values: &[(i16, i16)]) -> Vec<u8> {
        values.iter().flat_map(|(v, s)| [v.to_be_bytes(), s.to_be_bytes()].concat()).collect()
    }

    /// Feeds `values` in blocks of these lengths.
    fn stats(values: &[(i16, i16)], blocks: &[usize]) -> ColumnStats {
        let (mut known, mut reader, mut rest) = (None, ColumnReader::default(), values);
        for &n in blocks {
            let (block, after) = rest.split_at(n.min(rest.len()));
            rest = after;
            let bytes = headers(block);
            let headers = Headers { bytes: &bytes, width: 4, order: ByteOrder::Big };
            let mut changed = [0; 4];
            bytes.chunks(4).for_each(|h| (0..4).for_each(|i| changed[i] |= h[i] ^ bytes[i]));
            reader.push(&mut known, &column(), &headers, &changed, Some(2), true);
        }
        known.unwrap()
    }

    type Facts = (Vec<i64>, [u64; 3], Runs, Vec<i64>, Option<(f64, f64)>);

    fn facts(s: &ColumnStats) -> Facts {
        let keys = vec![s.first, s.last, s.min, s.max];
        (keys, [s.ups, s.downs, s.n_steps], s.runs.clone(), s.distinct.sorted(), s.scaled)
    }

    proptest::proptest! {
        #[test]
        fn blocks_of_any_length_give_what_a_plain_loop_gives(
            values in proptest::collection::vec((0i16..6, -2i16..3), 1..60),
            block in 1usize..20,
        ) {
            let s = stats(&values, &[block; 60]);
            let v: Vec<i64> = values.iter().map(|v| i64::from(v.0)).collect();
            let scaled: Vec<f64> = values.iter().map(|&(v, s)| apply_scalar(f64::from(v), s)).collect();
            let mut distinct = v.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let count = |f: fn(i64) -> bool| v.windows(2).filter(|w| f(w[1] - w[0])).count() as u64;
            let expected = (
                vec![v[0], v[v.len() - 1], distinct[0], distinct[distinct.len() - 1]],
                [count(|d| d > 0), count(|d| d < 0), count(|d| d == 2)],
                Runs::in_order(&v),
                distinct,
                Some((
                    scaled.iter().copied().fold(f64::INFINITY, f64::min),
                    scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                )),
            );
            proptest::prop_assert_eq!(facts(&s), expected);
        }

        #[test]
        fn parts_joined_are_the_whole(values in proptest::collection::vec((0i16..4, 1i16..2), 2..40), cut in 1usize..39) {
            let (left, right) = values.split_at(cut.min(values.len() - 1));
            let mut joined = stats(left, &[40]);
            joined.join(&stats(right, &[40]), true, Some(2));
            proptest::prop_assert_eq!(facts(&joined), facts(&stats(&values, &[40])));
        }
    }

    #[test]
    fn what_lies_between_parts_that_are_apart_is_not_counted() {
        let mut s = stats(&[(1, 1), (3, 1)], &[2]);
        s.join(&stats(&[(9, 1), (11, 1)], &[2]), false, Some(2));
        assert_eq!((s.ups, s.n_steps, s.runs.n_pairs), (2, 2, 2));
    }
}

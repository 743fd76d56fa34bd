//! Several surveys in one file: blocks of a grid with nothing between them.

use std::collections::BTreeSet;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::grid::Key;
use crate::grid::scan::Records;

/// How many times as long as the usual step a gap is, at least.
const GAP: u64 = 10;
/// Stretches of an axis beyond which it has gaps everywhere.
const MOST_STRETCHES: usize = 16;

/// A block: of each key the first and the last of its values.
pub(crate) type Block = Vec<[i64; 2]>;

/// The blocks of a grid, in the order of the axes; none where no places between them are empty throughout.
///
/// Axes are cut at their gaps; the pieces of the grid that have traces are the blocks.
pub(crate) fn blocks(keys: &[Key], records: &Records, order: &[usize], cancel: &CancelHandle) -> Result<Vec<Block>> {
    let stretches: Vec<Vec<[u64; 2]>> = keys.iter().map(stretches).collect();
    let n: usize = stretches.iter().map(Vec::len).product();
    if n < 4 || stretches.iter().any(|of_key| of_key.len() > MOST_STRETCHES) {
        return Ok(Vec::new());
    }
    let mut seen = BTreeSet::new();
    records.each_block(0..records.n_blocks(), cancel, |_, fields| {
        let mut last = Vec::new();
        for record in fields.chunks_exact(records.n_keys + records.n_coordinates) {
            let stretch = |(&key, of_key): (&usize, &Vec<[u64; 2]>)| {
                let place = u64::from_le_bytes(record[key]);
                of_key.partition_point(|[_, end]| *end <= place)
            };
            let block: Vec<usize> = order.iter().zip(&stretches).map(stretch).collect();
            if block != last {
                seen.insert(block.clone());
                last = block;
            }
        }
        Ok(false)
    })?;
    if seen.len() == n {
        return Ok(Vec::new());
    }
    let ends = |(key, (of_key, &i)): (&Key, (&Vec<[u64; 2]>, &usize))| {
        let [start, end] = *of_key.get(i)?;
        Some([key.values.at(start)?, key.values.at(end - 1)?])
    };
    Ok(seen.iter().map(|block| keys.iter().zip(stretches.iter().zip(block)).filter_map(ends).collect()).collect())
}

/// The stretches of an axis between its gaps, by place; the end is exclusive.
fn stretches(key: &Key) -> Vec<[u64; 2]> {
    let values: Vec<i64> = key.values.iter().collect();
    let mut steps: Vec<u64> = values.windows(2).map(|pair| pair[0].abs_diff(pair[1])).collect();
    let ends: Vec<u64> = {
        let all = steps.clone();
        let middle = steps.len() / 2;
        let usual = if steps.is_empty() { 1 } else { *steps.select_nth_unstable(middle).1 };
        (1..).zip(all).filter(|(_, step)| *step > usual.saturating_mul(GAP)).map(|(end, _)| end).collect()
    };
    let starts = [0].into_iter().chain(ends.iter().copied());
    starts.zip(ends.iter().copied().chain([values.len() as u64])).map(|(start, end)| [start, end]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Values;

    #[test]
    fn an_axis_is_cut_where_it_has_gaps() {
        let of = |values: &[i64]| {
            stretches(&Key { name: "inline".into(), field: None, bin: None, values: Values::List(values.into()) })
        };
        assert_eq!(of(&[1, 2, 3, 101, 102]), [[0, 3], [3, 5]]);
        assert_eq!(of(&[102, 101, 3, 2, 1]), [[0, 2], [2, 5]]);
        assert_eq!(of(&[10, 20, 30, 50]), [[0, 4]]);
        assert_eq!(of(&[7]), [[0, 1]]);
    }
}

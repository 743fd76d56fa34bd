//! A sorted grid without holes: where each trace lies, and which trace each place has, follow from its number.
//!
//! Along each axis the places come in one order, again and again; each of them lasts as many traces as the faster axes have
//! places.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::grid::places::HOLE;
use crate::grid::scan::MOST_VALUES;

/// The places along one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortedAxis {
    /// Traces from one place to the next.
    pub period: u64,
    /// The places in the order in which they come. Those that an axis has besides are holes.
    pub places: Vec<u64>,
}

impl SortedAxis {
    /// The place of a trace along this axis.
    pub fn place_of(&self, trace: u64) -> u64 {
        self.places[(trace / self.period) as usize % self.places.len()]
    }
}

/// The places of all traces, along each axis in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SortedTraces {
    pub axes: Vec<SortedAxis>,
}

impl SortedTraces {
    /// Hands over the places of some traces in turn, one along each axis.
    pub fn each(&self, traces: &Range<u64>, mut take: impl FnMut(&[u64])) {
        let mut places: Vec<u64> = self.axes.iter().map(|axis| axis.place_of(traces.start)).collect();
        // For each axis the number of its place among those that come, and the traces that it still lasts.
        let of_axis = |axis: &SortedAxis| {
            let at = (traces.start / axis.period) as usize % axis.places.len();
            (at, axis.period - traces.start % axis.period)
        };
        let mut turns: Vec<(usize, u64)> = self.axes.iter().map(of_axis).collect();
        for _ in traces.clone() {
            take(&places);
            for (place, (axis, (at, left))) in places.iter_mut().zip(self.axes.iter().zip(&mut turns)) {
                *left -= 1;
                if *left == 0 {
                    *at = if *at + 1 < axis.places.len() { *at + 1 } else { 0 };
                    (*place, *left) = (axis.places[*at], axis.period);
                }
            }
        }
    }

    /// Whether every trace has a place of its own in a grid of these lengths.
    pub fn is_consistent(&self, n_traces: u64, lengths: &[u64]) -> bool {
        let mut periods: Vec<(u64, u64)> =
            self.axes.iter().map(|axis| (axis.period, axis.places.len() as u64)).collect();
        periods.sort_unstable();
        let follow = periods.iter().try_fold(1_u64, |all, &(period, n)| all.checked_mul(n).filter(|_| period == all));
        let is_along = |(axis, &length): (&SortedAxis, &u64)| {
            // No axis is longer, and a map of it would not fit the memory.
            if length > MOST_VALUES as u64 {
                return false;
            }
            let mut is_taken = vec![false; length as usize];
            let mut take = |place: usize| is_taken.get_mut(place).is_some_and(|taken| !std::mem::replace(taken, true));
            axis.places.iter().all(|&place| take(place as usize))
        };
        self.axes.len() == lengths.len() && follow == Some(n_traces) && self.axes.iter().zip(lengths).all(is_along)
    }
}

/// The trace at each place of a sorted grid.
pub(crate) struct SortedMap {
    /// Along each axis for each place how many traces come before its first one, or [`HOLE`].
    before: Vec<Vec<u64>>,
}

impl SortedMap {
    /// That of a grid of these lengths.
    pub(crate) fn new(traces: &SortedTraces, lengths: &[u64]) -> Self {
        let along = |(axis, &length): (&SortedAxis, &u64)| {
            let mut before = vec![HOLE; length as usize];
            for (&place, n) in axis.places.iter().zip(0_u64..) {
                before[place as usize] = n * axis.period;
            }
            before
        };
        Self { before: traces.axes.iter().zip(lengths).map(along).collect() }
    }

    /// The numbers of the traces from a place on, or [`HOLE`], little-endian.
    pub(crate) fn read(&self, place: u64, numbers: &mut [u8]) {
        let mut index = vec![0; self.before.len()];
        let mut left = place;
        for (at, before) in index.iter_mut().zip(&self.before).rev() {
            let n = before.len().max(1) as u64;
            *at = (left % n) as usize;
            left /= n;
        }
        let mut numbers = numbers.as_chunks_mut().0;
        let Some((last, others)) = self.before.split_last() else { return };
        while !numbers.is_empty() {
            let sum = |sum: u64, (before, &at): (&Vec<u64>, &usize)| {
                before.get(at).filter(|before| **before != HOLE).map(|before| sum + before)
            };
            let start = others.iter().zip(&index).try_fold(0, sum);
            let at = index[others.len()];
            let (line, rest) = numbers.split_at_mut(numbers.len().min(last.len() - at));
            for (number, &before) in line.iter_mut().zip(&last[at..]) {
                *number = start.filter(|_| before != HOLE).map_or(HOLE, |start| start + before).to_le_bytes();
            }
            numbers = rest;
            // The next line.
            index[others.len()] = 0;
            for (at, before) in index.iter_mut().zip(others).rev() {
                *at += 1;
                if *at < before.len() {
                    break;
                }
                *at = 0;
            }
        }
    }

    /// The lowest trace in a box, from a place along each axis and so many places long; [`HOLE`] where there is none.
    pub(crate) fn first_in(&self, corner: &[u64], shape: &[u64]) -> u64 {
        let sides = self.before.iter().zip(corner.iter().zip(shape));
        let lowest = sides.map(|(before, (&start, &length))| {
            let end = (start + length).min(before.len() as u64);
            before[start as usize..end as usize].iter().copied().min().filter(|before| *before != HOLE)
        });
        lowest.sum::<Option<u64>>().unwrap_or(HOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two axes of 3 and 5 places; the first one is fast and comes backwards, the second leaves out two places.
    fn traces() -> SortedTraces {
        let axis = |period, places: &[u64]| SortedAxis { period, places: places.into() };
        SortedTraces { axes: vec![axis(1, &[2, 1, 0]), axis(3, &[0, 2, 4])] }
    }

    fn numbers(map: &SortedMap, place: u64, n: usize) -> Vec<u64> {
        let mut bytes = vec![0; n * 8];
        map.read(place, &mut bytes);
        bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn the_map_has_each_trace_at_its_place() {
        let (traces, lengths) = (traces(), [3, 5]);
        assert!(traces.is_consistent(9, &lengths));
        let map = SortedMap::new(&traces, &lengths);
        let mut expected = vec![HOLE; 15];
        for trace in 0..9 {
            let [first, second] = [0, 1].map(|axis| traces.axes[axis].place_of(trace));
            expected[(first * 5 + second) as usize] = trace;
        }
        assert_eq!(expected[..6], [2, HOLE, 5, HOLE, 8, 1]);
        assert_eq!(numbers(&map, 0, 15), expected);
        for start in 0..9 {
            let mut trace = start;
            traces.each(&(start..9), |places| {
                assert_eq!(places, [0, 1].map(|axis| traces.axes[axis].place_of(trace)));
                trace += 1;
            });
            assert_eq!(trace, 9);
        }
        for (start, end) in [(1, 15), (7, 12), (4, 5), (14, 15)] {
            assert_eq!(numbers(&map, start, (end - start) as usize), expected[start as usize..end as usize]);
        }
    }

    #[test]
    fn the_first_trace_of_a_box_is_the_lowest_in_it() {
        let map = SortedMap::new(&traces(), &[3, 5]);
        assert_eq!(map.first_in(&[0, 0], &[2, 2]), 1);
        assert_eq!(map.first_in(&[2, 1], &[2, 4]), 3);
        assert_eq!(map.first_in(&[0, 1], &[3, 1]), HOLE);
    }

    #[test]
    fn traces_that_share_a_place_or_lie_beyond_are_no_sorted_grid() {
        let changed = |change: fn(&mut SortedTraces)| {
            let mut traces = traces();
            change(&mut traces);
            traces.is_consistent(9, &[3, 5])
        };
        assert!(changed(|_| {}));
        assert!(!changed(|traces| traces.axes[1].places[1] = 0));
        assert!(!changed(|traces| traces.axes[1].places[1] = 5));
        assert!(!changed(|traces| traces.axes[1].places[1] = u64::MAX));
        assert!(!changed(|traces| traces.axes[1].period = 2));
        assert!(!changed(|traces| traces.axes[0].period = 0));
        assert!(!changed(|traces| traces.axes[0].places.clear()));
        assert!(!changed(|traces| traces.axes.truncate(1)));
        assert!(!traces().is_consistent(10, &[3, 5]));
        assert!(!traces().is_consistent(9, &[3, 1 << 31]));
    }
}

//! How traces are spilled to buckets before they are converted; see `spill`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::grid::Key;

/// More buckets would be too many open files.
pub(crate) const MOST_BUCKETS: usize = 256;

/// Which traces lie in which bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BucketCut {
    /// One past the last unit of each bucket, in the order in which units are converted.
    Units(Vec<u64>),
    Keys(KeyCut),
}

impl BucketCut {
    pub(crate) fn n_buckets(&self) -> usize {
        match self {
            Self::Units(ends) | Self::Keys(KeyCut { ends, .. }) => ends.len(),
        }
    }
}

/// Buckets by the values of the keys, which are cut into boxes: each a slab of each key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyCut {
    /// For each key but one that counts traces the last value of each slab but the last.
    pub lasts: Vec<Vec<i64>>,
    /// One past the last box of each bucket. Boxes are numbered with the last key fastest.
    pub ends: Vec<u64>,
}

fn slab_of(lasts: &[i64], value: i64) -> u64 {
    lasts.partition_point(|last| *last < value) as u64
}

impl KeyCut {
    pub(crate) fn n_boxes(&self) -> u64 {
        self.lasts.iter().map(|lasts| lasts.len() as u64 + 1).product()
    }

    /// Whether every box with so many keys is in a bucket.
    pub(crate) fn is_of(&self, n_keys: usize) -> bool {
        self.lasts.len() == n_keys
            && self.lasts.iter().all(|lasts| lasts.is_sorted())
            && self.ends.is_sorted()
            && self.ends.last() == Some(&self.n_boxes())
    }

    /// The box of a trace by the values of its fields.
    pub(crate) fn box_of(&self, keys: &[Key], values: impl Iterator<Item = i64>) -> u64 {
        let slabs = self.lasts.iter().zip(keys).zip(values);
        slabs.fold(0, |number, ((lasts, key), value)| {
            number * (lasts.len() as u64 + 1) + slab_of(lasts, key.binned(value))
        })
    }

    pub(crate) fn bucket_of(&self, number: u64) -> usize {
        self.ends.partition_point(|end| *end <= number)
    }

    /// The buckets with traces whose values on the axes lie in these ranges, the last value included.
    pub(crate) fn buckets_of(&self, ranges: &[[i64; 2]]) -> BTreeSet<usize> {
        let mut boxes = vec![0];
        for (lasts, [first, last]) in self.lasts.iter().zip(ranges) {
            let slabs = slab_of(lasts, *first)..=slab_of(lasts, *last);
            let n = lasts.len() as u64 + 1;
            boxes = boxes.iter().flat_map(|number| slabs.clone().map(move |slab| number * n + slab)).collect();
        }
        boxes.into_iter().map(|number| self.bucket_of(number)).collect()
    }
}

/// How traces were spilled; the mark that they are all there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spilled {
    pub cut: BucketCut,
    /// Bytes of a trace.
    pub stride: usize,
    /// Bytes of its headers.
    pub header_bytes: usize,
    /// The start of the computer they were written in, if they were not synced: another start may have lost them.
    pub boot_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Values;

    #[test]
    fn the_bucket_of_a_trace_is_among_those_of_every_range_that_it_lies_in() {
        let key = |bin| Key { name: "offset".into(), field: None, bin, values: Values::Count(0) };
        let keys = [key(None), key(Some([1, 7]))];
        let cut = KeyCut { lasts: vec![vec![-3, 4, 5], vec![-6, 8]], ends: vec![1, 5, 5, 9, 12] };
        assert!(cut.is_of(2) && !cut.is_of(1));
        for (first, second) in (-8..9).flat_map(|first| (-20..20).map(move |second| (first, second))) {
            let bucket = cut.bucket_of(cut.box_of(&keys, [first, second].into_iter()));
            let centre = keys[1].binned(second);
            assert_eq!(cut.buckets_of(&[[first; 2], [centre; 2]]), BTreeSet::from([bucket]));
            assert!(cut.buckets_of(&[[first - 2, first], [centre, centre + 7]]).contains(&bucket));
        }
        assert_eq!(cut.buckets_of(&[[-9, 9], [-99, 99]]), BTreeSet::from([0, 1, 3, 4]));
    }
}

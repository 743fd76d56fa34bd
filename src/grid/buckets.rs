//! How traces are spilled to buckets before they are converted; see `spill`.

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
    /// The last value of the first key in each bucket but the last.
    FirstKey(Vec<i64>),
}

impl BucketCut {
    pub(crate) fn n_buckets(&self) -> usize {
        match self {
            Self::Units(ends) => ends.len(),
            Self::FirstKey(lasts) => lasts.len() + 1,
        }
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

/// The bucket of a value, by the last value of each bucket but the last.
pub(crate) fn bucket_of_key(lasts: &[i64], value: i64) -> usize {
    lasts.partition_point(|last| *last < value)
}

/// The first and the last bucket that can hold traces at this value of the axis of a key.
pub(crate) fn buckets_of_value(lasts: &[i64], key: &Key, value: i64) -> [usize; 2] {
    let first = lasts.partition_point(|last| key.binned(*last) < value);
    let last = lasts.partition_point(|last| key.binned(last.saturating_add(1)) <= value);
    [first, last.max(first)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Values;

    #[test]
    fn the_bucket_of_each_value_is_among_those_of_its_bin() {
        let lasts = [-3, 4, 5, 5, 19];
        for bin in [None, Some([0, 1]), Some([1, 7]), Some([0, 100])] {
            let key = Key { name: "offset".into(), field: None, bin, values: Values::Count(0) };
            for value in -20..40 {
                let [first, last] = buckets_of_value(&lasts, &key, key.binned(value));
                assert!((first..=last).contains(&bucket_of_key(&lasts, value)), "{bin:?}, {value}");
                assert!(bin.is_some() || first == last);
            }
        }
    }
}

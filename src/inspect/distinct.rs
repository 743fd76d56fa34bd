//! Counting distinct values up to a limit.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Up to this many distinct values are counted exactly.
pub(super) const MAX_DISTINCT: usize = 1000;

/// Distinct keys, up to [`MAX_DISTINCT`], so that memory is bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distinct {
    seen: HashSet<i64, BuildHasherDefault<MultiplyHasher>>,
    many: bool,
}

impl Distinct {
    pub(super) fn add(&mut self, key: i64) {
        if !self.many {
            self.seen.insert(key);
            self.give_up_beyond_the_bound();
        }
    }

    /// Adds the keys from another part of the file.
    pub(super) fn merge(&mut self, other: &Self) {
        self.many |= other.many;
        self.seen.extend(&other.seen);
        self.give_up_beyond_the_bound();
    }

    fn give_up_beyond_the_bound(&mut self) {
        if self.many || self.seen.len() > MAX_DISTINCT {
            self.many = true;
            self.seen = HashSet::default();
        }
    }

    /// Whether the limit is exceeded, so that adding more changes nothing.
    pub(crate) fn is_many(&self) -> bool {
        self.many
    }

    /// The number of distinct keys; `None` above the limit.
    pub(crate) fn count(&self) -> Option<usize> {
        (!self.many).then_some(self.seen.len())
    }

    /// The keys in order; empty above the limit.
    #[cfg(test)]
    pub(crate) fn sorted(&self) -> Vec<i64> {
        let mut keys: Vec<i64> = self.seen.iter().copied().collect();
        keys.sort_unstable();
        keys
    }
}

/// Header values are not hostile: one multiplication spreads them well enough, while the default hash would take
/// longer than the rest of a scan.
#[derive(Clone, Default)]
struct MultiplyHasher(u64);

impl Hasher for MultiplyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u64(u64::from(b)));
    }

    fn write_i64(&mut self, key: i64) {
        self.write_u64(key as u64);
    }

    fn write_u64(&mut self, key: u64) {
        let product = (self.0 ^ key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: impl IntoIterator<Item = i64>) -> Distinct {
        let mut distinct = Distinct::default();
        keys.into_iter().for_each(|k| distinct.add(k));
        distinct
    }

    #[test]
    fn a_thousand_are_counted_and_one_more_is_many() {
        let n = MAX_DISTINCT as i64;
        assert_eq!(of((0..n).chain(0..n)).count(), Some(1000));
        assert_eq!(of(0..=n).count(), None);
    }

    #[test]
    fn merging_is_the_same_as_adding_all() {
        let mut a = of(0..600);
        a.merge(&of(500..1000));
        assert_eq!((a.count(), a.sorted()), (Some(1000), (0..1000).collect()));
        a.merge(&of([-1]));
        assert_eq!((a.count(), a.sorted()), (None, vec![]));
        a.merge(&of([1]));
        assert!(a.is_many());
    }
}

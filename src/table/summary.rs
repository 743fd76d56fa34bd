//! What a worker reports about the headers it wrote.

use serde::{Deserialize, Serialize};

use crate::store::checksum::ByteSums;
use crate::table::columns::{DUPLICATE_TRACE, ZERO_TRACE};

/// Smallest and largest value of an integer field. `i128` because uint64 does not fit int64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRange {
    #[serde(with = "int64_or_uint64")]
    pub min: i128,
    #[serde(with = "int64_or_uint64")]
    pub max: i128,
}

/// Writes JSON numbers as signed or unsigned 64-bit integers: serde reads no wider ones inside tagged enums.
mod int64_or_uint64 {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Signed(i64),
        Unsigned(u64),
    }

    pub(crate) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*value) {
            Ok(value) => serializer.serialize_i64(value),
            Err(_) => serializer.serialize_u64(u64::try_from(*value).unwrap_or(u64::MAX)),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        Ok(match Either::deserialize(deserializer)? {
            Either::Signed(value) => value.into(),
            Either::Unsigned(value) => value.into(),
        })
    }
}

/// The number of rows written, and the range of each integer field in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderSummary {
    /// Rows written.
    pub n_rows: u64,
    /// Traces with the identification code for dead.
    pub n_dead: u64,
    /// Traces whose samples are all zero.
    pub n_zero: u64,
    /// Traces with the same samples as the one before.
    pub n_duplicate: u64,
    /// One for each of `HeaderTable::columns`; `None` for a field that is not an integer, or without rows.
    pub ranges: Vec<Option<FieldRange>>,
    /// The row groups in the order they have in the file.
    pub row_groups: ByteSums,
}

impl HeaderSummary {
    /// Counts one trace.
    pub(crate) fn count(&mut self, is_dead: bool, flags: u8) {
        self.n_dead += u64::from(is_dead);
        self.n_zero += u64::from(flags & ZERO_TRACE != 0);
        self.n_duplicate += u64::from(flags & DUPLICATE_TRACE != 0);
    }

    /// Combines both summaries. Order and grouping do not matter; the default summary is neutral.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        self.n_rows += other.n_rows;
        self.n_dead += other.n_dead;
        self.n_zero += other.n_zero;
        self.n_duplicate += other.n_duplicate;
        self.row_groups = self.row_groups.followed_by(other.row_groups);
        self.ranges.resize(self.ranges.len().max(other.ranges.len()), None);
        for (range, other) in self.ranges.iter_mut().zip(&other.ranges) {
            *range = match (*range, *other) {
                (Some(a), Some(b)) => Some(FieldRange { min: a.min.min(b.min), max: a.max.max(b.max) }),
                (known, other) => known.or(other),
            };
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(n_rows: u64, ranges: &[Option<(i128, i128)>]) -> HeaderSummary {
        let ranges = ranges.iter().map(|range| range.map(|(min, max)| FieldRange { min, max }));
        let mut row_groups = ByteSums::default();
        row_groups.push(&vec![7; n_rows as usize]);
        let (n_zero, n_duplicate) = (2 * n_rows, 3 * n_rows);
        HeaderSummary { n_rows, ranges: ranges.collect(), n_dead: n_rows, n_zero, n_duplicate, row_groups }
    }

    #[test]
    fn summaries_merge_in_any_grouping() {
        let [a, b, c] = [
            summary(3, &[Some((-5, 7)), None]),
            summary(4, &[Some((0, u64::MAX.into())), None]),
            summary(5, &[Some((-6, -6)), None]),
        ];
        let left = a.clone().merge(&b).merge(&c);
        assert_eq!(left, summary(12, &[Some((-6, u64::MAX.into())), None]));
        assert_eq!(a.merge(&b.merge(&c)), left);
        assert_eq!(HeaderSummary::default().merge(&left), left);
        assert_eq!(left.clone().merge(&HeaderSummary::default()), left);
    }
}

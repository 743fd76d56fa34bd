//! What a worker reports about the headers it wrote.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::checksum::{ByteSums, Checksum};
use crate::table::columns::{DUPLICATE_TRACE, ZERO_TRACE};
use crate::table::coordinate_arrays::CoordinateSummary;

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
    /// Traces whose coordinate scalar is not one of the standard's, and the same for the elevation scalar.
    #[serde(default)]
    pub n_odd_scalars: [u64; 2],
    /// Where the sample interval changes for the first time, and where the delay does.
    #[serde(default)]
    pub changes: [FirstChange; 2],
    /// One for each of `HeaderTable::columns`; `None` for a field that is not an integer, or without rows.
    pub ranges: Vec<Option<FieldRange>>,
    /// The row groups in the order they have in the file.
    pub row_groups: ByteSums,
    /// The files, if every row group is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Checksum>,
    /// The coordinates, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub coordinates: BTreeMap<String, CoordinateSummary>,
}

/// The value of the first trace, and the first trace with another value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstChange {
    /// Number of the first trace, from 0, and its value.
    pub first: Option<(u64, i64)>,
    /// Number of the first trace with another value, and that value.
    pub other: Option<(u64, i64)>,
}

impl FirstChange {
    /// Takes the value of the next trace.
    pub(crate) fn see(&mut self, trace: u64, value: i64) {
        match self.first {
            None => self.first = Some((trace, value)),
            Some((_, first)) if first != value && self.other.is_none() => self.other = Some((trace, value)),
            Some(_) => {}
        }
    }

    /// Appends what was seen of later traces.
    fn followed_by(self, next: Self) -> Self {
        match (self.first, next.first) {
            (None, _) => next,
            (Some((_, value)), Some((_, other))) if self.other.is_none() && value != other => {
                Self { other: next.first, ..self }
            }
            _ => Self { other: self.other.or(next.other), ..self },
        }
    }
}

impl HeaderSummary {
    /// Counts one trace.
    pub(crate) fn count(&mut self, is_dead: bool, flags: u8) {
        self.n_dead += u64::from(is_dead);
        self.n_zero += u64::from(flags & ZERO_TRACE != 0);
        self.n_duplicate += u64::from(flags & DUPLICATE_TRACE != 0);
    }

    /// Combines both summaries; `other` is of later traces. Grouping does not matter; the default is neutral.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        self.n_rows += other.n_rows;
        self.n_dead += other.n_dead;
        self.n_zero += other.n_zero;
        self.n_duplicate += other.n_duplicate;
        for (n, other) in self.n_odd_scalars.iter_mut().zip(other.n_odd_scalars) {
            *n += other;
        }
        for (change, other) in self.changes.iter_mut().zip(other.changes) {
            *change = change.followed_by(other);
        }
        self.row_groups = self.row_groups.followed_by(other.row_groups);
        self.parts.extend_from_slice(&other.parts);
        for (name, other) in &other.coordinates {
            self.coordinates.entry(name.clone()).or_default().append(other);
        }
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
        let change = FirstChange { first: Some((n_rows, 1)), other: (n_rows > 3).then_some((n_rows, 7)) };
        let changes = [change, FirstChange { first: Some((n_rows, n_rows as i64)), other: None }];
        let n_odd_scalars = [n_rows, 5];
        HeaderSummary {
            n_rows,
            ranges: ranges.collect(),
            n_dead: n_rows,
            n_zero,
            n_duplicate,
            n_odd_scalars,
            changes,
            row_groups,
            parts: vec![Checksum { bytes: n_rows, crc32c: String::new() }],
            coordinates: BTreeMap::from([("offset".to_owned(), coordinate(n_rows))]),
        }
    }

    fn coordinate(n_rows: u64) -> CoordinateSummary {
        CoordinateSummary {
            only_value: Some(n_rows.min(4)),
            chunks: vec![Checksum { bytes: n_rows, crc32c: String::new() }],
        }
    }

    #[test]
    fn summaries_merge_in_any_grouping() {
        let [a, b, c] = [
            summary(3, &[Some((-5, 7)), None]),
            summary(4, &[Some((0, u64::MAX.into())), None]),
            summary(5, &[Some((-6, -6)), None]),
        ];
        let left = a.clone().merge(&b).merge(&c);
        assert_eq!((left.n_rows, &left.ranges), (12, &summary(12, &[Some((-6, u64::MAX.into())), None]).ranges));
        assert_eq!(left.n_odd_scalars, [12, 15]);
        assert_eq!(left.changes.map(|c| c.other), [Some((4, 7)), Some((4, 4))]);
        assert_eq!(left.coordinates["offset"].only_value, None);
        assert_eq!(b.clone().merge(&c).coordinates["offset"].only_value, Some(4));
        let lengths = left.coordinates["offset"].chunks.iter().map(|chunk| chunk.bytes);
        assert_eq!(lengths.collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(a.merge(&b.merge(&c)), left);
        assert_eq!(HeaderSummary::default().merge(&left), left);
        assert_eq!(left.clone().merge(&HeaderSummary::default()), left);
    }
}

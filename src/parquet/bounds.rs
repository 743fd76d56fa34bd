//! The smallest and largest value of a page or column chunk, for the statistics that readers skip by.

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use crate::parquet::values::Values;

/// Smallest and largest value, both inclusive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bounds {
    /// `i128` because uint64 does not fit int64.
    Integer {
        min: i128,
        max: i128,
    },
    /// NaN are only counted. A zero bound has the sign that makes the range wider. Singles are held as doubles.
    Float {
        range: Option<(f64, f64)>,
        n_nan: u64,
    },
    Text {
        min: String,
        max: String,
    },
    /// Unknown, or there are no values.
    None,
}

/// Longest text in the statistics; pages with a longer one have none.
const MAX_TEXT_BYTES: usize = 64;

impl Bounds {
    /// `is_unsigned`: whether integers are unsigned.
    pub(crate) fn of(values: &Values, is_unsigned: bool) -> Self {
        match values {
            Values::Int32(v) if is_unsigned => integer(range_of(v, |v| v as u32)),
            Values::Int64(v) if is_unsigned => integer(range_of(v, |v| v as u64)),
            Values::Int32(v) => integer(range_of(v, |v| v)),
            Values::Int64(v) => integer(range_of(v, |v| v)),
            Values::NullableInt64(v) => {
                let known: Vec<i64> = v.iter().copied().filter(|v| *v != i64::MIN).collect();
                if known.is_empty() { Self::None } else { integer(range_of(&known, |v| v)) }
            }
            Values::Float(v) => float(&v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>()),
            Values::Double(v) => float(v),
            Values::Nullable(v) => match float(v) {
                // These NaN are nulls, and are counted as nulls.
                Self::Float { range, .. } => Self::Float { range, n_nan: 0 },
                other => other,
            },
            Values::Bool(v) => integer(range_of(v, u8::from)),
            Values::Text(v) => match (v.iter().min(), v.iter().max()) {
                (Some(min), Some(max)) if v.iter().all(|v| v.len() <= MAX_TEXT_BYTES) => {
                    Self::Text { min: min.clone(), max: max.clone() }
                }
                _ => Self::None,
            },
        }
    }

    /// The bounds of the same values repeated `n` times.
    pub(crate) fn of_repeated(self, n: u64) -> Self {
        match self {
            Self::Float { range, n_nan } => Self::Float { range, n_nan: n_nan * n },
            others => others,
        }
    }

    /// The bounds of both; `None` if either is unknown.
    pub(crate) fn merge(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Integer { min, max }, Self::Integer { min: other_min, max: other_max }) => {
                Self::Integer { min: min.min(*other_min), max: max.max(*other_max) }
            }
            (Self::Float { range, n_nan }, Self::Float { range: other, n_nan: other_nan }) => {
                let range = match (range, *other) {
                    (Some((min, max)), Some((other_min, other_max))) => Some((min.min(other_min), max.max(other_max))),
                    (known, other) => known.or(other),
                };
                Self::Float { range, n_nan: n_nan + other_nan }
            }
            (Self::Text { min, max }, Self::Text { min: other_min, max: other_max }) => {
                Self::Text { min: min.min(other_min.clone()), max: max.max(other_max.clone()) }
            }
            _ => Self::None,
        }
    }

    /// Whether neither bound of `next` is below the same bound of this.
    pub(crate) fn ascends_to(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Integer { min, max }, Self::Integer { min: next_min, max: next_max }) => {
                min <= next_min && max <= next_max
            }
            (Self::Float { range: Some(a), .. }, Self::Float { range: Some(b), .. }) => a.0 <= b.0 && a.1 <= b.1,
            (Self::Text { min, max }, Self::Text { min: next_min, max: next_max }) => {
                min <= next_min && max <= next_max
            }
            _ => false,
        }
    }

    /// The bounds as Parquet's PLAIN encoding of the column's physical type, and the number of NaN for floats.
    pub(crate) fn plain(&self, physical: Type) -> Option<(Vec<u8>, Vec<u8>, Option<u64>)> {
        let float = |v: f64| match physical {
            Type::FLOAT => (v as f32).to_le_bytes().to_vec(),
            _ => v.to_le_bytes().to_vec(),
        };
        let integer = |v: i128| match physical {
            Type::BOOLEAN => vec![v as u8],
            Type::INT32 => (v as i32).to_le_bytes().to_vec(),
            _ => (v as i64).to_le_bytes().to_vec(),
        };
        match self {
            Self::Integer { min, max } => Some((integer(*min), integer(*max), None)),
            Self::Float { range: Some((min, max)), n_nan } => Some((float(*min), float(*max), Some(*n_nan))),
            Self::Text { min, max } => Some((min.as_bytes().to_vec(), max.as_bytes().to_vec(), None)),
            Self::Float { range: None, .. } | Self::None => None,
        }
    }

    /// The statistics of a column chunk of this physical type with `n_nulls` nulls.
    pub(crate) fn statistics(&self, physical: Type, n_nulls: u64) -> Option<Statistics> {
        Some(match (self, physical) {
            (Self::Integer { min, max }, Type::BOOLEAN) => {
                Statistics::boolean(Some(*min != 0), Some(*max != 0), None, Some(0), false)
            }
            (Self::Integer { min, max }, Type::INT32) => {
                Statistics::int32(Some(*min as i32), Some(*max as i32), None, Some(0), false)
            }
            (Self::Integer { min, max }, _) => {
                Statistics::int64(Some(*min as i64), Some(*max as i64), None, Some(n_nulls), false)
            }
            (Self::Float { range, n_nan }, Type::FLOAT) => {
                let (min, max) = range.map(|(min, max)| (min as f32, max as f32)).unzip();
                ValueStatistics::new(min, max, None, Some(0), false).with_nan_count(Some(*n_nan)).into()
            }
            (Self::Float { range, n_nan }, _) => {
                let (min, max) = range.unzip();
                ValueStatistics::new(min, max, None, Some(n_nulls), false).with_nan_count(Some(*n_nan)).into()
            }
            (Self::Text { min, max }, _) => {
                let bytes = |text: &String| Some(ByteArray::from(text.as_str()));
                Statistics::byte_array(bytes(min), bytes(max), None, Some(0), false)
            }
            // Of nulls only.
            (Self::None, Type::INT64) if n_nulls > 0 => Statistics::int64(None, None, None, Some(n_nulls), false),
            (Self::None, Type::DOUBLE) if n_nulls > 0 => Statistics::double(None, None, None, Some(n_nulls), false),
            (Self::None, _) => return None,
        })
    }
}

fn integer(range: Option<(impl Into<i128>, impl Into<i128>)>) -> Bounds {
    range.map_or(Bounds::None, |(min, max)| Bounds::Integer { min: min.into(), max: max.into() })
}

/// The smallest and the largest of the numbers that `number` maps the values to.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn range_of<V: Copy, T: Copy + Ord>(values: &[V], number: impl Fn(V) -> T) -> Option<(T, T)> {
    let first = number(*values.first()?);
    let (mut min, mut max) = (first, first);
    // A loop, because `fold` is not inlined here.
    for &value in values {
        let value = number(value);
        min = min.min(value);
        max = max.max(value);
    }
    Some((min, max))
}

/// Compares in eight lanes, which the compiler vectorises. Comparisons with NaN are false, so NaN changes nothing.
fn float(values: &[f64]) -> Bounds {
    let (mut min, mut max, mut n_nan) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8], 0);
    let mut compare = |lane: usize, v: f64| {
        min[lane] = if v < min[lane] { v } else { min[lane] };
        max[lane] = if v > max[lane] { v } else { max[lane] };
        n_nan += u64::from(v.is_nan());
    };
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        eight.iter().enumerate().for_each(|(lane, &v)| compare(lane, v));
    }
    rest.iter().for_each(|&v| compare(0, v));
    let min = min.into_iter().fold(f64::INFINITY, f64::min);
    let max = max.into_iter().fold(f64::NEG_INFINITY, f64::max);
    Bounds::Float { range: (min <= max).then(|| (below_zeros(min), above_zeros(max))), n_nan }
}

/// −0 for either zero: the bounds must also hold for readers that order −0 before +0.
fn below_zeros(min: f64) -> f64 {
    if min == 0.0 { -0.0 } else { min }
}

/// +0 for either zero.
fn above_zeros(max: f64) -> f64 {
    if max == 0.0 { 0.0 } else { max }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_without_a_sign_are_ordered_by_their_bits() {
        let (ints, longs) = (Values::Int32(vec![-1, 1]), Values::Int64(vec![-1, 1]));
        assert_eq!(Bounds::of(&ints, false), Bounds::Integer { min: -1, max: 1 });
        assert_eq!(Bounds::of(&ints, true), Bounds::Integer { min: 1, max: u32::MAX.into() });
        assert_eq!(Bounds::of(&longs, false), Bounds::Integer { min: -1, max: 1 });
        assert_eq!(Bounds::of(&longs, true), Bounds::Integer { min: 1, max: u64::MAX.into() });
    }
}

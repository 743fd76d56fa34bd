//! The smallest and largest value of a page or column chunk, for the statistics that readers skip by.

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use crate::segy::fields::FieldKind;

use super::columns::Source;
use super::values::Values;

/// Smallest and largest value, both inclusive.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bounds {
    /// `i128` because uint64 does not fit int64.
    Integer {
        min: i128,
        max: i128,
    },
    /// In the total order of IEEE 754 (−0 before +0), which the footer declares; NaN are only counted.
    /// A single fits a double.
    Float {
        range: Option<(f64, f64)>,
        n_nan: u64,
    },
    Text {
        min: String,
        max: String,
    },
    /// Not kept, or no values.
    None,
}

/// Longest text in the statistics. No text field of a header is longer, unless the user maps one.
const MAX_TEXT_BYTES: usize = 64;

impl Bounds {
    pub fn of(values: &Values, source: Source) -> Self {
        fn integer<T: Copy + Ord + Into<i128>>(values: impl Iterator<Item = T> + Clone) -> Bounds {
            let min = values.clone().min();
            match (min, values.max()) {
                (Some(min), Some(max)) => Bounds::Integer { min: min.into(), max: max.into() },
                _ => Bounds::None,
            }
        }
        let kind = match source {
            Source::Field { kind, .. } => Some(kind),
            _ => None,
        };
        match values {
            Values::Int32(v) if kind == Some(FieldKind::U32) => integer(v.iter().map(|&v| v as u32)),
            Values::Int64(v) if kind == Some(FieldKind::U64) => integer(v.iter().map(|&v| v as u64)),
            Values::Int32(v) => integer(v.iter().copied()),
            Values::Int64(v) => integer(v.iter().copied()),
            Values::Float(v) => float(v.iter().map(|&v| f64::from(v))),
            Values::Double(v) => float(v.iter().copied()),
            Values::Text(v) => match (v.iter().min(), v.iter().max()) {
                (Some(min), Some(max)) if v.iter().all(|v| v.len() <= MAX_TEXT_BYTES) => {
                    Self::Text { min: min.clone(), max: max.clone() }
                }
                _ => Self::None,
            },
        }
    }

    /// The bounds of both; `None` where either is not known.
    pub fn merge(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Integer { min, max }, Self::Integer { min: other_min, max: other_max }) => {
                Self::Integer { min: min.min(*other_min), max: max.max(*other_max) }
            }
            (Self::Float { range, n_nan }, Self::Float { range: other, n_nan: other_nan }) => {
                let range = match (range, *other) {
                    (Some((min, max)), Some((other_min, other_max))) => {
                        Some((smaller(min, other_min), larger(max, other_max)))
                    }
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

    /// Whether neither bound of `next` is smaller than the one here.
    pub fn ascends_to(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Integer { min, max }, Self::Integer { min: next_min, max: next_max }) => {
                min <= next_min && max <= next_max
            }
            (Self::Float { range: Some(a), .. }, Self::Float { range: Some(b), .. }) => {
                a.0.total_cmp(&b.0).is_le() && a.1.total_cmp(&b.1).is_le()
            }
            (Self::Text { min, max }, Self::Text { min: next_min, max: next_max }) => {
                min <= next_min && max <= next_max
            }
            _ => false,
        }
    }

    /// The bounds as Parquet's PLAIN encoding of the column's physical type, and the number of NaN for floats.
    pub fn plain(&self, physical: Type) -> Option<(Vec<u8>, Vec<u8>, Option<u64>)> {
        let float = |v: f64| match physical {
            Type::FLOAT => (v as f32).to_le_bytes().to_vec(),
            _ => v.to_le_bytes().to_vec(),
        };
        let integer = |v: i128| match physical {
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

    /// The statistics of a column chunk of this physical type.
    pub fn statistics(&self, physical: Type) -> Option<Statistics> {
        Some(match (self, physical) {
            (Self::Integer { min, max }, Type::INT32) => {
                Statistics::int32(Some(*min as i32), Some(*max as i32), None, Some(0), false)
            }
            (Self::Integer { min, max }, _) => {
                Statistics::int64(Some(*min as i64), Some(*max as i64), None, Some(0), false)
            }
            (Self::Float { range, n_nan }, Type::FLOAT) => {
                let (min, max) = range.map(|(min, max)| (min as f32, max as f32)).unzip();
                ValueStatistics::new(min, max, None, Some(0), false).with_nan_count(Some(*n_nan)).into()
            }
            (Self::Float { range, n_nan }, _) => {
                let (min, max) = range.unzip();
                ValueStatistics::new(min, max, None, Some(0), false).with_nan_count(Some(*n_nan)).into()
            }
            (Self::Text { min, max }, _) => {
                let bytes = |text: &String| Some(ByteArray::from(text.as_str()));
                Statistics::byte_array(bytes(min), bytes(max), None, Some(0), false)
            }
            (Self::None, _) => return None,
        })
    }
}

fn float(values: impl Iterator<Item = f64> + Clone) -> Bounds {
    let n_nan = values.clone().filter(|v| v.is_nan()).count() as u64;
    // As integers of the same order the compiler can take several at a time.
    let keys = values.filter(|v| !v.is_nan()).map(total_order);
    let range = keys.clone().min().zip(keys.max()).map(|(min, max)| (from_total_order(min), from_total_order(max)));
    Bounds::Float { range, n_nan }
}

/// An integer whose order is that of `f64::total_cmp`.
fn total_order(v: f64) -> i64 {
    let bits = v.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The double of a `total_order`.
fn from_total_order(key: i64) -> f64 {
    f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
}

fn smaller(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_le() { a } else { b }
}

fn larger(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_ge() { a } else { b }
}

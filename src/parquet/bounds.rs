//! The smallest and largest value of a page or column chunk, for the statistics that readers skip by.

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use crate::segy::fields::FieldKind;
use crate::table::columns::Source;
use crate::table::values::Values;

/// Smallest and largest value, both inclusive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bounds {
    /// `i128` because uint64 does not fit int64.
    Integer {
        min: i128,
        max: i128,
    },
    /// NaN are only counted, and zeros have the sign that makes the range wider. A single fits a double.
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
        let kind = match source {
            Source::Field { kind, .. } => Some(kind),
            _ => None,
        };
        match values {
            Values::Int32(v) if kind == Some(FieldKind::U32) => integer(range_of(v, |v| v as u32)),
            Values::Int64(v) if kind == Some(FieldKind::U64) => integer(range_of(v, |v| v as u64)),
            Values::Int32(v) => integer(range_of(v, |v| v)),
            Values::Int64(v) => integer(range_of(v, |v| v)),
            Values::Float(v) => float(&v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>()),
            Values::Double(v) => float(v),
            Values::Nullable(v) => match float(v) {
                // What is NaN there is nothing here, and is counted as such.
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

    /// The bounds of `n` times the same values.
    pub fn of_repeated(self, n: u64) -> Self {
        match self {
            Self::Float { range, n_nan } => Self::Float { range, n_nan: n_nan * n },
            others => others,
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

    /// Whether neither bound of `next` is smaller than the one here.
    pub fn ascends_to(&self, next: &Self) -> bool {
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
    pub fn plain(&self, physical: Type) -> Option<(Vec<u8>, Vec<u8>, Option<u64>)> {
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

    /// The statistics of a column chunk of this physical type that has so many nulls.
    pub fn statistics(&self, physical: Type, n_nulls: u64) -> Option<Statistics> {
        Some(match (self, physical) {
            (Self::Integer { min, max }, Type::BOOLEAN) => {
                Statistics::boolean(Some(*min != 0), Some(*max != 0), None, Some(0), false)
            }
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
                ValueStatistics::new(min, max, None, Some(n_nulls), false).with_nan_count(Some(*n_nan)).into()
            }
            (Self::Text { min, max }, _) => {
                let bytes = |text: &String| Some(ByteArray::from(text.as_str()));
                Statistics::byte_array(bytes(min), bytes(max), None, Some(0), false)
            }
            (Self::None, _) => return None,
        })
    }
}

fn integer(range: Option<(impl Into<i128>, impl Into<i128>)>) -> Bounds {
    range.map_or(Bounds::None, |(min, max)| Bounds::Integer { min: min.into(), max: max.into() })
}

/// The smallest and the largest of the values, each taken for a number by `number`.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn range_of<V: Copy, T: Copy + Ord>(values: &[V], number: impl Fn(V) -> T) -> Option<(T, T)> {
    let first = number(*values.first()?);
    let (mut min, mut max) = (first, first);
    // A loop, not `fold`, which is not inlined here.
    for &value in values {
        let value = number(value);
        min = min.min(value);
        max = max.max(value);
    }
    Some((min, max))
}

/// Compares in eight lanes, which the compiler makes vectors of. NaN compare as false, so they change nothing.
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

/// The smaller zero in place of either: the bounds must hold for readers that tell −0 from +0.
fn below_zeros(min: f64) -> f64 {
    if min == 0.0 { -0.0 } else { min }
}

fn above_zeros(max: f64) -> f64 {
    if max == 0.0 { 0.0 } else { max }
}

//! Byte orders of files, and types of stored values.

use serde::{Deserialize, Serialize};

/// Order of the bytes in the numbers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// The most significant byte first, as the standard has it.
    Big,
    /// The least significant byte first.
    Little,
}

impl ByteOrder {
    /// Picks from something for big-endian and something for little-endian files.
    pub(crate) fn choose<T>(self, [big, little]: [T; 2]) -> T {
        match self {
            Self::Big => big,
            Self::Little => little,
        }
    }
}

impl std::fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Big => "big-endian",
            Self::Little => "little-endian",
        })
    }
}

/// Type of the samples in the output, by its Zarr v3 data type name. Stored little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Signed, 1 byte.
    Int8,
    /// Unsigned, 1 byte.
    UInt8,
    /// Signed, 2 bytes.
    Int16,
    /// Unsigned, 2 bytes.
    UInt16,
    /// Signed, 4 bytes.
    Int32,
    /// Unsigned, 4 bytes.
    UInt32,
    /// Signed, 8 bytes.
    Int64,
    /// Unsigned, 8 bytes.
    UInt64,
    /// IEEE 754, 4 bytes.
    Float32,
    /// IEEE 754, 8 bytes.
    Float64,
}

impl Dtype {
    /// The Zarr v3 core data type name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::UInt8 => "uint8",
            Self::Int16 => "int16",
            Self::UInt16 => "uint16",
            Self::Int32 => "int32",
            Self::UInt32 => "uint32",
            Self::Int64 => "int64",
            Self::UInt64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// The type of NumPy's description of one, such as `<f4`, in either byte order.
    pub fn of_numpy(description: &str) -> Option<Self> {
        Some(match description.trim_start_matches(['<', '>', '|', '=']) {
            "i1" => Self::Int8,
            "u1" => Self::UInt8,
            "i2" => Self::Int16,
            "u2" => Self::UInt16,
            "i4" => Self::Int32,
            "u4" => Self::UInt32,
            "i8" => Self::Int64,
            "u8" => Self::UInt64,
            "f4" => Self::Float32,
            "f8" => Self::Float64,
            _ => return None,
        })
    }

    /// A little-endian value as a double; NaN if it has another length.
    pub fn number(self, bytes: &[u8]) -> f64 {
        macro_rules! number {
            ($type:ty) => {
                bytes.try_into().map_or(f64::NAN, |bytes| <$type>::from_le_bytes(bytes) as f64)
            };
        }
        match self {
            Self::Int8 => number!(i8),
            Self::UInt8 => number!(u8),
            Self::Int16 => number!(i16),
            Self::UInt16 => number!(u16),
            Self::Int32 => number!(i32),
            Self::UInt32 => number!(u32),
            Self::Int64 => number!(i64),
            Self::UInt64 => number!(u64),
            Self::Float32 => number!(f32),
            Self::Float64 => number!(f64),
        }
    }

    /// Bytes of one value.
    pub const fn size(self) -> usize {
        match self {
            Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 => 8,
        }
    }

    /// Whether values have a fraction.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// Whether values are whole numbers from 0 up.
    pub const fn is_unsigned(self) -> bool {
        matches!(self, Self::UInt8 | Self::UInt16 | Self::UInt32 | Self::UInt64)
    }
}

//! Columns of the header table as numbers.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};

use crate::base::error::Result;
use crate::dataset::Dataset;
use crate::dataset::table_file::TableFile;

/// The header table, column by column.
pub(crate) struct HeaderColumns {
    table: TableFile,
}

impl HeaderColumns {
    /// # Errors
    /// `Error::Damaged` for a damaged table.
    pub(crate) fn open(dataset: &Dataset) -> Result<Self> {
        let table = dataset.header_table()?;
        Ok(Self { table })
    }

    /// Whether there is a column of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.table.has(name)
    }

    /// What a column has in place of numbers; `None` for numbers and flags, and for a column that is not there.
    pub(crate) fn other_than_numbers(&self, name: &str) -> Option<&'static str> {
        match self.table.type_of(name)? {
            DataType::Utf8 | DataType::LargeUtf8 => Some("text"),
            DataType::Timestamp(..) => Some("times"),
            DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => Some("bytes"),
            _ => None,
        }
    }

    /// The names of all columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.table.names()
    }

    /// Some columns of these rows, batch after batch, column by column as numbers, flags as 1 and 0; NaN for what is null,
    /// not a number, or no column.
    pub(crate) fn numbers(
        &self,
        rows: &Range<u64>,
        names: &[&str],
        take: &mut dyn FnMut(&[Vec<f64>]) -> Result<()>,
    ) -> Result<()> {
        for batch in self.table.rows(rows, names)? {
            let batch = batch?;
            let of = |name: &&str| batch.column_by_name(name).map_or_else(|| nothing(batch.num_rows()), as_numbers);
            let columns: Vec<Vec<f64>> = names.iter().map(of).collect();
            take(&columns)?;
        }
        Ok(())
    }
}

fn nothing(n: usize) -> Vec<f64> {
    vec![f64::NAN; n]
}

fn as_numbers(column: &ArrayRef) -> Vec<f64> {
    macro_rules! numbers {
        ($type:ty) => {
            column.as_primitive::<$type>().iter().map(|v| v.map_or(f64::NAN, |v| v as f64)).collect()
        };
    }
    match column.data_type() {
        DataType::Boolean => {
            let number = |value: Option<bool>| value.map_or(f64::NAN, |is_set| f64::from(u8::from(is_set)));
            column.as_boolean().iter().map(number).collect()
        }
        DataType::Int8 => numbers!(Int8Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Float32 => numbers!(Float32Type),
        DataType::Float64 => numbers!(Float64Type),
        _ => nothing(column.len()),
    }
}

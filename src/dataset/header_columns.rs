//! Columns of the header table as numbers.

use std::ops::Range;

use arrow::datatypes::DataType;

use crate::base::error::Result;
use crate::dataset::Dataset;
use crate::dataset::table_file::TableFile;
use crate::parquet::Column;

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
            let columns: Vec<Vec<f64>> = batch?.into_iter().map(as_numbers).collect();
            take(&columns)?;
        }
        Ok(())
    }
}

fn as_numbers(column: Column) -> Vec<f64> {
    fn or_nan<V>(values: Vec<Option<V>>, number: impl Fn(V) -> f64) -> Vec<f64> {
        values.into_iter().map(|value| value.map_or(f64::NAN, &number)).collect()
    }
    match column {
        Column::Integers(values) => or_nan(values, |v| v as f64),
        Column::Unsigned(values) => or_nan(values, |v| v as f64),
        Column::Floats(values) => or_nan(values, |v| v),
        Column::Flags(values) => or_nan(values, |is_set| f64::from(u8::from(is_set))),
        other => vec![f64::NAN; other.n_rows()],
    }
}

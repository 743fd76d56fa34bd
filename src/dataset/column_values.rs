//! A column of the header table as the bytes of a Zarr array.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampNanosecondType, ToByteSlice, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::base::error::Result;
use crate::dataset::damaged;
use crate::dataset::table_file::{TableFile, TableRows};
use crate::store::Place;
use crate::table::NO_TIME;

/// The columns of a header table.
pub(crate) struct ColumnTable {
    table: TableFile,
}

/// The type of a column: as Zarr names it, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnType {
    pub name: &'static str,
    pub bytes: usize,
}

impl ColumnTable {
    /// A header table of `n_rows`, in parts of `part_rows` if it is a directory of them.
    pub(crate) fn open(path: Place, n_rows: u64, part_rows: Option<u64>, header_bytes: usize) -> Result<Self> {
        TableFile::open_parts(path, n_rows, part_rows, header_bytes).map(|table| Self { table })
    }

    /// Whether every row is known to have the same value, or none.
    pub(crate) fn is_constant(&self, column: &str) -> Result<bool> {
        self.table.is_constant(column)
    }

    /// The type of a column; `None` if there is no such column of numbers.
    pub(crate) fn type_of(&self, column: &str) -> Option<ColumnType> {
        let (name, bytes) = match self.table.type_of(column)? {
            DataType::Boolean => ("bool", 1),
            DataType::Int8 => ("int8", 1),
            DataType::UInt8 => ("uint8", 1),
            DataType::Int16 => ("int16", 2),
            DataType::UInt16 => ("uint16", 2),
            DataType::Int32 => ("int32", 4),
            DataType::UInt32 => ("uint32", 4),
            DataType::Int64 | DataType::Timestamp(..) => ("int64", 8),
            DataType::UInt64 => ("uint64", 8),
            DataType::Float32 => ("float32", 4),
            DataType::Float64 => ("float64", 8),
            _ => return None,
        };
        Some(ColumnType { name, bytes })
    }

    /// All values of a column, from the first row on.
    pub(crate) fn values(&self, column: &str) -> Result<ColumnValues> {
        let reader = self.table.rows(&(0..self.table.n_rows()), &[column])?;
        Ok(ColumnValues { path: self.table.path.clone(), reader, batch: Vec::new(), n_taken: 0 })
    }
}

/// The values of a column, little-endian. Memory: a page and a batch.
pub(crate) struct ColumnValues {
    path: Place,
    reader: TableRows,
    batch: Vec<u8>,
    /// Bytes of the batch that were passed on.
    n_taken: usize,
}

impl ColumnValues {
    /// The next bytes; fewer at the end.
    pub(crate) fn next_bytes(&mut self, n: usize) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(n);
        while out.len() < n {
            if self.n_taken == self.batch.len() {
                let Some(batch) = self.reader.next() else { break };
                let bytes = batch?.columns().first().and_then(bytes_of);
                self.batch = bytes.ok_or_else(|| damaged(&self.path, "a column has another type"))?;
                self.n_taken = 0;
            }
            let left = &self.batch[self.n_taken..];
            let taken = left.len().min(n - out.len());
            out.extend_from_slice(&left[..taken]);
            self.n_taken += taken;
        }
        Ok(out)
    }
}

fn bytes_of(column: &ArrayRef) -> Option<Vec<u8>> {
    /// The values, with what stands for null in its place.
    fn of<T: ArrowPrimitiveType>(column: &ArrayRef, null: T::Native) -> Vec<u8> {
        let values = column.as_primitive::<T>();
        let mut bytes = values.values().to_byte_slice().to_vec();
        let null = null.to_byte_slice();
        if let Some(nulls) = values.nulls() {
            let fill = |i: usize| bytes[i * null.len()..(i + 1) * null.len()].copy_from_slice(null);
            (!nulls.inner()).set_indices().for_each(fill);
        }
        bytes
    }
    Some(match column.data_type() {
        DataType::Boolean => column.as_boolean().iter().map(|value| u8::from(value == Some(true))).collect(),
        DataType::Int8 => of::<Int8Type>(column, 0),
        DataType::UInt8 => of::<UInt8Type>(column, 0),
        DataType::Int16 => of::<Int16Type>(column, 0),
        DataType::UInt16 => of::<UInt16Type>(column, 0),
        DataType::Int32 => of::<Int32Type>(column, 0),
        DataType::UInt32 => of::<UInt32Type>(column, 0),
        DataType::Int64 => of::<Int64Type>(column, 0),
        DataType::UInt64 => of::<UInt64Type>(column, 0),
        DataType::Float32 => of::<Float32Type>(column, f32::NAN),
        DataType::Float64 => of::<Float64Type>(column, f64::NAN),
        DataType::Timestamp(..) => of::<TimestampNanosecondType>(column, NO_TIME),
        _ => return None,
    })
}

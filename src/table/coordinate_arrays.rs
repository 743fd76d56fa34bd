//! Columns of numbers as Zarr arrays beside the table: the coordinates of the traces. A chunk has the rows of a row group, so that
//! one worker writes it whole.

use std::io::Write;

use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;

use crate::base::error::{Result, failed};
use crate::store::checksum::Checksum;
use crate::store::files::create_directories;
use crate::store::{Place, Writer};
use crate::table::columns::ColumnType;
use crate::zarr::{OnTheWay, PlainArray};

/// Level of Zstandard: on coordinates in metres a third faster than level 3, and no longer.
pub(crate) const LEVEL: i32 = 1;

/// A coordinate to be written.
pub(crate) struct CoordinateArray {
    pub name: String,
    /// The column of the table with its values.
    pub column: String,
    /// The directory of the array.
    pub directory: Place,
}

/// What was written of a coordinate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoordinateSummary {
    /// The bits of the value that all rows have, if they have one.
    pub only_value: Option<u64>,
    /// Its chunks.
    pub chunks: Vec<Checksum>,
}

impl CoordinateSummary {
    /// Appends what was written of later rows.
    pub(crate) fn append(&mut self, next: &Self) {
        let is_first = self.chunks.is_empty();
        self.only_value = next.only_value.filter(|value| is_first || self.only_value == Some(*value));
        self.chunks.extend_from_slice(&next.chunks);
    }
}

/// The values of a column in the row group being written.
pub(super) struct ColumnBytes {
    pub of_type: ColumnType,
    /// Little-endian.
    pub bytes: Vec<u8>,
}

impl ColumnBytes {
    /// The bits of the value that all rows have, if they have one; zeros of both signs are one value.
    fn only_value(&self) -> Option<u64> {
        let width = self.of_type.bytes;
        let negative_zero = 1_u64 << (8 * width - 1);
        let is_float = self.of_type.name.starts_with("float");
        let mut values = self.bytes.chunks_exact(width).map(|row| {
            let bits = row.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte));
            if is_float && bits == negative_zero { 0 } else { bits }
        });
        values.next().filter(|first| values.all(|value| value == *first))
    }
}

/// Packs and writes the chunks of coordinates.
pub(super) struct CoordinateWriter {
    compressor: Compressor<'static>,
    /// Values of a chunk.
    chunk_rows: usize,
    on_the_way: OnTheWay,
}

impl CoordinateWriter {
    pub(super) fn new(chunk_rows: usize) -> Result<Self> {
        let compressor = Compressor::new(LEVEL).map_err(failed("zstd"))?;
        Ok(Self { compressor, chunk_rows, on_the_way: OnTheWay::default() })
    }

    /// Completes the chunks.
    pub(super) fn finish(mut self) -> Result<()> {
        self.on_the_way.wait()
    }

    /// Writes chunk `number` of a coordinate. `values` has those of its rows; the last chunk is filled up with zeros.
    pub(super) fn write(
        &mut self,
        array: &CoordinateArray,
        number: u64,
        values: &mut ColumnBytes,
    ) -> Result<CoordinateSummary> {
        let only_value = values.only_value();
        let bytes = &mut values.bytes;
        bytes.resize(self.chunk_rows * values.of_type.bytes, 0);
        let place = array.directory.join(PlainArray::key(&[number]));
        let packed = self.compressor.compress(bytes).map_err(failed(place.display()))?;
        if let Some(parent) = place.parent() {
            create_directories(&parent)?;
        }
        let mut file = Writer::create_sized(&place, packed.len() as u64).map_err(failed(place.display()))?;
        file.write_all(&packed).map_err(failed(place.display()))?;
        let finishing = file.finish_later().map_err(failed(place.display()))?;
        self.on_the_way.add(finishing.map(|finishing| (place, finishing)))?;
        bytes.clear();
        Ok(CoordinateSummary { only_value, chunks: vec![Checksum::of_bytes(&packed)] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only_value(name: &'static str, width: usize, values: &[u64]) -> Option<u64> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes().into_iter().take(width)).collect();
        ColumnBytes { of_type: ColumnType { name, bytes: width }, bytes }.only_value()
    }

    #[test]
    fn a_value_that_all_rows_have_is_found_whatever_its_type() {
        assert_eq!(only_value("int16", 2, &[]), None);
        assert_eq!(only_value("int16", 2, &[0x8001, 0x8001]), Some(0x8001));
        assert_eq!(only_value("int16", 2, &[0x8001, 0x8001, 1]), None);
        assert_eq!(only_value("uint8", 1, &[7, 7]), Some(7));
        let minus = |x: f64| (-x).to_bits();
        assert_eq!(only_value("float64", 8, &[0, minus(0.0), 0]), Some(0));
        assert_eq!(only_value("int64", 8, &[0, minus(0.0), 0]), None);
        assert_eq!(only_value("float64", 8, &[f64::NAN.to_bits(); 2]), Some(f64::NAN.to_bits()));
        assert_eq!(only_value("float32", 4, &[(-0.0_f32).to_bits().into(), 0]), Some(0));
        assert_eq!(only_value("float64", 8, &[minus(1.5), 1.5_f64.to_bits()]), None);
    }
}

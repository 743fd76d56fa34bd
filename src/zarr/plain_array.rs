//! Arrays whose chunks are packed with Zstandard alone: axes, coordinates, masks.

use serde_json::{Value, json};

use crate::base::error::{Result, failed};
use crate::dataset_files::ZARR_JSON;
use crate::store::Place;
use crate::store::files::{create_directories, write_json};
use crate::zarr::axes::Axis;
use crate::zarr::codec::little_endian;

/// An array as its `zarr.json` declares it.
pub(crate) struct PlainArray {
    pub axes: Vec<Axis>,
    pub data_type: &'static str,
    pub item_bytes: usize,
    pub fill_value: Value,
    pub attributes: Value,
    /// Level of Zstandard.
    pub level: i32,
}

impl PlainArray {
    /// The level for small arrays.
    pub(crate) const LEVEL: i32 = 3;

    /// A small array of float64, NaN where there is no value.
    pub(crate) fn of_doubles(axes: Vec<Axis>, attributes: Value) -> Self {
        Self {
            axes,
            data_type: "float64",
            item_bytes: size_of::<f64>(),
            fill_value: "NaN".into(),
            attributes,
            level: Self::LEVEL,
        }
    }

    /// Its `zarr.json`.
    pub(crate) fn document(&self) -> Value {
        let bytes = if self.item_bytes > 1 { little_endian() } else { json!({"name": "bytes"}) };
        let zstd = json!({"name": "zstd", "configuration": {"level": self.level, "checksum": false}});
        let lengths: Vec<u64> = self.axes.iter().map(|axis| axis.length).collect();
        let chunk: Vec<u64> = self.axes.iter().map(|axis| axis.chunk).collect();
        let names: Vec<&str> = self.axes.iter().map(|axis| axis.name.as_str()).collect();
        json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": lengths,
            "data_type": self.data_type,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": self.fill_value,
            "codecs": [bytes, zstd],
            "dimension_names": names,
            "attributes": self.attributes,
        })
    }

    /// The indices of all chunks, the last axis fastest.
    pub(crate) fn chunks(&self) -> Vec<Vec<u64>> {
        let mut all = vec![Vec::new()];
        for axis in &self.axes {
            let of_axis = |index: &Vec<u64>| {
                let index = index.clone();
                (0..axis.n_chunks()).map(move |i| index.iter().copied().chain([i]).collect::<Vec<u64>>())
            };
            all = all.iter().flat_map(of_axis).collect();
        }
        all
    }

    /// The name of a chunk below the directory of the array.
    pub(crate) fn key(index: &[u64]) -> String {
        index.iter().fold("c".to_owned(), |key, i| format!("{key}/{i}"))
    }

    /// Writes the array into `directory`. `chunk` gives the values of a chunk, little-endian, filled up to its full size.
    /// Returns the names of its files below the directory.
    pub(crate) fn write(
        &self,
        directory: &Place,
        mut chunk: impl FnMut(&[u64]) -> Result<Vec<u8>>,
    ) -> Result<Vec<String>> {
        create_directories(directory)?;
        write_json(&directory.join(ZARR_JSON), &self.document())?;
        let mut names = vec![ZARR_JSON.to_owned()];
        for index in self.chunks() {
            let name = Self::key(&index);
            let place = directory.join(&name);
            if let Some(parent) = place.parent() {
                create_directories(&parent)?;
            }
            let packed = ::zstd::bulk::compress(&chunk(&index)?, self.level).map_err(failed(place.display()))?;
            place.write(&packed).map_err(failed(place.display()))?;
            names.push(name);
        }
        Ok(names)
    }
}

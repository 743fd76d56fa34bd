//! The traces that lie aside, in a group of their own: samples, headers, numbers, and the values of the keys of each.

use serde_json::{Map, Value, json};

use crate::base::error::Result;
use crate::dataset_files::{ASIDE, ZARR_JSON};
use crate::grid::{Grid, TRACE};
use crate::merge::array_files::ArrayFiles;
use crate::merge::grid_arrays::{Whole, Writer};
use crate::staging::GridFiles;
use crate::store::Place;
use crate::store::files::write_json;
use crate::zarr::{Axis, group_document};

/// Traces in a chunk of the keys.
const CHUNK_TRACES: u64 = 1 << 16;

impl Writer<'_> {
    /// Writes the group; the grid's own arrays are elsewhere.
    pub(super) fn traces_aside(&mut self, aside: &Grid, staging: &Place) -> Result<()> {
        let files = &GridFiles::open(aside, staging)?;
        let (dataset, cancel, plan) = (self.dataset, self.cancel, self.plan);
        let mut group = Writer { plan, grid: aside, files, dataset, cancel, arrays: ArrayFiles::new(dataset) };
        group.bricks(None)?;
        group.headers()?;
        group.places()?;
        group.samples()?;
        let n = aside.n_placed();
        for (number, key) in self.grid.keys.iter().enumerate() {
            let whole = Whole::of(key.values.iter());
            let axes = vec![Axis { name: TRACE.into(), length: n, chunk: n.min(CHUNK_TRACES) }];
            group.arrays.put(&aside.path_of(&key.name), &whole.array(axes, json!({})), |index| {
                let start = index.first().copied().unwrap_or(0) * n.min(CHUNK_TRACES);
                let mut values = self.values_aside(files, start..n.min(start + CHUNK_TRACES), number)?;
                values.resize(n.min(CHUNK_TRACES) as usize, 0);
                Ok(whole.bytes(values.into_iter()))
            })?;
        }
        let arrays = group.arrays;
        self.add_group(arrays)
    }

    /// The value of a key of some of the traces aside.
    fn values_aside(&self, files: &GridFiles, aside: std::ops::Range<u64>, key: usize) -> Result<Vec<i64>> {
        let (mut numbers, mut record) = (vec![0; (aside.end - aside.start) as usize * 8], Vec::new());
        files.map(aside.start, &mut numbers)?;
        let (values, field) = (&self.grid.keys[key].values, self.grid.record_order[key]);
        let of_trace = |number: &[u8; 8]| {
            let trace = u64::from_le_bytes(*number);
            self.files.records(&(trace..trace + 1), &mut record)?;
            let place = record.as_chunks().0.get(field).map(|place| u64::from_le_bytes(*place));
            Ok(place.and_then(|place| values.at(place)).unwrap_or(0))
        };
        numbers.as_chunks().0.iter().map(of_trace).collect()
    }

    /// Writes the document of the group, and adds it and its arrays to those of the dataset.
    fn add_group(&mut self, arrays: ArrayFiles) -> Result<()> {
        let attributes = json!({"long_name": "traces whose place in the grid an earlier trace has"});
        let group = json!({"zarr_format": 3, "node_type": "group", "attributes": &attributes});
        let within = |name: &String| name.strip_prefix(ASIDE).map_or(name.as_str(), |rest| &rest[1..]).to_owned();
        let own: Map<String, Value> = arrays.documents.iter().map(|(name, one)| (within(name), one.clone())).collect();
        let with_arrays = group_document(own, attributes);
        let path = format!("{ASIDE}/{ZARR_JSON}");
        write_json(&self.dataset.join(&path), &with_arrays)?;
        self.arrays.note(&path);
        self.arrays.documents.insert(ASIDE.to_owned(), group);
        self.arrays.extend(arrays);
        Ok(())
    }
}

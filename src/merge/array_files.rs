//! The arrays of a dataset besides samples and headers, on their way into its group: their files and documents.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base::error::Result;
use crate::dataset_files::ZARR_JSON;
use crate::store::Place;
use crate::store::checksum::Checksum;
use crate::store::files::{create_directories, write_json};
use crate::zarr::PlainArray;

/// The files and documents of arrays.
pub(super) struct ArrayFiles<'a> {
    dataset: &'a Place,
    /// By the names of the arrays.
    pub documents: Map<String, Value>,
    names: Vec<String>,
    /// Files that need not be read for it.
    checksums: BTreeMap<String, Checksum>,
}

impl<'a> ArrayFiles<'a> {
    pub(super) fn new(dataset: &'a Place) -> Self {
        Self { dataset, documents: Map::new(), names: Vec::new(), checksums: BTreeMap::new() }
    }

    /// Writes an array, chunk by chunk.
    pub(super) fn put(
        &mut self,
        name: &str,
        array: &PlainArray,
        chunk: impl FnMut(&[u64]) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let files = array.write(&self.dataset.join(name), chunk)?;
        self.names.extend(files.into_iter().map(|file| format!("{name}/{file}")));
        self.documents.insert(name.to_owned(), array.document());
        Ok(())
    }

    /// Writes the document of an array whose chunks somebody else writes, or that has none.
    pub(super) fn document(&mut self, name: &str, document: Value) -> Result<()> {
        let directory = self.dataset.join(name);
        create_directories(&directory)?;
        write_json(&directory.join(ZARR_JSON), &document)?;
        self.names.push(format!("{name}/{ZARR_JSON}"));
        self.documents.insert(name.to_owned(), document);
        Ok(())
    }

    /// Notes a file that was written.
    pub(super) fn note(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    /// Notes a file of an array that somebody else has written.
    pub(super) fn put_checksum(&mut self, array: &str, file: &str, checksum: &Checksum) {
        self.checksums.insert(format!("{array}/{file}"), checksum.clone());
    }

    /// Takes the files and documents of other arrays of the dataset.
    pub(super) fn extend(&mut self, others: ArrayFiles) {
        self.names.extend(others.names);
        self.checksums.extend(others.checksums);
        self.documents.extend(others.documents);
    }

    /// The files so far, by path in the dataset.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.iter().chain(self.checksums.keys())
    }

    /// Checksums of all files, by path in the dataset.
    pub(super) fn checksums(&self) -> Result<BTreeMap<String, Checksum>> {
        let checksum = |name: &String| Ok((name.clone(), Checksum::of_file(&self.dataset.join(name))?));
        let read = self.names.iter().map(checksum);
        let known = self.checksums.iter().map(|(name, checksum)| Ok((name.clone(), checksum.clone())));
        read.chain(known).collect()
    }
}

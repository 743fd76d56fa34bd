//! Whether the arrays of a dataset are declared as the import declared them. Other programs may have resized one, or written it
//! anew with other chunks or codecs; their samples would be read wrongly.

use serde_json::Value;

use crate::base::error::Result;
use crate::dataset::{Dataset, damaged, unreadable_part};
use crate::dataset_files::{TRACE_NUMBERS, ZARR_JSON};
use crate::store::checksum::hexadecimal;
use crate::store::files::find_json;
use crate::zarr::{array_document, structure};

impl Dataset {
    /// Compares the Zarr documents of the arrays that samples are read from with those that the import wrote, but for attributes.
    ///
    /// # Errors
    /// `Error::Damaged` for a document that is missing or says something else.
    pub(crate) fn check_declared(&self) -> Result<()> {
        if self.headers_only {
            return Ok(());
        }
        let Some(grid) = &self.grid else {
            let expected = hexadecimal(structure(&array_document(&self.array.declared())));
            return self.check_document(&self.array.name, Some(&expected));
        };
        for part in [Some(grid.clone()), grid.aside()].into_iter().flatten() {
            for array in [part.variable.clone(), part.path_of(TRACE_NUMBERS)] {
                self.check_document(&array, self.grid_structures.get(&format!("{array}/{ZARR_JSON}")))?;
            }
        }
        Ok(())
    }

    /// `expected` is the checksum of its structure, if that is known.
    fn check_document(&self, array: &str, expected: Option<&String>) -> Result<()> {
        let path = self.root.join(array).join(ZARR_JSON);
        let document: Option<Value> = find_json(&path)?;
        let document = document.ok_or_else(|| unreadable_part(&path)(std::io::ErrorKind::NotFound.into()))?;
        if expected.is_none_or(|expected| *expected == hexadecimal(structure(&document))) {
            return Ok(());
        }
        Err(damaged(
            &path,
            "it does not describe the array that the import wrote; restore that, and give an array of another shape or with other \
             codecs to export --samples",
        ))
    }
}

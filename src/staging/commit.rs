//! Which files and directories become visible with a dataset, and which it replaces. Written down in the mark of a merged
//! dataset, so that an interrupted commit can be completed from any step.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::error::{Error, Result, failed};
use crate::dataset::document::Document;
use crate::dataset_files::{METADATA, NAMED_OUTPUTS, TABLES, ZARR_JSON};
use crate::staging::STAGING;
use crate::store::Place;
use crate::store::files::{find_json, is_there, read_json};

/// Name of the list of the parts of a dataset in an object store that is being replaced.
pub(super) const REPLACED: &str = "replaced.json";

/// The parts of a dataset and of the one it replaces. The last of each is the commit mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    /// In the order in which they appear.
    pub parts: Vec<String>,
    /// What is in the way of them, or belongs to a dataset that they replace.
    pub replaced: Vec<String>,
}

impl Commit {
    /// For a merged dataset whose document is at `document`.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` for something in the output directory that has the name of a part and belongs to no dataset.
    pub(super) fn new(document: &Place, root: &Place) -> Result<Self> {
        let parts = Document::read(document).map_err(|e| Error::Failed(e.to_string()))?.parts();
        let old = document_in(root)?;
        let replaced = match &old {
            // Most of its parts have fixed names, whatever the document says.
            Some(old) if old.path() == root.join(METADATA).path() => in_file_order(old, root, &parts)?,
            Some(old) => Document::read(old)
                .map_err(|e| Error::Failed(format!("{e}; so it is not known what belongs to the dataset to replace")))?
                .parts(),
            None if root.is_remote() => find_json(&replaced_in(root))?.unwrap_or_default(),
            None => Vec::new(),
        };
        // Parts of a dataset that an interrupted import left.
        let known = named();
        for name in parts.iter().filter(|name| !replaced.contains(name) && !known.contains(name)) {
            if !root.is_remote() && is_there(&root.join(name))? {
                let what = "belongs to no dataset of this program; move it, or choose another output";
                return Err(Error::OutputInTheWay(format!("{}: {what}", root.join(name).display())));
            }
        }
        // The mark stays last.
        let others = known.into_iter().filter(|name| !replaced.contains(name)).collect::<Vec<_>>();
        Ok(Self { parts, replaced: [others, replaced].concat() })
    }

    /// The commit that a mark of a merged dataset describes; earlier versions wrote an empty one.
    pub(super) fn read(mark: &Place, document: &Place, root: &Place) -> Result<Self> {
        let is_empty = mark.read().map_err(failed(mark.display()))?.is_empty();
        if !is_empty {
            return read_json(mark);
        }
        let place = if is_there(document)? { document.clone() } else { root.join(METADATA) };
        Ok(Self { parts: Document::read(&place).map_err(|e| Error::Failed(e.to_string()))?.parts(), replaced: named() })
    }

    /// The part without which there is no dataset.
    pub(super) fn mark(&self) -> &str {
        self.parts.last().map_or(METADATA, String::as_str)
    }

    /// All names, the marks first.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let others = self.parts.iter().filter(|name| !self.replaced.contains(name));
        self.replaced.iter().rev().chain(others)
    }
}

/// Where the parts of a dataset in an object store that is being replaced are written down.
fn replaced_in(root: &Place) -> Place {
    root.join(STAGING).join(REPLACED)
}

/// The parts of a dataset in file order, and what else can be one; of one that cannot be read, those with fixed names, and
/// the arrays in the way of `new` ones that its group lists.
fn in_file_order(document: &Place, root: &Place, new: &[String]) -> Result<Vec<String>> {
    let named = named();
    let arrays: Vec<String> = match Document::find(document)? {
        Some(document) => document.parts().into_iter().filter(|part| !named.contains(part)).collect(),
        None => {
            let group: Value = find_json(&root.join(ZARR_JSON))?.unwrap_or_default();
            let listed = group["consolidated_metadata"]["metadata"].as_object();
            let arrays = listed.into_iter().flat_map(|arrays| arrays.keys());
            arrays.filter(|name| new.contains(name) && !named.contains(name)).cloned().collect()
        }
    };
    Ok([arrays, named].concat())
}

fn named() -> Vec<String> {
    NAMED_OUTPUTS.map(str::to_owned).into()
}

/// The document of a dataset in this directory, of either kind; `None` if there is none of this program.
pub(crate) fn document_in(root: &Place) -> Result<Option<Place>> {
    for place in [root.join(METADATA), root.join(TABLES).join(METADATA)] {
        if Document::is_at(&place)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_first_and_come_last() {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let commit = Commit { parts: owned(&["a", "b", "mark"]), replaced: owned(&["x", "b", "old mark"]) };
        assert_eq!(commit.mark(), "mark");
        assert_eq!(commit.names().collect::<Vec<_>>(), ["old mark", "b", "x", "a", "mark"]);
        assert_eq!(Commit::default().mark(), METADATA);
    }
}

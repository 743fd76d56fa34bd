//! The output in an object store, where nothing can be renamed, locked, or made visible together with other things.
//!
//! Workers write chunks to their final keys, each written by one worker only. The segments' tables and records and the
//! plan are below `.segy-import/`; the merge makes the dataset's tables from them, and `metadata.json` comes last.
//! Without a `metadata.json` there is no dataset; one that is being replaced loses its own before the first chunk is
//! written.
//!
//! There is no lock, as one would outlive a crash of its owner. The plan keeps imports apart: it is only written if
//! there is none, and another import is refused unless it has the same plan. Two with the same plan write the same
//! bytes to the same keys.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset::document::Document;
use crate::dataset_files::{METADATA, NAMED_OUTPUTS, TABLES, ZARR_JSON};
use crate::plan::Plan;
use crate::staging::commit::{Commit, REPLACED, document_in};
use crate::staging::{Area, MERGED, PLAN, STAGING, SegmentPaths, SegmentRecord, holds_dataset, is_merged};
use crate::store::files::{is_there, read_json, write_json};
use crate::store::{self, Place};

/// An output in an object store.
pub(super) struct ObjectArea {
    root: Place,
    staging: Place,
    /// Whether this import wrote the plan it follows.
    is_mine: AtomicBool,
}

impl ObjectArea {
    pub(super) fn new(root: Place) -> Self {
        Self { staging: root.join(STAGING), root, is_mine: AtomicBool::new(false) }
    }

    /// The keys in the staging area besides the plan and the mark.
    fn others(&self) -> Result<Vec<PathBuf>> {
        let found = store::list(&self.staging.path()).map_err(failed(self.staging.display()))?;
        let others = found.into_iter().filter(|name| name != PLAN && name != MERGED);
        Ok(others.map(|name| self.staging.join(name).path()).collect())
    }
}

/// Refuses a prefix that already holds something.
pub(super) fn check(root: &Path, overwrite: bool) -> Result<()> {
    store::check_address(root)?;
    let place = Place::to_write(root).map_err(failed(root.display()))?;
    let in_the_way = |what: String| Err(Error::OutputInTheWay(format!("{}: {what}", root.display())));
    if is_merged(&place)? {
        return Ok(());
    }
    let found = store::list_top(root).map_err(failed(root.display()))?;
    let has = |name: &str| found.iter().any(|f| f == name);
    if (has(METADATA) || has(TABLES)) && holds_dataset(&place)? {
        return if overwrite { Ok(()) } else { in_the_way("holds a dataset; --overwrite replaces it".into()) };
    }
    // A staging area without the dataset's document: an import that began here left it.
    if has(STAGING) && !has(METADATA) {
        return Ok(());
    }
    if let Some(name) = NAMED_OUTPUTS.iter().find(|name| has(name)) {
        return in_the_way(format!("{name} in it belongs to no dataset of this program; name another prefix"));
    }
    if overwrite || found.is_empty() {
        return Ok(());
    }
    in_the_way("is not empty; name a new prefix, or put the dataset beside what is there with --overwrite".into())
}

/// The records of the segments that are done.
pub(super) fn records(staging: &Place, plan: &Plan) -> Result<Vec<SegmentRecord>> {
    let found = store::list(&staging.path()).map_err(failed(staging.display()))?;
    let names: HashSet<PathBuf> = found.into_iter().map(|name| staging.join(name).path()).collect();
    let records = plan.segments.iter().map(|s| SegmentPaths::new(staging, s.id).record);
    records.filter(|record| names.contains(&record.path())).map(|record| read_json(&record)).collect()
}

impl Area for ObjectArea {
    fn root(&self) -> &Place {
        &self.root
    }

    fn staging(&self) -> &Place {
        &self.staging
    }

    /// Chunks are written to their final place.
    fn dataset(&self) -> Place {
        self.root.clone()
    }

    fn document(&self) -> Result<Place> {
        Ok(self.staging.join(METADATA))
    }

    fn lock(&self) -> Option<&File> {
        None
    }

    /// Writes the plan if there is none, and ends the dataset that is to be replaced.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` if there is a plan, which another import has written meanwhile.
    fn start(&self, plan: &Plan) -> Result<()> {
        let place = self.staging.join(PLAN);
        let mut text = serde_json::to_vec_pretty(plan).map_err(failed(place.display()))?;
        text.push(b'\n');
        if !store::put_new(&place.path(), &text).map_err(failed(place.display()))? {
            let what = "another import has begun here at the same time; try again when it is done";
            return Err(Error::OutputInTheWay(format!("{}: {what}", self.root.display())));
        }
        self.is_mine.store(true, Ordering::Relaxed);
        remove(&self.others()?)?;
        // Once its document is gone, nothing else tells what the dataset to replace consists of.
        let old = document_in(&self.root)?.map(|document| Document::find(&document)).transpose()?.flatten();
        let parts = old.map(|document| document.parts()).unwrap_or_default();
        if !parts.is_empty() {
            write_json(&self.staging.join(REPLACED), &parts)?;
        }
        let documents = [self.root.join(METADATA), self.root.join(TABLES).join(METADATA), self.root.join(ZARR_JSON)];
        remove(&documents.map(|place| place.path()))?;
        // An array of the same name may have other chunks in the new dataset.
        let mut arrays = parts.iter().filter(|name| !NAMED_OUTPUTS.contains(&name.as_str()));
        arrays.try_for_each(|name| store::files::remove(&self.root.join(name)))
    }

    fn write_plan(&self, plan: &Plan) -> Result<()> {
        write_json(&self.staging.join(PLAN), plan)
    }

    fn forget(&self) -> Result<()> {
        self.clear()
    }

    fn sync_plan(&self) -> Result<()> {
        Ok(())
    }

    fn sync(&self, _: &CancelHandle) -> Result<()> {
        Ok(())
    }

    fn mark_merged(&self, commit: &Commit, _: bool) -> Result<()> {
        write_json(&self.staging.join(MERGED), commit)
    }

    fn sync_parts(&self, _: &Commit) -> Result<()> {
        Ok(())
    }

    /// Completes the dataset: removes what only the previous one had, then writes the document.
    fn publish(&self, _: bool, commit: &Commit) -> Result<()> {
        let document = self.document()?;
        if !is_there(&document)? {
            return Ok(());
        }
        for name in commit.replaced.iter().filter(|name| !commit.parts.contains(name)) {
            store::files::remove(&self.root.join(name))?;
        }
        let text = document.read().map_err(failed(document.display()))?;
        let place = match commit.mark() {
            TABLES => self.root.join(TABLES).join(METADATA),
            mark => self.root.join(mark),
        };
        place.write(&text).map_err(failed(place.display()))
    }

    fn clear(&self) -> Result<()> {
        let (plan, mark) = (self.staging.join(PLAN), self.staging.join(MERGED));
        if !is_there(&mark)? {
            remove(&[plan.path()])?;
        }
        remove(&self.others()?)?;
        remove(&[plan.path()])?;
        remove(&[mark.path()])
    }

    fn leave(&self) {}

    /// Removes what an unsuccessful import made, unless it had continued the work of another import: that one may still
    /// be running. A complete dataset no longer belongs to it.
    fn discard(&self) -> Result<()> {
        if !self.is_mine.load(Ordering::Relaxed) {
            return Ok(());
        }
        let plan = self.staging.join(PLAN);
        if is_there(&plan)? && document_in(&self.root)?.is_none() {
            let named = NAMED_OUTPUTS.map(str::to_owned).into();
            Plan::read(&plan)
                .map_or(named, |plan| plan.parts())
                .into_iter()
                .try_for_each(|name| store::files::remove(&self.root.join(name)))?;
        }
        self.clear()
    }
}

fn remove(paths: &[PathBuf]) -> Result<()> {
    let Some(first) = paths.first() else { return Ok(()) };
    store::remove_all(paths).map_err(failed(format!("{}: cannot be removed", first.display())))
}

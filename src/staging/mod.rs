//! The output directory: refusing what is in the way, the staging area, and making a complete dataset visible.
//!
//! Everything is built in `<output>/.segy-import/`. The named outputs appear by rename once complete, with
//! `metadata.json` last: it is the commit mark. What differs between a directory ([`local`]) and an object store
//! ([`objects`]) is in one trait, [`Area`].

pub(crate) mod attempt;
mod commit;
mod grid_files;
mod local;
mod lock;
mod objects;
mod record;
mod segment_paths;
mod spilled;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed, unreadable};
use crate::dataset_files::NAMED_OUTPUTS;
use crate::plan::Plan;
use crate::store::entry::Kind;
use crate::store::files::{entry, is_there};
use crate::store::place::is_absence;
use crate::store::{self, Place};
use commit::Commit;
use local::LocalArea;
use objects::ObjectArea;

pub(crate) use commit::document_in;
pub(crate) use grid_files::{GridFiles, read_plan};
pub(crate) use record::SegmentRecord;
#[cfg(test)]
pub(crate) use record::coordinates_in;
pub(crate) use segment_paths::SegmentPaths;
pub(crate) use spilled::{Buckets, SpillPaths, SpilledHeaders};

/// Name of the staging area in the output directory.
pub(crate) const STAGING: &str = ".segy-import";
/// Name of the mark in the staging area: the dataset is merged and is being made visible.
const MERGED: &str = "merged";
/// Name of the plan in the staging area.
const PLAN: &str = "plan.json";

/// What a staging area does differently in a directory and in an object store.
trait Area {
    fn root(&self) -> &Place;
    fn staging(&self) -> &Place;
    /// Where the merge builds the dataset.
    fn dataset(&self) -> Place;
    /// Where its document stays until everything else is in place.
    fn document(&self) -> Result<Place>;
    /// The lock, where there are locks. A process that inherits it keeps other imports away as long as it lives.
    fn lock(&self) -> Option<&File>;
    /// A warning about how imports are kept apart, if there is one.
    fn warning(&self) -> Option<String> {
        None
    }
    /// Empties the staging area and puts the plan in it.
    fn start(&self, plan: &Plan) -> Result<()>;
    /// Replaces the plan.
    fn write_plan(&self, plan: &Plan) -> Result<()>;
    /// Removes a plan that will not be followed and all its work, unless [`Self::start`] does that.
    fn forget(&self) -> Result<()>;
    /// Syncs the plan, with the names of the directories it is in.
    fn sync_plan(&self) -> Result<()>;
    /// Syncs the merged dataset, before any of it is renamed.
    fn sync(&self, cancel: &CancelHandle) -> Result<()>;
    /// Records durably that the dataset is merged.
    fn mark_merged(&self, commit: &Commit, durable: bool) -> Result<()>;
    /// Syncs what an interrupted run was making visible.
    fn sync_parts(&self, commit: &Commit) -> Result<()>;
    /// Renames every part of the dataset into place, continuing from any step, and checks that it is there.
    fn publish(&self, durable: bool, commit: &Commit) -> Result<()>;
    /// Empties the staging area. An interruption at any moment must not leave anything that looks like finished work:
    /// if no dataset is being committed the plan goes first, otherwise the mark goes last.
    fn clear(&self) -> Result<()>;
    /// Removes the staging area unless it holds work.
    fn leave(&self);
    /// Removes everything this import made.
    fn discard(&self) -> Result<()>;
}

/// An output directory that only this process writes to.
pub struct Output {
    area: Box<dyn Area>,
}

/// A plan in a staging area, and what has been done of it.
pub struct Staged {
    pub plan: Plan,
    /// The records of the segments that are done.
    pub done: Vec<SegmentRecord>,
    /// Segments that were done but may be lost: the computer was restarted before they were synced.
    pub n_lost: usize,
}

impl Staged {
    /// The plan in an output directory and its progress; `None` if there is no plan.
    ///
    /// # Errors
    /// `Error::Failed` for a plan that cannot be followed, `Error::OutputInTheWay` for links: this program makes none,
    /// and one that is there leads to somebody else's files.
    pub fn find(root: &Place) -> Result<Option<Self>> {
        let Some(staging) = staging_of(root)? else { return Ok(None) };
        if !has_plan(&staging)? {
            return Ok(None);
        }
        if root.is_remote() {
            let plan = read_plan(&staging.join(PLAN), &staging)?;
            let mut done = objects::records(&staging, &plan)?;
            done.retain(|record| record.fits(&plan));
            return Ok(Some(Self { plan, done, n_lost: 0 }));
        }
        if local::holds_links(&staging)? {
            let what = "holds links, which are not followed; remove it";
            return Err(Error::OutputInTheWay(format!("{}: {what}", staging.display())));
        }
        let plan = read_plan(&staging.join(PLAN), &staging)?;
        let ids = plan.segments.iter().map(|s| s.id);
        let mut done: Vec<SegmentRecord> =
            ids.filter_map(|id| attempt::finished(&staging, id).transpose()).collect::<Result<_>>()?;
        let n_lost = local::n_recorded(&plan, &staging)?.saturating_sub(done.len());
        done.retain(|record| record.fits(&plan));
        Ok(Some(Self { plan, n_lost, done }))
    }
}

/// The output directory at a path, links below it not followed; `None` if there is none.
///
/// # Errors
/// `Error::Usage` for an invalid address, `Error::Failed` if it cannot be opened.
pub(crate) fn find_root(root: &Path) -> Result<Option<Place>> {
    store::check_address(root)?;
    match Place::to_write(root) {
        Ok(place) => Ok(Some(place)),
        Err(e) if is_absence(&e) => Ok(None),
        Err(e) => Err(failed(root.display())(e)),
    }
}

/// Whether the plan in an output directory was made from a few headers, and whether one of the others contradicts it;
/// `None` if there is no plan of a grid.
pub(crate) fn is_probed(root: &Path) -> Result<Option<(bool, bool)>> {
    let Some(place) = find_root(root)? else { return Ok(None) };
    let (Some(staging), Some(staged)) = (staging_of(&place)?, Staged::find(&place)?) else { return Ok(None) };
    let Some(grid) = staged.plan.target.grid() else { return Ok(None) };
    Ok(Some((grid.sorted.is_some(), grid_files::wants_scan(&staging)?)))
}

/// Whether nobody has work in the staging area of an output directory, and none of these files lies in the directory.
pub(crate) fn is_free(root: &Path, files: &[PathBuf]) -> Result<bool> {
    let Some(place) = find_root(root)? else { return Ok(true) };
    for file in files {
        if place.name_on_the_way_to(file).map_err(|e| unreadable(file, &e))?.is_some() {
            return Ok(false);
        }
    }
    let Some(staging) = staging_of(&place)? else { return Ok(true) };
    Ok(!is_merged(&place)? && !has_plan(&staging)?)
}

/// The staging area of an output directory, held open; `None` if there is none.
///
/// # Errors
/// `Error::OutputInTheWay` if it is not a directory, or a link to one.
pub(crate) fn staging_of(root: &Place) -> Result<Option<Place>> {
    let staging = root.join(STAGING);
    if root.is_remote() {
        return Ok(Some(staging));
    }
    match staging.held_open() {
        Ok(staging) => Ok(Some(staging)),
        Err(e) => match entry(&staging)? {
            None => Ok(None),
            Some(found) if found.is_directory() => Err(failed(staging.display())(e)),
            Some(found) => Err(in_place_of_staging(&staging, found.kind)),
        },
    }
}

/// The error if something else is where the staging area goes.
fn in_place_of_staging(staging: &Place, kind: Kind) -> Error {
    let what = match kind {
        Kind::Link => "is a link, which is not followed; remove it",
        _ => "is not a directory of this program; remove it, or name another directory",
    };
    Error::OutputInTheWay(format!("{}: {what}", staging.display()))
}

/// Refuses an output directory that already holds something, before anything is created.
///
/// # Errors
/// `Error::OutputInTheWay` with what is there.
pub(crate) fn check(root: &Path, overwrite: bool) -> Result<()> {
    let in_the_way = |what: &str| Err(Error::OutputInTheWay(format!("{}: {what}", root.display())));
    if store::is_remote(root) {
        return objects::check(root, overwrite);
    }
    let metadata = match std::fs::metadata(root) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return match std::fs::symlink_metadata(root) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(e) => Err(failed(root.display())(e)),
                Ok(_) => in_the_way("is a link to nothing; name a directory for the output"),
            };
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => {
            return in_the_way("a part of it is a file; name a directory for the output");
        }
        Err(e) => return Err(failed(root.display())(e)),
        Ok(metadata) => metadata,
    };
    if !metadata.is_dir() {
        return in_the_way("is a file; name a directory for the output");
    }
    check_directory(&Place::to_write(root).map_err(failed(root.display()))?, overwrite)
}

fn check_directory(root: &Place, overwrite: bool) -> Result<()> {
    let in_the_way = |what: String| Err(Error::OutputInTheWay(format!("{}: {what}", root.display())));
    // A run that was stopped while making its dataset visible is finished first; then this is checked again.
    if is_merged(root)? {
        return Ok(());
    }
    if holds_dataset(root)? {
        return if overwrite { Ok(()) } else { in_the_way("holds a dataset; --overwrite replaces it".into()) };
    }
    // Only the parts of a dataset are replaced; anything else with such a name is somebody else's.
    for name in NAMED_OUTPUTS {
        if is_there(&root.join(name))? {
            return in_the_way(format!("{name} in it belongs to no dataset of this program; name another directory"));
        }
    }
    if overwrite || is_there(&root.join(STAGING))? {
        return Ok(());
    }
    match root.names().map_err(failed(root.display()))?.is_empty() {
        true => Ok(()),
        false => in_the_way(
            "is not empty; name a new directory, or put the dataset beside what is there with --overwrite".into(),
        ),
    }
}

/// Whether a complete dataset of this program is there.
pub(crate) fn holds_dataset(root: &Place) -> Result<bool> {
    document_in(root).map(|document| document.is_some())
}

/// Removes the lock of a complete dataset, unless somebody holds it, and the staging area if that leaves it empty.
pub(crate) fn remove_lock(root: &Path) -> Result<()> {
    if let Some(place) = find_root(root)?.filter(|place| !place.is_remote())
        && is_there(&place.join(STAGING).join(lock::LOCK))?
        && let Ok(area) = LocalArea::open(root, Vec::new(), 0o666)
    {
        area.leave();
    }
    Ok(())
}

impl Output {
    /// Creates the directory and its staging area and locks it against other imports. `file_mode`: permissions of new
    /// files, before the umask.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` as in [`check`], for what another import completed since then.
    pub fn open(root: &Path, overwrite: bool, file_mode: u32) -> Result<Self> {
        if store::is_remote(root) {
            check(root, overwrite)?;
            let root = Place::to_write(root).map_err(failed(root.display()))?;
            return Ok(Self { area: Box::new(ObjectArea::new(root)) });
        }
        let area = LocalArea::create(root, file_mode)?;
        if let Err(in_the_way) = check_directory(area.root(), overwrite) {
            area.leave();
            area.remove_created();
            return Err(in_the_way);
        }
        Ok(Self { area: Box::new(area) })
    }

    /// Where the dataset goes.
    pub fn root(&self) -> &Place {
        self.area.root()
    }

    /// See [`Area::lock`].
    pub fn lock(&self) -> Option<&File> {
        self.area.lock()
    }

    /// A warning about how other imports are kept away, if there is one.
    pub fn warning(&self) -> Option<String> {
        self.area.warning()
    }

    /// The staging area in it.
    pub fn staging(&self) -> Place {
        self.area.staging().clone()
    }

    /// Where the plan is.
    pub fn plan_file(&self) -> Place {
        self.area.staging().join(PLAN)
    }

    /// See [`Area::dataset`].
    pub fn dataset(&self) -> Place {
        self.area.dataset()
    }

    /// See [`Area::document`].
    pub fn document(&self) -> Result<Place> {
        self.area.document()
    }

    /// The earlier work on the import that `plan` describes; its plan may cut the segments differently.
    ///
    /// # Errors
    /// As [`Staged::find`].
    pub fn find(&self, plan: &Plan) -> Result<Option<Staged>> {
        Ok(Staged::find(self.root())?.filter(|earlier| plan.makes_the_same_as(&earlier.plan)))
    }

    /// Whether a header contradicts the plan, which was made from a few others.
    pub fn wants_scan(&self) -> Result<bool> {
        grid_files::wants_scan(&self.staging())
    }

    /// Whether there are segment records of any plan. Links are not followed.
    pub fn has_finished_segments(&self) -> Result<bool> {
        if self.root().is_remote() {
            return Ok(false);
        }
        let staging = self.area.staging();
        for name in staging.names().map_err(failed(staging.display()))? {
            let directory = staging.join(name);
            if entry(&directory)?.is_some_and(|entry| entry.is_directory())
                && is_there(&SegmentPaths::in_directory(directory).record)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// See [`Area::start`].
    pub fn start(&self, plan: &Plan) -> Result<()> {
        let staging = self.staging();
        self.area.start(plan)?;
        grid_files::write_map(plan, &staging)?;
        grid_files::write(plan, &staging)?;
        match plan.scratch.0.as_ref().and_then(|scratch| scratch.spilled.as_ref()) {
            Some(spilled) => spilled.mark(&staging),
            None => Ok(()),
        }
    }

    /// Puts what workers need besides the plan into the staging area, where an interrupted run did not.
    pub fn complete(&self, plan: &Plan) -> Result<()> {
        let staging = self.staging();
        if !grid_files::has_map(plan, &staging)? {
            grid_files::write_map(plan, &staging)?;
        }
        if plan.target.grid().is_none() || grid_files::are_there(&staging)? {
            return Ok(());
        }
        grid_files::write(plan, &staging)
    }

    /// See [`Area::forget`].
    pub fn forget(&self) -> Result<()> {
        self.area.forget()
    }

    /// See [`Area::write_plan`].
    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        self.area.write_plan(plan)
    }

    /// See [`Area::sync_plan`].
    pub fn sync_plan(&self) -> Result<()> {
        self.area.sync_plan()
    }

    /// See [`Area::sync`].
    pub fn sync(&self, cancel: &CancelHandle) -> Result<()> {
        self.area.sync(cancel)
    }

    /// Makes the merged dataset visible, replacing an existing one. `durable`: each step is synced before the next one
    /// relies on it.
    ///
    /// Returns what to report once the dataset is visible: that the staging area could not be emptied.
    ///
    /// # Errors
    /// `Error::Failed` if the dataset did not become visible; the staging area then holds everything needed to
    /// continue.
    pub fn commit(self, durable: bool) -> Result<Option<String>> {
        let commit = Commit::new(&self.document()?, self.root())?;
        self.area.mark_merged(&commit, durable)?;
        let left = self.finish_commit(durable, &commit)?;
        self.area.leave();
        Ok(left)
    }

    /// Completes a commit that may have been interrupted at any point, and empties the staging area; see
    /// [`Self::is_merged`].
    ///
    /// # Errors
    /// As [`Self::commit`], and if the staging area cannot be emptied.
    pub fn resume_commit(&self, durable: bool) -> Result<()> {
        let commit = Commit::read(&self.area.staging().join(MERGED), &self.document()?, self.root())?;
        if durable {
            // The interrupted run may have been one without syncing.
            self.area.sync_parts(&commit)?;
        }
        self.finish_commit(durable, &commit)?.map_or(Ok(()), |left| Err(Error::Failed(left)))
    }

    /// As [`Self::commit`], continuing from any step.
    fn finish_commit(&self, durable: bool, commit: &Commit) -> Result<Option<String>> {
        self.area.publish(durable, commit)?;
        let clear = || match document_in(self.root())? {
            Some(_) => self.area.clear(),
            None => Err(Error::Failed(format!("{}: is not there", self.root().join(commit.mark()).display()))),
        };
        // Tried twice, since the failure may pass, and what is left would be work for the user.
        let cleared = clear().or_else(|_| clear());
        Ok(cleared.err().map(|e| format!("the dataset is complete, but its staging area could not be emptied: {e}")))
    }

    /// See [`is_merged`].
    pub fn is_merged(&self) -> Result<bool> {
        is_merged(self.root())
    }

    /// See [`Area::discard`].
    pub fn discard(self) -> Result<()> {
        self.area.discard()
    }

    /// Number of finished segments in the staging area.
    pub fn n_finished(&self, plan: &Plan) -> Result<usize> {
        if self.root().is_remote() {
            return Ok(objects::records(self.area.staging(), plan)?.len());
        }
        local::n_recorded(plan, self.area.staging())
    }
}

/// Whether a run has merged the dataset and was stopped while making it visible, or is still doing that.
pub(crate) fn is_merged(root: &Place) -> Result<bool> {
    match staging_of(root)? {
        Some(staging) => is_there(&staging.join(MERGED)),
        None => Ok(false),
    }
}

/// Whether there is a plan in a staging area.
pub(crate) fn has_plan(staging: &Place) -> Result<bool> {
    is_there(&staging.join(PLAN))
}

/// The plan in a staging area.
pub(crate) fn plan_in(staging: &Place) -> Place {
    staging.join(PLAN)
}

#[cfg(test)]
mod tests;

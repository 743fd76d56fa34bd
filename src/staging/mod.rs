//! The output directory: refusing what is in the way, the staging area, and making a complete dataset visible.
//!
//! Everything is built in `<output>/.segy-import/`. The named outputs appear by rename once they are complete,
//! `metadata.json` last: it is the commit mark. What differs between a directory ([`local`]) and an object store
//! ([`objects`]) is behind one trait, [`Area`].

pub mod attempt;
mod local;
mod lock;
mod objects;
mod record;
mod segment_paths;

use std::fs::File;
use std::path::Path;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset::document::Document;
use crate::dataset_files::{METADATA, NAMED_OUTPUTS};
use crate::plan::Plan;
use crate::store::files::{entry, is_there};
use crate::store::place::{Kind, is_absence};
use crate::store::{self, Place};
use local::LocalArea;
use objects::ObjectArea;

pub use record::SegmentRecord;
pub use segment_paths::SegmentPaths;

/// Name of the staging area in the output directory.
pub const STAGING: &str = ".segy-import";
/// Name of the mark in the staging area that the dataset has been put together and becomes visible.
const MERGED: &str = "merged";
/// Name of the plan in the staging area.
const PLAN: &str = "plan.json";

/// What a staging area does in its own way in a directory and in an object store.
trait Area {
    fn root(&self) -> &Place;
    fn staging(&self) -> &Place;
    /// Where the dataset is put together.
    fn dataset(&self) -> Place;
    /// Where its document is until all the rest has its place.
    fn document(&self) -> Place;
    /// The lock, where there are locks. Whoever inherits it keeps other imports away as long as it lives.
    fn lock(&self) -> Option<&File>;
    /// What there is to say of how imports are kept apart.
    fn warning(&self) -> Option<String> {
        None
    }
    /// Empties the staging area and puts the plan in it.
    fn start(&self, plan: &Plan) -> Result<()>;
    /// Puts the plan in the place of one that is there.
    fn write_plan(&self, plan: &Plan) -> Result<()>;
    /// Removes a plan that is not to be followed, and all that was done of it, if [`Self::start`] does not.
    fn forget(&self) -> Result<()>;
    /// Brings the plan to the disk, with the names of the directories that it lies in.
    fn sync_plan(&self) -> Result<()>;
    /// Brings the dataset that has been put together to the disk, before any of it gets its name.
    fn sync(&self, cancel: &CancelHandle) -> Result<()>;
    /// Says durably that the dataset has been put together.
    fn mark_merged(&self, durable: bool) -> Result<()>;
    /// Brings what an interrupted run was making visible to the disk.
    fn sync_parts(&self) -> Result<()>;
    /// Gives everything the dataset consists of its name, from any step on, and sees that it is there.
    fn publish(&self, durable: bool, parts: &[&'static str]) -> Result<()>;
    /// Empties the staging area. Whatever the moment of an interruption, what is left is not taken for finished work: without
    /// a dataset being committed the plan goes first, and with one the mark goes last.
    fn clear(&self) -> Result<()>;
    /// Removes the staging area unless there is work in it.
    fn leave(&self);
    /// Removes all that this import made.
    fn discard(&self) -> Result<()>;
}

/// An output directory that this process alone writes to.
pub struct Output {
    area: Box<dyn Area>,
}

/// A plan in a staging area, and what is done of it.
pub struct Staged {
    pub plan: Plan,
    /// The records of the segments that are done.
    pub done: Vec<SegmentRecord>,
    /// Segments that were done, but may be lost, as the computer was restarted before they reached the disk.
    pub n_lost: usize,
}

impl Staged {
    /// What an output directory holds of a plan. `None` if there is no plan.
    ///
    /// # Errors
    /// `Error::Failed` for a plan that cannot be followed, `Error::OutputInTheWay` for links: this program makes none, and
    /// one that is there leads to somebody else's files.
    pub fn find(root: &Place) -> Result<Option<Self>> {
        let Some(staging) = staging_of(root)? else { return Ok(None) };
        if !has_plan(&staging)? {
            return Ok(None);
        }
        if root.is_remote() {
            let plan = Plan::read(&staging.join(PLAN))?;
            let mut done = objects::records(&staging, &plan)?;
            done.retain(|record| record.fits(&plan));
            return Ok(Some(Self { plan, done, n_lost: 0 }));
        }
        if local::holds_links(&staging)? {
            let what = "holds links, and nothing is taken from where they lead; remove it";
            return Err(Error::OutputInTheWay(format!("{}: {what}", staging.display())));
        }
        let plan = Plan::read(&staging.join(PLAN))?;
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
/// `Error::Usage` for an address that is not written as it has to be, `Error::Failed` where it cannot be opened.
pub fn find_root(root: &Path) -> Result<Option<Place>> {
    store::check_address(root)?;
    match Place::to_write(root) {
        Ok(place) => Ok(Some(place)),
        Err(e) if is_absence(&e) => Ok(None),
        Err(e) => Err(failed(root.display())(e)),
    }
}

/// The staging area of an output directory, held open; `None` if there is none.
///
/// # Errors
/// `Error::OutputInTheWay` for what is no directory, or a link to one.
pub fn staging_of(root: &Place) -> Result<Option<Place>> {
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

/// The error for what is in the place of the staging area.
fn in_place_of_staging(staging: &Place, kind: Kind) -> Error {
    let what = match kind {
        Kind::Link => "is a link, and nothing is written to where it leads; remove it",
        _ => "is no directory of this program; remove it, or name another directory",
    };
    Error::OutputInTheWay(format!("{}: {what}", staging.display()))
}

/// Refuses an output directory that holds something, before anything is created.
///
/// # Errors
/// `Error::OutputInTheWay` with what is there.
pub fn check(root: &Path, overwrite: bool) -> Result<()> {
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
    // A run that was stopped while its dataset became visible is brought to its end first, and then looked at again.
    if is_merged(root)? {
        return Ok(());
    }
    if holds_dataset(root)? {
        return if overwrite { Ok(()) } else { in_the_way("holds a dataset; --overwrite replaces it".into()) };
    }
    // Only the parts of a dataset are replaced; what else has such a name belongs to somebody.
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
pub fn holds_dataset(root: &Place) -> Result<bool> {
    Document::is_at(&root.join(METADATA))
}

/// Removes the lock of a dataset that is complete, unless somebody holds it, with the staging area if that is empty then.
pub fn remove_lock(root: &Path) -> Result<()> {
    if let Some(place) = find_root(root)?.filter(|place| !place.is_remote())
        && is_there(&place.join(STAGING).join(lock::LOCK))?
        && let Ok(area) = LocalArea::open(root, Vec::new(), 0o666)
    {
        area.leave();
    }
    Ok(())
}

impl Output {
    /// Makes the directory and its staging area and locks it against another import. New files get these permissions, before
    /// the umask.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` as [`check`] does, for what another import completed since that was asked.
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

    /// What there is to say of how other imports are kept away.
    pub fn warning(&self) -> Option<String> {
        self.area.warning()
    }

    /// The staging area in it.
    pub fn staging(&self) -> Place {
        self.area.staging().clone()
    }

    /// Where the plan is kept.
    pub fn plan_file(&self) -> Place {
        self.area.staging().join(PLAN)
    }

    /// See [`Area::dataset`].
    pub fn dataset(&self) -> Place {
        self.area.dataset()
    }

    /// See [`Area::document`].
    pub fn document(&self) -> Place {
        self.area.document()
    }

    /// What is there of the import that `plan` describes; an earlier plan may have cut it differently.
    ///
    /// # Errors
    /// As [`Staged::find`].
    pub fn find(&self, plan: &Plan) -> Result<Option<Staged>> {
        Ok(Staged::find(self.root())?.filter(|earlier| plan.makes_the_same_as(&earlier.plan)))
    }

    /// Whether there are records of segments, whatever plan they belong to. Nothing is looked for where links lead.
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
        self.area.start(plan)
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

    /// Makes the dataset that has been put together visible, in the place of one that is there. `durable`: each step is on
    /// the disk before the one that relies on it.
    ///
    /// Returns what is left to be told once the dataset is visible: that the staging area could not be emptied.
    ///
    /// # Errors
    /// `Error::Failed` where the dataset did not become visible; the staging area then holds all that is needed to go on.
    pub fn commit(self, durable: bool) -> Result<Option<String>> {
        self.area.mark_merged(durable)?;
        let left = self.finish_commit(durable)?;
        self.area.leave();
        Ok(left)
    }

    /// Brings a commit to its end that may have been interrupted anywhere, and empties the staging area; see
    /// [`Self::is_merged`].
    ///
    /// # Errors
    /// As [`Self::commit`], and where the staging area cannot be emptied.
    pub fn resume_commit(&self, durable: bool) -> Result<()> {
        if durable {
            // The run that was interrupted may have been one without.
            self.area.sync_parts()?;
        }
        self.finish_commit(durable)?.map_or(Ok(()), |left| Err(Error::Failed(left)))
    }

    /// As [`Self::commit`], from any step on.
    fn finish_commit(&self, durable: bool) -> Result<Option<String>> {
        self.area.publish(durable, &self.parts()?)?;
        let clear = || match is_there(&self.root().join(METADATA))? {
            true => self.area.clear(),
            false => Err(Error::Failed(format!("{}: is not there", self.root().join(METADATA).display()))),
        };
        // Twice, as what goes wrong may pass: what is left is nothing but work for the user.
        let cleared = clear().or_else(|_| clear());
        Ok(cleared.err().map(|e| format!("the dataset is complete, but its staging area could not be emptied: {e}")))
    }

    /// What the dataset that has been put together consists of, in the order in which it appears. Its document tells, which
    /// is the last to be moved.
    fn parts(&self) -> Result<Vec<&'static str>> {
        let (unmoved, moved) = (self.document(), self.root().join(METADATA));
        let place = if is_there(&unmoved)? { unmoved } else { moved };
        let files = Document::read(&place).map_err(|e| Error::Failed(e.to_string()))?.checksums;
        let has = |name: &str| files.keys().any(|file| Path::new(file).starts_with(name));
        Ok(NAMED_OUTPUTS.into_iter().filter(|name| *name == METADATA || has(name)).collect())
    }

    /// See [`is_merged`].
    pub fn is_merged(&self) -> Result<bool> {
        is_merged(self.root())
    }

    /// See [`Area::discard`].
    pub fn discard(self) -> Result<()> {
        self.area.discard()
    }

    /// Finished segments in the staging area.
    pub fn n_finished(&self, plan: &Plan) -> Result<usize> {
        if self.root().is_remote() {
            return Ok(objects::records(self.area.staging(), plan)?.len());
        }
        local::n_recorded(plan, self.area.staging())
    }
}

/// Whether a run put the dataset together and was stopped while it became visible, or is still at that.
pub fn is_merged(root: &Place) -> Result<bool> {
    match staging_of(root)? {
        Some(staging) => is_there(&staging.join(MERGED)),
        None => Ok(false),
    }
}

/// Whether there is a plan in a staging area.
pub fn has_plan(staging: &Place) -> Result<bool> {
    is_there(&staging.join(PLAN))
}

/// The plan in a staging area.
pub fn plan_in(staging: &Place) -> Place {
    staging.join(PLAN)
}

//! The output directory: refusing what is in the way, the staging area, and making a complete dataset visible.
//!
//! Everything is built in `<output>/.segy-import/`. The named outputs appear by rename once they are complete,
//! `metadata.json` last: it is the commit mark. In an object store, see [`objects`].

pub mod attempt;
mod objects;
mod record;
mod segment_paths;

pub use record::SegmentRecord;
pub use segment_paths::SegmentPaths;

use std::fs::{self, File, Metadata, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset::document::Document;
use crate::dataset_files::{METADATA, NAMED_OUTPUTS};
use crate::plan::Plan;
use crate::staging::attempt::finished;
use crate::store;
use crate::store::files::{entry, is_absence, is_link, is_there, move_to, remove, write_json};
use crate::store::sync::{sync, sync_parent, sync_tree};

/// Name of the staging area in the output directory.
pub const STAGING: &str = ".segy-import";
/// Name of the mark in the staging area that the dataset has been put together and becomes visible.
const MERGED: &str = "merged";
/// Name of the file in the staging area that the process holds that writes here.
const LOCK: &str = "lock";
/// An output directory that this process alone writes to.
pub struct Output {
    root: PathBuf,
    /// The directories that were made for it, the outermost first.
    created: Vec<PathBuf>,
    /// Held as long as the directory is written to. There is none in an object store.
    lock: Option<File>,
    /// In an object store: whether this import has put the plan there that it follows.
    is_mine: AtomicBool,
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
    pub fn find(root: &Path) -> Result<Option<Self>> {
        store::check_address(root)?;
        let staging = root.join(STAGING);
        if !has_plan(&staging)? {
            return Ok(None);
        }
        if store::is_remote(root) {
            let plan = Plan::read(&plan_in(&staging))?;
            let mut done = objects::records(&staging, &plan)?;
            done.retain(|record| record.fits(&plan));
            return Ok(Some(Self { plan, done, n_lost: 0 }));
        }
        if is_link(&staging)? || holds_links(&staging)? {
            let what = "holds links, and nothing is taken from where they lead; remove it";
            return Err(Error::OutputInTheWay(format!("{}: {what}", staging.display())));
        }
        let plan = Plan::read(&plan_in(&staging))?;
        let ids = || plan.segments.iter().map(|s| s.id);
        let mut done: Vec<SegmentRecord> =
            ids().filter_map(|id| finished(&staging, id).transpose()).collect::<Result<_>>()?;
        let n_lost = n_recorded(&plan, &staging)?.saturating_sub(done.len());
        done.retain(|record| record.fits(&plan));
        Ok(Some(Self { plan, n_lost, done }))
    }
}

/// Refuses an output directory that holds something, before anything is created.
///
/// # Errors
/// `Error::OutputInTheWay` with what is there.
pub fn check(root: &Path, overwrite: bool) -> Result<()> {
    if store::is_remote(root) {
        return objects::check(root, overwrite);
    }
    let path = root.display();
    let in_the_way = |what: String| Err(Error::OutputInTheWay(format!("{path}: {what}")));
    let metadata = match fs::metadata(root) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && is_link(root)? => {
            return in_the_way("is a link to nothing; name a directory for the output".into());
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => {
            return in_the_way("a part of it is a file; name a directory for the output".into());
        }
        Err(e) => return Err(Error::Failed(format!("{path}: {e}"))),
        Ok(metadata) => metadata,
    };
    if !metadata.is_dir() {
        return in_the_way("is a file; name a directory for the output".into());
    }
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
    match fs::read_dir(root).map_err(failed(root.display()))?.next() {
        None => Ok(()),
        Some(_) => in_the_way(
            "is not empty; name a new directory, or put the dataset beside what is there with --overwrite".into(),
        ),
    }
}

/// Whether a complete dataset of this program is there.
pub fn holds_dataset(root: &Path) -> Result<bool> {
    Document::is_at(&root.join(METADATA))
}

/// Removes the lock of a dataset that is complete, unless somebody holds it, with the staging area if that is empty then.
pub fn remove_lock(root: &Path) -> Result<()> {
    let staging = root.join(STAGING);
    if is_there(&staging.join(LOCK))?
        && let Ok(lock) = lock(root, &staging)
    {
        Output::new(root, Vec::new(), Some(lock)).leave_staging();
    }
    Ok(())
}

impl Output {
    /// Makes the directory and its staging area and locks it against another import.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` as [`check`] does, for what another import completed since that was asked.
    pub fn open(root: &Path, overwrite: bool) -> Result<Self> {
        if store::is_remote(root) {
            check(root, overwrite)?;
            return Ok(Self::new(root, Vec::new(), None));
        }
        let created = missing_directories(root)?;
        let staging = root.join(STAGING);
        let lock = lock(root, &staging).inspect_err(|_| remove_directories(&created))?;
        let output = Self::new(root, created, Some(lock));
        if let Err(in_the_way) = check(root, overwrite) {
            output.leave_staging();
            remove_directories(&output.created);
            return Err(in_the_way);
        }
        Ok(output)
    }

    fn new(root: &Path, created: Vec<PathBuf>, lock: Option<File>) -> Self {
        Self { root: root.to_owned(), created, lock, is_mine: AtomicBool::new(false) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The lock. Whoever inherits it keeps other imports away as long as it lives.
    pub fn lock(&self) -> Option<&File> {
        self.lock.as_ref()
    }

    fn is_remote(&self) -> bool {
        store::is_remote(&self.root)
    }

    pub fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    pub fn plan_file(&self) -> PathBuf {
        plan_in(&self.staging())
    }

    /// Where the dataset is put together.
    pub fn dataset(&self) -> PathBuf {
        if self.is_remote() { self.root.clone() } else { self.staging().join("dataset") }
    }

    /// Where its document is until all the rest has its place.
    pub fn document(&self) -> PathBuf {
        if self.is_remote() { self.staging().join(METADATA) } else { self.dataset().join(METADATA) }
    }

    fn merged_mark(&self) -> PathBuf {
        merged_mark(&self.root)
    }

    /// What is there of the import that `plan` describes; an earlier plan may have cut it differently.
    ///
    /// # Errors
    /// As [`Staged::find`].
    pub fn find(&self, plan: &Plan) -> Result<Option<Staged>> {
        Ok(Staged::find(&self.root)?.filter(|earlier| plan.makes_the_same_as(&earlier.plan)))
    }

    /// Whether there are records of segments, whatever plan they belong to. Nothing is looked for where links lead.
    pub fn has_finished_segments(&self) -> Result<bool> {
        let staging = self.staging();
        if !entry(&staging)?.is_some_and(|metadata| metadata.is_dir()) {
            return Ok(false);
        }
        for directory in fs::read_dir(&staging).map_err(failed(staging.display()))? {
            let directory = directory.map_err(failed(staging.display()))?.path();
            if entry(&directory)?.is_some_and(|metadata| metadata.is_dir())
                && is_there(&SegmentPaths::in_directory(directory).record)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Empties the staging area and puts the plan in it.
    pub fn start(&self, plan: &Plan) -> Result<()> {
        if self.is_remote() {
            return objects::start(self, plan);
        }
        self.clear_staging()?;
        attempt::open(&self.staging())?;
        self.write_plan(plan)
    }

    /// Removes a plan that is not to be followed, and all that was done of it. In a directory, [`Self::start`] does.
    pub fn forget(&self) -> Result<()> {
        if self.is_remote() { self.clear_staging() } else { Ok(()) }
    }

    /// Puts the plan in the place of one that is there.
    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        if self.is_remote() {
            return write_json(&self.plan_file(), plan);
        }
        let unfinished = self.staging().join("plan.json.part");
        write_json(&unfinished, plan)?;
        move_to(&unfinished, &self.plan_file())
    }

    /// Brings the plan to the disk, with the names of the directories that it lies in.
    pub fn sync_plan(&self) -> Result<()> {
        if self.is_remote() {
            return Ok(());
        }
        [self.plan_file(), self.staging(), self.root.clone()].iter().try_for_each(|path| sync(path))?;
        self.created.iter().try_for_each(|directory| sync_parent(directory))
    }

    /// Brings the dataset that has been put together to the disk, before any of it gets its name.
    pub fn sync(&self, cancel: &CancelHandle) -> Result<()> {
        if self.is_remote() { Ok(()) } else { sync_tree(&self.dataset(), cancel) }
    }

    /// Makes the dataset that has been put together visible, in the place of one that is there. `durable`: each step is on
    /// the disk before the one that relies on it.
    ///
    /// Returns what is left to be told once the dataset is visible: that the staging area could not be emptied.
    ///
    /// # Errors
    /// `Error::Failed` where the dataset did not become visible; the staging area then holds all that is needed to go on.
    pub fn commit(self, durable: bool) -> Result<Option<String>> {
        store::write(&self.merged_mark(), &[]).map_err(failed(self.merged_mark().display()))?;
        if durable && !self.is_remote() {
            [self.merged_mark(), self.staging(), self.root.clone()].iter().try_for_each(|path| sync(path))?;
            self.created.iter().try_for_each(|directory| sync_parent(directory))?;
        }
        let left = self.finish_commit(durable)?;
        self.leave_staging();
        Ok(left)
    }

    /// Brings a commit to its end that may have been interrupted anywhere, and empties the staging area; see
    /// [`Self::is_merged`].
    ///
    /// # Errors
    /// As [`Self::commit`], and where the staging area cannot be emptied.
    pub fn resume_commit(&self, durable: bool) -> Result<()> {
        if durable && !self.is_remote() {
            // The run that was interrupted may have been one without.
            for part in
                [self.dataset(), self.root.clone()].iter().flat_map(|place| NAMED_OUTPUTS.map(|n| place.join(n)))
            {
                if is_there(&part)? {
                    sync_tree(&part, &CancelHandle::new())?;
                }
            }
        }
        match self.finish_commit(durable)? {
            Some(left) => Err(Error::Failed(left)),
            None => Ok(()),
        }
    }

    /// As [`Self::commit`], from any step on.
    fn finish_commit(&self, durable: bool) -> Result<Option<String>> {
        if self.is_remote() {
            objects::finish_commit(self)?;
        } else {
            self.place_outputs(durable)?;
        }
        let clear = || match is_there_or_object(&self.root.join(METADATA))? {
            true => self.clear_staging(),
            false => Err(Error::Failed(format!("{}: is not there", self.root.join(METADATA).display()))),
        };
        // Twice, as what goes wrong may pass: what is left is nothing but work for the user.
        let cleared = clear().or_else(|_| clear());
        Ok(cleared.err().map(|e| format!("the dataset is complete, but its staging area could not be emptied: {e}")))
    }

    /// Moves what the dataset consists of from the staging area to its place, and sees that all of it is there.
    fn place_outputs(&self, durable: bool) -> Result<()> {
        let (dataset, old) = (self.dataset(), self.staging().join("old"));
        fs::create_dir_all(&old).map_err(failed(old.display()))?;
        let parts = self.parts()?;
        let mut new = Vec::new();
        // Without its commit mark the old dataset is none from here on.
        for name in NAMED_OUTPUTS.into_iter().rev() {
            let part = entry(&dataset.join(name))?;
            let is_replaced = part.is_some() || !parts.contains(&name);
            if is_replaced && is_there(&self.root.join(name))? {
                remove(&old.join(name))?;
                move_to(&self.root.join(name), &old.join(name))?;
            }
            new.extend(part.map(|part| (name, part)));
        }
        for (name, _) in new.iter().rev() {
            // The commit mark must not be there without all the rest.
            if *name == METADATA {
                self.check_parts(parts.iter().copied().filter(|name| *name != METADATA), &new)?;
                if durable {
                    sync(&self.root)?;
                }
            }
            move_to(&dataset.join(name), &self.root.join(name))?;
        }
        if durable {
            sync(&self.root)?;
        }
        Ok(())
    }

    /// Sees that the parts of the dataset are in their places: those that were moved just now as the same files and
    /// directories, of the same size.
    fn check_parts<'a>(
        &self,
        mut parts: impl Iterator<Item = &'a str>,
        new: &[(&'static str, Metadata)],
    ) -> Result<()> {
        let id = |metadata: &Metadata| (metadata.dev(), metadata.ino(), metadata.is_dir(), metadata.len());
        parts.try_for_each(|name| {
            let place = self.root.join(name);
            let found = entry(&place)?;
            let what = match (&found, new.iter().find(|(new, _)| *new == name)) {
                (None, _) => "is not there",
                (Some(found), Some((_, moved))) if id(found) != id(moved) => "is not what was moved there",
                (Some(_), _) => return Ok(()),
            };
            let staging = self.staging();
            Err(Error::Failed(format!("{}: {what}; the dataset stays in {}", place.display(), staging.display())))
        })
    }

    /// Empties the staging area but for the lock. Whatever the moment of an interruption, what is left is not taken for
    /// finished work: without a dataset being committed the plan goes first, and with one the mark goes last.
    fn clear_staging(&self) -> Result<()> {
        if self.is_remote() {
            return objects::clear_staging(self);
        }
        let merged = self.is_merged()?;
        if !merged {
            remove(&self.plan_file())?;
        }
        attempt::close(&self.staging())?;
        let entries = fs::read_dir(self.staging()).map_err(failed(self.staging().display()))?;
        for entry in entries {
            let path = entry.map_err(failed(self.staging().display()))?.path();
            let kept = [Some(LOCK), Some(MERGED), merged.then_some("plan.json")];
            if !kept.iter().flatten().any(|k| path.ends_with(k)) {
                remove(&path)?;
            }
        }
        remove(&self.plan_file())?;
        remove(&self.merged_mark())
    }

    /// What the dataset that has been put together consists of, in the order in which it appears. Its document tells, which
    /// is the last to be moved.
    fn parts(&self) -> Result<Vec<&'static str>> {
        let (unmoved, moved) = (self.document(), self.root.join(METADATA));
        let place = if is_there_or_object(&unmoved)? { unmoved } else { moved };
        let files = Document::read(&place).map_err(|e| Error::Failed(e.to_string()))?.checksums;
        let has = |name: &str| files.keys().any(|file| Path::new(file).starts_with(name));
        Ok(NAMED_OUTPUTS.into_iter().filter(|name| *name == METADATA || has(name)).collect())
    }

    /// See [`is_merged`].
    pub fn is_merged(&self) -> Result<bool> {
        is_merged(&self.root)
    }

    /// Removes all that this import made.
    pub fn discard(self) -> Result<()> {
        if self.is_remote() {
            return objects::discard(&self);
        }
        self.clear_staging()?;
        self.leave_staging();
        remove_directories(&self.created);
        Ok(())
    }

    /// Removes the staging area unless there is work in it. Another import may hold it from the moment on when the name of
    /// the lock is gone, and then keeps the directory.
    fn leave_staging(&self) {
        if self.is_remote() {
            return;
        }
        let is_empty = |entries: fs::ReadDir| entries.flatten().all(|e| e.file_name() == LOCK);
        if fs::read_dir(self.staging()).is_ok_and(is_empty) {
            let _ = fs::remove_file(self.staging().join(LOCK));
            let _ = fs::remove_dir(self.staging());
        }
    }

    /// Finished segments in the staging area.
    pub fn n_finished(&self, plan: &Plan) -> Result<usize> {
        if self.is_remote() {
            return Ok(objects::records(&self.staging(), plan)?.len());
        }
        n_recorded(plan, &self.staging())
    }
}

/// Segments of a plan that have records in a staging area, not in an object store.
fn n_recorded(plan: &Plan, staging: &Path) -> Result<usize> {
    let has_record = |id: u32| is_there(&SegmentPaths::new(staging, id).record);
    plan.segments.iter().try_fold(0, |n, segment| Ok(n + usize::from(has_record(segment.id)?)))
}

/// The directories on the way to an output directory, and that one, that are not there, the outermost first.
fn missing_directories(root: &Path) -> Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for directory in root.ancestors().take_while(|a| !a.as_os_str().is_empty()) {
        if is_there(directory)? {
            break;
        }
        missing.insert(0, directory.to_owned());
    }
    Ok(missing)
}

fn merged_mark(root: &Path) -> PathBuf {
    root.join(STAGING).join(MERGED)
}

/// Whether a run put the dataset together and was stopped while it became visible, or is still at that.
pub fn is_merged(root: &Path) -> Result<bool> {
    is_there_or_object(&merged_mark(root))
}

/// Whether there is a file, or an object in an object store.
fn is_there_or_object(path: &Path) -> Result<bool> {
    store::is_file(path).map_err(failed(path.display()))
}

/// Whether there is a plan in a staging area.
pub fn has_plan(staging: &Path) -> Result<bool> {
    is_there_or_object(&plan_in(staging))
}

/// The plan in a staging area.
pub fn plan_in(staging: &Path) -> PathBuf {
    staging.join("plan.json")
}

/// Makes the staging area and takes its lock.
fn lock(root: &Path, staging: &Path) -> Result<File> {
    // An import that ends removes lock and directory, at any moment between these steps; and the workers of one that was
    // killed hold it until they have noticed.
    const ATTEMPTS: usize = 100;
    const PAUSE: Duration = Duration::from_millis(10);
    let mut is_held = false;
    let path = staging.join(LOCK);
    for _ in 0..ATTEMPTS {
        if is_link(staging)? {
            let what = "is a link, and nothing is written to where it leads; remove it";
            return Err(Error::OutputInTheWay(format!("{}: {what}", staging.display())));
        }
        let file = match fs::create_dir_all(staging).and_then(|()| open_lock(&path)) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && is_there(root)? => continue,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && !is_there(staging)? => continue,
            Err(e) => return Err(Error::Failed(format!("{}: cannot be written to: {e}", root.display()))),
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, &path)? => return Ok(file),
            // The lock of an import that has ended; it guards nothing any more.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                is_held = true;
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::Error(e)) => {
                let _ = fs::remove_file(&path);
                let _ = fs::remove_dir(staging);
                return Err(Error::Failed(format!("{}: cannot be locked: {e}", root.display())));
            }
        }
    }
    let what = if is_held { "another import is writing here" } else { "other imports come and go here all the time" };
    Err(Error::OutputInTheWay(format!("{}: {what}", root.display())))
}

/// Opens or makes the lock file; what a link in its place leads to is left alone.
fn open_lock(path: &Path) -> std::io::Result<File> {
    let no_links = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    File::options().write(true).create(true).truncate(false).custom_flags(no_links).open(path)
}

/// Whether there is a link anywhere below a directory.
fn holds_links(directory: &Path) -> Result<bool> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        // Workers remove what they have given up.
        Err(e) if is_absence(&e) => return Ok(false),
        Err(e) => return Err(failed(directory.display())(e)),
    };
    for entry in entries {
        let entry = entry.map_err(failed(directory.display()))?;
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(e) if is_absence(&e) => continue,
            Err(e) => return Err(failed(entry.path().display())(e)),
        };
        if kind.is_symlink() || kind.is_dir() && holds_links(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an open file is the one that a path names.
fn is_at(file: &File, path: &Path) -> Result<bool> {
    let id = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let opened = file.metadata().map_err(failed(path.display()))?;
    Ok(entry(path)?.map(id) == Some(id(opened)))
}

/// Removes directories that are empty, the innermost first.
fn remove_directories(created: &[PathBuf]) {
    for directory in created.iter().rev() {
        // What somebody else put there meanwhile is theirs, and keeps its directory.
        let _ = fs::remove_dir(directory);
    }
}

//! The output directory: refusing what is in the way, the staging area, and making a complete dataset visible.
//!
//! Everything is built in `<output>/.segy-import/`. The named outputs appear by rename once they are complete,
//! `metadata.json` last: it is the commit mark. In an object store, see [`objects`].

mod objects;

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::attempt::{self, finished};
use crate::cancel::CancelHandle;
use crate::durable::{sync, sync_parent, sync_tree};
use crate::error::{Error, Result, failed};
use crate::exceptions::EXCEPTIONS;
use crate::files::{read_json, remove, write_json};
use crate::kept::ORIGINAL;
use crate::plan::Plan;
use crate::protocol::SegmentRecord;
use crate::store;
use crate::worker::SegmentPaths;

/// Name of the staging area in the output directory.
pub const STAGING: &str = ".segy-import";
/// The commit mark.
pub const METADATA: &str = "metadata.json";
/// Name of the mark in the staging area that the dataset has been put together and becomes visible.
const MERGED: &str = "merged";
/// Name of the file in the staging area that the process holds that writes here.
const LOCK: &str = "lock";
/// What a dataset can consist of, in the order in which it appears.
pub const NAMED_OUTPUTS: [&str; 8] =
    ["traces.zarr", "sample", "headers.parquet", "ensemble_index.parquet", EXCEPTIONS, ORIGINAL, "zarr.json", METADATA];

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
        if staging.is_symlink() || holds_links(&staging) {
            let what = "holds links, and nothing is taken from where they lead; remove it";
            return Err(Error::OutputInTheWay(format!("{}: {what}", staging.display())));
        }
        let plan = Plan::read(&plan_in(&staging))?;
        let ids = || plan.segments.iter().map(|s| s.id);
        let mut done: Vec<SegmentRecord> = ids().filter_map(|id| finished(&staging, id)).collect();
        let n_recorded = ids().filter(|id| SegmentPaths::new(&staging, *id).record.exists()).count();
        let n_lost = n_recorded.saturating_sub(done.len());
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
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && root.is_symlink() => {
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
    if is_merged(root) {
        return Ok(());
    }
    if holds_dataset(root) {
        return if overwrite { Ok(()) } else { in_the_way("holds a dataset; --overwrite replaces it".into()) };
    }
    // Only the parts of a dataset are replaced; what else has such a name belongs to somebody.
    if let Some(name) = NAMED_OUTPUTS.iter().find(|name| root.join(name).symlink_metadata().is_ok()) {
        return in_the_way(format!("{name} in it belongs to no dataset of this program; name another directory"));
    }
    if overwrite || root.join(STAGING).exists() {
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
pub fn holds_dataset(root: &Path) -> bool {
    let document = read_json::<serde_json::Value>(&root.join(METADATA));
    document.is_ok_and(|d| d["format"]["name"] == "segy-import")
}

/// Removes the lock of a dataset that is complete, unless somebody holds it, with the staging area if that is empty then.
pub fn remove_lock(root: &Path) {
    let staging = root.join(STAGING);
    if staging.join(LOCK).exists()
        && let Ok(lock) = lock(root, &staging)
    {
        Output::new(root, Vec::new(), Some(lock)).leave_staging();
    }
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
        let missing = root.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.exists());
        let mut created: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        created.reverse();
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
    pub fn find(&self, plan: &Plan) -> Option<Staged> {
        Staged::find(&self.root).ok().flatten().filter(|earlier| plan.makes_the_same_as(&earlier.plan))
    }

    /// Whether there are records of segments, whatever plan they belong to. Nothing is looked for where links lead.
    pub fn has_finished_segments(&self) -> bool {
        let staging = self.staging();
        let is_record = |directory: fs::DirEntry| {
            let is_directory = directory.file_type().is_ok_and(|kind| kind.is_dir());
            is_directory && SegmentPaths::in_directory(directory.path()).record.exists()
        };
        !staging.is_symlink() && fs::read_dir(staging).is_ok_and(|entries| entries.flatten().any(is_record))
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
        if self.is_remote() { objects::clear_staging(self) } else { Ok(()) }
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
    pub fn commit(self, durable: bool) -> Result<()> {
        store::write(&self.merged_mark(), &[]).map_err(failed(self.merged_mark().display()))?;
        if durable && !self.is_remote() {
            [self.merged_mark(), self.staging(), self.root.clone()].iter().try_for_each(|path| sync(path))?;
            self.created.iter().try_for_each(|directory| sync_parent(directory))?;
        }
        self.finish_commit(durable)?;
        self.leave_staging();
        Ok(())
    }

    /// Brings a commit to its end that may have been interrupted anywhere, and empties the staging area; see
    /// [`Self::is_merged`].
    pub fn resume_commit(&self, durable: bool) -> Result<()> {
        if durable && !self.is_remote() {
            // The run that was interrupted may have been one without.
            let places = [&self.dataset(), &self.root];
            let parts = places.into_iter().flat_map(|place| NAMED_OUTPUTS.map(|name| place.join(name)));
            parts.filter(|part| part.exists()).try_for_each(|part| sync_tree(&part, &CancelHandle::new()))?;
        }
        self.finish_commit(durable)
    }

    fn finish_commit(&self, durable: bool) -> Result<()> {
        if self.is_remote() {
            return objects::finish_commit(self);
        }
        let (dataset, old) = (self.dataset(), self.staging().join("old"));
        fs::create_dir_all(&old).map_err(failed(old.display()))?;
        let left_out = self.left_out();
        // Without its commit mark the old dataset is none from here on.
        for name in NAMED_OUTPUTS.iter().rev() {
            let replaced = dataset.join(name).exists() || left_out.contains(name);
            if replaced && self.root.join(name).exists() {
                remove(&old.join(name))?;
                move_to(&self.root.join(name), &old.join(name))?;
            }
        }
        for name in NAMED_OUTPUTS {
            if dataset.join(name).exists() {
                // The commit mark must not be there without all the rest.
                if durable && name == METADATA {
                    sync(&self.root)?;
                }
                move_to(&dataset.join(name), &self.root.join(name))?;
            }
        }
        if durable {
            sync(&self.root)?;
        }
        self.clear_staging()
    }

    /// Empties the staging area but for the lock. Whatever the moment of an interruption, what is left is not taken for
    /// finished work: without a dataset being committed the plan goes first, and with one the mark goes last.
    fn clear_staging(&self) -> Result<()> {
        let merged = self.is_merged();
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

    /// What a dataset can have and the one that has been put together has not, so that the old one's must go. Its document
    /// tells, which is the last to be moved; other parts that are not here may have been moved already.
    fn left_out(&self) -> Vec<&'static str> {
        let Ok(document) = read_json::<serde_json::Value>(&self.document()) else { return Vec::new() };
        let Some(files) = document["checksums"].as_object() else { return Vec::new() };
        let has = |name: &str| files.keys().any(|file| Path::new(file).starts_with(name));
        NAMED_OUTPUTS.into_iter().filter(|name| *name != METADATA && !has(name)).collect()
    }

    /// See [`is_merged`].
    pub fn is_merged(&self) -> bool {
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
    pub fn n_finished(&self, plan: &Plan) -> usize {
        if self.is_remote() {
            return objects::records(&self.staging(), plan).map_or(0, |records| records.len());
        }
        plan.segments.iter().filter(|s| SegmentPaths::new(&self.staging(), s.id).record.exists()).count()
    }
}

fn merged_mark(root: &Path) -> PathBuf {
    root.join(STAGING).join(MERGED)
}

/// Whether a run put the dataset together and was stopped while it became visible, or is still at that.
pub fn is_merged(root: &Path) -> bool {
    // Whoever cannot be asked is asked for more at once, and that fails.
    store::is_file(&merged_mark(root)).unwrap_or(false)
}

/// Whether there is a plan in a staging area.
pub fn has_plan(staging: &Path) -> Result<bool> {
    let plan = plan_in(staging);
    store::is_file(&plan).map_err(failed(plan.display()))
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
        if staging.is_symlink() {
            let what = "is a link, and nothing is written to where it leads; remove it";
            return Err(Error::OutputInTheWay(format!("{}: {what}", staging.display())));
        }
        let file = match fs::create_dir_all(staging).and_then(|()| open_lock(&path)) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && root.exists() => continue,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && !staging.exists() => continue,
            Err(e) => return Err(Error::Failed(format!("{}: cannot be written to: {e}", root.display()))),
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => return Ok(file),
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
fn holds_links(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        entry.file_type().is_ok_and(|kind| kind.is_symlink() || kind.is_dir() && holds_links(&entry.path()))
    })
}

/// Whether an open file is the one that a path names.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata().map(id), fs::metadata(path).map(id)), (Ok(a), Ok(b)) if a == b)
}

/// Removes directories that are empty, the innermost first.
fn remove_directories(created: &[PathBuf]) {
    for directory in created.iter().rev() {
        // What somebody else put there meanwhile is theirs, and keeps its directory.
        let _ = fs::remove_dir(directory);
    }
}

/// Renames a file or directory; both lie on one file system, as the staging area is in the output directory.
pub fn move_to(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(failed(format!("{} cannot be moved to {}", from.display(), to.display())))
}

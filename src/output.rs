//! The output directory: refusing what is in the way, the staging area, and making a complete dataset visible.
//!
//! Everything is built in `<output>/.segy-import/`. The named outputs appear by rename once they are complete,
//! `metadata.json` last: it is the commit mark.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cancel::CancelHandle;
use crate::durable::{sync, sync_parent, sync_tree};
use crate::error::{Error, Result, failed};
use crate::exceptions::EXCEPTIONS;
use crate::files::{read_json, remove, write_json};
use crate::kept::ORIGINAL;
use crate::plan::Plan;
use crate::protocol::SegmentRecord;
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
    /// Held as long as the directory is written to.
    lock: File,
}

/// What an earlier run left of the same import.
pub enum Found {
    Nothing,
    /// It worked before the computer was restarted, and its segments were never synced.
    MayBeLost,
    /// Its plan and the records of its finished segments.
    Segments(Box<Plan>, Vec<SegmentRecord>),
}

/// Refuses an output directory that holds something, before anything is created.
///
/// # Errors
/// `Error::OutputInTheWay` with what is there.
pub fn check(root: &Path, overwrite: bool) -> Result<()> {
    let path = root.display();
    let in_the_way = |what: String| Err(Error::OutputInTheWay(format!("{path}: {what}")));
    let metadata = match fs::metadata(root) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && root.is_symlink() => {
            return in_the_way("is a link to nothing; name a directory for the output".into());
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::Failed(format!("{path}: {e}"))),
        Ok(metadata) => metadata,
    };
    if !metadata.is_dir() {
        return in_the_way("is a file; name a directory for the output".into());
    }
    // A run that was stopped while its dataset became visible is brought to its end first, and then looked at again.
    if root.join(STAGING).join(MERGED).exists() {
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
fn holds_dataset(root: &Path) -> bool {
    let document = read_json::<serde_json::Value>(&root.join(METADATA));
    document.is_ok_and(|d| d["format"]["name"] == "segy-import")
}

impl Output {
    /// Makes the directory and its staging area and locks it against another import.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` as [`check`] does, for what another import completed since that was asked.
    pub fn open(root: &Path, overwrite: bool) -> Result<Self> {
        let missing = root.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.exists());
        let mut created: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        created.reverse();
        let staging = root.join(STAGING);
        let lock = lock(root, &staging).inspect_err(|_| remove_directories(&created))?;
        let output = Self { root: root.to_owned(), created, lock };
        if let Err(in_the_way) = check(root, overwrite) {
            output.leave_staging();
            remove_directories(&output.created);
            return Err(in_the_way);
        }
        Ok(output)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The lock. Whoever inherits it keeps other imports away as long as it lives.
    pub fn lock(&self) -> &File {
        &self.lock
    }

    pub fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    pub fn plan_file(&self) -> PathBuf {
        self.staging().join("plan.json")
    }

    /// Where the dataset is put together.
    pub fn dataset(&self) -> PathBuf {
        self.staging().join("dataset")
    }

    /// Says since which start of the computer the segments are written.
    fn boot_file(&self) -> PathBuf {
        self.staging().join("boot_id")
    }

    fn merged_mark(&self) -> PathBuf {
        self.staging().join(MERGED)
    }

    /// What is there of the import that `plan` describes; an earlier plan may have cut it differently.
    pub fn find(&self, plan: &Plan) -> Found {
        let Ok(earlier) = Plan::read(&self.plan_file()) else { return Found::Nothing };
        // This program makes no links; one that is there leads to somebody else's files.
        if !plan.makes_the_same_as(&earlier) || holds_links(&self.staging()) {
            return Found::Nothing;
        }
        if fs::read_to_string(self.boot_file()).ok() != boot_id() {
            return Found::MayBeLost;
        }
        let record = |id| read_json::<SegmentRecord>(&SegmentPaths::new(&self.staging(), id).record).ok();
        let is_right = |r: &SegmentRecord, id| r.segment == id && r.fits(&earlier);
        let records = earlier.segments.iter().filter_map(|s| record(s.id).filter(|r| is_right(r, s.id))).collect();
        Found::Segments(Box::new(earlier), records)
    }

    /// Empties the staging area and puts the plan in it.
    pub fn start(&self, plan: &Plan) -> Result<()> {
        self.clear_staging()?;
        if let Some(boot_id) = boot_id() {
            fs::write(self.boot_file(), boot_id).map_err(failed(self.boot_file().display()))?;
        }
        let unfinished = self.staging().join("plan.json.part");
        write_json(&unfinished, plan)?;
        fs::rename(&unfinished, self.plan_file()).map_err(failed(self.plan_file().display()))
    }

    /// Brings the dataset that has been put together to the disk, before any of it gets its name.
    pub fn sync(&self, cancel: &CancelHandle) -> Result<()> {
        sync_tree(&self.dataset(), cancel)
    }

    /// Makes the dataset that has been put together visible, in the place of one that is there. `durable`: each step is on
    /// the disk before the one that relies on it.
    pub fn commit(self, durable: bool) -> Result<()> {
        fs::write(self.merged_mark(), []).map_err(failed(self.merged_mark().display()))?;
        if durable {
            [self.merged_mark(), self.staging(), self.root.clone()].iter().try_for_each(|path| sync(path))?;
            self.created.iter().try_for_each(|directory| sync_parent(directory))?;
        }
        self.finish_commit(durable)?;
        self.leave_staging();
        Ok(())
    }

    /// Brings a commit to its end that may have been interrupted anywhere, and empties the staging area.
    ///
    /// Returns whether it was the import that `plan` describes; see [`Self::is_merged`].
    pub fn resume_commit(&self, plan: &Plan, durable: bool) -> Result<bool> {
        let same = Plan::read(&self.plan_file()).is_ok_and(|earlier| plan.makes_the_same_as(&earlier));
        if durable {
            // The run that was interrupted may have been one without.
            let places = [&self.dataset(), &self.root];
            let parts = places.into_iter().flat_map(|place| NAMED_OUTPUTS.map(|name| place.join(name)));
            parts.filter(|part| part.exists()).try_for_each(|part| sync_tree(&part, &CancelHandle::new()))?;
        }
        self.finish_commit(durable)?;
        Ok(same)
    }

    fn finish_commit(&self, durable: bool) -> Result<()> {
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
        let Ok(document) = read_json::<serde_json::Value>(&self.dataset().join(METADATA)) else { return Vec::new() };
        let Some(files) = document["checksums"].as_object() else { return Vec::new() };
        let has = |name: &str| files.keys().any(|file| Path::new(file).starts_with(name));
        NAMED_OUTPUTS.into_iter().filter(|name| *name != METADATA && !has(name)).collect()
    }

    /// Whether an earlier run put the dataset together and was stopped while it became visible.
    pub fn is_merged(&self) -> bool {
        self.merged_mark().exists()
    }

    /// Removes all that this import made.
    pub fn discard(self) -> Result<()> {
        self.clear_staging()?;
        self.leave_staging();
        remove_directories(&self.created);
        Ok(())
    }

    /// Removes the staging area unless there is work in it. Another import may hold it from the moment on when the name of
    /// the lock is gone, and then keeps the directory.
    fn leave_staging(&self) {
        let is_empty = |entries: fs::ReadDir| entries.flatten().all(|e| e.file_name() == LOCK);
        if fs::read_dir(self.staging()).is_ok_and(is_empty) {
            let _ = fs::remove_file(self.staging().join(LOCK));
            let _ = fs::remove_dir(self.staging());
        }
    }

    /// Finished segments in the staging area.
    pub fn n_finished(&self, plan: &Plan) -> usize {
        plan.segments.iter().filter(|s| SegmentPaths::new(&self.staging(), s.id).record.exists()).count()
    }
}

/// What tells one start of the computer from another, where the system has such a thing.
fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
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

//! The output directory: refusing what is in the way, the staging area, and making a complete dataset visible.
//!
//! Everything is built in `<output>/.segy-import/`. The named outputs appear by rename once they are complete,
//! `metadata.json` last: it is the commit mark.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

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
/// What a dataset consists of, in the order in which it appears.
pub const NAMED_OUTPUTS: [&str; 8] =
    ["traces.zarr", "sample", "headers.parquet", "ensemble_index.parquet", EXCEPTIONS, ORIGINAL, "zarr.json", METADATA];
/// What a dataset has only if it is needed.
const OPTIONAL_OUTPUTS: [&str; 2] = [EXCEPTIONS, ORIGINAL];

/// An output directory that this process alone writes to.
pub struct Output {
    root: PathBuf,
    /// The directories that were made for it, the outermost first.
    created: Vec<PathBuf>,
    /// Held as long as the directory is written to.
    _lock: File,
}

/// What an earlier run left of the same import.
pub enum Found {
    Nothing,
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
    pub fn open(root: &Path) -> Result<Self> {
        let missing = root.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.exists());
        let mut created: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        created.reverse();
        let staging = root.join(STAGING);
        let lock = fs::create_dir_all(&staging).and_then(|()| File::create(staging.join("lock")));
        let lock = lock.map_err(|e| {
            remove_directories(&created);
            Error::Failed(format!("{}: cannot be written to: {e}", root.display()))
        })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::OutputInTheWay(format!("{}: another import is writing here", root.display())));
            }
            Err(TryLockError::Error(e)) => {
                let _ = remove(&staging);
                remove_directories(&created);
                return Err(Error::Failed(format!("{}: cannot be locked: {e}", root.display())));
            }
        }
        Ok(Self { root: root.to_owned(), created, _lock: lock })
    }

    pub fn root(&self) -> &Path {
        &self.root
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

    fn merged_mark(&self) -> PathBuf {
        self.staging().join(MERGED)
    }

    /// What is there of the import that `plan` describes; an earlier plan may have cut it differently.
    pub fn find(&self, plan: &Plan) -> Found {
        let Ok(earlier) = read_json::<Plan>(&self.plan_file()) else { return Found::Nothing };
        if !plan.makes_the_same_as(&earlier) {
            return Found::Nothing;
        }
        let record = |id| read_json::<SegmentRecord>(&SegmentPaths::new(&self.staging(), id).record).ok();
        let records = earlier.segments.iter().filter_map(|s| record(s.id)).collect();
        Found::Segments(Box::new(earlier), records)
    }

    /// Empties the staging area and puts the plan in it.
    pub fn start(&self, plan: &Plan) -> Result<()> {
        self.clear_staging()?;
        let unfinished = self.staging().join("plan.json.part");
        write_json(&unfinished, plan)?;
        fs::rename(&unfinished, self.plan_file()).map_err(failed(self.plan_file().display()))
    }

    /// Makes the dataset that has been put together visible, in the place of one that is there.
    pub fn commit(self) -> Result<()> {
        fs::write(self.merged_mark(), []).map_err(failed(self.merged_mark().display()))?;
        self.finish_commit()?;
        remove(&self.staging())
    }

    /// Brings a commit to its end that may have been interrupted anywhere, and empties the staging area.
    ///
    /// Returns whether it was the import that `plan` describes; see [`Self::is_merged`].
    pub fn resume_commit(&self, plan: &Plan) -> Result<bool> {
        let same = read_json::<Plan>(&self.plan_file()).is_ok_and(|earlier| plan.makes_the_same_as(&earlier));
        self.finish_commit()?;
        Ok(same)
    }

    fn finish_commit(&self) -> Result<()> {
        let (dataset, old) = (self.dataset(), self.staging().join("old"));
        fs::create_dir_all(&old).map_err(failed(old.display()))?;
        let unneeded = self.unneeded_outputs();
        // Without its commit mark the old dataset is none from here on.
        for name in NAMED_OUTPUTS.iter().rev() {
            let replaced = dataset.join(name).exists() || unneeded.contains(name);
            if replaced && self.root.join(name).exists() {
                remove(&old.join(name))?;
                move_to(&self.root.join(name), &old.join(name))?;
            }
        }
        for name in NAMED_OUTPUTS {
            if dataset.join(name).exists() {
                move_to(&dataset.join(name), &self.root.join(name))?;
            }
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
            let kept = [Some("lock"), Some(MERGED), merged.then_some("plan.json")];
            if !kept.iter().flatten().any(|k| path.ends_with(k)) {
                remove(&path)?;
            }
        }
        remove(&self.plan_file())?;
        remove(&self.merged_mark())
    }

    /// What the dataset that has been put together does not have, so that those of an old one must go.
    /// Its document tells, which is the last to be moved; what is not here may have been moved already.
    fn unneeded_outputs(&self) -> Vec<&'static str> {
        let document = read_json::<serde_json::Value>(&self.dataset().join(METADATA));
        let Some(checksums) = document.ok().and_then(|d| d["checksums"].as_object().cloned()) else {
            return Vec::new();
        };
        let is_part = |file: &String, name: &str| Path::new(file).starts_with(name);
        OPTIONAL_OUTPUTS.into_iter().filter(|name| !checksums.keys().any(|file| is_part(file, name))).collect()
    }

    /// Whether an earlier run put the dataset together and was stopped while it became visible.
    pub fn is_merged(&self) -> bool {
        self.merged_mark().exists()
    }

    /// Removes all that this import made.
    pub fn discard(self) -> Result<()> {
        self.clear_staging()?;
        remove(&self.staging())?;
        remove_directories(&self.created);
        Ok(())
    }

    /// Finished segments in the staging area.
    pub fn n_finished(&self, plan: &Plan) -> usize {
        plan.segments.iter().filter(|s| SegmentPaths::new(&self.staging(), s.id).record.exists()).count()
    }
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

//! Directories made for an output: synced with it, and removed again if nothing comes of it.

use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result, failed};
use crate::store::place::{Place, is_absence};
use crate::store::sync::sync;

/// A directory and its parents, as far as they do not exist, outermost first.
pub(crate) fn missing_directories(path: &Path) -> Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for directory in path.ancestors().take_while(|a| !a.as_os_str().is_empty()) {
        match std::fs::symlink_metadata(directory) {
            Ok(_) => break,
            Err(e) if is_absence(&e) => missing.insert(0, directory.to_owned()),
            Err(e) => return Err(failed(directory.display())(e)),
        }
    }
    Ok(missing)
}

/// Removes directories that are empty, innermost first.
pub(crate) fn remove_directories(created: &[PathBuf]) {
    for directory in created.iter().rev() {
        // What somebody else has put there is theirs, and keeps its directory.
        let _ = std::fs::remove_dir(directory);
    }
}

/// Syncs the names of these directories.
pub(crate) fn sync_names(created: &[PathBuf]) -> Result<()> {
    for directory in created {
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync(&Place::to_write(parent).map_err(failed(parent.display()))?)?;
    }
    Ok(())
}

/// The directories made to hold one file. Those that are still empty when this is dropped go away.
pub(crate) struct NewDirectories(Vec<PathBuf>);

impl NewDirectories {
    /// Makes the directory that `target` lies in, with its parents.
    pub(crate) fn for_file(target: &Path) -> Result<Self> {
        let parent = target.parent().unwrap_or(Path::new(""));
        let new = Self(missing_directories(parent)?);
        if !new.0.is_empty() {
            let cannot = |e| Error::Failed(format!("{}: cannot be written to: {e}", target.display()));
            std::fs::create_dir_all(parent).map_err(cannot)?;
        }
        Ok(new)
    }

    /// Puts their names on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        sync_names(&self.0)
    }
}

impl Drop for NewDirectories {
    fn drop(&mut self) {
        remove_directories(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_in_which_nothing_came_to_lie_go_away() {
        let root = tempfile::tempdir().unwrap();
        let (kept, target) = (root.path().join("kept"), root.path().join("kept/a/b/file"));
        std::fs::create_dir(&kept).unwrap();
        let new = NewDirectories::for_file(&target).unwrap();
        assert!(target.parent().unwrap().is_dir());
        new.sync().unwrap();
        drop(new);
        assert!(kept.is_dir() && !kept.join("a").exists());
        let new = NewDirectories::for_file(&target).unwrap();
        std::fs::write(&target, "").unwrap();
        drop(new);
        assert!(target.is_file());
        assert!(NewDirectories::for_file(&target.join("below a file/x")).is_err());
    }
}

//! Syncing files and directories to disk, many at a time, once at the end.
//!
//! Each file is synced on its own rather than with `syncfs`: 16 at a time take no longer, do not wait for what other
//! programs have written to the file system, and an error comes with the file's name.

use std::ffi::OsString;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::base::parallel::for_each;
use crate::store::files::entry;
use crate::store::place::Place;

/// Threads that wait for the disk. They need no core, and ext4 combines their requests into one journal commit.
const THREADS: usize = 16;

/// Syncs everything below a directory, and the directory itself.
///
/// # Errors
/// `Error::Failed` with the file that could not be written, even if an earlier write failed unnoticed.
pub(crate) fn sync_tree(root: &Place, cancel: &CancelHandle) -> Result<()> {
    for_each(THREADS, tree(root), cancel, &mut |_| {}, || Ok(()), |(): &mut (), place: Result<Place>, _| sync(&place?))
}

/// Every file and directory at and below a place; a directory comes after its contents.
fn tree(root: &Place) -> impl Iterator<Item = Result<Place>> + Send + use<> {
    let mut root = Some(root.clone());
    // The directories from the root down to the current place, with the names in them still to visit.
    let mut open: Vec<(Place, std::vec::IntoIter<OsString>)> = Vec::new();
    std::iter::from_fn(move || {
        loop {
            let place = match (root.take(), open.last_mut()) {
                (Some(root), _) => root,
                (None, None) => return None,
                (None, Some((directory, names))) => match names.next() {
                    Some(name) => directory.join(name),
                    None => return open.pop().map(|(directory, _)| Ok(directory)),
                },
            };
            match names_in(&place) {
                Ok(Some(names)) => open.push((place, names.into_iter())),
                Ok(None) => return Some(Ok(place)),
                Err(e) => return Some(Err(e)),
            }
        }
    })
}

/// The names in a directory; `None` for anything else.
fn names_in(place: &Place) -> Result<Option<Vec<OsString>>> {
    if !entry(place)?.is_some_and(|entry| entry.is_directory()) {
        return Ok(None);
    }
    place.names().map(Some).map_err(failed(place.display()))
}

/// Syncs one file, or the names in one directory.
pub(crate) fn sync(place: &Place) -> Result<()> {
    place.sync().map_err(failed(format!("{}: cannot be synced to disk", place.display())))
}

/// Syncs the directory that holds a place, so that its name is on disk.
pub(crate) fn sync_parent(place: &Place) -> Result<()> {
    place.parent().map_or(Ok(()), |parent| sync(&parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_and_directory_is_synced_once() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        for i in 0..100 {
            std::fs::write(inner.join(i.to_string()), [0; 10]).unwrap();
        }
        let root = Place::to_write(directory.path()).unwrap();
        let mut seen: Vec<_> = tree(&root).map(|place| place.unwrap().path()).collect();
        assert_eq!(seen.len(), 103);
        assert_eq!(
            seen.last().map(std::path::PathBuf::as_path),
            Some(directory.path()),
            "a directory comes after what is in it"
        );
        seen.dedup();
        assert_eq!(seen.len(), 103);
        sync_tree(&Place::to_write(directory.path()).unwrap(), &CancelHandle::new()).unwrap();
    }

    #[test]
    fn what_cannot_be_synced_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join("link")).unwrap();
        let error = sync_tree(&Place::to_write(directory.path()).unwrap(), &CancelHandle::new()).unwrap_err();
        assert!(error.to_string().contains("link"), "{error}");
        let cancel = CancelHandle::new();
        cancel.cancel();
        assert!(matches!(
            sync_tree(&Place::to_write(directory.path()).unwrap(), &cancel),
            Err(crate::Error::Cancelled { .. })
        ));
    }
}

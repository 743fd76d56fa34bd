//! Bringing what was written to the disk: files and directories, many at a time, once at the end.
//!
//! Each file is synced by itself rather than with `syncfs`: 16 at a time take as long, do not wait for what other programs
//! have written to the same file system, and an error comes with the name of the file.

use std::fs::File;

use crossbeam_channel::{Receiver, bounded};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::store::files::entry;
use crate::store::place::Place;

/// Threads that wait for the disk. They need no core, and ext4 puts what they ask for into one journal commit.
const THREADS: usize = 16;

/// Syncs everything below a directory, and the directory.
///
/// # Errors
/// `Error::Failed` with the file that could not be written, also where an earlier writing of it failed unnoticed.
pub fn sync_tree(root: &Place, cancel: &CancelHandle) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, places) = bounded(2 * THREADS);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let places = places.clone();
                scope.spawn(move || sync_all(&places, cancel))
            })
            .collect();
        drop(places);
        let walked = walk(root, &|place| sender.send(place).is_ok());
        drop(sender);
        let synced = threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err(failed("a thread")("panicked"))));
        synced.fold(Ok(()), Result::and).and(walked)
    })
}

fn sync_all(places: &Receiver<Place>, cancel: &CancelHandle) -> Result<()> {
    places.iter().try_for_each(|place| {
        cancel.check()?;
        sync(&place)
    })
}

/// Gives every file and directory at and below a place to `take`, until it wants no more.
fn walk(place: &Place, take: &dyn Fn(Place) -> bool) -> Result<()> {
    if entry(place)?.is_some_and(|entry| entry.is_directory()) {
        for name in place.names().map_err(failed(place.display()))? {
            walk(&place.join(name), take)?;
        }
    }
    // Those who would take it all ended with an error, which is told.
    take(place.clone());
    Ok(())
}

/// Syncs one file, or the names in one directory.
pub fn sync(place: &Place) -> Result<()> {
    place.sync().map_err(failed(format!("{}: cannot be brought to the disk", place.display())))
}

/// Syncs the directory that holds a place: its name is on the disk then.
pub fn sync_parent(place: &Place) -> Result<()> {
    place.parent().map_or(Ok(()), |parent| sync(&parent))
}

/// Lets the disk begin with bytes of a file that is going to be synced, and does not wait until they are there: while more is
/// converted, the disk has nothing else to do. What goes wrong is told by [`sync`].
pub fn begin_sync(file: &File, offset: u64, n: u64) {
    #[cfg(target_os = "linux")]
    if let (Ok(offset), Ok(n)) = (offset.try_into(), n.try_into()) {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is that of an open file, and no memory is handed over.
        unsafe { libc::sync_file_range(file.as_raw_fd(), offset, n, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, n);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_file_and_directory_is_synced_once() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        for i in 0..100 {
            std::fs::write(inner.join(i.to_string()), [0; 10]).unwrap();
        }
        let seen = Mutex::new(Vec::new());
        walk(&Place::to_write(directory.path()).unwrap(), &|place| {
            seen.lock().unwrap().push(place.path());
            true
        })
        .unwrap();
        let mut seen = seen.into_inner().unwrap();
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

//! Bringing what was written to the disk: files and directories, many at a time, once at the end.
//!
//! Each file is synced by itself rather than with `syncfs`: 16 at a time take as long, do not wait for what other programs
//! have written to the same file system, and an error comes with the name of the file.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, bounded};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};

/// Threads that wait for the disk. They need no core, and ext4 puts what they ask for into one journal commit.
const THREADS: usize = 16;

/// Syncs everything below a directory, and the directory.
///
/// # Errors
/// `Error::Failed` with the file that could not be written, also where an earlier writing of it failed unnoticed.
pub fn sync_tree(root: &Path, cancel: &CancelHandle) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, paths) = bounded(2 * THREADS);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let paths = paths.clone();
                scope.spawn(move || sync_all(&paths, cancel))
            })
            .collect();
        drop(paths);
        let walked = walk(root, &|path| sender.send(path).is_ok());
        drop(sender);
        let synced = threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err(failed("a thread")("panicked"))));
        synced.fold(Ok(()), Result::and).and(walked)
    })
}

fn sync_all(paths: &Receiver<PathBuf>, cancel: &CancelHandle) -> Result<()> {
    paths.iter().try_for_each(|path| {
        cancel.check()?;
        sync(&path)
    })
}

/// Gives every file and directory at and below a path to `take`, until it wants no more.
fn walk(path: &Path, take: &dyn Fn(PathBuf) -> bool) -> Result<()> {
    if fs::symlink_metadata(path).map_err(failed(path.display()))?.is_dir() {
        for entry in fs::read_dir(path).map_err(failed(path.display()))? {
            walk(&entry.map_err(failed(path.display()))?.path(), take)?;
        }
    }
    // Those who would take it all ended with an error, which is told.
    take(path.to_owned());
    Ok(())
}

/// Syncs one file, or the names in one directory.
pub fn sync(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(failed(path.display()))?;
    match file.sync_all() {
        // Some network and user-space file systems have no such thing for directories.
        Err(e)
            if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
                && file.metadata().map_err(failed(path.display()))?.is_dir() =>
        {
            Ok(())
        }
        synced => synced.map_err(failed(format!("{}: cannot be brought to the disk", path.display()))),
    }
}

/// Syncs the directory that holds a path: its name is on the disk then.
pub fn sync_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync(Path::new(".")),
        Some(parent) => sync(parent),
        None => Ok(()),
    }
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
        fs::create_dir_all(&inner).unwrap();
        for i in 0..100 {
            fs::write(inner.join(i.to_string()), [0; 10]).unwrap();
        }
        let seen = Mutex::new(Vec::new());
        walk(directory.path(), &|path| {
            seen.lock().unwrap().push(path);
            true
        })
        .unwrap();
        let mut seen = seen.into_inner().unwrap();
        assert_eq!(seen.len(), 103);
        assert_eq!(seen.last().map(PathBuf::as_path), Some(directory.path()), "a directory comes after what is in it");
        seen.dedup();
        assert_eq!(seen.len(), 103);
        sync_tree(directory.path(), &CancelHandle::new()).unwrap();
    }

    #[test]
    fn what_cannot_be_synced_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join("link")).unwrap();
        let error = sync_tree(directory.path(), &CancelHandle::new()).unwrap_err();
        assert!(error.to_string().contains("link"), "{error}");
        let cancel = CancelHandle::new();
        cancel.cancel();
        assert!(matches!(sync_tree(directory.path(), &cancel), Err(crate::Error::Cancelled { .. })));
    }
}

//! Linux and macOS.

mod directory;
mod process;

use std::fs::{File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use memmap2::{Advice, Mmap, UncheckedAdvice};

use crate::base::system::Reading;

pub(crate) use directory::Directory;
pub(crate) use process::*;
/// Reading and writing at an offset, whatever the position of the file.
pub(crate) use std::os::unix::fs::FileExt;

/// Number of the file system and inode number of what a path leads to.
pub(crate) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// As [`identity`], of an open file.
pub(crate) fn identity_of(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Time of the last change of content or metadata, nanoseconds since 1970, and inode number.
pub(crate) fn change_and_inode(_: &Path, metadata: &Metadata) -> io::Result<(i128, u64)> {
    Ok((i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()), metadata.ino()))
}

/// Permissions of a file, as on Unix.
pub(crate) fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode()
}

/// Gives a file these permissions.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Makes a directory and its parents, with these permissions before the umask.
pub(crate) fn create_directories(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Temporary files with the permissions of any new file; those of the library are private.
pub(crate) fn temporary_files() -> tempfile::Builder<'static, 'static> {
    let mut files = tempfile::Builder::new();
    files.permissions(Permissions::from_mode(0o666));
    files
}

/// Another handle of an open file, with the same position.
pub(crate) fn reopened(file: &File) -> io::Result<File> {
    file.try_clone()
}

/// Locks a file for this process alone, if no other has.
pub(crate) fn try_lock(file: &File) -> Result<(), TryLockError> {
    file.try_lock()
}

/// As [`try_lock`], but waits until no other process has a lock.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    file.lock()
}

/// Syncs a file, or the names in a directory, to disk.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        // Some network and user-space file systems cannot sync directories.
        Err(e)
            if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
                && file.metadata()?.is_dir() =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Starts writing bytes of a file to disk and does not wait. An error is reported by [`sync`].
pub(crate) fn begin_sync(file: &File, offset: u64, n: u64) {
    #[cfg(target_os = "linux")]
    if let (Ok(offset), Ok(n)) = (offset.try_into(), n.try_into()) {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor belongs to an open file, and no memory is passed.
        unsafe { libc::sync_file_range(file.as_raw_fd(), offset, n, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, n);
}

/// Reserves space for the first bytes of a file. An error only if there is no space: where the file system cannot
/// reserve any, a full disk shows when writing.
pub(crate) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        if let Err(e @ (Errno::NOSPC | Errno::FBIG | Errno::DQUOT)) = fallocate(file, FallocateFlags::empty(), 0, bytes)
        {
            return Err(e.into());
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (file, bytes);
    Ok(())
}

/// Tells the system how `n` bytes of a file will be read, or all bytes from `offset` on if `n` is 0. Only advice: if it
/// is ignored, reads are just slower.
pub(crate) fn advise_file(file: &File, offset: u64, n: u64, reading: Reading) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let advice = match reading {
            Reading::InOrder => rustix::fs::Advice::Sequential,
            Reading::Scattered => rustix::fs::Advice::Random,
            Reading::Soon => rustix::fs::Advice::WillNeed,
        };
        let _ = rustix::fs::fadvise(file, offset, std::num::NonZeroU64::new(n), advice);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (file, offset, n, reading);
}

/// Tells the system that a file will not be read again soon, so that its bytes need not stay in memory. Only advice.
pub(crate) fn forget_file(file: &File) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = file;
}

/// Bytes that are free in the file system of a directory.
pub(crate) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(directory)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// As [`advise_file`], for bytes of a map.
pub(crate) fn advise_map(map: &Mmap, start: usize, n: usize, reading: Reading) {
    let advice = match reading {
        Reading::InOrder => Advice::Sequential,
        Reading::Scattered => Advice::Random,
        Reading::Soon => Advice::WillNeed,
    };
    let _ = map.advise_range(advice, start, n);
}

/// Unmaps the pages of these bytes to keep resident memory small. The page cache keeps them.
pub(crate) fn unmap_pages(map: &Mmap, start: usize, n: usize) {
    let page = rustix::param::page_size();
    let (first, end) = (start / page * page, start.saturating_add(n).min(map.len()) / page * page);
    if first < end {
        // SAFETY: MADV_DONTNEED on a private, read-only map of a file drops page table entries; the next access reads the
        // same file bytes again. Nothing written is lost.
        let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, first, end - first) };
    }
}

/// Columns and rows of the terminal that an output is, if it is one and knows them.
pub(crate) fn terminal_size(output: impl std::os::fd::AsFd) -> Option<[u16; 2]> {
    rustix::termios::tcgetwinsize(output).ok().map(|size| [size.ws_col, size.ws_row])
}

/// Identifies this start of the computer, where the system can.
pub(crate) fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

/// The name of this computer.
pub(crate) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    name.ok()
}

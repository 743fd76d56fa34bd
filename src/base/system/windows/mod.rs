//! Windows.

mod directory;
mod process;

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileExt as _, OpenOptionsExt};
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;

use memmap2::Mmap;
use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, GENERIC_READ, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_BASIC_INFO, FILE_FLAG_BACKUP_SEMANTICS, FILE_SHARE_DELETE, FILE_SHARE_READ,
    FILE_SHARE_WRITE, FileBasicInfo, GetDiskFreeSpaceExW, GetFileInformationByHandle, GetFileInformationByHandleEx,
    LOCK_FILE_FLAGS, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, ReOpenFile,
};
use windows_sys::Win32::System::Console::{CONSOLE_SCREEN_BUFFER_INFO, GetConsoleScreenBufferInfo};
use windows_sys::Win32::System::IO::OVERLAPPED;

use crate::base::system::Reading;

pub(crate) use directory::Directory;
pub(crate) use process::*;

/// Permissions of a file, which has none of this kind: access is inherited from its directory.
const FILE_MODE: u32 = 0o666;
/// The same of a directory.
const DIRECTORY_MODE: u32 = 0o777;
/// Between 1601, from which Windows counts, and 1970, in units of 100 ns.
const TO_1970: i128 = 116_444_736_000_000_000;

/// Reading and writing at an offset. Unlike on Unix, this moves the position of the file.
pub(crate) trait FileExt {
    /// Reads some bytes; 0 at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Fills `bytes`; an error of the kind `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all bytes.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

impl FileExt for File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.seek_read(bytes, offset)
    }

    fn read_exact_at(&self, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.seek_read(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    bytes = &mut bytes[n..];
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.seek_write(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    bytes = &bytes[n..];
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Opens a file or directory only to ask about it; `flags` say what happens to a link.
fn opened_to_ask(path: &Path, flags: u32) -> io::Result<File> {
    OpenOptions::new().access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags).open(path)
}

/// The result of a call that returns 0 if it failed.
fn done(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Serial number of the volume and index in it of what a path leads to.
pub(crate) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    identity_of(&opened_to_ask(path, 0)?)
}

/// As [`identity`], of an open file.
pub(crate) fn identity_of(file: &File) -> io::Result<(u64, u64)> {
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle belongs to an open file, and the call only writes to `found`.
    done(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) })?;
    let index = u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow);
    Ok((u64::from(found.dwVolumeSerialNumber), index))
}

/// Time of the last change of content or metadata, nanoseconds since 1970, and index in the volume.
pub(crate) fn change_and_inode(path: &Path, _: &Metadata) -> io::Result<(i128, u64)> {
    let file = opened_to_ask(path, 0)?;
    let mut found = FILE_BASIC_INFO::default();
    let n = size_of::<FILE_BASIC_INFO>() as u32;
    // SAFETY: the handle belongs to an open file, and the call writes at most `n` bytes, the size of `found`.
    done(unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), FileBasicInfo, (&raw mut found).cast(), n) })?;
    Ok(((i128::from(found.ChangeTime) - TO_1970) * 100, identity_of(&file)?.1))
}

/// Permissions of a file, as on Unix, which has none of this kind here.
pub(crate) fn mode(_: &Metadata) -> u32 {
    FILE_MODE
}

/// Gives a file these permissions: none here.
pub(crate) fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// Makes a directory and its parents. Access is inherited.
pub(crate) fn create_directories(path: &Path, _: u32) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Temporary files with the permissions of any new file.
pub(crate) fn temporary_files() -> tempfile::Builder<'static, 'static> {
    tempfile::Builder::new()
}

/// Another handle of an open file with a position of its own, for reading: [`FileExt`] moves that of the first.
pub(crate) fn reopened(file: &File) -> io::Result<File> {
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    // SAFETY: the handle belongs to an open file.
    let handle = unsafe { ReOpenFile(file.as_raw_handle(), GENERIC_READ, share, 0) };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was made just now, and nothing else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) }.into())
}

/// Locks a file for this process alone, if no other has.
pub(crate) fn try_lock(file: &File) -> Result<(), TryLockError> {
    locked(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY).map_err(|e| {
        let is_held =
            [ERROR_LOCK_VIOLATION, ERROR_IO_PENDING].iter().any(|&code| e.raw_os_error() == Some(code as i32));
        if is_held { TryLockError::WouldBlock } else { TryLockError::Error(e) }
    })
}

/// As [`try_lock`], but waits until no other process has a lock.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    locked(file, LOCKFILE_EXCLUSIVE_LOCK)
}

/// Locks one byte far beyond the end. What Windows locks no other process can read, and others read what is in the file.
fn locked(file: &File, flags: LOCK_FILE_FLAGS) -> io::Result<()> {
    let mut place = OVERLAPPED::default();
    place.Anonymous.Anonymous.OffsetHigh = i32::MAX as u32;
    // SAFETY: the handle belongs to an open file that is not used asynchronously, so that the call has ended, and no longer
    // uses `place`, when it returns.
    done(unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &raw mut place) })
}

/// Syncs a file to disk. Windows has no call for the names in a directory.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    if file.metadata()?.is_dir() { Ok(()) } else { file.sync_all() }
}

/// Windows begins to write by itself.
pub(crate) fn begin_sync(_: &File, _: u64, _: u64) {}

/// Windows reserves the space when the length of the file is set.
pub(crate) fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

/// Windows takes such advice only when a file is opened.
pub(crate) fn advise_file(_: &File, _: u64, _: u64, _: Reading) {}

/// Windows takes pages of files back by itself when memory is short.
pub(crate) fn forget_file(_: &File) {}

/// Bytes that are free for this user on the volume of a directory.
pub(crate) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let path: Vec<u16> = directory.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    // SAFETY: the path ends with a zero, and the number is written to before the call returns.
    let done = unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, null_mut(), null_mut()) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(free) }
}

/// As [`advise_file`].
pub(crate) fn advise_map(_: &Mmap, _: usize, _: usize, _: Reading) {}

/// Windows takes pages of files back by itself when memory is short.
pub(crate) fn unmap_pages(_: &Mmap, _: usize, _: usize) {}

/// Columns and rows of the terminal that an output is, if it is one.
pub(crate) fn terminal_size(output: impl AsHandle) -> Option<[u16; 2]> {
    let mut found = CONSOLE_SCREEN_BUFFER_INFO::default();
    // SAFETY: the handle is open as long as `output` is borrowed, and the call only writes to `found`.
    done(unsafe { GetConsoleScreenBufferInfo(output.as_handle().as_raw_handle(), &raw mut found) }).ok()?;
    let window = found.srWindow;
    let length = |first: i16, last: i16| u16::try_from(i32::from(last) - i32::from(first) + 1).ok();
    Some([length(window.Left, window.Right)?, length(window.Top, window.Bottom)?])
}

/// Identifies this start of the computer: Windows does not say.
pub(crate) fn boot_id() -> Option<String> {
    None
}

/// The name of this computer.
pub(crate) fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

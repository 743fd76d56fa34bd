//! A directory that is held open. Every call is relative to it, whatever happens to its name.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
#[cfg(target_os = "linux")]
use rustix::io::Errno;

use crate::base::system::Opening;
use crate::base::system::entry::{Entry, Kind};

/// Flags to open a directory for searching only, which on Linux needs no read permission.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY;

/// A directory that is held open.
pub(crate) struct Directory {
    fd: OwnedFd,
    /// Below it; never in its own path.
    follows_links: bool,
}

impl Directory {
    /// The directory at a path. Links in the path are followed.
    pub(crate) fn at(path: &Path, follows_links: bool) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Self { fd: rustix::fs::open(path, flags, Mode::empty())?, follows_links })
    }

    /// The same directory again.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()?, follows_links: self.follows_links })
    }

    /// The directory of this name, itself if empty; no links are followed on the way and below it. A link is not a
    /// directory.
    pub(crate) fn held_open(&self, name: &Path) -> io::Result<Self> {
        let fd = self.opened(name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW, 0)?;
        Ok(Self { fd, follows_links: false })
    }

    /// The directory of this name, for calls on what is in it.
    pub(crate) fn inner(&self, name: &Path) -> io::Result<Self> {
        let fd = self.opened(name, SEARCH | OFlags::DIRECTORY, 0)?;
        Ok(Self { fd, follows_links: self.follows_links })
    }

    /// Opens what is there. Does not wait for the other end of a pipe.
    pub(crate) fn open(&self, name: &Path, opening: Opening) -> io::Result<File> {
        let flags = match opening {
            Opening::Read | Opening::Sync => OFlags::RDONLY,
            Opening::Write => OFlags::RDWR,
        };
        self.opened(name, flags | OFlags::NONBLOCK, 0).map(File::from)
    }

    /// Creates a file with these permissions before the umask; fails if anything is there.
    pub(crate) fn create_new(&self, name: &Path, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        self.opened(name, flags, mode).map(File::from)
    }

    /// Creates a file without a name in the directory of this name, which can be given one by [`Self::link`]; `None` if the
    /// system, the file system or a container does not support that.
    #[cfg(target_os = "linux")]
    pub(crate) fn create_linkable(&self, name: &Path, mode: u32) -> io::Result<Option<File>> {
        let file = match self.opened(name, OFlags::RDWR | OFlags::TMPFILE, mode) {
            Ok(file) => File::from(file),
            Err(e) if has_no_unnamed_files(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let has_proc = rustix::fs::statat(rustix::fs::CWD, path_of(&file), AtFlags::empty());
        Ok(has_proc.is_ok().then_some(file))
    }

    /// Only Linux has such files.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn create_linkable(&self, _: &Path, _: u32) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// Gives a file without a name this one, if it is not taken.
    #[cfg(target_os = "linux")]
    pub(crate) fn link(&self, file: &File, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::linkat(rustix::fs::CWD, path_of(file), &self.fd, name, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// There are no such files.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn link(&self, _: &File, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// This directory itself.
    pub(crate) fn entry(&self) -> io::Result<Entry> {
        Ok(entry(&rustix::fs::fstat(&self.fd)?))
    }

    /// What stands under a name; a link is not followed.
    pub(crate) fn entry_at(&self, name: &OsStr) -> io::Result<Entry> {
        Ok(entry(&rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// The names in the directory of this name.
    pub(crate) fn names(&self, name: &Path) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
        let directory = rustix::fs::Dir::new(self.opened(name, OFlags::RDONLY | OFlags::DIRECTORY, 0)?)?;
        let names = directory.map(|entry| Ok(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned()));
        Ok(names.filter(|name| !name.as_ref().is_ok_and(|name| name == "." || name == "..")))
    }

    /// Makes a directory with these permissions before the umask; fails if anything is there.
    pub(crate) fn create_directory(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(mode as _))?)
    }

    /// Removes a file or a link.
    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Renames a file or directory, replacing a file of that name; both must be on one file system.
    pub(crate) fn rename(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, name, &to.fd, to_name)?)
    }

    fn opened(&self, name: &Path, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
        let name = if name.as_os_str().is_empty() { Path::new(".") } else { name };
        let (flags, mode) = (flags | OFlags::CLOEXEC, Mode::from_raw_mode(mode as _));
        if self.follows_links {
            return Ok(rustix::fs::openat(&self.fd, name, flags, mode)?);
        }
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::ResolveFlags;
            let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
            loop {
                match rustix::fs::openat2(&self.fd, name, flags, mode, resolve) {
                    // Something on the way was renamed just now.
                    Err(Errno::AGAIN) => {}
                    // An old kernel, or a container that forbids the call.
                    Err(Errno::NOSYS | Errno::PERM) => break,
                    opened => return Ok(opened?),
                }
            }
        }
        Ok(rustix::fs::openat(&self.fd, name, flags | OFlags::NOFOLLOW, mode)?)
    }
}

#[allow(clippy::unnecessary_cast, reason = "the types are not the same on all systems")]
fn entry(stat: &Stat) -> Entry {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    let modified = UNIX_EPOCH + seconds + Duration::from_nanos(stat.st_mtime_nsec as u64);
    let mode = stat.st_mode as u32 & 0o7777;
    Entry { kind, bytes: stat.st_size as u64, mode, id: (stat.st_dev as u64, stat.st_ino), modified }
}

/// A path that leads to an open file.
#[cfg(target_os = "linux")]
fn path_of(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(target_os = "linux")]
fn has_no_unnamed_files(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL))
}

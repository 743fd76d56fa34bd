//! A directory by its path. Windows has no calls relative to an open directory for programs, so that what is on the way is
//! looked at before each call instead: somebody who may write there could put a link in its place just after.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT};

use crate::base::system::Opening;
use crate::base::system::entry::{Entry, Kind};
use crate::base::system::windows::{DIRECTORY_MODE, FILE_MODE, identity_of, opened_to_ask};

/// A directory.
pub(crate) struct Directory {
    /// Absolute.
    path: PathBuf,
    /// Below it; never in its own path.
    follows_links: bool,
}

impl Directory {
    /// The directory at a path. Links in the path are followed.
    pub(crate) fn at(path: &Path, follows_links: bool) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        if !std::fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path: std::path::absolute(path)?, follows_links })
    }

    /// The same directory again.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { path: self.path.clone(), follows_links: self.follows_links })
    }

    /// The directory of this name, itself if empty; no links are followed on the way and below it. A link is not a
    /// directory.
    pub(crate) fn held_open(&self, name: &Path) -> io::Result<Self> {
        let path = self.checked(name)?;
        match entry(&path)?.kind {
            Kind::Directory => Ok(Self { path, follows_links: false }),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory of this name, for calls on what is in it.
    pub(crate) fn inner(&self, name: &Path) -> io::Result<Self> {
        let path = self.checked(name)?;
        if !self.follows_links && entry(&path)?.kind == Kind::Link {
            return Err(is_a_link());
        }
        Ok(Self { path, follows_links: self.follows_links })
    }

    /// Opens what is there.
    pub(crate) fn open(&self, name: &Path, opening: Opening) -> io::Result<File> {
        let path = self.checked(name)?;
        let is_written = match opening {
            Opening::Read => false,
            Opening::Write => true,
            // Syncing takes the right to write, which a directory does not give.
            Opening::Sync => !std::fs::metadata(&path)?.is_dir(),
        };
        let mut options = OpenOptions::new();
        options.read(true).write(is_written);
        let not_followed = if self.follows_links { 0 } else { FILE_FLAG_OPEN_REPARSE_POINT };
        let file = options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | not_followed).open(&path)?;
        if !self.follows_links && file.metadata()?.is_symlink() {
            return Err(is_a_link());
        }
        Ok(file)
    }

    /// Creates a file; fails if anything is there.
    pub(crate) fn create_new(&self, name: &Path, _: u32) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.checked(name)?)
    }

    /// Files without a name that can get one later: Windows has none.
    pub(crate) fn create_linkable(&self, _: &Path, _: u32) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// There are no such files.
    pub(crate) fn link(&self, _: &File, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// This directory itself.
    pub(crate) fn entry(&self) -> io::Result<Entry> {
        entry_of(&opened_to_ask(&self.path, 0)?)
    }

    /// What stands under a name; a link is not followed.
    pub(crate) fn entry_at(&self, name: &OsStr) -> io::Result<Entry> {
        entry(&self.path.join(name))
    }

    /// The names in the directory of this name.
    pub(crate) fn names(&self, name: &Path) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
        let directory = self.inner(name)?;
        Ok(std::fs::read_dir(directory.path)?.map(|entry| Ok(entry?.file_name())))
    }

    /// Makes a directory; fails if anything is there.
    pub(crate) fn create_directory(&self, name: &OsStr, _: u32) -> io::Result<()> {
        std::fs::create_dir(self.path.join(name))
    }

    /// Removes a file or a link.
    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        let path = self.path.join(name);
        // A link to a directory is a directory to Windows.
        if std::fs::symlink_metadata(&path)?.is_symlink() && std::fs::remove_dir(&path).is_ok() {
            return Ok(());
        }
        std::fs::remove_file(path)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        std::fs::remove_dir(self.path.join(name))
    }

    /// Renames a file or directory, replacing a file of that name; both must be on one volume.
    pub(crate) fn rename(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> io::Result<()> {
        std::fs::rename(self.path.join(name), to.path.join(to_name))
    }

    /// The path of a name, once nothing on the way to it is a link.
    fn checked(&self, name: &Path) -> io::Result<PathBuf> {
        let mut path = self.path.clone();
        let mut parts = name.components().peekable();
        while let Some(part) = parts.next() {
            let Component::Normal(part) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
            path.push(part);
            if parts.peek().is_some() && !self.follows_links && std::fs::symlink_metadata(&path)?.is_symlink() {
                return Err(is_a_link());
            }
        }
        Ok(path)
    }
}

fn is_a_link() -> io::Error {
    io::Error::other("is a link, which is not followed")
}

fn entry(path: &Path) -> io::Result<Entry> {
    entry_of(&opened_to_ask(path, FILE_FLAG_OPEN_REPARSE_POINT)?)
}

fn entry_of(file: &File) -> io::Result<Entry> {
    let metadata = file.metadata()?;
    let (kind, mode) = if metadata.is_symlink() {
        (Kind::Link, FILE_MODE)
    } else if metadata.is_dir() {
        (Kind::Directory, DIRECTORY_MODE)
    } else {
        (Kind::File, FILE_MODE)
    };
    let (bytes, modified) = (metadata.len(), metadata.modified().unwrap_or(UNIX_EPOCH));
    Ok(Entry { kind, bytes, mode, id: identity_of(file)?, modified })
}

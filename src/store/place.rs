//! Places: where a file, a directory or an object is.
//!
//! A place on this computer is a name below a directory that is held open, and every call is relative to that
//! directory, so replacing a directory in its path by a link has no effect. Below a directory that this program writes
//! to, links are not followed at all, and files are always created anew, never written into. A place in an object store
//! is a key.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::base::visible::visible_path;
use crate::store::address::is_remote;
use crate::store::cloud;
use crate::store::entry::{Entry, Kind, directory_mode};
use crate::store::steps::step;

/// Permissions of new files, before the umask.
const FILE_MODE: u32 = 0o666;
/// More bytes than any document of this program has: anything longer is not read into memory.
const MAX_DOCUMENT_BYTES: u64 = 1 << 32;
/// Bytes of a document read at a time.
const PIECE_BYTES: u64 = 64 << 20;

/// Where a file, a directory or an object is. Cheap to clone.
#[derive(Clone)]
pub struct Place {
    root: Root,
    /// Relative to the root; empty for the root itself.
    name: PathBuf,
}

#[derive(Clone)]
enum Root {
    Directory(Arc<Directory>),
    /// An address such as `s3://bucket/prefix`.
    Objects(Arc<Path>),
}

/// A directory that is held open.
struct Directory {
    fd: OwnedFd,
    /// Its name in messages.
    path: PathBuf,
    follows_links: bool,
    /// Permissions of new files, before the umask.
    file_mode: u32,
}

impl Place {
    /// The directory at a path, or a prefix in an object store, for reading: links are followed.
    ///
    /// # Errors
    /// If there is no directory.
    pub fn to_read(path: &Path) -> io::Result<Self> {
        Self::at(path, true)
    }

    /// The directory at a path, or a prefix in an object store, for writing: links below it are not followed.
    ///
    /// # Errors
    /// If there is no directory.
    pub fn to_write(path: &Path) -> io::Result<Self> {
        Self::at(path, false)
    }

    fn at(path: &Path, follows_links: bool) -> io::Result<Self> {
        if is_remote(path) {
            return Ok(Self { root: Root::Objects(path.into()), name: PathBuf::new() });
        }
        step(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd =
            rustix::fs::open(if path.as_os_str().is_empty() { Path::new(".") } else { path }, flags, Mode::empty())?;
        let directory = Directory { fd, path: path.to_owned(), follows_links, file_mode: FILE_MODE };
        Ok(Self { root: Root::Directory(Arc::new(directory)), name: PathBuf::new() })
    }

    /// The file at a path for reading: links are followed.
    ///
    /// # Errors
    /// If its directory does not exist, or the path does not end with a name.
    pub fn file_to_read(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self::to_read(path.parent().unwrap_or(Path::new("")))?.join(name))
    }

    /// The file or directory at a path, as a name in its parent directory.
    ///
    /// # Errors
    /// If the parent directory does not exist, or the path does not end with a name.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (parent, name) = path.parent().zip(path.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self::to_write(parent)?.join(name))
    }

    /// This directory as a root of its own, held open: links are not followed, and it stays the same directory whatever
    /// happens to its name.
    ///
    /// # Errors
    /// If there is no directory. A link is not one.
    pub fn held_open(&self) -> io::Result<Self> {
        let Root::Directory(directory) = &self.root else { return Ok(self.clone()) };
        let fd = self.opened(OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
        let held = Directory { fd, path: self.path(), follows_links: false, file_mode: directory.file_mode };
        Ok(Self { root: Root::Directory(Arc::new(held)), name: PathBuf::new() })
    }

    /// The same root with other permissions for new files, before the umask; directories get search permission wherever
    /// they have read permission.
    ///
    /// # Errors
    /// If there are no more file descriptors.
    pub fn with_file_mode(&self, file_mode: u32) -> io::Result<Self> {
        let Root::Directory(directory) = &self.root else { return Ok(self.clone()) };
        let (path, follows_links) = (directory.path.clone(), directory.follows_links);
        let other = Directory { fd: directory.fd.try_clone()?, path, follows_links, file_mode };
        Ok(Self { root: Root::Directory(Arc::new(other)), name: self.name.clone() })
    }

    /// The entry `name` of this directory.
    pub fn join(&self, name: impl AsRef<Path>) -> Self {
        Self { root: self.root.clone(), name: self.name.join(name) }
    }

    /// The directory that holds it; `None` for a root.
    pub fn parent(&self) -> Option<Self> {
        Some(Self { root: self.root.clone(), name: self.name.parent()?.to_owned() })
    }

    /// The last part of its name.
    pub fn file_name(&self) -> Option<Cow<'_, OsStr>> {
        let of_root = || match &self.root {
            Root::Directory(directory) => directory.path.file_name(),
            Root::Objects(address) => address.file_name(),
        };
        self.name.file_name().or_else(of_root).map(Cow::Borrowed)
    }

    /// The same place with another extension.
    pub fn with_extension(&self, extension: &str) -> Self {
        Self { root: self.root.clone(), name: self.name.with_extension(extension) }
    }

    /// Its path, for messages and for other programs, or the address of an object.
    pub fn path(&self) -> PathBuf {
        let root = match &self.root {
            Root::Directory(directory) => directory.path.as_path(),
            Root::Objects(address) => address,
        };
        if self.name.as_os_str().is_empty() { root.to_owned() } else { root.join(&self.name) }
    }

    /// As [`Self::path`], for a message.
    pub fn display(&self) -> impl fmt::Display + '_ {
        Shown(self)
    }

    /// Whether it is in an object store, which has no directories, renames or locks.
    pub fn is_remote(&self) -> bool {
        matches!(self.root, Root::Objects(_))
    }

    fn directory(&self) -> io::Result<&Directory> {
        match &self.root {
            Root::Directory(directory) => Ok(directory),
            Root::Objects(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn opened(&self, flags: OFlags) -> io::Result<OwnedFd> {
        step(&self.path())?;
        self.directory()?.open(&self.name, flags)
    }

    /// Calls `act` with its parent directory, held open, and its name in there.
    fn in_parent<T>(&self, act: impl FnOnce(BorrowedFd, &OsStr) -> rustix::io::Result<T>) -> io::Result<T> {
        step(&self.path())?;
        let directory = self.directory()?;
        let name = self.name.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = self.name.parent().filter(|parent| !parent.as_os_str().is_empty());
        Ok(match parent {
            None => act(directory.fd.as_fd(), name)?,
            Some(parent) => act(directory.open(parent, SEARCH | OFlags::DIRECTORY)?.as_fd(), name)?,
        })
    }

    /// What is here, without following links; `None` only if there is nothing.
    ///
    /// # Errors
    /// If the system does not say: an unknown answer never counts as "nothing is there".
    pub fn find(&self) -> io::Result<Option<Entry>> {
        let found = if self.is_remote() {
            cloud::state(&self.path()).map(|state| Entry {
                kind: Kind::File,
                bytes: state.bytes,
                mode: FILE_MODE,
                id: (0, 0),
                modified: UNIX_EPOCH + Duration::from_nanos(u64::try_from(state.modified_ns).unwrap_or(0)),
            })
        } else if self.name.as_os_str().is_empty() {
            step(&self.path()).and_then(|()| Ok(Entry::of(&rustix::fs::fstat(&self.directory()?.fd)?)))
        } else {
            self.in_parent(|parent, name| rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW))
                .map(|stat| Entry::of(&stat))
        };
        match found {
            Ok(entry) => Ok(Some(entry)),
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The name in this root that a path goes through or ends with: `Some("traces.zarr")` for `out/traces.zarr/c/0` in
    /// `out`. Directories are compared by their inode numbers, not by their names.
    ///
    /// # Errors
    /// If the system does not say where the path leads.
    pub fn name_on_the_way_to(&self, path: &Path) -> io::Result<Option<OsString>> {
        use std::os::unix::fs::MetadataExt;
        if self.is_remote() || is_remote(path) {
            return Ok(None);
        }
        let root = self.find()?.map(|entry| entry.id);
        // A file that does not exist yet is where its directory is.
        let full = match path.canonicalize() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                match path.parent().filter(|p| !p.as_os_str().is_empty()) {
                    Some(parent) => parent.canonicalize()?.join(path.file_name().unwrap_or_default()),
                    None => std::env::current_dir()?.join(path),
                }
            }
            full => full?,
        };
        for (directory, name) in full.ancestors().filter_map(|part| Some((part.parent()?, part.file_name()?))) {
            let metadata = std::fs::metadata(directory)?;
            if root == Some((metadata.dev(), metadata.ino())) {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }

    /// Opens a regular file for reading. A pipe or a device, which could block forever, is an error.
    pub fn open(&self) -> io::Result<File> {
        let file = File::from(self.opened(OFlags::RDONLY | OFlags::NONBLOCK)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
    }

    /// Opens an existing regular file for writing.
    pub fn open_to_write(&self) -> io::Result<File> {
        let file = File::from(self.opened(OFlags::RDWR | OFlags::NONBLOCK)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
    }

    /// Creates a file. An existing one is removed first, not written into, as it may have other names.
    pub fn create(&self) -> io::Result<File> {
        match self.create_new() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                self.in_parent(|parent, name| rustix::fs::unlinkat(parent, name, AtFlags::empty()))?;
                self.create_new()
            }
            created => created,
        }
    }

    /// Creates a file; fails if there is one.
    pub fn create_new(&self) -> io::Result<File> {
        step(&self.path())?;
        let directory = self.directory()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        directory.open_with_mode(&self.name, flags, directory.file_mode).map(File::from)
    }

    /// Creates a file without a name in this directory, which disappears when closed.
    pub fn create_unnamed(&self) -> io::Result<File> {
        #[cfg(target_os = "linux")]
        if let Some(file) = self.create_linkable()? {
            return Ok(file);
        }
        let place = self.join(random_name(OsStr::new("unnamed")));
        let file = place.create_new()?;
        place.in_parent(|parent, name| rustix::fs::unlinkat(parent, name, AtFlags::empty()))?;
        Ok(file)
    }

    /// Creates a file in this directory that can get its name later, see [`Self::link_unnamed`]; `None` if the file
    /// system or a container does not support that.
    #[cfg(target_os = "linux")]
    pub fn create_linkable(&self) -> io::Result<Option<File>> {
        use std::os::fd::AsRawFd;
        step(&self.path())?;
        let directory = self.directory()?;
        let file = match directory.open_with_mode(&self.name, OFlags::RDWR | OFlags::TMPFILE, directory.file_mode) {
            Ok(file) => File::from(file),
            Err(e) if has_no_unnamed_files(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let has_proc =
            rustix::fs::statat(rustix::fs::CWD, format!("/proc/self/fd/{}", file.as_raw_fd()), AtFlags::empty());
        Ok(has_proc.is_ok().then_some(file))
    }

    /// Reads a whole document. A long one is read piece by piece, and given up at a zero byte: a sparse file may have
    /// any length.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.is_remote() {
            self.read_at_most(MAX_DOCUMENT_BYTES, &mut bytes)?;
            return Ok(bytes);
        }
        let mut file = self.open_at_most(MAX_DOCUMENT_BYTES)?;
        loop {
            let start = bytes.len();
            if ((&mut file).take(PIECE_BYTES).read_to_end(&mut bytes)? as u64) < PIECE_BYTES {
                return Ok(bytes);
            }
            if bytes[start..].contains(&0) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "is not a document: it contains a zero byte"));
            }
        }
    }

    /// Appends the whole file to `out`, if it has at most `most` bytes.
    pub fn read_at_most(&self, most: u64, out: &mut Vec<u8>) -> io::Result<()> {
        if self.is_remote() {
            out.extend_from_slice(&cloud::read(&self.path(), most)?);
            return Ok(());
        }
        let file = self.open_at_most(most)?;
        out.try_reserve(file.metadata()?.len() as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
        file.take(most).read_to_end(out)?;
        Ok(())
    }

    fn open_at_most(&self, most: u64) -> io::Result<File> {
        let file = self.open()?;
        let n = file.metadata()?.len();
        if n > most { Err(too_long(n, most)) } else { Ok(file) }
    }

    /// Writes the whole content, replacing what is there.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        if self.is_remote() {
            return cloud::write(&self.path(), bytes);
        }
        let mut file = self.create()?;
        step(&self.path())?;
        io::Write::write_all(&mut file, bytes)
    }

    /// Makes a directory; fails if anything is there.
    pub fn create_directory(&self) -> io::Result<()> {
        let searched = directory_mode(self.directory()?.file_mode);
        self.in_parent(|parent, name| rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(searched as _)))
    }

    /// Makes a directory and its parents, up to the root. Does nothing in an object store.
    pub fn create_directories(&self) -> io::Result<()> {
        if self.is_remote() || self.name.as_os_str().is_empty() {
            return Ok(());
        }
        match self.create_directory() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.parent().map_or(Ok(()), |parent| parent.create_directories())?;
                match self.create_directory() {
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    made => made,
                }
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match self.find()? {
                Some(Entry { kind: Kind::Directory, .. }) => Ok(()),
                _ => Err(e),
            },
            made => made,
        }
    }

    /// The names of the files in a directory, or below a prefix of an object store.
    pub(crate) fn names_below(&self) -> io::Result<Vec<String>> {
        if self.is_remote() {
            return cloud::list(&self.path());
        }
        Ok(self.names()?.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// The names in a directory, in no particular order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        use std::os::unix::ffi::OsStrExt;
        let fd = self.opened(OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(fd)? {
            step(&self.path())?;
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Renames a file or directory, replacing a file of that name; both must be on one file system.
    pub fn rename(&self, to: &Self) -> io::Result<()> {
        self.in_parent(|from_parent, from| {
            to.in_parent(|to_parent, to| rustix::fs::renameat(from_parent, from, to_parent, to))
                .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
        })?;
        #[cfg(test)]
        crate::store::faults::note(to.path(), crate::store::faults::Step::Renamed);
        Ok(())
    }

    /// Gives this name to an unnamed file, if it is not taken.
    #[cfg(target_os = "linux")]
    pub fn link_unnamed(&self, file: &File) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let from = format!("/proc/self/fd/{}", file.as_raw_fd());
        self.in_parent(|parent, name| rustix::fs::linkat(rustix::fs::CWD, from, parent, name, AtFlags::SYMLINK_FOLLOW))
    }

    /// Removes a file, a directory with everything in it, or an object with all objects below its key and a slash. A
    /// missing one counts as removed; of a link, the link itself is removed.
    pub fn remove(&self) -> io::Result<()> {
        if self.is_remote() {
            return cloud::remove(&self.path());
        }
        match self.find()? {
            None => Ok(()),
            Some(Entry { kind: Kind::Directory, .. }) => {
                let names = match self.names() {
                    Err(e) if is_absence(&e) => return Ok(()),
                    names => names?,
                };
                names.iter().try_for_each(|name| self.join(name).remove())?;
                self.remove_directory()
            }
            Some(_) => gone(self.in_parent(|parent, name| rustix::fs::unlinkat(parent, name, AtFlags::empty()))),
        }
    }

    /// Removes an empty directory. A missing one counts as removed.
    pub fn remove_directory(&self) -> io::Result<()> {
        gone(self.in_parent(|parent, name| rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)))
    }

    /// Syncs a file, or the names in a directory, to disk.
    pub fn sync(&self) -> io::Result<()> {
        let file = File::from(self.opened(OFlags::RDONLY | OFlags::NONBLOCK)?);
        step(&self.path())?;
        #[cfg(test)]
        crate::store::faults::note(self.path(), crate::store::faults::Step::Synced);
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
}

/// A place in a message.
struct Shown<'a>(&'a Place);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible_path(&self.0.path()))
    }
}

/// Flags to open a directory for searching only, which on Linux needs no read permission.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY;

impl Directory {
    fn open(&self, name: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        self.open_with_mode(name, flags, 0)
    }

    fn open_with_mode(&self, name: &Path, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
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

/// Whether an error says that there is nothing of that name. No other error proves it.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A hidden name with `name` in it that is almost certainly unused.
pub(crate) fn random_name(name: &OsStr) -> OsString {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let number = RandomState::new().build_hasher().finish();
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{number:016x}.segy-import"));
    hidden
}

/// The error for a file or object of `n` bytes, which is too long.
pub(super) fn too_long(n: u64, most: u64) -> io::Error {
    io::Error::other(format!("has {n} bytes, more than the limit of {most}"))
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file")
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if is_absence(&e) => Ok(()),
        removed => removed,
    }
}

#[cfg(target_os = "linux")]
fn has_no_unnamed_files(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL))
}

#[cfg(test)]
mod tests;

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
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::base::system::{self, Directory, Opening};
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
    Directory(Arc<Held>),
    /// An address such as `s3://bucket/prefix`.
    Objects(Arc<Path>),
}

/// A directory that is held open.
struct Held {
    directory: Directory,
    /// Its name in messages.
    path: PathBuf,
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
        let directory = Directory::at(path, follows_links)?;
        Ok(Self::of_held(Held { directory, path: path.to_owned(), file_mode: FILE_MODE }))
    }

    fn of_held(held: Held) -> Self {
        Self { root: Root::Directory(Arc::new(held)), name: PathBuf::new() }
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
        let Root::Directory(root) = &self.root else { return Ok(self.clone()) };
        step(&self.path())?;
        let directory = root.directory.held_open(&self.name)?;
        Ok(Self::of_held(Held { directory, path: self.path(), file_mode: root.file_mode }))
    }

    /// The same root with other permissions for new files, before the umask; directories get search permission wherever
    /// they have read permission.
    ///
    /// # Errors
    /// If there are no more file descriptors.
    pub fn with_file_mode(&self, file_mode: u32) -> io::Result<Self> {
        let Root::Directory(root) = &self.root else { return Ok(self.clone()) };
        let other = Held { directory: root.directory.try_clone()?, path: root.path.clone(), file_mode };
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
            Root::Directory(held) => held.path.file_name(),
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
            Root::Directory(held) => held.path.as_path(),
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

    fn held(&self) -> io::Result<&Held> {
        match &self.root {
            Root::Directory(held) => Ok(held),
            Root::Objects(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn opened(&self, opening: Opening) -> io::Result<File> {
        step(&self.path())?;
        self.held()?.directory.open(&self.name, opening)
    }

    /// Calls `act` with its parent directory, held open, and its name in there.
    fn in_parent<T>(&self, act: impl FnOnce(&Directory, &OsStr) -> io::Result<T>) -> io::Result<T> {
        step(&self.path())?;
        let root = &self.held()?.directory;
        let name = self.name.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        match self.name.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            None => act(root, name),
            Some(parent) => act(&root.inner(parent)?, name),
        }
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
            step(&self.path()).and_then(|()| self.held()?.directory.entry())
        } else {
            self.in_parent(Directory::entry_at)
        };
        match found {
            Ok(entry) => Ok(Some(entry)),
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The name in this root that a path goes through or ends with: `Some("traces.zarr")` for `out/traces.zarr/c/0` in
    /// `out`. Directories are compared by what they are, not by their names.
    ///
    /// # Errors
    /// If the system does not say where the path leads.
    pub fn name_on_the_way_to(&self, path: &Path) -> io::Result<Option<OsString>> {
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
            if root == Some(system::identity(directory)?) {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }

    /// Opens a regular file for reading. A pipe or a device, which could block forever, is an error.
    pub fn open(&self) -> io::Result<File> {
        let file = self.opened(Opening::Read)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
    }

    /// Opens an existing regular file for writing.
    pub fn open_to_write(&self) -> io::Result<File> {
        let file = self.opened(Opening::Write)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
    }

    /// Creates a file. An existing one is removed first, not written into, as it may have other names.
    pub fn create(&self) -> io::Result<File> {
        match self.create_new() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                self.in_parent(Directory::remove_file)?;
                self.create_new()
            }
            created => created,
        }
    }

    /// Creates a file; fails if there is one.
    pub fn create_new(&self) -> io::Result<File> {
        step(&self.path())?;
        let root = self.held()?;
        root.directory.create_new(&self.name, root.file_mode)
    }

    /// Creates a file without a name in this directory, which disappears when closed.
    pub fn create_unnamed(&self) -> io::Result<File> {
        if let Some(file) = self.create_linkable()? {
            return Ok(file);
        }
        let place = self.join(random_name(OsStr::new("unnamed")));
        let file = place.create_new()?;
        place.in_parent(Directory::remove_file)?;
        Ok(file)
    }

    /// Creates a file in this directory that can get its name later, see [`Self::link_unnamed`]; `None` if the system, the
    /// file system or a container does not support that.
    pub fn create_linkable(&self) -> io::Result<Option<File>> {
        step(&self.path())?;
        let root = self.held()?;
        root.directory.create_linkable(&self.name, root.file_mode)
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
        let searched = directory_mode(self.held()?.file_mode);
        self.in_parent(|parent, name| parent.create_directory(name, searched))
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
        step(&self.path())?;
        let mut names = Vec::new();
        for name in self.held()?.directory.names(&self.name)? {
            step(&self.path())?;
            names.push(name?);
        }
        Ok(names)
    }

    /// Renames a file or directory, replacing a file of that name; both must be on one file system.
    pub fn rename(&self, to: &Self) -> io::Result<()> {
        self.in_parent(|from_parent, from| to.in_parent(|to_parent, to| from_parent.rename(from, to_parent, to)))?;
        #[cfg(test)]
        crate::store::faults::note(to.path(), crate::store::faults::Step::Renamed);
        Ok(())
    }

    /// Gives this name to an unnamed file, if it is not taken.
    pub fn link_unnamed(&self, file: &File) -> io::Result<()> {
        self.in_parent(|parent, name| parent.link(file, name))
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
            Some(_) => gone(self.in_parent(Directory::remove_file)),
        }
    }

    /// Removes an empty directory. A missing one counts as removed.
    pub fn remove_directory(&self) -> io::Result<()> {
        gone(self.in_parent(Directory::remove_directory))
    }

    /// Syncs a file, or the names in a directory, to disk.
    pub fn sync(&self) -> io::Result<()> {
        let file = self.opened(Opening::Sync)?;
        step(&self.path())?;
        #[cfg(test)]
        crate::store::faults::note(self.path(), crate::store::faults::Step::Synced);
        system::sync(&file)
    }
}

/// A place in a message.
struct Shown<'a>(&'a Place);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible_path(&self.0.path()))
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

#[cfg(test)]
mod tests;

//! Where exported files are written: to an unnamed file that gets the target's name once it is complete, or to an
//! object store, where objects only appear when complete. Several files are written into a new directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::base::error::{Error, Result, failed};
use crate::base::parallel::n_threads;
use crate::base::system::{self, FileExt, SIGPIPE, begin_sync};
use crate::dataset::Dataset;
use crate::dataset_files::METADATA;
use crate::export::in_order::InOrder;
use crate::staging::STAGING;
use crate::store::entry::Kind;
use crate::store::files::{entry, is_there, move_to, remove};
use crate::store::new_directories::NewDirectories;
use crate::store::place::{is_absence, random_name};
use crate::store::sync::{sync, sync_parent};
use crate::store::{self, Place, Writer};

/// Name and content of the file that is locked while a directory of unfinished files is being filled; a directory
/// without it is not ours.
const LOCK: &str = ".lock";
const MARK: &[u8] = b"unfinished export of segy-import\n";
/// Bytes that are worth a write to the disk of their own.
const LONG_BYTES: usize = 128 << 10;

/// How a file takes its final name.
#[derive(Clone, Copy)]
pub(crate) struct Replacing {
    pub overwrite: bool,
    pub sync: bool,
}

/// The place of a file or directory to write, inside the directory that holds it, with permissions for new files
/// taken from the exported dataset.
///
/// # Errors
/// `Error::Usage` if it is not a file name, or is part of the dataset; `Error::Failed` if its directory cannot be
/// opened.
pub(crate) fn place_of(target: &Path, dataset: &Dataset) -> Result<Place> {
    let cannot = |e| Error::Failed(format!("{}: cannot be written to: {e}", target.display()));
    if store::is_remote(target) {
        return Place::to_write(target).map_err(cannot);
    }
    let Some(name) = target.file_name() else {
        return Err(Error::Usage(format!("{}: is not a file name", target.display())));
    };
    let document = entry(&dataset.root.join(METADATA))?;
    let file_mode = document.map_or(0o666, |document| document.mode & 0o666 | 0o600);
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = Place::to_write(parent).and_then(|parent| parent.with_file_mode(file_mode)).map_err(cannot)?;
    if let Some(part) = dataset.root.name_on_the_way_to(target).map_err(cannot)?
        && (part.to_str().is_some_and(|part| dataset.has_part(part)) || part == STAGING)
    {
        return Err(Error::Usage(format!(
            "{}: is part of the dataset being exported; choose another place",
            target.display()
        )));
    }
    Ok(parent.join(name))
}

/// Refuses an existing target.
pub(crate) fn check_target(target: &Path, overwrite: bool) -> Result<()> {
    if target.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Error::Usage(format!("{}: is the name of a directory; name the file to write", target.display())));
    }
    let found = match store::is_remote(target) {
        true => entry(&Place::to_write(target).map_err(failed(target.display()))?)?.map(|entry| entry.kind),
        false => match std::fs::symlink_metadata(target) {
            Ok(metadata) => Some(if metadata.is_file() { Kind::File } else { Kind::Other }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(failed(target.display())(e)),
        },
    };
    refuse(found, target, overwrite)
}

/// Like [`check_target`], with the target's directory held open.
fn check_place(target: &Place, overwrite: bool) -> Result<()> {
    refuse(entry(target)?.map(|entry| entry.kind), &target.path(), overwrite)
}

fn refuse(found: Option<Kind>, target: &Path, overwrite: bool) -> Result<()> {
    let in_the_way = |what: &str| Err(Error::OutputInTheWay(format!("{}: {what}", target.display())));
    match found {
        Some(Kind::File) if !overwrite => in_the_way("already exists; --overwrite replaces it"),
        None | Some(Kind::File) => Ok(()),
        Some(_) => in_the_way("already exists and is not a regular file; choose another"),
    }
}

/// A file or object being written; it is removed unless completed.
pub(crate) enum Unfinished {
    File(UnfinishedFile),
    Object(Box<UnfinishedObject>),
    /// Standard output.
    Standard(Mutex<InOrder<Stdout>>),
}

impl Unfinished {
    /// Creates it for this many bytes.
    pub(crate) fn create(target: Option<&Place>, bytes: u64, replacing: Replacing) -> Result<Self> {
        let Some(target) = target else { return Ok(Self::Standard(Mutex::new(InOrder::new(std::io::stdout())))) };
        if !target.is_remote() {
            return UnfinishedFile::create(target, bytes, replacing.sync).map(Self::File);
        }
        let writer = Writer::create_sized(target, bytes).map_err(failed(target.display()))?;
        let parts = Mutex::new(InOrder::new(writer));
        Ok(Self::Object(Box::new(UnfinishedObject { target: target.clone(), bytes, parts })))
    }

    /// How many threads may write to it; in an object, bytes far ahead of others would have to wait.
    pub(crate) fn n_threads(&self) -> usize {
        match self {
            Self::File(_) => n_threads(),
            Self::Object(_) | Self::Standard(_) => 1,
        }
    }

    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        match self {
            Self::File(file) => file.write_at(offset, bytes),
            Self::Object(object) => object.write_at(offset, bytes),
            Self::Standard(out) => {
                let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
                out.write_at(offset, bytes).map_err(not_taken)
            }
        }
    }

    /// Gives it its final name. A file that appeared there meanwhile is replaced only if that was asked for.
    pub(crate) fn complete(self, replacing: Replacing) -> Result<()> {
        match self {
            Self::File(file) => file.complete(replacing),
            Self::Object(object) => object.complete(replacing),
            Self::Standard(out) => {
                let mut out = out.into_inner().unwrap_or_else(PoisonError::into_inner);
                out.writer.flush().map_err(not_taken)
            }
        }
    }
}

/// The error of standard output. A closed pipe ends the program, as it ends others.
fn not_taken(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Error::Cancelled { signal: SIGPIPE, left: None },
        _ => failed("standard output")(error),
    }
}

/// An object being written.
pub(crate) struct UnfinishedObject {
    target: Place,
    bytes: u64,
    parts: Mutex<InOrder<Writer>>,
}

impl UnfinishedObject {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let written = parts.write_at(offset, bytes);
        written.map_err(failed(self.target.display()))
    }

    fn complete(self, replacing: Replacing) -> Result<()> {
        let parts = self.parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        if parts.end != self.bytes {
            let path = self.target.display();
            return Err(Error::Failed(format!("{path}: only {} of its {} bytes were written", parts.end, self.bytes)));
        }
        check_place(&self.target, replacing.overwrite)?;
        parts.writer.finish().map_err(failed(self.target.display()))
    }
}

/// Several files being written; they are removed unless all are completed.
pub(crate) enum UnfinishedFiles {
    Directory(UnfinishedDirectory),
    Objects(UnfinishedObjects),
}

impl UnfinishedFiles {
    /// Creates files with these names in the directory `target`, creating it and its parents.
    pub(crate) fn create(target: &Path, dataset: &Dataset, names: &[String], overwrite: bool) -> Result<Self> {
        if !store::is_remote(target) {
            return UnfinishedDirectory::create(target, dataset, names, overwrite).map(Self::Directory);
        }
        names.iter().try_for_each(|name| check_target(&target.join(name), overwrite))?;
        let prefix = Place::to_write(target).map_err(failed(target.display()))?;
        Ok(Self::Objects(UnfinishedObjects { prefix, overwrite, written: Vec::new() }))
    }

    /// Writes the file of this name with `write`, which gets its place and how it takes its name, and returns its
    /// length.
    pub(crate) fn add(
        &mut self,
        name: &str,
        sync: bool,
        write: impl FnOnce(&Place, Replacing) -> Result<u64>,
    ) -> Result<u64> {
        match self {
            Self::Directory(directory) => write(&directory.files.join(name), Replacing { overwrite: false, sync }),
            Self::Objects(objects) => {
                let place = objects.prefix.join(name);
                let bytes = write(&place, Replacing { overwrite: objects.overwrite, sync })?;
                objects.written.push(place.path());
                Ok(bytes)
            }
        }
    }

    /// Keeps the files.
    pub(crate) fn complete(self, names: &[String], replacing: Replacing) -> Result<()> {
        match self {
            Self::Directory(directory) => directory.complete(names, replacing),
            Self::Objects(mut objects) => {
                objects.written.clear();
                Ok(())
            }
        }
    }
}

/// Objects written one after the other; each replaced any earlier one at once.
pub(crate) struct UnfinishedObjects {
    prefix: Place,
    overwrite: bool,
    written: Vec<PathBuf>,
}

impl Drop for UnfinishedObjects {
    fn drop(&mut self) {
        // The error that led here is what gets reported.
        let _ = store::remove_all(&self.written);
    }
}

/// A directory of files being filled next to its final place; it is removed unless completed.
pub(crate) struct UnfinishedDirectory {
    /// Its name, which is practically unique.
    temporary: Place,
    /// The same directory, held open.
    files: Place,
    target: Place,
    parents: NewDirectories,
    /// Held while it is being filled.
    _lock: File,
}

impl UnfinishedDirectory {
    /// Removes what killed exports of the same name left.
    fn create(target: &Path, dataset: &Dataset, names: &[String], overwrite: bool) -> Result<Self> {
        check_directory(target, names, overwrite)?;
        let cannot = |e| Error::Failed(format!("{}: cannot be written to: {e}", target.display()));
        let parents = NewDirectories::for_file(target)?;
        let target = place_of(target, dataset)?;
        remove_leftovers(&target);
        let temporary = beside(&target);
        temporary.create_directory().map_err(cannot)?;
        let marked = Self::mark(&temporary);
        let (files, lock) = marked.inspect_err(|_| drop(remove(&temporary))).map_err(cannot)?;
        Ok(Self { temporary, files, target, parents, _lock: lock })
    }

    /// Opens a new directory and puts our mark into it, locked.
    fn mark(directory: &Place) -> std::io::Result<(Place, File)> {
        let files = directory.held_open()?;
        let mut lock = files.join(LOCK).create_new()?;
        lock.write_all(MARK)?;
        // Without locks, leftovers are never assumed to be abandoned.
        let _ = system::try_lock(&lock);
        Ok((files, lock))
    }

    /// Moves the files into place: one rename for all, or one for each if the directory exists already.
    fn complete(self, names: &[String], replacing: Replacing) -> Result<()> {
        check_directory(&self.target.path(), names, replacing.overwrite)?;
        if is_there(&self.target)? {
            names.iter().try_for_each(|name| move_to(&self.files.join(name), &self.target.join(name)))?;
            if replacing.sync {
                sync(&self.target)?;
            }
            return Ok(());
        }
        remove(&self.files.join(LOCK))?;
        move_to(&self.temporary, &self.target)?;
        if replacing.sync {
            sync_parent(&self.target)?;
            self.parents.sync()?;
        }
        Ok(())
    }
}

impl Drop for UnfinishedDirectory {
    fn drop(&mut self) {
        // The error that led here is what gets reported, as for a file.
        let _ = remove(&self.temporary);
    }
}

/// A practically unique name next to a target.
fn beside(target: &Place) -> Place {
    let name = random_name(&target.file_name().unwrap_or_default());
    target.parent().map_or_else(|| target.clone(), |parent| parent.join(name))
}

/// Removes directories left by killed exports of this name: those with our mark that nobody has locked.
fn remove_leftovers(target: &Place) {
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else { return };
    let is_like = |found: &OsStr| {
        let found = found.to_string_lossy();
        found.starts_with(&format!(".{}.", name.to_string_lossy())) && found.ends_with(".segy-import")
    };
    for found in parent.names().unwrap_or_default().into_iter().filter(|found| is_like(found)) {
        let directory = parent.join(found);
        let lock = directory.held_open().and_then(|held| {
            let mut text = Vec::new();
            held.join(LOCK).read_at_most(MARK.len() as u64, &mut text)?;
            if text == MARK { held.join(LOCK).open_to_write() } else { Err(std::io::ErrorKind::NotFound.into()) }
        });
        if lock.is_ok_and(|lock| system::try_lock(&lock).is_ok()) {
            // What cannot be removed is unused and does no harm.
            let _ = directory.remove();
        }
    }
}

/// Refuses a target for several files if it is not a directory, or if one of their names is taken.
fn check_directory(target: &Path, names: &[String], overwrite: bool) -> Result<()> {
    let path = target.display();
    match std::fs::metadata(target) {
        Err(e) if is_absence(&e) => return Ok(()),
        Err(e) => return Err(Error::Failed(format!("{path}: {e}"))),
        Ok(metadata) if !metadata.is_dir() => {
            return Err(Error::OutputInTheWay(format!(
                "{path}: is a file, but the dataset was made from {} files; give a directory, or choose one file with --file",
                names.len()
            )));
        }
        Ok(_) => {}
    }
    names.iter().try_for_each(|name| check_target(&target.join(name), overwrite))
}

/// A file being written, unnamed if the system allows; it is removed unless completed.
pub(crate) struct UnfinishedFile {
    file: File,
    /// Its temporary name until it is complete, if it has one.
    temporary: Option<Place>,
    target: Place,
    /// Whether it will be synced, so that writing to disk can start early.
    is_durable: bool,
}

impl UnfinishedFile {
    /// Creates it and reserves `bytes` bytes.
    fn create(target: &Place, bytes: u64, is_durable: bool) -> Result<Self> {
        let cannot = |e| Error::Failed(format!("{}: cannot be written to: {e}", target.display()));
        let (file, temporary) = unnamed(target).map_err(cannot)?;
        // The new file takes over the permissions of the one it replaces.
        if let Some(replaced) = entry(target)? {
            system::set_mode(&file, replaced.mode).map_err(cannot)?;
        }
        let unfinished = Self { file, temporary, target: target.clone(), is_durable };
        unfinished.reserve(bytes)?;
        unfinished.file.set_len(bytes).map_err(failed(target.display()))?;
        Ok(unfinished)
    }

    /// Reserves the space now, so that a full disk is noticed before the work begins.
    fn reserve(&self, bytes: u64) -> Result<()> {
        let path = self.target.display();
        system::reserve(&self.file, bytes)
            .map_err(|e| Error::Failed(format!("{path}: no space for its {bytes} bytes: {e}")))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.step()?;
        self.file.write_all_at(bytes, offset).map_err(failed(self.target.display()))?;
        // Shorter pieces wait for the end: pages that are not full yet would be written twice.
        if self.is_durable && bytes.len() >= LONG_BYTES {
            begin_sync(&self.file, offset, bytes.len() as u64);
        }
        Ok(())
    }

    /// Where tests inject failures.
    fn step(&self) -> Result<()> {
        store::steps::step(&self.target.path()).map_err(failed(self.target.display()))
    }

    /// Gives the file its final name. One that appeared there meanwhile is replaced only if that was asked for.
    fn complete(mut self, replacing: Replacing) -> Result<()> {
        if replacing.sync {
            self.step()?;
            self.file.sync_all().map_err(failed(format!("{}: cannot be synced to disk", self.target.display())))?;
        }
        check_place(&self.target, replacing.overwrite)?;
        match self.temporary.take() {
            Some(temporary) => {
                // Dropping this removes it until it has its final name.
                self.temporary = Some(temporary.clone());
                move_to(&temporary, &self.target)?;
                self.temporary = None;
            }
            None => self.give_name(replacing.overwrite)?,
        }
        if replacing.sync { sync_parent(&self.target) } else { Ok(()) }
    }

    /// Gives an unnamed file the name of the target.
    fn give_name(&mut self, overwrite: bool) -> Result<()> {
        match self.target.link_unnamed(&self.file) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => check_place(&self.target, overwrite)?,
            Err(e) => return Err(failed(self.target.display())(e)),
        }
        let temporary = beside(&self.target);
        temporary.link_unnamed(&self.file).map_err(failed(self.target.display()))?;
        self.temporary = Some(temporary.clone());
        move_to(&temporary, &self.target)?;
        self.temporary = None;
        Ok(())
    }
}

/// A new file in the target's directory: unnamed if it can be named later, otherwise with a practically unique name.
fn unnamed(target: &Place) -> std::io::Result<(File, Option<Place>)> {
    if let Some(parent) = target.parent()
        && let Some(file) = parent.create_linkable()?
    {
        return Ok((file, None));
    }
    let temporary = beside(target);
    Ok((temporary.create_new()?, Some(temporary)))
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // The error that led here is what gets reported; a file that cannot be removed does no harm.
            let _ = remove(temporary);
        }
    }
}

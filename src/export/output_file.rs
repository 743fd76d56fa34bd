//! Where exported files are written: beside their place, to which they are renamed once they are complete, or to an object
//! store, where an object is not there before it is complete.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::base::error::{Error, Result, failed};
use crate::dataset::units::n_threads;
use crate::store::files::{is_there, move_to, remove};
use crate::store::sync::{begin_sync, sync_parent};
use crate::store::{self, Writer};

/// How a file gets its name.
#[derive(Clone, Copy)]
pub(super) struct Replacing {
    pub overwrite: bool,
    pub sync: bool,
}

pub(super) fn check_target(target: &Path, overwrite: bool) -> Result<()> {
    let path = target.display();
    let in_the_way = |what: &str| Err(Error::OutputInTheWay(format!("{path}: {what}")));
    if store::is_remote(target) {
        return match store::is_file(target).map_err(failed(&path))? {
            true if !overwrite => in_the_way("is there already; --overwrite replaces it"),
            _ => Ok(()),
        };
    }
    match fs::symlink_metadata(target) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::Failed(format!("{path}: {e}"))),
        Ok(metadata) if !metadata.is_file() => in_the_way("is there already and is no regular file; name another"),
        Ok(_) if !overwrite => in_the_way("is there already; --overwrite replaces it"),
        Ok(_) => Ok(()),
    }
}

/// The hidden name beside `target` of what is being written.
fn hidden(target: &Path) -> Result<PathBuf> {
    let Some(name) = target.file_name() else {
        return Err(Error::Usage(format!("{}: is no name for a file", target.display())));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".segy-import");
    Ok(target.with_file_name(hidden))
}

fn lock(file: &File, path: &Path, target: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(Error::OutputInTheWay(format!("{}: another export is writing it", target.display())))
        }
        Err(TryLockError::Error(e)) => Err(Error::Failed(format!("{}: cannot be locked: {e}", path.display()))),
    }
}

/// A file or an object that is being written; it vanishes unless it is completed.
pub(super) enum Unfinished {
    File(UnfinishedFile),
    Object(Box<UnfinishedObject>),
}

impl Unfinished {
    /// For so many bytes.
    pub(super) fn create(target: &Path, bytes: u64, replacing: Replacing) -> Result<Self> {
        if !store::is_remote(target) {
            return UnfinishedFile::create(target, bytes, replacing.sync).map(Self::File);
        }
        let writer = Writer::create_sized(target, bytes).map_err(failed(target.display()))?;
        let parts = Mutex::new(InOrder { writer, end: 0, waiting: BTreeMap::new() });
        Ok(Self::Object(Box::new(UnfinishedObject { target: target.to_owned(), bytes, parts })))
    }

    /// Threads that may write to it: bytes that come far ahead of others would have to wait in memory.
    pub(super) fn n_threads(&self) -> usize {
        match self {
            Self::File(_) => n_threads(),
            Self::Object(_) => 1,
        }
    }

    pub(super) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        match self {
            Self::File(file) => file.write_at(offset, bytes),
            Self::Object(object) => object.write_at(offset, bytes),
        }
    }

    /// Gives it its name. What appeared there meanwhile is replaced only if that was asked for.
    pub(super) fn complete(self, replacing: Replacing) -> Result<()> {
        match self {
            Self::File(file) => file.complete(replacing),
            Self::Object(object) => object.complete(replacing),
        }
    }
}

/// An object that is being written.
pub(super) struct UnfinishedObject {
    target: PathBuf,
    bytes: u64,
    parts: Mutex<InOrder>,
}

/// Bytes of an object, which is written from front to back; those that come too early wait for the others.
struct InOrder {
    writer: Writer,
    end: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
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
            return Err(Error::Failed(format!("{path}: {} of its {} bytes came", parts.end, self.bytes)));
        }
        check_target(&self.target, replacing.overwrite)?;
        parts.writer.finish().map_err(failed(self.target.display()))
    }
}

impl InOrder {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        if offset != self.end {
            self.waiting.insert(offset, bytes.to_vec());
            return Ok(());
        }
        self.writer.write_all(bytes)?;
        self.end += bytes.len() as u64;
        while let Some(bytes) = self.waiting.remove(&self.end) {
            self.writer.write_all(&bytes)?;
            self.end += bytes.len() as u64;
        }
        Ok(())
    }
}

/// Where several files are being written; they vanish unless all are completed.
pub(super) enum UnfinishedFiles {
    Directory(UnfinishedDirectory),
    Objects(UnfinishedObjects),
}

impl UnfinishedFiles {
    pub(super) fn create(target: &Path, names: &[String], overwrite: bool) -> Result<Self> {
        if !store::is_remote(target) {
            return UnfinishedDirectory::create(target, names, overwrite).map(Self::Directory);
        }
        names.iter().try_for_each(|name| check_target(&target.join(name), overwrite))?;
        Ok(Self::Objects(UnfinishedObjects { prefix: target.to_owned(), overwrite, written: Vec::new() }))
    }

    /// Writes the file of this name with `write`, which gets its place and how it gets that name, and returns its length.
    pub(super) fn add(
        &mut self,
        name: &str,
        sync: bool,
        write: impl FnOnce(&Path, Replacing) -> Result<u64>,
    ) -> Result<u64> {
        match self {
            Self::Directory(directory) => write(&directory.path.join(name), Replacing { overwrite: false, sync }),
            Self::Objects(objects) => {
                let path = objects.prefix.join(name);
                let bytes = write(&path, Replacing { overwrite: objects.overwrite, sync })?;
                objects.written.push(path);
                Ok(bytes)
            }
        }
    }

    /// Lets them stay.
    pub(super) fn complete(self, names: &[String], replacing: Replacing) -> Result<()> {
        match self {
            Self::Directory(directory) => directory.complete(names, replacing),
            Self::Objects(mut objects) => {
                objects.written.clear();
                Ok(())
            }
        }
    }
}

/// Objects that were written one after the other, each of which took the place of another at once.
pub(super) struct UnfinishedObjects {
    prefix: PathBuf,
    overwrite: bool,
    written: Vec<PathBuf>,
}

impl Drop for UnfinishedObjects {
    fn drop(&mut self) {
        // Whoever sees the error that led here is told that.
        let _ = store::remove_all(&self.written);
    }
}

/// A directory of files that is being filled beside its place; it vanishes unless it is completed.
pub(super) struct UnfinishedDirectory {
    pub path: PathBuf,
    target: PathBuf,
    /// Held while it is filled.
    _lock: File,
}

impl UnfinishedDirectory {
    /// What a killed export of the same name left is removed.
    pub(super) fn create(target: &Path, names: &[String], overwrite: bool) -> Result<Self> {
        let path = hidden(target)?;
        check_directory(target, names, overwrite)?;
        let cannot = |e| Error::Failed(format!("{}: cannot be written to: {e}", target.display()));
        fs::create_dir_all(&path).map_err(cannot)?;
        let lock_path = path.join(".lock");
        let file = File::create(&lock_path).map_err(cannot)?;
        lock(&file, &lock_path, target)?;
        let unfinished = Self { path, target: target.to_owned(), _lock: file };
        for entry in fs::read_dir(&unfinished.path).map_err(cannot)? {
            let entry = entry.map_err(cannot)?.path();
            if entry != lock_path {
                remove(&entry)?;
            }
        }
        Ok(unfinished)
    }

    /// Gives the files their places: a rename of all of them, or of each where a directory is there already.
    pub(super) fn complete(self, names: &[String], replacing: Replacing) -> Result<()> {
        check_directory(&self.target, names, replacing.overwrite)?;
        if is_there(&self.target)? {
            names.iter().try_for_each(|name| move_to(&self.path.join(name), &self.target.join(name)))?;
            return match names.first().filter(|_| replacing.sync) {
                Some(name) => sync_parent(&self.target.join(name)),
                None => Ok(()),
            };
        }
        remove(&self.path.join(".lock"))?;
        move_to(&self.path, &self.target)?;
        if replacing.sync { sync_parent(&self.target) } else { Ok(()) }
    }
}

impl Drop for UnfinishedDirectory {
    fn drop(&mut self) {
        // As with a file: whoever sees the error that led here is told that.
        let _ = remove(&self.path);
    }
}

/// Refuses a target for several files that is no directory, or where one of their names is taken.
fn check_directory(target: &Path, names: &[String], overwrite: bool) -> Result<()> {
    let path = target.display();
    match fs::metadata(target) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::Failed(format!("{path}: {e}"))),
        Ok(metadata) if !metadata.is_dir() => {
            return Err(Error::OutputInTheWay(format!(
                "{path}: is a file, and the dataset was made from {} files; name a directory, or one of them with --file",
                names.len()
            )));
        }
        Ok(_) => {}
    }
    names.iter().try_for_each(|name| check_target(&target.join(name), overwrite))
}

/// A file that is being written beside its place; it vanishes unless it is completed.
pub(super) struct UnfinishedFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    is_complete: bool,
    /// Whether it is going to be synced, so that the disk may begin early.
    is_durable: bool,
}

impl UnfinishedFile {
    /// Makes room for `bytes` bytes. What a killed export of the same name left is taken over.
    fn create(target: &Path, bytes: u64, is_durable: bool) -> Result<Self> {
        let path = hidden(target)?;
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|e| Error::Failed(format!("{}: cannot be written to: {e}", target.display())))?;
        lock(&file, &path, target)?;
        let unfinished = Self { file, path, target: target.to_owned(), is_complete: false, is_durable };
        unfinished.file.set_len(0).map_err(failed(target.display()))?;
        unfinished.reserve(bytes)?;
        unfinished.file.set_len(bytes).map_err(failed(target.display()))?;
        Ok(unfinished)
    }

    /// Asks for the space at once, so that a full disk is found before the work and not in its midst.
    fn reserve(&self, bytes: u64) -> Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            use rustix::io::Errno;
            // Where the file system cannot do it, writing will find out.
            if let Err(e @ (Errno::NOSPC | Errno::FBIG | Errno::DQUOT)) =
                fallocate(&self.file, FallocateFlags::empty(), 0, bytes)
            {
                let path = self.target.display();
                return Err(Error::Failed(format!("{path}: there is no room for its {bytes} bytes: {e}")));
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(failed(self.target.display()))?;
        if self.is_durable {
            begin_sync(&self.file, offset, bytes.len() as u64);
        }
        Ok(())
    }

    /// Gives the file its name. One that appeared meanwhile is replaced only if that was asked for.
    fn complete(mut self, replacing: Replacing) -> Result<()> {
        if replacing.sync {
            self.file
                .sync_all()
                .map_err(failed(format!("{}: cannot be brought to the disk", self.target.display())))?;
        }
        check_target(&self.target, replacing.overwrite)?;
        fs::rename(&self.path, &self.target).map_err(failed(self.target.display()))?;
        self.is_complete = true;
        if replacing.sync { sync_parent(&self.target) } else { Ok(()) }
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.is_complete {
            // Whoever sees the error that led here is told that; a file that cannot be removed has the name of no other.
            let _ = fs::remove_file(&self.path);
        }
    }
}

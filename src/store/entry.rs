//! What stands under a name: a file, a directory, a link, with its size, permissions and identity.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::FileType;

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Of a file; for a directory, whatever its file system says.
    pub bytes: u64,
    /// Permissions.
    pub mode: u32,
    /// Number of the file system and inode number. 0 for objects.
    pub id: (u64, u64),
    /// When it was last modified.
    pub modified: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Link,
    /// A pipe, a device, a socket.
    Other,
}

impl Entry {
    #[allow(clippy::unnecessary_cast, reason = "the types are not the same on all systems")]
    pub(super) fn of(stat: &rustix::fs::Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        let modified = UNIX_EPOCH + seconds + Duration::from_nanos(stat.st_mtime_nsec as u64);
        let mode = stat.st_mode as u32 & 0o7777;
        Self { kind, bytes: stat.st_size as u64, mode, id: (stat.st_dev as u64, stat.st_ino), modified }
    }

    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

/// The permissions of a directory for files with these: whoever may read the files may search it.
pub(crate) fn directory_mode(file_mode: u32) -> u32 {
    file_mode | (file_mode & 0o444) >> 2
}

//! What stands under a name: a file, a directory, a link, with its size, permissions and identity.

use std::time::SystemTime;

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Of a file; for a directory, whatever its file system says.
    pub bytes: u64,
    /// Permissions, as on Unix. Windows has none of this kind: everybody may.
    pub mode: u32,
    /// Number of the file system and inode number, or what Windows has for them. 0 for objects.
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
    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

/// The permissions of a directory for files with these: whoever may read the files may search it.
pub(crate) fn directory_mode(file_mode: u32) -> u32 {
    file_mode | (file_mode & 0o444) >> 2
}

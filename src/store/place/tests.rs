//! Tests of places on this computer, and of the small operations on them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::io::Errno;

use crate::store::Place;
use crate::store::entry::{Kind, directory_mode};
use crate::store::faults::Faults;
use crate::store::files::{entry, find_json, is_there, write_json};
use crate::store::place::random_name;

fn root() -> (tempfile::TempDir, Place) {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::to_write(directory.path()).unwrap();
    (directory, place)
}

fn sorted(place: &Place) -> Vec<OsString> {
    let mut names = place.names().unwrap();
    names.sort();
    names
}

#[test]
fn an_entry_says_what_the_system_says() {
    let (directory, root) = root();
    let file = directory.path().join("file");
    fs::write(&file, "five!").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    symlink("file", directory.path().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    let found = root.join("file").find().unwrap().unwrap();
    let told = fs::metadata(&file).unwrap();
    assert_eq!((found.kind, found.bytes, found.mode), (Kind::File, 5, 0o640));
    assert_eq!((found.id, found.modified), ((told.dev(), told.ino()), told.modified().unwrap()));
    let kinds = [Kind::Directory, Kind::Link, Kind::Other];
    for (name, kind) in ["directory", "link", "socket"].into_iter().zip(kinds) {
        let found = entry(&root.join(name)).unwrap().unwrap();
        assert_eq!((found.kind, found.is_directory()), (kind, kind == Kind::Directory));
    }
    assert!(root.find().unwrap().unwrap().is_directory());
    assert_eq!(root.join("none").find().unwrap(), None);
    assert_eq!(root.join("file/none").find().unwrap(), None);
    assert!(is_there(&root.join("link")).unwrap() && !is_there(&root.join("none")).unwrap());
    assert!(root.join("link/none").find().is_err());
}

#[test]
fn names_and_paths_are_those_below_the_root() {
    let (directory, root) = root();
    let place = root.join("a").join("b.bin");
    assert_eq!(place.path(), directory.path().join("a/b.bin"));
    assert_eq!(root.path(), directory.path());
    assert_eq!(place.parent().unwrap().path(), directory.path().join("a"));
    assert!(root.parent().is_none());
    assert_eq!(place.file_name().unwrap(), OsStr::new("b.bin"));
    assert_eq!(root.file_name().as_deref(), directory.path().file_name());
    assert_eq!(place.with_extension("part").path(), directory.path().join("a/b.part"));
    assert_eq!(place.display().to_string(), place.path().display().to_string());
    assert!(!place.is_remote());
    // Without a directory, the current one.
    assert!(Place::of(Path::new("Cargo.toml")).unwrap().find().unwrap().is_some());
    assert!(Place::of(Path::new("/")).is_err());
}

#[test]
fn a_file_that_is_created_again_is_another_file() {
    let (directory, root) = root();
    let (file, other) = (root.join("file"), directory.path().join("other"));
    file.write(b"old").unwrap();
    fs::hard_link(directory.path().join("file"), &other).unwrap();
    file.write(b"new").unwrap();
    assert_eq!((fs::read(&other).unwrap(), file.read().unwrap()), (b"old".to_vec(), b"new".to_vec()));
    assert_eq!(file.create_new().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    symlink("other", directory.path().join("link")).unwrap();
    root.join("link").write(b"new").unwrap();
    assert_eq!(fs::read(&other).unwrap(), b"old");
    root.join("directory").create_directory().unwrap();
    assert!(root.join("directory").create().is_err());
    assert_eq!(root.join("none/file").create().unwrap_err().kind(), io::ErrorKind::NotFound);
    let fault = Faults::below(directory.path(), 1, Errno::IO);
    assert_eq!(file.create().unwrap_err().raw_os_error(), Some(Errno::IO.raw_os_error()));
    drop(fault);
    assert_eq!(file.read().unwrap(), b"new");
}

#[test]
fn only_regular_files_are_opened() {
    let (directory, root) = root();
    root.join("file").write(b"content").unwrap();
    let mut text = String::new();
    root.join("file").open().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "content");
    root.join("file").open_to_write().unwrap().write_all(b"C").unwrap();
    assert_eq!(root.join("file").read().unwrap(), b"Content");
    assert!(root.join("file").open().unwrap().write_all(b"C").is_err());
    for name in ["", "/dev/null"] {
        let place = if name.is_empty() { root.clone() } else { Place::of(Path::new(name)).unwrap() };
        assert_eq!(place.open().unwrap_err().to_string(), "is not a regular file", "{name}");
    }
    assert_eq!(
        Place::of(Path::new("/dev/null")).unwrap().open_to_write().unwrap_err().to_string(),
        "is not a regular file"
    );
    symlink("file", directory.path().join("link")).unwrap();
    assert!(root.join("link").open().is_err());
    let read = Place::to_read(directory.path()).unwrap();
    assert_eq!(read.join("link").read().unwrap(), b"Content");
}

#[test]
fn a_document_is_read_up_to_a_limit_and_a_sparse_file_is_given_up() {
    let (directory, root) = root();
    root.join("file").write(b"abc").unwrap();
    let mut out = b"before ".to_vec();
    root.join("file").read_at_most(3, &mut out).unwrap();
    assert_eq!(out, b"before abc");
    let refusal = root.join("file").read_at_most(2, &mut out).unwrap_err().to_string();
    assert_eq!(refusal, "has 3 bytes, more than the limit of 2");
    // As long as the piece that is read at a time.
    fs::File::create(directory.path().join("sparse")).unwrap().set_len(64 << 20).unwrap();
    assert_eq!(root.join("sparse").read().unwrap_err().kind(), io::ErrorKind::InvalidData);
    fs::File::create(directory.path().join("huge")).unwrap().set_len((1 << 32) + 1).unwrap();
    assert!(root.join("huge").read().unwrap_err().to_string().contains("more than the limit"));
}

#[test]
fn what_has_no_name_is_not_in_the_directory_until_it_gets_one() {
    let (_directory, root) = root();
    let mut file = root.create_unnamed().unwrap();
    file.write_all(b"content").unwrap();
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), root.names().unwrap()), ("content", Vec::new()));
    #[cfg(target_os = "linux")]
    if let Some(mut file) = root.create_linkable().unwrap() {
        file.write_all(b"content").unwrap();
        assert!(root.names().unwrap().is_empty());
        root.join("file").link_unnamed(&file).unwrap();
        assert_eq!(root.join("file").read().unwrap(), b"content");
        // Where the system says that it cannot, or that there is no such directory; any other error is one.
        assert!(root.join("none").create_linkable().unwrap().is_none());
        assert!(root.join("file").create_linkable().is_err());
        let taken = root.join("file").link_unnamed(&file).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    }
}

#[test]
fn directories_are_made_with_their_parents_and_searchable_by_whoever_may_read() {
    let (directory, root) = root();
    let root = root.with_file_mode(0o600).unwrap();
    let inner = root.join("a/b/c");
    inner.create_directories().unwrap();
    inner.create_directories().unwrap();
    root.create_directories().unwrap();
    assert_eq!(inner.create_directory().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    inner.join("file").write(b"").unwrap();
    for (name, mode) in [("a", 0o700), ("a/b/c", 0o700), ("a/b/c/file", 0o600)] {
        assert_eq!(fs::metadata(directory.path().join(name)).unwrap().mode() & 0o777, mode, "{name}");
    }
    assert_eq!(inner.join("file").create_directories().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert!(inner.join("file/d").create_directories().is_err());
    let counted = Faults::below(directory.path(), 0, Errno::IO);
    root.join("counted/b/c").create_directories().unwrap();
    let n_calls = counted.calls();
    drop(counted);
    assert!(n_calls > 3);
    for n in 1..=n_calls {
        let _fault = Faults::below(directory.path(), n, Errno::IO);
        assert!(root.join(format!("{n}/b/c")).create_directories().is_err(), "call {n}");
    }
    assert_eq!([0o666, 0o640, 0o600, 0o444, 0o604].map(directory_mode), [0o777, 0o750, 0o700, 0o555, 0o705]);
}

#[test]
fn a_directory_is_removed_with_everything_in_it_and_a_link_alone() {
    let (directory, root) = root();
    let kept = directory.path().join("kept");
    fs::create_dir(&kept).unwrap();
    fs::write(kept.join("file"), "").unwrap();
    let gone = root.join("gone");
    gone.join("a/b").create_directories().unwrap();
    gone.join("a/file").write(b"").unwrap();
    symlink("../kept", directory.path().join("gone/link")).unwrap();
    assert!(gone.remove_directory().is_err());
    gone.remove().unwrap();
    assert_eq!(sorted(&root), ["kept"]);
    assert_eq!(sorted(&root.join("kept")), ["file"]);
    gone.remove().unwrap();
    gone.remove_directory().unwrap();
    root.join("kept/file/none").remove().unwrap();
    root.join("kept/file").remove().unwrap();
    root.join("kept").remove_directory().unwrap();
    assert!(root.names().unwrap().is_empty());
}

#[test]
fn a_file_is_renamed_over_another() {
    let (directory, root) = root();
    root.join("a").create_directory().unwrap();
    root.join("a/file").write(b"new").unwrap();
    root.join("file").write(b"old").unwrap();
    root.join("a/file").rename(&root.join("file")).unwrap();
    assert_eq!((root.join("file").read().unwrap(), sorted(&root.join("a"))), (b"new".to_vec(), Vec::new()));
    assert_eq!(root.join("none").rename(&root.join("b")).unwrap_err().kind(), io::ErrorKind::NotFound);
    root.join("file").sync().unwrap();
    root.join("a").sync().unwrap();
    root.sync().unwrap();
    assert!(root.join("none").sync().is_err());
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(root.join("pipe").open().unwrap_err().to_string(), "is not a regular file");
    assert!(root.join("pipe").sync().is_err());
}

#[test]
fn a_directory_that_is_held_open_stays_the_same_whatever_its_name() {
    let (directory, root) = root();
    root.join("a").create_directory().unwrap();
    let held = root.join("a").held_open().unwrap();
    root.join("a").rename(&root.join("b")).unwrap();
    held.join("file").write(b"").unwrap();
    assert_eq!(sorted(&root.join("b")), ["file"]);
    symlink("b", directory.path().join("a")).unwrap();
    assert!(root.join("a").held_open().is_err());
    assert!(root.join("a/file").open().is_err());
    assert!(root.join("a").names().is_err());
    assert!(root.join("b/file").held_open().is_err());
    let read = Place::to_read(directory.path()).unwrap();
    assert_eq!(sorted(&read.join("a")), ["file"]);
    assert!(Place::to_write(&directory.path().join("b/file")).is_err());
}

#[test]
fn the_name_of_a_part_is_found_on_the_way_to_a_file() {
    let (directory, root) = root();
    root.join("part/inner").create_directories().unwrap();
    let way = |name: &str| root.name_on_the_way_to(&directory.path().join(name)).unwrap();
    assert_eq!(way("part/inner"), Some("part".into()));
    assert_eq!(way("part/inner/new"), Some("part".into()));
    assert_eq!(way("new"), Some("new".into()));
    assert_eq!(way("."), None);
    let (elsewhere, _) = self::root();
    symlink(directory.path(), elsewhere.path().join("link")).unwrap();
    assert_eq!(root.name_on_the_way_to(&elsewhere.path().join("link/part")).unwrap(), Some("part".into()));
    assert_eq!(root.name_on_the_way_to(&elsewhere.path().join("link")).unwrap(), None);
    assert_eq!(root.name_on_the_way_to(&elsewhere.path().join("new")).unwrap(), None);
    assert_eq!(root.name_on_the_way_to(Path::new("a-name-that-does-not-exist")).unwrap(), None);
    assert!(root.name_on_the_way_to(&directory.path().join("none/new")).is_err());
    root.join("file").write(b"").unwrap();
    assert!(root.name_on_the_way_to(&directory.path().join("file/new")).is_err());
}

#[test]
fn a_random_name_is_hidden_and_of_its_own() {
    let [first, second] = [0; 2].map(|_| random_name(OsStr::new("file")).into_string().unwrap());
    assert!(first.starts_with(".file.") && first.ends_with(".segy-import"), "{first}");
    assert_ne!(first, second);
}

#[test]
fn a_json_document_that_is_not_there_or_no_json_is_none_and_anything_else_an_error() {
    let (_directory, root) = root();
    let find = |name: &str| find_json::<u32>(&root.join(name));
    write_json(&root.join("seven"), &7).unwrap();
    assert_eq!(root.join("seven").read().unwrap(), b"7\n");
    assert_eq!(find("seven"), Ok(Some(7)));
    assert_eq!((find("none"), find("seven/none")), (Ok(None), Ok(None)));
    root.join("words").write(b"seven").unwrap();
    assert_eq!(find("words"), Ok(None));
    root.join("directory").create_directory().unwrap();
    assert!(find("directory").is_err());
}

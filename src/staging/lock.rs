//! Keeps apart imports that write to the same directory: the lock in its staging area, which also marks the area as one
//! of this program.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use crate::base::error::{Error, Result, failed};
use crate::base::system;
use crate::staging::{STAGING, attempt, in_place_of_staging};
use crate::store::Place;
use crate::store::entry::{Entry, Kind};
use crate::store::files::{entry, is_there};
use crate::store::place::is_absence;

/// Name of the file in the staging area that the writing process holds a lock on.
pub(super) const LOCK: &str = "lock";
/// Name of the file that serves as a lock on file systems without locks.
const LOCK_FILE: &str = "lock.held";
/// Name of the file that a process makes while it removes the lock file of a process that has ended.
const TURN: &str = "lock.turn";
/// Content of the lock: a directory without it is somebody else's.
const MARK: &[u8] = b"staging area of segy-import\n";

/// An import that ends removes lock and directory, possibly between any two steps here; and the workers of a killed
/// import hold the lock until they notice.
const ATTEMPTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Held while a directory is being written to.
pub(super) enum Lock {
    /// A system lock on the file [`LOCK`].
    System(File),
    /// For file systems that refuse locks: a file that exists while the process lives, and the system's error.
    File(Place, String),
}

impl Lock {
    /// The names in a staging area that belong to the lock.
    pub(super) fn names() -> impl Iterator<Item = &'static &'static str> {
        [LOCK_FILE, TURN, LOCK].iter()
    }

    /// The file for child processes to inherit.
    pub(super) fn file(&self) -> Option<&File> {
        match self {
            Self::System(file) => Some(file),
            Self::File(..) => None,
        }
    }

    /// The warning to give if the system has no locks.
    pub(super) fn warning(&self) -> Option<String> {
        match self {
            Self::System(_) => None,
            Self::File(place, why) => Some(format!(
                "{}: this file system has no locks ({why}); that file keeps other imports away",
                place.display()
            )),
        }
    }

    /// Creates the staging area of an output directory and takes its lock. Returns the area, held open.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` if another import holds it, or if it is somebody else's.
    pub(super) fn take(root: &Place) -> Result<(Place, Self)> {
        let mut is_held = false;
        for _ in 0..ATTEMPTS {
            let Some(staging) = made(root)? else { continue };
            let path = staging.join(LOCK);
            let file = match open(&path) {
                Ok(file) => file,
                // The import that created it has ended.
                Err(e) if is_absence(&e) => continue,
                Err(e) if entry(&path)?.is_some_and(|found| found.kind != Kind::File) => {
                    return Err(Error::OutputInTheWay(format!(
                        "{}: is not a lock file: {e}; remove it",
                        path.display()
                    )));
                }
                Err(e) => return Err(Error::Failed(format!("{}: cannot be written to: {e}", root.display()))),
            };
            match system::try_lock(&file) {
                Ok(()) if is_current(root, &staging, &file)? => {
                    see_that_it_is_ours(&staging, file.try_clone().map_err(failed(path.display()))?)?;
                    return Ok((staging, Self::System(file)));
                }
                // The lock of an import that has ended; it no longer guards anything.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    is_held = true;
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(e)) => {
                    see_that_it_is_ours(&staging, file)?;
                    let lock = Self::without_the_system(&staging, &e)?;
                    return Ok((staging, lock));
                }
            }
        }
        let what =
            if is_held { "another import is writing here" } else { "other imports keep starting and ending here" };
        Err(Error::OutputInTheWay(format!("{}: {what}", root.display())))
    }

    /// A file that only one process can create, naming that process; for systems that refuse to lock (`why`).
    fn without_the_system(staging: &Place, why: &io::Error) -> Result<Self> {
        let place = staging.join(LOCK_FILE);
        let held_by = |found: &Holder| {
            Error::OutputInTheWay(format!(
                "{}: another import is writing here, on {} (process {}); this file system has no locks ({why}), so if \
                 none is, remove that file",
                place.display(),
                found.host,
                found.pid
            ))
        };
        for _ in 0..ATTEMPTS {
            match place.create_new() {
                Ok(mut file) => {
                    file.write_all(Holder::this().line().as_bytes()).map_err(failed(place.display()))?;
                    return Ok(Self::File(place, why.to_string()));
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(place.display())(e)),
            }
            let text = match place.read() {
                Ok(text) => text,
                Err(e) if is_absence(&e) => continue,
                Err(e) => return Err(failed(place.display())(e)),
            };
            match Holder::of(&String::from_utf8_lossy(&text)) {
                Some(holder) if holder.is_gone() => remove_stale(staging, &place, &text)?,
                Some(holder) => return Err(held_by(&holder)),
                // It is being written right now.
                None => std::thread::sleep(PAUSE),
            }
        }
        Err(held_by(&Holder::of("? ? 0").unwrap_or_else(Holder::this)))
    }
}

/// Removes a lock file that says `text`, unless it says something else by now: of several processes that find it only one may,
/// or the next would remove the file that the first has made since.
fn remove_stale(staging: &Place, place: &Place, text: &[u8]) -> Result<()> {
    let turn = staging.join(TURN);
    match turn.create_new() {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            std::thread::sleep(PAUSE);
            return Ok(());
        }
        Err(e) => return Err(failed(turn.display())(e)),
    }
    let removed = match place.read() {
        Ok(now) if now == text => place.remove(),
        Ok(_) => Ok(()),
        Err(e) if is_absence(&e) => Ok(()),
        Err(e) => Err(e),
    };
    let ended = turn.remove();
    removed.and(ended).map_err(failed(place.display()))
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Self::File(place, _) = self {
            // A file that stays names the process that held it, and the next import sees that the process has ended.
            let _ = place.remove();
        }
    }
}

/// The process that made a lock file.
struct Holder {
    host: String,
    boot_id: String,
    pid: u32,
}

impl Holder {
    fn this() -> Self {
        let boot_id = system::boot_id().map_or("-".into(), |id| id.trim().to_owned());
        Self { host: attempt::host_name(), boot_id, pid: std::process::id() }
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.host, self.boot_id, self.pid)
    }

    /// `None` if it is not a whole line.
    fn of(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n').unwrap_or(text).split(' ');
        let (host, boot_id, pid) = (words.next()?, words.next()?, words.next()?);
        Some(Self { host: host.to_owned(), boot_id: boot_id.to_owned(), pid: pid.parse().ok()? })
    }

    /// Whether its process has certainly ended: it ran on this computer, before the last restart or with a process
    /// number no longer in use.
    fn is_gone(&self) -> bool {
        let here = Self::this();
        if self.host != here.host {
            return false;
        }
        self.boot_id != here.boot_id || !system::is_running(self.pid)
    }
}

/// Creates the staging area, held open; `None` if it is removed at the same moment.
fn made(root: &Place) -> Result<Option<Place>> {
    let cannot = |e| Error::Failed(format!("{}: cannot be written to: {e}", root.display()));
    let staging = root.join(STAGING);
    match staging.create_directory() {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(cannot(e)),
    }
    match staging.held_open() {
        Ok(held) => Ok(Some(held)),
        Err(e) => match entry(&staging)? {
            None => Ok(None),
            Some(found) if found.is_directory() => Err(cannot(e)),
            Some(found) => Err(in_place_of_staging(&staging, found.kind)),
        },
    }
}

/// Opens or creates the lock file.
fn open(path: &Place) -> io::Result<File> {
    match path.open_to_write() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => match path.create_new() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => path.open_to_write(),
            made => made,
        },
        opened => opened,
    }
}

/// Whether lock and staging area still have their names.
fn is_current(root: &Place, staging: &Place, lock: &File) -> Result<bool> {
    let locked = system::identity_of(lock).map_err(failed(staging.display()))?;
    let id = |found: Option<Entry>| found.map(|entry| entry.id);
    Ok(id(entry(&staging.join(LOCK))?) == Some(locked) && id(entry(&root.join(STAGING))?) == id(entry(staging)?))
}

/// Checks that the area has the mark of this program, and marks a new one.
fn see_that_it_is_ours(staging: &Place, mut lock: File) -> Result<()> {
    let path = staging.join(LOCK).path();
    let in_lock = || failed(path.display());
    let mut text = Vec::new();
    lock.seek(SeekFrom::Start(0)).map_err(in_lock())?;
    Read::by_ref(&mut lock).take(2 * MARK.len() as u64).read_to_end(&mut text).map_err(in_lock())?;
    if text == MARK {
        return Ok(());
    }
    let names = staging.names().map_err(failed(staging.display()))?;
    let is_new = text.is_empty() && names.iter().all(|name| Lock::names().any(|lock| name == *lock));
    // Earlier versions of this program wrote no mark; they left a plan, or a dataset being made visible.
    let has = |name| is_there(&staging.join(name));
    let is_of_earlier = text.is_empty() && (has(super::PLAN)? || has(super::MERGED)?);
    if is_new || is_of_earlier {
        lock.seek(SeekFrom::Start(0)).map_err(in_lock())?;
        return lock.write_all(MARK).map_err(in_lock());
    }
    if text.is_empty() {
        staging.join(LOCK).remove().map_err(in_lock())?;
    }
    let what = "holds files that this program did not put there; remove it, or name another directory";
    Err(Error::OutputInTheWay(format!("{}: {what}", staging.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::faults::Faults;

    fn place(directory: &tempfile::TempDir) -> Place {
        Place::to_write(directory.path()).unwrap()
    }

    /// The number of a process that has ended.
    fn ended() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn a_process_is_gone_only_if_it_ran_here_and_has_ended() {
        let holder = |change: fn(&mut Holder)| {
            let mut holder = Holder::this();
            change(&mut holder);
            holder.is_gone()
        };
        assert!(!holder(|_| {}));
        assert!(holder(|h| h.pid = ended()));
        assert!(holder(|h| h.pid = 0));
        assert!(holder(|h| h.boot_id = "an earlier start".into()));
        assert!(!holder(|h| (h.host, h.pid) = ("another".into(), ended())));
        assert!(!holder(|h| (h.host, h.boot_id) = ("another".into(), "an earlier start".into())));
    }

    #[test]
    fn a_holder_is_read_as_it_was_written_and_half_a_line_is_none() {
        let this = Holder::this();
        let read = Holder::of(&this.line()).unwrap();
        assert_eq!((read.host, read.boot_id, read.pid), (this.host, this.boot_id, std::process::id()));
        for text in ["", "host", "host boot", "host boot x", "host boot \n"] {
            assert!(Holder::of(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_stale_lock_file_is_removed_only_as_it_was_found_and_by_one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let staging = place(&directory);
        let (held, turn) = (staging.join(LOCK_FILE), staging.join(TURN));
        let there = || (is_there(&held).unwrap(), is_there(&turn).unwrap());
        held.write(b"old").unwrap();
        remove_stale(&staging, &held, b"another").unwrap();
        assert_eq!(there(), (true, false));
        turn.write(b"").unwrap();
        remove_stale(&staging, &held, b"old").unwrap();
        assert_eq!(there(), (true, true));
        turn.remove().unwrap();
        remove_stale(&staging, &held, b"old").unwrap();
        assert_eq!(there(), (false, false));
        remove_stale(&staging, &held, b"old").unwrap();
        assert_eq!(there(), (false, false));
        held.create_directory().unwrap();
        assert!(remove_stale(&staging, &held, b"old").is_err());
        assert_eq!(there(), (true, false));
    }

    #[test]
    fn without_locks_of_the_system_a_file_names_who_is_writing() {
        let directory = tempfile::tempdir().unwrap();
        let staging = place(&directory);
        let held = staging.join(LOCK_FILE);
        let take = || Lock::without_the_system(&staging, &io::Error::other("no locks"));
        let lock = take().unwrap();
        assert!(lock.file().is_none());
        assert!(lock.warning().unwrap().contains("lock.held: this file system has no locks (no locks)"));
        let Err(Error::OutputInTheWay(refusal)) = take() else { panic!("taken twice") };
        assert!(refusal.contains(&format!("(process {})", std::process::id())), "{refusal}");
        drop(lock);
        assert!(!is_there(&held).unwrap());
        let stale = Holder { pid: ended(), ..Holder::this() };
        held.write(stale.line().as_bytes()).unwrap();
        let lock = take().unwrap();
        assert_eq!(held.read().unwrap(), Holder::this().line().as_bytes());
        drop(lock);
        held.create_directory().unwrap();
        assert!(matches!(take(), Err(Error::Failed(_))));
    }

    #[test]
    fn an_area_of_somebody_else_is_refused_and_gets_no_lock() {
        let directory = tempfile::tempdir().unwrap();
        let root = place(&directory);
        let staging = root.join(STAGING);
        let taken = || Lock::take(&root).map(|(_, lock)| lock.file().is_some());
        staging.create_directory().unwrap();
        staging.join("notes").write(b"mine").unwrap();
        assert!(matches!(taken(), Err(Error::OutputInTheWay(_))));
        assert!(!is_there(&staging.join(LOCK)).unwrap());
        staging.join(LOCK).write(b"mine too").unwrap();
        assert!(matches!(taken(), Err(Error::OutputInTheWay(_))));
        assert_eq!(staging.join(LOCK).read().unwrap(), b"mine too");
        // Longer than the mark, and beginning with it.
        staging.join(LOCK).write(&[MARK, b"mine too"].concat()).unwrap();
        assert!(matches!(taken(), Err(Error::OutputInTheWay(_))));
        // Earlier versions left no mark, but one of these.
        for name in [super::super::PLAN, super::super::MERGED] {
            staging.join(LOCK).write(b"").unwrap();
            staging.join(name).write(b"").unwrap();
            assert_eq!(taken(), Ok(true));
            assert_eq!(staging.join(LOCK).read().unwrap(), MARK);
            staging.join(name).remove().unwrap();
        }
        assert_eq!(taken(), Ok(true));
    }

    #[test]
    fn what_is_no_lock_file_is_refused_and_a_lock_that_is_held_too() {
        let directory = tempfile::tempdir().unwrap();
        let root = place(&directory);
        let (staging, lock) = Lock::take(&root).unwrap();
        assert_eq!((lock.file().is_some(), lock.warning()), (true, None));
        let Err(Error::OutputInTheWay(refusal)) = Lock::take(&root) else { panic!("taken twice") };
        assert!(refusal.ends_with(": another import is writing here"), "{refusal}");
        drop(lock);
        staging.join(LOCK).remove().unwrap();
        staging.join(LOCK).create_directory().unwrap();
        let Err(Error::OutputInTheWay(refusal)) = Lock::take(&root) else { panic!("no lock file") };
        assert!(refusal.contains("lock: is not a lock file"), "{refusal}");
        root.join(STAGING).remove().unwrap();
        root.join(STAGING).write(b"").unwrap();
        let Err(Error::OutputInTheWay(refusal)) = Lock::take(&root) else { panic!("no directory") };
        assert!(refusal.contains("is not a directory of this program"), "{refusal}");
    }

    #[test]
    fn a_failing_call_is_not_taken_for_another_import() {
        let directory = tempfile::tempdir().unwrap();
        let fails = |n| Faults::below(directory.path(), n, rustix::io::Errno::IO);
        let root = place(&directory);
        let staging = root.join(STAGING);
        for is_new in [true, false] {
            let prepare = || {
                if is_new {
                    staging.remove().unwrap()
                }
            };
            drop(Lock::take(&root).unwrap());
            prepare();
            let counted = fails(0);
            drop(Lock::take(&root).unwrap());
            let n_calls = counted.calls();
            drop(counted);
            assert!(n_calls > 3);
            for n in 1..=n_calls {
                prepare();
                let _fault = fails(n);
                assert!(matches!(Lock::take(&root), Err(Error::Failed(_))), "call {n}");
            }
        }
        let fault = fails(1);
        assert!(matches!(Lock::without_the_system(&staging, &io::Error::other("")), Err(Error::Failed(_))));
        drop(fault);
        let _fault = fails(1);
        assert!(remove_stale(&staging, &staging.join(LOCK_FILE), b"").is_err());
    }

    #[test]
    fn a_lock_counts_only_under_its_name_in_the_area_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let root = place(&directory);
        let staging = made(&root).unwrap().unwrap();
        let lock = open(&staging.join(LOCK)).unwrap();
        assert!(is_current(&root, &staging, &lock).unwrap());
        let again = open(&staging.join(LOCK)).unwrap();
        assert!(is_current(&root, &staging, &again).unwrap());
        staging.join(LOCK).create().unwrap();
        assert!(!is_current(&root, &staging, &lock).unwrap());
        let lock = open(&staging.join(LOCK)).unwrap();
        root.join(STAGING).rename(&root.join("moved")).unwrap();
        assert!(!is_current(&root, &staging, &lock).unwrap());
        made(&root).unwrap().unwrap();
        assert!(!is_current(&root, &staging, &lock).unwrap());
    }
}

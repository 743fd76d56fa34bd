//! A segment being converted: a worker writes it in a directory of its own, which is renamed to the segment's when
//! complete.
//!
//! So a segment is there completely or not at all, and several workers may convert the same one at once: the first to
//! finish renames its directory, and the others remove theirs. All these directories are in one, [`ATTEMPTS`]; moving
//! that one away ends every attempt at once.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::time::{Duration, Instant, SystemTime};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::base::system::{self, FileExt, boot_id};
use crate::staging::{SegmentPaths, SegmentRecord, has_plan};
use crate::store::Place;
use crate::store::files::{create_directories, entry, find_json, is_there, move_to, remove, write_json};
use crate::store::place::is_absence;
use crate::store::sync::{sync, sync_tree};

/// Name of the directory in the staging area that holds the workers' directories.
pub(crate) const ATTEMPTS: &str = "attempts";
/// Name of the file in an attempt that records its progress. The worker holds a lock on it.
const PROGRESS: &str = "progress";
/// The shortest time between two progress reports of an attempt.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A segment that this process is converting. If it is not completed, nothing of it stays.
pub(crate) struct Attempt {
    pub segment: u32,
    staging: Place,
    directory: Place,
    /// None in an object store, which has no locks and where a segment is written to its final place.
    progress: Option<File>,
    last_heartbeat: Instant,
}

impl Attempt {
    /// A new directory for the segment. What dead workers of this computer left of the same segment is removed.
    ///
    /// # Errors
    /// `Error::Failed` if it cannot be created; whether attempts are allowed at all, [`is_open`] says.
    pub(crate) fn begin(staging: &Place, segment: u32) -> Result<Self> {
        if staging.is_remote() {
            let directory = SegmentPaths::new(staging, segment).directory;
            let staging = staging.to_owned();
            return Ok(Self { segment, staging, directory, progress: None, last_heartbeat: Instant::now() });
        }
        let host = host_name();
        for dead in attempts(staging)?.into_iter().filter(|a| a.segment == segment && a.host == host && !a.is_alive()) {
            // Another worker may be removing it too.
            let _ = remove(&dead.directory);
        }
        let mut number = 0;
        let directory = loop {
            let name = format!("segment_{segment}.{host}-{}-{number}", std::process::id());
            let directory = staging.join(ATTEMPTS).join(name);
            match directory.create_directory() {
                Ok(()) => break directory,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(failed(directory.display())(e)),
            }
        };
        let (unlocked, path) = (directory.join("unlocked"), directory.join(PROGRESS));
        let progress = unlocked.create().map_err(failed(unlocked.display()))?;
        // Others take an attempt for live unless they can get this lock; without locks they cannot get it either.
        let _ = system::lock(&progress);
        move_to(&unlocked, &path)?;
        let attempt = Self {
            segment,
            staging: staging.to_owned(),
            directory,
            progress: Some(progress),
            last_heartbeat: Instant::now(),
        };
        attempt.write_progress(0);
        Ok(attempt)
    }

    /// Sets the permissions of the segment's files, before the umask, once the plan is known.
    pub(crate) fn set_file_mode(&mut self, file_mode: u32) -> Result<()> {
        self.directory = self.directory.with_file_mode(file_mode).map_err(failed(self.directory.display()))?;
        Ok(())
    }

    /// The staging area that it is in.
    pub(crate) fn staging(&self) -> &Place {
        &self.staging
    }

    pub(crate) fn paths(&self) -> SegmentPaths {
        SegmentPaths::in_directory(self.directory.clone())
    }

    /// Records the progress for others to see.
    pub(crate) fn report(&mut self, n_traces: u64) {
        if self.last_heartbeat.elapsed() >= HEARTBEAT {
            self.last_heartbeat = Instant::now();
            self.write_progress(n_traces);
        }
    }

    fn write_progress(&self, n_traces: u64) {
        // Always the same length, so that nobody reads half of it. Any error here would also occur, and be reported, in
        // the conversion.
        if let Some(progress) = &self.progress {
            let _ = progress.write_all_at(format!("{n_traces:020}\n").as_bytes(), 0);
        }
    }

    /// Whether the directory was taken away, by a merge that finished or by another plan.
    pub(crate) fn is_gone(&self) -> Result<bool> {
        match self.progress {
            Some(_) => Ok(!is_there(&self.directory)?),
            None => Ok(!has_plan(&self.staging)?),
        }
    }

    /// Renames the finished segment into place, after syncing it if `durable`. Returns the record of the worker that
    /// was first, and whether that was this one. A record that is not `credible` is replaced, as if there were none.
    pub(crate) fn complete(
        &self,
        record: SegmentRecord,
        durable: bool,
        credible: &dyn Fn(&SegmentRecord) -> bool,
        cancel: &CancelHandle,
    ) -> Result<(SegmentRecord, bool)> {
        let (ours, place) = (self.paths(), SegmentPaths::new(&self.staging, self.segment));
        if self.progress.is_none() {
            // Another worker of the same segment writes the same bytes.
            return write_json(&ours.record, &record).map(|()| (record, true));
        }
        remove(&self.directory.join(PROGRESS))?;
        write_json(&ours.record, &record)?;
        if durable {
            sync_tree(&self.directory, cancel)?;
        }
        while let Err(cause) = self.directory.rename(&place.directory) {
            if let Some(first) = finished(&self.staging, self.segment)?.filter(credible) {
                return Ok((first, false));
            }
            if self.is_gone()? || !is_there(&place.directory)? {
                let what =
                    format!("segment {} cannot be renamed into place in {}", self.segment, self.staging.display());
                return Err(failed(what)(cause));
            }
            // What is there is not a segment, or one that may have been lost.
            let mut name = self.directory.file_name().unwrap_or_default().into_owned();
            name.push("-displaced");
            let displaced = self.staging.join(ATTEMPTS).join(name);
            move_to(&place.directory, &displaced)?;
            remove(&displaced)?;
        }
        if durable {
            sync(&self.staging)?;
        }
        Ok((record, true))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // A completed attempt has been renamed. In an object store a segment is complete or written again.
        if self.progress.is_some() {
            let _ = remove(&self.directory);
        }
    }
}

/// The record of a segment that is done: synced, or written since the computer was started.
///
/// # Errors
/// `Error::Failed` if there is a record that cannot be read.
pub(crate) fn finished(staging: &Place, segment: u32) -> Result<Option<SegmentRecord>> {
    let record: Option<SegmentRecord> = find_json(&SegmentPaths::new(staging, segment).record)?;
    let is_done = |r: &SegmentRecord| r.segment == segment && (r.boot_id.is_none() || r.boot_id == boot_id());
    Ok(record.filter(is_done))
}

/// An attempt, as other processes see it.
pub(crate) struct Begun {
    pub segment: u32,
    /// Name of the worker's computer.
    pub host: String,
    pub pid: u32,
    directory: Place,
}

impl Begun {
    /// From the name of its directory; `None` if that is not an attempt's.
    fn of(name: &OsStr, attempts: &Place) -> Option<Self> {
        let (segment, rest) = name.to_str()?.strip_prefix("segment_")?.split_once('.')?;
        let mut parts = rest.rsplitn(3, '-');
        let (_, pid, host) = (parts.next()?, parts.next()?, parts.next()?);
        let (segment, pid, host) = (segment.parse().ok()?, pid.parse().ok()?, host.to_owned());
        Some(Self { segment, host, pid, directory: attempts.join(name) })
    }

    /// Traces done, and the time since the worker last reported.
    pub(crate) fn progress(&self) -> (u64, Option<Duration>) {
        let path = self.directory.join(PROGRESS);
        // An attempt given up just now has neither.
        let text = path.read().ok().and_then(|text| String::from_utf8(text).ok());
        let traces = text.and_then(|text| text.trim().parse().ok());
        let modified = path.find().ok().flatten().map(|found| found.modified);
        let age = modified.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        (traces.unwrap_or(0), age)
    }

    /// Whether its worker is alive, or may be: on another computer nobody can tell.
    pub(crate) fn is_alive(&self) -> bool {
        let progress = self.directory.join(PROGRESS).open_to_write();
        self.host != host_name() || !progress.is_ok_and(|file| system::try_lock(&file).is_ok())
    }
}

/// Attempts neither completed nor given up.
///
/// # Errors
/// `Error::Failed` if the directory cannot be read.
pub(crate) fn attempts(staging: &Place) -> Result<Vec<Begun>> {
    let directory = staging.join(ATTEMPTS);
    if staging.is_remote() {
        return Ok(Vec::new());
    }
    let names = match directory.names() {
        // A finishing merge takes it away, with all attempts.
        Err(e) if is_absence(&e) => return Ok(Vec::new()),
        names => names.map_err(failed(directory.display()))?,
    };
    Ok(names.iter().filter_map(|name| Begun::of(name, &directory)).collect())
}

/// Allows workers to begin.
pub(crate) fn open(staging: &Place) -> Result<()> {
    create_directories(&staging.join(ATTEMPTS))
}

/// Whether workers may begin here. A link does not count: it leads to somebody else's files.
pub(crate) fn is_open(staging: &Place) -> Result<bool> {
    if staging.is_remote() {
        return has_plan(staging);
    }
    Ok(entry(&staging.join(ATTEMPTS))?.is_some_and(|entry| entry.is_directory()))
}

/// Ends all workers: none can complete its attempt any more.
pub(crate) fn close(staging: &Place) -> Result<()> {
    let (directory, gone) = (staging.join(ATTEMPTS), staging.join("attempts.gone"));
    remove(&gone)?;
    match directory.rename(&gone) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(directory.display())(e)),
        _ => {
            // On a network file system, a file that a worker has open may keep its directory for a while. That does no
            // harm.
            let _ = remove(&gone);
            Ok(())
        }
    }
}

/// The name of this computer, with characters unfit for a file name replaced.
pub(crate) fn host_name() -> String {
    let name = system::host_name().unwrap_or_else(|| "localhost".into());
    name.trim().chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn staging(directory: &tempfile::TempDir) -> Place {
        let staging = Place::to_write(directory.path()).unwrap();
        open(&staging).unwrap();
        staging
    }

    fn record(segment: u32) -> SegmentRecord {
        let empty = r#"{"segment": 0, "n_traces": 0, "n_rows": 0, "n_runs": 0, "n_exceptions": 0, "stored_bytes": 0}"#;
        let mut record: serde_json::Value = serde_json::from_str(empty).unwrap();
        record["chunks"] = serde_json::to_value(crate::store::checksum::ChunkSums::default()).unwrap();
        record["headers"] = serde_json::to_value(crate::table::HeaderSummary::default()).unwrap();
        record["samples"] =
            serde_json::to_value(crate::segy::samples::statistics::SampleStatistics::default()).unwrap();
        record["segment"] = segment.into();
        serde_json::from_value(record).unwrap()
    }

    /// An attempt that no worker is at.
    fn abandoned(staging: &Place, segment: u32, host: &str, number: u32) -> Place {
        let directory = staging.join(ATTEMPTS).join(format!("segment_{segment}.{host}-77-{number}"));
        directory.create_directory().unwrap();
        directory.join(PROGRESS).write(b"").unwrap();
        directory
    }

    fn the_only(staging: &Place) -> Begun {
        let mut found = attempts(staging).unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn the_name_of_an_attempt_tells_segment_host_and_process() {
        let directory = tempfile::tempdir().unwrap();
        let place = staging(&directory);
        let begun = Begun::of(OsStr::new("segment_3.node-7.cluster-12-0"), &place).unwrap();
        assert_eq!((begun.segment, begun.host.as_str(), begun.pid), (3, "node-7.cluster", 12));
        for name in ["segment_3", "segment_x.a-1-0", "3.a-1-0", "segment_3.a-0", "segment_3.a-x-0", "lock"] {
            assert!(Begun::of(OsStr::new(name), &place).is_none(), "{name}");
        }
    }

    #[test]
    fn others_see_that_a_worker_is_alive_and_how_far_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let staging = staging(&directory);
        let mut attempt = Attempt::begin(&staging, 2).unwrap();
        let begun = the_only(&staging);
        assert_eq!((begun.segment, begun.host.clone(), begun.pid), (2, host_name(), std::process::id()));
        assert!(begun.is_alive() && !attempt.is_gone().unwrap());
        assert!(matches!(begun.progress(), (0, Some(_))));
        attempt.last_heartbeat = Instant::now().checked_sub(HEARTBEAT).unwrap();
        attempt.report(70_000);
        assert!(matches!(begun.progress(), (70_000, Some(_))));
        attempt.last_heartbeat = Instant::now() + Duration::from_secs(3600);
        attempt.report(80_000);
        assert!(matches!(begun.progress(), (70_000, Some(_))));
        drop(attempt);
        assert_eq!(begun.progress(), (0, None));
        assert!(attempts(&staging).unwrap().is_empty());
    }

    #[test]
    fn what_dead_workers_of_this_computer_left_of_a_segment_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let staging = staging(&directory);
        let dead = abandoned(&staging, 1, &host_name(), 0);
        let of_another_segment = abandoned(&staging, 2, &host_name(), 0);
        let of_another_host = abandoned(&staging, 1, "elsewhere", 0);
        let others = attempts(&staging).unwrap();
        let is_alive = |place: &Place| others.iter().find(|b| b.directory.path() == place.path()).unwrap().is_alive();
        assert_eq!([&dead, &of_another_segment, &of_another_host].map(is_alive), [false, false, true]);
        let first = Attempt::begin(&staging, 1).unwrap();
        let there = [&dead, &of_another_segment, &of_another_host].map(|place| is_there(place).unwrap());
        assert_eq!(there, [false, true, true]);
        let second = Attempt::begin(&staging, 1).unwrap();
        assert!(!first.is_gone().unwrap() && !second.is_gone().unwrap());
        assert_ne!(first.directory.path(), second.directory.path());
        assert_eq!(attempts(&staging).unwrap().len(), 4);
    }

    #[test]
    fn the_first_to_finish_a_segment_wins_and_the_others_leave_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let staging = staging(&directory);
        let [first, second] = [0; 2].map(|_| Attempt::begin(&staging, 1).unwrap());
        let finish = |attempt: Attempt, n_rows| {
            let record = SegmentRecord { n_rows, ..record(1) };
            attempt
                .complete(record, true, &|_| true, &CancelHandle::new())
                .map(|(record, is_ours)| (record.n_rows, is_ours))
        };
        assert_eq!(finished(&staging, 1), Ok(None));
        assert_eq!(finish(first, 5), Ok((5, true)));
        assert_eq!(finish(second, 6), Ok((5, false)));
        assert_eq!(finished(&staging, 1).unwrap().unwrap().n_rows, 5);
        assert!(staging.join(ATTEMPTS).names().unwrap().is_empty());
        assert!(!is_there(&staging.join("segment_1").join(PROGRESS)).unwrap());
    }

    #[test]
    fn what_is_no_segment_gives_way_to_one() {
        let directory = tempfile::tempdir().unwrap();
        let staging = staging(&directory);
        let [lost, junk] = [1, 2].map(|segment| staging.join(format!("segment_{segment}")));
        lost.create_directory().unwrap();
        let of_an_earlier_start = SegmentRecord { boot_id: Some("an earlier start".into()), ..record(1) };
        write_json(&lost.join("segment.json"), &of_an_earlier_start).unwrap();
        junk.create_directory().unwrap();
        junk.join("notes").write(b"").unwrap();
        for segment in [1, 2] {
            let attempt = Attempt::begin(&staging, segment).unwrap();
            let (done, is_ours) = attempt.complete(record(segment), false, &|_| true, &CancelHandle::new()).unwrap();
            assert_eq!((done.segment, is_ours), (segment, true));
            assert!(finished(&staging, segment).unwrap().is_some());
            drop(attempt);
            assert!(staging.join(ATTEMPTS).names().unwrap().is_empty());
        }
        assert!(!is_there(&junk.join("notes")).unwrap());
    }

    #[test]
    fn a_closed_area_ends_all_attempts() {
        let directory = tempfile::tempdir().unwrap();
        let staging = staging(&directory);
        assert_eq!(is_open(&staging), Ok(true));
        let attempt = Attempt::begin(&staging, 1).unwrap();
        close(&staging).unwrap();
        assert_eq!((is_open(&staging), attempt.is_gone()), (Ok(false), Ok(true)));
        assert!(staging.names().unwrap().is_empty());
        assert!(attempt.complete(record(1), false, &|_| true, &CancelHandle::new()).is_err());
        assert_eq!(finished(&staging, 1), Ok(None));
        assert!(attempts(&staging).unwrap().is_empty());
        assert!(Attempt::begin(&staging, 1).is_err());
        close(&staging).unwrap();
        std::os::unix::fs::symlink(directory.path(), directory.path().join(ATTEMPTS)).unwrap();
        assert_eq!(is_open(&staging), Ok(false));
        assert!(attempts(&staging).is_err());
    }

    #[test]
    fn the_files_of_a_segment_have_the_permissions_of_the_plan() {
        let directory = tempfile::tempdir().unwrap();
        let mut attempt = Attempt::begin(&staging(&directory), 1).unwrap();
        attempt.set_file_mode(0o600).unwrap();
        let headers = attempt.paths().headers;
        headers.write(b"").unwrap();
        assert_eq!(entry(&headers).unwrap().unwrap().mode, 0o600);
    }

    #[test]
    fn a_segment_counts_if_it_was_synced_or_written_since_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let staging = staging(&directory);
        let paths = SegmentPaths::new(&staging, 1);
        paths.directory.create_directory().unwrap();
        let counts = |record: SegmentRecord| {
            write_json(&paths.record, &record).unwrap();
            finished(&staging, 1).unwrap().is_some()
        };
        assert!(counts(record(1)));
        assert!(counts(SegmentRecord { boot_id: boot_id(), ..record(1) }));
        assert!(!counts(SegmentRecord { boot_id: Some("an earlier start".into()), ..record(1) }));
        assert!(!counts(record(2)));
    }

    #[test]
    fn the_name_of_the_computer_fits_into_a_file_name() {
        let name = host_name();
        assert!(!name.is_empty() && Path::new(&name).file_name() == Some(OsStr::new(&name)), "{name}");
        let known = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        if !known.is_empty() && known.trim().chars().all(|c| c.is_ascii_alphanumeric()) {
            assert_eq!(name, known.trim());
        }
    }
}

//! A segment being converted: a worker writes it in a directory of its own, which is renamed to the segment's when
//! complete.
//!
//! So a segment is there completely or not at all, and several workers may convert the same one at once: the first to
//! finish renames its directory, and the others remove theirs. All these directories are in one, [`ATTEMPTS`]; moving
//! that one away ends every attempt at once.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant, SystemTime};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::staging::{SegmentPaths, SegmentRecord, has_plan};
use crate::store::Place;
use crate::store::files::{create_directories, entry, find_json, is_there, move_to, remove, write_json};
use crate::store::place::is_absence;
use crate::store::sync::{sync, sync_tree};

/// Name of the directory in the staging area that holds the workers' directories.
pub const ATTEMPTS: &str = "attempts";
/// Name of the file in an attempt that records its progress. The worker holds a lock on it.
const PROGRESS: &str = "progress";
/// The shortest time between two progress reports of an attempt.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A segment that this process is converting. If it is not completed, nothing of it stays.
pub struct Attempt {
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
    pub fn begin(staging: &Place, segment: u32) -> Result<Self> {
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
        let _ = progress.lock();
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
    pub fn set_file_mode(&mut self, file_mode: u32) -> Result<()> {
        self.directory = self.directory.with_file_mode(file_mode).map_err(failed(self.directory.display()))?;
        Ok(())
    }

    /// The staging area that it is in.
    pub fn staging(&self) -> &Place {
        &self.staging
    }

    pub fn paths(&self) -> SegmentPaths {
        SegmentPaths::in_directory(self.directory.clone())
    }

    /// Records the progress for others to see.
    pub fn report(&mut self, n_traces: u64) {
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
    pub fn is_gone(&self) -> Result<bool> {
        match self.progress {
            Some(_) => Ok(!is_there(&self.directory)?),
            None => Ok(!has_plan(&self.staging)?),
        }
    }

    /// Renames the finished segment into place, after syncing it if `durable`. Returns the record of the worker that
    /// was first, and whether that was this one.
    pub fn complete(
        &self,
        record: SegmentRecord,
        durable: bool,
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
            if let Some(first) = finished(&self.staging, self.segment)? {
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
pub fn finished(staging: &Place, segment: u32) -> Result<Option<SegmentRecord>> {
    let record: Option<SegmentRecord> = find_json(&SegmentPaths::new(staging, segment).record)?;
    let is_done = |r: &SegmentRecord| r.segment == segment && (r.boot_id.is_none() || r.boot_id == boot_id());
    Ok(record.filter(is_done))
}

/// Identifies this start of the computer, where the system can.
pub fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

/// An attempt, as other processes see it.
pub struct Begun {
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
    pub fn progress(&self) -> (u64, Option<Duration>) {
        let path = self.directory.join(PROGRESS);
        // An attempt given up just now has neither.
        let text = path.read().ok().and_then(|text| String::from_utf8(text).ok());
        let traces = text.and_then(|text| text.trim().parse().ok());
        let modified = path.find().ok().flatten().map(|found| found.modified);
        let age = modified.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        (traces.unwrap_or(0), age)
    }

    /// Whether its worker is alive, or may be: on another computer nobody can tell.
    pub fn is_alive(&self) -> bool {
        let progress = self.directory.join(PROGRESS).open_to_write();
        self.host != host_name() || !progress.is_ok_and(|file| file.try_lock().is_ok())
    }
}

/// Attempts neither completed nor given up.
///
/// # Errors
/// `Error::Failed` if the directory cannot be read.
pub fn attempts(staging: &Place) -> Result<Vec<Begun>> {
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
pub fn open(staging: &Place) -> Result<()> {
    create_directories(&staging.join(ATTEMPTS))
}

/// Whether workers may begin here. A link does not count: it leads to somebody else's files.
pub fn is_open(staging: &Place) -> Result<bool> {
    if staging.is_remote() {
        return has_plan(staging);
    }
    Ok(entry(&staging.join(ATTEMPTS))?.is_some_and(|entry| entry.is_directory()))
}

/// Ends all workers: none can complete its attempt any more.
pub fn close(staging: &Place) -> Result<()> {
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
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let name = name.unwrap_or_else(|_| "localhost".into());
    name.trim().chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}

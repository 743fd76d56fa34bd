//! A segment while it is converted: in a directory of the worker's own, which gets the name of the segment when it is complete.
//!
//! So a segment is there whole or not at all, and several workers may convert the same one at once: the first gives it its
//! name, and the others remove what they have made. The directories of all workers lie in one, [`ATTEMPTS`], so that moving
//! that away ends all of them at once.

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

/// Name of the directory in the staging area that holds those of the workers.
pub const ATTEMPTS: &str = "attempts";
/// Name of the file in an attempt that says how far it is. The worker holds a lock on it.
const PROGRESS: &str = "progress";
/// An attempt says no more often how far it is.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A segment that this process converts. Unless it is completed it leaves nothing.
pub struct Attempt {
    pub segment: u32,
    staging: Place,
    directory: Place,
    /// None in an object store, where nothing is locked and a segment has its final place from the beginning.
    progress: Option<File>,
    last_heartbeat: Instant,
}

impl Attempt {
    /// A new directory for the segment. What killed workers of this computer left of the same segment is removed.
    ///
    /// # Errors
    /// `Error::Failed` where it cannot be made; see [`is_open`] for whether there are any attempts.
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
        // Others take an attempt for a live one unless they get this lock; so they do where there are none.
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

    /// Gives the files of the segment these permissions, before the umask, once the plan is known.
    pub fn set_file_mode(&mut self, file_mode: u32) -> Result<()> {
        self.directory = self.directory.with_file_mode(file_mode).map_err(failed(self.directory.display()))?;
        Ok(())
    }

    pub fn paths(&self) -> SegmentPaths {
        SegmentPaths::in_directory(self.directory.clone())
    }

    /// Lets others see how far it is.
    pub fn report(&mut self, n_traces: u64) {
        if self.last_heartbeat.elapsed() >= HEARTBEAT {
            self.last_heartbeat = Instant::now();
            self.write_progress(n_traces);
        }
    }

    fn write_progress(&self, n_traces: u64) {
        // Of the same length each time, so that nobody reads half of it. What hinders it hinders the conversion, which tells.
        if let Some(progress) = &self.progress {
            let _ = progress.write_all_at(format!("{n_traces:020}\n").as_bytes(), 0);
        }
    }

    /// Whether the directory was taken away: by a merge that came to its end, or by another plan.
    pub fn is_gone(&self) -> Result<bool> {
        match self.progress {
            Some(_) => Ok(!is_there(&self.directory)?),
            None => Ok(!has_plan(&self.staging)?),
        }
    }

    /// Gives the finished segment its name, after it was brought to the disk where `durable`. Returns the record of the
    /// worker that was first, with whether that is this one.
    pub fn complete(
        &self,
        record: SegmentRecord,
        durable: bool,
        cancel: &CancelHandle,
    ) -> Result<(SegmentRecord, bool)> {
        let (ours, place) = (self.paths(), SegmentPaths::new(&self.staging, self.segment));
        if self.progress.is_none() {
            // Whatever another worker of the same segment wrote has the same bytes.
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
                let what = format!("segment {} cannot get its name in {}", self.segment, self.staging.display());
                return Err(failed(what)(cause));
            }
            // What is there is no segment, or one that may be lost.
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
        // Completed, it has another name. In an object store it is done, or is written anew.
        if self.progress.is_some() {
            let _ = remove(&self.directory);
        }
    }
}

/// The record of a segment that is done: on the disk, or written since the computer was started.
///
/// # Errors
/// `Error::Failed` where the record is there and cannot be read.
pub fn finished(staging: &Place, segment: u32) -> Result<Option<SegmentRecord>> {
    let record: Option<SegmentRecord> = find_json(&SegmentPaths::new(staging, segment).record)?;
    let is_done = |r: &SegmentRecord| r.segment == segment && (r.boot_id.is_none() || r.boot_id == boot_id());
    Ok(record.filter(is_done))
}

/// What tells one start of the computer from another, where the system has such a thing.
pub fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

/// What a worker has begun, as others see it.
pub struct Begun {
    pub segment: u32,
    /// Name of the computer that the worker runs on.
    pub host: String,
    pub pid: u32,
    directory: Place,
}

impl Begun {
    /// From the name of its directory; `None` where that is none of an attempt.
    fn of(name: &OsStr, attempts: &Place) -> Option<Self> {
        let (segment, rest) = name.to_str()?.strip_prefix("segment_")?.split_once('.')?;
        let mut parts = rest.rsplitn(3, '-');
        let (_, pid, host) = (parts.next()?, parts.next()?, parts.next()?);
        let (segment, pid, host) = (segment.parse().ok()?, pid.parse().ok()?, host.to_owned());
        Some(Self { segment, host, pid, directory: attempts.join(name) })
    }

    /// Traces done, and the time since the worker last said so.
    pub fn progress(&self) -> (u64, Option<Duration>) {
        let path = self.directory.join(PROGRESS);
        // One that is given up in this moment has neither.
        let text = path.read().ok().and_then(|text| String::from_utf8(text).ok());
        let traces = text.and_then(|text| text.trim().parse().ok());
        let modified = path.find().ok().flatten().map(|found| found.modified);
        let age = modified.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        (traces.unwrap_or(0), age)
    }

    /// Whether its worker lives, or may live: on other computers that cannot be told.
    pub fn is_alive(&self) -> bool {
        let progress = self.directory.join(PROGRESS).open_to_write();
        self.host != host_name() || !progress.is_ok_and(|file| file.try_lock().is_ok())
    }
}

/// What workers have begun and neither completed nor given up.
///
/// # Errors
/// `Error::Failed` where the directory cannot be read.
pub fn attempts(staging: &Place) -> Result<Vec<Begun>> {
    let directory = staging.join(ATTEMPTS);
    if staging.is_remote() {
        return Ok(Vec::new());
    }
    let names = match directory.names() {
        // A merge that ends takes it away, and with it all that was begun.
        Err(e) if is_absence(&e) => return Ok(Vec::new()),
        names => names.map_err(failed(directory.display()))?,
    };
    Ok(names.iter().filter_map(|name| Begun::of(name, &directory)).collect())
}

/// Lets workers begin.
pub fn open(staging: &Place) -> Result<()> {
    create_directories(&staging.join(ATTEMPTS))
}

/// Whether workers may begin here. Links do not count: they lead to somebody else's files.
pub fn is_open(staging: &Place) -> Result<bool> {
    if staging.is_remote() {
        return has_plan(staging);
    }
    Ok(entry(&staging.join(ATTEMPTS))?.is_some_and(|entry| entry.is_directory()))
}

/// Ends all workers: from here on none can complete what it has begun.
pub fn close(staging: &Place) -> Result<()> {
    let (directory, gone) = (staging.join(ATTEMPTS), staging.join("attempts.gone"));
    remove(&gone)?;
    match directory.rename(&gone) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(directory.display())(e)),
        _ => {
            // A file that a worker has open may keep its directory on a network file system for a while; nobody needs it.
            let _ = remove(&gone);
            Ok(())
        }
    }
}

/// The name of this computer with nothing in it that a file name must not have.
pub(crate) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let name = name.unwrap_or_else(|_| "localhost".into());
    name.trim().chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}

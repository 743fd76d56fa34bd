//! The output in a directory of a file system, where everything appears by rename.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::system;
use crate::dataset_files::{METADATA, TABLES};
use crate::plan::Plan;
use crate::staging::commit::Commit;
use crate::staging::lock::Lock;
use crate::staging::spilled::SPILL;
use crate::staging::{Area, MERGED, PLAN, SegmentPaths, attempt};
use crate::store::Place;
use crate::store::entry::{Entry, Kind, directory_mode};
use crate::store::files::{create_directories, entry, is_there, move_to, remove, write_json};
use crate::store::new_directories::{missing_directories, remove_directories, sync_names};
use crate::store::place::is_absence;
use crate::store::sync::{sync, sync_tree};

/// An output directory on this computer.
pub(super) struct LocalArea {
    root: Place,
    staging: Place,
    /// The directories created for it, outermost first.
    created: Vec<PathBuf>,
    lock: Lock,
}

impl LocalArea {
    /// Creates the directory with its parents and its staging area, and locks it.
    ///
    /// # Errors
    /// `Error::OutputInTheWay` if another import holds it, or something else is where the staging area goes.
    pub(super) fn create(root: &Path, file_mode: u32) -> Result<Self> {
        let created = missing_directories(root)?;
        Self::open(root, created.clone(), file_mode).inspect_err(|_| remove_directories(&created))
    }

    /// As [`Self::create`], with the missing directories known.
    pub(super) fn open(root: &Path, created: Vec<PathBuf>, file_mode: u32) -> Result<Self> {
        let cannot = |e| Error::Failed(format!("{}: cannot be written to: {e}", root.display()));
        system::create_directories(root, directory_mode(file_mode)).map_err(cannot)?;
        let place = Place::to_write(root).and_then(|place| place.with_file_mode(file_mode)).map_err(cannot)?;
        let (staging, lock) = Lock::take(&place)?;
        Ok(Self { root: place, staging, created, lock })
    }

    /// Removes those directories created for the output that are empty.
    pub(super) fn remove_created(&self) {
        remove_directories(&self.created);
    }

    fn merged_mark(&self) -> Place {
        self.staging.join(MERGED)
    }

    fn plan_file(&self) -> Place {
        self.staging.join(PLAN)
    }

    /// Empties the staging area but for what has this name.
    fn clear_but(&self, kept: Option<&str>) -> Result<()> {
        let merged = is_there(&self.merged_mark())?;
        if !merged {
            remove(&self.plan_file())?;
        }
        attempt::close(&self.staging)?;
        for name in self.staging.names().map_err(failed(self.staging.display()))? {
            let is_mark = name == MERGED || merged && name == PLAN;
            if !is_mark && !Lock::names().any(|lock| name == *lock) && kept.is_none_or(|kept| name != kept) {
                remove(&self.staging.join(name))?;
            }
        }
        remove(&self.plan_file())?;
        remove(&self.merged_mark())
    }

    /// Syncs the names in the output directory and in the directories created for it.
    fn sync_created(&self) -> Result<()> {
        sync(&self.root)?;
        sync_names(&self.created)
    }

    /// Checks that the parts of the dataset are in place; those just moved must be the same files and directories with the
    /// same size.
    fn check_parts(&self, commit: &Commit, new: &[(&String, Entry)]) -> Result<()> {
        commit.parts.iter().filter(|name| *name != commit.mark()).try_for_each(|name| {
            let place = self.root.join(name);
            let found = entry(&place)?;
            let same = |a: &Entry, b: &Entry| (a.id, a.kind, a.bytes) == (b.id, b.kind, b.bytes);
            let what = match (&found, new.iter().find(|(new, _)| *new == name)) {
                (None, _) => "is not there",
                (Some(found), Some((_, moved))) if !same(found, moved) => "is not what was moved there",
                (Some(_), _) => return Ok(()),
            };
            let staging = self.staging.display();
            Err(Error::Failed(format!("{}: {what}; the dataset stays in {staging}", place.display())))
        })
    }
}

impl Area for LocalArea {
    fn root(&self) -> &Place {
        &self.root
    }

    fn staging(&self) -> &Place {
        &self.staging
    }

    fn dataset(&self) -> Place {
        self.staging.join("dataset")
    }

    fn document(&self) -> Result<Place> {
        let dataset = self.dataset();
        let is_grid = is_there(&dataset.join(TABLES))?;
        Ok(if is_grid { dataset.join(TABLES).join(METADATA) } else { dataset.join(METADATA) })
    }

    fn lock(&self) -> Option<&File> {
        self.lock.file()
    }

    fn warning(&self) -> Option<String> {
        self.lock.warning()
    }

    fn start(&self, plan: &Plan) -> Result<()> {
        let is_spilled = plan.scratch.0.as_ref().is_some_and(|scratch| scratch.spilled.is_some());
        self.clear_but(is_spilled.then_some(SPILL))?;
        attempt::open(&self.staging)?;
        self.write_plan(plan)
    }

    fn write_plan(&self, plan: &Plan) -> Result<()> {
        let unfinished = self.staging.join("plan.json.part");
        write_json(&unfinished, plan)?;
        move_to(&unfinished, &self.plan_file())
    }

    fn forget(&self) -> Result<()> {
        Ok(())
    }

    fn sync_plan(&self) -> Result<()> {
        sync(&self.plan_file())?;
        sync(&self.staging)?;
        self.sync_created()
    }

    fn sync(&self, cancel: &CancelHandle) -> Result<()> {
        sync_tree(&self.dataset(), cancel)
    }

    fn mark_merged(&self, commit: &Commit, durable: bool) -> Result<()> {
        let (mark, unfinished) = (self.merged_mark(), self.staging.join("merged.part"));
        write_json(&unfinished, commit)?;
        move_to(&unfinished, &mark)?;
        if durable {
            sync(&mark)?;
            sync(&self.staging)?;
            self.sync_created()?;
        }
        Ok(())
    }

    fn sync_parts(&self, commit: &Commit) -> Result<()> {
        for directory in [&self.dataset(), &self.root] {
            for part in commit.parts.iter().map(|name| directory.join(name)) {
                if is_there(&part)? {
                    sync_tree(&part, &CancelHandle::new())?;
                }
            }
        }
        Ok(())
    }

    fn publish(&self, durable: bool, commit: &Commit) -> Result<()> {
        let (dataset, old) = (self.dataset(), self.staging.join("old"));
        create_directories(&old)?;
        let mut new = Vec::new();
        // From here on the old dataset no longer exists, since its commit mark is gone.
        for name in commit.names() {
            let part = entry(&dataset.join(name))?;
            let is_replaced = part.is_some() || !commit.parts.contains(name);
            if is_replaced && is_there(&self.root.join(name))? {
                remove(&old.join(name))?;
                move_to(&self.root.join(name), &old.join(name))?;
            }
            new.extend(part.map(|part| (name, part)));
        }
        for name in &commit.parts {
            // The commit mark must not appear before everything else.
            if name == commit.mark() {
                self.check_parts(commit, &new)?;
                if durable {
                    sync(&self.root)?;
                }
            }
            if new.iter().any(|(moved, _)| *moved == name) {
                move_to(&dataset.join(name), &self.root.join(name))?;
            }
        }
        if durable { sync(&self.root) } else { Ok(()) }
    }

    fn clear(&self) -> Result<()> {
        self.clear_but(None)
    }

    /// Once the lock file is gone, another import may take the staging area, which then keeps the directory.
    fn leave(&self) {
        let is_lock = |name: &OsStr| Lock::names().any(|lock| name == *lock);
        let leave = || -> std::io::Result<()> {
            if self.staging.names()?.iter().all(|name| is_lock(name)) {
                for name in Lock::names() {
                    self.staging.join(name).remove()?;
                }
                self.root.join(super::STAGING).remove_directory()?;
            }
            Ok(())
        };
        // At worst an empty directory of ours stays, which the next import will use.
        let _ = leave().or_else(|_| leave());
    }

    fn discard(&self) -> Result<()> {
        self.clear()?;
        self.leave();
        self.remove_created();
        Ok(())
    }
}

/// Number of segments of a plan that have records in a staging area.
pub(super) fn n_recorded(plan: &Plan, staging: &Place) -> Result<usize> {
    let has_record = |id: u32| is_there(&SegmentPaths::new(staging, id).record);
    plan.segments.iter().try_fold(0, |n, segment| Ok(n + usize::from(has_record(segment.id)?)))
}

/// Whether there is a link anywhere below a directory.
pub(super) fn holds_links(directory: &Place) -> Result<bool> {
    let names = match directory.names() {
        // Workers remove attempts they have given up.
        Err(e) if is_absence(&e) => return Ok(false),
        names => names.map_err(failed(directory.display()))?,
    };
    for name in names {
        let below = directory.join(name);
        match entry(&below)?.map(|entry| entry.kind) {
            Some(Kind::Link) => return Ok(true),
            Some(Kind::Directory) if holds_links(&below)? => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::io::Errno;

    use super::*;
    use crate::store::faults::Faults;

    fn area(root: &Path) -> LocalArea {
        LocalArea::create(root, 0o666).unwrap()
    }

    fn names(place: &Place) -> Vec<String> {
        let mut names: Vec<String> = place.names().unwrap().into_iter().map(|n| n.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn no_failure_while_emptying_leaves_what_looks_like_finished_work() {
        let directory = tempfile::tempdir().unwrap();
        for is_merged in [false, true] {
            for n in 1.. {
                let root = directory.path().join(format!("{is_merged} {n}"));
                let area = area(&root);
                let (plan, mark, work) = (area.plan_file(), area.merged_mark(), area.staging.join("segment_0"));
                attempt::open(&area.staging).unwrap();
                plan.write(b"{}").unwrap();
                work.create_directory().unwrap();
                work.join("segment.json").write(b"{}").unwrap();
                if is_merged {
                    mark.write(b"").unwrap();
                }
                let faults = Faults::below(&root, n, Errno::IO);
                let (cleared, calls) = (area.clear(), faults.calls());
                drop(faults);
                let [has_plan, has_mark, has_work] =
                    [&plan, &mark, &work.join("segment.json")].map(|place| is_there(place).unwrap());
                match (&cleared, is_merged) {
                    (Ok(()), _) => assert_eq!(names(&area.staging), ["lock"]),
                    (Err(_), true) => assert!(has_mark || !has_plan && !has_work, "call {n}"),
                    (Err(_), false) => assert!(has_plan <= has_work, "call {n}"),
                }
                assert!(!is_merged || has_plan || !has_work, "call {n}: the plan goes after the work");
                area.clear().unwrap();
                assert_eq!(names(&area.staging), ["lock"]);
                if calls < n {
                    assert!(n > 10);
                    break;
                }
            }
        }
    }

    #[test]
    fn an_area_that_holds_work_stays_and_an_empty_one_goes_with_the_directories_made_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("new/out");
        let area_with_work = area(&root);
        assert_eq!(area_with_work.created, [directory.path().join("new"), root.clone()]);
        let work = area_with_work.staging.join("segment_0");
        work.create_directory().unwrap();
        area_with_work.leave();
        assert_eq!(names(&area_with_work.staging), ["lock", "segment_0"]);
        work.remove().unwrap();
        area_with_work.leave();
        assert!(names(&area_with_work.root).is_empty());
        drop(area_with_work);
        std::fs::remove_dir_all(directory.path().join("new")).unwrap();
        let discarded = area(&root);
        discarded.staging.join("segment_0").create_directory().unwrap();
        discarded.discard().unwrap();
        assert!(!directory.path().join("new").exists());
        let beside_others = area(&root);
        std::fs::write(directory.path().join("new/notes"), "").unwrap();
        beside_others.discard().unwrap();
        assert!(!root.exists() && directory.path().join("new/notes").exists());
    }

    #[test]
    fn a_commit_sees_that_every_part_is_there_and_is_what_was_moved() {
        let directory = tempfile::tempdir().unwrap();
        let area = area(&directory.path().join("out"));
        let parts = ["table", "array", "mark"].map(str::to_owned);
        let commit = Commit { parts: parts.clone().into(), replaced: Vec::new() };
        let [table, array] = ["table", "array"].map(|name| area.root.join(name));
        table.write(b"rows").unwrap();
        array.create_directory().unwrap();
        let moved = [(&parts[0], entry(&table).unwrap().unwrap())];
        let refusal = |new: &[(&String, Entry)]| area.check_parts(&commit, new).err().map(|e| e.to_string());
        assert_eq!((refusal(&[]), refusal(&moved)), (None, None));
        let other = [(&parts[1], moved[0].1)];
        assert!(refusal(&other).unwrap().contains("array: is not what was moved there"));
        table.open_to_write().unwrap().set_len(3).unwrap();
        assert!(refusal(&moved).unwrap().contains("table: is not what was moved there"));
        assert_eq!(refusal(&[]), None);
        table.remove().unwrap();
        assert!(refusal(&moved).unwrap().contains("table: is not there; the dataset stays in "));
    }

    #[test]
    fn links_are_found_at_any_depth() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::to_write(directory.path()).unwrap();
        assert_eq!(holds_links(&place.join("none")), Ok(false));
        place.join("a/b").create_directories().unwrap();
        place.join("a/file").write(b"").unwrap();
        assert_eq!(holds_links(&place), Ok(false));
        symlink("nowhere", directory.path().join("a/b/link")).unwrap();
        assert_eq!(holds_links(&place), Ok(true));
        let faults = Faults::below(directory.path(), 1, Errno::ACCESS);
        assert!(holds_links(&place).is_err());
        drop(faults);
    }

    #[test]
    fn directories_that_do_not_exist_are_listed_outermost_first() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "a/b"].map(|name| directory.path().join(name));
        assert_eq!(missing_directories(&b).unwrap(), [a.clone(), b.clone()]);
        std::fs::create_dir(&a).unwrap();
        assert_eq!(missing_directories(&b).unwrap(), [b]);
        assert!(missing_directories(&a).unwrap().is_empty());
        let relative = Path::new("a-name-that-does-not-exist");
        assert_eq!(missing_directories(relative).unwrap(), [relative]);
        assert!(missing_directories(&a.join("x".repeat(300))).is_err());
    }
}

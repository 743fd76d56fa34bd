//! The header table and the gather index.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::{Builder, ScopedJoinHandle};

use crossbeam_channel::Receiver;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset_files::{GATHER_INDEX, HEADERS, header_part};
use crate::gather::index::{GatherCounts, gather_starts, write_index};
use crate::merge::{Mover, check_objects};
use crate::plan::Plan;
use crate::staging::{SegmentPaths, SegmentRecord};
use crate::store::checksum::Checksum;
use crate::store::files::create_directories;
use crate::store::{Place, list, remove_all};
use crate::table::{Joining, TablePart};

/// The header table of the first segments, joined while others were still converted.
pub(crate) struct EarlyTable<'a> {
    table: Joining<'a>,
    n_segments: usize,
}

impl<'a> EarlyTable<'a> {
    /// Joins the parts of segments in order as they come, from the staging area to the directory of the tables. `go_on` is
    /// called now and then.
    pub(crate) fn join(
        plan: &'a Plan,
        (staging, directory): (&Place, &Place),
        records: &Receiver<SegmentRecord>,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<Self> {
        create_directories(directory)?;
        let mut table = Joining::create(&directory.join(HEADERS), &plan.headers)?;
        let (mut waiting, mut n_segments) = (BTreeMap::new(), 0);
        for record in records {
            waiting.insert(record.segment, record);
            while let Some(record) = plan.segments.get(n_segments).and_then(|s| waiting.remove(&s.id)) {
                if record.n_rows > 0 {
                    table.push(part(&SegmentPaths::new(staging, record.segment), &record), go_on)?;
                }
                n_segments += 1;
            }
        }
        Ok(Self { table, n_segments })
    }
}

/// Removes the parts of a table from an object store.
fn remove_parts(table: &Place) -> Result<()> {
    let found = list(&table.path()).map_err(failed(table.display()))?;
    let parts: Vec<PathBuf> = found.into_iter().map(|name| table.join(name).path()).collect();
    remove_all(&parts).map_err(failed(table.display()))
}

fn part(paths: &SegmentPaths, record: &SegmentRecord) -> TablePart {
    TablePart { path: paths.headers.clone(), row_groups: record.headers.row_groups }
}

/// The result of a thread.
pub(super) fn outcome<T>(thread: ScopedJoinHandle<Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(Error::Failed("a step of the merge panicked".into())))
}

/// Both tables of a dataset.
pub(super) struct Tables<'a> {
    pub(super) plan: &'a Plan,
    /// Where they are put.
    pub(super) directory: &'a Place,
    pub(super) segments: &'a [SegmentPaths],
    pub(super) records: &'a [SegmentRecord],
}

impl<'a> Tables<'a> {
    /// Joins both at the same time, until the header table needs the numbers of the gathers.
    pub(super) fn write(
        &self,
        early: Option<EarlyTable<'a>>,
        cancel: &CancelHandle,
    ) -> Result<(BTreeMap<String, Checksum>, GatherCounts)> {
        if self.plan.headers.in_parts {
            return Ok((self.place_parts(cancel)?, self.write_index()?));
        }
        std::thread::scope(|scope| {
            let counts = Builder::new().spawn_scoped(scope, || self.write_index());
            let table = self.join(early, cancel);
            let counts = counts.map_or_else(|_| self.write_index(), outcome)?;
            let has_gathers = !self.plan.gather_keys.is_empty();
            let starts = has_gathers.then(|| gather_starts(&self.directory.join(GATHER_INDEX))).transpose()?;
            let checksum = table?.finish(starts)?;
            if self.directory.is_remote() {
                remove_parts(&self.directory.join(HEADERS))?;
            }
            Ok((BTreeMap::from([(HEADERS.to_owned(), checksum)]), counts))
        })
    }

    /// Moves the parts of the header table to where they belong. Returns their checksums.
    fn place_parts(&self, cancel: &CancelHandle) -> Result<BTreeMap<String, Checksum>> {
        let (table, mut mover) = (self.directory.join(HEADERS), Mover::default());
        let mut checksums = BTreeMap::new();
        for ((segment, paths), record) in self.plan.segments.iter().zip(self.segments).zip(self.records) {
            cancel.check()?;
            for (number, checksum) in self.plan.header_parts_of(segment).zip(&record.headers.parts) {
                let name = header_part(number);
                if !table.is_remote() {
                    mover.place(&paths.header_table(self.plan).join(&name), &table.join(&name))?;
                }
                checksums.insert(format!("{HEADERS}/{name}"), checksum.clone());
            }
        }
        if table.is_remote() {
            let parts = checksums.keys().filter_map(|path| path.split_once('/')).map(|(_, name)| name.to_owned());
            check_objects(&table, parts, cancel)?;
            // A table of one file, which a directory may stand beside here.
            remove_all(&[table.path()]).map_err(failed(table.display()))?;
        }
        Ok(checksums)
    }

    /// Copies the row groups of the segments that have not been joined yet.
    fn join(&self, early: Option<EarlyTable<'a>>, cancel: &CancelHandle) -> Result<Joining<'a>> {
        let (mut table, n_joined) = match early {
            Some(early) => (early.table, early.n_segments),
            None => (Joining::create(&self.directory.join(HEADERS), &self.plan.headers)?, 0),
        };
        let rest = self.segments.iter().zip(self.records).skip(n_joined);
        for (paths, record) in rest.filter(|(_, record)| record.n_rows > 0) {
            table.push(part(paths, record), &|| cancel.check())?;
        }
        Ok(table)
    }

    fn write_index(&self) -> Result<GatherCounts> {
        let runs = self.segments.iter().zip(self.records).map(|(s, r)| (s.runs.clone(), r.n_runs));
        let file_starts: Vec<u64> = self.plan.files.iter().map(|f| f.first_trace).collect();
        let (plan, index) = (self.plan, self.directory.join(GATHER_INDEX));
        let runs: Vec<(Place, u64)> = runs.collect();
        write_index(&index, &plan.gather_keys, &runs, &file_starts, plan.n_traces(), plan.max_probe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, generate};
    use crate::plan::import_config::ImportConfig;
    use crate::run::SegmentOutcome;
    use crate::staging::{find_root, staging_of};

    #[test]
    fn parts_are_joined_in_order_as_far_as_they_come() {
        let (directory, cancel) = (tempfile::tempdir().unwrap(), CancelHandle::new());
        let (input, out) = (directory.path().join("in.sgy"), directory.path().join("out"));
        let survey = GenerateConfig { n_traces: 24, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &cancel).unwrap();
        let mut config = ImportConfig::new(&input, &out);
        (config.segments, config.chunk_traces) = (Some(4), Some(6));
        crate::run::plan(&config, &mut |_| {}, &cancel).unwrap();
        let staging = staging_of(&find_root(&out).unwrap().unwrap()).unwrap().unwrap();
        let plan = Plan::read(&crate::staging::plan_in(&staging)).unwrap();
        let record = |segment| match crate::run::convert_one(&out, segment, &cancel, &mut |_, _| {}) {
            Ok(SegmentOutcome::Converted { record, .. }) => record,
            _ => panic!("segment {segment} is not converted"),
        };
        let records = [0, 1, 2, 3].map(record);
        let joined = |order: &[usize], name: &str| {
            let (sender, receiver) = crossbeam_channel::unbounded();
            order.iter().for_each(|&i| sender.send(records[i].clone()).unwrap());
            drop(sender);
            let asked = std::cell::Cell::new(0);
            let go_on = || {
                asked.set(asked.get() + 1);
                Ok(())
            };
            let directory = staging.join(name).join("tables");
            let table = EarlyTable::join(&plan, (&staging, &directory), &receiver, &go_on).unwrap();
            (table.n_segments, asked.get() > 0)
        };
        assert_eq!(joined(&[3, 1, 0, 2], "all"), (4, true));
        assert_eq!(joined(&[1, 3, 0], "two"), (2, true));
        assert_eq!(joined(&[3, 2, 1], "none"), (0, false));
        // All rows are in the row group of the first.
        assert_eq!(records.map(|record| record.n_rows), [24, 0, 0, 0]);
    }
}

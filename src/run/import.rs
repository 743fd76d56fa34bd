//! The whole import: plan, convert, merge, commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::coordinator::{Launch, Listener, ProcessLauncher, Tally, ThreadLauncher, convert_segments};
use crate::grid::options::GridOptions;
use crate::merge::{EarlyTable, place_of_tables};
use crate::plan::Plan;
use crate::plan::import_config::ImportConfig;
use crate::run::finish::Finish;
use crate::run::planning::{Job, OtherPlan, Prepared, prepare};
use crate::run::reporter::{ImportProgress, ImportResult, Message, Phase, Reporter};
use crate::run::spilling::spill;
use crate::staging::{Output, SegmentRecord};

/// Imports a SEG-Y file.
///
/// `on_progress` is called about ten times a second during the work. After `cancel`, it returns within a second.
///
/// # Errors
/// See [`Error`]. Nothing is visible in the output directory unless the import is complete.
pub fn import(
    config: &ImportConfig,
    on_progress: &mut dyn FnMut(&ImportProgress),
    cancel: &CancelHandle,
) -> Result<ImportResult> {
    let mut reporter = Reporter::new(on_progress).verified(config.verify);
    match import_once(config, &mut reporter, cancel) {
        Err(Stopped { wants_scan: true, .. }) => {
            let grid = config.grid.clone().map(|grid| GridOptions { is_scanned: true, ..grid });
            let config = ImportConfig { grid, ..config.clone() };
            reporter.say(Message::Info(
                "other headers contradict the few that were read; reading all of them first".into(),
            ));
            import_once(&config, &mut reporter, cancel).map_err(|stopped| stopped.error)
        }
        result => result.map_err(|stopped| stopped.error),
    }
}

/// Why an import ended.
struct Stopped {
    error: Error,
    /// Whether a header contradicts the plan, which was made from a few others.
    wants_scan: bool,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { error, wants_scan: false }
    }
}

fn import_once(
    config: &ImportConfig,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> std::result::Result<ImportResult, Stopped> {
    let job = match prepare(config, OtherPlan::IsReplaced, reporter, cancel)? {
        Prepared::Open(job) => job,
        Prepared::Complete { plan, n_gathers } => {
            return Ok(reporter.result(&config.output, &plan, n_gathers, Vec::new()));
        }
    };
    if let Some(resuming) = job.resuming() {
        reporter.say(Message::Info(resuming));
    }
    let Job { output, plan, done, .. } = job;
    let mut finish = Finish {
        plan: &plan,
        inputs: plan.files.iter().map(|f| f.input.clone()).collect(),
        options: config.merge_options(),
        keeps_segments: false,
        early: None,
    };
    if let Err(error) = spill(config, (&plan, &done, false), &output, reporter, cancel) {
        return Err(finish.leave(output, error).into());
    }
    let records = match convert_and_join(config, &plan, &output, done, reporter, cancel) {
        Ok((records, early)) => {
            finish.early = early;
            records
        }
        Err(error) => {
            let wants_scan = output.wants_scan()?;
            return Err(Stopped { error: finish.leave(output, error), wants_scan });
        }
    };
    let (n_gathers, found) = finish.run(output, &records, reporter, cancel)?;
    Ok(reporter.result(&config.output, &plan, n_gathers, found))
}

/// Converts the segments not in `done` yet, and joins the header tables of those that are done meanwhile. Errors of joining
/// are left to the merge, which starts over.
fn convert_and_join<'a>(
    config: &ImportConfig,
    plan: &'a Arc<Plan>,
    output: &Output,
    done: Vec<SegmentRecord>,
    reporter: &mut Reporter,
    cancel: &CancelHandle,
) -> Result<(Vec<SegmentRecord>, Option<EarlyTable<'a>>)> {
    reporter.begin(Phase::Importing, plan.n_traces());
    if output.staging().is_remote()
        || plan.headers.in_parts
        || plan.segments.len() == 1
        || plan.n_traces() < config.early_table_traces
    {
        return convert(config, plan, output, done, reporter, cancel).map(|records| (records, None));
    }
    let failed = AtomicBool::new(false);
    let go_on = || match failed.load(Ordering::Relaxed) {
        true => Err(Error::Failed("the import failed".into())),
        false => cancel.check(),
    };
    let (staging, tables) = (output.staging(), place_of_tables(plan, &output.dataset()));
    let (sender, records) = crossbeam_channel::unbounded();
    // Nobody listens where there is no thread for it.
    done.iter().for_each(|record| drop(sender.send(record.clone())));
    std::thread::scope(|scope| {
        let joining =
            Builder::new().spawn_scoped(scope, || EarlyTable::join(plan, (&staging, &tables), &records, &go_on));
        let mut listener = Forwarding { reporter, sender };
        let converted = convert(config, plan, output, done, &mut listener, cancel);
        failed.store(converted.is_err(), Ordering::Relaxed);
        drop(listener);
        let early = joining.ok().and_then(|thread| thread.join().ok()).and_then(Result::ok);
        converted.map(|records| (records, early))
    })
}

/// Passes on which segments are done.
struct Forwarding<'a, 'b> {
    reporter: &'a mut Reporter<'b>,
    sender: crossbeam_channel::Sender<SegmentRecord>,
}

impl Listener for Forwarding<'_, '_> {
    fn tally(&mut self, tally: Tally) {
        self.reporter.tally(tally);
    }

    fn note(&mut self, line: &str) {
        self.reporter.note(line);
    }

    fn done(&mut self, record: &SegmentRecord) {
        let _ = self.sender.send(record.clone());
    }
}

/// Converts the segments not in `done` yet, on this computer.
fn convert(
    config: &ImportConfig,
    plan: &Arc<Plan>,
    output: &Output,
    done: Vec<SegmentRecord>,
    listener: &mut dyn Listener,
    cancel: &CancelHandle,
) -> Result<Vec<SegmentRecord>> {
    let launcher: Box<dyn Launch> = match &config.worker_program {
        Some(program) if !config.is_small(plan) => {
            let lock =
                output.lock().map(std::fs::File::try_clone).transpose().map_err(failed(output.root().display()))?;
            Box::new(ProcessLauncher { program: program.clone(), plan_file: output.plan_file().path(), lock })
        }
        _ => Box::new(ThreadLauncher),
    };
    let (staging, workers) = (output.staging(), config.n_workers());
    convert_segments(plan, &staging, launcher.as_ref(), workers, done, cancel, listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset_files::{GATHER_INDEX, HEADERS, METADATA};
    use crate::generate::{GenerateConfig, generate};

    #[test]
    fn header_tables_that_are_joined_early_are_those_of_the_merge() {
        let (directory, cancel) = (tempfile::tempdir().unwrap(), CancelHandle::new());
        let input = directory.path().join("in.sgy");
        // Three row groups.
        let survey = GenerateConfig { n_traces: 140_000, n_samples: 1, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &cancel).unwrap();
        let [late, early] = [u64::MAX, 0].map(|early_table_traces| {
            let output = directory.path().join(early_table_traces.to_string());
            let mut config = ImportConfig::new(&input, &output);
            (config.segments, config.workers, config.sync) = (Some(3), Some(2), false);
            (config.parallel_threshold, config.early_table_traces) = ((0, 0), early_table_traces);
            import(&config, &mut |_| {}, &cancel).unwrap();
            [HEADERS, GATHER_INDEX, METADATA].map(|name| std::fs::read(output.join(name)).unwrap())
        });
        assert!(late == early);
    }
}

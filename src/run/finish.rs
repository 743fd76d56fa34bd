//! Merging: the segments become a dataset, which is verified, synced to disk, and made visible.

use std::path::Path;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::ranges::ranges;
use crate::coordinator::{Listener, Tally};
use crate::dataset::Dataset;
use crate::dataset::document::{Document, Rounded};
use crate::input::InputFile;
use crate::merge::metadata_json::rounded;
use crate::merge::{EarlyTable, content_warnings, merge_with};
use crate::plan::decide::can_be_verified;
use crate::plan::{MergeOptions, Plan};
use crate::run::no_plan;
use crate::run::reporter::{ImportProgress, ImportResult, Message, Phase, Reporter};
use crate::staging::{self, Output, SegmentRecord, Staged, document_in};
use crate::store::Place;
use crate::verify::compare_with;

/// The result of a merge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Merged {
    /// The dataset was already there.
    Before {
        n_traces: u64,
    },
    Now(ImportResult),
}

/// Merges the segments of the plan in an output directory and makes the dataset visible. `verify` compares it with the
/// input even if the plan does not ask for that.
///
/// # Errors
/// `Error::Failed` with the segments that are not done, `Error::Usage` without a plan. On any error the segments are
/// kept.
pub(crate) fn merge(
    root: &Path,
    verify: bool,
    on_progress: &mut dyn FnMut(&ImportProgress),
    cancel: &CancelHandle,
) -> Result<Merged> {
    let mut reporter = Reporter::new(on_progress).verified(verify);
    let Some(place) = staging::find_root(root)? else { return Err(no_plan(root)) };
    if Staged::find(&place)?.is_none() && !staging::is_merged(&place)? {
        return complete(&place);
    }
    let file_mode = Staged::find(&place)?.map_or(0o666, |staged| staged.plan.file_mode);
    let output = Output::open(root, true, file_mode)?;
    let staged = Staged::find(&place)?;
    if output.is_merged()? {
        output.resume_commit(staged.as_ref().is_none_or(|s| s.plan.merge.sync))?;
        output.discard()?;
        return complete(&place);
    }
    let Some(Staged { plan, done, .. }) = staged else {
        // Another merge finished meanwhile.
        output.discard()?;
        return complete(&place);
    };
    staging::check(root, plan.merge.overwrite)?;
    let missing = missing(&plan, &done);
    if !missing.is_empty() {
        return Err(Error::Failed(not_done(root, &missing, plan.segments.len())));
    }
    let options = MergeOptions { verify: plan.merge.verify || verify, ..plan.merge };
    if options.verify {
        can_be_verified(&plan)?;
    }
    let inputs = plan.files.iter().map(|f| f.input.as_seen_here()).collect::<Result<Vec<_>>>()?;
    let finish = Finish { plan: &plan, inputs, options, keeps_segments: true, early: None };
    finish
        .run(output, &done, &mut reporter, cancel)
        .map(|(n_gathers, found)| Merged::Now(reporter.result(root, &plan, n_gathers, found)))
}

/// The result when there is nothing left to merge.
fn complete(root: &Place) -> Result<Merged> {
    let document = document_in(root)?.ok_or_else(|| no_plan(&root.path()))?;
    Ok(Merged::Before { n_traces: Document::read(&document)?.geometry.n_traces })
}

/// The segments that are not done.
pub(crate) fn missing(plan: &Plan, done: &[SegmentRecord]) -> Vec<u32> {
    let done: std::collections::BTreeSet<u32> = done.iter().map(|r| r.segment).collect();
    plan.segments.iter().map(|s| s.id).filter(|id| !done.contains(id)).collect()
}

fn not_done(root: &Path, missing: &[u32], n: usize) -> String {
    let (noun, verb) = if missing.len() == 1 { ("segment", "is") } else { ("segments", "are") };
    format!("{}: {noun} {} of {n} {verb} not done", root.display(), ranges(missing))
}

/// The last step, after all segments are done.
pub(crate) struct Finish<'a> {
    pub plan: &'a Plan,
    /// The input files as they must still be at the end.
    pub inputs: Vec<InputFile>,
    pub options: MergeOptions,
    /// Whether to keep the segments even after an error that makes them useless.
    pub keeps_segments: bool,
    /// What of the header table has been joined already.
    pub early: Option<EarlyTable<'a>>,
}

impl Finish<'_> {
    /// Merges the segments and makes the dataset visible. Returns the number of gathers and any new warnings.
    pub(crate) fn run(
        mut self,
        output: Output,
        records: &[SegmentRecord],
        reporter: &mut Reporter,
        cancel: &CancelHandle,
    ) -> Result<(u64, Vec<String>)> {
        let found = content_warnings::of_contents(self.plan, records);
        let mut warnings: Vec<String> = found.iter().map(|warning| self.plan.about(warning)).collect();
        for warning in &warnings {
            reporter.say(Message::Warning(warning.clone()));
        }
        if let Some(rounded) = rounded(self.plan, records) {
            let Rounded { step, largest_error, rms_error, .. } = rounded;
            let told = format!(
                "samples are rounded to multiples of {step}: largest error {largest_error:.6e}, RMS {rms_error:.6e}"
            );
            reporter.say(Message::Info(told));
        }
        reporter.begin(Phase::Merging, self.plan.n_traces());
        let mut tally = |traces_done| reporter.tally(Tally { traces_done, active_workers: 0 });
        let counts = match merge_with(self.plan, &output, records, self.early.take(), cancel, &mut tally) {
            Ok(counts) => counts,
            Err(error) => return Err(self.leave(output, error)),
        };
        if self.options.verify
            && let Err(error) = self.verify(&output, reporter, cancel)
        {
            return Err(match error {
                Error::Cancelled { .. } => self.leave(output, error),
                // The segments are as wrong as the dataset merged from them.
                error => self.discard(output, error),
            });
        }
        if self.options.sync {
            reporter.begin(Phase::Syncing, self.plan.n_traces());
            if let Err(error) = output.sync(cancel) {
                return Err(self.leave(output, error));
            }
        }
        if let Err(changed) = self.inputs.iter().try_for_each(InputFile::check_unchanged) {
            return Err(self.discard(output, changed));
        }
        if let Some(left) = output.commit(self.options.sync)? {
            reporter.say(Message::Warning(left.clone()));
            warnings.push(left);
        }
        Ok((counts.n_gathers, warnings))
    }

    /// Compares the finished dataset with the input, before it becomes visible.
    fn verify(&self, output: &Output, reporter: &mut Reporter, cancel: &CancelHandle) -> Result<()> {
        reporter.begin(Phase::Verifying, self.plan.n_traces());
        let mut tally = |traces_done, _| reporter.tally(Tally { traces_done, active_workers: 0 });
        let inputs: Vec<&Path> = self.plan.files.iter().map(|f| f.input.path.as_path()).collect();
        let dataset = Dataset::open_described(output.dataset(), &output.document()?)?;
        compare_with(&inputs, &dataset, &mut tally, cancel).map(|_| ())
    }

    /// Decides what to keep of a failed import, and says so in the error.
    pub(crate) fn leave(&self, output: Output, error: Error) -> Error {
        let finished = match output.n_finished(self.plan) {
            Ok(finished) => finished,
            // It is unknown what is there, so it stays.
            Err(cause) => return Error::Failed(format!("{error}; and what is left cannot be determined: {cause}")),
        };
        if error.is_final() || finished == 0 {
            return self.discard(output, error);
        }
        let kept = format!(
            "{finished} of {} segments are done and kept in {}; the same command goes on from there",
            self.plan.segments.len(),
            output.staging().display()
        );
        match error {
            Error::Failed(message) => Error::Failed(format!("{message}; {kept}")),
            Error::Cancelled { signal, .. } => Error::Cancelled { signal, left: Some(kept) },
            other => other,
        }
    }

    fn discard(&self, output: Output, error: Error) -> Error {
        if self.keeps_segments { error } else { discard(output, error) }
    }
}

/// Removes everything the import made, because of this error.
pub(crate) fn discard(output: Output, error: Error) -> Error {
    match output.discard() {
        Ok(()) => error,
        Err(cleaning) => Error::Failed(format!("{error}; and {cleaning}")),
    }
}

/// The number of gathers in a dataset merged by an earlier run.
pub(crate) fn finished_gathers(output: &Output) -> Result<u64> {
    let document = document_in(output.root())?.ok_or_else(|| no_plan(&output.root().path()))?;
    Ok(Document::read(&document)?.gathers.n_gathers)
}

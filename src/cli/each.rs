//! `--each`: one dataset for each file, several at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::HumanCount;
use serde_json::json;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed, unreadable};
use crate::base::parallel::{Shared, for_each};
use crate::base::plural::counted;
use crate::cli::events::{Event, Failure, FileEntry};
use crate::cli::import::check_input;
use crate::cli::progress::{Display, ProgressMode};
use crate::dataset::document::Document;
use crate::plan::import_config::ImportConfig;
use crate::run::import::import;
use crate::run::reporter::{ImportProgress, Message, Phase};
use crate::staging::document_in;
use crate::store::place::is_absence;
use crate::store::{self, Place};

/// What became of a file.
#[derive(Clone)]
enum Outcome {
    Done { n_traces: u64 },
    WasThere { n_traces: u64 },
    Failed(Error),
}

/// What is known of a file.
#[derive(Clone, Default)]
struct Seen {
    /// Its length in bytes; 0 if it cannot be told without a request or an error.
    bytes: u64,
    /// How much of its import is done, from 0 to 1.
    fraction: f64,
    /// Traces, once they are known.
    n_traces: Option<u64>,
    outcome: Option<Outcome>,
}

/// What is known of all files while they are converted.
struct Survey<'a> {
    inputs: &'a [PathBuf],
    outputs: &'a [PathBuf],
    files: Vec<Seen>,
    n_active: usize,
    /// Not shown yet: messages with the number of their file, and the files that ended.
    messages: Vec<(usize, Message)>,
    ended: Vec<usize>,
}

/// Files converted at the same time.
#[derive(Debug, PartialEq)]
struct Batch {
    files: Vec<usize>,
    at_once: usize,
    /// Workers for each file.
    n_workers: usize,
}

/// Imports each input of `config` into a dataset of its own below the output.
pub(super) fn run(config: &ImportConfig, mode: ProgressMode) -> Result<(), Failure> {
    let outputs = outputs(&config.inputs, &config.output)?;
    let cancel = CancelHandle::new();
    cancel.listen_to_signals().map_err(failed("cannot listen to signals"))?;
    let started = Instant::now();
    let survey = Survey::new(&config.inputs, &outputs);
    let batches = batches(&survey.files, config.parallel_threshold.1, config.n_workers());
    let survey = Mutex::new(survey);
    let mut display = Display::new(mode);
    let mut tell = |_| lock(&survey).tell(&mut display, started.elapsed());
    let worked = batches.into_iter().try_for_each(|batch| {
        let one = |(): &mut (), i: usize, _: &Shared| convert_one(config, &survey, i, batch.n_workers, &cancel);
        for_each(batch.at_once, batch.files.into_iter(), &cancel, &mut tell, || Ok(()), one)
    });
    let survey = survey.into_inner().unwrap_or_else(PoisonError::into_inner);
    match worked {
        Ok(()) => survey.summary(&display, &config.output, started.elapsed()),
        Err(error) => {
            display.abandon();
            Err(Failure { files: Some(survey.entries()), ..error.into() })
        }
    }
}

fn lock<'a, 'b>(survey: &'a Mutex<Survey<'b>>) -> std::sync::MutexGuard<'a, Survey<'b>> {
    survey.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Small files side by side, then each larger one by itself, with all workers.
fn batches(files: &[Seen], most_bytes: u64, n_workers: usize) -> Vec<Batch> {
    let (small, large): (Vec<usize>, Vec<usize>) = (0..files.len()).partition(|&i| files[i].bytes <= most_bytes);
    let at_once = n_workers.min(small.len()).max(1);
    let side_by_side = Batch { files: small, at_once, n_workers: (n_workers / at_once).max(1) };
    let alone = large.into_iter().map(|i| Batch { files: vec![i], at_once: 1, n_workers });
    [side_by_side].into_iter().filter(|batch| !batch.files.is_empty()).chain(alone).collect()
}

/// Converts one file and notes how it ended; an error only if the command is to stop.
fn convert_one(
    config: &ImportConfig,
    survey: &Mutex<Survey>,
    i: usize,
    n_workers: usize,
    cancel: &CancelHandle,
) -> Result<()> {
    let output = {
        let mut survey = lock(survey);
        survey.n_active += 1;
        survey.outputs[i].clone()
    };
    let workers = Some(n_workers);
    let config = ImportConfig { inputs: vec![config.inputs[i].clone()], output, workers, ..config.clone() };
    let outcome = convert(&config, &mut |progress| lock(survey).hear(i, progress), cancel);
    let mut survey = lock(survey);
    survey.n_active -= 1;
    match outcome {
        Err(cancelled @ Error::Cancelled { .. }) => return Err(cancelled),
        outcome => survey.end(i, outcome.unwrap_or_else(Outcome::Failed)),
    }
    Ok(())
}

/// Converts one file, unless its dataset is there.
fn convert(
    config: &ImportConfig,
    on_progress: &mut dyn FnMut(&ImportProgress),
    cancel: &CancelHandle,
) -> Result<Outcome> {
    config.inputs.iter().try_for_each(|input| check_input(input))?;
    if !config.overwrite
        && let Some(n_traces) = is_there(config)?
    {
        return Ok(Outcome::WasThere { n_traces });
    }
    import(config, on_progress, cancel).map(|done| Outcome::Done { n_traces: done.n_traces })
}

/// The traces of the dataset that is there already, if it was made from a file of the same name and length.
fn is_there(config: &ImportConfig) -> Result<Option<u64>> {
    let root = match Place::to_read(&config.output) {
        Ok(root) => root,
        Err(e) if is_absence(&e) => return Ok(None),
        Err(e) => return Err(unreadable(&config.output, &e)),
    };
    let Some(document) = document_in(&root)? else { return Ok(None) };
    let document = Document::read(&document)?;
    let Some(input) = config.inputs.first().filter(|input| !store::is_remote(input)) else { return Ok(None) };
    let bytes = std::fs::metadata(input).map_err(failed(input.display()))?.len();
    let is_same = document.input.bytes == bytes
        && document.input.name.as_deref() == input.file_name().and_then(|name| name.to_str());
    Ok(is_same.then_some(document.geometry.n_traces))
}

/// A dataset for each file, by its name: `lines/a.sgy` becomes `OUT/a.zarr`.
fn outputs(inputs: &[PathBuf], root: &Path) -> Result<Vec<PathBuf>> {
    let mut by_name: HashMap<PathBuf, &Path> = HashMap::new();
    let mut outputs = Vec::new();
    for input in inputs {
        let Some(stem) = input.file_stem() else {
            return Err(Error::Usage(format!("{}: is not a file name", input.display())));
        };
        let mut name = stem.to_owned();
        name.push(".zarr");
        let output = root.join(name);
        if let Some(other) = by_name.insert(output.clone(), input) {
            return Err(Error::Usage(format!(
                "{} and {}: would both become {}; import them apart",
                other.display(),
                input.display(),
                output.display()
            )));
        }
        outputs.push(output);
    }
    Ok(outputs)
}

impl Outcome {
    /// The outcome as programs are told it.
    fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "imported",
            Self::WasThere { .. } => "was_there",
            Self::Failed(_) => "failed",
        }
    }

    fn n_traces(&self) -> Option<u64> {
        match self {
            Self::Done { n_traces } | Self::WasThere { n_traces } => Some(*n_traces),
            Self::Failed(_) => None,
        }
    }

    fn error(&self) -> Option<&Error> {
        if let Self::Failed(error) = self { Some(error) } else { None }
    }
}

impl<'a> Survey<'a> {
    fn new(inputs: &'a [PathBuf], outputs: &'a [PathBuf]) -> Self {
        let bytes = |input: &PathBuf| match store::is_remote(input) {
            true => 0,
            // A file that cannot be read fails when its turn comes.
            false => std::fs::metadata(input).map_or(0, |metadata| metadata.len()),
        };
        let files = inputs.iter().map(|input| Seen { bytes: bytes(input), ..Seen::default() }).collect();
        Self { inputs, outputs, files, n_active: 0, messages: Vec::new(), ended: Vec::new() }
    }

    fn hear(&mut self, i: usize, progress: &ImportProgress) {
        let file = &mut self.files[i];
        file.fraction = progress.fraction.max(file.fraction);
        file.n_traces = Some(progress.total_traces).filter(|&n| n > 0).or(file.n_traces);
        self.messages.extend(progress.messages.iter().map(|message| (i, message.clone())));
    }

    fn end(&mut self, i: usize, outcome: Outcome) {
        let file = &mut self.files[i];
        file.fraction = 1.0;
        file.n_traces = outcome.n_traces().or(file.n_traces);
        file.outcome = Some(outcome);
        self.ended.push(i);
    }

    fn name(&self, i: usize) -> String {
        self.inputs[i].display().to_string()
    }

    /// Shows the overall progress, and what happened since the last call.
    fn tell(&mut self, display: &mut Display, elapsed: Duration) {
        for (i, message) in std::mem::take(&mut self.messages) {
            display.message(&message, Some(&self.name(i)));
        }
        display.update(&self.progress(elapsed));
        for i in std::mem::take(&mut self.ended) {
            let (input, output) = (self.name(i), self.outputs[i].display().to_string());
            let Some(outcome) = &self.files[i].outcome else { continue };
            display.event(&match outcome.error() {
                Some(error) => Event::file_failed(&input, &output, error),
                None => Event::FileDone {
                    input,
                    output,
                    n_traces: outcome.n_traces().unwrap_or(0),
                    was_there: matches!(outcome, Outcome::WasThere { .. }),
                },
            });
        }
    }

    /// The progress of all. Files count by their length; those not begun are taken to have traces like the others.
    fn progress(&self, elapsed: Duration) -> ImportProgress {
        let weight = |file: &Seen| file.bytes.max(1) as f64;
        let sum = |of: &dyn Fn(&Seen) -> f64| self.files.iter().map(of).sum::<f64>();
        let whole = sum(&weight);
        let fraction = sum(&|file| weight(file) * file.fraction) / whole;
        let known = sum(&|file| if file.n_traces.is_some() { weight(file) } else { 0.0 });
        let n_known = sum(&|file| file.n_traces.unwrap_or(0) as f64);
        let n_done = sum(&|file| file.fraction * file.n_traces.unwrap_or(0) as f64);
        ImportProgress {
            current_traces: n_done as u64,
            total_traces: if known > 0.0 { (n_known * whole / known).round() as u64 } else { 0 },
            active_workers: self.n_active,
            fraction,
            elapsed,
            eta: (fraction > 0.02).then(|| elapsed.mul_f64((1.0 - fraction).max(0.0) / fraction)),
            ..ImportProgress::new(Phase::Importing)
        }
    }

    /// What became of each file, in the order in which they were given.
    fn entries(&self) -> Vec<FileEntry> {
        let entry = |(i, file): (usize, &Seen)| {
            let outcome = file.outcome.as_ref();
            FileEntry::new(
                self.name(i),
                self.outputs[i].display().to_string(),
                outcome.map_or("not_done", Outcome::name),
                outcome.and_then(Outcome::n_traces),
                outcome.and_then(Outcome::error),
            )
        };
        self.files.iter().enumerate().map(entry).collect()
    }

    /// The last lines: the files that failed, in the order in which they were given, and the counts. Where files failed, it is an
    /// error with the exit code of the worst.
    fn summary(&self, display: &Display, output: &Path, elapsed: Duration) -> Result<(), Failure> {
        let outcomes = || self.files.iter().filter_map(|file| file.outcome.as_ref());
        let count = |name: &str| outcomes().filter(|outcome| outcome.name() == name).count() as u64;
        let (n_done, n_there) = (count("imported"), count("was_there"));
        let n_traces: u64 = outcomes().filter_map(Outcome::n_traces).sum();
        let out = output.display().to_string();
        let there = if n_there > 0 { format!(", {n_there} were there already") } else { String::new() };
        let what = format!(
            "{out}: {} imported{there}, {} traces, {:.2} s",
            counted(n_done, HumanCount(n_done), "file"),
            HumanCount(n_traces),
            elapsed.as_secs_f64()
        );
        let failures: Vec<&Error> = outcomes().filter_map(Outcome::error).collect();
        let Some(worst) = failures.iter().max_by_key(|error| error.exit_code()) else {
            let document = json!({
                "type": "done", "n_files": n_done + n_there, "n_imported": n_done, "n_there": n_there,
                "n_traces": n_traces, "output": out, "files": self.entries(),
            });
            return Ok(display.done(&what, &document)?);
        };
        display.abandon();
        failures.iter().for_each(|error| display.say(&format!("failed: {error}")));
        let error = worst.of_the_same_kind(format!("{what}, {} failed", failures.len()));
        Err(Failure { files: Some(self.entries()), ..error.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_that_would_become_one_dataset_are_refused() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let found = outputs(&paths(&["a/x.sgy", "b/y.SEGY"]), Path::new("out")).unwrap();
        assert_eq!(found, paths(&["out/x.zarr", "out/y.zarr"]));
        let error = outputs(&paths(&["a/x.sgy", "b/x.segy"]), Path::new("out")).unwrap_err();
        assert!(error.to_string().contains("a/x.sgy and b/x.segy"), "{error}");
    }

    fn of_bytes(lengths: &[u64]) -> Vec<Seen> {
        lengths.iter().map(|&bytes| Seen { bytes, ..Seen::default() }).collect()
    }

    #[test]
    fn small_files_go_side_by_side_and_a_large_one_has_all_workers() {
        let batch = |files: &[usize], at_once, n_workers| Batch { files: files.to_vec(), at_once, n_workers };
        let files = of_bytes(&[10, 101, 100, 300, 0]);
        assert_eq!(batches(&files, 100, 2), [batch(&[0, 2, 4], 2, 1), batch(&[1], 1, 2), batch(&[3], 1, 2)]);
        assert_eq!(batches(&files[..2], 100, 8), [batch(&[0], 1, 8), batch(&[1], 1, 8)]);
        assert_eq!(batches(&files[3..4], 100, 3), [batch(&[0], 1, 3)]);
    }

    #[test]
    fn files_not_begun_count_by_their_length() {
        let [inputs, outputs] = [["a", "b", "c"].map(PathBuf::from), ["x", "y", "z"].map(PathBuf::from)];
        let mut survey = Survey::new(&inputs, &outputs);
        survey.files = of_bytes(&[100, 200, 100]);
        let half = ImportProgress { fraction: 0.5, total_traces: 30, ..ImportProgress::new(Phase::Importing) };
        survey.hear(0, &half);
        let progress = survey.progress(Duration::from_secs(1));
        assert_eq!((progress.fraction, progress.current_traces, progress.total_traces), (0.125, 15, 120));
        survey.end(1, Outcome::WasThere { n_traces: 50 });
        let progress = survey.progress(Duration::from_secs(1));
        assert_eq!((progress.fraction, progress.current_traces, progress.total_traces), (0.625, 65, 107));
    }
}

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
use crate::cli::events::Event;
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
enum Outcome {
    Done { n_traces: u64 },
    WasThere { n_traces: u64 },
    Failed(Error),
}

/// What is known of the files while they are converted.
#[derive(Default)]
struct Seen {
    /// For each file: the fraction that is done, its traces done, and all of them.
    files: Vec<(f64, u64, u64)>,
    n_active: usize,
    messages: Vec<Message>,
    outcomes: Vec<(usize, Outcome)>,
    /// Outcomes reported so far.
    n_told: usize,
}

/// Imports each input of `config` into a dataset of its own below the output.
pub(super) fn run(config: &ImportConfig, mode: ProgressMode) -> Result<()> {
    let outputs = outputs(&config.inputs, &config.output)?;
    let cancel = CancelHandle::new();
    cancel.listen_to_signals().map_err(failed("cannot listen to signals"))?;
    let (n_files, n_workers) = (config.inputs.len(), config.n_workers());
    let n_at_once = n_workers.min(n_files).max(1);
    let one = |i: usize| ImportConfig {
        inputs: vec![config.inputs[i].clone()],
        output: outputs[i].clone(),
        workers: Some((n_workers / n_at_once).max(1)),
        ..config.clone()
    };
    let started = Instant::now();
    let seen = Mutex::new(Seen { files: vec![(0.0, 0, 0); n_files], ..Seen::default() });
    let mut display = Display::new(mode);
    let convert = |(): &mut (), i: usize, _: &Shared| {
        lock(&seen).n_active += 1;
        let outcome = convert(&one(i), &mut |progress| lock(&seen).hear(i, progress), &cancel);
        let mut seen = lock(&seen);
        seen.n_active -= 1;
        if let Err(cancelled @ Error::Cancelled { .. }) = outcome {
            return Err(cancelled);
        }
        let n_traces = seen.files[i].2;
        seen.files[i] = (1.0, n_traces, n_traces);
        seen.outcomes.push((i, outcome.unwrap_or_else(Outcome::Failed)));
        Ok(())
    };
    let mut tell = |_| lock(&seen).tell(&mut display, config, &outputs, started.elapsed());
    let worked = for_each(n_at_once, 0..n_files, &cancel, &mut tell, || Ok(()), convert);
    if let Err(error) = worked {
        display.abandon();
        return Err(error);
    }
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.summary(&display, config, started.elapsed())
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Seen {
    fn hear(&mut self, file: usize, progress: &ImportProgress) {
        let known = &mut self.files[file];
        let done = (progress.fraction * progress.total_traces as f64) as u64;
        *known = (progress.fraction.max(known.0), done.max(known.1), progress.total_traces.max(known.2));
        self.messages.extend(progress.messages.iter().cloned());
    }

    /// Shows the overall progress, and what happened since the last call.
    fn tell(&mut self, display: &mut Display, config: &ImportConfig, outputs: &[PathBuf], elapsed: Duration) {
        let n = self.files.len() as f64;
        let fraction = self.files.iter().map(|file| file.0).sum::<f64>() / n;
        let eta = (fraction > 0.02).then(|| elapsed.mul_f64((1.0 - fraction).max(0.0) / fraction));
        display.update(&ImportProgress {
            current_traces: self.files.iter().map(|file| file.1).sum(),
            total_traces: self.files.iter().map(|file| file.2).sum(),
            active_workers: self.n_active,
            fraction,
            elapsed,
            eta,
            messages: std::mem::take(&mut self.messages),
            ..ImportProgress::new(Phase::Importing)
        });
        for (i, outcome) in self.outcomes.iter().skip(self.n_told) {
            let [input, output] = [&config.inputs[*i], &outputs[*i]].map(|path| path.display().to_string());
            let (n_traces, was_there) = match outcome {
                Outcome::Done { n_traces } => (*n_traces, false),
                Outcome::WasThere { n_traces } => (*n_traces, true),
                Outcome::Failed(error) => {
                    let message = error.to_string();
                    display.say(&format!("failed: {message}"));
                    display.event(&Event::FileFailed {
                        input: &input,
                        output: &output,
                        message: &message,
                        exit_code: error.exit_code(),
                    });
                    continue;
                }
            };
            display.event(&Event::FileDone { input: &input, output: &output, n_traces, was_there });
        }
        self.n_told = self.outcomes.len();
    }

    /// The last line. Where files failed, it is an error with the exit code of the worst.
    fn summary(self, display: &Display, config: &ImportConfig, elapsed: Duration) -> Result<()> {
        let (mut n_done, mut n_there, mut n_traces, mut failures) = (0, 0, 0, Vec::new());
        for (_, outcome) in self.outcomes {
            match outcome {
                Outcome::Done { n_traces: n } => (n_done, n_traces) = (n_done + 1, n_traces + n),
                Outcome::WasThere { n_traces: n } => (n_there, n_traces) = (n_there + 1, n_traces + n),
                Outcome::Failed(error) => failures.push(error),
            }
        }
        let out = config.output.display().to_string();
        let there = if n_there > 0 { format!(", {n_there} were there already") } else { String::new() };
        let what = format!(
            "{} imported{there}, {} traces, {:.2} s",
            counted(n_done, HumanCount(n_done), "file"),
            HumanCount(n_traces),
            elapsed.as_secs_f64()
        );
        let Some(worst) = failures.iter().max_by_key(|error| error.exit_code()) else {
            let document = json!({
                "type": "done", "n_files": n_done + n_there, "n_imported": n_done, "n_there": n_there,
                "n_traces": n_traces, "output": out,
            });
            return display.done(&format!("{out}: {what}"), &document);
        };
        display.abandon();
        let summary = format!("{out}: {}, {} failed", what, failures.len());
        Err(match worst {
            Error::Usage(_) => Error::Usage(summary),
            Error::Input(_) => Error::Input(summary),
            Error::OutputInTheWay(_) => Error::OutputInTheWay(summary),
            Error::Damaged(_) => Error::Damaged(summary),
            Error::Failed(_) | Error::Cancelled { .. } => Error::Failed(summary),
        })
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
}

//! What a command prints for programs: one JSON object a line. `docs/format.md` describes the same for people, and a test keeps the
//! two in step.

use serde::Serialize;

use crate::base::error::Error;
use crate::run::reporter::{ImportProgress, Phase};

/// Version of the events. New types and fields come without a new one.
const SCHEMA: u32 = 1;

/// An event; the last line of a command that succeeds is not one of these.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    Started {
        schema: u32,
        program_version: &'static str,
    },
    Progress(Progress),
    Warning {
        message: &'a str,
        /// Of `--each`: the input that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'a str>,
    },
    Info {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'a str>,
    },
    Failed(Failed),
    /// Of `--each`: one of the files is done, or was done before.
    FileDone {
        input: String,
        output: String,
        n_traces: u64,
        was_there: bool,
    },
    /// Of `--each`: one of the files failed.
    FileFailed {
        input: String,
        output: String,
        message: String,
        exit_code: u8,
        code: &'static str,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Progress {
    phase: Phase,
    fraction: f64,
    current_traces: u64,
    total_traces: u64,
    active_workers: usize,
    elapsed_s: f64,
    eta_s: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Failed {
    message: String,
    exit_code: u8,
    code: &'static str,
    file: Option<String>,
    trace: Option<u64>,
    byte: Option<u64>,
    /// Of `--each`.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<FileEntry>>,
}

/// What became of one of the files of `--each`, in the last document.
#[derive(Debug, Serialize)]
pub(super) struct FileEntry {
    input: String,
    output: String,
    outcome: &'static str,
    n_traces: Option<u64>,
    message: Option<String>,
    exit_code: Option<u8>,
    code: Option<&'static str>,
}

impl FileEntry {
    pub(super) fn new(
        input: String,
        output: String,
        outcome: &'static str,
        n_traces: Option<u64>,
        error: Option<&Error>,
    ) -> Self {
        Self {
            input,
            output,
            outcome,
            n_traces,
            message: error.map(ToString::to_string),
            exit_code: error.map(Error::exit_code),
            code: error.map(code),
        }
    }
}

/// Why a command failed, and with `--each`, what became of its files.
pub(super) struct Failure {
    pub error: Error,
    pub files: Option<Vec<FileEntry>>,
    /// Whether standard output has what the command prints in spite of it, so that nothing else may follow there.
    pub is_printed: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, files: None, is_printed: false }
    }
}

impl Event<'_> {
    pub(super) fn started() -> Self {
        Self::Started { schema: SCHEMA, program_version: env!("CARGO_PKG_VERSION") }
    }

    pub(super) fn progress(progress: &ImportProgress) -> Self {
        Self::Progress(Progress {
            phase: progress.phase,
            fraction: thousandths(progress.fraction),
            current_traces: progress.current_traces,
            total_traces: progress.total_traces,
            active_workers: progress.active_workers,
            elapsed_s: thousandths(progress.elapsed.as_secs_f64()),
            eta_s: progress.eta.map(|eta| thousandths(eta.as_secs_f64())),
        })
    }

    /// Of `--each`: a file that could not be imported.
    pub(super) fn file_failed(input: &str, output: &str, error: &Error) -> Self {
        Self::FileFailed {
            input: input.to_owned(),
            output: output.to_owned(),
            message: error.to_string(),
            exit_code: error.exit_code(),
            code: code(error),
        }
    }

    /// A failure; `arguments` are those of the command, one of which may be the file.
    pub(super) fn failed(error: &Error, files: Option<Vec<FileEntry>>, arguments: &[String]) -> Self {
        let message = error.to_string();
        Self::Failed(Failed {
            exit_code: error.exit_code(),
            code: code(error),
            file: file_in(&message, arguments),
            trace: number_after(&message, &["trace "]),
            byte: number_after(&message, &["byte ", "bytes "]),
            files,
            message,
        })
    }

    /// The event as a line.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Three decimals.
pub(super) fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::Usage(_) => "usage",
        Error::Input(_) => "input",
        Error::OutputInTheWay(_) => "output_in_the_way",
        Error::Failed(_) => "failed",
        Error::Damaged(_) => "damaged",
        Error::Cancelled { .. } => "cancelled",
    }
}

/// The file that a message is about: what is before its first colon, if that begins with a path of the command line.
fn file_in(message: &str, arguments: &[String]) -> Option<String> {
    let (file, _) = message.split_once(": ")?;
    // The value of `--output=PATH` is one too.
    let value = |argument: &String| match argument.strip_prefix("--") {
        Some(option) => option.split_once('=').map_or(String::new(), |(_, value)| value.to_owned()),
        None => argument.clone(),
    };
    arguments
        .iter()
        .map(value)
        .filter(|path| !path.is_empty() && !path.starts_with('-'))
        .any(|path| file.starts_with(path.trim_end_matches('/')))
        .then(|| file.to_owned())
}

/// The first whole number after one of these words.
fn number_after(message: &str, words: &[&str]) -> Option<u64> {
    let after = |word: &&str| {
        message.match_indices(*word).find_map(|(at, _)| {
            let is_start = message[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
            let digits = message[at + word.len()..].chars().take_while(|c| c.is_ascii_digit() || *c == ',');
            let number: String = digits.filter(char::is_ascii_digit).collect();
            is_start.then(|| number.parse().ok()).flatten().map(|number| (at, number))
        })
    };
    words.iter().filter_map(after).min_by_key(|(at, _)| *at).map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str, arguments: &[&str]) -> serde_json::Value {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        serde_json::to_value(Event::failed(&Error::Input(message.into()), None, &arguments)).unwrap()
    }

    #[test]
    fn a_failure_names_the_place_that_its_message_names() {
        let found = failed("a b.sgy: trace 1,203 begins with bytes 3,225-3226 of another", &["a b.sgy", "out"]);
        assert_eq!((found["file"].as_str(), found["code"].as_str()), (Some("a b.sgy"), Some("input")));
        assert_eq!((found["trace"].as_u64(), found["byte"].as_u64()), (Some(1203), Some(3225)));
        let found = failed("out/x: holds a dataset", &["a.sgy", "--output=out/x"]);
        assert_eq!(found["file"], "out/x");
        let found = failed("--gather x: is no field; 12 traces", &["--gather", "x"]);
        assert!(found["file"].is_null() && found["trace"].is_null() && found["byte"].is_null());
    }

    /// The first columns of the table below a heading of `docs/format.md`: words in backquotes.
    fn documented(heading: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format.md");
        let text = std::fs::read_to_string(path).unwrap();
        let section = text.split(&format!("\n{heading}\n")).nth(1).unwrap();
        section.split("\n## ").next().unwrap().to_owned()
    }

    #[test]
    fn every_field_of_an_event_is_in_the_format() {
        let section = documented("## Progress events");
        let progress = ImportProgress::new(Phase::Importing);
        let events = [
            Event::started(),
            Event::progress(&progress),
            Event::Warning { message: "", file: Some("") },
            Event::Info { message: "", file: Some("") },
            Event::failed(&Error::Failed(String::new()), Some(Vec::new()), &[]),
            Event::FileDone { input: String::new(), output: String::new(), n_traces: 1, was_there: false },
            Event::file_failed("", "", &Error::Failed(String::new())),
        ];
        for event in events {
            let value = serde_json::to_value(&event).unwrap();
            let of_type = value["type"].as_str().unwrap();
            let row = section.lines().find(|line| line.starts_with(&format!("| `{of_type}`"))).expect(of_type);
            for field in value.as_object().unwrap().keys().filter(|key| *key != "type") {
                assert!(row.contains(&format!("`{field}`")), "the row of {of_type} does not name {field}");
            }
        }
        let entry = FileEntry::new(String::new(), String::new(), "", None, None);
        let of_files = section.split("`files` has an object").nth(1).unwrap().split("\n\n").next().unwrap();
        for field in serde_json::to_value(&entry).unwrap().as_object().unwrap().keys() {
            assert!(of_files.contains(&format!("`{field}`")), "what it says of files does not name {field}");
        }
    }
}

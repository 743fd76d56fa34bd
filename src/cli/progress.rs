//! Showing progress: a bar on a terminal, plain lines in a log, JSON lines for programs. The only file that uses
//! indicatif.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::base::error::{Result, failed};
use crate::base::plural::counted;
use crate::base::system::terminal_size;
use crate::base::visible::{visible, visible_lines};
use crate::cli::events::{Event, thousandths};
use crate::run::reporter::{ImportProgress, ImportResult, Message, Phase};

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProgressMode {
    /// A bar if standard error is a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// One bar on standard error.
    Bar,
    /// A line every few seconds on standard error.
    Plain,
    /// JSON lines on standard output.
    Json,
    /// Only warnings and errors.
    None,
    /// The result alone, as JSON on standard output: `--json`.
    #[value(skip)]
    Result,
}

/// The shortest time between plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// Shows progress in one of the modes. A closed pipe just means that nobody is listening.
pub(super) enum Display {
    Bar(Bar),
    /// `is_brief`: phases that take a moment get no lines.
    Plain {
        phase: Option<Phase>,
        last: Instant,
        is_brief: bool,
    },
    Json,
    Result,
    Silent,
}

impl Display {
    pub(super) fn new(mode: ProgressMode) -> Self {
        match mode {
            ProgressMode::Auto if std::io::stderr().is_terminal() => Self::Bar(Bar::new()),
            ProgressMode::Bar => Self::Bar(Bar::new()),
            ProgressMode::Auto | ProgressMode::Plain => {
                Self::Plain { phase: None, last: Instant::now(), is_brief: mode == ProgressMode::Auto }
            }
            ProgressMode::Json => {
                print_event(&Event::started());
                Self::Json
            }
            ProgressMode::Result => Self::Result,
            ProgressMode::None => Self::Silent,
        }
    }

    /// Shows one progress report.
    pub(super) fn update(&mut self, progress: &ImportProgress) {
        for message in &progress.messages {
            self.message(message, None);
        }
        match self {
            Self::Bar(bar) => bar.update(progress),
            Self::Plain { phase, last, is_brief } => {
                let begins = !*is_brief && *phase != Some(progress.phase);
                let is_due = begins || last.elapsed() >= PLAIN_INTERVAL;
                if is_due && progress.total_traces > 0 {
                    (*phase, *last) = (Some(progress.phase), Instant::now());
                    say(&plain_line(progress, begins));
                }
            }
            Self::Json => print_event(&Event::progress(progress)),
            Self::Result | Self::Silent => {}
        }
    }

    /// Shows a message; of one of several imports, with its file.
    pub(super) fn message(&self, message: &Message, file: Option<&str>) {
        let (kind, text) = match message {
            Message::Warning(text) => ("warning", text),
            Message::Info(text) => ("info", text),
        };
        let about = file.filter(|file| !begins_with_file(text, file)).map_or(String::new(), |file| format!("{file}: "));
        let line = format!("{kind}: {about}{text}");
        match self {
            Self::Bar(bar) => bar.suspend(|| say(&line)),
            Self::Result | Self::Silent if kind == "info" => {}
            Self::Json => {
                print_event(&match message {
                    Message::Warning(message) => Event::Warning { message, file },
                    Message::Info(message) => Event::Info { message, file },
                });
                // A log that keeps only standard error should show the warnings too.
                if kind == "warning" {
                    say(&line);
                }
            }
            _ => say(&line),
        }
    }

    /// Clears the bar and says what was done.
    ///
    /// # Errors
    /// See [`Self::done`].
    pub(super) fn finish(&self, result: &ImportResult) -> Result<()> {
        let elapsed = result.elapsed.as_secs_f64();
        let rate = (result.n_traces as f64 / elapsed.max(1e-3)) as u64;
        let count = |n: u64, noun: &str| counted(n, HumanCount(n), noun);
        let keys = result.gather_keys.join(",");
        let lengths: Vec<String> =
            result.grid.iter().map(|(axis, length)| format!("{axis} {}", HumanCount(*length))).collect();
        let gathers = match result.gather_keys.is_empty() {
            _ if !lengths.is_empty() => format!(" in a grid of {}", lengths.join(" × ")),
            true => ", no gathers".to_owned(),
            false => format!(" in {} by {keys}", count(result.n_gathers, "gather")),
        };
        let is_verified = result.phases.iter().any(|(phase, _)| *phase == Phase::Verifying);
        let verified = if is_verified { ", every byte verified" } else { "" };
        let part = result.part.as_ref().map_or(String::new(), |part| format!("; {part}"));
        let line = format!(
            "{}: {}{gathers}{verified}, {elapsed:.2} s ({} traces/s){part}",
            result.output.display(),
            count(result.n_traces, "trace"),
            HumanCount(rate),
        );
        let phases: serde_json::Map<_, _> =
            result.phases.iter().map(|(p, d)| (phase_name(*p).to_owned(), json!(seconds(*d)))).collect();
        let grid = result.grid.iter().map(|(axis, length)| json!({"axis": axis, "length": length}));
        let grid = (!result.grid.is_empty()).then(|| grid.collect::<Vec<_>>());
        let document = json!({
            "type": "done",
            "n_traces": result.n_traces,
            "n_gathers": result.n_gathers,
            "gather_keys": result.gather_keys,
            "grid": grid,
            "is_verified": is_verified,
            "is_part": result.part.is_some(),
            "elapsed_s": seconds(result.elapsed),
            "phases_s": phases,
            "output": result.output.display().to_string(),
        });
        self.done(&line, &document)
    }

    /// Clears the bar and says what was done: a line for people, or a document for programs.
    ///
    /// # Errors
    /// `Error::Failed` if the document cannot be written to standard output.
    pub(super) fn done(&self, line: &str, document: &serde_json::Value) -> Result<()> {
        match self {
            Self::Bar(bar) => {
                bar.clear();
                say(line);
            }
            Self::Plain { .. } => say(line),
            Self::Json => return print(&format!("{document}\n")),
            Self::Result => {
                let text = serde_json::to_string_pretty(document).map_err(failed("the result"))?;
                return print(&format!("{text}\n"));
            }
            Self::Silent => {}
        }
        Ok(())
    }

    /// Prints a message for people, even if they asked for few.
    pub(super) fn say(&self, line: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| say(line)),
            _ => say(line),
        }
    }

    /// Tells programs something.
    pub(super) fn event(&self, event: &Event) {
        if matches!(self, Self::Json) {
            print_event(event);
        }
    }

    /// Whether standard output carries JSON lines.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Json | Self::Result)
    }

    /// Removes the bar before an error message.
    pub(super) fn abandon(&self) {
        if let Self::Bar(bar) = self {
            bar.clear();
        }
    }
}

/// The bar of an import: one line, in at least 60 columns.
pub(super) struct Bar {
    bar: ProgressBar,
    is_wide: bool,
}

/// Columns needed for the bar, the rate and the counts of a large survey. Narrower terminals show a percentage.
const WIDE_COLUMNS: u16 = 110;
/// The bar's characters: full, eighths, empty.
const BLOCKS: &str = "█▉▊▋▌▍▎▏ ";

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
        let bar = Self { bar, is_wide: is_wide() };
        bar.set_style();
        bar
    }

    fn set_style(&self) {
        let template = if self.is_wide {
            "{prefix:12} [{elapsed_precise}] {wide_bar} {human_pos}/{human_len} traces {msg}"
        } else {
            "{prefix} {wide_bar} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars(BLOCKS));
        }
    }

    /// Hides the bar while something else is written.
    fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn update(&mut self, progress: &ImportProgress) {
        if self.is_wide != is_wide() {
            self.is_wide = !self.is_wide;
            self.set_style();
        }
        self.bar.set_prefix(phase_name(progress.phase));
        self.bar.set_length(progress.total_traces);
        self.bar.set_position(progress.current_traces);
        let percent = (100 * progress.current_traces).checked_div(progress.total_traces).filter(|_| !self.is_wide);
        let percent = percent.map_or(String::new(), |percent| format!("{percent:>3}% "));
        self.bar.set_message(percent + &details(progress));
        self.bar.tick();
    }
}

/// Whether standard error is a terminal wide enough for everything.
fn is_wide() -> bool {
    terminal_size(std::io::stderr()).is_some_and(|[columns, _]| columns >= WIDE_COLUMNS)
}

/// A bar for reading headers, if standard error is a terminal.
pub(super) struct ReadingBar(Option<ProgressBar>);

impl ReadingBar {
    /// A bar for this many headers; 0 if the number is unknown. It appears on its first update.
    pub(super) fn new(n_headers: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let known = Some(n_headers).filter(|&n| n > 0);
            let bar = ProgressBar::with_draw_target(known, ProgressDrawTarget::stderr_with_hz(10));
            let template = match known {
                Some(_) => "reading [{elapsed_precise}] {wide_bar} {human_pos}/{human_len} headers ({per_sec})",
                None => "reading [{elapsed_precise}] {human_pos} headers ({per_sec})",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars(BLOCKS));
            }
            bar
        });
        Self(bar)
    }

    /// Sets the number of headers read.
    pub(super) fn set(&self, n_read: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(n_read);
        }
    }
}

impl Drop for ReadingBar {
    /// Clears the terminal line, however the reading ended.
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Prints text to standard output. A closed pipe just means that nobody is listening.
///
/// # Errors
/// `Error::Failed` if it cannot be written.
pub(super) fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for bytes.
///
/// # Errors
/// As [`print`].
pub(super) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(failed("standard output cannot be written")(e)),
        _ => Ok(()),
    }
}

/// As [`print`], for people: control characters do not reach the terminal.
///
/// # Errors
/// As [`print`].
pub(super) fn print_text(text: &str) -> Result<()> {
    print(&visible_lines(text))
}

/// Prints one line to standard error, with control characters made visible.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible(line));
}

/// Prints an event. A write error is ignored here, since the final report will hit it too.
pub(super) fn print_event(event: &Event) {
    let _ = print(&event.line());
}

/// Whether a message names this file first, by whatever path.
fn begins_with_file(message: &str, file: &str) -> bool {
    let name = Path::new(file).file_name();
    message.split_once(": ").is_some_and(|(place, _)| name.is_some() && Path::new(place).file_name() == name)
}

/// A line of a log.
fn plain_line(progress: &ImportProgress, begins: bool) -> String {
    let (current, total) = (HumanCount(progress.current_traces), HumanCount(progress.total_traces));
    let phase = phase_name(progress.phase);
    if begins && (progress.current_traces == 0 || progress.phase == Phase::Syncing) {
        return format!("{phase}: {}", counted(progress.total_traces, total, "trace"));
    }
    format!("{phase}: {current} of {total} traces {}", details(progress)).trim_end().to_owned()
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Partitioning => "partitioning",
        Phase::Indexing => "indexing",
        Phase::Spilling => "spilling",
        Phase::Importing => "importing",
        Phase::Merging => "merging",
        Phase::Syncing => "syncing",
        Phase::Verifying => "verifying",
        Phase::Exporting => "exporting",
        Phase::Generating => "generating",
    }
}

/// Rate, workers and time left.
fn details(progress: &ImportProgress) -> String {
    let mut parts = Vec::new();
    if progress.elapsed.as_millis() > 0 && progress.current_traces > 0 && progress.phase == Phase::Importing {
        // The estimate uses the rate without the work of earlier runs.
        let left = progress.total_traces.saturating_sub(progress.current_traces);
        let (n, time) = match progress.eta {
            Some(eta) if left > 0 && !eta.is_zero() => (left, eta),
            _ => (progress.current_traces, progress.elapsed),
        };
        parts.push(format!("{}/s", HumanCount((n as f64 / time.as_secs_f64()) as u64)));
    }
    match progress.active_workers {
        0 => {}
        1 => parts.push("1 worker".into()),
        n => parts.push(format!("{n} workers")),
    }
    if let Some(eta) = progress.eta {
        parts.push(format!("{:#} left", HumanDuration(eta)));
    }
    if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) }
}

fn seconds(duration: Duration) -> f64 {
    thousandths(duration.as_secs_f64())
}

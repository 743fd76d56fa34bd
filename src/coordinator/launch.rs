//! Starting workers: as processes of this program, or as threads if the program is not available.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed, signal_name};
use crate::base::system;
use crate::coordinator::{Ending, Event, EventKind};
use crate::plan::Plan;
use crate::protocol::{Failure, WorkerMessage, parse_line};
use crate::segy::Io;
use crate::store::{self, Place};
use crate::worker::convert_segment;

/// How many of the last lines of a worker's standard error are kept for the report.
const STDERR_LINES: usize = 8;
/// The shortest time between a worker's progress reports.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// How long a worker that writes to an object store has to abort its uploads when the import is cancelled, or when
/// another worker has failed.
pub(super) const TIME_TO_END: Duration = Duration::from_millis(800);
pub(super) const TIME_TO_GIVE_UP: Duration = Duration::from_secs(11);

/// Starts workers. Tests replace it with their own.
pub trait Launch {
    /// Starts the worker for one segment. Its messages arrive as events, with `OutputClosed` last.
    fn launch(
        &self,
        plan: &Arc<Plan>,
        staging: &Place,
        segment: u32,
        events: Sender<Event>,
    ) -> Result<Box<dyn Running>>;
}

/// A started worker.
pub trait Running {
    /// Stops it: at once, or within `time` if it must first clean up what no other process can remove.
    fn stop(&mut self, time: Duration);
    /// Whether the worker has ended, so that [`Self::wait`] will not block for long.
    fn has_ended(&mut self) -> bool {
        true
    }
    /// Its process, if it is stopped and waits for a SIGCONT.
    fn stopped_process(&self) -> Option<u32> {
        None
    }
    /// Waits until it ends. `None` if it succeeded.
    fn wait(&mut self) -> Option<Ending>;
}

/// Workers as child processes: `<program> worker --plan … --segment …`.
pub(crate) struct ProcessLauncher {
    pub program: PathBuf,
    /// Path of the plan file in the staging directory.
    pub plan_file: PathBuf,
    /// The lock of the output directory. Every worker inherits it, so that a surviving worker of a killed import
    /// cannot write into what the next one makes. Object stores have none. (On Windows no worker survives.)
    pub lock: Option<File>,
}

struct WorkerProcess {
    child: Child,
    /// Held open: when a worker's standard input closes, it knows that its coordinator is gone, and exits.
    stdin: Option<ChildStdin>,
    /// Whether it gets time to abort its uploads to an object store, which would otherwise stay there.
    ends_by_itself: bool,
    /// When to kill it after asking it to end.
    deadline: Option<Instant>,
    stderr: Option<JoinHandle<String>>,
    ending: Option<Option<Ending>>,
}

impl Launch for ProcessLauncher {
    fn launch(
        &self,
        _plan: &Arc<Plan>,
        _staging: &Place,
        segment: u32,
        events: Sender<Event>,
    ) -> Result<Box<dyn Running>> {
        let lock = self.lock.as_ref().map(system::inheritable).transpose();
        let lock = lock.map_err(failed("cannot pass the lock to a worker"))?;
        let mut command = Command::new(&self.program);
        command
            .arg("worker")
            .arg("--plan")
            .arg(&self.plan_file)
            .args(["--segment", &segment.to_string()])
            .env_remove("SEGY_IMPORT_PROGRESS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C at the terminal reaches only the coordinator, which then decides.
        let mut child = system::without_ctrl_c(&mut command)
            .spawn()
            .map_err(failed(format!("cannot start a worker process ({})", self.program.display())))?;
        drop(lock);
        system::bind_to_this_process(&child);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ends_by_itself = store::is_remote(&self.plan_file);
        // If the threads below cannot be started, dropping it ends the process.
        let mut worker = WorkerProcess { child, stdin, ends_by_itself, deadline: None, stderr: None, ending: None };
        let listening = |e: std::io::Error| failed("a thread that listens to a worker cannot be started")(e);
        let stderr = stderr.map(|stderr| Builder::new().spawn(move || last_lines(stderr)));
        worker.stderr = stderr.transpose().map_err(listening)?;
        if let Some(stdout) = stdout {
            Builder::new().spawn(move || forward_messages(stdout, segment, &events)).map_err(listening)?;
        }
        Ok(Box::new(worker))
    }
}

/// Forwards the messages in a worker's standard output, and the fact that it closed.
pub fn forward_messages(stdout: impl Read, segment: u32, events: &Sender<Event>) {
    for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
        if let Some(message) = parse_line(&line) {
            let _ = events.send(Event { segment, kind: EventKind::Message(message) });
        }
    }
    let _ = events.send(Event { segment, kind: EventKind::OutputClosed });
}

fn last_lines(stderr: impl Read) -> String {
    let mut last = VecDeque::new();
    for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
        if last.len() == STDERR_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join(" | ")
}

impl Running for WorkerProcess {
    fn stop(&mut self, time: Duration) {
        if self.ends_by_itself {
            self.stdin = None;
            let deadline = Instant::now() + time;
            self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        } else {
            // Its unfinished segment will be converted again, so killing it loses nothing.
            let _ = self.child.kill();
        }
    }

    fn has_ended(&mut self) -> bool {
        let has_time = self.deadline.is_some_and(|deadline| Instant::now() < deadline);
        !has_time || !matches!(self.child.try_wait(), Ok(None))
    }

    fn stopped_process(&self) -> Option<u32> {
        system::is_stopped(&self.child).then(|| self.child.id())
    }

    fn wait(&mut self) -> Option<Ending> {
        if let Some(ending) = &self.ending {
            return ending.clone();
        }
        while !self.has_ended() {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.deadline.is_some() {
            // If it has already ended there is nothing to kill.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        let stderr = self.stderr.take().and_then(|t| t.join().ok()).unwrap_or_default();
        let ending = match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(Ending { how: how_it_ended(status), signal: system::ending_signal(status), stderr }),
            Err(e) => Some(Ending { how: format!("is lost: {e}"), signal: None, stderr }),
        };
        self.ending.insert(ending).clone()
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (system::ending_signal(status), status.code()) {
        (Some(signal), _) => format!("was killed by {}", signal_name(signal)),
        (None, Some(code)) => format!("exited with code {code}"),
        (None, None) => "ended in an unknown way".into(),
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.stop(TIME_TO_END);
        self.wait();
    }
}

/// Workers as threads of this process.
pub(crate) struct ThreadLauncher;

/// Reports the output as closed however the thread ends, even by a panic.
struct ClosedOnDrop {
    segment: u32,
    events: Sender<Event>,
}

impl Drop for ClosedOnDrop {
    fn drop(&mut self) {
        let _ = self.events.send(Event { segment: self.segment, kind: EventKind::OutputClosed });
    }
}

struct WorkerThread {
    thread: Option<JoinHandle<()>>,
    cancel: CancelHandle,
}

impl Launch for ThreadLauncher {
    fn launch(
        &self,
        plan: &Arc<Plan>,
        staging: &Place,
        segment: u32,
        events: Sender<Event>,
    ) -> Result<Box<dyn Running>> {
        let cancel = CancelHandle::new();
        // If a mapped file shrank, that would kill this process, which no other process watches.
        let plan = match plan.io {
            Io::Auto => Arc::new(Plan { io: plan.io.unwatched(), ..Plan::clone(plan) }),
            Io::Mmap | Io::Pread => plan.clone(),
        };
        let (staging, stop) = (staging.clone(), cancel.clone());
        let thread = Builder::new()
            .name(format!("segment {segment}"))
            .spawn(move || {
                let output = ClosedOnDrop { segment, events };
                let send = |message| drop(output.events.send(Event { segment, kind: EventKind::Message(message) }));
                send(work(&plan, &staging, segment, &stop, &send));
            })
            .map_err(failed("cannot start a worker thread"))?;
        Ok(Box::new(WorkerThread { thread: Some(thread), cancel }))
    }
}

/// Converts a segment, reporting by messages; returns the last one.
pub fn work(
    plan: &Plan,
    staging: &Place,
    segment: u32,
    cancel: &CancelHandle,
    send: &dyn Fn(WorkerMessage),
) -> WorkerMessage {
    send(WorkerMessage::Started { segment });
    let mut last = Instant::now();
    let mut report = |traces| {
        if last.elapsed() >= PROGRESS_INTERVAL {
            last = Instant::now();
            send(WorkerMessage::Progress { traces });
        }
    };
    match convert_segment(plan, staging, segment, cancel, &mut report) {
        Ok(record) => WorkerMessage::Done(Box::new(record)),
        Err(error) => WorkerMessage::Failed(Failure::from(&error)),
    }
}

impl Running for WorkerThread {
    fn stop(&mut self, _: Duration) {
        self.cancel.cancel();
    }

    fn wait(&mut self) -> Option<Ending> {
        let panicked = self.thread.take().is_some_and(|t| t.join().is_err());
        panicked.then(|| Ending { how: "panicked".into(), signal: None, stderr: String::new() })
    }
}

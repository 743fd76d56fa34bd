//! Starting workers: as processes of this program, or as threads where there is no such program at hand.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed, signal_name};
use crate::coordinator::{Ending, Event, EventKind};
use crate::plan::Plan;
use crate::protocol::{Failure, WorkerMessage, parse_line};
use crate::segy::Io;
use crate::store::{self, Place};
use crate::worker::convert_segment;

/// So many of the last lines of a worker's standard error are kept for the report.
const STDERR_LINES: usize = 8;
/// A worker reports its progress no more often.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// A worker that writes to an object store has so long to give up what it has begun there: where somebody waits for the end,
/// and where another worker has failed.
pub(super) const TIME_TO_END: Duration = Duration::from_millis(800);
pub(super) const TIME_TO_GIVE_UP: Duration = Duration::from_secs(11);

/// Starts workers. A test can put its own in the place of processes.
pub trait Launch {
    /// Starts the worker of one segment. Its messages arrive as events, `OutputClosed` last.
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
    /// Makes it end at once, or, where something of it would stay that nobody else can remove, within `time`.
    fn stop(&mut self, time: Duration);
    /// Whether [`Self::wait`] has nothing more to wait for than the end that it brings about.
    fn has_ended(&mut self) -> bool {
        true
    }
    /// Waits for its end. `None` if it ended as it should.
    fn wait(&mut self) -> Option<Ending>;
}

/// Workers as child processes: `<program> worker --plan … --segment …`.
pub struct ProcessLauncher {
    pub program: PathBuf,
    /// Name of the plan file in the staging directory.
    pub plan_file: PathBuf,
    /// The lock of the output directory. Every worker inherits it, so that none of an import that was killed writes into
    /// what the next one makes. There is none in an object store.
    pub lock: Option<File>,
}

struct WorkerProcess {
    child: Child,
    /// Held open: a worker whose standard input closes knows that its coordinator is gone, and ends.
    stdin: Option<ChildStdin>,
    /// Whether it gets the time to give up what it has begun in an object store, where it would stay.
    ends_by_itself: bool,
    /// When it is killed that was asked to end.
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
        let lock = self.lock.as_ref().map(inheritable).transpose();
        let lock = lock.map_err(failed("the lock cannot be given to a worker"))?;
        let mut child = Command::new(&self.program)
            .arg("worker")
            .arg("--plan")
            .arg(&self.plan_file)
            .args(["--segment", &segment.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A ^C at the terminal reaches the coordinator alone, which then decides.
            .process_group(0)
            .spawn()
            .map_err(failed(format!("a worker process ({}) cannot be started", self.program.display())))?;
        drop(lock);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ends_by_itself = store::is_remote(&self.plan_file);
        // It is ended by being dropped where nobody can listen to it.
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

/// The same open file once more, for child processes that are started while it is there.
fn inheritable(file: &File) -> std::io::Result<File> {
    let copy = file.try_clone()?;
    rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty())?;
    Ok(copy)
}

/// Sends the messages in what a worker writes to its standard output, and that it is closed.
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
            // Its segment is not done and is converted anew, so nothing is lost by the hard way.
            let _ = self.child.kill();
        }
    }

    fn has_ended(&mut self) -> bool {
        let has_time = self.deadline.is_some_and(|deadline| Instant::now() < deadline);
        !has_time || !matches!(self.child.try_wait(), Ok(None))
    }

    fn wait(&mut self) -> Option<Ending> {
        if let Some(ending) = &self.ending {
            return ending.clone();
        }
        while !self.has_ended() {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.deadline.is_some() {
            // Where it has ended there is nothing to kill.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        let stderr = self.stderr.take().and_then(|t| t.join().ok()).unwrap_or_default();
        let ending = match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(Ending { how: how_it_ended(status), signal: status.signal(), stderr }),
            Err(e) => Some(Ending { how: format!("is lost: {e}"), signal: None, stderr }),
        };
        self.ending.insert(ending).clone()
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
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
pub struct ThreadLauncher;

/// Says that the output is closed however the thread ends, by a panic too.
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
        // A file that shrinks under a map would end this process, which nobody watches.
        let plan = match plan.io {
            Io::Auto => Arc::new(Plan { io: Io::Pread, ..Plan::clone(plan) }),
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
            .map_err(failed("a worker thread cannot be started"))?;
        Ok(Box::new(WorkerThread { thread: Some(thread), cancel }))
    }
}

/// Converts a segment and puts what there is to say into messages; the last one is returned.
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
        Ok(record) => WorkerMessage::Done(record),
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

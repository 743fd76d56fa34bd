//! Running the workers: a limited number at a time, with combined progress, and an orderly end if one fails.

mod launch;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

pub use launch::Launch;
pub use launch::Running;
pub use launch::forward_messages;
pub use launch::work;
pub(crate) use launch::{ProcessLauncher, ThreadLauncher};
use launch::{TIME_TO_END, TIME_TO_GIVE_UP};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::system::{SIGBUS, SIGKILL};
use crate::plan::Plan;
use crate::protocol::WorkerMessage;
use crate::staging::SegmentRecord;
use crate::store::Place;

/// Time between checks of the cancel handle, and between progress reports.
const TICK: Duration = Duration::from_millis(100);
/// Time between checks whether workers are stopped.
const LOOK: Duration = Duration::from_secs(1);
/// How often a worker that dies (rather than reporting a failure) is restarted.
const RETRIES: u32 = 1;

/// What the coordinator receives from a worker.
#[derive(Debug)]
pub struct Event {
    /// Number of the segment, from 0.
    pub segment: u32,
    /// What happened.
    pub kind: EventKind,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few of them at a time")]
pub enum EventKind {
    Message(WorkerMessage),
    /// No more messages will come.
    OutputClosed,
}

/// How a worker ended, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `was killed by SIGKILL`, `exited with code 101`.
    pub how: String,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// The last lines it wrote to standard error.
    pub stderr: String,
}

/// Progress of the running segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Traces done in all segments.
    pub traces_done: u64,
    /// Workers running now.
    pub active_workers: usize,
}

/// Receives the coordinator's reports.
pub trait Listener {
    /// Reports progress, about ten times a second.
    fn tally(&mut self, tally: Tally);
    /// Something to log: for example, a worker died and is being restarted.
    fn note(&mut self, line: &str);
    /// A segment is done.
    fn done(&mut self, _: &SegmentRecord) {}
}

struct Active {
    worker: Box<dyn Running>,
    traces: u64,
    result: Option<SegmentRecord>,
    failure: Option<Error>,
    /// Whether it was stopped when last looked at.
    is_stopped: bool,
}

/// Converts the segments not in `done` yet, `n_workers` at a time. Returns the records of all, by segment.
///
/// # Errors
/// The first failure, after stopping all workers; `Error::Cancelled` within a second of cancelling.
pub fn convert_segments(
    plan: &Arc<Plan>,
    staging: &Place,
    launcher: &dyn Launch,
    n_workers: usize,
    done: Vec<SegmentRecord>,
    cancel: &CancelHandle,
    listener: &mut dyn Listener,
) -> Result<Vec<SegmentRecord>> {
    let mut coordinator = Coordinator::new(plan, staging, launcher, n_workers, done);
    let result = coordinator.run(cancel, listener);
    let time = if matches!(result, Err(Error::Cancelled { .. })) { TIME_TO_END } else { TIME_TO_GIVE_UP };
    coordinator.stop_all(time, cancel);
    result?;
    Ok(coordinator.done.into_values().collect())
}

struct Coordinator<'a> {
    plan: &'a Arc<Plan>,
    staging: Place,
    launcher: &'a dyn Launch,
    n_workers: usize,
    waiting: VecDeque<u32>,
    active: BTreeMap<u32, Active>,
    done: BTreeMap<u32, SegmentRecord>,
    deaths: BTreeMap<u32, u32>,
    events: Receiver<Event>,
    sender: Sender<Event>,
}

impl<'a> Coordinator<'a> {
    fn new(
        plan: &'a Arc<Plan>,
        staging: &Place,
        launcher: &'a dyn Launch,
        n_workers: usize,
        done: Vec<SegmentRecord>,
    ) -> Self {
        let done: BTreeMap<u32, SegmentRecord> = done.into_iter().map(|r| (r.segment, r)).collect();
        let (sender, events) = unbounded();
        Self {
            plan,
            staging: staging.clone(),
            launcher,
            n_workers,
            waiting: plan.segments.iter().map(|s| s.id).filter(|id| !done.contains_key(id)).collect(),
            active: BTreeMap::new(),
            done,
            deaths: BTreeMap::new(),
            events,
            sender,
        }
    }

    fn run(&mut self, cancel: &CancelHandle, listener: &mut dyn Listener) -> Result<()> {
        let mut looked = Instant::now();
        loop {
            while self.active.len() < self.n_workers
                && let Some(segment) = self.waiting.pop_front()
            {
                if let Err(error) = self.start(segment) {
                    self.go_on_with_fewer(segment, error, listener)?;
                }
            }
            listener.tally(self.tally());
            if self.active.is_empty() {
                return Ok(());
            }
            match self.events.recv_timeout(TICK) {
                Ok(event) => self.take(event, listener)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            // Include everything else that has arrived by now.
            while let Ok(event) = self.events.try_recv() {
                self.take(event, listener)?;
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look_for_stopped(listener);
            }
            cancel.check()?;
        }
    }

    /// Reports once which workers were stopped, which otherwise looks like a slow disk.
    fn look_for_stopped(&mut self, listener: &mut dyn Listener) {
        for (segment, active) in &mut self.active {
            let process = active.worker.stopped_process();
            if let Some(pid) = process
                && !active.is_stopped
            {
                listener.note(&format!(
                    "the worker of segment {segment} (process {pid}) is stopped; kill -CONT {pid} lets it go on"
                ));
            }
            active.is_stopped = process.is_some();
        }
    }

    fn tally(&self) -> Tally {
        let finished: u64 = self.done.values().map(|r| r.n_traces).sum();
        let running: u64 = self.active.values().map(|a| a.traces).sum();
        Tally { traces_done: finished + running, active_workers: self.active.len() }
    }

    fn start(&mut self, segment: u32) -> Result<()> {
        let worker = self.launcher.launch(self.plan, &self.staging, segment, self.sender.clone())?;
        self.active.insert(segment, Active { worker, traces: 0, result: None, failure: None, is_stopped: false });
        Ok(())
    }

    /// Handles a worker that could not be started, because there are no more processes or threads: the running ones do
    /// its work too.
    fn go_on_with_fewer(&mut self, segment: u32, error: Error, listener: &mut dyn Listener) -> Result<()> {
        if self.active.is_empty() {
            return Err(error);
        }
        self.n_workers = self.active.len();
        self.waiting.push_front(segment);
        listener.note(&format!("{error}; going on with fewer workers ({})", self.n_workers));
        Ok(())
    }

    fn take(&mut self, event: Event, listener: &mut dyn Listener) -> Result<()> {
        let Some(active) = self.active.get_mut(&event.segment) else { return Ok(()) };
        match event.kind {
            EventKind::Message(WorkerMessage::Started { .. }) => {}
            EventKind::Message(WorkerMessage::Progress { traces }) => active.traces = traces.min(self.plan.n_traces()),
            EventKind::Message(WorkerMessage::Done(record)) => {
                if record.segment == event.segment && record.fits(self.plan) {
                    active.result = Some(*record);
                } else {
                    let what = "its worker reports results that do not match the plan";
                    active.failure = Some(Error::Failed(format!("segment {}: {what}", event.segment)));
                }
            }
            EventKind::Message(WorkerMessage::Failed(failure)) => active.failure = Some(failure.into()),
            EventKind::OutputClosed => return self.ended(event.segment, listener),
        }
        Ok(())
    }

    fn ended(&mut self, segment: u32, listener: &mut dyn Listener) -> Result<()> {
        let Some(mut active) = self.active.remove(&segment) else { return Ok(()) };
        let ending = active.worker.wait();
        if let Some(failure) = active.failure {
            return Err(failure);
        }
        match (active.result, ending) {
            (Some(record), None) => {
                listener.done(&record);
                self.done.insert(segment, record);
                Ok(())
            }
            (_, ending) => self.died(segment, ending, listener),
        }
    }

    fn died(&mut self, segment: u32, ending: Option<Ending>, listener: &mut dyn Listener) -> Result<()> {
        let what = self.obituary(segment, ending);
        let deaths = self.deaths.entry(segment).or_default();
        *deaths += 1;
        if *deaths > RETRIES {
            return Err(Error::Failed(format!("{what}, for the second time")));
        }
        listener.note(&format!("{what}; restarting it"));
        self.waiting.push_front(segment);
        Ok(())
    }

    fn obituary(&self, segment: u32, ending: Option<Ending>) -> String {
        let range = self.plan.segments.get(segment as usize).map_or(String::new(), |s| {
            format!(" (traces {} to {} of {})", s.start_trace + 1, s.end_trace, self.plan.input_name())
        });
        let Some(ending) = ending else {
            return format!("the worker of segment {segment}{range} ended without a result");
        };
        let hint = match ending.signal {
            Some(SIGBUS) => "; the input was truncated or cannot be read, or the disk is full",
            Some(SIGKILL) => "; perhaps the system ran out of memory",
            _ => "",
        };
        let stderr = if ending.stderr.is_empty() { String::new() } else { format!("; it said: {}", ending.stderr) };
        format!("the worker of segment {segment}{range} {}{hint}{stderr}", ending.how)
    }

    /// Ends all workers within `time`, or sooner if cancelled.
    fn stop_all(&mut self, time: Duration, cancel: &CancelHandle) {
        self.active.values_mut().for_each(|active| active.worker.stop(time));
        while !self.active.values_mut().all(|active| active.worker.has_ended()) {
            if cancel.check().is_err() {
                self.active.values_mut().for_each(|active| active.worker.stop(TIME_TO_END));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for active in self.active.values_mut() {
            active.worker.wait();
        }
        self.active.clear();
    }
}

#[cfg(test)]
mod tests;

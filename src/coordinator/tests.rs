//! Tests of the coordinator with fake workers.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::coordinator::*;
use crate::generate::{GenerateConfig, generate};
use crate::plan::import_config::{Gather, ImportConfig};
use crate::protocol::Failure;
use crate::segy::samples::statistics::SampleStatistics;
use crate::staging::coordinates_in;
use crate::store::checksum::ChunkSums;
use crate::table::HeaderSummary;

/// What a fake worker does.
#[derive(Clone)]
enum Script {
    Succeed,
    Fail(Failure),
    /// Reports results that do not match the plan.
    Claim(fn(&mut SegmentRecord)),
    Die,
    DieOnce,
    RunForever,
    /// Cannot be started while another runs.
    StartAlone,
    NeverStart,
}

struct ScriptedLauncher {
    scripts: Vec<Script>,
    launches: AtomicU32,
    running: Arc<AtomicU32>,
    most_running: AtomicU32,
}

struct ScriptedWorker {
    ending: Option<Ending>,
    running: Arc<AtomicU32>,
    ended: bool,
}

impl Running for ScriptedWorker {
    fn stop(&mut self, _: Duration) {}

    fn wait(&mut self) -> Option<Ending> {
        if !std::mem::replace(&mut self.ended, true) {
            self.running.fetch_sub(1, Ordering::SeqCst);
        }
        self.ending.clone()
    }
}

impl Launch for ScriptedLauncher {
    fn launch(&self, plan: &Arc<Plan>, _: &Place, segment: u32, events: Sender<Event>) -> Result<Box<dyn Running>> {
        let nth = self.launches.fetch_add(1, Ordering::SeqCst);
        let is_alone = self.running.load(Ordering::SeqCst) == 0;
        match self.scripts[segment as usize % self.scripts.len()] {
            Script::StartAlone if !is_alone => return Err(Error::Failed("there are no more threads".into())),
            Script::NeverStart => return Err(Error::Failed("there are no threads".into())),
            _ => {}
        }
        self.most_running.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let send = |kind| events.send(Event { segment, kind }).unwrap();
        let killed = Ending { how: "was killed by SIGKILL".into(), signal: Some(9), stderr: "last words".into() };
        let script = self.scripts[segment as usize % self.scripts.len()].clone();
        let mut record = record(plan, segment);
        let ending = match script {
            Script::Die => Some(killed),
            Script::DieOnce if nth == 0 => Some(killed),
            Script::Fail(failure) => {
                send(EventKind::Message(WorkerMessage::Failed(failure)));
                None
            }
            Script::Claim(change) => {
                change(&mut record);
                send(EventKind::Message(WorkerMessage::Done(Box::new(record))));
                None
            }
            Script::RunForever => {
                send(EventKind::Message(WorkerMessage::Progress { traces: 1 }));
                return Ok(Box::new(ScriptedWorker { ending: None, running: self.running.clone(), ended: false }));
            }
            Script::Succeed | Script::DieOnce | Script::StartAlone | Script::NeverStart => {
                send(EventKind::Message(WorkerMessage::Done(Box::new(record))));
                None
            }
        };
        send(EventKind::OutputClosed);
        Ok(Box::new(ScriptedWorker { ending, running: self.running.clone(), ended: false }))
    }
}

/// The record of a worker that follows the plan.
fn record(plan: &Plan, segment: u32) -> SegmentRecord {
    let [traces, rows] = [Plan::traces_of, Plan::rows_of].map(|of| of(plan, &plan.segments[segment as usize]));
    let (n_traces, n_rows) = (traces.end - traces.start, rows.end - rows.start);
    let (ranges, coordinates) = (vec![None; plan.headers.columns.len()], coordinates_in(plan, n_rows));
    SegmentRecord {
        segment,
        n_traces,
        n_rows,
        n_runs: 0,
        n_exceptions: 0,
        chunks: ChunkSums { n_chunks: n_traces.div_ceil(plan.traces().chunk_traces), crc32c: 0 },
        records: ChunkSums::default(),
        moments: Default::default(),
        stored_bytes: 0,
        headers: HeaderSummary { n_rows, ranges, coordinates, ..HeaderSummary::default() },
        rounding: Default::default(),
        samples: SampleStatistics::default(),
        boot_id: None,
    }
}

#[derive(Default)]
struct Ears {
    notes: Vec<String>,
    last: Option<Tally>,
    cancel_when_working: Option<CancelHandle>,
}

impl Listener for Ears {
    fn tally(&mut self, tally: Tally) {
        self.last = Some(tally);
        if tally.traces_done > 0
            && let Some(cancel) = &self.cancel_when_working
        {
            cancel.cancel();
        }
    }

    fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }
}

fn run(scripts: Vec<Script>, ears: &mut Ears) -> (Result<Vec<SegmentRecord>>, ScriptedLauncher) {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("in.sgy");
    let survey = GenerateConfig { n_traces: 4000, n_samples: 3, ..Default::default() };
    generate(&survey, &input, &mut |_, _| {}, &CancelHandle::new()).unwrap();
    let mut config = ImportConfig::new(&input, directory.path().join("out"));
    config.gather = Gather::None;
    config.segments = Some(4);
    let plan = Arc::new(config.plan().unwrap());
    let launcher = ScriptedLauncher {
        scripts,
        launches: AtomicU32::new(0),
        running: Arc::default(),
        most_running: AtomicU32::new(0),
    };
    let cancel = ears.cancel_when_working.clone().unwrap_or_default();
    let result =
        convert_segments(&plan, &Place::of(directory.path()).unwrap(), &launcher, 2, Vec::new(), &cancel, ears);
    (result, launcher)
}

#[test]
fn all_segments_are_converted_two_at_a_time() {
    let mut ears = Ears::default();
    let (result, launcher) = run(vec![Script::Succeed], &mut ears);
    let segments: Vec<u32> = result.unwrap().iter().map(|r| r.segment).collect();
    assert_eq!(segments, [0, 1, 2, 3]);
    assert_eq!(launcher.most_running.into_inner(), 2);
    assert_eq!(ears.last, Some(Tally { traces_done: 4000, active_workers: 0 }));
}

#[test]
fn where_no_more_workers_can_be_started_those_that_run_do_it_all() {
    let mut ears = Ears::default();
    let (result, launcher) = run(vec![Script::StartAlone], &mut ears);
    assert_eq!(result.unwrap().len(), 4);
    assert_eq!(launcher.most_running.into_inner(), 1);
    assert_eq!(ears.notes, ["there are no more threads; going on with fewer workers (1)"]);
    let (result, _) = run(vec![Script::NeverStart], &mut Ears::default());
    assert_eq!(result, Err(Error::Failed("there are no threads".into())));
}

#[test]
fn a_worker_that_dies_once_is_started_again() {
    let mut ears = Ears::default();
    let (result, launcher) = run(vec![Script::DieOnce, Script::Succeed], &mut ears);
    assert_eq!(result.unwrap().len(), 4);
    assert_eq!(launcher.launches.into_inner(), 5);
    assert_eq!(ears.notes.len(), 1);
    assert!(ears.notes[0].contains("segment 0 (traces 1 to 1000"), "{}", ears.notes[0]);
    assert!(ears.notes[0].contains("SIGKILL") && ears.notes[0].contains("last words"), "{}", ears.notes[0]);
}

#[test]
fn a_worker_that_dies_twice_ends_the_import_and_the_others() {
    let (result, launcher) = run(vec![Script::RunForever, Script::Die], &mut Ears::default());
    let message = result.unwrap_err().to_string();
    assert!(message.contains("segment 1") && message.contains("second time"), "{message}");
    assert_eq!(launcher.running.load(Ordering::SeqCst), 0);
}

#[test]
fn a_reported_failure_is_not_tried_again_and_keeps_its_exit_code() {
    let failure = Failure { exit_code: 3, message: "trace 7 is odd".into() };
    let (result, launcher) = run(vec![Script::RunForever, Script::Fail(failure)], &mut Ears::default());
    assert_eq!(result, Err(Error::Input("trace 7 is odd".into())));
    assert_eq!(launcher.launches.into_inner(), 2);
    assert_eq!(launcher.running.load(Ordering::SeqCst), 0);
}

#[test]
fn a_worker_that_claims_what_the_plan_does_not_have_is_not_believed() {
    let changes: [fn(&mut SegmentRecord); 9] = [
        |r| r.segment += 1,
        |r| r.n_traces += 1,
        |r| r.n_rows = u64::MAX,
        |r| r.n_runs = u64::MAX,
        |r| r.n_exceptions = u64::MAX,
        |r| r.stored_bytes = u64::MAX,
        |r| r.headers.n_dead = u64::MAX,
        |r| r.headers.ranges.push(None),
        |r| r.samples.n_nonfinite = u64::MAX,
    ];
    for change in changes {
        let (result, _) = run(vec![Script::Claim(change)], &mut Ears::default());
        let message = result.unwrap_err().to_string();
        assert!(message.contains("results that do not match the plan"), "{message}");
    }
}

#[test]
fn cancelling_stops_all_workers() {
    let mut ears = Ears { cancel_when_working: Some(CancelHandle::new()), ..Default::default() };
    let (result, launcher) = run(vec![Script::RunForever], &mut ears);
    assert!(matches!(result, Err(Error::Cancelled { signal: 15, .. })), "{result:?}");
    assert_eq!(launcher.running.load(Ordering::SeqCst), 0);
}

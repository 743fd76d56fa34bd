//! Plan, worker and merge as a scheduler calls them: in any order, twice at once, killed and repeated.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::support::{Survey, assert_same, contents, program, signal, stderr, stdout, wait_for, wait_until};

/// Many small chunks, so that segments are cut where they are asked for.
const CHUNKS: [&str; 2] = ["--chunk-traces", "100"];
/// Slow enough to be caught in the middle of a segment.
const SLOW: [&str; 4] = ["--chunk-traces", "100", "--codec", "gzip:9"];

fn survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "6000", "--samples", "20"])
}

fn slow_survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "12000", "--samples", "500"])
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The directory `out` of a survey, and the commands on it.
struct Target<'a> {
    survey: &'a Survey,
    out: PathBuf,
}

impl<'a> Target<'a> {
    fn new(survey: &'a Survey, out: &str) -> Self {
        Self { survey, out: survey.path(out) }
    }

    /// A target that is planned in so many segments.
    fn planned(survey: &'a Survey, out: &str, segments: u32, options: &[&str]) -> Self {
        let target = Self::new(survey, out);
        succeeds(&target.plan(segments, options));
        target
    }

    fn path(&self) -> &str {
        self.out.to_str().unwrap()
    }

    fn plan(&self, segments: u32, options: &[&str]) -> Output {
        let segments = segments.to_string();
        let paths = ["plan", self.survey.input.to_str().unwrap(), self.path(), "--segments", &segments];
        command(&[&paths, options].concat()).output().unwrap()
    }

    fn start_worker(&self, segment: u32) -> Child {
        command(&["worker", self.path(), "--segment", &segment.to_string()]).spawn().unwrap()
    }

    fn worker(&self, segment: u32) -> Output {
        wait_for(self.start_worker(segment))
    }

    fn convert(&self, segments: impl IntoIterator<Item = u32>) {
        segments.into_iter().for_each(|segment| succeeds(&self.worker(segment)));
    }

    fn merge(&self) -> Output {
        command(&["merge", self.path()]).output().unwrap()
    }

    fn status(&self) -> serde_json::Value {
        let output = command(&["status", self.path(), "--json"]).output().unwrap();
        succeeds(&output);
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    fn state(&self) -> String {
        self.status()["state"].as_str().unwrap().to_owned()
    }

    fn staging(&self) -> PathBuf {
        self.out.join(".segy-import")
    }

    /// The names of the directories that workers convert into.
    fn attempts(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.staging().join("attempts")).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().into_string().unwrap()).collect()
    }

    /// Starts a worker and waits until it is at the samples.
    fn start_worker_and_wait(&self, segment: u32) -> Child {
        let child = self.start_worker(segment);
        let attempt = || self.attempts().into_iter().find(|a| a.contains(&format!("-{}-", child.id())));
        wait_until("the worker converts", || {
            attempt().is_some_and(|a| self.staging().join("attempts").join(a).join("traces.zarr/c").exists())
        });
        child
    }
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{:?}: {}", output.status, stderr(output));
}

#[track_caller]
fn refused(output: &Output, exit_code: i32, said: &str) {
    assert_eq!(output.status.code(), Some(exit_code), "{}", stderr(output));
    assert!(stderr(output).contains(said), "{}", stderr(output));
}

/// Marks a finished segment as not synced, and written before the computer was started last.
fn restart_after(target: &Target, segment: u32) {
    let path = target.staging().join(format!("segment_{segment}/segment.json"));
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(record.get("boot_id").is_none(), "a synced segment is done for all computers");
    record["boot_id"] = "an earlier start".into();
    std::fs::write(path, record.to_string()).unwrap();
}

#[test]
fn segments_converted_by_themselves_in_any_order_make_the_same_bytes() {
    let survey = survey();
    let reference = survey.import("reference", &CHUNKS);
    for (n, order) in [(1, vec![0]), (3, vec![2, 0, 1]), (7, vec![3, 6, 5, 0, 1, 4, 2])] {
        let target = Target::new(&survey, &format!("out{n}"));
        assert_eq!(target.state(), "nothing");
        let planned = target.plan(n, &CHUNKS);
        succeeds(&planned);
        assert!(stderr(&planned).contains(&format!("planned 6,000 traces in {n} segment")), "{}", stderr(&planned));
        assert_eq!(target.state(), "planned");
        let (last, first) = order.split_last().unwrap();
        target.convert(first.iter().copied());
        let state = target.status();
        assert_eq!(state["state"], if n == 1 { "planned" } else { "converting" });
        assert_eq!((&state["n_done"], &state["missing"]), (&(n - 1).into(), &serde_json::json!([last])));
        target.convert([*last]);
        let rows = target.status()["segments"].as_array().unwrap().iter().map(|s| s["n_rows"].as_u64().unwrap()).sum();
        assert_eq!((target.state().as_str(), 6000u64), ("converted", rows));
        succeeds(&target.merge());
        assert_eq!(target.state(), "complete");
        assert_same(&reference, &target.out);
    }
}

#[test]
fn missing_segments_are_named_and_nothing_is_changed() {
    let survey = survey();
    let target = Target::planned(&survey, "out", 6, &CHUNKS);
    target.convert([0, 2]);
    let before = contents(&target.out);
    refused(&target.merge(), 1, "segments 1, 3-5 of 6 are not done");
    assert!(contents(&target.out) == before);
    target.convert([5, 1, 4]);
    refused(&target.merge(), 1, "segment 3 of 6 is not done");
    let shown = stdout(&command(&["status", target.path()]).output().unwrap());
    assert!(shown.contains("converting, 5 of 6 segments done") && shown.contains("not done: 3"), "{shown}");
}

#[test]
fn many_segments_are_shown_as_ranges() {
    let survey = survey();
    let target = Target::planned(&survey, "out", 60, &CHUNKS);
    target.convert([0, 1, 2, 40]);
    let shown = stdout(&command(&["status", target.path()]).output().unwrap());
    let states: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(states[2..6], [["0-2", "done"], ["3-39", "not"], ["40", "done"], ["41-59", "not"]], "{shown}");
    assert!(shown.ends_with("not done: 3-39, 41-59\n"), "{shown}");
}

#[test]
fn a_segment_that_is_done_is_left_as_it_is() {
    let survey = survey();
    let target = Target::planned(&survey, "out", 2, &CHUNKS);
    target.convert([1]);
    let before = contents(&target.out);
    let again = target.worker(1);
    succeeds(&again);
    assert!(stderr(&again).contains("segment 1 of 2: is already done"), "{}", stderr(&again));
    assert!(contents(&target.out) == before);
    let json = command(&["worker", target.path(), "--segment", "0", "--progress", "json"]).output().unwrap();
    let last: serde_json::Value = serde_json::from_str(stdout(&json).lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["outcome"], &last["segment"]), (&"done".into(), &"converted".into(), &0.into()));
}

#[test]
fn several_workers_on_one_segment_at_once_do_it_once() {
    let survey = slow_survey();
    let reference = survey.import("reference", &SLOW);
    let target = Target::planned(&survey, "out", 2, &SLOW);
    for segment in [0, 1] {
        let workers: Vec<Child> = (0..4).map(|_| target.start_worker(segment)).collect();
        let outputs: Vec<Output> = workers.into_iter().map(wait_for).collect();
        outputs.iter().for_each(succeeds);
        let late = outputs.iter().filter(|o| stderr(o).contains("is already done")).count();
        assert_eq!(late, 3, "{:?}", outputs.iter().map(stderr).collect::<Vec<_>>());
        assert_eq!(target.attempts(), [""; 0]);
    }
    succeeds(&target.merge());
    assert_same(&reference, &target.out);
}

#[test]
fn a_killed_worker_leaves_nothing_that_its_successor_minds() {
    let survey = slow_survey();
    let reference = survey.import("reference", &SLOW);
    let target = Target::planned(&survey, "out", 2, &SLOW);
    let worker = target.start_worker_and_wait(1);
    signal(worker.id(), "STOP");
    let running = target.status();
    assert_eq!(running["state"], "converting");
    assert_eq!(running["segments"][1]["attempts"][0]["pid"], worker.id());
    signal(worker.id(), "KILL");
    wait_for(worker);
    assert_eq!(target.attempts().len(), 1);
    assert_eq!(target.state(), "planned");
    refused(&target.merge(), 1, "segments 0-1 of 2 are not done");
    target.convert([1, 0]);
    assert_eq!(target.attempts(), [""; 0], "what the killed worker left is removed");
    succeeds(&target.merge());
    assert_same(&reference, &target.out);
}

#[test]
fn a_worker_that_is_told_to_stop_leaves_nothing() {
    let survey = slow_survey();
    let target = Target::planned(&survey, "out", 1, &SLOW);
    let before = contents(&target.out);
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let worker = target.start_worker_and_wait(0);
        signal(worker.id(), name);
        refused(&wait_for(worker), code, &format!("stopped by SIG{name}"));
        assert!(contents(&target.out) == before);
        assert_eq!(target.attempts(), [""; 0]);
    }
}

#[test]
fn of_two_merges_at_once_one_wins_and_a_later_one_finds_it_complete() {
    let survey = survey();
    let reference = survey.import("reference", &CHUNKS);
    for round in 0..4 {
        let target = Target::planned(&survey, &format!("out{round}"), 3, &CHUNKS);
        target.convert(0..3);
        let merges: Vec<Child> = (0..4).map(|_| command(&["merge", target.path()]).spawn().unwrap()).collect();
        let outputs: Vec<Output> = merges.into_iter().map(wait_for).collect();
        let said: Vec<String> = outputs.iter().map(stderr).collect();
        assert_eq!(said.iter().filter(|s| s.contains("traces/s")).count(), 1, "{said:?}");
        for (output, said) in outputs.iter().zip(&said) {
            let (is_done, is_refused) = (output.status.success(), output.status.code() == Some(4));
            assert!(is_done || is_refused && said.contains("another import is writing here"), "{said}");
        }
        let again = target.merge();
        succeeds(&again);
        assert!(stderr(&again).contains("is complete (6,000 traces)"), "{}", stderr(&again));
        assert_same(&reference, &target.out);
        let late = target.worker(1);
        succeeds(&late);
        assert!(stderr(&late).contains("all segments are merged"), "{}", stderr(&late));
        assert_same(&reference, &target.out);
    }
}

#[test]
fn a_straggler_harms_neither_the_merge_nor_the_dataset() {
    let survey = slow_survey();
    let reference = survey.import("reference", &SLOW);
    let target = Target::planned(&survey, "out", 2, &SLOW);
    let straggler = target.start_worker_and_wait(1);
    signal(straggler.id(), "STOP");
    target.convert([0, 1]);
    succeeds(&target.merge());
    assert_same(&reference, &target.out);
    signal(straggler.id(), "CONT");
    let output = wait_for(straggler);
    succeeds(&output);
    assert!(stderr(&output).contains("all segments are merged"), "{}", stderr(&output));
    assert_same(&reference, &target.out);
}

#[test]
fn a_straggler_of_another_plan_adds_nothing_to_the_new_one() {
    let survey = slow_survey();
    let target = Target::planned(&survey, "out", 2, &SLOW);
    let straggler = target.start_worker_and_wait(1);
    signal(straggler.id(), "STOP");
    succeeds(&target.plan(2, &["--chunk-traces", "100", "--codec", "none", "--fresh"]));
    let before = contents(&target.out);
    signal(straggler.id(), "CONT");
    refused(&wait_for(straggler), 1, "another plan replaced this one");
    assert!(contents(&target.out) == before);
    target.convert([0, 1]);
    succeeds(&target.merge());
    assert_same(&survey.import("reference", &["--chunk-traces", "100", "--codec", "none"]), &target.out);
}

#[test]
fn an_input_that_is_not_the_planned_one_is_refused_by_workers_and_merge() {
    let survey = survey();
    let target = Target::planned(&survey, "out", 2, &CHUNKS);
    target.convert([0]);
    let bytes = std::fs::read(&survey.input).unwrap();
    std::fs::write(&survey.input, [&bytes[..], &bytes[3600..]].concat()).unwrap();
    refused(&target.worker(1), 3, "was changed or replaced since it was planned");
    assert_eq!(target.attempts(), [""; 0]);
    refused(&target.plan(2, &CHUNKS), 4, "before they were changed (2 segments, done: 0); --fresh replaces it");

    let other = Target::planned(&survey, "other", 2, &CHUNKS);
    other.convert([0, 1]);
    std::fs::write(&survey.input, &bytes).unwrap();
    let before = contents(&other.out);
    refused(&other.merge(), 3, "was changed or replaced since it was planned");
    assert!(contents(&other.out) == before, "the work of a cluster stays");
}

#[test]
fn an_input_that_changes_while_a_segment_is_converted_is_refused() {
    let survey = slow_survey();
    let target = Target::planned(&survey, "out", 1, &SLOW);
    let worker = target.start_worker_and_wait(0);
    signal(worker.id(), "STOP");
    let file = std::fs::OpenOptions::new().append(true).open(&survey.input).unwrap();
    file.set_len(file.metadata().unwrap().len() + 1).unwrap();
    signal(worker.id(), "CONT");
    // One that was stopped before it opened the file has "it changed meanwhile", others "was changed or replaced while it was being read".
    refused(&wait_for(worker), 3, "changed");
    assert_eq!((target.state().as_str(), target.attempts().len()), ("planned", 0));
}

#[test]
fn the_same_plan_again_keeps_segments_and_another_is_refused() {
    let survey = survey();
    let target = Target::planned(&survey, "out", 4, &CHUNKS);
    target.convert([0, 3]);
    let again = target.plan(4, &CHUNKS);
    succeeds(&again);
    assert!(stderr(&again).contains("4 segments (0-3), 2 of them done"), "{}", stderr(&again));
    let before = contents(&target.out);
    refused(&target.plan(5, &CHUNKS), 4, "cut into other segments (4 segments, done: 0, 3); --fresh replaces it");
    let other = [&CHUNKS[..], &["--codec", "none"]].concat();
    refused(&target.plan(4, &other), 4, "with other options (4 segments, done: 0, 3); --fresh replaces it");
    let by_itself = survey.command("out", &["--codec", "none"]).output().unwrap();
    refused(&by_itself, 4, "with other options (4 segments, done: 0, 3); --fresh replaces it");
    assert!(contents(&target.out) == before);
    succeeds(&target.plan(4, &[&other[..], &["--fresh"]].concat()));
    // Its workers may be waiting for their turn.
    let by_itself = survey.command("out", &["--codec", "gzip"]).output().unwrap();
    refused(&by_itself, 4, "with other options (4 segments, done: none); --fresh replaces it");
    assert_eq!(target.state(), "planned");
}

#[test]
fn a_bare_import_takes_up_what_workers_have_done() {
    let survey = survey();
    let target = Target::planned(&survey, "out", 5, &CHUNKS);
    target.convert([1, 2, 4]);
    restart_after(&target, 2);
    assert_eq!(target.status()["missing"], serde_json::json!([0, 2, 3]));
    let output = survey.command("out", &[&CHUNKS[..], &["--parallel-threshold", "0"]].concat()).output().unwrap();
    succeeds(&output);
    let said = stderr(&output);
    assert!(said.contains("resuming: 2 of 5 segments done; 1 more are converted again: the computer was"), "{said}");
    assert_same(&survey.import("reference", &CHUNKS), &target.out);
}

#[test]
fn a_segment_that_may_be_lost_is_converted_again_in_its_place() {
    let survey = survey();
    let target = Target::planned(&survey, "out", 3, &CHUNKS);
    target.convert([0, 1, 2]);
    restart_after(&target, 1);
    refused(&target.merge(), 1, "segment 1 of 3 is not done");
    target.convert([1]);
    succeeds(&target.merge());
    assert_same(&survey.import("reference", &CHUNKS), &target.out);
}

#[test]
fn what_the_plan_was_told_holds_for_the_merge() {
    let survey = survey();
    let target = Target::new(&survey, "out");
    let old = survey.import("out", &["--codec", "none"]);
    let before = contents(&old);
    refused(&target.plan(2, &CHUNKS), 4, "holds a dataset; --overwrite replaces it");
    succeeds(&target.plan(2, &[&CHUNKS[..], &["--overwrite"]].concat()));
    target.convert([0, 1]);
    let visible: Vec<_> = contents(&old).into_iter().filter(|(path, _)| !path.starts_with(".segy-import")).collect();
    assert!(
        visible == before.into_iter().collect::<Vec<_>>(),
        "the old dataset is there until the new one is complete"
    );
    // The same plan with other words for the merge.
    succeeds(&target.plan(2, &[&CHUNKS[..], &["--overwrite", "--verify", "--no-sync"]].concat()));
    let merged = command(&["merge", target.path(), "--progress", "plain"]).output().unwrap();
    succeeds(&merged);
    let said = stderr(&merged);
    assert!(said.contains("verifying: ") && !said.contains("syncing: "), "{said}");
    assert_same(&survey.import("reference", &CHUNKS), &target.out);
}

#[test]
fn a_bad_trace_has_the_exit_code_of_bad_input() {
    let survey = survey();
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes[3502..3504].fill(0); // Lengths may vary.
    let trace = 3600 + 320 * 4001;
    bytes[trace + 114..trace + 116].copy_from_slice(&19u16.to_be_bytes());
    std::fs::write(&survey.input, bytes).unwrap();
    let target = Target::planned(&survey, "out", 2, &CHUNKS);
    // The first segment has the one row group, and so all headers.
    target.convert([1]);
    refused(&target.worker(0), 3, "trace 4002");
    assert_eq!(target.attempts(), [""; 0]);
}

#[test]
fn numbers_beyond_the_plan_and_directories_without_one_are_reported() {
    let survey = survey();
    let nowhere = Target::new(&survey, "nowhere");
    refused(&nowhere.worker(0), 2, "no import is planned here");
    refused(&nowhere.merge(), 2, "no import is planned here");
    assert!(!nowhere.out.exists());
    // Sixty chunks make no hundred segments; those of the array that are too many have nothing to do.
    let target = Target::new(&survey, "out");
    let planned = target.plan(100, &CHUNKS);
    assert!(
        stderr(&planned).contains("60 segments (0-59), as gathers and chunks do not allow 100"),
        "{}",
        stderr(&planned)
    );
    let needless = target.worker(99);
    succeeds(&needless);
    assert!(
        stderr(&needless).contains("segment 99: does not exist, as gathers and chunks allow only 60 segments"),
        "{}",
        stderr(&needless)
    );
    refused(&target.worker(100), 2, "there is no segment 100: the plan has 60 segments, numbered from 0");
    let without_number = command(&["worker", target.path()]).env("SLURM_ARRAY_TASK_ID", "1").output().unwrap();
    refused(&without_number, 2, "--segment <N>");
}

#[test]
fn links_in_the_staging_area_lead_nothing_out_of_it() {
    let survey = survey();
    let precious = survey.path("precious");
    std::fs::create_dir(&precious).unwrap();
    for link in ["attempts", "segment_0"] {
        let target = Target::planned(&survey, link, 2, &CHUNKS);
        let place = target.staging().join(link);
        if place.exists() {
            std::fs::remove_dir(&place).unwrap();
        }
        std::os::unix::fs::symlink(&precious, &place).unwrap();
        target.worker(0);
        assert!(contents(&precious).is_empty());
        let merged = target.merge();
        assert!(!merged.status.success() && contents(&precious).is_empty(), "{}", stderr(&merged));
        assert!(is_empty(&precious));
    }
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

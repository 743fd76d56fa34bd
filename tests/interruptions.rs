//! Signals, crashes, full disks: what stops, what is left, and going on from there.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use crate::support::{
    self, Survey, arguments_of, assert_same, children_of, is_alive, pause, scratch, signal, stderr, wait_for,
    wait_until,
};

/// Slow enough to be caught in the middle.
const SLOW: [&str; 10] =
    ["--parallel-threshold", "0", "--workers", "2", "--segments", "6", "--codec", "gzip:9", "--progress", "plain"];

fn slow_survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "24000", "--samples", "500"])
}

/// Starts a slow import and waits until both of its workers run.
fn start(survey: &Survey) -> (Child, Vec<u32>) {
    let child = survey.command("out", &SLOW).spawn().unwrap();
    let mut workers = Vec::new();
    wait_until("two workers run", || {
        workers = children_of(child.id());
        workers.len() == 2 && workers.iter().all(|&w| is_worker(w))
    });
    (child, workers)
}

fn is_worker(pid: u32) -> bool {
    // Right after its start a child still shows the command line of its parent.
    arguments_of(pid).get(1).is_some_and(|a| a == "worker")
}

fn finished_segments(out: &Path) -> usize {
    (0..6).filter(|i| out.join(format!(".segy-import/segment_{i}/segment.json")).exists()).count()
}

/// Sends SIGTERM when a segment is done, and before any but the first two is begun.
fn stop_with_a_segment_done(child: Child, out: &Path) -> Output {
    let id = child.id();
    pause(id);
    wait_until("a segment is done", || finished_segments(out) > 0);
    signal(id, "TERM");
    signal(id, "CONT");
    wait_for(child)
}

#[test]
fn sigint_and_sigterm_stop_workers_within_their_segments_and_leave_nothing_visible() {
    let survey = slow_survey();
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let (child, _) = start(&survey);
        let (id, out) = (child.id(), survey.path("out"));
        // Workers that stand still finish no segment, so whoever waits for that waits for ever.
        pause(id);
        let workers = children_of(id);
        assert!(!workers.is_empty());
        workers.iter().for_each(|&worker| pause(worker));
        let done = finished_segments(&out);
        signal(id, name);
        signal(id, "CONT");
        let output = wait_for(child);
        assert_eq!(finished_segments(&out), done);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("stopped by SIG{name}")), "{}", stderr(&output));
        assert!(workers.iter().all(|&w| !is_alive(w)));
        assert!(!out.join("metadata.json").exists());
        assert!(!out.join("traces.zarr").exists());
    }
}

#[test]
fn a_cancelled_import_keeps_its_finished_segments_and_goes_on_from_there() {
    let survey = slow_survey();
    let (child, _) = start(&survey);
    let out = survey.path("out");
    let message = stderr(&stop_with_a_segment_done(child, &out));
    assert!(message.lines().last().unwrap().contains("of 6 segments are done and kept in"), "{message}");
    let done = finished_segments(&out);
    let output = survey.command("out", &SLOW).output().unwrap();
    assert!(stderr(&output).contains(&format!("resuming: {done} of 6 segments done")), "{}", stderr(&output));
    assert_same(&out, &survey.import("undisturbed", &SLOW));
}

#[test]
fn what_an_import_with_other_options_left_is_replaced_only_when_asked() {
    let survey = slow_survey();
    let (child, _) = start(&survey);
    let out = survey.path("out");
    stop_with_a_segment_done(child, &out);
    let done = finished_segments(&out);
    let options = ["--codec", "none", "--parallel-threshold", "0"];
    let output = survey.command("out", &options).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("holds a plan with other options (6 segments, done:"), "{}", stderr(&output));
    let output = survey.command("out", &[&SLOW[..], &["--interval", "3000"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("with other options"), "{}", stderr(&output));
    assert_eq!(finished_segments(&out), done);
    let output = survey.command("out", &[&options[..], &["--fresh"]].concat()).output().unwrap();
    assert!(output.status.success() && !stderr(&output).contains("resuming"), "{}", stderr(&output));
    assert_same(&out, &survey.import("undisturbed", &options));
}

#[test]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    let survey = slow_survey();
    let plain = survey.command("out", &SLOW);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_until("two workers run", || children_of(child.id()).len() == 2);
    signal(child.id(), "HUP");
    let output = wait_for(child);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_survey_that_is_generated_is_there_whole_or_not_at_all() {
    let directory = scratch();
    let path = directory.path().join("survey.sgy");
    std::fs::write(&path, "kept").unwrap();
    let mut command = Command::new(support::program());
    command.arg("generate").arg(&path).args(["--overwrite", "--traces", "1000000", "--samples", "2000"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let n_files = || std::fs::read_dir(directory.path()).unwrap().count();
    wait_until("it writes", || n_files() == 2);
    signal(child.id(), "TERM");
    let output = wait_for(child);
    assert_eq!(output.status.code(), Some(143), "{}", stderr(&output));
    assert!(stderr(&output).contains("stopped by SIGTERM"), "{}", stderr(&output));
    assert_eq!((n_files(), std::fs::read(&path).unwrap()), (1, b"kept".to_vec()));
}

#[test]
fn a_killed_worker_is_named_and_started_again() {
    let survey = slow_survey();
    let (child, workers) = start(&survey);
    signal(workers[0], "KILL");
    let output = wait_for(child);
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("warning: the worker of segment") && message.contains("was killed by SIGKILL"),
        "{message}"
    );
    assert_same(&survey.path("out"), &survey.import("undisturbed", &SLOW));
}

#[test]
fn a_worker_that_is_killed_each_time_ends_the_import() {
    let survey = slow_survey();
    let (child, first) = start(&survey);
    let segment = arguments_of(first[0]).pop().unwrap();
    // Not SEGV: the handler of the standard library lets a process that was only sent that go on, once.
    signal(first[0], "ABRT");
    let mut again = None;
    wait_until("the worker is started again", || {
        let children = children_of(child.id()).into_iter();
        again = children.filter(|c| !first.contains(c)).find(|&c| arguments_of(c).last() == Some(&segment));
        again.is_some()
    });
    signal(again.unwrap(), "ABRT");
    let output = wait_for(child);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.contains("was killed by SIGABRT, for the second time"), "{message}");
    assert!(first.iter().chain(&again).all(|&w| !is_alive(w)));
    assert!(!survey.path("out/metadata.json").exists());
}

#[test]
fn a_killed_coordinator_leaves_no_worker_and_the_next_run_goes_on() {
    // A worker has far to go when its coordinator is killed.
    let survey = Survey::new(&["--kind", "prestack", "--traces", "24000", "--samples", "1500"]);
    let (child, first) = start(&survey);
    let (id, out) = (child.id(), survey.path("out"));
    let mut begun = None;
    wait_until("a segment is done and another begun", || {
        begun = children_of(id).into_iter().find(|&w| !first.contains(&w) && is_worker(w));
        begun.is_some()
    });
    // It starts no more workers while they are listed.
    pause(id);
    let (workers, segment) = (children_of(id), arguments_of(begun.unwrap()).pop().unwrap());
    signal(id, "KILL");
    wait_for(child);
    wait_until("no worker is left", || workers.iter().all(|&w| !is_alive(w)));
    let record = out.join(format!(".segy-import/segment_{segment}/segment.json"));
    assert!(!record.exists(), "a worker without a coordinator came to the end of its segment");
    let output = survey.command("out", &SLOW).output().unwrap();
    assert!(stderr(&output).contains("resuming: "), "{}", stderr(&output));
    assert_same(&out, &survey.import("undisturbed", &SLOW));
}

#[test]
fn a_second_import_into_the_same_directory_is_refused_and_harms_nothing() {
    let survey = slow_survey();
    let (child, _) = start(&survey);
    // It holds the lock for as long as the other one cares to wait.
    pause(child.id());
    let output = survey.command("out", &SLOW).output().unwrap();
    signal(child.id(), "CONT");
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("another import is writing here"), "{}", stderr(&output));
    assert!(wait_for(child).status.success());
    assert_same(&survey.path("out"), &survey.import("undisturbed", &SLOW));
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_reported() {
    for (io, said) in [("auto", "the file ends before the"), ("mmap", "was killed by SIGBUS")] {
        let survey = slow_survey();
        // No worker starts later, which would find another file than the planned one.
        let options = ["--parallel-threshold", "0", "--workers", "2", "--segments", "2", "--codec", "gzip:9"];
        let options = [&options[..], &["--chunk-traces", "100", "--io", io]].concat();
        let child = survey.command("out", &options).spawn().unwrap();
        let attempts = survey.path("out/.segy-import/attempts");
        wait_until("both workers have read samples", || {
            let attempts = std::fs::read_dir(&attempts).into_iter().flatten().flatten();
            let chunks =
                |attempt: PathBuf| std::fs::read_dir(attempt.join("traces.zarr/c/0")).into_iter().flatten().count();
            attempts.filter(|attempt| chunks(attempt.path()) > 1).count() == 2
        });
        std::fs::OpenOptions::new().write(true).open(&survey.input).unwrap().set_len(100_000).unwrap();
        let output = wait_for(child);
        let message = stderr(&output);
        assert!(matches!(output.status.code(), Some(1 | 3)), "{message}");
        assert!(message.contains(said) && message.contains("in.sgy"), "{message}");
        assert!(!survey.path("out/metadata.json").exists());
    }
}

/// A small file system in memory; needs root.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Option<Self> {
        let directory = scratch();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(directory.path());
        mount.output().is_ok_and(|o| o.status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_is_reported_and_leaves_no_half_dataset() {
    let Some(disk) = SmallDisk::new("6m") else {
        eprintln!("skipped: a small file system cannot be mounted here, which needs root");
        return;
    };
    let survey = Survey::new(&["--traces", "8000", "--samples", "500"]);
    for options in [&["--parallel-threshold", "0", "--segments", "2"][..], &[]] {
        let out = disk.0.path().join("out");
        let mut command = Command::new(support::program());
        let output = command.arg(&survey.input).arg(&out).args(options).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
        for name in ["metadata.json", "zarr.json", "traces.zarr", "headers.parquet"] {
            assert!(!out.join(name).exists(), "{name}");
        }
    }
}

#[test]
fn closed_output_streams_do_not_stop_an_import() {
    let survey = Survey::new(&["--traces", "3000", "--samples", "20"]);
    let script = format!(
        "exec {} {} {} --progress json --parallel-threshold 0 >&- 2>&-",
        support::program().display(),
        survey.input.display(),
        survey.path("out").display()
    );
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    assert!(survey.path("out/metadata.json").exists());
    // A reader that goes away early.
    let script = script.replace("exec ", "").replace("/out ", "/out2 ").replace(">&- 2>&-", "2>&1 | head -c 1");
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    wait_until("the dataset is there", || survey.path("out2/metadata.json").exists());
}

#[test]
fn standard_output_on_a_full_disk_is_an_error() {
    let survey = Survey::new(&["--traces", "100"]);
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let inspected = Command::new(support::program()).arg("inspect").arg(&survey.input).stdout(full()).output().unwrap();
    let imported = survey.command("out", &["--progress", "json"]).stdout(full()).output().unwrap();
    for output in [inspected, imported] {
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("standard output cannot be written"), "{}", stderr(&output));
    }
}

#[test]
fn a_worker_that_is_stopped_is_named_and_goes_on_when_told_to() {
    let survey = slow_survey();
    let (mut child, workers) = start(&survey);
    pause(workers[0]);
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let advice = format!("(process {0}) is stopped; kill -CONT {0} lets it go on", workers[0]);
    let line = said.find(|line| line.contains(" is stopped")).unwrap();
    assert!(line.contains(&advice), "{line}");
    signal(workers[0], "CONT");
    assert_eq!(said.filter(|line| line.contains(" is stopped")).count(), 0, "it is said once");
    assert!(wait_for(child).status.success());
}

//! `kill -9` of the coordinator at random moments of every phase, and the same command again: the dataset is that of an
//! undisturbed run. `SEGY_IMPORT_KILLS` says how many kills.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::support::{self, Survey, assert_same, contents, stderr, wait_for};

const OPTIONS: [&str; 10] =
    ["--parallel-threshold", "0", "--workers", "2", "--segments", "5", "--codec", "gzip:9", "--progress", "json"];

/// How traces are laid out, and the file that appears last.
struct Layout {
    options: &'static [&'static str],
    mark: &'static str,
    exceptions: &'static str,
}

const FLAT: Layout =
    Layout { options: &["--chunk-traces", "25"], mark: "metadata.json", exceptions: "exceptions.parquet" };
const GRID: Layout = Layout {
    options: &["--grid", "cdp,trace", "--brick", "2,8,25"],
    mark: "segy/metadata.json",
    exceptions: "segy/exceptions.parquet",
};
const PART: Layout = Layout {
    options: &["--chunk-traces", "25", "--where", "mod(cdp, 3) != 0", "--times", "0:400ms"],
    mark: "metadata.json",
    exceptions: "exceptions.parquet",
};
/// What the progress says last before a kill; the commit shows itself by its mark on the disk.
const AIMS: [&str; 5] = ["partitioning", "importing", "merging", "syncing", "commit"];

/// Samples of which some have words that do not come back by themselves, so that there is a table of exceptions.
fn survey() -> Survey {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", "150", "--format", "1"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for trace in bytes[3600..].chunks_mut(840).step_by(7) {
        trace[300..304].copy_from_slice(&[0x41, 0, 0, 1]);
    }
    std::fs::write(&survey.input, bytes).unwrap();
    survey
}

/// Imports into `out` with everything that is brought to the disk brought there: the steps of the commit take time then.
fn command(survey: &Survey, out: &Path, layout: &Layout) -> Command {
    let mut command = Command::new(support::program());
    command.arg(&survey.input).arg(out).args(OPTIONS).args(layout.options);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    command
}

/// Waits until the import is where the aim says. Returns whether it came there.
fn reaches(aim: &str, child: &mut Child, out: &Path) -> bool {
    if aim == "commit" {
        let mark = out.join(".segy-import/merged");
        while !mark.exists() {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
        }
        return true;
    }
    let wanted = format!("\"phase\":\"{aim}\"");
    let stdout = child.stdout.as_mut().unwrap();
    // The pipe holds far more than the program writes, so nobody has to read on.
    BufReader::new(stdout).lines().any(|line| line.is_ok_and(|l| l.contains(&wanted)))
}

/// How long each phase of an undisturbed run takes.
fn durations(survey: &Survey, out: &Path, layout: &Layout) -> Vec<Duration> {
    // On a busy machine the commit may be over before anybody has looked.
    (0..50).find_map(|_| durations_of_one(survey, out, layout)).unwrap()
}

fn durations_of_one(survey: &Survey, out: &Path, layout: &Layout) -> Option<Vec<Duration>> {
    let _ = std::fs::remove_dir_all(out);
    let mut child = command(survey, out, layout).spawn().unwrap();
    let mut begun: Vec<Instant> = Vec::new();
    let is_seen = AIMS.iter().all(|aim| {
        let is_reached = reaches(aim, &mut child, out);
        begun.push(Instant::now());
        is_reached
    });
    assert!(wait_for(child).status.success());
    begun.push(Instant::now());
    is_seen.then(|| begun.windows(2).map(|pair| pair[1] - pair[0]).collect())
}

/// Where a killed run was, by what it left.
fn left_in(out: &Path) -> &'static str {
    let staging = out.join(".segy-import");
    match [staging.join("merged"), staging.join("dataset"), staging.join("plan.json")].map(|p| p.exists()) {
        [true, ..] => "commit",
        [_, true, _] => "merge",
        [_, _, true] => "conversion",
        _ => "start or end",
    }
}

#[test]
fn an_import_killed_at_any_moment_is_completed_by_the_same_command() {
    kill_and_complete(&FLAT);
}

#[test]
fn an_import_of_a_grid_killed_at_any_moment_is_completed_by_the_same_command() {
    kill_and_complete(&GRID);
}

#[test]
fn an_import_of_a_part_killed_at_any_moment_is_completed_by_the_same_command() {
    kill_and_complete(&PART);
}

fn kill_and_complete(layout: &Layout) {
    let n_kills = std::env::var("SEGY_IMPORT_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20usize);
    let survey = survey();
    let reference = survey.path("reference");
    let durations = durations(&survey, &reference, layout);
    let expected = contents(&reference);
    assert!(expected.contains_key(Path::new(layout.exceptions)));
    let mut random = support::random_numbers(std::process::id().into());
    let mut hits = std::collections::BTreeMap::new();
    let (mut n_killed, mut round) = (0, 0);
    while n_killed < n_kills {
        let out = survey.path(&format!("out{round}"));
        let replaces = round % 3 == 2;
        if replaces {
            survey.import(&format!("out{round}"), &["--codec", "none", "--chunk-traces", "500"]);
        }
        // Most runs are killed more than once before they may come to their end.
        for _ in 0..1 + random(3) {
            let aim = (round + random(2)) % AIMS.len();
            let mut child = command(&survey, &out, layout).args(replaces.then_some("--overwrite")).spawn().unwrap();
            if reaches(AIMS[aim], &mut child, &out) {
                std::thread::sleep(durations[aim].mul_f64(random(1000) as f64 / 900.0));
            }
            let has_ended = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            wait_for(child);
            if out.join(layout.mark).exists() {
                segy_import::check(&out, &mut |_, _| {}, &segy_import::CancelHandle::new()).unwrap();
            }
            if !has_ended {
                n_killed += 1;
                *hits.entry(left_in(&out)).or_insert(0) += 1;
            }
        }
        let output = command(&survey, &out, layout).args(replaces.then_some("--overwrite")).output().unwrap();
        let was_complete = output.status.code() == Some(4) && stderr(&output).contains("holds a dataset");
        assert!(output.status.success() || was_complete, "round {round}: {}", stderr(&output));
        assert_same(&reference, &out);
        std::fs::remove_dir_all(&out).unwrap();
        round += 1;
    }
    println!("killed in {hits:?}");
    for place in ["conversion", "merge", "commit"] {
        let n = hits.get(place).copied().unwrap_or(0);
        assert!(n_kills < 100 || n >= n_kills / 40, "only {n} of {n_kills} kills hit the {place}: {hits:?}");
    }
}

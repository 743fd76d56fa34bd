//! Unsorted files: the dataset is the same whether traces are read one by one or from buckets, whoever writes it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::volumes::{GRID, arranged, gives_back, import, imported, volume};
use crate::support::{Survey, assert_same, random_numbers, run, signal, stderr, wait_for};

const ALWAYS: [&str; 2] = ["--spill", "always"];
const NEVER: [&str; 2] = ["--spill", "never"];
const TOLD: &str = "spilling the traces to buckets first";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn shuffle(traces: &mut [Vec<u8>]) {
    let mut random = random_numbers(7);
    (1..traces.len()).rev().for_each(|i| traces.swap(i, random(i + 1)));
}

/// A volume in no order, with traces of zeros and repeated ones.
fn shuffled(survey: &Survey) -> PathBuf {
    arranged(survey, "shuffled.sgy", |traces| {
        shuffle(traces);
        for i in (5..traces.len()).step_by(11) {
            let samples = if i % 2 == 0 { vec![0; 200] } else { traces[i - 1][240..].to_vec() };
            traces[i].splice(240.., samples);
        }
    })
}

fn workers(n: &str) -> [&str; 6] {
    ["--parallel-threshold", "1", "--workers", n, "--segments", n]
}

/// The staging area's directory of spilled traces.
fn spilled(out: &Path) -> PathBuf {
    out.join(".segy-import/spill")
}

#[test]
fn a_grid_from_buckets_is_the_same_by_any_number_of_workers() {
    let survey = volume();
    let input = shuffled(&survey);
    let options: [&[&str]; 7] = [
        &[],
        &["--bin", "inline=2:3", "--duplicates", "aside", "--brick", "2,5,16"],
        &["--brick", "3,5,16"],
        &["--brick", "4,4,16", "--shard", "8,8,32"],
        &["--axes", "file", "--brick", "1,1,all", "--codec", "none"],
        &["--brick", "3,5,16", "--where", "trace_sequence_line > 4", "--times", "20:120ms"],
        &["--dtype", "float32", "--brick", "5,5,25", "--verify"],
    ];
    for (i, options) in options.iter().enumerate() {
        let in_place = survey.path(&format!("in_place_{i}"));
        imported(&input, &in_place, &[&GRID[..], &NEVER, options].concat());
        for n in ["1", "2", "5"] {
            let out = survey.path(&format!("spilled_{i}_{n}"));
            let output = import(&input, &out, &[&GRID[..], &ALWAYS, &workers(n), options].concat());
            assert!(output.status.success(), "{options:?}: {}", stderr(&output));
            assert!(stderr(&output).contains(TOLD), "{options:?}: {}", stderr(&output));
            assert_same(&in_place, &out);
        }
    }
    gives_back(&survey.path("spilled_1_5"), &input);
}

#[test]
fn second_traces_at_a_place_and_several_files_are_spilled_too() {
    let survey = volume();
    let doubled = arranged(&survey, "doubled.sgy", |traces| {
        let more: Vec<_> = traces.iter().step_by(3).cloned().collect();
        traces.extend(more);
        shuffle(traces);
    });
    let other = arranged(&survey, "other.sgy", |traces| {
        traces.truncate(170);
        shuffle(traces);
        traces.iter_mut().for_each(|trace| trace[188..192].copy_from_slice(&[0, 0, 9, 0]));
    });
    let aside = [&GRID[..], &["--duplicates", "aside", "--brick", "4,4,16"]].concat();
    let counted = vec!["--grid", "inline,crossline,trace", "--brick", "4,4,2,16"];
    for (i, options) in [aside, counted].into_iter().enumerate() {
        let import = |name: &str, spill: &[&str]| {
            let out = survey.path(&format!("{name}_{i}"));
            let paths = [text(&doubled), text(&other), text(&out), "--no-sync"];
            let output = run(&[&paths[..], &options, &workers("3"), spill].concat());
            assert!(output.status.success(), "{}", stderr(&output));
            out
        };
        let (in_place, spilled) = (import("in_place", &NEVER), import("spilled", &ALWAYS));
        assert_same(&in_place, &spilled);
        let output = run(&["verify", text(&doubled), text(&other), text(&spilled)]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

#[test]
fn workers_of_a_plan_read_the_buckets_and_nothing_of_them_stays() {
    let survey = volume();
    let input = shuffled(&survey);
    let (whole, out) = (survey.path("whole"), survey.path("out"));
    let options = [&GRID[..], &["--brick", "3,5,16"]].concat();
    imported(&input, &whole, &[&options[..], &NEVER].concat());
    let plan = ["plan", text(&input), text(&out), "--segments", "3", "--no-sync"];
    let planned = run(&[&plan[..], &options, &ALWAYS].concat());
    assert!(planned.status.success(), "{}", stderr(&planned));
    let files = std::fs::read_dir(spilled(&out)).unwrap().count();
    assert!(files > 5, "{files} files");
    assert!(std::fs::read_to_string(spilled(&out).join("spill.json")).unwrap().contains("lasts"));
    let work = |segment: &str| run(&["worker", text(&out), "--segment", segment]);
    // A bucket or headers that are cut short are noticed, so it is these that are read. The first segment writes all rows, which
    // take longer than all samples here, so the first bricks are those of the second.
    for (name, segment) in [("bucket_0.bin", "1"), ("headers.bin", "0")] {
        let path = spilled(&out).join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2 - 3]).unwrap();
        let output = work(segment);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
        std::fs::remove_file(&path).unwrap();
        let why = stderr(&work(segment));
        assert!(why.contains(&format!("{name}: is missing; import or plan again with --fresh")), "{why}");
        std::fs::write(&path, &bytes).unwrap();
    }
    for segment in ["2", "0", "1"] {
        assert!(work(segment).status.success());
    }
    assert!(run(&["merge", text(&out)]).status.success());
    assert!(!out.join(".segy-import").exists());
    assert_same(&whole, &out);
}

#[test]
fn what_cannot_be_verified_is_refused_before_anything_is_spilled() {
    let survey = volume();
    let (input, out) = (shuffled(&survey), survey.path("out"));
    for left_out in [&["--no-raw-header"][..], &["--dtype", "float32", "--format", "2"]] {
        let options = [&GRID[..], &ALWAYS, &["--verify", "--progress", "json"], left_out].concat();
        let refused = import(&input, &out, &options);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("--verify cannot be combined with"), "{}", stderr(&refused));
        let events = String::from_utf8_lossy(&refused.stdout).into_owned();
        assert!(!events.contains("spilling") && !out.exists(), "{events}");
    }
}

#[test]
fn an_import_killed_while_it_spills_spills_again_and_one_killed_later_does_not() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "9000", "--samples", "300"]);
    let options = ["--grid", "cdp,trace", "--brick", "3,8,100", "--codec", "gzip:9", "--progress", "json"];
    let options = [&options[..], &ALWAYS, &["--parallel-threshold", "1", "--workers", "2", "--segments", "6"]].concat();
    let whole = survey.import("whole", &options);
    let out = survey.path("out");
    for phase in ["spilling", "importing"] {
        let mut child = survey.command("out", &options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let wanted = format!("\"phase\":\"{phase}\"");
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(&wanted)), "{phase}");
        signal(child.id(), "KILL");
        wait_for(child);
        assert!(!out.join("segy").exists());
        let mark = spilled(&out).join("spill.json");
        assert!(phase == "spilling" || mark.exists());
        // Killed just before its end, the first may have completed it.
        let _ = (phase == "spilling").then(|| std::fs::remove_file(mark));
    }
    // What an earlier start of the computer may have lost is not used.
    let mark = spilled(&out).join("spill.json");
    let mut changed: serde_json::Value = serde_json::from_slice(&std::fs::read(&mark).unwrap()).unwrap();
    changed["boot_id"] = "an earlier start".into();
    std::fs::write(&mark, changed.to_string()).unwrap();
    let mut messages = Vec::new();
    for spills in [true, false] {
        let mut child = survey.command("out", &options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let before: Vec<String> = lines.by_ref().take_while(|line| !line.contains("\"phase\":\"importing\"")).collect();
        assert_eq!(before.iter().any(|line| line.contains(TOLD)), spills, "{before:?}");
        messages.extend(before);
        if spills {
            signal(child.id(), "KILL");
        }
        lines.for_each(drop);
        wait_for(child);
    }
    assert!(messages.iter().any(|line| line.contains("resuming")), "{messages:?}");
    assert_same(&whole, &out);
}

#[test]
fn traces_of_varying_length_are_read_in_place_and_the_option_needs_a_grid() {
    let survey = volume();
    let longer = survey.path("longer.sgy");
    let generate = ["generate", text(&longer), "--inlines", "101:103", "--crosslines", "1:9", "--samples", "60"];
    assert!(run(&generate).status.success());
    let out = survey.path("out");
    let paths = [text(&survey.input), text(&longer), text(&out), "--no-sync", "--ragged", "pad"];
    let output = run(&[&paths[..], &GRID, &ALWAYS].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("read in place, since only traces of one length"), "{}", stderr(&output));
    assert!(!stderr(&output).contains(TOLD));
    let refused = import(&survey.input, &survey.path("flat"), &ALWAYS);
    assert_eq!(refused.status.code(), Some(2));
    // A file that fits into memory is not spilled unless that is asked for.
    let output = import(&shuffled(&survey), &survey.path("small"), &GRID);
    assert!(output.status.success() && !stderr(&output).contains(TOLD), "{}", stderr(&output));
}

#[test]
fn a_sparse_grid_has_no_files_for_empty_bricks() {
    // 40 by 39,976 places, of which 1,600 have a trace: 40 of the 625 columns of bricks.
    let set = ["--set", "crossline=(crossline - 1) * 1024 + inline"];
    let size = ["--inlines", "1:40", "--crosslines", "1:40", "--samples", "100"];
    let survey = Survey::new(&[&size[..], &set].concat());
    let out = survey.import("out", &[&GRID[..], &["--fill-axes", "crossline", "--brick", "40,64,50"]].concat());
    let files = |directory: PathBuf| {
        let (mut n, mut open) = (0, vec![directory]);
        while let Some(next) = open.pop() {
            for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() { open.push(entry.path()) } else { n += 1 }
            }
        }
        n
    };
    assert_eq!((files(out.join("amplitude/c")), files(out.join("headers/c"))), (40 * 2, 40));
    gives_back(&out, &survey.input);
}

#[test]
fn an_input_in_the_staging_area_and_earlier_work_are_not_touched() {
    let survey = volume();
    let input = shuffled(&survey);
    let out = survey.path("out");
    let planned = run(&["plan", text(&input), text(&out), "--segments", "2", "--no-sync"]);
    assert!(planned.status.success(), "{}", stderr(&planned));
    let plan = std::fs::read(out.join(".segy-import/plan.json")).unwrap();
    let inside = out.join(".segy-import/line.sgy");
    std::fs::copy(&input, &inside).unwrap();
    for fresh in [&[][..], &["--fresh"]] {
        let refused = import(&inside, &out, &[&GRID[..], &ALWAYS, fresh].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(std::fs::read(&inside).unwrap() == std::fs::read(&input).unwrap());
    }
    // As an import leaves it that is killed while it spills.
    std::fs::remove_file(out.join(".segy-import/plan.json")).unwrap();
    let refused = import(&inside, &out, &[&GRID[..], &ALWAYS].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(std::fs::read(&inside).unwrap() == std::fs::read(&input).unwrap());
    std::fs::write(out.join(".segy-import/plan.json"), &plan).unwrap();
    std::fs::remove_file(&inside).unwrap();
    // Two traces at one place.
    let doubled = arranged(&survey, "doubled.sgy", |traces| traces.push(traces[0].clone()));
    let refused = import(&doubled, &out, &[&GRID[..], &ALWAYS, &["--fresh"]].concat());
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(std::fs::read(out.join(".segy-import/plan.json")).unwrap() == plan);
    let fresh = survey.path("fresh");
    assert_eq!(import(&doubled, &fresh, &[&GRID[..], &ALWAYS].concat()).status.code(), Some(3));
    assert!(!fresh.exists());
}

#[test]
fn a_single_trace_is_not_spilled() {
    let survey = volume();
    let input = arranged(&survey, "one.sgy", |traces| traces.truncate(1));
    for (i, brick) in [&["--brick", "all,all,all"][..], &["--brick", "16,16,5", "--shard=64,64,65"]].iter().enumerate()
    {
        let out = survey.path(&format!("one_{i}"));
        imported(&input, &out, &[&GRID[..], &ALWAYS, brick].concat());
        gives_back(&out, &input);
    }
}

#[test]
fn units_of_a_segment_may_have_more_exceptions_than_its_share_of_samples() {
    let survey = volume();
    let input = arranged(&survey, "odd_words.sgy", |traces| {
        traces
            .iter_mut()
            .flat_map(|trace| trace[240..].chunks_exact_mut(4))
            .for_each(|word| word.copy_from_slice(&[0x42, 0, 0, 1]));
    });
    let out = survey.path("out");
    let segments = ["--parallel-threshold", "1", "--workers", "2", "--segments", "2"];
    imported(&input, &out, &[&GRID[..], &["--brick", "13,100,10"], &segments].concat());
    gives_back(&out, &input);
}

//! Grids: what is in them, that they come back, and what is refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::volumes::{GRID, MANY, arranged, gives_back, import, imported, volume};
use crate::support::{
    Survey, assert_same, children_of, pause, python, random_numbers, run, signal, stderr, wait_for, wait_until,
};

fn shuffled(survey: &Survey) -> PathBuf {
    arranged(survey, "shuffled.sgy", |traces| {
        let mut random = random_numbers(7);
        (1..traces.len()).rev().for_each(|i| traces.swap(i, random(i + 1)));
    })
}

fn with_holes(survey: &Survey) -> PathBuf {
    arranged(survey, "holes.sgy", |traces| {
        let mut random = random_numbers(9);
        traces.retain(|_| random(4) > 0);
    })
}

#[test]
fn a_grid_is_the_same_by_any_number_of_workers_and_gives_the_file_back() {
    let survey = volume();
    let inputs = [survey.input.clone(), shuffled(&survey), with_holes(&survey)];
    let options: [&[&str]; 7] = [
        &[],
        &["--brick", "5,7,9"],
        &["--brick", "4,4,16", "--shard", "8,8,32"],
        &["--brick", "4,4,16", "--shard"],
        &["--axes", "file", "--codec", "none"],
        &["--codec", "lz4-bit", "--brick", "all,3,all"],
        &["--header-type", "struct", "--codec", "gzip", "--variable", "seismic"],
    ];
    for (i, input) in inputs.iter().enumerate() {
        for (j, options) in options.iter().enumerate() {
            let (one, many) = (survey.path(&format!("one_{i}_{j}")), survey.path(&format!("many_{i}_{j}")));
            imported(input, &one, &[&GRID[..], options].concat());
            imported(input, &many, &[&GRID[..], &MANY[..], options].concat());
            assert_same(&one, &many);
            gives_back(&one, input);
        }
    }
}

#[test]
fn bricks_of_many_short_traces_take_more_for_headers_than_for_samples() {
    for n_samples in ["1", "50"] {
        let survey = Survey::new(&["--inlines", "1:60", "--crosslines", "1:61", "--samples", n_samples]);
        for brick in [&[][..], &["--brick", "all,all,all"], &["--brick", "64,64,16", "--codec", "none"]] {
            let out = survey.path("out");
            imported(&survey.input, &out, &[&GRID[..], &["--verify", "--overwrite"], brick].concat());
            gives_back(&out, &survey.input);
        }
    }
}

/// The headers between the first trace of a shard and its last have more than the 16 MiB that an export keeps.
#[test]
fn a_shard_of_traces_far_apart_gives_its_file_back() {
    let survey = Survey::new(&["--inlines", "1:270", "--crosslines", "1:270", "--samples", "2"]);
    let out = survey.path("out");
    imported(&survey.input, &out, &[&GRID[..], &["--brick", "90,90,2", "--shard", "all,all,2"]].concat());
    gives_back(&out, &survey.input);
}

/// An export takes 24 MiB of a column of bricks at a time; here the samples from 1500 on come in a second step.
#[test]
fn tall_columns_of_bricks_give_their_file_back_and_the_end_of_its_traces() {
    let survey = Survey::new(&["--inlines", "1:64", "--crosslines", "1:64", "--samples", "1700"]);
    let grid = survey.import("grid", &[&GRID[..], &["--brick", "64,64,100", "--codec", "none"]].concat());
    gives_back(&grid, &survey.input);
    let flat = survey.import("flat", &["--codec", "none"]);
    let ends = [(&grid, "of_grid.sgy"), (&flat, "of_flat.sgy")].map(|(dataset, name)| {
        let back = survey.path(name);
        let arguments = ["export", dataset.to_str().unwrap(), back.to_str().unwrap(), "--no-sync", "--times", "6200:"];
        let output = run(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        std::fs::read(back).unwrap()
    });
    assert_eq!(ends[0].len(), 3600 + 64 * 64 * (240 + 4 * 150));
    assert!(ends[0] == ends[1]);
}

#[test]
fn part_of_a_grid_is_exported_by_the_numbers_of_traces() {
    let survey = volume();
    let (flat, grid) = (survey.import("flat", &[]), survey.import("grid", &GRID));
    let export = |dataset: &Path, name: &str| {
        let out = survey.path(name);
        let options = ["--traces", "30:75", "--no-sync"];
        let output = run(&[&["export", dataset.to_str().unwrap(), out.to_str().unwrap()], &options[..]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        std::fs::read(out).unwrap()
    };
    assert!(export(&flat, "flat.sgy") == export(&grid, "grid.sgy"));
}

#[test]
fn damage_of_a_grid_is_found_and_named() {
    let survey = volume();
    let options = [&GRID[..], &["--brick", "5,7,25"]].concat();
    let files = [
        "amplitude/c/0/0/1",
        "headers/c/1/1",
        "trace_index/c/0/0",
        "cdp_x/c/0/0",
        "inline/zarr.json",
        "segy/headers.parquet",
        "zarr.json",
    ];
    for (i, file) in files.iter().enumerate() {
        let out = survey.import(&format!("damaged_{i}"), &options);
        let path = out.join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let output = run(&["verify", out.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(5), "{file}: {}", stderr(&output));
        assert!(stderr(&output).contains(file), "{file}: {}", stderr(&output));
    }
    let out = survey.import("missing", &options);
    std::fs::remove_file(out.join("amplitude/c/1/2/0")).unwrap();
    let output = run(&["verify", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("amplitude/c/1/2/0: is damaged: it is missing"), "{}", stderr(&output));
    // Two bricks in each other's place are undamaged, each by itself.
    let out = survey.import("exchanged", &[&GRID[..], &["--brick", "5,7,25", "--codec", "none"]].concat());
    let [a, b] = ["amplitude/c/0/0/0", "amplitude/c/0/1/0"].map(|name| out.join(name));
    let first = std::fs::read(&a).unwrap();
    std::fs::copy(&b, &a).unwrap();
    std::fs::write(&b, first).unwrap();
    assert_eq!(run(&["verify", out.to_str().unwrap()]).status.code(), Some(5));
}

#[test]
fn second_traces_at_a_place_are_refused_by_name_or_counted() {
    let survey = volume();
    let doubled = arranged(&survey, "doubled.sgy", |traces| {
        let (a, b) = (traces[5].clone(), traces[40].clone());
        traces.insert(6, a);
        traces.push(b);
    });
    let out = survey.path("refused");
    let refused = import(&doubled, &out, &GRID);
    assert_eq!(refused.status.code(), Some(3));
    let said = stderr(&refused);
    let parts = [
        "2 traces lie where another does",
        "traces 6 and 7",
        "traces 42 and 342",
        "--grid inline,crossline,trace",
        "--duplicates aside",
    ];
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!out.exists());
    imported(&doubled, &out, &["--grid", "inline,crossline,trace"]);
    let compared = run(&["verify", doubled.to_str().unwrap(), out.to_str().unwrap()]);
    assert!(compared.status.success(), "{}", stderr(&compared));
}

#[test]
fn auto_finds_the_keys_that_give_every_trace_a_place() {
    let survey = volume();
    let names = |out: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.collect()
    };
    let out = survey.import("stack", &["--grid", "auto"]);
    assert!(names(&out).is_superset(&["inline", "crossline", "time"].map(str::to_owned).into()));
    let gathers = Survey::new(&["--kind", "prestack", "--traces", "600", "--samples", "20"]);
    let out = gathers.import("gathers", &["--grid", "auto"]);
    let found = names(&out);
    assert!(found.contains("offset") || found.contains("trace"), "{found:?}");
    let compared = run(&["verify", gathers.input.to_str().unwrap(), out.to_str().unwrap()]);
    assert!(compared.status.success(), "{}", stderr(&compared));
}

#[test]
fn what_cannot_be_a_grid_is_refused_in_words() {
    let survey = volume();
    let cases: [(&[&str], i32, &str); 12] = [
        (&["--grid", "inlin,crossline"], 2, "inlin: is not a trace header field"),
        (&["--grid", "data_use"], 3, "data_use is 1 in all traces"),
        (&["--grid", "inline,crossline", "--brick", "4,4"], 2, "--brick has 2 lengths, and the grid has 3 axes"),
        (&["--grid", "inline,crossline", "--brick", "4,4,8", "--shard", "6,8,all"], 2, "6 is not a multiple"),
        (&["--grid", "inline,crossline", "--bin", "offset=0:50"], 2, "--bin offset: is not a key"),
        (&["--grid", "inline,crossline", "--fill-axes", "cdp"], 2, "--fill-axes cdp: is not a key"),
        (&["--grid", "inline,crossline", "--headers-only"], 2, "--headers-only leaves them out"),
        (&["--grid", "inline,crossline", "--variable", "a/b"], 2, "--variable a/b"),
        (&["--grid", "inline,crossline", "--variable", "inline"], 2, "two parts of the dataset would be called inline"),
        (&["--grid", "cdp,trace_sequence_file,inline"], 3, "is the limit"),
        (&["--grid", "inline,crossline", "--chunk-traces", "9"], 2, "--chunk-traces is for traces in file order"),
        (&["--brick", "4,4,4"], 2, "--grid"),
    ];
    for (options, code, words) in cases {
        let out = survey.path("nothing");
        let output = import(&survey.input, &out, options);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{options:?}: {}", stderr(&output));
        assert!(!out.exists(), "{options:?}");
    }
}

#[test]
fn a_grid_replaces_a_dataset_in_file_order_and_the_other_way_round() {
    let survey = volume();
    let (grid, flat) = (survey.import("grid", &GRID), survey.import("flat", &[]));
    let out = survey.import("out", &[]);
    survey.import("out", &[&GRID[..], &["--overwrite"]].concat());
    assert_same(&out, &grid);
    survey.import("out", &[&GRID[..], &["--variable", "other", "--overwrite"]].concat());
    assert!(!out.join("amplitude").exists() && out.join("other").exists());
    survey.import("out", &["--overwrite"]);
    assert_same(&out, &flat);
    let refused = import(&survey.input, &out, &GRID);
    assert_eq!(refused.status.code(), Some(4));
    // What is somebody else's stays.
    let mine = survey.path("mine");
    std::fs::create_dir_all(mine.join("amplitude")).unwrap();
    std::fs::write(mine.join("amplitude/notes"), "mine").unwrap();
    let refused = import(&survey.input, &mine, &[&GRID[..], &["--overwrite"]].concat());
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert_eq!(std::fs::read(mine.join("amplitude/notes")).unwrap(), b"mine");
}

#[test]
fn a_grid_is_made_by_plan_worker_and_merge_in_any_order() {
    let survey = volume();
    let grid = survey.import("grid", &GRID);
    let out = survey.path("out");
    let (input, target) = (survey.input.to_str().unwrap(), out.to_str().unwrap());
    let step = |arguments: &[&str]| {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    };
    step(&["plan", input, target, "--segments", "4", "--grid", "inline,crossline", "--no-sync"]);
    for segment in ["3", "0", "2", "1"] {
        step(&["worker", target, "--segment", segment]);
    }
    step(&["merge", target]);
    assert_same(&out, &grid);
}

#[test]
fn a_killed_import_of_a_grid_is_taken_up_again() {
    let survey = Survey::new(&["--kind", "poststack", "--traces", "9000", "--samples", "300"]);
    let options = [&GRID[..], &["--codec", "gzip:9", "--parallel-threshold", "1", "--workers", "2", "--segments", "8"]];
    let options = options.concat();
    let whole = survey.import("whole", &options);
    let child = survey.command("out", &options).spawn().unwrap();
    let out = survey.path("out");
    let is_done = |i: usize| out.join(format!(".segy-import/segment_{i}/segment.json")).exists();
    wait_until("a segment is done", || (0..8).any(is_done));
    pause(child.id());
    children_of(child.id()).into_iter().for_each(|worker| signal(worker, "KILL"));
    signal(child.id(), "KILL");
    wait_for(child);
    assert!(!out.join("segy").exists());
    survey.import("out", &options);
    assert_same(&out, &whole);
}

#[test]
fn xarray_finds_every_trace_at_its_place() {
    let Some(interpreter) = python::interpreter() else { return };
    let survey = volume();
    let flat = survey.import("flat", &[]);
    for (i, options) in [&[][..], &["--brick", "4,4,16", "--shard", "8,8,all"]].into_iter().enumerate() {
        let grid = survey.import(&format!("grid_{i}"), &[&GRID[..], options].concat());
        python::run(
            interpreter,
            &[python::scripts().join("check_grid.py").as_ref(), flat.as_os_str(), grid.as_os_str()],
        );
    }
}

//! Second traces at a place of a grid that are put aside.

use std::path::{Path, PathBuf};

use crate::support::volumes::{GRID, MANY, arranged, gives_back, import, imported, volume};
use crate::support::{Survey, assert_same, python, random_numbers, run, stderr};

const ASIDE: [&str; 2] = ["--duplicates", "aside"];

/// The traces of a volume with some of them again, changed a little, here and there; one of them three times.
fn doubled(survey: &Survey) -> PathBuf {
    arranged(survey, "doubled.sgy", |traces| {
        let mut random = random_numbers(11);
        let again: Vec<Vec<u8>> = [5, 5, 40, 41, 300, 339].map(|i: usize| traces[i].clone()).into();
        for (i, mut trace) in again.into_iter().enumerate() {
            // Bytes 1 to 4 of the header, and a sample.
            trace[3] ^= 0x55;
            trace[250] ^= 1 + i as u8;
            traces.insert(random(traces.len()), trace);
        }
    })
}

fn document(dataset: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dataset.join("segy/metadata.json")).unwrap()).unwrap()
}

#[test]
fn second_traces_lie_aside_and_the_file_comes_back() {
    let survey = volume();
    let input = doubled(&survey);
    let options: [&[&str]; 5] = [
        &[],
        &["--brick", "4,4,16", "--shard", "8,8,32"],
        &["--codec", "none", "--variable", "seismic"],
        &["--header-type", "struct", "--axes", "file"],
        &["--codec", "gzip", "--no-raw-header"],
    ];
    for (i, options) in options.iter().enumerate() {
        let (one, many) = (survey.path(&format!("one_{i}")), survey.path(&format!("many_{i}")));
        let options = [&GRID[..], &ASIDE, options].concat();
        imported(&input, &one, &options);
        imported(&input, &many, &[&options[..], &MANY].concat());
        assert_same(&one, &many);
        assert_eq!(document(&one)["grid"]["n_aside"], 6);
        if options.contains(&"--no-raw-header") {
            assert!(run(&["verify", one.to_str().unwrap()]).status.success());
        } else {
            gives_back(&one, &input);
        }
    }
}

#[test]
fn what_lies_aside_is_said() {
    let survey = volume();
    let (input, out) = (doubled(&survey), survey.path("out"));
    let output = import(&input, &out, &[&GRID[..], &ASIDE].concat());
    let said = stderr(&output);
    for part in ["6 traces lie where another does, first of them inline", "the later ones are in aside/"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(document(&out)["warnings"][0].as_str().unwrap().contains("the later ones are in aside/"));
}

#[test]
fn a_grid_whose_traces_all_have_a_place_has_nothing_aside() {
    let survey = volume();
    let (plain, aside) = (survey.import("plain", &GRID), survey.import("aside", &[&GRID[..], &ASIDE].concat()));
    assert_same(&plain, &aside);
    assert!(!aside.join("aside").exists());
    // A few second traces make no gathers of it.
    let out = survey.path("auto");
    imported(&doubled(&survey), &out, &[&["--grid", "auto"][..], &ASIDE].concat());
    assert_eq!(document(&out)["grid"]["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn damage_of_what_lies_aside_is_found() {
    let survey = volume();
    let input = doubled(&survey);
    let files =
        ["aside/amplitude/c/0/0", "aside/headers/c/0", "aside/trace_index/c/0", "aside/inline/c/0", "aside/zarr.json"];
    for (i, file) in files.iter().enumerate() {
        let out = survey.path(&format!("damaged_{i}"));
        imported(&input, &out, &[&GRID[..], &ASIDE].concat());
        let path = out.join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let output = run(&["verify", out.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(5), "{file}: {}", stderr(&output));
        assert!(stderr(&output).contains(file), "{file}: {}", stderr(&output));
    }
}

#[test]
fn a_grid_with_traces_aside_replaces_and_is_replaced_whole() {
    let survey = volume();
    let out = survey.path("out");
    imported(&doubled(&survey), &out, &[&GRID[..], &ASIDE].concat());
    let plain = survey.import("plain", &GRID);
    survey.import("out", &[&GRID[..], &["--overwrite"]].concat());
    assert_same(&out, &plain);
}

#[test]
fn xarray_reads_what_lies_aside() {
    let Some(interpreter) = python::interpreter() else { return };
    let survey = volume();
    let input = doubled(&survey);
    let (flat, grid) = (survey.path("flat"), survey.path("grid"));
    imported(&input, &flat, &[]);
    imported(&input, &grid, &[&GRID[..], &ASIDE].concat());
    let script = python::scripts().join("check_aside.py");
    python::run(interpreter, &[script.as_ref(), flat.as_os_str(), grid.as_os_str()]);
}

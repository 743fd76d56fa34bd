//! Grids of what an import takes besides: several files, traces of varying length, fields in other places, computed keys,
//! rounded samples; and what `inspect` says of them before.

use std::path::{Path, PathBuf};

use crate::support::volumes::{GRID, MANY, gives_back, volume};
use crate::support::{Survey, assert_same, python, run, stderr, stdout};

fn document(dataset: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dataset.join("segy/metadata.json")).unwrap()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two volumes beside each other, and a list of them.
fn two_files() -> (Survey, PathBuf, PathBuf) {
    let survey = Survey::new(&["--inlines", "1:6", "--crosslines", "10:15", "--samples", "40"]);
    let (other, list) = (survey.path("other.sgy"), survey.path("list.txt"));
    let options = ["--inlines", "7:9", "--crosslines", "12:30:2", "--samples", "40", "--seed", "2"];
    assert!(run(&[&["generate", text(&other)][..], &options].concat()).status.success());
    std::fs::write(&list, format!("{}\n{}\n", survey.input.display(), other.display())).unwrap();
    (survey, other, list)
}

#[test]
fn several_files_become_one_grid_and_come_back() {
    let (survey, other, list) = two_files();
    let (out, many) = (survey.path("out"), survey.path("many"));
    let output = run(&["--list", text(&list), text(&out), "--grid", "inline,crossline", "--no-sync"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let arguments = [&[text(&survey.input), text(&other), text(&many), "--no-sync"], &GRID[..], &MANY].concat();
    assert!(run(&arguments).status.success());
    assert_same(&out, &many);
    let keys = &document(&out)["grid"]["keys"];
    assert_eq!((keys[0]["n"].as_u64(), keys[1]["n"].as_u64()), (Some(9), Some(14)));
    for arguments in [&["verify", text(&out)][..], &["verify", text(&survey.input), text(&other), text(&out)]] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    let back = survey.path("back");
    assert!(run(&["export", text(&out), text(&back), "--no-sync"]).status.success());
    for file in [&survey.input, &other] {
        let name = file.file_name().unwrap();
        assert!(std::fs::read(back.join(name)).unwrap() == std::fs::read(file).unwrap(), "{name:?}");
    }
    // The same file twice has two traces at each place, the later ones in the second file.
    let twice = survey.path("twice");
    let arguments = [text(&survey.input), text(&survey.input), text(&twice), "--no-sync"];
    assert_eq!(run(&[&arguments[..], &GRID].concat()).status.code(), Some(3));
    assert!(run(&[&arguments[..], &GRID, &["--duplicates", "aside"]].concat()).status.success());
    assert_eq!(document(&twice)["grid"]["n_aside"], 36);
    assert!(run(&["verify", text(&survey.input), text(&survey.input), text(&twice)]).status.success());
}

#[test]
fn traces_of_varying_length_are_padded_in_a_grid_and_come_back() {
    const TRACE: usize = 240 + 160;
    let survey = Survey::new(&["--inlines", "1:7", "--crosslines", "1:9", "--samples", "40", "--format", "5"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    let mut cut = bytes[..3600].to_vec();
    cut[3502..3504].fill(0);
    for (i, trace) in bytes[3600..].chunks(TRACE).enumerate() {
        let n = 40 - 7 * (i % 4);
        let mut trace = trace[..240 + 4 * n].to_vec();
        trace[114..116].copy_from_slice(&(n as u16).to_be_bytes());
        cut.extend(trace);
    }
    std::fs::write(&survey.input, cut).unwrap();
    let options = [&GRID[..], &["--ragged", "pad", "--brick", "3,4,16"]].concat();
    let out = survey.import("out", &options);
    assert_same(&out, &survey.import("many", &[&options[..], &MANY].concat()));
    gives_back(&out, &survey.input);
}

#[test]
fn keys_may_be_fields_in_other_places_and_formulas() {
    let set = ["--set", "233:i16=inline + 500", "--set", "inline=0", "--set", "crossline=3 * cdp"];
    let survey = Survey::new(&[&["--inlines", "1:5", "--crosslines", "1:8", "--samples", "20"], &set[..]].concat());
    let keys = ["--grid", "line,bin", "--field", "line=233:i16", "--compute", "bin=mod(cdp - 1, 8)"];
    let out = survey.import("out", &keys);
    let found = &document(&out)["grid"]["keys"];
    let ends = |key: usize| ["n", "first", "last"].map(|part| found[key][part].as_i64().unwrap());
    assert_eq!((ends(0), ends(1)), ([5, 501, 505], [8, 0, 7]));
    assert_same(&out, &survey.import("many", &[&keys[..], &MANY].concat()));
    gives_back(&out, &survey.input);
}

#[test]
fn rounded_samples_of_a_grid_are_compared_as_rounded() {
    let survey = Survey::new(&["--inlines", "1:20", "--crosslines", "1:25", "--samples", "100", "--format", "5"]);
    let options = [&GRID[..], &["--precision", "60"]].concat();
    let (exact, out) = (survey.import("exact", &GRID), survey.import("out", &options));
    assert_same(&out, &survey.import("many", &[&options[..], &MANY].concat()));
    let size =
        |dataset: &Path| crate::support::contents(&dataset.join("amplitude")).values().map(Vec::len).sum::<usize>();
    assert!(size(&out) < size(&exact) * 9 / 10);
    for arguments in [&["verify", text(&out)][..], &["verify", text(&survey.input), text(&out)]] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    let back = survey.path("back.sgy");
    let refused = run(&["export", text(&out), text(&back)]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("--lossy"), "{}", stderr(&refused));
    assert!(run(&["export", text(&out), text(&back), "--lossy"]).status.success());
    assert_eq!(std::fs::metadata(&back).unwrap().len(), std::fs::metadata(&survey.input).unwrap().len());
    // A sample that is more than rounded is found.
    let mut bytes = std::fs::read(&survey.input).unwrap();
    bytes[3600 + 240] ^= 0x40;
    std::fs::write(&survey.input, bytes).unwrap();
    let output = run(&["verify", text(&survey.input), text(&out)]);
    assert!(output.status.code() == Some(5) && stderr(&output).contains("trace 1, sample 1"), "{}", stderr(&output));
}

#[test]
fn inspect_says_which_grid_an_import_makes() {
    let lines = ["--inlines", "101:109:2", "--crosslines", "1:30", "--samples", "20", "--hole", "inline=105"];
    let survey = Survey::new(&[&lines[..], &["--duplicate", "inline=101,crossline=7:8"]].concat());
    let inspect = |options: &[&str]| {
        let output = run(&[&["inspect", text(&survey.input)], options].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let options = ["--grid", "inline,crossline"];
    let report: serde_json::Value = serde_json::from_str(&inspect(&[&options[..], &["--json"]].concat())).unwrap();
    let grid = &report["grid"];
    assert_eq!(grid["keys"][0]["n"], 4);
    assert_eq!(grid["keys"][0]["missing"], serde_json::json!([[105, 105]]));
    let numbers = ["n_places", "n_placed", "n_duplicates"].map(|name| grid[name].as_u64().unwrap());
    assert_eq!(numbers, [120, 120, 2]);
    assert_eq!(grid["duplicates"][1], serde_json::json!({"values": [101, 8], "first_trace": 9, "second_trace": 10}));
    let said = inspect(&options);
    for part in [
        "Grid: --grid inline,crossline --duplicates aside",
        "4, 101 to 109 in steps of 2; 1 missing: 105",
        "120, 100.0 % of them with a trace",
        "2: traces 7 and 8, 9 and 10",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The command that it says makes just that grid.
    let command = grid["command"].as_str().unwrap().split(' ').skip(1).collect::<Vec<_>>();
    let program = std::process::Command::new(crate::support::program())
        .args(command)
        .arg("--no-sync")
        .current_dir(survey.directory.path())
        .output()
        .unwrap();
    assert!(program.status.success(), "{}", stderr(&program));
    let made = document(&survey.path("in.zarr"));
    assert_eq!((&made["grid"]["brick"], made["grid"]["n_aside"].as_u64()), (&grid["brick"], Some(2)));
    // By itself it takes what gives every trace a place, and says so once all headers are read.
    assert!(inspect(&[]).contains("Grid: --grid inline,crossline,trace"));
}

#[test]
fn stray_traces_and_surveys_apart_give_warnings() {
    let survey = Survey::new(&["--inlines", "1:8", "--crosslines", "1:9", "--samples", "20", "--stray", "2"]);
    let output = run(&["inspect", text(&survey.input), "--grid", "inline,crossline"]);
    let said = stdout(&output);
    assert!(
        said.contains("its traces lie in 2 blocks apart from each other: inline 1 to 8, crossline 1 to 9"),
        "{said}"
    );
    let out = survey.path("out");
    let imported = run(&[&[text(&survey.input), text(&out), "--no-sync"], &GRID[..]].concat());
    assert!(stderr(&imported).contains("2 blocks apart from each other"), "{}", stderr(&imported));
    gives_back(&out, &survey.input);
}

#[test]
fn a_dry_run_shows_the_grid() {
    let survey = volume();
    let output = run(&[&[text(&survey.input), "nowhere", "--dry-run", "--brick", "8,8,25"], &GRID[..]].concat());
    let said = stdout(&output);
    assert!(said.contains("amplitude  (inline, crossline, time) = (18, 19, 50) float32, chunks (8, 8, 25)"), "{said}");
}

#[test]
fn attributes_that_were_edited_are_told_from_damage() {
    let survey = volume();
    for name in ["zarr.json", "amplitude/zarr.json", "segy_file_header/zarr.json"] {
        let out = survey.import("edited", &[&GRID[..], &["--overwrite"]].concat());
        let path = out.join(name);
        let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        document["attributes"]["mine"] = "yes".into();
        document["storage_transformers"] = serde_json::json!([]);
        std::fs::write(&path, serde_json::to_vec(&document).unwrap()).unwrap();
        for arguments in [&["verify", text(&out)][..], &["verify", text(&survey.input), text(&out)]] {
            let output = run(arguments);
            assert_eq!(output.status.code(), Some(5), "{arguments:?}");
            let said = stderr(&output);
            let words = format!("the attributes in {name} were edited since the import; samples, trace headers");
            assert!(said.contains(&words), "{said}");
        }
        // What decides how samples are read is no attribute.
        document["shape"] = serde_json::json!([1]);
        std::fs::write(&path, serde_json::to_vec(&document).unwrap()).unwrap();
        let output = run(&["verify", text(&out)]);
        assert!(output.status.code() == Some(5) && stderr(&output).contains("is damaged"), "{}", stderr(&output));
    }
}

#[test]
fn edits_by_mdio_are_reported_and_the_file_comes_back() {
    let Some(interpreter) = python::interpreter_with_mdio_1_2() else { return };
    let survey = volume();
    let out = survey.import("out", &[&GRID[..], &["--crs", "32610"]].concat());
    let script = "import sys, mdio\n\
        assert mdio.open_mdio(sys.argv[1]).attrs['crs'] == 'EPSG:32610'\n\
        mdio.update_crs(sys.argv[1], 'EPSG:4326')\n\
        mdio.update_segy_file_headers(sys.argv[1], text_header='\\n'.join('C%2d EDITED'.ljust(80) % i for i in range(1, 41)))\n";
    python::run(interpreter, &["-c".as_ref(), script.as_ref(), out.as_os_str()]);
    let output = run(&["verify", text(&out)]);
    let said = stderr(&output);
    assert!(output.status.code() == Some(5) && said.contains("were edited since the import"), "{said}");
    assert!(said.contains("segy_file_header/zarr.json") && said.contains("zarr.json"), "{said}");
    let back = survey.path("back.sgy");
    assert!(run(&["export", text(&out), text(&back)]).status.success());
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap());
}

#[test]
fn the_bins_of_the_survey_are_in_the_metadata() {
    let survey = Survey::new(&["--inlines", "100:120:4", "--crosslines", "10:20", "--samples", "10"]);
    let out = survey.import("out", &[&GRID[..], &["--crs", "EPSG:23031"]].concat());
    let root: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("zarr.json")).unwrap()).unwrap();
    let (of_document, grid) = (document(&out), &root["attributes"]["attributes"]["bin_grid"]);
    assert_eq!(*grid, of_document["grid"]["bin_grid"]);
    assert_eq!((&root["attributes"]["crs"], &of_document["grid"]["crs"]), (&"EPSG:23031".into(), &"EPSG:23031".into()));
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    // As `generate` has them: 25 m and 12.5 m, turned by the angle with cosine 0.8 and sine 0.6.
    assert!((number(&grid["bin_size"][0]) - 100.0).abs() < 0.01 && (number(&grid["bin_size"][1]) - 12.5).abs() < 0.01);
    assert!((number(&grid["azimuth"]) - 0.8_f64.atan2(0.6).to_degrees()).abs() < 0.01, "{grid}");
    assert!(number(&grid["largest_residual"]) < 0.02);
    assert_eq!(
        (grid["corners"][2]["inline"].as_i64(), grid["corners"][2]["crossline"].as_i64()),
        (Some(120), Some(20))
    );
}

#[test]
fn an_invalid_reference_system_is_refused() {
    let survey = volume();
    let output = run(&[&[text(&survey.input), "nowhere"], &GRID[..], &["--crs", "UTM zone 10"]].concat());
    assert!(output.status.code() == Some(2) && stderr(&output).contains("EPSG:32610"), "{}", stderr(&output));
}

//! Datasets of a part of their files.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::json;

use crate::crops::{
    CUT, FILE_HEADER, FLAT, GRID, HEADER, SOME, TRACE, crop, exported, field, refused, same, traces, volume,
};
use crate::support::datasets::{column, verify};
use crate::support::{Survey, assert_same, python, run, stderr, stdout};

/// Those that `SOME` chooses.
fn is_some(header: &[u8]) -> bool {
    (5..9).contains(&field(header, 189)) && field(header, 193) >= 3
}

/// Imports into `out` what is refused, with nothing left there.
fn refused_import(survey: &Survey, options: &[&str]) -> String {
    let output = survey.command("refused_import", options).output().unwrap();
    assert!(matches!(output.status.code(), Some(2 | 3)), "{options:?}: {:?} {}", output.status, stderr(&output));
    assert!(!survey.path("refused_import").exists(), "{options:?}");
    stderr(&output)
}

/// Runs what has to work.
fn done<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output) + &stderr(&output)
}

#[test]
fn a_dataset_of_a_part_gives_the_file_of_that_part() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    for (name, options) in [("grid", GRID), ("flat", FLAT), ("cut", CUT)] {
        let out = survey.import(name, &[options, SOME, &["--verify"]].concat());
        let (found, said) = exported(&out, &[]);
        same(&found, &crop(&file, is_some, 10..30), name);
        assert!(said.contains("the dataset has 60 of the file's 340 traces, and 20 of their 50 samples"), "{said}");
        // A part of the part, by its own numbers.
        let (found, _) = exported(&out, &["--times", "60:100", "--inlines", "6:"]);
        same(&found, &crop(&file, |header| is_some(header) && field(header, 189) >= 6, 15..25), name);
        assert_eq!(verify(&[&survey.input], &out).status.code(), Some(0), "{name}");
        assert_eq!(run(&["verify".as_ref(), out.as_os_str()]).status.code(), Some(0), "{name}");
    }
}

#[test]
fn times_alone_and_traces_alone_are_parts() {
    let survey = volume("5");
    let file = std::fs::read(&survey.input).unwrap();
    for (name, options) in [("grid", GRID), ("flat", FLAT), ("cut", CUT)] {
        let out = survey.import(name, &[options, &["--times", "100:"]].concat());
        same(&exported(&out, &[]).0, &crop(&file, |_| true, 25..50), name);
        assert_eq!(verify(&[&survey.input], &out).status.code(), Some(0), "{name}");
        let other = survey.import("other", &[options, &["--where", "mod(offset, 3) == 1", "--overwrite"]].concat());
        same(&exported(&other, &[]).0, &crop(&file, |header| field(header, 37) % 3 == 1, 0..50), name);
        assert_eq!(verify(&[&survey.input], &other).status.code(), Some(0), "{name}");
    }
    let wanted: Vec<i64> = (0..340).filter(|i| i % 3 == 1).collect();
    assert_eq!(column(&survey.path("other"), "trace_in_file"), wanted);
}

#[test]
fn polygons_and_computed_columns_choose_traces_of_an_import() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    let polygon = survey.path("a.geojson");
    let ring = [[1015, 2015], [1045, 2015], [1045, 2155], [1015, 2155]];
    std::fs::write(&polygon, json!({"type": "Polygon", "coordinates": [ring]}).to_string()).unwrap();
    let out = survey.import("polygon", &["--polygon", polygon.to_str().unwrap()]);
    let inside = |header: &[u8]| (3..=5).contains(&field(header, 189)) && (3..=16).contains(&field(header, 193));
    same(&exported(&out, &[]).0, &crop(&file, inside, 0..50), "polygon");
    let condition = "half >= 4 and is_dead == 0 and trace_index < 200 and cdp_x_scaled > 0";
    let out = survey.import("computed", &["--compute", "half=floor(inline / 2)", "--where", condition]);
    let wanted = |header: &[u8]| field(header, 189) / 2 >= 4 && field(header, 37) < 200;
    same(&exported(&out, &[]).0, &crop(&file, wanted, 0..50), "computed");
    // Fields by other names, and a column that has the other name of a field.
    let condition =
        "HALF >= 4 and ILINE > 0 and Is_Dead == 0 and source_to_receiver_distance < 200 and CDP_X_scaled > 0";
    let other = survey.import("other_names", &["--compute", "Half=floor(iline / 2)", "--where", condition]);
    same(&exported(&other, &[]).0, &crop(&file, wanted, 0..50), "other names");
    let own = survey.import("own", &["--compute", "fldr=inline", "--where", "fldr == 8"]);
    same(&exported(&own, &[]).0, &crop(&file, |header| field(header, 189) == 8, 0..50), "a column of that name");
}

#[test]
fn a_part_has_the_same_bytes_however_the_work_is_cut() {
    let survey = volume("1");
    for (name, options) in [("grid", GRID), ("flat", FLAT), ("cut", CUT)] {
        let part = [options, SOME, &["--where", "mod(crossline, 4) != 2"]].concat();
        let one = survey.import(&format!("{name}_1"), &[&part[..], &["--segments", "1"]].concat());
        let cut = ["--segments", "5", "--workers", "3", "--parallel-threshold", "0"];
        let five = survey.import(&format!("{name}_5"), &[&part[..], &cut].concat());
        assert_same(&one, &five);
        let planned = survey.path(&format!("{name}_planned"));
        let paths = [survey.input.to_str().unwrap(), planned.to_str().unwrap()];
        let plan = |more: &[&str]| run(&[&["plan"], &paths[..], &part, &["--segments", "3"], more].concat());
        assert!(plan(&[]).status.success());
        done(&["worker", paths[1], "--segment", "1"]);
        // The same plan goes on; another part is another plan, even of as many traces.
        assert!(stdout(&plan(&["--json"])).contains("\"n_done\": 1"));
        let other = run(&[&["plan"], &paths[..], options, &["--inlines", "6:10", "--segments", "3"]].concat());
        assert_eq!(other.status.code(), Some(4), "{}", stderr(&other));
        done(&["worker", paths[1], "--segment", "0"]);
        done(&["worker", paths[1], "--segment", "2"]);
        done(&["merge", paths[1], "--verify"]);
        assert_same(&one, &planned);
    }
}

#[test]
fn maps_of_as_many_traces_are_told_apart() {
    let survey = volume("1");
    let planned = survey.path("planned");
    let paths = [survey.input.to_str().unwrap(), planned.to_str().unwrap()];
    let polygon = survey.path("a.geojson");
    let plan = |x: i32| {
        let ring = [[x, 2000], [x + 4, 2000], [x + 4, 2155], [x, 2155]];
        std::fs::write(&polygon, json!({"type": "Polygon", "coordinates": [ring]}).to_string()).unwrap();
        run(&[&["plan"], &paths[..], &["--polygon", polygon.to_str().unwrap()]].concat())
    };
    assert!(plan(1008).status.success());
    assert!(plan(1008).status.success());
    assert_eq!(plan(1018).status.code(), Some(4));
}

#[test]
fn a_part_is_compared_with_the_file_where_it_comes_from() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    for options in [GRID, FLAT] {
        let out = survey.import("out", &[options, SOME, &["--overwrite"]].concat());
        // Inline 6, crossline 4; its sample 11 is the first that is taken.
        let trace = 5 * 17 + 3;
        let changed = |at: usize| {
            let mut bytes = file.clone();
            bytes[FILE_HEADER + trace * TRACE + at] ^= 1;
            std::fs::write(survey.path("other.sgy"), bytes).unwrap();
            let output = verify(&[&survey.path("other.sgy")], &out);
            (output.status.code(), stderr(&output))
        };
        let (code, said) = changed(HEADER + 4 * 10 + 1);
        assert_eq!(code, Some(5));
        let byte = FILE_HEADER + trace * TRACE + HEADER + 4 * 10 + 1 + 1;
        assert!(said.contains(&format!("byte {byte} (trace {}, sample 11)", trace + 1)), "{said}");
        let (code, said) = changed(70);
        assert_eq!(code, Some(5));
        assert!(said.contains(&format!("(trace {}, byte 71 of its headers)", trace + 1)), "{said}");
        // Samples and traces that were left out are not compared.
        assert_eq!(changed(HEADER + 4 * 9).0, Some(0));
        let mut bytes = file.clone();
        bytes[FILE_HEADER + TRACE] ^= 1;
        std::fs::write(survey.path("other.sgy"), bytes).unwrap();
        assert_eq!(verify(&[&survey.path("other.sgy")], &out).status.code(), Some(0));
    }
}

#[test]
fn a_dataset_of_a_part_says_that_it_is_one() {
    let survey = volume("1");
    let options = [FLAT, &["--inlines", "5:9", "--times", "0:100ms"]].concat();
    let output = survey.command("out", &options).output().unwrap();
    let said = stdout(&output) + &stderr(&output);
    let expected = "a part, 68 of 340 traces and 25 of 50 samples, which cannot give the whole back";
    assert!(said.contains(expected), "{said}");
    let out = survey.path("out");
    let document: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("metadata.json")).unwrap()).unwrap();
    let part =
        json!({"options": ["--inlines 5:9", "--times 0ms:100ms"], "n_traces": 340, "n_samples": 50, "first_sample": 0});
    assert_eq!(document["part"], part);
    let said = done(&["inspect".as_ref(), out.as_os_str()]);
    assert!(said.contains("of 340 traces of 50 samples, which it cannot give back: --inlines 5:9"), "{said}");
    let report: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["inspect".as_ref(), out.as_os_str(), "--json".as_ref()]))).unwrap();
    assert_eq!((&report["is_exact"], &report["part"]), (&json!(false), &part));
    let dry = survey.command("dry", &[&options[..], &["--dry-run"]].concat()).output().unwrap();
    assert!(stdout(&dry).contains(expected), "{}", stdout(&dry));
    // A whole file says nothing of it.
    let whole = survey.import("whole", FLAT);
    assert!(!std::fs::read_to_string(whole.join("metadata.json")).unwrap().contains("\"part\""));
}

#[test]
fn a_selection_of_everything_is_no_part() {
    let survey = volume("1");
    for (name, options) in [("grid", GRID), ("flat", FLAT)] {
        let whole = survey.import(name, options);
        for (i, all) in [
            &["--where", "offset >= 0"][..],
            &["--times", "0:"],
            &["--inlines", "1:21", "--crosslines", ":100", "--times", "0:1s"],
        ]
        .into_iter()
        .enumerate()
        {
            let out = format!("{name}_{i}");
            let output = survey.command(&out, &[options, all].concat()).output().unwrap();
            assert!(output.status.success() && !stderr(&output).contains("a part"), "{all:?}: {}", stderr(&output));
            assert_same(&whole, &survey.path(&out));
        }
    }
}

#[test]
fn parts_of_several_files_leave_out_those_without_a_wanted_trace() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    let thirds = [0, 100, 200, 340];
    let inputs: Vec<_> = thirds
        .windows(2)
        .enumerate()
        .map(|(i, ends)| {
            let path = survey.path(&format!("{i}.sgy"));
            let [start, end] = [ends[0], ends[1]].map(|trace| FILE_HEADER + trace * TRACE);
            std::fs::write(&path, [&file[..FILE_HEADER], &file[start..end]].concat()).unwrap();
            path
        })
        .collect();
    let import = |out: &Path, options: &[&str]| {
        let paths = inputs.iter().map(|path| path.as_os_str()).chain([out.as_os_str()]);
        done(&paths.chain(options.iter().map(OsStr::new)).collect::<Vec<_>>())
    };
    for options in [GRID, FLAT] {
        let (out, back) = (survey.path("out"), survey.path("back"));
        let said = import(&out, &[options, &["--where", "offset > 150", "--times", "40:", "--overwrite"]].concat());
        assert!(said.contains("0.sgy: has none of the traces that are wanted, and is left out"), "{said}");
        let tables = if options == GRID { out.join("segy") } else { out.clone() };
        assert_eq!(column(&tables, "file_index").iter().filter(|&&index| index == 0).count(), 49);
        done(&["export".as_ref(), out.as_os_str(), back.as_os_str(), "--overwrite".as_ref()]);
        for (i, part) in [(1, 151..200), (2, 200..340)] {
            let found = std::fs::read(back.join(format!("{i}.sgy"))).unwrap();
            let wanted = |header: &[u8]| part.contains(&(field(header, 37) as usize));
            same(&found, &crop(&file, wanted, 10..50), &format!("{i}"));
        }
        assert_eq!(verify(&[&inputs[1], &inputs[2]], &out).status.code(), Some(0));
        assert_eq!(verify(&[&inputs[0], &inputs[1], &inputs[2]], &out).status.code(), Some(2));
    }
    // Of a single file that is left there are no numbers of files.
    let out = survey.path("last");
    import(&out, &["--where", "offset >= 300"]);
    let (found, _) = exported(&out, &[]);
    same(&found, &crop(&file, |header| field(header, 37) >= 300, 0..50), "the last file");
    assert_eq!(verify(&[&inputs[2]], &out).status.code(), Some(0));
}

#[test]
fn an_empty_or_impossible_part_is_refused_and_nothing_is_left() {
    let survey = volume("1");
    for (options, message) in [
        (&["--inlines", "100:"][..], "in.sgy: the selection has none of the 340 traces"),
        (&["--times", "1s:2s"], "in.sgy: --times selects no sample: they go from 0 to 196 ms"),
        (&["--where", "ofset > 1000"], "in.sgy: has no column ofset; did you mean \"offset\""),
        (&["--where", "is_zero == 1"], "in.sgy: is_zero is known once the samples are read"),
        (&["--where", "offset"], "compares nothing"),
        (&["--polygon", "nowhere.geojson"], "nowhere.geojson: cannot be read"),
        (&["--inlines", "5:9", "--ragged", "pad"], "leave out --ragged pad"),
        (&["--inlines", "5:5"], "5:5 is empty"),
    ] {
        for grid in [&[][..], &["--grid", "inline,crossline"]] {
            let why = refused_import(&survey, &[options, grid].concat());
            assert!(why.contains(message), "{options:?}: {why}");
        }
    }
}

#[test]
fn a_condition_of_an_import_compares_numbers_alone() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "100", "--samples", "10"]);
    for (condition, what) in [
        ("raw_header > 0", "in.sgy: the column raw_header has bytes, not numbers; compare another one"),
        ("recording_time > 0", "in.sgy: the column recording_time has times, not numbers"),
        ("offset > 0 or Recording_Time > 0", "in.sgy: the column Recording_Time has times, not numbers"),
        ("Label == 3", "in.sgy: the column Label has text, not numbers"),
        ("offset <", "\"offset <\" has nothing on one side of a comparison"),
    ] {
        let why = refused_import(&survey, &["--field", "label=233:text:4", "--where", condition]);
        assert!(why.contains(what) && !why.contains("degrees"), "{condition}: {why}");
    }
    let out = survey.import("out", &["--where", "trace_index >= 2e1 and trace_index < 0.5e+2"]);
    assert_eq!(column(&out, "trace_in_file"), (20..50).collect::<Vec<_>>());
}

#[test]
fn samples_and_headers_go_into_a_part() {
    let survey = volume("5");
    let file = std::fs::read(&survey.input).unwrap();
    for options in [GRID, FLAT] {
        let out = survey.import("out", &[options, SOME, &["--overwrite"]].concat());
        let array = out.join(if options == GRID { "amplitude" } else { "traces.zarr" });
        let (found, _) = exported(&out, &["--samples", array.to_str().unwrap()]);
        same(&found, &crop(&file, is_some, 10..30), "its own samples");
        let table = survey.path("new.csv");
        let rows: String = (0..60).map(|i| format!("{i},{}\n", 7 * i)).collect();
        std::fs::write(&table, format!("trace_index,offset\n{rows}")).unwrap();
        let (found, _) = exported(&out, &["--headers", table.to_str().unwrap(), "--times", "80:"]);
        let found: Vec<i32> = found[FILE_HEADER..].chunks(HEADER + 40).map(|trace| field(trace, 37)).collect();
        assert_eq!(found, (0..60).map(|i| 7 * i).collect::<Vec<_>>());
        assert!(refused(&out, &["--times", "0:20"]).contains("selects no sample: they go from 40 to 116 ms"));
    }
    assert_eq!(traces(&file).count(), 340);
}

#[test]
fn xarray_and_segyio_read_a_part() {
    let Some(interpreter) = python::interpreter() else { return };
    let survey = volume("1");
    let (grid, flat) = (survey.import("grid", &[GRID, SOME].concat()), survey.import("flat", &[FLAT, SOME].concat()));
    exported(&flat, &[]);
    let (script, back) = (python::scripts().join("check_part.py"), survey.path("back.sgy"));
    let paths = [&script, &survey.input, &grid, &flat, &back].map(|path| path.as_os_str());
    let said = python::run(interpreter, &[&["-B".as_ref()], &paths[..]].concat());
    assert!(said.contains("all agree"), "{said}");
}

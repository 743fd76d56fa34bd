//! The header table as a directory of parts, `--header-parts`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Output;

use crate::support::datasets::metadata;
use crate::support::{Survey, assert_same, contents, python, run, stderr, stdout};

const PARTS: &str = "--header-parts";

/// Three parts; the last is a short one.
fn survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "140000", "--samples", "2"])
}

fn verified(arguments: &[&Path]) -> Output {
    run(&[&[Path::new("verify")], arguments].concat())
}

fn assert_undamaged(survey: &Survey, out: &Path) {
    for arguments in [&[out][..], &[&survey.input, out]] {
        let verified = verified(arguments);
        assert!(verified.status.success(), "{}", stderr(&verified));
    }
}

fn assert_gives_back(survey: &Survey, out: &Path) {
    let back = survey.path("back.sgy");
    let exported = run(&[OsStr::new("export"), "--overwrite".as_ref(), out.as_ref(), back.as_ref()]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap());
}

#[test]
fn a_table_in_parts_does_not_depend_on_the_workers_and_gives_the_file_back() {
    let survey = survey();
    let one = survey.import("one", &[PARTS, "--segments", "1"]);
    let many = survey.import("many", &[PARTS, "--segments", "5", "--parallel-threshold", "0", "--workers", "2"]);
    assert_same(&one, &many);
    let names: Vec<_> = contents(&one.join("headers.parquet")).into_keys().collect();
    assert_eq!(
        names,
        ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"].map(Into::<std::path::PathBuf>::into)
    );
    assert_eq!(metadata(&one)["options"]["header_parts"], true);
    assert_undamaged(&survey, &one);
    assert_gives_back(&survey, &one);
    // Traces of two parts.
    let [middle, whole] = ["middle.sgy", "whole.sgy"].map(|name| survey.path(name));
    let of_one_file = survey.import("plain", &[]);
    for (dataset, file) in [(&one, &middle), (&of_one_file, &whole)] {
        let arguments =
            [OsStr::new("export"), "--traces".as_ref(), "65000:131073".as_ref(), dataset.as_ref(), file.as_ref()];
        let exported = run(&arguments);
        assert!(exported.status.success(), "{}", stderr(&exported));
    }
    assert!(std::fs::read(&middle).unwrap() == std::fs::read(&whole).unwrap());
    // The parts are a table of headers for the export too, as whoever changes them in place has it.
    let back = survey.path("back.sgy");
    let arguments = ["export".as_ref(), one.as_os_str(), back.as_ref(), "--overwrite".as_ref(), "--headers".as_ref()];
    let exported = run(&[&arguments[..], &[one.join("headers.parquet").as_ref()]].concat());
    assert!(exported.status.success(), "{}", stderr(&exported));
    assert!(stderr(&exported).contains("0 header values changed"), "{}", stderr(&exported));
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap());
    let mixed = survey.path("mixed");
    std::fs::create_dir(&mixed).unwrap();
    std::fs::copy(one.join("headers.parquet/part-00000.parquet"), mixed.join("a.parquet")).unwrap();
    std::fs::copy(one.join("ensemble_index.parquet"), mixed.join("b.parquet")).unwrap();
    let refused = run(&[&arguments[..], &[mixed.as_ref()]].concat());
    let said = stderr(&refused);
    assert!(refused.status.code() == Some(3) && said.contains("has other columns in"), "{said}");
    let inspected = stdout(&run(&[Path::new("inspect"), &one]));
    assert!(inspected.contains("headers.parquet"), "{inspected}");
}

#[test]
fn a_grid_and_headers_alone_have_parts_too() {
    let survey = Survey::new(&["--traces", "140000", "--samples", "2"]);
    let grid = survey.import("grid", &[PARTS, "--grid", "inline,crossline"]);
    assert_eq!(contents(&grid.join("segy/headers.parquet")).len(), 3);
    assert_undamaged(&survey, &grid);
    assert_gives_back(&survey, &grid);
    let options = [PARTS, "--headers-only", "--segments", "4", "--parallel-threshold", "0"];
    let headers = survey.import("headers", &options);
    assert_same(&headers, &survey.import("again", &[PARTS, "--headers-only"]));
    assert!(verified(&[&headers]).status.success());
}

#[test]
fn one_layout_replaces_the_other() {
    let survey = survey();
    let (file, parts) = (survey.import("file", &[]), survey.import("parts", &[PARTS]));
    for (options, expected) in
        [(&["--overwrite"][..], &file), (&["--overwrite", PARTS], &parts), (&["--overwrite"], &file)]
    {
        assert_same(&survey.import("out", options), expected);
    }
}

#[test]
fn a_segment_that_is_done_is_taken_up_with_its_parts() {
    let survey = survey();
    let expected = survey.import("expected", &[PARTS]);
    let out = survey.path("out");
    let done = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let program = crate::support::program;
    let command = |words: &[&str]| {
        let mut command = std::process::Command::new(program());
        command.args(words);
        command
    };
    done(command(&["plan", "--segments", "3", PARTS]).args([&survey.input, &out]));
    done(command(&["worker"]).arg(&out).args(["--segment", "1"]));
    // Without the option it is another import.
    let mut other = survey.command("out", &["--segments", "3"]);
    assert_eq!(other.output().unwrap().status.code(), Some(4));
    let said = done(&mut survey.command("out", &["--segments", "3", PARTS]));
    assert!(said.contains("1 of 3 segments"), "{said}");
    assert_same(&out, &expected);
}

#[test]
fn a_part_that_is_damaged_missing_or_one_too_many_is_found() {
    let survey = survey();
    let out = survey.import("out", &[PARTS]);
    let table = out.join("headers.parquet");
    let (last, name) = (table.join("part-00002.parquet"), "part-00002.parquet");
    let bytes = std::fs::read(&last).unwrap();
    let refused = || {
        let verified = verified(&[&out]);
        assert_eq!(verified.status.code(), Some(5), "{}", stderr(&verified));
        stderr(&verified)
    };
    let mut changed = bytes.clone();
    changed[1000] ^= 1;
    std::fs::write(&last, changed).unwrap();
    assert!(refused().contains(name));
    std::fs::remove_file(&last).unwrap();
    assert!(refused().contains("part-00002.parquet: is missing"));
    let exported = run(&[Path::new("export"), &out, &survey.path("back.sgy")]);
    assert!(!exported.status.success() && stderr(&exported).contains(name), "{}", stderr(&exported));
    // Another part with as many rows as it should have, but of other traces.
    std::fs::copy(table.join("part-00000.parquet"), table.join("part-00001.parquet")).unwrap();
    std::fs::write(&last, &bytes).unwrap();
    assert!(refused().contains("part-00001.parquet"));
    let out = survey.import("out", &[PARTS, "--overwrite"]);
    assert!(verified(&[&out]).status.success());
    std::fs::write(table.join("part-00003.parquet"), &bytes).unwrap();
    assert!(refused().contains("part-00003.parquet"));
}

#[test]
fn readers_of_parquet_take_the_parts_for_one_table() {
    let Some(python) = python::interpreter() else { return };
    let survey = survey();
    let (file, parts) = (survey.import("file", &[]), survey.import("parts", &[PARTS]));
    let script = python::scripts().join("check_header_parts.py");
    let said = python::run(python, &[script.as_ref(), file.as_ref(), parts.as_ref()]);
    assert!(said.contains("4 readers agree"), "{said}");
}

/// Spark takes the middle of a row group, counted from its first column, to find the part of a file that has it, and loses rows
/// whose middle lies beyond the end.
#[test]
fn a_row_group_begins_with_its_first_column_and_its_middle_lies_in_the_file() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "70000", "--samples", "2"]);
    for (name, options) in [("one", &[][..]), ("parts", &["--header-parts"]), ("plain", &["--no-raw-header"])] {
        let table = survey.import(name, options).join("headers.parquet");
        let files = if table.is_dir() {
            std::fs::read_dir(&table).unwrap().map(|f| f.unwrap().path()).collect()
        } else {
            vec![table]
        };
        for path in files {
            let file = std::fs::File::open(&path).unwrap();
            let metadata = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
            let length = file.metadata().unwrap().len() as i64;
            for (number, group) in metadata.row_groups().iter().enumerate() {
                let start = |column: &parquet::file::metadata::ColumnChunkMetaData| {
                    column.dictionary_page_offset().unwrap_or(column.data_page_offset())
                };
                let first = start(group.column(0));
                assert!(group.columns().iter().all(|column| start(column) >= first), "{path:?}");
                assert!(group.file_offset() == Some(first) && (number > 0 || first == 4), "{path:?}: {first}");
                // The numbers of the gathers lie after all row groups, and count as part of each.
                assert!(first + group.compressed_size() / 2 < length, "{path:?}");
            }
        }
    }
}

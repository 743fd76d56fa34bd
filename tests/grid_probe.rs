//! Grids that are planned from the headers of a few traces, and what happens where the others say something else.

use std::path::{Path, PathBuf};

use crate::support::volumes::{GRID, MANY, arranged, gives_back, import, imported};
use crate::support::{Survey, assert_same, run, stderr};

/// 20 × 20 traces: each line is whole.
fn volume() -> Survey {
    Survey::new(&["--kind", "poststack", "--traces", "400", "--samples", "50"])
}

const NOT_AS_PROBED: &str = "reading all of them first";

/// The dataset of a plan for others, for which all headers are read.
fn scanned(survey: &Survey, input: &Path, name: &str, options: &[&str]) -> PathBuf {
    let out = survey.path(name);
    let (file, dataset) = (input.to_str().unwrap(), out.to_str().unwrap());
    let steps = [
        &[&["plan", file, dataset, "--no-sync", "--segments", "2"], &GRID[..], options].concat()[..],
        &["worker", dataset, "--segment", "0"],
        &["worker", dataset, "--segment", "1"],
        &["merge", dataset],
    ];
    for step in steps {
        let output = run(step);
        assert!(output.status.success(), "{step:?}: {}", stderr(&output));
    }
    out
}

fn put(header: &mut [u8], first_byte: usize, bytes: &[u8]) {
    header[first_byte - 1..first_byte - 1 + bytes.len()].copy_from_slice(bytes);
}

#[test]
fn sorted_volumes_are_the_same_as_if_all_headers_had_been_read() {
    let survey = volume();
    let by_crossline = arranged(&survey, "by_crossline.sgy", |traces| {
        traces.sort_by_key(|trace| [trace[192..196].to_vec(), trace[188..192].to_vec()].concat());
    });
    let descending = arranged(&survey, "descending.sgy", |traces| traces.reverse());
    // Every third inline is missing, so that a filled axis has holes.
    let gaps = arranged(&survey, "gaps.sgy", |traces| {
        traces.retain(|trace| i32::from_be_bytes(trace[188..192].try_into().unwrap()) % 3 > 0);
    });
    let shards = ["--brick", "3,4,20", "--shard", "6,8,all"];
    let cases: [(&Path, &[&str]); 7] = [
        (&survey.input, &[]),
        (&by_crossline, &[]),
        (&descending, &[]),
        (&by_crossline, &["--axes", "file"]),
        (&descending, &["--axes", "file", "--brick", "3,4,20"]),
        (&gaps, &["--fill-axes", "inline", "--brick", "1,4,20"]),
        (&gaps, &[&shards[..], &["--fill-axes", "inline"]].concat()),
    ];
    for (i, (input, options)) in cases.into_iter().enumerate() {
        let expected = scanned(&survey, input, &format!("scanned_{i}"), options);
        for (j, workers) in [&[][..], &MANY].into_iter().enumerate() {
            let out = survey.path(&format!("probed_{i}_{j}"));
            let output = import(input, &out, &[&GRID[..], options, workers].concat());
            assert!(output.status.success() && !stderr(&output).contains(NOT_AS_PROBED), "{}", stderr(&output));
            assert_same(&out, &expected);
        }
        gives_back(&expected, input);
    }
}

#[test]
fn headers_that_contradict_the_few_are_all_read_before_the_import_begins_again() {
    let survey = volume();
    type Change = fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change); 3] = [
        ("swapped", |traces| traces.swap(103, 104)),
        ("last_bytes", |traces| put(&mut traces[150], 235, &[7])),
        ("elsewhere", |traces| put(&mut traces[205], 189, &9999_i32.to_be_bytes())),
    ];
    for (name, change) in changes {
        let input = arranged(&survey, &format!("{name}.sgy"), change);
        let expected = scanned(&survey, &input, &format!("{name}_scanned"), &[]);
        for (j, options) in [&[][..], &MANY].into_iter().enumerate() {
            let out = survey.path(&format!("{name}_{j}"));
            let output = import(&input, &out, &[&GRID[..], options].concat());
            assert!(output.status.success() && stderr(&output).contains(NOT_AS_PROBED), "{}", stderr(&output));
            assert_same(&out, &expected);
            gives_back(&out, &input);
        }
    }
}

#[test]
fn a_duplicate_among_headers_that_were_not_looked_at_is_refused_and_nothing_is_left() {
    let survey = volume();
    let input = arranged(&survey, "twice.sgy", |traces| traces[104] = traces[103].clone());
    let out = survey.path("twice");
    let output = import(&input, &out, &GRID);
    assert!(output.status.code() == Some(3) && stderr(&output).contains("traces 104 and 105"), "{}", stderr(&output));
    assert!(!out.try_exists().unwrap());
    imported(&input, &out, &[&GRID[..], &["--duplicates", "aside"]].concat());
    gives_back(&out, &input);
}

//! Datasets that other programs have written in since the import: what export makes of them, and what it refuses.

use std::path::Path;

use serde_json::{Value, json};

use crate::crops::{CUT, FILE_HEADER, FLAT, GRID, HEADER, exported, traces, volume};
use crate::support::volumes::imported;
use crate::support::{run, stderr};

/// What an export says that ends with this code, with nothing written.
fn refused(out: &Path, code: i32, options: &[&str]) -> String {
    let back = out.with_file_name("refused.sgy");
    let output = run(&[&["export", out.to_str().unwrap(), back.to_str().unwrap()], options].concat());
    assert_eq!(output.status.code(), Some(code), "{options:?}: {}", stderr(&output));
    assert!(!back.exists());
    stderr(&output)
}

fn copied(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[test]
fn a_header_table_that_is_written_anew_is_not_read_for_the_headers() {
    let survey = volume("1");
    let reversed = survey.path("reversed.sgy");
    let bytes = std::fs::read(&survey.input).unwrap();
    let mut all: Vec<&[u8]> = traces(&bytes).collect();
    all.reverse();
    std::fs::write(&reversed, [&bytes[..FILE_HEADER], &all.concat()].concat()).unwrap();
    for (options, table) in [
        (FLAT, "headers.parquet"),
        (&["--header-parts"], "headers.parquet/part-00000.parquet"),
        (GRID, "segy/headers.parquet"),
    ] {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        let other = survey.path("other");
        imported(&reversed, &other, &[options, &["--overwrite"]].concat());
        let (own, others) = (out.join(table), other.join(table));
        let length = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert_ne!(length(&own), length(&others), "the test needs tables of other lengths");
        let kept = survey.path("kept.parquet");
        copied(&own, &kept);
        copied(&others, &own);
        for options in [&[][..], &["--unedited"], &["--where", "inline == 3"]] {
            let why = refused(&out, 5, options);
            assert!(why.contains(table) && why.contains("not the table that the import wrote"), "{why}");
            assert!(why.contains("--headers"), "{why}");
        }
        std::fs::remove_file(&own).unwrap();
        assert!(refused(&out, 5, &[]).contains("it is missing"));
        copied(&kept, &own);
        assert!(exported(&out, &["--unedited"]).0 == bytes);
    }
}

/// Changes a JSON document.
fn change(path: &Path, change: impl Fn(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut document);
    std::fs::write(path, document.to_string()).unwrap();
}

#[test]
fn an_array_that_is_declared_anew_is_not_read_as_the_one_that_was_imported() {
    let survey = volume("1");
    let bytes = std::fs::read(&survey.input).unwrap();
    for (options, array) in [(FLAT, "traces.zarr"), (CUT, "traces.zarr"), (GRID, "amplitude"), (GRID, "trace_index")] {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        let path = out.join(array).join("zarr.json");
        let changes: [&dyn Fn(&mut Value); 4] = [
            &|document| document["shape"][0] = json!(30),
            &|document| document["chunk_grid"]["configuration"]["chunk_shape"][1] = json!(5),
            &|document| document["codecs"] = json!([{"name": "bytes", "configuration": {"endian": "little"}}]),
            &|document| document["data_type"] = json!("uint32"),
        ];
        let kept = std::fs::read(&path).unwrap();
        for made in changes {
            change(&path, made);
            let why = refused(&out, 5, &[]);
            assert!(
                why.contains(array) && why.contains("does not describe the array") && why.contains("--samples"),
                "{why}"
            );
            std::fs::write(&path, &kept).unwrap();
        }
        change(&path, |document| document["attributes"]["comment"] = json!("mine"));
        assert!(exported(&out, &[]).0 == bytes, "{array}");
        std::fs::remove_file(&path).unwrap();
        assert!(refused(&out, 5, &[]).contains("it is missing"));
    }
}

#[test]
fn chunks_that_are_missing_are_a_loss_unless_it_is_said_that_they_were_filled() {
    let survey = volume("5");
    let bytes = std::fs::read(&survey.input).unwrap();
    let sharded = ["--chunk-traces", "10", "--shard", "3"];
    // The second chunk or brick along the traces, and what is there instead: traces 38 to 74, 31 to 60, crosslines 7 to 12 of inlines 1 to 7.
    type IsIn<'a> = &'a dyn Fn(usize) -> bool;
    let cases: [(&[&str], &str, IsIn, f32); 3] = [
        (FLAT, "traces.zarr/c/0/1", &|trace| (37..74).contains(&trace), 0.0),
        (&sharded, "traces.zarr/c/0/1", &|trace| (30..60).contains(&trace), 0.0),
        (GRID, "amplitude/c/0/1/0", &|trace| trace / 17 < 7 && (6..12).contains(&(trace % 17)), f32::NAN),
    ];
    for (options, chunk, is_in, value) in cases {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        std::fs::remove_file(out.join(chunk)).unwrap();
        let why = refused(&out, 5, &[]);
        assert!(why.contains(chunk) && why.contains("it is missing") && why.contains("--fill-missing"), "{why}");
        let (found, said) = exported(&out, &["--fill-missing"]);
        assert!(said.contains("hold other samples") || said.contains("not those that were written"), "{said}");
        let n_filled = if chunk.starts_with("amplitude") { 16 } else { 50 };
        for (i, (found, before)) in traces(&found).zip(traces(&bytes)).enumerate() {
            assert_eq!(found[..HEADER], before[..HEADER]);
            let n = if is_in(i) { n_filled } else { 0 };
            let filled = found[HEADER..].as_chunks().0.iter().take(n).map(|word| f32::from_be_bytes(*word));
            assert!(
                filled.clone().all(|v| v.to_bits() == value.to_bits()),
                "trace {i}: {:?}",
                filled.collect::<Vec<_>>()
            );
            assert!(found[HEADER + 4 * n..] == before[HEADER + 4 * n..], "trace {i}");
        }
        assert!(refused(&out, 2, &["--fill-missing", "--unedited"]).contains("--unedited"));
    }
}

#[test]
fn a_directory_in_the_place_of_a_chunk_and_missing_sums_are_damage() {
    let survey = volume("1");
    let out = survey.import("out", FLAT);
    let chunk = out.join("traces.zarr/c/0/2");
    let kept = std::fs::read(&chunk).unwrap();
    std::fs::remove_file(&chunk).unwrap();
    std::fs::create_dir(&chunk).unwrap();
    assert!(refused(&out, 5, &[]).contains("is not a regular file"));
    std::fs::remove_dir(&chunk).unwrap();
    std::fs::write(&chunk, kept).unwrap();
    let sums = out.join("traces.crc32c");
    let bytes = std::fs::read(&sums).unwrap();
    std::fs::write(&sums, &bytes[..bytes.len() - 1]).unwrap();
    assert!(refused(&out, 5, &[]).contains("checksum for each chunk"));
    std::fs::remove_file(&sums).unwrap();
    assert!(refused(&out, 5, &[]).contains("is missing"));
}

#[test]
fn a_table_with_a_byte_that_is_wrong_gives_no_other_file() {
    let survey = volume("1");
    let out = survey.import("out", FLAT);
    let (table, back) = (out.join("headers.parquet"), survey.path("back.sgy"));
    let (whole, bytes) = (std::fs::read(&table).unwrap(), std::fs::read(&survey.input).unwrap());
    let mut n_refused = 0;
    for at in (4..whole.len()).step_by(whole.len() / 40) {
        let mut wrong = whole.clone();
        wrong[at] ^= 0x24;
        std::fs::write(&table, wrong).unwrap();
        let output = run(&["export", out.to_str().unwrap(), back.to_str().unwrap(), "--overwrite", "--no-sync"]);
        match output.status.code() {
            Some(0) => assert!(std::fs::read(&back).unwrap() == bytes, "byte {at}"),
            code => {
                assert_eq!((code, stderr(&output).lines().count()), (Some(5), 1), "byte {at}: {}", stderr(&output));
                assert!(!stderr(&output).contains("panicked"), "byte {at}: {}", stderr(&output));
                n_refused += 1;
            }
        }
    }
    assert!(n_refused > 5, "{n_refused}");
}

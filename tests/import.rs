//! Imports from end to end: the parts that the predecessor tested, and the promises of the design.

use std::process::Command;

use serde_json::Value;

use crate::support::{Survey, assert_same, contents, program, stderr, stdout};

const MULTIPLE: [&str; 2] = ["--parallel-threshold", "0"];

fn metadata(out: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("metadata.json")).unwrap()).unwrap()
}

#[test]
fn the_partitioner_cuts_at_gathers_into_equal_segments() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "40000", "--samples", "4"]);
    let output = survey.command("out", &["--dry-run", "--progress", "json", "--segments", "7"]).output().unwrap();
    assert!(!survey.path("out").exists());
    let plan: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let bytes = std::fs::read(&survey.input).unwrap();
    let cdp = |trace: u64| bytes[3600 + trace as usize * 256 + 20..][..4].to_vec();
    let mut expected = 0;
    for segment in plan["segments"].as_array().unwrap() {
        let (start, end) = (segment["start_trace"].as_u64().unwrap(), segment["end_trace"].as_u64().unwrap());
        assert_eq!(start, expected);
        assert!(start == 0 || cdp(start) != cdp(start - 1), "trace {start} begins no gather");
        assert!((end - start).abs_diff(40_000 / 7) <= 60, "{segment}");
        expected = end;
    }
    assert_eq!(expected, 40_000);
}

#[test]
fn a_single_worker_converts_its_segment_and_says_so_in_json() {
    let survey = Survey::new(&["--traces", "5000", "--samples", "20"]);
    let plan = survey.command("out", &["--dry-run", "--progress", "json", "--segments", "2", "--chunk-traces", "100"]);
    let plan = { plan }.output().unwrap().stdout;
    std::fs::write(survey.path("plan.json"), plan).unwrap();
    let mut worker = Command::new(program());
    worker.args(["worker", "--segment", "1", "--plan"]).arg(survey.path("plan.json"));
    // An open standard input tells the worker that its coordinator lives.
    let mut child = worker.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let lines: Vec<Value> = stdout(&output).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.first().unwrap()["type"], "started");
    let done = lines.last().unwrap();
    assert_eq!(
        (done["type"].as_str(), done["segment"].as_u64(), done["n_traces"].as_u64()),
        (Some("done"), Some(1), Some(2500))
    );
    let segment = survey.path("segment_1");
    let chunks = contents(&segment.join("traces.zarr/c/0"));
    assert_eq!(chunks.len(), 25);
    assert!(chunks.contains_key(std::path::Path::new("25")), "chunks keep the keys of the final array");
    assert!(segment.join("headers.parquet").exists() && segment.join("segment.json").exists());
}

#[test]
fn the_output_is_the_same_for_any_number_of_workers_and_in_one_process() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "150000", "--samples", "12"]);
    let gather = ["--gather", "field_record"];
    let reference = survey.import("small", &[&gather[..], &["--parallel-threshold", "1000000"]].concat());
    for n in ["1", "2", "3", "7"] {
        let options = [&gather[..], &["--workers", n, "--segments", n], &MULTIPLE].concat();
        let output = survey.command(n, &options).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_same(&reference, &survey.path(n));
    }
    let again = survey.import("again", &[&gather[..], &["--segments", "5", "--io", "pread"], &MULTIPLE].concat());
    assert_same(&reference, &again);
}

#[test]
fn shards_and_chunks_along_the_samples_are_the_same_for_any_number_of_workers() {
    let survey = Survey::new(&["--traces", "61", "--samples", "300000"]);
    let whole = ["--chunk-traces", "3"];
    let sharded = ["--chunk-traces", "3", "--shard", "4", "--order", "trace-sample"];
    for (name, options) in [("whole", &whole[..]), ("sharded", &sharded)] {
        // Segments are then cut evenly.
        let options = [options, &["--gather", "none"]].concat();
        let one = survey.import(name, &options);
        let five = survey.import(&format!("{name}-5"), &[&options[..], &["--segments", "5"], &MULTIPLE].concat());
        let (one, five) = (contents(&one), contents(&five));
        assert!(one == five, "{name}");
    }
}

#[test]
fn the_merger_leaves_the_named_outputs_and_nothing_else() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", "10"]);
    let options = [&["--segments", "3", "--chunk-traces", "70", "--coords", "offset,cdp"], &MULTIPLE[..]].concat();
    let out = survey.import("out", &options);
    let mut names: Vec<String> =
        std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "cdp",
            "ensemble_index.parquet",
            "headers.parquet",
            "metadata.json",
            "offset",
            "sample",
            "traces.crc32c",
            "traces.zarr",
            "zarr.json"
        ]
    );
    assert_eq!(contents(&out.join("traces.zarr/c/0")).len(), 3000usize.div_ceil(70));
    let metadata = metadata(&out);
    assert_eq!(metadata["counts"]["n_traces"], 3000);
    assert!(metadata["gathers"]["n_gathers"].as_u64().unwrap() > 50);
}

#[test]
fn a_small_file_is_converted_without_workers() {
    let survey = Survey::new(&["--traces", "100", "--samples", "10"]);
    let mut command = survey.command("out", &[]);
    let output = command.output().unwrap();
    assert!(output.status.success());
    assert_eq!(metadata(&survey.path("out"))["gathers"]["n_gathers"], 10);
    // One above the threshold goes to a worker process, which reports itself in the progress.
    let output = survey.command("out2", &["--parallel-threshold", "99", "--progress", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_same(&survey.path("out"), &survey.path("out2"));
}

#[test]
fn json_progress_tells_phase_traces_workers_and_times() {
    let survey = Survey::new(&["--traces", "30000", "--samples", "500"]);
    let options = [&["--progress", "json", "--codec", "gzip:9", "--workers", "2"], &MULTIPLE[..]].concat();
    let output = survey.command("out", &options).output().unwrap();
    let lines: Vec<Value> = stdout(&output).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let phases: Vec<&str> = lines.iter().filter_map(|l| l["phase"].as_str()).collect();
    for phase in ["partitioning", "importing", "merging"] {
        assert!(phases.contains(&phase), "{phase}");
    }
    let working = lines.iter().find(|l| l["eta_s"].is_number() && l["active_workers"] != 0).unwrap();
    assert_eq!(working["total_traces"], 30_000);
    assert!(working["current_traces"].as_u64().unwrap() > 0);
    assert!((1..=2).contains(&working["active_workers"].as_u64().unwrap()), "{working}");
    assert!(working["elapsed_s"].as_f64().unwrap() > 0.0);
    let counts: Vec<u64> =
        lines.iter().filter(|l| l["phase"] == "importing").filter_map(|l| l["current_traces"].as_u64()).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    let done = lines.last().unwrap();
    assert_eq!((done["type"].as_str(), done["n_traces"].as_u64()), (Some("done"), Some(30_000)));
}

#[test]
fn without_a_terminal_there_are_plain_lines_and_no_bar() {
    let survey = Survey::new(&["--traces", "200", "--samples", "5"]);
    for (name, mode, n_lines) in [("out", "auto", 1), ("plain", "plain", 3)] {
        let output = survey.command(name, &["--progress", mode]).output().unwrap();
        assert!(stderr(&output).lines().count() >= n_lines, "{}", stderr(&output));
        assert_eq!(stderr(&output).contains("importing: 200 traces"), mode == "plain", "{}", stderr(&output));
        assert!(!stderr(&output).contains('\r') && !stderr(&output).contains('\u{1b}'));
    }
    let quiet = survey.command("quiet", &["--progress", "none"]).output().unwrap();
    assert_eq!((stderr(&quiet), stdout(&quiet)), (String::new(), String::new()));
}

#[test]
fn the_library_converts_without_the_program() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "5000", "--samples", "8"]);
    let mut config = segy_import::ImportConfig::new(&survey.input, survey.path("library"));
    config.parallel_threshold = (0, 0);
    config.segments = Some(4);
    let mut phases = Vec::new();
    let cancel = segy_import::CancelHandle::new();
    let result = segy_import::import(&config, &mut |p| phases.push(p.phase), &cancel).unwrap();
    phases.dedup();
    assert_eq!((result.n_traces, phases.len()), (5000, 4));
    assert_same(&survey.import("program", &[]), &survey.path("library"));
    assert_eq!(metadata(&survey.path("library"))["gathers"]["n_gathers"], result.n_gathers);
}

#[test]
fn the_library_can_be_cancelled_and_leaves_nothing() {
    let survey = Survey::new(&["--traces", "20000", "--samples", "100"]);
    let config = segy_import::ImportConfig::new(&survey.input, survey.path("deep/out"));
    let cancel = segy_import::CancelHandle::new();
    let result = segy_import::import(&config, &mut |_| cancel.cancel(), &cancel);
    assert!(matches!(result, Err(segy_import::Error::Cancelled { .. })), "{result:?}");
    assert!(!survey.path("deep").exists());
}

fn table(dataset: &std::path::Path) -> arrow::record_batch::RecordBatch {
    let file = std::fs::File::open(dataset.join("headers.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = reader.build().unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[test]
fn headers_alone_are_those_of_the_whole_import() {
    // The traces of the second survey lie so far apart that their headers are read one by one.
    for samples in ["30", "3000"] {
        let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", samples]);
        let whole = survey.import("whole", &[]);
        for (out, options) in [("one", vec![]), ("several", [&MULTIPLE[..], &["--segments", "3"]].concat())] {
            let headers = survey.import(out, &[&["--headers-only"], &options[..]].concat());
            let files = contents(&headers);
            let names: Vec<&str> = files.keys().map(|p| p.to_str().unwrap()).collect();
            assert_eq!(names, ["ensemble_index.parquet", "headers.parquet", "metadata.json"]);
            let index = "ensemble_index.parquet";
            assert_eq!(std::fs::read(headers.join(index)).unwrap(), std::fs::read(whole.join(index)).unwrap());
            let (found, expected) = (table(&headers), table(&whole));
            assert!(found.schema().index_of("is_zero").is_err(), "only the samples tell");
            for field in found.schema().fields() {
                assert_eq!(
                    found.column_by_name(field.name()),
                    expected.column_by_name(field.name()),
                    "{}",
                    field.name()
                );
            }
            assert_eq!(found.num_columns() + 2, expected.num_columns());
            assert!(Command::new(program()).arg("verify").arg(&headers).output().unwrap().status.success());
            let export =
                Command::new(program()).arg("export").arg(&headers).arg(survey.path("back.sgy")).output().unwrap();
            assert_eq!(export.status.code(), Some(2));
            assert!(stderr(&export).contains("--headers-only"), "{}", stderr(&export));
        }
        // Replacing a whole dataset removes what the new one has not.
        let replaced = survey.import("whole", &["--headers-only", "--overwrite"]);
        assert_same(&replaced, &survey.path("one"));
    }
}

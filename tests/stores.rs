//! Object stores: SEG-Y files and datasets in a real S3 server on the loopback, with requests that fail and workers that are
//! killed. What is there has the bytes of a local run.

use std::path::Path;
use std::process::Command;

use crate::support::stores::{Bucket, KEY_ID, SECRET};
use crate::support::{Survey, assert_same, children_of, contents, python, signal, stderr, wait_for, wait_until};

/// Small chunks and several processes, however small the file is.
const MANY: [&str; 6] = ["--parallel-threshold", "0", "--segments", "4", "--chunk-traces", "250"];

fn survey() -> Survey {
    Survey::new(&["--kind", "prestack", "--traces", "4000", "--samples", "400"])
}

/// The arguments of an import, without synchronising.
fn import(from: &Path, to: &Path, options: &[&str]) -> Vec<String> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let options = options.iter().map(|&o| o.to_owned());
    [text(from), text(to), "--no-sync".to_owned()].into_iter().chain(options).collect()
}

#[test]
fn a_file_in_a_store_is_imported_inspected_and_compared_as_a_local_one() {
    let Some(bucket) = Bucket::new("reading") else { return };
    let survey = survey();
    bucket.put(&survey.input, "lines/in.sgy");
    let url = bucket.url("lines/in.sgy");
    for (name, options) in [("many", &MANY[..]), ("one", &[]), ("headers", &["--headers-only"])] {
        let local = survey.import(&format!("local_{name}"), options);
        let from_store = survey.path(&format!("remote_{name}"));
        bucket.run(&import(&url, &from_store, options));
        assert_same(&local, &from_store);
    }
    let report = |place: &Path| {
        let output = bucket.run(&["inspect", place.to_str().unwrap(), "--scan", "--json"]);
        let mut report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["input"].take();
        let command = report["grid"]["command"].take();
        assert!(command.as_str().is_some_and(|command| command.contains(place.to_str().unwrap())), "{command}");
        report
    };
    assert_eq!(report(&url), report(&survey.input));
    bucket.run(&["verify", url.to_str().unwrap(), survey.path("local_many").to_str().unwrap()]);
}

#[test]
fn a_file_is_read_in_few_requests() {
    let Some(bucket) = Bucket::new("counting") else { return };
    let survey = Survey::new(&["--traces", "20000", "--samples", "500"]);
    bucket.put(&survey.input, "in.sgy");
    let bucket = bucket.with_faults(&[]);
    bucket.run(&import(&bucket.url("in.sgy"), &survey.path("out"), &["--workers", "1", "--parallel-threshold", "0"]));
    // Some 270 for the plan, which looks at headers and samples here and there; then 8 MiB each of 45 MB.
    let n = bucket.counts()["GET"];
    assert!((10..300).contains(&n), "{n}");
}

#[test]
fn an_export_to_a_store_has_the_bytes_of_the_file_and_replaces_only_when_asked() {
    let Some(bucket) = Bucket::new("exporting") else { return };
    // Long enough for several parts of a multipart upload; the second has traces that are cut along the samples.
    for (name, kind) in [("short", ["4000", "1500", "5"]), ("long", ["40", "300000", "1"])] {
        let [traces, samples, format] = kind;
        let survey = Survey::new(&["--traces", traces, "--samples", samples, "--format", format]);
        let out = survey.import("out", &[]);
        let url = bucket.url(&format!("{name}/back.sgy"));
        let arguments = ["export", out.to_str().unwrap(), url.to_str().unwrap(), "--progress", "none"];
        bucket.run(&arguments);
        let again = bucket.refused(&arguments, 4);
        assert!(again.contains("already exists; --overwrite"), "{again}");
        bucket.run(&[&arguments[..], &["--overwrite"]].concat());
        bucket.get_all(name, &survey.path("back"));
        assert!(std::fs::read(survey.path("back/back.sgy")).unwrap() == std::fs::read(&survey.input).unwrap());
        bucket.run(&["verify", url.to_str().unwrap(), out.to_str().unwrap()]);
    }
    assert_eq!(bucket.n_open_uploads(), 0);
}

#[test]
fn several_files_come_from_a_store_and_go_back_to_it() {
    let Some(bucket) = Bucket::new("several") else { return };
    let surveys = [survey(), Survey::new(&["--traces", "300", "--samples", "400"])];
    let names = ["one.sgy", "two.sgy"];
    for (survey, name) in surveys.iter().zip(names) {
        bucket.put(&survey.input, &format!("lines/{name}"));
    }
    let places = [bucket.url("lines/one.sgy"), bucket.url("lines/two.sgy"), bucket.url("out"), bucket.url("back")];
    let [one, two, out, back] = places.each_ref().map(|place| place.to_str().unwrap());
    bucket.run(&[&[one, two, out], &MANY[..]].concat());
    bucket.run(&["verify", one, two, out]);
    bucket.run(&["export", out, back]);
    bucket.refused(&["export", out, back], 4);
    let copy = surveys[0].path("back");
    bucket.get_all("back", &copy);
    for (survey, name) in surveys.iter().zip(names) {
        assert!(std::fs::read(copy.join(name)).unwrap() == std::fs::read(&survey.input).unwrap(), "{name}");
    }
}

#[test]
fn samples_of_an_array_in_a_store_go_back_to_it() {
    let Some(bucket) = Bucket::new("samples") else { return };
    let survey = Survey::new(&["--kind", "poststack", "--traces", "400", "--samples", "300"]);
    let (out, back) = (bucket.url("out"), bucket.url("back/back.sgy"));
    bucket.run(&import(&survey.input, &out, &["--grid", "inline,crossline", "--brick", "7,7,64", "--shard"]));
    let array = out.join("amplitude");
    let [out, back, array] = [&out, &back, &array].map(|place| place.to_str().unwrap());
    bucket.run(&["export", out, back, "--samples", array]);
    bucket.get_all("back", &survey.path("back"));
    assert!(std::fs::read(survey.path("back/back.sgy")).unwrap() == std::fs::read(&survey.input).unwrap());
    let missing = bucket.refused(&["export", out, back, "--samples", &format!("{out}/nothing"), "--overwrite"], 3);
    assert!(missing.contains("nothing: is no array"), "{missing}");
}

/// What a local import makes and what an import into the store makes, with these options, and the prefix of the latter.
fn both(bucket: &Bucket, survey: &Survey, name: &str, options: &[&str]) {
    let local = survey.import(&format!("local_{name}"), options);
    bucket.run(&import(&survey.input, &bucket.url(name), options));
    assert_same_objects(bucket, survey, name, &local);
}

/// The objects below a prefix are the files of a local dataset, and nothing else is there.
fn assert_same_objects(bucket: &Bucket, survey: &Survey, name: &str, local: &Path) {
    let copy = survey.path(&format!("copy_{name}"));
    let _ = std::fs::remove_dir_all(&copy);
    bucket.get_all(name, &copy);
    assert_same(local, &copy);
}

#[test]
fn a_dataset_in_a_store_has_the_bytes_of_a_local_one() {
    let Some(bucket) = Bucket::new("writing") else { return };
    let survey = survey();
    both(&bucket, &survey, "many", &MANY);
    both(&bucket, &survey, "one", &["--verify"]);
    both(&bucket, &survey, "shards", &[&MANY[..], &["--shard", "3", "--codec", "none"]].concat());
    both(&bucket, &survey, "trace_sample", &[&MANY[..], &["--order", "trace-sample"]].concat());
    both(&bucket, &survey, "headers", &["--headers-only"]);
    let long = Survey::new(&["--traces", "30", "--samples", "600000", "--format", "3"]);
    both(&bucket, &long, "long", &["--parallel-threshold", "0", "--segments", "2", "--verify"]);
    assert_eq!(bucket.n_open_uploads(), 0);
}

#[test]
fn a_grid_in_a_store_has_the_bytes_of_a_local_one_and_comes_back() {
    let Some(bucket) = Bucket::new("grids") else { return };
    let lines = ["--inlines", "1:40", "--crosslines", "1:50", "--samples", "200"];
    let survey = Survey::new(&[&lines[..], &["--hole", "30", "--duplicate", "7"]].concat());
    let options = ["--grid", "inline,crossline", "--duplicates", "aside", "--brick", "8,8,64", "--segments", "3"];
    let options = [&options[..], &["--parallel-threshold", "0"]].concat();
    both(&bucket, &survey, "bricks", &options);
    both(&bucket, &survey, "shards", &[&options[..], &["--shard"]].concat());
    let (url, input, back) = (bucket.url("bricks"), survey.input.to_str().unwrap(), survey.path("back.sgy"));
    let (url, back) = (url.to_str().unwrap(), back.to_str().unwrap());
    bucket.run(&["verify", url]);
    bucket.run(&["verify", input, url]);
    bucket.run(&["export", url, back]);
    assert!(std::fs::read(back).unwrap() == std::fs::read(input).unwrap());
    // What was there goes, whichever layout follows.
    let flat = survey.import("flat", &[]);
    bucket.run(&import(&survey.input, &bucket.url("bricks"), &["--overwrite"]));
    assert_same_objects(&bucket, &survey, "bricks", &flat);
    assert_eq!(bucket.n_open_uploads(), 0);
}

#[test]
fn a_part_is_taken_from_a_store_into_it_and_given_back_there() {
    let Some(bucket) = Bucket::new("selections") else { return };
    let survey = Survey::new(&["--inlines", "1:20", "--crosslines", "1:30", "--samples", "100"]);
    bucket.put(&survey.input, "in.sgy");
    let (url, some) =
        (bucket.url("in.sgy"), ["--inlines", "3:12", "--where", "mod(crossline, 2) == 0", "--times", "40:"]);
    let grid = ["--grid", "inline,crossline", "--brick", "4,4,32", "--parallel-threshold", "0", "--segments", "3"];
    for (name, options) in [("cube", &grid[..]), ("lines", &MANY)] {
        let options = [options, &some].concat();
        let local = survey.import(name, &options);
        bucket.run(&import(&url, &bucket.url(name), &options));
        assert_same_objects(&bucket, &survey, name, &local);
        let part = bucket.url(name);
        let [part, source] = [&part, &url].map(|place| place.to_str().unwrap());
        bucket.run(&["verify", source, part]);
        let (back, here) = (bucket.url(&format!("back/{name}.sgy")), survey.path(&format!("{name}.sgy")));
        bucket.run(&["export", part, back.to_str().unwrap()]);
        bucket.run(&["export", local.to_str().unwrap(), here.to_str().unwrap()]);
        bucket.get_all("back", &survey.path("back"));
        assert!(std::fs::read(survey.path(&format!("back/{name}.sgy"))).unwrap() == std::fs::read(here).unwrap());
    }
}

#[test]
fn a_header_table_in_parts_has_the_bytes_of_a_local_one_and_takes_turns_with_one_file() {
    let Some(bucket) = Bucket::new("tables") else { return };
    let survey = Survey::new(&["--traces", "140000", "--samples", "2"]);
    both(&bucket, &survey, "out", &["--header-parts", "--segments", "3", "--parallel-threshold", "0"]);
    let out = bucket.url("out");
    bucket.run(&["verify", out.to_str().unwrap()]);
    for (name, options) in [("file", &["--overwrite"][..]), ("parts", &["--overwrite", "--header-parts"])] {
        bucket.run(&import(&survey.input, &out, options));
        assert_same_objects(&bucket, &survey, "out", &survey.import(name, options));
    }
}

#[test]
fn a_dataset_in_a_store_is_verified_exported_and_read() {
    let Some(bucket) = Bucket::new("usage") else { return };
    let survey = survey();
    bucket.put(&survey.input, "in.sgy");
    let (input, out) = (bucket.url("in.sgy"), bucket.url("out"));
    bucket.run(&import(&input, &out, &MANY));
    let (input, out) = (input.to_str().unwrap(), out.to_str().unwrap());
    bucket.run(&["verify", out]);
    bucket.run(&["verify", input, out]);
    bucket.run(&["verify", survey.input.to_str().unwrap(), out]);
    let back = survey.path("back.sgy");
    bucket.run(&["export", out, back.to_str().unwrap()]);
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&survey.input).unwrap());
    let local = survey.import("local", &MANY);
    let expected = python::run(
        python::interpreter_with_stores().unwrap(),
        &[python::scripts().join("bucket.py").as_ref(), "read_local".as_ref(), "-".as_ref(), local.as_os_str()],
    );
    assert_eq!(bucket.read_with_python("out"), expected);
    bucket.remove("out/traces.zarr/c/0/3");
    let missing = bucket.refused(&["verify", out], 5);
    assert!(missing.contains("traces.zarr/c/0/3: is damaged: it is missing"), "{missing}");
}

#[test]
fn what_is_in_the_way_is_refused_and_replaced_when_asked() {
    let Some(bucket) = Bucket::new("in-the-way") else { return };
    let survey = survey();
    let out = bucket.url("out");
    bucket.run(&import(&survey.input, &out, &["--chunk-traces", "100"]));
    let there = bucket.refused(&import(&survey.input, &out, &MANY), 4);
    assert!(there.contains("holds a dataset; --overwrite replaces it"), "{there}");
    // Of the old chunks, which were more, none is left.
    let options = [&MANY[..], &["--overwrite"]].concat();
    bucket.run(&import(&survey.input, &out, &options));
    assert_same_objects(&bucket, &survey, "out", &survey.import("local", &MANY));
    bucket.run(&import(&survey.input, &out, &["--headers-only", "--overwrite"]));
    assert_same_objects(&bucket, &survey, "out", &survey.import("local_headers", &["--headers-only"]));
    bucket.put(&survey.input, "other/notes.txt");
    let other = bucket.refused(&import(&survey.input, &bucket.url("other"), &[]), 4);
    assert!(other.contains("is not empty"), "{other}");
    bucket.put(&survey.input, "mine/headers.parquet");
    let mine = bucket.refused(&import(&survey.input, &bucket.url("mine"), &["--overwrite"]), 4);
    assert!(mine.contains("headers.parquet in it belongs to no dataset"), "{mine}");
}

#[test]
fn requests_that_fail_are_sent_again_and_nothing_differs() {
    let Some(bucket) = Bucket::new("faults") else { return };
    let survey = survey();
    let local = survey.import("local", &MANY);
    let bucket = bucket.with_faults(&["error=0.1", "slow=0.1", "reset=0.1", "hang=0.01"]);
    bucket.put(&survey.input, "in.sgy");
    bucket.run(&import(&bucket.url("in.sgy"), &bucket.url("out"), &[&MANY[..], &["--verify"]].concat()));
    assert_same_objects(&bucket, &survey, "out", &local);
    let counts = bucket.counts();
    for kind in ["error", "slow", "reset"] {
        assert!(counts.get(kind).is_some_and(|n| *n > 3), "{kind}: {counts:?}");
    }
    assert_eq!(bucket.n_open_uploads(), 0);
}

#[test]
fn a_failure_that_stays_is_one_sentence_and_leaves_no_dataset() {
    let Some(bucket) = Bucket::new("failing") else { return };
    let survey = survey();
    let arguments = import(&survey.input, &bucket.url("out"), &MANY);
    let missing = bucket.refused(&import(&survey.input, Path::new("s3://no-such-bucket/out"), &MANY), 1);
    assert!(missing.contains("there is no such bucket"), "{missing}");
    let no_input = bucket.refused(&import(&bucket.url("nothing.sgy"), &survey.path("none"), &[]), 3);
    assert!(no_input.contains("nothing.sgy: cannot be read: there is no such object"), "{no_input}");
    assert!(!survey.path("none").exists());
    let mut without_server = bucket.command(&arguments);
    without_server.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("SEGY_IMPORT_RETRIES", "1");
    let no_server = without_server.output().unwrap();
    assert_eq!(no_server.status.code(), Some(1));
    let denied = Bucket::new("failing-denied").unwrap().with_faults(&["denied=1"]);
    let denied_said = denied.refused(&import(&survey.input, &denied.url("out"), &MANY), 1);
    // The first request asks whether something is there: its answer has no body that could say more.
    assert!(denied_said.contains("the store refuses it: the credentials found are wrong"), "{denied_said}");
    for said in [missing, no_input, stderr(&no_server), denied_said] {
        let said: Vec<&str> = said.lines().filter(|l| l.starts_with("segy-import:")).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(!said[0].contains(SECRET) && !said[0].contains(KEY_ID), "{said:?}");
    }
    assert_eq!(bucket.keys(""), [""; 0]);
}

/// Shards of several parts each.
const SHARDS: [&str; 10] =
    ["--parallel-threshold", "0", "--segments", "2", "--chunk-traces", "1000", "--shard", "4", "--codec", "none"];

#[test]
fn an_upload_in_parts_that_fails_is_given_up_and_nothing_stays() {
    let Some(bucket) = Bucket::new("parts") else { return };
    let survey = Survey::new(&["--traces", "12000", "--samples", "1000", "--format", "5"]);
    let bucket = bucket.with_faults(&["part=1"]);
    let said = bucket.refused(&import(&survey.input, &bucket.url("out"), &SHARDS), 1);
    assert!(said.contains("traces.zarr/c/0/") && said.contains("AccessDenied"), "{said}");
    assert!(bucket.counts()["part"] >= 1);
    assert_eq!(bucket.keys(""), [""; 0]);
    assert_eq!(bucket.n_open_uploads(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_is_killed_is_started_again_and_nothing_differs() {
    let Some(bucket) = Bucket::new("killed") else { return };
    let survey = survey();
    let bucket = bucket.with_faults(&["late=0.3"]);
    let child = bucket.command(&import(&survey.input, &bucket.url("out"), &MANY)).spawn().unwrap();
    let id = child.id();
    let mut workers = Vec::new();
    wait_until("a worker runs", || {
        workers = children_of(id);
        !workers.is_empty()
    });
    signal(workers[0], "KILL");
    let output = wait_for(child);
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("SIGKILL") && said.contains("restarting it"), "{said}");
    assert_same_objects(&bucket, &survey, "out", &survey.import("local", &MANY));
}

#[test]
#[cfg(target_os = "linux")]
fn an_import_that_is_stopped_leaves_no_upload_open_and_is_taken_up_again() {
    let Some(bucket) = Bucket::new("stopped") else { return };
    let survey = Survey::new(&["--traces", "12000", "--samples", "1000", "--format", "5"]);
    let (name, url) = ("out", bucket.url("out"));
    let options = [&SHARDS[..], &["--workers", "1"]].concat();
    let bucket = bucket.with_faults(&["late=1"]);
    let child = bucket.command(&import(&survey.input, &url, &options)).spawn().unwrap();
    let record = "out/.segy-import/segment_0/segment.json";
    wait_until("a segment is done", || bucket.keys(record) == [record]);
    wait_until("an upload is open", || bucket.n_open_uploads() > 0);
    signal(child.id(), "TERM");
    let output = wait_for(child);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(said.contains("1 of 2 segments are done and kept in s3://stopped/out/.segy-import"), "{said}");
    // Whoever is stopped does not wait for an answer that comes late.
    wait_until("the uploads are given up", || bucket.n_open_uploads() == 0);
    assert!(bucket.keys("out/metadata.json").is_empty());
    let bucket = bucket.without_faults();
    let resumed = stderr(&bucket.run(&import(&survey.input, &url, &options)));
    assert!(resumed.contains("resuming: 1 of 2 segments done"), "{resumed}");
    assert_same_objects(&bucket, &survey, name, &survey.import("local", &options));
}

#[test]
fn the_three_commands_work_in_a_store_and_no_secret_is_written() {
    let Some(bucket) = Bucket::new("three") else { return };
    let survey = survey();
    bucket.put(&survey.input, "in.sgy");
    let (input, out) = (bucket.url("in.sgy"), bucket.url("out"));
    let (input, out) = (input.to_str().unwrap(), out.to_str().unwrap());
    bucket.run(&[&["plan", input, out][..], &MANY].concat());
    for place in ["out/.segy-import", "out"] {
        let copy = survey.path("secrets");
        bucket.get_all(place, &copy);
        assert!(contents(&copy).values().all(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            !text.contains(SECRET) && !text.contains(KEY_ID)
        }));
    }
    let other = bucket.refused(&[input, out, "--codec", "none"], 4);
    assert!(other.contains("holds a plan with other options (4 segments, done: none); --fresh replaces it"), "{other}");
    let early = bucket.refused(&["merge", out], 1);
    assert!(early.contains("segments 0-3 of 4 are not done"), "{early}");
    for segment in ["3", "1", "0", "2", "1"] {
        bucket.run(&["worker", out, "--segment", segment]);
    }
    let status = bucket.run(&["status", out, "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["state"], &status["n_done"]), (&"converted".into(), &4.into()));
    bucket.run(&["merge", out]);
    bucket.run(&["merge", out]);
    assert_same_objects(&bucket, &survey, "out", &survey.import("local", &MANY));
    let text = String::from_utf8(std::fs::read(survey.path("copy_out/metadata.json")).unwrap()).unwrap();
    assert!(!text.contains(SECRET) && !text.contains(KEY_ID) && !text.contains("s3://"));
}

#[test]
fn a_profile_has_the_keys_and_a_file_that_changes_is_refused() {
    let Some(bucket) = Bucket::new("profile") else { return };
    let survey = survey();
    bucket.put(&survey.input, "in.sgy");
    let (input, out) = (bucket.url("in.sgy"), bucket.url("out"));
    let home = survey.path("home");
    std::fs::create_dir_all(home.join(".aws")).unwrap();
    let keys = format!("[lab]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n");
    std::fs::write(home.join(".aws/credentials"), keys).unwrap();
    let with_profile = |name: &str| {
        let mut command: Command = bucket.command(&["plan", input.to_str().unwrap(), out.to_str().unwrap()]);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("HOME", &home).env("AWS_PROFILE", name).output().unwrap()
    };
    let planned = with_profile("lab");
    assert!(planned.status.success(), "{}", stderr(&planned));
    let unknown = with_profile("office");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("there is no profile office"), "{}", stderr(&unknown));
    // Of the same length, with another sample.
    let mut bytes = std::fs::read(&survey.input).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&survey.input, bytes).unwrap();
    bucket.put(&survey.input, "in.sgy");
    let changed = bucket.refused(&["worker", out.to_str().unwrap(), "--segment", "0"], 3);
    assert!(changed.contains("was changed or replaced since it was planned"), "{changed}");
}

//! Datasets made to harm: whatever stands in their documents, chunks and tables, and whatever lies in the place of their
//! files, a command on them ends soon, in words, in little memory. With `SEGY_IMPORT_NUMBERS` set, every number of a document
//! is tried, and not a sample of them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use segy_import::internals::{Checksum, Place};
use segy_import::{CancelHandle, ExportConfig, Part, Span, Target, check, export};
use serde_json::Value;

use crate::checks;
use crate::support::{self, Survey, contents, stderr, wait_for};

/// Numbers at which something could run over, divide by zero, or take all memory.
const EXTREMES: [&str; 14] = [
    "0",
    "1",
    "2",
    "7",
    "2147483648",
    "4294967296",
    "1099511627776",
    "2305843009213693951",
    "2305843009213693952",
    "4611686018427387904",
    "9223372036854775808",
    "18446744073709551615",
    "-1",
    "1e308",
];

/// Keys whose numbers are data, of which there are very many: one of each is enough.
const DATA: [&str; 5] = ["binary_header", "header_ranges", "checksums", "columns", "ranges"];

/// Pointers to all numbers in a document.
fn numbers(value: &Value, at: &str, out: &mut Vec<String>) {
    let first = |n: usize| if DATA.iter().any(|key| at.ends_with(key)) { 1 } else { n };
    match value {
        Value::Number(_) => out.push(at.to_owned()),
        Value::Array(items) => {
            let items = items.iter().enumerate().take(first(usize::MAX));
            items.for_each(|(i, item)| numbers(item, &format!("{at}/{i}"), out));
        }
        Value::Object(entries) => {
            let entries = entries.iter().take(first(usize::MAX));
            entries.for_each(|(key, item)| numbers(item, &format!("{at}/{}", key.replace('/', "~1")), out));
        }
        _ => {}
    }
}

/// Documents that have another number somewhere, with the place and the number: one of `every`, which has no divisor in common
/// with the number of extremes, so that each of these is tried at many places.
fn changed(document: &Value, every: usize) -> impl Iterator<Item = (String, Value)> {
    let every = if std::env::var_os("SEGY_IMPORT_NUMBERS").is_some() { 1 } else { every };
    let mut places = Vec::new();
    numbers(document, "", &mut places);
    let document = document.clone();
    let changes = places.into_iter().flat_map(|place| EXTREMES.into_iter().map(move |number| (place.clone(), number)));
    changes.step_by(every).map(move |(place, number)| {
        let mut changed = document.clone();
        *changed.pointer_mut(&place).unwrap() = serde_json::from_str(number).unwrap();
        (format!("{place} = {number}"), changed)
    })
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Writes `metadata.json` with the checksum that it has then.
fn write_metadata(path: &Path, document: &Value) {
    let mut document = document.clone();
    document["self_crc32c"] = "00000000".into();
    let text = serde_json::to_string_pretty(&document).unwrap();
    fs::write(path, &text).unwrap();
    let crc = Checksum::of_file(&Place::of(path).unwrap()).unwrap().crc32c;
    fs::write(path, text.replace("\"self_crc32c\": \"00000000\"", &format!("\"self_crc32c\": \"{crc}\""))).unwrap();
}

/// Reads a dataset in every way. What it gives, or that it is refused, is all the same.
fn read_in_every_way(input: &Path, dataset: &Path, back: &Path) {
    let cancel = CancelHandle::new();
    let _ = check(dataset, &mut |_, _| {}, &cancel);
    let _ = segy_import::compare(&[input], dataset, &mut |_, _| {}, &cancel);
    let span = |start, end| Span { start, end: Some(end) };
    let parts = [Part::All, Part::Traces(span(5, 9)), Part::Gathers(span(1, 2))];
    let as_it_was = Target::default();
    let as_doubles = Target { format: Some(6), ..as_it_was };
    for (part, conversion) in parts.map(|part| (part, as_it_was)).into_iter().chain([(Part::All, as_doubles)]) {
        let (dataset, target) = (dataset.to_owned(), back.to_owned());
        let config = ExportConfig {
            dataset,
            target,
            file: None,
            part,
            conversion,
            nan: None,
            lossy: false,
            overwrite: true,
            sync: false,
            ..ExportConfig::default()
        };
        let _ = export(&config, &mut |_, _| {}, &cancel);
    }
}

#[test]
fn no_number_of_a_document_makes_a_reader_panic() {
    let grid = ["--grid", "inline,crossline", "--brick", "2,2,10", "--shard", "4,2,all"];
    for options in
        [&["--chunk-traces", "5", "--shard", "2"][..], &["--chunk-traces", "5", "--codec", "zstd-plain"], &grid]
    {
        let survey = Survey::new(&["--traces", "12", "--samples", "25", "--format", "8"]);
        let dataset = survey.import("out", options);
        let path = dataset.join(if options.len() > 4 { "segy/metadata.json" } else { "metadata.json" });
        let good = read_json(&path);
        let back = survey.path("back.sgy");
        write_metadata(&path, &good);
        check(&dataset, &mut |_, _| {}, &CancelHandle::new()).unwrap();
        let mut n = 0;
        for (what, document) in changed(&good, 3) {
            write_metadata(&path, &document);
            let read = catch_unwind(AssertUnwindSafe(|| read_in_every_way(&survey.input, &dataset, &back)));
            assert!(read.is_ok(), "{what}");
            n += 1;
        }
        assert!(n > 7 * EXTREMES.len(), "{n}");
    }
}

#[test]
fn numbers_that_fit_one_another_but_not_the_memory_are_refused() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let dataset = survey.import("out", &["--chunk-traces", "5", "--shard", "2"]);
    let good = read_json(&dataset.join("metadata.json"));
    let most = 1_u64 << 62;
    for (chunk_traces, chunk_samples, shard, n_traces, n_samples) in [
        (1_u64 << 32, 1_u64, Some(1_u64 << 32), 12_u64, 25_u64),
        (1 << 58, 1, None, 1 << 58, 1),
        (1 << 31, 1 << 29, None, 1 << 31, 1 << 29),
        (1, 1, Some(1 << 40), 1 << 40, 1),
        (1, 1, Some(1 << 61), 1 << 61, 1),
        (5, 25, Some(1 << 61), 12, 25),
        (1, 25, None, 1 << 50, 25),
    ] {
        let mut document = good.clone();
        if n_traces > 12 {
            document["input"]["bytes"] = most.into();
            document["bytes_after_traces"] = Value::Null;
        }
        document["geometry"]["n_traces"] = n_traces.into();
        document["geometry"]["n_samples"] = n_samples.into();
        document["options"]["chunk_traces"] = chunk_traces.into();
        document["options"]["chunk_samples"] = chunk_samples.into();
        document["options"]["shard_chunks"] = shard.map_or(Value::Null, Value::from);
        write_metadata(&dataset.join("metadata.json"), &document);
        let back = survey.path("back.sgy");
        for arguments in [
            &["export".as_ref(), dataset.as_os_str(), back.as_os_str(), "--overwrite".as_ref()][..],
            &["verify".as_ref(), dataset.as_os_str()],
            &["verify".as_ref(), survey.input.as_os_str(), dataset.as_os_str()],
        ] {
            let output = ends(arguments);
            assert!(!output.status.success(), "{document}");
        }
    }
}

#[test]
fn no_number_of_a_plan_makes_a_worker_panic() {
    let survey = checks::Survey::new();
    let good = serde_json::to_value(&survey.plan).unwrap();
    for (what, plan) in changed(&good, 3) {
        let text = serde_json::to_vec(&plan).unwrap();
        let followed = catch_unwind(AssertUnwindSafe(|| checks::plan(&survey, &text)));
        assert!(followed.is_ok(), "{what}");
    }
}

#[test]
fn no_number_of_a_plan_or_of_a_finished_segment_makes_a_merge_panic() {
    merge_with_changed_numbers(&["--chunk-traces", "5"]);
    merge_with_changed_numbers(&["--grid", "inline,crossline", "--brick", "2,2,10"]);
}

fn merge_with_changed_numbers(options: &[&str]) {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let out = survey.path("out");
    let planned = ["plan".as_ref(), survey.input.as_os_str(), out.as_os_str()];
    let options = ["--segments", "2", "--no-sync"].iter().chain(options).map(OsStr::new);
    let planned: Vec<&OsStr> = planned.into_iter().chain(options).collect();
    assert!(support::run(&planned).status.success());
    for segment in ["0", "1"] {
        let done = support::run(&["worker".as_ref(), out.as_os_str(), "--segment".as_ref(), segment.as_ref()]);
        assert!(done.status.success(), "{}", stderr(&done));
    }
    let converted = contents(&out);
    for name in [".segy-import/plan.json", ".segy-import/segment_0/segment.json"] {
        let good = read_json(&out.join(name));
        // Fewer, as each is a process.
        for (what, document) in changed(&good, 9) {
            fs::remove_dir_all(&out).unwrap();
            for (file, bytes) in &converted {
                let file = out.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, bytes).unwrap();
            }
            fs::write(out.join(name), serde_json::to_vec(&document).unwrap()).unwrap();
            let output = ends(&["merge".as_ref(), out.as_os_str(), "--progress".as_ref(), "none".as_ref()]);
            assert!(!stderr(&output).contains("panicked"), "{what}");
        }
    }
}

/// Runs the program with little memory, which must come to an orderly end.
fn ends(arguments: &[&OsStr]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 3000000; exec \"$0\" \"$@\""]).arg(support::program()).args(arguments);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = wait_for(child);
    let message = stderr(&output);
    assert!(matches!(output.status.code(), Some(0..=5)), "{arguments:?}: {:?}: {message}", output.status);
    assert!(!message.contains("panicked") && !message.contains("memory allocation"), "{arguments:?}: {message}");
    output
}

/// What can lie in the place of a file: it blocks whoever opens it, or never ends.
#[derive(Clone, Copy, Debug)]
enum Trap {
    Pipe,
    Device,
    Directory,
    /// A terabyte of holes.
    Holes,
}

fn set(trap: Trap, path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap()
    } else {
        fs::remove_file(path).unwrap()
    }
    match trap {
        Trap::Pipe => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        Trap::Device => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        Trap::Directory => fs::create_dir(path).unwrap(),
        Trap::Holes => File::create(path).unwrap().set_len(1 << 40).unwrap(),
    }
}

/// Calls `act` with each of these files in turn replaced by each trap.
fn with_traps(root: &Path, names: &[PathBuf], act: impl Fn(&str)) {
    for name in names {
        let path = root.join(name);
        let kept = fs::read(&path).unwrap();
        for trap in [Trap::Pipe, Trap::Device, Trap::Directory, Trap::Holes] {
            set(trap, &path);
            act(&format!("{trap:?} for {}", name.display()));
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap()
            } else {
                fs::remove_file(&path).unwrap()
            }
            fs::write(&path, &kept).unwrap();
        }
    }
}

#[test]
fn what_lies_in_the_place_of_a_file_of_a_dataset_blocks_nobody_and_is_not_read_whole() {
    // Samples with exceptions, and many bytes after the traces.
    let survey = Survey::new(&["--traces", "12", "--samples", "25", "--format", "1"]);
    let mut file = fs::read(&survey.input).unwrap();
    file[3840..3844].copy_from_slice(&[0x41, 0, 0, 1]);
    file.resize(file.len() + (1 << 20) + 1, 7);
    fs::write(&survey.input, file).unwrap();
    let options = ["--trailer", "1048577"];
    let dataset = survey.import("out", &options);
    let sharded = survey.import("sharded", &[&options[..], &["--chunk-traces", "5", "--shard", "2"]].concat());
    let back = survey.path("back.sgy");
    for root in [&dataset, &sharded] {
        let names: Vec<PathBuf> = contents(root).into_keys().collect();
        assert!(names.iter().any(|name| name.starts_with("original")), "{names:?}");
        with_traps(root, &names, |what| {
            let verified = ends(&["verify".as_ref(), root.as_os_str()]);
            assert!(matches!(verified.status.code(), Some(1 | 3 | 5)), "{what}: {verified:?}");
            ends(&["verify".as_ref(), survey.input.as_os_str(), root.as_os_str()]);
            ends(&["export".as_ref(), root.as_os_str(), back.as_os_str(), "--overwrite".as_ref()]);
            ends(&[
                "export".as_ref(),
                root.as_os_str(),
                back.as_os_str(),
                "--overwrite".as_ref(),
                "--gathers=1:2".as_ref(),
            ]);
            ends(&["status".as_ref(), root.as_os_str()]);
        });
    }
}

#[test]
fn what_lies_in_the_place_of_a_record_of_an_import_blocks_nobody_and_is_not_read_whole() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let out = survey.path("out");
    let planned = [
        "plan".as_ref(),
        survey.input.as_os_str(),
        out.as_os_str(),
        "--segments=2".as_ref(),
        "--chunk-traces=5".as_ref(),
    ];
    assert!(support::run(&planned).status.success());
    for segment in ["0", "1"] {
        assert!(
            support::run(&["worker".as_ref(), out.as_os_str(), "--segment".as_ref(), segment.as_ref()])
                .status
                .success()
        );
    }
    let records = ["plan.json", "segment_0/segment.json", "segment_0/gathers.bin", "segment_1/headers.parquet"];
    let records = records.map(|name| Path::new(".segy-import").join(name));
    let converted = contents(&out);
    with_traps(&out, &records, |_| {
        ends(&["status".as_ref(), out.as_os_str()]);
        ends(&["worker".as_ref(), out.as_os_str(), "--segment=0".as_ref()]);
        for (file, bytes) in converted.iter().filter(|(file, _)| !out.join(file).exists()) {
            fs::create_dir_all(out.join(file).parent().unwrap()).unwrap();
            fs::write(out.join(file), bytes).unwrap();
        }
    });
}

#[test]
fn chunks_that_unpack_to_gigabytes_are_refused_in_little_memory() {
    let survey = Survey::new(&["--traces", "3000", "--samples", "100"]);
    let with_crc = |bytes: &[u8]| {
        let path = survey.path("crc");
        fs::write(&path, bytes).unwrap();
        let crc = Checksum::of_file(&Place::of(&path).unwrap()).unwrap().crc32c;
        [bytes, &u32::from_str_radix(&crc, 16).unwrap().to_le_bytes()].concat()
    };
    // Blocks of 128 KiB that repeat one byte: 8 GiB in 262 kB.
    let mut zstd = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58];
    for i in 1..=65536_u32 {
        let header = (128 << 10) << 3 | 1 << 1 | u32::from(i == 65536);
        zstd.extend_from_slice(&header.to_le_bytes()[..3]);
        zstd.push(0);
    }
    // One header that is right in all but the length when it is unpacked.
    let blosc = |nbytes: u32| {
        let header = [&[2, 1, 0x24, 4][..], &nbytes.to_le_bytes(), &131_072_u32.to_le_bytes(), &20_u32.to_le_bytes()];
        [&header.concat()[..], &[0; 4]].concat()
    };
    let cases = [("zstd-plain", zstd), ("zstd", blosc(i32::MAX as u32)), ("lz4-bit", blosc(u32::MAX))];
    for (codec, bytes) in cases {
        let dataset = survey.import(codec, &["--codec", codec]);
        fs::write(dataset.join("traces.zarr/c/0/0"), with_crc(&bytes)).unwrap();
        let back = survey.path("back.sgy");
        for arguments in [
            &["export".as_ref(), dataset.as_os_str(), back.as_os_str(), "--overwrite".as_ref()][..],
            &["verify".as_ref(), survey.input.as_os_str(), dataset.as_os_str()],
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", "ulimit -v 600000; exec \"$0\" \"$@\""]).arg(support::program()).args(arguments);
            let output = command.stdin(Stdio::null()).output().unwrap();
            let message = stderr(&output);
            assert!(matches!(output.status.code(), Some(1 | 5)), "{codec}: {:?} {message}", output.status);
            assert!(message.contains("traces.zarr/c/0/0: is damaged"), "{codec}: {message}");
        }
    }
}

//! Datasets as their users read them: zarr-python, xarray, pandas, pyarrow, Polars and DuckDB see every sample and every
//! header of the SEG-Y file, as an independent decoder in numpy reads it (`tests/python`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Survey, javascript, python, scratch, unpack_version_1};

/// The worker processes convert, however small the file is.
const PROCESSES: [&str; 2] = ["--parallel-threshold", "0"];

/// A synthetic survey and what it is known to be.
struct Input {
    survey: Survey,
    n_traces: usize,
    n_samples: usize,
    interval_us: usize,
    format: usize,
    endian: &'static str,
}

impl Input {
    fn new(kind: &str, n_traces: usize, n_samples: usize, format: usize, endian: &'static str) -> Self {
        // Odd times, so that no two surveys of a test have the same sample axis by chance.
        let interval_us = 1000 + 250 * format;
        let arguments = format!(
            "--kind {kind} --traces {n_traces} --samples {n_samples} --interval {interval_us} --format {format} --endian {endian}"
        );
        let survey = Survey::new(&arguments.split_whitespace().collect::<Vec<_>>());
        Self { survey, n_traces, n_samples, interval_us, format, endian }
    }

    fn trace_bytes(&self) -> usize {
        let sample_bytes = match self.format {
            8 | 16 => 1,
            3 | 11 => 2,
            6 | 9 | 12 => 8,
            _ => 4,
        };
        240 + self.n_samples * sample_bytes
    }

    /// Overwrites bytes of the file.
    fn change(&self, change: impl FnOnce(&mut [u8])) {
        let mut bytes = std::fs::read(&self.survey.input).unwrap();
        change(&mut bytes);
        std::fs::write(&self.survey.input, bytes).unwrap();
    }

    /// Puts any bits into the samples of every fifth trace, and into all its header fields but those that say how to read
    /// the file: surveys of the generator leave most fields zero and their numbers small. All traces begin before time 0.
    fn scrambled(self) -> Self {
        let is_rev2 = matches!(self.format, 6 | 9..=12 | 16) || self.n_samples > 65_535;
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        let trace_bytes = self.trace_bytes();
        let delay_ms = if self.endian == "big" { (-36i16).to_be_bytes() } else { (-36i16).to_le_bytes() };
        self.change(|bytes| {
            for trace in bytes[3600..].chunks_mut(trace_bytes) {
                trace[108..110].copy_from_slice(&delay_ms);
            }
            for trace in bytes[3600..].chunks_mut(trace_bytes).skip(3).step_by(5) {
                let kept = |first: usize| matches!(first, 21..=24 | 109..=110 | 115..=118);
                (1..=trace.len()).filter(|&byte| !kept(byte)).for_each(|byte| trace[byte - 1] = random());
                // Scalars of 0 and of powers of ten are the ones in use.
                for first in [69, 71, 201] {
                    let scalar = [0i16, 1, 10, -1, -100, -10_000, i16::MIN, 37][usize::from(random() % 8)];
                    let scalar = if self.endian == "big" { scalar.to_be_bytes() } else { scalar.to_le_bytes() };
                    trace[first - 1..=first].copy_from_slice(&scalar);
                }
                if is_rev2 {
                    let ebcdic = [0xE2, 0xC5, 0xC7, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0];
                    trace[232..240].copy_from_slice(if random() % 2 == 0 { b"SEG00000" } else { &ebcdic });
                }
            }
        });
        self
    }
}

/// Datasets to be read in one run of Python.
struct Datasets {
    python: &'static Path,
    directory: tempfile::TempDir,
    jobs: Vec<Value>,
}

impl Datasets {
    /// `None` where there is no Python, which has been said then.
    fn new() -> Option<Self> {
        let python = python::interpreter()?;
        Some(Self { python, directory: scratch(), jobs: Vec::new() })
    }

    /// Imports the survey with these options. Returns the output directory.
    fn add(&mut self, input: &Input, options: &[&str]) -> PathBuf {
        // The checks go by cdp where nothing else is said.
        let is_said = options.contains(&"--gather");
        let options = &[options, if is_said { &[][..] } else { &["--gather", "cdp"] }].concat();
        let out = input.survey.import(&format!("out {}", self.jobs.len()), options);
        self.jobs.push(json!({
            "name": format!("{} format {} {} {}", self.jobs.len(), input.format, input.endian, options.join(" ")),
            "segy": input.survey.input,
            "out": out,
            "traces": input.n_traces,
            "samples": input.n_samples,
            "interval_us": input.interval_us,
            "format": input.format,
            "byte_order": input.endian,
            "options": options,
        }));
        out
    }

    /// What Python complains about, by dataset in the order in which they were added.
    fn complaints(&self) -> Vec<(String, Vec<String>)> {
        let [jobs, complaints] = ["jobs.json", "complaints.json"].map(|name| self.directory.path().join(name));
        std::fs::write(&jobs, serde_json::to_vec(&self.jobs).unwrap()).unwrap();
        let script = python::scripts().join("check_dataset.py");
        python::run(self.python, &["-B".as_ref(), script.as_ref(), jobs.as_ref(), complaints.as_ref()]);
        let found = std::fs::read(complaints).unwrap();
        let mut found: BTreeMap<String, Vec<String>> = serde_json::from_slice(&found).unwrap();
        let names = self.jobs.iter().map(|job| job["name"].as_str().unwrap());
        names.map(|name| found.remove_entry(name).expect(name)).collect()
    }

    fn all_agree(&self) {
        assert!(!self.jobs.is_empty());
        let complaints = self.complaints();
        let shown: Vec<String> = complaints
            .into_iter()
            .filter(|(_, found)| !found.is_empty())
            .map(|(name, found)| format!("{name}\n  {}", found.join("\n").replace('\n', "\n  ")))
            .collect();
        assert!(shown.is_empty(), "{} of {} datasets:\n{}", shown.len(), self.jobs.len(), shown.join("\n"));
    }
}

#[test]
fn every_sample_format_in_both_byte_orders_is_read_without_loss() {
    let Some(mut datasets) = Datasets::new() else { return };
    let mut inputs = Vec::new();
    for (i, format) in [1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 16].into_iter().enumerate() {
        for (endian, n_samples) in [("big", 50), ("little", 33)] {
            let kind = ["poststack", "prestack", "shots"][i % 3];
            let input = Input::new(kind, 317, n_samples, format, endian).scrambled();
            datasets.add(&input, &["--chunk-traces", "73"]);
            inputs.push(input);
        }
    }
    datasets.all_agree();
}

#[test]
fn samples_of_any_format_are_read_as_the_nearest_float32_when_asked_for() {
    let Some(mut datasets) = Datasets::new() else { return };
    let mut inputs = Vec::new();
    for (format, endian) in [(1, "big"), (2, "big"), (3, "little"), (6, "little"), (9, "big"), (12, "little")] {
        let input = Input::new("prestack", 211, 40, format, endian).scrambled();
        datasets.add(&input, &["--dtype", "float32", "--chunk-traces", "64"]);
        inputs.push(input);
    }
    datasets.all_agree();
}

#[test]
fn every_codec_is_read_in_both_orders_with_and_without_shards() {
    let Some(mut datasets) = Datasets::new() else { return };
    let floats = Input::new("shots", 1003, 45, 1, "big");
    let shorts = Input::new("prestack", 601, 70, 3, "little").scrambled();
    let doubles = Input::new("poststack", 301, 25, 6, "big").scrambled();
    let mut codecs = vec![
        "none",
        "lz4",
        "lz4:9",
        "lz4-bit",
        "lz4-bit:1",
        "zstd:1",
        "zstd",
        "zstd:3",
        "zstd:9",
        "zstd-plain",
        "zstd-plain:7",
        "gzip",
        "gzip:6",
    ];
    if cfg!(feature = "pcodec") {
        codecs.extend(["pcodec", "pcodec:0"]);
    }
    for (i, codec) in codecs.into_iter().enumerate() {
        let plain = ["--codec", codec, "--order", "trace-sample", "--chunk-traces", "101"];
        let shards = ["--codec", codec, "--order", "sample-trace", "--chunk-traces", "37", "--shard", "3"];
        let shards_by_trace = ["--codec", codec, "--order", "trace-sample", "--chunk-traces", "29", "--shard", "16"];
        datasets.add(&floats, &["--codec", codec]);
        datasets.add(if i % 2 == 0 { &shorts } else { &doubles }, &plain);
        datasets.add(if i % 2 == 0 { &doubles } else { &shorts }, &shards);
        datasets.add(&floats, &shards_by_trace);
    }
    datasets.all_agree();
}

#[test]
fn zarrita_reads_every_codec_but_pcodec() {
    let mut arrays = Vec::new();
    let mut surveys = Vec::new();
    for (format, codecs) in [
        ("1", &["none", "zstd", "zstd:1", "zstd:5", "lz4", "lz4-bit", "zstd-plain", "gzip"][..]),
        ("3", &["none", "zstd", "lz4-bit"]),
    ] {
        let survey = Survey::new(&["--traces", "1003", "--samples", "200", "--format", format]);
        for (codec, shard) in codecs.iter().flat_map(|codec| [(codec, "1"), (codec, "3")]) {
            let options = ["--chunk-traces", "150", "--codec", codec, "--shard", shard];
            let name = format!("{codec} {shard}");
            arrays.push((format, survey.import(&name, &options).join("traces.zarr")));
        }
        surveys.push(survey);
    }
    let paths: Vec<PathBuf> = arrays.iter().map(|(_, path)| path.clone()).collect();
    let Some(samples) = javascript::read_arrays(&paths) else { return };
    for format in ["1", "3"] {
        let mut of_format = arrays.iter().zip(&samples).filter(|((f, _), _)| *f == format);
        let (_, uncompressed) = of_format.next().unwrap();
        assert_eq!(uncompressed.len(), 1003 * 200 * if format == "1" { 4 } else { 2 });
        of_format.for_each(|((_, path), read)| assert!(read == uncompressed, "{}", path.display()));
    }
}

#[test]
fn datasets_of_version_1_are_still_read() {
    let Some(mut datasets) = Datasets::new() else { return };
    let directory = datasets.directory.path().to_owned();
    unpack_version_1(&directory);
    let sharded = ["--codec", "lz4-bit:5", "--chunk-traces", "2", "--shard", "3", "--order", "trace-sample"];
    for (name, options) in [("zstd", &["--codec", "zstd:1", "--chunk-traces", "5"][..]), ("shards", &sharded)] {
        datasets.jobs.push(json!({
            "name": name, "segy": directory.join("in.sgy"), "out": directory.join(name), "options": options,
            "traces": 12, "samples": 40, "interval_us": 4000, "format": 1, "byte_order": "big",
        }));
    }
    datasets.all_agree();
}

#[test]
fn what_several_processes_wrote_is_read_as_one_dataset() {
    let Some(mut datasets) = Datasets::new() else { return };
    let gathers = Input::new("prestack", 20_000, 12, 1, "big").scrambled();
    for how in [
        &["--workers", "2"][..],
        &["--workers", "3", "--segments", "7", "--chunk-traces", "333"],
        &["--workers", "1", "--segments", "4", "--chunk-traces", "97", "--shard", "5", "--io", "pread"],
        &["--segments", "11", "--chunk-traces", "51", "--codec", "none", "--order", "trace-sample"],
        &["--segments", "5", "--gather", "none", "--codec", "zstd"],
        // One gather from the first trace to the last, so that no split finds its beginning.
        &["--segments", "3", "--gather", "sample_count", "--max-probe", "100"],
    ] {
        datasets.add(&gathers, &[&PROCESSES, how].concat());
    }
    let shots = Input::new("shots", 9001, 30, 5, "little");
    let by_shot = ["--segments", "6", "--gather", "field_record", "--dtype", "float32"];
    datasets.add(&shots, &[&PROCESSES[..], &by_shot].concat());
    datasets.all_agree();
}

#[test]
fn a_table_of_several_row_groups_from_several_processes_is_read_as_one() {
    let Some(mut datasets) = Datasets::new() else { return };
    let traces = Input::new("poststack", 140_003, 3, 8, "big").scrambled();
    let options = ["--workers", "2", "--segments", "5", "--chunk-traces", "997"];
    datasets.add(&traces, &[&PROCESSES[..], &options].concat());
    datasets.all_agree();
}

#[test]
fn traces_long_enough_to_be_cut_along_the_samples_are_read_whole() {
    let Some(mut datasets) = Datasets::new() else { return };
    let long = Input::new("shots", 11, 300_001, 5, "little").scrambled();
    for options in [&["--chunk-traces", "3"][..], &["--chunk-traces", "3", "--shard", "2", "--order", "trace-sample"]] {
        datasets.add(&long, options);
        datasets.add(&long, &[&PROCESSES, options, &["--segments", "2"]].concat());
    }
    datasets.all_agree();
}

#[test]
fn short_traces_cut_along_the_samples_are_read_whole() {
    let Some(mut datasets) = Datasets::new() else { return };
    let shots = Input::new("shots", 3001, 300, 1, "big");
    let shorts = Input::new("prestack", 1501, 150, 3, "little").scrambled();
    datasets.add(&shots, &["--access", "slices"]);
    datasets.add(&shots, &["--access", "balanced", "--shard", "2"]);
    for input in [&shots, &shorts] {
        datasets.add(input, &["--chunk-samples", "64", "--chunk-traces", "700", "--order", "trace-sample"]);
        datasets
            .add(input, &[&PROCESSES[..], &["--chunk-samples", "41", "--segments", "3", "--codec", "none"]].concat());
    }
    datasets.all_agree();
}

#[test]
fn gather_keys_placed_fields_and_a_table_without_raw_headers_are_read_as_asked_for() {
    let Some(mut datasets) = Datasets::new() else { return };
    let prestack = Input::new("prestack", 1200, 20, 2, "big").scrambled();
    let shots = Input::new("shots", 1500, 20, 12, "little").scrambled();
    for input in [&prestack, &shots] {
        datasets.add(input, &["--gather", "cdp,data_use"]);
        datasets.add(input, &["--gather", "field_record", "--no-raw-header"]);
        let fields = "of_uint32=181:u32 of_int64=189:i64 of_uint64=205:u64 of_ibm=225:ibm32 of_float=217:f32 \
                      of_double=73:f64 of_byte=229:i8 of_uint8=230:u8 of_uint16=201:u16";
        let fields: Vec<&str> = fields.split_whitespace().flat_map(|field| ["--field", field]).collect();
        datasets.add(input, &[&fields[..], &["--gather", "of_byte"]].concat());
    }
    datasets.all_agree();
}

#[test]
fn segyio_reads_the_same_in_a_plain_ibm_file() {
    let Some(mut datasets) = Datasets::new() else { return };
    let inputs = [("prestack", "big"), ("shots", "big"), ("poststack", "little")]
        .map(|(kind, endian)| Input::new(kind, 500, 120, 1, endian));
    inputs.iter().for_each(|input| drop(datasets.add(input, &["--chunk-traces", "99"])));
    datasets.jobs.iter_mut().for_each(|job| job["segyio"] = json!(true));
    datasets.all_agree();
}

/// The tests above are worth what the checks notice.
#[test]
fn a_dataset_that_is_wrong_in_one_byte_is_noticed() {
    let Some(mut datasets) = Datasets::new() else { return };
    let mut inputs = Vec::new();
    let mut spoil = |byte: fn(usize) -> usize, expected: &'static [&'static str]| {
        let input = Input::new("prestack", 150, 20, 1, "big");
        datasets.add(&input, &["--chunk-traces", "40"]);
        let trace_99 = 3600 + 99 * input.trace_bytes();
        input.change(|bytes| bytes[byte(trace_99)] ^= 1);
        inputs.push((input, expected));
    };
    spoil(|trace| trace + 240 + 4 * 7 + 3, &["samples:", "samples in xarray", "samples of traces"]);
    let elevation = &["column receiver_elevation of", "column receiver_elevation_scaled of", "column raw_header of"];
    spoil(|trace| trace + 40, elevation);
    spoil(|trace| trace + 23, &["column cdp of headers", "ensemble_index.parquet in duckdb", "gathers is"]);
    spoil(|_| 81, &["textual header is", "bytes_before_traces"]);

    let intact = Input::new("prestack", 150, 20, 1, "big");
    let chunk = datasets.add(&intact, &["--codec", "none"]).join("traces.zarr/c/0/0");
    let mut bytes = std::fs::read(&chunk).unwrap();
    bytes[1234] ^= 1;
    std::fs::write(chunk, bytes).unwrap();
    let group = datasets.add(&intact, &[]).join("zarr.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(&group).unwrap()).unwrap();
    document.as_object_mut().unwrap().remove("consolidated_metadata");
    std::fs::write(group, serde_json::to_vec(&document).unwrap()).unwrap();
    datasets.add(&intact, &[]);

    let expected = inputs.iter().map(|(_, expected)| *expected);
    let expected = expected.chain([&["check_samples failed"][..], &["xarray warns"], &[]]);
    for ((name, found), expected) in datasets.complaints().iter().zip(expected) {
        assert_eq!(found.is_empty(), expected.is_empty(), "{name}: {found:#?}");
        for part in expected {
            assert!(found.iter().any(|complaint| complaint.contains(part)), "{name}: no \"{part}\" in {found:#?}");
        }
    }
}

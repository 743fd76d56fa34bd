//! Kinds of files that public reports tell of: each is made here, and has to be read rightly, or refused with advice that is
//! right when it is followed.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{odd::document, scratch};
use crate::support::{program, run, stderr, stdout};

/// A file being made: a file header, then traces of a header and the bytes of its samples.
struct Wild {
    directory: tempfile::TempDir,
    name: &'static str,
    text: Vec<u8>,
    binary: Vec<u8>,
    traces: Vec<Vec<u8>>,
}

fn put(bytes: &mut [u8], byte: usize, value: &[u8]) {
    bytes[byte - 1..byte - 1 + value.len()].copy_from_slice(value);
}

fn put_i16(bytes: &mut [u8], byte: usize, value: i32) {
    put(bytes, byte, &(value as u16).to_be_bytes());
}

fn put_i32(bytes: &mut [u8], byte: usize, value: i32) {
    put(bytes, byte, &value.to_be_bytes());
}

/// A wavelet that decays, different in each trace.
fn wave(trace: usize, n: usize) -> Vec<f32> {
    let value = |i: usize| {
        let t = i as f32;
        900.0 * (t * 0.19 + trace as f32 * 0.05).sin() * (-t / 80.0).exp()
            + ((i * 7919 + trace * 31) % 101) as f32 * 0.3
    };
    (0..n).map(value).collect()
}

fn be(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|v| v.to_be_bytes()).collect()
}

impl Wild {
    /// Big-endian IEEE floats, 2 ms, rev 0, `n_traces` of `n_samples`.
    fn new(n_traces: usize, n_samples: usize) -> Self {
        let mut binary = vec![0; 400];
        for (byte, value) in [(17, 2000), (21, n_samples as i32), (25, 5), (55, 1)] {
            put_i16(&mut binary, byte, value);
        }
        let trace = |i: usize| {
            let mut trace = vec![0; 240];
            [1, 5, 13].iter().for_each(|&byte| put_i32(&mut trace, byte, i as i32 + 1));
            put_i32(&mut trace, 9, 1);
            put_i16(&mut trace, 29, 1);
            put_i16(&mut trace, 115, n_samples as i32);
            put_i16(&mut trace, 117, 2000);
            trace.extend(be(&wave(i, n_samples)));
            trace
        };
        let traces = (0..n_traces).map(trace).collect();
        Self { directory: scratch(), name: "in.sgy", text: vec![0x40; 3200], binary, traces }
    }

    /// Changes each trace, which knows its number.
    fn each(mut self, change: impl Fn(usize, &mut Vec<u8>)) -> Self {
        self.traces.iter_mut().enumerate().for_each(|(i, trace)| change(i, trace));
        self
    }

    fn binary(mut self, byte: usize, value: i32) -> Self {
        put_i16(&mut self.binary, byte - 3200, value);
        self
    }

    fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// The first line of the textual header in ASCII.
    fn line(mut self, line: &str) -> Self {
        self.text = format!("{line:<3200}").into_bytes();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.text[..], &self.binary[..], &self.traces.concat()[..]].concat()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(self.name), bytes).unwrap();
        self.path(self.name)
    }

    /// Imports bytes with options.
    fn import_bytes(&self, bytes: &[u8], options: &[&str]) -> Output {
        let input = self.write(bytes);
        let mut command = std::process::Command::new(program());
        command
            .arg(input)
            .arg(self.path("out"))
            .args(["--no-sync", "--overwrite", "--verify"])
            .args(options)
            .output()
            .unwrap()
    }

    /// Imports the file, which has to succeed. Returns the document and what was said.
    fn imported(&self, options: &[&str]) -> (serde_json::Value, String) {
        self.imported_bytes(&self.bytes(), options)
    }

    fn imported_bytes(&self, bytes: &[u8], options: &[&str]) -> (serde_json::Value, String) {
        let output = self.import_bytes(bytes, options);
        assert!(output.status.success(), "{options:?}: {}", stderr(&output));
        (document(&self.path("out")), stderr(&output))
    }

    /// The message with which these bytes are refused.
    fn refused(&self, bytes: &[u8], options: &[&str]) -> String {
        let output = self.import_bytes(bytes, options);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        stderr(&output)
    }

    fn inspected(&self, options: &[&str]) -> String {
        let input = self.write(&self.bytes());
        let mut arguments = vec!["inspect".as_ref(), input.as_os_str()];
        arguments.extend(options.iter().map(std::ffi::OsStr::new));
        let output = run(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }
}

/// The extent of the stored samples.
fn extent(document: &serde_json::Value) -> (f64, f64) {
    (document["statistics"]["min"].as_f64().unwrap(), document["statistics"]["max"].as_f64().unwrap())
}

fn axis(document: &serde_json::Value) -> (f64, f64, String) {
    let axis = &document["geometry"]["sample_axis"];
    let units = axis["units"].as_str().unwrap_or("none").to_owned();
    (axis["start"].as_f64().unwrap(), axis["interval"].as_f64().unwrap(), units)
}

/// The values of a column as doubles, NaN where null.
fn column(dataset: &Path, name: &str) -> Vec<f64> {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Float64Type;
    let file = std::fs::File::open(dataset.join("headers.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
    let of = |batch: &arrow::array::RecordBatch| {
        let array = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}")).clone();
        let array = match array.data_type() {
            arrow::datatypes::DataType::Timestamp(..) => {
                arrow::compute::cast(&array, &arrow::datatypes::DataType::Int64).unwrap()
            }
            _ => array,
        };
        let doubles = arrow::compute::cast(&array, &arrow::datatypes::DataType::Float64).unwrap();
        let doubles = doubles.as_primitive::<Float64Type>().clone();
        (0..doubles.len()).map(|i| if doubles.is_null(i) { f64::NAN } else { doubles.value(i) }).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

/// The unit of a column by the metadata of its field.
fn unit_of(dataset: &Path, name: &str) -> String {
    let file = std::fs::File::open(dataset.join("headers.parquet")).unwrap();
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    builder.schema().field_with_name(name).unwrap().metadata().get("unit").unwrap().to_string()
}

#[test]
fn traces_of_varying_length_whose_sum_fits_one_length_are_to_be_padded() {
    let lengths = [50, 60, 40];
    let file = Wild::new(6, 60).binary(3221, 50).each(|i, trace| {
        let n = lengths[i % 3];
        trace.truncate(240 + 4 * n);
        put_i16(trace, 115, n as i32);
    });
    let message = file.refused(&file.bytes(), &[]);
    assert!(message.contains("--ragged pad") && !message.contains("--samples"), "{message}");
    let (document, _) = file.imported(&["--ragged", "pad"]);
    assert_eq!(
        (document["geometry"]["samples_per_trace"]["min"].as_u64(), document["counts"]["n_traces"].as_u64()),
        (Some(40), Some(6))
    );
}

#[test]
fn two_files_joined_into_one_are_refused_and_their_parts_can_be_imported() {
    // Where the sizes do not fit, where they do, where all traces are declared as long, and beyond the traces looked at.
    for (n, samples, fixed) in [(10, 150, 0), (10, 90, 0), (10, 90, 1), (3000, 90, 1)] {
        let file = Wild::new(n, samples).binary(3503, fixed);
        let one = file.bytes();
        let message = file.refused(&[&one[..], &one[..]].concat(), &["--gather", "none"]);
        let byte = one.len() + 1;
        assert!(message.contains(&format!("a second file header begins at byte {byte}:")), "{message}");
        assert!(!message.contains("--trailer") && !message.contains("--samples"), "{message}");
        assert!(
            message.contains(&format!("head -c {}", one.len())) && message.contains(&format!("tail -c +{byte}")),
            "{message}"
        );
    }
}

#[test]
fn counts_that_two_bytes_cannot_hold_are_found_by_the_headers() {
    for count in [0, 54_464, 32_767, 65_535] {
        let file = Wild::new(6, 120_000).binary(3221, count).each(|_, trace| put_i16(trace, 115, count));
        let message = file.refused(&file.bytes(), &[]);
        assert!(message.contains("--samples 120000 (6 traces, whose headers agree)"), "{message}");
        assert!(!message.contains("720300"), "{message}");
        let (document, _) = file.imported(&["--samples", "120000"]);
        assert_eq!(document["counts"]["n_traces"], 6);
    }
}

#[test]
fn a_textual_header_of_another_length_is_noticed() {
    let file = Wild::new(12, 100);
    let bytes = file.bytes();
    let short = file.refused(&bytes[1..], &["--allow-truncated"]);
    assert!(
        short.contains("begin at byte 3200 and not at byte 3201: the textual header is 1 byte too short"),
        "{short}"
    );
    let long = file.refused(&[&[0x40, 0x40], &bytes[..]].concat(), &[]);
    assert!(long.contains("begin at byte 3203") && long.contains("2 bytes too long"), "{long}");
}

#[test]
fn stanzas_are_believed_whatever_the_revision_says() {
    for count in [-1, 0] {
        let file = Wild::new(6, 100).binary(3505, count);
        let stanza = |name: &str| format!("{:<3200}", format!("(({name}))")).into_bytes();
        let (front, traces) = (&file.bytes()[..3600], &file.bytes()[3600..]);
        let all = [front, &stanza("SEG:Location Data ver 1.0"), &stanza("SEG:Other"), &stanza("SEG:EndText"), traces]
            .concat();
        let (document, _) = file.imported_bytes(&all, &[]);
        assert_eq!(document["extended_textual_headers"].as_array().unwrap().len(), 3, "{count}");
        assert_eq!(document["counts"]["n_traces"], 6);
    }
}

/// Traces alone, as Seismic Unix has them.
fn su(n_traces: usize, n_samples: usize) -> Wild {
    let mut file = Wild::new(n_traces, n_samples).named("in.su");
    (file.text, file.binary) = (Vec::new(), Vec::new());
    file
}

#[test]
fn seismic_unix_has_fields_of_its_own_and_no_scalar_of_times() {
    let file = su(20, 50).each(|_, trace| {
        put_i16(trace, 109, 300);
        put_i16(trace, 215, 6390);
    });
    assert_eq!(axis(&file.imported(&[]).0), (300.0, 2.0, "ms".into()));

    let file = su(20, 50).each(|i, trace| {
        put_i16(trace, 117, 0);
        for (byte, value) in [(181, 12.5f32), (185, 100.0), (189, 25.0), (193, -1000.0 + i as f32)] {
            put(trace, byte, &value.to_be_bytes());
        }
        put_i32(trace, 205, 20);
    });
    let (document, _) = file.imported(&[]);
    assert_eq!(axis(&document), (100.0, 12.5, "none".into()));
    assert_eq!(document["gathers"]["keys"], serde_json::json!([]));
    let out = file.path("out");
    assert_eq!((column(&out, "d2")[0], column(&out, "f2")[3], column(&out, "ntr")[0]), (25.0, -997.0, 20.0));
    // As time it is in seconds.
    assert_eq!(axis(&file.imported(&["--domain", "time"]).0).1, 12_500.0);
    let said =
        file.imported(&["--endian", "big", "--format", "5", "--samples", "50"]).0["segy"]["decisions"].to_string();
    for option in ["option --endian", "option --format", "option --samples"] {
        assert!(said.contains(option), "{said}");
    }
}

#[test]
fn invalid_scalars_are_reported_and_not_applied() {
    let file = Wild::new(6, 50).binary(3501, 256).each(|i, trace| {
        put_i16(trace, 71, 8224);
        put_i32(trace, 181, 400_000 + i as i32);
        put_i32(trace, 185, 6_800_000);
    });
    let (_, said) = file.imported(&[]);
    assert!(
        said.contains("6 traces of 6 have a number in coordinate scalar (bytes 71-72) that is not a scalar"),
        "{said}"
    );
    assert_eq!(column(&file.path("out"), "cdp_y_scaled"), [6_800_000.0; 6]);
    assert!(file.inspected(&[]).contains("6 traces of 6 have a number in coordinate scalar"));
    // GPR writers put 1000 where -1000 is meant.
    let (_, said) = file.imported(&["--coordinate-scalar", "-1000"]);
    assert!(!said.contains("is not a scalar"), "{said}");
    assert_eq!(column(&file.path("out"), "cdp_y_scaled"), [6_800.0; 6]);
}

#[test]
fn intervals_and_delays_that_vary_are_reported_by_inspect_and_import_alike() {
    let file = Wild::new(40, 50).binary(3501, 256).each(|i, trace| {
        put_i16(trace, 117, if i < 20 { 2000 } else { 4000 });
        put_i16(trace, 109, 5000 + 2500 * (i as i32 / 10));
        put_i16(trace, 215, -10);
    });
    let interval = "the sample interval (bytes 117-118) varies from 2000 to 4000 µs in the trace headers, for the first time at trace 21";
    let delay = "the delay of the first sample (bytes 109-110) varies from 500 to 1250 ms in the trace headers, for the first time at \
                 trace 11; the sample axis begins at 500 ms for all traces (--start overrides)";
    for said in [file.imported(&[]).1, file.inspected(&["--scan"]), file.inspected(&[])] {
        assert!(said.contains(interval) && said.contains(delay), "{said}");
    }
}

#[test]
fn depth_is_in_thousandths_of_its_unit_and_text_that_speaks_of_it_is_heard() {
    let file = Wild::new(5, 100)
        .binary(3217, 5000)
        .line("C 1 DEPTH MIGRATION, SAMPLE RATE 5 M")
        .each(|_, t| put_i16(t, 117, 5000));
    let (_, said) = file.imported(&[]);
    assert!(said.contains("--domain depth reads it as depth, with 5 m between samples"), "{said}");
    let (document, _) = file.imported(&["--domain", "depth"]);
    assert_eq!(axis(&document), (0.0, 5.0, "m".into()));
    assert!(document["segy"]["decisions"].to_string().contains("5000 are thousandths of the unit"));
    assert_eq!(axis(&file.imported(&["--interval", "10ft"]).0), (0.0, 10.0, "ft".into()));
    assert_eq!(
        axis(&file.imported(&["--domain", "depth", "--interval", "2.5", "--start", "7"]).0),
        (7.0, 2.5, "m".into())
    );
}

#[test]
fn absurd_axes_are_doubted_and_the_options_named() {
    let file = Wild::new(3, 100).binary(3217, 0).each(|_, t| put_i16(t, 117, 0));
    let (_, said) = file.imported(&["--interval", "100000000"]);
    assert!(said.contains("hours by their sample interval") && said.contains("--interval"), "{said}");
    let (_, said) = file.imported(&["--interval", "5000m"]);
    assert!(said.contains("the depths reach from 0 to 495000 m"), "{said}");
}

#[test]
fn options_take_units_and_axes_may_be_in_nanoseconds() {
    let file = Wild::new(3, 100).binary(3217, 400).each(|_, t| put_i16(t, 117, 400));
    let (document, _) = file.imported(&["--interval", "400ps"]);
    assert_eq!(axis(&document), (0.0, 0.4, "ns".into()));
    assert_eq!(document["geometry"]["sample_interval_us"], 0.0004);
    let radar = Wild::new(3, 100).binary(3217, 400).line("C 1 GPR, TIME IN PICOSECONDS");
    let (_, said) = radar.imported(&[]);
    assert!(said.contains("speaks of picoseconds") && said.contains("--interval 400ps reads it"), "{said}");
    let (document, said) = radar.imported(&["--interval", "400ps"]);
    assert!(axis(&document) == (0.0, 0.4, "ns".into()) && !said.contains("picoseconds"), "{said}");
    for (interval, start) in [("4ms", "1s"), ("4000us", "1000"), ("4000", "1000ms"), ("0.004s", "1000000us")] {
        assert_eq!(axis(&file.imported(&["--interval", interval, "--start", start]).0), (1000.0, 4.0, "ms".into()));
    }
    let output = file.import_bytes(&file.bytes(), &["--domain", "time", "--interval", "5m"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--domain depth"), "{}", stderr(&output));
}

#[test]
fn times_are_two_way_only_where_the_file_says_that_it_is_stacked() {
    let name = |code: i32| {
        let file = Wild::new(3, 20).binary(3229, code);
        file.imported(&[]);
        let text = std::fs::read_to_string(file.path("out/sample/zarr.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["attributes"]["long_name"].clone()
    };
    assert_eq!((name(1), name(4)), ("time".into(), "two-way time".into()));
}

#[test]
fn samples_in_another_byte_order_or_format_are_noticed_and_read_as_the_warning_says() {
    let swap =
        |size: usize| move |_: usize, trace: &mut Vec<u8>| trace[240..].chunks_mut(size).for_each(<[u8]>::reverse);
    let integers = |i: usize, trace: &mut Vec<u8>| {
        let samples: Vec<u8> = wave(i, 300).iter().flat_map(|v| (*v as i32).to_be_bytes()).collect();
        trace.splice(240.., samples);
    };
    let halves = |i: usize, trace: &mut Vec<u8>| {
        let samples: Vec<u8> = wave(i, 300).iter().flat_map(|v| (*v as i16).to_be_bytes()).collect();
        trace.splice(240.., samples);
    };
    let cases = [
        (Wild::new(30, 300).each(swap(4)), vec!["--sample-endian", "little"]),
        (Wild::new(30, 300).binary(3225, 2).each(integers).each(swap(4)), vec!["--sample-endian", "little"]),
        (Wild::new(30, 300).binary(3225, 3).each(halves).each(swap(2)), vec!["--sample-endian", "little"]),
        (Wild::new(30, 300).each(integers), vec!["--format", "2"]),
        (Wild::new(30, 300).binary(3225, 2), vec!["--format", "5"]),
        (Wild::new(30, 300).each(integers).each(swap(4)), vec!["--format", "2", "--sample-endian", "little"]),
    ];
    for (file, options) in cases {
        let (_, said) = file.imported(&[]);
        assert!(said.contains(&format!("{} reads them so", options.join(" "))), "{options:?}: {said}");
        let (document, said) = file.imported(&options);
        let (min, max) = extent(&document);
        assert!(
            !said.contains("look like") && min > -1000.0 && (500.0..1000.0).contains(&max),
            "{options:?}: {min} {max}, {said}"
        );
    }
}

#[test]
fn traces_in_another_byte_order_than_the_binary_header_are_read_and_reported() {
    let file = Wild::new(30, 300).each(|_, trace| {
        for byte in [1, 5, 9, 13] {
            trace[byte - 1..byte + 3].reverse();
        }
        for byte in [29, 115, 117] {
            trace[byte - 1..byte + 1].reverse();
        }
        trace[240..].chunks_mut(4).for_each(<[u8]>::reverse);
    });
    let (document, said) = file.imported(&[]);
    assert!(said.contains("the binary header is big-endian and the trace headers are little-endian"), "{said}");
    assert!((500.0..1000.0).contains(&extent(&document).1));
    assert_eq!(
        (&document["binary_header"]["samples_per_trace"], &document["segy"]["byte_order"]),
        (&300.into(), &"little".into())
    );
    assert_eq!(column(&file.path("out"), "trace_number")[29], 30.0);
    let back = file.path("back.sgy");
    assert!(run(&["export".as_ref(), file.path("out").as_os_str(), back.as_os_str()]).status.success());
    assert!(std::fs::read(&back).unwrap() == file.bytes());
    // In one byte order it is a file like any other.
    let output = run(&[
        "export".as_ref(),
        file.path("out").as_os_str(),
        back.as_os_str(),
        "--endian".as_ref(),
        "big".as_ref(),
        "--overwrite".as_ref(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(std::fs::read(&back).unwrap() == Wild::new(30, 300).bytes());
}

#[test]
fn files_that_are_nearly_segy_are_named_with_what_reads_them() {
    let file = Wild::new(20, 100);
    let whole = file.bytes();
    let message = file.refused(&whole[3600..], &[]);
    assert!(message.contains("like a file of Seismic Unix; --input-format su reads it"), "{message}");
    let (document, _) = file.imported_bytes(&whole[3600..], &["--input-format", "su"]);
    assert!((500.0..1000.0).contains(&extent(&document).1));
    let message = file.refused(&whole[3200..], &[]);
    assert!(message.contains("lacks the 3200 bytes of the textual header"), "{message}");
    let (document, _) = file.imported_bytes(&[&[0; 3200], &whole[3200..]].concat(), &[]);
    assert_eq!(document["counts"]["n_traces"], 20);

    let mut records = Vec::new();
    for record in [&whole[..3200], &whole[3200..3600]].into_iter().chain(whole[3600..].chunks(640)) {
        for part in [&(record.len() as u32).to_be_bytes(), record, &(record.len() as u32).to_be_bytes()] {
            records.extend_from_slice(part);
        }
    }
    let message = file.refused(&records, &[]);
    assert!(message.contains("each record between two copies of its length"), "{message}");
}

#[test]
fn files_of_other_formats_are_named() {
    let file = Wild::new(1, 10);
    let long = |start: &[u8]| [start, &[0x55; 8000][..]].concat();
    let mut tar = vec![b'a'; 8000];
    put(&mut tar, 258, b"ustar");
    let mut xtf = vec![0; 8000];
    xtf[..3].copy_from_slice(&[0x7B, 1, b'S']);
    let cases = [
        (long(&[0x55, 0x3A, 1, 0]), "SEG-2"),
        (long(&[0x3A, 0x55, 0, 1]), "SEG-2"),
        (long(&[0x00, 0x12, 0x80, 0x58]), "SEG-D"),
        (tar, "a tar archive"),
        (long(&[0x1F, 0x9D, 0x90]), "uncompress"),
        (long(b"\xFD7zXZ\0"), "xz-compressed"),
        (xtf, "XTF"),
        (long(b"{\"type\": 1}"), "JSON"),
    ];
    for (bytes, what) in cases {
        let message = file.refused(&bytes, &[]);
        assert!(message.contains(what) && !message.contains("--format"), "{what}: {message}");
    }
    let text = su(1, 10);
    let message = text.refused("x y z\n1 2 3\n".repeat(300).as_bytes(), &[]);
    assert!(message.contains("plain text"), "{message}");
    // What is named .su may be SEG-Y.
    let segy = Wild::new(4, 30).named("in.su");
    let message = segy.refused(&segy.bytes(), &[]);
    assert!(message.contains("--input-format segy reads it"), "{message}");
    assert_eq!(segy.imported(&["--input-format", "segy"]).0["counts"]["n_traces"], 4);
    let output = run(&["-".as_ref(), text.path("nowhere").as_os_str()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("write it to a file first"), "{}", stderr(&output));
}

/// A PASSCAL file, in the byte order of `put`.
fn passcal(n: usize, form: i32, little: bool) -> Wild {
    let mut file = su(1, 10).named("in.segy");
    let value = |i: usize| (i as i32 * 37) % 2000 - 500;
    let mut trace = vec![0; 240];
    put_i32(&mut trace, 1, 1);
    put_i16(&mut trace, 29, 1);
    put_i16(&mut trace, 115, if n > 32_000 { 32_767 } else { n as i32 });
    put_i16(&mut trace, 117, 10_000);
    for (byte, number) in [(157, 2004), (159, 322), (161, 18), (163, 6), (165, 46), (167, 2), (205, form), (207, 500)] {
        put_i16(&mut trace, byte, number);
    }
    put(&mut trace, 181, b"ST01");
    put_i32(&mut trace, 201, 10_000);
    put(&mut trace, 221, &1.5e-6f32.to_be_bytes());
    put_i32(&mut trace, 229, n as i32);
    let samples = (0..n).flat_map(|i| match form {
        1 => value(i).to_be_bytes().to_vec(),
        _ => (value(i) as i16).to_be_bytes().to_vec(),
    });
    trace.extend(samples);
    if little {
        for byte in [1, 201, 221, 229] {
            trace[byte - 1..byte + 3].reverse();
        }
        for byte in [29, 115, 117, 157, 159, 161, 163, 165, 167, 205, 207] {
            trace[byte - 1..byte + 1].reverse();
        }
        trace[240..].chunks_mut(if form == 1 { 4 } else { 2 }).for_each(<[u8]>::reverse);
    }
    file.traces = vec![trace];
    file
}

#[test]
fn passcal_files_are_found_by_themselves() {
    for (n, form, little) in [(40_000, 1, true), (1000, 0, true), (1000, 1, false), (40_000, 0, false)] {
        let file = passcal(n, form, little);
        let (document, _) = file.imported(&[]);
        assert_eq!(document["segy"]["input_format"], "passcal");
        assert_eq!(document["geometry"]["n_samples"], n);
        assert_eq!(axis(&document), (0.0, 10.0, "ms".into()));
        let values = (0..n).map(|i| (i * 37 % 2000) as f64 - 500.0);
        assert_eq!(extent(&document), (-500.0, values.fold(0.0, f64::max)));
        let out = file.path("out");
        assert_eq!((column(&out, "scale_factor")[0] as f32, column(&out, "sample_count_long")[0]), (1.5e-6, n as f64));
        // 2004-11-17 18:06:46.5 UTC.
        assert_eq!(column(&out, "recording_time"), [1_100_714_806.5e9]);
        assert_eq!(file.imported(&["--input-format", "passcal"]).0["statistics"], document["statistics"]);
    }
}

#[test]
fn one_function_says_which_gathers_there_are() {
    // A line along one crossline: its numbers change from trace to trace.
    let file = Wild::new(80, 20).binary(3501, 256).each(|i, trace| {
        for (byte, value) in [(9, 1000 + i as i32), (21, 1155), (189, 1000 + i as i32), (193, 1155)] {
            put_i32(trace, byte, value);
        }
    });
    let (document, said) = file.imported(&[]);
    assert!(!said.contains("warning"), "{said}");
    let because = document["gathers"]["decision"]["because"].as_str().unwrap();
    assert!(file.inspected(&[]).contains(&format!("--gather none  {because}")));
    let (_, said) = file.imported(&["--gather", "cdp"]);
    assert!(said.contains("the gather key cdp is the same in all 80 trace headers looked at; --gather none"), "{said}");
    let (_, said) = file.imported(&["--gather", "inline"]);
    assert!(
        said.contains("changes from trace to trace, so that each trace is a gather of its own; --gather none"),
        "{said}"
    );
}

#[test]
fn places_in_the_textual_header_are_compared_with_the_columns() {
    let file = Wild::new(400, 20).binary(3501, 256).line("C 1 INLINE IN BYTES 9-12, CROSSLINE IN BYTES 13-16").each(
        |i, trace| {
            put_i32(trace, 9, 2400 + i as i32 / 20);
            put_i32(trace, 13, 1100 + i as i32 % 20);
            put_i32(trace, 189, 7);
            put_i32(trace, 193, 99_000 + 13 * i as i32);
        },
    );
    let said = file.inspected(&[]);
    for expected in [
        "inline at bytes 9-12, which hold 2400 to 2419",
        "bytes 189-192, which hold 7",
        "--field inline=9:i32",
        "--field crossline=13:i32",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let (document, _) = file.imported(&["--field", "inline=9:i32", "--field", "crossline=13:i32"]);
    assert_eq!(
        (&document["gathers"]["keys"], &document["gathers"]["n_gathers"]),
        (&serde_json::json!(["inline"]), &20.into())
    );
    assert!(
        !file
            .inspected(&["--field", "inline=9:i32", "--field", "crossline=13:i32"])
            .contains("Places that the textual header names")
    );
}

#[test]
fn coordinates_that_are_floats_are_candidates_and_their_bits_are_not() {
    let file = Wild::new(60, 20).each(|i, trace| {
        put(trace, 73, &(450_000.0 + 12.5 * i as f32).to_be_bytes());
        put(trace, 77, &(6_500_000.0 + 25.0 * i as f32).to_be_bytes());
    });
    let input = file.write(&file.bytes());
    let output = run(&["inspect".as_ref(), input.as_os_str(), "--candidates".as_ref(), "--json".as_ref()]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let coordinates = document["candidates"].as_array().unwrap().iter().filter(|c| c["role"] == "coordinate");
    let found: Vec<_> = coordinates
        .map(|c| (c["field"]["first_byte"].as_u64().unwrap(), c["field"]["type"].as_str().unwrap().to_owned()))
        .collect();
    assert!(found.contains(&(73, "f32".into())) && found.contains(&(77, "f32".into())), "{found:?}");
    assert!(!found.iter().any(|(byte, kind)| (70..=80).contains(byte) && kind == "i32"), "{found:?}");
}

#[test]
fn code_pages_are_read_by_name_and_hinted_at() {
    let mut brackets = Wild::new(2, 10);
    brackets.text[..6].copy_from_slice(&[0xC3, 0x40, 0xF1, 0x40, 0xAD, 0xBD]);
    let (_, said) = brackets.imported(&[]);
    assert!(said.contains("--text-encoding cp1047"), "{said}");
    let line = |file: &Wild, encoding: &str| {
        let (document, said) = file.imported(&["--text-encoding", encoding]);
        assert!(!said.contains("warning"), "{said}");
        document["textual_header"]["lines"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(line(&brackets, "cp1047"), "C 1 []");
    let mut cyrillic = Wild::new(2, 10).line("C 1 ");
    cyrillic.text[4..7].copy_from_slice(&[0x8F, 0xE0, 0xAE]);
    let (_, said) = cyrillic.imported(&[]);
    assert!(said.contains("3 characters of the textual header are not ASCII") && said.contains("cp866"), "{said}");
    assert_eq!(line(&cyrillic, "cp866"), "C 1 Про");
}

#[test]
fn the_time_of_the_recording_has_the_milliseconds_where_writers_put_them() {
    // 2019-04-28 13:50:38 UTC.
    let start = 1_556_459_438.0e9;
    let file = |byte: usize| {
        Wild::new(16, 10).each(move |i, trace| {
            for (byte, value) in [(157, 2019), (159, 118), (161, 13), (163, 50), (165, 38 + i as i32 / 4), (167, 4)] {
                put_i16(trace, byte, value);
            }
            put_i16(trace, byte, 250 * (i as i32 % 4));
        })
    };
    let every_250_ms: Vec<f64> = (0..16).map(|i| start + 0.25e9 * f64::from(i)).collect();
    for byte in [169, 181] {
        let file = file(byte);
        file.imported(&[]);
        assert_eq!(column(&file.path("out"), "recording_time"), every_250_ms, "{byte}");
    }
    // Weights that are no milliseconds, and dates that are none.
    let file = file(169).each(|i, trace| {
        put_i16(trace, 169, 3);
        put_i16(trace, 159, if i == 5 { 400 } else { 118 });
    });
    file.imported(&[]);
    let times = column(&file.path("out"), "recording_time");
    assert_eq!((times[0], times[4]), (start, start + 1e9));
    assert!(times[5].is_nan());
}

#[test]
fn angles_become_degrees_and_keep_their_unit() {
    let file = |unit: i32, x: i32, y: i32| {
        Wild::new(8, 10).binary(3501, 256).each(move |i, trace| {
            put_i16(trace, 71, -100);
            put_i16(trace, 89, if i == 7 { 1 } else { unit });
            put_i32(trace, 73, x);
            put_i32(trace, 77, y);
        })
    };
    for (unit, x, y) in [(2, -1_620_000, 18_090_000), (3, -450, 5025), (4, -4_300_000, 50_150_000)] {
        let file = file(unit, x, y);
        file.imported(&[]);
        let out = file.path("out");
        let (longitude, latitude) = (column(&out, "source_longitude"), column(&out, "source_latitude"));
        assert_eq!((longitude[0], latitude[6]), (-4.5, 50.25), "unit {unit}");
        assert!(longitude[7].is_nan());
        assert_eq!(unit_of(&out, "source_longitude"), "degrees");
    }
    let file = file(2, 1, 1).each(|_, trace| put_i16(trace, 89, 2));
    let (document, _) = file.imported(&["--coords", "source_x"]);
    assert_eq!(unit_of(&file.path("out"), "source_x_scaled"), "seconds of arc");
    let group: serde_json::Value = serde_json::from_slice(&std::fs::read(file.path("out/zarr.json")).unwrap()).unwrap();
    assert_eq!(group["consolidated_metadata"]["metadata"]["source_x"]["attributes"]["units"], "seconds of arc");
    let columns = document["columns"].as_array().unwrap();
    let of = |name: &str| columns.iter().find(|c| c["name"] == name).unwrap();
    assert_eq!((&of("source_x")["first_byte"], &of("source_x")["because"]), (&73.into(), &"SEG-Y rev 1.0".into()));
    assert!(!columns.iter().any(|c| c["name"] == "receiver_longitude"));
}

//! Dead, zero and duplicate traces: columns and counts, the same however the file was cut.

use std::path::Path;

use arrow::array::AsArray;

use crate::support::Survey;

const TRACES: usize = 3000;
const SAMPLES: usize = 60;
const STRIDE: usize = 240 + 4 * SAMPLES;

/// A survey with some traces changed: their samples, from what they were and those of the trace before.
fn survey_with(change: impl Fn(usize, &mut [u8], &[u8])) -> Survey {
    let (traces, samples) = (TRACES.to_string(), SAMPLES.to_string());
    let survey = Survey::new(&["--kind", "prestack", "--traces", &traces, "--samples", &samples]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let mut before = vec![0; STRIDE];
    for (i, trace) in bytes[3600..].chunks_mut(STRIDE).enumerate() {
        change(i, trace, &before);
        before.copy_from_slice(trace);
    }
    std::fs::write(&survey.input, bytes).unwrap();
    survey
}

fn flags(out: &Path, name: &str) -> Vec<usize> {
    let file = std::fs::File::open(out.join("headers.parquet")).unwrap();
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = builder.build().unwrap().map(Result::unwrap);
    let values = batches.flat_map(|b| b[name].as_boolean().iter().flatten().collect::<Vec<_>>());
    values.enumerate().filter_map(|(i, v)| v.then_some(i)).collect()
}

#[test]
fn traces_are_flagged_the_same_however_the_file_is_cut() {
    let zeros = |i: usize| i % 97 == 3 || (1000..1010).contains(&i);
    let repeats = |i: usize| i.is_multiple_of(100) && i > 0 || (2050..2070).contains(&i) || i == 1010;
    let survey = survey_with(|i, trace, before| {
        if zeros(i) {
            // A zero with an exponent is zero too.
            trace[240..].fill(0);
            trace[248] = 0x42;
        } else if repeats(i) {
            trace[240..].copy_from_slice(&before[240..]);
        }
        if i % 500 == 7 {
            trace[28..30].copy_from_slice(&2i16.to_be_bytes());
        }
    });
    let one = survey.import("one", &[]);
    let (mut zero, mut repeated) = (Vec::new(), Vec::new());
    for i in 0..TRACES {
        // Repetitions of zero are zero and nothing else.
        match zeros(i) || repeats(i) && zero.last() == Some(&(i - 1)) {
            true => zero.push(i),
            false if repeats(i) => repeated.push(i),
            false => {}
        }
    }
    assert_eq!((flags(&one, "is_zero"), flags(&one, "is_duplicate")), (zero.clone(), repeated.clone()));
    assert_eq!(flags(&one, "is_dead"), [7, 507, 1007, 1507, 2007, 2507]);
    let counts: serde_json::Value = serde_json::from_slice(&std::fs::read(one.join("metadata.json")).unwrap()).unwrap();
    assert_eq!(counts["counts"]["n_dead"], 6);
    assert_eq!(counts["counts"]["n_duplicate"], repeated.len());
    assert_eq!(counts["counts"]["n_zero"], zero.len());

    let cut = ["--chunk-traces", "50", "--parallel-threshold", "0", "--workers", "2"];
    // Without gathers the table has no numbers of gathers.
    let even = survey.import("even", &["--gather", "none"]);
    let same = |name: &str, more: &[&str]| {
        let one = if more.contains(&"none") { &even } else { &one };
        let out = survey.import(name, &[&cut, more].concat());
        let table = |dataset: &std::path::Path| std::fs::read(dataset.join("headers.parquet")).unwrap();
        assert!(table(&out) == table(one), "{name}");
    };
    same("three", &["--segments", "3"]);
    same("nine", &["--segments", "9", "--gather", "none"]);
    same("pread", &["--segments", "4", "--io", "pread"]);
}

#[test]
fn long_traces_are_flagged_without_their_samples_at_hand() {
    let survey = Survey::new(&["--traces", "9", "--samples", "100000", "--format", "5"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let stride = 240 + 400_000;
    let trace = |i: usize| 3600 + i * stride + 240..3600 + (i + 1) * stride;
    bytes.copy_within(trace(3), trace(4).start);
    bytes.copy_within(trace(5), trace(6).start);
    bytes[trace(6).end - 1] ^= 1;
    bytes[trace(8)].fill(0);
    std::fs::write(&survey.input, bytes).unwrap();
    let out = survey.import("out", &["--segments", "3", "--gather", "none"]);
    assert_eq!((flags(&out, "is_duplicate"), flags(&out, "is_zero")), (vec![4], vec![8]));
}

/// Of a grid, and of rows beyond a segment, only the beginnings of traces are read for their flags, unless those do not tell.
#[test]
fn traces_of_a_grid_are_flagged_by_their_beginnings_or_by_all_of_them() {
    const STRIDE: usize = 240 + 4 * 700;
    let survey = Survey::new(&["--inlines", "1:20", "--crosslines", "1:30", "--samples", "700"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let mut traces: Vec<&mut [u8]> = bytes[3600..].chunks_mut(STRIDE).map(|trace| &mut trace[240..]).collect();
    for i in 1..traces.len() {
        let (before, here) = traces.split_at_mut(i);
        let (before, here) = (&before[i - 1], &mut here[0]);
        match i % 50 {
            // The same, the same but for the last sample, and alike only at the beginning.
            3 => here.copy_from_slice(before),
            5 => {
                here.copy_from_slice(before);
                here[2799] ^= 1;
            }
            7 => here[..400].copy_from_slice(&before[..400]),
            // Zero, with exponents, zero but for the end, and zero at the beginning.
            10..13 => here.fill(0),
            13 => here.chunks_mut(4).for_each(|word| word.copy_from_slice(&[0x42, 0, 0, 0])),
            15 => {
                here.fill(0);
                here[2796..2798].copy_from_slice(&[0x42, 9]);
            }
            17 => here[..384].fill(0),
            _ => {}
        }
    }
    std::fs::write(&survey.input, bytes).unwrap();
    let every = |places: &[usize]| {
        let mut all: Vec<usize> = (0..12).flat_map(|k| places.iter().map(move |place| 50 * k + place)).collect();
        all.sort_unstable();
        all
    };
    let cut = ["--parallel-threshold", "0", "--segments", "3"];
    for options in [
        &["--grid", "inline,crossline", "--brick", "8,8,64"][..],
        &["--grid", "inline,crossline", "--brick", "8,8,64", "--io", "mmap"],
        &["--chunk-traces", "50"],
        &["--chunk-traces", "50", "--times", "800:"],
        &["--grid", "inline,crossline", "--times", "800:"],
    ] {
        let out = survey.import("out", &[options, &cut, &["--overwrite"]].concat());
        let tables = if options[0] == "--grid" { out.join("segy") } else { out };
        let found = (flags(&tables, "is_duplicate"), flags(&tables, "is_zero"));
        assert_eq!(found, (every(&[3]), every(&[10, 11, 12, 13])), "{options:?}");
    }
}

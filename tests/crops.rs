//! Parts of a dataset as SEG-Y files, and files with samples and headers from elsewhere.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Survey, program, python, random_numbers, run, stderr, stdout};

pub(crate) const FILE_HEADER: usize = 3600;
pub(crate) const HEADER: usize = 240;
pub(crate) const N_SAMPLES: usize = 50;
pub(crate) const TRACE: usize = HEADER + 4 * N_SAMPLES;
pub(crate) const GRID: &[&str] = &["--grid", "inline,crossline", "--brick", "7,6,16"];
pub(crate) const FLAT: &[&str] = &["--chunk-traces", "37"];
pub(crate) const CUT: &[&str] = &["--chunk-traces", "37", "--chunk-samples", "13", "--order", "trace-sample"];
/// Values of an inline or crossline, and times, that are in the middle of a volume.
pub(crate) const SOME: &[&str] = &["--inlines", "5:9", "--crosslines", "3:", "--times", "40:120ms"];

/// A volume of 20 × 17 traces whose inlines and crosslines count from 1, with samples every 4 ms.
pub(crate) fn volume(format: &str) -> Survey {
    let survey = Survey::new(&["--kind", "poststack", "--traces", "340", "--samples", "50", "--format", format]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for (i, trace) in bytes[FILE_HEADER..].chunks_mut(TRACE).enumerate() {
        put(trace, 189, i as i32 / 17 + 1);
        put(trace, 193, i as i32 % 17 + 1);
        put(trace, 181, 1000 + 10 * (i as i32 / 17));
        put(trace, 185, 2000 + 10 * (i as i32 % 17));
        trace[70..72].copy_from_slice(&1_i16.to_be_bytes());
        put(trace, 37, i as i32);
    }
    std::fs::write(&survey.input, bytes).unwrap();
    survey
}

pub(crate) fn put(header: &mut [u8], byte: usize, value: i32) {
    header[byte - 1..byte + 3].copy_from_slice(&value.to_be_bytes());
}

pub(crate) fn field(header: &[u8], byte: usize) -> i32 {
    i32::from_be_bytes(header[byte - 1..byte + 3].try_into().unwrap())
}

pub(crate) fn short(header: &[u8], byte: usize) -> i16 {
    i16::from_be_bytes(header[byte - 1..byte + 1].try_into().unwrap())
}

pub(crate) fn traces(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file[FILE_HEADER..].chunks(TRACE)
}

/// The file with the wanted traces and samples alone, made in the slowest way.
pub(crate) fn crop(file: &[u8], wanted: impl Fn(&[u8]) -> bool, samples: Range<usize>) -> Vec<u8> {
    let n = (samples.len() as i16).to_be_bytes();
    let mut out = file[..FILE_HEADER].to_vec();
    out[3220..3222].copy_from_slice(&n);
    for trace in traces(file).filter(|trace| wanted(trace)) {
        let mut header = trace[..HEADER].to_vec();
        header[114..116].copy_from_slice(&n);
        let delay = short(&header, 109) + 4 * samples.start as i16;
        header[108..110].copy_from_slice(&delay.to_be_bytes());
        out.extend(header);
        out.extend(&trace[HEADER + 4 * samples.start..HEADER + 4 * samples.end]);
    }
    out
}

/// Exports, and returns the file and what was said.
pub(crate) fn exported(out: &Path, options: &[&str]) -> (Vec<u8>, String) {
    let back = out.with_file_name("back.sgy");
    let paths = [out.to_str().unwrap(), back.to_str().unwrap(), "--overwrite"];
    let output = run(&[&["export"], &paths[..], options].concat());
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
    (std::fs::read(&back).unwrap(), stdout(&output) + &stderr(&output))
}

/// What an export says that is refused, with nothing written.
pub(crate) fn refused(out: &Path, options: &[&str]) -> String {
    let directory = out.with_file_name("refused");
    std::fs::create_dir_all(&directory).unwrap();
    let back = directory.join("back.sgy");
    let output = run(&[&["export", out.to_str().unwrap(), back.to_str().unwrap()], options].concat());
    assert!(matches!(output.status.code(), Some(2 | 3)), "{options:?}: {:?} {}", output.status, stderr(&output));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "{options:?}");
    stderr(&output)
}

pub(crate) fn same(found: &[u8], expected: &[u8], what: &str) {
    let first = found.iter().zip(expected).position(|(a, b)| a != b);
    assert!(found == expected, "{what}: {} and {} bytes, other at {first:?}", found.len(), expected.len());
}

#[test]
fn a_crop_has_the_bytes_of_its_traces_with_other_numbers() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    let wanted = |header: &[u8]| (5..9).contains(&field(header, 189)) && field(header, 193) >= 3;
    for (name, options) in [("grid", GRID), ("flat", FLAT), ("cut", CUT)] {
        let out = survey.import(name, options);
        let (found, said) = exported(&out, SOME);
        same(&found, &crop(&file, wanted, 10..30), name);
        assert!(said.contains("60 traces"), "{said}");
        let (found, _) = exported(&out, &["--times", ":100"]);
        same(&found, &crop(&file, |_| true, 0..25), name);
        let (found, _) = exported(&out, &["--inlines", "20:"]);
        same(&found, &crop(&file, |header| field(header, 189) == 20, 0..50), name);
        let (found, _) = exported(&out, &[SOME, &["--traces", "0:100"]].concat());
        same(&found, &crop(&file, |header| wanted(header) && field(header, 37) < 100, 10..30), name);
        same(&exported(&out, &[]).0, &file, name);
    }
}

/// What the exports of `docs/edit.md` have after the word `export`, quotes and brackets taken out.
fn documented_exports() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/edit.md")).unwrap();
    let words = |line: &str| -> Vec<String> {
        line.replace(['"', ',', '[', ']', '(', ')'], " ").split_whitespace().map(str::to_owned).collect()
    };
    let lines = text.lines().filter(|line| line.starts_with("segy-import export") || line.contains("\"export\""));
    lines.map(|line| words(line).into_iter().skip_while(|word| word != "export").skip(1).collect()).collect()
}

#[test]
fn the_exports_of_the_documentation_go_to_files_of_their_own_and_select_some_lines() {
    let exports = documented_exports();
    let mut targets: Vec<&str> = exports.iter().map(|words| words[1].as_str()).collect();
    assert!(targets.len() >= 5 && targets.contains(&"part.sgy"), "{targets:?}");
    targets.sort_unstable();
    assert!(targets.windows(2).all(|pair| pair[0] != pair[1]), "{targets:?}");
    // The volume of the README.
    for (option, last) in [("--inlines", 200), ("--crosslines", 300)] {
        let values = exports.iter().filter_map(|words| words.iter().skip_while(|word| *word != option).nth(1));
        for value in values {
            let (start, end) = value.split_once(':').unwrap();
            let [start, end] = [start, end].map(|text| text.parse::<i32>().unwrap());
            assert!(start >= 1 && (end - 1).min(last) - start >= 50, "{option} {value}");
        }
    }
}

#[test]
fn conditions_and_polygons_choose_traces() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    let polygon = survey.path("a.geojson");
    let ring = [[1015, 2015], [1045, 2015], [1045, 2155], [1015, 2155]];
    std::fs::write(&polygon, json!({"type": "Polygon", "coordinates": [ring]}).to_string()).unwrap();
    for options in [GRID, FLAT] {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        let (found, _) = exported(&out, &["--where", "mod(offset, 3) == 0 and inline < 4 or trace_index = 339"]);
        let wanted = |header: &[u8]| {
            let offset = field(header, 37);
            offset % 3 == 0 && field(header, 189) < 4 || offset == 339
        };
        same(&found, &crop(&file, wanted, 0..50), "where");
        // The same fields by the names of segyio and Seismic Unix.
        let other_names =
            "mod(Source_To_Receiver_Distance, 3) == 0 and iline < 4 and CDPX_scaled > 0 or Trace_Index = 339";
        same(&exported(&out, &["--where", other_names]).0, &found, "other names");
        let (found, _) = exported(&out, &["--polygon", polygon.to_str().unwrap()]);
        let inside = |header: &[u8]| (3..=5).contains(&field(header, 189)) && (3..=16).contains(&field(header, 193));
        same(&found, &crop(&file, inside, 0..50), "polygon");
    }
}

#[test]
fn a_crop_converts_as_a_whole_file_does() {
    let survey = volume("1");
    for options in [GRID, FLAT, CUT] {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        let (all, _) = exported(&out, &["--format", "6", "--endian", "little"]);
        let (part, _) = exported(&out, &[SOME, &["--format", "6", "--endian", "little"]].concat());
        let long = HEADER + 8 * N_SAMPLES;
        let at = |trace: &[u8], byte: usize| i32::from_le_bytes(trace[byte - 1..byte + 3].try_into().unwrap());
        let wanted = all[FILE_HEADER..].chunks(long).filter(|t| (5..9).contains(&at(t, 189)) && at(t, 193) >= 3);
        for (found, whole) in part[FILE_HEADER..].chunks(HEADER + 8 * 20).zip(wanted.collect::<Vec<_>>()) {
            assert!(found[HEADER..] == whole[HEADER + 8 * 10..HEADER + 8 * 30]);
            assert_eq!(
                (at(found, 37), &found[108..110], &found[114..116]),
                (at(whole, 37), &[40, 0][..], &[20, 0][..])
            );
        }
        assert_eq!((part.len(), &part[3220..3222]), (FILE_HEADER + 60 * (HEADER + 160), &[20, 0][..]));
    }
}

/// An array of 4-byte floats in one uncompressed chunk.
fn zarr(path: &Path, version: u32, names: &[&str], shape: &[usize], values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write_zarr(path, version, names, shape, "<f4", "float32", &bytes);
}

/// The coordinate of a dimension.
fn coordinate(group: &Path, version: u32, name: &str, values: &[f64]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write_zarr(&group.join(name), version, &[name], &[values.len()], "<f8", "float64", &bytes);
}

fn write_zarr(path: &Path, version: u32, names: &[&str], shape: &[usize], v2: &str, v3: &str, bytes: &[u8]) {
    let _ = std::fs::remove_dir_all(path);
    let chunk = if version == 2 {
        let zarray = json!({
            "zarr_format": 2, "shape": shape, "chunks": shape, "dtype": v2, "compressor": null, "fill_value": 0.0,
            "order": "C", "filters": null
        });
        std::fs::create_dir_all(path).unwrap();
        std::fs::write(path.join(".zarray"), zarray.to_string()).unwrap();
        std::fs::write(path.join(".zattrs"), json!({"_ARRAY_DIMENSIONS": names}).to_string()).unwrap();
        path.join(vec!["0"; shape.len()].join("."))
    } else {
        let document = json!({
            "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": v3, "fill_value": 0.0,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "dimension_names": names, "attributes": {}
        });
        let chunk = shape.iter().fold(path.join("c"), |path, _| path.join("0"));
        std::fs::create_dir_all(chunk.parent().unwrap()).unwrap();
        std::fs::write(path.join("zarr.json"), document.to_string()).unwrap();
        chunk
    };
    std::fs::write(chunk, bytes).unwrap();
}

/// What is put at a place of the volume, and the samples of a file as such.
fn value(inline: usize, crossline: usize, sample: usize) -> f32 {
    (inline * 10_000 + crossline * 100 + sample) as f32 / 8.0
}

/// The file with these samples as big-endian IEEE floats.
fn replaced(file: &[u8], format: u16, sample_of: impl Fn(&[u8], usize) -> u32) -> Vec<u8> {
    let mut out = file.to_vec();
    let n = (out[3220] as usize) << 8 | out[3221] as usize;
    out[3224..3226].copy_from_slice(&format.to_be_bytes());
    for trace in out[FILE_HEADER..].chunks_mut(HEADER + 4 * n) {
        let (header, samples) = trace.split_at_mut(HEADER);
        for (i, word) in samples.chunks_mut(4).enumerate() {
            word.copy_from_slice(&sample_of(header, i).to_be_bytes());
        }
    }
    out
}

fn value_at(header: &[u8], first: usize, i: usize) -> f32 {
    value(field(header, 189) as usize, field(header, 193) as usize, first + i)
}

/// A crop of a volume in a group: times, crosslines from the last to the first, inlines.
fn turned_crop(group: &Path, version: u32) -> PathBuf {
    let (times, crosslines, inlines) = (10..30, [9, 8, 7, 5], [4, 6, 7]);
    let mut values = Vec::new();
    for time in times.clone() {
        for crossline in crosslines {
            values.extend(inlines.map(|inline| value(inline, crossline, time)));
        }
    }
    let array = group.join("amplitude");
    std::fs::create_dir_all(group).unwrap();
    std::fs::write(group.join("zarr.json"), json!({"zarr_format": 3, "node_type": "group"}).to_string()).unwrap();
    zarr(&array, version, &["time", "crossline", "inline"], &[20, 4, 3], &values);
    coordinate(group, version, "time", &times.map(|i| 4.0 * i as f64).collect::<Vec<_>>());
    coordinate(group, version, "crossline", &crosslines.map(|x| x as f64));
    coordinate(group, version, "inline", &inlines.map(|x| x as f64));
    array
}

#[test]
fn samples_come_from_a_part_with_coordinates_in_any_order() {
    let survey = volume("5");
    let file = std::fs::read(&survey.input).unwrap();
    let wanted = |header: &[u8]| [4, 6, 7].contains(&field(header, 189)) && [5, 7, 8, 9].contains(&field(header, 193));
    let expected = replaced(&crop(&file, wanted, 10..30), 5, |header, i| value_at(header, 10, i).to_bits());
    for version in [2, 3] {
        let array = turned_crop(&survey.path(&format!("group {version}")), version);
        for (name, options) in [("grid", GRID), ("flat", FLAT), ("cut", CUT)] {
            let out = survey.import(name, &[options, &["--overwrite"]].concat());
            let (found, said) = exported(&out, &["--samples", array.to_str().unwrap()]);
            same(&found, &expected, name);
            assert!(said.contains("12 traces") && said.contains("samples of"), "{said}");
            let (found, _) =
                exported(&out, &["--samples", array.to_str().unwrap(), "--inlines", "5:7", "--times", "60:"]);
            let fewer = crop(&file, |header| wanted(header) && field(header, 189) == 6, 15..30);
            same(&found, &replaced(&fewer, 5, |header, i| value_at(header, 15, i).to_bits()), name);
        }
    }
}

fn npy(path: &Path, descr: &str, shape: &[usize], bytes: &[u8]) {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    std::fs::write(path, [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat()).unwrap();
}

#[test]
fn samples_of_the_same_shape_need_no_coordinates() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    let path = survey.path("new.npy");
    let path_text = path.to_str().unwrap().to_owned();
    for (name, options) in [("grid", GRID), ("flat", FLAT), ("cut", CUT)] {
        let out = survey.import(name, options);
        let all: Vec<f32> = (0..340).flat_map(|i| (0..50).map(move |k| value(i / 17 + 1, i % 17 + 1, k))).collect();
        let (values, shape): (Vec<f32>, &[usize]) = match name {
            "grid" => (all, &[20, 17, 50]),
            "cut" => (all, &[340, 50]),
            _ => ((0..50).flat_map(|k| (0..340).map(move |i| value(i / 17 + 1, i % 17 + 1, k))).collect(), &[50, 340]),
        };
        // Float32 becomes what the file has, IBM floats; doubles become IEEE floats.
        npy(&path, "<f4", shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        let (found, said) = exported(&out, &["--samples", &path_text]);
        assert!(said.contains("IBM float32"), "{said}");
        assert_eq!(found[..FILE_HEADER], file[..FILE_HEADER]);
        for (found, whole) in traces(&found).zip(traces(&file)) {
            assert_eq!(found[..HEADER], whole[..HEADER]);
            for (i, word) in found[HEADER..].as_chunks().0.iter().enumerate() {
                assert_eq!(ibm(u32::from_be_bytes(*word)), f64::from(value_at(found, 0, i)));
            }
        }
        let doubles: Vec<u8> = values.iter().flat_map(|v| (f64::from(*v) + 1e-9).to_be_bytes()).collect();
        npy(&path, ">f8", shape, &doubles);
        let (found, said) = exported(&out, &["--samples", &path_text]);
        assert!(said.contains("IEEE float32"), "{said}");
        same(&found, &replaced(&file, 5, |h, i| ((f64::from(value_at(h, 0, i)) + 1e-9) as f32).to_bits()), name);
        npy(&path, "<f4", &[shape[0], shape[1]], &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        if name == "grid" {
            assert!(refused(&out, &["--samples", &path_text]).contains("has the shape [20, 17]"));
        }
    }
}

fn ibm(word: u32) -> f64 {
    let magnitude = f64::from(word & 0xFF_FFFF) * 16f64.powi((word >> 24 & 0x7F) as i32 - 70);
    if word >> 31 == 1 { -magnitude } else { magnitude }
}

#[test]
fn places_without_a_trace_are_skipped_and_traces_without_a_number_named() {
    let survey = volume("1");
    let mut bytes = std::fs::read(&survey.input).unwrap();
    // Without the trace of inline 1, crossline 2.
    bytes.drain(FILE_HEADER + TRACE..FILE_HEADER + 2 * TRACE);
    std::fs::write(&survey.input, &bytes).unwrap();
    let out = survey.import("out", GRID);
    let path = survey.path("new.npy");
    let written = |at: usize, new: f32| {
        let mut values: Vec<f32> = (0..20 * 17 * 50).map(|i| i as f32).collect();
        values[50..100].fill(f32::NAN);
        values[at] = new;
        npy(&path, "<f4", &[20, 17, 50], &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    };
    let options = ["--samples", path.to_str().unwrap()];
    written(0, 1.0);
    let (found, said) = exported(&out, &options);
    assert!(found.len() == bytes.len() && !said.contains("left out"), "{said}");
    written(60, 1.0);
    assert!(exported(&out, &options).1.contains("samples at 1 place without a trace, which are left out"));
    written(103, f32::NAN);
    let why = refused(&out, &options);
    assert!(why.contains("trace 2, sample 4: NaN is beyond IBM float32") && why.contains("--nan"), "{why}");
    let (found, _) = exported(&out, &[&options[..], &["--nan", "-1"]].concat());
    assert_eq!(ibm(u32::from_be_bytes(*traces(&found).nth(1).unwrap()[HEADER + 12..].first_chunk().unwrap())), -1.0);
}

#[test]
fn arrays_that_do_not_belong_to_the_dataset_are_refused() {
    let survey = volume("5");
    let (grid, flat) = (survey.import("grid", GRID), survey.import("flat", FLAT));
    let group = survey.path("group");
    let cases: [(&str, &dyn Fn(), &str); 9] = [
        ("inline", &|| coordinate(&group, 3, "inline", &[4.0, 6.0, 99.0]), "inline 99"),
        ("inline", &|| coordinate(&group, 3, "inline", &[4.0, 6.0, 6.0]), "inline 6 twice"),
        ("inline", &|| coordinate(&group, 3, "inline", &[4.0, 6.0]), "has the shape [2]"),
        ("inline", &|| std::fs::remove_dir_all(group.join("inline")).unwrap(), "no array inline beside it"),
        ("time", &|| coordinate(&group, 3, "time", &(0..20).map(|i| 8.0 * f64::from(i)).collect::<Vec<_>>()), "time 8"),
        (
            "time",
            &|| coordinate(&group, 3, "time", &(40..60).map(|i| 4.0 * f64::from(i)).collect::<Vec<_>>()),
            "time 200",
        ),
        ("time", &|| std::fs::remove_dir_all(group.join("time")).unwrap(), "has 20 samples, and the dataset 50"),
        (
            "names",
            &|| zarr(&group.join("amplitude"), 3, &["time", "crossline", "azimuth"], &[20, 4, 3], &[0.0; 240]),
            "azimuth",
        ),
        (
            "names",
            &|| zarr(&group.join("amplitude"), 3, &["x", "crossline", "inline"], &[20, 4, 3], &[0.0; 240]),
            "that of the samples",
        ),
    ];
    for (what, spoil, expected) in cases {
        let array = turned_crop(&group, 3);
        spoil();
        for out in [&grid, &flat] {
            let why = refused(out, &["--samples", array.to_str().unwrap()]);
            assert!(why.contains(expected), "{what}: {why}");
        }
    }
    let array = turned_crop(&group, 3);
    zarr(&array, 3, &["time", "inline"], &[20, 3], &[0.0; 60]);
    let samples = ["--samples", array.to_str().unwrap()];
    assert!(refused(&grid, &samples).contains("has no dimension crossline"));
    assert!(refused(&flat, &samples).contains("traces 52 and 53 have the same inline"));
    assert!(refused(&flat, &["--samples", grid.to_str().unwrap()]).contains("is a group; name an array in it"));
}

#[test]
fn parts_of_a_grid_with_holes_have_fewer_traces_and_no_unknown_values() {
    let survey = volume("5");
    let bytes = std::fs::read(&survey.input).unwrap();
    // Inline 4 has no crosslines 2 and 3, and inline 6 none at all but 9.
    let is_there = |header: &[u8]| match (field(header, 189), field(header, 193)) {
        (4, crossline) => ![2, 3].contains(&crossline),
        (6, crossline) => crossline == 9,
        _ => true,
    };
    let file =
        [&bytes[..FILE_HEADER], &traces(&bytes).filter(|trace| is_there(trace)).collect::<Vec<_>>().concat()].concat();
    std::fs::write(&survey.input, &file).unwrap();
    let array = survey.path("part/amplitude");
    let group = survey.path("part");
    let all = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0];
    let line = |inline: f64, values: &[f32]| {
        zarr(&array, 3, &["crossline", "time"], &[17, 50], values);
        coordinate(&group, 3, "crossline", &all);
        coordinate(&group, 3, "time", &(0..50).map(|i| 4.0 * f64::from(i)).collect::<Vec<_>>());
        write_zarr(&group.join("inline"), 3, &[], &[], "<f8", "float64", &inline.to_le_bytes());
    };
    std::fs::create_dir_all(&group).unwrap();
    let out = survey.import("grid", GRID);
    for inline in [4, 6] {
        line(f64::from(inline), &[7.0; 850]);
        let (found, said) = exported(&out, &["--samples", array.to_str().unwrap()]);
        let expected = crop(&file, |header| field(header, 189) == inline, 0..50);
        same(&found, &replaced(&expected, 5, |_, _| 7.0_f32.to_bits()), &format!("inline {inline}"));
        assert!(said.contains("without a trace"), "{said}");
    }
    line(99.0, &[7.0; 850]);
    assert!(refused(&out, &["--samples", array.to_str().unwrap()]).contains("inline 99 is not in the dataset"));
}

#[test]
fn sorted_traces_are_noticed_by_the_header_fields_beside_them() {
    let survey = volume("5");
    let out = survey.import("flat", FLAT);
    let group = survey.path("sorted");
    let array = group.join("amplitude");
    let values: Vec<f32> = (0..50 * 340).map(|i| i as f32).collect();
    let inlines = |order: &dyn Fn(usize) -> usize| (0..340).map(|i| (order(i) / 17 + 1) as f64).collect::<Vec<_>>();
    let options = ["--samples", array.to_str().unwrap()];
    zarr(&array, 3, &["sample", "trace"], &[50, 340], &values);
    let beside = |values: &[f64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        write_zarr(&group.join("inline"), 3, &["trace"], &[values.len()], "<f8", "float64", &bytes);
    };
    let (plain, _) = exported(&out, &options);
    beside(&inlines(&|i| i));
    assert!(exported(&out, &options).0 == plain);
    beside(&inlines(&|i| 339 - i));
    let why = refused(&out, &options);
    assert!(
        why.contains("its inline is not that of the dataset at trace 1") && why.contains("an array trace"),
        "{why}"
    );
    // Numbered, they are found again.
    coordinate(&group, 3, "trace", &(0..340).rev().map(f64::from).collect::<Vec<_>>());
    let (turned, _) = exported(&out, &options);
    for (i, (turned, plain)) in traces(&turned).zip(traces(&plain).collect::<Vec<_>>().into_iter().rev()).enumerate() {
        assert!(turned[HEADER..] == plain[HEADER..], "trace {i}");
    }
}

fn csv(path: &Path, lines: impl IntoIterator<Item = String>) {
    std::fs::write(path, lines.into_iter().collect::<Vec<_>>().join("\n")).unwrap();
}

#[test]
fn a_table_is_written_over_the_headers() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    let table = survey.path("new.csv");
    let options = ["--headers", table.to_str().unwrap()];
    let (grid, flat) = (survey.import("grid", GRID), survey.import("flat", FLAT));
    let mut expected = file.clone();
    for (i, trace) in expected[FILE_HEADER..].chunks_mut(TRACE).enumerate() {
        put(trace, 181, 7 * i as i32 - 3);
        trace[108..110].copy_from_slice(&(i as i16 - 400).to_be_bytes());
    }
    let row = |i: i32| format!("{i}, {}, {}.0", 7 * i - 3, i - 400);
    let head = "trace_index,cdp_x,delay_recording_time".to_owned();
    csv(&table, std::iter::once(head.clone()).chain((0..340).rev().map(row)));
    for out in [&grid, &flat] {
        let (found, said) = exported(out, &options);
        same(&found, &expected, "by trace_index");
        assert!(said.contains("680 header values changed in 340 traces"), "{said}");
        let (found, _) = exported(out, &[&options[..], SOME].concat());
        let wanted = |header: &[u8]| (5..9).contains(&field(header, 189)) && field(header, 193) >= 3;
        same(&found, &crop(&expected, wanted, 10..30), "with a crop");
    }
    let by_keys = |i: i32| format!("{},{},{},{}", i % 17 + 1, i - 400, i / 17 + 1, 7 * i - 3);
    csv(&table, std::iter::once("crossline,delay_recording_time,inline,cdp_x".into()).chain((0..340).map(by_keys)));
    same(&exported(&grid, &options).0, &expected, "by keys");
    assert!(refused(&flat, &options).contains("has no column trace_index"));

    for (spoiled, value, message) in [
        (5, "5,1,40000".to_owned(), "row 6: its delay_recording_time 40000 is beyond i16, the type of bytes 109-110"),
        (5, "5,1.5,4".into(), "row 6: its cdp_x 1.5 is not a whole number"),
        (5, "5,,4".into(), "row 6: its cdp_x is not a number"),
        (5, "4,1,4".into(), "row 6: it is the second one for trace 5"),
        (5, "340,1,4".into(), "row 6: trace_index 340 is not in the dataset"),
        (339, String::new(), "has no row for trace 340"),
        (5, "5,1".into(), "a line of it has 2 values"),
    ] {
        let row = |i: i32| if i == spoiled { value.clone() } else { row(i) };
        csv(&table, std::iter::once(head.clone()).chain((0..340).map(row)));
        let why = refused(&flat, &options);
        assert!(why.contains(message), "{why}");
    }
    for (head, message) in [
        ("trace_index,cdp_xx", "cdp_xx is no header field of the dataset; did you mean \"cdp_x\""),
        ("trace_index,cdp_x_scaled", "no column that is a header field"),
        ("trace_index,sample_count", "says how long the trace is"),
        ("trace_index,cdp_x,cdp_x", "has two columns cdp_x"),
    ] {
        csv(&table, std::iter::once(head.into()).chain((0..340).map(|i| format!("{i},1"))));
        let why = refused(&flat, &options);
        assert!(why.contains(message), "{why}");
    }
}

#[test]
fn the_table_of_the_dataset_itself_changes_nothing() {
    let survey = volume("1");
    let out = survey.import("out", GRID);
    let table = out.join("segy/headers.parquet");
    let (found, said) = exported(&out, &["--headers", table.to_str().unwrap()]);
    same(&found, &std::fs::read(&survey.input).unwrap(), "headers.parquet");
    assert!(
        said.contains("0 header values changed") && said.contains("not written: ") && said.contains("is_dead"),
        "{said}"
    );
}

#[test]
fn lines_of_the_textual_header_are_replaced() {
    let survey = volume("1");
    let out = survey.import("out", FLAT);
    let (found, _) = exported(&out, &["--text-line", "3=C 3 MUTED [2 S]", "--text-line", "40=C40 END"]);
    let text = stdout(&run(&["inspect", "--json", out.with_file_name("back.sgy").to_str().unwrap()]));
    assert!(text.contains("\"C 3 MUTED [2 S]\"") && text.contains("\"C40 END\""), "{text}");
    let file = std::fs::read(&survey.input).unwrap();
    assert_eq!((&found[..160], &found[240..3120], &found[3200..]), (&file[..160], &file[240..3120], &file[3200..]));
}

#[test]
fn an_empty_or_impossible_selection_is_refused() {
    let survey = volume("1");
    for options in [GRID, FLAT] {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        let polygon = survey.path("far.geojson");
        let ring = [[0, 0], [1, 0], [1, 1]];
        std::fs::write(&polygon, json!({"type": "Polygon", "coordinates": [ring]}).to_string()).unwrap();
        for (selection, message) in [
            (["--inlines", "100:"], "has none of the 340 traces"),
            (["--times", "1s:2s"], "selects no sample: they go from 0 to 196 ms"),
            (["--times", "5m:10m"], "m are given, and the samples are counted along two-way time"),
            (["--where", "offset > 1000"], "has none of the 340 traces"),
            (["--where", "ofset > 1000"], "has no column ofset; did you mean \"offset\""),
            (["--where", "offset"], "compares nothing"),
            (["--where", "raw_header > 0"], "headers.parquet: the column raw_header has bytes, not numbers"),
            (["--where", "offset > 0 or RAW_HEADER > 0"], "the column RAW_HEADER has bytes, not numbers"),
            (["--polygon", polygon.to_str().unwrap()], "has none of the 340 traces"),
            (["--polygon", "nowhere.geojson"], "nowhere.geojson: cannot be read"),
            (["--samples", "nowhere"], "nowhere: cannot be read"),
            (["--headers", "nowhere.csv"], "nowhere.csv: cannot be read"),
            (["--text-line", "41=x"], "from 1 to 40"),
        ] {
            let why = refused(&out, &selection);
            assert!(why.contains(message), "{selection:?}: {why}");
        }
    }
}

/// A float32 as an integer times a power of two.
fn parts_of_float(value: f32) -> (i128, i32) {
    let (bits, sign) = (value.to_bits(), if value.is_sign_negative() { -1 } else { 1 });
    let (exponent, fraction) = ((bits >> 23 & 0xFF) as i32, i128::from(bits & 0x7F_FFFF));
    if exponent == 0 { (sign * fraction, -149) } else { (sign * (fraction | 1 << 23), exponent - 150) }
}

/// An IBM float likewise.
fn parts_of_ibm(word: u32) -> (i128, i32) {
    let fraction = i128::from(word & 0xFF_FFFF);
    (if word >> 31 == 1 { -fraction } else { fraction }, 4 * ((word >> 24 & 0x7F) as i32 - 64) - 24)
}

#[test]
fn a_million_floats_become_the_nearest_ibm_words() {
    const N: usize = 1000;
    let survey = Survey::new(&["--traces", "1000", "--samples", "1000", "--format", "1"]);
    let out = survey.import("out", &["--gather", "none"]);
    let mut random = random_numbers(17);
    let mut value = || loop {
        let value = f32::from_bits(random(1 << 32) as u32);
        if value.is_finite() {
            break value;
        }
    };
    let values: Vec<f32> = (0..N * N).map(|_| value()).collect();
    let path = survey.path("new.npy");
    npy(&path, "<f4", &[N, N], &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    let (found, _) = exported(&out, &["--samples", path.to_str().unwrap()]);
    let mut n_inexact = 0;
    for (trace, bytes) in found[FILE_HEADER..].chunks(HEADER + 4 * N).enumerate() {
        for (sample, word) in bytes[HEADER..].as_chunks().0.iter().enumerate() {
            let (value, word) = (values[sample * N + trace], u32::from_be_bytes(*word));
            let ((a, a_exponent), (b, b_exponent)) = (parts_of_float(value), parts_of_ibm(word));
            // In steps of the smaller power; zero has that of the other.
            let least = a_exponent.min(b_exponent);
            let (a, b) = (a << (a_exponent - least), b << (b_exponent - least));
            let (error, step) = ((a - b).abs(), 1_i128 << (b_exponent - least));
            let is_nearest = 2 * error < step || 2 * error == step && word & 1 == 0;
            let is_normalised = word & 0xF0_0000 != 0 || value == 0.0;
            assert!(is_nearest && is_normalised, "{value:e} became {word:#010x}");
            n_inexact += usize::from(error > 0);
        }
    }
    assert!(n_inexact > N * N / 2, "{n_inexact}");
}

#[test]
fn a_listed_sample_comes_from_the_array_and_not_from_the_word_that_was_kept() {
    // Not normalised, and with gains larger than needed: every sample of these is an exception.
    for (format, word) in [("1", 0x4200_0001_u32), ("4", 0x0003_0100)] {
        let survey = volume(format);
        let mut bytes = std::fs::read(&survey.input).unwrap();
        for trace in bytes[FILE_HEADER..].chunks_mut(TRACE) {
            trace[HEADER..].chunks_mut(4).for_each(|place| place.copy_from_slice(&word.to_be_bytes()));
        }
        std::fs::write(&survey.input, &bytes).unwrap();
        let out = survey.import("out", GRID);
        assert!(out.join("segy/exceptions.parquet").exists());
        let path = survey.path("new.npy");
        let values: Vec<u8> = (0..17_000).flat_map(|i| ((i % 1000) as f32).to_le_bytes()).collect();
        npy(&path, "<f4", &[20, 17, 50], &values);
        let (found, _) = exported(&out, &["--samples", path.to_str().unwrap()]);
        let words = traces(&found).flat_map(|trace| trace[HEADER..].as_chunks().0);
        for (i, found) in words.enumerate() {
            let found = u32::from_be_bytes(*found);
            let value = if format == "1" { ibm(found) } else { f64::from(found) };
            assert_eq!(value, (i % 1000) as f64, "format {format}, sample {i}: {found:#010x}");
        }
        same(&exported(&out, &SOME[..4]).0[FILE_HEADER + HEADER..][..200], &word.to_be_bytes().repeat(50), format);
    }
}

#[test]
fn traces_of_any_length_are_chosen_whole() {
    let survey = Survey::new(&["--traces", "40", "--samples", "50"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    let mut file = bytes[..FILE_HEADER].to_vec();
    file[3502..3504].fill(0);
    for (i, trace) in traces(&bytes).enumerate() {
        let n = 20 + i % 31;
        let mut trace = trace[..HEADER + 4 * n].to_vec();
        trace[114..116].copy_from_slice(&(n as u16).to_be_bytes());
        file.extend(trace);
    }
    std::fs::write(&survey.input, &file).unwrap();
    let out = survey.import("out", &["--ragged", "pad", "--chunk-traces", "7"]);
    let (found, _) = exported(&out, &["--where", "mod(sample_count, 3) == 0"]);
    let (mut expected, mut rest) = (file[..FILE_HEADER].to_vec(), &file[FILE_HEADER..]);
    while !rest.is_empty() {
        let n = short(rest, 115) as usize;
        let (trace, after) = rest.split_at(HEADER + 4 * n);
        if n.is_multiple_of(3) {
            expected.extend(trace);
        }
        rest = after;
    }
    same(&found, &expected, "ragged");
    assert!(refused(&out, &["--times", "40:"]).contains("its traces have different lengths"));
}

#[test]
fn one_of_several_files_is_cropped() {
    let survey = volume("1");
    let file = std::fs::read(&survey.input).unwrap();
    let (first, second) = (survey.path("a.sgy"), survey.path("b.sgy"));
    let half = FILE_HEADER + 170 * TRACE;
    std::fs::write(&first, &file[..half]).unwrap();
    let later = [&file[..FILE_HEADER], &file[half..]].concat();
    std::fs::write(&second, &later).unwrap();
    let (out, array) = (survey.path("out"), survey.path("new.npy"));
    let done = run(&[first.as_path(), &second, &out, Path::new("--grid"), Path::new("inline,crossline")]);
    assert!(done.status.success(), "{}", stderr(&done));
    let wanted = |header: &[u8]| (5..12).contains(&field(header, 189));
    let (found, _) = exported(&out, &["--file", "2", "--inlines", "5:12", "--times", "40:120"]);
    same(&found, &crop(&later, |header| field(header, 189) < 12, 10..30), "the second file");
    assert!(refused(&out, &["--inlines", "5:12"]).contains("choose it with --file"));
    let values: Vec<u8> = (0..17_000).flat_map(|i| (i as f32).to_le_bytes()).collect();
    npy(&array, "<f4", &[20, 17, 50], &values);
    let options = ["--samples", array.to_str().unwrap(), "--format", "5", "--file", "2", "--inlines", "5:12"];
    let (found, _) = exported(&out, &options);
    let expected = crop(&later, wanted, 0..50);
    same(
        &found,
        &replaced(&expected, 5, |header, i| ((field(header, 37) as usize * 50 + i) as f32).to_bits()),
        "samples",
    );
}

#[test]
fn traces_that_lie_aside_are_cropped_and_reported_as_left_out_of_arrays() {
    let survey = volume("1");
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let sixth: Vec<u8> = traces(&bytes).nth(5).unwrap().to_vec();
    bytes.extend(sixth);
    std::fs::write(&survey.input, &bytes).unwrap();
    let out = survey.import("out", &[GRID, &["--duplicates", "aside"]].concat());
    let (found, _) = exported(&out, &["--inlines", ":2", "--times", "40:120"]);
    same(&found, &crop(&bytes, |header| field(header, 189) == 1, 10..30), "with the second trace");
    assert!(exported(&out, &["--unedited"]).0 == bytes);
    let (found, said) = exported(&out, &["--samples", out.join("amplitude").to_str().unwrap()]);
    same(&found, &bytes[..bytes.len() - TRACE], "without the second trace");
    assert!(said.contains("1 trace in aside/ left out"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_export_that_is_killed_leaves_nothing() {
    let survey = Survey::new(&["--traces", "20000", "--samples", "200"]);
    let out = survey.import("out", &["--grid", "inline,crossline", "--brick", "8,8,8"]);
    let directory = survey.path("back");
    std::fs::create_dir(&directory).unwrap();
    let array = out.join("amplitude");
    let mut n_killed = 0;
    for milliseconds in [20, 40, 80, 120, 160, 240] {
        let mut child = std::process::Command::new(program())
            .args(["export".as_ref(), out.as_os_str(), directory.join("back.sgy").as_os_str(), "--samples".as_ref()])
            .args([array.as_os_str(), "--times".as_ref(), "8:600".as_ref(), "--overwrite".as_ref()])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        let is_done = child.wait().unwrap().success();
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), usize::from(directory.join("back.sgy").exists()));
        if is_done {
            std::fs::remove_file(directory.join("back.sgy")).unwrap();
        } else {
            assert!(!directory.join("back.sgy").exists());
            n_killed += 1;
        }
    }
    assert!(n_killed > 0);
}

#[test]
fn arrays_of_xarray_and_numpy_go_back_as_segyio_and_obspy_read_them() {
    let Some(interpreter) = python::interpreter() else { return };
    let survey = Survey::new(&["--kind", "poststack", "--traces", "340", "--samples", "50"]);
    let (grid, flat) = (survey.import("grid", &["--grid", "inline,crossline"]), survey.import("flat", FLAT));
    let (script, scratch, program) = (python::scripts().join("check_edits.py"), survey.path("scratch"), program());
    std::fs::create_dir(&scratch).unwrap();
    let paths = [&script, &program, &survey.input, &grid, &flat, &scratch].map(|path| path.as_os_str());
    let said = python::run(interpreter, &[&["-B".as_ref()], &paths[..]].concat());
    assert!(said.contains("all agree"), "{said}");
}

#[test]
fn mdio_reads_a_crop_with_other_samples() {
    let Some(interpreter) = python::interpreter_with_mdio_1_2() else { return };
    let survey = volume("1");
    let out = survey.import("out", GRID);
    let array = turned_crop(&survey.path("group"), 3);
    exported(&out, &["--samples", array.to_str().unwrap()]);
    let (script, back) = (python::scripts().join("check_mdio_ingestion.py"), survey.path("back.sgy"));
    let store = survey.path("store.mdio");
    let said =
        python::run(interpreter, &["-B".as_ref(), script.as_ref(), back.as_ref(), array.as_ref(), store.as_ref()]);
    assert!(said.contains("all agree"), "{said}");
}

#[test]
fn the_python_of_the_documentation_runs_as_it_stands() {
    let Some(interpreter) = python::interpreter_with_module() else { return };
    let survey =
        Survey::new(&["--kind", "poststack", "--inlines", "90:130", "--crosslines", "1:31", "--samples", "500"]);
    let directory = survey.directory.path();
    std::fs::copy(&survey.input, survey.path("stack.sgy")).unwrap();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/edit.md")).unwrap();
    let parts: Vec<&str> = text.split("```python\n").skip(1).map(|part| part.split("```").next().unwrap()).collect();
    assert_eq!(parts.len(), 2);
    let own = program().parent().unwrap().to_str().unwrap().to_owned();
    for part in &parts {
        let output = python::command(interpreter)
            .args(["-W", "ignore", "-c", part])
            .env("PATH", format!("{own}:{}", std::env::var("PATH").unwrap()))
            .current_dir(directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "{part}: {}", stderr(&output));
    }
    let file = std::fs::read(survey.path("part.sgy")).unwrap();
    assert_eq!(file.len(), FILE_HEADER + 21 * 31 * (HEADER + 4 * 251));
    // pandas packs with Snappy.
    let (found, said) =
        exported(&survey.path("survey.zarr"), &["--headers", survey.path("new.parquet").to_str().unwrap()]);
    let whole = std::fs::read(&survey.input).unwrap();
    let all = |file: &[u8]| -> Vec<i32> {
        file[FILE_HEADER..].chunks(HEADER + 2000).map(|trace| field(trace, 181)).collect()
    };
    assert_eq!(all(&found), all(&whole).into_iter().map(|x| x + 1000).collect::<Vec<_>>(), "{said}");
}

#[test]
fn a_part_of_a_grid_is_told_to_be_unedited_by_the_checksums_of_all_bricks() {
    let survey = volume("5");
    let file = std::fs::read(&survey.input).unwrap();
    for options in [GRID, &["--grid", "inline,crossline", "--brick", "7,6,16", "--shard"]] {
        let out = survey.import("out", &[options, &["--codec", "none", "--overwrite"]].concat());
        let (found, _) = exported(&out, &[SOME, &["--unedited"]].concat());
        same(&found, &crop(&file, |h| (5..9).contains(&field(h, 189)) && field(h, 193) >= 3, 10..30), "unedited");
        if options != GRID {
            continue;
        }
        // A brick is put in the place of another, outside the part.
        let brick = |name: &str| out.join("amplitude/c").join(name);
        std::fs::copy(brick("2/1/0"), brick("2/2/0")).unwrap();
        let why = refused(&out, &[SOME, &["--unedited"]].concat());
        assert!(why.contains("its bricks are not those that were written at the import"), "{why}");
    }
}

#[test]
fn progress_counts_the_traces_that_are_written() {
    let survey = volume("5");
    for options in [GRID, FLAT, CUT] {
        let out = survey.import("out", &[options, &["--overwrite"]].concat());
        let array = out.join(if options == GRID { "amplitude" } else { "traces.zarr" });
        for samples in [&[][..], &["--samples", array.to_str().unwrap()]] {
            let (_, said) = exported(&out, &[SOME, samples, &["--progress", "json"]].concat());
            let events = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let counts: Vec<_> = events
                .filter(|event| event["type"] == "progress" && event["total_traces"] != 0)
                .map(|event| (event["current_traces"].as_u64().unwrap(), event["total_traces"].as_u64().unwrap()))
                .collect();
            assert!(counts.iter().all(|(_, total)| *total == 60), "{options:?}: {counts:?}");
            assert_eq!(counts.last(), Some(&(60, 60)), "{options:?}: {counts:?}");
        }
    }
}

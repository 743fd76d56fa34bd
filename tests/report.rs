//! `segy-import report`: the page, its numbers, and how little of a file it reads.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use serde_json::Value;

use crate::support::{Survey, program, run, stderr, stdout};

/// A page may have so many bytes.
const MOST_PAGE_BYTES: usize = 1_500_000;
const HEADER: usize = 240;

fn page_of(arguments: &[&str]) -> String {
    let output = run(&[&["report", "-o", "-"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn numbers_of(arguments: &[&str]) -> Value {
    let output = run(&[&["report", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What stands between two texts.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{start} is missing"));
    rest.split_once(end).unwrap().0
}

#[test]
fn a_page_has_all_its_parts_fetches_nothing_and_is_the_same_every_time() {
    for kind in ["poststack", "prestack", "shots"] {
        let survey = Survey::new(&["--kind", kind, "--traces", "3000", "--samples", "300"]);
        let page = page_of(&[text(&survey.input)]);
        assert!(page.len() < MOST_PAGE_BYTES, "{kind}: {} bytes", page.len());
        for part in
            ["facts", "main", "second", "gather", "amplitudes", "map", "headers", "text", "decisions", "numbers"]
        {
            assert!(page.contains(&format!("id=\"{part}\"")), "{kind}: {part}");
        }
        assert!(page.contains("default-src 'none'"));
        for attribute in ["src=\"", "href=\""] {
            let addresses = page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap());
            let elsewhere: Vec<&str> = addresses.filter(|a| !a.starts_with("data:") && !a.starts_with('#')).collect();
            assert_eq!(elsewhere, Vec::<&str>::new());
        }
        assert_eq!(page, page_of(&[text(&survey.input)]), "{kind}: twice the same bytes");
    }
}

#[test]
fn header_fields_that_say_little_are_told_in_words() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "600", "--samples", "50"]);
    let page = page_of(&[text(&survey.input)]);
    let headers = between(&page, "id=\"headers\"", "id=\"text\"");
    let (drawn, words) = headers.split_once("</table>").unwrap();
    let row = |name: &str| drawn.contains(&format!("<td>{name}</td>"));
    assert!(row("field_record") && row("offset"), "{drawn}");
    assert!(!row("trace_sequence_file"), "{drawn}");
    assert!(words.contains("trace_sequence_file <small>5–8</small> counts up by 1, 1 to 600"), "{words}");
    assert!(row("trace_sequence_line"), "traces are missing in between: {drawn}");
    assert!(words.contains("Constant: ") && words.contains("sample_count <b>50</b>"), "{words}");
}

#[test]
fn the_numbers_in_the_page_are_those_of_json() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "500", "--samples", "100"]);
    let page = page_of(&[text(&survey.input)]);
    let in_page = between(&page, "<script type=\"application/json\" id=\"numbers\">", "</script>");
    let numbers = numbers_of(&[text(&survey.input)]);
    assert_eq!(serde_json::from_str::<Value>(in_page).unwrap(), numbers);
    assert_eq!(numbers["name"], "in.sgy");
    assert_eq!(numbers["amplitudes"]["n_traces"], 500);
    assert_eq!(numbers["checks"].as_array().unwrap().len(), 12);
}

#[test]
fn what_stands_in_a_file_is_text_on_the_page() {
    let survey = Survey::new(&["--traces", "20", "--samples", "50"]);
    let mut bytes = std::fs::read(&survey.input).unwrap();
    let hostile = b"</pre></script><script>alert(1)</script><img src=x onerror=alert(2)>";
    bytes[..3200].fill(b' ');
    bytes[80..80 + hostile.len()].copy_from_slice(hostile);
    let path = survey.path("<script>alert(3)<").join("..").join("<b>x.sgy");
    std::fs::create_dir(survey.path("<script>alert(3)<")).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let page = page_of(&[text(&path)]);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is there, as text");
    for dangerous in ["<script>alert", "<img src=x", "<b>x"] {
        assert!(!page.contains(dangerous), "{dangerous}");
    }
    let mut several = vec![text(&path), text(&survey.input)];
    assert!(!page_of(&several).contains("<b>x"));
    let missing = survey.path("<i>missing.sgy");
    several.push(text(&missing));
    let output = run(&[&["report", "-o", "-"], &several[..]].concat());
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(page.contains("&lt;i&gt;missing.sgy") && !page.contains("<i>"), "a refused file is named, as text");
}

/// Samples of the file that [`with_amplitudes`] writes.
const SAMPLES: usize = 40;

/// A file of IEEE floats whose sample of this trace and number is what `amplitude` says.
fn with_amplitudes(survey: &Survey, amplitude: impl Fn(usize, usize) -> f32) {
    let mut bytes = std::fs::read(&survey.input).unwrap();
    for (i, trace) in bytes[3600..].chunks_mut(HEADER + 4 * SAMPLES).enumerate() {
        for (j, sample) in trace[HEADER..].chunks_mut(4).enumerate() {
            sample.copy_from_slice(&amplitude(i, j).to_be_bytes());
        }
    }
    std::fs::write(&survey.input, bytes).unwrap();
}

/// The pixels of the main section: grey and opacity, with its width.
fn pixels(page: &str) -> (usize, Vec<[u8; 2]>) {
    let image = between(page, "<image class=\"seismic\" id=\"main\"", ">");
    let coded = between(image, "data:image/png;base64,", "\"");
    let png = base64::prelude::BASE64_STANDARD.decode(coded).unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    (info.width as usize, bytes.chunks(4).map(|p| [p[0], p[3]]).collect())
}

#[test]
fn amplitudes_become_the_grey_levels_of_their_places() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "30", "--samples", "40", "--format", "5"]);
    // One in a hundred samples is beyond the ends; the others lie between -100 and 100. Trace 7 is dead.
    let amplitude = |i: usize, j: usize| match (i, j) {
        (7, _) => 0.0,
        (3, 5) => 1e6,
        (4, 6) => f32::NAN,
        _ => (j as f32 / (SAMPLES - 1) as f32 * 2.0 - 1.0) * 100.0,
    };
    with_amplitudes(&survey, amplitude);
    let (width, pixels) = pixels(&page_of(&[text(&survey.input)]));
    let at = |trace: usize, sample: usize| pixels[sample * width + trace];
    assert_eq!((width, pixels.len()), (30, 30 * SAMPLES));
    assert_eq!(at(0, 0), [0, 255], "the lowest amplitude, in the first sample, is black in the picture");
    assert_eq!(at(29, 39), [255, 255], "the highest, in the last sample, is white");
    assert!(at(2, 19)[0].abs_diff(128) < 8, "zero is in the middle");
    assert_eq!(at(3, 5), [255, 255], "what is beyond the ends has the colour of the end");
    assert!((0..SAMPLES).all(|j| at(7, j)[1] == 0), "a dead trace is transparent");
    assert_eq!(at(4, 6)[1], 0, "and so is what is no number");
    assert!(at(6, 10)[0] < at(6, 30)[0]);
}

#[test]
fn checks_find_what_is_wrong() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "200", "--samples", "40", "--format", "5"]);
    let marks = |survey: &Survey| -> Vec<String> {
        let numbers = numbers_of(&[text(&survey.input)]);
        let odd = numbers["checks"].as_array().unwrap().iter().filter(|c| c["mark"] == "look" || c["mark"] == "bad");
        odd.map(|c| c["name"].as_str().unwrap().to_owned()).collect()
    };
    let noise = |i: usize, j: usize| ((i * 7919 + j * 104_729) % 2003) as f32 - 1001.0;
    with_amplitudes(&survey, noise);
    assert_eq!(marks(&survey), Vec::<String>::new());
    with_amplitudes(&survey, |i, j| match i {
        0..20 => 0.0,
        30 => 1e5 * noise(i, j),
        41 => noise(40, j),
        50 if j == 3 => f32::INFINITY,
        _ => noise(i, j),
    });
    assert_eq!(
        marks(&survey),
        ["Dead or zero traces", "Infinite or not a number", "Loud or faint traces", "Repeated traces"]
    );
    with_amplitudes(&survey, |i, j| (noise(i, j) + 200.0).clamp(-700.0, 700.0));
    assert_eq!(marks(&survey), ["Clipped", "Mean amplitude"]);
}

#[test]
fn a_dataset_is_told_like_the_file_that_it_was_made_from() {
    for (kind, options) in [
        ("prestack", vec![]),
        ("poststack", vec!["--no-raw-header", "--codec", "zstd", "--order", "trace-sample"]),
        ("poststack", vec!["--grid", "inline,crossline"]),
    ] {
        let survey = Survey::new(&["--kind", kind, "--traces", "1200", "--samples", "60"]);
        let out = survey.import("out", &options);
        let (of_file, of_dataset) = (numbers_of(&[text(&survey.input), "--scan"]), numbers_of(&[text(&out)]));
        for key in ["geometry", "gather", "textual_header", "binary_header", "input_bytes", "scale"] {
            assert_eq!(of_file[key], of_dataset[key], "{kind}: {key}");
        }
        let fields = |numbers: &Value| -> Vec<Value> {
            let fields = numbers["fields"].as_array().unwrap().iter();
            fields.map(|f| serde_json::json!([f["name"], f["min"], f["max"], f["distinct"], f["scaled"]])).collect()
        };
        assert_eq!(fields(&of_file), fields(&of_dataset), "{kind}");
        let page = page_of(&[text(&out)]);
        assert!(page.contains("Fold: traces in each") && page.contains("codec"), "{kind}");
        assert_eq!(pixels(&page), pixels(&page_of(&[text(&survey.input)])), "{kind}: the same section");
    }
}

#[test]
fn a_dataset_without_samples_has_a_page_too() {
    let survey = Survey::new(&["--traces", "100", "--samples", "30"]);
    let out = survey.import("out", &["--headers-only"]);
    assert!(page_of(&[text(&out)]).contains("There are no samples"));
}

#[test]
fn a_damaged_chunk_is_an_error_and_not_a_picture() {
    let survey = Survey::new(&["--traces", "400", "--samples", "50"]);
    let out = survey.import("out", &["--chunk-traces", "100"]);
    let chunk = out.join("traces.zarr/c/0/2");
    let mut bytes = std::fs::read(&chunk).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&chunk, &bytes).unwrap();
    assert_eq!(run(&["report", text(&out), "--json"]).status.code(), Some(5));
    std::fs::remove_file(&chunk).unwrap();
    let output = run(&["report", text(&out), "--json"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
}

#[test]
fn several_files_have_a_row_each() {
    let (a, b) = (
        Survey::new(&["--traces", "90", "--samples", "60"]),
        Survey::new(&["--kind", "shots", "--traces", "90", "--samples", "60"]),
    );
    let page = page_of(&[text(&a.input), text(&b.input)]);
    assert_eq!(page.matches("<img class=\"seismic\"").count(), 2);
    assert!(page.contains("2 files") && page.contains("All files"));
    let numbers = numbers_of(&[text(&a.input), text(&b.input)]);
    assert_eq!(numbers.as_array().unwrap().len(), 2);
}

#[test]
fn a_report_without_some_of_its_inputs_says_so() {
    let survey = Survey::new(&["--traces", "90", "--samples", "60"]);
    let damaged = survey.import("damaged", &["--chunk-traces", "30"]);
    std::fs::remove_file(damaged.join("traces.zarr/c/0/1")).unwrap();
    let (input, missing, page) = (text(&survey.input), survey.path("missing.sgy"), survey.path("page.html"));
    let made = |inputs: &[&str], code: i32| {
        let output = run(&[&["report", "-o", text(&page), "--overwrite"], inputs].concat());
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!DOCTYPE html>"));
        stderr(&output)
    };
    let said = made(&[text(&missing), input], 3);
    assert!(said.contains("warning: ") && said.contains("missing.sgy: cannot be read"), "{said}");
    assert!(said.contains("segy-import: the report is without 1 of its 2 inputs"), "{said}");
    assert!(made(&[text(&missing), input, text(&damaged)], 5).contains("without 2 of its 3 inputs"));
    assert!(made(&[text(&missing), text(&missing)], 3).contains("without 2 of its 2 inputs"));
    // For programs there is one document, and nothing after it.
    let output = run(&["report", "--json", text(&missing), input]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let numbers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(numbers.as_array().unwrap().len(), 1);
}

#[test]
fn a_slice_has_crosslines_across_and_inlines_down() {
    let survey = Survey::new(&["--traces", "400", "--samples", "60"]);
    let page = page_of(&[text(&survey.input), "--slice", "100"]);
    assert!(page.contains("id=\"slice\"") && page.contains("Slice at 100 ms"));
    let output = run(&["report", "-o", "-", text(&survey.input), "--slice", "100000"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the samples go from 0 to 236 ms"), "{}", stderr(&output));
}

#[test]
fn a_page_that_is_there_stays_unless_it_may_be_replaced() {
    let survey = Survey::new(&["--traces", "20", "--samples", "20"]);
    let page = survey.path("page.html");
    std::fs::write(&page, "years of work").unwrap();
    let (input, output) = (text(&survey.input), text(&page));
    assert_eq!(run(&["report", input, "-o", output]).status.code(), Some(4));
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "years of work");
    assert!(run(&["report", input, "-o", output, "--overwrite"]).status.success());
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(run(&["report", text(&survey.path("no.sgy"))]).status.code(), Some(3));
}

#[test]
fn a_page_and_a_picture_get_the_directories_that_they_need() {
    let survey = Survey::new(&["--traces", "20", "--samples", "20"]);
    let (page, picture) = (survey.path("new/pages/page.html"), survey.path("pictures/new/picture.png"));
    let input = text(&survey.input);
    for arguments in [["report", input, "-o", text(&page)], ["view", input, "--png", text(&picture)]] {
        let output = run(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!DOCTYPE html>"));
    assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    // What is refused makes none, and what cannot be made is named without a temporary file.
    assert_eq!(
        run(&["report", text(&survey.path("no.sgy")), "-o", text(&survey.path("none/p.html"))]).status.code(),
        Some(3)
    );
    assert!(!survey.path("none").try_exists().unwrap());
    let below = survey.path("in.sgy/page.html");
    let output = run(&["report", input, "-o", text(&below)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("in.sgy/page.html: ") && !stderr(&output).contains(".segy-import-"),
        "{}",
        stderr(&output)
    );
}

/// Makes the survey's file as long as if it had so many traces; all but the first have no bytes on the disk.
fn lengthen(survey: &Survey, n_traces: u64, stride: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(&survey.input).unwrap();
    file.set_len(3600 + n_traces * stride).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn of_a_terabyte_a_few_megabytes_are_read() {
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", "1500"]);
    lengthen(&survey, 160_000_000, 240 + 4 * 1500);
    let numbers = numbers_of(&[text(&survey.input)]);
    assert!(numbers["input_bytes"].as_u64().unwrap() > 990_000_000_000);
    assert!(numbers["traces_read"].as_u64().unwrap() < 4000);
    if Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|o| o.status.success()) {
        let log = survey.path("strace.txt");
        let mut command = Command::new("strace");
        command.args(["-f", "--seccomp-bpf", "-e", "trace=pread64", "-o"]).arg(&log).arg(program());
        let output = command.args(["report", "-o", "-"]).arg(&survey.input).output().unwrap();
        assert!(output.status.success() && output.stdout.len() < MOST_PAGE_BYTES);
        let log = std::fs::read_to_string(&log).unwrap();
        let reads: Vec<u64> = log.lines().filter_map(|l| l.rsplit_once("= ")?.1.trim().parse().ok()).collect();
        let bytes: u64 = reads.iter().sum();
        println!("{} reads of {bytes} bytes", reads.len());
        assert!(reads.len() <= 1300, "{} reads", reads.len());
        assert!(bytes <= 32 << 20, "{bytes} bytes");
    } else {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        crate::support::python::say("SKIPPED, NOT TESTED: how much report reads: strace is missing");
    }
}

#[test]
fn line_numbers_of_zero_beside_the_middle_do_not_keep_a_walk_through_the_lines() {
    let survey = Survey::new(&["--inlines", "1:1", "--crosslines", "1:40", "--samples", "101"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    for trace in [19, 21] {
        let mut changed = bytes.clone();
        changed[3600 + trace * 644 + 188..][..8].fill(0);
        std::fs::write(&survey.input, changed).unwrap();
        assert_eq!(numbers_of(&[text(&survey.input)])["traces_read"], 40, "trace {trace}");
    }
}

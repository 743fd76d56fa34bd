//! `segy-import view`: sections as PNG and in terminals.

use std::path::Path;
use std::process::Output;

use crate::support::{Survey, run, stderr, stdout};

fn view(path: &Path, arguments: &[&str]) -> Output {
    run(&[&["view", path.to_str().unwrap()], arguments].concat())
}

/// Width and height of a PNG, and its bytes.
fn png(path: &Path, arguments: &[&str]) -> (u32, u32, Vec<u8>) {
    let output = view(path, &[arguments, &["--png", "-"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let reader = png::Decoder::new(std::io::Cursor::new(&output.stdout)).read_info().unwrap();
    (reader.info().width, reader.info().height, output.stdout.clone())
}

#[test]
fn every_choice_of_a_volume_is_a_picture() {
    let survey = Survey::new(&["--traces", "900", "--samples", "80"]);
    let letters = |arguments: &[&str]| {
        let output = view(&survey.input, &[arguments, &["--show", "letters"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let (inline, crossline) = (letters(&["--inline", "1003"]), letters(&["--crossline", "2005"]));
    assert!(inline.starts_with("in.sgy · Inline 1003: traces 61 to 90"), "{inline}");
    assert!(crossline.starts_with("in.sgy · Crossline 2005: traces 5 to 875"), "{crossline}");
    assert!(letters(&["--slice", "100"]).contains("Slice at 100 ms"));
    assert!(letters(&["--traces", "10:50"]).contains("Traces 11 to 50"));
    assert!(letters(&["--gather", "inline=1003"]).contains("Inline 1003"));
    for lines in [inline, crossline] {
        assert_eq!(lines.lines().count(), 22, "title, 20 rows, axis");
        assert!(lines.lines().all(|l| l.chars().count() <= 80), "{lines}");
        assert!(!lines.contains('\x1b'));
    }
}

#[test]
fn a_png_has_axes_and_the_size_that_is_asked_for() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "300", "--samples", "80"]);
    let (width, height, bytes) = png(&survey.input, &["--traces", "0:100", "--width", "300", "--height", "200"]);
    assert!((301..480).contains(&width) && (201..300).contains(&height), "{width} × {height}");
    assert_eq!(bytes, png(&survey.input, &["--traces", "0:100", "--width", "300", "--height", "200"]).2);
    let same = ["--traces", "0:100", "--width", "300", "--height", "200"];
    for other in [&["--wiggle"][..], &["--colours", "vik"], &["--gain", "12"], &["--reverse"], &["--percentile", "80"]]
    {
        assert_ne!(bytes, png(&survey.input, &[&same[..], other].concat()).2, "{other:?}");
    }
    let file = survey.path("shot.png");
    assert!(view(&survey.input, &["--png", file.to_str().unwrap()]).status.success());
    assert_eq!(view(&survey.input, &["--png", file.to_str().unwrap()]).status.code(), Some(4), "it is there already");
}

#[test]
fn a_dataset_looks_like_its_file() {
    let survey = Survey::new(&["--traces", "900", "--samples", "80"]);
    for options in [
        &["--codec", "zstd", "--chunk-samples", "30"][..],
        &["--codec", "none", "--order", "trace-sample", "--shard", "2", "--chunk-traces", "100"],
        &["--grid", "inline,crossline", "--brick", "16,8,32"],
    ] {
        let out = survey.import("out", options);
        std::fs::rename(&out, survey.path("in.sgy.d")).unwrap();
        for choice in
            [&["--inline", "1003"][..], &["--crossline", "2005"], &["--slice", "100"], &["--traces", "10:50"], &[]]
        {
            let of = |path: &Path| {
                let output = view(path, &[choice, &["--show", "letters"]].concat());
                assert!(output.status.success(), "{choice:?}: {}", stderr(&output));
                stdout(&output).replace("in.sgy.d", "in.sgy")
            };
            assert_eq!(of(&survey.input), of(&survey.path("in.sgy.d")), "{choice:?}");
        }
        std::fs::remove_dir_all(survey.path("in.sgy.d")).unwrap();
    }
}

#[test]
fn gathers_in_file_order_have_a_mark_where_each_begins() {
    let survey = Survey::new(&["--kind", "shots", "--traces", "600", "--samples", "50"]);
    let out = survey.import("out", &[]);
    let shown = |path: &Path, arguments: &[&str]| {
        let output = view(path, &[arguments, &["--show", "letters"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let index: Vec<String> = shown(&survey.input, &["--traces", "0:500"]).lines().map(str::to_owned).collect();
    let header = std::fs::read(&survey.input).unwrap();
    let record = |i: usize| header[3600 + i * 440 + 8..][..4].to_vec();
    let n_begins = (1..500).filter(|&i| record(i) != record(i - 1)).count();
    assert!(n_begins > 1);
    let row = &index[1];
    assert_eq!(row.matches('|').count(), n_begins, "{row}");
    assert!(row.chars().all(|c| c == '|' || c == ' '), "{row}");
    assert_eq!(index.len(), 22, "the picture gives a row");
    for choice in [&["--traces", "0:500"][..], &[]] {
        let of_dataset = shown(&out, choice);
        assert_eq!(of_dataset.lines().nth(1), shown(&survey.input, choice).lines().nth(1));
        assert!(of_dataset.lines().nth(1).unwrap().contains('|'), "{of_dataset}");
    }
    let stack = Survey::new(&["--traces", "900", "--samples", "50"]);
    assert!(!shown(&stack.input, &["--traces", "0:500"]).lines().nth(1).unwrap().trim_matches('|').trim().is_empty());
}

#[test]
fn terminals_get_what_they_show() {
    let survey = Survey::new(&["--traces", "100", "--samples", "50"]);
    let shown = |what: &str| stdout(&view(&survey.input, &["--show", what]));
    assert!(shown("blocks").contains("\x1b[38;2;") && shown("blocks").contains('▀'));
    assert!(shown("colours256").contains("\x1b[38;5;"));
    assert!(shown("kitty").starts_with("\x1b_Ga=T,f=100,"));
    assert!(shown("iterm").starts_with("\x1b]1337;File=inline=1;"));
}

#[test]
fn what_cannot_be_shown_is_reported() {
    let survey = Survey::new(&["--traces", "100", "--samples", "50"]);
    for (arguments, expected) in [
        (&[][..], "standard output is not a terminal"),
        (&["--inline", "77", "--show", "letters"], "inline 77: no trace has it; there are values from 1001 to"),
        (&["--gather", "inlin=3", "--show", "letters"], "did you mean \"inline\""),
        (&["--gather", "inline", "--show", "letters"], "write KEY=N"),
        (&["--traces", "5:500", "--show", "letters"], "the traces are 0:100"),
        (&["--slice", "9999", "--show", "letters"], "the samples go from 0 to 196 ms"),
        (&["--inline", "1", "--slice", "9"], "cannot be used with"),
    ] {
        let output = view(&survey.input, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
    let missing = run(&["view", "/no/such/line.sgy"]);
    assert_eq!(missing.status.code(), Some(3), "{}", stderr(&missing));
    assert!(!stderr(&missing).contains("terminal"), "{}", stderr(&missing));
}

//! The words of the program: the help of every command, and the line with which each bad input or option is refused.
//! `INSTA_UPDATE=always cargo test --test tests messages::` takes new words over.

use std::fmt::Write;
use std::process::Command;

use crate::support::{Survey, program, run, stderr, stdout};

const STRIDE: usize = 340;

#[test]
fn the_help_of_every_command() {
    for command in
        ["", "inspect", "report", "view", "generate", "export", "verify", "plan", "worker", "merge", "status", "submit"]
    {
        let arguments = [command, "--help"].into_iter().filter(|a| !a.is_empty());
        let output = Command::new(program()).args(arguments).env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success());
        let name = if command.is_empty() { "import" } else { command };
        insta::assert_snapshot!(format!("help_{name}"), stdout(&output));
    }
}

/// The lines with which imports of `survey` are refused, the directory taken out.
struct Refusals {
    survey: Survey,
    original: Vec<u8>,
    text: String,
}

impl Refusals {
    fn new() -> Self {
        let survey = Survey::new(&["--kind", "prestack", "--traces", "12", "--samples", "25"]);
        let original = std::fs::read(&survey.input).unwrap();
        Self { survey, original, text: String::new() }
    }

    /// Adds what is said of the file after `change` has been at its bytes.
    fn add(&mut self, case: &str, options: &[&str], change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.original.clone();
        change(&mut bytes);
        std::fs::write(&self.survey.input, bytes).unwrap();
        let output = self.survey.command("out", options).output().unwrap();
        assert!(!output.status.success(), "{case} is not refused");
        let said = stderr(&output).replace(&self.survey.directory.path().display().to_string(), "…");
        let refusal: String = said.lines().filter(|line| !line.starts_with("warning")).collect::<Vec<_>>().join("\n  ");
        let code = output.status.code().unwrap();
        writeln!(self.text, "{case} {options:?}\n  exit code {code}\n  {}\n", refusal.trim_end()).unwrap();
    }
}

fn put(bytes: &mut [u8], byte: usize, value: u16) {
    bytes[byte - 1..byte + 1].copy_from_slice(&value.to_be_bytes());
}

fn traces(bytes: &mut [u8], change: impl Fn(&mut [u8])) {
    bytes[3600..].chunks_mut(STRIDE).for_each(change);
}

fn noise(n: usize) -> Vec<u8> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

#[test]
fn what_is_no_segy() {
    let mut refusals = Refusals::new();
    refusals.add("an empty file", &[], Vec::clear);
    refusals.add("a short file", &[], |b| b.truncate(3599));
    refusals.add("a file header alone", &[], |b| b.truncate(3600));
    refusals.add("text", &[], |b| *b = "the quick brown fox\n".repeat(900).into_bytes());
    refusals.add("a picture with an unknown format", &[], |b| {
        b[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
        put(b, 3225, 0);
    });
    refusals.add("zeros", &[], |b| b.fill(0));
    refusals.add("format 99", &[], |b| put(b, 3225, 99));
    refusals.add("--format 99", &["--format", "99"], |_| {});
    refusals.add("SEG-Y as Seismic Unix", &["--input-format", "su"], |_| {});
    refusals.add("SEG-Y options for Seismic Unix", &["--input-format", "su", "--revision", "1"], |_| {});
    insta::assert_snapshot!("refusals_no_segy", refusals.text);
}

#[test]
fn what_contradicts_itself() {
    let mut refusals = Refusals::new();
    refusals.add("a cut trace", &[], |b| b.truncate(b.len() - 40));
    refusals.add("a cut trace header", &[], |b| b.truncate(b.len() - 200));
    refusals.add("less than one trace", &[], |b| b.truncate(3700));
    refusals.add("too many samples in the binary header", &[], |b| put(b, 3221, 60_000));
    refusals.add("a sample too many everywhere", &[], |b| {
        put(b, 3221, 26);
        traces(b, |t| put(t, 115, 26));
    });
    refusals.add("no samples anywhere", &[], |b| {
        put(b, 3221, 0);
        traces(b, |t| put(t, 115, 0));
    });
    refusals.add("no samples anywhere, one trace", &[], |b| {
        b.truncate(3600 + STRIDE);
        put(b, 3221, 0);
        traces(b, |t| put(t, 115, 0));
    });
    refusals.add("a wrong option", &["--samples", "24"], |_| {});
    refusals.add("a format of other size", &["--format", "3"], |_| {});
    refusals.add("extended headers that are not declared", &[], |b| drop(b.splice(3600..3600, vec![0x40; 3200])));
    refusals.add("extended headers that are not there", &[], |b| put(b, 3505, 7));
    refusals.add("extended headers without an end", &[], |b| {
        (b[3500], b[3501]) = (1, 0);
        put(b, 3505, 0xFFFF);
    });
    refusals.add("--extended-headers beyond the file", &["--extended-headers", "9"], |_| {});
    refusals.add("a trailer that is not declared", &[], |b| b.extend(noise(1000)));
    refusals.add("--trailer that is longer than the file", &["--trailer", "99999"], |_| {});
    refusals.add("noise after the headers", &[], |b| {
        let n = b.len() - 3600 - 7;
        b.truncate(3600);
        b.extend(noise(n));
    });
    insta::assert_snapshot!("refusals_contradictions", refusals.text);
}

#[test]
fn what_options_cannot_be() {
    let mut refusals = Refusals::new();
    for options in [
        ["--gather", "inlin"],
        ["--gather", "none,cdp"],
        ["--gather", "cdp,cdp"],
        ["--field", "mine=238:i32"],
        ["--field", "mine=1"],
        ["--field", "trace_index=1:i32"],
        ["--codec", "zstt"],
        ["--codec", "zstd:99"],
        ["--interval", "0"],
        ["--interval", "1e300"],
        ["--start", "NaN"],
        ["--domain", "space"],
        ["--text-encoding", "klingon"],
        ["--revision", "3"],
        ["--samples", "0"],
        ["--workers", "0"],
    ] {
        refusals.add("an option", &options, |_| {});
    }
    refusals.add("--verify without the headers", &["--verify", "--no-raw-header"], |_| {});
    refusals.add("an unknown option", &["--codek", "zstd"], |_| {});
    insta::assert_snapshot!("refusals_options", refusals.text);
}

#[test]
fn what_is_in_the_way_or_missing() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let out = survey.import("out", &[]);
    let mut text = String::new();
    let path = |name: &str| survey.path(name).display().to_string();
    std::fs::create_dir(survey.path("full")).unwrap();
    std::fs::write(survey.path("full/thesis.txt"), "years of work").unwrap();
    let (input, dataset) = (path("in.sgy"), out.display().to_string());
    for arguments in [
        vec![input.as_str(), &dataset],
        vec![&input, &input],
        vec![&input, &path("full")],
        vec![&path("missing.sgy"), &path("new")],
        vec![&path("full"), &path("new")],
        vec!["inspect", &path("missing.sgy")],
        vec!["inspect", &input, "--trace", "11"],
        vec!["export", &path("full"), &path("back.sgy")],
        vec!["export", &dataset, &input],
        vec!["verify", &path("full")],
        vec!["verify", &path("missing.sgy"), &dataset],
    ] {
        let output = run(&arguments);
        let line = format!(
            "{}\n  exit code {:?}\n  {}\n",
            arguments.join(" "),
            output.status.code(),
            stderr(&output).trim_end()
        );
        writeln!(text, "{}", line.replace(&survey.directory.path().display().to_string(), "…")).unwrap();
    }
    insta::assert_snapshot!("refusals_places", text);
}

//! Files made to harm: whatever their headers say, an import ends soon, with a dataset or one line about what is wrong,
//! in little memory, and writes nothing beside its output.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{self, Survey, contents, stderr, wait_for};

const TERABYTE: u64 = 1 << 40;

/// Runs the program with little memory, which must come to an orderly end.
fn ends(arguments: &[&std::ffi::OsStr]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 3000000; exec \"$0\" \"$@\""]).arg(support::program()).args(arguments);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = wait_for(child);
    let message = stderr(&output);
    assert!(matches!(output.status.code(), Some(0..=4)), "{arguments:?}: {:?}: {message}", output.status);
    assert!(!message.contains("panicked") && !message.contains("memory allocation"), "{arguments:?}: {message}");
    output
}

/// Asks for a plan, and for a report: both read whatever headers there are.
fn looked_at(input: &Path, options: &[&str]) -> Output {
    let options = options.iter().map(std::ffi::OsStr::new);
    ends(&["inspect".as_ref(), input.as_os_str()]);
    let planned = [input.as_os_str(), "/nonexistent/out".as_ref(), "--dry-run".as_ref()];
    ends(&planned.into_iter().chain(options).collect::<Vec<_>>())
}

/// Numbers at which something could run over.
fn extremes(bytes: usize) -> Vec<Vec<u8>> {
    let numbers = [0, 1, 2, 0x7F, 0x80, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];
    let wide = [i64::MAX as u64, 1 << 63, u64::MAX, u64::MAX - 3599, (1 << 62) + 1, 0x1_0000_0000];
    let all = numbers.into_iter().chain(wide).map(|n: u64| n.to_be_bytes()[8 - bytes..].to_vec());
    all.collect()
}

#[test]
fn header_fields_at_their_extremes_are_refused_or_read() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let good = std::fs::read(&survey.input).unwrap();
    // Bytes (from 1) and width of all that decides where something lies.
    let fields = [
        (3213, 2),
        (3217, 2),
        (3221, 2),
        (3225, 2),
        (3261, 4),
        (3269, 4),
        (3273, 8),
        (3297, 4),
        (3501, 2),
        (3503, 2),
        (3505, 2),
        (3507, 4),
        (3511, 2),
        (3513, 8),
        (3521, 8),
        (3529, 4),
        (3600 + 109, 2),
        (3600 + 115, 2),
        (3600 + 117, 2),
        (3600 + 215, 2),
    ];
    let directory = support::scratch();
    let hostile = directory.path().join("hostile.sgy");
    let mut config = segy_import::ImportConfig::new(&hostile, directory.path().join("out"));
    config.workers = Some(2);
    let mut n_read = 0;
    for revision in [[0, 0], [1, 0], [2, 0], [2, 1], [0xFF, 0xFF]] {
        for (byte, width) in fields {
            for value in extremes(width) {
                let mut bytes = good.clone();
                bytes[3500..3502].copy_from_slice(&revision);
                bytes[byte - 1..][..width].copy_from_slice(&value);
                std::fs::write(&hostile, &bytes).unwrap();
                // In this process, where a panic, also that of an addition that runs over, fails the test.
                for segments in [1, 1000] {
                    config.segments = Some(segments);
                    n_read += usize::from(config.plan().is_ok());
                }
            }
        }
    }
    assert!(n_read > 100, "only {n_read} are read");
}

#[test]
fn many_random_fields_at_once_are_refused_or_imported() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let good = std::fs::read(&survey.input).unwrap();
    let mut random = support::random_numbers(7);
    let directory = support::scratch();
    let hostile = directory.path().join("hostile.sgy");
    for round in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..1 + random(40) {
            let at = 3200 + random(bytes.len() - 3200);
            bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, random(256) as u8][random(6)];
        }
        bytes.truncate(bytes.len() - random(4) * random(300));
        std::fs::write(&hostile, &bytes).unwrap();
        let out = directory.path().join("out");
        let mut config = segy_import::ImportConfig::new(&hostile, &out);
        config.sync = false;
        config.overrides.allow_truncated = round % 2 == 0;
        config.verify = true;
        let cancel = segy_import::CancelHandle::new();
        match segy_import::import(&config, &mut |_| {}, &cancel) {
            Ok(_) => std::fs::remove_dir_all(&out).unwrap(),
            Err(error) => assert!(error.exit_code() == 3 && !out.exists(), "round {round}: {error}"),
        }
    }
}

#[test]
fn files_with_holes_of_terabytes_are_planned_at_once() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let file = File::options().write(true).open(&survey.input).unwrap();
    // The most that a file of ext4 can have; a petabyte where the file system takes it.
    let whole_traces = |bytes: u64| 3600 + (bytes - 3600) / 340 * 340;
    let sizes = [1024 * TERABYTE, 15 * TERABYTE, TERABYTE].map(whole_traces);
    let len = sizes.into_iter().find(|&n| file.set_len(n).is_ok());
    let Some(len) = len else {
        eprintln!("skipped: this file system has no large files with holes");
        return;
    };
    let output = looked_at(&survey.input, &["--allow-truncated", "--gather", "none"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // As one trace of 2^31 samples, and as a huge number of the smallest traces.
    for samples in ["4294967295", "2147483647", "1"] {
        looked_at(&survey.input, &["--allow-truncated", "--samples", samples]);
    }
    for (at, bytes) in
        [(3500, vec![2, 1]), (3512, (1u64 << 63).to_be_bytes().to_vec()), (3520, len.to_be_bytes().to_vec())]
    {
        file.write_all_at(&bytes, at).unwrap();
        looked_at(&survey.input, &["--allow-truncated"]);
    }
    // Extended textual headers up to an end that never comes.
    file.write_all_at(&[0xFF, 0xFF], 3504).unwrap();
    looked_at(&survey.input, &["--allow-truncated"]);
}

#[test]
fn absurd_numbers_in_options_are_refused_or_taken() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let most = u64::MAX.to_string();
    for option in ["--chunk-traces", "--max-probe", "--parallel-threshold", "--shard", "--samples", "--segments", "-j"]
    {
        for n in [&most, "9223372036854775808", "4294967295", "0"] {
            let out = survey.path("out");
            let output = ends(&[survey.input.as_ref(), out.as_ref(), option.as_ref(), n.as_ref()]);
            if output.status.success() {
                std::fs::remove_dir_all(&out).unwrap();
            }
            assert!(!out.exists(), "{option} {n}");
        }
    }
}

#[test]
fn paths_with_odd_characters_are_taken_or_refused_in_one_line() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let bytes = std::fs::read(&survey.input).unwrap();
    let reference = survey.import("reference", &[]);
    for name in
        [&b"a\nb"[..], b"a\xFFb", b"-rf", b" ", b"..x", "日本語 ü".as_bytes(), b"\x1B[31m", b"%s%n", b"a'\"$(x)"]
    {
        let name = std::ffi::OsStr::from_bytes(name);
        let directory = survey.directory.path().join("odd");
        std::fs::create_dir(&directory).unwrap();
        let input = directory.join(name);
        std::fs::write(&input, &bytes).unwrap();
        let out: PathBuf = survey.directory.path().join("out").join(name);
        for workers in ["0", "1000000"] {
            let output =
                support::run(&[input.as_ref(), out.as_os_str(), "--parallel-threshold".as_ref(), workers.as_ref()]);
            if name.to_str().is_some() {
                assert!(output.status.success(), "{name:?}: {}", stderr(&output));
                // The document and the group have the name of the file.
                let but_names = |directory: &std::path::Path| {
                    let mut files = support::contents(directory);
                    let named = ["metadata.json", "zarr.json"].map(|file| files.remove(std::path::Path::new(file)));
                    assert!(named.iter().all(Option::is_some));
                    files
                };
                assert!(but_names(&reference) == but_names(&out), "{name:?}");
                let back = directory.join("back");
                let arguments = ["export".as_ref(), out.as_os_str(), back.as_os_str(), "--overwrite".as_ref()];
                assert!(support::run(&arguments).status.success());
                assert!(std::fs::read(&back).unwrap() == bytes);
                std::fs::remove_dir_all(&out).unwrap();
            } else {
                assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
                assert!(stderr(&output).contains("is not UTF-8"), "{}", stderr(&output));
                assert!(!out.exists());
            }
        }
        // The name of the output may be anything.
        let output = support::run(&[survey.input.as_ref(), out.as_os_str()]);
        assert!(output.status.success(), "{name:?}: {}", stderr(&output));
        support::assert_same(&reference, &out);
        std::fs::remove_dir_all(&directory).unwrap();
        std::fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn links_in_the_output_lead_nothing_out_of_it() {
    use std::os::unix::fs::symlink;
    let survey = Survey::new(&["--traces", "3000", "--samples", "25"]);
    let precious = survey.path("precious");
    std::fs::create_dir(&precious).unwrap();
    std::fs::write(precious.join("work"), "years of it").unwrap();
    let before = contents(&precious);
    let links = ["traces.zarr", "sample", "headers.parquet", "metadata.json", "zarr.json", ".segy-import"];
    let deeper = [
        ".segy-import/segment_0",
        ".segy-import/dataset",
        ".segy-import/lock",
        ".segy-import/plan.json",
        ".segy-import/old",
    ];
    for link in links.into_iter().chain(deeper) {
        for target in [precious.clone(), precious.join("work")] {
            for options in [&["--parallel-threshold", "0"][..], &["--overwrite"]] {
                let out = survey.path("out");
                std::fs::create_dir_all(out.join(link).parent().unwrap()).unwrap();
                symlink(&target, out.join(link)).unwrap();
                let output = survey.command("out", options).output().unwrap();
                assert!(matches!(output.status.code(), Some(0 | 1 | 4)), "{link}: {}", stderr(&output));
                assert!(contents(&precious) == before, "{link} to {}: {}", target.display(), stderr(&output));
                std::fs::remove_dir_all(&out).unwrap();
            }
        }
    }
    // Into a dataset that is replaced.
    let out = survey.import("out", &[]);
    std::fs::remove_dir_all(out.join("traces.zarr/c")).unwrap();
    symlink(&precious, out.join("traces.zarr/c")).unwrap();
    std::fs::remove_dir_all(out.join("sample")).unwrap();
    symlink(&precious, out.join("sample")).unwrap();
    survey.import("out", &["--overwrite"]);
    assert!(contents(&precious) == before);
    assert!(segy_import::check(&out, &mut |_, _| {}, &segy_import::CancelHandle::new()).is_ok());
}

/// Whether a terminal does nothing but to show a text in lines.
fn only_shows(text: &str) -> bool {
    let turns = |c| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().all(|c| c == '\n' || !c.is_control() && !turns(c))
}

/// The records of 3200 bytes in front of the traces of a file: the text, and a mapping.
fn with_texts(mut file: Vec<u8>, text: &str, mapping: &str) -> Vec<u8> {
    let record = |text: &str| {
        let mut record = text.as_bytes().to_vec();
        record.resize(3200, b' ');
        record
    };
    file[..3200].copy_from_slice(&record(text));
    file[3504..3506].copy_from_slice(&1_u16.to_be_bytes());
    file.splice(3600..3600, record(&format!("((SEG: Layout)){mapping}")));
    file
}

#[test]
fn nothing_that_a_file_says_reaches_the_terminal_as_a_command() {
    const HOSTILE: &str = "\u{1B}]0;owned\u{7}\u{9B}2J\u{202E}txt\u{2066}\u{200F}";
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let good = std::fs::read(&survey.input).unwrap();
    let directory = survey.path(&format!("dir{HOSTILE}\nline"));
    std::fs::create_dir(&directory).unwrap();
    let (a, b) = (directory.join(format!("a{HOSTILE}\nb.sgy")), directory.join("b.sgy"));
    let references = "&#x9b;&#x202e;&#10;&#x7f;";
    let entries = [
        format!("<entry name=\"x{references}\" byte=\"{references}\" type=\"int4\"/>"),
        format!("<entry name=\"x{references}\" byte=\"1\" type=\"{references}\"/>"),
        format!("<entry name=\"x{references}\" byte=\"500\" type=\"int4\"/>"),
        format!("<entry name=\"x{references}\" byte=\"5\" type=\"int4\"/>"),
        "<entry name=\"iline\" byte=\"181\" type=\"int4\"/>".to_owned(),
    ];
    let mapping = survey.path("mapping");
    let mut said = Vec::new();
    let mut tell = |what: &[&std::ffi::OsStr]| {
        let output = support::run(what);
        assert!(matches!(output.status.code(), Some(0..=5)), "{what:?}: {output:?}");
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8(text).unwrap();
            assert!(only_shows(&text), "{what:?}: {text:?}");
            said.push(text);
        }
    };
    for (i, entry) in entries.iter().enumerate() {
        let file = with_texts(good.clone(), HOSTILE, &format!("<segy-layout>{entry}</segy-layout>"));
        std::fs::write(&a, &file).unwrap();
        std::fs::write(&b, &file).unwrap();
        let out = directory.join(format!("out{i}"));
        for option in [None, Some("--candidates"), Some("--find=1"), Some("--trace=1"), Some("--scan")] {
            let arguments = ["inspect".as_ref(), a.as_os_str(), "--text-encoding=utf8".as_ref()];
            tell(&arguments.into_iter().chain(option.map(std::ffi::OsStr::new)).collect::<Vec<_>>());
        }
        tell(&[a.as_ref(), b.as_ref(), out.as_ref(), "--dry-run".as_ref()]);
        tell(&[a.as_ref(), b.as_ref(), out.as_ref(), "--progress=plain".as_ref()]);
        tell(&[a.as_ref(), out.as_ref()]);
        tell(&["status".as_ref(), out.as_ref()]);
        tell(&["verify".as_ref(), out.as_ref()]);
        tell(&["verify".as_ref(), b.as_ref(), a.as_ref(), out.as_ref()]);
        tell(&["verify".as_ref(), a.as_ref(), out.as_ref()]);
        tell(&["export".as_ref(), out.as_ref(), a.as_ref()]);
    }
    // What is refused.
    std::fs::write(&a, &good[..3700]).unwrap();
    tell(&[a.as_ref(), directory.join("out").as_ref()]);
    tell(&[directory.join("none").as_ref(), directory.join("out").as_ref()]);
    tell(&[b.as_ref(), directory.join("out0").as_ref()]);
    for text in [
        format!("{{\"{}\": 1}}", references),
        format!("[{{\"name\": \"{HOSTILE}\"}}]"),
        format!("a = 1\n{HOSTILE} = 3\n"),
    ] {
        std::fs::write(&mapping, text.replace("&#x202e;", "\u{202E}")).unwrap();
        tell(&[b.as_ref(), directory.join("out").as_ref(), "--mapping".as_ref(), mapping.as_ref()]);
    }
    tell(&[format!("--{HOSTILE}").as_ref()]);
    tell(&[b.as_ref(), directory.join("out").as_ref(), format!("--field={HOSTILE}").as_ref()]);
    tell(&[b.as_ref(), directory.join("out").as_ref(), format!("--gather={HOSTILE}").as_ref()]);
    let said = said.concat();
    for shown in [r"a\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}txt\u{2066}\u{200f}\u{a}b.sgy", r"of the unknown type"] {
        assert!(said.contains(shown), "{shown} is not in {said}");
    }
}

#[test]
fn deep_xml_in_a_file_is_refused_and_the_file_is_imported() {
    let survey = Survey::new(&["--traces", "12", "--samples", "25"]);
    let mut file = std::fs::read(&survey.input).unwrap();
    let deep: String = (0..20_000).map(|i| format!("<n{i}:a xmlns:n{i}=\"x{i}\">")).collect();
    let mut stanza = format!("((SEG: Layout))<segy-layout>{deep}").into_bytes();
    stanza.resize(stanza.len().next_multiple_of(3200), b' ');
    file[3504..3506].copy_from_slice(&((stanza.len() / 3200) as u16).to_be_bytes());
    file.splice(3600..3600, stanza);
    std::fs::write(&survey.input, file).unwrap();
    let output = survey.command("out", &[]).output().unwrap();
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("SEG:Layout in extended textual header 1 has") && message.contains("it is ignored"),
        "{message}"
    );
}

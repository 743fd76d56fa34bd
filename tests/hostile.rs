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
    let directory = tempfile::tempdir().unwrap();
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
    let directory = tempfile::tempdir().unwrap();
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
                support::assert_same(&reference, &out);
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
    assert!(segy_import::verify::check(&out, &mut |_, _| {}, &segy_import::CancelHandle::new()).is_ok());
}

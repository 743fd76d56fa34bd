//! The bytes of the output: checksums of datasets made of small generated surveys are kept in `tests/golden.txt`, so that a
//! change of the output format is seen. Where one is meant, name it in `docs/changelog.md`, and run
//! `SEGY_IMPORT_NEW_GOLDENS=1 cargo test --test tests golden::`.

use std::fmt::Write;
use std::path::Path;

use segy_import::internals::Checksum;

use crate::support::{self, Survey, contents};

/// Sample formats, byte orders, codecs, orders, shards, headers and grids.
const CASES: [(&str, &[&str], &[&str]); 17] = [
    ("ibm", &["--format", "1"], &[]),
    ("int32", &["--format", "2"], &["--codec", "none"]),
    ("int16-little", &["--format", "3", "--endian", "little"], &["--codec", "lz4"]),
    ("gain", &["--format", "4"], &["--codec", "zstd"]),
    ("ieee", &["--format", "5"], &["--codec", "zstd-plain"]),
    ("ieee-double", &["--format", "6"], &["--codec", "gzip"]),
    ("int24", &["--format", "7"], &["--dtype", "float32"]),
    ("int8", &["--format", "8"], &["--order", "trace-sample"]),
    ("uint16", &["--format", "11"], &["--chunk-traces", "7"]),
    ("uint32", &["--format", "10"], &["--gather", "none"]),
    ("sharded", &["--format", "1"], &["--chunk-traces", "10", "--shard", "3", "--codec", "none"]),
    ("prestack", &["--kind", "prestack"], &["--gather", "field_record"]),
    ("shots", &["--kind", "shots"], &["--no-raw-header", "--field", "mine=181:i16"]),
    ("long", &["--format", "5"], &["--chunk-traces", "2"]),
    ("grid", &["--format", "1"], &["--grid", "inline,crossline", "--brick", "3,4,16"]),
    ("grid-sharded", &["--kind", "prestack"], &["--grid", "cdp,trace", "--shard", "--codec", "none", "--axes", "file"]),
    ("grid-aside", &["--kind", "prestack"], &["--grid", "cdp", "--duplicates", "aside", "--header-type", "struct"]),
];

/// 65 traces, or 3 that are so long that they are cut along the samples.
fn small_survey(name: &str, options: &[&str]) -> Survey {
    let size =
        if name == "long" { ["--traces", "3", "--samples", "300000"] } else { ["--traces", "65", "--samples", "30"] };
    Survey::new(&[&size, options].concat())
}

/// The bytes of a file without the version of the program, and without the checksum that depends on it.
fn without_version(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
    let masked = |line: &str| match line.trim_start() {
        rest if rest.starts_with("\"program_version\":") || rest.starts_with("\"self_crc32c\":") => String::new(),
        _ => line.to_owned(),
    };
    // Of the documents, that of the group has the version too.
    let is_of_group = |line: &str| line.trim_start().starts_with("\"zarr.json\": {");
    let mut lines: Vec<&str> = text.split('\n').collect();
    if let Some(at) = lines.iter().position(|line| is_of_group(line)) {
        let end = lines[at..].iter().position(|line| line.contains('}')).map_or(lines.len(), |n| at + n);
        lines.drain(at..end);
    }
    lines.into_iter().map(masked).collect::<Vec<_>>().join("\n").into_bytes()
}

/// One line for each file of a dataset: its checksum and length.
fn manifest(name: &str, out: &Path) -> String {
    let mut lines = String::new();
    for file in contents(out).into_keys() {
        let masked = out.with_extension("masked");
        std::fs::write(&masked, without_version(std::fs::read(out.join(&file)).unwrap())).unwrap();
        let sum = Checksum::of_file(&segy_import::internals::Place::of(&masked).unwrap()).unwrap();
        writeln!(lines, "{} {:>8} {name}/{}", sum.crc32c, sum.bytes, file.display()).unwrap();
    }
    lines
}

#[test]
fn the_bytes_of_the_output_are_those_of_the_format_version() {
    let mut found = String::new();
    for (name, survey, options) in CASES {
        let survey = small_survey(name, survey);
        found += &manifest(name, &survey.import("out", options));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    if std::env::var_os("SEGY_IMPORT_NEW_GOLDENS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let differing: Vec<&str> = found.lines().filter(|line| !expected.lines().any(|e| e == *line)).collect();
    assert!(
        found == expected,
        "the output has other bytes than tests/golden.txt says; if that is meant, see tests/golden.rs:\n{}",
        differing.join("\n")
    );
}

/// Runs the program on emulated processors: one without AVX and AVX2, so that none of its code for them is chosen, and one
/// without AVX-512.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_bytes_do_not_depend_on_what_the_processor_can_do() {
    let on_processor = |processor: &str, arguments: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new("qemu-x86_64");
        command.args(["-cpu", processor]).arg(support::program()).args(arguments).output()
    };
    if on_processor("Nehalem", &["--version".as_ref()]).is_err() {
        eprintln!("skipped: qemu-x86_64 (Debian: qemu-user) is not here");
        return;
    }
    for (name, survey, options) in CASES {
        let survey = small_survey(name, survey);
        let out = survey.import("out", options);
        for processor in ["Nehalem", "Haswell"] {
            let there = survey.path(processor);
            let options = options.iter().map(std::ffi::OsStr::new);
            let arguments: Vec<_> = [survey.input.as_os_str(), there.as_os_str()].into_iter().chain(options).collect();
            let output = on_processor(processor, &arguments).unwrap();
            assert!(output.status.success(), "{name}, {processor}: {}", support::stderr(&output));
            support::assert_same(&out, &there);
            // What a dataset without the header bytes came from cannot be told.
            if !arguments.contains(&"--no-raw-header".as_ref()) {
                let verified = on_processor(processor, &["verify".as_ref(), arguments[0], arguments[1]]).unwrap();
                assert!(verified.status.success(), "{name}, {processor}: {}", support::stderr(&verified));
            }
        }
    }
}

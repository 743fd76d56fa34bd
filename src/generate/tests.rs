//! Whole files, byte by byte.

use std::io;

use crate::generate::*;

fn bytes_of(config: &GenerateConfig, n_threads: usize, block_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_survey(config, &mut bytes, n_threads, block_bytes, &mut |_, _| ()).unwrap();
    bytes
}

fn config(kind: SurveyKind, format: u16, byte_order: ByteOrder) -> GenerateConfig {
    GenerateConfig { kind, n_traces: 700, n_samples: 120, format, byte_order, ..GenerateConfig::default() }
}

fn int16(bytes: &[u8], first_byte: usize) -> i16 {
    i16::from_be_bytes(bytes[first_byte - 1..][..2].try_into().unwrap())
}

fn int32(bytes: &[u8], first_byte: usize) -> i32 {
    i32::from_be_bytes(bytes[first_byte - 1..][..4].try_into().unwrap())
}

const KINDS: [SurveyKind; 3] = [SurveyKind::Poststack, SurveyKind::Prestack, SurveyKind::Shots];

#[test]
fn bytes_depend_neither_on_threads_nor_on_blocks() {
    for kind in KINDS {
        let config = config(kind, 1, ByteOrder::Big);
        let expected = bytes_of(&config, 1, usize::MAX);
        assert_eq!(expected.len(), 3600 + 700 * (240 + 120 * 4));
        for (n_threads, block_bytes) in [(1, 1), (2, 5000), (3, 20_000), (7, 20_000)] {
            assert!(
                bytes_of(&config, n_threads, block_bytes) == expected,
                "{kind:?} with {n_threads} threads and blocks of {block_bytes} bytes"
            );
        }
    }
}

#[test]
fn a_shot_trace_depends_on_the_seed_but_not_on_how_many_follow() {
    let config = GenerateConfig { kind: SurveyKind::Shots, n_traces: 300, ..GenerateConfig::default() };
    let longer = GenerateConfig { n_traces: 500, ..config.clone() };
    let reseeded = GenerateConfig { seed: 2, ..config.clone() };
    let bytes = bytes_of(&config, 2, 50_000);
    assert!(bytes_of(&longer, 2, 50_000)[3600..bytes.len()] == bytes[3600..]);
    assert!(bytes_of(&reseeded, 2, 50_000)[3600..] != bytes[3600..]);
}

#[test]
fn headers_of_a_stack() {
    let bytes = bytes_of(&GenerateConfig::default(), 2, BLOCK_BYTES);
    for (first_byte, expected) in
        [(3213, 1), (3217, 4000), (3221, 500), (3225, 1), (3229, 4), (3255, 1), (3501, 0x0100), (3503, 1), (3505, 0)]
    {
        assert_eq!(int16(&bytes, first_byte), expected, "byte {first_byte}");
    }
    let trace = &bytes[3600 + 205 * 2240..];
    for (first_byte, expected) in [
        (1, 6),
        (5, 206),
        (21, 206),
        (25, 1),
        (37, 0),
        // 5 crosslines of 12.5 m along (0.8, 0.6), 2 inlines of 25 m along (-0.6, 0.8).
        (181, 43_100_000 + 5000 - 3000),
        (185, 647_800_000 + 3750 + 4000),
        (189, 1003),
        (193, 2006),
    ] {
        assert_eq!(int32(trace, first_byte), expected, "byte {first_byte}");
    }
    for (first_byte, expected) in [(29, 1), (71, -100), (115, 500), (117, 4000)] {
        assert_eq!(int16(trace, first_byte), expected, "byte {first_byte}");
    }
}

#[test]
fn cdp_gathers_have_rising_offsets_and_consecutive_numbers() {
    let bytes = bytes_of(&config(SurveyKind::Prestack, 5, ByteOrder::Big), 2, 50_000);
    let traces: Vec<&[u8]> = bytes[3600..].chunks_exact(240 + 480).collect();
    assert_eq!(int32(traces[0], 21), 1);
    for pair in traces.windows(2) {
        let [before, after] = [pair[0], pair[1]];
        if int32(before, 21) == int32(after, 21) {
            assert_eq!(int32(after, 25), int32(before, 25) + 1);
            assert!(int32(after, 37) >= int32(before, 37));
            assert_eq!(after[180..196], before[180..196]);
        } else {
            assert_eq!(int32(after, 21), int32(before, 21) + 1);
            assert_eq!(int32(after, 25), 1);
        }
    }
}

#[test]
fn a_dead_trace_is_marked_and_only_zeros() {
    let config = GenerateConfig {
        kind: SurveyKind::Shots,
        n_traces: 3000,
        n_samples: 50,
        format: 16,
        ..GenerateConfig::default()
    };
    let bytes = bytes_of(&config, 2, 50_000);
    let traces = bytes[3600..].chunks_exact(240 + 50);
    let dead: Vec<&[u8]> = traces.clone().filter(|trace| int16(trace, 29) == 2).collect();
    assert!(!dead.is_empty());
    assert!(dead.iter().all(|trace| trace[240..] == [0; 50]));
    assert_eq!(traces.filter(|trace| trace[240..] == [0; 50]).count(), dead.len());
}

#[test]
fn little_endian_files_hold_the_same_numbers() {
    let [big, little] =
        [ByteOrder::Big, ByteOrder::Little].map(|order| bytes_of(&config(SurveyKind::Shots, 3, order), 2, 50_000));
    assert_eq!(little[3200..3204], [1, 0, 0, 0]);
    assert_eq!(little[3216..3218], 4000_u16.to_le_bytes());
    let turned_round = |range: std::ops::Range<usize>| -> Vec<u8> { little[range].iter().rev().copied().collect() };
    assert_eq!(turned_round(3612..3616), big[3612..3616]);
    assert_eq!(turned_round(4078..4080), big[4078..4080]);
}

#[test]
fn long_traces_and_new_formats_are_declared_as_revision_two() {
    let long = GenerateConfig { n_traces: 2, n_samples: 70_000, ..GenerateConfig::default() };
    let bytes = bytes_of(&long, 2, 50_000);
    assert_eq!(bytes.len(), 3600 + 2 * (240 + 280_000));
    assert_eq!(int16(&bytes, 3221), 0);
    assert_eq!(int32(&bytes, 3269), 70_000);
    assert_eq!(int32(&bytes, 3297), 0x0102_0304);
    assert_eq!(bytes[3500..3502], [2, 0]);
    assert_eq!(bytes[3512..3528], [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 14, 16]);
    assert_eq!(int16(&bytes, 3600 + 115), 0);

    let widest_rev1 = GenerateConfig { n_samples: 65_535, n_traces: 1, ..GenerateConfig::default() };
    let bytes = bytes_of(&widest_rev1, 1, 50_000);
    assert_eq!((int16(&bytes, 3221), int16(&bytes, 3501)), (-1, 0x0100));

    let doubles = bytes_of(&config(SurveyKind::Shots, 6, ByteOrder::Little), 1, 50_000);
    assert_eq!(doubles[3296..3300], [4, 3, 2, 1]);
    assert_eq!(doubles[3500..3502], [2, 0]);
}

#[test]
fn every_format_can_be_generated_even_with_a_single_sample() {
    for code in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16] {
        let tiny =
            GenerateConfig { n_traces: 3, n_samples: 1, interval_us: 1, format: code, ..GenerateConfig::default() };
        let size = sample_format(code).unwrap().bytes;
        assert_eq!(bytes_of(&tiny, 2, 1).len(), 3600 + 3 * (240 + size));
    }
}

#[test]
fn a_survey_without_traces_is_its_file_headers() {
    let empty = GenerateConfig { n_traces: 0, ..GenerateConfig::default() };
    assert_eq!(bytes_of(&empty, 2, 1000).len(), 3600);
}

#[test]
fn progress_counts_up_to_all_traces() {
    let config = config(SurveyKind::Prestack, 3, ByteOrder::Big);
    let mut seen = Vec::new();
    write_survey(&config, io::sink(), 2, 48_000, &mut |n, total| seen.push((n, total))).unwrap();
    assert_eq!(seen, [100, 200, 300, 400, 500, 600, 700].map(|n| (n, 700)));
}

#[test]
fn what_segy_cannot_express_is_refused() {
    let refusal = |config: GenerateConfig| {
        let error = generate_to(&config, io::sink(), &mut |_, _| ()).unwrap_err();
        error.to_string()
    };
    let config = GenerateConfig::default();
    assert_eq!(
        refusal(GenerateConfig { n_samples: 0, ..config.clone() }),
        "A trace must have between 1 and 2147483647 samples, not 0."
    );
    assert_eq!(
        refusal(GenerateConfig { interval_us: 0, ..config.clone() }),
        "The sample interval must be at least 1 microsecond, not 0."
    );
    assert_eq!(
        refusal(GenerateConfig { n_traces: 1 << 31, ..config.clone() }),
        "A survey of 2147483648 traces cannot be numbered: the 4-byte header fields end at \
         2147483647."
    );
    assert!(refusal(GenerateConfig { format: 14, ..config.clone() }).contains("the codes are 1, 2, 3"));
}

#[test]
fn an_error_names_the_file_and_a_wrong_option_leaves_it_alone() {
    let config = GenerateConfig::default();
    let missing = Path::new("/no/such/folder/survey.sgy");
    let error = generate(&config, missing, &mut |_, _| (), &CancelHandle::new()).unwrap_err();
    assert_eq!(error.to_string(), "/no/such/folder/survey.sgy: its directory cannot be used");

    let path = std::env::temp_dir().join(format!("generate-{}.sgy", std::process::id()));
    std::fs::write(&path, "precious").unwrap();
    let wrong = GenerateConfig { format: 0, ..config.clone() };
    assert!(generate(&wrong, &path, &mut |_, _| (), &CancelHandle::new()).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_of_others_is_not_reached_through_a_link_and_none_is_replaced_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let [victim, path] = ["victim", "survey.sgy"].map(|name| directory.path().join(name));
    let write = |overwrite| {
        let config = GenerateConfig { n_traces: 2, n_samples: 5, overwrite, ..GenerateConfig::default() };
        generate(&config, &path, &mut |_, _| (), &CancelHandle::new()).map_err(|e| format!("{e:#}"))
    };
    // One that leads nowhere would make a file there.
    for is_there in [false, true] {
        if is_there {
            std::fs::write(&victim, "precious").unwrap();
        }
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        for overwrite in [false, true] {
            assert!(write(overwrite).unwrap_err().contains("is not a regular file"));
        }
        assert_eq!(std::fs::read(&victim).ok().as_deref(), is_there.then_some(&b"precious"[..]));
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::write(&path, "old").unwrap();
    assert!(write(false).unwrap_err().contains("already exists"));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    write(true).unwrap();
    assert_eq!(std::fs::read(&path).unwrap().len(), 3600 + 2 * 260);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_grid_is_made_to_order() {
    let lines = Some(["100:108:4".parse().unwrap(), "7:10".parse().unwrap()]);
    let config =
        GenerateConfig { kind: SurveyKind::Prestack, lines, fold: Some(2), n_samples: 4, ..GenerateConfig::default() };
    assert_eq!(config.n_traces_of_grid(), Some(24));
    let config = GenerateConfig { n_traces: 24, set: vec!["offset=50 * trace_number_cdp".parse().unwrap()], ..config };
    let bytes = bytes_of(&config, 2, 1000);
    let numbers: Vec<[i32; 3]> =
        bytes[3600..].chunks(240 + 16).map(|trace| [189, 193, 37].map(|byte| int32(trace, byte))).collect();
    let expected: Vec<[i32; 3]> =
        [100, 104, 108].into_iter().flat_map(|i| (7..=10).flat_map(move |j| [[i, j, 50], [i, j, 100]])).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn faults_are_where_they_were_asked_for() {
    let lines = Some(["1:4".parse().unwrap(), "1:5".parse().unwrap()]);
    let whole = GenerateConfig { lines, n_traces: 20, n_samples: 4, ..GenerateConfig::default() };
    let numbers = |config: &GenerateConfig| -> Vec<[i32; 3]> {
        let bytes = bytes_of(config, 2, 1000);
        bytes[3600..].chunks(240 + 16).map(|trace| [189, 193, 5].map(|byte| int32(trace, byte))).collect()
    };
    let holes = GenerateConfig { holes: Some("inline=2,crossline=2:5".parse().unwrap()), ..whole.clone() };
    let found = numbers(&holes);
    assert!(found.len() == 16 && found.contains(&[2, 1, 6]) && found[6][..2] == [3, 1], "{found:?}");
    let twice = GenerateConfig { duplicates: Some("3".parse().unwrap()), ..whole.clone() };
    let found = numbers(&twice);
    assert_eq!((found.len(), found.windows(2).filter(|pair| pair[0][..2] == pair[1][..2]).count()), (23, 3));
    let stray = GenerateConfig { strays: Some("1".parse().unwrap()), ..whole.clone() };
    assert_eq!(numbers(&stray).iter().filter(|trace| trace[0] > 100_000 && trace[1] > 100_000).count(), 1);
    let short = GenerateConfig { truncated_bytes: 300, ..whole.clone() };
    let (all, cut) = (bytes_of(&whole, 2, 1000), bytes_of(&short, 2, 1000));
    assert!(cut == all[..all.len() - 300]);
    let empty = GenerateConfig { holes: Some("20".parse().unwrap()), ..whole };
    assert!(write_survey(&empty, io::sink(), 1, 1000, &mut |_, _| ()).is_err());
}

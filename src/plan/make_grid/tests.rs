//! Tests of what a grid is made of, from the headers of small surveys.

use super::*;
use crate::generate::{GenerateConfig, SurveyKind, generate};
use crate::plan::import_config::ImportConfig;

/// The grid with these keys of a survey with so many traces of 5 samples.
fn grid_of(kind: SurveyKind, n_traces: u64, keys: &str, change: fn(&mut ImportConfig)) -> Result<Grid> {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("in.sgy");
    let survey = GenerateConfig { kind, n_traces, n_samples: 5, ..GenerateConfig::default() };
    generate(&survey, &input, &mut |_, _| {}, &crate::CancelHandle::new()).unwrap();
    let mut config = ImportConfig::new(&input, directory.path().join("out"));
    config.grid = Some(GridOptions::new(keys.parse().unwrap()));
    change(&mut config);
    config.plan().map(|plan| plan.target.grid().unwrap().clone())
}

fn refusal(kind: SurveyKind, n_traces: u64, keys: &str) -> String {
    match grid_of(kind, n_traces, keys, |_| {}) {
        Err(Error::Input(message)) => message,
        other => panic!("{:?}", other.map(drop)),
    }
}

#[test]
fn coordinates_lie_along_the_keys_that_they_depend_on() {
    let coordinates = |kind, keys, change: fn(&mut ImportConfig)| {
        let grid = grid_of(kind, 24, keys, change).unwrap();
        grid.coordinates.into_iter().map(|c| (c.name, c.axes)).collect::<Vec<_>>()
    };
    let is = |names: &[&str], axes: &[&[usize]]| {
        names.iter().zip(axes).map(|(&name, &axes)| (name.to_owned(), axes.to_owned())).collect::<Vec<_>>()
    };
    let midpoints = ["cdp_x", "cdp_y"];
    assert_eq!(coordinates(SurveyKind::Poststack, "inline,crossline", |_| {}), is(&midpoints, &[&[0, 1], &[0, 1]]));
    assert_eq!(coordinates(SurveyKind::Prestack, "cdp,offset,trace", |_| {}), is(&midpoints, &[&[0], &[0]]));
    // Along all keys where none says what gathers are.
    let unknown = coordinates(SurveyKind::Poststack, "trace_sequence_line,trace", |_| {});
    assert_eq!(unknown, is(&midpoints, &[&[0, 1], &[0, 1]]));
    let of_shots = ["source_coord_x", "source_coord_y", "group_coord_x", "group_coord_y"];
    let shots = coordinates(SurveyKind::Shots, "field_record,trace_number", |_| {});
    assert_eq!(shots, is(&of_shots, &[&[0], &[0], &[0, 1], &[0, 1]]));
    let receiver: fn(&mut ImportConfig) = |config| config.headers.fields = vec!["receiver=13:i32".parse().unwrap()];
    let both = coordinates(SurveyKind::Shots, "field_record,receiver", receiver);
    assert_eq!(both, is(&of_shots, &[&[0], &[0], &[1], &[1]]));
    assert_eq!(coordinates(SurveyKind::Shots, "receiver,trace", receiver), is(&of_shots[2..], &[&[0], &[0]]));
}

#[test]
fn lengths_follow_the_axes_and_the_samples_stay_last() {
    let lengths = |numbers: &[u64]| Lengths(numbers.iter().copied().map(Some).collect());
    assert_eq!(permuted(&lengths(&[1, 2, 3, 9]), &[2, 0, 1]), lengths(&[3, 1, 2, 9]));
    assert_eq!(permuted(&lengths(&[1, 2]), &[1, 0]), lengths(&[1, 2]));
}

#[test]
fn a_bin_is_for_its_key_alone() {
    let grid = grid_of(SurveyKind::Prestack, 24, "cdp,offset,trace", |config| {
        config.grid.as_mut().unwrap().bins = vec!["offset=0:100".parse().unwrap()];
    });
    let bins: Vec<_> = grid.unwrap().keys.iter().map(|key| key.bin).collect();
    assert_eq!(bins, [None, Some([0, 100]), None]);
}

#[test]
fn keys_that_are_the_same_in_all_traces_are_refused_unless_another_varies_or_there_is_one_trace() {
    let refused = refusal(SurveyKind::Poststack, 12, "offset");
    assert!(refused.contains("in.sgy: offset is 0 in all traces; where"), "{refused}");
    let refused = refusal(SurveyKind::Poststack, 12, "offset,data_use");
    assert!(refused.contains("offset is 0 in all traces, data_use is "), "{refused}");
    let varies = |n, keys| grid_of(SurveyKind::Poststack, n, keys, |_| {}).is_ok();
    assert!(varies(12, "cdp,offset") && varies(1, "offset") && varies(1, "inline,crossline"));
    assert!(refusal(SurveyKind::Poststack, 2, "offset").contains("offset is 0 in all traces"));
}

#[test]
fn traces_at_one_place_are_counted_and_the_first_of_them_named() {
    let few = refusal(SurveyKind::Poststack, 4, "inline");
    assert!(few.contains("in.sgy: 2 traces lie where another does inline 1001: traces 1 and 2; inline"), "{few}");
    let many = refusal(SurveyKind::Poststack, 100, "inline");
    assert!(many.contains("90 traces lie where another does, first of them inline 1001: traces 1 and 2"), "{many}");
}

#[test]
fn columns_of_a_shard_count_if_they_have_traces() {
    let sharded: fn(&mut ImportConfig) = |config| {
        let grid = config.grid.as_mut().unwrap();
        (grid.brick, grid.shard) = (Some("1,1,5".parse().unwrap()), Some(GridShard::Lengths("2,2,5".parse().unwrap())));
    };
    let n = |n_traces| {
        let grid = grid_of(SurveyKind::Poststack, n_traces, "inline,crossline", sharded).unwrap();
        (grid.n_units, grid.n_columns)
    };
    assert_eq!([16, 15, 9].map(n), [(4, 16), (4, 15), (4, 9)]);
}

#[test]
fn a_sorted_volume_is_planned_from_a_few_headers_and_as_from_all() {
    let (directory, cancel) = (tempfile::tempdir().unwrap(), CancelHandle::new());
    let input = directory.path().join("in.sgy");
    let survey = GenerateConfig { n_traces: 400, n_samples: 2, ..GenerateConfig::default() };
    generate(&survey, &input, &mut |_, _| {}, &cancel).unwrap();
    let sorted = std::fs::read(&input).unwrap();
    let grid_of = |bytes: &[u8], keys: &str, is_scanned: bool| {
        std::fs::write(&input, bytes).unwrap();
        let mut config = ImportConfig::new(&input, directory.path().join("out"));
        config.grid = Some(GridOptions { is_scanned, ..GridOptions::new(keys.parse().unwrap()) });
        let plan = config.plan_watched(&|_| Ok(()), &cancel).unwrap();
        plan.target.grid().cloned().unwrap()
    };
    for keys in ["inline,crossline", "crossline,inline", "cdp", "auto"] {
        let (probed, scanned) = (grid_of(&sorted, keys, false), grid_of(&sorted, keys, true));
        assert!(probed.sorted.is_some() && scanned.sorted.is_none(), "{keys}");
        assert_eq!(Grid { sorted: None, ..probed }, scanned);
    }
    let mut shuffled = sorted.clone();
    let (one, other) = (3600 + 7 * 248, 3600 + 8 * 248);
    shuffled.copy_within(one..other, other);
    shuffled[other..other + 248].copy_from_slice(&sorted[other..other + 248]);
    shuffled[one..other].copy_from_slice(&sorted[other..other + 248]);
    shuffled[other..other + 248].copy_from_slice(&sorted[one..other]);
    assert!(grid_of(&shuffled, "inline,crossline", false).sorted.is_none());
}

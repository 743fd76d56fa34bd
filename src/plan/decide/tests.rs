//! Tests of what is decided by the options and the headers of small surveys.

use std::path::Path;

use crate::base::error::{Error, Result};
use crate::generate::{GenerateConfig, SurveyKind, generate};
use crate::grid::options::{GridKeys, GridOptions};
use crate::plan::Plan;
use crate::plan::import_config::{DtypeChoice, Gather, ImportConfig};
use crate::zarr::{AxisOrder, ReadPattern};

/// A survey of 12 traces of 5 samples.
fn survey(path: &Path, change: fn(&mut GenerateConfig)) {
    let mut survey = GenerateConfig { n_traces: 12, n_samples: 5, ..GenerateConfig::default() };
    change(&mut survey);
    generate(&survey, path, &mut |_, _| {}, &crate::CancelHandle::new()).unwrap();
}

/// The plan of a survey that `generated` changes, with options that `asked` changes.
fn plan_of(generated: fn(&mut GenerateConfig), asked: &dyn Fn(&mut ImportConfig)) -> Result<Plan> {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("in.sgy");
    survey(&input, generated);
    let mut config = ImportConfig::new(&input, directory.path().join("out"));
    config.gather = Gather::None;
    asked(&mut config);
    config.plan()
}

fn refusal(asked: &dyn Fn(&mut ImportConfig)) -> String {
    match plan_of(|_| {}, asked) {
        Err(Error::Usage(message)) => message,
        other => panic!("{:?}", other.map(drop)),
    }
}

#[test]
fn a_small_file_is_one_segment_and_a_large_one_has_some_for_every_worker() {
    let n_bytes = 3600 + 12 * 260;
    let n = |segments, threshold| {
        let asked = move |config: &mut ImportConfig| {
            (config.workers, config.chunk_traces) = (Some(3), Some(1));
            (config.segments, config.parallel_threshold) = (segments, threshold);
        };
        plan_of(|_| {}, &asked).unwrap().segments.len()
    };
    assert_eq!(n(None, (12, n_bytes)), 1);
    assert_eq!([(11, n_bytes), (12, n_bytes - 1), (0, 0)].map(|threshold| n(None, threshold)), [3, 3, 3]);
    assert_eq!([0, 1, 5, 12, 20].map(|asked| n(Some(asked), (12, n_bytes))), [1, 1, 5, 12, 12]);
    // No more than there are chunks.
    let of_two_chunks = plan_of(|_| {}, &|c| (c.chunk_traces, c.segments) = (Some(6), Some(5))).unwrap();
    assert_eq!(of_two_chunks.segments.len(), 2);
}

#[test]
fn workers_that_have_no_segment_become_threads_of_the_others() {
    let n = |workers, segments| {
        let asked = move |config: &mut ImportConfig| {
            (config.workers, config.segments, config.chunk_traces) = (Some(workers), Some(segments), Some(1));
        };
        plan_of(|_| {}, &asked).unwrap().threads
    };
    assert_eq!(
        [(1, 1), (7, 1), (7, 3), (3, 7), (1000, 1)].map(|(workers, segments)| n(workers, segments)),
        [1, 7, 3, 1, 64]
    );
}

#[test]
fn a_dataset_is_readable_for_those_who_may_read_every_input() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |modes: [u32; 2]| {
        let directory = tempfile::tempdir().unwrap();
        let inputs = ["a.sgy", "b.sgy"].map(|name| directory.path().join(name));
        for (input, mode) in inputs.iter().zip(modes) {
            survey(input, |_| {});
            std::fs::set_permissions(input, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut config = ImportConfig::new(&inputs[0], directory.path().join("out"));
        config.inputs = inputs.into();
        config.plan().unwrap().file_mode
    };
    let modes = [[0o644, 0o644], [0o640, 0o604], [0o777, 0o777], [0o444, 0o640]].map(mode);
    assert_eq!(modes, [0o644, 0o600, 0o666, 0o640]);
}

#[test]
fn what_a_dataset_would_not_hold_cannot_be_verified() {
    let refused = |asked: fn(&mut ImportConfig)| {
        refusal(&|config| {
            config.verify = true;
            asked(config);
        })
    };
    assert!(refused(|c| c.headers_only = true).contains("--headers-only"));
    assert!(refused(|c| c.raw_header = false).contains("--no-raw-header"));
    let with = |format: fn(&mut GenerateConfig), dtype| {
        plan_of(format, &|config| (config.verify, config.dtype) = (true, dtype)).map(drop)
    };
    assert_eq!(with(|_| {}, DtypeChoice::Float32), Ok(()));
    assert_eq!(with(|survey| survey.format = 2, DtypeChoice::Native), Ok(()));
    let Err(Error::Usage(message)) = with(|survey| survey.format = 2, DtypeChoice::Float32) else { panic!("verified") };
    assert!(message.contains("--dtype float32"), "{message}");
    assert!(plan_of(|_| {}, &|config| (config.headers_only, config.raw_header) = (true, false)).is_ok());
}

#[test]
fn options_for_traces_in_file_order_do_not_go_with_a_grid() {
    let with_grid = |asked: fn(&mut ImportConfig)| {
        refusal(&|config| {
            config.grid = Some(GridOptions::new(GridKeys::Auto));
            asked(config);
        })
    };
    assert!(with_grid(|c| c.headers_only = true).contains("--grid places samples"));
    assert!(with_grid(|c| c.chunk_traces = Some(3)).starts_with("--chunk-traces is for traces in file order"));
    assert!(with_grid(|c| c.chunk_samples = Some(3)).starts_with("--chunk-samples is"));
    assert!(with_grid(|c| c.reads = ReadPattern::Slices).starts_with("--access is"));
    assert!(with_grid(|c| c.order = AxisOrder::TraceSample).starts_with("--order is"));
}

#[test]
fn gather_keys_are_whole_numbers_by_name_or_alias_and_each_once() {
    let asked = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        plan_of(|_| {}, &|config| config.gather = Gather::Keys(names.clone()))
    };
    let keys = |names: &[&str]| asked(names).unwrap().gather_keys.into_iter().map(|k| k.name).collect::<Vec<_>>();
    assert_eq!(keys(&["CDP"]), ["cdp"]);
    assert_eq!(keys(&["inline", "cdp"]), ["inline", "cdp"]);
    let alias = crate::segy::fields::TRACE_FIELDS.iter().find(|f| f.name == "field_record").unwrap().aliases[0];
    assert_eq!(keys(&[alias]), ["field_record"]);
    let refused = |names: &[&str]| asked(names).unwrap_err().to_string();
    assert_eq!(refused(&["cdp", "inline", "Cdp"]), "--gather names cdp twice");
    let unknown = refused(&["crosline"]);
    assert!(unknown.starts_with("--gather crosline: is not a trace header field; "), "{unknown}");
    assert!(unknown.contains("\"crossline\""), "{unknown}");
}

#[test]
fn a_key_that_makes_no_gathers_is_warned_about_where_another_makes_some() {
    let warning = |kind: fn(&mut GenerateConfig), key: &str| {
        let key = key.to_owned();
        let plan = plan_of(kind, &|config| config.gather = Gather::Keys(vec![key.clone()])).unwrap();
        plan.warnings.into_iter().find(|warning| warning.contains("gather key"))
    };
    let shots = |survey: &mut GenerateConfig| (survey.kind, survey.n_traces) = (SurveyKind::Shots, 400);
    let same = warning(shots, "sample_interval").unwrap();
    assert!(same.contains("is the same in all") && same.contains("; --gather "), "{same}");
    let each = warning(shots, "trace_sequence_line").unwrap();
    assert!(each.contains("changes from trace to trace"), "{each}");
    assert_eq!(warning(shots, "field_record"), None);
}

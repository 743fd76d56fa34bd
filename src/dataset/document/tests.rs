use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::CancelHandle;
use crate::ImportConfig;
use crate::dataset::Dataset;
use crate::dataset_files::{METADATA, TABLES};
use crate::generate::{GenerateConfig, generate};
use crate::grid::options::GridOptions;
use crate::import;
use crate::segy::Ragged;

const N_TRACES: usize = 12;
const N_SAMPLES: usize = 5;

/// Makes a survey, with an extended textual header if `extended`, and with traces of varying length if `ragged`.
fn survey(path: PathBuf, extended: bool, ragged: bool) -> PathBuf {
    let config = GenerateConfig { n_traces: N_TRACES as u64, n_samples: N_SAMPLES as u32, ..GenerateConfig::default() };
    generate(&config, &path, &mut |_, _| {}, &CancelHandle::new()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (headers, traces) = bytes.split_at(3600);
    let mut file = headers.to_vec();
    if extended {
        file[3504..3506].copy_from_slice(&[0, 1]);
        file.resize(3600 + 3200, 0x40);
    }
    if ragged {
        file[3502..3504].fill(0);
    }
    for (i, trace) in traces.chunks(traces.len() / N_TRACES).enumerate() {
        let n = if ragged { N_SAMPLES - i % 3 } else { N_SAMPLES };
        let mut trace = trace[..240 + 4 * n].to_vec();
        trace[114..116].copy_from_slice(&(n as u16).to_be_bytes());
        file.extend(trace);
    }
    std::fs::write(&path, file).unwrap();
    path
}

/// Imports with changes to the usual options. Returns the path of the document.
fn imported(inputs: &[&PathBuf], output: PathBuf, change: impl Fn(&mut ImportConfig)) -> PathBuf {
    let mut config = ImportConfig::new(inputs[0], &output);
    config.inputs = inputs.iter().map(|&input| input.clone()).collect();
    config.sync = false;
    change(&mut config);
    import(&config, &mut |_| {}, &CancelHandle::new()).unwrap();
    if config.grid.is_some() { output.join(TABLES).join(METADATA) } else { output.join(METADATA) }
}

/// Documents that together have every possible key: from one file, several files, traces of varying length, headers
/// only, rounded samples.
fn documents(directory: &Path) -> Vec<PathBuf> {
    let one = survey(directory.join("one.sgy"), true, false);
    let other = survey(directory.join("other.sgy"), true, false);
    let ragged = survey(directory.join("ragged.sgy"), false, true);
    let columns = |config: &mut ImportConfig| {
        config.headers.fields = vec!["mine=181:i32".parse().unwrap()];
        config.headers.fields[0].description = Some("Whose it is".into());
        config.headers.computed = vec!["half = cdp / 2".parse().unwrap()];
    };
    vec![
        imported(&[&one], directory.join("one"), columns),
        imported(&[&one, &other], directory.join("several"), |_| {}),
        imported(&[&ragged], directory.join("ragged"), |config| config.overrides.ragged = Ragged::Pad),
        imported(&[&one], directory.join("headers"), |config| {
            (config.headers_only, config.header_parts) = (true, true)
        }),
        imported(&[&one], directory.join("grid"), |config| {
            config.grid = Some(GridOptions::new("trace_sequence_file,trace".parse().unwrap()));
        }),
        imported(&[&one], directory.join("bins"), |config| {
            let mut grid = GridOptions::new("inline,crossline,trace".parse().unwrap());
            grid.crs = Some("EPSG:32610".parse().unwrap());
            config.grid = Some(grid);
        }),
        imported(&[&one], directory.join("part"), |config| config.selection.condition = Some("trace_index < 3".into())),
        imported(&[&one], directory.join("rounded"), |config| config.precision = Some(60)),
        imported(&[&one], directory.join("orders"), |config| {
            config.overrides.n_samples = Some(N_SAMPLES as u32);
            config.overrides.trace_byte_order = Some(ByteOrder::Little);
            config.overrides.sample_byte_order = Some(ByteOrder::Big);
        }),
    ]
}

/// Adds the key paths of a document, like `segy.decisions.what`. Objects in `files` entries or at the top of a
/// single-file document count as the latter.
fn add_keys(value: &Value, place: &str, keys: &mut BTreeSet<String>) {
    match value {
        // Their keys are header fields.
        Value::Object(_) if ["binary_header.", "geometry.header_ranges."].contains(&place) => {}
        Value::Object(object) => {
            for (key, value) in object {
                let key =
                    if ["checksums.", "grid.checksums.", "grid.structures."].contains(&place) { "PATH" } else { key };
                let of_files = ["name", "bytes", "start_trace", "end_trace", "warnings"].contains(&key);
                let key = if place == "files." && !of_files { key.to_owned() } else { format!("{place}{key}") };
                add_keys(value, &format!("{key}."), keys);
                keys.insert(key);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| add_keys(value, place, keys)),
        _ => {}
    }
}

/// The key paths in the first columns of the tables in `docs/format.md`.
fn documented_keys() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n## metadata.json\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut place = String::new();
    let mut keys = BTreeSet::new();
    for line in section.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            place = format!("{}.", heading.split(':').next().unwrap());
        } else if let Some(row) = line.strip_prefix("| `") {
            let names = row.split(" | ").next().unwrap().split("`, `").map(|name| name.trim_end_matches('`'));
            keys.extend(names.map(|name| format!("{place}{name}")));
        }
    }
    keys
}

#[test]
fn every_key_of_the_document_is_in_the_format_and_the_other_way_round() {
    let directory = tempfile::tempdir().unwrap();
    let mut keys = BTreeSet::new();
    for path in documents(directory.path()) {
        add_keys(&serde_json::to_value(Document::read(&Place::of(&path).unwrap()).unwrap()).unwrap(), "", &mut keys);
    }
    let documented = documented_keys();
    let is_documented =
        |key: &&String| documented.contains(*key) || documented.iter().any(|d| d.starts_with(&format!("{key}.")));
    let missing: Vec<_> = keys.iter().filter(|key| !is_documented(key)).collect();
    assert!(missing.is_empty(), "docs/format.md does not name {missing:?}");
    let unknown: Vec<_> = documented.difference(&keys).collect();
    assert!(unknown.is_empty(), "docs/format.md names {unknown:?}, which no document has");
}

#[test]
fn a_document_that_is_read_and_written_again_has_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    for path in documents(directory.path()) {
        let again = directory.path().join("again.json");
        Document::read(&Place::of(&path).unwrap()).unwrap().write(&Place::of(&again).unwrap()).unwrap();
        let texts = [&path, &again].map(|path| std::fs::read_to_string(path).unwrap());
        assert_eq!(texts[0], texts[1], "{}", path.display());
    }
}

#[test]
fn what_another_version_wrote_is_read_or_refused_and_what_is_damaged_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let input = survey(directory.path().join("in.sgy"), false, false);
    let root = directory.path().join("out");
    let path = imported(&[&input], root.clone(), |_| {});
    let written = parse_checked(&Place::of(&path).unwrap(), std::fs::read(&path).unwrap()).unwrap();
    let open = |change: &dyn Fn(&mut Value)| {
        let mut changed = written.clone();
        change(&mut changed);
        write_checked(&Place::of(&path).unwrap(), &changed).unwrap();
        Dataset::open(&root).map(drop)
    };
    let said = |what: &str| format!("{}: {what}", path.display());
    let refused = |what: &str| Err(Error::Input(said(what)));
    let damaged = |what: &str| Err(Error::Damaged(said(&format!("is damaged: {what}"))));

    assert_eq!(open(&|d| (d["later"], d["segy"]["later"]) = (json!([1.5]), json!({"a": null}))), Ok(()));
    let newer = "was written by a newer segy-import (format version 3); this one reads up to version 2";
    assert_eq!(open(&|d| d["format"]["version"] = json!(3)), refused(newer));
    // Whatever else has changed in the document.
    assert_eq!(open(&|d| (d["format"]["version"], d["segy"]) = (json!(3), json!([]))), refused(newer));
    assert!(Document::is_at(&Place::of(&path).unwrap()).unwrap());
    assert_eq!(open(&|d| d["format"]["version"] = json!(0)), refused("has format version 0, which there never was"));
    assert_eq!(open(&|d| d["format"]["name"] = json!("x")), refused("is not the document of a segy-import dataset"));
    assert!(!Document::is_at(&Place::of(&path).unwrap()).unwrap());

    let remove = |d: &mut Value, key: &str| drop(d.as_object_mut().unwrap().remove(key));
    assert_eq!(open(&|d| remove(d, "format")), damaged("missing field `format`"));
    assert_eq!(open(&|d| remove(d, "checksums")), damaged("missing field `checksums`"));
    assert_eq!(open(&|d| remove(&mut d["options"], "codec")), damaged("missing field `codec`"));
    let wrong = "invalid type: integer `5`, expected a string";
    assert_eq!(open(&|d| d["bytes_before_traces"] = json!(5)), damaged(wrong));
    let missing = "it has no checksum of original/before_traces.bin";
    assert_eq!(open(&|d| d["bytes_before_traces"] = json!(null)), damaged(missing));
    assert_eq!(open(&|d| d["geometry"]["n_traces"] = json!(0)), damaged("its numbers contradict each other"));
    assert_eq!(open(&|d| d["segy"]["sample_format"]["code"] = json!(99)), damaged("there is no sample format 99"));
    assert_eq!(open(&|_| ()), Ok(()));
    let text = std::fs::read_to_string(&path).unwrap().replace("\"n_dead\": 0", "\"n_dead\": 1");
    std::fs::write(&path, text).unwrap();
    assert_eq!(Dataset::open(&root).map(drop), damaged("its checksum is not that of its bytes"));
}

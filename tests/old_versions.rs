//! Datasets that older programs wrote, kept in `tests/data`, are read as ever.

use std::fs;
use std::path::Path;

use crate::support::{run, scratch, stderr, unpack_version_1};

#[test]
fn a_dataset_of_version_1_is_verified_and_gives_its_file_back() {
    let directory = scratch();
    unpack_version_1(directory.path());
    let input = directory.path().join("in.sgy");
    for name in ["zstd", "shards"] {
        let dataset = directory.path().join(name);
        let back = directory.path().join("back.sgy");
        let succeeds = |arguments: &[&Path]| {
            let output = run(arguments);
            assert!(output.status.success(), "{name}: {}", stderr(&output));
        };
        succeeds(&[Path::new("verify"), &input, &dataset]);
        succeeds(&[Path::new("verify"), &dataset]);
        succeeds(&[Path::new("export"), &dataset, &back]);
        assert!(fs::read(&back).unwrap() == fs::read(&input).unwrap(), "{name}");
        fs::remove_file(back).unwrap();
    }
}

#[test]
fn damage_of_a_dataset_of_version_1_is_found() {
    let directory = scratch();
    unpack_version_1(directory.path());
    for file in ["zstd/traces.zarr/c/0/1", "zstd/sample/c/0", "shards/headers.parquet", "shards/metadata.json"] {
        let path = directory.path().join(file);
        let bytes = fs::read(&path).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(&path, damaged).unwrap();
        let dataset = directory.path().join(file.split('/').next().unwrap());
        let output = run(&[Path::new("verify"), &dataset]);
        assert_eq!(output.status.code(), Some(5), "{file}: {}", stderr(&output));
        fs::write(path, bytes).unwrap();
    }
}

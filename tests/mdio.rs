//! Grids as MDIO sees them: the acceptance suite of `../shared/grid`, which makes 27 files of every geometry, imports each
//! in the ways that matter, and reads the stores with xarray, dask, zarr, tensorstore, segyio and MDIO, which also
//! exports them. With both versions of MDIO that are in use.

use std::path::Path;

use crate::support::{self, Survey, python, run, stderr};

fn suite_passes(interpreter: Option<&Path>) {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/grid/check_nd.py");
    if !suite.exists() {
        python::say("skipped: ../shared is not here");
        return;
    }
    let Some(interpreter) = interpreter else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = support::program();
    let arguments = [suite.as_os_str(), "suite".as_ref(), program.as_os_str(), directory.path().as_os_str()];
    let said = python::run(interpreter, &arguments);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert!(failed.is_empty() && said.contains("failed checks: 0"), "{said}");
    for check in ["mdio_open", "mdio_export", "tensorstore", "dask", "own export", "same bytes with"] {
        assert!(
            said.lines().filter(|line| line.starts_with("PASS") && line.contains(check)).count() > 25,
            "{check}: {said}"
        );
    }
}

#[test]
fn mdio_1_1_opens_and_exports_every_grid() {
    suite_passes(python::interpreter_with_mdio_1_1());
}

#[test]
fn mdio_1_2_opens_and_exports_every_grid() {
    suite_passes(python::interpreter_with_mdio_1_2());
}

#[test]
fn headers_edited_with_mdio_are_told_and_the_file_comes_back_all_the_same() {
    let Some(interpreter) = python::interpreter_with_mdio_1_2() else { return };
    let survey = Survey::new(&["--inlines", "1:12", "--crosslines", "1:15", "--samples", "60"]);
    let grid = survey.import("cube.zarr", &["--grid", "inline,crossline"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/mdio_edits.py");
    let back = survey.path("mdio.sgy");
    let arguments = [script.as_os_str(), grid.as_ref(), survey.input.as_ref(), back.as_ref()];
    python::run(interpreter, &arguments);
    let verified = run(&["verify".as_ref(), grid.as_os_str()]);
    let said = stderr(&verified);
    assert!(verified.status.code() == Some(5) && said.contains("were edited since the import"), "{said}");
    let own = survey.path("own.sgy");
    let exported = run(&["export".as_ref(), grid.as_os_str(), own.as_ref()]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    assert!(std::fs::read(own).unwrap() == std::fs::read(&survey.input).unwrap());
}

//! Grids as MDIO sees them: the acceptance suite of `../shared/grid`, which makes 27 files of every geometry, imports each
//! in the ways that matter, and reads the stores with xarray, dask, zarr, tensorstore, segyio and MDIO, which also
//! exports them. With both versions of MDIO that are in use; of the older one, with which only the checks by MDIO itself differ, every
//! third file, or with `SEGY_IMPORT_SUITE` set all.

use std::path::Path;

use crate::support::{self, Survey, python, run, stderr};

/// The suite with every `nth` of its files.
fn suite_passes(interpreter: Option<&Path>, nth: usize) {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/grid");
    if !suite.join("check_nd.py").exists() {
        python::say("skipped: ../shared is not here");
        return;
    }
    let Some(interpreter) = interpreter else { return };
    let directory = support::scratch();
    let program = support::program();
    let run_it = format!(
        "import sys; sys.path.insert(0, sys.argv[1]); import check_nd; check_nd.SUITE = check_nd.SUITE[::{nth}]; check_nd.suite(*sys.argv[2:])"
    );
    let arguments =
        ["-c".as_ref(), run_it.as_ref(), suite.as_os_str(), program.as_os_str(), directory.path().as_os_str()];
    let said = python::run(interpreter, &arguments);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert!(failed.is_empty() && said.contains("failed checks: 0"), "{said}");
    for check in ["mdio_open", "mdio_export", "tensorstore", "dask", "own export", "same bytes with"] {
        assert!(
            said.lines().filter(|line| line.starts_with("PASS") && line.contains(check)).count() > 25 / nth,
            "{check}: {said}"
        );
    }
}

#[test]
fn mdio_1_1_opens_and_exports_every_grid() {
    let nth = if std::env::var_os("SEGY_IMPORT_SUITE").is_some() { 1 } else { 3 };
    suite_passes(python::interpreter_with_mdio_1_1(), nth);
}

#[test]
fn mdio_1_2_opens_and_exports_every_grid() {
    suite_passes(python::interpreter_with_mdio_1_2(), 1);
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

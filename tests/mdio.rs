//! Grids as MDIO sees them: the acceptance suite of `../shared/grid`, which makes 27 files of every geometry, imports each
//! in the ways that matter, and reads the stores with xarray, dask, zarr, tensorstore, segyio and MDIO, which also
//! exports them. With both versions of MDIO that are in use.

use std::path::Path;

use crate::support::{self, python};

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

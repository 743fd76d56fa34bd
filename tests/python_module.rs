//! The Python module `segy_import` over this build's program: its tests are in `python/tests`.

use std::path::Path;
use std::process::Stdio;

use crate::support::{program, python};

#[test]
fn the_module_converts_with_progress_and_cancel_and_opens_what_it_made() {
    let Some(interpreter) = python::interpreter_with_module() else { return };
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let output = python::command(interpreter)
        .arg(module.join("tests/test_module.py"))
        .env("SEGY_IMPORT_PROGRAM", program())
        .env("PYTHONPATH", &module)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

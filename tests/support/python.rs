//! Python with the readers people use, in an environment of the tests' own.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The tests' Python files.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python")
}

/// An interpreter with the packages of `requirements.txt`. `None` if Python is missing, with a note on standard error;
/// in CI, where no test may be skipped, that is a failure.
pub(crate) fn interpreter() -> Option<&'static Path> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    told(ENVIRONMENT.get_or_init(|| environment("python", "requirements.txt", &[])))
}

/// As [`interpreter`], with MDIO 1.1.3, which runs on Python 3.11 to 3.13.
pub(crate) fn interpreter_with_mdio_1_1() -> Option<&'static Path> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let versions = ["3.11", "3.12", "3.13"];
    told(ENVIRONMENT.get_or_init(|| environment("python-mdio-1.1", "requirements-mdio-1.1.3.txt", &versions)))
}

/// As [`interpreter`], with MDIO 1.2.3, which needs Python 3.12 or later.
pub(crate) fn interpreter_with_mdio_1_2() -> Option<&'static Path> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let versions = ["3.13", "3.12", "3.14"];
    told(ENVIRONMENT.get_or_init(|| environment("python-mdio-1.2", "requirements-mdio-1.2.3.txt", &versions)))
}

/// As [`interpreter`], with what users of the module `segy_import` have.
pub(crate) fn interpreter_with_module() -> Option<&'static Path> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    told(ENVIRONMENT.get_or_init(|| environment("python-module", "requirements-module.txt", &[])))
}

/// As [`interpreter`], with the packages of `requirements-stores.txt`.
#[cfg(feature = "cloud")]
pub(crate) fn interpreter_with_stores() -> Option<&'static Path> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    told(ENVIRONMENT.get_or_init(|| environment("python-stores", "requirements-stores.txt", &[])))
}

fn told(environment: &'static Result<PathBuf, String>) -> Option<&'static Path> {
    match environment {
        Ok(python) => Some(python),
        Err(missing) if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) => {
            panic!("{missing}; CI is set, so the tests with Python are not skipped")
        }
        Err(missing) => {
            say(&format!("SKIPPED, NOT TESTED: {}: {missing}", std::thread::current().name().unwrap_or("a test")));
            None
        }
    }
}

/// Writes a line to standard error that the test runner does not capture.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Python, which keeps what it compiles, even where the surroundings tell it not to, but not beside the sources: modules are
/// compiled when they are used first.
pub(crate) fn command(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.env_remove("PYTHONDONTWRITEBYTECODE");
    command.env("PYTHONPYCACHEPREFIX", Path::new(env!("CARGO_TARGET_TMPDIR")).join("pycache"));
    command
}

/// Runs Python, which must succeed: a failure shows what it printed, with tracebacks. Returns its output.
pub(crate) fn run(python: &Path, arguments: &[&std::ffi::OsStr]) -> String {
    let output = command(python).args(arguments).stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python {arguments:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// A Python of one of these versions, or 3.11 or later if none is given: on the path, or installed by pyenv.
fn base(versions: &[&str]) -> Result<PathBuf, String> {
    if versions.is_empty() {
        let new_enough = "import sys; sys.exit(sys.version_info < (3, 11))";
        let is_there = succeeds(Command::new("python3").args(["-c", new_enough]));
        return is_there.then(|| "python3".into()).ok_or("python3, 3.11 or later, is not here".into());
    }
    let home = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".pyenv")));
    let installed = home.and_then(|home| fs::read_dir(home.join("versions")).ok()).into_iter().flatten().flatten();
    let installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin/python3")).collect();
    let on_path = versions.iter().map(|version| PathBuf::from(format!("python{version}")));
    let is_one = |python: &PathBuf| {
        let is_version = format!("import sys; sys.exit('%d.%d' % sys.version_info[:2] not in {versions:?})");
        succeeds(Command::new(python).args(["-c", &is_version]))
    };
    let found = on_path.chain(["python3".into()]).chain(installed).find(is_one);
    found.ok_or_else(|| format!("Python {} is not here", versions.join(" or ")))
}

/// The environment, created once, and again whenever the requirements change. `Err` says why that is impossible here.
fn environment(name: &str, requirements: &str, versions: &[&str]) -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let requirements_file = scripts().join(requirements);
    let requirements = fs::read_to_string(&requirements_file).unwrap();
    let (python, complete) = (directory.join("bin/python"), directory.join("complete.txt"));
    // Another test run may want the same environment at the same time.
    fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let lock = File::create(directory.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let is_complete = fs::read_to_string(&complete).is_ok_and(|made_of| made_of == requirements);
    if is_complete && succeeds(Command::new(&python).arg("--version")) {
        return Ok(python);
    }
    let base = base(versions)?;
    if directory.exists() {
        fs::remove_dir_all(&directory).unwrap();
    }
    if !succeeds(Command::new(&base).args(["-m", "venv"]).arg(&directory)) {
        return Err("python3 -m venv does not work here (Debian has it in the package python3-venv)".into());
    }
    say(&format!("installing the packages of {}, once", requirements_file.display()));
    // Of the modules few are used; see `command`.
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary=:all:", "-r"];
    let mut arguments: Vec<&std::ffi::OsStr> = install.iter().map(std::ffi::OsStr::new).collect();
    arguments.push(requirements_file.as_os_str());
    run(&python, &arguments);
    fs::write(&complete, requirements).unwrap();
    Ok(python)
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|s| s.success())
}

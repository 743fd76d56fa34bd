//! An S3 server on the loopback, and a proxy that makes requests fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::support::{program, python, stderr};

/// The tests' credentials, which must not be shown anywhere.
pub(crate) const SECRET: &str = "verysecretkey";
pub(crate) const KEY_ID: &str = "SOMEACCESSKEYID";

/// A Python server that ends with the tests, when its standard input closes.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(python: &Path, script: &str, arguments: &[String]) -> Self {
        let mut command = python::command(python);
        command.arg(python::scripts().join(script)).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("{script} said {line:?} instead of its port"));
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bucket for one test, with the environment the program needs to find it.
pub(crate) struct Bucket {
    pub name: String,
    python: &'static Path,
    proxy: Option<Server>,
    port: u16,
}

impl Bucket {
    /// A new one, with a name that no other test has. `None` if Python is missing, with a note; in CI that is a failure.
    pub(crate) fn new(name: &str) -> Option<Self> {
        static SERVER: OnceLock<Server> = OnceLock::new();
        static NAMES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let is_new = NAMES.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        assert!(is_new, "two tests have a bucket {name}");
        let python = python::interpreter_with_stores()?;
        let port = SERVER.get_or_init(|| Server::start(python, "store_server.py", &[])).port;
        let bucket = Self { name: name.to_owned(), python, proxy: None, port };
        bucket.script("make", &[]);
        Some(bucket)
    }

    /// Sends requests through a proxy that makes some fail: see `faulty_proxy.py`.
    pub(crate) fn with_faults(mut self, rates: &[&str]) -> Self {
        let arguments: Vec<String> =
            std::iter::once(self.port.to_string()).chain(rates.iter().map(|r| (*r).to_owned())).collect();
        self.proxy = Some(Server::start(self.python, "faulty_proxy.py", &arguments));
        self
    }

    /// Sends requests straight to the server again.
    pub(crate) fn without_faults(mut self) -> Self {
        self.proxy = None;
        self
    }

    /// The proxy's counts.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let port = self.proxy.as_ref().unwrap().port.to_string();
        serde_json::from_str(&self.script("counts", &[&port])).unwrap()
    }

    /// The address of this key.
    pub(crate) fn url(&self, key: &str) -> PathBuf {
        PathBuf::from(format!("s3://{}/{key}", self.name))
    }

    /// A command of the program with the environment for this server.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(program());
        let port = self.proxy.as_ref().map_or(self.port, |p| p.port);
        self.set_environment(&mut command, port);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn set_environment(&self, command: &mut Command, port: u16) {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")).env("AWS_TIMEOUT", "4 seconds");
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    }

    /// Runs the program, which must succeed.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        output
    }

    /// Runs the program, which must end with this exit code. Returns its messages.
    pub(crate) fn refused<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S], exit_code: i32) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(exit_code), "{}", stderr(&output));
        stderr(&output)
    }

    fn script(&self, what: &str, arguments: &[&str]) -> String {
        let mut command = python::command(self.python);
        self.set_environment(&mut command, self.port);
        let output = command.arg(python::scripts().join("bucket.py")).arg(what).arg(&self.name).args(arguments);
        let output = output.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "bucket.py {what} {arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Uploads a file.
    pub(crate) fn put(&self, file: &Path, key: &str) {
        self.script("put", &[file.to_str().unwrap(), key]);
    }

    /// Copies all objects below a prefix into a directory.
    pub(crate) fn get_all(&self, prefix: &str, directory: &Path) {
        self.script("get", &[prefix, directory.to_str().unwrap()]);
    }

    /// The keys below a prefix.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        self.script("keys", &[prefix]).lines().map(str::to_owned).collect()
    }

    pub(crate) fn remove(&self, key: &str) {
        self.script("remove", &[key]);
    }

    /// The number of multipart uploads neither completed nor aborted.
    pub(crate) fn n_open_uploads(&self) -> usize {
        self.script("uploads", &[]).lines().count()
    }

    /// Reads a dataset with zarr-python and returns what `check_stored.py` prints.
    pub(crate) fn read_with_python(&self, prefix: &str) -> String {
        self.script("read", &[prefix])
    }
}

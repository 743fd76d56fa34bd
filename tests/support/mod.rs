//! Helpers for tests of the whole program.

pub(crate) mod datasets;
pub(crate) mod javascript;
pub(crate) mod odd;
pub(crate) mod python;
#[cfg(feature = "cloud")]
pub(crate) mod stores;
pub(crate) mod volumes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a slow, busy machine: it only ends what would hang forever.
const GIVE_UP: Duration = Duration::from_secs(300);

/// The program under test.
pub(crate) fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("segy-import").to_owned()
}

/// Runs the program to its end.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    Command::new(program()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A directory that is removed with the value: in memory where there is room, for most of the time of these tests would go to
/// waiting for the disk. `TMPDIR` has it elsewhere.
pub(crate) fn scratch() -> tempfile::TempDir {
    let elsewhere = || tempfile::tempdir().unwrap();
    match std::env::var_os("TMPDIR").is_none() && has_room_in_memory() {
        true => tempfile::tempdir_in(MEMORY).unwrap_or_else(|_| elsewhere()),
        false => elsewhere(),
    }
}

/// The file system in memory of Linux.
const MEMORY: &str = "/dev/shm";

/// Whether there is twice the room there that tests on all cores use, 0.25 GB each. A container often has 64 MB.
#[cfg(target_os = "linux")]
fn has_room_in_memory() -> bool {
    let wanted = std::thread::available_parallelism().map_or(1, usize::from) as u64 * (1 << 29);
    rustix::fs::statvfs(MEMORY).is_ok_and(|system| system.f_bavail * system.f_frsize >= wanted)
}

#[cfg(not(target_os = "linux"))]
fn has_room_in_memory() -> bool {
    false
}

/// A directory with a synthetic survey `in.sgy`.
pub(crate) struct Survey {
    pub directory: tempfile::TempDir,
    pub input: PathBuf,
}

impl Survey {
    /// `arguments` go to `segy-import generate`.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let directory = scratch();
        let input = directory.path().join("in.sgy");
        let output = Command::new(program()).arg("generate").arg(&input).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        Self { directory, input }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command that imports into `out` with these options.
    pub(crate) fn command(&self, out: &str, options: &[&str]) -> Command {
        let mut command = Command::new(program());
        // These datasets need not survive a power failure.
        command.arg(&self.input).arg(self.path(out)).arg("--no-sync").args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Imports, which must succeed. Returns the output directory.
    pub(crate) fn import(&self, out: &str, options: &[&str]) -> PathBuf {
        let output = self.command(out, options).output().unwrap();
        assert!(output.status.success(), "{options:?}: {}", stderr(&output));
        self.path(out)
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Puts a SEG-Y file and datasets made of it by the last program that wrote format version 1 into `directory`: `in.sgy`,
/// `zstd` with c-blosc's Zstandard, and `shards`. Names and contents, each with its length before it, were compressed.
pub(crate) fn unpack_version_1(directory: &Path) {
    let packed = &include_bytes!("../data/version_1.zst")[..];
    let bytes = zstd::stream::decode_all(packed).unwrap();
    let mut rest = &bytes[..];
    let mut next = || {
        let (length, others) = rest.split_first_chunk()?;
        let (part, others) = others.split_at(u32::from_le_bytes(*length) as usize);
        rest = others;
        Some(part)
    };
    while let Some(name) = next() {
        let path = directory.join(std::str::from_utf8(name).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, next().unwrap()).unwrap();
    }
}

/// Every file below a directory with its bytes.
pub(crate) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(directory).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Asserts that two directories hold the same files with the same bytes.
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let (in_a, in_b) = (contents(a), contents(b));
    let names = |c: &BTreeMap<PathBuf, Vec<u8>>| c.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&in_a), names(&in_b), "{} and {}", a.display(), b.display());
    for (name, bytes) in &in_a {
        assert!(*bytes == in_b[name], "{} differs between {} and {}", name.display(), a.display(), b.display());
    }
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < GIVE_UP, "after {GIVE_UP:?} still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The child processes of a process.
#[cfg(target_os = "linux")]
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
    lists.flat_map(|l| l.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// The command line of a process.
#[cfg(target_os = "linux")]
pub(crate) fn arguments_of(pid: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).trim_end_matches('\0').split('\0').map(str::to_owned).collect()
}

/// Whether a process exists and is more than a zombie.
#[cfg(target_os = "linux")]
pub(crate) fn is_alive(pid: u32) -> bool {
    state(Path::new(&format!("/proc/{pid}"))).is_some_and(|s| s != 'Z' && s != 'X')
}

/// The state letter of a process or thread, if it exists.
#[cfg(target_os = "linux")]
fn state(place: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(place.join("stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

/// Sends a signal, by its name without SIG, to a process that may have ended.
pub(crate) fn signal(pid: u32, name: &str) {
    let number = match name {
        "ABRT" => libc::SIGABRT,
        "CONT" => libc::SIGCONT,
        "HUP" => libc::SIGHUP,
        "INT" => libc::SIGINT,
        "KILL" => libc::SIGKILL,
        "SEGV" => libc::SIGSEGV,
        "STOP" => libc::SIGSTOP,
        "TERM" => libc::SIGTERM,
        _ => panic!("no test sends {name}"),
    };
    assert!(pid > 1, "{pid} is not a process of a test");
    // SAFETY: it reads and writes no memory of this process.
    unsafe { libc::kill(pid as libc::pid_t, number) };
}

/// Stops a process until it is sent CONT. By the return all its threads have stopped.
#[cfg(target_os = "linux")]
pub(crate) fn pause(pid: u32) {
    signal(pid, "STOP");
    wait_until("it stands still", || {
        let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        tasks.all(|task| !matches!(state(&task.path()), Some('R' | 'S' | 'D')))
    });
}

/// Waits for the end of a child.
pub(crate) fn wait_for(child: Child) -> Output {
    let pid = child.id();
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(GIVE_UP) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            signal(pid, "KILL");
            panic!("process {pid} did not end within {GIVE_UP:?}");
        }
    }
}

/// Random numbers below a limit, the same for the same seed.
pub(crate) fn random_numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

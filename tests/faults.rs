//! What the surroundings can do to an import: full disks, limits, other imports, places that cannot be written to.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{
    self, Survey, arguments_of, assert_same, children_of, is_alive, scratch, signal, stderr, wait_for, wait_until,
};

const PARTS: [&str; 4] = ["--parallel-threshold", "0", "--segments", "4"];

/// A file system of its own at an empty directory; needs root.
struct Mount(tempfile::TempDir);

impl Mount {
    /// `None`, with a word about it, where nothing can be mounted.
    fn new(options: &str) -> Option<Self> {
        let directory = scratch();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(directory.path());
        let is_mounted = mount.output().is_ok_and(|o| o.status.success());
        if !is_mounted {
            eprintln!("skipped: nothing can be mounted here, which needs root");
        }
        is_mounted.then_some(Self(directory))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

/// Imports into any directory.
fn import(survey: &Survey, out: &Path, options: &[&str]) -> Output {
    Command::new(support::program()).arg(&survey.input).arg(out).args(options).stdin(Stdio::null()).output().unwrap()
}

/// Imports in a shell that has set limits before.
fn import_limited(survey: &Survey, limits: &str, options: &[&str]) -> Output {
    let script = format!("{limits}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(support::program()).arg(&survey.input).arg(survey.path("out")).args(options);
    command.stdin(Stdio::null()).output().unwrap()
}

fn assert_no_dataset(out: &Path) {
    for name in ["metadata.json", "zarr.json", "traces.zarr", "headers.parquet"] {
        assert!(!out.join(name).exists(), "{name}");
    }
}

#[test]
fn a_disk_that_fills_up_in_the_merge_is_reported_and_the_next_run_goes_on_from_there() {
    let survey = Survey::new(&["--traces", "200000", "--samples", "4"]);
    let undisturbed = survey.import("undisturbed", &PARTS);
    let headers = std::fs::metadata(undisturbed.join("headers.parquet")).unwrap().len();
    let chunks: usize = support::contents(&undisturbed.join("traces.zarr")).values().map(Vec::len).sum();
    // Room for all segments, and for a part of what is copied from theirs after the first row group of the header table.
    let Some(disk) = Mount::new(&format!("size={}k", (chunks as u64 + headers * 5 / 4) / 1024 + 200)) else { return };
    let out = disk.0.path().join("out");
    let output = import(&survey, &out, &PARTS);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    // The header table grows while the array is put together: either finds the disk full.
    assert!(message.contains("/.segy-import/dataset/") && message.contains(": No space left on device"), "{message}");
    assert!(message.contains("4 of 4 segments are done and kept in"), "{message}");
    assert_no_dataset(&out);
    let mut larger = Command::new("mount");
    assert!(larger.args(["-o", "remount,size=100m"]).arg(disk.0.path()).status().unwrap().success());
    let output = import(&survey, &out, &PARTS);
    assert!(stderr(&output).contains("resuming: 4 of 4 segments done"), "{}", stderr(&output));
    assert_same(&undisturbed, &out);
}

#[test]
fn a_limit_on_the_size_of_files_is_reported_in_the_conversion_and_in_the_merge() {
    let survey = Survey::new(&["--traces", "150000", "--samples", "4"]);
    let undisturbed = survey.import("undisturbed", &PARTS);
    let headers = std::fs::metadata(undisturbed.join("headers.parquet")).unwrap().len();
    // In blocks of 512 bytes: too small for any segment, and just too small for the whole table.
    for (blocks, kept) in [(40, ""), (headers / 512 - 1, "4 of 4 segments are done and kept in")] {
        let output = import_limited(&survey, &format!("ulimit -f {blocks}"), &PARTS);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("File too large") && message.contains(kept), "{message}");
        assert_no_dataset(&survey.path("out"));
    }
    assert_same(&undisturbed, &survey.import("out", &PARTS));
}

#[test]
fn a_limit_on_memory_is_kept_to() {
    let survey = Survey::new(&["--traces", "10", "--samples", "1000"]);
    // Less address space than the file has bytes, which can then not even be mapped. The later traces are a hole.
    std::fs::File::options().write(true).open(&survey.input).unwrap().set_len(3600 + 4240 * 170_000).unwrap();
    let output = import_limited(&survey, "ulimit -v 600000", &[&PARTS[..], &["--verify", "--no-sync"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains("restarting it"), "{}", stderr(&output));
    assert_same(&survey.import("undisturbed", &PARTS), &survey.path("out"));
    std::fs::remove_dir_all(survey.path("out")).unwrap();
    let output = import_limited(&survey, "ulimit -v 600000", &["--io", "mmap"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("Cannot allocate memory") && !survey.path("out").exists(), "{}", stderr(&output));
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let survey = Survey::new(&["--traces", "10", "--samples", "5"]);
    let mut places =
        vec![(survey.input.join("out"), "a part of it is a file", 4), ("/proc/self/out".into(), "/proc/self/out", 1)];
    let read_only = Mount::new("ro");
    places.extend(read_only.iter().map(|m| (m.0.path().join("a/out"), "Read-only file system", 1)));
    for (out, why, exit_code) in places {
        let output = import(&survey, &out, &[]);
        assert_eq!(output.status.code(), Some(exit_code), "{}", stderr(&output));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert!(!out.exists());
        let back = survey.path("dataset");
        survey.import("dataset", &["--overwrite"]);
        let export = [Path::new("export"), &back, &out];
        let output = support::run(&export.map(Path::as_os_str));
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(&out.display().to_string()), "{}", stderr(&output));
    }
}

#[test]
fn an_output_on_another_mount_and_behind_a_link_is_the_same() {
    let survey = Survey::new(&["--traces", "3000", "--samples", "20"]);
    let here = survey.import("here", &PARTS);
    let Some(disk) = Mount::new("size=50m") else { return };
    // The mount itself is the output, which cannot be removed or renamed.
    let output = import(&survey, disk.0.path(), &PARTS);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_same(&here, disk.0.path());
    let link = survey.path("link");
    std::os::unix::fs::symlink(disk.0.path().join("inner"), &link).unwrap();
    assert_eq!(import(&survey, &link, &PARTS).status.code(), Some(4));
    std::fs::create_dir(disk.0.path().join("inner")).unwrap();
    assert!(import(&survey, &link, &PARTS).status.success());
    assert_same(&here, &disk.0.path().join("inner"));
}

#[test]
fn of_many_imports_at_once_into_one_directory_one_succeeds() {
    let survey = Survey::new(&["--traces", "2000", "--samples", "10"]);
    let reference = survey.import("reference", &[]);
    for round in 0..4 {
        let out = format!("out{round}");
        let imports: Vec<_> = (0..8).map(|_| survey.command(&out, &[]).spawn().unwrap()).collect();
        let outputs: Vec<Output> = imports.into_iter().map(wait_for).collect();
        for output in &outputs {
            assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(output));
        }
        assert_eq!(outputs.iter().filter(|o| o.status.success()).count(), 1);
        assert_same(&reference, &survey.path(&out));
        assert!(!survey.path(&out).join(".segy-import").exists());
    }
}

#[test]
fn a_worker_with_a_segmentation_fault_is_named_and_started_again() {
    let survey = Survey::new(&["--traces", "24000", "--samples", "500"]);
    let options = [&PARTS[..], &["--codec", "gzip:9", "--workers", "2"]].concat();
    let child = survey.command("out", &options).spawn().unwrap();
    let mut worker = 0;
    wait_until("a worker runs", || {
        let workers = children_of(child.id());
        worker = workers.into_iter().find(|&w| arguments_of(w).get(1).is_some_and(|a| a == "worker")).unwrap_or(0);
        worker != 0
    });
    wait_until("the worker has died", || {
        // The handler of the standard library lets a process that was only sent the signal go on, once.
        signal(worker, "SEGV");
        !is_alive(worker)
    });
    let output = wait_for(child);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("was killed by SIGSEGV; restarting it"), "{}", stderr(&output));
    assert_same(&survey.path("out"), &survey.import("undisturbed", &options));
}

/// Whether a process has a file open.
fn has_open(pid: u32, file: &Path) -> bool {
    let mut fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    fds.any(|fd| std::fs::read_link(fd.path()).is_ok_and(|open| open == file))
}

#[test]
fn workers_hold_the_lock_so_that_those_of_a_killed_import_keep_the_next_one_away() {
    let survey = Survey::new(&["--traces", "24000", "--samples", "500"]);
    let options = [&PARTS[..], &["--codec", "gzip:9", "--workers", "1"]].concat();
    let child = survey.command("out", &options).spawn().unwrap();
    let lock = survey.path("out/.segy-import/lock");
    wait_until("a worker has the lock open", || {
        let workers = children_of(child.id()).into_iter();
        let mut workers = workers.filter(|&w| arguments_of(w).get(1).is_some_and(|a| a == "worker"));
        workers.next().is_some_and(|worker| has_open(worker, &lock))
    });
    assert!(wait_for(child).status.success());
    assert!(!lock.exists());
}

#[test]
fn a_lock_that_somebody_else_holds_refuses_an_import() {
    let survey = Survey::new(&["--traces", "100", "--samples", "10"]);
    std::fs::create_dir_all(survey.path("out/.segy-import")).unwrap();
    let lock = std::fs::File::create(survey.path("out/.segy-import/lock")).unwrap();
    lock.lock().unwrap();
    let output = survey.command("out", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("another import is writing here"), "{}", stderr(&output));
    // One that lets go soon, as the workers of a killed import do, is waited for.
    let import = survey.command("out", &[]).spawn().unwrap();
    wait_until("it waits for the lock", || has_open(import.id(), &survey.path("out/.segy-import/lock")));
    drop(lock);
    assert!(wait_for(import).status.success());
    assert!(survey.path("out/metadata.json").exists() && !survey.path("out/.segy-import").exists());
}

/// Whether strace can make system calls fail here; CI has it.
fn has_strace() -> bool {
    let is_there = Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|o| o.status.success());
    assert!(is_there || std::env::var_os("CI").is_none(), "strace is missing");
    if !is_there {
        eprintln!("skipped: strace is missing");
    }
    is_there
}

#[test]
fn a_file_system_that_does_not_answer_once_costs_no_part_of_a_dataset() {
    if !has_strace() {
        return;
    }
    let survey = Survey::new(&["--traces", "50", "--samples", "5"]);
    let undisturbed = survey.import("undisturbed", &[]);
    let (mut n, mut n_failed, mut n_in_a_row) = (0, 0, 0);
    // Past the last call nothing is left to fail.
    while n_in_a_row < 20 || n_failed == 0 {
        n += 1;
        let out = survey.path(&format!("out{n}"));
        let mut strace = Command::new("strace");
        let injection = format!("inject=statx:error=ESTALE:when={n}");
        strace.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=statx", "-e", &injection]);
        strace.arg(support::program());
        let output = strace.arg(&survey.input).arg(&out).stdin(Stdio::null()).output().unwrap();
        if output.status.success() {
            assert_same(&undisturbed, &out);
            n_in_a_row += 1;
        } else {
            // Without its document a dataset is none, and the next run goes on with what was moved of it.
            assert!(!out.join("metadata.json").exists(), "call {n}: {}", stderr(&output));
            assert_same(&undisturbed, &survey.import(&format!("out{n}"), &[]));
            (n_in_a_row, n_failed) = (0, n_failed + 1);
        }
    }
}

#[test]
fn a_read_that_fails_while_a_file_is_worked_out_is_told_and_never_taken_for_an_answer() {
    if !has_strace() {
        return;
    }
    // 6 traces of 5 samples, 260 bytes each. All but the first are doubtful, so that it is asked what else they could be.
    let survey = Survey::new(&["--traces", "6", "--samples", "5"]);
    let mut good = std::fs::read(&survey.input).unwrap();
    // Nothing says that all traces have the same length.
    good[3502..3504].fill(0);
    let with_count = |places: &[usize], count: u8| {
        let mut bytes = good.clone();
        places.iter().for_each(|at| bytes[at + 1] = count);
        bytes
    };
    let in_traces: Vec<usize> = (0..6).map(|trace| 3600 + trace * 260 + 114).collect();
    let surveys = [
        ("as_it_is.sgy", good.clone()),
        ("wrong_count_in_the_file_header.sgy", with_count(&[3220], 6)),
        ("wrong_count_in_all_trace_headers.sgy", with_count(&in_traces, 9)),
        ("wrong_count_in_one_trace_header.sgy", with_count(&in_traces[3..4], 7)),
        ("bytes_after_the_last_trace.sgy", [&good[..], &[7; 10]].concat()),
        ("short_textual_header.sgy", good[10..].to_vec()),
        ("no_textual_header.sgy", good[3200..].to_vec()),
        ("no_file_header.sgy", good[3600..].to_vec()),
        ("seismic_unix.su", good[3600..].to_vec()),
    ];
    for (name, bytes) in surveys {
        let input = survey.path(name);
        std::fs::write(&input, bytes).unwrap();
        let calls = survey.path("calls");
        let inspect = |more: &[&str]| {
            let mut strace = Command::new("strace");
            strace
                .args(["-f", "--seccomp-bpf", "-qq", "-e", "trace=pread64"])
                .args(more)
                .arg("-o")
                .arg(&calls)
                .arg("-P")
                .arg(&input);
            strace.arg(support::program()).args(["inspect", "--io", "pread"]).arg(&input);
            strace.stdin(Stdio::null()).output().unwrap()
        };
        inspect(&[]);
        // Those of the thread that works the file out: strace counts the calls of each by themselves.
        let reads = std::fs::read_to_string(&calls).unwrap();
        let thread = |line: &str| line.split(' ').next().unwrap().to_owned();
        let n_reads = reads.lines().filter(|line| thread(line) == thread(&reads)).count();
        assert!(n_reads > 5, "{name}: {n_reads}");
        for n in (1..=n_reads).step_by(n_reads.div_ceil(25)) {
            let output = inspect(&["-e", &format!("inject=pread64:error=EIO:when={n}")]);
            let said = stderr(&output);
            let is_told = said.contains("cannot be read: Input/output error");
            assert!(is_told && !output.status.success(), "{name}: read {n} of {n_reads}: {said}");
        }
    }
}

#[test]
fn inputs_in_what_is_replaced_are_refused_and_stay() {
    let survey = Survey::new(&["--traces", "20", "--samples", "5"]);
    let out = survey.import("out", &[]);
    for (place, options) in [(".segy-import/x.sgy", [].as_slice()), ("traces.zarr/x.sgy", &["--overwrite"])] {
        let input = out.join(place);
        std::fs::create_dir_all(input.parent().unwrap()).unwrap();
        std::fs::copy(&survey.input, &input).unwrap();
        let output =
            Command::new(support::program()).arg(&input).arg(&out).args(options).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success() && input.exists(), "{}", stderr(&output));
    }
    let other = survey.path("other");
    std::fs::create_dir_all(other.join(".segy-import")).unwrap();
    std::fs::copy(&survey.input, other.join(".segy-import/x.sgy")).unwrap();
    let input = other.join(".segy-import/x.sgy");
    let output = Command::new(support::program()).arg(input).arg(&other).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("is inside what an import into this directory replaces"), "{}", stderr(&output));
    assert!(other.join(".segy-import/x.sgy").exists());
}

#[test]
fn nobody_may_read_a_dataset_or_an_export_who_must_not_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let survey = Survey::new(&["--traces", "3000", "--samples", "5"]);
    let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(&survey.input, std::fs::Permissions::from_mode(0o600)).unwrap();
    let out = survey.import("out", &PARTS);
    for path in support::contents(&out).keys() {
        assert_eq!(mode(&out.join(path)), 0o600, "{}", path.display());
    }
    assert_eq!(mode(&out.join("traces.zarr")), 0o700);
    let back = survey.path("back.sgy");
    let export = |options: &[&str]| {
        let output =
            Command::new(support::program()).arg("export").arg(&out).arg(&back).args(options).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        mode(&back)
    };
    assert_eq!(export(&[]), 0o600);
    std::fs::set_permissions(&back, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(export(&["--overwrite"]), 0o640, "a file that is replaced keeps its permissions");
}

#[test]
fn an_export_touches_nothing_but_its_target() {
    let survey = Survey::new(&["--traces", "20", "--samples", "5"]);
    let out = survey.import("out", &[]);
    let back = survey.path("back.sgy");
    let export = |target: &Path, options: &[&str]| {
        Command::new(support::program()).arg("export").arg(&out).arg(target).args(options).output().unwrap()
    };
    let victim = survey.path("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, survey.path(".back.sgy.segy-import")).unwrap();
    assert!(export(&back, &[]).status.success());
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    // A part of the dataset is no place for an export of it.
    for part in ["headers.parquet", "traces.zarr/back.sgy"] {
        let output = export(&out.join(part), &["--overwrite"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("is part of the dataset being exported"), "{}", stderr(&output));
    }
    let output = Command::new(support::program()).arg("verify").arg(&survey.input).arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn what_has_the_name_of_the_staging_area_and_is_not_ours_stays() {
    let survey = Survey::new(&["--traces", "20", "--samples", "5"]);
    std::fs::create_dir_all(survey.path("out/.segy-import")).unwrap();
    std::fs::write(survey.path("out/.segy-import/notes"), "mine").unwrap();
    let output = import(&survey, &survey.path("out"), &[]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("holds files that this program did not put there"), "{}", stderr(&output));
    assert_eq!(support::contents(&survey.path("out")).len(), 1);
}

/// A process that ends with the test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_user_who_exchanges_the_staging_area_for_a_link_changes_nothing_elsewhere() {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let survey = Survey::new(&["--traces", "3000", "--samples", "5"]);
    std::fs::set_permissions(survey.directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (theirs, ours) = (survey.path("theirs"), survey.path("ours"));
    std::fs::create_dir(&theirs).unwrap();
    if chown(&theirs, Some(NOBODY), Some(NOBODY)).is_err() {
        eprintln!("skipped: only root can act for two users");
        return;
    }
    std::fs::create_dir_all(ours.join("segment_0/traces.zarr/c/0")).unwrap();
    for name in ["plan.json", "lock", "work", "segment_0/segment.json", "segment_0/traces.zarr/c/0/0"] {
        std::fs::write(ours.join(name), "precious").unwrap();
    }
    let before = support::contents(&ours);
    let out = theirs.join("out");
    std::fs::create_dir(&out).unwrap();
    chown(&out, Some(NOBODY), Some(NOBODY)).unwrap();
    let exchange = r#"
        while :; do
            mv out/.segy-import out/moved.$$ && ln -s "$0" out/.segy-import
            rm -f out/.segy-import; rm -rf out/moved.$$; mkdir out/.segy-import; ln -s "$0" out/.segy-import/segment_0
            rm -rf out/.segy-import; ln -s "$0" out/.segy-import; rm -f out/.segy-import
        done 2>/dev/null"#;
    let mut attacker = Command::new("sh");
    attacker.args(["-c", exchange]).arg(&ours).current_dir(&theirs).uid(NOBODY).gid(NOBODY).process_group(0);
    attacker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _attacker = Killed(attacker.spawn().unwrap());
    let mut n_disturbed = 0;
    let options = [&PARTS[..], &["--no-sync", "--overwrite", "--fresh"]].concat();
    for _ in 0..40 {
        n_disturbed += u32::from(!import(&survey, &out, &options).status.success());
        assert!(support::contents(&ours) == before, "files of another directory were changed");
    }
    assert!(n_disturbed > 5, "only {n_disturbed} of 40 imports were disturbed");
}

#[test]
fn if_no_thread_can_be_started_fewer_do_the_work_or_it_is_refused_in_words() {
    if !has_strace() {
        return;
    }
    let survey = Survey::new(&["--kind", "prestack", "--traces", "3000", "--samples", "25"]);
    let reference = survey.import("reference", &[]);
    let out = survey.path("out");
    for options in
        [&["-j", "2"][..], &["-j", "2", "--parallel-threshold", "0", "--segments", "3", "--chunk-traces", "200"]]
    {
        let reference = if options.len() > 2 { survey.import("in-parts", options) } else { reference.clone() };
        let (mut n_done, mut n_refused) = (0, 0);
        // Of each process and thread the n-th, or all from there on.
        for nth in (1..=8).flat_map(|n| [n.to_string(), format!("{n}+")]) {
            let injection = format!("inject=clone3:error=EAGAIN:when={nth}");
            let mut strace = Command::new("strace");
            strace
                .args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=clone3", "-e", &injection])
                .arg(support::program());
            let output = strace
                .arg(&survey.input)
                .arg(&out)
                .args(options)
                .arg("--no-sync")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let message = stderr(&output);
            assert!(!message.contains("panicked"), "{options:?}, {nth}: {message}");
            match output.status.code() {
                Some(0) => {
                    assert_same(&reference, &out);
                    n_done += 1;
                }
                Some(1) => {
                    assert!(
                        message.contains("cannot start") || message.contains("cannot be started"),
                        "{options:?}, {nth}: {message}"
                    );
                    assert_no_dataset(&out);
                    n_refused += 1;
                }
                other => panic!("{options:?}, {nth}: {other:?}: {message}"),
            }
            let _ = std::fs::remove_dir_all(&out);
        }
        assert!(n_done > 0 && n_refused > 0, "{options:?}: {n_done} were done and {n_refused} refused");
    }
}

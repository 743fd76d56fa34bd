//! Processes and signals.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use rustix::process::{Pid, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGXFSZ};

pub(crate) use signal_hook::consts::{SIGBUS, SIGKILL, SIGPIPE, SIGTERM};

/// What the program does first: exceeding a file size limit (`ulimit -f`) becomes an error like a full disk, instead of
/// killing the process.
pub(crate) fn prepare_process() {
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Stores the number of a signal that asks this process to stop: SIGINT, SIGTERM or SIGHUP; a second one ends it at once.
/// A signal that the parent told it to ignore (`nohup`, `&` in a script) stays ignored.
pub(crate) fn store_signals(asked: &Arc<AtomicUsize>) -> io::Result<()> {
    let is_second = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)) {
        signal_hook::flag::register_conditional_default(signal, is_second.clone())?;
        signal_hook::flag::register(signal, is_second.clone())?;
        signal_hook::flag::register_usize(signal, asked.clone(), signal as usize)?;
    }
    Ok(())
}

/// Whether this process ignores a signal.
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action given, the call only writes to `action`, which is valid to write to. If it fails, the
    // zeroed bytes are a valid action too.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// `SIGINT`, `SIGKILL` …, if the signal has a known name.
pub(crate) fn name_of_signal(signal: i32) -> Option<&'static str> {
    signal_hook::low_level::signal_name(signal)
}

/// The signal that ended a process, if one did.
pub(crate) fn ending_signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Keeps Ctrl-C at the terminal away from a process that is to be started.
pub(crate) fn without_ctrl_c(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// Makes sure that a child ends when this process does. Here its standard input, which closes then, has to tell it.
pub(crate) fn bind_to_this_process(_: &Child) {}

/// A duplicate of the open file that child processes inherit while it exists, with its lock.
pub(crate) fn inheritable(file: &File) -> io::Result<Option<File>> {
    let copy = file.try_clone()?;
    rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty())?;
    Ok(Some(copy))
}

/// Whether a child is stopped and waits for a SIGCONT.
pub(crate) fn is_stopped(child: &Child) -> bool {
    // With NOWAIT it stays to be waited for.
    let now = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let state = rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), now);
    state.is_ok_and(|state| state.is_some_and(|state| state.stopped()))
}

/// Whether a process with this number exists, or may.
pub(crate) fn is_running(pid: u32) -> bool {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let is_there = |pid| !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH));
    process.is_some_and(is_there)
}

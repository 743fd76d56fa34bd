//! Processes, and what asks this one to stop. Requests to stop have the numbers that signals have on Unix, and so the same
//! names and exit codes.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetStdHandle, STD_ERROR_HANDLE,
    STD_OUTPUT_HANDLE, SetConsoleCtrlHandler, SetConsoleMode,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject,
};
use windows_sys::core::BOOL;

use crate::base::system::windows::done;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
/// Ends no process here.
pub(crate) const SIGBUS: i32 = 7;
/// As [`SIGBUS`].
pub(crate) const SIGKILL: i32 = 9;
/// Stands for a closed pipe at standard output.
pub(crate) const SIGPIPE: i32 = 13;
/// Stands for a cancel handle.
pub(crate) const SIGTERM: i32 = 15;

/// How long Windows lets a process live after its console was closed.
const TIME_AFTER_CLOSE: Duration = Duration::from_secs(5);

/// Where [`store_signals`] stores them.
static ASKED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
/// Whether somebody has asked before.
static HAS_ASKED: AtomicBool = AtomicBool::new(false);

/// What the program does first: has the console act on the colours that are printed.
pub(crate) fn prepare_process() {
    for output in [STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        let mut mode = 0;
        // SAFETY: the handle of a standard output is open or the calls fail, and the second only writes to `mode`. If it is
        // no console, nothing has to be done.
        unsafe {
            let console = GetStdHandle(output);
            if GetConsoleMode(console, &raw mut mode) != 0 {
                SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
            }
        }
    }
}

/// Stores what asks this process to stop: Ctrl-C, Ctrl-Break, or closing the console; a second Ctrl-C ends it at once. If
/// called again, only the first store gets them.
pub(crate) fn store_signals(asked: &Arc<AtomicUsize>) -> io::Result<()> {
    if ASKED.set(asked.clone()).is_err() {
        return Ok(());
    }
    // SAFETY: `on_event` may be called at any time from a thread of its own.
    done(unsafe { SetConsoleCtrlHandler(Some(on_event), 1) })
}

/// Called by Windows in a thread of its own. Returns 0 for what Windows is to do then: end the process.
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    let is_key = matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT);
    if is_key && HAS_ASKED.swap(true, Ordering::Relaxed) {
        return 0;
    }
    if let Some(asked) = ASKED.get() {
        asked.store(if is_key { SIGINT } else { SIGHUP } as usize, Ordering::Relaxed);
    }
    if !is_key {
        // Windows ends the process when this returns.
        std::thread::sleep(TIME_AFTER_CLOSE);
    }
    1
}

/// The name of what is stored for a request to stop.
pub(crate) fn name_of_signal(signal: i32) -> Option<&'static str> {
    match signal {
        SIGHUP => Some("closing the console"),
        SIGINT => Some("Ctrl-C"),
        SIGPIPE => Some("a closed pipe"),
        SIGTERM => Some("SIGTERM"),
        _ => None,
    }
}

/// The signal that ended a process: none does.
pub(crate) fn ending_signal(_: ExitStatus) -> Option<i32> {
    None
}

/// Keeps Ctrl-C away from a process that is to be started.
pub(crate) fn without_ctrl_c(command: &mut Command) -> &mut Command {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP)
}

/// Makes sure that a child ends when this process does, however that happens. If that is not possible, its standard input,
/// which closes then, tells it.
pub(crate) fn bind_to_this_process(child: &Child) {
    static JOB: OnceLock<io::Result<OwnedHandle>> = OnceLock::new();
    if let Ok(job) = JOB.get_or_init(job_that_ends_with_its_handle) {
        // SAFETY: both handles are open.
        unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) };
    }
}

fn job_that_ends_with_its_handle() -> io::Result<OwnedHandle> {
    // SAFETY: both arguments may be null; the handle is used only if it was made, and nothing else has it.
    let job = unsafe {
        let handle = CreateJobObjectW(null(), null());
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(handle)
    };
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    let n = size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32;
    // SAFETY: the handle is open, and the call reads `n` bytes, the size of `limits`.
    done(unsafe {
        let limits = (&raw const limits).cast();
        SetInformationJobObject(job.as_raw_handle(), JobObjectExtendedLimitInformation, limits, n)
    })?;
    Ok(job)
}

/// A file that child processes inherit with its lock: locks here belong to one process. None of its children survives it,
/// see [`bind_to_this_process`].
pub(crate) fn inheritable(_: &File) -> io::Result<Option<File>> {
    Ok(None)
}

/// Whether a child is stopped: there is no such state.
pub(crate) fn is_stopped(_: &Child) -> bool {
    false
}

/// Whether a process with this number exists, or may.
pub(crate) fn is_running(pid: u32) -> bool {
    // SAFETY: the handle is used only if it was made, and nothing else has it.
    let process = unsafe {
        let handle = OpenProcess(PROCESS_SYNCHRONIZE, 0, pid);
        if handle.is_null() {
            return io::Error::last_os_error().raw_os_error() != Some(ERROR_INVALID_PARAMETER as i32);
        }
        OwnedHandle::from_raw_handle(handle)
    };
    // SAFETY: the handle is open. It says so once the process has ended.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) != WAIT_OBJECT_0 }
}

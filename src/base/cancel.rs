//! Asking a running import to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::base::error::{Error, Result};

const SIGTERM: i32 = signal_hook::consts::SIGTERM;

/// Shared by an import and anything that may stop it. Clones stop the same import.
#[derive(Clone, Debug, Default)]
pub struct CancelHandle {
    /// The signal that asked to stop; 0 if none has.
    signal: Arc<AtomicUsize>,
}

impl CancelHandle {
    /// A handle that has not been asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop, as SIGTERM would.
    pub fn cancel(&self) {
        self.signal.store(SIGTERM as usize, Ordering::Relaxed);
    }

    /// Makes SIGINT, SIGTERM and SIGHUP ask to stop; a second signal ends the process at once. A signal that the parent
    /// told it to ignore (`nohup`, `&` in a script) stays ignored.
    pub fn listen_to_signals(&self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT};
        let is_second = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)) {
            signal_hook::flag::register_conditional_default(signal, is_second.clone())?;
            signal_hook::flag::register(signal, is_second.clone())?;
            signal_hook::flag::register_usize(signal, self.signal.clone(), signal as usize)?;
        }
        Ok(())
    }

    /// `Error::Cancelled` once somebody has asked.
    pub fn check(&self) -> Result<()> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Error::Cancelled { signal: signal as i32, left: None }),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    /// Set in a child process of this test that listens to signals and then never stops by itself.
    const IS_DEAF: &str = "SEGY_IMPORT_TEST_IS_DEAF";

    #[test]
    fn the_first_signal_asks_and_the_second_ends_the_process() {
        if std::env::var_os(IS_DEAF).is_some() {
            let cancel = CancelHandle::new();
            cancel.listen_to_signals().unwrap();
            println!("listening");
            while cancel.check().is_ok() {
                std::thread::yield_now();
            }
            println!("asked");
            loop {
                std::thread::park();
            }
        }
        let name = "base::cancel::tests::the_first_signal_asks_and_the_second_ends_the_process";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(IS_DEAF, "")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let pid = rustix::process::Pid::from_child(&child);
        for line in lines.map_while(std::io::Result::ok) {
            if ["listening", "asked"].iter().any(|said| line.ends_with(said)) {
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            }
        }
        assert_eq!(child.wait().unwrap().signal(), Some(SIGTERM));
    }
}

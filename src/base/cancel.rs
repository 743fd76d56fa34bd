//! Asking a running import to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::error::{Error, Result};
use crate::base::system::{SIGTERM, store_signals};

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
    /// told it to ignore (`nohup`, `&` in a script) stays ignored. On Windows: Ctrl-C, Ctrl-Break and closing the console.
    pub fn listen_to_signals(&self) -> std::io::Result<()> {
        store_signals(&self.signal)
    }

    /// `Error::Cancelled` once somebody has asked.
    pub fn check(&self) -> Result<()> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Error::Cancelled { signal: signal as i32, left: None }),
        }
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

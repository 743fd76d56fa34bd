//! Asking a running import to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::error::{Error, Result};

const SIGTERM: i32 = signal_hook::consts::SIGTERM;

/// Shared by whoever may stop an import and the import itself. Clones stop the same import.
#[derive(Clone, Debug, Default)]
pub struct CancelHandle {
    /// The signal that asked for it; 0 while nobody did.
    signal: Arc<AtomicUsize>,
}

impl CancelHandle {
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop, as SIGTERM would.
    pub fn cancel(&self) {
        self.signal.store(SIGTERM as usize, Ordering::Relaxed);
    }

    /// Lets SIGINT, SIGTERM and SIGHUP of this process ask to stop. One that whoever started it lets it ignore (`nohup`, `&` in
    /// a script) stays ignored.
    pub fn listen_to_signals(&self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT};
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)) {
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

/// Whether this process takes no notice of a signal.
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only fills the one that it is given, which is valid to write to; zeroed bytes are
    // a valid one too, where it fails.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

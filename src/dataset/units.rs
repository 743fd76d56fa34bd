//! Going through a dataset on all cores: threads take one unit after the other, in order.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};

/// How often progress is reported.
const INTERVAL: Duration = Duration::from_millis(100);

/// What the threads share.
pub struct Shared<'a> {
    pub cancel: &'a CancelHandle,
    next: AtomicU64,
    stopped: AtomicBool,
    done: AtomicU64,
}

impl Shared<'_> {
    /// Counts work as done: traces, or whatever the caller counts.
    pub fn add(&self, n: u64) {
        self.done.fetch_add(n, Ordering::Relaxed);
    }

    /// Lets no thread take another unit. Those that are being worked on, all of them earlier, are finished.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Threads that this process may use at a time.
pub fn n_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Works on units `0..n_units`: each thread makes itself a worker, and gives it the units that it takes.
/// `on_progress` hears what has been counted. An error stops the others once their units are done; that of the first unit counts.
pub fn for_each_unit<W>(
    n_units: u64,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
    worker: impl Fn() -> Result<W> + Sync,
    work: impl Fn(&mut W, u64, &Shared) -> Result<()> + Sync,
) -> Result<()> {
    for_each_unit_on(n_threads(), n_units, cancel, on_progress, worker, work)
}

/// As [`for_each_unit`], with so many threads.
pub fn for_each_unit_on<W>(
    n_threads: usize,
    n_units: u64,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
    worker: impl Fn() -> Result<W> + Sync,
    work: impl Fn(&mut W, u64, &Shared) -> Result<()> + Sync,
) -> Result<()> {
    let shared = Shared { cancel, next: AtomicU64::new(0), stopped: AtomicBool::new(false), done: AtomicU64::new(0) };
    let run = || {
        let mut worker = worker().map_err(|e| (0, e))?;
        // Every unit that is taken is worked on, so that all units before one that stops the others are finished.
        while !shared.stopped.load(Ordering::Relaxed) {
            let unit = shared.next.fetch_add(1, Ordering::Relaxed);
            if unit >= n_units {
                break;
            }
            shared.cancel.check().map_err(|e| (unit, e))?;
            work(&mut worker, unit, &shared).map_err(|e| (unit, e))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let (sender, results) = channel();
        for _ in 0..n_threads.min(usize::try_from(n_units).unwrap_or(usize::MAX)).max(1) {
            let (sender, run, shared) = (sender.clone(), &run, &shared);
            scope.spawn(move || {
                let result: Result<(), (u64, Error)> = run();
                if result.is_err() {
                    shared.stop();
                }
                // Whoever listens has an error already if nobody does.
                let _ = sender.send(result);
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        loop {
            match results.recv_timeout(INTERVAL) {
                Ok(result) => outcome = first_error(outcome, result),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return outcome.map_err(|(_, error)| error),
            }
            on_progress(shared.done.load(Ordering::Relaxed));
        }
    })
}

/// The error in the first of the units, unless it is only that somebody asked to stop: whichever thread was faster, the same.
fn first_error(one: Result<(), (u64, Error)>, other: Result<(), (u64, Error)>) -> Result<(), (u64, Error)> {
    let place = |(unit, error): &(u64, Error)| (matches!(error, Error::Cancelled { .. }), *unit);
    match (one, other) {
        (Err(one), Err(other)) => Err(if place(&other) < place(&one) { other } else { one }),
        (one, other) => one.and(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_the_first_unit_counts_whichever_thread_is_faster() {
        for _ in 0..50 {
            let fail = |(): &mut (), unit, _: &Shared| match unit {
                3.. => Err(Error::Failed(format!("unit {unit}"))),
                2 => {
                    std::thread::sleep(Duration::from_millis(1));
                    Err(Error::Failed("unit 2".into()))
                }
                _ => Ok(()),
            };
            let outcome = for_each_unit_on(4, 100, &CancelHandle::new(), &mut |_| {}, || Ok(()), fail);
            assert_eq!(outcome, Err(Error::Failed("unit 2".into())));
        }
    }
}

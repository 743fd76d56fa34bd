//! Work on several threads: units in order, each taken by the next free thread.
//!
//! [`for_each`] does independent units; [`in_order`] delivers their results in order. An error or a panic in a unit
//! stops the rest. If the system refuses to start more threads, those that run do all the work, or else the calling
//! thread does.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

use crossbeam_channel::unbounded;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};

/// How often progress is reported.
const INTERVAL: Duration = Duration::from_millis(100);

/// Threads this process may use at a time.
pub(crate) fn n_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the threads of one [`for_each`] share.
pub(crate) struct Shared<'a> {
    pub cancel: &'a CancelHandle,
    is_stopped: AtomicBool,
    done: AtomicU64,
}

impl Shared<'_> {
    /// Counts work as done, in whatever unit the caller counts (traces, usually).
    pub(crate) fn add(&self, n: u64) {
        self.done.fetch_add(n, Ordering::Relaxed);
    }

    /// Stops threads from taking more units. Units already being worked on, which all come earlier, are finished.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the rest of a long unit is still wanted.
    pub(crate) fn goes_on(&self) -> bool {
        !self.is_stopped.load(Ordering::Relaxed) && self.cancel.check().is_ok()
    }
}

/// Works on all units: each thread makes a worker and passes it the units it takes. The calling thread reports the
/// count so far to `on_progress`.
///
/// # Errors
/// The error of the first failing unit, whichever thread is faster; a request to stop counts only if there is no other.
pub(crate) fn for_each<T: Send, W>(
    n_threads: usize,
    units: impl Iterator<Item = T> + Send,
    cancel: &CancelHandle,
    on_progress: &mut dyn FnMut(u64),
    worker: impl Fn() -> Result<W> + Sync,
    work: impl Fn(&mut W, T, &Shared) -> Result<()> + Sync,
) -> Result<()> {
    let shared = Shared { cancel, is_stopped: AtomicBool::new(false), done: AtomicU64::new(0) };
    let n_threads = n_threads.min(units.size_hint().1.unwrap_or(usize::MAX)).max(1);
    let units = Mutex::new(units.enumerate());
    let take = || units.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work_on_units = || {
        let mut worker = worker().map_err(|e| (0, e))?;
        // Every unit taken is worked on, so that all units before one that stops the others get finished.
        while !shared.is_stopped.load(Ordering::Relaxed) {
            let Some((i, unit)) = take() else { break };
            cancel.check().and_then(|()| work(&mut worker, unit, &shared)).map_err(|e| (i, e))?;
        }
        Ok(())
    };
    let (sender, outcomes) = unbounded();
    let run = || {
        let outcome = caught(|| Ok(work_on_units())).unwrap_or_else(|panic: Error| Err((0, panic)));
        if outcome.is_err() {
            shared.stop();
        }
        // The receiver outlives the threads.
        let _ = sender.send(outcome);
    };
    std::thread::scope(|scope| {
        let mut n_running = start(scope, n_threads, &run);
        if n_running == 0 {
            run();
            n_running = 1;
        }
        let mut outcome = Ok(());
        while n_running > 0 {
            if let Ok(other) = outcomes.recv_timeout(INTERVAL) {
                outcome = first_error(outcome, other);
                n_running -= 1;
            }
            on_progress(shared.done.load(Ordering::Relaxed));
        }
        outcome.map_err(|(_, error)| error)
    })
}

/// The error of the earlier unit; a request to stop counts only if there is no other.
fn first_error(one: Result<(), (usize, Error)>, other: Result<(), (usize, Error)>) -> Result<(), (usize, Error)> {
    let place = |(unit, error): &(usize, Error)| (matches!(error, Error::Cancelled { .. }), *unit);
    match (one, other) {
        (Err(one), Err(other)) => Err(if place(&other) < place(&one) { other } else { one }),
        (one, other) => one.and(other),
    }
}

/// Works on units `0..n_units`, each in a slot; the calling thread delivers them in ascending order. A slot is free
/// again after its delivery, so no more units wait than there are slots; there must be at least one. Without threads,
/// or for a single unit, the calling thread works as well.
///
/// # Errors
/// The error of the first failing unit.
pub(crate) fn in_order<S: Send, W, E: From<Error> + Send>(
    n_threads: usize,
    slots: impl IntoIterator<Item = S>,
    n_units: u64,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, &mut S, u64) -> Result<(), E> + Sync,
    mut deliver: impl FnMut(&mut S, u64) -> Result<(), E>,
) -> Result<(), E> {
    let ended_early = || E::from(Error::Failed("a thread ended early".into()));
    let (give, free) = unbounded();
    for slot in slots {
        give.send(slot).map_err(|_| ended_early())?;
    }
    let (sender, done) = unbounded();
    let next = AtomicU64::new(0);
    let one = |own: &mut Option<W>, slot: &mut S, unit| caught(|| work(own.get_or_insert_with(&worker), slot, unit));
    let run = || {
        let mut own = None;
        // A thread takes its slot first and then a unit, so the next unit to deliver always has a slot.
        for mut slot in &free {
            let unit = next.fetch_add(1, Ordering::Relaxed);
            if unit >= n_units {
                return;
            }
            let outcome = one(&mut own, &mut slot, unit);
            if sender.send((unit, slot, outcome)).is_err() {
                return;
            }
        }
    };
    let n_threads = if n_units > 1 { n_threads.min(usize::try_from(n_units).unwrap_or(usize::MAX)) } else { 0 };
    let (run, one, free) = (&run, &one, &free);
    // An early return drops this end of both channels, which ends the threads.
    std::thread::scope(move |scope| {
        if start(scope, n_threads, run) == 0 {
            let (mut slot, mut own) = (free.try_recv().map_err(|_| ended_early())?, None);
            return (0..n_units)
                .try_for_each(|unit| one(&mut own, &mut slot, unit).and_then(|()| deliver(&mut slot, unit)));
        }
        let mut waiting = BTreeMap::new();
        for expected in 0..n_units {
            while !waiting.contains_key(&expected) {
                let (unit, slot, outcome) = done.recv().map_err(|_| ended_early())?;
                waiting.insert(unit, (slot, outcome));
            }
            let (mut slot, outcome) = waiting.remove(&expected).ok_or_else(ended_early)?;
            outcome?;
            deliver(&mut slot, expected)?;
            give.send(slot).map_err(|_| ended_early())?;
        }
        Ok(())
    })
}

/// Starts up to `n` threads that all run `run`. Returns how many could be started.
fn start<'scope>(scope: &'scope Scope<'scope, '_>, n: usize, run: &'scope (impl Fn() + Sync)) -> usize {
    (0..n).take_while(|&i| builder(i).spawn_scoped(scope, run).is_ok()).count()
}

#[cfg(not(test))]
fn builder(_: usize) -> Builder {
    Builder::new()
}

/// Turns a panic into an error. Whatever it left unfinished is not used again.
fn caught<T, E: From<Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::Failed("a thread panicked".into()).into()))
}

#[cfg(test)]
use tests::builder;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How many threads the current one can start.
        static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    /// No system can give a thread such a stack.
    pub(super) fn builder(i: usize) -> Builder {
        if i < MOST.get() { Builder::new() } else { Builder::new().stack_size(usize::MAX / 4) }
    }

    fn failed(unit: u64) -> Result<()> {
        Err(Error::Failed(format!("unit {unit}")))
    }

    fn each(n_threads: usize, n: u64, work: impl Fn(u64, &Shared) -> Result<()> + Sync) -> (Result<()>, u64) {
        let mut done = 0;
        let work = |(): &mut (), unit, shared: &Shared| work(unit, shared);
        let cancel = CancelHandle::new();
        (for_each(n_threads, 0..n, &cancel, &mut |n| done = n, || Ok(()), work), done)
    }

    fn ordered(n_threads: usize, n: u64, work: impl Fn(u64) -> Result<()> + Sync) -> (Result<()>, Vec<u64>) {
        let mut seen = Vec::new();
        let n_working = AtomicU64::new(0);
        let work = |own: &mut u64, slot: &mut u64, unit| {
            *own += 1;
            *slot = unit;
            assert!(n_working.fetch_add(1, Ordering::Relaxed) < 6, "there are six slots");
            work(unit)
        };
        let outcome = in_order(
            n_threads,
            [0; 6],
            n,
            || 0,
            work,
            |slot, unit| {
                assert_eq!(*slot, unit);
                n_working.fetch_sub(1, Ordering::Relaxed);
                seen.push(unit);
                Ok(())
            },
        );
        (outcome, seen)
    }

    #[test]
    fn all_units_are_done_by_any_number_of_threads_that_can_be_started() {
        for most in [0, 1, 2, usize::MAX] {
            MOST.set(most);
            for n_threads in 1..=5 {
                let add = |unit, shared: &Shared| {
                    shared.add(unit);
                    Ok(())
                };
                assert_eq!(each(n_threads, 17, add), (Ok(()), 136));
                assert_eq!(ordered(n_threads, 17, |_| Ok(())), (Ok(()), (0..17).collect()));
            }
        }
        assert_eq!(ordered(0, 3, |_| Ok(())), (Ok(()), vec![0, 1, 2]));
        assert_eq!((each(3, 0, |_, _| failed(0)).0, ordered(3, 0, failed).0), (Ok(()), Ok(())));
    }

    #[test]
    fn the_error_of_the_first_unit_counts_whichever_thread_is_faster() {
        let fail = |unit| match unit {
            3.. => failed(unit),
            2 => {
                std::thread::sleep(Duration::from_millis(1));
                failed(2)
            }
            _ => Ok(()),
        };
        for _ in 0..50 {
            assert_eq!(each(4, 100, |unit, _| fail(unit)).0, failed(2));
            assert_eq!(ordered(4, u64::MAX, fail), (failed(2), vec![0, 1]));
        }
    }

    #[test]
    fn an_error_where_units_are_delivered_stops_the_threads() {
        let deliver = |_: &mut (), unit| if unit < 5 { Ok(()) } else { failed(unit) };
        assert_eq!(in_order(3, [(); 6], u64::MAX, || (), |(), _, _| Ok(()), deliver), failed(5));
    }

    #[test]
    fn a_panic_is_an_error() {
        let panicked = Err(Error::Failed("a thread panicked".into()));
        let odd = |unit| if unit == 7 { panic!("as the test wants it") } else { Ok(()) };
        for most in [0, usize::MAX] {
            MOST.set(most);
            assert_eq!(each(3, 20, |unit, _| odd(unit)).0, panicked);
            assert_eq!(ordered(3, 20, odd), (panicked.clone(), (0..7).collect()));
        }
    }

    #[test]
    fn being_asked_to_stop_stops() {
        let cancel = CancelHandle::new();
        let stop = |(): &mut (), unit: u64, shared: &Shared| {
            shared.add(1);
            if unit == 10 {
                cancel.cancel();
            }
            Ok(())
        };
        let mut done = 0;
        let outcome = for_each(3, 0.., &cancel, &mut |n| done = n, || Ok(()), stop);
        assert!(matches!(outcome, Err(Error::Cancelled { .. })) && done < 1000);
    }
}

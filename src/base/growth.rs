//! How run time grows with the number of things, for tests.

/// How many times more CPU time `work` takes for four times as many things; the fastest of several tries counts.
/// Quadratic work takes 16 times as much.
pub(crate) fn growth(n: usize, mut work: impl FnMut(usize)) -> f64 {
    const TRIES: usize = 7;
    let mut least = |n: usize| {
        let times = (0..TRIES).map(|_| {
            let before = processor_time();
            work(n);
            processor_time() - before
        });
        times.fold(f64::INFINITY, f64::min)
    };
    least(4 * n) / least(n)
}

/// CPU seconds this thread has used.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes to `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

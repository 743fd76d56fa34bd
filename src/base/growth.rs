//! How the work for many things grows with their number, for tests.

/// How many times as much time of the processor `work` takes for four times as many things; the least of some tries. What grows
/// with the square takes 16 times as much.
pub fn growth(n: usize, mut work: impl FnMut(usize)) -> f64 {
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

/// Seconds that this thread has worked, whatever else the machine does.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the one valid place that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

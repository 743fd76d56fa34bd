//! Runs a job block by block on several threads and hands the blocks over in order.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use anyhow::{Context, Result};

/// Buffers in circulation per thread: one being filled while the other waits to be written.
const BUFFERS_PER_THREAD: usize = 2;

/// The two ends of a worker thread that the writing thread holds.
struct Lane {
    filled: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
}

/// Fills blocks `0..n_blocks` on `n_threads` threads and passes each to `write` on the calling
/// thread, in ascending order.
///
/// `start_worker` runs once on each thread and returns the function that fills block number `n`;
/// the buffer it gets holds an earlier block. Thread `k` fills blocks `k`, `k + n_threads`, ..., so
/// the order needs no sorting, and never has more than two buffers.
pub(super) fn write_in_order<F>(
    n_blocks: u64,
    n_threads: usize,
    start_worker: &(impl Fn() -> F + Sync),
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()>
where
    F: FnMut(u64, &mut Vec<u8>),
{
    thread::scope(|scope| {
        let mut lanes = Vec::with_capacity(n_threads);
        for first_block in 0..n_threads as u64 {
            let (filled_sender, filled) = sync_channel::<Vec<u8>>(BUFFERS_PER_THREAD);
            let (empty, empty_receiver) = channel();
            for _ in 0..BUFFERS_PER_THREAD {
                empty.send(Vec::new())?;
            }
            let work = move || {
                let mut fill = start_worker();
                for block in (first_block..n_blocks).step_by(n_threads) {
                    // Either channel closes only when the writer has given up.
                    let Ok(mut bytes) = empty_receiver.recv() else {
                        return;
                    };
                    fill(block, &mut bytes);
                    if filled_sender.send(bytes).is_err() {
                        return;
                    }
                }
            };
            thread::Builder::new()
                .spawn_scoped(scope, work)
                .context("A thread to compute traces could not be started.")?;
            lanes.push(Lane { filled, empty });
        }
        // An early return drops the lanes, which ends the workers before the scope waits for them.
        for (_, lane) in (0..n_blocks).zip(lanes.iter().cycle()) {
            let bytes = lane.filled.recv().context("A thread that computes traces ended early.")?;
            write(&bytes)?;
            // A worker that has filled its last block no longer listens.
            let _ = lane.empty.send(bytes);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_arrive_in_order_from_any_number_of_threads() {
        for n_threads in 1..=5 {
            let start_worker = || |block: u64, bytes: &mut Vec<u8>| bytes.splice(.., [block as u8]).for_each(drop);
            let mut seen = Vec::new();
            write_in_order(17, n_threads, &start_worker, |bytes| {
                seen.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, (0..17).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn a_failed_write_stops_the_workers() {
        let start_worker = || |_: u64, bytes: &mut Vec<u8>| bytes.resize(8, 0);
        let mut n_writes = 0;
        let result = write_in_order(u64::MAX, 3, &start_worker, |_| {
            n_writes += 1;
            anyhow::ensure!(n_writes < 5, "The disk is full.");
            Ok(())
        });
        assert_eq!(result.unwrap_err().to_string(), "The disk is full.");
        assert_eq!(n_writes, 5);
    }
}

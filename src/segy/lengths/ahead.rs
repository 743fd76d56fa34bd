//! Reading headers ahead of a walk along traces of varying length, on all cores.
//!
//! Where a trace begins is known from the one in front of it alone. So the file is cut into parts, and threads guess where
//! the first trace of a part begins, by what the headers at the front of the file have in common, and follow the chain
//! from there. The walk stays sequential and the only judge: where it comes by a place that a thread came by, it takes the
//! count that was read there, and anywhere else it reads the header itself. A count depends on the bytes at its place
//! alone, so that the walk is the same whatever was guessed; a wrong guess costs time and nothing else.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::segy::lengths::ragged::{Chain, stated_samples};

/// Headers at the front of the file that are looked at for what they have in common.
const LEARNT_TRACES: usize = 64;
/// Headers in a row that have to look like them before a guess is followed.
const CONVINCING_TRACES: usize = 8;
/// Bytes of a part: far more than looking for its first trace reads, and few enough counts to keep.
const PART_BYTES: u64 = 16 << 20;
const PART_TRACES: u64 = 256;
/// Files of fewer parts are walked along sooner than threads start.
const MIN_PARTS: u64 = 4;
/// Bytes in which the first trace of a part is looked for, at most.
const MAX_WINDOW_BYTES: u64 = 4 << 20;
/// More threads find nothing more to do: the walk takes the counts of one part at a time.
const MAX_THREADS: usize = 8;
/// Parts that a thread has ready before it waits for the walk.
const READY_PARTS: usize = 2;
/// Mapped bytes are dropped behind a thread after so many.
const RELEASE_BYTES: u64 = 2 << 20;

/// The parts that are read ahead.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    /// Length of each; the first is left to the walk.
    pub(crate) part_bytes: u64,
    pub(crate) n_threads: usize,
}

/// What the first headers of a chain have in common, and how long their traces are.
pub(crate) struct Look {
    first: Vec<u8>,
    /// Bytes of a header that are the same in all of them: those that are not zero, and those that are.
    marks: Vec<usize>,
    blanks: Vec<usize>,
    max_samples: u32,
    max_trace_bytes: u64,
    mean_trace_bytes: u64,
}

impl Look {
    /// `None` for a chain that ends or breaks at once.
    pub(crate) fn of(chain: &Chain) -> Option<Self> {
        let (mut offset, mut buffer, mut n) = (chain.start, Vec::new(), 0);
        let (mut first, mut changed) = (Vec::new(), vec![false; chain.header_bytes]);
        let (mut max_samples, mut max_trace_bytes) = (0, 0);
        while n < LEARNT_TRACES && chain.fits_header(offset) {
            let header = chain.file.bytes(offset, chain.header_bytes, &mut buffer).ok()?;
            let n_samples = stated_samples(header, chain.order);
            if n_samples == 0 {
                return None;
            }
            if first.is_empty() {
                first = header.to_vec();
            }
            changed.iter_mut().zip(header.iter().zip(&first)).for_each(|(changed, (a, b))| *changed |= a != b);
            max_samples = max_samples.max(n_samples);
            max_trace_bytes = max_trace_bytes.max(chain.trace_bytes(n_samples));
            offset += chain.trace_bytes(n_samples);
            n += 1;
        }
        let same = || (0..first.len()).filter(|&i| !changed[i]);
        let (marks, blanks) =
            (same().filter(|&i| first[i] != 0).collect(), same().filter(|&i| first[i] == 0).collect());
        let mean_trace_bytes = (offset - chain.start) / (n.max(1) as u64);
        (n > 0).then_some(Self { first, marks, blanks, max_samples, max_trace_bytes, mean_trace_bytes })
    }

    /// How to cut the file; `None` where one that small, or a single core, is not worth it.
    pub(crate) fn cut(&self, chain: &Chain) -> Option<Cut> {
        let part_bytes = PART_BYTES.max(PART_TRACES.saturating_mul(self.mean_trace_bytes));
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let is_large = chain.end.saturating_sub(chain.start) >= MIN_PARTS.saturating_mul(part_bytes);
        (is_large && n_threads > 1).then_some(Cut { part_bytes, n_threads })
    }

    /// Whether this could be a header: hardly any of the bytes is set that were not in the first ones, and some are as they
    /// were there, though coordinates and numbers go on changing.
    fn is_like(&self, header: &[u8], chain: &Chain) -> bool {
        let n_others = |places: &[usize]| places.iter().filter(|&&i| header[i] != self.first[i]).count();
        let n_samples = stated_samples(header, chain.order);
        n_samples > 0
            && n_samples <= self.max_samples.saturating_mul(2)
            && n_others(&self.marks) <= self.marks.len() * 3 / 4
            && n_others(&self.blanks) <= self.blanks.len() / 8
    }

    /// Where the first trace begins that begins in these bytes, most likely.
    fn guess(&self, chain: &Chain, part: &Range<u64>) -> Option<u64> {
        let wanted = (2 * self.max_trace_bytes + chain.header_bytes as u64).min(MAX_WINDOW_BYTES);
        let n = usize::try_from(wanted.min(chain.end - part.start)).ok()?;
        let mut buffer = Vec::new();
        let window = chain.file.bytes(part.start, n, &mut buffer).ok()?;
        // The length of a header is a multiple of that of a sample.
        let step = chain.sample_bytes as u64;
        let first = (step - (part.start - chain.start) % step) % step;
        let places = (first..).step_by(chain.sample_bytes).take_while(|&at| part.start + at < part.end);
        let headers = places.map_while(|at| Some((at, window.get(at as usize..)?.get(..chain.header_bytes)?)));
        let mut likely = headers.filter(|(_, header)| self.is_like(header, chain)).map(|(at, _)| part.start + at);
        likely.find(|&offset| self.goes_on(chain, offset))
    }

    /// Whether some traces follow one another from here on.
    fn goes_on(&self, chain: &Chain, mut offset: u64) -> bool {
        let mut buffer = Vec::new();
        (0..CONVINCING_TRACES).all(|_| {
            if !chain.fits_header(offset) {
                return true;
            }
            let Ok(header) = chain.file.bytes(offset, chain.header_bytes, &mut buffer) else { return false };
            offset += chain.trace_bytes(stated_samples(header, chain.order));
            self.is_like(header, chain)
        })
    }
}

/// The sample counts of consecutive traces.
struct Counts {
    /// Offset of the first one.
    start: u64,
    counts: Vec<u32>,
}

/// Reads the headers that are expected in a part. Whatever goes wrong ends it: the walk will come by.
fn follow(chain: &Chain, look: &Look, part: &Range<u64>, stop: &AtomicBool) -> Counts {
    let start = look.guess(chain, part).unwrap_or(part.end);
    let (mut offset, mut kept, mut counts, mut buffer) = (start, part.start, Vec::new(), Vec::new());
    while offset < part.end && chain.fits_header(offset) && !stop.load(Ordering::Relaxed) {
        let Ok(header) = chain.file.bytes(offset, chain.header_bytes, &mut buffer) else { break };
        let n_samples = stated_samples(header, chain.order);
        if n_samples == 0 {
            break;
        }
        counts.push(n_samples);
        offset += chain.trace_bytes(n_samples);
        if offset - kept >= RELEASE_BYTES {
            chain.file.release(kept, (offset.min(chain.end) - kept) as usize);
            kept = offset;
        }
    }
    let end = offset.min(chain.end);
    chain.file.release(kept.min(end), (end - kept.min(end)) as usize);
    Counts { start, counts }
}

/// What the threads have read so far of the parts, in file order.
pub(crate) struct Ahead {
    threads: Vec<Receiver<Counts>>,
    start: u64,
    part_bytes: u64,
    /// The number of the part at hand; the parts count from 1, as the first is for the walk itself.
    part: u64,
    counts: Counts,
    /// Which of the counts is next.
    next: usize,
}

impl Ahead {
    /// Starts threads that read ahead until `stop`.
    pub(crate) fn start<'scope, 'env>(
        chain: &'env Chain<'env>,
        look: &'env Look,
        Cut { part_bytes, n_threads }: Cut,
        stop: &'env AtomicBool,
        scope: &'scope Scope<'scope, 'env>,
    ) -> Self {
        let threads = (0..n_threads as u64).map(|thread| {
            let (sender, receiver) = bounded(READY_PARTS);
            scope.spawn(move || {
                let starts = (thread + 1..).step_by(n_threads).map(|part| chain.start + part * part_bytes);
                let parts = starts.take_while(|&start| start < chain.end).map(|start| start..start + part_bytes);
                read_parts(chain, look, parts, stop, &sender);
            });
            receiver
        });
        let (threads, counts) = (threads.collect(), Counts { start: chain.start, counts: Vec::new() });
        Self { threads, start: chain.start, part_bytes, part: 0, counts, next: 0 }
    }

    /// The sample count that the header at `offset` states, if a thread has read it. Offsets are asked for in order.
    pub(crate) fn count_at(&mut self, offset: u64, chain: &Chain) -> Option<u32> {
        while (offset - self.start) / self.part_bytes > self.part {
            let thread = (self.part % self.threads.len() as u64) as usize;
            self.counts = self.threads[thread].recv().ok()?;
            (self.part, self.next) = (self.part + 1, 0);
        }
        while self.counts.start < offset {
            let n_samples = *self.counts.counts.get(self.next)?;
            self.counts.start += chain.trace_bytes(n_samples);
            self.next += 1;
        }
        self.counts.counts.get(self.next).copied().filter(|_| self.counts.start == offset)
    }
}

fn read_parts(
    chain: &Chain,
    look: &Look,
    parts: impl Iterator<Item = Range<u64>>,
    stop: &AtomicBool,
    sender: &Sender<Counts>,
) {
    for part in parts {
        if stop.load(Ordering::Relaxed) || sender.send(follow(chain, look, &part, stop)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::{Access, ByteOrder, Io, SegyFile};

    #[test]
    fn traces_of_a_survey_whose_numbers_and_coordinates_go_on_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let (mut bytes, mut starts) = (vec![0; 10], Vec::new());
        for i in 0..20_000u32 {
            starts.push(bytes.len() as u64);
            let n_samples = 5 + (i * i % 31) as u16;
            let mut header = [0; 240];
            for (offset, value) in [(0, i), (4, i), (20, i / 30), (72, 400_000 + 99 * i), (76, 6_000_000 + 7000 * i)] {
                header[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
            }
            for (offset, value) in [(28, 1), (70, 0xFFF6), (114, n_samples), (116, 4000)] {
                header[offset..offset + 2].copy_from_slice(&value.to_be_bytes());
            }
            bytes.extend(header);
            // Some traces are muted, so that zeros surround the next header.
            bytes.extend(
                (0..n_samples).flat_map(|k| if i % 3 == 0 { [0; 2] } else { k.wrapping_mul(2999).to_be_bytes() }),
            );
        }
        std::fs::write(directory.path().join("f"), &bytes).unwrap();
        let file = SegyFile::open(&directory.path().join("f"), Io::Auto, Access::Headers).unwrap();
        let (start, end) = (10, file.len());
        let chain = Chain { file: &file, start, end, header_bytes: 240, sample_bytes: 2, order: ByteOrder::Big };
        let look = Look::of(&chain).unwrap();
        for start in (1000..end - 10_000).step_by(9973) {
            let first = starts[starts.partition_point(|&offset| offset < start)];
            assert_eq!(look.guess(&chain, &(start..start + 10_000)), Some(first), "from {start}");
        }
    }
}

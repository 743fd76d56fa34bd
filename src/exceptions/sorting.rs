//! Putting the exceptions of a grid into the order of the file: its segments find them column by column.

use std::collections::BinaryHeap;

use crate::base::cancel::CancelHandle;
use crate::base::error::Result;
use crate::exceptions::{Exception, SegmentExceptions, SegmentReader};
use crate::store::Place;

/// Exceptions in memory at a time: 64 MiB of them.
const IN_MEMORY: usize = 1 << 22;

/// Writes the exceptions of all segments to `target` in order of trace and sample. Returns it with their number.
///
/// Memory: fixed. Each pass over the segments takes the next four million.
pub(crate) fn sorted(segments: &[(Place, u64)], target: &Place, cancel: &CancelHandle) -> Result<(Place, u64)> {
    sorted_in_parts(segments, target, IN_MEMORY, cancel)
}

fn sorted_in_parts(
    segments: &[(Place, u64)],
    target: &Place,
    in_memory: usize,
    cancel: &CancelHandle,
) -> Result<(Place, u64)> {
    let mut out = SegmentExceptions::new(target, None);
    let mut last: Option<(u64, u32)> = None;
    loop {
        // The smallest exceptions after the last one written, the largest of them on top.
        let mut next: BinaryHeap<(u64, u32, u32)> = BinaryHeap::new();
        for (path, n) in segments {
            let mut reader = SegmentReader::open(path, *n)?;
            while let Some(Exception { trace, sample, word }) = reader.next_exception()? {
                if last.is_some_and(|last| (trace, sample) <= last) {
                    continue;
                }
                next.push((trace, sample, word));
                if next.len() > in_memory {
                    next.pop();
                }
            }
            cancel.check()?;
        }
        let part = next.into_sorted_vec();
        let Some(&(trace, sample, _)) = part.last() else { break };
        last = Some((trace, sample));
        part.iter().try_for_each(|&(trace, sample, word)| out.push(Exception { trace, sample, word }))?;
    }
    Ok((target.clone(), out.finish()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_come_in_the_order_of_the_file_however_many_fit_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| Place::of(&directory.path().join(name)).unwrap();
        let mut segments = Vec::new();
        for (i, traces) in [[7_u64, 3, 9], [8, 1, 2]].into_iter().enumerate() {
            let mut out = SegmentExceptions::new(&place(&i.to_string()), None);
            for trace in traces {
                for sample in [5, 2] {
                    out.push(Exception { trace, sample, word: trace as u32 }).unwrap();
                }
            }
            segments.push((place(&i.to_string()), out.finish().unwrap()));
        }
        for in_memory in [1, 4, 5, 100] {
            let cancel = CancelHandle::new();
            let (path, n) = sorted_in_parts(&segments, &place("sorted"), in_memory, &cancel).unwrap();
            let mut reader = SegmentReader::open(&path, n).unwrap();
            let mut found = Vec::new();
            while let Some(e) = reader.next_exception().unwrap() {
                found.push((e.trace, e.sample));
            }
            let expected: Vec<(u64, u32)> = [1, 2, 3, 7, 8, 9].iter().flat_map(|&t| [(t, 2), (t, 5)]).collect();
            assert_eq!(found, expected);
        }
    }
}

//! Cutting the traces into segments of nearly equal length that start where a gather starts.

use serde::{Deserialize, Serialize};

use crate::base::error::Result;
use crate::gather::{GatherStart, KeyValues, probe_back, seems_unchanged};

/// A run of traces that one worker converts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub id: u32,
    /// First trace, from 0.
    pub start_trace: u64,
    /// One past the last trace.
    pub end_trace: u64,
    /// The segment starts inside a gather, whose first trace is further back than the probe can look.
    pub starts_inside_gather: bool,
}

/// A split in a long gather: walking back through it again for the next split would be as much work again.
struct LongGather {
    split: u64,
    key: KeyValues,
    start: GatherStart,
}

/// A gather is long if walking back took this many headers.
const LONG: u64 = 64;

/// Cuts `n_traces` into at most `n_segments`: even splits, each moved back to the first trace of its gather.
///
/// If there is no boundary within `max_probe` headers, the split stays where it is and the segment is marked; two
/// splits in one gather become one. `key_of` is `None` for even splits. A split in the same long gather as the
/// previous one is recognised by a few headers in between, so that a key that never changes is not read over and
/// over.
pub fn partition(
    n_traces: u64,
    n_segments: u32,
    max_probe: u64,
    mut key_of: Option<&mut dyn FnMut(u64) -> Result<KeyValues>>,
) -> Result<Vec<Segment>> {
    let mut starts = vec![(0, false)];
    let mut long: Option<LongGather> = None;
    for i in 1..u64::from(n_segments) {
        let split = (u128::from(n_traces) * u128::from(i) / u128::from(n_segments)) as u64;
        let (start, inside) = match &mut key_of {
            None => (split, false),
            Some(key_of) => match gather_start(split, max_probe, &mut long, key_of)? {
                GatherStart::Found(start) => (start, false),
                GatherStart::BeyondReach => (split, true),
            },
        };
        if starts.last().is_none_or(|&(last, _)| start > last) {
            starts.push((start, inside));
        }
    }
    let ends = starts.iter().skip(1).map(|&(start, _)| start).chain([n_traces]);
    let segments = starts.iter().zip(ends).enumerate().map(|(id, (&(start_trace, inside), end_trace))| Segment {
        id: id as u32,
        start_trace,
        end_trace,
        starts_inside_gather: inside,
    });
    Ok(segments.collect())
}

/// Where the gather at a split begins. `long` is the long gather of an earlier split, replaced by this one if it is
/// long.
fn gather_start(
    split: u64,
    max_probe: u64,
    long: &mut Option<LongGather>,
    key_of: &mut impl FnMut(u64) -> Result<KeyValues>,
) -> Result<GatherStart> {
    if let Some(before) = long {
        let distance = (split - before.split).min(max_probe);
        if seems_unchanged(split, distance, &before.key, key_of)? {
            before.start = match before.start {
                GatherStart::Found(start) if split - start <= max_probe => before.start,
                _ => GatherStart::BeyondReach,
            };
            before.split = split;
            return Ok(before.start);
        }
    }
    let start = probe_back(split, max_probe, key_of)?;
    let is_long = match start {
        GatherStart::Found(start) => split - start >= LONG,
        GatherStart::BeyondReach => true,
    };
    *long = if is_long { Some(LongGather { split, key: key_of(split)?, start }) } else { None };
    Ok(start)
}

/// A message on the segments that begin inside a gather.
pub(crate) fn cuts_inside_gathers(segments: &[Segment], max_probe: u64) -> Option<String> {
    const LISTED: usize = 5;
    let inside: Vec<u64> = segments.iter().filter(|s| s.starts_inside_gather).map(|s| s.start_trace + 1).collect();
    let mut traces: Vec<String> = inside.iter().take(LISTED).map(u64::to_string).collect();
    if inside.len() > LISTED {
        traces.push(format!("… ({} in all)", inside.len()));
    }
    (!inside.is_empty()).then(|| {
        format!(
            "no gather was found to begin within {max_probe} traces before trace {}: segments are cut there, inside a gather, \
             and the gather is joined again in the index",
            traces.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(keys: &[i64], n_segments: u32, max_probe: u64) -> Vec<Segment> {
        let mut key_of = |i: u64| Ok(vec![keys[i as usize]]);
        partition(keys.len() as u64, n_segments, max_probe, Some(&mut key_of)).unwrap()
    }

    #[test]
    fn segments_of_regular_gathers_are_within_one_percent_of_each_other() {
        let keys: Vec<i64> = (0..240_000).map(|i| i / 48).collect();
        for n in [2, 3, 7, 16] {
            let lengths: Vec<u64> = cut(&keys, n, 10_000).iter().map(|s| s.end_trace - s.start_trace).collect();
            let (min, max) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
            assert_eq!(lengths.len() as u32, n);
            assert!(max * 100 <= min * 101, "{n} segments: {min} to {max} traces");
        }
    }

    #[test]
    fn cuts_inside_gathers_are_reported_in_a_line_of_bounded_length() {
        assert_eq!(cuts_inside_gathers(&cut(&[1, 2, 3, 4], 2, 100), 100), None);
        let message = cuts_inside_gathers(&cut(&[5; 1000], 2, 100), 100).unwrap();
        assert!(message.contains("within 100 traces before trace 501: segments"), "{message}");
        let message = cuts_inside_gathers(&cut(&[5; 1000], 11, 1), 1).unwrap();
        assert!(message.contains("before trace 91, 182, 273, 364, 455, … (10 in all): segments"), "{message}");
    }

    #[test]
    fn two_splits_in_one_gather_become_one() {
        let mut keys = vec![1; 30];
        keys.extend([2; 60]);
        keys.extend([3; 10]);
        let starts: Vec<u64> = cut(&keys, 4, 100).iter().map(|s| s.start_trace).collect();
        assert_eq!(starts, [0, 30]);
    }

    #[test]
    fn a_split_inside_a_long_gather_is_reported() {
        let segments = cut(&[5; 1000], 2, 100);
        assert_eq!(segments[1], Segment { id: 1, start_trace: 500, end_trace: 1000, starts_inside_gather: true });
    }

    #[test]
    fn a_key_that_never_changes_costs_one_probe_and_not_one_for_each_split() {
        let mut reads = 0;
        let mut key_of = |_| {
            reads += 1;
            Ok(vec![0])
        };
        let segments = partition(10_000_000, 200, 10_000, Some(&mut key_of)).unwrap();
        assert_eq!(segments.len(), 200);
        assert!(segments[1..].iter().all(|s| s.starts_inside_gather));
        assert!(reads < 10_000 + 200 * 20, "{reads} headers read");
        reads = 0;
        let mut key_of = |_| {
            reads += 1;
            Ok(vec![0])
        };
        let segments = partition(1_000_000, 1000, 500_000, Some(&mut key_of)).unwrap();
        assert_eq!((segments.len(), segments[1].start_trace), (500, 501_000));
        assert!(reads < 500_000 + 1000 * 20, "{reads} headers read");
        // A boundary visible in the few headers is still found.
        let keys: Vec<i64> = (0..4000).map(|i| i64::from((2800..2900).contains(&i))).collect();
        assert_eq!(cut(&keys, 4, 200).iter().map(|s| s.start_trace).collect::<Vec<_>>(), [0, 1000, 2000, 2900]);
    }

    #[test]
    fn without_keys_the_splits_are_even() {
        let starts: Vec<u64> = partition(10, 4, 100, None).unwrap().iter().map(|s| s.start_trace).collect();
        assert_eq!(starts, [0, 2, 5, 7]);
    }

    #[test]
    fn more_segments_than_traces_give_one_segment_a_trace() {
        assert_eq!(partition(3, 10, 100, None).unwrap().len(), 3);
    }

    proptest::proptest! {
        #[test]
        fn segments_cover_all_traces_once_and_begin_at_gathers_unless_they_say_so(
            lengths in proptest::collection::vec(1usize..40, 1..60),
            n_segments in 1u32..12,
            max_probe in 1u64..60,
        ) {
            let keys: Vec<i64> = lengths.iter().enumerate().flat_map(|(i, &n)| vec![i as i64; n]).collect();
            let segments = cut(&keys, n_segments, max_probe);
            let mut expected_start = 0;
            for s in &segments {
                proptest::prop_assert_eq!(s.start_trace, expected_start);
                proptest::prop_assert!(s.end_trace > s.start_trace);
                let at = s.start_trace as usize;
                let at_boundary = at == 0 || keys[at] != keys[at - 1];
                proptest::prop_assert!(at_boundary || s.starts_inside_gather);
                expected_start = s.end_trace;
            }
            proptest::prop_assert_eq!(expected_start, keys.len() as u64);
        }
    }
}

//! Which traces of a file are wanted. Memory: two bits a trace.

use std::ops::Range;

use crate::base::error::Result;

const WORD: u64 = u64::BITS as u64;

/// Some of consecutive traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceSet {
    traces: Range<u64>,
    /// A bit for each trace.
    words: Vec<u64>,
    /// The members before each word.
    before: Vec<u64>,
}

impl TraceSet {
    /// Those of `traces` for which `is_wanted` says so, which is asked in their order.
    pub(crate) fn new(traces: &Range<u64>, mut is_wanted: impl FnMut(u64) -> bool) -> Self {
        let mut set = Self::none(traces);
        traces.clone().filter(|&trace| is_wanted(trace)).for_each(|trace| set.insert(trace));
        set.counted()
    }

    /// None of them yet.
    pub(crate) fn none(traces: &Range<u64>) -> Self {
        let n_words = (traces.end - traces.start).div_ceil(WORD) as usize;
        Self { traces: traces.clone(), words: vec![0; n_words], before: Vec::new() }
    }

    /// Takes one in. [`Self::counted`] comes after the last.
    pub(crate) fn insert(&mut self, trace: u64) {
        let at = trace - self.traces.start;
        self.words[(at / WORD) as usize] |= 1 << (at % WORD);
    }

    /// The set, ready to be asked.
    #[must_use]
    pub(crate) fn counted(self) -> Self {
        let mut n = 0;
        let mut before: Vec<u64> = Vec::with_capacity(self.words.len() + 1);
        for word in &self.words {
            before.push(n);
            n += u64::from(word.count_ones());
        }
        before.push(n);
        Self { before, ..self }
    }

    /// Those that are in both sets, of the same traces.
    #[must_use]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
        self.counted()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// Whether a trace is one of them.
    pub(crate) fn contains(&self, trace: u64) -> bool {
        self.traces.contains(&trace) && self.word(trace) >> ((trace - self.traces.start) % WORD) & 1 == 1
    }

    /// How many are before a trace.
    pub(crate) fn rank(&self, trace: u64) -> u64 {
        let at = trace - self.traces.start;
        let (word, bit) = ((at / WORD) as usize, at % WORD);
        let below = self.words.get(word).map_or(0, |word| word & ((1 << bit) - 1));
        self.before.get(word).copied().unwrap_or(0) + u64::from(below.count_ones())
    }

    /// Whether any of these traces is one.
    pub(crate) fn any_in(&self, traces: &Range<u64>) -> bool {
        let ends = traces.start.max(self.traces.start)..traces.end.min(self.traces.end);
        !ends.is_empty() && self.rank(ends.end) > self.rank(ends.start)
    }

    /// From the first to the last.
    pub(crate) fn span(&self) -> Range<u64> {
        let first = self.words.iter().position(|&word| word != 0);
        let last = self.words.iter().rposition(|&word| word != 0);
        let Some((first, last)) = first.zip(last) else { return self.traces.start..self.traces.start };
        let start = first as u64 * WORD + u64::from(self.words[first].trailing_zeros());
        let end = (last as u64 + 1) * WORD - u64::from(self.words[last].leading_zeros());
        self.traces.start + start..self.traces.start + end
    }

    /// Calls `each` with every one, in order.
    pub(crate) fn each(&self, mut each: impl FnMut(u64) -> Result<()>) -> Result<()> {
        self.span().filter(|&trace| self.contains(trace)).try_for_each(&mut each)
    }

    fn word(&self, trace: u64) -> u64 {
        self.words.get(((trace - self.traces.start) / WORD) as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_the_members_before_a_trace() {
        let traces = 1000..1000 + 300;
        let set = TraceSet::new(&traces, |trace| trace % 3 == 0);
        let members: Vec<u64> = traces.clone().filter(|trace| trace % 3 == 0).collect();
        assert_eq!((set.len(), set.span()), (members.len() as u64, members[0]..members[members.len() - 1] + 1));
        for trace in traces.clone() {
            assert_eq!(set.contains(trace), members.contains(&trace), "{trace}");
            assert_eq!(set.rank(trace), members.iter().filter(|&&m| m < trace).count() as u64, "{trace}");
        }
        assert_eq!(set.rank(1300), set.len());
        assert!(set.any_in(&(1002..1003)) && !set.any_in(&(1003..1005)) && !set.any_in(&(0..1000)));
        let both = set.and(&TraceSet::new(&traces, |trace| trace % 2 == 0));
        assert_eq!(both, TraceSet::new(&traces, |trace| trace % 6 == 0));
    }

    #[test]
    fn a_set_of_whole_words_ends_with_its_traces() {
        let set = TraceSet::new(&(0..128), |_| true);
        assert_eq!((set.len(), set.rank(128), set.span()), (128, 128, 0..128));
        assert_eq!(TraceSet::new(&(5..9), |_| false).span(), 5..5);
    }
}

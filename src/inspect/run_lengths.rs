//! Runs of equal consecutive values, which make gathers.

/// How two pieces of a file join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seam {
    /// The second piece begins with the last value of the first.
    Same,
    /// The second begins with another value.
    Differs,
    /// There are unread traces between them.
    Apart,
}

/// The runs in one or more pieces of a file. [`Runs::join`] is associative: any partition gives the same result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    /// Neighbouring traces that were compared.
    pub n_pairs: u64,
    /// Pairs that differ.
    pub n_changes: u64,
    /// Length in traces of the longest run, as far as seen.
    pub longest: u64,
    /// Length in traces of the shortest run with both ends seen.
    pub shortest_whole: Option<u64>,
    /// Length in traces of the first run, which may begin before the piece, and of the last, which may continue after
    /// it.
    pub(super) first: u64,
    pub(super) last: u64,
    /// Whether the first run is also the last.
    single: bool,
}

impl Runs {
    /// One run of `n` traces.
    pub(super) fn of(n: u64) -> Self {
        Self {
            n_pairs: n.saturating_sub(1),
            n_changes: 0,
            longest: n,
            shortest_whole: None,
            first: n,
            last: n,
            single: true,
        }
    }

    /// `n` runs (at least one) of one trace each.
    pub(super) fn of_ones(n: u64) -> Self {
        Self {
            n_pairs: n - 1,
            n_changes: n - 1,
            longest: 1,
            shortest_whole: (n > 2).then_some(1),
            first: 1,
            last: 1,
            single: n == 1,
        }
    }

    /// The runs in these keys, of which there is at least one.
    pub(super) fn in_order(keys: &[i64]) -> Self {
        let (mut start, mut first, mut longest, mut shortest, mut n_changes) = (0, 0, 0, u64::MAX, 0);
        for (i, _) in keys.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]) {
            let length = (i + 1 - start) as u64;
            if start == 0 {
                first = length;
            } else {
                shortest = shortest.min(length);
            }
            longest = longest.max(length);
            (start, n_changes) = (i + 1, n_changes + 1);
        }
        let last = (keys.len() - start) as u64;
        Self {
            n_pairs: keys.len() as u64 - 1,
            n_changes,
            longest: longest.max(last),
            shortest_whole: (n_changes > 1).then_some(shortest),
            first: if n_changes == 0 { last } else { first },
            last,
            single: n_changes == 0,
        }
    }

    /// Appends the next piece.
    pub(super) fn join(&mut self, next: &Self, seam: Seam) {
        let joined = self.last + next.first;
        // Runs completed by the seam.
        let whole = match seam {
            Seam::Same => [(!self.single && !next.single).then_some(joined), None],
            Seam::Differs => [(!self.single).then_some(self.last), (!next.single).then_some(next.first)],
            Seam::Apart => [None; 2],
        };
        let adjacent = seam != Seam::Apart;
        self.n_pairs += next.n_pairs + u64::from(adjacent);
        self.n_changes += next.n_changes + u64::from(seam == Seam::Differs);
        self.longest = self.longest.max(next.longest).max(if seam == Seam::Same { joined } else { 0 });
        self.shortest_whole = whole.into_iter().flatten().chain(self.shortest_whole).chain(next.shortest_whole).min();
        if seam == Seam::Same && self.single {
            self.first = joined;
        }
        self.last = if seam == Seam::Same && next.single { joined } else { next.last };
        self.single = self.single && next.single && seam == Seam::Same;
    }

    /// Length of the shortest run, counting the first and the last one as complete, as in a whole file.
    pub(super) fn shortest_of_all(&self) -> u64 {
        self.shortest_whole.unwrap_or(u64::MAX).min(self.first).min(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &[u8]) -> Runs {
        let mut lengths: Vec<u64> = Vec::new();
        for (i, value) in values.iter().enumerate() {
            match lengths.last_mut() {
                Some(last) if values[i - 1] == *value => *last += 1,
                _ => lengths.push(1),
            }
        }
        let inner = lengths.get(1..lengths.len() - 1).unwrap_or_default();
        Runs {
            n_pairs: values.len() as u64 - 1,
            n_changes: lengths.len() as u64 - 1,
            longest: *lengths.iter().max().unwrap(),
            shortest_whole: inner.iter().copied().min(),
            first: lengths[0],
            last: *lengths.last().unwrap(),
            single: lengths.len() == 1,
        }
    }

    fn join(a: &[u8], b: &[u8]) -> Runs {
        let mut runs = plain(a);
        runs.join(&plain(b), if a.last() == b.first() { Seam::Same } else { Seam::Differs });
        runs
    }

    proptest::proptest! {
        #[test]
        fn pieces_joined_anywhere_are_the_runs_of_the_whole(
            values in proptest::collection::vec(0u8..3, 2..40), cut in 1usize..39,
        ) {
            let cut = cut.min(values.len() - 1);
            proptest::prop_assert_eq!(join(&values[..cut], &values[cut..]), plain(&values));
            let keys: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
            proptest::prop_assert_eq!(Runs::in_order(&keys), plain(&values));
        }
    }

    #[test]
    fn the_short_forms_are_what_they_stand_for() {
        assert_eq!(Runs::of(5), plain(&[7; 5]));
        for n in 1..5u8 {
            assert_eq!(Runs::of_ones(u64::from(n)), plain(&(0..n).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn runs_at_the_edges_of_pieces_apart_are_not_whole() {
        let mut runs = plain(&[1, 2, 2, 2, 3]);
        runs.join(&plain(&[3, 3, 3, 3, 4, 4]), Seam::Apart);
        assert_eq!((runs.n_pairs, runs.n_changes, runs.longest, runs.shortest_whole), (9, 3, 4, Some(3)));
        assert_eq!(plain(&[1, 2, 2, 2, 3, 3]).shortest_of_all(), 1);
    }
}

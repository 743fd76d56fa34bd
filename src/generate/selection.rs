//! Some of the traces of a survey, for faults.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::generate::maths::Random;
use crate::generate::survey::{Survey, Trace};

/// A range of whole numbers in steps, the last one included: `100:140:4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The first number.
    pub first: u32,
    /// The last number, if the steps meet it.
    pub last: u32,
    /// From one number to the next, at least 1.
    pub step: u32,
}

impl Lines {
    /// How many there are.
    pub fn n(&self) -> u64 {
        u64::from((self.last - self.first) / self.step) + 1
    }

    /// The number of one of them, counted from 0.
    pub(super) fn at(&self, index: u64) -> u64 {
        u64::from(self.first) + index * u64::from(self.step)
    }
}

impl FromStr for Lines {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers: Vec<u32> =
            text.split(':').map(|n| n.trim().parse().ok()).collect::<Option<_>>().unwrap_or_default();
        let found = match numbers.as_slice() {
            [first, last] => Some(Self { first: *first, last: *last, step: 1 }),
            [first, last, step] if *step > 0 => Some(Self { first: *first, last: *last, step: *step }),
            _ => None,
        };
        found.filter(|lines| lines.first <= lines.last && lines.last <= i32::MAX as u32).ok_or_else(|| {
            Error::Usage(format!("{text}: is not FIRST:LAST or FIRST:LAST:STEP with whole numbers, as in 100:140:4"))
        })
    }
}

/// Which traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceSelection {
    /// So many, anywhere.
    Count(u32),
    /// Those whose numbers lie in these ranges.
    Where(Vec<(Number, [i64; 2])>),
}

/// A number of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Inline,
    Crossline,
    Cdp,
    TraceInCdp,
}

impl Number {
    fn of(self, trace: &Trace) -> i64 {
        let number = match self {
            Self::Inline => trace.inline,
            Self::Crossline => trace.crossline,
            Self::Cdp => trace.cdp,
            Self::TraceInCdp => trace.cdp_trace,
        };
        number as i64
    }
}

impl FromStr for TraceSelection {
    type Err = Error;

    /// `12`, `inline=105`, `inline=105:110,crossline=2001`.
    fn from_str(text: &str) -> Result<Self> {
        if let Ok(n) = text.trim().parse() {
            return Ok(Self::Count(n));
        }
        let range = |part: &str| {
            let (name, numbers) = part.split_once('=')?;
            let number = match name.trim() {
                "inline" => Number::Inline,
                "crossline" => Number::Crossline,
                "cdp" => Number::Cdp,
                "trace_number_cdp" => Number::TraceInCdp,
                _ => return None,
            };
            let (first, last) = numbers.split_once(':').unwrap_or((numbers, numbers));
            Some((number, [first.trim().parse().ok()?, last.trim().parse().ok()?]))
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self::Where).ok_or_else(|| {
            Error::Usage(format!(
                "{text}: is neither a number of traces nor KEY=NUMBER or KEY=FIRST:LAST with the keys inline, crossline, cdp \
                 and trace_number_cdp, as in inline=105,crossline=2001:2004"
            ))
        })
    }
}

impl TraceSelection {
    /// The numbers of the traces out of `n_traces`. `stream` is that of the random numbers.
    pub(super) fn traces(&self, survey: &Survey, n_traces: u64, seed: u64, stream: u64) -> BTreeSet<u64> {
        match self {
            Self::Count(n) => some_of(n_traces, u64::from(*n).min(n_traces), &mut Random::new(seed, stream)),
            Self::Where(ranges) => {
                let is_in = |index: &u64| {
                    let trace = survey.trace(*index);
                    ranges.iter().all(|(number, [first, last])| (*first..=*last).contains(&number.of(&trace)))
                };
                (0..n_traces).filter(is_in).collect()
            }
        }
    }
}

/// `n` different numbers below `n_traces` (Floyd's algorithm).
fn some_of(n_traces: u64, n: u64, random: &mut Random) -> BTreeSet<u64> {
    let mut chosen = BTreeSet::new();
    for limit in n_traces - n..n_traces {
        let number = (random.uniform() * (limit + 1) as f64) as u64;
        if !chosen.insert(number.min(limit)) {
            chosen.insert(limit);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_say_what_is_wrong_with_them() {
        assert_eq!("100:140:4".parse::<Lines>().map(|lines| lines.n()), Ok(11));
        assert_eq!("100:141:4".parse::<Lines>().map(|lines| lines.n()), Ok(11));
        for wrong in ["5", "5:4", "1:2:0", "a:b", "1:2:3:4"] {
            assert!(wrong.parse::<Lines>().is_err(), "{wrong}");
        }
        assert_eq!("12".parse(), Ok(TraceSelection::Count(12)));
        let expected = vec![(Number::Inline, [105, 105]), (Number::Crossline, [1, 4])];
        assert_eq!("inline=105,crossline=1:4".parse(), Ok(TraceSelection::Where(expected)));
        for wrong in ["", "inline", "offset=3", "inline=a", "inline=1:b"] {
            assert!(wrong.parse::<TraceSelection>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn as_many_are_chosen_as_were_asked_for() {
        for n in [0, 1, 9, 10] {
            let chosen = some_of(10, n, &mut Random::new(1, 2));
            assert!(chosen.len() as u64 == n && chosen.iter().all(|&trace| trace < 10), "{chosen:?}");
        }
    }
}

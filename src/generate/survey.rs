//! Geometry: which trace number `index` is, where it was shot and recorded, and what it is called.
//!
//! Everything follows from the index alone, in constant time, so traces can be made in any order.

use crate::generate::maths::Random;
use crate::generate::{GenerateConfig, Lines, SurveyKind};

/// Gathers after which the table of gather sizes repeats.
const GATHERS_PER_PERIOD: usize = 64;
/// Random streams of the geometry: of the table of gather sizes, and of trace 0 and up.
const GATHER_SIZES_STREAM: u64 = 1 << 40;
const TRACE_GEOMETRY_STREAM: u64 = 1 << 41;

/// Distance between inlines and between crosslines, metres.
const BIN_M: (f64, f64) = (25.0, 12.5);
const DEFAULT_LINES: [Lines; 2] =
    [Lines { first: 1001, last: i32::MAX as u32, step: 1 }, Lines { first: 2001, last: i32::MAX as u32, step: 1 }];

const NEAR_OFFSET_M: f64 = 50.0;
const MAX_FOLD: u32 = 60;
const MAX_CHANNELS: u32 = 240;
const SHOTS_PER_LINE: u64 = 500;
const SHOT_LINE_DISTANCE_M: f64 = 300.0;
/// One trace in this many of a shot survey is dead.
const DEAD_TRACE_RATE: u32 = 500;

/// A point in the survey's own axes, metres: `x` along the line, `y` across.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// What the header of one trace says and what its samples depend on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trace {
    /// Number within the line, from 1.
    pub(super) line_sequence: u64,
    pub(super) field_record: u64,
    pub(super) trace_number: u64,
    pub(super) source_point: u64,
    pub(super) cdp: u64,
    pub(super) cdp_trace: u64,
    pub(super) inline: u64,
    pub(super) crossline: u64,
    /// Traces summed into this one; 1 for unstacked traces.
    pub(super) stacked_fold: i16,
    /// Signed distance from source to receiver, metres.
    pub(super) offset_m: f64,
    pub(super) source: Point,
    pub(super) receiver: Point,
    pub(super) midpoint: Point,
    /// Seconds from the start of the survey to this recording.
    pub(super) recorded_at_s: u64,
    /// Time of the first arrival, above which the trace is muted; `None` if it is not muted.
    pub(super) first_break_s: Option<f64>,
    /// A dead trace has trace identification code 2 and samples whose bytes are all zero.
    pub(super) is_dead: bool,
}

/// Sizes of consecutive gathers, repeating after [`GATHERS_PER_PERIOD`] of them.
#[derive(Clone, Debug)]
struct GatherTable {
    /// First trace of each gather of a period, then the number of traces in a period.
    starts: Vec<u64>,
}

/// The position of a trace among the gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Gather, from 0.
    gather: u64,
    /// Trace within the gather, from 0.
    within: u64,
    /// Traces in the gather when it is complete.
    size: u64,
}

impl GatherTable {
    fn new(mut size: impl FnMut() -> u32) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for _ in 0..GATHERS_PER_PERIOD {
            end += u64::from(size());
            starts.push(end);
        }
        Self { starts }
    }

    fn traces_per_period(&self) -> u64 {
        self.starts[GATHERS_PER_PERIOD]
    }

    fn place(&self, trace: u64) -> Place {
        let (period, rest) = (trace / self.traces_per_period(), trace % self.traces_per_period());
        let gather = self.starts.partition_point(|&start| start <= rest) - 1;
        Place {
            gather: period * GATHERS_PER_PERIOD as u64 + gather as u64,
            within: rest - self.starts[gather],
            size: self.starts[gather + 1] - self.starts[gather],
        }
    }
}

/// A survey, which can describe any of its traces.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    kind: SurveyKind,
    seed: u64,
    gathers: GatherTable,
    /// Bins along an inline, for the kinds that have a grid.
    n_crosslines: u64,
    /// Their numbers: the first ones, and the steps.
    lines: [Lines; 2],
    /// Largest offset of CDP gathers, metres.
    max_offset_m: f64,
    /// Distance between the receivers of a shot, metres.
    group_interval_m: f64,
    /// Length of a trace, seconds.
    record_s: f64,
}

impl Survey {
    pub(super) fn new(config: &GenerateConfig) -> Self {
        let mut random = Random::new(config.seed, GATHER_SIZES_STREAM);
        let gathers = match config.kind {
            SurveyKind::Poststack => GatherTable::new(|| 1),
            SurveyKind::Prestack => {
                GatherTable::new(|| config.fold.unwrap_or_else(|| 20 + random.below(MAX_FOLD - 19)))
            }
            SurveyKind::Shots => {
                let full_spread = 180 + random.below(MAX_CHANNELS - 179);
                GatherTable::new(|| match random.below(4) {
                    0 => 96 + random.below(full_spread - 95),
                    _ => full_spread,
                })
            }
        };
        let n_gathers = config.n_traces * GATHERS_PER_PERIOD as u64 / gathers.traces_per_period();
        // Offsets depend on the length of the record, so that arrivals stay inside a short one.
        let record_s = f64::from(config.n_samples) * f64::from(config.interval_us) * 1e-6;
        Self {
            kind: config.kind,
            seed: config.seed,
            gathers,
            n_crosslines: match &config.lines {
                Some([_, crosslines]) => crosslines.n(),
                None => (n_gathers as f64).sqrt().ceil().max(1.0) as u64,
            },
            lines: config.lines.unwrap_or(DEFAULT_LINES),
            max_offset_m: NEAR_OFFSET_M + (1000.0 * record_s).min(4000.0),
            group_interval_m: (5.0 * record_s).min(25.0),
            record_s,
        }
    }

    /// The largest number of traces a gather can have, for the binary header.
    pub(super) fn max_gather_size(&self) -> u64 {
        let starts = self.gathers.starts.windows(2);
        starts.map(|pair| pair[1] - pair[0]).max().unwrap_or(1)
    }

    /// Describes trace `index`, from 0.
    pub(super) fn trace(&self, index: u64) -> Trace {
        let place = self.gathers.place(index);
        let mut random = Random::new(self.seed, TRACE_GEOMETRY_STREAM + index);
        match self.kind {
            SurveyKind::Poststack => self.stacked_trace(index, place),
            SurveyKind::Prestack => self.cdp_trace(index, place, &mut random),
            SurveyKind::Shots => self.shot_trace(place, &mut random),
        }
    }

    fn stacked_trace(&self, index: u64, place: Place) -> Trace {
        let (inline, crossline, midpoint) = self.bin(place.gather);
        Trace {
            line_sequence: index % self.n_crosslines + 1,
            field_record: inline,
            trace_number: index % self.n_crosslines + 1,
            cdp: place.gather + 1,
            cdp_trace: 1,
            inline,
            crossline,
            stacked_fold: 48,
            source: midpoint,
            receiver: midpoint,
            midpoint,
            ..Trace::default()
        }
    }

    fn cdp_trace(&self, index: u64, place: Place, random: &mut Random) -> Trace {
        let (inline, crossline, midpoint) = self.bin(place.gather);
        // Offsets grow through the gather, irregularly, as after binning.
        let rank = (place.within as f64 + random.uniform()) / place.size as f64;
        let offset_m = NEAR_OFFSET_M + rank * (self.max_offset_m - NEAR_OFFSET_M);
        let lean = 0.15 * random.signed();
        let half = Point { x: 0.5 * offset_m * (1.0 - lean * lean).sqrt(), y: 0.5 * offset_m * lean };
        // The numbers are only plausible: traces with the same shot number do not share its position.
        let shot = place.gather / 2 + place.within;
        Trace {
            line_sequence: index + 1,
            field_record: shot + 1,
            trace_number: (place.size - place.within) * 2 - place.gather % 2,
            source_point: shot + 101,
            cdp: place.gather + 1,
            cdp_trace: place.within + 1,
            inline,
            crossline,
            stacked_fold: 1,
            offset_m,
            source: Point { x: midpoint.x - half.x, y: midpoint.y - half.y },
            receiver: Point { x: midpoint.x + half.x, y: midpoint.y + half.y },
            midpoint,
            recorded_at_s: shot * 10,
            ..Trace::default()
        }
    }

    fn shot_trace(&self, place: Place, random: &mut Random) -> Trace {
        let (line, shot) = (place.gather / SHOTS_PER_LINE, place.gather % SHOTS_PER_LINE);
        // Split spread: the shot, every other station, lies halfway between two receivers.
        let station = place.within as f64 - (place.size / 2) as f64 + 0.5;
        let offset_m = station * self.group_interval_m;
        let source = Point { x: 2.0 * shot as f64 * self.group_interval_m, y: line as f64 * SHOT_LINE_DISTANCE_M };
        let along = |distance| Point { x: source.x + distance, ..source };
        let midpoints_per_line = 4 * SHOTS_PER_LINE + u64::from(MAX_CHANNELS);
        Trace {
            line_sequence: shot * u64::from(MAX_CHANNELS) + place.within + 1,
            field_record: place.gather + 1001,
            trace_number: place.within + 1,
            source_point: 2 * shot + 101 + line * 2 * SHOTS_PER_LINE,
            cdp: line * midpoints_per_line + 4 * shot + place.within + u64::from(MAX_CHANNELS) / 2 + 1 - place.size / 2,
            stacked_fold: 1,
            offset_m,
            source,
            receiver: along(offset_m),
            midpoint: along(0.5 * offset_m),
            recorded_at_s: place.gather * 12,
            first_break_s: Some(self.first_break_s(offset_m.abs())),
            is_dead: random.below(DEAD_TRACE_RATE) == 0,
            ..Trace::default()
        }
    }

    /// The direct wave near the shot, the refracted one farther away.
    fn first_break_s(&self, distance_m: f64) -> f64 {
        let direct = distance_m / 1700.0;
        let refracted = 0.03 * self.record_s.min(3.0) + distance_m / 3200.0;
        direct.min(refracted)
    }

    /// Inline, crossline and position of bin `number`, from 0; crossline fastest.
    fn bin(&self, number: u64) -> (u64, u64, Point) {
        let (row, column) = (number / self.n_crosslines, number % self.n_crosslines);
        let [inline, crossline] = [self.lines[0].at(row), self.lines[1].at(column)];
        let [up, along] = [inline - self.lines[0].at(0), crossline - self.lines[1].at(0)];
        (inline, crossline, Point { x: along as f64 * BIN_M.1, y: up as f64 * BIN_M.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(kind: SurveyKind, n_traces: u64) -> Survey {
        Survey::new(&GenerateConfig { kind, n_traces, ..GenerateConfig::default() })
    }

    #[test]
    fn places_follow_from_counting_through_the_gathers() {
        for kind in [SurveyKind::Prestack, SurveyKind::Shots] {
            let gathers = survey(kind, 100_000).gathers;
            let mut place = gathers.place(0);
            assert_eq!((place.gather, place.within), (0, 0));
            for index in 1..30_000 {
                let next = gathers.place(index);
                let expected = if place.within + 1 == place.size {
                    (place.gather + 1, 0, next.size)
                } else {
                    (place.gather, place.within + 1, place.size)
                };
                assert_eq!((next.gather, next.within, next.size), expected, "{index}");
                place = next;
            }
            assert!(place.gather > GATHERS_PER_PERIOD as u64);
        }
    }

    #[test]
    fn gather_sizes_vary_within_their_limits() {
        for (kind, limits) in [(SurveyKind::Prestack, 20..=60), (SurveyKind::Shots, 96..=240)] {
            for seed in 0..50 {
                let config = GenerateConfig { kind, seed, ..GenerateConfig::default() };
                let starts = Survey::new(&config).gathers.starts;
                let sizes: Vec<u64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
                assert!(sizes.iter().all(|size| limits.contains(size)), "{sizes:?}");
                assert!(sizes.iter().any(|&size| size != sizes[0]), "{sizes:?}");
            }
        }
    }

    #[test]
    fn a_stack_fills_a_nearly_square_grid_with_one_trace_per_cdp() {
        let survey = survey(SurveyKind::Poststack, 10_000);
        let last = survey.trace(9_999);
        assert_eq!((last.inline, last.crossline), (1100, 2100));
        assert_eq!((last.cdp, last.cdp_trace), (10_000, 1));
        let second = survey.trace(1);
        assert_eq!((second.inline, second.crossline), (1001, 2002));
    }

    #[test]
    fn offset_is_the_distance_from_source_to_receiver() {
        for kind in [SurveyKind::Prestack, SurveyKind::Shots] {
            let survey = survey(kind, 5000);
            for index in 0..5000 {
                let trace = survey.trace(index);
                let (source, receiver) = (trace.source, trace.receiver);
                let distance = ((receiver.x - source.x).powi(2) + (receiver.y - source.y).powi(2)).sqrt();
                assert!((distance - trace.offset_m.abs()).abs() < 1e-6, "{trace:?}");
                assert!((source.x + receiver.x - 2.0 * trace.midpoint.x).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_shot_record_is_mostly_alive_and_its_cdps_do_not_depend_on_the_spread() {
        let survey = survey(SurveyKind::Shots, 100_000);
        let traces: Vec<Trace> = (0..100_000).map(|index| survey.trace(index)).collect();
        let n_dead = traces.iter().filter(|trace| trace.is_dead).count();
        assert!((120..280).contains(&n_dead), "{n_dead}");
        let first_line = traces.iter().filter(|trace| trace.midpoint.y == 0.0);
        for trace in first_line {
            // Midpoints lie a quarter of a group interval off the half stations.
            let expected = (trace.midpoint.x / survey.group_interval_m * 2.0 - 0.5) + 121.0;
            assert!((trace.cdp as f64 - expected).abs() < 1e-6, "{trace:?}");
        }
    }
}

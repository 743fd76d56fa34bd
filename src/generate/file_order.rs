//! Which trace of the survey is at each place of the file: some may be left out, or there twice.

use std::collections::BTreeSet;

use crate::generate::GenerateConfig;
use crate::generate::survey::Survey;

/// Random streams of the faults.
const HOLES_STREAM: u64 = 1 << 42;
const DUPLICATES_STREAM: u64 = 1 << 43;
const STRAYS_STREAM: u64 = 1 << 44;
/// By how much the line numbers of stray traces are too high.
pub(super) const STRAY_LINES: u64 = 100_000;

/// The traces in the order of the file. Memory: a number for each trace, if some are left out or there twice.
pub(super) struct FileOrder {
    n_traces: u64,
    traces: Option<Vec<u32>>,
    strays: BTreeSet<u64>,
}

impl FileOrder {
    pub(super) fn new(config: &GenerateConfig, survey: &Survey) -> Self {
        let of = |selection: &Option<super::TraceSelection>, stream| {
            selection.as_ref().map(|s| s.traces(survey, config.n_traces, config.seed, stream)).unwrap_or_default()
        };
        let [holes, duplicates, strays] = [
            of(&config.holes, HOLES_STREAM),
            of(&config.duplicates, DUPLICATES_STREAM),
            of(&config.strays, STRAYS_STREAM),
        ];
        if holes.is_empty() && duplicates.is_empty() {
            return Self { n_traces: config.n_traces, traces: None, strays };
        }
        let there = (0..config.n_traces).filter(|trace| !holes.contains(trace));
        let traces: Vec<u32> = there
            .flat_map(|trace| std::iter::repeat_n(trace as u32, 1 + usize::from(duplicates.contains(&trace))))
            .collect();
        Self { n_traces: traces.len() as u64, traces: Some(traces), strays }
    }

    /// Traces in the file.
    pub(super) fn n_traces(&self) -> u64 {
        self.n_traces
    }

    /// The trace of the survey at a place of the file, and whether its line numbers are wrong.
    pub(super) fn trace(&self, place: u64) -> (u64, bool) {
        let trace = self.traces.as_ref().and_then(|traces| traces.get(place as usize)).map_or(place, |&t| t.into());
        (trace, self.strays.contains(&trace))
    }
}

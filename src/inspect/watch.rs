//! The fields that warnings are about, in the headers that are read.

use crate::inspect::Coverage;
use crate::inspect::field_keys::Headers;
use crate::inspect::field_table::FieldSummary;
use crate::inspect::scan::Visitor;
use crate::plan::header_warnings::{Seen, Varying};
use crate::segy::Layout;
use crate::table::watched::Watched;
use crate::table::{HeaderSummary, HeaderTable};

/// Watches headers as an import does.
#[derive(Clone)]
pub(super) struct WatchVisitor {
    watched: Watched,
    summary: HeaderSummary,
}

impl WatchVisitor {
    pub(super) fn new(table: &HeaderTable) -> Self {
        Self { watched: Watched::new(table), summary: HeaderSummary::default() }
    }

    /// The warnings that an import would give, as far as these headers show.
    pub(super) fn warnings(
        &self,
        fields: &[FieldSummary],
        coverage: Coverage,
        table: &HeaderTable,
        layout: &Layout,
    ) -> Vec<String> {
        let is_whole = coverage.is_whole();
        let range = |name: &str| {
            let field = fields.iter().find(|f| f.name == name)?;
            Some((field.min.as_ref()?.as_f64(), field.max.as_ref()?.as_f64()))
        };
        let varying = |name: &str, at: usize| {
            let (min, max) = range(name)?;
            let other = self.summary.changes[at].other.filter(|_| is_whole);
            Some(Varying { min, max, first_other: other.map(|(trace, _)| trace) })
        };
        let seen = Seen {
            n_traces: coverage.headers_read,
            is_whole,
            interval: varying("sample_interval", 0),
            delay: varying("delay_recording_time", 1),
            times_scalar: range("times_scalar").filter(|(min, max)| min == max).map(|(scalar, _)| scalar as i16),
            n_odd_scalars: self.summary.n_odd_scalars,
        };
        seen.warnings(table, layout)
    }
}

impl Visitor for WatchVisitor {
    fn visit(&mut self, headers: &Headers, first_trace: u64, _is_adjacent: bool) {
        for (trace, header) in (first_trace..).zip(headers.bytes.chunks_exact(headers.width)) {
            self.watched.see(header, headers.order, trace, 1, &mut self.summary);
        }
    }

    fn append(&mut self, next: Self) {
        self.summary = std::mem::take(&mut self.summary).merge(&next.summary);
    }
}

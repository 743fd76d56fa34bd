//! Statistics of headers in memory, which the report of a file or a dataset reads together with samples.

use crate::inspect::computed_stats::{ComputedSummary, ComputedVisitor};
use crate::inspect::field_keys::Headers;
use crate::inspect::field_table::{self, FieldSummary};
use crate::inspect::scan::{TableVisitor, Visitor};
use crate::inspect::step_guess;
use crate::segy::ByteOrder;
use crate::table::Column;
use crate::table::formula::{Computed, Formula};

/// Headers of consecutive traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HeaderRun {
    /// The first of them, from 0.
    pub first_trace: u64,
    /// The headers, one after another.
    pub bytes: Vec<u8>,
}

impl Visitor for HeaderRun {
    fn visit(&mut self, headers: &Headers, _first_trace: u64, _is_adjacent: bool) {
        self.bytes.extend_from_slice(headers.bytes);
    }

    fn append(&mut self, next: Self) {
        self.bytes.extend(next.bytes);
    }
}

/// Runs of headers in the order of the traces, none twice, and what their bytes mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderRuns {
    /// The fields.
    pub columns: Vec<Column>,
    /// Length of one trace's headers in bytes.
    pub width: usize,
    /// Byte order of the numbers.
    pub order: ByteOrder,
    /// The runs.
    pub runs: Vec<HeaderRun>,
}

impl HeaderRuns {
    /// How many headers there are.
    pub(crate) fn n_headers(&self) -> u64 {
        self.runs.iter().map(|run| (run.bytes.len() / self.width) as u64).sum()
    }

    /// A run as its fields are read.
    pub(crate) fn headers<'a>(&self, run: &'a HeaderRun) -> Headers<'a> {
        Headers { bytes: &run.bytes, width: self.width, order: self.order }
    }

    /// A row for each field. `is_whole` means that these are all headers there are.
    pub(crate) fn fields(&self, is_whole: bool) -> Vec<FieldSummary> {
        let guesses = step_guess::guess_of(&self.columns, |visitor| self.visit(visitor));
        let steps: Vec<Option<i64>> = guesses.iter().map(|g| g.map(|g| g.difference)).collect();
        let mut table = TableVisitor::new(&self.columns, &steps);
        self.visit(&mut table);
        let first = self.runs.first().and_then(|run| run.bytes.get(..self.width)).unwrap_or_default();
        field_table::summarise(&self.columns, &table.stats, &guesses, first, is_whole)
    }

    /// A row for each computed column.
    pub(super) fn computed(&self, computed: &[Computed], formulas: &[Formula], is_whole: bool) -> Vec<ComputedSummary> {
        let mut visitor = ComputedVisitor::new(formulas);
        self.visit(&mut visitor);
        visitor.summarise(computed, is_whole)
    }

    fn visit(&self, visitor: &mut impl Visitor) {
        let mut end = None;
        for run in self.runs.iter().filter(|run| !run.bytes.is_empty()) {
            visitor.visit(&self.headers(run), run.first_trace, end == Some(run.first_trace));
            end = Some(run.first_trace + (run.bytes.len() / self.width) as u64);
        }
    }
}

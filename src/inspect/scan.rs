//! Going through trace headers: a few windows spread over the file, or all of them with a thread for each core.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each};
use crate::inspect::column_stats::{ColumnReader, ColumnStats};
use crate::inspect::field_keys::Headers;
use crate::segy::{Layout, SegyFile, TraceFinder};
use crate::table::Column;

/// Headers that are worked on at a time; with 240 bytes each they stay in the L2 cache.
const BLOCK_TRACES: u64 = 512;
/// Bytes of the file that a thread keeps mapped after reading them.
const KEPT_BYTES: u64 = 8 << 20;
/// The kernel maps about so much around each page that is touched.
const BYTES_AROUND: u64 = 64 << 10;

/// An open file and what its bytes mean.
pub(crate) struct Source<'a> {
    /// The file.
    pub file: &'a SegyFile,
    /// What has been worked out about it.
    pub layout: &'a Layout,
}

/// Sees headers in file order, and can be joined from parts.
pub(super) trait Visitor: Send {
    /// Headers of traces that follow those of the call before directly, if `is_adjacent`.
    fn visit(&mut self, headers: &Headers, first_trace: u64, is_adjacent: bool);

    /// Adds what another visitor saw directly after.
    fn append(&mut self, next: Self);
}

/// Two visitors that see the same headers.
impl<A: Visitor, B: Visitor> Visitor for (A, B) {
    fn visit(&mut self, headers: &Headers, first_trace: u64, is_adjacent: bool) {
        self.0.visit(headers, first_trace, is_adjacent);
        self.1.visit(headers, first_trace, is_adjacent);
    }

    fn append(&mut self, next: Self) {
        self.0.append(next.0);
        self.1.append(next.1);
    }
}

impl Source<'_> {
    /// Shows a visitor the headers of some windows.
    pub(super) fn visit_windows(&self, windows: &[Range<u64>], visitor: &mut impl Visitor) -> Result<()> {
        self.expect_reads();
        windows.iter().try_for_each(|window| self.visit_range(window.clone(), visitor, &mut |_| true).map(|_| ()))
    }

    /// Shows all headers of the file to one visitor per thread and puts them together. `on_progress` is told of the
    /// headers read.
    pub(super) fn visit_all<V: Visitor>(
        &self,
        n_threads: usize,
        make: impl Fn() -> V,
        on_progress: &mut dyn FnMut(u64),
        cancel: &CancelHandle,
    ) -> Result<V> {
        self.expect_reads();
        let n = self.layout.n_traces;
        let n_threads = n.div_ceil(BLOCK_TRACES).clamp(1, n_threads.max(1) as u64);
        self.file.is_read_by(n_threads as usize);
        let bound = |i: u64| (u128::from(n) * u128::from(i) / u128::from(n_threads)) as u64;
        let units: Vec<_> = (0..n_threads).map(|i| (i, bound(i)..bound(i + 1), make())).collect();
        let parts = Mutex::new(BTreeMap::new());
        let work = |(): &mut (), (i, range, mut visitor): (u64, Range<u64>, V), shared: &Shared| {
            let mut go_on = |traces| {
                shared.add(traces);
                shared.goes_on()
            };
            self.visit_range(range, &mut visitor, &mut go_on)?;
            shared.cancel.check()?;
            parts.lock().unwrap_or_else(PoisonError::into_inner).insert(i, visitor);
            Ok(())
        };
        for_each(n_threads as usize, units.into_iter(), cancel, on_progress, || Ok(()), work)?;
        let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let whole = parts.into_values().reduce(|mut whole, next| {
            whole.append(next);
            whole
        });
        whole.ok_or_else(|| Error::Failed("the file has no traces".into()))
    }

    /// Contiguous traces, block after block. `go_on` hears of each block and says whether there is to be another.
    fn visit_range(
        &self,
        range: Range<u64>,
        visitor: &mut impl Visitor,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<()> {
        let (file, layout) = (self.file, self.layout);
        let (width, stride) = (layout.header_bytes(), layout.stride() as u64);
        let block = BLOCK_TRACES.min((KEPT_BYTES / (stride.min(BYTES_AROUND) + width as u64)).max(1));
        let (mut headers, mut buffer) = (Vec::with_capacity(width * block as usize), Vec::new());
        let (mut trace, mut finder) = (range.start, TraceFinder::default());
        // What is still mapped of earlier blocks: from where to where, and how many traces.
        let (mut kept, mut reached, mut n_kept) = (None, 0, 0);
        while trace < range.end {
            let end = range.end.min(trace + block);
            headers.clear();
            let mut next = trace;
            while next < end {
                let places = finder.find(file, layout, next, end - next)?;
                for i in 0..places.n_traces {
                    let offset = places.offset + i * places.stride as u64;
                    headers.extend_from_slice(file.bytes(offset, width, &mut buffer)?);
                }
                kept.get_or_insert(places.offset);
                reached = places.offset + places.n_traces * places.stride as u64;
                next += places.n_traces;
            }
            let block = Headers { bytes: &headers, width, order: layout.byte_order };
            visitor.visit(&block, trace, trace > range.start);
            if !go_on(end - trace) {
                return Ok(());
            }
            let start = std::mem::replace(&mut trace, end);
            n_kept += end - start;
            if n_kept * stride.min(BYTES_AROUND) >= KEPT_BYTES || trace == range.end {
                let from = kept.take().unwrap_or(reached);
                file.release(from, usize::try_from(reached - from).unwrap_or(0));
                n_kept = 0;
            }
        }
        Ok(())
    }

    fn expect_reads(&self) {
        // Reading ahead over the samples of long traces would read the whole file for its headers.
        if (self.layout.stride() as u64) < BYTES_AROUND {
            self.file.expect_sequential_reads();
        } else {
            self.file.expect_scattered_reads();
        }
    }

    /// The headers of one trace, from 0.
    pub(crate) fn header(&self, trace: u64) -> Result<Vec<u8>> {
        let place = TraceFinder::default().find(self.file, self.layout, trace, 1)?;
        self.file.copy(place.offset, self.layout.header_bytes())
    }
}

/// What is known of every column.
pub(super) struct TableVisitor<'a> {
    columns: &'a [Column],
    /// The step to count in each column.
    steps: &'a [Option<i64>],
    pub(super) stats: Vec<Option<ColumnStats>>,
    reader: ColumnReader,
    changed: Vec<u8>,
}

impl<'a> TableVisitor<'a> {
    pub(super) fn new(columns: &'a [Column], steps: &'a [Option<i64>]) -> Self {
        Self { columns, steps, stats: vec![None; columns.len()], reader: ColumnReader::default(), changed: Vec::new() }
    }
}

impl Visitor for TableVisitor<'_> {
    fn visit(&mut self, headers: &Headers, _first_trace: u64, is_adjacent: bool) {
        self.changed.clear();
        self.changed.resize(headers.width, 0);
        find_changes(headers.bytes, &mut self.changed);
        for ((column, known), step) in self.columns.iter().zip(&mut self.stats).zip(self.steps) {
            self.reader.push(known, column, headers, &self.changed, *step, is_adjacent);
        }
    }

    fn append(&mut self, next: Self) {
        for ((known, next), step) in self.stats.iter_mut().zip(next.stats).zip(self.steps) {
            match (known, next) {
                (Some(known), Some(next)) => known.join(&next, true, *step),
                (known, next) => *known = known.take().or(next),
            }
        }
    }
}

/// Sets the bits of `changed`, as long as one header, in which any header differs from the first.
#[multiversion::multiversion(targets("x86_64+avx2"))]
fn find_changes(headers: &[u8], changed: &mut [u8]) {
    let (first, others) = headers.split_at(changed.len().min(headers.len()));
    for header in others.chunks_exact(changed.len()) {
        for ((changed, first), byte) in changed.iter_mut().zip(first).zip(header) {
            *changed |= first ^ byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_changes_in_one_header_is_found() {
        let mut headers = [7u8; 40];
        headers[33] = 6;
        let mut changed = [0; 10];
        find_changes(&headers, &mut changed);
        assert_eq!(changed, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    }
}

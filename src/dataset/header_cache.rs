//! The raw headers of some units of traces, kept while a grid's bricks ask for them in another order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::error::Result;
use crate::dataset::original::Sources;

/// Bytes that a thread keeps, unless a single unit has more.
pub(super) const CACHE_BYTES: usize = 16 << 20;

/// The headers of each unit, one after another; the unit wanted last is at the end.
#[derive(Default)]
pub(super) struct HeaderCache {
    units: VecDeque<(usize, Arc<Vec<u8>>)>,
    bytes: usize,
}

impl HeaderCache {
    /// The raw headers of a unit's traces.
    pub(super) fn of_unit(&mut self, unit: usize, sources: &Sources) -> Result<Arc<Vec<u8>>> {
        let kept = self.units.iter().position(|(kept, _)| *kept == unit).and_then(|at| self.units.remove(at));
        let headers = match kept {
            Some((_, headers)) => headers,
            None => {
                let traces = sources.traces_of(unit);
                let mut headers = Vec::new();
                sources.tables.headers.rows(&traces)?.next_rows((traces.end - traces.start) as usize, &mut headers)?;
                self.make_room(headers.len());
                Arc::new(headers)
            }
        };
        self.units.push_back((unit, Arc::clone(&headers)));
        Ok(headers)
    }

    fn make_room(&mut self, n: usize) {
        self.bytes += n;
        while self.bytes > CACHE_BYTES {
            let Some((_, oldest)) = self.units.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

//! Which traces of a file meet a selection, by the header table.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::base::near_names::near_names;
use crate::dataset::{Dataset, HeaderColumns, TraceSet};
use crate::selection::{Columns, Selection};

/// The header table at some consecutive traces.
struct TableAt<'a> {
    dataset: &'a Dataset,
    columns: HeaderColumns,
    traces: &'a Range<u64>,
}

impl Columns for TableAt<'_> {
    fn has(&self, name: &str) -> bool {
        self.columns.has(name) && self.columns.other_than_numbers(name).is_none()
    }

    fn spelt(&self, name: &str) -> Option<String> {
        let mut names = self.columns.names();
        names.retain(|known| known.eq_ignore_ascii_case(name) && self.has(known));
        // Two may differ in nothing but case.
        let own = names.iter().position(|known| known == name).unwrap_or(0);
        names.into_iter().nth(own)
    }

    fn missing(&self, name: &str) -> Error {
        let (of, names) = (self.dataset.headers(), self.columns.names());
        let of = of.display();
        let alike = names.iter().find(|known| known.eq_ignore_ascii_case(name));
        Error::Usage(match alike.and_then(|known| self.columns.other_than_numbers(known)) {
            Some(what) => format!("{of}: the column {name} has {what}, not numbers; compare another one"),
            None => format!("{of}: has no column {name}; {}", near_names(name, names.iter().map(String::as_str))),
        })
    }

    fn are_used(&self, names: &[&str]) -> Result<bool> {
        let mut are_used = false;
        self.columns.numbers(self.traces, names, &mut |batch| {
            are_used |= batch.iter().flatten().any(|&value| value != 0.0);
            Ok(())
        })?;
        Ok(are_used)
    }
}

/// Those of some consecutive traces that are wanted.
///
/// # Errors
/// `Error::Usage` for names that are no columns.
pub(super) fn selected_traces(selection: &Selection, dataset: &Dataset, traces: &Range<u64>) -> Result<TraceSet> {
    if !selection.is_of_traces() {
        return Ok(TraceSet::new(traces, |_| true));
    }
    let table = TableAt { dataset, columns: HeaderColumns::open(dataset)?, traces };
    let criteria = selection.criteria(&table)?;
    let (mut set, mut trace) = (TraceSet::none(traces), traces.start);
    table.columns.numbers(traces, &criteria.names(), &mut |batch| {
        let n = batch.first().map_or(0, Vec::len);
        criteria.each_wanted(batch, n, |row| set.insert(trace + row as u64));
        trace += n as u64;
        Ok(())
    })?;
    Ok(set.counted())
}

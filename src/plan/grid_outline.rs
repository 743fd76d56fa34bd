//! The grid that an import would make, described beforehand.

use serde::Serialize;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::shell::{quoted, quoted_word};
use crate::grid::Key;
use crate::grid::options::{GridKeys, GridOptions};
use crate::grid::places::{Duplicate, step_of};
use crate::input::PlannedFile;
use crate::plan::import_config::ImportConfig;
use crate::plan::make_grid::{Found, Survey};
use crate::table::HeaderTable;

/// Most runs of missing values to list for a key.
const MOST_RUNS: usize = 5;

/// A grid that has not been made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridOutline {
    /// In the order of the axes; the samples are the last axis.
    pub keys: Vec<KeyOutline>,
    pub n_samples: u64,
    /// Of all keys together.
    pub n_places: u64,
    /// Traces that have a place.
    pub n_placed: u64,
    /// Traces whose place an earlier trace has, and the first few of them.
    pub n_duplicates: u64,
    pub duplicates: Vec<DuplicateOutline>,
    /// Length of a brick along each axis.
    pub brick: Vec<u64>,
    /// Bricks with traces, and their bytes before compression.
    pub n_bricks: u64,
    pub bytes: u64,
    /// Warnings.
    pub warnings: Vec<String>,
    /// The option that makes it.
    pub options: String,
    /// What to type.
    pub command: String,
}

/// A key of a grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyOutline {
    pub name: String,
    pub n: u64,
    pub first: i64,
    pub last: i64,
    /// The largest step that meets every value; `None` for one value.
    pub step: Option<u64>,
    /// Values between the first and the last, in this step, that no trace has; and the first runs of them.
    pub n_missing: u64,
    pub missing: Vec<[i64; 2]>,
}

/// A trace whose place an earlier one has; numbers count from 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DuplicateOutline {
    /// Values of the keys.
    pub values: Vec<i64>,
    pub first_trace: u64,
    pub second_trace: u64,
}

impl ImportConfig {
    /// The grid that an import of these files with these keys would make. Reads all trace headers.
    ///
    /// # Errors
    /// Those with which the import would refuse the keys, except for second traces at a place.
    pub(crate) fn grid_outline(
        &self,
        files: &[PlannedFile],
        headers: &HeaderTable,
        keys: GridKeys,
        cancel: &CancelHandle,
    ) -> Result<GridOutline> {
        let traces = self.array(files)?;
        let survey = Survey { files, io: self.io.unwatched(), headers, traces, scanner: None };
        // With them refused, auto finds keys that leave none.
        let found = survey.find(&GridOptions { is_scanned: true, ..GridOptions::new(keys) }, cancel)?;
        let brick_bytes: u64 = found.brick.iter().product::<u64>() * survey.traces.dtype.size() as u64;
        let n_deep = survey.traces.n_samples.div_ceil(found.brick.last().copied().unwrap_or(1).max(1));
        let n_bricks = found.n_columns()? * n_deep;
        let options = options(&found);
        let Some(input) = self.inputs.first() else { return Err(Error::Usage("there is no input file".into())) };
        let output = input.with_extension("zarr");
        let output = output.file_name().map_or_else(|| "out".into(), |name| quoted_word(&name.to_string_lossy()));
        let n_duplicates = found.places.n_duplicates;
        Ok(GridOutline {
            keys: found.keys.iter().map(key_outline).collect(),
            n_samples: survey.traces.n_samples,
            n_places: found.n_places(),
            n_placed: found.records.n_traces - n_duplicates,
            n_duplicates,
            duplicates: found.places.duplicates.iter().map(duplicate_outline).collect(),
            n_bricks,
            bytes: n_bricks * brick_bytes,
            warnings: found.warnings_of_places(cancel)?,
            command: format!("segy-import {} {output} {options}", quoted(input)),
            options,
            brick: found.brick,
        })
    }
}

fn options(found: &Found) -> String {
    let names: Vec<&str> = found.keys.iter().map(|key| key.name.as_str()).collect();
    let aside = if found.places.n_duplicates > 0 { " --duplicates aside" } else { "" };
    format!("--grid {}{aside}", names.join(","))
}

fn duplicate_outline(duplicate: &Duplicate) -> DuplicateOutline {
    DuplicateOutline {
        values: duplicate.values.clone(),
        first_trace: duplicate.first + 1,
        second_trace: duplicate.second + 1,
    }
}

fn key_outline(key: &Key) -> KeyOutline {
    let mut values: Vec<i64> = key.values.iter().collect();
    let (first, last) = (values.first().copied().unwrap_or(0), values.last().copied().unwrap_or(0));
    values.sort_unstable();
    let step = step_of(&values);
    let (mut n_missing, mut missing) = (0, Vec::new());
    for pair in values.windows(2).filter(|_| step > 0) {
        let n = pair[1].abs_diff(pair[0]) / step - 1;
        if n > 0 && missing.len() < MOST_RUNS {
            missing.push([pair[0] + step as i64, pair[1] - step as i64]);
        }
        n_missing += n;
    }
    KeyOutline { name: key.name.clone(), n: key.n(), first, last, step: (step > 0).then_some(step), n_missing, missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Values;

    #[test]
    fn missing_lines_are_counted_and_named() {
        let of = |values: &[i64]| {
            key_outline(&Key { name: "inline".into(), field: None, bin: None, values: Values::List(values.into()) })
        };
        let found = of(&[100, 104, 108, 120, 124, 132]);
        assert_eq!((found.step, found.n_missing, found.missing), (Some(4), 3, vec![[112, 116], [128, 128]]));
        // Whichever way the axis goes.
        assert_eq!((of(&[5, 4, 2]).first, of(&[5, 4, 2]).missing), (5, vec![[3, 3]]));
        assert_eq!((of(&[7]).step, of(&[7]).n_missing), (None, 0));
    }
}

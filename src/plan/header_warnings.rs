//! Warnings about trace headers: fields that should not vary and do, and invalid scalars. Shared by `inspect`, which may
//! have seen only some headers, and by imports, which see all.

use crate::segy::layout::InputFormat;
use crate::segy::{Domain, Layout, apply_scalar};
use crate::table::HeaderTable;

/// A field that may vary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Varying {
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// The first trace, from 0, with another value than the first, if known.
    pub(crate) first_other: Option<u64>,
}

/// What was seen of the trace headers.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) n_traces: u64,
    /// Whether these are all traces.
    pub(crate) is_whole: bool,
    pub(crate) interval: Option<Varying>,
    pub(crate) delay: Option<Varying>,
    /// The scalar of times (bytes 215-216), if it is one.
    pub(crate) times_scalar: Option<i16>,
    /// Traces with an invalid scalar of coordinates, and of elevations.
    pub(crate) n_odd_scalars: [u64; 2],
}

impl Seen {
    /// The warnings.
    pub(crate) fn warnings(&self, table: &HeaderTable, layout: &Layout) -> Vec<String> {
        [
            self.interval_warning(table, layout),
            self.delay_warning(table, layout),
            self.scalar_warning(
                table,
                "coordinate_scalar",
                self.n_odd_scalars[0],
                "; --coordinate-scalar gives another",
            ),
            self.scalar_warning(table, "elevation_scalar", self.n_odd_scalars[1], ""),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn interval_warning(&self, table: &HeaderTable, layout: &Layout) -> Option<String> {
        let seen = self.interval.filter(|v| v.min != v.max && v.max > 0.0)?;
        let units = if layout.axis.domain == Domain::Time { " µs" } else { "" };
        Some(format!(
            "the sample interval ({}) varies from {} to {}{units} in the trace headers{}; the sample axis has {} for all traces \
             (--interval overrides)",
            place(table, "sample_interval")?,
            seen.min,
            seen.max,
            from(seen),
            if layout.axis.interval.is_some() { layout.axis.interval_text() } else { "none".into() }
        ))
    }

    fn delay_warning(&self, table: &HeaderTable, layout: &Layout) -> Option<String> {
        let seen = self.delay.filter(|v| v.min != v.max)?;
        let is_scaled = layout.kind == InputFormat::Segy && layout.revision.0 > 0;
        let scalar = match (is_scaled, self.times_scalar) {
            (true, Some(scalar)) => Some(scalar),
            (true, None) => None,
            (false, _) => Some(1),
        };
        let units = layout.axis.units.as_deref().unwrap_or("");
        let range = scalar.map_or_else(
            || ", by its scalar (bytes 215-216), which varies too".to_owned(),
            |scalar| format!(" from {} to {} {units}", apply_scalar(seen.min, scalar), apply_scalar(seen.max, scalar)),
        );
        Some(format!(
            "the delay of the first sample ({}) varies{range} in the trace headers{}; the sample axis begins at {} for all traces \
             (--start overrides)",
            place(table, "delay_recording_time")?,
            from(seen),
            layout.axis.start_text()
        ))
    }

    fn scalar_warning(&self, table: &HeaderTable, name: &str, n: u64, hint: &str) -> Option<String> {
        let of = if self.is_whole { "" } else { " looked at" };
        let (noun, verb) = if n == 1 { ("trace", "has") } else { ("traces", "have") };
        (n > 0).then(|| {
            Some(format!(
                "{n} {noun} of {}{of} {verb} a number in {} ({}) that is not a scalar (0, ±1, ±10, … ±10000): it is not applied \
                 there{hint}",
                self.n_traces,
                name.replace('_', " "),
                place(table, name)?
            ))
        })?
    }
}

/// Where it begins to vary.
fn from(seen: Varying) -> String {
    seen.first_other.map_or(String::new(), |trace| format!(", for the first time at trace {}", trace + 1))
}

/// `bytes 109-110`.
fn place(table: &HeaderTable, name: &str) -> Option<String> {
    let column = table.columns.iter().find(|c| c.name == name)?;
    Some(format!("bytes {}-{}", column.first_byte, column.first_byte as usize + column.kind.size() - 1))
}

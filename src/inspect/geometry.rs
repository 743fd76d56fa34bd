//! The geometry in a few numbers: how many traces and samples, and their extent.

use serde::Serialize;

use crate::inspect::field_table::FieldSummary;
use crate::segy::SampleAxis;

/// Fields that say where a trace lies.
const PLACES: &[&str] = &[
    "inline",
    "crossline",
    "cdp",
    "field_record",
    "shot_point",
    "offset",
    "cdp_x",
    "cdp_y",
    "source_x",
    "source_y",
    "receiver_x",
    "receiver_y",
];

/// Size and extent of the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Geometry {
    /// Traces in the file.
    pub n_traces: u64,
    /// Samples per trace, or of the longest one.
    pub n_samples: u32,
    /// Domain, units, first value (`start`) and `interval` (microseconds for time; `null` if the file does not give
    /// it).
    pub sample_axis: SampleAxis,
    /// Value of the last sample; `null` without an interval.
    pub last_sample: Option<f64>,
    /// Inlines times crosslines, if each was counted exactly over all headers.
    pub grid: Option<(usize, usize)>,
    /// Extent in coordinates, line and gather numbers, and offset.
    pub ranges: Vec<PlaceRange>,
}

/// The extent of the traces in one field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaceRange {
    /// Name of the field.
    pub name: String,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Whether a scalar other than 1 was applied.
    pub scaled: bool,
}

/// Extracts the geometry from the header table.
pub(crate) fn geometry(
    n_traces: u64,
    n_samples: u32,
    axis: &SampleAxis,
    fields: &[FieldSummary],
    is_whole: bool,
) -> Geometry {
    let find = |name: &str| fields.iter().find(|f| f.name == name && !f.zero);
    let ranges = PLACES.iter().filter_map(|name| find(name)).filter_map(range).collect();
    let count = |name: &str| find(name).and_then(|f| f.distinct).filter(|_| is_whole);
    let last = u64::from(n_samples.saturating_sub(1));
    Geometry {
        n_traces,
        n_samples,
        sample_axis: axis.clone(),
        last_sample: axis.interval.map(|_| axis.value(last)),
        grid: count("inline").zip(count("crossline")),
        ranges,
    }
}

fn range(field: &FieldSummary) -> Option<PlaceRange> {
    let raw = (field.min.as_ref()?.as_f64(), field.max.as_ref()?.as_f64());
    let (min, max) = field.scaled.unwrap_or(raw);
    Some(PlaceRange { name: field.name.clone(), min, max, scaled: (min, max) != raw })
}

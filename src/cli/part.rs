//! The options for a part of the traces and samples.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::selection::{AxisInterval, Interval, Selection};

#[derive(Args)]
pub(super) struct PartArgs {
    /// Only traces whose inline number is at least A and less than B
    #[arg(long, value_name = "A:B", allow_hyphen_values = true)]
    inlines: Option<Interval>,

    /// Only traces whose crossline number is at least A and less than B
    #[arg(long, value_name = "A:B", allow_hyphen_values = true)]
    crosslines: Option<Interval>,

    /// Only samples from A up to but not including B, as in 500:2000ms; depths and frequencies likewise
    #[arg(long, value_name = "A:B", allow_hyphen_values = true, visible_alias = "depths")]
    times: Option<AxisInterval>,

    /// Only traces for which this holds, with columns of headers.parquet: 'offset < 3000 and is_dead == 0'
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    condition: Option<String>,

    /// Only traces inside the polygons of this file, in the coordinates of the traces (cdp_x_scaled, cdp_y_scaled)
    #[arg(long, value_name = "FILE.geojson", value_hint = ValueHint::FilePath)]
    polygon: Option<PathBuf>,
}

impl PartArgs {
    pub(super) fn resolve(self) -> Selection {
        let Self { inlines, crosslines, times, condition, polygon } = self;
        Selection { inlines, crosslines, condition, polygon, samples: times }
    }
}

//! The options of an import that makes a grid.

use clap::Args;

use crate::base::error::Result;
use crate::grid::HeaderType;
use crate::grid::options::{AxesOrder, Bin, Crs, Duplicates, GridKeys, GridOptions, GridShard, Lengths, Spill};

#[derive(Args)]
pub(super) struct GridArgs {
    /// Make a grid: an array whose axes are these header fields and the samples, which MDIO opens too. The last key may
    /// be "trace", which counts traces at the same place; "auto" finds keys that give every trace a place of its own
    #[arg(long, value_name = "KEY[,KEY...]|auto", help_heading = "Grid")]
    grid: Option<GridKeys>,

    /// Length of a brick along each axis, or "all" [default: about 64,64,64 for a volume; see docs/grid.md]
    #[arg(long, value_name = "N,N,...", help_heading = "Grid", requires = "grid")]
    brick: Option<Lengths>,

    /// Move values of a key to the nearest of FIRST, FIRST+STEP, ...
    #[arg(long, value_name = "KEY=FIRST:STEP", help_heading = "Grid", requires = "grid")]
    bin: Vec<Bin>,

    /// What happens to a second trace at a place
    #[arg(long, value_enum, default_value_t, help_heading = "Grid", requires = "grid")]
    duplicates: Duplicates,

    /// Order of the axes: keys as given with ascending values, or as the traces come in the file
    #[arg(long, value_enum, default_value_t, help_heading = "Grid", requires = "grid")]
    axes: AxesOrder,

    /// Give this key every value from its smallest to its largest
    #[arg(long, value_name = "KEY", help_heading = "Grid", requires = "grid")]
    fill_axes: Vec<String>,

    /// How the array "headers" declares its records; struct is what mdio-cpp needs, and zarr-python before 3.2 refuses
    #[arg(long, value_enum, default_value_t, help_heading = "Grid", requires = "grid")]
    header_type: HeaderType,

    /// Coordinate reference system of the coordinates: an EPSG code, as in EPSG:32610, or WKT
    #[arg(long, value_name = "CODE|WKT", help_heading = "Grid", requires = "grid")]
    crs: Option<Crs>,

    /// Whether traces are first written to buckets of neighbouring bricks, which is faster for an unsorted file that is larger
    /// than memory and takes as much room as the file until the import is done
    #[arg(long, value_enum, default_value_t, help_heading = "Grid", requires = "grid")]
    spill: Spill,
}

impl GridArgs {
    pub(super) fn resolve(self, shard: Option<&str>) -> Result<Option<GridOptions>> {
        let Some(keys) = self.grid else { return Ok(None) };
        let shard = match shard {
            None => None,
            Some("") => Some(GridShard::Columns),
            Some(lengths) => Some(GridShard::Lengths(lengths.parse::<Lengths>().map_err(|e| e.at("--shard"))?)),
        };
        Ok(Some(GridOptions {
            keys,
            brick: self.brick,
            shard,
            bins: self.bin,
            duplicates: self.duplicates,
            axes: self.axes,
            fill_axes: self.fill_axes,
            header_type: self.header_type,
            crs: self.crs,
            is_scanned: false,
            spill: self.spill,
        }))
    }
}

//! Options that several commands take: what the user says against the headers, and where fields are.

use std::path::PathBuf;

use clap::Args;

use crate::error::Result;
use crate::headers::formula::FUNCTIONS;
use crate::mapping::presets::{self, PresetName};
use crate::mapping::{ComputedField, FieldPlacement, HeaderOptions, Mapping};
use crate::segy::ByteOrder;
use crate::segy::layout::{InputFormat, Overrides};

/// What the user says about the file, against what its headers say.
#[derive(Args)]
pub(super) struct OverrideArgs {
    /// Sample format code, against the binary header
    #[arg(long, value_name = "CODE", help_heading = "Against the headers")]
    format: Option<u16>,

    /// Kind of the input file, against its name
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Against the headers")]
    input_format: Option<InputFormat>,

    /// Byte order of the file, against what it looks like
    #[arg(long, value_enum, help_heading = "Against the headers")]
    endian: Option<EndianChoice>,

    /// Samples per trace, against the headers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Against the headers")]
    samples: Option<u32>,

    /// Sample interval in microseconds, against the headers
    #[arg(long, value_name = "MICROSECONDS", value_parser = positive, help_heading = "Against the headers")]
    interval: Option<f64>,

    /// Take the whole traces of a file that ends inside one
    #[arg(long, help_heading = "Against the headers")]
    allow_truncated: bool,
}

/// Where header fields are.
#[derive(Args)]
pub(super) struct FieldArgs {
    /// Place a header field: a column of this name from this byte (from 1) of the trace header
    #[arg(long, value_name = "NAME=BYTE:TYPE", help_heading = "Headers")]
    field: Vec<FieldPlacement>,

    /// Read the places of header fields from a TOML or JSON file; --field counts before it
    #[arg(long, value_name = "FILE", help_heading = "Headers")]
    mapping: Option<PathBuf>,

    /// Read header fields where a revision or a program has them; --mapping and --field count before it
    #[arg(long, value_name = "NAME", long_help = preset_help(), help_heading = "Headers")]
    preset: Option<PresetName>,

    /// Compute a column of float64 from header fields, as in "azimuth = degrees(atan2(gx - sx, gy - sy))"
    #[arg(long, value_name = "NAME=EXPRESSION", long_help = compute_help(), help_heading = "Headers")]
    compute: Vec<ComputedField>,
}

fn compute_help() -> String {
    format!(
        "Compute a column of float64 from header fields, as in \"azimuth = degrees(atan2(gx - sx, gy - sy))\"; null where it \
         is not defined. Names are columns and their aliases. There are + - * /, pi, and the functions {}",
        FUNCTIONS.join(", ")
    )
}

fn preset_help() -> String {
    format!(
        "Read header fields where a revision or a program has them; --mapping and --field count before it. Presets: {}",
        presets::help()
    )
}

impl FieldArgs {
    pub(super) fn resolve(self) -> Result<HeaderOptions> {
        Ok(HeaderOptions {
            preset: self.preset.map(|p| p.0),
            mapping: self.mapping.as_deref().map(Mapping::read).transpose()?,
            fields: self.field,
            computed: self.compute,
        })
    }
}

/// Byte order as the user says it.
#[derive(Clone, Copy, clap::ValueEnum)]
enum EndianChoice {
    Big,
    Little,
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("it has to be a number greater than 0".into()),
    }
}

impl OverrideArgs {
    pub(super) fn resolve(self) -> Overrides {
        Overrides {
            byte_order: self.endian.map(|e| match e {
                EndianChoice::Big => ByteOrder::Big,
                EndianChoice::Little => ByteOrder::Little,
            }),
            format: self.format,
            n_samples: self.samples,
            interval_us: self.interval,
            allow_truncated: self.allow_truncated,
            input_format: self.input_format,
        }
    }
}

//! Options shared by several commands: overrides of the headers, and where header fields are.

use std::path::PathBuf;

use clap::Args;

use crate::base::error::Result;
use crate::plan::mapping::presets::{self, PresetName};
use crate::plan::mapping::{ComputedField, FieldPlacement, HeaderOptions, Mapping};
use crate::plan::reading::Reading;
use crate::segy::layout::{InputFormat, Overrides};
use crate::segy::quantity::Quantity;
use crate::segy::text::TextEncoding;
use crate::segy::{ByteOrder, Domain, Io, Ragged};
use crate::table::formula::FUNCTIONS;

/// What the user says about the file, overriding its headers.
#[derive(Args)]
pub(super) struct OverrideArgs {
    /// Sample format code, instead of the one in the binary header
    #[arg(long, value_name = "CODE", help_heading = "Override the headers")]
    format: Option<u16>,

    /// Kind of the input file, whatever its name
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Override the headers")]
    input_format: Option<InputFormat>,

    /// Byte order of the file, instead of detecting it
    #[arg(long, value_enum, help_heading = "Override the headers")]
    endian: Option<ByteOrder>,

    /// Byte order of the trace headers and samples, if the binary header has another
    #[arg(long, value_enum, value_name = "ORDER", help_heading = "Override the headers")]
    trace_endian: Option<ByteOrder>,

    /// Byte order of the samples, if the headers have another
    #[arg(long, value_enum, value_name = "ORDER", help_heading = "Override the headers")]
    sample_endian: Option<ByteOrder>,

    /// Samples per trace, instead of the count in the headers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Override the headers")]
    samples: Option<u32>,

    /// Sample interval, instead of the one in the headers: with its unit, as in 4ms, 250us, 400ps or 5m; without one in
    /// microseconds, or in metres, feet or Hz depending on --domain
    #[arg(long, value_name = "INTERVAL", value_parser = interval, allow_hyphen_values = true,
          help_heading = "Override the headers")]
    interval: Option<Quantity>,

    /// First sample, instead of the delay of the first trace: with its unit; without one in ms, or in metres, feet or Hz
    /// depending on --domain
    #[arg(long, value_name = "START", value_parser = start, allow_hyphen_values = true, help_heading = "Override the headers")]
    start: Option<Quantity>,

    /// What the sample axis measures; the headers do not say [default: time]
    #[arg(long, value_enum, value_name = "DOMAIN", help_heading = "Override the headers")]
    domain: Option<Domain>,

    /// Character set of the textual headers, instead of detecting it: ebcdic, ascii, latin1, utf8, cp1047, cp500, cp866,
    /// windows-1251, gb18030 …
    #[arg(
        long,
        value_enum,
        value_name = "ENCODING",
        hide_possible_values = true,
        help_heading = "Override the headers"
    )]
    text_encoding: Option<TextEncoding>,

    /// Number of 3200-byte extended textual headers after the file header, instead of bytes 3505-3506
    #[arg(long, value_name = "N", help_heading = "Override the headers")]
    extended_headers: Option<u32>,

    /// Bytes after the last trace that are not traces
    #[arg(long, value_name = "BYTES", help_heading = "Override the headers")]
    trailer: Option<u64>,

    /// Revision of the standard to read by: 0, 1, 2.0 or 2.1, instead of bytes 3501-3502
    #[arg(long, value_name = "REVISION", value_parser = revision, help_heading = "Override the headers")]
    revision: Option<(u8, u8)>,

    /// Import the whole traces of a file that ends in the middle of one
    #[arg(long, help_heading = "Override the headers")]
    allow_truncated: bool,

    /// What to do with traces of varying length: refuse the file, or pad them to the longest
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "refuse|pad",
        help_heading = "Override the headers"
    )]
    ragged: Ragged,
}

/// How to read SEG-Y files.
#[derive(Args)]
pub(super) struct ReadingArgs {
    /// How to read SEG-Y files
    #[arg(long, value_enum, default_value_t)]
    io: Io,

    #[command(flatten)]
    fields: FieldArgs,

    #[command(flatten)]
    overrides: OverrideArgs,
}

impl ReadingArgs {
    pub(super) fn resolve(self) -> Result<Reading> {
        Ok(Reading { io: self.io, headers: self.fields.resolve()?, overrides: self.overrides.resolve() })
    }
}

/// Where header fields are.
#[derive(Args)]
pub(super) struct FieldArgs {
    /// Define a header field: a column of this name, from this byte (counted from 1) of the trace header
    #[arg(long, value_name = "NAME=BYTE:TYPE", help_heading = "Headers")]
    field: Vec<FieldPlacement>,

    /// Read field positions from a TOML or JSON file; --field takes precedence
    #[arg(long, value_name = "FILE", help_heading = "Headers")]
    mapping: Option<PathBuf>,

    /// Read header fields where a revision or a program puts them; --mapping and --field take precedence
    #[arg(long, value_name = "NAME", long_help = preset_help(), help_heading = "Headers")]
    preset: Option<PresetName>,

    /// Scalar of coordinates, in place of those in the headers: positive multiplies, negative divides
    #[arg(long, value_name = "SCALAR", value_parser = coordinate_scalar, allow_negative_numbers = true, help_heading = "Headers")]
    coordinate_scalar: Option<i32>,

    /// Compute a float64 column from header fields, as in "azimuth = degrees(atan2(gx - sx, gy - sy))"
    #[arg(long, value_name = "NAME=EXPRESSION", long_help = compute_help(), help_heading = "Headers")]
    compute: Vec<ComputedField>,
}

fn compute_help() -> String {
    format!(
        "Compute a float64 column from header fields, as in \"azimuth = degrees(atan2(gx - sx, gy - sy))\"; null where it \
         is undefined. Names are columns and their aliases. Use + - * /, pi, and the functions {}",
        FUNCTIONS.join(", ")
    )
}

fn preset_help() -> String {
    format!(
        "Read header fields where a revision or a program puts them; --mapping and --field take precedence. Presets: {}",
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
            coordinate_scalar: self.coordinate_scalar,
        })
    }
}

/// Larger numbers of microseconds, metres … are taken for mistakes.
const LARGEST: f64 = 1e12;

fn interval(text: &str) -> std::result::Result<Quantity, String> {
    match text.parse::<Quantity>()? {
        interval if (1e-9..=LARGEST).contains(&interval.value) => Ok(interval),
        _ => Err("give a number greater than 0, up to 1e12".into()),
    }
}

fn coordinate_scalar(text: &str) -> std::result::Result<i32, String> {
    match text.parse() {
        Ok(scalar) if scalar != 0 => Ok(scalar),
        _ => Err("give a whole number other than 0, as in 10 or -1000".into()),
    }
}

fn revision(text: &str) -> std::result::Result<(u8, u8), String> {
    match text {
        "0" | "0.0" => Ok((0, 0)),
        "1" | "1.0" => Ok((1, 0)),
        "2" | "2.0" => Ok((2, 0)),
        "2.1" => Ok((2, 1)),
        _ => Err("give 0, 1, 2.0 or 2.1".into()),
    }
}

fn start(text: &str) -> std::result::Result<Quantity, String> {
    match text.parse::<Quantity>()? {
        start if start.value.abs() <= LARGEST => Ok(start),
        _ => Err("give a number between -1e12 and 1e12".into()),
    }
}

impl OverrideArgs {
    pub(super) fn resolve(self) -> Overrides {
        Overrides {
            byte_order: self.endian,
            trace_byte_order: self.trace_endian,
            sample_byte_order: self.sample_endian,
            format: self.format,
            n_samples: self.samples,
            interval: self.interval,
            start: self.start,
            domain: self.domain,
            extended_text_headers: self.extended_headers,
            trailer_bytes: self.trailer,
            revision: self.revision,
            text_encoding: self.text_encoding,
            allow_truncated: self.allow_truncated,
            input_format: self.input_format,
            ragged: self.ragged,
        }
    }
}

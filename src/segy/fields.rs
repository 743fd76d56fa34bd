//! The header fields of SEG-Y as tables of data: name, first byte, type, aliases.
//!
//! Source: SEG-Y rev 2.1, tables 2 (binary file header), 3 (standard trace header) and 4 (trace header
//! extension 1, `SEG00001`). Byte numbers count from 1, as the standard does.

use serde::{Deserialize, Serialize};

use crate::segy::layout::InputFormat;

use FieldKind::{F32, F64, I16, I32, I64, Text, U8, U16, U32, U64};
use Revisions::{Any, BeforeRev2, Rev2};

/// Length of the standard trace header, and of each additional one (rev 2).
pub(crate) const TRACE_HEADER_BYTES: usize = 240;

/// The type of a header field. Numbers follow the byte order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    /// IEEE single.
    F32,
    /// IEEE double.
    F64,
    /// IBM single, read exactly as a double.
    Ibm32,
    /// This many bytes of EBCDIC or ASCII text.
    Text(u16),
}

impl FieldKind {
    /// Length in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 | Self::Ibm32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::Text(n) => n as usize,
        }
    }

    /// Whether values are integers, so that the field can be a gather key.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Self::F32 | Self::F64 | Self::Ibm32 | Self::Text(_))
    }
}

impl std::fmt::Display for FieldKind {
    /// `i16`, `f64`, `text:8` …, as `--field` takes them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(n) => write!(f, "text:{n}"),
            other => f.write_str(&format!("{other:?}").to_lowercase()),
        }
    }
}

impl std::str::FromStr for FieldKind {
    type Err = String;

    /// `i8` … `u64`, `f32`, `f64`, `ibm32`, `text:N`; also `int16`, `uint8`, `float32`, `float64` …
    fn from_str(s: &str) -> Result<Self, String> {
        let lower = s.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "i8" | "int8" => Self::I8,
            "u8" | "uint8" => Self::U8,
            "i16" | "int16" => Self::I16,
            "u16" | "uint16" => Self::U16,
            "i32" | "int32" => Self::I32,
            "u32" | "uint32" => Self::U32,
            "i64" | "int64" => Self::I64,
            "u64" | "uint64" => Self::U64,
            "f32" | "float32" => Self::F32,
            "f64" | "float64" => Self::F64,
            "ibm32" | "ibm" => Self::Ibm32,
            _ => {
                let length = lower.strip_prefix("text:").and_then(|n| n.parse().ok());
                match length {
                    Some(n @ 1..=240) => Self::Text(n),
                    _ => {
                        return Err(format!(
                            "\"{s}\" is not a field type; use i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, ibm32 or text:LENGTH"
                        ));
                    }
                }
            }
        })
    }
}

/// The revisions of the standard in which a field has this meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revisions {
    /// Every revision. Rev 0 leaves bytes 181-240 unassigned, but they are read as rev 1 fields anyway: most rev 0
    /// files in use fill them that way, and the raw bytes are kept too.
    Any,
    /// Rev 0 and 1 only.
    BeforeRev2,
    /// Rev 2.0 and 2.1 only.
    Rev2,
}

/// One header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Name in this program, and of the column in `headers.parquet`.
    pub name: &'static str,
    /// First byte: in the file for the binary header (3201 …), in the header block for trace headers (1 … 240).
    pub byte: u32,
    pub kind: FieldKind,
    pub revisions: Revisions,
    /// First byte of the int16 scalar that applies to this field.
    pub scalar: Option<u32>,
    /// Names in segyio, TGSAI segy and Seismic Unix, accepted wherever a field is named.
    pub aliases: &'static [&'static str],
}

const fn field(
    name: &'static str,
    byte: u32,
    kind: FieldKind,
    revisions: Revisions,
    scalar: Option<u32>,
    aliases: &'static [&'static str],
) -> Field {
    Field { name, byte, kind, revisions, scalar, aliases }
}

impl Field {
    /// Whether files of this major revision have the field.
    pub(crate) fn exists_in(&self, major_revision: u8) -> bool {
        match self.revisions {
            Any => true,
            BeforeRev2 => major_revision < 2,
            Rev2 => major_revision >= 2,
        }
    }

    /// Whether `name` is the field's name or an alias; case does not matter.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    }
}

/// The standard 240-byte trace header (rev 2.1, table 3).
#[rustfmt::skip]
pub(crate) const TRACE_FIELDS: &[Field] = &[
    field("trace_sequence_line", 1, I32, Any, None, &["TRACE_SEQUENCE_LINE", "trace_seq_num_line", "tracl"]),
    field("trace_sequence_file", 5, I32, Any, None, &["TRACE_SEQUENCE_FILE", "trace_seq_num_reel", "tracr"]),
    field("field_record", 9, I32, Any, None, &["FieldRecord", "orig_field_record_num", "fldr"]),
    field("trace_number", 13, I32, Any, None, &["TraceNumber", "trace_num_orig_record", "tracf"]),
    field("energy_source_point", 17, I32, Any, None, &["EnergySourcePoint", "energy_source_point_num", "ep"]),
    field("cdp", 21, I32, Any, None, &["CDP", "ensemble_num"]),
    field("trace_number_cdp", 25, I32, Any, None, &["CDP_TRACE", "trace_num_ensemble", "cdpt"]),
    field("trace_id_code", 29, I16, Any, None, &["TraceIdentificationCode", "trid"]),
    field("vertically_summed_traces", 31, I16, Any, None, &["NSummedTraces", "nvs"]),
    field("horizontally_stacked_traces", 33, I16, Any, None, &["NStackedTraces", "nhs"]),
    field("data_use", 35, I16, Any, None, &["DataUse", "duse"]),
    field("offset", 37, I32, Any, None, &["source_to_receiver_distance"]),
    field("receiver_elevation", 41, I32, Any, Some(69), &["ReceiverGroupElevation", "receiver_group_elevation", "gelev"]),
    field("source_elevation", 45, I32, Any, Some(69), &["SourceSurfaceElevation", "source_surface_elevation", "selev"]),
    field("source_depth", 49, I32, Any, Some(69), &["SourceDepth", "source_depth_below_surface", "sdepth"]),
    field("receiver_datum_elevation", 53, I32, Any, Some(69), &["ReceiverDatumElevation", "gdel"]),
    field("source_datum_elevation", 57, I32, Any, Some(69), &["SourceDatumElevation", "sdel"]),
    field("source_water_depth", 61, I32, Any, Some(69), &["SourceWaterDepth", "swdep"]),
    field("receiver_water_depth", 65, I32, Any, Some(69), &["GroupWaterDepth", "gwdep"]),
    field("elevation_scalar", 69, I16, Any, None, &["ElevationScalar", "elevation_depth_scalar", "scalel"]),
    field("coordinate_scalar", 71, I16, Any, None, &["SourceGroupScalar", "scalco", "scalar_coord"]),
    field("source_x", 73, I32, Any, Some(71), &["SourceX", "source_coord_x", "sx"]),
    field("source_y", 77, I32, Any, Some(71), &["SourceY", "source_coord_y", "sy"]),
    field("receiver_x", 81, I32, Any, Some(71), &["GroupX", "group_coord_x", "gx"]),
    field("receiver_y", 85, I32, Any, Some(71), &["GroupY", "group_coord_y", "gy"]),
    field("coordinate_unit", 89, I16, Any, None, &["CoordinateUnits", "counit"]),
    field("weathering_velocity", 91, I16, Any, None, &["WeatheringVelocity", "wevel"]),
    field("subweathering_velocity", 93, I16, Any, None, &["SubWeatheringVelocity", "swevel"]),
    field("source_uphole_time", 95, I16, Any, Some(215), &["SourceUpholeTime", "sut"]),
    field("group_uphole_time", 97, I16, Any, Some(215), &["GroupUpholeTime", "gut"]),
    field("source_static_correction", 99, I16, Any, Some(215), &["SourceStaticCorrection", "sstat"]),
    field("receiver_static_correction", 101, I16, Any, Some(215), &["GroupStaticCorrection", "gstat"]),
    field("total_static_applied", 103, I16, Any, Some(215), &["TotalStaticApplied", "tstat"]),
    field("lag_time_a", 105, I16, Any, Some(215), &["LagTimeA", "laga"]),
    field("lag_time_b", 107, I16, Any, Some(215), &["LagTimeB", "lagb"]),
    field("delay_recording_time", 109, I16, Any, Some(215), &["DelayRecordingTime", "delrt"]),
    field("mute_time_start", 111, I16, Any, Some(215), &["MuteTimeStart", "muts"]),
    field("mute_time_end", 113, I16, Any, Some(215), &["MuteTimeEND", "mute"]),
    field("sample_count", 115, U16, Any, None, &["TRACE_SAMPLE_COUNT", "samples_per_trace", "ns"]),
    field("sample_interval", 117, U16, Any, None, &["TRACE_SAMPLE_INTERVAL", "dt"]),
    field("instrument_gain_type", 119, I16, Any, None, &["GainType", "gain"]),
    field("instrument_gain_const", 121, I16, Any, None, &["InstrumentGainConstant", "igc"]),
    field("instrument_gain_initial", 123, I16, Any, None, &["InstrumentInitialGain", "igi"]),
    field("correlated_data", 125, I16, Any, None, &["Correlated", "corr"]),
    field("sweep_freq_start", 127, I16, Any, None, &["SweepFrequencyStart", "sfs"]),
    field("sweep_freq_end", 129, I16, Any, None, &["SweepFrequencyEnd", "sfe"]),
    field("sweep_length", 131, I16, Any, None, &["SweepLength", "slen"]),
    field("sweep_type", 133, I16, Any, None, &["SweepType", "styp"]),
    field("sweep_taper_start", 135, I16, Any, None, &["SweepTraceTaperLengthStart", "stas"]),
    field("sweep_taper_end", 137, I16, Any, None, &["SweepTraceTaperLengthEnd", "stae"]),
    field("taper_type", 139, I16, Any, None, &["TaperType", "tatyp"]),
    field("alias_filter_freq", 141, I16, Any, None, &["AliasFilterFrequency", "afilf"]),
    field("alias_filter_slope", 143, I16, Any, None, &["AliasFilterSlope", "afils"]),
    field("notch_filter_freq", 145, I16, Any, None, &["NotchFilterFrequency", "nofilf"]),
    field("notch_filter_slope", 147, I16, Any, None, &["NotchFilterSlope", "nofils"]),
    field("low_cut_freq", 149, I16, Any, None, &["LowCutFrequency", "lcf"]),
    field("high_cut_freq", 151, I16, Any, None, &["HighCutFrequency", "hcf"]),
    field("low_cut_slope", 153, I16, Any, None, &["LowCutSlope", "lcs"]),
    field("high_cut_slope", 155, I16, Any, None, &["HighCutSlope", "hcs"]),
    field("year_recorded", 157, I16, Any, None, &["YearDataRecorded", "year"]),
    field("day_of_year", 159, I16, Any, None, &["DayOfYear", "day"]),
    field("hour_of_day", 161, I16, Any, None, &["HourOfDay", "hour"]),
    field("minute_of_hour", 163, I16, Any, None, &["MinuteOfHour", "minute"]),
    field("second_of_minute", 165, I16, Any, None, &["SecondOfMinute", "sec"]),
    field("time_basis_code", 167, I16, Any, None, &["TimeBaseCode", "timbas"]),
    field("trace_weighting_factor", 169, I16, Any, None, &["TraceWeightingFactor", "trwf"]),
    field("geophone_group_roll1", 171, I16, Any, None, &["GeophoneGroupNumberRoll1", "group_num_roll_switch", "grnors"]),
    field("geophone_group_first", 173, I16, Any, None, &["GeophoneGroupNumberFirstTraceOrigField", "group_num_first_trace", "grnofr"]),
    field("geophone_group_last", 175, I16, Any, None, &["GeophoneGroupNumberLastTraceOrigField", "group_num_last_trace", "grnlof"]),
    field("gap_size", 177, I16, Any, None, &["GapSize", "gaps"]),
    field("over_travel", 179, I16, Any, None, &["OverTravel", "taper_overtravel", "otrav"]),
    field("cdp_x", 181, I32, Any, Some(71), &["CDP_X", "cdpx"]),
    field("cdp_y", 185, I32, Any, Some(71), &["CDP_Y", "cdpy"]),
    field("inline", 189, I32, Any, None, &["INLINE_3D", "iline"]),
    field("crossline", 193, I32, Any, None, &["CROSSLINE_3D", "xline"]),
    field("shot_point", 197, I32, Any, Some(201), &["ShotPoint", "sp"]),
    field("shot_point_scalar", 201, I16, Any, None, &["ShotPointScalar", "scalsp"]),
    field("trace_value_unit", 203, I16, Any, None, &["TraceValueMeasurementUnit", "trunit"]),
    field("transduction_const_mantissa", 205, I32, Any, None, &["TransductionConstantMantissa", "tdcm"]),
    field("transduction_const_exponent", 209, I16, Any, None, &["TransductionConstantPower", "tdcp"]),
    field("transduction_unit", 211, I16, Any, None, &["TransductionUnit", "tdunit"]),
    field("device_trace_id", 213, I16, Any, None, &["TraceIdentifier", "triden"]),
    field("times_scalar", 215, I16, Any, None, &["ScalarTraceHeader", "sctrh"]),
    field("source_type_orientation", 217, I16, Any, None, &["SourceType", "stype"]),
    field("source_energy_dir_mantissa", 219, I32, BeforeRev2, None, &["SourceEnergyDirectionMantissa"]),
    field("source_energy_dir_exponent", 223, I16, BeforeRev2, None, &["SourceEnergyDirectionExponent"]),
    field("source_energy_dir_vertical", 219, I16, Rev2, None, &["SourceEnergyDirectionVert", "sedv"]),
    field("source_energy_dir_crossline", 221, I16, Rev2, None, &["SourceEnergyDirectionXline", "sedxl"]),
    field("source_energy_dir_inline", 223, I16, Rev2, None, &["SourceEnergyDirectionIline", "sedil"]),
    field("source_measurement_mantissa", 225, I32, Any, None, &["SourceMeasurementMantissa", "smm"]),
    field("source_measurement_exponent", 229, I16, Any, None, &["SourceMeasurementExponent", "sme"]),
    field("source_measurement_unit", 231, I16, Any, None, &["SourceMeasurementUnit", "smunit"]),
    field("unassigned_233", 233, I32, BeforeRev2, None, &["UnassignedInt1", "uint1"]),
    field("unassigned_237", 237, I32, BeforeRev2, None, &["UnassignedInt2", "uint2"]),
    field("trace_header_name", 233, Text(8), Rev2, None, &[]),
];

/// What Seismic Unix has from byte 181 on, in the byte order of its machine (`segy.h`).
#[rustfmt::skip]
pub(crate) const SU_FIELDS: &[Field] = &[
    field("d1", 181, F32, Any, None, &[]),
    field("f1", 185, F32, Any, None, &[]),
    field("d2", 189, F32, Any, None, &[]),
    field("f2", 193, F32, Any, None, &[]),
    field("ungpow", 197, F32, Any, None, &[]),
    field("unscale", 201, F32, Any, None, &[]),
    field("ntr", 205, I32, Any, None, &[]),
    field("mark", 209, I16, Any, None, &[]),
    field("shortpad", 211, I16, Any, None, &[]),
];

/// What PASSCAL (IRIS) has from byte 181 on (`segy.h` of the PASSCAL software).
#[rustfmt::skip]
pub(crate) const PASSCAL_FIELDS: &[Field] = &[
    field("station_name", 181, Text(6), Any, None, &[]),
    field("sensor_serial", 187, Text(8), Any, None, &[]),
    field("channel_name", 195, Text(4), Any, None, &[]),
    field("total_static_high", 199, I16, Any, None, &["totalStaticHi"]),
    field("sample_interval_long", 201, I32, Any, None, &["samp_rate"]),
    field("data_form", 205, I16, Any, None, &[]),
    field("milliseconds", 207, I16, Any, None, &["m_secs"]),
    field("trigger_year", 209, I16, Any, None, &["trigyear"]),
    field("trigger_day", 211, I16, Any, None, &["trigday"]),
    field("trigger_hour", 213, I16, Any, None, &["trighour"]),
    field("trigger_minute", 215, I16, Any, None, &["trigminute"]),
    field("trigger_second", 217, I16, Any, None, &["trigsecond"]),
    field("trigger_millisecond", 219, I16, Any, None, &["trigmills"]),
    field("scale_factor", 221, F32, Any, None, &["scale_fac"]),
    field("instrument_number", 225, I16, Any, None, &["inst_no"]),
    field("unassigned_227", 227, I16, Any, None, &[]),
    field("sample_count_long", 229, I32, Any, None, &["num_samps"]),
    field("largest_sample", 233, I32, Any, None, &["max"]),
    field("smallest_sample", 237, I32, Any, None, &["min"]),
];

/// The last byte that all kinds of files have in common.
const LAST_COMMON_BYTE: u32 = 180;
/// Rev 1 fields that some programs write into Seismic Unix headers, over `d1`, `f1`, `d2` and `f2`.
const ALSO_IN_SU: [&str; 4] = ["cdp_x", "cdp_y", "inline", "crossline"];

/// The fields of the 240-byte trace header in files of this kind and major revision, in the order of the columns.
pub(crate) fn trace_fields(kind: InputFormat, major_revision: u8) -> impl Iterator<Item = &'static Field> {
    let own = match kind {
        InputFormat::Segy => &[][..],
        InputFormat::Su => SU_FIELDS,
        InputFormat::Passcal => PASSCAL_FIELDS,
    };
    let is_standard = move |f: &&Field| {
        let is_here = kind == InputFormat::Su && ALSO_IN_SU.contains(&f.name);
        f.exists_in(major_revision) && (own.is_empty() || f.byte <= LAST_COMMON_BYTE || is_here)
    };
    TRACE_FIELDS.iter().filter(is_standard).chain(own)
}

/// Trace header extension 1 (rev 2.1, table 4): the additional 240-byte header named `SEG00001`.
#[rustfmt::skip]
pub(crate) const EXTENSION_1_FIELDS: &[Field] = &[
    field("ext1_seq_line", 1, U64, Any, None, &["EXT1_SEQ_LINE"]),
    field("ext1_seq_file", 9, U64, Any, None, &["EXT1_SEQ_FILE"]),
    field("ext1_field_record", 17, I64, Any, None, &["EXT1_FIELD_RECORD"]),
    field("ext1_ensemble", 25, I64, Any, None, &["EXT1_ENSEMBLE"]),
    field("ext1_recv_group_elev", 33, F64, Any, None, &["EXT1_RECV_GROUP_ELEV"]),
    field("ext1_recv_group_depth", 41, F64, Any, None, &["EXT1_RECV_GROUP_DEPTH"]),
    field("ext1_source_surf_elev", 49, F64, Any, None, &["EXT1_SOURCE_SURF_ELEV"]),
    field("ext1_source_depth", 57, F64, Any, None, &["EXT1_SOURCE_DEPTH"]),
    field("ext1_recv_datum_elev", 65, F64, Any, None, &["EXT1_RECV_DATUM_ELEV"]),
    field("ext1_source_datum_elev", 73, F64, Any, None, &["EXT1_SOURCE_DATUM_ELEV"]),
    field("ext1_source_water_depth", 81, F64, Any, None, &["EXT1_SOURCE_WATER_DEPTH"]),
    field("ext1_group_water_depth", 89, F64, Any, None, &["EXT1_GROUP_WATER_DEPTH"]),
    field("ext1_source_x", 97, F64, Any, None, &["EXT1_SOURCE_X"]),
    field("ext1_source_y", 105, F64, Any, None, &["EXT1_SOURCE_Y"]),
    field("ext1_group_x", 113, F64, Any, None, &["EXT1_GROUP_X"]),
    field("ext1_group_y", 121, F64, Any, None, &["EXT1_GROUP_Y"]),
    field("ext1_offset", 129, F64, Any, None, &["EXT1_OFFSET"]),
    field("ext1_sample_count", 137, U32, Any, None, &["EXT1_SAMPLE_COUNT"]),
    field("ext1_nanosec_of_sec", 141, I32, Any, None, &["EXT1_NANOSEC_OF_SEC"]),
    field("ext1_sample_inter", 145, F64, Any, None, &["EXT1_SAMPLE_INTER"]),
    field("ext1_recording_device_nr", 153, I32, Any, None, &["EXT1_RECORDING_DEVICE_NR"]),
    field("ext1_additional_tr_headers", 157, U16, Any, None, &["EXT1_ADDITIONAL_TR_HEADERS"]),
    field("ext1_last_trace_flag", 159, I16, Any, None, &["EXT1_LAST_TRACE_FLAG"]),
    field("ext1_cdp_x", 161, F64, Any, None, &["EXT1_CDP_X"]),
    field("ext1_cdp_y", 169, F64, Any, None, &["EXT1_CDP_Y"]),
    field("ext1_trace_header_name", 233, Text(8), Any, None, &["EXT1_TRACE_HEADER_NAME"]),
];

/// The 400-byte binary file header (rev 2.1, table 2), by file byte.
#[rustfmt::skip]
pub(crate) const BINARY_FIELDS: &[Field] = &[
    field("job_id", 3201, I32, Any, None, &[]),
    field("line_num", 3205, I32, Any, None, &[]),
    field("reel_num", 3209, I32, Any, None, &[]),
    field("data_traces_per_ensemble", 3213, I16, Any, None, &[]),
    field("aux_traces_per_ensemble", 3215, I16, Any, None, &[]),
    field("sample_interval", 3217, U16, Any, None, &[]),
    field("orig_sample_interval", 3219, U16, Any, None, &[]),
    field("samples_per_trace", 3221, U16, Any, None, &[]),
    field("orig_samples_per_trace", 3223, U16, Any, None, &[]),
    field("data_sample_format", 3225, I16, Any, None, &[]),
    field("ensemble_fold", 3227, I16, Any, None, &[]),
    field("trace_sorting_code", 3229, I16, Any, None, &[]),
    field("vertical_sum_code", 3231, I16, Any, None, &[]),
    field("sweep_freq_start", 3233, I16, Any, None, &[]),
    field("sweep_freq_end", 3235, I16, Any, None, &[]),
    field("sweep_length", 3237, I16, Any, None, &[]),
    field("sweep_type_code", 3239, I16, Any, None, &[]),
    field("sweep_trace_num", 3241, I16, Any, None, &[]),
    field("sweep_taper_start", 3243, I16, Any, None, &[]),
    field("sweep_taper_end", 3245, I16, Any, None, &[]),
    field("taper_type_code", 3247, I16, Any, None, &[]),
    field("correlated_data_code", 3249, I16, Any, None, &[]),
    field("binary_gain_code", 3251, I16, Any, None, &[]),
    field("amp_recovery_code", 3253, I16, Any, None, &[]),
    field("measurement_system_code", 3255, I16, Any, None, &[]),
    field("impulse_polarity_code", 3257, I16, Any, None, &[]),
    field("vibratory_polarity_code", 3259, I16, Any, None, &[]),
    field("extended_data_traces_per_ensemble", 3261, I32, Rev2, None, &[]),
    field("extended_aux_traces_per_ensemble", 3265, I32, Rev2, None, &[]),
    field("extended_samples_per_trace", 3269, U32, Rev2, None, &[]),
    field("extended_sample_interval", 3273, F64, Rev2, None, &[]),
    field("extended_orig_sample_interval", 3281, F64, Rev2, None, &[]),
    field("extended_orig_samples_per_trace", 3289, I32, Rev2, None, &[]),
    field("extended_ensemble_fold", 3293, I32, Rev2, None, &[]),
    field("byte_order", 3297, I32, Rev2, None, &[]),
    field("segy_revision_major", 3501, U8, Any, None, &[]),
    field("segy_revision_minor", 3502, U8, Any, None, &[]),
    field("fixed_length_trace_flag", 3503, I16, Any, None, &[]),
    field("num_extended_text_headers", 3505, I16, Any, None, &[]),
    field("max_extended_trace_headers", 3507, I32, Rev2, None, &[]),
    field("time_basis_code", 3511, I16, Rev2, None, &[]),
    field("num_traces", 3513, U64, Rev2, None, &[]),
    field("byte_offset_first_trace", 3521, U64, Rev2, None, &[]),
    field("num_data_trailer_stanzas", 3529, I32, Rev2, None, &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_covered(fields: &[Field], major_revision: u8) -> Vec<u8> {
        let mut covered = vec![0; TRACE_HEADER_BYTES];
        for f in fields.iter().filter(|f| f.exists_in(major_revision)) {
            for byte in &mut covered[f.byte as usize - 1..][..f.kind.size()] {
                *byte += 1;
            }
        }
        covered
    }

    #[test]
    fn the_standard_trace_header_is_covered_once_in_every_revision() {
        for major in [0, 1, 2] {
            assert!(bytes_covered(TRACE_FIELDS, major).iter().all(|&n| n == 1), "revision {major}");
        }
    }

    #[test]
    fn names_and_aliases_lead_to_one_field_each() {
        for major in [1, 2] {
            for f in TRACE_FIELDS.iter().filter(|f| f.exists_in(major)) {
                for name in f.aliases.iter().chain([&f.name]) {
                    let n = TRACE_FIELDS.iter().filter(|g| g.exists_in(major) && g.is_called(name)).count();
                    assert_eq!(n, 1, "{name} in revision {major}");
                }
            }
        }
    }
}

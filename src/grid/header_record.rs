//! The records of the array `headers`: the fields of the standard header by the names that MDIO has for them, packed and
//! little-endian.
//!
//! A key of the grid gives its name to the field at its bytes; a standard field that has that name elsewhere gets its byte
//! as a suffix. Source: SEG-Y rev 1, table 3; names of TGSAI's `segy` 0.6.

use std::ops::Range;

use serde_json::{Value, json};

use crate::grid::bricks::Cut;
use crate::grid::{Grid, HeaderType, Key};
use crate::segy::samples::kernels::each;
use crate::segy::{ByteOrder, Dtype};
use crate::zarr::{Array, Axis, Codec};

/// A field: name, first byte, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderField {
    pub name: String,
    /// From 1.
    pub first_byte: u32,
    /// 2, 4 or 8.
    pub bytes: u32,
}

impl HeaderField {
    /// The type by its Zarr name.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.bytes {
            2 => "int16",
            8 => "int64",
            _ => "int32",
        }
    }
}

/// How a trace header becomes a record.
pub(crate) struct HeaderRecord {
    pub fields: Vec<HeaderField>,
    /// Bytes of the header one after another, and the bytes of each number there: the whole record.
    runs: Vec<(Range<usize>, u32)>,
    order: ByteOrder,
}

impl HeaderRecord {
    /// Name of the array.
    pub(crate) const ARRAY: &'static str = "headers";

    /// The record of a grid from headers in this byte order.
    pub(crate) fn new(grid: &Grid, order: ByteOrder) -> Self {
        let fields = fields(grid.keys_of_records(), grid.uses_last_bytes);
        let runs = fields.chunk_by(|a, b| a.bytes == b.bytes).filter_map(|run| {
            let (first, last) = (run.first()?, run.last()?);
            let end = last.first_byte - 1 + last.bytes;
            Some((first.first_byte as usize - 1..end as usize, first.bytes))
        });
        Self { runs: runs.collect(), fields, order }
    }

    /// Bytes of a record.
    pub(crate) fn bytes(&self) -> usize {
        self.runs.last().map_or(0, |(last, _)| last.end)
    }

    /// Packs a header into `out`, which has [`Self::bytes`] bytes.
    pub(crate) fn pack(&self, header: &[u8], out: &mut [u8]) {
        for (run, bytes) in &self.runs {
            let (Some(from), Some(out)) = (header.get(run.clone()), out.get_mut(run.clone())) else { continue };
            // Too short for a kernel that is chosen at run time.
            match (self.order, bytes) {
                (ByteOrder::Little, _) => out.copy_from_slice(from),
                (ByteOrder::Big, 2) => each(from, out, |b| u16::from_be_bytes(b).to_le_bytes()),
                (ByteOrder::Big, 8) => each(from, out, |b| u64::from_be_bytes(b).to_le_bytes()),
                (ByteOrder::Big, _) => each(from, out, |b| u32::from_be_bytes(b).to_le_bytes()),
            }
        }
    }

    /// Shape and chunks of the array: one chunk for each unit. Its type and codec are not those of the record.
    pub(crate) fn array(&self, grid: &Grid) -> Array {
        let cut = Cut::new(grid);
        let axes = grid.keys.iter().zip(&cut.unit).map(|(key, &chunk)| Axis {
            name: key.name.clone(),
            length: key.n(),
            chunk,
        });
        let axes: Vec<Axis> = axes.collect();
        Array {
            dtype: Dtype::Int8,
            storage: (0..axes.len()).collect(),
            axes,
            shard: None,
            codec: Codec::default(),
            precision: None,
        }
    }

    /// The data type for `zarr.json`.
    pub(crate) fn data_type(&self, header_type: HeaderType) -> Value {
        match header_type {
            HeaderType::Structured => {
                let fields: Vec<Value> = self.fields.iter().map(|f| json!([f.name, f.type_name()])).collect();
                json!({"name": "structured", "configuration": {"fields": fields}})
            }
            HeaderType::Struct => {
                let field = |f: &HeaderField| json!({"name": f.name, "data_type": f.type_name()});
                let fields: Vec<Value> = self.fields.iter().map(field).collect();
                json!({"name": "struct", "configuration": {"fields": fields}})
            }
        }
    }

    /// The fill value for `zarr.json`: all fields zero.
    pub(crate) fn fill_value(&self, header_type: HeaderType) -> Value {
        use base64::Engine as _;
        match header_type {
            HeaderType::Structured => base64::engine::general_purpose::STANDARD.encode(vec![0; self.bytes()]).into(),
            HeaderType::Struct => {
                self.fields.iter().map(|f| (f.name.clone(), json!(0))).collect::<serde_json::Map<_, _>>().into()
            }
        }
    }
}

/// The fields of a record.
fn fields(keys: &[Key], uses_last_bytes: bool) -> Vec<HeaderField> {
    let (mut fields, mut byte) = (Vec::new(), 1);
    for &(name, bytes) in REV1 {
        fields.push(HeaderField { name: name.to_owned(), first_byte: byte, bytes });
        byte += bytes;
    }
    if uses_last_bytes {
        fields.push(HeaderField { name: "unassigned".into(), first_byte: byte, bytes: 8 });
    }
    for key in keys {
        let Some(field) = key.field.as_ref().filter(|field| !field.is_computed()) else { continue };
        let at_its_bytes = |f: &HeaderField| f.first_byte == field.first_byte && f.bytes as usize == field.kind.size();
        let is_there = fields.iter().any(at_its_bytes);
        for f in &mut fields {
            if at_its_bytes(f) {
                f.name.clone_from(&key.name);
            } else if is_there && f.name == key.name {
                f.name = format!("{}_{}", f.name, f.first_byte);
            }
        }
    }
    fields
}

/// Names and lengths of the fields, from byte 1 on without gaps.
#[rustfmt::skip]
const REV1: &[(&str, u32)] = &[
    ("trace_seq_num_line", 4), ("trace_seq_num_reel", 4), ("orig_field_record_num", 4), ("trace_num_orig_record", 4),
    ("energy_source_point_num", 4), ("ensemble_num", 4), ("trace_num_ensemble", 4), ("trace_id_code", 2),
    ("vertically_summed_traces", 2), ("horizontally_stacked_traces", 2), ("data_use", 2),
    ("source_to_receiver_distance", 4), ("receiver_group_elevation", 4), ("source_surface_elevation", 4),
    ("source_depth_below_surface", 4), ("receiver_datum_elevation", 4), ("source_datum_elevation", 4),
    ("source_water_depth", 4), ("receiver_water_depth", 4), ("elevation_depth_scalar", 2), ("coordinate_scalar", 2),
    ("source_coord_x", 4), ("source_coord_y", 4), ("group_coord_x", 4), ("group_coord_y", 4), ("coordinate_unit", 2),
    ("weathering_velocity", 2), ("subweathering_velocity", 2), ("source_uphole_time", 2), ("group_uphole_time", 2),
    ("source_static_correction", 2), ("receiver_static_correction", 2), ("total_static_applied", 2), ("lag_time_a", 2),
    ("lag_time_b", 2), ("delay_recording_time", 2), ("mute_time_start", 2), ("mute_time_end", 2),
    ("samples_per_trace", 2), ("sample_interval", 2), ("instrument_gain_type", 2), ("instrument_gain_const", 2),
    ("instrument_gain_initial", 2), ("correlated_data", 2), ("sweep_freq_start", 2), ("sweep_freq_end", 2),
    ("sweep_length", 2), ("sweep_type", 2), ("sweep_taper_start", 2), ("sweep_taper_end", 2), ("taper_type", 2),
    ("alias_filter_freq", 2), ("alias_filter_slope", 2), ("notch_filter_freq", 2), ("notch_filter_slope", 2),
    ("low_cut_freq", 2), ("high_cut_freq", 2), ("low_cut_slope", 2), ("high_cut_slope", 2), ("year_recorded", 2),
    ("day_of_year", 2), ("hour_of_day", 2), ("minute_of_hour", 2), ("second_of_minute", 2), ("time_basis_code", 2),
    ("trace_weighting_factor", 2), ("group_num_roll_switch", 2), ("group_num_first_trace", 2),
    ("group_num_last_trace", 2), ("gap_size", 2), ("taper_overtravel", 2), ("cdp_x", 4), ("cdp_y", 4), ("inline", 4),
    ("crossline", 4), ("shot_point", 4), ("shot_point_scalar", 2), ("trace_value_unit", 2),
    ("transduction_const_mantissa", 4), ("transduction_const_exponent", 2), ("transduction_unit", 2),
    ("device_trace_id", 2), ("times_scalar", 2), ("source_type_orientation", 2), ("source_energy_dir_mantissa", 4),
    ("source_energy_dir_exponent", 2), ("source_measurement_mantissa", 4), ("source_measurement_exponent", 2),
    ("source_measurement_unit", 2),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::GatherKey;
    use crate::grid::Values;
    use crate::segy::fields::FieldKind;

    #[test]
    fn the_fields_fill_the_header_and_keys_give_theirs_a_name() {
        let key = |name: &str, first_byte, kind| Key {
            name: name.into(),
            field: Some(GatherKey { name: name.into(), first_byte, kind, formula: None }),
            bin: None,
            values: Values::Count(0),
        };
        let fields = fields(&[key("shot_point", 17, FieldKind::I32), key("cable", 213, FieldKind::I16)], true);
        let place = |name: &str| fields.iter().find(|f| f.name == name).map(|f| f.first_byte);
        assert_eq!(fields.len(), 90);
        assert_eq!(fields.last().map(|f| f.first_byte + f.bytes), Some(241));
        assert_eq!((place("shot_point"), place("shot_point_197"), place("cable")), (Some(17), Some(197), Some(213)));
        assert_eq!(
            (place("energy_source_point_num"), place("inline"), place("unassigned")),
            (None, Some(189), Some(233))
        );
    }

    #[test]
    fn a_record_has_the_numbers_of_its_header_in_either_byte_order() {
        for uses_last_bytes in [false, true] {
            let grid = Grid { uses_last_bytes, ..Grid::of_no_keys() };
            let header: Vec<u8> = (0..240).collect();
            let record = HeaderRecord::new(&grid, ByteOrder::Big);
            let (mut out, mut expected) = (vec![0xAA; record.bytes()], header[..record.bytes()].to_vec());
            record.pack(&header, &mut out);
            for field in &record.fields {
                expected[field.first_byte as usize - 1..][..field.bytes as usize].reverse();
            }
            assert_eq!(out, expected);
            assert_eq!(out.len(), if uses_last_bytes { 240 } else { 232 });
            HeaderRecord::new(&grid, ByteOrder::Little).pack(&header, &mut out);
            assert_eq!(out, header[..out.len()]);
        }
    }
}

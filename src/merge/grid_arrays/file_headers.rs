//! The file headers by the names that MDIO has for them, and the specification with which TGSAI's `segy` writes the file
//! again.

use serde_json::{Map, Value, json};

use crate::base::error::Result;
use crate::dataset_files::FILE_HEADER;
use crate::grid::Grid;
use crate::grid::header_record::HeaderRecord;
use crate::merge::grid_arrays::Writer;
use crate::merge::titles::textual_header;
use crate::plan::Plan;
use crate::segy::binary_header::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET, BinaryHeader};
use crate::segy::text::TextEncoding;
use crate::segy::{Access, ByteOrder, Dtype, Io};

impl Writer<'_> {
    /// An array without values whose attributes are the file headers.
    pub(super) fn file_header(&mut self) -> Result<()> {
        let Some(first) = self.plan.files.first() else { return Ok(()) };
        let layout = &first.layout;
        let mut attributes = json!({"segySpec": segy_spec(self.plan, self.grid)});
        if let Some(lines) = textual_header(self.plan)? {
            let file = layout.open(&first.input.path, Io::Pread, Access::Headers)?;
            let lines: Vec<String> = lines.iter().map(|line| format!("{line:<80}")).collect();
            attributes["textHeader"] = lines.join("\n").into();
            let mut binary = BinaryHeader { bytes: [0; BINARY_HEADER_BYTES], order: layout.byte_order };
            binary.bytes.copy_from_slice(&file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?);
            attributes["binaryHeader"] = binary_header(&binary);
            if first.samples.is_some() {
                attributes["binaryHeader"]["samples_per_trace"] = self.grid.traces.n_samples.into();
            }
        }
        let document = json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": [],
            "data_type": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 4}},
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": []}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "",
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": attributes,
        });
        self.arrays.document(FILE_HEADER, document)
    }
}

/// The fields of the binary header by MDIO's names: name, first byte of the file, bytes.
#[rustfmt::skip]
const BINARY: &[(&str, u32, u32)] = &[
    ("job_id", 3201, 4), ("line_num", 3205, 4), ("reel_num", 3209, 4), ("data_traces_per_ensemble", 3213, 2),
    ("aux_traces_per_ensemble", 3215, 2), ("sample_interval", 3217, 2), ("orig_sample_interval", 3219, 2),
    ("samples_per_trace", 3221, 2), ("orig_samples_per_trace", 3223, 2), ("data_sample_format", 3225, 2),
    ("ensemble_fold", 3227, 2), ("trace_sorting_code", 3229, 2), ("vertical_sum_code", 3231, 2),
    ("sweep_freq_start", 3233, 2), ("sweep_freq_end", 3235, 2), ("sweep_length", 3237, 2), ("sweep_type_code", 3239, 2),
    ("sweep_trace_num", 3241, 2), ("sweep_taper_start", 3243, 2), ("sweep_taper_end", 3245, 2),
    ("taper_type_code", 3247, 2), ("correlated_data_code", 3249, 2), ("binary_gain_code", 3251, 2),
    ("amp_recovery_code", 3253, 2), ("measurement_system_code", 3255, 2), ("impulse_polarity_code", 3257, 2),
    ("vibratory_polarity_code", 3259, 2), ("fixed_length_trace_flag", 3503, 2), ("num_extended_text_headers", 3505, 2),
];

fn binary_header(binary: &BinaryHeader) -> Value {
    let field = |&(name, byte, bytes): &(&str, u32, u32)| {
        let value = match (name, bytes) {
            // They are in the group of the tables.
            ("num_extended_text_headers", _) => 0,
            (_, 4) => i64::from(binary.i32(byte)),
            _ => i64::from(binary.i16(byte)),
        };
        (name.to_owned(), json!(value))
    };
    let mut fields: Map<String, Value> = BINARY.iter().map(field).collect();
    // MDIO writes both as one number in the byte order of the file.
    let [major, minor] = match binary.order {
        ByteOrder::Big => [300, 301],
        ByteOrder::Little => [301, 300],
    }
    .map(|at| binary.bytes[at]);
    fields.insert("segy_revision_major".into(), major.into());
    fields.insert("segy_revision_minor".into(), minor.into());
    fields.into()
}

/// The specification with which TGSAI's `segy` writes the file again.
fn segy_spec(plan: &Plan, grid: &Grid) -> Value {
    let layout = plan.layout();
    let record = HeaderRecord::new(grid, layout.byte_order);
    let mut binary: Vec<(u32, Value)> = BINARY
        .iter()
        .map(|&(name, byte, bytes)| {
            let byte = byte - 3200;
            (byte, json!({"name": name, "byte": byte, "format": if bytes == 4 { "int32" } else { "int16" }}))
        })
        .collect();
    binary.push((301, json!({"name": "segy_revision", "byte": 301, "format": "int16"})));
    binary.sort_by_key(|field| field.0);
    let binary: Vec<Value> = binary.into_iter().map(|field| field.1).collect();
    let fields = record.fields.iter();
    let fields: Vec<Value> =
        fields.map(|f| json!({"name": f.name, "byte": f.first_byte, "format": f.type_name()})).collect();
    json!({
        "segyStandard": 1.0,
        "textHeader": {
            "rows": 40, "cols": 80, "offset": 0,
            "encoding": if layout.text_encoding == TextEncoding::Ascii { "ascii" } else { "ebcdic" },
        },
        "binaryHeader": {"fields": binary, "itemSize": 400, "offset": 3200},
        "trace": {"header": {"fields": fields, "itemSize": 240}, "data": {"format": sample_format(plan)}},
        "endianness": if layout.byte_order == ByteOrder::Big { "big" } else { "little" },
    })
}

/// The name that TGSAI's `segy` has for the samples of the file.
fn sample_format(plan: &Plan) -> &'static str {
    match (plan.layout().format_code, plan.layout().format().native) {
        (1, _) => "ibm32",
        (_, Dtype::Float64) => "float64",
        (_, other) => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::binary_header::BINARY_HEADER_BYTES;

    #[test]
    fn the_revision_comes_back_from_mdio_in_either_byte_order() {
        for (order, bytes) in [(ByteOrder::Big, [1, 2]), (ByteOrder::Little, [1, 2])] {
            let mut binary = BinaryHeader { bytes: [0; BINARY_HEADER_BYTES], order };
            binary.bytes[300..302].copy_from_slice(&bytes);
            let fields = binary_header(&binary);
            let of = |name: &str| fields[name].as_u64().unwrap() as u16;
            // MDIO writes both as one number.
            let number = of("segy_revision_major") << 8 | of("segy_revision_minor");
            let written = if order == ByteOrder::Big { number.to_be_bytes() } else { number.to_le_bytes() };
            assert_eq!(written, bytes);
        }
    }
}

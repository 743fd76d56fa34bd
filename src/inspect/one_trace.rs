//! One trace in full: every header field and its first samples.

use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::inspect::field_keys::{Headers, Number, number, text_of};
use crate::inspect::field_table::type_name;
use crate::inspect::scan::Source;
use crate::segy::lengths::ragged::{Places, TraceFinder};
use crate::segy::samples::format::Converter;
use crate::segy::{Dtype, apply_scalar};
use crate::table::Column;
use crate::table::formula::{Computed, Formula};

/// Number of samples shown.
const FIRST_SAMPLES: usize = 10;

/// The contents of one trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceDump {
    /// Number of the trace in the file, from 1.
    pub trace: u64,
    /// First byte of its header in the file, from 1.
    pub file_byte: u64,
    /// All header fields.
    pub fields: Vec<FieldValue>,
    /// Columns computed for the user.
    pub computed: Vec<ComputedValue>,
    /// The first samples; `null` if not finite.
    pub samples: Vec<f64>,
}

/// A header field of the trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldValue {
    /// Name of the field.
    pub name: String,
    /// First byte in the trace's headers, from 1.
    pub first_byte: u32,
    /// Last byte, likewise.
    pub last_byte: u32,
    #[serde(rename = "type")]
    /// Type, like `i16`.
    pub kind: String,
    /// As stored; `null` for text.
    pub value: Option<Number>,
    /// The text, for a text field.
    pub text: Option<String>,
    /// With the trace's scalar applied, for coordinates and elevations.
    pub scaled: Option<f64>,
}

/// A computed column of the trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComputedValue {
    /// Name of the column.
    pub name: String,
    /// The expression, as given.
    pub expression: String,
    /// `null` if undefined.
    pub value: Option<f64>,
}

/// Reads trace `trace`, counted from 1.
///
/// # Errors
/// `Error::Usage` if the file has no trace of that number.
pub(super) fn dump(source: &Source, columns: &[Column], computed: &[Computed], trace: u64) -> Result<TraceDump> {
    let layout = source.layout;
    let index = trace.checked_sub(1).filter(|&i| i < layout.n_traces);
    let Some(index) = index else {
        return Err(Error::Usage(format!("--trace {trace}: the file has traces 1 to {}", layout.n_traces)));
    };
    let place = TraceFinder::default().find(source.file, layout, index, 1)?;
    let header = source.file.copy(place.offset, layout.header_bytes())?;
    let headers = Headers { bytes: &header, width: header.len(), order: layout.byte_order };
    let computed = computed.iter().map(|c| {
        let value = Formula::new(c)?.value(&header, layout.byte_order);
        let value = Some(value).filter(|value| !value.is_nan());
        Ok(ComputedValue { name: c.name.clone(), expression: c.expression.clone(), value })
    });
    Ok(TraceDump {
        trace,
        file_byte: source.file.byte_number(place.offset),
        fields: columns.iter().map(|c| field(c, &headers)).collect(),
        computed: computed.collect::<Result<_>>()?,
        samples: samples(source, &place)?,
    })
}

fn field(column: &Column, headers: &Headers) -> FieldValue {
    let mut keys = Vec::new();
    headers.keys(column, &mut keys);
    let value = keys.first().and_then(|&key| number(key, column.kind));
    let scaled = column.scalar.zip(value.as_ref()).map(|(byte, value)| {
        headers.scalars(byte, &mut keys);
        apply_scalar(value.as_f64(), keys.first().map_or(0, |&s| s as i16))
    });
    FieldValue {
        name: column.name.clone(),
        first_byte: column.first_byte,
        last_byte: column.first_byte + column.kind.size() as u32 - 1,
        kind: type_name(column.kind),
        text: value.is_none().then(|| text_of(headers.bytes, column)),
        value,
        scaled,
    }
}

fn samples(source: &Source, place: &Places) -> Result<Vec<f64>> {
    let layout = source.layout;
    let format = layout.format();
    let n = FIRST_SAMPLES.min(place.n_samples as usize);
    let offset = place.offset + layout.header_bytes() as u64;
    let stored = source.file.copy(offset, n * format.bytes)?;
    let mut native = vec![0; n * format.native.size()];
    let Some(mut converter) = Converter::new(format, layout.byte_order, format.native) else { return Ok(Vec::new()) };
    converter.convert(&stored, &mut native);
    Ok(native.chunks_exact(format.native.size()).map(|bytes| sample(bytes, format.native)).collect())
}

/// A little-endian sample as a double; integers beyond 2^53 are rounded.
fn sample(bytes: &[u8], dtype: Dtype) -> f64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let (unsigned, unused) = (u64::from_le_bytes(wide), 64 - 8 * bytes.len() as u32);
    match dtype {
        Dtype::Float32 => f64::from(f32::from_bits(unsigned as u32)),
        Dtype::Float64 => f64::from_bits(unsigned),
        Dtype::UInt8 | Dtype::UInt16 | Dtype::UInt32 | Dtype::UInt64 => unsigned as f64,
        Dtype::Int8 | Dtype::Int16 | Dtype::Int32 | Dtype::Int64 => ((unsigned << unused) as i64 >> unused) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_every_width_keep_their_sign() {
        assert_eq!(sample(&[0xFE], Dtype::Int8), -2.0);
        assert_eq!(sample(&[0xFE], Dtype::UInt8), 254.0);
        assert_eq!(sample(&(-70_000i32).to_le_bytes(), Dtype::Int32), -70_000.0);
        assert_eq!(sample(&(-7i64).to_le_bytes(), Dtype::Int64), -7.0);
        assert_eq!(sample(&1.5f32.to_le_bytes(), Dtype::Float32), 1.5);
    }
}

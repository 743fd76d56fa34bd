//! The `zarr.json` documents. Codecs are always written in object form with a configuration, which every reader takes.

use serde_json::{Value, json};

use crate::store::checksum;
use crate::zarr::axes::Array;
use crate::zarr::brick_store::RECORD_LEVEL;
use crate::zarr::codec::little_endian;

fn crc32c() -> Value {
    json!({"name": "crc32c", "configuration": {}})
}

/// The codecs of one chunk: transposed to the order of storage, compressed, with a checksum at its end.
fn chunk_codecs(array: &Array) -> Vec<Value> {
    let mut codecs = Vec::new();
    if !array.storage.is_sorted() {
        codecs.push(json!({"name": "transpose", "configuration": {"order": array.storage}}));
    }
    codecs.extend(array.codec.definitions(array.dtype));
    codecs.push(crc32c());
    codecs
}

/// `zarr.json` of an array of samples.
pub(crate) fn array_document(array: &Array) -> Value {
    let codecs = match array.shard {
        None => chunk_codecs(array),
        Some(_) => vec![json!({"name": "sharding_indexed", "configuration": {
            "chunk_shape": array.chunk_shape(),
            "codecs": chunk_codecs(array),
            "index_codecs": [little_endian(), crc32c()],
            "index_location": "end",
        }})],
    };
    let mut attributes = serde_json::Map::new();
    if let Some(precision) = array.precision {
        let (decibels, step) = (precision.decibels, precision.step());
        attributes.insert("precision".into(), json!({"decibels": decibels, "step": step, "largest_error": step / 2.0}));
    }
    let names: Vec<&str> = array.axes.iter().map(|axis| axis.name.as_str()).collect();
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": array.shape(),
        "data_type": array.dtype.name(),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": array.object_shape()}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": if array.dtype.is_float() { json!(0.0) } else { json!(0) },
        "codecs": codecs,
        "dimension_names": names,
        "attributes": attributes,
    })
}

/// `zarr.json` of an array of records of `item_bytes`, packed as `BrickEncoder::of_records` does.
pub(crate) fn records_document(
    array: &Array,
    data_type: Value,
    item_bytes: usize,
    fill_value: Value,
    attributes: Value,
) -> Value {
    let names: Vec<&str> = array.axes.iter().map(|axis| axis.name.as_str()).collect();
    let blosc = json!({"name": "blosc", "configuration": {
        "cname": "zstd", "clevel": RECORD_LEVEL, "shuffle": "shuffle", "typesize": item_bytes, "blocksize": 0
    }});
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": array.shape(),
        "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": array.object_shape()}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill_value,
        "codecs": [little_endian(), blosc, crc32c()],
        "dimension_names": names,
        "attributes": attributes,
    })
}

/// `zarr.json` of the coordinate array `sample`: `n` float64 values in one chunk.
pub(crate) fn coordinate_document(n: u64, attributes: Value) -> Value {
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": [n],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [n]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [little_endian(), crc32c()],
        "dimension_names": ["sample"],
        "attributes": attributes,
    })
}

/// `zarr.json` of a group, with the documents of its arrays consolidated in it.
pub(crate) fn group_document(arrays: serde_json::Map<String, Value>, attributes: Value) -> Value {
    json!({
        "zarr_format": 3,
        "node_type": "group",
        "attributes": attributes,
        "consolidated_metadata": {"kind": "inline", "must_understand": false, "metadata": arrays},
    })
}

/// What a `zarr.json` says besides attributes, and what other programs write with them: a checksum of it.
///
/// Two documents of the same structure differ in attributes, consolidated metadata, and the order of keys alone.
pub(crate) fn structure(document: &Value) -> u32 {
    const KEYS: [&str; 9] = [
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "dimension_names",
    ];
    let values = KEYS.iter().map(|key| in_one_order(document.get(key).unwrap_or(&Value::Null)));
    checksum::crc32c(values.collect::<Vec<_>>().join("\n").as_bytes())
}

/// A value as text, with the keys of objects in alphabetical order.
fn in_one_order(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            // An empty configuration may as well be missing.
            let entries = object.iter().filter(|(_, value)| value.as_object().is_none_or(|object| !object.is_empty()));
            let mut entries: Vec<String> =
                entries.map(|(key, value)| format!("{key:?}:{}", in_one_order(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(in_one_order).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_not_part_of_the_structure() {
        let document = json!({"zarr_format": 3, "node_type": "array", "shape": [3], "attributes": {"a": 1}});
        let edited = json!({"shape": [3], "attributes": {"a": 2}, "node_type": "array", "zarr_format": 3, "storage_transformers": []});
        assert_eq!(structure(&document), structure(&edited));
        let other = json!({"zarr_format": 3, "node_type": "array", "shape": [4], "attributes": {"a": 1}});
        assert_ne!(structure(&document), structure(&other));
    }
}

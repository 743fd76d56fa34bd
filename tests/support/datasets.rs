//! What a dataset contains, and whether it matches what it was made from.

use std::path::Path;
use std::process::Output;

use crate::support::run;

pub(crate) fn metadata(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(out.join("metadata.json")).unwrap()).unwrap()
}

/// An integer column of the header table.
pub(crate) fn column(out: &Path, name: &str) -> Vec<i64> {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Int64Type};
    let file = std::fs::File::open(out.join("headers.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let values = |batch: arrow::record_batch::RecordBatch| {
        let column = arrow::compute::cast(batch.column_by_name(name).unwrap(), &DataType::Int64).unwrap();
        column.as_primitive::<Int64Type>().values().to_vec()
    };
    reader.flat_map(|batch| values(batch.unwrap())).collect()
}

pub(crate) fn verify(inputs: &[&Path], out: &Path) -> Output {
    let mut arguments = vec!["verify".as_ref()];
    arguments.extend(inputs.iter().map(|p| p.as_os_str()));
    arguments.push(out.as_os_str());
    run(&arguments)
}

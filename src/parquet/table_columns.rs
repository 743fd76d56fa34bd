//! Reading the columns of a Parquet table as values, batch after batch.

use std::ops::Range;
use std::sync::Arc;
use std::vec;

use arrow::datatypes::{DataType, Schema};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{
    self, BoolType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

use crate::base::panics;
use crate::parquet::checked_pages::{CheckedPages, PageSource, error};
use crate::store::TableReader;

/// What is wrong with a page that makes the library panic.
pub(crate) const UNDECODABLE: &str = "a page of it cannot be decoded";

/// The values of a column in some rows; `None` is null.
pub(crate) enum Column {
    Integers(Vec<Option<i64>>),
    Unsigned(Vec<Option<u64>>),
    Floats(Vec<Option<f64>>),
    Flags(Vec<Option<bool>>),
    /// Byte strings of one length.
    Bytes(Vec<Option<FixedLenByteArray>>),
    /// So many rows of what is not read: texts, times, a column that is not there.
    Other(usize),
}

impl Column {
    pub(crate) fn n_rows(&self) -> usize {
        match self {
            Self::Integers(v) => v.len(),
            Self::Unsigned(v) => v.len(),
            Self::Floats(v) => v.len(),
            Self::Flags(v) => v.len(),
            Self::Bytes(v) => v.len(),
            Self::Other(n) => *n,
        }
    }

    /// Its values as `N`; `None` if it has others.
    pub(crate) fn integers<N: TryFrom<i64>>(self) -> Option<Vec<N>> {
        match self {
            Self::Integers(values) => values.into_iter().map(|value| N::try_from(value?).ok()).collect(),
            _ => None,
        }
    }
}

/// A row group by its number, and which of its rows are wanted.
pub(crate) type GroupRows = (usize, Range<u64>);

/// The footer of a table.
#[derive(Clone)]
pub(crate) struct TableFooter {
    pub metadata: Arc<ParquetMetaData>,
    pub schema: Arc<Schema>,
    /// Number of the first row of each row group, and one past the last row.
    group_starts: Arc<[u64]>,
}

impl TableFooter {
    pub(crate) fn read(file: &TableReader) -> Result<Self, ParquetError> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(file)?;
        let of_file = metadata.file_metadata();
        let schema = parquet_to_arrow_schema(of_file.schema_descr(), of_file.key_value_metadata())?;
        let mut group_starts = vec![0_u64];
        for group in metadata.row_groups() {
            let start = group_starts.last().copied().unwrap_or(0);
            let end = u64::try_from(group.num_rows()).ok().and_then(|n| n.checked_add(start));
            group_starts.push(end.ok_or_else(|| error("its row groups cannot have so many rows"))?);
        }
        Ok(Self { metadata: metadata.into(), schema: schema.into(), group_starts: group_starts.into() })
    }

    pub(crate) fn n_rows(&self) -> u64 {
        self.group_starts.last().copied().unwrap_or(0)
    }

    /// The columns as Parquet has them.
    pub(crate) fn parquet_schema(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// Where some rows of the table are.
    pub(crate) fn groups_of(&self, rows: &Range<u64>) -> Vec<GroupRows> {
        let starts = &self.group_starts;
        let first = starts.partition_point(|&start| start <= rows.start).saturating_sub(1);
        let groups = starts.windows(2).enumerate().skip(first).take_while(|(_, group)| group[0] < rows.end);
        groups.map(|(i, group)| (i, rows.start.max(group[0]) - group[0]..rows.end.min(group[1]) - group[0])).collect()
    }

    /// The type of a column that is there and is not read as numbers.
    pub(crate) fn type_of_no_numbers(&self, name: &str) -> Option<&DataType> {
        let (_, field) = self.schema.column_with_name(name)?;
        let values = match field.data_type() {
            DataType::Dictionary(_, values) => values,
            other => other,
        };
        let is_read = values.is_integer() || matches!(values, DataType::Float32 | DataType::Float64);
        (!is_read).then_some(values)
    }

    /// Reads these rows: the columns of these names, in this order.
    pub(crate) fn batches(
        &self,
        source: PageSource,
        names: &[&str],
        groups: Vec<GroupRows>,
        batch_rows: usize,
    ) -> TableBatches {
        TableBatches {
            columns: names.iter().map(|name| self.leaf(name)).collect(),
            footer: self.clone(),
            source: Arc::new(source),
            groups: groups.into_iter(),
            chunks: Vec::new(),
            n_left: 0,
            batch_rows,
        }
    }

    /// The number of a column that has values of its own.
    fn leaf(&self, name: &str) -> Option<(usize, DataType)> {
        let (_, field) = self.schema.column_with_name(name)?;
        let leaf = self.parquet_schema().columns().iter().position(|column| column.path().parts() == [name])?;
        Some((leaf, field.data_type().clone()))
    }
}

/// Some rows of a table: in each batch one column for each name. Memory: a page of each column, and a batch.
pub(crate) struct TableBatches {
    source: Arc<PageSource>,
    footer: TableFooter,
    /// Number and type of each; `None` for one that is not there, or has columns of its own.
    columns: Vec<Option<(usize, DataType)>>,
    groups: vec::IntoIter<GroupRows>,
    /// The columns of a row group, `None` for those that are not read.
    chunks: Vec<Option<Box<dyn Chunk>>>,
    /// Rows of it that are still to be read.
    n_left: usize,
    batch_rows: usize,
}

impl TableBatches {
    fn open_group(&mut self, number: usize, rows: &Range<u64>) -> Result<(), ParquetError> {
        let group = self.footer.metadata.row_group(number);
        let open = |column: &Option<(usize, DataType)>| {
            let Some((leaf, data_type)) = column else { return Ok(None) };
            let pages = CheckedPages::of(&self.source, group.column(*leaf), usize::try_from(group.num_rows())?)?;
            let mut chunk = chunk(data_type, group.schema_descr().column(*leaf), pages);
            if let Some(chunk) = &mut chunk {
                chunk.skip(rows.start as usize)?;
            }
            Ok(chunk)
        };
        self.chunks = self.columns.iter().map(open).collect::<Result<_, ParquetError>>()?;
        self.n_left = (rows.end - rows.start) as usize;
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Vec<Column>>, ParquetError> {
        while self.n_left == 0 {
            let Some((number, rows)) = self.groups.next() else { return Ok(None) };
            self.open_group(number, &rows)?;
        }
        let n = self.n_left.min(self.batch_rows);
        self.n_left -= n;
        let read = |chunk: &mut Option<Box<dyn Chunk>>| match chunk {
            Some(chunk) => chunk.read(n),
            None => Ok(Column::Other(n)),
        };
        self.chunks.iter_mut().map(read).collect::<Result<_, _>>().map(Some)
    }
}

impl Iterator for TableBatches {
    type Item = Result<Vec<Column>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Some damaged pages make the library panic.
        let source = self.source.clone();
        let batch = panics::caught(&source.undecodable, || self.next_batch());
        let batch = batch.unwrap_or_else(|| Err(error(UNDECODABLE)));
        if batch.is_err() {
            (self.n_left, self.groups) = (0, Vec::new().into_iter());
        }
        batch.transpose()
    }
}

/// A column of a row group.
trait Chunk: Send {
    fn skip(&mut self, n: usize) -> Result<(), ParquetError>;

    fn read(&mut self, n: usize) -> Result<Column, ParquetError>;
}

/// A column of values of the physical type `P`, which `convert` makes those of its type, and `column` a column.
struct Typed<P: data_type::DataType, V, C> {
    reader: ColumnReaderImpl<P>,
    /// The definition level of values that are not null.
    max_level: i16,
    convert: C,
    column: fn(Vec<Option<V>>) -> Column,
}

impl<P: data_type::DataType, V, C: Fn(P::T) -> V + Send> Chunk for Typed<P, V, C> {
    fn skip(&mut self, n: usize) -> Result<(), ParquetError> {
        enough(self.reader.skip_records(n)?, n)
    }

    fn read(&mut self, n: usize) -> Result<Column, ParquetError> {
        let (mut levels, mut values) = (Vec::new(), Vec::with_capacity(n));
        enough(self.reader.read_records(n, Some(&mut levels), None, &mut values)?.0, n)?;
        let mut values = values.into_iter().map(&self.convert);
        let rows = match self.max_level {
            0 => values.map(Some).collect(),
            max => levels.iter().map(|&level| if level == max { values.next() } else { None }).collect(),
        };
        Ok((self.column)(rows))
    }
}

fn enough(found: usize, wanted: usize) -> Result<(), ParquetError> {
    if found == wanted { Ok(()) } else { Err(error("a column of it has fewer values than rows")) }
}

/// A column of a row group by its type; `None` for a type that is not read. Short integers are stored as 32 bits, unsigned
/// ones bit for bit: <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md>.
fn chunk(data_type: &DataType, descr: ColumnDescPtr, pages: CheckedPages) -> Option<Box<dyn Chunk>> {
    macro_rules! typed {
        ($physical:ty, $column:expr, $convert:expr) => {{
            let max_level = descr.max_def_level();
            let reader = ColumnReaderImpl::<$physical>::new(descr, Box::new(pages));
            Some(Box::new(Typed { reader, max_level, convert: $convert, column: $column }))
        }};
    }
    match data_type {
        DataType::Boolean => typed!(BoolType, Column::Flags, |v| v),
        DataType::Int8 => typed!(Int32Type, Column::Integers, |v| i64::from(v as i8)),
        DataType::UInt8 => typed!(Int32Type, Column::Integers, |v| i64::from(v as u8)),
        DataType::Int16 => typed!(Int32Type, Column::Integers, |v| i64::from(v as i16)),
        DataType::UInt16 => typed!(Int32Type, Column::Integers, |v| i64::from(v as u16)),
        DataType::Int32 => typed!(Int32Type, Column::Integers, i64::from),
        DataType::UInt32 => typed!(Int32Type, Column::Integers, |v| i64::from(v as u32)),
        DataType::Int64 => typed!(Int64Type, Column::Integers, |v| v),
        DataType::UInt64 => typed!(Int64Type, Column::Unsigned, |v| v as u64),
        DataType::Float32 => typed!(FloatType, Column::Floats, f64::from),
        DataType::Float64 => typed!(DoubleType, Column::Floats, |v| v),
        DataType::Dictionary(_, values) => chunk(values, descr, pages),
        // The library cannot read byte strings of no bytes.
        DataType::FixedSizeBinary(1..) => typed!(FixedLenByteArrayType, Column::Bytes, |v| v),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch};
    use arrow::compute::cast;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, Encoding};
    use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};

    use super::*;
    use crate::base::error::Error;
    use crate::parquet::{NumberTable, NumberType};
    use crate::store::Place;

    const N: u64 = 130;
    const NUMBERS: [DataType; 11] = [
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt8,
        DataType::Int16,
        DataType::UInt16,
        DataType::Int32,
        DataType::UInt32,
        DataType::Int64,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
    ];

    /// A number that all types hold, or null.
    fn number(row: u64, has_nulls: bool) -> Option<i64> {
        (!has_nulls || row % 5 != 3).then_some((row % 100) as i64)
    }

    /// A table of one column for each type, texts, and byte strings, in row groups of 50 rows and pages of 7.
    fn table(has_nulls: bool, properties: WriterPropertiesBuilder) -> Vec<u8> {
        let numbers: Int64Array = (0..N).map(|row| number(row, has_nulls)).collect();
        let rows = (0..N).map(|row| number(row, has_nulls).map(|number| [number as u8; 24]));
        let bytes = FixedSizeBinaryArray::try_from_sparse_iter_with_size(rows, 24).unwrap();
        let all = NUMBERS.iter().chain([&DataType::Utf8]).map(|of| (of.to_string(), cast(&numbers, of).unwrap()));
        let bytes: ArrayRef = Arc::new(bytes);
        let entries = cast(&numbers, &DataType::Dictionary(DataType::Int8.into(), DataType::Int32.into())).unwrap();
        let batch = RecordBatch::try_from_iter_with_nullable(
            all.chain([("bytes".to_owned(), bytes), ("entries".to_owned(), entries)])
                .map(|(name, column)| (name, column, has_nulls)),
        )
        .unwrap();
        let properties = properties
            .set_compression(Compression::LZ4_RAW)
            .set_write_batch_size(1)
            .set_data_page_row_count_limit(7)
            .set_max_row_group_row_count(Some(50))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn read(place: &Place, rows: &Range<u64>, names: &[&str]) -> Result<Vec<Vec<Column>>, ParquetError> {
        let file = TableReader::open(place)?;
        let footer = TableFooter::read(&file)?;
        let groups = footer.groups_of(rows);
        footer
            .batches(
                PageSource { file, most_bytes: 1 << 20, undecodable: Error::Damaged(UNDECODABLE.into()) },
                names,
                groups,
                20,
            )
            .collect()
    }

    /// The values of a column as numbers; of byte strings the first byte.
    fn numbers(column: Column) -> Vec<Option<i64>> {
        match column {
            Column::Integers(values) => values,
            Column::Unsigned(values) => values.into_iter().map(|v| v.map(|v| v as i64)).collect(),
            Column::Floats(values) => values.into_iter().map(|v| v.map(|v| v as i64)).collect(),
            Column::Flags(values) => values.into_iter().map(|v| v.map(i64::from)).collect(),
            Column::Bytes(values) => values.into_iter().map(|v| v.map(|v| v.data()[23].into())).collect(),
            Column::Other(n) => vec![Some(-1); n],
        }
    }

    fn writers() -> impl Iterator<Item = (bool, WriterPropertiesBuilder)> {
        let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
        let writers = versions.into_iter().flat_map(|version| [false, true].map(|nulls| (version, nulls)));
        writers.flat_map(|(version, nulls)| {
            let new = || WriterProperties::builder().set_writer_version(version);
            let plain = new().set_dictionary_enabled(false).set_encoding(Encoding::PLAIN);
            let of = |builder: WriterPropertiesBuilder, names: &[&str], encoding| {
                let set = |b: WriterPropertiesBuilder, name: &&str| b.set_column_encoding((*name).into(), encoding);
                names.iter().fold(builder, set)
            };
            let split =
                of(new().set_dictionary_enabled(false), &["Float32", "Float64", "bytes"], Encoding::BYTE_STREAM_SPLIT);
            let delta = of(split, &["Int8", "UInt32", "Int64", "UInt64"], Encoding::DELTA_BINARY_PACKED);
            [new(), plain, delta].map(|properties| (nulls, properties))
        })
    }

    #[test]
    fn any_rows_of_every_type_are_read_however_they_are_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.parquet");
        let names: Vec<String> = NUMBERS.iter().map(DataType::to_string).collect();
        let others = ["bytes", "entries", "Utf8", "none"];
        let names: Vec<&str> = names.iter().map(String::as_str).chain(others).collect();
        for (has_nulls, properties) in writers() {
            std::fs::write(&path, table(has_nulls, properties)).unwrap();
            for rows in [0..N, 0..1, 49..51, 50..100, 61..N, 9..9, N - 1..N] {
                let mut found = vec![Vec::new(); names.len()];
                for batch in read(&Place::of(&path).unwrap(), &rows, &names).unwrap() {
                    found.iter_mut().zip(batch).for_each(|(found, column)| found.extend(numbers(column)));
                }
                let expected: Vec<_> = rows.clone().map(|row| number(row, has_nulls)).collect();
                for (name, found) in names.iter().zip(found) {
                    match *name {
                        "Utf8" | "none" => assert_eq!(found, vec![Some(-1); expected.len()]),
                        "Boolean" => {
                            let flags = expected.iter().map(|v| v.map(|v| i64::from(v != 0)));
                            assert_eq!(found, flags.collect::<Vec<_>>());
                        }
                        _ => assert_eq!(found, expected, "{name} {rows:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn columns_that_are_no_numbers_are_told_by_their_type() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.parquet");
        std::fs::write(&path, table(true, WriterProperties::builder())).unwrap();
        let footer = TableFooter::read(&TableReader::open(&Place::of(&path).unwrap()).unwrap()).unwrap();
        let of = |name| footer.type_of_no_numbers(name).map(DataType::to_string);
        assert_eq!(
            ["Boolean", "Utf8", "bytes"].map(of).map(Option::unwrap),
            ["Boolean", "Utf8", "FixedSizeBinary(24)"]
        );
        assert_eq!(["Int8", "UInt64", "Float32", "Float64", "entries", "none"].map(of), [const { None }; 6]);
    }

    #[test]
    fn a_page_with_a_byte_that_is_wrong_gives_no_other_values() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::of(&directory.path().join("table.parquet")).unwrap();
        let values: Vec<i64> = (0..300).map(|i: i64| i.wrapping_mul(0x5851_F42D_4C95_7F2D) >> 40).collect();
        let mut table = NumberTable::create(&place, &[("n", NumberType::Int64)], 1000).unwrap();
        table.push(vec![values.clone()]).unwrap();
        table.finish().unwrap();
        let footer = TableFooter::read(&TableReader::open(&place).unwrap()).unwrap();
        let (start, n_bytes) = footer.metadata.row_group(0).column(0).byte_range();
        let whole = std::fs::read(place.path()).unwrap();
        let mut n_refused = 0;
        for at in start..start + n_bytes {
            let mut bytes = whole.clone();
            bytes[at as usize] ^= 4;
            std::fs::write(place.path(), bytes).unwrap();
            match read(&place, &(0..300), &["n"]) {
                Ok(batches) => {
                    let found = batches.into_iter().flatten().flat_map(|column| column.integers::<i64>().unwrap());
                    assert!(found.eq(values.iter().copied()), "byte {at}");
                }
                Err(_) => n_refused += 1,
            }
        }
        assert!(n_refused > n_bytes * 9 / 10, "{n_refused} of {n_bytes}");
    }

    #[test]
    fn a_damaged_byte_never_ends_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.parquet");
        let place = Place::of(&path).unwrap();
        let mut n_refused = 0;
        for (first, (has_nulls, properties)) in writers().enumerate() {
            let good = table(has_nulls, properties);
            for i in (first..good.len()).step_by(101) {
                let mut bytes = good.clone();
                bytes[i] ^= 1 << (i % 8);
                std::fs::write(&path, bytes).unwrap();
                let found = read(&place, &(7..N), &["Boolean", "Int8", "Int64", "Float64", "bytes"]);
                n_refused += u32::from(found.is_err());
            }
        }
        assert!(n_refused > 100, "only {n_refused}");
    }
}

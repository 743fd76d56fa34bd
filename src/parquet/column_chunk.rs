//! Column chunks: the pages of one column in one row group, with the metadata that the footer says of them.

use parquet::basic::{BoundaryOrder, Compression, Encoding, PageType, Type, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::schema::types::ColumnDescPtr;

use crate::parquet::bounds::Bounds;
use crate::parquet::page::{self, PageKind};
use crate::parquet::{encodings, lz4};
use crate::table::columns::Source;
use crate::table::values::{Rows, Values};

/// Compression level of Zstandard: the fastest of the regular ones.
const ZSTD_LEVEL: i32 = 1;

/// What all chunks of a writer share: the compressor, whose tables are costly to set up, and buffers.
pub(crate) struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
    /// Compressed header bytes, of which a page may be shorter than the one before.
    rows: Vec<u8>,
}

impl Encoder {
    pub fn new() -> std::io::Result<Self> {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
        Ok(Self { zstd, plain: Vec::new(), packed: Vec::new(), rows: Vec::new() })
    }
}

/// One column in one row group.
///
/// As long as the values equal the first one they are only counted. A chunk that ends so is a dictionary of one
/// entry, some eighty bytes whatever the number of rows.
pub(crate) struct Chunk {
    source: Source,
    descr: ColumnDescPtr,
    rows_of_first_value: usize,
    pages: Vec<Page>,
    /// The pages to write, in order.
    bytes: Vec<Vec<u8>>,
    /// Length of the dictionary page, if there is one.
    dictionary_length: usize,
    /// Length of all pages, with their values compressed or not.
    compressed: usize,
    uncompressed: usize,
}

/// A data page as the page index describes it.
#[derive(Clone)]
struct Page {
    length: usize,
    n_rows: usize,
    /// Rows without a value.
    n_nulls: usize,
    bounds: Bounds,
}

/// A chunk as it is written to the file, with its metadata.
pub(crate) struct FinishedChunk {
    /// The pages that were not taken before.
    pub bytes: Vec<Vec<u8>>,
    pub metadata: ColumnChunkMetaData,
    pub column_index: Option<ColumnIndexMetaData>,
    pub offset_index: OffsetIndexMetaData,
    pub bounds: Bounds,
}

impl Chunk {
    pub fn new(source: Source, descr: ColumnDescPtr) -> Self {
        Self {
            source,
            descr,
            rows_of_first_value: 0,
            pages: Vec::new(),
            bytes: Vec::new(),
            dictionary_length: 0,
            compressed: 0,
            uncompressed: 0,
        }
    }

    /// Adds the rows of one page. `first` is the first row of the row group, which they are all like where their `changed` is 0.
    pub fn push(
        &mut self,
        rows: &Rows<'_>,
        first: &Rows<'_>,
        page_rows: usize,
        encoder: &mut Encoder,
    ) -> std::io::Result<()> {
        let n_rows = rows.bytes.len() / rows.width;
        if self.pages.is_empty() && rows.is_constant(self.source) {
            self.rows_of_first_value += n_rows;
            return Ok(());
        }
        if self.rows_of_first_value > 0 {
            self.write_out_first_value(first, page_rows, encoder)?;
        }
        if let Source::RawBytes { offset, width, pairwise_swapped } = self.source {
            let raw = rows.stored(offset, width, pairwise_swapped);
            let n = lz4::compress_rows(&raw, width, &mut encoder.rows);
            self.append(Encoding::PLAIN, n_rows, 0, raw.len(), &encoder.rows[..n], Bounds::None);
            return Ok(());
        }
        self.push_values(&rows.values(self.source), n_rows, encoder)
    }

    /// The pages so far, to be written before the chunk ends.
    pub fn take_bytes(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.bytes)
    }

    /// Turns the rows that were only counted into pages: the column varies after all.
    fn write_out_first_value(
        &mut self,
        first: &Rows<'_>,
        page_rows: usize,
        encoder: &mut Encoder,
    ) -> std::io::Result<()> {
        let values = first.values(self.source).repeat_first(page_rows);
        // Only the last page of a row group is short, and it is not counted here.
        for _ in 0..std::mem::take(&mut self.rows_of_first_value) / page_rows {
            self.push_values(&values, page_rows, encoder)?;
        }
        Ok(())
    }

    /// Adds the values of one page.
    pub fn push_values(&mut self, values: &Values, n_rows: usize, encoder: &mut Encoder) -> std::io::Result<()> {
        let plain = &mut encoder.plain;
        plain.clear();
        match values {
            Values::Int32(v) => encodings::delta_binary_packed(v, plain),
            Values::Int64(v) => encodings::delta_binary_packed(v, plain),
            Values::Float(v) => encodings::split_bytes(&v.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>(), plain),
            Values::Double(v) => encodings::split_bytes(&v.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>(), plain),
            Values::Text(v) => encodings::plain_text(v, plain),
            Values::Bool(v) => encodings::hybrid_bits(v.len(), |i| v[i], plain),
            Values::Nullable(v) => {
                encodings::hybrid_bits(v.len(), |i| !v[i].is_nan(), plain);
                let there = v.iter().filter(|v| !v.is_nan()).map(|v| v.to_le_bytes());
                encodings::split_bytes(&there.collect::<Vec<_>>(), plain);
            }
        }
        encoder.packed.clear();
        encoder.packed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        encoder.zstd.compress_to_buffer(plain, &mut encoder.packed)?;
        let bounds = Bounds::of(values, self.source);
        let n_nulls = n_nulls(values);
        self.append(varying_encoding(values), n_rows, n_nulls, plain.len(), &encoder.packed, bounds);
        Ok(())
    }

    fn append(
        &mut self,
        encoding: Encoding,
        n_rows: usize,
        n_nulls: usize,
        uncompressed: usize,
        body: &[u8],
        bounds: Bounds,
    ) {
        let length = self.append_page(PageKind::Data(encoding), n_rows, uncompressed, body);
        self.pages.push(Page { length, n_rows, n_nulls, bounds });
    }

    /// Returns the length of the page.
    fn append_page(&mut self, kind: PageKind, n_values: usize, uncompressed: usize, body: &[u8]) -> usize {
        let page = page::page(kind, n_values, uncompressed, body);
        let length = page.len();
        self.compressed += length;
        self.uncompressed += length - body.len() + uncompressed;
        self.bytes.push(page);
        length
    }

    /// The value of the column in a row.
    pub fn value(&self, row: &Rows<'_>) -> Values {
        row.values(self.source)
    }

    /// Ends the chunk, whose first byte is at `position` of the file, and begins that of the next row group. `value` is
    /// that of its first row; where all values came as pages, its type is enough.
    pub fn finish(&mut self, value: &Values, position: u64) -> Result<FinishedChunk, ParquetError> {
        let (compression, encoding);
        if self.pages.is_empty() {
            (compression, encoding) = (Compression::UNCOMPRESSED, self.append_constant(value));
        } else if matches!(self.source, Source::RawBytes { .. }) {
            (compression, encoding) = (Compression::LZ4_RAW, Encoding::PLAIN);
        } else {
            (compression, encoding) = (Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?), varying_encoding(value));
        }
        let chunk = std::mem::replace(self, Self::new(self.source, self.descr.clone()));
        let has_dictionary = chunk.dictionary_length > 0;
        let data_page = |count| PageEncodingStats { page_type: PageType::DATA_PAGE, encoding, count };
        let dictionary_page =
            PageEncodingStats { page_type: PageType::DICTIONARY_PAGE, encoding: Encoding::PLAIN, count: 1 };
        let mut page_stats = vec![data_page(chunk.pages.len() as i32)];
        let mut encodings = vec![Encoding::RLE, encoding];
        if has_dictionary {
            page_stats.insert(0, dictionary_page);
            encodings.insert(0, Encoding::PLAIN);
        }

        let all_bounds = chunk.pages.iter().map(|page| page.bounds.clone());
        let bounds = all_bounds.reduce(|all, page| all.merge(&page)).unwrap_or(Bounds::None);
        let n_rows: usize = chunk.pages.iter().map(|page| page.n_rows).sum();
        let n_nulls: usize = chunk.pages.iter().map(|page| page.n_nulls).sum();
        let data_position = position as i64 + chunk.dictionary_length as i64;
        let mut metadata = ColumnChunkMetaData::builder(chunk.descr.clone())
            .set_compression(compression)
            .set_encodings(encodings)
            .set_page_encoding_stats(page_stats)
            .set_total_compressed_size(chunk.compressed as i64)
            .set_total_uncompressed_size(chunk.uncompressed as i64)
            .set_num_values(n_rows as i64)
            .set_dictionary_page_offset(has_dictionary.then_some(position as i64))
            .set_data_page_offset(data_position);
        if let Some(statistics) = bounds.statistics(chunk.descr.physical_type(), n_nulls as u64) {
            metadata = metadata.set_statistics(statistics);
        }
        Ok(FinishedChunk {
            metadata: metadata.build()?,
            column_index: chunk.column_index()?,
            offset_index: chunk.offset_index(data_position),
            bytes: chunk.bytes,
            bounds,
        })
    }

    /// Appends a dictionary with the one value, and a page that refers to it for all rows. What a dictionary cannot
    /// hold, a Boolean or nothing, takes a page of one run. Returns the encoding of the page.
    fn append_constant(&mut self, value: &Values) -> Encoding {
        let n_rows = std::mem::take(&mut self.rows_of_first_value);
        let (mut body, n_nulls) = (Vec::new(), n_nulls(value) * n_rows);
        let bounds = Bounds::of(value, self.source).of_repeated(n_rows as u64);
        let in_page = match value {
            Values::Bool(v) => Some((Encoding::RLE, v.first() == Some(&true))),
            Values::Nullable(_) if n_nulls > 0 => Some((Encoding::PLAIN, false)),
            _ => None,
        };
        if let Some((encoding, bit)) = in_page {
            encodings::hybrid_bits(n_rows, |_| bit, &mut body);
            self.append(encoding, n_rows, n_nulls, body.len(), &body, bounds);
            return encoding;
        }
        match value {
            Values::Int32(v) => body.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Values::Int64(v) => body.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Values::Float(v) => body.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Values::Double(v) | Values::Nullable(v) => body.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Values::Bool(_) => {}
            Values::Text(v) => encodings::plain_text(v, &mut body),
        }
        self.dictionary_length = self.append_page(PageKind::Dictionary, 1, body.len(), &body);
        body.clear();
        if self.source.is_nullable() {
            encodings::hybrid_bits(n_rows, |_| true, &mut body);
        }
        encodings::first_entry_repeated(n_rows, &mut body);
        self.append(Encoding::RLE_DICTIONARY, n_rows, 0, body.len(), &body, bounds);
        Encoding::RLE_DICTIONARY
    }

    fn column_index(&self) -> Result<Option<ColumnIndexMetaData>, ParquetError> {
        let physical = self.descr.physical_type();
        let is_float = matches!(physical, Type::FLOAT | Type::DOUBLE);
        let mut builder = ColumnIndexBuilder::new(physical);
        for page in &self.pages {
            if page.n_nulls == page.n_rows {
                builder.append(true, Vec::new(), Vec::new(), page.n_nulls as i64, is_float.then_some(0));
                continue;
            }
            // An index that lacks a page would be wrong, so one such page costs the index of the chunk.
            let Some((min, max, n_nan)) = page.bounds.plain(physical) else { return Ok(None) };
            let n_nan = is_float.then_some(n_nan.unwrap_or(0) as i64);
            builder.append(false, min, max, page.n_nulls as i64, n_nan);
        }
        let mut neighbours = self.pages.windows(2);
        builder.set_boundary_order(if neighbours.clone().all(|p| p[0].bounds.ascends_to(&p[1].bounds)) {
            BoundaryOrder::ASCENDING
        } else if neighbours.all(|p| p[1].bounds.ascends_to(&p[0].bounds)) {
            BoundaryOrder::DESCENDING
        } else {
            BoundaryOrder::UNORDERED
        });
        builder.build().map(Some)
    }

    fn offset_index(&self, mut position: i64) -> OffsetIndexMetaData {
        let mut builder = OffsetIndexBuilder::new();
        for page in &self.pages {
            builder.append_offset_and_size(position, page.length as i32);
            builder.append_row_count(page.n_rows as i64);
            position += page.length as i64;
        }
        builder.build()
    }
}

/// The encoding of pages whose values vary. DELTA_BINARY_PACKED suits counters and coordinates; the bytes of
/// doubles compress better apart from each other.
fn varying_encoding(values: &Values) -> Encoding {
    match values {
        Values::Int32(_) | Values::Int64(_) => Encoding::DELTA_BINARY_PACKED,
        Values::Float(_) | Values::Double(_) | Values::Nullable(_) => Encoding::BYTE_STREAM_SPLIT,
        Values::Bool(_) => Encoding::RLE,
        Values::Text(_) => Encoding::PLAIN,
    }
}

/// Rows without a value.
fn n_nulls(values: &Values) -> usize {
    match values {
        Values::Nullable(v) => v.iter().filter(|v| v.is_nan()).count(),
        _ => 0,
    }
}

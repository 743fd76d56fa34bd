//! Column chunks: the pages of one column in one row group, and what the footer says about them.

use parquet::basic::{BoundaryOrder, CompressionCodec, Encoding, LogicalType, PageType, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::schema::types::ColumnDescPtr;

use crate::parquet::bounds::Bounds;
use crate::parquet::page::{self, PageKind};
use crate::parquet::values::Values;
use crate::parquet::{encodings, lz4};

/// Compression level of Zstandard: the fastest apart from the negative ones.
const ZSTD_LEVEL: i32 = 1;

/// What all chunks of a writer share: the compressor, whose tables are costly to set up, and buffers.
pub(crate) struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
    /// For [`lz4::compress_rows`], which keeps it as long as the longest page needed.
    lz4: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
        Ok(Self { zstd, plain: Vec::new(), packed: Vec::new(), lz4: Vec::new() })
    }
}

/// One column in one row group: pages of values, pages of byte strings, or one value for all rows.
pub(crate) struct Chunk {
    descr: ColumnDescPtr,
    /// The encoding of all data pages.
    encoding: Encoding,
    compression: CompressionCodec,
    data_pages: Vec<DataPage>,
    /// The pages to write, in order.
    bytes: Vec<Vec<u8>>,
    /// Pages that were written, to be filled again, the next one last.
    written: Vec<Vec<u8>>,
    /// Length of the dictionary page; 0 if there is none.
    dictionary_length: usize,
    /// Length of all pages with their bodies compressed, and with them uncompressed.
    compressed: usize,
    uncompressed: usize,
}

/// A data page as the page index describes it.
struct DataPage {
    length: usize,
    n_rows: usize,
    n_nulls: usize,
    bounds: Bounds,
}

/// A chunk as it is written to the file, with its metadata.
pub(crate) struct FinishedChunk {
    /// The pages.
    pub bytes: Vec<Vec<u8>>,
    pub metadata: ColumnChunkMetaData,
    pub column_index: Option<ColumnIndexMetaData>,
    pub offset_index: OffsetIndexMetaData,
    pub bounds: Bounds,
}

impl Chunk {
    pub(crate) fn new(descr: ColumnDescPtr) -> Self {
        Self {
            descr,
            encoding: Encoding::PLAIN,
            compression: CompressionCodec::UNCOMPRESSED,
            data_pages: Vec::new(),
            bytes: Vec::new(),
            written: Vec::new(),
            dictionary_length: 0,
            compressed: 0,
            uncompressed: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.data_pages.is_empty()
    }

    /// Adds a page of values.
    pub(crate) fn push(&mut self, values: &Values, encoder: &mut Encoder) -> std::io::Result<()> {
        let Encoder { zstd, plain, packed, .. } = encoder;
        plain.clear();
        let encoding = values.encode(plain);
        packed.clear();
        packed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        zstd.compress_to_buffer(plain, packed)?;
        self.compression = CompressionCodec::ZSTD;
        let bounds = Bounds::of(values, self.is_unsigned());
        self.append(encoding, values.n_rows(), values.n_nulls(), plain.len(), packed, bounds);
        Ok(())
    }

    /// Adds a page of byte strings of `width` bytes each, without bounds.
    pub(crate) fn push_bytes(&mut self, rows: &[u8], width: usize, encoder: &mut Encoder) {
        let n = lz4::compress_rows(rows, width, &mut encoder.lz4);
        self.compression = CompressionCodec::LZ4_RAW;
        self.append(Encoding::PLAIN, rows.len() / width, 0, rows.len(), &encoder.lz4[..n], Bounds::None);
    }

    /// Fills an empty chunk with `n_rows` times the same value, in some eighty bytes: a dictionary of one entry, and a
    /// page in which all rows refer to it. A Boolean or null, which a dictionary cannot hold, becomes a page of one
    /// run.
    pub(crate) fn push_constant(&mut self, value: &Values, n_rows: usize) {
        let (mut body, n_nulls) = (Vec::new(), value.n_nulls() * n_rows);
        let bounds = Bounds::of(value, self.is_unsigned()).of_repeated(n_rows as u64);
        let without_dictionary = match value {
            Values::Bool(v) => Some((Encoding::RLE, v.first() == Some(&true))),
            Values::Nullable(_) | Values::NullableInt64(_) if n_nulls > 0 => Some((Encoding::PLAIN, false)),
            _ => None,
        };
        if let Some((encoding, bit)) = without_dictionary {
            encodings::hybrid_bits(n_rows, |_| bit, &mut body);
            self.append(encoding, n_rows, n_nulls, body.len(), &body, bounds);
            return;
        }
        value.encode_dictionary(&mut body);
        self.dictionary_length = self.append_page(PageKind::Dictionary, 1, body.len(), &body);
        body.clear();
        if matches!(value, Values::Nullable(_) | Values::NullableInt64(_)) {
            encodings::hybrid_bits(n_rows, |_| true, &mut body);
        }
        encodings::first_entry_repeated(n_rows, &mut body);
        self.append(Encoding::RLE_DICTIONARY, n_rows, 0, body.len(), &body, bounds);
    }

    /// Whether the column holds unsigned integers.
    fn is_unsigned(&self) -> bool {
        matches!(self.descr.logical_type_ref(), Some(LogicalType::Integer(integer)) if !integer.is_signed)
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
        self.encoding = encoding;
        let length = self.append_page(PageKind::Data(encoding), n_rows, uncompressed, body);
        self.data_pages.push(DataPage { length, n_rows, n_nulls, bounds });
    }

    /// Returns the length of the page.
    fn append_page(&mut self, kind: PageKind, n_values: usize, uncompressed: usize, body: &[u8]) -> usize {
        let mut page = self.written.pop().unwrap_or_default();
        page::fill(&mut page, kind, n_values, uncompressed, body);
        let length = page.len();
        self.compressed += length;
        self.uncompressed += length - body.len() + uncompressed;
        self.bytes.push(page);
        length
    }

    /// Takes back the pages of a finished chunk, whose memory those of the next will use.
    pub(crate) fn reuse(&mut self, mut pages: Vec<Vec<u8>>) {
        pages.reverse();
        self.written = pages;
    }

    /// Ends the chunk, whose first byte is at `position` of the file, and begins that of the next row group.
    pub(crate) fn finish(&mut self, position: u64) -> Result<FinishedChunk, ParquetError> {
        let chunk = std::mem::replace(self, Self::new(self.descr.clone()));
        let has_dictionary = chunk.dictionary_length > 0;
        let pages = |page_type, encoding, n: usize| PageEncodingStats { page_type, encoding, count: n as i32 };
        let mut page_stats = vec![pages(PageType::DATA_PAGE, chunk.encoding, chunk.data_pages.len())];
        let mut encodings = vec![Encoding::RLE, chunk.encoding];
        if has_dictionary {
            page_stats.insert(0, pages(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1));
            encodings.insert(0, Encoding::PLAIN);
        }

        let all_bounds = chunk.data_pages.iter().map(|page| page.bounds.clone());
        let bounds = all_bounds.reduce(|all, page| all.merge(&page)).unwrap_or(Bounds::None);
        let n_rows: usize = chunk.data_pages.iter().map(|page| page.n_rows).sum();
        let n_nulls: usize = chunk.data_pages.iter().map(|page| page.n_nulls).sum();
        let data_position = position as i64 + chunk.dictionary_length as i64;
        let mut metadata = ColumnChunkMetaData::builder(chunk.descr.clone())
            .set_compression_codec(chunk.compression)
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

    fn column_index(&self) -> Result<Option<ColumnIndexMetaData>, ParquetError> {
        let physical = self.descr.physical_type();
        let is_float = matches!(physical, Type::FLOAT | Type::DOUBLE);
        let mut builder = ColumnIndexBuilder::new(physical);
        for page in &self.data_pages {
            if page.n_nulls == page.n_rows {
                builder.append(true, Vec::new(), Vec::new(), page.n_nulls as i64, is_float.then_some(0));
                continue;
            }
            // An index must have all pages, so a chunk with one page of unknown bounds has no index.
            let Some((min, max, n_nan)) = page.bounds.plain(physical) else { return Ok(None) };
            let n_nan = is_float.then_some(n_nan.unwrap_or(0) as i64);
            builder.append(false, min, max, page.n_nulls as i64, n_nan);
        }
        let mut neighbours = self.data_pages.windows(2);
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
        for page in &self.data_pages {
            builder.append_offset_and_size(position, page.length as i32);
            builder.append_row_count(page.n_rows as i64);
            position += page.length as i64;
        }
        builder.build()
    }
}

//! Reading the pages of tables that other programs may have written: what would cost memory without end, or end the
//! program inside the library, is an error.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::base::error::Error;
use crate::parquet::thrift::I32;
use crate::store::{Stream, TableReader};

/// An error of this program as one of the library.
pub(crate) fn error(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

/// The pages of a column chunk.
pub(crate) struct CheckedPages {
    pages: SerializedPageReader<PageSource>,
    has_dictionary: bool,
}

impl CheckedPages {
    pub(crate) fn of(file: &Arc<PageSource>, chunk: &ColumnChunkMetaData, n_rows: usize) -> Result<Self, ParquetError> {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        if start < 0 || chunk.compressed_size() < 0 {
            return Err(error("a column of it is said to lie before its start"));
        }
        Ok(Self { pages: SerializedPageReader::new(file.clone(), chunk, n_rows, None)?, has_dictionary: false })
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.pages.get_next_page()?;
        match &page {
            Some(Page::DictionaryPage { buf, num_values, .. }) if *num_values as usize > buf.len() => {
                return Err(error("a dictionary of it has fewer values than it says"));
            }
            Some(Page::DictionaryPage { .. }) => self.has_dictionary = true,
            Some(page)
                if !self.has_dictionary
                    && matches!(page.encoding(), Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY) =>
            {
                return Err(error("a page of it needs a dictionary that is not there"));
            }
            _ => {}
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }
}

/// A table as the library reads it, page by page.
pub(crate) struct PageSource {
    pub file: TableReader,
    /// A page that unpacks to more is refused.
    pub most_bytes: u64,
    /// The error for a page that the library cannot decode.
    pub undecodable: Error,
}

impl Length for PageSource {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for PageSource {
    type T = PageHeader;

    /// The library asks so for the header of a page.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(PageHeader { bytes: self.file.get_read(start)?, most_bytes: self.most_bytes, is_checked: false })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.file.get_bytes(start, length)
    }
}

/// The header of a page. It is refused, when it is read, where the page would unpack to more than the table can have.
pub(crate) struct PageHeader {
    bytes: BufReader<Stream>,
    most_bytes: u64,
    is_checked: bool,
}

impl Read for PageHeader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        use io::BufRead;
        if !std::mem::replace(&mut self.is_checked, true) {
            match unpacked_bytes(self.bytes.fill_buf()?) {
                Some(n) if n <= self.most_bytes => {}
                Some(n) => return Err(io::Error::other(format!("a page of it says that it unpacks to {n} bytes"))),
                None => return Err(io::Error::other("a page of it has no header")),
            }
        }
        self.bytes.read(out)
    }
}

/// The unpacked size that a page declares: the second field of its header, after its type, in the Thrift compact protocol.
/// Source: `PageHeader` in <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.
fn unpacked_bytes(header: &[u8]) -> Option<u64> {
    const NEXT_I32: u8 = 1 << 4 | I32;
    let (_, header) = number(header.strip_prefix(&[NEXT_I32])?)?;
    let (n, _) = number(header.strip_prefix(&[NEXT_I32])?)?;
    // Of a signed number the last bit is the sign.
    (n & 1 == 0).then_some(n >> 1)
}

/// A number of seven bits a byte, and the bytes after it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let n = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)? + 1;
    let (code, after) = bytes.split_at(n);
    Some((code.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7F)), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_page_is_read_as_it_is_written() {
        assert_eq!(unpacked_bytes(&[0x15, 0, 0x15, 0x80, 0x01, 0x15]), Some(64));
        assert_eq!(unpacked_bytes(&[0x15, 4, 0x15, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F]), Some(0x7FFF_FFFF));
        for wrong in
            [&[][..], &[0x15], &[0x15, 0, 0x15, 0x80], &[0x15, 0, 0x15, 1], &[0x25, 0, 0x15, 2], &[0x15, 0, 0x16, 2]]
        {
            assert_eq!(unpacked_bytes(wrong), None, "{wrong:?}");
        }
    }
}

//! A part of a dataset's traces, and the matching file headers.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::dataset::table_file::TableFile;
use crate::dataset::{Dataset, OriginalFile, damaged};
use crate::dataset_files::GATHER_INDEX;
use crate::segy::ByteOrder;
use crate::segy::layout::FILE_HEADER_BYTES;

/// First byte (from 1) of the trace count and of the number of data trailer stanzas (rev 2.1, table 2).
const TRACE_COUNT_BYTE: usize = 3513;
const TRAILER_COUNT_BYTE: usize = 3529;
/// Bytes of a number of the index.
const VALUE_BYTES: usize = 8;

/// `A:B`: from A up to but not including B, counted from 0; without A from the start, without B to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First number, from 0.
    pub start: u64,
    /// One past the last number; `None` for the end.
    pub end: Option<u64>,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| "write A:B, as in 100:200, 100: or :200".to_owned());
        let (start, end) = text.split_once(':').ok_or("write A:B, as in 100:200, 100: or :200")?;
        let start = if start.is_empty() { 0 } else { number(start)? };
        let end = if end.is_empty() { None } else { Some(number(end)?) };
        if end.is_some_and(|end| end <= start) {
            return Err(format!("{text} is empty: B is not included"));
        }
        Ok(Self { start, end })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.start)?;
        self.end.map_or(Ok(()), |end| write!(f, "{end}"))
    }
}

/// Which traces to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    /// All traces of the file.
    All,
    /// By `trace_index` of `headers.parquet`.
    Traces(Span),
    /// By `ensemble_id` of `ensemble_index.parquet`.
    Gathers(Span),
}

impl Part {
    /// The dataset's traces (from 0) that this selects.
    ///
    /// # Errors
    /// `Error::Usage` for numbers out of range.
    pub fn traces(self, dataset: &Dataset) -> Result<Range<u64>> {
        match self {
            Self::All => Ok(0..dataset.array.n_traces),
            Self::Traces(span) => within(span, dataset.array.n_traces, "--traces", "traces", dataset),
            Self::Gathers(span) => {
                let gathers = within(span, dataset.n_gathers, "--gathers", "gathers", dataset)?;
                let first = gather(dataset, gathers.start)?;
                let last = gather(dataset, gathers.end - 1)?;
                Ok(first.start..last.end)
            }
        }
    }
}

fn within(span: Span, n: u64, option: &str, what: &str, dataset: &Dataset) -> Result<Range<u64>> {
    let end = span.end.unwrap_or(n);
    if span.start < end && end <= n {
        return Ok(span.start..end);
    }
    let root = dataset.root.display();
    Err(Error::Usage(format!("{option} {span}: {root} has {n} {what}; 0:{n} selects all of them")))
}

/// The traces of one gather.
fn gather(dataset: &Dataset, id: u64) -> Result<Range<u64>> {
    let path = dataset.path(GATHER_INDEX);
    let table = TableFile::open(path.clone(), dataset.n_gathers, VALUE_BYTES)?;
    let mut reader = table.rows(&(id..id + 1), &["start_trace", "end_trace"])?;
    let row = reader.next().ok_or_else(|| damaged(&path, format!("gather {id} is not in it")))?;
    let ends: Option<Vec<u64>> = row?.into_iter().map(|column| column.integers()?.pop()).collect();
    match ends.as_deref() {
        Some(&[start, end]) if start < end && end <= dataset.array.n_traces => Ok(start..end),
        _ => Err(damaged(&path, format!("gather {id} is none"))),
    }
}

/// The first bytes of a file, at most up to the end of the binary header.
pub(crate) fn file_head(file: &OriginalFile) -> Result<Vec<u8>> {
    let end = file.label_bytes as usize + FILE_HEADER_BYTES as usize;
    let mut head = Vec::new();
    file.bytes_before_traces.pieces(&mut |offset, bytes| {
        let wanted = end.saturating_sub(offset as usize).min(bytes.len());
        head.extend_from_slice(&bytes[..wanted]);
        Ok(())
    })?;
    Ok(head)
}

/// What changes before and after the traces when only some of them are exported.
pub(crate) struct Around {
    /// The first bytes of the file, at most up to the end of the binary header.
    pub head: Vec<u8>,
    /// Whether the bytes after the traces are kept.
    pub keeps_after: bool,
}

/// Adapts the file header and trailer to `n_traces` traces: sets the trace count of revision 2, and keeps bytes after
/// the traces only if the binary header declares them.
pub(crate) fn fit_around(n_traces: u64, dataset: &Dataset, file: &OriginalFile) -> Result<Around> {
    let start = file.label_bytes as usize;
    let end = start + FILE_HEADER_BYTES as usize;
    let mut around = Around { head: file_head(file)?, keeps_after: false };
    let Some(header) = around.head.get_mut(start..end).filter(|_| file.major_revision >= 2) else {
        return Ok(around);
    };
    if dataset.pairwise_swapped {
        swap_pairs(&mut header[3200..]);
    }
    around.keeps_after = header[TRAILER_COUNT_BYTE - 1..][..4] != [0; 4];
    let count = &mut header[TRACE_COUNT_BYTE - 1..][..8];
    if count.iter().any(|&b| b != 0) {
        count.copy_from_slice(&match file.binary_order {
            ByteOrder::Big => n_traces.to_be_bytes(),
            ByteOrder::Little => n_traces.to_le_bytes(),
        });
    }
    if dataset.pairwise_swapped {
        swap_pairs(&mut header[3200..]);
    }
    Ok(around)
}

fn swap_pairs(bytes: &mut [u8]) {
    bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_in_python() {
        assert_eq!("3:7".parse(), Ok(Span { start: 3, end: Some(7) }));
        assert_eq!(":7".parse(), Ok(Span { start: 0, end: Some(7) }));
        assert_eq!("3:".parse(), Ok(Span { start: 3, end: None }));
        for wrong in ["", "3", "7:7", "7:3", "-1:3", "a:b", "1:2:3"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}

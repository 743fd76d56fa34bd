//! Writing an object, which takes its bytes only in their order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use crate::base::system::FileExt;

/// Bytes written in order; those that arrive early wait in a temporary file.
pub(super) struct InOrder<W> {
    pub(super) writer: W,
    pub(super) end: u64,
    /// Offset and length of what waits.
    waiting: BTreeMap<u64, u64>,
    /// Holds it at the same offsets.
    spool: Option<File>,
}

impl<W: Write> InOrder<W> {
    /// Bytes that are taken out of the temporary file at a time.
    const PIECE_BYTES: u64 = 1 << 20;

    pub(super) fn new(writer: W) -> Self {
        Self { writer, end: 0, waiting: BTreeMap::new(), spool: None }
    }

    /// Writes bytes that belong at `offset`, now or once what is before them has come.
    pub(super) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        if offset != self.end {
            return self.keep(offset, bytes);
        }
        self.writer.write_all(bytes)?;
        self.end += bytes.len() as u64;
        while let Some(n) = self.waiting.remove(&self.end) {
            self.take(n)?;
        }
        Ok(())
    }

    fn keep(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let spool = match self.spool.take() {
            Some(spool) => spool,
            None => tempfile::tempfile()?,
        };
        self.spool.insert(spool).write_all_at(bytes, offset)?;
        match self.waiting.range_mut(..offset).next_back() {
            Some((start, n)) if *start + *n == offset => *n += bytes.len() as u64,
            _ if bytes.is_empty() => {}
            _ => {
                self.waiting.insert(offset, bytes.len() as u64);
            }
        }
        Ok(())
    }

    /// Writes the next `n` bytes, which wait.
    fn take(&mut self, n: u64) -> std::io::Result<()> {
        let Some(spool) = &self.spool else { return Ok(()) };
        let end = self.end + n;
        let mut piece = vec![0; n.min(Self::PIECE_BYTES) as usize];
        while self.end < end {
            let piece = &mut piece[..(end - self.end).min(Self::PIECE_BYTES) as usize];
            spool.read_exact_at(piece, self.end)?;
            self.writer.write_all(piece)?;
            self.end += piece.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Place, Writer};

    #[test]
    fn bytes_in_any_order_come_out_in_theirs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("object");
        let whole: Vec<u8> = (0..100).collect();
        let mut out = InOrder::new(Writer::create(&Place::of(&path).unwrap()).unwrap());
        for (start, end) in [(50, 60), (0, 10), (60, 61), (90, 100), (20, 50), (10, 20), (20, 20), (61, 90)] {
            out.write_at(start as u64, &whole[start..end]).unwrap();
        }
        assert_eq!((out.end, out.waiting.len()), (100, 0));
        out.writer.finish().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), whole);
    }
}

//! The second traces at a place, in the order of the file.
//!
//! They are found window by window of the map. Memory: a page of bits, one for each trace; the rest is in temporary files.

use std::fs::File;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::base::system::FileExt;

/// Bytes of bits in memory.
const PAGE_BYTES: u64 = 64 << 10;
/// Traces of a page.
const PAGE_TRACES: u64 = PAGE_BYTES * 8;

/// Collects traces.
pub(crate) struct Aside {
    /// A bit for each trace.
    bits: File,
    page: Vec<u8>,
    /// The number of the page in memory.
    number: u64,
    is_changed: bool,
}

impl Aside {
    pub(crate) fn new() -> Result<Self> {
        let bits = tempfile::tempfile().map_err(failed("a temporary file for the traces aside"))?;
        Ok(Self { bits, page: vec![0; PAGE_BYTES as usize], number: 0, is_changed: false })
    }

    /// Adds a trace.
    pub(crate) fn push(&mut self, trace: u64) -> Result<()> {
        self.turn_to(trace / PAGE_TRACES)?;
        let bit = trace % PAGE_TRACES;
        if let Some(byte) = self.page.get_mut((bit / 8) as usize) {
            *byte |= 1 << (bit % 8);
        }
        self.is_changed = true;
        Ok(())
    }

    fn turn_to(&mut self, number: u64) -> Result<()> {
        if number == self.number {
            return Ok(());
        }
        let failure = || failed("the traces aside");
        if self.is_changed {
            self.bits.write_all_at(&self.page, self.number * PAGE_BYTES).map_err(failure())?;
        }
        (self.number, self.is_changed) = (number, false);
        self.page.fill(0);
        let (mut read, start) = (0, number * PAGE_BYTES);
        // Pages beyond the end have no bits yet.
        while let Some(rest) = self.page.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.bits.read_at(rest, start + read as u64).map_err(failure())? {
                0 => break,
                n => read += n,
            }
        }
        Ok(())
    }

    /// The numbers of the traces out of `n_traces`, ascending: eight bytes each, little-endian.
    pub(crate) fn list(mut self, n_traces: u64, cancel: &CancelHandle) -> Result<File> {
        let list = tempfile::tempfile().map_err(failed("a temporary file for the traces aside"))?;
        let (mut numbers, mut at) = (Vec::new(), 0);
        for page in 0..n_traces.div_ceil(PAGE_TRACES) {
            cancel.check()?;
            self.turn_to(page)?;
            numbers.clear();
            for (first, &byte) in (page * PAGE_TRACES..).step_by(8).zip(&self.page).filter(|(_, byte)| **byte != 0) {
                let set = (0..8).filter(|bit| byte >> bit & 1 == 1);
                numbers.extend(set.flat_map(|bit| (first + bit).to_le_bytes()));
            }
            list.write_all_at(&numbers, at).map_err(failed("the traces aside"))?;
            at += numbers.len() as u64;
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn traces_come_out_in_the_order_of_the_file() {
        let mut aside = Aside::new().unwrap();
        let traces = [3 * PAGE_TRACES + 1, 7, PAGE_TRACES, 0, PAGE_TRACES - 1, 8, 3 * PAGE_TRACES];
        traces.iter().for_each(|&trace| aside.push(trace).unwrap());
        let list = aside.list(3 * PAGE_TRACES + 2, &CancelHandle::new()).unwrap();
        let mut bytes = vec![0; traces.len() * 8];
        list.read_exact_at(&mut bytes, 0).unwrap();
        let found: Vec<u64> = bytes.as_chunks().0.iter().map(|n| u64::from_le_bytes(*n)).collect();
        assert_eq!(found, BTreeSet::from(traces).into_iter().collect::<Vec<_>>());
        assert_eq!(list.metadata().unwrap().len(), bytes.len() as u64);
    }
}

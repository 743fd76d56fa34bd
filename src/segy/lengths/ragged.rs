//! Traces of varying length: the sample count in each trace header says where the next trace begins.
//!
//! One walk along this chain proves that it ends where the traces end, and keeps the offset of every `step`-th trace
//! ([`TraceIndex`]). Other traces are found by walking from the nearest kept one ([`TraceFinder`]).
//! Source: SEG-Y rev 2.1, trace header bytes 115-116, and bytes 137-140 of trace header extension 1.

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::segy::binary_header::big_endian;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::layout::Layout;
use crate::segy::samples::format::ByteOrder;
use crate::segy::text;

/// What to do with a file whose traces differ in length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ragged {
    /// Refuse it, naming the first odd trace.
    #[default]
    Refuse,
    /// Pad shorter traces with the fill value; the column `n_samples` gives the number of samples of each trace.
    Pad,
}

/// The most offsets kept, so that the plan stays small for any number of traces.
const MAX_KEPT: usize = 1 << 14;
/// A walk releases the mapped bytes it has passed each time it has gone this far.
const RELEASE_BYTES: u64 = 8 << 20;
/// For longer traces, reading ahead over the samples would read the whole file for its headers.
const SHORT_TRACE_BYTES: u64 = 64 << 10;
/// How many traces a walk does between two calls of its watch.
const WATCH_TRACES: u64 = 4096;

/// The locations of traces of varying length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceIndex {
    /// Traces from one kept offset to the next; a power of two.
    pub step: u64,
    /// Offset of traces 0, `step`, 2 × `step` …
    pub offsets: Vec<u64>,
    /// Offset after the last trace.
    pub end: u64,
    /// Samples of the shortest trace; the longest has those of the layout.
    pub min_samples: u32,
}

impl TraceIndex {
    /// Whether it can be the index of `n_traces` traces that end at `end`.
    pub(crate) fn is_consistent(&self, n_traces: u64, end: u64) -> bool {
        self.step > 0
            && self.offsets.len() as u64 == n_traces.div_ceil(self.step)
            && self.offsets.is_sorted()
            && self.offsets.last().is_some_and(|&last| last < end)
    }
}

/// The progress of a walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Traces passed.
    pub n_traces: u64,
    /// Bytes passed, and of how many.
    pub bytes: u64,
    pub of_bytes: u64,
}

/// Called with the progress of a walk; an error stops it.
pub(crate) type Watch<'w> = dyn Fn(Walked) -> Result<()> + 'w;

/// The chain of traces that a walk follows, and how it is read.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) file: &'a SegyFile,
    /// Offset of the first trace.
    pub(crate) start: u64,
    /// Offset after the last trace.
    pub(crate) end: u64,
    /// Bytes of all headers of one trace.
    pub(crate) header_bytes: usize,
    /// Bytes of one sample.
    pub(crate) sample_bytes: usize,
    pub(crate) order: ByteOrder,
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The last trace ends where the traces end.
    Exact,
    /// Fewer bytes are left than a trace header has.
    Rest(u64),
    /// The trace needs more bytes than are left.
    Cut { needed: u64, left: u64 },
    /// The trace says it has no samples.
    NoSamples,
    /// The requested number of traces was reached.
    Enough,
}

/// The result of a walk: the whole traces before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) index: TraceIndex,
    pub(crate) n_traces: u64,
    pub(crate) max_samples: u32,
    /// The first trace whose count differs from that of the first one, with its count.
    pub(crate) first_odd: Option<(u64, u32)>,
    /// Samples of the first trace.
    pub(crate) first_samples: u32,
    pub(crate) how: End,
}

/// The sample count in a trace header: that of trace header extension 1 if there is one, else bytes 115-116.
pub(crate) fn stated_samples(header: &[u8], order: ByteOrder) -> u32 {
    let extension = header.chunks(TRACE_HEADER_BYTES).skip(1).find(|block| is_extension_1(block));
    let extended = extension.map_or(0, |block| u32::from_be_bytes(big_endian(block, 136, order)));
    if extended != 0 { extended } else { u32::from(u16::from_be_bytes(big_endian(header, 114, order))) }
}

fn is_extension_1(block: &[u8]) -> bool {
    block.get(232..240).is_some_and(|name| text::decode_field(name) == "SEG00001")
}

impl Chain<'_> {
    /// Bytes of a trace of `n_samples` samples.
    pub(crate) fn trace_bytes(&self, n_samples: u32) -> u64 {
        self.header_bytes as u64 + u64::from(n_samples) * self.sample_bytes as u64
    }

    /// Walks from header to header up to the end of the traces.
    pub(crate) fn walk(&self, watch: &Watch) -> Result<Walk> {
        self.walk_over(u64::MAX, watch)
    }

    /// Walks from header to header, over at most `most` traces.
    pub(crate) fn walk_over(&self, most: u64, watch: &Watch) -> Result<Walk> {
        let index = TraceIndex { step: 1, offsets: Vec::new(), end: self.start, min_samples: u32::MAX };
        let mut walk = Walk { index, n_traces: 0, max_samples: 0, first_odd: None, first_samples: 0, how: End::Exact };
        let (mut offset, mut kept, mut buffer) = (self.start, self.start, Vec::new());
        walk.how = loop {
            if offset >= self.end {
                break End::Exact;
            }
            let left = self.end - offset;
            if left < self.header_bytes as u64 {
                break End::Rest(left);
            }
            if walk.n_traces == most {
                break End::Enough;
            }
            let n_samples = stated_samples(self.file.bytes(offset, self.header_bytes, &mut buffer)?, self.order);
            let needed = self.trace_bytes(n_samples);
            if n_samples == 0 {
                break End::NoSamples;
            }
            if needed > left {
                break End::Cut { needed, left };
            }
            if walk.n_traces == 0 {
                self.expect_reads(needed);
            }
            walk.add(offset, n_samples);
            offset += needed;
            if offset - kept >= RELEASE_BYTES {
                self.file.release(kept, (offset - kept) as usize);
                kept = offset;
                // The kernel's own read-ahead is slower than the disk.
                if needed < SHORT_TRACE_BYTES {
                    self.file.expect_read(offset + RELEASE_BYTES, RELEASE_BYTES as usize);
                }
            }
            if walk.n_traces.is_multiple_of(WATCH_TRACES) {
                let (bytes, of_bytes) = (offset - self.start, self.end - self.start);
                watch(Walked { n_traces: walk.n_traces, bytes, of_bytes })?;
            }
        };
        walk.index.end = offset;
        self.file.release(kept, (offset - kept) as usize);
        Ok(walk)
    }

    fn expect_reads(&self, trace_bytes: u64) {
        if trace_bytes < SHORT_TRACE_BYTES {
            self.file.expect_sequential_reads();
        } else {
            self.file.expect_scattered_reads();
        }
    }
}

impl Walk {
    fn add(&mut self, offset: u64, n_samples: u32) {
        let index = &mut self.index;
        if self.n_traces.is_multiple_of(index.step) {
            if index.offsets.len() == MAX_KEPT {
                let mut is_kept = false;
                index.offsets.retain(|_| {
                    is_kept = !is_kept;
                    is_kept
                });
                index.step *= 2;
            }
            if self.n_traces.is_multiple_of(index.step) {
                index.offsets.push(offset);
            }
        }
        index.min_samples = index.min_samples.min(n_samples);
        self.max_samples = self.max_samples.max(n_samples);
        if self.n_traces == 0 {
            self.first_samples = n_samples;
        } else if n_samples != self.first_samples {
            self.first_odd.get_or_insert((self.n_traces, n_samples));
        }
        self.n_traces += 1;
    }

    /// Why the walk stopped short, as a sentence about a trace; `None` if it did not.
    pub(crate) fn complaint(&self, file: &SegyFile) -> Option<String> {
        let (trace, byte) = (self.n_traces + 1, file.byte_number(self.index.end));
        match self.how {
            End::Exact | End::Enough => None,
            End::Rest(n) => Some(format!("{n} bytes after trace {}, from byte {byte}, are not a trace", self.n_traces)),
            End::NoSamples => Some(format!(
                "trace {trace}, at byte {byte}, says 0 samples (bytes 115-116), so the next one cannot be found"
            )),
            End::Cut { needed, left } => Some(format!(
                "trace {trace} needs {needed} bytes by its sample count (bytes 115-116), but only {left} are left from byte {byte}"
            )),
        }
    }
}

/// Consecutive traces with the same number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Offset of the first one.
    pub offset: u64,
    pub n_traces: u64,
    /// Samples of each.
    pub n_samples: u32,
    /// Bytes from one to the next.
    pub stride: usize,
}

/// Finds traces of one file. If lengths vary it reads headers, and remembers what it read last.
#[derive(Default)]
pub(crate) struct TraceFinder {
    /// Offset and samples of the traces from number `first` on.
    block: Vec<(u64, u32)>,
    first: u64,
    buffer: Vec<u8>,
}

impl TraceFinder {
    /// Trace `trace` (from 0) and those after it of the same length, at most `most` in total.
    ///
    /// # Errors
    /// `Error::Input` if the headers have changed since the layout was inferred.
    pub(crate) fn find(&mut self, file: &SegyFile, layout: &Layout, trace: u64, most: u64) -> Result<Places> {
        let Some(index) = &layout.varying else {
            return Ok(Places {
                offset: layout.trace_offset(trace),
                n_traces: most.min(layout.n_traces - trace.min(layout.n_traces)),
                n_samples: layout.n_samples,
                stride: layout.stride(),
            });
        };
        if trace < self.first || trace - self.first >= self.block.len() as u64 {
            self.load(file, layout, index, trace / index.step)?;
        }
        let rest = &self.block[(trace - self.first) as usize..];
        let Some(&(offset, n_samples)) = rest.first() else { return Err(changed(file, trace)) };
        let same = rest.iter().take(usize::try_from(most).unwrap_or(usize::MAX)).take_while(|(_, n)| *n == n_samples);
        let stride = layout.header_bytes() + n_samples as usize * layout.format().bytes;
        Ok(Places { offset, n_traces: same.count() as u64, n_samples, stride })
    }

    /// Walks from a kept offset to the next one.
    fn load(&mut self, file: &SegyFile, layout: &Layout, index: &TraceIndex, at: u64) -> Result<()> {
        let first = at * index.step;
        let changed = || changed(file, first);
        let place = usize::try_from(at).map_err(|_| changed())?;
        let mut offset = *index.offsets.get(place).ok_or_else(changed)?;
        let end = index.offsets.get(place + 1).copied().unwrap_or(index.end);
        self.block.clear();
        self.first = first;
        let n = index.step.min(layout.n_traces.saturating_sub(first));
        for _ in 0..n {
            let header = file.bytes(offset, layout.header_bytes(), &mut self.buffer)?;
            let n_samples = stated_samples(header, layout.byte_order);
            if !(index.min_samples..=layout.n_samples).contains(&n_samples) {
                self.block.clear();
                return Err(changed());
            }
            self.block.push((offset, n_samples));
            offset += (layout.header_bytes() + n_samples as usize * layout.format().bytes) as u64;
        }
        if offset == end {
            Ok(())
        } else {
            self.block.clear();
            Err(changed())
        }
    }
}

fn changed(file: &SegyFile, trace: u64) -> Error {
    Error::Input(format!(
        "{}: the sample counts after trace {} are not what they were when the import was planned; the file changed meanwhile",
        file.path().display(),
        trace + 1
    ))
}

#[cfg(test)]
mod tests;

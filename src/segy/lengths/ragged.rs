//! Traces of varying length: the sample count in each trace header says where the next trace begins.
//!
//! One walk along this chain proves that it ends where the traces end, and keeps the offset of every so many-th trace
//! ([`TraceIndex`]). Whoever needs the others walks from the nearest kept one ([`TraceFinder`]).
//! Source: SEG-Y rev 2.1, trace header bytes 115-116, and bytes 137-140 of trace header extension 1.

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::segy::binary_header::big_endian;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::layout::Layout;
use crate::segy::samples::format::ByteOrder;
use crate::segy::text;

/// What is done with a file whose traces differ in length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ragged {
    /// It is refused, and the first odd trace named.
    #[default]
    Refuse,
    /// Shorter traces are padded with the fill value; the column `n_samples` says how many samples each trace has.
    Pad,
}

/// Offsets that are kept at most, so that the plan stays small however many traces there are.
const MAX_KEPT: usize = 1 << 14;
/// Mapped bytes are dropped behind a walk after so many.
const RELEASE_BYTES: u64 = 8 << 20;
/// Reading ahead over the samples of longer traces would read the whole file for its headers.
const SHORT_TRACE_BYTES: u64 = 64 << 10;
/// A walk asks whether it should go on after so many traces.
const WATCH_TRACES: u64 = 4096;

/// Where traces of varying length lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceIndex {
    /// Traces from one kept offset to the next; a power of two.
    pub step: u64,
    /// Offset of traces 0, `step`, 2 × `step` …
    pub offsets: Vec<u64>,
    /// Offset behind the last trace.
    pub end: u64,
    /// Samples of the shortest trace; the longest has those of the layout.
    pub min_samples: u32,
}

impl TraceIndex {
    /// Whether it can be that of so many traces in front of `end`.
    pub(crate) fn is_consistent(&self, n_traces: u64, end: u64) -> bool {
        self.step > 0
            && self.offsets.len() as u64 == n_traces.div_ceil(self.step)
            && self.offsets.is_sorted()
            && self.offsets.last().is_some_and(|&last| last < end)
    }
}

/// How far a walk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Traces behind it.
    pub n_traces: u64,
    /// Bytes behind it, of so many.
    pub bytes: u64,
    pub of_bytes: u64,
}

/// Told how far a walk is; says with an error that it should stop.
pub type Watch<'w> = dyn Fn(Walked) -> Result<()> + 'w;

/// What a walk goes along: the bytes of the traces, and how they are read.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) file: &'a SegyFile,
    /// Offset of the first trace.
    pub(crate) start: u64,
    /// Offset behind the last trace.
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
    /// The trace needs so many bytes, and fewer are left.
    Cut { needed: u64, left: u64 },
    /// The trace says that it has no samples.
    NoSamples,
    /// As many traces were seen as were asked for.
    Enough,
}

/// What a walk found: the whole traces in front of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) index: TraceIndex,
    pub(crate) n_traces: u64,
    pub(crate) max_samples: u32,
    /// The first trace whose count is another than that of the first one, with its count.
    pub(crate) first_odd: Option<(u64, u32)>,
    /// Samples of the first trace.
    pub(crate) first_samples: u32,
    pub(crate) how: End,
}

/// The sample count that a trace header states: that of trace header extension 1 if there is one, else bytes 115-116.
pub(crate) fn stated_samples(header: &[u8], order: ByteOrder) -> u32 {
    let extension = header.chunks(TRACE_HEADER_BYTES).skip(1).find(|block| is_extension_1(block));
    let extended = extension.map_or(0, |block| u32::from_be_bytes(big_endian(block, 136, order)));
    if extended != 0 { extended } else { u32::from(u16::from_be_bytes(big_endian(header, 114, order))) }
}

fn is_extension_1(block: &[u8]) -> bool {
    block.get(232..240).is_some_and(|name| text::decode_field(name) == "SEG00001")
}

impl Chain<'_> {
    /// Bytes of a trace of so many samples.
    pub(crate) fn trace_bytes(&self, n_samples: u32) -> u64 {
        self.header_bytes as u64 + u64::from(n_samples) * self.sample_bytes as u64
    }

    /// Goes from header to header up to the end of the traces.
    pub(crate) fn walk(&self, watch: &Watch) -> Result<Walk> {
        self.walk_over(u64::MAX, watch)
    }

    /// Goes from header to header, at most over `most` traces.
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
                // The kernel by itself does not read ahead as fast as the disk gives.
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

    /// Where the walk stopped short, as a sentence about a trace; `None` if it did not.
    pub(crate) fn complaint(&self) -> Option<String> {
        let (trace, byte) = (self.n_traces + 1, self.index.end + 1);
        match self.how {
            End::Exact | End::Enough => None,
            End::Rest(n) => Some(format!("{n} bytes behind trace {}, from byte {byte}, are no trace", self.n_traces)),
            End::NoSamples => Some(format!(
                "trace {trace}, at byte {byte}, says 0 samples (bytes 115-116), which does not tell where the next one begins"
            )),
            End::Cut { needed, left } => Some(format!(
                "trace {trace} needs {needed} bytes by its sample count (bytes 115-116), and {left} are left from byte {byte}"
            )),
        }
    }
}

/// Traces that lie one behind the other and have the same number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Offset of the first one.
    pub offset: u64,
    pub n_traces: u64,
    /// Samples of each.
    pub n_samples: u32,
    /// Bytes from one to the next.
    pub stride: usize,
}

/// Finds traces of one file. Where lengths vary it reads headers, and remembers what it read last.
#[derive(Default)]
pub struct TraceFinder {
    /// Offset and samples of the traces from number `first` on.
    block: Vec<(u64, u32)>,
    first: u64,
    buffer: Vec<u8>,
}

impl TraceFinder {
    /// Trace `trace` (from 0) and those behind it that are as long, at most `most` together.
    ///
    /// # Errors
    /// `Error::Input` where the headers are not as they were when the layout was inferred.
    pub fn find(&mut self, file: &SegyFile, layout: &Layout, trace: u64, most: u64) -> Result<Places> {
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
        "{}: the sample counts behind trace {} are not what they were when the import was planned; the file changed meanwhile",
        file.path().display(),
        trace + 1
    ))
}

#[cfg(test)]
mod tests;

//! What kind of SEG-Y a file is and where its parts lie, with the reason for each decision.
//!
//! Nothing is guessed silently: if the headers contradict the file size, the file is refused with a list of what
//! would fit. `segy::infer` decides.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::error::Result;
use crate::segy::axis::{Domain, SampleAxis};
use crate::segy::binary_header::BINARY_HEADER_OFFSET;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::{Access, Io, SegyFile};
use crate::segy::lengths::ragged::{Ragged, TraceIndex};
use crate::segy::quantity::Quantity;
use crate::segy::samples::format::{ByteOrder, SampleFormat, sample_format};
use crate::segy::text::{self, TextEncoding};

/// Length of the textual and binary file headers together.
pub(crate) const FILE_HEADER_BYTES: u64 = 3600;

/// The kind of the input file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputFormat {
    /// SEG-Y, all revisions.
    #[default]
    Segy,
    /// Seismic Unix: traces without a file header.
    Su,
    /// PASSCAL (IRIS): traces without a file header, integer samples.
    Passcal,
}

/// What the user says about the file, overriding its headers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// Byte order of the file.
    pub byte_order: Option<ByteOrder>,
    /// Byte order of trace headers and samples, if not that of the binary header.
    pub trace_byte_order: Option<ByteOrder>,
    /// Byte order of the samples, if not that of the headers.
    pub sample_byte_order: Option<ByteOrder>,
    /// Sample format code.
    pub format: Option<u16>,
    /// Samples per trace.
    pub n_samples: Option<u32>,
    /// Sample interval; without a unit in microseconds, or the units of a domain other than time.
    pub interval: Option<Quantity>,
    /// Value of the first sample; without a unit in milliseconds, or the units of a domain other than time.
    pub start: Option<Quantity>,
    /// What the sample axis measures.
    pub domain: Option<Domain>,
    /// Character set of the textual headers.
    pub text_encoding: Option<TextEncoding>,
    /// Extended textual headers after the file header.
    pub extended_text_headers: Option<u32>,
    /// Bytes after the last trace.
    pub trailer_bytes: Option<u64>,
    /// Major and minor revision.
    pub revision: Option<(u8, u8)>,
    /// Take the whole traces of a file that ends in the middle of one.
    pub allow_truncated: bool,
    /// The kind of the file, whatever its name says.
    pub input_format: Option<InputFormat>,
    /// What to do with traces of varying length.
    pub ragged: Ragged,
}

/// One decision about the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub what: String,
    pub value: String,
    /// The bytes or the reasoning behind it.
    pub because: String,
}

/// What a file is and where its parts lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Length of the file, including a label.
    pub file_bytes: u64,
    /// The kind of the file, which decides what the trace headers hold.
    #[serde(default)]
    pub kind: InputFormat,
    /// Length of a tape label at the start. All offsets count from its end.
    pub label_bytes: u64,
    /// Byte order of the trace headers, and of everything else except the next two.
    pub byte_order: ByteOrder,
    /// Byte order of the samples, if it is different.
    #[serde(default)]
    pub sample_order: Option<ByteOrder>,
    /// Byte order of the binary header, if it is different.
    #[serde(default)]
    pub binary_order: Option<ByteOrder>,
    /// Whether neighbouring bytes are swapped everywhere after the textual header; reading puts them right.
    pub pairwise_swapped: bool,
    /// Major and minor revision used for reading.
    pub revision: (u8, u8),
    /// Sample format code, one of `format::FORMATS`.
    pub format_code: u16,
    pub n_traces: u64,
    /// Samples per trace; of the longest one if they vary.
    pub n_samples: u32,
    /// Where the traces lie, if their lengths differ.
    pub varying: Option<TraceIndex>,
    pub axis: SampleAxis,
    /// Encoding of the textual header.
    pub text_encoding: TextEncoding,
    /// Whether the user gave the encoding, which then applies to the extended headers too.
    pub text_encoding_given: bool,
    pub n_extended_text_headers: u32,
    /// Offset of the first trace.
    pub first_trace_offset: u64,
    /// Additional 240-byte headers per trace (rev 2).
    pub n_additional_headers: u32,
    /// Bytes after the last trace.
    pub trailing_bytes: u64,
    /// How the binary header says that the traces are sorted (bytes 3229-3230), if there is one.
    #[serde(default)]
    pub sorting_code: Option<i16>,
    /// The unit of lengths by the binary header (bytes 3255-3256): 1 metres, 2 feet; 0 if it says nothing.
    #[serde(default)]
    pub measurement_system: i16,
    /// Whether the file declares that all traces have the same length.
    pub fixed_length: bool,
    /// Whether the sample counts in the trace headers checked agree with `n_samples`, so that a trace that disagrees
    /// is unusual.
    pub trace_counts_agree: bool,
    pub decisions: Vec<Decision>,
    pub warnings: Vec<String>,
}

impl Layout {
    /// The format of the samples.
    pub fn format(&self) -> &'static SampleFormat {
        sample_format(self.format_code).unwrap_or(&crate::segy::samples::format::FORMATS[0])
    }

    /// Byte order of the samples.
    pub fn sample_byte_order(&self) -> ByteOrder {
        self.sample_order.unwrap_or(self.byte_order)
    }

    /// Byte order of the binary header.
    pub fn binary_byte_order(&self) -> ByteOrder {
        self.binary_order.unwrap_or(self.byte_order)
    }

    /// The encoding of an extended textual header, detected for each one unless the user gave it.
    pub fn encoding_of(&self, bytes: &[u8]) -> TextEncoding {
        if self.text_encoding_given { self.text_encoding } else { text::detect(bytes) }
    }

    /// Length of the headers before each trace's samples.
    pub fn header_bytes(&self) -> usize {
        TRACE_HEADER_BYTES * (1 + self.n_additional_headers as usize)
    }

    /// Length of the samples of the longest trace.
    pub fn sample_bytes(&self) -> usize {
        self.n_samples as usize * self.format().bytes
    }

    /// Bytes from the start of one trace to the next, at most.
    pub fn stride(&self) -> usize {
        self.header_bytes() + self.sample_bytes()
    }

    /// Offset of trace `index` (from 0) if all traces have one length; [`crate::segy::TraceFinder`] handles the
    /// others too.
    pub fn trace_offset(&self, index: u64) -> u64 {
        self.first_trace_offset + index * self.stride() as u64
    }

    /// Whether all traces lie within the file, so that no offset overflows. For a layout that was read from a plan.
    pub(crate) fn is_consistent(&self) -> bool {
        const MOST_BYTES: u64 = 1 << 62;
        let end = match &self.varying {
            None => {
                self.n_traces.checked_mul(self.stride() as u64).and_then(|n| n.checked_add(self.first_trace_offset))
            }
            Some(index) => Some(index.end).filter(|end| index.is_consistent(self.n_traces, *end)),
        };
        let end = end.and_then(|end| end.checked_add(self.label_bytes));
        sample_format(self.format_code).is_some()
            && self.trailing_bytes <= self.file_bytes
            && end.is_some_and(|end| end <= self.file_bytes.min(MOST_BYTES))
    }

    /// Opens the file that this layout was inferred from, for reading in the same way.
    pub fn open(&self, path: &Path, io: Io, access: Access) -> Result<SegyFile> {
        let mut file = SegyFile::open(path, io, access)?;
        file.skip_label(self.label_bytes)?;
        if self.pairwise_swapped {
            file.swap_pairs_from(BINARY_HEADER_OFFSET);
        }
        Ok(file)
    }

    /// Whether the file starts with textual and binary headers.
    pub fn has_file_header(&self) -> bool {
        self.first_trace_offset >= FILE_HEADER_BYTES
    }
}

//! Files that are not SEG-Y as they are but nearly so: traces without their file header, a file without its textual header,
//! records between their lengths. For the message, with what reads them if anything does.

use crate::segy::binary_header::{BINARY_HEADER_BYTES, big_endian};
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::file::SegyFile;
use crate::segy::infer::sample_look::{Look, look_of};
use crate::segy::samples::format::{ByteOrder, sample_format};
use crate::segy::text::TEXT_HEADER_BYTES;

/// Traces whose headers are compared.
const COMPARED: u64 = 16;
const ORDERS: [ByteOrder; 2] = [ByteOrder::Big, ByteOrder::Little];

/// What the file is, and how to read it, as the rest of a sentence that begins with its name.
pub(crate) fn looks_like(file: &SegyFile) -> Option<String> {
    in_records(file).or_else(|| without_text_header(file)).or_else(|| without_file_header(file))
}

/// A textual header between two copies of its length, as in files of Fortran and images of tapes.
fn in_records(file: &SegyFile) -> Option<String> {
    let start = file.copy(0, TEXT_HEADER_BYTES + 12).ok()?;
    let is_length = |order: ByteOrder| {
        let length = |at: usize| u32::from_be_bytes(big_endian(&start, at, order)) as usize;
        length(0) == TEXT_HEADER_BYTES && length(TEXT_HEADER_BYTES + 4) == TEXT_HEADER_BYTES
    };
    let order = ORDERS.into_iter().find(|&order| is_length(order))?;
    Some(format!(
        "has each record between two copies of its length ({order}, 3200 at bytes 1-4), as files of Fortran and images of tapes have; \
         take the lengths and any tape marks out (SEG-Y has none), and import what is left"
    ))
}

/// A file that begins with the binary header.
fn without_text_header(file: &SegyFile) -> Option<String> {
    let binary = file.copy(0, BINARY_HEADER_BYTES).ok()?;
    let first = BINARY_HEADER_BYTES as u64;
    ORDERS.into_iter().find(|&order| {
        let number = |at: usize| u16::from_be_bytes(big_endian(&binary, at, order));
        let format = sample_format(number(24));
        format.is_some_and(|format| agree(file, first, order, Some((number(20), number(16))), format.bytes).is_some())
    })?;
    Some(
        "begins with the binary header of SEG-Y and lacks the 3200 bytes of the textual header; put 3200 bytes in front \
         (head -c 3200 /dev/zero, then the file), and import that"
            .into(),
    )
}

/// Traces alone: the options that read them as Seismic Unix.
fn without_file_header(file: &SegyFile) -> Option<String> {
    let found = ORDERS.into_iter().find_map(|order| {
        let of = |bytes: usize| agree(file, 0, order, None, bytes).map(|n_samples| (order, n_samples, bytes));
        [4, 2, 8].into_iter().find_map(of)
    });
    let (order, n_samples, bytes) = found?;
    let format = match bytes {
        2 => " --format 3",
        8 => " --format 6",
        _ => match look_of(file, 0, order, n_samples) {
            Look::Ibm => " --format 1",
            Look::Integers => " --format 2",
            Look::Ieee | Look::Unknown => "",
        },
    };
    Some(format!(
        "has no file header but begins with a trace header ({order}, {n_samples} samples at bytes 115-116), like a file of Seismic \
         Unix; --input-format su{format} reads it"
    ))
}

/// The sample count that all trace headers from `first` on state, if it agrees with the size of the file. `expected` are the
/// count and the interval that they must have.
fn agree(
    file: &SegyFile,
    first: u64,
    order: ByteOrder,
    expected: Option<(u16, u16)>,
    sample_bytes: usize,
) -> Option<u32> {
    let telling = |offset: u64| {
        let bytes = file.copy(offset + 114, 4).ok()?;
        let number = |at: usize| u16::from_be_bytes(big_endian(&bytes, at, order));
        Some((number(0), number(2)))
    };
    let of_first = telling(first)?;
    let n_samples = of_first.0;
    let stride = TRACE_HEADER_BYTES as u64 + u64::from(n_samples) * sample_bytes as u64;
    let data = file.len().saturating_sub(first);
    let n = data / stride;
    let fits = n_samples > 0 && n > 0 && data.is_multiple_of(stride) && expected.is_none_or(|e| e == of_first);
    // A single trace agrees with itself; then its interval has to be there.
    let is_sure = n > 1 || of_first.1 > 0;
    (fits && is_sure && (0..n.min(COMPARED)).all(|i| telling(first + i * stride) == Some(of_first)))
        .then_some(n_samples.into())
}

//! The bytes of a file outside its traces, kept so that the file can be rebuilt: as base64 in `metadata.json`, or
//! above 1 MiB in files in `original/`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::dataset_files::ORIGINAL;
use crate::input::PlannedFile;
use crate::segy::{Access, Io, Layout, SegyFile};
use crate::store::checksum::{Checksum, Summing};
use crate::store::{Place, Reader, Writer};

/// Longer parts get their own file.
const MAX_IN_DOCUMENT: u64 = 1 << 20;
/// Bytes copied or compared at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A part of the file outside the traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    BeforeTraces,
    AfterTraces,
}

impl Part {
    /// The dataset file that holds this part if it is long: for the only input file, or for one of several (from 0),
    /// whose number (from 1) is prefixed.
    pub fn file_name(self, of_several: Option<usize>) -> String {
        let number = of_several.map_or(String::new(), |i| format!("{}_", i + 1));
        match self {
            Self::BeforeTraces => format!("{ORIGINAL}/{number}before_traces.bin"),
            Self::AfterTraces => format!("{ORIGINAL}/{number}after_traces.bin"),
        }
    }

    /// Where it lies in the file, including a label.
    fn range(self, layout: &Layout) -> Range<u64> {
        match self {
            Self::BeforeTraces => 0..layout.label_bytes + layout.first_trace_offset,
            Self::AfterTraces => layout.file_bytes - layout.trailing_bytes..layout.file_bytes,
        }
    }

    /// The bytes as base64 for the document; `None` if they get their own file.
    pub fn in_document(self, input: &Path, layout: &Layout) -> Result<Option<String>> {
        let range = self.range(layout);
        let n = range.end - range.start;
        if n > MAX_IN_DOCUMENT {
            return Ok(None);
        }
        let file = SegyFile::open(input, Io::Pread, Access::Headers)?;
        Ok(Some(STANDARD.encode(file.copy(range.start, n as usize)?)))
    }
}

/// Writes those parts of all input files that are too long for the document. Returns their names and checksums.
pub(crate) fn write_files(
    files: &[PlannedFile],
    dataset: &Place,
    cancel: &CancelHandle,
) -> Result<Vec<(String, Checksum)>> {
    crate::store::files::remove(&dataset.join(ORIGINAL))?;
    let mut written = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let of_several = (files.len() > 1).then_some(i);
        for part in [Part::BeforeTraces, Part::AfterTraces] {
            let range = part.range(&file.layout);
            if range.end - range.start > MAX_IN_DOCUMENT {
                let name = part.file_name(of_several);
                let checksum = write_file(&file.input.path, range, &dataset.join(&name), cancel)?;
                written.push((name, checksum));
            }
        }
    }
    Ok(written)
}

fn write_file(input: &Path, range: Range<u64>, path: &Place, cancel: &CancelHandle) -> Result<Checksum> {
    let wrong = || failed(path.display());
    if let Some(parent) = path.parent() {
        parent.create_directories().map_err(wrong())?;
    }
    let source = SegyFile::open(input, Io::Pread, Access::Traces)?;
    let mut target = Summing::new(Writer::create_sized(path, range.end - range.start).map_err(wrong())?);
    let mut buffer = Vec::new();
    for start in range.clone().step_by(PIECE_BYTES) {
        cancel.check()?;
        let n = (range.end - start).min(PIECE_BYTES as u64) as usize;
        target.write_all(source.bytes(start, n, &mut buffer)?).map_err(wrong())?;
    }
    let checksum = target.checksum();
    target.into_inner().finish().map_err(wrong())?;
    Ok(checksum)
}

/// A part of the file as stored in a dataset.
pub enum KeptBytes {
    Here(Vec<u8>),
    File { path: Place, bytes: u64 },
}

impl KeptBytes {
    /// Finds the part by the document or its list of checksums.
    ///
    /// # Errors
    /// `Error::Failed` for invalid base64, and if neither has it.
    pub fn find(
        part: Part,
        of_several: Option<usize>,
        document: Option<&str>,
        root: &Place,
        checksums: &BTreeMap<String, Checksum>,
    ) -> Result<Self> {
        if let Some(text) = document {
            if text.len() as u64 > MAX_IN_DOCUMENT.div_ceil(3) * 4 {
                return Err(Error::Failed(format!("bytes outside the traces: are more than {MAX_IN_DOCUMENT}")));
            }
            return Ok(Self::Here(STANDARD.decode(text).map_err(failed("bytes outside the traces"))?));
        }
        let name = part.file_name(of_several);
        let checksum = checksums.get(&name).ok_or_else(|| Error::Failed(format!("it has no checksum of {name}")))?;
        Ok(Self::File { path: root.join(&name), bytes: checksum.bytes })
    }

    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            Self::File { bytes, .. } => *bytes,
        }
    }

    /// Passes on the bytes piece by piece, each with its offset in the part.
    ///
    /// # Errors
    /// `Error::Failed` for a file that cannot be read or is too short; any error from `each`.
    pub fn pieces(&self, each: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let (path, bytes) = match self {
            Self::Here(bytes) => return each(0, bytes),
            Self::File { path, bytes } => (path, *bytes),
        };
        let mut file = Reader::open(path).and_then(Reader::whole).map_err(failed(path.display()))?;
        let mut buffer = vec![0; PIECE_BYTES];
        let mut offset = 0;
        while offset < bytes {
            let n = (bytes - offset).min(PIECE_BYTES as u64) as usize;
            file.read_exact(&mut buffer[..n]).map_err(|e| {
                Error::Failed(format!(
                    "{}: does not have the {bytes} bytes that metadata.json says: {e}",
                    path.display()
                ))
            })?;
            each(offset, &buffer[..n])?;
            offset += n as u64;
        }
        Ok(())
    }
}

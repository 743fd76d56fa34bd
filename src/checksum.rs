//! CRC-32C of whole files, as `metadata.json` keeps them for everything that has no checksum of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Result, failed};

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// Length and CRC-32C (Castagnoli) of a file, the latter as eight lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub bytes: u64,
    pub crc32c: String,
}

impl Checksum {
    /// Reads a file through.
    pub fn of_file(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(failed(path.display()))?;
        let mut sums = Summing::new(std::io::sink());
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer).map_err(failed(path.display()))? {
                0 => return Ok(sums.checksum()),
                n => sums.write_all(&buffer[..n]).map_err(failed(path.display()))?,
            }
        }
    }
}

/// A CRC-32C as it is written in documents.
pub fn hexadecimal(crc: u32) -> String {
    format!("{crc:08x}")
}

/// A writer that sums up what goes through it.
pub struct Summing<W> {
    inner: W,
    bytes: u64,
    crc: u32,
}

impl<W: Write> Summing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, bytes: 0, crc: 0 }
    }

    /// The checksum of all bytes so far.
    pub fn checksum(&self) -> Checksum {
        Checksum { bytes: self.bytes, crc32c: hexadecimal(self.crc) }
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, &bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_read_through_has_the_checksum_of_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = Summing::new(File::create(&path).unwrap());
        for i in 0..300_000u32 {
            file.write_all(&i.to_le_bytes()[..3]).unwrap();
        }
        assert_eq!(Checksum::of_file(&path).unwrap(), file.checksum());
        std::fs::write(&path, b"123456789").unwrap();
        let check = Checksum { bytes: 9, crc32c: "e3069283".into() };
        assert_eq!(Checksum::of_file(&path).unwrap(), check);
    }
}

//! Headers adapted to traces that are cut: the number of samples, and the delay of the first.

use crate::base::error::{Error, Result};
use crate::dataset::{Dataset, OriginalFile};
use crate::segy::ByteOrder;
use crate::segy::fields::TRACE_HEADER_BYTES;
use crate::segy::layout::{FILE_HEADER_BYTES, InputFormat};
use crate::segy::{apply_scalar, is_scalar};

/// First bytes (from 1) of the numbers of samples in the binary header: int16, and uint32 from revision 2 on.
const SAMPLES_BYTE: usize = 3221;
const EXTENDED_SAMPLES_BYTE: usize = 3269;
/// Fields of the trace header.
const DELAY_BYTE: usize = 109;
pub(super) const COUNT_BYTE: usize = 115;
const TIME_SCALAR_BYTE: usize = 215;
/// The times that the scalar applies to besides the delay.
const OTHER_TIMES: [usize; 9] = [95, 97, 99, 101, 103, 105, 107, 111, 113];
/// The number of samples in trace header extension 1, and the name of that header at its end.
const EXTENSION_COUNT_BYTE: usize = 137;
const EXTENSION_NAME_BYTE: usize = 233;
const EXTENSION_NAMES: [&[u8]; 2] = [b"SEG00001", &[0xE2, 0xC5, 0xC7, 0xF0, 0xF0, 0xF0, 0xF0, 0xF1]];

/// Fewer samples of each trace.
#[derive(Clone, Debug)]
pub(super) struct CroppedHeaders {
    n_samples: u64,
    /// By how much the first sample lies deeper, in units of the axis.
    shift: f64,
    units: String,
    order: ByteOrder,
    binary_order: ByteOrder,
    major_revision: u8,
    first_trace: u64,
}

impl CroppedHeaders {
    /// For samples `samples` of a file; `None` if those are all.
    ///
    /// # Errors
    /// `Error::Usage` where the headers cannot say so.
    pub(super) fn new(samples: &std::ops::Range<u64>, dataset: &Dataset, file: &OriginalFile) -> Result<Option<Self>> {
        let (first, all) = match &dataset.part {
            Some(part) => (part.first_sample, part.n_samples),
            None => (0, dataset.array.n_samples),
        };
        if samples.end - samples.start == all {
            return Ok(None);
        }
        let refused = |what: &str| Err(Error::Usage(format!("{}: {what}", dataset.root.display())));
        if dataset.has_sample_counts {
            return refused("its traces have different lengths; only whole traces can be exported");
        }
        if dataset.input_format == InputFormat::Passcal {
            return refused("is of a PASSCAL file; only whole traces can be exported");
        }
        let axis = &dataset.sample_axis;
        if axis.interval.is_none() && first + samples.start > 0 {
            return refused("the interval of its samples is not known, so the delay of later ones cannot be given");
        }
        Ok(Some(Self {
            n_samples: samples.end - samples.start,
            // From that of the file on.
            shift: axis.value(first + samples.start) - axis.value(0),
            units: axis.units_text().to_owned(),
            order: dataset.byte_order,
            binary_order: file.binary_order,
            major_revision: file.major_revision,
            first_trace: file.traces.start,
        }))
    }

    /// Changes the numbers of samples in the 3600 bytes of a file header, if there is one.
    ///
    /// # Errors
    /// `Error::Usage` for a number that does not fit.
    pub(super) fn file_header(&self, header: &mut [u8]) -> Result<()> {
        if header.len() < FILE_HEADER_BYTES as usize {
            return Ok(());
        }
        let extended = read::<4>(header, EXTENDED_SAMPLES_BYTE);
        let has_extended = self.major_revision >= 2 && extended != [0; 4];
        if has_extended {
            write(header, EXTENDED_SAMPLES_BYTE, bytes_4(self.n_samples as u32, self.binary_order));
        }
        self.count(header, SAMPLES_BYTE, self.binary_order, has_extended)
    }

    /// Changes the number of samples and the delay in the headers of a trace.
    ///
    /// # Errors
    /// `Error::Usage` for a number that does not fit.
    pub(super) fn trace_header(&self, trace: u64, headers: &mut [u8]) -> Result<()> {
        let mut has_extended = false;
        for extension in headers.chunks_exact_mut(TRACE_HEADER_BYTES).skip(1) {
            let name: [u8; 8] = read(extension, EXTENSION_NAME_BYTE);
            if EXTENSION_NAMES.contains(&name.as_slice()) && read::<4>(extension, EXTENSION_COUNT_BYTE) != [0; 4] {
                write(extension, EXTENSION_COUNT_BYTE, bytes_4(self.n_samples as u32, self.order));
                has_extended = true;
            }
        }
        self.count(headers, COUNT_BYTE, self.order, has_extended)?;
        if self.shift == 0.0 { Ok(()) } else { self.delay(trace, headers) }
    }

    /// Writes the number of samples where one stands. What does not fit int16 is written only as the file had it.
    fn count(&self, header: &mut [u8], byte: usize, order: ByteOrder, has_extended: bool) -> Result<()> {
        let old = number_2(read(header, byte), order);
        if old == 0 {
            return Ok(());
        }
        let fits = i16::try_from(self.n_samples).is_ok() || old > i16::MAX as u16;
        match u16::try_from(self.n_samples).ok().filter(|_| fits) {
            Some(n) => write(header, byte, bytes_2(n, order)),
            None if has_extended => write(header, byte, [0; 2]),
            None => {
                return Err(Error::Usage(format!(
                    "{} samples are more than the int16 at bytes {byte}-{} holds",
                    self.n_samples,
                    byte + 1
                )));
            }
        }
        Ok(())
    }

    /// Moves the delay. Where it becomes a fraction the scalar changes, unless the header has another time.
    fn delay(&self, trace: u64, header: &mut [u8]) -> Result<()> {
        let number = |byte: usize| number_2(read(header, byte), self.order).cast_signed();
        let scalar = if self.major_revision == 0 { 1 } else { number(TIME_SCALAR_BYTE) };
        let delay = apply_scalar(f64::from(number(DELAY_BYTE)), scalar) + self.shift;
        let is_alone = self.major_revision > 0 && OTHER_TIMES.iter().all(|&byte| number(byte) == 0);
        let others = [-10, -100, -1000, -10_000];
        let scalars = std::iter::once(scalar).chain(others.into_iter().filter(|_| is_alone));
        let Some((scalar, raw)) = scalars.filter_map(|scalar| Some((scalar, unscaled(delay, scalar)?))).next() else {
            return Err(Error::Usage(format!(
                "trace {}: its first sample would be at {delay} {}, which the int16 at bytes 109-110 with its scalar at bytes \
                 215-216 does not hold; begin at another sample",
                trace - self.first_trace + 1,
                self.units
            )));
        };
        write(header, DELAY_BYTE, bytes_2(raw.cast_unsigned(), self.order));
        if self.major_revision > 0 && scalar != number_2(read(header, TIME_SCALAR_BYTE), self.order).cast_signed() {
            write(header, TIME_SCALAR_BYTE, bytes_2(scalar.cast_unsigned(), self.order));
        }
        Ok(())
    }
}

/// The number that a scalar makes `value`, if there is one.
fn unscaled(value: f64, scalar: i16) -> Option<i16> {
    let raw = match scalar {
        n if !is_scalar(n) || n == 0 => value,
        n if n < 0 => value * -f64::from(n),
        n => value / f64::from(n),
    };
    let whole = raw.round();
    let fits = (raw - whole).abs() < 1e-6 && (f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&whole);
    fits.then_some(whole as i16)
}

fn read<const N: usize>(header: &[u8], byte: usize) -> [u8; N] {
    header.get(byte - 1..).and_then(|rest| rest.first_chunk().copied()).unwrap_or([0; N])
}

fn write<const N: usize>(header: &mut [u8], byte: usize, bytes: [u8; N]) {
    if let Some(place) = header.get_mut(byte - 1..).and_then(|rest| rest.first_chunk_mut()) {
        *place = bytes;
    }
}

fn number_2(bytes: [u8; 2], order: ByteOrder) -> u16 {
    order.choose([u16::from_be_bytes(bytes), u16::from_le_bytes(bytes)])
}

fn bytes_2(number: u16, order: ByteOrder) -> [u8; 2] {
    order.choose([number.to_be_bytes(), number.to_le_bytes()])
}

fn bytes_4(number: u32, order: ByteOrder) -> [u8; 4] {
    order.choose([number.to_be_bytes(), number.to_le_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cropped(n_samples: u64, shift: f64, major_revision: u8) -> CroppedHeaders {
        let (order, binary_order) = (ByteOrder::Big, ByteOrder::Big);
        CroppedHeaders { n_samples, shift, units: "ms".into(), order, binary_order, major_revision, first_trace: 0 }
    }

    fn header(fields: &[(usize, i16)]) -> Vec<u8> {
        let mut header = vec![0; 240];
        fields.iter().for_each(|&(byte, value)| write(&mut header, byte, value.to_be_bytes()));
        header
    }

    fn field(header: &[u8], byte: usize) -> i16 {
        i16::from_be_bytes(read(header, byte))
    }

    #[test]
    fn the_delay_moves_with_the_first_sample() {
        for (revision, delay, scalar, other, shift, expected) in [
            (1, 100, 0, 0, 24.0, Some((124, 0))),
            (1, 1000, -10, 5, 24.0, Some((1240, -10))),
            (1, 100, 0, 0, 0.5, Some((1005, -10))),
            (1, 100, 0, 7, 0.5, None),
            (0, 100, 0, 0, 0.5, None),
            (1, 1, 100, 7, 200.0, Some((3, 100))),
            (1, 32_000, 0, 7, 1000.0, None),
            (1, -36, 0, 0, 40.0, Some((4, 0))),
        ] {
            let mut header = header(&[(109, delay), (215, scalar), (103, other), (115, 50)]);
            let done = cropped(20, shift, revision).trace_header(4, &mut header);
            assert_eq!(done.is_ok().then(|| (field(&header, 109), field(&header, 215))), expected, "{done:?}");
            assert!(done.is_ok() == (field(&header, 115) == 20) || done.is_err());
        }
    }

    #[test]
    fn a_number_of_samples_is_written_where_one_stands() {
        let counted = |old: u16, n: u64| {
            let mut header = header(&[(115, old.cast_signed())]);
            cropped(n, 0.0, 1).trace_header(0, &mut header).map(|()| field(&header, 115).cast_unsigned())
        };
        assert_eq!((counted(50, 20), counted(0, 20), counted(60_000, 40_000)), (Ok(20), Ok(0), Ok(40_000)));
        assert!(counted(50, 40_000).is_err());
        let mut header = vec![0; 3600];
        write(&mut header, SAMPLES_BYTE, [0, 50]);
        write(&mut header, EXTENDED_SAMPLES_BYTE, 100_000_u32.to_be_bytes());
        cropped(70_000, 0.0, 2).file_header(&mut header).unwrap();
        assert_eq!(
            (read(&header, SAMPLES_BYTE), read(&header, EXTENDED_SAMPLES_BYTE)),
            ([0; 2], 70_000_u32.to_be_bytes())
        );
    }

    #[test]
    fn the_extension_has_the_number_too() {
        let mut headers = [header(&[(115, 50)]), header(&[(139, 50)])].concat();
        headers[240 + 232..].copy_from_slice(b"SEG00001");
        cropped(20, 0.0, 2).trace_header(0, &mut headers).unwrap();
        assert_eq!((field(&headers, 115), read(&headers[240..], EXTENSION_COUNT_BYTE)), (20, 20_u32.to_be_bytes()));
    }
}

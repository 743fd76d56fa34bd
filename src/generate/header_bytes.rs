//! The binary file header and the trace headers.
//!
//! Byte positions count from 1, as in the standard: from the start of the file for the binary
//! header, from the start of the trace for trace headers (SEG-Y rev 2.1, tables 2 and 3).

use crate::generate::maths::sine;
use crate::generate::survey::{Point, Survey, Trace};
use crate::generate::{GenerateConfig, SurveyKind};
use crate::segy::ByteOrder;
use crate::segy::samples::format::SampleFormat;

/// Bytes of a trace header.
pub(super) const TRACE_HEADER_BYTES: usize = 240;
const BINARY_HEADER_BYTES: usize = 400;
/// Where the first trace starts, and the byte position before the binary header.
const FILE_HEADER_BYTES: u64 = 3600;
const TEXTUAL_HEADER_BYTES: usize = 3200;

/// Coordinates and elevations are in centimetres; the scalar makes them metres.
const CENTIMETRES: i16 = -100;
/// World coordinates of the origin, metres, and cosine and sine of the rotation of the x axis.
const ORIGIN_M: Point = Point { x: 431_000.0, y: 6_478_000.0 };
const ROTATION: (f64, f64) = (0.8, 0.6);
const FIRST_YEAR: u64 = 2023;
const FIRST_DAY_OF_YEAR: u64 = 120;
const DAY_S: u64 = 86_400;

/// Writes numbers at the byte positions of the standard.
struct Fields<'a> {
    bytes: &'a mut [u8],
    order: ByteOrder,
    /// Bytes of the file or the trace before `bytes`.
    skipped: usize,
}

impl Fields<'_> {
    fn put<const N: usize>(&mut self, first_byte: usize, mut big_endian: [u8; N]) {
        if self.order == ByteOrder::Little {
            big_endian.reverse();
        }
        let start = first_byte - 1 - self.skipped;
        self.bytes[start..start + N].copy_from_slice(&big_endian);
    }

    fn int16(&mut self, first_byte: usize, value: i16) {
        self.put(first_byte, value.to_be_bytes());
    }

    fn uint16(&mut self, first_byte: usize, value: u16) {
        self.put(first_byte, value.to_be_bytes());
    }

    fn int32(&mut self, first_byte: usize, value: i32) {
        self.put(first_byte, value.to_be_bytes());
    }

    /// A number that grows with the survey, capped at the largest that fits.
    fn count16(&mut self, first_byte: usize, value: u64) {
        self.int16(first_byte, i16::try_from(value).unwrap_or(i16::MAX));
    }

    fn count32(&mut self, first_byte: usize, value: u64) {
        self.int32(first_byte, i32::try_from(value).unwrap_or(i32::MAX));
    }
}

/// Whether the file needs what only revision 2.0 defines.
pub(super) fn is_rev2(config: &GenerateConfig, format: &SampleFormat) -> bool {
    format.is_rev2 || short_sample_count(config) == 0
}

/// The 16-bit sample count, or 0 where only the extended one (bytes 3269-3272) can hold it.
fn short_sample_count(config: &GenerateConfig) -> u16 {
    u16::try_from(config.n_samples).unwrap_or(0)
}

/// The 400 bytes at 3201-3600.
pub(super) fn binary_header(
    config: &GenerateConfig,
    format: &SampleFormat,
    survey: &Survey,
) -> [u8; BINARY_HEADER_BYTES] {
    let mut bytes = [0; BINARY_HEADER_BYTES];
    let mut fields = Fields { bytes: &mut bytes, order: config.byte_order, skipped: TEXTUAL_HEADER_BYTES };
    let sorting = match config.kind {
        SurveyKind::Poststack => 4,
        SurveyKind::Prestack => 2,
        SurveyKind::Shots => 5,
    };
    fields.int32(3201, 1); // job
    fields.int32(3205, 1); // line
    fields.int32(3209, 1); // reel
    fields.count16(3213, survey.max_gather_size());
    fields.uint16(3217, config.interval_us);
    fields.uint16(3219, config.interval_us);
    fields.uint16(3221, short_sample_count(config));
    fields.uint16(3223, short_sample_count(config));
    fields.uint16(3225, format.code);
    fields.count16(3227, survey.max_gather_size());
    fields.int16(3229, sorting);
    fields.int16(3231, 1); // no vertical sum
    fields.int16(3249, 1); // not correlated
    fields.int16(3253, 1); // no amplitude recovery
    fields.int16(3255, 1); // metres
    fields.int16(3257, 1); // compression is negative
    fields.int16(3503, 1); // all traces have the same length
    if is_rev2(config, format) {
        fields.count32(3269, u64::from(config.n_samples));
        fields.count32(3289, u64::from(config.n_samples));
        fields.int32(3297, 0x0102_0304); // byte-order constant
        fields.put(3501, [2]); // major revision
        fields.put(3502, [0]); // minor revision
        fields.int16(3511, 2); // times are GMT
        fields.put(3513, config.n_traces.to_be_bytes());
        fields.put(3521, FILE_HEADER_BYTES.to_be_bytes());
    } else {
        // Revision 1 has one number with 8 bits after the binary point.
        fields.int16(3501, 0x0100);
    }
    bytes
}

/// Overwrites the 240 bytes of `header` with those of trace `index` (from 0) of the file.
pub(super) fn write_trace_header(config: &GenerateConfig, index: u64, trace: &Trace, header: &mut [u8]) {
    header.fill(0);
    let mut fields = Fields { bytes: header, order: config.byte_order, skipped: 0 };
    fields.count32(1, trace.line_sequence);
    fields.count32(5, index + 1);
    fields.count32(9, trace.field_record);
    fields.count32(13, trace.trace_number);
    fields.count32(17, trace.source_point);
    fields.count32(21, trace.cdp);
    fields.count32(25, trace.cdp_trace);
    fields.int16(29, if trace.is_dead { 2 } else { 1 });
    fields.int16(31, 1); // not summed vertically
    fields.int16(33, trace.stacked_fold);
    fields.int16(35, 1); // production data
    fields.int32(37, trace.offset_m.round() as i32);
    fields.uint16(115, short_sample_count(config));
    fields.uint16(117, config.interval_us);
    fields.int16(119, 1); // fixed gain
    fields.int16(125, 1); // not correlated
    fields.count32(189, trace.inline);
    fields.count32(193, trace.crossline);
    fields.count32(197, trace.source_point);
    fields.int16(201, 1);
    write_positions(&mut fields, trace);
    write_times(&mut fields, trace);
}

fn write_positions(fields: &mut Fields, trace: &Trace) {
    fields.int32(41, centimetres(elevation_m(trace.receiver)));
    fields.int32(45, centimetres(elevation_m(trace.source)));
    if trace.source_point > 0 {
        fields.int32(49, centimetres(6.0)); // source depth
    }
    fields.int16(69, CENTIMETRES);
    fields.int16(71, CENTIMETRES);
    for (first_byte, point) in [(73, trace.source), (81, trace.receiver), (181, trace.midpoint)] {
        let (cosine, sine) = ROTATION;
        let x = ORIGIN_M.x + cosine * point.x - sine * point.y;
        let y = ORIGIN_M.y + sine * point.x + cosine * point.y;
        fields.int32(first_byte, centimetres(x));
        fields.int32(first_byte + 4, centimetres(y));
    }
    fields.int16(89, 1); // lengths, not angles
}

fn write_times(fields: &mut Fields, trace: &Trace) {
    if let Some(first_break_s) = trace.first_break_s {
        // Muted from the start of the trace (byte 111, 0 ms) to the first break.
        fields.count16(113, (first_break_s * 1000.0) as u64);
    }
    // Years of 365 days: the day of a leap year is never 366.
    let day = FIRST_DAY_OF_YEAR - 1 + trace.recorded_at_s / DAY_S;
    let second = trace.recorded_at_s % DAY_S;
    fields.count16(157, FIRST_YEAR + day / 365);
    fields.count16(159, day % 365 + 1);
    fields.count16(161, second / 3600);
    fields.count16(163, second / 60 % 60);
    fields.count16(165, second % 60);
    fields.int16(167, 2); // GMT
    fields.int16(215, 1); // times in bytes 95-114 are milliseconds
}

/// Casts saturate: in a survey wider than 20000 km, the far end gets the largest coordinate.
fn centimetres(metres: f64) -> i32 {
    (metres * 100.0).round() as i32
}

/// Gentle hills.
fn elevation_m(point: Point) -> f64 {
    140.0 + 25.0 * sine(point.x / 5300.0) + 15.0 * sine(point.y / 3100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_a_field_stay_at_its_largest() {
        let mut bytes = [0; 8];
        let mut fields = Fields { bytes: &mut bytes, order: ByteOrder::Big, skipped: 0 };
        fields.count16(1, 40_000);
        fields.count32(3, u64::MAX);
        assert_eq!(bytes, [0x7F, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0]);
    }

    #[test]
    fn recording_times_roll_over_into_days_and_years() {
        for (recorded_at_s, expected) in [
            (0, [2023, 120, 0, 0, 0]),
            (DAY_S + 3661, [2023, 121, 1, 1, 1]),
            (246 * DAY_S - 1, [2023, 365, 23, 59, 59]),
            (246 * DAY_S, [2024, 1, 0, 0, 0]),
        ] {
            let mut header = [0; TRACE_HEADER_BYTES];
            let trace = Trace { recorded_at_s, ..Trace::default() };
            write_trace_header(&GenerateConfig::default(), 0, &trace, &mut header);
            let times = header[156..166].chunks_exact(2);
            let times: Vec<u16> = times.map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
            assert_eq!(times, expected);
        }
    }
}

//! The textual header: 40 lines of 80 characters in EBCDIC (SEG-Y rev 2.1, section 4).

use crate::generate::header_bytes::is_rev2;
use crate::generate::{GenerateConfig, SurveyKind};
use crate::segy::ByteOrder;
use crate::segy::samples::format::SampleFormat;
use crate::segy::text::to_ebcdic;

const LINES: usize = 40;
const COLUMNS: usize = 80;

/// The 3200 bytes at the start of the file.
pub(super) fn textual_header(config: &GenerateConfig, format: &SampleFormat) -> Vec<u8> {
    let is_rev2 = is_rev2(config, format);
    let mut lines = description(config, format);
    lines.resize(LINES - 2, String::new());
    lines.push(format!("SEG-Y REV{}", if is_rev2 { "2.0" } else { "1" }));
    lines.push("END TEXTUAL HEADER".to_owned());
    let numbered = lines.iter().zip(1..).map(|(line, number)| {
        let line = format!("C{number:>2} {line}");
        format!("{line:<COLUMNS$.COLUMNS$}")
    });
    to_ebcdic(&numbered.collect::<String>())
}

fn description(config: &GenerateConfig, format: &SampleFormat) -> Vec<String> {
    let (kind, order) = match config.kind {
        SurveyKind::Poststack => ("3-D STACK", "INLINE, THEN CROSSLINE; ONE TRACE PER CDP"),
        SurveyKind::Prestack => ("CDP GATHERS", "CDP, THEN OFFSET; FOLD VARIES"),
        SurveyKind::Shots => ("SHOT GATHERS", "FIELD RECORD, THEN CHANNEL; SPREAD VARIES"),
    };
    let byte_order = match config.byte_order {
        ByteOrder::Big => "BIG-ENDIAN",
        ByteOrder::Little => "LITTLE-ENDIAN",
    };
    let name = format.name.to_uppercase().replace(" POINT", "");
    let mut lines = vec![
        format!("SYNTHETIC SURVEY: {kind}"),
        "MADE BY SEGY-IMPORT GENERATE. NOT FIELD DATA.".to_owned(),
        format!("TRACES: {}", config.n_traces),
        format!("SAMPLES PER TRACE: {}", config.n_samples),
        format!("SAMPLE INTERVAL: {} MICROSECONDS", config.interval_us),
        format!("SAMPLE FORMAT: {} ({}) {byte_order}", format.code, name),
        format!("TRACE ORDER: {order}"),
        format!("SEED: {}", config.seed),
        String::new(),
        "BYTE POSITIONS IN THE TRACE HEADER (FIRST-LAST):".to_owned(),
    ];
    let common = [
        "TRACE IN FILE        5-8     SAMPLES            115-116",
        "TRACE ID CODE      29-30     INTERVAL           117-118",
        "COORDINATE SCALAR  71-72     ELEVATION SCALAR     69-70",
        "CDP X            181-184     CDP Y              185-188",
    ];
    let source = [
        "FIELD RECORD        9-12     CHANNEL              13-16",
        "SOURCE POINT       17-20     OFFSET (METRES)      37-40",
        "SOURCE X           73-76     SOURCE Y             77-80",
        "RECEIVER X         81-84     RECEIVER Y           85-88",
    ];
    let grid = [
        "CDP                21-24     TRACE IN CDP         25-28",
        "INLINE           189-192     CROSSLINE          193-196",
    ];
    lines.extend(common.map(str::to_owned));
    if config.kind != SurveyKind::Poststack {
        lines.extend(source.map(str::to_owned));
    }
    if config.kind != SurveyKind::Shots {
        lines.extend(grid.map(str::to_owned));
    } else {
        lines.push("CDP                21-24     MUTE END (MS)      113-114".to_owned());
        lines.push("DEAD TRACES HAVE TRACE ID CODE 2 AND ONLY ZEROS".to_owned());
    }
    lines.push(String::new());
    lines.push("COORDINATES AND ELEVATIONS IN CENTIMETRES, SCALAR -100 GIVES METRES".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::format::sample_format;
    use crate::segy::text::{TextEncoding, lines};

    fn ascii_header(config: &GenerateConfig) -> Vec<String> {
        let bytes = textual_header(config, sample_format(config.format).unwrap());
        assert_eq!(bytes.len(), LINES * COLUMNS);
        lines(&bytes, TextEncoding::Ebcdic)
    }

    #[test]
    fn the_header_describes_the_survey_in_forty_numbered_lines() {
        let lines = ascii_header(&GenerateConfig::default());
        assert_eq!(lines[0], "C 1 SYNTHETIC SURVEY: 3-D STACK");
        assert_eq!(lines[2], "C 3 TRACES: 10000");
        assert_eq!(lines[5], "C 6 SAMPLE FORMAT: 1 (IBM FLOAT32) BIG-ENDIAN");
        assert_eq!(lines[38], "C39 SEG-Y REV1");
        assert_eq!(lines[39], "C40 END TEXTUAL HEADER");
    }

    #[test]
    fn no_kind_overflows_its_lines() {
        for kind in [SurveyKind::Poststack, SurveyKind::Prestack, SurveyKind::Shots] {
            let config = GenerateConfig {
                kind,
                n_traces: i32::MAX as u64,
                n_samples: 100_000,
                seed: u64::MAX,
                ..GenerateConfig::default()
            };
            let format = sample_format(1).unwrap();
            let described = description(&config, format);
            assert!(described.len() <= LINES - 2);
            assert!(described.iter().all(|line| line.len() <= COLUMNS - 4));
            assert_eq!(ascii_header(&config)[38], "C39 SEG-Y REV2.0");
        }
    }
}

//! What a worker says to its coordinator: one JSON object per line on the worker's standard output.
//!
//! Readers skip lines of a type they do not know, so that a newer worker can say more.

use serde::{Deserialize, Serialize};

use crate::base::error::Error;
use crate::staging::SegmentRecord;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum WorkerMessage {
    /// The worker has read its plan and begins.
    Started { segment: u32 },
    /// Traces of the segment done so far.
    Progress { traces: u64 },
    /// The segment is complete on disk.
    Done(Box<SegmentRecord>),
    /// The segment cannot be converted.
    Failed(Failure),
}

/// Why a segment cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exit code for this error.
    pub exit_code: u8,
    pub message: String,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.exit_code {
            2 => Self::Usage(failure.message),
            3 => Self::Input(failure.message),
            4 => Self::OutputInTheWay(failure.message),
            5 => Self::Damaged(failure.message),
            _ => Self::Failed(failure.message),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { exit_code: error.exit_code(), message: error.to_string() }
    }
}

/// Parses one line; `None` if it is not understood.
pub fn parse_line(line: &str) -> Option<WorkerMessage> {
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segy::samples::statistics::SampleStatistics;
    use crate::store::checksum::ChunkSums;
    use crate::table::HeaderSummary;

    #[test]
    fn a_message_is_one_line_and_comes_back_the_same() {
        let message = WorkerMessage::Failed(Failure { exit_code: 3, message: "a\nb \"c\"".into() });
        let line = serde_json::to_string(&message).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(parse_line(&line), Some(message));
    }

    #[test]
    fn a_record_comes_back_the_same_with_the_widest_numbers() {
        use crate::table::summary::FieldRange;
        let range = FieldRange { min: i64::MIN.into(), max: u64::MAX.into() };
        let record = SegmentRecord {
            segment: 3,
            n_traces: 5,
            n_rows: 0,
            n_runs: 2,
            n_exceptions: 4,
            chunks: ChunkSums { n_chunks: u64::MAX, crc32c: u32::MAX },
            records: ChunkSums::default(),
            moments: moments(),
            stored_bytes: 7,
            headers: HeaderSummary { n_rows: 1, ranges: vec![Some(range), None], ..HeaderSummary::default() },
            rounding: Default::default(),
            samples: SampleStatistics { min: Some(-1.5e-40), max: None, n_nonfinite: 1 },
            boot_id: Some("5a0".into()),
        };
        let message = WorkerMessage::Done(Box::new(record));
        assert_eq!(parse_line(&serde_json::to_string(&message).unwrap()), Some(message));
    }

    fn moments() -> crate::segy::samples::moments::Moments {
        let mut moments = crate::segy::samples::moments::Moments::default();
        moments.add(crate::segy::Dtype::Float64, &[1e-300, -1e150].map(f64::to_le_bytes).concat());
        moments
    }

    #[test]
    fn unknown_lines_are_skipped() {
        assert_eq!(parse_line(r#"{"type":"weather","rain":true}"#), None);
        assert_eq!(parse_line("thread panicked"), None);
        assert_eq!(
            parse_line(r#"{"type":"progress","traces":5,"more":1}"#),
            Some(WorkerMessage::Progress { traces: 5 })
        );
    }
}

//! What a worker says to its coordinator: one JSON object per line on the worker's standard output.
//!
//! Lines of a type that the reader does not know are skipped, so that a newer worker can say more.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::checksum::ChunkSums;
use crate::error::Error;
use crate::headers::HeaderSummary;
use crate::plan::Plan;
use crate::statistics::SampleStatistics;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum WorkerMessage {
    /// The worker has read its plan and begins.
    Started { segment: u32 },
    /// So many traces of the segment are done.
    Progress { traces: u64 },
    /// The segment is complete on disk.
    Done(SegmentRecord),
    /// The segment cannot be converted.
    Failed(Failure),
}

/// Why a segment cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exit code that the error stands for.
    pub exit_code: u8,
    pub message: String,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.exit_code {
            2 => Self::Usage(failure.message),
            3 => Self::Input(failure.message),
            4 => Self::OutputInTheWay(failure.message),
            _ => Self::Failed(failure.message),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { exit_code: error.exit_code(), message: error.to_string() }
    }
}

/// What a finished segment holds. Written to `segment.json` after its data: a segment without it is not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    pub segment: u32,
    /// Traces that it converted: whose samples it wrote or, where samples are left out, whose headers.
    pub n_traces: u64,
    /// Rows of its `headers.parquet`.
    pub n_rows: u64,
    /// Runs of equal gather keys among its rows.
    pub n_runs: u64,
    /// Samples whose words are kept because their stored values do not give them back.
    pub n_exceptions: u64,
    /// Checksums of its chunks.
    pub chunks: ChunkSums,
    /// Bytes of its chunks or shards.
    pub stored_bytes: u64,
    pub headers: HeaderSummary,
    pub samples: SampleStatistics,
    /// The start of the computer since which it may be lost, as it was not brought to the disk; none if it was, or if nobody
    /// wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

impl SegmentRecord {
    /// Whether a worker that followed the plan can have found this: what it says may have been damaged on its way, and
    /// what is added up over segments must not run over.
    pub fn fits(&self, plan: &Plan) -> bool {
        let Some(segment) = plan.segments.get(self.segment as usize) else { return false };
        let length = |range: Range<u64>| range.end - range.start;
        let (n_traces, n_rows) = (length(plan.traces_of(segment)), length(plan.rows_of(segment)));
        let (array, headers) = (&plan.traces, &self.headers);
        let n_samples = n_traces * array.n_samples;
        // No codec makes a chunk of noise much longer.
        let most_bytes = u128::from(self.chunks.n_chunks) * (2 * array.chunk_bytes() as u128 + 1024) + 1024;
        let most_row_bytes = 16 * (u128::from(plan.headers.header_bytes) + plan.headers.columns.len() as u128 + 64);
        let most_table_bytes = u128::from(n_rows) * most_row_bytes + (1 << 20);
        self.n_traces == if plan.headers_only { n_rows } else { n_traces }
            && self.n_rows == n_rows
            && self.n_runs <= n_rows
            && self.n_exceptions <= n_samples
            && self.chunks.n_chunks == n_traces.div_ceil(array.chunk_traces) * array.n_sample_chunks()
            && u128::from(self.stored_bytes) <= most_bytes
            && headers.n_rows == n_rows
            && u128::from(headers.row_groups.n_bytes) <= most_table_bytes
            && headers.n_dead.max(headers.n_zero).max(headers.n_duplicate) <= n_rows
            && headers.ranges.len() == plan.headers.columns.len()
            && self.samples.n_nonfinite <= n_samples
    }
}

/// Reads one line. `None` for what is not understood.
pub fn parse_line(line: &str) -> Option<WorkerMessage> {
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_comes_back_the_same() {
        let message = WorkerMessage::Failed(Failure { exit_code: 3, message: "a\nb \"c\"".into() });
        let line = serde_json::to_string(&message).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(parse_line(&line), Some(message));
    }

    #[test]
    fn a_record_comes_back_the_same_with_the_widest_numbers() {
        use crate::headers::FieldRange;
        let range = FieldRange { min: i64::MIN.into(), max: u64::MAX.into() };
        let record = SegmentRecord {
            segment: 3,
            n_traces: 5,
            n_rows: 0,
            n_runs: 2,
            n_exceptions: 4,
            chunks: ChunkSums { n_chunks: u64::MAX, crc32c: u32::MAX },
            stored_bytes: 7,
            headers: HeaderSummary { n_rows: 1, ranges: vec![Some(range), None], ..HeaderSummary::default() },
            samples: SampleStatistics { min: Some(-1.5e-40), max: None, n_nonfinite: 1 },
            boot_id: Some("5a0".into()),
        };
        let message = WorkerMessage::Done(record);
        assert_eq!(parse_line(&serde_json::to_string(&message).unwrap()), Some(message));
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

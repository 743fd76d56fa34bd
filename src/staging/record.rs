//! The record of a finished segment.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::segy::samples::rounding::RoundingError;
use crate::segy::samples::statistics::SampleStatistics;
use crate::store::checksum::ChunkSums;
use crate::table::HeaderSummary;

/// What a finished segment holds. Written to `segment.json` after its data: without it a segment is not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    pub segment: u32,
    /// Traces it converted: those whose samples it wrote or, without samples, whose headers.
    pub n_traces: u64,
    /// Rows of its `headers.parquet`.
    pub n_rows: u64,
    /// Runs of equal gather keys among its rows.
    pub n_runs: u64,
    /// Samples whose original words are kept because their stored values do not restore them.
    pub n_exceptions: u64,
    /// Checksums of its chunks.
    pub chunks: ChunkSums,
    /// Checksums of the records of headers, in a grid.
    #[serde(default)]
    pub records: ChunkSums,
    /// Bytes of its chunks or shards.
    pub stored_bytes: u64,
    pub headers: HeaderSummary,
    pub samples: SampleStatistics,
    /// What rounding did to its samples.
    #[serde(default)]
    pub rounding: RoundingError,
    /// The start of the computer it was written in, if it was not synced: another start may have lost it. None if it
    /// was synced, or if durability was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

impl SegmentRecord {
    /// Whether a worker that followed the plan can have written this. The record may have been damaged, and sums over
    /// segments must not overflow.
    pub fn fits(&self, plan: &Plan) -> bool {
        let Some(segment) = plan.segments.get(self.segment as usize) else { return false };
        let length = |range: Range<u64>| range.end - range.start;
        let (n_traces, n_rows) = (length(plan.traces_of(segment)), length(plan.rows_of(segment)));
        let (array, headers) = (plan.traces(), &self.headers);
        let n_samples = n_traces * array.n_samples;
        // No codec makes a chunk of noise much longer than this.
        let most_bytes = u128::from(self.chunks.n_chunks) * (2 * array.chunk_bytes() as u128 + 1024) + 1024;
        let most_row_bytes = 16 * (u128::from(plan.headers.header_bytes) + plan.headers.columns.len() as u128 + 64);
        let most_table_bytes = u128::from(n_rows) * most_row_bytes + (1 << 20);
        self.n_traces == if plan.headers_only { n_rows } else { n_traces }
            && self.n_rows == n_rows
            && self.n_runs <= n_rows
            && self.n_exceptions <= n_samples
            && self.has_its_chunks(plan, n_traces)
            && u128::from(self.stored_bytes) <= most_bytes
            && headers.n_rows == n_rows
            && u128::from(headers.row_groups.n_bytes) <= most_table_bytes
            && headers.n_dead.max(headers.n_zero).max(headers.n_duplicate) <= n_rows
            && headers.ranges.len() == plan.headers.columns.len()
            && self.samples.n_nonfinite <= n_samples
    }

    /// Whether it has as many chunks as it should; of a grid it is not known how many columns of a shard have traces.
    fn has_its_chunks(&self, plan: &Plan, n_traces: u64) -> bool {
        let Some(grid) = plan.target.grid() else {
            let array = plan.traces();
            return self.chunks.n_chunks == n_traces.div_ceil(array.chunk_traces) * array.n_sample_chunks();
        };
        let Some(segment) = plan.segments.get(self.segment as usize) else { return false };
        let units = plan.units_of(segment);
        let (mut least, mut most) = (0, 0_u64);
        for (part, units) in grid.with_units(&units) {
            least += (units.end - units.start) * part.n_deep();
            most = most.saturating_add(part.n_columns.saturating_mul(part.n_deep()));
        }
        self.records.n_chunks == units.end - units.start && (least..=most).contains(&self.chunks.n_chunks)
    }
}

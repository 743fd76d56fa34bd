//! The record of a finished segment.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::grid::bricks::Cut;
use crate::grid::header_record::HeaderRecord;
use crate::plan::Plan;
use crate::plan::coordinates::TraceCoordinate;
use crate::segy::samples::moments::Moments;
use crate::segy::samples::rounding::RoundingError;
use crate::segy::samples::statistics::SampleStatistics;
use crate::store::checksum::ChunkSums;
use crate::table::HeaderSummary;
#[cfg(test)]
use crate::{store::checksum::Checksum, table::CoordinateSummary};

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
    /// Of the samples that have a place in a grid.
    #[serde(default)]
    pub moments: Moments,
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
        // The units of a grid may have more traces than others.
        let is_grid = plan.target.grid().is_some();
        let n_samples = array.n_samples * if is_grid { array.n_traces } else { n_traces };
        let most_row_bytes = 16 * (u128::from(plan.headers.header_bytes) + plan.headers.columns.len() as u128 + 64);
        let most_table_bytes = u128::from(n_rows) * most_row_bytes + (1 << 20);
        self.n_traces == if plan.headers_only { n_rows } else { n_traces }
            && self.n_rows == n_rows
            && self.n_runs <= n_rows
            && self.n_exceptions <= n_samples
            && self.has_its_chunks(plan, n_traces)
            && u128::from(self.stored_bytes) <= self.most_bytes(plan)
            && headers.n_rows == n_rows
            && self.has_its_coordinates(plan, n_rows)
            && headers.parts.len() as u64 == length(plan.header_parts_of(segment))
            && u128::from(headers.row_groups.n_bytes) <= most_table_bytes
            && headers.n_dead.max(headers.n_zero).max(headers.n_duplicate) <= n_rows
            && headers.ranges.len() == plan.headers.columns.len()
            && self.samples.n_nonfinite <= n_samples
            && self.moments.count <= array.n_samples * array.n_traces
            && self.moments.is_sane()
    }

    /// Whether its rows are in the chunks of all coordinates that workers write.
    fn has_its_coordinates(&self, plan: &Plan, n_rows: u64) -> bool {
        let n_chunks = n_rows.div_ceil(plan.headers.row_group_rows);
        let is_written = |coordinate: &&TraceCoordinate| plan.headers.type_of(&coordinate.column).is_some();
        let n_written = |coordinate: &TraceCoordinate| {
            self.headers.coordinates.get(&coordinate.name).map_or(0, |written| written.chunks.len() as u64)
        };
        plan.coordinates.iter().filter(is_written).all(|coordinate| n_written(coordinate) == n_chunks)
    }

    /// What its chunks take at most: no codec makes noise much longer than this.
    fn most_bytes(&self, plan: &Plan) -> u128 {
        let most = |n: u64, bytes: u128| {
            u128::from(n).saturating_mul(bytes.saturating_mul(2).saturating_add(1024)).saturating_add(1024)
        };
        let Some(grid) = plan.target.grid() else {
            return most(self.chunks.n_chunks, plan.traces().chunk_bytes() as u128);
        };
        let volume =
            |shape: &[u64], item: usize| shape.iter().fold(item as u128, |all, &n| all.saturating_mul(n.into()));
        let (mut brick, mut records) = (0, 0);
        for (part, _) in
            plan.segments.get(self.segment as usize).map_or(Vec::new(), |s| grid.with_units(&plan.units_of(s)))
        {
            let record = HeaderRecord::new(&part, plan.layout().byte_order);
            brick = brick.max(volume(&part.brick, part.traces.dtype.size()));
            records = records.max(volume(&Cut::new(&part).unit, record.bytes()));
        }
        most(self.chunks.n_chunks, brick).saturating_add(most(self.records.n_chunks, records))
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

/// What a worker has to say of the coordinates in some rows of a plan.
#[cfg(test)]
pub(crate) fn coordinates_in(plan: &Plan, n_rows: u64) -> std::collections::BTreeMap<String, CoordinateSummary> {
    let chunks = vec![Checksum::of_bytes(&[]); n_rows.div_ceil(plan.headers.row_group_rows) as usize];
    let summary = CoordinateSummary { only_value: None, chunks };
    plan.coordinates.iter().map(|coordinate| (coordinate.name.clone(), summary.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, generate};
    use crate::grid::Grid;
    use crate::plan::import_config::ImportConfig;
    use crate::plan::target::Target;

    /// Of 12 traces of 5 samples in two segments of 6, which are one chunk each.
    fn plan(change: fn(&mut ImportConfig)) -> Plan {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("in.sgy");
        let survey = GenerateConfig { n_traces: 12, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &crate::CancelHandle::new()).unwrap();
        let mut config = ImportConfig::new(&input, directory.path().join("out"));
        config.gather = crate::plan::import_config::Gather::None;
        (config.segments, config.chunk_traces) = (Some(2), Some(6));
        change(&mut config);
        let mut plan = config.plan().unwrap();
        plan.headers.row_group_rows = 6;
        assert_eq!((plan.segments.len(), plan.traces().chunk_bytes()), (2, 120));
        plan
    }

    fn record(plan: &Plan) -> SegmentRecord {
        let (ranges, coordinates) = (vec![None; plan.headers.columns.len()], coordinates_in(plan, 6));
        let headers = HeaderSummary { n_rows: 6, ranges, coordinates, ..HeaderSummary::default() };
        SegmentRecord {
            segment: 1,
            n_traces: 6,
            n_rows: 6,
            n_runs: 0,
            n_exceptions: 0,
            chunks: ChunkSums { n_chunks: 1, crc32c: 0 },
            records: ChunkSums::default(),
            stored_bytes: 0,
            headers,
            samples: SampleStatistics::default(),
            moments: Moments::default(),
            rounding: RoundingError::default(),
            boot_id: None,
        }
    }

    type Change = fn(&mut SegmentRecord);

    #[test]
    fn a_record_says_no_more_than_its_segment_can_hold() {
        let plan = plan(|_| {});
        let with = |change: Change| {
            let mut record = record(&plan);
            change(&mut record);
            record.fits(&plan)
        };
        let most: [(Change, Change); 10] = [
            (|r| r.segment = 1, |r| r.segment = 2),
            (|_| {}, |r| r.n_traces = 5),
            (|_| {}, |r| r.n_traces = 7),
            (|_| {}, |r| r.chunks.n_chunks = 2),
            (|r| r.n_runs = 6, |r| r.n_runs = 7),
            (|r| r.n_exceptions = 30, |r| r.n_exceptions = 31),
            (|r| r.stored_bytes = 2 * 120 + 2 * 1024, |r| r.stored_bytes = 2 * 120 + 2 * 1024 + 1),
            (|r| r.samples.n_nonfinite = 30, |r| r.samples.n_nonfinite = 31),
            (|r| r.headers.n_dead = 6, |r| r.headers.n_dead = 7),
            (|r| r.headers.n_zero = 6, |r| r.headers.n_zero = 7),
        ];
        for (i, (fitting, too_much)) in most.into_iter().enumerate() {
            assert!(with(fitting) && !with(too_much), "{i}");
        }
        let never: [Change; 8] = [
            |r| drop(r.headers.coordinates.pop_first()),
            |r| r.headers.coordinates.values_mut().for_each(|written| written.chunks.clear()),
            |r| r.n_rows = 5,
            |r| r.headers.n_rows = 5,
            |r| r.headers.n_duplicate = 7,
            |r| r.headers.ranges.push(None),
            |r| r.segment = u32::MAX,
            |r| (r.n_rows, r.headers.n_rows) = (7, 7),
        ];
        assert!(never.into_iter().all(|change| !with(change)));
        let most_of_table = (1 << 20) + 6 * 16 * (240 + plan.headers.columns.len() as u64 + 64);
        let mut long = record(&plan);
        long.headers.row_groups.n_bytes = most_of_table;
        assert!(long.fits(&plan));
        long.headers.row_groups.n_bytes += 1;
        assert!(!long.fits(&plan));
    }

    #[test]
    fn without_samples_the_rows_count() {
        let plan = plan(|config| config.headers_only = true);
        let mut record = record(&plan);
        assert!(!record.fits(&plan));
        record.chunks.n_chunks = 0;
        assert!(record.fits(&plan));
        record.n_traces = 0;
        assert!(!record.fits(&plan));
    }

    #[test]
    fn a_segment_of_a_grid_has_a_record_of_headers_for_each_unit_and_at_most_the_columns_there_are() {
        let mut plan = plan(|_| {});
        let mut grid = Grid::of_no_keys();
        grid.traces = plan.traces().clone();
        (grid.n_units, grid.n_columns, grid.brick) = (4, 5, vec![3]);
        assert_eq!(grid.n_deep(), 2);
        plan.target = Target::Grid(Box::new(grid));
        let has = |n_records, n_chunks| {
            let [records, chunks] = [n_records, n_chunks].map(|n_chunks| ChunkSums { n_chunks, crc32c: 0 });
            SegmentRecord { records, chunks, ..record(&plan) }.fits(&plan)
        };
        let all = (0..12).flat_map(|records| (0..12).map(move |chunks| (records, chunks)));
        let fitting: Vec<_> = all.filter(|&(records, chunks)| has(records, chunks)).collect();
        assert_eq!(fitting, [4, 5, 6, 7, 8, 9, 10].map(|n_chunks| (2, n_chunks)));
    }
}

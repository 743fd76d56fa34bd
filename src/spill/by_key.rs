//! Spilling while the keys are read, so that the file is read once less: before the axes are known, by ranges of the keys
//! that the headers of a few traces show. Where these show the axes as they are, each unit is in one bucket; otherwise in
//! several.

use std::collections::BTreeSet;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Result, failed};
use crate::grid::bricks::Cut;
use crate::grid::buckets::{BucketCut, KeyCut, MOST_BUCKETS, Spilled};
use crate::grid::options::{AxesOrder, Spill};
use crate::grid::places::step_of;
use crate::grid::probe::Headers;
use crate::grid::scan::{MOST_VALUES, RecordReader, Records, Scan};
use crate::grid::{Key, Values};
use crate::input::PlannedFile;
use crate::plan::make_grid::Unread;
use crate::spill::write::Writing;
use crate::spill::{Asked, SHORT_RUN_BYTES, bucket_bytes, bytes_of, in_the_way, told};
use crate::store::{self, Place};

/// Pairs of neighbouring traces whose headers are looked at.
const SAMPLED_PAIRS: u64 = 2048;
/// Boxes, at most: keys that would make more are not cut.
const MOST_BOXES: u64 = 1 << 16;

/// Traces that are going to be spilled by their keys.
pub(crate) struct KeyBuckets<'a> {
    unread: &'a Unread<'a>,
    asked: &'a Asked,
    cut: KeyCut,
    /// Bytes that this takes.
    takes: u64,
}

/// What the headers of a few traces show of the others.
struct Sampled {
    /// Their keys.
    traces: Vec<Vec<i64>>,
    /// The values that the axes probably have.
    keys: Vec<Key>,
    units: Cut,
    /// The mean bytes of traces that follow one another in the file and lie in one column of bricks.
    run_bytes: u64,
}

impl<'a> KeyBuckets<'a> {
    /// Decides by a few headers and the memory; `None` where the headers are better read alone, if only to say why.
    ///
    /// # Errors
    /// `Error::Input` for a file that cannot be read.
    pub(crate) fn plan(unread: &'a Unread<'a>, asked: &'a Asked, cancel: &CancelHandle) -> Result<Option<Self>> {
        let (files, is_auto) = (unread.survey.files, asked.spill == Spill::Auto);
        let bytes: u64 = files.iter().map(PlannedFile::bytes_taken).sum();
        let is_small = || is_auto && asked.memory.is_none_or(|memory| bytes <= memory);
        if asked.spill == Spill::Never
            || unread.options.axes != AxesOrder::Ascending
            || unread.wanted.keys.is_empty()
            || in_the_way(files, false).is_some()
            || is_small()
        {
            return Ok(None);
        }
        let Some(sampled) = Sampled::read(unread, cancel)? else { return Ok(None) };
        if is_auto && sampled.run_bytes >= SHORT_RUN_BYTES {
            return Ok(None);
        }
        let takes = bytes_of(files, unread.survey.traces.n_traces);
        let cut = sampled.cut((takes / bucket_bytes(takes, asked)).clamp(1, MOST_BUCKETS as u64));
        Ok(Some(Self { unread, asked, cut, takes }))
    }

    #[cfg(test)]
    pub(super) fn cut(&self) -> &KeyCut {
        &self.cut
    }

    /// Whether there is room for it beside the dataset.
    ///
    /// # Errors
    /// `Error::Failed` if that is unknown.
    pub(crate) fn has_room(&self, staging: &Place) -> Result<bool> {
        let array = &self.unread.survey.traces;
        let of_dataset = array.n_traces * array.n_samples * array.dtype.size() as u64;
        let free = store::free_bytes(staging).map_err(failed(staging.display()))?;
        Ok(self.takes + of_dataset <= free)
    }

    /// Says what is done.
    pub(crate) fn told(&self) -> String {
        format!("{}: {}", self.unread.survey.name(), told(self.takes))
    }

    /// Reads the keys and spills the traces. `on_progress` gets the number of traces done. The mark that it returns is not
    /// written yet.
    ///
    /// # Errors
    /// As [`Records::read`]; `Error::Failed` if writing fails. Nothing that counts is left.
    pub(crate) fn run(
        self,
        staging: &Place,
        cancel: &CancelHandle,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<(Records, Spilled)> {
        let Unread { survey, wanted, keys, .. } = *self.unread;
        let (scan, mut reader) = (Scan::new(wanted)?, RecordReader::new(wanted)?);
        let writing = Writing {
            files: survey.files,
            io: survey.io,
            array: &survey.traces,
            is_flagged: survey.headers.sample_flags,
            staging,
            cut: BucketCut::Keys(self.cut.clone()),
            takes: self.takes,
            is_for_others: self.asked.is_for_others,
            sync: self.asked.sync,
        };
        let spilled = writing.run(
            &mut |window, bytes, buckets| {
                reader.take(window.first_trace, window.n_traces, bytes, window.stride)?;
                let boxes = reader.keys().map(|values| self.cut.box_of(keys, values));
                buckets.extend(boxes.map(|number| Some(self.cut.bucket_of(number))));
                scan.put(&mut reader, window.first_trace)
            },
            cancel,
            on_progress,
        )?;
        Ok((scan.finish(), spilled))
    }
}

impl Sampled {
    /// Reads pairs of neighbouring traces from all over the files; `None` where they show no grid.
    fn read(unread: &Unread, cancel: &CancelHandle) -> Result<Option<Self>> {
        let mut headers = Headers::new(unread.wanted)?;
        let n_pairs = SAMPLED_PAIRS.min(headers.n_traces / 2);
        if n_pairs == 0 {
            return Ok(None);
        }
        let mut traces = Vec::new();
        for i in 0..n_pairs {
            cancel.check()?;
            let first = (u128::from(i) * u128::from(headers.n_traces) / u128::from(n_pairs)) as u64;
            for trace in [first, first + 1] {
                let Some(keys) = headers.keys(trace)? else { return Ok(None) };
                traces.push(keys);
            }
        }
        let keys = likely_axes(unread.keys, &traces, headers.n_traces);
        let order: Vec<usize> = (0..keys.len()).collect();
        // A refusal is left to those who know the grid.
        let Ok((brick, shard)) = unread.survey.cut(unread.options, &keys, &order) else { return Ok(None) };
        let lengths: Vec<u64> = keys.iter().map(Key::n).collect();
        let units = Cut::of(&lengths, &brick, shard.as_deref());
        let columns: Vec<Vec<u64>> = traces.iter().map(|values| column_of(&keys, values, &brick)).collect();
        let n_changes = columns.chunks_exact(2).filter(|pair| pair[0] != pair[1]).count() as u64;
        let stride = unread.survey.files.first().map_or(0, |file| file.layout.stride() as u64);
        Ok(Some(Self { traces, keys, units, run_bytes: n_pairs * stride / n_changes.max(1) }))
    }

    /// About so many buckets of about the same size, each with whole boxes, which are units if the axes are as they seem.
    fn cut(&self, n_buckets: u64) -> KeyCut {
        let (mut n_boxes, mut lasts) = (1, Vec::new());
        for (key, unit) in self.keys.iter().zip(&self.units.unit).filter(|(key, _)| key.field.is_some()) {
            let n = key.n().div_ceil(*unit).max(1);
            let n = if n_boxes * n > MOST_BOXES { 1 } else { n };
            n_boxes *= n;
            lasts.push((1..n).filter_map(|slab| key.values.at(slab * unit - 1)).collect());
        }
        let mut cut = KeyCut { lasts, ends: Vec::new() };
        let mut numbers: Vec<u64> =
            self.traces.iter().map(|values| cut.box_of(&self.keys, values.iter().copied())).collect();
        numbers.sort_unstable();
        let in_bucket = |i: u64| numbers.get((i * numbers.len() as u64 / n_buckets) as usize);
        cut.ends = (1..n_buckets).filter_map(in_bucket).map(|number| number + 1).filter(|end| *end < n_boxes).collect();
        cut.ends.push(n_boxes);
        cut.ends.dedup();
        cut
    }
}

/// The keys with the values that their axes probably have.
fn likely_axes(keys: &[Key], traces: &[Vec<i64>], n_traces: u64) -> Vec<Key> {
    let mut keys = keys.to_vec();
    let mut n_places = 1;
    for (i, key) in keys.iter_mut().enumerate() {
        if key.field.is_none() {
            key.values = Values::Count(n_traces.div_ceil(n_places));
            continue;
        }
        let seen: BTreeSet<i64> = traces.iter().filter_map(|values| values.get(i)).map(|v| key.binned(*v)).collect();
        let seen: Vec<i64> = seen.into_iter().collect();
        let (step, span) =
            (step_of(&seen), seen.last().zip(seen.first()).map_or(0, |(last, first)| last.abs_diff(*first)));
        let n = span.checked_div(step).map_or(1, |n| n + 1);
        // Where most values were seen several times, there are no others.
        let is_whole = seen.len() * 4 <= traces.len() || n > MOST_VALUES as u64;
        let first = seen.first().copied().unwrap_or(0);
        let all = (0..n).map(|i| first + (i * step) as i64);
        key.values = Values::List(if is_whole { seen } else { all.collect() });
        n_places *= key.n().max(1);
    }
    keys
}

/// The column of bricks of a trace with these values, but for a key that counts traces.
fn column_of(keys: &[Key], values: &[i64], brick: &[u64]) -> Vec<u64> {
    let index = |((key, value), brick): ((&Key, &i64), &u64)| {
        let value = key.binned(*value);
        let at = match &key.values {
            Values::List(axis) => axis.partition_point(|other| *other < value) as u64,
            Values::Count(_) => 0,
        };
        at / brick
    };
    keys.iter().zip(values).zip(brick).map(index).collect()
}

//! How long the bricks are along each axis, and which places a column of bricks has.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::grid::options::{GridShard, Lengths};
use crate::grid::{Grid, TRACE};

/// Longest brick along the trace or offset axis of a 3-D gather.
const MOST_FOLD: u64 = 64;

/// Lengths of a brick by default: along each key, and along the samples.
///
/// 64 × 64 × 64 for a stacked volume, whole gathers where traces of a gather are an axis; see `docs/grid.md`.
pub(crate) fn default_brick(names: &[&str], lengths: &[u64]) -> Vec<u64> {
    let is_in_gather = |name: &str| matches!(name, "offset" | "angle" | "azimuth" | "trace" | "trace_number_cdp");
    let fold = lengths.iter().rev().find(|&&n| n > 0).copied().unwrap_or(1).min(MOST_FOLD);
    let wanted: Vec<u64> = match names {
        [_] => vec![512, 512],
        [_, second] if is_in_gather(second) => vec![8, 64, 512],
        ["inline", "crossline"] | ["crossline", "inline"] => vec![64, 64, 64],
        [_, _] => vec![4, 128, 512],
        [_, _, third] if is_in_gather(third) => vec![4, 4, fold, 512],
        [_, _, _] => vec![4, 1, 128, 512],
        more => {
            let mut lengths = vec![1; more.len() - 1];
            lengths.extend([64, 1024]);
            lengths
        }
    };
    wanted
}

/// Even lengths of at most `wanted` along an axis: 400 in parts of at most 64 are 7 of 58.
pub(crate) fn even(length: u64, wanted: u64) -> u64 {
    length.div_ceil(length.div_ceil(wanted.max(1)).max(1)).max(1)
}

/// The brick that was asked for, each length no longer than its axis.
///
/// # Errors
/// `Error::Usage` where the option does not have a length for each axis.
pub(crate) fn brick(asked: Option<&Lengths>, names: &[&str], lengths: &[u64]) -> Result<Vec<u64>> {
    match asked {
        None => {
            let by_default = default_brick(names, &lengths[..names.len()]);
            Ok(lengths.iter().zip(by_default).map(|(&length, wanted)| even(length, wanted)).collect())
        }
        Some(asked) => {
            check_number("--brick", asked, lengths.len())?;
            Ok(lengths
                .iter()
                .zip(&asked.0)
                .map(|(&length, asked)| asked.unwrap_or(length).min(length.max(1)))
                .collect())
        }
    }
}

/// The bricks along each axis in one shard. A length that reaches the end of its axis takes all of them.
///
/// # Errors
/// `Error::Usage` where a shard would not hold whole bricks.
pub(crate) fn shard(asked: Option<&GridShard>, brick: &[u64], lengths: &[u64]) -> Result<Option<Vec<u64>>> {
    let n_bricks: Vec<u64> = lengths.iter().zip(brick).map(|(length, brick)| length.div_ceil(*brick)).collect();
    match asked {
        None => Ok(None),
        Some(GridShard::Columns) => {
            let mut shard = vec![1; brick.len()];
            if let (Some(last), Some(n)) = (shard.last_mut(), n_bricks.last()) {
                *last = *n;
            }
            Ok(Some(shard))
        }
        Some(GridShard::Lengths(asked)) => {
            check_number("--shard", asked, lengths.len())?;
            let of_axis = |((asked, brick), n): ((&Option<u64>, &u64), &u64)| match asked {
                None => Ok(*n),
                Some(length) if length.div_ceil(*brick) >= *n => Ok(*n),
                Some(length) if length % brick == 0 => Ok(length / brick),
                Some(length) => Err(Error::Usage(format!(
                    "--shard: {length} is not a multiple of the brick's {brick} along that axis"
                ))),
            };
            asked.0.iter().zip(brick).zip(&n_bricks).map(of_axis).collect::<Result<_>>().map(Some)
        }
    }
}

fn check_number(option: &str, asked: &Lengths, n: usize) -> Result<()> {
    match asked.0.len() == n {
        true => Ok(()),
        false => Err(Error::Usage(format!(
            "{option} has {} lengths, and the grid has {n} axes: the keys, then the samples",
            asked.0.len()
        ))),
    }
}

/// The number of the box of this shape that has a place, where boxes cover a grid of these lengths.
pub(crate) fn number_of_box(place: impl Iterator<Item = u64>, lengths: &[u64], shape: &[u64]) -> u64 {
    let sides = lengths.iter().zip(shape);
    place.zip(sides).fold(0, |number, (at, (length, side))| number * length.div_ceil(*side) + at / side)
}

/// A box of places: a range along each key.
pub(crate) type Region = Vec<Range<u64>>;

/// How a grid is cut: units, and columns of bricks in them.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Places along each key.
    pub lengths: Vec<u64>,
    /// Length of a brick along each key.
    pub brick: Vec<u64>,
    /// Length of a unit along each key: of a shard, or of a brick.
    pub unit: Vec<u64>,
}

impl Cut {
    pub fn new(grid: &Grid) -> Self {
        Self::of(&grid.places(), &grid.brick, grid.shard.as_deref())
    }

    pub fn of(lengths: &[u64], brick: &[u64], shard: Option<&[u64]>) -> Self {
        let brick = brick[..lengths.len()].to_vec();
        let unit = match shard {
            None => brick.clone(),
            Some(shard) => brick.iter().zip(shard).map(|(brick, n)| brick * n).collect(),
        };
        Self { lengths: lengths.to_vec(), brick, unit }
    }

    /// The index along each key of a unit.
    pub fn index_of_unit(&self, unit: u64) -> Vec<u64> {
        let mut left = unit;
        let mut index = vec![0; self.lengths.len()];
        for (i, (length, unit)) in self.lengths.iter().zip(&self.unit).enumerate().rev() {
            let n = length.div_ceil(*unit);
            index[i] = left % n;
            left /= n;
        }
        index
    }

    /// The columns of bricks of a unit: their index along each key.
    pub fn columns_of(&self, unit: &[u64]) -> Vec<Vec<u64>> {
        let ranges: Region = (0..unit.len())
            .map(|i| {
                let per_unit = self.unit[i] / self.brick[i];
                let n = self.lengths[i].div_ceil(self.brick[i]);
                unit[i] * per_unit..((unit[i] + 1) * per_unit).min(n)
            })
            .collect();
        let mut columns = vec![Vec::new()];
        for range in ranges {
            columns = columns
                .iter()
                .flat_map(|column: &Vec<u64>| {
                    range.clone().map(move |i| column.iter().copied().chain([i]).collect::<Vec<_>>())
                })
                .collect();
        }
        columns
    }

    /// The places of a column of bricks.
    pub fn places_of(&self, column: &[u64]) -> Region {
        let range = |((&i, &brick), &length): ((&u64, &u64), &u64)| i * brick..((i + 1) * brick).min(length);
        column.iter().zip(&self.brick).zip(&self.lengths).map(range).collect()
    }

    /// Runs of neighbouring places of a region along the last key: the first place in the grid, the number of places, and the
    /// number of the first in a box of `shape`.
    pub fn runs(&self, region: &Region, shape: &[u64]) -> Vec<(u64, u64, u64)> {
        let Some((last, others)) = region.split_last() else { return Vec::new() };
        let n_last = last.end - last.start;
        let mut runs = vec![(0, 0)];
        for (i, range) in others.iter().enumerate() {
            runs = runs
                .iter()
                .flat_map(|&(place, local)| {
                    range.clone().map(move |at| (place * self.lengths[i] + at, local * shape[i] + at - range.start))
                })
                .collect();
        }
        let (length, side) = (self.lengths[others.len()], shape[others.len()]);
        runs.into_iter().map(|(place, local)| (place * length + last.start, n_last, local * side)).collect()
    }
}

/// The name that MDIO has for a grid with these axes, if it has one.
pub(crate) fn template(names: &[&str], vertical: &str) -> Option<String> {
    let domain = match vertical {
        "time" => "Time",
        "depth" => "Depth",
        _ => return None,
    };
    let name = match names {
        ["cdp"] => format!("PostStack2D{domain}"),
        ["inline", "crossline"] => format!("PostStack3D{domain}"),
        ["cdp", "offset"] => format!("CdpOffsetGathers2D{domain}"),
        ["cdp", "angle"] => format!("CdpAngleGathers2D{domain}"),
        ["inline", "crossline", "offset"] => format!("CdpOffsetGathers3D{domain}"),
        ["inline", "crossline", "angle"] => format!("CdpAngleGathers3D{domain}"),
        ["shot_point", "channel"] => "StreamerShotGathers2D".to_owned(),
        ["shot_point", "cable", "channel"] => "StreamerShotGathers3D".to_owned(),
        ["receiver", "shot_line", "shot_point"] => "ReceiverGathers3D".to_owned(),
        ["shot_line", "shot_point", "receiver_line", "receiver"] => "ShotReceiverLineGathers3D".to_owned(),
        _ => return None,
    };
    Some(name)
}

/// Whether the last key counts traces.
pub(crate) fn counts_traces(names: &[String]) -> bool {
    names.last().is_some_and(|name| name == TRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bricks_are_even_by_default_and_as_given_otherwise() {
        assert_eq!(brick(None, &["inline", "crossline"], &[400, 401, 1650]), Ok(vec![58, 58, 64]));
        assert_eq!(brick(None, &["cdp"], &[60, 50]), Ok(vec![60, 50]));
        assert_eq!(brick(None, &["inline", "crossline", "offset"], &[5, 6, 12, 30]), Ok(vec![3, 3, 12, 30]));
        let asked = "5,7,all".parse().unwrap();
        assert_eq!(brick(Some(&asked), &["inline", "crossline"], &[13, 6, 40]), Ok(vec![5, 6, 40]));
        assert!(brick(Some(&asked), &["cdp"], &[13, 40]).unwrap_err().to_string().contains("has 3 lengths"));
    }

    #[test]
    fn shards_hold_whole_bricks() {
        let lengths = [13, 17, 40];
        assert_eq!(shard(Some(&GridShard::Columns), &[5, 7, 9], &lengths), Ok(Some(vec![1, 1, 5])));
        let asked = GridShard::Lengths("10,7,all".parse().unwrap());
        assert_eq!(shard(Some(&asked), &[5, 7, 9], &lengths), Ok(Some(vec![2, 1, 5])));
        assert!(shard(Some(&asked), &[4, 7, 9], &lengths).unwrap_err().to_string().contains("not a multiple"));
        // A brick was cut to an axis that is shorter.
        let asked = GridShard::Lengths("128,128,all".parse().unwrap());
        assert_eq!(shard(Some(&asked), &[10, 64, 9], &[10, 200, 40]), Ok(Some(vec![1, 2, 5])));
    }

    #[test]
    fn every_place_lies_in_one_column_of_one_unit() {
        let cut = Cut::of(&[13, 17], &[5, 3, 9], Some(&[2, 2, 1]));
        let mut seen = vec![0; 13 * 17];
        for unit in 0..2 * 3 {
            for column in cut.columns_of(&cut.index_of_unit(unit)) {
                for (place, n, local) in cut.runs(&cut.places_of(&column), &cut.brick) {
                    (place..place + n).for_each(|place| seen[place as usize] += 1);
                    assert!(local + n <= 15);
                }
            }
        }
        assert!(seen.iter().all(|&n| n == 1));
    }
}

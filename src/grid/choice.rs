//! `--grid auto`: the keys that give every trace a place of its own.

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::grid::places::place;
use crate::grid::scan::Records;
use crate::grid::{Key, TRACE};

/// Keys that are looked at.
pub(crate) const CANDIDATES: [&str; 4] = ["inline", "crossline", "cdp", "offset"];
/// With fewer traces at a place on average, the others are duplicates rather than a gather.
const LEAST_FOLD: f64 = 1.5;
/// With more places for each trace, offsets are not binned, and traces are rather counted.
const MOST_PLACES_PER_TRACE: u64 = 10;

/// The first of the usual grids that fits: inline and crossline, or cdp; then with offset; then with a count of traces.
///
/// # Errors
/// `Error::Input` where neither inline and crossline nor cdp change.
///
/// A few second traces at a place stay where `may_lie_aside`.
pub(crate) fn choose(
    there: &[&'static str],
    may_lie_aside: bool,
    scan: impl Fn(&[String]) -> Result<(Vec<Key>, Records)>,
    cancel: &CancelHandle,
) -> Result<Vec<String>> {
    let names: Vec<String> = there.iter().map(|&name| name.to_owned()).collect();
    let (keys, records) = scan(&names)?;
    let varies = |name: &str| keys.iter().any(|key| key.name == name && key.n() > 1);
    let places: Vec<Vec<&str>> = [vec!["inline", "crossline"], vec!["cdp"]]
        .into_iter()
        .filter(|names: &Vec<&str>| names.iter().all(|name| varies(name)))
        .collect();
    let Some(midpoints) = places.first() else {
        return Err(Error::Input(
            "no grid is made by itself: inline and crossline do not both change, nor does cdp; name the keys (--grid KEY,KEY), \
             which segy-import inspect --candidates helps to find"
                .into(),
        ));
    };
    // Traces that share a place; `None` for many more places than traces.
    let fits = |names: &[&str], most_per_trace: u64| -> Result<Option<u64>> {
        let order: Vec<usize> = names.iter().filter_map(|name| there.iter().position(|n| n == name)).collect();
        let chosen: Vec<Key> = order.iter().map(|&i| keys[i].clone()).collect();
        let unit = vec![u64::from(u32::MAX); chosen.len()];
        let n_places = chosen.iter().fold(1_u64, |n, key| n.saturating_mul(key.n()));
        if n_places / most_per_trace > records.n_traces {
            return Ok(None);
        }
        match place(&chosen, &records, &order, &unit, false, cancel) {
            Ok(places) => Ok(Some(places.n_duplicates)),
            // Too many places.
            Err(Error::Input(_)) => Ok(None),
            Err(e) => Err(e),
        }
    };
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let n_duplicates = fits(midpoints, u64::MAX)?;
    if n_duplicates == Some(0) {
        return Ok(owned(midpoints));
    }
    let with_offset = [&midpoints[..], &["offset"]].concat();
    let fold = n_duplicates.map_or(1.0, |n| records.n_traces as f64 / (records.n_traces - n).max(1) as f64);
    if fold >= LEAST_FOLD && varies("offset") && fits(&with_offset, MOST_PLACES_PER_TRACE)? == Some(0) {
        return Ok(owned(&with_offset));
    }
    if fold < LEAST_FOLD && may_lie_aside && n_duplicates.is_some() {
        return Ok(owned(midpoints));
    }
    Ok(owned(&[&midpoints[..], &[TRACE]].concat()))
}

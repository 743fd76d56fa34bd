//! The output in an object store, where nothing can be renamed, locked or appear at once with other things.
//!
//! Chunks are put under their final keys by the workers, each by one alone. The tables of the segments, their records and the
//! plan lie below `.segy-import/`; the merge makes the tables of the dataset of them, and `metadata.json` comes last. Whoever
//! sees no `metadata.json` sees no dataset; one that is replaced loses its own before the first chunk is written.
//!
//! There is no lock, as one would outlive whoever crashed with it. The plan is what keeps imports apart: it is only put where
//! there is none, and another import is refused unless it is the same. Two that are the same write the same bytes under the
//! same keys.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::base::error::{Error, Result, failed};
use crate::dataset_files::{METADATA, NAMED_OUTPUTS, ZARR_JSON};
use crate::plan::Plan;
use crate::staging::{Output, STAGING, SegmentPaths, SegmentRecord, holds_dataset, is_merged};
use crate::store;
use crate::store::files::read_json;

/// Refuses a prefix that holds something.
pub(super) fn check(root: &Path, overwrite: bool) -> Result<()> {
    store::check_address(root)?;
    let in_the_way = |what: String| Err(Error::OutputInTheWay(format!("{}: {what}", root.display())));
    if is_merged(root)? {
        return Ok(());
    }
    let found = store::list_top(root).map_err(failed(root.display()))?;
    let has = |name: &str| found.iter().any(|f| f == name);
    if has(METADATA) && holds_dataset(root)? {
        return if overwrite { Ok(()) } else { in_the_way("holds a dataset; --overwrite replaces it".into()) };
    }
    // Without its document it is what an import left that began here.
    if has(STAGING) && !has(METADATA) {
        return Ok(());
    }
    if let Some(name) = NAMED_OUTPUTS.iter().find(|name| has(name)) {
        return in_the_way(format!("{name} in it belongs to no dataset of this program; name another prefix"));
    }
    if overwrite || found.is_empty() {
        return Ok(());
    }
    in_the_way("is not empty; name a new prefix, or put the dataset beside what is there with --overwrite".into())
}

/// Puts the plan where there is none, and ends the dataset that is going to be replaced.
///
/// # Errors
/// `Error::OutputInTheWay` where there is one, which another import has put there meanwhile.
pub(super) fn start(output: &Output, plan: &Plan) -> Result<()> {
    let (place, root) = (output.plan_file(), output.root());
    let mut text = serde_json::to_vec_pretty(plan).map_err(failed(place.display()))?;
    text.push(b'\n');
    if !store::put_new(&place, &text).map_err(failed(place.display()))? {
        let what = "another import has begun here at the same time; try again when it is done";
        return Err(Error::OutputInTheWay(format!("{}: {what}", root.display())));
    }
    output.is_mine.store(true, Ordering::Relaxed);
    remove(&[root.join(METADATA), root.join(ZARR_JSON)])?;
    remove(&others(output)?)
}

/// The records of the segments that are done.
pub(super) fn records(staging: &Path, plan: &Plan) -> Result<Vec<SegmentRecord>> {
    let names: HashSet<String> = store::list(staging).map_err(failed(staging.display()))?.into_iter().collect();
    let record = |id| SegmentPaths::new(staging, id).record;
    let is_there = |id| record(id).strip_prefix(staging).is_ok_and(|name| names.contains(&*name.to_string_lossy()));
    let ids = plan.segments.iter().map(|s| s.id).filter(|id| is_there(*id));
    ids.map(|id| read_json(&record(id))).collect()
}

/// Makes the dataset complete: what the one before had and it has not is removed, and then it gets its document.
pub(super) fn finish_commit(output: &Output) -> Result<()> {
    let root = output.root();
    if store::is_file(&output.document()).map_err(failed(root.display()))? {
        let parts = output.parts()?;
        NAMED_OUTPUTS
            .iter()
            .filter(|name| !parts.contains(name))
            .try_for_each(|name| crate::store::files::remove(&root.join(name)))?;
        let document = output.document();
        let text = store::read(&document).map_err(failed(document.display()))?;
        let place = root.join(METADATA);
        store::write(&place, &text).map_err(failed(place.display()))?;
    }
    Ok(())
}

/// Empties the staging area, in an order in which nothing that is left is taken for finished work: without a dataset being
/// committed the plan goes first, and with one the mark goes last.
pub(super) fn clear_staging(output: &Output) -> Result<()> {
    let (plan, mark) = (output.plan_file(), output.merged_mark());
    if !output.is_merged()? {
        remove(std::slice::from_ref(&plan))?;
    }
    remove(&others(output)?)?;
    remove(&[plan])?;
    remove(&[mark])
}

/// What is in the staging area besides the plan and the mark.
fn others(output: &Output) -> Result<Vec<PathBuf>> {
    let (staging, kept) = (output.staging(), [output.plan_file(), output.merged_mark()]);
    let found = store::list(&staging).map_err(failed(staging.display()))?;
    Ok(found.into_iter().map(|name| staging.join(name)).filter(|path| !kept.contains(path)).collect())
}

/// Removes what an import made that comes to nothing, unless it had taken up what another began: that one may be at work. A
/// dataset that is complete is not its own any more.
pub(super) fn discard(output: &Output) -> Result<()> {
    if !output.is_mine.load(Ordering::Relaxed) {
        return Ok(());
    }
    let root = output.root();
    let exists = |path: &Path| store::is_file(path).map_err(failed(path.display()));
    if exists(&output.plan_file())? && !exists(&root.join(METADATA))? {
        NAMED_OUTPUTS.iter().try_for_each(|name| crate::store::files::remove(&root.join(name)))?;
    }
    clear_staging(output)
}

fn remove(paths: &[PathBuf]) -> Result<()> {
    let Some(first) = paths.first() else { return Ok(()) };
    store::remove_all(paths).map_err(failed(format!("{}: cannot be removed", first.display())))
}

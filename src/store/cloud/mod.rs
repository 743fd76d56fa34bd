//! Object stores, through the crate `object_store`. No other module knows that crate, its runtime or its errors.

mod connect;
mod messages;
mod object;
mod profile;
mod upload;

use std::io;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, PutMode, PutOptions};

pub(crate) use object::Object;
pub(crate) use upload::{Pending, Upload, abort_uploads};

use crate::base::error::{Error, Result};
use crate::store::State;
use crate::store::address::Address;
use crate::store::place::too_long;
use connect::{Place, again, wait, wait_for};

pub(super) fn check(address: &Address) -> Result<()> {
    connect::store(address).map(drop).map_err(|e| Error::Usage(e.to_string()))
}

/// The bytes of an object, if there are at most `most`.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let place = Place::of(path)?;
    let get = || async {
        let found = place.store.get(&place.key).await?;
        let n = found.meta.size;
        if n > most { Ok(Err(too_long(n, most))) } else { found.bytes().await.map(Ok) }
    };
    // The library itself resumes a body that breaks off.
    wait(again(get))?.map(Vec::from)
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut upload = Upload::create(path, Some(bytes.len() as u64))?;
    io::Write::write_all(&mut upload, bytes)?;
    upload.finish()?.wait()
}

/// The current state of the object.
pub(crate) fn state(path: &Path) -> io::Result<State> {
    let place = Place::of(path)?;
    let meta = wait(again(|| place.store.head(&place.key)))?;
    let modified_ns = meta.last_modified.timestamp_nanos_opt().and_then(|n| u128::try_from(n).ok()).unwrap_or(0);
    Ok(State { bytes: meta.size, etag: meta.e_tag, modified_ns })
}

/// The keys of all objects below a prefix, in order, without the prefix and its slash.
pub(crate) fn list(prefix: &Path) -> io::Result<Vec<String>> {
    let place = Place::of(prefix)?;
    let found = wait(again(|| place.store.list(Some(&place.key)).try_collect::<Vec<_>>()))?;
    let name = |key: &object_store::path::Path| match place.key.as_ref() {
        "" => Some(key.as_ref().to_owned()),
        prefix => key.as_ref().strip_prefix(prefix)?.strip_prefix('/').map(str::to_owned),
    };
    let mut names: Vec<String> = found.iter().filter_map(|m| name(&m.location)).collect();
    names.sort_unstable();
    Ok(names)
}

/// The names directly below a prefix: objects, and common prefixes of longer keys.
pub(crate) fn list_top(prefix: &Path) -> io::Result<Vec<String>> {
    let place = Place::of(prefix)?;
    let found = wait(again(|| place.store.list_with_delimiter(Some(&place.key))))?;
    let keys = found.objects.iter().map(|object| &object.location).chain(&found.common_prefixes);
    Ok(keys.filter_map(|key| key.filename().map(str::to_owned)).collect())
}

/// Creates a small object unless its name is taken. Returns whether it is there with these bytes: that also counts as
/// created, as the answer to an earlier request may have been lost.
pub(crate) fn put_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let place = Place::of(path)?;
    let put = || place.store.put_opts(&place.key, bytes.to_vec().into(), PutOptions::from(PutMode::Create));
    match wait_for(again(put))? {
        Ok(_) => Ok(true),
        Err(object_store::Error::AlreadyExists { .. }) => Ok(read(path, u64::MAX)? == bytes),
        // Some stores cannot do that in one request; a simultaneous write then goes unnoticed.
        Err(object_store::Error::NotImplemented { .. }) => match state(path) {
            Ok(_) => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::NotFound => write(path, bytes).map(|()| true),
            Err(e) => Err(e),
        },
        Err(e) => Err(messages::explained(&e)),
    }
}

/// Removes the object, and all objects below its key and a slash.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let below = list(path)?.into_iter().map(|name| path.join(name));
    remove_all(&below.chain([path.to_owned()]).collect::<Vec<_>>())
}

/// Removes objects of one bucket, many per request. A missing one counts as removed.
pub(crate) fn remove_all(paths: &[PathBuf]) -> io::Result<()> {
    let paths = paths.iter().filter(|p| Address::parse(p).is_ok_and(|a| !a.key.is_empty()));
    let places: Vec<Place> = paths.map(|p| Place::of(p)).collect::<io::Result<_>>()?;
    let Some(first) = places.first() else { return Ok(()) };
    let keys = || futures_util::stream::iter(places.iter().map(|p| Ok(p.key.clone())).collect::<Vec<_>>()).boxed();
    let missing_is_removed = |removed: object_store::Result<_>| match removed {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        removed => removed.map(drop),
    };
    wait(again(|| first.store.delete_stream(keys()).map(missing_is_removed).try_collect::<()>()))
}

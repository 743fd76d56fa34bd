//! Writing objects: small ones in one request, larger ones in parts, several at a time.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use object_store::multipart::PartId;
use object_store::{Error, MultipartId, ObjectStoreExt, PutPayload, PutPayloadMut};
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::store::cloud::connect::{Place, again, runtime, wait, wait_for};
use crate::store::cloud::messages::explained;

/// Size of a part, unless the object would then have more than [`MAX_PARTS`]. Up to this size an object is written in
/// one request, so also a chunk of 8 MiB with its checksum.
const PART_BYTES: u64 = 9 << 20;
/// The most parts of one object; S3 allows 10,000.
const MAX_PARTS: u64 = 9_500;
/// Size of the later half of the parts if the object's length is unknown; it can then have 330 GB.
const LATE_PART_BYTES: u64 = 64 << 20;
/// The most bytes that one process has in flight, apart from a single larger part.
const UNDER_WAY_BYTES: u64 = 27 << 20;
/// Bytes are collected in pieces of this size.
const PIECE_BYTES: usize = 256 << 10;
/// Time limit for telling the store that an upload is given up.
const ABORT_TIME: Duration = Duration::from_secs(5);

/// An object that is being written. It exists once it is finished; if dropped before, nothing of it stays.
///
/// Memory: the part being filled; parts in flight are bounded for the whole process.
pub(crate) struct Upload {
    place: Place,
    part_bytes: u64,
    is_of_unknown_length: bool,
    filling: PutPayloadMut,
    parts: Option<Parts>,
}

/// The parts of a multipart upload so far.
struct Parts {
    id: MultipartId,
    /// Its key in [`OPEN`].
    number: u64,
    n: usize,
    under_way: JoinSet<object_store::Result<(usize, PartId)>>,
    done: Vec<(usize, PartId)>,
    bytes: u64,
}

/// The unfinished multipart uploads of the whole process.
static OPEN: Mutex<Option<HashMap<u64, (Place, MultipartId)>>> = Mutex::new(None);
/// Held for reading while an upload is begun or given up, until the store has answered, and for writing while the
/// process ends, so that the end cannot come between request and answer.
static BEGINNING_OR_ENDING: RwLock<()> = RwLock::const_new(());

/// Set once the process is ending.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Gives up all open uploads and prevents new ones, so that a process that is about to end leaves no parts in the
/// store. Takes at most twice [`ABORT_TIME`].
pub(crate) fn abort_uploads() {
    IS_ENDING.store(true, Ordering::SeqCst);
    let Ok(runtime) = runtime() else { return };
    runtime.block_on(async {
        if let Ok(guard) = tokio::time::timeout(ABORT_TIME, BEGINNING_OR_ENDING.write()).await {
            std::mem::forget(guard);
        }
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        let abort =
            |(place, id): (Place, MultipartId)| async move { place.store.abort_multipart(&place.key, &id).await };
        let aborts = futures_util::future::join_all(open.into_values().map(abort));
        // Trying is all that can be done; stores can be configured to drop leftover parts after some days.
        let _ = tokio::time::timeout(ABORT_TIME, aborts).await;
    });
}

impl Upload {
    /// `bytes`: its length, if known.
    pub(crate) fn create(path: &Path, bytes: Option<u64>) -> io::Result<Self> {
        let part_bytes = bytes.unwrap_or(0).div_ceil(MAX_PARTS).next_multiple_of(1 << 20).max(PART_BYTES);
        let is_of_unknown_length = bytes.is_none();
        Ok(Self { place: Place::of(path)?, part_bytes, is_of_unknown_length, filling: new_piece(), parts: None })
    }

    fn send_part(&mut self) -> io::Result<()> {
        let payload: PutPayload = std::mem::replace(&mut self.filling, new_piece()).freeze();
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(Parts::begin(&self.place)?),
        };
        if parts.n as u64 > MAX_PARTS / 2 && self.is_of_unknown_length {
            self.part_bytes = LATE_PART_BYTES;
        }
        parts.send(&self.place, payload)
    }

    /// Sends the rest. The object exists once [`Pending::wait`] has returned.
    pub(crate) fn finish(mut self) -> io::Result<Pending> {
        if self.parts.is_some() {
            self.send_part()?;
            if let Some(parts) = &mut self.parts {
                parts.complete(&self.place)?;
            }
            return Ok(Pending(None));
        }
        let payload: PutPayload = std::mem::replace(&mut self.filling, new_piece()).freeze();
        let (permit, place) = (permit(payload.content_length() as u64)?, self.place.clone());
        Ok(Pending(Some(runtime()?.spawn(async move {
            let put = place.store.put(&place.key, payload).await;
            drop(permit);
            put.map(drop)
        }))))
    }
}

fn new_piece() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(PIECE_BYTES)
}

/// Waits until this many more bytes may be in flight.
fn permit(bytes: u64) -> io::Result<OwnedSemaphorePermit> {
    static UNDER_WAY: OnceLock<std::sync::Arc<Semaphore>> = OnceLock::new();
    let semaphore = UNDER_WAY.get_or_init(|| std::sync::Arc::new(Semaphore::new(UNDER_WAY_BYTES as usize)));
    let n = bytes.min(UNDER_WAY_BYTES) as u32;
    runtime()?.block_on(semaphore.clone().acquire_many_owned(n)).map_err(io::Error::other)
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.filling.content_length() as u64 >= self.part_bytes {
            self.send_part()?;
        }
        let room = self.part_bytes - self.filling.content_length() as u64;
        let n = bytes.len().min(room as usize);
        self.filling.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            parts.abort(&self.place);
        }
    }
}

impl Parts {
    fn begin(place: &Place) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let _goes_on = wait_for(BEGINNING_OR_ENDING.read())?;
        let ending = || Err(io::Error::other("the process is ending"));
        if IS_ENDING.load(Ordering::SeqCst) {
            return ending();
        }
        let id = wait(place.store.create_multipart(&place.key))?;
        // The process began to end meanwhile, and nothing else knows this upload.
        if IS_ENDING.load(Ordering::SeqCst) {
            let _ = wait(place.store.abort_multipart(&place.key, &id));
            return ending();
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.get_or_insert_default().insert(number, (place.clone(), id.clone()));
        Ok(Self { id, number, n: 0, under_way: JoinSet::new(), done: Vec::new(), bytes: 0 })
    }

    fn send(&mut self, place: &Place, payload: PutPayload) -> io::Result<()> {
        let bytes = payload.content_length() as u64;
        let (permit, place, id, n) = (permit(bytes)?, place.clone(), self.id.clone(), self.n);
        // A part that failed ends the upload before more is sent.
        while let Some(ended) = self.under_way.try_join_next() {
            self.done.push(ended.map_err(io::Error::other)?.map_err(|e| explained(&e))?);
        }
        let put = async move {
            let part = place.store.put_part(&place.key, &id, n, payload).await;
            drop(permit);
            Ok((n, part?))
        };
        self.under_way.spawn_on(put, runtime()?.handle());
        self.n += 1;
        self.bytes += bytes;
        Ok(())
    }

    fn complete(&mut self, place: &Place) -> io::Result<()> {
        while let Some(ended) = runtime()?.block_on(self.under_way.join_next()) {
            self.done.push(ended.map_err(io::Error::other)?.map_err(|e| explained(&e))?);
        }
        self.done.sort_by_key(|(n, _)| *n);
        let parts = self.done.drain(..).map(|(_, part)| part).collect();
        match runtime()?.block_on(place.store.complete_multipart(&place.key, &self.id, parts)) {
            Ok(_) => {}
            // The answer was lost, and the repeated request found nothing left to complete.
            Err(Error::NotFound { .. })
                if wait(again(|| place.store.head(&place.key))).is_ok_and(|m| m.size == self.bytes) => {}
            Err(e) => return Err(explained(&e)),
        }
        self.forget();
        Ok(())
    }

    /// Removes what was sent so far from the store, if it can be reached.
    fn abort(&mut self, place: &Place) {
        let Ok(runtime) = runtime() else { return };
        let abort = async {
            let _goes_on = BEGINNING_OR_ENDING.read().await;
            if self.forget() {
                // A part that arrived after the upload's end would stay.
                self.under_way.shutdown().await;
                // The caller already has an error to report.
                let _ = place.store.abort_multipart(&place.key, &self.id).await;
            }
        };
        let _ = runtime.block_on(async { tokio::time::timeout(ABORT_TIME, abort).await });
    }

    /// Returns whether it was still open.
    fn forget(&self) -> bool {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_mut().is_some_and(|open| open.remove(&self.number).is_some())
    }
}

/// The request that completes an object, in flight.
pub(crate) struct Pending(Option<JoinHandle<object_store::Result<()>>>);

impl Pending {
    /// Waits until the object exists.
    pub(crate) fn wait(mut self) -> io::Result<()> {
        match &mut self.0 {
            None => Ok(()),
            Some(put) => runtime()?.block_on(put).map_err(io::Error::other)?.map_err(|e| explained(&e)),
        }
    }
}

impl Drop for Pending {
    /// Nobody is waiting for it: the import it belongs to has been given up.
    fn drop(&mut self) {
        if let Some(put) = &self.0 {
            put.abort();
        }
    }
}

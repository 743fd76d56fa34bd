//! Reading objects at any offset in few requests. A request fetches neighbouring bytes too, and more of them the longer
//! a reader goes straight on; then the next request is sent ahead.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use object_store::{GetOptions, GetRange};

use crate::store::cloud::connect::{Place, again, runtime, wait};
use crate::store::cloud::messages::explained;

/// Size of the smallest request: it takes hardly longer than one for a trace header.
const FEWEST_BYTES: u64 = 64 << 10;
/// Size of the largest request, unless a reader wants more at once.
const MOST_BYTES: u64 = 8 << 20;
/// Once a reader's requests have grown to this size, the next one is sent ahead.
const AHEAD_FROM_BYTES: u64 = 1 << 20;
/// Bytes kept for each reader: the request being read, the next one, and some others.
const KEPT_BYTES: u64 = 2 * MOST_BYTES + (2 << 20);

/// An object that is being read, shared by everything in this process that reads it.
pub(crate) struct Object {
    place: Place,
    bytes: u64,
    etag: Option<String>,
    /// How many threads read it at the same time.
    readers: AtomicUsize,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    blocks: Vec<Block>,
    /// Counts lookups, to find the least recently used block.
    clock: u64,
}

/// Some of the object's bytes, fetched or on their way.
#[derive(Clone)]
struct Block {
    range: Range<u64>,
    /// Size of the next request of a reader who goes straight on.
    grown: u64,
    used: u64,
    data: Shared<BoxFuture<'static, Result<Bytes, (ErrorKind, String)>>>,
}

/// Cancels a request that nobody waits for any more.
struct StopOnDrop(tokio::task::AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Object {
    /// The object as it is now or, if something in this process is already reading it, as it was when that was opened.
    pub(crate) fn open(path: &Path) -> io::Result<Arc<Self>> {
        static OPEN: Mutex<Option<HashMap<PathBuf, Weak<Object>>>> = Mutex::new(None);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        if let Some(object) = open.get(path).and_then(Weak::upgrade) {
            return Ok(object);
        }
        let place = Place::of(path)?;
        let meta = wait(object_store::ObjectStoreExt::head(&*place.store, &place.key))?;
        let object = Arc::new(Self {
            place,
            bytes: meta.size,
            etag: meta.e_tag,
            readers: AtomicUsize::new(1),
            cache: Mutex::default(),
        });
        open.retain(|_, object| object.strong_count() > 0);
        open.insert(path.to_owned(), Arc::downgrade(&object));
        Ok(object)
    }

    /// Its length when it was opened.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Says how many threads read it at the same time, each with its own part.
    pub(crate) fn is_read_by(&self, threads: usize) {
        self.readers.fetch_max(threads, Ordering::Relaxed);
    }

    /// Fills `out` from `offset` on. The reader has no use for bytes at or after `end`.
    pub(crate) fn read_at(&self, mut offset: u64, mut out: &mut [u8], end: u64) -> io::Result<()> {
        if offset + out.len() as u64 > self.bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        while !out.is_empty() {
            let block = self.block(offset, out.len() as u64, end)?;
            let data = runtime()?.block_on(block.data).map_err(|(kind, what)| io::Error::new(kind, what))?;
            let found = data.get((offset - block.range.start) as usize..).unwrap_or_default();
            if found.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let n = found.len().min(out.len());
            out[..n].copy_from_slice(&found[..n]);
            (offset, out) = (offset + n as u64, &mut out[n..]);
        }
        Ok(())
    }

    /// Requests bytes that will be read soon: only those, or [`FEWEST_BYTES`] if they are fewer.
    pub(crate) fn will_read(&self, offset: u64, n: usize) {
        let end = (offset + (n as u64).max(FEWEST_BYTES)).min(self.bytes);
        let mut cache = self.lock();
        let mut at = offset;
        while at < end {
            match cache.find(at) {
                Some(i) => at = cache.blocks[i].range.end,
                None => {
                    let stop = cache.next_start(at).min(end);
                    if self.ask(&mut cache, at..stop, 0).is_err() {
                        return;
                    }
                    at = stop;
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block with the byte at `offset`, of `n` bytes that are wanted.
    fn block(&self, offset: u64, n: u64, end: u64) -> io::Result<Block> {
        let mut cache = self.lock();
        if cache.find(offset).is_none() {
            let (range, grown) = cache.next_request(offset, n, self.bytes);
            self.ask(&mut cache, range, grown)?;
        }
        cache.clock += 1;
        let clock = cache.clock;
        let Some(i) = cache.find(offset) else { return Err(ErrorKind::UnexpectedEof.into()) };
        cache.blocks[i].used = clock;
        let block = cache.blocks[i].clone();
        let next = block.range.end;
        if block.grown > AHEAD_FROM_BYTES && next < end.min(self.bytes) && cache.find(next).is_none() {
            let stop = cache.next_start(next).min(next + block.grown).min(end).min(self.bytes);
            self.ask(&mut cache, next..stop, larger(block.grown))?;
        }
        Ok(block)
    }

    /// Sends a request, and drops the least recently used blocks if there are too many.
    fn ask(&self, cache: &mut Cache, range: Range<u64>, grown: u64) -> io::Result<()> {
        let (place, etag, wanted) = (self.place.clone(), self.etag.clone(), range.clone());
        let request = runtime()?.spawn(async move {
            let options =
                GetOptions { if_match: etag, range: Some(GetRange::Bounded(wanted)), ..GetOptions::default() };
            again(|| async { place.store.get_opts(&place.key, options.clone()).await?.bytes().await }).await
        });
        let data = async move {
            let _guard = StopOnDrop(request.abort_handle());
            let bytes = request.await.map_err(|e| (ErrorKind::Other, e.to_string()))?;
            bytes.map_err(|e| {
                let e = explained(&e);
                (e.kind(), e.to_string())
            })
        };
        let used = cache.clock;
        cache.blocks.push(Block { range, grown, used, data: data.boxed().shared() });
        cache.forget_beyond(KEPT_BYTES * self.readers.load(Ordering::Relaxed) as u64);
        Ok(())
    }
}

/// Size of the request after one of this size.
fn larger(bytes: u64) -> u64 {
    (2 * bytes).min(MOST_BYTES)
}

impl Cache {
    fn find(&self, offset: u64) -> Option<usize> {
        self.blocks.iter().position(|b| b.range.contains(&offset))
    }

    /// Where the next block after an offset begins.
    fn next_start(&self, offset: u64) -> u64 {
        self.blocks.iter().map(|b| b.range.start).filter(|&start| start > offset).min().unwrap_or(u64::MAX)
    }

    /// What to request if `n` bytes are wanted at `offset` and the first is missing, and the size of the next request
    /// if the reader goes straight on: forwards, or backwards when looking for the start of a gather.
    fn next_request(&self, offset: u64, n: u64, length: u64) -> (Range<u64>, u64) {
        let is_near = |a: u64, b: u64| a <= b && b - a <= FEWEST_BYTES;
        let before = self.blocks.iter().filter(|b| is_near(b.range.end, offset)).max_by_key(|b| b.range.end);
        let after = self.blocks.iter().filter(|b| is_near(offset + n, b.range.start)).min_by_key(|b| b.range.start);
        let (start, bytes, grown) = match (before, after) {
            (Some(block), _) => (block.range.end, block.grown, block.grown),
            (None, Some(block)) => {
                (block.range.start.saturating_sub(block.grown).min(offset), block.grown, block.grown)
            }
            (None, None) => (offset, n, n),
        };
        let bytes = bytes.max(offset - start + n).max(FEWEST_BYTES);
        let end = (start + bytes).min(self.next_start(start)).min(length);
        (start..end, larger(grown.max(FEWEST_BYTES)))
    }

    fn forget_beyond(&mut self, bytes: u64) {
        let mut kept: u64 = self.blocks.iter().map(|b| b.range.end - b.range.start).sum();
        while kept > bytes && self.blocks.len() > 2 {
            // The last one was requested just now.
            let older = self.blocks[..self.blocks.len() - 1].iter().enumerate();
            let Some((oldest, _)) = older.min_by_key(|(_, b)| b.used) else { return };
            let gone = self.blocks.remove(oldest);
            kept -= gone.range.end - gone.range.start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 100 << 20;

    /// Requests `n` missing bytes at an offset, and returns the range requested.
    fn ask(cache: &mut Cache, offset: u64, n: u64) -> Range<u64> {
        let (range, grown) = cache.next_request(offset, n, LENGTH);
        assert!(range.contains(&offset));
        let data = async { Ok(Bytes::new()) }.boxed().shared();
        cache.blocks.push(Block { range: range.clone(), grown, used: 0, data });
        range
    }

    #[test]
    fn requests_grow_while_a_reader_goes_straight_on() {
        let mut cache = Cache::default();
        let mut at = 1000;
        let mut sizes = Vec::new();
        for _ in 0..6 {
            let range = ask(&mut cache, at, 512 << 10);
            assert_eq!(range.start, at);
            sizes.push((range.end - range.start) >> 10);
            at = range.end;
        }
        assert_eq!(sizes, [512, 1024, 2048, 4096, 8192, 8192]);
        assert_eq!(ask(&mut cache, LENGTH - 10, 10), LENGTH - 10..LENGTH);
    }

    #[test]
    fn requests_grow_backwards_too_and_do_not_overlap() {
        let mut cache = Cache::default();
        let last = ask(&mut cache, 10 << 20, 240);
        assert_eq!(last.end - last.start, FEWEST_BYTES);
        let before = ask(&mut cache, last.start - 4240, 240);
        assert_eq!((before.end, before.end - before.start), (last.start, 2 * FEWEST_BYTES));
        assert_eq!(ask(&mut cache, before.start - 4240, 240).end, before.start);
    }

    #[test]
    fn single_headers_far_apart_are_small_requests() {
        let mut cache = Cache::default();
        for i in 0..20 {
            let range = ask(&mut cache, i << 20, 240);
            assert_eq!(range, i << 20..(i << 20) + FEWEST_BYTES);
        }
    }
}

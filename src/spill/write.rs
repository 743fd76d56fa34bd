//! Writing the traces of files to buckets, in one pass from their start to their end.

use std::io::{self, BufWriter, Write};

use indicatif::DecimalBytes;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::system::boot_id;
use crate::grid::buckets::{BucketCut, Spilled};
use crate::input::PlannedFile;
use crate::input::traces::{Inputs, Stretch, WINDOW_BYTES};
use crate::segy::{Access, Io};
use crate::staging::SpillPaths;
use crate::store::files::{create_directories, remove};
use crate::store::sync::sync_tree;
use crate::store::{Place, Writer, finish_buffered};
use crate::worker::flags::FlagFinder;
use crate::zarr::ArrayPlan;

/// Bytes gathered before they are written to a bucket, and all of them together, at most.
const BUFFER_BYTES: usize = 256 << 10;
const BUFFERS_BYTES: usize = 32 << 20;

/// What is spilled, and where to.
pub(super) struct Writing<'a> {
    /// With traces of one length.
    pub files: &'a [PlannedFile],
    pub io: Io,
    pub array: &'a ArrayPlan,
    /// Whether traces are flagged by their samples.
    pub is_flagged: bool,
    pub staging: &'a Place,
    pub cut: BucketCut,
    /// Bytes that this takes.
    pub takes: u64,
    /// Whether workers on other computers follow the plan.
    pub is_for_others: bool,
    pub sync: bool,
}

/// Appends the bucket of each trace of a window, given with its bytes; `None` for a trace that is not spilled.
pub(super) type Sort<'s> = dyn FnMut(&Stretch, &[u8], &mut Vec<Option<usize>>) -> Result<()> + 's;

impl Writing<'_> {
    /// Writes all traces. `on_progress` gets the number of those done. The mark that it returns is not written yet.
    ///
    /// # Errors
    /// `Error::Failed` if writing fails, `Error::Input` if the input changed meanwhile. Nothing that counts is left.
    pub(super) fn run(
        &self,
        sort: &mut Sort,
        cancel: &CancelHandle,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Spilled> {
        let paths = SpillPaths::new(self.staging);
        remove(&paths.directory)?;
        create_directories(&paths.directory)?;
        let result = self.write_all(&paths, sort, cancel, on_progress);
        if result.is_err() {
            // It has no mark, so it counts for nothing; but the room may be needed.
            let _ = remove(&paths.directory);
        }
        result
    }

    fn write_all(
        &self,
        paths: &SpillPaths,
        sort: &mut Sort,
        cancel: &CancelHandle,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Spilled> {
        let inputs = self.files.iter().map(|file| file.input.as_seen_here()).collect::<Result<Vec<_>>>()?;
        self.write(paths, sort, cancel, on_progress)?;
        inputs.iter().try_for_each(|input| input.check_unchanged())?;
        let boot_id = if self.is_for_others { None } else { boot_id() };
        // Where a start of the computer cannot be told from another, what was written before it counts too.
        if self.sync && boot_id.is_none() {
            sync_tree(&paths.directory, cancel)?;
        }
        let layout = &self.files[0].layout;
        Ok(Spilled { cut: self.cut.clone(), stride: layout.stride(), header_bytes: layout.header_bytes(), boot_id })
    }

    fn write(
        &self,
        paths: &SpillPaths,
        sort: &mut Sort,
        cancel: &CancelHandle,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let n_traces = self.files.last().map_or(0, PlannedFile::end_trace);
        let mut inputs = Inputs::new(self.files, self.io, Access::Traces);
        let mut outputs = Outputs::create(self, paths)?;
        let (mut next, mut buffer) = (0, Vec::new());
        while next < n_traces {
            cancel.check()?;
            let most = (WINDOW_BYTES / self.files[0].layout.stride()).max(1).min((n_traces - next) as usize);
            let window = inputs.stretch(next, most)?;
            let bytes = window.file.bytes(window.offset, window.n_traces * window.stride, &mut buffer)?;
            outputs.take(&window, bytes, sort)?;
            window.file.release(window.offset, window.n_traces * window.stride);
            next = window.traces().end;
            on_progress(next);
        }
        outputs.finish()
    }

    /// The error for a file that cannot be written.
    fn unwritten(&self, place: &Place, cause: &io::Error) -> Error {
        let hint = match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("; spilling the traces needs {} of room, and --spill never none", DecimalBytes(self.takes))
            }
            _ => String::new(),
        };
        Error::Failed(format!("{}: {cause}{hint}", place.display()))
    }
}

/// What is written.
struct Outputs<'a> {
    writing: &'a Writing<'a>,
    finder: FlagFinder<'a>,
    flags: Vec<u8>,
    sorted: Vec<Option<usize>>,
    headers: Output,
    buckets: Vec<Output>,
}

impl<'a> Outputs<'a> {
    fn create(writing: &'a Writing<'a>, paths: &SpillPaths) -> Result<Self> {
        let n_buckets = writing.cut.n_buckets();
        let create = |place: Place| {
            let room = BUFFER_BYTES.min(BUFFERS_BYTES / (n_buckets + 1));
            match Writer::create(&place) {
                Ok(file) => Ok(Output { place, file: BufWriter::with_capacity(room, file) }),
                Err(e) => Err(writing.unwritten(&place, &e)),
            }
        };
        Ok(Self {
            writing,
            finder: FlagFinder::of_files(writing.files, writing.io, writing.array)?,
            flags: Vec::new(),
            sorted: Vec::new(),
            headers: create(paths.headers.clone())?,
            buckets: (0..n_buckets).map(|number| create(paths.bucket(number))).collect::<Result<_>>()?,
        })
    }

    /// Takes traces in file order.
    fn take(&mut self, window: &Stretch, bytes: &[u8], sort: &mut Sort) -> Result<()> {
        let header_bytes = self.writing.files[0].layout.header_bytes();
        self.flags.clear();
        if self.writing.is_flagged {
            self.finder.of_read_window(window, bytes, &mut self.flags)?;
        } else {
            self.flags.resize(window.n_traces, 0);
        }
        self.sorted.clear();
        sort(window, bytes, &mut self.sorted)?;
        let traces = window.traces().zip(bytes.chunks(window.stride));
        for (((number, trace), flags), bucket) in traces.zip(&self.flags).zip(&self.sorted) {
            let header = &trace[..header_bytes];
            self.headers.put(header, &[*flags]).map_err(|e| self.writing.unwritten(&self.headers.place, &e))?;
            if let Some(bucket) = bucket.and_then(|bucket| self.buckets.get_mut(bucket)) {
                bucket.put(trace, &number.to_le_bytes()).map_err(|e| self.writing.unwritten(&bucket.place, &e))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        [self.headers]
            .into_iter()
            .chain(self.buckets)
            .try_for_each(|output| finish_buffered(output.file).map_err(|e| self.writing.unwritten(&output.place, &e)))
    }
}

/// A file of records.
struct Output {
    place: Place,
    file: BufWriter<Writer>,
}

impl Output {
    fn put(&mut self, bytes: &[u8], mark: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.write_all(mark)
    }
}
